//! A store in a file.

#[expect(clippy::duplicate_mod, reason = "once for each engine")]
#[path = "contract/mod.rs"]
mod contract;
#[path = "opening.rs"]
mod opening;

use super::super::{Store, StoreUrl};

/// A folder with a store in it.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
}

impl Place {
    pub(super) async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { folder })
    }

    pub(super) fn url(&self) -> StoreUrl {
        StoreUrl::Sqlite(self.folder.path().join("store with #?.db"))
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.url(), "test").await.unwrap()
    }
}
