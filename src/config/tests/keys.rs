//! The list of keys against the structs of the program and the documentation.

use super::*;

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
    let metis = FULL
        .replace("method = \"file\"", "method = \"metis\"\ncount = 2")
        .replace("file = { file = \"domains.h5\", dataset = \"/d\" }", "");
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
            } else if key == "domains.method" && *name != "file" {
                let count = if *name == "metis" { "count = 2" } else { "" };
                let file = "file = { file = \"domains.h5\", dataset = \"/d\" }";
                FULL.replace("method = \"file\"", count).replace(file, "")
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
