//! What the machine can do at best: the bounds beside the figures.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use isochrone::simd::SimdLevel;

/// GB/s read and written by copying arrays out of cache.
pub fn bandwidth(threads: usize) -> f64 {
    const N: usize = 1 << 25;
    const COPIES: usize = 16;
    let ready = Barrier::new(threads);
    let copy = || {
        let from = vec![1.0f32; N];
        let mut to = vec![0.0f32; N];
        to.copy_from_slice(black_box(&from));
        ready.wait();
        let begun = Instant::now();
        for _ in 0..COPIES {
            to.copy_from_slice(black_box(&from));
            black_box(&mut to);
        }
        (8 * N * COPIES) as f64 / (begun.elapsed().as_secs_f64() * 1e9)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(copy)).collect();
        let joined = threads.into_iter().map(|t| t.join());
        joined.map(|speed| speed.expect("a copy")).sum()
    })
}

/// Results of a·b + c in f32 (f64: half as many) in a nanosecond on some threads, by registers of
/// AVX-512 that do not wait for one another.
/// `None`: the machine has no AVX-512.
pub fn peak(threads: usize) -> Option<f64> {
    const TURNS: usize = 20_000_000;
    if SimdLevel::best() != SimdLevel::Avx512 {
        return None;
    }
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // SAFETY: the instructions are there.
            scope.spawn(|| unsafe { chains(TURNS) });
        }
    });
    Some((threads * TURNS * CHAINS * 16) as f64 / (begun.elapsed().as_secs_f64() * 1e9))
}

/// Chains of operations: a fused one takes four cycles, and two begin in each.
const CHAINS: usize = 12;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn chains(turns: usize) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let (a, b) = (_mm512_set1_ps(0.75), _mm512_set1_ps(0.25));
    let mut chains = black_box([_mm512_set1_ps(1.0); CHAINS]);
    for _ in 0..turns {
        for x in &mut chains {
            *x = _mm512_fmadd_ps(*x, a, b);
        }
    }
    black_box(chains);
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn chains(_turns: usize) {
    unreachable!("AVX-512 was not found");
}
