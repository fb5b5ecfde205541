//! The Debian package in a booted Debian: installed, configured, upgraded, not downgraded, removed,
//! purged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};

use crate::readme::bridge;
use crate::systemd::boot;

/// Each step prints one line.
const STEPS: &str = r#"
exec 2>log
wait_for() { for _ in $(seq 300); do sh -c "$1" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $1"; }
count() { stockrelay status --json | tr -d ' ' | grep -o "\"$1\":[0-9]*" | head -n 1; }
installed() { dpkg-query -W -f '${Version}' stockrelay; }
link() { socat TCP-LISTEN:8069,fork,reuseaddr,bind=127.0.0.1 UNIX-CONNECT:/srv/stockrelay/odoo.sock & }
scan() {
  mosquitto_pub -u pda-01 -P "$password" -q 1 -t stockrelay/v1/ams1/pda-01/event -m "{\"id\": \"$1\",
    \"type\": \"transfer\", \"product\": \"4000000000020\", \"quantity\": 1, \"from\": \"LOC-BIN-0002\", \"to\": \"LOC-BIN-0001\"}"
}

dpkg -i first.deb >install 2>&1
echo "installed: $? $(installed) $(systemctl is-active stockrelay)"
grep -c "^  stockrelay " install
stockrelay --version >/dev/null && man -w stockrelay >/dev/null 2>&1; bash -n /usr/share/bash-completion/completions/stockrelay && echo "completions"

link
stockrelay setup --site ams1 --odoo http://127.0.0.1:8069 --database DATABASE --warehouse WH --api-key-file key >setup
echo "setup: $? $(systemctl is-active stockrelay) $(systemctl is-enabled stockrelay)"
password=$(sed -n 's/^ *password *//p' setup)
stat -c '%n %a %U:%G' /etc/credstore/odoo-api-key /etc/stockrelay/config.toml /etc/stockrelay/devices.toml
scan first
wait_for 'stockrelay status --json | tr -d " " | grep "\"posted\":1,"'
echo "the first scan: $(count posted)"

# Also the connections that are open.
pkill socat
scan second
wait_for 'stockrelay status --json | tr -d " " | grep "\"waiting\":1,"'
echo "with the link down: $(count waiting)"
pid=$(systemctl show -P MainPID stockrelay)
started=$(journalctl -u stockrelay | grep -c "Started stockrelay")
sum=$(cat /etc/stockrelay/config.toml /etc/stockrelay/devices.toml | sha256sum)
dpkg -i second.deb >upgrade 2>&1
echo "upgraded: $? $(installed) $(systemctl is-active stockrelay)"
test $pid != $(systemctl show -P MainPID stockrelay) && echo "restarted"
test "$sum" = "$(cat /etc/stockrelay/config.toml /etc/stockrelay/devices.toml | sha256sum)" && echo "the same configuration"
wait_for 'stockrelay status'
echo "after the upgrade: $(count stored) $(count waiting)"
link
wait_for 'stockrelay status --json | tr -d " " | grep "\"posted\":2,"'
echo "with the link up: $(count posted)"

dpkg -i first.deb >downgrade 2>&1
echo "downgrade: $? $(installed) $(systemctl is-active stockrelay)"
grep -c "cannot read the journal" downgrade

dpkg -r stockrelay >remove 2>&1
echo "removed: $? $(systemctl is-active stockrelay) $(ls /var/lib/stockrelay/journal.redb /etc/stockrelay/config.toml | wc -l)"
dpkg -P stockrelay >purge 2>&1
echo "purged: $? $(grep -c "deleting" purge)"
ls -d /var/lib/stockrelay /etc/stockrelay 2>/dev/null
echo end
"#;

/// The same package as another version.
fn with_version(package: &Path, version: &str, into: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let run = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    run(Command::new("dpkg-deb").arg("-R").args([package, &tree]));
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some(("Version", _)) => format!("Version: {version}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&control, lines.collect::<String>()).unwrap();
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Znone", "-b"])
        .args([&tree, into]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, namespaces, systemd as /lib/systemd/systemd, cgroup v2, socat, mosquitto_pub, and PACKAGE_UNDER_TEST, a package of `systemd/package/build`"]
async fn the_package_is_installed_upgraded_removed_and_purged_without_a_loss() {
    let package = std::env::var_os("PACKAGE_UNDER_TEST");
    let package = PathBuf::from(package.expect("PACKAGE_UNDER_TEST"));
    let package = package.canonicalize().unwrap();
    let seed = Seed {
        bins: 3,
        products: 3,
    };
    let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    with_version(&package, "0.1.0-1", &dir.path().join("first.deb"));
    with_version(&package, "0.1.1-1", &dir.path().join("second.deb"));
    fs::write(dir.path().join("key"), API_KEY).unwrap();
    let steps = STEPS.replace("DATABASE", DATABASE);
    fs::write(dir.path().join("steps"), steps).unwrap();
    let _bridge = bridge(dir.path(), &odoo);
    let said = boot(dir.path(), None).await;
    let lines = [
        "installed: 0 0.1.0-1 inactive",
        "3",
        "completions",
        "setup: 0 active enabled",
        "/etc/credstore/odoo-api-key 600 root:root",
        "/etc/stockrelay/config.toml 640 root:stockrelay",
        "/etc/stockrelay/devices.toml 600 stockrelay:stockrelay",
        "the first scan: \"posted\":1",
        "with the link down: \"waiting\":1",
        "upgraded: 0 0.1.1-1 active",
        "restarted",
        "the same configuration",
        "after the upgrade: \"stored\":2 \"waiting\":1",
        "with the link up: \"posted\":2",
        "downgrade: 1 0.1.1-1 active",
        "1",
        "removed: 0 inactive 2",
        "purged: 0 4",
        "end",
    ];
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        lines,
        "{}",
        [
            "log",
            "install",
            "setup",
            "upgrade",
            "downgrade",
            "remove",
            "purge"
        ]
        .map(|name| format!("== {name}\n{}", text(name)))
        .concat()
    );
    assert_eq!(odoo.pickings().get("done"), Some(&2));
}
