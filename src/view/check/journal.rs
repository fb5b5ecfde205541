//! The journal's pages against their checksums.

use std::path::Path;

use super::Finding;
use crate::config::last;
use crate::journal::{self, Verified};
use crate::view::table::size;

/// The finding, and whether `run` ends with 65: the journal is damaged, or of a format that this
/// version does not know. `None` before there is a journal. Takes as long as the disk takes to read
/// it.
#[must_use]
pub fn journal(data_dir: &Path) -> Option<(Finding, bool)> {
    let file = data_dir.join("journal.redb");
    let shown = file.display();
    let finding = match journal::verify(data_dir) {
        Ok(Verified::Missing) if !data_dir.join(last::FILE).exists() => return None,
        Ok(Verified::Missing) => Finding::warn(
            format!("journal {shown} is missing or empty although this gateway ran before"),
            "look for journal.redb.damaged or a backup; `stockrelay run` begins with an empty one, and events that devices send again are stored, and perhaps posted, again",
        ),
        Ok(Verified::InUse) => Finding::ok(format!(
            "journal {shown} is open in the daemon; to verify its pages, run the check while the daemon is stopped"
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
            "run the check as root or as the daemon's user, and see that the disk is well",
        ),
    };
    Some((finding, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn a_journal_that_is_gone_where_the_gateway_ran_before_is_warned_about() {
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
