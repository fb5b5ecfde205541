//! NATS: the text protocol, and what JetStream adds to it.
//!
//! A publish with a reply subject into a stream is acknowledged there with the sequence number of
//! the stored message, or with an error.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Input, Protocol, Slot};

/// The stream that stores the events of the load.
pub const STREAM: &str = "EVENTS";
/// The stream in which the server itself stores what MQTT clients publish.
pub const MQTT_STREAM: &str = "$MQTT_msgs";

pub struct Client {
    subject: String,
    /// The subject of acknowledgements, up to the slot.
    inbox: String,
}

/// A message of the server, and the bytes that it has.
#[derive(Debug, PartialEq)]
enum Message<'a> {
    Delivery {
        subject: &'a str,
        payload: &'a [u8],
    },
    Ping,
    /// INFO, PONG and +OK need no answer.
    Other,
}

impl Client {
    pub async fn open(socket: &mut TcpStream, device: &str) -> Result<Self> {
        let inbox = format!("_INBOX.{device}.");
        let hello = format!("CONNECT {{\"verbose\":false}}\r\nSUB {inbox}* 1\r\nPING\r\n");
        socket.write_all(hello.as_bytes()).await?;
        // The answer to the PING shows that the server has read the subscription.
        let mut input = Input::default();
        while !input.bytes().ends_with(b"PONG\r\n") {
            ensure!(
                !input.bytes().starts_with(b"-ERR"),
                "the server answered {}",
                String::from_utf8_lossy(input.bytes())
            );
            input.fill(socket).await?;
        }
        Ok(Self {
            subject: format!("events.{device}"),
            inbox,
        })
    }
}

impl Protocol for Client {
    fn publish(&mut self, slot: Slot, payload: &[u8], out: &mut Vec<u8>) {
        let (subject, inbox, size) = (&self.subject, &self.inbox, payload.len());
        let written = write!(out, "PUB {subject} {inbox}{slot} {size}\r\n");
        written.expect("writing to memory cannot fail");
        out.extend(payload);
        out.extend(b"\r\n");
    }

    fn read(&mut self, input: &[u8], slots: &mut Vec<Slot>, out: &mut Vec<u8>) -> Result<usize> {
        let mut used = 0;
        while let Some((message, length)) = message(&input[used..])? {
            used += length;
            match message {
                Message::Delivery { subject, payload } => {
                    let stored = stored(payload)?;
                    ensure!(stored > 0, "JetStream acknowledged sequence number 0");
                    let slot = subject.strip_prefix(&self.inbox).unwrap_or_default();
                    slots.push(slot.parse().context("an acknowledgement names no slot")?);
                }
                Message::Ping => out.extend(b"PONG\r\n"),
                Message::Other => {}
            }
        }
        Ok(used)
    }
}

/// The sequence number in an acknowledgement.
fn stored(payload: &[u8]) -> Result<u64> {
    #[derive(serde::Deserialize)]
    struct Acknowledgement {
        #[serde(default)]
        seq: u64,
        error: Option<Value>,
    }
    let parsed: Acknowledgement = serde_json::from_slice(payload)
        .with_context(|| format!("not JetStream: {}", String::from_utf8_lossy(payload)))?;
    match parsed.error {
        Some(error) => bail!("JetStream did not store an event: {error}"),
        None => Ok(parsed.seq),
    }
}

/// The message at the start of `input`. `None`: it is not whole.
fn message(input: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let Some(end) = input.windows(2).position(|pair| pair == b"\r\n") else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&input[..end])?;
    let mut words = line.split(' ');
    match words.next() {
        Some("MSG") => {}
        Some("PING") => return Ok(Some((Message::Ping, end + 2))),
        Some("INFO" | "PONG" | "+OK") => return Ok(Some((Message::Other, end + 2))),
        _ => bail!("the server sent {line:?}"),
    }
    let subject = words.next().context("MSG without a subject")?;
    let size: usize = words.next_back().context("MSG without a size")?.parse()?;
    let start = end + 2;
    if input.len() < start + size + 2 {
        return Ok(None);
    }
    let payload = &input[start..start + size];
    Ok(Some((
        Message::Delivery { subject, payload },
        start + size + 2,
    )))
}

/// Sends one request and returns the answer.
async fn request(mut socket: TcpStream, subject: &str, body: &str) -> Result<Value> {
    let client = Client::open(&mut socket, "ask").await?;
    let (inbox, size) = (&client.inbox, body.len());
    let publish = format!("PUB {subject} {inbox}1 {size}\r\n{body}\r\n");
    socket.write_all(publish.as_bytes()).await?;
    let mut input = Input::default();
    loop {
        input.fill(&mut socket).await?;
        let mut used = 0;
        while let Some((message, length)) = message(&input.bytes()[used..])? {
            used += length;
            if let Message::Delivery { payload, .. } = message {
                let answer: Value = serde_json::from_slice(payload)?;
                let error = &answer["error"];
                ensure!(error.is_null(), "JetStream answered {subject}: {error}");
                return Ok(answer);
            }
        }
        input.consume(used);
    }
}

/// Makes the stream of the load, in files.
pub async fn create_stream(socket: TcpStream) -> Result<()> {
    let config = json!({"name": STREAM, "subjects": ["events.>"], "storage": "file"});
    let subject = format!("$JS.API.STREAM.CREATE.{STREAM}");
    request(socket, &subject, &config.to_string()).await?;
    Ok(())
}

/// How many messages a stream has.
pub async fn messages(socket: TcpStream, stream: &str) -> Result<u64> {
    let answer = request(socket, &format!("$JS.API.STREAM.INFO.{stream}"), "").await?;
    let count = answer["state"]["messages"].as_u64();
    count.with_context(|| format!("no count of messages in {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            subject: "events.dev01".to_owned(),
            inbox: "_INBOX.dev01.".to_owned(),
        }
    }

    #[test]
    fn a_publish_names_its_reply_subject_and_size() {
        let mut out = Vec::new();
        client().publish(3, b"abc", &mut out);
        assert_eq!(out, b"PUB events.dev01 _INBOX.dev01.3 3\r\nabc\r\n");
    }

    /// A message on the reply subject of slot 7.
    fn delivery(payload: &str) -> String {
        format!("MSG _INBOX.dev01.7 1 {}\r\n{payload}\r\n", payload.len())
    }

    #[test]
    fn acknowledgements_are_read_and_a_ping_is_answered() {
        let whole = delivery(r#"{"stream":"EVENTS","seq":12}"#) + "PING\r\n";
        let input = whole.clone() + "MSG _INB";
        let (mut slots, mut out) = (Vec::new(), Vec::new());
        let used = client().read(input.as_bytes(), &mut slots, &mut out);
        assert_eq!(used.unwrap(), whole.len());
        assert_eq!((slots, out), (vec![7], b"PONG\r\n".to_vec()));
    }

    #[test]
    fn an_error_is_no_acknowledgement() {
        let input = delivery(r#"{"error":{"code":503,"err_code":10077}}"#);
        let failed = client().read(input.as_bytes(), &mut Vec::new(), &mut Vec::new());
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("10077"), "{message}");
    }
}
