//! What is said of sources.
#![cfg(unix)]

mod command;

use command::{put, run};

/// Bug: a point in mm for a mesh whose coordinates are in µm was taken for the nearest vertex,
/// however far, without a word.
#[test]
fn a_point_far_from_the_mesh_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let case = |point: &str| {
        format!(
            "[mesh]\nunit = \"um\"\n\
             generate = {{ kind = \"slab\", edge = 1000, size = [6000, 5000, 3000] }}\n\
             [conduction]\nspeed = 0.6\n[[source]]\npoint = {point}\n"
        )
    };
    for (point, words) in [("[0, 0, -50000]", true), ("[100, 0, 0]", false)] {
        put(folder.path(), "case.toml", &case(point));
        let arguments = ["eikonal", "case.toml", "--overwrite", "--output", "out"];
        let said = run(folder.path(), 1, &arguments).succeeds().stderr;
        assert!(said.contains("source.0.point: vertex 0"), "{said}");
        assert_eq!(said.contains("mesh.unit"), words, "{said}");
    }
}
