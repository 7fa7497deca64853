//! The store: feeds, items, subscribers, editions and deliveries. The only module with SQL in it.
//!
//! # Invariants
//!
//! - Every call is one transaction, short, and never open while the network is used.
//! - The first statement of a transaction that writes takes SQLite's write lock (`BEGIN IMMEDIATE`), so
//!   it cannot fail half-way because another process wrote in between.
//! - Many rows go in one statement, as a JSON array that the database unfolds.
//! - A commit is on the disk when it returns (`synchronous = FULL`): a power cut after a mail went out
//!   does not bring the delivery back.
//!
//! # Why sqlx, and why its `Any` driver
//!
//! SQLite is the engine today and PostgreSQL is to join. Two drivers (rusqlite, tokio-postgres) mean
//! every query written twice, and two sets of row mapping that drift apart; sqlx's `Any` is one set of
//! queries, for both engines, as long as the SQL keeps to what they share: `$1` parameters, `BIGINT` and
//! `TEXT`, `ON CONFLICT`, `RETURNING`, `->>`. What differs (the key column, the JSON function, row locks)
//! is a word that [`Store`] fills in.
//!
//! The price, measured by a spike on one machine with two cores, synchronous writes, 100,000 delivery rows,
//! median of 7 (items) or 21 (deliveries):
//!
//! | | rusqlite | sqlx Any, SQLite | tokio-postgres | sqlx Any, PostgreSQL 15 |
//! |-|-|-|-|-|
//! | upsert 10,000 items, a statement each | 19–33 ms | 710 ms | – | 1,152 ms |
//! | upsert 10,000 items, unfolded from an array | – | 87 ms | 120 ms | 163 ms |
//! | claim 500 deliveries | 0.7–1.2 ms | 1.4 ms | 24 ms | 25 ms |
//! | record 500 outcomes | 0.7–1.1 ms | 1.0 ms | 4.6 ms | 4.4 ms |
//! | record one outcome | 0.13–0.16 ms | 0.25 ms | – | 0.24 ms |
//!
//! Statement by statement sqlx is 20 times slower on SQLite, because each one crosses to its worker
//! thread; by the array, which PostgreSQL wants anyway, the rest is noise beside fetching and sending.

mod bounces;
mod deliveries;
mod editions;
mod feeds;
mod items;
mod ledger;
mod memory;
mod subscribers;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    Row as _, Transaction,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::model::TokenKey;

pub use deliveries::{DeliveryDetail, EditionSummary};
pub use editions::{EditionState, Published};
pub use items::Saved;
pub use ledger::{HEARTBEAT, Inherited, Record, Step, WorkerId};
pub use subscribers::{Origin, Subscribed};

/// Migrations, oldest first. A released one never changes; new ones only add.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_line.sql"),
    include_str!("migrations/0002_collect.sql"),
    include_str!("migrations/0003_rank.sql"),
    include_str!("migrations/0004_block.sql"),
    include_str!("migrations/0005_ledger.sql"),
];

/// The words that differ between the engines.
struct Dialect {
    /// Type of an ascending 64-bit primary key.
    id: &'static str,
    /// A table `r` with a column `value` for each element of the JSON array `$1`.
    rows: &'static str,
    /// Passes over rows that another worker is claiming.
    skip_locked: &'static str,
}

const SQLITE: Dialect = Dialect {
    id: "INTEGER PRIMARY KEY",
    rows: "json_each($1) AS r",
    // There is one writer at a time.
    skip_locked: "",
};

/// Where the store keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite database file.
    Sqlite(PathBuf),
}

impl StoreUrl {
    /// The file, for messages and for the lock beside it.
    pub fn path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }
}

/// The open store. Clones are not needed: every call borrows it.
pub struct Store {
    connection: Mutex<AnyConnection>,
    rehearsal: bool,
    dialect: Dialect,
}

impl Store {
    /// Opens the store of `newsletter` at `url`, creating it and bringing it up to date where necessary.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, was written by a newer Tidings, or holds another
    /// newsletter.
    pub async fn open(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let path = url.path();
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("creating the folder of the store, {}", folder.display())
            })?;
        }
        create_private(path).with_context(|| format!("creating the store {}", path.display()))?;
        let address = sqlite_address(path, "rw")?;
        Self::connect(&address, newsletter)
            .await
            .with_context(|| format!("opening the store {}", path.display()))
    }

    /// Opens the store so that nothing that is written will last: from the first write on, everything happens
    /// inside one transaction that is never committed. A preview runs the very line of a send on it. That
    /// transaction keeps other writers out until the store is dropped, so drop it before you wait for
    /// anything.
    ///
    /// Where there is no store yet, it is an empty one in memory, and no file appears.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_for_rehearsal(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let path = url.path();
        let address = if path.exists() {
            sqlite_address(path, "rw")?
        } else {
            "sqlite::memory:".to_owned()
        };
        let mut store = Self::connect(&address, newsletter)
            .await
            .with_context(|| format!("opening the store {}", path.display()))?;
        store.rehearsal = true;
        Ok(store)
    }

    async fn connect(address: &str, newsletter: &str) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        // A statement that takes a second (a million deliveries) is no trouble to tell the operator of.
        let options = AnyConnectOptions::from_str(address)?.disable_statement_logging();
        let mut connection = AnyConnection::connect_with(&options).await?;
        for pragma in [
            "PRAGMA busy_timeout = 10000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            // The keys of items are spread over their whole index; what does not fit here is written again and again.
            "PRAGMA cache_size = -16000",
            "PRAGMA temp_store = MEMORY",
            // In pages of 4 kB: a batch of items is more than the default of 1,000, and pages change again in the next.
            "PRAGMA wal_autocheckpoint = 16000",
        ] {
            connection.execute(pragma).await?;
        }
        let store = Self {
            connection: Mutex::new(connection),
            rehearsal: false,
            dialect: SQLITE,
        };
        store.migrate().await?;
        store.belong_to(newsletter).await?;
        Ok(store)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await;
        let version: i64 = sqlx::query("PRAGMA user_version")
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > MIGRATIONS.len() {
            anyhow::bail!("it was written by a newer version of Tidings; install that one");
        }
        if version == MIGRATIONS.len() {
            return Ok(());
        }
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        for migration in &MIGRATIONS[version..] {
            sqlx::raw_sql(AssertSqlSafe(migration.replace("{id}", self.dialect.id)))
                .execute(&mut *tx)
                .await?;
        }
        sqlx::raw_sql(AssertSqlSafe(format!(
            "PRAGMA user_version = {}",
            MIGRATIONS.len()
        )))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A store holds one newsletter: its subscribers have agreed to get that one, and no other.
    async fn belong_to(&self, newsletter: &str) -> anyhow::Result<()> {
        let mut connection = self.connection().await;
        let owner = "SELECT value FROM setting WHERE key = 'newsletter'";
        let mut known: Option<String> = sqlx::query_scalar(owner)
            .fetch_optional(&mut *connection)
            .await?;
        if known.is_none() {
            sqlx::query(
                "INSERT INTO setting (key, value) VALUES ('newsletter', $1) ON CONFLICT DO NOTHING",
            )
            .bind(newsletter)
            .execute(&mut *connection)
            .await?;
            known = sqlx::query_scalar(owner)
                .fetch_optional(&mut *connection)
                .await?;
        }
        let known = known.unwrap_or_default();
        anyhow::ensure!(
            known == newsletter,
            "it holds the newsletter “{known}”, and this configuration is for “{newsletter}”; name another store \
             (store.url), or put newsletter.id back, which must never change"
        );
        Ok(())
    }

    /// Whether the engine is part of this program, so that a lock beside the file keeps others out.
    pub fn is_embedded(&self) -> bool {
        true
    }

    /// The key that seals tokens: made with the store, and the same for all who use it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_key(&self) -> anyhow::Result<TokenKey> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let fresh = BASE64.encode(bytes);
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        sqlx::query(
            "INSERT INTO setting (key, value) VALUES ('token_key', $1) ON CONFLICT DO NOTHING",
        )
        .bind(fresh)
        .execute(&mut *tx)
        .await?;
        let secret: String =
            sqlx::query_scalar("SELECT value FROM setting WHERE key = 'token_key'")
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        let secret = BASE64
            .decode(secret)
            .context("reading the key of the tokens (setting token_key)")?;
        Ok(TokenKey::new(&secret))
    }

    async fn connection(&self) -> MutexGuard<'_, AnyConnection> {
        self.connection.lock().await
    }

    /// Begins a transaction that will write.
    async fn begin<'c>(
        &self,
        connection: &'c mut AnyConnection,
    ) -> sqlx::Result<Transaction<'c, Any>> {
        if !self.rehearsal {
            return connection.begin_with("BEGIN IMMEDIATE").await;
        }
        if !connection.is_in_transaction() {
            // Forgotten on purpose: it stays open, later ones nest inside it as savepoints, and it ends
            // with the connection, which rolls it back.
            std::mem::forget(connection.begin_with("BEGIN IMMEDIATE").await?);
        }
        connection.begin().await
    }

    /// A query that reads `{rows}` as the JSON array `$1`.
    fn with_rows(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{rows}", self.dialect.rows))
    }
}

/// Makes an empty file that only its owner can read, unless there is one: it will hold people's addresses.
/// SQLite gives its side files the same permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A JSON array of objects with one member `v`, for `r.value->>'v'`. (Bare values would read differently
/// on the two engines.)
fn array<T: serde::Serialize>(values: impl IntoIterator<Item = T>) -> String {
    let rows: Vec<_> = values
        .into_iter()
        .map(|value| serde_json::json!({ "v": value }))
        .collect();
    serde_json::Value::from(rows).to_string()
}

/// Whether `error` may pass by itself: the database is starting, its disk is full, another program holds it.
pub fn is_passing(error: &anyhow::Error) -> bool {
    let Some(error) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<sqlx::Error>())
    else {
        return false;
    };
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // SQLite: busy, locked, I/O error, full, with their extended codes in the upper bits. PostgreSQL: connection,
            // resources, operator's intervention, and what a second try cures.
            let sqlite = code
                .parse::<u32>()
                .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6 | 10 | 13));
            sqlite
                || ["08", "53", "57P", "40"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class))
        }
        _ => false,
    }
}

fn sqlite_address(path: &Path, mode: &str) -> anyhow::Result<String> {
    let path = path
        .to_str()
        .context("the path of the store is not valid Unicode")?;
    let encoded: String = path
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    Ok(format!("sqlite:{encoded}?mode={mode}"))
}

fn time(row: &AnyRow, column: &str) -> sqlx::Result<DateTime<Utc>> {
    Ok(DateTime::from_timestamp(row.try_get(column)?, 0).unwrap_or_default())
}

fn optional_time(row: &AnyRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    Ok(row
        .try_get::<Option<i64>, _>(column)?
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
}

#[cfg(test)]
mod tests;
