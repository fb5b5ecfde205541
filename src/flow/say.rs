//! What the person is told: `texts.toml`, one text for each key and language.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::capture::texts::{TEXT_CHARS_MAX, cut, fill, tag};
use crate::config::Language;
use crate::decode::profile::{Kind, On};

use super::looks::Look;

/// What a flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    Location,
    Product,
    Order,
    Package,
    Lot,
    Serial,
    Quantity,
}

impl Want {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Location => "want-location",
            Self::Product => "want-product",
            Self::Order => "want-order",
            Self::Package => "want-package",
            Self::Lot => "want-lot",
            Self::Serial => "want-serial",
            Self::Quantity => "want-quantity",
        }
    }

    /// What a transition waits for; commands are on the person's sheet and need no word.
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

/// A text, by its name in `texts.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Something was begun, and what comes next.
    Next,
    /// A product and its running quantity.
    Item,
    /// The same, and nobody here knows the product yet.
    ItemUnknown,
    /// A product, its running quantity, and its lot.
    Lot,
    /// The same, and Odoo does not have the lot.
    NewLot,
    /// The same, and nobody here knows the product yet.
    LotUnknown,
    /// A product and its serial number.
    Serial,
    /// The same, and Odoo does not have the serial number.
    NewSerial,
    /// It looks like something else than a lot: scanned again, it is a new one.
    LotAgain,
    SerialAgain,
    /// The name of a new lot does not match the pattern.
    LotForm,
    SerialForm,
    /// A batch or lot where the serial number is awaited.
    BatchGiven,
    SerialGiven,
    LotNext,
    SerialNext,
    Made,
    Validated,
    Undone,
    TakenBack,
    Cancelled,
    QuantityNext,
    Operator,
    Flow,
    /// What a pause ended.
    Dropped,
    /// There is no copy of Odoo's data yet.
    Kept,
    Wrong,
    Unknown,
    Unclear,
    /// It says that it is GS1's, or a quantity, and is not valid.
    Damaged,
    /// What its label measures is no quantity in the product's unit.
    Measure,
    /// The same, and nobody here knows the product's unit.
    MeasureUnknown,
    Unfinished,
    LotFirst,
    QuantityFirst,
    SerialFirst,
    SerialQuantity,
    SerialSeen,
    ValidatedBefore,
    NothingToUndo,
    NothingBegun,
    UnknownFlow,
    NotHere,
    TooMuch,
    /// Dates of a label that are not used.
    NoteDates,
    /// (37) beside (01) is taken as the quantity.
    NoteCount,
}

impl Key {
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
        Self::Made,
        Self::Validated,
        Self::Undone,
        Self::TakenBack,
        Self::Cancelled,
        Self::QuantityNext,
        Self::Operator,
        Self::Flow,
        Self::Dropped,
        Self::Kept,
        Self::Wrong,
        Self::Unknown,
        Self::Unclear,
        Self::Damaged,
        Self::Measure,
        Self::MeasureUnknown,
        Self::Unfinished,
        Self::LotFirst,
        Self::QuantityFirst,
        Self::SerialFirst,
        Self::SerialQuantity,
        Self::SerialSeen,
        Self::ValidatedBefore,
        Self::NothingToUndo,
        Self::NothingBegun,
        Self::UnknownFlow,
        Self::NotHere,
        Self::TooMuch,
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
            Self::Made => "made",
            Self::Validated => "validated",
            Self::Undone => "undone",
            Self::TakenBack => "taken-back",
            Self::Cancelled => "cancelled",
            Self::QuantityNext => "quantity-next",
            Self::Operator => "operator",
            Self::Flow => "flow",
            Self::Dropped => "dropped",
            Self::Kept => "kept",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Unclear => "unclear",
            Self::Damaged => "damaged",
            Self::Measure => "measure",
            Self::MeasureUnknown => "measure-unknown",
            Self::Unfinished => "unfinished",
            Self::LotFirst => "lot-first",
            Self::QuantityFirst => "quantity-first",
            Self::SerialFirst => "serial-first",
            Self::SerialQuantity => "serial-quantity",
            Self::SerialSeen => "serial-seen",
            Self::ValidatedBefore => "validated-before",
            Self::NothingToUndo => "nothing-to-undo",
            Self::NothingBegun => "nothing-begun",
            Self::UnknownFlow => "unknown-flow",
            Self::NotHere => "not-here",
            Self::TooMuch => "too-much",
            Self::NoteDates => "note-dates",
            Self::NoteCount => "note-count",
        }
    }
}

/// A word for the person: whether it was right, and what to say in their language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    pub ok: bool,
    pub key: Key,
    pub arguments: Vec<(&'static str, String)>,
    /// What may come next.
    pub wanted: Vec<Want>,
    /// What a pause ended before this.
    pub dropped: Option<String>,
    /// What a text looks like.
    pub look: Option<Look>,
    /// The package that goods go into.
    pub package: Option<String>,
    /// What is told once about the label.
    pub notes: Vec<Note>,
}

/// One line about a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub key: Key,
    pub arguments: Vec<(&'static str, String)>,
}

impl Say {
    #[must_use]
    pub fn good(key: Key) -> Self {
        Self {
            ok: true,
            key,
            arguments: Vec::new(),
            wanted: Vec::new(),
            dropped: None,
            look: None,
            package: None,
            notes: Vec::new(),
        }
    }

    #[must_use]
    pub fn bad(key: Key) -> Self {
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
    pub fn wanting(mut self, wanted: impl IntoIterator<Item = Want>) -> Self {
        for want in wanted {
            if !self.wanted.contains(&want) {
                self.wanted.push(want);
            }
        }
        self
    }

    #[must_use]
    pub fn looking_like(self, look: Look) -> Self {
        Self {
            look: Some(look),
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
    pub fn noting(mut self, notes: Vec<Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// In the person's language, cut to what a small screen shows.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let wanted: Vec<&str> = self
            .wanted
            .iter()
            .map(|want| template(want.name(), language))
            .collect();
        let mut arguments = self.arguments.clone();
        arguments.push(("wanted", wanted.join(" / ")));
        let look = self.look.map_or("", |look| template(look.name(), language));
        arguments.push(("look", look.to_owned()));
        let mut text = String::new();
        if let Some(dropped) = &self.dropped {
            text = fill(
                template(Key::Dropped.name(), language),
                &[("what", dropped.clone())],
            ) + "\n";
        }
        text += &fill(template(self.key.name(), language), &arguments);
        if let Some(package) = &self.package {
            text = format!("{}\n→ {package}", text.trim_end());
        }
        let note = |note: &Note| fill(template(note.key.name(), language), &note.arguments);
        let notes: Vec<_> = self.notes.iter().map(note).collect();
        if notes.is_empty() {
            return cut(text.trim_end(), TEXT_CHARS_MAX);
        }
        // The notes have their place, however long the names are.
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
    // A test reads every text, so a file that cannot be read is never shipped.
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

    const WANTS: [Want; 7] = [
        Want::Location,
        Want::Product,
        Want::Order,
        Want::Package,
        Want::Lot,
        Want::Serial,
        Want::Quantity,
    ];

    const LOOKS: [Look; 11] = [
        Look::Product,
        Look::Location,
        Look::Order,
        Look::Package,
        Look::Command,
        Look::Operator,
        Look::Address,
        Look::Gs1,
        Look::Hibc,
        Look::Envelope,
        Look::Data,
    ];

    fn places(text: &str) -> BTreeSet<&str> {
        let behind = text.split('{').skip(1);
        behind.filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_text_is_there_in_every_language_with_the_same_places() {
        let keys = Key::ALL.iter().map(|key| key.name());
        let names = keys
            .chain(WANTS.map(Want::name))
            .chain(LOOKS.map(Look::name));
        let names: BTreeSet<&str> = names.collect();
        let written: BTreeSet<&str> = texts().keys().map(String::as_str).collect();
        assert_eq!(names, written);
        for (name, text) in texts() {
            let tags: Vec<&str> = text.keys().map(String::as_str).collect();
            assert_eq!(tags, ["ar", "de", "en", "es", "fr", "nl"], "{name}");
            for words in text.values() {
                assert_eq!(places(words), places(&text["en"]), "{name}: {words}");
            }
        }
    }

    #[test]
    fn a_word_names_what_is_wanted_and_what_a_pause_ended() {
        let mut say = Say::bad(Key::Wrong).with("code", "LOC-1").wanting([
            Want::Product,
            Want::Lot,
            Want::Product,
        ]);
        assert_eq!(
            say.text(Language::English),
            "Not now: LOC-1\nScan: product / lot"
        );
        assert_eq!(
            say.text(Language::German),
            "Jetzt nicht: LOC-1\nScannen: Produkt / Charge"
        );
        say.dropped = Some("3 × Chair".to_owned());
        assert!(
            say.text(Language::English)
                .starts_with("Dropped after a pause: 3 × Chair\nNot now")
        );
    }
}
