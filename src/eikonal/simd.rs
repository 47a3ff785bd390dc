//! The block kernels compiled for each SIMD level, chosen once at run time.

use std::sync::OnceLock;

use super::block::Block;
use super::screen::Screen;
use crate::real::Real;

/// Instruction sets that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimdLevel {
    Avx512,
    Avx2,
    Baseline,
}

impl SimdLevel {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            SimdLevel::Avx512 => "avx512",
            SimdLevel::Avx2 => "avx2",
            SimdLevel::Baseline => "baseline",
        }
    }

    /// Best level of this machine; `ISOCHRONE_SIMD` = avx512, avx2 or baseline lowers it.
    pub fn detect() -> Self {
        static LEVEL: OnceLock<SimdLevel> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let best = Self::best();
            match std::env::var("ISOCHRONE_SIMD").as_deref() {
                Ok("baseline") => SimdLevel::Baseline,
                Ok("avx2") if best != SimdLevel::Baseline => SimdLevel::Avx2,
                _ => best,
            }
        })
    }

    #[cfg(target_arch = "x86_64")]
    fn best() -> Self {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
        {
            SimdLevel::Avx512
        } else if is_x86_feature_detected!("avx2") {
            SimdLevel::Avx2
        } else {
            SimdLevel::Baseline
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn best() -> Self {
        SimdLevel::Baseline
    }
}

/// The skip test and the two stages of a block of local solves, at one SIMD level.
#[derive(Debug, Clone, Copy)]
pub struct Kernels<T: Real> {
    level: SimdLevel,
    number: std::marker::PhantomData<T>,
}

impl<T: Real> Kernels<T> {
    /// Kernels of the best level of this machine.
    pub fn detect() -> Self {
        Self::at(SimdLevel::detect())
    }

    /// Kernels of a level, which this machine must have.
    fn at(level: SimdLevel) -> Self {
        Self {
            level,
            number: std::marker::PhantomData,
        }
    }

    /// [`Block::solve_interior`].
    #[inline]
    pub fn interior(&self, block: &mut Block<T>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { interior_avx512(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { interior_avx2(block) },
            _ => block.solve_interior(),
        }
    }

    /// [`Screen::test`].
    #[inline]
    pub fn screen(&self, screen: &mut Screen<T>, slack: T) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { screen_avx512(screen, slack) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { screen_avx2(screen, slack) },
            _ => screen.test(slack),
        }
    }

    /// [`Block::solve_boundary`].
    #[inline]
    pub fn boundary(&self, block: &mut Block<T>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { boundary_avx512(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { boundary_avx2(block) },
            _ => block.solve_boundary(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn interior_avx512<T: Real>(block: &mut Block<T>) {
    block.solve_interior();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn boundary_avx512<T: Real>(block: &mut Block<T>) {
    block.solve_boundary();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn interior_avx2<T: Real>(block: &mut Block<T>) {
    block.solve_interior();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn boundary_avx2<T: Real>(block: &mut Block<T>) {
    block.solve_boundary();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn screen_avx512<T: Real>(screen: &mut Screen<T>, slack: T) {
    screen.test(slack);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn screen_avx2<T: Real>(screen: &mut Screen<T>, slack: T) {
    screen.test(slack);
}
