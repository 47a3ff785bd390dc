//! `isochrone scaling`: which runs are compared with which.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::command::{put, report};
use super::{folder, line};

/// Runs `isochrone scaling` on folders; its table, its log and the rows of its CSV file.
fn scaling(path: &Path, folders: &str) -> (String, String, Vec<String>) {
    let said = line(
        path,
        &format!("scaling {folders} --output out --overwrite"),
        &[],
    )
    .succeeds();
    let csv = fs::read_to_string(path.join("out/scaling.csv")).unwrap();
    let rows = csv.lines().skip(1).map(str::to_owned).collect();
    (said.stdout, said.stderr, rows)
}

/// Was: one run counted twice where two paths led to it.
#[test]
fn a_folder_given_by_two_paths_counts_twice() {
    let folder = folder();
    let path = folder.path();
    line(
        path,
        "eikonal slab.toml -q --threads 1 --output study/a",
        &[],
    )
    .succeeds();
    symlink(path.join("study"), path.join("linked")).unwrap();
    for folders in [
        "study study/../study",
        "study study/a",
        "study linked",
        "linked study/a/report.json",
    ] {
        let (table, log, rows) = scaling(path, folders);
        assert_eq!(rows.len(), 1, "{folders}: {rows:?}");
        let row = table.lines().nth(2).unwrap();
        assert!(row.trim_end().ends_with(" 1"), "{folders}: {table}");
        assert!(
            log.contains("left out") && log.contains("is the same file"),
            "{folders}: {log}"
        );
    }
}

/// Was: runs of different problems of one command became one table.
#[test]
fn different_problems_of_one_command_are_mixed() {
    let folder = folder();
    let path = folder.path();
    let run = |output: &str, threads: usize, settings: &[&str]| {
        let words = format!("eikonal slab.toml -q --threads {threads} --output {output}");
        line(path, &words, settings).succeeds();
    };
    run("s/a", 1, &[]);
    run("s/b", 2, &[]);
    run("s/c", 1, &["conduction.speed=0.5"]);
    run("s/d", 2, &["conduction.speed=0.5"]);
    let (table, log, rows) = scaling(path, "s");
    assert_eq!(rows.len(), 4);
    assert!(
        table.contains("problem 1 of 2") && table.contains("problem 2 of 2"),
        "{table}"
    );
    for words in [
        "runs of 2 problems",
        "s/a/report.json, s/b/report.json",
        "s/c/report.json, s/d/report.json",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let of = |row: &String| row.rsplit(',').next().unwrap().to_owned();
    assert_eq!(
        rows.iter().map(of).collect::<Vec<_>>(),
        ["1", "1", "2", "2"]
    );
    for name in ["scaling-eikonal-phases.png", "scaling-eikonal-2-phases.png"] {
        assert!(path.join("out").join(name).exists(), "{name}");
    }
    // A case that grows is one problem; so is one that is only computed otherwise.
    run("w/a", 1, &["mesh.generate.edge=0.8"]);
    run("w/b", 2, &["mesh.generate.edge=0.635", "run.simd=baseline"]);
    let (table, log, rows) = scaling(path, "w");
    assert!(rows.len() == 2 && table.contains("weak scaling"), "{table}");
    assert!(!log.contains("problem"), "{log}");
    let [a, b] = ["w/a", "w/b"].map(|name| report(&path.join(name))["problem"].clone());
    assert!(
        a["settings"] == b["settings"] && a["size"] != b["size"],
        "{a} {b}"
    );
}

fn inversion(seconds: f64) -> Value {
    json!({
        "command": "invert", "ranks": 1, "threads": 1, "device": "cpu", "hostname": "node",
        "mesh": { "points": 4, "tetrahedra": 1 },
        "timings_s": { "inversion": seconds, "total": seconds }, "counters": {},
        "result": { "stop_reason": "step" },
    })
}

/// Times of several parts are no time of a run.
#[test]
fn resumed_runs_are_left_out_and_named() {
    let folder = folder();
    let path = folder.path();
    for (name, mut report, resumed) in [("a", inversion(5.0), false), ("b", inversion(3.0), true)] {
        if resumed {
            report["resumed"] = json!({ "parts": 2 });
        }
        fs::create_dir_all(path.join("s").join(name)).unwrap();
        put(path, &format!("s/{name}/report.json"), &report.to_string());
    }
    let (_, log, rows) = scaling(path, "s");
    assert!(rows.len() == 1 && rows[0].contains(",5,"), "{rows:?}");
    assert!(
        log.contains("s/b/report.json: left out, since the run was resumed"),
        "{log}"
    );
    let none = line(path, "scaling s/b --output none", &[]);
    none.fails(65, &["all are left out"]);
    assert!(!path.join("none").exists());
}
