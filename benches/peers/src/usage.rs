//! What a server and all processes below it use, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A process: its number, and when it started. The start tells it apart from a later process that
/// got the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pid {
    pub number: i32,
    started: u64,
}

/// What a tree of processes has used since it started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time in user and system mode.
    pub cpu: Duration,
    /// Bytes that the processes caused to be sent to the disk. The kernel counts whole pages.
    pub written: u64,
}

impl Usage {
    /// What was used between two moments.
    pub fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            written: self.written.saturating_sub(before.written),
        }
    }
}

/// The fields of `/proc/PID/stat` after the name, which may contain anything.
fn stat(number: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn field(fields: &[String], index: usize) -> Option<u64> {
    fields.get(index)?.parse().ok()
}

// The indices count from the state, which is field 3 of proc(5).
const STATE: usize = 0;
const PARENT: usize = 1;
/// utime, stime, cutime, cstime: the last two are those of children that have ended.
const TIMES: std::ops::Range<usize> = 11..15;
const STARTED: usize = 19;

fn pid(number: i32) -> Option<Pid> {
    let fields = stat(number)?;
    let is_dead = fields.get(STATE).is_some_and(|state| state == "Z");
    let started = field(&fields, STARTED)?;
    (!is_dead).then_some(Pid { number, started })
}

impl Pid {
    pub fn is_running(self) -> bool {
        pid(self.number) == Some(self)
    }
}

/// A process and all processes below it, as they are now.
pub fn tree(root: u32) -> Result<Vec<Pid>> {
    let mut children: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = stat(number).and_then(|fields| field(&fields, PARENT)) {
            children.entry(parent).or_default().push(number);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![i32::try_from(root)?];
    while let Some(number) = open.pop() {
        found.extend(pid(number));
        let below = children.get(&u64::from(number.unsigned_abs()));
        open.extend(below.into_iter().flatten());
    }
    Ok(found)
}

/// A process that has ended meanwhile counts with its parent.
pub fn usage(root: u32) -> Result<Usage> {
    let ticks_per_s = rustix::param::clock_ticks_per_second();
    let (mut ticks, mut written) = (0, 0);
    for Pid { number, .. } in tree(root)? {
        let fields = stat(number).unwrap_or_default();
        ticks += TIMES.filter_map(|index| field(&fields, index)).sum::<u64>();
        let io = fs::read_to_string(format!("/proc/{number}/io"));
        written += io
            .ok()
            .and_then(|io| value(&io, "write_bytes:"))
            .unwrap_or(0);
    }
    let cpu = Duration::from_millis(ticks * 1_000 / ticks_per_s);
    Ok(Usage { cpu, written })
}

/// Resident memory of these processes, in KiB. Memory that several of them share counts for each.
pub fn resident_kib(processes: &[Pid]) -> u64 {
    let of = |pid: &Pid| {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.number)).ok()?;
        value(&status, "VmRSS:")
    };
    processes.iter().filter_map(of).sum()
}

/// Whether another process, such as strace, traces every thread of these processes.
pub fn are_traced(processes: &[Pid]) -> Result<bool> {
    for pid in processes.iter().filter(|pid| pid.is_running()) {
        for task in fs::read_dir(format!("/proc/{}/task", pid.number))? {
            // A thread that has ended meanwhile needs no tracer.
            let Ok(status) = fs::read_to_string(task?.path().join("status")) else {
                continue;
            };
            if value(&status, "TracerPid:").context("no TracerPid")? == 0 {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Files that are open for synchronous writes: such writes are syncs that no call shows.
pub fn synchronous_files(processes: &[Pid]) -> usize {
    /// Octal, as `fdinfo` has it. `O_SYNC` includes it.
    const O_DSYNC: u64 = 0o10_000;
    let mut found = 0;
    for pid in processes {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", pid.number));
        for info in infos.into_iter().flatten().flatten() {
            let text = fs::read_to_string(info.path()).unwrap_or_default();
            let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok());
            found += usize::from(flags.is_some_and(|flags| flags & O_DSYNC != 0));
        }
    }
    found
}

/// The number after `name` at the start of a line.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_children_and_ends_with_them() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = tree(own).unwrap();
        let number = i32::try_from(child.id()).unwrap();
        let below = found.iter().find(|pid| pid.number == number).copied();
        let below = below.expect("the child is below this process");
        assert!(below.is_running());
        assert!(resident_kib(&[below]) > 0);
        assert!(!are_traced(&[below]).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!below.is_running());
    }

    #[test]
    fn written_bytes_and_processor_time_are_counted() {
        let before = usage(std::process::id()).unwrap();
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        std::io::Write::write_all(&mut file, &vec![1; 1 << 20]).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let used = usage(std::process::id()).unwrap().since(before);
        assert!(used.written >= 1 << 20, "{used:?}");
        assert!(used.cpu >= Duration::from_millis(10), "{used:?}");
    }
}
