//! A communicator that measures what its rank computes between communications.
//!
//! All ranks communicate in the same order, so that step i of one rank is step i of all, and the
//! steps of all give the time that no number of processors goes below ([`critical_path`]).

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Communicator;
use super::watched::{Watch, Watched};

/// Another communicator, measured.
pub type Metered<'a> = Watched<&'a dyn Communicator, Meter>;

impl<'a> Metered<'a> {
    /// Measures the calling thread from now on.
    pub fn new(inner: &'a dyn Communicator) -> Self {
        Self::by(Meter::running(), inner)
    }

    /// Seconds computed before each communication so far, and after the last; starts anew.
    pub fn take(&self) -> Vec<f64> {
        self.watch
            .around(|| std::mem::take(&mut self.watch.readings().steps))
    }
}

/// Processor time of one thread, without that of its communication.
pub struct Meter {
    readings: Mutex<Readings>,
}

struct Readings {
    /// Processor time of this thread at the end of the last communication, s.
    since: f64,
    /// Seconds computed before each communication.
    steps: Vec<f64>,
}

impl Meter {
    fn running() -> Self {
        Self {
            readings: Mutex::new(Readings {
                since: thread_seconds(),
                steps: Vec::new(),
            }),
        }
    }

    fn readings(&self) -> MutexGuard<'_, Readings> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let now = thread_seconds();
        let mut readings = self.readings();
        let step = now - readings.since;
        readings.steps.push(step);
        readings.since = now;
    }

    fn start(&self) {
        self.readings().since = thread_seconds();
    }
}

impl Watch for Meter {
    /// What the call itself takes is not the rank's: a collective of this process is not MPI's.
    fn around<R>(&self, call: impl FnOnce() -> R) -> R {
        self.stop();
        let result = call();
        self.start();
        result
    }

    /// Sending and receiving count with the next step; waiting takes no processor time.
    fn around_exchange<R>(
        &self,
        call: impl FnOnce(&mut dyn FnMut()) -> R,
        meanwhile: &mut dyn FnMut(),
    ) -> R {
        self.stop();
        call(meanwhile)
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
