//! A communicator that measures what its rank computes between communications.
//!
//! All ranks communicate in the same order, so that step i of one rank is step i of all, and the
//! steps of all give the time that no number of processors goes below ([`critical_path`]).

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Communicator;

/// Another communicator, measured.
pub struct Metered<'a> {
    inner: &'a dyn Communicator,
    meter: Mutex<Meter>,
}

struct Meter {
    /// Processor time of this thread at the end of the last communication, s.
    since: f64,
    /// Seconds computed before each communication.
    steps: Vec<f64>,
}

impl<'a> Metered<'a> {
    /// Measures the calling thread from now on.
    pub fn new(inner: &'a dyn Communicator) -> Self {
        Self {
            inner,
            meter: Mutex::new(Meter {
                since: thread_seconds(),
                steps: Vec::new(),
            }),
        }
    }

    /// Seconds computed before each communication so far, and after the last; starts anew.
    pub fn take(&self) -> Vec<f64> {
        self.stop();
        let steps = std::mem::take(&mut self.meter().steps);
        self.start();
        steps
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let now = thread_seconds();
        let mut meter = self.meter();
        let step = now - meter.since;
        meter.steps.push(step);
        meter.since = now;
    }

    fn start(&self) {
        self.meter().since = thread_seconds();
    }

    /// What the call itself takes is not the rank's: a collective of this process is not MPI's.
    fn around<R>(&self, call: impl FnOnce(&dyn Communicator) -> R) -> R {
        self.stop();
        let result = call(self.inner);
        self.start();
        result
    }
}

/// Σ over steps of the longest of all ranks, s: what remains with a processor for each rank and
/// messages that take no time.
pub fn critical_path(ranks: &[Vec<f64>]) -> f64 {
    let steps = ranks.iter().map(Vec::len).max().unwrap_or(0);
    (0..steps)
        .map(|i| {
            let of_ranks = ranks.iter().filter_map(|steps| steps.get(i));
            of_ranks.copied().fold(0.0, f64::max)
        })
        .sum()
}

impl Communicator for Metered<'_> {
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
    /// Sending and receiving count with the next step; waiting takes no processor time.
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        self.stop();
        self.inner.exchange(outgoing, incoming, meanwhile)
    }
    fn abort(&self, exit_code: u8) -> ! {
        self.inner.abort(exit_code)
    }
}

/// Processor time of the calling thread, s.
#[cfg(unix)]
fn thread_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the system writes one `timespec` to the place given; this clock exists on every unix.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Without such a clock the time of day must do: then waiting counts.
#[cfg(not(unix))]
fn thread_seconds() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |t| t.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads;

    #[test]
    fn critical_path_is_the_longest_of_each_step() {
        let ranks = [vec![1.0, 2.0, 0.5], vec![3.0, 1.0, 0.25], vec![0.0, 0.0]];
        assert_eq!(critical_path(&ranks), 5.5);
        assert_eq!(critical_path(&[]), 0.0);
    }

    /// A rank that computes is measured, one that waits for it is not.
    #[test]
    fn waiting_is_not_computing() {
        let steps = threads::run(2, |comm| {
            let metered = Metered::new(comm);
            if comm.rank() == 1 {
                let begun = thread_seconds();
                while thread_seconds() < begun + 0.05 {}
            }
            metered.barrier();
            metered.take()
        });
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert!(steps[1][0] >= 0.05 && steps[0][0] < 0.03, "{steps:?}");
    }
}
