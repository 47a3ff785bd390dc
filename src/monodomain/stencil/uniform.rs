//! One diffusivity along the axes everywhere:
//! Δt ∇·(D∇u) ≈ Σ_axes Δt D_aa/Δa² (u_{a−1} + u_{a+1} − 2 u).
//!
//! An edge without flux is a mirror: the neighbour beyond it is the cell itself.

use std::ops::Range;

use super::{Diffuse, Row, beside};
use crate::monodomain::kernel;
use crate::real::{Arithmetic, Float};

/// Δt D_aa/Δa² along layers, rows, columns; rows are absent in 2D.
#[derive(Debug, Clone, Copy)]
pub struct Uniform<T> {
    pub layers: T,
    pub rows: Option<T>,
    pub columns: T,
}

impl<T: Float> Uniform<T> {
    #[inline(always)]
    pub fn diffuse<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        row: &Row,
        cells: Range<usize>,
        out: &mut [T],
    ) {
        match self.solid(row) {
            None => kernel::diffuse::<A, T, _, W, 4>(&self.planar(row), false, u, cells, out),
            Some(solid) => kernel::diffuse::<A, T, _, W, 6>(&solid, false, u, cells, out),
        }
    }

    /// The stencil of a row without rows beside it.
    #[inline(always)]
    pub fn planar<'a>(&'a self, row: &'a Row) -> Planar<'a, T> {
        Planar { weights: self, row }
    }

    /// The stencil of a row of a 3D grid.
    #[inline(always)]
    pub fn solid<'a>(&'a self, row: &'a Row) -> Option<Solid<'a, T>> {
        let planar = self.planar(row);
        self.rows.map(|rows| Solid { planar, rows })
    }
}

/// In 2D, along layers and columns; exactly 0 where u is constant.
pub struct Planar<'a, T> {
    weights: &'a Uniform<T>,
    row: &'a Row,
}

impl<T: Float> Diffuse<T, 4> for Planar<'_, T> {
    #[inline(always)]
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; 4] {
        let [below, above] = self.row.layers;
        [
            beside(u, cells, below),
            beside(u, cells, above),
            beside(u, cells, -1),
            beside(u, cells, 1),
        ]
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, u: T, [below, above, left, right]: [T; 4]) -> T {
        let Uniform {
            layers, columns, ..
        } = *self.weights;
        let along_layers = layers * second::<A, T>(below, u, above);
        A::mul_add(columns, second::<A, T>(left, u, right), along_layers)
    }
}

/// In 3D, along layers, rows and columns.
pub struct Solid<'a, T> {
    planar: Planar<'a, T>,
    rows: T,
}

impl<T: Float> Diffuse<T, 6> for Solid<'_, T> {
    #[inline(always)]
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; 6] {
        let [below, above, left, right] = self.planar.sources(u, cells);
        let [before, behind] = self.planar.row.rows;
        let (before, behind) = (beside(u, cells, before), beside(u, cells, behind));
        [below, above, left, right, before, behind]
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, u: T, [below, above, left, right, before, behind]: [T; 6]) -> T {
        let planar = self.planar.at::<A>(u, [below, above, left, right]);
        A::mul_add(self.rows, second::<A, T>(before, u, behind), planar)
    }
}

/// a − 2 u + b.
#[inline(always)]
fn second<A: Arithmetic, T: Float>(a: T, u: T, b: T) -> T {
    A::mul_add(T::from_f64(-2.0), u, a + b)
}
