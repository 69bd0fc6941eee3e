//! Another configuration while a worker forwards: no packet is lost that both forward, and none sees half of it.

mod scene;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use boundary::{ForwardingState, RingSizes, connect};
use control::config::Config;
use control::{Asker, Control, Setup, Timestamp, WorkerInfo};
use control_api::{Reply, Request};
use packet::ethernet::MacAddr;
use pipeline::{Burst, MemoryFrame, Port, Worker};

use self::scene::{NoHardware, packet_to};

/// Two routes that a configuration has either way round; and around them what comes and goes.
fn config(first: u8, second: u8, rest: &str) -> Config {
    let text = format!(
        r#"
        [[port]]
        name = "in"
        device = "net_null0"
        addresses = ["192.0.2.1/24"]
        [[port]]
        name = "a"
        device = "net_null1"
        addresses = ["198.51.100.1/24"]
        [[port]]
        name = "b"
        device = "net_null2"
        addresses = ["203.0.113.1/24"]
        [[neighbour]]
        port = "a"
        address = "198.51.100.2"
        mac = "02:00:00:00:01:02"
        [[neighbour]]
        port = "b"
        address = "203.0.113.2"
        mac = "02:00:00:00:02:02"
        [[route]]
        to = "10.1.0.0/16"
        via = "{}"
        [[route]]
        to = "10.2.0.0/16"
        via = "{}"
        {rest}
        "#,
        GATEWAYS[usize::from(first)],
        GATEWAYS[usize::from(second)]
    );
    Config::parse("ferry.toml", &text).unwrap_or_else(|error| panic!("{}", error.report(false)))
}

const GATEWAYS: [&str; 2] = ["198.51.100.2", "203.0.113.2"];

/// A wire with as many packets to one network as to the other in each burst, or one that counts what leaves.
enum Wire {
    In,
    Out(Arc<AtomicU64>),
}

impl Port for Wire {
    type Frame = MemoryFrame;

    fn receive(&mut self, _nth: usize, burst: &mut Burst<MemoryFrame>) {
        if matches!(self, Self::In) {
            burst.extend((0..EACH).flat_map(|_| [1, 2].map(|net| packet_to(Ipv4Addr::new(10, net, 0, 1)))));
        }
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        let sent = burst.drain(..).count();
        if let Self::Out(count) = self {
            count.fetch_add(sent as u64, Ordering::Relaxed);
        }
    }

    fn originate(&mut self, bytes: &[u8]) -> Option<MemoryFrame> {
        Some(MemoryFrame(bytes.to_vec()))
    }
}

/// Packets to each network in a burst.
const EACH: u64 = 8;

#[test]
fn a_worker_loses_nothing_to_another_configuration_and_sees_all_of_it_or_none() {
    let more = "[[route]]\nto = \"10.0.0.0/8\"\nblackhole = true\n[[route]]\nto = \"172.16.0.0/12\"\ndev = \"a\"\n\
                [routing]\nsymmetric = true\n";
    let configs = [config(0, 1, ""), config(1, 0, more)];
    let states = configs[0].port_states((1..).map(|number| MacAddr([2, 0, 0, 0, 0, number])).take(3));
    let state = ForwardingState::without_routes(states.iter().copied());
    let (publisher, _links, mut counters, mut ends) = connect(state, 1, RingSizes { slots: 8, frame_len: 256 });
    let counters = counters.remove(0);
    let workers = vec![WorkerInfo { core: 0, counters: counters.clone() }];
    let setup = Setup::new(&configs[0], states);
    let mut control = Control::new(setup, publisher, workers, Box::new(NoHardware), Timestamp::ZERO);
    let [out_a, out_b] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let wires = vec![Wire::In, Wire::Out(Arc::clone(&out_a)), Wire::Out(Arc::clone(&out_b))];
    let mut worker = Worker::new(wires, ends.remove(0));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let forwarding = scope.spawn(|| {
            let mut turns = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                worker.turn();
                turns += 1;
                // Whichever configuration it was, one network's went one way and the other's the other.
                let sent = [&out_a, &out_b].map(|sent| sent.load(Ordering::Relaxed));
                assert_eq!(sent, [turns * EACH; 2], "a turn by both configurations");
            }
            turns
        });
        for round in 1..=RELOADS {
            let asker = Asker { config: Some(Box::new(configs[round % 2].clone())), ..Asker::ferryd() };
            let request = Request::ConfigReload { file: None, dry_run: false };
            let Ok(Reply::Config(told)) = control.handle_asked(request, asker, Timestamp::ZERO) else { panic!() };
            assert!(told.applied && told.changes.len() == 5, "{told:?}");
            if round % 10 == 0 {
                let turns = counters.turns();
                while counters.turns() < turns + 2 && !forwarding.is_finished() {
                    std::thread::yield_now();
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let totals = counters.read();
    assert_eq!((totals.dropped(), totals.punted()), (0, 0));
    assert!(totals.is_conserved() && totals.transmitted() > 0);
}

const RELOADS: usize = 500;
