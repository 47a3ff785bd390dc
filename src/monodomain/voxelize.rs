//! Tetrahedral meshes on Cartesian grids: a cell is tissue where its centre lies in a tetrahedron.
//!
//! With the barycentric shares λ_i(p), p lies in a tetrahedron where λ_i(p) ≥ 0, i = 1…4. Along a
//! row of cells each share is linear in x: four inequalities leave one interval of cells.
//!
//! Shares may fall short of zero by [`TOLERANCE`], far more than rounding and far less than a cell:
//! no centre falls between tetrahedra that share a face, an edge or a vertex. Of several that hold
//! a centre the lowest number wins. Layers of cells are independent, so threads change nothing.

use rayon::prelude::*;

use super::grid::Grid;
use super::options::Spacing;
use super::voxels::Voxels;
use crate::error::{Error, Result};
use crate::memory;
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, cross, dot, scale, sub};

/// Shares of a point on a face may fall short of zero by this much.
const TOLERANCE: f64 = 1e-9;

/// Cells by which a length may exceed a whole number of them and still count as that number.
const SLACK: f64 = 1e-6;

/// Bytes of a cell in the tissue, with all that it takes from the mesh and while it is collected.
const CELL_BYTES: f64 = 160.0;

const NO_TETRAHEDRON: u32 = u32::MAX;

/// Spacing along z, y, x, mm, of a grid around a mesh.
///
/// # Errors
/// [`Error::BadData`] unless it is one positive number, or three.
pub fn three_spacings(spacing: &Spacing) -> Result<[f64; 3]> {
    let bad = |problem: String| {
        let remedy = "give one positive number in mm, or three: z, y, x";
        Err(Error::bad_data("spacing", problem, remedy))
    };
    let spacing = match spacing {
        Spacing::Same(h) => [*h; 3],
        Spacing::PerAxis(list) => match list[..] {
            [z, y, x] => [z, y, x],
            _ => return bad(format!("has {} numbers for three axes", list.len())),
        },
    };
    match spacing.iter().find(|h| !(h.is_finite() && **h > 0.0)) {
        Some(h) => bad(format!("{h} mm is not positive")),
        None => Ok(spacing),
    }
}

/// The box of cells around `mesh`, from its low corner; spacing along z, y, x, mm.
///
/// # Errors
/// [`Error::BadData`] for a spacing that is not positive, or larger than the mesh.
pub fn grid_around(mesh: &TetMesh, spacing: [f64; 3]) -> Result<Grid> {
    let [dz, dy, dx] = three_spacings(&Spacing::PerAxis(spacing.to_vec()))?;
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    // Points that no tetrahedron has do not count.
    for &v in mesh.tetrahedra.as_flattened() {
        for (i, &x) in mesh.points[v as usize].iter().enumerate() {
            low[i] = x.min(low[i]);
            high[i] = x.max(high[i]);
        }
    }
    let extent = sub(high, low);
    let mut shape = [0; 3];
    for (axis, (length, h)) in extent.into_iter().zip([dx, dy, dz]).enumerate() {
        let cells = length / h;
        if cells.is_nan() || cells < 1.0 - SLACK {
            return Err(Error::bad_data(
                "spacing",
                format!(
                    "{h} mm along {} is larger than the mesh, {length:.4} mm",
                    ["x", "y", "z"][axis]
                ),
                "give a spacing that resolves the mesh, a tenth of its thickness or less",
            ));
        }
        // Beyond 2⁵³ the product below overflows anyway and is refused there.
        shape[2 - axis] = ((cells - SLACK).ceil() as usize).max(1);
    }
    Ok(Grid {
        shape,
        spacing,
        origin: low,
        periodic: [false; 3],
        dimensions: 3,
    })
}

/// The cells of spacing `spacing` (z, y, x, mm) in `mesh`, with the tag, domain, fibre and sheet of
/// the tetrahedron that holds their centre, and γ = 1.
///
/// # Errors
/// [`Error::BadData`] for a spacing that is not positive, larger than the mesh, or so small that
/// the cells do not fit in memory; where no cell has its centre in the mesh.
pub fn voxelize(mesh: &TetMesh, spacing: [f64; 3]) -> Result<Voxels> {
    let grid = grid_around(mesh, spacing)?;
    let cell_volume: f64 = spacing.iter().product();
    let mesh_volume: f64 = (0..mesh.tetrahedron_count())
        .map(|t| mesh.volume(t).abs())
        .sum();
    let in_box = box_cells(&grid);
    let bytes = mesh_volume / cell_volume * CELL_BYTES + in_box;
    refuse_too_many(&grid, in_box, f64::from(u32::MAX), bytes)?;

    let raster = Raster::new(mesh, &grid);
    let [_, ny, nx] = grid.shape;
    let layers: Vec<(Vec<u32>, Vec<u32>)> = (0..grid.shape[0])
        .into_par_iter()
        .map_init(
            || vec![NO_TETRAHEDRON; ny * nx],
            |layer, z| {
                raster.for_each_span(z, |t, y, first, last| {
                    for cell in &mut layer[y * nx + first..=y * nx + last] {
                        *cell = t.min(*cell);
                    }
                });
                let mut found = (Vec::new(), Vec::new());
                for (i, t) in layer.iter_mut().enumerate() {
                    if *t != NO_TETRAHEDRON {
                        // Fits: the cells of the box were counted.
                        found.0.push((z * ny * nx + i) as u32);
                        found.1.push(*t);
                        *t = NO_TETRAHEDRON;
                    }
                }
                found
            },
        )
        .collect();
    let (cells, tetrahedron): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let (cells, tetrahedron) = (cells.concat(), tetrahedron.concat());
    if cells.is_empty() {
        return Err(Error::bad_data(
            "spacing",
            "no cell has its centre in the mesh",
            "give a spacing that resolves the tissue, a fifth of its thickness or less",
        ));
    }
    fn rows<T: Copy>(of: &[T], tetrahedra: &[u32]) -> Vec<T> {
        tetrahedra.iter().map(|&t| of[t as usize]).collect()
    }
    Ok(Voxels {
        tags: rows(&mesh.tags, &tetrahedron),
        domains: match &mesh.domains {
            Some(domains) => rows(domains, &tetrahedron),
            None => vec![0; cells.len()],
        },
        gamma: vec![1.0; cells.len()],
        fibres: mesh.fibres.as_ref().map(|f| rows(f, &tetrahedron)),
        sheets: mesh.sheets.as_ref().map(|s| rows(s, &tetrahedron)),
        grid,
        cells,
        tetrahedron,
        mesh_volume,
    })
}

/// Which cells of a grid are tissue, one bit each, for grids whose cells would not fit in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveMask {
    pub grid: Grid,
    /// Rows of cells along x, each from a word of its own.
    words: Vec<u64>,
    words_per_row: usize,
}

/// As [`voxelize`], only which cells are tissue.
///
/// # Errors
/// As of [`voxelize`].
pub fn active_mask(mesh: &TetMesh, spacing: [f64; 3]) -> Result<ActiveMask> {
    let grid = grid_around(mesh, spacing)?;
    let in_box = box_cells(&grid);
    let words_per_row = grid.shape[2].div_ceil(64);
    let rows = in_box / grid.shape[2] as f64;
    refuse_too_many(&grid, in_box, 1e15, rows * words_per_row as f64 * 8.0)?;
    let raster = Raster::new(mesh, &grid);
    let [nz, ny, _] = grid.shape;
    let mut words = vec![0u64; nz * ny * words_per_row];
    words
        .par_chunks_mut(ny * words_per_row)
        .enumerate()
        .for_each(|(z, layer)| {
            raster.for_each_span(z, |_, y, first, last| {
                set_bits(
                    &mut layer[y * words_per_row..][..words_per_row],
                    first,
                    last,
                );
            });
        });
    Ok(ActiveMask {
        grid,
        words,
        words_per_row,
    })
}

impl ActiveMask {
    /// Whether the cell at z, y, x is tissue.
    pub fn contains(&self, [z, y, x]: [usize; 3]) -> bool {
        let row = (z * self.grid.shape[1] + y) * self.words_per_row;
        self.words[row + x / 64] >> (x % 64) & 1 == 1
    }

    /// Number of cells in the tissue.
    pub fn count(&self) -> u64 {
        (self.words.par_iter())
            .map(|w| u64::from(w.count_ones()))
            .sum()
    }

    /// Cells in the tissue of the box from `low` (z, y, x) on.
    pub fn count_in(&self, low: [usize; 3], size: [usize; 3]) -> u64 {
        let rows = (low[0]..low[0] + size[0])
            .flat_map(|z| (low[1]..low[1] + size[1]).map(move |y| z * self.grid.shape[1] + y));
        rows.map(|row| {
            let row = &self.words[row * self.words_per_row..];
            count_bits(row, low[2], low[2] + size[2])
        })
        .sum()
    }

    /// Cells in the tissue of each tile of `tile` cells (z, y, x; the last of an axis may be
    /// smaller), with the number of tiles along z, y, x; tiles in the order of cells.
    pub fn tile_counts(&self, tile: [usize; 3]) -> ([usize; 3], Vec<u64>) {
        let tile = tile.map(|cells| cells.max(1));
        let [nz, ny, nx] = self.grid.shape;
        let tiles: [usize; 3] = std::array::from_fn(|i| self.grid.shape[i].div_ceil(tile[i]));
        let mut counts = vec![0; tiles.iter().product()];
        counts
            .par_chunks_mut(tiles[1] * tiles[2])
            .enumerate()
            .for_each(|(tz, counts)| {
                for z in tz * tile[0]..((tz + 1) * tile[0]).min(nz) {
                    for y in 0..ny {
                        let row = &self.words[(z * ny + y) * self.words_per_row..];
                        for tx in 0..tiles[2] {
                            let end = ((tx + 1) * tile[2]).min(nx);
                            counts[y / tile[1] * tiles[2] + tx] +=
                                count_bits(row, tx * tile[2], end);
                        }
                    }
                }
            });
        (tiles, counts)
    }
}

/// Bits first to last of word `w`, both bounds counted from the row's first bit.
fn bits_of_word(w: usize, first: usize, last: usize) -> u64 {
    let low = first.max(64 * w) - 64 * w;
    let high = last.min(64 * w + 63) - 64 * w;
    (u64::MAX >> (63 - high)) & (u64::MAX << low)
}

fn set_bits(row: &mut [u64], first: usize, last: usize) {
    for (w, word) in row
        .iter_mut()
        .enumerate()
        .take(last / 64 + 1)
        .skip(first / 64)
    {
        *word |= bits_of_word(w, first, last);
    }
}

fn count_bits(row: &[u64], begin: usize, end: usize) -> u64 {
    let last = end - 1;
    (begin / 64..=last / 64)
        .map(|w| u64::from((row[w] & bits_of_word(w, begin, last)).count_ones()))
        .sum()
}

/// Cells of the box; as a float, since they may be beyond any integer.
fn box_cells(grid: &Grid) -> f64 {
    grid.shape.iter().map(|n| *n as f64).product()
}

/// Refuses grids with more than `most` cells, or that need more memory than there is.
fn refuse_too_many(grid: &Grid, in_box: f64, most: f64, bytes: f64) -> Result<()> {
    let memory = memory::available().unwrap_or(f64::INFINITY);
    let excess = (in_box / most).max(bytes / memory);
    if excess <= 1.0 {
        return Ok(());
    }
    let [nz, ny, nx] = grid.shape;
    let problem = if in_box > most {
        format!("{nz} × {ny} × {nx} cells are too many: {most:.2e} are possible")
    } else {
        format!(
            "{nz} × {ny} × {nx} cells need about {:.1} GB of memory, and {:.1} GB are free",
            bytes / 1e9,
            memory / 1e9
        )
    };
    let finest = grid.spacing.iter().cloned().fold(f64::INFINITY, f64::min);
    // Rounded up to two digits.
    let wanted = finest * excess.cbrt();
    let digit = 10f64.powf(wanted.log10().floor() - 1.0);
    let remedy = format!(
        "give a spacing of {:.2e} mm or more",
        (wanted / digit).ceil() * digit
    );
    Err(Error::bad_data("spacing", problem, remedy))
}

/// Tetrahedra sorted by the layers of cells that they cross.
struct Raster<'a> {
    mesh: &'a TetMesh,
    grid: &'a Grid,
    /// Tetrahedra of layer z: `tetrahedra[offsets[z]..offsets[z + 1]]`, ascending.
    offsets: Vec<usize>,
    tetrahedra: Vec<u32>,
}

impl<'a> Raster<'a> {
    fn new(mesh: &'a TetMesh, grid: &'a Grid) -> Self {
        let layers = |t: usize| {
            let corners = mesh.corners(t);
            centres_between(&corners, 2, grid.origin[2], grid.spacing[0], grid.shape[0])
        };
        let mut offsets = vec![0usize; grid.shape[0] + 1];
        for t in 0..mesh.tetrahedron_count() {
            for z in layers(t) {
                offsets[z + 1] += 1;
            }
        }
        for z in 0..grid.shape[0] {
            offsets[z + 1] += offsets[z];
        }
        let mut next = offsets.clone();
        let mut tetrahedra = vec![0; offsets[grid.shape[0]]];
        for t in 0..mesh.tetrahedron_count() {
            for z in layers(t) {
                tetrahedra[next[z]] = t as u32;
                next[z] += 1;
            }
        }
        Self {
            mesh,
            grid,
            offsets,
            tetrahedra,
        }
    }

    /// Calls `found(tetrahedron, y, first x, last x)` for every row of centres of layer `z` in a
    /// tetrahedron, tetrahedra in ascending order.
    fn for_each_span(&self, z: usize, mut found: impl FnMut(u32, usize, usize, usize)) {
        let grid = self.grid;
        let ([_, ny, nx], [_, dy, dx]) = (grid.shape, grid.spacing);
        for &t in &self.tetrahedra[self.offsets[z]..self.offsets[z + 1]] {
            let corners = self.mesh.corners(t as usize);
            let Some(gradients) = share_gradients(&corners) else {
                continue;
            };
            let columns = centres_between(&corners, 0, grid.origin[0], dx, nx);
            let Some(most) = columns.len().checked_sub(1) else {
                continue;
            };
            for y in centres_between(&corners, 1, grid.origin[1], dy, ny) {
                let start = sub(grid.centre([z, y, columns.start]), corners[0]);
                let (mut first, mut last) = (0.0f64, most as f64);
                for (i, gradient) in gradients.iter().enumerate() {
                    let share = if i == 0 { 1.0 } else { 0.0 } + dot(*gradient, start) + TOLERANCE;
                    let slope = gradient[0] * dx;
                    if slope > 0.0 {
                        first = first.max(-share / slope);
                    } else if slope < 0.0 {
                        last = last.min(-share / slope);
                    } else if share < 0.0 {
                        last = -1.0;
                    }
                }
                let (first, last) = (first.ceil(), last.floor());
                if first <= last {
                    let at = |k: f64| columns.start + k as usize;
                    found(t, y, at(first), at(last));
                }
            }
        }
    }
}

/// Numbers of the cells along an axis whose centre may lie between the corners.
fn centres_between(
    corners: &[Vec3; 4],
    axis: usize,
    origin: f64,
    h: f64,
    cells: usize,
) -> std::ops::Range<usize> {
    let along = corners.map(|c| (c[axis] - origin) / h - 0.5);
    let low = along.into_iter().fold(f64::INFINITY, f64::min) - SLACK;
    let high = along.into_iter().fold(f64::NEG_INFINITY, f64::max) + SLACK;
    let begin = low.ceil().max(0.0) as usize;
    let end = ((high.floor() + 1.0).max(0.0) as usize).min(cells);
    begin.min(end)..end
}

/// ∇λ_i of the shares λ = (1, 0, 0, 0) + ∇λ·(p − a); `None` for a tetrahedron without volume.
fn share_gradients(&[a, b, c, d]: &[Vec3; 4]) -> Option<[Vec3; 4]> {
    let (ab, ac, ad) = (sub(b, a), sub(c, a), sub(d, a));
    let inverse = 1.0 / dot(cross(ab, ac), ad);
    if !inverse.is_finite() {
        return None;
    }
    let of_b = scale(inverse, cross(ac, ad));
    let of_c = scale(inverse, cross(ad, ab));
    let of_d = scale(inverse, cross(ab, ac));
    let of_a = std::array::from_fn(|i| -of_b[i] - of_c[i] - of_d[i]);
    Some([of_a, of_b, of_c, of_d])
}

#[cfg(test)]
mod tests;
