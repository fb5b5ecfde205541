//! The methods of the models, and who may call them.

use serde_json::{Value, json};

use super::params::Params;
use super::refusal::Refusal;
use super::schema::{self, Kind};
use super::store::{DIGITS, QuantKey, Row, Store, number_of};
use super::{Caller, USER_ZONE, orders, picking, read, rules, seed, validate};

/// An ordinary Inventory user reads master data and works with transfers, lots and packages.
pub fn rights(caller: Caller, model: &str, method: &str) -> Result<(), Refusal> {
    let verb = match method {
        "write" | "web_save_multi" => "modify",
        "create" | "load" => "create",
        "unlink" => "delete",
        _ => "access",
    };
    let works_with = matches!(
        model,
        "stock.picking" | "stock.move" | "stock.move.line" | "stock.lot" | "stock.package"
    );
    let confirms = matches!(
        (model, method),
        (
            "sale.order" | "purchase.order",
            "action_confirm" | "button_confirm" | "action_cancel" | "button_cancel"
        ) | ("stock.quant", "action_apply_inventory")
    );
    let allowed = match verb {
        _ if caller == Caller::Admin => true,
        "delete" => model == picking::LINE,
        "access" => model != "ir.model.data" && !confirms,
        _ => works_with && caller != Caller::Reader,
    };
    if allowed {
        Ok(())
    } else {
        Err(denied(verb, model))
    }
}

#[must_use]
pub fn denied(verb: &str, model: &str) -> Refusal {
    let label = schema::label(model);
    Refusal::Access(format!(
        "You are not allowed to {verb} '{label}' ({model}) records.\n\n\
         This operation is allowed for the following groups:\n\t- Access Rights\n\n\
         Contact your administrator to request access if necessary."
    ))
}

pub fn run(
    store: &mut Store,
    caller: Caller,
    model: &'static str,
    method: &str,
    params: &Params,
) -> Result<Value, Refusal> {
    const WINDOW: &[&str] = &[
        "domain",
        "fields",
        "limit",
        "offset",
        "order",
        "load",
        "specification",
    ];
    rules::check(store, caller, model, method, params)?;
    match method {
        "search" | "search_read" | "web_search_read" | "search_count" => {
            params.only(WINDOW)?;
            let mut ids = read::search(store, model, params)?;
            ids.retain(|id| {
                let row = store.row(model, *id);
                row.is_none_or(|row| !rules::hides(store, caller, model, row, "read"))
            });
            match method {
                "search" => Ok(json!(ids)),
                "search_count" => Ok(json!(ids.len())),
                "search_read" => read::read(store, model, &ids, params),
                _ => {
                    let wanted = params.required("specification")?;
                    let records = read::web_read(store, model, &ids, wanted)?;
                    Ok(json!({"length": ids.len(), "records": records}))
                }
            }
        }
        "read" => {
            params.only(&["fields", "load"])?;
            read::read(store, model, &params.ids(), params)
        }
        "web_read" => {
            let wanted = params.required("specification")?;
            read::web_read(store, model, &params.ids(), wanted)
        }
        "get_external_id" => {
            let name = |id: &i64| (id.to_string(), json!(store.external_name(model, *id)));
            Ok(Value::Object(params.ids().iter().map(name).collect()))
        }
        "fields_get" => Ok(fields_get(model, params)),
        "write" => write(store, model, params),
        "web_save_multi" => save(store, model, params),
        "create" => create(store, model, params),
        "unlink" if model == picking::LINE => picking::unlink_lines(store, &params.ids()),
        "unlink" => {
            for id in params.ids() {
                store.remove(model, id);
            }
            Ok(json!(true))
        }
        "context_get" if model == "res.users" => {
            Ok(json!({"lang": "en_US", "tz": USER_ZONE, "uid": caller.uid()}))
        }
        "has_group" if model == "res.users" => Ok(json!(true)),
        "has_access" => {
            let operation = params.required("operation")?.as_str().unwrap_or("");
            let verb = if operation == "read" { "read" } else { "write" };
            Ok(json!(rights(caller, model, verb).is_ok()))
        }
        _ => act(store, caller, model, method, params),
    }
}

/// Runs the method of a button.
fn act(
    store: &mut Store,
    caller: Caller,
    model: &'static str,
    method: &str,
    params: &Params,
) -> Result<Value, Refusal> {
    let ids = params.ids();
    match (model, method) {
        ("stock.picking", "button_validate") => return validate::validate(store, caller, params),
        ("stock.picking", "action_cancel") => return picking::cancel(store, &ids),
        ("stock.picking", "action_confirm") => for_all(&ids, |id| picking::confirm(store, id)),
        ("stock.picking", "do_unreserve") => for_all(&ids, |id| picking::unreserve(store, id)),
        ("stock.picking", "action_split_transfer") => {
            ids.iter()
                .try_for_each(|id| validate::split_transfer(store, *id))?;
        }
        ("stock.picking", "action_assign") => for_all(&ids, |id| picking::assign(store, id)),
        ("sale.order", "action_confirm") => {
            ids.iter()
                .try_for_each(|id| orders::confirm_sale(store, *id))?;
        }
        ("purchase.order", "button_confirm") => {
            ids.iter()
                .try_for_each(|id| orders::confirm_purchase(store, *id))?;
        }
        ("sale.order", "action_cancel") | ("purchase.order", "button_cancel") => {
            ids.iter()
                .try_for_each(|id| orders::cancel(store, model, *id))?;
        }
        ("stock.quant", "action_apply_inventory") => for_all(&ids, |id| apply(store, id)),
        _ => return Err(Refusal::Method(model.to_owned(), method.to_owned())),
    }
    Ok(json!(true))
}

fn for_all(ids: &[i64], mut work: impl FnMut(i64)) {
    for id in ids {
        work(*id);
    }
}

/// Applies a count: the counted quantity becomes the stock.
fn apply(store: &mut Store, quant: i64) {
    let counted = store
        .row("stock.quant", quant)
        .map(|row| number_of(row, "inventory_quantity"));
    store.set("stock.quant", quant, "quantity", json!(counted));
}

fn fields_get(model: &'static str, params: &Params) -> Value {
    let wanted = params.get("allfields").and_then(Value::as_array);
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.iter().any(|one| one == name));
    let fields = schema::fields(model).filter(|field| is_wanted(field.name));
    let shown = fields.map(|field| {
        let kind = match field.kind {
            Kind::Text => "char",
            Kind::Number => "float",
            Kind::Whole => "integer",
            Kind::Flag => "boolean",
            Kind::Moment => "datetime",
            Kind::Day => "date",
            Kind::One(_) => "many2one",
            Kind::Many(_, "") => "many2many",
            Kind::Many(..) => "one2many",
        };
        let mut described = json!({"type": kind, "string": field.label});
        if matches!(field.kind, Kind::Number) {
            described["digits"] = json!([16, DIGITS]);
        }
        (field.name.to_owned(), described)
    });
    Value::Object(shown.collect())
}

fn checked(model: &str, values: &Value) -> Result<Row, Refusal> {
    let Value::Object(values) = values else {
        return Err(Refusal::Type("values are an object".to_owned()));
    };
    match values
        .keys()
        .find(|name| schema::lookup(model, name).is_none())
    {
        Some(name) => Err(Refusal::Value(format!(
            "Invalid field '{name}' in '{model}'"
        ))),
        None => Ok(values.clone()),
    }
}

fn write(store: &mut Store, model: &'static str, params: &Params) -> Result<Value, Refusal> {
    let values = checked(model, params.required("vals")?)?;
    for id in params.ids() {
        picking::check_write(store, model, id, &values)?;
    }
    for id in params.ids() {
        picking::write(store, model, id, values.clone());
    }
    Ok(json!(true))
}

/// `web_save_multi`: writes separate values to each record, and reads all of them back in the same
/// call.
fn save(store: &mut Store, model: &'static str, params: &Params) -> Result<Value, Refusal> {
    let list = params.required("vals_list")?.as_array();
    let values: Vec<Row> = list
        .into_iter()
        .flatten()
        .map(|values| checked(model, values))
        .collect::<Result<_, _>>()?;
    let ids = params.ids();
    if values.len() != ids.len() {
        let text = "Each record requires a corresponding vals entry";
        return Err(Refusal::Value(text.to_owned()));
    }
    for (id, values) in ids.iter().zip(&values) {
        picking::check_write(store, model, *id, values)?;
    }
    for (id, values) in ids.iter().zip(values) {
        picking::write(store, model, *id, values);
    }
    read::web_read(store, model, &ids, params.required("specification")?)
}

fn create(store: &mut Store, model: &'static str, params: &Params) -> Result<Value, Refusal> {
    let given = params.required("vals_list")?;
    let list = given
        .as_array()
        .map_or(std::slice::from_ref(given), Vec::as_slice);
    let rows: Result<Vec<Row>, Refusal> = list.iter().map(|row| checked(model, row)).collect();
    let ids: Result<Vec<i64>, Refusal> = rows?
        .into_iter()
        .map(|row| make(store, model, row))
        .collect();
    Ok(if given.is_array() {
        json!(ids?)
    } else {
        json!(ids?[0])
    })
}

/// Creates a record, and the records of its `[0, 0, values]` commands.
fn make(store: &mut Store, model: &'static str, mut values: Row) -> Result<i64, Refusal> {
    let mut below = Vec::new();
    for field in schema::fields(model) {
        if let Kind::Many(child, by) = field.kind
            && let Some(Value::Array(commands)) = values.remove(field.name)
        {
            for command in &commands {
                below.push((child, by, checked(child, &command[2])?));
            }
        }
    }
    let id = match model {
        "stock.picking" => picking::create(store, values),
        "stock.move" => picking::add_move(store, values, "draft"),
        "stock.move.line" => picking::add_line(store, values),
        "stock.warehouse" => orders::make_warehouse(store, &values),
        "stock.quant" => place(store, &values),
        "product.product" => {
            let values = seed::complete(store, model, values);
            store.insert_product(values)
        }
        _ => {
            let values = seed::complete(store, model, values);
            store.insert(model, values)
        }
    };
    for (child, by, mut values) in below {
        values.insert(by.to_owned(), json!(id));
        make(store, child, values)?;
    }
    Ok(id)
}

/// Creates a counted quant, or returns the existing one.
fn place(store: &mut Store, values: &Row) -> i64 {
    let place = QuantKey::of(values);
    store.add_quant(place, 0.0);
    let id = store.quant(place).unwrap_or(0);
    let counted = json!(number_of(values, "inventory_quantity"));
    store.set("stock.quant", id, "inventory_quantity", counted);
    id
}
