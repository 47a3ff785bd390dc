//! Disjoint sets (union–find): what hangs together, and in how many pieces.

/// Sets of the numbers from 0 to n − 1, at first each number alone. The root of a set is its least
/// number.
pub(super) struct DisjointSets {
    parent: Vec<u32>,
}

impl DisjointSets {
    pub(super) fn new(n: u32) -> Self {
        Self {
            parent: (0..n).collect(),
        }
    }

    /// Root of the set of `v`, halving the path.
    pub(super) fn root(&mut self, mut v: u32) -> u32 {
        let parent = &mut self.parent;
        while parent[v as usize] != v {
            parent[v as usize] = parent[parent[v as usize] as usize];
            v = parent[v as usize];
        }
        v
    }

    /// Makes one set of those of `a` and `b`; whether they were two.
    pub(super) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
        a != b
    }
}
