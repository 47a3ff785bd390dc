//! The tetrahedral mesh as it came from a file or a generator, in that numbering, in mm.

use std::collections::BTreeMap;

use crate::tensor::{Vec3, cross, dot, norm, scale, sub, unit};

/// Values that travel with a mesh without being understood (carried by convert and refine).
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Numbers per entity (1 scalar, 3 vector, 6 symmetric tensor, …).
    pub components: usize,
    /// `entities × components`, entity by entity.
    pub values: Vec<f64>,
}

/// Tetrahedral mesh with what is known on it.
///
/// n points, m tetrahedra. A tetrahedron (a, b, c, d) is positively oriented when
/// (b − a) × (c − a) · (d − a) > 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TetMesh {
    /// Vertex coordinates, mm (n).
    pub points: Vec<Vec3>,
    /// Vertices of each tetrahedron (m).
    pub tetrahedra: Vec<[u32; 4]>,
    /// Label of each tetrahedron (m); 0 where the source has none.
    pub tags: Vec<i32>,
    /// Unit fibre direction of each tetrahedron (m).
    pub fibres: Option<Vec<Vec3>>,
    /// Unit sheet direction of each tetrahedron (m), orthogonal to the fibre.
    pub sheets: Option<Vec<Vec3>>,
    /// Velocity tensor of each tetrahedron (m), mm²/ms², xx xy xz yy yz zz.
    pub velocity_tensor: Option<Vec<[f64; 6]>>,
    /// Material domain of each tetrahedron (m).
    pub domains: Option<Vec<u32>>,
    /// Part (rank) of each vertex (n).
    pub parts: Option<Vec<u32>>,
    /// Further data on points, by name.
    pub point_fields: BTreeMap<String, Field>,
    /// Further data on tetrahedra, by name.
    pub cell_fields: BTreeMap<String, Field>,
}

impl TetMesh {
    /// Mesh of points and tetrahedra only; all tags 0.
    pub fn new(points: Vec<Vec3>, tetrahedra: Vec<[u32; 4]>) -> Self {
        let tags = vec![0; tetrahedra.len()];
        Self {
            points,
            tetrahedra,
            tags,
            ..Self::default()
        }
    }

    /// Number of vertices n.
    pub fn vertex_count(&self) -> usize {
        self.points.len()
    }

    /// Number of tetrahedra m.
    pub fn tetrahedron_count(&self) -> usize {
        self.tetrahedra.len()
    }

    /// Corner coordinates of tetrahedron `t`, mm.
    #[inline]
    pub fn corners(&self, t: usize) -> [Vec3; 4] {
        self.tetrahedra[t].map(|v| self.points[v as usize])
    }

    /// Signed volume of tetrahedron `t`, mm³: (b − a) × (c − a) · (d − a) / 6.
    #[inline]
    pub fn volume(&self, t: usize) -> f64 {
        let [a, b, c, d] = self.corners(t);
        dot(cross(sub(b, a), sub(c, a)), sub(d, a)) / 6.0
    }

    /// The mesh of these points and tetrahedra (old numbers in the new order) with all that is
    /// known on them. Every vertex of a kept tetrahedron must be kept.
    pub fn select(&self, points: &[u32], tetrahedra: &[u32]) -> Self {
        fn rows<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
            order.iter().map(|&i| values[i as usize]).collect()
        }
        let fields = |fields: &BTreeMap<String, Field>, order: &[u32]| {
            let field = |f: &Field| Field {
                components: f.components,
                values: (order.iter())
                    .flat_map(|&i| &f.values[i as usize * f.components..][..f.components])
                    .copied()
                    .collect(),
            };
            fields
                .iter()
                .map(|(name, f)| (name.clone(), field(f)))
                .collect()
        };
        let mut number = vec![0; self.vertex_count()];
        for (new, &old) in points.iter().enumerate() {
            number[old as usize] = new as u32;
        }
        Self {
            points: rows(&self.points, points),
            tetrahedra: (tetrahedra.iter())
                .map(|&t| self.tetrahedra[t as usize].map(|v| number[v as usize]))
                .collect(),
            tags: rows(&self.tags, tetrahedra),
            fibres: self.fibres.as_ref().map(|f| rows(f, tetrahedra)),
            sheets: self.sheets.as_ref().map(|s| rows(s, tetrahedra)),
            velocity_tensor: self.velocity_tensor.as_ref().map(|m| rows(m, tetrahedra)),
            domains: self.domains.as_ref().map(|d| rows(d, tetrahedra)),
            parts: self.parts.as_ref().map(|p| rows(p, points)),
            point_fields: fields(&self.point_fields, points),
            cell_fields: fields(&self.cell_fields, tetrahedra),
        }
    }

    /// Makes fibres and sheets unit vectors and sheets orthogonal to the fibres.
    ///
    /// Returns how many vectors were off by more than 1e-6, and how many cannot be mended (zero,
    /// not finite, sheet along its fibre) and stay as they are. Unit vectors keep their bits.
    pub fn normalise_directions(&mut self) -> (usize, usize) {
        let (mut off, mut hopeless) = (0, 0);
        let mut set = |v: &mut Vec3, to: Option<Vec3>| match to {
            Some(to) => {
                off += usize::from(norm(sub(*v, to)) > 1e-6);
                *v = to;
            }
            None => hopeless += 1,
        };
        for f in self.fibres.iter_mut().flatten() {
            let to = if is_unit(*f) { Some(*f) } else { unit(*f) };
            set(f, to);
        }
        for (t, s) in self.sheets.iter_mut().flatten().enumerate() {
            let fibre = self.fibres.as_ref().and_then(|f| f.get(t)).copied();
            let along = fibre.map_or(0.0, |f| dot(f, *s));
            if is_unit(*s) && along.abs() <= 4.0 * f64::EPSILON {
                continue;
            }
            let across = sub(*s, scale(along, fibre.unwrap_or_default()));
            let lost = norm(across) < 0.1 * norm(*s);
            set(s, if lost { None } else { unit(across) });
        }
        (off, hopeless)
    }
}

/// |v| = 1 to the last bits.
fn is_unit(v: Vec3) -> bool {
    (dot(v, v) - 1.0).abs() <= 4.0 * f64::EPSILON
}
