//! The grid cut in tiles, and tiles shared out to ranks.

use serde::{Deserialize, Serialize};

use super::grid::{Diffusivity, Tissue};
use super::tile::Edges;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::partition::{Graph, Wish, cut};

/// A box of cells, on layers, rows, columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileBox {
    pub low: [usize; 3],
    pub size: [usize; 3],
    /// Active cells in it.
    pub active: u64,
    /// Rank that owns it.
    pub owner: u32,
}

impl TileBox {
    /// Cells of the box, active or not.
    pub fn cells(&self) -> usize {
        self.size.iter().product()
    }
}

/// All tiles that hold active cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Division {
    /// Cells of the whole grid.
    pub shape: [usize; 3],
    pub periodic: [bool; 3],
    /// Cells of a whole tile.
    pub tile: [usize; 3],
    pub tiles: Vec<TileBox>,
}

/// Which cells of a grid take part, and how D varies among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// All of them.
    Whole,
    /// All of them, each with little in memory: f32, and no more of D than a number.
    WholeLight,
    /// Masked tissue of one D throughout.
    MaskedUniform,
    /// Masked tissue with weights of its own in each cell.
    Masked,
}

impl Filling {
    pub fn of(tissue: &Tissue, precision: Precision) -> Self {
        let light = precision == Precision::F32 && !tissue.diffusivity.is_oblique();
        match (&tissue.active, &tissue.diffusivity) {
            (None, _) if light => Self::WholeLight,
            (None, _) => Self::Whole,
            (Some(_), Diffusivity::Uniform(_)) => Self::MaskedUniform,
            (Some(_), _) => Self::Masked,
        }
    }

    fn is_masked(self) -> bool {
        matches!(self, Self::MaskedUniform | Self::Masked)
    }
}

/// Cells of a tile that are fast: see [`Division::size_for`].
const COLUMNS: usize = 2048;
const LAYERS: usize = 256;
const SOLID_COLUMNS: usize = 512;
/// Cells of a layer of a tile in 3D. Where cells are light, the layers of some steps share a cache of
/// the second level; where they are not, ghosts of such small tiles cost more than that saves.
const LIGHT_LAYER: usize = 1 << 13;
const SOLID_LAYER: usize = 1 << 15;
const FEWEST_LAYERS: usize = 8;
/// Fewest columns of a tile of a cable.
const CABLE_COLUMNS: usize = 64;
/// Masked tissue in 3D: from tiles with few ghosts to those that many ranks can share.
const MASKED: [[usize; 3]; 10] = [
    [256, 128, 512],
    [128, 128, 512],
    [128, 64, 512],
    [64, 64, 512],
    [32, 64, 512],
    [32, 32, 512],
    [32, 32, 128],
    [16, 32, 128],
    [16, 16, 64],
    [16, 16, 32],
];
/// The largest tile where one D holds throughout: steps take so little time that layers must share the
/// cache of the second level; with weights in each cell ghosts cost more than that saves.
const MASKED_UNIFORM: [usize; 3] = [256, 64, 512];
/// Masked tissue in 2D.
const MASKED_LAYERS: usize = 64;
/// Tiles of the box around a masked tissue per thread, of which many are outside the tissue or on
/// its edge.
const MASKED_PER_WORKER: usize = 24;
/// So few threads take the largest tiles whose active cells can be dealt out this evenly.
const FEW_WORKERS: usize = 8;
const EVEN: f64 = 1.05;

impl Division {
    /// Cells of a tile for `workers` threads in all. Full rows where they fit: columns are
    /// computed in whole blocks, so ghosts beside them are dear; layers are cheap to cut.
    pub fn size_for(shape: [usize; 3], filling: Filling, workers: usize) -> [usize; 3] {
        let [layers, rows, columns] = shape;
        let masked = filling.is_masked();
        if masked && rows > 1 {
            let parts = |most: &[usize; 3]| -> usize {
                (0..3).map(|a| shape[a].div_ceil(most[a])).product()
            };
            let enough = |most: &&[usize; 3]| parts(most) >= MASKED_PER_WORKER * workers;
            let most = MASKED.iter().find(enough).unwrap_or(&MASKED[9]);
            return std::array::from_fn(|a| equal(shape[a], most[a]));
        }
        if rows > 1 {
            let tile_columns = equal(columns, SOLID_COLUMNS);
            let layer = match filling {
                Filling::WholeLight => LIGHT_LAYER,
                _ => SOLID_LAYER,
            };
            let tile_rows = equal(rows, layer / tile_columns);
            let beside = rows.div_ceil(tile_rows) * columns.div_ceil(tile_columns);
            let slabs = workers.div_ceil(beside);
            return [
                equal(layers, LAYERS.min(share(layers, slabs).max(FEWEST_LAYERS))),
                tile_rows,
                tile_columns,
            ];
        }
        let most = if masked { MASKED_LAYERS } else { LAYERS };
        let mut widest = COLUMNS;
        if layers == 1 {
            // A cable has nothing but columns to cut.
            widest = widest.min(share(columns, workers).max(CABLE_COLUMNS));
        }
        let tile_columns = equal(columns, widest);
        let slabs = workers.div_ceil(columns.div_ceil(tile_columns));
        [
            equal(layers, most.min(share(layers, slabs).max(FEWEST_LAYERS))),
            1,
            tile_columns,
        ]
    }

    /// Cuts a grid in tiles and shares them out to `ranks`. `counts` are the active cells of each
    /// tile of a given size, in order of layers, rows, columns. Tiles are as is fast for `workers`
    /// threads in all; smaller where ranks would get none, down to `least` cells along an axis.
    ///
    /// # Errors
    /// As of [`of_counts`](Self::of_counts).
    pub fn fitting(
        shape: [usize; 3],
        periodic: [bool; 3],
        filling: Filling,
        counts: impl Fn([usize; 3]) -> Vec<u64>,
        [workers, ranks]: [usize; 2],
        least: usize,
    ) -> Result<Self> {
        let few = filling.is_masked() && shape[1] > 1 && workers <= FEW_WORKERS;
        let largest = match filling {
            Filling::MaskedUniform => MASKED_UNIFORM,
            _ => MASKED[0],
        };
        let even = std::iter::once(&largest)
            .chain(&MASKED[1..])
            .filter(|_| few)
            .map(|most| std::array::from_fn(|a| equal(shape[a], most[a])))
            .find(|tile| unevenness(counts(*tile), workers) <= EVEN);
        let mut tile = even.unwrap_or_else(|| Self::size_for(shape, filling, workers));
        let tiles = |counts: &[u64]| counts.iter().filter(|n| **n > 0).count();
        let mut active = counts(tile);
        while (1..ranks).contains(&tiles(&active)) {
            let longest = (0..3).max_by_key(|a| tile[*a]).unwrap_or(0);
            if tile[longest] < 2 * least {
                break;
            }
            tile[longest] = tile[longest].div_ceil(2);
            active = counts(tile);
        }
        Self::of_counts(shape, periodic, tile, &active, ranks)
    }

    /// As [`fitting`](Self::fitting), in tiles of `tile` cells. `active`: cells that take part, in
    /// the order of the grid.
    ///
    /// # Errors
    /// As of [`of_counts`](Self::of_counts).
    pub fn new(
        shape: [usize; 3],
        periodic: [bool; 3],
        active: Option<&[bool]>,
        tile: [usize; 3],
        ranks: usize,
    ) -> Result<Self> {
        Self::of_counts(shape, periodic, tile, &counts(shape, active, tile), ranks)
    }

    /// In tiles of `tile` cells with so many active cells each, in order of layers, rows, columns.
    ///
    /// # Errors
    /// [`Error::BadData`]: no active cell, or fewer tiles than ranks.
    pub fn of_counts(
        shape: [usize; 3],
        periodic: [bool; 3],
        tile: [usize; 3],
        counts: &[u64],
        ranks: usize,
    ) -> Result<Self> {
        let tiles: Vec<TileBox> = boxes(shape, tile)
            .zip(counts)
            .filter(|(_, active)| **active > 0)
            .map(|((low, size), active)| TileBox {
                low,
                size,
                active: *active,
                owner: 0,
            })
            .collect();
        if tiles.is_empty() {
            return Err(Error::bad_data(
                "fk.mask",
                "no cell is active",
                "give a mask with at least one cell that is not zero",
            ));
        }
        if tiles.len() < ranks {
            let problem = match tiles.len() {
                1 => format!("one tile cannot be shared out to {ranks} ranks"),
                n => format!("{n} tiles cannot be shared out to {ranks} ranks"),
            };
            let most = format!("run on {} at most", tiles.len());
            return Err(Error::bad_data("fk.grid", problem, most));
        }
        let mut division = Self {
            shape,
            periodic,
            tile,
            tiles,
        };
        division.share_out(ranks)?;
        Ok(division)
    }

    /// Gives every tile an owner: equal numbers of active cells, few cut faces (METIS).
    fn share_out(&mut self, ranks: usize) -> Result<()> {
        let n = self.tiles.len();
        if n == ranks {
            for (rank, tile) in self.tiles.iter_mut().enumerate() {
                tile.owner = rank as u32;
            }
            return Ok(());
        }
        let index = TileIndex::new(self);
        let mut graph = Graph {
            offsets: vec![0],
            neighbours: Vec::new(),
        };
        for tile in &self.tiles {
            for axis in 0..3 {
                let block = tile.low[axis] / self.tile[axis];
                for next in [block.checked_sub(1), Some(block + 1)] {
                    let mut at: [usize; 3] = std::array::from_fn(|a| tile.low[a] / self.tile[a]);
                    let Some(next) = next else { continue };
                    at[axis] = next;
                    graph
                        .neighbours
                        .extend(index.tile_of_block(at).map(|t| t as i32));
                }
            }
            graph.offsets.push(graph.neighbours.len() as i32);
        }
        let most = self.tiles.iter().map(|t| t.active).max().unwrap_or(1);
        // METIS adds weights up in 32 bits.
        let scale = (most * n as u64).div_ceil(i32::MAX as u64 / 2).max(1);
        let weights: Vec<i32> = self
            .tiles
            .iter()
            .map(|t| (t.active / scale).max(1) as i32)
            .collect();
        let parts = cut(
            &graph,
            &Wish {
                parts: ranks,
                constraints: 1,
                weights: Some(&weights),
                imbalance: 20,
                contiguous: false,
            },
        )?;
        for (tile, part) in self.tiles.iter_mut().zip(parts) {
            tile.owner = part;
        }
        Ok(())
    }

    /// Numbers of the tiles of a rank.
    pub fn of_rank(&self, rank: usize) -> Vec<usize> {
        (0..self.tiles.len())
            .filter(|t| self.tiles[*t].owner as usize == rank)
            .collect()
    }

    /// Whether the grid is cut, or closed, along an axis: tiles need ghosts there.
    pub fn needs_ghosts(&self, axis: usize) -> bool {
        self.periodic[axis] || self.tile[axis] < self.shape[axis]
    }

    /// Edges without flux that lie on a tile or within `depth` cells of it.
    pub fn edges(&self, tile: usize, depth: [usize; 3]) -> Edges {
        let tile = &self.tiles[tile];
        std::array::from_fn(|a| {
            let beyond = [tile.low[a], self.shape[a] - tile.low[a] - tile.size[a]];
            beyond.map(|cells| {
                let near = !self.periodic[a] && (cells == 0 || cells < depth[a]);
                near.then_some(cells as isize)
            })
        })
    }

    /// Position in the grid's arrays of the first cell of a row of a tile, in order of rows.
    pub fn row_starts(&self, tile: usize) -> impl Iterator<Item = usize> + '_ {
        let TileBox { low, size, .. } = self.tiles[tile].clone();
        let [_, rows, columns] = self.shape;
        (0..size[0]).flat_map(move |l| {
            (0..size[1]).map(move |r| ((low[0] + l) * rows + low[1] + r) * columns + low[2])
        })
    }
}

/// `n` in `parts`: the largest part.
fn share(n: usize, parts: usize) -> usize {
    n.div_ceil(parts.max(1))
}

/// The size of equal parts of `n` of no more than `most`.
fn equal(n: usize, most: usize) -> usize {
    share(n, n.div_ceil(most.max(1)))
}

/// The most that one of `workers` has to do over the mean, each tile given to the one who has least
/// so far, the largest first.
fn unevenness(mut counts: Vec<u64>, workers: usize) -> f64 {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut work = vec![0; workers.max(1)];
    for cells in &counts {
        if let Some(least) = work.iter_mut().min() {
            *least += cells;
        }
    }
    let most = work.iter().max().copied().unwrap_or(0);
    most as f64 * work.len() as f64 / counts.iter().sum::<u64>().max(1) as f64
}

/// Low corner and size of the tiles of a grid, in order of layers, rows, columns.
fn boxes(shape: [usize; 3], tile: [usize; 3]) -> impl Iterator<Item = ([usize; 3], [usize; 3])> {
    let blocks: [usize; 3] = std::array::from_fn(|a| shape[a].div_ceil(tile[a]));
    (0..blocks.iter().product()).map(move |number: usize| {
        let block = [
            number / (blocks[1] * blocks[2]),
            number / blocks[2] % blocks[1],
            number % blocks[2],
        ];
        let low: [usize; 3] = std::array::from_fn(|a| block[a] * tile[a]);
        (low, std::array::from_fn(|a| tile[a].min(shape[a] - low[a])))
    })
}

/// Active cells of each tile of `tile` cells, in order of layers, rows, columns. `active`: cells that
/// take part, in the order of the grid.
pub fn counts(shape: [usize; 3], active: Option<&[bool]>, tile: [usize; 3]) -> Vec<u64> {
    boxes(shape, tile)
        .map(|(low, size)| count(shape, active, low, size))
        .collect()
}

/// Active cells of a box.
pub fn count(shape: [usize; 3], active: Option<&[bool]>, low: [usize; 3], size: [usize; 3]) -> u64 {
    match active {
        None => size.iter().product::<usize>() as u64,
        Some(active) => count_active(active, shape, low, size) as u64,
    }
}

fn count_active(active: &[bool], shape: [usize; 3], low: [usize; 3], size: [usize; 3]) -> usize {
    let mut count = 0;
    for l in low[0]..low[0] + size[0] {
        for r in low[1]..low[1] + size[1] {
            let start = (l * shape[1] + r) * shape[2] + low[2];
            count += active[start..start + size[2]]
                .iter()
                .filter(|a| **a)
                .count();
        }
    }
    count
}

/// Finds the tile at a place.
pub struct TileIndex {
    tile: [usize; 3],
    blocks: [usize; 3],
    at: Vec<u32>,
}

impl TileIndex {
    pub fn new(division: &Division) -> Self {
        let blocks: [usize; 3] =
            std::array::from_fn(|a| division.shape[a].div_ceil(division.tile[a]));
        let mut at = vec![u32::MAX; blocks.iter().product()];
        for (number, tile) in division.tiles.iter().enumerate() {
            let [l, r, c]: [usize; 3] = std::array::from_fn(|a| tile.low[a] / division.tile[a]);
            at[(l * blocks[1] + r) * blocks[2] + c] = number as u32;
        }
        Self {
            tile: division.tile,
            blocks,
            at,
        }
    }

    fn tile_of_block(&self, block: [usize; 3]) -> Option<usize> {
        let inside = (0..3).all(|a| block[a] < self.blocks[a]);
        let [l, r, c] = block;
        let number = inside.then(|| self.at[(l * self.blocks[1] + r) * self.blocks[2] + c])?;
        (number != u32::MAX).then_some(number as usize)
    }

    /// Tiles that share cells with the box `low..high` within the grid.
    pub fn touching(&self, low: [usize; 3], high: [usize; 3]) -> Vec<usize> {
        let range = |a: usize| low[a] / self.tile[a]..high[a].div_ceil(self.tile[a]);
        let mut found = Vec::new();
        for l in range(0) {
            for r in range(1) {
                for c in range(2) {
                    found.extend(self.tile_of_block([l, r, c]));
                }
            }
        }
        found
    }
}
