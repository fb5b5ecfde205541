//! Labels while the flow expects a lot or serial number.

use super::*;
use crate::decode::nomenclature::{Conversion, Encoding};

/// The item number of Milk, which is tracked by lot.
pub(super) const MILK: &str = "04000000000501";
/// The item number of Phone, which is tracked by serial number.
pub(super) const PHONE: &str = "09506000134352";
/// A valid item number that Odoo does not have.
const OTHER: &str = "04006381333931";

impl Device {
    /// A receipt whose last product is this.
    pub(super) fn receiving(product: &str) -> Self {
        let mut device = Self::new("receive");
        device.scan_all(&["WH/IN/1", product]);
        device
    }

    pub(super) fn display(&mut self, code: &str) -> String {
        let say = self.scan(code);
        assert!(say.ok, "{code}: {say:?}");
        say.render(Language::English)
    }

    /// The events without the validation, after it.
    pub(super) fn validated(&mut self) -> Vec<String> {
        self.scan_all(&["OBTVALI"]);
        let mut made = self.made();
        assert_eq!(made.pop().as_deref(), Some("validate WH/IN/1"));
        made
    }
}

#[test]
fn odoos_own_lot_label_is_that_lot_of_that_product() {
    for code in [
        format!("01{MILK}101111"),
        format!("]d101{MILK}101111"),
        format!("]C101{MILK}101111"),
        format!("(01){MILK}(10)1111"),
    ] {
        let mut device = Device::receiving("MILK");
        assert_eq!(device.display(&code), "Milk\n1, new lot 1111", "{code}");
        let made = device.validated();
        assert_eq!(made, ["receive for WH/IN/1 1 MILK lot 1111"], "{code}");
    }
    // A product without an item number: the label is Odoo's where Odoo has the lot.
    let mut device = Device::receiving("MILK");
    assert_eq!(device.display("10LOT-7"), "Milk\n1, lot LOT-7");
    device.scan_all(&["MILK"]);
    assert_eq!(device.display("10L-7"), "Milk\n1, new lot 10L-7");
    device.scan_all(&["MILK"]);
    device.symbology = Symbology::of("datamatrix");
    assert_eq!(
        device.wrong("10L-8"),
        "New lot? Scan again\n10L-8\nLooks like: GS1 label"
    );
}

#[test]
fn odoos_own_label_is_read_where_a_product_is_awaited_too() {
    let mut device = Device::receiving("CHAIR");
    device.scan_all(&[
        &format!("01{MILK}1727013110A 7"),
        &format!("01{PHONE}21SN-9"),
    ]);
    assert_eq!(
        device.validated(),
        [
            "receive for WH/IN/1 1 CHAIR".to_owned(),
            format!("receive for WH/IN/1 1 {MILK} lot A 7 until 2027-01-31"),
            format!("receive for WH/IN/1 1 {PHONE} lot SN-9"),
        ]
    );
    // In flows that take no new lots, too.
    let mut device = Device::new("transfer");
    device.scan_all(&[
        "LOC-A",
        &format!("01{MILK}10LOT-7"),
        "MILK",
        &format!("01{MILK}10LOT-8"),
        "LOC-B",
    ]);
    assert_eq!(
        device.made(),
        [
            format!("1 {MILK} LOC-A > LOC-B lot LOT-7"),
            "1 MILK LOC-A > LOC-B lot LOT-8".to_owned(),
        ]
    );
}

#[test]
fn a_label_of_the_awaited_product_says_its_lot_and_is_no_further_piece() {
    let mut device = Device::receiving("MILK");
    device.scan_all(&["MILK", "MILK"]);
    assert_eq!(
        device.display(&format!("]C101{MILK}1727013110NEW-1")),
        "Milk\n3, new lot NEW-1"
    );
    // The quantity of its label takes the place of the running one.
    device.scan_all(&[MILK, &format!("]C101{MILK}3006\u{1d}10NEW-2")]);
    // One more of a lot that was read before.
    device.scan_all(&["MILK", &format!("]C101{MILK}10NEW-1")]);
    assert_eq!(
        device.validated(),
        [
            "receive for WH/IN/1 4 MILK lot NEW-1 until 2027-01-31".to_owned(),
            format!("receive for WH/IN/1 6 {MILK} lot NEW-2"),
        ]
    );
}

#[test]
fn a_number_that_happens_to_be_an_item_number_is_the_serial_number_that_is_awaited() {
    for code in ["202611280011", "4006381333931", "106141412345678908"] {
        let mut device = Device::receiving("PHONE");
        assert_eq!(
            device.display(code),
            format!("Phone\nNew serial number {code}")
        );
        assert_eq!(
            device.validated(),
            [format!("receive for WH/IN/1 1 PHONE lot {code}")]
        );
        let mut device = Device::receiving("MILK");
        assert_eq!(device.display(code), format!("Milk\n1, new lot {code}"));
    }
    // What Odoo has is what it is.
    let mut device = Device::receiving("PHONE");
    assert_eq!(device.display("4000000000501"), "Milk\n1. Scan the lot");
    // A flow that makes no lots refuses it, and takes no product of it.
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "PHONE"]);
    assert_eq!(
        device.wrong("202611280011"),
        "Unknown barcode 202611280011\nScan: serial number"
    );
    // Where no lot is awaited, it is a product.
    let mut device = Device::receiving("CHAIR");
    let say = device.scan("202611280011");
    assert_eq!(say.key, TextKey::ItemUnknown, "{say:?}");
}

#[test]
fn an_item_number_by_the_scanners_word_is_a_serial_number_only_the_second_time() {
    let mut device = Device::receiving("PHONE");
    device.symbology = Symbology::of("ean13");
    assert_eq!(
        device.wrong("4006381333931"),
        "New serial number? Scan again\n4006381333931\nLooks like: product"
    );
    device.scan_all(&["4006381333931"]);
    device.symbology = None;
    assert_eq!(
        device.validated(),
        ["receive for WH/IN/1 1 PHONE lot 4006381333931"]
    );
    // So is the number of a carton.
    let mut device = Device::receiving("MILK");
    device.symbology = Symbology::of("itf");
    device.wrong("14006381333938");
    device.scan_all(&["14006381333938", "MILK", "202611280011"]);
}

#[test]
fn new_serial_numbers_in_a_row_are_a_piece_each() {
    let mut device = Device::receiving("PHONE");
    for code in ["SN-A", "SN-B", "SN-C"] {
        assert_eq!(
            device.display(code),
            format!("Phone\nNew serial number {code}")
        );
    }
    assert_eq!(device.wrong("SN-B"), "Phone\nSN-B was already scanned");
    device.scan_all(&["SN-D", "SR-UNDO"]);
    assert_eq!(
        device.validated(),
        ["SN-A", "SN-B", "SN-C"].map(|code| format!("receive for WH/IN/1 1 PHONE lot {code}"))
    );
    // A count, and numbers that happen to be item numbers.
    let mut device = Device::new("count");
    device.scan_all(&[
        "LOC-A",
        "PHONE",
        "202611280011",
        "202611280028",
        "LOT-3",
        "LOC-B",
    ]);
    assert_eq!(
        device.made(),
        ["202611280011", "202611280028", "LOT-3"]
            .map(|code| format!("count LOC-A 1 PHONE lot {code}"))
    );
    // A pick makes no new ones.
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "PHONE", "LOT-1", "LOT-2"]);
    assert!(device.wrong("SN-C").starts_with("Unknown barcode SN-C"));
}

#[test]
fn what_looks_like_something_else_is_a_new_lot_only_the_second_time() {
    for (code, look) in [
        ("https://example.com/a", "web address"),
        ("+A123BJC5D6E71G", "HIBC label"),
        ("XX/OUT/00042", "order"),
        ("PACK0000001", "package"),
        ("SR-FLOWCOUNT", "command"),
        ("[)>06P123", "ISO 15434 label"),
        ("00106141412345678908", "package"),
        ("{\"code\": 7}", "data"),
    ] {
        let mut device = Device::receiving("MILK");
        let said = device.wrong(code);
        assert!(said.starts_with("New lot? Scan again\n"), "{code}: {said}");
        assert!(
            said.ends_with(&format!("Looks like: {look}")),
            "{code}: {said}"
        );
        let said = device.display(code);
        assert!(said.starts_with("Milk\n1, new lot "), "{code}: {said}");
        assert_eq!(
            device.validated(),
            [format!("receive for WH/IN/1 1 MILK lot {code}")]
        );
    }
}

#[test]
fn an_unknown_bin_and_a_label_of_another_product_are_asked_about() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "MILK"]);
    // The floor's own bins begin with LOC-, so the unknown one differs by its case.
    for (code, look) in [
        ("loc-bin-9999", "bin"),
        ("pack-77", "package"),
        ("SKU-7", "product"),
        (&format!("01{PHONE}21SN-9"), "product"),
        (&format!("01{OTHER}10L-9"), "GS1 label"),
        (&format!("]C191{OTHER}"), "GS1 label"),
    ] {
        let said = device.wrong(code);
        assert!(
            said.ends_with(&format!("Looks like: {look}")),
            "{code}: {said}"
        );
    }
    // What says that it is GS1's, and is another product's, is that product.
    let say = device.scan(&format!("]C101{OTHER}10L-9"));
    assert_eq!(say.key, TextKey::LotUnknown, "{say:?}");
}

#[test]
fn only_the_same_code_at_once_and_by_a_person_is_the_second_time() {
    let code = "https://example.com/a";
    let mut device = Device::receiving("MILK");
    device.wrong(code);
    device.wrong("https://example.com/b");
    device.wrong(code);
    device.wrong("LOC-A");
    device.wrong(code);
    // A message that may have been sent twice says nothing about what a person did.
    device.possible_repeat = true;
    device.wrong(code);
    device.possible_repeat = false;
    device.scan_all(&[code]);
    // In a row the next ones of the same shape need no second scan; others do.
    let mut device = Device::receiving("PHONE");
    device.wrong("https://example.com/7");
    device.scan_all(&["https://example.com/7", "https://example.com/8"]);
    device.wrong("https://example.org/8");
    device.wrong("4006381333931");
    device.wrong("loc-bin-9999");
    assert_eq!(device.validated().len(), 2);
    // A pause ends it.
    let mut device = Device::receiving("MILK");
    device.wrong(code);
    device.pause(601);
    device.scan_all(&["WH/IN/1", "MILK"]);
    device.wrong(code);
}

#[test]
fn a_pattern_refuses_all_other_new_names() {
    let mut device = Device::receiving("MILK");
    device.site_pattern = LotPattern::of("[A-Z]{2}[0-9]{4}");
    assert_eq!(
        device.wrong("LX1"),
        "LX1 is not a lot of this site\nScan the lot"
    );
    assert_eq!(
        device.wrong("LX1"),
        "LX1 is not a lot of this site\nScan the lot"
    );
    device.wrong(&format!("]C101{MILK}10LX1"));
    device.wrong("]C110LX1");
    assert_eq!(device.display("LX1234"), "Milk\n1, new lot LX1234");
    // Lots that Odoo has are not asked about.
    device.scan_all(&["MILK", "LOT-7"]);
    // The profile's own takes the place of the site's.
    device.rules.lot_pattern = LotPattern::of("[0-9]+");
    device.scan_all(&["MILK"]);
    device.wrong("LX1235");
    device.scan_all(&["4711", "PHONE"]);
    assert_eq!(
        device.wrong("LX1236"),
        "LX1236 is not a serial number of this site\nScan the serial number"
    );
    device.scan_all(&["4712"]);
    // The lots of a product that nobody here knows are new, too.
    device.wrong(&format!("]C101{OTHER}10LX1237"));
    assert_eq!(device.validated().len(), 4);
}

#[test]
fn a_batch_is_no_serial_number_and_a_serial_number_no_lot() {
    let mut device = Device::receiving(&format!("]C101{PHONE}10B-1"));
    assert_eq!(
        device.wrong("OBTVALI"),
        "Phone\nThe serial number is missing: scan it"
    );
    assert_eq!(
        device.wrong("]C110B-1"),
        "B-1 is the lot\nScan the serial number"
    );
    assert_eq!(
        device.display("]C110B-1\u{1d}21SN-1"),
        "Phone\nNew serial number SN-1"
    );
    assert_eq!(
        device.wrong("]C110B-2"),
        "B-2 is the lot\nScan the serial number"
    );
    device.scan_all(&["]C121SN-2"]);
    assert_eq!(
        device.validated(),
        ["SN-1", "SN-2"].map(|lot| format!("receive for WH/IN/1 1 {PHONE} lot {lot}"))
    );

    let mut device = Device::receiving(&format!("]C101{MILK}21SN-1"));
    assert_eq!(device.wrong("OBTVALI"), "Milk\nThe lot is missing: scan it");
    assert_eq!(
        device.wrong("]C121SN-1"),
        "SN-1 is a serial number\nScan the lot"
    );
    device.scan_all(&["]C110B-1\u{1d}21SN-1"]);
    assert_eq!(
        device.validated(),
        [format!("receive for WH/IN/1 1 {MILK} lot B-1")]
    );
}

#[test]
fn what_a_rule_of_odoos_says_that_a_text_is_is_a_lot_only_the_second_time() {
    let kinds = [
        ("lot", "10"),
        ("location", "414"),
        ("cashier", "041"),
        ("weight", "21"),
    ];
    let rules = kinds.map(|(kind, pattern)| rule(Encoding::Any, kind, pattern));
    let nomenclature = Nomenclature::new(Conversion::Always, rules.to_vec()).unwrap();
    let mut device = Device::receiving("MILK");
    device.nomenclature = Some(nomenclature);
    assert_eq!(device.display("10-7"), "Milk\n1, new lot 10-7");
    for (code, look) in [
        ("4140001", "bin"),
        ("0411234", "badge"),
        ("21-7", "product"),
    ] {
        device.scan_all(&["MILK"]);
        let said = device.wrong(code);
        assert!(said.ends_with(&format!("Looks like: {look}")), "{said}");
        assert_eq!(device.display(code), format!("Milk\n1, new lot {code}"));
    }
    // Where such a code may come, it is what the rule says.
    device.scan_all(&["PHONE", "SN-1", "0411234", "OBTVALI"]);
    assert_eq!(device.events[0].operator.as_deref(), Some("0411234"));
}

#[test]
fn a_serial_number_is_a_lot_where_the_sites_nomenclature_says_so() {
    let rule = rule(Encoding::Gs1, "lot", "(21)([!\"%-/0-9:-?A-Z_a-z]{0,20})");
    let mut device = Device::new("receive");
    device.nomenclature = Some(Nomenclature::gs1("", vec![rule]).unwrap());
    let label = format!("]C101{MILK}21SN-1");
    device.scan_all(&[
        "WH/IN/1",
        &label,
        "MILK",
        "]C121SN-2",
        &format!("]C101{PHONE}10B-1"),
    ]);
    // A batch is a serial number nowhere.
    assert_eq!(
        device.wrong("]C110B-1"),
        "B-1 is the lot\nScan the serial number"
    );
    device.scan_all(&["SR-UNDO"]);
    assert_eq!(
        device.validated(),
        [
            format!("receive for WH/IN/1 1 {MILK} lot SN-1"),
            "receive for WH/IN/1 1 MILK lot SN-2".to_owned()
        ]
    );
}

#[test]
fn the_lot_that_is_asked_for_goes_to_the_product_that_lacks_it() {
    let mut device = Device::receiving("MILK");
    device.scan_all(&["PHONE", "SN-1"]);
    assert_eq!(
        device.wrong_of("OBTVALI"),
        "Milk\nThe lot is missing: scan it"
    );
    assert_eq!(device.display("L-1"), "Milk\n1, new lot L-1");
    assert_eq!(
        device.validated(),
        [
            "receive for WH/IN/1 1 MILK lot L-1",
            "receive for WH/IN/1 1 PHONE lot SN-1"
        ]
    );
}

impl Device {
    /// A scan that must be wrong, and make nothing.
    pub(super) fn wrong_of(&mut self, code: &str) -> String {
        let made = self.events.len();
        let say = self.scan(code);
        assert!(!say.ok && self.events.len() == made, "{code}: {say:?}");
        say.render(Language::English)
    }
}

#[test]
fn a_bin_with_the_name_of_the_lot_that_is_awaited_is_that_lot() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "MILK"]);
    assert_eq!(device.display("LOC-LOT"), "Milk\n1, lot LOC-LOT");
    // Where the bin may come, too, it has two meanings.
    device.scan_all(&["PHONE", "LOT-1"]);
    assert_eq!(
        device.wrong("LOC-LOT"),
        "LOC-LOT has more than one meaning\nTell your supervisor"
    );
}

#[test]
fn a_bin_with_the_name_of_the_quantity_that_is_asked_for_is_that_quantity() {
    let mut device = Device::receiving("CHAIR");
    device.wrong("24");
    device.scan_all(&["SR-QTY"]);
    device.wrong("LOC-A");
    assert_eq!(device.display("24"), "Chair\n24");
    assert_eq!(
        device.wrong("25"),
        "25 has more than one meaning\nTell your supervisor"
    );
    device.scan_all(&["SR-QTY"]);
    assert_eq!(device.display("25"), "Chair\n25");
}

#[test]
fn a_lot_that_a_count_does_not_make_is_not_called_new() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "MILK"]);
    assert_eq!(
        device.display("L-9"),
        "Milk\n1, lot L-9, not in Odoo's data yet"
    );
}
