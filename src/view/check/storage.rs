//! Whether the disk of the journal keeps what the gateway writes: time of a sync, file system,
//! mount options, wear of flash memory.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Finding;
use crate::clock;

/// The name of the finding about the time of a sync.
const SYNC: &str = "disk.sync";
const FILE_SYSTEM: &str = "disk.file-system";
const WEAR: &str = "disk.wear";

/// A group of scans waits for one sync: above this time a person notices it at each scan.
const SYNC_SLOW: Duration = Duration::from_millis(50);
const SYNC_TRIALS: usize = 5;
/// A page of the journal.
const SYNC_BYTES: usize = 4_096;

/// File systems that keep nothing over a power cut, or do not promise that a sync is durable.
const VOLATILE: [&str; 2] = ["tmpfs", "ramfs"];
const REMOTE: [&str; 8] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "virtiofs",
    "ceph",
    "fuse.sshfs",
];
const WITHOUT_JOURNAL: [&str; 5] = ["vfat", "exfat", "msdos", "ext2", "fuseblk"];
/// Mount options with which the disk may lose synced data at a power cut.
const UNSAFE_OPTIONS: [&str; 5] = [
    "nobarrier",
    "barrier=0",
    "fsync_mode=nobarrier",
    "unsafe_io",
    "volatile",
];

/// The share of its life that flash memory has used, in tenths, from which it should be replaced.
const WORN_TENTHS: u8 = 8;

/// Checks the disk of `data_dir`. `has_room`: a trial of a sync does not fill the disk.
pub(super) fn storage(data_dir: &Path, has_room: bool) -> Vec<Finding> {
    let Some(there) = data_dir.ancestors().find(|path| path.exists()) else {
        return Vec::new();
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = there
        .canonicalize()
        .ok()
        .and_then(|path| find_mount(&mounts, &path));
    let disk = block_device(Path::new("/sys"), there);
    let of_mount = mount.as_ref().map(|mount| mount.source.clone());
    let name = disk.as_ref().and_then(|disk| disk.file_name());
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let name = name.or(of_mount).unwrap_or_default();
    let times = has_room.then(|| sync_times(there)).flatten();
    let times = times.map(|times| judge_sync(data_dir, &name, times));
    let mount = mount.map(|mount| judge_mount(data_dir, &mount));
    let wear = disk.and_then(|disk| wear(&disk));
    times.into_iter().chain(mount).chain(wear).collect()
}

/// Writes and syncs a file without a name, which leaves no trace. `None`: this user may not write
/// there.
fn sync_times(dir: &Path) -> Option<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(dir).ok()?;
    let mut times = Vec::new();
    for _ in 0..SYNC_TRIALS {
        file.write_all(&[0; SYNC_BYTES]).ok()?;
        let begun = clock::instant();
        file.sync_data().ok()?;
        times.push(begun.elapsed());
    }
    Some(times)
}

fn judge_sync(data_dir: &Path, disk: &str, mut times: Vec<Duration>) -> Finding {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    let what = format!(
        "the disk {disk} of data_dir {} needs {} until a write is durable (the slowest of {SYNC_TRIALS} writes: {})",
        data_dir.display(),
        brief(median),
        brief(slowest)
    );
    if median < SYNC_SLOW {
        return Finding::ok(SYNC, what);
    }
    let card = if disk.starts_with("mmcblk") {
        ", an SD card or eMMC"
    } else {
        ""
    };
    Finding::warn(
        SYNC,
        format!("{what}{card}"),
        "each scan waits that long for its acknowledgement, and devices show it late",
        "move data_dir to an SSD or to an industrial SD card, or stop other programs that write to this disk",
    )
}

/// `300 ms`, `1.2 s`, `0.4 ms`.
fn brief(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A mounted file system, as `proc_pid_mountinfo(5)` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    kind: String,
    source: String,
    /// Of the mount and of the file system.
    options: Vec<String>,
}

/// The mount that has `path`: of the mounts above it, the deepest, and of several at one place the
/// last.
fn find_mount(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(read_mount);
    let above = mounts.filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count())
}

fn read_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (point, options) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, source, more) = (after.next()?, after.next()?, after.next().unwrap_or(""));
    let options = options.split(',').chain(more.split(','));
    Some(Mount {
        // The kernel writes a space in a name as \040.
        point: PathBuf::from(point.replace("\\040", " ")),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: options.map(str::to_owned).collect(),
    })
}

fn judge_mount(data_dir: &Path, mount: &Mount) -> Finding {
    let Mount {
        point,
        kind,
        source,
        options,
    } = mount;
    let point = point.display();
    let of = format!(
        "data_dir {} is on the file system {kind} ({source}) at {point}",
        data_dir.display()
    );
    let kind = kind.as_str();
    let moved = "move data_dir to a local disk with ext4, xfs or btrfs";
    let warn =
        |what: String, why: &str, remedy: String| Finding::warn(FILE_SYSTEM, what, why, remedy);
    if VOLATILE.contains(&kind) {
        let why = "it is in memory: a power cut loses every scan that is not in Odoo yet";
        return warn(of, why, moved.to_owned());
    }
    if kind == "overlay" {
        let why =
            "this is the layer of a container: the journal goes when the container is replaced";
        return warn(of, why, "mount a volume at data_dir".to_owned());
    }
    if REMOTE.contains(&kind) || WITHOUT_JOURNAL.contains(&kind) {
        let why = "after a power cut this file system may lack scans that were acknowledged";
        return warn(of, why, moved.to_owned());
    }
    let found = options
        .iter()
        .find(|option| UNSAFE_OPTIONS.contains(&option.as_str()));
    let Some(option) = found else {
        return Finding::ok(FILE_SYSTEM, of);
    };
    warn(
        format!("{of} with the option {option}"),
        "after a power cut the disk may lack scans that were acknowledged",
        format!(
            "remove {option} from the line of {point} in /etc/fstab, then run `mount -o remount {point}`"
        ),
    )
}

/// The disk in `sys` that a path is on, such as `/sys/.../mmcblk0`. `None`: no block device, or
/// several.
fn block_device(sys: &Path, path: &Path) -> Option<PathBuf> {
    let device = fs::metadata(path).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let found = sys.join("dev/block").join(format!("{major}:{minor}"));
    let mut found = found.canonicalize().ok()?;
    // A disk of the device mapper, such as LUKS or LVM, with one disk below it.
    let below = |disk: &Path| {
        let mut slaves = fs::read_dir(disk.join("slaves")).ok()?;
        let first = slaves.next()?.ok()?;
        slaves
            .next()
            .is_none()
            .then(|| first.path().canonicalize().ok())?
    };
    while let Some(disk) = below(&found) {
        found = disk;
    }
    if found.join("partition").exists() {
        return found.parent().map(Path::to_owned);
    }
    Some(found)
}

/// The wear of eMMC (JEDEC JESD84-B51, `DEVICE_LIFE_TIME_EST_TYP_A` and `_B`). `None`: the disk
/// does not report it in sysfs; other disks report it to root alone (`smartctl -a`).
fn wear(disk: &Path) -> Option<Finding> {
    let text = fs::read_to_string(disk.join("device/life_time")).ok()?;
    let numbers = text.split_whitespace();
    let numbers =
        numbers.filter_map(|number| u8::from_str_radix(number.trim_start_matches("0x"), 16).ok());
    let tenths = numbers.max().filter(|tenths| *tenths > 0)?;
    let name = disk.file_name()?.to_string_lossy();
    if tenths > 10 {
        return Some(Finding::warn(
            WEAR,
            format!("the flash memory {name} has exceeded its life"),
            "it may fail at any write, and then the gateway stores no scan",
            "make a backup (`stockrelay backup FILE`) and replace it now",
        ));
    }
    let what = format!(
        "the flash memory {name} has used at most {} % of its life",
        u32::from(tenths) * 10
    );
    Some(if tenths < WORN_TENTHS {
        Finding::ok(WEAR, what)
    } else {
        Finding::warn(
            WEAR,
            what,
            "worn flash memory fails at a write, and then the gateway stores no scan",
            "plan its replacement, and enable the nightly backup: `systemctl enable --now stockrelay-backup.timer`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    const MOUNTS: &str = "22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw,nobarrier\n\
        23 22 0:21 / /proc rw - proc proc rw\n\
        40 22 8:1 / /var/lib rw,relatime shared:3 - xfs /dev/sda1 rw,attr2\n\
        41 22 0:40 / /mnt/my\\040disk rw - tmpfs tmpfs rw,size=1k\n";

    #[test]
    fn a_disk_that_needs_300_ms_for_a_sync_is_named() {
        let times = |ms: &[u64]| ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let judge = |disk, ms: &[u64]| judge_sync(Path::new("/data"), disk, times(ms));
        let slow = judge("mmcblk0", &[310, 300, 290, 1_200, 280]);
        assert_eq!(slow.level, Level::Warn);
        assert_eq!(
            slow.what,
            "the disk mmcblk0 of data_dir /data needs 300 ms until a write is durable (the slowest of 5 writes: 1.2 s), an SD card or eMMC"
        );
        // One slow sync among fast ones is not the disk.
        assert_eq!(judge("sda", &[1, 1, 900, 1, 2]).level, Level::Ok);
        assert_eq!(brief(Duration::from_micros(430)), "0.4 ms");
    }

    #[test]
    fn a_trial_of_a_sync_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sync_times(dir.path()).unwrap().len(), SYNC_TRIALS);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(sync_times(&dir.path().join("gone")), None);
    }

    #[test]
    fn file_systems_and_options_that_lose_scans_are_warned_about() {
        let judge = |path: &str| {
            let mount = find_mount(MOUNTS, Path::new(path)).unwrap();
            judge_mount(Path::new(path), &mount)
        };
        assert_eq!(judge("/var/lib/stockrelay").level, Level::Ok);
        let without_barrier = judge("/srv/data");
        assert_eq!(without_barrier.level, Level::Warn);
        assert!(
            without_barrier.remedy.contains("remove nobarrier"),
            "{without_barrier}"
        );
        let in_memory = judge("/mnt/my disk/data");
        assert!(in_memory.why.contains("in memory"), "{in_memory}");
    }

    #[test]
    fn worn_flash_memory_is_warned_about() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("mmcblk0");
        fs::create_dir_all(disk.join("device")).unwrap();
        let level = |text: &str| {
            fs::write(disk.join("device/life_time"), text).unwrap();
            wear(&disk).map(|finding| finding.level)
        };
        assert_eq!(level("0x01 0x02\n"), Some(Level::Ok));
        assert_eq!(level("0x02 0x09\n"), Some(Level::Warn));
        assert_eq!(level("0x0b 0x01\n"), Some(Level::Warn));
        assert_eq!(level("0x00 0x00\n"), None, "not defined");
    }
}
