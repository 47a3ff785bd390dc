//! Triangles → pixels: an orthographic projection with a depth for each pixel.

use super::canvas::Rectangle;
use super::scene::Scene;
use super::view::{Plane, View};
use crate::tensor::{Vec3, dot, norm, sub};

/// Mark of a pixel that shows nothing.
pub const NOTHING: u32 = u32::MAX;

/// What each pixel of a rectangle shows.
#[derive(Debug, Clone)]
pub struct Raster {
    pub width: usize,
    pub height: usize,
    /// Number of the cell or tetrahedron; [`NOTHING`].
    pub owner: Vec<u32>,
    /// The value there; NaN where there is none.
    pub value: Vec<f64>,
    /// How fast the value changes, per pixel.
    pub slope: Vec<f64>,
    /// Brightness, 0 to 1.
    pub shade: Vec<f64>,
}

/// From millimetres to pixels.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    /// Pixels per millimetre.
    pub scale: f64,
    /// Seen coordinates (right, up) of the middle of the rectangle.
    pub middle: [f64; 2],
}

impl Projection {
    /// The largest scale at which the points of each view fit into `width` × `height` pixels; and
    /// for each view the middle.
    pub fn fit(points: &[Vec<Vec3>], views: &[View], width: i32, height: i32) -> Vec<Self> {
        let boxes: Vec<[[f64; 2]; 2]> = (views.iter().zip(points))
            .map(|(view, points)| {
                let mut sides = [[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]];
                for p in points {
                    let seen = view.seen(*p);
                    for i in 0..2 {
                        sides[0][i] = sides[0][i].min(seen[i]);
                        sides[1][i] = sides[1][i].max(seen[i]);
                    }
                }
                sides
            })
            .collect();
        let extent = |i: usize| {
            let of_box = |b: &[[f64; 2]; 2]| b[1][i] - b[0][i];
            boxes.iter().map(of_box).fold(f64::MIN_POSITIVE, f64::max)
        };
        let scale = (f64::from(width) / extent(0)).min(f64::from(height) / extent(1));
        let middle = |b: &[[f64; 2]; 2]| [0, 1].map(|i| 0.5 * (b[0][i] + b[1][i]));
        boxes
            .iter()
            .map(|b| Self {
                scale,
                middle: middle(b),
            })
            .collect()
    }

    /// Where a point lies on a rectangle of `width` × `height` pixels: x, y and its depth (towards
    /// the viewer, mm).
    pub fn place(&self, view: &View, point: Vec3, [width, height]: [usize; 2]) -> Vec3 {
        let [x, y, depth] = view.seen(point);
        [
            0.5 * width as f64 + self.scale * (x - self.middle[0]),
            0.5 * height as f64 - self.scale * (y - self.middle[1]),
            depth,
        ]
    }
}

/// What `scene`, with `values` at its vertices, shows from `view` on `on`, without what lies before
/// `plane`. Both sides of a triangle are shown.
pub fn rasterise(
    scene: &Scene,
    values: &[f64],
    view: &View,
    plane: Option<&Plane>,
    projection: Projection,
    on: Rectangle,
) -> Raster {
    let (width, height) = (on.width as usize, on.height as usize);
    let mut raster = Raster {
        width,
        height,
        owner: vec![NOTHING; width * height],
        value: vec![f64::NAN; width * height],
        slope: vec![0.0; width * height],
        shade: vec![1.0; width * height],
    };
    let mut depth = vec![f64::NEG_INFINITY; width * height];
    let seen: Vec<Vec3> = (scene.points.iter())
        .map(|p| projection.place(view, *p, [width, height]))
        .collect();
    let heights: Vec<f64> = match plane {
        Some(plane) => scene.points.iter().map(|p| plane.height(*p)).collect(),
        None => vec![],
    };
    for (t, triangle) in scene.triangles.iter().enumerate() {
        let corners = triangle.map(|v| v as usize);
        let [a, b, c] = corners.map(|v| seen[v]);
        let (u, v) = (sub(b, a), sub(c, a));
        let area = u[0] * v[1] - u[1] * v[0];
        if area.abs() < 1e-12 {
            continue;
        }
        let cut = (!heights.is_empty() && !scene.in_cut[t]).then(|| corners.map(|v| heights[v]));
        let of = corners.map(|v| values[v]);
        // ∇(value) on the picture.
        let (d, e) = (of[1] - of[0], of[2] - of[0]);
        let slope = [(d * v[1] - e * u[1]) / area, (e * u[0] - d * v[0]) / area];
        let slope = slope[0].hypot(slope[1]);
        let shades = scene.normals[t].map(|normal| brightness(normal, view));
        let range = |i: usize, limit: usize| {
            let (low, high) = (a[i].min(b[i]).min(c[i]), a[i].max(b[i]).max(c[i]));
            let first = (low - 0.5).ceil().max(0.0) as usize;
            first..((high + 0.5).floor().max(0.0) as usize).min(limit)
        };
        for y in range(1, height) {
            for x in range(0, width) {
                // At the middle of the pixel.
                let p = [x as f64 + 0.5 - a[0], y as f64 + 0.5 - a[1]];
                let l1 = (p[0] * v[1] - p[1] * v[0]) / area;
                let l2 = (u[0] * p[1] - u[1] * p[0]) / area;
                let l = [1.0 - l1 - l2, l1, l2];
                // A little beyond the edges, so that no pixel falls between two triangles.
                if l.iter().any(|l| *l < -1e-9) {
                    continue;
                }
                let mean = |of: [f64; 3]| l[0] * of[0] + l[1] * of[1] + l[2] * of[2];
                if cut.is_some_and(|cut| mean(cut) > 0.0) {
                    continue;
                }
                let (at, z) = (y * width + x, mean([a[2], b[2], c[2]]));
                if z <= depth[at] {
                    continue;
                }
                depth[at] = z;
                raster.owner[at] = scene.owners[t];
                raster.value[at] = mean(of);
                raster.slope[at] = slope;
                raster.shade[at] = mean(shades);
            }
        }
    }
    raster
}

/// Light from the upper left, in front; the inner side of a surface is darker. Little contrast, for
/// colours to be compared with their bar.
fn brightness(normal: Vec3, view: &View) -> f64 {
    const LIGHT: Vec3 = [-0.4, 0.5, 0.77];
    let seen = view.seen(normal);
    let (side, inside) = if seen[2] < 0.0 {
        (-1.0, 0.85)
    } else {
        (1.0, 1.0)
    };
    let lit = 0.5 + 0.5 * side * dot(LIGHT, seen) / norm(LIGHT);
    inside * (0.66 + 0.34 * lit)
}

impl Raster {
    /// How much of each pixel a line of `width` pixels covers that runs where the value is a
    /// multiple of `step`.
    pub fn isoline(&self, at: usize, step: f64, width: f64) -> f64 {
        let (value, slope) = (self.value[at], self.slope[at]);
        if !value.is_finite() || slope <= 0.0 {
            return 0.0;
        }
        let distance = (value - (value / step).round() * step).abs() / slope;
        (0.5 * width + 0.5 - distance).clamp(0.0, 1.0)
    }

    /// Whether the pixel lies on the boundary of two groups of cells, or of a group and nothing:
    /// within `reach` pixels to the right or below.
    pub fn is_boundary(&self, at: usize, reach: usize, group: impl Fn(u32) -> u32) -> bool {
        let of = |at: usize| match self.owner[at] {
            NOTHING => NOTHING,
            owner => group(owner),
        };
        let (x, y) = (at % self.width, at / self.width);
        let here = of(at);
        (1..=reach).any(|d| {
            (x + d < self.width && of(at + d) != here)
                || (y + d < self.height && of(at + d * self.width) != here)
        })
    }

    /// Whether nothing is seen `reach` pixels to the left, right, above or below.
    pub fn is_rim(&self, at: usize, reach: usize) -> bool {
        let (x, y) = ((at % self.width) as i64, (at / self.width) as i64);
        let nothing = |x: i64, y: i64| {
            let inside =
                (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
            !inside || self.owner[y as usize * self.width + x as usize] == NOTHING
        };
        let reach = reach as i64;
        let around = [(-reach, 0), (reach, 0), (0, -reach), (0, reach)];
        around.into_iter().any(|(dx, dy)| nothing(x + dx, y + dy))
    }

    /// For each group that is seen, the pixel farthest from its boundary, and how far that is.
    pub fn middles(&self, group: impl Fn(u32) -> u32) -> Vec<(u32, [usize; 2], f64)> {
        let of = |owner: u32| {
            if owner == NOTHING {
                NOTHING
            } else {
                group(owner)
            }
        };
        let groups: Vec<u32> = self.owner.iter().map(|o| of(*o)).collect();
        // Chamfer distance to the next pixel of another group: 1 to a side, √2 to a corner.
        let (w, h) = (self.width as i64, self.height as i64);
        let mut distance = vec![f64::INFINITY; groups.len()];
        let forward = [(-1, 0, 1.0), (0, -1, 1.0), (-1, -1, 1.414), (1, -1, 1.414)];
        for back in [false, true] {
            for i in 0..groups.len() {
                let i = if back { groups.len() - 1 - i } else { i };
                let (x, y) = (i as i64 % w, i as i64 / w);
                for (dx, dy, length) in forward {
                    let (dx, dy) = if back { (-dx, -dy) } else { (dx, dy) };
                    let (nx, ny) = (x + dx, y + dy);
                    let outside = nx < 0 || ny < 0 || nx >= w || ny >= h;
                    let other = (ny * w + nx) as usize;
                    let through = if outside || groups[other] != groups[i] {
                        1.0
                    } else {
                        distance[other] + length
                    };
                    distance[i] = distance[i].min(through);
                }
            }
        }
        let mut best = std::collections::BTreeMap::new();
        for (i, group) in groups.iter().enumerate().filter(|(_, g)| **g != NOTHING) {
            let place = best.entry(*group).or_insert((i, distance[i]));
            if distance[i] > place.1 {
                *place = (i, distance[i]);
            }
        }
        best.into_iter()
            .map(|(group, (i, far))| (group, [i % self.width, i / self.width], far))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::kuhn;

    fn seen(plane: Option<Plane>, view: &str, values: impl Fn(Vec3) -> f64) -> Raster {
        let mesh = kuhn([1.0; 3], [1; 3]);
        let view: View = view.parse().unwrap();
        let scene = Scene::of_mesh(&mesh, plane.as_ref()).unwrap();
        let values: Vec<f64> = mesh.points.iter().map(|p| values(*p)).collect();
        let on = Rectangle {
            left: 0,
            top: 0,
            width: 100,
            height: 100,
        };
        let points = [scene.points.clone()];
        let projection = Projection::fit(&points, std::slice::from_ref(&view), 100, 100)[0];
        rasterise(
            &scene,
            &scene.at_vertices(&values),
            &view,
            plane.as_ref(),
            projection,
            on,
        )
    }

    #[test]
    fn a_linear_field_is_linear_in_the_picture() {
        // From the front (−y): x to the right, z upwards; the middle of pixel (i, j) is at
        // x = (i + ½)/100, z = 1 − (j + ½)/100.
        let raster = seen(None, "front", |[x, _, z]| 3.0 * x + 10.0 * z);
        assert!(
            raster.owner.iter().all(|o| *o != NOTHING),
            "the cube fills the picture"
        );
        for (i, j) in [(0, 0), (99, 50), (37, 12), (50, 99)] {
            let exact = 3.0 * (i as f64 + 0.5) / 100.0 + 10.0 * (1.0 - (j as f64 + 0.5) / 100.0);
            assert!((raster.value[j * 100 + i] - exact).abs() < 1e-9, "{i} {j}");
        }
        let slope = 3f64.hypot(10.0) / 100.0;
        assert!(raster.slope.iter().all(|s| (s - slope).abs() < 1e-9));
    }

    #[test]
    fn isolines_run_at_multiples_of_their_step() {
        // x = 0.4 and 0.8 lie between the pixels 39 | 40 and 79 | 80.
        let raster = seen(None, "front", |[x, ..]| x);
        let row: Vec<usize> = (1..99)
            .filter(|x| raster.isoline(5000 + x, 0.4, 2.0) > 0.9)
            .collect();
        assert_eq!(row, [39, 40, 79, 80]);
    }

    #[test]
    fn the_nearest_face_is_seen_and_a_plane_takes_it_away() {
        // Of y, the front shows 0; cut at y = ¼, the cut.
        let whole = seen(None, "front", |[_, y, _]| y);
        assert!(whole.value.iter().all(|v| v.abs() < 1e-9));
        let plane: Plane = "y=0.25".parse().unwrap();
        let cut = seen(
            Some(plane.facing(&"front".parse().unwrap())),
            "front",
            |[_, y, _]| y,
        );
        assert!(cut.value.iter().all(|v| (v - 0.25).abs() < 1e-9));
        let back = seen(
            Some(plane.facing(&"back".parse().unwrap())),
            "back",
            |[_, y, _]| y,
        );
        assert!(back.value.iter().all(|v| (v - 0.25).abs() < 1e-9));
    }

    #[test]
    fn a_triangle_without_a_value_is_blank() {
        let raster = seen(
            None,
            "front",
            |[x, ..]| if x > 0.5 { f64::INFINITY } else { 1.0 },
        );
        assert!(raster.value.iter().all(|v| v.is_nan()));
        assert!(raster.owner.iter().all(|o| *o != NOTHING));
    }

    #[test]
    fn names_stand_in_the_middle_of_their_group() {
        // Two halves, 30 and 70 wide.
        let mut raster = seen(None, "front", |_| 0.0);
        for (i, owner) in raster.owner.iter_mut().enumerate() {
            *owner = u32::from(i % 100 >= 30);
        }
        let middles = raster.middles(|owner| owner);
        assert_eq!(middles.len(), 2);
        assert!((14..=15).contains(&middles[0].1[0]), "{middles:?}");
        assert!((60..=68).contains(&middles[1].1[0]), "{middles:?}");
        let edge: Vec<usize> = (0..100)
            .filter(|x| raster.is_boundary(5000 + x, 1, |o| o))
            .collect();
        assert_eq!(edge, [29]);
    }

    #[test]
    fn voxels_show_their_outer_faces() {
        // Two of four cells, x = 1 and 2; values 5 and 7.
        let active = [false, true, true, false];
        let scene = Scene::of_voxels([1, 1, 4], [1.0; 3], [0.0; 3], &active, None);
        assert_eq!(scene.triangles.len(), 2 * 10);
        let at = scene.at_vertices(&[f64::NAN, 5.0, 7.0, f64::NAN]);
        let mean_at = |x: f64| {
            let of = scene.points.iter().zip(&at).filter(|(p, _)| p[0] == x);
            of.map(|(_, v)| *v).collect::<Vec<_>>()
        };
        assert_eq!(mean_at(1.0), [5.0; 4]);
        assert_eq!(mean_at(2.0), [6.0; 4]);
        assert_eq!(mean_at(3.0), [7.0; 4]);
        // Outward: the divergence theorem gives the volume.
        let volume: f64 = (scene.triangles.iter())
            .map(|t| {
                let [a, b, c] = t.map(|v| scene.points[v as usize]);
                dot(a, crate::tensor::cross(sub(b, a), sub(c, a))) / 6.0
            })
            .sum();
        assert!((volume - 2.0).abs() < 1e-12, "{volume}");
    }
}
