//! Ranks as threads of one process, for tests and for simulating more ranks than there are cores.
//!
//! Waiting ranks sleep (no spinning), so a thousand ranks run on two cores. Everything is built on
//! one queue of messages per rank; messages of one sender arrive in the order sent.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Communicator;
use super::collective::{assert_one_part_per_rank, from_bytes};

/// Virtual size of a rank's stack; pages that are not touched cost nothing.
pub const STACK_BYTES: usize = 8 << 20;

/// Runs `body` on `ranks` ranks and returns their results in order of rank.
///
/// A panic on one rank ends the others at their next wait and is raised again here. A rank that
/// waits for one that has returned panics too, since it would wait for ever.
pub fn run<T: Send>(ranks: usize, body: impl Fn(&dyn Communicator) -> T + Sync) -> Vec<T> {
    run_with_stack(ranks, STACK_BYTES, body)
}

/// [`run`] with stacks of `stack_bytes`.
pub fn run_with_stack<T: Send>(
    ranks: usize,
    stack_bytes: usize,
    body: impl Fn(&dyn Communicator) -> T + Sync,
) -> Vec<T> {
    let group = Group {
        members: (0..ranks).map(|_| Member::default()).collect(),
        failed: AtomicBool::new(false),
    };
    let (group, body) = (&group, &body);
    let outcomes: Vec<Result<T, Box<dyn Any + Send>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ranks)
            .map(|rank| {
                std::thread::Builder::new()
                    .name(format!("rank {rank}"))
                    .stack_size(stack_bytes)
                    .spawn_scoped(scope, move || {
                        let outcome =
                            catch_unwind(AssertUnwindSafe(|| body(&ThreadRank { group, rank })));
                        group.leave(rank, outcome.is_err());
                        outcome
                    })
                    .map_err(|e| {
                        group.fail();
                        Box::new(format!("cannot start a thread for rank {rank}: {e}")) as _
                    })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.and_then(|t| t.join().and_then(|outcome| outcome)))
            .collect()
    });
    // The first cause, not a rank that ended because of it.
    let mut results = Vec::with_capacity(ranks);
    let mut cause: Option<Box<dyn Any + Send>> = None;
    for outcome in outcomes {
        match outcome {
            Ok(value) => results.push(value),
            Err(e) if cause.as_ref().is_none_or(|c| c.is::<EndedByAnother>()) => cause = Some(e),
            Err(_) => {}
        }
    }
    match cause {
        None => results,
        Some(cause) => resume_unwind(cause),
    }
}

/// Payload of a rank that ends because another one failed.
struct EndedByAnother;

/// All ranks.
struct Group {
    members: Vec<Member>,
    failed: AtomicBool,
}

/// What one rank shows the others.
#[derive(Default)]
struct Member {
    /// Messages to this rank, by sender.
    inbox: Mutex<HashMap<usize, VecDeque<Vec<u8>>>>,
    /// Something that this rank may wait for has changed.
    news: Condvar,
    /// Its body has returned: it will send nothing more.
    left: AtomicBool,
}

impl Member {
    /// No code that could panic runs under this lock, so poison means nothing here.
    fn inbox(&self) -> MutexGuard<'_, HashMap<usize, VecDeque<Vec<u8>>>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.wake_all();
    }

    fn leave(&self, rank: usize, failed: bool) {
        self.members[rank].left.store(true, Ordering::Release);
        if failed {
            self.failed.store(true, Ordering::Release);
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        for member in &self.members {
            // Under the lock, so that no rank is between its test and its sleep.
            let _inbox = member.inbox();
            member.news.notify_all();
        }
    }
}

/// One rank.
struct ThreadRank<'a> {
    group: &'a Group,
    rank: usize,
}

impl ThreadRank<'_> {
    fn send(&self, to: usize, bytes: Vec<u8>) {
        let member = &self.group.members[to];
        member
            .inbox()
            .entry(self.rank)
            .or_default()
            .push_back(bytes);
        member.news.notify_all();
    }

    fn receive(&self, from: usize) -> Vec<u8> {
        let me = &self.group.members[self.rank];
        let mut inbox = me.inbox();
        loop {
            if let Some(bytes) = inbox.get_mut(&from).and_then(VecDeque::pop_front) {
                return bytes;
            }
            if self.group.failed.load(Ordering::Acquire) {
                drop(inbox);
                // Not `panic!`: one message on the terminal is enough.
                resume_unwind(Box::new(EndedByAnother));
            }
            if self.group.members[from].left.load(Ordering::Acquire) {
                drop(inbox);
                panic!(
                    "rank {} waits for a message from rank {from}, which has returned",
                    self.rank
                );
            }
            inbox = me.news.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Element-wise `combine` over ranks in order of rank, on all ranks.
    fn reduce<V: bytemuck::Pod>(&self, values: &mut [V], combine: impl Fn(V, V) -> V) {
        let mut total = bytemuck::cast_slice(values).to_vec();
        if self.rank == 0 {
            for other in 1..self.size() {
                let theirs: Vec<V> = from_bytes(&self.receive(other));
                assert_eq!(theirs.len(), values.len(), "reduction of unequal lengths");
                for (mine, theirs) in values.iter_mut().zip(theirs) {
                    *mine = combine(*mine, theirs);
                }
            }
            total = bytemuck::cast_slice(values).to_vec();
        } else {
            self.send(0, std::mem::take(&mut total));
        }
        self.broadcast(0, &mut total);
        values.copy_from_slice(&from_bytes::<V>(&total));
    }
}

impl Communicator for ThreadRank<'_> {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.group.members.len()
    }
    fn node_rank(&self) -> usize {
        self.rank
    }
    fn barrier(&self) {
        self.reduce::<u8>(&mut [], |a, _| a);
    }
    fn max_f64(&self, values: &mut [f64]) {
        self.reduce(values, f64::max);
    }
    fn min_f64(&self, values: &mut [f64]) {
        self.reduce(values, f64::min);
    }
    fn sum_f64(&self, values: &mut [f64]) {
        self.reduce(values, |a, b| a + b);
    }
    fn sum_u64(&self, values: &mut [u64]) {
        self.reduce(values, u64::wrapping_add);
    }
    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) {
        if self.rank == root {
            for other in (0..self.size()).filter(|r| *r != root) {
                self.send(other, bytes.clone());
            }
        } else {
            *bytes = self.receive(root);
        }
    }
    fn gather(&self, root: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.send(root, bytes.to_vec());
        if self.rank != root {
            return Vec::new();
        }
        (0..self.size()).map(|rank| self.receive(rank)).collect()
    }
    fn scatter(&self, root: usize, parts: Vec<Vec<u8>>) -> Vec<u8> {
        if self.rank == root {
            assert_one_part_per_rank(self, &parts);
            for (rank, part) in parts.into_iter().enumerate() {
                self.send(rank, part);
            }
        }
        self.receive(root)
    }
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        for (to, bytes) in outgoing {
            self.send(*to, bytes.clone());
        }
        meanwhile();
        incoming.iter().map(|from| self.receive(*from)).collect()
    }
    /// Ends the ranks with a panic that [`run`] raises again; the process goes on.
    fn abort(&self, exit_code: u8) -> ! {
        panic!("rank {} aborted with exit code {exit_code}", self.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(cause: Box<dyn Any + Send>) -> String {
        let text = cause.downcast_ref::<&str>().map(|s| (*s).to_string());
        text.or_else(|| cause.downcast_ref::<String>().cloned())
            .unwrap_or_default()
    }

    #[test]
    fn panic_of_one_rank_ends_all_and_is_the_one_reported() {
        let outcome = catch_unwind(|| {
            run(8, |comm| {
                if comm.rank() == 5 {
                    panic!("rank 5 broke");
                }
                comm.barrier();
            })
        });
        assert_eq!(message(outcome.unwrap_err()), "rank 5 broke");
    }

    #[test]
    fn rank_that_returns_early_does_not_hang_the_others() {
        let outcome = catch_unwind(|| {
            run(3, |comm| {
                if comm.rank() != 2 {
                    comm.barrier();
                }
            })
        });
        assert!(message(outcome.unwrap_err()).contains("rank 2, which has returned"));
    }

    #[test]
    fn thousand_ranks() {
        let sums = run_with_stack(1024, 256 << 10, |comm| {
            let mut sum = [comm.rank() as u64, 1];
            for _ in 0..3 {
                comm.barrier();
            }
            comm.sum_u64(&mut sum);
            sum
        });
        assert!(sums.iter().all(|s| *s == [1023 * 512, 1024]));
    }
}
