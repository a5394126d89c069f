//! The CRC of format 2. The only place that names the crate which computes it.

use super::header::CRC_START;

/// CRC-32C (Castagnoli) of `bytes`.
///
/// Source: `crc-fast` chooses the widest instructions at run time; measured against crate `crc32c` on an EPYC with
///         VPCLMULQDQ: 61 B 11.7 against 12.5 ns, 1 KiB 33 against 55, 16 KiB 293 against 697.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC that the header of this batch should hold. `batch` is one whole batch.
pub(super) fn batch_crc(batch: &[u8]) -> u32 {
    crc32c(batch.get(CRC_START..).unwrap_or_default())
}
