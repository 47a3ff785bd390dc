//! The causal order by levels: what can be computed at once.

use std::ops::Range;

use crate::eikonal::upwind::{CausalOrder, UpwindStencil};

/// A vertex comes a level after the last that it depends on; the members of a cycle are on one
/// level.
#[derive(Debug)]
pub struct Levels {
    /// The vertices, level by level.
    pub vertices: Vec<u32>,
    /// End of each level.
    pub ends: Vec<usize>,
    /// Cycles of each level, as ranges of the causal order.
    pub cycles: Vec<Vec<Range<usize>>>,
    /// Cycle of each vertex by number, [`NONE`] for most; empty without cycles.
    cycle_of: Vec<u32>,
}

/// No cycle.
const NONE: u32 = u32::MAX;

impl Levels {
    /// Whether two vertices are in one cycle.
    pub fn in_one_cycle(&self, u: u32, v: u32) -> bool {
        let cycle = |v: u32| self.cycle_of.get(v as usize).copied().unwrap_or(NONE);
        cycle(u) != NONE && cycle(u) == cycle(v)
    }

    /// The vertices of a level.
    pub fn range(&self, level: usize) -> Range<usize> {
        level.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[level]
    }
}

/// The levels of a causal order; `None` where a cycle spans ranks.
pub fn levels(order: &CausalOrder, stencils: &[UpwindStencil]) -> Option<Levels> {
    if order
        .rounds
        .iter()
        .any(|round| !round.shared_cycles.is_empty())
    {
        return None;
    }
    let mut cycle_of = match order.cycles.is_empty() {
        true => Vec::new(),
        false => vec![NONE; stencils.len()],
    };
    // Ghosts are at level 0.
    let mut level = vec![0u32; stencils.len()];
    let (mut counts, mut cycles) = (Vec::<usize>::new(), Vec::<Vec<Range<usize>>>::new());
    let (mut at, mut cycle) = (0, 0);
    while at < order.vertices.len() {
        let range = match order.cycles.get(cycle) {
            Some(range) if range.start == at => range.clone(),
            _ => at..at + 1,
        };
        let members = &order.vertices[range.clone()];
        // Members of the cycle itself have no level yet.
        let upwind = members.iter().flat_map(|v| stencils[*v as usize].upwind());
        let before = upwind
            .map(|(u, _)| level.get(u as usize).copied().unwrap_or(0))
            .max();
        let mine = before.unwrap_or(0) as usize;
        if counts.len() <= mine {
            counts.resize(mine + 1, 0);
            cycles.resize(mine + 1, Vec::new());
        }
        counts[mine] += members.len();
        for &v in members {
            level[v as usize] = mine as u32 + 1;
        }
        if order.cycles.get(cycle) == Some(&range) {
            members
                .iter()
                .for_each(|v| cycle_of[*v as usize] = cycle as u32);
            cycles[mine].push(range.clone());
            cycle += 1;
        }
        at = range.end;
    }
    let mut ends = counts;
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    let mut next: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    let mut vertices = vec![0; order.vertices.len()];
    for &v in &order.vertices {
        let slot = &mut next[level[v as usize] as usize - 1];
        vertices[*slot] = v;
        *slot += 1;
    }
    Some(Levels {
        vertices,
        ends,
        cycles,
        cycle_of,
    })
}
