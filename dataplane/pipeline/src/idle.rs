//! What a worker does between turns in which nothing comes in.
//!
//! A worker that polls without end sees what comes at once, and takes a whole core for it. One that adapts polls on for a
//! while, since packets come in bursts; then it lets the core rest for a moment between its turns, as two threads of one
//! core want of each other; then it sleeps, ever longer, up to [`LONGEST_SLEEP`]. The first packet wakes it wholly.
//!
//! What it costs is said by [`LONGEST_SLEEP`]: so long, and what the system takes to wake a thread, a packet may wait that
//! comes after a pause. A receive queue holds what arrives meanwhile: 1024 descriptors are enough for 6 million packets a
//! second. Nothing here sleeps: whoever turns the worker does as it says.

use std::time::Duration;

/// How long nothing has come in.
#[derive(Debug, Clone, Default)]
pub struct Idleness {
    /// Idle turns in a row.
    turns: u32,
}

/// What to do before the next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    None,
    /// So many hints to the core that it is waiting.
    Spin(u32),
    /// Sleep.
    Sleep(Duration),
}

impl Idleness {
    /// What to do after a turn in which so many frames were handled.
    #[inline]
    pub fn after(&mut self, handled: usize) -> Rest {
        if handled > 0 {
            self.turns = 0;
            return Rest::None;
        }
        self.turns = self.turns.saturating_add(1);
        match self.turns {
            0..POLLED => Rest::None,
            POLLED..SPUN => Rest::Spin(SPINS),
            SPUN.. => Rest::Sleep((SHORTEST_SLEEP * 2_u32.saturating_pow((self.turns - SPUN) / 4)).min(LONGEST_SLEEP)),
        }
    }
}

/// The longest sleep of a worker that adapts.
pub const LONGEST_SLEEP: Duration = Duration::from_micros(100);

/// The first sleep; after every fourth it is twice as long.
const SHORTEST_SLEEP: Duration = Duration::from_micros(10);

/// Idle turns until it rests: some ten microseconds.
const POLLED: u32 = 256;

/// Idle turns until it sleeps: some hundred microseconds.
const SPUN: u32 = POLLED + 1024;

/// Hints between two turns.
const SPINS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle worker does, from the last packet on, each with how often in a row.
    fn rests(turns: usize) -> Vec<(Rest, usize)> {
        let mut idleness = Idleness::default();
        let all: Vec<_> = (0..turns).map(|_turn| idleness.after(0)).collect();
        all.chunk_by(|one, next| one == next).map(|alike| (alike[0], alike.len())).collect()
    }

    #[test]
    fn an_idle_worker_polls_on_then_rests_and_then_sleeps_ever_longer_up_to_a_bound() {
        let rests = rests(2000);
        assert_eq!(rests[..2], [(Rest::None, 255), (Rest::Spin(16), 1024)]);
        let micros = |rest| if let Rest::Sleep(time) = rest { time.as_micros() } else { panic!("{rest:?}") };
        let sleeps: Vec<_> = rests[2..].iter().map(|(rest, _times)| micros(*rest)).collect();
        assert_eq!(sleeps, [10, 20, 40, 80, 100]);
        assert_eq!(rests.last().unwrap().0, Rest::Sleep(LONGEST_SLEEP));
    }

    #[test]
    fn the_longest_idleness_sleeps_no_longer() {
        let mut idleness = Idleness { turns: u32::MAX - 1 };
        for _turn in 0..4 {
            assert_eq!(idleness.after(0), Rest::Sleep(LONGEST_SLEEP));
        }
    }

    #[test]
    fn a_packet_wakes_it_wholly() {
        let mut idleness = Idleness { turns: 5000 };
        assert_eq!(idleness.after(1), Rest::None);
        assert_eq!(idleness.after(0), Rest::None, "and it polls as if it had never slept");
    }
}
