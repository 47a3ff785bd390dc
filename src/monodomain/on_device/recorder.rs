//! The recorder of upstrokes on the device.

use super::parameters::Recorder;
use crate::device::{Array, Device};
use crate::error::Result;
use crate::monodomain::activation::{UpstrokeArrays, UpstrokeOptions};

/// The arrays of the recorder.
pub struct Upstrokes {
    pub options: UpstrokeOptions,
    first: Array<f64>,
    last: Array<f64>,
    count: Array<u32>,
    kept: Array<f64>,
    apd: Array<f64>,
    peak: Array<f32>,
}

impl Upstrokes {
    pub fn new(on: &dyn Device, options: UpstrokeOptions, arrays: &UpstrokeArrays) -> Result<Self> {
        let made = Self {
            options,
            first: Array::zeros(on, arrays.first.len())?,
            last: Array::zeros(on, arrays.last.len())?,
            count: Array::zeros(on, arrays.count.len())?,
            kept: Array::zeros(on, arrays.kept.len())?,
            apd: Array::zeros(on, arrays.apd.len())?,
            peak: Array::zeros(on, arrays.peak.len())?,
        };
        made.write(on, arrays)?;
        Ok(made)
    }

    pub fn write(&self, on: &dyn Device, arrays: &UpstrokeArrays) -> Result<()> {
        self.first.write(on, &arrays.first)?;
        self.last.write(on, &arrays.last)?;
        self.count.write(on, &arrays.count)?;
        self.kept.write(on, &arrays.kept)?;
        self.apd.write(on, &arrays.apd)?;
        let peak: Vec<f32> = arrays.peak.iter().map(|p| *p as f32).collect();
        self.peak.write(on, &peak)
    }

    pub fn arrays(&self, on: &dyn Device) -> Result<UpstrokeArrays> {
        let peak = self.peak.to_vec(on)?;
        Ok(UpstrokeArrays {
            first: self.first.to_vec(on)?,
            last: self.last.to_vec(on)?,
            count: self.count.to_vec(on)?,
            kept: self.kept.to_vec(on)?,
            apd: self.apd.to_vec(on)?,
            peak: peak.into_iter().map(f64::from).collect(),
        })
    }

    pub fn recorder(&self, dt: f64) -> Recorder {
        Recorder {
            first: self.first.address(0),
            last: self.last.address(0),
            kept: self.kept.address(0),
            apd: self.apd.address(0),
            count: self.count.address(0),
            peak: self.peak.address(0),
            threshold: self.options.threshold,
            rest: self.options.apd_level.map_or(0.0, |level| 1.0 - level),
            dt,
            keep: self.options.keep as i32,
            durations: i32::from(self.options.apd_level.is_some()),
            on: 1,
            unused: 0,
        }
    }
}
