//! `stockrelay devices` on the list of a running gateway.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;
use stockrelay::clock;

use super::{Installed, SOON};
use crate::commands::run;
use crate::reload::site::Device;

/// Waits until the gateway answers to a log-in as it should: it reads the list each second.
async fn until_login(gateway: &Installed, name: &str, password: &str, accepted: bool) {
    let begun = clock::instant();
    loop {
        let device = Device::try_connect(gateway.address, name, Some(password)).await;
        if device.is_ok() == accepted {
            return;
        }
        assert!(begun.elapsed() < SOON, "{name}: never {accepted}");
        // Ten refused log-ins in a minute would close the door to this address.
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
}

/// The value of a line of the sheet.
fn line<'a>(sheet: &'a str, name: &str) -> &'a str {
    let found = sheet.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("{name} in {sheet}")).trim()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_added_gets_a_new_password_and_is_lost() {
    let gateway = Installed::start().await;
    let list = gateway.path("devices.toml");
    std::fs::set_permissions(&list, std::fs::Permissions::from_mode(0o640)).unwrap();
    let sheet = gateway
        .done(&["devices", "add", "pda-07", "--flow", "transfer"])
        .await;
    let password = line(&sheet, "password").to_owned();
    assert_eq!(line(&sheet, "site"), "ams1");
    assert_eq!(
        line(&sheet, "broker"),
        format!("mqtt://{}", gateway.address)
    );
    assert_eq!(line(&sheet, "scans"), "stockrelay/v1/ams1/pda-07/scan");
    assert!(
        sheet.contains("reads the list within two seconds"),
        "{sheet}"
    );
    // The code, as blocks.
    assert!(sheet.contains('█') && sheet.contains('▄'), "{sheet}");
    let text = gateway.read("devices.toml");
    assert!(text.starts_with("# Hall 3\n"), "{text}");
    assert!(
        text.contains("[devices.pda-07]\npassword = \"$argon2id$"),
        "{text}"
    );
    assert!(!text.contains(&password), "{text}");
    let mode = std::fs::metadata(&list).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    until_login(&gateway, "pda-07", &password, true).await;

    let (code, stdout, stderr) = gateway.output(&["devices", "add", "pda-07"]).await;
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("--replace-password"), "{stderr}");
    assert_eq!(gateway.read("devices.toml"), text);

    let answer = gateway
        .done(&["devices", "add", "pda-07", "--replace-password", "--json"])
        .await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let new = answer["password"].as_str().unwrap();
    assert_eq!(answer["topic"], "stockrelay/v1/ams1/pda-07");
    until_login(&gateway, "pda-07", new, true).await;
    until_login(&gateway, "pda-07", &password, false).await;

    let mut device = Device::try_connect(gateway.address, "pda-07", Some(new))
        .await
        .unwrap();
    let said = gateway.done(&["devices", "disable", "pda-07"]).await;
    assert!(said.starts_with("Device pda-07 is disabled. "), "{said}");
    assert!(
        device.receive().await.is_none(),
        "the lost device is disconnected"
    );
    until_login(&gateway, "pda-07", new, false).await;
    let rows = gateway.done(&["devices", "list", "--json"]).await;
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(
        (&row["name"], &row["enabled"]),
        (&"pda-07".into(), &false.into())
    );
    assert_eq!(row["flow"], "transfer");
    assert!(!rows.contains("argon2"), "{rows}");
    let table = gateway.done(&["devices", "list"]).await;
    assert!(table.contains("disabled"), "{table}");
}

#[tokio::test]
async fn a_name_that_a_topic_cannot_hold_and_a_missing_list_are_told() {
    let mut gateway = Installed::prepare().await;
    for name in ["hall/3", "a+b", "#", "", &"x".repeat(65)] {
        let (code, _, stderr) = gateway.output(&["devices", "add", name]).await;
        assert_eq!(code, 2, "{name}: {stderr}");
        assert!(stderr.contains("choose another name"), "{stderr}");
    }
    let (code, _, stderr) = gateway
        .output(&["devices", "add", "a", "--profile", "none"])
        .await;
    assert_eq!(code, 1);
    assert!(stderr.contains("devices.a.profile"), "{stderr}");
    assert_eq!(gateway.read("devices.toml"), "# Hall 3\n");
    // A gateway that does not run reads the list later.
    std::fs::remove_file(gateway.path("devices.toml")).unwrap();
    let said = gateway.done(&["devices", "add", "a"]).await;
    assert!(said.contains("reads the list when it starts"), "{said}");
    let mode = std::fs::metadata(gateway.path("devices.toml")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let password = line(&said, "password").to_owned();
    gateway.run().await;
    until_login(&gateway, "a", &password, true).await;

    let config = gateway
        .read("config.toml")
        .replace("devices = \"devices.toml\"\n", "");
    gateway.write("config.toml", &config);
    let (code, _, stderr) = gateway.output(&["devices", "list"]).await;
    assert_eq!(code, 64);
    assert!(stderr.contains("devices = \"devices.toml\""), "{stderr}");
}

#[tokio::test]
async fn a_password_is_hashed_alone_and_as_an_entry() {
    let gateway = Installed::prepare().await;
    let hash = |arguments: &[&str], input: &'static [u8]| {
        let mut command = gateway.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, alone, _) = hash(&["devices", "hash"], b"secret\n");
    assert_eq!(code, 0);
    assert!(alone.starts_with("$argon2id$v=19$"), "{alone}");
    let (code, entry, _) = hash(&["devices", "hash", "pda.1"], b"secret\n");
    assert_eq!(code, 0);
    assert!(
        entry.starts_with("[devices.\"pda.1\"]\npassword = \"$argon2id$"),
        "{entry}"
    );
    gateway.write("devices.toml", &entry);
    let (code, none, why) = hash(&["devices", "hash", "pda.1"], b"secret\n");
    assert_eq!((code, none.as_str()), (1, ""));
    assert!(why.contains("at line 1"), "{why}");
    assert_eq!(hash(&["devices", "hash"], b"\n").0, 2);
    let none = run(gateway.command(&["devices", "disable", "pda-9"])).await;
    assert_eq!(none.0, 1, "{none:?}");
}
