//! Client certificates.

use super::super::*;
use super::{login, with_passwords};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use stockrelay::config::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// PEM chain and key.
    pub fn issue(&self, common: Option<&str>, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }
}

/// Connects over TLS and answers with the CONNACK's code; `None` if the door hung up.
pub async fn over_tls(
    door: &Door,
    authority: &Authority,
    own: Option<(String, String)>,
    hello: &Hello<'_>,
) -> Option<u8> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.ok()?;
    stream.write_all(&hello.bytes()).await.ok()?;
    let mut connack = [0; 4];
    let read = stream.read_exact(&mut connack);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok()?;
    Some(connack[3])
}

#[tokio::test]
async fn a_client_certificate_names_its_device() {
    stockrelay::tls::install_provider();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (cert, key) = authority.issue(Some("gateway"), &["localhost"]);
    std::fs::write(path("cert.pem"), cert).unwrap();
    std::fs::write(path("key.pem"), key).unwrap();
    std::fs::write(path("ca.pem"), &authority.pem).unwrap();
    let config = Listen {
        tls_cert: Some(path("cert.pem")),
        tls_key: Some(path("key.pem")),
        client_ca: Some(path("ca.pem")),
        anonymous: false,
        ..anonymous()
    };
    let door = Door::open(config.clone()).await;
    let own = Hello {
        client_id: "anything",
        will: Some(("stockrelay/v1/ams1/pda-1/state", "x")),
        ..Hello::default()
    };
    let by_name = authority.issue(Some("pda-1"), &[]);
    let by_dns = authority.issue(None, &["pda-1"]);
    assert_eq!(
        over_tls(&door, &authority, Some(by_name.clone()), &own).await,
        Some(0)
    );
    assert_eq!(
        over_tls(&door, &authority, Some(by_dns), &own).await,
        Some(0)
    );
    // A certificate for another device, for none, by another authority, and none at all.
    let other = authority.issue(Some("pda-2"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(other), &own).await,
        Some(5)
    );
    let unusable = authority.issue(Some("no name"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(unusable), &own).await,
        Some(5)
    );
    let stranger = Authority::new().issue(Some("pda-1"), &[]);
    assert_eq!(
        over_tls(&door, &authority, Some(stranger), &own).await,
        None
    );
    assert_eq!(over_tls(&door, &authority, None, &own).await, None);
    let claims = Hello {
        login: Some(("pda-2", "x")),
        ..Hello::default()
    };
    assert_eq!(
        over_tls(&door, &authority, Some(by_name), &claims).await,
        Some(5)
    );
    // Without TLS there is no answer at all.
    let mut plain = Raw::plain(&door, false).await;
    plain.send(&Hello::default().bytes()).await;
    while plain.next().await.is_some() {}

    // Passwords and certificates beside each other.
    let (passwords, _dir) = with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(Listen {
        devices: passwords.devices,
        ..config
    })
    .await;
    let hello = login("x", "pda-1", "pw", false);
    assert_eq!(over_tls(&door, &authority, None, &hello).await, Some(0));
}
