//! Any sequence of beeps.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn codes() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "LOC-A",
        "LOC-B",
        "CHAIR",
        "TABLE",
        "MILK",
        "PHONE",
        "WH/OUT/1",
        "WH/IN/2",
        "PACK-1",
        "LOT-1",
        "LOT-2",
        "BOTH",
        "OBTVALI",
        "SR-UNDO",
        "SR-QTY",
        "SR-QTY-3",
        "5",
        "SR-CANCEL",
        "SR-NEWPACK",
        "OBTPACK",
        "OCDMENU",
        "SR-FLOW-PICK",
        "SR-FLOW-TRANSFER",
        "SR-FLOW-COUNT",
        "SR-FLOW-PACK",
        "SR-FLOW-RETURN",
        "OBTSCRA",
        "SR-REASON-X",
        "SR-OP-anna",
        "]C1010950600013435217270131\u{1d}21SN-9",
        "SN-NEW",
        "202611280011",
        "https://example.com/7",
        "010950600013435221SN-8",
        "]C1010400000000050110L-1",
        "]C10010614141234567890802040000000005013724\u{1d}10L-1",
    ]);
    prop_oneof![20 => known.prop_map(str::to_owned), 1 => "\\PC{0,20}", 1 => any::<String>()]
}

/// The products and places that an event names.
fn names(action: &Action) -> Vec<&str> {
    // Goods are packed into a package that may be new, and the event that an undo names is looked
    // at where all are.
    let fields = match action {
        Action::Move(moved) if moved.movement == Movement::Pack => {
            &[Field::Product, Field::From][..]
        }
        Action::Move(_) => &[Field::Product, Field::From, Field::To, Field::Order],
        Action::Validate { .. } => &[Field::Order],
        Action::Undo { .. } => &[],
        other => panic!("no flow makes {other:?}"),
    };
    let fields = fields.iter();
    fields.filter_map(|field| action.text(*field)).collect()
}

proptest! {
    #[test]
    fn no_beeps_make_an_event_that_names_what_was_not_scanned(
        start in prop::sample::select(vec!["transfer", "pick", "receive", "count", "scrap", "return", "pack"]),
        beeps in prop::collection::vec((codes(), prop::sample::select(vec![0_i64, 0, 0, 0, 65, 700])), 0..60),
    ) {
        let mut device = Device::new(start);
        let mut scanned = BTreeSet::from(["09506000134352", "04000000000501"].map(str::to_owned));
        for (code, pause) in beeps {
            device.pause(pause);
            scanned.insert(code.clone());
            let say = device.scan(&code);
            for language in [Language::English, Language::Arabic] {
                prop_assert!(!say.render(language).is_empty());
            }
        }
        let (mut ids, mut undone) = (BTreeSet::new(), BTreeSet::new());
        for made in &device.events {
            if let Action::Undo { event, .. } = &made.action {
                prop_assert!(ids.contains(event), "{event} was not made before");
                prop_assert!(undone.insert(event.clone()), "{event} taken back twice");
            }
            prop_assert!(ids.insert(made.id.clone()), "{} twice", made.id);
            for name in names(&made.action) {
                prop_assert!(scanned.contains(name), "{name} in {:?}", made.action);
            }
        }
    }
}
