//! The API key of Odoo, and central IT's trusted keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Credentials, Finding};
use crate::config;
use crate::fleet::Trust;
use crate::fleet::reception::TRUST_FILE;
use crate::fleet::trust::TrustError;

/// The name of the findings about the API key.
pub(super) const API_KEY: &str = "odoo.api_key_file";
const TRUST: &str = "fleet.trust";
const NO_BUNDLE: &str = "the gateway accepts no configuration bundle";

/// Checks the systemd credential, or who may read `odoo.api_key_file`. The list of `opens` has
/// whether the daemon can read the file.
pub(super) fn key(odoo: &config::Odoo, credentials: &Credentials) -> Option<Finding> {
    let Some(path) = &odoo.api_key_file else {
        return Some(credentials.finding());
    };
    let shown = path.display();
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        Finding::warn(
            API_KEY,
            format!("the file with the Odoo API key, {shown}, has mode {mode:04o}"),
            "other users than its owner can use the key to move stock in Odoo",
            format!("run `chown stockrelay {shown} && chmod 600 {shown}`"),
        )
    })
}

/// Checks trust.toml beside the configuration file `main`. `user` is the daemon's. `None`: there is
/// none, and the gateway has no link to central IT, which may hand in bundles.
pub(super) fn trust(main: &Path, fleet: &config::Fleet, user: u32) -> Option<Finding> {
    let file = main.with_file_name(TRUST_FILE);
    let shown = file.display();
    let is_linked = fleet.broker.is_some() || fleet.url.is_some();
    let remedy = format!("copy central IT's newest trust.toml to {shown}");
    let fail = |what: String, remedy: String| Finding::fail(TRUST, what, NO_BUNDLE, remedy);
    if !file.exists() {
        return is_linked.then(|| fail(format!("trust.toml: {shown} does not exist"), remedy));
    }
    Some(match Trust::read_installed(&file, user) {
        Ok(trust) => {
            let (version, keys) = (trust.version, trust.valid_keys().len());
            let threshold = trust.threshold;
            Finding::ok(
                TRUST,
                format!(
                    "trust.toml version {version}: {threshold} of {keys} keys must sign a bundle"
                ),
            )
        }
        Err(TrustError::Unreadable { reason, remedy, .. }) => {
            fail(format!("trust.toml: {shown}: {reason}"), remedy.clone())
        }
        Err(error) => fail(format!("trust.toml: {error}"), remedy),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::view::check::Level;

    #[test]
    fn trust_toml_that_cannot_be_used_is_a_failure_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let main = dir.path().join("config.toml");
        let file = dir.path().join("trust.toml");
        let user = rustix::process::geteuid().as_raw();
        let alone = config::Fleet::default();
        assert_eq!(trust(&main, &alone, user), None);
        let linked = config::Fleet {
            url: Some("https://it.example/x.bundle".to_owned()),
            ..alone.clone()
        };
        let fails = |fleet: &config::Fleet, part: &str| {
            let finding = trust(&main, fleet, user).unwrap();
            assert_eq!(finding.level, Level::Fail);
            assert!(finding.to_string().contains(part), "{finding}");
        };
        fails(&linked, "copy central IT's newest trust.toml to");
        std::fs::write(&file, "threshold = ").unwrap();
        fails(&alone, "copy central IT's newest trust.toml to");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        fails(&alone, "chmod go-w");
    }

    #[test]
    fn a_key_that_others_can_reach_is_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("odoo.key");
        std::fs::write(&path, "0123abcd\n").unwrap();
        let mut odoo = config::Odoo::new("http://127.0.0.1:8069", "db");
        odoo.api_key_file = Some(path.clone());
        for (mode, is_warned) in [(0o400, false), (0o600, false), (0o640, true), (0o644, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let finding = key(&odoo, &Credentials::default());
            assert_eq!(finding.is_some(), is_warned, "{mode:o}");
        }
    }
}
