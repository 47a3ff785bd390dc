//! Cases that the eikonal tests share, and their solution on any number of ranks.

#![allow(dead_code)]

pub mod brute_force;
pub mod cases;
pub mod ranks;

/// Largest |a − b| / max |b|; infinite entries must agree.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b
        .iter()
        .filter(|x| x.is_finite())
        .fold(0.0f64, |m, x| m.max(x.abs()));
    let pairs = a.iter().zip(b);
    let worst = pairs.fold(0.0f64, |m, (x, y)| {
        if x == y {
            m
        } else if x.is_finite() && y.is_finite() {
            m.max((x - y).abs())
        } else {
            f64::INFINITY
        }
    });
    worst / largest.max(f64::MIN_POSITIVE)
}

/// The bits, for comparisons that forgive nothing.
pub fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Number of entries that differ in any bit.
pub fn differing(a: &[f64], b: &[f64]) -> usize {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.filter(|(x, y)| x.to_bits() != y.to_bits()).count()
}
