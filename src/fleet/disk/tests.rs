use super::*;
use crate::fleet::record::{ConfirmedBundle, HISTORY_MAX};
use crate::fleet::tests::power::PowerDisk;
use crate::fleet::tests::samples::{at, id};

fn record(serial: u64) -> FleetRecord {
    FleetRecord {
        highest: Some(id(serial)),
        confirmed: Some(ConfirmedBundle {
            id: id(serial),
            name: "autumn".to_owned(),
            expires: at(9),
            since: at(1),
        }),
        ..FleetRecord::default()
    }
}

fn files(serial: u64) -> Vec<(String, Bytes)> {
    let file = |path: &str| (path.to_owned(), Bytes::from(format!("{path} of {serial}")));
    vec![
        file("config.d/50-capture.toml"),
        file("scanner-profiles/a/b.toml"),
        file("devices.toml"),
        file("secrets/odoo-api-key"),
    ]
}

/// The set of a bundle, if any of it is there.
fn found(disk: &PowerDisk, serial: u64) -> Option<BTreeSet<(String, Vec<u8>)>> {
    let set = format!("sets/{}", id(serial));
    (disk.has(&set)).then(|| disk.files(&set).into_iter().collect())
}

fn complete(serial: u64) -> BTreeSet<(String, Vec<u8>)> {
    let files = files(serial).into_iter();
    files.map(|(path, bytes)| (path, bytes.to_vec())).collect()
}

type Choose = fn(usize) -> usize;

/// The ways in which unsynced writes end.
const WAYS: [(&str, Choose); 5] = [
    ("lost", |_| 0),
    ("kept", |count| if count == 3 { 1 } else { count - 1 }),
    ("in part", |count| count - 1),
    ("half", |count| count / 2),
    // The names in a set are gone, and its own name is not.
    ("below", |count| if count > 2 { count - 1 } else { 0 }),
];

#[test]
fn a_record_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let open = || FleetDisk::open(FolderStorage::create(dir.path()).unwrap()).unwrap();
    let (mut disk, first) = open();
    assert_eq!(first, FleetRecord::default());
    disk.store(id(42), b"bundle", &files(42)).unwrap();
    disk.write_record(&record(42)).unwrap();
    assert!(FolderStorage::create(dir.path()).is_err(), "it is in use");
    drop(disk);
    let (disk, again) = open();
    assert_eq!(again, record(42));
    assert_eq!(fs::read(disk.bundle(id(42))).unwrap(), b"bundle");
    let set = disk.set(id(42));
    assert_eq!(
        fs::read_to_string(set.join("config.d/50-capture.toml")).unwrap(),
        "config.d/50-capture.toml of 42"
    );
}

#[test]
fn only_the_daemons_user_reads_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let storage = FolderStorage::create(dir.path()).unwrap();
    let (mut disk, _) = FleetDisk::open(storage).unwrap();
    disk.store(id(42), b"bundle", &files(42)).unwrap();
    disk.write_record(&record(42)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = dir.path().join(FOLDER);
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join(RECORD)), 0o600);
    assert_eq!(mode(&disk.set(id(42)).join("config.d")), 0o700);
    assert_eq!(mode(&disk.set(id(42)).join("devices.toml")), 0o600);
}

#[test]
fn a_power_cut_at_any_write_leaves_the_old_or_the_new_record() {
    let before = PowerDisk::default();
    let (mut disk, _) = FleetDisk::open(before.clone()).unwrap();
    disk.write_record(&record(42)).unwrap();
    let from = before.writes();
    disk.write_record(&record(43)).unwrap();
    let writes = before.writes() - from;
    assert!(writes > 2, "{writes}");
    for cut in 0..=writes {
        for (how, choose) in WAYS {
            let power = before.after_kill();
            let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
            disk.write_record(&record(42)).unwrap();
            power.cut_after(cut);
            let written = disk.write_record(&record(43));
            let (_, found) = FleetDisk::open(power.after_cut(choose)).unwrap();
            let expected = [record(42), record(43)];
            assert!(expected.contains(&found), "cut {cut}, {how}: {found:?}");
            if written.is_ok() {
                assert_eq!(found, record(43), "cut {cut}, {how}");
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_write_leaves_no_incomplete_set() {
    let mut cuts = 0;
    for cut in 0.. {
        let mut is_stored = false;
        for (how, choose) in WAYS {
            let power = PowerDisk::default();
            let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
            power.cut_after(cut);
            is_stored = disk.store(id(42), b"bundle", &files(42)).is_ok();
            let power = power.after_cut(choose);
            let set = found(&power, 42);
            assert!(
                set.is_none() || set == Some(complete(42)),
                "cut {cut}, {how}: {set:?}"
            );
            assert!(!is_stored || set.is_some(), "cut {cut}, {how}");
            // A second attempt completes it.
            let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
            disk.store(id(42), b"bundle", &files(42)).unwrap();
            let power = power.after_cut(|_| 0);
            assert_eq!(found(&power, 42), Some(complete(42)), "cut {cut}, {how}");
            let bundle = power.read(&bundle_path(id(42))).unwrap();
            assert_eq!(bundle, b"bundle", "cut {cut}, {how}");
        }
        if is_stored {
            cuts = cut;
            break;
        }
    }
    assert!(cuts > 15, "{cuts}");
}

#[test]
fn a_power_cut_while_a_set_is_removed_leaves_no_incomplete_set() {
    for cut in 0..20 {
        for (how, choose) in WAYS {
            let power = PowerDisk::default();
            let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
            for serial in [42, 43] {
                disk.store(id(serial), b"bundle", &files(serial)).unwrap();
            }
            power.cut_after(cut);
            disk.clean_up(&BTreeSet::from([id(43)])).ok();
            let power = power.after_cut(choose);
            let set = found(&power, 42);
            assert!(
                set.is_none() || set == Some(complete(42)),
                "cut {cut}, {how}: {set:?}"
            );
            assert_eq!(found(&power, 43), Some(complete(43)), "cut {cut}, {how}");
            let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
            disk.clean_up(&BTreeSet::from([id(43)])).unwrap();
            let left: Vec<String> = power.files("").into_keys().collect();
            assert!(left.iter().all(|path| path.contains("/43-")), "{left:?}");
        }
    }
}

#[test]
fn a_disk_that_is_full_at_any_step_leaves_everything_as_before() {
    let mut steps = 0;
    for step in 0.. {
        let power = PowerDisk::default();
        let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
        disk.store(id(42), b"bundle", &files(42)).unwrap();
        disk.write_record(&record(42)).unwrap();
        let before = power.files("");
        let from = power.writes();
        power.full_after(step);
        let stored = (disk.store(id(43), b"bundle", &files(43)))
            .and_then(|()| disk.write_record(&record(43)));
        let Err(error) = stored else {
            steps = power.writes() - from;
            break;
        };
        let text = error.to_string();
        assert!(matches!(error, DiskError::Full { .. }), "{text}");
        assert!(
            text.contains("the disk is full: cannot write fleet"),
            "{text}"
        );
        let (_, record) = FleetDisk::open(power.clone()).unwrap();
        let is_new = |path: &String| path.contains("/43-");
        let left: BTreeSet<String> = power.files("").into_keys().collect();
        assert!(left.iter().all(|path| !path.contains(NEW)), "{left:?}");
        // The bundle or its set may be complete already.
        let left: BTreeSet<String> = left.into_iter().filter(|path| !is_new(path)).collect();
        assert_eq!(left, before.into_keys().collect(), "step {step}");
        let set = found(&power, 43);
        assert!(set.is_none() || set == Some(complete(43)), "step {step}");
        assert!([id(42), id(43)].contains(&record.highest.unwrap()));
        disk.store(id(43), b"bundle", &files(43)).unwrap();
        disk.write_record(&super::tests::record(43)).unwrap();
    }
    assert!(steps > 15, "{steps}");
}

#[test]
fn a_damaged_record_is_read_from_its_copy() {
    let power = PowerDisk::default();
    let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
    disk.write_record(&record(41)).unwrap();
    disk.write_record(&record(42)).unwrap();
    let length = power.read(RECORD).unwrap().len();
    for byte in 0..length {
        let damaged = power.after_kill();
        damaged.damage(RECORD, |bytes| bytes[byte] ^= 1);
        let (mut disk, found) = FleetDisk::open(damaged.clone()).unwrap();
        assert_eq!(found, record(42));
        let warning = disk.warning().unwrap();
        let is_clear = warning.contains("fleet/record: its checksum is wrong");
        assert!(is_clear, "{warning}");
        // The next write repairs it.
        disk.write_record(&record(42)).unwrap();
        let (disk, _) = FleetDisk::open(damaged).unwrap();
        assert_eq!(disk.warning(), None);
    }
    for cut in 0..length {
        let damaged = power.after_kill();
        damaged.damage(RECORD, |bytes| bytes.truncate(cut));
        let (_, found) = FleetDisk::open(damaged).unwrap();
        assert_eq!(found, record(42), "cut at {cut}");
    }
    let mut lost = power.after_kill();
    lost.remove(RECORD).unwrap();
    assert_eq!(FleetDisk::open(lost).unwrap().1, record(42));
}

#[test]
fn two_damaged_copies_are_an_error_that_names_the_files() {
    let power = PowerDisk::default();
    let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
    disk.write_record(&record(42)).unwrap();
    for name in [RECORD, COPY] {
        power.damage(name, |bytes| bytes[0] ^= 1);
    }
    let error = FleetDisk::open(power.clone()).unwrap_err().to_string();
    for part in ["cannot read fleet/record", "checksum", "record.copy"] {
        assert!(error.contains(part), "{error}");
    }
    let mut lost = power;
    lost.remove(RECORD).unwrap();
    let error = FleetDisk::open(lost).unwrap_err().to_string();
    assert!(error.contains("its copy cannot be read"), "{error}");
}

#[test]
fn the_reserved_room_is_for_a_record_that_must_last() {
    let power = PowerDisk::default();
    power.allow_reserve();
    let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
    disk.write_record(&record(42)).unwrap();
    power.set_full(true);
    assert!(disk.store(id(43), b"bundle", &files(43)).is_err());
    assert!(disk.write_record(&record(43)).is_err());
    disk.write_record_anyway(&record(43)).unwrap();
    assert!(!power.has(RESERVE));
    assert!(disk.write_record_anyway(&record(44)).is_err());
    let (_, found) = FleetDisk::open(power.after_cut(|_| 0)).unwrap();
    assert_eq!(found, record(43));
    power.set_full(false);
    disk.write_record(&record(44)).unwrap();
    assert!(power.has(RESERVE));
}

#[test]
fn the_reserved_room_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, _) = FleetDisk::open(FolderStorage::create(dir.path()).unwrap()).unwrap();
    let data = fs::metadata(disk.storage.place(RESERVE)).unwrap();
    let bytes = std::os::unix::fs::MetadataExt::blocks(&data) * 512;
    assert!(bytes >= RESERVE_BYTES, "{bytes}");
}

#[test]
fn a_damaged_bundle_is_stored_again() {
    let power = PowerDisk::default();
    let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
    disk.store(id(42), b"bundle", &files(42)).unwrap();
    power.damage(&bundle_path(id(42)), |bytes| bytes[0] ^= 1);
    disk.store(id(42), b"bundle", &files(42)).unwrap();
    assert_eq!(power.read(&bundle_path(id(42))).unwrap(), b"bundle");
}

#[test]
fn a_path_outside_the_set_is_not_written() {
    let power = PowerDisk::default();
    let (mut disk, _) = FleetDisk::open(power.clone()).unwrap();
    for path in ["../record", "/etc/passwd", "a/../../b", "a//b", "", "."] {
        let files = [(path.to_owned(), Bytes::from_static(b"x"))];
        let error = disk.store(id(42), b"bundle", &files).unwrap_err();
        assert!(error.to_string().contains("no path of a bundle"), "{error}");
        assert_eq!(found(&power, 42), None, "{path}");
    }
}

#[test]
fn a_record_with_everything_is_small() {
    let text = "x".repeat(crate::fleet::record::TEXT_CHARS_MAX);
    let mut full = record(42);
    for serial in 0..300 {
        full.add_history(crate::fleet::record::HistoryEntry {
            at: at(1),
            by: text.clone(),
            serial,
            outcome: crate::fleet::record::BundleOutcome::RolledBack,
            reason: text.clone(),
        });
    }
    assert_eq!(full.history.len(), HISTORY_MAX);
    assert_eq!(full.history.back().unwrap().serial, 299);
    let bytes = stored::record_in(&full).unwrap().len();
    assert!(bytes < 300 << 10, "{bytes}");
}

#[test]
fn a_symbolic_link_is_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(&other, dir.path().join(FOLDER)).unwrap();
    let error = FolderStorage::create(dir.path()).unwrap_err().to_string();
    assert!(error.contains("a symbolic link"), "{error}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
}
