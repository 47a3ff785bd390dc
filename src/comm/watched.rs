//! A communicator around another, with a watch on its calls: the time spent in them
//! ([`super::timed`]), or what is computed between them ([`super::metered`]). Calls are passed on
//! here and nowhere else.

use std::ops::Deref;
use std::time::Duration;

use super::Communicator;

/// What is measured about the calls of one rank.
pub trait Watch: Send + Sync {
    /// Makes a collective call.
    fn around<R>(&self, call: impl FnOnce() -> R) -> R;

    /// Makes an exchange, a `call` that takes what is computed `meanwhile`.
    fn around_exchange<R>(
        &self,
        call: impl FnOnce(&mut dyn FnMut()) -> R,
        meanwhile: &mut dyn FnMut(),
    ) -> R;

    /// See [`Communicator::waited`].
    fn waited(&self) -> Duration {
        Duration::ZERO
    }
}

/// The communicator that `C` points to, watched by `W`.
pub struct Watched<C, W> {
    inner: C,
    pub(super) watch: W,
}

impl<C: Deref<Target: Communicator>, W: Watch> Watched<C, W> {
    pub(super) fn by(watch: W, inner: C) -> Self {
        Self { inner, watch }
    }

    fn around<R>(&self, call: impl FnOnce(&C::Target) -> R) -> R {
        self.watch.around(|| call(&self.inner))
    }
}

impl<C: Deref<Target: Communicator> + Send + Sync, W: Watch> Communicator for Watched<C, W> {
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
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        let exchange =
            |meanwhile: &mut dyn FnMut()| self.inner.exchange(outgoing, incoming, meanwhile);
        self.watch.around_exchange(exchange, meanwhile)
    }
    fn waited(&self) -> Duration {
        self.watch.waited()
    }
    fn abort(&self, exit_code: u8) -> ! {
        self.inner.abort(exit_code)
    }
}
