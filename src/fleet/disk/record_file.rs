//! The files of the fleet record: two copies, so that damage to one loses nothing.
//!
//! **In**: the bytes of the copies. **Out**: the record, and a warning if only the second copy can
//! be read. Reads only; [`super::FleetDisk`] writes the first copy, and then the second.

use std::io;

use crate::fleet::record::FleetRecord;
use crate::fleet::stored;

pub const RECORD: &str = "record";
/// The second copy.
pub const COPY: &str = "record.copy";
/// A copy begins with the BLAKE3 hash of the rest.
const HASH_BYTES: usize = blake3::OUT_LEN;

/// Reads the record, which is empty if there is none. A text: why the first copy was not used.
pub fn read_copies(
    read: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<(FleetRecord, Option<String>), String> {
    let read = |name: &str| match read(name) {
        Ok(bytes) => parse(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let why = match read(RECORD) {
        Ok(Some(record)) => return Ok((record, None)),
        Ok(None) => None,
        Err(why) => Some(why),
    };
    match (read(COPY), why) {
        (Ok(Some(record)), why) => Ok((
            record,
            Some(why.unwrap_or_else(|| "it is missing".to_owned())),
        )),
        (Ok(None), None) => Ok((FleetRecord::default(), None)),
        (_, Some(why)) => Err(why),
        (Err(why), None) => Err(format!("it is missing, and its copy cannot be read: {why}")),
    }
}

/// Builds the bytes of a copy.
pub fn frame(record: &[u8]) -> Vec<u8> {
    [blake3::hash(record).as_bytes().as_slice(), record].concat()
}

fn parse(bytes: &[u8]) -> Result<FleetRecord, String> {
    let (hash, record) = (bytes.split_at_checked(HASH_BYTES))
        .ok_or_else(|| format!("it has {} bytes, which is too short", bytes.len()))?;
    if blake3::hash(record).as_bytes() != hash {
        return Err("its checksum is wrong, so the file is damaged".to_owned());
    }
    stored::record_out(record).map_err(|error| error.to_string())
}
