//! A mesh or a voxelised heart in colours: one panel for each view, a colour bar, a scale.

use plotters::prelude::*;

use super::canvas::{Anchor, Canvas, Rectangle, rgb};
use super::chart::{TICK, TITLE};
use super::colour_bar;
use super::colours::{BLACK, Colour, ColourScale, WHITE, mix, of_group};
use super::raster::{NOTHING, Projection, Raster, rasterise};
use super::scene::Scene;
use super::ticks;
use super::view::{Plane, View};
use crate::error::Result;
use crate::tensor::Vec3;

/// Dark grey of isochrones and boundaries.
const LINE: Colour = [25; 3];

/// Grey of the outline of a pale surface.
const OUTLINE: Colour = [150; 3];

/// What the colours show.
pub enum Shown<'a> {
    /// Values of points (of a mesh) or of cells (of voxels), interpolated, with lines at multiples
    /// of `isolines`.
    Field {
        values: &'a [f64],
        scale: ColourScale,
        label: &'a str,
        isolines: Option<f64>,
    },
    /// One value for each group of tetrahedra, written upon it; lines between groups.
    OfGroups {
        group: &'a [u32],
        values: &'a [f64],
        scale: ColourScale,
        label: &'a str,
    },
    /// Groups of tetrahedra, each in a colour of its own and with its name.
    Groups {
        group: &'a [u32],
        names: &'a [String],
    },
    /// A value for each tetrahedron.
    OfCells {
        values: &'a [f64],
        scale: ColourScale,
        label: &'a str,
    },
    /// The surface, pale, for what is drawn over it in the colours of `scale`.
    Pale { scale: ColourScale, label: &'a str },
}

/// A scene for each view, since a cut depends on the side of the viewer.
pub struct Stage {
    pub views: Vec<View>,
    scenes: Vec<Scene>,
    planes: Vec<Option<Plane>>,
}

/// Where the scene of one view is drawn, and how large.
struct Panel {
    view: usize,
    on: Rectangle,
    projection: Projection,
}

impl Stage {
    /// Builds the scene of each view by `scene`, which is given the plane as the viewer sees it.
    pub fn new(
        views: Vec<View>,
        plane: Option<Plane>,
        scene: impl Fn(Option<&Plane>) -> Result<Scene>,
    ) -> Result<Self> {
        let planes: Vec<Option<Plane>> = (views.iter())
            .map(|view| plane.map(|plane| plane.facing(view)))
            .collect();
        let scenes = planes
            .iter()
            .map(|plane| scene(plane.as_ref()))
            .collect::<Result<_>>()?;
        Ok(Self {
            views,
            scenes,
            planes,
        })
    }

    /// For each view the points that the plane leaves.
    fn kept(&self) -> Vec<Vec<Vec3>> {
        let of = |(scene, plane): (&Scene, &Option<Plane>)| {
            // Those of the cut lie in the plane, but for rounding.
            let kept = |p: &&Vec3| plane.is_none_or(|plane| plane.height(**p) < 1e-6);
            scene.points.iter().filter(kept).copied().collect()
        };
        self.scenes.iter().zip(&self.planes).map(of).collect()
    }

    /// Height over width of all panels side by side, without labels.
    pub fn aspect(&self) -> f64 {
        let points = self.kept();
        let unit = Projection::fit(&points, &self.views, 1_000_000, 1);
        let wide = Projection::fit(&points, &self.views, 1, 1_000_000);
        match (unit.first(), wide.first()) {
            // Scales at which height and width are one pixel.
            (Some(tall), Some(wide)) if tall.scale > 0.0 => wide.scale / tall.scale,
            _ => 1.0,
        }
    }

    /// A canvas of `width` pixels whose height suits the mesh.
    pub fn canvas(&self, width: usize) -> Canvas {
        let n = self.views.len().max(1) as f64;
        let panel = (width as f64 - colour_bar::ROOM * width as f64 / 1200.0) / n;
        let labels = 120.0 * width as f64 / 1200.0;
        let height =
            (panel * self.aspect()).clamp(0.3 * width as f64 / n.sqrt(), 0.9 * width as f64);
        Canvas::new(width, (height + labels) as usize)
    }

    /// Draws `shown` under `title` within `on`.
    pub fn draw(
        &self,
        canvas: &mut Canvas,
        on: Rectangle,
        title: &str,
        shown: &Shown,
    ) -> Result<()> {
        self.draw_under(canvas, on, title, shown, |_, _, _, _| Ok(()))
    }

    /// Draws `shown` under `title` within `on`, and what `over` draws into the place of each view.
    pub fn draw_under(
        &self,
        canvas: &mut Canvas,
        on: Rectangle,
        title: &str,
        shown: &Shown,
        over: impl Fn(&mut Canvas, Rectangle, &View, Projection) -> Result<()>,
    ) -> Result<()> {
        let p = |canvas: &Canvas, length: f64| canvas.points(length);
        let whole = on;
        let middle = [on.left + on.width / 2, on.top + p(canvas, 28.0)];
        canvas.text(middle, TITLE, Anchor::Centre, BLACK, title)?;
        let bar = match shown {
            Shown::Groups { .. } => p(canvas, 20.0),
            _ => p(canvas, colour_bar::ROOM),
        };
        let margin = p(canvas, 20.0);
        let panels = whole.without([margin, p(canvas, 58.0), bar, p(canvas, 56.0)]);
        let panels = panels.parts(1, self.views.len());
        let gap = p(canvas, 12.0);
        let size = panels
            .first()
            .map_or([1, 1], |panel| [panel.width - 2 * gap, panel.height]);
        let points = self.kept();
        let projections = Projection::fit(&points, &self.views, size[0], size[1]);
        for (i, (panel, projection)) in panels.iter().zip(projections).enumerate() {
            let panel = panel.without([gap, 0, gap, 0]);
            let panel = Panel {
                view: i,
                on: panel,
                projection,
            };
            self.panel(canvas, &panel, shown)?;
            over(canvas, panel.on, &self.views[i], projection)?;
        }
        let place = whole.without([whole.width - bar, p(canvas, 64.0), 0, p(canvas, 60.0)]);
        match shown {
            Shown::Field {
                scale,
                label,
                isolines,
                ..
            } => colour_bar::draw(canvas, place, scale, label, *isolines),
            Shown::OfGroups { scale, label, .. }
            | Shown::OfCells { scale, label, .. }
            | Shown::Pale { scale, label } => colour_bar::draw(canvas, place, scale, label, None),
            Shown::Groups { .. } => Ok(()),
        }
    }

    fn panel(&self, canvas: &mut Canvas, panel: &Panel, shown: &Shown) -> Result<()> {
        self.paint_panel(canvas, panel, shown)?;
        let (view, on) = (&self.views[panel.view], panel.on);
        let below = on.bottom() + canvas.points(34.0);
        let middle = on.left + on.width / 2;
        canvas.text([middle, below], TICK, Anchor::Centre, BLACK, &caption(view))?;
        axes(
            canvas,
            [
                on.left + canvas.points(30.0),
                on.bottom() + canvas.points(8.0),
            ],
            view,
        )?;
        ruler(canvas, on, panel.projection)
    }

    /// Draws `shown` as seen from view `i` within `on`, without any label.
    pub fn paint(&self, canvas: &mut Canvas, i: usize, on: Rectangle, shown: &Shown) -> Result<()> {
        let (points, view) = (self.kept(), &self.views[i..=i]);
        let projection = Projection::fit(&points[i..=i], view, on.width, on.height);
        let panel = Panel {
            view: i,
            on,
            projection: projection[0],
        };
        self.paint_panel(canvas, &panel, shown)
    }

    fn paint_panel(&self, canvas: &mut Canvas, panel: &Panel, shown: &Shown) -> Result<()> {
        let &Panel {
            view: i,
            on,
            projection,
        } = panel;
        let (scene, view) = (&self.scenes[i], &self.views[i]);
        let at_vertices = match shown {
            Shown::Field { values, .. } => scene.at_vertices(values),
            _ => vec![0.0; scene.points.len()],
        };
        let plane = self.planes[i].as_ref();
        let raster = rasterise(scene, &at_vertices, view, plane, projection, on);
        let line = f64::from(canvas.points(1.0).max(1)) * 0.9;
        let edge = canvas.points(1.0).max(1) as usize;
        canvas.paint(on, |x, y| {
            colour(&raster, y * raster.width + x, shown, line, edge)
        });
        self.names(canvas, on, &raster, shown)
    }

    /// What is written upon groups.
    fn names(
        &self,
        canvas: &mut Canvas,
        on: Rectangle,
        raster: &Raster,
        shown: &Shown,
    ) -> Result<()> {
        let (group, text): (&[u32], Box<dyn Fn(u32) -> String>) = match shown {
            Shown::Groups { group, names } => (group, Box::new(|g| names[g as usize].clone())),
            Shown::OfGroups { group, values, .. } => {
                (group, Box::new(|g| short_number(values[g as usize])))
            }
            _ => return Ok(()),
        };
        for (g, [x, y], far) in raster.middles(|owner| group[owner as usize]) {
            let text = text(g);
            let room = canvas.text_width(TICK, &text).max(canvas.points(TICK)) / 2;
            if far < 0.9 * f64::from(room) {
                continue;
            }
            let at = y * raster.width + x;
            let below = colour(raster, at, shown, 0.0, 0).unwrap_or(WHITE);
            let light =
                0.3 * f64::from(below[0]) + 0.59 * f64::from(below[1]) + 0.11 * f64::from(below[2]);
            let ink = if light > 120.0 { BLACK } else { WHITE };
            canvas.text(
                [on.left + x as i32, on.top + y as i32],
                TICK,
                Anchor::Centre,
                ink,
                &text,
            )?;
        }
        Ok(())
    }
}

/// The colour of a pixel; `None` where nothing is seen. `line` and `edge`: widths of isolines and
/// of boundaries between groups, in pixels.
fn colour(raster: &Raster, at: usize, shown: &Shown, line: f64, edge: usize) -> Option<Colour> {
    let owner = raster.owner[at];
    let shaded = |colour: Colour| shaded(colour, raster.shade[at]);
    let boundary = |group: &[u32]| edge > 0 && raster.is_boundary(at, edge, |o| group[o as usize]);
    if owner == NOTHING {
        return None;
    }
    let cell = owner as usize;
    Some(match shown {
        Shown::Field {
            scale, isolines, ..
        } => {
            let under = shaded(scale.colour(raster.value[at]));
            let covered = isolines.map_or(0.0, |step| raster.isoline(at, step, line));
            mix(under, LINE, 0.85 * covered)
        }
        Shown::OfGroups { group, .. } | Shown::Groups { group, .. } if boundary(group) => LINE,
        Shown::OfGroups {
            group,
            values,
            scale,
            ..
        } => shaded(scale.colour(values[group[cell] as usize])),
        Shown::Groups { group, .. } => shaded(of_group(group[cell] as usize)),
        Shown::OfCells { values, scale, .. } => shaded(scale.colour(values[cell])),
        Shown::Pale { .. } if edge > 0 && raster.is_rim(at, edge) => OUTLINE,
        Shown::Pale { .. } => mix(shaded(WHITE), WHITE, 0.2),
    })
}

/// A colour in the shade, of which there are few: files are smaller so, and nobody sees it.
fn shaded(colour: Colour, shade: f64) -> Colour {
    const LEVELS: f64 = 64.0;
    mix(BLACK, colour, (LEVELS * shade).round() / LEVELS)
}

/// The colour of a pixel of a field, with its shade and lines `line` pixels wide.
pub fn field_colour(
    raster: &Raster,
    at: usize,
    scale: &ColourScale,
    isolines: Option<f64>,
    line: f64,
) -> Colour {
    let under = shaded(scale.colour(raster.value[at]), raster.shade[at]);
    let covered = isolines.map_or(0.0, |step| raster.isoline(at, step, line));
    mix(under, LINE, 0.85 * covered)
}

/// Three significant digits.
pub fn short_number(x: f64) -> String {
    let digits = (2 - x.abs().max(1e-300).log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{x:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    };
    text.replace('-', "−")
}

fn caption(view: &View) -> String {
    match view.name.split_once(',') {
        Some((azimuth, elevation)) => {
            let minus = |text: &str| text.trim().replace('-', "−");
            format!(
                "azimuth {}°, elevation {}°",
                minus(azimuth),
                minus(elevation)
            )
        }
        None if ["top", "bottom"].contains(&view.name.as_str()) => {
            format!("from the {}", view.name)
        }
        None => format!("{} view", view.name),
    }
}

/// Directions of the coordinate axes.
fn axes(canvas: &mut Canvas, [x, y]: [i32; 2], view: &View) -> Result<()> {
    let (length, thick) = (
        f64::from(canvas.points(26.0)),
        canvas.points(2.0).max(1) as u32,
    );
    let ends = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|axis| view.seen(axis));
    let at = |share: f64, [a, b, _]: [f64; 3]| {
        [
            x + (share * length * a) as i32,
            y - (share * length * b) as i32,
        ]
    };
    let whole = canvas.whole();
    canvas.draw(whole, |area| {
        for end in ends {
            let [a, b] = at(1.0, end);
            area.draw(&PathElement::new(
                vec![(x, y), (a, b)],
                rgb([110; 3]).stroke_width(thick),
            ))?;
        }
        Ok(())
    })?;
    for (i, (end, name)) in ends.into_iter().zip(["x", "y", "z"]).enumerate() {
        // One that points at the viewer has no room for its name, nor the shorter of two in a line.
        let length = |end: [f64; 3]| end[0].hypot(end[1]);
        let hidden = |(j, other): (usize, &[f64; 3])| {
            let apart = (other[0] - end[0]).hypot(other[1] - end[1]);
            j != i && apart < 0.35 && (length(*other), j) > (length(end), i)
        };
        if length(end) > 0.2 && !ends.iter().enumerate().any(hidden) {
            canvas.text(at(1.45, end), 16.0, Anchor::Centre, [110; 3], name)?;
        }
    }
    Ok(())
}

/// A length of about a sixth of the panel.
fn ruler(canvas: &mut Canvas, on: Rectangle, projection: Projection) -> Result<()> {
    let wanted = f64::from(on.width) / 6.0 / projection.scale;
    let length = ticks::step(0.0, wanted, 1);
    let length = if length > 1.3 * wanted {
        ticks::step(0.0, wanted, 2)
    } else {
        length
    };
    let pixels = (length * projection.scale).round() as i32;
    let (right, y) = (on.right(), on.bottom() + canvas.points(10.0));
    let (whole, thick) = (canvas.whole(), canvas.points(3.0).max(1) as u32);
    canvas.draw(whole, |area| {
        let path = vec![(right - pixels, y), (right, y)];
        area.draw(&PathElement::new(path, rgb(BLACK).stroke_width(thick)))
    })?;
    let label = ticks::linear(0.0, length, 1)
        .pop()
        .map_or_else(String::new, |t| t.label);
    let below = [right - pixels / 2, y + canvas.points(20.0)];
    canvas.text(below, TICK, Anchor::Centre, BLACK, &format!("{label} mm"))
}
