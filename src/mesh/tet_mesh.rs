//! The tetrahedral mesh as it came from a file or a generator, in that numbering, in mm.

use std::collections::BTreeMap;

use crate::tensor::Vec3;

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
}
