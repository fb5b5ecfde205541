//! Counts the syncs of a server with strace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::process::Process;
use crate::usage::{Pid, are_traced};

/// Every call that waits until data is on the disk.
const CALLS: &str = "trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs";
const ATTACH_MAX: Duration = Duration::from_secs(20);

/// A strace that counts.
pub struct Counter {
    strace: Process,
    summary: PathBuf,
}

impl Counter {
    /// Attaches to all threads of these processes.
    pub async fn attach(strace: &Path, processes: &[Pid], dir: &Path) -> Result<Self> {
        let summary = dir.join("syncs");
        let mut command = Command::new(strace);
        command
            .args(["-f", "-qq", "-c", "-e", CALLS, "-o"])
            .arg(&summary);
        for pid in processes {
            command.args(["-p", &pid.number.to_string()]);
        }
        let strace = Process::start(&mut command, dir, "strace")?;
        let begun = Instant::now();
        while !are_traced(processes)? {
            if begun.elapsed() > ATTACH_MAX {
                bail!("strace has not attached after {} s", ATTACH_MAX.as_secs());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { strace, summary })
    }

    /// Detaches, and returns how many syncs there were.
    pub async fn finish(self) -> Result<u64> {
        self.strace.stop(Signal::INT).await?;
        let text = fs::read_to_string(&self.summary).context("strace wrote no summary")?;
        count(&text)
    }
}

/// The calls in a summary of `strace -c`: an empty one if there were none.
fn count(summary: &str) -> Result<u64> {
    let mut sum = 0;
    for line in summary.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        // "% time, seconds, usecs/call, calls, [errors,] syscall", without headings and the sum.
        if let [share, _, _, calls, .., name] = words.as_slice()
            && share.parse::<f64>().is_ok()
            && *name != "total"
        {
            let calls: u64 = calls.parse().context("strace's summary has no calls")?;
            sum += calls;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_summary_are_added_up() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.50    0.010000         100       100           fdatasync
  0.50    0.000050          10         5         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.010050          95       105         1 total
";
        assert_eq!(count(summary).unwrap(), 105);
        assert_eq!(count("").unwrap(), 0);
    }
}
