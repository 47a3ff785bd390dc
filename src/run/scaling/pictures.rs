//! Pictures of a scaling study.

use super::reports::Run;
use super::study::{Kind, Point, Study};
use crate::error::Result;
use crate::plot::axis::Axis;
use crate::plot::canvas::{Anchor, Canvas, Rectangle};
use crate::plot::chart::{Chart, LABEL, Mark, Series, TICK, TITLE};
use crate::plot::colour_bar;
use crate::plot::colours::{BLACK, ColourMap, ColourScale, WHITE, mix, of_group};

/// Phases of a run: name, and timers whose seconds they are. What no timer has is "other"; exchanges
/// happen within the computation.
const PHASES: [(&str, &[&str]); 5] = [
    ("setup, partition", &["setup", "partition", "twin"]),
    (
        "compute",
        &[
            "solve",
            "adjoint",
            "tangent",
            "misfit",
            "step",
            "check",
            "finite_differences",
        ],
    ),
    ("exchange and waiting", &[]),
    ("I/O", &["io"]),
    ("other", &[]),
];

/// Bytes of a picture by what is added to its name.
pub fn all(study: &Study, width: usize) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut pictures = vec![];
    if study.kind == Kind::Size {
        pictures.push(("time", single(width, &time_over_size(study))?));
    } else {
        pictures.push(("speed-up", speed_up(study, width)?));
        pictures.push(("efficiency", heat_map(study, width)?));
    }
    pictures.push(("phases", single(width, &phases(study))?));
    if study.points.iter().any(|p| p.run.factor().is_some()) {
        pictures.push(("factor", single(width, &factor(study))?));
    }
    Ok(pictures)
}

fn single(width: usize, chart: &Chart) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(width, width * 5 / 8);
    let whole = canvas.whole();
    chart.draw(&mut canvas, whole)?;
    canvas.image().png()
}

fn plural(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// One curve for each number of threads, over ranks × threads.
fn curves(study: &Study, of: impl Fn(&Point) -> f64) -> Vec<Series> {
    let threads = study.distinct(|run| run.threads);
    let curve = |(i, t): (usize, &u64)| Series {
        name: format!("{} each rank", plural(*t, "thread")),
        points: (study.points.iter())
            .filter(|p| p.run.threads == *t)
            .map(|p| [p.run.processors(), of(p)])
            .collect(),
        mark: Mark::LineWithPoints,
        colour: of_group(i),
    };
    threads.iter().enumerate().map(curve).collect()
}

fn processors(study: &Study) -> Axis {
    let all = study.distinct(|run| run.ranks * run.threads);
    let values: Vec<f64> = all.iter().map(|n| *n as f64).collect();
    let marks = all.iter().map(|n| (*n as f64, n.to_string()));
    Axis::logarithmic("processors (ranks × threads)", &values).with_ticks(marks)
}

/// Speed-up above and efficiency below, against the ideal.
fn speed_up(study: &Study, width: usize) -> Result<Vec<u8>> {
    let base = study.points[0].run.processors();
    let all: Vec<f64> = study.points.iter().map(|p| p.run.processors()).collect();
    let most = all.iter().copied().fold(base, f64::max);
    let ideal = |points: Vec<[f64; 2]>| Series {
        name: "ideal".into(),
        points,
        mark: Mark::Dashed,
        colour: [150; 3],
    };
    let y: Vec<f64> = study
        .points
        .iter()
        .map(|p| p.speed_up)
        .chain([1.0, most / base])
        .collect();
    let mut above = vec![ideal(vec![[base, 1.0], [most, most / base]])];
    above.extend(curves(study, |p| p.speed_up));
    let mut below = vec![ideal(vec![[base, 100.0], [most, 100.0]])];
    below.extend(curves(study, |p| 100.0 * p.efficiency));
    let percent: Vec<f64> = study.points.iter().map(|p| 100.0 * p.efficiency).collect();
    let charts = [
        Chart {
            title: format!(
                "isochrone {}: {}, {}",
                study.command,
                study.kind.name(),
                study.timer
            ),
            x: processors(study),
            y: Axis::logarithmic("speed-up", &y),
            series: above,
            aspect: None,
        },
        Chart {
            title: String::new(),
            x: processors(study),
            y: Axis::around("efficiency (%)", &percent, &[0.0, 100.0]),
            series: below,
            aspect: None,
        },
    ];
    let mut canvas = Canvas::new(width, width);
    let parts = canvas.whole().parts(2, 1);
    for (chart, on) in charts.iter().zip(parts) {
        chart.draw(&mut canvas, on)?;
    }
    canvas.image().png()
}

/// Seconds of each phase, which together are the total.
fn phases_of(run: &Run) -> Vec<f64> {
    let mut seconds: Vec<f64> = PHASES
        .iter()
        .map(|(_, timers)| run.seconds(timers).unwrap_or(0.0))
        .collect();
    seconds[2] = run.exchange_seconds().min(seconds[1]);
    seconds[1] -= seconds[2];
    let known: f64 = seconds.iter().sum();
    let total = run.timings.get("total").copied().unwrap_or(known);
    seconds[4] = (total - known).max(0.0);
    seconds
}

/// Stacked bars, one for each point.
fn phases(study: &Study) -> Chart {
    let of_points: Vec<Vec<f64>> = study.points.iter().map(|p| phases_of(&p.run)).collect();
    let highest = of_points.iter().map(|s| s.iter().sum()).fold(0.0, f64::max);
    let layer = |i: usize| {
        let corners = of_points.iter().enumerate().flat_map(|(k, seconds)| {
            let (below, k) = (seconds[..i].iter().sum::<f64>(), k as f64);
            [[k - 0.35, below], [k + 0.35, below + seconds[i]]]
        });
        Series {
            name: PHASES[i].0.into(),
            points: corners.collect(),
            mark: Mark::Boxes,
            colour: [
                [186, 176, 172],
                of_group(0),
                of_group(1),
                of_group(4),
                [225, 221, 219],
            ][i],
        }
    };
    let shown = |i: &usize| of_points.iter().any(|seconds| seconds[*i] > 0.0);
    let names = study.points.iter().enumerate().map(|(k, p)| {
        let size = if study.kind == Kind::Size {
            format!(", {}", p.run.size)
        } else {
            String::new()
        };
        (
            k as f64,
            format!("{} × {}{size}", p.run.ranks, p.run.threads),
        )
    });
    Chart {
        title: format!("isochrone {}: seconds of the phases", study.command),
        x: Axis::over("ranks × threads", -0.6, study.points.len() as f64 - 0.4).with_ticks(names),
        // Room for the legend.
        y: Axis::over("seconds (the slowest rank)", 0.0, 1.35 * highest),
        series: (0..PHASES.len()).rev().filter(shown).map(layer).collect(),
        aspect: None,
    }
}

/// F = 1 + adjoint/solve over threads, a curve for each number of ranks.
fn factor(study: &Study) -> Chart {
    let curve = |(i, ranks): (usize, &u64)| Series {
        name: plural(*ranks, "rank"),
        points: (study.points.iter())
            .filter(|p| p.run.ranks == *ranks)
            .filter_map(|p| Some([p.run.threads as f64, p.run.factor()?]))
            .collect(),
        mark: Mark::LineWithPoints,
        colour: of_group(i),
    };
    let threads = study.distinct(|run| run.threads);
    let values: Vec<f64> = threads.iter().map(|t| *t as f64).collect();
    let marks = threads.iter().map(|t| (*t as f64, t.to_string()));
    let factors: Vec<f64> = study.points.iter().filter_map(|p| p.run.factor()).collect();
    Chart {
        title: "What a gradient costs, in forward solutions".into(),
        x: Axis::logarithmic("threads of each rank", &values).with_ticks(marks),
        y: Axis::around("F = 1 + adjoint/solve", &factors, &[1.0]),
        series: study
            .distinct(|run| run.ranks)
            .iter()
            .enumerate()
            .map(curve)
            .collect(),
        aspect: None,
    }
}

fn time_over_size(study: &Study) -> Chart {
    let sizes: Vec<f64> = study.points.iter().map(|p| p.run.size).collect();
    let seconds: Vec<f64> = study.points.iter().map(|p| p.seconds).collect();
    let what = if study.command == "fk" {
        "cells in tissue"
    } else {
        "tetrahedra"
    };
    let first = &study.points[0];
    let slope = |size: f64| first.seconds * size / first.run.size;
    let last = sizes.iter().copied().fold(first.run.size, f64::max);
    let ends = [first.run.size, last].map(|size| [size, slope(size)]);
    let both: Vec<f64> = seconds.iter().copied().chain([slope(last)]).collect();
    Chart {
        title: format!(
            "isochrone {}: time over size, {}",
            study.command, study.timer
        ),
        x: Axis::logarithmic(what, &sizes),
        y: Axis::logarithmic("seconds", &both),
        series: vec![
            Series {
                name: "proportional".into(),
                points: ends.to_vec(),
                mark: Mark::Dashed,
                colour: [150; 3],
            },
            Series {
                name: format!(
                    "{} × {}",
                    plural(first.run.ranks, "rank"),
                    plural(first.run.threads, "thread")
                ),
                points: sizes.iter().zip(&seconds).map(|(x, y)| [*x, *y]).collect(),
                mark: Mark::LineWithPoints,
                colour: of_group(0),
            },
        ],
        aspect: None,
    }
}

/// Efficiency of each pair of ranks and threads, with the seconds.
fn heat_map(study: &Study, width: usize) -> Result<Vec<u8>> {
    let (ranks, threads) = (
        study.distinct(|run| run.ranks),
        study.distinct(|run| run.threads),
    );
    let (rows, columns) = (ranks.len(), threads.len());
    let tall = (0.11 * rows as f64).clamp(0.16, 0.7);
    let mut canvas = Canvas::new(width, (width as f64 * (tall + 0.14)) as usize);
    let whole = canvas.whole();
    let title = format!(
        "isochrone {}: efficiency, {}",
        study.command,
        study.kind.name()
    );
    let middle = [whole.width / 2, canvas.points(28.0)];
    canvas.text(middle, TITLE, Anchor::Centre, BLACK, &title)?;
    let p = |canvas: &Canvas, length: f64| canvas.points(length);
    let room = p(&canvas, colour_bar::ROOM);
    let inner = whole.without([
        p(&canvas, 100.0),
        p(&canvas, 56.0),
        room + p(&canvas, 30.0),
        p(&canvas, 90.0),
    ]);
    let scale = ColourScale {
        map: ColourMap::Viridis,
        low: 0.0,
        high: 100.0,
        logarithmic: false,
        beyond: [false; 2],
    };
    for (i, on) in inner.parts(rows, columns).into_iter().enumerate() {
        let (r, t) = (ranks[rows - 1 - i / columns], threads[i % columns]);
        let point = study
            .points
            .iter()
            .find(|p| p.run.ranks == r && p.run.threads == t);
        let gap = p(&canvas, 2.0);
        let cell = on.without([gap; 4]);
        let colour = point.map_or([235; 3], |p| scale.colour(100.0 * p.efficiency));
        canvas.paint(cell, |_, _| Some(colour));
        if let Some(point) = point {
            write_point(&mut canvas, cell, point, colour)?;
        }
    }
    for (i, on) in inner.parts(rows, 1).into_iter().enumerate() {
        let at = [inner.left - p(&canvas, 14.0), on.top + on.height / 2];
        canvas.text(
            at,
            TICK,
            Anchor::Right,
            BLACK,
            &ranks[rows - 1 - i].to_string(),
        )?;
    }
    for (i, on) in inner.parts(1, columns).into_iter().enumerate() {
        let at = [on.left + on.width / 2, inner.bottom() + p(&canvas, 20.0)];
        canvas.text(at, TICK, Anchor::Centre, BLACK, &threads[i].to_string())?;
    }
    let below = [
        inner.left + inner.width / 2,
        inner.bottom() + p(&canvas, 58.0),
    ];
    canvas.text(below, LABEL, Anchor::Centre, BLACK, "threads of each rank")?;
    let beside = [p(&canvas, 26.0), inner.top + inner.height / 2];
    canvas.text(beside, LABEL, Anchor::Upwards, BLACK, "ranks")?;
    let bar = Rectangle {
        left: inner.right() + p(&canvas, 30.0),
        width: room,
        ..inner
    };
    colour_bar::draw(&mut canvas, bar, &scale, "efficiency (%)", None)?;
    canvas.image().png()
}

fn write_point(canvas: &mut Canvas, on: Rectangle, point: &Point, under: [u8; 3]) -> Result<()> {
    let brightness = under.iter().map(|c| u32::from(*c)).sum::<u32>() / 3;
    let ink = if brightness > 115 { BLACK } else { WHITE };
    let (x, y, half) = (
        on.left + on.width / 2,
        on.top + on.height / 2,
        canvas.points(13.0),
    );
    let efficiency = format!("{:.0} %", 100.0 * point.efficiency);
    canvas.text([x, y - half], LABEL, Anchor::Centre, ink, &efficiency)?;
    // Three digits.
    let digits = (2 - point.seconds.log10().floor() as i32).clamp(0, 6) as usize;
    let seconds = format!("{:.digits$} s", point.seconds);
    canvas.text(
        [x, y + half],
        TICK,
        Anchor::Centre,
        mix(ink, under, 0.2),
        &seconds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn phases_together_are_the_total() {
        let report = json!({
            "command": "eikonal", "ranks": 2, "threads": 1, "device": "cpu",
            "mesh": { "tetrahedra": 10 },
            "timings_s": { "setup": 1.0, "partition": 0.5, "solve": 3.0, "io": 0.25, "total": 5.0 },
            "counters": { "exchange_us": 2_500_000 },
        });
        let run = Run::of(&report, "report.json".as_ref()).unwrap();
        assert_eq!(phases_of(&run), [1.5, 1.75, 1.25, 0.25, 0.25]);
    }
}
