//! Starting DPDK and its ports, and being refused with a reason that helps.

#[path = "scene/mod.rs"]
mod scene;

use std::thread;

use dpdk::{
    Direction, Eal, EalConfig, EalError, Memory, MemoryChoice, Mempool, MempoolConfig, MempoolError, Port, PortConfig,
    PortError, Remark, RssKey,
};
use pipeline::{Burst, Frame as _, Port as _};
use scene::{alone, config, only, pool, port, start};

#[test]
fn ordinary_memory_is_enough_and_the_operator_is_told() {
    alone(|| {
        let eal = start(&[]);
        let Memory::Ordinary { mib: 64, free_mib, .. } = eal.memory() else { panic!("{}", eal.memory()) };
        let told = format!("64 MiB in ordinary pages, slower than huge pages, of which {free_mib} MiB are free");
        assert!(eal.memory().to_string().starts_with(&told), "{}", eal.memory());
        assert!(dpdk::version().starts_with("DPDK "));
        assert!(eal.ports().is_empty());
    });
}

/// Whether there are huge pages here is not the test's to say, so it accepts either and insists on the reason.
#[test]
fn automatic_memory_is_huge_pages_exactly_if_enough_are_free() {
    alone(|| {
        let eal = Eal::start(&EalConfig { memory: MemoryChoice::Automatic, ..config(&["net_null0"]) }).unwrap();
        match eal.memory() {
            Memory::HugePages { mib, free_mib } => assert!(free_mib >= u64::from(mib)),
            Memory::Ordinary { mib, free_mib, may_place } => assert!(free_mib < u64::from(mib) || !may_place),
        }
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_null0", &pool);
        let mut burst = Burst::new();
        port.receive(0, &mut burst);
        assert!(burst.is_full());
    });
}

#[test]
fn more_huge_pages_than_there_are_is_an_error_with_both_numbers() {
    alone(|| {
        let wish = EalConfig { memory: MemoryChoice::HugePages, memory_mib: u32::MAX, ..config(&[]) };
        let error = Eal::start(&wish).unwrap_err();
        assert!(matches!(error, EalError::TooFewHugePages { wanted_mib: u32::MAX, .. }), "{error}");
        // Nothing was started, so it can be tried again.
        start(&[]);
    });
}

#[test]
fn a_second_start_is_refused_even_after_the_first_has_ended() {
    alone(|| {
        let eal = start(&[]);
        assert!(matches!(Eal::start(&config(&[])), Err(EalError::AlreadyStarted)));
        drop(eal);
        assert!(matches!(Eal::start(&config(&[])), Err(EalError::AlreadyStarted)));
    });
}

#[test]
fn a_start_that_fails_says_what_dpdk_said() {
    alone(|| {
        let wrong = EalConfig { extra_arguments: vec!["--iova-mode=sideways".into()], ..config(&[]) };
        let error = Eal::start(&wrong).unwrap_err();
        assert!(matches!(error, EalError::Start { .. }), "{error}");
        assert!(error.to_string().contains("iova-mode"), "{error}");
    });
}

#[test]
fn the_caller_keeps_its_affinity() {
    alone(|| {
        let affinity = || rustix::thread::sched_getaffinity(None).unwrap();
        let before = affinity();
        let first = (0..).find(|cpu| before.is_set(*cpu)).unwrap();
        let _eal = Eal::start(&EalConfig { cpus: vec![first], ..config(&[]) }).unwrap();
        assert!(affinity() == before);
    });
}

#[test]
fn cpus_that_are_not_ours_are_an_error() {
    alone(|| {
        let error = Eal::start(&EalConfig { cpus: vec![1000], ..config(&[]) }).unwrap_err();
        assert!(matches!(error, EalError::Cpus { .. }), "{error}");
    });
}

#[test]
fn what_dpdk_has_is_listed_with_driver_and_address() {
    alone(|| {
        let eal = start(&["net_null0", "net_ring0"]);
        let ports: Vec<_> = eal.ports().into_iter().map(|port| (port.name, port.driver)).collect();
        let expected = [("net_null0", "net_null"), ("net_ring0", "net_ring")];
        assert_eq!(ports, expected.map(|(name, driver)| (name.to_owned(), driver.to_owned())));
    });
}

#[test]
fn a_device_that_does_not_come_up_is_named_with_the_reason() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let refused = [
            ("net_af_packet0,iface=nothere", "there is no interface `nothere` here; there are "),
            ("net_af_packet0", "name the interface it is to use, as in `net_af_packet0,iface=eth0`; there are "),
            ("net_no_such_driver0", "no driver for `net_no_such_driver0`"),
            (
                "net_null1,colour=blue",
                "`net_null1,colour=blue` does not come up: its driver may not know one of its arg",
            ),
            ("net_null0", "`net_null0` is named twice"),
            ("0000:00:1f.7", "has to be configured before DPDK starts"),
        ];
        for (device, reason) in refused {
            let error = eal.attach(&device.parse().unwrap()).unwrap_err().to_string();
            assert!(error.contains(reason), "{device}: {error}");
        }
        assert_eq!(eal.ports().len(), 1);
        eal.attach(&"net_ring0".parse().unwrap()).unwrap();
        assert_eq!(eal.ports().len(), 2);
    });
}

#[test]
fn a_card_that_is_not_there_fails_the_start_by_name() {
    alone(|| {
        let error = Eal::start(&config(&["0000:ff:1f.7"])).unwrap_err().to_string();
        assert!(error.contains("`0000:ff:1f.7` does not come up: there is no card at this address"), "{error}");
    });
}

#[test]
fn an_unknown_device_is_answered_with_those_there_are() {
    alone(|| {
        let eal = start(&["net_null0", "net_ring0"]);
        let error = Port::start(&eal, "net_nul0", &PortConfig::default(), &pool(&eal)).unwrap_err();
        assert_eq!(error.to_string(), r#"no device named `net_nul0`; there are ["net_null0", "net_ring0"]"#);
    });
}

#[test]
fn what_a_device_cannot_do_is_refused_with_both_numbers() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let refusal = |config: PortConfig| Port::start(&eal, "net_ring0", &config, &pool).unwrap_err();
        let good = PortConfig::default();
        assert!(matches!(
            refusal(PortConfig { rx_queues: 99, ..good }),
            PortError::TooFewQueues { direction: Direction::Receive, available: 16, wanted: 99, .. }
        ));
        assert!(matches!(
            refusal(PortConfig { tx_queues: 0, ..good }),
            PortError::NoQueue { direction: Direction::Transmit, .. }
        ));
        assert!(matches!(refusal(PortConfig { mtu: 10, ..good }), PortError::Mtu { wanted: 10, .. }));
        assert!(matches!(
            refusal(PortConfig { mtu: 9000, ..good }),
            PortError::BuffersTooSmall { needed: 9026, room: 2048, .. }
        ));
        // None of these has touched it.
        Port::start(&eal, "net_ring0", &good, &pool).unwrap();
    });
}

#[test]
fn a_port_is_started_once_and_gone_when_it_is_closed() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let pool = pool(&eal);
        let started = Port::start(&eal, "net_null0", &PortConfig::default(), &pool).unwrap();
        assert_eq!(started.0.mac(), eal.ports()[0].mac);
        let again = Port::start(&eal, "net_null0", &PortConfig::default(), &pool).unwrap_err();
        assert!(matches!(again, PortError::AlreadyStarted { .. }), "{again}");
        drop(started);
        let closed = Port::start(&eal, "net_null0", &PortConfig::default(), &pool).unwrap_err();
        assert!(matches!(closed, PortError::UnknownDevice { .. }), "{closed}");
    });
}

#[test]
fn queues_are_dealt_out_receive_queues_first() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let config = PortConfig { rx_queues: 2, tx_queues: 3, ..PortConfig::default() };
        let (_control, queues) = Port::start(&eal, "net_null0", &config, &pool(&eal)).unwrap();
        let ports = queues.into_worker_ports();
        let polled: Vec<_> = ports.iter().map(|port| port.queues()).collect();
        assert_eq!(polled, [&[0][..], &[1], &[]]);
    });
}

#[test]
fn a_port_tells_what_it_does_not_do_as_configured() {
    alone(|| {
        let eal = start(&["net_null0", "net_ring0"]);
        let pool = pool(&eal);
        let config = PortConfig { mtu: 1400, ..PortConfig::default() };
        let (null, _queues) = Port::start(&eal, "net_null0", &config, &pool).unwrap();
        assert_eq!((null.mtu(), null.remarks()), (1400, &[][..]));
        let (ring, _queues) = Port::start(&eal, "net_ring0", &config, &pool).unwrap();
        assert_eq!(ring.remarks(), [Remark::NoMtu { wanted: 1400 }]);
    });
}

#[test]
fn a_pool_larger_than_memory_is_an_error() {
    alone(|| {
        let eal = start(&[]);
        let error = Mempool::new(&eal, MempoolConfig { buffers: 1 << 20, ..MempoolConfig::default() }).unwrap_err();
        assert!(matches!(error, MempoolError::NotMade { .. }), "{error}");
        let error =
            Mempool::new(&eal, MempoolConfig { buffers: 63, cache: 60, ..MempoolConfig::default() }).unwrap_err();
        assert!(matches!(error, MempoolError::CacheTooLarge { most: 31, .. }), "{error}");
    });
}

#[test]
fn a_worker_thread_registers_once_and_works_from_its_cache() {
    alone(|| {
        let eal = start(&["net_ring0"]);
        let pool = pool(&eal);
        let (_control, mut port) = port(&eal, "net_ring0", &pool);
        let worker = thread::spawn({
            let eal = eal.clone();
            move || {
                let registered = eal.register_worker_thread().unwrap();
                assert!(matches!(eal.register_worker_thread(), Err(EalError::ThreadRegisteredTwice)));
                let mut burst = scene::numbered(&mut port, 0..64, 60);
                port.transmit(&mut burst);
                port.receive(0, &mut burst);
                assert_eq!(burst.len(), 64);
                assert_eq!(burst[63].bytes()[0], 63);
                drop(burst);
                drop(registered);
                let again = eal.register_worker_thread();
                assert!(again.is_ok(), "after the first has ended");
            }
        });
        worker.join().unwrap();
        assert_eq!(pool.available(), pool.buffers());
    });
}

#[test]
fn whatever_is_dropped_first_the_environment_goes_last() {
    alone(|| {
        let eal = start(&["net_null0"]);
        let pool = pool(&eal);
        let (control, queues) = Port::start(&eal, "net_null0", &PortConfig::default(), &pool).unwrap();
        drop(eal);
        drop(pool);
        drop(control);
        let mut port = only(queues);
        let worker = thread::spawn(move || {
            let mut burst = Burst::new();
            port.receive(0, &mut burst);
            assert!(burst.is_full());
            // The burst goes, then the port: it is the last, and ends DPDK from here.
        });
        worker.join().unwrap();
    });
}

#[test]
fn a_buffer_outlives_everything() {
    alone(|| {
        let eal = start(&[]);
        let mut frame = pool(&eal).originate(&[5; 60]).unwrap();
        drop(eal);
        frame.bytes_mut()[59] = 6;
        assert_eq!(frame.bytes()[58..], [5, 6]);
    });
}

#[test]
fn flows_are_spread_evenly_over_queues_and_the_device_tells_how() {
    alone(|| {
        let eal = start(&["net_null0", "net_null1", "net_null2"]);
        let pool = pool(&eal);
        let config = PortConfig { rx_queues: 3, ..PortConfig::default() };
        let (device, _queues) = Port::start(&eal, "net_null0", &config, &pool).unwrap();
        let rss = device.rss().unwrap();
        let shares = [0, 1, 2].map(|queue| rss.table.iter().filter(|entry| **entry == queue).count());
        assert_eq!(shares, [43, 43, 42]);
        assert!(rss.hashed.contains(&"IPv4 addresses") && rss.hashed.contains(&"IPv6 TCP and UDP ports"), "{rss:?}");
        assert!(!rss.is_symmetric());

        let config = PortConfig { rss_key: RssKey::Symmetric, ..config };
        let (symmetric, _queues) = Port::start(&eal, "net_null1", &config, &pool).unwrap();
        assert!(symmetric.rss().unwrap().is_symmetric(), "{:?}", symmetric.remarks());

        let config = PortConfig { rx_queues: 1, ..config };
        let (single, _queues) = Port::start(&eal, "net_null2", &config, &pool).unwrap();
        assert_eq!(single.rss(), None, "with one queue there is nothing to spread");
    });
}

#[test]
fn a_device_tells_how_many_queues_it_can_have_before_it_has_any() {
    alone(|| {
        let eal = start(&["net_null0", "net_ring0"]);
        let queues: Vec<_> = eal.ports().into_iter().map(|port| (port.rx_queues, port.tx_queues)).collect();
        assert_eq!(queues, [(1024, 1024), (16, 16)]);
    });
}
