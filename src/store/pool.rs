//! The connections of an open store, and the rules of who waits for whom.
//!
//! | lane | connections | waits for other writers | tidies SQLite's log up |
//! |-|-|-|-|
//! | writing | one, which also holds the locks of this process | up to 10 s | yes |
//! | urgent | one, of `tidings serve` only | not at all: it fails, and is tried again | no |
//! | reading | up to four, of `tidings serve` only | never: readers see what was committed | no |
//!
//! A command has the first lane only, and reads on it. A connection that PostgreSQL has cut is replaced at its next use.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _, Transaction,
};
use tokio::sync::{Mutex, MutexGuard};

use super::engine::Engine;

/// How many connections only read.
const READERS: u32 = 4;

/// How long somebody waits for one of them.
const WAIT: Duration = Duration::from_secs(5);

/// A connection that was not used for so long is asked whether it is still there: servers and firewalls cut idle ones.
const IDLE: Duration = Duration::from_millis(100);

/// The connections of an open store.
pub struct Pool {
    pub(super) engine: Engine,
    writing: Mutex<Held>,
    urgent: Option<Mutex<Held>>,
    reading: Option<AnyPool>,
}

/// A connection that is kept; none when it is closed.
pub(super) struct Held {
    connection: Option<AnyConnection>,
    used: Instant,
}

/// A connection for one call.
pub(super) enum Lease<'p> {
    Held(MutexGuard<'p, Held>),
    Pooled(PoolConnection<Any>),
}

impl Held {
    fn new(connection: AnyConnection) -> Mutex<Self> {
        Mutex::new(Self {
            connection: Some(connection),
            used: Instant::now(),
        })
    }

    /// Makes sure that the connection is there. The locks of this process were with the one that is lost.
    async fn wake(&mut self, engine: &Engine, has_locks: bool) -> sqlx::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Err(sqlx::Error::PoolClosed);
        };
        if connection.ping().await.is_err() {
            self.connection = Some(match has_locks {
                true => engine.reconnect().await?,
                false => engine.connect().await?,
            });
        }
        Ok(())
    }
}

impl Deref for Lease<'_> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            Self::Held(held) => held.connection.as_ref().expect(OPEN),
            Self::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            Self::Held(held) => held.connection.as_mut().expect(OPEN),
            Self::Pooled(connection) => connection,
        }
    }
}

const OPEN: &str = "a lease is only given of a connection that is open";

impl Pool {
    /// The lane of a command: one connection, for everything.
    pub(super) fn of_command(engine: Engine, connection: AnyConnection) -> Self {
        Self {
            engine,
            writing: Held::new(connection),
            urgent: None,
            reading: None,
        }
    }

    /// The lanes of `tidings serve`.
    pub(super) async fn of_pages(engine: Engine, connection: AnyConnection) -> sqlx::Result<Self> {
        let mut urgent = engine.connect().await?;
        for setting in engine.urgent_settings() {
            urgent.execute(*setting).await?;
        }
        let settings = engine.settings();
        let reading = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(
                    async move { Ok(known.idle_for <= IDLE || connection.ping().await.is_ok()) },
                )
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for setting in settings {
                        connection.execute(*setting).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(engine.options()?);
        Ok(Self {
            writing: Held::new(connection),
            urgent: Some(Held::new(urgent)),
            reading: Some(reading),
            engine,
        })
    }

    /// The connection that writes.
    pub(super) async fn writing(&self) -> sqlx::Result<Lease<'_>> {
        self.held(&self.writing).await
    }

    /// The connection of whoever must not be kept waiting: calls fail at once, as [`super::is_passing`] knows, when another process
    /// writes to a SQLite file. (By itself SQLite looks again after 1, 2, 5, 10, … up to 100 milliseconds.)
    pub(super) async fn urgent(&self) -> sqlx::Result<Lease<'_>> {
        self.held(self.urgent.as_ref().unwrap_or(&self.writing))
            .await
    }

    /// A connection that reads.
    pub(super) async fn reading(&self) -> sqlx::Result<Lease<'_>> {
        match &self.reading {
            Some(pool) => Ok(Lease::Pooled(pool.acquire().await?)),
            None => self.held(&self.writing).await,
        }
    }

    async fn held<'p>(&'p self, lane: &'p Mutex<Held>) -> sqlx::Result<Lease<'p>> {
        let mut held = lane.lock().await;
        let is_idle = !self.engine.dialect.embedded && held.used.elapsed() > IDLE;
        if is_idle || held.connection.is_none() {
            held.wake(&self.engine, std::ptr::eq(lane, &raw const self.writing))
                .await?;
        }
        held.used = Instant::now();
        Ok(Lease::Held(held))
    }

    /// Connects anew where a connection is gone.
    pub(super) async fn reconnect(&self) -> sqlx::Result<()> {
        self.writing.lock().await.wake(&self.engine, true).await?;
        if let Some(urgent) = &self.urgent {
            urgent.lock().await.wake(&self.engine, false).await?;
        }
        Ok(())
    }

    /// Moves what is in the log of SQLite to where it belongs, as far as nobody is kept waiting.
    pub(super) async fn checkpoint(&self) -> sqlx::Result<()> {
        if self.engine.dialect.embedded {
            let mut connection = self.reading().await?;
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").await?;
        }
        Ok(())
    }

    /// Closes every connection.
    pub(super) async fn close(&self) -> sqlx::Result<()> {
        if let Some(reading) = &self.reading {
            reading.close().await;
        }
        for lane in self.urgent.iter().chain([&self.writing]) {
            if let Some(connection) = lane.lock().await.connection.take() {
                connection.close().await?;
            }
        }
        Ok(())
    }

    /// Begins a transaction that will write.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut AnyConnection,
    ) -> sqlx::Result<Transaction<'c, Any>> {
        connection.begin_with(self.engine.dialect.begin).await
    }

    /// A query that reads `{rows}` as the JSON array `$1`.
    pub(super) fn with_rows(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{rows}", self.engine.dialect.rows))
    }
}
