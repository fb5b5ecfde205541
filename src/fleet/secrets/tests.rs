use std::path::Path;

use super::*;
use crate::event::Name;
use crate::fleet::Bundle;
use crate::fleet::identity::encrypt;
use crate::fleet::samples::{MANIFEST_DRAFT, bundle};
use crate::fleet::tests::power::PowerDisk;

const PATH: &str = "secrets/odoo-api-key";

fn key() -> (GatewayKey, String) {
    let key = GatewayKey::open(&mut PowerDisk::default());
    let recipient = key.recipient().unwrap().to_owned();
    (key, recipient)
}

fn set(recipient: &str, secret: &str) -> SiteSet {
    let bundle = bundle(MANIFEST_DRAFT, &[("config.d/1.toml", "")]);
    let site = Name::new("ams1").unwrap();
    let mut set = SiteSet::of(&Bundle::read(&bundle).unwrap(), &site, None);
    let encrypted = encrypt(recipient, secret.as_bytes()).unwrap();
    set.secrets
        .insert("odoo-api-key".to_owned(), encrypted.into());
    set
}

fn read(disk: &PowerDisk) -> Option<Vec<u8>> {
    disk.read(PATH).ok()
}

#[test]
fn a_secret_is_completed_and_a_damaged_one_written_again() {
    let (key, recipient) = key();
    let (set, disk) = (set(&recipient, "new"), PowerDisk::default());
    let mut storage = disk.clone();
    assert_eq!(unpack(&set, &key, &mut storage), [""; 0]);
    assert_eq!(read(&disk).unwrap(), b"new");
    let writes = disk.writes();
    assert_eq!(unpack(&set, &key, &mut storage), [""; 0]);
    assert_eq!(disk.writes(), writes, "nothing changed");
    disk.damage(PATH, |bytes| bytes.truncate(1));
    assert_eq!(unpack(&set, &key, &mut storage), [""; 0]);
    assert_eq!(read(&disk).unwrap(), b"new");
    // A lost key does not take away what was decrypted before.
    let lost = GatewayKey::Unusable("identity.key: it is damaged".into());
    assert_eq!(unpack(&set, &lost, &mut storage), [""; 0]);
    let faults = unpack(&set, &lost, &mut PowerDisk::default());
    assert_eq!(
        faults,
        [
            "files/sites/ams1/secrets/odoo-api-key.age: the gateway cannot use its own key. identity.key: it is damaged"
        ]
    );
}

#[test]
fn a_secret_of_another_gateway_names_file_recipient_and_remedy() {
    let ((own, recipient), (_, other)) = (key(), key());
    let (set, disk) = (set(&other, "new"), PowerDisk::default());
    assert!(decrypt(&set, &own).is_empty());
    let faults = unpack(&set, &own, &mut disk.clone());
    let fault = faults.first().unwrap();
    assert!(
        fault.starts_with("files/sites/ams1/secrets/odoo-api-key.age: "),
        "{fault}"
    );
    assert!(fault.contains(&format!("`age -r {recipient}`")), "{fault}");
    assert_eq!(read(&disk), None);
}

#[test]
fn a_power_cut_leaves_no_secret_or_the_whole_one_and_the_next_start_completes_it() {
    let (key, recipient) = key();
    let set = set(&recipient, "a secret of a bundle");
    let whole = PowerDisk::default();
    assert_eq!(unpack(&set, &key, &mut whole.clone()), [""; 0]);
    let ways: [fn(usize) -> usize; 3] = [|_| 0, |count| count - 1, |count| count / 2];
    for choose in ways {
        for cut in 0..=whole.writes() {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let faults = unpack(&set, &key, &mut disk.clone());
            assert_eq!(faults.is_empty(), cut == whole.writes(), "{cut}");
            let disk = disk.after_cut(choose);
            assert!(
                read(&disk).is_none_or(|found| found == b"a secret of a bundle"),
                "{cut}"
            );
            assert_eq!(unpack(&set, &key, &mut disk.clone()), [""; 0], "{cut}");
            assert_eq!(read(&disk).unwrap(), b"a secret of a bundle", "{cut}");
        }
    }
    let full = PowerDisk::default();
    full.set_full(true);
    let faults = unpack(&set, &key, &mut full.clone());
    assert!(faults[0].contains("cannot write"), "{faults:?}");
    assert_eq!(read(&full), None);
}

#[test]
fn what_is_stored_with_a_bundle_is_what_a_check_completes() {
    let (key, recipient) = key();
    let set = set(&recipient, "new");
    let stored = decrypt(&set, &key);
    let stored: Vec<_> = (stored.iter())
        .map(|(path, bytes)| (path.as_str(), &bytes[..]))
        .collect();
    assert_eq!(stored, [(PATH, &b"new"[..])]);
    let overlay = set.overlay(Path::new("set"));
    assert_eq!(
        overlay.secrets,
        [(
            "odoo-api-key".to_owned(),
            "files/sites/ams1/secrets/odoo-api-key.age".to_owned()
        )]
    );
}
