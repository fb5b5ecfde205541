//! The demonstration as people run it: a process that somebody stops.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Runs it until it prints the line of this second, stops it, and does not wait for what is still
/// on its way. Returns what it printed, and whether it ended with 0.
fn stop_at(second: u64) -> (String, bool) {
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
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let is_stopping = line.starts_with("the devices have stopped");
        if is_stopping || line.trim_start().starts_with(&format!("{second} s ")) {
            interrupt();
        }
        printed = printed + &line + "\n";
    }
    (printed, child.wait().unwrap().success())
}

#[test]
fn a_demonstration_that_is_stopped_at_any_moment_adds_up() {
    // With the link up, soon after it went down, and with much that waits.
    for second in [2, 6, 8] {
        let (printed, is_success) = stop_at(second);
        assert!(printed.contains("It adds up: "), "{second} s: {printed}");
        assert!(
            printed.contains("lost 0, doubled 0"),
            "{second} s: {printed}"
        );
        assert!(is_success, "{second} s: {printed}");
    }
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
