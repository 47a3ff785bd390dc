//! The eikonal solver on a device against that on the CPU.

use isochrone::comm::halo::Traffic;
use isochrone::comm::solo::Solo;
use isochrone::comm::threads;
use isochrone::device::{Argument, Array, Launch};
use isochrone::eikonal::forward::Eikonal;
use isochrone::eikonal::local_solver::{self, Corner};
use isochrone::eikonal::on_device::{levels, program};
use isochrone::partition::local_mesh::{WholeMesh, distribute};
use isochrone::real::Real;
use rand::{Rng, SeedableRng};

use crate::common::cases::{self, Case};
use crate::common::ranks::{Parts, assemble};
use crate::host::{Open, devices};

/// What a solution and its derivatives come to, in the file's order.
struct Found {
    phi: Vec<f64>,
    jacobian: Vec<f64>,
    phi_bar: Vec<f64>,
    tensor: Vec<[f64; 6]>,
    cyclic: u64,
    local_solves: u64,
}

fn solve<T: Real>(case: &Case, parts: Parts, device: Option<&Open>) -> Found {
    let of_vertex = parts.of(case);
    let metric = |t: usize| case.metric_tensor(t);
    let whole = WholeMesh {
        points: &case.mesh.points,
        tetrahedra: &case.mesh.tetrahedra,
        metric: &metric,
        domains: &case.domains,
        parts: &of_vertex,
    };
    let gamma: Vec<T> = case.gamma.iter().map(|g| T::from_f64(*g)).collect();
    let k = gamma.len();
    let results = threads::run(parts.ranks(), |comm| {
        let whole = (comm.rank() == 0).then_some(&whole);
        let local = distribute(comm, whole).unwrap();
        let mut eikonal = Eikonal::<T>::new(comm, &local, &case.sources, None).unwrap();
        // A device of its own for each rank, as in a run.
        if let Some(open) = device {
            eikonal = eikonal.on_device(comm, &open()).unwrap();
        }
        let solution = eikonal.solve(comm, &gamma).unwrap();
        let mut traffic = Traffic::default();
        let jacobian = eikonal.jacobian(comm, &solution, &case.gamma, &mut traffic);
        let downwind = eikonal.downwind(comm, &solution, &mut traffic);
        let mut phi_bar: Vec<f64> = local
            .global_vertices
            .iter()
            .map(|number| (f64::from(*number) * 0.7).sin())
            .collect();
        eikonal.adjoint(comm, &solution, &downwind, &mut phi_bar, &mut traffic);
        let tensor =
            eikonal.metric_sensitivity(&local, &solution, &downwind, &case.gamma, &phi_bar);
        let tensor: Vec<(u32, [f64; 6])> = local
            .global_tetrahedra
            .iter()
            .zip(tensor)
            .filter_map(|(t, s)| Some((*t, s?)))
            .collect();
        let phi: Vec<f64> = solution.phi.iter().map(|t| t.value()).collect();
        let owned = |values: &[f64], width: usize| -> Vec<(u32, Vec<f64>)> {
            let numbers = &local.global_vertices[..local.owned];
            let rows = values.chunks_exact(width).map(<[f64]>::to_vec);
            numbers.iter().copied().zip(rows).collect()
        };
        let counters = solution.counters;
        (
            [owned(&phi, 1), owned(&jacobian, k), owned(&phi_bar, 1)],
            tensor,
            [counters.cyclic_vertices, counters.local_solves],
        )
    });
    let mut found = Found {
        phi: Vec::new(),
        jacobian: Vec::new(),
        phi_bar: Vec::new(),
        tensor: vec![[f64::NAN; 6]; case.mesh.tetrahedron_count()],
        cyclic: 0,
        local_solves: 0,
    };
    let part = |i: usize| assemble(case, results.iter().map(|(fields, ..)| fields[i].clone()));
    (found.phi, found.jacobian, found.phi_bar) = (part(0), part(1), part(2));
    for (_, tensor, [cyclic, solves]) in &results {
        tensor
            .iter()
            .for_each(|(t, s)| found.tensor[*t as usize] = *s);
        found.cyclic += cyclic;
        found.local_solves += solves;
    }
    found
}

/// Largest difference relative to the largest value; equal infinities differ by nothing.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let scale = a
        .iter()
        .filter(|x| x.is_finite())
        .fold(0.0_f64, |m, x| m.max(x.abs()));
    let differ = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() };
    a.iter().zip(b).map(differ).fold(0.0, f64::max) / scale
}

fn check<T: Real>(case: &Case, parts: Parts, tolerance: f64, what: &str) -> Found {
    let expected = solve::<T>(case, Parts::Metis(1), None);
    assert!(expected.phi.iter().any(|t| t.is_finite() && *t > 0.0));
    for (name, device) in devices() {
        let found = solve::<T>(case, parts, Some(&device));
        for (field, a, b) in [
            ("phi", &expected.phi, &found.phi),
            ("jacobian", &expected.jacobian, &found.jacobian),
            ("phi_bar", &expected.phi_bar, &found.phi_bar),
            (
                "tensor",
                &expected.tensor.as_flattened().to_vec(),
                &found.tensor.as_flattened().to_vec(),
            ),
        ] {
            let distance = distance(a, b);
            println!("{what} on {name}: {field} differs by {distance:.1e}");
            assert!(
                distance <= tolerance,
                "{what} on {name}: {field} differs by {distance:.1e}"
            );
        }
        let n = case.vertices() as f64;
        println!(
            "{what} on {name}: {:.1} local solves per vertex, {:.1} on the CPU",
            found.local_solves as f64 / n,
            expected.local_solves as f64 / n
        );
    }
    expected
}

#[test]
fn cube_with_five_sources() {
    let case = cases::cube(14).with_domains(6);
    check::<f64>(&case, Parts::Metis(1), 1e-10, "cube");
    check::<f64>(&case, Parts::Metis(3), 1e-10, "cube on three ranks");
    // In f32 near-ties within 5e-5 may be decided otherwise.
    let f32_case = cases::cube(10).with_domains(3);
    let expected = solve::<f32>(&f32_case, Parts::Metis(1), None);
    for (name, device) in devices() {
        let found = solve::<f32>(&f32_case, Parts::Metis(1), Some(&device));
        let distance = distance(&expected.phi, &found.phi);
        assert!(distance <= 1e-5, "cube in f32 on {name}: {distance:.1e}");
    }
}

#[test]
fn ventricle() {
    let case = cases::ventricle(3.0).with_domains(5);
    check::<f64>(&case, Parts::Metis(1), 1e-10, "ventricle");
    check::<f64>(&case, Parts::Metis(2), 1e-10, "ventricle on two ranks");
}

#[test]
fn cycles_that_converge_slowly() {
    let case = cases::scrambled(7, 30.0, 5).with_domains(4);
    let found = check::<f64>(&case, Parts::Metis(1), 1e-9, "cycles");
    assert!(found.cyclic > 0, "the case has no cycles");
    check::<f64>(&case, Parts::Modulo(2), 1e-9, "cycles on two ranks");
}

/// A corner of a random tetrahedron, times within reach of each other.
fn random_corner<T: Real>(random: &mut impl Rng) -> Corner<T> {
    let mut point = || -> [f64; 3] { std::array::from_fn(|_| random.random_range(-1.0..1.0)) };
    let x = [point(), point(), point(), point()];
    let length = |i: usize, j: usize| {
        let squares = (0..3).map(|a| (x[i][a] - x[j][a]).powi(2));
        T::from_f64(squares.sum())
    };
    Corner {
        l12: length(0, 1),
        l13: length(0, 2),
        l23: length(1, 2),
        l14: length(0, 3),
        l24: length(1, 3),
        l34: length(2, 3),
        phi: std::array::from_fn(|_| match random.random_range(0..20) {
            0 => T::from_f64(f64::INFINITY),
            _ => T::from_f64(random.random_range(0.0..1.0)),
        }),
    }
}

fn words<T: Real>(k: &Corner<T>) -> [T; 9] {
    [
        k.l12, k.l13, k.l23, k.l14, k.l24, k.l34, k.phi[0], k.phi[1], k.phi[2],
    ]
}

/// The local solver gives the twin's bits, and the bound from below passes over none that counts.
fn local_solver<T: Real>() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let corners: Vec<Corner<T>> = (0..20_000).map(|_| random_corner(&mut random)).collect();
    let expected: Vec<T> = corners.iter().map(local_solver::arrival).collect();
    // What is known already: a little later or earlier than the arrival.
    let known: Vec<T> = expected
        .iter()
        .map(|t| match t.value() {
            t if t.is_finite() => T::from_f64(t * random.random_range(0.5..1.5)),
            _ => T::from_f64(f64::INFINITY),
        })
        .collect();
    for (name, open) in devices() {
        let device = open();
        let on = &*device;
        let kernels = on.load(&program::<T>()).unwrap();
        let all: Vec<T> = corners.iter().flat_map(words).collect();
        let input = Array::of(on, &all).unwrap();
        let output = Array::<T>::zeros(on, corners.len()).unwrap();
        let count = Argument::of(corners.len() as i32);
        let launch = |kernel: &str| Launch::over(kernels.get(kernel).unwrap(), 4096);
        let arguments = [input.argument(), count.clone(), output.argument()];
        on.launch(launch("arrivals"), &arguments).unwrap();
        for (i, (a, b)) in expected.iter().zip(output.to_vec(on).unwrap()).enumerate() {
            let (a, b) = (a.value(), b.value());
            assert!(
                a.to_bits() == b.to_bits(),
                "{name}: corner {i}: {a} and {b}"
            );
        }
        let known_there = Array::of(on, &known).unwrap();
        let late = Array::<u32>::zeros(on, corners.len()).unwrap();
        let arguments = [
            input.argument(),
            known_there.argument(),
            count,
            late.argument(),
        ];
        on.launch(launch("screened"), &arguments).unwrap();
        let late = late.to_vec(on).unwrap();
        let passed = late.iter().filter(|l| **l == 1).count();
        assert!(
            passed > corners.len() / 10,
            "{name}: the bound helps nothing: {passed}"
        );
        for (i, late) in late.iter().enumerate() {
            let counts = expected[i] < known[i] * T::from_f64(1.0 - 4.0 * T::EPSILON);
            assert!(
                *late == 0 || !counts,
                "{name}: corner {i} is passed over and counts"
            );
        }
    }
}

#[test]
fn local_solver_twins() {
    local_solver::<f64>();
    local_solver::<f32>();
}

/// Upwind vertices lie in earlier levels.
#[test]
fn levels_are_causal() {
    let case = cases::cube(8);
    let metric = |t: usize| case.metric_tensor(t);
    let parts = vec![0; case.vertices()];
    let whole = WholeMesh {
        points: &case.mesh.points,
        tetrahedra: &case.mesh.tetrahedra,
        metric: &metric,
        domains: &case.domains,
        parts: &parts,
    };
    let local = distribute(&Solo, Some(&whole)).unwrap();
    let eikonal = Eikonal::<f64>::new(&Solo, &local, &case.sources, None).unwrap();
    let solution = eikonal.solve(&Solo, &case.gamma).unwrap();
    let levels = levels(&solution.order, &solution.stencils).unwrap();
    assert_eq!(levels.vertices.len(), solution.order.vertices.len());
    assert!(
        levels.cycles.iter().any(|cycles| !cycles.is_empty()),
        "no cycle to be tested"
    );
    let mut level_of = vec![0; case.vertices()];
    for level in 0..levels.ends.len() {
        let members = &levels.vertices[levels.range(level)];
        assert!(!members.is_empty(), "level {level} is empty");
        members
            .iter()
            .for_each(|v| level_of[*v as usize] = level + 1);
    }
    for &v in &levels.vertices {
        for (u, _) in solution.stencils[v as usize].upwind() {
            let (of_u, of_v) = (level_of[u as usize], level_of[v as usize]);
            assert!(of_u < of_v || of_u == of_v && levels.in_one_cycle(u, v));
        }
    }
}
