//! The user that `check` runs as: the service's, with the credentials that systemd gives it.

use std::path::{Path, PathBuf};

use rustix::process::{Gid, Uid};
use secrecy::SecretString;

use super::Finding;
use super::api_key::API_KEY;

/// The name of the finding about the user.
const USER: &str = "user";
const OTHER_RIGHTS: &str = "the service may have other rights on files and ports than this user";

/// The systemd credential with the key, used if the configuration names no file.
const CREDENTIAL: &str = "odoo-api-key";
/// The credentials of the running service, and the stores in which systemd looks for credentials
/// (systemd.exec(5), `LoadCredential=`).
const STORES: [&str; 8] = [
    "/run/credentials/stockrelay.service",
    "/etc/credstore",
    "/run/credstore",
    "/usr/local/lib/credstore",
    "/usr/lib/credstore",
    "/etc/credstore.encrypted",
    "/run/credstore.encrypted",
    "/usr/lib/credstore.encrypted",
];

/// The systemd credential with the API key. Find it before [`become_service`]: only root can read
/// the stores.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    found: Option<PathBuf>,
    /// The key; `None` if it is encrypted. The service's user may not read the store: systemd
    /// passes the key on.
    key: Option<SecretString>,
    /// A store exists that this user may not read.
    is_hidden: bool,
}

impl Credentials {
    #[must_use]
    pub fn find(directory: Option<&Path>) -> Self {
        let stores = STORES.iter().map(Path::new);
        Self::find_in(directory.into_iter().chain(stores))
    }

    fn find_in<'a>(stores: impl Iterator<Item = &'a Path>) -> Self {
        let mut credentials = Self::default();
        for store in stores {
            let path = store.join(CREDENTIAL);
            match std::fs::metadata(&path) {
                Ok(_) if credentials.found.is_some() => {}
                Ok(_) => {
                    credentials.key = read_key(&path);
                    credentials.found = Some(path);
                }
                Err(error) => {
                    credentials.is_hidden |= error.kind() == std::io::ErrorKind::PermissionDenied;
                }
            }
        }
        credentials
    }

    /// The key, if [`Self::find`] could read it.
    #[must_use]
    pub fn key(&self) -> Option<SecretString> {
        self.key.clone()
    }

    pub(super) fn finding(&self) -> Finding {
        match (&self.found, self.is_hidden) {
            (Some(path), _) => {
                let what = format!("Odoo API key is the credential {}", path.display());
                Finding::ok(API_KEY, what)
            }
            (None, true) => Finding::warn(
                API_KEY,
                "only root can see whether the systemd credential odoo-api-key exists",
                "`check` cannot find a fault of the key",
                "run `stockrelay check` as root",
            ),
            (None, false) => Finding::fail(
                API_KEY,
                "there is no Odoo API key: odoo.api_key_file is not set, and the systemd credential odoo-api-key does not exist",
                "the gateway stores scans, but sends nothing to Odoo",
                "set odoo.api_key_file, or write the key into /etc/credstore/odoo-api-key and restart the service",
            ),
        }
    }
}

/// Reads a credential. `None`: it is encrypted or cannot be read.
fn read_key(path: &Path) -> Option<SecretString> {
    if path.to_string_lossy().contains("credstore.encrypted") {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(SecretString::from(text.trim()))
}

/// Changes from root to the service's user. Call it while the process has one thread.
#[must_use]
pub fn become_service(user: &str) -> Finding {
    let me = rustix::process::geteuid();
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    let Some((uid, gid)) = find_user(&text("/etc/passwd"), user) else {
        return Finding::warn(
            USER,
            format!("this machine has no user {user}: the findings are for the current user"),
            OTHER_RIGHTS,
            "run systemd-sysusers with stockrelay.sysusers, or name the service's user with --user",
        );
    };
    if me.as_raw() == uid {
        return Finding::ok(USER, format!("the findings are for user {user}"));
    }
    if !me.is_root() {
        return Finding::warn(
            USER,
            format!("the findings are for the current user, not for the service's user {user}"),
            OTHER_RIGHTS,
            "run `stockrelay check` as root",
        );
    }
    let groups = find_groups(&text("/etc/group"), user, gid);
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let became = rustix::thread::set_thread_groups(&groups)
        .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
        .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid));
    match became {
        Ok(()) => Finding::ok(
            USER,
            format!("the findings are for user {user}, as which the service runs"),
        ),
        Err(error) => Finding::warn(
            USER,
            format!("cannot become user {user} ({error}): the findings are for root"),
            OTHER_RIGHTS,
            format!(
                "run `check` as that user: setpriv --reuid {user} --regid {user} --init-groups stockrelay check"
            ),
        ),
    }
}

/// The user's number and group in the text of `/etc/passwd`.
fn find_user(passwd: &str, user: &str) -> Option<(u32, u32)> {
    let mut fields = passwd.lines().map(|line| line.split(':'));
    fields.find_map(|mut fields| {
        (fields.next()? == user).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// The user's groups in the text of `/etc/group`, with its own.
fn find_groups(group: &str, user: &str, own: u32) -> Vec<Gid> {
    let member = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let is_member = fields.get(3)?.split(',').any(|name| name == user);
        is_member.then(|| fields[2].parse::<u32>().ok()).flatten()
    };
    let mut groups = vec![own];
    groups.extend(group.lines().filter_map(member));
    groups.into_iter().map(Gid::from_raw).collect()
}

/// Finds the process that answers on the control socket.
pub async fn running(socket: &Path) -> Option<i32> {
    let stream = tokio::net::UnixStream::connect(socket).await.ok()?;
    stream.peer_cred().ok()?.pid()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_credential_that_systemd_would_pass_on_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let find = || Credentials::find_in([dir.path()].into_iter());
        assert_eq!(find().finding().level, super::super::Level::Fail);
        std::fs::write(dir.path().join(CREDENTIAL), "key").unwrap();
        assert_eq!(find().finding().level, super::super::Level::Ok);
        assert_eq!(find().key().unwrap().expose_secret(), "key");
    }

    #[test]
    fn the_services_user_and_its_groups_are_found() {
        let passwd = "root:x:0:0::/:/bin/sh\nstockrelay:x:998:997:g:/:/no\n";
        assert_eq!(find_user(passwd, "stockrelay"), Some((998, 997)));
        assert_eq!(find_user(passwd, "stock"), None);
        let groups = find_groups("a:x:5:x,stockrelay\nb:x:6:stock\n", "stockrelay", 997);
        assert_eq!(groups, [997, 5].map(Gid::from_raw));
    }
}
