//! Commands on meshes and their options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::generate::GenerateArgs;
use super::values::{angle, at_least_one, direction, length_unit, name_and_file, spacing};
use crate::monodomain::options::Spacing;
use crate::units::LengthUnit;

#[derive(Debug, Subcommand)]
pub enum MeshCommand {
    /// Make a mesh with fibres by rule
    Generate(GenerateArgs),
    /// Read a mesh in one format, write it in another (formats by file name)
    Convert {
        #[command(flatten)]
        files: MeshFiles,
        /// Values of the vertices to be added as a field: a .dat of openCARP's
        #[arg(long, value_name = "NAME=FILE.dat", value_parser = name_and_file)]
        data: Vec<(String, String)>,
        /// The field of the vertices to be written to OUT.dat
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
    },
    /// Counts, bounding box, volumes, edges, quality, tags, components
    Info {
        #[command(flatten)]
        file: MeshFile,
    },
    /// Find inverted, degenerate and sliver tetrahedra, orphans, duplicates, missing fibres
    Check {
        #[command(flatten)]
        file: MeshFile,
        /// Write a mesh with what can be mended safely
        #[arg(long, value_name = "OUT")]
        fix: Option<PathBuf>,
        /// Write over OUT if it is there
        #[arg(long, requires = "fix")]
        overwrite: bool,
    },
    /// Fibres and sheets by rule, for ventricles without (Laplace-Dirichlet, Bayer et al. 2012)
    Fibres(FibresArgs),
    /// Divide every tetrahedron in eight, fields carried along
    Refine {
        #[command(flatten)]
        files: MeshFiles,
    },
    /// Assign every vertex to a part, and tetrahedra to domains; an .h5 also holds each part in one
    /// piece, for ranks that read their own
    Partition {
        #[command(flatten)]
        files: MeshFiles,
        /// Number of parts (ranks)
        #[arg(long, value_name = "N", value_parser = at_least_one)]
        parts: usize,
        /// Number of equal material domains
        #[arg(long, value_name = "K", value_parser = at_least_one)]
        domains: Option<usize>,
    },
    /// Cells of a grid whose centres lie in the mesh, with its tags, domains and fibres, for fk.grid
    Voxelize {
        #[command(flatten)]
        input: MeshFile,
        /// Voxels to be written: .h5
        #[arg(value_name = "OUT.h5")]
        output: PathBuf,
        /// Size of the cells in mm: one number, or Z,Y,X
        #[arg(long, value_name = "MM", value_parser = spacing, allow_negative_numbers = true)]
        spacing: Spacing,
        /// Write over OUT.h5 if it is there
        #[arg(long)]
        overwrite: bool,
    },
}

/// A mesh to be read.
#[derive(Debug, Clone, Args)]
pub struct MeshFile {
    /// Mesh: .h5, .vtu, .vtkhdf, .vtk, .msh, TetGen's .node or .ele, or one of CARP's .pts .elem .lon,
    /// or their base name
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Fibres of another file: .vtk, .vtu (vectors on points), .lon
    #[arg(long, value_name = "FILE")]
    pub fibres: Option<PathBuf>,
    /// Unit of its coordinates: um, mm, cm, m [default: um for CARP, else mm]
    #[arg(long, value_parser = length_unit)]
    pub unit: Option<LengthUnit>,
}

/// A mesh to be read and one to be written.
#[derive(Debug, Clone, Args)]
pub struct MeshFiles {
    #[command(flatten)]
    pub input: MeshFile,
    /// Mesh to be written: .h5, .vtu, .vtkhdf, .msh (Gmsh 4.1), .msh2 (Gmsh 2.2), TetGen's .node or
    /// CARP's .pts
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Write over OUT if it is there
    #[arg(long)]
    pub overwrite: bool,
}

/// Fibres by rule; angles in degrees.
#[derive(Debug, Clone, Args)]
pub struct FibresArgs {
    #[command(flatten)]
    pub files: MeshFiles,
    /// Helix angle of the fibres on the endocardium
    #[arg(long, value_name = "DEG", default_value = "60", allow_negative_numbers = true, value_parser = angle)]
    pub endocardium: f64,
    /// Helix angle of the fibres on the epicardium
    #[arg(long, value_name = "DEG", default_value = "-60", allow_negative_numbers = true, value_parser = angle)]
    pub epicardium: f64,
    /// Sheet angle on the endocardium: 0 in the plane of the wall, -90 across it
    #[arg(long, value_name = "DEG", default_value = "-65", allow_negative_numbers = true, value_parser = angle)]
    pub sheet_endocardium: f64,
    /// Sheet angle on the epicardium
    #[arg(long, value_name = "DEG", default_value = "25", allow_negative_numbers = true, value_parser = angle)]
    pub sheet_epicardium: f64,
    /// Direction from apex to base [default: found from the surface]
    #[arg(long, value_name = "X,Y,Z", value_parser = direction, allow_hyphen_values = true)]
    pub axis: Option<[f64; 3]>,
    /// Vertices of a surface in place of those found: base, epicardium, left, right or apex; in a
    /// .vtx file, or those of the surface in the tetrahedra of a tag
    #[arg(long, value_name = "NAME=FILE.vtx|tag:N", value_parser = name_and_file)]
    pub surface: Vec<(String, String)>,
    /// Folder to which the surfaces are written as .vtx files
    #[arg(long, value_name = "DIR")]
    pub write_surfaces: Option<PathBuf>,
}
