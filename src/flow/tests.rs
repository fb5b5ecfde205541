//! Each built-in flow, scan by scan. `any`: no sequence of scans makes the engine panic, or name a
//! code that was not scanned.

mod any;
mod codes;
mod crossed;
mod dates;
mod expired;
mod labels;
mod movements;
mod pallets;
mod repeats;
mod undo;

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

/// A catalog that knows its products by whole codes. The first letters decide what another code is:
/// `LOC-` a location, `PACK-` a package, `WH/` an order, `LOT-` a lot. Some codes, such as `BOTH`,
/// have two kinds.
struct TestCatalog;

impl Known for TestCatalog {
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

impl interpret::LotLookup for TestCatalog {
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

/// The part of Odoo's GS1 nomenclature that the tests need.
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
    events: Vec<CreatedEvent>,
    /// The movement that a pause before the last scan ended.
    expired: Option<Expired>,
}

impl Device {
    /// A device in a site's own flow, which creates a receipt of each product at once.
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
            expired: None,
        }
    }

    fn scan(&mut self, code: &str) -> DisplayText {
        self.now += SignedDuration::from_secs(2);
        self.seq = self.seq.next();
        let context = Context {
            means: &[],
            nomenclature: self.nomenclature.as_ref(),
            known: &TestCatalog,
            data_identifiers: self.data_identifiers,
            year: 2026,
        };
        let shapes = resemblance::Shapes::new([
            (
                resemblance::Resemblance::Location,
                vec!["LOC-BIN-0001".to_owned()],
            ),
            (resemblance::Resemblance::Package, vec!["PACK-1".to_owned()]),
            (resemblance::Resemblance::Product, vec!["SKU-1".to_owned()]),
        ]);
        let scanned = interpret::Scanned {
            code,
            symbology: self.symbology.as_ref(),
            context: &context,
            lots: &TestCatalog,
            find_resemblance: &|text| shapes.find(text),
        };
        let engine = Engine::new(&self.rules).with_lot_pattern(self.site_pattern.as_ref());
        let heard = scanned.interpret(engine.awaited_lot(&self.state, self.now).as_ref());
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
        // As after a restart: only the stored state remains.
        let stored = super::stored::encode(self.state.clone());
        self.state = super::stored::decode(&stored).unwrap();
        let (state, output) = engine.read(&self.state, &input);
        self.state = state;
        self.events.extend(output.events);
        self.expired = output.expired;
        output.text
    }

    /// Scans codes that must all be good.
    fn scan_all(&mut self, codes: &[&str]) {
        for code in codes {
            let say = self.scan(code);
            assert!(say.ok, "{code}: {say:?}");
        }
    }

    /// Scans a code that must be wrong and change nothing.
    fn wrong(&mut self, code: &str) -> String {
        let (unfinished, at) = (self.state.unfinished.clone(), self.state.at.clone());
        let made = self.events.len();
        let say = self.scan(code);
        assert!(!say.ok, "{code}: {say:?}");
        assert_eq!(
            (&self.state.unfinished, &self.state.at),
            (&unfinished, &at),
            "{code}"
        );
        assert_eq!(self.events.len(), made, "{code}");
        say.render(Language::English)
    }

    /// Returns the events since the last call, each as one line.
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
