//! The identity of the client: its API key, and the id of the key's user.
//!
//! **In**: the key file or the credential, and the login name. **Out**: the header for JSON-2, and
//! the login for `/jsonrpc`. The client asks Odoo for the id once for each key.

use std::path::PathBuf;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Client;
use crate::odoo::key;
use crate::odoo::wire::Login;
use crate::odoo_id::UserId;
use crate::outcome::Failure;

impl Client {
    /// The id of the key's user, which the key does not contain.
    pub(super) async fn log_in(&mut self) -> Result<UserId, Failure> {
        if let Some(uid) = self.uid {
            return Ok(uid);
        }
        let Some(user) = self.user.clone() else {
            return Err(Failure::stop(
                "the gateway calls this Odoo through /jsonrpc, which needs the login name of the key's user",
                "set odoo.user",
            ));
        };
        let login = self.login(UserId::default());
        let args = json!([login.database, user, login.key, {}]);
        let answer = match self.service("common", "authenticate", &args).await {
            // Odoo answers the same when its database server is down: the list of databases tells
            // which cause it is.
            Err(failure @ Failure::Wait { .. }) => {
                if self.databases().await.is_none() {
                    return Err(failure);
                }
                return Err(self.unknown_database().await.unwrap_or(failure));
            }
            answer => answer?,
        };
        let uid = answer.as_i64().map(UserId::new).ok_or_else(|| {
            Failure::stop(
                format!(
                    "Odoo at {} does not accept the API key for the user {user:?} of the database {:?}",
                    self.base,
                    self.database.to_str().unwrap_or_default()
                ),
                "correct odoo.user, or write a new key of that user into odoo.api_key_file, or into /etc/credstore/odoo-api-key and restart the service",
            )
        })?;
        self.uid = Some(uid);
        Ok(uid)
    }

    pub(super) fn login(&self, uid: UserId) -> Login<'_> {
        Login {
            database: self.database.to_str().unwrap_or_default(),
            uid,
            key: self.key.as_ref().map_or("", ExposeSecret::expose_secret),
        }
    }
}

pub(super) fn bearer(key: &SecretString) -> Result<HeaderValue, Failure> {
    let mut value =
        HeaderValue::from_str(&format!("bearer {}", key.expose_secret())).map_err(|_| {
            Failure::stop(
                "the API key of Odoo has characters that an HTTP header does not allow",
                "create a new key in Odoo and write it into the key file",
            )
        })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) async fn read_key(file: Option<PathBuf>) -> Result<SecretString, Failure> {
    let read = tokio::task::spawn_blocking(move || key::read(file.as_deref()));
    read.await.unwrap_or_else(|_| {
        Err(Failure::wait(
            "the gateway could not read the API key of Odoo",
        ))
    })
}
