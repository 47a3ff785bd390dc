use super::*;
use crate::mesh::TetMesh;
use crate::monodomain::voxelize::voxelize;

/// Two tetrahedra that share a face, with all that a mesh can have.
fn mesh() -> TetMesh {
    let points = vec![
        [0.0, 0.0, 0.0],
        [2.0, 0.0, 0.0],
        [0.0, 1.5, 0.0],
        [0.0, 0.0, 1.0],
        [2.0, 1.5, 1.0],
    ];
    let mut mesh = TetMesh::new(points, vec![[0, 1, 2, 3], [1, 4, 2, 3]]);
    mesh.tags = vec![-3, 8];
    mesh.domains = Some(vec![1, 0]);
    mesh.fibres = Some(vec![[0.6, 0.8, 0.0], [1.0, 0.0, 0.0]]);
    mesh
}

fn voxels() -> Voxels {
    let mut voxels = voxelize(&mesh(), [0.11, 0.1, 0.07]).unwrap();
    voxels.set_gamma(&[0.25, 1.5]).unwrap();
    voxels
}

fn with_file(change: impl FnOnce(&File)) -> Result<Voxels> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    write_voxels(&voxels(), &path).unwrap();
    let file = File::open_rw(&path).unwrap();
    change(&file);
    file.close().unwrap();
    read_voxels(&path)
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(with_file(|_| ()).unwrap(), voxels());
    let mut with_sheets = voxels();
    with_sheets.sheets = Some(vec![[0.0, 0.0, 1.0]; with_sheets.cells.len()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    write_voxels(&with_sheets, &path).unwrap();
    assert_eq!(read_voxels(&path).unwrap(), with_sheets);
    let mut names: Vec<_> = (std::fs::read_dir(folder.path()).unwrap())
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["v.h5", "v.xdmf"]);
}

#[test]
fn arrays_have_the_shape_of_the_grid() {
    let voxels = voxels();
    let _ = with_file(|file| {
        let [nz, ny, nx] = voxels.grid.shape;
        let shape = |name: &str| file.dataset(name).unwrap().shape();
        assert_eq!(shape("/voxels/active"), [nz, ny, nx]);
        assert_eq!(shape("/voxels/fibres"), [nz, ny, nx, 3]);
        let active: Vec<u8> = file.dataset("/voxels/active").unwrap().read_raw().unwrap();
        let expected: Vec<u8> = voxels.active().into_iter().map(u8::from).collect();
        assert_eq!(active, expected);
        let tags: Vec<i32> = file.dataset("/voxels/tags").unwrap().read_raw().unwrap();
        for (row, cell) in voxels.cells.iter().enumerate() {
            assert_eq!(tags[*cell as usize], voxels.tags[row]);
        }
        assert!(voxels.tags.contains(&-3) && voxels.tags.contains(&8));
    });
}

#[test]
fn a_mask_alone_is_enough() {
    let read = with_file(|file| {
        for name in ["tetrahedron", "tags", "domains", "gamma", "fibres"] {
            file.unlink(&format!("/voxels/{name}")).unwrap();
        }
    })
    .unwrap();
    let expected = voxels();
    let n = expected.cells.len();
    assert_eq!(read.cells, expected.cells);
    assert_eq!(
        (read.tags, read.domains, read.gamma),
        (vec![0; n], vec![0; n], vec![1.0; n])
    );
    assert_eq!(
        (read.tetrahedron, read.fibres),
        (vec![NO_TETRAHEDRON; n], None)
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let replace = |name: &'static str, shape: Vec<usize>, value: f64| {
        move |file: &File| {
            file.unlink(name).unwrap();
            let size = shape.iter().product();
            let dataset = file
                .new_dataset::<f64>()
                .shape(&shape[..])
                .create(name)
                .unwrap();
            dataset.write_raw(&vec![value; size]).unwrap();
        }
    };
    let says = |change: &dyn Fn(&File), words: &[&str]| {
        let e = with_file(change).unwrap_err();
        assert_eq!(e.exit_code(), 65, "{e}");
        words
            .iter()
            .for_each(|w| assert!(e.to_string().contains(w), "{w}: {e}"));
    };
    let shape = voxels().grid.shape.to_vec();
    says(
        &|f| f.unlink("/voxels/active").unwrap(),
        &["/voxels/active", "is missing"],
    );
    says(&|f| f.unlink("/grid").unwrap(), &["/grid", "is missing"]);
    says(
        &replace("/voxels/active", shape.clone(), 0.0),
        &["no cell is tissue"],
    );
    says(
        &replace("/voxels/tags", vec![3, 4, 5], 0.0),
        &["/voxels/tags", "[3, 4, 5]"],
    );
    says(
        &replace("/voxels/gamma", shape.clone(), -1.0),
        &["/voxels/gamma, cell", "-1"],
    );
    says(&replace("/voxels/gamma", shape.clone(), f64::NAN), &["NaN"]);
    says(
        &replace("/voxels/domains", shape, -2.0),
        &["/voxels/domains, cell", "-2"],
    );
    let attribute = |name: &'static str, values: [f64; 3]| {
        move |file: &File| {
            let grid = file.group("/grid").unwrap();
            grid.delete_attr(name).unwrap();
            grid.new_attr_builder()
                .with_data(&values)
                .create(name)
                .unwrap();
        }
    };
    says(
        &attribute("spacing", [0.1, -0.1, 0.1]),
        &["spacing", "not positive"],
    );
    says(
        &attribute("origin", [0.1, f64::NAN, 0.1]),
        &["origin", "finite"],
    );
    says(&attribute("shape", [1e5, 1e5, 1e5]), &["shape", "2³²"]);
    says(
        &attribute("shape", [10.0, 10.0, 10.0]),
        &["/voxels/active", "[10, 10, 10]"],
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.h5");
    assert_eq!(read_voxels(&path).unwrap_err().exit_code(), 66);
    std::fs::write(&path, "text").unwrap();
    assert_eq!(read_voxels(&path).unwrap_err().exit_code(), 65);
}
