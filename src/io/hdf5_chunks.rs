//! Chunks of a dataset copied as they are stored, compressed, from file to file.

use std::ffi::c_void;
use std::ops::Range;

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
    let shape = from.shape();
    let mut stored = Vec::new();
    for (i, row) in rows.enumerate() {
        // Place of a chunk: its row, then where it begins along the other axes.
        let mut place = vec![0; shape.len()];
        loop {
            place[0] = row as u64;
            let filters = read(from, &place, &mut stored).map_err(Failed::Reading)?;
            if let Some(filters) = filters {
                place[0] = (at + i) as u64;
                write(to, &place, filters, &stored).map_err(Failed::Writing)?;
            }
            if !advance(&mut place, &shape, chunk) {
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

/// The bytes of the chunk at `place`, and which filters it passed without; `None` where it was
/// never written.
fn read(dataset: &Dataset, place: &[u64], bytes: &mut Vec<u8>) -> hdf5::Result<Option<u32>> {
    let (mut filters, mut size) = (0, 0);
    // SAFETY: declared as in H5Dpublic.h of HDF5 1.10.2 and later; an open dataset, a place of as
    // many numbers as it has dimensions, and a variable that outlives the call; `sync` lets one
    // thread at a time into the library.
    sync(|| {
        h5check(unsafe { H5Dget_chunk_storage_size(dataset.id(), place.as_ptr(), &mut size) })
    })?;
    if size == 0 {
        return Ok(None);
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
    Ok(Some(filters))
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
