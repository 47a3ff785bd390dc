//! What commands leave: folders, attributes, reports.

use hdf5::types::FixedAscii;

use super::command::{names, ranks, report, run};
use super::small_disk::SmallDisk;
use super::{folder, line};

/// Was: a run that failed left an empty folder, which looked like a result.
#[test]
fn a_failing_run_leaves_an_empty_folder() {
    for ranks in ranks() {
        let folder = folder();
        let path = folder.path();
        for command in ["eikonal", "gradient", "invert"] {
            // Refused once the mesh is known, when the folder has been found to be writable.
            let beyond = "source.0={vertices=[99999]}";
            let arguments = [command, "slab.toml", "--output", "new/out", "--set", beyond];
            run(path, ranks, &arguments).fails(65, &["99999"]);
            assert!(!path.join("new").exists(), "{command}");
        }
        let unstable = ["fk", "fk.toml", "--output", "new/out", "--set", "fk.dt=5"];
        assert_ne!(run(path, ranks, &unstable).code, 0);
        assert!(!path.join("new").exists());
        // A folder that was there stays, and so does what is in it.
        std::fs::create_dir(path.join("old")).unwrap();
        let arguments = [
            "eikonal",
            "slab.toml",
            "--output",
            "old",
            "--set",
            "source.0={vertices=[99999]}",
        ];
        run(path, ranks, &arguments).fails(65, &["99999"]);
        assert!(path.join("old").exists() && names(&path.join("old")).is_empty());
    }
}

/// Was: the datasets of `/partition` had no unit.
#[test]
fn datasets_of_a_partition_have_no_unit() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate ellipsoid m.h5 --edge 5", &[]).succeeds();
    line(path, "mesh partition m.h5 p.h5 --parts 3 --domains 2", &[]).succeeds();
    let file = hdf5::File::open(path.join("p.h5")).unwrap();
    let group = file.group("partition").unwrap();
    let datasets = group.member_names().unwrap();
    assert!(datasets.len() >= 10, "{datasets:?}");
    for name in datasets {
        let unit = group.dataset(&name).unwrap().attr("unit").unwrap();
        let unit: FixedAscii<16> = unit.read_scalar().unwrap();
        let expected = if name == "points" { "mm" } else { "1" };
        assert_eq!(unit.as_str(), expected, "{name}");
    }
}

/// Was: `fk --simulate-ranks` printed a table and left no report.
#[test]
fn simulated_ranks_of_a_simulation_leave_no_report() {
    let folder = folder();
    let path = folder.path();
    let printed = line(path, "fk fk.toml --simulate-ranks 2,4 --output out", &[]).succeeds();
    assert_eq!(names(&path.join("out")), ["config.toml", "report.json"]);
    let report = report(&path.join("out"));
    assert_eq!(report["command"], "fk");
    assert_eq!(report["grid"]["active_cells"], 2000);
    let rows = report["result"]["simulated_ranks"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for (row, (ranks, text)) in rows
        .iter()
        .zip([2, 4].into_iter().zip(printed.stdout.lines().skip(3)))
    {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(row["ranks"], ranks);
        assert_eq!(words[0], ranks.to_string());
        assert_eq!(words[1], row["tiles"].to_string());
        let mean = row["active_cells"]["mean"].as_f64().unwrap();
        assert_eq!(mean, 2000.0 / f64::from(ranks));
    }
    // It is no point of a scaling study, and says why.
    let said = line(path, "scaling out --output s", &[]).fails(65, &["all are left out"]);
    assert!(
        said.stderr.contains("--simulate-ranks counts"),
        "{}",
        said.stderr
    );
    // Unasked, the folder of the results stays free for the run that follows.
    line(path, "fk fk.toml --simulate-ranks 2", &[]).succeeds();
    assert!(!path.join("results").exists());
    line(path, "fk fk.toml --simulate-ranks 2 --output out", &[]).fails(2, &["holds results"]);
}

/// Was: a run whose log could not be written (a full disk) ended as a bug.
#[test]
#[cfg(target_os = "linux")]
fn a_log_that_cannot_be_written_ends_the_run() {
    let folder = folder();
    let started = |arguments: &[&str]| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        std::process::Command::new(env!("CARGO_BIN_EXE_isochrone"))
            .args(arguments)
            .current_dir(folder.path())
            .stderr(full.unwrap())
            .status()
            .unwrap()
            .code()
    };
    for (command, config) in [
        ("eikonal", "slab.toml"),
        ("gradient", "slab.toml"),
        ("invert", "slab.toml"),
        ("fk", "fk.toml"),
    ] {
        for form in ["text", "json"] {
            let output = format!("{command}-{form}");
            let arguments = [command, config, "--log", form, "-vv", "--output", &output];
            assert_eq!(started(&arguments), Some(0), "{command} --log {form}");
            assert!(folder.path().join(output).join("report.json").exists());
        }
    }
    // Errors keep their exit codes.
    assert_eq!(started(&["eikonal", "none.toml"]), Some(66));
}

/// Was: a mesh that no memory holds ended in a failed allocation.
#[test]
#[cfg(target_os = "linux")]
fn a_generated_mesh_beyond_memory_aborts() {
    let folder = folder();
    let run = |arguments: &str| {
        let limited = format!("ulimit -v 4000000; exec \"$0\" {arguments}");
        let said = std::process::Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_isochrone")])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        (said.status.code(), stderr)
    };
    let fine = r#"'mesh.generate={kind="slab",edge=0.0055,size=[1,2,3]}'"#;
    let case = format!("eikonal slab.toml --dry-run --set {fine}");
    for arguments in [case.as_str(), "mesh generate biventricle m.h5 --edge 0.2"] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(65), "{said}");
        for word in ["mesh.generate.edge", "GB are free", "or more"] {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
    }
    let (code, said) = run("mesh generate slab m.h5 --edge 0.0055 --size 1,2,3");
    assert_eq!(code, Some(65), "{said}");
    assert!(!folder.path().join("m.h5").exists());
    let (code, said) = run("mesh generate slab m.h5 --edge 0.2 --size 1,2,3");
    assert_eq!(code, Some(0), "{said}");
}

/// Was: manual pages that could not be written left an empty folder.
#[test]
fn manual_pages_on_a_full_disk_leave_a_folder() {
    let Some(disk) = SmallDisk::new(4096) else {
        eprintln!("SKIPPED: no file system of its own may be mounted here");
        return;
    };
    std::fs::write(disk.path().join("full"), [0; 4096]).unwrap();
    let pages = disk.path().join("pages");
    let arguments = ["man", pages.to_str().unwrap()];
    run(disk.path(), 1, &arguments).fails(74, &["pages"]);
    assert!(!pages.exists());
}

/// Was: `eikonal --simulate-ranks` without `--output` took the folder of the results, `fk` did not; what
/// it refused left a folder with a configuration alone.
#[test]
fn simulated_ranks_take_the_folder_of_the_results() {
    let folder = folder();
    let path = folder.path();
    line(path, "eikonal slab.toml", &[]).succeeds();
    let said = line(path, "eikonal slab.toml --simulate-ranks 2,3", &[]).succeeds();
    assert!(said.stdout.contains("critical path"), "{}", said.stdout);
    for phase in ["3 ranks: forward solution", "3 ranks: adjoint"] {
        assert!(said.stderr.contains(phase), "{}", said.stderr);
    }
    let results = path.join("results/slab-eikonal");
    assert!(results.join("eikonal.h5").exists());
    let many = line(
        path,
        "eikonal slab.toml --simulate-ranks 5000 --output many",
        &[],
    );
    assert_eq!(many.code, 65, "{}", many.stderr);
    assert!(!path.join("many").exists());
    line(
        path,
        "eikonal slab.toml --simulate-ranks 2 --output out",
        &[],
    )
    .succeeds();
    assert_eq!(names(&path.join("out")), ["config.toml", "report.json"]);
}
