//! The commands of docs/central-it.md, as they are written there: from nothing to a bundle that two
//! gateways confirm, a bundle that is rolled back and stopped, and a bundle made by hand.
//!
//! A block of `sh` is run. A block of `text` after it has lines that the commands print, in this
//! order, among others; `...` in such a line stands for any text. Only the two ports are replaced.
//! Two programs of the document do nothing here: `apt-get` and `cargo`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use stockrelay::clock;

use crate::free_address::free_address;
use crate::readme::root;

/// The time that the document promises, without the build.
const PROMISED: Duration = Duration::from_mins(10);
/// The heading behind the last block that is run.
const END: &str = "\n## Commands for bundles\n";
/// Between the outputs of two blocks.
const MARK: &str = "@@@ block ";

struct Block {
    commands: String,
    /// Lines that the block prints, among others.
    printed: Vec<String>,
}

/// The blocks of the document, in order.
fn blocks(document: &str) -> Vec<Block> {
    let (walk, _) = document.split_once(END).unwrap();
    let blocks = walk.split("\n```sh\n").skip(1);
    let blocks = blocks.map(|block| {
        let (commands, behind) = block.split_once("\n```\n").unwrap();
        let printed = behind.strip_prefix("```text\n");
        let printed = printed.map(|text| text.split_once("\n```\n").unwrap().0);
        Block {
            commands: commands.to_owned(),
            printed: printed
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect(),
        }
    });
    blocks.collect()
}

/// Whether a line has the form of an expected one, in which `...` stands for any text.
fn is_like(line: &str, expected: &str) -> bool {
    let mut parts = expected.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    // A line that ends with text, and not with `...`, ends there.
    rest.is_empty() || last == Some("") || last.is_some_and(|last| line.ends_with(last))
}

/// The first expected line that the output does not have behind the ones before it.
fn find_missing<'a>(output: &str, expected: &'a [String]) -> Option<&'a String> {
    let mut lines = output.lines();
    (expected.iter()).find(|wanted| !lines.any(|line| is_like(line, wanted)))
}

/// The shell and everything that it started, which ends with this.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = pid {
            // All of them may have ended.
            kill_process_group(group, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

/// A directory with the programs that the document names.
fn programs(dir: &Path) {
    fs::create_dir(dir).unwrap();
    symlink(env!("CARGO_BIN_EXE_stockrelay"), dir.join("stockrelay")).unwrap();
    for (name, arguments) in [
        ("apt-get", "install --yes mosquitto minisign"),
        ("cargo", "build --release"),
    ] {
        let program = dir.join(name);
        fs::write(
            &program,
            format!("#!/bin/sh\ntest \"$*\" = \"{arguments}\"\n"),
        )
        .unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// Runs the script, with all output in the file `out`. Returns whether it ended well in time.
fn run(dir: &Path, script: &str) -> bool {
    fs::write(dir.join("script"), script).unwrap();
    let path = std::env::var("PATH").unwrap();
    let out = fs::File::create(dir.join("out")).unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-eu", "-o", "pipefail", "script"])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", dir.join("programs").display()))
        .env_remove("STOCKRELAY_CONFIG")
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .process_group(0);
    let mut shell = Shell(command.spawn().unwrap());
    let begun = clock::instant();
    while begun.elapsed() < PROMISED {
        if let Some(status) = shell.0.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
#[ignore = "needs mosquitto and minisign: apt-get install mosquitto minisign, then cargo test -- --ignored central_it_walk"]
fn the_document_leads_as_written_from_nothing_to_two_confirmed_gateways() {
    let document = fs::read_to_string(root().join("docs/central-it.md")).unwrap();
    let mut blocks = blocks(&document);
    assert!(blocks.len() > 10, "{} blocks", blocks.len());
    for port in ["18830", "18069"] {
        assert!(document.contains(port));
        let free = free_address().port().to_string();
        for block in &mut blocks {
            block.commands = block.commands.replace(port, &free);
        }
    }
    let blocks_with_marks = (blocks.iter().enumerate())
        .map(|(number, block)| format!("echo '{MARK}'{number} $SECONDS\n{}\n", block.commands));
    let script = blocks_with_marks.collect::<Vec<_>>().concat();
    let dir = tempfile::tempdir().unwrap();
    programs(&dir.path().join("programs"));
    let begun = clock::instant();
    let is_good = run(dir.path(), &script);
    let seconds = begun.elapsed().as_secs();
    let output = fs::read_to_string(dir.path().join("out")).unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join("fleet").join(name));
    let logs = ["ams1.log", "ber1.log", "mosquitto.log", "odoo.log"].map(read);
    assert!(is_good, "after {seconds} s:\n{output}\n{logs:?}");
    let outputs: Vec<&str> = output.split(MARK).skip(1).collect();
    assert_eq!(outputs.len(), blocks.len());
    for (block, output) in blocks.iter().zip(outputs) {
        if let Some(missing) = find_missing(output, &block.printed) {
            panic!(
                "no line like {missing:?} from\n{}\n{output}",
                block.commands
            );
        }
    }
    println!(
        "central-it.md: {} blocks in {seconds} s\n{output}",
        blocks.len()
    );
}

#[test]
fn an_expected_line_with_dots_is_like_the_lines_of_this_form() {
    for (expected, line) in [
        ("no fault", "no fault"),
        ("... is stopped", "12:00 bundle 2 is stopped"),
        ("ams1...waiting...1...", "ams1  waiting  1  2"),
        ("id = \"...\"", "id = \"0123\""),
    ] {
        assert!(is_like(line, expected), "{expected}");
    }
    for (expected, line) in [
        ("no fault", "no fault at all"),
        ("no fault", "a no fault"),
        ("... is stopped", "bundle 2 is stopped now"),
        ("ams1...waiting", "ams1 confirmed"),
        ("exit code 1", "exit code 10"),
    ] {
        assert!(!is_like(line, expected), "{expected}");
    }
    let expected = ["b".to_owned(), "a".to_owned()];
    assert_eq!(find_missing("a\nb\n", &expected), Some(&expected[1]));
    assert_eq!(find_missing("b\nc\na\n", &expected), None);
}
