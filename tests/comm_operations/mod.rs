//! Every operation of a communicator with values that can be told in advance; the same for ranks
//! as threads, over MPI, and alone.

use isochrone::comm::{
    Communicator, agree, broadcast_json, broadcast_slice, gather_slices, scatter_slices,
};
use isochrone::error::Error;

/// Bytes that name their sender, receiver and round, so that a wrong delivery shows.
fn message(from: usize, to: usize, round: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ (from * 7 + to * 13 + round * 101)) as u8)
        .collect()
}

/// Panics where a value is wrong. `long`: bytes of the longest messages.
pub fn check_every_operation(comm: &dyn Communicator, long: usize) {
    let (me, n) = (comm.rank(), comm.size());
    assert!(me < n && comm.node_rank() < n);
    reductions(comm);
    for root in [0, n / 2, n - 1] {
        rooted(comm, root, long);
    }
    exchanges(comm, long);
    agreement(comm);
    comm.barrier();
}

fn reductions(comm: &dyn Communicator) {
    let (me, n) = (comm.rank() as f64, comm.size() as f64);
    let mut max = [me, -me, 7.0, f64::NEG_INFINITY];
    comm.max_f64(&mut max);
    assert_eq!(max, [n - 1.0, 0.0, 7.0, f64::NEG_INFINITY]);
    let mut min = [me, -me, f64::INFINITY];
    comm.min_f64(&mut min);
    assert_eq!(min, [0.0, 1.0 - n, f64::INFINITY]);
    // Whole numbers: exact in any order.
    let mut sum: Vec<f64> = (0..1000).map(|i| me + f64::from(i)).collect();
    comm.sum_f64(&mut sum);
    for (i, s) in sum.iter().enumerate() {
        assert_eq!(*s, n * (n - 1.0) / 2.0 + n * i as f64);
    }
    // Beyond 2^53, where f64 would round.
    let mut count = [1u64 << 60, comm.rank() as u64];
    comm.sum_u64(&mut count);
    let n = comm.size() as u64;
    assert_eq!(count, [(1u64 << 60).wrapping_mul(n), n * (n - 1) / 2]);
    comm.sum_f64(&mut []);
}

fn rooted(comm: &dyn Communicator, root: usize, long: usize) {
    let (me, n) = (comm.rank(), comm.size());
    for len in [0, 1, long] {
        let mut bytes = if me == root {
            message(root, 0, len, len)
        } else {
            vec![9; 3]
        };
        comm.broadcast(root, &mut bytes);
        assert_eq!(bytes, message(root, 0, len, len));
    }

    // Sizes that differ; one of them is nothing.
    let len = |rank: usize| if rank == n / 2 { 0 } else { long / (rank + 1) };
    let gathered = comm.gather(root, &message(me, root, 1, len(me)));
    if me == root {
        assert_eq!(gathered.len(), n);
        for (from, bytes) in gathered.iter().enumerate() {
            assert_eq!(*bytes, message(from, root, 1, len(from)));
        }
    } else {
        assert!(gathered.is_empty());
    }
    let parts = if me == root {
        (0..n).map(|to| message(root, to, 2, len(to))).collect()
    } else {
        Vec::new()
    };
    assert_eq!(comm.scatter(root, parts), message(root, me, 2, len(me)));

    // Typed forms. 5 bytes before a f64 would break a careless cast.
    let mut values = if me == root {
        vec![1.5, -2.0, f64::INFINITY]
    } else {
        Vec::new()
    };
    broadcast_slice(comm, root, &mut values);
    assert_eq!(values, [1.5, -2.0, f64::INFINITY]);
    let gathered = gather_slices(comm, root, &vec![me as u32; me % 3]);
    if me == root {
        let expected: Vec<Vec<u32>> = (0..n).map(|r| vec![r as u32; r % 3]).collect();
        assert_eq!(gathered, expected);
    }
    let parts: Vec<Vec<f64>> = if me == root {
        (0..n).map(|r| vec![r as f64 + 0.25; r % 4]).collect()
    } else {
        Vec::new()
    };
    assert_eq!(
        scatter_slices(comm, root, &parts),
        vec![me as f64 + 0.25; me % 4]
    );
    let value = (me == root).then(|| ("γ".to_string(), vec![0.1, 1.0]));
    let value: (String, Vec<f64>) = broadcast_json(comm, root, value).unwrap();
    assert_eq!(value, ("γ".to_string(), vec![0.1, 1.0]));
}

fn exchanges(comm: &dyn Communicator, long: usize) {
    let (me, n) = (comm.rank(), comm.size());
    // A ring in both directions and to oneself, sizes growing, shrinking and empty.
    let mut peers = vec![(me + 1) % n, (me + n - 1) % n, me];
    peers.sort_unstable();
    peers.dedup();
    let sizes = [0, 10, 4095, 4096, 4097, long, long, 3, 0, long + 1];
    for (round, size) in sizes.into_iter().enumerate() {
        // Each way has its own length.
        let len = |from: usize, to: usize| if from < to { size } else { size / 2 };
        let outgoing: Vec<_> = peers
            .iter()
            .map(|to| (*to, message(me, *to, round, len(me, *to))))
            .collect();
        let mut computed = 0;
        let received = comm.exchange(&outgoing, &peers, &mut || computed += 1);
        assert_eq!(computed, 1);
        assert_eq!(received.len(), peers.len());
        for (from, bytes) in peers.iter().zip(&received) {
            assert!(*bytes == message(*from, me, round, len(*from, me)));
        }
    }
    // One way only, the receives in descending order of rank: all to the last.
    let last = n - 1;
    let outgoing = [(last, message(me, last, 77, me * 100))];
    let incoming: Vec<usize> = if me == last {
        (0..n).rev().collect()
    } else {
        Vec::new()
    };
    let received = comm.exchange(&outgoing, &incoming, &mut || ());
    for (from, bytes) in incoming.iter().zip(&received) {
        assert_eq!(*bytes, message(*from, last, 77, from * 100));
    }
    // Nothing at all.
    assert!(comm.exchange(&[], &[], &mut || ()).is_empty());
}

fn agreement(comm: &dyn Communicator) {
    let (me, n) = (comm.rank(), comm.size());
    assert_eq!(agree(comm, Ok(me)).unwrap(), me);
    let guilty = n / 2;
    let result = if me >= guilty {
        Err(Error::MissingInput {
            path: "heart.vtu".into(),
            what: "file".into(),
            remedy: format!("says rank {me}"),
        })
    } else {
        Ok(())
    };
    let error = agree(comm, result).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    let text = error.to_string();
    assert!(text.contains(&format!("says rank {guilty}")), "{text}");
    assert_eq!(
        text.starts_with(&format!("rank {guilty}: ")),
        n > 1,
        "{text}"
    );
}
