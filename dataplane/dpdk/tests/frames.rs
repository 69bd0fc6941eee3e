//! Frames: through a device and back, refused, used up, and always given back.

#[path = "scene/mod.rs"]
mod scene;

use std::thread;

use dpdk::{PortConfig, WorkerPort};
use pipeline::{BURST, Burst, Frame, Port};
use scene::{BUFFERS, alone, numbered, numbers, pool, port, start};

#[test]
fn a_null_device_receives_full_bursts_and_sends_everything() {
    alone(|| {
        let eal = start(&["net_null0,size=80"]);
        let pool = pool(&eal);
        let (control, mut port) = port(&eal, "net_null0", &pool);
        let mut burst = Burst::new();
        port.receive(0, &mut burst);
        assert_eq!(burst.len(), BURST);
        assert!(burst.iter().all(|frame| frame.bytes().len() == 80));
        port.receive(0, &mut burst);
        assert_eq!(burst.len(), BURST, "a full burst takes no more");
        port.transmit(&mut burst);
        assert!(burst.is_empty());
        let stats = control.stats();
        assert_eq!((stats.rx_packets, stats.tx_packets), (64, 64));
        assert!(control.link().up);
    });
}

#[test]
fn what_is_sent_into_a_ring_arrives_with_the_same_bytes() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_ring0", &pool);
        let sent: Vec<Vec<u8>> = (0_u8..40).map(|n| (0..60 + n).map(|i| i ^ n).collect()).collect();
        let mut burst: Burst<_> = sent.iter().map(|bytes| port.originate(bytes).unwrap()).collect();
        port.transmit(&mut burst);
        assert!(burst.is_empty());
        port.receive(0, &mut burst);
        let received: Vec<Vec<u8>> = burst.iter().map(|frame| frame.bytes().to_vec()).collect();
        assert_eq!(received, sent);
    });
}

#[test]
fn frames_are_added_behind_those_a_burst_already_holds() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_ring0", &pool);
        let mut sent = numbered(&mut port, 10..13, 60);
        port.transmit(&mut sent);
        let mut burst = numbered(&mut port, 0..2, 60);
        port.receive(0, &mut burst);
        assert_eq!(numbers(&burst), [0, 1, 10, 11, 12]);
    });
}

#[test]
fn what_the_ring_refuses_stays_ours_and_in_order() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (control, mut port) = port(&eal, "net_ring0", &pool);
        let mut sent: u64 = 0;
        let mut burst = Burst::new();
        while burst.is_empty() {
            burst = numbered(&mut port, 0..32, 60);
            port.transmit(&mut burst);
            sent += 32 - burst.len() as u64;
        }
        assert_eq!(sent, RING_SIZE);
        assert_eq!(control.stats().tx_packets, sent);
        let taken = 32 - u8::try_from(burst.len()).unwrap();
        assert_eq!(numbers(&burst), (taken..32).collect::<Vec<_>>());
        assert_eq!(u64::from(pool.available()), u64::from(BUFFERS) - sent - burst.len() as u64);

        burst.clear();
        drain(&mut port);
        assert_eq!(pool.available(), BUFFERS);
    });
}

#[test]
fn a_frame_can_be_rewritten_and_cut_but_not_stretched() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_ring0", &pool);
        let mut burst = numbered(&mut port, [7], 100);
        burst[0].bytes_mut()[0] = 9;
        burst[0].truncate(2000);
        assert_eq!(burst[0].bytes().len(), 100);
        burst[0].truncate(61);
        port.transmit(&mut burst);
        port.receive(0, &mut burst);
        assert_eq!(burst[0].bytes().len(), 61);
        assert_eq!(burst[0].bytes()[..2], [9, 7]);
    });
}

#[test]
fn an_empty_pool_originates_nothing_and_gets_every_buffer_back() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let pool = pool(&eal);
        let mut held = Vec::new();
        while let Some(frame) = pool.originate(&[1; 60]) {
            held.push(frame);
        }
        assert_eq!(held.len(), BUFFERS as usize);
        assert_eq!(pool.available(), 0);
        drop(held);
        assert_eq!(pool.available(), BUFFERS);
        assert!(pool.originate(&vec![0; pool.frame_room()]).is_some(), "fits exactly");
        assert!(pool.originate(&vec![0; pool.frame_room() + 1]).is_none(), "does not fit");
        assert_eq!(pool.available(), BUFFERS);
    });
}

#[test]
fn every_buffer_comes_home_from_bursts_rings_and_ports() {
    alone(|| {
        let eal = start(&["net_ring0", "net_null0"]);
        let pool = pool(&eal);
        {
            let (_ring_control, mut ring) = port(&eal, "net_ring0", &pool);
            let (_null_control, mut null) = port(&eal, "net_null0", &pool);
            let mut burst = numbered(&mut ring, 0..60, 60);
            ring.transmit(&mut burst);
            null.receive(0, &mut burst);
            null.transmit(&mut burst);
            ring.receive(0, &mut burst);
            burst.truncate(10);
            ring.transmit(&mut burst);
            drain(&mut ring);
        }
        assert_eq!(pool.available(), BUFFERS);
    });
}

#[test]
fn workers_on_queues_of_their_own_share_a_pool_and_lose_nothing() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let pool = pool(&eal);
        let config = PortConfig { rx_queues: 2, tx_queues: 2, ..PortConfig::default() };
        let (control, queues) = dpdk::Port::start(&eal, "net_null0", &config, &pool).unwrap();
        let forward = |mut port: WorkerPort| {
            let eal = eal.clone();
            thread::spawn(move || {
                let _registered = eal.register_worker_thread().unwrap();
                let mut burst = Burst::new();
                for _turn in 0..1000 {
                    port.receive(0, &mut burst);
                    burst.truncate(BURST / 2);
                    port.transmit(&mut burst);
                }
            })
        };
        let workers: Vec<_> = queues.into_worker_ports().into_iter().map(forward).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        let stats = control.stats();
        assert_eq!((stats.rx_packets, stats.tx_packets), (2 * 1000 * 64, 2 * 1000 * 32));
        assert_eq!(pool.available(), BUFFERS);
    });
}

/// Receives and drops until nothing comes. (A ring device that is closed keeps what is in it.)
fn drain(port: &mut WorkerPort) {
    let mut burst = Burst::new();
    port.receive(0, &mut burst);
    while !burst.is_empty() {
        burst.clear();
        port.receive(0, &mut burst);
    }
}

/// What a ring device of one queue holds.
const RING_SIZE: u64 = 1023;

#[test]
fn a_frame_grows_at_its_front_as_far_as_its_buffer_goes() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_ring0", &pool);
        let mut frame = port.originate(&(0..60).collect::<Vec<u8>>()).unwrap();
        frame.cut_front(4);
        assert_eq!(frame.bytes(), (4..60).collect::<Vec<u8>>());
        assert!(frame.grow_front(8));
        frame.bytes_mut()[..8].fill(0xee);
        let expected: Vec<u8> = [0xee; 8].into_iter().chain(4..60).collect();
        assert!(!frame.grow_front(4096), "beyond its buffer");
        assert_eq!(frame.bytes(), expected, "and then it stays as it is");
        let mut burst: Burst<_> = [frame].into_iter().collect();
        port.transmit(&mut burst);
        port.receive(0, &mut burst);
        assert_eq!(burst[0].bytes(), expected);
    });
}

#[test]
fn of_a_frame_that_did_not_fit_its_buffer_the_first_part_is_kept_and_the_others_go_back() {
    alone(|| {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("long.pcap");
        let mut writer = pcaps::CaptureWriter::create(&capture).unwrap();
        writer.write(std::time::Duration::ZERO, 5000, &[7; 5000]).unwrap();
        writer.finish().unwrap();
        let eal = start(&[&format!("net_pcap0,rx_pcap={}", capture.display())]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_pcap0", &pool);
        let mut burst = Burst::new();
        port.receive(0, &mut burst);
        let frame = &mut burst[0];
        assert_eq!((frame.whole_len(), frame.bytes().len()), (5000, pool.frame_room()));
        let held = pool.available();
        frame.truncate(60);
        assert_eq!((frame.whole_len(), frame.bytes().len()), (60, 60));
        assert_eq!(pool.available(), held + 2, "two more buffers are free");
        burst.clear();
        assert_eq!(pool.available(), pool.buffers());
    });
}

#[test]
fn a_receive_queue_goes_from_one_worker_to_another_with_what_is_in_it() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut sender) = port(&eal, "net_ring0", &pool);
        let mut burst = numbered(&mut sender, 0..32, 60);
        sender.transmit(&mut burst);
        sender.receive(0, &mut burst);
        burst.truncate(8);
        burst.clear();
        let mut more = numbered(&mut sender, 32..64, 60);
        sender.transmit(&mut more);

        assert!(sender.release(1).is_none(), "there is no such queue");
        let mut queue = sender.release(0).unwrap();
        assert!(sender.queues().is_empty() && sender.release(0).is_none());
        sender.receive(0, &mut burst);
        assert!(burst.is_empty(), "it is no longer polled here");
        thread::scope(|scope| {
            scope.spawn(|| {
                queue.receive(&mut burst);
                assert_eq!(numbers(&burst), (32..64).collect::<Vec<_>>());
            });
        });
        sender.take(queue);
        assert_eq!(sender.queues(), [0]);
    });
}
