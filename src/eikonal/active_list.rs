//! The active list of the fast iterative method, in buckets of increasing arrival time.
//!
//! A vertex is active when its time fell and the tetrahedra around it do not know yet. Taking the
//! lowest bucket first keeps a time from being corrected again and again (classical FIM: about 200
//! local solves per vertex; in buckets: 30 to 40).

/// Buckets beyond this many share the last one: correct still, only less ordered.
const MOST_BUCKETS: usize = 1 << 20;

/// Active vertices by arrival time.
#[derive(Debug, Clone)]
pub struct ActiveList {
    per_width: f64,
    buckets: Vec<Vec<u32>>,
    lowest: usize,
    active: Vec<bool>,
}

impl ActiveList {
    /// Empty list; bucket b holds times from b · `width` on.
    pub fn new(vertices: usize, width: f64) -> Self {
        Self {
            per_width: 1.0 / width,
            buckets: Vec::new(),
            lowest: 0,
            active: vec![false; vertices],
        }
    }

    /// Bucket of a time.
    #[inline(always)]
    fn bucket(&self, time: f64) -> usize {
        // The cast saturates.
        ((time * self.per_width) as usize).min(MOST_BUCKETS)
    }

    /// Makes vertex `v` active: its time fell from `before` to `time`.
    #[inline(always)]
    pub fn activate(&mut self, v: u32, before: f64, time: f64) {
        let bucket = self.bucket(time);
        // Already in that bucket; or a stale entry will be left behind in a later one.
        if std::mem::replace(&mut self.active[v as usize], true) && self.bucket(before) == bucket {
            return;
        }
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(v);
        self.lowest = self.lowest.min(bucket);
    }

    /// The lowest bucket that holds an active vertex.
    pub fn lowest(&mut self) -> Option<usize> {
        while self.lowest < self.buckets.len() {
            let (bucket, active) = (&mut self.buckets[self.lowest], &self.active);
            // An entry whose vertex went out through a lower bucket is stale.
            while bucket.last().is_some_and(|v| !active[*v as usize]) {
                bucket.pop();
            }
            if !bucket.is_empty() {
                return Some(self.lowest);
            }
            self.lowest += 1;
        }
        None
    }

    /// Moves the active vertices of a bucket to `batch`; they are active no longer.
    pub fn take(&mut self, bucket: usize, batch: &mut Vec<u32>) {
        batch.clear();
        batch.append(&mut self.buckets[bucket]);
        batch.retain(|v| std::mem::take(&mut self.active[*v as usize]));
    }
}
