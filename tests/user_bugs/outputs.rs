//! What commands leave: folders, attributes, reports.

use hdf5::types::FixedAscii;

use super::command::{names, ranks, report, run};
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
