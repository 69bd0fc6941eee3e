//! One neighbour: a machine that is told what was heard and when it is due, and says what to do.
//!
//! ```text
//!               answers                  reachable time
//!  INCOMPLETE -----------> REACHABLE --------------------> STALE ---- we send to it ----> DELAY
//!      |                       ^  ^                        | ^                              |
//!      |                       |  |            5 s: taken  | | heard unasked                | 5 s
//!      | 3 questions           |  |            to be used  v |                              v
//!      | to all                |  +------- answers -------- PROBE <-------------------------+
//!      v                       |                              |
//!   FAILED <-------------------|------------------------------+  3 questions to its station
//!      |                       |
//!      +-- wanted again: INCOMPLETE
//! ```
//!
//! It is RFC 4861 section 7.3 for both families, with one difference: the control thread does not see the packets that
//! workers forward, so a neighbour that is STALE is taken to be in use, and is asked when it has been STALE for as long as
//! DELAY takes. A neighbour stays usable from its first answer until it is FAILED.

use std::net::IpAddr;
use std::time::Duration;

use control_api::NeighbourState;
use packet::ethernet::MacAddr;

use super::Key;
use crate::time::Timestamp;

/// How long each step takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// How long an answer is good for.
    reachable: Duration,
}

impl Timing {
    /// The one of this neighbour: RFC 4861 section 10 for both families, with ARP asked half as often.
    ///
    /// Section 6.3.2 wants it to be random between half and one and a half times the base, so that neighbours which were
    /// found together are not asked together. It is drawn from the address: the same input gives the same output.
    pub(crate) fn of((address, _): Key) -> Self {
        let base = if address.is_ipv4() { 60_000 } else { 30_000 };
        Self { reachable: Duration::from_millis(base / 2 + base * draw(address) / 1024) }
    }
}

/// Unasked, in use, or asked: how long until the next question (DELAY_FIRST_PROBE_TIME).
const DELAY: Duration = Duration::from_secs(5);

/// Between two questions (RETRANS_TIMER).
pub(crate) const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);

/// Questions without an answer until one gives up (MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT).
const QUESTIONS: u8 = 3;

/// How long it is remembered that one gave up: for people, it keeps nobody from being asked again.
const REMEMBERED: Duration = Duration::from_secs(20);

/// How long a question waits for which there is none left: at least, and how many milliseconds more at most.
const PUT_OFF: (u64, u64) = (50, 200);

/// What a message said about a neighbour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    /// Its station; an answer may leave out what was asked with.
    pub(crate) mac: Option<MacAddr>,
    /// It answers what we asked, so both directions work.
    pub(crate) answers: bool,
    /// It is to replace what we knew.
    pub(crate) overrides: bool,
    /// Whether it is a router, if the message says.
    pub(crate) router: Option<bool>,
}

/// What to do for a neighbour whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing but to take note.
    Nothing,
    /// Ask everybody on the link.
    AskAll,
    /// Ask the station itself.
    Ask(MacAddr),
    /// Give up.
    Lost,
    /// It has been lost long enough.
    Forget,
}

/// What an entry counts as where there are limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asked for, and no answer yet.
    Unresolved,
    /// Known by what it said itself, and never by an answer.
    Unconfirmed,
    /// It has answered.
    Resolved,
    /// Given up.
    Failed,
    /// A person says so.
    Static,
}

/// What is known of one neighbour.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    state: State,
    due: Option<Timestamp>,
    /// When it last answered, or if it never did, was first wanted or heard.
    since: Timestamp,
    has_answered: bool,
    is_router: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Incomplete { asked: u8 },
    Reachable { mac: MacAddr },
    Stale { mac: MacAddr },
    Delay { mac: MacAddr },
    Probe { mac: MacAddr, asked: u8 },
    Failed,
    Permanent { mac: MacAddr },
}

impl Entry {
    /// Somebody wants to send to it; the first question is being asked.
    pub(crate) fn asked(now: Timestamp) -> Self {
        Self::new(State::Incomplete { asked: 1 }, Some(now + BETWEEN_QUESTIONS), now)
    }

    /// It said so itself, unasked.
    pub(crate) fn heard_of(mac: MacAddr, now: Timestamp) -> Self {
        Self::new(State::Stale { mac }, Some(now + DELAY), now)
    }

    /// A person says so.
    pub(crate) const fn permanent(mac: MacAddr) -> Self {
        Self::new(State::Permanent { mac }, None, Timestamp::ZERO)
    }

    const fn new(state: State, due: Option<Timestamp>, since: Timestamp) -> Self {
        Self { state, due, since, has_answered: false, is_router: false }
    }

    /// Its station, if packets can be sent to it.
    pub(crate) const fn mac(&self) -> Option<MacAddr> {
        match self.state {
            State::Incomplete { .. } | State::Failed => None,
            State::Stale { mac }
            | State::Reachable { mac }
            | State::Delay { mac }
            | State::Probe { mac, .. }
            | State::Permanent { mac } => Some(mac),
        }
    }

    /// What it counts as.
    pub(crate) const fn kind(&self) -> Kind {
        match self.state {
            State::Incomplete { .. } => Kind::Unresolved,
            State::Failed => Kind::Failed,
            State::Permanent { .. } => Kind::Static,
            _ if self.has_answered => Kind::Resolved,
            _ => Kind::Unconfirmed,
        }
    }

    /// Whether it called itself a router when it last said either.
    pub(crate) const fn is_router(&self) -> bool {
        self.is_router
    }

    /// When it wants to be told that it is due.
    pub(crate) const fn due_at(&self) -> Option<Timestamp> {
        self.due
    }

    /// We send to it: what was STALE is in DELAY; whether that changed anything.
    pub(crate) fn used(&mut self, now: Timestamp) -> bool {
        let State::Stale { mac } = self.state else { return false };
        self.state = State::Delay { mac };
        self.due = Some(now + DELAY);
        true
    }

    /// A message about it was heard (RFC 4861 sections 7.2.3 and 7.2.5).
    pub(crate) fn hear(&mut self, heard: Heard, now: Timestamp, timing: Timing) {
        let known = self.mac();
        let Some(mac) = heard.mac.or(known) else { return };
        let is_another = known.is_some_and(|known| known != mac);
        match self.state {
            State::Permanent { .. } => return,
            // Another station claims the address without authority: believe nobody, but ask soon.
            State::Reachable { mac: known } if is_another && !heard.overrides => {
                self.become_stale(known, now);
                return;
            }
            State::Stale { .. } | State::Delay { .. } | State::Probe { .. } if is_another && !heard.overrides => return,
            _ if heard.answers => {
                self.since = now;
                self.has_answered = true;
                self.state = State::Reachable { mac };
                self.due = Some(now + timing.reachable);
            }
            _ if known != Some(mac) => self.become_stale(mac, now),
            // Nothing new.
            _ => {}
        }
        self.is_router = heard.router.unwrap_or(self.is_router);
    }

    /// Its time has come.
    pub(crate) fn fall_due(&mut self, now: Timestamp) -> Due {
        let (state, wait, todo) = match self.state {
            State::Incomplete { asked } | State::Probe { asked, .. } if asked >= QUESTIONS => {
                (State::Failed, REMEMBERED, Due::Lost)
            }
            State::Incomplete { asked } => (State::Incomplete { asked: asked + 1 }, BETWEEN_QUESTIONS, Due::AskAll),
            State::Reachable { mac } => (State::Stale { mac }, DELAY, Due::Nothing),
            State::Stale { mac } | State::Delay { mac } => {
                (State::Probe { mac, asked: 1 }, BETWEEN_QUESTIONS, Due::Ask(mac))
            }
            State::Probe { mac, asked } => (State::Probe { mac, asked: asked + 1 }, BETWEEN_QUESTIONS, Due::Ask(mac)),
            State::Failed => return Due::Forget,
            State::Permanent { .. } => unreachable!("what is permanent is never due"),
        };
        self.state = state;
        self.due = Some(now + wait);
        todo
    }

    /// There was no question left to ask: it is due again soon, each address after a time of its own, so that those who
    /// were put off together do not come back together.
    pub(crate) fn put_off(&mut self, address: IpAddr, now: Timestamp) {
        let (least, more) = PUT_OFF;
        self.due = Some(now + Duration::from_millis(least + more * draw(address) / 1024));
    }

    /// What to show of it, and how long ago it was last confirmed.
    pub(crate) const fn shown(&self, now: Timestamp) -> (NeighbourState, Option<Duration>) {
        let state = match self.state {
            State::Incomplete { .. } => NeighbourState::Incomplete,
            State::Reachable { .. } => NeighbourState::Reachable,
            State::Stale { .. } => NeighbourState::Stale,
            State::Delay { .. } => NeighbourState::Delay,
            State::Probe { .. } => NeighbourState::Probe,
            State::Failed => NeighbourState::Failed,
            State::Permanent { .. } => return (NeighbourState::Permanent, None),
        };
        (state, Some(now.since(self.since)))
    }

    fn become_stale(&mut self, mac: MacAddr, now: Timestamp) {
        self.state = State::Stale { mac };
        self.due = Some(now + DELAY);
    }
}

/// A number from 0 to 1023 that looks random and is always the same for an address (FNV-1a, folded).
pub(crate) fn draw(address: IpAddr) -> u64 {
    let step = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3);
    let hash = match address {
        IpAddr::V4(address) => address.octets().iter().fold(FNV_START, step),
        IpAddr::V6(address) => address.octets().iter().fold(FNV_START, step),
    };
    (hash >> 32 ^ hash) % 1024
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const ND: Timing = Timing { reachable: Duration::from_secs(30) };
    const ANSWER: Heard = Heard { mac: Some(MAC), answers: true, overrides: true, router: None };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn reachable() -> Entry {
        let mut entry = Entry::asked(at(0));
        entry.hear(ANSWER, at(0), ND);
        entry
    }

    fn state(entry: &Entry) -> NeighbourState {
        entry.shown(at(0)).0
    }

    #[test]
    fn one_that_never_answers_is_asked_three_times_a_second_apart_and_given_up() {
        let mut entry = Entry::asked(at(0));
        for second in 1..=2 {
            assert_eq!(entry.due_at(), Some(at(second)));
            assert_eq!(entry.fall_due(at(second)), Due::AskAll);
        }
        assert_eq!(entry.due_at(), Some(at(3)));
        assert_eq!(entry.fall_due(at(3)), Due::Lost);
        assert_eq!((state(&entry), entry.mac()), (NeighbourState::Failed, None), "which is remembered for a while");
        assert_eq!(entry.fall_due(entry.due_at().unwrap()), Due::Forget);
    }

    #[test]
    fn one_that_answered_is_asked_again_before_it_is_forgotten_and_usable_meanwhile() {
        let mut entry = reachable();
        assert_eq!((state(&entry), entry.due_at()), (NeighbourState::Reachable, Some(at(30))));
        assert_eq!(entry.fall_due(at(30)), Due::Nothing);
        assert_eq!((state(&entry), entry.due_at()), (NeighbourState::Stale, Some(at(35))));
        for second in 35..38 {
            assert_eq!(entry.fall_due(at(second)), Due::Ask(MAC));
            assert_eq!((state(&entry), entry.mac()), (NeighbourState::Probe, Some(MAC)));
        }
        let mut answers_late = entry.clone();
        assert_eq!(entry.fall_due(at(38)), Due::Lost);
        answers_late.hear(Heard { mac: None, ..ANSWER }, at(38), ND);
        assert_eq!((state(&answers_late), answers_late.due_at()), (NeighbourState::Reachable, Some(at(68))));
    }

    #[test]
    fn a_stale_one_that_is_sent_to_is_delayed_and_asked_five_seconds_later() {
        let mut entry = Entry::heard_of(MAC, at(0));
        assert!(entry.used(at(3)) && !entry.used(at(4)), "the first packet counts");
        assert_eq!((state(&entry), entry.due_at()), (NeighbourState::Delay, Some(at(8))));
        assert_eq!(entry.fall_due(at(8)), Due::Ask(MAC));
        assert!(!reachable().used(at(1)), "what is confirmed needs no question");
    }

    #[test]
    fn a_question_there_was_no_room_for_is_not_counted_as_asked() {
        let mut entry = Entry::asked(at(0));
        for second in 1..100 {
            let mut asked = entry.clone();
            assert_eq!(asked.fall_due(at(second)), Due::AskAll);
            entry.put_off([192, 0, 2, 1].into(), at(second));
            assert!(entry.due_at().is_some_and(|due| due > at(second) && due < at(second + 1)));
        }
    }

    /// RFC 4861 section 7.2.5, one row per rule.
    #[test]
    fn what_is_heard_changes_what_is_known_as_the_rfc_says() {
        use NeighbourState::{Reachable, Stale};
        let heard = |mac, answers, overrides| Heard { mac: Some(mac), answers, overrides, router: None };
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
        let mut entry = Entry::asked(at(0));
        entry.hear(Heard { mac: None, ..ANSWER }, at(1), ND);
        assert_eq!(entry.mac(), None, "incomplete, no station given: nothing");
        entry.hear(heard(MAC, false, false), at(1), ND);
        assert_eq!((state(&entry), entry.mac()), (Stale, Some(MAC)), "incomplete, unsolicited: stale");
    }

    #[test]
    fn one_is_a_router_as_long_as_it_says_so() {
        let says = |router| Heard { router, ..ANSWER };
        let mut entry = reachable();
        assert!(!entry.is_router());
        for (said, is_router) in [(Some(true), true), (None, true), (Some(false), false)] {
            entry.hear(says(said), at(1), ND);
            assert_eq!(entry.is_router(), is_router);
        }
        entry.hear(Heard { mac: Some(OTHER), overrides: false, ..says(Some(true)) }, at(1), ND);
        assert!(!entry.is_router(), "who is not believed changes nothing");
    }

    #[test]
    fn what_a_person_says_nobody_changes() {
        let mut entry = Entry::permanent(MAC);
        entry.hear(Heard { mac: Some(OTHER), ..ANSWER }, at(1), ND);
        assert_eq!((entry.mac(), entry.due_at()), (Some(MAC), None));
        assert_eq!(entry.shown(at(9)), (NeighbourState::Permanent, None));
    }

    #[test]
    fn an_answer_is_good_for_a_time_of_the_neighbour_s_own_around_the_base() {
        let of = |last: u8| Timing::of((IpAddr::from([192, 0, 2, last]), boundary::PortId(0))).reachable;
        let all: Vec<_> = (0..=255).map(of).collect();
        assert!(all.iter().all(|time| (30..90).contains(&time.as_secs())));
        let late = all.iter().filter(|time| time.as_secs() >= 60).count();
        assert!((64..192).contains(&late), "as many above the base as below, about: {late}");
    }
}
