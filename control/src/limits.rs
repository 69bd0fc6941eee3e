//! How many ICMP messages and TCP resets may leave (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).
//!
//! A message needs a token of its source's bucket and one of all sources' together; both are of one [`Class`], so that a
//! flood of one kind leaves the others their share, and a flood of one source leaves the other sources theirs. Whoever
//! floods us is told as much as its own bucket gives, and a trace or a path-MTU discovery of somebody else gets every answer.
//!
//! A source is an address. Whoever has one in an IPv6 /64 may take any other there, so that all of a /64 have a bucket
//! together, with room for several of them: a flood of one leaves its neighbours theirs, and one of made-up neighbours leaves
//! the other networks theirs. Buckets of sources are kept for [`MOST_SOURCES`] at a time, and forgotten when they would be full again anyway, so memory is bounded and a
//! flood from made-up sources meets the limit of all together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::limit::TokenBucket;
use crate::time::Timestamp;

/// So many a second, and a burst of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many a second; at least 1.
    pub per_second: u32,
    /// How many at once; at least 1.
    pub burst: u32,
}

impl Rate {
    /// A full bucket of this.
    fn bucket(self) -> TokenBucket {
        TokenBucket::new(self.per_second.max(1), self.burst.max(1))
    }

    /// What several sources of this rate have together: four times as much, if that leaves half of `common` to others.
    fn of_several(self, common: Self) -> Self {
        let several = |one: u32, all: u32| one.saturating_mul(4).min(all / 2).max(one);
        Self { per_second: several(self.per_second, common.per_second), burst: several(self.burst, common.burst) }
    }

    /// How long an empty bucket takes to be full.
    fn refill(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1) * self.burst.max(1)
    }
}

/// What the configuration says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpLimits {
    /// Errors of each class.
    pub errors: Rate,
    /// Errors of each class about packets of one source.
    pub errors_per_source: Rate,
    /// Answers to echo requests.
    pub echo_replies: Rate,
    /// Answers to echo requests of one source.
    pub echo_replies_per_source: Rate,
}

impl Default for IcmpLimits {
    /// A trace sends 3 packets to each of 30 hops at once, and several traces may run (RFC 4443 section 2.4 f).
    fn default() -> Self {
        Self {
            errors: Rate { per_second: 1_000, burst: 500 },
            errors_per_source: Rate { per_second: 100, burst: 100 },
            echo_replies: Rate { per_second: 20_000, burst: 5_000 },
            echo_replies_per_source: Rate { per_second: 10_000, burst: 2_500 },
        }
    }
}

/// Messages that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// No route, a route that says so, a filter that rejects, a neighbour that does not answer.
    Unreachable,
    /// No hop left.
    HopsExceeded,
    /// Too big for the next link: path MTU discovery hangs on it.
    TooBig,
    /// About packets for us that nobody here takes; resets of TCP, too.
    Local,
    /// A header that makes no sense.
    Malformed,
    /// An answer to an echo request.
    Echo,
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Limits {
    rates: IcmpLimits,
    /// By class, in their order.
    all: [TokenBucket; CLASSES],
    sources: Sources,
}

impl Limits {
    pub(crate) fn new(rates: IcmpLimits) -> Self {
        let mut all = [(); CLASSES].map(|()| rates.errors.bucket());
        all[Class::Echo as usize] = rates.echo_replies.bucket();
        let kinds = [(rates.errors_per_source, rates.errors), (rates.echo_replies_per_source, rates.echo_replies)];
        let refills = kinds.map(|(one, all)| one.refill().max(one.of_several(all).refill()));
        let patience = refills.into_iter().max().unwrap_or_default();
        Self {
            rates,
            all,
            sources: Sources { recent: HashMap::new(), before: HashMap::new(), since: Timestamp::ZERO, patience },
        }
    }

    /// Whether a message may be sent to `source`.
    pub(crate) fn allow(&mut self, class: Class, source: IpAddr, now: Timestamp) -> bool {
        let (rate, common) = match class {
            Class::Echo => (self.rates.echo_replies_per_source, self.rates.echo_replies),
            _ => (self.rates.errors_per_source, self.rates.errors),
        };
        let network = network_of(source).map(|network| ((class, network), rate.of_several(common)));
        let network_has = |take: fn(&mut TokenBucket, Timestamp) -> bool, sources: &mut Sources| match network {
            // Too many sources to tell apart: they have the common bucket alone.
            Some((key, rate)) => sources.bucket(key, rate, now).is_none_or(|bucket| take(bucket, now)),
            None => true,
        };
        // Asked first, and taken from last: nobody's bucket is made for an address of a network that has had its share, and
        // what one source is refused costs its neighbours nothing.
        network_has(TokenBucket::has_one, &mut self.sources)
            && self.sources.bucket((class, source), rate, now).is_none_or(|bucket| bucket.take(now))
            && network_has(TokenBucket::take, &mut self.sources)
            && self.all[class as usize].take(now)
    }
}

/// A bucket for each source that was told something lately.
#[derive(Debug)]
struct Sources {
    recent: HashMap<SourceKey, TokenBucket>,
    /// Those of the time before `since`: what is not asked for again was full before it is forgotten.
    before: HashMap<SourceKey, TokenBucket>,
    since: Timestamp,
    /// How long an empty bucket takes to be full.
    patience: Duration,
}

/// An address, or the first of an IPv6 network, which is no host's.
type SourceKey = (Class, IpAddr);

impl Sources {
    /// The bucket of a source; `None` when there are too many.
    fn bucket(&mut self, key: SourceKey, rate: Rate, now: Timestamp) -> Option<&mut TokenBucket> {
        if now.since(self.since) >= self.patience {
            // Two periods without a question, and even those of the last are full.
            let is_long_ago = now.since(self.since) >= self.patience * 2;
            self.before = std::mem::take(&mut self.recent);
            if is_long_ago {
                self.before.clear();
            }
            self.since = now;
        }
        if !self.recent.contains_key(&key) {
            let known = self.before.remove(&key);
            if self.recent.len() >= MOST_SOURCES {
                return None;
            }
            self.recent.insert(key, known.unwrap_or_else(|| rate.bucket()));
        }
        self.recent.get_mut(&key)
    }
}

/// The /64 that an IPv6 address is in, by its first address.
fn network_of(source: IpAddr) -> Option<IpAddr> {
    match source {
        IpAddr::V4(_) => None,
        IpAddr::V6(source) => Some(Ipv6Addr::from_bits(source.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

const CLASSES: usize = Class::Echo as usize + 1;

/// For how many sources and classes there are buckets at a time: under a MiB of them.
pub(crate) const MOST_SOURCES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn allowed(limits: &mut Limits, class: Class, from: IpAddr, asked: usize, now: Timestamp) -> usize {
        (0..asked).filter(|_| limits.allow(class, from, now)).count()
    }

    const START: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

    #[test]
    fn rfc_084_one_source_s_flood_costs_no_other_source_an_answer() {
        let mut limits = Limits::new(IcmpLimits::default());
        let mut answered = 0;
        for millisecond in 0..2_000 {
            let now = START + Duration::from_millis(millisecond);
            answered += allowed(&mut limits, Class::HopsExceeded, source(1), 100, now);
            if millisecond % 10 == 0 {
                assert!(limits.allow(Class::HopsExceeded, source(2), now), "at {millisecond} ms");
            }
        }
        assert!((290..=310).contains(&answered), "a burst of 100, and 100 a second: {answered}");
    }

    #[test]
    fn rfc_085_a_flood_of_one_class_costs_no_other_class_an_answer_even_to_its_source() {
        let mut limits = Limits::new(IcmpLimits::default());
        allowed(&mut limits, Class::HopsExceeded, source(1), 100_000, START);
        assert!(limits.allow(Class::TooBig, source(1), START));
        assert!(limits.allow(Class::Echo, source(1), START));
    }

    #[test]
    fn rfc_125_a_trace_of_thirty_hops_with_three_packets_each_gets_every_answer() {
        let mut limits = Limits::new(IcmpLimits::default());
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(allowed(&mut limits, Class::HopsExceeded, one, 90, START), 90);
    }

    #[test]
    fn rfc_084_a_flood_of_one_ipv6_address_costs_its_neighbour_no_answer() {
        let mut limits = Limits::new(IcmpLimits::default());
        let [one, neighbour] = ["2001:db8::1", "2001:db8::2"].map(|text| text.parse::<IpAddr>().unwrap());
        for millisecond in 0..2_000 {
            let now = START + Duration::from_millis(millisecond);
            allowed(&mut limits, Class::HopsExceeded, one, 100, now);
            if millisecond % 10 == 0 {
                assert!(limits.allow(Class::HopsExceeded, neighbour, now), "at {millisecond} ms");
            }
        }
    }

    #[test]
    fn rfc_084_a_flood_of_all_addresses_of_a_64_costs_other_networks_no_answer_and_little_memory() {
        let mut limits = Limits::new(IcmpLimits::default());
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        let mut answered = 0;
        for millisecond in 0..2_000 {
            let now = START + Duration::from_millis(millisecond);
            for number in 0..100 {
                let made_up = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 0, u16::try_from(millisecond).unwrap(), number);
                answered += usize::from(limits.allow(Class::HopsExceeded, made_up.into(), now));
            }
            if millisecond % 10 == 0 {
                assert!(limits.allow(Class::HopsExceeded, other, now), "at {millisecond} ms");
            }
        }
        assert!((1_000..=1_100).contains(&answered), "250 at once and 400 a second: {answered}");
        assert!(limits.sources.recent.len() < 1_000, "those that were refused have no bucket");
    }

    #[test]
    fn rfc_084_sources_together_get_no_more_than_the_common_limit_and_memory_is_bounded() {
        let mut limits = Limits::new(IcmpLimits::default());
        let told = (0..100_000).filter(|number| limits.allow(Class::HopsExceeded, source(*number), START)).count();
        assert_eq!(told, 500);
        assert_eq!(limits.sources.recent.len(), MOST_SOURCES);
        let later = START + limits.sources.patience * 2;
        assert!(limits.allow(Class::HopsExceeded, source(7), later));
        assert_eq!((limits.sources.recent.len(), limits.sources.before.len()), (1, 0), "and given back");
    }

    #[test]
    fn an_empty_bucket_is_not_full_again_before_its_time() {
        let mut limits = Limits::new(IcmpLimits::default());
        assert_eq!(allowed(&mut limits, Class::TooBig, source(1), 200, START), 100);
        let soon = START + limits.sources.patience;
        limits.allow(Class::TooBig, source(2), soon);
        let sooner = soon + Duration::from_millis(10);
        assert_eq!(allowed(&mut limits, Class::TooBig, source(1), 200, sooner), 100, "a second is over");
        let again = sooner + Duration::from_millis(100);
        assert_eq!(allowed(&mut limits, Class::TooBig, source(1), 200, again), 10);
    }
}
