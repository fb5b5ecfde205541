//! The table of event types: which fields each type needs and takes.
//!
//! Decoding, flows, storage, corrections, lists and forms all use it. A new type that moves goods
//! is a variant of [`Movement`] and a row here.

use super::movement::Movement;
use Field::{
    BestBefore, CarrierRef, Code, Event, Expiry, From, Lot, Order, Owner, Package, Parcels,
    Product, Quantity, Reason, Symbology, To, WeightKg,
};
use Presence::{Optional, Required, RequiredWithout};

/// A field of an event. The order is the one in which forms show the fields of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Product,
    From,
    To,
    Lot,
    Package,
    Owner,
    Expiry,
    BestBefore,
    Quantity,
    Order,
    Reason,
    CarrierRef,
    WeightKg,
    Parcels,
    Event,
    Code,
    Symbology,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Symbology as usize + 1;

    /// The text fields that a line of a document has.
    pub const OF_LINE: [Self; 8] = [Product, From, To, Lot, Package, Owner, Expiry, BestBefore];

    /// The name in messages of devices, in the control API and in texts for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Product => "product",
            From => "from",
            To => "to",
            Lot => "lot",
            Package => "package",
            Owner => "owner",
            Expiry => "expiry",
            BestBefore => "best_before",
            Quantity => "quantity",
            Order => "order",
            Reason => "reason",
            CarrierRef => "carrier_ref",
            WeightKg => "weight_kg",
            Parcels => "parcels",
            Event => "event",
            Code => "code",
            Symbology => "symbology",
        }
    }
}

/// Whether an event of a type has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// An event without the field is rejected.
    Required,
    Optional,
    /// An event that has neither this field nor the other one is rejected.
    RequiredWithout(Field),
}

/// Which document the events of a type become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathering {
    /// None: nothing of it goes to Odoo.
    Nothing,
    /// Each event becomes a document of its own.
    Alone,
    /// Events of the same kind and the same person share a document.
    Together,
}

/// A type of events.
#[derive(Debug, PartialEq, Eq)]
pub struct EventType {
    /// The `type` of `docs/mqtt.md`.
    pub name: &'static str,
    /// The noun in texts for people: "started a *receipt*".
    pub noun: &'static str,
    /// The fields that it takes, in the order in which they are read. All others are ignored.
    pub fields: &'static [(Field, Presence)],
    /// Fields of a line that a device cannot send, and that a person can set in a correction.
    pub only_in_corrections: &'static [Field],
    pub gathering: Gathering,
}

impl EventType {
    pub const SCAN: &'static Self = &Self {
        name: "scan",
        noun: "scan",
        fields: &[(Code, Required), (Symbology, Optional)],
        only_in_corrections: &[],
        gathering: Gathering::Nothing,
    };

    const TRANSFER: &'static Self = &Self {
        name: "transfer",
        noun: "transfer",
        fields: &[
            (Product, Required),
            (From, Required),
            (To, Required),
            (Quantity, Optional),
            (Lot, Optional),
            (Package, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Together,
    };

    const PICK: &'static Self = &Self {
        name: "pick",
        noun: "pick",
        fields: &[
            (Order, Required),
            (Product, Required),
            (Quantity, Optional),
            (From, Optional),
            (Lot, Optional),
            (Package, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Together,
    };

    const RECEIVE: &'static Self = &Self {
        name: "receive",
        noun: "receipt",
        fields: &[
            (Order, Optional),
            (Product, Required),
            (Quantity, Optional),
            (To, Optional),
            (Lot, Optional),
            (Expiry, Optional),
            (BestBefore, Optional),
            (Package, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Together,
    };

    const COUNT: &'static Self = &Self {
        name: "count",
        noun: "count",
        fields: &[
            (Product, Required),
            (From, Required),
            (Quantity, Required),
            (Lot, Optional),
            (Package, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Alone,
    };

    const SCRAP: &'static Self = &Self {
        name: "scrap",
        noun: "scrap",
        fields: &[
            (Product, Required),
            (From, Required),
            (Quantity, Optional),
            (Lot, Optional),
            (Reason, Optional),
        ],
        only_in_corrections: &[Package, Owner],
        gathering: Gathering::Together,
    };

    const RETURN: &'static Self = &Self {
        name: "return",
        noun: "return",
        fields: &[
            (Order, Optional),
            (Product, Required),
            (To, Required),
            (Quantity, Optional),
            (Lot, Optional),
            (Reason, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Together,
    };

    const PACK: &'static Self = &Self {
        name: "pack",
        noun: "packing",
        fields: &[
            (Package, Required),
            (Product, RequiredWithout(Order)),
            (Order, Optional),
            (Quantity, Optional),
            (From, Optional),
            (Lot, Optional),
        ],
        only_in_corrections: &[Owner],
        gathering: Gathering::Together,
    };

    pub const SHIP: &'static Self = &Self {
        name: "ship",
        noun: "shipment",
        fields: &[
            (Order, Required),
            (CarrierRef, Optional),
            (WeightKg, Optional),
            (Parcels, Optional),
        ],
        only_in_corrections: &[],
        gathering: Gathering::Alone,
    };

    pub const VALIDATE: &'static Self = &Self {
        name: "validate",
        noun: "validation",
        fields: &[(Order, Required)],
        only_in_corrections: &[],
        gathering: Gathering::Alone,
    };

    pub const UNDO: &'static Self = &Self {
        name: "undo",
        noun: "undo",
        fields: &[(Event, Required), (Reason, Optional)],
        only_in_corrections: &[],
        gathering: Gathering::Alone,
    };

    /// The type of the events of a movement.
    fn of(movement: Movement) -> &'static Self {
        match movement {
            Movement::Transfer => Self::TRANSFER,
            Movement::Pick => Self::PICK,
            Movement::Receive => Self::RECEIVE,
            Movement::Count => Self::COUNT,
            Movement::Scrap => Self::SCRAP,
            Movement::Return => Self::RETURN,
            Movement::Pack => Self::PACK,
        }
    }

    /// All types, in the order of `docs/mqtt.md`.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let movements = Movement::ALL.map(Movement::event_type);
        let others = [Self::SHIP, Self::VALIDATE, Self::UNDO];
        std::iter::once(Self::SCAN).chain(movements).chain(others)
    }

    /// The type with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|own| own.name == name)
    }

    /// Whether an event of this type has the field. `None`: the field is ignored.
    #[must_use]
    pub fn presence(&self, field: Field) -> Option<Presence> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(own, _)| *own == field);
        found.map(|(_, presence)| *presence)
    }

    #[must_use]
    pub fn takes(&self, field: Field) -> bool {
        self.presence(field).is_some()
    }

    /// The fields that it needs.
    pub fn required(&self) -> impl Iterator<Item = Field> {
        let required =
            |(field, presence): &(Field, Presence)| (*presence == Required).then_some(*field);
        self.fields.iter().filter_map(required)
    }

    /// Whether a line of a document of this type needs the field: a line is about a product.
    #[must_use]
    pub fn needs_in_line(&self, field: Field) -> bool {
        let is_needed = matches!(self.presence(field), Some(Required | RequiredWithout(_)));
        is_needed && Field::OF_LINE.contains(&field)
    }

    /// Whether a line of a document of this type can have the text field.
    #[must_use]
    pub fn takes_in_line(&self, field: Field) -> bool {
        let is_taken = self.takes(field) || self.only_in_corrections.contains(&field);
        is_taken && Field::OF_LINE.contains(&field)
    }

    /// The text fields that a line of a document of this type can have: first those that it needs.
    #[must_use]
    pub fn fields_of_line(&self) -> Vec<Field> {
        let fields = Field::OF_LINE.into_iter();
        let mut fields: Vec<Field> = fields.filter(|field| self.takes_in_line(*field)).collect();
        fields.sort_by_key(|field| !self.needs_in_line(*field));
        fields
    }

    /// The fields that it needs, in words: `product, from and to`.
    #[must_use]
    pub fn needs(&self) -> String {
        let need = |(field, presence): &(Field, Presence)| match presence {
            Optional => None,
            Required => Some(field.name().to_owned()),
            RequiredWithout(other) => Some(format!("{} or {}", field.name(), other.name())),
        };
        let needs: Vec<String> = self.fields.iter().filter_map(need).collect();
        match needs.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            // A comma keeps "a and b or c" from being read as "(a and b) or c".
            [one, other] if other.contains(" or ") => format!("{one}, and {other}"),
            [many @ .., last] => format!("{} and {last}", many.join(", ")),
        }
    }
}

impl Movement {
    /// The row of the table of event types.
    #[must_use]
    pub fn event_type(self) -> &'static EventType {
        EventType::of(self)
    }

    /// The `type` of its events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.event_type().name
    }

    /// The movement whose events have this `type`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_docs_mqtt_is_this_one() {
        let page = include_str!("../../docs/mqtt.md");
        let quoted = |presence: fn(&Presence) -> bool, of: &EventType| {
            let fields = of.fields.iter().filter(|(_, own)| presence(own));
            let names = fields.map(|(field, _)| format!("`{}`", field.name()));
            names.collect::<Vec<_>>().join(", ")
        };
        for of in EventType::all().filter(|of| *of != EventType::SCAN) {
            let required = quoted(|own| *own == Required, of);
            let optional = quoted(|own| *own == Optional, of);
            let row = match of.name {
                // A field that stands for another one takes words.
                "pack" => "| `pack` | `package`, and `product` or `order` | `quantity`, `from`, `lot`, and the other of the two |".to_owned(),
                name => format!("| `{name}` | {required} | {optional} |").replace("|  |", "| |"),
            };
            assert!(page.contains(&row), "docs/mqtt.md has no row {row}");
        }
        let rows = page
            .lines()
            .skip_while(|line| !line.starts_with("| type |"));
        let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
        assert_eq!(rows.count(), EventType::all().count() - 1);
    }

    #[test]
    fn each_field_is_there_once_and_each_name_stands_for_one_type() {
        for of in EventType::all() {
            assert_eq!(EventType::named(of.name), Some(of));
            for (place, (field, _)) in of.fields.iter().enumerate() {
                let others = &of.fields[place + 1..];
                assert!(
                    others.iter().all(|(other, _)| other != field),
                    "{}",
                    of.name
                );
                assert!(!of.only_in_corrections.contains(field), "{}", of.name);
            }
        }
        assert_eq!(EventType::named("dance"), None);
    }

    #[test]
    fn lines_show_what_they_need_first() {
        let fields = |name: &str| {
            let of = EventType::named(name).unwrap();
            let names = of.fields_of_line().into_iter().map(|field| {
                let mark = if of.needs_in_line(field) { "!" } else { "" };
                format!("{}{mark}", field.name())
            });
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(fields("transfer"), "product! from! to! lot package owner");
        assert_eq!(fields("pick"), "product! from lot package owner");
        assert_eq!(
            fields("receive"),
            "product! to lot package owner expiry best_before"
        );
        assert_eq!(fields("count"), "product! from! lot package owner");
        assert_eq!(fields("scrap"), "product! from! lot package owner");
        assert_eq!(fields("return"), "product! to! lot owner");
        assert_eq!(fields("pack"), "product! package! from lot owner");
        for name in ["scan", "ship", "validate", "undo"] {
            assert_eq!(fields(name), "");
        }
    }

    #[test]
    fn needs_are_listed_in_words() {
        let needs = |name: &str| EventType::named(name).unwrap().needs();
        assert_eq!(needs("transfer"), "product, from and to");
        assert_eq!(needs("pick"), "order and product");
        assert_eq!(needs("pack"), "package, and product or order");
        assert_eq!(needs("undo"), "event");
    }
}
