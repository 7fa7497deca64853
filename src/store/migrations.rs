//! The schema, step by step.
//!
//! # The policy
//!
//! - Only forwards. A step that was released never changes; new ones are added at the end.
//! - The program one version back still works with the store: a step *expands* (tables, columns with a default, indexes), and only
//!   after a release in which nobody reads or writes the old form any more does a later one *contract*.
//! - A step says which steps a program must know to work with a store that has seen it ([`Migration::needs`]). The store keeps
//!   that number (SQLite: `user_version`, PostgreSQL: `schema_version`) and, beside it, how many steps it has seen (the setting
//!   `migrations`). A program refuses a store that needs more than it knows, and works with one that has merely seen more.
//! - All pending steps are one transaction: a store is never half-way.

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

use super::engine::{ADVISORY_LOCK, Engine};

/// Oldest first.
const MIGRATIONS: &[Migration] = &[
    Migration::of(1, include_str!("migrations/0001_line.sql")),
    Migration::of(2, include_str!("migrations/0002_collect.sql")),
    Migration::of(3, include_str!("migrations/0003_rank.sql")),
    Migration::of(4, include_str!("migrations/0004_block.sql")),
    Migration::of(5, include_str!("migrations/0005_ledger.sql")),
    Migration {
        sqlite: include_str!("migrations/0006_serve.sqlite.sql"),
        postgres: include_str!("migrations/0006_serve.postgres.sql"),
        ..Migration::of(6, include_str!("migrations/0006_serve.sql"))
    },
    Migration {
        sqlite: include_str!("migrations/0007_numbers.sqlite.sql"),
        ..Migration::of(6, include_str!("migrations/0007_numbers.sql"))
    },
    Migration {
        sqlite: include_str!("migrations/0008_preferences.sqlite.sql"),
        postgres: include_str!("migrations/0008_preferences.postgres.sql"),
        ..Migration::of(6, include_str!("migrations/0008_preferences.sql"))
    },
];

/// How many steps this program knows.
pub(super) const KNOWN: usize = MIGRATIONS.len();

/// A step of the schema.
struct Migration {
    /// How many steps a program must know to work with a store that has seen this one.
    needs: usize,
    /// What both engines do, with `{id}` for the type of a key.
    both: &'static str,
    /// What one of them does after that.
    sqlite: &'static str,
    postgres: &'static str,
}

impl Migration {
    const fn of(needs: usize, both: &'static str) -> Self {
        Self {
            needs,
            both,
            sqlite: "",
            postgres: "",
        }
    }
}

/// What a store says of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// How many steps a program must know to work with it; 0 where there is no schema.
    pub(super) needs: usize,
    /// How many steps it has seen.
    pub(super) seen: usize,
}

impl Version {
    /// Reads it.
    pub(super) async fn of(engine: &Engine, connection: &mut AnyConnection) -> sqlx::Result<Self> {
        let needs: Option<i64> = if engine.dialect.embedded {
            sqlx::query_scalar("PRAGMA user_version")
                .fetch_optional(&mut *connection)
                .await?
        } else {
            let there: bool =
                sqlx::query_scalar("SELECT to_regclass('schema_version') IS NOT NULL")
                    .fetch_one(&mut *connection)
                    .await?;
            if there {
                sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
                    .fetch_one(&mut *connection)
                    .await?
            } else {
                None
            }
        };
        let needs = usize::try_from(needs.unwrap_or_default()).unwrap_or(usize::MAX);
        if needs == 0 {
            return Ok(Self { needs, seen: 0 });
        }
        let seen: Option<String> =
            sqlx::query_scalar("SELECT value FROM setting WHERE key = 'migrations'")
                .fetch_optional(&mut *connection)
                .await?;
        let seen = seen.and_then(|seen| seen.parse().ok()).unwrap_or(needs);
        Ok(Self {
            needs,
            seen: seen.max(needs),
        })
    }

    /// Makes sure that this program can work with it.
    ///
    /// # Errors
    /// When it needs a newer one.
    pub(super) fn ensure_known(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.needs <= KNOWN,
            "it was written by a newer version of Tidings, and this one (which knows {KNOWN} steps of its schema, and would \
             need {}) cannot work with it: install the newer one",
            self.needs
        );
        Ok(())
    }
}

/// Brings the schema up to the step of that number; [`KNOWN`] is the newest.
pub(super) async fn migrate(
    engine: &Engine,
    connection: &mut AnyConnection,
    up_to: usize,
) -> anyhow::Result<()> {
    let version = Version::of(engine, connection).await?;
    version.ensure_known()?;
    if version.seen >= up_to {
        return Ok(());
    }
    let mut tx = connection.begin_with(engine.dialect.begin).await?;
    if !engine.dialect.embedded {
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(ADVISORY_LOCK)
            .execute(&mut *tx)
            .await?;
        tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
            .await?;
    }
    // Another process may have done it meanwhile.
    let version = Version::of(engine, &mut tx).await?;
    for migration in MIGRATIONS.iter().take(up_to).skip(version.seen) {
        let both = migration.both.replace("{id}", engine.dialect.id);
        let own = match engine.dialect.embedded {
            true => migration.sqlite,
            false => migration.postgres,
        };
        for step in [both, own.to_owned()] {
            sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *tx).await?;
        }
    }
    let needs = MIGRATIONS
        .iter()
        .take(up_to)
        .map(|migration| migration.needs);
    let needs = needs.max().unwrap_or_default().max(version.needs);
    let kept = if engine.dialect.embedded {
        format!("PRAGMA user_version = {needs}")
    } else {
        format!("DELETE FROM schema_version; INSERT INTO schema_version VALUES ({needs})")
    };
    sqlx::raw_sql(AssertSqlSafe(kept)).execute(&mut *tx).await?;
    let seen = up_to.max(version.seen);
    sqlx::query(
        "INSERT INTO setting (key, value) VALUES ('migrations', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(seen.to_string())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
