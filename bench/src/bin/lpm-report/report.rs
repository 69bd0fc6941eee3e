//! What was found, as a table, as JSON, and as pictures.

use std::fmt::Write;
use std::path::Path;

use bench::figures::Figures;
use serde::Serialize;

use crate::updates::{Publishing, Reader};
use crate::worker::Worker;

/// Everything the report says.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) routes_v4: usize,
    pub(crate) routes_v6: usize,
    pub(crate) next_hops: u32,
    pub(crate) engines: Vec<Table>,
    pub(crate) lookups: Vec<Lookups>,
    /// By workload.
    pub(crate) worker: Vec<(&'static str, Worker)>,
    pub(crate) publishing: Publishing,
    pub(crate) reader: Reader,
    pub(crate) updates_per_second: Vec<(&'static str, f64)>,
    pub(crate) figures: Figures,
}

/// What it took to build a table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Table {
    pub(crate) engine: &'static str,
    pub(crate) family: &'static str,
    pub(crate) build_seconds: f64,
    pub(crate) megabytes: f64,
    /// Routes it did not take.
    pub(crate) refused: usize,
}

/// How fast an engine answers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lookups {
    pub(crate) family: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) engine: &'static str,
    pub(crate) burst: usize,
    /// Lookups per second, in millions.
    pub(crate) millions: f64,
    /// Samples taken while the machine was quiet.
    pub(crate) quiet_samples: usize,
}

impl Report {
    /// Lookups of one engine, in millions per second; not a number if it was not measured.
    pub(crate) fn millions(&self, family: &str, workload: &str, engine: &str, burst: usize) -> f64 {
        let is_it = |lookups: &&Lookups| {
            (lookups.family, lookups.workload, lookups.engine, lookups.burst) == (family, workload, engine, burst)
        };
        self.lookups.iter().find(is_it).map_or(f64::NAN, |lookups| lookups.millions)
    }

    /// Bursts that were measured, in order.
    fn bursts(&self) -> Vec<usize> {
        let mut bursts: Vec<usize> = self.lookups.iter().map(|lookups| lookups.burst).collect();
        bursts.sort_unstable();
        bursts.dedup();
        bursts
    }

    /// Pairs of family and workload, in order of appearance.
    fn workloads(&self) -> Vec<(&'static str, &'static str)> {
        let mut workloads: Vec<_> = self.lookups.iter().map(|lookups| (lookups.family, lookups.workload)).collect();
        workloads.dedup();
        workloads
    }

    /// Engines measured in one workload, in order.
    fn engines(&self, family: &str, workload: &str) -> Vec<&'static str> {
        let these = self.lookups.iter().filter(|lookups| (lookups.family, lookups.workload) == (family, workload));
        let mut engines: Vec<_> = these.map(|lookups| lookups.engine).collect();
        engines.dedup();
        engines
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).expect("a string takes everything");
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{} IPv4 and {} IPv6 routes, {} next hops\n", self.routes_v4, self.routes_v6, self.next_hops)?;
        writeln!(text, "{:<8}{:<20}{:>12}{:>12}{:>10}", "", "table", "build", "memory", "refused")?;
        for table in &self.engines {
            let Table { engine, family, build_seconds, megabytes, refused } = table;
            writeln!(text, "{family:<8}{engine:<20}{build_seconds:>10.3} s{megabytes:>8.2} MiB{refused:>10}")?;
        }
        for (family, workload) in self.workloads() {
            write!(text, "\n{:<28}", format!("{family}, {workload}"))?;
            for burst in self.bursts() {
                write!(text, "{:>10}", format!("by {burst}"))?;
            }
            writeln!(text, "   (M lookups/s)")?;
            for engine in self.engines(family, workload) {
                write!(text, "  {engine:<26}")?;
                for burst in self.bursts() {
                    match self.millions(family, workload, engine, burst) {
                        millions if millions.is_nan() => write!(text, "{:>10}", "")?,
                        millions => write!(text, "{millions:>10.1}")?,
                    }
                }
                writeln!(text)?;
            }
        }
        writeln!(text, "\nin a worker, ns per packet     touching   + rte_fib      + ours  + in two steps")?;
        for (workload, worker) in &self.worker {
            let Worker { touching, rte_fib, ours, ours_in_two_steps } = worker;
            writeln!(text, "  {workload:<28}{touching:>9.2}{rte_fib:>12.2}{ours:>12.2}{ours_in_two_steps:>16.2}")?;
        }
        writeln!(text, "\nchanges per second")?;
        for (engine, rate) in &self.updates_per_second {
            writeln!(text, "  {engine:<44}{rate:>12.0}")?;
        }
        write!(text, "\n{}", self.figures)
    }

    /// Writes one picture per family and workload into `directory`.
    pub(crate) fn plot(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        for (family, workload) in self.workloads() {
            let name = format!("{family} {workload}").replace(|c: char| !c.is_alphanumeric(), "-");
            std::fs::write(directory.join(format!("{name}.svg")), self.picture(family, workload))?;
        }
        Ok(())
    }

    /// Bars: one group per engine, one bar per burst.
    fn picture(&self, family: &str, workload: &str) -> String {
        let (engines, bursts) = (self.engines(family, workload), self.bursts());
        let values =
            |engine: &'static str| bursts.iter().map(move |burst| self.millions(family, workload, engine, *burst));
        let largest =
            engines.iter().flat_map(|engine| values(engine)).filter(|value| !value.is_nan()).fold(1.0, f64::max);
        let height = engines.len() * (bursts.len() * BAR + BAR) + 60;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"12\" y=\"24\" font-size=\"16\">{family}, {workload}: million lookups per second</text>\n"
        );
        let mut y = 44;
        for engine in &engines {
            svg.push_str(&format!("<text x=\"12\" y=\"{}\">{engine}</text>\n", y + BAR));
            for ((burst, value), shade) in bursts.iter().zip(values(engine)).zip(SHADES.iter().cycle()) {
                if value.is_nan() {
                    continue;
                }
                let width = value / largest * 480.0;
                svg.push_str(&format!(
                    "<rect x=\"160\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{shade}\"/>\
                     <text x=\"{:.1}\" y=\"{}\">{value:.0} by {burst}</text>\n",
                    BAR - 2,
                    166.0 + width,
                    y + BAR - 5
                ));
                y += BAR;
            }
            y += BAR;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Pixels to a bar.
const BAR: usize = 16;

/// From one at a time to the largest burst.
const SHADES: [&str; 4] = ["#c6dbef", "#9ecae1", "#4292c6", "#08519c"];
