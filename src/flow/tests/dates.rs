//! The dates on a label, and the notes that the display shows once.

use super::*;

/// The item numbers of the floor's products.
const MILK: &str = "(01)00000000000017";
const PHONE: &str = "(01)09506000134352";

fn receiving() -> Device {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1"]);
    device
}

#[test]
fn a_best_before_date_goes_with_the_lot() {
    let mut device = receiving();
    device.scan_all(&[&format!("{MILK}(10)L1(15)270531")]);
    device.scan_all(&[&format!("{MILK}(10)L2(15)270531(17)270615")]);
    // On the second code of a label.
    device.scan_all(&["MILK", "(10)L3(15)270601", "MILK", "LOT-4", "OBTVALI"]);
    assert_eq!(
        device.made(),
        [
            "receive for WH/IN/1 1 00000000000017 lot L1 best 2027-05-31",
            "receive for WH/IN/1 1 00000000000017 lot L2 best 2027-05-31 until 2027-06-15",
            "receive for WH/IN/1 1 MILK lot L3 best 2027-06-01",
            "receive for WH/IN/1 1 MILK lot LOT-4",
            "validate WH/IN/1"
        ]
    );
}

#[test]
fn the_time_of_an_expiry_is_kept() {
    let mut device = receiving();
    device.scan_all(&[&format!("{MILK}(10)L1(7003)2705311430"), "OBTVALI"]);
    assert_eq!(
        device.made()[0],
        "receive for WH/IN/1 1 00000000000017 lot L1 until 2027-05-31T14:30:00"
    );
}

#[test]
fn dates_that_are_not_used_are_told_once() {
    let mut device = receiving();
    let label = format!("{MILK}(10)L1(11)261101(17)270615");
    let say = device.scan(&label);
    assert_eq!(
        say.render(Language::English),
        "Milk\n1, new lot L1\nOK, ignored: (11) 2026-11-01"
    );
    assert_eq!(
        device.scan(&label).render(Language::English),
        "Milk\n2, new lot L1"
    );
    device.scan_all(&["SR-UNDO", "OBTVALI", "WH/IN/2"]);
    assert_eq!(
        device.scan(&label).render(Language::English),
        "Milk\n1, new lot L1"
    );
    // A long name leaves the note its place.
    let mut say = device.scan(&format!("{PHONE}(21)S1(13)261101"));
    say.arguments[0].1 = "x".repeat(200);
    let text = say.render(Language::German);
    assert!(text.ends_with("\nOK, ignoriert: (13) 2026-11-01"), "{text}");
    assert!(text.chars().count() <= 80, "{text}");
    // Elsewhere the lot is there, with the dates that it has.
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A"]);
    assert_eq!(
        device.scan(&label).render(Language::English),
        "Milk\n1, lot L1, not in Odoo's data yet"
    );
}

#[test]
fn a_count_beside_an_item_number_is_told_once_where_odoos_rules_take_it() {
    let mut device = receiving();
    device.nomenclature = Some(odoo_gs1());
    let label = format!("{MILK}(10)L1(37)6");
    let say = device.scan(&label);
    assert_eq!(
        say.render(Language::English),
        "Milk\n6, new lot L1\nOK: quantity from the label, (37)"
    );
    assert_eq!(
        device.scan(&label).render(Language::English),
        "Milk\n12, new lot L1"
    );
    device.scan_all(&["OBTVALI"]);
    assert_eq!(
        device.made()[0],
        "receive for WH/IN/1 12 00000000000017 lot L1"
    );
    // Without such rules the label is refused.
    let mut device = receiving();
    assert!(device.wrong(&label).contains("(37)6"));
}

#[test]
fn the_dates_of_one_piece_are_not_those_of_the_next() {
    // The label of a piece: its dates are its own.
    let mut device = receiving();
    device.scan_all(&[
        &format!("{PHONE}(17)270615(15)270531(21)SN-1"),
        "SN-2",
        "(21)SN-3(17)280101(15)271231",
        "SN-4",
        "OBTVALI",
    ]);
    let receipt = |code: &str, rest: &str| format!("receive for WH/IN/1 1 {code} lot {rest}");
    let code = "09506000134352";
    assert_eq!(
        device.made()[..4],
        [
            receipt(code, "SN-1 best 2027-05-31 until 2027-06-15"),
            receipt(code, "SN-2"),
            receipt(code, "SN-3 best 2027-12-31 until 2028-01-01"),
            receipt(code, "SN-4"),
        ]
    );
    // The label of the product: its dates are those of each, but where a piece says its own.
    let mut device = receiving();
    device.scan_all(&[
        &format!("{PHONE}(7003)2706151430(15)270531"),
        "SN-1",
        "(21)SN-2(17)280101(15)271231",
        "SN-3",
        "SR-UNDO",
        "SN-4",
        "OBTVALI",
    ]);
    assert_eq!(
        device.made()[..3],
        [
            receipt(code, "SN-1 best 2027-05-31 until 2027-06-15T14:30:00"),
            receipt(code, "SN-2 best 2027-12-31 until 2028-01-01"),
            receipt(code, "SN-4 best 2027-05-31 until 2027-06-15T14:30:00"),
        ]
    );
    // The dates of the label that says the lot are the lot's.
    let mut device = receiving();
    device.scan_all(&[
        &format!("{MILK}(17)270615(15)270531"),
        "(10)L1(17)270701(15)270630",
        "MILK",
        "010000000000001715270901172710311027-3",
        "OBTVALI",
    ]);
    assert_eq!(
        device.made()[..2],
        [
            "receive for WH/IN/1 1 00000000000017 lot L1 best 2027-06-30 until 2027-07-01",
            "receive for WH/IN/1 1 MILK lot 27-3 best 2027-09-01 until 2027-10-31",
        ]
    );
}

#[test]
fn what_an_earlier_version_remembered_is_gone_on_with() {
    let mut device = receiving();
    let stored = serde_json::json!({
        "at": "more",
        "work": {
            "order": "WH/IN/1",
            "items": [
                {"code": "PHONE", "name": "Phone", "quantity": "1", "lot": null,
                 "expiry": "2027-06-15", "tracking": "serial"}
            ],
            "last": 0,
        },
        "trail": [{"at": "first", "did": ["added"]}],
        "done": "nothing",
        "seq": 100,
        "made": 0,
    });
    device.state = crate::flow::stored::decode(stored.to_string().as_bytes()).unwrap();
    device.scan_all(&["SN-1", "SR-UNDO", "SN-2", "SN-3", "OBTVALI"]);
    assert_eq!(
        device.made()[..2],
        [
            "receive for WH/IN/1 1 PHONE lot SN-2 until 2027-06-15",
            "receive for WH/IN/1 1 PHONE lot SN-3",
        ]
    );
}
