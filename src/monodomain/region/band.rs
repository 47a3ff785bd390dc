//! A band of the grid from one of its sides.

use super::ON_BORDER;
use crate::monodomain::grid::Grid;
use crate::monodomain::options::Side;

/// Begin and end of the grid along x, y or z (0, 1, 2), mm.
pub(super) fn span(grid: &Grid, xyz: usize) -> (f64, f64) {
    let axis = 2 - xyz;
    let length = grid.shape[axis] as f64 * grid.spacing[axis];
    (grid.origin[xyz], grid.origin[xyz] + length)
}

/// Band from a side, turned about the grid's centre in the x–y plane.
pub(super) struct Band {
    side: Side,
    /// Centre of the grid, x and y.
    centre: [f64; 2],
    cos: f64,
    sin: f64,
    /// Where the band begins and ends along its axis before it is turned.
    from: f64,
    to: f64,
}

impl Band {
    pub(super) fn new(grid: &Grid, side: Side, coverage: f64, angle: f64) -> Self {
        let xyz = match side {
            Side::West | Side::East => 0,
            Side::North | Side::South => 1,
            Side::Bottom | Side::Top => 2,
        };
        let (begin, end) = span(grid, xyz);
        let width = coverage * (end - begin) + ON_BORDER * grid.spacing[2 - xyz];
        // A turned corner lies beyond the side: the band goes on there.
        let (from, to) = match side {
            Side::West | Side::North | Side::Bottom => (f64::NEG_INFINITY, begin + width),
            Side::East | Side::South | Side::Top => (end - width, f64::INFINITY),
        };
        let middle = |xyz| {
            let (begin, end) = span(grid, xyz);
            0.5 * (begin + end)
        };
        let (sin, cos) = angle.to_radians().sin_cos();
        Self {
            side,
            centre: [middle(0), middle(1)],
            cos,
            sin,
            from,
            to,
        }
    }

    /// Whether the point, turned back, is in the band of the side.
    pub(super) fn holds(&self, [x, y, z]: [f64; 3]) -> bool {
        let [cx, cy] = self.centre;
        let (dx, dy) = (x - cx, y - cy);
        let along = match self.side {
            Side::West | Side::East => cx + self.cos * dx + self.sin * dy,
            Side::North | Side::South => cy - self.sin * dx + self.cos * dy,
            Side::Bottom | Side::Top => z,
        };
        (self.from..=self.to).contains(&along)
    }
}
