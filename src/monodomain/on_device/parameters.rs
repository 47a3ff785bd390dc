//! Structures that kernels take by value, as `layout.cuh` and its neighbours have them.

use bytemuck::{Pod, Zeroable};

use crate::monodomain::layout::Layout;
use crate::monodomain::tile::Edges;

/// Where cells lie.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Box {
    pub origin: i32,
    pub layer_stride: i32,
    pub row_stride: i32,
    pub size: [i32; 3],
    pub first: [i32; 3],
    pub last: [i32; 3],
    pub low: [i32; 3],
    pub high: [i32; 3],
}

/// No edge on this side.
const NOWHERE: i32 = i32::MAX / 2;

impl Box {
    pub fn new(layout: &Layout, edges: &Edges) -> Self {
        let size = layout.size.map(|n| n as i32);
        let ghost = layout.ghost.map(|n| n as i32);
        let low = |a: usize| edges[a][0].map_or(-NOWHERE, |beyond| -beyond as i32);
        let high = |a: usize| edges[a][1].map_or(NOWHERE, |beyond| size[a] + beyond as i32);
        Self {
            origin: layout.index([0; 3]) as i32,
            layer_stride: layout.layer_stride as i32,
            row_stride: layout.row_stride as i32,
            size,
            first: std::array::from_fn(|a| -ghost[a]),
            last: std::array::from_fn(|a| size[a] + ghost[a]),
            low: std::array::from_fn(low),
            high: std::array::from_fn(high),
        }
    }
}

/// Cells of interest.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Extent {
    pub low: [i32; 3],
    pub high: [i32; 3],
}

impl Extent {
    /// Cells along an axis, 0 where there are none.
    pub fn len(&self, axis: usize) -> u32 {
        (self.high[axis] - self.low[axis]).max(0) as u32
    }

    pub fn is_empty(&self) -> bool {
        (0..3).any(|a| self.len(a) == 0)
    }

    /// The owned cells and `margin` more where there are ghosts, to an edge at most.
    pub fn with_margin(layout: &Layout, edges: &Edges, margin: usize) -> Self {
        let beyond = |a: usize, side: usize| match edges[a][side] {
            Some(beyond) => (margin as isize).min(beyond) as i32,
            None if layout.ghost[a] > 0 => margin as i32,
            None => 0,
        };
        Self {
            low: std::array::from_fn(|a| -beyond(a, 0)),
            high: std::array::from_fn(|a| layout.size[a] as i32 + beyond(a, 1)),
        }
    }

    /// The owned cells that lie `depth` or more from ghosts.
    pub fn interior(layout: &Layout, edges: &Edges, depth: usize) -> Self {
        let away = |a: usize, side: usize| match edges[a][side] {
            None if layout.ghost[a] > 0 => depth as i32,
            _ => 0,
        };
        Self {
            low: std::array::from_fn(|a| away(a, 0)),
            high: std::array::from_fn(|a| layout.size[a] as i32 - away(a, 1)),
        }
    }

    /// Boxes that make up what this has and `inner` has not.
    pub fn without(&self, inner: &Extent) -> Vec<Extent> {
        if inner.is_empty() {
            return vec![*self];
        }
        let (mut rest, mut boxes) = (*self, Vec::new());
        for a in 0..3 {
            let (mut below, mut above) = (rest, rest);
            below.high[a] = inner.low[a];
            above.low[a] = inner.high[a];
            rest.low[a] = inner.low[a];
            rest.high[a] = inner.high[a];
            boxes.extend([below, above].into_iter().filter(|b| !b.is_empty()));
        }
        boxes
    }
}

/// A cell, or the first of a block.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Place {
    pub position: i32,
    pub layer: i32,
    pub row: i32,
    pub column: i32,
}

impl Place {
    pub fn new(layout: &Layout, cell: [isize; 3]) -> Self {
        let [layer, row, column] = cell.map(|i| i as i32);
        Self {
            position: layout.index(cell) as i32,
            layer,
            row,
            column,
        }
    }
}

/// Where upstrokes are recorded.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Pod, Zeroable)]
pub struct Recorder {
    pub first: u64,
    pub last: u64,
    pub kept: u64,
    pub apd: u64,
    pub count: u64,
    pub peak: u64,
    pub threshold: f64,
    pub rest: f64,
    pub dt: f64,
    pub keep: i32,
    pub durations: i32,
    pub on: i32,
    pub unused: i32,
}

/// A box of cells from one array to another: positions and strides.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Copy {
    pub from: [i32; 3],
    pub to: [i32; 3],
    pub size: [i32; 3],
    pub unused: i32,
}

/// What one thread found of the largest |u|.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Largest {
    pub size: f64,
    pub cell: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a box around an inner one hold every cell once.
    #[test]
    fn what_is_left_of_a_box_is_whole() {
        let outer = Extent {
            low: [-1, -2, 0],
            high: [5, 4, 7],
        };
        for inner in [
            Extent {
                low: [1, 0, 2],
                high: [3, 3, 7],
            },
            Extent {
                low: [2, 2, 2],
                high: [2, 4, 4],
            },
        ] {
            let parts = outer.without(&inner);
            for l in -1..5 {
                for r in -2..4 {
                    for c in 0..7 {
                        let has = |e: &Extent| {
                            let at = [l, r, c];
                            (0..3).all(|a| (e.low[a]..e.high[a]).contains(&at[a]))
                        };
                        let times = parts.iter().filter(|e| has(e)).count();
                        assert_eq!(times, usize::from(!has(&inner)), "{l} {r} {c}");
                    }
                }
            }
        }
    }
}
