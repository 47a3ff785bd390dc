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
        let planar = self.planar(*row);
        match self.rows {
            None => kernel::diffuse::<A, T, _, W, 4>(&planar, false, u, cells, out),
            Some(rows) => {
                kernel::diffuse::<A, T, _, W, 6>(&Solid { planar, rows }, false, u, cells, out);
            }
        }
    }

    /// Along layers and columns of a row.
    #[inline(always)]
    pub fn planar(&self, row: Row) -> Planar<T> {
        Planar {
            layers: self.layers,
            columns: self.columns,
            row,
        }
    }
}

/// In 2D, along layers and columns; exactly 0 where u is constant.
pub struct Planar<T> {
    layers: T,
    columns: T,
    row: Row,
}

impl<T: Float> Diffuse<T, 4> for Planar<T> {
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
        let along_layers = self.layers * second::<A, T>(below, u, above);
        A::mul_add(self.columns, second::<A, T>(left, u, right), along_layers)
    }
}

/// In 3D, along layers, rows and columns.
pub struct Solid<T> {
    pub planar: Planar<T>,
    pub rows: T,
}

impl<T: Float> Diffuse<T, 6> for Solid<T> {
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
