//! What the frames show: a gateway with its devices, documents, orders and log.

use std::path::Path;

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;
use stockrelay::board::{
    ClockView, DeviceView, DriftView, Growth, LastView, Link, PendingView, SourceView,
};
use stockrelay::decode::Suggestion;
use stockrelay::document::{DocumentNumber, Reason};
use stockrelay::event::{Name, RejectedNumber, Seq};
use stockrelay::view::control::{EffectiveKey, EffectiveView};
use stockrelay::view::records::{
    CodeNameView, ConfigHistory, ConfigHistoryEntry, DocumentDetail, DocumentView, EventView, Hit,
    HitKind, LineView, LogLine, LogPage, OrderLineView, OrderPage, OrderView, RejectedView,
    StepView, Trace, WorkView,
};
use stockrelay::view::snapshot::{Device, Source, Status};
use stockrelay::view::tui::{
    App, DeviceEvents, Found, Hour, Need, Reply, Request, Theme, Update, draw,
};

pub fn at(text: &str) -> Timestamp {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

/// The gateway as the feed answers with it.
#[derive(Clone, Default)]
pub struct Gateway {
    pub status: Status,
    pub documents: Vec<DocumentView>,
    pub parked: Vec<DocumentView>,
    pub rejected: Vec<RejectedView>,
    pub names: Vec<CodeNameView>,
}

impl Gateway {
    /// The answer to what the open view needs.
    pub fn answer(&self, needs: Vec<Need>) -> Update {
        let answers = needs
            .into_iter()
            .map(|need| self.answer_one(need))
            .collect();
        Update::Gateway(Box::new(self.status.clone()), answers)
    }

    fn answer_one(&self, need: Need) -> Reply {
        match need {
            Need::Documents { .. } => Reply::Documents(self.documents.clone()),
            Need::Parked { .. } => Reply::Parked(self.parked.clone()),
            Need::Rejected { .. } => Reply::Rejected(self.rejected.clone()),
            Need::OldestRejected => Reply::OldestRejected(self.rejected.clone()),
            Need::Orders => Reply::Orders(orders()),
            Need::Config => Reply::Config(Box::new(config()), history()),
            Need::Log => Reply::Log(log()),
            Need::Events { device, .. } => Reply::Events(DeviceEvents {
                events: vec![
                    event(&device, 4_812, "posted"),
                    event(&device, 4_810, "parked"),
                ],
                device,
                hour: Hour {
                    movements: 2,
                    parked: 1,
                    unused: 0,
                    is_whole: true,
                },
                searched: 5_000,
                is_cut: true,
            }),
            Need::Unused { .. } => Reply::Unused(DeviceEvents {
                events: vec![unused_scan()],
                ..DeviceEvents::default()
            }),
            Need::Trace(id) => Reply::Trace(id, Box::new(trace())),
            Need::Names(codes) => Reply::Names(
                (codes.into_iter())
                    .map(|code| {
                        let known = self.names.iter().find(|name| name.code == code);
                        known.cloned().unwrap_or(CodeNameView {
                            code,
                            kind: None,
                            name: None,
                        })
                    })
                    .collect(),
            ),
            Need::Search { text, .. } => Reply::Search(found(text)),
            Need::Document(number) => match self.find(number) {
                Some(document) => Reply::Document(Box::new(detail(document))),
                None => Reply::Refused(need, format!("document {number} does not exist")),
            },
            Need::Reading(number) => {
                let known = self
                    .rejected
                    .iter()
                    .find(|rejected| rejected.number == number);
                match known {
                    Some(rejected) => Reply::Reading(Box::new(rejected.clone())),
                    None => Reply::Refused(need, "no such rejected reading".to_owned()),
                }
            }
        }
    }

    fn find(&self, number: DocumentNumber) -> Option<DocumentView> {
        let mut all = self.parked.iter().chain(&self.documents);
        all.find(|document| document.number == number).cloned()
    }
}

pub fn device(name: &str, online: bool, last_event: &str, battery: u8) -> Device {
    Device {
        name: Name::new(name).unwrap(),
        view: DeviceView {
            source: "mqtt.listen".to_owned(),
            online,
            since: Some(at(last_event)),
            last_event: Some(at(last_event)),
            events: 1_204,
            duplicates: 3,
            rejected: u64::from(!online),
            state: Some(json!({ "battery": battery, "firmware": "2.4.1" })),
        },
        drift: None,
        flow_step: (battery < 50)
            .then(|| "transfer: 2 of 4000000000006 from LOC-BIN-0001".to_owned()),
    }
}

pub fn document(number: u64, state: &str) -> DocumentView {
    let parked = state == "parked";
    let line = LineView {
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
        lines: vec![line; 3],
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

fn detail(mut document: DocumentView) -> DocumentDetail {
    for (place, line) in document.lines.iter_mut().enumerate() {
        line.seqs = (0..8)
            .map(|seq| Seq::new(4_700 + 8 * place as u64 + seq))
            .collect();
    }
    let step = |time: &str, state: &str, by: &str, note: &str| StepView {
        at: at(time),
        state: state.to_owned(),
        by: by.to_owned(),
        note: note.to_owned(),
    };
    let mut audit = vec![
        step("08:10:10", "waiting", "assemble", ""),
        step("08:10:11", "sending", "forward", "attempt 1"),
    ];
    if document.state != "sending" {
        audit.push(step("08:10:12", &document.state, "forward", ""));
    }
    DocumentDetail {
        document,
        audit,
        choices: Vec::new(),
        replaces: None,
        replaced_by: None,
    }
}

pub fn event(device: &str, seq: u64, state: &str) -> EventView {
    let what = json!({
        "product": "4000000000006", "quantity": 2, "from": "LOC-BIN-0001", "to": "LOC-BIN-0007"
    });
    let serde_json::Value::Object(what) = what else {
        unreachable!()
    };
    EventView {
        seq: Seq::new(seq),
        site: "ams1".to_owned(),
        device: device.to_owned(),
        id: format!("e{seq}"),
        id_derived: false,
        flags: Vec::new(),
        measures: std::collections::BTreeMap::new(),
        kind: "transfer".to_owned(),
        at: at("08:09:00"),
        received: at("08:09:01"),
        source: "mqtt.listen".to_owned(),
        operator: Some("anna".to_owned()),
        state: state.to_owned(),
        document: None,
        odoo: (state == "posted").then(|| "WH/INT/00066".to_owned()),
        unused: false,
        wrong: None,
        what,
    }
}

fn history() -> ConfigHistory {
    let entry = |serial, outcome: &str, reason: &str| ConfigHistoryEntry {
        at: at("07:15:30"),
        by: "mqtt.broker".to_owned(),
        serial,
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
    };
    ConfigHistory {
        history: vec![
            entry(42, "rolled-back", "the link to Odoo is held"),
            entry(41, "confirmed", ""),
        ],
    }
}

/// A scan of a device without a flow.
fn unused_scan() -> EventView {
    let serde_json::Value::Object(what) = json!({ "code": "4006381333931" }) else {
        unreachable!()
    };
    EventView {
        kind: "scan".to_owned(),
        unused: true,
        what,
        ..event("ring-02", 4_711, "no_document")
    }
}

fn trace() -> Trace {
    let detail = detail(document(66, "posted"));
    Trace {
        event: Some(event("pda-07", 4_812, "posted")),
        document: Some(detail.document),
        audit: detail.audit,
        ..Trace::default()
    }
}

fn found(text: String) -> Found {
    let hit = |kind: &str, id: &str, title: &str, state: Option<&str>| Hit {
        kind: HitKind::named(kind).unwrap(),
        id: id.to_owned(),
        at: at("08:09:00"),
        title: title.to_owned(),
        state: state.map(str::to_owned),
        unused: false,
        wrong: None,
    };
    Found {
        text,
        hits: vec![
            hit("order", "WH/OUT/00042", "WH/OUT/00042", None),
            hit("product", "4000000000006", "Bolt M8, 4000000000006", None),
            hit(
                "document",
                "61",
                "document 61: pick for WH/OUT/00042",
                Some("parked"),
            ),
            hit(
                "event",
                "pda-07/e4812",
                "2 of 4000000000006 from LOC-BIN-0001",
                Some("posted"),
            ),
        ],
        total: 12_408,
        is_exact: false,
    }
}

fn orders() -> OrderPage {
    let line = |name: &str, picked: u64| OrderLineView {
        product: Some("4000000000006".to_owned()),
        name: name.to_owned(),
        demand: 30.into(),
        picked: picked.into(),
        from: Some("LOC-BIN-0001".to_owned()),
        to: Some("WH/Output".to_owned()),
    };
    let work = |who: &str, document: u64, state: &str| WorkView {
        who: who.to_owned(),
        document: DocumentNumber::new(document),
        state: state.to_owned(),
        quantity: 24.into(),
        at: at("08:10:00"),
    };
    let order = |name: &str, work: Vec<WorkView>| OrderView {
        name: name.to_owned(),
        kind: "outgoing".to_owned(),
        state: "assigned".to_owned(),
        partner: Some("Azure Interior".to_owned()),
        scheduled: Some("2026-11-23 12:00:00".to_owned()),
        lines: vec![line("Bolt M8", 24), line("Nut M8", 30)],
        cut: false,
        work,
    };
    let orders = vec![
        order(
            "WH/OUT/00042",
            vec![work("pda-07", 61, "parked"), work("anna", 60, "posted")],
        ),
        order("WH/OUT/00043", Vec::new()),
    ];
    OrderPage {
        next: 2,
        more: false,
        total: 2,
        orders,
    }
}

fn config() -> EffectiveView {
    let key = |value: serde_json::Value, origin: &str| EffectiveKey {
        value,
        origin: origin.to_owned(),
    };
    let keys = [
        (
            "control.socket",
            key(json!("/run/stockrelay/control.sock"), "default"),
        ),
        (
            "odoo.url",
            key(json!("https://odoo.example.com"), "config.toml:9"),
        ),
        ("site", key(json!("ams1"), "STOCKRELAY_SITE")),
    ];
    EffectiveView {
        hash: "3fa4c1d2".repeat(8),
        keys: keys
            .into_iter()
            .map(|(name, key)| (name.to_owned(), key))
            .collect(),
    }
}

fn log() -> LogPage {
    let line = |number: u64, level: &str, text: &str| LogLine {
        number,
        at: at("08:14:02"),
        level: level.to_owned(),
        part: "forward".to_owned(),
        text: text.to_owned(),
    };
    let lines = vec![
        line(1, "INFO", "the link to Odoo is up version=19.0"),
        line(
            2,
            "WARN",
            "cannot reach Odoo, retrying error=connection refused",
        ),
    ];
    LogPage {
        lines,
        next: 2,
        more: false,
    }
}

/// A gateway where all is well.
pub fn well() -> Gateway {
    let mut gateway = Gateway::default();
    let status = &mut gateway.status;
    "ams1".clone_into(&mut status.site);
    "0.1.0".clone_into(&mut status.version);
    status.uptime_s = 3_734;
    status.config.hash = "3fa4c1d2".repeat(8);
    status.config.since = Some(at("07:15:30"));
    status.events.stored = 4_812;
    status.events.posted = 4_812;
    status.events.duplicates = 12;
    status.documents.posted = 66;
    status.documents.newest = DocumentNumber::new(66);
    status.odoo.link = Link::Up;
    status.odoo.version = Some("19.0".to_owned());
    status.odoo.latency_ms = Some(84);
    status.odoo.batch_lines = 50;
    status.odoo.since = Some(at("08:13:16"));
    status.journal.bytes = 3 << 20;
    status.journal.budget_bytes = 1 << 30;
    status.journal.disk_free_bytes = Some(40 << 30);
    status.journal.growth = Some(Growth {
        since: at("00:00:30"),
        bytes: 1 << 20,
    });
    status.clock = ClockView {
        service: Some("systemd-timesyncd".to_owned()),
        synchronised: Some(true),
        ..ClockView::default()
    };
    status.sources = vec![
        source("mqtt.listen", "up", None),
        source("scanner:dock-1", "up", None),
    ];
    status.devices.known = 3;
    status.devices.online = 2;
    status.devices.listed = vec![
        device("pda-07", true, "08:15:28", 81),
        device("pda-08", true, "08:14:02", 9),
        device("dock-2.left", false, "06:00:00", 55),
    ];
    gateway.documents = (63..=66)
        .rev()
        .map(|number| document(number, "posted"))
        .collect();
    gateway.names = [
        ("4000000000006", "product", "Bolt M8"),
        ("LOC-BIN-0001", "location", "WH/Stock/A1"),
        ("LOC-BIN-0007", "location", "WH/Stock/A7"),
    ]
    .map(|(code, kind, name)| CodeNameView {
        code: code.to_owned(),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
    })
    .to_vec();
    gateway
}

fn source(name: &str, state: &str, detail: Option<&str>) -> Source {
    Source {
        name: name.to_owned(),
        view: SourceView {
            state: state.to_owned(),
            devices: u64::from(state == "up"),
            detail: detail.map(str::to_owned),
        },
    }
}

/// Nothing has happened yet.
pub fn empty() -> Gateway {
    let mut gateway = Gateway::default();
    "ams1".clone_into(&mut gateway.status.site);
    "0.1.0".clone_into(&mut gateway.status.version);
    gateway
}

pub fn busy() -> Gateway {
    let mut gateway = well();
    let status = &mut gateway.status;
    (status.events.stored, status.events.posted) = (1_204_112, 1_203_000);
    (
        status.events.waiting,
        status.events.sending,
        status.events.open,
    ) = (1_000, 100, 12);
    status.documents.newest = DocumentNumber::new(12_408);
    status.documents.posted = 12_308;
    gateway.documents = (12_309..=12_408)
        .rev()
        .map(|number| document(number, if number > 12_400 { "waiting" } else { "posted" }))
        .collect();
    gateway
}

pub fn offline() -> Gateway {
    let mut gateway = well();
    let status = &mut gateway.status;
    status.odoo.link = Link::Down;
    status.odoo.detail = Some("connection refused by odoo.example.com:443".to_owned());
    status.odoo.retry_at = Some(at("08:15:41"));
    status.events.stored += 312;
    status.events.waiting = 300;
    status.events.open = 12;
    status.documents.waiting = 2;
    status.oldest_waiting_s = 134.2;
    gateway.documents.insert(0, document(67, "waiting"));
    gateway
}

pub fn parked() -> Gateway {
    let mut gateway = well();
    let status = &mut gateway.status;
    status.documents.parked = 2;
    status.documents.posted = 64;
    status.events.parked = 144;
    status.events.posted -= 144;
    gateway.parked = vec![document(61, "parked"), document(64, "parked")];
    gateway
}

/// A parked document that asks something.
pub fn asking() -> Gateway {
    let mut gateway = parked();
    let document = &mut gateway.parked[0];
    "pick".clone_into(&mut document.purpose);
    document.order = Some("WH/OUT/00042".to_owned());
    for line in &mut document.lines {
        line.to = None;
    }
    document.lines[1].lot = Some("L-0815".to_owned());
    document.reason = Some(Reason {
        code: "under-picked".into(),
        message: "WH/OUT/00042 asks for 30 of 4000000000006, and 24 were picked".to_owned(),
        lines: Vec::new(),
    });
    gateway
}

/// Parked for 25 barcodes, each of them named.
pub fn many_faults() -> Gateway {
    let mut gateway = parked();
    let first =
        "no product in Odoo has the barcode UNK-00: enter it there, and this is sent by itself";
    let others = (1..25).map(|line| {
        let number = line + 1;
        format!("; also line {number}: no product in Odoo has the barcode UNK-{line:02}")
    });
    let message = std::iter::once(first.to_owned()).chain(others).collect();
    gateway.parked[0].reason.as_mut().unwrap().message = message;
    gateway
}

/// Central IT pushed a bundle that the gateway has not applied yet.
pub fn pending() -> Gateway {
    let mut gateway = well();
    gateway.status.config.pending = Some(PendingView {
        serial: 43,
        state: "watching".to_owned(),
        since: at("08:10:00"),
        until: Some(at("08:25:00")),
        reason: Some("the link to Odoo has not been up for 10 minutes yet".to_owned()),
    });
    gateway
}

pub fn refused() -> Gateway {
    let mut gateway = well();
    gateway.status.config.last = Some(LastView {
        serial: 43,
        outcome: "refused".to_owned(),
        reason: Some("config.toml:7: documents.idle_s: found 0".to_owned()),
        at: at("08:10:00"),
    });
    gateway
}

/// Scans of a device without a flow.
pub fn unused() -> Gateway {
    let mut gateway = well();
    gateway.status.events.unused_scans = 312;
    gateway
}

pub fn rejected() -> Gateway {
    rejected_with("4006381333931".to_owned())
}

pub fn rejected_with(payload: String) -> Gateway {
    let mut gateway = well();
    gateway.status.events.rejected = 1;
    gateway.status.events.rejected_open = 1;
    gateway.rejected = vec![RejectedView {
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
        suggestion: None,
    }];
    gateway
}

/// A rejected event of which the gateway knows the nearest valid form.
pub fn suggested() -> Gateway {
    let event = |kind: &str| {
        format!(
            r#"{{"type": "{kind}", "product": "4006381333931", "from": "LOC-A-01", "to": "LOC-A-02"}}"#
        )
    };
    let mut gateway = rejected_with(event("tranfser"));
    let reading = &mut gateway.rejected[0];
    reading.channel = Some("event".to_owned());
    "unknown-type".clone_into(&mut reading.code);
    "field type: found \"tranfser\"; accepted is one of receive, transfer, pick"
        .clone_into(&mut reading.message);
    reading.suggestion = Some(Suggestion {
        text: "type transfer in place of tranfser".to_owned(),
        payload: Some(event("transfer")),
    });
    gateway
}

pub fn disk_full() -> Gateway {
    let mut gateway = well();
    let status = &mut gateway.status;
    (status.journal.full, status.journal.disk_full) = (true, true);
    status.journal.bytes = 1 << 30;
    status.odoo.link = Link::Held;
    status.odoo.detail = Some("the API key is not accepted: make a new one".to_owned());
    status.events.stored += 90_000;
    status.events.waiting = 90_000;
    status.oldest_waiting_s = 86_400.0;
    let alarm =
        "The disk is full. Delete files that are not the gateway's, or give it a larger disk.";
    status
        .alarms
        .insert("journal-full".to_owned(), alarm.to_owned());
    status
        .alarms_since
        .insert("journal-full".to_owned(), at("07:00:00"));
    gateway
}

pub fn alarms() -> Gateway {
    let mut gateway = disk_full();
    let status = &mut gateway.status;
    status.devices.drift = 1;
    status.devices.listed[1].drift = Some(DriftView {
        desired: Some("8baa73198470c7bb".to_owned()),
        reported: Some("0123456789abcdef".to_owned()),
        error: None,
        since: at("06:00:00"),
    });
    let sentence = "Device pda-08 should use configuration 8baa73198470c7bb and reports 0123456789abcdef, since 2026-11-23T06:00:00Z. Connect the device, or correct its template or values in the next bundle.";
    status
        .alarms
        .insert("device-drift".to_owned(), sentence.to_owned());
    status
        .alarms_since
        .insert("device-drift".to_owned(), at("06:00:00"));
    status.sources.push(source(
        "scanner:dock-2",
        "down",
        Some("/dev/ttyACM1: no such file"),
    ));
    gateway
}

/// A very long name, and names in Arabic and Chinese.
pub fn names() -> Gateway {
    let mut gateway = parked();
    let long = "pallet-jack-of-the-night-shift-in-the-cold-store-behind-gate-12-b";
    gateway
        .status
        .devices
        .listed
        .push(device(&long[..64], true, "08:15:00", 12));
    gateway.status.devices.known += 1;
    long.clone_into(&mut gateway.parked[0].group);
    "مستودع الشمال".clone_into(&mut gateway.parked[1].group);
    "六角螺栓-八号".clone_into(&mut gateway.parked[1].lines[0].product);
    for document in &mut gateway.documents {
        "六角螺栓操作员".clone_into(&mut document.group);
    }
    gateway.names[0].name = Some("برغي سداسي M8 六角螺栓".to_owned());
    gateway
}

pub fn app(gateway: &Gateway) -> App {
    let mut app = App::new(Path::new("/run/stockrelay/control.sock"), Theme::default());
    // Some seconds of scanning before what is shown.
    for second in 0..30_u64 {
        let mut earlier = gateway.clone();
        let left = 30 - second;
        let events = &mut earlier.status.events;
        events.stored = events.stored.saturating_sub(left * (left % 7));
        events.posted = events.posted.saturating_sub(left * 2);
        app.update(
            earlier.answer(app.needs()),
            at(&format!("08:15:{second:02}")),
        );
    }
    app.tick(at("08:15:30"));
    refresh(&mut app, gateway);
    app
}

/// Answers what the open view needs, as the feed does, until it needs nothing new.
pub fn refresh(app: &mut App, gateway: &Gateway) {
    for _ in 0..3 {
        app.update(gateway.answer(app.needs()), at("08:15:30"));
    }
}

/// `\t` Tab, `\n` Enter, `»` Page Down, `⌫` Backspace, `␛` Esc; after each key the feed answers.
pub fn press(app: &mut App, gateway: &Gateway, keys: &str) -> Option<Request> {
    let mut request = None;
    for c in keys.chars() {
        let code = match c {
            '\t' => KeyCode::Tab,
            '\n' => KeyCode::Enter,
            '»' => KeyCode::PageDown,
            '⌫' => KeyCode::Backspace,
            '␛' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        assert_eq!(request, None, "before {c:?} in {keys:?}");
        request = app.press(KeyEvent::new(code, KeyModifiers::NONE));
        refresh(app, gateway);
    }
    request
}

pub fn frame(app: &mut App, (columns, rows): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    terminal
}

/// The text of a frame.
pub fn shown(app: &mut App, size: (u16, u16)) -> String {
    let terminal = frame(app, size);
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content.chunks(usize::from(size.0)) {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line += cell.symbol();
            skip = ratatui::text::Span::raw(cell.symbol())
                .width()
                .saturating_sub(1);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
