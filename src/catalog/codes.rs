//! The kinds of codes, and the codes that find a row of the catalog.
//!
//! The numbers of the kinds are in the file of the catalog: a changed number needs a new `FORMAT`.

use std::collections::BTreeSet;

use crate::journal::terms::fold;
use crate::odoo::{Kind, Row};
use crate::odoo_id::ProductId;

/// Limits of the words of one name.
const WORDS_MAX: usize = 16;
const WORD_BYTES_MAX: usize = 64;

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
    /// A folded word of the name of a product.
    ProductWord = 11,
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
    let words = (kind == Kind::Product).then(|| product_words(row));
    let words = words.into_iter().flatten();
    let words = words.map(|word| (CodeOf::ProductWord, word));
    codes.into_iter().flatten().chain(words).collect()
}

/// The words of a product's name.
pub(super) fn product_words(row: &Row) -> BTreeSet<String> {
    let name = row.display_name.as_deref().or(row.name.as_deref());
    words(name.unwrap_or_default())
}

/// The words of a text, folded, each once.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(|word| {
        let mut word = fold(word);
        word.truncate(word.floor_char_boundary(WORD_BYTES_MAX));
        word
    });
    words.take(WORDS_MAX).collect()
}

/// The code of a lot: a name is unique within a product.
pub(crate) fn lot_code(product: ProductId, name: &str) -> String {
    format!("{product}/{name}")
}
