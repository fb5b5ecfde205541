//! `GET /v1/orders`: Odoo's open orders as the gateway has them, and the gateway's own work on
//! each.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use rust_decimal::Decimal;

use super::problem::Problem;
use super::query::{Parameters, Query};
use super::{Answer, Gateway, SEARCH_TIME, reading};
use crate::catalog::{Catalog, CatalogError, Planned, PlannedLine};
use crate::clock;
use crate::journal::{Entry, JournalError};
use crate::odoo::Kind;
use crate::view::records::{OrderLineView, OrderPage, OrderView, WorkView, number};

/// The newest documents among which the work on orders is searched, and how many are read at once.
const DOCUMENTS_SEARCHED: u64 = 1_000;
const DOCUMENTS_AT_ONCE: u64 = 50;
/// The limit of documents that one order shows.
const WORK_MAX: usize = 20;

/// `after` counts orders: those that the request leaves out.
pub async fn orders(
    State(gateway): State<Gateway>,
    Parameters(pairs): Parameters,
) -> Answer<OrderPage> {
    let query = Query::parse(pairs, &[], &[])?;
    let copy = gateway.copies.as_ref().and_then(|it| it.borrow().clone());
    let Some(copy) = copy else {
        return Ok(Json(OrderPage::default()));
    };
    let page = reading(&gateway, move |g| {
        let after = usize::try_from(query.after).unwrap_or(usize::MAX);
        let failed = |error: CatalogError| Problem::internal(error.to_string());
        let open = copy.open_orders().map_err(failed)?;
        let shown = open.iter().skip(after).take(query.limit);
        let mut orders = shown
            .map(|order| view(&copy, order))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let mut work = find_work(g)?;
        for order in &mut orders {
            order.work = work.remove(&order.name).unwrap_or_default();
        }
        let (next, total) = (after.saturating_add(orders.len()) as u64, open.len() as u64);
        Ok(OrderPage {
            more: next < total && !orders.is_empty(),
            orders,
            next,
            total,
        })
    });
    page.await.map(Json)
}

fn view(copy: &Catalog, order: &Planned) -> Result<OrderView, CatalogError> {
    let lines = order.lines.iter().map(|line| line_view(copy, line));
    Ok(OrderView {
        name: order.name.clone(),
        kind: order.kind.as_str().to_owned(),
        state: order.state.as_str().to_owned(),
        partner: order.partner.clone(),
        scheduled: order.scheduled.clone(),
        lines: lines.collect::<Result<_, _>>()?,
        cut: order.cut,
        work: Vec::new(),
    })
}

fn line_view(copy: &Catalog, line: &PlannedLine) -> Result<OrderLineView, CatalogError> {
    let product = copy.called(Kind::Product, line.product.get())?;
    let place = |id: Option<crate::odoo_id::LocationId>| {
        let called = id
            .map(|id| copy.called(Kind::Location, id.get()))
            .transpose()?;
        Ok::<_, CatalogError>(called.flatten().map(|it| it.code.unwrap_or(it.name)))
    };
    let (code, name) = product.map_or((None, String::new()), |it| (it.code, it.name));
    Ok(OrderLineView {
        product: code,
        name,
        demand: number(line.demand),
        picked: number(line.picked),
        from: place(line.from)?,
        to: place(line.to)?,
    })
}

/// The work on orders among the newest documents, by the order's name; the newest first.
fn find_work(gateway: &Gateway) -> Result<BTreeMap<String, Vec<WorkView>>, JournalError> {
    let begun = clock::instant();
    let newest = gateway.journal.newest_document()?;
    let mut work: BTreeMap<String, Vec<WorkView>> = BTreeMap::new();
    let mut back = 0;
    while back < DOCUMENTS_SEARCHED.min(newest.get()) && begun.elapsed() < SEARCH_TIME {
        back += DOCUMENTS_AT_ONCE;
        let after = newest.back_by(back);
        let at_once = usize::try_from(DOCUMENTS_AT_ONCE).unwrap_or(1);
        let mut part = gateway.journal.documents(None, after, at_once)?;
        part.retain(|entry| entry.document.number <= newest.back_by(back - DOCUMENTS_AT_ONCE));
        for entry in part.iter().rev() {
            let Some(order) = entry.document.purpose.order() else {
                continue;
            };
            let of_order = work.entry(order.to_owned()).or_default();
            if of_order.len() < WORK_MAX {
                of_order.push(work_view(entry));
            }
        }
    }
    Ok(work)
}

fn work_view(entry: &Entry) -> WorkView {
    let (document, progress) = (&entry.document, &entry.progress);
    let quantity: Decimal = document.lines.iter().map(|line| line.goods.quantity).sum();
    WorkView {
        who: document.group.clone(),
        document: document.number,
        state: progress.state.to_string(),
        quantity: number(quantity),
        at: document.occurred,
    }
}
