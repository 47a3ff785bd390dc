//! Options of `plot` and `scaling`.

use std::path::PathBuf;

use clap::Args;

use super::values::{picture_width, positive, range};
use crate::plot::colours::ColourMap;
use crate::plot::view::{Plane, View};

#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Result (.h5), report.json, mesh, table (.csv), or a folder of results
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Say what pictures the file can give; draw nothing
    #[arg(long)]
    pub list: bool,
    /// Draw these [default: those that --list marks]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub pictures: Vec<String>,
    /// Folder of the pictures [default: that of the file]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over pictures that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Width in pixels (animations: two thirds of it)
    #[arg(long, value_name = "PIXELS", default_value_t = 1200, value_parser = picture_width)]
    pub width: usize,
    /// From where a mesh is seen, once or more: front (-y), back, left, right, top, bottom, or
    /// AZIMUTH,ELEVATION in degrees [default: -120,25 and 60,25]
    #[arg(
        long = "view",
        value_name = "VIEW",
        allow_negative_numbers = true,
        allow_hyphen_values = true
    )]
    pub views: Vec<View>,
    /// Take away what lies before a plane: x=MM, y=MM, z=MM, or NX,NY,NZ=MM
    #[arg(long, value_name = "PLANE", allow_hyphen_values = true)]
    pub cut: Option<Plane>,
    /// Distance of isochrones in ms [default: about fifteen of them]
    #[arg(long, value_name = "MS", value_parser = positive)]
    pub isochrones: Option<f64>,
    /// Colour map [default: viridis]
    #[arg(long, value_enum)]
    pub colours: Option<ColourMap>,
    /// Ends of the colour bar [default: the least and the largest value]
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    pub range: Option<Range>,
    /// Frames of an animation each second [default: 10]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub speed: Option<f64>,
}

/// Ends of a range.
pub type Range = (f64, f64);

#[derive(Debug, Clone, Args)]
pub struct ScalingArgs {
    /// Folders with a report.json for each run, up to four levels down; or such files
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// What is compared, a key of timings_s [default: the work of the command, without input and
    /// output: solve, solve + adjoint, inversion, step]
    #[arg(long, value_name = "NAME")]
    pub timer: Option<String>,
    /// Folder of table and pictures [default: the first DIR]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over those that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Width of the pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1200, value_parser = picture_width)]
    pub width: usize,
}
