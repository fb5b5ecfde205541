//! The commands while the daemon searches: progress, and the end by Ctrl-C.
//!
//! The daemon is a socket that answers what a test gives it, so that a search lasts as long as the
//! test needs it.

use super::on;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::Duration;
use stockrelay::clock;

/// Longer than any command takes for a request.
const PATIENCE: Duration = Duration::from_secs(20);
const SEARCHED: &str = "searched 1,000 of 10,000 events, found 1";

struct Daemon {
    listener: UnixListener,
    dir: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("control.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, dir }
    }

    fn run(&self, arguments: &[&str], stderr: impl Into<Stdio>) -> Child {
        let socket: PathBuf = self.dir.path().join("control.sock");
        let mut command = on(&socket, arguments);
        command.stdout(Stdio::piped()).stderr(stderr);
        command.spawn().unwrap()
    }

    /// Waits for the next request. Returns its first line, and the connection to answer on.
    fn request(&self) -> (String, UnixStream) {
        let begun = clock::instant();
        let mut stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(begun.elapsed() < PATIENCE, "no request");
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("{error}"),
            }
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        (head.lines().next().unwrap().to_owned(), stream)
    }

    /// Answers the next request. Returns its first line.
    fn answer(&self, answer: &Value) -> String {
        let (line, stream) = self.request();
        respond(stream, answer);
        line
    }
}

fn respond(mut stream: UnixStream, answer: &Value) {
    let body = answer.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).unwrap();
}

fn event(seq: u64) -> Value {
    json!({
        "seq": seq, "site": "ams1", "device": "pda-7", "id": format!("e{seq}"), "id_derived": false,
        "type": "count", "at": "2026-11-23T08:15:30Z", "received": "2026-11-23T08:15:30Z",
        "source": "mqtt.listen", "operator": null, "state": "parked", "document": null,
        "odoo": null, "product": "4006381333931"
    })
}

/// A page of a search that goes on.
fn unfinished() -> Value {
    json!({
        "events": [event(17)], "next": 1_000, "more": true,
        "search": {"searched": 1_000, "left": 9_000}
    })
}

fn last_page() -> Value {
    json!({"events": [event(9_999)], "next": 10_000, "more": false})
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

fn texts(child: Child) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn ctrl_c_ends_a_search_and_what_was_found_is_printed() {
    for json in [&["--json"][..], &[]] {
        let daemon = Daemon::start();
        let arguments = [&["events", "--type", "count"][..], json].concat();
        let child = daemon.run(&arguments, Stdio::piped());
        let first = daemon.answer(&unfinished());
        assert!(
            first.contains("type=count") && first.contains("after=0"),
            "{first}"
        );
        // The command waits for the second page.
        let (second, _stream) = daemon.request();
        assert!(second.contains("after=1000"), "{second}");
        interrupt(&child);
        let (code, stdout, stderr) = texts(child);
        assert_eq!(code, Some(130), "{stderr}");
        assert_eq!(stdout.matches("e17").count(), 1, "{stdout}");
        let expected = format!("stockrelay: interrupted: {SEARCHED}; continue with --after 1000\n");
        assert_eq!(stderr, expected);
    }
}

#[test]
fn ctrl_c_ends_a_search_for_parked_documents() {
    let daemon = Daemon::start();
    // No document has the code yet: the command must not call it unknown.
    let child = daemon.run(
        &["parked", "list", "--code", "of-a-newer-version"],
        Stdio::piped(),
    );
    let page = json!({
        "parked": [], "next": 70, "more": true, "search": {"searched": 50, "left": 12}
    });
    daemon.answer(&page);
    let (_, _stream) = daemon.request();
    interrupt(&child);
    let (code, stdout, stderr) = texts(child);
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(stdout.lines().count(), 1, "only the headings: {stdout}");
    assert!(
        stderr.contains("searched 50 of 62 documents, found 0; continue with --after 70"),
        "{stderr}"
    );
}

#[test]
fn the_rows_of_a_search_make_one_table_and_a_quick_search_reports_nothing() {
    let daemon = Daemon::start();
    let child = daemon.run(&["events", "--type", "count"], Stdio::piped());
    daemon.answer(&unfinished());
    daemon.answer(&last_page());
    let (code, stdout, stderr) = texts(child);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let widths: Vec<_> = stdout
        .lines()
        .map(|line| line.find("4006381333931"))
        .collect();
    assert_eq!(widths.len(), 3, "{stdout}");
    assert_eq!((widths[0], widths[1]), (None, widths[2]), "{stdout}");
}

#[test]
fn a_terminal_shows_the_progress_of_a_search() {
    let daemon = Daemon::start();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let stderr = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let child = daemon.run(&["events", "--type", "count", "--json"], stderr);
    daemon.answer(&unfinished());
    let (_, stream) = daemon.request();
    let mut terminal = File::from(terminal);
    let mut shown = String::new();
    let mut read_until = |end: &str| {
        while !shown.contains(end) {
            let mut bytes = [0; 200];
            let count = terminal.read(&mut bytes).unwrap();
            shown.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        shown.clone()
    };
    read_until(&format!("{SEARCHED} (Ctrl-C ends the search)"));
    respond(stream, &last_page());
    // The line is cleared once when it is written, and once when the search is over.
    let shown = read_until("search)\r\u{1b}[K");
    assert_eq!(shown.matches("\u{1b}[K").count(), 2, "{shown:?}");
    let (code, stdout, _) = texts(child);
    assert_eq!((code, stdout.lines().count()), (Some(0), 2), "{stdout}");
}
