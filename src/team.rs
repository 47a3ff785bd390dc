//! The threads of a rank, in step.
//!
//! A block of steps may take a few microseconds, less than it takes to hand work to a thread pool.
//! So each thread runs through all blocks of an advance by itself, and they wait for one another by
//! spinning.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// Threads that work together; the calling thread is one of them.
pub struct Team {
    others: Option<ThreadPool>,
    threads: usize,
}

impl Team {
    /// # Errors
    /// [`Error::BadData`]: the system starts no more threads.
    pub fn new(threads: usize) -> Result<Self> {
        let others = (threads > 1)
            .then(|| ThreadPoolBuilder::new().num_threads(threads - 1).build())
            .transpose()
            .map_err(|e| {
                Error::bad_data(
                    "run.threads",
                    format!("{threads} threads could not be started: {e}"),
                    "ask for fewer with --threads",
                )
            })?;
        Ok(Self { others, threads })
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work(thread, barrier)` on all threads, and `lead(barrier)` on the calling one.
    pub fn run(&self, work: impl Fn(usize, &Barrier) + Sync, lead: impl FnOnce(&Barrier)) {
        let barrier = Barrier::new(self.threads);
        match &self.others {
            None => lead(&barrier),
            Some(pool) => pool.in_place_scope(|scope| {
                for thread in 1..self.threads {
                    let (work, barrier) = (&work, &barrier);
                    scope.spawn(move |_| {
                        let _guard = Guard(barrier);
                        work(thread, barrier);
                    });
                }
                let _guard = Guard(&barrier);
                lead(&barrier);
            }),
        }
    }
}

/// Where the threads of a team wait for one another.
pub struct Barrier {
    threads: usize,
    waiting: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

/// Turns of spinning, about 5 µs, before a thread lets others have its processor: on a busy machine
/// one of them may be the thread that it waits for.
const SPINS: usize = 200;

impl Barrier {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            waiting: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns when all threads are here. What they wrote before, all see after.
    pub fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Release);
            self.round.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let mut spins = 0;
        while self.round.load(Ordering::Acquire) == round {
            // A thread that panicked will never come.
            assert!(
                !self.broken.load(Ordering::Acquire),
                "another thread of the team panicked"
            );
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// Breaks the barrier when its thread panics, so that the others do not wait for ever.
struct Guard<'a>(&'a Barrier);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_keep_in_step() {
        let team = Team::new(3).unwrap();
        let (count, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let turn = |barrier: &Barrier| {
            for round in 1..=1000 {
                count.fetch_add(1, Ordering::Relaxed);
                barrier.wait();
                if count.load(Ordering::Relaxed) != 3 * round {
                    wrong.fetch_add(1, Ordering::Relaxed);
                }
                barrier.wait();
            }
        };
        team.run(|_, barrier| turn(barrier), turn);
        assert_eq!(count.into_inner(), 3000);
        assert_eq!(wrong.into_inner(), 0);
    }

    #[test]
    fn a_panic_of_one_thread_ends_all() {
        let panic = std::panic::catch_unwind(|| {
            let team = Team::new(2).unwrap();
            team.run(|_, _| panic!("on purpose"), |barrier| barrier.wait());
        });
        // Both threads panic; what comes out is that of the first to end.
        let said = *panic.unwrap_err().downcast::<&str>().unwrap();
        assert!(
            ["on purpose", "another thread of the team panicked"].contains(&said),
            "{said}"
        );
    }
}
