//! Time as an argument: nothing in this crate asks a clock but the control thread itself.

use std::ops::Add;
use std::time::Duration;

/// A moment, in nanoseconds since some moment that stays the same: the start of the process, or of a capture's epoch.
///
/// Arithmetic saturates: the last moment there is stands for "never".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The first moment there is.
    pub const ZERO: Self = Self(0);

    /// The moment this many nanoseconds after the first.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the first moment.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing if it is yet to come.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_neither_wrap_around_nor_run_backwards() {
        let now = Timestamp::from_nanos(1_000);
        assert_eq!((now + Duration::from_nanos(5)).since(now), Duration::from_nanos(5));
        assert_eq!(now.since(now + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((now + Duration::MAX).as_nanos(), u64::MAX);
    }
}
