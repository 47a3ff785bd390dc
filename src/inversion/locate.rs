//! Points inside tetrahedra: which one, and with what barycentric shares.

use super::observations::Sampling;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, cross, dot, norm, sub};

/// A share may fall short of zero by this much (a point on a face, up to rounding); shares below
/// it count as zero.
const TOLERANCE: f64 = 1e-9;

/// Rows that interpolate φ linearly at `points` (mm), each in the lowest tetrahedron holding it.
///
/// The points, not the tetrahedra, are sorted into a grid: the cost is one pass over the mesh and
/// the memory that of the points.
///
/// # Errors
/// `BadData` for a point that is not finite or lies in no tetrahedron, with its distance to the
/// nearest vertex.
pub fn sample_points(mesh: &TetMesh, points: &[Vec3]) -> Result<Sampling> {
    let grid = PointGrid::new(points)?;
    let mut found: Vec<Option<(usize, [f64; 4])>> = vec![None; points.len()];
    for t in 0..mesh.tetrahedron_count() {
        let corners = mesh.corners(t);
        grid.for_each_near(&corners, |p| {
            if found[p].is_none()
                && let Some(shares) = barycentric(&corners, points[p])
            {
                found[p] = Some((t, shares));
            }
        });
    }
    let mut sampling = Sampling::default();
    for (p, place) in found.into_iter().enumerate() {
        let Some((t, shares)) = place else {
            return Err(outside(mesh, points, p));
        };
        let row = mesh.tetrahedra[t].into_iter().zip(shares);
        sampling.push(row.filter(|(_, share)| *share > 0.0));
    }
    Ok(sampling)
}

/// Barycentric coordinates of `point`, non-negative with sum 1; `None` outside.
fn barycentric(corners: &[Vec3; 4], point: Vec3) -> Option<[f64; 4]> {
    let [a, b, c, d] = *corners;
    let (ab, ac, ad, ap) = (sub(b, a), sub(c, a), sub(d, a), sub(point, a));
    let volume = dot(cross(ab, ac), ad);
    let mut shares = [
        0.0,
        dot(cross(ap, ac), ad) / volume,
        dot(cross(ab, ap), ad) / volume,
        dot(cross(ab, ac), ap) / volume,
    ];
    shares[0] = 1.0 - shares[1] - shares[2] - shares[3];
    if !shares.iter().all(|s| *s >= -TOLERANCE) {
        return None;
    }
    let clean = shares.map(|s| if s < TOLERANCE { 0.0 } else { s });
    let sum: f64 = clean.iter().sum();
    Some(clean.map(|s| s / sum))
}

fn outside(mesh: &TetMesh, points: &[Vec3], p: usize) -> Error {
    let nearest = mesh
        .points
        .iter()
        .map(|x| norm(sub(*x, points[p])))
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let problem = match nearest {
        Some((v, distance)) => format!(
            "{:?} mm lies in no tetrahedron; the nearest vertex, {v}, is {distance:.6} mm away",
            points[p]
        ),
        None => "the mesh has no vertex".to_owned(),
    };
    Error::bad_data(
        format!("point {p}"),
        problem,
        "move it into the mesh, and check the unit (that of [mesh])",
    )
}

/// Points sorted into the cells of a regular grid.
struct PointGrid {
    low: Vec3,
    /// Cells per mm along each axis.
    density: Vec3,
    shape: [usize; 3],
    /// First entry in `points` of each cell.
    offsets: Vec<usize>,
    points: Vec<usize>,
}

impl PointGrid {
    fn new(points: &[Vec3]) -> Result<Self> {
        if let Some(p) = points.iter().position(|x| !x.iter().all(|c| c.is_finite())) {
            return Err(Error::bad_data(
                format!("point {p}"),
                format!("coordinates {:?}", points[p]),
                "coordinates must be finite",
            ));
        }
        let extreme = |pick: fn(f64, f64) -> f64, start: f64| {
            points.iter().fold([start; 3], |acc: Vec3, x| {
                std::array::from_fn(|i| pick(acc[i], x[i]))
            })
        };
        let (low, high) = (
            extreme(f64::min, f64::INFINITY),
            extreme(f64::max, f64::NEG_INFINITY),
        );
        let per_axis = ((points.len() as f64).cbrt().ceil() as usize).clamp(1, 256);
        let shape = [per_axis; 3];
        let density = std::array::from_fn(|i| {
            let extent = high[i] - low[i];
            if extent > 0.0 {
                per_axis as f64 / extent
            } else {
                0.0
            }
        });
        let mut grid = Self {
            low,
            density,
            shape,
            offsets: vec![0; per_axis.pow(3) + 1],
            points: Vec::new(),
        };
        let cells: Vec<usize> = points.iter().map(|x| grid.index(grid.cell(*x))).collect();
        for &cell in &cells {
            grid.offsets[cell + 1] += 1;
        }
        for i in 1..grid.offsets.len() {
            grid.offsets[i] += grid.offsets[i - 1];
        }
        grid.points = (0..points.len()).collect();
        grid.points.sort_by_key(|&p| cells[p]);
        Ok(grid)
    }

    /// Cell of a position, clamped into the grid: monotone along each axis, so that the cells of
    /// a box's corners enclose those of all points in it.
    fn cell(&self, x: Vec3) -> [usize; 3] {
        std::array::from_fn(|i| {
            // A cast saturates: below the grid is cell 0.
            let c = ((x[i] - self.low[i]) * self.density[i]) as usize;
            c.min(self.shape[i] - 1)
        })
    }

    fn index(&self, cell: [usize; 3]) -> usize {
        (cell[2] * self.shape[1] + cell[1]) * self.shape[0] + cell[0]
    }

    /// Calls `visit` for the points in the cells that the corners' bounding box touches.
    fn for_each_near(&self, corners: &[Vec3; 4], mut visit: impl FnMut(usize)) {
        let bound = |pick: fn(f64, f64) -> f64| -> Vec3 {
            std::array::from_fn(|i| {
                corners[1..]
                    .iter()
                    .fold(corners[0][i], |m, c| pick(m, c[i]))
            })
        };
        let margin = 1e-6 * norm(sub(bound(f64::max), bound(f64::min)));
        let (low, high) = (
            self.cell(bound(f64::min).map(|x| x - margin)),
            self.cell(bound(f64::max).map(|x| x + margin)),
        );
        for z in low[2]..=high[2] {
            for y in low[1]..=high[1] {
                let row = self.index([low[0], y, z]);
                let range = self.offsets[row]..self.offsets[row + high[0] - low[0] + 1];
                self.points[range].iter().for_each(|&p| visit(p));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::kuhn;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// n³ cells of side 0.5 mm from −1 mm on.
    fn cube(n: usize) -> TetMesh {
        let mut mesh = kuhn([0.5 * n as f64; 3], [n; 3]);
        mesh.points = mesh.points.iter().map(|x| x.map(|c| c - 1.0)).collect();
        mesh
    }

    #[test]
    fn linear_functions_are_interpolated_exactly() {
        let mesh = cube(5);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut points: Vec<Vec3> = (0..2000)
            .map(|_| std::array::from_fn(|_| rng.random_range(-1.0..1.5)))
            .collect();
        // Corners, vertices, points on faces and edges.
        points.extend([
            [-1.0; 3],
            [1.5; 3],
            [0.0; 3],
            [0.25, 0.0, 0.5],
            [0.1, 0.1, 0.1],
        ]);
        let linear = |x: &Vec3| 3.0 - 2.0 * x[0] + 0.5 * x[1] + 7.0 * x[2];
        let phi: Vec<f64> = mesh.points.iter().map(linear).collect();
        let sampling = sample_points(&mesh, &points).unwrap();
        let sampled = sampling.apply(&phi).unwrap();
        for (p, x) in points.iter().enumerate() {
            assert!((sampled[p] - linear(x)).abs() < 1e-12);
            assert!(sampling.row(p).1.iter().all(|s| *s > 0.0));
        }
        // A vertex is one vertex.
        assert_eq!(sampling.row(2002).1, [1.0]);
    }

    #[test]
    fn points_outside_are_named_with_their_distance() {
        let mesh = cube(2);
        let error = sample_points(&mesh, &[[-0.5; 3], [0.0, 0.0, 3.0]]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("point 1") && text.contains("3.000000 mm away"),
            "{text}"
        );
        for bad in [f64::NAN, f64::INFINITY] {
            let text = sample_points(&mesh, &[[0.0, bad, 0.0]])
                .unwrap_err()
                .to_string();
            assert!(
                text.contains("point 0") && text.contains("finite"),
                "{text}"
            );
        }
        assert!(sample_points(&mesh, &[]).unwrap().is_empty());
        assert!(sample_points(&TetMesh::default(), &[[0.0; 3]]).is_err());
    }
}
