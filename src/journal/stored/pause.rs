//! The stored form of a pause. Times are microseconds since 1970-01-01 UTC.

use serde::{Deserialize, Serialize};

use super::{BadRecord, decode, encode, time};
use crate::pause::{Pause, PauseEnd};

const WHAT: &str = "pause";

#[derive(Serialize, Deserialize)]
enum StoredPause {
    V1 {
        since_us: i64,
        until_us: Option<i64>,
        by: String,
        named: Option<String>,
        reason: Option<String>,
        ended: Option<PauseEndV1>,
    },
}

#[derive(Serialize, Deserialize)]
struct PauseEndV1 {
    at_us: i64,
    by: String,
    named: Option<String>,
    reason: Option<String>,
}

pub fn pause_in(pause: &Pause) -> Result<Vec<u8>, BadRecord> {
    let stored = StoredPause::V1 {
        since_us: pause.since.as_microsecond(),
        until_us: pause.until.map(jiff::Timestamp::as_microsecond),
        by: pause.by.clone(),
        named: pause.named.clone(),
        reason: pause.reason.clone(),
        ended: pause.ended.clone().map(|end| PauseEndV1 {
            at_us: end.at.as_microsecond(),
            by: end.by,
            named: end.named,
            reason: end.reason,
        }),
    };
    encode(WHAT, &stored)
}

pub fn pause_out(bytes: &[u8]) -> Result<Pause, BadRecord> {
    let StoredPause::V1 {
        since_us,
        until_us,
        by,
        named,
        reason,
        ended,
    } = decode(WHAT, bytes)?;
    let end = |end: PauseEndV1| {
        Ok::<_, BadRecord>(PauseEnd {
            at: time(WHAT, end.at_us)?,
            by: end.by,
            named: end.named,
            reason: end.reason,
        })
    };
    Ok(Pause {
        since: time(WHAT, since_us)?,
        until: until_us.map(|at| time(WHAT, at)).transpose()?,
        by,
        named,
        reason,
        ended: ended.map(end).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::golden_in;
    use super::*;

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::new(1_795_000_000 + second, 250_000_000).unwrap()
    }

    #[test]
    fn pauses_are_read_and_written_as_ever() {
        let open = Pause {
            since: at(0),
            until: None,
            by: "user:root".to_owned(),
            named: None,
            reason: None,
            ended: None,
        };
        let full = Pause {
            until: Some(at(7_200)),
            named: Some("anna".to_owned()),
            reason: Some("stocktake".to_owned()),
            ended: Some(PauseEnd {
                at: at(3_600),
                by: "user:ben".to_owned(),
                named: None,
                reason: Some("done".to_owned()),
            }),
            ..open.clone()
        };
        for (name, pause) in [("open", open), ("full", full)] {
            let bytes = golden_in(include_str!("pauses.txt"), name);
            assert_eq!(pause_out(&bytes).unwrap(), pause, "{name}");
            assert_eq!(pause_in(&pause).unwrap(), bytes, "{name}");
        }
    }
}
