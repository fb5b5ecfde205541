//! A relay in front of Odoo, the stand-in or a real one, that can fail on purpose.
//!
//! Comes in: HTTP/1.1 requests on loopback. Goes out: the same requests to Odoo, and its answers,
//! unless the link is down or a [`Fault`] says otherwise. It knows where a request ends, so it can
//! cut a connection after Odoo has carried a request out and before the answer is back: the case in
//! which nobody knows what was done.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::tls;

/// Where all calls of 17 and 18 go.
const RPC: &str = "/jsonrpc";
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;

/// What happens instead of a plain relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The connection is cut before Odoo hears of the request.
    CutBefore,
    /// Odoo carries the request out, and its answer is lost.
    CutAfter,
    /// The connection is cut, and Odoo carries the request out later: when [`Link::release`] says
    /// so.
    Held,
    /// The request waits on its way.
    Slow(Duration),
    /// The request waits on its way until [`Link::mend`].
    Hold,
    /// Something else answers in Odoo's place.
    Answer {
        status: u16,
        content_type: &'static str,
        retry_after_s: Option<u32>,
        body: String,
    },
}

/// A fault for the next requests to a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How the request's path ends, such as `load` or `stock.lot/search_read`; empty: any request.
    pub method: String,
    /// So many requests.
    pub times: u32,
    pub what: What,
}

impl What {
    /// A proxy whose Odoo is being restarted.
    #[must_use]
    pub fn unavailable() -> Self {
        let body = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>";
        Self::html(503, body)
    }

    /// A proxy that wants fewer requests.
    #[must_use]
    pub fn too_many(retry_after_s: u32) -> Self {
        Self::Answer {
            status: 429,
            content_type: "text/html",
            retry_after_s: Some(retry_after_s),
            body: "<html><body><h1>429 Too Many Requests</h1></body></html>".to_owned(),
        }
    }

    /// `load` met another transaction.
    #[must_use]
    pub fn could_not_serialize() -> Self {
        Self::load_failed("could not serialize access due to concurrent update\\n")
    }

    /// The same from a PostgreSQL that speaks German.
    #[must_use]
    pub fn could_not_serialize_in_german() -> Self {
        Self::load_failed(
            "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung\\n",
        )
    }

    fn load_failed(message: &str) -> Self {
        Self::json(
            200,
            format!(
                r#"{{"ids": false, "messages": [{{"rows": {{"from": 0, "to": 0}}, "record": 0, "type": "error", "message": "{message}"}}], "nextrow": 0}}"#
            ),
        )
    }

    /// A module of somebody's own asks a person something.
    #[must_use]
    pub fn asks() -> Self {
        let body = r#"{"type": "ir.actions.act_window", "res_model": "x.question", "name": "Sure?", "target": "new"}"#;
        Self::json(200, body.to_owned())
    }

    /// A module of somebody's own says no.
    #[must_use]
    pub fn refuses() -> Self {
        let body = r#"{"name": "odoo.exceptions.UserError", "message": "Ask the foreman first.", "arguments": ["Ask the foreman first."], "context": {}, "debug": ""}"#;
        Self::json(422, body.to_owned())
    }

    /// Odoo has lost its database, or was given another name.
    #[must_use]
    pub fn database_gone() -> Self {
        Self::html(
            404,
            "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the \
             requested URL was not found in the server-wide controllers.</p>\n",
        )
    }

    /// Keys live three months at the most.
    #[must_use]
    pub fn key_expired() -> Self {
        let body = r#"{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": ""}"#;
        Self::json(401, body.to_owned())
    }

    fn html(status: u16, body: &str) -> Self {
        Self::Answer {
            status,
            content_type: "text/html; charset=utf-8",
            retry_after_s: None,
            body: body.to_owned(),
        }
    }

    fn json(status: u16, body: String) -> Self {
        Self::Answer {
            status,
            content_type: "application/json; charset=utf-8",
            retry_after_s: None,
            body,
        }
    }
}

/// The running relay; it stops when this is dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: reqwest::Client,
    up: watch::Sender<bool>,
    faults: Mutex<Vec<Fault>>,
    /// Requests that Odoo is to carry out later.
    held: Mutex<Vec<Request>>,
    waiting: watch::Sender<Held>,
}

/// Requests that wait on their way.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    now: u32,
    /// It rises when all that wait may go on.
    released: u64,
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Vec<Request>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn hold(&self) {
        let mut held = self.waiting.subscribe();
        let before = held.borrow_and_update().released;
        self.waiting.send_modify(|held| held.now += 1);
        let released = held.wait_for(|held| held.released > before);
        drop(released.await);
        self.waiting.send_modify(|held| held.now -= 1);
    }

    /// Takes one use of the first fault that is meant for this request.
    fn fault_for(&self, path: &str) -> Option<What> {
        let mut faults = self.faults();
        let meant = |fault: &Fault| {
            let before = path.strip_suffix(fault.method.as_str());
            fault.method.is_empty() || before.is_some_and(|before| before.ends_with('/'))
        };
        let place = faults.iter().position(meant)?;
        let fault = &mut faults[place];
        fault.times = fault.times.saturating_sub(1);
        let what = fault.what.clone();
        if fault.times == 0 {
            faults.remove(place);
        }
        Some(what)
    }
}

impl Link {
    /// Starts on a free port of the loopback interface, up, in front of the Odoo at this URL.
    pub async fn start(upstream: &str) -> std::io::Result<Self> {
        tls::install_provider();
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        if upstream.starts_with("http://") {
            // Plain HTTP needs no certificate authorities, and reading the system's takes time.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(std::io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client,
            up: watch::Sender::new(true),
            faults: Mutex::default(),
            held: Mutex::default(),
            waiting: watch::Sender::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Where the gateway is to look for Odoo.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.shared.up.borrow()
    }

    /// Down: connections are cut at once, also in the middle of a request, and new ones get no
    /// answer.
    pub fn set_up(&self, up: bool) {
        self.shared.up.send_replace(up);
    }

    pub fn fault(&self, fault: Fault) {
        self.shared.faults().push(fault);
    }

    /// The faults of this method are over, and what is held goes on.
    pub fn mend(&self, method: &str) {
        self.shared.faults().retain(|fault| fault.method != method);
        self.shared.waiting.send_modify(|held| held.released += 1);
    }

    /// Requests that are held on their way.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.shared.waiting.borrow().now
    }

    /// Odoo carries out the requests that were held, in their order. Answers how many.
    pub async fn release(&self) -> std::io::Result<usize> {
        let held = std::mem::take(&mut *self.shared.held());
        let count = held.len();
        for request in held {
            relay(&self.shared, request).await?;
        }
        Ok(count)
    }

    /// Requests that have a fault before them still.
    #[must_use]
    pub fn faults_left(&self) -> u32 {
        self.shared.faults().iter().map(|fault| fault.times).sum()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
        // The connections' own tasks end with the link.
        self.shared.up.send_replace(false);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others are about to close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut up = shared.up.subscribe();
            tokio::select! {
                _ = up.wait_for(|up| !up) => {}
                _ = serve(stream, &shared) => {}
            }
        });
    }
}

/// A request as far as a relay needs to understand it.
#[derive(Debug)]
struct Request {
    verb: String,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    /// The path, which ends in the model and the method that are called. For `/jsonrpc` as if it
    /// were so there, in the words of Odoo 19, whatever the version: a fault meets the same call in
    /// each.
    fn called(&self) -> String {
        if self.path != RPC {
            return self.path.clone();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let params = &body["params"];
        let [of, method] = match params["service"].as_str() {
            Some("object") => [text(&params["args"][3]), text(&params["args"][4])],
            _ => [text(&params["service"]), text(&params["method"])],
        };
        let of = match of.as_str() {
            "stock.quant.package" => "stock.package",
            "product.packaging" => "product.uom",
            same => same,
        };
        // The true times, which 19 takes by another method.
        let columns = params["args"][5][0].as_array();
        let is_of_times = columns.is_some_and(|all| all.iter().any(|name| name == "date_done"));
        let method = match method.as_str() {
            "load" if is_of_times => "web_save_multi",
            same => same,
        };
        format!("{}/{of}/{method}", self.path)
    }

    /// The status and the body of an answer in Odoo's place: `/jsonrpc` wraps it, and says 200.
    fn wrapped(&self, status: u16, content_type: &str, body: &str) -> (u16, String) {
        if self.path != RPC || !content_type.starts_with("application/json") {
            return (status, body.to_owned());
        }
        let request: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut out = json!({"jsonrpc": "2.0", "id": request["id"]});
        let mut inner: Value = serde_json::from_str(body).unwrap_or_default();
        // A key that is refused has another name there.
        if status == 401 {
            inner = json!({"name": "odoo.exceptions.AccessDenied", "message": "Access Denied"});
        }
        if status == 200 {
            out["result"] = inner;
        } else {
            out["error"] = json!({"code": 200, "message": "Odoo Server Error", "data": inner});
        }
        (200, out.to_string())
    }
}

/// Relays request after request; any error is a cut connection, which is what the other side then
/// sees.
async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await? {
        let mut cut = false;
        match shared.fault_for(&request.called()) {
            Some(What::CutBefore) => return Ok(()),
            Some(What::Held) => {
                shared.held().push(request);
                return Ok(());
            }
            Some(What::CutAfter) => cut = true,
            Some(What::Slow(time)) => tokio::time::sleep(time).await,
            Some(What::Hold) => shared.hold().await,
            Some(What::Answer {
                status,
                content_type,
                retry_after_s,
                body,
            }) => {
                let retry = retry_after_s.map(|s| format!("Retry-After: {s}\r\n"));
                let extra = retry.unwrap_or_default();
                let (status, body) = request.wrapped(status, content_type, &body);
                answer(&mut stream, status, content_type, &extra, body.as_bytes()).await?;
                continue;
            }
            None => {}
        }
        let response = relay(shared, request).await?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let kind = header("content-type").unwrap_or_default();
        let date = header("date").map(|date| format!("Date: {date}\r\n"));
        let body = response.bytes().await.map_err(std::io::Error::other)?;
        if cut {
            return Ok(());
        }
        answer(&mut stream, status, &kind, &date.unwrap_or_default(), &body).await?;
    }
    Ok(())
}

/// What Odoo answers.
async fn relay(shared: &Shared, request: Request) -> std::io::Result<reqwest::Response> {
    let verb = request.verb.parse().map_err(std::io::Error::other)?;
    let sent = shared
        .client
        .request(verb, format!("{}{}", shared.upstream, request.path))
        .headers(request.headers)
        .body(request.body)
        .send();
    sent.await.map_err(std::io::Error::other)
}

/// The next request, whole; none at the end of the connection.
async fn receive(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let room = HEAD_BYTES_MAX.saturating_sub(head.len()) as u64;
        let read = (&mut *stream)
            .take(room)
            .read_until(b'\n', &mut head)
            .await?;
        if read == 0 {
            return if head.is_empty() {
                Ok(None)
            } else {
                Err(bad("a request without an end"))
            };
        }
    }
    let head = String::from_utf8(head).map_err(|_| bad("a head that is not text"))?;
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or("").split(' ').map(str::to_owned);
    let (Some(verb), Some(path)) = (words.next(), words.next()) else {
        return Err(bad("no request line"));
    };
    let mut headers = HeaderMap::new();
    let mut length = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a bad header"))?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = value.parse().map_err(|_| bad("a bad length"))?,
            "transfer-encoding" => return Err(bad("chunked requests are not relayed")),
            // These belong to this connection, or to the one upstream.
            "host" | "connection" | "accept-encoding" => {}
            _ => {
                let name = HeaderName::try_from(name).map_err(|_| bad("a bad header"))?;
                let value = HeaderValue::try_from(value).map_err(|_| bad("a bad header"))?;
                headers.append(name, value);
            }
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(bad("a body that is too large"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        verb,
        path,
        headers,
        body,
    }))
}

async fn answer(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    kind: &str,
    extra: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} \r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{extra}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}
