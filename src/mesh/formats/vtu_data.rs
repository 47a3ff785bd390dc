//! Binary data of VTU arrays: header words, base64, zlib blocks.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Deflate makes at most about 1030 bytes out of one.
const MOST_COMPRESSION: usize = 1100;

/// How a file stores its binary data (attributes of VTKFile).
pub struct Encoding {
    pub big_endian: bool,
    /// Bytes of a header word: 4 or 8.
    pub word: usize,
    pub compressed: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            big_endian: false,
            word: 4,
            compressed: false,
        }
    }
}

impl Encoding {
    fn words(&self, bytes: &[u8]) -> Vec<usize> {
        let whole = |b: &[u8]| {
            let fold = |sum: u64, b: &u8| (sum << 8) | u64::from(*b);
            let value = match self.big_endian {
                true => b.iter().fold(0, fold),
                false => b.iter().rev().fold(0, fold),
            };
            usize::try_from(value).unwrap_or(usize::MAX)
        };
        bytes.chunks_exact(self.word).map(whole).collect()
    }

    /// Data behind its header: `[bytes] data`, or `[blocks, block size, last size, sizes…] blocks`
    /// when compressed.
    pub fn blocks(&self, mut stream: Stream) -> Result<Vec<u8>, String> {
        if !self.compressed {
            let length = self.words(&stream.take(self.word)?);
            return stream.take(length[0]);
        }
        let header = self.words(&stream.take(3 * self.word)?);
        let (count, full, last) = (header[0], header[1], header[2]);
        let sizes = self.words(&stream.take(count.saturating_mul(self.word))?);
        let mut data = Vec::new();
        for (block, &size) in sizes.iter().enumerate() {
            let packed = stream.take(size)?;
            let expected = if block + 1 == count && last != 0 {
                last
            } else {
                full
            };
            if expected > packed.len().saturating_mul(MOST_COMPRESSION) {
                return Err(format!(
                    "block {block} claims {expected} bytes out of {size}"
                ));
            }
            let before = data.len();
            ZlibDecoder::new(&packed[..])
                .take(expected as u64 + 1)
                .read_to_end(&mut data)
                .map_err(|e| format!("block {block} cannot be decompressed ({e})"))?;
            if data.len() - before != expected {
                let got = data.len() - before;
                return Err(format!("block {block} has {got} bytes, not {expected}"));
            }
        }
        Ok(data)
    }
}

/// Bytes to take from the front, raw or out of base64.
pub enum Stream<'a> {
    Raw(&'a [u8]),
    /// Text left, and bytes decoded but not yet taken.
    Base64(&'a [u8], Vec<u8>),
}

impl<'a> Stream<'a> {
    pub fn base64(text: &'a [u8]) -> Self {
        Stream::Base64(text, Vec::new())
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        let short = |have: usize| format!("{count} bytes announced, {have} left");
        match self {
            Stream::Raw(bytes) => {
                let taken = bytes.get(..count).ok_or_else(|| short(bytes.len()))?;
                *bytes = &bytes[count..];
                Ok(taken.to_vec())
            }
            Stream::Base64(text, ready) => {
                if count > ready.len() + text.len() {
                    return Err(short(ready.len() + text.len() / 4 * 3));
                }
                while ready.len() < count {
                    let Some(rest) = decode_group(text, ready)? else {
                        return Err(short(ready.len()));
                    };
                    *text = rest;
                }
                let rest = ready.split_off(count);
                Ok(std::mem::replace(ready, rest))
            }
        }
    }
}

/// Decodes the next four digits; a header encoded on its own ends in padding before the data, so
/// padding may come in the middle.
fn decode_group<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<Option<&'a [u8]>, String> {
    let mut bits = 0u32;
    let (mut digits, mut padding) = (0, 0);
    for (i, &c) in text.iter().enumerate() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ if c.is_ascii_whitespace() => continue,
            _ => return Err(format!("{:?} is not base64", c as char)),
        };
        if (padding > 0 && c != b'=') || padding > 2 {
            return Err("base64 goes on after its padding".into());
        }
        bits = (bits << 6) | u32::from(digit);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
            return Ok(Some(&text[i + 1..]));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_come_in_the_middle() {
        // "ab" and "cde", each encoded on its own.
        let mut stream = Stream::base64(b" YWI=\n Y2Rl ");
        assert_eq!(stream.take(1).unwrap(), b"a");
        assert_eq!(stream.take(4).unwrap(), b"bcde");
        assert!(stream.take(1).is_err());
        assert!(Stream::base64(b"YW=I").take(2).is_err());
        assert!(Stream::base64(b"Y\xffJi").take(2).is_err());
    }
}
