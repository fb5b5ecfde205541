//! The journal's pages against their checksums.

use std::path::Path;

use super::Finding;
use crate::journal::{self, Verified};
use crate::view::table::size;

/// Takes as long as the disk takes to read the journal.
pub fn journal(data_dir: &Path) -> Option<Finding> {
    let file = data_dir.join("journal.redb");
    let shown = file.display();
    Some(match journal::verify(data_dir) {
        Ok(Verified::Missing) => return None,
        Ok(Verified::InUse) => Finding::ok(format!(
            "journal {shown} is open in the daemon; to verify its pages, run the check while the daemon is stopped"
        )),
        Ok(Verified::Sound { bytes }) => Finding::ok(format!(
            "journal {shown} ({}) has no damaged page",
            size(bytes)
        )),
        Ok(Verified::Damaged(why)) => Finding::fail(
            format!("journal {shown} is damaged: {why}"),
            format!(
                "what Odoo has is safe there, but what waits for Odoo is in this file alone: copy it for support and check the disk; to begin with an empty journal run `mv {shown} {shown}.damaged` and start stockrelay again"
            ),
        ),
        Err(error) => Finding::fail(
            format!("journal {shown} cannot be read: {error}"),
            "run the check as root or as the daemon's user, and see that the disk is well",
        ),
    })
}
