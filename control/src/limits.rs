//! How many ICMP messages and TCP resets may leave (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).
//!
//! A message needs a token of its source's bucket and one of all sources' together; both are of one [`Class`], so that a
//! flood of one kind leaves the others their share, and a flood of one source leaves the other sources theirs. Whoever
//! floods us is told as much as its own bucket gives, and a trace or a path-MTU discovery of somebody else gets every answer.
//!
//! A source is an IPv4 address, or the first half of an IPv6 address: whoever has a /64 has all of it. Buckets of sources
//! are kept for [`MOST_SOURCES`] at a time, and forgotten when they would be full again anyway, so memory is bounded and a
//! flood from made-up sources meets the limit of all together.

use std::collections::HashMap;
use std::net::IpAddr;
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
        let patience = rates.errors_per_source.refill().max(rates.echo_replies_per_source.refill());
        Self {
            rates,
            all,
            sources: Sources { recent: HashMap::new(), before: HashMap::new(), since: Timestamp::ZERO, patience },
        }
    }

    /// Whether a message may be sent to `source`.
    pub(crate) fn allow(&mut self, class: Class, source: IpAddr, now: Timestamp) -> bool {
        let rate = match class {
            Class::Echo => self.rates.echo_replies_per_source,
            _ => self.rates.errors_per_source,
        };
        let may_have_more = match self.sources.bucket((class, source_of(source)), rate, now) {
            Some(bucket) => bucket.take(now),
            // Too many sources to tell apart: they have the common bucket alone.
            None => true,
        };
        may_have_more && self.all[class as usize].take(now)
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

type SourceKey = (Class, u64);

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

fn source_of(source: IpAddr) -> u64 {
    match source {
        IpAddr::V4(source) => source.to_bits().into(),
        IpAddr::V6(source) => (source.to_bits() >> 64) as u64,
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
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        assert_eq!(
            allowed(&mut limits, Class::HopsExceeded, neighbour, 90, START),
            10,
            "whoever has a /64 has all of it"
        );
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
