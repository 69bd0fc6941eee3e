//! What an operation on a timer costs among 10^3 to 10^6 others: `cargo bench -p control --bench timers`.
//!
//! Per size it fills a queue, and then takes the median over many rounds of a thousand operations each. "in turn" visits
//! routes in the order in which their timers were added, as periods of one length do; "at random" is the worst there is,
//! and shows what the caches of the machine, and not the lists, make of a million. It prints figures and judges nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use control::Timestamp;
use control::timers::{Limits, QueueId, RouteTimers, Timers, Wheel};

fn main() {
    println!("ns per operation, median of rounds of {ROUND}");
    println!(
        "{:>9} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "timers", HEAD[0], HEAD[1], HEAD[2], HEAD[3], HEAD[4], HEAD[5]
    );
    let mut first = None;
    for timers in [1_000, 10_000, 100_000, 1_000_000] {
        let figures = [
            add_and_remove(timers),
            put_off(timers, Order::InTurn),
            put_off(timers, Order::AtRandom),
            expire_and_add(timers),
            wheel_rearm(timers),
            wheel_expire(timers),
        ];
        print!("{timers:>9}");
        figures.iter().for_each(|figure| print!(" {figure:>11.1}"));
        println!();
        let base = *first.get_or_insert(figures);
        if timers == 1_000_000 {
            print!("{:>9}", "ratio");
            figures.iter().zip(base).for_each(|(figure, base)| print!(" {:>11.2}", figure / base));
            println!();
        }
    }
}

const HEAD: [&str; 6] = ["add+remove", "put off", "(random)", "expire+add", "wheel rearm", "wheel pop"];

const ROUND: u32 = 1_000;

enum Order {
    InTurn,
    AtRandom,
}

/// A new timer on the queue and off again.
fn add_and_remove(timers: u32) -> f64 {
    let Filled { timers: mut full, queue, .. } = filled(timers);
    let mut new = RouteTimers::default();
    median(|| {
        for _ in 0..ROUND {
            full.add(&mut new, timers, (), queue, at(1000)).expect("there is room");
            black_box(full.remove_all(&mut new));
        }
    })
}

/// A timer that is there is put to the end of the queue.
fn put_off(timers: u32, order: Order) -> f64 {
    let Filled { timers: mut full, queue, mut routes } = filled(timers);
    let (mut turn, mut noise) = (0, noise());
    median(|| {
        for _ in 0..ROUND {
            turn = (turn + 1) % timers;
            let route = match order {
                Order::InTurn => turn,
                Order::AtRandom => noise() % timers,
            };
            full.add(&mut routes[route as usize], route, (), queue, at(1000)).expect("it is there");
        }
    })
}

/// The oldest timer expires, and is added again.
fn expire_and_add(timers: u32) -> f64 {
    let Filled { timers: mut full, queue, mut routes } = filled(timers);
    full.change_queue(queue, Duration::ZERO).expect("it is there");
    let mut second = 1000;
    median(|| {
        let mut left = ROUND;
        while left > 0 {
            match full.next_due(at(second)) {
                Some(expired) => {
                    let of_route = &mut routes[expired.route as usize];
                    full.add(of_route, expired.route, (), queue, at(second)).expect("there is room");
                    left -= 1;
                }
                None => second += 1,
            }
        }
    })
}

/// A deadline moves, to anywhere in a day.
fn wheel_rearm(timers: u32) -> f64 {
    let mut wheel = Wheel::new(Duration::from_secs(1));
    let mut noise = noise();
    let ids: Vec<_> = (0..timers).map(|route| wheel.arm(at(u64::from(1 + noise() % DAY)), route)).collect();
    let mut turn = 0;
    median(|| {
        for _ in 0..ROUND {
            turn = (turn + 1) % ids.len();
            black_box(wheel.rearm(ids[turn], at(u64::from(1 + noise() % DAY))));
        }
    })
}

/// The earliest deadline falls due, and comes again some time in a day.
fn wheel_expire(timers: u32) -> f64 {
    let mut wheel = Wheel::new(Duration::from_secs(1));
    let mut noise = noise();
    (0..timers).for_each(|_| arm_at(&mut wheel, u64::from(1 + noise() % DAY)));
    median(|| {
        for _ in 0..ROUND {
            // However far one looks ahead, the wheel turns no further than to the next deadline.
            let second = wheel.pop_due(at(1 << 32)).expect("there are as many as before");
            arm_at(&mut wheel, second + u64::from(1 + noise() % DAY));
        }
    })
}

fn arm_at(wheel: &mut Wheel<u64>, second: u64) {
    wheel.arm(at(second), second);
}

/// So many timers on a queue, and what is kept beside each route.
struct Filled {
    timers: Timers<u32, ()>,
    queue: QueueId,
    routes: Vec<RouteTimers>,
}

fn filled(number: u32) -> Filled {
    let mut timers = Timers::new(Limits::default());
    let queue = timers.create_queue(Duration::from_secs(600)).expect("it is the first");
    let mut routes = vec![RouteTimers::default(); number as usize];
    for (route, of_route) in (0..).zip(&mut routes) {
        timers.add(of_route, route, (), queue, at(999)).expect("there is room");
    }
    Filled { timers, queue, routes }
}

fn median(mut round: impl FnMut()) -> f64 {
    let mut nanos: Vec<_> = (0..2_001)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUND)
        })
        .collect();
    nanos.sort_unstable_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

fn at(second: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(second)
}

/// Numbers without an order, the same every time.
fn noise() -> impl FnMut() -> u32 {
    let mut state = 1_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

const DAY: u32 = 86_400;
