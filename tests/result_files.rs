//! Result files: what is in them, who can read them, what is left when the disk is full.

use std::path::Path;

use isochrone::atomic_file::write_atomic;
use isochrone::io::{Centre, ResultFile, read_f64, read_rows};
use isochrone::mesh::{Field, TetMesh, formats};

#[path = "common/results.rs"]
mod results;
#[path = "common/small_disk.rs"]
mod small_disk;
use results::{check_results, names, python_has, run_python};
use small_disk::SmallDisk;

/// The unit cube in six tetrahedra, everything on it that a mesh can carry.
fn mesh() -> TetMesh {
    let points = (0..8)
        .map(|v| [0, 1, 2].map(|i| f64::from(v >> i & 1)))
        .collect();
    let tetrahedra = vec![
        [0, 1, 3, 7],
        [0, 2, 6, 7],
        [0, 4, 5, 7],
        [0, 1, 7, 5],
        [0, 2, 7, 3],
        [0, 4, 7, 6],
    ];
    let mut mesh = TetMesh::new(points, tetrahedra);
    mesh.tags = vec![5, -1, 5, 5, 7, 7];
    mesh.fibres = Some(vec![[1.0, 0.0, 0.0]; 6]);
    mesh.sheets = Some(vec![[0.0, 0.6, 0.8]; 6]);
    mesh.velocity_tensor = Some(
        (0..6)
            .map(|t| [4.0, 0.1, 0.2, 3.0, 0.3, f64::from(t)])
            .collect(),
    );
    mesh.domains = Some(vec![0, 1, 1, 0, 2, 2]);
    mesh.parts = Some(vec![0, 0, 0, 0, 1, 1, 1, 1]);
    let field = |components: usize, rows: usize| Field {
        components,
        values: (0..components * rows).map(|i| i as f64 - 1.5).collect(),
    };
    mesh.point_fields.insert("a & b".into(), field(1, 8));
    // Of an earlier run on this mesh; with other values, and on other things, than the new one.
    mesh.cell_fields
        .insert("activation_time".into(), field(2, 6));
    mesh.cell_fields.insert("strain".into(), field(4, 6));
    mesh
}

const TIMES: [f64; 8] = [0.0, 1.5, -2.0, 3.0, f64::INFINITY, 5.25, 1e-300, 7.0];

fn write(path: &Path) -> isochrone::error::Result<()> {
    let mut file = ResultFile::create(path)?;
    file.mesh(&mesh())?;
    file.field("/fields/activation_time", Centre::Vertices, 1, &TIMES, "ms")?;
    let sensitivity: Vec<f64> = (0..36).map(f64::from).collect();
    file.field(
        "/gradient/tensor",
        Centre::Tetrahedra,
        6,
        &sensitivity,
        "ms⁴/mm²",
    )?;
    file.dataset("/gradient/gamma", &[3], &[0.1, 0.2, 0.3], "ms²")?;
    file.dataset("/gradient/check/h", &[2, 1], &[0.1f32, 0.01], "1")?;
    file.dataset::<u64>("/nothing", &[0], &[], "1")?;
    file.text("/gradient/gamma", "mode", "adjoint")?;
    file.number("/gradient/gamma", "misfit", 0.5)?;
    // Longer than an attribute of fixed length may be.
    let configuration = "# γ\n".repeat(30_000);
    file.provenance(&[
        ("version".into(), "0.1.0".into()),
        ("configuration".into(), configuration),
        ("command_line".into(), "a\0b".into()),
    ])?;
    file.number("/", "ranks", 2u64)?;
    file.finish()
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eikonal.h5");
    write(&path).unwrap();
    assert_eq!(names(folder.path()), ["eikonal.h5", "eikonal.xdmf"]);

    // A result file is a mesh file too.
    let read = formats::read(&path, None).unwrap();
    let mut written = mesh();
    let times = Field {
        components: 1,
        values: TIMES.to_vec(),
    };
    // A result holds its own fields only.
    written.point_fields.clear();
    written.cell_fields.clear();
    written.point_fields.insert("activation_time".into(), times);
    assert_eq!(read, written);

    assert_eq!(
        read_f64(&path, "/fields/activation_time", Some((8, "vertices"))).unwrap(),
        TIMES
    );
    let tensor = read_rows::<6>(&path, "/gradient/tensor", Some((6, "tetrahedra"))).unwrap();
    assert_eq!(tensor[5], [30.0, 31.0, 32.0, 33.0, 34.0, 35.0]);
    assert!(read_f64(&path, "/nothing", None).unwrap().is_empty());

    let file = hdf5::File::open(&path).unwrap();
    let text = |object: &str, name: &str| {
        let attribute = match file.dataset(object) {
            Ok(dataset) => dataset.attr(name).unwrap(),
            Err(_) => file.group(object).unwrap().attr(name).unwrap(),
        };
        if attribute.dtype().unwrap().size() == 32 {
            let text: hdf5::types::FixedUnicode<32> = attribute.read_scalar().unwrap();
            return text.to_string();
        }
        let text: hdf5::types::VarLenUnicode = attribute.read_scalar().unwrap();
        text.to_string()
    };
    assert_eq!(text("/gradient/tensor", "unit"), "ms⁴/mm²");
    assert_eq!(text("/fields/activation_time", "unit"), "ms");
    assert_eq!(text("/gradient/check/h", "unit"), "1");
    assert_eq!(text("/gradient/gamma", "mode"), "adjoint");
    assert_eq!(text("/", "version"), "0.1.0");
    assert_eq!(text("/", "configuration").chars().count(), 4 * 30_000);
    assert_eq!(text("/", "command_line"), "a\u{fffd}b");
}

#[test]
fn an_abandoned_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eikonal.h5");
    let mut file = ResultFile::create(&path).unwrap();
    file.mesh(&mesh()).unwrap();
    assert_eq!(names(folder.path()), ["eikonal.h5.partial"]);
    drop(file);
    assert!(names(folder.path()).is_empty());
    // What does not fit the mesh is refused.
    let mut file = ResultFile::create(&path).unwrap();
    file.mesh(&mesh()).unwrap();
    assert!(
        file.field("/fields/x", Centre::Vertices, 1, &[0.0; 6], "ms")
            .is_err()
    );
}

#[test]
fn no_folder_and_no_permission() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().join("none/eikonal.h5"),
        folder.path().to_owned(),
    ] {
        let error = write(&path).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let Some(disk) = SmallDisk::new(1 << 20) else {
        eprintln!("SKIPPED: may not mount a tmpfs to fill");
        return;
    };
    let path = disk.path().join("eikonal.h5");
    let fails = |outcome: isochrone::error::Result<()>| {
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), 74);
        let text = error.to_string();
        assert!(
            text.contains("eikonal.h5") && text.contains("No space left"),
            "{text}"
        );
        assert!(names(disk.path()).is_empty());
    };

    // A large array, many small ones (that wait in HDF5's cache), and what fits only just.
    let large = vec![1.0; 200_000];
    fails((|| {
        let file = ResultFile::create(&path)?;
        file.dataset("/large", &[large.len()], &large, "1")?;
        file.finish()
    })());
    fails((|| {
        let file = ResultFile::create(&path)?;
        for i in 0..1000 {
            file.dataset(&format!("/group{i}/small"), &[100], &large[..100], "1")?;
        }
        file.finish()
    })());
    fails((|| {
        let file = ResultFile::create(&path)?;
        let just = (1 << 17) - 256;
        file.dataset("/just", &[just], &large[..just], "1")?;
        for i in 0..100 {
            file.text("/", &format!("attribute {i}"), &"x".repeat(1000))?;
        }
        file.finish()
    })());
    fails(write_atomic(&path, vec![0; 2 << 20]));
    // Afterwards the disk is free again and HDF5 in order.
    write(&path).unwrap();
    assert_eq!(names(disk.path()), ["eikonal.h5", "eikonal.xdmf"]);
}

#[test]
fn other_programs_read_them() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("eikonal.h5")).unwrap();
    if !python_has("h5py, vtk") {
        return;
    }
    let (code, text) = check_results(folder.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("activation_time"), "{text}");

    // The script sees what is wrong.
    let xdmf = folder.path().join("eikonal.xdmf");
    let xml = std::fs::read_to_string(&xdmf).unwrap();
    let wrong = xml.replace("/fields/activation_time<", "/fields/a &amp; b<");
    assert_ne!(wrong, xml);
    std::fs::write(&xdmf, wrong).unwrap();
    let (code, text) = check_results(folder.path());
    assert_eq!(code, Some(1), "{text}");
}

#[test]
fn attributes_in_h5py_are_what_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eikonal.h5");
    write(&path).unwrap();
    let script = r#"
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    phi = f["/fields/activation_time"].attrs
    assert phi["unit"].decode() == "ms" and phi["on"].decode() == "points", dict(phi)
    assert f["/gradient/tensor"].attrs["unit"].decode() == "ms⁴/mm²"
    assert f["/gradient/gamma"].attrs["mode"] == "adjoint"
    assert f.attrs["version"] == "0.1.0"
    assert f.attrs["ranks"] + 1 == 3
"#;
    if !python_has("h5py") {
        return;
    }
    let (code, text) = run_python(&["-c".as_ref(), script.as_ref(), path.as_ref()]);
    assert_eq!(code, Some(0), "{text}");
}
