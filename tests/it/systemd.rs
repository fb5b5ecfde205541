//! The unit under a real systemd: the key as a credential, and which ends are started again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};

use crate::readme::{bridge, copy_dir, root};

/// systemd starts, and the steps are done, within this time.
const WITHIN: Duration = Duration::from_mins(2);

/// Each step prints one line; a state is the unit's in `systemctl show`.
const STEPS: &str = r#"
exec 2>log
config=/etc/stockrelay/config.toml
wait_for() { for _ in $(seq 300); do sh -c "$1" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $1"; }
state() { echo "$(systemctl show -P ActiveState stockrelay) $(systemctl show -P ExecMainStatus stockrelay) $(systemctl show -P NRestarts stockrelay)"; }
begin() { systemctl reset-failed stockrelay; systemctl start "$@" stockrelay; }
socat TCP-LISTEN:8069,fork,reuseaddr,bind=127.0.0.1 UNIX-CONNECT:/srv/stockrelay/odoo.sock &
install -m 600 key /etc/credstore/odoo-api-key
cp config.toml $config

stockrelay check >check; echo "check before the start: $?"
begin
wait_for 'stockrelay status --json | grep "\"link\":\"up\""'
echo "with a credential: $(state)"
stockrelay check >check; echo "check beside it: $?"
grep "^FAIL\|^warn" check | cut -c 1-40
echo 'stock.negative = "allow"' >/etc/stockrelay/config.d/05.toml
pid=$(systemctl show -P MainPID stockrelay)
systemctl reload stockrelay; echo "reload: $? $(systemctl show -P ActiveState stockrelay)"
test $pid = $(systemctl show -P MainPID stockrelay) && echo "the same process"
stockrelay status | grep -q 'from files' && echo "the origin is shown"
echo 'stock.negative = 1' >/etc/stockrelay/config.d/05.toml
systemctl reload stockrelay; echo "reload with a fault: $? $(systemctl show -P ActiveState stockrelay)"
rm /etc/stockrelay/config.d/05.toml
kill -HUP $pid
wait_for '! stockrelay status | grep "did not reload"'
systemctl stop stockrelay

# A new file with which it cannot start: it goes on with the last configuration.
echo 'mqtt.listen.devices = "gone.toml"' >/etc/stockrelay/config.d/10.toml
begin
wait_for 'stockrelay status | grep "ALARM.*gone.toml"'
echo "with a new file that names a missing one: $(state)"
systemctl stop stockrelay

# The same where no configuration has run: a person must act.
rm /var/lib/stockrelay/last-config.toml
begin --no-block
wait_for 'systemctl is-failed stockrelay'
echo "without a last configuration: $(state)"
rm /etc/stockrelay/config.d/10.toml

# A port that is in use gets free.
socat TCP-LISTEN:1883,reuseaddr,bind=127.0.0.1,fork /dev/null &
port=$!
wait_for 'socat -u /dev/null TCP:127.0.0.1:1883'
begin --no-block
wait_for 'test $(systemctl show -P NRestarts stockrelay) -ge 2'
echo "while the port is in use it is started again"
kill $port
wait_for 'systemctl is-active stockrelay'
echo "when the port is free: $(systemctl show -P ActiveState stockrelay)"

# Every page but the first.
systemctl stop stockrelay
journal=/var/lib/stockrelay/journal.redb
dd if=/dev/urandom of=$journal bs=4096 seek=1 count=$(($(stat -c %s $journal) / 4096 - 1)) conv=notrunc 2>/dev/null
begin --no-block
wait_for 'systemctl is-failed stockrelay'
echo "with a damaged journal: $(state)"
echo end
"#;

/// Boots systemd in namespaces of its own, with the steps in the directory. Returns what they
/// print, as soon as that ends with `end`.
pub async fn boot(dir: &Path, binary: Option<&str>) -> String {
    let mut systemd = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"])
        .args(["--fork", "--kill-child", "sh"])
        .arg(root().join("tests/it/systemd.sh"))
        .arg(dir)
        .args(binary)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(dir.join("said")).unwrap_or_default();
    let begun = clock::instant();
    while !said().ends_with("end\n") && begun.elapsed() < WITHIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    systemd.kill().unwrap();
    systemd.wait().unwrap();
    said()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, namespaces, systemd as /lib/systemd/systemd, cgroup v2 and socat"]
async fn the_unit_takes_the_key_as_a_credential_and_is_not_started_again_when_a_person_must_act() {
    let seed = Seed {
        bins: 2,
        products: 2,
    };
    let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&root().join("systemd"), &dir.path().join("systemd"));
    let config = format!(
        "site = \"ams1\"\n[mqtt.listen]\naddress = \"127.0.0.1:1883\"\nanonymous = true\n\
         [odoo]\nurl = \"http://127.0.0.1:8069\"\ndatabase = \"{DATABASE}\"\n"
    );
    for (name, text) in [
        ("config.toml", config.as_str()),
        ("key", API_KEY),
        ("steps", STEPS),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let _bridge = bridge(dir.path(), &odoo);
    let said = boot(dir.path(), Some(env!("CARGO_BIN_EXE_stockrelay"))).await;
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let lines = [
        "check before the start: 0",
        "with a credential: active 0 0",
        "check beside it: 0",
        "warn  mqtt.listen.anonymous is on",
        "warn  data_dir /var/lib/stockrelay is on",
        "warn  no service that synchronises the c",
        "warn  the group stockrelay-view has no m",
        "warn  the group stockrelay-decide has no",
        "reload: 0 active",
        "the same process",
        "the origin is shown",
        "reload with a fault: 1 active",
        "with a new file that names a missing one: active 0 0",
        "without a last configuration: failed 64 0",
        "while the port is in use it is started again",
        "when the port is free: active",
        "with a damaged journal: failed 65 0",
        "end",
    ];
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        lines,
        "{}\n{}\n{}",
        text("check"),
        text("log"),
        text("console")
    );
    drop(odoo);
}
