//! What one rank holds: its vertices, all tetrahedra that touch them, ghosts for the rest, and once
//! more the tetrahedra that touch those ghosts.
//!
//! The iteration needs no more than the near ghosts, those that share a tetrahedron with an owned
//! vertex. The passes in causal order go across the boundary of two parts many times where the
//! wave runs along it; a rank computes there what it holds all about, and so needs to hear of the
//! other far less often (half as many rounds as with near ghosts alone).

use std::collections::BTreeMap;

use super::curve::hilbert_keys;
use crate::comm::halo::{Halo, Neighbour};
use crate::comm::{Communicator, agree, from_bytes};
use crate::error::{Error, Result};
use crate::tensor::{Metric, Vec3, sub};

/// Part of a mesh on one rank, in local numbering: owned vertices first, along a space-filling
/// curve, near ghosts after, far ghosts last.
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
    /// Of all ghosts.
    pub halo: Halo,
    /// Of the near ghosts.
    pub near_halo: Halo,
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
    /// Those that touch a near ghost of each rank, but none of its vertices.
    far_tetrahedra: Vec<Vec<u32>>,
    near: NearRanks,
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
        let near = NearRanks::new(whole);
        let (tetrahedra, far_tetrahedra) = tetrahedra_of_ranks(whole, &near, ranks);
        Self {
            tetrahedra,
            far_tetrahedra,
            near,
            vertices,
            local: vec![0; whole.points.len()],
            whole,
        }
    }

    /// Cuts out the part of `rank`.
    fn cut(&mut self, rank: usize) -> Part {
        let Self {
            whole, local, near, ..
        } = self;
        let (list, mut owned) = (&self.tetrahedra[rank], self.vertices[rank].clone());
        let far_list = &self.far_tetrahedra[rank];
        let rank = rank as u32;
        let points: Vec<Vec3> = owned.iter().map(|v| whole.points[*v as usize]).collect();
        let keys = hilbert_keys(&points);
        let mut order: Vec<u32> = (0..owned.len() as u32).collect();
        order.sort_by_key(|i| keys[*i as usize]);
        owned = order.iter().map(|i| owned[*i as usize]).collect();

        // Ascending numbers in the file: both sides of a halo agree on this order.
        let ghosts_of = |list: &[u32]| {
            let corners = list.iter().flat_map(|t| whole.tetrahedra[*t as usize]);
            let mut ghosts: Vec<u32> = corners
                .filter(|v| whole.parts[*v as usize] != rank)
                .collect();
            ghosts.sort_unstable();
            ghosts.dedup();
            ghosts
        };
        let mut ghosts = ghosts_of(list);
        let mut far = ghosts_of(far_list);
        far.retain(|v| ghosts.binary_search(v).is_err());
        ghosts.extend(far);

        for (l, v) in (0u32..).zip(owned.iter().chain(&ghosts)) {
            local[*v as usize] = l;
        }
        let (mut sends, mut far_sends) = (Vec::new(), Vec::new());
        let mut tetrahedra: Vec<([u32; 4], u32)> = Vec::with_capacity(list.len() + far_list.len());
        for &t in list {
            let tet = whole.tetrahedra[t as usize];
            tetrahedra.push((tet.map(|v| local[v as usize]), t));
            for v in tet.into_iter().filter(|v| whole.parts[*v as usize] == rank) {
                for u in tet {
                    let other = whole.parts[u as usize];
                    if other != rank {
                        sends.push([other, 0, v]);
                    }
                    let others = near.of(u).iter().filter(|other| **other != rank);
                    far_sends.extend(others.map(|other| [*other, 1, v]));
                }
            }
        }
        for &t in far_list {
            let tet = whole.tetrahedra[t as usize];
            tetrahedra.push((tet.map(|v| local[v as usize]), t));
        }
        // By (rank, near before far, number in the file), the order in which the other side lists
        // its ghosts.
        sends.sort_unstable();
        sends.dedup();
        far_sends.retain(|[other, _, v]| sends.binary_search(&[*other, 0, *v]).is_err());
        sends.extend(far_sends);
        sends.sort_unstable();
        sends.dedup();
        let sends = sends.into_iter();
        let sends = sends
            .map(|[other, _, v]| [other, local[v as usize]])
            .collect();
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
                near_halo: Halo::default(),
            },
        }
    }
}

/// The other ranks that hold each vertex as a near ghost.
struct NearRanks {
    offsets: Vec<u32>,
    ranks: Vec<u32>,
}

impl NearRanks {
    fn new(whole: &WholeMesh) -> Self {
        let mut pairs = Vec::new();
        for tet in whole.tetrahedra {
            let parts = tet.map(|v| whole.parts[v as usize]);
            for (v, part) in tet.iter().zip(parts) {
                let others = parts.into_iter().filter(|other| *other != part);
                pairs.extend(others.map(|other| [*v, other]));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut offsets = vec![0; whole.points.len() + 1];
        for [v, _] in &pairs {
            offsets[*v as usize + 1] += 1;
        }
        for v in 0..whole.points.len() {
            offsets[v + 1] += offsets[v];
        }
        Self {
            offsets,
            ranks: pairs.into_iter().map(|[_, rank]| rank).collect(),
        }
    }

    fn of(&self, v: u32) -> &[u32] {
        &self.ranks[self.offsets[v as usize] as usize..self.offsets[v as usize + 1] as usize]
    }
}

/// The tetrahedra that touch a vertex of each rank, and those that touch a near ghost but no vertex
/// of it, in the file's order.
fn tetrahedra_of_ranks(
    whole: &WholeMesh,
    near: &NearRanks,
    ranks: usize,
) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let (mut lists, mut far_lists) = (vec![Vec::new(); ranks], vec![Vec::new(); ranks]);
    let mut far: Vec<u32> = Vec::new();
    for (t, tet) in (0u32..).zip(whole.tetrahedra) {
        let parts = tet.map(|v| whole.parts[v as usize]);
        for (i, part) in parts.iter().enumerate() {
            if !parts[..i].contains(part) {
                lists[*part as usize].push(t);
            }
        }
        far.clear();
        let all = tet.iter().flat_map(|v| near.of(*v));
        far.extend(all.filter(|rank| !parts.contains(rank)));
        far.sort_unstable();
        far.dedup();
        for rank in &far {
            far_lists[*rank as usize].push(t);
        }
    }
    (lists, far_lists)
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
                near_halo: Halo::default(),
            },
            ghost_ranks: from_bytes(take(n - owned, 4)?),
            sends: from_bytes(take(sends, 8)?),
        })
    }

    /// Makes the halos.
    pub fn finish(self) -> LocalMesh {
        // (rank, owned vertex) and near ghosts: those that share a tetrahedron.
        let owned = self.mesh.owned as u32;
        let (mut near_sends, mut is_near) = (Vec::new(), vec![false; self.ghost_ranks.len()]);
        for tet in &self.mesh.tetrahedra {
            for ghost in tet.iter().filter_map(|u| u.checked_sub(owned)) {
                let rank = self.ghost_ranks[ghost as usize];
                let here = tet.iter().filter(|v| **v < owned);
                near_sends.extend(here.map(|v| [rank, *v]));
                is_near[ghost as usize] |= tet.iter().any(|v| *v < owned);
            }
        }
        near_sends.sort_unstable();
        near_sends.dedup();
        let halo = self.halo(|_| true, |_| true);
        let near_halo = self.halo(
            |send| near_sends.binary_search(send).is_ok(),
            |ghost| is_near[ghost],
        );
        LocalMesh {
            halo,
            near_halo,
            ..self.mesh
        }
    }

    /// Halo of some of the sends and ghosts.
    fn halo(&self, sends: impl Fn(&[u32; 2]) -> bool, receives: impl Fn(usize) -> bool) -> Halo {
        let mut neighbours = BTreeMap::<usize, Neighbour>::new();
        let mut neighbour = |rank: u32, add: &mut dyn FnMut(&mut Neighbour)| {
            let neighbour = neighbours.entry(rank as usize).or_default();
            neighbour.rank = rank as usize;
            add(neighbour);
        };
        for [rank, v] in self.sends.iter().filter(|send| sends(send)) {
            neighbour(*rank, &mut |n| n.send.push(*v));
        }
        for (ghost, rank) in self.ghost_ranks.iter().enumerate() {
            if receives(ghost) {
                let local = (self.mesh.owned + ghost) as u32;
                neighbour(*rank, &mut |n| n.receive.push(local));
            }
        }
        Halo::new(self.mesh.owned, neighbours.into_values().collect())
    }
}
