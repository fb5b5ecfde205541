//! Finds the device file of a USB scanner in sysfs, by the numbers that `lsusb` shows. This needs
//! no udev library.

use std::fs;
use std::path::{Path, PathBuf};

use super::list::Place;
use crate::decode::profile::Usb;

/// A class of devices, as `/sys/class` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Tty,
    Input,
}

/// `KEY_ENTER` of linux/input-event-codes.h: what has it is a keyboard, and not a scanner's second,
/// idle interface.
const KEY_ENTER: u32 = 28;

/// Finds the device file of a scanner. The error says why there is none. `root` is `/`, except in
/// tests.
pub fn device(place: &Place, class: Class, root: &Path) -> Result<PathBuf, String> {
    match place {
        // Checks the path itself, not its target: the name stays the same, the target does not.
        Place::Port(path) if path.exists() => Ok(path.clone()),
        Place::Port(path) => Err(format!(
            "{} is not there; plug the scanner in",
            path.display()
        )),
        Place::Usb(usb) => by_usb(usb, class, root),
    }
}

fn by_usb(usb: &Usb, class: Class, root: &Path) -> Result<PathBuf, String> {
    let (class_dir, device_dir) = match class {
        Class::Tty => ("sys/class/tty", "dev"),
        Class::Input => ("sys/class/input", "dev/input"),
    };
    let mut found: Vec<_> = fs::read_dir(root.join(class_dir))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_of(&entry.path(), usb, class))
        .map(|entry| entry.file_name())
        .collect();
    found.sort();
    match found.as_slice() {
        [] => Err(format!(
            "no USB device {} is there; plug the scanner in",
            describe(usb)
        )),
        [name] => Ok(root.join(device_dir).join(name)),
        [..] => Err(format!(
            "{} devices are {}: name one by usb.serial or by port ({})",
            found.len(),
            describe(usb),
            found
                .iter()
                .map(|name| name.to_string_lossy())
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

fn is_of(entry: &Path, usb: &Usb, class: Class) -> bool {
    // `device` of a tty is the USB interface; the device above it has the numbers.
    let Ok(device) = entry.join("device").canonicalize() else {
        return false;
    };
    let Some(of) = device.ancestors().find(|dir| dir.join("idVendor").exists()) else {
        return false;
    };
    let text = |name| {
        fs::read_to_string(of.join(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let number = |name| u16::from_str_radix(&text(name), 16).ok();
    number("idVendor") == Some(usb.vendor)
        && (usb.product.is_none() || number("idProduct") == usb.product)
        && (usb.serial.as_ref()).is_none_or(|serial| *serial == text("serial"))
        && (class == Class::Tty || is_keyboard(&device))
}

/// The bits of the keys that a device has are words of hexadecimal digits, the lowest last.
fn is_keyboard(device: &Path) -> bool {
    let keys = fs::read_to_string(device.join("capabilities/key")).unwrap_or_default();
    let lowest = keys.split_whitespace().next_back().unwrap_or_default();
    u64::from_str_radix(lowest, 16).is_ok_and(|bits| bits >> KEY_ENTER & 1 == 1)
}

fn describe(usb: &Usb) -> String {
    let product = usb
        .product
        .map_or("*".to_owned(), |product| format!("{product:04x}"));
    let serial = usb
        .serial
        .as_ref()
        .map(|serial| format!(" with the serial number {serial}"));
    format!("{:04x}:{product}{}", usb.vendor, serial.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A USB device with one interface below it, as the kernel lays them out.
    fn plug(root: &Path, class: &str, name: &str, ids: [&str; 3], keys: Option<&str>) {
        let usb = root.join("sys/devices/pci0").join(format!("usb-{name}"));
        let interface = usb.join("1-1:1.0");
        fs::create_dir_all(interface.join("capabilities")).unwrap();
        for (file, text) in ["idVendor", "idProduct", "serial"].into_iter().zip(ids) {
            fs::write(usb.join(file), format!("{text}\n")).unwrap();
        }
        if let Some(keys) = keys {
            fs::write(interface.join("capabilities/key"), format!("{keys}\n")).unwrap();
        }
        let entry = root.join("sys/class").join(class).join(name);
        fs::create_dir_all(&entry).unwrap();
        symlink(interface, entry.join("device")).unwrap();
    }

    fn usb(product: Option<u16>, serial: Option<&str>) -> Place {
        Place::Usb(Usb {
            vendor: 0x05e0,
            product,
            serial: serial.map(ToOwned::to_owned),
        })
    }

    #[test]
    fn a_port_is_found_by_what_tells_it_from_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("sys/class/tty/ttyS0")).unwrap();
        let gone = device(&usb(None, None), Class::Tty, root).unwrap_err();
        assert!(gone.contains("05e0:*"), "{gone}");
        plug(root, "tty", "ttyACM0", ["05e0", "1701", "S1"], None);
        plug(root, "tty", "ttyACM1", ["05e0", "1701", "S2"], None);
        plug(root, "tty", "ttyUSB0", ["0403", "6001", "S1"], None);
        let found = |place: &Place| device(place, Class::Tty, root);
        assert_eq!(found(&usb(None, Some("S2"))), Ok(root.join("dev/ttyACM1")));
        let two = found(&usb(Some(0x1701), None)).unwrap_err();
        assert!(two.contains("ttyACM0, ttyACM1"), "{two}");
        assert!(found(&usb(Some(0x1702), None)).is_err());
    }

    #[test]
    fn of_a_scanners_interfaces_the_keyboard_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let ids = ["05e0", "1200", "S1"];
        plug(
            root,
            "input",
            "event3",
            ids,
            Some("1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"),
        );
        plug(root, "input", "event4", ids, Some("3f000300000000 0 0 0"));
        let found = device(&usb(None, None), Class::Input, root);
        assert_eq!(found, Ok(root.join("dev/input/event3")));
    }

    #[test]
    fn a_path_is_kept_as_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("by-id"), dir.path().join("ttyACM0"));
        symlink(&target, &link).unwrap();
        let place = Place::Port(link.clone());
        assert!(device(&place, Class::Tty, Path::new("/")).is_err());
        fs::write(&target, "").unwrap();
        assert_eq!(device(&place, Class::Tty, Path::new("/")), Ok(link));
    }
}
