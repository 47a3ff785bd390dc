//! The same bits from real MPI ranks and threads, and from every SIMD level: activation times,
//! gradients and the γ that an inversion finds.
#![cfg(unix)]

mod command;

use std::path::Path;

use command::{has_mpirun, put, run_with};

/// A coarse left ventricle, strongly anisotropic so that some of the upwind graph is cyclic, with
/// sources in several parts.
const CASE: &str = r#"[mesh]
generate = { kind = "ellipsoid", edge = 4.0 }
[conduction]
speed = { fibre = 1.2, sheet = 0.4, normal = 0.1 }
[domains]
count = 5
gamma = [1.1, 0.9, 1.05, 1.2, 0.95]
[[source]]
point = [0, 0, -60]
[[source]]
point = [25, 0, 0]
time = 2.5
[[source]]
point = [-25, 3, -10]
time = 4
[inversion]
twin = { gamma = [1.0, 0.3, 1.0, 1.0, 1.0] }
stop = { misfit = 0, iterations = 4 }
"#;

/// All numbers of the datasets that must not depend on ranks, threads or SIMD.
fn bits(folder: &Path, ranks: usize, threads: usize, simd: &str) -> Vec<u64> {
    let threads = threads.to_string();
    let mut bits = Vec::new();
    for (command, file, datasets) in [
        ("eikonal", "eikonal.h5", &["/fields/activation_time"][..]),
        (
            "gradient",
            "gradient.h5",
            &["/gradient/gamma", "/gradient/tensor", "/gradient/jacobian"][..],
        ),
        (
            "invert",
            "inversion.h5",
            &["/inversion/gamma", "/inversion/misfit"][..],
        ),
    ] {
        let mut arguments = vec![command, "case.toml", "-q", "--overwrite", "--output", "out"];
        arguments.extend(["--threads", &threads]);
        if command == "gradient" {
            arguments.extend(["--tensor", "--jacobian"]);
        }
        run_with(folder, ranks, &[("ISOCHRONE_SIMD", simd)], &arguments).succeeds();
        let file = hdf5::File::open(folder.join("out").join(file)).unwrap();
        for dataset in datasets {
            let values: Vec<f64> = file.dataset(dataset).unwrap().read_raw().unwrap();
            assert!(values.iter().all(|x| !x.is_nan()), "{dataset}");
            bits.extend(values.into_iter().map(f64::to_bits));
        }
    }
    bits
}

#[test]
fn ranks_threads_and_simd_levels_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CASE);
    let expected = bits(folder.path(), 1, 1, "avx512");
    let mut others = vec![(1, 2, "avx512"), (1, 1, "avx2"), (1, 1, "baseline")];
    if has_mpirun() {
        others.extend([
            (2, 1, "avx512"),
            (2, 2, "avx2"),
            (3, 1, "avx512"),
            (4, 1, "baseline"),
        ]);
    }
    for (ranks, threads, simd) in others {
        assert!(
            bits(folder.path(), ranks, threads, simd) == expected,
            "{ranks} ranks, {threads} threads, {simd}: other bits"
        );
    }
}

/// Simulated ranks do what ranks under MPI do: the same local solves, rounds, messages and bytes.
#[test]
fn simulated_ranks_count_what_real_ones_do() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CASE);
    let report = |ranks: usize, more: &[&str]| {
        let mut arguments = vec!["eikonal", "case.toml", "-q", "--overwrite"];
        arguments.extend(["--output", "out", "--threads", "1"]);
        arguments.extend(more);
        run_with(folder.path(), ranks, &[], &arguments).succeeds();
        let text = std::fs::read_to_string(folder.path().join("out/report.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let simulated = report(1, &["--simulate-ranks", "2,3,40"]);
    let simulated = simulated["result"]["simulated_ranks"].as_array().unwrap();
    let ranks: Vec<u64> = simulated
        .iter()
        .map(|s| s["ranks"].as_u64().unwrap())
        .collect();
    assert_eq!(ranks, [1, 2, 3, 40]);
    for s in simulated {
        assert_eq!(s["vertices_different_from_one_rank"], 0);
        let (path, all) = (&s["critical_path_s"], &s["all_ranks_s"]);
        for phase in ["forward", "adjoint"] {
            let [path, all] = [path, all].map(|of| of[phase].as_f64().unwrap());
            assert!(0.0 < path && path <= all, "{path} of {all} s");
        }
    }
    if !has_mpirun() {
        return;
    }
    for s in &simulated[..3] {
        let real = report(s["ranks"].as_u64().unwrap() as usize, &[]);
        let counters = &real["counters"];
        let sum = |of: &str| {
            let phase = |phase: &str| s[phase][of].as_u64().unwrap();
            phase("iteration") + phase("canonical")
        };
        assert_eq!(counters["local_solves"], s["local_solves"]);
        assert_eq!(counters["canonical_solves"], s["canonical_solves"]);
        assert_eq!(counters["exchanges"], sum("rounds"));
        assert_eq!(counters["messages"], sum("messages"));
        assert_eq!(counters["bytes_sent"], sum("bytes_sent"));
    }
}

#[test]
fn simulated_ranks_are_refused_under_mpi() {
    if !has_mpirun() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "case.toml", CASE);
    let arguments = ["eikonal", "case.toml", "--simulate-ranks", "4"];
    run_with(folder.path(), 2, &[], &arguments).fails(2, &["--simulate-ranks", "one process"]);
}
