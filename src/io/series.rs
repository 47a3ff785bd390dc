//! Datasets that grow along their first axis: what a recorder sees, row by row. Every chunk has a
//! checksum, so that damage is not read as data.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hdf5::{Dataset, Extent, File, H5Type, Hyperslab, SliceOrIndex};
use ndarray::{ArrayViewD, IxDyn};

use super::hdf5::ResultFile;
use super::hdf5_chunks::{Failed, copy_rows, verify_rows};
use super::xdmf::NumberType;
use crate::error::{Error, Result};
use crate::mesh::formats::{open_file, write_error};

/// Largest chunk of a row, bytes: what a reader of a part must decompress.
const LARGEST_CHUNK: usize = 4 << 20;
/// Rows and bytes of a chunk of short rows.
const MOST_ROWS: usize = 1024;
const ROWS_CHUNK: usize = 1 << 18;

/// A growing dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// "/fk/frames/u".
    pub dataset: String,
    /// Shape of a row; `[]`: a number.
    pub row: Vec<usize>,
    pub number: NumberType,
    pub unit: String,
    /// What the columns of a row are.
    pub columns: Option<String>,
    /// Level of deflate, 0 to 9.
    pub compression: u8,
}

/// Rows of a series, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Series {
    /// Numbers in a row.
    pub fn row_len(&self) -> usize {
        self.row.iter().product()
    }

    /// Shape of a chunk: a row, or an even part of it along its first axes; several rows where they
    /// are short.
    pub fn chunk(&self) -> Vec<usize> {
        let bytes = match self.number {
            NumberType::F64 => 8,
            _ => 4,
        };
        let row = self.row_len() * bytes;
        // Frames come one by one, and what is one row long can be merged as it is stored.
        let rows = match self.number {
            NumberType::F64 => (ROWS_CHUNK / row.max(1)).clamp(1, MOST_ROWS),
            _ => 1,
        };
        let mut chunk = vec![rows];
        chunk.extend(&self.row);
        for axis in 1..chunk.len() {
            let rest: usize = chunk[axis + 1..].iter().product::<usize>() * bytes;
            let fits = (LARGEST_CHUNK / rest.max(1)).max(1);
            let pieces = chunk[axis].div_ceil(fits);
            chunk[axis] = chunk[axis].div_ceil(pieces.max(1));
        }
        chunk
    }

    fn shape(&self, rows: usize) -> Vec<usize> {
        let mut shape = vec![rows];
        shape.extend(&self.row);
        shape
    }

    fn hyperslab(&self, rows: Range<usize>) -> Hyperslab {
        let along = |start, count| SliceOrIndex::SliceCount {
            start,
            step: 1,
            count,
            block: 1,
        };
        let mut axes = vec![along(rows.start, rows.len())];
        axes.extend(self.row.iter().map(|&n| along(0, n)));
        axes.into()
    }

    /// Opens the series of a file that must hold `rows` of it.
    pub fn open(&self, file: &File, path: &Path, rows: usize) -> Result<Dataset> {
        let bad = |problem: String| {
            let place = format!("dataset {}", self.dataset);
            Error::bad_file(path, place, problem, "start again with --overwrite")
        };
        let dataset = (file.dataset(&self.dataset)).map_err(|_| bad("is missing".into()))?;
        let shape = dataset.shape();
        let is_it = match self.number {
            NumberType::F64 => dataset.dtype().is_ok_and(|t| t.is::<f64>()),
            _ => dataset.dtype().is_ok_and(|t| t.is::<f32>()),
        };
        let held = shape.first().is_some_and(|&held| held >= rows);
        if !is_it || !held || shape[1..] != self.row {
            return Err(bad(format!(
                "has the shape {shape:?}; {:?} was recorded",
                self.shape(rows)
            )));
        }
        Ok(dataset)
    }

    /// Verifies that the first `rows` rows of the series in a file are what was written.
    ///
    /// # Errors
    /// [`Error::BadFile`] where they are not, or not there.
    pub fn verify(&self, file: &File, path: &Path, rows: usize) -> Result<()> {
        let dataset = self.open(file, path, rows)?;
        let chunk = dataset.chunk().unwrap_or_else(|| self.chunk());
        verify_rows(&dataset, &chunk, rows).map_err(|e| unreadable(path, self, &e))
    }

    fn read(&self, dataset: &Dataset, rows: Range<usize>) -> hdf5::Result<Values> {
        fn values<T: H5Type>(dataset: &Dataset, slab: Hyperslab) -> hdf5::Result<Vec<T>> {
            let array = dataset.read_slice::<T, _, IxDyn>(slab)?;
            Ok(array.into_raw_vec_and_offset().0)
        }
        let slab = self.hyperslab(rows);
        Ok(match self.number {
            NumberType::F64 => Values::F64(values(dataset, slab)?),
            _ => Values::F32(values(dataset, slab)?),
        })
    }
}

/// A file with its series, being written.
pub struct Growing {
    // Closed before the file.
    datasets: Vec<Dataset>,
    file: ResultFile,
    series: Arc<[Series]>,
    rows: Vec<usize>,
}

impl Growing {
    /// Starts the file that will be `path`, with all series empty.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; so of all methods here.
    pub fn create(path: &Path, series: Arc<[Series]>) -> Result<Self> {
        let file = ResultFile::create(path)?;
        let mut datasets = Vec::new();
        for one in &*series {
            file.groups_above(&one.dataset)?;
            datasets.push(create(&file, one).map_err(|e| write_error(path, &e))?);
            file.short_text(&one.dataset, "unit", &one.unit)?;
            if let Some(columns) = &one.columns {
                file.text(&one.dataset, "columns", columns)?;
            }
        }
        Ok(Self {
            datasets,
            file,
            rows: vec![0; series.len()],
            series,
        })
    }

    /// Appends whole rows to series number `i`.
    pub fn append(&mut self, i: usize, values: &Values) -> Result<()> {
        match (values, self.series[i].number) {
            (Values::F64(v), NumberType::F64) => self.append_raw(i, v),
            (Values::F32(v), NumberType::F32) => self.append_raw(i, v),
            _ => Err(Error::Bug(format!(
                "{}: other numbers",
                self.series[i].dataset
            ))),
        }
    }

    fn append_raw<T: H5Type>(&mut self, i: usize, values: &[T]) -> Result<()> {
        let series = &self.series[i];
        let rows = values.len() / series.row_len().max(1);
        if rows == 0 {
            return Ok(());
        }
        let begin = self.rows[i];
        let view = ArrayViewD::from_shape(series.shape(rows), values)
            .map_err(|e| Error::Bug(format!("{}: {e}", series.dataset)))?;
        let slab = series.hyperslab(begin..begin + rows);
        self.grow(i, rows)?;
        let written = self.datasets[i].write_slice(view, slab);
        written.map_err(|e| write_error(self.file.path(), &e))
    }

    fn grow(&mut self, i: usize, rows: usize) -> Result<()> {
        let shape = self.series[i].shape(self.rows[i] + rows);
        (self.datasets[i].resize(shape)).map_err(|e| write_error(self.file.path(), &e))?;
        self.rows[i] += rows;
        Ok(())
    }

    /// Appends the first `rows[i]` rows of each series of the file `path`.
    ///
    /// # Errors
    /// [`Error::BadFile`] where it does not hold them.
    pub fn append_file(&mut self, path: &Path, rows: &[usize]) -> Result<()> {
        let file = open(path)?;
        let series = Arc::clone(&self.series);
        for (i, (one, &rows)) in series.iter().zip(rows).enumerate() {
            if rows == 0 {
                continue;
            }
            let from = one.open(&file, path, rows)?;
            let chunk = one.chunk();
            let alike = from.chunk().as_ref() == Some(&chunk)
                && from.filters() == self.datasets[i].filters();
            if chunk[0] == 1 && alike {
                let begin = self.rows[i];
                self.grow(i, rows)?;
                copy_rows(&from, &self.datasets[i], &chunk, 0..rows, begin).map_err(|failed| {
                    match failed {
                        Failed::Reading(e) => unreadable(path, one, &e),
                        Failed::Writing(e) => write_error(self.file.path(), &e),
                    }
                })?;
                continue;
            }
            for begin in (0..rows).step_by(chunk[0]) {
                let values = one.read(&from, begin..rows.min(begin + chunk[0]));
                self.append(i, &values.map_err(|e| unreadable(path, one, &e))?)?;
            }
        }
        Ok(())
    }

    /// All numbers of series number `i`, which are f64.
    pub fn read_f64(&self, i: usize) -> Result<Vec<f64>> {
        let (series, path) = (&self.series[i], self.file.path());
        if self.rows[i] == 0 {
            return Ok(Vec::new());
        }
        match series.read(&self.datasets[i], 0..self.rows[i]) {
            Ok(Values::F64(values)) => Ok(values),
            Ok(Values::F32(_)) => Err(Error::Bug(format!("{}: not f64", series.dataset))),
            Err(e) => Err(unreadable(path, series, &e)),
        }
    }

    /// Changes the final name of the file, in the same folder.
    pub fn rename(&mut self, path: &Path) {
        self.file.rename(path);
    }

    /// Rows of each series.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The file, in which nothing grows any more.
    pub fn into_file(self) -> Result<ResultFile> {
        let flushed = self.datasets.iter().try_for_each(Dataset::flush);
        flushed.map_err(|e| write_error(self.file.path(), &e))?;
        Ok(self.file)
    }
}

/// Opens a file of series.
///
/// # Errors
/// [`Error::MissingInput`], [`Error::BadFile`].
pub fn open(path: &Path) -> Result<File> {
    open_file(path, "start again with --overwrite")
}

fn create(file: &ResultFile, series: &Series) -> hdf5::Result<Dataset> {
    let Ok(file) = file.file() else {
        return Err("closed".into());
    };
    let mut extents = vec![Extent::resizable(0)];
    extents.extend(series.row.iter().map(|&n| Extent::fixed(n)));
    macro_rules! create {
        ($t:ty) => {{
            let builder = (file.new_dataset::<$t>()).shape(extents);
            let builder = builder.chunk(series.chunk());
            match series.compression {
                0 => builder.fletcher32().create(&*series.dataset),
                level => {
                    let builder = builder.shuffle().deflate(level).fletcher32();
                    builder.create(&*series.dataset)
                }
            }
        }};
    }
    match series.number {
        NumberType::F64 => create!(f64),
        _ => create!(f32),
    }
}

fn unreadable(path: &Path, series: &Series, e: &hdf5::Error) -> Error {
    let place = format!("dataset {}", series.dataset);
    let text = e.to_string();
    let problem = text.lines().next().unwrap_or("not readable").to_owned();
    Error::bad_file(path, place, problem, "start again with --overwrite")
}
