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
