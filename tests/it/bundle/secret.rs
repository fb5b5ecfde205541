//! Secrets for one gateway as people make and check them: `config encrypt`, `config recipient` and
//! Debian's age.

use std::io::Write as _;

use age::secrecy::ExposeSecret as _;
use stockrelay::fleet::disk::FolderStorage;
use stockrelay::fleet::identity::{FILE, GatewayKey};

use super::*;

const PATH: &str = "autumn/files/sites/ams1/secrets/odoo-api-key.age";

/// A gateway's key, its recipient, and the configuration file of the gateway.
struct Gateway {
    key: GatewayKey,
    recipient: String,
}

impl Office {
    fn gateway(&self) -> Gateway {
        self.write(
            "gateway/config.toml",
            "site = \"ams1\"\ndata_dir = \"data\"\n",
        );
        let data = self.path("gateway/data");
        fs::create_dir_all(&data).unwrap();
        let key = GatewayKey::open(&mut FolderStorage::create(&data).unwrap());
        let recipient = key.recipient().unwrap().to_owned();
        fs::create_dir_all(self.path(PATH).parent().unwrap()).unwrap();
        Gateway { key, recipient }
    }
}

/// Runs a command with this standard input.
fn feed(mut command: Command, input: &[u8]) -> Ended {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input closes it.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

impl Gateway {
    #[track_caller]
    fn decrypts(&self, file: &Path, secret: &[u8]) {
        let GatewayKey::Ready(key) = &self.key else {
            panic!("{:?}", self.key)
        };
        let plain = key.decrypt(&fs::read(file).unwrap()).unwrap();
        assert_eq!(plain.expose_secret(), secret);
    }
}

#[test]
fn a_secret_comes_from_a_file_or_standard_input_and_is_listed_by_the_check() {
    let office = Office::new();
    let gateway = office.gateway();
    let config = ["recipient", "--config", "gateway/config.toml"];
    assert_eq!(office.done(&config), format!("{}\n", gateway.recipient));
    office.write("odoo.key", "a-new-key\n");
    let to = ["--to", gateway.recipient.as_str(), "-o", PATH];
    let out = office.done(&[&["encrypt", "odoo.key"][..], &to].concat());
    assert!(
        out.contains("odoo.api_key_file") && !out.contains("a-new-key"),
        "{out}"
    );
    gateway.decrypts(&office.path(PATH), b"a-new-key\n");
    let command = office.command(&[&["encrypt"][..], &to].concat());
    let (code, _, stderr) = feed(command, b"typed");
    assert_eq!(code, 0, "{stderr}");
    gateway.decrypts(&office.path(PATH), b"typed");

    office.signed(&["anna"]);
    office.done(&["verify", "autumn.bundle", "--trust", "trust.toml"]);
    let out = office.done(&["inspect", "autumn.bundle"]);
    assert!(out.contains("sites/ams1/secrets/odoo-api-key.age"), "{out}");
    let out = office.done(&["check", "autumn.bundle", "--as", "ams1"]);
    let line =
        "credential: odoo.api_key_file: files/sites/ams1/secrets/odoo-api-key.age of the bundle";
    assert!(out.contains(line), "{out}");
    // The other sites of the bundle have their own keys.
    let out = office.done(&["check", "autumn.bundle", "--as", "rot1", "--group", "nl"]);
    assert!(out.contains("the systemd credential odoo-api-key"), "{out}");
}

#[test]
fn a_recipient_that_differs_from_the_known_one_is_refused() {
    let office = Office::new();
    let (gateway, other) = (office.gateway(), age::x25519::Identity::generate());
    let other = other.to_public().to_string();
    office.write("odoo.key", "a-new-key\n");
    office.write(
        "recipients.toml",
        &format!("ams1 = \"{}\"\n", gateway.recipient),
    );
    let encrypt = |site: &str, more: &[&str]| {
        let known = [
            "--recipients",
            "recipients.toml",
            "--site",
            site,
            "-o",
            PATH,
        ];
        office.run(&[&["encrypt", "odoo.key"][..], &known, more].concat())
    };
    // The report of ams1 is not signed, and names another key.
    for (site, to, part) in [
        ("ams1", other.as_str(), "has the recipient age1"),
        ("ams2", other.as_str(), "has no recipient for site ams2"),
    ] {
        let (code, _, stderr) = encrypt(site, &["--to", to]);
        assert!(code == 1 && stderr.contains(part), "{part}: {stderr}");
        assert!(!office.path(PATH).exists());
    }
    for more in [&[][..], &["--to", gateway.recipient.as_str()]] {
        let (code, _, stderr) = encrypt("ams1", more);
        assert_eq!(code, 0, "{stderr}");
        gateway.decrypts(&office.path(PATH), b"a-new-key\n");
        fs::remove_file(office.path(PATH)).unwrap();
    }
}

#[test]
fn what_is_no_secret_of_a_gateway_is_refused() {
    let office = Office::new();
    let gateway = office.gateway();
    office.write("odoo.key", "a-new-key\n");
    office.write("empty", "");
    office.write("large", &"x".repeat((64 << 10) + 1));
    let own = gateway.recipient.as_str();
    for (file, to, output, code, part) in [
        (
            "odoo.key",
            own,
            "autumn/odoo.age",
            2,
            "odoo-api-key.age, odoo-ca.age",
        ),
        (
            "odoo.key",
            own,
            "autumn/odoo-api-key",
            2,
            "odoo-api-key.age",
        ),
        ("odoo.key", "age1xyz", PATH, 1, "no recipient of age"),
        ("empty", own, PATH, 1, "it is empty"),
        ("large", own, PATH, 1, "more than 65536 bytes"),
        ("missing", own, PATH, 1, "missing cannot be read"),
    ] {
        let (exit, _, stderr) = office.run(&["encrypt", file, "--to", to, "-o", output]);
        assert!(
            exit == code && stderr.contains(part),
            "{part}: {exit} {stderr}"
        );
    }
    assert!(!office.path(PATH).exists());
    office.write(PATH, "a-new-key\n");
    let (code, _, stderr) = office.run(&["bundle", "autumn", "-o", "autumn.bundle"]);
    assert!(code == 1 && stderr.contains("not encrypted"), "{stderr}");
    assert!(!stderr.contains("a-new-key"), "{stderr}");
    fs::remove_file(office.path(PATH)).unwrap();
    office.write(
        &PATH.replace("odoo-api-key", "odoo"),
        "age-encryption.org/v1\n",
    );
    let (code, _, stderr) = office.run(&["bundle", "autumn", "-o", "autumn.bundle"]);
    assert!(
        code == 1 && stderr.contains("a secret that no gateway uses"),
        "{stderr}"
    );
    fs::remove_file(office.path("gateway/data/fleet").join(FILE)).unwrap();
    let (code, _, stderr) = office.run(&["recipient", "--config", "gateway/config.toml"]);
    assert!(
        code == 1 && stderr.contains("at its first start"),
        "{stderr}"
    );
}

#[test]
#[ignore = "needs age: apt-get install age"]
fn files_of_age_and_of_the_commands_are_the_same() {
    let office = Office::new();
    let gateway = office.gateway();
    let identity = office.path("gateway/data/fleet").join(FILE);
    for more in [&[][..], &["-a"]] {
        let mut command = Command::new("age");
        command
            .args(more)
            .args(["-r", &gateway.recipient, "-o", PATH]);
        command.current_dir(&office.dir);
        let (code, _, stderr) = feed(command, b"a-new-key\n");
        assert_eq!(code, 0, "{stderr}");
        gateway.decrypts(&office.path(PATH), b"a-new-key\n");
        office.signed(&["anna"]);
        office.done(&["check", "autumn.bundle", "--as", "ams1"]);
    }
    office.write("odoo.key", "another-key\n");
    office.done(&[
        "encrypt",
        "odoo.key",
        "--to",
        &gateway.recipient,
        "-o",
        PATH,
    ]);
    office.system(
        "age",
        &["-d", "-i", identity.to_str().unwrap(), "-o", "plain", PATH],
    );
    assert_eq!(fs::read(office.path("plain")).unwrap(), b"another-key\n");
    // `age-keygen -y` prints the recipient of a key.
    let output = Command::new("age-keygen")
        .arg("-y")
        .arg(&identity)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        gateway.recipient
    );
}
