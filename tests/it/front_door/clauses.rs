//! The normative statements of MQTT 3.1.1 and 5, one after another, over a raw socket against the
//! real front door.
//!
//! `clauses/*.txt` has a row for each statement, or several: a heading with the statement of each
//! protocol level and one plain sentence, then what the clients send and what they must get.
//!
//! ```text
//! 4[MQTT-2.3.1-6] 5[MQTT-2.2.1-5] A PUBACK has the packet identifier of its PUBLISH.
//! a connect
//! a> 32 { "~/state" ABCD ({}) 'x' }
//! a< 40 ABCD
//! ```
//!
//! | line | |
//! |---|---|
//! | `a> BYTES` | client `a` sends; its first line opens its connection. `times N` at the end: so many times |
//! | `a< PACKET` | the next packet to `a`: its first byte, then what follows its length. `with HEX`, `without HEX` at the end: also or not in it |
//! | `a connect` | a CONNECT with client id `a` that is accepted |
//! | `a closed`, `a ended 81` | the connection ends without a packet; with this DISCONNECT in MQTT 5, without a packet in 3.1.1 |
//! | `a quiet` | nothing was sent to `a`: a PINGRESP comes first |
//! | `a cut` | the TCP connection ends |
//! | `away`, `restart`, `wait MS` | until no client is connected; the gateway restarts; time passes |
//! | `gateway CHANNEL 'x' retained` | a message of the gateway's own |
//! | `hold`, `release` | the journal answers nothing; it answers again |
//! | `events N`, `rejected N` | so many events or rejected readings are in the journal |
//!
//! Bytes are hexadecimal digits; in an expected packet `?` is any digit. Other forms:
//!
//! | bytes | |
//! |---|---|
//! | `"text"`, `'text'` | a text with its length in two bytes, and without |
//! | `{ .. }`, `{! .. }` | what is in it behind its length, a variable byte integer; with a byte too many |
//! | `( .. )`, `4:00`, `5:00` | in one protocol level alone: `( )` is in MQTT 5 |
//! | `L` | the protocol level |
//! | `..` at the end | anything more |
//!
//! In texts `~` is the device's prefix. `5:` before a line: in this level alone.

mod bytes;
mod stage;
mod statements;

use std::fmt::Write as _;
use std::sync::Arc;

use stage::Stage;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const TABLES: [&str; 3] = [
    include_str!("clauses/connect.txt"),
    include_str!("clauses/publish.txt"),
    include_str!("clauses/subscribe.txt"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    V4,
    V5,
}

impl Level {
    fn digit(self) -> char {
        match self {
            Self::V4 => '4',
            Self::V5 => '5',
        }
    }
}

#[derive(Debug, Clone)]
pub struct Row {
    /// For each protocol level the statement that the row shows.
    pub statements: Vec<(Level, &'static str)>,
    pub sentence: &'static str,
    pub lines: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let lines = TABLES.iter().flat_map(|table| table.lines());
    for line in lines {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("4[") || line.starts_with("5[") {
            rows.push(row(line));
        } else {
            let row = rows.last_mut().expect("a heading first");
            row.lines.push(line);
        }
    }
    rows
}

fn row(heading: &'static str) -> Row {
    let mut statements = Vec::new();
    let mut rest = heading;
    for (level, mark) in [(Level::V4, "4["), (Level::V5, "5[")] {
        if let Some(behind) = rest.strip_prefix(mark) {
            let (statement, behind) = behind.split_once("] ").expect("a statement in brackets");
            statements.push((level, statement));
            rest = behind;
        }
    }
    Row {
        statements,
        sentence: rest,
        lines: Vec::new(),
    }
}

/// Rows that are played at once. Each has a front door and a journal of its own, and each line of a
/// row has a limited time.
const AT_ONCE: usize = 64;

#[tokio::test]
async fn the_door_answers_each_statement_of_the_standards_as_it_asks() {
    let (config, _dir) = stage::config();
    let mut running = JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let only = std::env::var("CLAUSE").unwrap_or_default();
    for row in rows() {
        for (level, statement) in row.statements.clone() {
            let (row, config) = (row.clone(), config.clone());
            if statement.contains(&only) {
                let turns = Arc::clone(&turns);
                running.spawn(async move {
                    let _turn = turns.acquire().await.unwrap();
                    let played = Stage::play(config, level, &row.lines).await;
                    played.map_err(|fault| {
                        let digit = level.digit();
                        format!("{digit}[{statement}] {}\n    {fault}", row.sentence)
                    })
                });
            }
        }
    }
    let (mut faults, mut count) = (String::new(), 0);
    while let Some(played) = running.join_next().await {
        count += 1;
        if let Err(fault) = played.unwrap() {
            writeln!(faults, "{fault}").unwrap();
        }
    }
    assert!(count > 0, "no statement is named like CLAUSE={only}");
    let failed = faults.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(faults.is_empty(), "{failed} of {count} rows:\n{faults}");
}
