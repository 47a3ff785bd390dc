//! `isochrone invert`: what its report says of time, of the L-curve and of standard deviations.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::command::{put, ranks, report, run};
use super::{folder, line, warnings};

fn number(report: &Value, group: &str, name: &str) -> f64 {
    report[group][name]
        .as_f64()
        .unwrap_or_else(|| panic!("{group}.{name}: {report}"))
}

/// Was: the report of a resumed inversion had the time and the counters of its last part alone.
#[test]
fn a_resumed_inversion_reports_only_its_last_part() {
    for ranks in ranks() {
        let folder = folder();
        let part = |iterations: usize, more: &[&str]| {
            let stop = format!(
                "inversion.stop={{misfit=0,step=0,gradient_norm=0,iterations={iterations}}}"
            );
            let arguments = [
                &["invert", "slab.toml", "--output", "out", "--set", &stop][..],
                &["--set", "inversion.optimizer=steepest-descent"],
                more,
            ];
            run(folder.path(), ranks, &arguments.concat()).succeeds();
            report(&folder.path().join("out"))
        };
        let first = part(2, &[]);
        assert!(first.get("resumed").is_none(), "{first}");
        let whole = part(5, &["--resume"]);
        let resumed = &whole["resumed"];
        assert_eq!(
            (resumed["parts"].as_u64(), resumed["parts_untold"].as_u64()),
            (Some(2), Some(0))
        );
        let last = &resumed["last_part"];
        for (group, name) in [
            ("timings_s", "total"),
            ("timings_s", "inversion"),
            ("timings_s", "solve"),
            ("counters", "local_solves"),
            ("counters", "vertex_updates"),
        ] {
            let (before, now, both) = (
                number(&first, group, name),
                number(last, group, name),
                number(&whole, group, name),
            );
            assert!(before > 0.0 && now > 0.0, "{name}: {before} {now}");
            assert!(
                (both - before - now).abs() <= 1e-12 * both,
                "{name}: {before} {now} {both}"
            );
        }
        // These the optimiser counts through all parts by itself.
        let at_once = {
            fs::remove_dir_all(folder.path().join("out")).unwrap();
            part(5, &[])
        };
        for name in ["evaluations", "gradient_evaluations"] {
            assert_eq!(whole["counters"][name], at_once["counters"][name], "{name}");
        }
        let third = {
            part(6, &["--resume"]);
            part(7, &["--resume"])
        };
        assert_eq!(third["resumed"]["parts"], 3);
    }
}

/// Was: a part that was killed would have been taken for one that took no time.
#[test]
fn a_part_that_was_killed_is_not_told_of() {
    let folder = folder();
    let path = folder.path();
    line(
        path,
        "invert slab.toml -q --output out",
        &["inversion.stop.iterations=2"],
    )
    .succeeds();
    // What a part that is killed leaves: its checkpoint, without its figures.
    let file = path.join("out/inversion_checkpoint.json");
    let text = fs::read_to_string(&file).unwrap();
    let (header, kept) = text.split_once('\n').unwrap();
    let mut kept: Value = serde_json::from_str(kept).unwrap();
    kept["whole"] = Value::Null;
    let kept = kept.to_string();
    let mut header: Value = serde_json::from_str(header).unwrap();
    header["sha256"] = isochrone::sha256::of_bytes(kept.as_bytes()).into();
    put(
        path,
        "out/inversion_checkpoint.json",
        &format!("{header}\n{kept}"),
    );
    line(path, "invert slab.toml -q --output out --resume", &[]).succeeds();
    let report = report(&path.join("out"));
    assert_eq!(report["resumed"]["parts"], 2);
    assert_eq!(report["resumed"]["parts_untold"], 1);
    let last = number(&report["resumed"]["last_part"], "counters", "local_solves");
    assert_eq!(number(&report, "counters", "local_solves"), last);
}

/// Minimisations along an L-curve of the slab, at most `iterations` each.
fn l_curve(path: &Path, iterations: usize) -> (Value, String) {
    let settings = [
        "inversion.twin={gamma=[0.5,1.5,1.0],noise_ms=0.5,seed=3}",
        "inversion.regularisation={tikhonov=1,choose=l-curve,sweep={least=1e-4,most=1e4,steps=9}}",
        &format!("inversion.stop={{step=1e-6,iterations={iterations}}}"),
    ];
    let settings: Vec<String> = settings
        .iter()
        .map(|s| s.replace("l-curve", "\"l-curve\""))
        .collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let said = line(path, "invert slab.toml --overwrite --output out", &settings).succeeds();
    (report(&path.join("out"))["result"].clone(), said.stderr)
}

/// Was: a point of a minimisation that did not come to its end counted as any other.
#[test]
fn points_of_the_l_curve_that_did_not_converge_count_like_others() {
    let folder = folder();
    let path = folder.path();
    let (result, said) = l_curve(path, 100);
    let curve = result["regularisation"]["curve"].as_array().unwrap();
    assert!(curve.iter().all(|p| p["converged"] == true), "{curve:?}");
    assert!(!said.contains("did not converge"), "{said}");
    // One step each from the result before: the first ones are far from their minimum.
    let (result, said) = l_curve(path, 1);
    let curve = result["regularisation"]["curve"].as_array().unwrap();
    let open: Vec<&Value> = curve.iter().filter(|p| p["converged"] == false).collect();
    assert!(!open.is_empty(), "{curve:?}");
    assert!(
        said.contains("inversion.regularisation") && said.contains("did not converge"),
        "{said}"
    );
    let file = hdf5::File::open(path.join("out/inversion.h5")).unwrap();
    let stored = file.dataset("/inversion/curve/converged").unwrap();
    let stored: Vec<u8> = stored.read_raw().unwrap();
    let told: Vec<u8> = curve
        .iter()
        .map(|p| u8::from(p["converged"] == true))
        .collect();
    assert_eq!(stored, told);
    for point in open {
        assert_eq!(point["curvature"], Value::Null, "{point}");
    }
}

/// Was: times without noise gave standard deviations of the size of rounding without a word.
#[test]
fn perfect_data_give_deviations_of_rounding_without_a_word() {
    let folder = folder();
    let path = folder.path();
    let invert = |settings: &[&str]| {
        let said = line(path, "invert slab.toml --overwrite --output out", settings).succeeds();
        let told = warnings(&said)
            .iter()
            .any(|w| w.contains("inversion.noise_ms"));
        (report(&path.join("out"))["result"].clone(), told)
    };
    let (perfect, told) = invert(&[]);
    assert!(told);
    assert_eq!(perfect["noise_from"], "estimated");
    assert_eq!(perfect["data_without_noise"], true);
    let (noisy, told) = invert(&["inversion.twin={gamma=[0.5,1.5,1.0],noise_ms=0.3,seed=1}"]);
    assert!(!told && noisy["data_without_noise"] == false, "{noisy}");
    let (given, told) = invert(&["inversion.noise_ms=0.3"]);
    assert!(!told && given["data_without_noise"] == false, "{given}");
}

/// Was: times that no gamma explains gave one at the limit of the program, without a word.
#[test]
fn gamma_at_the_limit_of_the_program_is_silent() {
    let folder = folder();
    let path = folder.path();
    let mesh = "mesh generate slab m.h5 --edge 1.5 --size 6,5,3";
    line(path, mesh, &[]).succeeds();
    let vertices = isochrone::mesh::formats::read(&path.join("m.h5"), None).unwrap();
    put(path, "early.dat", &"-5\n".repeat(vertices.vertex_count()));
    let case = "[mesh]\nfile = \"m.h5\"\n[conduction]\nspeed = 0.6\n[[source]]\nvertices = [0]\n\
        [inversion]\nmeasured = { file = \"early.dat\" }\n";
    put(path, "early.toml", case);
    let said = line(path, "invert early.toml --output out", &[]).succeeds();
    let told = |w: &&str| w.contains("domain 0") && w.contains("limit 1e9") && w.contains("unit");
    assert!(warnings(&said).iter().any(told), "{}", said.stderr);
    let result = &report(&path.join("out"))["result"];
    assert_eq!(result["domains_at_limit"], serde_json::json!([0]));
    line(path, "invert slab.toml --output twin", &[]).succeeds();
    let result = &report(&path.join("twin"))["result"];
    assert_eq!(result["domains_at_limit"], serde_json::json!([]));
}

/// Was: an inversion of noisy times, as good as it can be, read as one with a bad gradient.
#[test]
fn a_minimum_of_noisy_times_looks_like_a_failure() {
    let folder = folder();
    let path = folder.path();
    let noisy = "inversion.twin={gamma=[0.5,1.5,1.0],noise_ms=0.5,seed=3}";
    let never = "inversion.stop={gradient_norm=0,step=0}";
    for optimizer in ["bfgs", "levenberg-marquardt"] {
        let optimizer = format!("inversion.optimizer=\"{optimizer}\"");
        let settings = [noisy, never, &optimizer];
        let said = line(path, "invert slab.toml --overwrite --output out", &settings).succeeds();
        let result = report(&path.join("out"))["result"].clone();
        assert_eq!(result["stop_reason"], "stalled", "{result}");
        assert_eq!(result["converged"], true, "{result}");
        assert!(
            said.stderr.contains("cannot be told from its rounding"),
            "{}",
            said.stderr
        );
    }
    let short = [
        noisy,
        "inversion.stop={iterations=1}",
        "inversion.optimizer=\"steepest-descent\"",
    ];
    line(path, "invert slab.toml --overwrite --output out", &short).succeeds();
    assert_eq!(report(&path.join("out"))["result"]["converged"], false);
}
