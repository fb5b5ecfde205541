//! Record rules: records that an ordinary user may not read or change, although the user may use
//! the model.

use serde_json::Value;

use super::Caller;
use super::domain::Domain;
use super::params::Params;
use super::refusal::Refusal;
use super::schema;
use super::store::{Row, Store, flag_of, text_of};

/// Refuses a call about a record that a rule hides from the caller.
pub fn check(
    store: &Store,
    caller: Caller,
    model: &'static str,
    method: &str,
    params: &Params,
) -> Result<(), Refusal> {
    let verb = match method {
        "read" | "web_read" => "read",
        "unlink" => "unlink",
        "write" | "web_save_multi" | "button_validate" | "action_cancel" | "action_confirm"
        | "action_assign" => "write",
        _ => return Ok(()),
    };
    // A change of a record reads it first.
    let kept = |id: &i64| {
        store.row(model, *id).is_some_and(|row| {
            hides(store, caller, model, row, "read") || hides(store, caller, model, row, verb)
        })
    };
    match params.ids().iter().find(|id| kept(id)) {
        Some(_) => Err(denied(verb, model)),
        None => Ok(()),
    }
}

/// Odoo's refusal for a record that a rule hides.
#[must_use]
pub fn denied(verb: &str, model: &str) -> Refusal {
    let label = schema::label(model);
    Refusal::Access(format!(
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, Joel Willis doesn't have '{verb}' access to:\n\
         - {label} ({model})\n\nIf you really, really need access, perhaps you can win over your friendly administrator with a \
         batch of freshly baked cookies."
    ))
}

/// Whether a rule hides this record from the caller, for `read`, `write` or `unlink`.
#[must_use]
pub fn hides(
    store: &Store,
    caller: Caller,
    model: &'static str,
    row: &Row,
    operation: &str,
) -> bool {
    let about = |rule: &Row| {
        store.through(rule, "model_id", "ir.model", "model") == model
            && flag_of(rule, &format!("perm_{operation}"))
    };
    let mut rules = store.table("ir.rule").filter(|(_, rule)| about(rule));
    rules.any(|(_, rule)| {
        let forced = for_user(text_of(rule, "domain_force"), caller.uid());
        let domain = forced.and_then(|domain| Domain::parse(&domain).ok());
        domain.is_some_and(|domain| !domain.holds(store, model, row))
    })
}

/// The domain of a rule of the form `DOMAIN if user.id == ID else ANYTHING`. `None`: it does not
/// apply to this user.
fn for_user(forced: &str, user: i64) -> Option<Value> {
    let (domain, condition) = forced.split_once(" if user.id == ")?;
    let (id, _) = condition.split_once(" else ")?;
    if id.parse() != Ok(user) {
        return None;
    }
    let json = domain
        .replace('\'', "\"")
        .replace('(', "[")
        .replace(')', "]");
    serde_json::from_str(&json).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_holds_for_its_user_alone() {
        let rule = "['!', ('line_ids.product_id', 'in', [5])] if user.id == 7 else [(1, '=', 1)]";
        let domain = json!(["!", ["line_ids.product_id", "in", [5]]]);
        assert_eq!(for_user(rule, 7), Some(domain));
        assert_eq!(for_user(rule, 2), None);
    }
}
