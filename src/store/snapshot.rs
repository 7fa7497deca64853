//! A store to look at: what is there, and nothing that is done to it lasts.
//!
//! A *snapshot* is a copy in memory of what composing an edition needs, read in one transaction that only reads. A preview runs the very
//! line of a send on it, for as long as it likes: it has no lock, no connection and no file of the live store. An older store is
//! brought up to date in the copy.

use anyhow::Context as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::copy::TABLES;
use super::engine::Engine;
use super::migrations::{KNOWN, Version, migrate};
use super::opening::{self, belong_to, ensure_ours};
use super::pool::Pool;
use super::{Store, StoreUrl};

/// A table to copy.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    /// Which rows, where it is not all of them; `{from}` is the schema of the source.
    rows: &'static str,
    /// A table that these rows depend on; where an older store has none, there are none.
    needs: &'static str,
    /// A column that stays empty.
    empty: &'static str,
}

impl Table {
    const fn all(name: &'static str) -> Self {
        Self {
            name,
            rows: "",
            needs: name,
            empty: "",
        }
    }
}

/// What composing needs.
const COMPOSING: &[Table] = &[
    Table::all("setting"),
    Table::all("feed"),
    Table::all("item"),
    Table::all("item_feed"),
    Table::all("forgotten"),
    Table::all("vocabulary"),
    // What the editions of years say is of no use for the next one.
    Table {
        empty: "content",
        ..Table::all("edition")
    },
    Table::all("edition_item"),
    Table::all("story_query"),
    Table::all("follow"),
    Table {
        rows: "WHERE id IN (SELECT subscriber FROM {from}follow)",
        needs: "follow",
        ..Table::all("subscriber")
    },
];

/// How many rows of PostgreSQL go at a time.
const PAGE: usize = 2_000;

impl Store {
    /// A snapshot of the store of `newsletter` at `url` for composing editions. Where there is no store yet, it is an empty one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn snapshot(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        Self::copied(url, newsletter, COMPOSING)
            .await
            .with_context(|| format!("reading the store {url}"))
    }

    /// Opens the store of `newsletter` at `url` to look at all of it, without writing or locking anything. An older one is copied into
    /// memory and brought up to date there; where there is none yet, it is an empty one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_to_read(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let reading = || format!("reading the store {url}");
        if is_there(url).with_context(reading)? {
            let engine = Engine::to_read(url)?;
            let mut connection = engine.connect().await.with_context(reading)?;
            let is_current = async {
                ensure_ours(&engine, &mut connection).await?;
                let version = Version::of(&engine, &mut connection).await?;
                version.ensure_known()?;
                let is_current = version.seen >= KNOWN;
                if is_current {
                    belong_to(&mut connection, newsletter).await?;
                }
                anyhow::Ok(is_current)
            };
            if is_current.await.with_context(reading)? {
                return Ok(Self {
                    pool: Pool::of_command(engine, connection),
                    is_new: false,
                });
            }
            connection.close().await?;
        }
        let everything = TABLES.map(Table::all);
        Self::copied(url, newsletter, &everything)
            .await
            .with_context(reading)
    }

    async fn copied(url: &StoreUrl, newsletter: &str, tables: &[Table]) -> anyhow::Result<Self> {
        let engine = Engine::in_memory();
        let mut copy = engine.connect().await?;
        // Rows may refer to those that are left out.
        copy.execute("PRAGMA foreign_keys = OFF").await?;
        if is_there(url)? {
            let from = Engine::to_read(url)?;
            let mut source = from.connect().await?;
            ensure_ours(&from, &mut source).await?;
            let version = Version::of(&from, &mut source).await?;
            version.ensure_known()?;
            // The same form first, then what is new in it.
            migrate(&engine, &mut copy, version.seen.min(KNOWN)).await?;
            if version.needs > 0 {
                match url.file() {
                    Some(_) => {
                        source.close().await?;
                        attach(&mut copy, &from, tables).await?;
                    }
                    None => {
                        page(&mut copy, &mut source, tables).await?;
                        source.close().await?;
                    }
                }
            }
        }
        migrate(&engine, &mut copy, KNOWN).await?;
        belong_to(&mut copy, newsletter).await?;
        Ok(Self {
            pool: Pool::of_command(engine, copy),
            is_new: false,
        })
    }
}

/// Whether there is a store to read.
fn is_there(url: &StoreUrl) -> anyhow::Result<bool> {
    url.file().map_or(Ok(true), opening::is_there)
}

/// Copies tables of a SQLite file.
async fn attach(copy: &mut AnyConnection, from: &Engine, tables: &[Table]) -> anyhow::Result<()> {
    sqlx::query("ATTACH $1 AS live")
        .bind(from.file_url())
        .execute(&mut *copy)
        .await?;
    let mut tx = copy.begin().await?;
    for table in tables {
        if columns(&mut tx, "live", table.needs).await?.is_empty() {
            continue;
        }
        let there = columns(&mut tx, "live", table.name).await?;
        let mut names = columns(&mut tx, "main", table.name).await?;
        names.retain(|name| there.contains(name));
        if names.is_empty() {
            continue;
        }
        let sql = format!(
            "INSERT OR REPLACE INTO main.{0} ({1}) SELECT {2} FROM live.{0} {3}",
            table.name,
            names.join(", "),
            selected(table, &names),
            table.rows.replace("{from}", "live.")
        );
        tx.execute(AssertSqlSafe(sql))
            .await
            .with_context(|| format!("copying the table {}", table.name))?;
    }
    tx.commit().await?;
    copy.execute("DETACH live").await?;
    Ok(())
}

/// Copies tables of PostgreSQL, all as they were in one moment.
async fn page(
    copy: &mut AnyConnection,
    source: &mut AnyConnection,
    tables: &[Table],
) -> anyhow::Result<()> {
    let mut source = source
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let mut tx = copy.begin().await?;
    for table in tables {
        let copying = || format!("copying the table {}", table.name);
        let there: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1",
        )
        .bind(table.name)
        .fetch_all(&mut *source)
        .await?;
        let mut names = columns(&mut tx, "main", table.name).await?;
        names.retain(|name| there.contains(name));
        // Ours has the form of the source by now.
        if names.is_empty() || columns(&mut tx, "main", table.needs).await?.is_empty() {
            continue;
        }
        let values: Vec<String> = names
            .iter()
            .map(|name| format!("r.value->>'{name}'"))
            .collect();
        let write = format!(
            "INSERT OR REPLACE INTO {} ({}) SELECT {} FROM json_each($1) AS r",
            table.name,
            names.join(", "),
            values.join(", ")
        );
        let cursor = format!(
            "DECLARE page NO SCROLL CURSOR FOR SELECT CAST(row_to_json(t) AS TEXT) AS content FROM (SELECT {} FROM {} {}) t",
            selected(table, &names),
            table.name,
            table.rows.replace("{from}", "")
        );
        source
            .execute(AssertSqlSafe(cursor))
            .await
            .with_context(copying)?;
        loop {
            let rows = sqlx::query(AssertSqlSafe(format!("FETCH {PAGE} FROM page")))
                .fetch_all(&mut *source)
                .await
                .with_context(copying)?;
            let contents = rows.iter().map(|row| row.try_get::<String, _>("content"));
            let contents = contents.collect::<sqlx::Result<Vec<_>>>()?;
            if contents.is_empty() {
                break;
            }
            sqlx::query(AssertSqlSafe(write.clone()))
                .bind(format!("[{}]", contents.join(",")))
                .execute(&mut *tx)
                .await
                .with_context(copying)?;
        }
        source.execute("CLOSE page").await?;
    }
    tx.commit().await?;
    source.rollback().await?;
    Ok(())
}

/// What to read of a table.
fn selected(table: &Table, names: &[String]) -> String {
    let column = |name: &String| match name == table.empty {
        true => format!("'' AS {name}"),
        false => name.to_owned(),
    };
    names.iter().map(column).collect::<Vec<_>>().join(", ")
}

async fn columns(
    connection: &mut AnyConnection,
    schema: &str,
    table: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info($1, $2)")
        .bind(table)
        .bind(schema)
        .fetch_all(connection)
        .await
}
