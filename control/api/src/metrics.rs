//! The metrics of a route (`struct rt_metrics`), and which of them are meant or locked.
//!
//! All are stored and told again. A request sets those whose bit is among its `inits`, and no other; a lock says that
//! only a person may change a metric, not what the router learns by itself.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::is_default;

bitflags::bitflags! {
    /// A set of metrics; numbers are those of `RTV_*`.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct MetricMask: u16 {
        /// [`RouteMetrics::mtu`].
        const MTU = 0x1;
        /// [`RouteMetrics::hopcount`].
        const HOPCOUNT = 0x2;
        /// [`RouteMetrics::expire`].
        const EXPIRE = 0x4;
        /// [`RouteMetrics::recvpipe`].
        const RECVPIPE = 0x8;
        /// [`RouteMetrics::sendpipe`].
        const SENDPIPE = 0x10;
        /// [`RouteMetrics::ssthresh`].
        const SSTHRESH = 0x20;
        /// [`RouteMetrics::rtt`].
        const RTT = 0x40;
        /// [`RouteMetrics::rttvar`].
        const RTTVAR = 0x80;
        /// [`RouteMetrics::weight`].
        const WEIGHT = 0x100;
    }
}

impl MetricMask {
    /// The metric with this name, in small letters.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter_names().find(|(known, _bit)| known.to_ascii_lowercase() == name).map(|(_known, bit)| bit)
    }

    /// The names of all in it.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.iter_names().map(|(name, _bit)| name.to_ascii_lowercase())
    }
}

impl Serialize for MetricMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for MetricMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let metric =
            |name: &String| Self::named(name).ok_or_else(|| D::Error::custom(format!("`{name}` is no metric")));
        names.iter().map(metric).collect()
    }
}

/// The metrics of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteMetrics {
    /// Those that only a person may change.
    #[serde(skip_serializing_if = "is_default")]
    pub locks: MetricMask,
    /// The longest packet the path carries, in bytes; 0 asks for the port's.
    #[serde(skip_serializing_if = "is_default")]
    pub mtu: u32,
    /// Routers on the path.
    #[serde(skip_serializing_if = "is_default")]
    pub hopcount: u32,
    /// When it is to be deleted, in seconds of the wall clock since 1970; 0 is never. A time that has passed is at once.
    #[serde(skip_serializing_if = "is_default")]
    pub expire: u64,
    /// Bandwidth times delay towards us, in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub recvpipe: u64,
    /// The same from us.
    #[serde(skip_serializing_if = "is_default")]
    pub sendpipe: u64,
    /// Where TCP's slow start ends, in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub ssthresh: u64,
    /// Round-trip time, in [`RouteMetrics::RTT_UNIT`]ths of a second.
    #[serde(skip_serializing_if = "is_default")]
    pub rtt: u64,
    /// Its average deviation, in the same unit.
    #[serde(skip_serializing_if = "is_default")]
    pub rttvar: u64,
    /// Its share among several to the same network; at least 1.
    #[serde(skip_serializing_if = "is_one")]
    pub weight: u32,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self::NONE
    }
}

impl RouteMetrics {
    /// None of them given.
    pub const NONE: Self = Self {
        locks: MetricMask::empty(),
        mtu: 0,
        hopcount: 0,
        expire: 0,
        recvpipe: 0,
        sendpipe: 0,
        ssthresh: 0,
        rtt: 0,
        rttvar: 0,
        weight: 1,
    };

    /// Parts of a second that times are counted in (`RMX_RTTUNIT`): microseconds.
    pub const RTT_UNIT: u64 = 1_000_000;

    /// The round-trip time.
    pub const fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt)
    }

    /// Its average deviation.
    pub const fn rttvar(&self) -> Duration {
        Duration::from_micros(self.rttvar)
    }

    /// Takes those in `inits` from `given`, and leaves the others and the locks.
    pub fn set(&mut self, inits: MetricMask, given: &Self) {
        let is_given = |metric| inits.contains(metric);
        let wide = [
            (MetricMask::EXPIRE, &mut self.expire, given.expire),
            (MetricMask::RECVPIPE, &mut self.recvpipe, given.recvpipe),
            (MetricMask::SENDPIPE, &mut self.sendpipe, given.sendpipe),
            (MetricMask::SSTHRESH, &mut self.ssthresh, given.ssthresh),
            (MetricMask::RTT, &mut self.rtt, given.rtt),
            (MetricMask::RTTVAR, &mut self.rttvar, given.rttvar),
        ];
        let narrow = [
            (MetricMask::MTU, &mut self.mtu, given.mtu),
            (MetricMask::HOPCOUNT, &mut self.hopcount, given.hopcount),
            // A path that gets nothing would be no path.
            (MetricMask::WEIGHT, &mut self.weight, given.weight.max(1)),
        ];
        wide.into_iter().filter(|(metric, ..)| is_given(*metric)).for_each(|(_, here, value)| *here = value);
        narrow.into_iter().filter(|(metric, ..)| is_given(*metric)).for_each(|(_, here, value)| *here = value);
    }

    /// Locks those of `inits` that are in `locks`, unlocks the rest of `inits`, and leaves the others.
    pub fn lock(&mut self, inits: MetricMask, locks: MetricMask) {
        self.locks = self.locks.difference(inits).union(inits.intersection(locks));
    }

    /// As FreeBSD 12 tells them: `mtu`, `expire` and `weight`, and nothing of the others.
    pub fn as_freebsd_12(&self) -> Self {
        Self { mtu: self.mtu, expire: self.expire, weight: self.weight, ..Self::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds S3.29
    #[test]
    fn metrics_have_the_numbers_of_the_kernel() {
        #[rustfmt::skip]
        let numbers = [
            (MetricMask::MTU, 0x1), (MetricMask::HOPCOUNT, 0x2), (MetricMask::EXPIRE, 0x4), (MetricMask::RECVPIPE, 0x8),
            (MetricMask::SENDPIPE, 0x10), (MetricMask::SSTHRESH, 0x20), (MetricMask::RTT, 0x40),
            (MetricMask::RTTVAR, 0x80), (MetricMask::WEIGHT, 0x100),
        ];
        for (metric, number) in numbers {
            assert_eq!(metric.bits(), number, "{metric:?}");
        }
        assert_eq!(numbers.len(), MetricMask::all().iter().count());
    }

    // holds S3.36, S3.37
    #[test]
    fn mt_02_round_trip_times_are_microseconds() {
        let metrics = RouteMetrics { rtt: 250_000, rttvar: 1, ..RouteMetrics::default() };
        assert_eq!((metrics.rtt(), metrics.rttvar()), (Duration::from_millis(250), Duration::from_micros(1)));
        assert_eq!(RouteMetrics::RTT_UNIT, 1_000_000);
    }

    #[test]
    fn only_what_says_something_is_written() {
        assert_eq!(serde_json::to_string(&RouteMetrics::default()).unwrap(), "{}");
        let metrics = RouteMetrics { mtu: 1400, locks: MetricMask::MTU, weight: 3, ..RouteMetrics::default() };
        let json = r#"{"locks":["mtu"],"mtu":1400,"weight":3}"#;
        assert_eq!(serde_json::to_string(&metrics).unwrap(), json);
        assert_eq!(serde_json::from_str::<RouteMetrics>(json).unwrap(), metrics);
        assert!(serde_json::from_str::<RouteMetrics>(r#"{"bandwidth":5}"#).is_err());
    }
}
