//! The state between the tiles and whole arrays on rank 0.

use bytemuck::Pod;

use super::activation::{UpstrokeArrays, Upstrokes};
use super::division::TileBox;
use super::engine::{Engine, lock};
use crate::comm::{Communicator, gather_slices, scatter_slices};
use crate::error::Result;
use crate::ionic::Kinetics;
use crate::real::Float;

/// Layer, row, column of a cell in a tile of a grid of `shape`, if it holds the cell.
pub(super) fn place_in(
    tile: &TileBox,
    [_, rows, columns]: [usize; 3],
    cell: usize,
) -> Option<[isize; 3]> {
    let place = [
        cell / (rows * columns),
        cell / columns % rows,
        cell % columns,
    ];
    let at: [isize; 3] = std::array::from_fn(|a| place[a] as isize - tile.low[a] as isize);
    (0..3)
        .all(|a| (0..tile.size[a] as isize).contains(&at[a]))
        .then_some(at)
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> Engine<T, K, G> {
    /// u (field 0) or a gate (1, …) of all cells in the order of the grid, on rank 0; NaN where there
    /// is no tile. Collective.
    pub fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Vec<T>> {
        let mut mine = Vec::new();
        for tile in &self.tiles {
            let tile = lock(tile);
            let values = match field {
                0 => &tile.u[tile.now],
                _ => &tile.gates[field - 1],
            };
            for start in tile.layout.owned_rows() {
                mine.extend_from_slice(&values[start..start + tile.layout.size[2]]);
            }
        }
        self.assemble(comm, &mine, T::from_f64(f64::NAN))
    }

    /// Sets u or a gate of all cells from `whole`, given on rank 0. Cells that are NaN keep their
    /// value. Collective.
    pub fn scatter(&self, comm: &dyn Communicator, field: usize, whole: Option<&[T]>) {
        let mine = self.share_out(comm, whole.unwrap_or_default());
        let mut mine = mine.into_iter();
        for tile in &self.tiles {
            let mut tile = lock(tile);
            let (rows, columns) = (tile.layout.owned_rows(), tile.layout.size[2]);
            let now = tile.now;
            for start in rows {
                for at in start..start + columns {
                    let values = match field {
                        0 => &mut tile.u[now],
                        _ => &mut tile.gates[field - 1],
                    };
                    if let Some(value) = mine.next().filter(|v| v.value().is_finite()) {
                        values[at] = value;
                    }
                }
            }
            tile.mirror_columns();
        }
    }

    /// Calls `row` with the position of a row of tiles of `rank` among all of that rank, and its
    /// cells of the grid.
    fn for_rows_of(&self, rank: usize, mut row: impl FnMut(usize, std::ops::Range<usize>)) {
        let mut from = 0;
        for t in self.division.of_rank(rank) {
            let columns = self.division.tiles[t].size[2];
            for start in self.division.row_starts(t) {
                row(from, start..start + columns);
                from += columns;
            }
        }
    }

    /// Largest |u| of all cells, +∞ for NaN, and the cell where it is. Collective.
    pub fn largest(&self, comm: &dyn Communicator) -> (f64, usize) {
        let mut largest = (-1.0, 0);
        for (tile, number) in self.tiles.iter().zip(&self.own) {
            let tile = lock(tile);
            let starts = self.division.row_starts(*number);
            for (row, cell) in tile.layout.owned_rows().into_iter().zip(starts) {
                let u = &tile.u[tile.now][row..row + tile.layout.size[2]];
                // NaN compares as neither: it counts as large.
                let zero = T::from_f64(0.0);
                let limit = T::from_f64(largest.0);
                let exceeds = |u: T| {
                    let size = if u < zero { -u } else { u };
                    !matches!(size.partial_cmp(&limit), Some(o) if o.is_le())
                };
                if u.iter().any(|u| exceeds(*u)) {
                    for (column, u) in u.iter().enumerate() {
                        let size = u.value().abs();
                        let size = if size.is_nan() { f64::INFINITY } else { size };
                        if size > largest.0 {
                            largest = (size, cell + column);
                        }
                    }
                }
            }
        }
        largest_of_all(comm, largest)
    }

    /// u of some cells, on all ranks. Collective.
    pub fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64> {
        // Each cell has one owner, so the sum has one term.
        let mut values = vec![0.0; cells.len()];
        for (tile, number) in self.tiles.iter().zip(&self.own) {
            let tile_box = &self.division.tiles[*number];
            for (cell, value) in cells.iter().zip(&mut values) {
                if let Some(at) = place_in(tile_box, self.division.shape, *cell) {
                    let tile = lock(tile);
                    *value = tile.u[tile.now][tile.layout.index(at)].value();
                }
            }
        }
        comm.sum_f64(&mut values);
        values
    }

    /// The recorder of all cells on rank 0; NaN and 0 where there is no tile. Collective.
    pub(super) fn gather_upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays> {
        let mut mine = UpstrokeArrays::default();
        for tile in &self.tiles {
            let arrays = lock(tile).upstrokes.as_ref()?.arrays();
            mine.first.extend(arrays.first);
            mine.last.extend(arrays.last);
            mine.count.extend(arrays.count);
            mine.kept.extend(arrays.kept);
            mine.apd.extend(arrays.apd);
            mine.peak.extend(arrays.peak);
        }
        let of = |values: &[f64]| self.assemble(comm, values, f64::NAN);
        let first = of(&mine.first);
        let last = of(&mine.last);
        let count = self.assemble(comm, &mine.count, 0);
        let kept = of(&mine.kept);
        let apd = of(&mine.apd);
        let peak = of(&mine.peak);
        Some(UpstrokeArrays {
            first: first?,
            last: last?,
            count: count?,
            kept: kept?,
            apd: apd?,
            peak: peak?,
        })
    }

    /// Arrays with the same number of values per owned cell of all ranks, as one of the grid.
    fn assemble<V: Pod>(&self, comm: &dyn Communicator, mine: &[V], nowhere: V) -> Option<Vec<V>> {
        let owned: usize = self.tiles.iter().map(|t| lock(t).layout.owned()).sum();
        let each = mine.len() / owned.max(1);
        let parts = gather_slices(comm, 0, mine);
        (comm.rank() == 0).then(|| {
            let cells: usize = self.division.shape.iter().product();
            let mut whole = vec![nowhere; cells * each];
            for (rank, values) in parts.iter().enumerate() {
                self.for_rows_of(rank, |from, to| {
                    let n = to.len() * each;
                    let from = from * each;
                    whole[to.start * each..to.end * each].copy_from_slice(&values[from..from + n]);
                });
            }
            whole
        })
    }

    /// Sets the recorder from arrays of all cells, given on rank 0. Collective.
    pub(super) fn scatter_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()> {
        let empty = UpstrokeArrays::default();
        let arrays = arrays.unwrap_or(&empty);
        let first = self.share_out(comm, &arrays.first);
        let last = self.share_out(comm, &arrays.last);
        let count = self.share_out(comm, &arrays.count);
        let kept = self.share_out(comm, &arrays.kept);
        let apd = self.share_out(comm, &arrays.apd);
        let peak = self.share_out(comm, &arrays.peak);
        let total: usize = self.tiles.iter().map(|t| lock(t).layout.owned()).sum();
        let mut done = 0;
        for tile in &self.tiles {
            let mut tile = lock(tile);
            let owned = tile.layout.owned();
            let Some(upstrokes) = &mut tile.upstrokes else {
                continue;
            };
            let part = |values: &[f64]| {
                let each = values.len() / total.max(1);
                values[done * each..(done + owned) * each].to_vec()
            };
            let mine = UpstrokeArrays {
                first: part(&first),
                last: part(&last),
                count: count[done..done + owned].to_vec(),
                kept: part(&kept),
                apd: part(&apd),
                peak: part(&peak),
            };
            *upstrokes = Upstrokes::from_arrays(upstrokes.options(), mine)?;
            done += owned;
        }
        Ok(())
    }

    /// The values of this rank's cells, of an array of the grid on rank 0.
    fn share_out<V: Pod>(&self, comm: &dyn Communicator, whole: &[V]) -> Vec<V> {
        let cells: usize = self.division.shape.iter().product();
        let each = whole.len() / cells;
        let parts: Vec<Vec<V>> = (0..comm.size())
            .map(|rank| {
                let mut part = Vec::new();
                if each > 0 {
                    self.for_rows_of(rank, |_, to| {
                        part.extend_from_slice(&whole[to.start * each..to.end * each]);
                    });
                }
                part
            })
            .collect();
        scatter_slices(comm, 0, &parts)
    }
}

/// Of the largest value and its cell on each rank, the largest; the first cell where several have it.
/// Collective.
pub(super) fn largest_of_all(comm: &dyn Communicator, own: (f64, usize)) -> (f64, usize) {
    let mut most = [own.0];
    comm.max_f64(&mut most);
    let mut place = [if own.0 == most[0] {
        own.1 as f64
    } else {
        f64::INFINITY
    }];
    comm.min_f64(&mut place);
    (most[0], place[0] as usize)
}
