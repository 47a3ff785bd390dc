//! A single process that no MPI launcher started: every collective is the identity.

use super::Communicator;
use super::collective::assert_one_part_per_rank;

/// The only rank.
pub struct Solo;

impl Communicator for Solo {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        1
    }
    fn node_rank(&self) -> usize {
        0
    }
    fn barrier(&self) {}
    fn max_f64(&self, _: &mut [f64]) {}
    fn min_f64(&self, _: &mut [f64]) {}
    fn sum_f64(&self, _: &mut [f64]) {}
    fn sum_u64(&self, _: &mut [u64]) {}
    fn broadcast(&self, _: usize, _: &mut Vec<u8>) {}
    fn gather(&self, _: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }
    fn scatter(&self, _: usize, mut parts: Vec<Vec<u8>>) -> Vec<u8> {
        assert_one_part_per_rank(self, &parts);
        parts.swap_remove(0)
    }
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        debug_assert!(outgoing.len() == incoming.len());
        meanwhile();
        outgoing.iter().map(|(_, bytes)| bytes.clone()).collect()
    }
    fn abort(&self, exit_code: u8) -> ! {
        std::process::exit(i32::from(exit_code))
    }
}
