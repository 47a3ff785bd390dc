//! Isosurface stuffing: tetrahedra of bounded dihedral angles inside an implicit surface.
//!
//! Labelle & Shewchuk, ACM Trans. Graph. 26 (2007) 57, the uniform version. The lattice is
//! body-centred cubic: corners and centres of cubes of side a, joined by long edges (a, along
//! the axes) and short ones (√3 a/2, corner to centre). Each lattice vertex is inside or outside;
//! an edge between the two has a cut point on the surface. A vertex that a cut point violates, by
//! lying closer than α times the edge's length, is warped onto it and counts as on the surface. What
//! is inside of every lattice tetrahedron is then cut up by a fixed stencil. With
//! α = 0.24999 (long) and 0.41189 (short) all dihedral angles lie in 10.78° to 164.74°, whatever
//! the surface.

use rayon::prelude::*;

use super::lattice::{Lattice, Neighbours, SHORT};
use super::stencil::{INSIDE, OUTSIDE, SURFACE, Stencil};
use crate::tensor::{Vec3, add, scale, sub};

const ALPHA_LONG: f64 = 0.24999;
const ALPHA_SHORT: f64 = 0.41189;
/// Halvings that find a cut point: to 1e-14 of the edge.
const HALVINGS: usize = 46;

/// What stuffing makes; vertices inside come first, then those on the surface.
pub struct Stuffing {
    pub points: Vec<Vec3>,
    pub tetrahedra: Vec<[u32; 4]>,
    /// Number of vertices inside.
    pub interior: usize,
}

/// Cut point on the lattice edge of number `key`.
struct Cut {
    key: u64,
    /// Place on the edge, 0 at its lower vertex.
    at: f64,
}

/// Tetrahedra inside the surface `value` = 0 (negative inside) within [low, high], for a lattice of
/// cubes of `side` moved by `shift` sides. Only the largest connected piece is kept.
///
/// The same numbering for any number of threads.
pub fn stuff(
    value: &(impl Fn(Vec3) -> f64 + Sync),
    (low, high): (Vec3, Vec3),
    side: f64,
    shift: f64,
) -> Stuffing {
    let lattice = Lattice::around(low, high, side, shift);
    let mut class: Vec<u8> = (0..lattice.len())
        .into_par_iter()
        .map(|v| {
            if value(lattice.position(v)) < 0.0 {
                INSIDE
            } else {
                OUTSIDE
            }
        })
        .collect();
    let mut cuts = cut_points(&lattice, &class, value);
    let warped = warp(&lattice, &mut class, &cuts);
    keep_largest_piece(&lattice, &mut class);
    let steps = lattice.forward_steps();
    cuts.retain(|cut| {
        let (v, w, _) = lattice.ends(&steps, cut.key);
        class[v] + class[w] == INSIDE + OUTSIDE
    });

    // Numbers: inside, warped, cut; each in the order of the lattice.
    let mut number = vec![u32::MAX; lattice.len()];
    let mut points = Vec::new();
    for v in (0..class.len()).filter(|&v| class[v] == INSIDE) {
        number[v] = points.len() as u32;
        points.push(lattice.position(v));
    }
    let interior = points.len();
    let neighbours = Neighbours::new(&lattice);
    for &(v, position) in &warped {
        let touches_inside = neighbours.of(v).into_iter().any(|w| class[w] == INSIDE);
        if touches_inside {
            number[v] = points.len() as u32;
            points.push(position);
        }
    }
    let first_cut = points.len();
    points.extend(cuts.iter().map(|cut| {
        let (v, w, _) = lattice.ends(&steps, cut.key);
        between(lattice.position(v), lattice.position(w), cut.at)
    }));

    let keys: Vec<u64> = cuts.into_iter().map(|cut| cut.key).collect();
    let tetrahedra = fill(&lattice, &class, &number, &keys, first_cut);
    Stuffing {
        points,
        tetrahedra,
        interior,
    }
}

fn between(p: Vec3, q: Vec3, at: f64) -> Vec3 {
    add(p, scale(at, sub(q, p)))
}

/// Cut points of all edges between inside and outside, by bisection, in ascending order of key.
fn cut_points(lattice: &Lattice, class: &[u8], value: &(impl Fn(Vec3) -> f64 + Sync)) -> Vec<Cut> {
    let steps = lattice.forward_steps();
    let cuts_of = |v: usize| {
        let odd = v / lattice.layer_size() % 2;
        let inner = lattice.has_neighbours(v);
        (0..if inner { 7 } else { 0 }).filter_map(move |d| {
            let w = v.wrapping_add_signed(steps[odd][d]);
            (class[v] != class[w]).then(|| {
                let (p, q) = (lattice.position(v), lattice.position(w));
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (low + high);
                    if (value(between(p, q, middle)) < 0.0) == (class[v] == INSIDE) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                Cut {
                    key: 7 * v as u64 + d as u64,
                    at: 0.5 * (low + high),
                }
            })
        })
    };
    (0..lattice.len())
        .into_par_iter()
        .flat_map_iter(cuts_of)
        .collect()
}

/// Moves every violated vertex to the nearest cut point that violates it, one after the other: a
/// vertex on the surface takes the cut points of its edges away. Returns vertices and positions.
fn warp(lattice: &Lattice, class: &mut [u8], cuts: &[Cut]) -> Vec<(usize, Vec3)> {
    let steps = lattice.forward_steps();
    // (vertex, distance in sides, cut)
    let mut violations: Vec<(usize, f64, u32)> = Vec::new();
    for (c, cut) in cuts.iter().enumerate() {
        let (v, w, direction) = lattice.ends(&steps, cut.key);
        let (alpha, length) = if direction < SHORT {
            (ALPHA_LONG, 1.0)
        } else {
            (ALPHA_SHORT, 0.75f64.sqrt())
        };
        if cut.at < alpha {
            violations.push((v, cut.at * length, c as u32));
        } else if 1.0 - cut.at < alpha {
            violations.push((w, (1.0 - cut.at) * length, c as u32));
        }
    }
    violations
        .par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut warped = Vec::new();
    for (vertex, _, c) in violations {
        let (v, w, _) = lattice.ends(&steps, cuts[c as usize].key);
        if class[v] != SURFACE && class[w] != SURFACE {
            class[vertex] = SURFACE;
            let position = between(
                lattice.position(v),
                lattice.position(w),
                cuts[c as usize].at,
            );
            warped.push((vertex, position));
        }
    }
    warped
}

/// Takes all pieces but the largest out of the inside. Tetrahedra are connected through faces
/// where their inside vertices are connected through edges.
fn keep_largest_piece(lattice: &Lattice, class: &mut [u8]) {
    const VISITED: u8 = 3;
    let neighbours = Neighbours::new(lattice);
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut largest = 0;
    for start in 0..class.len() {
        if class[start] != INSIDE {
            continue;
        }
        class[start] = VISITED;
        let mut piece = vec![start];
        let mut next = 0;
        while next < piece.len() {
            let v = piece[next];
            next += 1;
            for w in neighbours.of(v) {
                if class[w] == INSIDE {
                    class[w] = VISITED;
                    piece.push(w);
                }
            }
        }
        pieces.push(piece);
        if pieces[largest].len() < pieces[pieces.len() - 1].len() {
            largest = pieces.len() - 1;
        }
    }
    for (i, piece) in pieces.iter().enumerate() {
        for &v in piece {
            class[v] = if i == largest { INSIDE } else { OUTSIDE };
        }
    }
}

/// The lattice tetrahedra, twelve to a corner, cut by the stencils.
fn fill(
    lattice: &Lattice,
    class: &[u8],
    number: &[u32],
    keys: &[u64],
    first_cut: usize,
) -> Vec<[u32; 4]> {
    let shapes = lattice.tetrahedra();
    let cut = |v: usize, w: usize| {
        let key = lattice.key(v, w);
        (first_cut + keys.partition_point(|&k| k < key)) as u32
    };
    let tetrahedra_at = |corner: usize| {
        let mut out = Vec::new();
        if lattice.has_neighbours(corner) {
            for (offsets, steps) in &shapes {
                let vertices = steps.map(|s| corner.wrapping_add_signed(s));
                Stencil {
                    class,
                    number,
                    cut: &cut,
                    out: &mut out,
                }
                .apply(vertices, offsets);
            }
        }
        out
    };
    let corners = (0..lattice.len())
        .into_par_iter()
        .filter(|v| (v / lattice.layer_size()).is_multiple_of(2));
    corners.flat_map_iter(tetrahedra_at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{cross, dot, norm};

    #[test]
    fn a_ball_is_filled_to_second_order() {
        let ball = |p: Vec3| norm(p) - 1.0;
        let error = |side: f64| {
            let mesh = stuff(&ball, ([-1.0; 3], [1.0; 3]), side, 0.3);
            let at = |v: u32| mesh.points[v as usize];
            for p in &mesh.points[mesh.interior..] {
                assert!(ball(*p).abs() < 1e-12);
            }
            let volume: f64 = (mesh.tetrahedra.iter())
                .map(|&[a, b, c, d]| {
                    let v = dot(
                        cross(sub(at(b), at(a)), sub(at(c), at(a))),
                        sub(at(d), at(a)),
                    ) / 6.0;
                    assert!(v > 0.0);
                    v
                })
                .sum();
            4.0 / 3.0 * std::f64::consts::PI - volume
        };
        let (coarse, fine) = (error(0.2), error(0.1));
        assert!(
            fine > 0.0 && (coarse / fine - 4.0).abs() < 0.4,
            "{coarse} {fine}"
        );
    }

    #[test]
    fn only_the_largest_piece_stays() {
        let two = |p: Vec3| (norm(p) - 1.0).min(norm(sub(p, [3.0, 0.0, 0.0])) - 0.5);
        let one = |p: Vec3| norm(p) - 1.0;
        let bounds = ([-1.0, -1.0, -1.0], [4.0, 1.0, 1.0]);
        let (a, b) = (stuff(&two, bounds, 0.2, 0.0), stuff(&one, bounds, 0.2, 0.0));
        assert_eq!((a.points, a.tetrahedra), (b.points, b.tetrahedra));
    }
}
