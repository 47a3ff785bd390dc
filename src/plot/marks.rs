//! How the points of a series are drawn, in a diagram and in its legend.

use plotters::element::{Circle, DashedPathElement, PathElement, Rectangle};
use plotters::prelude::*;

use super::canvas::{Area, Canvas, Drawn, rgb};
use super::colours::Colour;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Line,
    Dashed,
    Points,
    LineWithPoints,
    /// A circle around each point: seen where it lies on the point of another series.
    LineWithRings,
    LineWithCrosses,
    /// Points as small as lines are wide.
    Dots,
    /// Rectangles from one point to the next, in pairs: opposite corners.
    Boxes,
}

/// Marks that tell series apart without their colours, even where they coincide.
pub const DISTINCT: [Mark; 3] = [
    Mark::LineWithPoints,
    Mark::LineWithRings,
    Mark::LineWithCrosses,
];

/// Sizes in pixels drawn.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub line: i32,
    pub dot: i32,
    pub dash: i32,
    pub gap: i32,
}

impl Sizes {
    pub fn of(canvas: &Canvas) -> Self {
        Self {
            line: canvas.points(3.0).max(1),
            dot: canvas.points(5.0).max(1),
            dash: canvas.points(12.0),
            gap: canvas.points(8.0),
        }
    }
}

impl Mark {
    /// Draws a series through the points `at`.
    pub fn draw(self, area: &Area, at: &[(i32, i32)], colour: Colour, sizes: Sizes) -> Drawn {
        let stroke = rgb(colour).stroke_width(sizes.line as u32);
        match self {
            Mark::Line | Mark::LineWithPoints | Mark::LineWithRings | Mark::LineWithCrosses
                if at.len() > 1 =>
            {
                area.draw(&PathElement::new(at.to_vec(), stroke))?;
            }
            Mark::Dashed => {
                let dashes = DashedPathElement::new(at.to_vec(), sizes.dash, sizes.gap, stroke);
                area.draw(&dashes)?;
            }
            Mark::Boxes => {
                for pair in at.chunks_exact(2) {
                    let corners = [pair[0], pair[1]];
                    area.draw(&Rectangle::new(corners, rgb(colour).filled()))?;
                }
            }
            _ => {}
        }
        at.iter()
            .try_for_each(|p| self.point(area, *p, colour, sizes))
    }

    /// Draws what the legend shows, from `from` to `to` at the height `y`.
    pub fn sample(
        self,
        area: &Area,
        [from, to]: [i32; 2],
        y: i32,
        colour: Colour,
        sizes: Sizes,
    ) -> Drawn {
        match self {
            Mark::Points | Mark::Dots => {}
            Mark::Dashed => {
                let short = sizes.dash;
                let stroke = rgb(colour).stroke_width(sizes.line as u32);
                let path = vec![(from, y), (to, y)];
                area.draw(&DashedPathElement::new(path, short, short * 2 / 3, stroke))?;
            }
            Mark::Boxes => {
                let half = sizes.dot * 3 / 2;
                let corners = [(from, y - half), (to, y + half)];
                area.draw(&Rectangle::new(corners, rgb(colour).filled()))?;
            }
            _ => Mark::Line.draw(area, &[(from, y), (to, y)], colour, sizes)?,
        }
        if self == Mark::Dots {
            return Ok(());
        }
        self.point(area, ((from + to) / 2, y), colour, sizes)
    }

    /// Draws one point.
    fn point(self, area: &Area, at: (i32, i32), colour: Colour, sizes: Sizes) -> Drawn {
        let colour = rgb(colour);
        let Sizes { line, dot, .. } = sizes;
        match self {
            Mark::Points | Mark::LineWithPoints => {
                area.draw(&Circle::new(at, dot, colour.filled()))
            }
            Mark::Dots => area.draw(&Circle::new(at, line, colour.filled())),
            Mark::LineWithRings => {
                let stroke = colour.stroke_width(line as u32);
                area.draw(&Circle::new(at, 2 * dot, stroke))
            }
            Mark::LineWithCrosses => {
                let (stroke, r) = (colour.stroke_width(line as u32), 3 * dot);
                [(r, 0), (0, r)].into_iter().try_for_each(|(x, y)| {
                    let ends = vec![(at.0 - x, at.1 - y), (at.0 + x, at.1 + y)];
                    area.draw(&PathElement::new(ends, stroke))
                })
            }
            Mark::Line | Mark::Dashed | Mark::Boxes => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::colours::WHITE;

    /// Three series through the same points: each can be seen.
    #[test]
    fn coinciding_series_are_all_seen() {
        let mut canvas = Canvas::new(1200, 100);
        let (whole, sizes) = (canvas.whole(), Sizes::of(&canvas));
        let colours = [[200, 0, 0], [0, 200, 0], [0, 0, 200]];
        let at = [(300, 100), (2100, 100)];
        for (mark, colour) in DISTINCT.into_iter().zip(colours) {
            let drawn = canvas.draw(whole, |area| mark.draw(area, &at, colour, sizes));
            drawn.unwrap();
        }
        let image = canvas.image();
        let count = |channel: usize| {
            let near = |x: usize, y: usize| {
                let p = image.pixel(x, y);
                (0..3).all(|i| if i == channel { p[i] > 120 } else { p[i] < 90 })
            };
            (130..170)
                .flat_map(|x| (30..70).map(move |y| (x, y)))
                .filter(|(x, y)| near(*x, *y))
                .count()
        };
        for channel in 0..3 {
            assert!(count(channel) > 10, "{channel}: {}", count(channel));
        }
        assert_eq!(image.pixel(150, 5), WHITE);
    }
}
