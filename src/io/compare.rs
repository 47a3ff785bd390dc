//! Two HDF5 files compared dataset by dataset, block by block, in norms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hdf5::types::TypeDescriptor;
use hdf5::{Attribute, Group, Location};

use super::compare_values::{Norms, compare_values, texts_of};
use super::dataset::open;
use crate::error::{Error, Result};

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
    Texts(Texts),
    /// In one of the files only: 0 the first, 1 the second.
    Only(usize),
    Shapes([Vec<usize>; 2]),
    /// Of kinds that cannot be compared: numbers and texts.
    Types([String; 2]),
    Attribute(Different),
    /// Not compared, and why.
    Skipped(String),
}

/// An attribute that is not the same in both.
#[derive(Debug, Clone, PartialEq)]
pub struct Different {
    pub name: String,
    /// Both values, as they are shown.
    pub values: [String; 2],
    /// Where both are numbers.
    norms: Option<Norms>,
}

/// What became of texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    pub count: usize,
    pub different: usize,
    /// The first that differs: its index, last dimension fastest, and both.
    pub first: Option<(usize, [String; 2])>,
}

impl Outcome {
    /// Whether it is the same to within the tolerance.
    pub fn passes(&self, tolerance: Tolerance) -> bool {
        match self {
            Self::Numbers(norms) => norms.within(tolerance),
            Self::Attribute(different) => {
                let norms = different.norms.as_ref();
                norms.is_some_and(|norms| norms.within(tolerance))
            }
            Self::Texts(texts) => texts.different == 0,
            Self::Only(_) | Self::Shapes(_) | Self::Types(_) => false,
            Self::Skipped(_) => true,
        }
    }
}

/// All datasets of two files, in order of their names, and the attributes of datasets and groups on
/// which they differ, but those of the files as a whole, which tell how they were made. Integers are
/// compared exactly, numbers as f64 where one of them is no integer. Times of the clock (unit s) and
/// what depends on the number of ranks are passed over.
///
/// # Errors
/// [`Error::MissingInput`], [`Error::BadFile`]: a file or a dataset that cannot be read.
pub fn compare(first: &Path, second: &Path) -> Result<Vec<Comparison>> {
    let files = [open(first)?, open(second)?];
    let paths = [first, second];
    let lists = [0, 1].map(|i| {
        let mut names = BTreeMap::new();
        list(&files[i], "", 0, &mut names);
        names
    });
    let all: BTreeSet<&String> = lists.iter().flat_map(BTreeMap::keys).collect();
    let mut found = Vec::new();
    for name in all {
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
        let failed = |i: usize, e: &hdf5::Error| unreadable(paths[i], name, e);
        let objects = [lists[0].get(name), lists[1].get(name)];
        let (a, b) = match objects {
            [Some(Object::Dataset), Some(Object::Dataset)] => {
                let set = |i: usize| files[i].dataset(name).map_err(|e| failed(i, &e));
                (set(0)?, set(1)?)
            }
            [Some(Object::Group), Some(Object::Group)] => {
                let group = |i: usize| files[i].group(name).map_err(|e| failed(i, &e));
                let (a, b) = (group(0)?, group(1)?);
                for attribute in attributes([&a, &b]) {
                    push(Outcome::Attribute(attribute));
                }
                continue;
            }
            // Groups by themselves hold nothing; their datasets are listed.
            [Some(Object::Dataset), _] => {
                push(Outcome::Only(0));
                continue;
            }
            [_, Some(Object::Dataset)] => {
                push(Outcome::Only(1));
                continue;
            }
            _ => continue,
        };
        if text(&a, "unit").as_deref() == Some("s") {
            push(Outcome::Skipped("time of the clock".into()));
            continue;
        }
        for attribute in attributes([&a, &b]) {
            push(Outcome::Attribute(attribute));
        }
        push(compare_values([&a, &b], false).map_err(|(i, e)| failed(i, &e))?);
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

/// What a name stands for.
enum Object {
    Dataset,
    Group,
}

fn list(group: &Group, prefix: &str, depth: usize, names: &mut BTreeMap<String, Object>) {
    for name in group.member_names().unwrap_or_default() {
        let full = format!("{prefix}/{name}");
        if group.dataset(&name).is_ok() {
            names.insert(full, Object::Dataset);
        } else if depth < DEEPEST
            && let Ok(inner) = group.group(&name)
        {
            list(&inner, &full, depth + 1, names);
            names.insert(full, Object::Group);
        }
    }
}

/// Attributes that both have with different values, or one of them only.
fn attributes(of: [&Location; 2]) -> Vec<Different> {
    let names = [0, 1].map(|i| of[i].attr_names().unwrap_or_default());
    let all: BTreeSet<&String> = names.iter().flatten().collect();
    let mut found = Vec::new();
    for name in all {
        let both = [0, 1].map(|i| of[i].attr(name).ok());
        let mut norms = None;
        if let [Some(a), Some(b)] = &both {
            match compare_values([a, b], true) {
                Ok(outcome) if outcome.passes(Tolerance::default()) => continue,
                Ok(Outcome::Numbers(numbers)) => norms = Some(numbers),
                _ => {}
            }
        }
        let values = both.map(|attribute| match attribute {
            Some(attribute) => shown(&attribute),
            None => "nothing".into(),
        });
        found.push(Different {
            name: name.clone(),
            values,
            norms,
        });
    }
    found
}

/// An attribute as a text.
fn shown(attribute: &Attribute) -> String {
    let list = |values: Vec<String>| match &values[..] {
        [one] => one.clone(),
        _ => format!("[{}]", values.join(", ")),
    };
    let is_unsigned = (attribute.dtype().and_then(|t| t.to_descriptor()))
        .is_ok_and(|t| matches!(t, TypeDescriptor::Unsigned(_)));
    if let Some(texts) = texts_of(attribute) {
        list(texts)
    } else if is_unsigned && let Ok(values) = attribute.read_raw::<u64>() {
        list(values.iter().map(u64::to_string).collect())
    } else if let Ok(values) = attribute.read_raw::<f64>() {
        list(values.iter().map(|x| format!("{x:?}")).collect())
    } else {
        "something else".into()
    }
}

/// A text attribute.
fn text(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    texts_of(&attribute)?.into_iter().next()
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
