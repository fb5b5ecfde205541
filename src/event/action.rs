//! What an event says was done, and the goods that it moves or counts.

use rust_decimal::Decimal;

use super::fields::{EventType, Field};
use super::movement::Movement;

/// A quantity of one product, with where it lies and where it goes. Products, bins, packages and
/// owners are codes as they were scanned; `forward` resolves them to Odoo's ids.
///
/// `None` in a field: the event does not name it. `EventType::fields` says which type takes which.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Goods {
    /// A barcode of the product, or its internal reference.
    pub product: String,
    /// In the unit that the code of the product stands for.
    pub quantity: Decimal,
    /// The bin that the goods leave, or in which they are counted.
    pub from: Option<String>,
    /// The bin that the goods come to.
    pub to: Option<String>,
    /// A lot or serial number.
    pub lot: Option<String>,
    /// Goods that are moved, picked or counted lie in this package; goods that are received or
    /// packed are put into it.
    pub package: Option<String>,
    /// The owner of the goods, where several parties keep stock in one bin: the name or reference
    /// of a partner.
    pub owner: Option<String>,
    /// The expiry date of a new lot, such as `2026-12-31`.
    pub expiry: Option<String>,
    /// The best before date of a new lot, in the same form.
    pub best_before: Option<String>,
}

impl Goods {
    /// The value of a text field. `None`: the goods do not name it, or it is no field of goods.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        match field {
            Field::Product => Some(&self.product),
            Field::From => self.from.as_deref(),
            Field::To => self.to.as_deref(),
            Field::Lot => self.lot.as_deref(),
            Field::Package => self.package.as_deref(),
            Field::Owner => self.owner.as_deref(),
            Field::Expiry => self.expiry.as_deref(),
            Field::BestBefore => self.best_before.as_deref(),
            _ => None,
        }
    }

    /// Sets a text field. A field that goods do not have changes nothing.
    pub fn set_text(&mut self, field: Field, value: Option<String>) {
        let place = match field {
            // Every type needs it, so nobody takes it away.
            Field::Product => return self.product = value.unwrap_or_default(),
            Field::From => &mut self.from,
            Field::To => &mut self.to,
            Field::Lot => &mut self.lot,
            Field::Package => &mut self.package,
            Field::Owner => &mut self.owner,
            Field::Expiry => &mut self.expiry,
            Field::BestBefore => &mut self.best_before,
            _ => return,
        };
        *place = value;
    }

    /// The same goods in another quantity.
    #[must_use]
    pub fn with_quantity(&self, quantity: Decimal) -> Self {
        Self {
            quantity,
            ..self.clone()
        }
    }

    /// The same goods with the quantity 0: goods that are equal in this form are added up.
    #[must_use]
    pub fn without_quantity(&self) -> Self {
        self.with_quantity(Decimal::ZERO)
    }
}

/// Goods that are moved or counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub movement: Movement,
    pub goods: Goods,
    /// The order that the goods belong to.
    pub order: Option<String>,
    /// Why the goods are scrapped or come back.
    pub reason: Option<String>,
}

impl Move {
    /// A movement for no order and without a reason.
    #[must_use]
    pub fn new(movement: Movement, goods: Goods) -> Self {
        Self {
            movement,
            goods,
            order: None,
            reason: None,
        }
    }

    /// The value of a text field. `None`: the movement does not name it.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        match field {
            Field::Order => self.order.as_deref(),
            Field::Reason => self.reason.as_deref(),
            field => self.goods.text(field),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A raw barcode. It needs no document of its own.
    Scan {
        code: String,
        symbology: Option<String>,
    },
    /// Goods were moved or counted.
    Move(Move),
    /// All goods that were picked for an order were put into a package: a `pack` that names no
    /// product.
    PackOrder {
        order: String,
        package: String,
        /// Fields that mean something only with a product. They are stored and shown as they came.
        quantity: Decimal,
        from: Option<String>,
        lot: Option<String>,
    },
    Ship {
        order: String,
        carrier_ref: Option<String>,
        weight_kg: Option<Decimal>,
        parcels: Option<u32>,
    },
    Validate {
        order: String,
    },
    /// Takes back another event of the same device.
    Undo {
        /// The device's id of that event.
        event: String,
        reason: Option<String>,
    },
}

impl Action {
    /// The row of the table of event types.
    #[must_use]
    pub fn event_type(&self) -> &'static EventType {
        match self {
            Self::Scan { .. } => EventType::SCAN,
            Self::Move(moved) => moved.movement.event_type(),
            Self::PackOrder { .. } => Movement::Pack.event_type(),
            Self::Ship { .. } => EventType::SHIP,
            Self::Validate { .. } => EventType::VALIDATE,
            Self::Undo { .. } => EventType::UNDO,
        }
    }

    /// The `type` of `docs/mqtt.md`, as devices write it and lists show it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.event_type().name
    }

    /// The goods that it moves or counts. `None`: it is not about goods of one product.
    #[must_use]
    pub fn goods(&self) -> Option<&Goods> {
        match self {
            Self::Move(moved) => Some(&moved.goods),
            _ => None,
        }
    }

    /// How much of a product it moves or counts. `None`: it is not about goods of one product.
    #[must_use]
    pub fn quantity(&self) -> Option<Decimal> {
        self.goods().map(|goods| goods.quantity)
    }

    /// Whether it moves or counts goods in this way.
    #[must_use]
    pub fn is(&self, movement: Movement) -> bool {
        matches!(self, Self::Move(moved) if moved.movement == movement)
    }

    /// The value of a text field. `None`: the event does not name it.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        match (self, field) {
            (Self::Move(moved), field) => moved.text(field),
            (Self::Scan { code, .. }, Field::Code) => Some(code),
            (Self::Scan { symbology, .. }, Field::Symbology) => symbology.as_deref(),
            (
                Self::PackOrder { order, .. } | Self::Ship { order, .. } | Self::Validate { order },
                Field::Order,
            ) => Some(order),
            (Self::PackOrder { package, .. }, Field::Package) => Some(package),
            (Self::PackOrder { from, .. }, Field::From) => from.as_deref(),
            (Self::PackOrder { lot, .. }, Field::Lot) => lot.as_deref(),
            (Self::Ship { carrier_ref, .. }, Field::CarrierRef) => carrier_ref.as_deref(),
            (Self::Undo { event, .. }, Field::Event) => Some(event),
            (Self::Undo { reason, .. }, Field::Reason) => reason.as_deref(),
            _ => None,
        }
    }

    /// The value of a field that is a number. `None`: the event does not name it.
    #[must_use]
    pub fn number(&self, field: Field) -> Option<Decimal> {
        match (self, field) {
            (Self::Move(moved), Field::Quantity) => Some(moved.goods.quantity),
            (Self::PackOrder { quantity, .. }, Field::Quantity) => Some(*quantity),
            (Self::Ship { weight_kg, .. }, Field::WeightKg) => *weight_kg,
            (Self::Ship { parcels, .. }, Field::Parcels) => parcels.map(Decimal::from),
            _ => None,
        }
    }
}
