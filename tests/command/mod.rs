//! Runs the program as its users do, alone or under mpirun, and never for ever.
#![allow(dead_code)]

pub mod inversion;
#[path = "../common/results.rs"]
mod results;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

pub use results::names;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What a run said, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Ended well.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// Ended with `code` and one error that has all `words`.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let text = &self.stderr;
        assert_eq!(self.code, code, "{text}");
        assert!(
            !text.contains("panicked") && !text.contains("internal error"),
            "{text}"
        );
        let errors = text.lines().filter(|l| l.starts_with("error:")).count();
        assert_eq!(errors, 1, "the error is to be shown once: {text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
        self
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    ranks: usize,
    /// Output and the ends of ranks.
    notes: tempfile::TempDir,
}

/// Whether runs of several ranks are possible; says so where not.
pub fn has_mpirun() -> bool {
    let found = cfg!(feature = "mpi") && Command::new("mpirun").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: no runs of several ranks without mpirun and the feature mpi");
    }
    found
}

/// Ranks to test with: alone, and two where possible.
pub fn ranks() -> Vec<usize> {
    if has_mpirun() { vec![1, 2] } else { vec![1] }
}

/// Runs `isochrone` in `folder` with additional environment variables.
#[track_caller]
pub fn run_with(
    folder: &Path,
    ranks: usize,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Outcome {
    start(folder, ranks, environment, arguments).finish()
}

/// Runs `isochrone` in `folder`, alone where `ranks` is 1.
#[track_caller]
pub fn run(folder: &Path, ranks: usize, arguments: &[&str]) -> Outcome {
    run_with(folder, ranks, &[], arguments)
}

/// Each rank notes its process and its exit code, and waits for the other ranks to end by
/// themselves, since mpirun ends all as soon as one has failed.
const RANK: &str = r#"
notes=$1; binary=$2; ranks=$3; shift 3; me=$OMPI_COMM_WORLD_RANK
"$binary" "$@" &
echo $! > "$notes/pid.$me"
wait $!
code=$?
echo $code > "$notes/writing.$me" && mv "$notes/writing.$me" "$notes/ended.$me"
until [ "$(ls "$notes" | grep -c '^ended')" = "$ranks" ]; do sleep 0.02; done
exit $code
"#;

/// Starts `isochrone` in `folder`.
pub fn start(
    folder: &Path,
    ranks: usize,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Running {
    let binary = env!("CARGO_BIN_EXE_isochrone");
    let notes = tempfile::tempdir().unwrap();
    let mut command = if ranks > 1 {
        let mut mpirun = Command::new("mpirun");
        mpirun.args([
            "--oversubscribe",
            "--bind-to",
            "none",
            "-n",
            &ranks.to_string(),
        ]);
        mpirun.args(["sh", "-c", RANK, "rank"]).arg(notes.path());
        mpirun.args([binary, &ranks.to_string()]);
        mpirun
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        mpirun
    } else {
        Command::new(binary)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ISOCHRONE_")) {
        command.env_remove(name);
    }
    let to_file = |name: &str| File::create(notes.path().join(name)).unwrap();
    let child = command
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(to_file("stdout"))
        .stderr(to_file("stderr"))
        .process_group(0)
        .spawn()
        .unwrap();
    Running {
        child,
        ranks,
        notes,
    }
}

impl Running {
    /// Sends SIGTERM to every rank, as a batch system does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal to every rank.
    pub fn signal(&self, name: &str) {
        let processes: Vec<String> = if self.ranks == 1 {
            vec![self.child.id().to_string()]
        } else {
            let pid = |r: usize| fs::read_to_string(self.notes.path().join(format!("pid.{r}")));
            (0..self.ranks)
                .map(|r| pid(r).unwrap().trim().to_string())
                .collect()
        };
        // Ranks that have ended by now are none of kill's.
        Command::new("kill")
            .arg(format!("-{name}"))
            .args(processes)
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
    }

    /// Whether the run is over.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills every rank as nothing can be prepared for, and waits for the end.
    pub fn kill(mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LIMIT {
                let group = format!("-{}", self.child.id());
                let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
                std::thread::sleep(Duration::from_secs(2));
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                panic!("hangs: {}", self.text("stderr"));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let outcome = Outcome {
            code: status
                .code()
                .unwrap_or_else(|| panic!("{status}: {}", self.text("stderr"))),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        };
        for rank in (0..self.ranks).filter(|_| self.ranks > 1) {
            let ended = self.text(&format!("ended.{rank}"));
            assert_eq!(
                ended.trim(),
                outcome.code.to_string(),
                "rank {rank}: {outcome:?}"
            );
        }
        outcome
    }

    fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.notes.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Fails where a folder holds results, whole or half-written.
#[track_caller]
pub fn assert_no_results(folder: &Path) {
    let found = names(folder);
    let allowed = [
        "config.toml",
        "inversion_history.jsonl",
        "inversion_checkpoint.json",
    ];
    assert!(
        found.iter().all(|n| allowed.contains(&n.as_str())),
        "{found:?}"
    );
}

/// A folder with files of these names and texts.
pub fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        put(folder.path(), name, text);
    }
    folder
}

/// `arguments`, and `--set` before each of `settings`.
pub fn set<'a>(arguments: &[&'a str], settings: &[&'a str]) -> Vec<&'a str> {
    let settings = settings.iter().flat_map(|s| ["--set", *s]);
    arguments.iter().copied().chain(settings).collect()
}

/// Writes `text` to `folder/name`.
pub fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// `report.json` of a run.
pub fn report(output: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(output.join("report.json")).unwrap()).unwrap()
}

/// Values of a dataset of a result.
#[track_caller]
pub fn dataset<T: hdf5::H5Type>(file: &Path, name: &str) -> Vec<T> {
    let file = hdf5::File::open(file).unwrap();
    file.dataset(name).unwrap().read_raw().unwrap()
}

/// A list of numbers in a report.
#[track_caller]
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    let list = value.as_array().unwrap().iter();
    list.map(|x| x.as_f64().unwrap()).collect()
}
