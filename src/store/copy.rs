//! A whole store from a SQLite file into PostgreSQL.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::Store;

/// How many rows go at a time.
const PAGE: i64 = 2_000;

/// All tables but those of what is alive only while a program runs; those that others refer to come first.
pub(super) const TABLES: [&str; 24] = [
    "setting",
    "feed",
    "item",
    "item_feed",
    "forgotten",
    "vocabulary",
    "subscriber",
    "subscriber_topic",
    "edition",
    "edition_item",
    "edition_topic",
    "edition_followed",
    "delivery",
    "suppression",
    "bounce",
    "signup",
    "consent_text",
    "consent",
    "address_change",
    "letter",
    "erased",
    "story",
    "story_query",
    "follow",
];

/// Tables whose keys the engine gives.
const NUMBERED: [&str; 5] = ["item", "subscriber", "delivery", "consent", "story"];

/// A table, and how many rows of it there are.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
}

impl Store {
    /// Copies everything into `target`, a PostgreSQL store with nothing in it yet; all of it, or nothing. `progress` is called with the
    /// number of rows that have been copied.
    ///
    /// Nobody can write to this store meanwhile, and afterwards it is out of use: it says that it is in `name` now.
    ///
    /// # Errors
    /// When this store is no SQLite file, the target is not empty, or a database fails.
    pub async fn copy_into(
        &self,
        target: &Self,
        name: &str,
        progress: impl Fn(u64),
    ) -> anyhow::Result<Vec<Copied>> {
        anyhow::ensure!(
            self.is_embedded() && !target.is_embedded(),
            "a store can be copied from a SQLite file into PostgreSQL"
        );
        // Nobody writes to it from now on; when everything has arrived, it is out of use.
        let mut source = self.pool.writing().await?;
        let mut source = source.begin_with(self.pool.engine.dialect.begin).await?;
        let mut connection = target.pool.writing().await?;
        let mut tx = target.pool.begin(&mut connection).await?;
        for table in ["item", "subscriber", "edition"] {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut *tx)
                .await?;
            anyhow::ensure!(
                rows == 0,
                "there is something in it already: its table {table} has {rows} rows"
            );
        }
        let mut copied = Vec::new();
        for table in TABLES {
            let copying = || format!("copying the table {table}");
            let columns = columns(&mut source, table).await.with_context(copying)?;
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let fields: Vec<String> = names
                .iter()
                .map(|name| format!("'{name}', {name}"))
                .collect();
            let read = format!(
                "SELECT rowid AS place, json_object({}) AS content FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT $2",
                fields.join(", ")
            );
            let values: Vec<String> = columns
                .iter()
                .map(|(name, kind)| format!("CAST(r.value->>'{name}' AS {kind})"))
                .collect();
            // The name of the newsletter is there already, and so may be a key for tokens, which must be that of the links that
            // are out in the world.
            let write = format!(
                "INSERT INTO {table} ({}) SELECT {} FROM {{rows}} WHERE true {}",
                names.join(", "),
                values.join(", "),
                if table == "setting" {
                    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
                } else {
                    ""
                }
            );
            let (mut place, mut rows) = (0i64, 0);
            loop {
                let page = sqlx::query(AssertSqlSafe(read.clone()))
                    .bind(place)
                    .bind(PAGE)
                    .fetch_all(&mut *source)
                    .await
                    .with_context(copying)?;
                let Some(last) = page.last() else { break };
                place = last.try_get("place")?;
                let contents = page.iter().map(|row| row.try_get::<String, _>("content"));
                let contents = contents.collect::<sqlx::Result<Vec<_>>>()?;
                sqlx::query(target.pool.with_rows(&write))
                    .bind(format!("[{}]", contents.join(",")))
                    .execute(&mut *tx)
                    .await
                    .with_context(copying)?;
                rows += page.len() as u64;
                progress(page.len() as u64);
            }
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let there: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut *tx)
                .await?;
            anyhow::ensure!(
                u64::try_from(there).is_ok_and(|there| there == rows),
                "of {rows} rows of the table {table} {there} arrived"
            );
            copied.push(Copied { table, rows });
        }
        for table in NUMBERED {
            // The next number comes after those that were copied.
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), COALESCE(MAX(id), 0) + 1, false) FROM {table}"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        // First the mark: should the program die between the two, there is a store that says where it should have gone, and not two
        // that both send.
        sqlx::query("INSERT INTO setting (key, value) VALUES ('moved_to', $1)")
            .bind(name)
            .execute(&mut *source)
            .await?;
        source.commit().await?;
        tx.commit().await.with_context(|| {
            format!("the last step failed; put the store back into use with: sqlite3 FILE \"DELETE FROM setting WHERE key = 'moved_to'\" ({name})")
        })?;
        Ok(copied)
    }

    /// How many rows there are to copy.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_rows(&self) -> sqlx::Result<u64> {
        let mut connection = self.pool.writing().await?;
        let mut rows = 0;
        for table in TABLES {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut *connection)
                .await?;
            rows += u64::try_from(count).unwrap_or_default();
        }
        Ok(rows)
    }
}

/// The columns of a table of a SQLite database, and their types in PostgreSQL.
async fn columns(
    connection: &mut sqlx::AnyConnection,
    table: &str,
) -> sqlx::Result<Vec<(String, &'static str)>> {
    let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut *connection)
        .await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("type")?;
            let kind = match kind.to_ascii_uppercase().as_str() {
                "TEXT" => "TEXT",
                "DOUBLE PRECISION" => "DOUBLE PRECISION",
                _ => "BIGINT",
            };
            Ok((row.try_get("name")?, kind))
        })
        .collect()
}
