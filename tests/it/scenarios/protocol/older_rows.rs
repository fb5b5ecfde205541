//! The gateway reads the same master data from Odoo 17 and 18 as from 19.

use serde_json::json;
use stockrelay::config;
use stockrelay::demo::odoo::Version;
use stockrelay::odoo::{Client, Kind};

use crate::scenarios::target::Target;
use stockrelay::odoo_id::CompanyId;

/// What a version has of a kind, without what tells when it was written.
async fn rows(version: Version, kind: Kind) -> Vec<serde_json::Value> {
    let odoo = Target::small_stand_in(version).await;
    // The same names in each version.
    let product = odoo.new_product("SAME", "lot").await;
    let unit = odoo.case_of(product, 12).await;
    let name = json!({"ids": [unit], "vals": {"name": "Case"}});
    odoo.admin("uom.uom", "write", name).await;
    let service = json!({"name": "Service", "type": "service", "barcode": "SERVICE"});
    odoo.made("product.product", service).await;
    let packaging = json!({"product_id": product, "uom_id": unit, "barcode": "CASE"});
    odoo.made("product.uom", packaging).await;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, &odoo.api_key).unwrap();
    let config = config::Odoo {
        user: Some("gateway".to_owned()),
        ..odoo.config(&key)
    };
    let mut client = Client::new(&config).unwrap();
    let page = client.page(kind, CompanyId::new(1), None, 0).await.unwrap();
    let page = page.into_iter().map(|mut row| {
        row.write_date = None;
        serde_json::to_value(row).unwrap()
    });
    page.collect()
}

#[tokio::test]
async fn units_and_products_are_those_of_19() {
    for kind in [Kind::Unit, Kind::Product] {
        let newest = rows(Version::V19, kind).await;
        assert!(newest.len() > 10, "{newest:?}");
        for version in [Version::V17, Version::V18] {
            assert_eq!(rows(version, kind).await, newest, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_packaging_holds_as_many_as_its_unit_in_19() {
    let newest = rows(Version::V19, Kind::Packaging).await;
    let units = rows(Version::V19, Kind::Unit).await;
    let unit = units.iter().find(|unit| unit["id"] == newest[0]["uom_id"]);
    for version in [Version::V17, Version::V18] {
        let older = rows(version, Kind::Packaging).await;
        assert_eq!(older[0]["barcode"], newest[0]["barcode"]);
        assert_eq!(older[0]["product_id"], newest[0]["product_id"]);
        assert_eq!(
            older[0]["contained"],
            unit.unwrap()["factor"],
            "{version:?}"
        );
    }
}
