//! Filaments of scroll waves: the lines along which two isosurfaces cross.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::tip::zero_in_square;
use crate::tensor::{Vec3, norm, sub};

/// Crossing of a filament with a face of the dual lattice, a square of four cell centres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FacePoint {
    /// Axis of the face's normal: 0 z, 1 y, 2 x.
    pub normal: usize,
    /// z, y, x of the face's low corner.
    pub place: [usize; 3],
    /// x, y, z, mm.
    pub position: Vec3,
    /// +1: the filament, directed along ∇f × ∇g, crosses along +normal; −1: against it.
    pub charge: i8,
}

/// A line of crossings from face to face, in the direction of ∇f × ∇g.
#[derive(Debug, Clone, PartialEq)]
pub struct Filament {
    /// x, y, z, mm.
    pub points: Vec<Vec3>,
    /// Whether the last point joins the first: a scroll ring.
    pub closed: bool,
}

impl Filament {
    /// mm.
    pub fn length(&self) -> f64 {
        let chords: f64 = self.points.windows(2).map(|w| norm(sub(w[1], w[0]))).sum();
        match (self.closed, self.points.first(), self.points.last()) {
            (true, Some(&first), Some(&last)) => chords + norm(sub(first, last)),
            _ => chords,
        }
    }
}

/// Crossings in the faces whose low corner lies in the window `boxed` (z, y, x).
///
/// `at([z, y, x])` is (u − tip_u, gate − tip_gate), or u − tip_u at two times; `None` for inactive
/// cells, whose faces are skipped. Windows that tile the grid find every crossing once. Periodic
/// edges are not closed.
pub fn find_face_points(
    grid: &Grid,
    boxed: [Range<usize>; 3],
    at: impl Fn([usize; 3]) -> Option<[f64; 2]>,
) -> Vec<FacePoint> {
    let [zs, ys, xs] = boxed;
    let mut points = Vec::new();
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                for normal in 0..3 {
                    points.extend(face_point(grid, [z, y, x], normal, &at));
                }
            }
        }
    }
    points
}

fn face_point(
    grid: &Grid,
    place: [usize; 3],
    normal: usize,
    at: &impl Fn([usize; 3]) -> Option<[f64; 2]>,
) -> Option<FacePoint> {
    // Right-handed: x × y = z, z × x = y, y × z = x.
    let (first, second) = [(2, 1), (0, 2), (1, 0)][normal];
    let one = step(place, first);
    let two = step(place, second);
    let both = step(one, second);
    if (0..3).any(|axis| both[axis] >= grid.shape[axis]) {
        return None;
    }
    let zero = zero_in_square([at(place)?, at(one)?, at(two)?, at(both)?])?;
    let mut position = grid.centre(place);
    for (axis, part) in [(first, zero.place[0]), (second, zero.place[1])] {
        position[2 - axis] += part * grid.spacing[axis];
    }
    Some(FacePoint {
        normal,
        place,
        position,
        charge: zero.charge,
    })
}

/// The neighbour one further along an axis.
fn step(mut place: [usize; 3], axis: usize) -> [usize; 3] {
    place[axis] += 1;
    place
}

/// Joins the crossings (of all windows, in any order) through the dual cubes to filaments.
///
/// What enters a cube leaves it: charges over its faces add up to 0 unless an inactive cell touches
/// it. Where several filaments pass one cube, the nearest entry and exit belong together. Open
/// filaments come first, each kind ordered by the place of its first face.
pub fn connect(mut points: Vec<FacePoint>) -> Vec<Filament> {
    points.sort_by_key(|p| (p.place, p.normal));
    let mut cubes: HashMap<[usize; 3], (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (i, point) in points.iter().enumerate() {
        // The face is the low one of the cube at its corner and the high one of the cube before.
        let up = point.charge > 0;
        let (entering, leaving) = cubes.entry(point.place).or_default();
        if up { entering } else { leaving }.push(i);
        if let Some(below) = point.place[point.normal].checked_sub(1) {
            let mut before = point.place;
            before[point.normal] = below;
            let (entering, leaving) = cubes.entry(before).or_default();
            if up { leaving } else { entering }.push(i);
        }
    }
    let mut next = vec![None; points.len()];
    let mut has_previous = vec![false; points.len()];
    for (entering, leaving) in cubes.values() {
        let mut pairs: Vec<_> = entering
            .iter()
            .flat_map(|&i| leaving.iter().map(move |&j| (i, j)))
            .map(|(i, j)| (norm(sub(points[i].position, points[j].position)), i, j))
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for (_, i, j) in pairs {
            // A face leads into one cube and comes from one other: no other cube sets these.
            if next[i].is_none() && !has_previous[j] {
                next[i] = Some(j);
                has_previous[j] = true;
            }
        }
    }
    let mut seen = vec![false; points.len()];
    let mut filaments = Vec::new();
    let open = (0..points.len()).filter(|&i| !has_previous[i]);
    for start in open.chain(0..points.len()) {
        if seen[start] {
            continue;
        }
        let mut line = Vec::new();
        let mut here = Some(start);
        while let Some(i) = here.filter(|&i| !seen[i]) {
            seen[i] = true;
            line.push(points[i].position);
            here = next[i];
        }
        filaments.push(Filament {
            points: line,
            closed: here.is_some(),
        });
    }
    filaments
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn cube(n: usize) -> Grid {
        Grid {
            shape: [n; 3],
            spacing: [10.0 / n as f64; 3],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions: 3,
        }
    }

    fn filaments(grid: &Grid, field: impl Fn(Vec3) -> Option<[f64; 2]>) -> Vec<Filament> {
        let at = |place| field(grid.centre(place));
        let [nz, ny, nx] = grid.shape;
        let mut points = find_face_points(grid, [0..nz / 3, 0..ny, 0..nx], at);
        points.extend(find_face_points(grid, [nz / 3..nz, 0..ny, 0..nx], at));
        points.reverse();
        connect(points)
    }

    /// Distances to the circle: in the plane and above it, zero together on the circle alone.
    fn ring([x, y, z]: Vec3, centre: Vec3, radius: f64) -> [f64; 2] {
        [(x - centre[0]).hypot(y - centre[1]) - radius, z - centre[2]]
    }

    #[test]
    fn straight_scrolls_along_every_direction() {
        let grid = cube(30);
        let last = 10.0 - 10.0 / 30.0;
        for axis in 0..3 {
            let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
            for sign in [1.0, -1.0] {
                let f = filaments(&grid, |p| Some([p[a] - 4.07, sign * (p[b] - 6.11)]));
                assert_eq!(f.len(), 1);
                assert!(!f[0].closed);
                assert!((f[0].length() - last).abs() < 1e-9);
                // In the direction of ∇f × ∇g.
                let way = f[0].points[29][axis] - f[0].points[0][axis];
                assert!(way * sign > 0.0);
                for p in &f[0].points {
                    assert!((p[a] - 4.07).abs() < 1e-9 && (p[b] - 6.11).abs() < 1e-9);
                }
            }
        }
        // Oblique: along (1, 1, 1) through the middle of the cube.
        let f = filaments(&grid, |[x, y, z]| {
            Some([x - y + 0.021, x + y - 2.0 * z + 0.033])
        });
        assert_eq!(f.len(), 1);
        assert!(
            (f[0].length() - 3f64.sqrt() * last).abs() < 0.2,
            "{}",
            f[0].length()
        );
    }

    #[test]
    fn a_ring_is_closed_and_has_its_length() {
        let error = |n: usize| {
            let f = filaments(&cube(n), |p| Some(ring(p, [5.03, 4.98, 5.11], 3.0)));
            assert_eq!(f.len(), 1);
            assert!(f[0].closed);
            (f[0].length() / (TAU * 3.0) - 1.0).abs()
        };
        assert!(error(20) < 0.01);
        assert!(error(60) < 0.001);
    }

    #[test]
    fn two_rings_and_none() {
        let grid = cube(40);
        let (a, b) = ([5.0, 5.0, 2.5], [5.1, 4.9, 7.4]);
        let f = filaments(&grid, |p| {
            // Over the upper ring g falls: were it to rise there as well, it would jump down in
            // between, across zero, and make a third ring.
            Some(if p[2] < 5.0 {
                ring(p, a, 2.0)
            } else {
                let [f, g] = ring(p, b, 3.0);
                [f, -g]
            })
        });
        let mut lengths: Vec<f64> = f.iter().map(Filament::length).collect();
        lengths.sort_by(f64::total_cmp);
        assert_eq!(f.len(), 2);
        assert!(f.iter().all(|f| f.closed));
        assert!((lengths[0] / (TAU * 2.0) - 1.0).abs() < 0.01);
        assert!((lengths[1] / (TAU * 3.0) - 1.0).abs() < 0.01);
        assert!(filaments(&grid, |[x, y, _]| Some([x + y + 1.0, x - y])).is_empty());
    }

    /// Lattice planes, edges and vertices on the filament neither break nor double it.
    #[test]
    fn filaments_through_lattice_points_are_whole() {
        let grid = Grid {
            spacing: [1.0; 3],
            ..cube(10)
        };
        for (a, b) in [(4.5, 4.5), (4.5, 4.2), (4.0, 4.5)] {
            for sign in [1.0, -1.0] {
                let f = filaments(&grid, |p| Some([p[0] - a, sign * (p[1] - b)]));
                assert_eq!(f.len(), 1);
                assert!((f[0].length() - 9.0).abs() < 1e-12);
            }
        }
        let f = filaments(&grid, |[x, y, z]| Some([x - y, y - z]));
        assert_eq!(f.len(), 1);
        let f = filaments(&grid, |p| Some(ring(p, [4.5, 4.5, 4.5], 3.0)));
        assert_eq!(f.len(), 1);
        assert!(f[0].closed);
    }

    #[test]
    fn inactive_cells_cut_a_filament() {
        let grid = cube(30);
        let f = filaments(&grid, |p| {
            ((p[2] - 5.0).abs() > 1.0).then_some([p[0] - 4.07, p[1] - 6.11])
        });
        assert_eq!(f.len(), 2);
        assert!(f.iter().all(|f| !f.closed && f.points.len() == 12));
    }
}
