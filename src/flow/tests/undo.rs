//! Undo: scan by scan, then the last movement.

use super::*;

#[test]
fn undo_takes_back_read_by_read_and_then_what_was_made() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "CHAIR", "SR-QTY-7", "TABLE"]);
    let say = device.scan("SR-UNDO");
    assert_eq!(say.render(Language::English), "Chair\n7");
    let say = device.scan("SR-UNDO");
    assert_eq!(say.render(Language::English), "Chair\n2");
    device.scan_all(&["SR-UNDO", "SR-UNDO"]);
    assert_eq!(device.wrong("LOC-B"), "Not now: LOC-B\nScan: product");
    device.scan_all(&["SR-UNDO", "LOC-C", "CHAIR", "TABLE", "LOC-B"]);
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    assert_eq!(
        device.made(),
        ["1 CHAIR LOC-C > LOC-B", "1 TABLE LOC-C > LOC-B"]
    );
    device.scan_all(&["SR-UNDO"]);
    assert_eq!(
        device.made(),
        [format!("undo {}", ids[1]), format!("undo {}", ids[0])]
    );
    assert_eq!(device.wrong("SR-UNDO"), "Nothing to undo\nScan: bin");
}

#[test]
fn what_was_made_is_taken_back_in_every_flow_also_what_a_pause_made() {
    let flows: [(&str, &[&str], &str); 6] = [
        (
            "pick",
            &["WH/OUT/1", "LOC-A", "CHAIR", "LOC-B"],
            "pick WH/OUT/1 1 CHAIR from LOC-A",
        ),
        (
            "receive",
            &["WH/IN/1", "CHAIR", "WH/IN/2"],
            "receive for WH/IN/1 1 CHAIR",
        ),
        (
            "count",
            &["LOC-A", "CHAIR", "OBTVALI"],
            "count LOC-A 1 CHAIR",
        ),
        (
            "scrap",
            &["LOC-A", "CHAIR", "OBTVALI"],
            "scrap LOC-A 1 CHAIR",
        ),
        ("return", &["CHAIR", "LOC-A"], "return 1 CHAIR > LOC-A"),
        (
            "pack",
            &["SR-NEWPACK", "LOC-A", "CHAIR", "OBTVALI"],
            "pack ring-101 1 of CHAIR from LOC-A",
        ),
    ];
    for (flow, codes, made) in flows {
        let mut device = Device::new(flow);
        device.scan_all(codes);
        let id = device.events[0].id.clone();
        assert_eq!(device.made(), [made], "{flow}");
        // Undo first removes the scans of the unfinished movement.
        while device.state.trail.pop().is_some() {}
        let say = device.scan("SR-UNDO").render(Language::English);
        assert!(say.starts_with("Undone: 1 × Chair"), "{flow}: {say}");
        assert_eq!(device.made(), [format!("undo {id}")], "{flow}");
    }
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "LOC-A", "CHAIR", "TABLE"]);
    device.pause(61);
    device.scan_all(&["SR-UNDO"]);
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    let undone = [format!("undo {}", ids[1]), format!("undo {}", ids[0])];
    assert_eq!(device.made()[2..], undone);
}

#[test]
fn what_only_odoo_can_put_right_is_not_undone_here() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR", "OBTVALI"]);
    device.made();
    assert_eq!(
        device.wrong("SR-UNDO"),
        "Order already closed: correct it in Odoo"
    );
}

#[test]
fn of_what_one_scan_made_twice_the_last_is_taken_back() {
    let rules = r#"
        start = "blind"
        [custom.blind]
        movement = "receive"
        start = "product"
        on = [{ state = "product", code = "product", do = ["product", "emit", "product", "emit"] }]
    "#;
    let mut device = Device::new("");
    device.rules = toml::from_str(rules).unwrap();
    device.scan_all(&["CHAIR", "SR-UNDO"]);
    let last = device.events[1].id.clone();
    assert_eq!(device.made()[2..], [format!("undo {last}")]);
}
