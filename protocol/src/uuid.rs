//! Kafka's UUIDs: topic ids, directory ids, incarnation ids.

use std::fmt;
use std::str::FromStr;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Sixteen bytes, shown as Kafka shows them: URL-safe base64 without padding, 22 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// No id.
    pub const ZERO: Uuid = Uuid([0; 16]);

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits and four zero bits below them make 22 digits of six bits.
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0; 22];
        text[21] = DIGITS[((bits as usize) << 4) & 0x3f];
        for (index, digit) in text[..21].iter_mut().enumerate() {
            *digit = DIGITS[(bits >> (122 - 6 * index)) as usize & 0x3f];
        }
        f.write_str(str::from_utf8(&text).expect("the digits are ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not 22 digits of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseUuidError;

impl fmt::Display for ParseUuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 22 digits of URL-safe base64")
    }
}

impl std::error::Error for ParseUuidError {}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        // Padding is Kafka's own tolerance.
        let digits = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if digits.len() != 22 {
            return Err(ParseUuidError);
        }
        let mut bits = 0u128;
        for (index, digit) in digits.iter().enumerate() {
            let value = DIGITS.iter().position(|known| known == digit).ok_or(ParseUuidError)? as u128;
            bits = if index < 21 { (bits << 6) | value } else { (bits << 2) | (value >> 4) };
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests;
