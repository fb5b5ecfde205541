//! The kinds of codes, and the codes that find a row of the catalog.
//!
//! The numbers of the kinds are in the file of the catalog: a changed number needs a new `FORMAT`.

use crate::odoo::{Kind, Row};
use crate::odoo_id::ProductId;

#[derive(Clone, Copy)]
pub(super) enum CodeOf {
    ProductBarcode = 1,
    ProductReference = 2,
    Packaging = 3,
    Location = 4,
    OrderName = 5,
    OrderOrigin = 6,
    /// The name of the order whose backorder this order is.
    OrderBefore = 7,
    /// Product and name.
    Lot = 8,
    Package = 9,
    /// Quants by the id of their lot.
    QuantOfLot = 10,
}

pub(super) fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Unit => 1,
        Kind::Product => 2,
        Kind::Packaging => 3,
        Kind::Location => 4,
        Kind::Quant => 5,
        Kind::Lot => 6,
        Kind::Package => 7,
        Kind::Partner => 8,
    }
}

pub(super) fn since_key(kind: Kind) -> String {
    format!("since/{}", number(kind))
}

/// The codes that find a row.
pub(super) fn codes(kind: Kind, row: &Row) -> Vec<(CodeOf, String)> {
    let text = |of, code: &Option<String>| Some((of, code.clone()?));
    let codes = match kind {
        Kind::Unit | Kind::Partner => [None, None],
        Kind::Product => [
            text(CodeOf::ProductBarcode, &row.barcode),
            text(CodeOf::ProductReference, &row.default_code),
        ],
        Kind::Packaging => [text(CodeOf::Packaging, &row.barcode), None],
        Kind::Location => [text(CodeOf::Location, &row.barcode), None],
        Kind::Package => [text(CodeOf::Package, &row.name), None],
        Kind::Lot => [
            row.product_id
                .zip(row.name.as_deref())
                .map(|(product, name)| (CodeOf::Lot, lot_code(product, name))),
            None,
        ],
        Kind::Quant => [
            row.lot_id.map(|lot| (CodeOf::QuantOfLot, lot.to_string())),
            None,
        ],
    };
    codes.into_iter().flatten().collect()
}

/// The code of a lot: a name is unique within a product.
pub(crate) fn lot_code(product: ProductId, name: &str) -> String {
    format!("{product}/{name}")
}
