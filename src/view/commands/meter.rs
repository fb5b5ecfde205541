//! Shows the progress of long work on standard error, if that is a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::journal::WorkDone;
use crate::view::table::grouped;

const SHOW_EVERY: Duration = Duration::from_millis(500);

/// Shows the progress until it is dropped.
pub struct Meter(Option<JoinHandle<()>>);

impl Meter {
    /// `doing`: the work, such as `writing`. `unit`: what `progress` counts.
    pub fn start(doing: &'static str, unit: &'static str, progress: WorkDone) -> Self {
        let shown = io::stderr().is_terminal().then(|| {
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SHOW_EVERY).await;
                    let text = describe(doing, unit, &progress);
                    drop(write!(io::stderr(), "\r{text}\x1b[K"));
                }
            })
        });
        Self(shown)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

fn describe(doing: &str, unit: &str, progress: &WorkDone) -> String {
    let (done, all) = (progress.done(), progress.all());
    if all == 0 {
        return format!("{doing}: {} {unit}", grouped(done));
    }
    // A page that is read twice counts twice.
    let percent = done.saturating_mul(100) / all;
    format!(
        "{doing}: {} of {} {unit}, {} %",
        grouped(done.min(all)),
        grouped(all),
        percent.min(99)
    )
}
