//! A product is one product under all its codes, and a label's measure is no bare number.

use super::*;
use crate::event::Measures;
use crate::odoo_id::{ProductId, UnitId};

pub const KILOGRAM: UnitId = UnitId::new(2);

pub fn factor(code: &str) -> Decimal {
    match code {
        "NUT-6" => 6.into(),
        "NUT-7" => 7.into(),
        "HAM-CASE" | "CHEESE-CASE" | "00614141000043" => 10.into(),
        _ => Decimal::ONE,
    }
}

/// The code of the product's own unit is `HAM` for ham and `CHEESE` for cheese. Nuts and phones
/// have no such code.
pub fn coded(code: &str) -> Option<CodedProduct> {
    let (id, own_code) = match code {
        "NUT" | "NUT-6" | "NUT-7" => (1, None),
        "HAM" | "HAM-CASE" => (2, Some("HAM".to_owned())),
        "CHEESE" | "CHEESE-CASE" | "00614141000043" => (4, Some("CHEESE".to_owned())),
        "PHONE" | "09506000134352" => (3, None),
        _ => return None,
    };
    Some(CodedProduct {
        id: ProductId::new(id),
        factors: (factor(code), Decimal::ONE),
        own_code,
    })
}

fn measures(device: &Device) -> Vec<Measures> {
    device
        .events
        .iter()
        .map(|made| made.measures.clone())
        .collect()
}

fn net_kg(weight: &str) -> Measures {
    Measures::from([("net_kg".to_owned(), weight.parse().unwrap())])
}

#[test]
fn a_count_is_one_for_each_product_under_whichever_of_its_codes() {
    let mut device = Device::new("count");
    device.scan_all(&[
        "LOC-A", "HAM-CASE", "HAM-CASE", "HAM", "SR-QTY-5", "TABLE", "LOC-B",
    ]);
    assert_eq!(device.made(), ["count LOC-A 25 HAM", "count LOC-A 1 TABLE"]);
    // No code stands for one unit of the product: the code that can express the sum.
    device.scan_all(&["NUT-7", "LOT-1", "SR-QTY-6", "NUT-6", "LOT-1", "LOC-A"]);
    assert_eq!(device.made(), ["count LOC-B 8 NUT-6 lot LOT-1"]);
    device.scan_all(&["NUT-7", "LOT-1", "NUT-6", "LOT-2", "LOC-B"]);
    assert_eq!(
        device.made(),
        [
            "count LOC-A 1 NUT-7 lot LOT-1",
            "count LOC-A 1 NUT-6 lot LOT-2"
        ],
        "two lots are two counts"
    );
    device.scan_all(&["NUT-7", "LOT-1", "NUT-6", "LOT-1", "LOC-A"]);
    assert_eq!(
        device.made(),
        [
            "count LOC-B 1 NUT-7 lot LOT-1",
            "count LOC-B 1 NUT-6 lot LOT-1"
        ],
        "neither code states 13: two counts of one time, for a person"
    );
}

#[test]
fn a_read_under_another_code_is_taken_back_alone() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "HAM", "HAM-CASE", "SR-UNDO", "HAM", "LOC-B"]);
    assert_eq!(device.made(), ["count LOC-A 2 HAM"]);
}

#[test]
fn a_movement_keeps_the_codes_that_were_scanned() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "HAM-CASE", "HAM", "LOC-B"]);
    assert_eq!(
        device.made(),
        ["1 HAM-CASE LOC-A > LOC-B", "1 HAM LOC-A > LOC-B"]
    );
}

#[test]
fn a_serial_number_is_seen_under_each_code_of_its_product() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "PHONE", "LOT-S1"]);
    let said = device.wrong("]C1010950600013435221LOT-S1");
    assert!(said.contains("LOT-S1"), "{said}");
}

#[test]
fn the_weight_of_what_is_kept_in_units_is_recorded_and_no_quantity() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "]C101006141410000293103012500", "LOC-B"]);
    assert_eq!(measures(&device), [net_kg("12.5")]);
    assert_eq!(device.made(), ["1 00614141000029 LOC-A > LOC-B"]);
    // Two labels add up. With a label without a weight the sum is unknown.
    let label = "]C101006141410000293103010000";
    device.scan_all(&["LOC-A", label, label, "LOC-B"]);
    assert_eq!(measures(&device), [net_kg("20")]);
    assert_eq!(device.made(), ["2 00614141000029 LOC-A > LOC-B"]);
    device.scan_all(&["LOC-A", label, "]C10100614141000029", "LOC-B"]);
    assert_eq!(measures(&device), [Measures::new()]);
    assert_eq!(device.made(), ["2 00614141000029 LOC-A > LOC-B"]);
    // Nor of a quantity that was typed.
    device.scan_all(&["LOC-A", label, "SR-QTY-3", "LOC-B"]);
    assert_eq!(measures(&device), [Measures::new()]);
}

#[test]
fn the_weight_of_what_is_weighed_is_its_quantity() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "]C101006141410000363103012500", "LOC-B"]);
    assert_eq!(measures(&device), [net_kg("12.5")]);
    assert_eq!(device.made(), ["12.5 00614141000036 LOC-A > LOC-B"]);
    device.scan_all(&["LOC-A"]);
    let said = device.wrong("]C101006141410000363103000000");
    assert!(said.contains("0 kg does not fit"), "{said}");
    let said = device.wrong("]C101001234567890053103012500");
    assert!(said.contains("weight gives no quantity"), "{said}");
}
