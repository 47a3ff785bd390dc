//! The active list of the fast iterative method, in buckets of increasing arrival time.
//!
//! A vertex is active when its time fell and the tetrahedra around it do not know yet. Taking the
//! lowest bucket first keeps a time from being corrected again and again (classical FIM: about 200
//! local solves per vertex; in buckets: 20 to 40).
//!
//! A vertex that falls again enters its new bucket, too. Which entry counts is the caller's to
//! know: he is asked whether a vertex is still active.

/// Buckets beyond this many share the last one: correct still, only less ordered.
const MOST_BUCKETS: usize = 1 << 20;

/// Active vertices by arrival time.
#[derive(Debug, Clone)]
pub struct ActiveList {
    per_width: f64,
    buckets: Vec<Vec<u32>>,
    lowest: usize,
}

impl ActiveList {
    /// Empty list; bucket b holds times from b · `width` on.
    pub fn new(width: f64) -> Self {
        Self {
            per_width: 1.0 / width,
            buckets: Vec::new(),
            lowest: 0,
        }
    }

    /// Bucket of a time.
    #[inline(always)]
    fn bucket(&self, time: f64) -> usize {
        // The cast saturates.
        ((time * self.per_width) as usize).min(MOST_BUCKETS)
    }

    /// Adds vertex `v`, whose time fell from `before` to `time`; `active`: it is in the list
    /// already.
    #[inline(always)]
    pub fn activate(&mut self, v: u32, active: bool, before: f64, time: f64) {
        let bucket = self.bucket(time);
        // Already in that bucket; or a stale entry will be left behind in a later one.
        if active && self.bucket(before) == bucket {
            return;
        }
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(v);
        self.lowest = self.lowest.min(bucket);
    }

    /// The lowest bucket that holds an active vertex.
    pub fn lowest(&mut self, active: impl Fn(u32) -> bool) -> Option<usize> {
        while self.lowest < self.buckets.len() {
            let bucket = &mut self.buckets[self.lowest];
            // An entry whose vertex went out through a lower bucket is stale.
            while bucket.last().is_some_and(|v| !active(*v)) {
                bucket.pop();
            }
            if !bucket.is_empty() {
                return Some(self.lowest);
            }
            self.lowest += 1;
        }
        None
    }

    /// Moves the entries of a bucket for which `take` is true to `batch`, and drops the others.
    pub fn take(&mut self, bucket: usize, batch: &mut Vec<u32>, mut take: impl FnMut(u32) -> bool) {
        batch.clear();
        if let Some(entries) = self.buckets.get_mut(bucket) {
            batch.extend(entries.drain(..).filter(|v| take(*v)));
        }
    }
}
