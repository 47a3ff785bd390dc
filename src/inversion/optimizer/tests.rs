//! The optimisers on objectives with known solutions.

use nalgebra::{DMatrix, DVector};

use super::*;
use crate::inversion::analytic::LeastSquares;
use crate::inversion::objective::Counters;
use crate::inversion::options::{GradientMode, Parameter, Regularisation, StopOptions};
use crate::inversion::regularisation::Penalty;

const ALL: [Optimizer; 5] = [
    Optimizer::Bfgs,
    Optimizer::Lbfgs,
    Optimizer::SteepestDescent,
    Optimizer::GaussNewton,
    Optimizer::LevenbergMarquardt,
];

const HESSIANS: [InitialHessian; 3] = [
    InitialHessian::Identity,
    InitialHessian::Diagonal,
    InitialHessian::GaussNewton,
];

struct Case {
    optimizer: Optimizer,
    hessian: InitialHessian,
    parameter: Parameter,
    gradient: GradientMode,
    stop: StopOptions,
}

impl Case {
    fn new(optimizer: Optimizer, hessian: InitialHessian, iterations: usize) -> Self {
        Self {
            optimizer,
            hessian,
            parameter: Parameter::Log,
            gradient: GradientMode::Adjoint,
            stop: StopOptions {
                iterations,
                ..StopOptions::default()
            },
        }
    }

    /// All states and the reason; `resume` continues from a state.
    fn run(
        &self,
        objective: &mut LeastSquares,
        gamma: &[f64],
        resume: Option<State>,
    ) -> (Vec<State>, StopReason) {
        let penalty = Penalty::new(&Regularisation::default(), Vec::new()).unwrap();
        let counters = resume.as_ref().map_or(Counters::default(), |s| s.counters);
        let mut problem =
            Problem::new(objective, self.parameter, &penalty, self.gradient, counters);
        let mut state = resume.unwrap_or_else(|| {
            State::first(&mut problem, self.optimizer, self.hessian, gamma).unwrap()
        });
        let mut states = vec![state.clone()];
        let reason = minimise(
            &mut problem,
            &mut state,
            &self.stop,
            &mut |s| {
                states.push(s.clone());
                Ok(())
            },
            &mut || None,
        )
        .unwrap();
        (states, reason)
    }
}

fn error(state: &State, solution: &[f64]) -> f64 {
    let gamma = &state.point.gamma;
    gamma
        .iter()
        .zip(solution)
        .fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

/// Iterations that steepest descent may take where the others get `iterations`.
fn allowed(optimizer: Optimizer, iterations: usize) -> usize {
    match optimizer {
        Optimizer::SteepestDescent => 5000,
        _ => iterations,
    }
}

#[test]
fn rosenbrock_in_log_parameters() {
    let e = std::f64::consts::E;
    let start = [(-1.2_f64).exp(), e];
    for optimizer in ALL {
        for hessian in HESSIANS {
            let case = Case::new(optimizer, hessian, allowed(optimizer, 60));
            let (states, reason) = case.run(&mut LeastSquares::rosenbrock(), &start, None);
            let last = &states[states.len() - 1];
            assert!(error(last, &[e, e]) < 1e-6, "{optimizer:?} {hessian:?}");
            assert!(matches!(
                reason,
                StopReason::GradientNorm | StopReason::Step
            ));
            for pair in states.windows(2) {
                assert!(pair[1].point.objective < pair[0].point.objective);
            }
        }
    }
}

#[test]
fn decay_fit_in_both_parameters() {
    for optimizer in ALL {
        for parameter in [Parameter::Log, Parameter::Gamma] {
            let case = Case {
                parameter,
                ..Case::new(
                    optimizer,
                    InitialHessian::GaussNewton,
                    allowed(optimizer, 60),
                )
            };
            let mut objective = LeastSquares::decay(0.0);
            let (states, _) = case.run(&mut objective, &[0.5, 3.0], None);
            let last = &states[states.len() - 1];
            assert!(
                error(last, &[3.0, 0.5]) < 1e-6,
                "{optimizer:?} {parameter:?}"
            );
            let positive = |gamma: &[f64]| gamma.iter().all(|x| *x > 0.0);
            assert!(objective.asked.iter().all(|(gamma, _)| positive(gamma)));
        }
    }
}

#[test]
fn ill_conditioned_quadratic() {
    // Condition 1e4 of the Hessian, as for data on the surface only. Steepest descent, which
    // gains a factor (1 − 2e-4) per iteration at worst, is no match.
    let solution = [2.0; 6];
    for (optimizer, iterations) in [
        (Optimizer::Bfgs, 15),
        (Optimizer::Lbfgs, 15),
        (Optimizer::GaussNewton, 1),
        (Optimizer::LevenbergMarquardt, 3),
    ] {
        let mut case = Case::new(optimizer, InitialHessian::GaussNewton, 200);
        case.stop.gradient_norm = 1e-13;
        case.stop.step = 1e-13;
        let mut objective = LeastSquares::ill_conditioned(6, 1e4);
        let (states, _) = case.run(&mut objective, &[0.7; 6], None);
        let reached = states.iter().position(|s| error(s, &solution) < 1e-6);
        assert!(
            reached.is_some_and(|n| n <= iterations),
            "{optimizer:?} {reached:?}"
        );
    }
}

/// The paper's case of 21 domains, on fixed paths: the targets of the real problem.
#[test]
fn low_conductivities_are_found_in_the_iterations_expected() {
    let solution: Vec<f64> = (0..21)
        .map(|k| if k % 5 == 2 { 0.2 } else { 1.0 })
        .collect();
    for seed in 0..5 {
        for (optimizer, hessian, half, exact, evaluations) in [
            (Optimizer::Bfgs, InitialHessian::GaussNewton, 13, 19, 1.6),
            (Optimizer::Bfgs, InitialHessian::Diagonal, 17, 29, 1.6),
            (Optimizer::Bfgs, InitialHessian::Identity, 15, 46, 1.2),
            (Optimizer::Lbfgs, InitialHessian::GaussNewton, 13, 19, 1.6),
            (Optimizer::GaussNewton, InitialHessian::Identity, 4, 6, 1.2),
            (
                Optimizer::LevenbergMarquardt,
                InitialHessian::Identity,
                4,
                6,
                1.2,
            ),
        ] {
            let mut objective = LeastSquares::paths(solution.clone(), 2000, seed);
            let case = Case::new(optimizer, hessian, 100);
            let (states, _) = case.run(&mut objective, &[1.0; 21], None);
            let first = |reached: &dyn Fn(&State) -> bool| states.iter().position(reached);
            let name = format!("{optimizer:?} {hessian:?}");
            assert!(
                first(&|s| s.point.misfit <= 0.5).is_some_and(|n| n <= half),
                "{name}"
            );
            assert!(
                first(&|s| error(s, &solution) <= 1e-6).is_some_and(|n| n <= exact),
                "{name}"
            );
            let last = &states[states.len() - 1];
            let share = last.counters.evaluations as f64 / (last.iteration + 1) as f64;
            assert!(
                share <= evaluations,
                "{name}: {share} evaluations per iteration"
            );
        }
    }
}

#[test]
fn counters_are_exact() {
    for optimizer in ALL {
        for gradient in [GradientMode::Adjoint, GradientMode::FiniteDifferences] {
            let case = Case {
                gradient,
                ..Case::new(optimizer, InitialHessian::Diagonal, 8)
            };
            let mut objective = LeastSquares::paths(vec![0.5, 1.0, 2.0], 40, 1);
            let (states, _) = case.run(&mut objective, &[1.0; 3], None);
            let counters = states[states.len() - 1].counters;
            let asked = |wanted: Want| {
                let times = objective.asked.iter().filter(|(_, want)| *want == wanted);
                times.count() as u64
            };
            assert_eq!(counters.evaluations, objective.asked.len() as u64);
            assert_eq!(counters.jacobian_evaluations, asked(Want::GaussNewton));
            match gradient {
                GradientMode::FiniteDifferences => {
                    // A central difference per gradient: f and 2 · 3 neighbours.
                    let differences = counters.gradient_evaluations - asked(Want::GaussNewton);
                    assert_eq!(asked(Want::Misfit), 7 * differences);
                    assert_eq!(asked(Want::Gradient), 0);
                }
                _ => assert_eq!(
                    counters.gradient_evaluations,
                    asked(Want::Gradient) + asked(Want::GaussNewton)
                ),
            }
        }
    }
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    for optimizer in ALL {
        for hessian in HESSIANS {
            let case = Case::new(optimizer, hessian, 12);
            let mut objective = LeastSquares::paths(vec![0.2, 1.0, 3.0, 0.7], 60, 2);
            let (states, reason) = case.run(&mut objective, &[1.0; 4], None);
            for state in &states {
                let text = serde_json::to_string(state).unwrap();
                let read: State = serde_json::from_str(&text).unwrap();
                assert_eq!(&read, state);
                let from = state.iteration;
                let (rest, again) = case.run(&mut objective, &[9.0; 4], Some(read));
                assert_eq!(again, reason);
                assert_eq!(rest.len(), states.len() - from);
                for (a, b) in rest.iter().zip(&states[from..]) {
                    assert_eq!((&a.point, &a.memory), (&b.point, &b.memory));
                    assert_eq!((a.step, a.counters), (b.step, b.counters));
                }
            }
        }
    }
}

#[test]
fn each_reason_to_stop() {
    let run = |optimizer, stop: StopOptions, noise: f64| {
        let case = Case {
            stop,
            ..Case::new(optimizer, InitialHessian::GaussNewton, 0)
        };
        case.run(&mut LeastSquares::decay(noise), &[1.0, 1.0], None)
    };
    let never = StopOptions {
        misfit: 0.0,
        gradient_norm: 0.0,
        step: 0.0,
        iterations: 1000,
    };
    for optimizer in [
        Optimizer::Bfgs,
        Optimizer::Lbfgs,
        Optimizer::LevenbergMarquardt,
    ] {
        let misfit = StopOptions {
            misfit: 0.1,
            ..never.clone()
        };
        let (states, reason) = run(optimizer, misfit, 0.0);
        assert_eq!(reason, StopReason::Misfit);
        let f: Vec<f64> = states.iter().map(|s| s.point.misfit).collect();
        assert!(f[f.len() - 1] <= 0.1 && f[f.len() - 2] > 0.1);

        let gradient = StopOptions {
            gradient_norm: 1e-3,
            ..never.clone()
        };
        let (states, reason) = run(optimizer, gradient, 0.0);
        assert_eq!(reason, StopReason::GradientNorm);
        assert!(states[states.len() - 1].point.gradient_norm() <= 1e-3);

        let step = StopOptions {
            step: 1e-3,
            ..never.clone()
        };
        let (states, reason) = run(optimizer, step, 0.0);
        assert_eq!(reason, StopReason::Step);
        assert!(states[states.len() - 1].step <= 1e-3);

        let iterations = StopOptions {
            iterations: 3,
            ..never.clone()
        };
        let (states, reason) = run(optimizer, iterations, 0.0);
        assert_eq!(reason, StopReason::MaxIterations);
        assert_eq!(states[states.len() - 1].iteration, 3);

        // With noise f has a minimum above zero, where only rounding is left.
        let (states, reason) = run(optimizer, never.clone(), 0.01);
        assert_eq!(reason, StopReason::Stalled);
        assert!(states[states.len() - 1].point.gradient_norm() < 1e-6);
    }
}

#[test]
fn a_value_that_is_not_finite_shortens_the_step() {
    // The slope at γ = 20 leads to γ < 3, where there is no value; the minimum is at 5.
    for bad in [f64::NAN, f64::INFINITY] {
        for optimizer in ALL {
            let mut objective = LeastSquares::new(1, move |gamma| {
                let value = gamma[0].powf(0.3) - 5_f64.powf(0.3);
                let r = if gamma[0] > 3.0 { value } else { bad };
                let j = 0.3 * gamma[0].powf(-0.7);
                (DVector::from_element(1, r), DMatrix::from_element(1, 1, j))
            });
            let case = Case {
                parameter: Parameter::Gamma,
                ..Case::new(
                    optimizer,
                    InitialHessian::GaussNewton,
                    allowed(optimizer, 30),
                )
            };
            let (states, _) = case.run(&mut objective, &[20.0], None);
            assert!(
                error(&states[states.len() - 1], &[5.0]) < 1e-6,
                "{optimizer:?}"
            );
            assert!(states.iter().all(|s| s.point.is_finite()));
            if optimizer != Optimizer::SteepestDescent {
                assert!(objective.asked.iter().any(|(gamma, _)| gamma[0] <= 3.0));
            }
        }
    }
}

#[test]
fn domains_without_measurements_stay_where_they_are() {
    // Neither the gradient nor the matrix sees γ₂.
    for optimizer in ALL {
        let mut objective = LeastSquares::new(3, |gamma| {
            let r = DVector::from_vec(vec![gamma[0] - 2.0, gamma[1] - 0.5]);
            (
                r,
                DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            )
        });
        let case = Case::new(
            optimizer,
            InitialHessian::GaussNewton,
            allowed(optimizer, 40),
        );
        let (states, _) = case.run(&mut objective, &[1.0, 1.0, 1.3], None);
        assert!(
            error(&states[states.len() - 1], &[2.0, 0.5, 1.3]) < 1e-7,
            "{optimizer:?}"
        );
    }
}

#[test]
fn the_first_gamma_is_recorded_as_given() {
    // exp(log 3) is 3.0000000000000004.
    let mut objective = LeastSquares::new(1, |gamma| {
        let r = DVector::from_vec(vec![gamma[0] - 2.0]);
        (r, DMatrix::from_row_slice(1, 1, &[1.0]))
    });
    let case = Case::new(Optimizer::Bfgs, InitialHessian::Identity, 5);
    let (states, _) = case.run(&mut objective, &[3.0], None);
    assert_eq!(states[0].point.gamma, [3.0]);
}

#[test]
fn stop_reasons_have_the_names_of_the_contract() {
    for reason in [
        StopReason::Misfit,
        StopReason::GradientNorm,
        StopReason::Step,
        StopReason::MaxIterations,
        StopReason::Stalled,
        StopReason::Signal,
        StopReason::WallTime,
    ] {
        let json = serde_json::to_value(reason).unwrap();
        assert_eq!(json, reason.name());
    }
}
