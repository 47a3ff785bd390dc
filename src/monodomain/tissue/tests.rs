use std::path::PathBuf;

use super::*;
use crate::mesh::generate::{FibreAngles, Generator, generate};
use crate::monodomain::voxelize::voxelize;

fn plane() -> Grid {
    Grid {
        shape: [1, 3, 4],
        spacing: [1.0, 0.5, 0.5],
        origin: [0.0; 3],
        periodic: [false; 3],
        dimensions: 2,
    }
}

fn cuboid() -> Grid {
    Grid {
        shape: [2, 3, 4],
        dimensions: 3,
        ..plane()
    }
}

fn dataset() -> DatasetOptions {
    DatasetOptions {
        file: PathBuf::from("d.h5"),
        dataset: "/tissue/d".into(),
    }
}

struct Case<'a> {
    grid: &'a Grid,
    voxels: Option<&'a Voxels>,
    mask: bool,
    holes: &'a [usize],
    diffusivity: Option<DiffusivityOptions>,
    array: (Vec<usize>, Vec<f64>),
}

impl Case<'_> {
    fn build(&self) -> Result<Tissue> {
        let from = dataset();
        TissueInput {
            grid: self.grid,
            voxels: self.voxels,
            mask: self.mask.then_some(&from),
            holes: self.holes,
            diffusivity: self.diffusivity.as_ref(),
            read: &|asked| {
                assert_eq!(*asked, dataset());
                Ok(self.array.clone())
            },
        }
        .build()
    }
}

fn on(grid: &Grid) -> Case<'_> {
    Case {
        grid,
        voxels: None,
        mask: false,
        holes: &[],
        diffusivity: Some(DiffusivityOptions::Isotropic(0.1)),
        array: (Vec::new(), Vec::new()),
    }
}

fn orthotropic(
    fibre: f64,
    sheet: f64,
    normal: f64,
    direction: Option<Vec<f64>>,
) -> DiffusivityOptions {
    DiffusivityOptions::Orthotropic {
        fibre,
        sheet,
        normal: Some(normal),
        direction,
    }
}

/// D of a box with one orthotropic diffusivity.
fn uniform(grid: &Grid, options: DiffusivityOptions) -> [f64; 6] {
    let tissue = Case {
        diffusivity: Some(options),
        ..on(grid)
    }
    .build()
    .unwrap();
    assert_eq!(tissue.active, None);
    match tissue.diffusivity {
        Diffusivity::Uniform(d) => d,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn near(a: [f64; 6], b: [f64; 6]) {
    assert!(
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15),
        "{a:?} {b:?}"
    );
}

#[test]
fn directions_of_a_box() {
    let (plane, cuboid) = (plane(), cuboid());
    near(
        uniform(&cuboid, orthotropic(0.3, 0.2, 0.1, None)),
        [0.3, 0.0, 0.0, 0.2, 0.0, 0.1],
    );
    // Fibres at 30°: D_xx = D_f cos² + D_s sin², D_xy = (D_f − D_s) sin cos.
    let d = uniform(
        &plane,
        orthotropic(0.3, 0.1, 0.05, Some(vec![3f64.sqrt(), 1.0])),
    );
    near(d, [0.25, 0.05 * 3f64.sqrt(), 0.0, 0.15, 0.0, 0.05]);
    // Transverse: D_t I + (D_f − D_t) f fᵀ.
    let d = uniform(
        &cuboid,
        orthotropic(0.3, 0.1, 0.1, Some(vec![0.0, 3.0, 4.0])),
    );
    near(
        d,
        [
            0.1,
            0.0,
            0.0,
            0.1 + 0.2 * 0.36,
            0.2 * 0.48,
            0.1 + 0.2 * 0.64,
        ],
    );
    near(
        uniform(&cuboid, orthotropic(0.2, 0.2, 0.2, None)),
        isotropic(0.2),
    );
    let says = |grid: &Grid, options: DiffusivityOptions, words: &str| {
        let e = Case {
            diffusivity: Some(options),
            ..on(grid)
        }
        .build()
        .unwrap_err();
        assert_eq!(e.exit_code(), 65);
        assert!(e.to_string().contains(words), "{e}");
    };
    says(
        &cuboid,
        orthotropic(0.3, 0.2, 0.1, Some(vec![1.0, 0.0, 0.0])),
        "sheet and normal",
    );
    says(
        &cuboid,
        orthotropic(0.3, 0.1, 0.1, Some(vec![1.0, 0.0])),
        "3 are needed",
    );
    says(
        &plane,
        orthotropic(0.3, 0.1, 0.1, Some(vec![0.0, 0.0])),
        "no direction",
    );
    says(
        &plane,
        orthotropic(0.3, -0.1, 0.1, None),
        "fk.diffusivity.sheet: -0.1",
    );
    says(
        &plane,
        DiffusivityOptions::Isotropic(f64::NAN),
        "NaN mm²/ms is not positive",
    );
    let none = Case {
        diffusivity: None,
        ..on(&plane)
    }
    .build()
    .unwrap_err();
    assert!(
        none.to_string().contains("fk.diffusivity: is missing"),
        "{none}"
    );
}

#[test]
fn masks_and_holes() {
    let grid = plane();
    let with = |array: Vec<f64>, holes: &[usize]| {
        let array = (vec![3, 4], array);
        Case {
            mask: true,
            holes,
            array,
            ..on(&grid)
        }
        .build()
    };
    let mut mask = vec![1.0; 12];
    assert_eq!(with(mask.clone(), &[]).unwrap().active, None);
    mask[5] = 0.0;
    let mut expected = vec![true; 12];
    (expected[5], expected[11]) = (false, false);
    assert_eq!(with(mask.clone(), &[11, 5]).unwrap().active, Some(expected));
    mask[7] = f64::NAN;
    let e = with(mask, &[]).unwrap_err().to_string();
    assert!(
        e.contains("d.h5: dataset /tissue/d, cell [1, 3]: is NaN"),
        "{e}"
    );
    let e = with(vec![0.0; 12], &[]).unwrap_err().to_string();
    assert!(
        e.contains("fk.mask (d.h5: /tissue/d): no cell of 12 is left"),
        "{e}"
    );
    let all: Vec<usize> = (0..12).collect();
    let e = Case {
        holes: &all,
        ..on(&grid)
    }
    .build()
    .unwrap_err()
    .to_string();
    assert!(e.contains("fk.hole: no cell of 12 is left"), "{e}");
    let array = (vec![4, 3], vec![1.0; 12]);
    let e = Case {
        mask: true,
        array,
        ..on(&grid)
    }
    .build()
    .unwrap_err()
    .to_string();
    assert!(e.contains("shape [4, 3]") && e.contains("[3, 4]"), "{e}");
}

#[test]
fn diffusivities_of_datasets() {
    let (plane, cuboid) = (plane(), cuboid());
    let from = |grid: &Grid, shape: &[usize], array: &[f64], holes: &[usize]| {
        let diffusivity = Some(DiffusivityOptions::Dataset(dataset()));
        let array = (shape.to_vec(), array.to_vec());
        Case {
            diffusivity,
            array,
            holes,
            ..on(grid)
        }
        .build()
    };
    let mut numbers: Vec<f64> = (1..=12).map(f64::from).collect();
    let tissue = from(&plane, &[3, 4], &numbers, &[]).unwrap();
    assert_eq!(tissue.diffusivity, Diffusivity::Isotropic(numbers.clone()));
    let tissue = from(&plane, &[3, 4], &[0.3; 12], &[]).unwrap();
    assert_eq!(tissue.diffusivity, Diffusivity::Uniform(isotropic(0.3)));
    for (wrong, words) in [
        (-1.0, "-1 mm²/ms"),
        (0.0, "0 mm²/ms"),
        (f64::NAN, "NaN mm²/ms"),
        (f64::INFINITY, "inf"),
    ] {
        numbers[6] = wrong;
        let e = from(&plane, &[3, 4], &numbers, &[]).unwrap_err();
        assert_eq!(e.exit_code(), 65);
        let e = e.to_string();
        assert!(
            e.contains("d.h5: dataset /tissue/d, cell [1, 2]") && e.contains(words),
            "{e}"
        );
        // In a hole it is never read.
        let tissue = from(&plane, &[3, 4], &numbers, &[6]).unwrap();
        assert_eq!(tissue.diffusivity.at(6), [0.0; 6]);
        assert_eq!(tissue.diffusivity.at(7), isotropic(8.0));
    }

    let three = [2.0, 0.5, 1.0].repeat(12);
    let tissue = from(&plane, &[3, 4, 3], &three, &[]).unwrap();
    let Diffusivity::Uniform([xx, xy, xz, yy, yz, zz]) = tissue.diffusivity else {
        panic!("{tissue:?}");
    };
    assert_eq!([xx, xy, xz, yy, yz], [2.0, 0.5, 0.0, 1.0, 0.0]);
    assert!(zz > 0.0);
    let mut three = three;
    three[3 * 9 + 1] = 1.5;
    let e = from(&plane, &[3, 4, 3], &three, &[])
        .unwrap_err()
        .to_string();
    assert!(
        e.contains("cell [2, 1]") && e.contains("positive definite"),
        "{e}"
    );

    let mut six = [2.0, 0.1, 0.2, 1.0, 0.3, 3.0].repeat(24);
    six[6 * 23] = 2.5;
    let tissue = from(&cuboid, &[2, 3, 4, 6], &six, &[]).unwrap();
    assert_eq!(tissue.diffusivity.at(23), [2.5, 0.1, 0.2, 1.0, 0.3, 3.0]);
    assert!(matches!(tissue.diffusivity, Diffusivity::Tensor(_)));
    // Each 2×2 part is positive definite, the whole is not: det = −0.024.
    six[6 * 13..6 * 14].copy_from_slice(&[1.0, 0.6, -0.6, 1.0, 0.6, 1.0]);
    let e = from(&cuboid, &[2, 3, 4, 6], &six, &[])
        .unwrap_err()
        .to_string();
    assert!(e.contains("cell [1, 0, 1]"), "{e}");
    for shape in [&[24][..], &[2, 3, 4, 3], &[6, 2, 3, 4], &[2, 4, 3]] {
        let size = shape.iter().product();
        let e = from(&cuboid, shape, &vec![1.0; size], &[]).unwrap_err();
        assert_eq!(e.exit_code(), 65);
        assert!(e.to_string().contains("[2, 3, 4]"), "{e}");
    }
}

fn slab_voxels() -> Voxels {
    let slab = Generator::Slab {
        size: [2.0, 2.0, 1.0],
        edge: 0.5,
        fibre_angles: FibreAngles::default(),
    };
    let mut mesh = generate(&slab, 1.0).unwrap();
    let left = |t: usize| mesh.corners(t).iter().map(|c| c[0]).sum::<f64>() < 4.0;
    mesh.domains = Some(
        (0..mesh.tetrahedron_count())
            .map(|t| u32::from(!left(t)))
            .collect(),
    );
    voxelize(&mesh, [0.25; 3]).unwrap()
}

#[test]
fn fibres_and_gamma_of_the_mesh() {
    let mut voxels = slab_voxels();
    let build = |voxels: &Voxels, diffusivity: DiffusivityOptions| {
        let case = on(&voxels.grid);
        Case {
            voxels: Some(voxels),
            diffusivity: Some(diffusivity),
            ..case
        }
        .build()
    };
    let one = build(&voxels, DiffusivityOptions::Isotropic(0.1)).unwrap();
    assert_eq!(
        (one.active, one.diffusivity),
        (None, Diffusivity::Uniform(isotropic(0.1)))
    );

    voxels.set_gamma(&[0.5, 3.0]).unwrap();
    // The slab fills its box, so rows are cells.
    let domains = voxels.domains.clone();
    let gamma = |cell: usize| if domains[cell] == 0 { 0.5 } else { 3.0 };
    let two = build(&voxels, DiffusivityOptions::Isotropic(0.1)).unwrap();
    assert!(matches!(two.diffusivity, Diffusivity::Isotropic(_)));
    for cell in 0..voxels.grid.cells() {
        near(two.diffusivity.at(cell), isotropic(gamma(cell) * 0.1));
    }

    let d = [0.3, 0.2, 0.1];
    let tissue = build(&voxels, orthotropic(0.3, 0.2, 0.1, None)).unwrap();
    let transverse = build(&voxels, orthotropic(0.3, 0.1, 0.1, None)).unwrap();
    let (fibres, sheets) = (
        voxels.fibres.clone().unwrap(),
        voxels.sheets.clone().unwrap(),
    );
    for (row, cell) in voxels.cells.iter().map(|c| *c as usize).enumerate() {
        // D v = D_v v along fibre, sheet and normal.
        let (f, s) = (fibres[row], sheets[row]);
        for (tissue, values) in [(&tissue, d), (&transverse, [0.3, 0.1, 0.1])] {
            let [xx, xy, xz, yy, yz, zz] = tissue.diffusivity.at(cell);
            for (value, v) in values.into_iter().zip([f, s, cross(f, s)]) {
                let moved = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]].map(|r| dot(r, v));
                for i in 0..3 {
                    assert!((moved[i] - gamma(cell) * value * v[i]).abs() < 1e-12);
                }
            }
        }
    }

    // Transverse tensors need no sheets; three different numbers do.
    voxels.sheets = None;
    let again = build(&voxels, orthotropic(0.3, 0.1, 0.1, None)).unwrap();
    for cell in 0..voxels.grid.cells() {
        near(again.diffusivity.at(cell), transverse.diffusivity.at(cell));
    }
    let e = build(&voxels, orthotropic(0.3, 0.2, 0.1, None))
        .unwrap_err()
        .to_string();
    assert!(e.contains("no sheets"), "{e}");
    voxels.fibres.as_mut().unwrap()[17] = [0.0; 3];
    let e = build(&voxels, orthotropic(0.3, 0.1, 0.1, None))
        .unwrap_err()
        .to_string();
    assert!(e.contains("cell 17, in tetrahedron"), "{e}");
    voxels.fibres = None;
    let e = build(&voxels, orthotropic(0.3, 0.1, 0.1, None))
        .unwrap_err()
        .to_string();
    assert!(e.contains("the mesh has no fibres"), "{e}");
    let x = Some(vec![1.0, 0.0, 0.0]);
    let given = build(&voxels, orthotropic(0.3, 0.1, 0.1, x)).unwrap();
    near(
        given.diffusivity.at(7),
        [0.9, 0.0, 0.0, 0.3, 0.0, 0.3].map(|d| d + 0.0),
    );
}

#[test]
fn cells_outside_the_mesh_take_no_part() {
    let mut voxels = slab_voxels();
    voxels.cells.pop();
    let last = voxels.grid.cells() - 1;
    let case = Case {
        voxels: Some(&voxels),
        ..on(&voxels.grid)
    };
    let active = case.build().unwrap().active.unwrap();
    assert!(!active[last] && active[..last].iter().all(|a| *a));
}
