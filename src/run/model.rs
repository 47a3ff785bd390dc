//! From a case to the eikonal problem on all ranks: mesh, tensors, domains, sources, parts.

use std::path::PathBuf;

use super::gather::gather;
use super::job::Job;
use super::medium::Medium;
use super::sources;
use crate::comm::{Communicator, agree, broadcast_json, broadcast_slice};
use crate::config::{Case, Division, FibreRule, MeshOrigin};
use crate::eikonal::forward::{Eikonal, Solution, Source};
use crate::error::{Error, Result};
use crate::inversion::options::{GAMMA_RANGE, GammaInput};
use crate::inversion::sources::{Emitter, Sources};
use crate::io;
use crate::mesh::check::validate;
use crate::mesh::fibre_rule::{add_fibres, detect};
use crate::mesh::{TetMesh, formats, generate};
use crate::partition;
use crate::partition::local_mesh::{LocalMesh, WholeMesh, distribute};
use crate::real::Real;
use crate::tensor::Metric;
use crate::units::LengthUnit;

/// The eikonal problem as all ranks hold it.
pub struct Model {
    pub local: LocalMesh,
    /// Sources, numbers in the file, the same on all ranks.
    pub sources: Vec<Source>,
    /// γ of the configuration, one per domain.
    pub gamma: Vec<f64>,
    /// Vertices and tetrahedra of the whole mesh.
    pub size: [usize; 2],
    /// What rank 0 alone holds.
    pub root: Option<Root>,
}

impl Model {
    /// The solver of this rank's part, made under the timer `setup`. Collective.
    pub fn eikonal<T: Real>(&self, job: &mut Job) -> Result<Eikonal<T>> {
        self.eikonal_on(job, &self.local)
    }

    /// The same where the part has other domains.
    pub fn eikonal_on<T: Real>(&self, job: &mut Job, local: &LocalMesh) -> Result<Eikonal<T>> {
        let width = job.case.eikonal.bucket_width;
        let comm = job.comm;
        let device = job.device.clone();
        job.report.time("setup", || {
            let eikonal = Eikonal::new(comm, local, &self.sources, width)?;
            match &device {
                Some(device) => eikonal.on_device(comm, device),
                None => Ok(eikonal),
            }
        })
    }

    /// φ of all vertices on rank 0, in the file's numbering; empty elsewhere. Collective.
    pub fn gather_times<T: Real>(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
    ) -> Vec<f64> {
        let owned = &solution.phi[..self.local.owned];
        let phi: Vec<f64> = owned.iter().map(|t| t.value()).collect();
        self.gather(comm, &phi)
    }

    /// One number of each owned vertex, gathered likewise. Collective.
    pub fn gather(&self, comm: &dyn Communicator, values: &[f64]) -> Vec<f64> {
        let numbers = &self.local.global_vertices[..self.local.owned];
        gather(comm, self.size[0], 1, numbers, values)
    }
}

/// The whole mesh, on rank 0.
pub struct Root {
    /// With domains and parts.
    pub mesh: TetMesh,
    pub medium: Medium,
    /// Millimetres in a unit of the configuration.
    pub unit_mm: f64,
    /// Files that were read.
    pub inputs: Vec<PathBuf>,
    /// Sources as configured.
    pub emitters: Vec<Emitter>,
}

impl Root {
    /// Sources as functions of γ and their unknowns; `emitters` in place of the configured ones.
    pub fn sources(&self, emitters: Vec<Emitter>) -> Sources<'_> {
        Sources {
            mesh: &self.mesh,
            metric: Box::new(|t| self.metric(t)),
            domains: self.mesh.domains.clone().unwrap_or_default(),
            emitters,
        }
    }

    /// N = M⁻¹ of tetrahedron `t` at γ = 1.
    pub fn metric(&self, t: usize) -> Metric {
        self.medium.metric(&self.mesh, t)
    }
}

/// What rank 0 prepares.
pub struct Prepared {
    pub root: Root,
    pub sources: Vec<Source>,
    /// γ of the configuration, one per domain.
    pub gamma: Vec<f64>,
}

/// Reads or makes the mesh and everything on it, on rank 0, without distributing it.
pub fn prepare(job: &mut Job) -> Result<Option<Prepared>> {
    let prepared = if job.comm.rank() == 0 {
        let ranks = job.comm.size();
        let case = &job.case;
        let begun = std::time::Instant::now();
        let prepared = read_mesh(case).and_then(|read| {
            let setup = begun.elapsed();
            let prepared = prepare_on(case, read, ranks)?;
            Ok((prepared, setup, begun.elapsed() - setup))
        });
        prepared.map(|(prepared, setup, partition)| {
            job.report.add_time("setup", setup);
            job.report.add_time("partition", partition);
            Some(prepared)
        })
    } else {
        Ok(None)
    };
    agree(job.comm, prepared)
}

/// Prepares the problem and gives every rank its part. Collective.
pub fn build(job: &mut Job) -> Result<Model> {
    let prepared = prepare(job)?;
    let begun = std::time::Instant::now();
    let comm = job.comm;
    let whole_size = prepared
        .as_ref()
        .map(|p| [p.root.mesh.vertex_count(), p.root.mesh.tetrahedron_count()]);
    let size: [usize; 2] = broadcast_json(comm, 0, whole_size)?;
    let (root, sources, mut gamma) = match prepared {
        Some(p) => (Some(p.root), p.sources, p.gamma),
        None => (None, Vec::new(), Vec::new()),
    };
    broadcast_slice(comm, 0, &mut gamma);
    let sources = broadcast_sources(comm, sources);
    let local = distribute_root(comm, root.as_ref())?;
    job.report.add_time("partition", begun.elapsed());
    job.report.mesh(size[0], size[1]);
    Ok(Model {
        local,
        sources,
        gamma,
        size,
        root,
    })
}

/// The sources of rank 0 on all ranks. Collective.
pub fn broadcast_sources(comm: &dyn Communicator, sources: Vec<Source>) -> Vec<Source> {
    let mut vertices: Vec<u32> = sources.iter().map(|s| s.vertex).collect();
    let mut times: Vec<f64> = sources.iter().map(|s| s.time).collect();
    broadcast_slice(comm, 0, &mut vertices);
    broadcast_slice(comm, 0, &mut times);
    let pairs = vertices.into_iter().zip(times);
    pairs
        .map(|(vertex, time)| Source { vertex, time })
        .collect()
}

fn distribute_root(comm: &dyn Communicator, root: Option<&Root>) -> Result<LocalMesh> {
    let Some(root) = root else {
        return distribute(comm, None);
    };
    let of = |t: usize| root.metric(t);
    let (domains, parts) = (&root.mesh.domains, &root.mesh.parts);
    let whole = domains
        .as_ref()
        .zip(parts.as_ref())
        .map(|(domains, parts)| WholeMesh {
            points: &root.mesh.points,
            tetrahedra: &root.mesh.tetrahedra,
            metric: &of,
            domains,
            parts,
        });
    distribute(comm, whole.as_ref())
}

/// The mesh, with millimetres per unit of the configuration and the files read.
pub fn read_mesh(case: &Case) -> Result<(TetMesh, f64, Vec<PathBuf>)> {
    let input = case.mesh()?;
    match &input.origin {
        MeshOrigin::File(path) => {
            let mut mesh = formats::read(path, input.unit)?;
            let mut inputs = vec![path.clone()];
            if let Some(fibres) = &input.fibres {
                formats::attach_fibres(&mut mesh, fibres, input.unit)?;
                inputs.push(fibres.clone());
            }
            validate(&mesh).map_err(|e| e.in_file(path, None))?;
            if let Some(rule) = &input.fibre_rule {
                add_rule_fibres(case, rule, &mut mesh)?;
            }
            let unit = match input.unit {
                Some(unit) => unit,
                None => formats::format_of(path)?.default_unit(),
            };
            Ok((mesh, unit.in_mm(), inputs))
        }
        MeshOrigin::Generate(generator) => {
            if input.fibres.is_some() || input.fibre_rule.is_some() {
                return Err(case.origins.error(
                    if input.fibres.is_some() {
                        "mesh.fibres"
                    } else {
                        "mesh.fibre_rule"
                    },
                    "a generated mesh has fibres of its own",
                    "remove it, or give mesh.file in place of mesh.generate",
                ));
            }
            let unit = input.unit.unwrap_or(LengthUnit::Mm).in_mm();
            Ok((generate::generate(generator, unit)?, unit, Vec::new()))
        }
    }
}

/// An error in the data of the mesh with the file that they are from.
fn in_mesh_file(case: &Case, error: Error) -> Error {
    match case.mesh().map(|input| &input.origin) {
        Ok(MeshOrigin::File(path)) => error.in_file(path, None),
        _ => error,
    }
}

/// Fibres by `mesh.fibre_rule`, in place of those that the file has.
fn add_rule_fibres(case: &Case, rule: &FibreRule, mesh: &mut TetMesh) -> Result<()> {
    if rule.axis == Some([0.0; 3]) {
        let remedy = "give the direction from apex to base, or leave it out";
        return Err(case
            .origins
            .error("mesh.fibre_rule.axis", "is no direction", remedy));
    }
    if mesh.fibres.is_some() {
        tracing::warn!("mesh.fibre_rule: the fibres of the file are not used");
    }
    let surfaces = detect(mesh, rule.axis).map_err(|e| {
        let remedy = "give mesh.fibre_rule.axis, or the surfaces to `isochrone mesh fibres`";
        let problem = match e {
            Error::BadData { what, problem, .. } => format!("{what} {problem}"),
            other => other.to_string(),
        };
        case.origins.error("mesh.fibre_rule", problem, remedy)
    })?;
    add_fibres(mesh, &surfaces, &rule.angles())
}

fn prepare_on(
    case: &Case,
    (mut mesh, unit_mm, mut inputs): (TetMesh, f64, Vec<PathBuf>),
    ranks: usize,
) -> Result<Prepared> {
    let medium = Medium::of(case, &mesh).map_err(|e| in_mesh_file(case, e))?;
    let (domains, count) = domains(case, &mesh, &mut inputs)?;
    mesh.domains = Some(domains);
    let gamma = expand_gamma("domains.gamma", &case.domains.gamma, count, case)?;
    inputs.extend(sources::files(case)?);
    let mut root = Root {
        emitters: sources::emitters(case, &mesh, unit_mm)?,
        mesh,
        medium,
        unit_mm,
        inputs,
    };
    let sources = sources::resolve(case, &root.sources(root.emitters.clone()), &gamma)?;
    let starts: Vec<u32> = sources.iter().map(|source| source.vertex).collect();
    root.mesh.parts = Some(partition::wave_parts(&root.mesh, ranks, &starts)?);
    Ok(Prepared {
        root,
        sources,
        gamma,
    })
}

/// γ for each of `count` domains.
pub fn expand_gamma(key: &str, gamma: &GammaInput, count: usize, case: &Case) -> Result<Vec<f64>> {
    let gamma = gamma.expand(count).ok_or_else(|| {
        case.origins.error(
            key,
            format!("does not have {count} values, one for each domain"),
            "give one value per domain, or one number for all",
        )
    })?;
    match gamma.iter().find(|g| !GAMMA_RANGE.contains(*g)) {
        Some(g) => Err(case.origins.error(
            key,
            format!("{g:e} is out of range"),
            format!(
                "give numbers from {:e} to {:e}",
                GAMMA_RANGE.start(),
                GAMMA_RANGE.end()
            ),
        )),
        None => Ok(gamma),
    }
}

/// Domain of each tetrahedron, and their number.
pub fn domains(
    case: &Case,
    mesh: &TetMesh,
    inputs: &mut Vec<PathBuf>,
) -> Result<(Vec<u32>, usize)> {
    let m = mesh.tetrahedron_count();
    match case.domains.division() {
        Division::Single => Ok((vec![0; m], 1)),
        Division::Metis(count) => Ok((partition::material_domains(mesh, count)?, count)),
        Division::Tags => {
            let (domains, tags) = partition::tag_domains(mesh);
            Ok((domains, tags.len()))
        }
        Division::File(None) => {
            let domains = mesh.domains.clone().ok_or_else(|| {
                case.origins.error(
                    "domains.method",
                    "the mesh has no /mesh/domains",
                    "give domains.file = { file, dataset }, or another method",
                )
            })?;
            let count = partition::check_domains(&domains, mesh, "/mesh/domains")
                .map_err(|e| in_mesh_file(case, e))?;
            Ok((domains, count))
        }
        Division::File(Some(from)) => {
            let dataset = from.dataset.as_deref().unwrap_or("/mesh/domains");
            let expected = Some((m, "tetrahedra of the mesh"));
            let domains = io::read_integers::<u32>(&from.file, dataset, expected)?;
            inputs.push(from.file.clone());
            let count = partition::check_domains(&domains, mesh, dataset)
                .map_err(|e| e.in_file(&from.file, None))?;
            Ok((domains, count))
        }
    }
}
