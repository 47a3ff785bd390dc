//! Activation times of cells at any points, for the inversion on a tetrahedral mesh.
//!
//! Between eight cells that all have a time: trilinear interpolation. At the edge of the tissue,
//! where some of the eight have none: the affine function that fits the cells of the 4 × 4 × 4
//! around the point best (least squares, near cells weigh more), since a mesh's surface lies half a
//! cell beyond the last centres. Affine times are reproduced exactly in both cases; the error of
//! smooth ones is O(Δ²).

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::grid::Grid;
use crate::tensor::Vec3;

/// The affine fit may leave the range of its times by this share of it.
const OVERSHOOT: f64 = 0.5;

/// Weighted variance of places (cells²) below which they do not determine a slope.
const LEAST_VARIANCE: f64 = 0.02;

/// Times at `points` (x, y, z, mm) from `times` of the grid's cells (NaN or infinite: none there).
///
/// `active` are the cells that take part, all where it is `None`. +∞ where the nearest of them has
/// no time (the wave did not come there), none is among the 4 × 4 × 4 around the point, or the time
/// would be later than `end`, until when the cells were computed: beyond a front that is on its way,
/// the affine function is no measurement.
pub fn sample(
    grid: &Grid,
    active: Option<&[bool]>,
    times: &[f64],
    points: &[Vec3],
    end: f64,
) -> Vec<f64> {
    let time = |cell: usize| {
        let takes_part = active.is_none_or(|a| a[cell]);
        takes_part.then_some(times[cell])
    };
    (points.par_iter())
        .map(|p| at(grid, &time, *p).filter(|t| *t <= end))
        .map(|time| time.unwrap_or(f64::INFINITY))
        .collect()
}

/// Number of `points` that lie farther than a cell from the grid, along the axes that it has. (The
/// surface of a mesh lies up to half a cell beyond its voxels.)
pub fn outside(grid: &Grid, points: &[Vec3]) -> usize {
    let beyond = |p: &&Vec3| {
        (0..grid.dimensions).any(|x| {
            let cells = grid.shape[2 - x] as f64;
            let place = (p[x] - grid.origin[x]) / grid.spacing[2 - x];
            !(-1.0..=cells + 1.0).contains(&place)
        })
    };
    points.iter().filter(beyond).count()
}

/// A time, not finite where there is none, and how far it is from the point along z, y, x, in
/// cells.
struct Neighbour {
    time: f64,
    away: [f64; 3],
}

fn at(grid: &Grid, time: &dyn Fn(usize) -> Option<f64>, point: Vec3) -> Option<f64> {
    // In cells, from the centre of the first: z, y, x.
    let place: [f64; 3] = std::array::from_fn(|axis| {
        (point[2 - axis] - grid.origin[2 - axis]) / grid.spacing[axis] - 0.5
    });
    if !place.iter().all(|p| p.is_finite()) {
        return None;
    }
    let eight = neighbours(grid, time, place, 1);
    let corners: usize = (0..3)
        .map(|a| if grid.shape[a] > 1 { 2 } else { 1 })
        .product();
    if eight.len() == corners && eight.iter().all(|n| n.time.is_finite()) {
        let share = |n: &Neighbour| -> f64 {
            (0..3)
                .filter(|a| grid.shape[*a] > 1)
                .map(|a| 1.0 - n.away[a].abs())
                .product()
        };
        return Some(eight.iter().map(|n| share(n) * n.time).sum());
    }
    let mut around = neighbours(grid, time, place, 2);
    let distance = |n: &&Neighbour| n.away.iter().map(|a| a * a).sum::<f64>();
    let nearest = (around.iter()).min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    if !nearest.time.is_finite() {
        return None;
    }
    around.retain(|n| n.time.is_finite());
    affine(&around)
}

/// Cells that take part among the 2·`reach` along each axis that the grid has.
fn neighbours(
    grid: &Grid,
    time: &dyn Fn(usize) -> Option<f64>,
    place: [f64; 3],
    reach: i64,
) -> Vec<Neighbour> {
    let candidates = |axis: usize| {
        let cells = grid.shape[axis] as i64;
        // A point on the last centre has no cell above; one cell below does as well.
        let base = place[axis].floor().clamp(-3.0, cells as f64 + 3.0) as i64;
        let base = match place[axis] == base as f64 && base == cells - 1 && cells > 1 {
            true => base - 1,
            false => base,
        };
        let thin = cells == 1;
        let range = if thin {
            0..=0
        } else {
            base + 1 - reach..=base + reach
        };
        let periodic = grid.periodic[axis] && !thin;
        range.filter_map(move |i| {
            let inside = if periodic { i.rem_euclid(cells) } else { i };
            let away = if thin { 0.0 } else { i as f64 - place[axis] };
            (0..cells)
                .contains(&inside)
                .then_some((inside as usize, away))
        })
    };
    let mut found = Vec::new();
    for (z, dz) in candidates(0) {
        for (y, dy) in candidates(1) {
            for (x, dx) in candidates(2) {
                if let Some(time) = time(grid.cell([z, y, x])) {
                    let away = [dz, dy, dx];
                    found.push(Neighbour { time, away });
                }
            }
        }
    }
    found
}

/// Value at the point of the affine function a + b·(r − r̄) nearest to the times:
/// min Σ w (a + b·(r − r̄) − t)², w = 1/(1 + |r|²)², r̄ the weighted mean place.
///
/// Where the cells lie in a plane, on a line or in a point, b has no part across.
fn affine(cells: &[Neighbour]) -> Option<f64> {
    // Small numbers lose fewer digits.
    let offset = cells.first()?.time;
    let (mut sum, mut place, mut mean) = (0.0, Vector3::zeros(), 0.0);
    let weighted = || {
        cells.iter().map(|n| {
            let r = Vector3::from(n.away);
            ((1.0 + r.norm_squared()).powi(-2), r, n.time - offset)
        })
    };
    for (w, r, t) in weighted() {
        sum += w;
        place += w * r;
        mean += w * t;
    }
    (place, mean) = (place / sum, mean / sum);
    let (mut variance, mut covariance) = (Matrix3::zeros(), Vector3::zeros());
    for (w, r, t) in weighted() {
        let r = r - place;
        variance += w / sum * r * r.transpose();
        covariance += w / sum * (t - mean) * r;
    }
    let eigen = variance.symmetric_eigen();
    let mut value = mean;
    for (lambda, direction) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        if *lambda > LEAST_VARIANCE {
            value -= direction.dot(&covariance) / lambda * direction.dot(&place);
        }
    }
    let times = || cells.iter().map(|n| n.time - offset);
    let low = times().fold(f64::INFINITY, f64::min);
    let high = times().fold(f64::NEG_INFINITY, f64::max);
    // Times jump where conduction is blocked; nothing sensible lies far beyond them.
    let margin = OVERSHOOT * (high - low);
    Some(offset + value.clamp(low - margin, high + margin))
}

#[cfg(test)]
mod tests;
