//! A stand-in Odoo 19, or 17 or 18: real HTTP on loopback, in memory.
//!
//! It has the parts of Odoo that a gateway uses: master data, transfers that are created, validated
//! and read back, and refusals with Odoo's texts. The answers were compared with a real Odoo 19:
//! the same tests run against both. Faults of the link are in `link`.

mod chain;
mod computed;
mod dialect;
mod domain;
mod goods;
mod json_rpc;
mod load;
mod lots;
mod methods;
mod narrow;
mod orders;
mod params;
mod picking;
mod read;
mod refusal;
mod rules;
mod schema;
pub mod seed;
mod store;
mod validate;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use methods::{denied, rights};
use params::Params;
use refusal::Refusal;
pub use seed::Seed;
use store::Store;
pub use version::Version;

pub const DATABASE: &str = "standin";
/// The key of an ordinary Inventory user.
pub const API_KEY: &str = "standin-user-key";
/// The key of a user who may write master data, for tests.
pub const ADMIN_API_KEY: &str = "standin-admin-key";
/// The key of a user who may read, but not change stock.
pub const NO_RIGHTS_API_KEY: &str = "standin-reader-key";

/// The time zone in the user's preferences, as in Odoo's own demonstration data.
const USER_ZONE: &str = "Europe/Brussels";
/// Length of a request body in bytes, at most.
const BODY_BYTES_MAX: usize = 64 << 20;

/// The running stand-in, which stops when this is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    /// The address of JSON-2 of Odoo 19, in every version.
    own_address: SocketAddr,
    shared: Arc<Server>,
    servers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Server {
    version: Version,
    store: Mutex<Store>,
    /// External ids that calls are about to create. The second of two concurrent calls fails with a
    /// serialization error.
    in_flight: Mutex<BTreeSet<String>>,
    /// Time that each line of a `load` or `button_validate` takes, so that a demonstration shows
    /// progress.
    delay_per_line: Duration,
}

impl Server {
    /// No change panics half-way: a poisoned lock still holds a good value.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_flight(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    /// Starts Odoo 19 on a free port of the loopback interface, with a made-up site of this size.
    pub async fn start(seed: Seed, delay_per_line: Duration) -> std::io::Result<Self> {
        Self::start_as(Version::V19, seed, delay_per_line).await
    }

    /// Starts an Odoo of this version.
    pub async fn start_as(
        version: Version,
        seed: Seed,
        delay_per_line: Duration,
    ) -> std::io::Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_at(any_port, version, seed, delay_per_line).await
    }

    /// As [`Self::start_as`], at this address.
    pub async fn start_at(
        address: SocketAddr,
        version: Version,
        seed: Seed,
        delay_per_line: Duration,
    ) -> std::io::Result<Self> {
        let mut store = Store::new(version);
        seed::fill(&mut store, seed);
        let shared = Arc::new(Server {
            version,
            store: Mutex::new(store),
            in_flight: Mutex::default(),
            delay_per_line,
        });
        let shown = if version.has_json_2() {
            newest().merge(oldest())
        } else {
            oldest()
        };
        let (address, server) = serve(address, shown, &shared).await?;
        let mut servers = vec![server];
        let own_address = if version.has_json_2() {
            address
        } else {
            let any_port = SocketAddr::from((address.ip(), 0));
            let (own_address, server) = serve(any_port, newest(), &shared).await?;
            servers.push(server);
            own_address
        };
        Ok(Self {
            address,
            own_address,
            shared,
            servers,
        })
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL at which a test reads and changes the stand-in's records, by JSON-2 of Odoo 19 in
    /// every version.
    #[must_use]
    pub fn own_url(&self) -> String {
        format!("http://{}", self.own_address)
    }

    /// Refuses every transfer with this product, with a message. `None`: removes the refusal.
    pub fn refuse_product(&self, barcode: &str, message: Option<&str>) {
        let mut store = self.shared.store();
        let product = store
            .table("product.product")
            .find(|(_, row)| store::text_of(row, "barcode") == barcode)
            .map(|(id, _)| id);
        let Some(product) = product else { return };
        match message {
            Some(message) => store.refused_products.insert(product, message.to_owned()),
            None => store.refused_products.remove(&product),
        };
    }

    /// Rows that calls have read since the start: a measure of work that does not depend on the
    /// machine.
    #[must_use]
    pub fn rows_looked_at(&self) -> u64 {
        self.shared.store().looked_at.load(Ordering::Relaxed)
    }

    /// Counts pickings by state.
    #[must_use]
    pub fn pickings(&self) -> BTreeMap<String, usize> {
        let store = self.shared.store();
        let mut out = BTreeMap::new();
        for (_, row) in store.table("stock.picking") {
            *out.entry(store::text_of(row, "state").to_owned())
                .or_default() += 1;
        }
        out
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// Routes of Odoo since 19.
fn newest() -> Router<Arc<Server>> {
    Router::new()
        .route("/web/version", get(version))
        .route("/json/2/{model}/{method}", any(call))
}

/// Routes of all versions.
fn oldest() -> Router<Arc<Server>> {
    Router::new()
        .route("/jsonrpc", post(json_rpc::call))
        .route("/web/database/list", post(databases))
}

async fn serve(
    address: SocketAddr,
    router: Router<Arc<Server>>,
    shared: &Arc<Server>,
) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = router
        .fallback(async || Refusal::Database)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(shared));
    let server = tokio::spawn(async move {
        // It serves until it is aborted. An error ends only its connection.
        drop(axum::serve(listener, router).await);
    });
    Ok((address, server))
}

/// Builds a JSON answer with Odoo's content type.
fn json(body: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

fn version_info(version: Version) -> Value {
    let number = version.number();
    json!({"version_info": [number, 0, 0, "final", 0, ""], "version": format!("{number}.0")})
}

async fn version(State(shared): State<Arc<Server>>) -> Response {
    json(&version_info(shared.version))
}

async fn call(
    State(shared): State<Arc<Server>>,
    Path((model, method)): Path<(String, String)>,
    verb: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // Odoo continues a request whose client has gone, so the work is a separate task.
    let work = tokio::spawn(async move {
        let caller = admit(&verb, &headers)?;
        let params = parse(&body)?;
        answer(&shared, caller, &model, &method, params).await
    });
    match work.await {
        Ok(Ok(value)) => json(&value),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::Type("the stand-in failed".to_owned()).into_response(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    User,
    Admin,
    Reader,
}

impl Caller {
    fn uid(self) -> i64 {
        match self {
            Self::User => 7,
            Self::Admin => 2,
            Self::Reader => 8,
        }
    }
}

/// As Odoo with `list_db` does (`web.controllers.database.Database.list`).
async fn databases() -> Response {
    json(&json!({"jsonrpc": "2.0", "id": null, "result": [DATABASE]}))
}

/// Checks database, route, body and key, in Odoo's order.
fn admit(verb: &Method, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("x-odoo-database") != Some(DATABASE) {
        return Err(Refusal::Database);
    }
    if verb != Method::POST {
        return Err(Refusal::NotFound(
            "Did you mean POST /json/2/<model>/<method>?".to_owned(),
        ));
    }
    if !text("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Refusal::ContentType);
    }
    let key = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    match key {
        Some(API_KEY) => Ok(Caller::User),
        Some(ADMIN_API_KEY) => Ok(Caller::Admin),
        Some(NO_RIGHTS_API_KEY) => Ok(Caller::Reader),
        Some(_) => Err(Refusal::Key("Invalid apikey")),
        None => Err(Refusal::Key(
            "User not authenticated, use an API Key with a Bearer Authorization header.",
        )),
    }
}

fn parse(body: &Bytes) -> Result<Params, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => Ok(Params::new(body)),
        Ok(_) => Err(Refusal::Body(
            "could not parse the body as json: not an object".to_owned(),
        )),
        Err(error) => Err(Refusal::Body(format!(
            "could not parse the body as json: {error}"
        ))),
    }
}

async fn answer(
    shared: &Server,
    caller: Caller,
    model: &str,
    method: &str,
    params: Params,
) -> Result<Value, Refusal> {
    let known = schema::model(model).ok_or_else(|| Refusal::Model(model.to_owned()))?;
    if method.starts_with('_') {
        return Err(Refusal::Access(format!(
            "Private methods (such as '{model}.{method}') cannot be called remotely."
        )));
    }
    rights(caller, known, method)?;
    if method == "load" {
        return load_in_turn(shared, caller, known, &params).await;
    }
    if method == "button_validate" {
        let ids = params.ids();
        let lines = |id| shared.store().many(known, id, "move_line_ids").len();
        pause(shared, ids.into_iter().map(lines).sum()).await;
    }
    transact(shared, caller, |store| {
        methods::run(store, caller, known, method, &params)
    })
}

/// Runs one call in one transaction.
fn transact(
    shared: &Server,
    caller: Caller,
    work: impl FnOnce(&mut Store) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let mut store = shared.store();
    store.user = caller.uid();
    let outcome = work(&mut store);
    if outcome.is_err() {
        store.roll_back();
    }
    store.commit();
    outcome
}

async fn pause(shared: &Server, lines: usize) {
    if !shared.delay_per_line.is_zero() {
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        tokio::time::sleep(shared.delay_per_line.saturating_mul(lines)).await;
    }
}

/// Reserves the external ids of a call. The second of two concurrent calls gets a serialization
/// error.
async fn load_in_turn(
    shared: &Server,
    caller: Caller,
    model: &'static str,
    params: &Params,
) -> Result<Value, Refusal> {
    let keys = load::keys(params);
    let rows = params
        .get("data")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    {
        let mut in_flight = shared.in_flight();
        if keys.iter().any(|key| in_flight.contains(key)) {
            return Ok(load::could_not_serialize(keys.len()));
        }
        in_flight.extend(keys.iter().cloned());
    }
    pause(shared, rows).await;
    let outcome = transact(shared, caller, |store| {
        load::load(store, caller, model, params)
    });
    let mut in_flight = shared.in_flight();
    for key in &keys {
        in_flight.remove(key);
    }
    outcome
}
