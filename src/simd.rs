//! The SIMD level of a run, chosen once at run time.
//!
//! Kernels are written once in plain Rust and compiled for each level
//! (`eikonal/simd.rs`, `monodomain/simd.rs`).

use std::sync::atomic::{AtomicU8, Ordering};

/// Instruction sets that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimdLevel {
    Avx512,
    Avx2,
    Baseline,
}

/// Asks for `list[i]` to be in the cache soon.
#[inline(always)]
pub fn prefetch<T>(list: &[T], i: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first: *const i8 = list.as_ptr().wrapping_add(i).cast();
        // SAFETY: a prefetch has no effect but on the cache, whatever the addresses.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(first);
            if size_of::<T>() > 4 {
                _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(size_of::<T>() - 1));
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (list, i);
}

const ALL: [SimdLevel; 3] = [SimdLevel::Avx512, SimdLevel::Avx2, SimdLevel::Baseline];

/// The level of this process, as a number of [`SimdLevel`]; another number: not chosen yet.
static CHOSEN: AtomicU8 = AtomicU8::new(u8::MAX);

impl SimdLevel {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            SimdLevel::Avx512 => "avx512",
            SimdLevel::Avx2 => "avx2",
            SimdLevel::Baseline => "baseline",
        }
    }

    /// Level of this process: the pinned one, else the best level of this machine, which
    /// `ISOCHRONE_SIMD` = avx512, avx2 or baseline lowers.
    pub fn detect() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        if let Some(level) = ALL.iter().find(|level| **level as u8 == chosen) {
            return *level;
        }
        let best = Self::best();
        let level = match std::env::var("ISOCHRONE_SIMD").as_deref() {
            Ok("baseline") => SimdLevel::Baseline,
            Ok("avx2") if best != SimdLevel::Baseline => SimdLevel::Avx2,
            _ => best,
        };
        CHOSEN.store(level as u8, Ordering::Relaxed);
        level
    }

    /// Makes this level that of the process; `false` where the machine lacks it.
    pub fn pin(self) -> bool {
        // Declared from the best to the least.
        let here = self as u8 >= Self::best() as u8;
        if here {
            CHOSEN.store(self as u8, Ordering::Relaxed);
        }
        here
    }

    /// Best level of this machine.
    #[cfg(target_arch = "x86_64")]
    pub fn best() -> Self {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("fma")
        {
            SimdLevel::Avx512
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            SimdLevel::Avx2
        } else {
            SimdLevel::Baseline
        }
    }

    /// Best level of this machine.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn best() -> Self {
        SimdLevel::Baseline
    }
}
