//! Which cells of a tile are computed.

use std::ops::Range;

use super::layout::{Aligned, LANES, Layout};
use super::stencil::Stencil;
use super::stencil::pairs::{Pairs, Present};
use crate::real::Float;

/// Which columns of each row are computed, ghosts included.
#[derive(Debug)]
pub enum Spans<T> {
    /// All, with the first parameter set.
    Whole,
    Masked(Box<Masked<T>>),
}

/// Blocks of [`LANES`] cells that hold tissue. One by one: the rows of a masked tissue are so short
/// that loops over them would cost more than the cells.
#[derive(Debug)]
pub struct Masked<T> {
    /// Number of the lowest layer, and the first group of each; owned ones count from 0.
    lowest: isize,
    first: Vec<usize>,
    groups: Vec<Group>,
    /// Row and first column of each block.
    pub places: Vec<[i32; 2]>,
    /// Position of each block, and how far beyond the owned cells of its layer it lies; ascending
    /// within a group.
    at: Vec<u32>,
    beyond: Vec<u16>,
    /// Least distance of a block from the ends of the arrays.
    margin: usize,
    /// Length of the arrays.
    end: usize,
    pub pairs: BlockPairs<T>,
    /// Parameter set of each cell, where there are several.
    pub region: Vec<u8>,
}

/// The pairs of neighbours of each block.
#[derive(Debug)]
pub enum BlockPairs<T> {
    /// Another stencil.
    None,
    /// All have the weight of their axis: which there are.
    OneMedium {
        weights: Vec<T>,
        present: Vec<Present>,
    },
    /// As of [`Pairs::of_block`].
    Weights(Aligned<T>),
}

/// Blocks of a layer with one parameter set.
#[derive(Debug)]
pub struct Group {
    /// `None`: several within each block.
    pub set: Option<u8>,
    blocks: Range<usize>,
}

/// Positions of blocks in the arrays of a tile. Only [`Masked`] makes them, so a block and `margin`
/// values on either side of it lie within arrays of the length `end`.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    at: &'a [u32],
    margin: usize,
    end: usize,
}

impl Blocks<'_> {
    pub fn count(&self) -> usize {
        self.at.len()
    }

    /// A block by its place in the list.
    #[inline(always)]
    pub fn get(&self, number: usize) -> Option<usize> {
        self.at.get(number).map(|at| *at as usize)
    }

    pub fn margin(&self) -> usize {
        self.margin
    }

    pub fn end(&self) -> usize {
        self.end
    }
}

impl<'a> IntoIterator for Blocks<'a> {
    type Item = usize;
    type IntoIter = std::iter::Map<std::slice::Iter<'a, u32>, fn(&u32) -> usize>;

    #[inline(always)]
    fn into_iter(self) -> Self::IntoIter {
        self.at.iter().map(|at| *at as usize)
    }
}

impl<T: Float> Masked<T> {
    /// From what each cell is: `None` inactive, else its parameter set.
    pub fn new(
        layout: &Layout,
        of: impl Fn([isize; 3]) -> Option<u8>,
        stencil: &Stencil<T>,
    ) -> Self {
        assert!(u32::try_from(layout.len).is_ok(), "positions have 32 bits");
        // The outermost ghosts are only read.
        let range = |a: usize| {
            let ghost = layout.ghost[a].saturating_sub(1) as isize;
            -ghost..layout.size[a] as isize + ghost
        };
        let mut masked = Masked {
            lowest: range(0).start,
            first: vec![0],
            region: vec![0; layout.len],
            end: layout.len,
            margin: layout.len,
            groups: Vec::new(),
            places: Vec::new(),
            at: Vec::new(),
            beyond: Vec::new(),
            pairs: BlockPairs::None,
        };
        let mut several = false;
        let (low, high) = layout.whole_blocks(range(2).start, range(2).end);
        for layer in range(0) {
            let mut blocks = Vec::new();
            for row in range(1) {
                for block in (low..high).step_by(LANES) {
                    let mut found = None;
                    let mut mixed = false;
                    for column in block..block + LANES as isize {
                        let inside = range(2).contains(&column);
                        if let Some(r) = of([layer, row, column]).filter(|_| inside) {
                            masked.region[layout.index([layer, row, column])] = r;
                            mixed |= found.is_some_and(|f| f != r);
                            found = Some(r);
                            several |= r != 0;
                        }
                    }
                    let Some(found) = found else { continue };
                    let set = (!mixed).then_some(found);
                    let columns = beyond(block, block + LANES as isize, layout.size[2]);
                    let rows = beyond(row, row + 1, layout.size[1]);
                    blocks.push((set, rows.max(columns), [row as i32, block as i32]));
                }
            }
            blocks.sort_unstable();
            for group in blocks.chunk_by(|a, b| a.0 == b.0) {
                masked.push(layout, layer, group);
            }
            masked.first.push(masked.groups.len());
        }
        if let Stencil::Pairs(pairs) = stencil {
            masked.pairs = masked.pairs(pairs);
        }
        if !several {
            masked.region = Vec::new();
        }
        masked
    }

    fn pairs(&self, pairs: &Pairs<T>) -> BlockPairs<T> {
        let at = self.at.iter().map(|at| *at as usize);
        match pairs.of_one_medium() {
            Some(weights) => BlockPairs::OneMedium {
                weights,
                present: at.map(|at| pairs.present(at)).collect(),
            },
            None => {
                let count = pairs.per_block();
                let mut all = Aligned::new(self.at.len() * count, T::from_f64(0.0));
                for (block, at) in all.chunks_exact_mut(count).zip(at) {
                    for (here, k) in block.iter_mut().zip(pairs.of_block(at)) {
                        *here = k;
                    }
                }
                BlockPairs::Weights(all)
            }
        }
    }

    /// Adds blocks of a layer with one parameter set.
    fn push(&mut self, layout: &Layout, layer: isize, group: &[(Option<u8>, u16, [i32; 2])]) {
        let begun = self.at.len();
        for &(_, beyond, [row, low]) in group {
            let at = layout.index([layer, row as isize, low as isize]);
            self.margin = self.margin.min(at).min(layout.len - at - LANES);
            self.at.push(at as u32);
            self.beyond.push(beyond);
            self.places.push([row, low]);
        }
        self.groups.push(Group {
            set: group[0].0,
            blocks: begun..self.at.len(),
        });
    }

    /// Layer, row and first column of all blocks.
    pub fn all(&self) -> Vec<[isize; 3]> {
        let layers = self.first.windows(2).zip(self.lowest..);
        let blocks = layers.flat_map(|(range, layer)| {
            let groups = &self.groups[range[0]..range[1]];
            let places = groups
                .iter()
                .flat_map(|group| &self.places[group.blocks.clone()]);
            places.map(move |[row, low]| [layer, *row as isize, *low as isize])
        });
        blocks.collect()
    }

    /// Groups of a layer.
    #[inline(always)]
    pub fn of_layer(&self, layer: isize) -> &[Group] {
        let number = (layer - self.lowest) as usize;
        &self.groups[self.first[number]..self.first[number + 1]]
    }

    /// Those blocks of a group with cells no further than `margin` from the owned ones of its layer.
    #[inline(always)]
    pub fn within(&self, group: &Group, margin: isize) -> Range<usize> {
        let Range { start, end } = group.blocks;
        let near = self.beyond[start..end].partition_point(|beyond| *beyond as isize <= margin);
        start..start + near
    }

    /// Positions of blocks.
    #[inline(always)]
    pub fn blocks(&self, listed: Range<usize>) -> Blocks<'_> {
        Blocks {
            at: &self.at[listed],
            margin: self.margin,
            end: self.end,
        }
    }
}

/// How far the nearest cell of `low..high` lies beyond `0..size`.
fn beyond(low: isize, high: isize, size: usize) -> u16 {
    let before = 1 - high;
    let behind = low + 1 - size as isize;
    before.max(behind).clamp(0, u16::MAX as isize) as u16
}
