//! systemd's watchdog is fed only while the journal's writer, the sending to Odoo and the front
//! door give signs of life.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use stockrelay::clock;
use stockrelay::config;
use stockrelay::pulse::Pulses;
use tokio::net::UnixDatagram;

use crate::free_address::free_address;
use crate::process::command;
use crate::readme::{copy_dir, root};
use crate::shares::{Disk, events, until};
use crate::systemd::boot;

/// The names in the log.
const PARTS: [&str; 3] = [
    "the journal's writer",
    "the sending to Odoo",
    "the front door",
];
/// Longer than each step takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);
const WATCHDOG: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_writer_that_waits_for_the_disk_answers_no_ping_and_an_idle_one_answers_without_writing()
{
    let disk = Disk::default();
    let (journal, _writer) = disk.open(&config::Journal::default());
    let (inbox, pulses) = (journal.inbox(), Pulses::default());
    pulses.add(journal.pulse());
    inbox.append(events("pda", 0, 1)).await.unwrap();

    let (writes, begun) = (disk.writes(), clock::instant());
    assert_eq!(pulses.ask(begun), []);
    inbox.ping().await.unwrap();
    // Had the ping not counted, the writer would hang.
    let later = begun + Duration::from_hours(1);
    assert_eq!(pulses.ask(later), []);
    assert_eq!(disk.writes(), writes);

    disk.set(|state| state.is_held = true);
    let append = inbox.append(events("pda", 1, 1));
    let ping = async {
        until("the writer has the event", || inbox.waiting() == 0).await;
        let ping = tokio::time::timeout(Duration::from_millis(300), inbox.ping());
        assert!(ping.await.is_err());
        let hangs = pulses.ask(later + Duration::from_hours(1));
        assert_eq!(hangs.len(), 1, "{hangs:?}");
        assert_eq!(hangs[0].part, PARTS[0]);
        disk.set(|state| state.is_held = false);
    };
    let (appended, ()) = tokio::join!(append, ping);
    appended.unwrap();
    inbox.ping().await.unwrap();
    assert_eq!(pulses.ask(later + Duration::from_hours(1)), []);
}

#[tokio::test]
async fn a_writer_that_waits_for_room_on_the_disk_does_not_hang() {
    let disk = Disk::default();
    let (journal, _writer) = disk.open(&config::Journal::default());
    let (inbox, pulses) = (journal.inbox(), Pulses::default());
    pulses.add(journal.pulse());
    let now = clock::instant();
    assert_eq!(pulses.ask(now), []);
    disk.set(|state| state.is_full = true);
    let append = inbox.append(events("pda", 0, 1));
    let look = async {
        until("the write waits for room", || journal.is_waiting()).await;
        assert_eq!(pulses.ask(now + Duration::from_hours(1)), []);
        disk.set(|state| state.is_full = false);
    };
    let (appended, ()) = tokio::join!(append, look);
    appended.unwrap();
}

/// Waits for the next message of the daemon to systemd.
async fn next(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let received = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let count = received.unwrap().unwrap();
    String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watchdog_is_not_fed_while_a_part_hangs_and_the_log_names_the_part() {
    for part in PARTS {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\n[mqtt.listen]\naddress = \"{}\"\nanonymous = true\n\
             [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\n",
            free_address()
        );
        fs::write(path("config.toml"), config).unwrap();
        fs::write(path("odoo.key"), "none").unwrap();
        let socket = UnixDatagram::bind(path("notify.sock")).unwrap();
        let log = fs::File::create(path("log")).unwrap();
        let mut child = command(dir.path())
            .env("NOTIFY_SOCKET", path("notify.sock"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env("TEST_STOCKRELAY_HANG", path("hang"))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let log = || fs::read_to_string(path("log")).unwrap();
        assert_eq!(next(&socket).await, "READY=1");
        for _ in 0..3 {
            assert_eq!(next(&socket).await, "WATCHDOG=1", "{}", log());
        }
        assert!(!log().contains("hangs"), "{}", log());

        fs::write(path("hang"), part).unwrap();
        let begun = clock::instant();
        let line = format!("{part} hangs: systemd ends the process");
        while !log().contains(&line) {
            assert!(begun.elapsed() < PATIENCE, "{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(log().matches("hangs:").count(), 1, "{}", log());
        while socket.try_recv(&mut [0; 256]).is_ok() {}
        let fed = tokio::time::timeout(2 * WATCHDOG, socket.readable());
        assert!(fed.await.is_err(), "{part}: {}", log());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Each step prints one line.
const STEPS: &str = r#"
exec 2>log
wait_for() { for _ in $(seq 600); do sh -c "$1" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $1"; }
install -m 600 key /etc/credstore/odoo-api-key
mkdir -p /etc/stockrelay /etc/systemd/system/stockrelay.service.d
cp config.toml /etc/stockrelay/config.toml
cp watchdog.conf /etc/systemd/system/stockrelay.service.d/
systemctl daemon-reload
systemctl start stockrelay
echo "started: $(systemctl show -P ActiveState stockrelay)"
for part in "the journal's writer" "the sending to Odoo" "the front door"; do
  export pid=$(systemctl show -P MainPID stockrelay)
  echo "$part" >/run/stockrelay/hang
  wait_for 'test $pid != $(systemctl show -P MainPID stockrelay)'
  rm /run/stockrelay/hang
  wait_for 'systemctl is-active stockrelay && stockrelay status'
  echo "$part: $(journalctl -u stockrelay -o cat | grep -c "$part hangs: systemd") $(journalctl -u stockrelay -o cat | grep -c 'Watchdog timeout') $(systemctl is-active stockrelay)"
done
echo end
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, namespaces, systemd as /lib/systemd/systemd and cgroup v2"]
async fn systemd_replaces_a_process_of_which_a_part_hangs() {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&root().join("systemd"), &dir.path().join("systemd"));
    let config = "site = \"ams1\"\n[mqtt.listen]\naddress = \"127.0.0.1:1883\"\nanonymous = true\n\
                  [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n";
    let watchdog =
        "[Service]\nWatchdogSec=6s\nEnvironment=TEST_STOCKRELAY_HANG=/run/stockrelay/hang\n";
    for (name, text) in [
        ("config.toml", config),
        ("key", "none"),
        ("watchdog.conf", watchdog),
        ("steps", STEPS),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let said = boot(dir.path(), Some(env!("CARGO_BIN_EXE_stockrelay"))).await;
    let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    let lines = [
        "started: active",
        "the journal's writer: 1 1 active",
        "the sending to Odoo: 1 2 active",
        "the front door: 1 3 active",
        "end",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{log}");
}
