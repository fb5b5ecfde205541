//! The commands as people run them: what they print, and their exit codes.

mod find;
mod json;
mod profiles;
mod rejected;
mod search;

use crate::control::Served;
use crate::floor::transfer;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use stockrelay::catalog::Catalog;
use stockrelay::odoo::{Kind, Nomenclature, Row};
use stockrelay::odoo_id::ProductId;

pub fn stockrelay() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("stockrelay"));
    command.env_remove("STOCKRELAY_CONFIG").stdin(Stdio::null());
    command
}

/// A user without root's rights.
const NOBODY: u32 = 65_534;

/// The same, run by this user. `None`: by the user of this test.
pub fn stockrelay_as(user: Option<u32>) -> Command {
    let Some(user) = user else {
        return stockrelay();
    };
    let mut command = Command::new("setpriv");
    let user = user.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
    command.arg(stockrelay().get_program());
    command.env_remove("STOCKRELAY_CONFIG").stdin(Stdio::null());
    command
}

/// Gives the files to a user without root's rights, and returns that user. Without root's rights
/// they stay with the user of this test.
pub fn give_to_nobody(paths: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut chown = Command::new("chown");
    chown.arg("-R").arg(NOBODY.to_string()).args(paths);
    assert!(chown.status().unwrap().success());
    Some(NOBODY)
}

/// The name of the user to whom the files were given.
pub fn login_name(user: Option<u32>) -> &'static str {
    if user.is_some() { "nobody" } else { "root" }
}

fn on(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = stockrelay();
    command.arg("--socket").arg(socket).args(arguments);
    command
}

/// Runs it beside the runtime that serves the socket.
pub async fn run(mut command: Command) -> (i32, String, String) {
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        status.code().expect("it ended by itself"),
        text(stdout),
        text(stderr),
    )
}

async fn done(socket: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(on(socket, arguments)).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
    stdout
}

#[tokio::test]
async fn without_a_daemon_the_exit_code_is_69_and_the_socket_is_named() {
    let socket = PathBuf::from("/nonexistent/control.sock");
    for arguments in [
        &["status"][..],
        &["events"],
        &["trace", "x"],
        &["parked", "retry", "1"],
    ] {
        let (code, stdout, stderr) = run(on(&socket, arguments)).await;
        assert_eq!((code, stdout.as_str()), (69, ""), "{arguments:?}");
        assert!(stderr.contains("/nonexistent/control.sock"), "{stderr}");
    }
}

#[tokio::test]
async fn wrong_usage_is_2_and_a_wrong_configuration_64_with_every_fault() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    for arguments in [
        &[][..],
        &["fly"],
        &["parked", "discard", "1"],
        &["events", "--limit", "0"],
    ] {
        let mut command = stockrelay();
        command.args(arguments);
        assert_eq!(run(command).await.0, 2, "{arguments:?}");
    }
    std::fs::write(&config, "site = \"a b\"\nsize = 1\n").unwrap();
    for arguments in [&["run"][..], &["check"], &["config", "check"], &["status"]] {
        let mut command = stockrelay();
        command.arg("--config").arg(&config).args(arguments);
        let (code, stdout, stderr) = run(command).await;
        let said = stdout + &stderr;
        assert_eq!(code, 64, "{arguments:?}: {said}");
        assert!(said.contains("site") && said.contains("size"), "{said}");
    }
}

#[tokio::test]
async fn a_usage_line_names_what_is_missing_and_nothing_else() {
    let mut command = stockrelay();
    command.args(["rejected", "dismiss", "--reason", "s"]);
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, 2);
    for part in ["<NUMBER|", "--upto", "--scans"] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    let mut command = stockrelay();
    command.env("STOCKRELAY_CONFIG", "/etc/other.toml");
    command.arg("trace");
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("Usage: stockrelay trace"), "{stderr}");
    assert!(!stderr.contains("--config"), "{stderr}");
    // The variable is used all the same.
    let mut command = stockrelay();
    command.env("STOCKRELAY_CONFIG", "/nonexistent/other.toml");
    command.args(["config", "check"]);
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, 64);
    assert!(stderr.contains("/nonexistent/other.toml"), "{stderr}");
}

#[tokio::test]
async fn the_daemon_is_asked_and_decisions_are_made() {
    let served = Served::start();
    served.fill().await;
    let socket = served.socket();
    let status = done(&socket, &["status"]).await;
    assert!(
        status.contains(
            "6 stored = 1 open + 1 waiting + 0 sending + 1 posted + 2 parked + 1 no document"
        ),
        "{status}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&done(&socket, &["status", "--json"]).await).unwrap();
    assert_eq!(json["events"]["stored"], 6);
    let events = done(&socket, &["events", "--state", "parked", "--json"]).await;
    let seqs: Vec<_> = (events.lines())
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].clone())
        .collect();
    assert_eq!(seqs, [2, 3]);
    assert_eq!(
        done(&socket, &["events", "--limit", "2"])
            .await
            .lines()
            .count(),
        3,
        "headings and two"
    );
    assert!(
        done(&socket, &["events", "--rejected"])
            .await
            .contains("pda-3")
    );
    let status = done(&socket, &["status"]).await;
    assert!(
        status.contains("2 parked documents, 1 rejected reading"),
        "{status}"
    );
    assert!(done(&socket, &["rejected", "list"]).await.contains("open"));
    let shown = done(&socket, &["rejected", "show", "1"]).await;
    assert!(
        shown.contains("{nonsense") && shown.contains("rejected dismiss 1"),
        "{shown}"
    );
    let said = done(
        &socket,
        &["rejected", "dismiss", "--upto", "1", "--reason", "a test"],
    )
    .await;
    assert_eq!(said, "1 rejected reading dismissed\n");
    assert!(!done(&socket, &["rejected", "list"]).await.contains("pda-3"));
    let all = done(&socket, &["rejected", "list", "--all"]).await;
    assert!(all.contains("dismissed"), "{all}");
    assert!(
        done(&socket, &["documents", "--state", "posted"])
            .await
            .contains("WH/INT/00007")
    );
    let trace = done(&socket, &["trace", "pda-1/e1"]).await;
    assert!(trace.contains("posted as WH/INT/00007"), "{trace}");
    assert_eq!(run(on(&socket, &["trace", "never"])).await.0, 1);
    let (code, _, stderr) = run(on(&socket, &["events", "--state", "lost"])).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("discarded, no-document"), "{stderr}");
    let none = done(&socket, &["events", "--state", "no-document"]).await;
    let row = none.lines().nth(1).unwrap();
    assert!(row.contains("  no-document"), "{none}");

    done(
        &socket,
        &["parked", "discard", "3", "--reason", "counted by hand"],
    )
    .await;
    assert!(
        done(&socket, &["parked", "show", "3"])
            .await
            .contains("counted by hand")
    );
    let retried = done(&socket, &["parked", "retry", "--code", "unknown-product"]).await;
    assert_eq!(retried, "1 document will be sent again\n");
    assert_eq!(done(&socket, &["parked", "list", "--json"]).await, "");
    assert_eq!(
        run(on(&socket, &["parked", "retry", "2"])).await.0,
        1,
        "not parked any more"
    );
    let undiscard = ["parked", "undiscard", "3", "--reason", "moved after all"];
    assert_eq!(
        done(&socket, &undiscard).await,
        "document 5 replaces the discarded document 3 and waits to be sent\n"
    );
    assert_eq!(run(on(&socket, &undiscard)).await.0, 1, "only once");
    served.park(5, "unknown-product").await;
    let (code, stdout, stderr) = run(on(&socket, &["parked", "retry", "1", "5"])).await;
    assert_eq!(
        (code, stdout.as_str()),
        (1, "1 document will be sent again\n")
    );
    assert!(stderr.contains("1: document 1 is not parked"), "{stderr}");
    served.stop().await;
}

#[tokio::test]
async fn a_parked_document_is_put_right_by_hand() {
    let served = Served::start();
    served.fill().await;
    let socket = served.socket();
    let listed = done(
        &socket,
        &["parked", "list", "--code", "unknown-product", "--json"],
    )
    .await;
    assert_eq!(listed.lines().count(), 2);
    let none = done(
        &socket,
        &["parked", "list", "--code", "lot-required", "--json"],
    )
    .await;
    assert_eq!(none, "");
    // No code of this version, and no document has it.
    for arguments in [
        &["parked", "list", "--code", "nonsense"][..],
        &["parked", "retry", "--code", "nonsense"],
        &[
            "rejected", "dismiss", "--upto", "9", "--code", "nonsense", "--reason", "x",
        ],
    ] {
        let (code, stdout, stderr) = run(on(&socket, arguments)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        for part in [
            "nonsense",
            "give a reason code, as `stockrelay ",
            " list` shows",
        ] {
            assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        }
    }
    let shown = done(&socket, &["parked", "show", "2"]).await;
    for told in [
        "unknown-product: no product has the barcode P",
        "Choices:",
        "    edit: to name another product",
        "LINE  QUANTITY  PRODUCT",
    ] {
        assert!(shown.contains(told), "{told:?} in\n{shown}");
    }

    let edit = [
        "parked",
        "edit",
        "2",
        "--line",
        "1",
        "product=Q",
        "lot=L1",
        "--reason",
        "wrong label",
    ];
    assert_eq!(
        done(&socket, &edit).await,
        "document 5 replaces document 2 and waits to be sent\n"
    );
    assert_eq!(run(on(&socket, &edit)).await.0, 1, "not parked any more");
    let trace = done(&socket, &["trace", "pda-1/e2"]).await;
    let at = |text: &str| {
        trace
            .find(text)
            .unwrap_or_else(|| panic!("{text:?} in\n{trace}"))
    };
    assert!(at("document 2 ") < at("document 5 "), "{trace}");
    at("replaced by document 5");
    at("replaces document 2");
    at("line 1: product Q instead of P, line 1: lot L1: wrong label");
    let replaced = done(&socket, &["documents", "--state", "replaced", "--json"]).await;
    assert!(replaced.contains("\"number\":2,"), "{replaced}");

    for (arguments, said) in [
        (
            &["edit", "3", "--reason", "x", "--line", "to=C", "lot=L"][..],
            "has no line number",
        ),
        (
            &["edit", "3", "--reason", "x", "--line", "1", "colour=red"],
            "line 1: unknown field colour; accepted are product, quantity,",
        ),
        (
            &["edit", "3", "--reason", "x", "--line", "1", "to="],
            "to cannot be cleared",
        ),
        (&["edit", "3", "--reason", "x", "--order", "S1"], "no order"),
        (&["edit", "3", "--line", "1", "to=C"], "--reason"),
        (&["retry", "3", "--with", "allow"], "takes no answer"),
        (
            &["retry", "--code", "under-picked", "--with", "allow"],
            "backorder or no-backorder",
        ),
        (&["retry", "3", "--code", "x"], "--code"),
    ] {
        let (code, _, stderr) = run(on(&socket, &[&["parked"], arguments].concat())).await;
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    let served = Served::start();
    for batch in 0..5 {
        let mut decoded = Vec::new();
        for n in 0..1_000 {
            decoded.push(Ok(transfer(
                "pda",
                &format!("{batch}-{n}"),
                "P",
                "A",
                "B",
                n,
            )));
        }
        served.journal.inbox().append(decoded).await.unwrap();
    }
    let mut command = on(&served.socket(), &["events", "--limit", "5000", "--json"]);
    let head = move || {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        // Only the first line is read; then the pipe is closed, as `head -1` does.
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(first.starts_with('{'), "{first}");
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(head).await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    served.stop().await;
}

#[tokio::test]
async fn a_password_becomes_lines_for_the_list_of_devices() {
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    // Bytes that are no text, and a line end that is not part of them.
    std::fs::write(&password, b"correct\xFF\0horse\r\n").unwrap();
    let mut command = stockrelay();
    command.args(["devices", "hash", "dock-2.left"]);
    command.stdin(std::fs::File::open(&password).unwrap());
    let (code, lines, _) = run(command).await;
    assert_eq!(code, 0);
    let list: toml::Table = lines.parse().unwrap();
    let hash = list["devices"]["dock-2.left"]["password"].as_str().unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let hash = argon2::PasswordHash::new(hash).unwrap();
    let verified = hash.verify_password(&[&argon2::Argon2::default()], b"correct\xFF\0horse");
    assert_eq!(verified, Ok(()));
    let mut command = stockrelay();
    command.args(["devices", "hash", "a/b"]);
    assert_eq!(run(command).await.0, 2);
}

/// A bin and a lot of one name, and a GS1 nomenclature with a rule for bins.
fn site(dir: &Path) -> Catalog {
    let copy = Catalog::open(dir, "x").unwrap();
    let row = |id, name: &str| Row {
        id,
        active: true,
        name: Some(name.to_owned()),
        display_name: Some(name.to_owned()),
        ..Row::default()
    };
    let coded = |id, name: &str, barcode: &str| Row {
        barcode: Some(barcode.to_owned()),
        ..row(id, name)
    };
    let lot = Row {
        product_id: Some(ProductId::new(1)),
        ..row(3, "1001")
    };
    copy.apply(Kind::Product, &[coded(1, "Pen", "PEN")])
        .unwrap();
    copy.apply(Kind::Location, &[coded(2, "WH/Stock/1001", "1001")])
        .unwrap();
    copy.apply(Kind::Lot, &[lot]).unwrap();
    let rules = serde_json::json!([{
        "name": "Bins", "type": "location", "pattern": "(90)(B[0-9]+)", "sequence": 1, "encoding": "gs1-128",
        "gs1_content_type": "alpha",
    }]);
    let nomenclature = Nomenclature {
        pounds: false,
        gs1: true,
        conversion: None,
        rules: serde_json::from_value(rules).unwrap(),
    };
    copy.set_nomenclature(&nomenclature).unwrap();
    copy
}

#[test]
fn a_device_that_is_listed_gets_no_second_entry() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let config = "site = \"ams1\"\n[mqtt.listen]\ndevices = \"devices.toml\"\n\
                  [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"d\"\n";
    std::fs::write(path("config.toml"), config).unwrap();
    std::fs::write(path("devices.toml"), "# all\n[devices.\"pda-07\"]\n").unwrap();
    for (device, code) in [("pda-08", 0), ("pda-07", 1)] {
        let mut command = stockrelay();
        command.arg("--config").arg(path("config.toml"));
        command.args(["devices", "hash", device]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"secret\n").unwrap();
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        assert_eq!(status.code(), Some(code));
        assert_eq!(stdout.is_empty(), code == 1);
        let stderr = String::from_utf8(stderr).unwrap();
        let is_told = stderr.contains("is already in")
            && stderr.contains(", at line 2:")
            && stderr.contains("$argon2id");
        assert_eq!(is_told, code == 1, "{stderr}");
    }
}

#[test]
fn a_retry_of_nothing_names_both_ways() {
    let output = on(Path::new("/nowhere.sock"), &["parked", "retry"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("--code CODE") && stderr.contains("retry 17"),
        "{stderr}"
    );
}
