//! From where a mesh is seen, and where it is cut.

use std::str::FromStr;

use crate::tensor::{Vec3, cross, dot, norm, scale, unit};

/// A direction of view, orthographic. z points upwards.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What the user called it.
    pub name: String,
    /// Unit vector from the mesh to the viewer.
    pub toward: Vec3,
    /// Unit vectors to the right and upwards in the picture.
    pub right: Vec3,
    pub up: Vec3,
}

impl View {
    /// `azimuth` about z from the x axis and `elevation` above the xy plane, degrees.
    pub fn from_angles(name: &str, azimuth: f64, elevation: f64) -> Self {
        let (sin_a, cos_a) = azimuth.to_radians().sin_cos();
        let (sin_e, cos_e) = elevation.to_radians().sin_cos();
        let toward = [cos_e * cos_a, cos_e * sin_a, sin_e];
        let right = [-sin_a, cos_a, 0.0];
        Self {
            name: name.into(),
            toward,
            right,
            up: cross(toward, right),
        }
    }

    /// Right, up and towards the viewer.
    pub fn seen(&self, point: Vec3) -> Vec3 {
        [self.right, self.up, self.toward].map(|axis| dot(axis, point))
    }
}

impl FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (azimuth, elevation) = match text {
            "front" => (-90.0, 0.0),
            "back" => (90.0, 0.0),
            "left" => (180.0, 0.0),
            "right" => (0.0, 0.0),
            "top" => (-90.0, 90.0),
            "bottom" => (-90.0, -90.0),
            angles => {
                let numbers = angles.split_once(',').and_then(|(a, e)| {
                    let angle = |text: &str| text.trim().parse::<f64>().ok();
                    angle(a)
                        .zip(angle(e))
                        .filter(|(a, e)| a.is_finite() && e.abs() <= 90.0)
                });
                numbers.ok_or(
                    "one of front, back, left, right, top, bottom, or AZIMUTH,ELEVATION in degrees \
                     (elevation within 90)",
                )?
            }
        };
        Ok(Self::from_angles(text, azimuth, elevation))
    }
}

/// The plane normal · x = offset, mm; the half towards the viewer is taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// Unit vector.
    pub normal: Vec3,
    pub offset: f64,
}

impl Plane {
    /// Distance of `point` from the plane, along its normal.
    pub fn height(&self, point: Vec3) -> f64 {
        dot(self.normal, point) - self.offset
    }

    /// What is constant on the plane: x, y, z, or the normal vector.
    pub fn coordinate(&self) -> String {
        match self.normal {
            [1.0, 0.0, 0.0] => "x".into(),
            [0.0, 1.0, 0.0] => "y".into(),
            [0.0, 0.0, 1.0] => "z".into(),
            [x, y, z] => format!("{x:.3},{y:.3},{z:.3}"),
        }
    }

    /// The same plane with the normal on the viewer's side.
    pub fn facing(&self, view: &View) -> Self {
        if dot(self.normal, view.toward) >= 0.0 {
            *self
        } else {
            Self {
                normal: scale(-1.0, self.normal),
                offset: -self.offset,
            }
        }
    }
}

impl FromStr for Plane {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "x=MM, y=MM, z=MM, or NX,NY,NZ=MM with a normal vector";
        let (normal, offset) = text.split_once('=').ok_or(wrong)?;
        let normal = match normal.trim() {
            "x" => [1.0, 0.0, 0.0],
            "y" => [0.0, 1.0, 0.0],
            "z" => [0.0, 0.0, 1.0],
            vector => {
                let numbers: Vec<f64> = vector
                    .split(',')
                    .map(|n| n.trim().parse().map_err(|_| wrong))
                    .collect::<Result<_, _>>()?;
                <[f64; 3]>::try_from(numbers).map_err(|_| wrong)?
            }
        };
        let offset: f64 = offset.trim().parse().map_err(|_| wrong)?;
        match unit(normal) {
            Some(direction) if offset.is_finite() && norm(normal).is_finite() => Ok(Self {
                normal: direction,
                offset,
            }),
            _ => Err(wrong.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_right_handed() {
        for name in [
            "front", "back", "left", "right", "top", "bottom", "-120,25", "33,-60",
        ] {
            let view: View = name.parse().unwrap();
            let [r, u, t] = [view.right, view.up, view.toward];
            assert!(
                norm([0, 1, 2].map(|i| cross(r, u)[i] - t[i])) < 1e-12,
                "{name}"
            );
            assert!((norm(r) - 1.0).abs() < 1e-12 && dot(r, u).abs() < 1e-12);
            assert!(
                view.up[2] >= -1e-12 && view.right[2].abs() < 1e-12,
                "z points upwards"
            );
        }
        // From the front (−y) x runs to the right, and so it does from the top.
        for name in ["front", "top"] {
            let seen = name.parse::<View>().unwrap().seen([1.0, 0.0, 0.0]);
            assert!((seen[0] - 1.0).abs() < 1e-12, "{name} {seen:?}");
        }
        for wrong in ["fornt", "1", "0,91", "0,x", "nan,0"] {
            assert!(wrong.parse::<View>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn planes_are_read_and_face_the_viewer() {
        let plane: Plane = "0,3,4=10".parse().unwrap();
        assert!((plane.height([0.0, 6.0, 8.0])).abs() < 1e-12);
        assert_eq!(
            "z=-5".parse::<Plane>().unwrap().height([1.0, 1.0, -4.0]),
            1.0
        );
        let below = "-90,-30".parse::<View>().unwrap();
        let facing = "z=-5".parse::<Plane>().unwrap().facing(&below);
        assert_eq!(facing.height([1.0, 1.0, -4.0]), -1.0);
        for wrong in ["z", "z=", "0,0,0=1", "1,2=3", "w=1", "z=inf"] {
            assert!(wrong.parse::<Plane>().is_err(), "{wrong}");
        }
    }
}
