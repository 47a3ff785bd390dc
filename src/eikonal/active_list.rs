//! The active list of the fast iterative method, in buckets of increasing arrival time.
//!
//! A vertex is active when its time fell and the tetrahedra around it do not know yet. Taking the
//! lowest buckets first keeps a time from being corrected again and again (classical FIM: about 200
//! local solves per vertex; in buckets: 20 to 40).
//!
//! A vertex that falls again enters its new bucket, too, and leaves a stale entry behind. Which entry
//! counts is the caller's to know: he is asked whether a vertex is still active.

/// Buckets beyond this many share the last one: correct still, only less ordered.
const MOST_BUCKETS: usize = 1 << 20;

/// Buckets of a batch at most.
pub const WINDOW: usize = 4;

/// Active vertices by arrival time.
#[derive(Debug, Clone)]
pub struct ActiveList {
    per_width: f64,
    buckets: Vec<Bucket>,
    lowest: usize,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    entries: Vec<u32>,
    /// Those that are not stale.
    active: usize,
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
        if active {
            let before = self.bucket(before);
            if before == bucket {
                return;
            }
            self.buckets[before].active -= 1;
        }
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Bucket::default);
        }
        self.buckets[bucket].entries.push(v);
        self.buckets[bucket].active += 1;
        self.lowest = self.lowest.min(bucket);
    }

    /// The lowest bucket that holds an active vertex, and how many it and the next ones hold.
    pub fn lowest(&mut self) -> Option<(usize, [usize; WINDOW])> {
        while self.lowest < self.buckets.len() {
            if self.buckets[self.lowest].active > 0 {
                let rest = &self.buckets[self.lowest..];
                let count = |b: usize| rest.get(b).map_or(0, |bucket| bucket.active);
                return Some((self.lowest, std::array::from_fn(count)));
            }
            self.buckets[self.lowest].entries.clear();
            self.lowest += 1;
        }
        None
    }

    /// Moves the entries of the buckets for which `take` is true to `batch`, and drops the others.
    pub fn take(
        &mut self,
        buckets: std::ops::Range<usize>,
        batch: &mut Vec<u32>,
        mut take: impl FnMut(u32) -> bool,
    ) {
        batch.clear();
        let count = self.buckets.len();
        for bucket in &mut self.buckets[buckets.start.min(count)..buckets.end.min(count)] {
            batch.extend(bucket.entries.drain(..).filter(|v| take(*v)));
            bucket.active = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a batch takes, and what is counted, against a plain list of times.
    #[test]
    fn buckets_hold_what_a_plain_list_holds() {
        let mut list = ActiveList::new(0.5);
        // They only fall.
        let mut times = [200.0; 40];
        let mut active = [false; 40];
        let mut next = 1u32;
        let mut random = move || {
            next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(next >> 8) / f64::from(1 << 24)
        };
        let mut batch = Vec::new();
        for round in 0..400 {
            for _ in 0..5 {
                let v = (random() * 40.0) as usize;
                let before = times[v];
                times[v] *= 0.8 + 0.2 * random();
                list.activate(v as u32, active[v], before, times[v]);
                active[v] = true;
            }
            let bucket = |v: usize| (times[v] / 0.5) as usize;
            let buckets = || (0..40).filter(|v| active[*v]).map(bucket);
            let from = buckets().min().unwrap();
            let count = |b| buckets().filter(|bucket| *bucket == from + b).count();
            assert_eq!(list.lowest(), Some((from, std::array::from_fn(count))));
            let end = from + 1 + round % WINDOW;
            let mut expected: Vec<u32> = (0u32..40)
                .filter(|v| active[*v as usize] && bucket(*v as usize) < end)
                .collect();
            list.take(from..end, &mut batch, |v| {
                std::mem::take(&mut active[v as usize])
            });
            batch.sort_unstable();
            expected.sort_unstable();
            assert_eq!(batch, expected);
        }
    }
}
