//! Estimation on real meshes: derivatives by onset and place of sources, standard deviations
//! against repeated noisy inversions.

mod common;

use common::cases::{self, Case};
use common::ranks::Parts;
use common::relative_error;
use isochrone::comm::solo::Solo;
use isochrone::comm::{Communicator, threads};
use isochrone::eikonal::forward::Eikonal;
use isochrone::inversion::coordinator::{Callbacks, Settings, coordinate};
use isochrone::inversion::eikonal_misfit::{EikonalMisfit, MovingSources};
use isochrone::inversion::misfit::LocalObservations;
use isochrone::inversion::objective::{Objective, Want};
use isochrone::inversion::observations::{Observations, Sampling};
use isochrone::inversion::options::{GradientMode, InversionOptions, Optimizer, Parameter};
use isochrone::inversion::sources::{Emitter, Extent, Sources};
use isochrone::inversion::uncertainty::Uncertainty;
use isochrone::partition::local_mesh::{LocalMesh, WholeMesh, distribute};
use isochrone::tensor::{add, norm, scale, sub};
use nalgebra::DMatrix;

/// A misfit against φ* on ranks, with sources that move.
fn on_misfit<R: Send>(
    case: &Case,
    emitters: &[Emitter],
    measured: &[f64],
    mode: GradientMode,
    parts: Parts,
    body: impl Fn(&mut EikonalMisfit<f64>) -> R + Sync,
) -> Vec<R> {
    let of_vertex = parts.of(case);
    let all = Observations::new(
        Sampling::at_vertices(0..case.vertices() as u32),
        measured.to_vec(),
        None,
        case.vertices(),
    )
    .unwrap();
    threads::run(parts.ranks(), |comm| {
        let local = part(case, comm, &of_vertex);
        let eikonal = Eikonal::new(comm, &local, &case.sources, None).unwrap();
        let root = comm.rank() == 0;
        let moving = MovingSources {
            unknowns: emitters.iter().map(|e| e.unknowns().len()).sum(),
            root: root.then(|| Sources {
                mesh: &case.mesh,
                metric: Box::new(|t| case.metric_tensor(t)),
                domains: case.domains.clone(),
                emitters: emitters.to_vec(),
            }),
        };
        let mine = Observations::scatter(comm, root.then_some(&all), &of_vertex);
        let observations = localise(mine, &local);
        let k = case.gamma.len();
        let mut misfit =
            EikonalMisfit::new(comm, eikonal, observations, mode, k).with_sources(Some(moving));
        body(&mut misfit)
    })
}

fn part(case: &Case, comm: &dyn Communicator, parts: &[u32]) -> LocalMesh {
    let metric = |t: usize| case.metric_tensor(t);
    let whole = WholeMesh {
        points: &case.mesh.points,
        tetrahedra: &case.mesh.tetrahedra,
        metric: &metric,
        domains: &case.domains,
        parts,
    };
    distribute(comm, (comm.rank() == 0).then_some(&whole)).unwrap()
}

fn localise(
    mine: isochrone::inversion::observations::RankObservations,
    local: &LocalMesh,
) -> LocalObservations {
    let number = |g: u32| local.global_vertices.iter().position(|v| *v == g);
    mine.localise(|g| number(g).map(|l| l as u32)).unwrap()
}

/// A point whose onset and place are unknown, a second one, and vertices of unknown onset.
fn emitters(case: &Case) -> Vec<Emitter> {
    let (mesh, n) = (&case.mesh, case.vertices());
    let [a, b, ..] = mesh.tetrahedra[mesh.tetrahedron_count() / 2].map(|v| mesh.points[v as usize]);
    let edge = norm(sub(a, b));
    // In edges at a speed of 0.5.
    let after = |edges: f64| edges * edge / 0.5;
    let ball = |vertex: usize, onset, onset_unknown| Emitter {
        extent: Extent::Ball {
            point: add(mesh.points[vertex], scale(0.3 * edge, [0.71, -0.43, 0.56])),
            radius: 2.37 * edge,
        },
        onset,
        onset_unknown,
        point_unknown: true,
    };
    vec![
        ball(n / 3, after(0.3), true),
        ball(5 * n / 6, after(1.3), false),
        Emitter {
            extent: Extent::Vertices(vec![3, 11]),
            onset: after(0.9),
            onset_unknown: true,
            point_unknown: false,
        },
    ]
}

/// Parameters as described, and a φ* that is no solution of them.
fn setting(case: &Case) -> (Vec<Emitter>, Vec<f64>, Vec<f64>) {
    let emitters = emitters(case);
    let unknowns = emitters.iter().flat_map(Emitter::unknowns);
    let parameters: Vec<f64> = case.gamma.iter().copied().chain(unknowns).collect();
    let target = (0..case.vertices()).map(|v| 8.0 + 3.0 * (0.37 * v as f64).sin());
    (emitters, parameters, target.collect())
}

fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("cube", cases::cube(9).with_domains(4)),
        ("ventricle", cases::ventricle(4.0).with_domains(4)),
        ("cyclic", cases::cube(8).squared().with_domains(3)),
    ]
}

#[test]
fn derivatives_by_sources_agree_in_all_modes_and_on_all_ranks() {
    for (name, case) in cases() {
        let (emitters, parameters, target) = setting(&case);
        let gradient = |mode, parts| {
            on_misfit(&case, &emitters, &target, mode, parts, |misfit| {
                misfit.evaluate(&parameters, Want::Gradient).unwrap()
            })
            .remove(0)
        };
        let adjoint = gradient(GradientMode::Adjoint, Parts::Metis(1));
        assert_eq!(adjoint.gradient.len(), case.gamma.len() + 8);
        let of_sources = &adjoint.gradient[case.gamma.len()..];
        assert!(of_sources.iter().all(|x| x.abs() > 1e-3), "{of_sources:?}");
        let tangent = gradient(GradientMode::Tangent, Parts::Metis(1));
        let active = gradient(GradientMode::AllActive, Parts::Metis(2));
        for (mode, other) in [("tangent", &tangent), ("all-active", &active)] {
            let error = relative_error(&adjoint.gradient, &other.gradient);
            println!("{name}: adjoint against {mode} {error:.1e}");
            assert!(error < 1e-11, "{name} {mode}: {error:e}");
            assert_eq!(adjoint.misfit.to_bits(), other.misfit.to_bits());
        }
        for parts in [Parts::Metis(2), Parts::Metis(3), Parts::Modulo(3)] {
            assert_eq!(adjoint, gradient(GradientMode::Adjoint, parts), "{parts:?}");
            assert_eq!(tangent, gradient(GradientMode::Tangent, parts), "{parts:?}");
        }
        let normal = |parts| {
            on_misfit(
                &case,
                &emitters,
                &target,
                GradientMode::Adjoint,
                parts,
                |misfit| misfit.evaluate(&parameters, Want::GaussNewton).unwrap(),
            )
            .remove(0)
        };
        assert_eq!(normal(Parts::Metis(1)), normal(Parts::Stripes(2, 20)));
    }
}

/// |f(p + h δ) − f(p) − h ⟨∇f, δ⟩| falls as h², for γ and sources together and for sources alone.
#[test]
fn taylor_remainder_of_sources_is_of_second_order() {
    for (name, case) in cases() {
        let (emitters, parameters, target) = setting(&case);
        let k = case.gamma.len();
        let slopes = on_misfit(
            &case,
            &emitters,
            &target,
            GradientMode::Adjoint,
            Parts::Metis(1),
            |misfit| {
                let at = misfit.evaluate(&parameters, Want::Gradient).unwrap();
                let direction = |i: usize| (1.7 * i as f64).cos();
                [0, k].map(|first| {
                    let directions = (0..parameters.len())
                        .map(|i| if i < first { 0.0 } else { direction(i) })
                        .collect::<Vec<f64>>();
                    let slope: f64 = directions
                        .iter()
                        .zip(&at.gradient)
                        .map(|(d, g)| d * g)
                        .sum();
                    let mut remainder = |h: f64| {
                        let moved = parameters.iter().zip(&directions).map(|(p, d)| p + h * d);
                        let moved: Vec<f64> = moved.collect();
                        let f = misfit.evaluate(&moved, Want::Misfit).unwrap().misfit;
                        (f - at.misfit - h * slope).abs()
                    };
                    let r = [1e-4, 5e-5, 2.5e-5].map(&mut remainder);
                    [(r[0] / r[1]).log2(), (r[1] / r[2]).log2()]
                })
            },
        )
        .remove(0);
        println!("{name}: {slopes:.3?}");
        for slope in slopes.into_iter().flatten() {
            assert!((slope - 2.0).abs() < 0.1, "{name}: {slopes:?}");
        }
    }
}

/// 600 inversions of the same slab with other noise: the sample deviations of log γ, onset and place
/// are the predicted ones within 5 of their own deviations, and so is the noise that is estimated
/// from the residuals.
#[test]
fn standard_deviations_are_those_of_repeated_inversions() {
    const SAMPLES: usize = 600;
    const NOISE: f64 = 0.004;
    let case = cases::cube(7).with_domains(3);
    let mut emitter = emitters(&case).remove(0);
    emitter.onset_unknown = true;
    let emitters = [emitter];
    let truth: Vec<f64> = case
        .gamma
        .iter()
        .copied()
        .chain(emitters[0].unknowns())
        .collect();
    let k = case.gamma.len();
    let zeros = vec![0.0; case.vertices()];
    let phi = on_misfit(
        &case,
        &emitters,
        &zeros,
        GradientMode::Adjoint,
        Parts::Metis(1),
        |m| {
            let solution = m.solve(&truth).unwrap();
            let numbers = m.eikonal.numbers.vertices.clone();
            let mut phi = vec![0.0; numbers.len()];
            for (v, time) in numbers.iter().zip(&solution.phi) {
                phi[*v as usize] = *time;
            }
            phi
        },
    )
    .remove(0);
    let options = InversionOptions {
        optimizer: Optimizer::LevenbergMarquardt,
        ..InversionOptions::default()
    };
    let settings = Settings::new(&options, Vec::new(), phi.len() as u64).unwrap();
    let invert = |seed: usize| {
        let mut measured = phi.clone();
        isochrone::inversion::observations::add_noise(&mut measured, NOISE, seed as u64).unwrap();
        let mode = GradientMode::Adjoint;
        on_misfit(
            &case,
            &emitters,
            &measured,
            mode,
            Parts::Metis(1),
            |misfit| {
                let callbacks = Callbacks {
                    on_iteration: &mut |_, _| Ok(()),
                    should_stop: &mut || None,
                };
                let outcome =
                    coordinate(&Solo, misfit, &settings, &truth, None, callbacks).unwrap();
                let best = outcome.best().clone();
                let found = best.parameters();
                let solution = misfit.solve(&found).unwrap();
                let mut normal = misfit.normal_matrix(&solution, &found).unwrap();
                Parameter::Log.chain_hessian(&best.gamma, &mut normal);
                let none = DMatrix::zeros(normal.nrows(), normal.ncols());
                let n = misfit.measurements();
                let known = Uncertainty::new(&normal, &none, best.misfit, n, Some(NOISE));
                let unknown = Uncertainty::new(&normal, &none, best.misfit, n, None);
                let theta: Vec<f64> = found
                    .iter()
                    .zip(&truth)
                    .enumerate()
                    .map(|(i, (p, t))| if i < k { (p / t).ln() } else { p - t })
                    .collect();
                (theta, known.deviations, unknown.noise)
            },
        )
        .remove(0)
    };
    let samples: Vec<_> = (0..SAMPLES).map(invert).collect();
    let n = SAMPLES as f64;
    let noise = samples.iter().map(|s| s.2 * s.2).sum::<f64>() / n;
    let bound = 5.0 * (2.0 / (n * phi.len() as f64)).sqrt();
    assert!((noise / (NOISE * NOISE) - 1.0).abs() < bound, "{noise}");
    for i in 0..truth.len() {
        let mean = samples.iter().map(|s| s.0[i]).sum::<f64>() / n;
        let variance = samples.iter().map(|s| (s.0[i] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let predicted = samples[0].1[i];
        println!("{i}: {:.4e}, predicted {predicted:.4e}", variance.sqrt());
        let ratio = variance.sqrt() / predicted;
        assert!((ratio - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{i}: {ratio}");
        assert!(
            mean.abs() < 5.0 * predicted / n.sqrt() + 0.05 * predicted,
            "{i}: {mean}"
        );
    }
}
