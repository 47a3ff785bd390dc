//! Which cells of which tiles are the ghosts of others.

use super::division::{Division, TileIndex};

/// Cells of tile `from` that are ghosts of tile `to`.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub from: usize,
    pub to: usize,
    /// First cell, counted from the first owned cell of `from`.
    pub source: [isize; 3],
    /// First cell, counted from the first owned cell of `to`.
    pub target: [isize; 3],
    pub size: [usize; 3],
}

impl Copy {
    pub fn cells(&self) -> usize {
        self.size.iter().product()
    }
}

/// Cells of other tiles, and of itself across a periodic axis, that lie within `depth` of tile `to`
/// along layers, rows, columns; always in the same order.
pub fn copies_to(
    division: &Division,
    index: &TileIndex,
    to: usize,
    depth: [usize; 3],
) -> Vec<Copy> {
    let tile = &division.tiles[to];
    let mut copies = Vec::new();
    // The box with its ghosts, and its images across periodic axes.
    let images = |a: usize| {
        let turns = if division.periodic[a] {
            depth[a].div_ceil(division.shape[a]) as isize
        } else {
            0
        };
        -turns..=turns
    };
    for i in images(0) {
        for j in images(1) {
            for k in images(2) {
                let shift: [isize; 3] =
                    std::array::from_fn(|a| [i, j, k][a] * division.shape[a] as isize);
                let low: [isize; 3] =
                    std::array::from_fn(|a| tile.low[a] as isize - depth[a] as isize + shift[a]);
                let high: [isize; 3] = std::array::from_fn(|a| {
                    (tile.low[a] + tile.size[a] + depth[a]) as isize + shift[a]
                });
                let clipped_low = std::array::from_fn(|a| low[a].max(0) as usize);
                let clipped_high =
                    std::array::from_fn(|a| high[a].clamp(0, division.shape[a] as isize) as usize);
                if (0..3).any(|a| clipped_low[a] >= clipped_high[a]) {
                    continue;
                }
                for from in index.touching(clipped_low, clipped_high) {
                    if from == to && [i, j, k] == [0; 3] {
                        continue;
                    }
                    let other = &division.tiles[from];
                    let first: [usize; 3] =
                        std::array::from_fn(|a| clipped_low[a].max(other.low[a]));
                    let end: [usize; 3] =
                        std::array::from_fn(|a| clipped_high[a].min(other.low[a] + other.size[a]));
                    if (0..3).any(|a| first[a] >= end[a]) {
                        continue;
                    }
                    copies.push(Copy {
                        from,
                        to,
                        source: std::array::from_fn(|a| (first[a] - other.low[a]) as isize),
                        target: std::array::from_fn(|a| {
                            first[a] as isize - shift[a] - tile.low[a] as isize
                        }),
                        size: std::array::from_fn(|a| end[a] - first[a]),
                    });
                }
            }
        }
    }
    copies
}

/// What one rank sends per exchange, counted without running that many ranks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct RankTraffic {
    pub active_cells: u64,
    pub messages: u64,
    /// Cells sent to other ranks; times the fields and their size in bytes.
    pub cells_sent: u64,
}

/// Traffic of every rank, for ghosts `depth` deep. `exchanged` counts the cells that are sent of a
/// box, given by its low corner and size.
pub fn traffic(
    division: &Division,
    ranks: usize,
    depth: [usize; 3],
    exchanged: impl Fn([usize; 3], [usize; 3]) -> u64,
) -> Vec<RankTraffic> {
    let index = TileIndex::new(division);
    let mut traffic = vec![RankTraffic::default(); ranks];
    let mut pairs = std::collections::BTreeSet::new();
    for (to, tile) in division.tiles.iter().enumerate() {
        traffic[tile.owner as usize].active_cells += tile.active;
        for copy in copies_to(division, &index, to, depth) {
            let sender = division.tiles[copy.from].owner;
            if sender == tile.owner {
                continue;
            }
            let from = division.tiles[copy.from].low;
            let low = std::array::from_fn(|a| from[a] + copy.source[a] as usize);
            let cells = exchanged(low, copy.size);
            if cells > 0 {
                traffic[sender as usize].cells_sent += cells;
                pairs.insert((sender, tile.owner));
            }
        }
    }
    for (sender, _) in pairs {
        traffic[sender as usize].messages += 1;
    }
    traffic
}
