//! One of our addresses: a machine that is told what was heard and when it is due, and says what to do.
//!
//! ```text
//!            nobody answered the probes              twice, 2 s apart
//! TENTATIVE -----------------------------> IN USE ----------------------> announced
//!   ^   |                                    |
//!   |   | somebody has it, or wants it, too  | somebody else says that he has it:
//!   |   v                                    | defended, at most once in 10 s
//! DUPLICATE                                  v
//!   60 s                                  IN USE
//! ```
//!
//! For IPv6 this is duplicate address detection (RFC 4862 section 5.4). An IPv4 address is in use at once, and announced
//! and defended as RFC 5227 says: a router does not give up the address that hosts have as their gateway (section 2.4 c).

use std::time::Duration;

use crate::time::Timestamp;

/// An address of ours on one port.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    state: State,
    /// How many probes have to go unanswered.
    probes: u8,
    due: Option<Timestamp>,
    defended: Option<Timestamp>,
    /// That of the last probe.
    pub(crate) nonce: Option<[u8; 6]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Tentative { sent: u8 },
    InUse { announced: u8 },
    Duplicate,
}

/// What to do about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Ask whether somebody else has it.
    Probe,
    /// Use it from now on, and tell everybody.
    Use,
    /// Tell everybody where it is.
    Announce,
    /// Do not use it: somebody else does.
    GiveUp,
}

/// How an address of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is not known yet whether somebody else has it.
    Tentative,
    /// It is used.
    InUse,
    /// Somebody else has it.
    Duplicate,
}

impl Own {
    /// An address that has to be asked for so often, from `then` on, before it is used.
    pub(crate) const fn tentative(probes: u8, then: Timestamp) -> Self {
        Self { state: State::Tentative { sent: 0 }, probes, due: Some(then), defended: None, nonce: None }
    }

    /// When it wants to be told that it is due.
    pub(crate) const fn due_at(&self) -> Option<Timestamp> {
        self.due
    }

    /// How it is.
    pub(crate) const fn standing(&self) -> Standing {
        match self.state {
            State::Tentative { .. } => Standing::Tentative,
            State::InUse { .. } => Standing::InUse,
            State::Duplicate => Standing::Duplicate,
        }
    }

    /// Its time has come.
    pub(crate) fn fall_due(&mut self, now: Timestamp) -> Step {
        let (state, wait, step) = match self.state {
            State::Tentative { sent } if sent < self.probes => {
                (State::Tentative { sent: sent + 1 }, Some(BETWEEN_PROBES), Step::Probe)
            }
            State::Tentative { .. } => (State::InUse { announced: 1 }, Some(BETWEEN_ANNOUNCEMENTS), Step::Use),
            State::InUse { announced } if announced < ANNOUNCEMENTS => {
                let announced = announced + 1;
                let wait = (announced < ANNOUNCEMENTS).then_some(BETWEEN_ANNOUNCEMENTS);
                (State::InUse { announced }, wait, Step::Announce)
            }
            State::InUse { announced } => (State::InUse { announced }, None, Step::Wait),
            State::Duplicate => (State::Tentative { sent: 1 }, Some(BETWEEN_PROBES), Step::Probe),
        };
        self.state = state;
        self.due = wait.map(|wait| now + wait);
        step
    }

    /// Somebody else says that he has it, or is about to use it.
    pub(crate) fn conflict(&mut self, now: Timestamp) -> Step {
        match self.state {
            State::Tentative { .. } => {
                self.state = State::Duplicate;
                self.due = Some(now + UNTIL_TRIED_AGAIN);
                Step::GiveUp
            }
            State::Duplicate => {
                self.due = Some(now + UNTIL_TRIED_AGAIN);
                Step::Wait
            }
            State::InUse { .. } if self.defended.is_some_and(|last| now.since(last) < BETWEEN_DEFENCES) => Step::Wait,
            State::InUse { .. } => {
                self.defended = Some(now);
                Step::Announce
            }
        }
    }
}

/// RFC 4861's RETRANS_TIMER, which section 5.4 of RFC 4862 uses.
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

/// RFC 5227's ANNOUNCE_NUM and ANNOUNCE_INTERVAL.
const ANNOUNCEMENTS: u8 = 2;
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_secs(2);

/// RFC 5227's DEFEND_INTERVAL.
const BETWEEN_DEFENCES: Duration = Duration::from_secs(10);

/// How long a duplicate is left alone.
const UNTIL_TRIED_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn an_address_is_used_a_second_after_the_last_probe_and_announced_twice() {
        let mut own = Own::tentative(2, at(1));
        let steps = [(1, Step::Probe), (2, Step::Probe), (3, Step::Use), (5, Step::Announce)];
        for (second, step) in steps {
            assert_eq!(own.due_at(), Some(at(second)));
            assert_eq!(own.standing() == Standing::InUse, second > 3);
            assert_eq!(own.fall_due(at(second)), step);
        }
        assert_eq!((own.due_at(), own.standing()), (None, Standing::InUse));
    }

    #[test]
    fn without_probes_an_address_is_used_at_once() {
        assert_eq!(Own::tentative(0, at(1)).fall_due(at(1)), Step::Use);
    }

    #[test]
    fn a_duplicate_is_not_used_and_tried_again_when_it_has_been_quiet_for_a_minute() {
        let mut own = Own::tentative(1, at(1));
        own.fall_due(at(1));
        assert_eq!(own.conflict(at(1)), Step::GiveUp);
        assert_eq!((own.standing(), own.conflict(at(30))), (Standing::Duplicate, Step::Wait));
        assert_eq!(own.due_at(), Some(at(90)));
        assert_eq!(own.fall_due(at(90)), Step::Probe);
        assert_eq!((own.standing(), own.fall_due(at(91))), (Standing::Tentative, Step::Use));
    }

    #[test]
    fn an_address_in_use_is_defended_once_in_ten_seconds_and_never_given_up() {
        let mut own = Own::tentative(0, at(1));
        own.fall_due(at(1));
        let defences = (2..=31).filter(|second| own.conflict(at(*second)) == Step::Announce).count();
        assert_eq!((defences, own.standing()), (3, Standing::InUse));
    }
}
