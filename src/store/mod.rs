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
//! # Where things are
//!
//! [`Store`] has a part for each of those who use it: [`Items`], [`Editions`], [`Ledger`], [`Letters`], [`Subscribers`], [`Archive`]. All
//! work on one `pool`, which says who waits for whom and replaces connections that are gone. `opening` finds or makes a store, `migrations`
//! bring it up to date (their policy is there), `snapshot` copies one to look at, `engine` has the words that differ between the two
//! databases, and `message` says what went wrong in words for operators.
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
mod erase;
mod feeds;
mod follows;
mod gets;
mod identity;
mod items;
mod keys;
mod ledger;
mod letters;
mod memory;
mod message;
mod migrations;
mod missed;
mod moves;
mod opening;
mod person;
mod pool;
mod preferences;
mod signups;
mod snapshot;
mod subscribers;

use std::ops::Deref;

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use engine::{DECIDING, POSTING};
use pool::Pool;

pub use archive::{EditionLine, Found, Indexed, StoryLine};
pub use bounces::{Reported, Settled};
pub use copy::Copied;
pub use deliveries::{Counts, DeliveryDetail, EditionSummary};
pub use editions::{EditionState, Published};
pub use engine::{StoreUrl, is_passing};
pub use erase::Erased;
pub use follows::FollowedStory;
pub use items::Saved;
pub use ledger::{HEARTBEAT, Inherited, Record, Step, WorkerId};
pub use letters::{LetterKind, LetterState, PendingLetter};
pub use message::describe;
pub use person::Person;
pub use signups::{Asked, Click, Confirmed, Greeting, LinkState, SignUp};
pub use subscribers::{Origin, Stranded, Subscribed};

/// The open store, in parts for those who use it. Clones are not needed: every call borrows it.
pub struct Store {
    pool: Pool,
    is_new: bool,
}

/// A part of the store: the calls of those who do one thing.
macro_rules! parts {
    ($($(#[$about:meta])* $part:ident, $name:ident;)*) => {
        impl Store {
            $($(#[$about])* pub fn $name(&self) -> $part<'_> { $part(&self.pool) })*
        }
        $(
            $(#[$about])*
            pub struct $part<'s>(&'s Pool);

            impl Deref for $part<'_> {
                type Target = Pool;

                fn deref(&self) -> &Pool {
                    self.0
                }
            }
        )*
    };
}

parts! {
    /// For who collects and ranks: feeds, items, and what is remembered of them.
    Items, items;
    /// For who decides: which editions there are, and what they cover.
    Editions, editions;
    /// For who sends: the deliveries, and what came back.
    Ledger, ledger;
    /// For who sends mails to one person that are no edition.
    Letters, letters;
    /// For who signs people up, changes their choices or lets them go.
    Subscribers, subscribers;
    /// For who shows what was sent before.
    Archive, archive;
}

impl Store {
    /// Asks for the right to collect and to decide about editions, as long as this store is open. One has it at a time; any
    /// number may send what was decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_to_decide(&self) -> sqlx::Result<bool> {
        let mut connection = self.pool.writing().await?;
        self.pool.engine.hold(&mut connection, DECIDING).await
    }

    /// Asks for the right to send letters, as long as this store is open. One has it at a time, so that nobody gets two.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_to_post(&self) -> sqlx::Result<bool> {
        let mut connection = self.pool.writing().await?;
        self.pool.engine.hold(&mut connection, POSTING).await
    }

    /// Whether the engine is part of this program, so that a lock beside the file keeps others out.
    pub fn is_embedded(&self) -> bool {
        self.pool.engine.dialect.embedded
    }

    /// Whether it is the one at `url`.
    pub fn is_at(&self, url: &StoreUrl) -> bool {
        self.pool.engine.is_at(url)
    }

    /// Whether there was no store before this one was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> sqlx::Result<()> {
        let mut connection = self.pool.reading().await?;
        let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM setting")
            .fetch_one(&mut *connection)
            .await?;
        Ok(())
    }

    /// What is damaged in it, or set so that what was committed may be lost; empty when all is well.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn damages(&self) -> sqlx::Result<Vec<String>> {
        let mut connection = self.pool.reading().await?;
        if self.is_embedded() {
            let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(5)")
                .fetch_all(&mut *connection)
                .await?;
            let damages = found.iter().filter(|found| *found != "ok");
            return Ok(damages
                .map(|found| format!("the file is damaged ({found}): put a backup in its place"))
                .collect());
        }
        let mut damages = Vec::new();
        for setting in ["fsync", "full_page_writes"] {
            let is_on: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut *connection)
                .await?;
            if is_on == "off" {
                damages.push(format!(
                    "the server's setting {setting} is off: a power cut can lose what was committed"
                ));
            }
        }
        // As a copy that was taken without its rows' indexes would.
        let invalid: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(indexrelid::regclass AS TEXT) FROM pg_index WHERE NOT indisvalid ORDER BY 1",
        )
        .fetch_all(&mut *connection)
        .await?;
        damages.extend(invalid.iter().map(|index| {
            format!("the index {index} is not valid: rebuild it with REINDEX INDEX {index}")
        }));
        Ok(damages)
    }

    /// Moves what is in the log of SQLite to where it belongs, as far as nobody is kept waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> sqlx::Result<()> {
        self.pool.checkpoint().await
    }

    /// Connects anew where a connection is gone: the server was restarted.
    ///
    /// # Errors
    /// When it is still away.
    pub async fn reconnect(&self) -> sqlx::Result<()> {
        self.pool.reconnect().await
    }

    /// Closes every connection. The last one to close a SQLite store moves all of its log into the file, which then is the whole store.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(&self) -> sqlx::Result<()> {
        self.pool.close().await
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

fn time(row: &AnyRow, column: &str) -> sqlx::Result<DateTime<Utc>> {
    let seconds = row.try_get(column)?;
    known(DateTime::from_timestamp(seconds, 0), column, seconds)
}

/// What was read of `column`; an error where the store has a `value` there that means nothing.
fn known<T>(read: Option<T>, column: &str, value: impl std::fmt::Display) -> sqlx::Result<T> {
    read.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("there is no “{value}”").into(),
    })
}

/// Those of `rows` that can be read. One that cannot costs itself: it is named by `key`, a column of texts, and left out.
fn readable<T, E: std::fmt::Display>(
    rows: &[AnyRow],
    what: &str,
    key: &str,
    read: impl Fn(&AnyRow) -> Result<T, E>,
) -> Vec<T> {
    let read = |row| match read(row) {
        Ok(value) => Some(value),
        Err(error) => {
            let key: String = row.try_get(key).unwrap_or_default();
            tracing::warn!("The {what} {key} cannot be read, and is left out: {error}");
            None
        }
    };
    rows.iter().filter_map(read).collect()
}

fn optional_time(row: &AnyRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    Ok(row
        .try_get::<Option<i64>, _>(column)?
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
}

#[cfg(test)]
mod tests;
