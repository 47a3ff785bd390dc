//! What one rank holds: its vertices, all tetrahedra that touch them, ghosts for the rest.

use std::collections::BTreeMap;

use super::curve::hilbert_keys;
use crate::comm::halo::{Halo, Neighbour};
use crate::comm::{Communicator, agree, from_bytes};
use crate::error::{Error, Result};
use crate::tensor::{Metric, Vec3, sub};

/// Part of a mesh on one rank, in local numbering: owned vertices first, along a space-filling
/// curve, ghosts after.
#[derive(Debug, Clone, Default)]
pub struct LocalMesh {
    pub owned: usize,
    /// Number in the file of each local vertex.
    pub global_vertices: Vec<u32>,
    /// Coordinates of each local vertex, mm.
    pub points: Vec<Vec3>,
    /// Local vertices of each tetrahedron, in the file's order inside it.
    pub tetrahedra: Vec<[u32; 4]>,
    /// Number in the file of each tetrahedron.
    pub global_tetrahedra: Vec<u32>,
    /// L_ij = (x_i − x_j)ᵀ N (x_i − x_j) for γ = 1, ms², pairs 01 02 03 12 13 23.
    pub lengths: Vec<[f64; 6]>,
    /// Material domain of each tetrahedron.
    pub domains: Vec<u32>,
    pub halo: Halo,
}

/// The whole mesh, as rank 0 distributes it.
pub struct WholeMesh<'a> {
    pub points: &'a [Vec3],
    pub tetrahedra: &'a [[u32; 4]],
    /// Metric tensor of each tetrahedron.
    pub metric: &'a (dyn Fn(usize) -> Metric + Sync),
    pub domains: &'a [u32],
    /// Rank of each vertex.
    pub parts: &'a [u32],
}

/// Six squared edge lengths of a tetrahedron in its metric.
pub fn metric_lengths(metric: &Metric, x: [Vec3; 4]) -> [f64; 6] {
    [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        .map(|(i, j)| metric.squared_length(sub(x[j], x[i])))
}

/// Sends every rank its part of the mesh that rank 0 holds (`whole` is read there only).
/// Collective.
///
/// # Errors
/// [`Error::Bug`] on all ranks where rank 0 has no mesh or a message is damaged.
pub fn distribute(comm: &dyn Communicator, whole: Option<&WholeMesh>) -> Result<LocalMesh> {
    let missing = || Error::Bug("rank 0 has no mesh to distribute".into());
    if comm.rank() > 0 {
        // Rank 0 sends to one rank at a time, so that it holds one message at most.
        agree(comm, Ok(()))?;
        let mut mine = Vec::new();
        for rank in 1..comm.size() {
            let from: &[usize] = if rank == comm.rank() { &[0] } else { &[] };
            mine.extend(comm.exchange(&[], from, &mut || {}));
        }
        return agree(
            comm,
            Part::decode(&mine.pop().unwrap_or_default()).map(Part::finish),
        );
    }
    let whole = agree(comm, whole.ok_or_else(missing))?;
    let mut cutter = Cutter::new(whole, comm.size());
    for rank in 1..comm.size() {
        let message = cutter.cut(rank).measured(whole).encode();
        comm.exchange(&[(rank, message)], &[], &mut || {});
    }
    agree(comm, Ok(cutter.cut(0).measured(whole).finish()))
}

/// The parts of all ranks, one after the other, without metric lengths.
pub fn parts_of<'a>(whole: &'a WholeMesh<'a>, ranks: usize) -> impl Iterator<Item = Part> {
    let mut cutter = Cutter::new(whole, ranks);
    (0..ranks).map(move |rank| cutter.cut(rank))
}

/// Cuts the parts of all ranks out of a mesh.
struct Cutter<'a> {
    whole: &'a WholeMesh<'a>,
    /// Tetrahedra that touch a vertex of each rank, in the file's order.
    tetrahedra: Vec<Vec<u32>>,
    /// Vertices of each rank, in the file's order.
    vertices: Vec<Vec<u32>>,
    /// Local number of each vertex in the part that is being cut; stale elsewhere.
    local: Vec<u32>,
}

impl<'a> Cutter<'a> {
    fn new(whole: &'a WholeMesh<'a>, ranks: usize) -> Self {
        let mut vertices = vec![Vec::new(); ranks];
        for (v, part) in (0u32..).zip(whole.parts) {
            vertices[*part as usize].push(v);
        }
        Self {
            tetrahedra: tetrahedra_of_ranks(whole, ranks),
            vertices,
            local: vec![0; whole.points.len()],
            whole,
        }
    }

    /// Cuts out the part of `rank`.
    fn cut(&mut self, rank: usize) -> Part {
        let Self { whole, local, .. } = self;
        let (list, mut owned) = (&self.tetrahedra[rank], self.vertices[rank].clone());
        let rank = rank as u32;
        let points: Vec<Vec3> = owned.iter().map(|v| whole.points[*v as usize]).collect();
        let keys = hilbert_keys(&points);
        let mut order: Vec<u32> = (0..owned.len() as u32).collect();
        order.sort_by_key(|i| keys[*i as usize]);
        owned = order.iter().map(|i| owned[*i as usize]).collect();

        let corners = list.iter().flat_map(|t| whole.tetrahedra[*t as usize]);
        let mut ghosts: Vec<u32> = corners
            .filter(|v| whole.parts[*v as usize] != rank)
            .collect();
        // Ascending numbers in the file: both sides of a halo agree on this order.
        ghosts.sort_unstable();
        ghosts.dedup();

        for (l, v) in (0u32..).zip(owned.iter().chain(&ghosts)) {
            local[*v as usize] = l;
        }
        let mut sends = Vec::new();
        let mut tetrahedra: Vec<([u32; 4], u32)> = Vec::with_capacity(list.len());
        for &t in list {
            let tet = whole.tetrahedra[t as usize];
            tetrahedra.push((tet.map(|v| local[v as usize]), t));
            for v in tet.into_iter().filter(|v| whole.parts[*v as usize] == rank) {
                for u in tet {
                    let other = whole.parts[u as usize];
                    if other != rank {
                        sends.push([other, v]);
                    }
                }
            }
        }
        // By (rank, number in the file), the order in which the other side lists its ghosts.
        sends.sort_unstable();
        sends.dedup();
        for [_, v] in &mut sends {
            *v = local[*v as usize];
        }
        tetrahedra.sort_unstable_by_key(|(tet, t)| (*tet.iter().min().unwrap_or(&0), *t));

        let global_vertices: Vec<u32> = owned.iter().chain(&ghosts).copied().collect();
        Part {
            ghost_ranks: ghosts.iter().map(|v| whole.parts[*v as usize]).collect(),
            sends,
            mesh: LocalMesh {
                owned: owned.len(),
                points: global_vertices
                    .iter()
                    .map(|v| whole.points[*v as usize])
                    .collect(),
                lengths: Vec::new(),
                domains: tetrahedra
                    .iter()
                    .map(|(_, t)| whole.domains[*t as usize])
                    .collect(),
                global_tetrahedra: tetrahedra.iter().map(|(_, t)| *t).collect(),
                tetrahedra: tetrahedra.into_iter().map(|(tet, _)| tet).collect(),
                global_vertices,
                halo: Halo::default(),
            },
        }
    }
}

/// The tetrahedra that touch a vertex of each rank, in the file's order.
fn tetrahedra_of_ranks(whole: &WholeMesh, ranks: usize) -> Vec<Vec<u32>> {
    let mut lists = vec![Vec::new(); ranks];
    for (t, tet) in (0u32..).zip(whole.tetrahedra) {
        let parts = tet.map(|v| whole.parts[v as usize]);
        for (i, part) in parts.iter().enumerate() {
            if !parts[..i].contains(part) {
                lists[*part as usize].push(t);
            }
        }
    }
    lists
}

/// A [`LocalMesh`] on its way: as much as travels, or lies in a file.
#[derive(Default)]
pub struct Part {
    pub mesh: LocalMesh,
    /// Rank of each ghost.
    pub ghost_ranks: Vec<u32>,
    /// (rank, local vertex) for each rank that holds an owned vertex as a ghost.
    pub sends: Vec<[u32; 2]>,
}

impl Part {
    /// With the metric lengths.
    fn measured(mut self, whole: &WholeMesh) -> Self {
        let lengths = |t: &u32| {
            let x = whole.tetrahedra[*t as usize].map(|v| whole.points[v as usize]);
            metric_lengths(&(whole.metric)(*t as usize), x)
        };
        self.mesh.lengths = self.mesh.global_tetrahedra.iter().map(lengths).collect();
        self
    }

    /// Sizes, then the arrays one after the other.
    fn encode(&self) -> Vec<u8> {
        let m = &self.mesh;
        let sizes = [
            m.owned,
            m.global_vertices.len(),
            m.tetrahedra.len(),
            self.sends.len(),
        ]
        .map(|n| n as u64);
        let mut bytes = bytemuck::cast_slice(&sizes).to_vec();
        for array in [
            bytemuck::cast_slice::<_, u8>(&m.global_vertices),
            bytemuck::cast_slice(&m.points),
            bytemuck::cast_slice(&m.tetrahedra),
            bytemuck::cast_slice(&m.global_tetrahedra),
            bytemuck::cast_slice(&m.lengths),
            bytemuck::cast_slice(&m.domains),
            bytemuck::cast_slice(&self.ghost_ranks),
            bytemuck::cast_slice(&self.sends),
        ] {
            bytes.extend_from_slice(array);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Part> {
        let short = || Error::Bug("the message with this rank's part of the mesh is short".into());
        let mut rest = bytes;
        let mut take = |count: usize, size: usize| -> Result<&[u8]> {
            let (head, tail) = rest.split_at_checked(count * size).ok_or_else(short)?;
            rest = tail;
            Ok(head)
        };
        let sizes: Vec<u64> = from_bytes(take(4, 8)?);
        let [owned, n, m, sends] = [0, 1, 2, 3].map(|i| sizes[i] as usize);
        Ok(Part {
            mesh: LocalMesh {
                owned,
                global_vertices: from_bytes(take(n, 4)?),
                points: from_bytes(take(n, 24)?),
                tetrahedra: from_bytes(take(m, 16)?),
                global_tetrahedra: from_bytes(take(m, 4)?),
                lengths: from_bytes(take(m, 48)?),
                domains: from_bytes(take(m, 4)?),
                halo: Halo::default(),
            },
            ghost_ranks: from_bytes(take(n - owned, 4)?),
            sends: from_bytes(take(sends, 8)?),
        })
    }

    /// Makes the halo.
    pub fn finish(self) -> LocalMesh {
        let mut mesh = self.mesh;
        let mut neighbours = BTreeMap::<usize, Neighbour>::new();
        for [rank, v] in self.sends {
            neighbour(&mut neighbours, rank).send.push(v);
        }
        for (ghost, rank) in (mesh.owned as u32..).zip(self.ghost_ranks) {
            neighbour(&mut neighbours, rank).receive.push(ghost);
        }
        mesh.halo = Halo::new(mesh.owned, neighbours.into_values().collect());
        mesh
    }
}

fn neighbour(of: &mut BTreeMap<usize, Neighbour>, rank: u32) -> &mut Neighbour {
    let neighbour = of.entry(rank as usize).or_default();
    neighbour.rank = rank as usize;
    neighbour
}
