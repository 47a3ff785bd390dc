//! Material domains Ω_k: which tetrahedra share one conductivity scaling γ_k.

use super::cut::{Wish, cut};
use super::graph::{face_graph, for_each_shared_face};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::Vec3;

/// Domain of each tetrahedron (m): `count` domains of equal numbers of tetrahedra (to about 1 %),
/// each in one piece where the mesh is, the same on every run.
///
/// Domains are numbered in order of their lowest tetrahedron.
///
/// # Errors
/// [`Error::BadData`] for more domains than tetrahedra, or a mesh beyond METIS's 32-bit numbers.
pub fn material_domains(mesh: &TetMesh, count: usize) -> Result<Vec<u32>> {
    let m = mesh.tetrahedron_count();
    if count == 0 || count > m {
        return Err(Error::bad_data(
            "domains.count",
            format!("{m} tetrahedra cannot be shared out to {count} domains"),
            "ask for at least one and at most as many domains as tetrahedra",
        ));
    }
    if count == 1 {
        return Ok(vec![0; m]);
    }
    let mut domains = cut(
        &face_graph(mesh)?,
        &Wish {
            parts: count,
            constraints: 1,
            weights: None,
            imbalance: 5,
            contiguous: true,
        },
    )?;
    number_by_first(&mut domains, count);
    Ok(domains)
}

/// Renumbers `domains` in order of appearance.
fn number_by_first(domains: &mut [u32], count: usize) {
    let mut number = vec![u32::MAX; count];
    let mut next = 0;
    for domain in domains {
        let new = &mut number[*domain as usize];
        if *new == u32::MAX {
            *new = next;
            next += 1;
        }
        *domain = *new;
    }
}

/// One domain per distinct tag, in ascending order of tags; the tags come with it.
pub fn tag_domains(mesh: &TetMesh) -> (Vec<u32>, Vec<i32>) {
    let mut tags = mesh.tags.clone();
    tags.sort_unstable();
    tags.dedup();
    let number = |tag: &i32| tags.partition_point(|t| t < tag) as u32;
    let domains = mesh.tags.iter().map(number).collect();
    (domains, tags)
}

/// Domains given from outside, one per tetrahedron, numbered 0 to k − 1 without a gap; returns k.
///
/// `what` names where they come from.
///
/// # Errors
/// [`Error::BadData`] for a wrong length or a domain without tetrahedra, whose γ nothing would
/// determine.
pub fn check_domains(domains: &[u32], mesh: &TetMesh, what: &str) -> Result<usize> {
    let m = mesh.tetrahedron_count();
    if domains.len() != m {
        return Err(Error::bad_data(
            what,
            format!("{} domains for {m} tetrahedra", domains.len()),
            "give one domain per tetrahedron, in the mesh file's order",
        ));
    }
    let Some(highest) = domains.iter().max() else {
        return Ok(0);
    };
    // More domains than tetrahedra leave one empty; also bounds the memory below.
    let count = *highest as usize + 1;
    let mut present = vec![false; count.min(m + 1)];
    for domain in domains {
        if let Some(present) = present.get_mut(*domain as usize) {
            *present = true;
        }
    }
    match present.iter().position(|p| !p) {
        None => Ok(count),
        Some(missing) => Err(Error::bad_data(
            what,
            format!(
                "domain {missing} has no tetrahedra, though domains up to {highest} are numbered"
            ),
            "number the domains 0, 1, 2, … without a gap",
        )),
    }
}

/// Two domains that touch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DomainContact {
    /// The lower domain.
    pub k: u32,
    /// The higher domain.
    pub l: u32,
    /// Area of their common faces in that of all faces between domains; these add up to 1.
    pub share: f64,
}

/// All pairs of domains with a common face, in ascending order of (k, l): the weights of the jump
/// penalty Σ share (log γ_k − log γ_l)².
///
/// # Errors
/// As [`for_each_shared_face`].
pub fn domain_contacts(mesh: &TetMesh, domains: &[u32]) -> Result<Vec<DomainContact>> {
    let mut areas = std::collections::BTreeMap::<(u32, u32), f64>::new();
    for_each_shared_face(mesh, |face, [t, u]| {
        let (a, b) = (domains[t as usize], domains[u as usize]);
        if a != b {
            let corners = face.map(|v| mesh.points[v as usize]);
            *areas.entry((a.min(b), a.max(b))).or_default() += area(corners);
        }
    })?;
    let total: f64 = areas.values().sum();
    // Faces without area (a flat mesh is refused elsewhere) share nothing.
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    Ok(areas
        .into_iter()
        .map(|((k, l), area)| DomainContact {
            k,
            l,
            share: area * scale,
        })
        .collect())
}

fn area([a, b, c]: [Vec3; 3]) -> f64 {
    let (p, q) = (difference(b, a), difference(c, a));
    let normal = [
        p[1] * q[2] - p[2] * q[1],
        p[2] * q[0] - p[0] * q[2],
        p[0] * q[1] - p[1] * q[0],
    ];
    0.5 * normal.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn difference(a: Vec3, b: Vec3) -> Vec3 {
    std::array::from_fn(|i| a[i] - b[i])
}

#[cfg(test)]
mod tests {
    use super::super::{cube, sizes};
    use super::*;

    #[test]
    fn domains_are_equal_connected_and_the_same_every_time() {
        let mesh = cube(14);
        let m = mesh.tetrahedron_count();
        let graph = face_graph(&mesh).unwrap();
        for count in [2, 6, 21] {
            let domains = material_domains(&mesh, count).unwrap();
            let others: Vec<_> = std::thread::scope(|scope| {
                let again = || material_domains(&mesh, count).unwrap();
                let threads = [scope.spawn(again), scope.spawn(again)];
                threads.map(|t| t.join().unwrap()).into_iter().collect()
            });
            assert!(others.iter().all(|o| *o == domains));

            let mean = m as f64 / count as f64;
            for size in sizes(&domains, count) {
                assert!((size as f64 / mean - 1.0).abs() < 0.03, "{size} of {mean}");
            }
            // In order of the lowest tetrahedron.
            let first = |k| domains.iter().position(|d| *d == k).unwrap();
            assert!((1..count as u32).all(|k| first(k - 1) < first(k)));
            assert_eq!(pieces(&graph, &domains), count);
        }
    }

    /// Connected components when links between domains are cut.
    fn pieces(graph: &super::super::graph::Graph, domains: &[u32]) -> usize {
        let mut within = super::super::graph::Graph {
            offsets: vec![0],
            neighbours: Vec::new(),
        };
        for t in 0..graph.size() {
            let same = |u: &&i32| domains[**u as usize] == domains[t];
            within
                .neighbours
                .extend(graph.neighbours_of(t).iter().filter(same));
            within.offsets.push(within.neighbours.len() as i32);
        }
        within.breadth_first().1
    }

    #[test]
    fn as_many_domains_as_tetrahedra_and_two_components() {
        let mesh = cube(1);
        assert_eq!(sizes(&material_domains(&mesh, 6).unwrap(), 6), [1; 6]);
        assert_eq!(material_domains(&mesh, 7).unwrap_err().exit_code(), 65);

        let mut two = cube(6);
        let n = two.vertex_count() as u32;
        let other = cube(6);
        two.points.extend(other.points);
        two.tetrahedra
            .extend(other.tetrahedra.iter().map(|t| t.map(|v| v + n)));
        let domains = material_domains(&two, 4).unwrap();
        for size in sizes(&domains, 4) {
            assert!((size as f64 / 648.0 - 1.0).abs() < 0.05, "{size}");
        }
    }

    #[test]
    fn domains_from_tags_and_from_outside() {
        let mut mesh = cube(1);
        mesh.tags = vec![7, -3, 7, 100, -3, 7];
        let (domains, tags) = tag_domains(&mesh);
        assert_eq!(domains, [1, 0, 1, 2, 0, 1]);
        assert_eq!(tags, [-3, 7, 100]);

        assert_eq!(check_domains(&domains, &mesh, "tags").unwrap(), 3);
        for wrong in [vec![0; 5], vec![0, 1, 3, 3, 0, 1], vec![u32::MAX; 6]] {
            assert_eq!(
                check_domains(&wrong, &mesh, "/a").unwrap_err().exit_code(),
                65
            );
        }
    }

    #[test]
    fn contacts_of_four_quarters() {
        // Quarters of the unit cube about the z axis: neighbours meet in four faces of area ½,
        // opposite ones only in a line.
        let n = 4;
        let mesh = cube(n);
        let quarter = |t: &[u32; 4]| {
            let centre =
                |i: usize| t.iter().map(|v| mesh.points[*v as usize][i]).sum::<f64>() / 4.0;
            u32::from(centre(0) > 0.5) + 2 * u32::from(centre(1) > 0.5)
        };
        let domains: Vec<u32> = mesh.tetrahedra.iter().map(quarter).collect();
        let contacts = domain_contacts(&mesh, &domains).unwrap();
        let pairs: Vec<_> = contacts.iter().map(|c| (c.k, c.l)).collect();
        assert_eq!(pairs, [(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!(contacts.iter().all(|c| (c.share - 0.25).abs() < 1e-14));
    }
}
