//! Labels of pallets and packages in a receipt.

use super::labels::{MILK, PHONE};
use super::*;

#[test]
fn the_label_of_a_pallet_says_what_is_received_into_it() {
    let sscc = ["106141412345678908", "106141412345678915"];
    let label = |sscc: &str, rest: &str| format!("]C100{sscc}02{MILK}{rest}");
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1"]);
    assert_eq!(
        device.display(&label(sscc[0], "3724\u{1d}10L-1")),
        format!("Milk\n24, new lot L-1\n→ {}", sscc[0])
    );
    // The same lot on another pallet is another line, and so is what is on none.
    device.scan_all(&[&label(sscc[1], "3712\u{1d}10L-1"), "MILK", "L-1"]);
    // The label in two barcodes: the second says the lot.
    device.scan_all(&[&label(sscc[0], "3706"), "]C110L-2"]);
    assert_eq!(
        device.validated(),
        [
            format!("receive for WH/IN/1 24 {MILK} lot L-1 into {}", sscc[0]),
            format!("receive for WH/IN/1 12 {MILK} lot L-1 into {}", sscc[1]),
            "receive for WH/IN/1 1 MILK lot L-1".to_owned(),
            format!("receive for WH/IN/1 6 {MILK} lot L-2 into {}", sscc[0]),
        ]
    );
    // How many there are is asked where the label does not say it.
    device.scan_all(&["WH/IN/1"]);
    assert_eq!(
        device.display(&label(sscc[0], "10L-3")),
        "Milk\nScan the quantity"
    );
    device.scan_all(&["7"]);
    assert_eq!(
        device.validated(),
        [format!(
            "receive for WH/IN/1 7 {MILK} lot L-3 into {}",
            sscc[0]
        )]
    );
    // A label in two barcodes: what is inside, and the pallet.
    device.scan_all(&["WH/IN/1", &format!("]C102{MILK}3724\u{1d}10L-1")]);
    assert_eq!(
        device.display(&format!("]C100{}", sscc[0])),
        format!("Milk\n24, new lot L-1\n→ {}", sscc[0])
    );
    device.wrong(&format!("]C100{}", sscc[1]));
    device.scan_all(&["SR-UNDO", &format!("00{}13261101", sscc[1])]);
    assert_eq!(
        device.validated(),
        [format!(
            "receive for WH/IN/1 24 {MILK} lot L-1 into {}",
            sscc[1]
        )]
    );
    // Two pallets' goods are in no one package.
    let content = format!("]C102{MILK}3724\u{1d}10L-1");
    device.scan_all(&["WH/IN/1", &content, &content]);
    device.wrong(&format!("]C100{}", sscc[1]));
    device.scan_all(&["SR-CANCEL"]);
    // A pallet is there once.
    device.scan_all(&["WH/IN/1", &label(sscc[0], "3724\u{1d}10L-1")]);
    assert_eq!(
        device.wrong(&label(sscc[0], "3724\u{1d}10L-1")),
        format!("Milk\n{} was already scanned", sscc[0])
    );
    device.scan_all(&["SR-CANCEL"]);
    // A package alone says nothing of what is received, and a serial number is one piece.
    device.scan_all(&["WH/IN/1"]);
    assert_eq!(
        device.wrong(&format!("]C100{}", sscc[0])),
        format!("Not now: ]C100{}\nScan: product / order", sscc[0])
    );
    assert_eq!(
        device.wrong(&format!("]C100{}02{PHONE}3712", sscc[0])),
        "Phone\nOne piece per serial number"
    );
}

#[test]
fn odoos_own_label_of_a_package_is_that_package() {
    let mut device = Device::new("pack");
    device.scan_all(&[
        "]d10010614141234567890813261101",
        "LOC-A",
        "CHAIR",
        "OBTVALI",
    ]);
    assert_eq!(
        device.made(),
        ["pack 106141412345678908 1 of CHAIR from LOC-A"]
    );
}

#[test]
fn what_is_recorded_at_once_is_named_with_its_new_lot() {
    let mut device = Device::receiving_blind();
    assert_eq!(
        device.display(&format!("]C101{MILK}10L-1")),
        "Recorded: 1 × Milk (L-1)\nScan: product"
    );
}
