//! Captures as ports: a file is received, a file is sent.

#[path = "scene/mod.rs"]
mod scene;

use std::fs;

use pipeline::{Burst, Frame, Port};
use scene::{alone, pool, port, start};

#[test]
fn a_capture_is_received_and_another_is_written() {
    alone(|| {
        let directory = tempfile::tempdir().unwrap();
        let (received, sent) = (directory.path().join("received.pcap"), directory.path().join("sent.pcap"));
        let frames: Vec<Vec<u8>> = (0..5_u8).map(|n| vec![n; 60 + usize::from(n)]).collect();
        fs::write(&received, capture(&frames)).unwrap();
        {
            let eal = start(&[&format!("net_pcap0,rx_pcap={},tx_pcap={}", received.display(), sent.display())]);
            let pool = pool(&eal);
            let (control, mut port) = port(&eal, "net_pcap0", &pool);
            let mut burst = Burst::new();
            port.receive(0, &mut burst);
            assert_eq!(burst.iter().map(|frame| frame.bytes().to_vec()).collect::<Vec<_>>(), frames);
            burst.iter_mut().for_each(|frame| frame.bytes_mut()[0] ^= 0xff);
            port.transmit(&mut burst);
            assert!(burst.is_empty());
            assert_eq!((control.stats().rx_packets, control.stats().tx_packets), (5, 5));
            drop((control, port));
            assert_eq!(pool.available(), pool.buffers());
        }
        let mut expected = frames;
        expected.iter_mut().for_each(|frame| frame[0] ^= 0xff);
        assert_eq!(frames_of(&fs::read(&sent).unwrap()), expected);
    });
}

/// The capture driver chains buffers for a frame longer than one, whatever was configured.
#[test]
fn of_a_frame_in_several_buffers_only_the_first_is_ours_to_see() {
    alone(|| {
        let directory = tempfile::tempdir().unwrap();
        let (received, sent) = (directory.path().join("received.pcap"), directory.path().join("sent.pcap"));
        fs::write(&received, capture(&[vec![1; 5000], vec![2; 60], vec![3; 5000]])).unwrap();
        let eal = start(&[&format!("net_pcap0,rx_pcap={},tx_pcap={}", received.display(), sent.display())]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_pcap0", &pool);
        let mut burst = Burst::new();
        port.receive(0, &mut burst);
        let lengths: Vec<usize> = burst.iter().map(|frame| frame.bytes().len()).collect();
        assert_eq!(lengths, [pool.frame_room(), 60, pool.frame_room()]);
        assert!(burst[0].bytes().iter().all(|byte| *byte == 1));
        burst[0].truncate(100);
        assert_eq!(burst[0].bytes(), [1; 100]);
        drop(burst);
        assert_eq!(pool.available(), pool.buffers(), "the whole chain comes home");
    });
}

/// A capture file of these frames, all at time zero.
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    // Magic, version 2.4, zone, accuracy, longest frame, Ethernet.
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    let mut file: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    for frame in frames {
        let len = u32::try_from(frame.len()).unwrap();
        file.extend([0, 0, len, len].into_iter().flat_map(u32::to_le_bytes));
        file.extend(frame);
    }
    file
}

/// The frames of a capture file written on this machine.
fn frames_of(file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = &file[24..];
    while let Some((record, behind)) = rest.split_at_checked(16) {
        let len = u32::from_ne_bytes(record[8..12].try_into().unwrap()) as usize;
        let (frame, behind) = behind.split_at(len);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}
