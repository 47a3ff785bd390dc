//! Curves, points and bars over two axes.

use plotters::prelude::*;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Rectangle, rgb};
use super::colours::{BLACK, Colour};
pub use super::marks::Mark;
use super::marks::Sizes;
use crate::error::Result;

/// Points with a name in the legend; none where that is empty.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub points: Vec<[f64; 2]>,
    pub mark: Mark,
    pub colour: Colour,
}

/// A diagram.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Height of the axes over their width, where it matters.
    pub aspect: Option<f64>,
}

pub const TITLE: f64 = 26.0;
pub const LABEL: f64 = 22.0;
pub const TICK: f64 = 20.0;

const GRID: Colour = [225; 3];
const FRAME: Colour = [90; 3];

impl Chart {
    /// Room for labels at the left, top, right and bottom, in pixels drawn.
    fn margins(&self, canvas: &Canvas) -> [i32; 4] {
        let widest = |axis: &Axis| {
            let widths = axis.ticks.iter().map(|t| canvas.text_width(TICK, &t.label));
            widths.max().unwrap_or(0)
        };
        let last = self
            .x
            .ticks
            .last()
            .map(|t| canvas.text_width(TICK, &t.label));
        let p = |length: f64| canvas.points(length);
        let title = if self.title.is_empty() {
            p(14.0)
        } else {
            p(50.0)
        };
        let left = p(14.0 + LABEL + 22.0) + widest(&self.y);
        [
            left,
            title,
            p(14.0).max(last.unwrap_or(0) / 2 + p(6.0)),
            p(TICK + LABEL + 38.0),
        ]
    }

    /// Draws the diagram within `on`.
    pub fn draw(&self, canvas: &mut Canvas, on: Rectangle) -> Result<()> {
        self.draw_over(canvas, on, |_, _| {})
    }

    /// The place of the axes within `on`.
    pub fn inner(&self, canvas: &Canvas, on: Rectangle) -> Rectangle {
        let inner = on.without(self.margins(canvas));
        let Some(aspect) = self.aspect else {
            return inner;
        };
        let (width, height) = (f64::from(inner.width), f64::from(inner.height));
        let (narrower, lower) = (
            (width - height / aspect) / 2.0,
            (height - width * aspect) / 2.0,
        );
        let (x, y) = (narrower.max(0.0) as i32, lower.max(0.0) as i32);
        inner.without([x, y, x, y])
    }

    /// Draws the diagram within `on` over what `under` paints into the place of the axes.
    pub fn draw_over(
        &self,
        canvas: &mut Canvas,
        on: Rectangle,
        under: impl FnOnce(&mut Canvas, Rectangle),
    ) -> Result<()> {
        let inner = self.inner(canvas, on);
        self.grid_lines(canvas, inner)?;
        under(canvas, inner);
        self.frame(canvas, on, inner)?;
        let sizes = Sizes::of(canvas);
        let (x, y) = (&self.x, &self.y);
        let series = &self.series;
        canvas.draw(inner, |area| {
            let ranges = (0..inner.width, 0..inner.height);
            let place = |[a, b]: [f64; 2]| {
                let along = |t: f64, n: i32| (t * f64::from(n)).round() as i32;
                let (a, b) = (x.position(a), y.position(b));
                (along(a, ranges.0.end), along(1.0 - b, ranges.1.end))
            };
            for one in series {
                let shown = |p: &[f64; 2]| x.shows(p[0]) && y.shows(p[1]);
                // Pieces without what the axes cannot show.
                for piece in one.points.split(|p| !shown(p)).filter(|p| !p.is_empty()) {
                    let at: Vec<(i32, i32)> = piece.iter().map(|p| place(*p)).collect();
                    one.mark.draw(area, &at, one.colour, sizes)?;
                }
            }
            Ok(())
        })?;
        self.legend(canvas, inner)
    }

    /// Places of the marks: of x from the left, of y from the top.
    fn places(&self, inner: Rectangle) -> [Vec<i32>; 2] {
        let across = |t: f64| inner.left + (t * f64::from(inner.width)).round() as i32;
        let up = |t: f64| inner.bottom() - (t * f64::from(inner.height)).round() as i32;
        let (x, y) = (&self.x, &self.y);
        [
            x.ticks.iter().map(|t| across(x.position(t.at))).collect(),
            y.ticks.iter().map(|t| up(y.position(t.at))).collect(),
        ]
    }

    fn grid_lines(&self, canvas: &mut Canvas, inner: Rectangle) -> Result<()> {
        let grid = rgb(GRID).stroke_width(canvas.points(1.0).max(1) as u32);
        let [xs, ys] = self.places(inner);
        let whole = canvas.whole();
        canvas.draw(whole, |area| {
            for x in xs {
                area.draw(&PathElement::new(
                    vec![(x, inner.top), (x, inner.bottom())],
                    grid,
                ))?;
            }
            for y in ys {
                area.draw(&PathElement::new(
                    vec![(inner.left, y), (inner.right(), y)],
                    grid,
                ))?;
            }
            Ok(())
        })
    }

    /// Frame, marks and labels.
    fn frame(&self, canvas: &mut Canvas, on: Rectangle, inner: Rectangle) -> Result<()> {
        let p = |length: f64, canvas: &Canvas| canvas.points(length);
        let [xs, ys] = self.places(inner);
        let frame = rgb(FRAME).stroke_width(p(1.0, canvas).max(1) as u32);
        let (whole, notch) = (canvas.whole(), p(6.0, canvas));
        canvas.draw(whole, |area| {
            for x in &xs {
                let path = vec![(*x, inner.bottom()), (*x, inner.bottom() + notch)];
                area.draw(&PathElement::new(path, frame))?;
            }
            for y in &ys {
                area.draw(&PathElement::new(
                    vec![(inner.left - notch, *y), (inner.left, *y)],
                    frame,
                ))?;
            }
            let corners = [(inner.left, inner.top), (inner.right(), inner.bottom())];
            area.draw(&plotters::element::Rectangle::new(corners, frame))
        })?;
        let below = inner.bottom() + p(12.0 + TICK / 2.0, canvas);
        let mut free = i32::MIN;
        for (tick, x) in self.x.ticks.iter().zip(xs) {
            // Labels that would touch the one before are left out.
            let half = canvas.text_width(TICK, &tick.label) / 2;
            if x - half > free {
                canvas.text([x, below], TICK, Anchor::Centre, BLACK, &tick.label)?;
                free = x + half + p(8.0, canvas);
            }
        }
        let beside = inner.left - p(11.0, canvas);
        for (tick, y) in self.y.ticks.iter().zip(ys) {
            canvas.text([beside, y], TICK, Anchor::Right, BLACK, &tick.label)?;
        }
        let middle = [inner.left + inner.width / 2, inner.top + inner.height / 2];
        let bottom = [
            middle[0],
            below + p(TICK / 2.0 + LABEL / 2.0 + 10.0, canvas),
        ];
        canvas.text(bottom, LABEL, Anchor::Centre, BLACK, &self.x.label)?;
        let label_room = self.margins(canvas)[0] - p(10.0 + LABEL / 2.0, canvas);
        let left = [inner.left - label_room, middle[1]];
        canvas.text(left, LABEL, Anchor::Upwards, BLACK, &self.y.label)?;
        let top = [on.left + on.width / 2, inner.top - p(24.0, canvas)];
        canvas.text(top, TITLE, Anchor::Centre, BLACK, &self.title)
    }

    /// Names of the series, in the corner with the fewest points.
    fn legend(&self, canvas: &mut Canvas, inner: Rectangle) -> Result<()> {
        let named: Vec<&Series> = self.series.iter().filter(|s| !s.name.is_empty()).collect();
        if named.is_empty() {
            return Ok(());
        }
        let p = |length: f64| canvas.points(length);
        let widths = named.iter().map(|s| canvas.text_width(TICK, &s.name));
        let row = p(TICK + 8.0);
        let width = widths.max().unwrap_or(0) + p(62.0);
        let height = row * named.len() as i32 + p(10.0);
        let edge = p(12.0);
        let (lefts, tops) = (
            [inner.right() - width - edge, inner.left + edge],
            [inner.top + edge, inner.bottom() - height - edge],
        );
        let corners = tops
            .into_iter()
            .flat_map(|top| lefts.map(|left| [left, top]));
        let covered = |[left, top]: [i32; 2]| {
            let share = |x: i32, from: i32, extent: i32| f64::from(x - from) / f64::from(extent);
            let (x0, x1) = (
                share(left, inner.left, inner.width),
                share(left + width, inner.left, inner.width),
            );
            let (y1, y0) = (
                1.0 - share(top, inner.top, inner.height),
                1.0 - share(top + height, inner.top, inner.height),
            );
            let inside = |a: f64, b: f64| a > x0 && a < x1 && b > y0 && b < y1;
            let at = |p: &[f64; 2]| [self.x.position(p[0]), self.y.position(p[1])];
            let of = |s: &Series| match s.mark {
                Mark::Boxes => covered_area(&s.points, at, [[x0, x1], [y0, y1]]),
                _ => covered_length(&s.points, at, inside),
            };
            self.series.iter().map(of).sum::<f64>()
        };
        let best = corners.min_by(|a, b| covered(*a).total_cmp(&covered(*b)));
        let [left, top] = best.unwrap_or([lefts[0], tops[0]]);
        let sizes = Sizes::of(canvas);
        let place = |i: usize| top + p(5.0) + row * i as i32 + row / 2;
        let (from, to) = (left + p(10.0), left + p(44.0));
        let whole = canvas.whole();
        let border = rgb(GRID).stroke_width(p(1.0).max(1) as u32);
        let text_at = left + p(52.0);
        let middle: Vec<i32> = (0..named.len()).map(place).collect();
        canvas.draw(whole, |area| {
            let corners = [(left, top), (left + width, top + height)];
            area.draw(&plotters::element::Rectangle::new(
                corners,
                WHITE.mix(0.85).filled(),
            ))?;
            area.draw(&plotters::element::Rectangle::new(corners, border))?;
            for (one, y) in named.iter().zip(&middle) {
                one.mark.sample(area, [from, to], *y, one.colour, sizes)?;
            }
            Ok(())
        })?;
        for (one, y) in named.iter().zip(middle) {
            canvas.text([text_at, y], TICK, Anchor::Left, BLACK, &one.name)?;
        }
        Ok(())
    }
}

/// How much of boxes, and of the room for numbers above them, lies within a rectangle.
fn covered_area(
    corners: &[[f64; 2]],
    at: impl Fn(&[f64; 2]) -> [f64; 2],
    within: [[f64; 2]; 2],
) -> f64 {
    const ABOVE: f64 = 0.06;
    let of_pair = |pair: &[[f64; 2]]| {
        let [a, b] = [at(&pair[0]), at(&pair[1])];
        let shared = |i: usize, above: f64| {
            let (low, high) = (a[i].min(b[i]), a[i].max(b[i]) + above);
            (high.min(within[i][1]) - low.max(within[i][0])).max(0.0)
        };
        shared(0, 0.0) * shared(1, ABOVE)
    };
    corners.chunks_exact(2).map(of_pair).sum()
}

/// About how much of the path through `points` lies `inside`.
fn covered_length(
    points: &[[f64; 2]],
    at: impl Fn(&[f64; 2]) -> [f64; 2],
    inside: impl Fn(f64, f64) -> bool,
) -> f64 {
    const PIECES: usize = 20;
    let single = match points {
        [p] => usize::from(inside(at(p)[0], at(p)[1])) as f64,
        _ => 0.0,
    };
    let of_pair = |pair: &[[f64; 2]]| {
        let ([a, b], [c, d]) = (at(&pair[0]), at(&pair[1]));
        let length = (c - a).hypot(d - b);
        let covered = (0..=PIECES).filter(|i| {
            let t = *i as f64 / PIECES as f64;
            inside(a + t * (c - a), b + t * (d - b))
        });
        (0.02 + length) * covered.count() as f64
    };
    single
        + points
            .windows(2)
            .map(of_pair)
            .filter(|l| l.is_finite())
            .sum::<f64>()
}
