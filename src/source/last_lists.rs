//! Copies of the last lists of devices and scanners without a fault: a fault in a list must not
//! stop a gateway that starts again.
//!
//! **In**: the text of each list that was read without a fault. **Out**: the same text, while the
//! list has a fault. The copies are in `data_dir`, readable only for the daemon's user.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::last::replace;

/// The directory of the copies. `None`: nothing is stored.
#[derive(Debug, Clone, Default)]
pub struct LastLists(Option<PathBuf>);

impl LastLists {
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self(Some(data_dir.to_owned()))
    }

    /// The text of the list at `file` when it was last in order.
    #[must_use]
    pub fn find(&self, kind: &str, file: &Path) -> Option<String> {
        let copy = fs::read_to_string(self.path(kind)?).ok()?;
        Some(copy.strip_prefix(&head(file))?.to_owned())
    }

    /// Stores the text of a good list. A failure is logged only.
    pub fn keep(&self, kind: &str, file: &Path, text: &str) {
        let Some(path) = self.path(kind) else { return };
        let copy = head(file) + text;
        if let Err(error) = replace(&path, &copy) {
            tracing::warn!(%error, path = %path.display(), "cannot store the list for the next start");
        }
    }

    fn path(&self, kind: &str) -> Option<PathBuf> {
        let data_dir = self.0.as_ref()?;
        Some(data_dir.join(format!("last-{kind}.toml")))
    }
}

/// The first line of a copy: the copy of another list is not used.
fn head(file: &Path) -> String {
    let shown = file.display();
    format!(
        "# {shown} as it was last in order. stockrelay writes this copy: change the list itself.\n"
    )
}
