//! Each built-in flow, beep by beep. `any`: no sequence of beeps makes the engine panic or name
//! what nobody scanned.

mod any;
mod codes;
mod crossed;
mod dates;
mod labels;
mod repeats;
mod unfinished;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::*;
use crate::config::{Language, LotPattern};
use crate::decode::gs1::Unit;
use crate::decode::meaning::{Context, Fit, Known, KnownProduct, UnitOf};
use crate::decode::nomenclature::{Content, Encoding, Nomenclature, Rule};
use crate::decode::profile::{FlowRules, Symbology};
use crate::event::{Action, Event, Field, Movement, Seq};
use crate::odoo_id::{ProductId, UnitId};

/// A floor where the first letters say what a code is.
struct Floor;

impl Known for Floor {
    fn products(&self, code: &str) -> Vec<KnownProduct> {
        let id = code.as_bytes().last().copied().unwrap_or_default();
        let id = ProductId::new(id.into());
        let product = |name: &str| KnownProduct {
            id,
            name: name.to_owned(),
            units: Decimal::ONE,
            unit: None,
        };
        match code {
            "CHAIR" => vec![product("Chair")],
            "TABLE" => vec![product("Table")],
            "MILK" | "00000000000017" | "04000000000501" | "4000000000501" | "14000000000508" => {
                vec![product("Milk")]
            }
            "PHONE" | "09506000134352" => vec![product("Phone")],
            "BOTH" | "25" => vec![product("Both")],
            "NUT" | "NUT-6" | "NUT-7" => vec![KnownProduct {
                id: ProductId::new(1),
                units: codes::factor(code),
                unit: Some(UnitId::new(1)),
                name: "Nut".to_owned(),
            }],
            "HAM" | "HAM-CASE" => vec![KnownProduct {
                id: ProductId::new(2),
                units: codes::factor(code),
                unit: Some(codes::KILOGRAM),
                name: "Ham".to_owned(),
            }],
            "CHEESE" | "CHEESE-CASE" | "00614141000043" => vec![KnownProduct {
                id: ProductId::new(4),
                units: codes::factor(code),
                unit: Some(codes::KILOGRAM),
                name: "Cheese".to_owned(),
            }],
            "00614141000029" => vec![product("Tin")],
            "00614141000036" => vec![KnownProduct {
                unit: Some(codes::KILOGRAM),
                ..product("Ham")
            }],
            _ => Vec::new(),
        }
    }
    fn locations(&self, code: &str) -> Vec<String> {
        let is = code.starts_with("LOC-") || matches!(code, "BOTH" | "24" | "25");
        is.then(|| code.to_owned()).into_iter().collect()
    }
    fn packages(&self, code: &str) -> Vec<String> {
        let is = code.starts_with("PACK-");
        is.then(|| code.to_owned()).into_iter().collect()
    }
    fn orders(&self, code: &str) -> Vec<String> {
        let is = code.starts_with("WH/");
        is.then(|| code.to_owned()).into_iter().collect()
    }
    fn has_lot(&self, code: &str) -> bool {
        code.starts_with("LOT-") || matches!(code, "LOC-LOT" | "47")
    }
    fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Fit {
        match unit {
            UnitOf::Gs1(Unit::Kilogram) if into == codes::KILOGRAM => Fit::Is(value),
            _ => Fit::Foreign,
        }
    }
    fn own_code(&self, product: ProductId) -> Option<String> {
        (product == ProductId::new(4)).then(|| "CHEESE".to_owned())
    }
}

impl hear::Floor for Floor {
    fn tracking(&self, code: &str) -> Tracking {
        match self.products(code).first().map(|own| own.name.as_str()) {
            Some("Milk" | "Nut" | "Cheese") => Tracking::Lot,
            Some("Phone") => Tracking::Serial,
            Some(_) => Tracking::No,
            None => Tracking::Unknown,
        }
    }
    fn has_lot_of(&self, _: &str, name: &str) -> bool {
        self.has_lot(name)
    }
    fn is_same(&self, one: &str, other: &str) -> bool {
        let name = |code| self.products(code).pop().map(|own| own.name);
        one == other || name(one).is_some_and(|one| name(other) == Some(one))
    }
}

fn rule(encoding: Encoding, kind: &str, pattern: &str) -> Rule {
    Rule {
        name: kind.to_owned(),
        sequence: 1,
        encoding,
        kind: kind.to_owned(),
        pattern: pattern.to_owned(),
        alias: String::new(),
        content: Content::Alpha,
        decimals: false,
        uom: None,
        weight: Unit::Kilogram,
    }
}

/// What of Odoo's GS1 nomenclature matters here.
fn odoo_gs1() -> Nomenclature {
    let quantity = Rule {
        content: Content::Measure,
        ..rule(Encoding::Gs1, "quantity", r"(37)(\d{0,8})")
    };
    Nomenclature::gs1("", vec![quantity]).unwrap()
}

struct Device {
    rules: FlowRules,
    state: State,
    now: Timestamp,
    seq: Seq,
    possible_repeat: bool,
    symbology: Option<Symbology>,
    nomenclature: Option<Nomenclature>,
    data_identifiers: bool,
    site_pattern: Option<LotPattern>,
    events: Vec<Made>,
    /// What the last scan found dropped.
    dropped: Option<Unfinished>,
}

impl Device {
    /// In a flow of the site's own that makes a receipt of each product at once.
    fn receiving_blind() -> Self {
        let rules = r#"
            start = "blind"
            [custom.blind]
            movement = "receive"
            start = "product"
            on = [{ state = "product", code = "product", do = ["product", "emit"] }]
        "#;
        let mut device = Self::new("");
        device.rules = toml::from_str(rules).unwrap();
        device
    }

    fn new(start: &str) -> Self {
        Self {
            rules: FlowRules {
                start: Some(start.to_owned()),
                ..FlowRules::default()
            },
            state: State::default(),
            now: "2026-11-24T08:00:00Z".parse().unwrap(),
            seq: Seq::new(100),
            possible_repeat: false,
            symbology: None,
            nomenclature: None,
            data_identifiers: false,
            site_pattern: None,
            events: Vec::new(),
            dropped: None,
        }
    }

    fn scan(&mut self, code: &str) -> Say {
        self.now += SignedDuration::from_secs(2);
        self.seq = self.seq.next();
        let context = Context {
            means: &[],
            nomenclature: self.nomenclature.as_ref(),
            known: &Floor,
            data_identifiers: self.data_identifiers,
            year: 2026,
        };
        let shapes = looks::Shapes::of([
            (looks::Look::Location, vec!["LOC-BIN-0001".to_owned()]),
            (looks::Look::Package, vec!["PACK-1".to_owned()]),
            (looks::Look::Product, vec!["SKU-1".to_owned()]),
        ]);
        let scanned = hear::Scanned {
            code,
            symbology: self.symbology.as_ref(),
            context: &context,
            floor: &Floor,
            look: &|text| shapes.look(text),
        };
        let engine = Engine::new(&self.rules).with_lot_pattern(self.site_pattern.as_ref());
        let heard = scanned.hear(engine.awaits(&self.state, self.now).as_ref());
        let product = heard.item().and_then(|item| codes::coded(&item.code));
        let package = format!("ring-{}", self.seq);
        let input = Input {
            seq: self.seq,
            tag: "7a9",
            possible_repeat: self.possible_repeat,
            at: self.now,
            now: self.now,
            code,
            read: heard.read,
            operator: None,
            tracking: heard.tracking,
            lot: heard.lot,
            product,
            label: &heard.label,
            package: &package,
        };
        // As after a restart: what is kept is all there is.
        let stored = super::stored::encode(self.state.clone());
        self.state = super::stored::decode(&stored).unwrap();
        let (state, output) = engine.read(&self.state, &input);
        self.state = state;
        self.events.extend(output.events);
        self.dropped = output.dropped;
        output.say
    }

    /// Scans that must all be right.
    fn scan_all(&mut self, codes: &[&str]) {
        for code in codes {
            let say = self.scan(code);
            assert!(say.ok, "{code}: {say:?}");
        }
    }

    /// A scan that must be wrong, and change nothing.
    fn wrong(&mut self, code: &str) -> String {
        let (work, at) = (self.state.work.clone(), self.state.at.clone());
        let made = self.events.len();
        let say = self.scan(code);
        assert!(!say.ok, "{code}: {say:?}");
        assert_eq!((&self.state.work, &self.state.at), (&work, &at), "{code}");
        assert_eq!(self.events.len(), made, "{code}");
        say.text(Language::English)
    }

    /// The events since the last call, each as one line.
    fn made(&mut self) -> Vec<String> {
        self.events
            .drain(..)
            .map(|made| line(&made.action))
            .collect()
    }

    fn pause(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}

fn line(action: &Action) -> String {
    let some = |name: &str, field| match action.text(field) {
        Some(text) => format!(" {name} {text}"),
        None => String::new(),
    };
    let moved = match action {
        Action::Move(moved) => moved,
        Action::Validate { order } => return format!("validate {order}"),
        Action::Undo { event, .. } => return format!("undo {event}"),
        other => return other.kind().to_owned(),
    };
    let goods = &moved.goods;
    let (quantity, product) = (goods.quantity, &goods.product);
    let [from, to] = [&goods.from, &goods.to].map(|bin| bin.as_deref().unwrap_or("?"));
    match moved.movement {
        Movement::Transfer => {
            format!(
                "{quantity} {product} {from} > {to}{}",
                some("lot", Field::Lot)
            )
        }
        Movement::Pick => format!(
            "pick {} {quantity} {product}{}{}{}",
            moved.order.as_deref().unwrap_or("?"),
            some("from", Field::From),
            some("lot", Field::Lot),
            some("in", Field::Package)
        ),
        Movement::Receive => format!(
            "receive{} {quantity} {product}{}{}{}{}",
            some("for", Field::Order),
            some("lot", Field::Lot),
            some("best", Field::BestBefore),
            some("until", Field::Expiry),
            some("into", Field::Package)
        ),
        Movement::Count => {
            format!(
                "count {from} {quantity} {product}{}",
                some("lot", Field::Lot)
            )
        }
        Movement::Scrap => {
            format!(
                "scrap {from} {quantity} {product}{}",
                some("because", Field::Reason)
            )
        }
        Movement::Return => format!(
            "return{} {quantity} {product} > {to}{}",
            some("of", Field::Order),
            some("because", Field::Reason)
        ),
        Movement::Pack => format!(
            "pack {} {quantity}{}{}{}",
            goods.package.as_deref().unwrap_or("?"),
            some("of", Field::Product),
            some("from", Field::From),
            some("for", Field::Order)
        ),
    }
}

#[test]
fn a_transfer_is_made_when_the_bin_it_goes_to_is_scanned() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "CHAIR"]);
    let say = device.scan("CHAIR");
    assert_eq!(say.text(Language::English), "Chair\n3");
    device.scan_all(&["TABLE"]);
    assert!(device.made().is_empty());
    let say = device.scan("LOC-B");
    assert_eq!(
        say.text(Language::English),
        "Recorded: 3 × Chair +1\nScan: bin"
    );
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    assert_eq!(
        ids,
        ["flow-105-1-7a9", "flow-105-2-7a9"].map(|id| id.replace("105", &device.seq.to_string()))
    );
    assert_eq!(
        device.made(),
        ["3 CHAIR LOC-A > LOC-B", "1 TABLE LOC-A > LOC-B"]
    );
}

#[test]
fn what_is_wrong_here_changes_nothing_and_what_is_wanted_is_said() {
    let mut device = Device::new("transfer");
    assert_eq!(device.wrong("CHAIR"), "Not now: CHAIR\nScan: bin");
    device.scan_all(&["LOC-A"]);
    assert_eq!(device.wrong("LOC-B"), "Not now: LOC-B\nScan: product");
    assert_eq!(device.wrong("WH/OUT/1"), "Not now: WH/OUT/1\nScan: product");
    assert_eq!(device.wrong("LOT-1"), "Not now: LOT-1\nScan: product");
    assert_eq!(device.wrong("SR-QTY-5"), "Not now: SR-QTY-5\nScan: product");
    assert_eq!(device.wrong("???"), "Unknown barcode ???\nScan: product");
    assert_eq!(device.wrong("BOTH"), "BOTH: more than one meaning");
    assert_eq!(device.wrong("OBTVALI"), "Nothing begun\nScan: product");
    assert_eq!(
        device.wrong("OBTPRSL"),
        "OBTPRSL does nothing here\nScan: product"
    );
    assert_eq!(
        device.wrong("SR-FLOW-DANCE"),
        "This device has no flow dance"
    );
    device.scan_all(&["CHAIR"]);
    assert_eq!(
        device.wrong("OBTVALI"),
        "Not finished: 1 × Chair\nScan: bin",
        "a transfer is complete with the bin it goes to"
    );
    assert_eq!(
        device.wrong("LOT-1"),
        "Not now: LOT-1\nScan: product / bin",
        "a chair has no lot"
    );
    device.scan_all(&["LOC-B"]);
    assert_eq!(device.made(), ["1 CHAIR LOC-A > LOC-B"]);
}

#[test]
fn undo_takes_back_read_by_read_and_then_what_was_made() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "CHAIR", "SR-QTY-7", "TABLE"]);
    let say = device.scan("SR-UNDO");
    assert_eq!(say.text(Language::English), "Chair\n7");
    let say = device.scan("SR-UNDO");
    assert_eq!(say.text(Language::English), "Chair\n2");
    device.scan_all(&["SR-UNDO", "SR-UNDO"]);
    assert_eq!(device.wrong("LOC-B"), "Not now: LOC-B\nScan: product");
    device.scan_all(&["SR-UNDO", "LOC-C", "CHAIR", "TABLE", "LOC-B"]);
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    assert_eq!(
        device.made(),
        ["1 CHAIR LOC-C > LOC-B", "1 TABLE LOC-C > LOC-B"]
    );
    device.scan_all(&["SR-UNDO"]);
    assert_eq!(
        device.made(),
        [format!("undo {}", ids[1]), format!("undo {}", ids[0])]
    );
    assert_eq!(device.wrong("SR-UNDO"), "Nothing to take back\nScan: bin");
}

#[test]
fn what_was_made_is_taken_back_in_every_flow_also_what_a_pause_made() {
    let flows: [(&str, &[&str], &str); 6] = [
        (
            "pick",
            &["WH/OUT/1", "LOC-A", "CHAIR", "LOC-B"],
            "pick WH/OUT/1 1 CHAIR from LOC-A",
        ),
        (
            "receive",
            &["WH/IN/1", "CHAIR", "WH/IN/2"],
            "receive for WH/IN/1 1 CHAIR",
        ),
        (
            "count",
            &["LOC-A", "CHAIR", "OBTVALI"],
            "count LOC-A 1 CHAIR",
        ),
        (
            "scrap",
            &["LOC-A", "CHAIR", "OBTVALI"],
            "scrap LOC-A 1 CHAIR",
        ),
        ("return", &["CHAIR", "LOC-A"], "return 1 CHAIR > LOC-A"),
        (
            "pack",
            &["SR-NEWPACK", "LOC-A", "CHAIR", "OBTVALI"],
            "pack ring-101 1 of CHAIR from LOC-A",
        ),
    ];
    for (flow, codes, made) in flows {
        let mut device = Device::new(flow);
        device.scan_all(codes);
        let id = device.events[0].id.clone();
        assert_eq!(device.made(), [made], "{flow}");
        // What was begun since is taken back first.
        while device.state.trail.pop().is_some() {}
        let say = device.scan("SR-UNDO").text(Language::English);
        assert!(say.starts_with("Taken back: 1 × Chair"), "{flow}: {say}");
        assert_eq!(device.made(), [format!("undo {id}")], "{flow}");
    }
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "LOC-A", "CHAIR", "TABLE"]);
    device.pause(61);
    device.scan_all(&["SR-UNDO"]);
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    let undone = [format!("undo {}", ids[1]), format!("undo {}", ids[0])];
    assert_eq!(device.made()[2..], undone);
}

#[test]
fn what_only_odoo_can_put_right_is_not_undone_here() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR", "OBTVALI"]);
    device.made();
    assert_eq!(
        device.wrong("SR-UNDO"),
        "The order is complete already: put it right in Odoo"
    );
}

#[test]
fn a_pick_goes_by_order_bin_products_and_is_validated() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "LOC-A", "CHAIR", "CHAIR", "LOC-B"]);
    assert_eq!(device.made(), ["pick WH/OUT/1 2 CHAIR from LOC-A"]);
    device.scan_all(&["TABLE"]);
    let say = device.scan("OBTVALI");
    assert_eq!(
        say.text(Language::English),
        "WH/OUT/1 is complete\nScan: order"
    );
    assert_eq!(
        device.made(),
        ["pick WH/OUT/1 1 TABLE from LOC-B", "validate WH/OUT/1"]
    );
    // Without a bin, and the next order ends the one before.
    device.scan_all(&["WH/OUT/2", "CHAIR", "WH/OUT/3"]);
    assert_eq!(device.made(), ["pick WH/OUT/2 1 CHAIR"]);
}

#[test]
fn what_is_picked_goes_into_packages() {
    let mut device = Device::new("pick");
    device.scan_all(&[
        "WH/OUT/1",
        "PACK-1",
        "CHAIR",
        "SR-NEWPACK",
        "TABLE",
        "OBTVALI",
    ]);
    let fresh = device.seq.back_by(2);
    assert_eq!(
        device.made(),
        [
            "pack PACK-1 1 of CHAIR for WH/OUT/1".to_owned(),
            format!("pack ring-{fresh} 1 of TABLE for WH/OUT/1"),
            "validate WH/OUT/1".to_owned()
        ]
    );
    device.scan_all(&["WH/OUT/1", "CHAIR", "OBTPACK", "TABLE", "OBTVALI"]);
    let fresh = device.seq.back_by(2);
    assert_eq!(
        device.made()[..2],
        [
            format!("pack ring-{fresh} 1 of CHAIR for WH/OUT/1"),
            "pick WH/OUT/1 1 TABLE".to_owned()
        ]
    );
}

#[test]
fn goods_are_received_with_lots_that_nobody_knew() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1"]);
    let say = device.scan("MILK");
    assert_eq!(say.text(Language::English), "Milk\n1. Scan the lot");
    assert_eq!(device.wrong("OBTVALI"), "Milk\nThe lot is missing: scan it");
    device.scan_all(&["L-NEW-7", "SR-QTY", "24", "CHAIR", "OBTVALI"]);
    assert_eq!(
        device.made(),
        [
            "receive for WH/IN/1 24 MILK lot L-NEW-7",
            "receive for WH/IN/1 1 CHAIR",
            "validate WH/IN/1"
        ]
    );
}

#[test]
fn serial_numbers_are_one_of_each() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1", "PHONE", "SN-1", "LOT-SN-2"]);
    assert_eq!(
        device.wrong("LOT-SN-2"),
        "Phone\nLOT-SN-2 was scanned before"
    );
    assert_eq!(device.wrong("SR-QTY-3"), "Phone\nSerial number: 1 of each");
    device.scan_all(&["SR-UNDO", "OBTVALI"]);
    assert_eq!(
        device.made(),
        ["receive for WH/IN/1 1 PHONE lot SN-1", "validate WH/IN/1"]
    );
}

#[test]
fn one_gs1_code_says_product_lot_date_and_quantity() {
    let mut device = Device::new("receive");
    device.scan_all(&[
        "WH/IN/1",
        "]C1010950600013435217270131\u{1d}21SN-9",
        "OBTVALI",
    ]);
    let made = device.made();
    assert_eq!(
        made[0],
        "receive for WH/IN/1 1 09506000134352 lot SN-9 until 2027-01-31"
    );
    assert_eq!(
        device.wrong("]C10109506000134353"),
        "]C10109506000134353: no valid code"
    );
}

#[test]
fn a_count_ends_with_the_next_bin_or_a_command_and_counts_each_product_once() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "CHAIR", "TABLE", "CHAIR", "SR-QTY-12", "LOC-B"]);
    assert_eq!(
        device.made(),
        ["count LOC-A 12 CHAIR", "count LOC-A 1 TABLE"]
    );
    device.scan_all(&["MILK", "LOT-1", "MILK", "LOT-1", "OBTVALI"]);
    assert_eq!(device.made(), ["count LOC-B 2 MILK lot LOT-1"]);
}

#[test]
fn goods_are_scrapped_and_come_back_for_a_reason() {
    let mut device = Device::new("scrap");
    device.scan_all(&["LOC-A", "CHAIR", "SR-REASON-DAMAGED", "OBTVALI"]);
    assert_eq!(device.made(), ["scrap LOC-A 1 CHAIR because DAMAGED"]);
    device.scan_all(&["SR-FLOW-RETURN", "CHAIR", "LOC-B"]);
    device.scan_all(&["WH/OUT/1", "CHAIR", "TABLE", "LOC-B"]);
    assert_eq!(
        device.made(),
        [
            "return 1 CHAIR > LOC-B",
            "return of WH/OUT/1 1 CHAIR > LOC-B",
            "return of WH/OUT/1 1 TABLE > LOC-B"
        ]
    );
    // Back to the flow that the device begins in.
    device.scan_all(&["OCDMENU", "LOC-A", "TABLE", "OBTVALI"]);
    assert_eq!(device.made(), ["scrap LOC-A 1 TABLE"]);
}

#[test]
fn packages_are_filled_from_bins() {
    let mut device = Device::new("pack");
    device.scan_all(&[
        "PACK-1",
        "LOC-A",
        "CHAIR",
        "CHAIR",
        "PACK-2",
        "TABLE",
        "SR-NEWPACK",
    ]);
    let fresh = device.seq;
    device.scan_all(&["CHAIR", "OBTVALI"]);
    assert_eq!(
        device.made(),
        [
            "pack PACK-1 2 of CHAIR from LOC-A".to_owned(),
            "pack PACK-2 1 of TABLE".to_owned(),
            format!("pack ring-{fresh} 1 of CHAIR")
        ]
    );
}

#[test]
fn cancel_forgets_and_a_switch_finishes_first() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let say = device.scan("SR-CANCEL");
    assert_eq!(
        say.text(Language::English),
        "Cancelled: 1 × Chair\nScan: order"
    );
    assert_eq!(device.wrong("SR-CANCEL"), "Nothing begun\nScan: order");
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let say = device.scan("SR-FLOW-TRANSFER");
    assert_eq!(say.text(Language::English), "TRANSFER\nScan: bin");
    assert_eq!(device.made(), ["pick WH/OUT/1 1 CHAIR"]);
    device.scan_all(&["LOC-A", "CHAIR"]);
    assert_eq!(
        device.wrong("SR-FLOW-COUNT"),
        "Not finished: 1 × Chair\nScan: bin"
    );
}

#[test]
fn a_badge_says_who_works_from_then_on() {
    let mut device = Device::new("transfer");
    device.scan_all(&["SR-OP-anna", "LOC-A", "CHAIR", "LOC-B"]);
    assert_eq!(device.events[0].operator.as_deref(), Some("anna"));
}

#[test]
fn a_pause_makes_what_is_complete_by_itself_and_drops_the_rest_and_says_so() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let due = Engine::new(&device.rules).due(&device.state).unwrap();
    assert_eq!(due, device.now + SignedDuration::from_secs(60));
    let mut state = device.state.clone();
    let before = due - SignedDuration::from_secs(1);
    let passed = Engine::new(&device.rules).pass(&mut state, before);
    assert_eq!((passed.made, passed.dropped), (Vec::new(), None));
    let passed = Engine::new(&device.rules).pass(&mut state, due);
    assert_eq!(passed.dropped, None);
    let made = passed.made;
    // The next read, without the time having been watched, makes the very same event.
    device.pause(70);
    device.scan_all(&["TABLE"]);
    assert_eq!(device.events, made);
    assert_eq!(made[0].id, format!("flow-{}-1-7a9", device.seq.back_by(1)));
    assert_eq!(device.made(), ["pick WH/OUT/1 1 CHAIR"]);

    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR"]);
    let end = device.now + SignedDuration::from_secs(600);
    assert_eq!(Engine::new(&device.rules).due(&device.state), Some(end));
    device.pause(601);
    let say = device.scan("CHAIR");
    assert_eq!(
        say.text(Language::English),
        "Dropped after a pause: 1 × Chair\nNot now: CHAIR\nScan: bin"
    );
    device.scan_all(&["LOC-B", "TABLE", "LOC-A"]);
    assert_eq!(device.made(), ["1 TABLE LOC-B > LOC-A"]);

    // Never, where the profile says so.
    device.rules.idle_s = Some(0);
    device.scan_all(&["LOC-A", "CHAIR"]);
    device.pause(100_000);
    device.scan_all(&["LOC-B"]);
    assert_eq!(device.made(), ["1 CHAIR LOC-A > LOC-B"]);
}

#[test]
fn a_flow_of_the_site_s_own_takes_the_place_of_a_built_in_one() {
    let mut device = Device::receiving_blind();
    device.scan_all(&["CHAIR", "CHAIR"]);
    assert_eq!(device.made(), ["receive 1 CHAIR", "receive 1 CHAIR"]);
}

#[test]
fn of_what_one_scan_made_twice_the_last_is_taken_back() {
    let rules = r#"
        start = "blind"
        [custom.blind]
        movement = "receive"
        start = "product"
        on = [{ state = "product", code = "product", do = ["product", "emit", "product", "emit"] }]
    "#;
    let mut device = Device::new("");
    device.rules = toml::from_str(rules).unwrap();
    device.scan_all(&["CHAIR", "SR-UNDO"]);
    let last = device.events[1].id.clone();
    assert_eq!(device.made()[2..], [format!("undo {last}")]);
}

#[test]
fn what_a_device_has_begun_stays_small() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A"]);
    for _ in 0..3_000 {
        device.scan("CHAIR");
    }
    assert_eq!(device.state.work.items[0].quantity, Decimal::from(3_000));
    let bytes = super::stored::encode(device.state.clone()).len();
    assert!(bytes < 20_000, "{bytes} bytes");
}
