//! Δt ∇·(D∇u) by finite differences.
//!
//! | stencil | what |
//! |---|---|
//! | [`uniform`] | one D along the axes in a whole box: 2·axes neighbours, no weights to load |
//! | [`pairs`] | D that varies or is oblique, masks: a weight for every pair of neighbours |
//! | [`pair_sums`] | its sums over rows and listed blocks |
//! | [`cardiax`] | the scheme of the seed program |

pub mod cardiax;
pub mod pair_sums;
pub mod pairs;
pub mod uniform;

use std::ops::Range;

use cardiax::Cardiax;
use pairs::Pairs;
use uniform::Uniform;

use super::layout::Layout;
use super::tile::Edges;
use crate::real::{Arithmetic, Float};

/// The stencil of one tile.
#[derive(Debug)]
pub enum Stencil<T> {
    Uniform(Uniform<T>),
    Pairs(Pairs<T>),
    Cardiax(Cardiax<T>),
}

impl<T: Float> Stencil<T> {
    /// Cells between a cell and the furthest that it depends on.
    pub fn reach(&self) -> usize {
        match self {
            Stencil::Uniform(_) | Stencil::Pairs(_) => 1,
            Stencil::Cardiax(_) => cardiax::REACH,
        }
    }

    /// Largest Δt Σ_faces D_face/Δx² over the cells.
    pub fn largest_sum(&self, layout: &Layout) -> f64 {
        match self {
            Stencil::Uniform(uniform) => {
                let rows = uniform.rows.map_or(0.0, |rows| rows.value());
                2.0 * (uniform.layers.value() + rows + uniform.columns.value())
            }
            Stencil::Pairs(pairs) => pairs.largest_sum(layout),
            Stencil::Cardiax(cardiax) => 4.0 * cardiax.largest(),
        }
    }

    /// Δt ∇·(D∇u) of columns of a row (whole blocks), `W` at a time.
    #[inline(always)]
    pub fn diffuse<A: Arithmetic, const W: usize>(
        &self,
        layout: &Layout,
        u: &[T],
        row: &Row,
        columns: (isize, isize),
        out: &mut [T],
    ) {
        match self {
            Stencil::Uniform(uniform) => uniform.diffuse::<A, W>(u, row, row.cells(columns), out),
            Stencil::Pairs(pairs) => pairs.diffuse::<A, W>(u, row.cells(columns), out),
            Stencil::Cardiax(cardiax) => cardiax.diffuse::<A, W>(layout, u, row, columns, out),
        }
    }
}

/// Δt ∇·(D∇u) of the cells of a row, each from its u and `N` values beside it.
pub trait Diffuse<T: Float, const N: usize> {
    /// The values of the `cells` (positions in `u`): rows as long as `cells`.
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; N];

    /// Of one cell.
    fn at<A: Arithmetic>(&self, u: T, values: [T; N]) -> T;
}

/// Δt ∇·(D∇u) of listed blocks of cells anywhere in the arrays of a tile.
pub trait DiffuseBlock<T: Float> {
    /// How far from a cell it reads.
    fn reach(&self) -> usize;

    /// Whether it can be had of `blocks` blocks.
    fn covers(&self, blocks: usize) -> bool;

    /// Of the `W` cells from `at`, whose u is `here`: of which block of the list, and from which of
    /// its cells on, says `of`.
    ///
    /// # Safety
    /// It [`covers`](Self::covers) the list, and the positions from `at - reach` to `at + W + reach`
    /// lie within `u`.
    unsafe fn block<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        of: (usize, usize),
        at: usize,
        here: &[T; W],
    ) -> [T; W];
}

/// Computed before.
pub struct Given<'a, T>(pub &'a [T]);

impl<T: Float> Diffuse<T, 1> for Given<'_, T> {
    #[inline(always)]
    fn sources<'a>(&'a self, _: &'a [T], cells: &Range<usize>) -> [&'a [T]; 1] {
        [&self.0[..length(cells)]]
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, _: T, [value]: [T; 1]) -> T {
        value
    }
}

/// The values at a step from `cells`.
#[inline(always)]
fn beside<'a, T>(values: &'a [T], cells: &Range<usize>, step: isize) -> &'a [T] {
    let start = cells.start.wrapping_add_signed(step);
    &values[start..start + length(cells)]
}

/// Number of cells, a constant to the compiler where the ends of the range say so ([`Range::len`]
/// is not: it looks for empty ranges first).
#[inline(always)]
pub fn length(cells: &Range<usize>) -> usize {
    cells.end - cells.start
}

/// A row of a tile, and the way to the layers and rows beside it; at an edge without flux that is
/// the row itself.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Number of the layer; owned ones count from 0.
    pub layer: isize,
    /// Position of the first owned column.
    pub start: usize,
    /// Steps to the layers below and above.
    pub layers: [isize; 2],
    /// Steps to the rows below and above.
    pub rows: [isize; 2],
}

impl Row {
    /// A row of a tile with edges without flux at [`super::tile::Edges`].
    #[inline(always)]
    pub fn new(layout: &Layout, edges: &Edges, [layer, row]: [isize; 2]) -> Self {
        let near = |axis: usize, i: isize, stride: usize| {
            let last = layout.size[axis] as isize - 1;
            let [low, high] = edges[axis];
            let stride = stride as isize;
            [
                if low.is_some_and(|beyond| i == -beyond) {
                    0
                } else {
                    -stride
                },
                if high.is_some_and(|beyond| i == last + beyond) {
                    0
                } else {
                    stride
                },
            ]
        };
        Self {
            layer,
            start: layout.index([layer, row, 0]),
            layers: near(0, layer, layout.layer_stride),
            rows: near(1, row, layout.row_stride),
        }
    }

    /// Positions of the columns `low..high`.
    #[inline(always)]
    pub fn cells(&self, (low, high): (isize, isize)) -> Range<usize> {
        self.at(low)..self.at(high)
    }

    /// Position of a column.
    #[inline(always)]
    fn at(&self, column: isize) -> usize {
        (self.start as isize + column) as usize
    }
}
