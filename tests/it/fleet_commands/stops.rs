//! Stops and resumptions, and an account that may not write.

use stockrelay::fleet::stop::count_at;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn watch_publishes_a_stop_that_gateways_accept_when_too_many_fail() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    for site in ["a1", "a2", "a3", "a4"] {
        gateways.state(site, 42, "staged").await;
    }
    let watch = [
        "fleet",
        "watch",
        "42",
        "--max-failed",
        "0.25",
        "--silent-s",
        "2",
        "--sign",
        "anna.key",
        "--by",
        "the night watch",
    ];
    let running = office.start(&watch);
    let (running, _) = running.line("ring 1").await;
    // One of four is not more than a quarter.
    gateways
        .ended("a1", 42, "rolled-back", "the link to Odoo is held")
        .await;
    let (running, line) = running.line("a1 (ring 1)").await;
    assert!(
        line.contains("rolled-back: the link to Odoo is held"),
        "{line}"
    );
    assert_eq!(gateways.newest(STOP_TOPIC), None);
    // The second one goes silent while it applies the bundle.
    gateways.state("a2", 42, "applied").await;
    gateways.online("a2", false).await;
    let stop = gateways.stop(&office, |stop| stop.stop).await;
    assert!(stop.stops(42) && stop.by == "the night watch", "{stop:?}");
    assert!(
        stop.reason.contains("2 of 4 gateways of ring 1"),
        "{stop:?}"
    );
    let (running, line) = running.line("is stopped").await;
    let count = format!("is stopped (count {})", stop.count);
    assert!(line.contains(&count), "{line}");
    assert_eq!(running.code().await, 1);
    // Another watch finds the stop.
    let out = office.ends(&watch, 1);
    assert!(
        out.contains(&format!("{count} by the night watch")),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn a_stop_takes_one_key_and_a_resumption_the_threshold() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    gateways.state("a1", 42, "staged").await;
    let watch = office.start(&["fleet", "watch", "42", "--sign", "ben.key"]);
    let (watch, _) = watch.line("ring 1").await;
    // A message that nobody signed stops nothing, and its count is not used.
    let forged = Stop {
        serial: 42,
        stop: true,
        count: 1_000,
        reason: "forged".to_owned(),
        by: "eve".to_owned(),
    };
    gateways.publish(STOP_TOPIC, forged.build().unwrap()).await;
    let stop = [
        "fleet",
        "stop",
        "42",
        "--reason",
        "wrong \"database\"",
        "--sign",
        "anna.key",
    ];
    let out = office.ends(&stop, 0);
    let stopped = gateways.stop(&office, |stop| stop.stop).await;
    let count = format!("is stopped (count {})", stopped.count);
    assert!(out.contains(&count) && stopped.count > 1_000_000, "{out}");
    assert!(out.contains("0 gateways have applied bundle 42"), "{out}");
    assert_eq!(stopped.reason, "wrong \"database\"");
    let (watch, line) = watch.line("is stopped").await;
    assert!(line.contains("wrong \"database\""), "{line}");
    assert_eq!(watch.code().await, 1);
    // Of a lower serial: the new stop includes the one on the broker.
    let lower = ["fleet", "stop", "41", "--reason", "x", "--sign", "ben.key"];
    let out = office.ends(&lower, 0);
    assert!(out.contains("bundle 41 is stopped, too"), "{out}");
    let lower = gateways.stop(&office, |stop| stop.reason == "x").await;
    assert!(lower.stops(42) && lower.count > stopped.count, "{lower:?}");
    let resume = ["fleet", "resume", "42", "--sign", "anna.key"];
    let out = office.ends(&resume, 1);
    assert!(out.contains("1 of 2 signatures count"), "{out}");
    assert!(gateways.stop(&office, |_| true).await.stops(42));
    let out = office.ends(&["fleet", "push", "autumn.bundle"], 0);
    assert!(out.contains("do not apply it"), "{out}");
    let other = ["fleet", "resume", "5", "--sign", "anna.key"];
    let out = office.ends(&other, 1);
    assert!(out.contains("run `stockrelay fleet resume 42`"), "{out}");
    // The keys are on two machines.
    office.ends(&[&resume[..], &["-o", "resume.tar"]].concat(), 0);
    let ben = [
        "fleet",
        "resume",
        "42",
        "--sign",
        "ben.key",
        "--from",
        "resume.tar",
    ];
    let out = office.ends(&ben, 0);
    assert!(out.contains("is resumed (count "), "{out}");
    let resumed = gateways.stop(&office, |stop| !stop.stop).await;
    assert!(resumed.count > lower.count, "{resumed:?}");
    // Somebody without a key puts an old stop there, or removes the message: the next stop is newer
    // than everything that the gateways have.
    let old = gateways.first_stop(stopped.count);
    for message in [old, Bytes::new()] {
        gateways.publish(STOP_TOPIC, message).await;
        until("a later second", || count_at(clock::now()) > resumed.count).await;
        office.ends(&[&stop[..], &["--by", "anna"]].concat(), 0);
        let newer = gateways.stop(&office, |stop| stop.by == "anna").await;
        assert!(newer.stops(42) && newer.count > resumed.count, "{newer:?}");
    }
    // Both keys are here, and the broker has lost the message.
    gateways.publish(STOP_TOPIC, "").await;
    let both = ["--sign", "ben.key", "--count", "7"];
    office.ends(&[&resume[..], &both].concat(), 0);
    assert!(!gateways.stop(&office, |stop| stop.count == 7).await.stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn an_account_that_may_not_write_is_no_success() {
    let mosquitto = Mosquitto::start("password_file DIR/passwords\nacl_file DIR/acl", |dir| {
        let passwords = dir.join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args(["desk", "hunter2"])
            .status();
        assert!(made.unwrap().success());
        fs::write(
            dir.join("acl"),
            "user desk\ntopic read stockrelay-fleet/#\n",
        )
        .unwrap();
    })
    .await;
    let login = "username = \"desk\"\npassword_file = \"desk.password\"";
    let broker = format!("broker = \"mqtt://127.0.0.1:{}\"\n{login}", mosquitto.port);
    let office = Office::new(&broker);
    office.write("desk.password", "wrong\n");
    let out = office.ends(&["fleet", "status"], 69);
    assert!(
        out.contains("check fleet.username and fleet.password_file"),
        "{out}"
    );
    office.write("desk.password", "hunter2\n");
    office.bundle("autumn", 42, CAPTURE);
    // mosquitto 2.0 acknowledges the message and drops it, or ends the connection.
    let (code, _, error) = office.run(&["fleet", "push", "autumn.bundle"]);
    assert!([1, 69].contains(&code), "{code}: {error}");
    let is_clear = |part: &str| error.contains(part);
    assert!(
        is_clear("account may not write") || is_clear("does not hand it out"),
        "{error}"
    );
    // The same with arguments instead of a configuration.
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let login = ["--username", "desk", "--password-file", "desk.password"];
    let status = ["fleet", "status", "--broker", &url];
    office.ends(&[&status[..], &login].concat(), 0);
}
