//! The rule against formulas: a slab, a ventricle whose fibres are known.

use super::*;
use crate::mesh::generate::{Generator, LeftVentricle, RightVentricle, generate};
use crate::tensor::{cross, dot, norm};

const ANGLES: FibreAngles = FibreAngles {
    endocardium: 60.0,
    epicardium: -60.0,
};

/// A wall from x = 0 (endocardium) to x = 4 (epicardium), base above (z = 2), apex below.
fn wall() -> (TetMesh, Surfaces) {
    let generator = Generator::Slab {
        size: [4.0, 3.0, 2.0],
        edge: 0.7,
        fibre_angles: ANGLES,
    };
    let mesh = generate(&generator, 1.0).unwrap();
    let at = |i: usize, x: f64| {
        let near = |v: &u32| (mesh.points[*v as usize][i] - x).abs() < 1e-9;
        (0..mesh.vertex_count() as u32).filter(near).collect()
    };
    let surfaces = Surfaces {
        base: at(2, 2.0),
        epicardium: at(0, 4.0),
        left: at(0, 0.0),
        right: Vec::new(),
        apex: at(2, 0.0),
    };
    (mesh, surfaces)
}

/// e_t = x, e_l = z, e_c = z × x = y: f = (0, cos α, sin α) with α linear in x.
#[test]
fn the_helix_angle_is_linear_across_a_wall() {
    let (mut mesh, surfaces) = wall();
    for sheet in [[-65.0, 25.0], [-90.0, -90.0]] {
        let angles = RuleAngles {
            helix: ANGLES,
            sheet: FibreAngles {
                endocardium: sheet[0],
                epicardium: sheet[1],
            },
        };
        add_fibres(&mut mesh, &surfaces, &angles).unwrap();
        let (fibres, sheets) = (mesh.fibres.as_ref().unwrap(), mesh.sheets.as_ref().unwrap());
        for t in 0..mesh.tetrahedron_count() {
            let x = mesh.corners(t).iter().map(|p| p[0]).sum::<f64>() / 4.0;
            let alpha = (60.0 - 30.0 * x).to_radians();
            let beta = (sheet[0] + 0.25 * x * (sheet[1] - sheet[0])).to_radians();
            let f = [0.0, alpha.cos(), alpha.sin()];
            let s = [
                -beta.sin(),
                -beta.cos() * alpha.sin(),
                beta.cos() * alpha.cos(),
            ];
            assert!(
                (dot(fibres[t], f).abs() - 1.0).abs() < 1e-12,
                "{x}: {:?}",
                fibres[t]
            );
            assert!(
                (dot(sheets[t], s).abs() - 1.0).abs() < 1e-12,
                "{x}: {:?}",
                sheets[t]
            );
        }
    }
}

/// A septum: both sides are endocardia, and the epicardium is at the far ends in y. The helix angle
/// goes from 60° at the left to −60° at the right, seen in one direction: each cavity sees the same.
#[test]
fn the_septum_is_symmetric() {
    let (mut mesh, mut surfaces) = wall();
    surfaces.right = std::mem::take(&mut surfaces.epicardium);
    for p in &mut mesh.points {
        p[1] *= 10.0;
    }
    let ends = |v: &u32| {
        let [x, y, _] = mesh.points[*v as usize];
        (y - 15.0).abs() > 15.0 - 1e-9 && (x - 2.0).abs() < 2.0 - 1e-9
    };
    surfaces.epicardium = (0..mesh.vertex_count() as u32).filter(ends).collect();
    add_fibres(&mut mesh, &surfaces, &RuleAngles::default()).unwrap();
    for (t, f) in mesh.fibres.as_ref().unwrap().iter().enumerate() {
        let centre = mesh
            .corners(t)
            .iter()
            .fold([0.0; 3], |c, p| crate::tensor::add(c, scale(0.25, *p)));
        if (centre[1] - 15.0).abs() < 4.0 {
            let alpha = (60.0 - 30.0 * centre[0]).to_radians();
            let along = dot(*f, [0.0, alpha.cos(), alpha.sin()]).abs();
            assert!(along > 2f64.to_radians().cos(), "{centre:?}: {f:?}");
        }
    }
}

/// Degrees between lines, of so many parts of a hundred.
fn percentile(a: &[Vec3], b: &[Vec3], part: usize) -> f64 {
    let mut angles: Vec<f64> = (a.iter().zip(b))
        .map(|(a, b)| norm(cross(*a, *b)).atan2(dot(*a, *b).abs()).to_degrees())
        .collect();
    angles.sort_by(f64::total_cmp);
    angles[angles.len() * part / 100]
}

/// Against the generator's own rule, which takes depth and axes from the ellipsoids' formulas: its
/// depth is a ratio of distances, which is not harmonic, so the two differ by some degrees.
#[test]
fn a_ventricle_gets_the_fibres_of_its_formula() {
    let generator = Generator::Ellipsoid {
        edge: 3.0,
        left_ventricle: LeftVentricle::default(),
        fibre_angles: ANGLES,
    };
    let mut mesh = generate(&generator, 1.0).unwrap();
    let known = mesh.fibres.clone().unwrap();
    let surfaces = detect(&mesh, None).unwrap();
    let angles = RuleAngles {
        helix: ANGLES,
        ..RuleAngles::default()
    };
    add_fibres(&mut mesh, &surfaces, &angles).unwrap();
    let fibres = mesh.fibres.as_ref().unwrap();
    let (median, most) = (
        percentile(fibres, &known, 50),
        percentile(fibres, &known, 90),
    );
    assert!(median < 6.0 && most < 15.0, "{median} {most}");
    for (f, s) in fibres.iter().zip(mesh.sheets.as_ref().unwrap()) {
        assert!((norm(*f) - 1.0).abs() < 1e-14 && (norm(*s) - 1.0).abs() < 1e-14);
        assert!(dot(*f, *s).abs() < 1e-14);
    }
}

#[test]
fn both_ventricles_get_fibres() {
    let generator = Generator::Biventricle {
        edge: 4.0,
        left_ventricle: LeftVentricle::default(),
        right_ventricle: RightVentricle::default(),
        fibre_angles: ANGLES,
    };
    let mut mesh = generate(&generator, 1.0).unwrap();
    let known = mesh.fibres.clone().unwrap();
    let surfaces = detect(&mesh, None).unwrap();
    add_fibres(&mut mesh, &surfaces, &RuleAngles::default()).unwrap();
    // The generator knows no septum: there the right side is an outer surface.
    let left: Vec<usize> = (0..mesh.tetrahedron_count())
        .filter(|&t| mesh.corners(t).iter().all(|p| p[0] > 0.0))
        .collect();
    let pick = |all: &[Vec3]| left.iter().map(|&t| all[t]).collect::<Vec<_>>();
    let median = percentile(&pick(mesh.fibres.as_ref().unwrap()), &pick(&known), 50);
    assert!(median < 8.0, "{median}");
}

#[test]
fn surfaces_that_are_missing_are_named() {
    let (mut mesh, surfaces) = wall();
    let said = |surfaces: &Surfaces, mesh: &mut TetMesh| {
        let error = add_fibres(mesh, surfaces, &RuleAngles::default()).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        error.to_string()
    };
    let mut none = surfaces.clone();
    none.apex.clear();
    assert!(said(&none, &mut mesh).contains("--surface apex="));
    let mut beyond = surfaces;
    beyond.base.push(1 << 30);
    assert!(said(&beyond, &mut mesh).contains("vertex 1073741824"));
}
