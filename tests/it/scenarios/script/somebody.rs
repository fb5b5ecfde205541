//! What somebody changes in Odoo while a scenario runs.

use super::Twin;
use serde::Deserialize;

/// Orders are named as in events, without the braces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Somebody {
    Validate(String),
    /// Reserves the stock that exists by now.
    Reserve(String),
    Cancel(String),
    /// Takes the picked lines off the order.
    UnlinkLines(String),
    /// Takes the mark that they are picked off the order's lines.
    Unpick(String),
    /// Asks for another quantity of a product.
    Demand {
        order: String,
        product: String,
        quantity: f64,
    },
    /// Picks a product from where it is reserved, all of it or so much, with no external id.
    Pick {
        order: String,
        product: String,
        quantity: Option<f64>,
    },
    /// Writes another quantity into the open lines of a product that are picked.
    ChangeLines {
        product: String,
        quantity: f64,
    },
    /// Validates the picking that has the open, picked lines of a product.
    ValidateLines(String),
    CancelLines(String),
    /// Gives the order's picking an origin, and so many other open pickings the same;
    /// `{so1.shared}` is it.
    ShareOrigin {
        order: String,
        pickings: usize,
    },
    /// Makes two lines of the open, picked one of a product.
    SplitLines(String),
    /// Takes the barcode and the reference of a product away.
    Forget(String),
    /// Gives them back.
    Recall(String),
    /// Takes barcode and reference of one product away and gives them to another one.
    MoveBarcode {
        from: String,
        to: String,
    },
    /// Archives a product.
    Archive(String),
    /// Gives a bin the barcode of another one, which has none then. For bins of the scenario's own:
    /// see `steps`.
    MoveBin {
        from: String,
        to: String,
    },
    /// Renames a lot, and makes a new one of its old name.
    RenameLot {
        product: String,
        lot: String,
        to: String,
    },
    /// Changes how many a packaging holds.
    Repack {
        product: String,
        packaging: String,
        count: u32,
    },
    /// Calls the second one of `twins` otherwise.
    RenameTwin(Twin),
    /// Keeps a product and a bin with the same barcodes in another company, which the gateway may
    /// see.
    OtherCompany {
        product: String,
        bin: String,
    },
    CreateLot {
        product: String,
        lot: String,
    },
    CreatePackage(String),
    /// Moves goods from bin to bin, or from `Vendors`; `at` is when, as Odoo writes it.
    Move {
        product: String,
        from: String,
        to: String,
        quantity: f64,
        at: Option<String>,
    },
    /// Closes the books up to a day; opens them with `""`.
    LockDate(String),
    /// A record rule keeps the gateway from the pickings that have open or done lines of a product.
    Forbid {
        product: String,
        /// `read`, or `write`.
        operation: Operation,
    },
    /// Removes all rules for a product.
    Permit(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Read,
    Write,
}
