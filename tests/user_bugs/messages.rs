//! Messages that did not say what was wrong, or what would be right.

use std::fs;
use std::path::Path;

use super::command::put;
use super::{SLAB, folder, line};

/// A list of vertices as openCARP has it.
fn vtx(folder: &Path, name: &str, vertices: &[u32]) {
    let lines: String = vertices.iter().map(|v| format!("{v}\n")).collect();
    put(folder, name, &format!("{}\nintra\n{lines}", vertices.len()));
}

/// Was: "more lines than the 0 vertices"; without `intra` the source was none at all.
#[test]
fn an_empty_list_of_vertices_is_called_too_long() {
    let folder = folder();
    for text in ["0\n", "0\nintra\n"] {
        put(folder.path(), "none.vtx", text);
        line(
            folder.path(),
            "eikonal slab.toml",
            &["source.0={file=\"none.vtx\"}"],
        )
        .fails(65, &["none.vtx", "line 1", "0 vertices", "at least one"]);
    }
}

/// Was: `--data` told to write section.key=value, took any file, and the last of two names.
#[test]
fn data_of_mesh_convert_is_explained_as_a_key() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate slab m.h5 --edge 2 --size 2,2,2", &[]).succeeds();
    let vertices = isochrone::mesh::formats::read(&path.join("m.h5"), None)
        .unwrap()
        .vertex_count();
    put(path, "v.dat", &"1\n".repeat(vertices));
    let convert = |words: &str| line(path, &format!("mesh convert m.h5 {words}"), &[]);
    for wrong in ["lat", "lat=", "=v.dat"] {
        let said = convert(&format!("o.h5 --data {wrong}"));
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(
            said.stderr.contains("a name, an equals sign, and the file"),
            "{}",
            said.stderr
        );
        assert!(!said.stderr.contains("section.key"), "{}", said.stderr);
    }
    convert("o.h5 --data lat=m.h5").fails(2, &["--data lat=m.h5", ".dat"]);
    convert("o.h5 --data a=v.dat --data a=v.dat").fails(2, &["--data a=v.dat", "twice"]);
    convert("o.h5 --data a=none.dat").fails(66, &["none.dat", "the current folder"]);
    assert!(!path.join("o.h5").exists());
    convert("o.h5 --data a=v.dat").succeeds();
    let again = line(path, "mesh convert o.h5 p.h5 --data a=v.dat", &[]).succeeds();
    assert!(
        again.stderr.contains("takes the place of a in o.h5"),
        "{}",
        again.stderr
    );
}

/// Was: "which values?" of a mesh that has none.
#[test]
fn a_mesh_without_values_is_asked_which() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate slab m.h5 --edge 2 --size 2,2,2", &[]).succeeds();
    for field in ["", " --field lat"] {
        let words = format!("mesh convert m.h5 lat.dat{field}");
        line(path, &words, &[]).fails(65, &["m.h5", "no values", "lat.dat", "--data"]);
    }
}

/// Was: a path on the command line, and one of `--set`, was said to start at a file's folder.
#[test]
fn a_path_on_the_command_line_is_explained_as_one_in_a_file() {
    let folder = folder();
    let path = folder.path();
    let from_here = |words: &str, settings: &[&str]| {
        let said = line(path, words, settings).fails(66, &["none", "the current folder"]);
        assert!(!said.stderr.contains("of that file"), "{}", said.stderr);
    };
    from_here("mesh info none.h5", &[]);
    from_here("eikonal none.toml", &[]);
    from_here("diff none.h5 other.h5", &[]);
    from_here("eikonal slab.toml", &["mesh={file=\"none.vtu\"}"]);
    let case = SLAB.replace(
        "generate = { kind = \"slab\", edge = 0.8, size = [6, 5, 3] }",
        "file = \"none.vtu\"",
    );
    put(path, "file.toml", &case);
    line(path, "eikonal file.toml", &[])
        .fails(66, &["none.vtu", "file.toml:2", "folder of that file"]);
    let absolute = line(path, "mesh info /none.h5", &[]).fails(66, &["/none.h5", "check the path"]);
    assert!(!absolute.stderr.contains("folder"), "{}", absolute.stderr);
}

/// Was: `man DIR` wrote over whatever had the name of a page.
#[test]
fn man_writes_over_files_of_others() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("man1")).unwrap();
    put(path, "man1/isochrone-fk.1", "my notes");
    line(path, "man man1", &[]).fails(2, &["man1/isochrone-fk.1", "--overwrite"]);
    assert_eq!(
        fs::read_to_string(path.join("man1/isochrone-fk.1")).unwrap(),
        "my notes"
    );
    assert!(!path.join("man1/isochrone.1").exists(), "all or nothing");
    line(path, "man man1 --overwrite", &[]).succeeds();
    let page = fs::read_to_string(path.join("man1/isochrone-fk.1")).unwrap();
    assert!(page.contains(".TH isochrone"), "{page}");
    // Its own pages are brought up to date unasked.
    let older = page.replace("isochrone fk", "isochrone fk of old");
    put(path, "man1/isochrone-fk.1", &older);
    line(path, "man man1", &[]).succeeds();
    assert_eq!(
        fs::read_to_string(path.join("man1/isochrone-fk.1")).unwrap(),
        page
    );
}

/// Was: a vertex on two surfaces that have different values in one equation got the last of them.
#[test]
fn contradictory_surfaces_are_taken_as_they_are() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate biventricle m.h5 --edge 4.5", &[]).succeeds();
    line(path, "mesh fibres m.h5 f.h5 --write-surfaces s", &[]).succeeds();
    let list = |name: &str| -> Vec<u32> {
        let text = fs::read_to_string(path.join(format!("s/{name}.vtx"))).unwrap();
        text.lines().skip(2).map(|v| v.parse().unwrap()).collect()
    };
    let fibres =
        |output: &str, more: &str| line(path, &format!("mesh fibres m.h5 {output} {more}"), &[]);
    let (epicardium, left) = (list("epicardium"), list("left"));
    vtx(path, "both.vtx", &[&left[..], &epicardium[5..8]].concat());
    fibres(
        "n.h5",
        "--surface epicardium=s/epicardium.vtx --surface left=both.vtx",
    )
    .fails(
        65,
        &[
            "surfaces epicardium (s/epicardium.vtx) and left (both.vtx)",
            &format!("vertex {} is on both, one of 3", epicardium[5]),
        ],
    );
    vtx(path, "top.vtx", &list("base")[..4]);
    fibres("n.h5", "--surface base=s/base.vtx --surface apex=top.vtx")
        .fails(65, &["surfaces apex (top.vtx) and base (s/base.vtx)"]);
    fibres(
        "n.h5",
        "--surface left=s/left.vtx --surface right=s/left.vtx",
    )
    .fails(
        2,
        &["--surface left=s/left.vtx and right=s/left.vtx: the same vertices"],
    );
    fibres("n.h5", "--surface epicardium=tag:1 --surface left=tag:1")
        .fails(2, &["epicardium=tag:1 and left=tag:1"]);
    fibres(
        "n.h5",
        "--surface left=s/left.vtx --surface left=s/right.vtx",
    )
    .fails(2, &["left", "twice"]);
    assert!(!path.join("n.h5").exists());
    // The rim belongs to the base and to the others: their values are of different equations.
    let base = list("base");
    assert!(epicardium.iter().any(|v| base.contains(v)));
    let all =
        ["base", "epicardium", "left", "right", "apex"].map(|n| format!("--surface {n}=s/{n}.vtx"));
    fibres("g.h5", &all.join(" ")).succeeds();
    // What is found gives way to what is given.
    fibres("h.h5", "--surface left=both.vtx --write-surfaces t").succeeds();
    let text = fs::read_to_string(path.join("t/epicardium.vtx")).unwrap();
    let found: Vec<u32> = text.lines().skip(2).map(|v| v.parse().unwrap()).collect();
    assert_eq!(found.len(), epicardium.len() - 3);
    assert!(epicardium[5..8].iter().all(|v| !found.contains(v)));
}

/// Was: of a mesh without a base, that was told in place of the missing file that was to give it.
#[test]
fn a_missing_surface_is_told_after_what_is_sought() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate slab m.h5 --edge 2 --size 2,2,2", &[]).succeeds();
    let fibres = |surface: &str| {
        line(
            path,
            &format!("mesh fibres m.h5 o.h5 --surface {surface}"),
            &[],
        )
    };
    fibres("base=none.vtx").fails(66, &["none.vtx"]);
    fibres("base=tag:x").fails(2, &["--surface base=tag:x"]);
    assert!(!path.join("o.h5").exists());
}

/// Was: errors in measured times, weights, meshes and domains named no file.
#[test]
fn bad_data_name_no_file() {
    let folder = folder();
    let path = folder.path();
    line(path, "mesh generate slab m.h5 --edge 1 --size 2,2,2", &[]).succeeds();
    let mesh = isochrone::mesh::formats::read(&path.join("m.h5"), None).unwrap();
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    let write = |name: &str, wrong: &dyn Fn(&mut isochrone::mesh::TetMesh)| {
        let mut mesh = mesh.clone();
        wrong(&mut mesh);
        isochrone::mesh::formats::write(&mesh, &path.join(name)).unwrap();
    };
    write("flat.h5", &|mesh| {
        mesh.tetrahedra[7][1] = mesh.tetrahedra[7][0]
    });
    write("far.h5", &|mesh| mesh.points[3] = [1e300, 0.0, 0.0]);
    write("gap.h5", &|mesh| mesh.domains = Some(vec![3; m]));
    write("tensor.h5", &|mesh| {
        let tensors = mesh
            .velocity_tensor
            .insert(vec![[0.4, 0.0, 0.0, 0.4, 0.0, 0.4]; m]);
        tensors[3][0] = -1.0;
    });
    let file = hdf5::File::create(path.join("times.h5")).unwrap();
    let put = |name: &str, values: Vec<f64>| {
        let dataset = file.new_dataset_builder().with_data(&values);
        dataset.create(name).unwrap();
    };
    put("short", vec![1.0; 5]);
    put("good", vec![1.0; n]);
    put("negative", vec![-1.0; n]);
    put("nothing", vec![f64::NAN; n]);
    drop(file);
    let case = "[mesh]\nfile = \"m.h5\"\n[conduction]\nspeed = 0.6\n[[source]]\nvertices = [0]\n";
    fs::write(path.join("case.toml"), case).unwrap();
    let refused = |command: &str, settings: &[&str], words: &[&str]| {
        let words_of_line = format!("{command} case.toml --output out");
        line(path, &words_of_line, settings).fails(65, words);
        assert!(!path.join("out").exists());
    };
    let of_mesh = |file: &str| format!("mesh.file=\"{file}\"");
    refused(
        "eikonal",
        &[&of_mesh("flat.h5")],
        &["flat.h5: tetrahedron 7"],
    );
    refused(
        "eikonal",
        &[&of_mesh("far.h5")],
        &["far.h5: point 3", "1e90"],
    );
    refused(
        "eikonal",
        &[&of_mesh("gap.h5"), "domains.method=\"file\""],
        &["gap.h5: /mesh/domains"],
    );
    refused(
        "eikonal",
        &[&of_mesh("tensor.h5")],
        &["tensor.h5: velocity tensor 3"],
    );
    let times =
        |dataset: &str| format!("inversion.measured={{file=\"times.h5\",dataset=\"/{dataset}\"}}");
    refused(
        "invert",
        &[&times("short")],
        &["times.h5: dataset /short: measured times", "5 values"],
    );
    refused(
        "gradient",
        &[&times("nothing")],
        &["times.h5: dataset /nothing: measured times"],
    );
    let weights = "inversion.weights={file=\"times.h5\",dataset=\"/negative\"}";
    refused(
        "invert",
        &[&times("good"), weights],
        &["times.h5: dataset /negative: weights", "weight -1"],
    );
    refused(
        "invert",
        &[&times("good"), "inversion.vertices={points=[]}"],
        &["inversion.vertices.points", "at least one point"],
    );
}

/// Was: commands that keep no checkpoints suggested --resume, which cannot help there.
#[test]
fn a_refusal_suggests_what_cannot_help() {
    let folder = folder();
    let path = folder.path();
    for (command, resumes) in [("eikonal", false), ("gradient", false), ("invert", true)] {
        let words = format!("{command} slab.toml --output {command}");
        line(path, &words, &[]).succeeds();
        let said = line(path, &words, &[]).fails(2, &["holds results", "--overwrite"]);
        assert_eq!(said.stderr.contains("--resume"), resumes, "{}", said.stderr);
    }
}

/// Was: the checkpoint of another inversion did not say which key differs.
#[test]
fn a_checkpoint_of_another_inversion_names_no_key() {
    let folder = folder();
    let invert = |more: &[&str]| {
        line(
            folder.path(),
            "invert slab.toml --resume --output out",
            more,
        )
    };
    invert(&[]).succeeds();
    invert(&["conduction.speed.sheet=0.25"]).fails(
        65,
        &[
            "another case",
            "conduction.speed",
            "0.3",
            "0.25",
            "--overwrite",
        ],
    );
    invert(&["inversion.stop.iterations=90"]).succeeds();
}

/// Was: "not a readable HDF5 file (...)" of a folder.
#[test]
fn a_folder_is_an_unreadable_file() {
    let folder = folder();
    let path = folder.path();
    line(path, "eikonal slab.toml --output out", &[]).succeeds();
    line(path, "diff out out", &[]).fails(65, &["out: file: is a folder", "an .h5 file"]);
    line(path, "reproduce out", &[]).fails(65, &["is a folder"]);
    line(path, "diff out/eikonal.h5 out/eikonal.h5", &[]).succeeds();
}

/// Was: a length that is none was bad data of `mesh generate` and bad usage of `mesh voxelize`; an unknown
/// key bad usage there and bad data elsewhere.
#[test]
fn one_mistake_has_two_exit_codes() {
    let folder = folder();
    let path = folder.path();
    let generate = |options: &str| line(path, &format!("mesh generate slab m.h5 {options}"), &[]);
    for edge in ["0", "-1", "nan", "x"] {
        let said = generate(&format!("--edge {edge} --size 2,2,2"));
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains("a positive number"), "{}", said.stderr);
    }
    assert_eq!(generate("--edge 1 --size 2,2").code, 2);
    generate("--edge 1 --size 2,2,2 --set foo=3").fails(65, &["--set foo", "its keys are"]);
    generate("--edge 1 --size 2,2,2").succeeds();
    for spacing in ["0", "nan"] {
        let words = format!("mesh voxelize m.h5 v.h5 --spacing {spacing}");
        assert_eq!(line(path, &words, &[]).code, 2);
    }
}
