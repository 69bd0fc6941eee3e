//! A route as it was typed, and the request that it means.

use control_api::{
    Family, MetricMask, Network, Request, RouteFlags, RouteMessage, RouteMetrics, Target, Verb as Message,
};

use super::words::{Words, netmask_of, parse_address, parse_mac, parse_prefix, parse_prefix_beside, usage};
use crate::failure::Failure;

/// A route as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    to: Network,
    target: Option<Target>,
    priority: Option<u8>,
    flags: Option<RouteFlags>,
    count: Option<bool>,
    inits: MetricMask,
    metrics: RouteMetrics,
}

impl Typed {
    /// Whether `ip(8)` could say it too.
    fn is_plain(&self) -> bool {
        self.flags.is_none() && self.inits.is_empty() && self.priority.is_none() && self.count.is_none()
    }

    pub(super) fn added(self, fib: u16) -> Request {
        let is_plain = fib == 0 && self.is_plain();
        match self.target {
            Some(target) if is_plain => Request::RouteAdd { to: self.to, target },
            target => Self { target, ..self }.message(Message::Add, fib),
        }
    }

    pub(super) fn replaced(self, fib: u16) -> Result<Request, Failure> {
        let is_plain = fib == 0 && self.is_plain();
        match self.target {
            Some(target) if is_plain => Ok(Request::RouteReplace { to: self.to, target }),
            _ => Err(usage("a route with flags, metrics, a count or a table is changed with `change`")),
        }
    }

    pub(super) fn changed(self, fib: u16) -> Request {
        self.message(Message::Change, fib)
    }

    fn message(self, verb: Message, fib: u16) -> Request {
        Request::RouteMessage(self.into_message(verb, fib))
    }

    pub(super) fn into_message(self, verb: Message, fib: u16) -> RouteMessage {
        let Self { to, target, priority, flags, count, inits, metrics } = self;
        let named = RouteMessage::new(verb, to.address(), Some(netmask_of(to)));
        RouteMessage { fib, target, priority, flags, count, inits, metrics, ..named }
    }
}

/// Reads `[unicast|blackhole|unreachable|prohibit] [to] PREFIX [via GATEWAY] [dev PORT] [FLAG]... [METRIC [lock] NUMBER]...`.
pub(super) fn route(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let typed = typed(words, family)?;
    if typed.target.is_none() {
        return Err(usage("the route leads nowhere: `via GATEWAY` or `dev PORT` is missing"));
    }
    Ok(typed)
}

/// The same of a route that is there.
pub(super) fn changed(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let typed = typed(words, family)?;
    if typed.target.is_none() && typed.is_plain() {
        return Err(usage("nothing is said that would change"));
    }
    Ok(typed)
}

fn typed(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let mut words = Words(words);
    let kind = words.take_one_of(&["unicast", "blackhole", "unreachable", "prohibit"]).unwrap_or("unicast");
    words.take_one_of(&["to"]);
    let prefix = words.next("a PREFIX or `default`")?;
    let (mut gateway, mut dev, mut lladdr, mut priority) = (None, None, None, None);
    let (mut flags, mut count, mut inits, mut metrics) = (None, None, MetricMask::empty(), RouteMetrics::NONE);
    while !words.is_empty() {
        match words.take_one_of(&["via", "dev", "lladdr", "priority", "count", "nocount"]) {
            Some("via") if gateway.is_none() => gateway = Some(parse_address(words.next("a GATEWAY after `via`")?)?),
            Some("dev") if dev.is_none() => dev = Some(words.next("a PORT after `dev`")?.to_owned()),
            Some("lladdr") if lladdr.is_none() => lladdr = Some(parse_mac(words.next("a MAC address")?)?),
            Some("priority") if priority.is_none() => priority = Some(words.priority()?),
            Some(said @ ("count" | "nocount")) if count.is_none() => count = Some(said == "count"),
            Some(again) => return Err(usage(format!("`{again}` is there twice"))),
            None => {
                if let Some((flag, is_set)) = words.take_flag() {
                    // A person adds and changes routes by hand, unless that is what is said not to be.
                    flags.get_or_insert(RouteFlags::STATIC).set(flag, is_set);
                } else if let Some(metric) = words.take_metric() {
                    if inits.contains(metric) {
                        return Err(usage(format!("`{}` is there twice", metric.names().collect::<String>())));
                    }
                    inits |= metric;
                    metrics.locks.set(metric, words.take_one_of(&["lock"]).is_some());
                    set(&mut metrics, metric, words.number()?)?;
                } else {
                    let leads = gateway.is_some() || dev.is_some() || kind != "unicast";
                    return Err(unknown(&words, leads));
                }
            }
        }
    }
    let to = parse_prefix_beside(prefix, family, gateway)?;
    let target = match (kind, gateway, dev, lladdr) {
        ("blackhole", None, None, None) => Some(Target::Blackhole),
        ("unreachable", None, None, None) => Some(Target::Unreachable),
        ("prohibit", None, None, None) => Some(Target::Prohibit),
        ("unicast", Some(gateway), dev, None) => Some(Target::Via { gateway, dev }),
        ("unicast", None, Some(dev), None) => Some(Target::Dev(dev)),
        ("unicast", None, Some(dev), Some(lladdr)) => Some(Target::Station { dev, lladdr }),
        ("unicast", None, None, None) => None,
        ("unicast", ..) => {
            return Err(usage("`lladdr` is of a station on the link of a `dev`, and has no `via` beside it"));
        }
        (kind, ..) => return Err(usage(format!("a route that is {kind} has neither `via` nor `dev`"))),
    };
    Ok(Typed { to, target, priority, flags, count, inits, metrics })
}

/// A word that is none of a route's; `ip(8)` has some that are others here.
fn unknown(words: &Words<'_>, leads: bool) -> Failure {
    let expected = if leads { "`priority N`, a FLAG, a METRIC or nothing more" } else { "`via GATEWAY` or `dev PORT`" };
    let refused = words.unexpected(expected);
    match words.0.first().map(String::as_str) {
        Some("metric" | "preference") => refused.with_hint("write `priority N`: of several routes the lowest counts"),
        Some("table") => refused.with_hint("write `--fib N`"),
        Some("nexthop") => refused.with_hint("add a route for each gateway, with `mpath` and its `weight N`"),
        Some(_) | None => refused,
    }
}

fn set(metrics: &mut RouteMetrics, metric: MetricMask, value: u64) -> Result<(), Failure> {
    let narrow = || u32::try_from(value).map_err(|_too_much| usage(format!("{value} is too much for this metric")));
    let mut given = RouteMetrics::NONE;
    match metric {
        MetricMask::MTU => given.mtu = narrow()?,
        MetricMask::HOPCOUNT => given.hopcount = narrow()?,
        MetricMask::EXPIRE => given.expire = value,
        MetricMask::RECVPIPE => given.recvpipe = value,
        MetricMask::SENDPIPE => given.sendpipe = value,
        MetricMask::SSTHRESH => given.ssthresh = value,
        MetricMask::RTT => given.rtt = value,
        MetricMask::RTTVAR => given.rttvar = value,
        _weight => given.weight = narrow()?,
    }
    metrics.set(metric, &given);
    Ok(())
}

/// Reads `PREFIX METRIC... [unlock METRIC...]`.
pub(super) fn locked(words: &[String], family: Option<Family>, fib: u16) -> Result<Request, Failure> {
    let mut words = Words(words);
    let to = parse_prefix(words.next("a PREFIX or `default`")?, family)?;
    let (mut inits, mut metrics, mut is_locked) = (MetricMask::empty(), RouteMetrics::NONE, true);
    while !words.is_empty() {
        if words.take_one_of(&["unlock"]).is_some() {
            is_locked = false;
        } else {
            let metric = words.take_metric().ok_or_else(|| words.unexpected("a METRIC or `unlock`"))?;
            inits |= metric;
            metrics.locks.set(metric, is_locked);
        }
    }
    if inits.is_empty() {
        return Err(usage("no METRIC is named"));
    }
    Ok(Typed { to, target: None, priority: None, flags: None, count: None, inits, metrics }.message(Message::Lock, fib))
}

/// Reads `[unicast|blackhole|unreachable|prohibit] [to] PREFIX [via GATEWAY] [dev PORT] [priority N] [pinned]`.
pub(super) fn deleted(words: &[String], family: Option<Family>, fib: u16) -> Result<Request, Failure> {
    if let Ok(to) = prefix_alone(words, family)
        && fib == 0
    {
        return Ok(Request::RouteDel { to });
    }
    Ok(deletion(words, family)?.message(Message::Delete, fib))
}

/// The same, as it was typed.
pub(super) fn deletion(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let typed = typed(words, family)?;
    let is_said = !typed.inits.is_empty() || typed.count.is_some();
    if is_said || typed.flags.is_some_and(|flags| flags - RouteFlags::STATIC != RouteFlags::PINNED) {
        return Err(usage("a route is deleted whatever its metrics and flags are, except that it is `pinned`"));
    }
    // That it is static says which it is not.
    Ok(Typed { flags: typed.flags.map(|flags| flags - RouteFlags::STATIC), ..typed })
}

pub(super) fn prefix_alone(words: &[String], family: Option<Family>) -> Result<Network, Failure> {
    let mut words = Words(words);
    words.take_one_of(&["unicast", "blackhole", "unreachable", "prohibit"]);
    words.take_one_of(&["to"]);
    let prefix = parse_prefix(words.next("a PREFIX or `default`")?, family)?;
    if words.is_empty() { Ok(prefix) } else { Err(words.unexpected("nothing more")) }
}

#[cfg(test)]
mod tests {
    use super::super::shown::metrics_of;
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn via(gateway: &str, dev: Option<&str>) -> Target {
        Target::Via { gateway: gateway.parse().unwrap(), dev: dev.map(str::to_owned) }
    }

    #[test]
    fn a_route_is_read_as_ip_reads_it() {
        for (line, to, target) in [
            ("10.0.0.0/8 via 192.0.2.2", "10.0.0.0/8", via("192.0.2.2", None)),
            ("10.0.0.0/8 via 192.0.2.2 dev left", "10.0.0.0/8", via("192.0.2.2", Some("left"))),
            ("10.0.0.0/8 dev left via 192.0.2.2", "10.0.0.0/8", via("192.0.2.2", Some("left"))),
            ("unicast to 10.0.0.0/8 dev left", "10.0.0.0/8", Target::Dev("left".to_owned())),
            ("10.0.0.1 dev left", "10.0.0.1/32", Target::Dev("left".to_owned())),
            ("blackhole 10.9.0.0/16", "10.9.0.0/16", Target::Blackhole),
            ("unreachable 2001:db8::/32", "2001:db8::/32", Target::Unreachable),
            ("default via 192.0.2.2", "0.0.0.0/0", via("192.0.2.2", None)),
            ("default via fe80::1 dev left", "::/0", via("fe80::1", Some("left"))),
            ("unreachable default", "0.0.0.0/0", Target::Unreachable),
            ("prohibit 10.9.0.0/16", "10.9.0.0/16", Target::Prohibit),
        ] {
            let typed = route(&words(line), None).map(|typed| (typed.to, typed.target));
            assert_eq!(typed, Ok((to.parse().unwrap(), Some(target))), "{line}");
        }
        assert_eq!(prefix_alone(&words("default"), Some(Family::Ipv6)), Ok("::/0".parse().unwrap()));
        assert!(prefix_alone(&words("10.0.0.0/8"), Some(Family::Ipv6)).is_err());
        assert_eq!(prefix_alone(&words("blackhole 10.0.0.0/8"), None), Ok("10.0.0.0/8".parse().unwrap()));
    }

    #[test]
    fn words_that_make_no_route_are_refused_for_their_reason() {
        for (line, reason) in [
            ("blackhole", "expected a PREFIX or `default`, and the line ends"),
            ("10.0.0.0/8", "the route leads nowhere: `via GATEWAY` or `dev PORT` is missing"),
            ("10.0.0.0/8 via", "expected a GATEWAY after `via`, and the line ends"),
            ("10.0.0.0/8 via left", "`left` is not an IP address"),
            ("10.0.0.0/8 via 192.0.2.2 via 192.0.2.3", "`via` is there twice"),
            ("10.0.0.0/8 left", "expected `via GATEWAY` or `dev PORT`, found `left`"),
            ("10.0.0.0/8 dev left up", "expected `priority N`, a FLAG, a METRIC or nothing more, found `up`"),
            ("10.0.0.1/8 dev left", "`10.0.0.1/8` has host bits set; the network is `10.0.0.0/8`"),
            ("blackhole 10.0.0.0/8 dev left", "a route that is blackhole has neither `via` nor `dev`"),
        ] {
            let expected = Failure::usage(reason).with_hint("see `ferry route --help`");
            assert_eq!(route(&words(line), None), Err(expected), "{line}");
        }
        for line in [
            "10.0.0.0/8 dev left mtu",
            "10.0.0.0/8 dev left mtu lock",
            "10.0.0.0/8 dev left mtu 4294967296",
            "10.0.0.0/8 dev left mtu 1 mtu 2",
            "10.0.0.0/8 dev left up",
            "10.0.0.0/8 dev left count nocount",
            "10.0.0.0/8 dev left nohost",
        ] {
            assert!(route(&words(line), None).is_err(), "{line}");
        }
        assert!(prefix_alone(&words("10.0.0.0/8 via 192.0.2.2"), None).is_err());
    }

    #[test]
    fn a_word_that_is_another_in_ip_is_refused_with_ours() {
        for (word, ours) in [("metric 5", "priority"), ("table 7", "--fib"), ("nexthop via 192.0.2.3", "mpath")] {
            let refused = route(&words(&format!("10.0.0.0/8 via 192.0.2.2 {word}")), None).unwrap_err();
            assert!(refused.hint().is_some_and(|hint| hint.contains(ours)), "{word}: {refused:?}");
        }
    }

    #[test]
    fn flags_and_metrics_are_read_as_route_reads_them() {
        let line = "10.0.0.0/8 dev left proto1 nostatic mtu lock 1400 rtt 250000 weight 0";
        let typed = route(&words(line), None).unwrap();
        assert_eq!(typed.flags, Some(RouteFlags::PROTO1));
        assert_eq!(typed.inits, MetricMask::MTU | MetricMask::RTT | MetricMask::WEIGHT);
        let metrics = RouteMetrics { locks: MetricMask::MTU, mtu: 1400, rtt: 250_000, weight: 1, ..RouteMetrics::NONE };
        assert_eq!(typed.metrics, metrics);
        assert_eq!(metrics_of(&metrics), " mtu lock 1400 rtt 250000");
        assert!(changed(&words("10.0.0.0/8"), None).is_err(), "it changes nothing");
        let several = route(&words("10.0.0.0/8 via 192.0.2.2 mpath priority 9 weight 3"), None).unwrap();
        assert_eq!((several.priority, several.metrics.weight), (Some(9), 3));
        assert!(several.flags.unwrap().contains(RouteFlags::MPATH));
        assert_eq!(changed(&words("10.0.0.0/8 noreject"), None).unwrap().flags, Some(RouteFlags::STATIC));
    }

    #[test]
    fn what_is_deleted_is_said_as_far_as_it_has_to_be() {
        let read = |line: &str, fib| deleted(&words(line), None, fib);
        assert!(matches!(read("10.0.0.0/8", 0), Ok(Request::RouteDel { .. })));
        for line in ["10.0.0.0/8 via 192.0.2.2", "10.0.0.0/8 priority 9", "10.0.0.0/8 pinned", "10.0.0.0/8 dev left"] {
            let Ok(Request::RouteMessage(message)) = read(line, 0) else { panic!("{line}") };
            assert_eq!(message.verb, Message::Delete, "{line}");
        }
        assert!(matches!(read("10.0.0.0/8", 1), Ok(Request::RouteMessage(_))));
        for line in ["10.0.0.0/8 mtu 1400", "10.0.0.0/8 proto1", "10.0.0.0/8 count", "10.0.0.0/8 priority 256", ""] {
            assert!(read(line, 0).is_err(), "{line}");
        }
    }
}
