//! The acceptor before SQLite: as simple as a program can be that promises what stockrelay does.
//!
//! Comes in: MQTT 3.1.1 connections that publish at QoS 1. Goes out: a PUBACK after the commit that
//! has the event, and no second row for an id that is stored. All events that wait share a commit.
//! It does nothing else that stockrelay does: no check, no receipt, no document, no limit.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, params};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::load::mqtt::{CONNACK, CONNECT, PUBACK, PUBLISH, packet};

/// The database's name in its directory.
pub const FILE: &str = "events.sqlite";
/// The events of one commit at most.
const BATCH_EVENTS_MAX: usize = 1_000;

/// An event that waits for its commit.
struct Waiting {
    id: [u8; 16],
    payload: Vec<u8>,
    packet_id: [u8; 2],
    /// Where its PUBACK goes after the commit.
    acknowledgements: UnboundedSender<[u8; 2]>,
}

/// Serves until the process ends. Clients of the load keep few events in flight: nothing else
/// limits the queues.
pub fn serve(address: SocketAddr, dir: &Path) -> Result<()> {
    let database = open(&dir.join(FILE))?;
    let (events, waiting) = channel();
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // If the writer fails, the process ends and every connection with it.
    std::thread::spawn(move || {
        if let Err(error) = write(database, &waiting) {
            eprintln!("cannot store events: {error:#}");
            std::process::exit(1);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(accept(listener, events))
}

/// Opens the database: durable at each commit (WAL, synchronous FULL), all else as by default.
fn open(path: &Path) -> Result<Connection> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS events (
             seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload BLOB NOT NULL
         ) STRICT",
    )?;
    Ok(database)
}

/// How many events a database has.
pub fn count(path: &Path) -> Result<u64> {
    let database = Connection::open(path)?;
    // Rows are never deleted, so that the last number is the count, at once.
    let last = database.query_row("SELECT max(seq) FROM events", [], |row| {
        row.get::<_, Option<i64>>(0)
    })?;
    Ok(u64::try_from(last.unwrap_or(0))?)
}

/// The single writer: one transaction for all events that wait.
fn write(mut database: Connection, waiting: &Receiver<Vec<Waiting>>) -> Result<()> {
    let mut batch = Vec::new();
    while let Ok(first) = waiting.recv() {
        batch.extend(first);
        while batch.len() < BATCH_EVENTS_MAX
            && let Ok(more) = waiting.try_recv()
        {
            batch.extend(more);
        }
        let commit = database.transaction()?;
        {
            let mut insert = commit
                .prepare_cached("INSERT OR IGNORE INTO events (id, payload) VALUES (?, ?)")?;
            for event in &batch {
                insert.execute(params![event.id, event.payload])?;
            }
        }
        commit.commit()?;
        for event in batch.drain(..) {
            // The client may have left.
            let _ = event.acknowledgements.send(event.packet_id);
        }
    }
    Ok(())
}

async fn accept(listener: StdListener, events: Sender<Vec<Waiting>>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        let events = events.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(socket, &events).await {
                eprintln!("a connection ended: {error:#}");
            }
        });
    }
}

async fn converse(socket: TcpStream, events: &Sender<Vec<Waiting>>) -> Result<()> {
    socket.set_nodelay(true)?;
    let (mut reader, mut writer) = socket.into_split();
    let mut input = Vec::with_capacity(8_192);
    let connect = loop {
        ensure!(
            reader.read_buf(&mut input).await? > 0,
            "closed before CONNECT"
        );
        if let Some(packet) = packet(&input)? {
            ensure!(packet.kind == CONNECT, "the first packet is no CONNECT");
            break packet.length;
        }
    };
    input.drain(..connect);
    writer.write_all(&[CONNACK, 2, 0, 0]).await?;
    let (acknowledgements, committed) = unbounded_channel();
    tokio::spawn(acknowledge(writer, committed));
    read(reader, input, events, &acknowledgements).await
}

async fn acknowledge(mut writer: OwnedWriteHalf, mut committed: UnboundedReceiver<[u8; 2]>) {
    let (mut ids, mut out) = (Vec::new(), Vec::new());
    while committed.recv_many(&mut ids, BATCH_EVENTS_MAX).await > 0 {
        for [high, low] in ids.drain(..) {
            out.extend([PUBACK, 2, high, low]);
        }
        if writer.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
    }
}

/// Reads publishes until the client leaves. `input` has what it sent with its CONNECT.
async fn read(
    mut reader: OwnedReadHalf,
    mut input: Vec<u8>,
    events: &Sender<Vec<Waiting>>,
    acknowledgements: &UnboundedSender<[u8; 2]>,
) -> Result<()> {
    loop {
        let (mut used, mut whole) = (0, Vec::new());
        while let Some(packet) = packet(&input[used..])? {
            used += packet.length;
            ensure!(packet.kind == PUBLISH, "a packet that is no PUBLISH");
            whole.push(event(packet.body, acknowledgements)?);
        }
        input.drain(..used);
        if !whole.is_empty() {
            events.send(whole).context("the writer has ended")?;
        }
        if reader.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// Reads the body of a PUBLISH.
fn event(body: &[u8], acknowledgements: &UnboundedSender<[u8; 2]>) -> Result<Waiting> {
    #[derive(Deserialize)]
    struct Event<'a> {
        id: &'a str,
    }
    let (length, rest) = body.split_first_chunk().context("no topic")?;
    let topic = usize::from(u16::from_be_bytes(*length));
    let rest = rest.get(topic..).context("the topic is not whole")?;
    let (packet_id, payload) = rest.split_first_chunk().context("no packet id")?;
    let event: Event = serde_json::from_slice(payload)?;
    let id = u128::from_str_radix(event.id, 16).context("the id is not 32 hexadecimal digits")?;
    Ok(Waiting {
        id: id.to_be_bytes(),
        payload: payload.to_owned(),
        packet_id: *packet_id,
        acknowledgements: acknowledgements.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Dialect, Load};
    use crate::process::free_address;

    #[tokio::test]
    async fn each_acknowledged_event_is_stored_once() {
        let dir = tempfile::tempdir().unwrap();
        let address = free_address().unwrap();
        let data = dir.path().to_owned();
        std::thread::spawn(move || serve(address, &data).unwrap());
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let load = Load {
            address,
            dialect: Dialect::Mqtt,
            connections: 3,
            in_flight: 5,
        };
        let outcome = load.publish(0..1_000).await.unwrap();
        assert_eq!(outcome.times.len(), 1_000);
        assert_eq!(count(&dir.path().join(FILE)).unwrap(), 1_000);
        // Half of these have ids that are stored.
        let outcome = load.publish(500..1_500).await.unwrap();
        assert_eq!(outcome.times.len(), 1_000);
        assert_eq!(count(&dir.path().join(FILE)).unwrap(), 1_500);
    }
}
