//! Tables and filaments as `isochrone plot` draws them, and time steps in VTKHDF.

mod command;

use std::fs;
use std::path::Path;

use command::{put, run};
use hdf5::{File, H5Type};

/// Width, height and pixels of a PNG file.
fn pixels(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let file = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let (rgb, _) = bytes.as_chunks::<3>();
    (info.width as usize, info.height as usize, rgb.to_vec())
}

/// Whether some pixel has this colour, but for the edges that are blended.
fn has(rgb: &[[u8; 3]], colour: [u8; 3]) -> bool {
    let close = |p: &[u8; 3]| (0..3).all(|i| p[i].abs_diff(colour[i]) <= 3);
    rgb.iter().filter(|p| close(p)).count() > 20
}

#[test]
fn a_table_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# title: Speed\n# y: seconds\n# logarithmic: x y\nthreads,ours,theirs,ideal\n\
                1,8,80,8\n2,4.5,60,4\n4,,50,2\n";
    put(folder.path(), "times.csv", text);
    let said = run(folder.path(), 1, &["plot", "times.csv"]).succeeds();
    assert!(said.stdout.contains("times-table.png"), "{}", said.stdout);
    let (width, height, rgb) = pixels(&folder.path().join("times-table.png"));
    assert_eq!((width, height), (1200, 750));
    // Tableau's blue and orange, and the grey of the ideal.
    for colour in [[78, 121, 167], [242, 142, 44], [150; 3]] {
        assert!(has(&rgb, colour), "{colour:?}");
    }
    let wrong = |name: &str, text: &str, words: &[&str]| {
        put(folder.path(), name, text);
        run(folder.path(), 1, &["plot", name]).fails(65, words);
    };
    wrong(
        "a.csv",
        "n,t\n1,fast\n",
        &["a.csv", "line 2", "t: \"fast\""],
    );
    wrong("b.csv", "n,t\n", &["b.csv", "no numbers"]);
    fs::write(folder.path().join("c.csv"), [0xff, 0xfe]).unwrap();
    run(folder.path(), 1, &["plot", "c.csv"]).fails(65, &["c.csv", "UTF-8"]);
    run(folder.path(), 1, &["plot", "none.csv"]).fails(66, &["none.csv"]);
}

fn write<T: H5Type>(file: &File, name: &str, shape: &[usize], values: &[T]) {
    let dataset = file.new_dataset::<T>().shape(shape).create(name).unwrap();
    dataset.write_raw(values).unwrap();
}

/// A ring that rises: at 0 ms in the colour that viridis begins with, at 10 ms in its last.
#[test]
fn filaments_are_drawn_in_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fk.h5");
    let file = File::create(&path).unwrap();
    file.create_group("fk")
        .unwrap()
        .create_group("grid")
        .unwrap();
    write(&file, "fk/u", &[20, 20, 20], &vec![0f32; 8000]);
    write(&file, "fk/grid/spacing", &[3], &[1.0; 3]);
    write(&file, "fk/grid/origin", &[3], &[0.0; 3]);
    let mut rows = Vec::new();
    for (time, z) in [(0.0, 5.0), (10.0, 15.0)] {
        for i in 0..60 {
            let (s, c) = (f64::from(i) * std::f64::consts::TAU / 60.0).sin_cos();
            rows.extend([time, 10.0 + 6.0 * c, 10.0 + 6.0 * s, z, 0.0]);
        }
    }
    write(&file, "fk/tip", &[120, 5], &rows);
    file.close().unwrap();
    let listed = run(folder.path(), 1, &["plot", "fk.h5", "--list"]).succeeds();
    assert!(listed.stdout.contains("* filaments"), "{}", listed.stdout);
    let line = [
        "plot",
        "fk.h5",
        "--pictures",
        "filaments,tip",
        "--view",
        "front",
    ];
    run(folder.path(), 1, &line).succeeds();
    assert_eq!(pixels(&folder.path().join("fk-tip.png")).0, 1200);
    let (width, height, rgb) = pixels(&folder.path().join("fk-filaments.png"));
    // Seen from the side the rings are lines, 12 mm long, the later one above; the colour bar stands
    // at the right of x = 1050.
    let rows_of = |colour: [u8; 3]| {
        let is = |x: usize, y: usize| {
            let p = rgb[y * width + x];
            (0..3).all(|i| p[i].abs_diff(colour[i]) <= 3)
        };
        let length = |y: usize| (0..1050).filter(|x| is(*x, y)).count();
        (0..height)
            .max_by_key(|y| length(*y))
            .map(|y| (y, length(y)))
            .unwrap()
    };
    let (early, late) = (rows_of([68, 1, 84]), rows_of([253, 231, 37]));
    let scale = (early.0 as f64 - late.0 as f64) / 10.0;
    assert!(scale > 10.0, "{early:?} {late:?}");
    for (_, length) in [early, late] {
        assert!(
            (length as f64 / scale - 12.0).abs() < 0.5,
            "{length} {scale}"
        );
    }
}

/// What VTK reads as time steps of an inversion: γ of every iteration on the tetrahedra.
#[test]
fn an_inversion_in_vtkhdf_has_its_iterations_as_steps() {
    let folder = tempfile::tempdir().unwrap();
    let case = "[mesh]\ngenerate = { kind = \"slab\", edge = 2, size = [12, 6, 4] }\n\
        [conduction]\nspeed = 0.6\n[domains]\nmethod = \"metis\"\ncount = 3\n[[source]]\nvertices = [0]\n\
        [inversion]\ntwin = { gamma = [1.0, 0.5, 2.0] }\n[output]\nformats = [\"vtkhdf\"]\n";
    put(folder.path(), "case.toml", case);
    run(
        folder.path(),
        1,
        &["invert", "case.toml", "--output", "out"],
    )
    .succeeds();
    let result = File::open(folder.path().join("out/inversion.h5")).unwrap();
    let numbers = |file: &File, name: &str| file.dataset(name).unwrap().read_raw::<f64>().unwrap();
    let integers = |file: &File, name: &str| file.dataset(name).unwrap().read_raw::<i64>().unwrap();
    let domains: Vec<u32> = result.dataset("mesh/domains").unwrap().read_raw().unwrap();
    let gamma = numbers(&result, "inversion/gamma");
    let steps = gamma.len() / 3;
    assert!(steps > 2);
    let view = File::open(folder.path().join("out/inversion.vtkhdf")).unwrap();
    let expected: Vec<f64> = (0..steps)
        .flat_map(|i| {
            domains
                .iter()
                .map(|d| gamma[3 * i + *d as usize])
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(numbers(&view, "VTKHDF/CellData/gamma"), expected);
    let times: Vec<f64> = (0..steps).map(|i| i as f64).collect();
    assert_eq!(numbers(&view, "VTKHDF/Steps/Values"), times);
    let m = domains.len() as i64;
    let starts: Vec<i64> = (0..steps as i64).map(|i| i * m).collect();
    assert_eq!(
        integers(&view, "VTKHDF/Steps/CellDataOffsets/gamma"),
        starts
    );
    assert_eq!(
        integers(&view, "VTKHDF/Steps/PointDataOffsets/activation_time"),
        vec![0; steps]
    );
    assert_eq!(
        integers(&view, "VTKHDF/Steps/NumberOfParts"),
        vec![1; steps]
    );
    for name in [
        "PartOffsets",
        "PointOffsets",
        "CellOffsets",
        "ConnectivityIdOffsets",
    ] {
        assert_eq!(
            integers(&view, &format!("VTKHDF/Steps/{name}")),
            vec![0; steps],
            "{name}"
        );
    }
    drop((view, result));
    let convert = ["mesh", "convert", "out/inversion.vtkhdf", "o.vtu"];
    run(folder.path(), 1, &convert).fails(65, &["series in time", ".h5 beside"]);
}

/// Cells that are not tissue are hidden, in the frames, too.
#[test]
fn a_heart_in_vtkhdf_hides_what_is_not_tissue() {
    let folder = tempfile::tempdir().unwrap();
    let mask = File::create(folder.path().join("mask.h5")).unwrap();
    let active: Vec<u8> = (0..5 * 6 * 7).map(|i| u8::from(i % 3 != 1)).collect();
    write(&mask, "mask", &[5, 6, 7], &active);
    mask.close().unwrap();
    let case = "[fk]\ngrid = { shape = [5, 6, 7], spacing = 0.3 }\nmask = { file = \"mask.h5\", dataset = \"/mask\" }\n\
        diffusivity = 0.1\ndt = 0.05\nduration = 2\n[[fk.stimulus]]\nkind = \"current\"\namplitude = 1.0\n\
        region = { half = \"west\", coverage = 0.5 }\nduration = 1\n[fk.record]\nframes_every = 1\n\
        [output]\nformats = [\"vtkhdf\"]\n";
    put(folder.path(), "case.toml", case);
    run(folder.path(), 1, &["fk", "case.toml", "--output", "out"]).succeeds();
    let view = File::open(folder.path().join("out/fk.vtkhdf")).unwrap();
    let ghosts = view.dataset("VTKHDF/CellData/vtkGhostType").unwrap();
    assert_eq!(ghosts.shape(), [1, 5, 6, 7]);
    let hidden: Vec<u8> = active
        .iter()
        .map(|a| if *a == 1 { 0 } else { 32 })
        .collect();
    assert_eq!(ghosts.read_raw::<u8>().unwrap(), hidden);
    let offsets = view
        .dataset("VTKHDF/Steps/CellDataOffsets/vtkGhostType")
        .unwrap();
    assert_eq!(offsets.read_raw::<i64>().unwrap(), [0; 3]);
}
