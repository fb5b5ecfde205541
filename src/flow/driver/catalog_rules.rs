//! What the flows read from a whole catalog: the nomenclature, and the shapes of names.

use std::sync::OnceLock;

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::catalog::known::{InCatalog, nomenclature};
use crate::decode::meaning::{Label, Meaning};
use crate::decode::nomenclature::Nomenclature;
use crate::flow::resemblance::Shapes;

/// What the flows read from a whole catalog, until the catalog changes.
pub(super) struct CatalogRules {
    news: watch::Receiver<u64>,
    pub nomenclature: Option<Nomenclature>,
    /// Read at the first use.
    pub shapes: OnceLock<Shapes>,
}

/// Returns the rules of the catalog, read again if it has changed.
pub(super) fn refresh_rules<'a>(
    rules: &'a mut Option<CatalogRules>,
    copy: &Catalog,
) -> &'a CatalogRules {
    let is_current = |rules: &CatalogRules| !rules.news.has_changed().unwrap_or(true);
    let current = rules.take().filter(is_current);
    rules.insert(current.unwrap_or_else(|| CatalogRules {
        news: copy.news(),
        nomenclature: nomenclature(copy),
        shapes: OnceLock::new(),
    }))
}

/// Marks the dates of a label as not used if the product's lots have no dates in Odoo.
pub(super) fn mark_unused_dates(label: &mut Label, meaning: &Meaning, known: &InCatalog<'_>) {
    let (product, expiry) = match meaning {
        Meaning::Product(item) => (Some(item.code.as_str()), item.expiry),
        Meaning::Package {
            content: Some(item),
            ..
        } => (Some(item.code.as_str()), item.expiry),
        Meaning::Lot { expiry, .. } => (known.last, *expiry),
        _ => return,
    };
    if product.is_some_and(|product| !known.has_dates(product)) {
        label.add_unused("15", label.best_before);
        label.add_unused("17", expiry);
    }
}
