//! Each built-in flow, scan by scan.

use super::*;

#[test]
fn a_transfer_is_made_when_the_bin_it_goes_to_is_scanned() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "CHAIR"]);
    let say = device.scan("CHAIR");
    assert_eq!(say.render(Language::English), "Chair\n3");
    device.scan_all(&["TABLE"]);
    assert!(device.made().is_empty());
    let say = device.scan("LOC-B");
    assert_eq!(
        say.render(Language::English),
        "Recorded: 3 × Chair +1\nScan: bin"
    );
    let ids: Vec<_> = device.events.iter().map(|made| made.id.clone()).collect();
    assert_eq!(
        ids,
        ["flow-105-1-7a9", "flow-105-2-7a9"].map(|id| id.replace("105", &device.seq.to_string()))
    );
    assert_eq!(
        device.made(),
        ["3 CHAIR LOC-A > LOC-B", "1 TABLE LOC-A > LOC-B"]
    );
}

#[test]
fn what_is_wrong_here_changes_nothing_and_what_is_wanted_is_said() {
    let mut device = Device::new("transfer");
    assert_eq!(device.wrong("CHAIR"), "Not now: CHAIR\nScan: bin");
    device.scan_all(&["LOC-A"]);
    assert_eq!(device.wrong("LOC-B"), "Not now: LOC-B\nScan: product");
    assert_eq!(device.wrong("WH/OUT/1"), "Not now: WH/OUT/1\nScan: product");
    assert_eq!(device.wrong("LOT-1"), "Not now: LOT-1\nScan: product");
    assert_eq!(device.wrong("SR-QTY-5"), "Not now: SR-QTY-5\nScan: product");
    assert_eq!(device.wrong("???"), "Unknown barcode ???\nScan: product");
    assert_eq!(
        device.wrong("BOTH"),
        "BOTH has more than one meaning\nTell your supervisor"
    );
    assert_eq!(
        device.wrong("OBTVALI"),
        "No product scanned yet\nScan: product"
    );
    assert_eq!(
        device.wrong("OBTPRSL"),
        "OBTPRSL has no effect here\nScan: product"
    );
    assert_eq!(
        device.wrong("SR-FLOW-DANCE"),
        "This device has no flow dance"
    );
    device.scan_all(&["CHAIR"]);
    assert_eq!(
        device.wrong("OBTVALI"),
        "Not finished: 1 × Chair\nScan: bin",
        "a transfer is complete with the bin it goes to"
    );
    assert_eq!(
        device.wrong("LOT-1"),
        "Not now: LOT-1\nScan: product / bin",
        "a chair has no lot"
    );
    device.scan_all(&["LOC-B"]);
    assert_eq!(device.made(), ["1 CHAIR LOC-A > LOC-B"]);
}

#[test]
fn a_pick_goes_by_order_bin_products_and_is_validated() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "LOC-A", "CHAIR", "CHAIR", "LOC-B"]);
    assert_eq!(device.made(), ["pick WH/OUT/1 2 CHAIR from LOC-A"]);
    device.scan_all(&["TABLE"]);
    let say = device.scan("OBTVALI");
    assert_eq!(
        say.render(Language::English),
        "You closed WH/OUT/1\nScan: order"
    );
    assert_eq!(
        device.made(),
        ["pick WH/OUT/1 1 TABLE from LOC-B", "validate WH/OUT/1"]
    );
    // Without a bin, and the next order ends the one before.
    device.scan_all(&["WH/OUT/2", "CHAIR", "WH/OUT/3"]);
    assert_eq!(device.made(), ["pick WH/OUT/2 1 CHAIR"]);
}

#[test]
fn what_is_picked_goes_into_packages() {
    let mut device = Device::new("pick");
    device.scan_all(&[
        "WH/OUT/1",
        "PACK-1",
        "CHAIR",
        "SR-NEWPACK",
        "TABLE",
        "OBTVALI",
    ]);
    let fresh = device.seq.back_by(2);
    assert_eq!(
        device.made(),
        [
            "pack PACK-1 1 of CHAIR for WH/OUT/1".to_owned(),
            format!("pack ring-{fresh} 1 of TABLE for WH/OUT/1"),
            "validate WH/OUT/1".to_owned()
        ]
    );
    device.scan_all(&["WH/OUT/1", "CHAIR", "OBTPACK", "TABLE", "OBTVALI"]);
    let fresh = device.seq.back_by(2);
    assert_eq!(
        device.made()[..2],
        [
            format!("pack ring-{fresh} 1 of CHAIR for WH/OUT/1"),
            "pick WH/OUT/1 1 TABLE".to_owned()
        ]
    );
}

#[test]
fn goods_are_received_with_lots_that_nobody_knew() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1"]);
    let say = device.scan("MILK");
    assert_eq!(say.render(Language::English), "Milk\n1. Scan the lot");
    assert_eq!(device.wrong("OBTVALI"), "Milk\nThe lot is missing: scan it");
    device.scan_all(&["L-NEW-7", "SR-QTY", "24", "CHAIR", "OBTVALI"]);
    assert_eq!(
        device.made(),
        [
            "receive for WH/IN/1 24 MILK lot L-NEW-7",
            "receive for WH/IN/1 1 CHAIR",
            "validate WH/IN/1"
        ]
    );
}

#[test]
fn serial_numbers_are_one_of_each() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1", "PHONE", "SN-1", "LOT-SN-2"]);
    assert_eq!(
        device.wrong("LOT-SN-2"),
        "Phone\nLOT-SN-2 was already scanned"
    );
    assert_eq!(
        device.wrong("SR-QTY-3"),
        "Phone\nOne piece per serial number"
    );
    device.scan_all(&["SR-UNDO", "OBTVALI"]);
    assert_eq!(
        device.made(),
        ["receive for WH/IN/1 1 PHONE lot SN-1", "validate WH/IN/1"]
    );
}

#[test]
fn one_gs1_code_says_product_lot_date_and_quantity() {
    let mut device = Device::new("receive");
    device.scan_all(&[
        "WH/IN/1",
        "]C1010950600013435217270131\u{1d}21SN-9",
        "OBTVALI",
    ]);
    let made = device.made();
    assert_eq!(
        made[0],
        "receive for WH/IN/1 1 09506000134352 lot SN-9 until 2027-01-31"
    );
    assert_eq!(
        device.wrong("]C10109506000134353"),
        "]C10109506000134353 is not a valid code\nScan another label"
    );
}

#[test]
fn a_count_ends_with_the_next_bin_or_a_command_and_counts_each_product_once() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "CHAIR", "TABLE", "CHAIR", "SR-QTY-12", "LOC-B"]);
    assert_eq!(
        device.made(),
        ["count LOC-A 12 CHAIR", "count LOC-A 1 TABLE"]
    );
    device.scan_all(&["MILK", "LOT-1", "MILK", "LOT-1", "OBTVALI"]);
    assert_eq!(device.made(), ["count LOC-B 2 MILK lot LOT-1"]);
}

#[test]
fn goods_are_scrapped_and_come_back_for_a_reason() {
    let mut device = Device::new("scrap");
    device.scan_all(&["LOC-A", "CHAIR", "SR-REASON-DAMAGED", "OBTVALI"]);
    assert_eq!(device.made(), ["scrap LOC-A 1 CHAIR because DAMAGED"]);
    device.scan_all(&["SR-FLOW-RETURN", "CHAIR", "LOC-B"]);
    device.scan_all(&["WH/OUT/1", "CHAIR", "TABLE", "LOC-B"]);
    assert_eq!(
        device.made(),
        [
            "return 1 CHAIR > LOC-B",
            "return of WH/OUT/1 1 CHAIR > LOC-B",
            "return of WH/OUT/1 1 TABLE > LOC-B"
        ]
    );
    // Back to the flow that the device begins in.
    device.scan_all(&["OCDMENU", "LOC-A", "TABLE", "OBTVALI"]);
    assert_eq!(device.made(), ["scrap LOC-A 1 TABLE"]);
}

#[test]
fn packages_are_filled_from_bins() {
    let mut device = Device::new("pack");
    device.scan_all(&[
        "PACK-1",
        "LOC-A",
        "CHAIR",
        "CHAIR",
        "PACK-2",
        "TABLE",
        "SR-NEWPACK",
    ]);
    let fresh = device.seq;
    device.scan_all(&["CHAIR", "OBTVALI"]);
    assert_eq!(
        device.made(),
        [
            "pack PACK-1 2 of CHAIR from LOC-A".to_owned(),
            "pack PACK-2 1 of TABLE".to_owned(),
            format!("pack ring-{fresh} 1 of CHAIR")
        ]
    );
}

#[test]
fn cancel_forgets_and_a_switch_finishes_first() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let say = device.scan("SR-CANCEL");
    assert_eq!(
        say.render(Language::English),
        "Cancelled: 1 × Chair\nScan: order"
    );
    assert_eq!(
        device.wrong("SR-CANCEL"),
        "No product scanned yet\nScan: order"
    );
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let say = device.scan("SR-FLOW-TRANSFER");
    assert_eq!(say.render(Language::English), "TRANSFER\nScan: bin");
    assert_eq!(device.made(), ["pick WH/OUT/1 1 CHAIR"]);
    device.scan_all(&["LOC-A", "CHAIR"]);
    assert_eq!(
        device.wrong("SR-FLOW-COUNT"),
        "Not finished: 1 × Chair\nScan: bin"
    );
}

#[test]
fn a_badge_says_who_works_from_then_on() {
    let mut device = Device::new("transfer");
    device.scan_all(&["SR-OP-anna", "LOC-A", "CHAIR", "LOC-B"]);
    assert_eq!(device.events[0].operator.as_deref(), Some("anna"));
}

#[test]
fn a_pause_makes_what_is_complete_by_itself_and_drops_the_rest_and_says_so() {
    let mut device = Device::new("pick");
    device.scan_all(&["WH/OUT/1", "CHAIR"]);
    let due = Engine::new(&device.rules).deadline(&device.state).unwrap();
    assert_eq!(due, device.now + SignedDuration::from_secs(60));
    let mut state = device.state.clone();
    let before = due - SignedDuration::from_secs(1);
    let effect = Engine::new(&device.rules).apply_pause(&mut state, before);
    assert_eq!((effect.events, effect.expired), (Vec::new(), None));
    let effect = Engine::new(&device.rules).apply_pause(&mut state, due);
    assert_eq!(effect.expired, None);
    let made = effect.events;
    // The next read, without the time having been watched, makes the very same event.
    device.pause(70);
    device.scan_all(&["TABLE"]);
    assert_eq!(device.events, made);
    assert_eq!(made[0].id, format!("flow-{}-1-7a9", device.seq.back_by(1)));
    assert_eq!(device.made(), ["pick WH/OUT/1 1 CHAIR"]);

    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR"]);
    let end = device.now + SignedDuration::from_secs(600);
    assert_eq!(
        Engine::new(&device.rules).deadline(&device.state),
        Some(end)
    );
    device.pause(601);
    let say = device.scan("CHAIR");
    assert_eq!(
        say.render(Language::English),
        "Pause too long, not recorded: 1 × Chair\nNot now: CHAIR\nScan: bin"
    );
    device.scan_all(&["LOC-B", "TABLE", "LOC-A"]);
    assert_eq!(device.made(), ["1 TABLE LOC-B > LOC-A"]);

    // Never, where the profile says so.
    device.rules.idle_s = Some(0);
    device.scan_all(&["LOC-A", "CHAIR"]);
    device.pause(100_000);
    device.scan_all(&["LOC-B"]);
    assert_eq!(device.made(), ["1 CHAIR LOC-A > LOC-B"]);
}

#[test]
fn a_flow_of_the_site_s_own_takes_the_place_of_a_built_in_one() {
    let mut device = Device::receiving_blind();
    device.scan_all(&["CHAIR", "CHAIR"]);
    assert_eq!(device.made(), ["receive 1 CHAIR", "receive 1 CHAIR"]);
}

#[test]
fn what_a_device_has_begun_stays_small() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A"]);
    for _ in 0..3_000 {
        device.scan("CHAIR");
    }
    assert_eq!(
        device.state.unfinished.items[0].quantity,
        Decimal::from(3_000)
    );
    let bytes = crate::flow::stored::encode(device.state.clone()).len();
    assert!(bytes < 20_000, "{bytes} bytes");
}
