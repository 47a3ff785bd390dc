//! Forward eikonal solutions: against reference solutions, other methods and exact solutions, and
//! with the same bits for any ranks, threads and order of updates.

mod common;

use common::brute_force;
use common::cases::{self, Case};
use common::ranks::{Parts, Whole, solve};
use common::{differing, relative_error};
use isochrone::eikonal::local_solver::{Corner, arrival};
use isochrone::mesh::TetMesh;
use isochrone::partition::local_mesh::metric_lengths;

/// What a solution took, printed for whoever runs with `--nocapture`.
fn describe(name: &str, case: &Case, whole: &Whole) {
    let (n, c) = (case.vertices() as f64, whole.counters);
    println!(
        "{name}: {:.1} + {:.1} local solves per vertex, {:.2} updates, {} restarts, {} cyclic \
         vertices, own cycles {:?}, shared {:?}",
        c.local_solves as f64 / n,
        c.canonical_solves as f64 / n,
        c.vertex_updates as f64 / n,
        c.restarts,
        c.cyclic_vertices,
        whole.own_cycles,
        whole.shared_cycles,
    );
}

fn assert_same(a: &Whole, b: &Whole, what: &str) {
    let times = differing(&a.phi, &b.phi);
    let stencils = a
        .stencils
        .iter()
        .zip(&b.stencils)
        .filter(|(a, b)| a != b)
        .count();
    assert!(
        times == 0 && stencils == 0,
        "{what}: {times} times and {stencils} stencils of {} differ, by {:.1e}",
        a.phi.len(),
        relative_error(&a.phi, &b.phi)
    );
}

fn with_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(body)
}

/// Solution on one rank with a number of threads.
fn solve_with_threads(case: &Case, threads: usize, width: Option<f64>) -> Vec<f64> {
    use isochrone::comm::solo::Solo;
    use isochrone::eikonal::forward::Eikonal;
    use isochrone::partition::local_mesh::{WholeMesh, distribute};
    let metric = |t: usize| case.metric_tensor(t);
    let whole = WholeMesh {
        points: &case.mesh.points,
        tetrahedra: &case.mesh.tetrahedra,
        metric: &metric,
        domains: &case.domains,
        parts: &vec![0; case.vertices()],
    };
    let local = distribute(&Solo, Some(&whole)).unwrap();
    with_threads(threads, || {
        let eikonal = Eikonal::<f64>::new(&Solo, &local, &case.sources, width).unwrap();
        let solution = eikonal.solve(&Solo, &case.gamma).unwrap();
        let mut phi = vec![f64::NAN; case.vertices()];
        for (v, time) in local.global_vertices.iter().zip(&solution.phi) {
            phi[*v as usize] = *time;
        }
        phi
    })
}

/// Largest relative residual of φ_v = min over the tetrahedra at v, sources aside.
fn residual(case: &Case, phi: &[f64]) -> f64 {
    let mesh = &case.mesh;
    let mut best = vec![f64::INFINITY; mesh.vertex_count()];
    for source in &case.sources {
        let onset = &mut best[source.vertex as usize];
        *onset = onset.min(source.time);
    }
    const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
    for (t, tet) in mesh.tetrahedra.iter().enumerate() {
        let lengths = metric_lengths(&case.metric_tensor(t), mesh.corners(t));
        let gamma = case.gamma[case.domains[t] as usize];
        let length = |i: usize, j: usize| {
            let pair = (i.min(j), i.max(j));
            lengths[PAIRS.iter().position(|p| *p == pair).unwrap()] / gamma
        };
        for c in 0..4 {
            let f: Vec<usize> = (0..4).filter(|k| *k != c).collect();
            let corner = Corner {
                l12: length(f[0], f[1]),
                l13: length(f[0], f[2]),
                l23: length(f[1], f[2]),
                l14: length(f[0], c),
                l24: length(f[1], c),
                l34: length(f[2], c),
                phi: [0, 1, 2].map(|k| phi[tet[f[k]] as usize]),
            };
            let best = &mut best[tet[c] as usize];
            *best = best.min(arrival(&corner));
        }
    }
    relative_error(&best, phi)
}

/// A reference case: error in f64 and f32, and the same bits for ranks, buckets and threads.
fn check_reference(file: &str, name: &str) {
    let Some((case, expected)) = cases::reference(file, name) else {
        return;
    };
    let one = solve::<f64>(&case, Parts::Metis(1), None);
    let error = relative_error(&one.phi, &expected);
    let single = solve::<f32>(&case, Parts::Metis(1), None);
    let error32 = relative_error(&single.phi, &expected);
    describe(&format!("{file} {name}"), &case, &one);
    println!("error {error:.1e} in f64, {error32:.1e} in f32");
    assert!(error <= 1e-9, "{file} {name}: {error:e}");
    assert!(error32 <= 1e-5, "{file} {name} in f32: {error32:e}");
    for ranks in [2, 3, 4] {
        let other = solve::<f64>(&case, Parts::Metis(ranks), None);
        assert_same(&one, &other, &format!("{file} {name}, {ranks} ranks"));
    }
    let error32 = relative_error(&solve::<f32>(&case, Parts::Metis(3), None).phi, &expected);
    assert!(
        error32 <= 1e-5,
        "{file} {name} in f32, 3 ranks: {error32:e}"
    );
    let largest = expected.iter().fold(0.0f64, |m, x| m.max(*x));
    for width in [largest / 7.0, largest / 400.0] {
        let other = solve::<f64>(&case, Parts::Metis(1), Some(width));
        assert_same(&one, &other, &format!("{file} {name}, buckets of {width}"));
    }
    for threads in [1, 3] {
        let other = solve_with_threads(&case, threads, None);
        assert_eq!(differing(&one.phi, &other), 0, "{threads} threads");
    }
}

#[test]
fn reference_cube() {
    for name in ["M", "multi", "hom", "iso"] {
        check_reference("cube_35k.h5", name);
    }
}

#[test]
fn reference_ventricle() {
    check_reference("left_ventricle_273k.h5", "M");
}

#[test]
fn reference_ventricle_with_five_sources() {
    check_reference("left_ventricle_273k.h5", "multi");
}

/// Cases of our own: fixed point, and the same bits for ranks however cut, buckets and threads.
fn check_same_bits(name: &str, case: &Case, tolerance: f64) -> Whole {
    let one = solve::<f64>(case, Parts::Metis(1), None);
    describe(name, case, &one);
    let residual = residual(case, &one.phi);
    println!("residual {residual:.1e}");
    assert!(residual <= tolerance, "{name}: residual {residual:e}");
    for parts in [
        Parts::Metis(2),
        Parts::Metis(3),
        Parts::Metis(4),
        Parts::Modulo(3),
        Parts::Stripes(2, 50),
    ] {
        let other = solve::<f64>(case, parts, None);
        describe(&format!("{name} {parts:?}"), case, &other);
        assert_same(&one, &other, &format!("{name}, {parts:?}"));
        if let Parts::Modulo(_) = parts {
            assert_eq!(
                one.own_cycles.0 > 0,
                other.shared_cycles.0 > 0,
                "{name}: cycles across ranks"
            );
        }
    }
    let finite = one.phi.iter().copied().filter(|x| x.is_finite());
    let span = finite.clone().fold(f64::MIN, f64::max) - finite.fold(f64::MAX, f64::min);
    for width in [span / 3.0, span / 300.0] {
        let other = solve::<f64>(case, Parts::Metis(1), Some(width));
        assert_same(&one, &other, &format!("{name}, buckets of {width}"));
        let other = solve::<f64>(case, Parts::Modulo(2), Some(width));
        assert_same(
            &one,
            &other,
            &format!("{name}, 2 ranks, buckets of {width}"),
        );
    }
    for threads in [1, 3] {
        let other = solve_with_threads(case, threads, None);
        assert_eq!(differing(&one.phi, &other), 0, "{name}, {threads} threads");
    }
    one
}

#[test]
fn cube_with_five_sources() {
    check_same_bits("cube", &cases::cube(12), 1e-12);
    check_same_bits("cube, γ by domain", &cases::cube(9).with_domains(7), 1e-12);
}

#[test]
fn ventricle() {
    check_same_bits("ventricle", &cases::ventricle(3.5), 1e-12);
}

#[test]
fn cyclic_upwind_graphs() {
    let cube = check_same_bits("cube squared", &cases::cube(10).squared(), 1e-12);
    let ventricle = check_same_bits("ventricle squared", &cases::ventricle(3.5).squared(), 1e-12);
    assert!(cube.counters.cyclic_vertices + ventricle.counters.cyclic_vertices > 100);
}

#[test]
fn scrambled_tensors() {
    for (n, ratio, seed) in [(8, 4.0, 1), (8, 20.0, 2), (12, 50.0, 3)] {
        let case = cases::scrambled(n, ratio, seed);
        let one = check_same_bits(&format!("scrambled {ratio}"), &case, 1e-12);
        let single = solve::<f32>(&case, Parts::Metis(2), None);
        let error = relative_error(&single.phi, &one.phi);
        println!("{error:.1e} in f32");
        // Squared lengths differ by the ratio squared, and cancel.
        assert!(
            error < 1e-6 * ratio * ratio,
            "scrambled {ratio} in f32: {error:e}"
        );
    }
}

#[test]
fn cyclic_reference_ventricle() {
    let Some((case, _)) = cases::reference("left_ventricle_273k.h5", "M") else {
        return;
    };
    let case = case.squared();
    let one = solve::<f64>(&case, Parts::Metis(1), None);
    describe("left_ventricle_273k squared", &case, &one);
    let residual = residual(&case, &one.phi);
    println!("residual {residual:.1e}");
    assert!(residual <= 1e-12, "{residual:e}");
    for parts in [Parts::Metis(2), Parts::Metis(4), Parts::Stripes(3, 1000)] {
        let other = solve::<f64>(&case, parts, None);
        describe(&format!("{parts:?}"), &case, &other);
        assert_same(&one, &other, &format!("{parts:?}"));
    }
}

/// Another method altogether: Gauss–Seidel with golden sections over the simplex.
#[test]
fn agrees_with_brute_force() {
    for (name, case) in [
        ("cube", cases::cube(4).with_domains(3)),
        ("cube squared", cases::cube(4).squared()),
        ("scrambled", cases::scrambled(4, 10.0, 4)),
        ("ventricle", cases::ventricle(5.7)),
    ] {
        let expected = brute_force::activation_time(&case);
        let found = solve::<f64>(&case, Parts::Metis(2), None).phi;
        let error = relative_error(&found, &expected);
        println!("{name}: {} vertices, {error:.1e}", case.vertices());
        assert!(error < 1e-10, "{name}: {error:e}");
    }
}

/// Exact times in a ball around the source; order of convergence over four refinements.
#[test]
fn order_of_convergence() {
    for speeds in [[1.0, 1.0, 1.0], [0.9, 0.3, 0.3]] {
        let tensor = cases::oblique(speeds);
        let metric = isochrone::tensor::VelocityTensor(tensor).metric().unwrap();
        let exact = |x: &[f64; 3]| {
            let e = isochrone::tensor::sub(*x, [0.5; 3]);
            metric.squared_length(e).sqrt()
        };
        let mut errors = Vec::new();
        for n in [8, 12, 18, 27, 40] {
            let mesh = cases::kuhn(n, 1.0);
            let sources: Vec<(u32, f64)> = (0u32..)
                .zip(&mesh.points)
                .filter(|(_, x)| {
                    isochrone::tensor::norm(isochrone::tensor::sub(**x, [0.5; 3])) < 0.2
                })
                .map(|(v, x)| (v, exact(x)))
                .collect();
            let count = mesh.tetrahedron_count();
            let case = Case::new(mesh, vec![tensor; count], &sources);
            let phi = solve::<f64>(&case, Parts::Metis(1), None).phi;
            let pairs = phi.iter().zip(&case.mesh.points);
            errors.push(pairs.fold(0.0f64, |m, (p, x)| m.max((p - exact(x)).abs())));
        }
        let orders: Vec<f64> = errors
            .windows(2)
            .map(|e| (e[0] / e[1]).ln() / 1.5f64.ln())
            .collect();
        println!("speeds {speeds:?}: errors {errors:?}, orders {orders:.2?}");
        let overall = (errors[0] / errors[4]).ln() / 5.0f64.ln();
        assert!(overall >= 0.9, "{speeds:?}: {orders:?}");
    }
}

#[test]
fn one_tetrahedron() {
    let points = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let mesh = TetMesh::new(points, vec![[0, 1, 2, 3]]);
    let tensor = [4.0, 0.0, 0.0, 1.0, 0.0, 0.25];
    let case = Case::new(mesh, vec![tensor], &[(0, 1.0)]);
    for parts in [Parts::Metis(1), Parts::Modulo(2), Parts::Modulo(4)] {
        let phi = solve::<f64>(&case, parts, None).phi;
        assert!(
            relative_error(&phi, &[1.0, 1.5, 2.0, 3.0]) < 1e-15,
            "{phi:?}"
        );
    }
}

/// Two cubes that do not touch, one with a source; ranks that own nothing.
#[test]
fn vertices_that_no_source_reaches() {
    let mut mesh = cases::kuhn(3, 1.0);
    let half = mesh.vertex_count() as u32;
    let (points, tetrahedra) = (mesh.points.clone(), mesh.tetrahedra.clone());
    mesh.points
        .extend(points.iter().map(|x| [x[0] + 5.0, x[1], x[2]]));
    mesh.tetrahedra
        .extend(tetrahedra.iter().map(|t| t.map(|v| v + half)));
    let mesh = TetMesh::new(mesh.points, mesh.tetrahedra);
    let tensors = cases::rotating(&mesh, 1.0);
    let case = Case::new(mesh, tensors, &[(5, 0.0)]);
    let one = solve::<f64>(&case, Parts::Metis(1), None);
    for parts in [
        Parts::Metis(2),
        Parts::Modulo(3),
        // Ranks 2 to 5 own nothing.
        Parts::Stripes(6, 64),
    ] {
        assert_same(
            &one,
            &solve::<f64>(&case, parts, None),
            &format!("{parts:?}"),
        );
    }
    let (reached, lost) = one.phi.split_at(half as usize);
    assert!(reached.iter().all(|t| t.is_finite()));
    assert!(lost.iter().all(|t| *t == f64::INFINITY));
    assert!(one.stencils[half as usize..].iter().all(Option::is_none));
    // No source at all: nothing is reached, and it ends.
    let none = solve::<f64>(&case.clone().with_sources(&[]), Parts::Metis(2), None);
    assert!(none.phi.iter().all(|t| *t == f64::INFINITY));
}

#[test]
fn sources_named_twice_late_or_on_the_cut() {
    let case = cases::cube(8);
    let early = case.clone().with_sources(&[(40, 0.0)]);
    let expected = solve::<f64>(&early, Parts::Metis(1), None);
    // The earlier onset of two counts; an onset after the arrival changes nothing.
    let arrival = expected.phi[500];
    let late = case
        .clone()
        .with_sources(&[(40, 3.0), (500, arrival + 0.5), (40, 0.0), (40, 0.0)]);
    for parts in [Parts::Metis(1), Parts::Metis(3), Parts::Modulo(4)] {
        let found = solve::<f64>(&late, parts, None);
        assert_same(&expected, &found, &format!("late source, {parts:?}"));
    }
    // An onset just before the arrival does count.
    let before = case
        .clone()
        .with_sources(&[(40, 0.0), (500, arrival - 0.01)]);
    let found = solve::<f64>(&before, Parts::Metis(2), None);
    assert_eq!(found.phi[500], arrival - 0.01);
    // Sources on the boundary between parts.
    let parts = Parts::Metis(3);
    let of_vertex = parts.of(&case);
    let cut: Vec<(u32, f64)> = case
        .mesh
        .tetrahedra
        .iter()
        .filter(|t| {
            t.iter()
                .any(|v| of_vertex[*v as usize] != of_vertex[t[0] as usize])
        })
        .step_by(97)
        .map(|t| (t[0], 0.01 * f64::from(t[0] % 7)))
        .collect();
    assert!(cut.len() > 2);
    let case = case.with_sources(&cut);
    let one = solve::<f64>(&case, Parts::Metis(1), None);
    assert_same(
        &one,
        &solve::<f64>(&case, parts, None),
        "sources on the cut",
    );
}

/// φ(onset + c) = φ(onset) + c, also where times cross zero.
#[test]
fn times_near_zero() {
    // Isotropic: ties everywhere.
    let mesh = cases::kuhn(6, 1.0);
    let count = mesh.tetrahedron_count();
    let iso = Case::new(
        mesh,
        vec![[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]; count],
        &[(40, 0.0)],
    );
    for case in [iso, cases::cube(6).with_sources(&[(40, 0.0)])] {
        let zero = solve::<f64>(&case, Parts::Metis(1), None).phi;
        for (v, time) in zero.iter().enumerate() {
            let shifted = case.clone().with_sources(&[(40, -time)]);
            let one = solve::<f64>(&shifted, Parts::Metis(1), None);
            for parts in [Parts::Modulo(2), Parts::Stripes(3, 30)] {
                let other = solve::<f64>(&shifted, parts, None);
                assert_same(&one, &other, &format!("vertex {v} at 0, {parts:?}"));
            }
            let back: Vec<f64> = one.phi.iter().map(|t| t + time).collect();
            let error = relative_error(&back, &zero);
            assert!(error < 1e-13, "vertex {v} at 0: {error:e}");
        }
    }
}

#[test]
fn negative_onsets() {
    let case = cases::cube(8).with_sources(&[(40, 0.0)]);
    let zero = solve::<f64>(&case, Parts::Metis(1), None).phi;
    let mut onsets = vec![-50.0, -1.0, 1e3];
    // Some vertex is reached at 0, to rounding.
    onsets.extend(zero.iter().step_by(61).map(|t| -t));
    for onset in onsets {
        let shifted = case.clone().with_sources(&[(40, onset)]);
        let one = solve::<f64>(&shifted, Parts::Metis(1), None);
        let back: Vec<f64> = one.phi.iter().map(|t| t - onset).collect();
        let error = relative_error(&back, &zero);
        assert!(
            error < 1e-14 * (1.0 + onset.abs()),
            "onset {onset}: {error:e}"
        );
        let other = solve::<f64>(&shifted, Parts::Modulo(2), None);
        assert_same(&one, &other, &format!("onset {onset}"));
    }
}
