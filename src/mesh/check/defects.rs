//! The defects of a mesh: wrong numbers, tetrahedra without shape, a topology that does not hold
//! together.

use super::finding::Gather;
use super::{FARTHEST, UNIT, is_degenerate};
use crate::mesh::TetMesh;
use crate::mesh::adjacency::Components;
use crate::mesh::quality::{dihedral_angles, mean_ratio};
use crate::mesh::surface::for_each_face;
use crate::tensor::{Vec3, VelocityTensor, dot, norm};

/// A tetrahedron is a sliver with a dihedral angle below this, degrees,
const SLIVER_ANGLE: f64 = 5.0;
/// or with a mean ratio below this.
const SLIVER_RATIO: f64 = 0.1;

/// Tetrahedra with a vertex that is no point.
pub(super) fn beyond(mesh: &TetMesh) -> impl Iterator<Item = usize> {
    let n = mesh.vertex_count();
    (0..mesh.tetrahedron_count())
        .filter(move |&t| mesh.tetrahedra[t].iter().any(|&v| v as usize >= n))
}

pub(super) fn is_in_range(p: &Vec3) -> bool {
    p.iter().all(|x| x.abs() <= FARTHEST)
}

/// Numbers that are wrong by themselves.
pub(super) fn values(mesh: &TetMesh) -> Vec<Gather> {
    let bad_points = (0..mesh.vertex_count()).filter(|&p| !is_in_range(&mesh.points[p]));
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
        Gather::error(
            "points that are not finite or beyond 1e90 mm",
            "correct their coordinates",
        )
        .all(bad_points),
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
pub(super) fn shapes(mesh: &TetMesh) -> Vec<Gather> {
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
        if !corners.iter().all(is_in_range) {
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

/// How the tetrahedra hang together; vertices are in range.
pub(super) fn topology(mesh: &TetMesh) -> Vec<Gather> {
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
pub(super) fn first_of_equal_points(points: &[Vec3]) -> Vec<u32> {
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
pub(super) fn repeated_tetrahedra(tetrahedra: &[[u32; 4]]) -> Vec<usize> {
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
