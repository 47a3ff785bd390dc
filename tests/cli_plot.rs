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
    let dark: Vec<usize> = (first..=last)
        .filter(|x| row[*x].iter().all(|c| *c < 75))
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
    ] {
        let said = plot(&[&["map.h5"], &wrong[..]].concat());
        assert_eq!(said.code, 2, "{wrong:?}: {}", said.stderr);
    }
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
    assert_eq!(decoder.width(), 600);
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
    let scaling = |arguments: &[&str]| run_with(dir, 1, &[], &[&["scaling"], arguments].concat());
    let said = scaling(&["study"]).succeeds();
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
