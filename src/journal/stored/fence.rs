//! The stored form of the gateway's number in Odoo; see `journal/fence.rs`.

use serde::{Deserialize, Serialize};

use super::{BadRecord, decode, encode};
use crate::fence::Own;

const WHAT: &str = "number of the gateway in Odoo";

#[derive(Serialize, Deserialize)]
enum StoredFence {
    V1 {
        gateway: u64,
        database: u64,
        number: Option<u64>,
    },
}

pub fn fence_in(own: &Own) -> Result<Vec<u8>, BadRecord> {
    let Own {
        gateway,
        database,
        number,
    } = *own;
    let stored = StoredFence::V1 {
        gateway,
        database,
        number,
    };
    encode(WHAT, &stored)
}

pub fn fence_out(bytes: &[u8]) -> Result<Own, BadRecord> {
    let StoredFence::V1 {
        gateway,
        database,
        number,
    } = decode(WHAT, bytes)?;
    Ok(Own {
        gateway,
        database,
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_gateway_is_written_as_ever() {
        let mut own = Own {
            gateway: 300,
            database: 5,
            number: None,
        };
        assert_eq!(fence_in(&own).unwrap(), [0, 0xac, 2, 5, 0]);
        assert_eq!(fence_out(&[0, 0xac, 2, 5, 0]), Ok(own));
        own.number = Some(7);
        assert_eq!(fence_in(&own).unwrap(), [0, 0xac, 2, 5, 1, 7]);
        assert_eq!(fence_out(&[0, 0xac, 2, 5, 1, 7]), Ok(own));
        assert!(fence_out(&[1, 0]).is_err(), "of a newer version");
    }
}
