//! What was measured, as tables and as pictures.

use std::path::Path;

use plotters::prelude::*;

use super::{EngineName, InMemory, Report, figures};

/// Prints a table for ports in memory, one for those of DPDK, and one of what has to be met.
pub(crate) fn tables(report: &Report) {
    println!("cycles of a time stamp counter of {:.2} GHz, medians", report.hertz / 1e9);
    if !report.memory.is_empty() {
        println!(
            "\n{:<32} {:<8} {:>6} {:>6} {:>8} {:>9} {:>7} {:>8} {:>9} {:>11}",
            "over ports in memory",
            "engine",
            "total",
            "ns",
            "receive",
            "classify",
            "lookup",
            "rewrite",
            "transmit",
            "forwarding"
        );
    }
    for InMemory { cell, engine, cycles, nanoseconds } in &report.memory {
        println!(
            "{:<32} {:<8} {:>6.1} {:>6.1} {:>8.1} {:>9.1} {:>7.1} {:>8.1} {:>9.1} {:>11.1}",
            cell.to_string(),
            engine.word(),
            cycles.total,
            nanoseconds,
            cycles.receive,
            cycles.classify,
            cycles.lookup,
            cycles.rewrite,
            cycles.transmit,
            cycles.forwarding(),
        );
    }
    if !report.ports.is_empty() {
        println!(
            "\n{:<32} {:>6} {:>13} {:>6} {:>6} {:>6} {:>8} {:>8}",
            "beside testpmd", "ferry", "testpmd mac", "io", "added", "ratio", "q10-q90", "to io"
        );
    }
    for beside in &report.ports {
        println!(
            "{:<32} {:>6.1} {:>13.1} {:>6.1} {:>6.1} {:>6.2} {:>8} {:>8.2}",
            beside.cell.to_string(),
            beside.ferry,
            beside.mac,
            beside.io,
            beside.added,
            beside.ratio,
            format!("{:.2}-{:.2}", beside.ratio_low, beside.ratio_high),
            beside.ratio_io,
        );
    }
    print!("\n{}", report.figures);
    if report.memory.iter().any(|measured| measured.engine != EngineName::Ferry) && !report.avx512 {
        println!("without AVX-512, which this machine lacks, DPDK's tables look up by their default way");
    }
    let of_all = figures::figures_in_all();
    if report.figures.len() < of_all {
        println!("{} of {of_all} figures; without --only and --engines all are measured", report.figures.len());
    }
}

/// Draws `forward-memory.svg` and `forward-ports.svg` into `folder`, which is made if it is not there.
pub(crate) fn plot(folder: &Path, report: &Report) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    let memory: Vec<Bar> = report.memory.iter().map(Bar::of_memory).collect();
    let ports = report.ports.iter().map(|beside| Bar {
        label: beside.cell.to_string(),
        parts: vec![("testpmd io", beside.io), ("mac", beside.mac - beside.io), ("ferry", beside.added)],
    });
    let ports: Vec<Bar> = ports.collect();
    for (name, title, bars) in [
        ("forward-memory.svg", "cycles a packet over ports in memory, by stage", memory),
        ("forward-ports.svg", "cycles a packet: testpmd io, what its mac mode adds, what ferry adds to that", ports),
    ] {
        if !bars.is_empty() {
            draw(&folder.join(name), title, &bars)?;
        }
    }
    Ok(())
}

/// A bar of several parts, one after the other.
struct Bar {
    label: String,
    parts: Vec<(&'static str, f64)>,
}

impl Bar {
    fn of_memory(measured: &InMemory) -> Self {
        let cost = &measured.cycles;
        let parts = vec![
            ("receive", cost.receive),
            ("classify", cost.classify),
            ("look up", cost.lookup),
            ("rewrite", cost.rewrite),
            ("transmit", cost.transmit),
        ];
        Self { label: format!("{}, {}", measured.cell, measured.engine.word()), parts }
    }

    fn whole(&self) -> f64 {
        self.parts.iter().map(|(_name, cycles)| cycles.max(0.0)).sum()
    }
}

fn draw(path: &Path, title: &str, bars: &[Bar]) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot draw {}: {error}", path.display());
    let (count, widest) = (bars.len(), bars.iter().map(Bar::whole).fold(1.0, f64::max));
    let height = u32::try_from(120 + 26 * count).unwrap_or(u32::MAX);
    let canvas = SVGBackend::new(path, (960, height)).into_drawing_area();
    canvas.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(300)
        .build_cartesian_2d(0.0..widest * 1.25, (0..count).into_segmented())
        .map_err(|error| failed(&error))?;
    let label = |segment: &SegmentValue<usize>| match segment {
        SegmentValue::CenterOf(place) | SegmentValue::Exact(place) => {
            bars.iter().rev().nth(*place).map_or_else(String::new, |bar| bar.label.clone())
        }
        SegmentValue::Last => String::new(),
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_y_mesh().y_labels(count).y_label_formatter(&label).x_desc("cycles of the time stamp counter");
    mesh.draw().map_err(|error| failed(&error))?;
    for part in 0..bars.iter().map(|bar| bar.parts.len()).max().unwrap_or(0) {
        let colour = Palette99::pick(part).to_rgba();
        // From the bottom up, so that the first is on top.
        let boxes = bars.iter().rev().enumerate().filter_map(|(place, bar)| {
            let from: f64 = bar.parts[..part.min(bar.parts.len())].iter().map(|(_name, cycles)| cycles.max(0.0)).sum();
            let (_name, cycles) = bar.parts.get(part)?;
            let [bottom, top] = [place, place + 1].map(SegmentValue::Exact);
            let mut drawn = Rectangle::new([(from, bottom), (from + cycles.max(0.0), top)], colour.filled());
            drawn.set_margin(3, 3, 0, 0);
            Some(drawn)
        });
        let drawn = chart.draw_series(boxes).map_err(|error| failed(&error))?;
        let name = bars.iter().find_map(|bar| bar.parts.get(part)).map_or("", |(name, _cycles)| name);
        drawn.label(name).legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()
        .map_err(|error| failed(&error))?;
    canvas.present().map_err(|error| failed(&error))
}
