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

/// Which lanes: those of the first `len` with bit `bit` set in the lowest bits of `codes`, which has
/// whole registers.
#[derive(Clone, Copy)]
pub struct Chosen<'a, T> {
    pub codes: &'a [T],
    pub bit: u32,
    pub len: usize,
}

impl<T: Real> Chosen<'_, T> {
    /// How many lanes.
    #[inline(always)]
    pub fn count(&self, level: SimdLevel) -> usize {
        match level {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 if matches!(size_of::<T>(), 4 | 8) => {
                // SAFETY: the level was detected on this machine.
                unsafe { count_avx512(*self) }
            }
            _ => self.iter().map(usize::from).sum(),
        }
    }

    /// Whether each lane is chosen.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = bool> {
        let codes = self.codes[..self.len].iter();
        codes.map(|code| code.low_bits() >> self.bit & 1 == 1)
    }
}

/// Copies the chosen lanes of each column `from` to `to[at..]`, and of `labels`, with `tag` set in
/// them. The targets have [`LANES`] lanes beyond what is asked of them, which may be overwritten.
#[inline(always)]
pub fn append<T: Real, const N: usize>(
    level: SimdLevel,
    chosen: Chosen<T>,
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
fn append_lanes<T: Real, const N: usize>(
    chosen: Chosen<T>,
    from: [&[T]; N],
    to: [&mut [T]; N],
    labels: (&[u32], &mut [u32]),
    tag: u32,
    at: usize,
) {
    let (mut list, mut count) = ([0u8; MOST], 0);
    for (i, is_chosen) in (0u8..).zip(chosen.iter()).take(MOST) {
        // Without a branch: it could not be predicted.
        list[count % MOST] = i;
        count += usize::from(is_chosen);
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

/// The chosen ones of sixteen lanes from `first` on, a bit each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,popcnt")]
#[inline]
fn mask_avx512<T: Copy>(chosen: Chosen<T>, first: usize) -> u32 {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_test_epi32_mask,
        _mm512_test_epi64_mask,
    };
    let codes = chosen.codes[first..first + LANES].as_ptr();
    let mask = if size_of::<T>() == 4 {
        // SAFETY: sixteen words.
        let codes = unsafe { _mm512_loadu_si512(codes.cast()) };
        u32::from(_mm512_test_epi32_mask(
            codes,
            _mm512_set1_epi32(1 << chosen.bit),
        ))
    } else {
        let bit = _mm512_set1_epi64(1 << chosen.bit);
        // SAFETY: sixteen double words, in two halves.
        let halves = unsafe {
            [
                _mm512_loadu_si512(codes.cast()),
                _mm512_loadu_si512(codes.add(8).cast()),
            ]
        };
        let [low, high] = halves.map(|codes| u32::from(_mm512_test_epi64_mask(codes, bit)));
        low | high << 8
    };
    mask & ((1u32 << (chosen.len - first).min(LANES)) - 1)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,popcnt")]
fn count_avx512<T: Copy>(chosen: Chosen<T>) -> usize {
    let registers = (0..chosen.len).step_by(LANES);
    let counts = registers.map(|first| mask_avx512(chosen, first).count_ones());
    counts.sum::<u32>() as usize
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,popcnt")]
fn append_avx512<T: Copy, const N: usize>(
    chosen: Chosen<T>,
    from: [&[T]; N],
    mut to: [&mut [T]; N],
    labels: (&[u32], &mut [u32]),
    tag: u32,
    mut at: usize,
) {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_maskz_compress_epi32, _mm512_maskz_compress_epi64,
        _mm512_or_si512, _mm512_set1_epi32, _mm512_storeu_si512,
    };
    // What the accesses below rely on.
    let read = chosen.len.next_multiple_of(LANES);
    assert!(read <= labels.0.len() && from.iter().all(|column| read <= column.len()));
    let columns = to.iter().map(|column| column.len());
    let room = columns.fold(labels.1.len(), usize::min);
    for first in (0..chosen.len).step_by(LANES) {
        let mask = mask_avx512(chosen, first);
        if mask == 0 {
            continue;
        }
        assert!(at + LANES <= room);
        // SAFETY: sixteen words on either side.
        unsafe {
            let label = _mm512_loadu_si512(labels.0.as_ptr().add(first).cast());
            let label = _mm512_or_si512(label, _mm512_set1_epi32(tag as i32));
            let label = _mm512_maskz_compress_epi32(mask as u16, label);
            _mm512_storeu_si512(labels.1.as_mut_ptr().add(at).cast(), label);
        }
        let (low, high) = (mask as u8, (mask >> 8) as u8);
        for (from, to) in from.iter().zip(&mut to) {
            // SAFETY: sixteen numbers on either side, of double words in two halves; the second
            // begins where the chosen ones of the first end, eight at most.
            unsafe {
                let (source, target) = (from.as_ptr().add(first), to.as_mut_ptr().add(at));
                if size_of::<T>() == 4 {
                    let lanes = _mm512_loadu_si512(source.cast());
                    let lanes = _mm512_maskz_compress_epi32(mask as u16, lanes);
                    _mm512_storeu_si512(target.cast(), lanes);
                } else {
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
            let code = |bits: &u8| T::from_f64(T::INTEGERS + f64::from(*bits));
            let codes: Vec<T> = bits.iter().map(code).collect();
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
                        codes: &codes,
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
                    assert_eq!(chosen.count(level), expected.len());
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
