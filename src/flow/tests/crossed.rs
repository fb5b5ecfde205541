//! Labels of one kind where something else is awaited, and pallets whose label says too little.

use super::labels::{MILK, PHONE};
use super::*;

#[test]
fn data_identifiers_tell_a_batch_from_a_serial_number() {
    let message = |fields: &str| format!("[)>\u{1e}06\u{1d}{fields}\u{1e}\u{4}");
    let mut device = Device::receiving("PHONE");
    device.data_identifiers = true;
    assert_eq!(
        device.wrong(&message("1TB-1")),
        "B-1 is the lot\nScan the serial number"
    );
    device.scan_all(&[&message("1TB-1\u{1d}SSN-1"), "MILK"]);
    assert_eq!(
        device.wrong(&message("SSN-2")),
        "SN-2 is a serial number\nScan the lot"
    );
    assert_eq!(
        device.display(&message("1TB-2\u{1d}SSN-2")),
        "Milk\n1, new lot B-2"
    );
    assert_eq!(
        device.validated(),
        [
            "receive for WH/IN/1 1 PHONE lot SN-1",
            "receive for WH/IN/1 1 MILK lot B-2"
        ]
    );
}

#[test]
fn digits_that_end_in_the_name_of_another_lot_are_a_name_of_their_own() {
    // Odoo has the lot 47, and its label would be 1047.
    let mut device = Device::receiving("MILK");
    assert_eq!(device.display("47"), "Milk\n1, lot 47");
    device.scan_all(&["MILK"]);
    assert_eq!(
        device.wrong("1047"),
        "New lot? Scan again\n1047\nLooks like: GS1 label"
    );
    assert_eq!(device.display("1047"), "Milk\n1, new lot 1047");
    // Odoo prints no linear barcode with such data.
    device.symbology = Symbology::of("code128");
    device.scan_all(&["MILK"]);
    assert_eq!(device.display("10LOT-7"), "Milk\n1, new lot 10LOT-7");
    device.symbology = Symbology::of("datamatrix");
    device.scan_all(&["MILK"]);
    assert_eq!(device.display("1047"), "Milk\n2, lot 47");
    // Nor is it that lot where it must be there.
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "MILK"]);
    assert_eq!(device.wrong("1047"), "Unknown barcode 1047\nScan: lot");
    device.scan_all(&["10LOT-7"]);
}

#[test]
fn a_quantity_that_is_asked_for_is_never_one() {
    let sscc = "106141412345678908";
    let label = format!("]C100{sscc}02{MILK}10L-3");
    let begun = || {
        let mut device = Device::new("receive");
        device.scan_all(&["WH/IN/1", &label]);
        device
    };
    for command in ["OBTVALI", "SR-FLOW-COUNT", "O-BTN.validate"] {
        let mut device = begun();
        assert_eq!(
            device.wrong_of(command),
            "Milk\nThe quantity is missing: scan it",
            "{command}"
        );
        device.scan_all(&["7"]);
        assert_eq!(
            device.validated(),
            [format!("receive for WH/IN/1 7 {MILK} lot L-3 into {sscc}")]
        );
    }
    // Nor after a pause.
    let mut device = begun();
    device.pause(61);
    device.scan_all(&["8", "OBTVALI"]);
    assert_eq!(
        device.made()[0],
        format!("receive for WH/IN/1 8 {MILK} lot L-3 into {sscc}")
    );
    // Undo takes the label back.
    let mut device = begun();
    device.scan_all(&["SR-UNDO", "CHAIR"]);
    assert_eq!(device.validated(), ["receive for WH/IN/1 1 CHAIR"]);
    // Or the quantity, and then the label.
    let mut device = begun();
    device.scan_all(&["7"]);
    assert_eq!(device.display("SR-UNDO"), "Milk\nScan the quantity");
    device.wrong("OBTVALI");
    device.scan_all(&["SR-UNDO", "SR-UNDO", "WH/IN/1"]);
    // The lot comes after it.
    device.scan_all(&[&format!("]C100{sscc}02{MILK}")]);
    assert_eq!(
        device.wrong_of("OBTVALI"),
        "Milk\nThe quantity is missing: scan it"
    );
    assert_eq!(
        device.display("9"),
        format!("Milk\n9. Scan the lot\n→ {sscc}")
    );
    device.scan_all(&["LOT-1"]);
    assert_eq!(
        device.validated(),
        [format!(
            "receive for WH/IN/1 9 {MILK} lot LOT-1 into {sscc}"
        )]
    );
    // What is in a package, on a barcode without the package.
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1"]);
    let content = format!("]C102{MILK}10L-3");
    assert_eq!(device.display(&content), "Milk\nScan the quantity");
    device.scan_all(&["24", &format!("]C100{sscc}")]);
    assert_eq!(device.display(&content), "Milk\nScan the quantity");
    device.scan_all(&["6"]);
    assert_eq!(
        device.validated(),
        [
            format!("receive for WH/IN/1 24 {MILK} lot L-3 into {sscc}"),
            format!("receive for WH/IN/1 6 {MILK} lot L-3"),
        ]
    );
}

#[test]
fn a_weighed_label_of_the_awaited_product_is_no_further_piece() {
    // One case of cheese by its own number, then the label of that case with its weight and lot.
    let mut device = Device::receiving("CHEESE-CASE");
    let label = "]C101006141410000433103009800\u{1d}10LOT-1";
    assert_eq!(device.display(label), "Cheese\n9.8, lot LOT-1");
    device.scan_all(&["SR-UNDO", label]);
    device.scan_all(&["OBTVALI"]);
    assert_eq!(device.events[0].measures["net_kg"], "9.8".parse().unwrap());
    assert_eq!(device.made()[0], "receive for WH/IN/1 9.8 CHEESE lot LOT-1");
}

#[test]
fn what_is_on_a_pallet_is_apart_from_what_lies_loose() {
    let sscc = "106141412345678908";
    let mut device = Device::new("receive");
    let content = format!("]C102{MILK}3724\u{1d}10L-1");
    device.scan_all(&["WH/IN/1", &format!("]C101{MILK}10L-1"), &content]);
    device.scan_all(&["SR-UNDO", &content]);
    assert_eq!(
        device.display(&format!("]C100{sscc}")),
        format!("Milk\n24, new lot L-1\n→ {sscc}")
    );
    // The lot in a barcode of its own.
    device.scan_all(&[&format!("]C102{MILK}3712"), "]C110L-1"]);
    assert_eq!(
        device.display("]C100106141412345678915"),
        "Milk\n12, new lot L-1\n→ 106141412345678915"
    );
    device.scan_all(&["SR-UNDO", "SR-UNDO", "]C110L-2"]);
    assert_eq!(
        device.validated(),
        [
            format!("receive for WH/IN/1 1 {MILK} lot L-1"),
            format!("receive for WH/IN/1 24 {MILK} lot L-1 into {sscc}"),
            format!("receive for WH/IN/1 12 {MILK} lot L-2"),
        ]
    );
    // A serial number is there once.
    let mut device = Device::receiving(&format!("]C101{PHONE}21SN-1"));
    device.wrong(&format!("]C102{PHONE}3701\u{1d}21SN-1"));
}

#[test]
fn the_lot_of_a_pallets_content_may_be_on_the_label_of_a_piece() {
    let sscc = "106141412345678908";
    let mut device = Device::receiving(&format!("]C102{MILK}3724"));
    assert_eq!(
        device.display(&format!("]C101{MILK}10L-1")),
        "Milk\n24, new lot L-1"
    );
    assert_eq!(
        device.display(&format!("]C100{sscc}")),
        format!("Milk\n24, new lot L-1\n→ {sscc}")
    );
    // What is in a package is asked for, also of a product that was already scanned.
    device.scan_all(&["MILK"]);
    assert_eq!(
        device.display(&format!("]C102{MILK}10L-2")),
        "Milk\nScan the quantity"
    );
    device.scan_all(&["12", "MILK", "SR-QTY-6", &format!("]C102{MILK}10L-3")]);
    assert_eq!(
        device.validated(),
        [
            format!("receive for WH/IN/1 24 {MILK} lot L-1 into {sscc}"),
            "receive for WH/IN/1 12 MILK lot L-2".to_owned(),
            "receive for WH/IN/1 6 MILK lot L-3".to_owned(),
        ]
    );
}

#[test]
fn a_lot_of_a_count_that_a_pause_ended_is_not_looked_for() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "MILK"]);
    let engine = Engine::new(&device.rules);
    let last = |seconds| {
        let later = device.now + SignedDuration::from_secs(seconds);
        let state = engine.state_at(&device.state, later);
        state.last_product().map(str::to_owned)
    };
    assert_eq!(last(599).as_deref(), Some("MILK"));
    assert_eq!(last(601), None);
}
