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

/// Lists what expires when:
///
/// - `odoo_key`: the first of the valid API keys of the gateway's user in Odoo;
/// - `tls_cert`: the certificate of the front door, `mqtt.listen.tls_cert`;
/// - `broker_cert`: the client certificate for the site's broker, `mqtt.broker.client_cert`;
/// - `client_cert`: the client certificate for central IT's broker, `fleet.client_cert`.
///
/// What does not expire, or cannot be read, is not in the list.
#[must_use]
pub fn find_expiries(board: &Board, config: &Config) -> BTreeMap<String, Timestamp> {
    let listen = config.listen.as_ref();
    let certificates: [(&str, Option<&PathBuf>); 3] = [
        ("tls_cert", listen.and_then(|it| it.tls_cert.as_ref())),
        (
            "broker_cert",
            config
                .broker
                .as_ref()
                .and_then(|it| it.client_cert.as_ref()),
        ),
        (
            "client_cert",
            (config.fleet.broker.as_ref()).and_then(|it| it.client_cert.as_ref()),
        ),
    ];
    let read =
        |(name, file): (&str, Option<&PathBuf>)| Some((name.to_owned(), tls::read_expiry(file?)?));
    let mut expiries: BTreeMap<_, _> = certificates.into_iter().filter_map(read).collect();
    let key = board.snapshot().odoo.key_expires;
    expiries.extend(key.map(|at| ("odoo_key".to_owned(), at)));
    expiries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_key_and_each_certificate_have_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = |name: &str, year: i32| {
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
        certificate("client.pem", 2031);
        certificate("door.pem", 2029);
        let board = Board::new();
        board.odoo(|view| view.key_expires = "2030-01-02T03:04:05Z".parse().ok());
        let found = find_expiries(&board, &config);
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
        assert_eq!(find_expiries(&board, &config).len(), 1);
    }
}
