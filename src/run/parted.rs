//! `isochrone eikonal` on a partitioned mesh file, one part per rank: each rank reads its own, and
//! none holds more, but for a block of a copy.

use std::path::PathBuf;
use std::time::Instant;

use super::job::Job;
use super::medium::Medium;
use super::model::{Model, expand_gamma};
use super::output::Output;
use super::result::companions;
use super::sources;
use crate::comm::{Communicator, agree, broadcast_json, broadcast_slice, gather_slices};
use crate::config::{Case, Division, MeshOrigin, OutputFormat};
use crate::error::{Error, Result};
use crate::io::{PartedMesh, ResultFile, blocks};
use crate::mesh::TetMesh;
use crate::partition::local_mesh::{Part, metric_lengths};
use crate::report::Report;
use crate::units::LengthUnit;

/// Where the parts come from.
pub struct Parted {
    path: PathBuf,
    /// Tags in order of their domains; `None`: one domain, or those of the file.
    tags: Option<Vec<i32>>,
    /// Domains as the file has them.
    stored_domains: bool,
}

/// The problem read part by part, where the mesh is a file with a part for each rank and nothing
/// in the case needs the mesh as a whole. Collective.
pub fn build(job: &mut Job) -> Result<Option<(Parted, Model)>> {
    let comm = job.comm;
    let begun = Instant::now();
    let usable = agree(
        comm,
        if comm.rank() == 0 {
            usable(&job.case, comm.size())
        } else {
            Ok(None)
        },
    )?;
    let path: Option<PathBuf> = broadcast_json(comm, 0, Some(usable))?;
    let Some(path) = path else {
        return Ok(None);
    };
    let read = || -> Result<_> {
        let missing = || Error::Bug("the partition is gone".into());
        let file = PartedMesh::open(&path)?.ok_or_else(missing)?;
        let (part, mesh) = file.part(comm.rank())?;
        let in_file = |e: Error| e.in_file(&path, None);
        crate::mesh::check::validate(&mesh).map_err(in_file)?;
        let medium = Medium::of(&job.case, &mesh).map_err(in_file)?;
        Ok((file.size()?, part, mesh, medium))
    };
    let (size, mut part, mesh, medium) = agree(comm, read())?;
    job.report.add_time("setup", begun.elapsed());
    let begun = Instant::now();
    part.mesh.lengths = (0..mesh.tetrahedron_count())
        .map(|t| metric_lengths(&medium.metric(&mesh, t), mesh.corners(t)))
        .collect();
    let division = job.case.domains.division();
    let stored_domains = matches!(division, Division::File(None));
    let (domains, count, tags) = domains(comm, &division, &part, &mesh)?;
    part.mesh.domains = domains;
    let gamma = expand_gamma("domains.gamma", &job.case.domains.gamma, count, &job.case);
    let gamma = agree(comm, gamma)?;
    let unit = LengthUnit::Mm.in_mm();
    let sources = sources::resolve_parted(&job.case, comm, &part, &mesh, size[0], unit)?;
    let local = part.finish();
    job.report.add_time("partition", begun.elapsed());
    job.report.mesh(size[0], size[1]);
    job.report.result("read_by_parts", true);
    let parted = Parted {
        path,
        tags,
        stored_domains,
    };
    let model = Model {
        local,
        sources,
        gamma,
        size,
        root: None,
    };
    Ok(Some((parted, model)))
}

/// The mesh file, if it can be read part by part.
fn usable(case: &Case, ranks: usize) -> Result<Option<PathBuf>> {
    let input = case.mesh()?;
    let MeshOrigin::File(path) = &input.origin else {
        return Ok(None);
    };
    let is_hdf5 = path.extension().is_some_and(|e| e == "h5" || e == "hdf5");
    let whole = input.fibres.is_some()
        || input.fibre_rule.is_some()
        || input.unit.is_some_and(|u| u != LengthUnit::Mm);
    if !is_hdf5 || whole || ranks == 1 {
        return Ok(None);
    }
    let Some(file) = PartedMesh::open(path)? else {
        return Ok(None);
    };
    if file.parts() != ranks {
        tracing::info!(
            "the mesh has {} parts for {ranks} ranks: rank 0 reads it as a whole",
            file.parts()
        );
        return Ok(None);
    }
    if case.output.has(OutputFormat::Dat) {
        tracing::info!("output.formats \"dat\" needs the whole mesh on rank 0");
        return Ok(None);
    }
    if case.sources()?.iter().any(|source| source.radius.is_some()) {
        tracing::info!("source.radius needs the whole mesh on rank 0");
        return Ok(None);
    }
    if matches!(
        case.domains.division(),
        Division::Metis(_) | Division::File(Some(_))
    ) {
        tracing::info!(
            "domains.method needs the whole mesh on rank 0 (single, tags and the file's do not)"
        );
        return Ok(None);
    }
    Ok(Some(path.clone()))
}

/// Domain of each tetrahedron of the part, their number in the whole mesh, and the tags that they
/// stand for. Collective.
fn domains(
    comm: &dyn Communicator,
    division: &Division,
    part: &Part,
    mesh: &TetMesh,
) -> Result<(Vec<u32>, usize, Option<Vec<i32>>)> {
    let m = mesh.tetrahedron_count();
    match division {
        Division::Tags => {
            let mut tags = all_of(comm, distinct(mesh.tags.clone()));
            tags = distinct(tags);
            let domain = |tag: &i32| tags.partition_point(|t| t < tag) as u32;
            let domains = mesh.tags.iter().map(domain).collect();
            Ok((domains, tags.len(), Some(tags)))
        }
        Division::File(_) => {
            let stored = mesh.domains.clone().ok_or_else(|| {
                Error::bad_data(
                    "domains.method",
                    "the mesh has no /mesh/domains",
                    "give another method, or make domains with `isochrone mesh partition --domains`",
                )
            });
            let stored = agree(comm, stored)?;
            let here = distinct(stored.clone());
            let all = distinct(all_of(comm, here));
            let gap = (0u32..).zip(&all).find(|(k, domain)| k != *domain);
            let complete = gap.map_or(Ok(()), |(k, _)| {
                Err(Error::bad_data(
                    "/mesh/domains",
                    format!("no tetrahedron lies in domain {k}"),
                    "number the domains from 0 without a gap",
                ))
            });
            agree(comm, complete)?;
            debug_assert_eq!(stored.len(), part.mesh.tetrahedra.len());
            Ok((stored, all.len(), None))
        }
        _ => Ok((vec![0; m], 1, None)),
    }
}

fn distinct<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

/// The lists of all ranks, one after the other, on all. Collective.
fn all_of<T: bytemuck::Pod>(comm: &dyn Communicator, list: Vec<T>) -> Vec<T> {
    let mut all = gather_slices(comm, 0, &list).concat();
    broadcast_slice(comm, 0, &mut all);
    all
}

/// Writes the mesh and the times `phi` of this rank's owned vertices, block by block. Collective.
pub fn write(
    job: &mut Job,
    output: &Output,
    model: &Model,
    parted: &Parted,
    phi: &[f64],
) -> Result<()> {
    const FIELD: &str = "/fields/activation_time";
    let (comm, begun) = (job.comm, Instant::now());
    let mut inputs = vec![parted.path.clone()];
    inputs.extend(sources::files(&job.case)?);
    let provenance = job.provenance(&inputs)?;
    let companions = companions(&job.case.output);
    let begin = || -> Result<ResultFile> {
        let mut file = ResultFile::create(&output.path("eikonal.h5"))?;
        file.companions(companions);
        file.copy_mesh(&parted.path, model.size, |tags| match &parted.tags {
            Some(all) => {
                let domain = |tag: &i32| all.partition_point(|t| t < tag) as u32;
                Some(tags.iter().map(domain).collect())
            }
            None if parted.stored_domains => None,
            None => Some(vec![0; tags.len()]),
        })?;
        file.begin_field(FIELD, model.size[0], "ms")?;
        Ok(file)
    };
    let file = match comm.rank() {
        0 => begin().map(Some),
        _ => Ok(None),
    };
    let file = agree(comm, file)?;
    let mut mine: Vec<(u32, f64)> = (model.local.global_vertices.iter().copied())
        .zip(phi.iter().copied())
        .collect();
    mine.sort_unstable_by_key(|(v, _)| *v);
    for rows in blocks(model.size[0]) {
        let at = |row: usize| mine.partition_point(|(v, _)| (*v as usize) < row);
        let share = &mine[at(rows.start)..at(rows.end)];
        let (numbers, values): (Vec<u32>, Vec<f64>) = share.iter().copied().unzip();
        let numbers = gather_slices(comm, 0, &numbers);
        let values = gather_slices(comm, 0, &values);
        let filled = file.as_ref().map_or(Ok(()), |file| {
            let mut block = vec![f64::NAN; rows.len()];
            for (v, x) in numbers.iter().flatten().zip(values.iter().flatten()) {
                block[*v as usize - rows.start] = *x;
            }
            file.fill_field(FIELD, rows, &block)
        });
        agree(comm, filled)?;
    }
    let finish = |file: ResultFile| -> Result<()> {
        file.provenance(&provenance.texts)?;
        for (name, number) in &provenance.numbers {
            file.number("/", name, *number)?;
        }
        file.finish()
    };
    agree(comm, file.map_or(Ok(()), finish))?;
    job.report.add_time("io", begun.elapsed());
    Ok(())
}

/// What the times say at a glance, as [`super::eikonal::summarise`] has it. Collective.
pub fn summarise(comm: &dyn Communicator, report: &mut Report, model: &Model, phi: &[f64]) {
    let finite = || phi.iter().copied().filter(|t| t.is_finite());
    let mut last = [finite().fold(f64::NEG_INFINITY, f64::max)];
    let mut first = [phi.iter().copied().fold(f64::INFINITY, f64::min)];
    comm.max_f64(&mut last);
    comm.min_f64(&mut first);
    let owned = &model.local.global_vertices[..phi.len()];
    let mut numbers: Vec<(u32, f64)> = owned.iter().copied().zip(phi.iter().copied()).collect();
    numbers.sort_unstable_by_key(|(v, _)| *v);
    let late = |s: &&crate::eikonal::forward::Source| {
        let at = numbers.binary_search_by_key(&s.vertex, |(v, _)| *v);
        at.is_ok_and(|i| numbers[i].1 < s.time)
    };
    let mut counts = [
        phi.iter().filter(|t| **t == f64::INFINITY).count() as u64,
        model.sources.iter().filter(late).count() as u64,
    ];
    comm.sum_u64(&mut counts);
    let [unreached, late] = counts.map(|n| n as usize);
    if comm.rank() == 0 {
        super::eikonal::tell(
            report,
            [first[0], last[0]],
            unreached,
            model.sources.len(),
            late,
        );
    }
}
