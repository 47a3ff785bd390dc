//! Stencils of isosurface stuffing: the inside of one lattice tetrahedron as tetrahedra.

/// Classes of lattice vertices.
pub const OUTSIDE: u8 = 0;
pub const INSIDE: u8 = 1;
pub const SURFACE: u8 = 2;

/// One vertex of a lattice tetrahedron.
#[derive(Clone, Copy)]
struct Corner {
    vertex: usize,
    /// Place in half sides.
    offset: [i64; 3],
}

/// Cuts the inside out of lattice tetrahedra.
pub struct Stencil<'a, C> {
    /// Class and number of each lattice vertex.
    pub class: &'a [u8],
    pub number: &'a [u32],
    /// Number of the cut point between two vertices.
    pub cut: &'a C,
    pub out: &'a mut Vec<[u32; 4]>,
}

impl<C: Fn(usize, usize) -> u32> Stencil<'_, C> {
    /// `vertices` are positively oriented, and so is what is appended.
    pub fn apply(&mut self, vertices: [usize; 4], offsets: &[[i64; 3]; 4]) {
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
