//! `isochrone plot` and `isochrone scaling` as their users run them.

mod command;

use std::fs;
use std::path::Path;

use command::{ranks, run_with};
use hdf5::File;
use serde_json::json;

/// Width, height and pixels of a PNG file.
fn pixels(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let file = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let (rgb, _) = bytes.as_chunks::<3>();
    (info.width as usize, info.height as usize, rgb.to_vec())
}

/// A box of 40 × 10 × 2 mm whose activation time is x / 0.5 ms.
fn write_slab(path: &Path) {
    let made = run_with(
        path.parent().unwrap(),
        1,
        &[],
        &[
            "mesh", "generate", "slab", "slab.h5", "--edge", "2", "--size", "40,10,2",
        ],
    );
    made.succeeds();
    let slab = path.parent().unwrap().join("slab.h5");
    fs::rename(slab, path).unwrap();
    let file = File::open_rw(path).unwrap();
    let points = file
        .dataset("/mesh/points")
        .unwrap()
        .read_raw::<f64>()
        .unwrap();
    let times: Vec<f64> = points
        .chunks(3)
        .map(|p| (p[0] - least(&points)) / 0.5)
        .collect();
    let group = file.create_group("fields").unwrap();
    group
        .new_dataset_builder()
        .with_data(&times)
        .create("activation_time")
        .unwrap();
}

fn least(points: &[f64]) -> f64 {
    points.chunks(3).map(|p| p[0]).fold(f64::INFINITY, f64::min)
}

#[test]
fn an_activation_map_has_its_isochrones_and_colours() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.h5");
    write_slab(&file);
    for ranks in ranks() {
        let arguments = [
            "plot",
            "map.h5",
            "--view",
            "top",
            "--isochrones",
            "20",
            "--overwrite",
        ];
        let said = run_with(folder.path(), ranks, &[], &arguments).succeeds();
        assert!(
            said.stdout.contains("map-activation.png"),
            "{}",
            said.stdout
        );
    }
    let (width, height, rgb) = pixels(&folder.path().join("map-activation.png"));
    assert_eq!(width, 1200);
    // Along the middle of the slab, which is drawn from the first to the last pixel that is not
    // white, left of the colour bar.
    let middle = (height - 120) / 2 + 62;
    let row: Vec<[u8; 3]> = (0..1040).map(|x| rgb[middle * width + x]).collect();
    let first = row.iter().position(|p| *p != [255; 3]).unwrap();
    let last = row.iter().rposition(|p| *p != [255; 3]).unwrap();
    let length = (last - first) as f64;
    assert!(length > 900.0, "{first} {last}");
    // Isochrones at 20, 40 and 60 of 80 ms.
    let green = |x: usize| f64::from(row[x][1]);
    let dark: Vec<usize> = (first + 6..last - 6)
        .filter(|x| green(*x) < 0.8 * green(x - 6).min(green(x + 6)))
        .collect();
    let mut lines: Vec<Vec<usize>> = vec![];
    for x in dark {
        match lines.last_mut() {
            Some(line) if x - line[line.len() - 1] <= 2 => line.push(x),
            _ => lines.push(vec![x]),
        }
    }
    let at: Vec<f64> = (lines.iter())
        .map(|line| (line.iter().sum::<usize>() as f64 / line.len() as f64 - first as f64) / length)
        .filter(|t| (0.05..0.95).contains(t))
        .collect();
    assert_eq!(at.len(), 3, "{at:?}");
    for (found, exact) in at.iter().zip([0.25, 0.5, 0.75]) {
        assert!((found - exact).abs() < 0.003, "{at:?}");
    }
    // viridis(⅛) and viridis(⅞) of matplotlib, times the brightness of a face.
    for (t, exact) in [(0.125, [71.0, 45.0, 123.0]), (0.875, [170.0, 220.0, 50.0])] {
        let p = row[first + (t * length) as usize].map(f64::from);
        let brightness = p[1] / exact[1];
        assert!((0.6..=1.01).contains(&brightness), "{t}: {p:?}");
        for i in 0..3 {
            assert!((p[i] - brightness * exact[i]).abs() < 8.0, "{t}: {p:?}");
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write_slab(&dir.join("map.h5"));
    let plot = |arguments: &[&str]| run_with(dir, 1, &[], &[&["plot"], arguments].concat());
    let listed = plot(&["map.h5", "--list"]).succeeds();
    assert!(listed.stdout.contains("* activation"), "{}", listed.stdout);
    plot(&["map.h5", "--pictures", "activatoin"]).fails(2, &["activatoin", "activation"]);
    plot(&["map.h5"]).succeeds();
    plot(&["map.h5"]).fails(2, &["map-activation.png", "--overwrite"]);
    plot(&["none.h5"]).fails(66, &["none.h5"]);
    fs::create_dir(dir.join("empty")).unwrap();
    plot(&["empty"]).fails(66, &["empty", "eikonal.h5"]);
    fs::write(dir.join("text.h5"), "text").unwrap();
    plot(&["text.h5"]).fails(65, &["text.h5", "HDF5"]);
    File::create(dir.join("bare.h5"))
        .unwrap()
        .create_group("x")
        .unwrap();
    plot(&["bare.h5"]).fails(65, &["bare.h5", "nothing that pictures"]);
    fs::write(dir.join("report.json"), "{\n \"command\": \"fk\",\n").unwrap();
    plot(&["report.json"]).fails(65, &["report.json", "line 3", "JSON"]);
    let bytes = fs::read(dir.join("map.h5")).unwrap();
    fs::write(dir.join("cut.h5"), &bytes[..bytes.len() / 2]).unwrap();
    plot(&["cut.h5"]).fails(65, &["cut.h5"]);
    plot(&["map.h5", "--output", "/proc/none"]).fails(74, &["/proc/none"]);
    for wrong in [
        ["--view", "fornt"],
        ["--cut", "z"],
        ["--width", "1"],
        ["--range", "2,1"],
        ["--range", "-1e308,1e308"],
    ] {
        let said = plot(&[&["map.h5"], &wrong[..]].concat());
        assert_eq!(said.code, 2, "{wrong:?}: {}", said.stderr);
    }
}

/// Bugs: names of groups were counted up to the largest number, and cut within a letter; a file
/// whose pictures all want to be asked for gave none without a word.
#[test]
fn odd_numbers_and_names_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write_slab(&dir.join("map.h5"));
    let file = File::open_rw(dir.join("map.h5")).unwrap();
    let tetrahedra = file.dataset("/mesh/tetrahedra").unwrap().shape()[0];
    let domains: Vec<u32> = (0..tetrahedra)
        .map(|t| if t % 2 == 0 { 7 } else { u32::MAX })
        .collect();
    let mesh = file.group("mesh").unwrap();
    mesh.new_dataset_builder()
        .with_data(&domains)
        .create("domains")
        .unwrap();
    drop((mesh, file));
    let plot = |arguments: &[&str]| run_with(dir, 1, &[], &[&["plot"], arguments].concat());
    plot(&["map.h5", "--pictures", "domains"]).succeeds();
    assert_eq!(pixels(&dir.join("map-domains.png")).0, 1200);
    let generate = ["mesh", "generate", "ellipsoid", "m.h5", "--edge", "5"];
    run_with(dir, 1, &[], &generate).succeeds();
    let partition = ["mesh", "partition", "m.h5", "p.h5", "--parts", "3"];
    run_with(dir, 1, &[], &partition).succeeds();
    let asked = plot(&["p.h5", "--list"]).succeeds().stdout;
    if !asked.contains("* ") {
        plot(&["p.h5"]).fails(65, &["p.h5", "--pictures", "parts"]);
    }
    plot(&["p.h5", "--pictures", "parts"]).succeeds();
    plot(&["no-such-folder"]).fails(66, &["no-such-folder"]);
}

#[test]
fn a_simulation_is_drawn_and_moves() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(
        dir.join("case.toml"),
        "[fk]\nparameters = \"1A\"\ngrid = { shape = [20, 60], spacing = 0.3 }\ndiffusivity = 0.1\n\
         dt = 0.05\nduration = 30\n[[fk.stimulus]]\nkind = \"current\"\namplitude = 1.0\n\
         region = { half = \"west\", coverage = 0.1 }\nduration = 2\n\
         [fk.record]\nframes_every = 5\nactivation_threshold = 0.5\nprobes = [[9.0, 3.0]]\n",
    )
    .unwrap();
    run_with(dir, 1, &[], &["fk", "case.toml", "--output", "out"]).succeeds();
    run_with(dir, 1, &[], &["plot", "out"]).succeeds();
    for name in ["fk-activation", "fk-frames", "fk-probes", "report-timers"] {
        assert_eq!(
            pixels(&dir.join(format!("out/{name}.png"))).0,
            1200,
            "{name}"
        );
    }
    let file = fs::File::open(dir.join("out/fk-animation.gif")).unwrap();
    let mut decoder = gif::DecodeOptions::new().read_info(file).unwrap();
    assert_eq!(decoder.width(), 800);
    let mut frames = 0;
    while decoder.read_next_frame().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 7, "at 0, 5, … 30 ms");
    // 18 × 6 mm of cells, from the spacing in the file.
    let spacing = File::open(dir.join("out/fk.h5")).unwrap();
    let spacing = spacing
        .dataset("/fk/grid/spacing")
        .unwrap()
        .read_raw::<f64>()
        .unwrap();
    assert_eq!(spacing[1..], [0.3, 0.3]);
}

fn report(ranks: u64, threads: u64, solve: f64) -> serde_json::Value {
    json!({
        "command": "gradient", "version": "0.1.0", "hostname": "node1", "ranks": ranks, "threads": threads,
        "device": "cpu", "simd": "avx2", "mesh": { "points": 10, "tetrahedra": 1000 },
        "timings_s": { "setup": 0.5, "solve": solve, "adjoint": 0.25 * solve, "io": 0.25, "total": 1.25 * solve + 1.0 },
        "counters": { "local_solves": 77, "bytes_sent": 0 }, "peak_rss_bytes": 123, "result": {}
    })
}

#[test]
fn a_scaling_study_is_collected() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let put = |name: &str, report: &serde_json::Value| {
        let at = dir.join("study").join(name);
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("report.json"), report.to_string()).unwrap();
    };
    for (ranks, threads, solve) in [(1, 1, 8.0), (1, 2, 5.0), (2, 1, 4.0), (2, 2, 2.5)] {
        put(
            &format!("run-1/{ranks}x{threads}"),
            &report(ranks, threads, solve),
        );
    }
    put("run-2/2x2", &report(2, 2, 2.0));
    // Stopped before its end: no time of it counts.
    let mut stopped = report(2, 2, 0.1);
    stopped["result"] = json!({ "stop_reason": "wall_time" });
    put("run-3/2x2", &stopped);
    let scaling = |arguments: &[&str]| run_with(dir, 1, &[], &[&["scaling"], arguments].concat());
    let said = scaling(&["study"]).succeeds();
    assert!(said.stderr.contains("run-3/2x2"), "{}", said.stderr);
    assert!(
        said.stdout
            .contains("gradient: strong scaling, timer solve + adjoint"),
        "{}",
        said.stdout
    );
    let csv = fs::read_to_string(dir.join("study/scaling.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|c| *c == name).unwrap();
    let values = |name: &str| {
        rows[1..]
            .iter()
            .map(|row| row[column(name)].parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(values("seconds"), [10.0, 6.25, 5.0, 2.5]);
    assert_eq!(values("speed_up"), [1.0, 1.6, 2.0, 4.0]);
    assert_eq!(values("efficiency"), [1.0, 0.8, 1.0, 1.0]);
    assert_eq!(values("runs"), [1.0, 1.0, 1.0, 2.0], "the fastest of two");
    assert_eq!(values("factor"), [1.25; 4]);
    for name in ["speed-up", "efficiency", "phases", "factor"] {
        let picture = dir.join(format!("study/scaling-gradient-{name}.png"));
        assert_eq!(pixels(&picture).0, 1200, "{name}");
    }
    scaling(&["study"]).fails(2, &["scaling.csv", "--overwrite"]);
    scaling(&["study", "--overwrite", "--timer", "step"]).fails(65, &["timings_s.step", "solve"]);
    let mut damaged = report(4, 1, 1.0);
    damaged["timings_s"]["solve"] = json!("fast");
    put("run-2/4x1", &damaged);
    scaling(&["study", "--overwrite"]).fails(65, &["4x1/report.json", "timings_s.solve"]);
    damaged.as_object_mut().unwrap().remove("mesh");
    damaged["timings_s"]["solve"] = json!(1.0);
    put("run-2/4x1", &damaged);
    scaling(&["study", "--overwrite"]).fails(65, &["4x1/report.json", "mesh.tetrahedra"]);
    scaling(&["nowhere"]).fails(66, &["nowhere"]);
    fs::create_dir(dir.join("empty")).unwrap();
    scaling(&["empty"]).fails(66, &["empty", "scaling-study.sh"]);
}

/// Runs scripts/scaling-study.sh in `folder`; its exit code, output and errors.
fn study(folder: &Path, path: &str, arguments: &[&str]) -> (i32, String, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/scaling-study.sh");
    let done = std::process::Command::new("bash")
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .env("ISOCHRONE", env!("CARGO_BIN_EXE_isochrone"))
        .env("PATH", path)
        .envs([
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        done.status.code().unwrap(),
        text(done.stdout),
        text(done.stderr),
    )
}

#[test]
fn a_study_is_submitted_one_job_for_each_pair() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let sbatch = dir.join("sbatch");
    fs::write(
        &sbatch,
        "#!/bin/sh\necho \"$1 $2 $3 $(basename \"$5\") $6 $7 $8 POINTS=$POINTS SIZE=$SIZE OUTPUT=$OUTPUT\" >>jobs.log\n",
    )
    .unwrap();
    fs::set_permissions(&sbatch, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join("case.toml"), "[mesh]\n").unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let arguments =
        "case.toml --ranks 1,4 --threads 8 --weak --submit --per-node 2 --output out -- -q";
    let (code, said, errors) = study(dir, &path, &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("isochrone scaling out"), "{said}");
    // 8 threads take an eighth of the volume of each cube: half the edge of 3 mm.
    let expected = "--nodes=1 --ntasks-per-node=1 --cpus-per-task=8 weak-scaling.sh eikonal case.toml -q POINTS=1 SIZE=1.5 OUTPUT=out/run-1\n\
                    --nodes=2 --ntasks-per-node=2 --cpus-per-task=8 weak-scaling.sh eikonal case.toml -q POINTS=4 SIZE=1.5 OUTPUT=out/run-1\n";
    assert_eq!(fs::read_to_string(dir.join("jobs.log")).unwrap(), expected);
    for (arguments, code) in [
        (&["none.toml"][..], 66),
        (&["case.toml", "--ranks", "0"], 2),
        (&["case.toml", "--rank", "1"], 2),
        (&[], 2),
    ] {
        assert_eq!(study(dir, &path, arguments).0, code, "{arguments:?}");
    }
}

#[test]
fn a_study_is_run_and_collected() {
    if !command::has_mpirun() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(
        dir.join("case.toml"),
        "[mesh]\ngenerate = { kind = \"slab\", size = [10, 10, 4], edge = 1.0 }\n\
         [conduction]\nspeed = 0.5\n[[source]]\npoint = [0, 0, 0]\n",
    )
    .unwrap();
    let path = std::env::var("PATH").unwrap();
    let arguments = "case.toml --ranks 1,2 --threads 1 --output out -- -q";
    let (code, said, errors) = study(dir, &path, &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(code, 0, "{said}{errors}");
    assert!(
        said.contains("eikonal: strong scaling, timer solve"),
        "{said}"
    );
    let csv = fs::read_to_string(dir.join("out/scaling.csv")).unwrap();
    let points: Vec<Vec<&str>> = csv
        .lines()
        .skip(1)
        .map(|l| l.split(',').take(4).collect())
        .collect();
    assert_eq!(points.len(), 2, "{csv}");
    assert_eq!(points[1][..4], ["eikonal", "strong scaling", "2", "1"]);
    let report = fs::read_to_string(dir.join("out/run-1/2x1/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert!(
        report["counters"]["exchange_us"].as_u64().unwrap() > 0,
        "{report}"
    );
}
