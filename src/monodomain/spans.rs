//! Which cells of a tile are computed, and which of them alike.

use super::layout::{LANES, Layout};

/// What whole blocks of cells have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    /// All pairs of neighbours have the same weights: inside a tissue of one D.
    pub even: bool,
    /// Parameter set; `None`: several within the blocks.
    pub region: Option<u8>,
}

/// A block of [`LANES`] cells of a row. One by one: the rows of a masked tissue are so short that
/// loops of unequal length over them would cost more than the cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    row: i32,
    low: i32,
    pub alike: Alike,
}

impl Span {
    /// Its row and columns, if it is one of these rows and columns (whole blocks).
    #[inline(always)]
    pub fn within(
        &self,
        rows: (isize, isize),
        columns: (isize, isize),
    ) -> Option<(isize, (isize, isize))> {
        let (row, low) = (self.row as isize, self.low as isize);
        let inside = row >= rows.0 && row < rows.1 && low >= columns.0 && low < columns.1;
        inside.then_some((row, (low, low + LANES as isize)))
    }
}

/// Which columns of each row are computed, ghosts included.
#[derive(Debug)]
pub enum Spans {
    /// All, with the first parameter set.
    Whole,
    /// By layer; in a layer those that are alike one after the other.
    Layers {
        first: Vec<u32>,
        spans: Vec<Span>,
        /// Parameter set of each cell, where there are several.
        region: Vec<u8>,
    },
}

impl Spans {
    /// Layer, row and first column of each block, and the parameter set of each cell where there are
    /// several; `None`: all blocks, of the first set. `ghosts` are the ghost layers of the tile.
    pub fn blocks(&self, ghosts: usize) -> Option<(Vec<[isize; 3]>, &[u8])> {
        let Spans::Layers {
            first,
            spans,
            region,
        } = self
        else {
            return None;
        };
        let mut blocks = Vec::with_capacity(spans.len());
        for (layer, range) in first.windows(2).enumerate() {
            let layer = layer as isize - ghosts as isize;
            for span in &spans[range[0] as usize..range[1] as usize] {
                blocks.push([layer, span.row as isize, span.low as isize]);
            }
        }
        Some((blocks, region))
    }

    /// From what each cell is: `None` inactive, else its parameter set; and from whether the block
    /// that begins at a position is even.
    pub fn new(
        layout: &Layout,
        of: impl Fn([isize; 3]) -> Option<u8>,
        even: impl Fn(usize) -> bool,
    ) -> Self {
        let range = |a: usize| {
            let ghost = layout.ghost[a] as isize;
            -ghost..layout.size[a] as isize + ghost
        };
        let (mut first, mut spans) = (vec![0], Vec::<Span>::new());
        let mut region = vec![0; layout.len];
        let mut several = false;
        let (low, high) = layout.whole_blocks(range(2).start, range(2).end);
        for layer in range(0) {
            let begun = spans.len();
            for row in range(1) {
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
                    spans.push(Span {
                        row: row as i32,
                        low: block as i32,
                        alike: Alike {
                            even: even(layout.index([layer, row, block])),
                            region: (!mixed).then_some(found),
                        },
                    });
                }
            }
            spans[begun..].sort_by_key(|span| span.alike);
            first.push(spans.len() as u32);
        }
        if !several {
            region = Vec::new();
        }
        Spans::Layers {
            first,
            spans,
            region,
        }
    }
}
