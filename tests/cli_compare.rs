//! `isochrone diff`, `reproduce`, `completions` and `man`.
#![cfg(unix)]

mod command;

use std::path::Path;

use command::inversion::SLAB;
use command::{dataset, folder_with, names, put, ranks, run, run_with, set};

const FK: &str = r#"[fk]
grid = { shape = [40, 50], spacing = 0.25 }
diffusivity = 0.1
dt = 0.02
duration = 12
[[fk.stimulus]]
kind = "voltage"
amplitude = 1.0
duration = 1.0
region = { half = "west", coverage = 0.1 }
[fk.record]
activation_threshold = 0.5
frames_every = 4
"#;

fn folder() -> tempfile::TempDir {
    folder_with(&[("slab.toml", SLAB), ("fk.toml", FK)])
}

#[track_caller]
fn make(path: &Path, command: &str, config: &str, output: &str, settings: &[&str]) {
    let arguments = [command, config, "-q", "--output", output];
    run(path, 1, &set(&arguments, settings)).succeeds();
}

#[test]
fn results_are_compared_by_norms_and_tolerances() {
    let folder = folder();
    let path = folder.path();
    make(path, "eikonal", "slab.toml", "a", &[]);
    // All times by √(1/1.01), 0.5 % less, that of the last vertex the most.
    make(path, "eikonal", "slab.toml", "b", &["domains.gamma=1.01"]);
    make(
        path,
        "eikonal",
        "slab.toml",
        "other",
        &["mesh.generate.edge=1.0"],
    );
    let last = |output: &str| {
        let result = path.join(output).join("eikonal.h5");
        let phi: Vec<f64> = dataset(&result, "/fields/activation_time");
        phi.into_iter().fold(0.0, f64::max)
    };
    let largest = last("a") - last("b");
    for ranks in ranks() {
        let diff = |arguments: &[&str]| run(path, ranks, &[&["diff"], arguments].concat());
        let same = diff(&["a/eikonal.h5", "a/eikonal.h5"]).succeeds().stdout;
        assert!(
            same.contains("/mesh/points") && !same.contains("DIFFERENT"),
            "{same}"
        );
        let said = diff(&["a/eikonal.h5", "b/eikonal.h5"]);
        let line = said
            .stdout
            .lines()
            .find(|l| l.starts_with("/fields/activation_time"));
        let line = line.unwrap().to_string();
        assert!(
            line.contains(&format!("{largest:.2e}")) && line.contains("DIFFERENT"),
            "{line}"
        );
        assert!(line.contains("4.96e-3"), "{line}");
        let points = said
            .stdout
            .lines()
            .find(|l| l.starts_with("/mesh/points"))
            .unwrap();
        assert!(points.ends_with("same"), "{points}");
        said.fails(1, &["a/eikonal.h5", "b/eikonal.h5", "1 place"]);
        diff(&["a/eikonal.h5", "b/eikonal.h5", "--relative", "0.0049"]).fails(1, &["differ"]);
        diff(&["a/eikonal.h5", "b/eikonal.h5", "--relative", "0.005"]).succeeds();
        let absolute = format!("{}", largest * 1.0001);
        diff(&["a/eikonal.h5", "b/eikonal.h5", "--absolute", &absolute]).succeeds();
        let shapes = diff(&["a/eikonal.h5", "other/eikonal.h5", "--absolute", "1e9"]);
        assert!(shapes.stdout.contains("shapes ["), "{}", shapes.stdout);
        shapes.fails(1, &["differ"]);
        diff(&["a/eikonal.h5", "none.h5"]).fails(66, &["none.h5"]);
        diff(&["a/eikonal.h5", "slab.toml"]).fails(65, &["slab.toml", "HDF5"]);
    }
    let code = run(
        path,
        1,
        &["diff", "a/eikonal.h5", "a/eikonal.h5", "--relative", "-1"],
    )
    .code;
    assert_eq!(code, 2);
}

#[test]
fn every_kind_of_result_is_reproduced() {
    let folder = folder();
    let path = folder.path();
    make(
        path,
        "eikonal",
        "slab.toml",
        "eikonal",
        &["domains.gamma=[0.5,2,1]"],
    );
    make(
        path,
        "gradient",
        "slab.toml",
        "gradient",
        &["gradient.tensor=true"],
    );
    make(
        path,
        "invert",
        "slab.toml",
        "invert",
        &["inversion.optimizer=levenberg-marquardt"],
    );
    make(path, "fk", "fk.toml", "fk", &["run.simd=baseline"]);
    // What made them may be gone, and what the environment says does not count.
    std::fs::remove_file(path.join("slab.toml")).unwrap();
    std::fs::remove_file(path.join("fk.toml")).unwrap();
    let environment = [
        ("ISOCHRONE_DOMAINS__GAMMA", "3"),
        ("ISOCHRONE_FK__DT", "0.01"),
    ];
    for (folder, file) in [
        ("eikonal", "eikonal.h5"),
        ("gradient", "gradient.h5"),
        ("invert", "inversion.h5"),
        ("fk", "fk.h5"),
    ] {
        for ranks in ranks() {
            let result = format!("{folder}/{file}");
            let arguments = ["reproduce", &result, "-q", "--threads", "2"];
            let said = run_with(path, ranks, &environment, &arguments)
                .succeeds()
                .stdout;
            assert!(
                !said.contains("DIFFERENT") && said.contains("same"),
                "{said}"
            );
            let made = names(&path.join("results").join(format!("{folder}-reproduced")));
            assert!(made.iter().any(|n| n == file), "{made:?}");
        }
    }
}

#[test]
fn a_result_that_cannot_be_reproduced_says_why() {
    let folder = folder();
    let path = folder.path();
    run(
        path,
        1,
        &[
            "mesh", "generate", "slab", "slab.h5", "--edge", "1", "--size", "4,4,2",
        ],
    )
    .succeeds();
    put(
        path,
        "file.toml",
        "[mesh]\nfile = \"slab.h5\"\n[conduction]\nspeed = 0.5\n[[source]]\nvertices = [0]\n",
    );
    make(path, "eikonal", "file.toml", "a", &[]);
    let reproduce =
        |file: &str, more: &[&str]| run(path, 1, &[&["reproduce", file, "-q"], more].concat());
    reproduce("a/eikonal.h5", &["--output", "again"]).succeeds();
    reproduce("a/eikonal.h5", &["--output", "a"]).fails(2, &["--output"]);
    // Bug: results of another run were written over.
    make(path, "eikonal", "file.toml", "other", &[]);
    let other = std::fs::read(path.join("other/eikonal.h5")).unwrap();
    reproduce("a/eikonal.h5", &["--output", "other"]).fails(2, &["other", "--output"]);
    assert_eq!(std::fs::read(path.join("other/eikonal.h5")).unwrap(), other);
    reproduce("slab.h5", &[]).fails(65, &["slab.h5", "configuration"]);
    // A number that was changed afterwards is found.
    let file = hdf5::File::open_rw(path.join("a/eikonal.h5")).unwrap();
    let phi = file.dataset("/fields/activation_time").unwrap();
    let mut times = phi.read_raw::<f64>().unwrap();
    times[5] += 1e-9;
    phi.write_raw(&times).unwrap();
    drop((phi, file));
    reproduce("a/eikonal.h5", &[]).fails(1, &["differ in 1 place"]);
    reproduce("a/eikonal.h5", &["--absolute", "2e-9"]).succeeds();
    run(
        path,
        1,
        &[
            "mesh",
            "generate",
            "slab",
            "slab.h5",
            "--edge",
            "1",
            "--size",
            "4,4,3",
            "--overwrite",
        ],
    )
    .succeeds();
    reproduce("a/eikonal.h5", &[]).fails(65, &["slab.h5", "has changed"]);
    std::fs::remove_file(path.join("slab.h5")).unwrap();
    reproduce("a/eikonal.h5", &[]).fails(66, &["slab.h5"]);
}

#[test]
fn shells_and_man_are_told_of_all_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let commands = [
        "mesh",
        "fk",
        "eikonal",
        "gradient",
        "invert",
        "config",
        "diff",
        "reproduce",
        "info",
        "completions",
        "man",
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = run(path, 1, &["completions", shell]).succeeds().stdout;
        for command in commands {
            assert!(text.contains(command), "{shell}: {command}");
        }
        assert!(text.contains("dry-run"), "{shell}");
    }
    // Bash itself finds no fault with its own, and completes a command from it.
    let bash = run(path, 1, &["completions", "bash"]).succeeds().stdout;
    put(path, "completions.bash", &bash);
    let script = "source completions.bash; COMP_WORDS=(isochrone inv); COMP_CWORD=1; \
                  _isochrone isochrone inv isochrone; echo ${COMPREPLY[*]}";
    let completed = std::process::Command::new("bash")
        .args(["-c", script])
        .current_dir(path)
        .output()
        .unwrap();
    let completed = String::from_utf8_lossy(&completed.stdout)
        .trim()
        .to_string();
    assert_eq!(completed, "invert");

    let page = run(path, 1, &["man"]).succeeds().stdout;
    assert!(
        page.contains(".TH isochrone") && page.contains("invert"),
        "{page}"
    );
    for ranks in ranks() {
        run(path, ranks, &["man", "pages"]).succeeds();
        let pages = names(&path.join("pages"));
        for command in commands {
            assert!(
                pages.contains(&format!("isochrone-{command}.1")),
                "{pages:?}"
            );
        }
        assert!(
            pages.contains(&"isochrone-mesh-generate.1".into()),
            "{pages:?}"
        );
        let invert = std::fs::read_to_string(path.join("pages/isochrone-invert.1")).unwrap();
        assert!(
            invert.contains("overwrite") && invert.contains("isochrone\\-invert"),
            "{invert}"
        );
    }
}
