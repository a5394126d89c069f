//! The CRC-32C of two parts from the CRCs of each: how a batch gets its checksum without its body being read again.
//!
//! CRC-32C is linear: bytes that follow multiply the remainder so far by x^(8 * their count), modulo the polynomial. For one
//! count that is one linear map of 32 bits, kept as four tables of 256.

/// x^32 + ... of CRC-32C, bit-reversed as the CRC is: bit 31 is x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const ONE: u32 = 1 << 31;
const X_8: u32 = ONE >> 8;

/// For parts that end with `length` bytes.
#[derive(Clone, Debug)]
pub struct CrcShift {
    tables: [[u32; 256]; 4],
}

impl CrcShift {
    #[must_use]
    pub fn new(length: usize) -> CrcShift {
        let factor = power_of_x_8(length);
        let mut tables = [[0; 256]; 4];
        for (byte_index, table) in tables.iter_mut().enumerate() {
            for (byte, entry) in table.iter_mut().enumerate() {
                *entry = product((byte as u32) << (8 * byte_index), factor);
            }
        }
        CrcShift { tables }
    }

    /// CRC of head and tail together; the tail has the length of this shift.
    #[must_use]
    pub fn combine(&self, head_crc: u32, tail_crc: u32) -> u32 {
        let [a, b, c, d] = head_crc.to_le_bytes();
        let [t0, t1, t2, t3] = &self.tables;
        t0[usize::from(a)] ^ t1[usize::from(b)] ^ t2[usize::from(c)] ^ t3[usize::from(d)] ^ tail_crc
    }
}

fn product(a: u32, b: u32) -> u32 {
    let mut sum = 0;
    let mut power = b;
    for exponent in 0..32 {
        if a & (ONE >> exponent) != 0 {
            sum ^= power;
        }
        power = if power & 1 == 0 { power >> 1 } else { power >> 1 ^ POLYNOMIAL };
    }
    sum
}

/// (x^8)^count, by squaring.
fn power_of_x_8(count: usize) -> u32 {
    let mut result = ONE;
    let mut square = X_8;
    let mut rest = count;
    while rest > 0 {
        if rest & 1 == 1 {
            result = product(result, square);
        }
        square = product(square, square);
        rest >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::record::crc32c;

    use super::*;

    proptest! {
        #[test]
        fn combined_is_the_crc_of_the_whole(
            head in proptest::collection::vec(any::<u8>(), 0..300),
            tail in proptest::collection::vec(any::<u8>(), 0..3_000),
        ) {
            let whole = [&head[..], &tail[..]].concat();
            let shift = CrcShift::new(tail.len());
            prop_assert_eq!(shift.combine(crc32c(&head), crc32c(&tail)), crc32c(&whole));
        }
    }

    #[test]
    fn a_long_tail_combines() {
        let whole: Vec<u8> = (0..1_048_657u32).map(|index| (index * 31) as u8).collect();
        let (head, tail) = whole.split_at(81);
        assert_eq!(CrcShift::new(tail.len()).combine(crc32c(head), crc32c(tail)), crc32c(&whole));
    }
}
