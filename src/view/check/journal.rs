//! The journal: whether the daemon can open it, and whether its pages are as they were written.

use std::path::Path;

use super::Finding;
use crate::config::last;
use crate::journal::{self, Depth, VERIFIED_BYTES_MAX, Verified, WorkDone, verify_with};
use crate::view::table::size;

/// The progress of `check --deep`.
#[derive(Debug, Default)]
pub struct Deep {
    /// Bytes of pages.
    pub pages: WorkDone,
    /// Records.
    pub books: WorkDone,
}

/// The name of these findings.
const JOURNAL: &str = "journal";
const NO_START: &str = "`stockrelay run` ends with exit code 65, so that it overwrites nothing";

/// Opens the journal. Verifies the pages of a journal that the daemon would verify at its start;
/// with `deep` all pages and records. Returns the finding, and whether `stockrelay run` would end
/// with exit code 65: the journal is damaged, or has a format that this version does not know.
/// `None`: no journal exists yet.
#[must_use]
pub fn journal(data_dir: &Path, deep: Option<&Deep>) -> Option<(Finding, bool)> {
    let file = data_dir.join(journal::FILE);
    let shown = file.display();
    let is_small = file
        .metadata()
        .is_ok_and(|file| file.len() <= VERIFIED_BYTES_MAX);
    let depth = match deep {
        Some(_) => Depth::Books,
        None if is_small => Depth::Pages,
        None => Depth::Opens,
    };
    let unseen = Deep::default();
    let Deep { pages, books } = deep.unwrap_or(&unseen);
    let finding = match verify_with(data_dir, depth, pages, books) {
        Ok(Verified::Missing) if !data_dir.join(last::FILE).exists() => return None,
        Ok(Verified::Missing) => Finding::warn(
            JOURNAL,
            format!("journal {shown} is missing or empty, although this gateway has run before"),
            "`stockrelay run` creates an empty journal, and events that devices then send again may be posted twice",
            "look for journal.redb.damaged or a backup before you start (/usr/share/doc/stockrelay/backup.md)",
        ),
        Ok(Verified::InUse) => in_use(&file, deep.is_some()),
        Ok(Verified::Sound { bytes }) => {
            let read = match depth {
                Depth::Books => "no damaged page, no damaged record, and right sums",
                Depth::Pages => "no damaged page",
                Depth::Opens => {
                    "an intact header; `stockrelay check --deep` also verifies its pages and records"
                }
            };
            Finding::ok(
                JOURNAL,
                format!("journal {shown} ({}) has {read}", size(bytes)),
            )
        }
        Ok(Verified::Damaged(damage)) => {
            return Some((
                Finding::fail(JOURNAL, damage.what(), NO_START, damage.remedy()),
                true,
            ));
        }
        Ok(Verified::UnknownFormat(found)) => {
            let what = journal::unknown_format(&file, &found);
            return Some((
                Finding::fail(JOURNAL, what, NO_START, journal::FORMAT_REMEDY),
                true,
            ));
        }
        Err(error) => Finding::fail(
            JOURNAL,
            format!("journal {shown} cannot be read: {error}"),
            "the gateway cannot start without its journal",
            "run `stockrelay check` as root or as the daemon's user; if it fails again, check the disk",
        ),
    };
    Some((finding, false))
}

fn in_use(file: &Path, is_deep: bool) -> Finding {
    let what = format!(
        "journal {} is open in the daemon: its pages are not verified",
        file.display()
    );
    if is_deep {
        return Finding::warn(
            JOURNAL,
            what,
            "the pages of an open journal change while they are read",
            "run `systemctl stop stockrelay && stockrelay check --deep; systemctl start stockrelay`",
        );
    }
    Finding::ok(JOURNAL, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn a_missing_journal_is_a_warning_if_the_gateway_has_run_before() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(journal(dir.path(), None), None);
        std::fs::write(dir.path().join(last::FILE), "version = 1").unwrap();
        for content in [None, Some("")] {
            if let Some(content) = content {
                std::fs::write(dir.path().join(journal::FILE), content).unwrap();
            }
            let (finding, is_damaged) = journal(dir.path(), None).unwrap();
            assert_eq!((finding.level, is_damaged), (Level::Warn, false));
        }
    }
}
