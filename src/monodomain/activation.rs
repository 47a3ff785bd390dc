//! Activation times and action potential durations of every cell.

use crate::error::{Error, Result};
use crate::real::Float;

/// Cells screened at once: long enough for full vectors, short enough that one front in a long row
/// sends few other cells through the scalar code.
const CHUNK: usize = 64;

/// What [`Upstrokes`] looks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpstrokeOptions {
    /// θ > 0: a cell is activated when u rises from below θ to θ or above.
    pub threshold: f64,
    /// Upstrokes kept per cell beside the first and the last.
    pub keep: usize,
    /// Fraction of repolarisation, 0 < level < 1; `None`: no durations.
    pub apd_level: Option<f64>,
}

/// Records upstrokes inside the time loop.
///
/// * Activation: t = t_old + Δt (θ − u_old)/(u_new − u_old), ms, NaN where there was none.
/// * Duration (APD): from the activation to the moment when u falls below (1 − level)·u_peak, u_peak
///   being the largest u since that activation and 0 the rest; interpolated alike. Peaks of the
///   published sets reach 0.99 to 1.26, and only a level relative to the peak gives the reference's
///   APD90. Recorded is the last complete action potential; an upstroke before the repolarisation
///   begins anew. (The single-cell protocols start at the level on the way up instead of at θ,
///   which is a fraction of a millisecond apart.)
///
/// Memory per cell: 20 bytes, 8 per kept upstroke and 12 for durations.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstrokes {
    options: UpstrokeOptions,
    first: Vec<f64>,
    last: Vec<f64>,
    count: Vec<u32>,
    /// The first `keep` upstrokes of each cell, in order.
    kept: Vec<f64>,
    durations: Option<Durations>,
}

#[derive(Debug, Clone, PartialEq)]
struct Durations {
    /// 1 − level: the fraction of the peak at which the action potential ends.
    rest: f64,
    apd: Vec<f64>,
    /// Largest u since the upstroke; NaN, which no comparison meets, where no action potential
    /// is under way. Single precision: a relative 6e-8 of the peak moves no time that matters.
    peak: Vec<f32>,
}

/// State of the recorder, an entry per cell (`keep` for `kept`): what a checkpoint holds and files
/// show. `apd` and `peak` are empty without durations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpstrokeArrays {
    pub first: Vec<f64>,
    pub last: Vec<f64>,
    pub count: Vec<u32>,
    pub kept: Vec<f64>,
    pub apd: Vec<f64>,
    pub peak: Vec<f64>,
}

impl Upstrokes {
    /// Recorder of `cells` cells that nothing has reached yet.
    pub fn new(cells: usize, options: UpstrokeOptions) -> Self {
        let never = |n| vec![f64::NAN; n];
        Self {
            options,
            first: never(cells),
            last: never(cells),
            count: vec![0; cells],
            kept: never(cells * options.keep),
            durations: options.apd_level.map(|level| Durations {
                rest: 1.0 - level,
                apd: never(cells),
                peak: vec![f32::NAN; cells],
            }),
        }
    }

    /// Sees a row of cells, numbered from `first`, before and after the step from `t_old` to
    /// `t_old + dt`. Rows may come in any order, the steps of a cell in order of time.
    #[inline(always)]
    pub fn observe<T: Float>(&mut self, first: usize, old: &[T], new: &[T], t_old: f64, dt: f64) {
        let threshold = T::from_f64(self.options.threshold);
        for (i, (old, new)) in old.chunks(CHUNK).zip(new.chunks(CHUNK)).enumerate() {
            let mut rises = false;
            for (a, b) in old.iter().zip(new) {
                rises |= (*a < threshold) & (*b >= threshold);
            }
            if rises {
                self.activate(first + i * CHUNK, old, new, t_old, dt);
            }
        }
        if let Some(durations) = &mut self.durations {
            durations.observe(&self.last, first, old, new, t_old, dt);
        }
    }

    #[inline(never)]
    fn activate<T: Float>(&mut self, first: usize, old: &[T], new: &[T], t_old: f64, dt: f64) {
        let threshold = T::from_f64(self.options.threshold);
        for (i, (&a, &b)) in old.iter().zip(new).enumerate() {
            if a < threshold && b >= threshold {
                let cell = first + i;
                let time = t_old + dt * fraction_of_step(a, b, self.options.threshold);
                if self.count[cell] == 0 {
                    self.first[cell] = time;
                }
                self.last[cell] = time;
                let seen = self.count[cell] as usize;
                if seen < self.options.keep {
                    self.kept[cell * self.options.keep + seen] = time;
                }
                self.count[cell] = self.count[cell].saturating_add(1);
                if let Some(durations) = &mut self.durations {
                    durations.peak[cell] = b.value() as f32;
                }
            }
        }
    }

    pub fn options(&self) -> UpstrokeOptions {
        self.options
    }

    /// Copy of the state.
    pub fn arrays(&self) -> UpstrokeArrays {
        let (apd, peak) = match &self.durations {
            Some(d) => (d.apd.clone(), d.peak.iter().map(|&p| p as f64).collect()),
            None => (vec![], vec![]),
        };
        UpstrokeArrays {
            first: self.first.clone(),
            last: self.last.clone(),
            count: self.count.clone(),
            kept: self.kept.clone(),
            apd,
            peak,
        }
    }

    /// The recorder in a saved state; it continues bitwise as the saved one.
    ///
    /// # Errors
    /// `BadData` where the arrays are not those of one number of cells under these options.
    pub fn from_arrays(options: UpstrokeOptions, arrays: UpstrokeArrays) -> Result<Self> {
        let cells = arrays.first.len();
        let timed = if options.apd_level.is_some() {
            cells
        } else {
            0
        };
        for (name, found, expected) in [
            ("last activation", arrays.last.len(), cells),
            ("number of activations", arrays.count.len(), cells),
            ("kept activations", arrays.kept.len(), cells * options.keep),
            ("action potential duration", arrays.apd.len(), timed),
            ("action potential peak", arrays.peak.len(), timed),
        ] {
            if found != expected {
                return Err(Error::BadData {
                    what: format!("saved activation recorder, {name}"),
                    problem: format!("{found} values where {cells} cells need {expected}"),
                    remedy: "resume with the settings of [fk.record] that the checkpoint was \
                             written with"
                        .into(),
                });
            }
        }
        Ok(Self {
            options,
            first: arrays.first,
            last: arrays.last,
            count: arrays.count,
            kept: arrays.kept,
            durations: options.apd_level.map(|level| Durations {
                rest: 1.0 - level,
                apd: arrays.apd,
                peak: arrays.peak.iter().map(|&p| p as f32).collect(),
            }),
        })
    }
}

impl Durations {
    /// After the activations of this step, which have their own u as the peak: no fall yet.
    #[inline(always)]
    fn observe<T: Float>(
        &mut self,
        last: &[f64],
        first: usize,
        old: &[T],
        new: &[T],
        t_old: f64,
        dt: f64,
    ) {
        let rest = self.rest as f32;
        for (i, (old, new)) in old.chunks(CHUNK).zip(new.chunks(CHUNK)).enumerate() {
            let cell = first + i * CHUNK;
            let peaks = &mut self.peak[cell..cell + new.len()];
            let (mut grows, mut falls) = (false, false);
            for (peak, b) in peaks.iter().zip(new) {
                let u = b.value() as f32;
                grows |= u > *peak;
                falls |= u < rest * *peak;
            }
            if grows {
                for (peak, b) in peaks.iter_mut().zip(new) {
                    let u = b.value() as f32;
                    *peak = if u > *peak { u } else { *peak };
                }
            }
            if falls {
                self.close(last, cell, old, new, t_old, dt);
            }
        }
    }

    #[inline(never)]
    fn close<T: Float>(
        &mut self,
        last: &[f64],
        first: usize,
        old: &[T],
        new: &[T],
        t_old: f64,
        dt: f64,
    ) {
        for (i, (&a, &b)) in old.iter().zip(new).enumerate() {
            let cell = first + i;
            let peak = self.peak[cell];
            if (b.value() as f32) < self.rest as f32 * peak {
                let repolarised = t_old + dt * fraction_of_step(a, b, self.rest * peak as f64);
                self.apd[cell] = repolarised - last[cell];
                self.peak[cell] = f32::NAN;
            }
        }
    }
}

/// Where between u = a and u = b the level lies, 0 to 1.
fn fraction_of_step<T: Float>(a: T, b: T, level: f64) -> f64 {
    ((level - a.value()) / (b.value() - a.value())).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: UpstrokeOptions = UpstrokeOptions {
        threshold: 0.5,
        keep: 2,
        apd_level: Some(0.9),
    };

    /// Triangular pulses of height `peak`: up in 10 ms, down in 100 ms, every 200 ms, later by
    /// 1.37 ms from cell to cell.
    fn pulse(cell: usize, t: f64, peak: f64) -> f64 {
        let since = t - 1.37 * cell as f64;
        if since < 0.0 {
            return 0.0;
        }
        let phase = since % 200.0;
        (peak * (phase / 10.0).min((110.0 - phase) / 100.0)).max(0.0)
    }

    fn row<T: Float>(cells: usize, t: f64, peak: f64) -> Vec<T> {
        (0..cells).map(|c| T::from_f64(pulse(c, t, peak))).collect()
    }

    fn run<T: Float>(recorder: &mut Upstrokes, steps: std::ops::Range<usize>, peak: f64) {
        let (n, dt) = (recorder.count.len(), 0.25);
        for step in steps {
            let t = step as f64 * dt;
            let (old, new) = (row::<T>(n, t, peak), row::<T>(n, t + dt, peak));
            // Two pieces of a row, as tiles see them.
            let cut = n / 3;
            recorder.observe(0, &old[..cut], &new[..cut], t, dt);
            recorder.observe(cut, &old[cut..], &new[cut..], t, dt);
        }
    }

    fn exact_times<T: Float>(tolerance: f64) {
        for peak in [0.8, 1.25] {
            let mut recorder = Upstrokes::new(200, OPTIONS);
            // 590 ms: the last cell (onset 272.6 ms) has seen two upstrokes.
            run::<T>(&mut recorder, 0..2360, peak);
            let a = recorder.arrays();
            let rise = 10.0 * 0.5 / peak;
            for c in 0..200 {
                let onset = 1.37 * c as f64;
                let beats = (0..3).filter(|&k| onset + 200.0 * k as f64 + rise < 590.0);
                let count = beats.count();
                assert_eq!(a.count[c] as usize, count);
                assert!((a.first[c] - (onset + rise)).abs() < tolerance);
                let last = onset + rise + 200.0 * (count - 1) as f64;
                assert!((a.last[c] - last).abs() < tolerance);
                assert!((a.kept[2 * c + 1] - (onset + 200.0 + rise)).abs() < tolerance);
                // Falls to a tenth of the peak 100 ms after the onset. The sampled peak is low by
                // up to 0.25 ms of the descent, 0.25 % of the peak: 0.025 ms of duration.
                assert!(
                    (a.apd[c] - (100.0 - rise)).abs() < 0.03 + tolerance,
                    "{}",
                    a.apd[c]
                );
            }
        }
    }

    #[test]
    fn times_and_durations_of_triangles() {
        exact_times::<f64>(1e-9);
        exact_times::<f32>(1e-3);
    }

    #[test]
    fn saved_and_restored_it_continues_bitwise() {
        let mut whole = Upstrokes::new(70, OPTIONS);
        run::<f32>(&mut whole, 0..1500, 1.1);
        let mut half = Upstrokes::new(70, OPTIONS);
        run::<f32>(&mut half, 0..333, 1.1);
        let mut restored = Upstrokes::from_arrays(OPTIONS, half.arrays()).unwrap();
        run::<f32>(&mut restored, 333..1500, 1.1);
        let bits = |a: Vec<f64>| a.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let (a, b) = (whole.arrays(), restored.arrays());
        assert_eq!(a.count, b.count);
        assert_eq!(bits(a.first), bits(b.first));
        assert_eq!(bits(a.last), bits(b.last));
        assert_eq!(bits(a.kept), bits(b.kept));
        assert_eq!(bits(a.apd), bits(b.apd));
        assert_eq!(bits(a.peak), bits(b.peak));
    }

    #[test]
    fn never_activated_is_nan_and_only_the_asked_is_held() {
        let options = UpstrokeOptions {
            threshold: 0.5,
            keep: 0,
            apd_level: None,
        };
        let mut recorder = Upstrokes::new(3, options);
        recorder.observe(0, &[0.0, 0.2, 0.7], &[0.4, 0.5, 0.9], 1.0, 0.1);
        let a = recorder.arrays();
        assert_eq!(a.count, [0, 1, 0]);
        assert!(a.first[0].is_nan() && a.last[2].is_nan());
        assert_eq!(a.first[1], 1.1);
        assert!(a.kept.is_empty() && a.apd.is_empty() && a.peak.is_empty());
    }

    #[test]
    fn an_upstroke_before_repolarisation_begins_anew() {
        let mut recorder = Upstrokes::new(1, OPTIONS);
        let u = [0.0, 1.0, 0.4, 0.8, 0.2, 0.0, 0.1, 0.0];
        for (step, pair) in u.windows(2).enumerate() {
            recorder.observe(0, &pair[..1], &pair[1..], step as f64, 1.0);
        }
        let a = recorder.arrays();
        assert_eq!(a.kept, [0.5, 2.25]);
        // Falls through 0.08 on the way from 0.2 at 4 ms to 0 at 5 ms.
        assert!((a.apd[0] - (4.6 - 2.25)).abs() < 1e-6);
    }

    #[test]
    fn arrays_of_other_options_are_refused() {
        let arrays = Upstrokes::new(4, OPTIONS).arrays();
        let other = UpstrokeOptions { keep: 3, ..OPTIONS };
        let error = Upstrokes::from_arrays(other, arrays).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains("kept activations"));
    }
}
