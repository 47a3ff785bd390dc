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

/// Column and row.
type Pixel = (i32, i32);

/// Draws `paths` as seen from `view` on `on`, what is nearer over what is farther.
pub fn draw(
    canvas: &mut Canvas,
    on: Rectangle,
    view: &View,
    projection: Projection,
    paths: &[Path],
) -> Result<()> {
    let size = [on.width as usize, on.height as usize];
    // Depth, pixels and colour of each.
    let mut seen = Vec::<(f64, Vec<Pixel>, Colour)>::new();
    for path in paths {
        let first = path.points.first().filter(|_| path.closed);
        let places = path.points.iter().chain(first);
        let places: Vec<Vec3> = places.map(|p| projection.place(view, *p, size)).collect();
        let depth = places.iter().map(|p| p[2]).sum::<f64>() / places.len().max(1) as f64;
        let mut pixels: Vec<Pixel> = (places.iter())
            .map(|p| (p[0].round() as i32, p[1].round() as i32))
            .collect();
        // Of points closer than a pixel plotters would make a line of squares.
        pixels.dedup();
        seen.push((depth, pixels, path.colour));
    }
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    let width = canvas.points(3.0).max(1) as u32;
    canvas.draw(on, |area| {
        for (_, pixels, colour) in &seen {
            for piece in pieces(pixels) {
                let stroke = rgb(*colour).stroke_width(width);
                area.draw(&PathElement::new(piece.to_vec(), stroke))?;
            }
        }
        Ok(())
    })
}

/// A line in pieces that share their ends and do not turn back: what plotters paints of a line that
/// lies upon itself cancels out.
fn pieces(points: &[Pixel]) -> Vec<&[Pixel]> {
    /// Points of a piece.
    const MOST: usize = 16;
    let turns_back = |i: usize| {
        let [a, b, c] = [points[i - 1], points[i], points[i + 1]];
        (b.0 - a.0) * (c.0 - b.0) + (b.1 - a.1) * (c.1 - b.1) <= 0
    };
    let mut pieces = Vec::new();
    let mut begin = 0;
    for i in 1..points.len() {
        let last = i + 1 == points.len();
        if last || i - begin + 1 >= MOST || turns_back(i) {
            pieces.push(&points[begin..=i]);
            begin = i;
        }
    }
    pieces
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
            points: vec![[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
            closed: true,
            colour: [0; 3],
        };
        let view: View = "front".parse().unwrap();
        let projection = Projection {
            scale: 300.0,
            middle: [0.0, 0.0],
        };
        for closed in [true, false] {
            path.closed = closed;
            let mut canvas = Canvas::new(1200, 400);
            let (whole, paths) = (canvas.whole(), std::slice::from_ref(&path));
            draw(&mut canvas, whole, &view, projection, paths).unwrap();
            let image = canvas.image();
            assert_eq!(image.pixel(600, 200) == [0; 3], closed, "between its ends");
            assert_eq!(image.pixel(675, 125), [0; 3]);
        }
    }

    #[test]
    fn a_line_is_cut_where_it_turns_back() {
        let there_and_back = [(0, 0), (5, 0), (9, 1), (5, 0), (0, 0)];
        let cut = pieces(&there_and_back);
        assert_eq!(cut, [&there_and_back[..3], &there_and_back[2..]]);
        let long: Vec<(i32, i32)> = (0..40).map(|i| (i, i)).collect();
        let cut = pieces(&long);
        assert_eq!(cut.iter().map(|p| p.len() - 1).sum::<usize>(), 39);
        assert!(cut.windows(2).all(|w| w[0].last() == w[1].first()));
        assert!(pieces(&[(1, 1)]).is_empty() && pieces(&[]).is_empty());
    }
}
