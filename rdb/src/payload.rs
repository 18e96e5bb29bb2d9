//! Values as DUMP gives them.

use crc_fast::{CrcAlgorithm, checksum};

/// What RESTORE takes for a value: its type, its bytes as they stand in the file, the version of the file's format, and a
/// checksum (`createDumpPayload` in the engines' `src/cluster.c`).
#[must_use]
pub fn dump_payload(code: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = Vec::with_capacity(value.len() + 11);
    payload.push(code);
    payload.extend_from_slice(value);
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = checksum(CrcAlgorithm::Crc64Redis, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}
