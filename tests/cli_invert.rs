//! `isochrone invert` end to end: γ of a twin is found again by every optimiser, gradient, place
//! of measurement and penalty.
#![cfg(unix)]

mod command;

use command::inversion::{SLAB, TWIN, invert};
use command::{dataset, folder_with, numbers, put, ranks, report, run, set};
use serde_json::Value;

const ELLIPSOID: &str = r#"[mesh]
generate = { kind = "ellipsoid", edge = 5.0 }
[conduction]
speed = { fibre = 0.6, sheet = 0.3, normal = 0.3 }
[domains]
count = 3
[[source]]
point = [0, 0, -60]
[inversion]
twin = { gamma = [0.5, 1.5, 1.0] }
vertices = "surface"
"#;

fn slab() -> tempfile::TempDir {
    folder_with(&[("slab.toml", SLAB)])
}

fn gamma(result: &Value) -> Vec<f64> {
    numbers(&result["gamma"])
}

#[track_caller]
fn assert_gamma(result: &Value, expected: &[f64], tolerance: f64) {
    let found = gamma(result);
    assert_eq!(found.len(), expected.len());
    for (g, e) in found.iter().zip(expected) {
        assert!(
            (g - e).abs() <= tolerance,
            "{found:?} instead of {expected:?}: {result}"
        );
    }
}

#[test]
fn every_optimiser_and_gradient_finds_the_twin() {
    let folder = slab();
    let named = ["misfit", "gradient_norm", "step", "stalled"];
    for (optimizer, gradient, more, tolerance) in [
        (
            "bfgs",
            "adjoint",
            "inversion.initial_hessian=gauss-newton",
            1e-6,
        ),
        (
            "bfgs",
            "tangent",
            "inversion.initial_hessian=diagonal",
            1e-6,
        ),
        (
            "bfgs",
            "finite-differences",
            "inversion.initial_hessian=identity",
            1e-4,
        ),
        (
            "lbfgs",
            "adjoint",
            "inversion.initial_hessian=gauss-newton",
            1e-6,
        ),
        (
            "lbfgs",
            "finite-differences",
            "inversion.initial_hessian=diagonal",
            1e-4,
        ),
        ("gauss-newton", "adjoint", "inversion.parameter=log", 1e-6),
        (
            "levenberg-marquardt",
            "adjoint",
            "inversion.parameter=log",
            1e-6,
        ),
        (
            "levenberg-marquardt",
            "adjoint",
            "inversion.parameter=gamma",
            1e-6,
        ),
        ("bfgs", "adjoint", "inversion.parameter=gamma", 1e-6),
        ("bfgs", "adjoint", "eikonal.precision=f32", 1e-2),
    ] {
        let optimizer = format!("inversion.optimizer={optimizer}");
        let gradient = format!("inversion.gradient={gradient}");
        let result = invert(
            folder.path(),
            1,
            "slab.toml",
            &[&optimizer, &gradient, more],
        );
        assert_gamma(&result, &TWIN, tolerance);
        let reason = result["stop_reason"].as_str().unwrap();
        assert!(
            named.contains(&reason),
            "{optimizer} {gradient} {more}: {reason}"
        );
    }
    // Linear convergence at best; it has to come closer.
    for gradient in ["adjoint", "finite-differences"] {
        let gradient = format!("inversion.gradient={gradient}");
        let settings = [
            "inversion.optimizer=steepest-descent",
            "inversion.stop.iterations=60",
            "inversion.stop.misfit=1e-3",
            &gradient,
        ];
        let result = invert(folder.path(), 1, "slab.toml", &settings);
        assert_gamma(&result, &TWIN, 0.05);
    }
}

#[test]
fn every_reason_to_stop_is_named() {
    let folder = slab();
    for (stop, reason) in [
        ("misfit=1.0", "misfit"),
        ("misfit=0, step=0, gradient_norm=10.0", "gradient_norm"),
        ("misfit=0, gradient_norm=0, step=1e-2", "step"),
        ("iterations=2", "max_iterations"),
        ("misfit=0, gradient_norm=0, step=0", "stalled"),
    ] {
        let stop = format!("inversion.stop={{{stop}}}");
        let result = invert(folder.path(), 1, "slab.toml", &[&stop]);
        assert_eq!(result["stop_reason"], reason, "{result}");
        let file = hdf5::File::open(folder.path().join("out/inversion.h5")).unwrap();
        let stored = file
            .group("/inversion")
            .unwrap()
            .attr("stop_reason")
            .unwrap();
        let stored: hdf5::types::VarLenUnicode = stored.read_scalar().unwrap();
        assert_eq!(stored.as_str(), reason);
        let misfit = file.dataset("/inversion/misfit").unwrap();
        let misfit = misfit.read_raw::<f64>().unwrap();
        let iterations = result["iterations"].as_u64().unwrap() as usize;
        assert_eq!(misfit.len(), iterations + 1);
        assert_eq!(*misfit.last().unwrap(), result["misfit"].as_f64().unwrap());
        assert!(misfit.last() < misfit.first());
    }
}

#[test]
fn every_place_of_measurement_serves() {
    let folder = slab();
    let path = folder.path();
    let file = hdf5::File::create(path.join("places.h5")).unwrap();
    // Vertex numbers of a slab run along x first; every third one.
    let vertices: Vec<u32> = (0..200).step_by(3).collect();
    file.new_dataset_builder()
        .with_data(&vertices)
        .create("some")
        .unwrap();
    let weights: Vec<f64> = vertices.iter().map(|v| 0.5 + f64::from(v % 7)).collect();
    file.new_dataset_builder()
        .with_data(&weights)
        .create("weights")
        .unwrap();
    drop(file);
    let some = "inversion.vertices={file=\"places.h5\",dataset=\"some\"}";
    let weights = "inversion.weights={file=\"places.h5\",dataset=\"weights\"}";
    let points = "inversion.vertices={points=[[5.9,4.8,2.9],[3.1,2.2,1.7],[0.4,4.6,0.3],\
                  [5.5,0.3,2.6],[2.2,0.7,2.8],[1.3,3.3,1.1],[4.4,3.9,0.6]]}";
    for ranks in ranks() {
        for (settings, observations) in [
            (&["inversion.vertices=surface"][..], None),
            (&[some], Some(67)),
            (&[some, weights], Some(67)),
            (&[points], Some(7)),
        ] {
            let result = invert(path, ranks, "slab.toml", settings);
            assert_gamma(&result, &TWIN, 1e-6);
            if let Some(expected) = observations {
                assert_eq!(result["observations"], expected);
            }
        }
    }
    // Weights scale the misfit at the first γ, which is otherwise the same sum.
    let stop = "inversion.stop.iterations=0";
    let plain = invert(path, 1, "slab.toml", &[some, stop])["misfit"]
        .as_f64()
        .unwrap();
    let weighted = invert(path, 1, "slab.toml", &[some, weights, stop]);
    let weighted = weighted["misfit"].as_f64().unwrap();
    assert!(weighted > 0.5 * plain && weighted < 6.5 * plain && weighted != plain);

    put(path, "ellipsoid.toml", ELLIPSOID);
    let result = invert(
        path,
        1,
        "ellipsoid.toml",
        &["inversion.optimizer=levenberg-marquardt"],
    );
    assert_gamma(&result, &TWIN, 1e-6);
    // 1 ms of noise on hundreds of times: a few per cent of γ.
    let noise = ["inversion.twin={gamma=[0.5,1.5,1.0],noise_ms=1.0,seed=5}"];
    let result = invert(path, 1, "ellipsoid.toml", &noise);
    assert_gamma(&result, &TWIN, 0.1);
    let n = result["observations"].as_f64().unwrap();
    let misfit = result["misfit"].as_f64().unwrap();
    // χ² of n − 3 degrees of freedom, 5 standard deviations.
    assert!(
        (misfit - (n - 3.0)).abs() < 5.0 * (2.0 * n).sqrt(),
        "{misfit} of {n}"
    );
}

#[test]
fn penalties_pull_where_they_should() {
    let folder = slab();
    let with = |setting: &str| {
        let result = invert(folder.path(), 1, "slab.toml", &[setting]);
        let objective = result["objective"].as_f64().unwrap();
        assert!(objective >= result["misfit"].as_f64().unwrap());
        gamma(&result)
    };
    let spread = |g: &[f64]| {
        let logs: Vec<f64> = g.iter().map(|g| g.ln()).collect();
        logs.iter().fold(f64::MIN, |a, b| a.max(*b)) - logs.iter().fold(f64::MAX, |a, b| a.min(*b))
    };
    let size = |g: &[f64]| g.iter().map(|g| g.ln().powi(2)).sum::<f64>();
    // F = f + α Σ (log γ)²: the larger α, the closer to 1, up to γ = 1.
    let sizes = ["0", "1e3", "1e5", "1e12"]
        .map(|a| size(&with(&format!("inversion.regularisation.tikhonov={a}"))));
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    assert!(
        (sizes[0] - size(&TWIN)).abs() < 1e-6 && sizes[3] < 1e-12,
        "{sizes:?}"
    );
    // Jumps: the larger β, the more alike, up to one γ for all, which is not 1.
    let jumps = ["0", "1e3", "1e5", "1e12"]
        .map(|b| with(&format!("inversion.regularisation.neighbour_jump={b}")));
    let spreads = jumps.clone().map(|g| spread(&g));
    assert!(spreads.is_sorted_by(|a, b| a > b), "{spreads:?}");
    assert!(
        spreads[3] < 1e-5 && jumps[3][0].ln().abs() > 1e-3,
        "{jumps:?}"
    );
}

#[test]
fn the_best_of_several_starts_is_the_result() {
    let folder = slab();
    for ranks in ranks() {
        let settings = ["inversion.multistart={starts=2,log_range=1.0,seed=4}"];
        let result = invert(folder.path(), ranks, "slab.toml", &settings);
        assert_gamma(&result, &TWIN, 1e-6);
        let starts = result["starts"].as_array().unwrap();
        assert_eq!(starts.len(), 3);
        let misfits: Vec<f64> = starts
            .iter()
            .map(|s| s["misfit"].as_f64().unwrap())
            .collect();
        let best = misfits.iter().fold(f64::INFINITY, |a, b| a.min(*b));
        assert_eq!(result["misfit"].as_f64().unwrap(), best);
        for start in starts {
            assert_gamma(start, &TWIN, 1e-5);
        }
    }
}

#[test]
fn a_domain_that_no_measurement_can_see_is_named() {
    let folder = slab();
    let path = folder.path();
    // Measured next to the source only: the wave has crossed one domain at most.
    let near = "inversion.vertices={points=[[0.2,0.2,0.2],[0.3,0.3,0.3]]}";
    for ranks in ranks() {
        let run = |settings: &[&str]| {
            let arguments = ["invert", "slab.toml", "--overwrite", "--output", "out"];
            let said = command::run(path, ranks, &set(&arguments, settings));
            let said = said.succeeds().stderr;
            (report(&path.join("out"))["result"].clone(), said)
        };
        let (result, said) = run(&[near]);
        let unseen = result["unseen_domains"].as_array().unwrap();
        assert!((1..=2).contains(&unseen.len()), "{result}");
        assert!(
            said.contains("do not influence the measured times"),
            "{said}"
        );
        for k in unseen {
            assert_eq!(gamma(&result)[k.as_u64().unwrap() as usize], 1.0);
        }
        let (result, said) = run(&[]);
        assert_eq!(result["unseen_domains"], serde_json::json!([]));
        assert!(!said.contains("do not influence"), "{said}");
    }
}

#[test]
fn a_changed_measurement_is_not_resumed() {
    let folder = slab();
    let path = folder.path();
    let write = |shift: f64| {
        let times: Vec<f64> = dataset(&path.join("out/inversion.h5"), "/fields/activation_time");
        let times: Vec<f64> = times.iter().map(|t| t + shift).collect();
        let file = hdf5::File::create(path.join("measured.h5")).unwrap();
        let made = file.new_dataset_builder().with_data(&times);
        made.create("times").unwrap();
    };
    invert(path, 1, "slab.toml", &["inversion.stop.iterations=1"]);
    write(0.0);
    let measured = "inversion.measured={file=\"measured.h5\",dataset=\"times\"}";
    invert(
        path,
        1,
        "slab.toml",
        &[measured, "inversion.stop.iterations=1"],
    );
    let resume = |how: &str| {
        let arguments = ["invert", "slab.toml", "-q", how, "--output", "out"];
        run(path, 1, &set(&arguments, &[measured]))
    };
    resume("--resume").succeeds();
    write(0.1);
    resume("--resume").fails(65, &["measured.h5 has changed", "--overwrite"]);
}
