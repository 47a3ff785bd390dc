//! Checkpoints of a simulation: everything that it needs to go on as if never stopped.
//!
//! An HDF5 file with `/arrays/NAME`, uncompressed, and `/header`, a JSON text with the type, shape
//! and SHA-256 of each array, itself under `/header_sha256`: no number in it can be damaged
//! unnoticed. Files appear under their name when complete and on the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use hdf5::{Dataset, File, H5Type};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::hdf5::ResultFile;
use super::numbered;
use super::segments::Segments;
use crate::error::{Error, Result};
use crate::mesh::formats::open_file;
use crate::sha256;

/// The checkpoint of step 1500 is `fk_checkpoint-1500.h5`.
pub const PREFIX: &str = "fk_checkpoint-";

/// Version of the format. `/header`, its checksum and its key `version` are of every version.
const VERSION: u32 = 1;

const MAY_CHANGE: &str = "the duration, [checkpoint] and [run]";
const AGAIN: &str = "start again with --overwrite";

/// A type of number that a checkpoint keeps, to the last bit.
pub trait Stored: H5Type + Pod {
    const NAME: &str;
}

macro_rules! stored {
    ($($t:ident)*) => {
        $(impl Stored for $t {
            const NAME: &str = stringify!($t);
        })*
    };
}
stored!(f32 f64 u8 i32 u32 i64 u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    version: u32,
    fingerprint: Fingerprint,
    step: u64,
    /// ms.
    time: f64,
    /// What was recorded until then.
    segments: Segments,
    arrays: BTreeMap<String, Described>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Described {
    number: String,
    shape: Vec<usize>,
    sha256: String,
}

/// A checkpoint being written; dropped before [`finish`](Self::finish), it leaves nothing.
pub struct CheckpointWriter {
    folder: PathBuf,
    file: ResultFile,
    header: Header,
}

impl CheckpointWriter {
    /// Begins the checkpoint of `step` at `time`, ms, in `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path: no permission, disk full; so of all methods here.
    pub fn begin(
        folder: &Path,
        step: u64,
        time: f64,
        segments: Segments,
        fingerprint: Fingerprint,
    ) -> Result<Self> {
        let file = ResultFile::create(&folder.join(numbered::name(PREFIX, step)))?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
            header: Header {
                version: VERSION,
                fingerprint,
                step,
                time,
                segments,
                arrays: BTreeMap::new(),
            },
        })
    }

    /// Adds an array of `shape`; one of each name, without a slash.
    ///
    /// # Errors
    /// [`Error::Bug`] where `values` do not fill the shape; [`Error::Io`].
    pub fn array<T: Stored>(&mut self, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
        self.file
            .dataset(&format!("/arrays/{name}"), shape, values, "1")?;
        let described = Described {
            number: T::NAME.into(),
            shape: shape.to_vec(),
            sha256: sha256::of_bytes(bytemuck::cast_slice(values)),
        };
        self.header.arrays.insert(name.to_owned(), described);
        Ok(())
    }

    /// Adds anything else, as JSON.
    pub fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(value).map_err(bug)?;
        self.array(name, &[text.len()], &text)
    }

    /// Completes the file; then removes checkpoints but the last `keep`, and those of later steps,
    /// which a resumed run has left behind.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self, keep: usize) -> Result<()> {
        let header = serde_json::to_vec(&self.header).map_err(bug)?;
        let sha256 = sha256::of_bytes(&header).into_bytes();
        self.file
            .dataset("/header", &[header.len()], &header, "1")?;
        self.file
            .dataset("/header_sha256", &[sha256.len()], &sha256, "1")?;
        self.file.finish()?;
        let all = numbered::list(&self.folder, PREFIX)?;
        let step = self.header.step;
        let so_far = all.iter().filter(|(s, _)| *s <= step).count();
        let old = so_far.saturating_sub(keep.max(1));
        for (i, (_, path)) in all.iter().enumerate() {
            if i < old || i >= so_far {
                numbered::remove(path)?;
            }
        }
        numbered::remove_partials(&self.folder, PREFIX)
    }
}

/// A complete and undamaged checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: File,
    header: Header,
}

/// The last checkpoint in `folder` of the run with the fingerprint `now`; where it is damaged, the
/// one before, with a warning. `None` where there is none.
///
/// # Errors
/// [`Error::BadFile`]: it is of another run or from a newer version, or all are damaged;
/// [`Error::Io`].
pub fn latest(folder: &Path, now: &Fingerprint) -> Result<Option<Checkpoint>> {
    let mut damaged = Vec::new();
    for (_, path) in numbered::list(folder, PREFIX)?.into_iter().rev() {
        match open(&path, now) {
            Ok(checkpoint) => {
                for damage in damaged {
                    tracing::warn!("{damage}; going on from {}", path.display());
                }
                return Ok(Some(checkpoint));
            }
            Err(Refused::Damaged(damage)) => damaged.push(damage),
            Err(Refused::Because(e)) => return Err(e),
        }
    }
    match damaged.into_iter().next() {
        None => Ok(None),
        Some(Damage { path, place, what }) => Err(Error::bad_file(&path, place, what, AGAIN)),
    }
}

/// Why a checkpoint cannot be resumed.
enum Refused {
    Damaged(Damage),
    Because(Error),
}

#[derive(Debug)]
struct Damage {
    path: PathBuf,
    place: String,
    what: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.path.display(), self.place, self.what)
    }
}

fn open(path: &Path, now: &Fingerprint) -> Result<Checkpoint, Refused> {
    let damaged = |place: &str, what: String| {
        Refused::Damaged(Damage {
            path: path.to_owned(),
            place: place.to_owned(),
            what,
        })
    };
    let file = open_file(path, "").map_err(|e| match e {
        Error::BadFile { problem, .. } => {
            damaged("file", format!("truncated or damaged: {problem}"))
        }
        // A disk that cannot be read is no damage of the file.
        e => Refused::Because(e),
    })?;
    let bytes = |name: &str| read::<u8>(&file, path, name, None).map_err(|e| damaged(name, e));
    let text = bytes("/header")?;
    if bytes("/header_sha256")? != sha256::of_bytes(&text).as_bytes() {
        return Err(damaged("/header", "is not what was written".into()));
    }

    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let unreadable = |e: serde_json::Error| damaged("/header", format!("not readable: {e}"));
    let refused = |problem: String, remedy: &str| {
        Refused::Because(Error::bad_file(path, "checkpoint", problem, remedy))
    };
    let Version { version } = serde_json::from_slice(&text).map_err(unreadable)?;
    if version > VERSION {
        return Err(refused(
            format!("its version {version} is newer than {VERSION}, the last that is known here"),
            "resume with the isochrone that wrote it, or start again with --overwrite",
        ));
    }
    let header: Header = serde_json::from_slice(&text).map_err(unreadable)?;
    if let Some(problem) = header.fingerprint.difference(now, MAY_CHANGE) {
        return Err(refused(
            problem,
            "resume with the case as it was, or start again with --overwrite",
        ));
    }
    let checkpoint = Checkpoint {
        path: path.to_owned(),
        file,
        header,
    };
    // All of it, before anything depends on it.
    for (name, described) in &checkpoint.header.arrays {
        let whole = checkpoint.verify(name, described);
        whole.map_err(|what| damaged(&format!("array {name}"), what))?;
    }
    Ok(checkpoint)
}

impl Checkpoint {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.header.step
    }

    /// Time reached, ms.
    pub fn time(&self) -> f64 {
        self.header.time
    }

    /// What was recorded until then.
    pub fn segments(&self) -> &Segments {
        &self.header.segments
    }

    /// Values in array `name`.
    pub fn len(&self, name: &str) -> Result<usize> {
        let described = self.header.arrays.get(name);
        described
            .map(|d| d.shape.iter().product())
            .ok_or_else(|| self.bad(name, "is missing".into()))
    }

    /// Whether there is an array `name`.
    pub fn has(&self, name: &str) -> bool {
        self.header.arrays.contains_key(name)
    }

    /// Array `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`Error::BadFile`]: it is missing, or of another type or shape.
    pub fn array<T: Stored>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>> {
        let described = self.described::<T>(name)?;
        if described.shape != shape {
            let problem = format!("has the shape {:?}, not {shape:?}", described.shape);
            return Err(self.bad(name, problem));
        }
        self.values(name, described).map_err(|e| self.bad(name, e))
    }

    /// What [`CheckpointWriter::json`] was given.
    ///
    /// # Errors
    /// [`Error::BadFile`]: it is missing, or something else.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let described = self.described::<u8>(name)?;
        let text: Vec<u8> = (self.values(name, described)).map_err(|e| self.bad(name, e))?;
        serde_json::from_slice(&text).map_err(|e| self.bad(name, format!("not readable: {e}")))
    }

    fn bad(&self, name: &str, problem: String) -> Error {
        Error::bad_file(&self.path, format!("array {name}"), problem, AGAIN)
    }

    fn described<T: Stored>(&self, name: &str) -> Result<&Described> {
        let found = self.header.arrays.get(name);
        let found = found.ok_or_else(|| self.bad(name, "is missing".into()))?;
        if found.number != T::NAME {
            let problem = format!("holds {}, not {}", found.number, T::NAME);
            return Err(self.bad(name, problem));
        }
        Ok(found)
    }

    /// The numbers as they were written, or what is wrong with them.
    fn values<T: Stored>(&self, name: &str, described: &Described) -> Result<Vec<T>, String> {
        let dataset = format!("/arrays/{name}");
        let values = read::<T>(&self.file, &self.path, &dataset, Some(&described.shape))?;
        match sha256::of_bytes(bytemuck::cast_slice(&values)) == described.sha256 {
            true => Ok(values),
            false => Err("is not what was written".into()),
        }
    }

    fn verify(&self, name: &str, described: &Described) -> Result<(), String> {
        macro_rules! verify {
            ($($t:ident)*) => {
                match described.number.as_str() {
                    $(stringify!($t) => self.values::<$t>(name, described).map(|_| ()),)*
                    other => Err(format!("holds {other}")),
                }
            };
        }
        verify!(f32 f64 u8 i32 u32 i64 u64)
    }
}

/// A dataset of exactly this type and shape (`None`: any of one axis), or what is wrong with it.
fn read<T: Stored>(
    file: &File,
    path: &Path,
    name: &str,
    shape: Option<&[usize]>,
) -> Result<Vec<T>, String> {
    let text = |e: hdf5::Error| {
        let text = e.to_string();
        text.lines().next().unwrap_or("not readable").to_owned()
    };
    let dataset: Dataset = file.dataset(name).map_err(text)?;
    let found = dataset.get_shape().map_err(text)?;
    let expected = shape.map_or(found.len() == 1, |shape| *shape == *found);
    if !expected || !dataset.dtype().is_ok_and(|t| t.is::<T>()) {
        return Err("has another shape or type than was written".into());
    }
    // The library allocates what the file claims to hold.
    let bytes = (found.iter()).try_fold(size_of::<T>() as u64, |n, &m| n.checked_mul(m as u64));
    let length = std::fs::metadata(path).map_or(0, |m| m.len());
    if bytes.is_none_or(|bytes| bytes > length) {
        return Err("is larger than the file".into());
    }
    dataset.read_raw::<T>().map_err(text)
}

fn bug(e: serde_json::Error) -> Error {
    Error::Bug(format!("checkpoint: {e}"))
}
