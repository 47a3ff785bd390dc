//! A communicator that keeps the time spent in it: sending, receiving and waiting for others.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Communicator;
use super::watched::{Watch, Watched};

/// The communicator that `C` points to, timed.
pub type Timed<C> = Watched<C, Stopwatch>;

impl<C: Deref<Target: Communicator>> Timed<C> {
    pub fn new(inner: C) -> Self {
        Self::by(Stopwatch::default(), inner)
    }
}

/// Time of day spent in communication.
#[derive(Default)]
pub struct Stopwatch {
    nanoseconds: AtomicU64,
}

impl Stopwatch {
    fn add(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Watch for Stopwatch {
    fn around<R>(&self, call: impl FnOnce() -> R) -> R {
        let begun = Instant::now();
        let result = call();
        self.add(begun.elapsed());
        result
    }

    /// What is computed while messages travel does not count.
    fn around_exchange<R>(
        &self,
        call: impl FnOnce(&mut dyn FnMut()) -> R,
        meanwhile: &mut dyn FnMut(),
    ) -> R {
        let (begun, mut computing) = (Instant::now(), Duration::ZERO);
        let received = call(&mut || {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::solo::Solo;

    #[test]
    fn what_is_computed_meanwhile_is_no_waiting() {
        let comm = Timed::new(&Solo);
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
