//! What is drawn on: pixels, lines and text, larger than the picture and averaged for smooth edges.

use std::sync::LazyLock;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};

use super::colours::Colour;
use crate::error::{Error, Result};

/// Pixels drawn for each pixel of the picture and direction.
const OVERSAMPLING: usize = 2;

/// Width of the pictures that lengths in points are meant for.
const POINTS_WIDE: f64 = 1200.0;

/// The font that is part of the program: no machine needs one.
const FONT: &str = "DejaVu Sans";

static REGISTERED: LazyLock<bool> = LazyLock::new(|| {
    let bytes = include_bytes!("fonts/DejaVuSans.ttf");
    register_font(FONT, FontStyle::Normal, bytes).is_ok()
});

/// Where plotters draws.
pub type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// What drawing there returns.
pub type Drawn =
    Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    pub left: i32,
    pub top: i32,
    pub width: i32,
    pub height: i32,
}

impl Rectangle {
    pub fn right(&self) -> i32 {
        self.left + self.width
    }

    pub fn bottom(&self) -> i32 {
        self.top + self.height
    }

    /// Without `by` pixels at the left, top, right and bottom.
    pub fn without(&self, [left, top, right, bottom]: [i32; 4]) -> Self {
        Self {
            left: self.left + left,
            top: self.top + top,
            width: (self.width - left - right).max(1),
            height: (self.height - top - bottom).max(1),
        }
    }

    /// `rows` × `columns` equal parts, row by row.
    pub fn parts(&self, rows: usize, columns: usize) -> Vec<Self> {
        let at = |extent: i32, i: usize, of: usize| (extent as i64 * i as i64 / of as i64) as i32;
        let part = |i: usize| {
            let (row, column) = (i / columns, i % columns);
            let (left, top) = (at(self.width, column, columns), at(self.height, row, rows));
            Self {
                left: self.left + left,
                top: self.top + top,
                width: at(self.width, column + 1, columns) - left,
                height: at(self.height, row + 1, rows) - top,
            }
        };
        (0..rows * columns).map(part).collect()
    }
}

/// How a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Centre,
    Right,
    /// Centred, reading upwards.
    Upwards,
}

/// A picture being drawn.
pub struct Canvas {
    size: [usize; 2],
    pixels: Vec<u8>,
}

impl Canvas {
    /// A white picture of `width` × `height` pixels.
    pub fn new(width: usize, height: usize) -> Self {
        // Before the first font is asked for.
        LazyLock::force(&REGISTERED);
        let size = [width * OVERSAMPLING, height * OVERSAMPLING];
        Self {
            size,
            pixels: vec![255; 3 * size[0] * size[1]],
        }
    }

    /// Height of the picture, pixels.
    pub fn image_height(&self) -> usize {
        self.size[1] / OVERSAMPLING
    }

    /// Pixels drawn, all of them.
    pub fn whole(&self) -> Rectangle {
        Rectangle {
            left: 0,
            top: 0,
            width: self.size[0] as i32,
            height: self.size[1] as i32,
        }
    }

    /// Pixels drawn for a length in points, of which a picture is 1,200 wide.
    pub fn points(&self, length: f64) -> i32 {
        (length * self.size[0] as f64 / POINTS_WIDE).round() as i32
    }

    /// Lets plotters draw within `on`.
    pub fn draw(&mut self, on: Rectangle, paint: impl FnOnce(&Area) -> Drawn) -> Result<()> {
        if !*REGISTERED {
            return Err(Error::Bug("the font cannot be read".into()));
        }
        let size = (self.size[0] as u32, self.size[1] as u32);
        let all = BitMapBackend::with_buffer(&mut self.pixels, size).into_drawing_area();
        let area = all.shrink((on.left, on.top), (on.width, on.height));
        paint(&area).map_err(|e| Error::Bug(format!("drawing: {e}")))
    }

    /// Gives pixels of `on` a colour where `colour` (of x and y within it) gives one.
    pub fn paint(&mut self, on: Rectangle, colour: impl Fn(usize, usize) -> Option<Colour>) {
        for y in 0..on.height as usize {
            for x in 0..on.width as usize {
                let (left, top) = (on.left + x as i32, on.top + y as i32);
                let inside = left >= 0
                    && top >= 0
                    && (left as usize) < self.size[0]
                    && (top as usize) < self.size[1];
                if let (true, Some(colour)) = (inside, colour(x, y)) {
                    let at = 3 * (top as usize * self.size[0] + left as usize);
                    self.pixels[at..at + 3].copy_from_slice(&colour);
                }
            }
        }
    }

    /// Writes `text` of `size` points with its middle line at `y`, and its begin, middle or end at `x`.
    pub fn text(
        &mut self,
        [x, y]: [i32; 2],
        size: f64,
        anchor: Anchor,
        colour: Colour,
        text: &str,
    ) -> Result<()> {
        let style = self.text_style(size, anchor, colour);
        // What plotters takes for the middle is above that of the letters.
        let lower = self.points(0.1 * size);
        let place = match anchor {
            Anchor::Upwards => (x + lower, y),
            _ => (x, y + lower),
        };
        let element = Text::new(text.to_string(), place, style);
        self.draw(self.whole(), |area| area.draw(&element))
    }

    /// Width of `text` of `size` points, in pixels drawn.
    pub fn text_width(&self, size: f64, text: &str) -> i32 {
        let size = self.points(size);
        let known = *REGISTERED;
        let layout = known.then(|| (FONT, size).into_font().box_size(text).ok());
        layout.flatten().map_or(0, |(width, _)| width as i32)
    }

    fn text_style(&self, size: f64, anchor: Anchor, colour: Colour) -> TextStyle<'static> {
        let font = self.font(size);
        let (horizontal, font) = match anchor {
            Anchor::Left => (HPos::Left, font),
            Anchor::Centre => (HPos::Center, font),
            Anchor::Right => (HPos::Right, font),
            Anchor::Upwards => (HPos::Center, font.transform(FontTransform::Rotate270)),
        };
        TextStyle {
            font,
            color: rgb(colour).to_backend_color(),
            pos: Pos::new(horizontal, VPos::Center),
        }
    }

    /// The font for text of `size` points.
    pub fn font(&self, size: f64) -> FontDesc<'static> {
        FontDesc::new(
            FontFamily::Name(FONT),
            f64::from(self.points(size)),
            FontStyle::Normal,
        )
    }

    /// The picture: the mean of the pixels drawn.
    pub fn image(&self) -> Image {
        let [width, height] = self.size.map(|n| n / OVERSAMPLING);
        let mut rgb = Vec::with_capacity(3 * width * height);
        let square = OVERSAMPLING * OVERSAMPLING;
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    let sum: usize = (0..square)
                        .map(|i| {
                            let row = y * OVERSAMPLING + i / OVERSAMPLING;
                            let column = x * OVERSAMPLING + i % OVERSAMPLING;
                            usize::from(self.pixels[3 * (row * self.size[0] + column) + channel])
                        })
                        .sum();
                    rgb.push(((sum + square / 2) / square) as u8);
                }
            }
        }
        Image { width, height, rgb }
    }
}

/// Colour of plotters.
pub fn rgb([r, g, b]: Colour) -> RGBColor {
    RGBColor(r, g, b)
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub width: usize,
    pub height: usize,
    /// Row by row from the top, three bytes each.
    pub rgb: Vec<u8>,
}

impl Image {
    /// The colour at column `x` and row `y`.
    pub fn pixel(&self, x: usize, y: usize) -> Colour {
        let at = 3 * (y * self.width + x);
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// Bytes of a PNG file.
    pub fn png(&self) -> Result<Vec<u8>> {
        let bug = |e: png::EncodingError| Error::Bug(format!("PNG: {e}"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header().map_err(bug)?;
        writer.write_image_data(&self.rgb).map_err(bug)?;
        writer.finish().map_err(bug)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::colours::{self, BLACK};

    #[test]
    fn what_is_painted_is_in_the_png() {
        let mut canvas = Canvas::new(40, 20);
        let half = canvas.whole().parts(1, 2)[1];
        canvas.paint(half, |_, y| (y < 20).then_some([10, 200, 30]));
        let image = canvas.image();
        let bytes = image.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut decoded).unwrap();
        assert_eq!((info.width, info.height), (40, 20));
        assert_eq!(decoded, image.rgb);
        assert_eq!(image.pixel(19, 5), colours::WHITE);
        assert_eq!(image.pixel(20, 5), [10, 200, 30]);
        assert_eq!(image.pixel(20, 10), colours::WHITE);
    }

    #[test]
    fn the_font_has_the_signs_of_our_texts() {
        for sign in "AZaz09γφΔμ²⁰¹³⁴⁵⁹⁻×·−°µ|()/,.".chars() {
            let mut canvas = Canvas::new(100, 20);
            let text = sign.to_string();
            canvas
                .text([100, 20], 150.0, Anchor::Centre, BLACK, &text)
                .unwrap();
            let dark = canvas.image().rgb.iter().filter(|c| **c < 220).count();
            assert!(dark > 0, "{sign}");
        }
    }

    #[test]
    fn text_is_drawn_where_it_is_put() {
        let mut canvas = Canvas::new(1200, 100);
        canvas
            .text([1200, 100], 20.0, Anchor::Centre, BLACK, "γ (ms²)")
            .unwrap();
        let image = canvas.image();
        let dark: Vec<usize> = (0..1200 * 100)
            .filter(|i| image.pixel(i % 1200, i / 1200)[0] < 128)
            .collect();
        let (left, right) = (
            dark.iter().map(|i| i % 1200).min().unwrap(),
            dark.iter().map(|i| i % 1200).max().unwrap(),
        );
        assert!(
            left > 500 && right < 700 && (left + right).abs_diff(1200) < 12,
            "{left} {right}"
        );
        let (top, bottom) = (dark[0] / 1200, dark[dark.len() - 1] / 1200);
        assert!(top > 35 && bottom < 65, "{top} {bottom}");
        let width = canvas.text_width(20.0, "γ (ms²)") as usize / 2;
        assert!(width.abs_diff(right - left) < 10, "{width} {left} {right}");
    }
}
