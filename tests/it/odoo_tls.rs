//! An Odoo behind TLS whose authority only `odoo.ca` knows, as companies have them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use stockrelay::config;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::odoo::Client;
use stockrelay::outcome::Failure;
use stockrelay::tls;
use stockrelay::view::check;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A stand-in, and what takes TLS off in front of it.
struct Odoo {
    stand_in: StandIn,
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    dir: tempfile::TempDir,
}

/// Who signed the certificate, which is for `localhost`.
#[derive(Clone, Copy, PartialEq)]
enum Signed {
    /// An authority of its own, in `ca.pem`.
    ByAuthority,
    /// The server itself, whose certificate says that it is an authority or says nothing of that.
    BySelf { is_authority: bool },
}

impl Odoo {
    async fn start() -> Self {
        Self::start_as(Signed::ByAuthority).await
    }

    async fn start_as(signed: Signed) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = match signed {
            Signed::ByAuthority => {
                let mut authority = CertificateParams::new(Vec::new()).unwrap();
                let name = &mut authority.distinguished_name;
                name.push(DnType::CommonName, "authority");
                authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let own = KeyPair::generate().unwrap();
                let ca = CertifiedIssuer::self_signed(authority, own).unwrap();
                fs::write(file("ca.pem"), ca.pem()).unwrap();
                params.signed_by(&key, &ca).unwrap()
            }
            Signed::BySelf { is_authority } => {
                if is_authority {
                    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                }
                params.self_signed(&key).unwrap()
            }
        };
        fs::write(file("cert.pem"), certificate.pem()).unwrap();
        fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        fs::write(file("odoo.key"), API_KEY).unwrap();

        let seed = Seed {
            bins: 2,
            products: 2,
        };
        let stand_in = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let server = tls::server_config(&file("cert.pem"), &file("key.pem"), None, false).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plain = stand_in.url().replace("http://", "");
        let acceptor = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, plain) = (acceptor.clone(), plain.clone());
                tokio::spawn(async move {
                    // A client that does not trust it hangs up.
                    if let Ok(mut client) = acceptor.accept(stream).await {
                        let mut server = TcpStream::connect(plain).await.unwrap();
                        drop(copy_bidirectional(&mut client, &mut server).await);
                    }
                });
            }
        });
        Self {
            stand_in,
            address,
            acceptor,
            dir,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, host: &str, ca: Option<&str>) -> config::Odoo {
        let url = format!("https://{host}:{}", self.address.port());
        config::Odoo {
            ca: ca.map(|name| self.file(name)),
            api_key_file: Some(self.file("odoo.key")),
            ..config::Odoo::new(&url, DATABASE)
        }
    }

    /// Why it cannot be called, which is all that the status shows. `check` says the same, once.
    async fn refused(&self, config: &config::Odoo) -> String {
        let mut client = Client::new(config).unwrap();
        let body = json!({"domain": [], "fields": ["barcode"]});
        let answer = client.call::<Value>("stock.location", "search_read", &body);
        let Err(Failure::Wait { message, slow, .. }) = answer.await else {
            panic!("it was not refused, or not for a while");
        };
        assert!(!slow, "smaller calls fare no better");
        let finding = check::odoo(config, &config::Orders::default())
            .await
            .pop()
            .unwrap();
        assert_eq!(finding.level, check::Level::Fail);
        assert!(finding.message().contains(&message), "{finding}");
        let names = |text: &str| text.matches("odoo.").count();
        assert_eq!(names(&finding.to_string()), names(&message), "{finding}");
        message
    }
}

impl Drop for Odoo {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

#[tokio::test]
async fn an_odoo_of_a_private_authority_is_spoken_to_with_odoo_ca() {
    let odoo = Odoo::start().await;
    let config = odoo.config("localhost", Some("ca.pem"));
    let mut client = Client::new(&config).unwrap();
    assert_eq!(client.version().await.unwrap(), "19.0");
    let body = json!({"domain": [["barcode", "!=", false]], "fields": ["barcode"]});
    let bins: Value = client
        .call("stock.location", "search_read", &body)
        .await
        .unwrap();
    assert!(!bins.as_array().unwrap().is_empty());
    let findings = check::odoo(&config, &config::Orders::default()).await;
    assert!(
        findings
            .iter()
            .all(|finding| finding.level != check::Level::Fail),
        "{findings:?}"
    );
}

#[tokio::test]
async fn without_its_authority_or_by_another_name_the_certificate_is_what_is_wrong() {
    let odoo = Odoo::start().await;
    let message = odoo.refused(&odoo.config("localhost", None)).await;
    assert!(message.contains("UnknownIssuer"), "{message}");
    assert!(message.contains("set odoo.ca"), "{message}");
    let by_address = odoo.config("127.0.0.1", Some("ca.pem"));
    let message = odoo.refused(&by_address).await;
    assert!(message.contains("not valid for name"), "{message}");
    assert!(message.contains("set odoo.url to a name"), "{message}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_told_with_what_makes_it_accepted() {
    let odoo = Odoo::start_as(Signed::BySelf {
        is_authority: false,
    })
    .await;
    let message = odoo.refused(&odoo.config("localhost", None)).await;
    let remedy = "set odoo.ca to the PEM file of the authority that signed the server's certificate, or to that certificate if it is self-signed";
    assert!(message.ends_with(remedy), "{message}");
    let config = odoo.config("localhost", Some("cert.pem"));
    assert_eq!(
        Client::new(&config).unwrap().version().await.unwrap(),
        "19.0"
    );

    // Such a one is accepted by no way, so the remedy is another certificate.
    let odoo = Odoo::start_as(Signed::BySelf { is_authority: true }).await;
    for ca in [None, Some("cert.pem")] {
        let message = odoo.refused(&odoo.config("localhost", ca)).await;
        for part in ["CaUsedAsEndEntity", "CA:FALSE", "set odoo.ca"] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}

#[tokio::test]
async fn an_odoo_ca_that_is_no_certificate_is_named() {
    let odoo = Odoo::start().await;
    let failure = Client::new(&odoo.config("localhost", Some("odoo.key"))).unwrap_err();
    assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
    let said = failure.to_string();
    assert!(
        said.contains("odoo.key") && said.contains("correct odoo.ca"),
        "{said}"
    );
}

/// What a person reads in the status.
async fn words(url: &str) -> String {
    let failure = Client::new(&config::Odoo::new(url, DATABASE))
        .unwrap()
        .version()
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Wait { .. }), "{failure:?}");
    failure.to_string()
}

#[tokio::test]
async fn an_odoo_that_is_away_or_unknown_to_the_name_server_is_named_with_url_and_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let text = words(&url).await;
    assert!(
        text.contains(&format!("cannot connect to Odoo at {url}")),
        "{text}"
    );
    assert!(text.contains("check that Odoo runs there"), "{text}");
    let text = words("https://odoo.invalid").await;
    for part in [
        "the host odoo.invalid",
        "https://odoo.invalid",
        "name server",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn https_against_an_http_port_and_the_reverse_name_the_scheme_to_set() {
    let odoo = Odoo::start().await;
    let plain = odoo.stand_in.url().replace("http:", "https:");
    let text = words(&plain).await;
    assert!(
        text.contains("does not speak https; set odoo.url to http://"),
        "{text}"
    );
    assert!(text.contains(&plain) && !text.contains("corrupt"), "{text}");
    let text = words(&format!("http://127.0.0.1:{}", odoo.address.port())).await;
    assert!(text.contains("https"), "{text}");
}

#[tokio::test]
async fn a_wrong_database_or_warehouse_is_named_with_those_that_there_are() {
    let odoo = Odoo::start().await;
    let stopped = async |database: &str, api: config::Api| {
        let config = config::Odoo {
            api_key_file: Some(odoo.file("odoo.key")),
            api,
            user: Some("gateway".to_owned()),
            ..config::Odoo::new(&odoo.stand_in.url(), database)
        };
        let failure = Client::new(&config).unwrap().warehouse("W9").await;
        let failure = failure.unwrap_err();
        assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
        failure.to_string()
    };
    for api in [config::Api::Json2, config::Api::JsonRpc] {
        let text = stopped("prodd", api).await;
        for part in [
            &odoo.stand_in.url(),
            "no database \"prodd\"",
            &format!("it has {DATABASE}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = stopped(DATABASE, api).await;
        for part in [
            "no warehouse with the code \"W9\"",
            "\"WH\" (",
            "set odoo.warehouse",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
