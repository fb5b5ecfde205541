//! The wrong set-ups, each with what makes it wrong.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use axum::Router;
use stockrelay::config;

use super::shim::compile;
use super::{Ended, Site, compare};
use crate::free_address::free_address;
use crate::mounted::Mounted;

const CONFIG: &str = "config.toml";

// Where the daemon reports the fault.
/// It ends before it has a status.
const ENDS: &str = "";
const HELD: &str = "alarm odoo-held: ";
const CLOCK: &str = "alarm clock: ";
const ODOO: &str = "odoo: ";
const LOG: &str = "log: ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typo_in_a_key() {
    let site = Site::new().await;
    site.configure("database =", "databse =");
    compare("typo", &site, CONFIG, ENDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_for_a_text() {
    let site = Site::new().await;
    site.configure("site = \"ams1\"", "site = 12");
    compare("number_for_text", &site, CONFIG, ENDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use() {
    let site = Site::new().await;
    let loaded = config::load(&site.path(CONFIG), &[]).unwrap();
    let address = loaded.config.listen.unwrap().address;
    let _held = TcpListener::bind(address).unwrap();
    compare("port_in_use", &site, CONFIG, ENDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_read() {
    let mut site = Site::new().await;
    site.give_to_nobody();
    site.set_mode("odoo.key", 0o000);
    compare("unreadable_key", &site, CONFIG, HELD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key() {
    let site = Site::new().await;
    site.write("odoo.key", "0123456789abcdef0123456789abcdef01234567");
    compare("wrong_key", &site, CONFIG, HELD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_warehouse() {
    let site = Site::new().await;
    site.configure("warehouse = \"WH\"", "warehouse = \"AMS\"");
    compare("wrong_warehouse", &site, CONFIG, HELD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_for_http() {
    let site = Site::new().await;
    site.configure("url = \"http://", "url = \"https://");
    compare("https_for_http", &site, CONFIG, ODOO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_permission_to_write() {
    let mut site = Site::new().await;
    fs::create_dir(site.path("data")).unwrap();
    site.give_to_nobody();
    site.set_mode("data", 0o500);
    compare("no_write_permission", &site, CONFIG, ENDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, which mounts a small file system: cargo test -- --ignored wrong_setups"]
async fn a_full_disk() {
    let mut site = Site::new().await;
    site.shows_disk = true;
    let data = site.path("data");
    let _disk = Mounted::new(data.clone(), "8m");
    let mut file = fs::File::create(data.join("of-another-program")).unwrap();
    for size in [1 << 20, 1 << 12] {
        let bytes = vec![0; size];
        while file.write_all(&bytes).is_ok() {}
    }
    compare("full_disk", &site, CONFIG, LOG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance() {
    let site = Site::new().await;
    let mut first = site.command(CONFIG, &["run"]);
    let _first = Ended(first.spawn().unwrap());
    let text = fs::read_to_string(site.path(CONFIG)).unwrap();
    let loaded = config::load(&site.path(CONFIG), &[]).unwrap();
    let address = loaded.config.listen.unwrap().address.to_string();
    let text = text.replace(&address, &free_address().to_string());
    site.write("second.toml", &text.replace("control.sock", "second.sock"));
    let client = stockrelay::view::client::Client::new(&site.path("control.sock"));
    let begun = stockrelay::clock::instant();
    while client.get::<serde_json::Value>("/v1/status").await.is_err() {
        assert!(begun.elapsed() < super::SOON, "the first does not start");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    compare("second_instance", &site, "second.toml", ENDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_in_1970() {
    let mut site = Site::new().await;
    let shim = compile(&site.path(""));
    site.environment = vec![
        ("LD_PRELOAD", shim.display().to_string()),
        ("SHIM_1970", "1".to_owned()),
    ];
    compare("clock_in_1970", &site, CONFIG, CLOCK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_database() {
    let site = Site::new().await;
    site.configure("database = \"standin\"", "database = \"prod\"");
    compare("wrong_database", &site, CONFIG, HELD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odoo_away() {
    let site = Site::new().await;
    let away = format!("http://{}", free_address());
    site.configure(&site.odoo.url(), &away);
    compare("odoo_away", &site, CONFIG, ODOO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_name_server_does_not_know() {
    let mut site = Site::new().await;
    let shim = compile(&site.path(""));
    site.environment = vec![
        ("LD_PRELOAD", shim.display().to_string()),
        ("SHIM_NO_HOST", "1".to_owned()),
    ];
    // Not https: the client would be slower to read the authorities of the machine.
    site.configure(&site.odoo.url(), "http://odoo.example.com:8069");
    compare("unknown_host", &site, CONFIG, ODOO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_answers_with_a_web_page() {
    let site = Site::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = async || axum::response::Html("<html><title>Please log in</title></html>");
    let router = Router::new().fallback(page);
    let proxy = tokio::spawn(async move { axum::serve(listener, router).await });
    site.configure(&site.odoo.url(), &url);
    compare("web_page", &site, CONFIG, ODOO).await;
    proxy.abort();
}
