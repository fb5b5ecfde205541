//! A broker and a web server that follow a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;
use crate::clock;

const PACKET_BYTES_MAX: usize = 1 << 20;

pub struct Script {
    listener: TcpListener,
}

pub struct Connection {
    stream: TcpStream,
    read: BytesMut,
    packet_id: u16,
    /// Whether subscriptions are refused.
    pub refuses: bool,
    /// The topics, in order.
    pub subscribed: Vec<String>,
    /// The messages on `online`.
    pub online: Vec<Vec<u8>>,
    /// Whether the client disconnected by itself.
    pub is_goodbye: bool,
}

impl Script {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub async fn accept(&self) -> (Connection, Connect) {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (stream, _) = accepted.expect("a connection").unwrap();
        let mut connection = Connection {
            stream,
            read: BytesMut::new(),
            packet_id: 0,
            refuses: false,
            subscribed: Vec::new(),
            online: Vec::new(),
            is_goodbye: false,
        };
        let Some(Packet::Connect(connect)) = connection.read().await else {
            panic!("no CONNECT");
        };
        let connack = ConnAck::new(ConnectReturnCode::Success, false);
        connection.write(Packet::ConnAck(connack)).await;
        (connection, connect)
    }
}

impl Connection {
    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.read, PACKET_BYTES_MAX) {
                return Some(packet);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            if read.expect("the client sends").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        // The client may have gone.
        self.stream.write_all(&bytes).await.ok();
    }

    pub async fn next(&mut self) -> Packet {
        self.next_or_end().await.expect("the connection is there")
    }

    /// Returns the next packet, and answers it. `None`: the client closed the connection.
    pub async fn next_or_end(&mut self) -> Option<Packet> {
        let packet = self.read().await?;
        match &packet {
            Packet::Subscribe(subscribe) => {
                let code = if self.refuses {
                    SubscribeReasonCode::Failure
                } else {
                    SubscribeReasonCode::Success(QoS::AtLeastOnce)
                };
                let topics = subscribe.filters.iter().map(|filter| filter.path.clone());
                self.subscribed.extend(topics);
                let codes = vec![code; subscribe.filters.len()];
                self.write(Packet::SubAck(SubAck::new(subscribe.pkid, codes)))
                    .await;
            }
            Packet::Publish(publish) => {
                if publish.topic.contains("/online/") {
                    self.online.push(publish.payload.to_vec());
                }
                self.write(Packet::PubAck(PubAck::new(publish.pkid))).await;
            }
            Packet::PingReq => self.write(Packet::PingResp).await,
            _ => {}
        }
        Some(packet)
    }

    pub fn note(&mut self, packet: &Packet) {
        self.is_goodbye |= matches!(packet, Packet::Disconnect);
    }

    /// Answers until all topics are subscribed.
    pub async fn settle(&mut self) {
        while self.subscribed.len() < 3 {
            self.next().await;
        }
    }

    /// Answers until a topic is subscribed once more.
    pub async fn until_subscribed(&mut self, topic: &str) {
        loop {
            if let Packet::Subscribe(subscribe) = self.next().await
                && subscribe.filters[0].path == topic
            {
                return;
            }
        }
    }

    pub async fn send(&mut self, topic: &str, payload: &[u8]) {
        self.packet_id += 1;
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.packet_id;
        self.write(Packet::Publish(publish)).await;
    }
}

/// A web server without TLS, which the configuration allows on this machine alone.
pub struct Web {
    port: u16,
    /// Body and `ETag`.
    answer: Arc<Mutex<(String, String)>>,
    /// The `ETag` of each request.
    asked: Arc<Mutex<Vec<Option<String>>>>,
    task: JoinHandle<()>,
}

impl Web {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::<Mutex<(String, String)>>::default();
        let asked = Arc::<Mutex<Vec<Option<String>>>>::default();
        let (answers, noted) = (Arc::clone(&answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (body, etag) = answers.lock().unwrap().clone();
                // The client may have gone.
                if let Ok(request) = serve(stream, &body, &etag).await {
                    noted.lock().unwrap().push(request);
                }
            }
        });
        Self {
            port,
            answer,
            asked,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/x.bundle", self.port)
    }

    pub fn answer(&self, body: &str, etag: &str) {
        *self.answer.lock().unwrap() = (body.to_owned(), etag.to_owned());
    }

    /// Waits for a further request with this `ETag`.
    pub async fn until_asked(&self, etag: Option<&str>) {
        let known = self.asked.lock().unwrap().len();
        let begun = clock::instant();
        let is_it = |asked: &Option<String>| asked.as_deref() == etag;
        while !self.asked.lock().unwrap()[known..].iter().any(is_it) {
            assert!(begun.elapsed() < PATIENCE, "never asked with {etag:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns the `ETag` of the request.
async fn serve(mut stream: TcpStream, body: &str, etag: &str) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let asked = head.split("if-none-match: ").nth(1);
    let asked = asked.and_then(|rest| rest.split("\r\n").next());
    let text = if asked == Some(etag) {
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned()
    } else {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(asked.map(str::to_owned))
}
