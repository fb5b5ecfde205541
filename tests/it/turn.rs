//! Tests that need the processor for seconds take turns. Many tests run at a time, and most of them
//! wait: these would make the others late.

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other such test runs. Hold the guard until the test ends.
pub fn wait_for_turn() -> MutexGuard<'static, ()> {
    TURN.blocking_lock()
}

/// [`wait_for_turn`] in a test that is asynchronous.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}
