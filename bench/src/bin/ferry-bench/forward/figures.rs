//! What has to be met of what was measured.

use bench::figures::{Figure, Figures};

use super::matrix::{Cell, Family, Flows, Routes, Size, Source};
use super::{EngineName, Report};

/// Which cells have figures to meet: those of ports first, as they are measured.
pub(crate) fn cells() -> Vec<Cell> {
    let beside = BESIDE.iter().map(|(routes, flows, ..)| cell(Source::Pcap, *routes, Family::Ipv4, *flows));
    let memory = IN_MEMORY.iter().map(|(routes, family, flows, ..)| cell(Source::Memory, *routes, *family, *flows));
    beside.chain(memory).collect()
}

/// All that were measured, in the order of [`cells`].
pub(crate) fn figures(report: &Report) -> Figures {
    let (mut ratios, mut added) = (Vec::new(), Vec::new());
    for (routes, flows, what, ratio, cycles) in BESIDE {
        let cell = cell(Source::Pcap, *routes, Family::Ipv4, *flows);
        let measured = report.ports.iter().find(|beside| beside.cell == cell);
        let [share, more] = measured.map_or([f64::NAN; 2], |beside| [beside.ratio, beside.added]);
        ratios.push(Figure::at_least(format!("{what}, net_pcap: rate, of testpmd mac's"), share, ratio[0], ratio[1]));
        added.push(Figure::at_most(
            format!("{what}, net_pcap: cycles added to testpmd mac"),
            more,
            cycles[0],
            cycles[1],
        ));
    }
    let in_memory = IN_MEMORY.iter().map(|(routes, family, flows, what, [must, goal])| {
        let cell = cell(Source::Memory, *routes, *family, *flows);
        let total = total(report, cell, EngineName::Ferry);
        Figure::at_most(format!("{what}, in memory: cycles"), total, *must, *goal)
    });
    let million = cell(Source::Memory, Routes::Full, Family::Ipv4, Flows::Million);
    let others = total(report, million, EngineName::RteFib) / total(report, million, EngineName::Ferry);
    // Its lookups without AVX-512 are another yardstick than those with it.
    let way = if report.avx512 { "with" } else { "without" };
    let what = format!("IPv4, full table, 1 M flows, in memory: rte_fib's cycles ({way} AVX-512), of ours");
    let others = Figure::at_least(what, others, 1.1, 1.3);
    Figures::measured(ratios.into_iter().chain(added).chain(in_memory).chain([others]))
}

/// How many there are when all are measured: two for each row beside testpmd, and that of the table in our place.
pub(crate) fn figures_in_all() -> usize {
    2 * BESIDE.len() + IN_MEMORY.len() + 1
}

fn cell(source: Source, routes: Routes, family: Family, flows: Flows) -> Cell {
    Cell { source, routes, family, flows, size: Size::Least }
}

/// Cycles a packet; not a number if that was not measured.
fn total(report: &Report, cell: Cell, engine: EngineName) -> f64 {
    let measured = report.memory.iter().find(|measured| (measured.cell, measured.engine) == (cell, engine));
    measured.map_or(f64::NAN, |measured| measured.cycles.total)
}

/// What a figure must be, and what is the goal.
type Bounds = [f64; 2];

/// Beside testpmd in mac mode: what the rate has to be of its, and should be; and the same of the cycles added.
#[rustfmt::skip]
const BESIDE: &[(Routes, Flows, &str, Bounds, Bounds)] = &[
    (Routes::One,  Flows::One,     "IPv4, one route, 1 flow",              [0.70, 0.90], [18.0, 8.0]),
    (Routes::Full, Flows::Zipf,    "IPv4, full table, Zipf over 16 k",     [0.66, 0.80], [28.0, 16.0]),
    (Routes::Full, Flows::Million, "IPv4, full table, 1 M flows",          [0.66, 0.80], [50.0, 30.0]),
];

/// In memory: what a packet may cost, and should.
#[rustfmt::skip]
const IN_MEMORY: &[(Routes, Family, Flows, &str, Bounds)] = &[
    (Routes::One,  Family::Ipv4, Flows::One,             "IPv4, one route, 1 flow",       [55.0, 40.0]),
    (Routes::Full, Family::Ipv4, Flows::TenThousand,     "IPv4, full table, 10 k flows",  [70.0, 50.0]),
    (Routes::Full, Family::Ipv4, Flows::HundredThousand, "IPv4, full table, 100 k flows", [80.0, 55.0]),
    (Routes::Full, Family::Ipv4, Flows::Million,         "IPv4, full table, 1 M flows",   [95.0, 65.0]),
    (Routes::Full, Family::Ipv6, Flows::Million,         "IPv6, full table, 1 M flows",   [120.0, 80.0]),
];

#[cfg(test)]
mod tests {
    use super::super::InMemory;
    use super::super::beside::Beside;
    use super::super::matrix;
    use super::super::memory::Cost;
    use super::*;

    fn in_memory(cell: Cell, engine: EngineName, total: f64) -> InMemory {
        let cycles = Cost { total, receive: 0.0, classify: 0.0, lookup: 0.0, rewrite: 0.0, transmit: 0.0 };
        InMemory { cell, engine, cycles, nanoseconds: 0.0 }
    }

    fn of_ports(cell: Cell, ratio: f64, added: f64) -> Beside {
        let [ratio_low, ratio_high] = [ratio; 2];
        Beside { cell, ratio, ratio_low, ratio_high, ratio_io: ratio, added, ferry: 0.0, mac: 0.0, io: 0.0 }
    }

    /// All cells that have figures, each with the same cost.
    fn report(total: f64, ratio: f64, added: f64) -> Report {
        let (ports, memory) = cells().into_iter().partition::<Vec<_>, _>(|cell| cell.source == Source::Pcap);
        let engines = [(EngineName::Ferry, total), (EngineName::RteFib, 1.2 * total)];
        let memory = memory.into_iter().flat_map(|cell| engines.map(|(name, total)| in_memory(cell, name, total)));
        Report {
            memory: memory.collect(),
            ports: ports.into_iter().map(|cell| of_ports(cell, ratio, added)).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn cells_with_figures_are_part_of_the_whole_and_give_all_figures() {
        let whole = matrix::chosen("").unwrap();
        assert!(cells().iter().all(|cell| whole.contains(cell)));
        assert_eq!(figures(&report(50.0, 0.7, 10.0)).len(), figures_in_all());
    }

    #[test]
    fn each_figure_is_that_of_its_own_cell_and_engine() {
        let shown = figures(&report(66.0, 0.68, 20.0)).to_string();
        let verdicts: Vec<_> = shown.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap()).collect();
        let beside = ["MISSED", "met", "met", "MISSED", "met", "goal"];
        let in_memory = ["MISSED", "met", "met", "met", "goal"];
        assert_eq!(verdicts, [&beside[..], &in_memory, &["met"]].concat(), "{shown}");
    }

    #[test]
    fn what_rte_fib_takes_says_whether_it_looked_up_with_avx_512() {
        for (avx512, words) in
            [(true, "rte_fib's cycles (with AVX-512)"), (false, "rte_fib's cycles (without AVX-512)")]
        {
            let shown = figures(&Report { avx512, ..report(66.0, 0.68, 20.0) }).to_string();
            assert!(shown.contains(words), "{shown}");
        }
    }

    #[test]
    fn only_what_was_measured_has_figures() {
        let cell = matrix::chosen("memory,full,1m,64,ipv6").unwrap()[0];
        let report = Report { memory: vec![in_memory(cell, EngineName::Ferry, 97.0)], ..Report::default() };
        assert_eq!(figures(&report).len(), 1, "of one engine alone there is no comparison either");
        let cell = Cell { size: Size::Most, ..cell };
        let report = Report { memory: vec![in_memory(cell, EngineName::Ferry, 97.0)], ..Report::default() };
        assert_eq!(figures(&report).len(), 0, "frames of other lengths have none");
    }
}
