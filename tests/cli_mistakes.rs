//! Mistakes that are easily made in the configurations of the tutorials: each is refused, and the
//! error names the key and what would be right.

mod command;

use std::path::Path;

/// As in the tutorial "Activation of a ventricle".
const HEART: &str = r#"[mesh]
generate = { kind = "biventricle", edge = 5 }
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }
[[source]]
sphere = { centre = [-18.3, 0.0, -20.0], radius = 5.0 }
[[source]]
point = [-51.9, 0.0, -20.0]
time = 5.0
"#;

/// As in the tutorial "A scar found from surface data", after that.
const SCAR: &str = r#"[domains]
count = 4
[inversion]
optimizer = "levenberg-marquardt"
twin = { gamma = [1, 1, 0.5, 1] }
stop = { step = 1e-6, iterations = 50 }
"#;

/// As in the tutorial "A spiral wave and its tip".
const SPIRAL: &str = r#"[fk]
parameters = "1A"
grid = { shape = [40, 40], spacing = 0.3 }
diffusivity = 0.1
dt = 0.05
duration = 5
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.05 }
duration = 2
[fk.record]
frames_every = 1
activations = 2
probes = [[3.0, 3.0]]
"#;

/// Wrong: `old` of the tutorial replaced by `new`, or where `old` is empty `new` added. The error
/// has the exit code and all words.
struct Mistake {
    old: &'static str,
    new: &'static str,
    code: i32,
    words: &'static [&'static str],
}

const fn wrong(old: &'static str, new: &'static str, words: &'static [&'static str]) -> Mistake {
    let code = 65;
    Mistake {
        old,
        new,
        code,
        words,
    }
}

const fn missing(old: &'static str, new: &'static str, words: &'static [&'static str]) -> Mistake {
    let code = 66;
    Mistake {
        old,
        new,
        code,
        words,
    }
}

#[track_caller]
fn refused(folder: &Path, command: &str, files: &[(&str, &str)], mistakes: &[Mistake]) {
    for mistake in mistakes {
        let mut arguments = vec![command, "-q", "--output", "out"];
        let mut changed = 0;
        for (name, text) in files {
            let mut text = text.to_string();
            if mistake.old.is_empty() {
                // The last file ends with it.
                if *name == files[files.len() - 1].0 {
                    text = format!("{text}{}\n", mistake.new);
                    changed += 1;
                }
            } else if text.contains(mistake.old) {
                text = text.replacen(mistake.old, mistake.new, 1);
                changed += 1;
            }
            command::put(folder, name, &text);
            arguments.push(name);
        }
        assert_eq!(changed, 1, "{:?}", mistake.old);
        let outcome = command::run(folder, 1, &arguments);
        println!(
            "{} → {}\n    {}",
            mistake.old,
            mistake.new,
            outcome.stderr.trim()
        );
        outcome.fails(mistake.code, mistake.words);
        command::assert_no_results(&folder.join("out"));
    }
}

#[test]
fn of_the_activation_of_a_ventricle() {
    let folder = tempfile::tempdir().unwrap();
    let speed = "speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }";
    let ball = "sphere = { centre = [-18.3, 0.0, -20.0], radius = 5.0 }";
    let point = "point = [-51.9, 0.0, -20.0]";
    let mesh = "generate = { kind = \"biventricle\", edge = 5 }";
    let mistakes = [
        wrong(
            "speed =",
            "sped =",
            &["heart.toml:4", "conduction.sped", "`conduction.speed`"],
        ),
        wrong(
            "[conduction]",
            "[conductions]",
            &["heart.toml:3", "conductions", "`conduction`"],
        ),
        wrong(
            "fibre = 0.6",
            "fiber = 0.6",
            &["speed.fiber", "`conduction.speed.fibre`"],
        ),
        wrong(
            "fibre = 0.6",
            "fibre = -0.6",
            &["conduction.speed.fibre", "positive number"],
        ),
        wrong(
            "fibre = 0.6",
            "fibre = \"0.6\"",
            &["conduction.speed.fibre", "positive number"],
        ),
        wrong("fibre = 0.6", "fibre = 0,6", &["heart.toml", "line 4"]),
        wrong(
            ", normal = 0.2",
            "",
            &["conduction.speed.normal", "missing"],
        ),
        wrong(speed, "speed = 0", &["conduction.speed", "positive number"]),
        wrong(
            speed,
            "speed = [0.6, 0.4, 0.2]",
            &["conduction.speed", "table of fibre, sheet, normal"],
        ),
        wrong(speed, "speed = fast", &["heart.toml", "line 4"]),
        wrong(
            "biventricle",
            "biventricel",
            &["mesh.generate.kind", "\"biventricle\""],
        ),
        wrong(
            "edge = 5",
            "edge = 0",
            &["mesh.generate.edge", "positive number"],
        ),
        wrong("edge = 5", "edge = 50", &["mesh.generate.edge", "or less"]),
        wrong(", edge = 5", "", &["mesh.generate.edge", "missing"]),
        wrong(
            "edge = 5",
            "edge = 5, size = [1, 1, 1]",
            &["mesh.generate.size", "its keys are"],
        ),
        missing(
            mesh,
            "file = \"heart.h5\"",
            &["heart.h5", "mesh.file", "heart.toml:2"],
        ),
        wrong(
            mesh,
            "file = \"heart.toml\"",
            &["heart.toml", "mesh format", ".vtu"],
        ),
        wrong(
            mesh,
            "file = \"heart.h5\"\ngenerate = { kind = \"slab\", edge = 1 }",
            &["mesh.file", "mesh.generate"],
        ),
        wrong(mesh, "", &["heart.toml:1", "mesh", "`file`, `generate`"]),
        wrong(
            "[conduction]",
            "unit = \"mmm\"\n[conduction]",
            &["mesh.unit", "\"mm\""],
        ),
        wrong(
            ball,
            "vertices = [999999]",
            &["source.0.vertices", "999999", "numbered from 0 to"],
        ),
        wrong(
            ball,
            "vertices = [-1]",
            &["source.0.vertices", "at least 0"],
        ),
        wrong(
            ball,
            "vertices = []",
            &["source.0.vertices", "give the numbers"],
        ),
        wrong(
            ball,
            "vertices = 5",
            &["source.0.vertices", "expected a list"],
        ),
        wrong(
            ball,
            "vertex = [5]",
            &["source.0.vertex", "`source.0.vertices`"],
        ),
        wrong(
            ball,
            "vertices = [1]\npoint = [0, 0, 0]",
            &["source.0", "exactly one of"],
        ),
        wrong(
            ball,
            "time = 1",
            &["source.0", "vertices", "point", "sphere"],
        ),
        wrong(
            "radius = 5.0",
            "radius = -5.0",
            &["source.0.sphere.radius", "positive number"],
        ),
        wrong(
            "centre = [-18.3",
            "center = [-18.3",
            &["sphere.center", "`source.0.sphere.centre`"],
        ),
        wrong(
            "[-18.3, 0.0",
            "[500.0, 0.0",
            &["source.0.sphere", "enlarge the radius"],
        ),
        wrong(
            ball,
            "tag = 77",
            &["source.0.tag", "77", "the mesh has tags 1, 2"],
        ),
        wrong(
            point,
            "point = [-51.9, 0.0]",
            &["source.1.point", "three numbers"],
        ),
        wrong(
            "time = 5.0",
            "time = \"5 ms\"",
            &["source.1.time", "expected a number"],
        ),
        wrong(
            "",
            "[eikonal]\nprecision = \"double\"",
            &["eikonal.precision", "\"f64\""],
        ),
        wrong(
            "",
            "[domains]\ngamma = [1, 2]",
            &["domains.gamma", "2 values for 1 domain"],
        ),
        wrong(
            "",
            "[domains]\nmethod = \"metis\"",
            &["domains.method", "domains.count"],
        ),
        wrong(
            "",
            "[domains]\ncount = 1000000",
            &["domains.count", "at most as many domains as tetrahedra"],
        ),
        wrong(
            "",
            "[results]\nfolder = \"x\"",
            &["heart.toml:10", "results", "the sections are"],
        ),
        wrong("", "[run]\ndevice = \"gpu\"", &["run.device", "\"cuda\""]),
        wrong("", "[run]\nthreads = 0", &["run.threads", "at least 1"]),
    ];
    refused(
        folder.path(),
        "eikonal",
        &[("heart.toml", HEART)],
        &mistakes,
    );
}

#[test]
fn of_a_scar_found_from_surface_data() {
    let folder = tempfile::tempdir().unwrap();
    let twin = "twin = { gamma = [1, 1, 0.5, 1] }";
    let stop = "stop = { step = 1e-6, iterations = 50 }";
    let mistakes = [
        wrong(
            "levenberg-marquardt",
            "levenberg",
            &["scar.toml:4", "inversion.optimizer", "\"bfgs\""],
        ),
        wrong(
            "optimizer",
            "optimiser",
            &["inversion.optimiser", "`inversion.optimizer`"],
        ),
        wrong(
            "[1, 1, 0.5, 1]",
            "[1, 1, 0.5]",
            &["inversion.twin.gamma", "3 values for 4 domains"],
        ),
        wrong(
            "[1, 1, 0.5, 1]",
            "[1, 1, 0, 1]",
            &["inversion.twin.gamma", "item 2", "positive number"],
        ),
        wrong(
            "0.5, 1] }",
            "0.5, 1], noise_ms = -2 }",
            &["inversion.twin.noise_ms", "non-negative"],
        ),
        wrong(
            "step = 1e-6",
            "steps = 1e-6",
            &["inversion.stop.steps", "`inversion.stop.step`"],
        ),
        wrong(
            "iterations = 50",
            "iterations = 0.5",
            &["inversion.stop.iterations", "whole number"],
        ),
        wrong(stop, "stop = 1e-6", &["inversion.stop", "table of"]),
        wrong(twin, "", &["inversion.measured", "inversion.twin"]),
        missing(
            twin,
            "measured = { file = \"times.h5\", dataset = \"/times\" }",
            &["times.h5", "inversion.measured.file", "scar.toml:5"],
        ),
        wrong(
            twin,
            "measured = \"times.h5\"",
            &["inversion.measured", "table of"],
        ),
        wrong(
            twin,
            "twin = { gamma = [1, 1, 0.5, 1] }\nvertices = \"epicardium\"",
            &["inversion.vertices", "\"surface\""],
        ),
        wrong(
            twin,
            "twin = { gamma = [1, 1, 0.5, 1] }\nvertices = { points = [[900, 0, 0]] }",
            &[
                "inversion.vertices.points",
                "point 0",
                "move it into the mesh",
            ],
        ),
        wrong(
            twin,
            "twin = { gamma = [1, 1, 0.5, 1] }\ninitial = 2",
            &["inversion.initial", "`inversion.initial_gamma`"],
        ),
        wrong("count = 4", "count = 0", &["domains.count", "at least 1"]),
    ];
    let files = [("heart.toml", HEART), ("scar.toml", SCAR)];
    refused(folder.path(), "invert", &files, &mistakes);
}

#[test]
fn of_a_spiral_wave() {
    let folder = tempfile::tempdir().unwrap();
    let region = "region = { half = \"west\", coverage = 0.05 }";
    let mistakes = [
        wrong(
            "\"1A\"",
            "\"11\"",
            &["spiral.toml:2", "fk.parameters", "1A, 1B"],
        ),
        wrong(
            "dt = 0.05",
            "dt = 0.5",
            &["fk.dt", "unstable", "set fk.dt to"],
        ),
        wrong("dt = 0.05", "dt = 0", &["fk.dt", "positive number"]),
        wrong("duration = 5", "time = 5", &["fk.time", "`fk.duration`"]),
        wrong(
            "duration = 5\n",
            "duration = -5\n",
            &["fk.duration", "positive number"],
        ),
        wrong(
            "diffusivity = 0.1",
            "diffusivity = -0.1",
            &["fk.diffusivity", "positive number"],
        ),
        wrong(
            "diffusivity = 0.1",
            "diffusivity = [0.1, 0.2]",
            &["fk.diffusivity", "table of"],
        ),
        wrong(
            "shape = [40, 40]",
            "shape = 40",
            &["fk.grid.shape", "expected a list"],
        ),
        wrong(
            "shape = [40, 40]",
            "shape = [0, 40]",
            &["fk.grid.shape", "at least 1"],
        ),
        wrong(
            "shape = [40, 40]",
            "shape = [40]",
            &["fk.record.probes", "1 axes"],
        ),
        wrong("shape = [40, 40], ", "", &["fk.grid", "shape", "mesh"]),
        wrong(", spacing = 0.3", "", &["fk.grid", "spacing = 0.25"]),
        wrong(", spacing = 0.3", ", dx = 0.3", &["fk.grid.dx", "spacing"]),
        wrong(
            "\"west\"",
            "\"left\"",
            &["fk.stimulus.0.region.half", "\"west\""],
        ),
        wrong(
            "coverage = 0.05",
            "coverage = 5",
            &["fk.stimulus.0.region.coverage", "up to 1"],
        ),
        wrong("half = ", "side = ", &["fk.stimulus.0.region.side", "half"]),
        wrong(
            region,
            "region = { sphere = { centre = [100, 100], radius = 1 } }",
            &["fk.stimulus.0.region", "the grid spans"],
        ),
        wrong(
            "kind = \"current\"",
            "kind = \"volts\"",
            &["fk.stimulus.0.kind", "\"voltage\""],
        ),
        wrong("duration = 2\n", "", &["fk.stimulus.0.duration", "missing"]),
        wrong(
            "[[fk.stimulus]]",
            "[fk.stimulus]",
            &["fk.stimulus", "[[fk.stimulus]]"],
        ),
        wrong(
            "frames_every = 1",
            "frames_every = 0",
            &["fk.record.frames_every", "positive number"],
        ),
        wrong(
            "frames_every = 1",
            "frame_every = 1",
            &["fk.record.frame_every", "`fk.record.frames_every`"],
        ),
        wrong(
            "probes = [[3.0, 3.0]]",
            "probes = [3.0, 3.0]",
            &["fk.record.probes", "a list"],
        ),
        wrong(
            "probes = [[3.0, 3.0]]",
            "probes = [[500.0, 3.0]]",
            &["fk.record.probes", "the grid spans x from 0 to 12 mm"],
        ),
        wrong("", "tip = \"yes\"", &["fk.record.tip", "true or false"]),
        wrong(
            "dt = 0.05",
            "dt = 0.05\nintegrator = \"rk4\"",
            &["fk.integrator", "\"rush-larsen\""],
        ),
        missing(
            "dt = 0.05",
            "dt = 0.05\nmask = { file = \"scar.h5\", dataset = \"m\" }",
            &["scar.h5", "fk.mask.file", "spiral.toml:6"],
        ),
    ];
    refused(folder.path(), "fk", &[("spiral.toml", SPIRAL)], &mistakes);
}

/// A command that the configuration is not for.
#[test]
fn of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    command::put(path, "heart.toml", HEART);
    command::put(path, "spiral.toml", SPIRAL);
    command::run(path, 1, &["fk", "heart.toml"]).fails(65, &["fk.grid", "shape"]);
    command::run(path, 1, &["eikonal", "spiral.toml"]).fails(65, &["mesh.file", "mesh.generate"]);
    command::run(path, 1, &["invert", "heart.toml"])
        .fails(65, &["inversion.measured", "inversion.twin"]);
}
