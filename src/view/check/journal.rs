//! Verifies the checksums of the journal's pages.

use std::path::Path;

use super::Finding;
use crate::config::last;
use crate::journal::{self, Verified};
use crate::view::table::size;

/// Reads the whole journal. Returns the finding, and whether `stockrelay run` would end with exit
/// code 65: the journal is damaged, or has a format that this version does not know. `None`: no
/// journal exists yet.
#[must_use]
pub fn journal(data_dir: &Path) -> Option<(Finding, bool)> {
    let file = data_dir.join("journal.redb");
    let shown = file.display();
    let finding = match journal::verify(data_dir) {
        Ok(Verified::Missing) if !data_dir.join(last::FILE).exists() => return None,
        Ok(Verified::Missing) => Finding::warn(
            format!("journal {shown} is missing or empty, although this gateway has run before"),
            "look for journal.redb.damaged or a backup before you start: `stockrelay run` creates an empty journal, and events that devices then send again may be posted twice",
        ),
        Ok(Verified::InUse) => Finding::ok(format!(
            "journal {shown} is open in the daemon; stop the daemon and run `stockrelay check` again to verify its pages"
        )),
        Ok(Verified::Sound { bytes }) => Finding::ok(format!(
            "journal {shown} ({}) has no damaged page",
            size(bytes)
        )),
        Ok(Verified::Damaged(damage)) => {
            return Some((Finding::fail(damage.what(), damage.remedy()), true));
        }
        Ok(Verified::UnknownFormat(found)) => {
            let what = journal::unknown_format(&file, &found);
            return Some((Finding::fail(what, journal::FORMAT_REMEDY), true));
        }
        Err(error) => Finding::fail(
            format!("journal {shown} cannot be read: {error}"),
            "run `stockrelay check` as root or as the daemon's user; if it fails again, check the disk",
        ),
    };
    Some((finding, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn a_missing_journal_is_a_warning_if_the_gateway_has_run_before() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(journal(dir.path()), None);
        std::fs::write(dir.path().join(last::FILE), "version = 1").unwrap();
        for content in [None, Some("")] {
            if let Some(content) = content {
                std::fs::write(dir.path().join(journal::FILE), content).unwrap();
            }
            let (finding, is_damaged) = journal(dir.path()).unwrap();
            assert_eq!((finding.level, is_damaged), (Level::Warn, false));
        }
    }
}
