//! `isochrone invert` beyond γ of given domains: standard deviations, weight of the penalties,
//! refinement of domains, onsets and places of sources.
#![cfg(unix)]

mod command;

use std::path::Path;
use std::time::Duration;

use command::inversion::{SLAB, TWIN, invert};
use command::{dataset, folder_with, numbers, put, ranks, report, run, set, start};
use serde_json::Value;

/// What makes the twin of [`SLAB`] noisy.
const NOISE: &str = r#"twin.noise_ms = 0.1
twin.seed = 3
optimizer = "levenberg-marquardt"
"#;

fn noisy_slab() -> tempfile::TempDir {
    folder_with(&[("slab.toml", &format!("{SLAB}{NOISE}"))])
}

/// A dataset of the inversion in `folder/out`.
#[track_caller]
fn result_dataset(folder: &Path, name: &str) -> Vec<f64> {
    dataset(&folder.join("out/inversion.h5"), name)
}

#[test]
fn standard_deviations_stand_beside_the_estimate() {
    let folder = noisy_slab();
    let path = folder.path();
    let mut all = Vec::new();
    for ranks in ranks() {
        let result = invert(path, ranks, "slab.toml", &[]);
        let (gamma, deviations) = (numbers(&result["gamma"]), numbers(&result["gamma_std"]));
        let logs = numbers(&result["log_gamma_std"]);
        assert_eq!(result["noise_from"], "twin");
        assert_eq!(result["noise_ms"], 0.1);
        for k in 0..3 {
            assert!((deviations[k] - gamma[k] * logs[k]).abs() < 1e-15);
            let error = gamma[k] - TWIN[k];
            assert!(error.abs() < 5.0 * deviations[k], "{result}");
        }
        assert_eq!(
            result_dataset(path, "/inversion/uncertainty/gamma_std"),
            deviations
        );
        let covariance = result_dataset(path, "/inversion/uncertainty/covariance");
        let correlation = result_dataset(path, "/inversion/uncertainty/correlation");
        for i in 0..3 {
            assert!((covariance[4 * i].sqrt() - logs[i]).abs() < 1e-14);
            assert_eq!(correlation[4 * i], 1.0);
        }
        let of_tetrahedra = result_dataset(path, "/fields/gamma_std");
        assert!(of_tetrahedra.iter().all(|s| deviations.contains(s)));
        all.push((gamma, deviations, correlation));
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "ranks");
    // Not told: from the residuals, χ² of n − 3 degrees of freedom within 5 deviations.
    let times = run(
        path,
        1,
        &["eikonal", "slab.toml", "-q", "--output", "times"],
    );
    times.succeeds();
    let mut noisy = dataset(&path.join("times/eikonal.h5"), "/fields/activation_time");
    isochrone::inversion::observations::add_noise(&mut noisy, 0.3, 4).unwrap();
    let measured = hdf5::File::create(path.join("measured.h5")).unwrap();
    let written = measured
        .new_dataset_builder()
        .with_data(&noisy)
        .create("times");
    drop((written.unwrap(), measured));
    let from = "inversion.measured={file=\"measured.h5\",dataset=\"times\"}";
    let result = invert(path, 1, "slab.toml", &[from]);
    assert_eq!(result["noise_from"], "estimated");
    let ratio = result["noise_ms"].as_f64().unwrap() / 0.3;
    assert!(
        (ratio - 1.0).abs() < 5.0 / (2.0 * noisy.len() as f64).sqrt(),
        "{ratio}"
    );
    let result = invert(path, 1, "slab.toml", &[from, "inversion.noise_ms=0.3"]);
    assert_eq!(result["noise_from"], "given");
    // Switched off.
    let result = invert(path, 1, "slab.toml", &["inversion.uncertainty=false"]);
    assert!(result.get("gamma_std").is_none());
}

#[test]
fn a_domain_that_nothing_determines_has_no_standard_deviation() {
    let folder = noisy_slab();
    let path = folder.path();
    let near = "inversion.vertices={points=[[0.2,0.2,0.2],[0.3,0.3,0.3]]}";
    let arguments = ["invert", "slab.toml", "--overwrite", "--output", "out"];
    let said = run(path, 1, &set(&arguments, &[near])).succeeds().stderr;
    let result = report(&path.join("out"))["result"].clone();
    let unseen = result["unseen_domains"].as_array().unwrap();
    assert!(!unseen.is_empty());
    for k in unseen {
        let k = k.as_u64().unwrap() as usize;
        assert!(result["gamma_std"][k].is_null(), "{result}");
        let stored = result_dataset(path, "/inversion/uncertainty/gamma_std");
        assert_eq!(stored[k], f64::INFINITY);
    }
    assert!(
        said.contains("neither by the measured times nor by penalties"),
        "{said}"
    );
    // The penalty's own width, σ/√α, is what is left of a domain that is not seen.
    let penalty = "inversion.regularisation.tikhonov=0.25";
    let result = invert(path, 1, "slab.toml", &[near, penalty]);
    for k in unseen {
        let k = k.as_u64().unwrap() as usize;
        let deviation = result["log_gamma_std"][k].as_f64().unwrap();
        assert!((deviation - 0.1 / 0.25f64.sqrt()).abs() < 1e-12, "{result}");
    }
}

/// Twelve domains, noise of 1 ms on the surface.
const NOISY: &str = r#"[mesh]
generate = { kind = "slab", edge = 0.9, size = [9, 8, 3] }
[conduction]
speed = { fibre = 0.6, sheet = 0.3, normal = 0.2 }
[domains]
count = 12
[[source]]
point = [0.1, 0.2, 0.3]
[inversion]
twin = { gamma = [1.3, 1.0, 0.8, 1.0, 1.2, 0.9, 0.6, 1.0, 1.1, 0.8, 1.0, 1.4], noise_ms = 1.0, seed = 2 }
vertices = "surface"
optimizer = "levenberg-marquardt"
stop = { step = 1e-7 }
regularisation = { neighbour_jump = 10.0, tikhonov = 1.0 }
"#;

#[test]
fn the_weight_of_the_penalties_is_chosen() {
    let folder = folder_with(&[("noisy.toml", NOISY)]);
    let path = folder.path();
    let mut all = Vec::new();
    for ranks in ranks() {
        let choose = "inversion.regularisation.choose=discrepancy";
        let result = invert(path, ranks, "noisy.toml", &[choose]);
        // What noise of 1 ms stays below in 98 of 100 cases, to the tolerance of the rule.
        let n = result["observations"].as_f64().unwrap();
        let most = n + 2.0 * (2.0 * n).sqrt();
        let misfit = result["misfit"].as_f64().unwrap();
        assert!(misfit <= most && misfit > 0.985 * most, "{misfit} of {n}");
        let found = result["regularisation"].clone();
        let factor = found["factor"].as_f64().unwrap();
        let weights = [10.0, 1.0].map(|w: f64| w * factor);
        assert_eq!(found["neighbour_jump"].as_f64().unwrap(), weights[0]);
        assert_eq!(found["tikhonov"].as_f64().unwrap(), weights[1]);
        assert_eq!(result_dataset(path, "/inversion/gamma").len() % 12, 0);
        all.push((numbers(&result["gamma"]), factor));
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "ranks");

    let choose = "inversion.regularisation.choose=l-curve";
    let sweep = "inversion.regularisation.sweep={least=1e-2,most=1e4,steps=25}";
    let result = invert(path, 1, "noisy.toml", &[choose, sweep]);
    let found = &result["regularisation"];
    let curve = found["curve"].as_array().unwrap();
    assert_eq!(curve.len(), 25);
    let column = |name: &str| -> Vec<f64> {
        curve
            .iter()
            .map(|p| p[name].as_f64().unwrap_or(f64::NAN))
            .collect()
    };
    // Less weight: a smaller misfit and larger penalties, all along the curve.
    assert!(column("factor").is_sorted_by(|a, b| a > b));
    assert!(column("misfit").is_sorted_by(|a, b| a >= b), "{curve:?}");
    assert!(column("penalty").is_sorted_by(|a, b| a <= b), "{curve:?}");
    for (name, stored) in
        ["factor", "misfit", "penalty"].map(|n| (n, format!("/inversion/curve/{n}")))
    {
        assert_eq!(column(name), result_dataset(path, &stored));
    }
    // The corner: where the circle through three neighbours is smallest.
    let bend = |i: usize| {
        let at = |j: usize| (column("misfit")[j].ln(), column("penalty")[j].ln());
        let [a, b, c] = [at(i - 1), at(i), at(i + 1)];
        let side = |p: (f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
        let area = (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
        // Along the curve λ falls: a corner turns to the right.
        -2.0 * area / (side(a, b) * side(b, c) * side(c, a))
    };
    let chosen = found["factor"].as_f64().unwrap();
    let chosen = column("factor").iter().position(|f| *f == chosen).unwrap();
    // At its end, where no penalty is left, the curve stands still.
    let moves = |i: &usize| (column("penalty")[*i + 1] / column("penalty")[*i - 1]).ln() > 1e-2;
    let sharpest = (1..24)
        .filter(moves)
        .map(bend)
        .fold(f64::NEG_INFINITY, f64::max);
    println!(
        "corner {chosen}: {:.3}, sharpest {sharpest:.3}",
        bend(chosen)
    );
    assert!(bend(chosen) > 0.8 * sharpest, "{curve:?}");
}

#[test]
fn rules_that_lack_something_say_what() {
    let folder = folder_with(&[("noisy.toml", NOISY)]);
    let path = folder.path();
    let twin = "inversion.twin.noise_ms=0";
    let choose = |rule: &str| format!("inversion.regularisation.choose={rule}");
    let none = "inversion.regularisation={tikhonov=0,neighbour_jump=0}";
    let (curve, discrepancy) = (choose("l-curve"), choose("discrepancy"));
    for (settings, words) in [
        (vec![twin, &discrepancy], ["noise", "inversion.noise_ms"]),
        (vec![none, &curve], ["no penalty", "tikhonov"]),
        (
            vec![&curve, "inversion.multistart.starts=2"],
            ["one start", "multistart"],
        ),
        (
            vec![&curve, "inversion.stop.misfit=0.5"],
            ["stop.misfit", "penalties"],
        ),
        (
            vec![
                &curve,
                "inversion.regularisation.sweep={least=2.0,most=1.0,steps=9}",
            ],
            ["sweep", "least < most"],
        ),
    ] {
        for ranks in ranks() {
            let arguments = ["invert", "noisy.toml", "-q", "--output", "out"];
            run(path, ranks, &set(&arguments, &settings)).fails(65, &words);
        }
    }
}

/// A slab with a slow half-space x + y > 7.3 mm in domain 1, solved for its times; the inversion
/// begins with one domain.
fn scar(path: &Path) {
    let mesh = [
        "mesh", "generate", "slab", "slab.h5", "--edge", "0.8", "--size", "8,6,3",
    ];
    run(path, 1, &mesh).succeeds();
    let slab = path.join("slab.h5");
    let points: Vec<f64> = dataset(&slab, "/mesh/points");
    let tetrahedra: Vec<u32> = dataset(&slab, "/mesh/tetrahedra");
    let (tetrahedra, _) = tetrahedra.as_chunks::<4>();
    let slow = |t: &[u32; 4]| {
        let sum = t
            .iter()
            .map(|v| points[3 * *v as usize] + points[3 * *v as usize + 1]);
        u32::from(sum.sum::<f64>() / 4.0 > 7.3)
    };
    let domains: Vec<u32> = tetrahedra.iter().map(slow).collect();
    let file = hdf5::File::create(path.join("scar.h5")).unwrap();
    file.new_dataset_builder()
        .with_data(&domains)
        .create("domains")
        .unwrap();
    drop(file);
    put(path, "base.toml", BASE);
    put(path, "scar.toml", SCAR);
    let arguments = [
        "eikonal",
        "base.toml",
        "scar.toml",
        "-q",
        "--output",
        "truth",
    ];
    run(path, 1, &arguments).succeeds();
}

const BASE: &str = r#"[mesh]
file = "slab.h5"
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.4 }
[[source]]
point = [0.1, 0.2, 0.3]
"#;

const SCAR: &str = r#"[domains]
file = { file = "scar.h5", dataset = "domains" }
gamma = [1.0, 0.25]
"#;

const REFINE: &str = r#"[domains]
count = 2
[inversion]
measured = { file = "truth/eikonal.h5" }
optimizer = "levenberg-marquardt"
refinement = { domains = 24 }
noise_ms = 0.05
"#;

#[test]
fn domains_are_refined_until_a_scar_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    scar(path);
    put(path, "refine.toml", REFINE);
    let mut all = Vec::new();
    for ranks in ranks() {
        let arguments = [
            "invert",
            "base.toml",
            "refine.toml",
            "-q",
            "--overwrite",
            "--output",
            "out",
        ];
        run(path, ranks, &arguments).succeeds();
        let result = report(&path.join("out"))["result"].clone();
        let levels = result["refinement"].as_array().unwrap();
        let of = |name: &str| {
            levels
                .iter()
                .map(|l| l[name].as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        println!("domains {:?}, misfit {:?}", of("domains"), of("misfit"));
        assert_eq!(of("domains")[0], 2.0);
        assert!(
            of("domains").is_sorted_by(|a, b| a < b) && of("domains").iter().all(|k| *k <= 24.0)
        );
        assert!(of("misfit").is_sorted_by(|a, b| a > b));
        assert!(
            of("misfit").last().unwrap() * 50.0 < of("misfit")[0],
            "{levels:?}"
        );
        // γ of each tetrahedron against the truth.
        let truth: Vec<u32> = dataset(&path.join("scar.h5"), "domains");
        let gamma = result_dataset(path, "/fields/gamma");
        let median = |domain: u32| {
            let of_domain = truth.iter().zip(&gamma).filter(|(d, _)| **d == domain);
            let mut members: Vec<f64> = of_domain.map(|(_, g)| *g).collect();
            members.sort_by(f64::total_cmp);
            members[members.len() / 2]
        };
        let medians = [0, 1].map(median);
        let right = truth
            .iter()
            .zip(&gamma)
            .filter(|(d, g)| (**g < 0.5) == (**d == 1))
            .count();
        let share = right as f64 / truth.len() as f64;
        println!("median γ {medians:.3?} of 1.0, 0.25; {share:.3} on the right side of 0.5");
        assert!((medians[0] - 1.0).abs() < 0.05, "{medians:?}");
        assert!((medians[1] / 0.25 - 1.0).abs() < 0.1, "{medians:?}");
        assert!(share > 0.9, "{share}");
        let domains: Vec<u32> = dataset(&path.join("out/inversion.h5"), "/mesh/domains");
        let k = of("domains").last().copied().unwrap() as usize;
        assert_eq!(*domains.iter().max().unwrap() as usize + 1, k);
        assert_eq!(numbers(&result["gamma"]).len(), k);
        assert_eq!(numbers(&result["gamma_std"]).len(), k);
        assert_eq!(
            result_dataset(path, "/inversion/refinement/misfit"),
            of("misfit")
        );
        all.push((gamma, domains));
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "ranks");
}

#[test]
fn a_refinement_that_is_stopped_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    scar(path);
    put(path, "refine.toml", REFINE);
    let arguments = |output: &'static str| {
        [
            "invert",
            "base.toml",
            "refine.toml",
            "--threads",
            "1",
            "-q",
            "--resume",
            "--output",
            output,
        ]
    };
    run(path, 1, &arguments("whole")).succeeds();
    let lines = || {
        let text = std::fs::read_to_string(path.join("parts/inversion_history.jsonl"));
        text.unwrap_or_default().lines().count()
    };
    // Stopped wherever it is after so many iterations more, again and again.
    let mut stops = 0;
    for _ in 0..30 {
        let before = lines();
        let mut running = start(path, 1, &[], &arguments("parts"));
        while lines() < before + 2 && !running.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.terminate();
        let code = running.finish().code;
        if code == 0 {
            break;
        }
        assert_eq!(code, 75);
        stops += 1;
    }
    println!("{stops} stops");
    assert!(stops > 0);
    run(path, 1, &arguments("parts")).succeeds();
    let read = |output: &str, name: &str| -> Vec<f64> {
        dataset(&path.join(output).join("inversion.h5"), name)
    };
    for name in [
        "/inversion/gamma",
        "/fields/gamma",
        "/fields/activation_time",
    ] {
        assert_eq!(read("whole", name), read("parts", name), "{name}");
    }
    let without_times = |output: &str| {
        let text = std::fs::read_to_string(path.join(output).join("inversion_history.jsonl"));
        let text = text.unwrap();
        let lines = text.lines().map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record["seconds"] = 0.into();
            record
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_times("whole"), without_times("parts"));
    // Evaluations of all levels, those before the stops included.
    let evaluations = |output: &str| {
        let counters = report(&path.join(output))["counters"].clone();
        counters["evaluations"].as_u64().unwrap()
    };
    assert_eq!(evaluations("whole"), evaluations("parts"));
    assert!(evaluations("whole") as usize >= without_times("whole").len());
}

const SOURCES: &str = r#"[mesh]
generate = { kind = "slab", edge = 0.8, size = [10, 8, 4] }
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.3 }
[domains]
count = 2
[[source]]
point = [3.0, 3.5, 1.5]
radius = 2.4
time = 0.0
estimate = ["time", "point"]
[inversion]
twin = { gamma = [0.7, 1.3], onsets = [4.0], points = [[5.2, 4.4, 2.1]] }
optimizer = "levenberg-marquardt"
"#;

#[test]
fn onset_and_place_of_a_source_are_found_with_gamma() {
    let folder = folder_with(&[("sources.toml", SOURCES)]);
    let path = folder.path();
    let bfgs = "inversion.optimizer=bfgs";
    for (settings, tolerance) in [(&[][..], 1e-5), (&[bfgs], 1e-3)] {
        let mut all = Vec::new();
        for ranks in ranks() {
            let result = invert(path, ranks, "sources.toml", settings);
            println!(
                "{} after {}: {}",
                result["stop_reason"], result["iterations"], result["sources"]
            );
            let found = &result["sources"][0];
            assert!(
                (found["time_ms"].as_f64().unwrap() - 4.0).abs() < tolerance,
                "{result}"
            );
            let place = numbers(&found["point_mm"]);
            for (x, truth) in place.iter().zip([5.2, 4.4, 2.1]) {
                assert!((x - truth).abs() < tolerance, "{result}");
            }
            for (g, truth) in numbers(&result["gamma"]).iter().zip([0.7, 1.3]) {
                assert!((g - truth).abs() < tolerance, "{result}");
            }
            let iterations = result["iterations"].as_u64().unwrap() as usize;
            let history = result_dataset(path, "/inversion/sources");
            assert_eq!(history.len(), 4 * (iterations + 1));
            assert_eq!(history[..4], [0.0, 3.0, 3.5, 1.5]);
            all.push((result["gamma"].clone(), result["sources"].clone()));
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "ranks");
    }
    // With noise: within 5 of the deviations that are told.
    let noise = "inversion.twin.noise_ms=0.1";
    let result = invert(path, 1, "sources.toml", &[noise]);
    let found = &result["sources"][0];
    let place = numbers(&found["point_mm"])
        .into_iter()
        .zip(numbers(&found["point_std_mm"]));
    for ((x, deviation), truth) in place.zip([5.2, 4.4, 2.1]) {
        assert!(
            (x - truth).abs() < 5.0 * deviation && deviation < 0.2,
            "{found}"
        );
    }
}

#[test]
fn a_twin_with_other_sources_than_the_case_is_refused() {
    let folder = folder_with(&[("sources.toml", SOURCES)]);
    let path = folder.path();
    let invert = ["invert", "sources.toml", "-q", "--output", "out"];
    for (setting, words) in [
        (
            "inversion.twin.onsets=[1,2]",
            ["inversion.twin.onsets", "2 items for 1 sources"],
        ),
        (
            "inversion.twin.points=[]",
            ["inversion.twin.points", "0 items"],
        ),
        (
            "inversion.twin.points=[[1,2]]",
            ["inversion.twin.points", "three numbers"],
        ),
        (
            "inversion.twin.scar={radius=1,gamma=0.2}",
            ["inversion.twin.scar.centre", "missing"],
        ),
        (
            "source.0.estimate=[\"place\"]",
            ["source.0.estimate", "\"point\""],
        ),
    ] {
        run(path, 1, &set(&invert, &[setting])).fails(65, &words);
    }
    // So far off that no vertex is within the radius.
    for ranks in ranks() {
        run(path, ranks, &set(&invert, &["source.0.point=[99,0,0]"]))
            .fails(65, &["source.0.radius", "enlarge"]);
    }
}

/// A point with a radius starts its vertices by the travel time: nearer to the straight line than
/// the nearest vertex alone.
#[test]
fn a_point_with_a_radius_is_more_exact_than_a_vertex() {
    let config = r#"[mesh]
generate = { kind = "slab", edge = 0.8, size = [10, 8, 4] }
[conduction]
speed = 0.5
[[source]]
point = [5.1, 4.3, 2.2]
"#;
    let folder = folder_with(&[("point.toml", config)]);
    let path = folder.path();
    let error = |ranks: usize, settings: &[&str]| {
        let arguments = ["eikonal", "point.toml", "-q", "--overwrite", "-o", "out"];
        run(path, ranks, &set(&arguments, settings)).succeeds();
        let result = path.join("out/eikonal.h5");
        let read = |name: &str| -> Vec<f64> { dataset(&result, name) };
        let (points, phi) = (read("/mesh/points"), read("/fields/activation_time"));
        let exact = points.chunks_exact(3).map(|x| {
            let e = [x[0] - 5.1, x[1] - 4.3, x[2] - 2.2];
            e.iter().map(|c| c * c).sum::<f64>().sqrt() / 0.5
        });
        let squares = exact
            .zip(&phi)
            .map(|(t, phi)| (t - phi).powi(2))
            .sum::<f64>();
        (squares / phi.len() as f64).sqrt()
    };
    let alone = error(1, &[]);
    let ball = error(1, &["source.0.radius=2.4"]);
    println!("root mean square error {alone:.3} ms from a vertex, {ball:.3} ms from a ball");
    assert!(ball < 0.5 * alone, "{ball} {alone}");
    for ranks in ranks() {
        assert_eq!(error(ranks, &["source.0.radius=2.4"]), ball);
    }
    let run = |setting: &str| {
        let arguments = ["eikonal", "point.toml", "-q", "--output", "no"];
        run(path, 1, &set(&arguments, &[setting]))
    };
    run("source.0.radius=1e-3").fails(65, &["source.0.radius", "enlarge"]);
    run("source.0.estimate=[\"point\"]").fails(65, &["source.0.estimate", "radius"]);
    run("source.0={vertices=[0],radius=2.0}").fails(65, &["source.0.radius", "point only"]);
}
