//! Graphs of a mesh for METIS, compact (32-bit) and built without a table of all faces or edges.

use crate::error::{Error, Result};
use crate::mesh::TetMesh;

/// Neighbours of node i: `neighbours[offsets[i]..offsets[i + 1]]`, as METIS takes them.
#[derive(Debug, PartialEq)]
pub struct Graph {
    pub offsets: Vec<i32>,
    pub neighbours: Vec<i32>,
}

impl Graph {
    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Neighbours of node `i`.
    pub fn neighbours_of(&self, i: usize) -> &[i32] {
        &self.neighbours[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// Nodes in order of a breadth-first search from node 0, then from the lowest node not reached
    /// yet, and so on; with it the number of connected components.
    pub fn breadth_first(&self) -> (Vec<u32>, usize) {
        let mut order = Vec::with_capacity(self.size());
        let mut seen = vec![false; self.size()];
        let (mut components, mut next) = (0, 0);
        for start in 0..self.size() {
            if seen[start] {
                continue;
            }
            components += 1;
            seen[start] = true;
            order.push(start as u32);
            while let Some(&node) = order.get(next) {
                next += 1;
                for &other in self.neighbours_of(node as usize) {
                    if !std::mem::replace(&mut seen[other as usize], true) {
                        order.push(other as u32);
                    }
                }
            }
        }
        (order, components)
    }
}

/// Vertices joined by an edge of a tetrahedron.
///
/// # Errors
/// [`Error::BadData`] where METIS could not number it with 32 bits.
pub fn vertex_graph(mesh: &TetMesh) -> Result<Graph> {
    let n = mesh.vertex_count();
    check_size("vertices", n)?;
    let stars = Stars::new(mesh)?;
    let mut offsets = Vec::with_capacity(n + 1);
    offsets.push(0);
    // A vertex of a good mesh has 14 neighbours on average.
    let mut neighbours: Vec<i32> = Vec::with_capacity(15 * n);
    let mut around: Vec<u32> = Vec::new();
    for v in 0..n {
        around.clear();
        for &t in stars.of(v) {
            let others = mesh.tetrahedra[t as usize].into_iter();
            around.extend(others.filter(|w| *w as usize != v));
        }
        around.sort_unstable();
        around.dedup();
        neighbours.extend(around.iter().map(|w| *w as i32));
        offsets.push(index(
            neighbours.len(),
            "entries in the graph of its vertices",
        )?);
    }
    Ok(Graph {
        offsets,
        neighbours,
    })
}

/// Tetrahedra joined by a face (the dual graph).
///
/// # Errors
/// As [`vertex_graph`].
pub fn face_graph(mesh: &TetMesh) -> Result<Graph> {
    let m = mesh.tetrahedron_count();
    check_size("tetrahedra", m)?;
    // Four places per tetrahedron, then closed up.
    let mut neighbours = vec![-1i32; 4 * m];
    for_each_shared_face(mesh, |_, [t, u]| {
        for (this, other) in [(t, u), (u, t)] {
            let places = &mut neighbours[4 * this as usize..][..4];
            if let Some(place) = places.iter_mut().find(|p| **p < 0) {
                *place = other as i32;
            }
        }
    })?;
    let mut offsets = Vec::with_capacity(m + 1);
    offsets.push(0);
    let mut end = 0;
    for t in 0..m {
        for place in 4 * t..4 * t + 4 {
            if neighbours[place] >= 0 {
                neighbours[end] = neighbours[place];
                end += 1;
            }
        }
        offsets.push(index(end, "entries in the graph of its tetrahedra")?);
    }
    neighbours.truncate(end);
    Ok(Graph {
        offsets,
        neighbours,
    })
}

/// Calls `visit` with the three vertices (ascending) and the two tetrahedra (ascending) of every
/// face that two tetrahedra share, in a fixed order.
///
/// Where more than two share a face, which no valid mesh has, they are taken in pairs.
///
/// # Errors
/// [`Error::BadData`] where 4m does not fit into 32 bits.
pub fn for_each_shared_face(
    mesh: &TetMesh,
    mut visit: impl FnMut([u32; 3], [u32; 2]),
) -> Result<()> {
    let stars = Stars::new(mesh)?;
    // Faces whose lowest vertex is v: the other two vertices and the tetrahedron.
    let mut faces: Vec<([u32; 2], u32)> = Vec::new();
    for v in 0..mesh.vertex_count() as u32 {
        faces.clear();
        for &t in stars.of(v as usize) {
            let tetrahedron = mesh.tetrahedra[t as usize];
            let higher = tetrahedron.map(|w| if w > v { w } else { u32::MAX });
            for i in 0..4 {
                for j in i + 1..4 {
                    if higher[i] != u32::MAX && higher[j] != u32::MAX && higher[i] != higher[j] {
                        let pair = [higher[i].min(higher[j]), higher[i].max(higher[j])];
                        faces.push((pair, t));
                    }
                }
            }
        }
        faces.sort_unstable();
        let mut i = 0;
        while i + 1 < faces.len() {
            let ((pair, t), (next, u)) = (faces[i], faces[i + 1]);
            if pair == next && t != u {
                visit([v, pair[0], pair[1]], [t, u]);
                i += 1;
            }
            i += 1;
        }
    }
    Ok(())
}

/// Tetrahedra around each vertex.
struct Stars {
    offsets: Vec<u32>,
    tetrahedra: Vec<u32>,
}

impl Stars {
    fn new(mesh: &TetMesh) -> Result<Self> {
        let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
        if m > u32::MAX as usize / 4 {
            return Err(too_large(m, "tetrahedra", u32::MAX as usize / 4));
        }
        let mut offsets = vec![0u32; n + 1];
        for v in mesh.tetrahedra.iter().flatten() {
            offsets[*v as usize + 1] += 1;
        }
        for v in 0..n {
            offsets[v + 1] += offsets[v];
        }
        // Filling moves each start to its end; moved back afterwards.
        let mut tetrahedra = vec![0u32; 4 * m];
        for (t, corners) in mesh.tetrahedra.iter().enumerate() {
            for v in corners {
                let place = &mut offsets[*v as usize];
                tetrahedra[*place as usize] = t as u32;
                *place += 1;
            }
        }
        offsets.copy_within(0..n, 1);
        offsets[0] = 0;
        Ok(Self {
            offsets,
            tetrahedra,
        })
    }

    fn of(&self, v: usize) -> &[u32] {
        &self.tetrahedra[self.offsets[v] as usize..self.offsets[v + 1] as usize]
    }
}

fn check_size(what: &str, count: usize) -> Result<()> {
    index(count, what).map(|_| ())
}

fn index(count: usize, what: &str) -> Result<i32> {
    i32::try_from(count).map_err(|_| too_large(count, what, i32::MAX as usize))
}

fn too_large(count: usize, what: &str, most: usize) -> Error {
    Error::bad_data(
        "mesh",
        format!("{count} {what} are more than METIS can number ({most})"),
        "use a coarser mesh",
    )
}

#[cfg(test)]
mod tests {
    use super::super::cube;
    use super::*;

    #[test]
    fn counts_obey_euler() {
        // A ball: V − E + F − T = 1; 12 n² faces of the cube's surface are not shared.
        let n = 5;
        let mesh = cube(n);
        let (v, t) = (mesh.vertex_count(), mesh.tetrahedron_count());
        assert_eq!((v, t), ((n + 1).pow(3), 6 * n.pow(3)));
        let edges = vertex_graph(&mesh).unwrap().neighbours.len() / 2;
        let shared = face_graph(&mesh).unwrap().neighbours.len() / 2;
        assert_eq!(2 * shared + 12 * n * n, 4 * t);
        let faces = shared + 12 * n * n;
        assert_eq!(v + faces, edges + t + 1);
    }

    #[test]
    fn neighbours_share_an_edge_or_a_face() {
        let mesh = cube(3);
        let graph = face_graph(&mesh).unwrap();
        for t in 0..graph.size() {
            for &u in graph.neighbours_of(t) {
                let common = (mesh.tetrahedra[t].iter())
                    .filter(|v| mesh.tetrahedra[u as usize].contains(v))
                    .count();
                assert_eq!(common, 3);
                assert!(graph.neighbours_of(u as usize).contains(&(t as i32)));
            }
        }
        let graph = vertex_graph(&mesh).unwrap();
        for v in 0..graph.size() {
            for &w in graph.neighbours_of(v) {
                let edge = [v as u32, w as u32];
                assert!(
                    mesh.tetrahedra
                        .iter()
                        .any(|t| edge.iter().all(|x| t.contains(x)))
                );
            }
        }
    }

    #[test]
    fn components_are_counted() {
        let mut mesh = cube(2);
        let n = mesh.vertex_count() as u32;
        mesh.tetrahedra
            .extend(cube(2).tetrahedra.iter().map(|t| t.map(|v| v + n)));
        mesh.points.extend(cube(2).points);
        mesh.tags = vec![0; mesh.tetrahedra.len()];
        let (order, components) = face_graph(&mesh).unwrap().breadth_first();
        assert_eq!(components, 2);
        assert_eq!(order.len(), 96);
    }
}
