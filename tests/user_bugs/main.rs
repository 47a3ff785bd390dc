//! Bugs that users of the commands met, each by a test named after it.
#![cfg(unix)]

#[path = "../command/mod.rs"]
mod command;
#[path = "../common/small_disk.rs"]
mod small_disk;

mod compare;
mod inversion;
mod messages;
mod outputs;
mod pictures;
mod scaling;
mod settings;
mod simulations;
mod stopping;

use std::path::Path;

use command::{Outcome, put, run};

/// A small slab with three domains and a twin.
pub const SLAB: &str = r#"[mesh]
generate = { kind = "slab", edge = 0.8, size = [6, 5, 3] }
[conduction]
speed = { fibre = 0.6, sheet = 0.3, normal = 0.2 }
[domains]
count = 3
[[source]]
point = [0.1, 0.2, 0.3]
[inversion]
twin = { gamma = [0.5, 1.5, 1.0] }
"#;

/// A small simulation.
pub const FK: &str = r#"[fk]
grid = { shape = [40, 50], spacing = 0.25 }
diffusivity = 0.1
dt = 0.02
duration = 4
[[fk.stimulus]]
kind = "voltage"
amplitude = 1.0
duration = 1.0
region = { half = "west", coverage = 0.1 }
[fk.record]
activation_threshold = 0.5
frames_every = 2
"#;

/// A folder with both as `slab.toml` and `fk.toml`.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "slab.toml", SLAB);
    put(folder.path(), "fk.toml", FK);
    folder
}

/// Runs `line`, words parted by spaces, with further settings.
#[track_caller]
pub fn line(folder: &Path, line: &str, settings: &[&str]) -> Outcome {
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.extend(settings.iter().flat_map(|s| ["--set", *s]));
    run(folder, 1, &arguments)
}

/// Lines with a warning.
pub fn warnings(said: &Outcome) -> Vec<&str> {
    let lines = said.stderr.lines();
    lines.filter(|line| line.contains("WARN")).collect()
}
