//! Lines in space, as a viewer sees them.

use plotters::element::PathElement;
use plotters::prelude::*;

use super::canvas::{Canvas, Rectangle, rgb};
use super::colours::Colour;
use super::raster::Projection;
use super::view::View;
use crate::error::Result;
use crate::tensor::Vec3;

/// A line through points.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// x, y, z, mm.
    pub points: Vec<Vec3>,
    /// Whether the last point joins the first.
    pub closed: bool,
    pub colour: Colour,
}

impl Path {
    /// Its pieces from point to point.
    fn pieces(&self) -> impl Iterator<Item = [Vec3; 2]> {
        let joined = match (self.closed, self.points.first(), self.points.last()) {
            (true, Some(first), Some(last)) => Some([*last, *first]),
            _ => None,
        };
        let windows = self.points.windows(2).map(|pair| [pair[0], pair[1]]);
        windows.chain(joined)
    }
}

/// Draws `paths` as seen from `view` on `on`, what is nearer over what is farther.
pub fn draw(
    canvas: &mut Canvas,
    on: Rectangle,
    view: &View,
    projection: Projection,
    paths: &[Path],
) -> Result<()> {
    let size = [on.width as usize, on.height as usize];
    let place = |p: Vec3| projection.place(view, p, size);
    let mut pieces: Vec<(f64, [(i32, i32); 2], Colour)> = Vec::new();
    for path in paths {
        for [a, b] in path.pieces().map(|ends| ends.map(place)) {
            let pixel = |p: Vec3| (p[0].round() as i32, p[1].round() as i32);
            pieces.push((a[2] + b[2], [pixel(a), pixel(b)], path.colour));
        }
    }
    pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
    let width = canvas.points(3.0).max(1) as u32;
    canvas.draw(on, |area| {
        for (_, ends, colour) in pieces {
            let stroke = rgb(colour).stroke_width(width);
            area.draw(&PathElement::new(ends.to_vec(), stroke))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lines that cross in the picture: the nearer one is seen, from either side.
    #[test]
    fn the_nearer_line_is_seen() {
        let (red, blue) = ([200, 0, 0], [0, 0, 200]);
        let line = |points: [Vec3; 2], colour| Path {
            points: points.to_vec(),
            closed: false,
            colour,
        };
        let paths = [
            line([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], red),
            line([[0.0, 2.0, -1.0], [0.0, 2.0, 1.0]], blue),
        ];
        for (name, nearer) in [("front", red), ("back", blue)] {
            let view: View = name.parse().unwrap();
            let mut canvas = Canvas::new(1200, 400);
            let whole = canvas.whole();
            let projection = Projection {
                scale: 300.0,
                middle: [0.0, 0.0],
            };
            draw(&mut canvas, whole, &view, projection, &paths).unwrap();
            let image = canvas.image();
            assert_eq!(image.pixel(600, 200), nearer, "{name}");
            // 150 pixels of the picture per millimetre.
            assert_eq!(image.pixel(700, 200), red, "{name}");
            assert_eq!(image.pixel(600, 100), blue, "{name}");
            assert_eq!(image.pixel(760, 200), [255; 3], "{name}");
        }
    }

    #[test]
    fn a_ring_is_closed() {
        let mut path = Path {
            points: vec![[0.0; 3], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]],
            closed: true,
            colour: [0; 3],
        };
        let last = path.pieces().last().unwrap();
        assert_eq!(last, [[1.0, 1.0, 0.0], [0.0; 3]]);
        path.closed = false;
        assert_eq!(path.pieces().count(), 2);
    }
}
