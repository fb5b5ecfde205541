//! What a process uses, as seen by the kernel: processor time, written bytes, syncs and memory.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::num::NonZeroU64;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use stockrelay::clock;
use tempfile::NamedTempFile;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Linux counts processor time in `/proc` in ticks of 10 ms, whatever the kernel's timer is.
const TICK: Duration = Duration::from_millis(10);
/// A process that has written nothing for this time is quiet. The gateway seals a document at the
/// latest 10 s after its last event (`documents.idle_s`).
const QUIET: Duration = Duration::from_secs(12);
const QUIET_WAIT_MAX: Duration = Duration::from_mins(5);
/// The system calls that wait for the disk.
const SYNC_CALLS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "msync"];

/// The sums since the start of a process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub processor: Duration,
    /// Bytes that the process sent towards the disk: changed pages of files, and direct writes.
    pub written_bytes: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Answer<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program, in parentheses, may contain spaces.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
        let ticks = |field: &str| field.parse::<u32>();
        let mut fields = fields.split_whitespace().skip(11);
        let user = ticks(fields.next().ok_or("no user time")?)?;
        let system = ticks(fields.next().ok_or("no system time")?)?;
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let written = (io.lines())
            .find_map(|line| line.strip_prefix("write_bytes: "))
            .ok_or("no write_bytes in /proc/PID/io")?;
        Ok(Self {
            processor: TICK * (user + system),
            written_bytes: written.parse()?,
        })
    }

    /// The usage between two moments.
    pub fn since(self, before: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(before.processor),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

/// A field of `/proc/PID/status`, in KiB.
pub fn memory_kib(pid: u32, field: &str) -> Answer<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .ok_or("no such field")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// Waits until a process writes nothing more.
pub async fn wait_quiet(pid: u32) -> Answer<()> {
    let begun = clock::instant();
    let (mut since, mut written) = (begun, None);
    while since.elapsed() < QUIET {
        let now = Usage::of(pid)?.written_bytes;
        if written != Some(now) {
            (since, written) = (clock::instant(), Some(now));
        }
        if begun.elapsed() > QUIET_WAIT_MAX {
            return Err("the gateway still writes after 5 minutes without an event".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Counts the syncs of a process and its threads, with strace. Each system call takes longer
/// meanwhile.
pub struct SyncCounter {
    strace: Child,
    /// strace gets no signal that its reader is gone.
    _messages: BufReader<ChildStderr>,
    report: NamedTempFile,
}

impl SyncCounter {
    /// Starts to count. `None`: strace is not there or may not attach; the reason is printed.
    pub fn start(pid: u32) -> Answer<Option<Self>> {
        let report = NamedTempFile::new()?;
        let strace = Command::new("strace")
            .args(["-f", "-c", "-e", &format!("trace={}", SYNC_CALLS.join(","))])
            .args(["-p", &pid.to_string(), "-o"])
            .arg(report.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut strace = match strace {
            Ok(strace) => strace,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("  (no syncs: strace is not installed)");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mut messages = BufReader::new(strace.stderr.take().ok_or("no stderr")?);
        let mut first = String::new();
        messages.read_line(&mut first)?;
        if !first.contains("attached") {
            strace.wait()?;
            println!("  (no syncs: {})", first.trim_end());
            return Ok(None);
        }
        Ok(Some(Self {
            strace,
            _messages: messages,
            report,
        }))
    }

    /// Stops counting. Returns how many calls there were.
    pub fn stop(mut self) -> Answer<u64> {
        let pid = i32::try_from(self.strace.id())?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        self.strace.wait()?;
        let mut calls = 0;
        for line in fs::read_to_string(self.report.path())?.lines() {
            // "% time", "seconds", "usecs/call", "calls", perhaps "errors", "syscall".
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [_, _, _, count, .., name] = words.as_slice()
                && SYNC_CALLS.contains(name)
            {
                calls += count.parse::<u64>()?;
            }
        }
        Ok(calls)
    }
}

/// Removes the files of a folder from the page cache. Returns how.
pub fn drop_page_cache(folder: &Path) -> Answer<&'static str> {
    rustix::fs::sync();
    let all = fs::File::options()
        .write(true)
        .open("/proc/sys/vm/drop_caches");
    if all.and_then(|mut file| file.write_all(b"3\n")).is_ok() {
        return Ok("the page cache of the machine dropped");
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let file = fs::File::open(entry.path())?;
            let all = NonZeroU64::new(file.metadata()?.len());
            rustix::fs::fadvise(&file, 0, all, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok("the files dropped from the page cache, the program still in it")
}
