//! Pictures of a simulation: fields on cables, sheets and hearts, frames, tips.

use std::path::Path;
use std::rc::Rc;

use super::grid::Simulated;
use super::mesh::{isochrone_step, isochrones_title};
use super::{ANIMATION, Offer, Style, chart_png};
use crate::error::{Error, Result};
use crate::io::{read_f64, read_matrix, read_row, read_shape, read_text};
use crate::plot::animation::Animation;
use crate::plot::axis::{Axis, bounds};
use crate::plot::canvas::{Anchor, Canvas, Rectangle};
use crate::plot::chart::{Chart, Mark, Series, TICK, TITLE};
use crate::plot::colour_bar;
use crate::plot::colours::{BLACK, ColourScale, of_group};
use crate::plot::map::{Shown, Stage, field_colour};
use crate::plot::plane_map::PlaneGrid;
use crate::plot::scene::Scene;

/// Pictures of frames side by side.
const IN_MONTAGE: usize = 6;

/// At most so many frames are in an animation.
const IN_ANIMATION: usize = 100;

/// Share of values at each end that a scale of frames may leave out.
const RARE: f64 = 0.01;

/// Pictures of the simulation in `source`, whose datasets are `names`.
pub fn offers(source: &Path, names: &[String]) -> Result<Vec<Offer>> {
    let Some(simulated) = Simulated::of(source, names)? else {
        return Ok(vec![]);
    };
    let simulated = Rc::new(simulated);
    let has = |name: &str| names.iter().any(|n| n == name);
    let active = Rc::new(simulated.active(names)?);
    let frames = has("/fk/frames/u") && has("/fk/frames/time");
    let mut offers = Vec::new();
    for dataset in names {
        let Some(name) = dataset
            .strip_prefix("/fk/")
            .filter(|name| !name.contains('/'))
        else {
            continue;
        };
        if read_shape(source, dataset)? != simulated.grid.file_shape() {
            continue;
        }
        let is_time = name == "activation_time";
        let usual = is_time || name == "apd" || (name == "u" && !frames);
        let file = if is_time { "activation" } else { name };
        let what = match name {
            "activation_time" => "activation times and isochrones".into(),
            "u" | "v" | "w" => format!("{name} at the end"),
            _ => name.replace('_', " "),
        };
        let unit = read_text(source, dataset, "unit")?.unwrap_or_default();
        let (simulated, active, dataset) =
            (Rc::clone(&simulated), Rc::clone(&active), dataset.clone());
        let draw = move |style: &Style| field(&simulated, &active, &dataset, &unit, style);
        offers.push(Offer::new(file, &what, usual, draw));
    }
    if frames {
        let (of, tissue) = (Rc::clone(&simulated), Rc::clone(&active));
        let draw = move |style: &Style| montage(&of, &tissue, style);
        let what = if simulated.grid.dimensions < 2 {
            "u over place and time"
        } else {
            "u at six times"
        };
        offers.push(Offer::new("frames", what, true, draw));
        if simulated.grid.dimensions > 1 {
            let (of, tissue) = (Rc::clone(&simulated), Rc::clone(&active));
            let draw = move |style: &Style| animation(&of, &tissue, style);
            offers.push(Offer::new(
                ANIMATION,
                "u in time, an animated GIF",
                true,
                draw,
            ));
        }
    }
    if has("/fk/tip") && read_shape(source, "/fk/tip")?[0] > 0 {
        let of = Rc::clone(&simulated);
        offers.push(Offer::new(
            "tip",
            "trajectories of spiral tips",
            true,
            move |style: &Style| tip(&of, style),
        ));
    }
    Ok(offers)
}

/// What a field is drawn on: a plane with axes, or a stage with voxels.
enum Ground {
    Plane(PlaneGrid, &'static str),
    Space(Stage),
}

impl Ground {
    fn of(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Self> {
        let grid = &simulated.grid;
        let ([nz, ny, nx], [_, dy, dx], [x, y, _]) = (grid.shape, grid.spacing, grid.origin);
        if grid.dimensions < 3 || nz == 1 {
            let plane = PlaneGrid {
                rows: ny,
                columns: nx,
                spacing: [dy, dx],
                origin: [x, y],
            };
            return Ok(Self::Plane(plane, simulated.unit));
        }
        let scene = |plane: Option<&_>| {
            let (shape, spacing, origin) = (grid.shape, grid.spacing, grid.origin);
            Ok(Scene::of_voxels(shape, spacing, origin, active, plane).without_steps())
        };
        Stage::new(style.views.clone(), style.cut, scene).map(Self::Space)
    }

    fn canvas(&self, width: usize) -> Canvas {
        match self {
            Self::Space(stage) => stage.canvas(width),
            Self::Plane(plane, _) => {
                let inner = width as f64 * (1200.0 - colour_bar::ROOM - 130.0) / 1200.0;
                let labels = 150.0 * width as f64 / 1200.0;
                let height = (inner * plane.height() / plane.width()).min(0.9 * width as f64);
                Canvas::new(width, (height.max(0.15 * width as f64) + labels) as usize)
            }
        }
    }

    fn draw(&self, canvas: &mut Canvas, title: &str, shown: &Shown) -> Result<()> {
        let whole = canvas.whole();
        let (plane, unit) = match self {
            Self::Space(stage) => return stage.draw(canvas, whole, title, shown),
            Self::Plane(plane, unit) => (plane, unit),
        };
        let Shown::Field {
            values,
            scale,
            label,
            isolines,
        } = shown
        else {
            return Err(Error::Bug("a grid has no groups".into()));
        };
        let [x, y] = plane.axes(unit);
        let chart = Chart {
            title: title.into(),
            x,
            y,
            series: vec![],
            aspect: Some(plane.height() / plane.width()),
        };
        let room = canvas.points(colour_bar::ROOM);
        let on = whole.without([0, 0, room, 0]);
        let mut place = chart.inner(canvas, on);
        let line = f64::from(canvas.points(1.0).max(1));
        chart.draw_over(canvas, on, |canvas, inner| {
            let raster = plane.raster(values, inner);
            canvas.paint(inner, |x, y| {
                let at = y * raster.width + x;
                Some(field_colour(&raster, at, scale, *isolines, line))
            });
        })?;
        place.left = place.right() + canvas.points(24.0);
        place.width = room;
        colour_bar::draw(canvas, place, scale, label, *isolines)
    }
}

/// A field of cells; activation times with isochrones.
fn field(
    simulated: &Simulated,
    active: &[bool],
    dataset: &str,
    unit: &str,
    style: &Style,
) -> Result<Vec<u8>> {
    let values = simulated.field(dataset)?;
    let name = dataset.rsplit('/').next().unwrap_or(dataset);
    let is_time = name == "activation_time";
    let label = match name {
        "apd" => "action potential duration (ms)".to_string(),
        _ if unit.is_empty() || unit == "1" => name.replace('_', " "),
        _ => format!("{} ({unit})", name.replace('_', " ")),
    };
    if simulated.grid.dimensions < 2 {
        return chart_png(style, &along(simulated, &label, &values));
    }
    let scale = ColourScale::of(style.colours, values.iter().copied(), style.range, false);
    let step = isochrone_step(style, &scale);
    let isolines = if is_time {
        Some(step)
    } else {
        style.isochrones
    };
    let title = match is_time {
        true => isochrones_title(step),
        false => {
            let mut title = label.clone();
            title[..1].make_ascii_uppercase();
            title
        }
    };
    let ground = Ground::of(simulated, active, style)?;
    let mut canvas = ground.canvas(style.width);
    let shown = Shown::Field {
        values: &values,
        scale,
        label: &label,
        isolines,
    };
    ground.draw(&mut canvas, &title, &shown)?;
    canvas.image().png()
}

/// A field of a cable over x.
fn along(simulated: &Simulated, label: &str, values: &[f64]) -> Chart {
    let (spacing, origin) = (simulated.grid.spacing[2], simulated.grid.origin[0]);
    let x: Vec<f64> = (0..values.len())
        .map(|i| origin + (i as f64 + 0.5) * spacing)
        .collect();
    Chart {
        title: String::new(),
        x: Axis::around(format!("x ({})", simulated.unit), &x, &[]),
        y: Axis::around(label, values, &[]),
        series: vec![Series {
            name: String::new(),
            points: x.iter().zip(values).map(|(x, y)| [*x, *y]).collect(),
            mark: Mark::Line,
            colour: of_group(0),
        }],
        aspect: None,
    }
}

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
            scale: ColourScale::of(style.colours, std::iter::empty(), style.range, false),
        };
        if style.range.is_none() {
            // Without the few cells under a stimulus, beside which all others would look alike.
            let mut all = vec![];
            for i in frames.chosen(IN_MONTAGE + 1) {
                all.extend(frames.values(i)?.into_iter().filter(|u| u.is_finite()));
            }
            let ends = quantiles(&mut all, RARE);
            frames.scale = ColourScale::of(style.colours, ends.into_iter(), None, false);
        }
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
fn quantiles(values: &mut [f64], rare: f64) -> Vec<f64> {
    if values.is_empty() {
        return vec![];
    }
    let last = values.len() - 1;
    let cut = (rare * last as f64) as usize;
    [cut, last - cut]
        .map(|i| *values.select_nth_unstable_by(i, f64::total_cmp).1)
        .to_vec()
}

/// u at six times side by side; of a cable, u over place and time.
fn montage(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Vec<u8>> {
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

fn time_text(t: f64) -> String {
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
fn animation(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Vec<u8>> {
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

/// Trajectories of tips (of filaments: seen along z), in colours of time.
fn tip(simulated: &Simulated, style: &Style) -> Result<Vec<u8>> {
    let source = &simulated.source;
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
    let (rows, _) = rows.as_chunks::<5>();
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
    let scale = ColourScale::of(
        style.colours,
        rows.iter().map(|row| row[0]),
        style.range,
        false,
    );
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
    for row in rows {
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
