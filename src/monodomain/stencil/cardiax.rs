//! The scheme of the seed program, so that its results can be reproduced (2D):
//! ∇·(D∇u) ≈ D (g_x g_x u + g_y g_y u) + (g_x D)(g_x u) + (g_y D)(g_y u).
//!
//! u and D are padded by one edge cell. g is the fourth-order first derivative
//! (1, −8, 0, 8, −1)/12, third-order one-sided (−11, 18, −9, 2)/6 on the two outermost layers of the
//! padded array. It is not conservative; use it to compare, not to compute.

use super::Row;
use super::pairs::Medium;
use crate::monodomain::layout::{Aligned, Layout};
use crate::real::{Arithmetic, Float};

/// Cells between a cell and the furthest that it depends on, near an edge.
pub const REACH: usize = 6;

/// Fewest cells along an axis.
pub const FEWEST: usize = 8;

/// Offsets −6 to 6.
const WIDTH: usize = 2 * REACH + 1;

/// Weights of g (`first`) and g g (`second`) at one cell, by offset + [`REACH`].
#[derive(Debug, Clone, Copy)]
struct Weights {
    first: [f64; WIDTH],
    second: [f64; WIDTH],
}

/// g at cell `p` of a padded array of `n`: index of the first weight, and four or five weights.
fn derivative(p: usize, n: usize) -> (usize, Vec<f64>) {
    let one_sided = [-11.0 / 6.0, 3.0, -1.5, 1.0 / 3.0];
    if p < 2 {
        (p, one_sided.to_vec())
    } else if p + 2 >= n {
        (p - 3, one_sided.iter().rev().map(|w| -w).collect())
    } else {
        let twelfth = 1.0 / 12.0;
        (
            p - 2,
            vec![twelfth, -8.0 * twelfth, 0.0, 8.0 * twelfth, -twelfth],
        )
    }
}

/// Weights at cell `i` of `cells` along an axis; those of the padding are added to the edge cell.
fn weights(i: usize, cells: usize) -> Weights {
    let padded = cells + 2;
    let slot = |p: usize| p.clamp(1, cells) - 1 + REACH - i;
    let mut all = Weights {
        first: [0.0; WIDTH],
        second: [0.0; WIDTH],
    };
    let (start, outer) = derivative(i + 1, padded);
    for (p, w) in outer.iter().enumerate() {
        all.first[slot(start + p)] += w;
        if *w != 0.0 {
            let (start, inner) = derivative(start + p, padded);
            for (p, v) in inner.iter().enumerate() {
                all.second[slot(start + p)] += w * v;
            }
        }
    }
    all
}

/// The scheme on one tile.
#[derive(Debug)]
pub struct Cardiax<T> {
    /// Weights of each layer and column of the tile and its ghosts; `None` beyond the grid.
    layers: Vec<Option<Weights>>,
    /// By offset: weights along a row.
    first: Vec<Aligned<T>>,
    second: Vec<Aligned<T>>,
    /// Δt D/Δ², Δt (g_y D)/Δ², Δt (g_x D)/Δ².
    d: Aligned<T>,
    d_layers: Aligned<T>,
    d_columns: Aligned<T>,
}

impl<T: Float> Cardiax<T> {
    /// `low`: first cell of the tile, `whole`: cells of the grid, along layers and columns. `medium`
    /// must be isotropic, and defined [`REACH`] beyond the ghosts.
    pub fn new(
        layout: &Layout,
        medium: &impl Medium,
        low: [usize; 3],
        whole: [usize; 3],
        spacing: f64,
        dt: f64,
    ) -> Self {
        let along = |axis: usize, i: isize| {
            let cell = low[axis] as isize + i;
            let inside = (0..whole[axis] as isize).contains(&cell);
            inside.then(|| weights(cell as usize, whole[axis]))
        };
        let range = |axis: usize| {
            let ghost = layout.ghost[axis] as isize;
            -ghost..layout.size[axis] as isize + ghost
        };
        let layers: Vec<_> = range(0).map(|l| along(0, l)).collect();
        let columns: Vec<_> = range(2).map(|c| along(2, c)).collect();
        let zero = T::from_f64(0.0);
        let table = |of: fn(&Weights) -> &[f64; WIDTH]| -> Vec<Aligned<T>> {
            (0..WIDTH)
                .map(|k| {
                    let mut row = Aligned::new(layout.row_stride, zero);
                    for (c, w) in range(2).zip(&columns) {
                        let at = layout.column(c);
                        row[at] = w.as_ref().map_or(zero, |w| T::from_f64(of(w)[k]));
                    }
                    row
                })
                .collect()
        };
        let d_at = |cell: [isize; 3]| medium.diffusivity(cell).map_or(0.0, |d| d[2]);
        let derivative_of_d = |cell: [isize; 3], axis: usize, w: &Weights| -> f64 {
            let term = |(k, w): (usize, &f64)| {
                let mut at = cell;
                at[axis] += k as isize - REACH as isize;
                if *w == 0.0 { 0.0 } else { w * d_at(at) }
            };
            w.first.iter().enumerate().map(term).sum()
        };
        let mut d = Aligned::new(layout.len, zero);
        let mut d_layers = Aligned::new(layout.len, zero);
        let mut d_columns = Aligned::new(layout.len, zero);
        let scale = dt / (spacing * spacing);
        for (l, wl) in range(0).zip(&layers) {
            for (c, wc) in range(2).zip(&columns) {
                let (Some(wl), Some(wc)) = (wl, wc) else {
                    continue;
                };
                let cell = [l, 0, c];
                let at = layout.index(cell);
                d[at] = T::from_f64(scale * d_at(cell));
                d_layers[at] = T::from_f64(scale * derivative_of_d(cell, 0, wl));
                d_columns[at] = T::from_f64(scale * derivative_of_d(cell, 2, wc));
            }
        }
        Self {
            layers,
            first: table(|w| &w.first),
            second: table(|w| &w.second),
            d,
            d_layers,
            d_columns,
        }
    }

    /// Weights of each layer (zeros beyond the grid), [first, second] derivative by layer and offset.
    pub fn layer_weights(&self) -> [Vec<T>; 2] {
        let zeros = [0.0; WIDTH];
        let all = |of: fn(&Weights) -> &[f64; WIDTH]| {
            let layers = self.layers.iter();
            let rows = layers.map(|w| w.as_ref().map_or(&zeros, of));
            rows.flatten().map(|w| T::from_f64(*w)).collect()
        };
        [all(|w| &w.first), all(|w| &w.second)]
    }

    /// Weights along a row, [first, second] derivative by offset and column.
    pub fn column_weights(&self) -> [Vec<T>; 2] {
        let all = |rows: &[Aligned<T>]| rows.iter().flat_map(|row| row.iter().copied()).collect();
        [all(&self.first), all(&self.second)]
    }

    /// Δt D/Δ², Δt (g_y D)/Δ², Δt (g_x D)/Δ² of all cells.
    pub fn coefficients(&self) -> [&[T]; 3] {
        [&self.d, &self.d_layers, &self.d_columns]
    }

    /// Largest Δt D/Δ².
    pub fn largest(&self) -> f64 {
        self.d.iter().map(|d| d.value()).fold(0.0, f64::max)
    }

    #[inline(always)]
    pub fn diffuse<A: Arithmetic, const W: usize>(
        &self,
        layout: &Layout,
        u: &[T],
        row: &Row,
        (low, high): (isize, isize),
        out: &mut [T],
    ) {
        let n = (high - low) as usize;
        let zero = T::from_f64(0.0);
        let layer = (row.layer + layout.ghost[0] as isize) as usize;
        let Some(Some(by_layer)) = self.layers.get(layer) else {
            out.fill(zero);
            return;
        };
        let start = row.cells((low, high)).start;
        let column = layout.column(low);
        let span = |offset: isize| {
            let from = (start as isize + offset) as usize;
            &u[from..from + n]
        };
        // Sums over the offsets, a term at a time: D (…) in `out`, then the gradient terms.
        out[..n].fill(zero);
        for k in 0..WIDTH {
            let step = k as isize - REACH as isize;
            let w_layer = T::from_f64(by_layer.second[k]);
            if by_layer.second[k] != 0.0 {
                let u = span(step * layout.layer_stride as isize);
                for (out, u) in out[..n].iter_mut().zip(u) {
                    *out = A::mul_add(w_layer, *u, *out);
                }
            }
            let w = &self.second[k][column..column + n];
            for ((out, u), w) in out[..n].iter_mut().zip(span(step)).zip(w) {
                *out = A::mul_add(*w, *u, *out);
            }
        }
        for (out, d) in out[..n].iter_mut().zip(&self.d[start..start + n]) {
            *out = *out * *d;
        }
        for k in 0..WIDTH {
            let step = k as isize - REACH as isize;
            let w_layer = T::from_f64(by_layer.first[k]);
            if by_layer.first[k] != 0.0 {
                let u = span(step * layout.layer_stride as isize);
                let d = &self.d_layers[start..start + n];
                for ((out, u), d) in out[..n].iter_mut().zip(u).zip(d) {
                    *out = A::mul_add(w_layer * *d, *u, *out);
                }
            }
            let w = &self.first[k][column..column + n];
            let d = &self.d_columns[start..start + n];
            for (((out, u), w), d) in out[..n].iter_mut().zip(span(step)).zip(w).zip(d) {
                *out = A::mul_add(*w * *d, *u, *out);
            }
        }
    }
}
