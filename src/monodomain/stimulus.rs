//! When a stimulus acts, in whole steps.

use super::options::{StimulusOptions, Timing};

/// The steps at which a stimulus acts: windows of `duration` steps, one per period.
///
/// Step n leads from n Δt to (n + 1) Δt. With plain timing the windows begin at
/// round(start/Δt) + k round(period/Δt), k < count, and last max(1, round(duration/Δt)) steps, or to
/// the next window.
///
/// The seed program's timing, in steps, runs backwards: active ⇔ step ≥ start and
/// (start − step + 1) mod period < duration. With j = step − start − 2 the remainder is
/// period − 1 − (j mod period), so these are windows too: they *end* before start + 2 + k period.
/// A duration of 200 and a period of 1000 from 0 act at 0, 1 and 802 to 1001. Period 0 never acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// No window acts earlier.
    from: i64,
    /// Begin of the first window.
    onset: i64,
    /// Steps of a window, less than the period; 0: never.
    duration: i64,
    /// From window to window.
    period: i64,
    /// Windows.
    count: i64,
}

/// Beyond any run, and far from overflow.
const FOREVER: i64 = 1 << 60;

/// Longest time in steps that is told from for ever.
const LONGEST: f64 = (1_u64 << 52) as f64;

impl Schedule {
    /// The steps of `stimulus` with steps of `dt` ms.
    pub fn new(stimulus: &StimulusOptions, dt: f64) -> Self {
        let whole = |steps: f64| steps.round().clamp(0.0, LONGEST) as i64;
        let count = stimulus.count.and_then(|n| i64::try_from(n).ok());
        let windows = match (stimulus.timing, stimulus.period) {
            (Timing::Plain, period) => {
                let onset = whole(stimulus.start / dt);
                Self {
                    from: onset,
                    onset,
                    duration: whole(stimulus.duration / dt).max(1),
                    period: period.map_or(FOREVER, |period| whole(period / dt).max(1)),
                    count: match period {
                        Some(_) => count.unwrap_or(FOREVER).min(FOREVER),
                        None => 1,
                    },
                }
            }
            (Timing::Seed, period) => {
                let start = whole(stimulus.start);
                let period = whole(period.unwrap_or(0.0));
                let duration = whole(stimulus.duration).min(period);
                Self {
                    from: start,
                    onset: start + 2 - duration,
                    duration,
                    period: period.max(1),
                    count: FOREVER,
                }
            }
        };
        windows.joined()
    }

    /// Windows that touch one another, as one.
    fn joined(self) -> Self {
        if self.duration < self.period {
            return self;
        }
        Self {
            onset: self.from,
            duration: self.count.saturating_mul(self.period).min(FOREVER - 1),
            period: FOREVER,
            count: 1,
            ..self
        }
    }

    /// Whether the stimulus acts in the step with this number, 0 for the first.
    pub fn active(&self, step: u64) -> bool {
        let step = bounded(step);
        let since = step - self.onset;
        step >= self.from
            && since >= 0
            && since / self.period < self.count
            && since % self.period < self.duration
    }
}

fn bounded(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(FOREVER).min(FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monodomain::options::{Region, StimulusKind};
    use proptest::prelude::*;

    fn stimulus(timing: Timing, start: f64, duration: f64, period: Option<f64>) -> StimulusOptions {
        StimulusOptions {
            kind: StimulusKind::Replace,
            amplitude: 1.0,
            region: Region::All,
            timing,
            start,
            duration,
            period,
            count: None,
        }
    }

    fn active_steps(schedule: &Schedule, end: u64) -> Vec<u64> {
        (0..end).filter(|step| schedule.active(*step)).collect()
    }

    #[test]
    fn the_seed_program_runs_backwards() {
        // The numbers of its defect: 200 of 1000 steps from 0.
        let schedule = Schedule::new(&stimulus(Timing::Seed, 0.0, 200.0, Some(1000.0)), 0.01);
        let expected: Vec<u64> = [0, 1].into_iter().chain(802..=1001).collect();
        assert_eq!(active_steps(&schedule, 1500), expected);
        let never = Schedule::new(&stimulus(Timing::Seed, 0.0, 200.0, Some(0.0)), 0.01);
        assert_eq!(active_steps(&never, 1000), [0_u64; 0]);
    }

    #[test]
    fn plain_timing_does_what_the_words_say() {
        let mut s1 = stimulus(Timing::Plain, 0.05, 0.03, Some(0.1));
        s1.count = Some(2);
        let schedule = Schedule::new(&s1, 0.01);
        assert_eq!(active_steps(&schedule, 100), [5, 6, 7, 15, 16, 17]);
        // Shorter than a step: one step.
        let brief = Schedule::new(&stimulus(Timing::Plain, 0.0, 1e-6, None), 0.01);
        assert_eq!(active_steps(&brief, 100), [0]);
        // A duration of the period never pauses.
        let always = Schedule::new(&stimulus(Timing::Plain, 0.02, 0.1, Some(0.1)), 0.01);
        assert_eq!(active_steps(&always, 50), (2..50).collect::<Vec<_>>());
    }

    #[test]
    fn times_beyond_all_runs_do_not_overflow() {
        for timing in [Timing::Plain, Timing::Seed] {
            for (start, duration, period) in [
                (1e300, 1.0, Some(2.0)),
                (0.0, 1e300, Some(1e300)),
                (0.0, 1.0, Some(1e300)),
                (1e300, 1e300, None),
            ] {
                let mut given = stimulus(timing, start, duration, period);
                for count in [None, Some(u64::MAX)] {
                    given.count = count;
                    let schedule = Schedule::new(&given, 1e-3);
                    for step in [0, 1, 1 << 40, u64::MAX] {
                        schedule.active(step);
                    }
                }
            }
        }
        let once_in_a_while = stimulus(Timing::Plain, 0.0, 1.0, Some(1e300));
        assert_eq!(
            active_steps(&Schedule::new(&once_in_a_while, 0.5), 10),
            [0, 1]
        );
    }

    proptest! {
        #[test]
        fn seed_timing_is_its_formula(start in 0_i64..12, duration in 0_i64..12, period in 0_i64..12) {
            let options = stimulus(
                Timing::Seed, start as f64, duration as f64, Some(period as f64),
            );
            let schedule = Schedule::new(&options, 0.37);
            for step in 0..80_i64 {
                // Python's mod has the sign of the divisor.
                let formula = step >= start
                    && period != 0
                    && (start - step + 1).rem_euclid(period) < duration;
                prop_assert_eq!(schedule.active(step as u64), formula, "step {}", step);
            }
        }

        #[test]
        fn plain_timing_is_its_definition(
            start in 0_u64..12, duration in 1_u64..8, more in 0_u64..6,
            count in proptest::option::of(1_u64..5), once: bool,
        ) {
            let dt = 0.02;
            let period = duration + more;
            let mut options = stimulus(
                Timing::Plain, start as f64 * dt, duration as f64 * dt,
                (!once).then_some(period as f64 * dt),
            );
            options.count = count;
            let schedule = Schedule::new(&options, dt);
            let count = if once { 1 } else { count.unwrap_or(100) };
            for step in 0..100 {
                let mut onsets = (0..count).map(|k| start + k * period);
                let defined = onsets.any(|onset| (onset..onset + duration).contains(&step));
                prop_assert_eq!(schedule.active(step), defined, "step {}", step);
            }
        }
    }
}
