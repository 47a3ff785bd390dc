use super::*;
use crate::mesh::generate::{FibreAngles, Generator, generate};

fn slab(size: [f64; 3], edge: f64) -> TetMesh {
    let fibre_angles = FibreAngles::default();
    let slab = Generator::Slab {
        size,
        edge,
        fibre_angles,
    };
    generate(&slab, 1.0).unwrap()
}

/// Ball of radius 1 of tetrahedra from its centre to a subdivided octahedron, and its volume.
fn ball(divisions: usize) -> TetMesh {
    let mut points = vec![[0.0; 3]];
    let mut tetrahedra = Vec::new();
    let n = divisions as f64;
    for octant in 0..8 {
        let sign = [0, 1, 2].map(|b| if octant >> b & 1 == 1 { -1.0 } else { 1.0 });
        let mut corner = |i: usize, j: usize| {
            let p = [i as f64, j as f64, n - (i + j) as f64];
            let p = crate::tensor::unit(std::array::from_fn(|a| sign[a] * p[a])).unwrap();
            points.push(p);
            points.len() as u32 - 1
        };
        for i in 0..divisions {
            for j in 0..divisions - i {
                let [a, b, c] = [corner(i, j), corner(i + 1, j), corner(i, j + 1)];
                tetrahedra.push([0, a, b, c]);
                if i + j + 2 <= divisions {
                    tetrahedra.push([0, b, corner(i + 1, j + 1), c]);
                }
            }
        }
    }
    let mut mesh = TetMesh::new(points, tetrahedra);
    for t in 0..mesh.tetrahedron_count() {
        if mesh.volume(t) < 0.0 {
            mesh.tetrahedra[t].swap(2, 3);
        }
    }
    mesh
}

/// Lowest tetrahedron with all shares of `p` at least −TOLERANCE, from determinants.
fn holder(mesh: &TetMesh, p: Vec3) -> u32 {
    let holds = |t: usize| {
        let corners = mesh.corners(t);
        (0..4).all(|i| {
            let mut with = corners;
            with[i] = p;
            let volume = |[a, b, c, d]: [Vec3; 4]| dot(cross(sub(b, a), sub(c, a)), sub(d, a));
            volume(with) / volume(corners) >= -TOLERANCE
        })
    };
    (0..mesh.tetrahedron_count())
        .find(|t| holds(*t))
        .map_or(NO_TETRAHEDRON, |t| t as u32)
}

#[test]
fn a_slab_is_filled_exactly_wherever_centres_lie() {
    // Centres within tetrahedra, on their faces, edges and vertices; spacings that are no binary
    // fractions; a slab far from the origin.
    for (edge, h) in [
        (1.0, 0.5),
        (1.0, 0.25),
        (0.5, 0.1),
        (0.3, 0.2),
        (0.7, 1.0 / 3.0),
        (2.0, 0.2),
    ] {
        for shift in [0.0, 123.456, -0.1] {
            let mut mesh = slab([4.0, 3.0, 2.0], edge);
            mesh.points
                .as_flattened_mut()
                .iter_mut()
                .for_each(|x| *x += shift);
            let voxels = voxelize(&mesh, [h; 3]).unwrap();
            let shape = [2.0, 3.0, 4.0].map(|length: f64| (length / h).round() as usize);
            assert_eq!(voxels.grid.shape, shape, "{edge} {h} {shift}");
            assert_eq!(
                voxels.cells.len(),
                shape.iter().product::<usize>(),
                "{edge} {h} {shift}"
            );
            assert!((voxels.volume() - 24.0).abs() < 1e-9);
            assert!((voxels.mesh_volume - 24.0).abs() < 1e-9);
        }
    }
}

#[test]
fn every_cell_lies_in_its_tetrahedron() {
    let mut mesh = ball(4);
    // The same tetrahedra in another orientation and order.
    mesh.tetrahedra.reverse();
    mesh.tetrahedra
        .iter_mut()
        .step_by(3)
        .for_each(|t| t.swap(0, 1));
    let voxels = voxelize(&mesh, [0.11, 0.17, 0.13]).unwrap();
    let mut expected = Vec::new();
    for cell in 0..voxels.grid.cells() {
        let t = holder(&mesh, voxels.grid.centre(voxels.grid.place(cell)));
        if t != NO_TETRAHEDRON {
            expected.push((cell as u32, t));
        }
    }
    let found: Vec<_> = voxels
        .cells
        .iter()
        .copied()
        .zip(voxels.tetrahedron)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn volumes_of_ball_and_ellipsoid_converge_to_the_mesh() {
    for scaling in [[1.0; 3], [1.5, 0.7, 1.1]] {
        let mut mesh = ball(24);
        for p in &mut mesh.points {
            *p = std::array::from_fn(|i| scaling[i] * p[i]);
        }
        let exact = 4.0 / 3.0 * std::f64::consts::PI * scaling.iter().product::<f64>();
        let coarse = voxelize(&mesh, [0.1; 3]).unwrap();
        assert!((coarse.mesh_volume / exact - 1.0).abs() < 5e-3);
        // Lattice points in a convex body: the error falls at least as fast as the spacing.
        for h in [0.1, 0.05, 0.025] {
            let mask = active_mask(&mesh, [h; 3]).unwrap();
            let volume = mask.count() as f64 * h.powi(3);
            let error = (volume / coarse.mesh_volume - 1.0).abs();
            assert!(error < 0.15 * h, "{h}: {error}");
        }
    }
}

#[test]
fn mask_and_voxels_agree_and_tiles_add_up() {
    let mesh = ball(6);
    let spacing = [0.05, 0.031, 0.013];
    let voxels = voxelize(&mesh, spacing).unwrap();
    let mask = active_mask(&mesh, spacing).unwrap();
    let active = voxels.active();
    let grid = &mask.grid;
    assert_eq!(*grid, voxels.grid);
    assert!(grid.shape[2] > 128, "more than one word in a row");
    for (cell, is) in active.iter().enumerate() {
        assert_eq!(mask.contains(grid.place(cell)), *is, "{cell}");
    }
    assert_eq!(mask.count(), voxels.cells.len() as u64);
    for tile in [[8, 16, 64], [7, 5, 33], [100, 100, 1000]] {
        let (tiles, counts) = mask.tile_counts(tile);
        let mut expected = vec![0; tiles.iter().product()];
        for &cell in &voxels.cells {
            let [z, y, x] = grid.place(cell as usize);
            expected[(z / tile[0] * tiles[1] + y / tile[1]) * tiles[2] + x / tile[2]] += 1;
        }
        assert_eq!(counts, expected);
    }
}

#[test]
fn the_same_cells_for_any_number_of_threads() {
    let mesh = ball(8);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| voxelize(&mesh, [0.07; 3]).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn cells_take_what_is_known_on_their_tetrahedron() {
    let mut mesh = slab([2.0, 2.0, 2.0], 0.5);
    let centre = |t: usize| -> Vec3 {
        let corners = mesh.corners(t);
        std::array::from_fn(|i| corners.iter().map(|c| c[i]).sum::<f64>() / 4.0)
    };
    let centres: Vec<Vec3> = (0..mesh.tetrahedron_count()).map(centre).collect();
    // Planes between tetrahedra.
    let [middle_x, middle_y] = [0, 1].map(|axis| {
        let farther =
            |a: &&Vec3, b: &&Vec3| (a[axis] - 1.0).abs().total_cmp(&(b[axis] - 1.0).abs());
        mesh.points.iter().min_by(farther).unwrap()[axis]
    });
    mesh.tags = centres
        .iter()
        .map(|c| if c[0] < middle_x { 5 } else { -7 })
        .collect();
    mesh.domains = Some(centres.iter().map(|c| u32::from(c[1] > middle_y)).collect());
    let mut voxels = voxelize(&mesh, [0.08; 3]).unwrap();
    voxels.set_gamma(&[0.5, 2.0]).unwrap();
    assert_eq!(voxels.domain_count(), 2);
    for (row, &cell) in voxels.cells.iter().enumerate() {
        let [x, y, _] = voxels.grid.centre(voxels.grid.place(cell as usize));
        assert_eq!(voxels.tags[row], if x < middle_x { 5 } else { -7 });
        assert_eq!(voxels.domains[row], u32::from(y > middle_y));
        assert_eq!(voxels.gamma[row], if y > middle_y { 2.0 } else { 0.5 });
        let t = voxels.tetrahedron[row] as usize;
        assert_eq!(
            voxels.fibres.as_ref().unwrap()[row],
            mesh.fibres.as_ref().unwrap()[t]
        );
        assert_eq!(
            voxels.sheets.as_ref().unwrap()[row],
            mesh.sheets.as_ref().unwrap()[t]
        );
    }
    let half = voxels.tags.iter().filter(|tag| **tag == 5).count();
    let columns = (0..25)
        .filter(|x| (*x as f64 + 0.5) * 0.08 < middle_x)
        .count();
    assert_eq!(half, 25 * 25 * columns);
    assert!(
        voxels
            .set_gamma(&[1.0])
            .unwrap_err()
            .to_string()
            .contains("domain 1")
    );
}

#[test]
fn a_ventricle_has_its_volume() {
    let heart = Generator::Biventricle {
        edge: 3.92,
        left_ventricle: Default::default(),
        right_ventricle: Default::default(),
        fibre_angles: FibreAngles::default(),
    };
    let mesh = generate(&heart, 1.0).unwrap();
    let voxels = voxelize(&mesh, [1.0; 3]).unwrap();
    let error = voxels.volume() / voxels.mesh_volume - 1.0;
    assert!(error.abs() < 5e-3, "{error}");
}

#[test]
fn spacings_that_cannot_be_are_refused() {
    let mesh = slab([4.0, 3.0, 2.0], 1.0);
    let says = |spacing: [f64; 3], words: &[&str]| {
        for e in [
            voxelize(&mesh, spacing).unwrap_err(),
            active_mask(&mesh, spacing).unwrap_err(),
        ] {
            assert_eq!(e.exit_code(), 65);
            words
                .iter()
                .for_each(|w| assert!(e.to_string().contains(w), "{e}"));
        }
    };
    says([-0.1; 3], &["-0.1", "positive"]);
    says([0.0; 3], &["positive"]);
    says([f64::NAN; 3], &["positive"]);
    says([2.5, 0.1, 0.1], &["2.5 mm along z", "larger than the mesh"]);
    says([1e-6; 3], &["cells", "spacing of", "or more"]);
    says([1e-300; 3], &["cells", "spacing of", "or more"]);
    // The finest spacing that is offered works: 2³² cells of 24 mm³.
    let e = voxelize(&mesh, [1e-3; 3]).unwrap_err().to_string();
    let offered: f64 = e
        .split("spacing of ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(offered > 1.7e-3 && offered < 0.1, "{e}");
    assert!(three_spacings(&Spacing::PerAxis(vec![0.1, 0.2])).is_err());
    assert_eq!(three_spacings(&Spacing::Same(0.2)).unwrap(), [0.2; 3]);
}
