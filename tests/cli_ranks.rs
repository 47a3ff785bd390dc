//! The same bits from real MPI ranks and threads, and from every SIMD level: activation times,
//! gradients and the γ that an inversion finds.
#![cfg(unix)]

mod command;

use std::path::Path;

use command::{dataset, has_mpirun, put, run_with};

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
        for name in datasets {
            let values: Vec<f64> = dataset(&folder.join("out").join(file), name);
            assert!(values.iter().all(|x| !x.is_nan()), "{name}");
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

/// Tiny falls of vertices that depend on later ones had doubled the local solves of a structured
/// mesh in f64, with a restart after each solution, and more so on two ranks.
#[test]
fn structured_mesh_in_f64_takes_neither_restarts_nor_twice_the_solves() {
    let folder = tempfile::tempdir().unwrap();
    let case = "[mesh]\ngenerate = { kind = \"slab\", edge = 0.5, size = [10, 10, 10] }\n\
                [conduction]\nspeed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }\n\
                [[source]]\npoint = [0, 0, 0]\n";
    put(folder.path(), "case.toml", case);
    let solves = |precision: &str| {
        let precision = format!("eikonal.precision={precision:?}");
        let arguments = [
            "eikonal",
            "case.toml",
            "-q",
            "--overwrite",
            "--output",
            "out",
        ];
        let more = ["--simulate-ranks", "2,16", "--set", &precision];
        run_with(folder.path(), 1, &[], &[&arguments[..], &more].concat()).succeeds();
        let text = std::fs::read_to_string(folder.path().join("out/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = report["result"]["simulated_ranks"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                assert_eq!(row["restarts"], 0, "{precision}: {row}");
                row["local_solves"].as_f64().unwrap()
            })
            .collect::<Vec<f64>>()
    };
    let (single, double) = (solves("f32"), solves("f64"));
    for (single, double) in single.iter().zip(&double) {
        assert!(*double < 1.25 * single, "{double} in f64, {single} in f32");
    }
    assert!(
        double[1] < 1.1 * double[0] && double[2] < 1.4 * double[0],
        "{double:?}"
    );
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

/// Ranks that read their own parts of a partitioned file write what one that reads the whole writes.
#[test]
fn partitioned_file_read_by_parts() {
    if !has_mpirun() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let run = |ranks: usize, arguments: &[&str]| run_with(path, ranks, &[], arguments).succeeds();
    run(
        1,
        &["mesh", "generate", "ellipsoid", "plain.h5", "--edge", "4"],
    );
    let partition = ["mesh", "partition", "plain.h5", "heart.h5", "--parts", "3"];
    run(1, &[&partition[..], &["--domains", "4"]].concat());
    let case = |domains: &str| {
        format!(
            r#"[mesh]
file = "heart.h5"
[conduction]
speed = {{ fibre = 1.2, sheet = 0.4, normal = 0.1 }}
[domains]
{domains}
[[source]]
point = [0, 0, -60]
[[source]]
sphere = {{ centre = [25, 0, 0], radius = 4 }}
time = 2.5
[[source]]
vertices = [7, 100]
time = 9
"#
        )
    };
    for (domains, by_parts) in [
        ("method = \"file\"\ngamma = [1.1, 0.9, 1.05, 0.5]", true),
        ("method = \"tags\"", true),
        ("method = \"single\"\ngamma = 0.7", true),
        ("method = \"metis\"\ncount = 2", false),
    ] {
        put(path, "case.toml", &case(domains));
        for (ranks, output) in [(1, "whole"), (3, "parts")] {
            let arguments = ["eikonal", "case.toml", "-q", "--overwrite", "--output"];
            run(ranks, &[&arguments[..], &[output]].concat());
        }
        let [whole, parts] = ["whole", "parts"].map(|folder| {
            let text = std::fs::read_to_string(path.join(folder).join("report.json")).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        });
        assert_eq!(parts["result"]["read_by_parts"] == true, by_parts);
        for key in [
            "first_activation_ms",
            "last_activation_ms",
            "unreached_vertices",
            "source_vertices",
            "late_source_vertices",
        ] {
            assert_eq!(whole["result"][key], parts["result"][key], "{key}");
        }
        assert_eq!(whole["mesh"], parts["mesh"]);
        let [whole, parts] = ["whole", "parts"]
            .map(|folder| hdf5::File::open(path.join(folder).join("eikonal.h5")).unwrap());
        let names = whole.group("mesh").unwrap().member_names().unwrap();
        assert!(names.contains(&"fibres".to_string()) && names.contains(&"domains".to_string()));
        let datasets = names.iter().map(|name| format!("/mesh/{name}"));
        for dataset in datasets.chain(["/fields/activation_time".to_string()]) {
            if dataset == "/mesh/parts" {
                continue; // Those of the run: one part where the whole was read.
            }
            let [a, b] = [&whole, &parts].map(|file| {
                let dataset = file.dataset(&dataset).unwrap();
                let bits = |x: f64| x.to_bits();
                let values: Vec<f64> = dataset.read_raw().unwrap();
                (
                    dataset.shape(),
                    values.into_iter().map(bits).collect::<Vec<_>>(),
                )
            });
            assert_eq!(a.0, b.0, "{dataset}");
            assert!(a.1 == b.1, "{dataset}, {domains}");
        }
        let xdmf = |folder: &str| std::fs::read_to_string(path.join(folder).join("eikonal.xdmf"));
        assert_eq!(xdmf("whole").unwrap(), xdmf("parts").unwrap());
    }
}

/// A damaged partition is told, not computed with.
#[test]
fn damaged_partition_is_refused() {
    if !has_mpirun() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let run = |arguments: &[&str]| run_with(path, 1, &[], arguments).succeeds();
    run(&["mesh", "generate", "ellipsoid", "plain.h5", "--edge", "5"]);
    run(&["mesh", "partition", "plain.h5", "heart.h5", "--parts", "2"]);
    let case =
        "[mesh]\nfile = \"heart.h5\"\n[conduction]\nspeed = 0.6\n[[source]]\nvertices = [0]\n";
    put(path, "case.toml", case);
    let file = hdf5::File::open_rw(path.join("heart.h5")).unwrap();
    let dataset = file.dataset("/partition/tetrahedra").unwrap();
    let mut corners: Vec<u32> = dataset.read_raw().unwrap();
    *corners.last_mut().unwrap() = 1 << 30;
    dataset.write_raw(&corners).unwrap();
    drop(dataset);
    file.close().unwrap();
    let arguments = ["eikonal", "case.toml", "-q", "--output", "out"];
    let words = ["heart.h5", "/partition", "mesh partition"];
    run_with(path, 2, &[], &arguments).fails(65, &words);
}
