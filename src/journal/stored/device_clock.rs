//! The stored form of a device's clock. Times are microseconds.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BadRecord, bad, decode, encode, time};
use crate::device_clock::{DeviceClock, Sighting};
use crate::event::Seq;

const WHAT: &str = "device clock";

#[derive(Serialize, Deserialize)]
enum StoredClock {
    V1 {
        /// Each sighting: from, to, and by how much the clock was ahead.
        sightings: Vec<(i64, i64, i64)>,
        doubted_us: Option<i64>,
        is_changed: bool,
        seq: u64,
    },
}

pub fn device_clock_in(clock: &DeviceClock) -> Result<Vec<u8>, BadRecord> {
    let sighting = |seen: &Sighting| {
        let ahead = i64::try_from(seen.ahead.as_micros()).map_err(|error| bad(WHAT, error))?;
        Ok((seen.from.as_microsecond(), seen.to.as_microsecond(), ahead))
    };
    encode(
        WHAT,
        &StoredClock::V1 {
            sightings: clock
                .sightings
                .iter()
                .map(sighting)
                .collect::<Result<_, BadRecord>>()?,
            doubted_us: clock.doubted.map(jiff::Timestamp::as_microsecond),
            is_changed: clock.is_changed,
            seq: clock.seq.get(),
        },
    )
}

pub fn device_clock_out(bytes: &[u8]) -> Result<DeviceClock, BadRecord> {
    let StoredClock::V1 {
        sightings,
        doubted_us,
        is_changed,
        seq,
    } = decode(WHAT, bytes)?;
    let sighting = |(from, to, ahead): (i64, i64, i64)| {
        Ok(Sighting {
            from: time(WHAT, from)?,
            to: time(WHAT, to)?,
            ahead: SignedDuration::from_micros(ahead),
        })
    };
    Ok(DeviceClock {
        sightings: sightings
            .into_iter()
            .map(sighting)
            .collect::<Result<_, BadRecord>>()?,
        doubted: doubted_us.map(|at| time(WHAT, at)).transpose()?,
        is_changed,
        seq: Seq::new(seq),
    })
}
