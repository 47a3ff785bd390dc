//! Two HDF5 files compared dataset by dataset, block by block, in norms.

use std::collections::BTreeSet;
use std::path::Path;

use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenUnicode};
use hdf5::{Dataset, Group, Hyperslab, Location, SliceOrIndex};
use ndarray::IxDyn;

use super::dataset::open;
use crate::error::{Error, Result};

/// Numbers read at a time.
const BLOCK: usize = 1 << 20;

/// Depth of groups to which datasets are sought: links may lead round in circles.
const DEEPEST: usize = 8;

/// What differs between two runs of the same case, and why.
const OF_A_RUN: [(&str, &str); 2] = [
    ("/mesh/parts", "depends on the number of ranks"),
    ("/VTKHDF/PointData/parts", "depends on the number of ranks"),
];

/// A dataset passes where max |a − b| ≤ absolute + relative · max(|a|, |b|), maxima over all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tolerance {
    /// In the dataset's unit.
    pub absolute: f64,
    pub relative: f64,
}

/// One dataset of both files.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub dataset: String,
    pub outcome: Outcome,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Numbers(Norms),
    /// In one of the files only: 0 the first, 1 the second.
    Only(usize),
    Shapes([Vec<usize>; 2]),
    /// An attribute: its name and both values.
    Attribute(String, [String; 2]),
    /// Not compared, and why.
    Skipped(String),
}

/// Norms of the difference of two datasets. Equal infinities, and NaN in both, differ by 0; one that
/// is not a number in one of them only, by +∞.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Norms {
    pub count: usize,
    /// Numbers with other bits (−0 counts as 0).
    pub different: usize,
    /// max |a − b|, in the dataset's unit.
    pub largest: f64,
    /// Index of it, last dimension fastest.
    pub at: usize,
    /// √(Σ (a − b)² / count).
    pub root_mean_square: f64,
    /// max(|a|, |b|) over what is finite.
    pub magnitude: f64,
}

impl Norms {
    /// max |a − b| as a share of the largest number.
    pub fn relative(&self) -> f64 {
        match self.largest > 0.0 {
            true => self.largest / self.magnitude,
            false => 0.0,
        }
    }

    fn add(&mut self, a: &[f64], b: &[f64]) {
        for (x, y) in a.iter().zip(b) {
            let difference = difference(*x, *y);
            if difference > 0.0 {
                self.different += 1;
            }
            if difference > self.largest {
                (self.largest, self.at) = (difference, self.count);
            }
            // A sum of squares until `finish`.
            self.root_mean_square += difference * difference;
            for z in [x.abs(), y.abs()].into_iter().filter(|z| z.is_finite()) {
                self.magnitude = self.magnitude.max(z);
            }
            self.count += 1;
        }
    }

    fn finish(mut self) -> Self {
        self.root_mean_square = (self.root_mean_square / self.count.max(1) as f64).sqrt();
        self
    }
}

fn difference(x: f64, y: f64) -> f64 {
    if x == y || x.is_nan() && y.is_nan() {
        0.0
    } else if x.is_finite() && y.is_finite() {
        (x - y).abs()
    } else {
        f64::INFINITY
    }
}

impl Outcome {
    /// Whether it is the same to within the tolerance.
    pub fn passes(&self, tolerance: Tolerance) -> bool {
        match self {
            Self::Numbers(norms) => {
                norms.largest <= tolerance.absolute + tolerance.relative * norms.magnitude
            }
            Self::Only(_) | Self::Shapes(_) | Self::Attribute(..) => false,
            Self::Skipped(_) => true,
        }
    }
}

/// All datasets of two files, in order of their names, and the attributes on which they differ but
/// those of the files as a whole, which tell how they were made. Numbers are compared as f64. Times of
/// the clock (unit s) and what depends on the number of ranks are passed over.
///
/// # Errors
/// [`Error::MissingInput`], [`Error::BadFile`]: a file or a dataset that cannot be read.
pub fn compare(first: &Path, second: &Path) -> Result<Vec<Comparison>> {
    let files = [open(first)?, open(second)?];
    let paths = [first, second];
    let lists = [0, 1].map(|i| {
        let mut names = BTreeSet::new();
        list(&files[i], "", 0, &mut names);
        names
    });
    let mut found = Vec::new();
    for name in lists[0].union(&lists[1]) {
        let mut push = |outcome| {
            found.push(Comparison {
                dataset: name.clone(),
                outcome,
            });
        };
        let passed_over = OF_A_RUN.iter().find(|(dataset, _)| dataset == name);
        if let Some((_, why)) = passed_over {
            push(Outcome::Skipped((*why).into()));
            continue;
        }
        if let Some(only) = lists.iter().position(|list| !list.contains(name)) {
            push(Outcome::Only(1 - only));
            continue;
        }
        let failed = |i: usize, e: &hdf5::Error| unreadable(paths[i], name, e);
        let sets = [
            files[0].dataset(name).map_err(|e| failed(0, &e))?,
            files[1].dataset(name).map_err(|e| failed(1, &e))?,
        ];
        let unit = text(&sets[0], "unit");
        if unit.as_deref() == Some("s") {
            push(Outcome::Skipped("time of the clock".into()));
            continue;
        }
        for (attribute, values) in attributes(&sets) {
            push(Outcome::Attribute(attribute, values));
        }
        push(of_datasets(&sets).map_err(|(i, e)| failed(i, &e))?);
    }
    Ok(found)
}

/// The attribute `name` of the file as a whole, a text.
///
/// # Errors
/// [`Error::MissingInput`], [`Error::BadFile`]: no HDF5 file, or none of ours.
pub fn root_text(path: &Path, name: &str) -> Result<String> {
    let file = open(path)?;
    text(&file, name).ok_or_else(|| {
        Error::bad_file(
            path,
            format!("attribute {name}"),
            "is missing",
            "give a result file of this program",
        )
    })
}

/// Whether the file has a group or dataset of this name.
pub fn has(path: &Path, name: &str) -> Result<bool> {
    Ok(open(path)?.link_exists(name))
}

fn unreadable(path: &Path, dataset: &str, e: &hdf5::Error) -> Error {
    let reason = e.to_string();
    let reason = reason
        .lines()
        .next()
        .unwrap_or("cannot be read")
        .to_string();
    Error::bad_file(
        path,
        format!("dataset {dataset}"),
        reason,
        "the file may be damaged; make or copy it again",
    )
}

fn list(group: &Group, prefix: &str, depth: usize, names: &mut BTreeSet<String>) {
    for name in group.member_names().unwrap_or_default() {
        let full = format!("{prefix}/{name}");
        if group.dataset(&name).is_ok() {
            names.insert(full);
        } else if depth < DEEPEST
            && let Ok(inner) = group.group(&name)
        {
            list(&inner, &full, depth + 1, names);
        }
    }
}

/// Compares numbers; an error comes with the file that it is of.
fn of_datasets(sets: &[Dataset; 2]) -> std::result::Result<Outcome, (usize, hdf5::Error)> {
    let shapes = [0, 1].map(|i| sets[i].shape());
    if shapes[0] != shapes[1] {
        return Ok(Outcome::Shapes(shapes));
    }
    for (i, set) in sets.iter().enumerate() {
        use TypeDescriptor::{Boolean, Float, Integer, Unsigned};
        let kind = set
            .dtype()
            .and_then(|t| t.to_descriptor())
            .map_err(|e| (i, e))?;
        match kind {
            Integer(_) | Unsigned(_) | Float(_) => {}
            // HDF5 converts none of these to floats.
            Boolean => return truth_values(sets),
            other => return Ok(Outcome::Skipped(format!("{other}, no numbers"))),
        }
    }
    let shape = &shapes[0];
    let mut norms = Norms::default();
    let mut both = |slab: Option<Hyperslab>| {
        let read = |i: usize| values(&sets[i], slab.clone()).map_err(|e| (i, e));
        norms.add(&read(0)?, &read(1)?);
        Ok(())
    };
    match shape.split_first() {
        None => both(None)?,
        Some((rows, rest)) => {
            let row: usize = rest.iter().product();
            let step = (BLOCK / row.max(1)).max(1);
            for start in (0..*rows).step_by(step) {
                let along = |start, count| SliceOrIndex::SliceCount {
                    start,
                    step: 1,
                    count,
                    block: 1,
                };
                let mut axes = vec![along(start, step.min(rows - start))];
                axes.extend(rest.iter().map(|n| along(0, *n)));
                if row > 0 {
                    both(Some(axes.into()))?;
                }
            }
        }
    }
    Ok(Outcome::Numbers(norms.finish()))
}

/// Compares truth values as 0 and 1.
fn truth_values(sets: &[Dataset; 2]) -> std::result::Result<Outcome, (usize, hdf5::Error)> {
    let read = |i: usize| {
        let values = sets[i].read_raw::<bool>().map_err(|e| (i, e))?;
        Ok(values.into_iter().map(f64::from).collect::<Vec<f64>>())
    };
    let mut norms = Norms::default();
    norms.add(&read(0)?, &read(1)?);
    Ok(Outcome::Numbers(norms.finish()))
}

fn values(set: &Dataset, slab: Option<Hyperslab>) -> hdf5::Result<Vec<f64>> {
    match slab {
        None => Ok(vec![set.read_scalar::<f64>()?]),
        Some(slab) => {
            let array = set.read_slice::<f64, _, IxDyn>(slab)?;
            Ok(array.into_raw_vec_and_offset().0)
        }
    }
}

/// Attributes that both have with different values, or one of them only.
fn attributes(sets: &[Dataset; 2]) -> Vec<(String, [String; 2])> {
    let names = [0, 1].map(|i| sets[i].attr_names().unwrap_or_default());
    let all: BTreeSet<&String> = names.iter().flatten().collect();
    let value = |i: usize, name: &str| {
        let set: &Location = &sets[i];
        let number = || {
            let attribute = set.attr(name).ok()?;
            attribute
                .read_scalar::<f64>()
                .ok()
                .map(|x| format!("{x:?}"))
        };
        text(set, name).or_else(number)
    };
    let mut found = Vec::new();
    for name in all {
        let values = [0, 1].map(|i| value(i, name).unwrap_or_else(|| "nothing".into()));
        if values[0] != values[1] {
            found.push((name.clone(), values));
        }
    }
    found
}

/// A text attribute.
fn text(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    match attribute.read_scalar::<VarLenUnicode>() {
        Ok(text) => Some(text.to_string()),
        Err(_) => (attribute.read_scalar::<FixedUnicode<32>>().ok()).map(|text| text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use hdf5::File;

    use super::*;

    fn file(path: &Path, write: impl FnOnce(&File)) {
        let file = File::create(path).unwrap();
        write(&file);
        file.close().unwrap();
    }

    fn put<T: hdf5::H5Type, const N: usize>(file: &File, name: &str, values: [T; N]) {
        let made = file.new_dataset_builder().with_data(&values);
        made.create(name).unwrap();
    }

    #[test]
    fn norms_of_the_difference() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.h5", "b.h5"].map(|name| folder.path().join(name));
        let nan = f64::NAN;
        file(&a, |f| {
            put(f, "same", [1.0, nan, f64::INFINITY, 0.0]);
            put(f, "other", [1.0, -8.0, 3.0, 4.0]);
            put(f, "integers", [1i32, 2, 3]);
            put(f, "only_here", [1.0]);
            put(f, "shape", [1.0, 2.0]);
            put(f, "holes", [1.0, nan]);
            put(f, "mesh_parts", [true]);
        });
        file(&b, |f| {
            put(f, "same", [1.0, nan, f64::INFINITY, -0.0]);
            put(f, "other", [1.0, -7.0, 3.0, 4.5]);
            put(f, "integers", [1u8, 2, 5]);
            put(f, "only_there", [1.0]);
            put(f, "shape", [1.0, 2.0, 3.0]);
            put(f, "holes", [1.0, 2.0]);
            put(f, "mesh_parts", [false]);
        });
        let found = compare(&a, &b).unwrap();
        let of = |name: &str| {
            let named = found.iter().find(|c| c.dataset == name);
            named.map(|c| c.outcome.clone()).unwrap()
        };
        let numbers = |name: &str| match of(name) {
            Outcome::Numbers(norms) => norms,
            other => panic!("{other:?}"),
        };
        let same = numbers("/same");
        assert_eq!((same.count, same.different, same.largest), (4, 0, 0.0));
        let other = numbers("/other");
        assert_eq!((other.different, other.largest, other.at), (2, 1.0, 1));
        assert_eq!((other.magnitude, other.relative()), (8.0, 0.125));
        assert!((other.root_mean_square - (1.25f64 / 4.0).sqrt()).abs() < 1e-15);
        assert_eq!(numbers("/integers").largest, 2.0);
        assert_eq!(numbers("/holes").largest, f64::INFINITY);
        assert_eq!(of("/only_here"), Outcome::Only(0));
        assert_eq!(of("/only_there"), Outcome::Only(1));
        assert_eq!(of("/shape"), Outcome::Shapes([vec![2], vec![3]]));
        let within = |absolute, relative| of("/other").passes(Tolerance { absolute, relative });
        assert!(!within(0.0, 0.0) && !within(0.9, 0.0) && !within(0.0, 0.12));
        assert!(within(1.0, 0.0) && within(0.0, 0.125) && within(0.5, 0.0625));
        assert!(!of("/holes").passes(Tolerance {
            absolute: 1e300,
            relative: 1e300
        }));
        assert!(of("/same").passes(Tolerance::default()));
    }

    /// Matrices of many blocks, and numbers without a dimension.
    #[test]
    fn blocks_and_scalars() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.h5", "b.h5"].map(|name| folder.path().join(name));
        let (rows, columns) = (700_003, 3);
        for (path, last) in [(&a, 2.0), (&b, 2.5)] {
            file(path, |f| {
                let mut values = vec![1.0f32; rows * columns];
                values[rows * columns - 2] = last;
                let made = f.new_dataset::<f32>().shape([rows, columns]).create("m");
                made.unwrap().write_raw(&values).unwrap();
                let scalar = f.new_dataset::<f64>().create("scalar").unwrap();
                scalar.write_scalar(&(f64::from(last) * 2.0)).unwrap();
                f.new_dataset::<f64>()
                    .shape([0, 4])
                    .create("empty")
                    .unwrap();
            });
        }
        let found = compare(&a, &b).unwrap();
        let norms: Vec<Norms> = found
            .into_iter()
            .map(|c| match c.outcome {
                Outcome::Numbers(norms) => norms,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            [norms[0].count, norms[1].count, norms[2].count],
            [0, rows * columns, 1]
        );
        assert_eq!((norms[1].largest, norms[1].at), (0.5, rows * columns - 2));
        assert_eq!((norms[2].largest, norms[2].relative()), (1.0, 0.2));
    }

    #[test]
    fn what_is_no_file_of_hdf5_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let [text, none] = ["a.txt", "none.h5"].map(|name| folder.path().join(name));
        std::fs::write(&text, "text").unwrap();
        assert_eq!(compare(&text, &text).unwrap_err().exit_code(), 65);
        assert_eq!(compare(&none, &text).unwrap_err().exit_code(), 66);
    }
}
