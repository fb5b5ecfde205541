//! The header that names the documents of a request, for the log of Odoo's proxy.

use reqwest::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};

use super::Client;
use crate::document::DocumentKey;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The keys that the header names; of further documents it has the count.
const KEYS_MAX: usize = 16;

impl Client {
    /// Names the documents of the next requests in the header `X-Request-ID`; without keys, the
    /// requests have none.
    pub fn name_documents(&mut self, keys: &[DocumentKey]) {
        self.request_id = describe(keys).and_then(|text| HeaderValue::from_str(&text).ok());
    }

    pub(super) fn with_request_id(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.request_id {
            Some(id) => request.header(REQUEST_ID, id),
            None => request,
        }
    }
}

fn describe(keys: &[DocumentKey]) -> Option<String> {
    let named: Vec<_> = (keys.iter().take(KEYS_MAX))
        .map(DocumentKey::to_string)
        .collect();
    let more = keys.len() - named.len();
    let text = named.join(",");
    match (keys.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(text),
        (false, more) => Some(format!("{text},+{more}")),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::{self, Api};

    #[tokio::test]
    async fn a_request_about_documents_names_their_keys() {
        crate::tls::install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = config::Odoo {
            api: Api::Json2,
            ..config::Odoo::new(&url, "prod")
        };
        let mut odoo = Client::new(&config)
            .unwrap()
            .with_key(SecretString::from("key"));
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let count = stream.read(&mut request).await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..count]).into_owned()
        };
        odoo.name_documents(&[DocumentKey([1; 16]), DocumentKey([2; 16])]);
        let body = json!({"ids": [1], "fields": ["name"]});
        let call = odoo.call::<Value>("stock.picking", "read", &body);
        let (called, request) = tokio::join!(call, answer);
        called.unwrap();
        let line = format!("x-request-id: {},{}\r\n", "01".repeat(16), "02".repeat(16));
        assert!(request.contains(&line), "{request}");
    }

    #[test]
    fn the_header_has_a_limit() {
        let keys = [DocumentKey([7; 16]); KEYS_MAX + 3];
        let text = describe(&keys).unwrap();
        assert!(text.ends_with(",+3") && text.len() < 600, "{text}");
        assert_eq!(describe(&[]), None);
    }
}
