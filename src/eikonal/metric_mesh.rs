//! The mesh as the solver sees it: four indices, six squared metric lengths and the domain of each
//! tetrahedron, together in memory, and the tetrahedra at each vertex.
//!
//! Vertices are numbered owned first, ghosts after. Inside a tetrahedron, and in the list of a
//! vertex, the order is that of the file, whatever the numbering: results do not depend on it.

use super::local_solver::Corner;
use crate::real::Real;
use crate::simd::prefetch;

/// One tetrahedron.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Tetrahedron<T> {
    /// Local vertices, in the file's order.
    pub vertices: [u32; 4],
    /// L_ij = (x_i − x_j)ᵀ N (x_i − x_j) for γ = 1, ms², pairs 01 02 03 12 13 23.
    pub lengths: [T; 6],
    /// Material domain.
    pub domain: u32,
}

/// A corner of a tetrahedron: tetrahedron · 4 + corner.
pub type Incidence = u32;

/// Part of the mesh that one rank computes on.
#[derive(Debug, Clone)]
pub struct MetricMesh<T> {
    /// Vertices 0..owned are updated here, the rest are ghosts.
    pub owned: usize,
    pub tetrahedra: Vec<Tetrahedron<T>>,
    /// Corners at vertex v: `incidences[offsets[v]..offsets[v + 1]]`, in the file's order of
    /// tetrahedra, without those among ghosts alone.
    offsets: Vec<u32>,
    incidences: Vec<Incidence>,
}

/// The other corners of each corner, ascending.
pub const FACE: [[usize; 3]; 4] = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]];

/// Index of pair (i, j) among 01 02 03 12 13 23.
const PAIR: [[usize; 4]; 4] = [[0, 0, 1, 2], [0, 0, 3, 4], [1, 3, 0, 5], [2, 4, 5, 0]];

/// Indices of l12 l13 l23 l14 l24 l34 for each corner as vertex 4.
pub const CORNER_PAIRS: [[usize; 6]; 4] = {
    let mut table = [[0; 6]; 4];
    let mut c = 0;
    while c < 4 {
        let [a, b, d] = FACE[c];
        table[c] = [
            PAIR[a][b], PAIR[a][d], PAIR[b][d], PAIR[a][c], PAIR[b][c], PAIR[d][c],
        ];
        c += 1;
    }
    table
};

impl<T: Real> Tetrahedron<T> {
    /// Metric lengths as seen from `corner`, divided by γ.
    #[inline(always)]
    pub fn corner_lengths(&self, corner: usize, inv_gamma: T) -> [T; 6] {
        let [a, b, c, d, e, f] = CORNER_PAIRS[corner];
        let l = &self.lengths;
        // Written out: `map` over an array is not always inlined.
        [
            l[a] * inv_gamma,
            l[b] * inv_gamma,
            l[c] * inv_gamma,
            l[d] * inv_gamma,
            l[e] * inv_gamma,
            l[f] * inv_gamma,
        ]
    }

    /// Local solve data of `corner`, arrival times of the face from `phi`.
    #[inline(always)]
    pub fn corner(&self, corner: usize, inv_gamma: T, phi: &[T]) -> Corner<T> {
        let [l12, l13, l23, l14, l24, l34] = self.corner_lengths(corner, inv_gamma);
        Corner {
            l12,
            l13,
            l23,
            l14,
            l24,
            l34,
            phi: {
                let [a, b, c] = FACE[corner];
                [
                    phi[self.vertices[a] as usize],
                    phi[self.vertices[b] as usize],
                    phi[self.vertices[c] as usize],
                ]
            },
        }
    }
}

impl<T: Real> MetricMesh<T> {
    /// Builds the lists of corners; `file_order` gives the tetrahedra in the file's order.
    pub fn new(
        owned: usize,
        vertices: usize,
        tetrahedra: Vec<Tetrahedron<T>>,
        file_order: impl Iterator<Item = u32>,
    ) -> Self {
        let mut offsets = vec![0u32; vertices + 1];
        let touches_owned =
            |tet: &Tetrahedron<T>| tet.vertices.iter().any(|v| (*v as usize) < owned);
        for tet in tetrahedra.iter().filter(|tet| touches_owned(tet)) {
            for v in tet.vertices {
                offsets[v as usize + 1] += 1;
            }
        }
        for v in 0..vertices {
            offsets[v + 1] += offsets[v];
        }
        let mut next = offsets.clone();
        let mut incidences = vec![0; offsets[vertices] as usize];
        for t in file_order {
            let tet = &tetrahedra[t as usize];
            if !touches_owned(tet) {
                continue;
            }
            for (c, v) in (0u32..).zip(tet.vertices) {
                let slot = &mut next[v as usize];
                incidences[*slot as usize] = t << 2 | c;
                *slot += 1;
            }
        }
        Self {
            owned,
            tetrahedra,
            offsets,
            incidences,
        }
    }

    /// The same mesh in another number type.
    pub fn converted<U: Real>(&self) -> MetricMesh<U> {
        MetricMesh {
            owned: self.owned,
            tetrahedra: self
                .tetrahedra
                .iter()
                .map(|tet| Tetrahedron {
                    vertices: tet.vertices,
                    lengths: tet.lengths.map(|l| U::from_f64(l.value())),
                    domain: tet.domain,
                })
                .collect(),
            offsets: self.offsets.clone(),
            incidences: self.incidences.clone(),
        }
    }

    /// Material domain of a tetrahedron.
    #[inline(always)]
    pub fn domain(&self, tetrahedron: u32) -> usize {
        self.tetrahedra[tetrahedron as usize].domain as usize
    }

    /// Owned vertices and ghosts.
    pub fn vertex_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The corners of a tetrahedron whose vertices are below number `end`, a bit each.
    #[inline(always)]
    pub fn corners_below(&self, end: usize, tet: &Tetrahedron<T>) -> u8 {
        if end == self.vertex_count() {
            return 15;
        }
        let [a, b, c, d] = tet.vertices.map(|v| u8::from((v as usize) < end));
        a | b << 1 | c << 2 | d << 3
    }

    /// Asks for the corners at `vertex` to be in the cache soon.
    #[inline(always)]
    pub fn prefetch_incidences(&self, vertex: u32) {
        let (start, end) = (
            self.offsets[vertex as usize],
            self.offsets[vertex as usize + 1],
        );
        for i in (start..end).step_by(16) {
            prefetch(&self.incidences, i as usize);
        }
    }

    /// The vertex at a corner.
    #[inline(always)]
    pub fn vertex_at(&self, incidence: Incidence) -> u32 {
        self.tetrahedra[(incidence >> 2) as usize].vertices[(incidence & 3) as usize]
    }

    /// Position of the first corner of `vertex` in the list of all corners.
    #[inline(always)]
    pub fn first_incidence(&self, vertex: u32) -> u32 {
        self.offsets[vertex as usize]
    }

    /// Corners at `vertex`, in the file's order of tetrahedra; of a ghost those of tetrahedra that
    /// touch an owned vertex.
    #[inline(always)]
    pub fn incidences(&self, vertex: u32) -> &[Incidence] {
        let v = vertex as usize;
        &self.incidences[self.offsets[v] as usize..self.offsets[v + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each corner's six lengths are those between the vertices they are named after.
    #[test]
    fn corner_lengths_are_those_of_the_named_pairs() {
        // L_ij = 10 i + j identifies the pair.
        let tet = Tetrahedron {
            vertices: [0, 1, 2, 3],
            lengths: [1.0, 2.0, 3.0, 12.0, 13.0, 23.0],
            domain: 0,
        };
        for (c, [a, b, d]) in FACE.into_iter().enumerate() {
            let name = |i: usize, j: usize| (10 * i.min(j) + i.max(j)) as f64;
            assert_eq!(
                tet.corner_lengths(c, 1.0),
                [
                    name(a, b),
                    name(a, d),
                    name(b, d),
                    name(a, c),
                    name(b, c),
                    name(d, c)
                ]
            );
        }
    }
}
