//! What is wrong with a mesh (`mesh check`), what can be mended, and what every run insists on.

use std::fmt;

use super::TetMesh;
use super::adjacency::{Components, EDGES};
use super::quality::{dihedral_angles, mean_ratio};
use super::surface::for_each_face;
use crate::error::{Error, Result};
use crate::tensor::{Vec3, VelocityTensor, dot, norm, sub};

/// A tetrahedron is degenerate where 6 |V| ≤ this · l³, l its longest edge.
const FLAT: f64 = 1e-12;
/// Fibres and sheets may be off unit length and off the right angle by this much.
const UNIT: f64 = 1e-6;
/// A tetrahedron is a sliver with a dihedral angle below this, degrees,
const SLIVER_ANGLE: f64 = 5.0;
/// or with a mean ratio below this.
const SLIVER_RATIO: f64 = 0.1;
/// Offenders listed.
const FIRST: usize = 5;

/// One kind of defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// An error stops a run (or any run that needs the item); a warning is good to know.
    pub is_error: bool,
    pub what: &'static str,
    pub count: usize,
    /// The first few offenders; none where the mesh as a whole is meant.
    pub first: Vec<String>,
    pub remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.is_error { "error  " } else { "warning" };
        let more = if self.count > self.first.len() {
            ", …"
        } else {
            ""
        };
        if self.first.is_empty() {
            return write!(f, "{kind}  {}\n         {}", self.what, self.remedy);
        }
        let (count, what, first) = (self.count, self.what, self.first.join(", "));
        write!(
            f,
            "{kind}  {count} {what}: {first}{more}\n         {}",
            self.remedy
        )
    }
}

/// Gathers offenders of one kind.
struct Gather {
    finding: Finding,
}

impl Gather {
    fn error(what: &'static str, remedy: &'static str) -> Self {
        Self {
            finding: Finding {
                is_error: true,
                what,
                count: 0,
                first: Vec::new(),
                remedy,
            },
        }
    }

    fn warning(what: &'static str, remedy: &'static str) -> Self {
        let mut gather = Self::error(what, remedy);
        gather.finding.is_error = false;
        gather
    }

    fn add(&mut self, offender: impl fmt::Display) {
        self.finding.count += 1;
        if self.finding.first.len() < FIRST {
            self.finding.first.push(offender.to_string());
        }
    }

    fn all(mut self, offenders: impl Iterator<Item = impl fmt::Display>) -> Self {
        offenders.for_each(|o| self.add(o));
        self
    }
}

/// Every kind of defect that `mesh` has, worst first.
pub fn check(mesh: &TetMesh) -> Vec<Finding> {
    let mut found = values(mesh);
    if beyond(mesh).next().is_none() {
        found.extend(shapes(mesh));
        found.extend(topology(mesh));
    }
    let mut findings: Vec<Finding> = (found.into_iter().map(|g| g.finding))
        .filter(|f| f.count > 0)
        .collect();
    findings.sort_by_key(|f| !f.is_error);
    findings
}

/// Tetrahedra with a vertex that is no point.
fn beyond(mesh: &TetMesh) -> impl Iterator<Item = usize> {
    let n = mesh.vertex_count();
    (0..mesh.tetrahedron_count())
        .filter(move |&t| mesh.tetrahedra[t].iter().any(|&v| v as usize >= n))
}

fn is_finite(p: &Vec3) -> bool {
    p.iter().all(|x| x.is_finite())
}

/// Numbers that are wrong by themselves.
fn values(mesh: &TetMesh) -> Vec<Gather> {
    let bad_points = (0..mesh.vertex_count()).filter(|&p| !is_finite(&mesh.points[p]));
    let directions = |of: &Option<Vec<Vec3>>, wrong: fn(f64) -> bool| {
        let all = of.iter().flatten().enumerate();
        all.filter(|(_, f)| wrong(norm(**f)))
            .map(|(t, _)| t)
            .collect::<Vec<_>>()
    };
    let missing = |length: f64| !(length > 0.0 && length.is_finite());
    let not_unit = |length: f64| length > 0.0 && length.is_finite() && (length - 1.0).abs() > UNIT;
    let pairs = (mesh.fibres.iter().flatten()).zip(mesh.sheets.iter().flatten());
    let skewed = (pairs.enumerate())
        .filter(|(_, (f, s))| dot(**f, **s).abs() > UNIT * norm(**f) * norm(**s))
        .map(|(t, _)| t);
    let indefinite = (mesh.velocity_tensor.iter().flatten().enumerate())
        .filter(|(_, m)| !VelocityTensor(**m).is_spd())
        .map(|(t, m)| format!("{t} {m:?}"));
    vec![
        Gather::error(
            "tetrahedra with vertices that are no points",
            "vertices are numbered from 0; make the file again",
        )
        .all(beyond(mesh)),
        Gather::error("points that are not finite", "correct their coordinates").all(bad_points),
        Gather::error(
            "velocity tensors that are not symmetric positive definite",
            "order xx xy xz yy yz zz; all eigenvalues must be positive",
        )
        .all(indefinite),
        Gather::error(
            "tetrahedra without a fibre (zero or not finite)",
            "give them a direction; speeds that differ by direction need one everywhere",
        )
        .all(directions(&mesh.fibres, missing).into_iter()),
        Gather::error(
            "tetrahedra without a sheet (zero or not finite)",
            "give them a direction, or leave the sheets out",
        )
        .all(directions(&mesh.sheets, missing).into_iter()),
        Gather::warning(
            "fibres that are not unit vectors",
            "they are made unit when read; --fix writes them so",
        )
        .all(directions(&mesh.fibres, not_unit).into_iter()),
        Gather::warning(
            "sheets that are not unit vectors",
            "they are made unit when read; --fix writes them so",
        )
        .all(directions(&mesh.sheets, not_unit).into_iter()),
        Gather::warning(
            "sheets that are not orthogonal to their fibres",
            "they are made so when read; --fix writes them so",
        )
        .all(skewed),
        no_fibres(mesh),
    ]
}

/// Fibres that the mesh does not have at all; tensors of its own do without.
fn no_fibres(mesh: &TetMesh) -> Gather {
    let mut gather = Gather::warning(
        "no fibres",
        "only one speed for all directions can be given; fibres of another file: --fibres FILE",
    );
    gather.finding.count = usize::from(mesh.fibres.is_none() && mesh.velocity_tensor.is_none());
    gather
}

/// Tetrahedra without volume or turned inside out.
fn shapes(mesh: &TetMesh) -> Vec<Gather> {
    let mut flat = Gather::error(
        "degenerate tetrahedra (no volume)",
        "--fix drops them; better mesh the geometry again",
    );
    let mut inverted = Gather::warning(
        "inverted tetrahedra (negative volume)",
        "--fix swaps two of their vertices; runs do not mind",
    );
    let mut slivers = Gather::warning(
        "slivers (a dihedral angle below 5° or a mean ratio below 0.1)",
        "times are less accurate there; mesh the geometry again, or move their points",
    );
    for t in 0..mesh.tetrahedron_count() {
        let corners = mesh.corners(t);
        if !corners.iter().all(is_finite) {
            continue; // Its points are the defect.
        }
        if is_degenerate(mesh, t) {
            flat.add(t);
            continue;
        }
        if mesh.volume(t) < 0.0 {
            inverted.add(t);
        }
        let ratio = mean_ratio(&corners);
        let angle = (dihedral_angles(&corners).into_iter()).fold(f64::INFINITY, f64::min);
        if angle < SLIVER_ANGLE || ratio < SLIVER_RATIO {
            slivers.add(format!("{t} ({angle:.2}°, {ratio:.3})"));
        }
    }
    vec![flat, inverted, slivers]
}

fn is_degenerate(mesh: &TetMesh, t: usize) -> bool {
    let corners = mesh.corners(t);
    let squared = EDGES.map(|[i, j]| {
        let e = sub(corners[i], corners[j]);
        dot(e, e)
    });
    let longest = squared.into_iter().fold(0.0, f64::max).sqrt();
    // Written so that what is not finite counts as degenerate.
    let has_volume = 6.0 * mesh.volume(t).abs() > FLAT * longest.powi(3);
    !has_volume
}

/// How the tetrahedra hang together; vertices are in range.
fn topology(mesh: &TetMesh) -> Vec<Gather> {
    let n = mesh.vertex_count();
    let first = first_of_equal_points(&mesh.points);
    let doubles = (0..n).filter(|&p| first[p] as usize != p);
    let doubles = doubles.map(|p| format!("{p} (as {})", first[p]));
    let repeated = repeated_tetrahedra(&mesh.tetrahedra);
    let mut crowded = Gather::warning(
        "faces shared by more than two tetrahedra",
        "the tetrahedra overlap there; mesh the geometry again",
    );
    let mut orphans = Gather::warning(
        "points of no tetrahedron",
        "they never activate; --fix drops them",
    );
    let mut islands = Gather::warning(
        "components beside the largest",
        "each needs a source of its own, or join them (duplicated points keep them apart)",
    );
    // Too many for 32-bit numbers: `validate` says so.
    let _ = for_each_face(n, &mesh.tetrahedra, |sides| {
        if sides.len() > 2 {
            let tetrahedra: Vec<usize> = sides.iter().map(|s| s.tetrahedron()).collect();
            crowded.add(format!(
                "{:?} of tetrahedra {tetrahedra:?}",
                sides[0].vertices(&mesh.tetrahedra)
            ));
        }
    });
    if let Ok(components) = Components::new(n, &mesh.tetrahedra) {
        let lonely = (0..n).filter(|&v| components.of_vertex[v] == Components::ORPHAN);
        lonely.for_each(|v| orphans.add(v));
        let sizes = &components.tetrahedra;
        let largest = (0..sizes.len()).max_by_key(|&c| (sizes[c], std::cmp::Reverse(c)));
        for (c, size) in sizes
            .iter()
            .enumerate()
            .filter(|(c, _)| Some(*c) != largest)
        {
            let vertex = components.of_vertex.iter().position(|&of| of as usize == c);
            islands.add(format!(
                "{size} tetrahedra at vertex {}",
                vertex.unwrap_or_default()
            ));
        }
    }
    vec![
        crowded,
        Gather::warning("tetrahedra that repeat another", "--fix drops them")
            .all(repeated.into_iter()),
        Gather::warning(
            "duplicated points",
            "waves do not cross between them; --fix merges them",
        )
        .all(doubles),
        islands,
        orphans,
    ]
}

/// The lowest number of a point with the same coordinates, for each point.
fn first_of_equal_points(points: &[Vec3]) -> Vec<u32> {
    // −0 + 0 = 0: both zeros are the same place.
    let place = |i: u32| points[i as usize].map(|x| (x + 0.0).to_bits());
    let mut order: Vec<u32> = (0..points.len() as u32).collect();
    order.sort_unstable_by_key(|&i| (place(i), i));
    let mut first: Vec<u32> = (0..points.len() as u32).collect();
    for equal in order.chunk_by(|&a, &b| place(a) == place(b)) {
        for &i in equal {
            first[i as usize] = equal[0];
        }
    }
    first
}

/// Tetrahedra whose vertices an earlier one has, in rising order.
fn repeated_tetrahedra(tetrahedra: &[[u32; 4]]) -> Vec<usize> {
    let sorted = |t: u32| {
        let mut v = tetrahedra[t as usize];
        v.sort_unstable();
        v
    };
    let mut order: Vec<u32> = (0..tetrahedra.len() as u32).collect();
    order.sort_unstable_by_key(|&t| (sorted(t), t));
    let mut repeated: Vec<usize> = (order.chunk_by(|&a, &b| sorted(a) == sorted(b)))
        .flat_map(|equal| equal[1..].iter().map(|&t| t as usize))
        .collect();
    repeated.sort_unstable();
    repeated
}

/// The mesh with everything mended that is safe to mend: duplicated points merged (the lowest
/// stays), inverted tetrahedra swapped, degenerate and repeated ones and orphans dropped,
/// directions made unit.
///
/// # Errors
/// [`Error::BadData`] where dropping tetrahedra would tear a hole: vertices that are no points,
/// vertices whose coordinates are not finite; and where no tetrahedron would be left.
pub fn fix(mesh: &TetMesh) -> Result<TetMesh> {
    let m = mesh.tetrahedron_count();
    let lost = |what: &str, problem: &str, others: usize, remedy: &str| {
        let problem = format!("{problem} ({} such tetrahedra)", others + 1);
        let remedy = format!("{remedy}; --fix cannot mend this and wrote nothing");
        Err(Error::bad_data(what, problem, remedy))
    };
    let mut wrong = beyond(mesh);
    if let Some(t) = wrong.next() {
        let remedy = "correct the vertex numbers, which start at 0";
        let problem = "a vertex is no point of the mesh";
        return lost(&format!("tetrahedron {t}"), problem, wrong.count(), remedy);
    }
    let mut wrong = (0..m).filter(|&t| !mesh.corners(t).iter().all(is_finite));
    if let Some(t) = wrong.next() {
        let remedy = "correct the coordinates";
        let problem = "the coordinates of a vertex are not finite";
        return lost(&format!("tetrahedron {t}"), problem, wrong.count(), remedy);
    }
    let mut mended = mesh.clone();
    mended.normalise_directions();
    let first = first_of_equal_points(&mended.points);
    for v in mended.tetrahedra.as_flattened_mut() {
        *v = first[*v as usize];
    }
    for t in 0..mended.tetrahedron_count() {
        if mended.volume(t) < 0.0 {
            mended.tetrahedra[t].swap(2, 3);
        }
    }
    let mut keep = vec![true; mended.tetrahedron_count()];
    for t in repeated_tetrahedra(&mended.tetrahedra) {
        keep[t] = false;
    }
    let kept: Vec<u32> = (0..keep.len())
        .filter(|&t| keep[t] && !is_degenerate(&mended, t))
        .map(|t| t as u32)
        .collect();
    if kept.is_empty() {
        let remedy = "mesh the geometry again; --fix cannot mend this and wrote nothing";
        return Err(Error::bad_data("mesh", "no tetrahedron has volume", remedy));
    }
    let mut used = vec![false; mended.vertex_count()];
    for &t in &kept {
        for v in mended.tetrahedra[t as usize] {
            used[v as usize] = true;
        }
    }
    let points: Vec<u32> = (0..used.len() as u32)
        .filter(|&v| used[v as usize])
        .collect();
    Ok(mended.select(&points, &kept))
}

/// Whether every vertex of every tetrahedron is a point.
pub fn indices_are_in_range(mesh: &TetMesh) -> bool {
    beyond(mesh).next().is_none()
}

/// What every run insists on: lengths agree, indices in range, points finite, no tetrahedron
/// without volume (orientation does not matter), tensors symmetric positive definite.
///
/// # Errors
/// [`Error::BadData`] with the first offender and their number.
pub fn validate(mesh: &TetMesh) -> Result<()> {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    if m == 0 {
        let remedy = "give a volume mesh of linear tetrahedra";
        return Err(Error::bad_data("mesh", "has no tetrahedra", remedy));
    }
    super::adjacency::check_counts(n, &mesh.tetrahedra)?;
    lengths(mesh)?;
    let all = "`isochrone mesh check` lists all of them";
    let first_of = |what: &str, mut wrong: Box<dyn Iterator<Item = usize> + '_>, problem: &str| {
        wrong.next().map_or(Ok(()), |first| {
            let problem = match wrong.count() {
                0 => problem.to_owned(),
                others => format!("{problem}, and {others} others"),
            };
            Err(Error::bad_data(format!("{what} {first}"), problem, all))
        })
    };
    let infinite = (0..n).filter(|&p| !is_finite(&mesh.points[p]));
    first_of(
        "point",
        Box::new(infinite),
        "its coordinates are not finite",
    )?;
    let flat = (0..m).filter(|&t| is_degenerate(mesh, t));
    first_of("tetrahedron", Box::new(flat), "it has no volume")?;
    if let Some(tensors) = &mesh.velocity_tensor {
        let indefinite = (0..m).filter(|&t| !VelocityTensor(tensors[t]).is_spd());
        let problem = "it is not symmetric positive definite";
        first_of("velocity tensor", Box::new(indefinite), problem)?;
    }
    Ok(())
}

/// What a run with speeds that differ by direction insists on besides [`validate`]: unit fibres
/// everywhere, and unit sheets orthogonal to them where there are sheets (within 1e-6).
///
/// # Errors
/// [`Error::BadData`] with the first offender.
pub fn validate_fibres(mesh: &TetMesh) -> Result<()> {
    let Some(fibres) = &mesh.fibres else {
        return Err(Error::bad_data(
            "mesh",
            "has no fibres",
            "give one speed for all directions (conduction.speed = 0.6), or a mesh with fibres",
        ));
    };
    let wrong = |v: &Vec3| {
        let is_unit = (norm(*v) - 1.0).abs() <= UNIT;
        !is_unit
    };
    let remedy = "`isochrone mesh check` lists all of them";
    if let Some(t) = fibres.iter().position(wrong) {
        let problem = format!("its fibre {:?} is no unit vector", fibres[t]);
        return Err(Error::bad_data(format!("tetrahedron {t}"), problem, remedy));
    }
    let Some(sheets) = &mesh.sheets else {
        return Ok(());
    };
    let pairs = || fibres.iter().zip(sheets);
    if let Some(t) = pairs().position(|(f, s)| wrong(s) || dot(*f, *s).abs() > UNIT) {
        let problem = format!(
            "its sheet {:?} is no unit vector across the fibre",
            sheets[t]
        );
        return Err(Error::bad_data(format!("tetrahedron {t}"), problem, remedy));
    }
    Ok(())
}

/// Every array has as many rows as there are tetrahedra or points.
fn lengths(mesh: &TetMesh) -> Result<()> {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    let rows = |name: &str, have: Option<usize>, need: usize| match have {
        Some(have) if have != need => Err(Error::bad_data(
            name.to_owned(),
            format!("{have} rows where {need} are needed"),
            "make the mesh again",
        )),
        _ => Ok(()),
    };
    rows("tags", Some(mesh.tags.len()), m)?;
    rows("fibres", mesh.fibres.as_ref().map(Vec::len), m)?;
    rows("sheets", mesh.sheets.as_ref().map(Vec::len), m)?;
    rows(
        "velocity_tensor",
        mesh.velocity_tensor.as_ref().map(Vec::len),
        m,
    )?;
    rows("domains", mesh.domains.as_ref().map(Vec::len), m)?;
    rows("parts", mesh.parts.as_ref().map(Vec::len), n)?;
    for (fields, need) in [(&mesh.point_fields, n), (&mesh.cell_fields, m)] {
        for (name, f) in fields {
            rows(name, Some(f.values.len()), need * f.components)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        assert!(counts(&mesh).contains(&(true, "points that are not finite", 1)));
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
}
