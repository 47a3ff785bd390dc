//! Pseudo-ECG: the potential that a tissue in an unbounded conductor shows at an electrode.

use std::ops::Range;

use super::grid::Grid;
use crate::exact_sum::ReproducibleSums;
use crate::tensor::{Vec3, dot, norm, sub};

/// φ(x_e) = Σ over active cells of (D∇u)·(x − x_e)/r³ ΔV, r = |x − x_e|; mm²/ms (u has no unit).
///
/// (x − x_e)/r³ is the gradient of 1/r with respect to x_e, so that a front coming nearer gives a
/// positive deflection. The constant 1/(4πσ) of the conductor and the factor between D and the
/// conductivity are left out. 2D grids and cables count with ΔV of their one layer.
/// ∇u has, per axis, the mean of the differences to the two neighbours; the difference to a
/// neighbour that is inactive or beyond a no-flux edge is 0, as in the conservative stencil.
/// A cell nearer to the electrode than half the smallest spacing contributes nothing: by symmetry
/// its integral vanishes to leading order.
/// Source: Gima & Rudy, Circ. Res. 90 (2002) 889; Plonsey & Barr, Bioelectricity, ch. 9.
#[derive(Debug, Clone)]
pub struct PseudoEcg<'a> {
    grid: &'a Grid,
    electrodes: &'a [Vec3],
    nearest: f64,
}

impl<'a> PseudoEcg<'a> {
    /// Electrodes at x, y, z, mm.
    pub fn new(grid: &'a Grid, electrodes: &'a [Vec3]) -> Self {
        let nearest = 0.5 * grid.spacing.iter().copied().fold(f64::INFINITY, f64::min);
        Self {
            grid,
            electrodes,
            nearest,
        }
    }

    /// Bound, per electrode, of the modulus of every cell's contribution while |u| ≤ `largest_u`;
    /// `largest_d`: of all ranks, the largest trace of D.
    ///
    /// |D∇u| ≤ tr D |∇u| for a positive definite D, and no cell counts nearer than `nearest`.
    pub fn bounds(&self, largest_u: f64, largest_d: f64) -> Vec<f64> {
        let slope = norm(self.grid.spacing.map(|h| 2.0 * largest_u / h));
        let volume: f64 = self.grid.spacing.iter().product();
        // Twice: |D g| and the kernel are rounded.
        let bound = 2.0 * largest_d * slope * volume / (self.nearest * self.nearest);
        vec![bound; self.electrodes.len()]
    }

    /// Empty sums, the same on all tiles and ranks; `cells` is the grid's number of active cells.
    /// Tiles add their rows to sums of their own; [`ReproducibleSums::merge`] and
    /// `comm::reproducible::sum_over_ranks` bring them together, in any order with the same bits.
    pub fn sums(&self, largest_u: f64, largest_d: f64, cells: u64) -> ReproducibleSums {
        ReproducibleSums::new(&self.bounds(largest_u, largest_d), cells)
    }

    /// Adds the cells `columns` of the row z, y.
    ///
    /// `u([z, y, x])` is `None` at inactive cells; the row and its neighbours along every axis are
    /// asked for. `d` is D, xx xy xz yy yz zz in mm²/ms.
    pub fn add_row(
        &self,
        sums: &mut ReproducibleSums,
        [z, y]: [usize; 2],
        columns: Range<usize>,
        u: impl Fn([usize; 3]) -> Option<f64>,
        d: impl Fn([usize; 3]) -> [f64; 6],
    ) {
        let volume: f64 = self.grid.spacing.iter().product();
        let mut terms = vec![0.0; self.electrodes.len()];
        for x in columns {
            let place = [z, y, x];
            let Some(here) = u(place) else { continue };
            let [gx, gy, gz] = self.gradient(place, here, &u);
            let [xx, xy, xz, yy, yz, zz] = d(place);
            let flux = [
                xx * gx + xy * gy + xz * gz,
                xy * gx + yy * gy + yz * gz,
                xz * gx + yz * gy + zz * gz,
            ];
            let centre = self.grid.centre(place);
            for (term, &electrode) in terms.iter_mut().zip(self.electrodes) {
                let away = sub(centre, electrode);
                let r = norm(away);
                *term = if r < self.nearest {
                    0.0
                } else {
                    dot(flux, away) / (r * r * r) * volume
                };
            }
            sums.add(&terms);
        }
    }

    /// ∇u, x y z, 1/mm.
    fn gradient(
        &self,
        place: [usize; 3],
        here: f64,
        u: &impl Fn([usize; 3]) -> Option<f64>,
    ) -> Vec3 {
        let mut gradient = [0.0; 3];
        for axis in 0..3 {
            let difference = |neighbour: Option<[usize; 3]>| {
                neighbour.and_then(u).map_or(0.0, |there| there - here)
            };
            let ahead = difference(self.neighbour(place, axis, true));
            let behind = difference(self.neighbour(place, axis, false));
            gradient[2 - axis] = 0.5 * (ahead - behind) / self.grid.spacing[axis];
        }
        gradient
    }

    fn neighbour(&self, mut place: [usize; 3], axis: usize, ahead: bool) -> Option<[usize; 3]> {
        let n = self.grid.shape[axis];
        let at_edge = place[axis] == if ahead { n - 1 } else { 0 };
        if at_edge && (!self.grid.periodic[axis] || n == 1) {
            return None;
        }
        place[axis] = (place[axis] + if ahead { 1 } else { n - 1 }) % n;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    const UNIT: [f64; 6] = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];

    fn block(shape: [usize; 3], spacing: f64) -> Grid {
        Grid {
            shape,
            spacing: [spacing; 3],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions: 3,
        }
    }

    fn potential(
        grid: &Grid,
        electrodes: &[Vec3],
        d: [f64; 6],
        u: impl Fn(Vec3) -> Option<f64>,
    ) -> Vec<f64> {
        let ecg = PseudoEcg::new(grid, electrodes);
        let [nz, ny, nx] = grid.shape;
        let trace = d[0] + d[3] + d[5];
        let mut total = ecg.sums(10.0, trace, grid.cells() as u64);
        for z in (0..nz).rev() {
            let mut part = total.clone();
            part.partials_mut().fill(0.0);
            for y in 0..ny {
                for columns in [nx / 3..nx, 0..nx / 3] {
                    ecg.add_row(&mut part, [z, y], columns, |p| u(grid.centre(p)), |_| d);
                }
            }
            total.merge(&part);
        }
        total.totals()
    }

    /// A planar front in a bar 20 × 2 × 2 mm: −∫ u'(x) Ω'(x) dx with the closed form of the
    /// integral over the cross-section, the solid angle of a rectangle seen from its axis.
    #[test]
    fn planar_front_against_quadrature() {
        let grid = block([20, 20, 200], 0.1);
        let front = |x: f64| 0.5 * (1.0 - ((x - 8.0) / 0.6).tanh());
        let electrode = [25.0, 1.0, 1.0];
        // ∫∫ h/(h²+y²+z²)^{3/2} dy dz over |y|, |z| ≤ 1: the solid angle 4 asin(1/(1+h²)).
        let solid_angle = |h: f64| 4.0 * (1.0 / (1.0 + h * h)).asin();
        let n = 200_000;
        let step = 20.0 / n as f64;
        let exact: f64 = (0..n)
            .map(|i| {
                let x = (i as f64 + 0.5) * step;
                let slope = -0.5 / 0.6 / ((x - 8.0) / 0.6).cosh().powi(2);
                -slope * solid_angle(electrode[0] - x) * step
            })
            .sum();
        let [found] = potential(&grid, &[electrode], UNIT, |[x, _, _]| Some(front(x)))[..] else {
            panic!("one electrode");
        };
        assert!(exact > 0.0, "a front that comes nearer deflects upwards");
        assert!((found / exact - 1.0).abs() < 1e-3, "{found} {exact}");
    }

    /// A uniform gradient in a ball acts as a dipole in its centre: φ = V (D g)·(x_c − x_e)/r³.
    #[test]
    fn uniform_gradient_in_a_ball_is_a_dipole_and_decays() {
        let grid = block([40; 3], 0.1);
        let d = [1.0, 0.2, 0.0, 0.5, 0.1, 0.3];
        let g = [0.3, -0.7, 0.4];
        let flux = [0.16, -0.25, 0.05];
        let ball = |p: Vec3| (norm(sub(p, [2.0; 3])) < 1.5).then(|| dot(g, p));
        let electrodes = [[12.0, 3.0, 1.0], [102.0, 12.0, -8.0]];
        let found = potential(&grid, &electrodes, d, ball);
        let volume = 4.0 / 3.0 * PI * 1.5_f64.powi(3);
        for (e, value) in electrodes.iter().zip(&found) {
            let away = sub([2.0; 3], *e);
            let exact = volume * dot(flux, away) / norm(away).powi(3);
            // The outermost cells lack part of their gradient: about Δx times the surface.
            assert!((value / exact - 1.0).abs() < 0.15, "{value} {exact}");
        }
        // Ten times as far, a hundredth.
        assert!(
            (found[0] / found[1] / 100.0 - 1.0).abs() < 0.05,
            "{found:?}"
        );
    }

    #[test]
    fn same_bits_for_any_order_and_no_blow_up_at_an_electrode_inside() {
        let grid = block([6, 7, 8], 0.3);
        let electrodes = [grid.centre([3, 3, 3]), [5.0, -2.0, 1.0]];
        let u =
            |p: [usize; 3]| (p != [2, 3, 4]).then(|| (p[0] * 5 + p[1] * 3 + p[2]) as f64 * 0.01);
        let ecg = PseudoEcg::new(&grid, &electrodes);
        let sum = |rows: Vec<[usize; 2]>, cut: usize| {
            let mut sums = ecg.sums(2.0, 3.0, grid.cells() as u64);
            for row in rows {
                ecg.add_row(&mut sums, row, cut..8, u, |_| UNIT);
                ecg.add_row(&mut sums, row, 0..cut, u, |_| UNIT);
            }
            sums.totals()
        };
        let rows: Vec<[usize; 2]> = (0..42).map(|i| [i / 7, i % 7]).collect();
        let forward = sum(rows.clone(), 0);
        let backward = sum(rows.into_iter().rev().collect(), 3);
        assert_eq!(forward, backward);
        assert!(forward.iter().all(|x| x.is_finite() && *x != 0.0));
    }

    #[test]
    fn periodic_neighbours_and_constant_u() {
        let mut grid = block([1, 1, 50], 0.2);
        assert_eq!(
            potential(&grid, &[[3.0, 4.0, 0.0]], UNIT, |_| Some(0.7)),
            [0.0]
        );
        grid.periodic[2] = true;
        let ecg = PseudoEcg::new(&grid, &[]);
        let k = std::f64::consts::TAU / 10.0;
        let u = |p: [usize; 3]| Some((k * grid.centre(p)[0]).sin());
        let [x, y, z] = ecg.gradient([0, 0, 0], u([0, 0, 0]).unwrap_or(0.0), &u);
        assert!((x - k * (0.1 * k).cos()).abs() < 2e-3 && y == 0.0 && z == 0.0);
    }
}
