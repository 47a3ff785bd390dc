//! Datasets given as input: measured times, weights, domains, subsets of vertices.
//!
//! Floats and integers of any size are converted; integers that do not fit are refused. `expected`
//! is the number of rows that there must be, and of what: `Some((n, "vertices"))`.

use std::path::Path;

use hdf5::{File, Group, H5Type};

use crate::error::{Error, Result};
use crate::mesh::formats::carp_data::{is_called, read_times, read_vtx};
use crate::mesh::formats::{Hdf5Source as Source, open_file};

/// How many datasets an error message lists.
const MOST_LISTED: usize = 20;

/// One number per row; `path` may also be a `.dat` of openCARP's, with times of vertices.
///
/// # Errors
/// [`Error::MissingInput`] where there is no file; [`Error::BadFile`] where it is not HDF5, has no
/// such dataset (with a list of those it has), or one of another shape or kind.
pub fn read_f64(path: &Path, dataset: &str, expected: Option<(usize, &str)>) -> Result<Vec<f64>> {
    if is_called(path, "dat") {
        return read_times(path);
    }
    Ok(read_rows::<1>(path, dataset, expected)?.into_flattened())
}

/// `C` numbers per row; errors as of [`read_f64`].
pub fn read_rows<const C: usize>(
    path: &Path,
    dataset: &str,
    expected: Option<(usize, &str)>,
) -> Result<Vec<[f64; C]>> {
    with_source(path, dataset, |source| source.floats::<C>(expected))
}

/// The shape of an array and its numbers, last index fastest; errors as of [`read_f64`].
pub fn read_matrix(path: &Path, dataset: &str) -> Result<(Vec<usize>, Vec<f64>)> {
    with_source(path, dataset, |source| {
        let shape = source.shape().to_vec();
        let values = source.all_floats(shape.iter().product())?;
        Ok((shape, values))
    })
}

/// Row `i` of an array, all that lies behind its first index; errors as of [`read_f64`], and where
/// there is no such row.
pub fn read_row(path: &Path, dataset: &str, i: usize) -> Result<Vec<f64>> {
    with_source(path, dataset, |source| source.row(i))
}

/// The shape of an array; errors as of [`read_f64`].
pub fn read_shape(path: &Path, dataset: &str) -> Result<Vec<usize>> {
    with_source(path, dataset, |source| Ok(source.shape().to_vec()))
}

/// The text attribute `name` of a dataset; errors as of [`read_f64`].
pub fn read_text(path: &Path, dataset: &str, name: &str) -> Result<Option<String>> {
    with_source(path, dataset, |source| source.text(name))
}

/// The number that attribute `name` of a group or dataset holds; errors as of [`read_f64`].
pub fn read_number(path: &Path, object: &str, name: &str) -> Result<f64> {
    let file = open(path)?;
    let read = match file.dataset(object) {
        Ok(dataset) => dataset.attr(name),
        Err(_) => file.group(object).and_then(|group| group.attr(name)),
    };
    let number = read.and_then(|attribute| attribute.read_scalar::<f64>());
    number.map_err(|_| {
        let place = format!("attribute {name} of {object}");
        Error::bad_file(
            path,
            place,
            "is missing or no number",
            "make the file again",
        )
    })
}

/// Names of all datasets of a file, "/fk/frames/u".
///
/// # Errors
/// As of [`read_f64`], for the file.
pub fn dataset_names(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let file = open(path)?;
    list(&file, "", 0, usize::MAX, &mut names);
    Ok(names)
}

/// One integer per row; errors as of [`read_f64`], and for numbers that are not whole or beyond `T`.
pub fn read_integers<T>(
    path: &Path,
    dataset: &str,
    expected: Option<(usize, &str)>,
) -> Result<Vec<T>>
where
    T: H5Type + Copy + Default + TryFrom<i128>,
{
    with_source(path, dataset, |source| {
        Ok(source.integers::<T, 1>(expected)?.into_flattened())
    })
}

/// Distinct vertices of a mesh with `n`: their numbers, or a mask of `n` booleans; `path` may also be
/// a `.vtx` of openCARP's.
///
/// # Errors
/// Those of [`read_integers`]; [`Error::BadFile`] for floats, a mask of another length, and numbers
/// that are repeated or not in the mesh.
pub fn read_vertices(path: &Path, dataset: &str, n: usize) -> Result<Vec<u32>> {
    if is_called(path, "vtx") {
        return read_vtx(path, n);
    }
    use hdf5::types::TypeDescriptor;
    let remedy = "give distinct whole numbers from 0, or a boolean for each vertex of the mesh";
    let bad =
        |problem: String| Error::bad_file(path, format!("dataset {dataset}"), problem, remedy);
    let is_mask = with_source(path, dataset, |_| {
        let kind = File::open(path)
            .and_then(|file| file.dataset(dataset.trim_end_matches('/')))
            .and_then(|dataset| dataset.dtype()?.to_descriptor());
        match kind {
            Ok(TypeDescriptor::Float(_)) => Err(bad("holds floats, not vertex numbers".into())),
            kind => Ok(matches!(kind, Ok(TypeDescriptor::Boolean))),
        }
    })?;
    if is_mask {
        let mask = read_integers::<u8>(path, dataset, Some((n, "vertices of the mesh")))?;
        return Ok((0u32..)
            .zip(mask)
            .filter(|(_, is)| *is != 0)
            .map(|(v, _)| v)
            .collect());
    }
    let vertices = read_integers::<u32>(path, dataset, None)?;
    let mut seen = vec![false; n];
    for &v in &vertices {
        match seen.get_mut(v as usize) {
            None => {
                return Err(bad(format!(
                    "vertex {v} is not in the mesh of {n} vertices"
                )));
            }
            Some(true) => return Err(bad(format!("vertex {v} is there twice"))),
            Some(seen) => *seen = true,
        }
    }
    Ok(vertices)
}

/// Opens a file that should be HDF5.
pub(super) fn open(path: &Path) -> Result<File> {
    open_file(
        path,
        "give an HDF5 file; if it is one, it may be truncated: make or copy it again",
    )
}

fn with_source<T>(
    path: &Path,
    dataset: &str,
    read: impl FnOnce(&Source) -> Result<T>,
) -> Result<T> {
    let file = open(path)?;
    let (group, name) = dataset
        .trim_end_matches('/')
        .rsplit_once('/')
        .unwrap_or(("", dataset));
    let group_name = if group.is_empty() { "/" } else { group };
    let source = match file.group(group_name) {
        Ok(parent) if parent.dataset(name).is_ok() => Source::open(&parent, group, name, path)?,
        _ => None,
    };
    match source {
        Some(source) => read(&source),
        None => Err(missing(&file, path, dataset)),
    }
}

fn missing(file: &File, path: &Path, dataset: &str) -> Error {
    let mut names = Vec::new();
    list(file, "", 0, MOST_LISTED, &mut names);
    let remedy = if names.is_empty() {
        "the file has no datasets".to_string()
    } else {
        let more = names.len() > MOST_LISTED;
        names.truncate(MOST_LISTED);
        let more = if more { ", …" } else { "" };
        format!("the file has {}{more}", names.join(", "))
    };
    let what = if file.group(dataset).is_ok() {
        "is a group, not a dataset"
    } else {
        "is missing"
    };
    Error::bad_file(path, format!("dataset {dataset}"), what, remedy)
}

/// Names of the datasets in `group`, a few more than `most` of them, to a depth that stops cyclic
/// links.
fn list(group: &Group, prefix: &str, depth: usize, most: usize, names: &mut Vec<String>) {
    for name in group.member_names().unwrap_or_default() {
        if names.len() > most {
            return;
        }
        let full = format!("{prefix}/{name}");
        if group.dataset(&name).is_ok() {
            names.push(full);
        } else if depth < 8
            && let Ok(inner) = group.group(&name)
        {
            list(&inner, &full, depth + 1, most, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measured.h5");
        let file = File::create(&path).unwrap();
        let group = file.create_group("a").unwrap().create_group("b").unwrap();
        group
            .new_dataset_builder()
            .with_data(&[1.5f32, 2.0, f32::INFINITY])
            .create("times")
            .unwrap();
        group
            .new_dataset_builder()
            .with_data(&[3i64, 1, 2])
            .create("vertices")
            .unwrap();
        group
            .new_dataset_builder()
            .with_data(&[3i64, -1, 2])
            .create("signed")
            .unwrap();
        group
            .new_dataset_builder()
            .with_data(&[0.0f64, 1.0, 2.5])
            .create("broken")
            .unwrap();
        let matrix = group.new_dataset::<u16>().shape([3, 2]).create("matrix");
        matrix.unwrap().write_raw(&[1u16, 2, 3, 4, 5, 6]).unwrap();
        // HDF5 keeps a file open as long as something in it is.
        drop(group);
        file.close().unwrap();
        test(&path);
    }

    #[test]
    fn numbers_are_converted() {
        with_file(|path| {
            let three = Some((3, "vertices"));
            let times = read_f64(path, "/a/b/times", three).unwrap();
            assert_eq!(times, [1.5, 2.0, f64::INFINITY]);
            assert_eq!(
                read_f64(path, "a/b/vertices", None).unwrap(),
                [3.0, 1.0, 2.0]
            );
            assert_eq!(
                read_integers::<u32>(path, "/a/b/vertices", three).unwrap(),
                [3, 1, 2]
            );
            assert_eq!(
                read_integers::<u64>(path, "/a/b/vertices", three).unwrap(),
                [3, 1, 2]
            );
            assert_eq!(
                read_integers::<i64>(path, "/a/b/signed", three).unwrap(),
                [3, -1, 2]
            );
            let rows = read_rows::<2>(path, "/a/b/matrix", three).unwrap();
            assert_eq!(rows, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
            let (shape, values) = read_matrix(path, "/a/b/matrix").unwrap();
            assert_eq!(
                (shape, values),
                (vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
            );
        });
    }

    #[test]
    fn a_mask_of_vertices_is_not_taken_as_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vertices.h5");
        let file = File::create(&path).unwrap();
        macro_rules! put {
            ($name:literal, $data:expr) => {
                let made = file.new_dataset_builder().with_data(&$data);
                made.create($name).unwrap();
            };
        }
        put!("mask", [true, false, true, true]);
        put!("numbers", [3u8, 0]);
        put!("integers_as_mask", [1u8, 0, 1, 1]);
        put!("floats", [1.0f32, 0.0]);
        put!("beyond", [4i64]);
        file.close().unwrap();
        assert_eq!(read_vertices(&path, "/mask", 4).unwrap(), [0, 2, 3]);
        assert_eq!(read_vertices(&path, "numbers", 4).unwrap(), [3, 0]);
        let says = |name: &str, n: usize, words: &str| {
            let e = read_vertices(&path, name, n).unwrap_err();
            assert_eq!(e.exit_code(), 65);
            assert!(e.to_string().contains(words), "{e}");
        };
        says("mask", 5, "4 rows for 5 vertices");
        says("integers_as_mask", 4, "vertex 1 is there twice");
        says("floats", 4, "floats");
        says("beyond", 4, "vertex 4 is not in the mesh");
    }

    #[test]
    fn errors_say_what_is_there() {
        with_file(|path| {
            let says = |e: Error, code: u8, text: &str| {
                assert_eq!(e.exit_code(), code, "{e}");
                assert!(e.to_string().contains(text), "{e}");
            };
            let f64s = |name: &str| read_f64(path, name, None).unwrap_err();
            says(f64s("/a/b/tims"), 65, "/a/b/times");
            says(f64s("/x/tims"), 65, "/a/b/times");
            says(f64s("/a/b"), 65, "is a group");
            says(f64s(""), 65, "/a/b/times");
            says(f64s("/"), 65, "/a/b/times");
            says(f64s("/a/b/times/x"), 65, "/a/b/times");
            says(f64s("/a/b/matrix"), 65, "shape");
            let wrong = read_f64(path, "/a/b/times", Some((4, "vertices")));
            says(wrong.unwrap_err(), 65, "3 rows for 4 vertices");
            says(
                read_integers::<u32>(path, "/a/b/signed", None).unwrap_err(),
                65,
                "-1",
            );
            says(
                read_integers::<u32>(path, "/a/b/broken", None).unwrap_err(),
                65,
                "2.5",
            );
            says(
                read_f64(Path::new("/none.h5"), "/a", None).unwrap_err(),
                66,
                "/none.h5",
            );
            std::fs::write(path, "text").unwrap();
            says(f64s("/a/b/times"), 65, "HDF5");
        });
    }
}
