//! `isochrone fk` as its users run it: stopped, killed, resumed, refused, out of disk.
#![cfg(unix)]

mod command;
#[path = "common/fk_result.rs"]
mod fk_result;
#[path = "common/small_disk.rs"]
mod small_disk;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use command::{folder_with, has_mpirun, names, ranks, report, run, run_with, set, start};
use fk_result::{assert_same, result};
use small_disk::SmallDisk;

/// Every recorder on a small tissue with a hole; S2 into the back of S1 makes tips.
const CASE: &str = r#"[fk]
grid = { shape = [40, 48], spacing = 0.5 }
diffusivity = 0.1
parameters = "1A"
dt = 0.05
duration = 400
[[fk.hole]]
sphere = { centre = [12.0, 15.0], radius = 2.0 }
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.1 }
duration = 2
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "south", coverage = 0.5 }
start = 190
duration = 2
[fk.record]
frames_every = 20
frames = ["u", "w"]
activation_threshold = 0.5
activations = 3
apd_level = 0.9
tip = true
tip_every = 3
probes = [[3.0, 3.0], [20.0, 15.0]]
probes_every = 0.5
electrodes = [[10.0, -10.0, 5.0]]
ecg_every = 5
"#;

/// A box that is computed in no time.
const BOX: &str = r#"[fk]
grid = { shape = [32, 32], spacing = 0.3 }
diffusivity = 0.1
dt = 0.05
duration = 5
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.1 }
duration = 2
[fk.record]
activation_threshold = 0.5
"#;

/// A folder with `case.toml`.
fn folder(case: &str) -> tempfile::TempDir {
    folder_with(&[("case.toml", case)])
}

/// `isochrone fk case.toml -q --output OUT` with more arguments, settings and one thread.
fn arguments<'a>(out: &'a str, more: &[&'a str], settings: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["fk", "case.toml", "-q", "--output", out];
    if !more.contains(&"--threads") {
        arguments.extend(["--threads", "1"]);
    }
    arguments.extend(more);
    set(&arguments, settings)
}

/// Ranks and threads to go on with.
fn elsewhere(ranks: usize) -> (usize, &'static str) {
    match (ranks, has_mpirun()) {
        (1, true) => (2, "1"),
        _ => (1, "2"),
    }
}

/// Waits until a run has written `name` into `out`.
fn wait_for(out: &Path, name: &str) {
    let begun = Instant::now();
    while !out.join(name).exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_stopped_by_a_signal_goes_on_bitwise_on_other_ranks() {
    let folder = folder(CASE);
    let path = folder.path();
    run(path, 1, &arguments("whole", &[], &[])).succeeds();
    let whole = result(&path.join("whole/fk.h5"));
    for recorder in ["tip", "frames/w", "probes/u", "ecg/potential", "apd"] {
        let (shape, _) = &whole[&format!("/fk/{recorder}")];
        assert!(shape[0] > 0, "nothing in {recorder}");
    }
    let all = ranks();
    for (signal, ranks) in [("TERM", all[0]), ("INT", all[all.len() - 1]), ("USR1", 1)] {
        // Long, so that the signal comes in time.
        let long = ["fk.duration=40000"];
        let stopped = start(path, ranks, &[], &arguments(signal, &[], &long));
        wait_for(&path.join(signal), "config.toml");
        stopped.signal(signal);
        stopped
            .finish()
            .fails(75, &["signal", "ms is kept", "--resume"]);
        let found = names(&path.join(signal));
        assert!(!found.contains(&"fk.h5".into()), "{found:?}");
        let said = report(&path.join(signal));
        assert_eq!(said["result"]["stop_reason"], "signal");
        if said["result"]["time_ms"].as_f64().unwrap() > 390.0 {
            eprintln!("SKIPPED: {signal} came too late");
            continue;
        }
        let (ranks, threads) = elsewhere(ranks);
        let on = arguments(signal, &["--resume", "--threads", threads], &[]);
        run(path, ranks, &on).succeeds();
        assert_same(&path.join("whole"), &path.join(signal));
    }
}

#[test]
fn a_run_stops_at_its_wall_time_again_and_again() {
    let folder = folder(CASE);
    let path = folder.path();
    run(path, 1, &arguments("whole", &[], &[])).succeeds();
    let mut reached = 0.0;
    for (i, ranks) in [1, ranks().len(), 1].into_iter().enumerate() {
        let resume: &[&str] = if i > 0 { &["--resume"] } else { &[] };
        let short = arguments("out", resume, &["run.max_minutes=0.0001"]);
        run(path, ranks, &short).fails(75, &["wall time", "--resume"]);
        let report = report(&path.join("out"));
        assert_eq!(report["result"]["stop_reason"], "wall_time");
        let time = report["result"]["time_ms"].as_f64().unwrap();
        assert!(time > reached, "no step was done");
        reached = time;
    }
    run(path, 1, &arguments("out", &["--resume"], &[])).succeeds();
    assert_same(&path.join("whole"), &path.join("out"));
    // A run that is complete is complete once more.
    run(path, 1, &arguments("out", &["--resume"], &[])).succeeds();
    assert_same(&path.join("whole"), &path.join("out"));
}

#[test]
fn checkpoints_by_interval_change_nothing_and_the_last_are_kept() {
    let folder = folder(CASE);
    let path = folder.path();
    run(path, 1, &arguments("whole", &[], &[])).succeeds();
    for ranks in ranks() {
        // 73.02 ms are 1460 steps of 0.05 ms; a wall-time interval of 1 ms comes often.
        let by_time = ["checkpoint.every_ms=73.02", "checkpoint.keep=3"];
        let overwrite = ["--overwrite"];
        run(path, ranks, &arguments("out", &overwrite, &by_time)).succeeds();
        assert_same(&path.join("whole"), &path.join("out"));
        let kept = |out: &str| {
            let names = names(&path.join(out));
            let kept = names.into_iter().filter(|n| n.starts_with("fk_checkpoint"));
            kept.collect::<Vec<_>>()
        };
        let expected = [4380, 5840, 7300].map(|step| format!("fk_checkpoint-{step}.h5"));
        assert_eq!(kept("out"), expected);
        let by_clock = ["checkpoint.every_minutes=1e-5", "checkpoint.keep=1"];
        run(path, ranks, &arguments("out", &overwrite, &by_clock)).succeeds();
        assert_same(&path.join("whole"), &path.join("out"));
        assert_eq!(kept("out").len(), 1);
    }
}

/// Kills a run with checkpoints `kills` times at moments spread over its length, goes on each time,
/// and compares the end with that of a run that was left alone.
fn kill(kills: usize, ranks: usize) {
    let folder = folder(CASE);
    let path = folder.path();
    let settings = ["checkpoint.every_ms=10", "checkpoint.keep=2"];
    run(path, ranks, &arguments("whole", &[], &settings)).succeeds();
    let length = report(&path.join("whole"))["timings_s"]["total"]
        .as_f64()
        .unwrap();
    let mut killed = 0;
    for i in 0..kills {
        let out = format!("out{i}");
        // The golden ratio spreads any number of moments evenly.
        let moment = length * (0.05 + 0.618_034 * i as f64).fract();
        let mut running = start(path, ranks, &[], &arguments(&out, &[], &settings));
        // The run writes its configuration soon after it has begun, mpirun some time before.
        wait_for(&path.join(&out), "config.toml");
        std::thread::sleep(Duration::from_secs_f64(moment));
        if !running.has_ended() {
            killed += 1;
        }
        running.kill();
        let (other, threads) = match i % 2 {
            0 => (ranks, "1"),
            _ => elsewhere(ranks),
        };
        let resume = arguments(&out, &["--resume", "--threads", threads], &settings);
        run(path, other, &resume).succeeds();
        assert_same(&path.join("whole"), &path.join(&out));
        let left = names(&path.join(&out));
        let partial = left
            .iter()
            .any(|n| n.contains(".partial") || n.contains("recording"));
        assert!(!partial, "{left:?}");
        fs::remove_dir_all(path.join(&out)).unwrap();
    }
    eprintln!("{killed} of {kills} runs on {ranks} ranks were killed, all ended the same");
    assert!(
        2 * killed >= kills,
        "only {killed} of {kills} were killed before their end"
    );
}

#[test]
fn killed_runs_go_on_bitwise() {
    for ranks in ranks() {
        kill(3, ranks);
    }
}

/// `cargo test --release --test cli_fk -- --ignored --nocapture fifty`
#[test]
#[ignore = "takes minutes"]
fn fifty_killed_runs_go_on_bitwise() {
    for ranks in ranks() {
        kill(50, ranks);
    }
}

#[test]
fn checkpoints_that_are_damaged_or_not_of_the_run() {
    let folder = folder(CASE);
    let path = folder.path();
    run(path, 1, &arguments("whole", &[], &[])).succeeds();
    let settings = ["checkpoint.every_ms=150"];
    let fresh = || {
        run(path, 1, &arguments("out", &["--overwrite"], &settings)).succeeds();
        // As if killed before the end.
        fs::remove_file(path.join("out/fk.xdmf")).unwrap();
    };
    let last = path.join("out/fk_checkpoint-6000.h5");
    let resume = |ranks: usize, settings: &[&str]| {
        let mut arguments = arguments("out", &["--resume"], settings);
        arguments.retain(|a| *a != "-q");
        run(path, ranks, &arguments)
    };
    fresh();
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let said = resume(1, &[]).succeeds().stderr;
    assert!(
        said.contains("fk_checkpoint-6000.h5") && said.contains("going on from"),
        "{said}"
    );
    assert_same(&path.join("whole"), &path.join("out"));
    // Cut short, as by a disk that lost its end.
    fresh();
    fs::write(&last, &bytes[..middle]).unwrap();
    resume(1, &[]).succeeds();
    assert_same(&path.join("whole"), &path.join("out"));

    fresh();
    for ranks in ranks() {
        for (setting, key) in [
            ("fk.dt=0.04", "fk.dt"),
            ("fk.grid.shape=[40,49]", "fk.grid.shape"),
            ("fk.parameters=3", "fk.parameters"),
            ("fk.precision=f64", "fk.precision"),
            ("fk.record.tip_every=2", "fk.record.tip_every"),
        ] {
            resume(ranks, &[setting]).fails(65, &["fk_checkpoint-6000.h5", key, "--overwrite"]);
        }
    }
    let file = hdf5::File::open_rw(&last).unwrap();
    let header: Vec<u8> = file.dataset("header").unwrap().read_raw().unwrap();
    let header = String::from_utf8(header).unwrap();
    assert!(header.contains("\"version\":1"), "{header}");
    let header = header.replacen("\"version\":1", "\"version\":9", 1);
    let sha256 = sha2_hex(header.as_bytes());
    for (name, bytes) in [
        ("header", header.as_bytes()),
        ("header_sha256", sha256.as_bytes()),
    ] {
        file.unlink(name).unwrap();
        let made = file.new_dataset_builder().with_data(bytes);
        made.create(name).unwrap();
    }
    drop(file);
    for ranks in ranks() {
        resume(ranks, &[]).fails(65, &["fk_checkpoint-6000.h5", "version 9 is newer"]);
    }
    // All of them damaged.
    for name in names(&path.join("out")) {
        if name.starts_with("fk_checkpoint") {
            fs::write(path.join("out").join(name), "nothing").unwrap();
        }
    }
    resume(1, &[]).fails(65, &["fk_checkpoint", "damaged", "--overwrite"]);
}

fn sha2_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_run_that_diverges_keeps_its_checkpoints_and_writes_no_result() {
    let folder = folder(BOX);
    let path = folder.path();
    let state = hdf5::File::create(path.join("state.h5")).unwrap();
    let group = state.create_group("large").unwrap();
    for (name, value) in [("u", 5.0_f64), ("v", 1e38), ("w", 1.0)] {
        let values = vec![value; 32 * 32];
        let made = group.new_dataset_builder().with_data(&values);
        let made = made.create(name).unwrap();
        drop(made);
    }
    drop(state);
    let voltage = ["fk.stimulus.0.kind=voltage", "fk.stimulus.0.amplitude=50"];
    for ranks in ranks() {
        let late = ["fk.stimulus.0.start=3.02", "checkpoint.every_ms=1"];
        let settings = [&voltage[..], &late].concat();
        let overwrite = ["--overwrite"];
        run(path, ranks, &arguments("late", &overwrite, &settings)).fails(
            76,
            &[
                "|u| = 5.000e1",
                "at cell [0, 0] (at [0.15, 0.15] mm)",
                "first after step 61, at 3.05 ms",
                "fk.dt",
                "the checkpoint after 3 ms is kept",
            ],
        );
        let expected = [
            "config.toml",
            "fk_checkpoint-0040.h5",
            "fk_checkpoint-0060.h5",
        ];
        assert_eq!(names(&path.join("late")), expected);
        run(path, ranks, &arguments("early", &overwrite, &voltage)).fails(76, &["|u| ="]);
        assert_eq!(names(&path.join("early")), ["config.toml"]);
        let not_a_number = ["fk.stimulus.0.amplitude=1e39", "checkpoint.every_ms=1"];
        run(path, ranks, &arguments("early", &overwrite, &not_a_number)).fails(
            76,
            &["|u| = 5.000e37", "cell [0, 0]", "after step 1, at 0.05 ms"],
        );
    }
    run(
        path,
        1,
        &arguments("early", &["--overwrite"], &["fk.initial={u=1000}"]),
    )
    .fails(76, &[]);
}

/// What a folder holds, in the end of a run that was refused space.
#[track_caller]
fn assert_no_result(out: &Path) {
    let found = names(out);
    let wrong = |n: &&String| n.ends_with(".partial") || *n == "fk.h5" || *n == "report.json";
    assert!(!found.iter().any(|n| wrong(&n)), "{found:?}");
}

#[test]
fn a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_with_space() {
    let folder = folder(CASE);
    let path = folder.path();
    // Frames that do not compress; about 1 MB of them, and 0.3 MB per checkpoint.
    let settings = [
        "fk.record.compression=0",
        "fk.record.frames_every=4",
        "checkpoint.every_ms=50",
        "checkpoint.keep=1",
    ];
    run(path, 1, &arguments("whole", &[], &settings)).succeeds();
    for ranks in ranks() {
        // Full first while frames are written, then with a checkpoint or at the merge.
        for size in [300_000, 700_000, 1_000_000, 1_300_000, 1_700_000] {
            let Some(disk) = SmallDisk::new(size) else {
                eprintln!("SKIPPED: may not mount a tmpfs to fill");
                return;
            };
            let out = disk.path().join("out");
            let to = out.to_str().unwrap();
            run(path, ranks, &arguments(to, &[], &settings)).fails(74, &[to, "No space left"]);
            assert_no_result(&out);
            let kept = names(&out);
            let kept = kept
                .iter()
                .filter(|n| n.starts_with("fk_checkpoint"))
                .count();
            assert!(size < 700_000 || kept > 0, "no checkpoint in {size} bytes");
            disk.resize(20_000_000);
            run(path, ranks, &arguments(to, &["--resume"], &settings)).succeeds();
            assert_same(&path.join("whole"), &out);
        }
    }
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let folder = folder(BOX);
    let path = folder.path();
    let file = hdf5::File::create(path.join("data.h5")).unwrap();
    let add = |name: &str, shape: &[usize], values: &[f64]| {
        let array = ndarray::ArrayViewD::from_shape(shape, values).unwrap();
        let made = file.new_dataset_builder().with_data(array);
        made.create(name).unwrap();
    };
    let square = [32, 32];
    add("none", &square, &[0.0; 1024]);
    add("negative", &square, &[-0.1; 1024]);
    let mut nan = [0.1; 1024];
    nan[3 * 32 + 4] = f64::NAN;
    add("nan", &square, &nan);
    add("wide", &[32, 33], &[1.0; 32 * 33]);
    let indefinite: Vec<f64> = (0..1024).flat_map(|_| [0.1, 0.2, 0.1]).collect();
    add("indefinite", &[32, 32, 3], &indefinite);
    for name in ["u", "v", "w"] {
        file.create_group(&format!("state_{name}")).unwrap();
        let group = file.create_group(name).unwrap();
        drop(group);
        for field in ["u", "v", "w"] {
            let n = if field == name { 33 } else { 32 };
            add(
                &format!("state_{name}/{field}"),
                &[32, n],
                &vec![0.5; 32 * n],
            );
        }
    }
    drop(file);

    let all = ranks();
    let most = all[all.len() - 1];
    let mut cases: Vec<(usize, &str, i32, &[&str])> = vec![
        (
            1,
            "fk.parameters=\"11\"",
            65,
            &["fk.parameters", "\"11\"", "known: 1A"],
        ),
        (
            most,
            "fk.model=nothing",
            65,
            &["fk.model", "nothing", "fenton-karma"],
        ),
        (
            1,
            "fk.parameters={tau_d=0.3}",
            65,
            &["fk.parameters", "missing"],
        ),
        (
            most,
            "fk.dt=0.4",
            65,
            &["fk.dt", "at most 0.1616", "set fk.dt to 0.1616"],
        ),
        (
            1,
            "fk.diffusivity=-0.1",
            65,
            &["fk.diffusivity", "positive"],
        ),
        (1, "fk.diffusivity=nan", 65, &["fk.diffusivity", "positive"]),
        (
            most,
            "fk.diffusivity={file=\"data.h5\",dataset=\"negative\"}",
            65,
            &["data.h5", "cell [0, 0]", "not positive"],
        ),
        (
            1,
            "fk.diffusivity={file=\"data.h5\",dataset=\"nan\"}",
            65,
            &["data.h5", "cell [3, 4]", "NaN"],
        ),
        (
            most,
            "fk.diffusivity={file=\"data.h5\",dataset=\"indefinite\"}",
            65,
            &["data.h5", "not positive definite"],
        ),
        (
            1,
            "fk.diffusivity={file=\"data.h5\",dataset=\"wide\"}",
            65,
            &["data.h5", "[32, 33]", "[32, 32]"],
        ),
        (
            1,
            "fk.mask={file=\"data.h5\",dataset=\"wide\"}",
            65,
            &["data.h5", "[32, 33]", "[32, 32]"],
        ),
        (
            most,
            "fk.mask={file=\"data.h5\",dataset=\"none\"}",
            65,
            &["fk.mask", "no cell"],
        ),
        (
            1,
            "fk.hole.0={half=\"west\",coverage=1}",
            65,
            &["fk.hole", "no cell"],
        ),
        (
            most,
            "fk.stimulus.0.region={sphere={centre=[100,5],radius=1}}",
            65,
            &["fk.stimulus.0.region", "outside the grid", "0 to 9.6"],
        ),
        (
            1,
            "fk.stimulus.0.region={file=\"data.h5\",dataset=\"wide\"}",
            65,
            &["data.h5", "[32, 33]"],
        ),
        (
            1,
            "fk.stimulus.0.region={file=\"data.h5\",dataset=\"none\"}",
            65,
            &["fk.stimulus.0.region", "no cell"],
        ),
        (
            1,
            "fk.record.probes=[[100,5]]",
            65,
            &["fk.record.probes", "outside the grid", "9.6"],
        ),
        (
            most,
            "fk.record.frames=[\"u\",\"x\"]",
            65,
            &["fk.record.frames", "\"x\"", "u, v, w"],
        ),
        (1, "fk.initial={x=1}", 65, &["fk.initial.x", "u, v, w"]),
        (
            1,
            "fk.initial={file=\"data.h5\",group=\"/state_u\"}",
            65,
            &["data.h5", "/state_u/u", "[32, 33]", "[32, 32]"],
        ),
        (
            most,
            "fk.initial={file=\"data.h5\",group=\"/state_w\"}",
            65,
            &["data.h5", "/state_w/w", "[32, 33]"],
        ),
        (
            1,
            "fk.initial={file=\"data.h5\",group=\"/nothing\"}",
            65,
            &["data.h5", "/nothing/u", "missing"],
        ),
        (1, "fk.grid.shape=[0,32]", 65, &["fk.grid.shape"]),
        (
            1,
            "fk.record.frames_every=0",
            65,
            &["fk.record.frames_every"],
        ),
    ];
    for missing in [
        "fk.mask={file=\"no.h5\",dataset=\"x\"}",
        "fk.diffusivity={file=\"no.h5\",dataset=\"x\"}",
        "fk.initial={file=\"no.h5\"}",
        "fk.grid={voxels=\"no.h5\"}",
        "fk.grid={mesh=\"no.h5\",spacing=1}",
        "fk.stimulus.0.region={file=\"no.h5\",dataset=\"x\"}",
    ] {
        cases.push((1, missing, 66, &["no.h5", "no such file"]));
    }
    for (ranks, setting, code, words) in cases {
        eprintln!("{setting} on {ranks}");
        run(path, ranks, &arguments("out", &[], &[setting])).fails(code, words);
        assert!(
            !path.join("out").exists() || names(&path.join("out")).is_empty(),
            "{setting}"
        );
    }
    let cardiax = ["fk.stencil=cardiax", "fk.grid.shape=[4,32]"];
    run(path, 1, &arguments("out", &[], &cardiax)).fails(65, &["fk.grid.shape", "8 × 8"]);
    run(path, 1, &["fk", "none.toml", "--output", "out"]).fails(66, &["none.toml"]);
}

#[test]
fn the_largest_step_that_a_refusal_names_works() {
    let folder = folder(BOX);
    let path = folder.path();
    for stencil in ["flux", "cardiax"] {
        let stencil = format!("fk.stencil={stencil}");
        let settings = [&stencil, "fk.dt=0.9", "fk.duration=200"];
        let overwrite = ["--overwrite"];
        let said = run(path, 1, &arguments("out", &overwrite, &settings)).fails(65, &["fk.dt"]);
        let said = said.stderr;
        let (_, rest) = said.split_once("set fk.dt to ").unwrap();
        let (largest, _) = rest.split_once(' ').unwrap();
        let dt = format!("fk.dt={largest}");
        let settings = [&stencil, &dt, "fk.duration=200"];
        run(path, 1, &arguments("out", &overwrite, &settings)).succeeds();
    }
}

#[test]
fn results_are_not_written_over_unasked_nor_by_a_dry_run() {
    let folder = folder(BOX);
    let path = folder.path();
    for ranks in ranks() {
        let out = format!("out{ranks}");
        let plan = run(path, ranks, &arguments(&out, &["--dry-run"], &[]))
            .succeeds()
            .stdout;
        for word in ["32 x 32", "1024", "Memory per rank", "fk.h5", "report.json"] {
            assert!(plan.contains(word), "no {word:?} in {plan}");
        }
        assert!(!path.join(&out).exists());
        run(path, ranks, &arguments(&out, &[], &[])).succeeds();
        let before = fs::read(path.join(&out).join("fk.h5")).unwrap();
        run(path, ranks, &arguments(&out, &[], &[])).fails(2, &["holds results", "--overwrite"]);
        run(path, ranks, &arguments(&out, &["--resume"], &[])).fails(2, &["nothing to resume"]);
        run(path, ranks, &arguments(&out, &["--dry-run"], &[])).succeeds();
        assert_eq!(fs::read(path.join(&out).join("fk.h5")).unwrap(), before);
    }
}

#[test]
fn it_says_what_it_was_asked_to_say() {
    let folder = folder(BOX);
    let path = folder.path();
    for ranks in ranks() {
        let quiet = run(path, ranks, &arguments("out", &["--overwrite"], &[])).succeeds();
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
        let mut loud = arguments("out", &["--overwrite", "--log", "json"], &[]);
        loud.retain(|a| *a != "-q");
        let said = run(path, ranks, &loud).succeeds().stderr;
        let lines: Vec<serde_json::Value> = said
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let message = |word: &str| {
            let has = |l: &&serde_json::Value| l["message"].as_str().unwrap().contains(word);
            lines.iter().filter(has).count()
        };
        assert_eq!(
            (message("1024 active cells"), message("results in out")),
            (1, 1),
            "{said}"
        );
    }
    // The environment is below the command line and above the file.
    let environment = [
        ("ISOCHRONE_FK__DURATION", "3"),
        ("ISOCHRONE_FK__DT", "0.02"),
    ];
    let settings = ["fk.dt=0.1"];
    let arguments = arguments("out", &["--overwrite"], &settings);
    run_with(path, 1, &environment, &arguments).succeeds();
    let report = report(&path.join("out"));
    assert_eq!(report["counters"]["steps"], 30);
    assert_eq!(report["result"]["time_ms"], 3.0);
}

#[test]
fn thin_tiles_change_no_bit() {
    let folder = folder(BOX);
    let path = folder.path();
    let compare = |settings: &[&str], tiles: &[&str]| {
        run(path, 1, &arguments("whole", &["--overwrite"], settings)).succeeds();
        for tile in tiles {
            for steps in [1, 3] {
                let tile = format!("fk.tile={tile}");
                let steps = format!("fk.steps_per_exchange={steps}");
                let settings = [settings, &[&tile, &steps]].concat();
                run(path, 1, &arguments("out", &["--overwrite"], &settings)).succeeds();
                eprintln!("{settings:?}");
                assert_same(&path.join("whole"), &path.join("out"));
            }
        }
    };
    // 33 and 41 leave tiles of one cell, thinner than the ghosts of their neighbours.
    let plane = ["[32,41]", "[33,40]", "[8,8]", "[1,41]", "[33,1]", "[3,5]"];
    for integrator in ["euler", "heun"] {
        let integrator = format!("fk.integrator={integrator}");
        let shape = "fk.grid.shape=[33,41]";
        compare(&[shape, &integrator, "fk.duration=20"], &plane);
        compare(&[shape, &integrator, "fk.boundary=periodic"], &plane[..3]);
        let hole = "fk.hole.0={sphere={centre=[6,9],radius=1.5}}";
        compare(&[shape, &integrator, hole, "fk.duration=20"], &plane[..4]);
        let solid = ["fk.grid.shape=[9,10,17]", &integrator];
        compare(&solid, &["[8,10,17]", "[9,9,17]", "[9,10,16]", "[4,3,8]"]);
    }
    let tensor = "fk.diffusivity={fibre=0.1,sheet=0.03,normal=0.03,direction=[1,2]}";
    compare(
        &["fk.grid.shape=[33,41]", tensor, "fk.duration=20"],
        &plane[..4],
    );
    compare(
        &["fk.grid.shape=[33,41]", "fk.stencil=cardiax"],
        &plane[..4],
    );
}

#[test]
fn small_grids_run_on_many_ranks() {
    if !has_mpirun() {
        return;
    }
    let folder = folder(BOX);
    let path = folder.path();
    let hole = "fk.hole.0={sphere={centre=[3,3,3],radius=1}}";
    for (ranks, settings) in [
        (2, &["fk.grid.shape=[64,64]"][..]),
        (2, &["fk.grid.shape=[400]"]),
        (4, &["fk.grid.shape=[1,20]"]),
        (2, &["fk.grid.shape=[20,20,20]", hole]),
        (2, &["fk.grid.shape=[20,20]", "fk.stencil=cardiax"]),
        (2, &["fk.grid.shape=[2]", "fk.stimulus.0.region=all"]),
    ] {
        run(path, 1, &arguments("whole", &["--overwrite"], settings)).succeeds();
        run(path, ranks, &arguments("out", &["--overwrite"], settings)).succeeds();
        assert_same(&path.join("whole"), &path.join("out"));
    }
    for (ranks, settings) in [
        (4, &["fk.grid.shape=[3]", "fk.stimulus.0.region=all"][..]),
        (2, &["fk.grid.shape=[]", "fk.stimulus.0.region=all"]),
        (2, &["fk.tile=[32,32]"]),
        (3, &["fk.grid.shape=[9,9]", "fk.stencil=cardiax"]),
    ] {
        let refused = run(path, ranks, &arguments("refused", &[], settings));
        refused.fails(65, &["fk.grid", &format!("{ranks} ranks"), "at most"]);
    }
}

/// KiB of memory that a run with `frames` frames took at most.
fn peak(path: &Path, frames: usize) -> u64 {
    let steps = format!("fk.steps={}", 2 * frames);
    let settings = [
        &steps,
        "fk.grid.shape=[128,128]",
        "fk.record.frames_every=0.1",
    ];
    run(path, 1, &arguments("out", &["--overwrite"], &settings)).succeeds();
    report(&path.join("out"))["peak_rss_bytes"]
        .as_u64()
        .unwrap()
        >> 10
}

#[test]
fn memory_does_not_grow_with_the_frames() {
    let folder = folder(&BOX.replace("duration = 5\n", ""));
    let (some, more) = (peak(folder.path(), 300), peak(folder.path(), 1200));
    // 900 frames more are 57,600 KiB.
    assert!(
        more < some + 12_000,
        "{some} KiB, and {more} KiB for four times the frames"
    );
}

#[test]
fn the_ready_configurations_run() {
    let configurations = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let folder = tempfile::tempdir().unwrap();
    let all = names(&configurations);
    let all: Vec<_> = all.iter().filter(|n| n.starts_with("fk-")).collect();
    assert!(all.len() >= 6, "{all:?}");
    for name in all {
        let path = configurations.join(name);
        let path = path.to_str().unwrap();
        run(folder.path(), 1, &["config", "check", path]).succeeds();
        for ranks in ranks() {
            let mut arguments = vec!["fk", path, "-q", "--overwrite", "--output", "out"];
            // A few steps, and a coarse heart.
            arguments.extend(["--threads", "1", "--set", "fk.duration=2"]);
            if name.contains("heart") {
                arguments.extend([
                    "--set",
                    "fk.grid.spacing=1.5",
                    "--set",
                    "mesh.generate.edge=5.8",
                ]);
            }
            run(folder.path(), ranks, &arguments).succeeds();
            assert!(folder.path().join("out/fk.h5").exists(), "{name}");
        }
    }
}
