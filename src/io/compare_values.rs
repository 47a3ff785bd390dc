//! Values of datasets and attributes of HDF5 files, side by side: numbers in norms, texts by being equal.

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Container, H5Type, Hyperslab, SliceOrIndex};
use ndarray::IxDyn;

use super::compare::{Outcome, Texts, Tolerance};

/// Bytes read at a time.
const BLOCK: usize = 1 << 23;

/// An error, with the number of the file that it is of.
pub type Failed = (usize, hdf5::Error);

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

    /// Whether max |a − b| ≤ absolute + relative · max(|a|, |b|).
    pub fn within(&self, tolerance: Tolerance) -> bool {
        self.largest <= tolerance.absolute + tolerance.relative * self.magnitude
    }

    fn add<T: Number>(&mut self, a: &[T], b: &[T]) {
        for (x, y) in a.iter().zip(b) {
            let difference = x.distance(*y);
            if difference > 0.0 {
                self.different += 1;
            }
            if difference > self.largest {
                (self.largest, self.at) = (difference, self.count);
            }
            // A sum of squares until `finish`.
            self.root_mean_square += difference * difference;
            for z in [x.size(), y.size()].into_iter().filter(|z| z.is_finite()) {
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

/// A number of a file.
trait Number: Copy {
    /// |x − y|; not 0 where they are not the same.
    fn distance(self, other: Self) -> f64;
    fn size(self) -> f64;
}

impl Number for f64 {
    fn distance(self, other: f64) -> f64 {
        if self == other || self.is_nan() && other.is_nan() {
            0.0
        } else if self.is_finite() && other.is_finite() {
            (self - other).abs()
        } else {
            f64::INFINITY
        }
    }

    fn size(self) -> f64 {
        self.abs()
    }
}

/// Any integer of a file: a f64 would not tell those beyond 2⁵³ from their neighbours.
impl Number for i128 {
    fn distance(self, other: i128) -> f64 {
        self.abs_diff(other) as f64
    }

    fn size(self) -> f64 {
        self.unsigned_abs() as f64
    }
}

/// What values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Truth,
    Text,
}

fn kind(of: &TypeDescriptor) -> Option<Kind> {
    use TypeDescriptor as T;
    match of {
        T::Float(_) => Some(Kind::Float),
        T::Integer(_) => Some(Kind::Signed),
        T::Unsigned(_) => Some(Kind::Unsigned),
        T::Boolean => Some(Kind::Truth),
        T::FixedAscii(_) | T::FixedUnicode(_) | T::VarLenAscii | T::VarLenUnicode => {
            Some(Kind::Text)
        }
        _ => None,
    }
}

/// Compares what two datasets or attributes of the same name hold; `at_once`, as attributes can be
/// read only, or in parts.
pub fn compare_values(sets: [&Container; 2], at_once: bool) -> Result<Outcome, Failed> {
    let shapes = [0, 1].map(|i| sets[i].shape());
    if shapes[0] != shapes[1] {
        return Ok(Outcome::Shapes(shapes));
    }
    let describe = |i: usize| {
        let described = sets[i].dtype().and_then(|t| t.to_descriptor());
        described.map_err(|e| (i, e))
    };
    let types = [describe(0)?, describe(1)?];
    let kinds = [0, 1].map(|i| kind(&types[i]));
    if let Some(i) = kinds.iter().position(Option::is_none) {
        return Ok(Outcome::Skipped(format!(
            "{}, neither numbers nor texts",
            types[i]
        )));
    }
    let [shape, _] = shapes;
    let parts = |bytes: usize| match at_once {
        true => vec![None],
        false => blocks(&shape, bytes),
    };
    match kinds.map(|kind| kind.unwrap_or(Kind::Float)) {
        [Kind::Text, Kind::Text] => texts(sets, &types, parts),
        [Kind::Truth, Kind::Truth] => numbers(&parts(size_of::<f64>()), |i, slab| {
            let values = read::<bool>(sets[i], slab)?;
            Ok(values.into_iter().map(i128::from).collect())
        }),
        kinds if kinds.contains(&Kind::Text) || kinds.contains(&Kind::Truth) => {
            Ok(Outcome::Types([0, 1].map(|i| types[i].to_string())))
        }
        kinds if kinds.contains(&Kind::Float) => numbers(&parts(size_of::<f64>()), |i, slab| {
            read::<f64>(sets[i], slab)
        }),
        // Reading one as the other would clip.
        kinds => numbers(&parts(size_of::<f64>()), |i, slab| match kinds[i] {
            Kind::Unsigned => Ok(widened(read::<u64>(sets[i], slab)?)),
            _ => Ok(widened(read::<i64>(sets[i], slab)?)),
        }),
    }
}

fn widened<T: Into<i128>>(values: Vec<T>) -> Vec<i128> {
    values.into_iter().map(Into::into).collect()
}

fn numbers<T: Number>(
    parts: &[Option<Hyperslab>],
    read: impl Fn(usize, Option<Hyperslab>) -> hdf5::Result<Vec<T>>,
) -> Result<Outcome, Failed> {
    let mut norms = Norms::default();
    for slab in parts {
        let of = |i: usize| read(i, slab.clone()).map_err(|e| (i, e));
        norms.add(&of(0)?, &of(1)?);
    }
    Ok(Outcome::Numbers(norms.finish()))
}

fn texts(
    sets: [&Container; 2],
    types: &[TypeDescriptor; 2],
    parts: impl Fn(usize) -> Vec<Option<Hyperslab>>,
) -> Result<Outcome, Failed> {
    let widths = [0, 1].map(|i| width(&types[i]));
    let [Some(a), Some(b)] = widths else {
        return Ok(Outcome::Skipped(format!(
            "texts of more than {LONGEST} bytes each"
        )));
    };
    let mut texts = Texts::default();
    for slab in parts(a.max(b)) {
        let of = |i: usize| read_texts(sets[i], &types[i], slab.clone()).map_err(|e| (i, e));
        for (x, y) in of(0)?.into_iter().zip(of(1)?) {
            if x != y {
                texts.different += 1;
                texts.first.get_or_insert((texts.count, [x, y]));
            }
            texts.count += 1;
        }
    }
    Ok(Outcome::Texts(texts))
}

/// Longest texts of fixed length that are read.
const LONGEST: usize = 1 << 12;

/// Bytes that a text takes in memory; `None`: too many.
fn width(of: &TypeDescriptor) -> Option<usize> {
    match of {
        TypeDescriptor::FixedAscii(n) | TypeDescriptor::FixedUnicode(n) => {
            [32, 256, LONGEST].into_iter().find(|width| n <= width)
        }
        _ => Some(32),
    }
}

/// All texts of a dataset or attribute that holds some.
pub fn texts_of(set: &Container) -> Option<Vec<String>> {
    let of = set.dtype().and_then(|t| t.to_descriptor()).ok()?;
    let readable = kind(&of) == Some(Kind::Text) && width(&of).is_some();
    readable.then(|| read_texts(set, &of, None).ok())?
}

fn read_texts(
    set: &Container,
    of: &TypeDescriptor,
    slab: Option<Hyperslab>,
) -> hdf5::Result<Vec<String>> {
    macro_rules! read_as {
        ($t:ty) => {
            Ok(read::<$t>(set, slab)?
                .iter()
                .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned())
                .collect())
        };
    }
    match (of, width(of)) {
        (TypeDescriptor::VarLenAscii, _) => read_as!(VarLenAscii),
        (TypeDescriptor::FixedAscii(_), Some(32)) => read_as!(FixedAscii<32>),
        (TypeDescriptor::FixedAscii(_), Some(256)) => read_as!(FixedAscii<256>),
        (TypeDescriptor::FixedAscii(_), _) => read_as!(FixedAscii<LONGEST>),
        (TypeDescriptor::FixedUnicode(_), Some(32)) => read_as!(FixedUnicode<32>),
        (TypeDescriptor::FixedUnicode(_), Some(256)) => read_as!(FixedUnicode<256>),
        (TypeDescriptor::FixedUnicode(_), _) => read_as!(FixedUnicode<LONGEST>),
        _ => read_as!(VarLenUnicode),
    }
}

/// Reads a part, or all where there is none.
fn read<T: H5Type>(set: &Container, slab: Option<Hyperslab>) -> hdf5::Result<Vec<T>> {
    match slab {
        None => set.read_raw::<T>(),
        Some(slab) => {
            let array = set.read_slice::<T, _, IxDyn>(slab)?;
            Ok(array.into_raw_vec_and_offset().0)
        }
    }
}

/// Parts that together are all of an array with values of so many bytes; `None`: all at once, where
/// there is no dimension.
fn blocks(shape: &[usize], bytes: usize) -> Vec<Option<Hyperslab>> {
    let Some((rows, rest)) = shape.split_first() else {
        return vec![None];
    };
    let row: usize = rest.iter().product();
    if *rows == 0 || row == 0 {
        return Vec::new();
    }
    let step = (BLOCK / (row * bytes)).max(1);
    let along = |start, count| SliceOrIndex::SliceCount {
        start,
        step: 1,
        count,
        block: 1,
    };
    let part = |start: usize| {
        let mut axes = vec![along(start, step.min(rows - start))];
        axes.extend(rest.iter().map(|n| along(0, *n)));
        Some(axes.into())
    };
    (0..*rows).step_by(step).map(part).collect()
}
