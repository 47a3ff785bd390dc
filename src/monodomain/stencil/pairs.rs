//! Conservative flux stencil for any symmetric positive definite D and any mask, as weights of
//! pairs of cells: Δt ∇·(D∇u)_i ≈ Σ_j k_ij (u_j − u_i), k_ij = k_ji.
//!
//! - Across a face with normal a: k = Δt H(D_aa)/Δa², H the harmonic mean of its two cells.
//! - Cross terms: the energy D_ab ∂_a u ∂_b u, with the differences averaged over the four cells
//!   around an edge of the grid, equals D_ab/(4 Δa Δb) [(u₁₁ − u₀₀)² − (u₁₀ − u₀₁)²], so only the two
//!   diagonal pairs get weights, ±Δt D_ab/(2 Δa Δb). There D_ab = ρ √(H_a H_b) with ρ the mean of
//!   the cells' D_ab/√(D_aa D_bb) and H_a, H_b the harmonic means over the four cells: for a smooth D
//!   this is D_ab to second order, and at jumps the form stays positive.
//! - Pairs with an inactive cell, and pairs across an edge without flux, have weight 0; so have the
//!   diagonals around an edge of the grid that touches an inactive cell. There an oblique D is first
//!   order only.
//!
//! Symmetric weights conserve ∫u to rounding.

use rayon::prelude::*;

use crate::monodomain::layout::{Aligned, LANES, Layout};
use crate::real::Float;

/// Weights k of the pairs (cell, cell + offset) of a tile, stored at the cell.
#[derive(Debug)]
pub struct Pairs<T> {
    pub(super) offsets: Vec<isize>,
    pub(super) weights: Vec<Aligned<T>>,
    /// How many of them, the first, are across faces.
    pub(super) faces: usize,
}

/// Of each axis, the cells of a block that have a pair ahead, and those that have one behind, as bits.
pub type Present = [[u32; 2]; 3];

/// D of the cells in a window, and which of them are active; what the weights are made from.
pub trait Medium {
    /// D on layers, rows, columns: ll, rr, cc, lr, lc, rc (mm²/ms); `None`: no active cell there.
    /// Defined on the tile and its ghosts, and beyond (where it is `None`).
    fn diffusivity(&self, cell: [isize; 3]) -> Option<[f64; 6]>;
}

impl<T: Float> Pairs<T> {
    /// Weights of a tile. `axes` are those that the grid has; `oblique`: D has cross terms;
    /// `spacing` along layers, rows, columns.
    pub fn new(
        layout: &Layout,
        medium: &(impl Medium + Sync),
        axes: &[usize],
        oblique: bool,
        spacing: [f64; 3],
        dt: f64,
    ) -> Self {
        // Without `c[axis] += by` on a copy: rustc 1.95 shifts [0; 3] twice there in calls of calls.
        let shifted = |c: [isize; 3], axis: usize, by: isize| -> [isize; 3] {
            std::array::from_fn(|a| if a == axis { c[a] + by } else { c[a] })
        };
        let step = |[l, r, c]: [isize; 3]| {
            l * layout.layer_stride as isize + r * layout.row_stride as isize + c
        };
        let (mut offsets, mut weights) = (Vec::new(), Vec::new());
        for &a in axes {
            offsets.push(step(shifted([0; 3], a, 1)));
            weights.push(of_cells(layout, |c| {
                let here = medium.diffusivity(c)?;
                let next = medium.diffusivity(shifted(c, a, 1))?;
                Some(dt * face(here, next, a, spacing[a]))
            }));
        }
        for (i, &a) in axes.iter().enumerate().filter(|_| oblique) {
            for &b in &axes[i + 1..] {
                let spacing = [spacing[a], spacing[b]];
                // The four cells with the lowest corner at c.
                let around = |c: [isize; 3]| {
                    let here = medium.diffusivity(c)?;
                    let [near_a, near_b] = [shifted(c, a, 1), shifted(c, b, 1)];
                    let [near_a, near_b, far] =
                        [near_a, near_b, shifted(near_a, b, 1)].map(|c| medium.diffusivity(c));
                    let cells = [here, near_a?, near_b?, far?];
                    Some(dt * diagonal(&cells, [a, b], spacing))
                };
                offsets.push(step(shifted(shifted([0; 3], a, 1), b, 1)));
                weights.push(of_cells(layout, around));
                offsets.push(step(shifted(shifted([0; 3], a, 1), b, -1)));
                weights.push(of_cells(layout, |c| Some(-around(shifted(c, b, -1))?)));
            }
        }
        Self {
            offsets,
            weights,
            faces: axes.len(),
        }
    }

    /// Offset and weights of each pair.
    pub fn all(&self) -> impl Iterator<Item = (isize, &[T])> {
        let weights = self.weights.iter().map(|weights| &weights[..]);
        self.offsets.iter().copied().zip(weights)
    }

    /// Whether D has no cross terms, and along how many axes it acts.
    pub fn straight(&self) -> Option<usize> {
        (self.offsets.len() == self.faces).then_some(self.faces)
    }

    /// The weight across faces of each axis, where all cells have one D without cross terms: others
    /// are 0.
    pub fn of_one_medium(&self) -> Option<Vec<T>> {
        let zero = T::from_f64(0.0);
        let one = |k: &Aligned<T>| {
            let weight = k.iter().copied().find(|k| *k != zero).unwrap_or(zero);
            let all = k.iter().all(|k| *k == weight || *k == zero);
            all.then_some(weight)
        };
        self.straight()?;
        self.weights.iter().map(one).collect()
    }

    /// Numbers that [`of_block`](Self::of_block) gives.
    pub fn per_block(&self) -> usize {
        self.offsets.len() * 2 * LANES
    }

    /// Weights of the pairs of the [`LANES`] cells from position `at`: of each pair those ahead, then
    /// those behind.
    pub fn of_block(&self, at: usize) -> impl Iterator<Item = T> + '_ {
        let pairs = self.offsets.iter().zip(&self.weights);
        pairs.flat_map(move |(offset, k)| {
            let behind = at.wrapping_add_signed(-offset);
            let ahead = k[at..at + LANES].iter();
            ahead.chain(&k[behind..behind + LANES]).copied()
        })
    }

    /// Which pairs of the [`LANES`] cells from position `at` have a weight.
    pub fn present(&self, at: usize) -> Present {
        let zero = T::from_f64(0.0);
        let bits = |k: &[T], from: usize| {
            let k = &k[from..from + LANES];
            (0..LANES).fold(0, |bits, i| bits | u32::from(k[i] != zero) << i)
        };
        let mut present = Present::default();
        for ((axis, offset), k) in present.iter_mut().zip(&self.offsets).zip(&self.weights) {
            *axis = [bits(k, at), bits(k, at.wrapping_add_signed(-offset))];
        }
        present
    }

    /// Largest Δt Σ_faces D_face/Δx² over the cells: the diffusion's share in the limit of stability.
    /// With cross terms in 3D it is more by an eighth: with all D_ab = D the symbol is
    /// 6 D (1 − c)(2 + c), c = cos θ, largest at c = −½ with 13.5 D against 12 D of the faces.
    pub fn largest_sum(&self, layout: &Layout) -> f64 {
        let mut largest = 0.0_f64;
        for start in layout.owned_rows() {
            for i in start as isize..(start + layout.size[2]) as isize {
                let pairs = self.offsets.iter().zip(&self.weights);
                let sum: f64 = pairs
                    .take(self.faces)
                    .map(|(o, k)| k[i as usize].value() + k[(i - o) as usize].value())
                    .sum();
                largest = largest.max(sum);
            }
        }
        let oblique = self.faces == 3 && self.offsets.len() > self.faces;
        if oblique { 1.125 * largest } else { largest }
    }
}

/// Harmonic mean of two.
fn harmonic(a: f64, b: f64) -> f64 {
    2.0 * a * b / (a + b)
}

/// Weight of the pair across a face, without Δt.
fn face(a: [f64; 6], b: [f64; 6], axis: usize, spacing: f64) -> f64 {
    harmonic(a[axis], b[axis]) / (spacing * spacing)
}

/// Weight of the diagonal pair (u₀₀, u₁₁) of four cells, without Δt; that of (u₁₀, u₀₁) is its
/// negative.
fn diagonal(cells: &[[f64; 6]; 4], [a, b]: [usize; 2], spacing: [f64; 2]) -> f64 {
    let cross = cross_component(a, b);
    let correlation = |d: &[f64; 6]| d[cross] / (d[a] * d[b]).sqrt();
    let rho = cells.iter().map(correlation).sum::<f64>() / 4.0;
    let mean = |axis: usize| 4.0 / cells.iter().map(|d| 1.0 / d[axis]).sum::<f64>();
    rho * (mean(a) * mean(b)).sqrt() / (2.0 * spacing[0] * spacing[1])
}

/// Place of D_ab in ll, rr, cc, lr, lc, rc.
fn cross_component(a: usize, b: usize) -> usize {
    match (a.min(b), a.max(b)) {
        (0, 1) => 3,
        (0, 2) => 4,
        _ => 5,
    }
}

/// A number for every cell of a tile and its ghosts, 0 where there is none.
fn of_cells<T: Float>(
    layout: &Layout,
    number: impl Fn([isize; 3]) -> Option<f64> + Sync,
) -> Aligned<T> {
    let ghost = layout.ghost.map(|g| g as isize);
    let range = |a: usize| -ghost[a]..layout.size[a] as isize + ghost[a];
    let mut numbers = Aligned::new(layout.len, T::from_f64(0.0));
    let first = layout.index([-ghost[0], -ghost[1], -ghost[2]]);
    let layers = numbers[first..].par_chunks_mut(layout.layer_stride);
    range(0).into_par_iter().zip(layers).for_each(|(l, layer)| {
        for (r, row) in range(1).zip(layer.chunks_mut(layout.row_stride)) {
            for (c, cell) in range(2).zip(row) {
                if let Some(number) = number([l, r, c]) {
                    *cell = T::from_f64(number);
                }
            }
        }
    });
    numbers
}
