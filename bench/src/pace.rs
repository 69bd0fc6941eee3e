//! How many packets are due.
//!
//! A sender that is called again and again asks how many packets its rate owes by now. One that was away, because somebody
//! else had its processor, does not make up for all of it: that would be a burst nobody asked for, and what it then loses
//! would be put down to who is measured. What is older than [`Pace::BACKLOG`] packets is forgone, and counted.

/// A steady rate, from a moment on.
#[derive(Debug, Clone)]
pub struct Pace {
    packets_per_cycle: f64,
    start: u64,
    /// Packets that were sent or forgone.
    settled: u64,
    forgone: u64,
}

impl Pace {
    /// Most packets that wait to be made up for.
    pub const BACKLOG: u64 = 256;

    /// `rate` packets a second from `start` on, on a clock of `hertz` cycles a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a clock's frequency is far below 2^52")]
    pub fn new(rate: f64, hertz: u64, start: u64) -> Self {
        Self { packets_per_cycle: rate / hertz as f64, start, settled: 0, forgone: 0 }
    }

    /// How many packets are to be sent now, at most `most` of them; the caller sends them or says why not.
    #[inline]
    pub fn take(&mut self, now: u64, most: u64) -> u64 {
        let waiting = self.due(now) - self.settled;
        if waiting > Self::BACKLOG {
            let forgone = waiting - Self::BACKLOG;
            self.forgone += forgone;
            self.settled += forgone;
        }
        let taken = waiting.min(Self::BACKLOG).min(most);
        self.settled += taken;
        taken
    }

    /// All that were due from the start until now.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cycles of a trial are far below 2^52, and time does not run backwards"
    )]
    pub fn due(&self, now: u64) -> u64 {
        let due = (now.saturating_sub(self.start) as f64 * self.packets_per_cycle) as u64;
        due.max(self.settled)
    }

    /// How many were not sent at all, since the sender was away when they were due.
    #[must_use]
    pub fn forgone(&self) -> u64 {
        self.forgone
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_owes_what_the_rate_says() {
        let mut pace = Pace::new(1000.0, 1_000_000, 5);
        let mut taken = 0;
        for now in (5..=1_000_005).step_by(100) {
            taken += pace.take(now, 64);
        }
        assert_eq!((taken, pace.forgone()), (1000, 0));
    }

    #[test]
    fn who_was_away_makes_up_for_little_of_it() {
        let mut pace = Pace::new(1000.0, 1000, 0);
        assert_eq!(pace.take(10_000, 64), 64, "at most as many as asked for");
        assert_eq!(pace.forgone(), 10_000 - Pace::BACKLOG);
        let mut taken = 64;
        while let more @ 1.. = pace.take(10_000, 64) {
            taken += more;
        }
        assert_eq!(taken, Pace::BACKLOG, "and no more than that waited");
    }

    proptest! {
        #[test]
        fn every_packet_is_taken_forgone_or_still_due(
            rate in 1.0..1e7_f64, steps in proptest::collection::vec(0_u64..100_000_000, 1..50),
        ) {
            let mut pace = Pace::new(rate, 1_000_000_000, 0);
            let (mut now, mut taken) = (0, 0);
            for step in steps {
                now += step;
                taken += pace.take(now, 64);
                let waiting = pace.due(now) - taken - pace.forgone();
                prop_assert!(waiting <= Pace::BACKLOG, "{} wait", waiting);
            }
        }
    }
}
