//! Withdraws a discarded or corrected document from Odoo, as long as it is not posted.
//!
//! A picking of its own is cancelled; the gateway's lines on an order are removed. If Odoo has
//! posted the document already, it stays posted, and a person must reverse it in Odoo.

use crate::document::{Document, DocumentKey, OdooRef};
use crate::odoo::order::SeenPicking;
use crate::odoo::{Client, PickingState, Warehouse};
use crate::odoo_id::{MoveLineId, PickingId};
use crate::outcome::Failure;

/// The outcome of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawn {
    /// Only cancelled parts of the document are left in Odoo; this many pickings or lines were
    /// open.
    Gone { open: usize },
    /// This picking has the document, and is done.
    Posted(String),
    /// Odoo refuses to cancel the document, with this error text.
    Refused(String),
}

/// Withdraws the open part of a document from Odoo. `known`: the picking that Odoo named for the
/// document. A search leaves out the records that the key's user may not see, so the gateway reads
/// the picking by its id, which Odoo then refuses. `may_reserve`: an order is reserved again
/// without the lines.
pub async fn withdraw(
    odoo: &mut Client,
    warehouse: &Warehouse,
    document: &Document,
    known: Option<&OdooRef>,
    may_reserve: bool,
) -> Result<Withdrawn, Failure> {
    if document.purpose.is_about_order() {
        return lines(odoo, warehouse, document, known, may_reserve).await;
    }
    let mut held = odoo.held(document.key).await?;
    if let Some(known) = known.filter(|known| held.iter().all(|picking| picking.id != known.id)) {
        held.extend(odoo.pickings(&[known.id]).await?);
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    if let Some(done) = held
        .iter()
        .find(|picking| picking.state == PickingState::Done)
    {
        return Ok(Withdrawn::Posted(name(&done.name)));
    }
    let open: Vec<PickingId> = (held.iter())
        .filter(|picking| picking.state != PickingState::Cancelled)
        .map(|picking| picking.id)
        .collect();
    if !open.is_empty() {
        let refusal = take_refusal(odoo.cancel(&open).await)?;
        // Somebody may have validated the picking meanwhile, and then Odoo refuses as well.
        let after = odoo.pickings(&open).await?;
        if let Some(done) = after
            .iter()
            .find(|picking| picking.state == PickingState::Done)
        {
            return Ok(Withdrawn::Posted(name(&done.name)));
        }
        if let Some(message) = refusal
            && after
                .iter()
                .any(|picking| picking.state != PickingState::Cancelled)
        {
            return Ok(Withdrawn::Refused(message));
        }
    }
    Ok(Withdrawn::Gone { open: open.len() })
}

/// Odoo's error text, if Odoo refused a call. The gateway reads the records of that call again
/// before it relies on the text.
fn take_refusal(called: Result<(), Failure>) -> Result<Option<String>, Failure> {
    match called {
        Ok(()) => Ok(None),
        Err(Failure::Person { message, .. }) => Ok(Some(message)),
        Err(failure) => Err(failure),
    }
}

async fn lines(
    odoo: &mut Client,
    warehouse: &Warehouse,
    document: &Document,
    known: Option<&OdooRef>,
    may_reserve: bool,
) -> Result<Withdrawn, Failure> {
    let order = document.purpose.order().unwrap_or_default();
    let mut seen = odoo.order(warehouse, order).await?;
    let missing = known.filter(|known| seen.pickings.iter().all(|picking| picking.id != known.id));
    if let Some(known) = missing {
        seen.pickings.extend(odoo.seen(&[known.id]).await?);
    }
    let FoundLines {
        posted,
        open,
        mut changed,
    } = find_lines(&seen.pickings, document.key);
    if let Some(name) = posted {
        return Ok(Withdrawn::Posted(name));
    }
    if !open.is_empty()
        && let Some(message) = take_refusal(odoo.remove_lines(&open).await)?
    {
        let now = odoo.seen(&changed).await?;
        let left = find_lines(&now, document.key);
        if let Some(name) = left.posted {
            return Ok(Withdrawn::Posted(name));
        }
        if !left.open.is_empty() {
            return Ok(Withdrawn::Refused(message));
        }
    }
    if may_reserve {
        // Includes the case that the lines were removed while an abandoned call could still find
        // reserved goods.
        changed.extend(
            known
                .map(|known| known.id)
                .filter(|id| !changed.contains(id)),
        );
        reserve_again(odoo, &changed).await?;
    }
    Ok(Withdrawn::Gone { open: open.len() })
}

/// The lines of a document on the pickings of an order.
struct FoundLines {
    /// The done picking that has some of the lines.
    posted: Option<String>,
    /// The lines on open pickings.
    open: Vec<MoveLineId>,
    /// The open pickings that have some of the lines.
    changed: Vec<PickingId>,
}

fn find_lines(pickings: &[SeenPicking], key: DocumentKey) -> FoundLines {
    let has_ours = |picking: &&SeenPicking| picking.lines.iter().any(|line| line.is_of(key));
    let with_ours: Vec<&SeenPicking> = pickings.iter().filter(has_ours).collect();
    let open = || with_ours.iter().filter(|picking| picking.is_open());
    let done = with_ours
        .iter()
        .find(|picking| picking.state == PickingState::Done);
    let lines = open().flat_map(|picking| &picking.lines);
    FoundLines {
        posted: done.map(|picking| picking.name.clone()),
        open: lines
            .filter(|line| line.is_of(key))
            .map(|line| line.id)
            .collect(),
        changed: open().map(|picking| picking.id).collect(),
    }
}

/// A move whose picked lines are gone stays picked in Odoo, and Odoo does not reserve it any more.
async fn reserve_again(odoo: &mut Client, pickings: &[PickingId]) -> Result<(), Failure> {
    if pickings.is_empty() {
        return Ok(());
    }
    for picking in odoo.seen(pickings).await? {
        let moves = picking.picked_without_lines();
        if moves.is_empty() || !picking.is_open() {
            continue;
        }
        match odoo.reserve_again(&picking, &moves).await {
            // The only loss is a reservation.
            Ok(()) | Err(Failure::Person { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::{Path, State};
    use axum::http::StatusCode;
    use axum::routing::post;
    use axum::{Json, Router};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::config;
    use crate::document::{DocumentNumber, Purpose};
    use crate::event::Seq;
    use crate::odoo::Lots;
    use crate::odoo_id::{CompanyId, LocationId, PickingTypeId, WarehouseId};

    const REFUSAL: &str = "Das geht jetzt nicht mehr.";

    /// An Odoo with one picking, which another user may validate just before the gateway changes
    /// it.
    #[derive(Debug)]
    struct Peer {
        state: &'static str,
        is_validated_first: bool,
    }

    type Shared = State<Arc<Mutex<Peer>>>;

    async fn answer(
        State(peer): Shared,
        Path((_, method)): Path<(String, String)>,
    ) -> (StatusCode, Json<Value>) {
        let mut peer = peer.lock().unwrap();
        let key = document(Purpose::Transfer).key;
        let answer = match method.as_str() {
            "context_get" => json!({"uid": 7}),
            "fields_get" => json!({}),
            "search" => json!([5]),
            "search_read" => {
                json!([{"id": 5, "name": "P", "state": peer.state, "backorder_id": false}])
            }
            "web_read" => json!([{"id": 5, "name": "P", "state": peer.state, "move_line_ids": [
                {"id": 41, "product_id": 1, "location_id": 8, "location_dest_id": 9,
                 "lot_id": false, "package_id": false, "result_package_id": false,
                 "quantity_product_uom": 3.0},
            ]}]),
            "get_external_id" => json!({"41": format!("stockrelay.ml_{key}_0")}),
            "action_cancel" | "unlink" => {
                if peer.is_validated_first {
                    peer.state = "done";
                }
                let refusal = json!({"name": "odoo.exceptions.UserError", "message": REFUSAL});
                return (StatusCode::UNPROCESSABLE_ENTITY, Json(refusal));
            }
            other => panic!("{other}"),
        };
        (StatusCode::OK, Json(answer))
    }

    fn document(purpose: Purpose) -> Document {
        Document {
            number: DocumentNumber::new(1),
            key: DocumentKey([1; 16]),
            purpose,
            group: "PDA-07".to_owned(),
            lines: Vec::new(),
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: vec![Seq::new(1)],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        }
    }

    async fn withdrawn(purpose: Purpose, is_validated_first: bool) -> Withdrawn {
        let peer = Arc::new(Mutex::new(Peer {
            state: "assigned",
            is_validated_first,
        }));
        let router = Router::new()
            .route("/json/2/{model}/{method}", post(answer))
            .with_state(peer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "key").unwrap();
        let config = config::Odoo {
            api_key_file: Some(dir.path().join("key")),
            api: config::Api::Json2,
            ..config::Odoo::new(&url, "db")
        };
        let warehouse = Warehouse {
            id: WarehouseId::new(1),
            picking_type: PickingTypeId::new(7),
            from: LocationId::new(8),
            to: LocationId::new(9),
            company: CompanyId::new(1),
            receipts: None,
            lots: Lots::Made,
            returns: None,
        };
        let mut odoo = Client::new(&config).unwrap();
        let done = withdraw(&mut odoo, &warehouse, &document(purpose), None, false).await;
        server.abort();
        done.unwrap()
    }

    #[tokio::test]
    async fn what_somebody_validated_before_odoo_refused_us_is_posted() {
        let pick = Purpose::Pick {
            order: "P".to_owned(),
        };
        for purpose in [Purpose::Transfer, pick] {
            let posted = Withdrawn::Posted("P".to_owned());
            assert_eq!(withdrawn(purpose.clone(), true).await, posted);
            let refused = Withdrawn::Refused(REFUSAL.to_owned());
            assert_eq!(withdrawn(purpose, false).await, refused);
        }
    }
}
