//! `isochrone fk`: a test for each bug that was found, named after it.
#![cfg(unix)]

mod command;
#[path = "common/fk_result.rs"]
mod fk_result;

use std::fs;
use std::path::Path;

use command::{dataset, folder_with, names, put, ranks, report, run, set};
use fk_result::{assert_same, result};

/// Recorders whose intervals do not fit the ends of runs below.
const CASE: &str = r#"[fk]
grid = { shape = [24, 32], spacing = 0.3 }
diffusivity = 0.1
dt = 0.05
duration = 5
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.1 }
duration = 2
[fk.record]
frames_every = 2
activation_threshold = 0.5
probes = [[1.0, 1.0]]
probes_every = 0.3
electrodes = [[5.0, 5.0, 3.0]]
ecg_every = 1.5
tip = true
tip_every = 0.7
"#;

fn folder() -> tempfile::TempDir {
    folder_with(&[("case.toml", CASE)])
}

/// `isochrone fk case.toml` with one thread, flags and settings.
fn arguments<'a>(out: &'a str, flags: &[&'a str], settings: &[&'a str]) -> Vec<&'a str> {
    let arguments = ["fk", "case.toml", "--threads", "1", "--output", out];
    set(&[&arguments[..], flags].concat(), settings)
}

/// Was: exit 0 and a state of 5 ms under the name of one of 3 ms.
#[test]
fn a_checkpoint_later_than_the_end_is_refused() {
    let folder = folder();
    let path = folder.path();
    let every = ["checkpoint.every_ms=5"];
    run(path, 1, &arguments("out", &[], &every)).succeeds();
    let before = fs::read(path.join("out/fk.h5")).unwrap();
    for ranks in ranks() {
        for (shorter, key) in [
            ("fk.duration=3", "fk.duration"),
            ("fk.steps=60", "fk.steps"),
        ] {
            let words = ["the checkpoint", "is at 5 ms", key, "3 ms", "--overwrite"];
            run(path, ranks, &arguments("out", &["--resume"], &[shorter])).fails(65, &words);
        }
    }
    assert_eq!(fs::read(path.join("out/fk.h5")).unwrap(), before);
}

/// Was: a row of each recorder at the old end, which a run that was never stopped does not have.
#[test]
fn a_run_made_longer_is_as_if_never_stopped() {
    let folder = folder();
    let path = folder.path();
    run(path, 1, &arguments("whole", &[], &["fk.duration=11.05"])).succeeds();
    let rows = |out: &str, series: &str| result(&path.join(out))[series].0[0];
    assert_eq!(rows("whole/fk.h5", "/fk/frames/time"), 7);
    for (out, checkpoint) in [
        ("ms", "checkpoint.every_ms=0.5"),
        ("clock", "checkpoint.every_minutes=1e-7"),
    ] {
        run(path, 1, &arguments(out, &[], &[checkpoint])).succeeds();
        // Its own last interval is recorded however short it is.
        let ended = result(&path.join(out).join("fk.h5"));
        assert_eq!(ended["/fk/frames/time"].0[0], 4, "0, 2, 4, 5 ms");
        for duration in ["fk.duration=8.5", "fk.duration=11.05"] {
            let longer = arguments(out, &["--resume"], &[checkpoint, duration]);
            run(path, 1, &longer).succeeds();
        }
        assert_same(&path.join("whole"), &path.join(out));
    }
}

/// Was: found missing after the whole simulation.
#[test]
fn the_bridge_is_checked_before_the_run() {
    let folder = folder();
    let path = folder.path();
    let no_mesh = ["fk.bridge={}"];
    let no_file = ["fk.bridge={mesh=\"nowhere.vtu\"}"];
    let no_times = [
        "mesh.generate={kind=\"slab\",size=[4,4,4],edge=2.0}",
        "fk.bridge={}",
    ];
    put(
        path,
        "bad.toml",
        &CASE.replace("activation_threshold = 0.5\n", ""),
    );
    for ranks in ranks() {
        for more in [&[][..], &["--dry-run"]] {
            run(path, ranks, &arguments("out", more, &no_mesh))
                .fails(65, &["fk.bridge", "no mesh", "fk.bridge.mesh"]);
            run(path, ranks, &arguments("out", more, &no_file)).fails(66, &["nowhere.vtu"]);
            let mut arguments = arguments("out", more, &no_times);
            arguments[1] = "bad.toml";
            run(path, ranks, &arguments).fails(65, &["fk.bridge", "not recorded"]);
        }
    }
    assert!(!path.join("out").exists());
    let check = |file: &'static str, setting: &'static str| {
        run(path, 1, &["config", "check", file, "--set", setting])
    };
    check("case.toml", no_mesh[0]).fails(65, &["fk.bridge"]);
    check("case.toml", no_file[0]).fails(66, &["nowhere.vtu"]);
    check("bad.toml", no_file[0]).fails(65, &["fk.bridge", "not recorded"]);
}

/// Was: times of the affine extension of a front on its way, later than the end of the simulation.
#[test]
fn no_vertex_is_activated_after_the_end() {
    let folder = folder();
    let path = folder.path();
    let box_of_cells = "grid = { shape = [24, 32], spacing = 0.3 }";
    put(
        path,
        "case.toml",
        &CASE.replace(box_of_cells, "grid = { spacing = 0.4 }\nbridge = {}"),
    );
    let settings = [
        "mesh.generate={kind=\"slab\",size=[16,4,4],edge=1.0}",
        "fk.duration=20",
        "fk.record.probes=[]",
    ];
    run(path, 1, &arguments("out", &["-q"], &settings)).succeeds();
    let times: Vec<f64> = dataset(&path.join("out/activation.h5"), "/fields/activation_time");
    let reached = times.iter().filter(|t| **t <= 20.0).count();
    let never = times.iter().filter(|t| **t == f64::INFINITY).count();
    assert!(reached > 0 && never > 0, "{reached} {never}");
    assert_eq!(reached + never, times.len());
}

/// Was: a flipped byte in a segment ended in exit 0 and a result that could not be read.
#[test]
fn a_damaged_segment_is_found_before_the_run_goes_on() {
    let folder = folder();
    let path = folder.path();
    let settings = ["checkpoint.every_ms=10", "fk.record.frames_every=1"];
    let long = [&settings[..], &["fk.duration=40"]].concat();
    run(path, 1, &arguments("whole", &["-q"], &long)).succeeds();
    let stop = [&long[..], &["run.max_minutes=1e-7"]].concat();
    let stopped = run(path, 1, &arguments("out", &["-q"], &stop));
    stopped.fails(75, &["wall time"]);
    let segment = path.join("out/fk_recording-0001.h5");
    let bytes = fs::read(&segment).unwrap();
    let dataset = hdf5::File::open(&segment).unwrap();
    let dataset = dataset.dataset("/fk/frames/u").unwrap();
    let chunk = dataset.chunk_info(0).unwrap();
    drop(dataset);
    for at in [0, chunk.size / 2, chunk.size - 1] {
        let mut bytes = bytes.clone();
        bytes[(chunk.addr + at) as usize] ^= 0x10;
        fs::write(&segment, bytes).unwrap();
        for ranks in ranks() {
            let resume = arguments("out", &["-q", "--resume"], &long);
            let words = ["fk_recording-0001.h5", "/fk/frames/u", "--overwrite"];
            run(path, ranks, &resume).fails(65, &words);
        }
    }
    fs::remove_file(&segment).unwrap();
    let resume = arguments("out", &["-q", "--resume"], &long);
    let words = ["fk_recording-0001.h5", "put it back", "--overwrite"];
    run(path, 1, &resume).fails(66, &words);
    fs::write(&segment, &bytes).unwrap();
    run(path, 1, &resume).succeeds();
    assert_same(&path.join("whole"), &path.join("out"));
}

/// Was: "u is not a number at cell [0, 0] ... found after step 2032, between 0 and 40.64 ms",
/// depending on the speed of the machine.
#[test]
fn divergence_names_the_first_step_and_its_cell() {
    let folder = folder();
    let path = folder.path();
    // One cell, held at a u beyond all limits from 3.02 ms on, far from the corner.
    let settings = [
        "fk.stimulus.1={kind=\"voltage\",amplitude=2e38,region={box=[[6.0,3.0],[6.2,3.2]]},start=3.02,duration=30}",
        "fk.duration=400",
    ];
    let words = [
        "|u| = 2.000e38 at cell [10, 20] (at [6.15, 3.15] mm)",
        "first after step 61, at 3.05 ms",
    ];
    for ranks in ranks() {
        let ended = run(
            path,
            ranks,
            &arguments("out", &["-q", "--overwrite"], &settings),
        )
        .fails(76, &words);
        assert!(!ended.stderr.contains("checkpoint"), "{}", ended.stderr);
        let every = [&settings[..], &["checkpoint.every_ms=1"]].concat();
        let arguments = arguments("out", &["-q", "--overwrite"], &every);
        let words = [&words[..], &["the checkpoint after 3 ms is kept"]].concat();
        run(path, ranks, &arguments).fails(76, &words);
    }
}

/// Was: keys that do nothing, and times of other lengths than asked, without a word.
#[test]
fn what_does_nothing_or_not_what_it_says_is_told() {
    let folder = folder();
    let path = folder.path();
    let said = |settings: &[&str], words: &[&str]| {
        let more = ["--overwrite", "--dry-run"];
        let run = run(path, 1, &arguments("out", &more, settings)).succeeds();
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in {}", run.stderr);
        }
        run.stderr.lines().filter(|l| l.contains("WARN")).count()
    };
    // 0.05 ms do not divide 0.12 ms; 0.3, 0.7, 1.5 and 2 ms they do.
    assert_eq!(said(&[], &[]), 0);
    let unused = said(
        &[
            "fk.record.tip=false",
            "fk.record.probes=[]",
            "fk.record.electrodes=[]",
        ],
        &[
            "fk.record.tip_every: has no effect",
            "case.toml",
            "probes_every",
            "ecg_every",
        ],
    );
    assert_eq!(unused, 3);
    let late = &["fk.stimulus.0.start=7"];
    assert_eq!(said(late, &["fk.stimulus.0.start: never acts", "5 ms"]), 1);
    let rounded = said(
        &[
            "fk.stimulus.0.duration=0.001",
            "fk.record.frames_every=0.12",
        ],
        &[
            "fk.stimulus.0.duration: 0.001 ms are 0.05 ms",
            "0.12 ms are 0.1 ms",
        ],
    );
    assert_eq!(rounded, 2);
    let protocol = [
        "fk.restitution={s1_period=400,s1_count=2,s2=[300],amplitude=0.4,duration=1,region=\"all\"}",
        "fk.stimulus=[]",
        "fk.grid.shape=[]",
        "fk.record.probes=[]",
        "fk.record.tip=false",
    ];
    let words = [
        "fk.duration: has no effect",
        "frames_every",
        "fk.restitution.region: has no effect on a single cell",
    ];
    said(&protocol, &words);
    // Kept activations alone are recorded at 0.5.
    put(
        path,
        "case.toml",
        &CASE.replace("activation_threshold = 0.5", "activations = 2"),
    );
    run(path, 1, &arguments("kept", &["-q"], &[])).succeeds();
    let kept = result(&path.join("kept/fk.h5"));
    assert_eq!(kept["/fk/activation_times"].0, [24, 32, 2]);
}

/// Was: NaN in the tissue meant rest without a word.
#[test]
fn a_state_with_holes_in_the_tissue_is_told() {
    let folder = folder();
    let path = folder.path();
    let state = hdf5::File::create(path.join("state.h5")).unwrap();
    let group = state.create_group("fk").unwrap();
    for name in ["u", "v", "w"] {
        let mut values = ndarray::Array2::<f64>::ones((24, 32));
        values[[3, 4]] = f64::NAN;
        values[[3, 5]] = f64::NAN;
        (group.new_dataset_builder().with_data(&values))
            .create(name)
            .unwrap();
    }
    drop((group, state));
    let initial = ["fk.initial={file=\"state.h5\"}"];
    let said = run(path, 1, &arguments("out", &[], &initial))
        .succeeds()
        .stderr;
    assert!(
        said.contains("/fk/u is NaN in 2 cells of the tissue"),
        "{said}"
    );
}

/// Was: no published set "3" of a model that nobody had asked for it.
#[test]
fn a_model_without_parameters_has_its_own_first_set() {
    let folder = folder();
    let path = folder.path();
    for model in ["mitchell-schaeffer", "aliev-panfilov"] {
        let model = format!("fk.model={model}");
        run(
            path,
            1,
            &arguments("out", &["-q", "--overwrite"], &[&model]),
        )
        .succeeds();
        // What was run runs again.
        let again = ["fk", "out/config.toml", "-q", "-o", "again", "--overwrite"];
        run(path, 1, &again).succeeds();
        assert_same(&path.join("out"), &path.join("again"));
    }
    let both = ["fk.model=mitchell-schaeffer", "fk.parameters=3"];
    run(path, 1, &arguments("set", &["-q"], &both)).fails(65, &["published set", "default"]);
}

/// Was: a number that nothing in 2D depends on had to be given.
#[test]
fn fibres_in_2d_need_no_normal() {
    let folder = folder();
    let path = folder.path();
    let with = |out: &str, normal: &str| {
        let d = format!("fk.diffusivity={{fibre=0.1,sheet=0.05{normal},direction=[1,2]}}");
        run(path, 1, &arguments(out, &["-q"], &[&d])).succeeds();
    };
    with("without", "");
    with("with", ",normal=0.01");
    assert_same(&path.join("with"), &path.join("without"));
    let solid = [
        "fk.grid.shape=[4,4,4]",
        "fk.record.probes=[]",
        "fk.diffusivity={fibre=0.1,sheet=0.05}",
    ];
    let words = ["fk.diffusivity.normal", "three axes"];
    run(path, 1, &arguments("solid", &["-q"], &solid)).fails(65, &words);
}

/// Was: "results in ..." of a run that had none, and times such as 400.40000000000003 ms.
#[test]
fn a_stopped_run_says_a_round_time_and_no_results() {
    let folder = folder();
    let path = folder.path();
    let settings = ["fk.dt=0.1", "fk.duration=400000", "run.max_minutes=1e-7"];
    let ended = run(path, 1, &arguments("out", &[], &settings));
    let said = ended.fails(75, &["ms is kept"]).stderr;
    assert!(!said.contains("results in"), "{said}");
    let (_, time) = said.split_once("the state after ").unwrap();
    let time = time.split_whitespace().next().unwrap();
    assert!(time.len() < 10, "{time}");
    let told = report(&path.join("out"))["result"]["time_ms"].as_f64();
    assert_eq!(told, time.parse().ok());
    run(path, 1, &arguments("out", &[], &["fk.time=3"])).fails(65, &["`fk.duration`"]);
}

/// Was: unit "1".
#[test]
fn the_pseudo_ecg_has_its_unit() {
    let folder = folder();
    run(folder.path(), 1, &arguments("out", &["-q"], &[])).succeeds();
    let file = hdf5::File::open(folder.path().join("out/fk.h5")).unwrap();
    let potential = file.dataset("/fk/ecg/potential").unwrap();
    let unit = potential.attr("unit").unwrap();
    let unit: hdf5::types::FixedUnicode<32> = unit.read_scalar().unwrap();
    assert_eq!(unit.as_str(), "mm²/ms");
}

/// Was: the run ended before the first action potential did, and every duration was NaN.
#[test]
fn the_ready_scar_records_durations() {
    let folder = tempfile::tempdir().unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/fk-scar.toml");
    let mut arguments = vec!["fk", config.to_str().unwrap(), "-q", "-o", "out"];
    for setting in [
        "fk.grid.shape=[150,150]",
        "fk.grid.spacing=0.4",
        "fk.dt=0.05",
    ] {
        arguments.extend(["--set", setting]);
    }
    run(folder.path(), 1, &arguments).succeeds();
    let result = folder.path().join("out/fk.h5");
    let read = |name: &str| -> Vec<f64> { dataset(&result, name) };
    let (times, apd) = (read("/fk/activation_time"), read("/fk/apd"));
    let reached = times.iter().filter(|t| t.is_finite()).count();
    assert_eq!(reached, 21_548);
    assert_eq!(apd.iter().filter(|t| t.is_finite()).count(), reached);
    assert!(apd.iter().all(|t| t.is_nan() || (240.0..270.0).contains(t)));
    assert!(names(&folder.path().join("out")).contains(&"fk.xdmf".into()));
}

/// Was: an aborted allocation of 40 GB, also for a dry run.
#[test]
fn a_grid_beyond_memory_is_refused() {
    let folder = folder();
    let huge = ["fk.grid.shape=[2000000,2000000]"];
    for flags in [&["--dry-run"][..], &[]] {
        run(folder.path(), 1, &arguments("out", flags, &huge))
            .fails(65, &["fk.grid", "4.000e12 cells", "GB", "coarser spacing"]);
    }
    assert!(!folder.path().join("out").exists());
}
