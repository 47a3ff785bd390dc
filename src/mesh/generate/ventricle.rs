//! Idealised ventricles: shells between ellipsoids, cut off at a base plane.
//!
//! The long axis is z, the apex at negative z, the centre of the left ventricle's ellipsoids the
//! origin; the right ventricle lies towards negative x.

use rayon::prelude::*;

use super::boundary::is_ball;
use super::implicit::{Ellipsoid, intersection, union};
use super::stuffing::{Stuffing, stuff};
use super::{FibreAngles, LeftVentricle, RightVentricle, fibres};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, add, scale};

const LEFT: i32 = 1;
const RIGHT: i32 = 2;

/// Wall between two ellipsoids.
#[derive(Debug, Clone, Copy)]
struct Shell {
    endocardium: Ellipsoid,
    epicardium: Ellipsoid,
}

/// Left ventricle, alone or with the right one.
#[derive(Debug, Clone, Copy)]
pub struct Ventricles {
    left: Shell,
    right: Option<Shell>,
    /// Height of the base plane.
    base: f64,
    /// Thinnest wall.
    wall: f64,
    narrowest: f64,
}

impl Ventricles {
    /// Geometry of the configuration, whose lengths are in units of `unit_mm`, for a mesh of
    /// mean `edge` (mm).
    pub fn new(
        left: &LeftVentricle,
        right: Option<&RightVentricle>,
        edge: f64,
        unit_mm: f64,
    ) -> Result<Self> {
        let mm = |part: &str, key: &str, value: Option<f64>, default: f64| {
            let Some(value) = value else {
                return Ok(default);
            };
            super::positive(&format!("{part}.{key}"), value).map(|value| value * unit_mm)
        };
        let part = "left_ventricle";
        let radius = mm(part, "radius", left.radius, 20.0)?;
        let length = mm(part, "length", left.length, 2.5 * radius)?;
        let wall = mm(part, "wall", left.wall, 0.5 * radius)?;
        let base = left.base.map_or(0.25 * length, |height| height * unit_mm);
        if base.is_nan() || base.abs() > 0.7 * length {
            return Err(Error::bad_data(
                "mesh.generate.left_ventricle.base",
                format!("the base plane at {} leaves no cup", base / unit_mm),
                format!(
                    "its height lies within ±{} (0.7 length)",
                    0.7 * length / unit_mm
                ),
            ));
        }
        let centre = [0.0; 3];
        let outer = [radius + wall, radius + wall, length + wall];
        let left = Shell {
            endocardium: Ellipsoid {
                centre,
                axes: [radius, radius, length],
            },
            epicardium: Ellipsoid {
                centre,
                axes: outer,
            },
        };
        let Some(right) = right else {
            return Ok(Self {
                left,
                right: None,
                base,
                wall,
                narrowest: wall.min(radius),
            });
        };

        let part = "right_ventricle";
        let thin = mm(
            part,
            "wall",
            right.wall,
            (1.75 * edge).clamp(0.5 * wall, wall),
        )?;
        let width = mm(part, "width", right.width, 1.25 * radius)?;
        // Nearly tangent to the left epicardium in front and behind, a little shorter.
        let centre = [-0.65 * outer[0], 0.0, 0.0];
        let axes = [0.35 * outer[0] + width + thin, outer[1], 0.9 * outer[2]];
        let inner = axes.map(|axis| axis - thin);
        if inner[1] < 0.5 * outer[1] || inner[2] < 0.5 * outer[2] {
            return Err(Error::bad_data(
                "mesh.generate.right_ventricle.wall",
                format!("{} leaves no right cavity", thin / unit_mm),
                format!(
                    "make it {:.3} or less",
                    0.4 * outer[1].min(outer[2]) / unit_mm
                ),
            ));
        }
        let right = Shell {
            endocardium: Ellipsoid {
                centre,
                axes: inner,
            },
            epicardium: Ellipsoid { centre, axes },
        };
        let wall = wall.min(thin);
        let narrowest = wall.min(radius).min(width);
        Ok(Self {
            left,
            right: Some(right),
            base,
            wall,
            narrowest,
        })
    }

    /// The least of the thicknesses of walls and widths of cavities, mm.
    pub fn narrowest(&self) -> f64 {
        self.narrowest
    }

    /// The implicit function of the tissue: negative inside, zero on its surface, with rounded rims
    /// at the base and rounded edges where the ventricles meet.
    pub fn value(&self, p: Vec3) -> f64 {
        let epicardium = self.left.epicardium.distance(p);
        let outside_left_cavity = -self.left.endocardium.distance(p);
        let wall = match &self.right {
            None => epicardium.max(outside_left_cavity),
            Some(right) => {
                let outer = union(epicardium, right.epicardium.distance(p), self.wall);
                let cavity =
                    intersection(right.endocardium.distance(p), -epicardium, 0.5 * self.wall);
                outer.max(outside_left_cavity).max(-cavity)
            }
        };
        intersection(wall, p[2] - self.base, 0.25 * self.wall)
    }

    /// Box around the tissue: lowest and highest corner.
    pub fn bounds(&self) -> (Vec3, Vec3) {
        let Ellipsoid { axes, .. } = self.left.epicardium;
        let (mut low, mut high) = (scale(-1.0, axes), [axes[0], axes[1], self.base]);
        if let Some(Shell { epicardium, .. }) = &self.right {
            let Ellipsoid { centre, axes } = epicardium;
            for i in 0..3 {
                low[i] = low[i].min(centre[i] - axes[i]);
                high[i] = high[i].max(if i == 2 {
                    self.base
                } else {
                    centre[i] + axes[i]
                });
            }
        }
        (low, high)
    }

    /// Tag, fibre and sheet at `p`. The left ventricle reaches to its own epicardium, which in the
    /// septum is the right endocardium.
    pub fn axes(&self, p: Vec3, angles: &FibreAngles) -> (i32, fibres::Axes) {
        let (tag, shell) = match &self.right {
            Some(right) if self.left.epicardium.distance(p) > 0.0 => (RIGHT, right),
            _ => (LEFT, &self.left),
        };
        let (depth, transmural) = shell.depth(p);
        (
            tag,
            fibres::helix(angles.at(depth), transmural, [0.0, 0.0, 1.0]),
        )
    }
}

/// Mesh of `heart` on a lattice of `side`, with tags, fibres and sheets; `None` where the lattice
/// does not resolve the walls.
pub fn mesh(heart: &Ventricles, side: f64, angles: &FibreAngles) -> Option<TetMesh> {
    // Where a coarse lattice happens to touch itself, a moved one does not.
    let Stuffing {
        points, tetrahedra, ..
    } = [0.38, 0.13, 0.62, 0.87]
        .into_iter()
        .map(|shift| stuff(&|p| heart.value(p), heart.bounds(), side, shift))
        .find(is_ball)?;
    let mut mesh = TetMesh::new(points, tetrahedra);
    let axes = |t: usize| {
        let [a, b, c, d] = mesh.corners(t);
        heart.axes(scale(0.25, add(add(a, b), add(c, d))), angles)
    };
    let count = mesh.tetrahedron_count();
    let (tags, (fibres, sheets)) = (0..count).into_par_iter().map(axes).unzip();
    mesh.tags = tags;
    (mesh.fibres, mesh.sheets) = (Some(fibres), Some(sheets));
    Some(mesh)
}

impl Shell {
    /// Depth d_endo/(d_endo + d_epi) from the distances to the two surfaces, and a vector along its
    /// gradient, d_epi ∇d_endo − d_endo ∇d_epi (d_epi here positive in the wall).
    fn depth(&self, p: Vec3) -> (f64, Vec3) {
        let from_endo = self.endocardium.distance(p).max(0.0);
        let from_epi = (-self.epicardium.distance(p)).max(0.0);
        let gradient = add(
            scale(from_epi, self.endocardium.gradient(p)),
            scale(from_endo, self.epicardium.gradient(p)),
        );
        (from_endo / (from_endo + from_epi), gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{cross, dot, norm, sub, unit};

    fn heart() -> Ventricles {
        Ventricles::new(
            &LeftVentricle::default(),
            Some(&RightVentricle::default()),
            1.0,
            1.0,
        )
        .unwrap()
    }

    /// On the surfaces of the left ventricle the helix angle is exact, about the surface's normal.
    #[test]
    fn angles_on_the_surfaces_are_exact() {
        let angles = FibreAngles {
            endocardium: 55.0,
            epicardium: -65.0,
        };
        let z = [0.0, 0.0, 1.0];
        for (axes, degrees) in [([20.0, 20.0, 50.0], 55.0), ([30.0, 30.0, 60.0], -65.0f64)] {
            for k in 0..40 {
                let (longitude, latitude) = (0.3 + 0.1 * f64::from(k), -1.5 + 0.04 * f64::from(k));
                let p = [
                    axes[0] * latitude.cos() * longitude.cos(),
                    axes[1] * latitude.cos() * longitude.sin(),
                    axes[2] * latitude.sin(),
                ];
                let normal: Vec3 = std::array::from_fn(|i| p[i] / (axes[i] * axes[i]));
                let normal = unit(normal).unwrap();
                let e_c = unit(cross(z, normal)).unwrap();
                let e_l = cross(normal, e_c);
                let alpha = degrees.to_radians();
                let exact = add(scale(alpha.cos(), e_c), scale(alpha.sin(), e_l));
                // Just inside, so that rounding does not put the point into the right ventricle.
                let inside = scale(if degrees > 0.0 { 1.0 } else { 1.0 - 1e-13 }, p);
                let (tag, (fibre, sheet)) = heart().axes(inside, &angles);
                assert_eq!(tag, LEFT);
                assert!(norm(sub(fibre, exact)) < 1e-10, "{fibre:?} {exact:?}");
                assert!(norm(sub(sheet, normal)) < 1e-10);
            }
        }
    }

    #[test]
    fn the_right_wall_turns_from_its_own_endocardium_to_the_epicardium() {
        let heart = heart();
        let right = heart.right.unwrap();
        let reach = |shell: Ellipsoid| shell.centre[0] - shell.axes[0];
        for (x, degrees) in [
            (reach(right.endocardium), 60.0),
            (reach(right.epicardium), -60.0f64),
        ] {
            let (tag, (fibre, sheet)) = heart.axes([x, 0.0, 0.0], &FibreAngles::default());
            assert_eq!(tag, RIGHT);
            // Outward is −x, around is −y there.
            assert!(norm(sub(sheet, [-1.0, 0.0, 0.0])) < 1e-12);
            assert!((dot(fibre, [0.0, -1.0, 0.0]) - degrees.to_radians().cos()).abs() < 1e-12);
            assert!((fibre[2] - degrees.to_radians().sin()).abs() < 1e-12);
        }
    }

    #[test]
    fn walls_and_cavities_are_where_they_should_be() {
        let heart = heart();
        let inside = |p| heart.value(p) < 0.0;
        assert!(inside([25.0, 0.0, 0.0]) && inside([0.0, -25.0, 0.0]) && inside([0.0, 0.0, -55.0]));
        assert!(inside([-25.0, 0.0, 0.0]), "septum");
        assert!(inside([-57.5, 0.0, 0.0]), "right wall");
        assert!(!inside([0.0, 0.0, 0.0]), "left cavity");
        assert!(!inside([-42.0, 0.0, 0.0]), "right cavity");
        assert!(!inside([25.0, 0.0, 13.0]), "above the base");
    }

    /// Against the midpoint rule on a fine Cartesian grid, which knows nothing of tetrahedra.
    #[test]
    fn the_mesh_has_the_volume_of_the_implicit_shape() {
        let heart = heart();
        let (low, high) = heart.bounds();
        let h = 0.5;
        let cells: [usize; 3] = std::array::from_fn(|i| ((high[i] - low[i]) / h).ceil() as usize);
        let inside = (0..cells.iter().product())
            .into_par_iter()
            .filter(|c| {
                let index = [
                    c % cells[0],
                    c / cells[0] % cells[1],
                    c / cells[0] / cells[1],
                ];
                heart.value(std::array::from_fn(|i| {
                    low[i] + h * (index[i] as f64 + 0.5)
                })) < 0.0
            })
            .count();
        let exact = inside as f64 * h * h * h;
        for (side, tolerance) in [(2.5, 2e-3), (1.25, 5e-4)] {
            let mesh = mesh(&heart, side, &FibreAngles::default()).unwrap();
            let volume: f64 = (0..mesh.tetrahedron_count())
                .map(|t| {
                    let [a, b, c, d] = mesh.corners(t);
                    dot(cross(sub(b, a), sub(c, a)), sub(d, a)) / 6.0
                })
                .sum();
            assert!(
                (volume / exact - 1.0).abs() < tolerance,
                "{side}: {volume} {exact}"
            );
        }
    }
}
