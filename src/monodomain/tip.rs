//! Tips of spiral waves: where the isolines of two fields cross.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grid::Grid;

/// Crossing of f = 0 and g = 0 in a square, both bilinear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zero {
    /// Place in the square, 0 to 1 along each side.
    pub place: [f64; 2],
    /// Topological charge, the sign of ∇f × ∇g: +1 or −1.
    pub charge: i8,
}

/// The crossing in the unit square, from the values (f, g) at its corners (0,0), (1,0), (0,1), (1,1).
///
/// There is one if (f, g) winds about the origin along the edges. Edges contribute from their two
/// corners alone, so neighbouring squares agree on every edge: a crossing on a common edge is found
/// exactly once, and over a closed surface the charges add up to 0. Two crossings of opposite sign
/// in one square are below the resolution and not seen. `None` too where a value is not finite.
pub fn zero_in_square(corners: [[f64; 2]; 4]) -> Option<Zero> {
    let [a, b, c, d] = corners;
    for component in 0..2 {
        let values = corners.map(|corner| corner[component]);
        let all = |test: fn(f64) -> bool| values.iter().all(|&x| test(x));
        if !all(f64::is_finite) || all(|x| x > 0.0) || all(|x| x < 0.0) {
            return None;
        }
    }
    let charge = crossing(a, b) + crossing(b, d) - crossing(c, d) - crossing(a, c);
    (charge != 0).then(|| Zero {
        place: bilinear_zero(corners, charge),
        charge,
    })
}

/// How the straight way from p to q passes the ray g = 0, f > 0: +1 counterclockwise, −1, or 0.
fn crossing(p: [f64; 2], q: [f64; 2]) -> i8 {
    let determinant = p[0] * q[1] - q[0] * p[1];
    match (p[1] >= 0.0, q[1] >= 0.0) {
        (false, true) if determinant > 0.0 => 1,
        (true, false) if determinant < 0.0 => -1,
        _ => 0,
    }
}

/// The zero of the bilinear fields nearest to the square among those of this charge.
///
/// With f = f₀(s) + t f₁(s), g alike and f₀, f₁, g₀, g₁ linear in s, t is eliminated by
/// f₀ g₁ − g₀ f₁ = 0, a quadratic equation in s.
fn bilinear_zero([a, b, c, d]: [[f64; 2]; 4], charge: i8) -> [f64; 2] {
    // Coefficients of 1, s, t, s t.
    let term = |i: usize| {
        [
            a[i],
            b[i] - a[i],
            c[i] - a[i],
            (d[i] - c[i]) - (b[i] - a[i]),
        ]
    };
    let (f, g) = (term(0), term(1));
    let second = f[1] * g[3] - g[1] * f[3];
    let first = f[0] * g[3] - g[0] * f[3] + f[1] * g[2] - g[1] * f[2];
    let zeroth = f[0] * g[2] - g[0] * f[2];
    let mut best = ([0.5, 0.5], f64::INFINITY);
    for s in quadratic_roots(second, first, zeroth) {
        let slopes = [f[2] + f[3] * s, g[2] + g[3] * s];
        let t = if slopes[0].abs() >= slopes[1].abs() {
            -(f[0] + f[1] * s) / slopes[0]
        } else {
            -(g[0] + g[1] * s) / slopes[1]
        };
        let along = [f[1] + f[3] * t, g[1] + g[3] * t];
        let cross = along[0] * slopes[1] - along[1] * slopes[0];
        let outside = |x: f64| (x - x.clamp(0.0, 1.0)).abs();
        let wrong_sign = if cross * f64::from(charge) > 0.0 {
            0.0
        } else {
            1.0
        };
        let distance = outside(s).max(outside(t)) + wrong_sign;
        if distance < best.1 {
            best = ([s.clamp(0.0, 1.0), t.clamp(0.0, 1.0)], distance);
        }
    }
    best.0
}

/// Real roots of a x² + b x + c, without cancellation; the vertex where rounding hides a double root.
fn quadratic_roots(a: f64, b: f64, c: f64) -> [f64; 2] {
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    let q = -0.5 * (b + root.copysign(b));
    [q / a, c / q]
}

/// Tip of a spiral wave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tip {
    /// mm.
    pub x: f64,
    /// mm.
    pub y: f64,
    /// Sign of ∇f × ∇g: +1 or −1.
    pub chirality: i8,
}

/// Tips in the squares of four cell centres whose low corner lies in `rows` × `columns` of a 2D grid.
///
/// `at(y, x)` is (u − tip_u, gate − tip_gate), or u − tip_u at two times; `None` for inactive cells,
/// whose squares are skipped. Positions are second order in the spacing. Squares beyond the edge
/// close the grid where it is periodic, and do not exist otherwise. Windows that tile the grid find
/// every tip once.
pub fn find_tips(
    grid: &Grid,
    rows: Range<usize>,
    columns: Range<usize>,
    at: impl Fn(usize, usize) -> Option<[f64; 2]>,
) -> Vec<Tip> {
    let [_, ny, nx] = grid.shape;
    let mut tips = Vec::new();
    for y in rows {
        let Some(up) = next(y, ny, grid.periodic[1]) else {
            continue;
        };
        for x in columns.clone() {
            let Some(right) = next(x, nx, grid.periodic[2]) else {
                continue;
            };
            let corners = || Some([at(y, x)?, at(y, right)?, at(up, x)?, at(up, right)?]);
            let Some(zero) = corners().and_then(zero_in_square) else {
                continue;
            };
            let [px, py, _] = grid.centre([0, y, x]);
            let [dx, dy] = [grid.spacing[2], grid.spacing[1]];
            let wrap =
                |p: f64, low: f64, extent: f64| if p >= low + extent { p - extent } else { p };
            tips.push(Tip {
                x: wrap(px + zero.place[0] * dx, grid.origin[0], nx as f64 * dx),
                y: wrap(py + zero.place[1] * dy, grid.origin[1], ny as f64 * dy),
                chirality: zero.charge,
            });
        }
    }
    tips
}

/// The cell after `i` of `n`.
fn next(i: usize, n: usize, periodic: bool) -> Option<usize> {
    match (i + 1 < n, periodic && n > 1) {
        (true, _) => Some(i + 1),
        (false, true) => Some(0),
        (false, false) => None,
    }
}

/// Gives tips the number of their trajectory. Part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TipTracker {
    /// Farthest that a tip moves between samples, mm.
    reach: f64,
    /// Length of the period along x, y, mm, where there is one.
    period: [Option<f64>; 2],
    next: u64,
    previous: Vec<(u64, Tip)>,
}

impl TipTracker {
    /// Tracker on a 2D grid that takes tips farther apart than `reach` (mm) for different ones.
    pub fn new(grid: &Grid, reach: f64) -> Self {
        let period =
            |axis: usize| grid.periodic[axis].then(|| grid.shape[axis] as f64 * grid.spacing[axis]);
        Self {
            reach,
            period: [period(2), period(1)],
            next: 0,
            previous: vec![],
        }
    }

    /// Number of the trajectory of each tip of the next sample: pairs of the same chirality, the
    /// nearest first; a tip without a predecessor begins a new trajectory.
    pub fn follow(&mut self, tips: &[Tip]) -> Vec<u64> {
        let mut pairs = Vec::new();
        for (i, tip) in tips.iter().enumerate() {
            for (j, (_, before)) in self.previous.iter().enumerate() {
                let distance = self.distance(tip, before);
                if tip.chirality == before.chirality && distance <= self.reach {
                    pairs.push((distance, i, j));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut numbers = vec![None; tips.len()];
        let mut taken = vec![false; self.previous.len()];
        for (_, i, j) in pairs {
            if numbers[i].is_none() && !taken[j] {
                numbers[i] = Some(self.previous[j].0);
                taken[j] = true;
            }
        }
        let mut fresh = || {
            self.next += 1;
            self.next - 1
        };
        let numbers: Vec<u64> = numbers
            .into_iter()
            .map(|n| n.unwrap_or_else(&mut fresh))
            .collect();
        self.previous = numbers.iter().copied().zip(tips.iter().copied()).collect();
        numbers
    }

    fn distance(&self, a: &Tip, b: &Tip) -> f64 {
        let short = |d: f64, period: Option<f64>| match period {
            Some(p) => d - p * (d / p).round(),
            None => d,
        };
        let [px, py] = self.period;
        short(a.x - b.x, px).hypot(short(a.y - b.y, py))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(n: usize, size: f64) -> Grid {
        Grid {
            shape: [1, n, n],
            spacing: [1.0, size / n as f64, size / n as f64],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions: 2,
        }
    }

    /// (cos, sin) of the sum of signed angles about the given points, bent by a smooth phase.
    fn phase(singularities: &[(f64, f64, i8)], x: f64, y: f64) -> [f64; 2] {
        let angle: f64 = singularities
            .iter()
            .map(|&(a, b, sign)| f64::from(sign) * (y - b).atan2(x - a))
            .sum();
        let distance = singularities
            .iter()
            .map(|&(a, b, _)| (x - a).hypot(y - b))
            .fold(1.0, |product, r| product * r.tanh());
        let bent = angle + 0.5 * x + 0.2 * (0.7 * y).sin();
        [distance * bent.cos(), distance * bent.sin()]
    }

    fn all_tips(grid: &Grid, field: impl Fn(f64, f64) -> Option<[f64; 2]>) -> Vec<Tip> {
        let [_, ny, nx] = grid.shape;
        find_tips(grid, 0..ny, 0..nx, |y, x| {
            let [px, py, _] = grid.centre([0, y, x]);
            field(px, py)
        })
    }

    #[test]
    fn known_singularities_with_their_chirality() {
        let grid = square(200, 10.0);
        // The second and third are within two cells of an edge.
        let exact = [
            (3.217, 4.513, 1),
            (0.081, 7.3, -1),
            (9.9, 9.9, 1),
            (6.6, 2.35, -1),
        ];
        let tips = all_tips(&grid, |x, y| Some(phase(&exact, x, y)));
        assert_eq!(tips.len(), 4);
        for (x, y, chirality) in exact {
            let near = |t: &&Tip| (t.x - x).hypot(t.y - y) < 0.01;
            let tip = tips.iter().find(near).expect("a tip at every singularity");
            assert_eq!(tip.chirality, chirality);
        }
    }

    #[test]
    fn none_without_singularity_and_none_at_inactive_cells() {
        let grid = square(50, 10.0);
        assert!(all_tips(&grid, |x, y| Some([(x + y).cos(), (x + y).sin()])).is_empty());
        let one = [(5.03, 5.06, 1)];
        assert_eq!(all_tips(&grid, |x, y| Some(phase(&one, x, y))).len(), 1);
        let holed = |x: f64, y: f64| ((x - 5.0).hypot(y - 5.0) > 0.5).then(|| phase(&one, x, y));
        assert!(all_tips(&grid, holed).is_empty());
        assert!(all_tips(&grid, |_, _| Some([f64::NAN, 0.0])).is_empty());
    }

    #[test]
    fn positions_are_second_order() {
        let exact = (4.871_f64, 5.333_f64);
        let field = |x: f64, y: f64| {
            let (a, b) = (x - exact.0, y - exact.1);
            Some([
                (a + 0.3 * b + 0.4 * a * a).sinh(),
                b - 0.2 * a + 0.3 * b * b + a * b,
            ])
        };
        let error = |n: usize| {
            // Mean over shifts: the error of one grid depends on where in its square the tip is.
            let shifts = 0..16;
            let one = |k: usize| {
                let mut grid = square(n, 10.0);
                grid.origin = [k as f64 * 0.37 / n as f64, k as f64 * 0.61 / n as f64, 0.0];
                let tips = all_tips(&grid, |x, y| {
                    ((x - exact.0).abs() < 0.6 && (y - exact.1).abs() < 0.6).then(|| field(x, y))?
                });
                assert_eq!(tips.len(), 1);
                (tips[0].x - exact.0).hypot(tips[0].y - exact.1)
            };
            shifts.map(one).sum::<f64>() / 16.0
        };
        let order = (error(50) / error(400)).log2() / 3.0;
        assert!((1.7..2.3).contains(&order), "order {order}");
    }

    /// Zeros exactly on lattice points and edges belong to one square, not to several or none.
    #[test]
    fn a_tip_on_an_edge_or_corner_is_found_once() {
        let grid = square(20, 20.0);
        for (x, y) in [(10.5, 10.5), (10.5, 10.2), (10.0, 10.5), (10.0, 10.0)] {
            for sign in [1.0, -1.0] {
                let tips = all_tips(&grid, |a, b| Some([a - x, sign * (b - y)]));
                assert_eq!(tips.len(), 1, "{x} {y} {sign}");
                assert!((tips[0].x - x).abs() < 1e-12 && (tips[0].y - y).abs() < 1e-12);
                assert_eq!(f64::from(tips[0].chirality), sign);
            }
        }
    }

    #[test]
    fn windows_find_what_the_whole_grid_does_and_periodic_edges_close() {
        let mut grid = square(40, 10.0);
        grid.periodic = [false, true, true];
        let k = std::f64::consts::TAU / 10.0;
        // Zeros where x = 2.5 k + 0.04 and y likewise: one lies beyond the last cell centres.
        let field = |y: usize, x: usize| {
            let [px, py, _] = grid.centre([0, y, x]);
            Some([(k * (px - 9.96)).sin(), (k * (py - 9.97)).sin()])
        };
        let whole = find_tips(&grid, 0..40, 0..40, field);
        assert_eq!(whole.len(), 4);
        assert!(whole.iter().any(|t| (t.x - 9.96).hypot(t.y - 9.97) < 0.01));
        assert_eq!(whole.iter().map(|t| i32::from(t.chirality)).sum::<i32>(), 0);
        let mut parts = find_tips(&grid, 0..17, 0..40, field);
        parts.extend(find_tips(&grid, 17..40, 0..40, field));
        assert_eq!(parts, whole);
    }

    #[test]
    fn trajectories_keep_their_number() {
        let mut grid = square(10, 10.0);
        grid.periodic = [false, false, true];
        let mut tracker = TipTracker::new(&grid, 1.0);
        let tip = |x: f64, y: f64, chirality: i8| Tip { x, y, chirality };
        assert_eq!(
            tracker.follow(&[tip(9.8, 2.0, 1), tip(5.0, 5.0, -1)]),
            [0, 1]
        );
        // In another order, the first across the periodic edge, and a new one of other chirality.
        let next = [tip(5.3, 5.1, -1), tip(5.0, 5.0, 1), tip(0.2, 2.1, 1)];
        assert_eq!(tracker.follow(&next), [1, 2, 0]);
        // Too far for the same one.
        assert_eq!(tracker.follow(&[tip(5.0, 8.0, -1)]), [3]);
        assert!(tracker.follow(&[]).is_empty());
    }
}
