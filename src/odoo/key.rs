//! The API key, from the file of `odoo.api_key_file` or from the systemd credential.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::outcome::Failure;

/// The largest key file that the gateway reads; a key has 40 characters.
const KEY_BYTES_MAX: u64 = 4_096;

/// Reads the key. The failure names the file and the remedy.
pub fn read(file: Option<&Path>) -> Result<SecretString, Failure> {
    let (path, is_credential) = match file {
        Some(file) => (file.to_owned(), false),
        None => (credential().ok_or_else(missing)?, true),
    };
    let shown = path.display();
    let mut text = String::new();
    if let Err(error) = read_text(&path, &mut text) {
        let what = format!("cannot read the API key of Odoo from {shown}: {error}");
        return Err(Failure::stop(
            what,
            remedy(&path, is_credential, error.kind()),
        ));
    }
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::stop(
            format!("{shown} is empty, or contains more than the API key of Odoo"),
            "write only the key into the file",
        ));
    }
    Ok(SecretString::from(key))
}

/// The remedy for a file that the gateway cannot read.
fn remedy(path: &Path, is_credential: bool, kind: io::ErrorKind) -> String {
    let shown = path.display();
    if is_credential {
        "write the key into /etc/credstore/odoo-api-key and restart the service".to_owned()
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("give the file to the daemon's user: chown stockrelay {shown} && chmod 600 {shown}")
    } else {
        "create a key in Odoo (Preferences, Account Security) and write only the key into the file"
            .to_owned()
    }
}

fn credential() -> Option<PathBuf> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    Some(PathBuf::from(directory).join("odoo-api-key"))
}

fn missing() -> Failure {
    Failure::stop(
        "the gateway has no API key of Odoo: the configuration does not set odoo.api_key_file, and systemd has no credential odoo-api-key",
        "name the file in odoo.api_key_file, or write the key into /etc/credstore/odoo-api-key and restart the service",
    )
}

fn read_text(path: &Path, text: &mut String) -> io::Result<usize> {
    File::open(path)?.take(KEY_BYTES_MAX).read_to_string(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_is_told_with_its_own_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("odoo.key");
        let fault = |path: &Path| match read(Some(path)) {
            Err(Failure::Stop { message, remedy }) => {
                assert!(message.contains(&*path.to_string_lossy()), "{message}");
                remedy
            }
            other => panic!("{other:?}"),
        };
        assert!(fault(&path).starts_with("create a key in Odoo"));
        assert!(fault(dir.path()).starts_with("create a key in Odoo"));
        for text in ["", "\n", "one two", "schlüssel", "key\nmore"] {
            fs::write(&path, text).unwrap();
            assert_eq!(fault(&path), "write only the key into the file", "{text:?}");
        }
        fs::write(&path, " 0123abcd\n").unwrap();
        assert!(read(Some(&path)).is_ok());
        let denied = remedy(&path, false, io::ErrorKind::PermissionDenied);
        assert!(denied.starts_with("give the file to the daemon's user: chown"));
    }
}
