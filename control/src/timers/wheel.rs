//! Deadlines of any kind: a hierarchical wheel.
//!
//! Where every timer runs equally long, a queue in the order of arrival is all it takes ([`super::Timers`]). Where they do
//! not, a sorted list would pay for each by how many there are. A wheel does not sort: it puts a deadline into a slot by
//! the highest digit, to base 64, in which it differs from the present.
//!
//! ```text
//!   now = 1:02:03 (base 64)         level 2   level 1        level 0
//!   deadline 1:02:40                                         slot 40, its own moment
//!   deadline 1:10:00                          slot 10, 64 moments wide
//!   deadline 5:00:00                slot 5, 4096 wide
//! ```
//!
//! When time reaches a slot, all that is in it moves down at once: to lower levels, and from level 0 to those that are
//! due. A deadline moves at most once a level, and there are eleven, so each costs the same however many others there are
//! and however far the clock jumps; empty slots are skipped by a bitmap, not walked.
//!
//! It promises: never early, late by less than the resolution, in the order of deadlines, and for equal ones in the order
//! in which they were armed. Time does not run backwards here: an earlier moment counts as the latest one seen.

use std::time::Duration;

use super::slab::{Handle, Links, List, Slab};
use crate::time::Timestamp;

/// A deadline in a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeadlineId(Handle);

/// Items with deadlines.
#[derive(Debug)]
pub struct Wheel<T> {
    resolution_nanos: u64,
    /// The moment up to which everything is in `due`.
    elapsed: u64,
    levels: [Level; LEVELS],
    due: List,
    deadlines: Slab<Deadline<T>>,
}

#[derive(Debug)]
struct Deadline<T> {
    at: u64,
    item: T,
    links: Links,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    /// A bit for each slot that has something in it.
    occupied: u64,
    slots: [List; SLOTS],
}

impl<T> Wheel<T> {
    /// An empty one that tells moments apart which are `resolution`, at least a nanosecond, apart.
    pub fn new(resolution: Duration) -> Self {
        Self {
            resolution_nanos: u64::try_from(resolution.as_nanos()).unwrap_or(u64::MAX).max(1),
            elapsed: 0,
            levels: [Level { occupied: 0, slots: [List::EMPTY; SLOTS] }; LEVELS],
            due: List::EMPTY,
            deadlines: Slab::new(usize::MAX),
        }
    }

    /// How many deadlines are still to be taken.
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `item` falls due at `at`; at once, if that has passed.
    pub fn arm(&mut self, at: Timestamp, item: T) -> DeadlineId {
        let at = at.as_nanos().div_ceil(self.resolution_nanos);
        let deadline = Deadline { at, item, links: Links::NOWHERE };
        let index = self.deadlines.insert(deadline).expect("2^32 deadlines take memory that there is not");
        self.place(index);
        DeadlineId(self.deadlines.handle(index))
    }

    /// The same item falls due at another time; whether it was still to come.
    pub fn rearm(&mut self, id: DeadlineId, at: Timestamp) -> bool {
        let Some(index) = self.deadlines.find(id.0) else { return false };
        self.displace(index);
        self.deadlines.at_mut(index).at = at.as_nanos().div_ceil(self.resolution_nanos);
        self.place(index);
        true
    }

    /// The item does not fall due any more; nothing, if it has already.
    pub fn cancel(&mut self, id: DeadlineId) -> Option<T> {
        let index = self.deadlines.find(id.0)?;
        self.displace(index);
        Some(self.deadlines.remove(index).item)
    }

    /// Takes one item that is due at `now`, the earliest first.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<T> {
        let now = now.as_nanos() / self.resolution_nanos;
        while self.due.is_empty() && self.turn(now) {}
        let index = self.due.first()?;
        self.due.unlink(&mut self.deadlines, index, |deadline| &mut deadline.links);
        Some(self.deadlines.remove(index).item)
    }

    /// Empties the next slot, if its time comes by `now`; otherwise lets time pass.
    fn turn(&mut self, now: u64) -> bool {
        match self.first_slot() {
            Some((level, slot, start)) if start <= now => {
                self.elapsed = start;
                let Level { occupied, slots } = &mut self.levels[level];
                *occupied &= !(1 << slot);
                let mut list = std::mem::replace(&mut slots[slot], List::EMPTY);
                if level == 0 {
                    self.due = list;
                    return true;
                }
                while let Some(index) = list.first() {
                    list.unlink(&mut self.deadlines, index, |deadline| &mut deadline.links);
                    self.place(index);
                }
                true
            }
            Some(_) | None => {
                self.elapsed = self.elapsed.max(now);
                false
            }
        }
    }

    /// The slot whose time comes first, and when.
    ///
    /// What shares more digits with the present comes earlier, so it is in the lowest level that has anything. Slots at
    /// or before the present's own digit are empty: time has been there.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let (number, level) = self.levels.iter().enumerate().find(|(_, level)| level.occupied != 0)?;
        let slot = level.occupied.trailing_zeros();
        let shift = BITS * u32::try_from(number).expect("there are eleven levels");
        let above = shift + BITS;
        let shared = self.elapsed.checked_shr(above).map_or(0, |digits| digits << above);
        Some((number, slot as usize, shared | u64::from(slot) << shift))
    }

    fn place(&mut self, index: u32) {
        let at = self.deadlines.at(index).at;
        let Self { levels, due, deadlines, elapsed, .. } = self;
        let list = match Place::of(at, *elapsed) {
            Place::Due => due,
            Place::Slot { level, slot } => {
                levels[level].occupied |= 1 << slot;
                &mut levels[level].slots[slot]
            }
        };
        list.push_back(deadlines, index, |deadline| &mut deadline.links);
    }

    /// Takes a deadline out of the list it is in. It was put there when less time had passed, but it is not time that
    /// moves deadlines from slot to slot: until a slot is emptied, what is in it belongs there.
    fn displace(&mut self, index: u32) {
        let at = self.deadlines.at(index).at;
        let Self { levels, due, deadlines, elapsed, .. } = self;
        match Place::of(at, *elapsed) {
            Place::Due => due.unlink(deadlines, index, |deadline| &mut deadline.links),
            Place::Slot { level, slot } => {
                let list = &mut levels[level].slots[slot];
                list.unlink(deadlines, index, |deadline| &mut deadline.links);
                if list.is_empty() {
                    levels[level].occupied &= !(1 << slot);
                }
            }
        }
    }
}

/// Where a deadline waits.
enum Place {
    /// Among those that are due.
    Due,
    /// In a slot.
    Slot { level: usize, slot: usize },
}

impl Place {
    /// The place of a deadline at `at` when everything up to `elapsed` is due.
    fn of(at: u64, elapsed: u64) -> Self {
        if at <= elapsed {
            return Self::Due;
        }
        let level = (at ^ elapsed).ilog2() / BITS;
        let digit = (at >> (level * BITS)) & (SLOTS as u64 - 1);
        Self::Slot { level: level as usize, slot: usize::try_from(digit).expect("a digit is below 64") }
    }
}

/// Bits of a digit.
const BITS: u32 = 6;

/// Slots of a level: the bits of its bitmap.
const SLOTS: usize = 1 << BITS;

/// Levels, so that a digit of each makes up any moment.
const LEVELS: usize = 64_usize.div_ceil(BITS as usize);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn seconds() -> Wheel<u64> {
        Wheel::new(Duration::from_secs(1))
    }

    /// Numbers without an order, the same every time.
    fn noise(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 29)
        }
    }

    // holds S1.11, TM-20
    #[test]
    fn tm_20_each_of_many_mixed_deadlines_falls_due_in_its_own_second() {
        let mut wheel = seconds();
        let mut noise = noise(20);
        let edges = [1, 63, 64, 65, 4095, 4096, 4097, 262_143, 262_144, 262_145, 1_000_000];
        let mut deadlines: Vec<_> = (0..100_000).map(|_| 1 + noise() % 1_000_000).chain(edges).collect();
        for deadline in &deadlines {
            wheel.arm(at(*deadline), *deadline);
        }
        deadlines.sort_unstable();
        let mut expected = deadlines.into_iter().peekable();
        for second in 0..=1_000_000 {
            while let Some(deadline) = wheel.pop_due(at(second)) {
                assert_eq!((deadline, Some(deadline)), (second, expected.next()));
            }
            assert!(expected.peek().is_none_or(|next| *next > second));
        }
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_is_never_early_and_late_by_less_than_the_resolution() {
        let mut wheel = Wheel::new(Duration::from_millis(10));
        wheel.arm(Timestamp::from_nanos(12_000_001), ());
        assert_eq!(wheel.pop_due(Timestamp::from_nanos(19_999_999)), None);
        assert_eq!(wheel.pop_due(Timestamp::from_nanos(20_000_000)), Some(()));
        let mut exact = Wheel::new(Duration::ZERO);
        exact.arm(Timestamp::from_nanos(12_000_001), ());
        assert_eq!(exact.pop_due(Timestamp::from_nanos(12_000_000)), None);
        assert_eq!(exact.pop_due(Timestamp::from_nanos(12_000_001)), Some(()));
    }

    #[test]
    fn the_end_of_time_is_a_deadline_like_any_other() {
        let mut wheel = Wheel::new(Duration::from_nanos(1));
        wheel.arm(Timestamp::from_nanos(u64::MAX), "never");
        wheel.arm(Timestamp::from_nanos(u64::MAX - 1), "nearly");
        assert_eq!(wheel.pop_due(at(1 << 30)), None);
        assert_eq!(wheel.pop_due(Timestamp::from_nanos(u64::MAX - 1)), Some("nearly"));
        assert_eq!(wheel.pop_due(Timestamp::from_nanos(u64::MAX - 1)), None);
        assert_eq!(wheel.pop_due(Timestamp::from_nanos(u64::MAX)), Some("never"));
    }

    /// What an operation costs does not depend on how many others wait: counted, not timed.
    // holds S1.11, S1.10
    #[test]
    fn an_operation_touches_as_many_deadlines_among_a_million_as_among_a_thousand() {
        for others in [1_000, 1_000_000] {
            let mut wheel = seconds();
            let mut noise = noise(others);
            for _ in 0..others {
                wheel.arm(at(2 + noise() % 100_000), 0);
            }
            let mut cost_of = |operation: &mut dyn FnMut(&mut Wheel<u64>)| {
                let before = wheel.deadlines.touched();
                operation(&mut wheel);
                wheel.deadlines.touched() - before
            };
            let mut id = None;
            assert!(cost_of(&mut |wheel| id = Some(wheel.arm(at(50_000), 1))) <= 4);
            assert!(cost_of(&mut |wheel| assert!(wheel.rearm(id.unwrap(), at(70_000)))) <= 9);
            assert!(cost_of(&mut |wheel| assert_eq!(wheel.cancel(id.unwrap()), Some(1))) <= 5);
            let taken = wheel.len() as u64;
            let before = wheel.deadlines.touched();
            while wheel.pop_due(at(200_000)).is_some() {}
            let cost = wheel.deadlines.touched() - before;
            // Three levels and the way out, each a few neighbours.
            assert!(cost <= taken * 24, "{cost} for {taken}");
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Arm(u64),
        Rearm(usize, u64),
        Cancel(usize),
        Clock(u64),
        Pop,
    }

    fn step() -> impl Strategy<Value = Step> {
        // Far and near moments, in every level, and clocks that stand, creep, leap and go back.
        let moment = || prop_oneof![0..200_u64, 0..10_000_u64, (0..u64::BITS).prop_map(|bit| 1 << bit), any::<u64>()];
        prop_oneof![
            3 => moment().prop_map(Step::Arm),
            1 => (any::<usize>(), moment()).prop_map(|(which, at)| Step::Rearm(which, at)),
            1 => any::<usize>().prop_map(Step::Cancel),
            1 => moment().prop_map(Step::Clock),
            4 => Just(Step::Pop),
        ]
    }

    proptest! {
        #[test]
        fn a_wheel_does_as_a_sorted_list_does(steps in proptest::collection::vec(step(), 0..200)) {
            let mut wheel = Wheel::new(Duration::from_nanos(1));
            // Deadline, when it was armed, and the item: the plain meaning.
            let mut model: Vec<(u64, usize, usize)> = Vec::new();
            let mut ids = Vec::new();
            let (mut now, mut latest) = (0, 0);
            for (order, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Arm(at) => {
                        model.push((at.max(latest), order, ids.len()));
                        ids.push(wheel.arm(Timestamp::from_nanos(at), ids.len()));
                    }
                    Step::Rearm(which, at) if !ids.is_empty() => {
                        let item = which % ids.len();
                        let found = model.iter_mut().find(|armed| armed.2 == item);
                        prop_assert_eq!(wheel.rearm(ids[item], Timestamp::from_nanos(at)), found.is_some());
                        if let Some(armed) = found {
                            *armed = (at.max(latest), order, item);
                        }
                    }
                    Step::Cancel(which) if !ids.is_empty() => {
                        let item = which % ids.len();
                        let before = model.len();
                        model.retain(|armed| armed.2 != item);
                        prop_assert_eq!(wheel.cancel(ids[item]).is_some(), model.len() < before);
                    }
                    Step::Rearm(..) | Step::Cancel(_) => {}
                    Step::Clock(then) => now = then,
                    Step::Pop => {
                        model.sort_unstable();
                        let is_due = model.first().is_some_and(|first| first.0 <= now.max(latest));
                        let expected = is_due.then(|| model.remove(0));
                        let popped = wheel.pop_due(Timestamp::from_nanos(now));
                        prop_assert_eq!(popped, expected.map(|(_, _, item)| item));
                        // Time passes as far as it had to look.
                        latest = expected.map_or_else(|| now.max(latest), |(at, ..)| at);
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
