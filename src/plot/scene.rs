//! What is seen of a mesh or of a voxelised heart: triangles, and where their values come from.

use super::view::Plane;
use crate::error::Result;
use crate::mesh::TetMesh;
use crate::mesh::surface::for_each_face;
use crate::tensor::{Vec3, add, cross, dot, norm, scale, sub, unit};

/// Normals that differ by more (cosine) from the mean of their vertex stay as they are: an edge.
const EDGE: f64 = 0.75;

/// Triangles with normals at their corners. A value at a vertex is a weighted sum of values of the
/// mesh's points, or of cells.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    pub points: Vec<Vec3>,
    pub triangles: Vec<[u32; 3]>,
    /// Unit normals at the corners of each triangle.
    pub normals: Vec<[Vec3; 3]>,
    /// The tetrahedron or cell that each triangle belongs to.
    pub owners: Vec<u32>,
    /// Whether the triangle lies in the cut, and the plane takes nothing away from it.
    pub in_cut: Vec<bool>,
    blend: Blend,
}

/// Sparse rows: vertex → values and weights.
#[derive(Debug, Clone, Default)]
struct Blend {
    ends: Vec<usize>,
    from: Vec<u32>,
    weights: Vec<f64>,
}

impl Blend {
    fn push(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (from, weight) in row {
            self.from.push(from);
            self.weights.push(weight);
        }
        self.ends.push(self.from.len());
    }
}

impl Scene {
    /// The surface of `mesh`; with `plane` also what the plane cuts.
    pub fn of_mesh(mesh: &TetMesh, plane: Option<&Plane>) -> Result<Self> {
        let mut scene = Self::default();
        let mut number = vec![u32::MAX; mesh.vertex_count()];
        for_each_face(mesh.vertex_count(), &mesh.tetrahedra, |sides| {
            if let [side] = sides {
                let t = side.tetrahedron();
                let inverted = mesh.volume(t) < 0.0;
                let mut corners = side.vertices(&mesh.tetrahedra);
                if inverted {
                    corners.swap(1, 2);
                }
                let triangle = corners.map(|v| {
                    if number[v as usize] == u32::MAX {
                        number[v as usize] = scene.points.len() as u32;
                        scene.points.push(mesh.points[v as usize]);
                        scene.blend.push([(v, 1.0)]);
                    }
                    number[v as usize]
                });
                scene.triangles.push(triangle);
                scene.owners.push(t as u32);
            }
        })?;
        scene.smooth();
        if let Some(plane) = plane {
            scene.add_cut(mesh, plane);
        }
        Ok(scene)
    }

    /// The outer faces of voxels: `cells` are those in tissue, of a grid of `shape` (z, y, x) and
    /// `spacing`, whose rows begin at `origin`. With `plane`, only those behind it.
    pub fn of_voxels(
        shape: [usize; 3],
        spacing: [f64; 3],
        origin: [f64; 3],
        active: &[bool],
        plane: Option<&Plane>,
    ) -> Self {
        let [nz, ny, nx] = shape;
        let centre = |[z, y, x]: [usize; 3]| {
            let along = |i: usize, axis: usize| origin[2 - axis] + (i as f64 + 0.5) * spacing[axis];
            [along(x, 2), along(y, 1), along(z, 0)]
        };
        let index = |[z, y, x]: [usize; 3]| (z * ny + y) * nx + x;
        let mut kept = vec![false; active.len()];
        let places = || {
            (0..nz).flat_map(move |z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [z, y, x])))
        };
        for at in places() {
            let behind = plane.is_none_or(|plane| plane.height(centre(at)) <= 0.0);
            kept[index(at)] = active[index(at)] && behind;
        }
        // Of place `at` moved by one along an axis; `None` outside of the grid.
        let next = |mut at: [usize; 3], axis: usize, up: bool| {
            at[axis] = if up {
                at[axis] + 1
            } else {
                at[axis].checked_sub(1)?
            };
            (at[axis] < shape[axis]).then_some(at)
        };
        let mut scene = Self::default();
        let mut number = std::collections::HashMap::new();
        for at in places().filter(|at| kept[index(*at)]) {
            for axis in 0..3 {
                for up in [false, true] {
                    if next(at, axis, up).is_some_and(|other| kept[index(other)]) {
                        continue;
                    }
                    // Corners of the face, around the outward direction.
                    let (b, c) = ((axis + 2) % 3, (axis + 1) % 3);
                    let mut corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(|[i, j]| {
                        let mut corner = at;
                        corner[axis] += usize::from(up);
                        corner[b] += i;
                        corner[c] += j;
                        *number.entry(corner).or_insert_with(|| {
                            let [z, y, x] = corner;
                            let along =
                                |i: usize, axis: usize| origin[2 - axis] + i as f64 * spacing[axis];
                            scene.points.push([along(x, 2), along(y, 1), along(z, 0)]);
                            let around: Vec<u32> = (0..8usize)
                                .filter_map(|bits| {
                                    let z = z.checked_sub(bits & 1)?;
                                    let y = y.checked_sub(bits >> 1 & 1)?;
                                    let x = x.checked_sub(bits >> 2 & 1)?;
                                    let inside = z < nz && y < ny && x < nx;
                                    let i = inside.then(|| index([z, y, x]))?;
                                    kept[i].then_some(i as u32)
                                })
                                .collect();
                            let weight = 1.0 / around.len() as f64;
                            scene.blend.push(around.iter().map(|i| (*i, weight)));
                            scene.points.len() as u32 - 1
                        })
                    });
                    if !up {
                        corners.reverse();
                    }
                    let [p, q, r, s] = corners;
                    scene.triangles.extend([[p, q, r], [p, r, s]]);
                    scene.owners.extend([index(at) as u32; 2]);
                }
            }
        }
        scene.smooth();
        scene.in_cut = vec![true; scene.triangles.len()];
        scene
    }

    /// The same with the steps of voxels taken away: vertices move by less than a voxel, without
    /// shrinking the whole (G. Taubin, SIGGRAPH 1995, λ|μ).
    pub fn without_steps(mut self) -> Self {
        let mut neighbours = vec![Vec::new(); self.points.len()];
        for [a, b, c] in &self.triangles {
            for (v, w) in [(a, b), (b, c), (c, a)] {
                neighbours[*v as usize].push(*w);
            }
        }
        for factor in [0.5, -0.53].into_iter().cycle().take(30) {
            self.points = (self.points.iter().zip(&neighbours))
                .map(|(p, around)| {
                    let sum = around
                        .iter()
                        .fold([0.0; 3], |sum, w| add(sum, self.points[*w as usize]));
                    let mean = scale(1.0 / around.len().max(1) as f64, sum);
                    add(*p, scale(factor, sub(mean, *p)))
                })
                .collect();
        }
        let in_cut = std::mem::take(&mut self.in_cut);
        self.smooth();
        self.in_cut = in_cut;
        self
    }

    /// Values at the vertices; NaN where one that a vertex depends on is not finite.
    pub fn at_vertices(&self, values: &[f64]) -> Vec<f64> {
        let mut start = 0;
        let rows = self.blend.ends.iter().map(|end| {
            let row = start..*end;
            start = *end;
            let parts = row.map(|i| self.blend.weights[i] * values[self.blend.from[i] as usize]);
            let sum: f64 = parts.sum();
            if sum.is_finite() { sum } else { f64::NAN }
        });
        rows.collect()
    }

    fn face_normal(&self, triangle: [u32; 3]) -> Vec3 {
        let [a, b, c] = triangle.map(|v| self.points[v as usize]);
        cross(sub(b, a), sub(c, a))
    }

    /// Means of the normals around each vertex, weighted by area.
    fn vertex_normals(&self) -> Vec<Vec3> {
        let mut normals = vec![[0.0; 3]; self.points.len()];
        for triangle in &self.triangles {
            let normal = self.face_normal(*triangle);
            for v in triangle {
                normals[*v as usize] = add(normals[*v as usize], normal);
            }
        }
        normals
    }

    /// Normals at corners: smooth, but sharp where the surface has an edge.
    fn smooth(&mut self) {
        let at_vertices = self.vertex_normals();
        self.normals = (self.triangles.iter())
            .map(|triangle| {
                let face = unit(self.face_normal(*triangle)).unwrap_or([0.0, 0.0, 1.0]);
                triangle.map(|v| match unit(at_vertices[v as usize]) {
                    Some(normal) if dot(normal, face) > EDGE => normal,
                    _ => face,
                })
            })
            .collect();
        self.in_cut = vec![false; self.triangles.len()];
    }

    /// Adds the polygons in which `plane` cuts tetrahedra.
    fn add_cut(&mut self, mesh: &TetMesh, plane: &Plane) {
        let heights: Vec<f64> = mesh.points.iter().map(|p| plane.height(*p)).collect();
        let mut on_edge = std::collections::HashMap::new();
        for (t, corners) in mesh.tetrahedra.iter().enumerate() {
            let (above, below): (Vec<u32>, Vec<u32>) =
                corners.iter().partition(|v| heights[**v as usize] > 0.0);
            let mut point = |a: u32, b: u32| {
                *on_edge.entry((a.min(b), a.max(b))).or_insert_with(|| {
                    let (h, k) = (heights[a as usize], heights[b as usize]);
                    let share = h / (h - k);
                    let (p, q) = (mesh.points[a as usize], mesh.points[b as usize]);
                    self.points.push(add(p, scale(share, sub(q, p))));
                    self.blend.push([(a, 1.0 - share), (b, share)]);
                    self.points.len() as u32 - 1
                })
            };
            let polygon: Vec<u32> = match (above.as_slice(), below.as_slice()) {
                ([a], rest) | (rest, [a]) => rest.iter().map(|b| point(*a, *b)).collect(),
                ([a, b], [c, d]) => {
                    vec![point(*a, *c), point(*a, *d), point(*b, *d), point(*b, *c)]
                }
                _ => continue,
            };
            for i in 2..polygon.len() {
                let triangle = [polygon[0], polygon[i - 1], polygon[i]];
                if norm(self.face_normal(triangle)) > 0.0 {
                    self.triangles.push(triangle);
                    self.normals.push([plane.normal; 3]);
                    self.owners.push(t as u32);
                    self.in_cut.push(true);
                }
            }
        }
    }
}
