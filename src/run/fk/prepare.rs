//! From the configuration to a grid, its tissue and what acts on it, on rank 0.

use std::path::PathBuf;

use crate::config::{Case, without_mesh};
use crate::error::{Error, Result};
use crate::io;
use crate::memory;
use crate::mesh::TetMesh;
use crate::mesh::check::validate;
use crate::mesh::formats;
use crate::monodomain::bridge::outside;
use crate::monodomain::grid::{Diffusivity, Grid, Tissue};
use crate::monodomain::options::{
    BridgeOptions, DatasetOptions, DiffusivityOptions, FkOptions, GridOptions, InitialOptions,
    Parameters,
};
use crate::monodomain::region::{Parts, Regions};
use crate::monodomain::simulation::Values;
use crate::monodomain::tissue::TissueInput;
use crate::monodomain::voxelize::{three_spacings, voxelize};
use crate::monodomain::voxels::Voxels;
use crate::run::model;
use crate::tensor::Vec3;

/// What a simulation needs that only rank 0 holds.
pub struct Prepared {
    pub grid: Grid,
    pub tissue: Tissue,
    /// Distinct parameters; the tissue's regions are numbers in it.
    pub sets: Vec<Parameters>,
    /// Cells of each stimulus, ascending.
    pub stimuli: Vec<Vec<u64>>,
    /// Cell of each probe.
    pub probes: Vec<usize>,
    pub electrodes: Vec<Vec3>,
    /// Initial values: field (0 is u), whole grid; rest where there are none.
    pub initial: Vec<(usize, Values)>,
    /// The mesh at whose vertices activation times are sampled.
    pub bridge: Option<TetMesh>,
    /// Files that were read.
    pub inputs: Vec<PathBuf>,
}

/// Prepares the simulation `fk` of a case, with a model that has these `gates`.
pub fn prepare(case: &Case, fk: &FkOptions, gates: &[&str]) -> Result<Prepared> {
    let mut inputs = Vec::new();
    let (grid, voxels, mesh) = grid(case, fk, &mut inputs)?;
    let oblique = !matches!(fk.diffusivity, Some(DiffusivityOptions::Isotropic(_)));
    refuse_beyond_memory(&grid, voxels.is_some() && oblique)?;
    let read = |d: &DatasetOptions| io::read_matrix(&d.file, &d.dataset);
    let datasets = [fk.mask.as_ref(), diffusivity_dataset(fk)];
    inputs.extend(datasets.into_iter().flatten().map(|d| d.file.clone()));

    let labels = voxels.as_ref().map(|v| Labels::new(v, &grid));
    let in_voxels = voxels.as_ref().map(Voxels::active);
    let regions = |active| Regions {
        grid: &grid,
        active,
        domains: labels.as_ref().map(|l| &l.domains[..]),
        tags: labels.as_ref().map(|l| &l.tags[..]),
        read: &read,
    };
    let mut holes = Vec::new();
    for (i, hole) in fk.hole.iter().enumerate() {
        holes.extend(regions(in_voxels.as_deref()).cells(&format!("fk.hole.{i}"), hole)?);
    }
    let mut tissue = TissueInput {
        grid: &grid,
        voxels: voxels.as_ref(),
        mask: fk.mask.as_ref(),
        holes: &holes,
        diffusivity: fk.diffusivity.as_ref(),
        read: &read,
    }
    .build()?;
    let active = tissue.active.take();
    let regions = regions(active.as_deref());
    let Parts { sets, set, gamma } = regions.parts(&fk.parameters, &fk.region)?;
    let stimuli = fk.stimulus.iter().enumerate().map(|(i, stimulus)| {
        let cells = regions.cells(&format!("fk.stimulus.{i}.region"), &stimulus.region)?;
        Ok(cells.into_iter().map(|c| c as u64).collect())
    });
    let stimuli = stimuli.collect::<Result<_>>()?;
    let probes = fk.record.probes.iter().enumerate();
    let probes = probes
        .map(|(i, point)| probe(&grid, active.as_deref(), i, point))
        .collect::<Result<_>>()?;
    tissue.active = active;
    tissue.region = set;
    if let Some(gamma) = gamma {
        tissue.diffusivity = scale(&tissue.diffusivity, &gamma);
    }
    let electrodes = fk.record.electrodes.iter().map(|e| point(e)).collect();
    let bridge = bridge(case, fk, &grid, mesh)?;
    let initial = initial(fk, &grid, tissue.active.as_deref(), gates, &mut inputs)?;
    Ok(Prepared {
        grid,
        tissue,
        sets,
        stimuli,
        probes,
        electrodes,
        initial,
        bridge,
        inputs,
    })
}

/// Refuses a grid whose description alone would not fit in this machine: rank 0 holds that of the
/// whole box.
fn refuse_beyond_memory(grid: &Grid, tensors: bool) -> Result<()> {
    // Which cells are active, their parameter sets, one field; D of each cell, twice while it is
    // sent to the ranks.
    let per_cell = 10.0 + if tensors { 96.0 } else { 0.0 };
    let cells: f64 = grid.shape.iter().map(|n| *n as f64).product();
    match memory::available() {
        Some(memory) if cells * per_cell > memory => Err(Error::bad_data(
            "fk.grid",
            format!(
                "{cells:.3e} cells need more than {:.1} GB of memory, and {:.1} GB are free",
                cells * per_cell / 1e9,
                memory / 1e9
            ),
            "give a coarser spacing or a smaller box (is mesh.unit right?), or run on a larger machine",
        )),
        _ => Ok(()),
    }
}

/// The mesh of `fk.bridge`, read before anything is computed; `voxelised` made the grid.
fn bridge(
    case: &Case,
    fk: &FkOptions,
    grid: &Grid,
    voxelised: Option<TetMesh>,
) -> Result<Option<TetMesh>> {
    match &fk.bridge {
        None => Ok(None),
        Some(BridgeOptions { mesh: Some(path) }) => {
            let mesh = formats::read(path, None)?;
            check_bridge(case, grid, &mesh)?;
            Ok(Some(mesh))
        }
        Some(BridgeOptions { mesh: None }) => match voxelised {
            None => Err(without_mesh(&case.origins)),
            mesh => Ok(mesh),
        },
    }
}

/// Compares the mesh of a bridge with the grid: one that is elsewhere is an error; vertices outside,
/// and a solid on a sheet or a cable, are told.
fn check_bridge(case: &Case, grid: &Grid, mesh: &TetMesh) -> Result<()> {
    let key = "fk.bridge.mesh";
    let extent = |axis: usize| {
        let along = mesh.points.iter().map(|p| p[axis]);
        along.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| {
            [low.min(x), high.max(x)]
        })
    };
    let side = |axis: usize| grid.shape[2 - axis] as f64 * grid.spacing[2 - axis];
    let (all, outside) = (mesh.points.len(), outside(grid, &mesh.points));
    if outside > 0 {
        let spans: Vec<String> = (0..grid.dimensions)
            .map(|axis| {
                let [low, high] = extent(axis);
                let from = grid.origin[axis];
                let to = from + side(axis);
                let name = ["x", "y", "z"][axis];
                format!("{name} from {from:.3} to {to:.3} mm, the mesh from {low:.3} to {high:.3}")
            })
            .collect();
        let spans = format!("the grid spans {}", spans.join("; "));
        if outside == all {
            let problem = format!("no vertex lies within the grid: {spans}");
            return Err((case.origins).error(key, problem, "give the mesh of this tissue, in mm"));
        }
        let what = format!("{outside} of {all} vertices lie outside the grid: {spans}");
        tracing::warn!("{}", case.origins.line(key, &what));
    }
    // A slab on a sheet may have some thickness.
    let least = (0..grid.dimensions).map(side).fold(f64::INFINITY, f64::min);
    for axis in grid.dimensions..3 {
        let [low, high] = extent(axis);
        if high - low > 0.5 * least {
            let name = ["x", "y", "z"][axis];
            let what = format!(
                "extends {:.3} mm along {name}, an axis that the grid does not have: the times do not \
                 depend on {name}",
                high - low
            );
            tracing::warn!("{}", case.origins.line(key, &what));
        }
    }
    Ok(())
}

type Made = (Grid, Option<Voxels>, Option<TetMesh>);

fn grid(case: &Case, fk: &FkOptions, inputs: &mut Vec<PathBuf>) -> Result<Made> {
    let missing = || Error::Bug("fk.grid was checked to be there".into());
    let (mut grid, voxels, mesh) = match fk.grid.as_ref().ok_or_else(missing)? {
        GridOptions::Box { shape, spacing } => {
            let sizes = spacing.along(shape.len()).ok_or_else(missing)?;
            // Axes that are not there have one cell, of the last axis' size.
            let size = sizes.last().copied().unwrap_or(1.0);
            let (mut cells, mut spacing) = ([1; 3], [size; 3]);
            let first = 3 - shape.len();
            cells[first..].copy_from_slice(shape);
            spacing[first..].copy_from_slice(&sizes);
            let grid = Grid {
                shape: cells,
                spacing,
                origin: [0.0; 3],
                periodic: [false; 3],
                dimensions: shape.len(),
            };
            (grid, None, None)
        }
        GridOptions::Voxels { voxels } => {
            inputs.push(voxels.clone());
            let voxels = io::read_voxels(voxels)?;
            (voxels.grid.clone(), Some(voxels), None)
        }
        GridOptions::Mesh { .. } | GridOptions::Case { .. } => {
            let (mesh, spacing) = mesh(case, fk, inputs)?.ok_or_else(missing)?;
            let voxels = voxelised(case, mesh, spacing, inputs)?;
            (voxels.0.grid.clone(), Some(voxels.0), Some(voxels.1))
        }
    };
    close(&mut grid, fk).ok_or_else(missing)?;
    Ok((grid, voxels, mesh))
}

/// Makes axes periodic that are so in the configuration; `None` where it has too many or too few.
pub fn close(grid: &mut Grid, fk: &FkOptions) -> Option<()> {
    let periodic = fk.boundary.periodic(grid.dimensions)?;
    grid.periodic[3 - grid.dimensions..].copy_from_slice(&periodic);
    Some(())
}

/// The mesh that the grid is to be made from, and the spacing along z, y, x; `None` for other grids.
pub fn mesh(
    case: &Case,
    fk: &FkOptions,
    inputs: &mut Vec<PathBuf>,
) -> Result<Option<(TetMesh, [f64; 3])>> {
    let (mesh, spacing) = match &fk.grid {
        Some(GridOptions::Mesh {
            mesh,
            spacing,
            unit,
        }) => {
            inputs.push(mesh.clone());
            let mesh = formats::read(mesh, *unit)?;
            validate(&mesh)?;
            (mesh, spacing)
        }
        Some(GridOptions::Case { spacing }) => {
            let (mesh, _, read) = model::read_mesh(case)?;
            inputs.extend(read);
            (mesh, spacing)
        }
        _ => return Ok(None),
    };
    Ok(Some((mesh, three_spacings(spacing)?)))
}

/// The voxels of a mesh, with the material domains of the case and their γ.
fn voxelised(
    case: &Case,
    mut mesh: TetMesh,
    spacing: [f64; 3],
    inputs: &mut Vec<PathBuf>,
) -> Result<(Voxels, TetMesh)> {
    let (domains, count) = model::domains(case, &mesh, inputs)?;
    mesh.domains = Some(domains);
    let gamma = model::expand_gamma("domains.gamma", &case.domains.gamma, count, case)?;
    let mut voxels = voxelize(&mesh, spacing)?;
    voxels.set_gamma(&gamma)?;
    Ok((voxels, mesh))
}

/// Domain and tag of every cell of the grid; those outside the tissue are never asked for.
struct Labels {
    domains: Vec<u32>,
    tags: Vec<i32>,
}

impl Labels {
    fn new(voxels: &Voxels, grid: &Grid) -> Self {
        let mut labels = Self {
            domains: vec![0; grid.cells()],
            tags: vec![0; grid.cells()],
        };
        for (row, cell) in voxels.cells.iter().enumerate() {
            labels.domains[*cell as usize] = voxels.domains[row];
            labels.tags[*cell as usize] = voxels.tags[row];
        }
        labels
    }
}

fn diffusivity_dataset(fk: &FkOptions) -> Option<&DatasetOptions> {
    use crate::monodomain::options::DiffusivityOptions::Dataset;
    match &fk.diffusivity {
        Some(Dataset(dataset)) => Some(dataset),
        _ => None,
    }
}

/// D γ of every cell.
fn scale(diffusivity: &Diffusivity, gamma: &[f64]) -> Diffusivity {
    match diffusivity {
        Diffusivity::Uniform([d, 0.0, 0.0, e, 0.0, f]) if d == e && d == f => {
            Diffusivity::Isotropic(gamma.iter().map(|g| g * *d).collect())
        }
        Diffusivity::Isotropic(d) => {
            Diffusivity::Isotropic(d.iter().zip(gamma).map(|(d, g)| d * g).collect())
        }
        tensors => Diffusivity::Tensor(
            (gamma.iter().enumerate())
                .map(|(cell, g)| tensors.at(cell).map(|d| d * g))
                .collect(),
        ),
    }
}

/// x, y(, z) with zeros for axes that are not there.
fn point(given: &[f64]) -> Vec3 {
    std::array::from_fn(|a| given.get(a).copied().unwrap_or(0.0))
}

/// The cell that holds a probe.
fn probe(grid: &Grid, active: Option<&[bool]>, number: usize, given: &[f64]) -> Result<usize> {
    let mut place = [0; 3];
    for axis in 0..grid.dimensions.min(given.len()) {
        // Coordinates are x, y, z; axes of the grid z, y, x.
        let at = (given[axis] - grid.origin[axis]) / grid.spacing[2 - axis];
        let cells = grid.shape[2 - axis];
        // The high edge belongs to the last cell.
        let cell = if at == cells as f64 {
            at - 1.0
        } else {
            at.floor()
        };
        if !(0.0..cells as f64).contains(&cell) {
            return Err(Error::bad_data(
                format!("fk.record.probes.{number}"),
                format!("{given:?} lies outside the grid"),
                "give coordinates in mm within the grid",
            ));
        }
        place[2 - axis] = cell as usize;
    }
    let cell = grid.cell(place);
    if active.is_some_and(|active| !active[cell]) {
        return Err(Error::bad_data(
            format!("fk.record.probes.{number}"),
            format!("{given:?} lies in a cell that takes no part"),
            "move it into the tissue",
        ));
    }
    Ok(cell)
}

/// Initial values; cells that are NaN in a file stay at rest, as those outside the tissue are in a
/// result.
fn initial(
    fk: &FkOptions,
    grid: &Grid,
    active: Option<&[bool]>,
    gates: &[&str],
    inputs: &mut Vec<PathBuf>,
) -> Result<Vec<(usize, Values)>> {
    let names = std::iter::once("u").chain(gates.iter().copied());
    match &fk.initial {
        None => Ok(Vec::new()),
        Some(InitialOptions::Values(values)) => Ok(names
            .enumerate()
            .filter_map(|(field, name)| {
                let value = values.get(name)?;
                Some((field, Values::F64(vec![*value; grid.cells()])))
            })
            .collect()),
        Some(InitialOptions::File { file, group }) => {
            inputs.push(file.clone());
            names
                .enumerate()
                .map(|(field, name)| {
                    let dataset = format!("{}/{name}", group.trim_end_matches('/'));
                    let (shape, values) = io::read_matrix(file, &dataset)?;
                    if shape != grid.file_shape() && !(grid.dimensions == 0 && values.len() == 1) {
                        return Err(Error::bad_file(
                            file,
                            format!("dataset {dataset}"),
                            format!(
                                "has shape {shape:?}, but the grid has {:?}",
                                grid.file_shape()
                            ),
                            "give a state of the same grid",
                        ));
                    }
                    if let Some(cell) = values.iter().position(|v| v.is_infinite()) {
                        return Err(Error::bad_file(
                            file,
                            format!("dataset {dataset}"),
                            format!("cell {:?} is infinite", grid.place(cell)),
                            "give finite values (NaN: at rest)",
                        ));
                    }
                    let takes_part = |cell: usize| active.is_none_or(|a| a[cell]);
                    let missing = values.iter().enumerate();
                    let missing = missing.filter(|(cell, v)| v.is_nan() && takes_part(*cell));
                    match missing.count() {
                        0 => {}
                        n => tracing::warn!(
                            "{}: {dataset} is NaN in {n} cells of the tissue, which begin at rest",
                            file.display()
                        ),
                    }
                    Ok((field, Values::F64(values)))
                })
                .collect()
        }
    }
}
