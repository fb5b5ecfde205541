//! The commands that try scanner profiles and codes.

use super::{done, on, run, site, stockrelay};
use crate::control::Served;
use std::path::Path;

#[tokio::test]
async fn a_scanner_profile_is_tried_without_a_daemon_or_a_configuration() {
    let mut command = stockrelay();
    command.args([
        "profile",
        "test",
        "zebra-serial",
        r"]C10104006381333931\x1d10LOT-7",
        "--json",
    ]);
    let (code, stdout, stderr) = run(command).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        answer["elements"][1],
        serde_json::json!({"ai": "10", "value": "LOT-7"})
    );

    // With the site's data it needs both.
    let nowhere = Path::new("/nonexistent/control.sock");
    let (code, _, stderr) = run(on(
        nowhere,
        &["profile", "test", "generic-hid", "X", "--copy"],
    ))
    .await;
    assert_eq!(
        (code, stderr.contains("no daemon answers")),
        (69, true),
        "{stderr}"
    );

    let mut command = stockrelay();
    command.args(["profile", "check", "/nonexistent.toml"]);
    let (code, stdout, _) = run(command).await;
    assert_eq!(
        (code, stdout.contains("/nonexistent.toml: ")),
        (64, true),
        "{stdout}"
    );
}

#[tokio::test]
async fn a_code_is_tried_by_the_sites_data_with_what_each_step_says() {
    let served = Served::start();
    let socket = served.socket();
    let arguments = ["profile", "test", "generic-serial", "1001", "--copy"];
    let (code, _, stderr) = run(on(&socket, &arguments)).await;
    assert_eq!(
        (code, stderr.contains("no copy of Odoo's data yet")),
        (1, true),
        "{stderr}"
    );
    served.stop().await;

    let dir = tempfile::tempdir().unwrap();
    let copy = site(dir.path());
    let served = Served::with_copy(Some(copy));
    let socket = served.socket();
    let of_rule = ["profile", "test", "generic-serial", r"]C190B12", "--copy"];
    insta::assert_snapshot!(done(&socket, &of_rule).await, @r#"
connection            serial, 9600 8N1, ends with \r
symbology identifier  ]C190B12 -> 90B12
symbology             gs1-128
repeats               the same code within 300 ms is a duplicate of its first
flow                  none: codes are stored unchanged
GS1 elements          (90)B12
command barcodes      nothing
code.means            nothing
GS1 and Odoo's rules  {"kind":"location","code":"B12"}
Odoo's data           nothing
nomenclature          nothing
form                  nothing
meaning               {"kind":"location","code":"B12"}: Odoo's barcode nomenclature says so
"#);
    // A bin, and a lot of the product that is scanned before it.
    let (code, stdout, _) = run(on(
        &socket,
        &[
            "profile",
            "test",
            "generic-serial",
            "1001",
            "--copy",
            "--json",
        ],
    ))
    .await;
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &answer["meaning"]["kind"], &answer["asked"][3]["who"]),
        (0, &"location".into(), &"Odoo's data".into())
    );
    let last = [
        "profile",
        "test",
        "generic-serial",
        "1001",
        "--copy",
        "--last",
        "PEN",
    ];
    let (code, stdout, _) = run(on(&socket, &last)).await;
    assert_eq!(code, 1);
    assert!(
        stdout.contains("Odoo's data           refuses the code: 1001 means location"),
        "{stdout}"
    );
    served.stop().await;
}
