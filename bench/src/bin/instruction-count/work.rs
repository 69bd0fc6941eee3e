//! The hot functions and their fixed input: two ports, tables of made-up routes, and a burst of packets into them.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use boundary::{Adjacency, ForwardingState, Mtu, NextHop, Policy, PortId, PortState, RingSizes, Verdict, connect};
use lpm::{Address, BURST, Change, Fib, FibWriter, InFlight, NextHopId, Prefix};
use packet::ethernet::{EtherType, Header, MacAddr};
use packet::{ipv4, ipv6};
use pipeline::{Burst, MemoryFrame, Passes, Port, Worker, forward, forward_burst};

/// Something to do [`SIZE`] times.
pub(crate) type Work = Box<dyn FnMut()>;

/// All there is to count.
pub(crate) const NAMES: [&str; 12] = [
    "lookup, IPv4",
    "lookup, IPv6",
    "lookup of a burst, IPv4",
    "lookup of a burst, IPv6",
    "lookup of a burst in two steps, IPv4",
    "lookup of a burst in two steps, IPv6",
    "forward, IPv4",
    "forward, IPv6",
    "forward of a burst, IPv4",
    "forward of a burst, IPv6",
    "turn of a worker, IPv4",
    "turn of a worker, IPv6",
];

/// Addresses or packets to a piece of work.
pub(crate) const SIZE: usize = BURST;

/// The work of that name.
pub(crate) fn by_name(name: &str) -> Result<Work, String> {
    let (what, family) = name.split_once(", ").ok_or_else(|| format!("there is no work `{name}`"))?;
    match family {
        "IPv4" => work::<Ipv4Addr>(what, |state| &state.ipv4, ipv4_frame),
        "IPv6" => work::<Ipv6Addr>(what, |state| &state.ipv6, ipv6_frame),
        _ => Err(format!("there is no work `{name}`")),
    }
}

fn work<A: Address>(
    what: &str,
    fib: fn(&ForwardingState) -> &Fib<A>,
    frame: fn(A) -> MemoryFrame,
) -> Result<Work, String> {
    let state = state();
    let addresses: Vec<A> = (0..SIZE as u64).map(|n| inside(n * 997)).collect();
    let mut frames: Vec<MemoryFrame> = addresses.iter().copied().map(frame).collect();
    let mut answers = [None; SIZE];
    let mut passes = Passes::default();
    let mut in_flight = InFlight::default();
    let sent = Verdict::Transmit(OUT);
    Ok(match what {
        "lookup" => Box::new(move || {
            for address in &addresses {
                black_box(fib(&state).lookup(black_box(*address)));
            }
        }),
        "lookup of a burst" => Box::new(move || {
            fib(&state).lookup_burst(black_box(&addresses), &mut answers);
            black_box(&mut answers);
        }),
        "lookup of a burst in two steps" => Box::new(move || {
            fib(&state).start(black_box(&addresses), &mut in_flight);
            fib(&state).finish(black_box(&in_flight), &mut answers);
            black_box(&mut answers);
        }),
        "forward" => Box::new(move || {
            for frame in &mut frames {
                assert_eq!(forward(&state, IN, frame), sent);
            }
        }),
        "forward of a burst" => Box::new(move || {
            let verdicts = forward_burst(&state, IN, &mut frames, &mut passes);
            assert!(verdicts.iter().all(|verdict| *verdict == sent));
        }),
        "turn of a worker" => {
            let (_publisher, _links, _counters, mut ends) = connect(state, 1, RingSizes::default());
            let waiting = Rc::new(RefCell::new(frames.into_iter().collect()));
            let port = |queues| Loop { queues, waiting: Rc::clone(&waiting) };
            let mut worker = Worker::new(vec![port(&[0][..]), port(&[])], ends.remove(0));
            Box::new(move || assert_eq!(worker.turn(), SIZE))
        }
        _ => return Err(format!("there is no work `{what}`")),
    })
}

/// A port whose frames, once sent, are received again: by the port that has a queue for it.
struct Loop {
    queues: &'static [u16],
    waiting: Rc<RefCell<Burst<MemoryFrame>>>,
}

impl Port for Loop {
    type Frame = MemoryFrame;

    fn queues(&self) -> &[u16] {
        self.queues
    }

    fn receive(&mut self, _nth: usize, burst: &mut Burst<MemoryFrame>) {
        std::mem::swap(burst, &mut self.waiting.borrow_mut());
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        std::mem::swap(burst, &mut self.waiting.borrow_mut());
    }

    fn originate(&mut self, _bytes: &[u8]) -> Option<MemoryFrame> {
        None
    }
}

/// Everything leaves through one port, by a few next hops.
fn state() -> ForwardingState {
    let port = |mac: MacAddr| PortState {
        mac,
        mtu: Mtu::ETHERNET,
        link_local: mac.link_local(),
        promiscuous: false,
        policy: Policy::default(),
        tap: false,
        vlan: None,
    };
    let neighbour = |ether_type| {
        // To the address of the port that it came in by: so that it can come in again.
        let header = Header { destination: IN_MAC, source: OUT_MAC, ether_type }.to_bytes();
        NextHop::Neighbour(Adjacency { port: OUT, mtu: Mtu::ETHERNET, header })
    };
    let mut state = ForwardingState::without_routes([port(IN_MAC), port(OUT_MAC)]);
    state.ipv4 = table(0);
    state.ipv6 = table(HOPS);
    let (ipv4, ipv6) = (neighbour(EtherType::IPV4), neighbour(EtherType::IPV6));
    state.next_hops = (0..2 * HOPS).map(|n| if n < HOPS { ipv4 } else { ipv6 }).collect();
    state
}

/// A default route, and routes of all usual lengths below it, as dense where they are as in a full table.
fn table<A: Address>(first_hop: u32) -> Fib<A> {
    let (shortest, lens) = if A::BITS == 32 { (12, 13) } else { (29, 20) };
    let hop = |n: u64| NextHopId::new(first_hop + u32::try_from(n % u64::from(HOPS)).expect("less than HOPS"));
    let route = |n: u64| {
        let len = shortest + u8::try_from(mixed(n) % lens).expect("at most 20");
        Change::Set(Prefix::containing(inside(n), len), hop(n))
    };
    let default = Change::Set(Prefix::default_route(), hop(0));
    FibWriter::default().apply((0..ROUTES).map(route).chain([default]))
}

/// The `n`-th address that there is a route for: unicast, and nobody's own.
fn inside<A: Address>(n: u64) -> A {
    let noise = u128::from(mixed(n)) << 64 | u128::from(mixed(!n));
    // In 16.0.0.0/5, and in a few thousand networks of 2400::/12.
    let ipv6 = 0x240 << 116 | (noise >> 12 & 0x7ff << 99) | noise & u128::from(u64::MAX) << 27;
    A::from_number(if A::BITS == 32 { 16 << 24 | noise & 0x07ff_ffff } else { ipv6 })
}

fn ipv4_frame(destination: Ipv4Addr) -> MemoryFrame {
    let (source, dont_fragment) = (Ipv4Addr::new(192, 0, 2, 10), true);
    let builder =
        ipv4::Builder { source, destination, protocol: 17, ttl: HOPS_LEFT, tos: 0, identification: 7, dont_fragment };
    framed(EtherType::IPV4, &builder.header(PAYLOAD).expect("a short packet"))
}

fn ipv6_frame(destination: Ipv6Addr) -> MemoryFrame {
    let source = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10);
    let builder = ipv6::Builder { source, destination, next_header: 17, hop_limit: HOPS_LEFT };
    framed(EtherType::IPV6, &builder.header(PAYLOAD).expect("a short packet"))
}

fn framed(ether_type: EtherType, header: &[u8]) -> MemoryFrame {
    let ethernet = Header { destination: IN_MAC, source: OUT_MAC, ether_type }.to_bytes();
    MemoryFrame([&ethernet[..], header, &[0; PAYLOAD]].concat())
}

/// One step of splitmix64: a number that has nothing to do with `number`.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

const IN: PortId = PortId(0);
const OUT: PortId = PortId(1);
const IN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OUT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// Routes of each family.
const ROUTES: u64 = 40_000;

/// Next hops of each family.
const HOPS: u32 = 100;

/// Enough for all rounds.
const HOPS_LEFT: u8 = 255;

/// Bytes after the IP header.
const PAYLOAD: usize = 26;
