//! Sends each device its open orders, retained on its channel `tasks`: the ready orders of the
//! warehouse, or those of the kinds that `devices.toml` names, up to a limit.
//!
//! The list is built again when the copy changes or an event for an order was captured, and sent if
//! it differs from the last one.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Capture;
use crate::board::Board;
use crate::catalog::{Catalog, CatalogError, Planned, PlannedLine};
use crate::channel::{Outbound, Outlets, TASKS};
use crate::event::{Name, SourceKind};
use crate::odoo::{Direction, Kind, PickingState};
use crate::odoo_id::{LocationId, ProductId};

/// The limit of orders in the list of one device; those that are due last are left out.
const ORDERS_MAX: usize = 50;
/// The largest list of one device, in bytes; orders that are due last are left out.
const BYTES_MAX: usize = 64 << 10;
/// How often the module looks for new devices and for a broker that is up again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Changes within this time are sent together.
const GATHER: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Task {
    order: String,
    #[serde(rename = "type")]
    kind: Direction,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled: Option<String>,
    state: PickingState,
    lines: Vec<TaskLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct TaskLine {
    /// The barcode of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot: Option<String>,
    demand: f64,
    done: f64,
}

/// Sends tasks until `cancel`.
pub async fn run(capture: Capture, outlets: Outlets, board: Board, cancel: CancellationToken) {
    let mut sent: HashMap<Name, (SourceKind, Bytes)> = HashMap::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut last_news = None;
    let mut all: Option<Vec<Task>> = None;
    let mut recalled = false;
    loop {
        let has_changed = tokio::select! {
            () = cancel.cancelled() => return,
            () = capture.0.order_changed.notified() => {
                tokio::time::sleep(GATHER).await;
                true
            }
            _ = look.tick() => false,
        };
        let copy = capture.state().lookup.copy();
        let Some(copy) = copy else { continue };
        let news = *copy.news().borrow();
        if has_changed || last_news != Some(news) {
            // Events that Odoo has by now must not count twice.
            let recall = !recalled && copy.orders_as_of().is_some();
            recalled |= recall;
            let settling = capture.clone();
            let read = tokio::task::spawn_blocking(move || {
                if recall {
                    settling.recall();
                } else {
                    settling.settle();
                }
                list_tasks(&copy, &settling)
            });
            match read.await {
                Ok(Ok(tasks)) => {
                    last_news = Some(news);
                    all = tasks;
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot read the open orders from the copy of Odoo's data: devices keep the order lists that they have, and the gateway tries again");
                }
                Err(error) => {
                    tracing::error!(%error, "cannot build the list of open orders: devices keep the order lists that they have, and the gateway tries again");
                }
            }
        }
        let Some(all) = &all else { continue };
        send(all, &mut sent, &capture, &outlets, &board).await;
    }
}

/// Sends each known device whose source is up its list, if the list has changed.
async fn send(
    all: &[Task],
    sent: &mut HashMap<Name, (SourceKind, Bytes)>,
    capture: &Capture,
    outlets: &Outlets,
    board: &Board,
) {
    let settings = capture.settings();
    let live = board.snapshot();
    let up = |kind: SourceKind| {
        live.sources
            .get(kind.name())
            .is_some_and(|s| s.state == "up")
    };
    let mut devices: BTreeMap<&Name, SourceKind> = settings
        .keys()
        .map(|name| (name, SourceKind::Listen))
        .collect();
    devices.extend(live.devices.iter().map(|(name, view)| {
        let broker = view.source == SourceKind::Broker.name();
        (
            name,
            if broker {
                SourceKind::Broker
            } else {
                SourceKind::Listen
            },
        )
    }));
    sent.retain(|name, _| devices.contains_key(name));
    // Devices that work on the same kinds share one text.
    let mut texts: HashMap<Option<&[Direction]>, Bytes> = HashMap::new();
    for (device, kind) in devices.into_iter().filter(|(_, kind)| up(*kind)) {
        let kinds = settings.get(device).and_then(|s| s.tasks.as_deref());
        let payload = texts
            .entry(kinds)
            .or_insert_with(|| list_as_json(all, kinds))
            .clone();
        let now = (kind, payload.clone());
        if sent.get(device) == Some(&now) {
            continue;
        }
        let message = Outbound {
            device: device.clone(),
            channel: TASKS.into(),
            payload,
            retain: true,
        };
        outlets.send(kind, message).await;
        sent.insert(device.clone(), now);
    }
}

/// Builds the list of these kinds as JSON, within the limits.
fn list_as_json(all: &[Task], kinds: Option<&[Direction]>) -> Bytes {
    let wanted = |task: &&Task| kinds.is_none_or(|kinds| kinds.contains(&task.kind));
    let mut text = vec![b'['];
    for task in all.iter().filter(wanted).take(ORDERS_MAX) {
        // Only strings and finite numbers: serialising them cannot fail.
        let task = serde_json::to_vec(task).unwrap_or_default();
        if text.len() + task.len() + 2 > BYTES_MAX {
            break;
        }
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend(task);
    }
    text.push(b']');
    text.into()
}

/// Lists the orders that are ready, at most [`ORDERS_MAX`] of each kind. `None`: the copy does not
/// have Odoo's orders yet.
fn list_tasks(copy: &Catalog, capture: &Capture) -> Result<Option<Vec<Task>>, CatalogError> {
    if copy.orders_since()?.is_none() {
        return Ok(None);
    }
    let mut tasks = Vec::new();
    let mut counts: HashMap<Direction, usize> = HashMap::new();
    for order in copy.open_orders()? {
        // No device can have more orders of one kind.
        let count = counts.entry(order.kind.clone()).or_default();
        if order.state != PickingState::Assigned || *count >= ORDERS_MAX {
            continue;
        }
        *count += 1;
        tasks.push(build_task(copy, capture, order)?);
    }
    Ok(Some(tasks))
}

fn build_task(copy: &Catalog, capture: &Capture, order: Planned) -> Result<Task, CatalogError> {
    // The captured quantity of a product fills its lines in order.
    let mut captured: HashMap<ProductId, Decimal> = HashMap::new();
    {
        let state = capture.state();
        for line in &order.lines {
            captured
                .entry(line.product)
                .or_insert_with(|| state.memory.captured(order.id, line.product));
        }
    }
    let lines = order.lines.iter().map(|line| {
        let rest = captured.entry(line.product).or_default();
        let open = (line.demand - line.picked).max(Decimal::ZERO);
        let taken = open.min(*rest);
        *rest -= taken;
        build_line(copy, line, line.picked + taken)
    });
    Ok(Task {
        lines: lines.collect::<Result<_, _>>()?,
        order: order.name,
        kind: order.kind,
        partner: order.partner,
        scheduled: order
            .scheduled
            .map(|at| format!("{}Z", at.replace(' ', "T"))),
        state: order.state,
    })
}

fn build_line(copy: &Catalog, line: &PlannedLine, done: Decimal) -> Result<TaskLine, CatalogError> {
    let product = copy.called(Kind::Product, line.product.get())?;
    let bin = |id: Option<LocationId>| {
        let bin = id
            .map(|id| copy.called(Kind::Location, id.get()))
            .transpose()?;
        Ok::<_, CatalogError>(bin.flatten().and_then(|bin| bin.code))
    };
    let lot = line
        .lot
        .map(|lot| copy.called(Kind::Lot, lot.get()))
        .transpose()?;
    let number = |quantity: Decimal| quantity.to_f64().unwrap_or_default();
    Ok(TaskLine {
        name: product.as_ref().map(|p| p.name.clone()).unwrap_or_default(),
        product: product.and_then(|product| product.code),
        from: bin(line.from)?,
        to: bin(line.to)?,
        lot: lot.flatten().map(|lot| lot.name),
        demand: number(line.demand),
        done: number(done),
    })
}
