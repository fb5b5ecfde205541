//! What expires when, for the report to central IT.
//!
//! **In**: the board, and the certificates that the configuration names. **Out**: a time for each
//! name. It reads files, and blocks: call it on a thread that may, and not each second.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::board::Board;
use crate::config::Config;
use crate::tls;

/// The certificates of a configuration: the name of each in the report, and its file.
///
/// - `tls_cert`: the certificate of the front door, `mqtt.listen.tls_cert`;
/// - `broker_cert`: the client certificate for the site's broker, `mqtt.broker.client_cert`;
/// - `client_cert`: the client certificate for central IT, `fleet.client_cert`.
#[must_use]
pub fn certificates(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let listen = config.listen.as_ref();
    let broker = config.broker.as_ref();
    let files = [
        ("tls_cert", listen.and_then(|it| it.tls_cert.clone())),
        ("broker_cert", broker.and_then(|it| it.client_cert.clone())),
        ("client_cert", config.fleet.tls.client_cert.clone()),
    ];
    let files = files.into_iter();
    files
        .filter_map(|(name, file)| Some((name, file?)))
        .collect()
}

/// Lists what expires when: the certificates; `bundle`, the bundle that runs; and `odoo_key`, the
/// first of the valid API keys of the gateway's user in Odoo. What does not expire, or cannot be
/// read, is not in the list.
#[must_use]
pub fn find_expiries(
    board: &Board,
    certificates: &[(&'static str, PathBuf)],
) -> BTreeMap<String, Timestamp> {
    let files = certificates.iter();
    let mut expiries: BTreeMap<_, _> = files
        .filter_map(|(name, file)| Some(((*name).to_owned(), tls::read_expiry(file)?)))
        .collect();
    let live = board.snapshot();
    let others = [
        ("bundle", live.config.expires),
        ("odoo_key", live.odoo.key_expires),
    ];
    expiries.extend((others.into_iter()).filter_map(|(name, at)| Some((name.to_owned(), at?))));
    expiries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_key_and_each_certificate_have_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, year: i32| {
            let mut params = rcgen::CertificateParams::new(vec!["gateway".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 3, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            let file = dir.path().join(name);
            std::fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
        };
        let text = "site = \"ams1\"\n[mqtt.listen]\nanonymous = true\ntls_cert = \"door.pem\"\ntls_key = \"door.key\"\n\
                    [odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\n\
                    [fleet]\nbroker = \"mqtts://it.example\"\nclient_cert = \"client.pem\"\nclient_key = \"client.key\"\n";
        std::fs::write(dir.path().join("config.toml"), text).unwrap();
        let config = config::load(&dir.path().join("config.toml"), &[])
            .unwrap()
            .config;
        write("client.pem", 2031);
        write("door.pem", 2029);
        let board = Board::new();
        board.odoo(|view| view.key_expires = "2030-01-02T03:04:05Z".parse().ok());
        let found = find_expiries(&board, &certificates(&config));
        let found: Vec<_> = (found.iter())
            .map(|(name, at)| format!("{name} {at}"))
            .collect();
        assert_eq!(
            found,
            [
                "client_cert 2031-03-01T00:00:00Z",
                "odoo_key 2030-01-02T03:04:05Z",
                "tls_cert 2029-03-01T00:00:00Z",
            ]
        );
        // A file without a certificate, or none at all, is left out.
        std::fs::write(dir.path().join("client.pem"), "no certificate").unwrap();
        std::fs::remove_file(dir.path().join("door.pem")).unwrap();
        assert_eq!(find_expiries(&board, &certificates(&config)).len(), 1);
    }
}
