//! Local axes of the myocardium: made from gradients, turned by angles, blended.
//!
//! After J. D. Bayer, R. C. Blake, G. Plank, N. A. Trayanova, A novel rule-based algorithm for
//! assigning myocardial fiber orientation to computational heart models, Ann. Biomed. Eng. 40
//! (2012), with the transmural direction exact (there: the longitudinal one), so that fibres at a
//! surface lie in it.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use crate::tensor::{Vec3, dot, norm, scale, sub, unit};

/// Columns: circumferential e_c (in the end the fibre), longitudinal e_l (sheet), transmural e_t;
/// right-handed.
pub type Frame = Rotation3<f64>;

/// e_t along `transmural`, e_l along what of `longitudinal` is across it, e_c = e_l × e_t.
/// Where one of them vanishes or they are parallel, any axes with what there is.
pub fn frame(longitudinal: Vec3, transmural: Vec3) -> Frame {
    let across = |d: Vec3, e: Vec3| sub(d, scale(dot(d, e), e));
    let up = unit(longitudinal);
    let e_t = unit(transmural).unwrap_or_else(|| any_across(up.unwrap_or([0.0, 0.0, 1.0])));
    let e_l = up
        .map(|u| across(u, e_t))
        .filter(|l| norm(*l) > 1e-6)
        .and_then(unit)
        .map(|l| across(l, e_t))
        .and_then(unit)
        .unwrap_or_else(|| any_across(e_t));
    let (l, t) = (Vector3::from(e_l), Vector3::from(e_t));
    Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[l.cross(&t), l, t]))
}

/// A unit vector across the unit vector `e`.
fn any_across(e: Vec3) -> Vec3 {
    let d = if e[0].abs() < 0.9 {
        [1.0, 0.0, 0.0]
    } else {
        [0.0, 1.0, 0.0]
    };
    unit(sub(d, scale(dot(d, e), e))).unwrap_or(d)
}

/// Turned by the helix angle α about e_t, from e_c towards e_l, then by the sheet angle β about
/// the fibre: f = cos α e_c + sin α e_l, s = cos β (−sin α e_c + cos α e_l) − sin β e_t. Radians.
pub fn orient(frame: &Frame, alpha: f64, beta: f64) -> Frame {
    let about_transmural = Rotation3::from_axis_angle(&Vector3::z_axis(), alpha);
    let about_fibre = Rotation3::from_axis_angle(&Vector3::x_axis(), -beta);
    frame * about_transmural * about_fibre
}

/// From `a` (share 0) to `b` (share 1) on the shortest way, blind to the signs of the columns:
/// fibres are lines, so a frame turned by 180° about any of its axes is the same one.
pub fn blend(a: &Frame, b: &Frame, share: f64) -> Frame {
    let to = UnitQuaternion::from_rotation_matrix(b);
    let half_turns = [
        UnitQuaternion::identity(),
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI),
        UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f64::consts::PI),
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), std::f64::consts::PI),
    ];
    let from = UnitQuaternion::from_rotation_matrix(a);
    let nearness = |q: &UnitQuaternion<f64>| q.coords.dot(&to.coords).abs();
    let from = half_turns
        .map(|turn| from * turn)
        .into_iter()
        .max_by(|p, q| nearness(p).total_cmp(&nearness(q)))
        .unwrap_or(from);
    // At most 90° apart, so that the way is unique but for ties.
    from.slerp(&to, share).to_rotation_matrix()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right_handed(f: &Frame) -> bool {
        let m = f.matrix();
        (m.transpose() * m - Matrix3::identity()).amax() < 1e-13
            && (m.determinant() - 1.0).abs() < 1e-13
    }

    #[test]
    fn axes_of_a_wall() {
        let f = frame([0.1, 0.0, 3.0], [2.0, 0.0, 0.0]);
        let expected = Matrix3::new(0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0);
        assert!((f.matrix() - expected).amax() < 1e-15, "{f}");
        for (l, t) in [
            ([0.0, 0.0, 1.0], [0.0, 0.0, -2.0]),
            ([0.0; 3], [1.0, 2.0, 3.0]),
            ([1.0, 2.0, 3.0], [0.0; 3]),
            ([0.0; 3], [0.0; 3]),
            ([1.0, 1e-9, 0.0], [1.0, 0.0, 0.0]),
        ] {
            assert!(is_right_handed(&frame(l, t)), "{l:?} {t:?}");
        }
    }

    #[test]
    fn angles_turn_as_stated() {
        let f = frame([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]);
        let (alpha, beta) = (40f64.to_radians(), -65f64.to_radians());
        let turned = orient(&f, alpha, beta);
        let [c, l, t] = [0, 1, 2].map(|i| f.matrix().column(i).into_owned());
        let fibre = alpha.cos() * c + alpha.sin() * l;
        let sheet = beta.cos() * (-alpha.sin() * c + alpha.cos() * l) - beta.sin() * t;
        assert!((turned.matrix().column(0) - fibre).amax() < 1e-15);
        assert!((turned.matrix().column(1) - sheet).amax() < 1e-15);
        assert!(is_right_handed(&turned));
    }

    #[test]
    fn blending_is_linear_in_the_angle_and_blind_to_signs() {
        let f = frame([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]);
        let (a, b) = (orient(&f, 0.5, 0.0), orient(&f, -0.3, 0.0));
        let halfway = blend(&a, &b, 0.25);
        let expected = orient(&f, 0.3, 0.0);
        assert!((halfway.matrix() - expected.matrix()).amax() < 1e-14);
        // The same line elements, seen from the other side of the wall.
        let other = Rotation3::from_axis_angle(&Vector3::y_axis(), std::f64::consts::PI);
        let blended = blend(&(a * other), &b, 0.25);
        let alike = blended.matrix().transpose() * expected.matrix();
        for i in 0..3 {
            assert!((alike[(i, i)].abs() - 1.0).abs() < 1e-14, "{alike}");
        }
        for share in [0.0, 1.0] {
            let end = blend(&a, &b, share);
            let expected = if share == 0.0 { &a } else { &b };
            assert!((end.matrix() - expected.matrix()).amax() < 1e-14);
        }
    }
}
