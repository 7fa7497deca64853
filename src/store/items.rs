//! Items: written once, updated when their feed edits them, never deleted by a fetch.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, time};
use crate::model::{FeedKey, FetchState, Item, ItemKey, Window};

/// How many items one statement takes; bounds the JSON text to about a megabyte.
const BATCH: usize = 500;

/// What became of the items of a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saved {
    /// Never seen before.
    pub new: usize,
    /// Known already; texts updated.
    pub known: usize,
}

impl Store {
    /// Writes what a pass over the feeds brought, items and feed states together.
    ///
    /// They belong into one transaction: a stored `ETag` without the items that came with it would
    /// lose them, because the next answer is "not modified".
    ///
    /// A known item takes the new texts but keeps its feed, `first_seen` and the earlier date: an edited
    /// article is an update, not news.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn save_collected(
        &self,
        items: &[Item],
        states: &[(FeedKey, FetchState)],
    ) -> sqlx::Result<Saved> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let count = "SELECT COUNT(*) FROM item";
        let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await?;
        let mut distinct = HashSet::new();
        let items: Vec<&Item> = items
            .iter()
            .filter(|item| distinct.insert(&item.key))
            .collect();
        for batch in items.chunks(BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|item| {
                    json!({
                        "key": item.key, "feed": item.feed, "source": item.source, "title": item.title, "url": item.url,
                        "summary": item.summary, "words": item.words, "author": item.author, "language": item.language,
                        "published": item.published.timestamp(), "dated": i64::from(item.dated), "first_seen": item.first_seen.timestamp(),
                    })
                })
                .collect();
            let sql = self.with_rows(
                "INSERT INTO item (key, feed, source, title, url, summary, words, author, language, published, dated, first_seen)
                 SELECT r.value->>'key', r.value->>'feed', r.value->>'source', r.value->>'title', r.value->>'url',
                        r.value->>'summary', CAST(r.value->>'words' AS BIGINT), r.value->>'author', r.value->>'language',
                        CAST(r.value->>'published' AS BIGINT), CAST(r.value->>'dated' AS BIGINT),
                        CAST(r.value->>'first_seen' AS BIGINT)
                 FROM {rows} WHERE true
                 ON CONFLICT (key) DO UPDATE SET
                    title = excluded.title, summary = excluded.summary, words = excluded.words,
                    author = excluded.author, language = excluded.language,
                    published = CASE WHEN excluded.published < item.published THEN excluded.published ELSE item.published END",
            );
            sqlx::query(sql)
                .bind(serde_json::Value::from(rows).to_string())
                .execute(&mut *tx)
                .await?;
        }
        super::feeds::save_fetch_states(self, &mut tx, states).await?;
        let after: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        let new = usize::try_from(after - before).unwrap_or_default();
        Ok(Saved {
            new,
            known: items.len() - new,
        })
    }

    /// The items of `feeds` that an edition for `window` may show: published inside it, or seen first
    /// inside it and published between `late_since` and its start. (Seen first at its very start is not
    /// inside: the run that ended the window before had them.)
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_items(
        &self,
        feeds: &HashSet<FeedKey>,
        window: Window,
        late_since: DateTime<Utc>,
    ) -> sqlx::Result<Vec<Item>> {
        let mut connection = self.connection().await;
        let rows = sqlx::query(
            "SELECT * FROM item WHERE published < $2
             AND (published >= $1 OR (published >= $3 AND first_seen > $1))
             ORDER BY published, key",
        )
        .bind(window.since.timestamp())
        .bind(window.until.timestamp())
        .bind(late_since.timestamp())
        .fetch_all(&mut *connection)
        .await?;
        let items: sqlx::Result<Vec<Item>> = rows.iter().map(item).collect();
        Ok(items?
            .into_iter()
            .filter(|item| feeds.contains(&item.feed))
            .collect())
    }
}

fn item(row: &AnyRow) -> sqlx::Result<Item> {
    Ok(Item {
        key: ItemKey::from_stored(row.try_get("key")?),
        feed: FeedKey(row.try_get("feed")?),
        source: row.try_get("source")?,
        title: row.try_get("title")?,
        url: row.try_get("url")?,
        summary: row.try_get("summary")?,
        words: u32::try_from(row.try_get::<i64, _>("words")?).unwrap_or_default(),
        author: row.try_get("author")?,
        language: row.try_get("language")?,
        published: time(row, "published")?,
        dated: row.try_get::<i64, _>("dated")? == 1,
        first_seen: time(row, "first_seen")?,
    })
}
