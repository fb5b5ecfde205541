//! What a process uses, as the kernel counts it: processor time, written bytes and memory.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use stockrelay::clock;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Linux counts processor time in `/proc` in ticks of 10 ms, whatever the kernel's timer is.
const TICK: Duration = Duration::from_millis(10);
/// A process that has written nothing for this time is quiet. The gateway seals a document at the
/// latest 10 s after its last event (`documents.idle_s`).
const QUIET: Duration = Duration::from_secs(12);
const QUIET_WAIT_MAX: Duration = Duration::from_mins(5);

/// The sums since the start of a process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub processor: Duration,
    /// The kernel's `write_bytes`: folios of the page cache that the process changed, whole, and
    /// direct writes. `trace.rs` has another count.
    pub written_bytes: u64,
    /// Bytes that the disk wrote, for all processes of the machine and the file system itself.
    /// `None`: unknown.
    pub device_bytes: Option<u64>,
}

impl Usage {
    /// `folder`: any on the disk that the process writes to.
    pub fn of(pid: u32, folder: &Path) -> Answer<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program, in parentheses, may contain spaces.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
        let ticks = |field: &str| field.parse::<u32>();
        let mut fields = fields.split_whitespace().skip(11);
        let user = ticks(fields.next().ok_or("no user time")?)?;
        let system = ticks(fields.next().ok_or("no system time")?)?;
        Ok(Self {
            processor: TICK * (user + system),
            written_bytes: written_bytes(pid)?,
            device_bytes: device_bytes(folder),
        })
    }

    /// The usage between two moments.
    pub fn since(self, before: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(before.processor),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            device_bytes: (self.device_bytes.zip(before.device_bytes))
                .map(|(now, before)| now.saturating_sub(before)),
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
        let now = written_bytes(pid)?;
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

/// The bytes that the block device of a folder has written since the start of the machine. `None`:
/// the folder is not on a block device.
fn device_bytes(folder: &Path) -> Option<u64> {
    /// The unit of the kernel's count, whatever the device is.
    const SECTOR_BYTES: u64 = 512;
    let device = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * SECTOR_BYTES)
}

fn written_bytes(pid: u32) -> Answer<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let written = (io.lines())
        .find_map(|line| line.strip_prefix("write_bytes: "))
        .ok_or("no write_bytes in /proc/PID/io")?;
    Ok(written.parse()?)
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
