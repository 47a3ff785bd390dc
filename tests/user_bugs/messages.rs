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
