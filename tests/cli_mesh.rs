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
