//! Scans that may have been sent twice, without an id.

use super::*;

impl Device {
    /// A scan of which the device says that it may have sent it before.
    fn scan_again(&mut self, code: &str) {
        self.possible_repeat = true;
        self.scan_all(&[code]);
        self.possible_repeat = false;
    }

    /// Of each event that was made since the last look.
    fn flagged(&mut self) -> Vec<bool> {
        let made = std::mem::take(&mut self.events).into_iter();
        made.map(|made| made.possible_repeat).collect()
    }
}

#[test]
fn an_event_is_flagged_where_one_of_its_scans_is() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR"]);
    device.scan_again("CHAIR");
    device.scan_all(&["CHAIR", "LOC-B"]);
    assert_eq!(device.flagged(), [true]);
    device.scan_all(&["LOC-A", "CHAIR", "LOC-B"]);
    device.scan_all(&["LOC-A", "CHAIR"]);
    device.scan_again("LOC-B");
    assert_eq!(device.flagged(), [false, true]);
}

#[test]
fn what_was_dropped_leaves_no_flag_behind() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A"]);
    device.scan_again("CHAIR");
    device.now += SignedDuration::from_hours(24);
    device.scan_all(&["LOC-A", "CHAIR", "LOC-B"]);
    assert_eq!(device.flagged(), [false]);
    // A scan that changes nothing is in no event.
    device.scan_all(&["LOC-A", "CHAIR"]);
    device.possible_repeat = true;
    device.wrong("???");
    device.possible_repeat = false;
    device.scan_all(&["LOC-B"]);
    assert_eq!(device.flagged(), [false]);
}
