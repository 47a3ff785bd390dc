//! Tiles, ghosts and traffic.

use std::collections::HashSet;

use isochrone::monodomain::division::{Division, TileIndex, count};
use isochrone::monodomain::ghosts::{copies_to, traffic};
use isochrone::monodomain::layout::layered;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::case::{Case, Way, grid, isotropic};

/// Every ghost within the grid, and beyond a periodic edge, that has a tile comes from exactly one
/// place: the cell that it is an image of.
#[test]
fn every_ghost_is_covered_once_by_its_cell() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..60 {
        let shape = [0; 3].map(|_| random.random_range(1..12usize));
        let tile = shape.map(|n| random.random_range(1..=n));
        let periodic = [0; 3].map(|_| random.random_bool(0.5));
        let active: Vec<bool> = (0..shape.iter().product::<usize>())
            .map(|c| c == 0 || random.random_bool(0.3))
            .collect();
        let masked = random.random_bool(0.5).then_some(&active[..]);
        let division = Division::new(shape, periodic, masked, tile, 1).unwrap();
        let index = TileIndex::new(&division);
        let depth = [0, 1, 2].map(|a| {
            if division.needs_ghosts(a) {
                random.random_range(0..5usize)
            } else {
                0
            }
        });
        let owner = |cell: [usize; 3]| {
            division
                .tiles
                .iter()
                .position(|t| (0..3).all(|a| (t.low[a]..t.low[a] + t.size[a]).contains(&cell[a])))
        };
        for (to, tile) in division.tiles.iter().enumerate() {
            let mut covered = HashSet::new();
            for copy in copies_to(&division, &index, to, depth) {
                let from = &division.tiles[copy.from];
                for n in 0..copy.cells() {
                    let [_, rows, columns] = copy.size;
                    let step = [n / (rows * columns), n / columns % rows, n % columns];
                    let target = [0, 1, 2].map(|a| copy.target[a] + step[a] as isize);
                    let owned = (0..3).all(|a| (0..tile.size[a] as isize).contains(&target[a]));
                    assert!(!owned, "an owned cell would be overwritten");
                    let source = [0, 1, 2].map(|a| copy.source[a] as usize + step[a]);
                    assert!((0..3).all(|a| source[a] < from.size[a]));
                    for a in 0..3 {
                        let global = target[a] + tile.low[a] as isize;
                        let image = global.rem_euclid(shape[a] as isize) as usize;
                        assert_eq!(image, from.low[a] + source[a]);
                        assert!(periodic[a] || global == image as isize);
                    }
                    assert!(covered.insert(target), "{target:?} is covered twice");
                }
            }
            let range = |a: usize| -(depth[a] as isize)..(tile.size[a] + depth[a]) as isize;
            for l in range(0) {
                for r in range(1) {
                    for c in range(2) {
                        let target = [l, r, c];
                        let owned = (0..3).all(|a| (0..tile.size[a] as isize).contains(&target[a]));
                        let global = [0, 1, 2].map(|a| target[a] + tile.low[a] as isize);
                        let on_grid = (0..3)
                            .all(|a| periodic[a] || (0..shape[a] as isize).contains(&global[a]));
                        let image =
                            [0, 1, 2].map(|a| global[a].rem_euclid(shape[a] as isize) as usize);
                        let expected = !owned && on_grid && owner(image).is_some();
                        assert_eq!(
                            covered.contains(&target),
                            expected,
                            "{target:?} of {tile:?}, grid {shape:?}, periodic {periodic:?}, depth {depth:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn owners_have_equal_numbers_of_active_cells() {
    // A spherical shell in 64³ cells, cut as the program cuts it.
    let shape = [64; 3];
    let active: Vec<bool> = (0..64usize.pow(3))
        .map(|c| {
            let r2: f64 = [c / 4096, c / 64 % 64, c % 64]
                .map(|i| (i as f64 - 31.5).powi(2))
                .iter()
                .sum();
            (400.0..900.0).contains(&r2)
        })
        .collect();
    for ranks in [2, 4, 16] {
        let tile = [8, 8, 16];
        let division = Division::new(shape, [false; 3], Some(&active), tile, ranks).unwrap();
        let exchanged = |low, size| count(shape, Some(&active), low, size);
        let loads = traffic(&division, ranks, [1; 3], exchanged);
        let total: u64 = loads.iter().map(|l| l.active_cells).sum();
        assert_eq!(total, active.iter().filter(|a| **a).count() as u64);
        let most = loads.iter().map(|l| l.active_cells).max().unwrap();
        let ratio = most as f64 * ranks as f64 / total as f64;
        println!("{ranks} ranks: max/mean = {ratio:.3}");
        assert!(ratio < 1.1, "{ranks} ranks: {ratio}");
        assert!(loads.iter().all(|l| l.active_cells > 0));
    }
}

/// What `traffic` counts is what the ranks send.
#[test]
fn counted_traffic_is_what_is_sent() {
    let shape = [1, 40, 50];
    for (steps_per_exchange, fields) in [(1, 1), (3, 3)] {
        let mut case = Case::new(grid(shape, 0.2, [false, true, false]), isotropic(0.1), 0.03);
        let active = (0..2000).map(|c| c % 50 < 20 || c / 50 > 25);
        let active: Vec<bool> = active.collect();
        case.tissue.active = Some(active.clone());
        let way = Way {
            ranks: 4,
            tile: Some([1, 10, 10]),
            steps_per_exchange: Some(steps_per_exchange),
            ..Way::plain()
        };
        let results = isochrone::comm::threads::run(4, |comm| {
            let simulation = case.build(comm, way).unwrap();
            let steps = 5 * steps_per_exchange as u64;
            let built = simulation.counters();
            simulation.advance(comm, 0, steps);
            let division = simulation.division().clone();
            (division, simulation.counters(), built)
        });
        let depth = layered(&case.grid, [0, steps_per_exchange, steps_per_exchange]);
        let exchanged = |low, size| {
            let layers = layered(&case.grid, shape);
            count(layers, Some(&active), low, size)
        };
        let expected = traffic(&results[0].0, 4, depth, exchanged);
        for (rank, (_, counters, built)) in results.iter().enumerate() {
            assert_eq!(counters.exchanges - built.exchanges, 5);
            assert_eq!(counters.messages, 5 * expected[rank].messages);
            let bytes = expected[rank].cells_sent * fields * 8;
            assert_eq!(counters.bytes_sent, 5 * bytes, "rank {rank}");
            assert!(bytes > 0);
        }
    }
}
