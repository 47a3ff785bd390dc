//! The bar that tells what colours mean.

use plotters::prelude::*;

use super::canvas::{Anchor, Canvas, Rectangle, rgb};
use super::chart::{LABEL, TICK};
use super::colours::{BLACK, ColourScale};
use super::ticks::{self, Tick};
use crate::error::Result;

/// Width of a bar with its labels, points.
pub const ROOM: f64 = 150.0;

/// Draws the bar of `scale` at the left of `on`, with marks, and the label at its right; an end beyond
/// which there are values is an arrow. `isolines`: lines in the bar at multiples of this, where it has
/// room for them.
pub fn draw(
    canvas: &mut Canvas,
    on: Rectangle,
    scale: &ColourScale,
    label: &str,
    isolines: Option<f64>,
) -> Result<()> {
    let bar = Rectangle {
        width: canvas.points(26.0),
        ..on
    };
    // An arrow has its room from the bar's.
    let arrow = bar.width / 2;
    let [below, above] = scale.beyond.map(|b| if b { arrow } else { 0 });
    let bar = bar.without([0, above, 0, below]);
    let value = |y: usize| {
        let t = 1.0 - (y as f64 + 0.5) / f64::from(bar.height);
        if scale.logarithmic {
            scale.low * (scale.high / scale.low).powf(t)
        } else {
            scale.low + t * (scale.high - scale.low)
        }
    };
    canvas.paint(bar, |_, y| Some(scale.colour(value(y))));
    let most = (f64::from(bar.height) / f64::from(canvas.points(50.0))) as usize;
    let marks = if scale.logarithmic {
        ticks::logarithmic(scale.low, scale.high, most.clamp(2, 10))
    } else {
        ticks::linear(scale.low, scale.high, most.clamp(2, 10))
    };
    let at = |value: f64| bar.bottom() - (scale.position(value) * f64::from(bar.height)) as i32;
    let thin = canvas.points(1.0).max(1) as u32;
    let lines: Vec<i32> = match isolines {
        Some(step)
            if (scale.high - scale.low) / step * f64::from(canvas.points(8.0))
                < f64::from(bar.height) =>
        {
            ticks::multiples(scale.low, scale.high, step)
        }
        _ => vec![],
    }
    .iter()
    .map(|tick| at(tick.at))
    .collect();
    let (whole, notch) = (canvas.whole(), canvas.points(6.0));
    let places: Vec<(i32, &Tick)> = marks.iter().map(|tick| (at(tick.at), tick)).collect();
    canvas.draw(whole, |area| {
        let line = rgb(BLACK).stroke_width(thin);
        for y in &lines {
            area.draw(&PathElement::new(
                vec![(bar.left, *y), (bar.right(), *y)],
                line,
            ))?;
        }
        for (y, _) in &places {
            let path = vec![(bar.right(), *y), (bar.right() + notch, *y)];
            area.draw(&PathElement::new(path, line))?;
        }
        for (is_there, end, tip, value) in [
            (
                scale.beyond[0],
                bar.bottom(),
                bar.bottom() + arrow,
                scale.low,
            ),
            (scale.beyond[1], bar.top, bar.top - arrow, scale.high),
        ] {
            if is_there {
                let middle = bar.left + bar.width / 2;
                let mut path = vec![(bar.left, end), (middle, tip), (bar.right(), end)];
                area.draw(&Polygon::new(
                    path.clone(),
                    rgb(scale.colour(value)).filled(),
                ))?;
                path.push(path[0]);
                area.draw(&PathElement::new(path, line))?;
            }
        }
        let corners = [(bar.left, bar.top), (bar.right(), bar.bottom())];
        area.draw(&plotters::element::Rectangle::new(corners, line))
    })?;
    let left = bar.right() + canvas.points(11.0);
    let mut widest = 0;
    for (y, tick) in &places {
        widest = widest.max(canvas.text_width(TICK, &tick.label));
        canvas.text([left, *y], TICK, Anchor::Left, BLACK, &tick.label)?;
    }
    let beside = left + widest + canvas.points(10.0 + LABEL / 2.0);
    let middle = bar.top + bar.height / 2;
    canvas.text([beside, middle], LABEL, Anchor::Upwards, BLACK, label)
}
