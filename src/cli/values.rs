//! Values of options, from their text; an error says what would be right.

use super::pictures::Range;
use crate::device::DeviceChoice;
use crate::monodomain::options::Spacing;
use crate::units::LengthUnit;

pub(super) fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write section.key=value".into()),
    }
}

/// NAME=FILE
pub(super) fn name_and_file(text: &str) -> Result<(String, String), String> {
    let pair = key_and_value(text).ok();
    let pair = pair.filter(|(_, file)| !file.is_empty());
    pair.ok_or_else(|| "write a name, an equals sign, and the file".into())
}

/// One positive number, or three.
pub(super) fn spacing(text: &str) -> Result<Spacing, String> {
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(h) if h.is_finite() && h > 0.0 => Ok(h),
        _ => Err(format!("{part:?} is no positive number of millimetres")),
    };
    let numbers = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
    match numbers[..] {
        [h] => Ok(Spacing::Same(h)),
        [_, _, _] => Ok(Spacing::PerAxis(numbers)),
        _ => Err("give one number, or three: Z,Y,X".into()),
    }
}

pub(super) fn angle(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(degrees) if degrees.is_finite() => Ok(degrees),
        _ => Err("a number of degrees".into()),
    }
}

/// Three numbers, not all 0.
pub(super) fn direction(text: &str) -> Result<[f64; 3], String> {
    let numbers: Option<Vec<f64>> = (text.split(','))
        .map(|part| part.trim().parse().ok().filter(|x: &f64| x.is_finite()))
        .collect();
    match numbers.as_deref() {
        Some(&[x, y, z]) if [x, y, z] != [0.0; 3] => Ok([x, y, z]),
        _ => Err("give three numbers that are not all 0: X,Y,Z".into()),
    }
}

/// A number, 0 or more.
pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err(format!("{text:?} is no number ≥ 0")),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("a whole number, at least 1".into()),
    }
}

pub(super) fn device(text: &str) -> Result<DeviceChoice, String> {
    [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda]
        .into_iter()
        .find(|device| device.name() == text)
        .ok_or_else(|| "one of auto, cpu, cuda".into())
}

pub(super) fn picture_width(text: &str) -> Result<usize, String> {
    let width = text.parse().ok().filter(|n| (300..=8000).contains(n));
    width.ok_or_else(|| "a whole number from 300 to 8000".into())
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|x: &f64| *x > 0.0 && x.is_finite());
    number.ok_or_else(|| "a positive number".into())
}

/// Three positive numbers, as they are written.
pub(super) fn lengths(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(',').collect();
    match parts.iter().all(|part| positive(part.trim()).is_ok()) && parts.len() == 3 {
        true => Ok(text.to_string()),
        false => Err("give three positive numbers: X,Y,Z".into()),
    }
}

pub(super) fn range(text: &str) -> Result<Range, String> {
    let ends = text.split_once(',').and_then(|(low, high)| {
        let end = |text: &str| text.trim().parse::<f64>().ok();
        end(low).zip(end(high))
    });
    let rising = ends.filter(|(low, high)| low < high && (high - low).is_finite());
    rising.ok_or_else(|| "two numbers, the lower first".into())
}

pub(super) fn length_unit(text: &str) -> Result<LengthUnit, String> {
    [
        LengthUnit::Um,
        LengthUnit::Mm,
        LengthUnit::Cm,
        LengthUnit::M,
    ]
    .into_iter()
    .find(|unit| unit.name() == text)
    .ok_or_else(|| "one of um, mm, cm, m".into())
}
