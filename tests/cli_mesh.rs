//! `isochrone mesh`: which files it reads, writes, refuses to touch, and what it says.

use std::fs;
use std::path::Path;

mod command;
use command::run;

const POINTS: &str = "5\n0 0 0\n1000 0 0\n0 1000 0\n0 0 1000\n1000 1000 1000\n";

/// Two tetrahedra `s` in `folder`, without fibres.
fn put_carp(folder: &Path, points: &str, elements: &str) {
    fs::write(folder.join("s.pts"), points).unwrap();
    fs::write(folder.join("s.elem"), elements).unwrap();
}

const ELEMENTS: &str = "2\nTt 0 1 2 3 4\nTt 1 4 2 3 5\n";

#[test]
fn siblings_of_a_carp_output_are_not_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    put_carp(folder.path(), POINTS, ELEMENTS);
    for sibling in ["h.pts", "h.lon"] {
        fs::write(folder.path().join(sibling), "mine").unwrap();
        let convert = ["mesh", "convert", "s.pts", "h.elem"];
        run(folder.path(), 1, &convert).fails(2, &[sibling, "--overwrite"]);
        let kept = fs::read_to_string(folder.path().join(sibling)).unwrap();
        assert_eq!(kept, "mine");
        assert!(!folder.path().join("h.elem").exists());
        if sibling == "h.pts" {
            fs::remove_file(folder.path().join(sibling)).unwrap();
        }
    }
    let convert = ["mesh", "convert", "s.pts", "h.elem", "--overwrite"];
    run(folder.path(), 1, &convert).succeeds();
    assert!(!folder.path().join("h.lon").exists());
    run(folder.path(), 1, &["mesh", "info", "h"]).succeeds();
}

#[test]
fn fix_writes_nothing_where_it_would_tear_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let fix = ["mesh", "check", "s.pts", "--fix", "o.h5"];
    put_carp(
        folder.path(),
        &POINTS.replace("0 0 1000", "0 nan 0"),
        ELEMENTS,
    );
    run(folder.path(), 1, &fix).fails(65, &["correct the coordinates", "wrote nothing"]);
    put_carp(folder.path(), POINTS, "1\nTt 0 1 2 9 4\n");
    run(folder.path(), 1, &fix).fails(65, &["vertex numbers", "wrote nothing"]);
    assert!(!folder.path().join("o.h5").exists());
}

#[test]
fn missing_fibres_and_slivers_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let points = POINTS.replace("1000 1000 1000", "400 400 220");
    put_carp(folder.path(), &points, ELEMENTS);
    let said = run(folder.path(), 1, &["mesh", "check", "s"]).succeeds();
    for words in ["warning  no fibres", "1 slivers", "1 ("] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
}

#[test]
fn fibres_of_another_file_become_part_of_the_mesh() {
    let folder = tempfile::tempdir().unwrap();
    put_carp(folder.path(), POINTS, ELEMENTS);
    fs::write(folder.path().join("f.lon"), "1\n1 0 0\n0 0.6 0.8\n").unwrap();
    let convert = ["mesh", "convert", "s", "o.h5", "--fibres", "f.lon"];
    run(folder.path(), 1, &convert).succeeds();
    let mesh = isochrone::mesh::formats::read(&folder.path().join("o.h5"), None).unwrap();
    let expected = vec![[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]];
    assert_eq!(mesh.fibres, Some(expected));
    for command in ["info", "check"] {
        let line = ["mesh", command, "s", "--fibres", "f.lon"];
        let said = run(folder.path(), 1, &line).succeeds();
        assert!(!said.stdout.contains("no fibres"), "{}", said.stdout);
    }
}

#[test]
fn partition_says_how_large_the_domains_are() {
    let folder = tempfile::tempdir().unwrap();
    let slab = [
        "mesh", "generate", "slab", "a.h5", "--edge", "1", "--size", "4,4,4",
    ];
    run(folder.path(), 1, &slab).succeeds();
    let parts = [
        "mesh",
        "partition",
        "a.h5",
        "b.h5",
        "--parts",
        "2",
        "--domains",
        "3",
    ];
    let said = run(folder.path(), 1, &parts).succeeds().stdout;
    let mesh = isochrone::mesh::formats::read(&folder.path().join("b.h5"), None).unwrap();
    let domains = mesh.domains.unwrap();
    let size = |d: u32| domains.iter().filter(|&&of| of == d).count();
    let sizes = [0, 1, 2].map(size);
    let expected = format!(
        "3 domains of {} to {} tetrahedra (mean {})",
        sizes.iter().min().unwrap(),
        sizes.iter().max().unwrap(),
        domains.len() / 3
    );
    assert!(said.contains(&expected), "{expected}: {said}");
}

#[test]
fn an_output_that_is_no_mesh_format_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    put_carp(folder.path(), POINTS, ELEMENTS);
    for output in ["o.vtk", "o.stl", "o"] {
        run(folder.path(), 1, &["mesh", "convert", "s", output]).fails(2, &[output, ".vtu"]);
    }
}

/// A small ventricle without fibres, as a CARP mesh.
fn bare_ventricle(folder: &Path) {
    let generate = ["mesh", "generate", "ellipsoid", "lv.pts", "--edge", "5"];
    run(folder, 1, &generate).succeeds();
    fs::remove_file(folder.join("lv.lon")).unwrap();
}

#[test]
fn fibres_by_rule_on_surfaces_that_are_found_or_given() {
    let folder = tempfile::tempdir().unwrap();
    bare_ventricle(folder.path());
    let found = ["mesh", "fibres", "lv", "f.h5", "--write-surfaces", "s"];
    let said = run(folder.path(), 1, &found).succeeds().stdout;
    assert!(said.contains("base ") && !said.contains("right "), "{said}");
    let mesh = |name: &str| {
        let path = folder.path().join(name);
        isochrone::mesh::formats::read(&path, None).unwrap()
    };
    let one = mesh("f.h5");
    assert!(one.sheets.is_some() && one.point_fields.contains_key("transmural"));
    // Surfaces that were mended by hand are not written over unasked.
    fs::write(folder.path().join("s/base.vtx"), "mended").unwrap();
    let again = ["mesh", "fibres", "lv", "other.h5", "--write-surfaces", "s"];
    run(folder.path(), 1, &again).fails(2, &["base.vtx", "--overwrite"]);
    assert!(!folder.path().join("other.h5").exists());
    let forced = [&again[..], &["--overwrite"]].concat();
    run(folder.path(), 1, &forced).succeeds();
    // The same surfaces from the files; the same bits.
    let mut given = vec!["mesh", "fibres", "lv", "g.h5"];
    let surfaces = ["base", "epicardium", "left", "apex"].map(|s| format!("{s}=s/{s}.vtx"));
    for surface in &surfaces {
        given.extend(["--surface", surface]);
    }
    run(folder.path(), 1, &given).succeeds();
    assert_eq!(mesh("g.h5"), one);
    // Where there are fibres, it says how far they are.
    let again = ["mesh", "fibres", "f.h5", "h.h5"];
    let said = run(folder.path(), 1, &again).succeeds().stdout;
    assert!(said.contains("median 0.0°"), "{said}");

    let fails = |more: &[&str], code: i32, words: &[&str]| {
        let line = [&["mesh", "fibres", "lv", "n.h5"], more].concat();
        run(folder.path(), 1, &line).fails(code, words);
        assert!(!folder.path().join("n.h5").exists());
    };
    fails(&["--surface", "top=s/base.vtx"], 2, &["top", "epicardium"]);
    fails(&["--surface", "base=none.vtx"], 66, &["none.vtx"]);
    fails(&["--surface", "base=tag:77"], 2, &["tag:77", "mesh info"]);
    fails(&["--axis", "0,0,0"], 2, &["--axis", "not all 0"]);
    fails(&["--axis", "1,0,0"], 65, &["no base", "--axis"]);
    fs::write(folder.path().join("far.vtx"), "1\nintra\n99999999\n").unwrap();
    let far = ["--surface", "apex=far.vtx"];
    fails(&far, 65, &["far.vtx", "line 3", "99999999"]);
}

#[test]
fn a_run_takes_fibres_by_rule_and_opencarp_s_vertices() {
    let folder = tempfile::tempdir().unwrap();
    bare_ventricle(folder.path());
    fs::write(folder.path().join("stim.vtx"), "2\nintra\n7\n3\n").unwrap();
    let case = "[mesh]\nfile = \"lv.pts\"\nfibre_rule = { kind = \"laplace-dirichlet\", epicardium = -50 }\n\
        [conduction]\nspeed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }\n\
        [[source]]\nfile = \"stim.vtx\"\ntime = 2\n[output]\nformats = [\"vtkhdf\", \"dat\"]\n";
    fs::write(folder.path().join("case.toml"), case).unwrap();
    let line = ["eikonal", "case.toml", "--output", "out"];
    run(folder.path(), 1, &line).succeeds();
    let out = |name: &str| folder.path().join("out").join(name);
    let (h5, dat) = (out("eikonal.h5"), out("eikonal.dat"));
    let mesh = isochrone::mesh::formats::read(&h5, None).unwrap();
    let phi = &mesh.point_fields["activation_time"].values;
    assert_eq!((phi[7], phi[3]), (2.0, 2.0));
    assert!(phi.iter().all(|t| *t >= 2.0));
    let text = fs::read_to_string(&dat).unwrap();
    let times: Vec<f64> = text.lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(times, *phi);
    assert!(out("eikonal.vtkhdf").exists() && !out("eikonal.xdmf").exists());
    // The fibres of `mesh fibres` with the same angle.
    let rule = ["mesh", "fibres", "lv", "f.h5", "--epicardium", "-50"];
    run(folder.path(), 1, &rule).succeeds();
    let ruled = isochrone::mesh::formats::read(&folder.path().join("f.h5"), None).unwrap();
    assert_eq!(mesh.fibres, ruled.fibres);
    // On two ranks, the same bits.
    let line = ["eikonal", "case.toml", "--output", "two"];
    run(folder.path(), 2, &line).succeeds();
    let two = fs::read_to_string(folder.path().join("two/eikonal.dat")).unwrap();
    assert_eq!(two, text);
    // An inversion takes the times and the list of the measured vertices.
    let measured = "[inversion]\nmeasured = { file = \"out/eikonal.dat\" }\nstop = { iterations = 1 }\n\
        vertices = { file = \"stim.vtx\" }\n";
    fs::write(folder.path().join("measured.toml"), measured).unwrap();
    let line = ["gradient", "case.toml", "measured.toml", "--output", "g"];
    run(folder.path(), 1, &line).succeeds();
    let report = fs::read_to_string(folder.path().join("g/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["result"]["misfit"], 0.0);
    // Mistakes are named.
    let set = |key: &str, code: i32, words: &[&str]| {
        let line = ["eikonal", "case.toml", "--output", "n", "--set", key];
        run(folder.path(), 1, &line).fails(code, words);
    };
    set(
        "mesh.fibre_rule.axis=[1, 0, 0]",
        65,
        &["--set: mesh.fibre_rule", "no base"],
    );
    set("mesh.fibre_rule.axis=[0, 0, 0]", 65, &["no direction"]);
    set("mesh.fibre_rule.kind=bayer", 65, &["laplace-dirichlet"]);
    set(
        "output.formats=[\"vtk\"]",
        65,
        &["output.formats", "vtkhdf"],
    );
    set("source.0.file=no.vtx", 66, &["no.vtx"]);
}

#[test]
fn values_of_vertices_come_and_go_as_dat() {
    let folder = tempfile::tempdir().unwrap();
    put_carp(folder.path(), POINTS, ELEMENTS);
    fs::write(folder.path().join("v.dat"), "1\n2\n-3.5\n4\n5\n").unwrap();
    let add = [
        "mesh",
        "convert",
        "s",
        "o.msh",
        "--data",
        "lat=v.dat",
        "--data",
        "x=v.dat",
    ];
    run(folder.path(), 1, &add).succeeds();
    let both = ["mesh", "convert", "o.msh", "lat.dat"];
    run(folder.path(), 1, &both).fails(2, &["which", "--field", "lat, x"]);
    let one = [&both[..], &["--field", "lat"]].concat();
    run(folder.path(), 1, &one).succeeds();
    let text = fs::read_to_string(folder.path().join("lat.dat")).unwrap();
    assert_eq!(text, "1\n2\n-3.5\n4\n5\n");
    run(folder.path(), 1, &one).fails(2, &["lat.dat", "--overwrite"]);
    fs::write(folder.path().join("v.dat"), "1\n2\n").unwrap();
    run(folder.path(), 1, &[&add[..], &["--overwrite"]].concat())
        .fails(65, &["v.dat", "2 lines for 5 vertices"]);
    let field = ["mesh", "convert", "s", "p.h5", "--field", "x"];
    run(folder.path(), 1, &field).fails(2, &["--field", "OUT.dat"]);
}

/// A result's `.vtkhdf` holds no numbers of its own.
#[test]
fn a_view_is_not_taken_for_a_mesh() {
    let folder = tempfile::tempdir().unwrap();
    let case = "[mesh]\ngenerate = { kind = \"slab\", edge = 2, size = [6, 5, 3] }\n\
        [conduction]\nspeed = 0.6\n[[source]]\nvertices = [0]\n[output]\nformats = [\"vtkhdf\"]\n";
    fs::write(folder.path().join("case.toml"), case).unwrap();
    let line = ["eikonal", "case.toml", "--output", "out"];
    run(folder.path(), 1, &line).succeeds();
    let mesh = |name: &str| {
        let path = folder.path().join("out").join(name);
        isochrone::mesh::formats::read(&path, None).unwrap()
    };
    // What it shows are the numbers of the file beside it.
    let view = hdf5::File::open(folder.path().join("out/eikonal.vtkhdf")).unwrap();
    let corners: Vec<u32> = view
        .dataset("VTKHDF/Connectivity")
        .unwrap()
        .read_raw()
        .unwrap();
    assert_eq!(corners, mesh("eikonal.h5").tetrahedra.as_flattened());
    let times = view.dataset("VTKHDF/PointData/activation_time").unwrap();
    let phi = &mesh("eikonal.h5").point_fields["activation_time"].values;
    assert_eq!(times.read_raw::<f64>().unwrap(), *phi);
    drop((view, times));
    let convert = ["mesh", "convert", "out/eikonal.vtkhdf", "o.h5"];
    run(folder.path(), 1, &convert).fails(65, &["view", ".h5 beside"]);
    let whole = ["mesh", "convert", "out/eikonal.h5", "o.vtkhdf"];
    run(folder.path(), 1, &whole).succeeds();
    run(folder.path(), 1, &["mesh", "info", "o.vtkhdf"]).succeeds();
}
