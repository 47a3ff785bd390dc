//! `isochrone mesh voxelize`, and activation times of cells as measured times of an inversion.

use std::fs;
use std::path::Path;

mod command;
use command::run;
use isochrone::io::read_voxels;
use isochrone::mesh::formats;
use isochrone::monodomain::bridge::sample;
use isochrone::monodomain::voxelize::voxelize;

fn slab(folder: &Path) {
    let line = "mesh generate slab a.h5 --edge 1 --size 4,3,2";
    run(folder, 1, &line.split(' ').collect::<Vec<_>>()).succeeds();
}

#[test]
fn a_voxel_file_holds_what_voxelising_gives() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    slab(folder);
    let parts = "mesh partition a.h5 b.h5 --parts 1 --domains 3";
    run(folder, 1, &parts.split(' ').collect::<Vec<_>>()).succeeds();
    for (text, spacing) in [("0.25", [0.25; 3]), ("0.5,0.1,0.2", [0.5, 0.1, 0.2])] {
        let line = [
            "mesh",
            "voxelize",
            "b.h5",
            "v.h5",
            "--spacing",
            text,
            "--overwrite",
        ];
        let said = run(folder, 1, &line).succeeds().stdout;
        let read = read_voxels(&folder.join("v.h5")).unwrap();
        let mesh = formats::read(&folder.join("b.h5"), None).unwrap();
        assert_eq!(read, voxelize(&mesh, spacing).unwrap());
        assert_eq!(read.domain_count(), 3);
        let shape = [2.0, 3.0, 4.0];
        let n: Vec<_> = (0..3)
            .map(|i| (shape[i] / spacing[i]).round() as usize)
            .collect();
        for words in [
            format!("{} × {} × {} cells", n[0], n[1], n[2]),
            format!("{} cells in the tissue, 100.0 %", n[0] * n[1] * n[2]),
            "24.000000 mm³ in cells, 24.000000 mm³ in the mesh".into(),
        ] {
            assert!(said.contains(&words), "{words}: {said}");
        }
        let xdmf = fs::read_to_string(folder.join("v.xdmf")).unwrap();
        let points = format!("Dimensions=\"{} {} {}\"", n[0] + 1, n[1] + 1, n[2] + 1);
        assert!(
            xdmf.contains("3DCoRectMesh") && xdmf.contains(&points),
            "{xdmf}"
        );
    }
}

#[test]
fn what_cannot_be_voxelised_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    slab(folder);
    let with = |output: &str, spacing: &str| {
        run(
            folder,
            1,
            &["mesh", "voxelize", "a.h5", output, "--spacing", spacing],
        )
    };
    with("v.h5", "-0.1").fails(2, &["--spacing", "-0.1", "positive"]);
    with("v.h5", "0").fails(2, &["--spacing", "positive"]);
    with("v.h5", "nan").fails(2, &["--spacing", "positive"]);
    with("v.h5", "0.1,0.2").fails(2, &["--spacing", "Z,Y,X"]);
    with("v.h5", "2.5").fails(65, &["2.5 mm along z", "larger than the mesh, 2.0000 mm"]);
    with("v.h5", "1e-5").fails(65, &["200000 × 300000 × 400000 cells", "or more"]);
    with("v.vtu", "0.5").fails(2, &["v.vtu", ".h5"]);
    with("no/v.h5", "0.5").fails(74, &["no/v.h5"]);
    run(
        folder,
        1,
        &["mesh", "voxelize", "none.h5", "v.h5", "--spacing", "1"],
    )
    .fails(66, &["none.h5"]);
    let names = || fs::read_dir(folder).unwrap().count();
    assert_eq!(names(), 1, "nothing was left");
    fs::write(folder.join("v.xdmf"), "mine").unwrap();
    with("v.h5", "0.5").fails(2, &["v.xdmf is there already", "--overwrite"]);
    assert_eq!(names(), 2);
}

#[test]
fn sampled_times_are_measured_times_of_an_inversion() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    slab(folder);
    let mesh = formats::read(&folder.join("a.h5"), None).unwrap();
    let voxels = voxelize(&mesh, [0.2; 3]).unwrap();
    // A plane wave from x = 0 that travels 0.5 mm/ms, not seen beyond x = 3.
    let grid = &voxels.grid;
    let times: Vec<f64> = (0..grid.cells())
        .map(|c| grid.centre(grid.place(c))[0])
        .map(|x| if x < 3.0 { x / 0.5 } else { f64::NAN })
        .collect();
    let sampled = sample(
        grid,
        Some(&voxels.active()),
        &times,
        &mesh.points,
        f64::INFINITY,
    );
    assert!(sampled.contains(&f64::INFINITY));
    isochrone::run::bridge::write(
        &folder.join("m.h5"),
        &mesh,
        &sampled,
        &[],
        &Default::default(),
    )
    .unwrap();
    let sources: Vec<_> = (0..mesh.vertex_count())
        .filter(|v| mesh.points[*v][0] < 1e-9)
        .collect();
    let case = format!(
        "mesh.file = \"a.h5\"\nconduction.speed = 1.0\nsource = [{{ vertices = {sources:?}, time = 0 }}]\n\
         inversion.measured = {{ file = \"m.h5\", dataset = \"/fields/activation_time\" }}\n"
    );
    fs::write(folder.join("c.toml"), case).unwrap();
    run(folder, 1, &["invert", "c.toml", "--output", "out"]).succeeds();
    let gamma =
        isochrone::io::read_matrix(&folder.join("out/inversion.h5"), "/inversion/gamma").unwrap();
    // γ M = c²: half the speed is a quarter of the conductivity.
    let last = gamma.1.last().unwrap();
    assert!((last - 0.25).abs() < 1e-6, "{last}");
}
