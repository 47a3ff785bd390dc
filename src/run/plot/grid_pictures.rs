//! Fields of a simulation: on cables, sheets and hearts.

use std::path::Path;
use std::rc::Rc;

use super::choices::{FIELD, IN_MOTION, ONE_VIEW, PLANE, PLANE_FIELD, PLANE_IN_MOTION, VALUES};
use super::filaments;
use super::frames::{animation, montage, time_text};
use super::grid::Simulated;
use super::mesh::{check_cut, isochrone_step, isochrones_title};
use super::tips::tip;
use super::{ANIMATION, Offer, Style, capitalised, chart_png};
use crate::error::{Error, Result};
use crate::io::{read_matrix, read_shape, read_text};
use crate::plot::axis::Axis;
use crate::plot::canvas::Canvas;
use crate::plot::chart::{Chart, Mark, Series};
use crate::plot::colour_bar;
use crate::plot::colours::of_group;
use crate::plot::map::{Shown, Stage, field_colour};
use crate::plot::plane_map::PlaneGrid;
use crate::plot::scene::Scene;

/// Pictures of the simulation in `source`, whose datasets are `names`.
pub fn offers(source: &Path, names: &[String]) -> Result<Vec<Offer>> {
    let Some(simulated) = Simulated::of(source, names)? else {
        return Ok(vec![]);
    };
    let simulated = Rc::new(simulated);
    let has = |name: &str| names.iter().any(|n| n == name);
    let active = Rc::new(simulated.active(names)?);
    let frames = has("/fk/frames/u") && has("/fk/frames/time");
    let in_space = is_in_space(&simulated);
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
        let heeds = match (in_space, simulated.grid.dimensions) {
            (true, _) => FIELD,
            (_, 0 | 1) => &[],
            _ => PLANE_FIELD,
        };
        let draw = move |style: &Style| field(&simulated, &active, &dataset, &unit, style);
        offers.push(Offer::new(file, &what, usual, heeds, draw));
    }
    if frames {
        let (of, tissue) = (Rc::clone(&simulated), Rc::clone(&active));
        let draw = move |style: &Style| montage(&of, &tissue, style);
        let what = if simulated.grid.dimensions < 2 {
            "u over place and time"
        } else {
            "u at six times"
        };
        let heeds = if in_space { ONE_VIEW } else { PLANE };
        offers.push(Offer::new("frames", what, true, heeds, draw));
        if simulated.grid.dimensions > 1 {
            let (of, tissue) = (Rc::clone(&simulated), Rc::clone(&active));
            let draw = move |style: &Style| animation(&of, &tissue, style);
            offers.push(Offer::new(
                ANIMATION,
                "u in time, an animated GIF",
                true,
                if in_space { IN_MOTION } else { PLANE_IN_MOTION },
                draw,
            ));
        }
    }
    if has("/fk/tip") && read_shape(source, "/fk/tip")?[0] > 0 {
        let in_space = simulated.grid.dimensions == 3;
        let of = Rc::clone(&simulated);
        let what = match in_space {
            true => "filaments seen along z",
            false => "trajectories of spiral tips",
        };
        let draw = move |style: &Style| tip(&of, style);
        offers.push(Offer::new("tip", what, !in_space, PLANE, draw));
        if in_space {
            let (of, tissue) = (Rc::clone(&simulated), Rc::clone(&active));
            let draw = move |style: &Style| filaments::picture(&of, &tissue, style);
            let what = "filaments in space, in colours of time";
            offers.push(Offer::new("filaments", what, true, VALUES, draw));
        }
    }
    Ok(offers)
}

/// Whether a simulation is seen from a side, and not as a plane.
fn is_in_space(simulated: &Simulated) -> bool {
    simulated.grid.dimensions == 3 && simulated.grid.shape[0] > 1
}

/// The outer faces of the cells in tissue, `active`.
///
/// # Errors
/// [`Error::BadData`] where a plane cuts nothing.
pub fn stage(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Stage> {
    let grid = &simulated.grid;
    if let Some(plane) = &style.cut {
        let cells = (0..grid.cells()).filter(|cell| active[*cell]);
        let centres = cells.map(|cell| grid.centre(grid.place(cell)));
        check_cut(plane, centres, simulated.unit)?;
    }
    let scene = |plane: Option<&_>| {
        let (shape, spacing, origin) = (grid.shape, grid.spacing, grid.origin);
        Ok(Scene::of_voxels(shape, spacing, origin, active, plane).without_steps())
    };
    Stage::new(style.views.clone(), style.cut, scene)
}

/// Least height of the colour bar of a plane, points.
const LEAST_BAR: f64 = 260.0;

/// What a field is drawn on: a plane with axes, or a stage with voxels.
pub enum Ground {
    Plane(PlaneGrid, &'static str),
    Space(Stage),
}

impl Ground {
    /// The ground of a simulation, whose cells in tissue are `active`.
    pub fn of(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Self> {
        let grid = &simulated.grid;
        let ([_, ny, nx], [_, dy, dx], [x, y, _]) = (grid.shape, grid.spacing, grid.origin);
        if !is_in_space(simulated) {
            let plane = PlaneGrid {
                rows: ny,
                columns: nx,
                spacing: [dy, dx],
                origin: [x, y],
            };
            return Ok(Self::Plane(plane, simulated.unit));
        }
        stage(simulated, active, style).map(Self::Space)
    }

    /// A canvas of `width` pixels whose height suits the grid.
    pub fn canvas(&self, width: usize) -> Canvas {
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

    /// Draws a field under `title`.
    pub fn draw(&self, canvas: &mut Canvas, title: &str, shown: &Shown) -> Result<()> {
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
        // The bar of a strip is higher than the strip, so that it can be read.
        let (top, bottom) = (canvas.points(50.0), whole.bottom() - canvas.points(24.0));
        let more = (canvas.points(LEAST_BAR) - place.height).max(0);
        let lower = (place.bottom() + more / 2).min(bottom);
        place.top = (lower - place.height - more).max(top);
        place.height = place.height.max(lower - place.top);
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
    let scale = style.scale(values.iter().copied(), None, false);
    let step = isochrone_step(style, &scale)?;
    let isolines = if is_time {
        Some(step)
    } else {
        style.isochrones
    };
    let title = match is_time {
        true => isochrones_title(step),
        // A variable of the state.
        false if unit == "1" && !name.contains('_') => {
            let (_, end) = read_matrix(&simulated.source, "/fk/time")?;
            let end = end.first().map(|t| time_text(*t));
            end.map_or(label.clone(), |end| format!("{label}, {end}"))
        }
        false => capitalised(&label),
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
