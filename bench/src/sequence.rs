//! What became of numbered packets: which came, came twice, or came after one that was sent later.
//!
//! The numbers of a stream are watched through a window of [`WINDOW`] of them, a bit each, that moves with the highest one
//! seen. A packet in order costs a bit. One that is late is compared with those of its own flow that overtook it: routers
//! that share a stream among queues or paths keep the order of each flow, not of all together (RFC 4737 section 3). One that
//! is older than the window has come, but whether once or twice cannot be told.

use serde::Serialize;

/// How many numbers before the highest are remembered.
pub const WINDOW: u64 = 1 << 16;

/// The packets of one stream, as they come.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// One more than the highest number seen.
    next: u64,
    /// Whether the number of this place, modulo [`WINDOW`], was seen; of the last [`WINDOW`] numbers before `next`.
    seen: Box<[u64]>,
    last_gap: Option<u64>,
    counts: Counts,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Different packets that came.
    pub received: u64,
    /// Packets that came once more.
    pub duplicates: u64,
    /// Packets that came after one of their flow that was sent later; received as well.
    pub reordered: u64,
    /// The furthest that one was behind, in packets of the stream.
    pub reordered_by_at_most: u64,
    /// Packets so late that whether they came twice cannot be told; received as well.
    pub stale: u64,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: 0, seen: vec![0; (WINDOW / 64) as usize].into(), last_gap: None, counts: Counts::default() }
    }
}

impl Sequence {
    /// Notes the packet `number`; `flow_of` tells the flow of a number.
    #[inline]
    pub fn note(&mut self, number: u64, flow_of: impl Fn(u64) -> u32) {
        if number >= self.next {
            self.advance(number);
            self.counts.received += 1;
        } else {
            self.note_late(number, flow_of);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// One more than the highest number that came.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The highest number that a later one came before; it may have come since.
    #[must_use]
    pub fn last_gap(&self) -> Option<u64> {
        self.last_gap
    }

    /// Moves the window so that `number` is its last, and seen.
    #[inline]
    fn advance(&mut self, number: u64) {
        if number == self.next {
            self.next += 1;
            self.mark(number);
            return;
        }
        self.last_gap = Some(number - 1);
        if number - self.next >= WINDOW {
            self.seen.fill(0);
        } else {
            (self.next..number).for_each(|missing| self.unmark(missing));
        }
        self.next = number + 1;
        self.mark(number);
    }

    #[cold]
    fn note_late(&mut self, number: u64, flow_of: impl Fn(u64) -> u32) {
        if self.next - number > WINDOW {
            self.counts.received += 1;
            self.counts.stale += 1;
            self.counts.reordered += 1;
            self.counts.reordered_by_at_most = self.counts.reordered_by_at_most.max(self.next - number);
            return;
        }
        if self.is_marked(number) {
            self.counts.duplicates += 1;
            return;
        }
        self.mark(number);
        self.counts.received += 1;
        let flow = flow_of(number);
        if let Some(last) =
            (number + 1..self.next).rev().find(|later| self.is_marked(*later) && flow_of(*later) == flow)
        {
            self.counts.reordered += 1;
            self.counts.reordered_by_at_most = self.counts.reordered_by_at_most.max(last - number);
        }
    }

    #[inline]
    fn mark(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.seen[word] |= bit;
    }

    fn unmark(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.seen[word] &= !bit;
    }

    fn is_marked(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen[word] & bit != 0
    }
}

#[inline]
fn place(number: u64) -> (usize, u64) {
    let at = number % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn counted(numbers: impl IntoIterator<Item = u64>) -> Counts {
        let mut sequence = Sequence::default();
        numbers.into_iter().for_each(|number| sequence.note(number, |_number| 0));
        sequence.counts()
    }

    #[test]
    fn packets_in_order_are_received_and_nothing_else() {
        let received = 3 * WINDOW;
        assert_eq!(counted(0..received), Counts { received, ..Counts::default() });
    }

    #[test]
    fn a_packet_that_comes_again_is_a_duplicate_even_where_the_window_has_turned_round() {
        let before = counted((0..WINDOW + 10).chain([WINDOW + 9, WINDOW, 11]));
        assert_eq!(before, Counts { received: WINDOW + 10, duplicates: 3, ..Counts::default() });
    }

    #[test]
    fn a_packet_overtaken_by_its_own_flow_is_reordered() {
        let counts = counted([0, 2, 3, 1, 4]);
        assert_eq!(counts, Counts { received: 5, reordered: 1, reordered_by_at_most: 2, ..Counts::default() });
    }

    #[test]
    fn a_packet_overtaken_by_other_flows_is_in_its_place() {
        let mut sequence = Sequence::default();
        // Even and odd numbers are two flows on two paths.
        [0, 2, 4, 1, 3, 6, 5].into_iter().for_each(|number| sequence.note(number, |number| u32::from(number % 2 == 1)));
        assert_eq!(sequence.counts(), Counts { received: 7, ..Counts::default() });
    }

    #[test]
    fn a_packet_older_than_the_window_has_come_but_cannot_be_told_from_its_twin() {
        let counts = counted([0, 2 * WINDOW, 1, 1]);
        assert_eq!((counts.received, counts.duplicates, counts.stale), (4, 0, 2));
    }

    #[test]
    fn the_last_gap_ends_right_before_the_packet_that_showed_it() {
        let mut sequence = Sequence::default();
        [0, 1, 4, 9, 10].into_iter().for_each(|number| sequence.note(number, |_number| 0));
        assert_eq!(sequence.last_gap(), Some(8));
    }

    #[test]
    fn a_gap_longer_than_the_window_leaves_nothing_marked() {
        let counts = counted((0..100).chain([10 * WINDOW, 10 * WINDOW - 1, 9 * WINDOW + 50]));
        assert_eq!((counts.received, counts.duplicates), (103, 0));
    }

    proptest! {
        /// Against remembering everything.
        #[test]
        fn the_window_counts_as_a_set_of_all_numbers_does(
            numbers in proptest::collection::vec(0_u64..200, 0..300), flows in 1_u64..4,
        ) {
            #[expect(clippy::cast_possible_truncation, reason = "less than four")]
            let flow_of = |number: u64| (number % flows) as u32;
            let mut sequence = Sequence::default();
            let mut seen = BTreeSet::new();
            let (mut duplicates, mut reordered) = (0, 0);
            for number in numbers {
                sequence.note(number, flow_of);
                if !seen.insert(number) {
                    duplicates += 1;
                } else if seen.range(number + 1..).any(|later| flow_of(*later) == flow_of(number)) {
                    reordered += 1;
                }
            }
            let counts = sequence.counts();
            prop_assert_eq!(counts.received, seen.len() as u64);
            prop_assert_eq!((counts.duplicates, counts.reordered), (duplicates, reordered));
        }
    }
}
