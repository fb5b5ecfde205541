use super::*;

#[test]
fn versions_are_told_by_their_year() {
    for (text, dialect) in [
        ("16.0", None),
        ("17.0", Some(Dialect::V17)),
        ("17.0-20240101", Some(Dialect::V17)),
        ("saas~18.2+e", Some(Dialect::V18)),
        ("19.0", Some(Dialect::V19)),
        ("saas~19.1", Some(Dialect::V19)),
        ("unheard of", Some(Dialect::V19)),
    ] {
        assert_eq!(Dialect::of(text), dialect, "{text}");
    }
}

fn said(dialect: Dialect, model: &str, method: &str, body: &Value) -> Value {
    let (model, method, body) = dialect.said(model, method, body);
    json!([model, method, body])
}

#[test]
fn models_fields_and_rights_are_asked_for_in_the_words_of_the_version() {
    let body =
        json!({"domain": [["company_id", "in", [false, 1]]], "fields": ["barcode", "uom_id"]});
    assert_eq!(
        said(Dialect::V18, "product.uom", "search_read", &body),
        json!(["product.packaging", "search_read",
            {"domain": [["company_id", "in", [false, 1]]], "fields": ["barcode", "qty"]}])
    );
    let body = json!({"fields": ["id", "name"], "data": [["a.b", "P"]]});
    assert_eq!(
        said(Dialect::V18, "stock.package", "load", &body),
        json!(["stock.quant.package", "load", body])
    );
    let body = json!({"domain": [["id", "in", [4]], ["is_storable", "=", true]]});
    assert_eq!(
        said(Dialect::V17, "product.product", "search_read", &body)[2],
        json!({"domain": [["id", "in", [4]], ["type", "=", "product"]]})
    );
    let body = json!({"ids": [], "operation": "create"});
    let eighteen = said(Dialect::V18, "stock.picking", "has_access", &body);
    assert_eq!(eighteen[1], "has_access");
    assert_eq!(
        said(Dialect::V17, "stock.picking", "has_access", &body),
        json!(["stock.picking", "check_access_rights",
            {"operation": "create", "raise_exception": false}])
    );
    let body = json!({"domain": ["|", ["name", "=", "S1"], ["reference_ids.name", "=", "S1"]]});
    assert_eq!(
        said(Dialect::V17, "stock.picking", "search_read", &body)[2],
        json!({"domain": ["|", ["name", "=", "S1"], ["group_id.name", "=", "S1"]]})
    );
    for (dialect, fields) in [
        (Dialect::V17, json!(["name"])),
        (Dialect::V18, json!(["name", "expiration_date"])),
    ] {
        let body = json!({"fields": ["name", "expiration_date"]});
        let said = said(dialect, "res.users.apikeys", "search_read", &body);
        assert_eq!(said[2]["fields"], fields);
    }
}

#[test]
fn answers_come_back_in_the_words_of_19() {
    let answer = json!([{"id": 1, "factor_inv": 12.0, "category_id": 2}]);
    assert_eq!(
        Dialect::V17.understood("uom.uom", answer),
        json!([{"id": 1, "factor": 12.0, "parent_path": 2}])
    );
    let answer = json!([{"id": 1, "group_id": 2}]);
    assert_eq!(
        Dialect::V18.understood("stock.picking", answer),
        json!([{"id": 1, "reference_ids": 2}])
    );
    let answer = json!([{"id": 1, "product_id": 2, "qty": 6.0}]);
    assert_eq!(
        Dialect::V18.understood("product.uom", answer),
        json!([{"id": 1, "product_id": 2, "contained": 6.0}])
    );
    let answer = json!([{"id": 1, "type": "product"}, {"id": 2, "type": "consu"}]);
    assert_eq!(
        Dialect::V17.understood("product.product", answer.clone()),
        json!([{"id": 1, "is_storable": true}, {"id": 2, "is_storable": false}])
    );
    assert_eq!(
        Dialect::V18.understood("product.product", answer.clone()),
        answer
    );
    assert_eq!(Dialect::V17.understood("uom.uom", json!(3)), json!(3));
}

#[test]
fn in_17_the_scheduled_date_guards_added_lines() {
    let fields = json!([
        ".id",
        "picking_type_id/.id",
        "location_id/.id",
        "location_dest_id/.id",
        "move_line_ids/id"
    ]);
    let body = json!({
        "fields": fields,
        "data": [["5", "2", "8", "9", "a.x"], ["", "", "", "", "a.y"]],
        "context": {"tz": "UTC"},
    });
    assert!(is_guarded("stock.picking", "load", &body));
    let scheduled = BTreeMap::from([("5".to_owned(), "2026-11-24 08:00:00".to_owned())]);
    assert_eq!(
        guarded(&body, &scheduled),
        json!({
            "fields": [".id", "scheduled_date", "move_line_ids/id"],
            "data": [["5", "2026-11-24 08:00:00", "a.x"], ["", "", "a.y"]],
            "context": {"tz": "UTC"},
        })
    );
    let write = json!({
        "ids": [5],
        "vals": {"picking_type_id": 2, "location_id": 8, "location_dest_id": 9, "move_line_ids": [[2, 7, 0]]},
    });
    assert!(is_guarded_write("stock.picking", "write", &write));
    assert_eq!(
        guarded_write(&write, &scheduled),
        json!({"ids": [5], "vals": {"scheduled_date": "2026-11-24 08:00:00", "move_line_ids": [[2, 7, 0]]}})
    );
    let note = json!({"ids": [5], "vals": {"note": "x"}});
    assert!(!is_guarded_write("stock.picking", "write", &note));
    let made = json!({"fields": ["id", "picking_type_id/.id"], "data": []});
    assert!(!is_guarded("stock.picking", "load", &made));
}
