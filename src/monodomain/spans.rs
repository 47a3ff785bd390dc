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

/// Blocks of a row that are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub row: isize,
    pub low: isize,
    pub high: isize,
    pub alike: Alike,
}

impl Span {
    /// The part in these rows and columns: its row and columns.
    #[inline(always)]
    pub fn within(
        &self,
        rows: (isize, isize),
        columns: (isize, isize),
    ) -> Option<(isize, (isize, isize))> {
        let (low, high) = (self.low.max(columns.0), self.high.min(columns.1));
        (self.row >= rows.0 && self.row < rows.1 && low < high).then_some((self.row, (low, high)))
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
                    let next = Span {
                        row,
                        low: block,
                        high: block + LANES as isize,
                        alike: Alike {
                            even: even(layout.index([layer, row, block])),
                            region: (!mixed).then_some(found),
                        },
                    };
                    match spans[begun..].last_mut() {
                        Some(last)
                            if last.row == row
                                && last.high == block
                                && last.alike == next.alike =>
                        {
                            last.high = next.high;
                        }
                        _ => spans.push(next),
                    }
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
