//! `--json`: decisions print the answer of the control API, other commands one object or lines.

use std::path::Path;

use serde_json::{Value, json};

use super::{done, on, run, stockrelay};
use crate::control::Served;
use crate::floor::rejection;
use crate::schema::Description;

/// Runs a command that prints one line, and compares it with a schema of docs/openapi.yaml.
async fn compare(socket: &Path, arguments: &[&str], schema: &str) -> Value {
    let printed = done(socket, arguments).await;
    assert_eq!(printed.lines().count(), 1, "{arguments:?}: {printed}");
    let answer: Value = serde_json::from_str(&printed).unwrap();
    let description = Description::read("docs/openapi.yaml");
    let schema = &description.root["components"]["schemas"][schema];
    assert!(schema.is_object());
    let faults = description.compare(schema, &answer);
    assert!(faults.is_empty(), "{arguments:?}: {faults:#?}\n{answer:#}");
    answer
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[tokio::test]
async fn a_decision_prints_the_answer_of_the_control_api() {
    let served = Served::start();
    served.fill().await;
    let another = rejection("pda-3", b"{more nonsense", 8);
    let inbox = served.journal.inbox();
    inbox.append(vec![Err(another)]).await.unwrap();
    served.park(4, "unknown-location").await;
    let socket = served.socket();
    for (line, schema) in [
        ("parked retry 2 --json", "DocumentDetail"),
        (
            "parked edit 3 --line 1 quantity=2 --reason test --json",
            "DocumentDetail",
        ),
        ("parked discard 4 --reason test --json", "DocumentDetail"),
        ("parked undiscard 4 --reason test --json", "DocumentDetail"),
        ("rejected dismiss 2 --reason test --json", "Rejected"),
        (
            "rejected dismiss --upto 9 --code bad-json --reason test --json",
            "Dismissed",
        ),
        ("rejected dismiss --scans --reason test --json", "Dismissed"),
    ] {
        compare(&socket, &words(line), schema).await;
    }
    served.park(5, "unknown-product").await;
    let line = words("parked retry --code unknown-product --json");
    let retried = compare(&socket, &line, "Retried").await;
    assert_eq!(retried["retried"], 1);
    // Document 2 waits: it takes no decision, and the command fails with the answer.
    served.park(6, "unknown-product").await;
    let line = words("parked discard 2 6 --reason test --json");
    let (code, printed, said) = run(on(&socket, &line)).await;
    assert_eq!(code, 1, "{said}");
    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&answer["discarded"], &answer["undecided"][0]["id"]),
        (&json!(1), &json!("2"))
    );
    served.stop().await;
}

#[tokio::test]
async fn sending_a_reading_again_prints_its_event() {
    let served = Served::start();
    served.fill().await;
    let event = r#"{"id": "e9", "type": "transfer", "product": "P", "from": "A", "to": "B"}"#;
    let line = ["rejected", "resend", "1", "--payload", event, "--json"];
    let resent = compare(&served.socket(), &line, "Resent").await;
    assert_eq!(resent["events"], json!([7]));
    served.stop().await;
}

/// Runs a command in a directory. Returns the exit code, and what it printed, a value for each
/// line.
async fn print_in(dir: &Path, line: &str) -> (i32, Vec<Value>) {
    let mut command = stockrelay();
    command.current_dir(dir).args(words(line));
    let (code, printed, said) = run(command).await;
    let values = printed.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}; {said}"))
    });
    (code, values.collect())
}

#[tokio::test]
async fn the_commands_about_files_print_json() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let good = "site = \"ams1\"\n[mqtt.listen]\nanonymous = true\n[odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\n";
    std::fs::write(dir.join("good.toml"), good).unwrap();
    std::fs::write(dir.join("bad.toml"), good.replace("ams1", "a b")).unwrap();
    let (code, found) = print_in(dir, "config check --config good.toml --json").await;
    assert_eq!(code, 0);
    assert_eq!(found[0]["faults"], json!([]));
    assert_eq!(found[0]["warnings"].as_array().unwrap().len(), 1);
    let (code, found) = print_in(dir, "config check --config bad.toml --json").await;
    assert_eq!(code, 64);
    assert!(
        found[0]["faults"][0]
            .as_str()
            .unwrap()
            .contains("bad.toml:1: site")
    );

    let (code, found) = print_in(dir, "profile list --json").await;
    assert_eq!(code, 0);
    assert!(found.len() > 5 && found.iter().all(|one| one["name"].is_string()));
    let (code, found) = print_in(dir, "profile check zebra-serial missing.toml --json").await;
    assert_eq!(code, 64);
    assert_eq!(found[0], json!({"file": "zebra-serial", "faults": []}));
    assert_eq!(found[1]["faults"].as_array().unwrap().len(), 1);

    let (code, found) = print_in(dir, "config reference journal --json").await;
    assert_eq!(code, 0);
    let keys: Vec<_> = found.iter().map(|entry| &entry["key"]).collect();
    assert!(keys.contains(&&json!("journal.budget")), "{keys:?}");
    assert_eq!(found[0]["default"], json!(1_u64 << 30));
    let (code, _) = print_in(dir, "config reference nothing --json").await;
    assert_eq!(code, 2);
}

#[tokio::test]
async fn a_bundle_is_made_signed_and_shown_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir_all(dir.join("autumn/files/config.d")).unwrap();
    let manifest = "format = 1\nserial = 42\nname = \"autumn\"\ncreated = \"2026-11-28T09:00:00Z\"\n\
                    expires = \"2090-01-01T00:00:00Z\"\n[targets]\nall = true\n[[ring]]\nall = true\n";
    std::fs::write(dir.join("autumn/manifest.toml"), manifest).unwrap();
    let part = "[capture]\ncheck = \"strict\"\n";
    std::fs::write(dir.join("autumn/files/config.d/50-capture.toml"), part).unwrap();
    let print = async |line: &str| {
        let (code, mut values) = print_in(dir, line).await;
        assert_eq!((code, values.len()), (0, 1), "{line}: {values:?}");
        values.remove(0)
    };
    let made = print("config bundle autumn -o autumn.bundle --json").await;
    assert_eq!(
        made,
        json!({"file": "autumn.bundle", "serial": 42, "files": 1})
    );
    let key = print("config keygen -o anna --no-password --json").await;
    assert_eq!(key["secret_file"], "anna.key");
    let signed = print("config sign autumn.bundle --key anna.key --json").await;
    assert_eq!(signed["signed_by"], key["id"]);
    let trust = format!(
        "threshold = 1\n[[key]]\nid = {}\npublic = {}\nname = \"anna\"\n",
        key["id"], key["public"]
    );
    std::fs::write(dir.join("trust.toml"), trust).unwrap();
    let verified = print("config verify autumn.bundle --trust trust.toml --json").await;
    assert_eq!(
        verified["signers"],
        json!([{"id": key["id"], "name": "anna"}])
    );
    let shown = print("config inspect autumn.bundle --json").await;
    assert_eq!(shown["signed_by"], json!([key["id"]]));
    assert_eq!(shown["files"][0]["path"], "config.d/50-capture.toml");
    let same = print("config diff autumn.bundle autumn.bundle --json").await;
    assert_eq!(same, json!({"differences": []}));
    let found = print("config check autumn.bundle --all --json").await;
    assert_eq!(
        (&found["serial"], &found["faults"]),
        (&json!(42), &json!([]))
    );
}
