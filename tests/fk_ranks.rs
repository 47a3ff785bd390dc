//! What many ranks would exchange, counted without them, is what ranks do exchange.

mod command;

use isochrone::comm::threads;
use isochrone::eikonal::options::Precision;
use isochrone::ionic::Model;
use isochrone::mesh::generate::{FibreAngles, Generator, LeftVentricle, generate};
use isochrone::monodomain::build::Make;
use isochrone::monodomain::division::{Division, Filling};
use isochrone::monodomain::engine::{Counters, Pace};
use isochrone::monodomain::ghosts::traffic;
use isochrone::monodomain::grid::{Diffusivity, Tissue};
use isochrone::monodomain::layout::layered;
use isochrone::monodomain::options::{Integrator, StencilKind};
use isochrone::monodomain::simulation::{Setup, build, tiles_for};
use isochrone::monodomain::voxelize::{active_mask, voxelize};
use isochrone::simd::SimdLevel;

const RANKS: usize = 4;

/// Exchanges of every rank of a left ventricle at 2 mm after 12 steps, and what was counted.
fn exchanged(integrator: Integrator, steps_per_exchange: usize) {
    let ventricle = Generator::Ellipsoid {
        edge: 5.5,
        left_ventricle: LeftVentricle::default(),
        fibre_angles: FibreAngles::default(),
    };
    let mesh = generate(&ventricle, 1.0).unwrap();
    let voxels = voxelize(&mesh, [2.0; 3]).unwrap();
    let (grid, active) = (voxels.grid.clone(), voxels.active());
    let tile = [8, 8, 16];
    let tissue = Tissue {
        active: Some(active.clone()),
        diffusivity: Diffusivity::Uniform([0.1, 0.0, 0.0, 0.1, 0.0, 0.1]),
        region: None,
    };
    let heun = integrator == Integrator::Heun;
    let ran: Vec<(Counters, Division)> = threads::run(RANKS, |comm| {
        let simulation = build(
            comm,
            Setup {
                grid: grid.clone(),
                tissue: (comm.rank() == 0).then_some(&tissue),
                models: vec![Model::named("fenton-karma", "3").unwrap()],
                stencil: StencilKind::Flux,
                integrator,
                precision: Precision::F32,
                dt: 0.05,
                stimuli: Vec::new(),
                schedules: Vec::new(),
                upstrokes: None,
                device: None,
                threads: 1,
                level: SimdLevel::detect(),
                steps_per_exchange: Some(steps_per_exchange),
                tile: Some(tile),
            },
        )
        .unwrap();
        simulation.advance(comm, 0, 12);
        (simulation.counters(), simulation.division().clone())
    });

    // The same division from the bits of the mask, without an array of the box.
    let mask = active_mask(&mesh, [2.0; 3]).unwrap();
    let counts = |tile| mask.tile_counts(layered(&mask.grid, tile)).1;
    let asked = Some(tile);
    let ranks = [RANKS, 1];
    let division = tiles_for(
        &grid,
        StencilKind::Flux,
        asked,
        Filling::Masked,
        counts,
        ranks,
    )
    .unwrap();
    assert_eq!(division, ran[0].1);

    let pace = Pace {
        dt: 0.05,
        heun,
        steps_per_exchange: if heun { 1 } else { steps_per_exchange },
        level: SimdLevel::detect(),
    };
    let depth = Make::new(StencilKind::Flux, pace).depth(&division);
    let counted = traffic(&division, RANKS, depth, |low, size| {
        mask.count_in(low, size)
    });
    let of_a_cell = 4 * pace.fields(2) as u64;
    for ((rank, counted), (counters, _)) in counted.iter().enumerate().zip(&ran) {
        assert!(counters.exchanges > 0 && counted.messages > 0);
        assert_eq!(
            counters.messages,
            counted.messages * counters.exchanges,
            "{rank}"
        );
        let bytes = counted.cells_sent * of_a_cell * counters.exchanges;
        assert_eq!(counters.bytes_sent, bytes, "{rank}");
    }
    let active = active.iter().filter(|a| **a).count() as u64;
    assert_eq!(counted.iter().map(|t| t.active_cells).sum::<u64>(), active);
}

#[test]
fn counted_traffic_is_that_of_a_run() {
    exchanged(Integrator::Euler, 3);
    exchanged(Integrator::Euler, 1);
    exchanged(Integrator::Heun, 1);
}

/// Few threads have large tiles, as long as these can be dealt out evenly: ghosts cost.
#[test]
fn few_threads_have_large_even_tiles() {
    let tiles = |active: &dyn Fn([usize; 3]) -> bool, workers: usize| -> Vec<u64> {
        let n = 64;
        let cells: Vec<bool> = (0..n * n * n)
            .map(|c| active([c / (n * n), c / n % n, c % n]))
            .collect();
        let division = Division::fitting(
            [n; 3],
            [false; 3],
            Filling::Masked,
            |tile| isochrone::monodomain::division::counts([n; 3], Some(&cells), tile),
            [workers, 1],
            1,
        );
        division.unwrap().tiles.iter().map(|t| t.active).collect()
    };
    let ball = |[z, y, x]: [usize; 3]| {
        let d = |i: usize| (2.0 * i as f64 - 63.0).powi(2);
        d(z) + d(y) + d(x) < 60.0_f64.powi(2)
    };
    assert_eq!(tiles(&ball, 1).len(), 1);
    // 64³ cells fit into the first tiles that cut them at all.
    let halves = tiles(&ball, 2);
    assert!(halves.len() > 1 && halves.len() <= 8, "{halves:?}");
    assert_eq!(halves.iter().max(), halves.iter().min());
    // All tissue in one corner: small tiles, or one thread would wait.
    let corner = |[z, y, x]: [usize; 3]| z < 40 && y < 24 && x < 30;
    let shares = tiles(&corner, 2);
    let total: u64 = shares.iter().sum();
    assert!(
        2 * shares.iter().max().unwrap() <= total + total / 10,
        "{shares:?}"
    );
}

/// Where one D holds throughout, the layers in flight of a tile are half as large.
#[test]
fn tissue_of_one_d_has_half_as_large_tiles() {
    let shape = [96, 128, 64];
    let cells = vec![true; shape.iter().product()];
    let tile = |filling| {
        let counts = |tile| isochrone::monodomain::division::counts(shape, Some(&cells), tile);
        let division = Division::fitting(shape, [false; 3], filling, counts, [1, 1], 1);
        division.unwrap().tile
    };
    assert_eq!(tile(Filling::Masked), [96, 128, 64]);
    assert_eq!(tile(Filling::MaskedUniform), [96, 64, 64]);
}

/// In a full box the layers in flight share the caches where cells are light; rows stay whole.
#[test]
fn full_boxes_of_light_cells_have_smaller_layers() {
    let tile = |filling| Division::size_for([256; 3], filling, 2);
    assert_eq!(tile(Filling::Whole), [256, 128, 256]);
    assert_eq!(tile(Filling::WholeLight), [256, 32, 256]);
    let light = |precision, d| {
        let tissue = Tissue {
            active: None,
            diffusivity: Diffusivity::Uniform(d),
            region: None,
        };
        Filling::of(&tissue, precision) == Filling::WholeLight
    };
    assert!(light(Precision::F32, [0.1, 0.0, 0.0, 0.2, 0.0, 0.1]));
    assert!(!light(Precision::F64, [0.1, 0.0, 0.0, 0.2, 0.0, 0.1]));
    assert!(!light(Precision::F32, [0.1, 0.0, 0.02, 0.2, 0.0, 0.1]));
}

/// Tiles of a masked grid are small enough for the ranks that there are.
#[test]
fn many_ranks_have_smaller_tiles() {
    let shape = [725, 610, 900];
    let tiles = |workers: usize| -> usize {
        let tile = Division::size_for(shape, Filling::Masked, workers);
        (0..3).map(|a| shape[a].div_ceil(tile[a])).product()
    };
    assert!(tiles(2) < 4000, "{}", tiles(2));
    assert!(tiles(1024) >= 20 * 1024, "{}", tiles(1024));
}

#[test]
fn simulated_ranks_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    command::put(
        folder.path(),
        "case.toml",
        "[mesh]\ngenerate = { kind = \"ellipsoid\", edge = 5.5 }\n\
         [fk]\nparameters = \"3\"\ngrid = { spacing = 1.0 }\ndiffusivity = 0.1\n\
         dt = 0.05\nduration = 1\ntile = [8, 8, 16]\n",
    );
    let arguments = [
        "fk",
        "case.toml",
        "--simulate-ranks",
        "4,64",
        "--threads",
        "1",
    ];
    let text = command::run(folder.path(), 1, &arguments).succeeds().stdout;
    let rows: Vec<Vec<&str>> = (text.lines().skip(3))
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows.iter().map(|r| r[0]).collect::<Vec<_>>(),
        ["4", "64"],
        "{text}"
    );
    // Cells per rank times ranks are the cells in the tissue.
    let active: f64 = text.split_whitespace().nth(6).unwrap().parse().unwrap();
    for row in &rows {
        let [ranks, mean, balance]: [f64; 3] = [0, 8, 9].map(|column| row[column].parse().unwrap());
        assert!((ranks * mean - active).abs() <= ranks, "{text}");
        assert!((1.0..2.0).contains(&balance), "{text}");
    }
    assert!(!folder.path().join("results").exists());
}
