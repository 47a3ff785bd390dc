//! Fibres by rule: a helix angle that is linear in the depth through the wall.

use super::FibreAngles;
use crate::tensor::{Vec3, add, cross, dot, scale, sub, unit};

/// Fibre and sheet of one tetrahedron: unit and orthogonal; the normal is fibre × sheet.
pub type Axes = (Vec3, Vec3);

impl FibreAngles {
    /// α = α_endo + depth (α_epi − α_endo), radians; depth 0 on the endocardium, 1 on the
    /// epicardium, clamped to that range.
    pub fn at(&self, depth: f64) -> f64 {
        let depth = depth.clamp(0.0, 1.0);
        (self.endocardium + depth * (self.epicardium - self.endocardium)).to_radians()
    }
}

/// Fibre f = cos α e_c + sin α e_l and sheet e_t.
///
/// e_t is the unit `transmural` direction (endocardium → epicardium), e_c = axis × e_t the
/// circumferential one (counterclockwise seen from the base), e_l = e_t × e_c the longitudinal one
/// (apex → base), for the unit long `axis` (apex → base). Where transmural and axis are parallel,
/// at the apex, there is no circumferential direction: there x takes its place (y, should the
/// transmural direction be x). A transmural direction without length is taken as the axis.
pub fn helix(angle: f64, transmural: Vec3, axis: Vec3) -> Axes {
    let e_t = unit(transmural).unwrap_or(axis);
    let across = |d: Vec3| sub(d, scale(dot(d, e_t), e_t));
    let circumferential = cross(axis, e_t);
    let e_c = if dot(circumferential, circumferential) > 1e-12 {
        circumferential
    } else if e_t[0].abs() < 0.9 {
        across([1.0, 0.0, 0.0])
    } else {
        across([0.0, 1.0, 0.0])
    };
    // Once more orthogonal: near the apex the cross product cancels digits.
    let e_c = unit(e_c).map(across).and_then(unit).unwrap_or(e_t);
    let e_l = cross(e_t, e_c);
    let fibre = add(scale(angle.cos(), e_c), scale(angle.sin(), e_l));
    (unit(fibre).unwrap_or(e_c), e_t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::norm;

    #[test]
    fn angles_are_measured_from_the_circumference_towards_the_base() {
        let z = [0.0, 0.0, 1.0];
        let (f, s) = helix(60f64.to_radians(), [2.0, 0.0, 0.0], z);
        assert!(norm(sub(s, [1.0, 0.0, 0.0])) < 1e-15);
        assert!(norm(sub(f, [0.0, 0.5, 0.75f64.sqrt()])) < 1e-15);
    }

    #[test]
    fn axes_are_orthonormal_even_at_the_apex() {
        let z = [0.0, 0.0, 1.0];
        for tilt in [0.0, 1e-300, 1e-16, 1e-9, 9e-7, 1.1e-6, 1e-3, 1.0] {
            for transmural in [[tilt, -0.3 * tilt, -1.0], [0.2 * tilt, tilt, 1.0], [0.0; 3]] {
                let (f, s) = helix(0.7, transmural, z);
                assert!((norm(f) - 1.0).abs() < 1e-14, "{transmural:?}: {f:?}");
                assert!((norm(s) - 1.0).abs() < 1e-14, "{transmural:?}: {s:?}");
                assert!(dot(f, s).abs() < 1e-14, "{transmural:?}: {f:?} {s:?}");
            }
        }
    }

    #[test]
    fn the_angle_is_linear_and_clamped() {
        let angles = FibreAngles {
            endocardium: 50.0,
            epicardium: -70.0,
        };
        for (depth, degrees) in [
            (-1.0, 50.0),
            (0.0, 50.0),
            (0.25, 20.0),
            (1.0, -70.0),
            (3.0, -70.0),
        ] {
            assert!((angles.at(depth).to_degrees() - degrees).abs() < 1e-12);
        }
    }
}
