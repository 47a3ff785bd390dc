//! Errors that a user can mend: what is wrong, where, and what would be right.
//!
//! Every error has an exit code of the interface contract ([`Error::exit_code`]).

use std::path::{Path, PathBuf};

/// Result of anything that input, the system or another rank can make fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the user's terms.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read as what it should be.
    #[error("{}: {place}: {problem}; {remedy}", path.display())]
    BadFile {
        path: PathBuf,
        /// Line, dataset or element: "line 12", "dataset /mesh/points".
        place: String,
        problem: String,
        /// What would mend it.
        remedy: String,
    },
    /// A configuration value that is unknown, of the wrong type or out of range.
    #[error("{origin}: {key}: {problem}; {remedy}")]
    Config {
        /// File and line, environment variable or `--set`.
        origin: String,
        /// Dotted key, `eikonal.precision`.
        key: String,
        problem: String,
        remedy: String,
    },
    /// Data that contradicts itself or the physics, wherever it came from.
    #[error("{what}: {problem}; {remedy}")]
    BadData {
        /// The object: "tetrahedron 17", "source 2", "measured times".
        what: String,
        problem: String,
        remedy: String,
    },
    /// An input that does not exist.
    #[error("{}: no such {what}; {remedy}", path.display())]
    MissingInput {
        path: PathBuf,
        what: String,
        remedy: String,
    },
    /// The operating system refused: disk full, no permission.
    #[error("{}: cannot {action}: {cause}", path.display())]
    Io {
        path: PathBuf,
        action: String,
        cause: String,
    },
    /// The command line contradicts itself (what clap cannot see).
    #[error("{problem}; {remedy}")]
    Usage { problem: String, remedy: String },
    /// Stopped by a signal or the wall-time limit with a checkpoint written.
    #[error("stopped by {by}: {what_was_kept}; run again with --resume")]
    Interrupted { by: String, what_was_kept: String },
    /// Stopped likewise, where nothing is worth keeping.
    #[error("stopped by {by}: nothing is kept; run again")]
    Stopped { by: String },
    /// The computation left the physical range.
    #[error("diverged: {problem}; {remedy}")]
    Diverged { problem: String, remedy: String },
    /// A GPU refused or failed.
    #[error("device: {problem}; {remedy}")]
    Device { problem: String, remedy: String },
    /// Two results that were compared are not the same.
    #[error("{} and {} differ in {differences} {}", first.display(), second.display(), if *differences == 1 { "place" } else { "places" })]
    Different {
        first: PathBuf,
        second: PathBuf,
        differences: usize,
    },
    /// Something that cannot happen did.
    #[error("internal error (please report it): {0}")]
    Bug(String),
    /// An error of another rank, or this rank's error once all ranks know of it.
    #[error("{}{message}", if *ranks > 1 { format!("rank {rank}: ") } else { String::new() })]
    Rank {
        rank: usize,
        ranks: usize,
        exit_code: u8,
        message: String,
    },
}

impl Error {
    /// Exit code of the process (interface contract).
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Different { .. } => 1,
            Error::Usage { .. } => 2,
            Error::BadFile { .. } | Error::Config { .. } | Error::BadData { .. } => 65,
            Error::MissingInput { .. } => 66,
            Error::Bug(_) => 70,
            Error::Io { .. } | Error::Device { .. } => 74,
            Error::Interrupted { .. } | Error::Stopped { .. } => 75,
            Error::Diverged { .. } => 76,
            Error::Rank { exit_code, .. } => *exit_code,
        }
    }

    /// Error of the file system on `path` while trying to `action` ("write", "create the folder").
    ///
    /// A file that is not there becomes [`Error::MissingInput`].
    pub fn io(path: &Path, action: &str, cause: &std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::NotFound && action.starts_with("read") {
            return Error::MissingInput {
                path: path.to_owned(),
                what: "file".into(),
                remedy: Self::check_path(path).into(),
            };
        }
        Error::Io {
            path: path.to_owned(),
            action: action.into(),
            cause: cause.to_string(),
        }
    }

    /// What mends a path as it was given; those of a configuration file are absolute by now.
    pub fn check_path(path: &Path) -> &'static str {
        match path.is_relative() {
            true => "check the path, which starts at the current folder",
            false => "check the path",
        }
    }

    /// Bad content of a file.
    pub fn bad_file(
        path: &Path,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::BadFile {
            path: path.to_owned(),
            place: place.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same with the file that the data are from, and the dataset where one is known. Errors
    /// that are not about data stay as they are.
    pub fn in_file(self, path: &Path, dataset: Option<&str>) -> Self {
        match self {
            Error::BadData {
                what,
                problem,
                remedy,
            } => Error::BadFile {
                path: path.to_owned(),
                place: match dataset {
                    Some(dataset) => format!("dataset {dataset}: {what}"),
                    None => what,
                },
                problem,
                remedy,
            },
            other => other,
        }
    }

    /// Data that contradicts itself.
    pub fn bad_data(
        what: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::BadData {
            what: what.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}
