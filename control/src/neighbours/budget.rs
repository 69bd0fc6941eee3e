//! How many questions may be asked on a link, and who goes first.
//!
//! One rate bounds all ARP requests and neighbour solicitations of a port. A quarter of it is kept for neighbours that
//! are in use: a scan of the link spends the rest, and whoever is known is still asked again in time (RFC 6583
//! section 7.1).

use crate::limit::TokenBucket;
use crate::time::Timestamp;

/// The questions of one port.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    all: TokenBucket,
    /// What of them may be about neighbours that nobody knows yet.
    resolving: TokenBucket,
}

impl Budget {
    /// So many questions a second, and a tenth of them at once.
    pub(crate) fn new(questions_per_second: u32) -> Self {
        let per_second = questions_per_second.max(1);
        let bucket = |per_second: u32| TokenBucket::new(per_second, (per_second / 10).max(1));
        Self { all: bucket(per_second), resolving: bucket((per_second - per_second / 4).max(1)) }
    }

    /// Takes a question about a neighbour that is not known.
    pub(crate) fn resolve(&mut self, now: Timestamp) -> bool {
        self.resolving.take(now) && self.all.take(now)
    }

    /// Takes a question about one that is, and may be in use.
    pub(crate) fn refresh(&mut self, now: Timestamp) -> bool {
        self.all.take(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(1) + Duration::from_millis(millis)
    }

    #[test]
    fn a_scan_leaves_a_quarter_of_the_questions_to_those_in_use() {
        let mut budget = Budget::new(1000);
        let (mut resolved, mut refreshed) = (0, 0);
        for millis in 0..10_000 {
            resolved += (0..300).filter(|_| budget.resolve(at(millis))).count();
            refreshed += (0..300).filter(|_| budget.refresh(at(millis))).count();
        }
        assert!((7_400..=7_600).contains(&resolved), "{resolved}");
        assert!((2_400..=2_700).contains(&refreshed), "{refreshed}");
        assert!(resolved + refreshed <= 10_000 + 100);
    }

    #[test]
    fn what_is_kept_can_all_be_spent_on_those_in_use() {
        let mut budget = Budget::new(1000);
        let refreshed = (0..1000).flat_map(|millis| [millis; 10]).filter(|millis| budget.refresh(at(*millis))).count();
        assert!((990..=1100).contains(&refreshed), "{refreshed}");
    }

    #[test]
    fn at_least_one_question_a_second_is_asked() {
        assert!(Budget::new(0).resolve(at(0)));
    }
}
