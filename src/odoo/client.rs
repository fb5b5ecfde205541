//! One call to Odoo: one HTTP request, and one transaction in Odoo. (`older` makes several calls
//! where Odoo 17 or 18 needs them.)
//!
//! Callers use the methods of Odoo 19 with JSON-2; `wire` and `dialect` translate them for the
//! connected Odoo. The client sends one request at a time and limits the bytes of an answer; a
//! clone can send another request meanwhile, and shares the open connections. If Odoo rejects the
//! key, the client reads the key again, so a new key in `odoo.api_key_file` needs no restart.

pub(super) mod away;
mod clock_ahead;
mod login;
mod meter;
mod older;
mod receive;
pub(super) mod records;
mod request_id;

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::away::{not_odoo, words};
use self::clock_ahead::ahead_of;
use self::login::{bearer, read_key};
pub use self::meter::Meter;
use self::receive::{date, receive_answer};
use super::answer::{self, CallError, understand, understand_rpc};
use super::dialect::Dialect;
use super::wire::{self, Wire};
use crate::board::levels::Call;
use crate::clock;
use crate::config::{self, Api};
use crate::odoo_id::{CompanyId, UserId};
use crate::outcome::Failure;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most connections that the gateway uses at once: see `forward::lanes`.
const CONNECTIONS: usize = 2;
/// A firewall or proxy may close an idle connection silently after this time.
const IDLE_MAX: Duration = Duration::from_secs(50);
const DATABASE: HeaderName = HeaderName::from_static("x-odoo-database");

/// The client for one database of one Odoo server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    database: HeaderValue,
    api: Api,
    user: Option<String>,
    /// The API that the client uses. `None` before the first call for the version.
    manner: Option<Manner>,
    key_file: Option<PathBuf>,
    key: Option<SecretString>,
    is_key_given: bool,
    /// The id of the key's user, which `/jsonrpc` needs.
    uid: Option<UserId>,
    server_time: Option<Timestamp>,
    clock_ahead: Option<SignedDuration>,
    /// The company of all calls. `None` before [`Client::warehouse`] found the warehouse.
    company: Option<CompanyId>,
    pub(super) me: Option<UserId>,
    pub(super) shipping: Option<Vec<String>>,
    /// Whether products have a field for dates of lots. `None`: the client has not asked yet.
    pub(super) has_dates: Option<bool>,
    /// Whether moves have a field for their sale. `None`: the client has not asked yet.
    pub(super) has_sales: Option<bool>,
    meter: Meter,
    /// The header that names the documents of the next requests.
    request_id: Option<HeaderValue>,
}

#[derive(Debug, Clone, Copy)]
struct Manner {
    wire: Wire,
    dialect: Dialect,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Builds the client. It sends nothing yet, and reads the key only at the first call.
    pub fn new(config: &config::Odoo) -> Result<Self, Failure> {
        let tls = tls::client_config(config.ca.as_deref())
            .map_err(|e| Failure::stop(e.to_string(), "correct odoo.ca"))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(CONNECTIONS)
            .pool_idle_timeout(IDLE_MAX)
            .tcp_keepalive(Duration::from_secs(15))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_secs(config.timeout_s))
            .user_agent(concat!("stockrelay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Failure::stop(words(&e), "correct the section [odoo]"))?;
        let database = HeaderValue::from_str(&config.database).map_err(|_| {
            Failure::stop(
                format!(
                    "database {:?} has characters that an HTTP header does not allow",
                    config.database
                ),
                "correct odoo.database",
            )
        })?;
        Ok(Self {
            http,
            base: config.url.trim_end_matches('/').to_owned(),
            database,
            api: config.api,
            user: config.user.clone(),
            manner: None,
            key_file: config.api_key_file.clone(),
            key: None,
            is_key_given: false,
            uid: None,
            server_time: None,
            clock_ahead: None,
            company: None,
            me: None,
            shipping: None,
            has_dates: None,
            has_sales: None,
            meter: Meter::default(),
            request_id: None,
        })
    }

    /// Sets the key, so that the client reads no key file.
    #[must_use]
    pub fn with_key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self.is_key_given = true;
        self
    }

    /// Sets what learns of each request. Without it, nothing does (commands, tests).
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// Reads the key, unless the client has one. It sends nothing.
    pub async fn load_key(&mut self) -> Result<(), Failure> {
        if self.key.is_none() {
            self.key = Some(read_key(self.key_file.clone()).await?);
        }
        Ok(())
    }

    /// Calls `model.method` with the named parameters in `body`, and reads the answer as `T`.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        model: &str,
        method: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        let answer = match self.ask(model, method, body).await {
            Err(CallError::Forbidden(message)) => Err(self.forbidden(&message).await?),
            Err(CallError::Failed(failure)) => Err(failure),
            Ok(answer) => Ok(answer),
        };
        read(model, method, answer?)
    }

    /// Calls a method and returns its answer. The caller finds out the cause of a 403.
    pub(super) async fn ask(
        &mut self,
        model: &str,
        method: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        self.load_key().await?;
        match self.dialect().await? {
            Dialect::V19 => self.send(model, method, body).await,
            older => self.call_older(older, model, method, body).await,
        }
    }

    /// Finds the cause of a 403: the rights of the key's user, which hold the link, or the records
    /// of this call.
    pub(super) async fn forbidden(&mut self, message: &str) -> Result<Failure, Failure> {
        let remedy =
            "give the key's user the right Inventory / User and the company of odoo.warehouse";
        let hold =
            |what: &str| Failure::stop(format!("Odoo forbids the call (HTTP 403): {what}"), remedy);
        let missing = match self.lacking_rights().await {
            Err(CallError::Forbidden(why)) => return Ok(hold(&why)),
            Err(CallError::Failed(failure)) => return Err(failure),
            Ok(missing) => missing,
        };
        if !missing.is_empty() {
            return Ok(hold(&format!(
                "the key's user may not {}",
                missing.join(", ")
            )));
        }
        match self.sees_company().await {
            Ok(true) => Ok(Failure::person(format!("Odoo forbids the call: {message}"))),
            Ok(false) => Ok(hold("the key's user is not in the warehouse's company")),
            Err(CallError::Forbidden(why)) => Ok(hold(&why)),
            Err(CallError::Failed(failure)) => Err(failure),
        }
    }

    /// Sends a request, and sends it again if the key has changed.
    pub(super) async fn send(
        &mut self,
        model: &str,
        method: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let answer = self.post(model, method, body).await;
        let refused = matches!(
            answer,
            Err(CallError::Forbidden(_) | CallError::Failed(Failure::Stop { .. }))
        );
        if !refused || self.is_key_given {
            return answer;
        }
        // Odoo refused the key before it did anything. A person may have replaced the key file
        // since.
        self.uid = None;
        let fresh = read_key(self.key_file.clone()).await?;
        let known = self.key.as_ref().map(ExposeSecret::expose_secret);
        if known == Some(fresh.expose_secret()) {
            return answer;
        }
        tracing::info!("the API key of Odoo has changed: using the new key");
        self.key = Some(fresh);
        self.post(model, method, body).await
    }

    pub(super) fn set_company(&mut self, company: CompanyId) {
        self.company = Some(company);
    }

    /// The context of each call that writes: messages in English, times in UTC, and only the
    /// warehouse's company, whatever companies the user has.
    pub(super) fn context(&self) -> Value {
        match self.company {
            Some(company) => {
                json!({"lang": wire::LANGUAGE, "tz": "UTC", "allowed_company_ids": [company]})
            }
            None => json!({"lang": wire::LANGUAGE, "tz": "UTC"}),
        }
    }

    /// Reads Odoo's version, which needs no key, and chooses the API by it.
    pub async fn version(&mut self) -> Result<String, Failure> {
        let meter = self.meter.clone();
        let told = meter
            .measure(Call::Connect, Box::pin(self.ask_version()))
            .await;
        let told = told.map_err(|failure| not_odoo(&self.base, failure))?;
        let version = told.get("version").or_else(|| told.get("server_version"));
        let Some(version) = version.and_then(Value::as_str) else {
            return Err(Failure::wait(format!(
                "the server at {} does not report a version of Odoo; correct odoo.url",
                self.base
            )));
        };
        let version: String = version.chars().take(40).collect();
        self.manner = Some(manner(self.api, &version)?);
        Ok(version)
    }

    async fn ask_version(&mut self) -> Result<Value, Failure> {
        Ok(match self.api {
            Api::JsonRpc => self.service("common", "version", &json!([])).await?,
            Api::Json2 => match self
                .web_version()
                .await
                .map_err(|error| outright(&self.base, error))
            {
                Err(refusal @ Failure::Stop { .. }) => {
                    return Err(self.without_json_2(refusal).await);
                }
                told => told?,
            },
            // Odoo 17 and 18 do not have this page. Any other cause shows in the second call as
            // well.
            Api::Auto => match self.web_version().await {
                Err(CallError::Forbidden(_) | CallError::Failed(Failure::Stop { .. })) => {
                    self.service("common", "version", &json!([])).await?
                }
                told => told.map_err(|error| outright(&self.base, error))?,
            },
        })
    }

    async fn web_version(&self) -> Result<Value, CallError> {
        let response = self.http.get(format!("{}/web/version", self.base));
        receive_answer(response.send().await, understand).await
    }

    /// The name of the API for people. `None` before the client chose one.
    #[must_use]
    pub fn api(&self) -> Option<&'static str> {
        self.manner.map(|manner| manner.wire.name())
    }

    pub(super) async fn dialect(&mut self) -> Result<Dialect, Failure> {
        Ok(self.manner().await?.dialect)
    }

    async fn manner(&mut self) -> Result<Manner, Failure> {
        if self.manner.is_none() && self.api == Api::Json2 {
            // No older version has JSON-2, so the client need not read the version.
            self.manner = Some(manner(self.api, "")?);
        }
        if self.manner.is_none() {
            self.version().await?;
        }
        self.manner
            .ok_or_else(|| Failure::wait("the gateway does not know Odoo's version yet"))
    }

    /// The server's time in its last answer. Without a `Date` header: the gateway's time.
    #[must_use]
    pub fn server_time(&self) -> Timestamp {
        self.server_time.unwrap_or_else(clock::now)
    }

    /// The time by which the gateway's clock was ahead of the server's at the last answer. `None`:
    /// no answer had a `Date` header.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        self.clock_ahead
    }

    async fn post(&mut self, model: &str, method: &str, body: &Value) -> Result<Value, CallError> {
        let meter = self.meter.clone();
        // Boxed: the futures of all callers contain this one.
        let posting = Box::pin(self.post_once(model, method, body));
        meter.measure(Call::of(method), posting).await
    }

    async fn post_once(
        &mut self,
        model: &str,
        method: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        debug_assert!(
            wire::names_fields(method, body),
            "{model}.{method} names no fields: {body}"
        );
        let body = &wire::in_english(body);
        if self.manner().await?.wire == Wire::JsonRpc {
            let uid = self.log_in().await?;
            let args = wire::execute(self.login(uid), model, method, body);
            return self.rpc("object", "execute_kw", &args).await;
        }
        let mut request = self
            .http
            .post(format!("{}/json/2/{model}/{method}", self.base))
            .header(DATABASE, &self.database)
            .json(body);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, bearer(key)?);
        }
        let sent = self.with_request_id(request).send().await;
        self.note_time(&sent);
        let is_unknown = self.api == Api::Json2
            && matches!(&sent, Ok(response) if response.status() == StatusCode::NOT_FOUND);
        let mut refusal = match receive_answer(sent, understand).await {
            Err(CallError::Failed(refusal @ Failure::Stop { .. })) => refusal,
            answered => return answered,
        };
        if is_unknown {
            refusal = self.without_json_2(refusal).await;
        }
        if refusal == answer::unknown_database() {
            refusal = self.unknown_database().await.unwrap_or(refusal);
        }
        Err(self.name_key(refusal).into())
    }

    /// Adds server, database and file to the failure of a rejected key.
    fn name_key(&self, failure: Failure) -> Failure {
        let database = self.database.to_str().unwrap_or_default();
        let file = self.key_file.as_ref();
        let file = file.map_or_else(
            || "the credential odoo-api-key".to_owned(),
            |file| file.display().to_string(),
        );
        answer::name_key(failure, &self.base, database, &file)
    }

    /// Calls a service of `/jsonrpc` that concerns no records.
    async fn service(&mut self, of: &str, method: &str, args: &Value) -> Result<Value, Failure> {
        self.rpc(of, method, args)
            .await
            .map_err(|error| outright(&self.base, error))
    }

    async fn rpc(&mut self, service: &str, method: &str, args: &Value) -> Result<Value, CallError> {
        let request = self
            .http
            .post(format!("{}/jsonrpc", self.base))
            .json(&wire::envelope(service, method, args));
        let sent = self.with_request_id(request).send().await;
        self.note_time(&sent);
        receive_answer(sent, understand_rpc).await
    }

    /// Whether the user may work in the warehouse's company; `true` before the client found the
    /// warehouse.
    async fn sees_company(&mut self) -> Result<bool, CallError> {
        let Some(company) = self.company else {
            return Ok(true);
        };
        let body = json!({"domain": [["company_id", "=", company]], "context": self.context()});
        let warehouses = self.ask("stock.warehouse", "search_count", &body).await?;
        Ok(warehouses.as_u64() > Some(0))
    }

    fn note_time(&mut self, sent: &Result<Response, reqwest::Error>) {
        if let Ok(response) = sent {
            self.server_time = date(response);
            let ahead = |server| ahead_of(clock::now(), server);
            self.clock_ahead = self.server_time.map(ahead).or(self.clock_ahead);
        }
    }
}

fn manner(api: Api, version: &str) -> Result<Manner, Failure> {
    let dialect = Dialect::of(version).ok_or_else(|| {
        Failure::stop(format!("Odoo {version} is too old"), "use Odoo 17 or later")
    })?;
    let wire = match api {
        Api::Json2 if dialect < Dialect::V19 => {
            return Err(Failure::stop(
                format!("Odoo {version} is too old for JSON-2"),
                "set odoo.api to auto, and odoo.user to the login name of the key's user",
            ));
        }
        Api::Auto if dialect < Dialect::V19 => Wire::JsonRpc,
        Api::Json2 | Api::Auto => Wire::Json2,
        Api::JsonRpc => Wire::JsonRpc,
    };
    Ok(Manner { wire, dialect })
}

pub(super) fn read<T: DeserializeOwned>(
    model: &str,
    method: &str,
    answer: Value,
) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|e| {
        Failure::wait(format!(
            "cannot read Odoo's answer to {model}.{method} ({e}): check that odoo.url is the address of Odoo 17, 18 or 19"
        ))
    })
}

/// Turns the error of a call that concerns no records into a failure: a 403 then forbids all
/// access.
fn outright(url: &str, error: CallError) -> Failure {
    match error {
        CallError::Failed(failure) => failure,
        CallError::Forbidden(message) => Failure::stop(
            format!("the server at {url} forbids the call (HTTP 403): {message}"),
            "allow this machine to connect to Odoo at odoo.url",
        ),
    }
}
