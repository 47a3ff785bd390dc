//! The rows of a tangent, φ̇ of each vertex in all directions, written by several threads: SIMD
//! loops over the directions.
//!
//! Threads write different rows of one array, which safe Rust cannot express without locks or
//! atomic numbers, and those would keep the loops from becoming SIMD code.

use std::marker::PhantomData;

use crate::simd::SimdLevel;

/// φ̇_v = s · rates + Σ_i λ_i φ̇_i
pub struct Terms<'a> {
    pub s: f64,
    pub rates: &'a [f64],
    pub vertices: [u32; 3],
    /// 0: does not count.
    pub lambda: [f64; 3],
}

/// `width` numbers for each vertex.
///
/// Between two barriers of a team a row is written by one thread at most, and read by no other:
/// the vertices of a level do not depend on each other. Whoever calls the methods from several
/// threads answers for that.
pub struct Rows<'a> {
    values: *mut f64,
    count: usize,
    width: usize,
    level: SimdLevel,
    of: PhantomData<&'a mut [f64]>,
}

// SAFETY: rows are shared out between threads as said above.
unsafe impl Sync for Rows<'_> {}

impl<'a> Rows<'a> {
    pub fn new(values: &'a mut [f64], width: usize) -> Self {
        Self {
            count: values.len() / width.max(1),
            values: values.as_mut_ptr(),
            width,
            level: SimdLevel::detect(),
            of: PhantomData,
        }
    }

    #[inline(always)]
    fn at(&self, v: u32) -> *mut f64 {
        assert!((v as usize) < self.count);
        // SAFETY: row v lies in the array.
        unsafe { self.values.add(v as usize * self.width) }
    }

    #[inline(always)]
    fn row(&self, v: u32) -> &[f64] {
        // SAFETY: `width` numbers of the array, which nobody writes now.
        unsafe { std::slice::from_raw_parts(self.at(v), self.width) }
    }

    /// Copies of rows, one after the other.
    pub fn copy(&self, vertices: &[u32]) -> Vec<f64> {
        vertices
            .iter()
            .flat_map(|v| self.row(*v))
            .copied()
            .collect()
    }

    /// Replaces rows.
    pub fn replace(&self, vertices: &[u32], values: &[f64]) {
        for (v, values) in vertices.iter().zip(values.chunks_exact(self.width)) {
            // SAFETY: `width` numbers of the array, which nobody else uses now.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.at(*v), self.width) };
        }
    }

    /// Computes the rows of `vertices`, one after the other; `None` leaves a row as it is.
    #[inline(always)]
    pub fn lead_on<'b>(&self, vertices: &[u32], terms: impl Fn(u32) -> Option<Terms<'b>>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { lead_on_avx512(self, vertices, terms) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { lead_on_avx2(self, vertices, terms) },
            _ => lead_on(self, vertices, terms),
        }
    }
}

#[inline(always)]
fn lead_on<'b>(rows: &Rows, vertices: &[u32], terms: impl Fn(u32) -> Option<Terms<'b>>) {
    let w = rows.width;
    for &v in vertices {
        let Some(terms) = terms(v) else {
            continue;
        };
        // SAFETY: `width` numbers of the array, which nobody else uses now: v is none of its own
        // upwind vertices.
        let row = unsafe { std::slice::from_raw_parts_mut(rows.at(v), w) };
        for (x, rate) in row.iter_mut().zip(terms.rates) {
            *x = terms.s * rate;
        }
        for (u, lambda) in terms.vertices.into_iter().zip(terms.lambda) {
            if lambda > 0.0 {
                for (x, upwind) in row.iter_mut().zip(rows.row(u)) {
                    *x += lambda * upwind;
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn lead_on_avx512<'b>(rows: &Rows, vertices: &[u32], terms: impl Fn(u32) -> Option<Terms<'b>>) {
    lead_on(rows, vertices, terms);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn lead_on_avx2<'b>(rows: &Rows, vertices: &[u32], terms: impl Fn(u32) -> Option<Terms<'b>>) {
    lead_on(rows, vertices, terms);
}
