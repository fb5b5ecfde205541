//! What the frames show: a gateway, its devices and documents.

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use std::path::Path;
use stockrelay::board::{DeviceView, Link, SourceView};
use stockrelay::document::{DocumentNumber, Reason};
use stockrelay::event::{Name, RejectedNumber};
use stockrelay::view::records::{DocumentView, LineView, RejectedView};
use stockrelay::view::snapshot::{Device, Source};
use stockrelay::view::tui::{App, Snapshot, Update};

pub fn at(text: &str) -> Timestamp {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

pub fn device(name: &str, online: bool, last_event: &str, battery: u8) -> Device {
    Device {
        name: Name::new(name).unwrap(),
        view: DeviceView {
            source: "mqtt.listen".to_owned(),
            online,
            last_event: Some(at(last_event)),
            events: 1_204,
            rejected: u64::from(!online),
            state: Some(serde_json::json!({ "battery": battery })),
            ..DeviceView::default()
        },
        drift: None,
    }
}

pub fn document(number: u64, state: &str) -> DocumentView {
    let parked = state == "parked";
    DocumentView {
        number: DocumentNumber::new(number),
        key: format!("{number:032x}"),
        state: state.to_owned(),
        purpose: "transfer".to_owned(),
        order: None,
        more: serde_json::Map::new(),
        corrects: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
        group: "pda-07".to_owned(),
        lines: vec![
            LineView {
                product: "4000000000006".to_owned(),
                quantity: 24.into(),
                from: Some("LOC-BIN-0001".to_owned()),
                to: Some("LOC-BIN-0007".to_owned()),
                lot: None,
                package: None,
                owner: None,
                expiry: None,
                best_before: None,
                seqs: Vec::new(),
            };
            3
        ],
        events: 72,
        occurred: at("08:10:00"),
        sealed: at("08:10:10"),
        since: at("08:10:12"),
        attempts: 1,
        reason: parked.then(|| Reason {
            code: "unknown-product".into(),
            message: "no product in Odoo has the barcode 4000000000006: give it to one, and retry"
                .to_owned(),
            lines: Vec::new(),
        }),
        odoo: (state == "posted").then(|| format!("WH/INT/{number:05}")),
        odoo_id: None,
        external_id: format!("pk_{number:032x}"),
    }
}

/// A gateway where all is well.
pub fn well() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let status = &mut snapshot.status;
    "ams1".clone_into(&mut status.site);
    "0.1.0".clone_into(&mut status.version);
    status.uptime_s = 3_734;
    status.config.hash = "3fa4c1d2".repeat(8);
    status.config.since = Some(at("07:15:30"));
    status.events.stored = 4_812;
    status.events.posted = 4_812;
    status.events.duplicates = 12;
    status.documents.posted = 66;
    status.odoo.link = Link::Up;
    status.odoo.version = Some("19.0".to_owned());
    status.odoo.latency_ms = Some(84);
    status.odoo.batch_lines = 50;
    status.odoo.since = Some(at("08:13:16"));
    status.journal.bytes = 3 << 20;
    status.journal.budget_bytes = 1 << 30;
    status.sources = vec![Source {
        name: "mqtt.listen".to_owned(),
        view: SourceView {
            state: "up".to_owned(),
            devices: 2,
            detail: None,
        },
    }];
    status.devices.known = 3;
    status.devices.online = 2;
    status.devices.listed = vec![
        device("pda-07", true, "08:15:28", 81),
        device("pda-08", true, "08:14:02", 9),
        device("dock-2.left", false, "06:00:00", 55),
    ];
    snapshot.documents = (63..=66)
        .rev()
        .map(|number| document(number, "posted"))
        .collect();
    snapshot
}

pub fn parked() -> Snapshot {
    let mut snapshot = well();
    let status = &mut snapshot.status;
    status.documents.parked = 2;
    status.documents.posted = 64;
    status.events.parked = 144;
    status.events.posted -= 144;
    snapshot.parked = vec![document(61, "parked"), document(64, "parked")];
    snapshot
}

pub fn app(snapshot: Snapshot) -> App {
    let mut app = App::new(Path::new("/run/stockrelay/control.sock"), true);
    // Some seconds of scanning before what is shown.
    for second in 0..30_u64 {
        let mut earlier = snapshot.clone();
        let left = 30 - second;
        earlier.status.events.stored = snapshot
            .status
            .events
            .stored
            .saturating_sub(left * (left % 7));
        earlier.status.events.posted = snapshot.status.events.posted.saturating_sub(left * 2);
        app.update(
            Update::Gateway(Box::new(earlier)),
            at(&format!("08:15:{second:02}")),
        );
    }
    app.tick(at("08:15:30"));
    app.update(Update::Gateway(Box::new(snapshot)), at("08:15:30"));
    app
}

pub fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\t' => KeyCode::Tab,
            '\n' => KeyCode::Enter,
            '»' => KeyCode::PageDown,
            c => KeyCode::Char(c),
        };
        assert_eq!(app.press(KeyEvent::from(code)), None);
    }
}

/// Parked for 25 barcodes, each of them named.
pub fn many_faults() -> Snapshot {
    let mut snapshot = parked();
    let first =
        "no product in Odoo has the barcode UNK-00: enter it there, and this is sent by itself";
    let others = (1..25).map(|line| {
        let number = line + 1;
        format!("; also line {number}: no product in Odoo has the barcode UNK-{line:02}")
    });
    let message = std::iter::once(first.to_owned()).chain(others).collect();
    snapshot.parked[0].reason.as_mut().unwrap().message = message;
    snapshot
}

pub fn rejected_with(payload: String) -> Snapshot {
    let mut snapshot = well();
    snapshot.status.events.rejected_open = 1;
    snapshot.rejected = vec![RejectedView {
        number: RejectedNumber::new(1),
        device: "pda-09".to_owned(),
        source: "mqtt.listen".to_owned(),
        channel: Some("scan".to_owned()),
        received: at("08:14:30"),
        id: None,
        code: "not-your-topic".to_owned(),
        message: "\"stockrelay/v1/ams2/pda-09/scan\" is not a topic that pda-09 may publish to"
            .to_owned(),
        whole: payload.len() < 1_024,
        bytes: payload.len() as u64,
        cut: false,
        payload,
        state: "open".to_owned(),
        settled: None,
    }];
    snapshot
}
