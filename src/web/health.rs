//! Whether all works that belongs to the pages, for whoever watches over them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What does not work, by name.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<&'static str, String>>);

impl Health {
    /// The work of that name does not go on, and why.
    pub fn is_down(&self, name: &'static str, why: String) {
        self.down().insert(name, why);
    }

    /// The work of that name goes on.
    pub fn is_up(&self, name: &'static str) {
        self.down().remove(name);
    }

    /// A line for all that does not go on; empty when all is well.
    pub fn trouble(&self) -> Vec<String> {
        let down = self.down();
        down.iter()
            .map(|(name, why)| format!("{name}: {why}"))
            .collect()
    }

    fn down(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
