//! Pictures in time: an animated GIF with one palette for all.

use std::collections::HashMap;

use gif::{Encoder, Frame, Repeat};

use super::canvas::Image;
use super::colours::{BLACK, Colour, ColourMap, NO_VALUE, WHITE, mix};
use crate::error::{Error, Result};

/// Colours of the map in the palette, in all their shades; the other ones are greys.
const OF_MAP: usize = 200;

/// Brightness of colours on surfaces.
const SHADES: [f64; 5] = [1.0, 0.93, 0.85, 0.76, 0.62];

/// An animation being written.
pub struct Animation {
    encoder: Encoder<Vec<u8>>,
    size: [usize; 2],
    palette: Vec<Colour>,
    nearest: HashMap<Colour, u8>,
    /// Hundredths of a second.
    delay: u16,
}

impl Animation {
    /// Of pictures of `width` × `height` pixels in colours of `map` and greys, each `seconds` long;
    /// `shaded`: of surfaces.
    pub fn new(
        width: usize,
        height: usize,
        map: ColourMap,
        shaded: bool,
        seconds: f64,
    ) -> Result<Self> {
        let shades = if shaded { &SHADES[..] } else { &SHADES[..1] };
        let steps = OF_MAP / shades.len();
        let at = |i: usize| map.at(i as f64 / (steps - 1) as f64);
        let colours = (0..steps).flat_map(|i| shades.iter().map(move |s| mix(BLACK, at(i), *s)));
        let greys = 256 - OF_MAP - 1;
        let greys = (0..greys).map(|i| mix(BLACK, WHITE, i as f64 / (greys - 1) as f64));
        let palette: Vec<Colour> = colours.chain([NO_VALUE]).chain(greys).collect();
        let small = |n: usize| {
            u16::try_from(n).map_err(|_| Error::Usage {
                problem: format!("an animation {n} pixels wide or high"),
                remedy: "choose a smaller --width: a GIF has at most 65535".into(),
            })
        };
        let (w, h) = (small(width)?, small(height)?);
        let mut encoder = Encoder::new(Vec::new(), w, h, palette.as_flattened()).map_err(bug)?;
        encoder.set_repeat(Repeat::Infinite).map_err(bug)?;
        Ok(Self {
            encoder,
            size: [width, height],
            palette,
            nearest: HashMap::new(),
            delay: (100.0 * seconds).round().clamp(2.0, 6000.0) as u16,
        })
    }

    /// Adds a picture.
    pub fn push(&mut self, image: &Image) -> Result<()> {
        let (pixels, _) = image.rgb.as_chunks::<3>();
        let indices: Vec<u8> = pixels.iter().map(|pixel| self.index(*pixel)).collect();
        let [width, height] = self.size.map(|n| n as u16);
        let frame = Frame {
            delay: self.delay,
            ..Frame::from_indexed_pixels(width, height, indices, None)
        };
        self.encoder.write_frame(&frame).map_err(bug)
    }

    /// The bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.encoder
            .into_inner()
            .map_err(|e| Error::Bug(format!("GIF: {e}")))
    }

    /// The colour of the palette nearest to `colour`.
    fn index(&mut self, colour: Colour) -> u8 {
        let palette = &self.palette;
        *self.nearest.entry(colour).or_insert_with(|| {
            let distance = |other: &Colour| -> i32 {
                let along = |i: usize| i32::from(other[i]) - i32::from(colour[i]);
                (0..3).map(|i| along(i) * along(i)).sum()
            };
            let best = palette
                .iter()
                .enumerate()
                .min_by_key(|(_, other)| distance(other));
            best.map_or(0, |(i, _)| i as u8)
        })
    }
}

fn bug(e: gif::EncodingError) -> Error {
    Error::Bug(format!("GIF: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_animation_holds_its_pictures() {
        let mut animation = Animation::new(4, 2, ColourMap::Viridis, false, 0.1).unwrap();
        let low = ColourMap::Viridis.at(0.0);
        for colour in [low, WHITE] {
            let image = Image {
                width: 4,
                height: 2,
                rgb: [colour; 8].as_flattened().to_vec(),
            };
            animation.push(&image).unwrap();
        }
        let bytes = animation.finish().unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(&bytes[..]).unwrap();
        let mut seen = vec![];
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            seen.push((
                frame.delay,
                [frame.buffer[0], frame.buffer[1], frame.buffer[2]],
            ));
        }
        assert_eq!(seen, [(10, low), (10, WHITE)]);
    }
}
