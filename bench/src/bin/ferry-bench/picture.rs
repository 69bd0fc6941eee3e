//! Pictures of what was measured.

use std::path::Path;

use plotters::prelude::*;

use crate::outcome::Outcome;

/// Latencies by percentile, one line for each outcome, into `NAME-latency.svg` in `folder`.
pub(crate) fn latency(folder: &Path, name: &str, outcomes: &[(&str, &Outcome)]) -> Result<(), String> {
    let lines = outcomes.iter().map(|(label, outcome)| {
        let points = outcome.latency.iter_quantiles(5).map(|step| {
            // Nines: 1 is 90 %, 2 is 99 %; the last step, the whole, has no end of them.
            let nines = -(1.0 - step.quantile_iterated_to()).max(1e-7).log10();
            (nines, outcome.micros(step.value_iterated_to()).max(0.01))
        });
        (*label, points.collect::<Vec<_>>())
    });
    let lines: Vec<_> = lines.collect();
    draw(
        folder,
        &format!("{name}-latency"),
        "latency by percentile",
        ["nines of the percentile", "microseconds"],
        &lines,
    )
}

/// Lines over a logarithmic scale, into `NAME.svg` in `folder`, which is made if it is not there.
pub(crate) fn draw(
    folder: &Path,
    name: &str,
    title: &str,
    axes: [&str; 2],
    lines: &[(&str, Vec<(f64, f64)>)],
) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    let path = folder.join(format!("{name}.svg"));
    let failed = |error: &dyn std::fmt::Display| format!("cannot draw {}: {error}", path.display());
    let points = || lines.iter().flat_map(|(_label, points)| points);
    let largest = |part: fn(&(f64, f64)) -> f64| points().map(part).fold(0.0_f64, f64::max);
    let least = points().map(|(_x, y)| *y).fold(f64::INFINITY, f64::min);
    let (right, top) = (largest(|point| point.0).max(1e-9), largest(|point| point.1).max(1e-9));
    let canvas = SVGBackend::new(&path, (800, 480)).into_drawing_area();
    canvas.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, (least.min(top) * 0.8..top * 1.2).log_scale())
        .map_err(|error| failed(&error))?;
    chart.configure_mesh().x_desc(axes[0]).y_desc(axes[1]).draw().map_err(|error| failed(&error))?;
    for (number, (label, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let series = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        let drawn = chart.draw_series(series).map_err(|error| failed(&error))?;
        drawn.label(*label).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw().map_err(|error| failed(&error))?;
    canvas.present().map_err(|error| failed(&error))
}
