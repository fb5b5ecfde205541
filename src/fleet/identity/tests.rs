use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::fleet::disk::FolderStorage;
use crate::fleet::tests::power::PowerDisk;

fn ready(key: GatewayKey) -> Arc<SecretKey> {
    match key {
        GatewayKey::Ready(key) => key,
        GatewayKey::Unusable(why) => panic!("{why}"),
    }
}

/// A key on a disk, and its file.
fn on_disk(dir: &Path) -> (GatewayKey, PathBuf) {
    let mut storage = FolderStorage::create(dir).unwrap();
    let key = GatewayKey::open(&mut storage);
    (key, storage.place(FILE))
}

#[test]
fn the_key_is_made_once_and_only_the_daemons_user_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let (key, file) = on_disk(dir.path());
    let recipient = key.recipient().unwrap().to_owned();
    assert!(recipient.starts_with("age1"), "{recipient}");
    assert_eq!(key.alarm(), None);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (again, _) = on_disk(dir.path());
    assert_eq!(again.recipient(), Some(recipient.as_str()));
    assert_eq!(GatewayKey::read(&file).unwrap().recipient(), recipient);
    let shown = format!("{key:?}");
    assert!(
        shown.contains(&recipient) && !shown.contains("SECRET-KEY"),
        "{shown}"
    );
}

#[test]
fn a_key_that_cannot_be_used_stays_and_names_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = on_disk(dir.path());
    let whole = fs::read(&file).unwrap();
    let half = &whole[..whole.len() - 20];
    let twice = [whole.as_slice(), &whole].concat();
    for damaged in [&b""[..], b"nothing", b"\xff\xfe", half, &twice] {
        fs::write(&file, damaged).unwrap();
        let (key, _) = on_disk(dir.path());
        let alarm = key.alarm().unwrap();
        assert!(alarm.contains("identity.key: it is damaged"), "{alarm}");
        assert!(!alarm.contains("SECRET-KEY"), "{alarm}");
        assert_eq!(key.recipient(), None);
        assert_eq!(fs::read(&file).unwrap(), damaged);
    }
    fs::write(&file, &whole).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let (key, _) = on_disk(dir.path());
    let alarm = key.alarm().unwrap();
    assert!(alarm.contains("other users can read it"), "{alarm}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(on_disk(dir.path()).0.alarm(), None);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(
        on_disk(dir.path())
            .0
            .alarm()
            .unwrap()
            .contains("cannot read it")
    );
}

#[test]
fn a_power_cut_leaves_no_key_or_the_key_that_was_used() {
    let whole = PowerDisk::default();
    ready(GatewayKey::open(&mut whole.clone()));
    for choose in [
        (|_| 0) as fn(usize) -> usize,
        |count| count - 1,
        |count| count / 2,
    ] {
        for cut in 0..whole.writes() {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let key = GatewayKey::open(&mut disk.clone());
            // Without the last sync the key is not used.
            assert!(key.recipient().is_none(), "{cut}");
            ready(GatewayKey::open(&mut disk.after_cut(choose)));
        }
        let disk = PowerDisk::default();
        let key = ready(GatewayKey::open(&mut disk.clone()));
        let again = ready(GatewayKey::open(&mut disk.after_cut(choose)));
        assert_eq!(key.recipient(), again.recipient());
    }
    let full = PowerDisk::default();
    full.set_full(true);
    let alarm = GatewayKey::open(&mut full.clone()).alarm().unwrap();
    assert!(alarm.contains("cannot write it"), "{alarm}");
}

#[test]
fn only_the_gateway_decrypts_its_secrets() {
    let own = SecretKey::of(Identity::generate());
    let other = SecretKey::of(Identity::generate());
    let encrypted = encrypt(own.recipient(), b"standin-user-key\n").unwrap();
    let plain = own.decrypt(&encrypted).unwrap();
    assert_eq!(plain.expose_secret(), b"standin-user-key\n");
    let why = |key: &SecretKey, bytes: &[u8]| key.decrypt(bytes).unwrap_err().to_string();
    let text = why(&other, &encrypted);
    assert!(
        text.contains(&format!("age -r {}", other.recipient())),
        "{text}"
    );
    for cut in 0..encrypted.len() {
        assert!(own.decrypt(&encrypted[..cut]).is_err(), "{cut}");
        let mut changed = encrypted.clone();
        changed[cut] ^= 1;
        assert!(own.decrypt(&changed).is_err(), "{cut}");
    }
    assert!(why(&own, &encrypted[..encrypted.len() - 1]).contains("damaged"));
    assert_eq!(encrypt(own.recipient(), b""), Err(SecretError::Empty));
    let large = vec![b'a'; SECRET_BYTES_MAX];
    assert!(
        own.decrypt(&encrypt(own.recipient(), &large).unwrap())
            .is_ok()
    );
    let larger = [large.as_slice(), b"a"].concat();
    assert_eq!(
        encrypt(own.recipient(), &larger),
        Err(SecretError::TooLarge)
    );
    let recipient: Recipient = own.recipient().parse().unwrap();
    let larger = age::encrypt(&recipient, &larger).unwrap();
    assert_eq!(own.decrypt(&larger).err(), Some(SecretError::TooLarge));
    for recipient in ["", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA"] {
        assert!(matches!(
            encrypt(recipient, b"x"),
            Err(SecretError::NoRecipient(_))
        ));
    }
}
