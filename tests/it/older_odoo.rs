//! An Odoo that is older than JSON-2: what is asked of it, and in which words. Its answers are written here, after the sources
//! of Odoo 17 and 18.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use axum::{Router, body};
use serde_json::{Value, json};
use stockrelay::config::{self, Api};
use stockrelay::odoo::LotRef;
use stockrelay::odoo::order::Row;
use stockrelay::odoo::order::SeenPicking;
use stockrelay::odoo::{Client, Kind};
use stockrelay::outcome::Failure;
use stockrelay::view::check;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const KEY: &str = "the-key";

/// What a method answers.
type Answers = fn(model: &str, method: &str) -> Value;

struct Script {
    version: &'static str,
    answers: Answers,
    /// `[service.method]`, or `[model, method, args, kwargs]`.
    calls: Mutex<Vec<Value>>,
    key: Mutex<String>,
}

struct Older {
    script: Arc<Script>,
    config: config::Odoo,
    dir: tempfile::TempDir,
    server: JoinHandle<()>,
}

impl Older {
    async fn start(version: &'static str, answers: Answers) -> Self {
        let script = Arc::new(Script {
            version,
            answers,
            calls: Mutex::default(),
            key: Mutex::new(KEY.to_owned()),
        });
        // It has no `/web/version`: what is not known is answered with a page.
        let router = Router::new()
            .route("/jsonrpc", post(serve))
            .fallback(|| async { (StatusCode::NOT_FOUND, "<!DOCTYPE html>Not Found") })
            .with_state(script.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key"), KEY).unwrap();
        let config = config::Odoo {
            api_key_file: Some(dir.path().join("key")),
            user: Some("gateway".to_owned()),
            ..config::Odoo::new(&format!("http://{address}"), "db")
        };
        Self {
            script,
            config,
            dir,
            server,
        }
    }

    fn client(&self) -> Client {
        Client::new(&self.config).unwrap()
    }

    fn calls(&self) -> Vec<Value> {
        std::mem::take(&mut self.script.calls.lock().unwrap())
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(script): State<Arc<Script>>, request: Request) -> Response {
    let body = body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (service, method) = (&asked["params"]["service"], &asked["params"]["method"]);
    let args = &asked["params"]["args"];
    let key = script.key.lock().unwrap().clone();
    let (call, answer) = match (service.as_str().unwrap(), method.as_str().unwrap()) {
        ("common", "version") => (
            json!(["version"]),
            Ok(json!({"server_version": script.version})),
        ),
        ("common", "authenticate") => {
            let good = args[0] == "db" && args[1] == "gateway" && args[2] == key;
            let uid = if good { json!(7) } else { json!(false) };
            (json!(["authenticate"]), Ok(uid))
        }
        ("object", "execute_kw") => {
            let (model, method) = (args[3].as_str().unwrap(), args[4].as_str().unwrap());
            let call = json!([model, method, args[5], args[6]]);
            let answer = if args[1] == 7 && args[2] == key {
                Ok((script.answers)(model, method))
            } else {
                Err(("odoo.exceptions.AccessDenied", "Access Denied"))
            };
            (call, answer)
        }
        other => panic!("{other:?}"),
    };
    script.calls.lock().unwrap().push(call);
    let mut response = json!({"jsonrpc": "2.0", "id": asked["id"]});
    match answer {
        Ok(result) => response["result"] = result,
        Err((name, message)) => {
            let data = json!({"name": name, "message": message, "debug": "Traceback"});
            response["error"] = json!({"code": 200, "message": "Odoo Server Error", "data": data});
        }
    }
    Json(response).into_response()
}

fn stop(failure: &Failure) -> String {
    assert!(matches!(failure, Failure::Stop { .. }), "{failure:?}");
    failure.to_string()
}

fn masters(model: &str, method: &str) -> Value {
    match (model, method) {
        ("uom.uom", "search_read") => json!([
            {"id": 2, "write_date": "2026-11-24 08:00:00", "active": true, "factor_inv": 12.0,
             "category_id": 5},
        ]),
        ("product.packaging", "search_read") => json!([
            {"id": 3, "write_date": "2026-11-24 08:00:00", "barcode": "CASE", "product_id": 9, "qty": 6.0},
        ]),
        ("stock.quant.package", "search_read") => json!([{"id": 4, "name": "PACK-1"}]),
        (_, "check_access_rights") => json!(true),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_json_2_the_version_is_asked_for_and_the_user_is_logged_in_once() {
    let odoo = Older::start("17.0-20240102", masters).await;
    let mut client = odoo.client();
    assert_eq!(client.api(), None);
    let units = client.page(Kind::Unit, 1, None, 0).await.unwrap();
    assert_eq!(units[0].factor, Some(12.0));
    assert_eq!(units[0].reference.as_deref(), Some("5"));
    assert_eq!(client.api(), Some("JSON-RPC"));
    let packagings = client.page(Kind::Packaging, 1, None, 0).await.unwrap();
    assert_eq!(packagings[0].contained, Some(6.0));
    assert_eq!(packagings[0].uom_id, None);
    let packages = client.packages(1, &["PACK-1".to_owned()]).await.unwrap();
    assert_eq!(packages, [("PACK-1".to_owned(), 4)]);
    assert_eq!(client.missing_rights().await.unwrap(), [""; 0]);

    let calls = odoo.calls();
    assert_eq!(calls[..2], [json!(["version"]), json!(["authenticate"])]);
    let asked = &calls[2];
    assert_eq!(asked[0], "uom.uom");
    assert_eq!(asked[2], json!([]));
    assert_eq!(
        asked[3]["fields"],
        json!([
            "write_date",
            "active",
            "name",
            "factor_inv",
            "rounding",
            "category_id"
        ])
    );
    assert_eq!(
        calls[5],
        json!(["stock.picking", "check_access_rights", [],
            {"operation": "create", "raise_exception": false, "context": {"lang": "en_US"}}])
    );
    assert!(!calls[2..].contains(&json!(["authenticate"])), "{calls:?}");
}

#[tokio::test]
async fn a_new_key_in_the_file_is_logged_in_with() {
    let odoo = Older::start("18.0", masters).await;
    let mut client = odoo.client();
    client.page(Kind::Unit, 1, None, 0).await.unwrap();
    "another".clone_into(&mut odoo.script.key.lock().unwrap());
    let failure = client.page(Kind::Unit, 1, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("API key"), "{failure}");
    let failure = client.page(Kind::Unit, 1, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("\"gateway\""), "{failure}");
    fs::write(odoo.dir.path().join("key"), "another\n").unwrap();
    client.page(Kind::Unit, 1, None, 0).await.unwrap();
}

#[tokio::test]
async fn what_is_lacking_to_speak_to_it_is_named() {
    let odoo = Older::start("18.0", masters).await;
    let nobody = config::Odoo {
        user: None,
        ..odoo.config.clone()
    };
    let mut client = Client::new(&nobody).unwrap();
    let failure = client.page(Kind::Unit, 1, None, 0).await.unwrap_err();
    assert!(stop(&failure).contains("set odoo.user"), "{failure}");
    let findings = check::odoo(&nobody, &config::Orders::default()).await;
    let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("Odoo 18.0"), "{said:?}");
    assert!(said[0].contains("JSON-RPC"), "{said:?}");
    assert!(said.last().unwrap().contains("odoo.user"), "{said:?}");

    let json_2 = config::Odoo {
        api: Api::Json2,
        ..odoo.config.clone()
    };
    let mut client = Client::new(&json_2).unwrap();
    let failure = client.version().await.unwrap_err();
    assert!(
        stop(&failure).contains("Odoo 18.0 is too old for JSON-2"),
        "{failure}"
    );
    let mut client = Client::new(&json_2).unwrap();
    let failure = client.page(Kind::Unit, 1, None, 0).await.unwrap_err();
    assert!(
        stop(&failure).contains("Odoo 18.0 is too old for JSON-2"),
        "{failure}"
    );
    assert!(stop(&failure).contains("odoo.user"), "{failure}");

    let odoo = Older::start("16.0", masters).await;
    let failure = odoo.client().version().await.unwrap_err();
    assert!(stop(&failure).contains("Odoo 16.0 is too old"), "{failure}");
}

fn done(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "load") => json!({"ids": [5], "messages": []}),
        ("stock.picking", "web_read") => json!([
            {"id": 5, "name": "WH/INT/1", "state": "done",
             "move_ids": [{"id": 31, "state": "done"}, {"id": 32, "state": "done"},
                          {"id": 33, "state": "cancel"}],
             "move_line_ids": [
                {"id": 41, "state": "done", "product_id": 1, "location_id": 8,
                 "location_dest_id": 9, "lot_id": false, "package_id": false,
                 "result_package_id": false, "quantity_product_uom": 3.0},
             ]},
        ]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_true_time_is_set_on_picking_moves_and_lines_in_one_call() {
    let odoo = Older::start("18.0", done).await;
    let at = "2026-11-24T07:00:00Z".parse().unwrap();
    let mut client = odoo.client();
    let read = client.set_done(&[(5, Some(at)), (6, None)]).await.unwrap();
    assert_eq!(read.len(), 1);
    let time = "2026-11-24 07:00:00";
    let calls = odoo.calls();
    assert_eq!(calls[2][2], json!([[5]]));
    assert_eq!(
        (&calls[3][0], &calls[3][1]),
        (&json!("stock.picking"), &json!("load"))
    );
    let columns = [
        ".id",
        "date_done",
        "move_ids/.id",
        "move_ids/date",
        "move_line_ids/.id",
        "move_line_ids/date",
    ];
    let rows = json!([
        ["5", time, "31", time, "41", time],
        ["", "", "32", time, "", ""],
    ]);
    assert_eq!(calls[3][2], json!([columns, rows]));
    assert_eq!(
        calls[3][3]["context"],
        json!({"lang": "en_US", "tz": "UTC"})
    );
    assert_eq!(calls[4][1], "web_read");
    assert_eq!(calls[4][2], json!([[5, 6]]));
    assert_eq!(calls.len(), 5);
}

fn conflict_once(model: &str, method: &str) -> Value {
    static LOADS: AtomicU32 = AtomicU32::new(0);
    if method == "load" && LOADS.fetch_add(1, Ordering::Relaxed) == 0 {
        return json!({"ids": false, "messages": [
            {"type": "error", "message": "could not serialize access due to concurrent update"},
        ]});
    }
    done(model, method)
}

#[tokio::test]
async fn a_conflict_does_not_cost_the_true_time() {
    let odoo = Older::start("17.0", conflict_once).await;
    let at = "2026-11-24T07:00:00Z".parse().unwrap();
    odoo.client().set_done(&[(5, Some(at))]).await.unwrap();
    let calls = odoo.calls();
    let loads: Vec<_> = calls.iter().filter(|call| call[1] == "load").collect();
    assert_eq!(loads.len(), 2);
    assert_eq!(loads[0], loads[1]);
}

fn without_defaults(model: &str, method: &str) -> Value {
    let kind = |id: i64, from: Value, to: Value| {
        json!({"id": id, "active": true, "default_location_src_id": from,
               "default_location_dest_id": to})
    };
    match (model, method) {
        ("stock.warehouse", "search_read") => json!([
            {"id": 1, "company_id": 1, "int_type_id": 3, "in_type_id": 1, "out_type_id": 2},
        ]),
        ("stock.picking.type", "search_read") => json!([
            kind(1, json!(false), json!(8)),
            kind(2, json!(8), json!(false)),
            kind(3, json!(8), json!(8)),
        ]),
        ("stock.location", "search_read") => json!([{"id": 4}]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_the_types_name_no_location_goods_come_from_suppliers_and_customers() {
    let odoo = Older::start("17.0", without_defaults).await;
    let warehouse = odoo.client().warehouse("WH").await.unwrap();
    let (receipts, returns) = (warehouse.receipts.unwrap(), warehouse.returns.unwrap());
    assert_eq!(
        (receipts.picking_type, receipts.from, receipts.to),
        (1, 4, 8)
    );
    assert_eq!((returns.picking_type, returns.from, returns.to), (1, 4, 8));
    let calls = odoo.calls();
    let usages: Vec<_> = (calls.iter())
        .filter(|call| call[0] == "stock.location")
        .map(|call| call[3]["domain"][0][2].clone())
        .collect();
    assert_eq!(usages, ["supplier", "customer"]);
}

fn scrap(model: &str, method: &str) -> Value {
    assert_eq!((model, method), ("stock.location", "search_read"));
    json!([{"id": 16}])
}

#[tokio::test]
async fn scrap_goes_to_the_location_that_the_company_has_for_it() {
    let odoo = Older::start("17.0", scrap).await;
    let found = odoo.client().scrap_location(1).await.unwrap();
    assert_eq!(found, Some(16));
    let calls = odoo.calls();
    let domain = &calls[2][3]["domain"];
    assert_eq!(domain[0], json!(["scrap_location", "=", true]));
}

const FINISHED: &str = "You cannot change the Scheduled Date on a done or cancelled transfer.";

fn finished(model: &str, method: &str) -> Value {
    match (model, method) {
        ("stock.picking", "read") => {
            json!([{"id": 5, "scheduled_date": "2026-11-24 06:00:00"}])
        }
        ("stock.picking", "load") => json!({"ids": false, "messages": [
            {"type": "error", "message": FINISHED, "rows": {"from": 0, "to": 0}, "record": 0},
        ]}),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lines_are_added_so_that_a_finished_order_refuses_them_in_each_version() {
    let picking = SeenPicking {
        id: 5,
        picking_type: 2,
        from: 8,
        to: 9,
        ..SeenPicking::default()
    };
    let row = Row {
        external_id: "ml_x_0".to_owned(),
        product: 1,
        unit: 1,
        quantity: 3.into(),
        from: 8,
        to: 9,
        move_id: Some(31),
        lot: LotRef::None,
        package: None,
        into: None,
        owner: None,
    };
    let seventeen = Older::start("17.0", finished).await;
    let taken = seventeen
        .client()
        .add_lines(&picking, std::slice::from_ref(&row))
        .await;
    assert_eq!(taken, Err(Failure::person(FINISHED)));
    let calls = seventeen.calls();
    assert_eq!(
        calls[2],
        json!(["stock.picking", "read", [[5]],
            {"fields": ["scheduled_date"], "context": {"lang": "en_US"}}])
    );
    let (columns, row_sent) = (&calls[3][2][0], &calls[3][2][1][0]);
    assert_eq!(columns[0], ".id");
    assert_eq!(columns[1], "scheduled_date");
    assert_eq!(columns[2], "move_line_ids/id");
    assert_eq!(row_sent[1], "2026-11-24 06:00:00");
    assert_eq!(row_sent[2], "stockrelay.ml_x_0");
    assert_eq!(calls[3][3]["context"]["tz"], "UTC");

    let eighteen = Older::start("18.0", finished).await;
    let taken = eighteen.client().add_lines(&picking, &[row]).await;
    assert_eq!(taken, Err(Failure::person(FINISHED)));
    assert_eq!(eighteen.calls()[2][2][0][1], "picking_type_id/.id");
}

fn barcodes(model: &str, method: &str) -> Value {
    match (model, method) {
        ("res.company", "search_read") => json!([{"id": 1, "nomenclature_id": 3}]),
        ("barcode.nomenclature", "fields_get") => json!({}),
        ("barcode.nomenclature", "search_read") => json!([{"id": 3, "upc_ean_conv": "none"}]),
        ("barcode.rule", "search_read") => json!([
            {"id": 1, "name": "Lots", "type": "lot", "pattern": "10", "sequence": 1, "encoding": "any", "alias": "0"},
        ]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_the_module_for_gs1_none_of_its_fields_is_asked_for() {
    let odoo = Older::start("17.0", barcodes).await;
    let nomenclature = odoo.client().nomenclature(1).await.unwrap();
    assert_eq!(
        (nomenclature.gs1, nomenclature.conversion.as_deref()),
        (false, Some("none"))
    );
    assert_eq!(nomenclature.rules[0].gs1_content_type, None);
    for call in odoo.calls() {
        let fields = call[3]["fields"].to_string();
        assert!(!fields.contains("gs1") && !fields.contains("uom"), "{call}");
    }
}
