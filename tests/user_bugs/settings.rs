//! Settings that do nothing are told, each by its key; those that are fine are not.

use std::fs;

use super::command::{put, ranks, run};
use super::{FK, SLAB, folder, line, warnings};

/// Was: refinement up to as many domains as there are did nothing, without a word.
#[test]
fn refinement_to_the_present_number_of_domains_is_silent() {
    let folder = folder();
    let told = |settings: &[&str]| {
        let stop = ["inversion.stop.iterations=1"];
        let settings = [&stop[..], settings].concat();
        let said = line(
            folder.path(),
            "invert slab.toml --overwrite --output out",
            &settings,
        );
        let said = said.succeeds();
        warnings(&said).join("\n")
    };
    let key = "inversion.refinement.domains";
    for most in ["2", "3"] {
        let told = told(&[&format!("{key}={most}")]);
        for words in [
            key,
            "--set",
            "has no effect",
            "3 domains already",
            "more than 3",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    for fine in ["4", "0"] {
        assert!(!told(&[&format!("{key}={fine}")]).contains(key));
    }
}

/// Was: `dat` of a simulation without a bridge wrote nothing, without a word.
#[test]
fn dat_of_a_simulation_without_a_bridge_is_silent() {
    let folder = folder();
    let path = folder.path();
    let dat = "output.formats=[\"xdmf\",\"dat\"]";
    let told = |settings: &[&str]| {
        let said = line(path, "fk fk.toml --overwrite --output out", settings).succeeds();
        warnings(&said).join("\n")
    };
    let without = told(&[dat]);
    assert!(
        without.contains("output.formats: \"dat\" has no effect"),
        "{without}"
    );
    assert!(without.contains("fk.bridge"), "{without}");
    let generate = "mesh generate slab m.h5 --edge 2 --size 9,9,1";
    line(path, generate, &[]).succeeds();
    assert_eq!(told(&[dat, "fk.bridge.mesh=m.h5"]), "");
    assert!(path.join("out/activation.dat").exists());
    assert_eq!(told(&[]), "");
}

/// Was: the dataset of a text file, which has none, was passed over.
#[test]
fn a_dataset_of_a_dat_file_is_silent() {
    let folder = folder();
    let path = folder.path();
    line(
        path,
        "eikonal slab.toml -q --output e",
        &["output.formats=[\"dat\"]"],
    )
    .succeeds();
    put(path, "some.vtx", "3\nintra\n5\n50\n100\n");
    let case = SLAB.replace(
        "twin = { gamma = [0.5, 1.5, 1.0] }",
        "measured = { file = \"e/eikonal.dat\", dataset = \"/times\" }\n\
         vertices = { file = \"some.vtx\", dataset = \"/vertices\" }",
    );
    put(path, "measured.toml", &case);
    let said = line(path, "gradient measured.toml --output g", &[]).succeeds();
    let told = warnings(&said);
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, words) in told.iter().zip([
        [
            "measured.toml:10: inversion.measured.dataset",
            "/times",
            ".dat",
        ],
        [
            "measured.toml:11: inversion.vertices.dataset",
            "/vertices",
            ".vtx",
        ],
    ]) {
        assert!(words.iter().all(|w| told.contains(w)), "{told}");
        assert!(
            told.contains("has no effect") && told.contains("HDF5"),
            "{told}"
        );
    }
    let checked = line(path, "config check measured.toml", &[]).succeeds();
    assert_eq!(warnings(&checked).len(), 2);
    let plain = case
        .replace(", dataset = \"/times\"", "")
        .replace(", dataset = \"/vertices\"", "");
    put(path, "measured.toml", &plain);
    let said = line(path, "gradient measured.toml --output h", &[]).succeeds();
    assert!(warnings(&said).is_empty(), "{}", said.stderr);
}

/// Was: a radius as large as the mesh made every vertex a source: straight travel times, no wave.
#[test]
fn a_radius_larger_than_the_mesh_is_accepted() {
    let folder = folder();
    let path = folder.path();
    for command in ["eikonal", "gradient", "invert"] {
        let run = line(
            path,
            &format!("{command} slab.toml --output out"),
            &["source.0.radius=40"],
        );
        run.fails(
            65,
            &[
                "--set: source.0.radius",
                "all 540 vertices",
                "edges of the mesh",
            ],
        );
        assert!(!path.join("out").exists());
    }
    line(
        path,
        "eikonal slab.toml -q --output out",
        &["source.0.radius=3"],
    )
    .succeeds();
    // Of the other kinds of sources it is told.
    let all = line(
        path,
        "eikonal slab.toml --overwrite --output out",
        &["source.0={tag=0}"],
    );
    let all = all.succeeds();
    assert!(
        warnings(&all)[0].contains("source.0: holds all vertices"),
        "{}",
        all.stderr
    );
}

/// Was: a simulation run again from the configuration that it had written warned of defaults in it.
#[test]
fn a_configuration_that_the_program_wrote_warns_of_defaults() {
    let folder = folder();
    let path = folder.path();
    put(path, "bare.toml", &FK.replace("frames_every = 2\n", ""));
    for case in ["fk.toml", "bare.toml"] {
        line(path, &format!("fk {case} -q --overwrite --output a"), &[]).succeeds();
        let again = line(path, "fk a/config.toml --overwrite --output b", &[]).succeeds();
        assert!(warnings(&again).is_empty(), "{}", again.stderr);
        let written = |name: &str| fs::read(path.join(name).join("config.toml")).unwrap();
        assert_eq!(written("a"), written("b"));
    }
    // What is no default is still told.
    let told = line(
        path,
        "fk a/config.toml --overwrite --output b",
        &["fk.record.tip_every=7"],
    );
    let told = told.succeeds();
    assert!(
        warnings(&told)[0].contains("fk.record.tip_every: has no effect"),
        "{}",
        told.stderr
    );
}

/// Was: every run on a machine without a GPU said so. Who asks for `auto` is told in one line.
#[test]
fn every_run_says_that_there_is_no_gpu() {
    if isochrone::device::choose::describe()
        .iter()
        .any(|d| d.starts_with("cuda"))
    {
        eprintln!("SKIPPED: there is a GPU");
        return;
    }
    let folder = folder();
    let said = |more: &str, settings: &[&str]| {
        let words = format!("eikonal slab.toml --overwrite --output out {more}");
        let said = line(folder.path(), &words, settings).succeeds().stderr;
        said.lines()
            .filter(|l| l.contains("computing on the CPU"))
            .count()
    };
    assert_eq!(said("", &[]), 0);
    assert_eq!(said("--device cpu", &[]), 0);
    assert_eq!(said("--device auto", &[]), 1);
    assert_eq!(said("", &["run.device=auto"]), 1);
    assert_eq!(said("-v", &[]), 1);
}

/// Was: `domains.file` beside another method was passed over.
#[test]
fn a_file_of_domains_beside_another_method_is_silent() {
    let folder = folder();
    let file = "domains.file={file=\"none.h5\",dataset=\"/d\"}";
    let fails = |settings: &[&str], words: &[&str]| {
        line(folder.path(), "eikonal slab.toml --output out", settings).fails(65, words);
    };
    let metis = "domains.method=\"metis\"";
    fails(
        &[file, metis],
        &["domains.file", "domains.method = \"metis\""],
    );
    fails(&[file], &["domains.count", "domains.file"]);
    assert!(!folder.path().join("out").exists());
}

/// Was: a scar beyond the mesh was none, and the twin went without.
#[test]
fn a_scar_that_holds_nothing_is_no_scar() {
    for ranks in ranks() {
        let folder = folder();
        let scar = |centre: &str| {
            let scar = format!("inversion.twin.scar={{centre={centre},radius=1,gamma=0.1}}");
            let arguments = ["gradient", "slab.toml", "--output", "out", "--set", &scar];
            run(folder.path(), ranks, &arguments)
        };
        scar("[99,9,9]").fails(65, &["inversion.twin.scar", "no tetrahedron", "radius"]);
        assert!(!folder.path().join("out").exists());
        scar("[3,2,1]").succeeds();
    }
}
