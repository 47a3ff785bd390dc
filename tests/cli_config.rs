//! The command line, its exit codes, and the configuration as a user meets it.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn isochrone(arguments: &[&str]) -> assert_cmd::assert::Assert {
    command().args(arguments).assert()
}

fn command() -> Command {
    let mut command = Command::cargo_bin("isochrone").unwrap();
    // Not those of whoever runs the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ISOCHRONE_")) {
        command.env_remove(name);
    }
    command
}

/// A folder with `case.toml`.
fn case(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy().into_owned();
    (folder, file)
}

const SLAB: &str = r#"[mesh]
generate = { kind = "slab", edge = 1.0, size = [4, 4, 2] }
[[source]]
vertices = [0]
"#;

#[test]
fn usage_errors_end_with_2() {
    isochrone(&["no-such-command"]).code(2);
    isochrone(&[]).code(2);
    isochrone(&["eikonal", "case.toml", "--overwrite", "--resume"]).code(2);
    isochrone(&["eikonal", "case.toml", "--set", "nonsense"])
        .code(2)
        .stderr(contains("section.key=value"));
    isochrone(&["eikonal", "--threads", "0"]).code(2);
    isochrone(&["config", "show", "--device", "gpu"]).code(2);
    isochrone(&["--help"]).code(0).stdout(contains("eikonal"));
    isochrone(&["--version"])
        .code(0)
        .stdout(contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_configurations_end_with_65() {
    for (more, word) in [
        ("[eikonal]\nprecison = \"f64\"\n", "case.toml:6"),
        ("[eikonal]\nprecison = \"f64\"\n", "eikonal.precision"),
        ("[eikonal]\nprecision = 3\n", "\"f32\" | \"f64\""),
        ("[eikonal\n", "line 5"),
        ("[domains]\ngamma = -1\n", "positive number"),
    ] {
        let (_folder, file) = case(&format!("{SLAB}{more}"));
        isochrone(&["config", "check", &file])
            .code(65)
            .stderr(contains(word).and(contains("panicked").not()))
            .stdout("");
    }
    let (_folder, file) = case("[mesh]\ngenerate = { kind = \"ellipsoid\", edge = 2 }\n");
    isochrone(&["config", "check", &file])
        .code(65)
        .stderr(contains("source"));
    let (_folder, file) = case(SLAB);
    command()
        .env("ISOCHRONE_EIKONAL__PRECISON", "f32")
        .args(["config", "check", &file])
        .assert()
        .code(65)
        .stderr(contains("ISOCHRONE_EIKONAL__PRECISON").and(contains("eikonal.precision")));
    isochrone(&["config", "check", &file, "--set", "eikonal.precison=f32"])
        .code(65)
        .stderr(contains("--set: eikonal.precison"));
}

#[test]
fn missing_files_end_with_66() {
    isochrone(&["config", "show", "nowhere.toml"])
        .code(66)
        .stderr(contains("nowhere.toml"));
    let (_folder, file) = case("[mesh]\nfile = \"nowhere.h5\"\n[[source]]\ntag = 1\n");
    isochrone(&["config", "check", &file])
        .code(66)
        .stderr(contains("nowhere.h5").and(contains("mesh.file")));
}

#[test]
fn check_says_ok() {
    let (_folder, file) = case(SLAB);
    isochrone(&["config", "check", &file])
        .code(0)
        .stdout("ok\n")
        .stderr("");
}

#[test]
fn show_names_the_origin_of_every_layer_and_reads_back() {
    let (folder, file) = case(SLAB);
    let shown = command()
        .env("ISOCHRONE_RUN__MAX_MINUTES", "7")
        .args(["config", "show", &file])
        .args(["--set", "inversion.optimizer=lbfgs", "--threads", "3"])
        .assert()
        .code(0);
    let text = String::from_utf8(shown.get_output().stdout.clone()).unwrap();
    let line = |start: &str| {
        let found = text.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start} in {text}"))
    };
    assert!(line("vertices = [0]").ends_with("case.toml:4"));
    assert!(line("max_minutes = 7").ends_with("# ISOCHRONE_RUN__MAX_MINUTES"));
    assert!(line("optimizer = \"lbfgs\"").ends_with("# --set"));
    assert!(line("threads = 3").ends_with("# --threads"));
    assert!(line("precision = \"f64\"").ends_with("# default"));
    let again = folder.path().join("again.toml");
    std::fs::write(&again, &text).unwrap();
    let without_origins = |text: &str| {
        let values = text
            .lines()
            .map(|l| l.split(" #").next().unwrap_or("").trim_end());
        values.map(str::to_string).collect::<Vec<_>>()
    };
    let shown = isochrone(&["config", "show", &again.to_string_lossy()]).code(0);
    let twice = String::from_utf8(shown.get_output().stdout.clone()).unwrap();
    assert_eq!(without_origins(&text), without_origins(&twice));
}

#[test]
fn doc_lists_keys_and_info_lists_libraries() {
    isochrone(&["config", "doc"])
        .code(0)
        .stdout(contains("[inversion]").and(contains("twin.noise_ms")));
    isochrone(&["info"]).code(0).stdout(
        contains("HDF5")
            .and(contains("SIMD"))
            .and(contains("devices")),
    );
}

#[test]
fn errors_are_json_lines_where_asked() {
    let output = isochrone(&["config", "show", "nowhere.toml", "--log", "json"]).code(66);
    let line = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let error: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(error["exit_code"], 66);
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_end_together_with_one_message() {
    let (_folder, file) = case("[eikonal]\nprecison = 1\n");
    let binary = assert_cmd::cargo::cargo_bin("isochrone");
    Command::new("mpirun")
        .args(["--oversubscribe", "-n", "2"])
        .arg(binary)
        .args(["config", "check", &file])
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .timeout(std::time::Duration::from_secs(120))
        .assert()
        .code(65)
        .stderr(contains("did you mean `eikonal.precision`").count(1));
}

/// A simulation without a mesh.
const FK: &str = r#"[fk]
grid = { shape = [48, 64], spacing = 0.25 }
diffusivity = 0.1
duration = 10
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.1, angle = 0 }
duration = 2
"#;

#[test]
fn a_simulation_is_checked_without_a_mesh() {
    let (_folder, file) = case(FK);
    isochrone(&["config", "check", &file])
        .code(0)
        .stdout("ok\n");
    isochrone(&["config", "show", &file])
        .code(0)
        .stdout(contains("[[fk.stimulus]]").and(contains("grid.shape = [48, 64]")));
    for (set, word) in [
        ("fk.stimulus.0.ampltude=1", "fk.stimulus.0.amplitude"),
        ("fk.dt=-1", "positive number"),
        ("fk.steps=none", "whole number"),
        ("fk.record.probes=[[99, 1]]", "outside the grid"),
        ("checkpoint.keep=0", "at least 1"),
        ("fk.model=fenton", "did you mean \"fenton-karma\""),
        ("fk.parameters=4d", "no published set"),
        ("fk.parameters={ tau_d = 1 }", "is missing"),
        ("fk.record.frames=[\"h\"]", "known: u, v, w"),
        ("fk.initial.h=0", "known: u, v, w"),
    ] {
        isochrone(&["config", "check", &file, "--set", set])
            .code(65)
            .stderr(contains("--set").and(contains(word)))
            .stdout("");
    }
    let (_folder, file) = case(&FK.replace("duration = 10\n", ""));
    isochrone(&["config", "check", &file])
        .code(65)
        .stderr(contains("fk.duration"));
    let (_folder, file) = case(&format!(
        "{FK}[fk.mask]\nfile = \"scar.h5\"\ndataset = \"/m\"\n"
    ));
    isochrone(&["config", "check", &file])
        .code(66)
        .stderr(contains("scar.h5").and(contains("fk.mask.file")));
    isochrone(&["config", "doc"])
        .code(0)
        .stdout(contains("[[fk.stimulus]]").and(contains("[fk.record]")));
}

#[test]
fn a_pinned_level_is_that_of_the_report() {
    let (folder, file) = case(&format!("{SLAB}[conduction]\nspeed = 0.6\n"));
    let out = folder.path().join("out");
    command()
        .args(["eikonal", &file, "--set", "run.simd=baseline", "--output"])
        .arg(&out)
        .assert()
        .code(0);
    let report = std::fs::read_to_string(out.join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["simd"], "baseline");
}

/// Every file in `config/` fits the keys (those that name a file of the user's need one).
#[test]
fn the_ready_simulations_are_accepted() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("fk-")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        isochrone(&["config", "check", &file.to_string_lossy()])
            .code(0)
            .stdout("ok\n");
    }
}
