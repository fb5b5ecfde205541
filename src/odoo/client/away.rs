//! Why Odoo does not answer as it should, for the person who must act: no server there, a version
//! that is too old, a missing database.

use std::time::Duration;

use serde_json::json;
use tokio::time::{interval, timeout};

use super::{Client, manner, receive_answer};
use crate::odoo::answer::{understand_rpc, unknown_database};
use crate::outcome::Failure;

/// The failure for a call without an answer: its outcome is unknown.
pub(super) fn lost(error: &reqwest::Error) -> Failure {
    Failure::Wait {
        message: words(error),
        after: None,
        // After the connection, Odoo or a proxy may have given up on a large call.
        slow: !error.is_connect(),
    }
}

/// Describes an error with its causes and the called address. The configuration allows no user name
/// and no password in the address.
pub(super) fn words(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let stage = if error.is_connect() {
        Stage::Connect
    } else if error.is_timeout() {
        Stage::Answer
    } else {
        Stage::Break
    };
    let url = error.url();
    let host = url.and_then(|url| url.host_str()).unwrap_or_default();
    let origin = url.map_or_else(String::new, |url| url.origin().ascii_serialization());
    explain(stage, &origin, host, &causes.join(": "))
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Connect,
    Answer,
    Break,
}

/// Describes an error for people. `causes` are texts of hyper and rustls, which are the same in
/// every language.
fn explain(stage: Stage, origin: &str, host: &str, causes: &str) -> String {
    if causes.contains("dns error") {
        return format!(
            "cannot find the host {host} of odoo.url ({origin}): {causes}; correct odoo.url, or add the host to this machine's name server"
        );
    }
    if causes.contains("InvalidContentType") {
        return format!(
            "the server at {origin} does not speak https; set odoo.url to http://..., or to the port on which Odoo speaks https"
        );
    }
    if causes.contains("invalid HTTP version") {
        return format!(
            "the server at {origin} does not speak http ({causes}); if it speaks https, set odoo.url to https://..."
        );
    }
    let what = match stage {
        Stage::Connect => format!("cannot connect to Odoo at {origin}"),
        Stage::Answer => format!("Odoo at {origin} did not answer in time"),
        Stage::Break => format!("the link to Odoo at {origin} broke"),
    };
    let remedy = remedy(stage, origin, causes);
    if causes.is_empty() {
        return format!("{what}; {remedy}");
    }
    format!("{what}: {causes}; {remedy}")
}

/// The remedy for a call without an answer. `causes` contain the error of rustls-webpki.
fn remedy(stage: Stage, origin: &str, causes: &str) -> &'static str {
    const REMEDIES: [(&str, &str); 6] = [
        (
            "UnknownIssuer",
            "set odoo.ca to the PEM file of the authority that signed the server's certificate, or to that certificate if it is self-signed",
        ),
        // rustls-webpki accepts such a certificate from no server, whatever it trusts.
        (
            "CaUsedAsEndEntity",
            "the server's certificate is itself an authority: give the server one with basicConstraints CA:FALSE, and set odoo.ca to the PEM file of its authority, or to that certificate if it is self-signed",
        ),
        (
            "not valid for name",
            "set odoo.url to a name that the server's certificate has",
        ),
        (
            "certificate expired",
            "renew the server's certificate, and check that this machine's clock is right",
        ),
        (
            "certificate not valid yet",
            "check that the clocks of this machine and of the server are right",
        ),
        (
            "invalid peer certificate",
            "give the server a certificate that names it, and set odoo.ca to the PEM file of its authority",
        ),
    ];
    let known = REMEDIES.iter().find(|(cause, _)| causes.contains(cause));
    if let Some((_, remedy)) = known {
        return remedy;
    }
    match stage {
        Stage::Connect => {
            "check that Odoo runs there, that this machine can connect to it, and that host and port in odoo.url are right"
        }
        Stage::Answer => "check that Odoo runs there and is not overloaded",
        Stage::Break if origin.starts_with("http://") => {
            "check that Odoo runs there and that the network to it works; if Odoo has never answered at this address, the port may speak https: set odoo.url to https://..."
        }
        Stage::Break => "check that Odoo runs there",
    }
}

/// The failure of a call for the version. If the answer is an error about the content of the call,
/// another program than Odoo sent it.
pub(super) fn not_odoo(url: &str, failure: Failure) -> Failure {
    match failure {
        refusal if refusal == unknown_database() => Failure::stop(
            format!("the server at {url} is not Odoo 19 or later (HTTP 404, no JSON)"),
            "correct odoo.url",
        ),
        Failure::Person { message, .. } => Failure::stop(
            format!("the server at {url} is not Odoo: {message}"),
            "correct odoo.url",
        ),
        other => other,
    }
}

impl Client {
    /// Asks Odoo for its version, which needs no key. Fails if no answer comes within `limit`, or
    /// if the answer is an error.
    pub async fn ping(&mut self, limit: Duration) -> Result<(), Failure> {
        match timeout(limit, self.version()).await {
            Ok(version) => version.map(drop),
            Err(_) => Err(Failure::wait(format!(
                "Odoo at {} did not answer a ping within {limit:?}",
                self.base
            ))),
        }
    }

    /// Reads the version with the full time of a call, and calls again after each `limit` without
    /// an answer: a connection may hang although Odoo is back. The first answer counts.
    pub async fn version_with_pings(&mut self, limit: Duration) -> Result<String, Failure> {
        let mut other = self.clone();
        let pings = async {
            let mut ticks = interval(limit);
            // The first tick comes at once.
            ticks.tick().await;
            loop {
                ticks.tick().await;
                if let Ok(Ok(version)) = timeout(limit, other.version()).await {
                    return version;
                }
            }
        };
        let answered = tokio::select! {
            biased;
            answer = self.version() => return answer,
            version = pings => version,
        };
        self.manner = other.manner;
        Ok(answered)
    }

    /// The reason why JSON-2 does not answer: Odoo 17 and 18 lack it, and `/jsonrpc` shows the
    /// version. Otherwise the refusal is the reason.
    pub(super) async fn without_json_2(&mut self, refusal: Failure) -> Failure {
        let Ok(told) = self.service("common", "version", &json!([])).await else {
            return refusal;
        };
        let version = told["server_version"].as_str().unwrap_or_default();
        manner(self.api, version).err().unwrap_or(refusal)
    }

    /// The failure for an unknown database. It lists the existing databases, if Odoo shows them
    /// (`list_db`). `None`: Odoo has the database.
    pub(super) async fn unknown_database(&self) -> Option<Failure> {
        let database = self.database.to_str().unwrap_or_default();
        let has = match self.databases().await {
            Some(names) if names.iter().any(|name| name == database) => return None,
            Some(names) => format!("it has {}", list(&names)),
            None => "it does not list its databases".to_owned(),
        };
        Some(Failure::stop(
            format!("Odoo at {} has no database {database:?}; {has}", self.base),
            "set odoo.database to the name of the database, or correct odoo.url",
        ))
    }

    /// The existing databases. `None`: Odoo does not list them.
    pub(super) async fn databases(&self) -> Option<Vec<String>> {
        let request = self
            .http
            .post(format!("{}/web/database/list", self.base))
            .json(&json!({"jsonrpc": "2.0", "id": 1, "params": {}}));
        let told = receive_answer(request.send().await, understand_rpc)
            .await
            .ok()?;
        let names: Vec<String> = serde_json::from_value(told).ok()?;
        (!names.is_empty()).then_some(names)
    }
}

/// Lists names for a message, at most `NAMES_MAX`.
pub(in crate::odoo) fn list(names: &[String]) -> String {
    const NAMES_MAX: usize = 20;
    let mut shown: Vec<String> = names.iter().take(NAMES_MAX).cloned().collect();
    if names.len() > NAMES_MAX {
        shown.push(format!("and {} more", names.len() - NAMES_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_has_an_end() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(list(&names(2)), "0, 1");
        assert!(list(&names(25)).ends_with("19, and 5 more"));
    }
}
