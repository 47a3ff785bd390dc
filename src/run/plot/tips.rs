//! Where spiral waves turn: trajectories of tips, filaments.

use std::path::Path;

use super::Style;
use super::grid::Simulated;
use crate::error::{Error, Result};
use crate::io::read_matrix;
use crate::plot::axis::{Axis, bounds};
use crate::plot::canvas::Canvas;
use crate::plot::chart::{Chart, Mark, Series};
use crate::plot::colour_bar;

/// Rows of `/fk/tip`: time, x, y, then trajectory and chirality, or z and filament.
pub fn rows(source: &Path) -> Result<Vec<[f64; 5]>> {
    let (shape, rows) = read_matrix(source, "/fk/tip")?;
    let [_, 5] = shape[..] else {
        let problem = format!("has the shape {shape:?}, not (rows, 5)");
        return Err(Error::bad_file(
            source,
            "dataset /fk/tip",
            problem,
            "make the file again",
        ));
    };
    Ok(rows.as_chunks::<5>().0.to_vec())
}

/// Trajectories of tips (of filaments: seen along z), in colours of time.
pub fn tip(simulated: &Simulated, style: &Style) -> Result<Vec<u8>> {
    let rows = rows(&simulated.source)?;
    let in_space = simulated.grid.dimensions == 3;
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<f64>>();
    let [x, y] = [column(1), column(2)].map(|values| bounds(values.into_iter()));
    // A path along an axis shall not make a diagram that is too narrow.
    let least = 0.5 * (x[1] - x[0]).max(y[1] - y[0]).max(1e-3);
    let widened = |[low, high]: [f64; 2]| {
        let more = (0.5 * (least - (high - low))).max(0.0);
        [low - more, high + more]
    };
    let x = Axis::around("x (mm)", &widened(x), &[]);
    let mut y = Axis::around("y (mm)", &widened(y), &[]);
    y.reversed = true;
    let scale = style.scale(rows.iter().map(|row| row[0]), None, false);
    let bins = 48;
    let mut series: Vec<Series> = (0..bins)
        .map(|i| Series {
            name: String::new(),
            points: vec![],
            mark: if in_space { Mark::Dots } else { Mark::Line },
            colour: scale.map.at((i as f64 + 0.5) / f64::from(bins)),
        })
        .collect();
    let bin = |t: f64| ((scale.position(t) * f64::from(bins)) as usize).min(bins as usize - 1);
    let mut last = std::collections::HashMap::new();
    for row in &rows {
        let [t, x, y, trajectory, _] = *row;
        let into = &mut series[bin(t)].points;
        if in_space {
            into.push([x, y]);
        } else if let Some(before) = last.insert(trajectory as i64, [x, y]) {
            into.extend([before, [x, y], [f64::NAN; 2]]);
        }
    }
    let what = if in_space {
        "Filaments, seen along z"
    } else {
        "Trajectories of the spiral's tips"
    };
    let aspect = (y.high - y.low) / (x.high - x.low);
    let chart = Chart {
        title: what.into(),
        x,
        y,
        series,
        aspect: Some(aspect),
    };
    let height =
        (style.width as f64 * (0.75 * aspect).clamp(0.4, 0.85) + 0.1 * style.width as f64) as usize;
    let mut canvas = Canvas::new(style.width, height);
    let room = canvas.points(colour_bar::ROOM);
    let on = canvas.whole().without([0, 0, room, 0]);
    chart.draw(&mut canvas, on)?;
    let mut place = chart.inner(&canvas, on);
    place.left = place.right() + canvas.points(24.0);
    colour_bar::draw(&mut canvas, place, &scale, "time (ms)", None)?;
    canvas.image().png()
}
