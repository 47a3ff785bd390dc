//! Check of attribute texts of variable length before the HDF5 library reads them.
//!
//! Such texts lie in global heaps. Neither these nor, in the oldest layout, the references to them
//! have checksums, and HDF5 1.10 follows them unchecked: a flipped bit sends it into an endless
//! loop or a crash. Layout: HDF5 File Format Specification 3.0, III.E "Global Heap" and IV.A.2.m
//! "Attribute Message".

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

const SIGNATURE: &[u8; 8] = b"GCOL\x01\0\0\0";
const HEADER: usize = 16;
/// Class of a datatype of variable length.
const VARIABLE_LENGTH: u8 = 9;

/// Sizes of the objects of a heap by their numbers.
type Objects = HashMap<u32, usize>;

/// Refuses the file where a global heap is damaged or an attribute `name` refers to what no heap
/// holds.
pub fn check_texts(path: &Path, name: &str) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
    let damaged = |at: usize| {
        let problem = "the text of an attribute is damaged";
        let remedy = "copy or make the file again";
        Error::bad_file(path, format!("byte {at}"), problem, remedy)
    };
    let mut heaps = HashMap::new();
    for at in places(&bytes, SIGNATURE) {
        let objects = objects(&bytes[at..]).ok_or_else(|| damaged(at))?;
        heaps.insert(at, objects);
    }
    let mut terminated = name.as_bytes().to_vec();
    terminated.push(0);
    for at in places(&bytes, &terminated) {
        if let Some(reference) = text_reference(&bytes, at, terminated.len())
            && !is_held(&reference, &heaps)
        {
            return Err(damaged(at));
        }
    }
    Ok(())
}

/// Where `pattern` occurs.
fn places<'a>(bytes: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    (bytes.iter().enumerate())
        .filter(move |&(at, &b)| b == pattern[0] && bytes[at..].starts_with(pattern))
        .map(|(at, _)| at)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

/// Objects of the heap that starts here; `None` unless they follow each other to its end. Object 0
/// is the free space behind them, whose size includes its header.
fn objects(bytes: &[u8]) -> Option<Objects> {
    let heap = bytes.get(..u64_at(bytes, 8)?)?;
    let mut objects = Objects::new();
    let mut at = HEADER;
    while at + HEADER <= heap.len() {
        let (number, size) = (u16_at(heap, at)?, u64_at(heap, at + 8)?);
        if number == 0 {
            return (size == heap.len() - at).then_some(objects);
        }
        let room = size.checked_next_multiple_of(8)?;
        let is_new = objects.insert(number as u32, size).is_none();
        if !is_new || room > heap.len() - at - HEADER {
            return None;
        }
        at += HEADER + room;
    }
    Some(objects)
}

/// Length, heap and object of a text.
struct Reference {
    length: u32,
    heap: usize,
    object: u32,
}

/// The reference in the attribute message (versions 1 to 3) whose name is at `at`; `None` where
/// there is no such message, or its value is no single text of variable length.
fn text_reference(bytes: &[u8], at: usize, name_size: usize) -> Option<Reference> {
    let version = |back: usize| at.checked_sub(back).map(|b| bytes[b]);
    let (start, padding) = match (version(8), version(9)) {
        (Some(1), _) => (at - 8, 8),
        (Some(2), _) => (at - 8, 1),
        (_, Some(3)) => (at - 9, 1),
        _ => return None,
    };
    let sizes = [2, 4, 6].map(|i| u16_at(bytes, start + i));
    let [Some(name), Some(datatype), Some(dataspace)] = sizes else {
        return None;
    };
    if name != name_size {
        return None;
    }
    let kind = at + name.next_multiple_of(padding);
    if bytes.get(kind)? & 0x0f != VARIABLE_LENGTH {
        return None;
    }
    let value = kind + datatype.next_multiple_of(padding) + dataspace.next_multiple_of(padding);
    Some(Reference {
        length: u32_at(bytes, value)?,
        heap: u64_at(bytes, value + 4)?,
        object: u32_at(bytes, value + 12)?,
    })
}

/// Whether a heap holds a text of this very length there; the empty text lies nowhere.
fn is_held(text: &Reference, heaps: &HashMap<usize, Objects>) -> bool {
    let size = heaps
        .get(&text.heap)
        .and_then(|heap| heap.get(&text.object));
    match size {
        Some(&size) => size == text.length as usize,
        None => text.length == 0 && text.heap == 0,
    }
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
        // The object takes 24 bytes and leaves 24.
        assert_eq!(objects(&heap), Some(Objects::from([(1, 2)])));
        for bit in [8 * 8, 8 * 24 + 5, 8 * 24 + 63, 8 * 48 + 1] {
            let mut damaged = heap.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(objects(&damaged), None, "bit {bit}");
        }
        assert_eq!(objects(&heap[..40]), None);
    }

    #[test]
    fn every_damage_to_a_reference_is_seen() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/h5py.h5");
        let whole = std::fs::read(path).unwrap();
        let references = |bytes: &[u8]| {
            places(bytes, b"unit\0")
                .filter_map(|at| text_reference(bytes, at, 5).map(|r| (at, r)))
                .collect::<Vec<_>>()
        };
        let heaps: HashMap<usize, Objects> = places(&whole, SIGNATURE)
            .map(|at| (at, objects(&whole[at..]).unwrap()))
            .collect();
        // Of points and of phi; that of the tensor has a fixed length.
        let found = references(&whole);
        assert_eq!(found.len(), 2);
        for (_, text) in found {
            assert!(is_held(&text, &heaps));
            for bit in 0..32 {
                let (length, object) = (text.length ^ (1 << bit), text.object ^ (1 << bit));
                assert!(!is_held(&Reference { length, ..text }, &heaps));
                assert!(
                    object == 1 || object == 2 || !is_held(&Reference { object, ..text }, &heaps)
                );
            }
        }
    }
}
