//! What comes from where: files, variables, arguments; ranks; what is shown.

use super::*;

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
