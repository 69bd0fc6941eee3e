//! Neighbours: who has which MAC address, whom to ask, and who waits for the answer.
//!
//! Whatever the links throw at it, this table stays small. A scan of a /16 or a /64 makes at most [`MAX_UNKNOWN`]
//! neighbours that are being asked for, and a bounded number of questions a second; neighbours that are known have a
//! bound of their own and are never pushed out by those that are not. Packets that wait are few for each neighbour, few
//! in all, and the newest are kept (RFC 4861 section 7.2.2, RFC 1122 section 2.3.2.2).

mod entry;
mod waiting;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use boundary::PortId;
use packet::ethernet::MacAddr;

use entry::Timing;
pub(crate) use entry::{Due, Entry, Heard};
use waiting::Queue;
pub(crate) use waiting::{Origin, Waiting};

use crate::limit::TokenBucket;
use crate::time::Timestamp;
use crate::timers::{DeadlineId, Wheel};

/// Most neighbours, on all ports together, that are being asked for and have not answered.
pub(crate) const MAX_UNKNOWN: usize = 1024;

/// Most neighbours, on all ports together, that are known by what was heard.
pub(crate) const MAX_KNOWN: usize = 16_384;

/// Questions about neighbours that are not known, a second and port; so many more may come at once.
pub(crate) const QUESTIONS_PER_SECOND: u32 = 500;

/// Which neighbour: its address, and the port it is behind.
pub(crate) type Key = (IpAddr, PortId);

/// The table.
#[derive(Debug)]
pub(crate) struct Neighbours {
    entries: BTreeMap<Key, Known>,
    /// Which entry is due when, to the nanosecond.
    deadlines: Wheel<Key>,
    queues: BTreeMap<Key, Queue>,
    waiting_bytes: usize,
    /// Packets that had no room to wait.
    overflowed: u64,
    known: usize,
    questions: Vec<TokenBucket>,
}

/// An entry, and its place among the deadlines.
#[derive(Debug)]
struct Known {
    entry: Entry,
    deadline: Option<DeadlineId>,
}

/// What becomes of a packet to a neighbour.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// It can leave, for this station.
    Known(MacAddr, Waiting),
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
    /// Nobody is known yet, on so many ports.
    pub(crate) fn new(ports: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            deadlines: Wheel::new(Duration::from_nanos(1)),
            queues: BTreeMap::new(),
            waiting_bytes: 0,
            overflowed: 0,
            known: 0,
            questions: vec![TokenBucket::new(QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND); ports],
        }
    }

    /// The configuration says which station this neighbour is.
    pub(crate) fn set_permanent(&mut self, key: Key, mac: MacAddr) {
        self.put(key, Entry::permanent(mac));
    }

    /// Whether this neighbour is not known and could be.
    pub(crate) fn has_room_for(&self, key: Key) -> bool {
        self.known < MAX_KNOWN && self.entry(key).is_none_or(|entry| entry.mac().is_none())
    }

    /// A packet is to go to this neighbour.
    pub(crate) fn want(&mut self, key: Key, packet: Waiting, now: Timestamp) -> Wanted {
        match self.entry(key).map(Entry::mac) {
            Some(Some(mac)) => Wanted::Known(mac, packet),
            Some(None) => {
                self.enqueue(key, packet);
                Wanted::Waits
            }
            None if self.unknown() < MAX_UNKNOWN && self.may_ask(key.1, now) => {
                self.put(key, Entry::asked(now, Timing::of(key.0)));
                self.enqueue(key, packet);
                Wanted::Ask
            }
            None => Wanted::Refused,
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
        let timing = Timing::of(key.0);
        let before = self.entry(key).cloned();
        let after = match (&before, heard.mac) {
            (Some(before), _) => {
                let mut after = before.clone();
                after.hear(heard, now, timing);
                after
            }
            (None, Some(mac)) if may_enter => Entry::heard_of(mac, now, timing),
            (None, _) => return None,
        };
        let known_before = before.and_then(|before| before.mac());
        let mac = after.mac()?;
        if known_before.is_none() && self.known >= MAX_KNOWN {
            return None;
        }
        self.put(key, after);
        (known_before != Some(mac)).then(|| (mac, self.take_waiting(key)))
    }

    /// One neighbour whose time has come; `None` when there is none.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Expired> {
        let key = self.deadlines.pop_due(now)?;
        let mut entry = self.entry(key).expect("what is due is there").clone();
        let due = entry.fall_due(now, Timing::of(key.0));
        let waited = if due == Due::Lost {
            self.forget(key);
            self.take_waiting(key)
        } else {
            self.put(key, entry);
            Vec::new()
        };
        Some(Expired { key, due, waited })
    }

    /// Whether there is a question left for a neighbour that is not known.
    pub(crate) fn may_ask(&mut self, port: PortId, now: Timestamp) -> bool {
        self.questions.get_mut(port.index()).is_some_and(|bucket| bucket.take(now))
    }

    /// Everyone, in the order of addresses and then ports.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Entry)> {
        self.entries.iter().map(|(key, known)| (*key, &known.entry))
    }

    /// Packets that had no room to wait, or made room for newer ones.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key).map(|known| &known.entry)
    }

    fn unknown(&self) -> usize {
        self.entries.len() - self.known
    }

    fn put(&mut self, key: Key, entry: Entry) {
        self.forget(key);
        self.known += usize::from(entry.mac().is_some());
        let deadline = entry.due_at().map(|at| self.deadlines.arm(at, key));
        self.entries.insert(key, Known { entry, deadline });
    }

    fn forget(&mut self, key: Key) {
        if let Some(Known { entry, deadline }) = self.entries.remove(&key) {
            self.known -= usize::from(entry.mac().is_some());
            // The deadline that has just fallen due is gone already.
            deadline.and_then(|deadline| self.deadlines.cancel(deadline));
        }
    }

    fn enqueue(&mut self, key: Key, packet: Waiting) {
        if self.waiting_bytes + packet.packet.len() > MAX_WAITING_BYTES {
            self.overflowed += 1;
            return;
        }
        let queue = self.queues.entry(key).or_default();
        let before = queue.bytes();
        self.overflowed += queue.push(packet);
        self.waiting_bytes = self.waiting_bytes - before + queue.bytes();
    }

    /// What waits for a neighbour, which does not wait any more.
    fn take_waiting(&mut self, key: Key) -> Vec<Waiting> {
        let Some(queue) = self.queues.remove(&key) else { return Vec::new() };
        self.waiting_bytes -= queue.bytes();
        queue.into_packets()
    }
}

/// Most bytes of packets that wait for all neighbours together.
const MAX_WAITING_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const PORT: PortId = PortId(0);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn host(number: usize) -> Key {
        (Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap()).into(), PORT)
    }

    fn packet(len: usize) -> Waiting {
        Waiting { packet: vec![0; len], origin: Origin::Received(PORT) }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn answer() -> Heard {
        Heard { mac: Some(MAC), answers: true, overrides: true }
    }

    #[test]
    fn a_scan_is_bounded_in_neighbours_questions_and_bytes_and_leaves_the_known_alone() {
        let mut table = Neighbours::new(1);
        table.want(host(0), packet(100), at(1));
        table.hear(host(0), answer(), false, at(1)).unwrap();
        for number in 1..65_536 {
            table.want(host(number), packet(9_000), at(1));
        }
        assert!(table.unknown() <= usize::try_from(QUESTIONS_PER_SECOND).unwrap());
        for second in 2..10 {
            for number in 1..65_536 {
                table.want(host(number), packet(9_000), at(second));
            }
            while table.next_due(at(second)).is_some() {}
            assert!(table.unknown() <= MAX_UNKNOWN);
            assert!(table.waiting_bytes <= MAX_WAITING_BYTES);
        }
        assert!(matches!(table.want(host(0), packet(100), at(10)), Wanted::Known(MAC, _)));
        for second in 10..=13 {
            while table.next_due(at(second)).is_some() {}
        }
        assert_eq!((table.unknown(), table.waiting_bytes), (0, 0), "and is forgotten three seconds later");
    }

    #[test]
    fn the_newest_packets_wait_and_come_out_in_order() {
        let mut table = Neighbours::new(1);
        for len in 1..=20 {
            table.want(host(1), packet(len), at(1));
        }
        let (mac, waited) = table.hear(host(1), answer(), false, at(1)).unwrap();
        let lens: Vec<_> = waited.iter().map(|waiting| waiting.packet.len()).collect();
        assert_eq!(mac, MAC);
        assert_eq!(lens.last(), Some(&20));
        assert!(lens.is_sorted() && lens.len() < 20);
    }

    #[test]
    fn who_announces_himself_unasked_is_entered_only_if_he_may() {
        let mut table = Neighbours::new(1);
        assert!(table.hear(host(1), answer(), false, at(1)).is_none());
        assert!(table.hear(host(1), answer(), true, at(1)).is_some());
        assert!(table.hear(host(1), answer(), true, at(1)).is_none(), "nothing new the second time");
    }

    #[test]
    fn so_many_are_known_and_no_more() {
        let mut table = Neighbours::new(1);
        for number in 0..MAX_KNOWN + 10 {
            table.hear(host(number), answer(), true, at(1));
        }
        assert_eq!(table.iter().count(), MAX_KNOWN);
    }
}
