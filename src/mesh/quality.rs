//! Size and shape of a mesh (`mesh info`).
//!
//! Quality is the mean ratio η = 12 (3 |V|)^(2/3) / Σ l² over the six edges: 1 for the regular
//! tetrahedron, 0 for a flat one. A. Liu, B. Joe, "Relationship between tetrahedron shape
//! measures", BIT 34 (1994) 268–287.

use std::collections::BTreeMap;
use std::fmt;

use super::TetMesh;
use super::adjacency::{Components, EDGES, edges};
use super::surface::{FACES, boundary_faces};
use crate::error::Result;
use crate::tensor::{Vec3, cross, dot, norm, sub};

/// Least, mean and greatest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub min: f64,
    pub mean: f64,
    pub max: f64,
}

impl Range {
    /// All NaN where there are no numbers.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut count) = (0.0, 0.0);
        for x in values {
            (min, max) = (min.min(x), max.max(x));
            (sum, count) = (sum + x, count + 1.0);
        }
        if count == 0.0 {
            (min, max) = (f64::NAN, f64::NAN);
        }
        Self {
            min,
            mean: sum / count,
            max,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [min, mean, max] = [self.min, self.mean, self.max].map(short);
        write!(f, "min {min}  mean {mean}  max {max}")
    }
}

/// Five digits, without an exponent where it reads well.
fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if (1e-3..1e6).contains(&a) => {
            let digits = (4 - a.log10().floor() as i32).max(0) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.4e}"),
    }
}

/// Mean ratio η of a tetrahedron, blind to orientation.
pub fn mean_ratio(corners: &[Vec3; 4]) -> f64 {
    let [a, b, c, d] = *corners;
    let volume = dot(cross(sub(b, a), sub(c, a)), sub(d, a)).abs() / 6.0;
    let squares: f64 = EDGES
        .iter()
        .map(|&[i, j]| sub(corners[i], corners[j]))
        .map(|e| dot(e, e))
        .sum();
    if squares > 0.0 {
        12.0 * (3.0 * volume).cbrt().powi(2) / squares
    } else {
        0.0
    }
}

/// The six dihedral angles, degrees; NaN at faces without area.
pub fn dihedral_angles(corners: &[Vec3; 4]) -> [f64; 6] {
    let normals = FACES.map(|f| {
        let [a, b, c] = f.map(|i| corners[i]);
        cross(sub(b, a), sub(c, a))
    });
    EDGES.map(|[k, l]| {
        let (p, q) = (normals[k], normals[l]);
        (-dot(p, q) / (norm(p) * norm(q)))
            .clamp(-1.0, 1.0)
            .acos()
            .to_degrees()
    })
}

/// What `mesh info` shows; lengths in mm.
#[derive(Debug, Clone)]
pub struct Info {
    pub points: usize,
    pub tetrahedra: usize,
    pub boundary_faces: usize,
    /// Lower and upper corner of the bounding box.
    pub bounds: [Vec3; 2],
    /// Sum of |V|, and |V| of the tetrahedra.
    pub total_volume: f64,
    pub volume: Range,
    /// Lengths of the distinct edges.
    pub edge: Range,
    pub edges: usize,
    pub mean_ratio: Range,
    /// Tetrahedra with η in [0, 0.1), … [0.9, 1].
    pub histogram: [usize; 10],
    /// Least and greatest dihedral angle, degrees.
    pub dihedral: [f64; 2],
    /// Number and volume of the tetrahedra of each tag.
    pub tags: BTreeMap<i32, (usize, f64)>,
    /// Tetrahedra of each connected component.
    pub components: Vec<usize>,
    pub orphans: usize,
    /// What else the mesh carries.
    pub carries: Vec<String>,
}

impl Info {
    /// Looks over a mesh whose indices are in range.
    ///
    /// # Errors
    /// Where the mesh has too many tetrahedra for 32-bit numbers.
    pub fn of(mesh: &TetMesh) -> Result<Self> {
        let m = mesh.tetrahedron_count();
        let components = Components::new(mesh.vertex_count(), &mesh.tetrahedra)?;
        let faces = boundary_faces(mesh.vertex_count(), &mesh.tetrahedra)?.len();
        let volumes = || (0..m).map(|t| mesh.volume(t).abs());
        let mut tags = BTreeMap::new();
        for (t, &tag) in mesh.tags.iter().enumerate() {
            let (count, volume) = tags.entry(tag).or_insert((0, 0.0));
            *count += 1;
            *volume += mesh.volume(t).abs();
        }
        let ratio = |t| mean_ratio(&mesh.corners(t));
        let mut histogram = [0; 10];
        for t in 0..m {
            histogram[((ratio(t) * 10.0) as usize).min(9)] += 1;
        }
        let angles = Range::of(
            (0..m)
                .flat_map(|t| dihedral_angles(&mesh.corners(t)))
                .filter(|a| !a.is_nan()),
        );
        let edges = edges(&mesh.tetrahedra);
        let length =
            |[a, b]: &[u32; 2]| norm(sub(mesh.points[*a as usize], mesh.points[*b as usize]));
        let coordinate = |i: usize| Range::of(mesh.points.iter().map(|p| p[i]));
        let bounds = [0, 1, 2].map(coordinate);
        Ok(Self {
            points: mesh.vertex_count(),
            tetrahedra: m,
            boundary_faces: faces,
            bounds: [bounds.map(|b| b.min), bounds.map(|b| b.max)],
            total_volume: volumes().sum(),
            volume: Range::of(volumes()),
            edge: Range::of(edges.iter().map(length)),
            edges: edges.len(),
            mean_ratio: Range::of((0..m).map(ratio)),
            histogram,
            dihedral: [angles.min, angles.max],
            tags,
            orphans: (components.of_vertex.iter())
                .filter(|&&c| c == Components::ORPHAN)
                .count(),
            components: components.tetrahedra,
            carries: carries(mesh),
        })
    }
}

/// Names of what is known on the mesh beyond tags.
fn carries(mesh: &TetMesh) -> Vec<String> {
    let mut names = Vec::new();
    let known = [
        (mesh.fibres.is_some(), "fibres"),
        (mesh.sheets.is_some(), "sheets"),
        (mesh.velocity_tensor.is_some(), "velocity_tensor"),
        (mesh.domains.is_some(), "domains"),
        (mesh.parts.is_some(), "parts"),
    ];
    names.extend(known.iter().filter(|k| k.0).map(|k| k.1.to_owned()));
    names.extend(mesh.point_fields.keys().map(|k| format!("{k} (points)")));
    names.extend(mesh.cell_fields.keys().map(|k| format!("{k} (tetrahedra)")));
    names
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const MOST_ROWS: usize = 30;
        let [low, high] = self.bounds.map(|b| b.map(short));
        writeln!(
            f,
            "points             {} ({} of no tetrahedron)",
            self.points, self.orphans
        )?;
        writeln!(f, "tetrahedra         {}", self.tetrahedra)?;
        writeln!(f, "edges              {}", self.edges)?;
        writeln!(f, "surface faces      {}", self.boundary_faces)?;
        writeln!(
            f,
            "bounding box       x {} to {}, y {} to {}, z {} to {} mm",
            low[0], high[0], low[1], high[1], low[2], high[2]
        )?;
        writeln!(f, "volume             {} mm³", short(self.total_volume))?;
        writeln!(f, "per tetrahedron    {} mm³", self.volume)?;
        writeln!(f, "edge length        {} mm", self.edge)?;
        writeln!(
            f,
            "dihedral angle     min {:.1}°  max {:.1}°",
            self.dihedral[0], self.dihedral[1]
        )?;
        writeln!(f, "mean ratio         {}  (1: regular)", self.mean_ratio)?;
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        for (i, &count) in self.histogram.iter().enumerate() {
            let bar = "█".repeat((40 * count).div_ceil(most));
            let (from, to) = (i as f64 / 10.0, (i + 1) as f64 / 10.0);
            writeln!(f, "    {from:.1} to {to:.1}  {count:>9}  {bar}")?;
        }
        writeln!(f, "tags               {}", self.tags.len())?;
        for (tag, (count, volume)) in self.tags.iter().take(MOST_ROWS) {
            writeln!(
                f,
                "    {tag:>10}  {count:>9} tetrahedra  {} mm³",
                short(*volume)
            )?;
        }
        if self.tags.len() > MOST_ROWS {
            writeln!(f, "    and {} more", self.tags.len() - MOST_ROWS)?;
        }
        let sizes: Vec<String> = (self.components.iter().take(MOST_ROWS))
            .map(usize::to_string)
            .collect();
        let more = if self.components.len() > MOST_ROWS {
            ", …"
        } else {
            ""
        };
        writeln!(
            f,
            "components         {} ({}{more} tetrahedra)",
            self.components.len(),
            sizes.join(", ")
        )?;
        let carries = if self.carries.is_empty() {
            "nothing else".into()
        } else {
            self.carries.join(", ")
        };
        writeln!(f, "carries            {carries}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regular_tetrahedron() {
        let corners = [
            [1.0, 1.0, 1.0],
            [1.0, -1.0, -1.0],
            [-1.0, 1.0, -1.0],
            [-1.0, -1.0, 1.0],
        ];
        assert!((mean_ratio(&corners) - 1.0).abs() < 1e-14);
        let expected = (1.0f64 / 3.0).acos().to_degrees();
        assert!(
            dihedral_angles(&corners)
                .iter()
                .all(|a| (a - expected).abs() < 1e-12)
        );
    }

    #[test]
    fn the_corner_of_a_cube() {
        let corners = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        // V = 1/6, Σ l² = 3 + 6: η = 12 · 0.5^(2/3) / 9.
        assert!((mean_ratio(&corners) - 12.0 * 0.25f64.cbrt() / 9.0).abs() < 1e-14);
        // Three right angles and three of arccos(1/√3).
        let mut angles = dihedral_angles(&corners);
        angles.sort_by(f64::total_cmp);
        let flat = (1.0 / 3.0f64.sqrt()).acos().to_degrees();
        for (a, e) in angles.iter().zip([flat, flat, flat, 90.0, 90.0, 90.0]) {
            assert!((a - e).abs() < 1e-12);
        }
    }

    #[test]
    fn short_numbers() {
        assert_eq!(short(12.3456789), "12.346");
        assert_eq!(short(-0.5), "-0.50000");
        assert_eq!(short(1e-9), "1.0000e-9");
        assert_eq!(short(123456.7), "123457");
    }
}
