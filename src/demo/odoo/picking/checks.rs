//! Odoo's checks of lines and values before it writes them.

use serde_json::Value;

use super::{LINE, MOVE, PICKING};
use crate::demo::odoo::refusal::Refusal;
use crate::demo::odoo::store::{Row, Store, id_of, number_of, text_of};
use crate::demo::odoo::version::Version;

/// Checks a line before it is created.
pub fn check_line(store: &Store, line: &Row) -> Result<(), String> {
    let product = id_of(line, "product_id");
    if product == 0 {
        return Err(
            "Missing required value for the field 'product_uom_id'.\nModel: Unknown\n\
            - create/update: a mandatory field is not set\n\
            - delete: another model requires the record being deleted, you can archive it instead\n"
                .to_owned(),
        );
    }
    if number_of(line, "quantity") < 0.0 {
        return Err("You can not enter negative quantities.".to_owned());
    }
    if let Some(lot) = store.row("stock.lot", id_of(line, "lot_id"))
        && id_of(lot, "product_id") != product
    {
        return Err(format!(
            "This lot {} is incompatible with this product {}",
            text_of(lot, "name"),
            store.display_name("product.product", product)
        ));
    }
    Ok(())
}

/// Checks values before they are written.
pub fn check_write(store: &Store, model: &str, id: i64, values: &Row) -> Result<(), Refusal> {
    let before = store.existing(model, id)?;
    if model != PICKING {
        return Ok(());
    }
    for (field, of) in [("move_line_ids", LINE), ("move_ids", MOVE)] {
        let commands = values.get(field).and_then(Value::as_array);
        for command in commands.into_iter().flatten() {
            if let Some(id) = command[1].as_i64().filter(|id| *id != 0) {
                store.existing(of, id)?;
            }
        }
    }
    let state = text_of(before, "state");
    let keeps_type = match store.version {
        Version::V17 => state != "draft",
        _ => matches!(state, "done" | "cancel"),
    };
    if values.contains_key("picking_type_id") && keeps_type {
        return Err(Refusal::User(
            "Changing the operation type of this record is forbidden at this point.".to_owned(),
        ));
    }
    for name in ["date_done", "scheduled_date"] {
        let text = text_of(values, name);
        if !text.is_empty() && jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).is_err() {
            return Err(Refusal::Value(format!("unconverted data remains: {text}")));
        }
    }
    if store.version == Version::V17 && values.contains_key("scheduled_date") {
        may_schedule_in_17(state)?;
    }
    check_locked(store, before, values)
}

/// In 17 a finished transfer refuses a scheduled date, a done one with another text.
fn may_schedule_in_17(state: &str) -> Result<(), Refusal> {
    match state {
        "done" => Err(Refusal::Access(
            "You are not allowed to access 'Journal Entry' (account.move) records.".to_owned(),
        )),
        "cancel" => Err(Refusal::User(
            "You cannot change the Scheduled Date on a done or cancelled transfer.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Since 19 a transfer refuses a date in a closed period.
fn check_locked(store: &Store, before: &Row, values: &Row) -> Result<(), Refusal> {
    let is_dated = values.contains_key("date_done") || values.contains_key("scheduled_date");
    if store.version < Version::V19 || !is_dated {
        return Ok(());
    }
    let is_locked = |name: &str| {
        let text = if values.contains_key(name) {
            text_of(values, name)
        } else {
            text_of(before, name)
        };
        let day = text.get(..10).unwrap_or("");
        let mut companies = store.table("res.company");
        !day.is_empty()
            && companies.any(|(_, company)| {
                ["fiscalyear_lock_date", "hard_lock_date"]
                    .iter()
                    .any(|lock| day <= text_of(company, lock))
            })
    };
    if is_locked("date_done") || is_locked("scheduled_date") {
        return Err(Refusal::Validation(
            "You cannot modify the scheduled date of this operation because it falls within a locked fiscal period."
                .to_owned(),
        ));
    }
    Ok(())
}
