//! Chunks of a dataset as they are stored, compressed: verified by their checksums, copied from file
//! to file.

use std::ffi::c_void;
use std::ops::Range;

use hdf5::filters::Filter;
use hdf5::sync::sync;
use hdf5::{Dataset, h5check};
use hdf5_sys::h5::herr_t;
use hdf5_sys::h5d::{H5Dread_chunk1, H5Dwrite_chunk};
use hdf5_sys::h5i::hid_t;
use hdf5_sys::h5p::H5P_DEFAULT;

/// Which side of a copy failed.
pub enum Failed {
    Reading(hdf5::Error),
    Writing(hdf5::Error),
}

/// Copies the `rows` of `from` to those of `to` that begin at `at`. Both have the same type, rows
/// of the same shape, the same filters and the chunks `chunk`, one row long; `to` holds the rows.
pub fn copy_rows(
    from: &Dataset,
    to: &Dataset,
    chunk: &[usize],
    rows: Range<usize>,
    at: usize,
) -> Result<(), Failed> {
    let shift = at as u64 - rows.start as u64;
    let checked = has_checksums(from);
    let mut stored = Vec::new();
    for_chunks(&from.shape(), chunk, rows, |place| {
        let filters = read(from, place, &mut stored).and_then(|filters| {
            if checked {
                verify_chunk(&stored)?;
            }
            Ok(filters)
        });
        let filters = filters.map_err(Failed::Reading)?;
        let mut there = place.to_vec();
        there[0] += shift;
        write(to, &there, filters, &stored).map_err(Failed::Writing)
    })
}

/// Whether the first `rows` rows of a dataset with chunks `chunk` are what was written; all that
/// was written without checksums is.
///
/// # Errors
/// HDF5's, or that a checksum is wrong.
pub fn verify_rows(dataset: &Dataset, chunk: &[usize], rows: usize) -> hdf5::Result<()> {
    if !has_checksums(dataset) {
        return Ok(());
    }
    let mut stored = Vec::new();
    for_chunks(&dataset.shape(), chunk, 0..rows, |place| {
        read(dataset, place, &mut stored)?;
        verify_chunk(&stored)
    })
}

fn has_checksums(dataset: &Dataset) -> bool {
    dataset.filters().last() == Some(&Filter::Fletcher32)
}

/// Calls `each` with the place of every chunk of some rows, last axis fastest: where it begins.
fn for_chunks<E>(
    shape: &[usize],
    chunk: &[usize],
    rows: Range<usize>,
    mut each: impl FnMut(&[u64]) -> Result<(), E>,
) -> Result<(), E> {
    let mut place = vec![0; shape.len()];
    for row in rows.step_by(chunk[0]) {
        place[0] = row as u64;
        loop {
            each(&place)?;
            if !advance(&mut place, shape, chunk) {
                break;
            }
        }
    }
    Ok(())
}

/// To the next chunk of the row, last axis fastest; `false` after the last.
fn advance(place: &mut [u64], shape: &[usize], chunk: &[usize]) -> bool {
    for axis in (1..place.len()).rev() {
        place[axis] += chunk[axis] as u64;
        if place[axis] < shape[axis] as u64 {
            return true;
        }
        place[axis] = 0;
    }
    false
}

unsafe extern "C" {
    // Not among the declarations of hdf5_sys. Its H5Dget_chunk_info_by_coord goes through all chunks.
    fn H5Dget_chunk_storage_size(dataset: hid_t, offset: *const u64, size: *mut u64) -> herr_t;
}

/// Reads the bytes of the chunk at `place`; which filters it passed without.
fn read(dataset: &Dataset, place: &[u64], bytes: &mut Vec<u8>) -> hdf5::Result<u32> {
    let (mut filters, mut size) = (0, 0);
    // SAFETY: declared as in H5Dpublic.h of HDF5 1.10.2 and later; an open dataset, a place of as
    // many numbers as it has dimensions, and a variable that outlives the call; `sync` lets one
    // thread at a time into the library.
    sync(|| {
        h5check(unsafe { H5Dget_chunk_storage_size(dataset.id(), place.as_ptr(), &mut size) })
    })?;
    // Rows that were recorded are in the file, and no chunk is larger than it.
    let file = dataset.file().map(|file| file.size()).unwrap_or(u64::MAX);
    if size == 0 || size > file {
        return Err("a chunk is missing".into());
    }
    bytes.resize(size as usize, 0);
    // SAFETY: as above; the library writes what it stores for the chunk, `size` bytes.
    sync(|| {
        h5check(unsafe {
            H5Dread_chunk1(
                dataset.id(),
                H5P_DEFAULT,
                place.as_ptr(),
                &mut filters,
                bytes.as_mut_ptr().cast::<c_void>(),
            )
        })
    })?;
    Ok(filters)
}

/// Compares the checksum behind a chunk with its bytes.
fn verify_chunk(stored: &[u8]) -> hdf5::Result<()> {
    let whole = (stored.split_last_chunk::<4>())
        .is_some_and(|(bytes, sum)| fletcher32(bytes) == u32::from_le_bytes(*sum));
    match whole {
        true => Ok(()),
        false => Err("a chunk is not what was written".into()),
    }
}

/// Fletcher's checksum as HDF5 has it (H5_checksum_fletcher32): big-endian words of 16 bits.
fn fletcher32(bytes: &[u8]) -> u32 {
    // As many words as do not overflow the sums.
    const BLOCK: usize = 360;
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let (mut sum1, mut sum2) = (0_u32, 0_u32);
    for block in bytes.chunks(2 * BLOCK) {
        for word in block.chunks(2) {
            let low = word.get(1).copied().unwrap_or(0);
            sum1 += u32::from(u16::from_be_bytes([word[0], low]));
            sum2 += sum1;
        }
        (sum1, sum2) = (fold(sum1), fold(sum2));
    }
    fold(sum2) << 16 | fold(sum1)
}

fn write(dataset: &Dataset, place: &[u64], filters: u32, bytes: &[u8]) -> hdf5::Result<()> {
    // SAFETY: as above; the library reads `bytes.len()` bytes.
    sync(|| {
        h5check(unsafe {
            H5Dwrite_chunk(
                dataset.id(),
                H5P_DEFAULT,
                filters,
                place.as_ptr(),
                bytes.len(),
                bytes.as_ptr().cast::<c_void>(),
            )
        })
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let file = hdf5::File::create(folder.path().join("a.h5")).unwrap();
        for (name, n) in [("even", 3000), ("odd", 1001)] {
            let values: Vec<u8> = (0..n).map(|i| (i * i % 251) as u8).collect();
            let made = file.new_dataset::<u8>().shape(n).chunk(n).fletcher32();
            let made = made.create(name).unwrap();
            made.write_raw(&values).unwrap();
            file.flush().unwrap();
            verify_rows(&made, &[n], n).unwrap();
            let mut stored = Vec::new();
            read(&made, &[0], &mut stored).unwrap();
            stored[n / 2] ^= 1;
            assert!(verify_chunk(&stored).is_err());
        }
    }
}
