//! Protocols of `isochrone fk`: pacing, S1–S2 restitution, tuning of the conduction velocity.
#![cfg(unix)]

mod command;

use std::path::Path;

use command::{assert_no_results, dataset, has_mpirun, names, put, ranks, report, run, start};

/// APD90 of beat 10 of set 3 under 0.4/ms for 1 ms every 400 ms: LSODA with exact switches at a
/// relative tolerance of 1e-10, in a program of its own.
const APD90_BEAT_10: f64 = 253.346_818;

const TEN_BEATS: &str = r#"[fk]
parameters = "3"
grid = { shape = [] }
precision = "f64"
dt = 0.005
duration = 4000
[[fk.stimulus]]
kind = "current"
amplitude = 0.4
region = "all"
duration = 1
period = 400
count = 10
[fk.record]
activation_threshold = 0.1
apd_level = 0.9
"#;

/// A cable of 30 mm.
const CABLE: &str = r#"[fk]
parameters = "3"
grid = { shape = [300], spacing = 0.1 }
diffusivity = 0.1
dt = 0.02
[fk.restitution]
s1_period = 400
s1_count = 2
s2 = [600, 240, 300]
region = { half = "west", coverage = 0.1 }
amplitude = 0.5
duration = 2
[fk.record]
probes = [[10.0], [25.0]]
"#;

/// Ten S1 and some S2 on the one cell of `GRID`.
const ONE_CELL: &str = r#"[fk]
parameters = "3"
grid = GRID
diffusivity = 0.1
precision = "f64"
integrator = "heun"
dt = 0.01
[fk.restitution]
s1_period = 400
s1_count = 10
s2 = [200, 300, 350, 400]
region = "all"
amplitude = 0.4
duration = 1
[fk.record]
activation_threshold = 0.1
apd_level = 0.9
"#;

fn curve(output: &Path, name: &str) -> Vec<f64> {
    let file = hdf5::File::open(output.join("fk.h5")).unwrap();
    let dataset = file.dataset(&format!("/fk/restitution/{name}")).unwrap();
    assert!(dataset.attr("unit").is_ok(), "{name} has a unit");
    dataset.read_raw().unwrap()
}

#[test]
fn a_pacing_train_has_the_duration_of_its_tenth_beat() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", TEN_BEATS);
    run(folder.path(), 1, &["fk", "case.toml", "-q", "-o", "out"]).succeeds();
    let result = folder.path().join("out/fk.h5");
    assert_eq!(dataset::<u32>(&result, "/fk/activation_count"), [10]);
    let apd: Vec<f64> = dataset(&result, "/fk/apd");
    assert!((apd[0] - APD90_BEAT_10).abs() < 0.2, "{apd:?}");
}

#[test]
fn one_cell_restitutes_alike_with_and_without_the_grid_engine() {
    let folder = tempfile::tempdir().unwrap();
    let curves = ["{ shape = [] }", "{ shape = [1], spacing = 1.0 }"].map(|grid| {
        let mut case = ONE_CELL.replace("GRID", grid);
        if grid.contains('1') {
            case.push_str("probes = [[0.5]]\n");
        }
        put(folder.path(), "case.toml", &case);
        let arguments = [
            "fk",
            "case.toml",
            "-q",
            "-o",
            "out",
            "--overwrite",
            "--threads",
            "1",
        ];
        run(folder.path(), 1, &arguments).succeeds();
        let output = folder.path().join("out");
        assert_eq!(curve(&output, "s2_interval"), [200.0, 300.0, 350.0, 400.0]);
        ["apd", "diastolic_interval"].map(|name| curve(&output, name))
    });
    for (cell, grid) in curves[0].iter().zip(&curves[1]) {
        assert!(cell[0].is_nan() && grid[0].is_nan(), "{cell:?} {grid:?}");
        for (a, b) in cell.iter().zip(grid).skip(1) {
            // They find the begin of an action potential at u of 0.1 and at a tenth of its peak.
            assert!((a - b).abs() < 0.1, "{cell:?} {grid:?}");
        }
    }
    // An S2 at the period is one more S1.
    assert!((curves[0][0][3] - APD90_BEAT_10).abs() < 0.05);
}

#[test]
fn a_cable_restitutes_and_blocks() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CABLE);
    let said = run(folder.path(), 1, &["fk", "case.toml", "-o", "one"]).succeeds();
    assert!(
        said.stderr.contains("no action potential"),
        "{}",
        said.stderr
    );
    let output = folder.path().join("one");
    let velocity = curve(&output, "conduction_velocity");
    // Independent: 0.4516 mm/ms at this spacing, converged in time; 0.02 ms cost half a percent.
    assert!((velocity[0] / 0.4516 - 1.0).abs() < 0.01, "{velocity:?}");
    assert!(velocity[1].is_nan() && velocity[2] < 0.95 * velocity[0]);
    let apd = curve(&output, "apd");
    assert!(apd[1].is_nan() && apd[2] < 0.6 * apd[0], "{apd:?}");
    assert!(report(&output)["result"]["apd"][1].is_null());
    if has_mpirun() {
        run(folder.path(), 2, &["fk", "case.toml", "-q", "-o", "two"]).succeeds();
        let bits = |folder: &Path| {
            ["apd", "diastolic_interval", "conduction_velocity"]
                .map(|name| curve(folder, name).into_iter().map(f64::to_bits).collect())
        };
        let of_two: [Vec<u64>; 3] = bits(&folder.path().join("two"));
        assert_eq!(of_two, bits(&output));
    }
}

#[test]
fn tuning_finds_the_diffusivity_of_a_velocity() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CABLE);
    let arguments = ["fk", "case.toml", "-q", "--tune-speed", "0.45", "-o", "out"];
    let guess = ["--set", "fk.diffusivity=0.02"];
    let said = run(folder.path(), 1, &[&arguments[..], &guess].concat()).succeeds();
    assert!(said.stdout.contains("diffusivity = 0."), "{}", said.stdout);
    let result = &report(&folder.path().join("out"))["result"];
    let number = |name: &str| result[name].as_f64().unwrap();
    assert!(
        (number("diffusivity") / 0.1 - 1.0).abs() < 0.015,
        "{result}"
    );
    assert!((number("conduction_velocity") / 0.45 - 1.0).abs() <= 1e-3);
}

#[test]
fn protocols_refuse_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CABLE);
    let refused = |more: &[&str], words: &[&str]| {
        let arguments = [&["fk", "case.toml", "-q", "-o", "out"], more].concat();
        run(folder.path(), 1, &arguments).fails(65, words);
        assert_no_results(&folder.path().join("out"));
    };
    refused(
        &["--tune-speed", "2"],
        &["fk.tune.speed", "fk.dt must be at most"],
    );
    refused(&["--tune-speed", "-1"], &["fk.tune.speed", "positive"]);
    let set = |more: &str, words: &[&str]| refused(&["--set", more], words);
    set("fk.restitution.s2=[1]", &["fk.restitution.s2", "shorter"]);
    set(
        "fk.restitution.s2=[]",
        &["fk.restitution.s2", "0 intervals"],
    );
    set("fk.restitution.s1_period=1", &["fk.restitution.s1_period"]);
    set("fk.record.probes=[]", &["fk.record.probes", "0 points"]);
    set(
        "fk.restitution.amplitude=0.01",
        &["does not reach the first probe"],
    );
}

/// 25 intervals, so that a signal finds some done and some not.
const SLOW: [&str; 2] = ["--set", "fk.restitution.s2={from=160,to=400,step=10}"];

/// Was: a stopped protocol asked to be run again with --resume, and began anew.
#[test]
fn a_stopped_protocol_goes_on_bitwise_with_the_next_interval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    put(path, "case.toml", CABLE);
    let arguments = |out: &'static str, more: &[&'static str]| {
        let first = ["fk", "case.toml", "-q", "--threads", "1", "-o", out];
        [&first[..], &SLOW, more].concat()
    };
    run(path, 1, &arguments("whole", &[])).succeeds();
    assert!(!path.join("whole/fk_restitution_checkpoint.json").exists());
    let kept = path.join("out/fk_restitution_checkpoint.json");
    let stopped = start(path, 1, &[], &arguments("out", &[]));
    let begun = std::time::Instant::now();
    while !kept.exists() && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    stopped.signal("TERM");
    (stopped.finish()).fails(75, &["signal", "of 25 intervals are kept", "--resume"]);
    let text = std::fs::read_to_string(&kept).unwrap();
    let points: serde_json::Value = serde_json::from_str(&text).unwrap();
    let done = points["points"].as_object().unwrap().len();
    assert!((1..25).contains(&done), "{done} intervals are done");
    // Not of another protocol, nor where a number has changed.
    let other = arguments("out", &["--resume", "--set", "fk.dt=0.01"]);
    run(path, 1, &other).fails(65, &["fk_restitution_checkpoint.json", "fk.dt"]);
    std::fs::write(
        &kept,
        text.replacen("\"interval\": 160.0", "\"interval\": 161.0", 1),
    )
    .unwrap();
    let resume = arguments("out", &["--resume"]);
    run(path, 1, &resume).fails(65, &["fk_restitution_checkpoint.json", "not what was"]);
    std::fs::write(&kept, text).unwrap();
    run(path, ranks().len(), &resume).succeeds();
    assert!(!kept.exists());
    for name in ["apd", "diastolic_interval", "conduction_velocity"] {
        let bits = |out: &str| curve(&path.join(out), name).into_iter().map(f64::to_bits);
        assert!(bits("whole").eq(bits("out")), "{name}");
    }
}

/// Was: "|u| = 1.012e1 at cell 20", without step, time or place.
#[test]
fn a_protocol_that_diverges_names_step_time_and_place() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CABLE);
    for ranks in ranks() {
        let arguments = ["fk", "case.toml", "-q", "--threads", "1", "-o", "out"];
        let strong = ["--set", "fk.restitution.amplitude=2000"];
        let arguments = [&arguments[..], &strong].concat();
        run(folder.path(), ranks, &arguments).fails(
            76,
            &[
                "after S1 number 1",
                "at cell [0] (at [0.05] mm)",
                "first after step 1, at 0.02 ms",
            ],
        );
    }
}

/// Was: a cell that diverged, or that S1 did not excite, ended in a curve of NaN and exit 0.
#[test]
fn a_cell_without_action_potentials_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "case.toml",
        &ONE_CELL.replace("GRID", "{ shape = [] }"),
    );
    let with = |amplitude: &str| {
        let amplitude = format!("fk.restitution.amplitude={amplitude}");
        run(
            folder.path(),
            1,
            &["fk", "case.toml", "-q", "-o", "out", "--set", &amplitude],
        )
    };
    with("0.01").fails(65, &["S1 makes no action potential", "amplitude"]);
    with("2000").fails(
        76,
        &[
            "single cell after step 1,",
            "0.010000 ms after the stimulus at 0.000000",
        ],
    );
    with("1e300").fails(76, &["single cell after step 1"]);
    assert_no_results(&folder.path().join("out"));
}

/// Was: a search of D took the folder of the results, and the run after it was refused.
#[test]
fn a_search_of_the_diffusivity_leaves_the_folder_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    put(path, "case.toml", CABLE);
    let search = ["fk", "case.toml", "-q", "--tune-speed", "0.45"];
    let said = run(path, 1, &search).succeeds().stdout;
    assert!(said.contains("diffusivity = 0."), "{said}");
    assert_eq!(names(path), ["case.toml"]);
    run(path, 1, &search).succeeds();
}
