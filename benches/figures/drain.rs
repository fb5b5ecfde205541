//! Draining to a real Odoo, against a client that does one create and one validate for each scan.
//!
//! Needs `ODOO_URL`, `ODOO_DB` and `ODOO_API_KEY` of a database that `tests/real-odoo/odoo fresh
//! NAME` made.

use std::env;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::daemon::Gateway;
use crate::load::Device;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Scans that the client without a gateway posts: it is slow.
const SINGLE_SCANS: usize = 40;
const DEVICES: usize = 20;

struct Real {
    url: String,
    database: String,
    key: String,
}

pub async fn drain() -> Answer<()> {
    let setting = |name: &str| {
        env::var(name)
            .map_err(|_| format!("{name} is not set: eval $(tests/real-odoo/odoo fresh bench)"))
    };
    let real = Real {
        url: setting("ODOO_URL")?,
        database: setting("ODOO_DB")?,
        key: setting("ODOO_API_KEY")?,
    };
    stockrelay::tls::install_provider();
    println!(
        "drain: to a real Odoo; against one create and one validate for each of {SINGLE_SCANS} scans"
    );
    let single = SINGLE_SCANS as f64 / one_by_one(&real).await?.as_secs_f64();
    println!("  one by one: {single:.1} scans/s");
    for (what, lines, scans) in [
        ("24 scans a line", 10, 24),
        ("every line different", 100, 1),
    ] {
        let events = DEVICES * lines * scans;
        let took = through_the_gateway(&real, lines, scans).await?;
        let rate = events as f64 / took.as_secs_f64();
        println!(
            "  {what}: {events} scans as {} lines in {:.1} s: {rate:.0} scans/s; ratio {:.1}",
            DEVICES * lines,
            took.as_secs_f64(),
            rate / single
        );
    }
    Ok(())
}

/// EAN-13 of the seeded product with this number; the ones without lots or serials only.
fn barcode(number: usize) -> String {
    let body = format!("{}", 400_000_000_000_u64 + number as u64);
    let sum: u32 = body
        .bytes()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// The seeded product that is the `n`th without lots or serials, and the bin that it lies in.
fn stocked(n: usize) -> (String, String) {
    let number = n % 480 / 48 * 50 + 2 + n % 48;
    (barcode(number), format!("LOC-BIN-{:04}", number % 200))
}

async fn one_by_one(real: &Real) -> Answer<Duration> {
    let http = reqwest::Client::builder().build()?;
    let call = async |model: &str, method: &str, body: Value| -> Answer<Value> {
        let request = http
            .post(format!("{}/json/2/{model}/{method}", real.url))
            .bearer_auth(&real.key);
        let answer = request
            .header("X-Odoo-Database", &real.database)
            .json(&body)
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    let id = async |model: &str, field: &str, value: &str| -> Answer<i64> {
        let found = call(
            model,
            "search",
            json!({"domain": [[field, "=", value]], "limit": 1}),
        )
        .await?;
        found[0]
            .as_i64()
            .ok_or_else(|| format!("no {model} with {field} {value}").into())
    };
    let warehouse = call(
        "stock.warehouse",
        "search_read",
        json!({"domain": [["code", "=", "WH"]], "fields": ["int_type_id"]}),
    )
    .await?;
    let kind = warehouse[0]["int_type_id"][0].clone();
    let mut scans = Vec::new();
    for n in 0..SINGLE_SCANS {
        let (product, from) = stocked(n);
        scans.push((
            id("product.product", "barcode", &product).await?,
            id("stock.location", "barcode", &from).await?,
        ));
    }
    let to = id("stock.location", "barcode", "LOC-BIN-0199").await?;
    let begun = clock::instant();
    for (product, from) in scans {
        let line = json!({"product_id": product, "quantity": 1, "picked": true, "location_id": from, "location_dest_id": to});
        let picking = json!({"picking_type_id": kind, "location_id": from, "location_dest_id": to, "move_line_ids": [[0, 0, line]]});
        let ids = call("stock.picking", "create", json!({"vals_list": [picking]})).await?;
        let context = json!({"skip_backorder": true, "skip_sms": true});
        call(
            "stock.picking",
            "button_validate",
            json!({"ids": ids, "context": context}),
        )
        .await?;
    }
    Ok(begun.elapsed())
}

/// The scans are in the journal before the link to Odoo comes up; the time from the first byte over
/// it until all are posted.
async fn through_the_gateway(real: &Real, lines: usize, scans: usize) -> Answer<Duration> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let documents = "[documents]\nidle_s = 1\n";
    let mut gateway = Gateway::start_with(
        &format!("http://{port}"),
        &real.database,
        Some(&real.key),
        documents,
    )?;
    for device in 0..DEVICES {
        let mut payloads = Vec::new();
        for n in 0..lines * scans {
            let (product, from) = stocked(device * lines + n % lines);
            payloads.push(format!(r#"{{"id":"{n}","type":"transfer","product":"{product}","from":"{from}","to":"LOC-BIN-0198"}}"#));
        }
        Device::connect(gateway.address(), &format!("dev{device:02}"))
            .await?
            .publish_each(payloads, 20)
            .await?;
    }
    let events = (DEVICES * lines * scans) as u64;
    let client = Client::new(&gateway.socket());
    wait(&client, "sealed", |status| {
        status["events"]["waiting"].as_u64() >= Some(events)
    })
    .await?;
    let (first_byte, relay) = relay(port, &real.url)?;
    let linked = first_byte.await?;
    wait(&client, "posted", |status| {
        status["events"]["posted"].as_u64() == Some(events)
    })
    .await?;
    let took = linked.elapsed();
    relay.abort();
    gateway.stop()?;
    Ok(took)
}

async fn wait(client: &Client, what: &str, done: impl Fn(&Value) -> bool) -> Answer<()> {
    let begun = clock::instant();
    loop {
        let status: Value = client.get("/v1/status").await?;
        if done(&status) {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_mins(5) {
            return Err(format!("not {what} after 300 s: {status}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Accepts connections from now on. Returns when the first one came.
fn relay(
    listen: std::net::SocketAddr,
    url: &str,
) -> Answer<(
    tokio::sync::oneshot::Receiver<Instant>,
    tokio::task::JoinHandle<()>,
)> {
    let target = url.trim_start_matches("http://").to_owned();
    let socket = std::net::TcpListener::bind(listen)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    let (first, came) = tokio::sync::oneshot::channel();
    let mut first = Some(first);
    let task = tokio::spawn(async move {
        while let Ok((mut inward, _)) = listener.accept().await {
            if let Some(first) = first.take() {
                let _ = first.send(clock::instant());
            }
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut outward) = TcpStream::connect(target).await {
                    // Either end may break it off: that is what relays are for.
                    drop(copy_bidirectional(&mut inward, &mut outward).await);
                }
            });
        }
    });
    Ok((came, task))
}
