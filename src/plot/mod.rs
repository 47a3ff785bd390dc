//! Pictures without a display: diagrams, maps on meshes and grids, animations. Knows no result file.
//!
//! Lengths are in points, of which a picture is 1,200 wide, whatever its pixels.

pub mod animation;
pub mod axis;
pub mod canvas;
pub mod chart;
pub mod colour_bar;
pub mod colours;
pub mod map;
pub mod marks;
pub mod paths;
pub mod plane_map;
pub mod raster;
pub mod scene;
pub mod ticks;
pub mod view;
