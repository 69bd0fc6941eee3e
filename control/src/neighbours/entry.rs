//! One neighbour: a machine that is told what was heard and when it is due, and says what to do.
//!
//! ```text
//!              heard                    reachable time is over
//! Incomplete --------> Stale, Reachable ----------------------> Probe --- heard: Reachable
//!     |                   unconfirmed: 5 s                        |
//!     | three questions, no answer                                | three questions, no answer
//!     v                                                           v
//!    gone, who waited is told                                    gone
//! ```
//!
//! It is RFC 4861 section 7.3 for both families, with one difference: the control thread does not see the packets that
//! workers forward, so every neighbour is taken to be in use, and is asked again before it is forgotten. A neighbour
//! stays usable while it is asked.

use std::net::IpAddr;
use std::time::Duration;

use control_api::NeighbourState;
use packet::ethernet::MacAddr;

use crate::time::Timestamp;

/// How long each step takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// How long an answer is good for.
    reachable: Duration,
    /// How long something heard without having asked is good for.
    unconfirmed: Duration,
    /// Between two questions.
    between_questions: Duration,
    /// Questions without an answer until one gives up.
    questions: u8,
}

impl Timing {
    /// The one for neighbours of this address's family: RFC 4861 section 10 for both, with ARP asked half as often.
    pub(crate) const fn of(address: IpAddr) -> Self {
        let reachable = if address.is_ipv4() { Duration::from_secs(60) } else { Duration::from_secs(30) };
        let unconfirmed = Duration::from_secs(5);
        Self { reachable, unconfirmed, between_questions: Duration::from_secs(1), questions: 3 }
    }
}

/// What a message said about a neighbour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    /// Its station; an answer may leave out what was asked with.
    pub(crate) mac: Option<MacAddr>,
    /// It answers what we asked, so both directions work.
    pub(crate) answers: bool,
    /// It is to replace what we knew.
    pub(crate) overrides: bool,
}

/// What to do for a neighbour whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask everybody on the link.
    AskAll,
    /// Ask the station itself.
    Ask(MacAddr),
    /// Give up.
    Lost,
}

/// What is known of one neighbour.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    state: State,
    due: Option<Timestamp>,
    confirmed: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Incomplete { asked: u8 },
    Stale { mac: MacAddr },
    Reachable { mac: MacAddr },
    Probe { mac: MacAddr, asked: u8 },
    Permanent { mac: MacAddr },
}

impl Entry {
    /// Somebody wants to send to it; the first question is being asked.
    pub(crate) fn asked(now: Timestamp, timing: Timing) -> Self {
        Self { state: State::Incomplete { asked: 1 }, due: Some(now + timing.between_questions), confirmed: now }
    }

    /// It said so itself, unasked.
    pub(crate) fn heard_of(mac: MacAddr, now: Timestamp, timing: Timing) -> Self {
        Self { state: State::Stale { mac }, due: Some(now + timing.unconfirmed), confirmed: now }
    }

    /// The configuration says so.
    pub(crate) const fn permanent(mac: MacAddr) -> Self {
        Self { state: State::Permanent { mac }, due: None, confirmed: Timestamp::ZERO }
    }

    /// Its station, if known.
    pub(crate) const fn mac(&self) -> Option<MacAddr> {
        match self.state {
            State::Incomplete { .. } => None,
            State::Stale { mac } | State::Reachable { mac } | State::Probe { mac, .. } | State::Permanent { mac } => {
                Some(mac)
            }
        }
    }

    /// When it wants to be told that it is due.
    pub(crate) const fn due_at(&self) -> Option<Timestamp> {
        self.due
    }

    /// A message about it was heard (RFC 4861 sections 7.2.3 and 7.2.5).
    pub(crate) fn hear(&mut self, heard: Heard, now: Timestamp, timing: Timing) {
        let known = self.mac();
        let Some(mac) = heard.mac.or(known) else { return };
        match self.state {
            State::Permanent { .. } => {}
            // Another station claims the address without authority: believe nobody, but ask soon.
            State::Reachable { mac: known } if mac != known && !heard.overrides => {
                self.become_stale(known, now, timing);
            }
            State::Stale { mac: known } | State::Probe { mac: known, .. } if mac != known && !heard.overrides => {}
            _ if heard.answers => {
                self.confirmed = now;
                self.state = State::Reachable { mac };
                self.due = Some(now + timing.reachable);
            }
            _ if known != Some(mac) => self.become_stale(mac, now, timing),
            // Nothing new.
            State::Incomplete { .. } | State::Stale { .. } | State::Reachable { .. } | State::Probe { .. } => {}
        }
    }

    /// Its time has come.
    pub(crate) fn fall_due(&mut self, now: Timestamp, timing: Timing) -> Due {
        let (state, todo) = match self.state {
            State::Incomplete { asked } | State::Probe { asked, .. } if asked >= timing.questions => return Due::Lost,
            State::Incomplete { asked } => (State::Incomplete { asked: asked + 1 }, Due::AskAll),
            State::Stale { mac } | State::Reachable { mac } => (State::Probe { mac, asked: 1 }, Due::Ask(mac)),
            State::Probe { mac, asked } => (State::Probe { mac, asked: asked + 1 }, Due::Ask(mac)),
            State::Permanent { .. } => unreachable!("what is permanent is never due"),
        };
        self.state = state;
        self.due = Some(now + timing.between_questions);
        todo
    }

    /// What to show of it, and how long ago it was last confirmed.
    pub(crate) const fn shown(&self, now: Timestamp) -> (NeighbourState, Option<Duration>) {
        let state = match self.state {
            State::Incomplete { .. } => NeighbourState::Incomplete,
            State::Reachable { .. } => NeighbourState::Reachable,
            State::Stale { .. } | State::Probe { .. } => NeighbourState::Stale,
            State::Permanent { .. } => return (NeighbourState::Permanent, None),
        };
        (state, Some(now.since(self.confirmed)))
    }

    fn become_stale(&mut self, mac: MacAddr, now: Timestamp, timing: Timing) {
        self.state = State::Stale { mac };
        self.due = Some(now + timing.unconfirmed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const ND: Timing = Timing::of(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    const ANSWER: Heard = Heard { mac: Some(MAC), answers: true, overrides: true };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn reachable() -> Entry {
        let mut entry = Entry::asked(at(0), ND);
        entry.hear(ANSWER, at(0), ND);
        entry
    }

    fn state(entry: &Entry) -> NeighbourState {
        entry.shown(at(0)).0
    }

    #[test]
    fn one_that_never_answers_is_asked_three_times_a_second_apart_and_given_up() {
        let mut entry = Entry::asked(at(0), ND);
        for second in 1..=2 {
            assert_eq!(entry.due_at(), Some(at(second)));
            assert_eq!(entry.fall_due(at(second), ND), Due::AskAll);
        }
        assert_eq!(entry.due_at(), Some(at(3)));
        assert_eq!(entry.fall_due(at(3), ND), Due::Lost);
    }

    #[test]
    fn one_that_answered_is_asked_again_before_it_is_forgotten_and_usable_meanwhile() {
        let mut entry = reachable();
        assert_eq!((state(&entry), entry.due_at()), (NeighbourState::Reachable, Some(at(30))));
        for second in 30..33 {
            assert_eq!(entry.fall_due(at(second), ND), Due::Ask(MAC));
            assert_eq!(entry.mac(), Some(MAC));
        }
        let mut answers_late = entry.clone();
        assert_eq!(entry.fall_due(at(33), ND), Due::Lost);
        answers_late.hear(Heard { mac: None, ..ANSWER }, at(33), ND);
        assert_eq!((state(&answers_late), answers_late.due_at()), (NeighbourState::Reachable, Some(at(63))));
    }

    /// RFC 4861 section 7.2.5, one row per rule.
    #[test]
    fn what_is_heard_changes_what_is_known_as_the_rfc_says() {
        use NeighbourState::{Reachable, Stale};
        let heard = |mac, answers, overrides| Heard { mac: Some(mac), answers, overrides };
        #[rustfmt::skip]
        let rules = [
            ("override clear, other station, reachable: stale, kept", heard(OTHER, true, false), Stale, MAC),
            ("override clear, same station, solicited: reachable",    heard(MAC, true, false),   Reachable, MAC),
            ("override set, other station, solicited: replaced",      heard(OTHER, true, true),  Reachable, OTHER),
            ("override set, other station, unsolicited: stale",       heard(OTHER, false, true), Stale, OTHER),
            ("override set, same station, unsolicited: unchanged",    heard(MAC, false, true),   Reachable, MAC),
        ];
        for (rule, heard, expected, mac) in rules {
            let mut entry = reachable();
            entry.hear(heard, at(1), ND);
            assert_eq!((state(&entry), entry.mac()), (expected, Some(mac)), "{rule}");
        }
        let mut entry = Entry::asked(at(0), ND);
        entry.hear(Heard { mac: None, answers: true, overrides: true }, at(1), ND);
        assert_eq!(entry.mac(), None, "incomplete, no station given: nothing");
        entry.hear(heard(MAC, false, false), at(1), ND);
        assert_eq!((state(&entry), entry.mac()), (Stale, Some(MAC)), "incomplete, unsolicited: stale");
    }

    #[test]
    fn what_the_configuration_says_nobody_changes() {
        let mut entry = Entry::permanent(MAC);
        entry.hear(Heard { mac: Some(OTHER), answers: true, overrides: true }, at(1), ND);
        assert_eq!((entry.mac(), entry.due_at()), (Some(MAC), None));
        assert_eq!(entry.shown(at(9)), (NeighbourState::Permanent, None));
    }
}
