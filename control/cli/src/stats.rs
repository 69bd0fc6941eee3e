//! `ferry stats`: what became of packets.

use std::collections::BTreeMap;
use std::fmt::Write;

use control_api::{Counts, EntryCounts, EventCounts, Reply, Request, RouteStat, Stats};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Paint, Table, count, word};

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let Reply::Stats(stats) = context.ask(&Request::Stats)? else { return Err(Failure::unexpected_answer()) };
    context.say(&stats, |paint| show(&stats, paint))
}

fn show(stats: &Stats, paint: Paint) -> String {
    let mut table = Table::new(["", "received", "transmitted", "punted", "dropped", "originated", "lost", "turns"]);
    for worker in &stats.workers {
        let mut row = row(format!("core {}", worker.core), &worker.counts);
        row.push(count(worker.turns));
        table.row(row);
    }
    table.row(row("total", &stats.total));

    let entries = stats.entries.map(|entries| {
        let EntryCounts { tables, live, trash, references, gateways, counted: with_count } = entries;
        let tables = counted(tables, "table");
        let with_count = if with_count > 0 { format!(", {with_count} counted") } else { String::new() };
        format!(
            "entries: {live} live in {tables}{with_count}, {trash} in the trash, {references} references, \
             {gateways} for gateways\n"
        )
    });
    let rtstat = stats.rtstat.filter(|rtstat| *rtstat != RouteStat::default()).map(|rtstat| {
        let RouteStat { badredirect, dynamic, newgateway, unreach, wildcard } = rtstat;
        format!(
            "lookups: {unreach} found nothing, {wildcard} the default; \
             redirects: {dynamic} made a route, {newgateway} turned one, {badredirect} refused\n"
        )
    });
    let events = stats.events.filter(|events| events.subscribers > 0 || events.built > 0).map(|events| {
        let EventCounts { subscribers, built, lost } = events;
        format!("events: {} listening, {built} told, {lost} lost\n", counted(subscribers, "subscriber"))
    });
    let mut text = format!(
        "up {}, {} IPv4 and {} IPv6 routes, generation {}, {} in memory\n{}{}{}\n{}",
        duration(stats.uptime_seconds),
        stats.routes.ipv4,
        stats.routes.ipv6,
        stats.generation,
        counted(stats.live_snapshots, "snapshot"),
        entries.unwrap_or_default(),
        rtstat.unwrap_or_default(),
        events.unwrap_or_default(),
        table.render(paint)
    );
    let groups =
        [("punted", &stats.total.punted), ("dropped", &stats.total.dropped), ("control thread", &stats.control)];
    for (what, reasons) in groups {
        let mut table = Table::new([what, "packets"]);
        for (reason, packets) in reasons.iter().filter(|(_reason, packets)| **packets > 0) {
            table.row([word(reason), count(*packets)]);
        }
        if !table.is_empty() {
            let _memory = write!(text, "\n{}", table.render(paint));
        }
    }
    text
}

fn row(name: impl Into<String>, counts: &Counts) -> Vec<Cell> {
    let sum = |reasons: &BTreeMap<String, u64>| reasons.values().sum();
    let Counts { received, transmitted, originated, originated_lost, .. } = *counts;
    let (punted, dropped) = (sum(&counts.punted), sum(&counts.dropped));
    let mut row = vec![word(name)];
    row.extend([received, transmitted, punted, dropped, originated, originated_lost].map(count));
    row
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The two largest units: nobody needs the seconds of a day.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        86400.. => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_in_its_two_largest_units() {
        for (seconds, said) in [(5, "5 s"), (65, "1 min 5 s"), (3725, "1 h 2 min"), (90_000, "1 d 1 h")] {
            assert_eq!(duration(seconds), said);
        }
    }
}
