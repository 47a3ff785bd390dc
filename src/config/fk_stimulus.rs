//! What stimuli have to agree on, those of an S1–S2 protocol among them.

use super::fk::Checks;
use crate::error::Result;
use crate::monodomain::options::{RestitutionOptions, StimulusKind, StimulusOptions, Timing};

/// More S1–S2 intervals than any curve has.
const MOST_INTERVALS: usize = 100_000;

impl Checks<'_> {
    pub(super) fn timing(&self, key: &str, s: &StimulusOptions) -> Result<()> {
        let refused = |name: &str, problem: &str, remedy: &str| {
            Err(self.error(&format!("{key}.{name}"), problem, remedy))
        };
        if s.timing == Timing::Seed {
            if s.kind != StimulusKind::Replace {
                let problem = format!("does not go with kind \"{}\"", s.kind.name());
                return refused(
                    "timing",
                    &problem,
                    "the seed program's stimuli are of kind \"replace\"",
                );
            }
            if s.amplitude == 0.0 {
                return refused(
                    "amplitude",
                    "is 0, which the seed program takes for no stimulus",
                    "give another amplitude",
                );
            }
            if s.count.is_some() {
                return refused(
                    "count",
                    "is not part of the seed program's timing",
                    "remove it, or timing = \"seed\"",
                );
            }
            let Some(period) = s.period else {
                return refused(
                    "period",
                    "is missing",
                    "the seed program's timing needs it, in steps (0 never fires)",
                );
            };
            for (name, steps) in [
                ("start", s.start),
                ("duration", s.duration),
                ("period", period),
            ] {
                if steps.fract() != 0.0 {
                    let problem = format!("is {steps}, but seed timing counts steps");
                    return refused(name, &problem, "give a whole number of steps");
                }
            }
            return Ok(());
        }
        if s.duration == 0.0 {
            return refused("duration", "is 0", "give a positive duration in ms");
        }
        match s.period {
            Some(period) if period < s.duration => {
                let problem = format!("is {period} ms, less than the duration {}", s.duration);
                refused(
                    "period",
                    &problem,
                    "give a longer period or a shorter duration",
                )
            }
            None if s.count.is_some_and(|count| count > 1) => refused(
                "count",
                "needs a period",
                "give the time from onset to onset",
            ),
            _ => Ok(()),
        }
    }

    pub(super) fn restitution(&self, protocol: &RestitutionOptions) -> Result<()> {
        let key = |name: &str| format!("fk.restitution.{name}");
        let refused =
            |name: &str, problem: &str, remedy: &str| Err(self.error(&key(name), problem, remedy));
        if protocol.s1_period <= protocol.duration {
            return refused(
                "s1_period",
                &format!(
                    "is {} ms, not longer than a stimulus ({} ms)",
                    protocol.s1_period, protocol.duration
                ),
                "give a longer period or a shorter duration",
            );
        }
        if !(1..=MOST_INTERVALS).contains(&protocol.s2.count()) {
            return refused(
                "s2",
                &format!("has {} intervals", protocol.s2.count()),
                "give some in ms, s2 = [400, 300], or s2 = { from = 200, to = 400, step = 20 }",
            );
        }
        if let Some(short) = (protocol.s2.values().iter()).find(|i| **i < protocol.duration) {
            return refused(
                "s2",
                &format!(
                    "has an interval of {short} ms, shorter than a stimulus ({} ms)",
                    protocol.duration
                ),
                "give longer intervals",
            );
        }
        if !self.options.stimulus.is_empty() {
            return Err(self.error(
                "fk.stimulus",
                "does not go with fk.restitution, which has stimuli of its own",
                "remove one of them",
            ));
        }
        if self.options.initial.is_some() {
            return Err(self.error(
                "fk.initial",
                "does not go with fk.restitution, which begins at rest",
                "remove it",
            ));
        }
        if self.dimensions().is_none_or(|axes| axes == 0) {
            return Ok(());
        }
        match &protocol.region {
            Some(region) => self.region(&key("region"), region)?,
            None => {
                return Err(self.origins.missing(
                    &key("region"),
                    "nothing says where the stimuli act",
                    "give one, on a cable { half = \"west\", coverage = 0.05 }",
                ));
            }
        }
        if !(1..=2).contains(&self.options.record.probes.len()) {
            return Err(self.error(
                "fk.record.probes",
                format!(
                    "has {} points; fk.restitution measures durations at the first and the \
                     conduction velocity from it to the second",
                    self.options.record.probes.len()
                ),
                "give two, or one for durations alone",
            ));
        }
        Ok(())
    }
}
