//! Packets that no route leads on: whoever follows the routes is told (`RTM_MISS`), and may make one.
//!
//! A lookup that somebody asked for is told of as it is. Packets come without end, so of theirs a destination is told once
//! in a second, and no more than [`MOST`] destinations: what is more than that is counted (`misses_untold`). While nobody
//! follows, nothing is remembered.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::control::Control;
use crate::expiry::seconds;
use crate::time::Timestamp;

/// Destinations of packets without a route that are told of in a second, at most.
pub const MOST: usize = 1000;

/// Those that were told of in this second.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    second: u64,
    told: BTreeSet<(u16, IpAddr)>,
}

/// What becomes of one more.
#[derive(Debug, PartialEq, Eq)]
enum Miss {
    /// It is told of.
    Told,
    /// Its destination was, in this second.
    Folded,
    /// There were too many others.
    Untold,
}

impl Misses {
    fn take(&mut self, fib: u16, destination: IpAddr, now: Timestamp) -> Miss {
        let second = seconds(now);
        if second != self.second {
            self.second = second;
            self.told.clear();
        }
        if self.told.contains(&(fib, destination)) {
            return Miss::Folded;
        }
        if self.told.len() == MOST {
            return Miss::Untold;
        }
        self.told.insert((fib, destination));
        Miss::Told
    }
}

impl Control {
    /// No route of a table leads a packet on.
    pub(crate) fn packet_missed(&mut self, fib: u16, destination: IpAddr, now: Timestamp) {
        if !self.routes.events.are_followed() {
            return;
        }
        match self.misses.take(fib, destination, now) {
            Miss::Told => self.routes.events.missed(fib, destination),
            Miss::Folded => {}
            Miss::Untold => self.counts.misses_untold += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_destination_is_told_of_once_in_a_second_and_so_many_of_them_at_most() {
        let (mut misses, now) = (Misses::default(), Timestamp::ZERO + Duration::from_secs(1000));
        let destination = |number: usize| IpAddr::from(Ipv4Addr::from(u32::try_from(number).unwrap()));
        for number in 0..MOST {
            assert_eq!(misses.take(0, destination(number), now), Miss::Told);
            assert_eq!(misses.take(0, destination(number), now), Miss::Folded);
        }
        assert_eq!(misses.take(0, destination(MOST), now), Miss::Untold);
        assert_eq!(misses.take(0, destination(7), now), Miss::Folded, "it still is none of those untold");
        let next = now + Duration::from_secs(1);
        assert_eq!(misses.take(0, destination(MOST), next), Miss::Told);
        assert_eq!(misses.take(1, destination(MOST), next), Miss::Told, "another table");
    }

    #[test]
    fn a_clock_that_jumps_backwards_begins_another_second() {
        let mut misses = Misses::default();
        let destination = Ipv4Addr::LOCALHOST.into();
        assert_eq!(misses.take(0, destination, Timestamp::ZERO + Duration::from_secs(9)), Miss::Told);
        assert_eq!(misses.take(0, destination, Timestamp::ZERO), Miss::Told);
        assert_eq!(misses.take(0, destination, Timestamp::ZERO), Miss::Folded);
    }
}
