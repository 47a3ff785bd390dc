//! Check of HDF5's global heaps, where texts of variable length lie, before the library reads them.
//!
//! The heaps have no checksums and HDF5 1.10 walks them unchecked: a flipped bit there sends it
//! into an endless loop or a crash. Layout: HDF5 File Format Specification 3.0, III.E "Global Heap".

use std::path::Path;

use crate::error::{Error, Result};

const SIGNATURE: [u8; 8] = *b"GCOL\x01\0\0\0";
const HEADER: usize = 16;

/// Refuses the file where the objects of a global heap do not fill it exactly.
pub fn check_global_heaps(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
    let mut at = 0;
    while let Some(g) = bytes[at..].iter().position(|&b| b == SIGNATURE[0]) {
        at += g;
        if bytes[at..].starts_with(&SIGNATURE) && !is_sound(&bytes[at..]) {
            return Err(Error::bad_file(
                path,
                format!("byte {at}"),
                "the heap of attribute texts is damaged",
                "copy or make the file again",
            ));
        }
        at += 1;
    }
    Ok(())
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u64::from_le_bytes(*word)).ok()
}

/// Whether the objects of the heap that starts here follow each other to its end. Object 0 is the
/// free space behind them, whose size includes its header.
fn is_sound(bytes: &[u8]) -> bool {
    let Some(heap) = u64_at(bytes, 8).and_then(|size| bytes.get(..size)) else {
        return false;
    };
    let mut at = HEADER;
    while at + HEADER <= heap.len() {
        let (index, Some(size)) = (
            u16::from_le_bytes([heap[at], heap[at + 1]]),
            u64_at(heap, at + 8),
        ) else {
            return false;
        };
        if index == 0 {
            return size == heap.len() - at;
        }
        match size.checked_next_multiple_of(8) {
            Some(size) if size <= heap.len() - at - HEADER => at += HEADER + size,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_add_up() {
        let mut heap = SIGNATURE.to_vec();
        heap.extend(64u64.to_le_bytes());
        heap.extend([1, 0, 1, 0, 0, 0, 0, 0]);
        heap.extend(2u64.to_le_bytes());
        heap.extend(*b"mm\0\0\0\0\0\0");
        heap.extend([0; 8]);
        heap.extend(24u64.to_le_bytes());
        heap.extend([0; 8]);
        assert!(is_sound(&heap));
        for bit in [8 * 8, 8 * 24 + 5, 8 * 24 + 63, 8 * 48 + 1] {
            let mut damaged = heap.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&damaged), "bit {bit}");
        }
        assert!(!is_sound(&heap[..40]));
    }
}
