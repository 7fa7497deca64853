//! A store in a throw-away PostgreSQL, which all tests share; each has a database of its own.

#[expect(dead_code, reason = "nothing is restarted here")]
#[path = "../../../tests/suite/support/postgres.rs"]
mod postgres;

#[expect(clippy::duplicate_mod, reason = "once for each engine")]
#[path = "contract/mod.rs"]
mod contract;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::super::{Store, StoreUrl};
use postgres::Postgres;

/// The server ends with this process, as its script reads from it.
fn server() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    SERVER.get_or_init(Postgres::start).as_ref()
}

/// A database of its own.
pub(super) struct Place {
    url: url::Url,
}

impl Place {
    pub(super) async fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let server = server()?;
        let name = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&server.url("postgres"))
            .await
            .unwrap();
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        let url = server.url(&name).parse().unwrap();
        Some(Self { url })
    }

    pub(super) fn url(&self) -> StoreUrl {
        StoreUrl::Postgres(Box::new(self.url.clone()))
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.url(), "test").await.unwrap()
    }
}
