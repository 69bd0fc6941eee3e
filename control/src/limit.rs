//! Token buckets: at most so many a second, and a burst of them at once (RFC 4443 section 2.4 f).

use std::time::Duration;

use crate::time::Timestamp;

/// A bucket of tokens that fills by itself.
///
/// Tokens are counted as the time it takes for one to drip in, so nothing is ever rounded away.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    per_token: Duration,
    full: Duration,
    saved: Duration,
    filled_at: Timestamp,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens, into which `per_second` of them drip every second.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let per_token = Duration::from_secs(1) / per_second;
        let full = per_token * burst;
        Self { per_token, full, saved: full, filled_at: Timestamp::ZERO }
    }

    /// Whether there is a token to take.
    pub(crate) fn has_one(&mut self, now: Timestamp) -> bool {
        // A clock that jumps backwards fills nothing, and does not count twice what it fills later.
        self.saved = self.saved.saturating_add(now.since(self.filled_at)).min(self.full);
        self.filled_at = self.filled_at.max(now);
        self.saved >= self.per_token
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.has_one(now);
        let Some(left) = self.saved.checked_sub(self.per_token) else { return false };
        self.saved = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &mut TokenBucket, now: Timestamp) -> usize {
        (0..1000).take_while(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_so_many_a_second() {
        let mut bucket = TokenBucket::new(10, 30);
        let start = Timestamp::from_nanos(5_000_000_000);
        assert_eq!(taken(&mut bucket, start), 30);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(99)), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(100)), 1);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(600)), 5);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(3600)), 30);
    }

    #[test]
    fn a_clock_that_jumps_backwards_gives_nothing_away() {
        let mut bucket = TokenBucket::new(10, 1);
        let start = Timestamp::from_nanos(5_000_000_000);
        assert!(bucket.take(start));
        assert!(!bucket.take(Timestamp::ZERO));
        assert!(!bucket.take(start));
    }
}
