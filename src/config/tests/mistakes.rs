//! Keys and values that are refused, and what is said of them.

use super::*;

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
fn a_key_of_a_list_is_suggested_with_its_number() {
    let text = message("", &[("source.time", "0.6")]);
    assert!(text.contains("did you mean `source.0.time`?"), "{text}");
    let text = message(CASE, &[("source.1.tme", "0.6")]);
    assert!(text.contains("did you mean `source.1.time`?"), "{text}");
}

/// Bug: `fk.model` was suggested.
#[test]
fn the_mode_of_gradients_is_suggested_where_it_is() {
    for key in ["gradient.mode", "gradient.method"] {
        let text = message(CASE, &[(key, "adjoint")]);
        assert!(
            text.contains("did you mean `inversion.gradient`?"),
            "{text}"
        );
    }
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
            "case.toml:4: inversion.twin.gamma: has 1 value for 2 domains",
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
fn a_file_of_domains_goes_with_file_alone() {
    let file = "file = { file = \"d.h5\" }\n";
    for method in ["single", "tags", "metis"] {
        let count = if method == "metis" { "count = 3\n" } else { "" };
        let text = message(
            &format!("[domains]\nmethod = \"{method}\"\n{count}{file}"),
            &[],
        );
        let both = ["domains.file", &format!("domains.method = \"{method}\"")];
        assert!(both.iter().all(|key| text.contains(key)), "{text}");
    }
    let text = message(&format!("[domains]\ncount = 3\n{file}"), &[]);
    assert!(
        text.contains("domains.count") && text.contains("domains.file"),
        "{text}"
    );
    load_text(&format!("[domains]\n{file}"), &[]).unwrap();
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

#[test]
fn a_level_that_this_machine_has_can_be_pinned() {
    use crate::simd::SimdLevel;
    // The level of the process is left as it is: other tests of it run beside this one.
    assert!(SimdChoice::Auto.pin().is_ok());
    let best = SimdLevel::best();
    if best != SimdLevel::Avx512 {
        let error = SimdChoice::Avx512.pin().unwrap_err();
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains(best.name()), "{error}");
    }
}
