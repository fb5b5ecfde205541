//! Moves the goods of a line from one place to the other.

use serde_json::json;

use super::refusal::Refusal;
use super::store::{LINE, QuantKey, Row, Store, id_of, number_of, reference, row, text_of};

/// Takes a line's goods from one place to the other, or back with a sign of -1. A serial number is
/// nowhere twice.
pub fn move_stock(store: &mut Store, line: i64, sign: f64) -> Result<(), Refusal> {
    let Some(values) = store.row(LINE, line).cloned() else {
        return Ok(());
    };
    let quantity = sign * store.in_own_unit(&values);
    let from = QuantKey::of(&values);
    let to = QuantKey {
        location: id_of(&values, "location_dest_id"),
        package: id_of(&values, "result_package_id"),
        ..from
    };
    store.add_quant(from, -quantity);
    store.add_quant(to, quantity);
    let serial = store.through(&values, "product_id", "product.product", "tracking") == "serial";
    if !serial {
        return Ok(());
    }
    for place in [from, to] {
        let there: f64 = store
            .of("stock.quant", "product_id", place.product)
            .filter(|(_, quant)| {
                id_of(quant, "location_id") == place.location && id_of(quant, "lot_id") == place.lot
            })
            .map(|(_, quant)| number_of(quant, "quantity"))
            .sum();
        let usage = store
            .row("stock.location", place.location)
            .map_or("", |row| text_of(row, "usage"));
        if place.lot != 0 && usage != "inventory" && there.abs() > 1.0 {
            let name = store
                .row("stock.lot", place.lot)
                .map_or("", |lot| text_of(lot, "name"));
            return Err(Refusal::Validation(format!(
                "The serial number has already been assigned: \n Product: {}, Serial Number: {name}",
                store.display_name("product.product", place.product)
            )));
        }
    }
    Ok(())
}

/// What the next step of a chain is to move: the goods where these lines left them.
#[must_use]
pub fn left_by(line: &Row) -> Row {
    row(json!({
        "product_id": line["product_id"], "product_uom_id": line["product_uom_id"], "quantity": line["quantity"],
        "location_id": line["location_dest_id"], "lot_id": line["lot_id"], "owner_id": line["owner_id"],
        "package_id": line["result_package_id"], "result_package_id": reference(id_of(line, "result_package_id")),
    }))
}
