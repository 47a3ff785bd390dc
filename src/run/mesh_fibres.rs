//! `isochrone mesh fibres`: fibres by rule for a mesh of ventricles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::mesh::{load_mesh, written};
use crate::cli::FibresArgs;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::fibre_rule::{RuleAngles, Surfaces, add_fibres, detect};
use crate::mesh::formats::carp_data::{read_vtx, write_vtx};
use crate::mesh::formats::write;
use crate::mesh::generate::FibreAngles;
use crate::mesh::surface::surface_vertices;
use crate::tensor::{Vec3, cross, dot, norm};

/// Writes the mesh with fibres; says what the surfaces are, and how far its former fibres are.
pub fn fibres(args: &FibresArgs) -> Result<String> {
    let mut mesh = load_mesh(&args.files.input)?;
    let surfaces = surfaces(args, &mesh)?;
    let angles = RuleAngles {
        helix: FibreAngles {
            endocardium: args.endocardium,
            epicardium: args.epicardium,
        },
        sheet: FibreAngles {
            endocardium: args.sheet_endocardium,
            epicardium: args.sheet_epicardium,
        },
    };
    let former = mesh.fibres.take();
    add_fibres(&mut mesh, &surfaces, &angles)?;
    let output = &args.files.output;
    let lists = surfaces.lists();
    let vtx = match &args.write_surfaces {
        None => Vec::new(),
        Some(folder) => prepare_folder(folder, &lists, args.files.overwrite)?,
    };
    write(&mesh, output)?;
    let mut text = written(&mesh, output);
    let counts = Surfaces::NAMES
        .iter()
        .zip(lists)
        .filter(|(_, list)| !list.is_empty());
    let counts = counts.map(|(name, list)| format!("{name} {}", list.len()));
    text += &format!(
        "vertices of the surfaces: {}\n",
        counts.collect::<Vec<_>>().join(", ")
    );
    if let (Some(former), Some(now)) = (former, &mesh.fibres) {
        let [median, most] = difference(&former, now);
        text += &format!(
            "angle to the fibres that were there: median {median:.1}°, 90 % below {most:.1}°\n"
        );
    }
    if let Some(folder) = &args.write_surfaces {
        for (file, list) in vtx.iter().zip(lists.iter().filter(|list| !list.is_empty())) {
            write_vtx(file, list)?;
        }
        text += &format!("{}: the surfaces as .vtx written\n", folder.display());
    }
    Ok(text)
}

/// Makes the folder for the surfaces that are not empty; their files in it.
fn prepare_folder(folder: &Path, lists: &[&Vec<u32>; 5], overwrite: bool) -> Result<Vec<PathBuf>> {
    let named = Surfaces::NAMES
        .iter()
        .zip(lists)
        .filter(|(_, list)| !list.is_empty());
    let files: Vec<PathBuf> = named
        .map(|(name, _)| folder.join(format!("{name}.vtx")))
        .collect();
    super::mesh::refuse_any_of(&files, overwrite)?;
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "create the folder", &e))?;
    Ok(files)
}

/// Those that are given, the others found; all but the right one given, nothing is sought.
fn surfaces(args: &FibresArgs, mesh: &TetMesh) -> Result<Surfaces> {
    check_names(&args.surface)?;
    // What the user names comes before what is sought: a file that is not there is the first error.
    let lists = args.surface.iter().map(|(name, from)| {
        let list = match from.strip_prefix("tag:") {
            None => read_vtx(Path::new(from), mesh.vertex_count())?,
            Some(tag) => of_tag(name, tag, mesh)?,
        };
        Ok((name, list))
    });
    let lists = lists.collect::<Result<Vec<_>>>()?;
    let given = |name: &str| args.surface.iter().any(|(n, _)| n == name);
    let needed = ["base", "epicardium", "left", "apex"];
    let mut surfaces = if needed.iter().all(|name| given(name)) {
        Surfaces::default()
    } else {
        detect(mesh, args.axis)?
    };
    for (name, list) in lists {
        *list_of(&mut surfaces, name) = list;
    }
    for pair in CONTRADICTIONS {
        part(&args.surface, pair, &mut surfaces)?;
    }
    Ok(surfaces)
}

/// The list of a surface; its name is one of [`Surfaces::NAMES`].
fn list_of<'s>(surfaces: &'s mut Surfaces, name: &str) -> &'s mut Vec<u32> {
    match name {
        "base" => &mut surfaces.base,
        "epicardium" => &mut surfaces.epicardium,
        "left" => &mut surfaces.left,
        "right" => &mut surfaces.right,
        _ => &mut surfaces.apex,
    }
}

/// Names that there are, each once, and no two for the same vertices.
fn check_names(given: &[(String, String)]) -> Result<()> {
    for (i, (name, from)) in given.iter().enumerate() {
        if !Surfaces::NAMES.contains(&name.as_str()) {
            return Err(Error::Usage {
                problem: format!("--surface {name}=…: there is no such surface"),
                remedy: format!("the surfaces are {}", Surfaces::NAMES.join(", ")),
            });
        }
        if let Some((other, _)) = given[..i].iter().find(|(n, f)| n == name || f == from) {
            let problem = match other == name {
                true => format!("--surface {name}=… is given twice"),
                false => format!("--surface {other}={from} and {name}={from}: the same vertices"),
            };
            return Err(Error::Usage {
                problem,
                remedy: "give each surface once, with vertices of its own".into(),
            });
        }
    }
    Ok(())
}

/// Surfaces on which one of Laplace's equations has different values.
const CONTRADICTIONS: [[&str; 2]; 4] = [
    ["epicardium", "left"],
    ["epicardium", "right"],
    ["left", "right"],
    ["apex", "base"],
];

/// Parts two surfaces that must have no vertex in common. What is found gives way to what is given;
/// where tags meet, the second gives way to the first.
///
/// # Errors
/// [`Error::BadData`] where lists of vertices contradict each other, or nothing would be left.
fn part(
    given: &[(String, String)],
    [first, second]: [&str; 2],
    surfaces: &mut Surfaces,
) -> Result<()> {
    let held: BTreeSet<u32> = list_of(surfaces, first).iter().copied().collect();
    let of_second = list_of(surfaces, second).iter().copied();
    let common: BTreeSet<u32> = of_second.filter(|v| held.contains(v)).collect();
    let Some(one) = common.first() else {
        return Ok(());
    };
    let source = |name: &str| given.iter().find(|(n, _)| n == name).map(|(_, from)| from);
    let by_tags = |from: &String| from.starts_with("tag:");
    let (loser, contradict) = match (source(first), source(second)) {
        (Some(a), Some(b)) => (second, !(by_tags(a) && by_tags(b))),
        (None, Some(_)) => (first, false),
        _ => (second, false),
    };
    let left_over = list_of(surfaces, loser).len() - common.len();
    if contradict || left_over == 0 {
        let name = |name: &str| match source(name) {
            Some(from) => format!("{name} ({from})"),
            None => format!("{name} (found)"),
        };
        return Err(Error::bad_data(
            format!("surfaces {} and {}", name(first), name(second)),
            format!(
                "vertex {one} is on both, one of {}, which cannot be",
                common.len()
            ),
            "give each vertex to one of them",
        ));
    }
    if source(first).is_some() && source(second).is_some() {
        tracing::info!(
            "{} vertices where the tags of {first} and {second} meet belong to {first}",
            common.len()
        );
    }
    list_of(surfaces, loser).retain(|v| !common.contains(v));
    Ok(())
}

/// Vertices of the surface that tetrahedra with this tag have.
fn of_tag(name: &str, tag: &str, mesh: &TetMesh) -> Result<Vec<u32>> {
    let usage = |problem: String, remedy: &str| Error::Usage {
        problem: format!("--surface {name}=tag:{tag}: {problem}"),
        remedy: remedy.into(),
    };
    let number: i32 = (tag.parse())
        .map_err(|_| usage("no number".into(), "write tag:N with a tag of the mesh"))?;
    let mut tagged = vec![false; mesh.vertex_count()];
    for (tet, _) in (mesh.tetrahedra.iter().zip(&mesh.tags)).filter(|(_, t)| **t == number) {
        tet.iter().for_each(|&v| tagged[v as usize] = true);
    }
    let mut list = surface_vertices(mesh.vertex_count(), &mesh.tetrahedra)?;
    list.retain(|&v| tagged[v as usize]);
    match list.is_empty() {
        false => Ok(list),
        true => Err(usage(
            "no tetrahedron at the surface has it".into(),
            "`isochrone mesh info` lists the tags",
        )),
    }
}

/// Median and ninth decile of the angles between lines, degrees.
fn difference(a: &[Vec3], b: &[Vec3]) -> [f64; 2] {
    let mut angles: Vec<f64> = (a.iter().zip(b))
        .filter(|(a, _)| norm(**a) > 0.0)
        .map(|(a, b)| norm(cross(*a, *b)).atan2(dot(*a, *b).abs()).to_degrees())
        .collect();
    angles.sort_by(f64::total_cmp);
    let part = |p: usize| {
        angles
            .get(angles.len() * p / 100)
            .copied()
            .unwrap_or(f64::NAN)
    };
    [part(50), part(90)]
}
