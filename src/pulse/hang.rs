//! Makes a part hang, in a test of the whole process: the file that [`FILE`] names has the part's
//! name. Only in builds with the demo.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Names the file. Without the variable no part hangs, and the limits are the real ones.
const FILE: &str = "TEST_STOCKRELAY_HANG";
/// The limit of each part in such a test.
const LIMIT_MAX: Duration = Duration::from_secs(4);

fn file() -> Option<&'static PathBuf> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| std::env::var_os(FILE).map(PathBuf::from))
        .as_ref()
}

fn is_due(part: &str) -> bool {
    let named = file().and_then(|file| fs::read_to_string(file).ok());
    named.is_some_and(|named| named.trim() == part)
}

/// Waits for ever if this part is to hang.
pub(super) async fn wait(part: &str) {
    if is_due(part) {
        std::future::pending::<()>().await;
    }
}

/// As [`wait`], for a part with a thread of its own.
pub(super) fn block(part: &str) {
    while is_due(part) {
        std::thread::sleep(LIMIT_MAX);
    }
}

pub(super) fn shorten(limit: Duration) -> Duration {
    if file().is_some() {
        limit.min(LIMIT_MAX)
    } else {
        limit
    }
}
