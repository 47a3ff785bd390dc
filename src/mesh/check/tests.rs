//! Findings, what is mended, and what is refused.

use super::*;
use crate::mesh::Field;

fn sound() -> TetMesh {
    let points = vec![
        [0.0; 3],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0; 3],
    ];
    let mut mesh = TetMesh::new(points, vec![[0, 1, 2, 3], [1, 4, 2, 3]]);
    mesh.tags = vec![7, 9];
    mesh.fibres = Some(vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    mesh.sheets = Some(vec![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    let values = vec![0.0, 1.0, 2.0, 3.0, 4.0];
    mesh.point_fields.insert(
        "phi".into(),
        Field {
            components: 1,
            values,
        },
    );
    mesh
}

fn counts(mesh: &TetMesh) -> Vec<(bool, &'static str, usize)> {
    (check(mesh).iter())
        .map(|f| (f.is_error, f.what, f.count))
        .collect()
}

#[test]
fn a_sound_mesh_has_no_findings_and_stays() {
    assert_eq!(check(&sound()), []);
    assert_eq!(fix(&sound()).unwrap(), sound());
    validate(&sound()).unwrap();
    validate_fibres(&sound()).unwrap();
}

#[test]
fn every_defect_is_counted_and_mended() {
    let mut mesh = sound();
    // Point 5 repeats 4; tetrahedron 1 uses it and is inverted; 2 repeats 0; 3 is flat; 6 is lonely.
    mesh.points.extend([[1.0; 3], [9.0; 3]]);
    mesh.tetrahedra[1] = [1, 5, 3, 2];
    mesh.tetrahedra.extend([[3, 2, 1, 0], [0, 1, 2, 1]]);
    mesh.tags.extend([0, 0]);
    mesh.fibres.as_mut().unwrap()[0] = [2.0, 0.0, 0.0];
    mesh.fibres.as_mut().unwrap().extend([[1.0, 0.0, 0.0]; 2]);
    mesh.sheets.as_mut().unwrap()[1] = [0.0, 0.6, 0.8];
    mesh.sheets.as_mut().unwrap().extend([[0.0, 1.0, 0.0]; 2]);
    mesh.point_fields
        .get_mut("phi")
        .unwrap()
        .values
        .extend([5.0, 6.0]);
    assert_eq!(
        counts(&mesh),
        [
            (true, "degenerate tetrahedra (no volume)", 1),
            (false, "fibres that are not unit vectors", 1),
            (false, "sheets that are not orthogonal to their fibres", 1),
            (false, "inverted tetrahedra (negative volume)", 1),
            (false, "faces shared by more than two tetrahedra", 2),
            (false, "tetrahedra that repeat another", 1),
            (false, "duplicated points", 1),
            (false, "points of no tetrahedron", 2),
        ]
    );
    assert!(
        validate(&mesh)
            .unwrap_err()
            .to_string()
            .contains("tetrahedron 3")
    );
    let mended = fix(&mesh).unwrap();
    assert_eq!(check(&mended), []);
    assert_eq!(mended.tetrahedra, [[0, 1, 2, 3], [1, 4, 2, 3]]);
    assert_eq!(mended, sound());
}

#[test]
fn what_cannot_be_mended_remains_an_error() {
    let mut mesh = sound();
    mesh.fibres.as_mut().unwrap()[1] = [0.0, f64::NAN, 0.0];
    mesh.velocity_tensor = Some(vec![
        [1.0, 0.0, 0.0, 1.0, 0.0, 1.0],
        [1.0, 2.0, 0.0, 1.0, 0.0, 1.0],
    ]);
    let expected = [
        (
            true,
            "velocity tensors that are not symmetric positive definite",
            1,
        ),
        (true, "tetrahedra without a fibre (zero or not finite)", 1),
    ];
    assert_eq!(counts(&mesh), expected);
    assert_eq!(counts(&fix(&mesh).unwrap()), expected);
    assert!(
        validate(&mesh)
            .unwrap_err()
            .to_string()
            .contains("velocity tensor 1")
    );
    assert!(
        validate_fibres(&mesh)
            .unwrap_err()
            .to_string()
            .contains("tetrahedron 1")
    );
}

#[test]
fn wrong_indices_points_and_lengths_are_refused() {
    let mut mesh = sound();
    mesh.tetrahedra[1][2] = 17;
    assert_eq!(
        counts(&mesh)[0],
        (true, "tetrahedra with vertices that are no points", 1)
    );
    assert!(validate(&mesh).unwrap_err().to_string().contains("17"));
    let mut mesh = sound();
    mesh.points[4][1] = f64::NAN;
    assert!(counts(&mesh).contains(&(true, "points that are not finite or beyond 1e90 mm", 1)));
    assert!(validate(&mesh).unwrap_err().to_string().contains("point 4"));
    mesh.points[4][1] = 1e300;
    assert!(validate(&mesh).unwrap_err().to_string().contains("point 4"));
    let mut mesh = sound();
    mesh.domains = Some(vec![0]);
    assert!(validate(&mesh).unwrap_err().to_string().contains("domains"));
}

#[test]
fn islands_are_named() {
    let mut mesh = sound();
    let away = mesh.points[..4]
        .iter()
        .map(|p| p.map(|x| x + 10.0))
        .collect::<Vec<_>>();
    mesh.points.extend(away);
    mesh.tetrahedra.push([5, 6, 7, 8]);
    mesh.tags.push(0);
    (mesh.fibres, mesh.sheets) = (None, None);
    let findings = check(&mesh);
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].what, "no fibres");
    assert_eq!(findings[1].first, ["1 tetrahedra at vertex 5"]);
}

#[test]
fn a_mesh_without_fibres_and_slivers_are_warned_of() {
    let mut mesh = sound();
    // Flattened onto the right triangle below.
    mesh.points[3] = [0.1, 0.1, 0.02];
    mesh.tetrahedra.truncate(1);
    mesh.tags.truncate(1);
    (mesh.fibres, mesh.sheets) = (None, None);
    mesh.points.truncate(4);
    mesh.point_fields.clear();
    let expected = [
        (false, "no fibres", 1),
        (
            false,
            "slivers (a dihedral angle below 5° or a mean ratio below 0.1)",
            1,
        ),
    ];
    assert_eq!(counts(&mesh), expected);
    // At the hypotenuse: height 0.02 over the distance 0.8 / √2.
    let angle = (0.02 * 2f64.sqrt() / 0.8).atan().to_degrees();
    let first = &check(&mesh)[1].first[0];
    assert!(first.starts_with(&format!("0 ({angle:.2}°")), "{first}");
    assert!(
        check(&mesh)[0]
            .to_string()
            .starts_with("warning  no fibres\n")
    );
}

#[test]
fn nothing_is_mended_where_a_hole_would_be_torn() {
    let mut mesh = sound();
    mesh.points[4][1] = f64::NAN;
    let said = fix(&mesh).unwrap_err().to_string();
    assert!(
        said.contains("tetrahedron 1") && said.contains("coordinates"),
        "{said}"
    );
    assert!(
        !(check(&mesh).iter()).any(|f| f.what.starts_with("degenerate")),
        "--fix is offered for points that it cannot mend"
    );
    let mut mesh = sound();
    mesh.tetrahedra[0][2] = 17;
    let said = fix(&mesh).unwrap_err().to_string();
    assert!(
        said.contains("tetrahedron 0") && said.contains("no point"),
        "{said}"
    );
}
