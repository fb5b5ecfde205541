//! What a process writes and syncs, by its system calls, as strace shows them.
//!
//! The kernel's own count (`write_bytes` in `/proc/PID/io`) adds a whole folio of the page cache
//! for each changed byte of it, and a folio may have 1 MiB. This module counts the blocks of 4 KiB
//! that a sync has to write. It counts no blocks of the file system itself, and no mapped memory.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::NamedTempFile;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WRITES: [&str; 5] = ["write", "writev", "pwrite64", "pwritev", "pwritev2"];
/// The system calls that wait for the disk.
const SYNCS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "msync"];
const BLOCK_BYTES: u64 = 4_096;

/// The sums of a trace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traced {
    pub syncs: u64,
    /// Blocks that were written, each once between two syncs, in bytes.
    pub written_bytes: u64,
}

/// A running trace of a process and its threads. Each system call takes longer meanwhile.
pub struct Trace {
    strace: Child,
    /// strace would end without a reader.
    _messages: BufReader<ChildStderr>,
    lines: NamedTempFile,
}

impl Trace {
    /// Starts a trace. `None`: strace is not installed or may not attach; the reason is printed.
    pub fn start(pid: u32) -> Answer<Option<Self>> {
        let lines = NamedTempFile::new()?;
        let calls = format!("trace={},{}", WRITES.join(","), SYNCS.join(","));
        let strace = Command::new("strace")
            .args(["-f", "-y", "-s", "0", "-e", &calls, "-e", "signal=none"])
            .args(["-p", &pid.to_string(), "-o"])
            .arg(lines.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut strace = match strace {
            Ok(strace) => strace,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("  (no system calls: strace is not installed)");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mut messages = BufReader::new(strace.stderr.take().ok_or("no stderr")?);
        let mut first = String::new();
        messages.read_line(&mut first)?;
        if !first.contains("attached") {
            strace.wait()?;
            println!("  (no system calls: {})", first.trim_end());
            return Ok(None);
        }
        Ok(Some(Self {
            strace,
            _messages: messages,
            lines,
        }))
    }

    /// Ends the trace. `folder`: where the files are whose writes count.
    pub fn stop(mut self, folder: &Path) -> Answer<Traced> {
        let pid = i32::try_from(self.strace.id())?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        self.strace.wait()?;
        let folder = fs::canonicalize(folder)?;
        let folder = folder.to_str().ok_or("a folder without a readable name")?;
        let mut reader = Reader::default();
        for line in fs::read_to_string(self.lines.path())?.lines() {
            reader.read(line, folder);
        }
        Ok(reader.traced)
    }
}

/// Reads the lines of strace: `PID pwrite64(3</path>, ""..., 300, 0) = 300`. Another thread's line
/// may split a call into `PID pwrite64(3</path>, ""..., 300, 0 <unfinished ...>` and `PID <...
/// pwrite64 resumed>) = 300`.
#[derive(Default)]
struct Reader {
    traced: Traced,
    /// Writes that have not returned yet, by thread: the file, and the offset.
    unfinished: HashMap<String, (String, Option<u64>)>,
    /// Blocks that were written since the last sync of their file, by file.
    changed: HashMap<String, HashSet<u64>>,
    /// Where the last write to a file ended: for writes that name no offset.
    ends: HashMap<String, u64>,
}

impl Reader {
    fn read(&mut self, line: &str, folder: &str) -> Option<()> {
        let (thread, call) = line.split_once(' ')?;
        let call = call.trim_start();
        if call.starts_with("<...") {
            let (file, offset) = self.unfinished.remove(thread)?;
            return self.write(file, offset, returned(call)?);
        }
        let (name, arguments) = call.split_once('(')?;
        let (_, file) = arguments.split_once('<')?;
        let (file, arguments) = file.split_once('>')?;
        if SYNCS.contains(&name) {
            self.traced.syncs += 1;
            self.changed.remove(file);
        } else if WRITES.contains(&name) && file.starts_with(folder) {
            let offset = offset(name, arguments);
            if call.contains("<unfinished") {
                let write = (file.to_owned(), offset);
                self.unfinished.insert(thread.to_owned(), write);
            } else {
                return self.write(file.to_owned(), offset, returned(call)?);
            }
        }
        Some(())
    }

    fn write(&mut self, file: String, offset: Option<u64>, bytes: u64) -> Option<()> {
        let end = self.ends.entry(file.clone()).or_default();
        let offset = offset.unwrap_or(*end);
        *end = offset + bytes;
        let last = end.checked_sub(1)?;
        let changed = self.changed.entry(file).or_default();
        for block in offset / BLOCK_BYTES..=last / BLOCK_BYTES {
            if changed.insert(block) {
                self.traced.written_bytes += BLOCK_BYTES;
            }
        }
        Some(())
    }
}

/// The number that a call returned. `None`: an error.
fn returned(call: &str) -> Option<u64> {
    call.rsplit_once("= ")?.1.split(' ').next()?.parse().ok()
}

/// The offset that a call names.
fn offset(name: &str, arguments: &str) -> Option<u64> {
    let place = match name {
        "pwrite64" | "pwritev" => 0,
        "pwritev2" => 1,
        _ => return None,
    };
    let arguments = arguments.split([')', '<']).next()?;
    arguments.rsplit(", ").nth(place)?.trim().parse().ok()
}
