//! The surfaces of ventricles: base, epicardium and endocardia, found from the normals of the
//! surface and from what hangs together once the base is taken away.
//!
//! The base consists of those faces near the top whose normals point along the long axis: each
//! way from a cavity to the outside leads over them, be the rim sharp or round. Without them the
//! surface falls apart; the part of the largest extent is the epicardium, the others are
//! endocardia, of which the left one has the thicker wall around it.
//! The area vectors Σ n A of the endocardia add up to that of the openings: the axis, apex to base.

use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::surface::for_each_face;
use crate::tensor::{Vec3, add, cross, dot, norm, scale, sub, unit};

/// Least cosine of the angle between the normals of the base and the axis.
const UPWARD: f64 = 0.6;
/// Least height of the top of a patch of the base, in parts of the mesh from apex to top.
const HIGH: f64 = 0.7;
/// Parts of the surface smaller than this share of it are part of no endocardium.
const SMALL: f64 = 0.02;
/// The apex: epicardial vertices up to this height, in parts of the mesh.
const APEX: f64 = 0.01;

/// Vertices on each surface, rising.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surfaces {
    pub base: Vec<u32>,
    pub epicardium: Vec<u32>,
    /// Left endocardium, or the only one.
    pub left: Vec<u32>,
    /// Right endocardium; empty where there is one cavity.
    pub right: Vec<u32>,
    /// Lowest part of the epicardium.
    pub apex: Vec<u32>,
}

impl Surfaces {
    /// Names of the surfaces, in the order of [`lists`](Self::lists).
    pub const NAMES: [&str; 5] = ["base", "epicardium", "left", "right", "apex"];

    /// The vertices on each surface.
    pub fn lists(&self) -> [&Vec<u32>; 5] {
        let Self {
            base,
            epicardium,
            left,
            right,
            apex,
        } = self;
        [base, epicardium, left, right, apex]
    }
}

/// A face of the surface.
struct Face {
    vertices: [u32; 3],
    centre: Vec3,
    /// Outward normal times area.
    area: Vec3,
}

/// The surfaces of ventricles with the long axis `axis` (apex to base), or one that is found.
///
/// # Errors
/// [`Error::BadData`] where no axis gives an epicardium and one or two endocardia.
pub fn detect(mesh: &TetMesh, axis: Option<Vec3>) -> Result<Surfaces> {
    let faces = outward_faces(mesh)?;
    let pairs = neighbours(&faces);
    let candidates = match axis.and_then(unit) {
        Some(axis) => vec![axis],
        None => principal_axes(&faces),
    };
    let whole: f64 = faces.iter().map(|f| norm(f.area)).sum();
    // Of the directions that open a cavity, the one with the smallest base.
    let mut best: Option<(f64, Split)> = None;
    for direction in candidates {
        let mut direction = direction;
        let mut split = Split::along(direction, &faces, &pairs, mesh, whole);
        // The first direction is rough; the openings say it better.
        for _ in 0..if axis.is_none() { 2 } else { 0 } {
            let better = split.as_ref().and_then(|s| unit(s.opening(&faces)));
            if let Some(better) = better {
                direction = better;
                split = Split::along(direction, &faces, &pairs, mesh, whole).or(split);
            }
        }
        if let Some(split) = split {
            let size = split.base.iter().map(|&f| norm(faces[f].area)).sum();
            if best.as_ref().is_none_or(|(least, _)| size < *least) {
                best = Some((size, split));
            }
        }
    }
    let Some((_, split)) = best else {
        return Err(Error::bad_data(
            "the surface of the mesh",
            "has no base that parts an epicardium from one or two endocardia",
            "give the axis from apex to base (--axis X,Y,Z), or the surfaces (--surface NAME=FILE.vtx)",
        ));
    };
    Ok(split.surfaces(&faces, mesh))
}

/// Faces that one tetrahedron has, with normals that point out of it.
fn outward_faces(mesh: &TetMesh) -> Result<Vec<Face>> {
    let mut faces = Vec::new();
    for_each_face(mesh.vertex_count(), &mesh.tetrahedra, |sides| {
        let [side] = sides else {
            return;
        };
        let vertices = side.vertices(&mesh.tetrahedra);
        let [a, b, c] = vertices.map(|v| mesh.points[v as usize]);
        let sign = 0.5 * mesh.volume(side.tetrahedron()).signum();
        faces.push(Face {
            vertices,
            centre: scale(1.0 / 3.0, add(a, add(b, c))),
            area: scale(sign, cross(sub(b, a), sub(c, a))),
        });
    })?;
    Ok(faces)
}

/// Faces that share an edge.
fn neighbours(faces: &[Face]) -> Vec<[usize; 2]> {
    let mut edges = Vec::with_capacity(3 * faces.len());
    for (f, face) in faces.iter().enumerate() {
        let [a, b, c] = face.vertices;
        edges.extend([[a, b], [b, c], [c, a]].map(|[a, b]| ([a.min(b), a.max(b)], f)));
    }
    edges.sort_unstable();
    let of_edge = edges.chunk_by(|a, b| a.0 == b.0);
    of_edge
        .flat_map(|e| e.windows(2).map(|w| [w[0].1, w[1].1]))
        .collect()
}

/// Both directions of the principal axes of the surface.
fn principal_axes(faces: &[Face]) -> Vec<Vec3> {
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for f in faces {
        let area = norm(f.area);
        sum = add(sum, scale(area, f.centre));
        weight += area;
    }
    let centre = scale(1.0 / weight, sum);
    let mut second = nalgebra::Matrix3::zeros();
    for f in faces {
        let d = nalgebra::Vector3::from(sub(f.centre, centre));
        second += norm(f.area) * d * d.transpose();
    }
    let eigen = nalgebra::SymmetricEigen::new(second);
    let columns = eigen.eigenvectors.column_iter();
    let axes = columns.map(|c| Vec3::from([c[0], c[1], c[2]]));
    axes.flat_map(|a| [a, scale(-1.0, a)]).collect()
}

/// Union of sets by the lowest member.
fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

/// Lists of the faces for which `member` holds that hang together.
fn components(
    faces: usize,
    pairs: &[[usize; 2]],
    member: impl Fn(usize) -> bool,
) -> Vec<Vec<usize>> {
    let mut parents: Vec<usize> = (0..faces).collect();
    for &[a, b] in pairs {
        if member(a) && member(b) {
            let (a, b) = (root(&mut parents, a), root(&mut parents, b));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut lists = vec![Vec::new(); faces];
    for f in (0..faces).filter(|f| member(*f)) {
        lists[root(&mut parents, f)].push(f);
    }
    lists.retain(|list| !list.is_empty());
    lists
}

/// Faces of the surfaces for one axis.
struct Split {
    axis: Vec3,
    base: Vec<usize>,
    epicardium: Vec<usize>,
    endocardia: Vec<Vec<usize>>,
}

impl Split {
    /// `None` where this axis parts no cavity from the outside.
    fn along(
        axis: Vec3,
        faces: &[Face],
        pairs: &[[usize; 2]],
        mesh: &TetMesh,
        whole: f64,
    ) -> Option<Self> {
        let heights = mesh.points.iter().map(|p| dot(*p, axis));
        let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| {
            (l.min(z), h.max(z))
        });
        let upward = |f: usize| dot(faces[f].area, axis) > UPWARD * norm(faces[f].area);
        let top = |patch: &Vec<usize>| {
            let highest = patch.iter().map(|&f| dot(faces[f].centre, axis));
            highest.fold(f64::NEG_INFINITY, f64::max) > low + HIGH * (high - low)
        };
        let patches = components(faces.len(), pairs, upward);
        let base: Vec<usize> = patches.into_iter().filter(top).flatten().collect();
        let mut of_base = vec![false; faces.len()];
        base.iter().for_each(|&f| of_base[f] = true);
        let mut parts = components(faces.len(), pairs, |f| !of_base[f]);
        let area = |part: &[usize]| part.iter().map(|&f| norm(faces[f].area)).sum::<f64>();
        parts.retain(|part| area(part) > SMALL * whole);
        if !(2..=3).contains(&parts.len()) {
            return None;
        }
        let extent = |part: &[usize]| {
            let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
            for &f in part {
                for i in 0..3 {
                    low[i] = low[i].min(faces[f].centre[i]);
                    high[i] = high[i].max(faces[f].centre[i]);
                }
            }
            norm(sub(high, low))
        };
        parts.sort_by(|a, b| extent(b).total_cmp(&extent(a)));
        let epicardium = parts.remove(0);
        Some(Self {
            axis,
            base,
            epicardium,
            endocardia: parts,
        })
    }

    /// Σ n A of the endocardia.
    fn opening(&self, faces: &[Face]) -> Vec3 {
        let all = self.endocardia.iter().flatten();
        all.fold([0.0; 3], |sum, &f| add(sum, faces[f].area))
    }

    fn surfaces(self, faces: &[Face], mesh: &TetMesh) -> Surfaces {
        let vertices = |part: &[usize]| {
            let mut list: Vec<u32> = part.iter().flat_map(|&f| faces[f].vertices).collect();
            list.sort_unstable();
            list.dedup();
            list
        };
        let epicardium = vertices(&self.epicardium);
        // Where a rim is so sharp that it has no base, the outside takes precedence.
        let outside = |v: &u32| epicardium.binary_search(v).is_ok();
        let mut inside: Vec<Vec<u32>> = (self.endocardia.iter())
            .map(|part| vertices(part).into_iter().filter(|v| !outside(v)).collect())
            .collect();
        inside.sort_by(|a, b| wall(b, &epicardium, mesh).total_cmp(&wall(a, &epicardium, mesh)));
        let mut inside = inside.into_iter();
        let height = |v: u32| dot(mesh.points[v as usize], self.axis);
        let heights = mesh.points.iter().map(|p| dot(*p, self.axis));
        let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| {
            (l.min(z), h.max(z))
        });
        let lowest = epicardium.iter().map(|&v| height(v)).fold(high, f64::min);
        let limit = lowest + APEX * (high - low);
        Surfaces {
            base: vertices(&self.base),
            apex: epicardium
                .iter()
                .copied()
                .filter(|&v| height(v) <= limit)
                .collect(),
            left: inside.next().unwrap_or_default(),
            right: inside.next().unwrap_or_default(),
            epicardium,
        }
    }
}

/// Thickness of the wall around a cavity, mm: lower quartile of the distances to the epicardium,
/// since half of the right endocardium is on the septum.
fn wall(endocardium: &[u32], epicardium: &[u32], mesh: &TetMesh) -> f64 {
    const SAMPLE: usize = 200;
    let point = |v: &u32| mesh.points[*v as usize];
    let step = endocardium.len().div_ceil(SAMPLE).max(1);
    let mut distances: Vec<f64> = (endocardium.iter().step_by(step))
        .map(|v| {
            let distances = epicardium.iter().map(|e| norm(sub(point(v), point(e))));
            distances.fold(f64::INFINITY, f64::min)
        })
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 4).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::{FibreAngles, Generator, LeftVentricle, RightVentricle, generate};
    use crate::mesh::surface::surface_vertices;

    /// Turned, so that no coordinate is the axis.
    fn turned(mut mesh: TetMesh) -> TetMesh {
        let turn = nalgebra::Rotation3::from_euler_angles(0.9, -0.4, 2.0);
        for p in &mut mesh.points {
            *p = (turn * nalgebra::Vector3::from(*p) + nalgebra::Vector3::new(5.0, 7.0, -9.0))
                .into();
        }
        mesh
    }

    #[test]
    fn surfaces_of_an_ellipsoid_are_those_of_its_formula() {
        let generator = Generator::Ellipsoid {
            edge: 4.0,
            left_ventricle: LeftVentricle::default(),
            fibre_angles: FibreAngles::default(),
        };
        let mesh = generate(&generator, 1.0).unwrap();
        let found = detect(&turned(mesh.clone()), None).unwrap();
        assert!(found.right.is_empty());
        // Half way between the ellipsoids of semi-axes (20, 50) and (30, 60); the base is z = 12.5.
        let is_outer = |v: u32| {
            let [x, y, z] = mesh.points[v as usize];
            (x * x + y * y) / (25.0 * 25.0) + z * z / (55.0 * 55.0) > 1.0
        };
        let surface = surface_vertices(mesh.vertex_count(), &mesh.tetrahedra).unwrap();
        for &v in &surface {
            let z = mesh.points[v as usize][2];
            let is_in = |list: &[u32]| list.binary_search(&v).is_ok();
            if z > 12.4 {
                assert!(is_in(&found.base), "{v}");
            } else if z < 8.0 {
                assert!(!is_in(&found.base), "{v}");
                assert_eq!(is_in(&found.epicardium), is_outer(v), "{v}");
                assert_eq!(is_in(&found.left), !is_outer(v), "{v}");
            }
        }
        let lowest = |v: &u32| mesh.points[*v as usize][2] < -59.0;
        assert!(!found.apex.is_empty() && found.apex.iter().all(lowest));
        // Inverted tetrahedra turn no normal.
        let mut inverted = turned(mesh);
        inverted
            .tetrahedra
            .iter_mut()
            .step_by(3)
            .for_each(|t| t.swap(1, 2));
        assert_eq!(detect(&inverted, None).unwrap(), found);
    }

    #[test]
    fn the_left_cavity_of_two_has_the_thicker_wall() {
        let generator = Generator::Biventricle {
            edge: 4.0,
            left_ventricle: LeftVentricle::default(),
            right_ventricle: RightVentricle::default(),
            fibre_angles: FibreAngles::default(),
        };
        let mesh = generate(&generator, 1.0).unwrap();
        let found = detect(&turned(mesh.clone()), None).unwrap();
        let mean = |list: &[u32]| {
            let sum: f64 = list.iter().map(|&v| mesh.points[v as usize][0]).sum();
            sum / list.len() as f64
        };
        assert!(mean(&found.left).abs() < 2.0, "{}", mean(&found.left));
        assert!(mean(&found.right) < -20.0, "{}", mean(&found.right));
        let given = detect(&mesh, Some([0.0, 0.0, 2.0])).unwrap();
        assert_eq!((given.left, given.right), (found.left, found.right));
    }

    #[test]
    fn a_block_is_no_ventricle() {
        let generator = Generator::Slab {
            size: [4.0, 3.0, 2.0],
            edge: 1.0,
            fibre_angles: FibreAngles::default(),
        };
        let said = detect(&generate(&generator, 1.0).unwrap(), None).unwrap_err();
        assert_eq!(said.exit_code(), 65);
        assert!(said.to_string().contains("--axis"), "{said}");
    }
}
