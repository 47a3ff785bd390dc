//! Copies of chosen lanes from the columns of one block to the end of the columns of another: what
//! lies between two SIMD stages.
//!
//! With AVX-512 a register of lanes is compressed at once; the compiler does not find that by
//! itself, so this file calls the instructions.

use super::block::LANES;
use crate::real::Real;
use crate::simd::SimdLevel;

/// Most lanes of a source.
const MOST: usize = 128;

/// Which lanes: those of the first `len` whose bit `bit` is set in `bits`.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    pub bits: &'a [u8],
    pub bit: u32,
    pub len: usize,
}

impl Chosen<'_> {
    /// How many lanes.
    #[inline(always)]
    pub fn count(&self) -> usize {
        let bits = self.bits[..self.len].iter();
        bits.map(|b| usize::from(b >> self.bit & 1)).sum()
    }
}

/// Copies the chosen lanes of each column `from` to `to[at..]`, and of `labels`, with `tag` set in
/// them. The targets have [`LANES`] lanes beyond what is asked of them, which may be overwritten.
#[inline(always)]
pub fn append<T: Real, const N: usize>(
    level: SimdLevel,
    chosen: Chosen,
    from: [&[T]; N],
    to: [&mut [T]; N],
    labels: (&[u32], &mut [u32]),
    tag: u32,
    at: usize,
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 if matches!(size_of::<T>(), 4 | 8) => {
            // SAFETY: the level was detected on this machine.
            unsafe { append_avx512(chosen, from, to, labels, tag, at) }
        }
        _ => append_lanes(chosen, from, to, labels, tag, at),
    }
}

#[inline(always)]
fn append_lanes<T: Copy, const N: usize>(
    chosen: Chosen,
    from: [&[T]; N],
    to: [&mut [T]; N],
    labels: (&[u32], &mut [u32]),
    tag: u32,
    at: usize,
) {
    let (mut list, mut count) = ([0u8; MOST], 0);
    for (i, bits) in (0u8..).zip(&chosen.bits[..chosen.len.min(MOST)]) {
        // Without a branch: it could not be predicted.
        list[count % MOST] = i;
        count += usize::from(bits >> chosen.bit & 1);
    }
    let list = &list[..count];
    for (from, to) in from.into_iter().zip(to) {
        for (i, to) in list.iter().zip(&mut to[at..at + count]) {
            *to = from[usize::from(*i)];
        }
    }
    for (i, to) in list.iter().zip(&mut labels.1[at..at + count]) {
        *to = labels.0[usize::from(*i)] | tag;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,popcnt")]
fn append_avx512<T: Copy, const N: usize>(
    chosen: Chosen,
    from: [&[T]; N],
    mut to: [&mut [T]; N],
    labels: (&[u32], &mut [u32]),
    tag: u32,
    mut at: usize,
) {
    use std::arch::x86_64::{
        __m512i, _mm_loadu_si128, _mm_movemask_epi8, _mm_slli_epi16, _mm512_loadu_si512,
        _mm512_maskz_compress_epi32, _mm512_maskz_compress_epi64, _mm512_or_si512,
        _mm512_set1_epi32, _mm512_storeu_si512,
    };
    let words = size_of::<T>() / 4;
    for first in (0..chosen.len).step_by(LANES) {
        let bits = &chosen.bits[first..first + LANES];
        // SAFETY: sixteen bytes.
        let bits = unsafe { _mm_loadu_si128(bits.as_ptr().cast()) };
        // The bit sought goes to the top of its byte; what comes from the byte below does not.
        let top = match chosen.bit {
            0 => _mm_slli_epi16::<7>(bits),
            1 => _mm_slli_epi16::<6>(bits),
            2 => _mm_slli_epi16::<5>(bits),
            _ => _mm_slli_epi16::<4>(bits),
        };
        let left = (chosen.len - first).min(LANES);
        let mask = _mm_movemask_epi8(top) as u32 & ((1u32 << left) - 1);
        if mask == 0 {
            continue;
        }
        let load = |list: &[u32]| -> __m512i {
            let lanes = &list[first..first + LANES];
            // SAFETY: sixteen words.
            unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
        };
        let label = _mm512_or_si512(load(labels.0), _mm512_set1_epi32(tag as i32));
        let label = _mm512_maskz_compress_epi32(mask as u16, label);
        let into = &mut labels.1[at..at + LANES];
        // SAFETY: sixteen words.
        unsafe { _mm512_storeu_si512(into.as_mut_ptr().cast(), label) };
        for (from, to) in from.iter().zip(&mut to) {
            let (from, into) = (&from[first..first + LANES], &mut to[at..at + LANES]);
            let (source, target) = (from.as_ptr(), into.as_mut_ptr());
            if words == 1 {
                // SAFETY: sixteen words on either side.
                unsafe {
                    let lanes = _mm512_loadu_si512(source.cast());
                    let lanes = _mm512_maskz_compress_epi32(mask as u16, lanes);
                    _mm512_storeu_si512(target.cast(), lanes);
                }
            } else {
                let (low, high) = (mask as u8, (mask >> 8) as u8);
                // SAFETY: sixteen double words on either side, in two halves; the second begins
                // where the chosen ones of the first end, eight at most.
                unsafe {
                    let lanes = _mm512_loadu_si512(source.cast());
                    let lanes = _mm512_maskz_compress_epi64(low, lanes);
                    _mm512_storeu_si512(target.cast(), lanes);
                    let lanes = _mm512_loadu_si512(source.add(8).cast());
                    let lanes = _mm512_maskz_compress_epi64(high, lanes);
                    _mm512_storeu_si512(target.add(low.count_ones() as usize).cast(), lanes);
                }
            }
        }
        at += mask.count_ones() as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every level copies the lanes that a plain loop picks, for every fill and both sizes.
    #[test]
    fn levels_copy_the_chosen_lanes() {
        fn check<T: Real>(level: SimdLevel) {
            let bits: Vec<u8> = (0..128u32).map(|i| ((i * i * 37) >> 3) as u8).collect();
            let column = |k: usize| -> Vec<T> {
                (0..128)
                    .map(|i| T::from_f64((1000 * k + i) as f64))
                    .collect()
            };
            let (a, b) = (column(1), column(2));
            let labels: Vec<u32> = (0..128).map(|i| i << 2).collect();
            for len in [0, 1, 15, 16, 17, 63, 64, 100, 112] {
                for bit in 0..4 {
                    let chosen = Chosen {
                        bits: &bits,
                        bit,
                        len,
                    };
                    let zero = T::from_f64(0.0);
                    let (mut x, mut y) = (vec![zero; 160], vec![zero; 160]);
                    let mut named = vec![0; 160];
                    let to = [&mut x[..], &mut y[..]];
                    append(level, chosen, [&a, &b], to, (&labels, &mut named), 3, 7);
                    let expected: Vec<usize> =
                        (0..len).filter(|i| bits[*i] >> bit & 1 == 1).collect();
                    assert_eq!(chosen.count(), expected.len());
                    for (slot, i) in (7..).zip(expected) {
                        assert_eq!(x[slot].value(), (1000 + i) as f64);
                        assert_eq!(y[slot].value(), (2000 + i) as f64);
                        assert_eq!(named[slot], (i as u32) << 2 | 3);
                    }
                }
            }
        }
        let mut levels = vec![SimdLevel::Baseline];
        if SimdLevel::best() == SimdLevel::Avx512 {
            levels.push(SimdLevel::Avx512);
        }
        for level in levels {
            check::<f32>(level);
            check::<f64>(level);
            check::<crate::eikonal::dual::Dual<3>>(level);
        }
    }
}
