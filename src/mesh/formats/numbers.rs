//! Arrays of numbers in files, decoded into f64 (exact for every index and tag that fits u32/i32).

/// How one number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Kind {
    /// By the name in a VTU file.
    pub fn of_vtu(name: &str) -> Option<Self> {
        Some(match name {
            "Int8" => Kind::I8,
            "UInt8" => Kind::U8,
            "Int16" => Kind::I16,
            "UInt16" => Kind::U16,
            "Int32" => Kind::I32,
            "UInt32" => Kind::U32,
            "Int64" => Kind::I64,
            "UInt64" => Kind::U64,
            "Float32" => Kind::F32,
            "Float64" => Kind::F64,
            _ => return None,
        })
    }

    /// By the name in a legacy VTK file (`vtkIdType` is written as int there).
    pub fn of_legacy(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "char" | "signed_char" => Kind::I8,
            "unsigned_char" => Kind::U8,
            "short" => Kind::I16,
            "unsigned_short" => Kind::U16,
            "int" | "vtkidtype" => Kind::I32,
            "unsigned_int" => Kind::U32,
            "long" | "vtktypeint64" => Kind::I64,
            "unsigned_long" | "vtktypeuint64" => Kind::U64,
            "float" => Kind::F32,
            "double" => Kind::F64,
            _ => return None,
        })
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// Numbers stored in `bytes`; a rest that is no whole number is left out.
    pub fn decode(self, bytes: &[u8], big_endian: bool) -> Vec<f64> {
        macro_rules! decode {
            ($t:ty) => {
                bytes
                    .as_chunks::<{ size_of::<$t>() }>()
                    .0
                    .iter()
                    .map(|&b| match big_endian {
                        true => <$t>::from_be_bytes(b) as f64,
                        false => <$t>::from_le_bytes(b) as f64,
                    })
                    .collect()
            };
        }
        match self {
            Kind::I8 => decode!(i8),
            Kind::U8 => decode!(u8),
            Kind::I16 => decode!(i16),
            Kind::U16 => decode!(u16),
            Kind::I32 => decode!(i32),
            Kind::U32 => decode!(u32),
            Kind::I64 => decode!(i64),
            Kind::U64 => decode!(u64),
            Kind::F32 => decode!(f32),
            Kind::F64 => decode!(f64),
        }
    }
}

/// Number in text: what Rust parses, and "1.5d0" of Fortran.
pub fn parse(token: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(token).ok()?;
    text.parse()
        .ok()
        .or_else(|| text.replace(['d', 'D'], "e").parse().ok())
}

/// A whole number not below 0 that counts or numbers something.
pub fn index(x: f64) -> Option<u32> {
    (x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&x)).then_some(x as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        assert_eq!(
            Kind::I16.decode(&[0xff, 0xfe, 1, 0, 9], true),
            [-2.0, 256.0]
        );
        assert_eq!(Kind::I16.decode(&[0xfe, 0xff, 0, 1], false), [-2.0, 256.0]);
        assert_eq!(Kind::F64.decode(&0.1f64.to_be_bytes(), true), [0.1]);
        assert_eq!(Kind::U64.decode(&7u64.to_le_bytes(), false), [7.0]);
    }

    #[test]
    fn indices_are_whole() {
        assert_eq!(index(4294967295.0), Some(u32::MAX));
        for x in [-1.0, 0.5, 4294967296.0, f64::NAN, f64::INFINITY] {
            assert_eq!(index(x), None);
        }
    }

    #[test]
    fn text() {
        assert_eq!(parse(b"-1.5e-3"), Some(-0.0015));
        assert_eq!(parse(b"2d2"), Some(200.0));
        assert!(parse(b"nan").is_some_and(f64::is_nan));
        assert_eq!(parse(b"x"), None);
    }
}
