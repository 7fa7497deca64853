//! What the last fetch of each feed left behind.

use std::collections::HashMap;

use serde_json::json;
use sqlx::Row as _;

use super::{Store, optional_time};
use crate::model::{FeedKey, FetchState};

impl Store {
    /// The state of every feed that was ever asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_fetch_states(&self) -> sqlx::Result<HashMap<FeedKey, FetchState>> {
        let mut connection = self.connection().await;
        let rows = sqlx::query("SELECT * FROM feed")
            .fetch_all(&mut *connection)
            .await?;
        rows.iter()
            .map(|row| {
                let state = FetchState {
                    title: row.try_get("title")?,
                    etag: row.try_get("etag")?,
                    last_modified: row.try_get("last_modified")?,
                    fetched_at: optional_time(row, "fetched_at")?,
                    succeeded_at: optional_time(row, "succeeded_at")?,
                    failures: row.try_get("failures")?,
                    error: row.try_get("error")?,
                };
                Ok((FeedKey(row.try_get("key")?), state))
            })
            .collect()
    }
}

/// Writes the new state of each feed that was asked.
pub(super) async fn save_fetch_states(
    store: &Store,
    tx: &mut sqlx::AnyConnection,
    states: &[(FeedKey, FetchState)],
) -> sqlx::Result<()> {
    let rows: Vec<_> = states
        .iter()
        .map(|(key, state)| {
            json!({
                "key": key, "title": state.title, "etag": state.etag, "last_modified": state.last_modified,
                "fetched_at": state.fetched_at.map(|at| at.timestamp()),
                "succeeded_at": state.succeeded_at.map(|at| at.timestamp()),
                "failures": state.failures, "error": state.error,
            })
        })
        .collect();
    let sql = store.with_rows(
        "INSERT INTO feed (key, title, etag, last_modified, fetched_at, succeeded_at, failures, error)
         SELECT r.value->>'key', r.value->>'title', r.value->>'etag', r.value->>'last_modified',
                CAST(r.value->>'fetched_at' AS BIGINT), CAST(r.value->>'succeeded_at' AS BIGINT),
                CAST(r.value->>'failures' AS BIGINT), r.value->>'error'
         FROM {rows} WHERE true
         ON CONFLICT (key) DO UPDATE SET
            title = excluded.title, etag = excluded.etag, last_modified = excluded.last_modified,
            fetched_at = excluded.fetched_at, succeeded_at = excluded.succeeded_at,
            failures = excluded.failures, error = excluded.error",
    );
    sqlx::query(sql)
        .bind(serde_json::Value::from(rows).to_string())
        .execute(tx)
        .await?;
    Ok(())
}
