//! `isochrone fk`: settings that it takes without a word, and what it leaves behind.

use std::fs;

use super::command::put;
use super::{FK, folder, line, warnings};

/// Was: a probe with too few or too many coordinates was taken on a voxelised grid, and recorded u
/// somewhere.
#[test]
fn probes_on_a_voxelised_grid_have_any_number_of_coordinates() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate slab m.h5 --edge 1 --size 6,5,4", &[]).succeeds();
    let voxelize = "mesh voxelize m.h5 v.h5 --spacing 1";
    line(path, voxelize, &[]).succeeds();
    let region = "region = { half = \"west\", coverage = 0.1 }";
    for grid in ["mesh = \"m.h5\", spacing = 1", "voxels = \"v.h5\""] {
        let case = FK
            .replace("shape = [40, 50], spacing = 0.25", grid)
            .replace(region, "region = \"all\"");
        put(path, "heart.toml", &case);
        for probe in ["[3.0,3.0]", "[3.0]", "[]", "[3.0,3.0,2.0,1.0]"] {
            let probes = format!("fk.record.probes=[[3.0,3.0,2.0],{probe}]");
            let run = line(path, "fk heart.toml --output out", &[&probes]);
            run.fails(
                65,
                &[
                    "--set: fk.record.probes",
                    "probe 1 has",
                    "on a grid of 3 axes",
                ],
            );
            assert!(!path.join("out").exists());
        }
        let probes = "fk.record.probes=[[3.0,3.0,2.0]]";
        line(
            path,
            "fk heart.toml -q --overwrite --output fine",
            &[probes],
        )
        .succeeds();
    }
}

/// Was: `fk.record.activations` was not counted in the memory of a run, which then aborted.
#[test]
fn kept_activations_take_no_memory_in_the_estimate() {
    let folder = folder();
    let path = folder.path();
    let planned = |keep: &str| {
        let keep = format!("fk.record.activations={keep}");
        line(path, "fk fk.toml --dry-run", &[&keep])
            .succeeds()
            .stdout
    };
    // 2,000 cells of 100 activations of 8 bytes: four copies are 6.1 MiB, beside 20 of the program.
    let mebibytes = |plan: &str| -> f64 {
        let memory = plan
            .lines()
            .find(|l| l.contains("Memory per rank"))
            .unwrap();
        assert!(memory.contains(" MiB ("), "{memory}");
        memory.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    let more = mebibytes(&planned("100")) - mebibytes(&planned("0"));
    assert!((more - 6.1).abs() < 0.2, "{more}");
    let run = line(
        path,
        "fk fk.toml --output out",
        &["fk.record.activations=1000000000"],
    );
    run.fails(
        65,
        &["--set: fk.record.activations", "2000 cells", "GB are free"],
    );
    assert!(!path.join("out").exists());
}

/// Was: the mesh of a bridge could lie anywhere, and a solid on a sheet took its times at any z.
#[test]
fn the_mesh_of_a_bridge_lies_beside_the_grid() {
    let folder = folder();
    let path = folder.path();
    // The grid spans 12.5 x 10 mm.
    for (mesh, size) in [("thin", "9,9,1"), ("thick", "9,9,9"), ("wide", "30,9,1")] {
        let generate = format!("mesh generate slab {mesh}.h5 --edge 3 --size {size}");
        line(path, &generate, &[]).succeeds();
    }
    let vtk = |x: f64| {
        format!(
            "# vtk DataFile Version 3.0\nfar\nASCII\nDATASET UNSTRUCTURED_GRID\nPOINTS 4 double\n\
             {x} 0 0\n{} 0 0\n{x} 1 0\n{x} 0 1\nCELLS 1 5\n4 0 1 2 3\nCELL_TYPES 1\n10\n",
            x + 1.0
        )
    };
    put(path, "far.vtk", &vtk(50.0));
    let bridge = |mesh: &str| {
        let bridge = format!("fk.bridge.mesh={mesh}");
        line(path, "fk fk.toml --overwrite --output out", &[&bridge])
    };
    let told = |mesh: &str| {
        let said = bridge(mesh).succeeds();
        warnings(&said).join("\n")
    };
    assert_eq!(told("thin.h5"), "");
    let thick = told("thick.h5");
    assert!(
        thick.contains("--set: fk.bridge.mesh: extends 9.000 mm along z"),
        "{thick}"
    );
    let wide = told("wide.h5");
    assert!(
        wide.contains("vertices lie outside the grid: the grid spans x from 0.000 to 12.500 mm")
    );
    assert!(wide.contains("the mesh from 0.000 to 30.000"), "{wide}");
    fs::remove_dir_all(path.join("out")).unwrap();
    bridge("far.vtk").fails(
        65,
        &["--set: fk.bridge.mesh", "no vertex lies within the grid"],
    );
    assert!(!path.join("out").exists());
}

/// Was: without a stimulus, or with a threshold that u never reaches, nothing happened without a
/// word.
#[test]
fn simulations_in_which_nothing_happens_are_silent() {
    let folder = folder();
    let path = folder.path();
    let at_rest = FK.split("[[fk.stimulus]]").next().unwrap();
    put(path, "rest.toml", at_rest);
    let said = line(path, "fk rest.toml --output rest", &[]).succeeds();
    let told = warnings(&said).join("\n");
    assert!(told.contains("fk.stimulus: there is none"), "{told}");
    let started = line(path, "fk rest.toml --output u", &["fk.initial.u=0.4"]).succeeds();
    assert!(warnings(&started).is_empty(), "{}", started.stderr);
    let high = "fk.record.activation_threshold=5";
    let said = line(path, "fk fk.toml --output high", &[high]).succeeds();
    let told = warnings(&said).join("\n");
    assert!(
        told.contains("--set: fk.record.activation_threshold: no cell was activated"),
        "{told}"
    );
}

/// Was: a search of D that found nothing left a folder with `config.toml`.
#[test]
fn a_search_without_an_answer_leaves_a_folder() {
    let folder = folder();
    let search = "fk fk.toml --tune-speed 1e9 --output out";
    line(folder.path(), search, &[]).fails(65, &["fk.tune.speed"]);
    assert!(!folder.path().join("out").exists());
}

/// Was: parameters = "1" were taken for "10".
#[test]
fn the_set_1_is_taken_for_the_set_10() {
    let folder = folder();
    let run = line(folder.path(), "fk fk.toml", &["fk.parameters=\"1\""]);
    run.fails(65, &["fk.parameters", "did you mean \"1A\"?"]);
}
