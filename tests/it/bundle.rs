//! Central IT's bundles as people make and check them: the commands, `tar`, `sha256sum` and
//! minisign. Every bad bundle is refused with the code of its cause.

mod refused;
mod secret;
mod sites;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use stockrelay::fleet::{self, Trust, stop};
use tempfile::TempDir;

use crate::commands::stockrelay;

const MANIFEST: &str = "\
format = 1
serial = 42
name = \"autumn profiles\"
created = \"2026-11-28T09:00:00Z\"
expires = \"2096-03-01T00:00:00Z\"
[targets]
sites = [\"ams1\"]
groups = [\"nl\"]
[[ring]]
sites = [\"ams1\"]
wait_s = 3600
[[ring]]
all = true
";
const CAPTURE: &str = "[capture]\ncheck = \"strict\"\n";

/// A directory with keys and the files of a bundle.
struct Office {
    dir: TempDir,
}

/// The exit code, standard output and standard error.
type Ended = (i32, String, String);

impl Office {
    /// With the keys anna and ben, of which one must sign, and a bundle's directory.
    fn new() -> Self {
        let office = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        office.write("autumn/manifest.toml", MANIFEST);
        office.write("autumn/files/config.d/50-capture.toml", CAPTURE);
        let entries = ["anna", "ben"].map(|name| office.keygen(name));
        office.write(
            "trust.toml",
            &format!("threshold = 1\n{}", entries.concat()),
        );
        office
    }

    /// Makes a key and returns its entry for trust.toml.
    fn keygen(&self, name: &str) -> String {
        let out = self.done(&["keygen", "-o", name, "--no-password"]);
        out.split_once("[[key]]")
            .map(|(_, entry)| format!("[[key]]{entry}"))
            .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = stockrelay();
        command.current_dir(&self.dir).arg("config").args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().expect("it ended by itself"),
            text(output.stdout),
            text(output.stderr),
        )
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        stdout
    }

    /// Runs a command that refuses a bundle with this code and exit code 1.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: &str) -> String {
        let (exit, stdout, stderr) = self.run(arguments);
        let start = format!("stockrelay: {code}: ");
        assert!(
            exit == 1 && stdout.is_empty(),
            "{arguments:?}: {exit} {stdout}"
        );
        assert!(stderr.starts_with(&start), "{code}: {stderr}");
        stderr
    }

    /// Builds the bundle and signs it with these keys.
    fn signed(&self, keys: &[&str]) {
        self.done(&["bundle", "autumn", "-o", "autumn.bundle"]);
        for key in keys {
            self.done(&["sign", "autumn.bundle", "--key", &format!("{key}.key")]);
        }
    }

    #[track_caller]
    fn verify(&self, code: &str) -> String {
        self.refused(&["verify", "autumn.bundle", "--trust", "trust.toml"], code)
    }

    /// Runs a program of the system.
    #[track_caller]
    fn system(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
    }
}

fn by_hand(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bundles/by-hand")
        .join(name)
}

#[test]
fn a_bundle_is_made_signed_verified_and_shown() {
    let office = Office::new();
    office.write("autumn/files/sites/ams1/devices.toml", "[devices.pda-1]\n");
    let out = office.done(&["bundle", "autumn", "-o", "autumn.bundle"]);
    assert!(out.contains("serial 42 and 2 files"), "{out}");
    office.done(&["sign", "autumn.bundle", "--key", "anna.key"]);
    office.done(&["sign", "autumn.bundle", "--key", "ben.key"]);
    let out = office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
    assert!(
        out.contains("serial 42, autumn profiles, 2 files, signed by "),
        "{out}"
    );
    assert!(out.contains("anna (") && out.contains("ben ("), "{out}");
    let out = office.done(&["inspect", "autumn.bundle"]);
    for part in [
        "serial 42: autumn profiles",
        "for         sites ams1; groups nl",
        "ring 1      sites ams1, due at once",
        "ring 2      all sites, due at 2026-11-28T10:00:00Z",
        "config.d/50-capture.toml",
        "sites/ams1/devices.toml",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn a_bundle_is_not_written_into_its_own_files() {
    let office = Office::new();
    let inside = "autumn/files/config.d/autumn.bundle";
    let (code, _, stderr) = office.run(&["bundle", "autumn", "-o", inside]);
    assert!(
        code == 1 && stderr.contains("in the files of the bundle"),
        "{stderr}"
    );
    assert!(!office.path(inside).exists());
    office.done(&["bundle", "autumn", "-o", "autumn/autumn.bundle"]);
}

#[test]
fn files_of_keys_have_safe_modes_and_are_not_overwritten() {
    let office = Office::new();
    let mode = |name: &str| {
        fs::metadata(office.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("anna.key"), mode("anna.pub")), (0o600, 0o644));
    let (code, _, stderr) = office.run(&["keygen", "-o", "anna", "--no-password"]);
    assert!(code == 1 && stderr.contains("not overwritten"), "{stderr}");
}

#[test]
fn the_password_of_a_key_comes_from_a_file_or_a_terminal() {
    let office = Office::new();
    office.signed(&[]);
    office.write("password", "open sesame\n");
    office.write("wrong", "open says me\n");
    let entry = office.done(&["keygen", "-o", "carl", "--password-file", "password"]);
    let (code, _, stderr) = office.run(&["keygen", "-o", "dora"]);
    assert!(code == 2 && stderr.contains("--password-file"), "{stderr}");
    let sign = ["sign", "autumn.bundle", "--key", "carl.key"];
    let (code, _, stderr) = office.run(&sign);
    assert!(code == 2 && stderr.contains("--password-file"), "{stderr}");
    let with = |file| [&sign[..], &["--password-file", file]].concat();
    let (code, _, stderr) = office.run(&with("wrong"));
    assert!(
        code == 1 && stderr.contains("the password of the secret key is wrong"),
        "{stderr}"
    );
    assert!(!stderr.contains("says me"), "{stderr}");
    office.done(&with("password"));
    let entry = entry.split_once("[[key]]").unwrap().1;
    office.write("trust.toml", &format!("threshold = 1\n[[key]]{entry}"));
    office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
}

#[test]
fn signatures_that_do_not_count_are_refused() {
    let office = Office::new();
    office.signed(&[]);
    office.verify("too-few-signatures");
    // Once with an unknown key, then with a key that is revoked.
    let entry = office.keygen("other");
    office.signed(&["other"]);
    office.verify("unknown-key");
    let trust = fs::read_to_string(office.path("trust.toml")).unwrap();
    let id = |entry: &str| entry.split('"').nth(1).unwrap().to_owned();
    let revoked = format!("revoked = [\"{}\"]\n{trust}{entry}", id(&entry));
    office.write("trust.toml", &revoked);
    let stderr = office.verify("revoked-key");
    assert!(stderr.contains(&id(&entry)), "{stderr}");
    // Two keys must sign, and one signed twice.
    office.write(
        "trust.toml",
        &trust.replace("threshold = 1", "threshold = 2"),
    );
    office.signed(&["anna", "anna"]);
    office.verify("too-few-signatures");
    office.signed(&["anna", "ben"]);
    office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
}

/// One key, two signature files: with the id in another case, and without its first zeros.
#[test]
fn a_second_signature_file_of_one_key_does_not_count() {
    let office = Office::new();
    office.signed(&["anna"]);
    office.system("tar", &["-xf", "autumn.bundle"]);
    let listed: Vec<_> = fs::read_dir(office.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let file = listed
        .iter()
        .filter_map(|name| name.to_str())
        .find(|name| name.ends_with(".minisig"));
    let file = file.unwrap().to_owned();
    let id = file.split('.').nth(2).unwrap();
    let second = file.replace(id, &id.to_lowercase());
    let trust = fs::read_to_string(office.path("trust.toml")).unwrap();
    office.write(
        "trust.toml",
        &trust.replace("threshold = 1", "threshold = 2"),
    );
    if id != id.to_lowercase() {
        fs::copy(office.path(&file), office.path(&second)).unwrap();
        office.system(
            "tar",
            &[
                "-cf",
                "autumn.bundle",
                "manifest.toml",
                &file,
                &second,
                "files",
            ],
        );
        office.verify("case-clash");
    }
    office.system(
        "tar",
        &[
            "-c",
            "--hard-dereference",
            "-f",
            "autumn.bundle",
            "manifest.toml",
            &file,
            &file,
            "files",
        ],
    );
    office.verify("duplicate-path");
}

#[test]
fn a_difference_is_shown_by_key() {
    let office = Office::new();
    office.signed(&[]);
    fs::rename(office.path("autumn.bundle"), office.path("old.bundle")).unwrap();
    office.write("autumn/manifest.toml", &MANIFEST.replace("42", "43"));
    office.write(
        "autumn/files/config.d/50-capture.toml",
        &CAPTURE.replace("strict", "off"),
    );
    office.write("autumn/files/devices.toml", "[devices.pda-1]\n");
    office.signed(&[]);
    let out = office.done(&["diff", "old.bundle", "autumn.bundle"]);
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            "manifest.toml: serial: 42 ▸ 43",
            "config.d/50-capture.toml: capture.check: \"strict\" ▸ \"off\"",
            "devices.toml: new, 16 bytes",
        ]
    );
    assert_eq!(
        office.done(&["diff", "old.bundle", "old.bundle"]),
        "no difference\n"
    );
}

/// Made with `tar`, `sha256sum` and Debian's minisign 0.11; the key was deleted.
#[test]
fn bundles_that_were_made_by_hand_are_verified() {
    let trust = Trust::read(&by_hand("trust.toml")).unwrap();
    for name in ["ustar", "gnu", "pax", "dot"] {
        let file = by_hand(&format!("{name}.bundle"));
        let bytes = Bytes::from(fs::read(&file).unwrap());
        let verified =
            fleet::verify(&bytes, &trust).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(verified.bundle.files["config.d/50-capture.toml"], CAPTURE);
        let office = Office::new();
        let (file, trust) = (file.to_str().unwrap(), by_hand("trust.toml"));
        office.done(&["verify", file, "--trust", trust.to_str().unwrap()]);
    }
    let bytes = Bytes::from(fs::read(by_hand("stop.tar")).unwrap());
    let stopped = stop::verify(&bytes, &trust).unwrap();
    assert!(stopped.stops(42) && stopped.by == "anna");
}

#[test]
#[ignore = "needs minisign: apt-get install minisign"]
fn minisign_and_we_read_each_others_keys_signatures_and_archives() {
    let office = Office::new();
    office.signed(&["anna"]);
    office.system("tar", &["-xf", "autumn.bundle"]);
    office.write("password", "open sesame\n");
    office.write("twice", "open sesame\nopen sesame\n");
    let sh = |script: &str| office.system("sh", &["-euc", script]);
    let trust = |key: &str| {
        let text = fs::read_to_string(office.path(&format!("{key}.pub"))).unwrap();
        let id = text.lines().next().unwrap().rsplit(' ').next().unwrap();
        let public = text.lines().nth(1).unwrap();
        let entry = format!("[[key]]\nid = \"{id}\"\npublic = \"{public}\"\nname = \"x\"\n");
        office.write("trust.toml", &format!("threshold = 1\n{entry}"));
    };
    let verify = |file: &str| office.done(&["verify", file, "--trust", "trust.toml"]);
    // Our signature and hashes, by minisign and sha256sum.
    sh("minisign -V -H -p anna.pub -m manifest.toml -x manifest.toml.*.minisig");
    sh("sha256sum files/config.d/50-capture.toml | cut -d' ' -f1 | grep -qF -f - manifest.toml");
    // Keys of both programs, with and without a password.
    sh("minisign -G -W -p plain.pub -s plain.key");
    sh("minisign -G -p locked.pub -s locked.key <twice");
    office.done(&["keygen", "-o", "carl", "--password-file", "password"]);
    for key in ["plain", "locked", "anna", "carl"] {
        trust(key);
        // Signed by our command.
        office.signed(&[]);
        let file = format!("{key}.key");
        let sign = ["sign", "autumn.bundle", "--key", &file];
        office.done(&[&sign[..], &["--password-file", "password"]].concat());
        verify("autumn.bundle");
        // Signed and archived by minisign and tar.
        sh(&format!(
            "rm -f manifest.toml.*.minisig; id=$(head -1 {key}.pub | awk '{{print $NF}}'); minisign -S -s {key}.key -m manifest.toml -x manifest.toml.$id.minisig <password; tar -cf hand.bundle manifest.toml manifest.toml.*.minisig files"
        ));
        verify("hand.bundle");
    }
}

/// The commands of docs/central-it.md that make a bundle by hand, as written.
#[test]
#[ignore = "needs minisign: apt-get install minisign"]
fn the_commands_of_the_document_make_a_bundle_by_hand() {
    let office = Office::new();
    let document = include_str!("../../docs/central-it.md");
    let (_, section) = document.split_once("## Make a bundle by hand").unwrap();
    let (_, script) = section.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    // The key has no password: minisign does not ask for it.
    office.system("sh", &["-euc", script]);
    office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
    office.done(&["check", "autumn.bundle", "--as", "ams1"]);
}
