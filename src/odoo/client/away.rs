//! Why Odoo does not answer as it should, in the words of the person who must act: nobody is there, the
//! version is too old, or there is no such database.

use serde_json::json;

use super::{Client, manner, receive};
use crate::odoo::answer::understand_rpc;
use crate::outcome::Failure;

/// No answer: whether Odoo did it is unknown.
pub(super) fn lost(error: &reqwest::Error) -> Failure {
    Failure::Wait {
        message: words(error),
        after: None,
        // Once connected, a large call may be what Odoo or a proxy gave up on.
        slow: !error.is_connect(),
    }
}

/// An error with its causes, and the address that was called: the configuration allows no name and
/// no password in it.
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

/// `causes` are the words of hyper and rustls, which are the same in every language.
fn explain(stage: Stage, origin: &str, host: &str, causes: &str) -> String {
    if causes.contains("dns error") {
        return format!(
            "cannot find the host {host} of odoo.url ({origin}): {causes}; correct odoo.url, or see that this machine's name server knows the host"
        );
    }
    if causes.contains("InvalidContentType") {
        return format!(
            "what answers at {origin} does not speak https: set odoo.url to http://..., or to the port on which Odoo speaks https"
        );
    }
    if causes.contains("invalid HTTP version") {
        return format!(
            "what answers at {origin} does not speak http: if it speaks https, set odoo.url to https://... ({causes})"
        );
    }
    let what = match stage {
        Stage::Connect => format!("cannot connect to Odoo at {origin}"),
        Stage::Answer => format!("Odoo at {origin} did not answer in time (odoo.timeout_s)"),
        Stage::Break => format!("the link to Odoo at {origin} broke"),
    };
    let hint = if causes.contains("UnknownIssuer") {
        "; set odoo.ca to the PEM file of the authority that signed the server's certificate"
    } else if causes.contains("Connection refused") || causes.contains("os error 111") {
        "; see that Odoo runs there, and that host and port in odoo.url are right"
    } else {
        ""
    };
    if causes.is_empty() {
        return what;
    }
    format!("{what}: {causes}{hint}")
}

impl Client {
    /// Why JSON-2 does not answer: 17 and 18 do not have it, which `/jsonrpc` tells. Else it is
    /// what the refusal says.
    pub(super) async fn without_json_2(&mut self, refusal: Failure) -> Failure {
        let Ok(told) = self.service("common", "version", &json!([])).await else {
            return refusal;
        };
        let version = told["server_version"].as_str().unwrap_or_default();
        manner(self.api, version).err().unwrap_or(refusal)
    }

    /// Names the database, and those that there are, where Odoo tells them (`list_db`). `None`: Odoo
    /// has the database.
    pub(super) async fn unknown_database(&self) -> Option<Failure> {
        let database = self.database.to_str().unwrap_or_default();
        let has = match self.databases().await {
            Some(names) if names.iter().any(|name| name == database) => return None,
            Some(names) => format!("it has {}", list(&names)),
            None => "it does not tell which it has".to_owned(),
        };
        Some(Failure::stop(
            format!("Odoo at {} has no database {database:?}; {has}", self.base),
            "set odoo.database to the name of the database, or correct odoo.url",
        ))
    }

    /// The databases that there are; `None` where Odoo does not tell them.
    pub(super) async fn databases(&self) -> Option<Vec<String>> {
        let request = self
            .http
            .post(format!("{}/web/database/list", self.base))
            .json(&json!({"jsonrpc": "2.0", "id": 1, "params": {}}));
        let told = receive(request.send().await, understand_rpc).await.ok()?;
        let names: Vec<String> = serde_json::from_value(told).ok()?;
        (!names.is_empty()).then_some(names)
    }
}

/// Names for a message: at the most so many.
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
