//! Neighbours: who has which MAC address, whom to ask, and who waits for the answer.
//!
//! Whatever the links throw at it, this table stays small. Each port has limits of its own, so that what happens on one
//! link is nobody's business on another ([`NeighbourSettings`]): a scan of a /16 or a /64 makes at most `max_unresolved`
//! neighbours that are being asked for and spends at most three quarters of `resolution_rate`; neighbours that are known
//! have a bound of their own, are never pushed out by those that are not, and are asked again from the rest of the rate.
//! Of those known, at most a quarter may be known by nothing but what they said themselves, so that nobody fills the
//! table by making stations up. Packets that wait are few for each neighbour, few for each port, and the newest are kept
//! (RFC 4861 section 7.2.2, RFC 1122 section 2.3.2.2).

mod budget;
mod entry;
mod requests;
mod waiting;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use boundary::PortId;
use packet::ethernet::MacAddr;

use budget::Budget;
pub(crate) use entry::{Due, Entry, Heard, draw};
use entry::{Kind, Timing};
use waiting::Queue;
pub(crate) use waiting::{Origin, Waiting};

use crate::config::NeighbourSettings;
use crate::time::Timestamp;
use crate::timers::{DeadlineId, Wheel};

/// Which neighbour: its address, and the port it is behind.
pub(crate) type Key = (IpAddr, PortId);

/// The table.
#[derive(Debug)]
pub(crate) struct Neighbours {
    entries: BTreeMap<Key, Known>,
    /// Which entry is due when, to the nanosecond.
    deadlines: Wheel<Key>,
    queues: BTreeMap<Key, Queue>,
    /// Packets that can leave, and wait for nothing but the next tick.
    released: Vec<(Key, MacAddr, Waiting)>,
    /// Packets that had no room to wait.
    overflowed: u64,
    /// By [`PortId`].
    links: Vec<Link>,
}

/// An entry, and its place among the deadlines.
#[derive(Debug)]
struct Known {
    entry: Entry,
    deadline: Option<DeadlineId>,
}

/// What is counted for each port.
#[derive(Debug)]
struct Link {
    settings: NeighbourSettings,
    budget: Budget,
    waiting_bytes: usize,
    unresolved: usize,
    unconfirmed: usize,
    resolved: usize,
    failed: usize,
    fixed: usize,
}

/// What becomes of a packet to a neighbour.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It can leave, for this station.
    Known(MacAddr),
    /// It waits, and the neighbour is to be asked for.
    Ask,
    /// It waits, and the neighbour has been asked for.
    Waits,
    /// There is no room for another neighbour, or no question left this second.
    Refused,
}

/// A neighbour whose time has come.
#[derive(Debug)]
pub(crate) struct Expired {
    /// Which.
    pub(crate) key: Key,
    /// What is to be done about it.
    pub(crate) due: Due,
    /// What waited for it in vain, if it is given up.
    pub(crate) waited: Vec<Waiting>,
}

impl Neighbours {
    /// Nobody is known yet, on ports with these settings.
    pub(crate) fn new(ports: impl IntoIterator<Item = NeighbourSettings>) -> Self {
        Self {
            entries: BTreeMap::new(),
            deadlines: Wheel::new(Duration::from_nanos(1)),
            queues: BTreeMap::new(),
            released: Vec::new(),
            overflowed: 0,
            links: ports.into_iter().map(Link::new).collect(),
        }
    }

    /// From now on a port has these limits; who is known beyond them stays known.
    pub(crate) fn set_settings(&mut self, port: PortId, settings: NeighbourSettings) {
        let link = self.link_mut(port);
        if link.settings.resolution_rate != settings.resolution_rate {
            link.budget = Budget::new(settings.resolution_rate);
        }
        link.settings = settings;
    }

    /// A person says which station this neighbour is. What waited for it is released.
    pub(crate) fn set_permanent(&mut self, key: Key, mac: MacAddr) {
        self.put(key, Entry::permanent(mac));
        let waited = self.take_waiting(key);
        self.released.extend(waited.into_iter().map(|waiting| (key, mac, waiting)));
    }

    /// Takes what waited for neighbours that a person has set since this was last asked.
    pub(crate) fn take_released(&mut self) -> Vec<(Key, MacAddr, Waiting)> {
        std::mem::take(&mut self.released)
    }

    /// Whether this neighbour is not known and could be.
    pub(crate) fn has_room_for(&self, key: Key) -> bool {
        self.link(key.1).known() + self.link(key.1).fixed < self.link(key.1).settings.max_known
            && self.entry(key).is_none_or(|entry| entry.mac().is_none())
    }

    /// Which station it is, if that is known.
    pub(crate) fn station(&self, key: Key) -> Option<MacAddr> {
        self.entry(key).and_then(Entry::mac)
    }

    /// A packet is to go to this neighbour.
    pub(crate) fn want(&mut self, key: Key, packet: &[u8], origin: Origin, now: Timestamp) -> Wanted {
        let waiting = || Waiting { packet: packet.to_vec(), origin };
        match self.entry(key).map(|entry| (entry.mac(), entry.kind())) {
            Some((Some(mac), _)) => {
                self.used(key, now);
                Wanted::Known(mac)
            }
            Some((None, Kind::Unresolved)) => {
                self.enqueue(key, waiting());
                Wanted::Waits
            }
            None | Some((None, _)) if self.link_mut(key.1).may_resolve(now) => {
                self.put(key, Entry::asked(now));
                self.enqueue(key, waiting());
                Wanted::Ask
            }
            None | Some((None, _)) => Wanted::Refused,
        }
    }

    /// Something was heard about a neighbour; one that nobody knew is entered if it `may_enter`.
    ///
    /// Returns its station and what waited for it, if it can be sent to and could not before, or is another station now.
    pub(crate) fn hear(
        &mut self,
        key: Key,
        heard: Heard,
        may_enter: bool,
        now: Timestamp,
    ) -> Option<(MacAddr, Vec<Waiting>)> {
        let before = self.entry(key).cloned();
        let after = match (&before, heard.mac) {
            (Some(before), _) => {
                let mut after = before.clone();
                after.hear(heard, now, Timing::of(key));
                after
            }
            (None, Some(mac)) if may_enter => {
                let mut entry = Entry::heard_of(mac, now);
                entry.hear(Heard { answers: false, ..heard }, now, Timing::of(key));
                entry
            }
            (None, _) => return None,
        };
        let known_before = before.and_then(|before| before.mac());
        let mac = after.mac()?;
        if known_before.is_none() && !self.link(key.1).has_room_for(after.kind()) {
            return None;
        }
        self.put(key, after);
        (known_before != Some(mac)).then(|| (mac, self.take_waiting(key)))
    }

    /// One neighbour for which something is to be done now; `None` when there is none.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Expired> {
        loop {
            let key = self.deadlines.pop_due(now)?;
            let mut entry = self.entry(key).expect("what is due is there").clone();
            let unasked = entry.clone();
            let due = entry.fall_due(now);
            let budget = &mut self.link_mut(key.1).budget;
            let may = match due {
                Due::AskAll => budget.resolve(now),
                Due::Ask(_) => budget.refresh(now),
                Due::Nothing | Due::Lost | Due::Forget => true,
            };
            if !may {
                entry = unasked;
                entry.put_off(key.0, now);
                self.put(key, entry);
                continue;
            }
            match due {
                Due::Nothing => self.put(key, entry),
                Due::Forget => self.forget(key),
                Due::AskAll | Due::Ask(_) => {
                    self.put(key, entry);
                    return Some(Expired { key, due, waited: Vec::new() });
                }
                Due::Lost => {
                    self.forget(key);
                    // Remembered for people, as far as there is room.
                    if self.link(key.1).failed < MAX_FAILED {
                        self.put(key, entry);
                    }
                    return Some(Expired { key, due, waited: self.take_waiting(key) });
                }
            }
        }
    }

    /// Forgets a neighbour; if there was one, how many packets waited for it.
    pub(crate) fn remove(&mut self, key: Key) -> Option<u64> {
        self.entries.contains_key(&key).then(|| {
            self.forget(key);
            self.take_waiting(key).len() as u64
        })
    }

    /// Everyone, in the order of addresses and then ports.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Entry)> {
        self.entries.iter().map(|(key, known)| (*key, &known.entry))
    }

    /// Whether this is one that a person has set.
    pub(crate) fn is_permanent(&self, key: Key) -> bool {
        self.entry(key).is_some_and(|entry| entry.kind() == Kind::Static)
    }

    /// Packets that had no room to wait, or made room for newer ones.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key).map(|known| &known.entry)
    }

    fn link(&self, port: PortId) -> &Link {
        &self.links[port.index()]
    }

    fn link_mut(&mut self, port: PortId) -> &mut Link {
        &mut self.links[port.index()]
    }

    fn used(&mut self, key: Key, now: Timestamp) {
        let Some(known) = self.entries.get_mut(&key) else { return };
        if known.entry.used(now)
            && let (Some(deadline), Some(due)) = (known.deadline, known.entry.due_at())
        {
            self.deadlines.rearm(deadline, due);
        }
    }

    fn put(&mut self, key: Key, entry: Entry) {
        self.forget(key);
        *self.link_mut(key.1).count(entry.kind()) += 1;
        let deadline = entry.due_at().map(|at| self.deadlines.arm(at, key));
        self.entries.insert(key, Known { entry, deadline });
    }

    fn forget(&mut self, key: Key) {
        if let Some(Known { entry, deadline }) = self.entries.remove(&key) {
            *self.link_mut(key.1).count(entry.kind()) -= 1;
            // The deadline that has just fallen due is gone already.
            deadline.and_then(|deadline| self.deadlines.cancel(deadline));
        }
    }

    fn enqueue(&mut self, key: Key, packet: Waiting) {
        let Self { queues, links, overflowed, .. } = self;
        let link = &mut links[key.1.index()];
        if link.waiting_bytes + packet.packet.len() > MAX_WAITING_BYTES {
            *overflowed += 1;
            return;
        }
        let queue = queues.entry(key).or_default();
        let before = queue.bytes();
        *overflowed += queue.push(packet, &link.settings);
        link.waiting_bytes = link.waiting_bytes - before + queue.bytes();
    }

    /// What waits for a neighbour, which does not wait any more.
    fn take_waiting(&mut self, key: Key) -> Vec<Waiting> {
        let Some(queue) = self.queues.remove(&key) else { return Vec::new() };
        self.link_mut(key.1).waiting_bytes -= queue.bytes();
        queue.into_packets()
    }
}

impl Link {
    fn new(settings: NeighbourSettings) -> Self {
        Self {
            budget: Budget::new(settings.resolution_rate),
            settings,
            waiting_bytes: 0,
            unresolved: 0,
            unconfirmed: 0,
            resolved: 0,
            failed: 0,
            fixed: 0,
        }
    }

    /// How many are known by what was heard.
    fn known(&self) -> usize {
        self.unconfirmed + self.resolved
    }

    /// Whether another neighbour may be asked for, now.
    fn may_resolve(&mut self, now: Timestamp) -> bool {
        self.unresolved < self.settings.max_unresolved && self.budget.resolve(now)
    }

    /// Whether another one may be known.
    fn has_room_for(&self, kind: Kind) -> bool {
        let is_unfounded = kind == Kind::Unconfirmed && self.unconfirmed >= (self.settings.max_known / 4).max(1);
        self.known() < self.settings.max_known && !is_unfounded
    }

    fn count(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Unresolved => &mut self.unresolved,
            Kind::Unconfirmed => &mut self.unconfirmed,
            Kind::Resolved => &mut self.resolved,
            Kind::Failed => &mut self.failed,
            Kind::Static => &mut self.fixed,
        }
    }
}

/// Most bytes of packets that wait for all neighbours of a port together.
const MAX_WAITING_BYTES: usize = 2 << 20;

/// Most neighbours of a port that are remembered for not having answered.
const MAX_FAILED: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PORT: PortId = PortId(0);
    const OTHER_PORT: PortId = PortId(1);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn host(number: usize) -> Key {
        (Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap()).into(), PORT)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn at_tenth(tenth: u32) -> Timestamp {
        Timestamp::ZERO + tenth * Duration::from_millis(100)
    }

    fn answer() -> Heard {
        Heard { mac: Some(MAC), answers: true, overrides: true, router: None }
    }

    fn table() -> Neighbours {
        Neighbours::new([NeighbourSettings::default(), NeighbourSettings::default()])
    }

    impl Neighbours {
        fn wants(&mut self, key: Key, len: usize, now: Timestamp) -> Wanted {
            self.want(key, &vec![0; len], Origin::Received(OTHER_PORT), now)
        }
    }

    #[test]
    fn a_scan_is_bounded_in_neighbours_questions_and_bytes_and_leaves_the_known_alone() {
        let mut table = table();
        let settings = NeighbourSettings::default();
        table.wants(host(0), 100, at(1));
        table.hear(host(0), answer(), false, at(1)).unwrap();
        for second in 1..10 {
            for number in 1..65_536 {
                table.wants(host(number), 9_000, at(second));
            }
            while table.next_due(at(second)).is_some() {}
            let link = table.link(PORT);
            assert!(link.unresolved <= settings.max_unresolved && link.failed <= MAX_FAILED);
            assert!(link.waiting_bytes <= MAX_WAITING_BYTES);
        }
        assert_eq!(table.wants(host(0), 100, at(10)), Wanted::Known(MAC));
        for tenth in 100..=400 {
            while table.next_due(at_tenth(tenth)).is_some() {}
        }
        let link = table.link(PORT);
        assert_eq!((link.unresolved, link.failed, link.waiting_bytes), (0, 0, 0), "and is forgotten soon after");
        assert!(table.queues.is_empty());
    }

    #[test]
    fn a_scan_of_one_link_leaves_the_others_their_room_and_their_questions() {
        let mut table = table();
        for number in 0..65_536 {
            table.wants(host(number), 9_000, at(1));
        }
        assert_eq!(table.wants(host(65_536), 9_000, at(1)), Wanted::Refused);
        assert_eq!(table.wants((host(0).0, OTHER_PORT), 9_000, at(1)), Wanted::Ask);
    }

    #[test]
    fn the_newest_packets_wait_and_come_out_in_order() {
        let mut table = table();
        for len in 1..=20 {
            table.wants(host(1), len, at(1));
        }
        let (mac, waited) = table.hear(host(1), answer(), false, at(1)).unwrap();
        let lens: Vec<_> = waited.iter().map(|waiting| waiting.packet.len()).collect();
        assert_eq!((mac, lens), (MAC, (13..=20).collect()));
        assert_eq!(table.link(PORT).waiting_bytes, 0);
    }

    #[test]
    fn who_announces_himself_unasked_is_entered_only_if_he_may() {
        let mut table = table();
        assert!(table.hear(host(1), answer(), false, at(1)).is_none());
        assert!(table.hear(host(1), answer(), true, at(1)).is_some());
        assert!(table.hear(host(1), answer(), true, at(1)).is_none(), "nothing new the second time");
    }

    #[test]
    fn so_many_are_known_and_only_a_quarter_of_them_by_nothing_but_their_own_word() {
        let settings = NeighbourSettings { max_known: 100, resolution_rate: 100_000, ..NeighbourSettings::default() };
        let mut table = Neighbours::new([settings]);
        for number in 0..200 {
            table.hear(host(number), answer(), true, at(1));
        }
        assert_eq!((table.link(PORT).unconfirmed, table.link(PORT).resolved), (25, 0));
        for number in 200..400 {
            table.wants(host(number), 100, at(1));
            table.hear(host(number), answer(), false, at(1));
        }
        assert_eq!((table.link(PORT).unconfirmed, table.link(PORT).resolved), (25, 75));
        assert_eq!(table.link(PORT).unresolved, 125, "who answers and finds no room is given up like who does not");
    }

    #[test]
    fn when_there_is_no_question_left_who_is_known_stays_known_until_there_is() {
        let settings = NeighbourSettings { resolution_rate: 10, ..NeighbourSettings::default() };
        let mut table = Neighbours::new([settings]);
        for number in 0..1000 {
            table.hear(host(number), answer(), true, at(1));
        }
        let mut asked = 0;
        for hundredth in 200..6000 {
            let now = Timestamp::ZERO + hundredth * Duration::from_millis(10);
            while let Some(expired) = table.next_due(now) {
                assert!(matches!(expired.due, Due::Ask(_) | Due::Lost));
                asked += usize::from(expired.due != Due::Lost);
            }
        }
        assert!((500..=600).contains(&asked), "{asked} at 10 a second");
        assert!(table.link(PORT).known() > 800, "nobody is given up who was not asked");
    }

    #[test]
    fn a_neighbour_that_was_given_up_is_asked_again_when_it_is_wanted() {
        let mut table = table();
        assert_eq!(table.wants(host(1), 8, at(1)), Wanted::Ask);
        for second in 2..=4 {
            while table.next_due(at(second)).is_some() {}
        }
        assert_eq!(table.link(PORT).failed, 1);
        assert_eq!(table.wants(host(1), 8, at(4)), Wanted::Ask);
        assert_eq!((table.link(PORT).failed, table.link(PORT).unresolved), (0, 1));
    }
}
