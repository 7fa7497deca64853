//! What the last fetch of each feed left behind.

use std::collections::HashMap;

use serde_json::json;
use sqlx::Row as _;

use super::{Items, Pool, optional_time};
use crate::model::{FeedKey, FetchState};

impl Items<'_> {
    /// The state of every feed that was ever asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_fetch_states(&self) -> sqlx::Result<HashMap<FeedKey, FetchState>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query("SELECT * FROM feed")
            .fetch_all(&mut *connection)
            .await?;
        rows.iter()
            .map(|row| {
                let failure: Option<String> = row.try_get("failure")?;
                let pace: Option<String> = row.try_get("pace")?;
                let moved_to: Option<String> = row.try_get("moved_to")?;
                let state = FetchState {
                    title: row.try_get("title")?,
                    etag: row.try_get("etag")?,
                    last_modified: row.try_get("last_modified")?,
                    fetched_at: optional_time(row, "fetched_at")?,
                    succeeded_at: optional_time(row, "succeeded_at")?,
                    rests_until: optional_time(row, "rests_until")?,
                    // What an older program wrote there and we do not know any more costs nothing but itself.
                    pace: pace
                        .and_then(|json| serde_json::from_str(&json).ok())
                        .unwrap_or_default(),
                    moved_to: moved_to.and_then(|url| url.parse().ok()),
                    newest_at: optional_time(row, "newest_at")?,
                    items_a_day: row.try_get("items_a_day")?,
                    failures: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or_default(),
                    failure: failure.and_then(|json| serde_json::from_str(&json).ok()),
                };
                Ok((FeedKey(row.try_get("key")?), state))
            })
            .collect()
    }
}

/// Writes the new state of each feed that was asked.
pub(super) async fn save_fetch_states(
    store: &Pool,
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
                "rests_until": state.rests_until.map(|at| at.timestamp()),
                "pace": json!(state.pace).to_string(),
                "moved_to": state.moved_to,
                "newest_at": state.newest_at.map(|at| at.timestamp()),
                "items_a_day": state.items_a_day,
                "failures": state.failures,
                "failure": state.failure.as_ref().map(|failure| json!(failure).to_string()),
            })
        })
        .collect();
    let sql = store.with_rows(
        "INSERT INTO feed (key, title, etag, last_modified, fetched_at, succeeded_at, rests_until, pace, moved_to, newest_at, items_a_day,
                           failures, failure)
         SELECT r.value->>'key', r.value->>'title', r.value->>'etag', r.value->>'last_modified',
                CAST(r.value->>'fetched_at' AS BIGINT), CAST(r.value->>'succeeded_at' AS BIGINT),
                CAST(r.value->>'rests_until' AS BIGINT), r.value->>'pace', r.value->>'moved_to',
                CAST(r.value->>'newest_at' AS BIGINT), CAST(r.value->>'items_a_day' AS DOUBLE PRECISION),
                CAST(r.value->>'failures' AS BIGINT), r.value->>'failure'
         FROM {rows} WHERE true
         ON CONFLICT (key) DO UPDATE SET
            title = excluded.title, etag = excluded.etag, last_modified = excluded.last_modified,
            fetched_at = excluded.fetched_at, succeeded_at = excluded.succeeded_at,
            rests_until = excluded.rests_until, pace = excluded.pace, moved_to = excluded.moved_to,
            newest_at = excluded.newest_at, items_a_day = excluded.items_a_day,
            failures = excluded.failures, failure = excluded.failure",
    );
    sqlx::query(sql)
        .bind(serde_json::Value::from(rows).to_string())
        .execute(tx)
        .await?;
    Ok(())
}
