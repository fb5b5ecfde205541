//! Catches panics of redb. redb panics on a damaged page with content that it never writes; the
//! journal reports damage instead.

use std::any::Any;
use std::cell::Cell;
use std::panic;
use std::sync::Once;

use super::Fatal;

/// While a `Quiet` exists, a panic of redb on this thread prints nothing. The caller catches and
/// reports the panic.
pub(super) struct Quiet {
    was_quiet: bool,
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static WAS_REDB: Cell<bool> = const { Cell::new(false) };
}

impl Quiet {
    pub(super) fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let is_redb = info
                    .location()
                    .is_some_and(|at| at.file().contains("/redb-"));
                WAS_REDB.set(is_redb);
                if !(is_redb && IS_QUIET.get()) {
                    usual(info);
                }
            }));
        });
        Self {
            was_quiet: IS_QUIET.replace(true),
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        IS_QUIET.set(self.was_quiet);
    }
}

/// Why the writer panicked: the file is damaged, or the gateway has a bug.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Fatal {
    if WAS_REDB.get() {
        return Fatal::Damage(describe(panic));
    }
    Fatal::Invariant("the journal's writer panicked".to_owned())
}

/// Describes the damage behind a panic of redb, without "internal error".
pub(super) fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    match text {
        Some(text) if !text.contains("unreachable code") => {
            format!("a page holds data that the gateway never wrote ({text})")
        }
        _ => "a page holds data that the gateway never wrote".to_owned(),
    }
}
