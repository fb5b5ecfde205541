//! A relay in front of Odoo, the stand-in or a real one, that can fail on purpose.
//!
//! Input: HTTP/1.1 requests on loopback. Output: the same requests to Odoo, and its answers, unless
//! the link is down or a [`Fault`] applies. It finds the end of each request, so it can cut a
//! connection after Odoo has carried a request out and before the answer comes: the unknown
//! outcome.

mod fault;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::fault::{Fault, What};
use crate::tls;

/// The path of all calls to Odoo 17 and 18.
const RPC: &str = "/jsonrpc";
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;

/// The running relay, which stops when this is dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<LinkState>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct LinkState {
    upstream: String,
    client: reqwest::Client,
    up: watch::Sender<bool>,
    faults: Mutex<Vec<Fault>>,
    /// Requests that Odoo carries out later.
    held: Mutex<Vec<Request>>,
    waiting: watch::Sender<Held>,
}

/// Requests that wait.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    now: u32,
    /// A counter that rises when all waiting requests continue.
    released: u64,
}

impl LinkState {
    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_held(&self) -> MutexGuard<'_, Vec<Request>> {
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

    /// Uses the first fault for this request once.
    fn take_fault(&self, path: &str) -> Option<What> {
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
        let shared = Arc::new(LinkState {
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

    /// The URL at which the gateway connects to Odoo.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.shared.up.borrow()
    }

    /// Sets the link up or down. Down: connections are cut at once, also during a request, and new
    /// ones get no answer.
    pub fn set_up(&self, up: bool) {
        self.shared.up.send_replace(up);
    }

    pub fn add_fault(&self, fault: Fault) {
        self.shared.faults().push(fault);
    }

    /// Removes the faults of this method, and lets waiting requests continue.
    pub fn clear_faults(&self, method: &str) {
        self.shared.faults().retain(|fault| fault.method != method);
        self.shared.waiting.send_modify(|held| held.released += 1);
    }

    /// The number of requests that wait.
    #[must_use]
    pub fn count_held(&self) -> u32 {
        self.shared.waiting.borrow().now
    }

    /// Lets Odoo carry out the held requests, in order. Returns how many.
    pub async fn release(&self) -> std::io::Result<usize> {
        let held = std::mem::take(&mut *self.shared.lock_held());
        let count = held.len();
        for request in held {
            relay(&self.shared, request).await?;
        }
        Ok(count)
    }

    /// The number of requests that will still meet a fault.
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

async fn accept(listener: TcpListener, shared: Arc<LinkState>) {
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

/// A parsed HTTP request.
#[derive(Debug)]
struct Request {
    verb: String,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    /// Returns the path with the called model and method at its end. For `/jsonrpc` it is built in
    /// the names of Odoo 19, so that a fault matches the same call in each version.
    fn call_path(&self) -> String {
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
        // The true times, which 19 writes by another method.
        let columns = params["args"][5][0].as_array();
        let is_of_times = columns.is_some_and(|all| all.iter().any(|name| name == "date_done"));
        let method = match method.as_str() {
            "load" if is_of_times => "web_save_multi",
            same => same,
        };
        format!("{}/{of}/{method}", self.path)
    }

    /// Wraps an answer that replaces Odoo's: `/jsonrpc` wraps it in JSON-RPC, with status 200.
    fn wrap(&self, status: u16, content_type: &str, body: &str) -> (u16, String) {
        if self.path != RPC || !content_type.starts_with("application/json") {
            return (status, body.to_owned());
        }
        let request: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut out = json!({"jsonrpc": "2.0", "id": request["id"]});
        let mut inner: Value = serde_json::from_str(body).unwrap_or_default();
        // JSON-RPC has another name for a refused key.
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

/// Relays request after request. The client sees each error as a cut connection.
async fn serve(stream: TcpStream, shared: &LinkState) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await? {
        let mut cut = false;
        match shared.take_fault(&request.call_path()) {
            Some(What::CutBefore) => return Ok(()),
            Some(What::Held) => {
                shared.lock_held().push(request);
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
                let (status, body) = request.wrap(status, content_type, &body);
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

/// Sends a request to Odoo, and returns the answer.
async fn relay(shared: &LinkState, request: Request) -> std::io::Result<reqwest::Response> {
    let verb = request.verb.parse().map_err(std::io::Error::other)?;
    let sent = shared
        .client
        .request(verb, format!("{}{}", shared.upstream, request.path))
        .headers(request.headers)
        .body(request.body)
        .send();
    sent.await.map_err(std::io::Error::other)
}

/// Receives the next request. `None`: the end of the connection.
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
