//! What is shown of routes: one, with all that its entry says, or many, as a table.

use control_api::{
    MetricMask, Network, NextHopState, Reply, Request, Route as Shown, RouteDetail, RouteFilter, RouteFlags, RouteKind,
    RouteMessage, RouteMetrics, Verb as Message,
};

use super::words::{netmask_of, parse_address, parse_prefix};
use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Table, Tone, count, toned, word};

pub(super) fn get(context: &Context, asked: &str, fib: u16, as_freebsd_12: bool) -> Result<(), Failure> {
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
pub(super) fn metrics_of(metrics: &RouteMetrics) -> String {
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

pub(super) fn show(context: &Context, filter: RouteFilter) -> Result<(), Failure> {
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
