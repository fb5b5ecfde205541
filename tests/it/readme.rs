//! The README's commands, as they are written there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};

/// What follows the README's steps: the scan is in Odoo within a minute, one group may ask the
/// daemon, the other may decide, and only the daemon has the key and the journal.
const AFTERWARDS: &str = r#"
set +x
for _ in $(seq 600); do
  stockrelay trace pda-07/8c1f | grep -q posted && break
  sleep 0.1
done
stockrelay trace pda-07/8c1f
useradd -G stockrelay-view jo
operator() { setpriv --reuid jo --regid jo --init-groups sh -c "$1"; }
operator 'stockrelay --socket /run/stockrelay/control.sock status' >/dev/null && echo operator asks
operator 'stockrelay --socket /run/stockrelay/control.sock parked retry 1' 2>&1 | grep -q 'usermod -aG stockrelay-decide jo' && echo operator may not decide
usermod -aG stockrelay-decide jo
operator 'stockrelay --socket /run/stockrelay/control.sock parked retry 1' 2>&1 | grep -q 'is not parked' && echo operator decides
operator 'cat /etc/stockrelay/odoo.key' 2>/dev/null && echo operator reads the key
operator ': >> /var/lib/stockrelay/journal.redb' 2>/dev/null && echo operator writes the journal
operator 'ls /var/lib/stockrelay' 2>/dev/null && echo operator lists the journal
echo end
"#;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands of the section "Run it", in order.
fn steps() -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Run it\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("\n```sh\n").skip(1);
    let commands: Vec<&str> = blocks
        .map(|block| block.split_once("\n```").unwrap().0)
        .collect();
    commands.join("\n")
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Connects the socket in the directory, which the namespaces share, with the stand-in.
pub fn bridge(dir: &Path, odoo: &StandIn) -> tokio::task::JoinHandle<()> {
    let listener = UnixListener::bind(dir.join("odoo.sock")).unwrap();
    let address = odoo.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(address).await.unwrap();
                // Either side may break the connection.
                drop(copy_bidirectional(&mut near, &mut far).await);
            });
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, namespaces, socat, mosquitto_pub, systemd-sysusers and systemd-tmpfiles"]
async fn the_installation_leads_as_written_to_a_posted_scan() {
    let odoo = StandIn::start(
        Seed {
            bins: 10,
            products: 10,
        },
        Duration::ZERO,
    )
    .await
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let readme = dir.path().join("readme");
    for name in ["docs", "systemd", "firmware-config", "scanner-profiles"] {
        copy_dir(&root().join(name), &readme.join(name));
    }
    let binary = readme.join("target/dist");
    fs::create_dir_all(&binary).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_stockrelay"), binary.join("stockrelay")).unwrap();
    // What a reader replaces: the address of Odoo, its database, the key, and the password that
    // `setup` has printed.
    let steps = steps()
        .replace("https://odoo.example.com", "http://127.0.0.1:8069")
        .replace("--database prod", &format!("--database {DATABASE}"))
        .replace("API-KEY", API_KEY)
        .replace("--api-key-file key", "--api-key-file key >printed")
        .replace("PASSWORD", "$(sed -n 's/^ *password *//p' printed)");
    fs::write(readme.join("steps"), steps + AFTERWARDS).unwrap();
    let _bridge = bridge(&readme, &odoo);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .arg("sh")
        .arg(root().join("tests/it/readme.sh"))
        .arg(dir.path())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{log}");
    assert!(said.contains("posted"), "{said}\n{log}");
    let rights = said.lines().filter(|line| line.starts_with("operator"));
    assert_eq!(
        rights.collect::<Vec<_>>(),
        [
            "operator asks",
            "operator may not decide",
            "operator decides"
        ],
        "{said}\n{log}"
    );
    assert!(said.ends_with("end\n"), "{said}\n{log}");
    assert_eq!(odoo.pickings().get("done"), Some(&1), "{said}\n{log}");
}
