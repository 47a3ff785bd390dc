//! Where the cells of a tile lie in memory.
//!
//! Axes of the engine are *layers, rows, columns*: z, y, x of a 3D grid; of a 2D grid layers are y
//! and there is one row per layer, so that both advance as a wave over layers.

use super::grid::Grid;
use crate::huge_pages;

/// Columns that kernels work on at once, a cache line of f32. Rows begin on a multiple of it and
/// are computed in whole multiples: the cells beyond a row are padding, which may hold anything.
pub const LANES: usize = 16;

/// z, y, x values as layers, rows, columns.
pub fn layered<V: Copy>(grid: &Grid, [z, y, x]: [V; 3]) -> [V; 3] {
    if grid.shape[0] == 1 {
        [y, z, x]
    } else {
        [z, y, x]
    }
}

/// A tile of `size` cells with `ghost` more on either side of each axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Owned layers, rows, columns.
    pub size: [usize; 3],
    /// Ghost layers, rows, columns on each side.
    pub ghost: [usize; 3],
    /// Column of the array that holds the first owned column.
    pad: usize,
    /// From a row to the next.
    pub row_stride: usize,
    /// From a layer to the next.
    pub layer_stride: usize,
    /// Length of an array.
    pub len: usize,
}

impl Layout {
    pub fn new(size: [usize; 3], ghost: [usize; 3]) -> Self {
        // A column is always there beside the owned ones, for the mirror image at an edge.
        let pad = ghost[2].max(1).next_multiple_of(LANES);
        let row_stride = pad + (size[2] + pad).next_multiple_of(LANES);
        let layer_stride = row_stride * (size[1] + 2 * ghost[1]);
        let layers = size[0] + 2 * ghost[0];
        Self {
            size,
            ghost,
            pad,
            row_stride,
            layer_stride,
            // Neighbours of padding are read in front of the first row and behind the last.
            len: layers * layer_stride + 2 * LANES,
        }
    }

    /// Position of a cell; owned cells count from 0.
    #[inline(always)]
    pub fn index(&self, [layer, row, column]: [isize; 3]) -> usize {
        let layer = layer + self.ghost[0] as isize;
        let row = row + self.ghost[1] as isize;
        let column = column + self.pad as isize;
        LANES
            + layer as usize * self.layer_stride
            + row as usize * self.row_stride
            + column as usize
    }

    /// Position of a column in a row of the array.
    #[inline(always)]
    pub fn column(&self, column: isize) -> usize {
        (column + self.pad as isize) as usize
    }

    /// Position of the first owned column of a row, by its number.
    pub fn row_start(&self, number: usize) -> usize {
        LANES + number * self.row_stride + self.pad
    }

    /// Number among all rows of the tile, ghosts included.
    #[inline(always)]
    pub fn row_number(&self, layer: isize, row: isize) -> usize {
        let layer = (layer + self.ghost[0] as isize) as usize;
        let row = (row + self.ghost[1] as isize) as usize;
        layer * (self.size[1] + 2 * self.ghost[1]) + row
    }

    /// Number of rows, ghosts included.
    pub fn rows(&self) -> usize {
        (self.size[0] + 2 * self.ghost[0]) * (self.size[1] + 2 * self.ghost[1])
    }

    /// Positions of the first columns of the owned rows, in order.
    pub fn owned_rows(&self) -> Vec<usize> {
        let rows = 0..self.size[1] as isize;
        (0..self.size[0] as isize)
            .flat_map(|l| rows.clone().map(move |r| self.index([l, r, 0])))
            .collect()
    }

    /// Number of owned cells.
    pub fn owned(&self) -> usize {
        self.size.iter().product()
    }

    /// Number of a cell among the owned ones.
    pub fn owned_number(&self, layer: usize, row: usize, column: usize) -> usize {
        (layer * self.size[1] + row) * self.size[2] + column
    }

    /// First columns of blocks of [`LANES`] that cover `low..high`, and their end.
    #[inline(always)]
    pub fn whole_blocks(&self, low: isize, high: isize) -> (isize, isize) {
        let lanes = LANES as isize;
        // Column 0 begins a block.
        (
            low.div_euclid(lanes) * lanes,
            -(-high).div_euclid(lanes) * lanes,
        )
    }
}

/// Numbers whose first lies on a cache line.
#[derive(Debug)]
pub struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    pub fn new(len: usize, value: T) -> Self {
        const LINE: usize = 64;
        let memory = huge_pages::filled(len + LINE / size_of::<T>(), value);
        let start = memory.as_ptr().align_offset(LINE);
        Self { memory, start, len }
    }
}

impl<T> std::ops::Deref for Aligned<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> std::ops::DerefMut for Aligned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}
