//! Hilbert curve: numbering that keeps neighbours in space neighbours in memory.
//!
//! Skilling, Programming the Hilbert curve, AIP Conf. Proc. 707 (2004) 381.

use crate::tensor::Vec3;

/// Bits per axis.
const BITS: u32 = 20;

/// Position of each point along the Hilbert curve through their bounding box.
pub fn hilbert_keys(points: &[Vec3]) -> Vec<u64> {
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for p in points {
        for i in 0..3 {
            low[i] = low[i].min(p[i]);
            high[i] = high[i].max(p[i]);
        }
    }
    let extent = (0..3)
        .map(|i| high[i] - low[i])
        .fold(f64::MIN_POSITIVE, f64::max);
    let scale = f64::from((1u32 << BITS) - 1) / extent;
    points
        .iter()
        .map(|p| hilbert_key([0, 1, 2].map(|i| ((p[i] - low[i]) * scale) as u32)))
        .collect()
}

/// Hilbert index of a cell given by `BITS`-bit integer coordinates.
fn hilbert_key(mut x: [u32; 3]) -> u64 {
    // Inverse undo of the excess work of the Gray code.
    let mut q = 1 << (BITS - 1);
    while q > 1 {
        let p = q - 1;
        for i in 0..3 {
            if x[i] & q != 0 {
                x[0] ^= p;
            } else {
                let t = (x[0] ^ x[i]) & p;
                x[0] ^= t;
                x[i] ^= t;
            }
        }
        q >>= 1;
    }
    x[1] ^= x[0];
    x[2] ^= x[1];
    let mut t = 0;
    let mut q = 1 << (BITS - 1);
    while q > 1 {
        if x[2] & q != 0 {
            t ^= q - 1;
        }
        q >>= 1;
    }
    for xi in &mut x {
        *xi ^= t;
    }
    (0..BITS).rev().fold(0, |key, bit| {
        (0..3).fold(key, |key, i| key << 1 | u64::from(x[i] >> bit & 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve visits every cell of a small cube once, each step to a neighbouring cell.
    #[test]
    fn consecutive_cells_are_neighbours() {
        let step = 1u32 << (BITS - 3);
        let mut cells: Vec<[u32; 3]> = (0..512).map(|i| [i & 7, i >> 3 & 7, i >> 6]).collect();
        cells.sort_by_key(|c| hilbert_key(c.map(|x| x * step)));
        for pair in cells.windows(2) {
            let distance: u32 = (0..3).map(|i| pair[0][i].abs_diff(pair[1][i])).sum();
            assert_eq!(distance, 1);
        }
    }
}
