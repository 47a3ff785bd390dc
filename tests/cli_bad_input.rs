//! Bad input of every kind, as a user meets it: a clear error, the right exit code, on all ranks,
//! and no results.
#![cfg(unix)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use command::{
    assert_no_results, dataset, has_mpirun, names, put, ranks, report, run, run_with, start,
};
use isochrone::mesh::TetMesh;
use isochrone::mesh::formats::write;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SLAB: &str = r#"[mesh]
generate = { kind = "slab", edge = 1.0, size = [6, 4, 3] }
[conduction]
speed = 0.6
[domains]
count = 2
[[source]]
vertices = [0]
[inversion]
twin = { gamma = [0.5, 1.5] }
"#;

/// A folder with `slab.toml`.
fn slab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "slab.toml", SLAB);
    folder
}

/// Arguments of an eikonal run on a mesh file, results in `out`.
fn on_mesh<'a>(mesh: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = [
        "eikonal",
        "-q",
        "--output",
        "out",
        "--set",
        mesh,
        "--set",
        "source.0.vertices=[0]",
    ];
    [&base, more].concat()
}

const SPEED: [&str; 2] = ["--set", "conduction.speed=0.6"];

/// Two tetrahedra on a face.
fn two_tetrahedra() -> TetMesh {
    let points = vec![
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 1.0],
    ];
    TetMesh::new(points, vec![[0, 1, 2, 3], [1, 2, 3, 4]])
}

/// Two tetrahedra that do not touch.
fn two_components() -> TetMesh {
    let mut mesh = two_tetrahedra();
    mesh.points = [0.0, 5.0]
        .iter()
        .flat_map(|x| {
            [
                [0.0, 0.0, 0.0],
                [1.0, 0.0, 0.0],
                [0.0, 1.0, 0.0],
                [0.0, 0.0, 1.0],
            ]
            .map(|[a, b, c]: [f64; 3]| [a + x, b, c])
        })
        .collect();
    mesh.tetrahedra = vec![[0, 1, 2, 3], [4, 5, 6, 7]];
    mesh
}

/// Writes a one-dimensional dataset of an HDF5 file.
fn put_dataset<T: hdf5::H5Type>(path: &Path, name: &str, values: &[T]) {
    let file = hdf5::File::append(path).unwrap();
    file.new_dataset_builder()
        .with_data(values)
        .create(name)
        .unwrap();
}

/// A mesh file of every kind, with whether it needs speeds.
fn mesh_files(folder: &Path) -> Vec<(PathBuf, bool)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = names(&data)
        .into_iter()
        .filter(|name| !name.ends_with(".py"))
        .map(|name| {
            (
                data.join(&name),
                name.starts_with("meshio") || name.starts_with("gmsh"),
            )
        })
        .collect();
    let mut mesh = two_tetrahedra();
    mesh.fibres = Some(vec![[1.0, 0.0, 0.0]; 2]);
    for name in [
        "ours.h5",
        "ours.vtu",
        "ours.msh2",
        "ours.vtkhdf",
        "carp.pts",
    ] {
        let path = folder.join(name);
        write(&mesh, &path).unwrap();
        files.push((path, true));
    }
    for extension in ["elem", "lon"] {
        files.push((folder.join("carp.pts").with_extension(extension), true));
    }
    files
}

#[test]
fn damaged_mesh_files() {
    let folder = tempfile::tempdir().unwrap();
    let originals = folder.path().join("originals");
    fs::create_dir(&originals).unwrap();
    let out = folder.path().join("out");
    let mut on_two_ranks = std::collections::BTreeSet::from(["h5", "vtu", "vtk", "elem"]);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut refused, mut flips) = (0, 0);
    for (path, needs_speed) in mesh_files(&originals) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let extension = path.extension().unwrap().to_str().unwrap();
        // CARP's three files belong together.
        for other in ["pts", "elem", "lon"] {
            let other = path.with_extension(other);
            if other.exists() {
                fs::copy(&other, folder.path().join(other.file_name().unwrap())).unwrap();
            }
        }
        let copy = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        let mesh = format!("mesh.file={name}");
        let speed: &[&str] = if needs_speed { &SPEED } else { &[] };
        let arguments = on_mesh(&mesh, speed);
        let on = |ranks: usize, bytes: &[u8]| {
            fs::write(&copy, bytes).unwrap();
            let _ = fs::remove_dir_all(&out);
            run(folder.path(), ranks, &arguments)
        };
        on(1, &whole).succeeds();
        on(1, &[]).fails(65, &[name, "empty"]);
        assert_no_results(&out);
        for quarter in 1..4 {
            // What is left of a name in XML or of a number may be whole; not of half a file.
            on(1, &whole[..whole.len() * quarter / 4]).fails(65, &[name]);
            assert_no_results(&out);
        }
        if on_two_ranks.remove(extension) && has_mpirun() {
            on(2, &whole[..whole.len() / 2]).fails(65, &[name]);
            assert_no_results(&out);
        }
        for _ in 0..8 {
            let mut bytes = whole.clone();
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
            let outcome = on(1, &bytes);
            flips += 1;
            // A coordinate or a name nobody asks for may be another one.
            if outcome.code != 0 {
                refused += 1;
                assert_eq!(outcome.code, 65, "{name}, byte {at}: {}", outcome.stderr);
                outcome.fails(65, &[]);
                assert_no_results(&out);
            }
        }
        fs::remove_file(&copy).unwrap();
        let _ = fs::remove_dir_all(&out);
        if extension != "lon" {
            run(folder.path(), 1, &arguments).fails(66, &[name]);
            assert_no_results(&out);
        }
    }
    assert!(
        refused > flips / 8,
        "{refused} of {flips} flipped bits were noticed"
    );
    if has_mpirun() {
        let arguments = on_mesh("mesh.file=nowhere.vtu", &SPEED);
        run(folder.path(), 2, &arguments).fails(66, &["nowhere.vtu", "check the path"]);
    }
}

/// Bug: reported as damage, with the advice to make the file again.
#[test]
fn a_file_that_another_program_writes_is_not_called_damaged() {
    let folder = slab();
    let path = folder.path();
    write(&two_tetrahedra(), &path.join("mesh.h5")).unwrap();
    let mesh = fs::File::open(path.join("mesh.h5")).unwrap();
    let arguments = on_mesh("mesh.file=\"mesh.h5\"", &SPEED);
    let locks = [("HDF5_USE_FILE_LOCKING", "TRUE")];
    mesh.lock().unwrap();
    for ranks in ranks() {
        run_with(path, ranks, &locks, &arguments)
            .fails(74, &["mesh.h5", "another program has it open to write"]);
    }
    mesh.unlock().unwrap();
    run_with(path, 1, &locks, &arguments).succeeds();
}

#[test]
fn meshes_that_contradict_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| put(folder.path(), name, text);
    let vtk = |points: &str, cells: &str| {
        format!(
            "# vtk DataFile Version 3.0\nx\nASCII\nDATASET UNSTRUCTURED_GRID\n\
             POINTS {points}\nCELLS {cells}\nCELL_TYPES 1\n10\n"
        )
    };
    let corners = "0 0 0 1 0 0 0 1 0 0 0 1";
    put(
        "counts.vtk",
        &vtk(&format!("5 double\n{corners}"), "1 5\n4 0 1 2 3"),
    );
    put(
        "range.vtk",
        &vtk(&format!("4 double\n{corners}"), "1 5\n4 0 1 2 4"),
    );
    put(
        "nan.vtk",
        &vtk("4 double\nnan 0 0 1 0 0 0 1 0 0 0 1", "1 5\n4 0 1 2 3"),
    );
    put(
        "negative.vtk",
        &vtk(&format!("4 double\n{corners}"), "1 5\n4 0 1 2 -1"),
    );
    put(
        "many.vtk",
        &vtk(&format!("4000000000 double\n{corners}"), "1 5\n4 0 1 2 3"),
    );
    for (name, points, elements, fibres) in [
        (
            "points",
            "5\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
            "1\nTt 0 1 2 3 1\n",
            "1\n1 0 0\n",
        ),
        (
            "range",
            "4\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
            "1\nTt 0 1 2 9 1\n",
            "1\n1 0 0\n",
        ),
        (
            "elements",
            "4\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
            "2\nTt 0 1 2 3 1\n",
            "1\n1 0 0\n",
        ),
        (
            "fibres",
            "4\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
            "1\nTt 0 1 2 3 1\n",
            "1\n1 0 0\n1 0 0\n",
        ),
        (
            "nan",
            "4\n0 0 nan\n1 0 0\n0 1 0\n0 0 1\n",
            "1\nTt 0 1 2 3 1\n",
            "1\n1 0 0\n",
        ),
    ] {
        put(&format!("{name}.pts"), points);
        put(&format!("{name}.elem"), elements);
        put(&format!("{name}.lon"), fibres);
    }
    let h5 = |name: &str, change: &dyn Fn(&mut TetMesh)| {
        let mut mesh = two_tetrahedra();
        change(&mut mesh);
        write(&mesh, &folder.path().join(name)).unwrap();
    };
    h5("nan.h5", &|m| m.points[3][1] = f64::NAN);
    h5("inf.vtu", &|m| m.points[3][1] = f64::INFINITY);
    h5("range.h5", &|m| m.tetrahedra[1][2] = 5);
    h5("range.vtu", &|m| m.tetrahedra[1][2] = 5);
    h5("inverted.h5", &|m| m.points[3] = m.points[0]);
    h5("rows.h5", &|m| m.tags = vec![1, 2, 3]);
    h5("tensor_rows.h5", &|m| {
        m.velocity_tensor = Some(vec![[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]; 3])
    });
    for (name, tensor) in [
        ("not_spd.h5", [1.0, 2.0, 0.0, 1.0, 0.0, 1.0]),
        ("zero.h5", [0.0; 6]),
        ("nan_tensor.h5", [f64::NAN, 0.0, 0.0, 1.0, 0.0, 1.0]),
        ("huge.h5", [1e300, 0.0, 0.0, 1e300, 0.0, 1e300]),
    ] {
        let good = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        h5(name, &|m| m.velocity_tensor = Some(vec![good, tensor]));
    }
    let spd = "not symmetric positive definite";
    for (mesh, words, on_two_ranks) in [
        ("counts.vtk", ["counts.vtk", "POINTS"], true),
        ("range.vtk", ["range.vtk", "tetrahedron 0"], false),
        ("nan.vtk", ["nan.vtk", "point 0"], false),
        ("negative.vtk", ["negative.vtk", "-1"], false),
        ("many.vtk", ["many.vtk", "12000000000"], false),
        ("points.pts", ["points.pts", "5"], false),
        ("range.elem", ["range.elem", "9"], true),
        ("elements.elem", ["elements.elem", "2"], false),
        ("fibres.lon", ["fibres.lon", "1 elements"], false),
        ("nan.pts", ["nan.pts", "point 0"], false),
        ("nan.h5", ["nan.h5", "point 3"], true),
        ("inf.vtu", ["inf.vtu", "point 3"], false),
        ("range.h5", ["range.h5", "tetrahedron 1"], false),
        ("range.vtu", ["range.vtu", "tetrahedron 1"], true),
        ("inverted.h5", ["tetrahedron", "mesh check"], false),
        ("rows.h5", ["/mesh/tags", "3 rows for 2"], false),
        (
            "tensor_rows.h5",
            ["/mesh/velocity_tensor", "3 rows for 2"],
            false,
        ),
        ("not_spd.h5", ["tensor 1", spd], true),
        ("zero.h5", ["tensor 1", spd], false),
        ("nan_tensor.h5", ["tensor 1", spd], false),
        ("huge.h5", ["tensor 1", "out of range"], false),
    ] {
        let tensors = spd == words[1] || mesh == "huge.h5";
        let file = format!("mesh.file={mesh}");
        let arguments = on_mesh(&file, if tensors { &[] } else { &SPEED });
        for ranks in ranks().into_iter().filter(|r| *r == 1 || on_two_ranks) {
            run(folder.path(), ranks, &arguments).fails(65, &words);
            assert_no_results(&folder.path().join("out"));
        }
    }
}

#[test]
fn values_that_make_no_sense() {
    let folder = slab();
    let out = folder.path().join("out");
    let refused = |more: &[&str], words: &[&str], on_two_ranks: bool| {
        for ranks in ranks().into_iter().filter(|r| *r == 1 || on_two_ranks) {
            let base = ["invert", "-q", "--output", "out", "slab.toml"];
            run(folder.path(), ranks, &[&base, more].concat()).fails(65, words);
            assert_no_results(&out);
        }
    };
    for value in ["-1", "0", "nan", "inf", "1e200", "1e-200", "fast"] {
        let speed = format!("conduction.speed={value}");
        refused(
            &["--set", &speed],
            &["--set: conduction.speed"],
            value == "nan",
        );
        let gamma = format!("domains.gamma={value}");
        refused(&["--set", &gamma], &["--set: domains.gamma"], value == "0");
        let file = SLAB.replace("speed = 0.6", &format!("speed = {value}"));
        let file = put(folder.path(), "bad.toml", &file);
        let line: &[&str] = if value == "fast" {
            &["line 4"]
        } else {
            &["bad.toml:4", "speed"]
        };
        let bad = ["invert", file.to_str().unwrap(), "--output", "out"];
        run(folder.path(), 1, &bad).fails(65, line);
        assert_no_results(&out);
    }
    for (set, words, on_two_ranks) in [
        ("domains.gamma=[1,-2]", ["domains.gamma", "item 1"], false),
        (
            "domains.gamma=[1,2,3]",
            ["domains.gamma", "3 values for 2"],
            false,
        ),
        (
            "inversion.initial_gamma=[1,0]",
            ["inversion.initial_gamma", "item 1"],
            false,
        ),
        (
            "inversion.initial_gamma=1e40",
            ["inversion.initial_gamma", "1e-9 to 1e9"],
            true,
        ),
        (
            "inversion.twin.gamma=[1]",
            ["inversion.twin.gamma", "2 domains"],
            false,
        ),
        (
            "inversion.twin.noise_ms=-1",
            ["inversion.twin.noise_ms", "-1"],
            false,
        ),
        (
            "conduction.speed={fibre=1,sheet=0,normal=1}",
            ["conduction.speed.sheet", "0"],
            false,
        ),
        (
            "source.0.vertices=[0,240]",
            ["source.0.vertices", "vertex 240"],
            true,
        ),
        (
            "source.0.vertices=[]",
            ["source.0.vertices", "names no vertex"],
            true,
        ),
        ("source.0.vertices=[-1]", ["source.0.vertices", "-1"], false),
        ("source.0.time=nan", ["source.0.time", "nan"], false),
        (
            "inversion.optimizer=bgfs",
            ["inversion.optimizer", "\"bfgs\""],
            false,
        ),
        (
            "inversion.stop.iterations=1.5",
            ["inversion.stop.iterations", "1.5"],
            false,
        ),
        (
            "inversion.stp.misfit=1",
            ["inversion.stp", "inversion.stop.misfit"],
            true,
        ),
        (
            "eikonal.bucket_width=-1",
            ["eikonal.bucket_width", "-1"],
            false,
        ),
        (
            "mesh.generate.edge=1e-9",
            ["mesh.generate.edge", "make it"],
            false,
        ),
        (
            "mesh.generate.size=[1,2]",
            ["mesh.generate.size", "expected"],
            false,
        ),
        ("run.threads=100000", ["run.threads", "--threads"], true),
        ("domains.count=5000", ["domains", "gamma"], false),
    ] {
        refused(&["--set", set], &words, on_two_ranks);
    }
    for (place, words) in [
        ("tag = 77", ["source.0.tag", "has tags 0"]),
        (
            "sphere = { centre = [100, 0, 0], radius = 1 }",
            ["source.0.sphere", "radius"],
        ),
        ("point = [0, nan, 0]", ["source.0.point", "nan"]),
        ("vertices = [0]\ntag = 1", ["source.0", "tag"]),
        ("vertices = \"all\"", ["source.0.vertices", "\"all\""]),
    ] {
        put(
            folder.path(),
            "bad.toml",
            &SLAB.replace("vertices = [0]", place),
        );
        for ranks in ranks()
            .into_iter()
            .filter(|r| *r == 1 || place.starts_with("tag"))
        {
            run(
                folder.path(),
                ranks,
                &["eikonal", "bad.toml", "--output", "out"],
            )
            .fails(65, &words)
            .fails(65, &["bad.toml"]);
            assert_no_results(&out);
        }
    }
    for (name, value, words) in [
        (
            "ISOCHRONE_CONDUCTION__SPEED",
            "-2",
            ["ISOCHRONE_CONDUCTION__SPEED", "-2"],
        ),
        (
            "ISOCHRONE_CONDUCTION__SPED",
            "2",
            ["conduction.sped", "conduction.speed"],
        ),
        (
            "ISOCHRONE_RUN__THREADS",
            "many",
            ["ISOCHRONE_RUN__THREADS", "\"many\""],
        ),
    ] {
        for ranks in ranks().into_iter().filter(|r| *r == 1 || value == "many") {
            let arguments = ["gradient", "slab.toml", "--output", "out"];
            run_with(folder.path(), ranks, &[(name, value)], &arguments).fails(65, &words);
            assert_no_results(&out);
        }
    }
    if has_mpirun() {
        write(&two_tetrahedra(), &folder.path().join("small.h5")).unwrap();
        let arguments = on_mesh("mesh.file=small.h5", &SPEED);
        run(folder.path(), 6, &arguments).fails(65, &["5 vertices", "6 ranks", "as many ranks"]);
        assert_no_results(&out);
        run(folder.path(), 5, &arguments).succeeds();
    }
}

#[test]
fn a_component_that_no_source_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(&two_components(), &path.join("two.h5")).unwrap();
    let times: Vec<f64> = (0..8).map(f64::from).collect();
    put_dataset(&path.join("measured.h5"), "times", &times);
    let partly: Vec<f64> = (0..8)
        .map(|v| if v < 4 { f64::from(v) } else { f64::NAN })
        .collect();
    put_dataset(&path.join("measured.h5"), "partly", &partly);
    let weights: Vec<f64> = (0..8).map(|v| if v < 4 { 1.0 } else { 0.0 }).collect();
    put_dataset(&path.join("measured.h5"), "weights", &weights);
    for ranks in ranks() {
        let arguments = on_mesh(
            "mesh.file=two.h5",
            &["--set", "conduction.speed=0.5", "--overwrite"],
        );
        run(path, ranks, &arguments).succeeds();
        let result = &report(&path.join("out"))["result"];
        assert_eq!(result["unreached_vertices"], 4);
        assert_eq!(result["last_activation_ms"], 2.0);
        let phi: Vec<f64> = dataset(&path.join("out/eikonal.h5"), "/fields/activation_time");
        let infinity = f64::INFINITY;
        assert_eq!(
            phi,
            [0.0, 2.0, 2.0, 2.0, infinity, infinity, infinity, infinity]
        );

        let invert = |dataset: &str, more: &[&str]| {
            let measured =
                format!("inversion.measured={{file=\"measured.h5\",dataset=\"{dataset}\"}}");
            let mut arguments = on_mesh("mesh.file=two.h5", &SPEED);
            arguments[0] = "invert";
            arguments.extend(["--overwrite", "--set", &measured]);
            arguments.extend(more);
            let _ = fs::remove_dir_all(path.join("out"));
            run(path, ranks, &arguments)
        };
        invert("times", &[]).fails(65, &["measured times", "no source reaches 4", "NaN"]);
        assert_no_results(&path.join("out"));
        invert("partly", &[]).succeeds();
        assert_eq!(report(&path.join("out"))["result"]["observations"], 4);
        let weights = "inversion.weights={file=\"measured.h5\",dataset=\"weights\"}";
        invert("times", &["--set", weights]).succeeds();
    }
}

#[test]
fn measured_times_that_do_not_fit() {
    let folder = slab();
    let path = folder.path();
    let file = path.join("measured.h5");
    put_dataset(&file, "short", &[1.0; 239]);
    put_dataset(&file, "infinite", &[f64::INFINITY; 240]);
    put_dataset(&file, "nothing", &[f64::NAN; 240]);
    put_dataset(&file, "text", &[0u8; 3]);
    put_dataset(&file, "good", &[1.0; 240]);
    put_dataset(&file, "outside", &[0u32, 240]);
    put_dataset(&file, "broken", &[0.5, 1.0]);
    put_dataset(&file, "few", &[0u32, 7, 9]);
    put_dataset(&file, "negative", &vec![-1.0; 240]);
    put(path, "text.h5", "no HDF5");
    fs::write(path.join("truncated.h5"), &fs::read(&file).unwrap()[..1500]).unwrap();
    let from = |key: &str, file: &str, dataset: &str| {
        format!("inversion.{key}={{file=\"{file}\",dataset=\"{dataset}\"}}")
    };
    put(
        path,
        "measured.toml",
        &SLAB.replace("twin = { gamma = [0.5, 1.5] }", ""),
    );
    for (key, file, dataset, code, words, on_two_ranks) in [
        (
            "measured",
            "measured.h5",
            "short",
            65,
            ["239 values", "240"],
            true,
        ),
        (
            "measured",
            "measured.h5",
            "infinite",
            65,
            ["measured times", "no finite value"],
            false,
        ),
        (
            "measured",
            "measured.h5",
            "nothing",
            65,
            ["measured times", "240"],
            true,
        ),
        (
            "measured",
            "measured.h5",
            "text",
            65,
            ["3 values", "240"],
            false,
        ),
        (
            "measured",
            "measured.h5",
            "none",
            65,
            ["measured.h5", "/good"],
            false,
        ),
        ("measured", "text.h5", "x", 65, ["text.h5", "HDF5"], false),
        (
            "measured",
            "truncated.h5",
            "good",
            65,
            ["truncated.h5", "truncated"],
            false,
        ),
        (
            "measured",
            "gone.h5",
            "x",
            66,
            ["gone.h5", "check the path"],
            true,
        ),
        (
            "vertices",
            "measured.h5",
            "outside",
            65,
            ["vertex 240", "240 vertices"],
            true,
        ),
        (
            "vertices",
            "measured.h5",
            "broken",
            65,
            ["dataset broken", "floats"],
            false,
        ),
        (
            "weights",
            "measured.h5",
            "few",
            65,
            ["3 values", "240"],
            false,
        ),
        (
            "weights",
            "measured.h5",
            "negative",
            65,
            ["measurement 0", "not negative"],
            false,
        ),
    ] {
        let set = from(key, file, dataset);
        let measured = from("measured", "measured.h5", "good");
        let mut arguments = vec!["invert", "-q", "measured.toml", "--output", "out"];
        if key != "measured" {
            arguments.extend(["--set", &measured]);
        }
        arguments.extend(["--set", &set]);
        for command in ["invert", "gradient"] {
            arguments[0] = command;
            for ranks in ranks().into_iter().filter(|r| *r == 1 || on_two_ranks) {
                run(path, ranks, &arguments).fails(code, &words);
                assert_no_results(&path.join("out"));
            }
        }
    }
    let outside = ["--set", "inversion.vertices={points=[[1,1,1],[50,0,0]]}"];
    let invert = ["invert", "slab.toml", "--output", "out"];
    run(path, 1, &[&invert[..], &outside].concat()).fails(65, &["inversion.vertices.points", "1"]);
    run(path, 1, &["invert", "measured.toml", "--output", "out"]).fails(65, &["twin"]);
}

/// A file system of its own, where this user may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path());
        let mounted = mount.output().is_ok_and(|o| o.status.success());
        if !mounted {
            eprintln!("SKIPPED: may not mount a tmpfs to fill");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn no_place_for_the_results() {
    let folder = slab();
    let path = folder.path();
    put(path, "a_file", "");
    for command in ["eikonal", "gradient", "invert"] {
        for output in ["a_file", "a_file/out", "/proc/nowhere/out"] {
            for ranks in ranks()
                .into_iter()
                .filter(|r| *r == 1 || output == "a_file/out")
            {
                run(path, ranks, &[command, "slab.toml", "--output", output]).fails(74, &[output]);
            }
        }
    }
    assert_eq!(fs::read_to_string(path.join("a_file")).unwrap(), "");
    let fits = [
        "eikonal",
        "slab.toml",
        "--set",
        "mesh.generate.edge=0.3",
        "--output",
        "fits",
    ];
    run(path, 1, &fits).succeeds();
    let needed = fs::metadata(path.join("fits/eikonal.h5")).unwrap().len();
    assert!(needed > 500_000, "{needed}");
    for (command, result) in [
        ("eikonal", "eikonal.h5"),
        ("gradient", "gradient.h5"),
        ("invert", "inversion.h5"),
    ] {
        for ranks in ranks() {
            let Some(disk) = SmallDisk::new(200_000) else {
                return;
            };
            let output = disk.0.path().join("out");
            let edge = "mesh.generate.edge=0.3";
            let to = output.to_str().unwrap();
            run(
                path,
                ranks,
                &[command, "slab.toml", "-q", "--set", edge, "--output", to],
            )
            .fails(74, &[result, "No space left"]);
            assert_no_results(&output);
        }
    }
}

#[test]
fn results_are_not_written_over_and_a_dry_run_writes_nothing() {
    let folder = slab();
    let path = folder.path();
    for (command, file) in [
        ("eikonal", "eikonal.h5"),
        ("gradient", "gradient.h5"),
        ("invert", "inversion.h5"),
    ] {
        for ranks in ranks() {
            let out = format!("{command}{ranks}");
            let arguments = [command, "slab.toml", "-q", "--output", &out];
            let plan = run(path, ranks, &[&arguments[..], &["--dry-run"]].concat()).succeeds();
            for word in ["tetrahedra", "840", "Memory per rank", file, "report.json"] {
                assert!(plan.stdout.contains(word), "{}", plan.stdout);
            }
            assert!(!path.join(&out).exists());
            run(path, ranks, &arguments).succeeds();
            let before = fs::read(path.join(&out).join(file)).unwrap();
            run(path, ranks, &arguments).fails(2, &[&out, "--overwrite"]);
            assert!(!plan.stdout.contains("refused"), "{}", plan.stdout);
            let plan = run(path, ranks, &[&arguments[..], &["--dry-run"]].concat()).succeeds();
            let refused = format!("refused: {out} holds results");
            assert!(plan.stdout.contains(&refused), "{}", plan.stdout);
            for written in names(&path.join(&out)) {
                let written = format!("{out}/{written}\n");
                assert!(
                    plan.stdout.contains(&written),
                    "{written} in {}",
                    plan.stdout
                );
            }
            let result = &report(&path.join(&out))["result"];
            if command != "gradient" {
                assert_eq!(result["source_vertices"], 1, "{result}");
            }
            assert!(result.get("sources").is_none(), "{result}");
            assert_eq!(fs::read(path.join(&out).join(file)).unwrap(), before);
            run(path, ranks, &[&arguments[..], &["--overwrite"]].concat()).succeeds();
        }
    }
}

/// Slow enough to be stopped on its way.
const SLOW: [&str; 8] = [
    "--set",
    "mesh.generate.edge=0.2",
    "--set",
    "inversion.optimizer=steepest-descent",
    "--set",
    "inversion.stop={misfit=0,gradient_norm=0,step=0,iterations=60}",
    "--threads",
    "1",
];

/// γ of all iterations.
fn gamma_history(output: &Path) -> Vec<f64> {
    dataset(&output.join("inversion.h5"), "/inversion/gamma")
}

#[test]
fn a_stopped_inversion_goes_on_where_it_was() {
    let folder = slab();
    let path = folder.path();
    let base = ["invert", "slab.toml", "-q", "--output"];
    run(path, 1, &[&base[..], &["whole"], &SLOW].concat()).succeeds();
    let whole = gamma_history(&path.join("whole"));
    for ranks in ranks() {
        let out = format!("stopped{ranks}");
        let arguments = [&base[..], &[&out], &SLOW].concat();
        let running = start(path, ranks, &[], &arguments);
        let history = path.join(&out).join("inversion_history.jsonl");
        let lines = || {
            fs::read_to_string(&history)
                .unwrap_or_default()
                .lines()
                .count()
        };
        let begun = Instant::now();
        while lines() < 4 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        running.terminate();
        running.finish().fails(75, &["signal", "--resume"]);
        let kept = lines();
        assert!((4..60).contains(&kept), "{kept} iterations were kept");
        assert!(path.join(&out).join("inversion_checkpoint.json").exists());
        assert_eq!(report(&path.join(&out))["result"]["stop_reason"], "signal");
        run(path, ranks, &[&arguments[..], &["--resume"]].concat()).succeeds();
        assert_eq!(gamma_history(&path.join(&out)), whole, "the same bits");
        assert_eq!(lines() * 2, whole.len());
    }
}

#[test]
fn checkpoints_that_do_not_fit() {
    let folder = slab();
    let path = folder.path();
    let arguments = ["invert", "slab.toml", "-q", "--output", "out"];
    run(path, 1, &arguments).succeeds();
    let checkpoint = path.join("out/inversion_checkpoint.json");
    let result = fs::read(path.join("out/inversion.h5")).unwrap();
    let whole = fs::read_to_string(&checkpoint).unwrap();
    let resume = |ranks: usize, more: &[&str]| {
        run(path, ranks, &[&arguments[..], &["--resume"], more].concat())
    };
    let name = "inversion_checkpoint.json";
    for ranks in ranks() {
        let other = ["--set", "conduction.speed=0.7"];
        resume(ranks, &other).fails(65, &[name, "another case", "--overwrite"]);
        fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
        resume(ranks, &[]).fails(65, &[name, "--overwrite"]);
        fs::write(&checkpoint, &whole).unwrap();
    }
    for (from, to) in [
        ("\"version\":2", "\"version\":99"),
        ("\"gamma\":[", "\"gamma\":[7.0,"),
        ("\"theta\":[", "\"theta\":[1e999,"),
    ] {
        let damaged = whole.replace(from, to);
        assert_ne!(damaged, whole, "{from}");
        fs::write(&checkpoint, damaged).unwrap();
        resume(1, &[]).fails(65, &[name, "--overwrite"]);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..20 {
        let mut bytes = whole.clone().into_bytes();
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        fs::write(&checkpoint, bytes).unwrap();
        resume(1, &[]).fails(65, &[name, "--overwrite"]);
    }
    assert_eq!(fs::read(path.join("out/inversion.h5")).unwrap(), result);
    fs::write(&checkpoint, whole).unwrap();
    resume(1, &[]).succeeds();
}

/// Content of the files in `folder`.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let content = |name: String| (name.clone(), fs::read(folder.join(name)).unwrap());
    names(folder).into_iter().map(content).collect()
}

#[test]
fn a_refused_run_leaves_earlier_results_as_they_were() {
    let folder = slab();
    let path = folder.path();
    fn base(command: &str) -> [&str; 5] {
        [command, "slab.toml", "-q", "--output", "out"]
    }
    run(path, 1, &base("invert")).succeeds();
    let before = contents(&path.join("out"));
    for ranks in ranks() {
        let refused = |command: &str, code: i32, more: &[&str]| {
            run(path, ranks, &[&base(command)[..], more].concat()).fails(code, &[]);
            assert_eq!(contents(&path.join("out")), before, "{command} {more:?}");
        };
        refused("invert", 65, &["--resume", "--set", "conduction.speed=0.7"]);
        refused(
            "eikonal",
            65,
            &["--overwrite", "--set", "source.0.vertices=[999999]"],
        );
        let twin = "inversion.twin.gamma=[0.5,1.5,2.0]";
        refused("gradient", 65, &["--overwrite", "--set", twin]);
        refused(
            "invert",
            65,
            &["--overwrite", "--set", "inversion.initial_gamma=[1,2,3]"],
        );
    }
}

#[test]
fn overwriting_leaves_no_results_of_another_run() {
    let folder = slab();
    let path = folder.path();
    let base = ["slab.toml", "-q", "--output", "out"];
    run(path, 1, &[&["invert"], &base[..]].concat()).succeeds();
    run(
        path,
        1,
        &[&["gradient"], &base[..], &["--overwrite"]].concat(),
    )
    .succeeds();
    let left = names(&path.join("out"));
    assert_eq!(
        left,
        ["config.toml", "gradient.h5", "gradient.xdmf", "report.json"]
    );
    // A result that is the input of this run stays.
    let arguments = [
        &on_mesh("mesh.file=out/gradient.h5", &SPEED)[..],
        &["--overwrite"],
    ]
    .concat();
    run(path, 1, &arguments).succeeds();
    let left = names(&path.join("out"));
    for name in ["eikonal.h5", "gradient.h5", "gradient.xdmf"] {
        assert!(left.iter().any(|n| n == name), "{left:?}");
    }
}

#[test]
fn resuming_does_not_write_over_results() {
    let folder = slab();
    let path = folder.path();
    let on = |command, more: &[&str]| {
        let base = [command, "slab.toml", "-q", "--output", "out"];
        run(path, 1, &[&base[..], more].concat())
    };
    // As a batch system starts it again and again.
    on("eikonal", &["--resume"]).succeeds();
    let before = contents(&path.join("out"));
    for command in ["eikonal", "gradient", "invert"] {
        on(command, &["--resume"]).fails(2, &["nothing to resume", "--overwrite"]);
    }
    assert_eq!(contents(&path.join("out")), before);
    on("invert", &["--overwrite"]).succeeds();
    on("invert", &["--resume"]).succeeds();
}

#[test]
fn the_log_says_the_result_once() {
    let folder = slab();
    let path = folder.path();
    for ranks in ranks() {
        let log = |command: &str, more: &[&str]| {
            let base = [command, "slab.toml", "--overwrite", "--output", "out"];
            run(path, ranks, &[&base[..], more].concat()).succeeds()
        };
        let says = |text: &str, word: &str| {
            assert_eq!(text.matches(word).count(), 1, "{word:?} in: {text}");
        };
        let text = log("eikonal", &["-v"]).stderr;
        says(&text, "solving for");
        says(&text, "results in");
        let text = log("gradient", &["-v"]).stderr;
        let misfit = report(&path.join("out"))["result"]["misfit"].as_f64();
        says(
            &text,
            &format!("misfit {:.6e} ms^2, norm of its gradient", misfit.unwrap()),
        );
        let text = log("invert", &["-v"]).stderr;
        says(&text, "inverting for 2 domains");
        let of_ranks = if ranks == 1 { "1 rank" } else { "2 ranks" };
        says(&text, &format!("by bfgs, {of_ranks} x"));
        says(&text, "gamma [");
        let at = |word: &str| {
            text.find(word)
                .unwrap_or_else(|| panic!("no {word:?} in: {text}"))
        };
        let order = [
            "stopped by",
            "gamma from 0.5000 to 1.5000",
            "against the twin",
            "results in",
        ];
        assert!(order.map(at).is_sorted(), "{text}");
    }
}

#[test]
fn a_quiet_check_prints_nothing() {
    let folder = slab();
    let arguments = ["gradient", "slab.toml", "--check", "--output", "out"];
    let said = run(folder.path(), 1, &[&arguments[..], &["-q"]].concat()).succeeds();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    let timings = &report(&folder.path().join("out"))["timings_s"];
    assert!(timings["check"].as_f64().unwrap() > 0.0, "{timings}");
    let said = run(
        folder.path(),
        1,
        &[&arguments[..], &["--overwrite"]].concat(),
    )
    .succeeds();
    assert!(said.stdout.contains("one-sided"), "{}", said.stdout);
}

#[test]
fn log_lines_have_one_shape() {
    let folder = slab();
    let path = folder.path();
    for ranks in ranks() {
        let base = ["invert", "slab.toml", "--log", "json", "--output", "out"];
        let failing = ["--overwrite", "--set", "inversion.twin.gamma=[1,2,3]"];
        let good = run(path, ranks, &[&base[..], &["--overwrite"]].concat()).succeeds();
        let bad = run(path, ranks, &[&base[..], &failing].concat());
        assert_eq!(bad.code, 65, "{}", bad.stderr);
        let lines: Vec<&str> = good.stderr.lines().chain(bad.stderr.lines()).collect();
        let mut errors = 0;
        for line in lines.iter().filter(|line| line.starts_with('{')) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let date = line["timestamp"].as_str().unwrap();
            assert!(date.len() == 24 && date.ends_with('Z'), "{line}");
            assert!(
                line["message"].is_string() && line["level"].is_string(),
                "{line}"
            );
            errors += usize::from(line["exit_code"] == 65);
        }
        assert_eq!(errors, 1, "{lines:?}");
        assert!(!bad.stderr.contains("rank 0:"), "{}", bad.stderr);
        // Seconds to milliseconds in a log for people.
        let text = run(
            path,
            1,
            &["eikonal", "slab.toml", "--output", "out", "--overwrite"],
        );
        let first = text.stderr.split_whitespace().next().unwrap();
        let (_, decimals) = first.split_once('.').unwrap();
        assert_eq!(decimals.len(), "000s".len(), "{first}");
    }
}

#[test]
fn a_dry_run_estimates_the_memory_of_a_small_mesh() {
    let folder = slab();
    let path = folder.path();
    for ranks in ranks() {
        let out = format!("out{ranks}");
        let arguments = ["eikonal", "slab.toml", "-q", "--output", &out];
        let plan = run(path, ranks, &[&arguments[..], &["--dry-run"]].concat()).succeeds();
        let (_, memory) = plan.stdout.split_once("Memory per rank: ").unwrap();
        let numbers = memory.lines().next().unwrap().replace(" to ", " ");
        let mebibytes = numbers.split_whitespace().next().unwrap();
        let estimated = mebibytes.parse::<f64>().unwrap();
        run(path, ranks, &arguments).succeeds();
        let measured = report(&path.join(&out))["peak_rss_bytes"].as_f64().unwrap();
        let ratio = estimated * f64::from(1 << 20) / measured;
        assert!((0.6..1.7).contains(&ratio), "{ratio}: {memory}");
    }
}
