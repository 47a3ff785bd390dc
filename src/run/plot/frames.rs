//! u in time: side by side, over place and time, as an animation.

use std::path::Path;

use super::Style;
use super::grid::Simulated;
use super::grid_pictures::Ground;
use crate::error::{Error, Result};
use crate::io::{read_f64, read_row, read_shape};
use crate::plot::animation::Animation;
use crate::plot::axis::bounds;
use crate::plot::canvas::{Anchor, Canvas, Rectangle};
use crate::plot::chart::{Chart, TICK, TITLE};
use crate::plot::colour_bar;
use crate::plot::colours::{BLACK, ColourScale};
use crate::plot::map::{Shown, field_colour};
use crate::plot::plane_map::PlaneGrid;

/// Pictures of frames side by side.
const IN_MONTAGE: usize = 6;

/// At most so many frames are in an animation.
const IN_ANIMATION: usize = 100;

/// Share of values at each end that a scale of frames may leave out.
const RARE: f64 = 0.01;

/// The frames of u: their times, and one common scale.
struct FramesOfU<'a> {
    source: &'a Path,
    cells: usize,
    times: Vec<f64>,
    scale: ColourScale,
}

impl<'a> FramesOfU<'a> {
    fn open(simulated: &'a Simulated, style: &Style) -> Result<Self> {
        let source = &simulated.source;
        let times = read_f64(source, "/fk/frames/time", None)?;
        let shape = read_shape(source, "/fk/frames/u")?;
        if shape.first() != Some(&times.len()) || &shape[1..] != simulated.grid.file_shape() {
            let grid = simulated.grid.file_shape();
            let problem = format!(
                "has the shape {shape:?} for {} times on a grid of {grid:?}",
                times.len()
            );
            return Err(Error::bad_file(
                source,
                "dataset /fk/frames/u",
                problem,
                "make the file again",
            ));
        }
        if times.is_empty() {
            return Err(Error::bad_file(
                source,
                "dataset /fk/frames/u",
                "has no frames",
                "record some: fk.record.frames_every",
            ));
        }
        let mut frames = Self {
            source,
            cells: simulated.grid.cells(),
            times,
            scale: ColourScale::of(style.colours, std::iter::empty(), None, false),
        };
        // Without the few cells under a stimulus, beside which all others would look alike; the bar
        // tells of them.
        let mut all = vec![];
        for i in frames.chosen(IN_MONTAGE + 1) {
            all.extend(frames.values(i)?.into_iter().filter(|u| u.is_finite()));
        }
        let ends = quantiles(&mut all, RARE).filter(|[low, high]| low < high);
        frames.scale = style.scale(all.into_iter(), ends, false);
        Ok(frames)
    }

    /// At most `most` frames, evenly, with the first and the last.
    fn chosen(&self, most: usize) -> Vec<usize> {
        let last = self.times.len() - 1;
        let count = most.min(self.times.len());
        (0..count)
            .map(|i| (i * last + (count - 1) / 2) / (count - 1).max(1))
            .collect()
    }

    fn values(&self, i: usize) -> Result<Vec<f64>> {
        let values = read_row(self.source, "/fk/frames/u", i)?;
        debug_assert_eq!(values.len(), self.cells);
        Ok(values)
    }

    fn shown<'b>(&self, values: &'b [f64]) -> Shown<'b> {
        Shown::Field {
            values,
            scale: self.scale,
            label: "u (1)",
            isolines: None,
        }
    }
}

/// The values that a share `rare` of all lies below, and above.
fn quantiles(values: &mut [f64], rare: f64) -> Option<[f64; 2]> {
    let last = values.len().checked_sub(1)?;
    let cut = (rare * last as f64) as usize;
    Some([cut, last - cut].map(|i| *values.select_nth_unstable_by(i, f64::total_cmp).1))
}

/// u at six times side by side; of a cable, u over place and time.
pub fn montage(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Vec<u8>> {
    let frames = FramesOfU::open(simulated, style)?;
    if simulated.grid.dimensions < 2 {
        return space_time(simulated, &frames, style);
    }
    let style = Style {
        views: style.views[..1].to_vec(),
        ..style.clone()
    };
    let ground = Ground::of(simulated, active, &style)?;
    // Without the last, which is often like the one before: the first is seldom of interest.
    let chosen: Vec<usize> = frames.chosen(IN_MONTAGE + 1).split_off(1);
    let columns = chosen.len().clamp(1, 3);
    let rows = chosen.len().div_ceil(columns).max(1);
    let aspect = match &ground {
        Ground::Plane(plane, _) => plane.height() / plane.width(),
        Ground::Space(stage) => stage.aspect(),
    };
    let (head, caption) = (54.0, 40.0);
    let each = (1200.0 - colour_bar::ROOM - 20.0) / columns as f64;
    let tall = (each * aspect).clamp(60.0, 700.0) + caption;
    let points = style.width as f64 / 1200.0;
    let mut canvas = Canvas::new(
        style.width,
        ((head + tall * rows as f64 + 16.0) * points) as usize,
    );
    let whole = canvas.whole();
    let title = [whole.width / 2, canvas.points(28.0)];
    let text = match &ground {
        Ground::Plane(plane, unit) => {
            let side = |length: f64| format!("{length:.1}").trim_end_matches(".0").to_string();
            format!(
                "u on {} × {} {unit}",
                side(plane.width()),
                side(plane.height())
            )
        }
        Ground::Space(_) => "u in time".into(),
    };
    canvas.text(title, TITLE, Anchor::Centre, BLACK, &text)?;
    let (room, margin) = (canvas.points(colour_bar::ROOM), canvas.points(16.0));
    let panels = whole
        .without([margin, canvas.points(head), room, margin])
        .parts(rows, columns);
    for (i, panel) in chosen.iter().zip(panels) {
        let gap = canvas.points(6.0);
        let on = panel.without([gap, canvas.points(caption), gap, gap]);
        let values = frames.values(*i)?;
        match &ground {
            Ground::Space(stage) => stage.paint(&mut canvas, 0, on, &frames.shown(&values))?,
            Ground::Plane(plane, _) => {
                let on = fitted(on, aspect);
                let raster = plane.raster(&values, on);
                let scale = frames.scale;
                canvas.paint(on, |x, y| {
                    Some(field_colour(
                        &raster,
                        y * raster.width + x,
                        &scale,
                        None,
                        0.0,
                    ))
                });
            }
        }
        let above = [on.left + on.width / 2, on.top - canvas.points(18.0)];
        canvas.text(
            above,
            TICK,
            Anchor::Centre,
            BLACK,
            &time_text(frames.times[*i]),
        )?;
    }
    let bar = whole.without([
        whole.width - room + margin,
        canvas.points(head + caption),
        0,
        2 * margin,
    ]);
    colour_bar::draw(&mut canvas, bar, &frames.scale, "u (1)", None)?;
    canvas.image().png()
}

/// The largest rectangle of this height over width in the middle of `on`.
fn fitted(on: Rectangle, aspect: f64) -> Rectangle {
    let (width, height) = (f64::from(on.width), f64::from(on.height));
    let (x, y) = (
        (width - height / aspect).max(0.0) / 2.0,
        (height - width * aspect).max(0.0) / 2.0,
    );
    on.without([x as i32, y as i32, x as i32, y as i32])
}

pub(super) fn time_text(t: f64) -> String {
    let text = format!("{t:.1}");
    format!("t = {} ms", text.trim_end_matches(".0"))
}

fn space_time(simulated: &Simulated, frames: &FramesOfU, style: &Style) -> Result<Vec<u8>> {
    let columns = simulated.grid.cells();
    let mut values = Vec::with_capacity(columns * frames.times.len());
    for i in 0..frames.times.len() {
        values.extend(frames.values(i)?);
    }
    let [first, last] = bounds(frames.times.iter().copied());
    let rows = frames.times.len();
    let plane = PlaneGrid {
        rows,
        columns,
        spacing: [
            (last - first).max(1e-9) / rows as f64,
            simulated.grid.spacing[2],
        ],
        origin: [simulated.grid.origin[0], first],
    };
    let [x, mut y] = plane.axes(simulated.unit);
    y.label = "time (ms)".into();
    let chart = Chart {
        title: "u along the cable in time".into(),
        x,
        y,
        series: vec![],
        aspect: None,
    };
    let mut canvas = Canvas::new(style.width, style.width * 3 / 4);
    let whole = canvas.whole();
    let room = canvas.points(colour_bar::ROOM);
    let on = whole.without([0, 0, room, 0]);
    let mut place = chart.inner(&canvas, on);
    chart.draw_over(&mut canvas, on, |canvas, inner| {
        let raster = plane.raster(&values, inner);
        canvas.paint(inner, |x, y| {
            Some(field_colour(
                &raster,
                y * raster.width + x,
                &frames.scale,
                None,
                0.0,
            ))
        });
    })?;
    place.left = place.right() + canvas.points(24.0);
    colour_bar::draw(&mut canvas, place, &frames.scale, "u (1)", None)?;
    canvas.image().png()
}

/// u in time, two thirds as wide as other pictures.
pub fn animation(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Vec<u8>> {
    let frames = FramesOfU::open(simulated, style)?;
    let style = Style {
        views: style.views[..1].to_vec(),
        ..style.clone()
    };
    let ground = Ground::of(simulated, active, &style)?;
    let mut animation: Option<Animation> = None;
    for i in frames.chosen(IN_ANIMATION) {
        let values = frames.values(i)?;
        let mut canvas = ground.canvas(style.width * 2 / 3);
        ground.draw(
            &mut canvas,
            &time_text(frames.times[i]),
            &frames.shown(&values),
        )?;
        let image = canvas.image();
        if animation.is_none() {
            let seconds = 1.0 / style.speed;
            animation = Some(Animation::new(
                image.width,
                image.height,
                style.colours,
                matches!(ground, Ground::Space(_)),
                seconds,
            )?);
        }
        if let Some(animation) = &mut animation {
            animation.push(&image)?;
        }
    }
    animation.map_or_else(
        || Err(Error::Bug("an animation without frames".into())),
        Animation::finish,
    )
}
