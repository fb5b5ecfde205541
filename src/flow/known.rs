//! The copy of Odoo's data, asked for what a code is.

use crate::decode::meaning::{Known, KnownProduct};
use crate::forward::copy::{Copy, Found, OrderFound};

use super::state::Tracking;

/// Looks into the copy. What cannot be read is not known: nothing is guessed of it.
#[derive(Debug)]
pub struct InCopy<'a>(pub &'a Copy);

impl InCopy<'_> {
    pub fn tracking(&self, code: &str) -> Tracking {
        match self.0.product(code) {
            Ok(Found::One(product)) if product.serial => Tracking::Serial,
            Ok(Found::One(product)) if product.tracked => Tracking::Lot,
            Ok(Found::One(_)) => Tracking::No,
            _ => Tracking::Unknown,
        }
    }
}
