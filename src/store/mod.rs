//! The store: feeds, items, subscribers, editions and deliveries. The only module with SQL in it.
//!
//! # Invariants
//!
//! - Every call is one transaction, short, and never open while the network is used.
//! - On SQLite the first statement of a transaction that writes takes the write lock (`BEGIN IMMEDIATE`), so
//!   it cannot fail half-way because another process wrote in between. On PostgreSQL each statement sees what was committed
//!   before it (`READ COMMITTED`), and what must not be done twice is a condition of the statement that does it.
//! - Many rows go in one statement, as a JSON array that the database unfolds.
//! - A commit is on the disk when it returns (`synchronous = FULL`): a power cut after a mail went out
//!   does not bring the delivery back.
//!
//! # Why sqlx, and why its `Any` driver
//!
//! SQLite is the engine of one machine, PostgreSQL that of several. Two drivers (rusqlite, tokio-postgres) mean
//! every query written twice, and two sets of row mapping that drift apart; sqlx's `Any` is one set of
//! queries, for both engines, as long as the SQL keeps to what they share: `$1` parameters, `BIGINT` and
//! `TEXT`, `ON CONFLICT`, `RETURNING`, `->>`. What differs (the key column, the JSON function, row locks)
//! is a word of `engine`.
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

mod archive;
mod bounces;
mod consent;
mod copy;
mod deliveries;
mod editions;
mod engine;
mod feeds;
mod follows;
mod items;
mod ledger;
mod letters;
mod memory;
mod moves;
mod person;
mod preferences;
mod signups;
mod subscribers;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _, Transaction,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::model::{Length, TokenKeys};
use engine::{DECIDING, Engine, POSTING, create_private};

pub use archive::{EditionLine, Found, Indexed, StoryLine};
pub use copy::Copied;
pub use deliveries::{Counts, DeliveryDetail, EditionSummary};
pub use editions::{EditionState, Published};
pub use engine::{StoreUrl, is_passing};
pub use follows::FollowedStory;
pub use items::Saved;
pub use ledger::{HEARTBEAT, Inherited, Record, Step, WorkerId};
pub use letters::{LetterKind, LetterState, PendingLetter};
pub use person::Person;
pub use signups::{Asked, Click, Confirmed, Greeting, SignUp};
pub use subscribers::{Origin, Subscribed};

/// The open store. Clones are not needed: every call borrows it.
pub struct Store {
    connection: Mutex<AnyConnection>,
    rehearsal: bool,
    engine: Engine,
}

impl Store {
    /// Opens the store of `newsletter` at `url`, creating it and bringing it up to date where necessary.
    ///
    /// # Errors
    /// When it cannot be opened, is no database, was written by a newer Tidings, or holds another newsletter.
    pub async fn open(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.file() {
            let folder = path.parent();
            if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).with_context(|| {
                    format!("creating the folder of the store, {}", folder.display())
                })?;
            }
            create_private(path).with_context(|| format!("creating the store {url}"))?;
        }
        Self::connect(Engine::at(url)?, newsletter)
            .await
            .with_context(|| format!("opening the store {url}"))
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
        let engine = match url.file() {
            Some(path) if !path.exists() => Engine::in_memory(),
            _ => Engine::at(url)?,
        };
        let mut store = Self::connect(engine, newsletter)
            .await
            .with_context(|| format!("opening the store {url}"))?;
        store.rehearsal = true;
        Ok(store)
    }

    async fn connect(engine: Engine, newsletter: &str) -> anyhow::Result<Self> {
        let mut connection = engine.connect().await?;
        engine.migrate(&mut connection).await?;
        let store = Self {
            connection: Mutex::new(connection),
            rehearsal: false,
            engine,
        };
        store.belong_to(newsletter).await?;
        Ok(store)
    }

    /// For whoever must not be kept waiting: calls fail at once, as [`is_passing`] knows, when another process writes to the file (by itself, SQLite
    /// looks again after 1, 2, 5, 10, … up to 100 milliseconds), and none of them has to tidy the log up, so that somebody has to [`Store::tidy`]. PostgreSQL
    /// lets several write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wait_for_nobody(&self) -> sqlx::Result<()> {
        if self.is_embedded() {
            let mut connection = self.connection().await;
            for setting in ["PRAGMA busy_timeout = 0", "PRAGMA wal_autocheckpoint = 0"] {
                connection.execute(setting).await?;
            }
        }
        Ok(())
    }

    /// Moves what is in the log of SQLite to where it belongs, as far as nobody is kept waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tidy(&self) -> sqlx::Result<()> {
        if self.is_embedded() {
            let mut connection = self.connection().await;
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").await?;
        }
        Ok(())
    }

    /// Connects anew where the connection is gone: the server was restarted.
    ///
    /// # Errors
    /// When it is still away.
    pub async fn revive(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.lock().await;
        if connection.ping().await.is_err() {
            *connection = self.engine.reconnect().await?;
        }
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> sqlx::Result<()> {
        let mut connection = self.connection().await;
        let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM setting")
            .fetch_one(&mut *connection)
            .await?;
        Ok(())
    }

    /// Asks for the right to collect and to decide about editions, as long as this store is open. One has it at a time; any
    /// number may send what was decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_to_decide(&self) -> sqlx::Result<bool> {
        let mut connection = self.connection().await;
        self.engine.hold(&mut connection, DECIDING).await
    }

    /// Asks for the right to send letters, as long as this store is open. One has it at a time, so that nobody gets two.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_to_post(&self) -> sqlx::Result<bool> {
        let mut connection = self.connection().await;
        self.engine.hold(&mut connection, POSTING).await
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
        let moved: Option<String> =
            sqlx::query_scalar("SELECT value FROM setting WHERE key = 'moved_to'")
                .fetch_optional(&mut *connection)
                .await?;
        if let Some(moved) = moved {
            anyhow::bail!(
                "it was copied into {moved}, and is out of use since then: name that one in the configuration (store.url)"
            );
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
        self.engine.dialect.embedded
    }

    /// The keys of tokens: the first is made with the store, and they are the same for all who use it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_keys(&self) -> anyhow::Result<TokenKeys> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let secret = secret(&mut tx, TOKEN_KEY).await?;
        let retired = retired_keys(&mut tx).await?;
        tx.commit().await?;
        Ok(TokenKeys::new(&secret, &retired))
    }

    /// Seals tokens with a new key from now on. The last `keep` keys before it still open what they have sealed; links that
    /// older ones have sealed lead nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_token_key(&self, keep: usize) -> anyhow::Result<()> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let mut retired = retired_keys(&mut tx).await?;
        retired.insert(0, secret(&mut tx, TOKEN_KEY).await?);
        retired.truncate(keep);
        let retired: Vec<String> = retired.iter().map(|key| BASE64.encode(key)).collect();
        for (name, value) in [
            (TOKEN_KEY, BASE64.encode(random()?)),
            (RETIRED_KEYS, retired.join(" ")),
        ] {
            sqlx::query(
                "INSERT INTO setting (key, value) VALUES ($1, $2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
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
            return connection.begin_with(self.engine.dialect.begin).await;
        }
        if !connection.is_in_transaction() {
            // Forgotten on purpose: it stays open, later ones nest inside it as savepoints, and it ends
            // with the connection, which rolls it back.
            std::mem::forget(connection.begin_with(self.engine.dialect.begin).await?);
        }
        connection.begin().await
    }

    /// A query that reads `{rows}` as the JSON array `$1`.
    fn with_rows(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{rows}", self.engine.dialect.rows))
    }
}

/// The settings that hold the key of tokens, those before it, and the key of what is left of erased addresses.
const TOKEN_KEY: &str = "token_key";
const RETIRED_KEYS: &str = "token_keys_retired";
const ERASURE_KEY: &str = "erasure_key";

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

/// A number for something that links are sealed for: none is given twice.
fn fresh_number() -> anyhow::Result<i64> {
    let bytes = random()?;
    let number = bytes
        .first_chunk()
        .map_or(1, |bytes| i64::from_le_bytes(*bytes));
    // Not more than JSON readers keep of a number.
    Ok((number & ((1 << 53) - 1)).max(1))
}

/// The secret called `name`, made where there is none.
async fn secret(tx: &mut AnyConnection, name: &str) -> anyhow::Result<Vec<u8>> {
    sqlx::query("INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(BASE64.encode(random()?))
        .execute(&mut *tx)
        .await?;
    let secret: String = sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
    BASE64
        .decode(secret)
        .with_context(|| format!("reading the setting {name}"))
}

async fn retired_keys(tx: &mut AnyConnection) -> anyhow::Result<Vec<Vec<u8>>> {
    let keys: Option<String> = sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(RETIRED_KEYS)
        .fetch_optional(&mut *tx)
        .await?;
    let keys = keys.unwrap_or_default();
    let decoded = keys.split_whitespace().map(|key| BASE64.decode(key));
    decoded
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading the setting {RETIRED_KEYS}"))
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

fn time(row: &AnyRow, column: &str) -> sqlx::Result<DateTime<Utc>> {
    Ok(DateTime::from_timestamp(row.try_get(column)?, 0).unwrap_or_default())
}

fn length(row: &AnyRow) -> sqlx::Result<Length> {
    Ok(Length::from_word(row.try_get("length")?).unwrap_or_default())
}

fn optional_time(row: &AnyRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    Ok(row
        .try_get::<Option<i64>, _>(column)?
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
}

#[cfg(test)]
mod tests;
