//! The demonstration as people run it: a process that somebody stops.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};

use crate::free_address::free_address;

/// Runs it until it prints the line of this second, and stops it. `is_hurried`: stops it again, so
/// that it does not wait for what is still on its way. Returns what it printed, and whether it
/// ended with 0.
fn stop_at(second: u64, is_hurried: bool) -> (String, bool) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stockrelay"))
        .args(["demo", "--headless", "--rate", "4"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let interrupt = || kill_process(pid, Signal::INT).unwrap();
    let mut printed = String::new();
    let mut other_lines = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let is_stopping = line.starts_with("the devices have stopped");
        if is_stopping {
            other_lines = Some(OtherLines::open());
        }
        if (is_stopping && is_hurried) || line.trim_start().starts_with(&format!("{second} s ")) {
            interrupt();
        }
        printed = printed + &line + "\n";
    }
    let is_success = child.wait().unwrap().success();
    drop(other_lines);
    (printed, is_success)
}

/// Serial lines of another program, on which codes arrive until this is dropped. The first has the
/// name of the demonstration's line, if that one is closed.
struct OtherLines {
    is_done: Arc<AtomicBool>,
    writing: Option<JoinHandle<()>>,
}

impl OtherLines {
    fn open() -> Self {
        let open = |_| {
            let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
            grantpt(&line).unwrap();
            unlockpt(&line).unwrap();
            line
        };
        let lines: Vec<OwnedFd> = (0..4).map(open).collect();
        let is_done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_done);
        let write = move || {
            while !until.load(Ordering::Relaxed) {
                for line in &lines {
                    // A few bytes a second never fill a line, even if no program reads them.
                    rustix::io::write(line, b"OTHER\r").unwrap();
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        Self {
            is_done,
            writing: Some(std::thread::spawn(write)),
        }
    }
}

impl Drop for OtherLines {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
        self.writing.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_demonstration_that_is_stopped_at_any_moment_adds_up() {
    // With the link up, soon after it went down, and with much that waits.
    for (second, is_hurried) in [(2, false), (2, true), (6, true), (8, true)] {
        let (printed, is_success) = stop_at(second, is_hurried);
        assert!(printed.contains("It adds up: "), "{second} s: {printed}");
        assert!(printed.contains("/control.sock status`"), "{printed}");
        assert!(
            printed.contains("lost 0, doubled 0"),
            "{second} s: {printed}"
        );
        assert!(is_success, "{second} s: {printed}");
    }
}

#[test]
fn the_stand_in_odoo_runs_alone_at_an_address_of_this_machine_until_it_is_stopped() {
    let address = free_address();
    let demo = |address: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
        command.args(["demo", "--only-odoo", address]);
        command
    };
    let mut child = demo(&address.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut printed).unwrap();
    let expected = format!("at http://{address}: database standin, API key standin-user-key");
    assert!(printed.contains(&expected), "{printed}");
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /web/version HTTP/1.1\r\nHost: odoo\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("19.0"), "{answer}");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());

    for (address, part) in [
        ("0.0.0.0:8069", "an address of this machine"),
        ("127.0.0.1", "an address of this machine"),
    ] {
        let output = demo(address).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(part), "{error}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = demo(&taken.local_addr().unwrap().to_string()).output();
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("name a free address"), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_directory_with_the_journal_of_an_earlier_demonstration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/journal.redb"), "kept").unwrap();
    let keep = dir.path().to_str().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stockrelay"))
        .args(["demo", "--headless", "--seconds", "1", "--keep", keep])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("journal of an earlier demonstration"),
        "{said}"
    );
}
