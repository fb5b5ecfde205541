//! Command barcodes: Odoo's own, and ours with `SR-` before them.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use crate::event::Movement;

/// A command barcode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandCode {
    /// Completes the movement.
    Validate,
    /// Discards the unfinished movement. In Odoo's screen it cancels the whole transfer; a flow
    /// does not change the order.
    Cancel,
    /// Discards the unfinished movement.
    Discard,
    /// Returns to the flow that the device starts in.
    MainMenu,
    /// Puts the last picked goods into one package.
    PutInPack,
    Scrap,
    Return,
    PrintOperation,
    PrintSlip,
    RecordComponents,
    /// Pages of Odoo's own screen, which have no effect here.
    Page,
    /// The last read is taken back.
    Undo,
    /// So many of the last product; without a number the next code is it.
    Quantity(Option<Decimal>),
    /// A new package begins.
    NewPack,
    /// Another flow begins.
    Flow(FlowName),
    /// Who works with this device from now on.
    Operator(String),
}

/// Which flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowName {
    BuiltIn(Movement),
    /// By the name that the profile gave it, in lower case.
    Custom(String),
}

/// The longest badge or name of a flow, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// A quantity is at most so many digits long.
const QUANTITY_BYTES_MAX: usize = 12;

/// The texts, and what they ask for. The first of each is how it is printed: Odoo 17 and later,
/// then what older versions have.
const TEXTS: [(&str, CommandCode); 28] = [
    ("OBTVALI", CommandCode::Validate),
    ("O-BTN.validate", CommandCode::Validate),
    ("OCDCANC", CommandCode::Cancel),
    ("OBTCANC", CommandCode::Cancel),
    ("O-BTN.cancel", CommandCode::Cancel),
    ("O-CMD.cancel", CommandCode::Cancel),
    ("OCDDISC", CommandCode::Discard),
    ("O-CMD.DISCARD", CommandCode::Discard),
    ("SR-CANCEL", CommandCode::Discard),
    ("OCDMENU", CommandCode::MainMenu),
    ("O-CMD.MAIN-MENU", CommandCode::MainMenu),
    ("OBTPACK", CommandCode::PutInPack),
    ("O-BTN.pack", CommandCode::PutInPack),
    ("O-BTN.put-in-pack", CommandCode::PutInPack),
    ("OBTSCRA", CommandCode::Scrap),
    ("O-BTN.scrap", CommandCode::Scrap),
    ("OBTRETU", CommandCode::Return),
    ("OBTPROP", CommandCode::PrintOperation),
    ("O-BTN.print-op", CommandCode::PrintOperation),
    ("OBTPRSL", CommandCode::PrintSlip),
    ("O-BTN.print-slip", CommandCode::PrintSlip),
    ("OBTRECO", CommandCode::RecordComponents),
    ("O-CMD.PREV", CommandCode::Page),
    ("O-CMD.NEXT", CommandCode::Page),
    ("O-CMD.PAGER-FIRST", CommandCode::Page),
    ("O-CMD.PAGER-LAST", CommandCode::Page),
    ("SR-UNDO", CommandCode::Undo),
    ("SR-NEWPACK", CommandCode::NewPack),
];

impl CommandCode {
    /// Reads a command. `None`: the text is not a command. Case does not matter, because of
    /// scanners with Caps Lock.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let same = |&&(own, _): &&(&str, Self)| own.eq_ignore_ascii_case(text);
        if let Some((_, command)) = TEXTS.iter().find(same) {
            return Some(command.clone());
        }
        let own = text
            .get(..3)
            .filter(|prefix| prefix.eq_ignore_ascii_case("SR-"))?;
        let (word, rest) = text[own.len()..]
            .split_once('-')
            .unwrap_or((&text[own.len()..], ""));
        match word.to_ascii_uppercase().as_str() {
            "QTY" if rest.is_empty() => (text.len() == 6).then_some(Self::Quantity(None)),
            "QTY" => quantity(rest).map(|quantity| Self::Quantity(Some(quantity))),
            "FLOW" if fits(rest) => Some(Self::Flow(FlowName::of(rest))),
            "OP" if fits(rest) => Some(Self::Operator(rest.to_owned())),
            _ => None,
        }
    }
}

fn fits(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(|c| !c.is_control())
}

/// Reads a quantity: digits with at most one point, more than zero.
fn quantity(text: &str) -> Option<Decimal> {
    let plain = text.len() <= QUANTITY_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let quantity = plain.then(|| text.parse::<Decimal>().ok())??;
    (quantity > Decimal::ZERO).then(|| quantity.normalize())
}

impl FlowName {
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        Movement::named(&name).map_or(Self::Custom(name), Self::BuiltIn)
    }
}

impl fmt::Display for CommandCode {
    /// The text of its barcode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantity(None) => f.write_str("SR-QTY"),
            Self::Quantity(Some(quantity)) => write!(f, "SR-QTY-{quantity}"),
            Self::Flow(FlowName::BuiltIn(movement)) => {
                write!(f, "SR-FLOW-{}", movement.as_str().to_ascii_uppercase())
            }
            Self::Flow(FlowName::Custom(name)) => {
                write!(f, "SR-FLOW-{}", name.to_ascii_uppercase())
            }
            Self::Operator(badge) => write!(f, "SR-OP-{badge}"),
            fixed => {
                let own = TEXTS.iter().find(|(_, command)| command == fixed);
                f.write_str(own.map_or("", |(text, _)| text))
            }
        }
    }
}

impl Serialize for CommandCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
