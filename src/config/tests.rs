//! Layers, origins and errors of the configuration.

use std::path::PathBuf;

use super::*;
use crate::comm::threads;
use crate::eikonal::options::Precision;
use crate::inversion::options::{GammaInput, NamedVertices, Optimizer, Where};
use crate::mesh::generate::Generator;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn inputs(files: &[PathBuf], sets: &[(&str, &str)]) -> Inputs {
    Inputs {
        files: files.to_vec(),
        environment: Vec::new(),
        arguments: sets
            .iter()
            .map(|(key, value)| Argument {
                option: "--set".into(),
                key: (*key).into(),
                value: (*value).into(),
            })
            .collect(),
    }
}

const CASE: &str = r#"# a case
[mesh]
file = "heart.h5"
unit = "mm"
[[source]]
vertices = [0, 7]
time = 1
[[source]]
point = [1, 2.5, 3]
[domains]
count = 3
gamma = [1.0, 0.5, 2]
"#;

fn load_text(text: &str, sets: &[(&str, &str)]) -> Result<Case> {
    let folder = Folder::new();
    let file = folder.file("case.toml", text);
    load(&inputs(&[file], sets))
}

fn message(text: &str, sets: &[(&str, &str)]) -> String {
    let error = load_text(text, sets).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    error.to_string()
}

#[test]
fn a_case_is_read_with_its_defaults() {
    let folder = Folder::new();
    let case = load(&inputs(&[folder.file("case.toml", CASE)], &[])).unwrap();
    let file = std::path::absolute(folder.0.path().join("heart.h5")).unwrap();
    assert_eq!(case.mesh().unwrap().origin, MeshOrigin::File(file));
    let sources = case.sources().unwrap();
    assert_eq!(sources[0].place, Place::Vertices(vec![0, 7]));
    assert_eq!(sources[0].time, 1.0);
    assert_eq!(sources[1].place, Place::Point([1.0, 2.5, 3.0]));
    assert_eq!(sources[1].time, 0.0);
    assert_eq!(case.domains.division(), Division::Metis(3));
    assert_eq!(case.domains.gamma.expand(3), Some(vec![1.0, 0.5, 2.0]));
    assert_eq!(case.eikonal, EikonalOptions::default());
    assert_eq!(case.inversion, InversionOptions::default());
    assert_eq!(case.conduction.speed, None);
}

#[test]
fn later_layers_win_and_origins_say_which() {
    let folder = Folder::new();
    let first = folder.file("first.toml", CASE);
    let second = folder.file(
        "second.toml",
        "[eikonal]\nprecision = \"f32\"\n[inversion.stop]\nmisfit = 1e-3\nstep = 1e-4\n",
    );
    let mut given = inputs(&[first, second], &[("inversion.stop.step", "1e-6")]);
    given.environment = vec![
        ("ISOCHRONE_INVERSION__STOP__MISFIT".into(), "0.5".into()),
        ("ISOCHRONE_INVERSION__STOP__STEP".into(), "0.7".into()),
        ("ISOCHRONE_SOURCE__0__TIME".into(), "4".into()),
        ("ISOCHRONE_HOME".into(), "not ours".into()),
        ("PATH".into(), "/bin".into()),
    ];
    let case = load(&given).unwrap();
    assert_eq!(case.eikonal.precision, Precision::F32);
    assert_eq!(case.inversion.stop.misfit, 0.5);
    assert_eq!(case.inversion.stop.step, 1e-6);
    assert_eq!(case.inversion.stop.iterations, 100);
    assert_eq!(case.sources().unwrap()[0].time, 4.0);
    let origin = |key: &str| case.origins.of(key).to_string();
    assert!(origin("eikonal.precision").ends_with("second.toml:2"));
    assert!(origin("mesh.file").ends_with("first.toml:3"));
    assert_eq!(
        origin("inversion.stop.misfit"),
        "ISOCHRONE_INVERSION__STOP__MISFIT"
    );
    assert_eq!(origin("inversion.stop.step"), "--set");
    assert_eq!(origin("inversion.stop.iterations"), "default");
    assert!(origin("source.1").ends_with("first.toml:9"));
}

#[test]
fn arguments_are_toml_or_strings_and_number_list_items() {
    let sets = [
        ("source.0.time", "3"),
        ("source.2.tag", "5"),
        ("inversion.stop", "{ misfit = 1e-10, iterations = 40 }"),
        ("inversion.optimizer", "levenberg-marquardt"),
        ("mesh.file", "other.vtu"),
        ("domains.gamma", "2"),
        ("inversion.vertices", "surface"),
    ];
    let case = load_text(CASE, &sets).unwrap();
    let sources = case.sources().unwrap();
    assert_eq!(sources.len(), 3);
    assert_eq!(sources[0].time, 3.0);
    assert_eq!(sources[2].place, Place::Tag(5));
    assert_eq!(case.inversion.stop.misfit, 1e-10);
    assert_eq!(case.inversion.stop.iterations, 40);
    assert_eq!(case.inversion.stop.gradient_norm, 1e-9);
    assert_eq!(case.inversion.optimizer, Optimizer::LevenbergMarquardt);
    assert_eq!(
        case.inversion.vertices,
        Where::Named(NamedVertices::Surface)
    );
    let here = std::env::current_dir().unwrap().join("other.vtu");
    assert_eq!(case.mesh().unwrap().origin, MeshOrigin::File(here));
    assert_eq!(case.domains.gamma, GammaInput::Uniform(2.0));
}

#[test]
fn a_later_choice_displaces_an_earlier_one() {
    let case = load_text(
        CASE,
        &[
            (
                "mesh.generate",
                "{ kind = \"slab\", edge = 1, size = [4, 4, 2] }",
            ),
            ("source.0.sphere", "{ centre = [0, 0, 0], radius = 1 }"),
            ("inversion.twin.gamma", "[1, 1, 1]"),
            ("inversion.measured.file", "m.h5"),
        ],
    )
    .unwrap();
    assert!(matches!(
        &case.mesh().unwrap().origin,
        MeshOrigin::Generate(Generator::Slab { edge, .. }) if *edge == 1.0
    ));
    let sources = case.sources().unwrap();
    assert!(matches!(&sources[0].place, Place::Sphere(ball) if ball.radius == 1.0));
    assert_eq!(sources[0].time, 1.0);
    assert!(case.inversion.twin.is_none() && case.inversion.measured.is_some());
    // A list in a later layer replaces the earlier list.
    let case = load_text(CASE, &[("source", "[{ tag = 2 }]")]).unwrap();
    assert_eq!(case.sources().unwrap().len(), 1);
    assert_eq!(case.sources().unwrap()[0].place, Place::Tag(2));
    // A number displaces a table and the other way round.
    let speeds = "[conduction]\nspeed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }\n";
    let case = load_text(speeds, &[("conduction.speed", "0.5")]).unwrap();
    assert_eq!(case.conduction.speed, Some(Speed::Isotropic(0.5)));
    let points = "[inversion]\nvertices = { file = \"v.h5\", dataset = \"/v\" }\n";
    let case = load_text(points, &[("inversion.vertices.points", "[[0, 0, 1]]")]).unwrap();
    let points = vec![[0.0, 0.0, 1.0]];
    assert_eq!(case.inversion.vertices, Where::Points { points });
}

#[test]
fn unknown_keys_name_the_line_and_the_likeliest_key() {
    let text = format!("{CASE}[eikonal]\nprecison = \"f64\"\n");
    let said = message(&text, &[]);
    assert!(
        said.contains("case.toml:14: eikonal.precison: unknown key"),
        "{said}"
    );
    assert!(said.contains("`eikonal.precision`"), "{said}");
    let said = message("[eikonl]\nprecision = \"f64\"\n", &[]);
    assert!(
        said.contains("case.toml:1") && said.contains("`eikonal`"),
        "{said}"
    );
    let said = message("[eikonal]\noptimizer = \"bfgs\"\n", &[]);
    assert!(said.contains("`inversion.optimizer`"), "{said}");
    let said = message("[[source]]\ntag = 1\n[[source]]\nvertces = [1]\n", &[]);
    assert!(said.contains("case.toml:4: source.1.vertces"), "{said}");
    assert!(said.contains("`source.1.vertices`"), "{said}");
    let said = message(CASE, &[("eikonal.zzz", "1")]);
    assert!(said.contains("--set: eikonal.zzz"), "{said}");
    assert!(said.contains("precision, bucket_width"), "{said}");
    let said = message(CASE, &[("mesh.generate", "{ kind = \"slab\", edg = 1 }")]);
    assert!(said.contains("`mesh.generate.edge`"), "{said}");

    let mut given = inputs(&[], &[]);
    given.environment = vec![("ISOCHRONE_EIKONAL__PRECISON".into(), "f64".into())];
    let error = load(&given).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    let said = error.to_string();
    assert!(said.starts_with("ISOCHRONE_EIKONAL__PRECISON: "), "{said}");
    assert!(said.contains("`eikonal.precision`"), "{said}");
}

#[test]
fn wrong_types_and_ranges_name_what_was_expected() {
    let said = message("[mesh]\nfile = \"a.h5\"\n[eikonal]\nprecision = 3\n", &[]);
    assert!(
        said.contains("case.toml:4: eikonal.precision: is the integer 3"),
        "{said}"
    );
    assert!(said.contains("\"f32\" | \"f64\""), "{said}");
    for (key, value, expected) in [
        ("conduction.speed", "-1", "positive number"),
        ("conduction.speed", "nan", "positive number"),
        (
            "conduction.speed",
            "fast",
            "positive number, or a table of fibre",
        ),
        ("domains.gamma", "[1, 0, 1]", "item 1 is the integer 0"),
        ("domains.gamma", "inf", "positive number"),
        ("domains.count", "0", "at least 1"),
        ("domains.count", "1.5", "whole number"),
        ("source.0.time", "nan", "a number"),
        ("source.0.vertices", "[-1]", "item 0 is the integer -1"),
        ("source.0.point", "[1, 2]", "three numbers"),
        ("source", "3", "[[source]]"),
        ("mesh", "3", "a table of file"),
        ("mesh.file", "3", "a path"),
        ("gradient.check", "1", "true or false"),
        ("run.threads", "0", "at least 1"),
        ("inversion.stop.misfit", "-1", "non-negative"),
        ("inversion.optimizer", "newton", "\"gauss-newton\""),
        ("eikonal.precision", "2020-01-01", "f32"),
        ("source.0.tag", "99999999999", "to 2147483647"),
    ] {
        let said = message(CASE, &[(key, value)]);
        assert!(said.contains(expected), "{key} = {value}: {said}");
        assert!(said.contains(&format!("--set: {key}")), "{said}");
    }
    let said = message("[source]\nvertices = [0]\n", &[]);
    assert!(said.contains("[[source]]"), "{said}");
}

#[test]
fn contradictions_and_gaps_are_errors() {
    for (text, expected) in [
        (
            "[mesh]\nunit = \"mm\"\n",
            "exactly one of `file`, `generate`",
        ),
        (
            "[mesh]\nfile = \"a\"\ngenerate = { kind = \"slab\", edge = 1 }\n",
            "case.toml:3: mesh: both",
        ),
        ("[[source]]\ntime = 1\n", "case.toml:2: source.0: "),
        (
            "[[source]]\n",
            "exactly one of `vertices`, `point`, `sphere`, `tag`",
        ),
        (
            "[[source]]\ntag = 1\npoint = [0, 0, 0]\n",
            "both `source.0.point` and `source.0.tag`",
        ),
        (
            "[[source]]\nsphere = { radius = 1 }\n",
            "source.0.sphere.centre: is missing",
        ),
        (
            "[conduction]\nspeed = { fibre = 1 }\n",
            "conduction.speed.sheet: is missing",
        ),
        (
            "[mesh]\ngenerate = { edge = 1 }\n",
            "mesh.generate.kind: is missing",
        ),
        (
            "[inversion.twin]\nseed = 1\n",
            "inversion.twin.gamma: is missing",
        ),
        ("[domains]\nmethod = \"metis\"\n", "domains.count"),
        (
            "[domains]\ncount = 2\ngamma = [1, 1, 1]\n",
            "case.toml:3: domains.gamma: has 3 values",
        ),
        (
            "[domains]\ncount = 2\n[inversion]\ntwin = { gamma = [1] }\n",
            "case.toml:4: inversion.twin.gamma: has 1 values",
        ),
        ("[mesh]\ngenerate = { kind = \"slab\", edge = 1 }\n", "size"),
    ] {
        let said = message(text, &[]);
        assert!(said.contains(expected), "{text}: {said}");
    }
    let said = message(CASE, &[("source.5.time", "1")]);
    assert!(
        said.contains("source.5.time") && said.contains("the next one is 2"),
        "{said}"
    );
    for broken in ["[mesh\n", "a = 1\na = 2\n", "[mesh]\nfile = \n", "\u{0}"] {
        let said = message(broken, &[]);
        assert!(said.contains("case.toml: line "), "{broken}: {said}");
    }
}

#[test]
fn what_a_command_needs_is_asked_when_it_is_needed() {
    let empty = load(&Inputs::default()).unwrap();
    for (error, word) in [
        (empty.mesh().unwrap_err(), "mesh.generate"),
        (empty.sources().unwrap_err(), "source"),
        (empty.inversion().unwrap_err(), "inversion.twin"),
    ] {
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_missing_or_binary_file_has_its_exit_code() {
    let folder = Folder::new();
    let missing = load(&inputs(&[folder.0.path().join("no.toml")], &[])).unwrap_err();
    assert_eq!(missing.exit_code(), 66);
    let binary = folder.0.path().join("bin.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(load(&inputs(&[binary], &[])).unwrap_err().exit_code(), 65);
    let dir = load(&inputs(&[folder.0.path().to_owned()], &[])).unwrap_err();
    assert_eq!(dir.exit_code(), 74);
}

/// Uses every key of every section (but alternatives of one another).
const FULL: &str = r#"
[mesh]
generate = { kind = "slab", edge = 0.5, size = [4, 3, 2], fibre_angles = { endocardium = 50, epicardium = -40 } }
unit = "cm"
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }
[domains]
method = "file"
file = { file = "domains.h5", dataset = "/d" }
gamma = [0.1, 1e-7]
[[source]]
sphere = { centre = [1, 2, 3], radius = 0.3 }
time = 0.1
[[source]]
vertices = [3]
[[source]]
point = [0.1, 0.2, 0.3]
radius = 0.2
estimate = ["time", "point"]
[[source]]
tag = -4
[[source]]
file = "stimulus.vtx"
[output]
formats = ["vtkhdf", "dat"]
[eikonal]
precision = "f32"
bucket_width = 0.3
[gradient]
jacobian = true
tensor = true
check = true
[inversion]
twin = { gamma = [1.0, 0.2], noise_ms = 0.1, seed = 7, onsets = [0, 1, 2, 3, 4], scar = { centre = [1, 1, 1], radius = 0.5, gamma = 0.2 } }
noise_ms = 0.2
vertices = { points = [[0.1, 0.2, 0.3]] }
weights = { file = "w.h5", dataset = "/w" }
parameter = "gamma"
initial_gamma = [2.0, 3.0]
optimizer = "lbfgs"
initial_hessian = "diagonal"
gradient = "finite-differences"
stop = { misfit = 0.1, gradient_norm = 1e-3, step = 1e-4, iterations = 7 }
regularisation = { tikhonov = 0.3, neighbour_jump = 0.7, choose = "l-curve", sweep = { least = 0.1, most = 10, steps = 3 } }
refinement = { domains = 9 }
uncertainty = false
multistart = { starts = 2, log_range = 0.5, seed = 3 }
[fk]
model = "fenton-karma"
parameters = "1A"
grid = { shape = [20, 30, 40], spacing = [0.3, 0.2, 0.1] }
boundary = ["no-flux", "no-flux", "periodic"]
mask = { file = "mask.h5", dataset = "/mask" }
diffusivity = { fibre = 0.1, sheet = 0.05, normal = 0.02, direction = [1, 1, 0] }
stencil = "flux"
integrator = "rush-larsen"
precision = "f64"
dt = 0.02
duration = 100
initial = { file = "state.h5", group = "/fk" }
steps_per_exchange = 4
tile = [10, 10, 40]
largest_u = 5
bridge = { mesh = "heart.h5" }
[[fk.region]]
region = { box = { low = [0, 0, 0], high = [1, 1, 1.5] } }
parameters = { tau_v_plus = 10, tau_v1_minus = 9, tau_v2_minus = 9, tau_d = 0.3, tau_0 = 9, tau_r = 190, u_c = 0.13 }
[[fk.region]]
region = "all"
parameters = 3
gamma = 0.5
[[fk.hole]]
sphere = { centre = [1, 2, 3], radius = 0.5 }
[[fk.hole]]
box = [[0, 0, 0], [1, 1, 1]]
[[fk.stimulus]]
kind = "replace"
amplitude = 20
region = { half = "west", coverage = 0.1, angle = 0 }
timing = "plain"
start = 2
duration = 3
period = 10
[[fk.stimulus]]
kind = "voltage"
amplitude = 1
region = { file = "r.h5", dataset = "/r" }
start = 0.5
duration = 1.5
period = 300
count = 8
[fk.record]
frames_every = 5
frames = ["u", "v"]
activation_threshold = 0.3
activations = 10
apd_level = 0.9
probes = [[1, 2, 3]]
probes_every = 0.5
electrodes = [[10, 10, 30]]
ecg_every = 2
tip = true
tip_every = 3
tip_u = 0.4
tip_gate = 0.6
compression = 9
[checkpoint]
every_minutes = 10
every_ms = 500
keep = 3
[run]
threads = 3
device = "cpu"
simd = "avx2"
max_minutes = 2.5
"#;

/// A simulation without a mesh.
const FK: &str = r#"
[fk]
parameters = "3"
grid = { shape = [48, 64], spacing = 0.25 }
diffusivity = 0.1
duration = 10
[[fk.stimulus]]
kind = "replace"
amplitude = 1.5
region = { half = "west", coverage = 0.1, angle = 0 }
duration = 2
"#;

/// An S1-S2 protocol, which no stimulus may stand beside.
const CABLE: &str = r#"
[fk]
parameters = "3"
grid = { shape = [400], spacing = 0.1 }
diffusivity = 0.1
[fk.tune]
speed = 0.6
tolerance = 0.01
[fk.restitution]
s1_period = 400
s1_count = 5
s2 = [300, 250]
region = { half = "west", coverage = 0.1, angle = 0 }
amplitude = 0.5
duration = 2
[fk.record]
activation_threshold = 0.5
apd_level = 0.9
probes = [[10.0], [30.0]]
"#;

/// The keys of the generators that [`FULL`] cannot use beside its slab.
const HEART: &str = r#"
[mesh.generate]
kind = "biventricle"
edge = 1.5
left_ventricle = { radius = 18, length = 44.5, wall = 9, base = -1 }
right_ventricle = { wall = 4, width = 20 }
fibre_angles = { endocardium = 50, epicardium = -40 }
"#;

/// Every key of the schema can be written, and is one that the program's structs know.
#[test]
fn every_key_is_known_to_the_program() {
    let alternatives = [
        ("mesh.file", "\"a.h5\""),
        ("mesh.fibres", "\"f.vtk\""),
        ("conduction.speed", "0.6"),
        (
            "inversion.measured",
            "{ file = \"m.h5\", dataset = \"/m\" }",
        ),
        ("inversion.vertices", "surface"),
        (
            "inversion.vertices",
            "{ file = \"v.h5\", dataset = \"/v\" }",
        ),
        (
            "fk.grid",
            "{ mesh = \"heart.pts\", unit = \"um\", spacing = 0.3 }",
        ),
        ("fk.grid", "{ voxels = \"heart.h5\" }"),
        (
            "fk.parameters",
            "{ tau_v_plus = 10, tau_v1_minus = 9, tau_v2_minus = 9, tau_d = 0.3, tau_0 = 9, \
             tau_r = 190, u_c = 0.13 }",
        ),
        ("fk.region.0.region", "{ half = \"top\", coverage = 0.5 }"),
        (
            "fk.region.0.region",
            "{ sphere = { centre = [1, 1, 1], radius = 1 } }",
        ),
        (
            "fk.region.0.region",
            "{ file = \"r.h5\", dataset = \"/r\" }",
        ),
        ("fk.diffusivity", "0.1"),
        ("fk.diffusivity", "{ file = \"d.h5\", dataset = \"/d\" }"),
        ("fk.duration", "1"),
        ("fk.steps", "7"),
        ("fk.initial", "{ u = 0.1, v = 1 }"),
    ];
    let mesh = "{ mesh = \"heart.h5\", spacing = 0.3 }";
    let labels = ["{ domains = [0, 3] }", "{ tags = [-1] }"];
    let metis = FULL.replace("method = \"file\"", "method = \"metis\"\ncount = 2");
    let mut cases = vec![
        load_text(FULL, &[]),
        load_text(HEART, &[]),
        load_text(CABLE, &[]),
    ];
    let one_point = "[[source]]\npoint = [1, 2, 3]\n[inversion]\ntwin = { gamma = [1.0], points = [[1, 2, 3.5]] }\n";
    cases.push(load_text(one_point, &[("mesh.file", "\"a.h5\"")]));
    let range = ("fk.restitution.s2", "{ from = 160, to = 400, step = 10 }");
    cases.push(load_text(CABLE, &[range]));
    cases.extend(labels.iter().map(|region| {
        load_text(
            CABLE,
            &[
                ("fk.grid", mesh),
                ("fk.record.probes", "[[1, 1, 1], [2, 2, 2]]"),
                ("fk.restitution.region", region),
            ],
        )
    }));
    let regions = [
        "all",
        "{ box = [[0], [1]] }",
        "{ box = { low = [0], high = [1] } }",
        "{ sphere = { centre = [1], radius = 1 } }",
        "{ file = \"h.h5\", dataset = \"/h\" }",
    ];
    cases.extend(
        regions
            .iter()
            .map(|region| load_text(CABLE, &[("fk.restitution.region", region)])),
    );
    cases.push(load_text(&metis, &[]));
    cases.extend(alternatives.iter().map(|set| load_text(FULL, &[*set])));
    cases.extend(labels.iter().map(|region| {
        let sets = [
            ("fk.grid", mesh),
            ("fk.stimulus.0.region", region),
            ("fk.region.0.region", region),
            ("fk.hole.0", region),
        ];
        load_text(FULL, &sets)
    }));
    cases.push(load_text(
        FULL,
        &[
            (
                "fk.hole.0",
                "{ half = \"east\", coverage = 0.5, angle = 10 }",
            ),
            ("fk.hole.1", "{ file = \"h.h5\", dataset = \"/h\" }"),
            ("fk.stimulus.0.region", "{ box = [[0, 0, 0], [1, 1, 1]] }"),
            ("fk.stimulus.1.region", "all"),
            ("fk.region.0.region", "{ box = [[0, 0, 0], [1, 1, 1]] }"),
            (
                "fk.region.1.region",
                "{ half = \"west\", coverage = 0.1, angle = 5 }",
            ),
        ],
    ));
    cases.push(load_text(
        FULL,
        &[
            (
                "fk.hole.0",
                "{ box = { low = [0, 0, 0], high = [1, 1, 1] } }",
            ),
            (
                "fk.stimulus.0.region",
                "{ box = { low = [0, 0, 0], high = [1, 1, 1] } }",
            ),
            (
                "fk.stimulus.1.region",
                "{ sphere = { centre = [1, 1, 1], radius = 1 } }",
            ),
        ],
    ));
    let rule = "{ kind = \"laplace-dirichlet\", endocardium = 50, epicardium = -50, \
        sheet_endocardium = -90, sheet_epicardium = -80, axis = [0, 0, 1] }";
    cases.push(load_text(
        FULL,
        &[("mesh.file", "a.msh"), ("mesh.fibre_rule", rule)],
    ));
    let mut used = std::collections::BTreeSet::new();
    for case in cases {
        let keys = case.unwrap().origins.keys().into_iter();
        used.extend(keys.map(|key| {
            let path: Vec<String> = key.split('.').map(str::to_string).collect();
            SCHEMA.pattern(&path)
        }));
    }
    for (key, _) in SCHEMA.keys() {
        assert!(used.contains(&key), "{key} is used by no case of this test");
    }
}

#[test]
fn the_resolved_configuration_reads_back_as_the_same_case() {
    for text in [CASE, FULL, HEART, FK] {
        let case = load_text(text, &[]).unwrap();
        let again = load_text(case.to_toml(), &[]).unwrap();
        let without_origins = |mut case: Case| {
            case.origins = Origins::default();
            case
        };
        assert_eq!(without_origins(case), without_origins(again));
    }
}

#[test]
fn all_ranks_have_the_case_of_rank_0() {
    let folder = Folder::new();
    let file = folder.file("case.toml", FULL);
    let case = load(&inputs(std::slice::from_ref(&file), &[])).unwrap();
    let on_ranks = threads::run(3, |comm| {
        // Only rank 0 reads: the others are given nothing to read.
        let given = match comm.rank() {
            0 => inputs(std::slice::from_ref(&file), &[]),
            _ => Inputs::default(),
        };
        load_on_root(comm, &given, |_| Ok(())).unwrap()
    });
    assert_eq!(on_ranks, vec![case.clone(), case.clone(), case]);
    let errors = threads::run(2, |comm| {
        let given = inputs(std::slice::from_ref(&file), &[("eikonal.precison", "1")]);
        load_on_root(comm, &given, |_| Ok(())).unwrap_err()
    });
    for error in errors {
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains("eikonal.precision"));
    }
}

#[test]
fn every_choice_of_the_schema_is_one_of_the_program() {
    let mut tried = 0;
    for (key, k) in SCHEMA.keys() {
        let Kind::Choice(names) = k.kind else {
            continue;
        };
        for name in names {
            // A slab needs its size, the other kinds refuse it.
            let text = if key.starts_with("mesh.generate") && *name != "slab" {
                FULL.replace(", size = [4, 3, 2]", "")
            } else if *name == "metis" {
                FULL.replace("method = \"file\"", "count = 2")
            } else {
                FULL.to_string()
            };
            let key = key.replace('#', "0");
            // A tensor in 3D with a mask is not for the seed program's scheme.
            let text = match *name {
                "cardiax" => FK.to_string(),
                // Every side, on a bar in place of the cable.
                _ if key.starts_with("fk.restitution") => CABLE
                    .replace("[400]", "[9, 9, 400]")
                    .replace("[[10.0], [30.0]]", "[[10, 0.4, 0.4], [30, 0.4, 0.4]]"),
                _ => text,
            };
            // What goes with a band or the unit of a mesh.
            let (beside, value) = match key.as_str() {
                _ if key.ends_with(".half") => {
                    let region = key.trim_end_matches(".half");
                    (region.to_string(), "{ coverage = 0.5, half = \"west\" }")
                }
                "fk.grid.unit" => (
                    "fk.grid".to_string(),
                    "{ mesh = \"heart.h5\", spacing = 0.3 }",
                ),
                _ => ("domains.gamma".to_string(), "1"),
            };
            // One gamma for any number of domains.
            let case = load_text(
                &text,
                &[
                    ("domains.gamma", "1"),
                    ("inversion.initial_gamma", "1"),
                    ("inversion.measured.file", "m.h5"),
                    (&beside, value),
                    (&key, name),
                ],
            );
            assert!(case.is_ok(), "{key} = {name}: {}", case.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried >= 25, "{tried}");
}

#[test]
fn the_documentation_names_every_key() {
    let text = documentation();
    for section in SECTIONS {
        let name = section.name.replace(".#", "");
        assert!(text.contains(&format!("[{name}]")), "{name}");
        for key in section.keys {
            assert!(text.contains(key.doc), "{}", key.path);
        }
    }
    assert!(text.contains("default \"bfgs\""));
}

#[test]
fn show_prints_toml_with_origins() {
    let folder = Folder::new();
    let file = folder.file("case.toml", CASE);
    let merged = merge(&inputs(&[file], &[("eikonal.precision", "f32")])).unwrap();
    let text = merged.show();
    let line = |start: &str| {
        let mut lines = text.lines();
        lines.find(|l| l.starts_with(start)).unwrap().to_string()
    };
    assert!(line("precision = \"f32\"").ends_with("# --set"));
    assert!(line("stop.iterations = 100").ends_with("# default"));
    assert!(line("unit = \"mm\"").ends_with("case.toml:4"));
    assert!(line("point = [1, 2.5, 3]").ends_with("case.toml:9"));
    assert_eq!(text.matches("[[source]]").count(), 2);
    assert!(value::parse(&text).is_ok());
}

#[test]
fn named_files_are_checked() {
    let folder = Folder::new();
    let file = folder.file("case.toml", CASE);
    let case = load(&inputs(&[file], &[])).unwrap();
    let error = case.check_files(&["mesh"]).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    let text = error.to_string();
    assert!(
        text.contains("heart.h5") && text.contains("mesh.file"),
        "{text}"
    );
    assert!(case.check_files(&["domains", "fk"]).is_ok());
    folder.file("heart.h5", "");
    assert!(case.check_files(&["mesh"]).is_ok());
}

#[test]
fn a_variable_with_one_underscore_is_not_passed_over() {
    let folder = Folder::new();
    let with = |name: &str| {
        let mut given = inputs(&[folder.file("case.toml", CASE)], &[]);
        given.environment = vec![(name.into(), "1".into())];
        load(&given)
    };
    let error = with("ISOCHRONE_CONDUCTION_SPEED").unwrap_err();
    assert_eq!(error.exit_code(), 65);
    let text = error.to_string();
    assert!(text.contains("write ISOCHRONE_CONDUCTION__SPEED"), "{text}");
    for other in ["ISOCHRONE_SIMD", "ISOCHRONE_RUNNER", "ISOCHRONE_HOME"] {
        with(other).unwrap();
    }
}

#[test]
fn a_number_of_domains_goes_with_metis_alone() {
    for method in ["single", "tags", "file"] {
        let text = message(
            &format!("[domains]\nmethod = \"{method}\"\ncount = 3\n"),
            &[],
        );
        let both = ["domains.count", &format!("domains.method = \"{method}\"")];
        assert!(both.iter().all(|key| text.contains(key)), "{text}");
    }
    load_text("[domains]\nmethod = \"metis\"\ncount = 3\n", &[]).unwrap();
}

#[test]
fn a_list_of_gamma_for_an_undivided_mesh_hints_at_its_domains() {
    let text = message("[domains]\ngamma = [1, 2, 3]\n", &[]);
    assert!(text.contains("domains.method = \"file\""), "{text}");
    let text = message("[domains]\ncount = 2\ngamma = [1, 2, 3]\n", &[]);
    assert!(
        text.contains("3 values for 2") && !text.contains("file"),
        "{text}"
    );
}

#[test]
fn a_key_of_a_list_is_suggested_with_its_number() {
    let text = message("", &[("source.time", "0.6")]);
    assert!(text.contains("did you mean `source.0.time`?"), "{text}");
    let text = message(CASE, &[("source.1.tme", "0.6")]);
    assert!(text.contains("did you mean `source.1.time`?"), "{text}");
}

#[test]
fn keys_of_another_kind_of_mesh_are_named() {
    let slab = [
        ("mesh.generate.kind", "slab"),
        ("mesh.generate.edge", "1"),
        ("mesh.generate.left_ventricle.wall", "3"),
    ];
    let text = message("", &slab);
    assert!(
        text.contains("kind \"slab\" has no `left_ventricle`"),
        "{text}"
    );
    let text = message("", &slab[..2]);
    assert!(text.contains("mesh.generate.size: is missing"), "{text}");
}

#[test]
fn what_is_missing_comes_from_nowhere() {
    let case = load_text("", &[]).unwrap();
    for error in [
        case.mesh().unwrap_err(),
        case.sources().unwrap_err(),
        case.inversion().unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("no value given: "), "{error}");
    }
}

mod fk;
