//! The coordinator on ranks that are threads.

use super::*;
use crate::comm::solo::Solo;
use crate::comm::threads;
use crate::inversion::analytic::LeastSquares;

const SOLUTION: [f64; 4] = [0.2, 1.0, 3.0, 0.7];

fn options() -> InversionOptions {
    InversionOptions::default()
}

fn objective() -> LeastSquares {
    LeastSquares::paths(SOLUTION.to_vec(), 60, 2)
}

/// Runs to the end without looking; history and checkpoints of rank 0.
fn run(
    comm: &dyn Communicator,
    objective: &mut dyn Objective,
    options: &InversionOptions,
    initial: &[f64],
    resume: Option<Resume>,
    stop_after: Option<(usize, StopReason)>,
) -> (Result<Outcome>, Vec<Checkpoint>) {
    let settings = Settings::new(options, Vec::new(), 60).unwrap();
    let (mut checkpoints, mut asked) = (Vec::new(), 0);
    let outcome = coordinate(
        comm,
        objective,
        &settings,
        initial,
        resume,
        Callbacks {
            on_iteration: &mut |_, checkpoint| {
                checkpoints.push(checkpoint.clone());
                Ok(())
            },
            should_stop: &mut || {
                asked += 1;
                stop_after
                    .filter(|(n, _)| asked > *n)
                    .map(|(_, reason)| reason)
            },
        },
    );
    (outcome, checkpoints)
}

/// Wall times differ between runs.
fn without_times(mut outcome: Outcome) -> Outcome {
    outcome.history.iter_mut().for_each(|r| r.seconds = 0.0);
    outcome.runs.iter_mut().for_each(|r| r.seconds = 0.0);
    outcome
}

#[test]
fn all_ranks_evaluate_the_same_and_get_the_outcome() {
    let (alone, _) = run(&Solo, &mut objective(), &options(), &[1.0; 4], None, None);
    let alone = without_times(alone.unwrap());
    assert_eq!(alone.runs.len(), 1);
    for (g, s) in alone.best().gamma.iter().zip(SOLUTION) {
        assert!((g - s).abs() < 1e-6);
    }
    assert_eq!(alone.history.len(), alone.best().iterations + 1);
    for ranks in [2, 4] {
        let results = threads::run(ranks, |comm| {
            let mut objective = objective();
            let (outcome, _) = run(comm, &mut objective, &options(), &[1.0; 4], None, None);
            (without_times(outcome.unwrap()), objective.asked)
        });
        for (outcome, asked) in &results {
            assert_eq!(outcome, &alone);
            assert_eq!(asked, &results[0].1);
        }
    }
}

/// Fails on one rank, and by agreement on all.
struct Failing<'a> {
    comm: &'a dyn Communicator,
    inner: LeastSquares,
    evaluations: usize,
}

impl Objective for Failing<'_> {
    fn domains(&self) -> usize {
        self.inner.domains()
    }
    fn evaluate(&mut self, gamma: &[f64], want: Want) -> Result<Evaluation> {
        self.evaluations += 1;
        let mut result = self.inner.evaluate(gamma, want);
        if self.evaluations == 3 && self.comm.rank() + 1 == self.comm.size() {
            result = Err(Error::bad_data("measured times", "unusable", "mend them"));
        }
        agree(self.comm, result)
    }
}

#[test]
fn an_error_of_one_rank_ends_all() {
    for ranks in [1, 2, 3] {
        let errors = threads::run(ranks, |comm| {
            let mut failing = Failing {
                comm,
                inner: objective(),
                evaluations: 0,
            };
            let (outcome, _) = run(comm, &mut failing, &options(), &[1.0; 4], None, None);
            outcome.unwrap_err()
        });
        for error in errors {
            assert_eq!(error.exit_code(), 65);
            assert!(error.to_string().contains("measured times: unusable"));
        }
    }
}

#[test]
fn an_error_of_the_callback_or_the_initial_gamma_ends_all() {
    let settings = Settings::new(&options(), Vec::new(), 60).unwrap();
    for (initial, code) in [
        (vec![1.0; 4], 74),
        (vec![1.0; 3], 65),
        (vec![1.0, 1.0, 0.0, 1.0], 65),
        (vec![1.0, f64::NAN, 1.0, 1.0], 65),
    ] {
        let codes = threads::run(3, |comm| {
            let result = coordinate(
                comm,
                &mut objective(),
                &settings,
                &initial,
                None,
                Callbacks {
                    on_iteration: &mut |record, _| match record.iteration {
                        2 => Err(Error::Io {
                            path: "inversion_history.jsonl".into(),
                            action: "write".into(),
                            cause: "no space left".into(),
                        }),
                        _ => Ok(()),
                    },
                    should_stop: &mut || None,
                },
            );
            result.unwrap_err().exit_code()
        });
        assert_eq!(codes, [code; 3]);
    }
}

#[test]
fn an_interrupted_multistart_resumes_to_the_same_outcome() {
    let mut options = options();
    options.multistart.starts = 2;
    options.stop.iterations = 6;
    let (whole, checkpoints) = run(&Solo, &mut objective(), &options, &[1.0; 4], None, None);
    let whole = whole.unwrap();
    assert_eq!(whole.runs.len(), 3);
    assert_eq!(checkpoints.len(), whole.history.len());
    for (n, checkpoint) in checkpoints.into_iter().enumerate() {
        let text = serde_json::to_string(&checkpoint).unwrap();
        let resume = Resume {
            checkpoint: serde_json::from_str(&text).unwrap(),
            history: whole.history[..=n].to_vec(),
        };
        let (again, _) = run(
            &Solo,
            &mut objective(),
            &options,
            &[1.0; 4],
            Some(resume),
            None,
        );
        assert_eq!(without_times(again.unwrap()), without_times(whole.clone()));
    }
}

#[test]
fn signals_and_the_wall_time_end_the_whole_multistart() {
    let mut options = options();
    options.multistart.starts = 5;
    for reason in [StopReason::Signal, StopReason::WallTime] {
        let stop = Some((4, reason));
        let (outcome, _) = run(&Solo, &mut objective(), &options, &[1.0; 4], None, stop);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.stop_reason, reason);
        assert_eq!(outcome.runs.len(), 1);
        assert_eq!(outcome.runs[0].iterations, 4);
    }
}

#[test]
fn multistart_keeps_the_best_of_several_minima() {
    // f = (x² − 1)² + (0.3 (x − 1))² in x = log γ: the better minimum is x = 1.
    let two_minima = || {
        LeastSquares::new(1, |gamma| {
            let x = gamma[0].ln();
            let r = nalgebra::DVector::from_vec(vec![x * x - 1.0, 0.3 * (x - 1.0)]);
            let j = [2.0 * x / gamma[0], 0.3 / gamma[0]];
            (r, nalgebra::DMatrix::from_column_slice(2, 1, &j))
        })
    };
    let mut options = options();
    let initial = [(-1.0_f64).exp()];
    let (one, _) = run(&Solo, &mut two_minima(), &options, &initial, None, None);
    assert!(one.unwrap().best().misfit > 0.1);
    options.multistart.starts = 8;
    options.multistart.log_range = 2.5;
    let (outcome, _) = run(&Solo, &mut two_minima(), &options, &initial, None, None);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.runs.len(), 9);
    assert!((outcome.best().gamma[0] - 1_f64.exp()).abs() < 1e-6);
    let best = outcome
        .runs
        .iter()
        .map(|r| r.objective)
        .fold(f64::INFINITY, f64::min);
    assert_eq!(outcome.best().objective, best);
    for run in &outcome.runs[1..] {
        assert!((run.initial_gamma[0].ln() + 1.0).abs() <= 2.5);
    }
    let last = outcome.best_history().last().unwrap();
    assert_eq!(last.gamma, outcome.best().gamma);
}

#[test]
fn regularisation_pulls_unseen_domains_to_their_neighbours() {
    // γ₁ is not measured; the jump penalty alone decides it, and it does so exactly.
    let mut objective = LeastSquares::new(2, |gamma| {
        let r = nalgebra::DVector::from_element(1, gamma[0] - 0.5);
        (r, nalgebra::DMatrix::from_row_slice(1, 2, &[1.0, 0.0]))
    });
    let mut options = options();
    options.regularisation.neighbour_jump = 0.1;
    for optimizer in [Optimizer::Bfgs, Optimizer::LevenbergMarquardt] {
        options.optimizer = optimizer;
        let neighbours = vec![Neighbours {
            first: 0,
            second: 1,
            share: 1.0,
        }];
        let settings = Settings::new(&options, neighbours, 1).unwrap();
        let callbacks = Callbacks {
            on_iteration: &mut |_, _| Ok(()),
            should_stop: &mut || None,
        };
        let outcome =
            coordinate(&Solo, &mut objective, &settings, &[1.0; 2], None, callbacks).unwrap();
        for g in &outcome.best().gamma {
            assert!((g - 0.5).abs() < 1e-6, "{optimizer:?} {:?}", outcome.best());
        }
    }
}

#[test]
fn a_checkpoint_of_another_inversion_is_refused() {
    let (_, checkpoints) = run(&Solo, &mut objective(), &options(), &[1.0; 4], None, None);
    let resume = || {
        Some(Resume {
            checkpoint: checkpoints[2].clone(),
            history: Vec::new(),
        })
    };
    let other_optimizer = InversionOptions {
        optimizer: Optimizer::LevenbergMarquardt,
        ..options()
    };
    let other_parameter = InversionOptions {
        parameter: Parameter::Gamma,
        ..options()
    };
    for options in [other_optimizer, other_parameter] {
        let (result, _) = run(&Solo, &mut objective(), &options, &[1.0; 4], resume(), None);
        let error = result.unwrap_err();
        assert!(error.to_string().contains("checkpoint"), "{error}");
    }
    let mut fewer = LeastSquares::paths(vec![1.0; 3], 10, 1);
    let (result, _) = run(&Solo, &mut fewer, &options(), &[1.0; 3], resume(), None);
    assert!(result.unwrap_err().to_string().contains("4 domains"));
}

#[test]
fn bad_settings_are_named() {
    for bad in [-1.0, f64::NAN] {
        let mut options = options();
        options.stop.misfit = bad;
        let error = Settings::new(&options, Vec::new(), 60).unwrap_err();
        assert!(error.to_string().contains("inversion.stop.misfit"));
    }
}

/// A blurred profile θ = log γ of 24 domains in 60 noisy measurements: r = b − K θ, badly
/// conditioned. The truth, and the ridge solutions by another route.
fn blurred(
    noise: f64,
) -> (
    LeastSquares,
    nalgebra::DVector<f64>,
    impl Fn(f64) -> Vec<f64>,
) {
    use nalgebra::{DMatrix, DVector};
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};
    let (n, k) = (60, 24);
    let at = |i: usize, count: usize| (i as f64 + 0.5) / count as f64;
    let kernel = DMatrix::from_fn(n, k, |i, j| (-((at(i, n) - at(j, k)) / 0.1).powi(2)).exp());
    let truth = DVector::from_fn(k, |j, _| {
        let x = at(j, k);
        0.5 * (std::f64::consts::PI * x).sin() - if (x - 0.3).abs() < 0.1 { 0.3 } else { 0.0 }
    });
    let normal = Normal::new(0.0, noise).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let b = &kernel * &truth + DVector::from_fn(n, |_, _| normal.sample(&mut rng));
    let (k2, b2) = (kernel.clone(), b.clone());
    let objective = LeastSquares::new(k, move |gamma| {
        let theta = DVector::from_fn(gamma.len(), |i, _| gamma[i].ln());
        let inverse = DVector::from_fn(gamma.len(), |i, _| 1.0 / gamma[i]);
        let r = &b2 - &k2 * theta;
        (r, -&k2 * DMatrix::from_diagonal(&inverse))
    });
    let ridge = move |lambda: f64| {
        let mut rows = kernel.clone().insert_rows(n, k, 0.0);
        (0..k).for_each(|i| rows[(n + i, i)] = lambda.sqrt());
        let right = b.clone().insert_rows(n, k, 0.0);
        let theta = rows.svd(true, true).solve(&right, 0.0).unwrap();
        theta.iter().copied().collect::<Vec<f64>>()
    };
    (objective, truth, ridge)
}

/// Every point of a sweep is the ridge solution of its weight, and both rules choose weights whose
/// error is near the least possible, which differs by orders of magnitude along the sweep.
#[test]
fn rules_for_the_weight_of_the_penalty_find_a_good_one() {
    const NOISE: f64 = 0.01;
    let (_, truth, ridge) = blurred(NOISE);
    let error = |theta: &[f64]| {
        let squares = theta.iter().zip(truth.iter()).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let steps = 41;
    let all = (0..steps).map(|i| error(&ridge(10f64.powf(2.0 - 8.0 * i as f64 / 40.0))));
    let all: Vec<f64> = all.collect();
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(all[0] > 4.0 * least && all[40] > 4.0 * least, "{all:?}");
    for (rule, most) in [(WeightRule::LCurve, 3.0), (WeightRule::Discrepancy, 2.0)] {
        let mut options = InversionOptions {
            optimizer: Optimizer::GaussNewton,
            noise_ms: Some(NOISE),
            ..options()
        };
        options.regularisation.tikhonov = 1.0;
        options.regularisation.choose = rule;
        options.regularisation.sweep = crate::inversion::options::Sweep {
            least: 1e-6,
            most: 1e2,
            steps,
        };
        let settings = Settings::new(&options, Vec::new(), 60).unwrap();
        let callbacks = Callbacks {
            on_iteration: &mut |_, _| Ok(()),
            should_stop: &mut || None,
        };
        let (mut objective, ..) = blurred(NOISE);
        let initial = [1.0; 24];
        let outcome =
            coordinate(&Solo, &mut objective, &settings, &initial, None, callbacks).unwrap();
        for run in &outcome.runs {
            let found = run.gamma.iter().map(|g| g.ln());
            for (found, expected) in found.zip(ridge(run.factor)) {
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{rule:?} at {}",
                    run.factor
                );
            }
        }
        let theta: Vec<f64> = outcome.best().gamma.iter().map(|g| g.ln()).collect();
        let chosen = error(&theta);
        println!(
            "{rule:?}: λ {:.2e}, error {chosen:.3}, least {least:.3}",
            outcome.best().factor
        );
        assert!(chosen < most * least, "{rule:?}: {chosen} {least}");
        if rule == WeightRule::Discrepancy {
            let target = (60.0 + 2.0 * 120f64.sqrt()) * NOISE * NOISE;
            let misfit = outcome.best().misfit;
            assert!(
                misfit <= target && misfit > 0.985 * target,
                "{misfit} {target}"
            );
        }
    }
}
