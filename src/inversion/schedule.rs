//! Which minimisation comes next, and which is the result: one, several from random starts, or a
//! sweep over the weight of the penalties.
//!
//! Everything is a function of the runs that are done, so that a resumed inversion goes on with the
//! same ones.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use super::coordinator::RunSummary;
use super::options::{Multistart, Sweep};

/// |log(f/target)| at which the discrepancy rule is met.
const DISCREPANCY_TOLERANCE: f64 = 0.01;

/// Minimisations that the discrepancy rule adds to the sweep.
const MOST_BISECTIONS: usize = 12;

/// Change of (log f, log R) by log λ below which the L-curve has no curvature.
const LEAST_MOVE: f64 = 1e-4;

/// The minimisations of an inversion.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// From the initial γ, and from random ones around it; the one of smallest objective counts.
    Starts(Multistart),
    /// All multiples of the penalties, the largest first, each from the γ of the one before; the
    /// corner of the L-curve counts.
    LCurve(Sweep),
    /// Multiples of the penalties until the misfit falls to `target`, then bisection in the
    /// logarithm of the multiple (Morozov's discrepancy rule).
    Discrepancy {
        sweep: Sweep,
        /// The misfit of the noise, ms² times the weights.
        target: f64,
    },
}

/// Where a minimisation starts, and the multiple λ of the penalties in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// γ, then the unknowns of sources.
    pub parameters: Vec<f64>,
    pub factor: f64,
}

/// A point of the L-curve (log f, log R).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// λ.
    pub factor: f64,
    /// f, ms² times the weights.
    pub misfit: f64,
    /// R of the configured weights, ms².
    pub penalty: f64,
    /// Curvature of the curve by log λ, positive where it turns from steep to flat; NaN at its ends,
    /// off the sweep, and where the minimisation did not converge.
    pub curvature: f64,
    /// Whether the minimisation came to a minimum: else the point may lie off the curve.
    pub converged: bool,
}

impl Schedule {
    /// The next minimisation after `runs`, the first from the parameters `initial` of so many
    /// `domains`; `None` when all are done.
    pub fn next(&self, initial: &[f64], domains: usize, runs: &[RunSummary]) -> Option<Start> {
        let warm = |factor: f64| Start {
            parameters: runs
                .last()
                .map_or_else(|| initial.to_vec(), RunSummary::parameters),
            factor,
        };
        match self {
            Self::Starts(options) => (runs.len() <= options.starts).then(|| Start {
                parameters: random_start(initial, domains, options, runs.len()),
                factor: 1.0,
            }),
            Self::LCurve(sweep) => {
                (runs.len() < sweep.steps).then(|| warm(sweep.factor(runs.len())))
            }
            Self::Discrepancy { sweep, target } => {
                let (above, below) = bracket(runs, *target);
                match (above, below) {
                    (_, None) if runs.len() < sweep.steps => Some(warm(sweep.factor(runs.len()))),
                    (Some(above), Some(below)) => {
                        let bisections = runs.len() - 1 - above.position.min(below.position);
                        let met = (below.misfit / target).ln().abs() <= DISCREPANCY_TOLERANCE;
                        let more = !met && bisections < MOST_BISECTIONS;
                        more.then(|| warm((above.factor * below.factor).sqrt()))
                    }
                    _ => None,
                }
            }
        }
    }

    /// Which of the runs is the result; 0 where there is none.
    pub fn best(&self, runs: &[RunSummary]) -> usize {
        let least = |of: &dyn Fn(&RunSummary) -> f64| {
            (0..runs.len())
                .min_by(|&a, &b| of(&runs[a]).total_cmp(&of(&runs[b])))
                .unwrap_or(0)
        };
        match self {
            Self::Starts(_) => least(&|run| run.objective),
            Self::LCurve(_) => {
                let curve = curve(runs);
                let corner = (0..curve.len()).filter(|i| curve[*i].curvature.is_finite());
                corner
                    .max_by(|&a, &b| curve[a].curvature.total_cmp(&curve[b].curvature))
                    .unwrap_or(runs.len().saturating_sub(1))
            }
            // The largest weight that explains the measurements to within their noise.
            Self::Discrepancy { target, .. } => match bracket(runs, *target).1 {
                Some(below) => below.position,
                None => least(&|run| run.misfit),
            },
        }
    }

    /// Whether a result has the largest or the smallest λ that could be tried, so that the rule may
    /// want another one; or f is beyond the target.
    pub fn is_at_end(&self, run: &RunSummary) -> bool {
        let (sweep, missed) = match self {
            Self::Starts(_) => return false,
            Self::LCurve(sweep) => (sweep, false),
            Self::Discrepancy { sweep, target } => (sweep, run.misfit > *target),
        };
        missed || run.factor >= sweep.most || run.factor <= sweep.factor(sweep.steps - 1)
    }

    /// Whether the L-curve's largest curvature, at a run, is no maximum that the sweep has seen: as
    /// λ → 0 curvatures tend to a limit that is no corner.
    pub fn lacks_corner(&self, runs: &[RunSummary], best: usize) -> bool {
        let Self::LCurve(_) = self else { return false };
        let curve = curve(runs);
        let on_curve = on_curve(&curve);
        let Some(at) = on_curve.iter().position(|i| *i == best) else {
            return true;
        };
        let known = |at: usize| {
            let point = on_curve.get(at).map(|i| &curve[*i]);
            point.is_some_and(|p| p.curvature.is_finite())
        };
        at == 0 || !known(at - 1) || !known(at + 1)
    }

    /// The points of the sweep, by descending λ; `None` where there is no sweep.
    pub fn curve(&self, runs: &[RunSummary]) -> Option<Vec<CurvePoint>> {
        match self {
            Self::Starts(_) => None,
            _ => Some(curve(runs)),
        }
    }
}

/// One of the runs next to the target.
#[derive(Clone, Copy)]
struct Neighbour {
    position: usize,
    factor: f64,
    misfit: f64,
}

/// The run of smallest λ above the target, and that of largest λ not above it.
fn bracket(runs: &[RunSummary], target: f64) -> (Option<Neighbour>, Option<Neighbour>) {
    let all = || {
        runs.iter().enumerate().map(|(position, run)| Neighbour {
            position,
            factor: run.factor,
            misfit: run.misfit,
        })
    };
    let by_factor = |a: &Neighbour, b: &Neighbour| a.factor.total_cmp(&b.factor);
    let above = all().filter(|run| run.misfit > target).min_by(by_factor);
    let below = all().filter(|run| run.misfit <= target).max_by(by_factor);
    (above, below)
}

/// κ = (ρ′η″ − ρ″η′) / (ρ′² + η′²)^(3/2) with ρ = log f, η = log R, ′ = d/d log λ, by the central
/// differences of three neighbours, whose distances need not be equal.
/// Source: Hansen & O'Leary, SIAM J. Sci. Comput. 14 (1993) 1487, equation 18.
fn curve(runs: &[RunSummary]) -> Vec<CurvePoint> {
    let mut points: Vec<CurvePoint> = runs
        .iter()
        .map(|run| CurvePoint {
            factor: run.factor,
            misfit: run.misfit,
            penalty: run.penalty,
            curvature: f64::NAN,
            converged: run.converged(),
        })
        .collect();
    for three in on_curve(&points).windows(3) {
        let at = |j: usize| {
            let p = &points[three[j]];
            (p.factor.ln(), p.misfit.ln(), p.penalty.ln())
        };
        let [(x0, r0, e0), (x1, r1, e1), (x2, r2, e2)] = [at(0), at(1), at(2)];
        let i = three[1];
        let (h, k) = (x1 - x0, x2 - x1);
        if h * k <= 0.0 {
            continue;
        }
        let first = |a: f64, b: f64, c: f64| ((b - a) / h * k + (c - b) / k * h) / (h + k);
        let second = |a: f64, b: f64, c: f64| 2.0 * ((c - b) / k - (b - a) / h) / (h + k);
        let (rho, eta) = (first(r0, r1, r2), first(e0, e1, e2));
        // Where the curve stands still, its direction is rounding.
        if rho * rho + eta * eta < LEAST_MOVE * LEAST_MOVE {
            continue;
        }
        let turn = rho * second(e0, e1, e2) - second(r0, r1, r2) * eta;
        points[i].curvature = turn / (rho * rho + eta * eta).powf(1.5);
    }
    points
}

/// Points that the curve goes through: minima, or, where there are too few of them, all there are.
fn on_curve(points: &[CurvePoint]) -> Vec<usize> {
    let minima: Vec<usize> = (0..points.len()).filter(|i| points[*i].converged).collect();
    match minima.len() < 3 {
        true => (0..points.len()).collect(),
        false => minima,
    }
}

/// γ of a start: the initial one, then log γ uniform within ± log_range around it. Each start has
/// its own stream of random numbers, so that a resumed run draws the same.
fn random_start(initial: &[f64], domains: usize, options: &Multistart, start: usize) -> Vec<f64> {
    let mut parameters = initial.to_vec();
    if start > 0 {
        let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
        rng.set_stream(start as u64);
        for g in &mut parameters[..domains] {
            *g *= ((2.0 * rng.random::<f64>() - 1.0) * options.log_range).exp();
        }
    }
    parameters
}

impl Sweep {
    /// λ of step `i`: from `most` down to `least`, equal ratios.
    pub fn factor(&self, i: usize) -> f64 {
        let share = i as f64 / (self.steps.max(2) - 1) as f64;
        self.most * (self.least / self.most).powf(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inversion::objective::Counters;
    use crate::inversion::optimizer::StopReason;

    fn done(factor: f64, misfit: f64, penalty: f64) -> RunSummary {
        RunSummary {
            start: 0,
            initial_gamma: vec![1.0],
            gamma: vec![factor],
            sources: vec![-factor],
            misfit,
            objective: misfit + factor * penalty,
            factor,
            penalty,
            gradient_norm: 0.0,
            iterations: 1,
            stop_reason: StopReason::Step,
            counters: Counters::default(),
            seconds: 0.0,
        }
    }

    fn sweep() -> Sweep {
        Sweep {
            least: 1e-6,
            most: 1e6,
            steps: 49,
        }
    }

    /// All runs of a schedule for which f(λ) and R(λ) are known.
    fn all(schedule: &Schedule, of: impl Fn(f64) -> (f64, f64)) -> Vec<RunSummary> {
        let mut runs = Vec::new();
        while let Some(start) = schedule.next(&[5.0, -5.0], 1, &runs) {
            // Warm: from the parameters of the run before.
            let before = runs.last().map_or(5.0, |r: &RunSummary| r.gamma[0]);
            assert_eq!(start.parameters, [before, -before]);
            let (f, r) = of(start.factor);
            runs.push(done(start.factor, f, r));
            assert!(runs.len() < 100);
        }
        runs
    }

    /// Where log R is a function of log f whose curvature is known: a circle of radius ½, and the
    /// lines that it joins.
    #[test]
    fn curvature_of_a_circle_and_of_lines() {
        let runs: Vec<RunSummary> = (0..=60)
            .map(|i| {
                // The angle of the tangent turns from "down" to "right" between λ = 1e-1 and 1e1.
                let s: f64 = 3.0 - 0.1 * f64::from(i);
                let t = ((s + 1.0) / 2.0).clamp(0.0, 1.0) * std::f64::consts::FRAC_PI_2;
                let (mut x, mut y) = (-0.5 * t.cos(), -0.5 * t.sin());
                x += (s - 1.0).max(0.0);
                y += (-1.0 - s).max(0.0);
                done(10f64.powf(s), x.exp(), y.exp())
            })
            .collect();
        let points = curve(&runs);
        for p in &points[1..60] {
            let s = p.factor.log10();
            let expected = match s.abs() {
                inside if inside < 0.85 => 2.0,
                outside if outside > 1.15 => 0.0,
                _ => continue,
            };
            assert!((p.curvature - expected).abs() < 0.01, "{s}: {p:?}");
        }
        assert!(points[0].curvature.is_nan() && points[60].curvature.is_nan());
    }

    #[test]
    fn the_corner_of_an_l() {
        // Steep below λ = 1, where f stays, and flat above, where R stays.
        let schedule = Schedule::LCurve(sweep());
        let runs = all(&schedule, |x| (1.0 + x * x, 1.0 + 1.0 / (x * x)));
        assert_eq!(runs.len(), 49);
        let best = runs[schedule.best(&runs)].factor;
        assert!((0.3..=3.0).contains(&best), "{best}");
        assert_eq!(schedule.curve(&runs).unwrap().len(), 49);
        assert!(!schedule.lacks_corner(&runs, schedule.best(&runs)));
        // A sweep that ends before the corner.
        let short = Schedule::LCurve(Sweep {
            least: 10.0,
            ..sweep()
        });
        let runs = all(&short, |x| (1.0 + x * x, 1.0 + 1.0 / (x * x)));
        assert!(short.lacks_corner(&runs, short.best(&runs)));
    }

    /// Bug: a minimisation that had stopped on its way made a corner where there was none.
    #[test]
    fn points_that_did_not_converge_are_left_out_of_the_curve() {
        let schedule = Schedule::LCurve(sweep());
        let l = |x: f64| (1.0 + x * x, 1.0 + 1.0 / (x * x));
        let mut runs = all(&schedule, l);
        let best = schedule.best(&runs);
        // Far from the corner, where the penalty has not had its say yet.
        runs[40].misfit /= 3.0;
        assert_eq!(schedule.best(&runs), 40);
        let open = |run: &mut RunSummary, share: f64, reason: StopReason| {
            run.gradient_norm = share * run.objective;
            run.stop_reason = reason;
        };
        open(&mut runs[40], 0.1, StopReason::MaxIterations);
        assert_eq!(schedule.best(&runs), best);
        assert!(!schedule.lacks_corner(&runs, best));
        let points = schedule.curve(&runs).unwrap();
        assert!(points[40].curvature.is_nan() && !points[40].converged);
        assert!(points[39].curvature.is_finite() && points[41].curvature.is_finite());
        // Stalled at a minimum, but for rounding; and on the way.
        for (share, converged) in [(1e-6, true), (0.1, false)] {
            open(&mut runs[40], share, StopReason::Stalled);
            assert_eq!(runs[40].converged(), converged);
        }
        // Where none is a minimum, all count.
        for run in &mut runs {
            open(run, 0.1, StopReason::MaxIterations);
        }
        assert!(schedule.curve(&runs).unwrap()[1].curvature.is_finite());
    }

    #[test]
    fn the_discrepancy_rule_ends_where_the_misfit_is_the_noise() {
        let schedule = Schedule::Discrepancy {
            sweep: sweep(),
            target: 7.0,
        };
        let f = |x: f64| (2.0 + x, 1.0 / x);
        let runs = all(&schedule, f);
        let best = &runs[schedule.best(&runs)];
        // f = 7 at λ = 5.
        assert!(
            best.misfit <= 7.0 && (best.factor / 5.0).ln().abs() < 0.02,
            "{best:?}"
        );
        // The sweep stops as soon as the target is passed.
        assert!(runs.len() < 49 / 2 + MOST_BISECTIONS + 2, "{}", runs.len());
        assert!(!schedule.is_at_end(best));
        // Out of reach: all of the sweep, and the smallest misfit.
        let far = Schedule::Discrepancy {
            sweep: sweep(),
            target: 1.0,
        };
        let runs = all(&far, f);
        assert_eq!((runs.len(), far.best(&runs)), (49, 48));
        assert!(far.is_at_end(&runs[48]));
        // Met at once: the largest weight.
        let near = Schedule::Discrepancy {
            sweep: sweep(),
            target: 1e9,
        };
        let runs = all(&near, f);
        assert_eq!((runs.len(), near.best(&runs)), (1, 0));
        assert!(near.is_at_end(&runs[0]));
    }
}
