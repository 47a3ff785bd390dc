//! A dataset of an HDF5 file, read without trusting its shape, type or size.

use std::path::Path;

use hdf5::plist::dataset_create::Layout;
use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Dataset, Group, H5Type, Hyperslab, SliceOrIndex};
use ndarray::IxDyn;

use super::hdf5::reason;
use super::hdf5_heap::check_texts;
use crate::error::{Error, Result};
use crate::units::LengthUnit;

/// Deflate stores at most about 1030 bytes in one; more cannot be honest data.
const MOST_COMPRESSION: u64 = 1100;

/// A dataset to read, with its place for errors.
pub struct Source<'a> {
    dataset: Dataset,
    shape: Vec<usize>,
    kind: TypeDescriptor,
    place: String,
    path: &'a Path,
}

impl<'a> Source<'a> {
    /// `None` where the group has no such name.
    pub fn open(group: &Group, parent: &str, name: &str, path: &'a Path) -> Result<Option<Self>> {
        let place = format!("{parent}/{name}");
        if !group.link_exists(name) {
            return Ok(None);
        }
        let bad = |problem: String| {
            Error::bad_file(
                path,
                format!("dataset {place}"),
                problem,
                "the file may be damaged",
            )
        };
        let dataset = group.dataset(name).map_err(|e| bad(reason(&e)))?;
        let shape = dataset.get_shape().map_err(|e| bad(reason(&e)))?;
        let kind = dataset
            .dtype()
            .and_then(|t| t.to_descriptor())
            .map_err(|e| bad(reason(&e)))?;
        Ok(Some(Self {
            dataset,
            shape,
            kind,
            place,
            path,
        }))
    }

    fn bad(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(
            self.path,
            format!("dataset {}", self.place),
            problem,
            remedy,
        )
    }

    /// Lengths along each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether it holds floats or integers.
    pub fn is_number(&self) -> bool {
        use TypeDescriptor::{Boolean, Float, Integer, Unsigned};
        matches!(self.kind, Integer(_) | Unsigned(_) | Float(_) | Boolean)
    }

    /// Number of rows of shape (rows, C), or (rows) for C = 1; `rows` is what it must be.
    fn rows<const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<usize> {
        let count = match self.shape[..] {
            [count] if C == 1 => count,
            [count, c] if c == C => count,
            _ => {
                let shape = if C == 1 {
                    "(rows)".into()
                } else {
                    format!("(rows,{C})")
                };
                let problem = format!("has the shape {:?}, not {shape}", self.shape);
                return Err(self.bad(problem, "store one row per entity"));
            }
        };
        match rows {
            Some((expected, of)) if expected != count => Err(self.bad(
                format!("has {count} rows for {expected} {of}"),
                "the counts must agree; make the file again",
            )),
            _ => Ok(count),
        }
    }

    /// That the file holds what it claims, in numbers.
    pub fn is_filled(&self) -> Result<()> {
        let numbers = self.shape.iter().try_fold(1usize, |n, m| n.checked_mul(*m));
        self.holds(numbers.unwrap_or(usize::MAX))
    }

    /// Refuses to allocate for numbers that the file cannot hold.
    fn holds(&self, numbers: usize) -> Result<()> {
        if self.dataset.layout() == Layout::Virtual {
            let remedy = "give that file; of a result it is the .h5 beside this one";
            return Err(self.bad("is a view of another file's numbers", remedy));
        }
        if !self.is_number() {
            let problem = format!("holds {} instead of numbers", self.kind);
            return Err(self.bad(problem, "store floats or integers"));
        }
        let bytes = (numbers as u64).saturating_mul(self.kind.size() as u64);
        // The library takes the stored size from the header; the file cannot hold more than itself.
        let length = std::fs::metadata(self.path).map_or(u64::MAX, |m| m.len());
        let stored = self.dataset.storage_size().min(length);
        if bytes > stored.saturating_mul(MOST_COMPRESSION) {
            return Err(self.bad(
                format!("claims {bytes} bytes and stores {stored}"),
                "the file is damaged or was never filled; make it again",
            ));
        }
        Ok(())
    }

    fn fill<T: H5Type + Copy>(&self, into: &mut [T]) -> Result<()> {
        self.dataset
            .as_reader()
            .read_into_raw(into)
            .map(|_| ())
            .map_err(|e| self.bad(reason(&e), "the file may be truncated; copy it again"))
    }

    /// Rows of C numbers; `rows` is how many there must be, and of what.
    pub fn floats<const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<Vec<[f64; C]>> {
        let rows = self.rows::<C>(rows)?;
        self.holds(rows.saturating_mul(C))?;
        let mut values = vec![[0.0; C]; rows];
        self.fill(values.as_flattened_mut())?;
        Ok(values)
    }

    /// All of its numbers, of which there must be `numbers`.
    pub fn all_floats(&self, numbers: usize) -> Result<Vec<f64>> {
        self.holds(numbers)?;
        let mut values = vec![0.0; numbers];
        self.fill(&mut values)?;
        Ok(values)
    }

    /// Row `i`: the numbers behind the first index.
    pub fn row(&self, i: usize) -> Result<Vec<f64>> {
        let Some((rows, inner)) = self.shape.split_first().filter(|(rows, _)| i < **rows) else {
            let problem = format!("has no row {i}, its shape is {:?}", self.shape);
            return Err(self.bad(problem, "make the file again"));
        };
        let inner_numbers = inner.iter().try_fold(1usize, |n, m| n.checked_mul(*m));
        self.holds(inner_numbers.unwrap_or(usize::MAX).saturating_mul(*rows))?;
        let slices = std::iter::once(SliceOrIndex::Index(i))
            .chain(inner.iter().map(|n| SliceOrIndex::from(0..*n)));
        let row = Hyperslab::from(slices.collect::<Vec<_>>());
        (self.dataset.read_slice::<f64, _, IxDyn>(row))
            .map(|array| array.into_raw_vec_and_offset().0)
            .map_err(|e| self.bad(reason(&e), "the file may be truncated; copy it again"))
    }

    /// Rows of C integers, without HDF5's silent clamping of what does not fit.
    pub fn integers<T, const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<Vec<[T; C]>>
    where
        T: H5Type + Copy + Default + TryFrom<i128>,
    {
        let rows = self.rows::<C>(rows)?;
        self.holds(rows.saturating_mul(C))?;
        let mut values = vec![[T::default(); C]; rows];
        if self.kind == T::type_descriptor() {
            self.fill(values.as_flattened_mut())?;
            return Ok(values);
        }
        let into = values.as_flattened_mut();
        match self.kind {
            TypeDescriptor::Float(_) => self.convert::<f64, T>(into, |x| {
                (x.fract() == 0.0 && x.abs() < 1e18).then_some(x as i128)
            })?,
            TypeDescriptor::Unsigned(_) => self.convert::<u64, T>(into, |x| Some(x.into()))?,
            _ => self.convert::<i64, T>(into, |x| Some(x.into()))?,
        }
        Ok(values)
    }

    /// Reads as `S`, a block of rows at a time to keep memory low.
    fn convert<S: H5Type + Copy + Default + std::fmt::Display, T: TryFrom<i128>>(
        &self,
        into: &mut [T],
        exact: impl Fn(S) -> Option<i128>,
    ) -> Result<()> {
        const BLOCK: usize = 1 << 18;
        let columns = self.shape.get(1).copied().unwrap_or(1);
        for (block, into) in into.chunks_mut(BLOCK * columns).enumerate() {
            let rows = block * BLOCK..block * BLOCK + into.len() / columns;
            let read = if self.shape.len() == 1 {
                (self.dataset.read_slice_1d::<S, _>(rows)).map(|a| a.into_raw_vec_and_offset().0)
            } else {
                (self.dataset.read_slice_2d::<S, _>((rows, ..)))
                    .map(|a| a.into_raw_vec_and_offset().0)
            };
            let read =
                read.map_err(|e| self.bad(reason(&e), "the file may be truncated; copy it again"))?;
            for (i, (to, from)) in into.iter_mut().zip(read).enumerate() {
                *to = exact(from)
                    .and_then(|x| T::try_from(x).ok())
                    .ok_or_else(|| {
                        let row = block * BLOCK + i / columns;
                        let problem = format!("row {row} holds {from}");
                        self.bad(
                            problem,
                            "whole numbers in the range of the dataset are possible",
                        )
                    })?;
            }
        }
        Ok(())
    }

    /// String attribute in whatever way it is stored.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let Ok(attribute) = self.dataset.attr(name) else {
            return Ok(None);
        };
        let kind = attribute.dtype().and_then(|t| t.to_descriptor());
        if !attribute.is_scalar() {
            return Ok(None);
        }
        if let Ok(TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii) = kind {
            check_texts(self.path, name)?;
        }
        let bytes = match kind {
            Ok(TypeDescriptor::VarLenUnicode) => {
                (attribute.read_scalar::<VarLenUnicode>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::VarLenAscii) => {
                (attribute.read_scalar::<VarLenAscii>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::FixedAscii(_)) => {
                (attribute.read_scalar::<FixedAscii<64>>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::FixedUnicode(_)) => {
                (attribute.read_scalar::<FixedUnicode<64>>()).map(|s| s.as_bytes().to_vec())
            }
            _ => return Ok(None),
        };
        match bytes {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(e) => {
                let problem = format!("attribute {name}: {}", reason(&e));
                Err(self.bad(problem, "the file may be damaged; copy it again"))
            }
        }
    }

    /// Attribute `unit` of coordinates.
    pub fn length_unit(&self) -> Result<Option<LengthUnit>> {
        match self.text("unit")?.as_deref() {
            None => Ok(None),
            Some("um" | "µm" | "μm") => Ok(Some(LengthUnit::Um)),
            Some("mm") => Ok(Some(LengthUnit::Mm)),
            Some("cm") => Ok(Some(LengthUnit::Cm)),
            Some("m") => Ok(Some(LengthUnit::M)),
            Some(other) => {
                let problem = format!("its unit is {other:?}");
                Err(self.bad(problem, "um, mm, cm and m are known"))
            }
        }
    }

    /// Factor to mm²/ms².
    pub fn tensor_unit(&self) -> Result<f64> {
        match self.text("unit")?.as_deref() {
            None | Some("mm2/ms2" | "mm²/ms²" | "mm^2/ms^2" | "m2/s2" | "m²/s²" | "m^2/s^2") => {
                Ok(1.0)
            }
            Some("cm2/ms2" | "cm²/ms²" | "cm^2/ms^2") => Ok(100.0),
            Some(other) => {
                let problem = format!("its unit is {other:?}");
                Err(self.bad(problem, "store the velocity tensor in mm2/ms2"))
            }
        }
    }
}
