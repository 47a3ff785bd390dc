//! Isosurface stuffing: tetrahedra of bounded dihedral angles inside an implicit surface.
//!
//! Labelle & Shewchuk, ACM Trans. Graph. 26 (2007) 57, the uniform version. The lattice is
//! body-centred cubic (BCC): corners and centres of cubes of side a, joined by long edges (a, along
//! the axes) and short ones (√3 a/2, corner to centre). Each lattice vertex is inside or outside;
//! an edge between the two has a cut point on the surface. A vertex that a cut point violates, by
//! lying closer than α times the edge's length, is warped onto it and counts as on the surface. What
//! is inside of every lattice tetrahedron is then cut up by a fixed stencil. With
//! α = 0.24999 (long) and 0.41189 (short) all dihedral angles lie in 10.78° to 164.74°, whatever
//! the surface.

use rayon::prelude::*;

use crate::tensor::{Vec3, add, scale, sub};

const ALPHA_LONG: f64 = 0.24999;
const ALPHA_SHORT: f64 = 0.41189;
/// Halvings that find a cut point: to 1e-14 of the edge.
const HALVINGS: usize = 46;

/// Forward half of the 14 edges of a lattice vertex, in half sides a/2: three long, four short.
const FORWARD: [[i64; 3]; 7] = [
    [2, 0, 0],
    [0, 2, 0],
    [0, 0, 2],
    [-1, -1, 1],
    [1, -1, 1],
    [-1, 1, 1],
    [1, 1, 1],
];
const SHORT: usize = 3;

/// Centres around a long edge, counterclockwise; each and the next make a tetrahedron with it.
const AROUND: [[i64; 2]; 4] = [[1, 1], [-1, 1], [-1, -1], [1, -1]];

const OUTSIDE: u8 = 0;
const INSIDE: u8 = 1;
const SURFACE: u8 = 2;

/// What stuffing makes; vertices inside come first, then those on the surface.
pub struct Stuffing {
    pub points: Vec<Vec3>,
    pub tetrahedra: Vec<[u32; 4]>,
    /// Number of vertices inside.
    pub interior: usize,
}

/// BCC lattice over a box. Layer l = 2z/a holds corners if even, centres if odd; both have
/// `columns` × `rows` vertices, so that one number names a lattice vertex.
struct Lattice {
    columns: usize,
    rows: usize,
    layers: usize,
    origin: Vec3,
    side: f64,
}

impl Lattice {
    /// Lattice with at least two empty cells around [low, high], moved by `shift` < 1 sides.
    fn around(low: Vec3, high: Vec3, side: f64, shift: f64) -> Self {
        let cells: [usize; 3] =
            std::array::from_fn(|i| ((high[i] - low[i]) / side).ceil() as usize + 6);
        Self {
            columns: cells[0],
            rows: cells[1],
            layers: 2 * cells[2],
            origin: std::array::from_fn(|i| low[i] - (2.0 + shift) * side),
            side,
        }
    }

    fn layer_size(&self) -> usize {
        self.columns * self.rows
    }

    fn len(&self) -> usize {
        self.layer_size() * self.layers
    }

    fn position(&self, v: usize) -> Vec3 {
        let layer = v / self.layer_size();
        let half = (layer % 2) as f64 * 0.5;
        let (column, row) = (v % self.columns, v / self.columns % self.rows);
        let steps = [column as f64 + half, row as f64 + half, layer as f64 * 0.5];
        add(self.origin, scale(self.side, steps))
    }

    /// Number of the vertex at `offset` (half sides) from a vertex whose layer is `odd` (0 or 1)
    /// minus that vertex's number.
    fn step(&self, odd: i64, offset: [i64; 3]) -> isize {
        let shift = |s: i64| if s % 2 == 0 { s / 2 } else { (s - 1) / 2 + odd };
        let columns = shift(offset[0]) + shift(offset[1]) * self.columns as i64;
        (columns + offset[2] * self.layer_size() as i64) as isize
    }

    /// Steps of the forward edges from even and from odd layers.
    fn forward_steps(&self) -> [[isize; 7]; 2] {
        [0, 1].map(|odd| FORWARD.map(|offset| self.step(odd, offset)))
    }

    /// Whether `v` has all its neighbours; the rim of the box has not, and is outside the shape.
    fn has_neighbours(&self, v: usize) -> bool {
        let (column, row) = (v % self.columns, v / self.columns % self.rows);
        let layer = v / self.layer_size();
        (1..self.columns - 1).contains(&column)
            && (1..self.rows - 1).contains(&row)
            && (2..self.layers - 2).contains(&layer)
    }
}

/// The 14 neighbours of a lattice vertex.
struct Neighbours {
    layer_size: usize,
    /// From even and from odd layers.
    steps: [[isize; 14]; 2],
}

impl Neighbours {
    fn new(lattice: &Lattice) -> Self {
        let steps = [0, 1].map(|odd| {
            std::array::from_fn(|i| {
                let sign = if i < 7 { 1 } else { -1 };
                lattice.step(odd, FORWARD[i % 7].map(|x| sign * x))
            })
        });
        Self {
            layer_size: lattice.layer_size(),
            steps,
        }
    }

    fn of(&self, v: usize) -> [usize; 14] {
        self.steps[v / self.layer_size % 2].map(|step| v.wrapping_add_signed(step))
    }
}

/// Cut point on the lattice edge `key` = 7 · lower vertex + forward direction.
struct Cut {
    key: u64,
    /// Place on the edge, 0 at its lower vertex.
    at: f64,
}

/// Number of lattice vertices that [`stuff`] works on, five bytes each.
pub fn lattice_size((low, high): (Vec3, Vec3), side: f64) -> f64 {
    2.0 * (0..3)
        .map(|i| (high[i] - low[i]) / side + 7.0)
        .product::<f64>()
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
        let (v, w, _) = ends(&lattice, &steps, cut.key);
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
        let (v, w, _) = ends(&lattice, &steps, cut.key);
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

/// Lower vertex, upper vertex and direction of the edge `key`.
fn ends(lattice: &Lattice, steps: &[[isize; 7]; 2], key: u64) -> (usize, usize, usize) {
    let (v, direction) = ((key / 7) as usize, (key % 7) as usize);
    let odd = v / lattice.layer_size() % 2;
    (v, v.wrapping_add_signed(steps[odd][direction]), direction)
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
        let (v, w, direction) = ends(lattice, &steps, cut.key);
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
        let (v, w, _) = ends(lattice, &steps, cuts[c as usize].key);
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
    // Offsets in half sides and steps of the vertices of the twelve tetrahedra.
    let mut shapes = Vec::with_capacity(12);
    for axis in 0..3 {
        for side in 0..4 {
            let mut offsets = [[0i64; 3]; 4];
            offsets[1][axis] = 2;
            for (i, corner) in [side, (side + 1) % 4].into_iter().enumerate() {
                let [u, v] = AROUND[corner];
                offsets[2 + i][axis] = 1;
                offsets[2 + i][(axis + 1) % 3] = u;
                offsets[2 + i][(axis + 2) % 3] = v;
            }
            shapes.push((offsets, offsets.map(|offset| lattice.step(0, offset))));
        }
    }
    let cut = |v: usize, w: usize| {
        let (low, high) = (v.min(w), v.max(w));
        let odd = low / lattice.layer_size() % 2;
        let steps = FORWARD.map(|offset| lattice.step(odd as i64, offset));
        let direction = steps
            .iter()
            .position(|&s| s == (high - low) as isize)
            .unwrap_or(0);
        let key = 7 * low as u64 + direction as u64;
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

/// One vertex of a lattice tetrahedron.
#[derive(Clone, Copy)]
struct Corner {
    vertex: usize,
    /// Place in half sides.
    offset: [i64; 3],
}

/// Cuts the inside out of lattice tetrahedra.
struct Stencil<'a, C> {
    class: &'a [u8],
    number: &'a [u32],
    /// Number of the cut point between two vertices.
    cut: &'a C,
    out: &'a mut Vec<[u32; 4]>,
}

impl<C: Fn(usize, usize) -> u32> Stencil<'_, C> {
    /// `vertices` are positively oriented, and so is what is appended.
    fn apply(&mut self, vertices: [usize; 4], offsets: &[[i64; 3]; 4]) {
        let class = vertices.map(|v| self.class[v]);
        let count = |c: u8| class.iter().filter(|&&x| x == c).count();
        let (inside, outside) = (count(INSIDE), count(OUTSIDE));
        if inside == 0 {
            return;
        }
        if outside == 0 {
            self.out.push(vertices.map(|v| self.number[v]));
            return;
        }
        // Inside first, then surface, then outside; the order is even unless `flip`.
        let rank = |c: u8| [2, 0, 1][c as usize];
        let mut order = [0, 1, 2, 3];
        let mut flip = false;
        for end in (1..4).rev() {
            for i in 0..end {
                if rank(class[order[i]]) > rank(class[order[i + 1]]) {
                    order.swap(i, i + 1);
                    flip = !flip;
                }
            }
        }
        let c = order.map(|i| Corner {
            vertex: vertices[i],
            offset: offsets[i],
        });
        match (inside, outside) {
            (1, _) => {
                let from = |i: usize| {
                    let surface = self.class[c[i].vertex] == SURFACE;
                    if surface {
                        self.own(c[i])
                    } else {
                        self.between(c[0], c[i])
                    }
                };
                let tetrahedron = [self.own(c[0]), from(1), from(2), from(3)];
                self.push(flip, tetrahedron);
            }
            (2, 1) => self.cut_two_of_three(flip, c),
            (2, _) => self.cut_two_of_four(flip, c),
            _ => self.cut_three_of_four(flip, c),
        }
    }

    /// p, q inside, z on the surface, n outside: a pyramid over a quadrilateral.
    fn cut_two_of_three(&mut self, flip: bool, [p, q, z, n]: [Corner; 4]) {
        let (pn, qn) = (self.between(p, n), self.between(q, n));
        let (p_, q_, z_) = (self.own(p), self.own(q), self.own(z));
        if diagonal_from_first(p, q, n) {
            self.push(flip, [p_, q_, z_, qn]);
            self.push(flip, [p_, qn, z_, pn]);
        } else {
            self.push(flip, [p_, q_, z_, pn]);
            self.push(flip, [pn, q_, z_, qn]);
        }
    }

    /// p, q inside, m, n outside: a prism whose two inner diagonals never share an end.
    fn cut_two_of_four(&mut self, flip: bool, [p, q, m, n]: [Corner; 4]) {
        let (p, q, flip) = if diagonal_from_first(p, q, m) {
            (p, q, flip)
        } else {
            (q, p, !flip)
        };
        let (pm, pn) = (self.between(p, m), self.between(p, n));
        let (qm, qn) = (self.between(q, m), self.between(q, n));
        let (p_, q_) = (self.own(p), self.own(q));
        self.push(flip, [p_, q_, qm, pn]);
        self.push(flip, [p_, qm, pm, pn]);
        self.push(flip, [pn, q_, qm, qn]);
    }

    /// p, q, r inside, n outside: a prism; n has one long edge.
    fn cut_three_of_four(&mut self, flip: bool, [p, q, r, n]: [Corner; 4]) {
        let (p, q, r) = if is_long(p, n) {
            (p, q, r)
        } else if is_long(q, n) {
            (q, r, p)
        } else {
            (r, p, q)
        };
        let (pn, qn, rn) = (self.between(p, n), self.between(q, n), self.between(r, n));
        let (p_, q_, r_) = (self.own(p), self.own(q), self.own(r));
        self.push(flip, [p_, q_, r_, pn]);
        if diagonal_from_first(q, r, n) {
            self.push(flip, [pn, q_, r_, rn]);
            self.push(flip, [pn, q_, rn, qn]);
        } else {
            self.push(flip, [pn, q_, r_, qn]);
            self.push(flip, [pn, qn, r_, rn]);
        }
    }

    fn own(&self, c: Corner) -> u32 {
        self.number[c.vertex]
    }

    fn between(&self, c: Corner, d: Corner) -> u32 {
        (self.cut)(c.vertex, d.vertex)
    }

    fn push(&mut self, flip: bool, [a, b, c, d]: [u32; 4]) {
        self.out
            .push(if flip { [a, b, d, c] } else { [a, b, c, d] });
    }
}

fn is_long(c: Corner, d: Corner) -> bool {
    (0..3).filter(|&i| c.offset[i] != d.offset[i]).count() == 1
}

/// Which diagonal of the quadrilateral p, q and their cut points towards n both tetrahedra of this
/// face take: from p (true) or from q. It ends in the cut point of a long edge; between two short
/// edges parity decides, so that two quadrilaterals of a prism never share an inside vertex.
fn diagonal_from_first(p: Corner, q: Corner, n: Corner) -> bool {
    if is_long(p, n) {
        return false;
    }
    if is_long(q, n) {
        return true;
    }
    (0..3).filter(|&i| p.offset[i] > n.offset[i]).count() % 2 == 0
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
