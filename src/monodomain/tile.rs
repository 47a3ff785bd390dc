//! A box of cells with ghosts around it, and its state.

use super::activation::Upstrokes;
use super::layout::{Aligned, LANES, Layout};
use super::options::StimulusKind;
use super::stencil::Stencil;
use crate::real::Float;

/// Cells of a row with one set of parameters; whole blocks of columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub low: isize,
    pub high: isize,
    /// Parameter set; `None`: several within the blocks.
    pub region: Option<u8>,
}

/// Which columns of each row are computed, ghosts included.
#[derive(Debug)]
pub enum Spans {
    /// All, with the first parameter set.
    Whole,
    /// By number of the row.
    Rows {
        first: Vec<u32>,
        spans: Vec<Span>,
        /// Parameter set of each cell, where there are several.
        region: Vec<u8>,
    },
}

impl Spans {
    /// From what each cell is: `None` inactive, else its parameter set.
    pub fn new(layout: &Layout, of: impl Fn([isize; 3]) -> Option<u8>) -> Self {
        let range = |a: usize| {
            let ghost = layout.ghost[a] as isize;
            -ghost..layout.size[a] as isize + ghost
        };
        let (mut first, mut spans) = (vec![0], Vec::<Span>::new());
        let mut region = vec![0; layout.len];
        let mut several = false;
        let (low, high) = layout.whole_blocks(range(2).start, range(2).end);
        for layer in range(0) {
            for row in range(1) {
                let begun = spans.len();
                for block in (low..high).step_by(LANES) {
                    let mut found = None;
                    let mut mixed = false;
                    for column in block..block + LANES as isize {
                        let inside = range(2).contains(&column);
                        if let Some(r) = of([layer, row, column]).filter(|_| inside) {
                            region[layout.index([layer, row, column])] = r;
                            mixed |= found.is_some_and(|f| f != r);
                            found = Some(r);
                            several |= r != 0;
                        }
                    }
                    let Some(found) = found else { continue };
                    let next = Span {
                        low: block,
                        high: block + LANES as isize,
                        region: (!mixed).then_some(found),
                    };
                    match spans[begun..].last_mut() {
                        Some(last) if last.high == block && last.region == next.region => {
                            last.high = next.high;
                        }
                        _ => spans.push(next),
                    }
                }
                first.push(spans.len() as u32);
            }
        }
        if !several {
            region = Vec::new();
        }
        Spans::Rows {
            first,
            spans,
            region,
        }
    }
}

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
    pub spans: Spans,
    /// u now in `u[now]`, the step before in the other.
    pub u: [Aligned<T>; 2],
    pub now: usize,
    pub gates: [Aligned<T>; G],
    /// u and gates at the beginning of a Heun step.
    pub begun: Option<(Aligned<T>, [Aligned<T>; G])>,
    /// Δt ∇·(D∇u) of a row.
    pub diffusion: Aligned<T>,
    /// The stimuli of the case that touch this tile, by number.
    pub stimuli: Vec<(usize, Applied<T>)>,
    pub upstrokes: Option<Upstrokes>,
}

impl<T: Float, const G: usize> Tile<T, G> {
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
