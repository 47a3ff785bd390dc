//! Filaments of scroll waves in space, in colours of time.

use super::Style;
use super::grid::Simulated;
use super::grid_pictures::stage;
use super::tips::rows;
use crate::error::Result;
use crate::plot::map::Shown;
use crate::plot::paths::{Path, draw};
use crate::tensor::{Vec3, norm, sub};

/// At most filaments of so many samples are drawn.
const SAMPLES: usize = 60;

/// A filament at a time.
#[derive(Debug, Clone, PartialEq)]
struct Filament {
    /// ms.
    time: f64,
    /// x, y, z, mm.
    points: Vec<Vec3>,
}

/// The filaments of rows time, x, y, z, number, where those of one filament follow each other.
fn filaments(rows: &[[f64; 5]]) -> Vec<Filament> {
    let same = |a: &[f64; 5], b: &[f64; 5]| a[0] == b[0] && a[4] == b[4];
    (rows.chunk_by(same))
        .map(|rows| Filament {
            time: rows[0][0],
            points: rows.iter().map(|[_, x, y, z, _]| [*x, *y, *z]).collect(),
        })
        .collect()
}

/// Filaments over the pale surface of the tissue, whose cells are `active`.
pub fn picture(simulated: &Simulated, active: &[bool], style: &Style) -> Result<Vec<u8>> {
    let rows = rows(&simulated.source)?;
    let filaments = filaments(&rows);
    let mut times: Vec<f64> = filaments.iter().map(|f| f.time).collect();
    times.dedup();
    let every = times.len().div_ceil(SAMPLES);
    let shown: Vec<f64> = times.into_iter().step_by(every.max(1)).collect();
    let scale = style.scale(shown.iter().copied(), None, false);
    // From face to face of a cell it is less than its diagonal.
    let near = norm(simulated.grid.spacing);
    let path = |f: &Filament| {
        let closed = match (f.points.first(), f.points.last()) {
            (Some(a), Some(b)) => f.points.len() > 3 && norm(sub(*a, *b)) <= near,
            _ => false,
        };
        Path {
            points: f.points.clone(),
            closed,
            colour: scale.colour(f.time),
        }
    };
    let paths: Vec<Path> = (filaments.iter())
        .filter(|f| shown.binary_search_by(|t| t.total_cmp(&f.time)).is_ok())
        .map(path)
        .collect();
    let stage = stage(simulated, active, style)?;
    let mut canvas = stage.canvas(style.width);
    let whole = canvas.whole();
    let tissue = Shown::Pale {
        scale,
        label: "time (ms)",
    };
    let title = match &shown[..] {
        [only] => format!("Filaments at {} ms", text(*only)),
        [first, .., last] => format!("Filaments from {} to {} ms", text(*first), text(*last)),
        [] => "No filaments".into(),
    };
    stage.draw_under(
        &mut canvas,
        whole,
        &title,
        &tissue,
        |canvas, on, view, projection| draw(canvas, on, view, projection, &paths),
    )?;
    canvas.image().png()
}

fn text(t: f64) -> String {
    let text = format!("{t:.1}");
    text.trim_end_matches(".0").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_filaments() {
        let row = |t: f64, x: f64, number: f64| [t, x, 0.0, 0.0, number];
        let rows = [
            row(1.0, 0.0, 0.0),
            row(1.0, 1.0, 0.0),
            row(1.0, 5.0, 1.0),
            row(2.0, 6.0, 1.0),
        ];
        let found = filaments(&rows);
        let of: Vec<(f64, usize)> = found.iter().map(|f| (f.time, f.points.len())).collect();
        assert_eq!(of, [(1.0, 2), (1.0, 1), (2.0, 1)]);
        assert_eq!(found[0].points[1], [1.0, 0.0, 0.0]);
    }
}
