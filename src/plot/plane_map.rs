//! A field on a plane grid in colours, with axes.

use super::axis::Axis;
use super::canvas::Rectangle;
use super::raster::{NOTHING, Raster};

/// A plane of cells, row by row: the first row is at low y and drawn at the top.
#[derive(Debug, Clone, Copy)]
pub struct PlaneGrid {
    pub rows: usize,
    pub columns: usize,
    /// Size of a cell along y and x.
    pub spacing: [f64; 2],
    /// Low corner, x and y.
    pub origin: [f64; 2],
}

impl PlaneGrid {
    pub fn width(&self) -> f64 {
        self.columns as f64 * self.spacing[1]
    }

    pub fn height(&self) -> f64 {
        self.rows as f64 * self.spacing[0]
    }

    /// The axes: x to the right, y downwards, as the rows of the array.
    pub fn axes(&self, unit: &str) -> [Axis; 2] {
        let [x, y] = self.origin;
        let mut down = Axis::over(format!("y ({unit})"), y, y + self.height());
        down.reversed = true;
        [Axis::over(format!("x ({unit})"), x, x + self.width()), down]
    }

    /// The field `values`, each in its cell and interpolated between centres where all are finite.
    pub fn raster(&self, values: &[f64], on: Rectangle) -> Raster {
        let (width, height) = (on.width as usize, on.height as usize);
        let n = width * height;
        let mut raster = Raster {
            width,
            height,
            owner: vec![NOTHING; n],
            value: vec![f64::NAN; n],
            slope: vec![0.0; n],
            shade: vec![1.0; n],
        };
        // Place in cells, of which centres are whole numbers.
        let along = |i: usize, pixels: usize, cells: usize| {
            (i as f64 + 0.5) / pixels as f64 * cells as f64 - 0.5
        };
        let of = |row: usize, column: usize| values[row * self.columns + column];
        for y in 0..height {
            let v = along(y, height, self.rows);
            for x in 0..width {
                let u = along(x, width, self.columns);
                let nearest = |t: f64, cells: usize| (t.round().max(0.0) as usize).min(cells - 1);
                let (row, column) = (nearest(v, self.rows), nearest(u, self.columns));
                let at = y * width + x;
                raster.owner[at] = (row * self.columns + column) as u32;
                let low =
                    |t: f64, cells: usize| (t.floor().max(0.0) as usize).min(cells.max(2) - 2);
                let (i, j) = (low(v, self.rows), low(u, self.columns));
                let (next_i, next_j) = ((i + 1).min(self.rows - 1), (j + 1).min(self.columns - 1));
                let [a, b, c, d] = [of(i, j), of(i, next_j), of(next_i, j), of(next_i, next_j)];
                let (s, t) = (
                    (u - j as f64).clamp(0.0, 1.0),
                    (v - i as f64).clamp(0.0, 1.0),
                );
                let mean = (1.0 - t) * ((1.0 - s) * a + s * b) + t * ((1.0 - s) * c + s * d);
                if mean.is_finite() {
                    let across =
                        ((1.0 - t) * (b - a) + t * (d - c)) * self.columns as f64 / width as f64;
                    let down =
                        ((1.0 - s) * (c - a) + s * (d - b)) * self.rows as f64 / height as f64;
                    raster.value[at] = mean;
                    raster.slope[at] = across.hypot(down);
                } else {
                    raster.value[at] = of(row, column);
                }
            }
        }
        raster
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isochrone_runs_where_the_field_has_its_value() {
        // t = x / 2: 10 ms is reached at x = 20 mm.
        let grid = PlaneGrid {
            rows: 3,
            columns: 50,
            spacing: [1.0, 1.0],
            origin: [0.0, 0.0],
        };
        let values: Vec<f64> = (0..150).map(|i| (i % 50) as f64 / 2.0 + 0.25).collect();
        let on = Rectangle {
            left: 0,
            top: 0,
            width: 500,
            height: 30,
        };
        let raster = grid.raster(&values, on);
        let covered: Vec<usize> = (0..500)
            .filter(|x| raster.isoline(15 * 500 + x, 10.0, 2.0) > 0.5)
            .collect();
        // Pixels on both sides of x = 20 mm and 40 mm, and the start, t = 0 at x = 0.
        let away: Vec<usize> = covered.into_iter().filter(|x| *x > 10).collect();
        assert_eq!(away, [199, 200, 399, 400]);
        assert!((raster.value[15 * 500 + 300] - 15.025).abs() < 1e-9);
    }

    #[test]
    fn cells_without_a_value_stay_blank() {
        let grid = PlaneGrid {
            rows: 2,
            columns: 2,
            spacing: [1.0, 1.0],
            origin: [0.0, 0.0],
        };
        let on = Rectangle {
            left: 0,
            top: 0,
            width: 8,
            height: 8,
        };
        let raster = grid.raster(&[1.0, f64::NAN, 3.0, 4.0], on);
        assert_eq!(raster.value[0], 1.0);
        assert!(raster.value[7].is_nan());
        assert_eq!(raster.value[7 * 8 + 7], 4.0);
    }
}
