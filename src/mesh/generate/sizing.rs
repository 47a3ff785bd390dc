//! How fine a lattice gives a mean edge length, and how large the mesh will be, from one coarse
//! sample of the shape.

use rayon::prelude::*;

use super::lattice;
use super::stuffing::{Stuffing, stuff};
use super::ventricle::Ventricles;
use crate::tensor::{cross, dot, norm, sub};

/// Largest side of the lattice's cubes that fills a wall without holes, as a part of its thickness.
const LARGEST_SIDE: f64 = 0.7;
/// Most lattice vertices of the sample: a second or two.
const LARGEST_SAMPLE: f64 = 3e7;
/// Mean edge of the BCC lattice of side 1: three long edges and four short ones at each vertex.
const BCC_EDGE: f64 = (3.0 + 4.0 * 0.866_025_403_784_438_6) / 7.0;

/// What stuffing makes of a shape, as functions of the side a: tetrahedra 12 V/a³ + T/a², vertices
/// 2 V/a³ + P/a², mean edge (0.9234 − k a) a; T, P and k account for the surface.
#[derive(Debug, Clone, Copy)]
pub struct Sizing {
    volume: f64,
    surface_tetrahedra: f64,
    surface_points: f64,
    shortening: f64,
    largest_side: f64,
}

impl Sizing {
    /// Measures `shape` on a lattice that just resolves it; `None` for one whose walls are so thin
    /// that this is too much for a sample.
    pub fn of(shape: &Ventricles) -> Option<Self> {
        let largest_side = LARGEST_SIDE * shape.narrowest();
        let side = 0.7 * largest_side;
        let vertices = lattice::size_around(shape.bounds(), side);
        if vertices.is_nan() || vertices > LARGEST_SAMPLE {
            return None;
        }
        let mesh = stuff(&|p| shape.value(p), shape.bounds(), side, 0.0);
        let volume = volume(&mesh);
        let cells = volume / side.powi(3);
        Some(Self {
            volume,
            surface_tetrahedra: (mesh.tetrahedra.len() as f64 - 12.0 * cells) * side * side,
            surface_points: (mesh.points.len() as f64 - 2.0 * cells) * side * side,
            shortening: (BCC_EDGE - mean_edge(&mesh) / side) / side,
            largest_side,
        })
    }

    /// Largest mean edge length that resolves the shape.
    pub fn largest_edge(&self) -> f64 {
        (BCC_EDGE - self.shortening * self.largest_side) * self.largest_side
    }

    /// Smallest mean edge length with at most `tetrahedra`.
    pub fn smallest_edge(&self, tetrahedra: f64) -> f64 {
        1.01 * BCC_EDGE * (12.0 * self.volume / tetrahedra).cbrt()
    }

    /// Side of the lattice for the mean length `edge`, at most the largest that resolves the shape.
    pub fn side(&self, edge: f64) -> f64 {
        let mut side = edge / BCC_EDGE;
        for _ in 0..30 {
            side = edge / (BCC_EDGE - self.shortening * side.min(self.largest_side));
        }
        side.min(self.largest_side)
    }

    /// Vertices and tetrahedra for a lattice of `side`.
    pub fn size(&self, side: f64) -> (f64, f64) {
        let (cells, squares) = (self.volume / side.powi(3), 1.0 / (side * side));
        (
            2.0 * cells + self.surface_points * squares,
            12.0 * cells + self.surface_tetrahedra * squares,
        )
    }
}

fn volume(mesh: &Stuffing) -> f64 {
    let at = |v: u32| mesh.points[v as usize];
    (mesh.tetrahedra.iter())
        .map(|&[a, b, c, d]| {
            dot(
                cross(sub(at(b), at(a)), sub(at(c), at(a))),
                sub(at(d), at(a)),
            ) / 6.0
        })
        .sum()
}

fn mean_edge(mesh: &Stuffing) -> f64 {
    let mut edges: Vec<[u32; 2]> = (mesh.tetrahedra.iter())
        .flat_map(|&[a, b, c, d]| [[a, b], [a, c], [a, d], [b, c], [b, d], [c, d]])
        .map(|[v, w]| [v.min(w), v.max(w)])
        .collect();
    edges.par_sort_unstable();
    edges.dedup();
    let length = |&[v, w]: &[u32; 2]| norm(sub(mesh.points[v as usize], mesh.points[w as usize]));
    edges.iter().map(length).sum::<f64>() / edges.len() as f64
}
