//! Pictures of what lies on a mesh.

use std::path::Path;
use std::rc::Rc;

use super::choices::{FIELD, ONE_VIEW, SURFACE, VALUES};
use super::{Offer, Style, capitalised};
use crate::error::{Error, Result};
use crate::io::{read_integers, read_matrix, read_rows, read_text};
use crate::mesh::TetMesh;
use crate::mesh::formats::read;
use crate::plot::axis::bounds;
use crate::plot::canvas::Rectangle;
use crate::plot::colours::ColourScale;
use crate::plot::map::{Shown, Stage};
use crate::plot::scene::Scene;
use crate::plot::ticks;
use crate::plot::view::Plane;
use crate::tensor::{Vec3, dot};

/// Pictures of the mesh in `source`, whose datasets are `names` where it is an HDF5 file.
pub fn offers(source: &Path, names: &[String]) -> Result<Vec<Offer>> {
    let mesh = Rc::new(read(source, None)?);
    let has = |name: &str| names.iter().any(|n| n == name);
    let mut offers = Vec::new();
    let fields: Vec<(String, bool)> = (mesh.point_fields.keys().map(|name| (name.clone(), true)))
        .chain(mesh.cell_fields.keys().map(|name| (name.clone(), false)))
        .collect();
    for (name, on_points) in fields {
        let mesh = Rc::clone(&mesh);
        if name == "activation_time" && on_points {
            let draw = move |style: &Style| activation(&mesh, style);
            offers.push(Offer::new(
                "activation",
                "activation times and isochrones",
                true,
                FIELD,
                draw,
            ));
            continue;
        }
        if name == "gamma" && has("/inversion/gamma") {
            continue;
        }
        let unit = if has(&format!("/fields/{name}")) {
            read_text(source, &format!("/fields/{name}"), "unit")?
        } else {
            None
        };
        let label = with_unit(&name, unit.as_deref());
        let what = format!("the field {name}");
        let file = name.replace(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)), "_");
        let heeds = if on_points { FIELD } else { VALUES };
        let draw = move |style: &Style| field(&mesh, &name, on_points, &label, style);
        offers.push(Offer::new(&file, &what, false, heeds, draw));
    }
    if has("/inversion/gamma") {
        for (name, what, usual, heeds) in [
            ("gamma", "γ found in each domain", true, VALUES),
            ("gamma-iterations", "γ at four iterations", false, ONE_VIEW),
        ] {
            let (mesh, source) = (Rc::clone(&mesh), source.to_owned());
            let draw =
                move |style: &Style| gamma(&mesh, &source, style, name == "gamma-iterations");
            offers.push(Offer::new(name, what, usual, heeds, draw));
        }
    }
    if has("/gradient/tensor") {
        let (mesh, source) = (Rc::clone(&mesh), source.to_owned());
        let draw = move |style: &Style| sensitivity(&mesh, &source, style);
        offers.push(Offer::new(
            "sensitivity",
            "|df/dM| of each tetrahedron",
            true,
            VALUES,
            draw,
        ));
    }
    let several = |group: &[u32]| group.iter().any(|g| *g != group[0]);
    let found = has("/inversion/gamma");
    if let Some(domains) = mesh.domains.clone().filter(|d| several(d)) {
        offers.push(groups(
            &mesh,
            "domains",
            "material domains",
            !found,
            domains,
            u32::to_string,
        ));
    }
    if mesh.tags.iter().any(|tag| *tag != mesh.tags[0]) {
        let mut all = mesh.tags.clone();
        all.sort_unstable();
        all.dedup();
        let group = (mesh.tags.iter())
            .map(|tag| all.binary_search(tag).unwrap_or(0) as u32)
            .collect();
        let only_mesh = names.is_empty() || !names.iter().any(|n| !n.starts_with("/mesh"));
        let name = move |g: &u32| all[*g as usize].to_string();
        offers.push(groups(
            &mesh,
            "tags",
            "tags of the mesh",
            only_mesh,
            group,
            name,
        ));
    }
    if let Some(parts) = mesh.parts.clone().filter(|p| several(p)) {
        // A tetrahedron is drawn as the lowest part of its vertices.
        let group = (mesh.tetrahedra.iter())
            .map(|tet| {
                tet.map(|v| parts[v as usize])
                    .into_iter()
                    .min()
                    .unwrap_or(0)
            })
            .collect();
        offers.push(groups(
            &mesh,
            "parts",
            "parts of the ranks",
            false,
            group,
            u32::to_string,
        ));
    }
    if offers.is_empty() {
        let draw = {
            let mesh = Rc::clone(&mesh);
            move |style: &Style| bare(&mesh, style)
        };
        let what = "the surface of the mesh";
        offers.push(Offer::new("mesh", what, true, SURFACE, draw));
    }
    Ok(offers)
}

fn with_unit(name: &str, unit: Option<&str>) -> String {
    let name = name.replace('_', " ");
    match unit {
        Some(unit) if unit != "1" && !unit.is_empty() => {
            format!("{name} ({})", unit.replace("^2", "²").replace("^4", "⁴"))
        }
        _ => name,
    }
}

/// Refuses a plane that has all `points` on one side; lengths are in `unit`.
pub fn check_cut(plane: &Plane, points: impl Iterator<Item = Vec3>, unit: &str) -> Result<()> {
    let [low, high] = bounds(points.map(|p| dot(plane.normal, p)));
    if low < plane.offset && plane.offset < high {
        return Ok(());
    }
    let name = plane.coordinate();
    Err(Error::bad_data(
        format!("--cut {name}={}", plane.offset),
        format!("cuts nothing: {name} runs from {low:.3} to {high:.3} {unit}"),
        "give a plane in between",
    ))
}

fn stage(mesh: &TetMesh, style: &Style) -> Result<Stage> {
    if let Some(plane) = &style.cut {
        check_cut(plane, mesh.points.iter().copied(), "mm")?;
    }
    let scene = |plane: Option<&_>| Scene::of_mesh(mesh, plane);
    Stage::new(style.views.clone(), style.cut, scene)
}

fn picture(mesh: &TetMesh, style: &Style, title: &str, shown: &Shown) -> Result<Vec<u8>> {
    let stage = stage(mesh, style)?;
    let mut canvas = stage.canvas(style.width);
    let whole = canvas.whole();
    stage.draw(&mut canvas, whole, title, shown)?;
    canvas.image().png()
}

/// ms between isochrones: what was chosen, or about fifteen of them.
///
/// # Errors
/// [`Error::BadData`]: so many that nothing else would be seen.
pub fn isochrone_step(style: &Style, scale: &ColourScale) -> Result<f64> {
    let usual = ticks::step(scale.low, scale.high, 18);
    let Some(step) = style.isochrones else {
        return Ok(usual);
    };
    let lines = (scale.high - scale.low) / step;
    if lines > style.width as f64 / 2.0 {
        return Err(Error::bad_data(
            format!("--isochrones {step}"),
            format!(
                "{lines:.0} lines from {:.3} to {:.3} on {} pixels leave nothing to see",
                scale.low, scale.high, style.width
            ),
            format!("give a distance of about {usual} ms"),
        ));
    }
    Ok(step)
}

pub fn isochrones_title(step: f64) -> String {
    format!("Activation times, isochrones every {step} ms")
}

fn activation(mesh: &TetMesh, style: &Style) -> Result<Vec<u8>> {
    let values = &mesh.point_fields["activation_time"].values;
    let scale = style.scale(values.iter().copied(), None, false);
    let step = isochrone_step(style, &scale)?;
    let shown = Shown::Field {
        values,
        scale,
        label: "activation time (ms)",
        isolines: Some(step),
    };
    picture(mesh, style, &isochrones_title(step), &shown)
}

/// A field as it is; of several components, their norm.
fn field(
    mesh: &TetMesh,
    name: &str,
    on_points: bool,
    label: &str,
    style: &Style,
) -> Result<Vec<u8>> {
    let field = if on_points {
        &mesh.point_fields[name]
    } else {
        &mesh.cell_fields[name]
    };
    let norm = |row: &[f64]| match row {
        [value] => *value,
        _ => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
    };
    let values: Vec<f64> = field
        .values
        .chunks_exact(field.components)
        .map(norm)
        .collect();
    let scale = style.scale(values.iter().copied(), None, false);
    let label = if field.components == 1 {
        label.to_string()
    } else {
        format!("|{label}|")
    };
    let values = &values[..];
    let shown = if on_points {
        let chosen = style.isochrones;
        let isolines = chosen.map(|_| isochrone_step(style, &scale));
        let isolines = isolines.transpose()?;
        Shown::Field {
            values,
            scale,
            label: &label,
            isolines,
        }
    } else {
        Shown::OfCells {
            values,
            scale,
            label: &label,
        }
    };
    picture(mesh, style, &label, &shown)
}

fn groups(
    mesh: &Rc<TetMesh>,
    name: &'static str,
    what: &'static str,
    usual: bool,
    group: Vec<u32>,
    text: impl Fn(&u32) -> String + 'static,
) -> Offer {
    let mesh = Rc::clone(mesh);
    // Those that occur, whatever their numbers.
    let mut occur = group.clone();
    occur.sort_unstable();
    occur.dedup();
    let place = |g: &u32| occur.partition_point(|o| o < g) as u32;
    let group: Vec<u32> = group.iter().map(place).collect();
    let draw = move |style: &Style| {
        let names: Vec<String> = occur.iter().map(&text).collect();
        picture(
            &mesh,
            style,
            &capitalised(what),
            &Shown::Groups {
                group: &group,
                names: &names,
            },
        )
    };
    Offer::new(name, what, usual, SURFACE, draw)
}

fn bare(mesh: &TetMesh, style: &Style) -> Result<Vec<u8>> {
    let group = vec![0; mesh.tetrahedron_count()];
    let names = [String::new()];
    let title = format!(
        "{} points, {} tetrahedra",
        mesh.vertex_count(),
        mesh.tetrahedron_count()
    );
    picture(
        mesh,
        style,
        &title,
        &Shown::Groups {
            group: &group,
            names: &names,
        },
    )
}

/// γ of the last iteration, or of four of them.
fn gamma(mesh: &TetMesh, source: &Path, style: &Style, four: bool) -> Result<Vec<u8>> {
    let (shape, values) = read_matrix(source, "/inversion/gamma")?;
    let bad = |problem: String| {
        let place = "dataset /inversion/gamma";
        Error::bad_file(
            source,
            place,
            problem,
            "it has a row for each iteration and a column for each domain",
        )
    };
    let [rows, count] = shape[..] else {
        return Err(bad(format!("has the shape {shape:?}")));
    };
    let domains: Vec<u32> = match &mesh.domains {
        Some(domains) => domains.clone(),
        None => read_integers(
            source,
            "/mesh/domains",
            Some((mesh.tetrahedron_count(), "tetrahedra")),
        )?,
    };
    let most = domains.iter().max().map_or(0, |d| *d as usize + 1);
    if rows == 0 || most > count {
        return Err(bad(format!("has the shape {shape:?} for {most} domains")));
    }
    let row = |i: usize| &values[i * count..(i + 1) * count];
    let iterations: Vec<usize> = match (four, rows - 1) {
        (false, last) => vec![last],
        (true, last) => four_of(last),
    };
    let shown_values = iterations.iter().flat_map(|i| row(*i)).copied();
    let scale = style.scale(shown_values, None, true);
    let shown = |i: usize| Shown::OfGroups {
        group: &domains,
        values: row(i),
        scale,
        label: "conductivity scaling γ",
    };
    if !four {
        let title = format!("γ found after {} iterations", rows - 1);
        return picture(mesh, style, &title, &shown(rows - 1));
    }
    let style = Style {
        views: style.views[..1].to_vec(),
        ..style.clone()
    };
    let stage = stage(mesh, &style)?;
    let one = stage.canvas(style.width / 2);
    let height = one.image_height();
    let mut canvas =
        crate::plot::canvas::Canvas::new(style.width, height * iterations.len().div_ceil(2));
    let panels: Vec<Rectangle> = canvas.whole().parts(iterations.len().div_ceil(2), 2);
    for (i, panel) in iterations.iter().zip(panels) {
        stage.draw(&mut canvas, panel, &format!("γ, iteration {i}"), &shown(*i))?;
    }
    canvas.image().png()
}

/// The first, the last, and two early ones of the iterations 0 to `last`: most happens there. All,
/// where they are four or fewer.
fn four_of(last: usize) -> Vec<usize> {
    let second = (last / 8).max(1);
    let mut four = vec![0, second, (last / 3).max(second + 1), last];
    four.retain(|i| *i <= last);
    four.dedup();
    four
}

/// The Frobenius norm of df/dM, on a logarithmic scale of at most six decades.
fn sensitivity(mesh: &TetMesh, source: &Path, style: &Style) -> Result<Vec<u8>> {
    let rows = read_rows::<6>(
        source,
        "/gradient/tensor",
        Some((mesh.tetrahedron_count(), "tetrahedra")),
    )?;
    let norm = |[xx, xy, xz, yy, yz, zz]: [f64; 6]| {
        (xx * xx + yy * yy + zz * zz + 2.0 * (xy * xy + xz * xz + yz * yz)).sqrt()
    };
    // Grey: tetrahedra through which no wave reaches a vertex first.
    let seen = |norm: f64| if norm > 0.0 { norm } else { f64::NAN };
    let values: Vec<f64> = rows.into_iter().map(|row| seen(norm(row))).collect();
    let largest = values
        .iter()
        .copied()
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let positive = values.iter().copied().filter(|v| *v > 0.0);
    let least = positive.fold(f64::INFINITY, f64::min).max(1e-6 * largest);
    let usual = (largest > 0.0).then_some([least, largest]);
    let scale = style.scale(values.iter().copied(), usual, true);
    let label = "|df/dM| (ms⁴/mm²)";
    let shown = Shown::OfCells {
        values: &values,
        scale,
        label,
    };
    picture(
        mesh,
        style,
        "Sensitivity of the misfit to the velocity tensor",
        &shown,
    )
}

#[cfg(test)]
mod tests {
    use super::four_of;

    #[test]
    fn four_iterations_are_shown_where_there_are_four() {
        assert_eq!(four_of(0), [0]);
        assert_eq!(four_of(1), [0, 1]);
        assert_eq!(four_of(2), [0, 1, 2]);
        for last in 3..50 {
            let four = four_of(last);
            assert_eq!(four.len(), 4, "{last}");
            assert!(four.is_sorted() && four[3] == last);
        }
        assert_eq!(four_of(24), [0, 3, 8, 24]);
    }
}
