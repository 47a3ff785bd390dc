//! A box of cells with ghosts around it, and its state.

use super::activation::Upstrokes;
use super::layout::{Aligned, Layout};
use super::options::StimulusKind;
use super::spans::Spans;
use super::stencil::Stencil;
use super::stretches::{ActiveRuns, Stretch, stretches};
use crate::real::Float;

/// A stimulus on the cells of one tile.
#[derive(Debug)]
pub struct Applied<T> {
    pub kind: StimulusKind,
    /// u, or Δt times the rate.
    pub value: T,
    /// Row number, first column, end; in order of rows.
    pub runs: Vec<(usize, isize, isize)>,
}

impl<T> Applied<T> {
    /// The runs in a row.
    #[inline(always)]
    pub fn in_row(&self, row: usize) -> &[(usize, isize, isize)] {
        let from = self.runs.partition_point(|r| r.0 < row);
        let count = self.runs[from..].partition_point(|r| r.0 == row);
        &self.runs[from..from + count]
    }
}

/// Edges without flux, low and high, of each axis: how many cells of the grid lie between the tile
/// and the edge; `None` where the tile and its ghosts do not reach one. Ghosts of several steps may
/// hold an edge that the tile does not touch.
pub type Edges = [[Option<isize>; 2]; 3];

/// A tile: owned cells, ghosts, and all that a step needs.
#[derive(Debug)]
pub struct Tile<T, const G: usize> {
    /// First owned cell on the grid's layers, rows, columns.
    pub low: [usize; 3],
    pub layout: Layout,
    pub edges: Edges,
    pub stencil: Stencil<T>,
    pub spans: Spans<T>,
    /// Cells that are exchanged; `None`: all.
    pub exchanged: Option<ActiveRuns>,
    /// u now in `u[now]`, the step before in the other.
    pub u: [Aligned<T>; 2],
    pub now: usize,
    pub gates: [Aligned<T>; G],
    /// u and gates at the beginning of a Heun step.
    pub begun: Option<(Aligned<T>, [Aligned<T>; G])>,
    /// Δt ∇·(D∇u) of a row, or of some blocks.
    pub diffusion: Aligned<T>,
    /// The stimuli of the case that touch this tile, by number.
    pub stimuli: Vec<(usize, Applied<T>)>,
    pub upstrokes: Option<Upstrokes>,
}

impl<T: Float, const G: usize> Tile<T, G> {
    /// The cells of a box that are exchanged.
    pub fn stretches(&self, low: [isize; 3], size: [usize; 3]) -> Vec<Stretch> {
        stretches(&self.layout, self.exchanged.as_ref(), low, size)
    }

    /// Sets the images beyond the edges along columns, of all rows.
    pub fn mirror_columns(&mut self) {
        if self.edges[2] == [None; 2] || !matches!(self.stencil, Stencil::Uniform(_)) {
            return;
        }
        let ghost = [0, 1].map(|a| self.layout.ghost[a] as isize);
        for layer in -ghost[0]..self.layout.size[0] as isize + ghost[0] {
            for row in -ghost[1]..self.layout.size[1] as isize + ghost[1] {
                let first = self.layout.index([layer, row, 0]);
                let columns = self.layout.size[2];
                mirror_row(self.edges[2], &mut self.u[self.now], first, columns);
            }
        }
    }
}

/// u beyond the edges of a row = u at the edge: no flux. The row begins at `first`.
#[inline(always)]
pub fn mirror_row<T: Copy>(
    [low, high]: [Option<isize>; 2],
    u: &mut [T],
    first: usize,
    columns: usize,
) {
    if let Some(beyond) = low {
        let first = first.wrapping_add_signed(-beyond);
        u[first - 1] = u[first];
    }
    if let Some(beyond) = high {
        let end = (first + columns).wrapping_add_signed(beyond);
        u[end] = u[end - 1];
    }
}
