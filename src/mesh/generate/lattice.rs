//! The body-centred cubic (BCC) lattice, addressed by one number.

use crate::tensor::{Vec3, add, scale};

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
/// First of the short ones.
pub const SHORT: usize = 3;

/// Centres around a long edge, counterclockwise; each and the next make a tetrahedron with it.
const AROUND: [[i64; 2]; 4] = [[1, 1], [-1, 1], [-1, -1], [1, -1]];

/// BCC lattice over a box. Layer l = 2z/a holds corners if even, centres if odd; both have
/// `columns` × `rows` vertices, so that one number names a lattice vertex.
pub struct Lattice {
    columns: usize,
    rows: usize,
    layers: usize,
    origin: Vec3,
    side: f64,
}

impl Lattice {
    /// Lattice with at least two empty cells around [low, high], moved by `shift` < 1 sides.
    pub fn around(low: Vec3, high: Vec3, side: f64, shift: f64) -> Self {
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

    pub fn layer_size(&self) -> usize {
        self.columns * self.rows
    }

    pub fn len(&self) -> usize {
        self.layer_size() * self.layers
    }

    pub fn position(&self, v: usize) -> Vec3 {
        let layer = v / self.layer_size();
        let half = (layer % 2) as f64 * 0.5;
        let (column, row) = (v % self.columns, v / self.columns % self.rows);
        let steps = [column as f64 + half, row as f64 + half, layer as f64 * 0.5];
        add(self.origin, scale(self.side, steps))
    }

    /// Number of the vertex at `offset` (half sides) from a vertex whose layer is `odd` (0 or 1)
    /// minus that vertex's number.
    pub fn step(&self, odd: i64, offset: [i64; 3]) -> isize {
        let shift = |s: i64| if s % 2 == 0 { s / 2 } else { (s - 1) / 2 + odd };
        let columns = shift(offset[0]) + shift(offset[1]) * self.columns as i64;
        (columns + offset[2] * self.layer_size() as i64) as isize
    }

    /// Steps of the forward edges from even and from odd layers.
    pub fn forward_steps(&self) -> [[isize; 7]; 2] {
        [0, 1].map(|odd| FORWARD.map(|offset| self.step(odd, offset)))
    }

    /// Whether `v` has all its neighbours; the rim of the box has not, and is outside the shape.
    pub fn has_neighbours(&self, v: usize) -> bool {
        let (column, row) = (v % self.columns, v / self.columns % self.rows);
        let layer = v / self.layer_size();
        (1..self.columns - 1).contains(&column)
            && (1..self.rows - 1).contains(&row)
            && (2..self.layers - 2).contains(&layer)
    }

    /// Number of the edge between neighbours v and w: 7 · lower vertex + forward direction.
    pub fn key(&self, v: usize, w: usize) -> u64 {
        let (low, high) = (v.min(w), v.max(w));
        let odd = low / self.layer_size() % 2;
        let ahead = (high - low) as isize;
        let steps = FORWARD.map(|offset| self.step(odd as i64, offset));
        let direction = steps.iter().position(|&step| step == ahead).unwrap_or(0);
        7 * low as u64 + direction as u64
    }

    /// Lower vertex, upper vertex and direction of the edge `key`; `steps` are the forward ones.
    pub fn ends(&self, steps: &[[isize; 7]; 2], key: u64) -> (usize, usize, usize) {
        let (v, direction) = ((key / 7) as usize, (key % 7) as usize);
        let odd = v / self.layer_size() % 2;
        (v, v.wrapping_add_signed(steps[odd][direction]), direction)
    }

    /// The twelve tetrahedra of a corner, positively oriented: offsets of their vertices from it in
    /// half sides, and steps.
    pub fn tetrahedra(&self) -> Vec<([[i64; 3]; 4], [isize; 4])> {
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
                shapes.push((offsets, offsets.map(|offset| self.step(0, offset))));
            }
        }
        shapes
    }
}

/// The 14 neighbours of a lattice vertex.
pub struct Neighbours {
    layer_size: usize,
    /// From even and from odd layers.
    steps: [[isize; 14]; 2],
}

impl Neighbours {
    pub fn new(lattice: &Lattice) -> Self {
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

    pub fn of(&self, v: usize) -> [usize; 14] {
        self.steps[v / self.layer_size % 2].map(|step| v.wrapping_add_signed(step))
    }
}

/// Number of lattice vertices over a box, in advance; some more than there will be.
pub fn size_around((low, high): (Vec3, Vec3), side: f64) -> f64 {
    2.0 * (0..3)
        .map(|i| (high[i] - low[i]) / side + 7.0)
        .product::<f64>()
}
