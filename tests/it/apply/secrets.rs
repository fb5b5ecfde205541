//! Secrets of one gateway in a bundle: Odoo's API key is renewed without a shell, a wrong one is
//! rolled back, and one that this gateway cannot decrypt is refused. No secret is anywhere but in
//! the file that the gateway reads.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use stockrelay::demo::odoo::API_KEY;

use super::*;
use crate::reload::site::{Device, transfer};

const NAME: &str = "odoo-api-key";
const OLD: &str = "an-expired-key-of-odoo";
const WRONG: &str = "a-key-that-odoo-refuses";

impl Gateway {
    fn recipient(&self) -> String {
        let output = self.run(&["config", "recipient"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Encrypts a secret as central IT does, and returns the file for the bundle.
    fn encrypt(&self, recipient: &str, secret: &str) -> (String, Vec<u8>) {
        let output = self.site.path("out");
        fs::create_dir_all(&output).unwrap();
        let (plain, sealed) = (output.join("plain"), output.join(format!("{NAME}.age")));
        fs::write(&plain, secret).unwrap();
        let [plain_path, sealed_path] = [&plain, &sealed].map(|path| path.to_str().unwrap());
        let done = self.run(&[
            "config",
            "encrypt",
            plain_path,
            "--to",
            recipient,
            "-o",
            sealed_path,
        ]);
        assert!(done.status.success(), "{done:?}");
        let bytes = fs::read(&sealed).unwrap();
        fs::remove_dir_all(&output).unwrap();
        (format!("sites/ams1/secrets/{NAME}.age"), bytes)
    }

    fn bundle_with_secret(&self, serial: u64, (path, bytes): &(String, Vec<u8>)) -> Bytes {
        self.bundle(
            serial,
            "ams1",
            &[(STRICT.0, STRICT.1.as_bytes()), (path.as_str(), bytes)],
        )
    }

    /// Starts again, with everything that the process prints in a file.
    async fn restart_logged(&mut self) {
        self.signal(Signal::TERM);
        self.child.wait().unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.site.path("log"))
            .unwrap();
        let mut command = command(self.site.dir.path());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = command.spawn().unwrap();
        self.until("it answers", |_| true).await;
    }

    async fn until_link(&self, link: &str) {
        self.until(link, |status| status["odoo"]["link"] == link)
            .await;
    }

    async fn key_file(&self) -> PathBuf {
        let value = self.value("odoo.api_key_file").await;
        PathBuf::from(value["value"].as_str().unwrap())
    }

    /// The files below the gateway's directory that contain a text.
    fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.site.dir.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && contains(&fs::read(entry.path()).unwrap(), text) {
                    found.push(entry.path());
                }
            }
        }
        found
    }

    /// Everything that the gateway shows.
    async fn shown(&self) -> String {
        let mut text = String::new();
        for path in [
            "/v1/status",
            "/v1/config",
            "/v1/config/effective",
            "/v1/config/history",
        ] {
            let answer: Value = self.client().get(path).await.unwrap();
            text += &answer.to_string();
        }
        for arguments in [
            &["status"][..],
            &["config", "history"],
            &["config", "show"],
            &["config", "inspect", "the.bundle"],
            &["config", "diff", "the.bundle", "the.bundle"],
            &["config", "check", "the.bundle", "--as", "ams1"],
        ] {
            let output = self.run(arguments);
            text += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
        }
        text
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_renews_the_api_key_and_only_the_file_of_the_secret_has_it() {
    let mut gateway = Gateway::start(2).await;
    gateway.site.write("odoo.key", OLD);
    gateway
        .site
        .write("config.d/60.toml", "log.level = \"debug\"\n");
    gateway.restart_logged().await;
    gateway.until_link("held").await;

    let secret = gateway.encrypt(&gateway.recipient(), &format!("{API_KEY}\n"));
    let (code, text) = gateway.apply(&gateway.bundle_with_secret(1, &secret), &[]);
    assert_eq!(code, 0, "{text}");
    gateway.until_link("up").await;
    let main = fs::read_to_string(gateway.site.path("config.toml")).unwrap();
    let address = main
        .split('"')
        .find(|part| part.starts_with("127.0.0.1:"))
        .unwrap();
    let mut device = Device::connect(address.parse().unwrap(), "pda-1").await;
    device.publish("event", &transfer("e1")).await;
    gateway
        .until("it is posted", |status| status["events"]["posted"] == 1)
        .await;

    // A set that lost its secret is completed at the next start.
    let file = gateway.key_file().await;
    assert!(
        file.ends_with(Path::new("secrets").join(NAME)),
        "{}",
        file.display()
    );
    fs::remove_file(&file).unwrap();
    gateway.restart_logged().await;
    gateway.until_link("up").await;
    assert_eq!(gateway.key_file().await, file);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(gateway.files_with(API_KEY), [file.canonicalize().unwrap()]);
    let shown = gateway.shown().await;
    assert!(shown.contains("odoo.api_key_file"), "{shown}");
    assert!(
        !shown.contains(API_KEY) && !shown.contains("AGE-SECRET-KEY"),
        "{shown}"
    );
    let key = gateway.site.path("data/fleet/identity.key");
    assert_eq!(
        gateway.files_with("AGE-SECRET-KEY"),
        [key.canonicalize().unwrap()]
    );

    // A bundle is complete: without the secret the local file counts, and Odoo refuses its key.
    let (code, text) = gateway.apply(&gateway.bundle(2, "ams1", &[STRICT]), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bundle 2 is rolled-back"), "{text}");
    gateway.until_link("up").await;
    assert_eq!(gateway.key_file().await, file);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_odoo_refuses_is_rolled_back_to_the_secret_before() {
    let gateway = Gateway::start(3).await;
    let recipient = gateway.recipient();
    let good = gateway.encrypt(&recipient, API_KEY);
    assert_eq!(
        gateway.apply(&gateway.bundle_with_secret(1, &good), &[]).0,
        0
    );
    let file = gateway.key_file().await;
    let wrong = gateway.encrypt(&recipient, WRONG);
    let begun = clock::instant();
    let (code, text) = gateway.apply(&gateway.bundle_with_secret(2, &wrong), &[]);
    println!("rolled back after {:?}: {text}", begun.elapsed());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bundle 2 is rolled-back: "), "{text}");
    gateway.until_link("up").await;
    assert_eq!(gateway.key_file().await, file);
    assert_eq!(fs::read_to_string(&file).unwrap(), API_KEY);
    let shown = gateway.shown().await;
    assert!(!shown.contains(WRONG), "{shown}");
    // What was rolled back is removed.
    assert_eq!(gateway.files_with(WRONG), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cannot_be_decrypted_is_refused_and_the_gateway_runs_as_before() {
    let mut gateway = Gateway::start(1).await;
    let (own, before) = (gateway.recipient(), gateway.config().await);
    let other = "age1zwg46dy2rhhll69vek470ps45ttf32use2a4ul3fr5t84c6htvpsaexyx4";
    let foreign = gateway.encrypt(other, API_KEY);
    let (path, mut bytes) = gateway.encrypt(&own, API_KEY);
    *bytes.last_mut().unwrap() ^= 1;
    for (serial, secret, reason) in [
        (1, foreign, "it is encrypted to another recipient"),
        (2, (path, bytes), "it is damaged"),
    ] {
        let (code, text) = gateway.apply(&gateway.bundle_with_secret(serial, &secret), &[]);
        assert_eq!(code, 1, "{text}");
        let last = gateway.until_ended(serial).await;
        assert_eq!(last["outcome"], "refused", "{last}");
        let found = last["reason"].as_str().unwrap();
        for part in [reason, "sites/ams1/secrets/odoo-api-key.age", own.as_str()] {
            assert!(found.contains(part), "{part}: {found}");
        }
    }
    assert_eq!(gateway.config().await["hash"], before["hash"]);
    gateway.until_link("up").await;

    // A key of the gateway that cannot be used stops neither the gateway nor other bundles.
    let key = gateway.site.path("data/fleet/identity.key");
    let good = gateway.encrypt(&own, API_KEY);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    gateway.restart_logged().await;
    let status = gateway
        .until("it sends", |status| status["odoo"]["link"] == "up")
        .await;
    let alarm = status["alarms"]["fleet-identity"].as_str().unwrap();
    assert!(
        alarm.contains("identity.key: other users can read it"),
        "{alarm}"
    );
    assert_eq!(
        gateway.apply(&gateway.bundle(3, "ams1", &[STRICT]), &[]).0,
        0
    );
    let (code, text) = gateway.apply(&gateway.bundle_with_secret(4, &good), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("other users can read it"), "{text}");
    assert_eq!(gateway.config().await["serial"], 3);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    gateway.restart_logged().await;
    assert!(gateway.until("it answers", |_| true).await["alarms"]["fleet-identity"].is_null());
    assert_eq!(gateway.recipient(), own);
    assert_eq!(
        gateway.apply(&gateway.bundle_with_secret(5, &good), &[]).0,
        0
    );
}
