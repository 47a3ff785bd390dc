//! Sources of a case: from places in the configuration to vertices of the mesh.

use std::path::PathBuf;

use crate::comm::{Communicator, agree, broadcast_slice, gather_slices};
use crate::config::{self, Case, Place, Unknown};
use crate::eikonal::forward::Source;
use crate::error::{Error, Result};
use crate::inversion::options::Twin;
use crate::inversion::sources::{Emitter, Extent, Sources};
use crate::mesh::TetMesh;
use crate::mesh::adjacency::EDGES;
use crate::mesh::formats::carp_data::read_vtx;
use crate::partition::local_mesh::Part;
use crate::tensor::{Vec3, norm, sub};

/// All sources, as functions of their onset and place.
pub fn emitters(case: &Case, mesh: &TetMesh, unit_mm: f64) -> Result<Vec<Emitter>> {
    let describe = |(i, source): (usize, &config::Source)| {
        let extent = match (&source.place, source.radius) {
            (Place::Point(point), Some(radius)) => Extent::Ball {
                point: point.map(|c| c * unit_mm),
                radius: radius * unit_mm,
            },
            (place, _) => {
                let key = format!("source.{i}");
                let vertices = place_vertices(&key, place, mesh, unit_mm, case)?;
                if vertices.len() == mesh.vertex_count() {
                    let what = "holds all vertices of the mesh, so that no wave is computed";
                    tracing::warn!("{}", case.origins.line(&key, what));
                }
                Extent::Vertices(vertices)
            }
        };
        Ok(Emitter {
            extent,
            onset: source.time,
            onset_unknown: source.estimates(Unknown::Time),
            point_unknown: source.estimates(Unknown::Point),
        })
    };
    case.sources()?.iter().enumerate().map(describe).collect()
}

/// Where the waves of `sources` start at γ, and when.
pub fn resolve(case: &Case, sources: &Sources, gamma: &[f64]) -> Result<Vec<Source>> {
    let at = |vertex: u32, time: f64| Source { vertex, time };
    if !case.sources()?.iter().any(config::Source::moves) {
        let of_emitter = |emitter: &Emitter| match &emitter.extent {
            Extent::Vertices(list) => list.iter().map(|v| at(*v, emitter.onset)).collect(),
            Extent::Ball { .. } => Vec::new(),
        };
        return Ok(sources.emitters.iter().flat_map(of_emitter).collect());
    }
    for (i, emitter) in sources.emitters.iter().enumerate() {
        check_radius(case, sources.mesh, i, &emitter.extent)?;
    }
    let seeds = sources.seeds(gamma, &sources.unknowns()).map_err(|i| {
        case.origins.error(
            &format!("source.{i}.radius"),
            "there is no vertex of the mesh so near to the point",
            "enlarge the radius or move the point (in the unit of mesh.unit)",
        )
    })?;
    Ok(seeds
        .iter()
        .map(|seed| at(seed.vertex, seed.time))
        .collect())
}

/// Refuses a ball that holds all of the mesh: nothing would be left for a wave to cross.
fn check_radius(case: &Case, mesh: &TetMesh, i: usize, extent: &Extent) -> Result<()> {
    let Extent::Ball { point, radius } = extent else {
        return Ok(());
    };
    let inside = |p: &Vec3| norm(sub(*p, *point)) < *radius;
    if !mesh.points.iter().all(inside) {
        return Ok(());
    }
    Err(case.origins.error(
        &format!("source.{i}.radius"),
        format!(
            "{radius} mm around the point hold all {} vertices of the mesh, so that no wave is computed",
            mesh.vertex_count()
        ),
        format!(
            "give a few edges of the mesh, which are {:.3} mm long (the radius is in mesh.unit)",
            mean_edge(mesh)
        ),
    ))
}

/// The sources as the twin has them.
pub fn of_twin(twin: &Twin, emitters: &[Emitter], unit_mm: f64) -> Vec<Emitter> {
    let mut emitters = emitters.to_vec();
    for (i, emitter) in emitters.iter_mut().enumerate() {
        if let Some(onset) = twin.onsets.as_ref().and_then(|list| list.get(i)) {
            emitter.onset = *onset;
        }
        let place = twin.points.as_ref().and_then(|list| list.get(i));
        if let (Extent::Ball { point, .. }, Some(place)) = (&mut emitter.extent, place) {
            *point = place.map(|c| c * unit_mm);
        }
    }
    emitters
}

/// The files that sources name.
pub fn files(case: &Case) -> Result<Vec<PathBuf>> {
    let named = case.sources()?.iter().filter_map(|s| match &s.place {
        Place::File(path) => Some(path.clone()),
        _ => None,
    });
    Ok(named.collect())
}

/// The same where each rank holds its own part of the mesh alone: of `vertices` in all. Collective.
pub fn resolve_parted(
    case: &Case,
    comm: &dyn Communicator,
    part: &Part,
    mesh: &TetMesh,
    vertices: usize,
    unit_mm: f64,
) -> Result<Vec<Source>> {
    let numbers = &part.mesh.global_vertices;
    let owned = part.mesh.owned;
    let mut sources = Vec::new();
    for (i, source) in case.sources()?.iter().enumerate() {
        let key = format!("source.{i}");
        let found: Result<Vec<u32>> = match &source.place {
            Place::Vertices(list) => numbered(&key, list, vertices, case),
            Place::File(path) => read_vtx(path, vertices),
            Place::Point(point) => {
                let point = point.map(|c| c * unit_mm);
                // Of vertices equally near the lowest, as in a mesh read as a whole.
                let nearest = (numbers[..owned].iter().zip(&mesh.points))
                    .map(|(v, p)| (norm(sub(*p, point)), *v))
                    .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let mut distance = [nearest.map_or(f64::INFINITY, |n| n.0)];
                comm.min_f64(&mut distance);
                let nearest = nearest.filter(|n| n.0 == distance[0]);
                let candidates: Vec<u32> = nearest.iter().map(|n| n.1).collect();
                let vertex = union(comm, candidates).first().copied();
                if comm.rank() == 0
                    && let Some(vertex) = vertex
                {
                    tell_distance(&key, vertex, distance[0], mean_edge(mesh), unit_mm);
                }
                Ok(vertex.into_iter().collect())
            }
            place => {
                let here = match place_vertices(&key, place, mesh, unit_mm, case) {
                    Ok(list) => list.into_iter().map(|v| numbers[v as usize]).collect(),
                    Err(_) => Vec::new(),
                };
                match union(comm, here) {
                    // Nowhere: as the whole mesh would say it, but for the tags of other ranks.
                    none if none.is_empty() => place_vertices(&key, place, mesh, unit_mm, case),
                    found => Ok(found),
                }
            }
        };
        let found = agree(comm, found)?;
        sources.extend(found.into_iter().map(|vertex| Source {
            vertex,
            time: source.time,
        }));
    }
    Ok(sources)
}

/// The numbers of all ranks, ascending, each once. Collective.
fn union(comm: &dyn Communicator, numbers: Vec<u32>) -> Vec<u32> {
    let mut all = gather_slices(comm, 0, &numbers).concat();
    all.sort_unstable();
    all.dedup();
    broadcast_slice(comm, 0, &mut all);
    all
}

/// Vertices by number.
fn numbered(key: &str, list: &[u64], n: usize, case: &Case) -> Result<Vec<u32>> {
    if list.is_empty() {
        return Err(case.origins.error(
            &format!("{key}.vertices"),
            "names no vertex",
            "give the numbers of vertices, or another kind of source",
        ));
    }
    list.iter()
        .map(|v| {
            let fits = u32::try_from(*v).ok().filter(|v| (*v as usize) < n);
            fits.ok_or_else(|| {
                case.origins.error(
                    &format!("{key}.vertices"),
                    format!("vertex {v} is not in the mesh"),
                    format!("its {n} vertices are numbered from 0 to {}", n - 1),
                )
            })
        })
        .collect()
}

/// Which vertex a point became, and whether the unit is in doubt.
fn tell_distance(key: &str, vertex: u32, distance: f64, edge: f64, unit_mm: f64) {
    tracing::info!("{key}.point: vertex {vertex}, {distance:.3} mm away");
    if distance > FAR * edge {
        tracing::warn!(
            "{key}.point is {distance:.3} mm from the mesh, whose edges are {edge:.3} mm long: a \
             coordinate there is {unit_mm} mm (mesh.unit)"
        );
    }
}

fn place_vertices(
    key: &str,
    place: &Place,
    mesh: &TetMesh,
    unit_mm: f64,
    case: &Case,
) -> Result<Vec<u32>> {
    let n = mesh.vertex_count();
    let in_mm = |x: &[f64; 3]| x.map(|c| c * unit_mm);
    let within = |centre: Vec3, radius: f64| {
        (0u32..)
            .zip(&mesh.points)
            .filter(|(_, p)| norm(sub(**p, centre)) <= radius)
            .map(|(v, _)| v)
            .collect::<Vec<u32>>()
    };
    match place {
        Place::Vertices(list) => numbered(key, list, n, case),
        Place::Point(point) => {
            let point = in_mm(point);
            let nearest = (0u32..)
                .zip(&mesh.points)
                .map(|(v, p)| (norm(sub(*p, point)), v))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((distance, vertex)) = nearest else {
                return Err(Error::bad_data(
                    "mesh",
                    "it has no vertices",
                    "give another",
                ));
            };
            tell_distance(key, vertex, distance, mean_edge(mesh), unit_mm);
            Ok(vec![vertex])
        }
        Place::Sphere(sphere) => {
            let found = within(in_mm(&sphere.centre), sphere.radius * unit_mm);
            if found.is_empty() {
                return Err(case.origins.error(
                    &format!("{key}.sphere"),
                    "there is no vertex of the mesh in it",
                    "enlarge the radius or move the centre (in the unit of mesh.unit)",
                ));
            }
            Ok(found)
        }
        Place::File(path) => read_vtx(path, n),
        Place::Tag(tag) => {
            let of_tag = mesh
                .tetrahedra
                .iter()
                .zip(&mesh.tags)
                .filter(|(_, t)| **t == *tag);
            let mut found: Vec<u32> = of_tag.flat_map(|(tet, _)| *tet).collect();
            found.sort_unstable();
            found.dedup();
            if found.is_empty() {
                let mut tags = mesh.tags.clone();
                tags.sort_unstable();
                tags.dedup();
                let shown: Vec<String> = tags.iter().take(12).map(i32::to_string).collect();
                return Err(case.origins.error(
                    &format!("{key}.tag"),
                    format!("no tetrahedron has tag {tag}"),
                    format!("the mesh has tags {}", shown.join(", ")),
                ));
            }
            Ok(found)
        }
    }
}

/// Edge lengths from a point source to its vertex from which on the unit is in doubt.
const FAR: f64 = 3.0;

/// Mean edge length of the mesh, mm, from a sample of its tetrahedra.
fn mean_edge(mesh: &TetMesh) -> f64 {
    const SAMPLE: usize = 1000;
    let (mut sum, mut count) = (0.0, 0.0);
    let step = mesh.tetrahedron_count().div_ceil(SAMPLE).max(1);
    for t in (0..mesh.tetrahedron_count()).step_by(step) {
        let x = mesh.corners(t);
        for [i, j] in EDGES {
            sum += norm(sub(x[i], x[j]));
            count += 1.0;
        }
    }
    sum / f64::max(count, 1.0)
}
