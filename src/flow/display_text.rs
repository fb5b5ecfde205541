//! Texts for the operator, in the language of the device. `texts.toml` has the templates.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::capture::texts::{TEXT_CHARS_MAX, cut, fill, tag};
use crate::config::Language;
use crate::decode::profile::{Kind, On};

use super::resemblance::Resemblance;

/// A code that a flow expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExpectedCode {
    Location,
    Product,
    Order,
    Package,
    Lot,
    Serial,
    Quantity,
}

impl ExpectedCode {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Location => "code-location",
            Self::Product => "code-product",
            Self::Order => "code-order",
            Self::Package => "code-package",
            Self::Lot => "code-lot",
            Self::Serial => "code-serial",
            Self::Quantity => "code-quantity",
        }
    }

    /// The code that a transition expects. `None`: a command or badge, which the display does not
    /// list.
    #[must_use]
    pub fn of(on: &On) -> Option<Self> {
        match on {
            On::Kind(Kind::Location) => Some(Self::Location),
            On::Kind(Kind::Product) => Some(Self::Product),
            On::Kind(Kind::Order) => Some(Self::Order),
            On::Kind(Kind::Package) => Some(Self::Package),
            On::Kind(Kind::Lot) => Some(Self::Lot),
            On::Kind(Kind::Quantity) => Some(Self::Quantity),
            On::Kind(Kind::Operator) | On::Command(_) => None,
        }
    }
}

/// The key of a text in `texts.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextKey {
    /// A code that started something, and the codes that the flow expects next.
    Next,
    /// A product and its running quantity.
    Item,
    /// As `Item`; the catalog does not have the product.
    ItemUnknown,
    /// A product, its running quantity, and its lot.
    Lot,
    /// As `Lot`; Odoo does not have the lot.
    NewLot,
    /// As `Lot`; the catalog does not have the product or lot.
    LotUnknown,
    /// A product and its serial number.
    Serial,
    /// As `Serial`; Odoo does not have the serial number.
    NewSerial,
    /// A code that looks like something else than a lot: a second scan confirms a new lot.
    LotAgain,
    SerialAgain,
    /// The name of a new lot does not match the pattern.
    LotForm,
    SerialForm,
    /// A batch or lot while the flow expects a serial number.
    BatchGiven,
    SerialGiven,
    LotNext,
    SerialNext,
    Recorded,
    Validated,
    ScanRemoved,
    Reversed,
    Cancelled,
    QuantityNext,
    Operator,
    Flow,
    /// The movement that a pause ended.
    PauseEnded,
    /// The scan waits until the gateway has a copy of Odoo's data.
    StoredOnly,
    Wrong,
    Unknown,
    Unclear,
    /// A code that is marked as GS1 data, as data identifiers or as a quantity, and is not valid.
    Damaged,
    /// A measure on a label that cannot be converted into the product's unit.
    Measure,
    /// A measure on the label of a product that the catalog does not have.
    MeasureUnknown,
    NotFinished,
    LotFirst,
    QuantityFirst,
    SerialFirst,
    SerialQuantity,
    AlreadyScanned,
    AlreadyValidated,
    NothingToUndo,
    NothingScanned,
    UnknownFlow,
    NoEffect,
    TooManyProducts,
    /// Dates of a label that are not used.
    NoteDates,
    /// (37) next to (01) is used as the quantity.
    NoteCount,
}

impl TextKey {
    pub const ALL: [Self; 46] = [
        Self::Next,
        Self::Item,
        Self::ItemUnknown,
        Self::Lot,
        Self::NewLot,
        Self::LotUnknown,
        Self::Serial,
        Self::NewSerial,
        Self::LotAgain,
        Self::SerialAgain,
        Self::LotForm,
        Self::SerialForm,
        Self::BatchGiven,
        Self::SerialGiven,
        Self::LotNext,
        Self::SerialNext,
        Self::Recorded,
        Self::Validated,
        Self::ScanRemoved,
        Self::Reversed,
        Self::Cancelled,
        Self::QuantityNext,
        Self::Operator,
        Self::Flow,
        Self::PauseEnded,
        Self::StoredOnly,
        Self::Wrong,
        Self::Unknown,
        Self::Unclear,
        Self::Damaged,
        Self::Measure,
        Self::MeasureUnknown,
        Self::NotFinished,
        Self::LotFirst,
        Self::QuantityFirst,
        Self::SerialFirst,
        Self::SerialQuantity,
        Self::AlreadyScanned,
        Self::AlreadyValidated,
        Self::NothingToUndo,
        Self::NothingScanned,
        Self::UnknownFlow,
        Self::NoEffect,
        Self::TooManyProducts,
        Self::NoteDates,
        Self::NoteCount,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Item => "item",
            Self::ItemUnknown => "item-unknown",
            Self::Lot => "lot",
            Self::NewLot => "new-lot",
            Self::LotUnknown => "lot-unknown",
            Self::Serial => "serial",
            Self::NewSerial => "new-serial",
            Self::LotAgain => "lot-again",
            Self::SerialAgain => "serial-again",
            Self::LotForm => "lot-form",
            Self::SerialForm => "serial-form",
            Self::BatchGiven => "batch-given",
            Self::SerialGiven => "serial-given",
            Self::LotNext => "lot-next",
            Self::SerialNext => "serial-next",
            Self::Recorded => "recorded",
            Self::Validated => "validated",
            Self::ScanRemoved => "scan-removed",
            Self::Reversed => "reversed",
            Self::Cancelled => "cancelled",
            Self::QuantityNext => "quantity-next",
            Self::Operator => "operator",
            Self::Flow => "flow",
            Self::PauseEnded => "pause-ended",
            Self::StoredOnly => "stored-only",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Unclear => "unclear",
            Self::Damaged => "damaged",
            Self::Measure => "measure",
            Self::MeasureUnknown => "measure-unknown",
            Self::NotFinished => "not-finished",
            Self::LotFirst => "lot-first",
            Self::QuantityFirst => "quantity-first",
            Self::SerialFirst => "serial-first",
            Self::SerialQuantity => "serial-quantity",
            Self::AlreadyScanned => "already-scanned",
            Self::AlreadyValidated => "already-validated",
            Self::NothingToUndo => "nothing-to-undo",
            Self::NothingScanned => "nothing-scanned",
            Self::UnknownFlow => "unknown-flow",
            Self::NoEffect => "no-effect",
            Self::TooManyProducts => "too-many-products",
            Self::NoteDates => "note-dates",
            Self::NoteCount => "note-count",
        }
    }
}

/// The answer to a scan: whether the flow accepted the code, and the text about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayText {
    pub ok: bool,
    pub key: TextKey,
    pub arguments: Vec<(&'static str, String)>,
    /// The codes that the flow expects next.
    pub expected: Vec<ExpectedCode>,
    /// Summary of the movement that a pause before this scan ended.
    pub expired: Option<String>,
    /// What the code looks like, if that is not a lot.
    pub resemblance: Option<Resemblance>,
    /// The package that goods go into.
    pub package: Option<String>,
    /// Notes about the label that the display has not shown yet.
    pub notes: Vec<LabelNote>,
}

/// One line about a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNote {
    pub key: TextKey,
    pub arguments: Vec<(&'static str, String)>,
}

impl DisplayText {
    #[must_use]
    pub fn good(key: TextKey) -> Self {
        Self {
            ok: true,
            key,
            arguments: Vec::new(),
            expected: Vec::new(),
            expired: None,
            resemblance: None,
            package: None,
            notes: Vec::new(),
        }
    }

    #[must_use]
    pub fn bad(key: TextKey) -> Self {
        Self {
            ok: false,
            ..Self::good(key)
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.arguments.push((name, value.to_owned()));
        self
    }

    #[must_use]
    pub fn expecting(mut self, expected: impl IntoIterator<Item = ExpectedCode>) -> Self {
        for want in expected {
            if !self.expected.contains(&want) {
                self.expected.push(want);
            }
        }
        self
    }

    #[must_use]
    pub fn resembling(self, resemblance: Resemblance) -> Self {
        Self {
            resemblance: Some(resemblance),
            ..self
        }
    }

    #[must_use]
    pub fn into_package(self, package: Option<&str>) -> Self {
        Self {
            package: package.map(str::to_owned),
            ..self
        }
    }

    #[must_use]
    pub fn with_notes(mut self, notes: Vec<LabelNote>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Writes the text in a language, cut to what a small screen shows.
    #[must_use]
    pub fn render(&self, language: Language) -> String {
        let expected: Vec<&str> = self
            .expected
            .iter()
            .map(|want| template(want.name(), language))
            .collect();
        let mut arguments = self.arguments.clone();
        arguments.push(("expected", expected.join(" / ")));
        let resemblance = self
            .resemblance
            .map_or("", |kind| template(kind.name(), language));
        arguments.push(("resemblance", resemblance.to_owned()));
        let mut text = String::new();
        if let Some(expired) = &self.expired {
            text = fill(
                template(TextKey::PauseEnded.name(), language),
                &[("what", expired.clone())],
            ) + "\n";
        }
        text += &fill(template(self.key.name(), language), &arguments);
        if let Some(package) = &self.package {
            text = format!("{}\n→ {package}", text.trim_end());
        }
        let note = |note: &LabelNote| fill(template(note.key.name(), language), &note.arguments);
        let notes: Vec<_> = self.notes.iter().map(note).collect();
        if notes.is_empty() {
            return cut(text.trim_end(), TEXT_CHARS_MAX);
        }
        // Long names must not push the notes off the screen.
        let text = text.trim_end();
        let least = text.chars().count().min(TEXT_CHARS_MAX / 2);
        let notes = cut(&notes.join("\n"), TEXT_CHARS_MAX - 1 - least);
        let room = TEXT_CHARS_MAX - 1 - notes.chars().count();
        format!("{}\n{notes}", cut(text, room))
    }
}

type Texts = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn texts() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    // A test reads every text, so a file that cannot be parsed is never shipped.
    TEXTS.get_or_init(|| toml::from_str(include_str!("texts.toml")).unwrap_or_default())
}

fn template(name: &str, language: Language) -> &'static str {
    texts()
        .get(name)
        .and_then(|text| text.get(tag(language)))
        .map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const WANTS: [ExpectedCode; 7] = [
        ExpectedCode::Location,
        ExpectedCode::Product,
        ExpectedCode::Order,
        ExpectedCode::Package,
        ExpectedCode::Lot,
        ExpectedCode::Serial,
        ExpectedCode::Quantity,
    ];

    const LOOKS: [Resemblance; 11] = [
        Resemblance::Product,
        Resemblance::Location,
        Resemblance::Order,
        Resemblance::Package,
        Resemblance::Command,
        Resemblance::Operator,
        Resemblance::Address,
        Resemblance::Gs1,
        Resemblance::Hibc,
        Resemblance::Envelope,
        Resemblance::Data,
    ];

    fn list_placeholders(text: &str) -> BTreeSet<&str> {
        let behind = text.split('{').skip(1);
        behind.filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_text_exists_in_every_language_with_the_same_placeholders() {
        let keys = TextKey::ALL.iter().map(|key| key.name());
        let names = keys
            .chain(WANTS.map(ExpectedCode::name))
            .chain(LOOKS.map(Resemblance::name));
        let names: BTreeSet<&str> = names.collect();
        let written: BTreeSet<&str> = texts().keys().map(String::as_str).collect();
        assert_eq!(names, written);
        for (name, text) in texts() {
            let tags: Vec<&str> = text.keys().map(String::as_str).collect();
            assert_eq!(tags, ["ar", "de", "en", "es", "fr", "nl"], "{name}");
            for words in text.values() {
                assert_eq!(
                    list_placeholders(words),
                    list_placeholders(&text["en"]),
                    "{name}: {words}"
                );
            }
        }
    }

    #[test]
    fn a_word_names_what_is_wanted_and_what_a_pause_ended() {
        let mut answer = DisplayText::bad(TextKey::Wrong)
            .with("code", "LOC-1")
            .expecting([
                ExpectedCode::Product,
                ExpectedCode::Lot,
                ExpectedCode::Product,
            ]);
        assert_eq!(
            answer.render(Language::English),
            "Not now: LOC-1\nScan: product / lot"
        );
        assert_eq!(
            answer.render(Language::German),
            "Jetzt nicht: LOC-1\nScannen: Produkt / Charge"
        );
        answer.expired = Some("3 × Chair".to_owned());
        assert!(
            answer
                .render(Language::English)
                .starts_with("Pause too long, not recorded: 3 × Chair\nNot now")
        );
    }
}
