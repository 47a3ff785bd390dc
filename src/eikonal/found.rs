//! Solutions found, each with what the caller calls its corner.

use super::block::LANES;
use super::compress::{Chosen, append};
use crate::real::Real;
use crate::simd::SimdLevel;

/// A growing list of labels and times.
pub struct Found<T> {
    len: usize,
    labels: Vec<u32>,
    times: Vec<T>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self {
            len: 0,
            labels: Vec::new(),
            times: Vec::new(),
        }
    }
}

impl<T: Real> Found<T> {
    /// Takes the `chosen` lanes.
    #[inline(always)]
    pub fn take(&mut self, level: SimdLevel, chosen: Chosen<T>, times: &[T], labels: &[u32]) {
        let at = self.len;
        // One register beyond the end may be written to.
        let needed = at + chosen.len + LANES;
        if needed > self.labels.len() {
            self.labels.resize(2 * needed, 0);
            self.times.resize(2 * needed, T::from_f64(0.0));
        }
        self.len += chosen.count(level);
        let labels = (labels, &mut self.labels[..]);
        append(level, chosen, [times], [&mut self.times], labels, 0, at);
    }

    /// Takes out all, in the order in which they came.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, T)> {
        let len = std::mem::take(&mut self.len);
        let labels = self.labels[..len].iter().copied();
        labels.zip(self.times[..len].iter().copied())
    }
}
