//! Pictures of a `report.json`.

use std::path::Path;

use serde_json::Value;

use super::{Offer, Style, chart_png};
use crate::error::Result;
use crate::plot::axis::Axis;
use crate::plot::canvas::Canvas;
use crate::plot::chart::{Chart, Mark, Series};
use crate::plot::colours::of_group;
use crate::run::scaling::reports::{Simulated, read_json, simulated_ranks};

/// Pictures of the report in `source`.
pub fn offers(source: &Path) -> Result<Vec<Offer>> {
    let report = read_json(source)?;
    let mut offers = Vec::new();
    let timings: Vec<(String, f64)> = (report["timings_s"].as_object().into_iter().flatten())
        .filter_map(|(name, seconds)| Some((name.clone(), seconds.as_f64()?)))
        .filter(|(_, seconds)| *seconds > 0.0)
        .collect();
    if !timings.is_empty() {
        let title = format!(
            "Timers of isochrone {}, ranks × threads: {} × {}",
            report["command"].as_str().unwrap_or("?"),
            report["ranks"],
            report["threads"]
        );
        let draw = move |style: &Style| chart_png(style, &timers(&title, &timings));
        offers.push(Offer::new(
            "timers",
            "seconds of each timer",
            true,
            &[],
            draw,
        ));
    }
    if let Some(gamma) = numbers(&report["result"]["gamma"]) {
        let draw = move |style: &Style| chart_png(style, &gamma_bars(&gamma));
        offers.push(Offer::new("gamma", "γ of each domain", true, &[], draw));
    }
    if let Some(rows) = simulated_ranks(&report, source)? {
        let draw = move |style: &Style| simulated(&rows, style.width);
        let what = "speed-up, rounds and bytes of simulated ranks";
        offers.push(Offer::new("simulated-ranks", what, true, &[], draw));
    }
    Ok(offers)
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
    numbers.filter(|n| !n.is_empty())
}

/// Horizontal bars, the longest timer at the top.
fn timers(title: &str, timings: &[(String, f64)]) -> Chart {
    let mut sorted = timings.to_vec();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let longest = sorted.last().map_or(1.0, |(_, seconds)| *seconds);
    let corners = sorted.iter().enumerate().flat_map(|(i, (_, seconds))| {
        let y = i as f64;
        [[0.0, y - 0.35], [*seconds, y + 0.35]]
    });
    let names = sorted
        .iter()
        .enumerate()
        .map(|(i, (name, _))| (i as f64, name.replace('_', " ")));
    Chart {
        title: title.into(),
        x: Axis::over("seconds (the slowest rank)", 0.0, 1.05 * longest),
        y: Axis::over("", -0.6, sorted.len() as f64 - 0.4).with_ticks(names),
        series: vec![bars(corners)],
        aspect: None,
    }
}

/// Bars from two opposite corners of each.
fn bars(corners: impl Iterator<Item = [f64; 2]>) -> Series {
    Series {
        name: String::new(),
        points: corners.collect(),
        mark: Mark::Boxes,
        colour: of_group(0),
    }
}

fn gamma_bars(gamma: &[f64]) -> Chart {
    let corners = gamma.iter().enumerate().flat_map(|(k, y)| {
        let k = k as f64;
        [[k - 0.4, 0.0], [k + 0.4, *y]]
    });
    let every = gamma.len().div_ceil(25);
    let domains = (0..gamma.len())
        .step_by(every)
        .map(|k| (k as f64, k.to_string()));
    Chart {
        title: "γ found".into(),
        x: Axis::over("domain k", -0.6, gamma.len() as f64 - 0.4).with_ticks(domains),
        y: Axis::around("conductivity scaling γ", gamma, &[0.0]),
        series: vec![bars(corners)],
        aspect: None,
    }
}

/// The speed-up on the critical path above, rounds and bytes below.
pub fn simulated(rows: &[Simulated], width: usize) -> Result<Vec<u8>> {
    let ranks: Vec<f64> = rows.iter().map(|row| row.ranks as f64).collect();
    let marks = || {
        rows.iter()
            .map(|row| (row.ranks as f64, row.ranks.to_string()))
    };
    let curve = |name: &str, i: usize, mark: Mark, of: &dyn Fn(&Simulated) -> f64| Series {
        name: name.into(),
        points: rows.iter().map(|row| [row.ranks as f64, of(row)]).collect(),
        mark,
        colour: of_group(i),
    };
    let one = &rows[0];
    let line = Mark::LineWithPoints;
    let speed = vec![
        Series {
            colour: [150; 3],
            ..curve("ideal", 0, Mark::Dashed, &|row| row.ranks as f64)
        },
        curve("forward", 0, line, &|row| one.forward_s / row.forward_s),
        curve("adjoint", 1, line, &|row| one.adjoint_s / row.adjoint_s),
    ];
    let values = |series: &[Series]| -> Vec<f64> {
        series
            .iter()
            .flat_map(|s| &s.points)
            .map(|p| p[1])
            .collect()
    };
    let x = || Axis::logarithmic("ranks (simulated, one thread each)", &ranks).with_ticks(marks());
    let above = Chart {
        title: "Simulated ranks: speed-up of the critical path, without network".into(),
        x: x(),
        y: Axis::logarithmic("speed-up", &values(&speed)),
        series: speed,
        aspect: None,
    };
    let work = vec![
        curve("rounds of exchanges", 2, line, &|row| row.rounds),
        curve("MB sent by all", 3, line, &|row| row.bytes / 1e6),
    ];
    let below = Chart {
        title: "What they exchange".into(),
        x: x(),
        y: Axis::logarithmic("rounds, MB", &values(&work)),
        series: work,
        aspect: None,
    };
    let mut canvas = Canvas::new(width, width);
    let parts = canvas.whole().parts(2, 1);
    for (chart, on) in [above, below].iter().zip(parts) {
        chart.draw(&mut canvas, on)?;
    }
    canvas.image().png()
}
