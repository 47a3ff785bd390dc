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

use std::ops::Range;

use super::{Diffuse, beside};
use crate::monodomain::kernel;
use crate::monodomain::layout::{Aligned, LANES, Layout};
use crate::real::{Arithmetic, Float};

/// Weights k of the pairs (cell, cell + offset) of a tile, stored at the cell.
#[derive(Debug)]
pub struct Pairs<T> {
    offsets: Vec<isize>,
    weights: Vec<Aligned<T>>,
    /// How many of them, the first, are across faces.
    faces: usize,
    /// Weights across faces inside the best conductor of the tile.
    even: Vec<T>,
}

/// D of the cells in a window, and which of them are active; what the weights are made from.
pub trait Medium {
    /// D on layers, rows, columns: ll, rr, cc, lr, lc, rc (mm²/ms); `None`: no active cell there.
    /// Defined on the tile and its ghosts, and beyond (where it is `None`).
    fn diffusivity(&self, cell: [isize; 3]) -> Option<[f64; 6]>;
}

/// Harmonic mean of two.
fn harmonic(a: f64, b: f64) -> f64 {
    2.0 * a * b / (a + b)
}

/// Weight of the pair across a face, without Δt.
fn face(a: Option<[f64; 6]>, b: Option<[f64; 6]>, axis: usize, spacing: f64) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => harmonic(a[axis], b[axis]) / (spacing * spacing),
        _ => 0.0,
    }
}

/// Weight of the diagonal pair (u₀₀, u₁₁) of four cells, without Δt; that of (u₁₀, u₀₁) is its
/// negative.
fn diagonal(cells: [Option<[f64; 6]>; 4], [a, b]: [usize; 2], spacing: [f64; 2]) -> f64 {
    let [Some(c0), Some(c1), Some(c2), Some(c3)] = cells else {
        return 0.0;
    };
    let cells = [c0, c1, c2, c3];
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

impl<T: Float> Pairs<T> {
    /// Weights of a tile. `axes` are those that the grid has; `oblique`: D has cross terms;
    /// `spacing` along layers, rows, columns.
    pub fn new(
        layout: &Layout,
        medium: &impl Medium,
        axes: &[usize],
        oblique: bool,
        spacing: [f64; 3],
        dt: f64,
    ) -> Self {
        let mut pairs: Vec<([isize; 3], Vec<f64>)> = Vec::new();
        let cells = window(layout);
        // Without `c[axis] += by` on a copy: rustc 1.95 shifts [0; 3] twice there in calls of calls.
        let shifted = |c: [isize; 3], axis: usize, by: isize| -> [isize; 3] {
            std::array::from_fn(|a| if a == axis { c[a] + by } else { c[a] })
        };
        for &a in axes {
            let weights = cells.iter().map(|&c| {
                let next = shifted(c, a, 1);
                face(
                    medium.diffusivity(c),
                    medium.diffusivity(next),
                    a,
                    spacing[a],
                )
            });
            pairs.push((shifted([0; 3], a, 1), weights.collect()));
        }
        if oblique {
            for (i, &a) in axes.iter().enumerate() {
                for &b in &axes[i + 1..] {
                    let spacing = [spacing[a], spacing[b]];
                    // The four cells with the lowest corner at c.
                    let around = |c: [isize; 3]| {
                        let near = [c, shifted(c, a, 1), shifted(c, b, 1)];
                        let far = shifted(near[1], b, 1);
                        diagonal(
                            [near[0], near[1], near[2], far].map(|c| medium.diffusivity(c)),
                            [a, b],
                            spacing,
                        )
                    };
                    let rising = cells.iter().map(|&c| around(c)).collect();
                    pairs.push((shifted(shifted([0; 3], a, 1), b, 1), rising));
                    let falling = cells.iter().map(|&c| -around(shifted(c, b, -1))).collect();
                    pairs.push((shifted(shifted([0; 3], a, 1), b, -1), falling));
                }
            }
        }
        let origin = layout.index([0; 3]) as isize;
        let offset = |step: [isize; 3]| {
            step[0] * layout.layer_stride as isize + step[1] * layout.row_stride as isize + step[2]
        };
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        Self {
            faces: axes.len(),
            even: pairs[..axes.len()]
                .iter()
                .map(|(_, values)| T::from_f64(dt * largest(values)))
                .collect(),
            offsets: pairs.iter().map(|(step, _)| offset(*step)).collect(),
            weights: pairs
                .iter()
                .map(|(_, values)| {
                    let mut weights = Aligned::new(layout.len, T::from_f64(0.0));
                    for (c, k) in cells.iter().zip(values) {
                        let at = origin + offset(*c);
                        weights[at as usize] = T::from_f64(dt * k);
                    }
                    weights
                })
                .collect(),
        }
    }

    /// Offset and weights of each pair.
    pub fn all(&self) -> impl Iterator<Item = (isize, &[T])> {
        let weights = self.weights.iter().map(|weights| &weights[..]);
        self.offsets.iter().copied().zip(weights)
    }

    /// Whether all pairs of the [`LANES`] cells from position `at` have the weights of [`Even`], so
    /// that none need be loaded.
    pub fn is_even(&self, at: usize) -> bool {
        let same = |(p, weights): (usize, &Aligned<T>)| {
            let behind = at.checked_sub(self.offsets[p] as usize);
            behind.is_some_and(|behind| {
                let here = weights[at..at + LANES].iter();
                here.chain(&weights[behind..behind + LANES])
                    .all(|k| *k == self.even[p])
            })
        };
        self.offsets.len() == self.faces && self.weights.iter().enumerate().all(same)
    }

    /// Whether D has no cross terms, and along how many axes it acts.
    pub fn straight(&self) -> Option<usize> {
        (self.offsets.len() == self.faces).then_some(self.faces)
    }

    /// The stencil of cells that are even.
    #[inline(always)]
    pub fn even<const P: usize>(&self) -> Even<T, P> {
        Even {
            offsets: std::array::from_fn(|p| self.offsets[p]),
            weights: std::array::from_fn(|p| self.even[p]),
        }
    }

    /// The stencil of the first `count` pairs.
    #[inline(always)]
    pub fn first(&self, count: usize) -> Few<'_, T> {
        Few {
            offsets: &self.offsets[..count],
            weights: &self.weights[..count],
        }
    }

    /// Largest Δt Σ_faces D_face/Δx² over the cells: the diffusion's share in the limit of stability.
    /// With cross terms in 3D it is more by an eighth: with all D_ab = D the symbol is
    /// 6 D (1 − c)(2 + c), c = cos θ, largest at c = −½ with 13.5 D against 12 D of the faces.
    pub fn largest_sum(&self, layout: &Layout) -> f64 {
        let mut largest = 0.0_f64;
        for c in window(layout) {
            let owned = (0..3).all(|a| (0..layout.size[a] as isize).contains(&c[a]));
            if !owned {
                continue;
            }
            let i = layout.index(c) as isize;
            let pairs = self.offsets.iter().zip(&self.weights);
            let sum: f64 = pairs
                .take(self.faces)
                .map(|(o, k)| k[i as usize].value() + k[(i - o) as usize].value())
                .sum();
            largest = largest.max(sum);
        }
        let oblique = self.faces == 3 && self.offsets.len() > self.faces;
        if oblique { 1.125 * largest } else { largest }
    }

    #[inline(always)]
    pub fn diffuse<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        cells: Range<usize>,
        out: &mut [T],
    ) {
        match self.offsets.len() {
            1 => self.sum::<A, W, 4>(0, u, cells, out),
            2 => self.sum::<A, W, 8>(0, u, cells, out),
            3 => self.sum::<A, W, 12>(0, u, cells, out),
            4 => self.sum::<A, W, 16>(0, u, cells, out),
            // Three at a time, so that sums and addresses stay in registers.
            count => {
                for first in (0..count).step_by(3) {
                    self.sum::<A, W, 12>(first, u, cells.clone(), out);
                }
            }
        }
    }

    /// The sum over N/4 pairs from `first`, added to `out` unless that is 0.
    #[inline(always)]
    fn sum<A: Arithmetic, const W: usize, const N: usize>(
        &self,
        first: usize,
        u: &[T],
        cells: Range<usize>,
        out: &mut [T],
    ) {
        let few = Few {
            offsets: &self.offsets[first..first + N / 4],
            weights: &self.weights[first..first + N / 4],
        };
        kernel::diffuse::<A, T, _, W, N>(&few, first > 0, u, cells, out);
    }
}

/// Pairs across faces, `P` axes, of one weight for each axis. In the order of [`Few`]: to the last
/// bit the same.
pub struct Even<T, const P: usize> {
    offsets: [isize; P],
    weights: [T; P],
}

/// Of each pair the u ahead and the u behind.
impl<T: Float, const P: usize, const N: usize> Diffuse<T, N> for Even<T, P> {
    #[inline(always)]
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; N] {
        let mut sources = [&u[..0]; N];
        for (p, &offset) in self.offsets.iter().enumerate() {
            sources[2 * p] = beside(u, cells, offset);
            sources[2 * p + 1] = beside(u, cells, -offset);
        }
        sources
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, u: T, values: [T; N]) -> T {
        let mut sum = T::from_f64(0.0);
        for (p, &k) in self.weights.iter().enumerate() {
            let beside = [values[2 * p], values[2 * p + 1]];
            sum = sum + pair::<A, T>(u, beside, [k, k]);
        }
        sum
    }
}

/// Some of the pairs.
pub struct Few<'a, T> {
    offsets: &'a [isize],
    weights: &'a [Aligned<T>],
}

/// Of each pair the u ahead and its weight, the u behind and its weight.
impl<T: Float, const N: usize> Diffuse<T, N> for Few<'_, T> {
    #[inline(always)]
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; N] {
        let mut sources = [&u[..0]; N];
        for p in 0..N / 4 {
            let (offset, k) = (self.offsets[p], &self.weights[p][..]);
            sources[4 * p] = beside(u, cells, offset);
            sources[4 * p + 1] = beside(k, cells, 0);
            sources[4 * p + 2] = beside(u, cells, -offset);
            sources[4 * p + 3] = beside(k, cells, -offset);
        }
        sources
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, u: T, values: [T; N]) -> T {
        let mut sum = T::from_f64(0.0);
        for p in 0..N / 4 {
            let [ahead, k_ahead, behind, k_behind] = [0, 1, 2, 3].map(|i| values[4 * p + i]);
            sum = sum + pair::<A, T>(u, [ahead, behind], [k_ahead, k_behind]);
        }
        sum
    }
}

/// k₁ (u₁ − u) + k₂ (u₂ − u): pairs are summed one by one, so that no sum waits for the one before.
#[inline(always)]
fn pair<A: Arithmetic, T: Float>(u: T, beside: [T; 2], k: [T; 2]) -> T {
    A::mul_add(k[0], beside[0] - u, k[1] * (beside[1] - u))
}

/// The cells of a tile, its ghosts, and one more below (whose pairs reach into it).
fn window(layout: &Layout) -> Vec<[isize; 3]> {
    let range = |a: usize| {
        let g = layout.ghost[a] as isize;
        -g..layout.size[a] as isize + g
    };
    range(0)
        .flat_map(|l| range(1).flat_map(move |r| range(2).map(move |c| [l, r, c])))
        .collect()
}
