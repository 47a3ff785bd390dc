//! Sources of a case: from places in the configuration to vertices of the mesh.

use crate::config::{Case, Place};
use crate::eikonal::forward::Source;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::adjacency::EDGES;
use crate::tensor::{Vec3, norm, sub};

/// The vertices of all sources, with their onset.
pub fn resolve(case: &Case, mesh: &TetMesh, unit_mm: f64) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (i, source) in case.sources()?.iter().enumerate() {
        let key = format!("source.{i}");
        let vertices = place_vertices(&key, &source.place, mesh, unit_mm, case)?;
        sources.extend(vertices.into_iter().map(|vertex| Source {
            vertex,
            time: source.time,
        }));
    }
    Ok(sources)
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
        Place::Vertices(list) if list.is_empty() => Err(case.origins.error(
            &format!("{key}.vertices"),
            "names no vertex",
            "give the numbers of vertices, or another kind of source",
        )),
        Place::Vertices(list) => list
            .iter()
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
            .collect(),
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
            let edge = mean_edge(mesh);
            tracing::info!("{key}.point: vertex {vertex}, {distance:.3} mm away");
            if distance > FAR * edge {
                tracing::warn!(
                    "{key}.point is {distance:.3} mm from the mesh, whose edges are {edge:.3} mm \
                     long: a coordinate there is {unit_mm} mm (mesh.unit)"
                );
            }
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
