//! `ferry route`: in the words of `ip route`, and of `route(8)` for what `ip` has no words for.
//!
//! A route that `ip(8)` could say too is asked for as such; one with flags, metrics or a table of its own as a message.

mod batch;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{
    Family, MetricMask, Network, NetworkError, NextHopState, Reply, Request, Route as Shown, RouteDetail, RouteFilter,
    RouteFlags, RouteKind, RouteMessage, RouteMetrics, Selection, Target, Verb as Message,
};
use packet::ethernet::MacAddr;

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Table, Tone, count, toned, word};

#[derive(Debug, Args)]
pub(crate) struct Route {
    /// The table of routes; 0 is the one packets are forwarded by.
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    fib: u16,
    /// What to do; `show` if nothing is said.
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show routes: all, PREFIX, root PREFIX (and below), match PREFIX (and above); [dev PORT].
    #[command(visible_alias = "list")]
    #[command(override_usage = "ferry route show [[root|match] PREFIX] [dev PORT]")]
    Show {
        /// Which routes.
        #[arg(value_name = "WHICH")]
        words: Vec<String>,
    },
    /// Add a route: PREFIX via GATEWAY [dev PORT], PREFIX dev PORT [lladdr MAC], blackhole PREFIX,
    /// unreachable PREFIX, prohibit PREFIX.
    ///
    /// After it may stand flags (proto1 proto2 proto3 reject blackhole pinned cloning xresolve, nostatic ...) and metrics,
    /// each as `NAME [lock] NUMBER` (mtu hopcount expire recvpipe sendpipe ssthresh rtt rttvar weight).
    ///
    /// Several routes to one PREFIX: those of the lowest `priority N` (1 to 63, 8 if not said) count. With `mpath` a route
    /// shares with those that have its priority, each as much as its `weight N` says.
    ///
    /// With `count` packets that are sent by it are counted, and shown as `pksent`.
    #[command(override_usage = ADD_USAGE)]
    Add {
        /// The route; PREFIX may be `default`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Add a route, or put it in place of the one to the same PREFIX.
    #[command(override_usage = REPLACE_USAGE)]
    Replace {
        /// The route, as for `add`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Change a route: PREFIX [via GATEWAY] [dev PORT], `count` or `nocount`, flags and metrics as for `add`; what is not
    /// said stays.
    ///
    /// Where flags are said, all that can be changed are: proto1 proto2 proto3 reject blackhole xresolve, and static
    /// unless `nostatic` is said.
    #[command(override_usage = CHANGE_USAGE)]
    Change {
        /// The route, as for `add`.
        #[arg(value_name = "ROUTE", required = true)]
        words: Vec<String>,
    },
    /// Lock metrics, so that only people change them: PREFIX METRIC... [unlock METRIC...].
    #[command(override_usage = "ferry route lock PREFIX METRIC... [unlock METRIC...]")]
    Lock {
        /// The route and its metrics.
        #[arg(value_name = "METRICS", required = true)]
        words: Vec<String>,
    },
    /// Add, change and delete many routes, read from FILE: a line for each, as after `ferry route`.
    ///
    /// Each thousand lines become visible to packets in one step. A line that is refused leaves the others.
    Batch {
        /// The file, or `-` for standard input; lines that begin with `#` are passed over.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete all static routes, or those that `show` would show for the same words; pinned ones stay.
    #[command(override_usage = "ferry route flush [[root|match] PREFIX] [dev PORT]")]
    Flush {
        /// Which routes.
        #[arg(value_name = "WHICH")]
        words: Vec<String>,
    },
    /// Delete a route.
    #[command(visible_alias = "delete")]
    #[command(override_usage = "ferry route del PREFIX [via GATEWAY] [dev PORT] [priority N] [pinned]")]
    Del {
        /// Its PREFIX, or `default`; and of several routes to it, which.
        #[arg(value_name = "PREFIX", required = true)]
        words: Vec<String>,
    },
    /// Ask which route a packet to ADDRESS takes, or for the one to exactly PREFIX.
    Get {
        /// The packet's destination, or a PREFIX with its length.
        #[arg(value_name = "ADDRESS|PREFIX")]
        address: String,
        /// Tell metrics as this system does: those FreeBSD 12 does not supply are left out.
        #[arg(long, value_name = "SYSTEM", value_parser = ["freebsd12"])]
        compat: Option<String>,
    },
}

const ADD_USAGE: &str = "\
ferry route add PREFIX via GATEWAY [dev PORT]
       ferry route add PREFIX dev PORT [lladdr MAC]
       ferry route add blackhole|unreachable|prohibit PREFIX
       each with [priority N] [count] [FLAG]... [METRIC [lock] NUMBER]... after it";

const CHANGE_USAGE: &str = "\
ferry route change PREFIX [via GATEWAY] [dev PORT [lladdr MAC]] [count|nocount] [FLAG]... [METRIC [lock] NUMBER]...";

const REPLACE_USAGE: &str = "\
ferry route replace PREFIX via GATEWAY [dev PORT]
       ferry route replace PREFIX dev PORT
       ferry route replace blackhole|unreachable|prohibit PREFIX";

impl Route {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let family = context.family();
        let fib = self.fib;
        match self.verb.unwrap_or(Verb::Show { words: Vec::new() }) {
            Verb::Show { words } => show(context, RouteFilter { fib, ..filter(&words, family)? }),
            Verb::Flush { words } => flush(context, RouteFilter { fib, ..filter(&words, family)? }),
            Verb::Batch { file } => batch::run(context, &file, fib),
            Verb::Add { words } => change(context, &route(&words, family)?.added(fib)),
            Verb::Replace { words } => change(context, &route(&words, family)?.replaced(fib)?),
            Verb::Change { words } => change(context, &changed(&words, family)?.changed(fib)),
            Verb::Lock { words } => change(context, &locked(&words, family, fib)?),
            Verb::Del { words } => change(context, &deleted(&words, family, fib)?),
            Verb::Get { address, compat } => get(context, &address, fib, compat.is_some()),
        }
    }
}

fn change(context: &Context, request: &Request) -> Result<(), Failure> {
    match context.ask(request)? {
        // As with `ip`, no news is good news.
        Reply::Done => context.say(&serde_json::json!({ "done": true }), |_paint| String::new()),
        Reply::Route(route) => context.say(&route, |_paint| String::new()),
        _another => Err(Failure::unexpected_answer()),
    }
}

fn flush(context: &Context, filter: RouteFilter) -> Result<(), Failure> {
    let Reply::Flushed(count) = context.ask(&Request::RouteFlush { filter })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&serde_json::json!({ "flushed": count }), |_paint| match count {
        1 => "1 route deleted\n".to_owned(),
        count => format!("{count} routes deleted\n"),
    })
}

fn get(context: &Context, asked: &str, fib: u16, as_freebsd_12: bool) -> Result<(), Failure> {
    let message = |network: Network, netmask| {
        Request::RouteMessage(RouteMessage { fib, ..RouteMessage::new(Message::Get, network.address(), netmask) })
    };
    let request = if asked.contains('/') || asked == "default" {
        let network = parse_prefix(asked, context.family())?;
        message(network, Some(netmask_of(network)))
    } else {
        let address = parse_address(asked)?;
        if fib == 0 { Request::RouteGet { address } } else { message(Network::host(address), None) }
    };
    let Reply::Route(mut route) = context.ask(&request)? else { return Err(Failure::unexpected_answer()) };
    if let Some(detail) = route.detail.as_mut().filter(|_detail| as_freebsd_12) {
        detail.metrics = detail.metrics.as_freebsd_12();
    }
    context.say(&route, |_paint| {
        let kind = if route.kind == RouteKind::Unicast { String::new() } else { format!("{} ", route.kind.name()) };
        let via = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        let dev = route.dev.as_ref().map(|dev| format!(" dev {dev}")).unwrap_or_default();
        let state = route.next_hop.map(|state| format!(", {}", state.name())).unwrap_or_default();
        let detail = route.detail.as_ref().map(more).unwrap_or_default();
        format!("{kind}{asked}{via}{dev} by {} proto {}{state}\n{detail}", route.dst, route.protocol.name())
    })
}

/// What an entry says beyond where its route leads.
fn more(detail: &RouteDetail) -> String {
    let ifa = detail.ifa.map(|ifa| format!(" src {ifa}")).unwrap_or_default();
    let metrics = metrics_of(&detail.metrics);
    let sent = detail.pksent.map(|packets| format!(" pksent {packets}")).unwrap_or_default();
    let (flags, table, priority) = (detail.flags.letters(), detail.fib, detail.priority);
    format!("    flags {flags} table {table} priority {priority}{ifa}{metrics}{sent}\n")
}

/// Metrics that say something, in the words that set them.
fn metrics_of(metrics: &RouteMetrics) -> String {
    let RouteMetrics { locks, mtu, hopcount, expire, recvpipe, sendpipe, ssthresh, rtt, rttvar, weight } = *metrics;
    let values = [
        (MetricMask::MTU, u64::from(mtu)),
        (MetricMask::HOPCOUNT, u64::from(hopcount)),
        (MetricMask::EXPIRE, expire),
        (MetricMask::RECVPIPE, recvpipe),
        (MetricMask::SENDPIPE, sendpipe),
        (MetricMask::SSTHRESH, ssthresh),
        (MetricMask::RTT, rtt),
        (MetricMask::RTTVAR, rttvar),
        (MetricMask::WEIGHT, u64::from(weight) - u64::from(weight == 1)),
    ];
    let said = values.into_iter().filter(|(metric, value)| *value > 0 || locks.contains(*metric));
    said.map(|(metric, value)| {
        let lock = if locks.contains(metric) { "lock " } else { "" };
        format!(" {} {lock}{value}", metric.names().collect::<String>())
    })
    .collect()
}

fn show(context: &Context, filter: RouteFilter) -> Result<(), Failure> {
    let Reply::Routes(routes) = context.ask(&Request::RouteShow { filter })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&routes, |paint| {
        let is_any = |what: fn(&RouteDetail) -> bool| routes.iter().filter_map(|route| route.detail.as_ref()).any(what);
        let columns: Vec<_> = COLUMNS.iter().filter(|column| column.is_for.is_none_or(is_any)).collect();
        let mut table = Table::new(columns.iter().map(|column| column.name));
        routes
            .iter()
            .for_each(|route| table.row(columns.iter().map(|column| (column.cell)(route)).collect::<Vec<_>>()));
        if table.is_empty() { "no routes\n".to_owned() } else { table.render(paint) }
    })
}

/// What is shown of routes, and for which of them: if none is such a one, the column is left out.
struct Column {
    name: &'static str,
    is_for: Option<fn(&RouteDetail) -> bool>,
    cell: fn(&Shown) -> Cell,
}

impl Column {
    const fn of_all(name: &'static str, cell: fn(&Shown) -> Cell) -> Self {
        Self { name, is_for: None, cell }
    }

    const fn of_some(name: &'static str, is_for: fn(&RouteDetail) -> bool, cell: fn(&Shown) -> Cell) -> Self {
        Self { name, is_for: Some(is_for), cell }
    }
}

const COLUMNS: [Column; 10] = [
    Column::of_all("destination", |route| word(route.dst.to_string())),
    Column::of_all("type", |route| word(route.kind.name())),
    Column::of_all("via", |route| word(route.gateway.map(|gateway| gateway.to_string()).unwrap_or_default())),
    Column::of_all("dev", |route| word(route.dev.clone().unwrap_or_default())),
    Column::of_all("protocol", |route| word(route.protocol.name())),
    Column::of_all("next hop", |route| match route.next_hop {
        Some(state @ NextHopState::Resolved) => toned(state.name(), Tone::Good),
        Some(state @ NextHopState::Unresolved) => toned(state.name(), Tone::Doubtful),
        None => word(""),
    }),
    Column::of_some("flags", |_any| true, |route| of_detail(route, |detail| detail.flags.letters())),
    Column::of_some("priority", is_one_of_several, |route| of_detail(route, |detail| detail.priority.to_string())),
    Column::of_some("weight", is_one_of_several, |route| of_detail(route, |detail| detail.metrics.weight.to_string())),
    Column::of_some(
        "pksent",
        |detail| detail.pksent.is_some(),
        |route| route.detail.as_ref().and_then(|detail| detail.pksent).map_or_else(|| word(""), count),
    ),
];

fn is_one_of_several(detail: &RouteDetail) -> bool {
    detail.flags.contains(RouteFlags::MPATH) || detail.is_prioritised()
}

fn of_detail(route: &Shown, what: fn(&RouteDetail) -> String) -> Cell {
    word(route.detail.as_ref().map(what).unwrap_or_default())
}

/// A route as it was typed.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
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

    fn added(self, fib: u16) -> Request {
        let is_plain = fib == 0 && self.is_plain();
        match self.target {
            Some(target) if is_plain => Request::RouteAdd { to: self.to, target },
            target => Self { target, ..self }.message(Message::Add, fib),
        }
    }

    fn replaced(self, fib: u16) -> Result<Request, Failure> {
        let is_plain = fib == 0 && self.is_plain();
        match self.target {
            Some(target) if is_plain => Ok(Request::RouteReplace { to: self.to, target }),
            _ => Err(usage("a route with flags, metrics, a count or a table is changed with `change`")),
        }
    }

    fn changed(self, fib: u16) -> Request {
        self.message(Message::Change, fib)
    }

    fn message(self, verb: Message, fib: u16) -> Request {
        Request::RouteMessage(self.into_message(verb, fib))
    }

    fn into_message(self, verb: Message, fib: u16) -> RouteMessage {
        let Self { to, target, priority, flags, count, inits, metrics } = self;
        let named = RouteMessage::new(verb, to.address(), Some(netmask_of(to)));
        RouteMessage { fib, target, priority, flags, count, inits, metrics, ..named }
    }
}

/// Reads `[unicast|blackhole|unreachable|prohibit] [to] PREFIX [via GATEWAY] [dev PORT] [FLAG]... [METRIC [lock] NUMBER]...`.
fn route(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let typed = typed(words, family)?;
    if typed.target.is_none() {
        return Err(usage("the route leads nowhere: `via GATEWAY` or `dev PORT` is missing"));
    }
    Ok(typed)
}

/// The same of a route that is there.
fn changed(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
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
                    return Err(words.unexpected("`via GATEWAY` or `dev PORT`"));
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
fn locked(words: &[String], family: Option<Family>, fib: u16) -> Result<Request, Failure> {
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
fn deleted(words: &[String], family: Option<Family>, fib: u16) -> Result<Request, Failure> {
    if let Ok(to) = prefix_alone(words, family)
        && fib == 0
    {
        return Ok(Request::RouteDel { to });
    }
    Ok(deletion(words, family)?.message(Message::Delete, fib))
}

/// The same, as it was typed.
fn deletion(words: &[String], family: Option<Family>) -> Result<Typed, Failure> {
    let typed = typed(words, family)?;
    let is_said = !typed.inits.is_empty() || typed.count.is_some();
    if is_said || typed.flags.is_some_and(|flags| flags - RouteFlags::STATIC != RouteFlags::PINNED) {
        return Err(usage("a route is deleted whatever its metrics and flags are, except that it is `pinned`"));
    }
    // That it is static says which it is not.
    Ok(Typed { flags: typed.flags.map(|flags| flags - RouteFlags::STATIC), ..typed })
}

fn prefix_alone(words: &[String], family: Option<Family>) -> Result<Network, Failure> {
    let mut words = Words(words);
    words.take_one_of(&["unicast", "blackhole", "unreachable", "prohibit"]);
    words.take_one_of(&["to"]);
    let prefix = parse_prefix(words.next("a PREFIX or `default`")?, family)?;
    if words.is_empty() { Ok(prefix) } else { Err(words.unexpected("nothing more")) }
}

/// The mask that says how long a network's prefix is.
fn netmask_of(network: Network) -> IpAddr {
    let len = u32::from(network.len());
    match network {
        Network::V4(_) => Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        Network::V6(_) => Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    }
}

/// Reads `[to] [[root|match|exact] PREFIX] [dev PORT]`.
fn filter(words: &[String], family: Option<Family>) -> Result<RouteFilter, Failure> {
    let mut words = Words(words);
    let mut filter = RouteFilter { family, ..RouteFilter::default() };
    while !words.is_empty() {
        words.take_one_of(&["to"]);
        match words.take_one_of(&["root", "match", "exact", "dev"]) {
            Some("dev") => filter.dev = Some(words.next("a PORT after `dev`")?.to_owned()),
            Some("root") => filter.to = Selection::Root(parse_prefix(words.next("a PREFIX after `root`")?, family)?),
            Some("match") => filter.to = Selection::Match(parse_prefix(words.next("a PREFIX after `match`")?, family)?),
            Some(_exact) => filter.to = Selection::Exact(parse_prefix(words.next("a PREFIX after `exact`")?, family)?),
            None => filter.to = Selection::Exact(parse_prefix(words.next("a PREFIX")?, family)?),
        }
    }
    Ok(filter)
}

pub(crate) fn parse_prefix(text: &str, family: Option<Family>) -> Result<Network, Failure> {
    parse_prefix_beside(text, family, None)
}

/// Reads a prefix; `default` is of the family asked for, or else of the gateway's, or else IPv4 as in `ip`.
fn parse_prefix_beside(text: &str, family: Option<Family>, gateway: Option<IpAddr>) -> Result<Network, Failure> {
    if text == "default" {
        let family = family.or_else(|| gateway.map(Family::of)).unwrap_or(Family::Ipv4);
        return Ok(family.default_route());
    }
    let network: Network = text.parse().map_err(|error: NetworkError| usage(error.to_string()))?;
    match family {
        Some(family) if family != network.family() => Err(usage(format!("`{text}` is not an {family} network"))),
        Some(_) | None => Ok(network),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_no_address| usage(format!("`{text}` is not an IP address")))
}

fn parse_mac(text: &str) -> Result<MacAddr, Failure> {
    text.parse().map_err(|_no_mac| usage(format!("`{text}` is not a MAC address")))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::usage(message).with_hint("see `ferry route --help`")
}

/// The words that are left.
struct Words<'w>(&'w [String]);

impl<'w> Words<'w> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self, expected: &str) -> Result<&'w str, Failure> {
        let Some((first, rest)) = self.0.split_first() else {
            return Err(usage(format!("expected {expected}, and the line ends")));
        };
        self.0 = rest;
        Ok(first)
    }

    fn take_one_of(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let (first, rest) = self.0.split_first()?;
        let keyword = keywords.iter().find(|keyword| first == *keyword)?;
        self.0 = rest;
        Some(keyword)
    }

    /// The flag that the next word sets, or with `no` before it clears.
    fn take_flag(&mut self) -> Option<(RouteFlags, bool)> {
        let (first, rest) = self.0.split_first()?;
        let may_be_typed =
            |flag: &RouteFlags| (RouteFlags::SETTABLE | RouteFlags::MPATH).contains(*flag) && *flag != RouteFlags::HOST;
        let (name, is_set) = match first.strip_prefix("no") {
            Some(name) => (name, false),
            None => (first.as_str(), true),
        };
        let flag = RouteFlags::named(name).filter(may_be_typed)?;
        self.0 = rest;
        Some((flag, is_set))
    }

    fn take_metric(&mut self) -> Option<MetricMask> {
        let (first, rest) = self.0.split_first()?;
        let metric = MetricMask::named(first)?;
        self.0 = rest;
        Some(metric)
    }

    fn number(&mut self) -> Result<u64, Failure> {
        let text = self.next("a NUMBER")?;
        text.parse().map_err(|_no_number| usage(format!("`{text}` is not a number")))
    }

    fn priority(&mut self) -> Result<u8, Failure> {
        let number = self.number()?;
        u8::try_from(number).map_err(|_too_much| usage(format!("{number} is no priority: give one from 1 to 63")))
    }

    fn unexpected(&self, expected: &str) -> Failure {
        usage(format!("expected {expected}, found `{}`", self.0.join(" ")))
    }
}

#[cfg(test)]
mod tests {
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
            ("10.0.0.0/8 via 192.0.2.2 metric 5", "expected `via GATEWAY` or `dev PORT`, found `metric 5`"),
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

    #[test]
    fn a_mask_has_as_many_ones_as_its_network_is_long() {
        for (network, mask) in [
            ("0.0.0.0/0", "0.0.0.0"),
            ("10.0.0.0/9", "255.128.0.0"),
            ("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::"),
        ] {
            assert_eq!(netmask_of(network.parse().unwrap()), mask.parse::<IpAddr>().unwrap(), "{network}");
        }
    }

    #[test]
    fn what_to_show_is_read_as_ip_reads_it() {
        let prefix = "10.0.0.0/8".parse().unwrap();
        for (line, to, dev) in [
            ("", Selection::All, None),
            ("10.0.0.0/8", Selection::Exact(prefix), None),
            ("exact 10.0.0.0/8", Selection::Exact(prefix), None),
            ("root 10.0.0.0/8 dev left", Selection::Root(prefix), Some("left")),
            ("dev left to match 10.0.0.0/8", Selection::Match(prefix), Some("left")),
        ] {
            let expected = RouteFilter { dev: dev.map(str::to_owned), to, ..RouteFilter::default() };
            assert_eq!(filter(&words(line), None), Ok(expected), "{line}");
        }
    }
}
