//! What a rank holds of a mesh beyond its own vertices, and what its halos bring.

mod common;

use std::collections::BTreeSet;

use common::cases;
use common::ranks::Parts;
use isochrone::comm::halo::{Halo, Traffic};
use isochrone::comm::{Communicator, threads};
use isochrone::partition::local_mesh::{LocalMesh, WholeMesh, distribute};

/// Ghosts that `halo` brings something to, and whether it is the number of the very vertex.
fn brought(comm: &dyn Communicator, local: &LocalMesh, halo: &Halo) -> BTreeSet<u32> {
    let owned: Vec<u32> = (0..local.owned as u32).collect();
    let numbers = &local.global_vertices;
    let mut ghosts = BTreeSet::new();
    let receive = |ghost: u32, number: &[u32]| {
        assert_eq!(number[0], numbers[ghost as usize]);
        ghosts.insert(number[0]);
    };
    let traffic = &mut Traffic::default();
    halo.update(comm, &owned, &numbers[..local.owned], 1, traffic, receive);
    ghosts
}

#[test]
fn two_layers_of_ghosts_and_all_tetrahedra_that_touch_the_first() {
    let case = cases::cube(8);
    let tetrahedra = &case.mesh.tetrahedra;
    for parts in [Parts::Metis(2), Parts::Metis(5), Parts::Modulo(3)] {
        let of_vertex = parts.of(&case);
        let metric = |t: usize| case.metric_tensor(t);
        let whole = WholeMesh {
            points: &case.mesh.points,
            tetrahedra,
            metric: &metric,
            domains: &case.domains,
            parts: &of_vertex,
        };
        threads::run(parts.ranks(), |comm| {
            let local = distribute(comm, (comm.rank() == 0).then_some(&whole)).unwrap();
            let rank = comm.rank() as u32;
            // Straight from the definition.
            let touching = |vertices: &BTreeSet<u32>| -> Vec<usize> {
                let touches = |t: &usize| tetrahedra[*t].iter().any(|v| vertices.contains(v));
                (0..tetrahedra.len()).filter(touches).collect()
            };
            let corners = |list: &[usize]| list.iter().flat_map(|t| tetrahedra[*t]).collect();
            let owned: BTreeSet<u32> = (0..of_vertex.len() as u32)
                .filter(|v| of_vertex[*v as usize] == rank)
                .collect();
            let near: BTreeSet<u32> = corners(&touching(&owned));
            let held = touching(&near);
            let far: BTreeSet<u32> = corners(&held);

            let mut numbers = local.global_tetrahedra.clone();
            numbers.sort_unstable();
            assert!(numbers.iter().map(|t| *t as usize).eq(held));
            for (tet, t) in local.tetrahedra.iter().zip(&local.global_tetrahedra) {
                let names = tet.map(|v| local.global_vertices[v as usize]);
                assert_eq!(names, tetrahedra[*t as usize]);
            }
            let all: BTreeSet<u32> = local.global_vertices.iter().copied().collect();
            assert_eq!(all, far);
            assert_eq!(all.len(), local.global_vertices.len());
            assert_eq!(brought(comm, &local, &local.halo), &far - &owned);
            assert_eq!(brought(comm, &local, &local.near_halo), &near - &owned);
        });
    }
}
