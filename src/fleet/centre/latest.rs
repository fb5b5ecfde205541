//! A place for one value: a newer one replaces it, and one task takes it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
pub struct Latest<T> {
    value: Mutex<Option<T>>,
    arrived: Notify,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            value: Mutex::new(None),
            arrived: Notify::new(),
        }
    }
}

impl<T> Latest<T> {
    pub fn put(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.arrived.notify_one();
    }

    /// Waits for a value. Nothing is lost if the future is dropped.
    pub async fn take(&self) -> T {
        loop {
            if let Some(value) = self.take_now() {
                return value;
            }
            self.arrived.notified().await;
        }
    }

    pub fn take_now(&self) -> Option<T> {
        self.value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
