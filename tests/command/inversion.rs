//! A small inversion that several tests begin with.

use std::path::Path;

use serde_json::Value;

use super::{report, run, set};

/// A slab of three domains whose γ is [`TWIN`]; lines added at its end belong to `[inversion]`.
pub const SLAB: &str = r#"[mesh]
generate = { kind = "slab", edge = 0.8, size = [6, 5, 3] }
[conduction]
speed = { fibre = 0.6, sheet = 0.3, normal = 0.2 }
[domains]
count = 3
[[source]]
point = [0.1, 0.2, 0.3]
[inversion]
twin.gamma = [0.5, 1.5, 1.0]
"#;

/// γ of [`SLAB`].
pub const TWIN: [f64; 3] = [0.5, 1.5, 1.0];

/// The results of an inversion with `settings`, in `folder/out`.
#[track_caller]
pub fn invert(folder: &Path, ranks: usize, config: &str, settings: &[&str]) -> Value {
    let arguments = ["invert", config, "-q", "--overwrite", "--output", "out"];
    run(folder, ranks, &set(&arguments, settings)).succeeds();
    report(&folder.join("out"))["result"].clone()
}
