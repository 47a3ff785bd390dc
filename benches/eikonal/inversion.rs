//! Whole inversions: runs of the program, from the configuration to the closed result file.

use std::path::Path;
use std::process::Command;

use super::timed;

/// Optimisers, with what they stop at.
pub const OPTIMIZERS: [&str; 2] = ["bfgs", "levenberg-marquardt"];

/// BFGS to f ≤ 0.5 ms²; Levenberg–Marquardt until γ is found to 1e-6.
fn stop(optimizer: &str) -> &'static str {
    match optimizer {
        "bfgs" => "inversion.stop.misfit=0.5",
        _ => "inversion.stop.misfit=1e-6",
    }
}

/// The line of an inversion for the 21 domains of a left ventricle of 273 thousand tetrahedra.
pub fn measure(name: &str, optimizer: &str, threads: usize) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let run = || {
        let status = Command::new(env!("CARGO_BIN_EXE_isochrone"))
            .arg("invert")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/invert-left-ventricle-21.toml"))
            .args(["--set", &format!("inversion.optimizer={optimizer}")])
            .args(["--set", stop(optimizer)])
            .args([
                "--threads",
                &threads.to_string(),
                "--overwrite",
                "-q",
                "--output",
            ])
            .arg(folder.path())
            .status();
        assert!(status.expect("the program").success(), "{name} failed");
    };
    let seconds = (0..3).map(|_| timed(run).0).fold(f64::MAX, f64::min);
    let text = std::fs::read_to_string(folder.path().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let result = |key: &str| report["result"][key].as_f64().unwrap_or(f64::NAN);
    format!(
        "{name:<52} {seconds:>8.3} {:>10} {:>11} {:>9.1e} {:>13.1e}",
        result("iterations"),
        report["counters"]["evaluations"]
            .as_f64()
            .unwrap_or(f64::NAN),
        result("misfit"),
        result("largest_gamma_error")
    )
}
