//! A communicator that keeps the time spent in it: sending, receiving and waiting for others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Communicator;

/// Another communicator, timed.
pub struct Timed<C> {
    inner: C,
    nanoseconds: AtomicU64,
}

impl<C: Communicator> Timed<C> {
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            nanoseconds: AtomicU64::new(0),
        }
    }

    fn add(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn around<R>(&self, call: impl FnOnce(&C) -> R) -> R {
        let begun = Instant::now();
        let result = call(&self.inner);
        self.add(begun.elapsed());
        result
    }
}

impl<C: Communicator> Communicator for Timed<C> {
    fn rank(&self) -> usize {
        self.inner.rank()
    }
    fn size(&self) -> usize {
        self.inner.size()
    }
    fn node_rank(&self) -> usize {
        self.inner.node_rank()
    }
    fn barrier(&self) {
        self.around(|comm| comm.barrier());
    }
    fn max_f64(&self, values: &mut [f64]) {
        self.around(|comm| comm.max_f64(values));
    }
    fn min_f64(&self, values: &mut [f64]) {
        self.around(|comm| comm.min_f64(values));
    }
    fn sum_f64(&self, values: &mut [f64]) {
        self.around(|comm| comm.sum_f64(values));
    }
    fn sum_u64(&self, values: &mut [u64]) {
        self.around(|comm| comm.sum_u64(values));
    }
    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) {
        self.around(|comm| comm.broadcast(root, bytes));
    }
    fn gather(&self, root: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.around(|comm| comm.gather(root, bytes))
    }
    fn scatter(&self, root: usize, parts: Vec<Vec<u8>>) -> Vec<u8> {
        self.around(|comm| comm.scatter(root, parts))
    }
    /// What is computed while messages travel does not count.
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        let (begun, mut computing) = (Instant::now(), Duration::ZERO);
        let received = self.inner.exchange(outgoing, incoming, &mut || {
            let begun = Instant::now();
            meanwhile();
            computing += begun.elapsed();
        });
        self.add(begun.elapsed().saturating_sub(computing));
        received
    }
    fn waited(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
    fn abort(&self, exit_code: u8) -> ! {
        self.inner.abort(exit_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::solo::Solo;

    #[test]
    fn what_is_computed_meanwhile_is_no_waiting() {
        let comm = Timed::new(Solo);
        assert_eq!(comm.waited(), Duration::ZERO);
        let pause = Duration::from_millis(50);
        let received = comm.exchange(&[], &[], &mut || std::thread::sleep(pause));
        assert!(received.is_empty());
        let waited = comm.waited();
        assert!(waited > Duration::ZERO && waited < pause, "{waited:?}");
        comm.barrier();
        assert!(comm.waited() > waited);
    }
}
