//! Looks codes up in the copy of Odoo's data, with a cache: operators scan the same barcodes again
//! and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::sync::watch;

use super::judge::{Facts, codes};
use super::memory::Way;
use crate::catalog::{Catalog, CatalogError, Found, OrderFound, Product};
use crate::clock;
use crate::event::{Action, Event};
use crate::odoo::Kind;
use crate::odoo_id::LocationId;

/// The limit of cached answers of each kind; at the limit all are removed.
const ANSWERS_MAX: usize = 20_000;
/// The longest code whose answer is cached, in bytes: barcodes are shorter, and arbitrary codes
/// must not fill the cache.
const CODE_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub struct Lookup {
    copies: watch::Receiver<Option<Catalog>>,
    fresh_for: Duration,
    copy: Option<(Catalog, watch::Receiver<u64>)>,
    answers: Answers,
    /// The copy could not be read, and the log has the error.
    is_broken: bool,
}

#[derive(Debug, Default)]
struct Answers {
    products: HashMap<String, Arc<Found<Product>>>,
    locations: HashMap<String, Arc<Found<LocationId>>>,
    orders: HashMap<String, Arc<OrderFound>>,
    all_orders: Option<bool>,
}

impl Lookup {
    pub fn new(mut copies: watch::Receiver<Option<Catalog>>, fresh_for: Duration) -> Self {
        copies.mark_changed();
        Self {
            copies,
            fresh_for,
            copy: None,
            answers: Answers::default(),
            is_broken: false,
        }
    }

    pub fn set_fresh_for(&mut self, fresh_for: Duration) {
        self.fresh_for = fresh_for;
    }

    /// Looks up the codes of an event. If the copy cannot be read, all codes are unknown.
    pub fn facts(&mut self, event: &Event) -> Facts {
        self.update();
        let Some((copy, _)) = &self.copy else {
            return facts_without_copy(event);
        };
        let fresh = copy
            .refreshed()
            .is_some_and(|at| clock::instant().saturating_duration_since(at) <= self.fresh_for);
        match look_up(copy, &mut self.answers, event) {
            Ok(facts) => {
                self.is_broken = false;
                Facts {
                    fresh,
                    all_orders: fresh && facts.all_orders,
                    ..facts
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_broken, true) {
                    tracing::error!(%error, "cannot read the copy of Odoo's data: events are not checked against it");
                }
                facts_without_copy(event)
            }
        }
    }

    /// Returns the current copy. `None`: there is none yet.
    pub fn copy(&mut self) -> Option<Catalog> {
        self.update();
        self.copy.as_ref().map(|(copy, _)| copy.clone())
    }

    /// Empties the cache when the copy has changed.
    fn update(&mut self) {
        if self.copies.has_changed().unwrap_or(false) {
            let copy = self.copies.borrow_and_update().clone();
            self.copy = copy.map(|copy| {
                let news = copy.news();
                (copy, news)
            });
            self.answers = Answers::default();
        }
        if let Some((_, news)) = &mut self.copy
            && news.has_changed().unwrap_or(false)
        {
            news.mark_unchanged();
            self.answers = Answers::default();
        }
    }
}

/// Returns the facts without a copy: no code is known, and none is wrong.
fn facts_without_copy(event: &Event) -> Facts {
    let codes = codes(&event.action);
    Facts {
        product: codes.product.map(|_| Arc::new(Found::Nothing)),
        from: codes.from.map(|_| Arc::new(Found::Nothing)),
        to: codes.to.map(|_| Arc::new(Found::Nothing)),
        order: codes.order.map(|_| Arc::new(OrderFound::Nothing)),
        ..Facts::default()
    }
}

fn look_up(copy: &Catalog, answers: &mut Answers, event: &Event) -> Result<Facts, CatalogError> {
    let codes = codes(&event.action);
    let Answers {
        products,
        locations,
        orders,
        all_orders,
    } = answers;
    let product = codes
        .product
        .map(|code| look_up_cached(products, code, || copy.product(code)))
        .transpose()?;
    let mut location = |code: Option<&str>| {
        code.map(|code| look_up_cached(locations, code, || copy.location(code)))
            .transpose()
    };
    let (from, to) = (location(codes.from)?, location(codes.to)?);
    let order = codes
        .order
        .map(|code| look_up_cached(orders, code, || copy.order(code)))
        .transpose()?;
    if all_orders.is_none() && codes.order.is_some() {
        *all_orders = Some(copy.knows_all_orders()?);
    }
    let mut on_hand = false;
    if let (Some(Found::One(product)), Some(lot), Way::In) =
        (product.as_deref(), codes.lot, codes.way)
        && product.serial
        && let Found::One(lot) = copy.lot(product.id, lot)?
    {
        on_hand = copy.on_hand(lot.id)? > Decimal::ZERO;
    }
    let mut lots_off = false;
    if let (Some(Found::One(product)), Some(lot), Way::In) =
        (product.as_deref(), codes.lot, codes.way)
    {
        lots_off = product.tracked
            && copy.lots_off()?
            && matches!(copy.lot(product.id, lot)?, Found::Nothing);
    }
    let what = match &event.action {
        Action::Scan { code, .. } => find_name(copy, code)?,
        _ => None,
    };
    Ok(Facts {
        product,
        from,
        to,
        order,
        on_hand,
        lots_off,
        what,
        fresh: false,
        all_orders: all_orders.unwrap_or(false),
        over_allowed: false,
    })
}

fn look_up_cached<T>(
    answers: &mut HashMap<String, Arc<T>>,
    code: &str,
    ask: impl FnOnce() -> Result<T, CatalogError>,
) -> Result<Arc<T>, CatalogError> {
    if let Some(answer) = answers.get(code) {
        return Ok(Arc::clone(answer));
    }
    let answer = Arc::new(ask()?);
    if code.len() > CODE_BYTES_MAX {
        return Ok(answer);
    }
    if answers.len() >= ANSWERS_MAX {
        answers.clear();
    }
    answers.insert(code.to_owned(), Arc::clone(&answer));
    Ok(answer)
}

/// Finds the name of the product, bin, package or order with a barcode.
fn find_name(copy: &Catalog, code: &str) -> Result<Option<String>, CatalogError> {
    match copy.product(code)? {
        Found::One(product) => return Ok(Some(product.name)),
        Found::Several(names) => return Ok(names.into_iter().next()),
        Found::Nothing => {}
    }
    if let Found::One(id) = copy.location(code)? {
        return Ok(copy.called(Kind::Location, id.get())?.map(|bin| bin.name));
    }
    if copy.package(code)? != Found::Nothing {
        return Ok(Some(code.to_owned()));
    }
    Ok(match copy.order(code)? {
        OrderFound::Open(orders) => orders.into_iter().next().map(|order| order.name),
        OrderFound::Over { name, .. } => Some(name),
        OrderFound::Nothing => None,
    })
}
