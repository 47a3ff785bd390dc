//! Mesh files: what other programs wrote is read right, what we write is read back, and no damage
//! to a file makes the program panic.

use std::fs;
use std::path::{Path, PathBuf};

use isochrone::error::{Error, Result};
use isochrone::mesh::formats::{attach_fibres, read, read_unverified, write};
use isochrone::mesh::{Field, TetMesh};
use isochrone::units::LengthUnit;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

/// The mesh that tests/data/make.py states: points and tetrahedra of a box, with
/// fibre (cos a, sin a, 0), a = 0.1 t; tag t − 20; phi = x + 2y + 3z; a velocity tensor.
fn boxed() -> TetMesh {
    let mut points = Vec::new();
    for (k, j, i) in triples(3) {
        points.push([0.5 * f64::from(i), 0.75 * f64::from(j), f64::from(k)]);
    }
    let paths = [
        [0, 1, 3, 7],
        [0, 3, 2, 7],
        [0, 2, 6, 7],
        [0, 6, 4, 7],
        [0, 4, 5, 7],
        [0, 5, 1, 7],
    ];
    let mut tetrahedra = Vec::new();
    for (k, j, i) in triples(2) {
        let corner = |b: u32| (i + (b & 1)) + 3 * (j + (b >> 1 & 1)) + 9 * (k + (b >> 2 & 1));
        tetrahedra.extend(paths.map(|p| p.map(corner)));
    }
    let mut mesh = TetMesh::new(points, tetrahedra);
    mesh.tags = (0..48).map(|t| t - 20).collect();
    let angle = |t: i32| 0.1 * f64::from(t);
    mesh.fibres = Some(
        (0..48)
            .map(|t| [angle(t).cos(), angle(t).sin(), 0.0])
            .collect(),
    );
    mesh.velocity_tensor = Some(
        (0..48)
            .map(|t| [2.0 + f64::from(t), 0.1, 0.2, 3.0, 0.3, 4.0])
            .collect(),
    );
    let phi = mesh
        .points
        .iter()
        .map(|p| p[0] + 2.0 * p[1] + 3.0 * p[2])
        .collect();
    mesh.point_fields.insert(
        "phi".into(),
        Field {
            components: 1,
            values: phi,
        },
    );
    mesh
}

fn triples(n: u32) -> impl Iterator<Item = (u32, u32, u32)> {
    (0..n).flat_map(move |k| (0..n).flat_map(move |j| (0..n).map(move |i| (k, j, i))))
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn close<const C: usize>(a: &[[f64; C]], b: &[[f64; C]], tolerance: f64) -> bool {
    let (a, b) = (a.as_flattened(), b.as_flattened());
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}

const VTU: [&str; 12] = [
    "ascii.vtu",
    "binary_u32.vtu",
    "binary_u64.vtu",
    "binary_zlib_u32.vtu",
    "binary_zlib_u64_big.vtu",
    "appended_raw_u32.vtu",
    "appended_raw_u64_big.vtu",
    "appended_raw_zlib_u64.vtu",
    "appended_base64_u64.vtu",
    "appended_base64_zlib_u32.vtu",
    "appended_f32.vtu",
    "meshio.vtu",
];
const GMSH: [&str; 6] = [
    "gmsh_ascii_22.msh",
    "gmsh_binary_22.msh",
    "gmsh_ascii_40.msh",
    "gmsh_ascii_41.msh",
    "gmsh_binary_41.msh",
    "meshio_41.msh",
];
const VTK: [&str; 6] = [
    "ascii_42.vtk",
    "ascii_51.vtk",
    "binary_42.vtk",
    "binary_51.vtk",
    "meshio_42.vtk",
    "meshio_51.vtk",
];

#[test]
fn files_of_other_programs_are_read() {
    let expected = boxed();
    for name in VTU.iter().chain(&VTK).chain(&["h5py.h5"]) {
        let mesh = read(&data(name), None).unwrap();
        // Single precision, or the digits that VTK prints in ascii.
        let tolerance = match *name {
            "appended_f32.vtu" | "ascii_42.vtk" | "ascii_51.vtk" => 1e-5,
            _ => 1e-15,
        };
        assert!(close(&mesh.points, &expected.points, 1e-15), "{name}");
        assert_eq!(mesh.tetrahedra, expected.tetrahedra, "{name}");
        assert_eq!(mesh.tags, expected.tags, "{name}");
        let fibres = (mesh.fibres.unwrap(), expected.fibres.as_ref().unwrap());
        assert!(close(&fibres.0, fibres.1, tolerance), "{name}");
        assert_eq!(
            mesh.point_fields["phi"].values, expected.point_fields["phi"].values,
            "{name}"
        );
        if name.starts_with("meshio") {
            continue; // Written without these.
        }
        let tensors = (
            mesh.velocity_tensor.unwrap(),
            expected.velocity_tensor.as_ref().unwrap(),
        );
        assert!(close(&tensors.0, tensors.1, 10.0 * tolerance), "{name}");
        if name.ends_with(".h5") {
            continue; // Tetrahedra only.
        }
        // Cells that are not tetrahedra are gone from the fields too.
        let ids: Vec<f64> = (1..=48).map(f64::from).collect();
        assert_eq!(mesh.cell_fields["cell id"].values, ids, "{name}");
    }
}

#[test]
fn a_millimetre_is_a_thousand_micrometres() {
    let metres = read(&data("ascii.vtu"), Some(LengthUnit::M)).unwrap();
    assert_eq!(metres.points[26], [1000.0, 1500.0, 2000.0]);
    let um = read(&data("binary_51.vtk"), Some(LengthUnit::Um)).unwrap();
    assert!(close(&um.points[26..], &[[1e-3, 1.5e-3, 2e-3]], 1e-18));
}

#[test]
fn vtu_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.vtu");
    write(&everything(), &path).unwrap();
    assert_eq!(read(&path, None).unwrap(), everything());
    // Several blocks of 1 MiB, a name that XML must escape.
    let mut big = TetMesh::new(boxed().points, vec![[0, 1, 4, 13]; 100_000]);
    big.tags = (0..100_000).collect();
    let values = (0..100_000).map(|i| f64::from(i).sqrt()).collect();
    big.cell_fields.insert(
        "a<\"b\" & c".into(),
        Field {
            components: 1,
            values,
        },
    );
    write(&big, &path).unwrap();
    assert_eq!(read(&path, None).unwrap(), big);
}

/// What a format without types keeps: as [`everything`], to the last bit.
fn keeps_everything(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&everything(), &path).unwrap();
    assert_eq!(read(&path, None).unwrap(), everything(), "{name}");
    // Many tags in no order, numbers of every size, without fibres; fields of any width.
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let points = (0..500).map(|_| [0; 3].map(|_| random.random_range(-1e3..1e3)));
    let points: Vec<[f64; 3]> = points.collect();
    let corners = (0..2000).map(|_| [0; 4].map(|_| random.random_range(0..500)));
    let mut mesh = TetMesh::new(points, corners.collect());
    mesh.tags = (0..2000).map(|_| random.random_range(1..9)).collect();
    let values: Vec<f64> = (0..1000)
        .map(|_| random.random::<f64>().powi(-40))
        .collect();
    mesh.point_fields.insert(
        "two at 50% of a:b #".into(),
        Field {
            components: 2,
            values,
        },
    );
    write(&mesh, &path).unwrap();
    assert_eq!(read(&path, None).unwrap(), mesh, "{name}");
    // The unit of what was read is gone: all is in mm.
    let um = read(&path, Some(LengthUnit::Um));
    if name != "a.vtkhdf" {
        let scaled = um.unwrap().points[17][1];
        assert!((scaled - 1e-3 * mesh.points[17][1]).abs() <= 1e-15 * scaled.abs());
    } else {
        let said = um.unwrap_err().to_string();
        assert!(said.contains("mesh.unit"), "{said}");
    }
}

#[test]
fn gmsh_41_keeps_everything() {
    keeps_everything("a.msh");
    keeps_everything("a.msh4");
}

#[test]
fn gmsh_22_keeps_everything() {
    keeps_everything("a.msh2");
}

#[test]
fn tetgen_keeps_everything() {
    keeps_everything("a.ele");
}

#[test]
fn vtkhdf_keeps_everything() {
    keeps_everything("a.vtkhdf");
}

#[test]
fn files_of_gmsh_are_read() {
    let expected = boxed();
    for name in GMSH {
        let mesh = read(&data(name), None).unwrap();
        assert!(close(&mesh.points, &expected.points, 1e-15), "{name}");
        // In version 2.2 Gmsh numbers elements anew, volume by volume.
        let mut order: Vec<usize> = (0..48).collect();
        if name.ends_with("_22.msh") {
            order.sort_by_key(|t| t % 3);
        }
        let tetrahedra: Vec<_> = order.iter().map(|&t| expected.tetrahedra[t]).collect();
        assert_eq!(mesh.tetrahedra, tetrahedra, "{name}");
        if name.starts_with("gmsh") {
            let groups: Vec<i32> = order.iter().map(|&t| 11 + t as i32 % 3).collect();
            assert_eq!(mesh.tags, groups, "{name}");
        }
        let known = expected.fibres.as_ref().unwrap();
        let known: Vec<_> = order.iter().map(|&t| known[t]).collect();
        assert!(close(&mesh.fibres.unwrap(), &known, 1e-15), "{name}");
        let phi = &mesh.point_fields["phi"].values;
        assert_eq!(*phi, expected.point_fields["phi"].values, "{name}");
    }
}

#[test]
fn gmsh_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.msh");
    let head = "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n";
    let nodes = "$Nodes\n4\n7 0 0 0\n3 1 0 0\n5 0 1 0\n1 0 0 1\n$EndNodes\n";
    let elements = "$Elements\n2\n1 15 2 0 1 7\n9 4 2 0 6 7 3 5 1\n$EndElements\n";
    let put = |text: String| fs::write(&path, text).unwrap();
    put([head, "$Comments\nby hand\n$EndComments\n", nodes, elements].concat());
    let mesh = read(&path, None).unwrap();
    // In the order of the numbers; the elementary entity where there is no physical group.
    assert_eq!(mesh.points[0], [0.0, 0.0, 1.0]);
    assert_eq!(mesh.tetrahedra, [[3, 1, 2, 0]]);
    assert_eq!(mesh.tags, [6]);
    let says = |text: String, words: &[&str]| {
        put(text);
        let error = read(&path, None).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        let said = error.to_string();
        assert!(said.contains("a.msh"), "{said}");
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    };
    says("what\n".into(), &["line 1", "$MeshFormat"]);
    says(head.replace("2.2", "3.0"), &["line 2", "3.0", "msh41"]);
    says(head.replace(" 8", " 4"), &["line 2", "4 bytes", "64-bit"]);
    says(head.into(), &["$Nodes", "truncated"]);
    says([head, nodes].concat(), &["$Elements", "is missing"]);
    let all = [head, nodes, elements].concat();
    says(
        all.replace("7 0 0 0", "7 0 x 0"),
        &["line 6", "\"x\" is no number"],
    );
    says(
        all.replace("$Nodes\n4", "$Nodes\n99999999999"),
        &["line 5", "99999999999 nodes"],
    );
    says(
        all.replace("7 3 5 1\n", "7 3 5 2\n"),
        &["tetrahedron 9", "no node 2"],
    );
    says(all.replace("3 1 0 0", "7 1 0 0"), &["node 7", "twice"]);
    says(
        all.replace("9 4 2", "9 77 2"),
        &["type 77", "linear tetrahedra"],
    );
    says(
        all.replace("9 4 2", "9 11 2"),
        &["line 15", "no whole number"],
    );
    says(
        all.replace("9 4 2 0 6 7 3 5 1", "9 2 2 0 6 7 3 5"),
        &["none of the 1 elements"],
    );
    says(
        all.replace("$EndNodes", "$EndNode"),
        &["line 10", "$EndNodes should be"],
    );
    says(all[..all.len() - 20].into(), &["line 14", "truncated"]);
}

#[test]
fn tetgen_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let nodes = "# by hand\n5 3 1 1\n1 0 0 0 0.5 1\n2 1 0 0 0.25 0 # inside\n\n3 0 1 0 1 0\n\
        4 0 0 1 2 0\n5 1 1 1 3 1\n";
    let elements = "2 4 2\n1 1 2 3 4 7 0.5\n2 2 3 4 5 9 1.5\n";
    put("a.node", nodes);
    put("a.ele", elements);
    let path = folder.path().join("a.node");
    let mesh = read(&path, None).unwrap();
    assert_eq!(mesh.points[4], [1.0, 1.0, 1.0]);
    assert_eq!(mesh.tetrahedra, [[0, 1, 2, 3], [1, 2, 3, 4]]);
    assert_eq!(mesh.tags, [7, 9]);
    assert_eq!(mesh.cell_fields["attribute 1"].values, [0.5, 1.5]);
    let on_points = &mesh.point_fields["attribute 0"].values;
    assert_eq!(*on_points, [0.5, 0.25, 1.0, 2.0, 3.0]);
    let says = |words: &[&str]| {
        let error = read(&folder.path().join("a.ele"), None).unwrap_err();
        assert!(matches!(error.exit_code(), 65 | 66), "{error}");
        let said = error.to_string();
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    };
    put("a.ele", &elements.replace("2 4 2", "2 10 2"));
    says(&["a.ele", "line 1", "-o2"]);
    put("a.ele", &elements.replace("4 5 9 1.5", "4 5 9"));
    says(&["a.ele", "line 3", "5 numbers where 6"]);
    put("a.ele", &elements.replace("2 4 2", "3 4 2"));
    says(&["a.ele", "ends after 2 of 3", "truncated"]);
    put("a.ele", &elements.replace("2 4 2", "99999999999 4 2"));
    says(&["a.ele", "line 1", "truncated"]);
    put("a.ele", &elements.replace("2 4 2", "2 4 99999999999"));
    says(&["a.ele", "line 2", "6 numbers where"]);
    put("a.ele", &elements.replace("1 1 2 3 4 7", "1 0 2 3 4 7"));
    says(&["a.ele", "line 2", "0 is no point"]);
    put("a.ele", &elements.replace("2 3 4 5 9", "2 3 4 6 9"));
    says(&["tetrahedron 1", "5 points"]);
    fs::remove_file(folder.path().join("a.ele")).unwrap();
    says(&["a.ele", "no such file"]);
    put("a.ele", elements);
    put("a.node", &nodes.replace("5 3 1 1", "5 2 1 1"));
    says(&["a.node", "line 2", "2 dimensions"]);
}

#[test]
fn files_of_vtk_in_hdf5_are_read() {
    let mesh = read(&data("vtk.vtkhdf"), None).unwrap();
    let expected = boxed();
    assert_eq!(mesh.points, expected.points);
    assert_eq!(mesh.tetrahedra, expected.tetrahedra);
    assert_eq!((mesh.tags, mesh.fibres), (expected.tags, expected.fibres));
    assert_eq!(mesh.velocity_tensor, expected.velocity_tensor);
    assert_eq!(mesh.point_fields["phi"], expected.point_fields["phi"]);
}

#[test]
fn carp_keeps_points_tags_fibres_and_sheets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heart.elem");
    write(&everything(), &path).unwrap();
    let mesh = read(&folder.path().join("heart.pts"), None).unwrap();
    let all = everything();
    assert!(close(&mesh.points, &all.points, 1e-15));
    assert_eq!(mesh.tetrahedra, all.tetrahedra);
    assert_eq!(
        (mesh.tags, mesh.fibres, mesh.sheets),
        (all.tags, all.fibres, all.sheets)
    );
    let base = read(&folder.path().join("heart"), None).unwrap();
    assert!(close(&base.points, &all.points, 1e-15));
    // Without fibres, the old .lon must not stay behind.
    let bare = TetMesh::new(everything().points, everything().tetrahedra);
    write(&bare, &path).unwrap();
    assert_eq!(read(&path, None).unwrap().fibres, None);
}

#[test]
fn carp_files_appear_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    // The last of the three cannot be written: a folder has its name.
    fs::create_dir(folder.path().join("h.elem")).unwrap();
    assert!(write(&everything(), &folder.path().join("h.pts")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn carp_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put(
        "a.pts",
        "5\n0 0 0\n1000 0 0\r\n0 1000. 0\n0 0 1e3\n1e3 1e3 1e3\n",
    );
    put("a.elem", "3\nTr 0 1 2 9\nTt 0 1 2 3 4\nTt 1 2 3 4\n");
    put("a.lon", "1\n0 0 0\n2 0 0\n0 0.6 0.8\n");
    let path = folder.path().join("a.pts");
    let mesh = read(&path, None).unwrap();
    assert_eq!(mesh.points[4], [1.0, 1.0, 1.0]);
    assert_eq!(mesh.tetrahedra, [[0, 1, 2, 3], [1, 2, 3, 4]]);
    assert_eq!(mesh.tags, [4, 0]);
    assert_eq!(mesh.fibres, Some(vec![[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]));
    assert_eq!(mesh.sheets, None);

    let says = |words: &[&str]| {
        let error = read(&path, None).unwrap_err();
        assert!(matches!(error.exit_code(), 65 | 66), "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
    };
    put("a.lon", "1\n0 0 0\n2 0 0\n0 x 0.8\n");
    says(&["a.lon", "line 4"]);
    put("a.lon", "3\n");
    says(&["a.lon", "line 1", "1 or 2"]);
    put("a.lon", "1\n0 0 0\n2 0 0\n");
    says(&["a.lon", "2 of 3"]);
    fs::remove_file(folder.path().join("a.lon")).unwrap();
    put("a.elem", "2\nTt 0 1 2 3 4\nTt 1 2 3 5\n");
    says(&["tetrahedron 1", "[1, 2, 3, 5]", "5 points"]);
    put("a.elem", "1\nTt 0 -1 2 3 4\n");
    says(&["a.elem", "line 2"]);
    put("a.elem", "99999999999999\nTt 0 1 2 3 4\n");
    says(&["a.elem", "line 1", "truncated"]);
    put("a.elem", "1\nHx 0 1 2 3 4 5 6 7\n");
    says(&["a.elem", "tetrahedron"]);
    put("a.elem", "1\nTt 0 1 2 3 4\n");
    put("a.pts", "4\n0 0 0\n1 0 0\n0 nan 0\n0 0 1\n");
    says(&["point 2", "finite"]);
    fs::remove_file(folder.path().join("a.elem")).unwrap();
    says(&["a.elem", "no such file"]);
}

#[test]
fn old_legacy_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.vtk");
    let text = "# vtk DataFile Version 2.0\r\nby hand\r\nASCII\r\nDATASET UNSTRUCTURED_GRID\r\n\
        FIELD FieldData 1\nTIME 1 1 double\n0.5\n\
        POINTS 5 float\n0 0 0  1 0 0  0 1 0\n0 0 1  1 1 1\n\n\
        CELLS 3 14\n4 0 1 2 3\n3 0 1 2\n4 1 2 3 4\n\
        CELL_TYPES 3\n10 5 10\n\
        POINT_DATA 5\nSCALARS angle float 1\nLOOKUP_TABLE default\n1 2 3 4 5\n\
        VECTORS fiber float\n0 0 2 0 0 -1 0 0 1 0 0 1 1 0 0\n\
        CELL_DATA 3\nSCALARS Material int\nLOOKUP_TABLE mine\n7 8 9\n\
        LOOKUP_TABLE mine 2\n0 0 0 1 1 1 1 1\n\
        TENSORS velocity_tensor double\n2 0 0 0 2 0 0 0 2\n9 9 9 9 9 9 9 9 9\n3 1 0 1 3 0 0 0 3\n";
    fs::write(&path, text).unwrap();
    let mesh = read(&path, None).unwrap();
    assert_eq!(mesh.tetrahedra, [[0, 1, 2, 3], [1, 2, 3, 4]]);
    assert_eq!(mesh.tags, [7, 9]);
    assert_eq!(
        mesh.velocity_tensor.unwrap()[1],
        [3.0, 1.0, 0.0, 3.0, 0.0, 3.0]
    );
    assert_eq!(mesh.point_fields["angle"].values, [1.0, 2.0, 3.0, 4.0, 5.0]);
    let fibres = mesh.fibres.unwrap();
    assert_eq!(fibres[0], [0.0, 0.0, 1.0]);
    // Three along z and one along x: z wins, whatever the signs.
    assert!(
        close(&fibres[1..], &[[0.0, 0.0, -1.0]], 1e-15),
        "{fibres:?}"
    );
}

#[test]
fn information_inside_arrays_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.vtu");
    let text = r#"<?xml version="1.0"?><!-- by hand -->
<VTKFile type="UnstructuredGrid" byte_order="LittleEndian"><UnstructuredGrid>
<FieldData><DataArray type="Float64" Name="TimeValue" format="ascii">1</DataArray></FieldData>
<Piece NumberOfPoints="4" NumberOfCells="1">
<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">0 0 0 1 0 0 0 1 0 0 0 1
<InformationKey name="L2_NORM_RANGE" location="vtkDataArray" length="2"><Value index="0">7</Value></InformationKey>
</DataArray></Points>
<Cells><DataArray type="Int64" Name="connectivity" format="ascii">0 1 2 3</DataArray>
<DataArray type="Int64" Name="offsets" format="ascii">4</DataArray>
<DataArray type="UInt8" Name="types" format="ascii">10</DataArray></Cells></Piece>
<Piece NumberOfPoints="4" NumberOfCells="1">
<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">2 0 0 3 0 0 2 1 0 2 0 1</DataArray></Points>
<Cells><DataArray type="Int64" Name="connectivity" format="ascii">0 1 2 3</DataArray>
<DataArray type="Int64" Name="offsets" format="ascii">4</DataArray>
<DataArray type="UInt8" Name="types" format="ascii">10</DataArray></Cells></Piece>
</UnstructuredGrid></VTKFile>"#;
    fs::write(&path, text).unwrap();
    let mesh = read(&path, None).unwrap();
    assert_eq!(mesh.tetrahedra, [[0, 1, 2, 3], [4, 5, 6, 7]]);
    assert_eq!(mesh.points[5], [3.0, 0.0, 0.0]);
}

#[test]
fn what_is_no_mesh_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "a.h5", "a.vtu", "a.vtk", "a.pts", "a.elem", "a.msh", "a.node", "a.ele", "a.vtkhdf",
    ] {
        let path = folder.path().join(name);
        let missing = read(&path, None).unwrap_err();
        assert!(
            matches!(missing, Error::MissingInput { .. }),
            "{name}: {missing}"
        );
        fs::write(&path, "").unwrap();
        let empty = read(&path, None).unwrap_err();
        assert_eq!(empty.exit_code(), 65, "{name}: {empty}");
        assert!(empty.to_string().contains("empty"), "{empty}");
        fs::write(&path, "what is this\n").unwrap();
        let other = read(&path, None).unwrap_err();
        assert!(matches!(other.exit_code(), 65 | 66), "{name}: {other}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path, None).is_err(), "{name} is a folder");
        fs::remove_dir(&path).unwrap();
    }
    let unknown = read(&folder.path().join("a.stl"), None).unwrap_err();
    assert!(unknown.to_string().contains(".vtu"), "{unknown}");
    let only_read = write(&everything(), &folder.path().join("a.vtk")).unwrap_err();
    assert_eq!(only_read.exit_code(), 2, "{only_read}");
    let unknown = write(&everything(), &folder.path().join("a.stl")).unwrap_err();
    assert_eq!(unknown.exit_code(), 2, "{unknown}");
}

#[test]
fn hdf5_defects_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let make = |change: &dyn Fn(&hdf5::Group)| -> Result<TetMesh> {
        let file = hdf5::File::create(&path).unwrap();
        let group = file.create_group("mesh").unwrap();
        change(&group);
        drop((group, file));
        read(&path, None)
    };
    let put = |group: &hdf5::Group, name: &str, shape: &[usize], values: &[i64]| {
        let set = group
            .new_dataset::<i64>()
            .shape(shape)
            .create(name)
            .unwrap();
        set.write_raw(values).unwrap();
    };
    let points = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
    // Integers of another size and sign are taken where they fit.
    let mesh = make(&|g| {
        put(g, "points", &[4, 3], &points);
        put(g, "tetrahedra", &[1, 4], &[0, 1, 2, 3]);
        put(g, "tags", &[1], &[-5]);
    });
    assert_eq!(mesh.unwrap().tags, [-5]);
    type Change = (&'static str, Vec<usize>, Vec<i64>);
    let cases: [(Vec<Change>, &[&str]); 6] = [
        (vec![], &["/mesh/points", "missing"]),
        (
            vec![("points", vec![12], points.to_vec())],
            &["/mesh/points", "shape"],
        ),
        (
            vec![
                ("points", vec![4, 3], points.to_vec()),
                ("tetrahedra", vec![1, 4], vec![0, 1, 2, -3]),
            ],
            &["/mesh/tetrahedra", "row 0", "-3"],
        ),
        (
            vec![
                ("points", vec![4, 3], points.to_vec()),
                ("tetrahedra", vec![1, 4], vec![0, 1, 2, 1 << 40]),
            ],
            &["/mesh/tetrahedra", "1099511627776"],
        ),
        (
            vec![
                ("points", vec![4, 3], points.to_vec()),
                ("tetrahedra", vec![1, 4], vec![0, 1, 2, 4]),
            ],
            &["tetrahedron 0", "4 points"],
        ),
        (
            vec![
                ("points", vec![4, 3], points.to_vec()),
                ("tetrahedra", vec![1, 4], vec![0, 1, 2, 3]),
                ("fibres", vec![2, 3], vec![1, 0, 0, 1, 0, 0]),
            ],
            &["/mesh/fibres", "2 rows for 1"],
        ),
    ];
    for (sets, words) in cases {
        let error = make(&|g| {
            sets.iter()
                .for_each(|(name, shape, v)| put(g, name, shape, v))
        });
        let text = error.unwrap_err().to_string();
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
    }
    // A count of which nothing was ever stored must not be allocated.
    let huge = make(&|g| {
        g.new_dataset::<f64>()
            .chunk((1024, 3))
            .shape((1 << 40, 3))
            .create("points")
            .unwrap();
    });
    assert!(huge.unwrap_err().to_string().contains("claims"));
}

#[test]
fn fibres_of_another_file() {
    let (Some(path), Some(fibres)) = (
        shared("meshes/biventricle.vtk"),
        shared("meshes/biventricle_fibres.vtk"),
    ) else {
        return;
    };
    let mut mesh = read(&path, None).unwrap();
    assert_eq!(
        (mesh.vertex_count(), mesh.tetrahedron_count()),
        (4569, 17866)
    );
    assert_eq!(mesh.fibres, None);
    attach_fibres(&mut mesh, &fibres, None).unwrap();
    let f = mesh.fibres.as_ref().unwrap();
    assert!(
        f.iter()
            .all(|f| (f.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-14)
    );
    // The same fibres, found by coordinates.
    let mut turned = mesh.clone();
    turned.points.reverse();
    for v in turned.tetrahedra.as_flattened_mut() {
        *v = 4568 - *v;
    }
    turned.fibres = None;
    attach_fibres(&mut turned, &fibres, None).unwrap();
    assert_eq!(turned.fibres, mesh.fibres);
    let wrong_unit = attach_fibres(&mut turned, &fibres, Some(LengthUnit::Cm)).unwrap_err();
    assert!(wrong_unit.to_string().contains("unit"), "{wrong_unit}");
}

/// Fibres of another program on an anatomy, whose helix has the other sense.
#[test]
fn fibres_by_rule_are_near_those_of_another_program() {
    use isochrone::mesh::fibre_rule::{RuleAngles, add_fibres, detect};
    use isochrone::tensor::dot;
    let (Some(path), Some(fibres)) = (
        shared("meshes/biventricle.vtk"),
        shared("meshes/biventricle_fibres.vtk"),
    ) else {
        return;
    };
    let mut mesh = read(&path, None).unwrap();
    attach_fibres(&mut mesh, &fibres, None).unwrap();
    let theirs = mesh.fibres.take().unwrap();
    let surfaces = detect(&mesh, None).unwrap();
    let mut angles = RuleAngles::default();
    (angles.helix.endocardium, angles.helix.epicardium) = (-60.0, 60.0);
    add_fibres(&mut mesh, &surfaces, &angles).unwrap();
    let ours = mesh.fibres.unwrap();
    let mut off: Vec<f64> = (ours.iter().zip(&theirs))
        .map(|(a, b)| dot(*a, *b).abs().min(1.0).acos().to_degrees())
        .collect();
    off.sort_by(f64::total_cmp);
    // Lines without order are 60° apart in the median.
    let median = off[off.len() / 2];
    assert!(median < 13.0, "{median}");
}

#[test]
fn the_shared_atrium_is_read() {
    let Some(path) = shared("meshes/left_atrium.vtu") else {
        return;
    };
    let mesh = read(&path, None).unwrap();
    assert_eq!(
        (mesh.vertex_count(), mesh.tetrahedron_count()),
        (18110, 68906)
    );
    assert_eq!(mesh.fibres, None);
    assert_eq!(mesh.point_fields["trans"].values.len(), 18110);
}

/// Cuts `name` short at many places and flips bits and bytes: an error or a mesh, never a panic.
fn damage(folder: &Path, name: &str, flips: u32) {
    let path = folder.join(name);
    let whole = fs::read(&path).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        for result in [read(&path, None), read_unverified(&path, None)] {
            if let Err(e) = result {
                let typed = matches!(e, Error::BadFile { .. } | Error::MissingInput { .. });
                assert!(typed, "{name} {what}: {e:?}");
            }
        }
    };
    let step = (whole.len() / 150).max(1);
    for cut in (0..whole.len()).step_by(step) {
        check(&whole[..cut], &format!("cut at {cut}"));
    }
    let mut random = ChaCha8Rng::seed_from_u64(20240607);
    for flip in 0..flips {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            if random.random() {
                bytes[at] ^= 1 << random.random_range(0..8);
            } else {
                bytes[at] = random.random();
            }
        }
        check(&bytes, &format!("flip {flip}"));
    }
    fs::write(&path, &whole).unwrap();
}

#[test]
fn damaged_vtk_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in VTU.iter().chain(&VTK) {
        fs::copy(data(name), folder.path().join(name)).unwrap();
        damage(folder.path(), name, 150);
    }
}

#[test]
fn damaged_gmsh_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in GMSH {
        fs::copy(data(name), folder.path().join(name)).unwrap();
        damage(folder.path(), name, 300);
    }
}

#[test]
fn damaged_tetgen_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    write(&everything(), &folder.path().join("a.ele")).unwrap();
    for name in ["a.node", "a.ele"] {
        damage(folder.path(), name, 300);
    }
}

#[test]
fn damaged_vtkhdf_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    write(&everything(), &folder.path().join("a.vtkhdf")).unwrap();
    damage(folder.path(), "a.vtkhdf", 500);
    // By VTK itself.
    fs::copy(data("vtk.vtkhdf"), folder.path().join("b.vtkhdf")).unwrap();
    damage(folder.path(), "b.vtkhdf", 300);
}

#[test]
fn damaged_carp_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    write(&boxed(), &folder.path().join("a.elem")).unwrap();
    for name in ["a.pts", "a.elem", "a.lon"] {
        damage(folder.path(), name, 150);
    }
}

#[test]
fn damaged_hdf5_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    write(&everything(), &folder.path().join("a.h5")).unwrap();
    damage(folder.path(), "a.h5", 1000);
    // The oldest layout, without checksums, with texts of variable length.
    fs::copy(data("h5py.h5"), folder.path().join("b.h5")).unwrap();
    damage(folder.path(), "b.h5", 500);
}

#[test]
fn convert_info_check_and_refine() {
    use isochrone::cli::MeshFile;
    let file = |path: &Path| MeshFile {
        input: path.to_owned(),
        fibres: None,
        unit: None,
    };
    use isochrone::run::mesh::{check, convert, info, refine};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let said = convert(&file(&data("ascii.vtu")), &[], &at("box.h5")).unwrap();
    assert!(said.contains("27 points, 48 tetrahedra"), "{said}");
    refine(&file(&at("box.h5")), 2, &at("fine.vtu")).unwrap();
    let fine = read(&at("fine.vtu"), None).unwrap();
    assert_eq!((fine.vertex_count(), fine.tetrahedron_count()), (729, 3072));
    // phi is linear, so that halving the edges keeps it exact.
    for (p, phi) in fine.points.iter().zip(&fine.point_fields["phi"].values) {
        assert!((p[0] + 2.0 * p[1] + 3.0 * p[2] - phi).abs() < 1e-13);
    }
    let said = info(&file(&at("fine.vtu"))).unwrap();
    for words in [
        "3072",
        "3.0000 mm³",
        "x 0 to 1.0000",
        "fibres",
        "phi (points)",
        "1 (3072 tetra",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(check(&file(&at("fine.vtu")), None).unwrap().error.is_none());

    // Fibres of length 2 are a warning, a flat tetrahedron an error; --fix mends both.
    let mut bad = boxed();
    bad.fibres.as_mut().unwrap()[3] = [2.0, 0.0, 0.0];
    bad.tetrahedra[7] = [0, 1, 2, 3];
    write(&bad, &at("bad.h5")).unwrap();
    let checked = check(&file(&at("bad.h5")), None).unwrap();
    assert!(checked.error.is_some());
    for words in [
        "1 degenerate tetrahedra (no volume): 7",
        "1 fibres that are not unit vectors: 3",
    ] {
        assert!(checked.text.contains(words), "{}", checked.text);
    }
    assert!(
        check(&file(&at("bad.h5")), Some(&at("good.h5")))
            .unwrap()
            .error
            .is_none()
    );
    let good = read(&at("good.h5"), None).unwrap();
    assert_eq!(good.tetrahedron_count(), 47);
    assert_eq!(good.tags[7], boxed().tags[8]);
}

#[test]
fn the_shared_meshes_are_sound_enough_to_run() {
    use isochrone::mesh::check::validate;
    for name in [
        "meshes/left_atrium.vtu",
        "meshes/biventricle.vtk",
        "eikonal/left_ventricle_273k.h5",
    ] {
        if let Some(path) = shared(name) {
            validate(&read(&path, None).unwrap()).unwrap();
        }
    }
}
