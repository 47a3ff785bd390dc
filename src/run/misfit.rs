//! Measured times of a case, or its twin experiment, as each rank's observations.

use std::path::PathBuf;

use super::job::Job;
use super::model::{Model, Root, broadcast_sources, expand_gamma};
use super::sources;
use crate::comm::{Communicator, agree, broadcast_slice};
use crate::config::{Case, Source};
use crate::eikonal::forward::Eikonal;
use crate::error::{Error, Result};
use crate::inversion::eikonal_misfit::MovingSources;
use crate::inversion::locate::sample_points;
use crate::inversion::misfit::LocalObservations;
use crate::inversion::observations::{MEASURED, Observations, Sampling, WEIGHTS};
use crate::inversion::options::{DatasetRef, GammaInput, InversionOptions, NamedVertices, Where};
use crate::inversion::sources::Emitter;
use crate::io;
use crate::mesh::formats::carp_data::is_called;
use crate::mesh::surface::surface_vertices;
use crate::partition::local_mesh::LocalMesh;
use crate::real::Real;
use crate::tensor::{Vec3, add, norm, scale, sub};

/// The observations of this rank. Collective; solves the forward problem for a twin.
pub fn observations<T: Real>(
    job: &mut Job,
    model: &mut Model,
    eikonal: &mut Eikonal<T>,
) -> Result<LocalObservations> {
    let twin_times = twin_times(job, model, eikonal)?;
    let made = match &mut model.root {
        Some(root) => on_root(&job.case, root, &twin_times).map(Some),
        None => Ok(None),
    };
    let made = agree(job.comm, made)?;
    if let Some(observations) = &made {
        let (rows, missing) = (observations.len(), observations.missing());
        job.report.result("observations", rows - missing);
        tracing::info!("{} measured times", rows - missing);
        let unreached = observations.unreached();
        if unreached > 0 {
            tracing::warn!(
                "{unreached} measured times are +inf (reached by no wave) and take no part"
            );
        }
        if missing > unreached {
            let missing = missing - unreached;
            tracing::warn!("{missing} measured times are NaN or of weight 0 and take no part");
        }
    }
    let parts = model
        .root
        .as_ref()
        .and_then(|root| root.mesh.parts.as_deref())
        .unwrap_or_default();
    let mine = Observations::scatter(job.comm, made.as_ref(), parts);
    let mut numbers: Vec<(u32, u32)> = model
        .local
        .global_vertices
        .iter()
        .copied()
        .zip(0..)
        .collect();
    numbers.sort_unstable();
    let localised = mine.localise(|global| {
        let i = numbers.binary_search_by_key(&global, |(g, _)| *g).ok()?;
        Some(numbers[i].1)
    });
    agree(job.comm, localised)
}

/// The sources that move with the parameters of an inversion, where there are some.
pub fn moving_sources<'a>(case: &Case, model: &'a Model) -> Result<Option<MovingSources<'a>>> {
    let sources = case.sources()?;
    if !sources.iter().any(Source::moves) {
        return Ok(None);
    }
    let root = model.root.as_ref();
    Ok(Some(MovingSources {
        unknowns: sources.iter().map(Source::unknowns).sum(),
        root: root.map(|root| root.sources(root.emitters.clone())),
    }))
}

/// Values of the unknowns of the sources as configured, on all ranks. Collective.
pub fn configured_unknowns(comm: &dyn Communicator, model: &Model) -> Vec<f64> {
    let emitters = model.root.iter().flat_map(|root| &root.emitters);
    let mut unknowns: Vec<f64> = emitters.flat_map(Emitter::unknowns).collect();
    broadcast_slice(comm, 0, &mut unknowns);
    unknowns
}

/// Times of the twin on rank 0, in the file's numbering; empty elsewhere or without a twin.
fn twin_times<T: Real>(job: &mut Job, model: &Model, eikonal: &mut Eikonal<T>) -> Result<Vec<f64>> {
    let Some(twin) = job.case.inversion.twin.clone() else {
        return Ok(Vec::new());
    };
    let (comm, k) = (job.comm, model.gamma.len());
    let gamma = GammaInput::PerDomain(twin.gamma.clone());
    let gamma = expand_gamma("inversion.twin.gamma", &gamma, k, &job.case);
    let mut gamma = agree(comm, gamma)?;
    let mut unit = Vec::from_iter(model.root.as_ref().map(|root| root.unit_mm));
    broadcast_slice(comm, 0, &mut unit);
    // A scar is one more domain of the twin.
    let in_scar = |corners: [Vec3; 4]| {
        twin.scar.is_some_and(|scar| {
            let centre = scar.centre.map(|c| c * unit[0]);
            let centroid = corners.into_iter().fold([0.0; 3], add);
            norm(sub(scale(0.25, centroid), centre)) <= scar.radius * unit[0]
        })
    };
    if let Some(scar) = twin.scar {
        let scar = GammaInput::Uniform(scar.gamma);
        let of_scar = expand_gamma("inversion.twin.scar.gamma", &scar, 1, &job.case);
        gamma.extend(agree(comm, of_scar)?);
    }
    // A twin has its own onsets; those around points depend on its γ, too.
    let sources = match &model.root {
        Some(root) => {
            let emitters = sources::of_twin(&twin, &root.emitters, root.unit_mm);
            let mut sources = root.sources(emitters);
            for (t, domain) in sources.domains.iter_mut().enumerate() {
                if in_scar(root.mesh.corners(t)) {
                    *domain = k as u32;
                }
            }
            if twin.scar.is_some() && !sources.domains.contains(&(k as u32)) {
                Err(job.case.origins.error(
                    "inversion.twin.scar",
                    "the centre of no tetrahedron of the mesh is in it",
                    "enlarge the radius or move the centre (in the unit of mesh.unit)",
                ))
            } else {
                sources::resolve(&job.case, &sources, &gamma)
            }
        }
        None => Ok(Vec::new()),
    };
    let sources = broadcast_sources(comm, agree(comm, sources)?);
    let mut scarred = match twin.scar {
        Some(_) => {
            let mut local = model.local.clone();
            let LocalMesh {
                domains,
                tetrahedra,
                points,
                ..
            } = &mut local;
            for (domain, tetrahedron) in domains.iter_mut().zip(tetrahedra) {
                if in_scar(tetrahedron.map(|v| points[v as usize])) {
                    *domain = k as u32;
                }
            }
            Some(model.eikonal_on::<T>(job, &local)?)
        }
        None => None,
    };
    let of_twin = match &mut scarred {
        Some(scarred) => scarred,
        None => &mut *eikonal,
    };
    of_twin.set_sources(&sources);
    let gamma: Vec<T> = gamma.iter().map(|g| T::from_f64(*g)).collect();
    let begun = std::time::Instant::now();
    let solution = of_twin.solve(comm, &gamma)?;
    job.report.add_time("twin", begun.elapsed());
    eikonal.set_sources(&model.sources);
    Ok(model.gather_times(comm, &solution))
}

fn on_root(case: &Case, root: &mut Root, twin_times: &[f64]) -> Result<Observations> {
    let options = case.inversion()?;
    let sampling = sampling(case, root, &options.vertices)?;
    let n = root.mesh.vertex_count();
    let weights = match &options.weights {
        Some(from) => Some(read(from, USUAL_WEIGHTS, &mut root.inputs)?),
        None => None,
    };
    let made = match (&options.measured, &options.twin) {
        (Some(from), _) => {
            let measured = read(from, USUAL_TIMES, &mut root.inputs)?;
            Observations::new(sampling, measured, weights, n)
        }
        (None, Some(twin)) => {
            Observations::twin(sampling, twin_times, twin.noise_ms, twin.seed, weights)
        }
        (None, None) => Err(Error::Bug("neither measured times nor a twin".into())),
    };
    made.map_err(|error| in_file_of_measurements(options, error))
}

/// Dataset of measured times where none is named.
const USUAL_TIMES: &str = "/fields/activation_time";

/// Dataset of weights where none is named.
const USUAL_WEIGHTS: &str = "/weights";

/// An error in measured times or weights with the file and the dataset that they are from.
fn in_file_of_measurements(options: &InversionOptions, error: Error) -> Error {
    let (from, usual) = match &error {
        Error::BadData { what, .. } if what == MEASURED => (&options.measured, USUAL_TIMES),
        Error::BadData { what, .. } if what == WEIGHTS => (&options.weights, USUAL_WEIGHTS),
        _ => return error,
    };
    match from {
        Some(from) => {
            let dataset = from.dataset.as_deref().unwrap_or(usual);
            let has_datasets = !is_called(&from.file, "dat");
            error.in_file(&from.file, has_datasets.then_some(dataset))
        }
        None => error,
    }
}

fn read(from: &DatasetRef, usual: &str, inputs: &mut Vec<PathBuf>) -> Result<Vec<f64>> {
    let dataset = from.dataset.as_deref().unwrap_or(usual);
    let values = io::read_f64(&from.file, dataset, None)?;
    if !inputs.contains(&from.file) {
        inputs.push(from.file.clone());
    }
    Ok(values)
}

/// The vertices or points where times are measured.
fn sampling(case: &Case, root: &mut Root, place: &Where) -> Result<Sampling> {
    let n = root.mesh.vertex_count();
    match place {
        Where::Named(NamedVertices::All) => Ok(Sampling::at_vertices(0..n as u32)),
        Where::Named(NamedVertices::Surface) => Ok(Sampling::at_vertices(surface_vertices(
            n,
            &root.mesh.tetrahedra,
        )?)),
        Where::Dataset(from) => {
            let dataset = from.dataset.as_deref().unwrap_or("/vertices");
            let vertices = io::read_vertices(&from.file, dataset, n)?;
            root.inputs.push(from.file.clone());
            Ok(Sampling::at_vertices(vertices))
        }
        Where::Points { points } => {
            let points: Vec<_> = points.iter().map(|p| p.map(|c| c * root.unit_mm)).collect();
            let key = "inversion.vertices.points";
            if points.is_empty() {
                return Err(case
                    .origins
                    .error(key, "there is none", "give at least one point"));
            }
            sample_points(&root.mesh, &points).map_err(|e| match e {
                Error::BadData {
                    what,
                    problem,
                    remedy,
                } => case
                    .origins
                    .error(key, format!("{what}: {problem}"), remedy),
                e => e,
            })
        }
    }
}
