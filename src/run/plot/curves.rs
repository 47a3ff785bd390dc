//! Diagrams of derivatives, inversions and recordings.

use std::path::Path;

use super::{Offer, Style, chart_png};
use crate::error::{Error, Result};
use crate::io::{read_f64, read_matrix, read_number, read_rows};
use crate::plot::axis::Axis;
use crate::plot::chart::{Chart, Mark, Series};
use crate::plot::colours::{Colour, ColourMap, of_group};

/// At most so many curves have names.
const NAMED: usize = 10;

/// Name and colour of curve `k` of `count`. Many of them are coloured in their order, and about ten
/// named, as a scale.
fn one_of(count: usize, k: usize, name: &str) -> (String, Colour) {
    if count <= NAMED {
        return (format!("{name} {k}"), of_group(k));
    }
    let named = k.is_multiple_of(count.div_ceil(NAMED));
    let name = if named {
        format!("{name} {k}")
    } else {
        String::new()
    };
    let share = k as f64 / (count - 1) as f64;
    (name, ColourMap::Viridis.at(0.95 * share))
}

/// Diagrams of `source`, whose datasets are `names`.
pub fn offers(source: &Path, names: &[String]) -> Result<Vec<Offer>> {
    let has = |name: &str| names.iter().any(|n| n == name);
    type Make = fn(&Path) -> Result<Chart>;
    let all: [(&str, &str, &str, bool, Make); 8] = [
        (
            "/gradient/check/error",
            "v-curve",
            "errors of finite differences over their step",
            true,
            v_curve,
        ),
        (
            "/gradient/gamma",
            "gradient",
            "df/dγ of each domain",
            true,
            gradient,
        ),
        (
            "/inversion/misfit",
            "convergence",
            "misfit and gradient over iterations",
            true,
            convergence,
        ),
        (
            "/inversion/gamma",
            "gamma-history",
            "γ of each domain over iterations",
            true,
            gamma_history,
        ),
        (
            "/inversion/curve/misfit",
            "l-curve",
            "penalty over misfit for the weights that were tried",
            true,
            l_curve,
        ),
        ("/fk/probes/u", "probes", "action potentials", true, probes),
        ("/fk/ecg/potential", "ecg", "pseudo-ECG", true, ecg),
        (
            "/fk/restitution/apd",
            "restitution",
            "restitution of APD and velocity",
            true,
            restitution_apd,
        ),
    ];
    let mut offers = Vec::new();
    for (_, name, what, usual, make) in all.into_iter().filter(|one| has(one.0)) {
        let file = source.to_owned();
        if name == "restitution" && has("/fk/restitution/conduction_velocity") {
            offers.push(Offer::new(name, what, usual, &[], move |style: &Style| {
                restitution(&file, style)
            }));
            continue;
        }
        offers.push(Offer::new(name, what, usual, &[], move |style: &Style| {
            chart_png(style, &make(&file)?)
        }));
    }
    Ok(offers)
}

fn series(name: &str, i: usize, mark: Mark, points: impl Iterator<Item = [f64; 2]>) -> Series {
    Series {
        name: name.into(),
        points: points.collect(),
        mark,
        colour: of_group(i),
    }
}

fn pairs<'a>(x: &'a [f64], y: &'a [f64]) -> impl Iterator<Item = [f64; 2]> + 'a {
    x.iter().zip(y).map(|(x, y)| [*x, *y])
}

/// Errors of one-sided and central differences: truncation at the right, rounding at the left.
fn v_curve(source: &Path) -> Result<Chart> {
    let h = read_f64(source, "/gradient/check/h", None)?;
    let errors = read_rows::<2>(source, "/gradient/check/error", Some((h.len(), "steps h")))?;
    let column = |i: usize| errors.iter().map(|row| row[i]).collect::<Vec<f64>>();
    let curve = |i: usize, name: &str| series(name, i, Mark::LineWithPoints, pairs(&h, &column(i)));
    Ok(Chart {
        title: "Finite differences against the exact gradient".into(),
        x: Axis::logarithmic("step h, relative to γ", &h),
        y: Axis::logarithmic("largest relative error of df/dγ", errors.as_flattened()),
        series: vec![curve(0, "one-sided"), curve(1, "central")],
        aspect: None,
    })
}

/// A bar of width 0.8 around each whole number, from 0.
fn bars(name: &str, i: usize, heights: &[f64]) -> Series {
    let corners = heights.iter().enumerate().flat_map(|(k, y)| {
        let k = k as f64;
        [[k - 0.4, 0.0], [k + 0.4, *y]]
    });
    series(name, i, Mark::Boxes, corners)
}

fn gradient(source: &Path) -> Result<Chart> {
    let gradient = read_f64(source, "/gradient/gamma", None)?;
    let last = gradient.len() as f64 - 1.0;
    let every = gradient.len().div_ceil(25);
    let domains = (0..gradient.len())
        .step_by(every)
        .map(|k| (k as f64, k.to_string()));
    Ok(Chart {
        title: "Gradient of the misfit".into(),
        x: Axis::over("domain k", -0.6, last + 0.6).with_ticks(domains),
        y: Axis::around("df/dγ (ms²)", &gradient, &[0.0]),
        series: vec![bars("", 0, &gradient)],
        aspect: None,
    })
}

fn convergence(source: &Path) -> Result<Chart> {
    let misfit = read_f64(source, "/inversion/misfit", None)?;
    let norm = read_f64(
        source,
        "/inversion/gradient_norm",
        Some((misfit.len(), "iterations")),
    )?;
    let iterations: Vec<f64> = (0..misfit.len()).map(|i| i as f64).collect();
    let both: Vec<f64> = misfit.iter().chain(&norm).copied().collect();
    let curve = |name, i, y: &[f64]| series(name, i, Mark::LineWithPoints, pairs(&iterations, y));
    Ok(Chart {
        title: "Convergence of the inversion".into(),
        x: Axis::around("iteration", &iterations, &[1.0]),
        y: Axis::logarithmic("misfit, norm of its gradient (ms²)", &both),
        series: vec![
            curve("misfit f", 0, &misfit),
            curve("|df/d(parameter)|", 1, &norm),
        ],
        aspect: None,
    })
}

/// The L-curve: the points of minimisations that came to their end, the others, and the choice.
fn l_curve(source: &Path) -> Result<Chart> {
    let misfit = read_f64(source, "/inversion/curve/misfit", None)?;
    let points = Some((misfit.len(), "points of the curve"));
    let column = |name: &str| read_f64(source, &format!("/inversion/curve/{name}"), points);
    let (penalty, factor) = (column("penalty")?, column("factor")?);
    // Files of earlier versions do not tell.
    let converged = column("converged").unwrap_or_else(|_| vec![1.0; misfit.len()]);
    let chosen = read_number(source, "/inversion/curve", "chosen")?;
    let mut order: Vec<usize> = (0..misfit.len()).collect();
    order.sort_by(|&a, &b| factor[b].total_cmp(&factor[a]));
    let of = |which: &dyn Fn(usize) -> bool| {
        let list: Vec<[f64; 2]> = (order.iter())
            .filter(|i| which(**i))
            .map(|i| [misfit[*i], penalty[*i]])
            .collect();
        list.into_iter()
    };
    let line = Mark::LineWithPoints;
    let mut all = vec![series("", 0, line, of(&|i| converged[i] > 0.0))];
    if converged.contains(&0.0) {
        let open = series(
            "not converged",
            1,
            Mark::Points,
            of(&|i| converged[i] == 0.0),
        );
        all.push(open);
    }
    let name = format!("chosen: λ = {chosen:.3e}");
    all.push(series(&name, 3, Mark::Points, of(&|i| factor[i] == chosen)));
    Ok(Chart {
        title: "L-curve: weights of the penalties".into(),
        x: Axis::logarithmic("misfit f (ms²)", &misfit),
        y: Axis::logarithmic("penalty R (ms²)", &penalty),
        series: all,
        aspect: None,
    })
}

fn gamma_history(source: &Path) -> Result<Chart> {
    let (shape, gamma) = read_matrix(source, "/inversion/gamma")?;
    let [rows, count] = two(source, "/inversion/gamma", &shape)?;
    let of = |k: usize| {
        (0..rows)
            .map(|i| [i as f64, gamma[i * count + k]])
            .collect::<Vec<_>>()
    };
    let iterations: Vec<f64> = (0..rows).map(|i| i as f64).collect();
    Ok(Chart {
        title: format!("γ of {count} domains"),
        x: Axis::around("iteration", &iterations, &[1.0]),
        y: Axis::logarithmic("conductivity scaling γ", &gamma),
        series: (0..count)
            .map(|k| {
                let (name, colour) = one_of(count, k, "domain");
                let points = of(k);
                Series {
                    name,
                    points,
                    mark: Mark::Line,
                    colour,
                }
            })
            .collect(),
        aspect: None,
    })
}

/// The two lengths of a matrix.
fn two(source: &Path, dataset: &str, shape: &[usize]) -> Result<[usize; 2]> {
    <[usize; 2]>::try_from(shape).map_err(|_| {
        let place = format!("dataset {dataset}");
        Error::bad_file(
            source,
            place,
            format!("has the shape {shape:?}"),
            "it has rows and columns",
        )
    })
}

/// Columns of a recording over its times.
fn recording(
    source: &Path,
    group: &str,
    of: &str,
    name: &str,
    title: &str,
    label: &str,
) -> Result<Chart> {
    let time = read_f64(source, &format!("{group}/time"), None)?;
    let dataset = format!("{group}/{of}");
    let (shape, values) = read_matrix(source, &dataset)?;
    let [rows, columns] = two(source, &dataset, &shape)?;
    if rows != time.len() {
        let place = format!("dataset {dataset}");
        let problem = format!("has {rows} rows for {} times", time.len());
        return Err(Error::bad_file(
            source,
            place,
            problem,
            "make the file again",
        ));
    }
    let series = (0..columns)
        .map(|k| {
            let (name, colour) = one_of(columns, k, name);
            let points = (time.iter().enumerate())
                .map(|(i, t)| [*t, values[i * columns + k]])
                .collect();
            Series {
                name,
                points,
                mark: Mark::Line,
                colour,
            }
        })
        .collect();
    Ok(Chart {
        title: title.into(),
        x: Axis::around("time (ms)", &time, &[]),
        y: Axis::around(label, &values, &[]),
        series,
        aspect: None,
    })
}

fn probes(source: &Path) -> Result<Chart> {
    recording(
        source,
        "/fk/probes",
        "u",
        "probe",
        "Action potentials",
        "u (1)",
    )
}

fn ecg(source: &Path) -> Result<Chart> {
    let label = "potential (mm²/ms)";
    recording(
        source,
        "/fk/ecg",
        "potential",
        "electrode",
        "Pseudo-ECG",
        label,
    )
}

fn restitution_apd(source: &Path) -> Result<Chart> {
    of_interval(
        source,
        "apd",
        "Restitution of the action potential duration",
        "APD (ms)",
        0,
    )
}

fn of_interval(source: &Path, of: &str, title: &str, label: &str, i: usize) -> Result<Chart> {
    let interval = read_f64(source, "/fk/restitution/diastolic_interval", None)?;
    let values = read_f64(
        source,
        &format!("/fk/restitution/{of}"),
        Some((interval.len(), "intervals")),
    )?;
    Ok(Chart {
        title: title.into(),
        x: Axis::around("diastolic interval (ms)", &interval, &[]),
        y: Axis::around(label, &values, &[]),
        series: vec![series(
            "",
            i,
            Mark::LineWithPoints,
            pairs(&interval, &values),
        )],
        aspect: None,
    })
}

/// APD and velocity one above the other; APD alone where no velocity was found.
fn restitution(source: &Path, style: &Style) -> Result<Vec<u8>> {
    let title = "Restitution of the conduction velocity";
    let velocity = of_interval(source, "conduction_velocity", title, "velocity (mm/ms)", 1)?;
    let apd = restitution_apd(source)?;
    // A single cell conducts nowhere.
    let is_known = |p: &[f64; 2]| p[1].is_finite();
    if !velocity
        .series
        .iter()
        .any(|s| s.points.iter().any(is_known))
    {
        return chart_png(style, &apd);
    }
    let charts = [apd, velocity];
    let mut canvas = crate::plot::canvas::Canvas::new(style.width, style.width * 7 / 8);
    let rows = canvas.whole().parts(2, 1);
    for (chart, on) in charts.iter().zip(rows) {
        chart.draw(&mut canvas, on)?;
    }
    canvas.image().png()
}
