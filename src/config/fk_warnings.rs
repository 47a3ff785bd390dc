//! What is given in `[fk]` and does nothing, or not quite what it says.

use super::{Origins, OutputFormat, OutputOptions};
use crate::monodomain::options::{
    CheckpointOptions, FkOptions, GridOptions, RestitutionOptions, StimulusOptions, Timing,
};

/// Times that differ from what was asked by more than this share are told.
const TOLERATED: f64 = 0.01;

/// A line per key: where it comes from, its name, and what becomes of it.
pub(super) fn warnings(
    options: &FkOptions,
    checkpoint: &CheckpointOptions,
    output: &OutputOptions,
    origins: &Origins,
) -> Vec<String> {
    let mut warnings = Warnings {
        options,
        origins,
        lines: Vec::new(),
    };
    // A search of D takes from a case what a cable needs, and nothing else is expected.
    if options.tune.is_none() {
        warnings.domains();
        warnings.output(output);
        match &options.restitution {
            Some(protocol) => warnings.protocol(protocol),
            None => warnings.run(checkpoint),
        }
    }
    warnings.lines
}

struct Warnings<'a> {
    options: &'a FkOptions,
    origins: &'a Origins,
    lines: Vec<String>,
}

impl Warnings<'_> {
    fn add(&mut self, key: &str, what: String) {
        self.lines.push(self.origins.line(key, &what));
    }

    /// Tells that `key` is for nothing, where it is given and no default.
    fn unused(&mut self, key: &str, why: &str) {
        if self.origins.changed(key) {
            self.add(key, format!("has no effect {why}"));
        }
    }

    /// Tells where the whole steps of a time, at least `least` of them, are not what was asked for.
    fn rounded(&mut self, key: &str, asked: f64, least: f64) {
        let dt = self.options.dt;
        let used = (asked / dt).round().max(least) * dt;
        self.used(key, asked, used);
    }

    fn used(&mut self, key: &str, asked: f64, used: f64) {
        if (used - asked).abs() > TOLERATED * asked.abs() {
            let (dt, used) = (self.options.dt, (used * 1e9).round() / 1e9);
            let what = format!("{asked} ms are {used} ms in whole steps of {dt} ms");
            self.add(key, what);
        }
    }

    /// The file of a voxelised mesh has domains of its own, with their gamma.
    fn domains(&mut self) {
        if let Some(GridOptions::Voxels { .. }) = self.options.grid {
            for key in ["domains.method", "domains.count", "domains.gamma"] {
                self.unused(key, "on fk.grid.voxels, whose file has the domains");
            }
        }
    }

    /// openCARP's files hold times of vertices.
    fn output(&mut self, output: &OutputOptions) {
        let bridge = self.options.bridge.is_some() && self.options.restitution.is_none();
        if output.has(OutputFormat::Dat) && !bridge {
            let what = "\"dat\" has no effect without fk.bridge: a grid has no vertices whose times it \
                        could hold; give fk.bridge, or remove \"dat\"";
            self.add("output.formats", what.into());
        }
    }

    fn run(&mut self, checkpoint: &CheckpointOptions) {
        let (options, record) = (self.options, &self.options.record);
        for (recorder, on, keys) in [
            (
                "fk.record.frames_every",
                record.frames_every.is_some(),
                &["frames", "compression"][..],
            ),
            (
                "fk.record.probes",
                !record.probes.is_empty(),
                &["probes_every"],
            ),
            (
                "fk.record.electrodes",
                !record.electrodes.is_empty(),
                &["ecg_every"],
            ),
            (
                "fk.record.tip = true",
                record.tip,
                &["tip_every", "tip_u", "tip_gate"],
            ),
        ] {
            for key in keys.iter().filter(|_| !on) {
                let why = format!("without {recorder}");
                self.unused(&format!("fk.record.{key}"), &why);
            }
        }
        let probes_every = record.probes_every.filter(|_| !record.probes.is_empty());
        let ecg_every = (!record.electrodes.is_empty()).then_some(record.ecg_every);
        let tip_every = record.tip.then_some(record.tip_every);
        for (key, asked) in [
            ("fk.record.frames_every", record.frames_every),
            ("fk.record.probes_every", probes_every),
            ("fk.record.ecg_every", ecg_every),
            ("fk.record.tip_every", tip_every),
            ("checkpoint.every_ms", checkpoint.every_ms),
        ] {
            if let Some(asked) = asked {
                self.rounded(key, asked, 1.0);
            }
        }
        let steps = options.step_count();
        if let (Some(asked), Some(steps), None) = (options.duration, steps, options.steps) {
            self.used("fk.duration", asked, steps as f64 * options.dt);
        }
        if options.stimulus.is_empty() && options.initial.is_none() {
            let what = "there is none, and no fk.initial: all cells stay at rest";
            self.add("fk.stimulus", what.into());
        }
        for (i, stimulus) in options.stimulus.iter().enumerate() {
            self.stimulus(&format!("fk.stimulus.{i}"), stimulus, steps);
        }
    }

    fn stimulus(&mut self, key: &str, s: &StimulusOptions, steps: Option<u64>) {
        let dt = self.options.dt;
        let first = match s.timing {
            Timing::Plain => (s.start / dt).round(),
            Timing::Seed => s.start,
        };
        if let Some(steps) = steps.filter(|steps| first >= *steps as f64) {
            let end = (steps as f64 * dt * 1e9).round() / 1e9;
            let what = format!("never acts: the run ends at {end} ms");
            self.add(&format!("{key}.start"), what);
        }
        if s.timing == Timing::Plain {
            self.rounded(&format!("{key}.start"), s.start, 0.0);
            self.rounded(&format!("{key}.duration"), s.duration, 1.0);
            if let Some(period) = s.period {
                self.rounded(&format!("{key}.period"), period, 1.0);
            }
        }
    }

    fn protocol(&mut self, protocol: &RestitutionOptions) {
        for key in [
            "fk.duration",
            "fk.steps",
            "fk.bridge",
            "fk.record.frames_every",
            "fk.record.frames",
            "fk.record.compression",
            "fk.record.activations",
            "fk.record.probes_every",
            "fk.record.electrodes",
            "fk.record.ecg_every",
            "fk.record.tip",
            "fk.record.tip_every",
        ] {
            self.unused(
                key,
                "beside fk.restitution, which ends and records as it needs",
            );
        }
        let grid = self.options.grid.as_ref();
        if grid.is_some_and(|grid| grid.dimensions() == 0) {
            for key in ["fk.restitution.region", "fk.record.probes"] {
                self.unused(key, "on a single cell");
            }
        }
        self.rounded("fk.restitution.s1_period", protocol.s1_period, 1.0);
        self.rounded("fk.restitution.duration", protocol.duration, 1.0);
        let off = protocol.s2.values().into_iter().find(|asked| {
            let used = (asked / self.options.dt).round().max(1.0) * self.options.dt;
            (used - asked).abs() > TOLERATED * asked
        });
        if let Some(asked) = off {
            self.rounded("fk.restitution.s2", asked, 1.0);
        }
    }
}
