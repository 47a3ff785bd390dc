//! Generated meshes: conforming, positively oriented, of the right volume, with exact fibres.

use std::collections::HashMap;

use isochrone::mesh::TetMesh;
use isochrone::mesh::generate::{
    FibreAngles, Generator, LeftVentricle, RightVentricle, estimate, generate,
};
use isochrone::tensor::{add, cross, dot, norm, scale, sub};

/// Volume of tetrahedron `t`, mm³.
fn volume(mesh: &TetMesh, t: usize) -> f64 {
    let [a, b, c, d] = mesh.corners(t);
    dot(cross(sub(b, a), sub(c, a)), sub(d, a)) / 6.0
}

fn total_volume(mesh: &TetMesh) -> f64 {
    (0..mesh.tetrahedron_count()).map(|t| volume(mesh, t)).sum()
}

/// Mean length of the mesh's edges, mm.
fn mean_edge(mesh: &TetMesh) -> f64 {
    let mut edges: Vec<[u32; 2]> = Vec::new();
    for t in &mesh.tetrahedra {
        for (i, j) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            edges.push([t[i].min(t[j]), t[i].max(t[j])]);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    let length = |e: &[u32; 2]| norm(sub(mesh.points[e[0] as usize], mesh.points[e[1] as usize]));
    edges.iter().map(length).sum::<f64>() / edges.len() as f64
}

/// Asserts everything that any generated mesh promises: positive volumes, every vertex used, faces
/// shared by one or two tetrahedra, connected through faces, a boundary that is one closed
/// manifold surface of a ball (Euler characteristic 2), axes orthonormal.
fn assert_sound(mesh: &TetMesh) {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    assert_eq!(mesh.tags.len(), m);
    assert!((0..m).all(|t| volume(mesh, t) > 0.0));

    let mut used = vec![false; n];
    let mut faces: HashMap<[u32; 3], Vec<usize>> = HashMap::new();
    for (t, vertices) in mesh.tetrahedra.iter().enumerate() {
        for skip in 0..4 {
            let mut face: Vec<u32> = (0..4).filter(|&i| i != skip).map(|i| vertices[i]).collect();
            face.sort_unstable();
            faces
                .entry([face[0], face[1], face[2]])
                .or_default()
                .push(t);
            used[vertices[skip] as usize] = true;
        }
    }
    assert!(used.iter().all(|&u| u));
    assert!(faces.values().all(|owners| owners.len() <= 2));

    let mut group: Vec<usize> = (0..m).collect();
    let mut components = m;
    for owners in faces.values().filter(|owners| owners.len() == 2) {
        let (a, b) = (root(&mut group, owners[0]), root(&mut group, owners[1]));
        if a != b {
            group[a] = b;
            components -= 1;
        }
    }
    assert_eq!(components, 1);

    // Boundary: every edge in two triangles, the triangles around a vertex in one fan.
    let boundary: Vec<[u32; 3]> = faces
        .iter()
        .filter(|(_, owners)| owners.len() == 1)
        .map(|(face, _)| *face)
        .collect();
    let mut edges: HashMap<[u32; 2], Vec<usize>> = HashMap::new();
    let mut corners: HashMap<u32, usize> = HashMap::new();
    for (i, [a, b, c]) in boundary.iter().enumerate() {
        for edge in [[*a, *b], [*a, *c], [*b, *c]] {
            edges.entry(edge).or_default().push(i);
        }
        for v in [a, b, c] {
            *corners.entry(*v).or_default() += 1;
        }
    }
    assert!(edges.values().all(|triangles| triangles.len() == 2));
    let characteristic = corners.len() as i64 - edges.len() as i64 + boundary.len() as i64;
    assert_eq!(characteristic, 2);
    // Walk the fan of each vertex across its edges; it must come round to all its triangles.
    let mut first: HashMap<u32, usize> = HashMap::new();
    for (i, triangle) in boundary.iter().enumerate() {
        for v in triangle {
            first.entry(*v).or_insert(i);
        }
    }
    for (v, start) in first {
        let (mut triangle, mut came_over, mut steps) = (start, None, 0);
        loop {
            let others = boundary[triangle].into_iter().filter(|&w| w != v);
            let across = others
                .map(|w| [v.min(w), v.max(w)])
                .find(|e| Some(*e) != came_over);
            let edge = across.unwrap();
            let pair = &edges[&edge];
            triangle = if pair[0] == triangle {
                pair[1]
            } else {
                pair[0]
            };
            came_over = Some(edge);
            steps += 1;
            if triangle == start {
                break;
            }
        }
        assert_eq!(
            steps, corners[&v],
            "the boundary touches itself at vertex {v}"
        );
    }

    let (fibres, sheets) = (mesh.fibres.as_ref().unwrap(), mesh.sheets.as_ref().unwrap());
    assert_eq!((fibres.len(), sheets.len()), (m, m));
    for (f, s) in fibres.iter().zip(sheets) {
        assert!((norm(*f) - 1.0).abs() < 1e-12);
        assert!((norm(*s) - 1.0).abs() < 1e-12);
        assert!(dot(*f, *s).abs() < 1e-12);
    }
}

fn root(group: &mut [usize], mut a: usize) -> usize {
    while group[a] != a {
        group[a] = group[group[a]];
        a = group[a];
    }
    a
}

/// Smallest and largest dihedral angle, degrees.
fn dihedral_angles(mesh: &TetMesh) -> (f64, f64) {
    let (mut least, mut most) = (180.0f64, 0.0f64);
    for t in 0..mesh.tetrahedron_count() {
        let p = mesh.corners(t);
        for (i, j, k, l) in [
            (0, 1, 2, 3),
            (0, 2, 1, 3),
            (0, 3, 1, 2),
            (1, 2, 0, 3),
            (1, 3, 0, 2),
            (2, 3, 0, 1),
        ] {
            let along = sub(p[j], p[i]);
            let across = |q: [f64; 3]| {
                let e = sub(q, p[i]);
                sub(e, scale(dot(e, along) / dot(along, along), along))
            };
            let (u, v) = (across(p[k]), across(p[l]));
            let angle = norm(cross(u, v)).atan2(dot(u, v)).to_degrees();
            (least, most) = (least.min(angle), most.max(angle));
        }
    }
    (least, most)
}

fn same_bits(a: &TetMesh, b: &TetMesh) -> bool {
    let bits = |v: &[[f64; 3]]| -> Vec<u64> { v.iter().flatten().map(|x| x.to_bits()).collect() };
    let of = |m: &TetMesh| {
        [
            &m.points,
            m.fibres.as_ref().unwrap(),
            m.sheets.as_ref().unwrap(),
        ]
        .map(|v| bits(v))
    };
    of(a) == of(b) && a.tetrahedra == b.tetrahedra && a.tags == b.tags
}

fn slab(size: [f64; 3], edge: f64) -> Generator {
    Generator::Slab {
        size,
        edge,
        fibre_angles: FibreAngles::default(),
    }
}

#[test]
fn slab_is_sound_and_exact() {
    for (size, edge) in [
        ([20.0, 10.0, 5.0], 1.0),
        ([7.0, 3.0, 11.0], 1.3),
        ([1.0, 1.0, 1.0], 5.0),
    ] {
        let mesh = generate(&slab(size, edge), 1.0).unwrap();
        assert_sound(&mesh);
        assert!((total_volume(&mesh) / size.iter().product::<f64>() - 1.0).abs() < 1e-12);
        assert!(mesh.velocity_tensor.is_none());
    }
    let mesh = generate(&slab([20.0, 10.0, 5.0], 1.0), 1.0).unwrap();
    assert!(
        (mean_edge(&mesh) - 1.0).abs() < 0.05,
        "{}",
        mean_edge(&mesh)
    );
    let (least, most) = dihedral_angles(&mesh);
    assert!(least > 35.0 && most < 110.0, "{least} {most}");
}

#[test]
fn slab_fibres_rotate_linearly_through_z() {
    let size = [4.0, 4.0, 10.0];
    let fibre_angles = FibreAngles {
        endocardium: 70.0,
        epicardium: -50.0,
    };
    let mesh = generate(
        &Generator::Slab {
            size,
            edge: 1.0,
            fibre_angles,
        },
        1.0,
    )
    .unwrap();
    for (t, f) in mesh.fibres.as_ref().unwrap().iter().enumerate() {
        let z = mesh.corners(t).iter().map(|p| p[2]).sum::<f64>() / 4.0;
        let angle = (70.0 - 120.0 * z / 10.0f64).to_radians();
        assert!(norm(sub(*f, [angle.cos(), angle.sin(), 0.0])) < 1e-13);
        assert_eq!(mesh.sheets.as_ref().unwrap()[t], [0.0, 0.0, 1.0]);
    }
}

#[test]
fn the_unit_scales_the_mesh() {
    let mm = generate(&slab([20.0, 10.0, 5.0], 1.0), 1.0).unwrap();
    let cm = generate(&slab([2.0, 1.0, 0.5], 0.1), 10.0).unwrap();
    assert_eq!(mm.tetrahedra, cm.tetrahedra);
    for (a, b) in mm.points.iter().zip(&cm.points) {
        assert!(norm(sub(*a, *b)) < 1e-12);
    }
}

#[test]
fn meshes_are_reproducible_to_the_bit() {
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let three = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    for generator in [slab([5.0, 4.0, 3.0], 0.5), ellipsoid(3.0), biventricle(3.0)] {
        let one = alone.install(|| generate(&generator, 1.0).unwrap());
        let other = three.install(|| generate(&generator, 1.0).unwrap());
        assert!(same_bits(&one, &other));
    }
}

fn ellipsoid(edge: f64) -> Generator {
    Generator::Ellipsoid {
        edge,
        left_ventricle: LeftVentricle::default(),
        fibre_angles: FibreAngles::default(),
    }
}

fn biventricle(edge: f64) -> Generator {
    Generator::Biventricle {
        edge,
        left_ventricle: LeftVentricle::default(),
        right_ventricle: RightVentricle::default(),
        fibre_angles: FibreAngles::default(),
    }
}

#[test]
fn ventricles_are_sound_with_bounded_angles_and_the_edge_wanted() {
    for edge in [5.0, 3.53, 3.0, 2.1, 1.62] {
        for generator in [ellipsoid(edge), biventricle(edge)] {
            let mesh = generate(&generator, 1.0).unwrap();
            assert_sound(&mesh);
            let mean = mean_edge(&mesh);
            assert!((mean / edge - 1.0).abs() < 0.03, "{generator:?}: {mean}");
            let (least, most) = dihedral_angles(&mesh);
            assert!(
                least > 10.7 && most < 164.8,
                "{generator:?}: {least} {most}"
            );
            let (points, tetrahedra) = estimate(&generator, 1.0).unwrap();
            let (n, m) = (mesh.vertex_count() as f64, mesh.tetrahedron_count() as f64);
            assert!((points as f64 / n - 1.0).abs() < 0.1, "{points} {n}");
            assert!(
                (tetrahedra as f64 / m - 1.0).abs() < 0.1,
                "{tetrahedra} {m}"
            );
        }
    }
}

#[test]
fn the_ellipsoid_converges_to_its_volume() {
    // Solids of revolution r = a sqrt(1 - z²/c²) from the apex to z = 12.5.
    let solid = |a: f64, c: f64| {
        let part = |z: f64| z - z.powi(3) / (3.0 * c * c);
        std::f64::consts::PI * a * a * (part(12.5) - part(-c))
    };
    let sharp = solid(30.0, 60.0) - solid(20.0, 50.0);
    // Each rim loses (1 - π/4) r² of its section, r = 2.5, about (it is not quite square).
    let section = (1.0 - std::f64::consts::FRAC_PI_4) * 2.5 * 2.5;
    let rounded = sharp - section * std::f64::consts::TAU * (20.0 * 0.968 + 30.0 * 0.978);
    let error = |edge| 1.0 - total_volume(&generate(&ellipsoid(edge), 1.0).unwrap()) / rounded;
    let (coarse, middle, fine) = (error(3.6), error(1.8), error(0.9));
    assert!(fine.abs() < 1e-3, "{fine}");
    // Second order: halving the edge takes three quarters of the error away.
    let ratio = (coarse - middle) / (middle - fine);
    assert!((2.5..6.5).contains(&ratio), "{coarse} {middle} {fine}");
}

#[test]
fn fibres_of_the_ellipsoid_turn_from_endocardium_to_epicardium() {
    let mesh = generate(&ellipsoid(2.0), 1.0).unwrap();
    assert!(mesh.tags.iter().all(|&tag| tag == 1));
    let (fibres, sheets) = (mesh.fibres.as_ref().unwrap(), mesh.sheets.as_ref().unwrap());
    let level = |p: [f64; 3], a: f64, c: f64| norm([p[0] / a, p[1] / a, p[2] / c]);
    let mut seen = [0, 0];
    for t in 0..mesh.tetrahedron_count() {
        let p = mesh
            .corners(t)
            .iter()
            .fold([0.0; 3], |s, q| add(s, scale(0.25, *q)));
        let e_c = cross([0.0, 0.0, 1.0], sheets[t]);
        let across = dot(e_c, e_c).sqrt();
        if across < 0.05 {
            continue; // the apex
        }
        // Sheets point outward, fibres turn counterclockwise.
        assert!(dot(sheets[t], p) > 0.0 && dot(fibres[t], e_c) > 0.0);
        let e_l = cross(sheets[t], scale(1.0 / across, e_c));
        let angle = dot(fibres[t], e_l).asin().to_degrees();
        let (inner, outer) = (level(p, 20.0, 50.0) - 1.0, 1.0 - level(p, 30.0, 60.0));
        // Near the equator the level tells the distance to the wall's surfaces, mm.
        if p[2].abs() < 10.0 {
            let depth = 20.0 * inner / (20.0 * inner + 30.0 * outer);
            assert!(
                (angle - (60.0 - 120.0 * depth)).abs() < 2.0,
                "{angle} {depth}"
            );
            seen[0] += usize::from(depth < 0.1);
            seen[1] += usize::from(depth > 0.9);
        }
        assert!((-60.0 - 1e-9..60.0 + 1e-9).contains(&angle));
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
}

#[test]
fn the_septum_belongs_to_the_left_ventricle() {
    let mesh = generate(&biventricle(2.0), 1.0).unwrap();
    let (mut left, mut right) = (0, 0);
    for (t, tag) in mesh.tags.iter().enumerate() {
        let p = mesh
            .corners(t)
            .iter()
            .fold([0.0; 3], |s, q| add(s, scale(0.25, *q)));
        let inside = norm([p[0] / 30.0, p[1] / 30.0, p[2] / 60.0]) <= 1.0;
        assert_eq!(*tag, if inside { 1 } else { 2 });
        if inside { left += 1 } else { right += 1 }
    }
    assert!(left > 2 * right && right > 10_000, "{left} {right}");
}

#[test]
fn ventricles_of_other_shapes_are_sound() {
    let left_ventricle = LeftVentricle {
        radius: Some(1.7),
        length: Some(4.7),
        wall: Some(1.2),
        base: Some(0.0),
    };
    let right_ventricle = RightVentricle {
        wall: Some(0.6),
        width: Some(1.5),
    };
    let fibre_angles = FibreAngles {
        endocardium: 80.0,
        epicardium: -40.0,
    };
    let generator = Generator::Biventricle {
        edge: 0.3,
        left_ventricle,
        right_ventricle,
        fibre_angles,
    };
    let mesh = generate(&generator, 10.0).unwrap();
    assert_sound(&mesh);
    assert!((mean_edge(&mesh) / 3.0 - 1.0).abs() < 0.03);
}

fn refusal(generator: &Generator) -> String {
    let error = generate(generator, 1.0).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    assert_eq!(
        estimate(generator, 1.0).unwrap_err().to_string(),
        error.to_string()
    );
    error.to_string()
}

#[test]
fn what_cannot_be_meshed_is_refused_by_name() {
    for edge in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-6, 1e-300, 1e300, 7.0] {
        for generator in [
            ellipsoid(edge),
            biventricle(edge),
            slab([20.0, 10.0, 5.0], edge),
        ] {
            if edge > 5.0 && edge.is_finite() && matches!(generator, Generator::Slab { .. }) {
                continue; // a coarse slab is one cell
            }
            let message = refusal(&generator);
            assert!(message.contains("mesh.generate.edge"), "{message}");
        }
    }
    assert!(refusal(&slab([20.0, f64::NAN, 5.0], 1.0)).contains("mesh.generate.size"));
    let with = |key: &str, value: f64| {
        let left: LeftVentricle = toml::from_str(&format!("{key} = {value:e}")).unwrap();
        let Generator::Ellipsoid {
            edge, fibre_angles, ..
        } = ellipsoid(2.0)
        else {
            unreachable!()
        };
        refusal(&Generator::Ellipsoid {
            edge,
            left_ventricle: left,
            fibre_angles,
        })
    };
    for (key, value) in [
        ("radius", -3.0),
        ("length", 0.0),
        ("wall", -1.0),
        ("base", 49.0),
    ] {
        let message = with(key, value);
        assert!(
            message.contains(&format!("mesh.generate.left_ventricle.{key}")),
            "{message}"
        );
    }
    assert!(with("radius", 1e6).contains("mesh.generate"));
    assert!(with("wall", 1e-3).contains("mesh.generate"));
    // The edge proposed works.
    let message = refusal(&biventricle(7.0));
    let proposed = message
        .split("make it ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert_sound(&generate(&biventricle(proposed.parse().unwrap()), 1.0).unwrap());
}

#[test]
fn the_configuration_reads_as_documented() {
    let read = |text: &str| toml::from_str::<Generator>(text);
    assert_eq!(
        read("kind = 'biventricle'\nedge = 1.5").unwrap(),
        biventricle(1.5)
    );
    let generator =
        read("kind = 'biventricle'\nedge = 1.5\nright_ventricle = { wall = 4.0 }").unwrap();
    let Generator::Biventricle {
        right_ventricle, ..
    } = generator
    else {
        panic!()
    };
    assert_eq!(
        right_ventricle,
        RightVentricle {
            wall: Some(4.0),
            width: None
        }
    );
    assert!(read("kind = 'ellipsoid'\nedge = 1.5\nleft_ventricle = { wal = 4.0 }").is_err());
    assert!(read("kind = 'ellipsoid'\nedge = 1.5\nright_ventricle = { wall = 4.0 }").is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 6,
        failure_persistence: None,
        ..Default::default()
    })]
    /// Any reasonable heart, as finely as its walls need or finer.
    #[test]
    fn hearts_of_any_shape_are_sound(
        radius in 15.0f64..28.0,
        slender in 1.8f64..3.0,
        wall in 7.0f64..14.0,
        base in -0.2f64..0.6,
        right_wall in 4.0f64..7.0,
        width in 15.0f64..35.0,
        finer in 0.5f64..0.58,
    ) {
        let length = Some(radius * slender);
        let left_ventricle = LeftVentricle {
            radius: Some(radius),
            length,
            wall: Some(wall),
            base: length.map(|length| base * length),
        };
        let right_ventricle = RightVentricle { wall: Some(right_wall), width: Some(width) };
        let generator = Generator::Biventricle {
            edge: finer * right_wall,
            left_ventricle,
            right_ventricle,
            fibre_angles: FibreAngles::default(),
        };
        assert_sound(&generate(&generator, 1.0).unwrap());
    }
}
