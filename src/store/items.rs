//! Items: written once, updated when their feed edits them, never deleted by a fetch.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{Items, Pool, time};
use crate::model::{Coverage, FeedKey, FetchState, Item, ItemKey, Mark, Window};

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

impl Items<'_> {
    /// Writes what a pass over the feeds brought, items and feed states together.
    ///
    /// They belong into one transaction: a stored `ETag` without the items that came with it would
    /// lose them, because the next answer is "not modified".
    ///
    /// A known item takes the new texts but keeps its outlet, the earlier date and the moment at which it
    /// became news: an edited article is an update, but not by a service that only relays it. Only an announcement, whose moment is still to come at
    /// `now`, may be moved forward.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn save_collected(
        &self,
        items: &[Item],
        states: &[(FeedKey, FetchState)],
        now: DateTime<Utc>,
    ) -> sqlx::Result<Saved> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let mut carried: Vec<(&ItemKey, &FeedKey)> = items
            .iter()
            .flat_map(|item| item.feeds.iter().map(move |feed| (&item.key, feed)))
            .collect();
        // One item of several feeds: it is news from the moment that any of them made it news.
        let mut places: HashMap<&ItemKey, usize> = HashMap::new();
        let mut distinct: Vec<(&Item, DateTime<Utc>)> = Vec::new();
        for item in items {
            match places.get(&item.key) {
                Some(&place) if item.arrived <= now => {
                    distinct[place].1 = distinct[place].1.max(item.arrived);
                }
                Some(_) => {}
                None => {
                    places.insert(&item.key, distinct.len());
                    distinct.push((item, item.arrived));
                }
            }
        }
        let forgotten = forgotten(self, &mut tx, &distinct).await?;
        distinct.retain(|(item, _)| !forgotten.contains(item.key.as_str()));
        carried.retain(|(item, _)| !forgotten.contains(item.as_str()));
        // In the order of their index, neighbours share its pages: with many items, most of the work is there.
        distinct.sort_unstable_by_key(|(item, _)| item.key.as_str());
        carried.sort_unstable();
        let items = distinct.len();
        // Known items keep the number that they have.
        let last = last_number(&mut tx).await? + 1;
        let (due, announced): (Vec<_>, Vec<_>) = distinct
            .into_iter()
            .partition(|(_, arrived)| *arrived <= now);
        let batches = due.chunks(BATCH).map(|batch| (batch, last));
        let batches = batches.chain(announced.chunks(BATCH).map(|batch| (batch, ANNOUNCED)));
        for (batch, number) in batches {
            let row = |(item, arrived): &(&Item, DateTime<Utc>)| {
                json!({
                    "key": item.key, "source": item.source, "title": item.title, "url": item.url,
                    "summary": item.summary, "words": item.words, "author": item.author,
                    "language": item.language, "published": item.published.timestamp(),
                    "dated": i64::from(item.dated), "arrived": arrived.timestamp(), "image": item.image,
                    "comments_url": item.comments_url, "comments": item.comments,
                    "mark": item.mark.map(Mark::as_str), "relayed": i64::from(item.relayed),
                    "categories": json!(item.categories).to_string(),
                })
            };
            let sql = self.with_rows(
                "INSERT INTO item (key, source, title, url, summary, words, author, language, published, dated, arrived,
                                   image, comments_url, comments, mark, relayed, categories, seen_at, number)
                 SELECT r.value->>'key', r.value->>'source', r.value->>'title', r.value->>'url', r.value->>'summary',
                        CAST(r.value->>'words' AS BIGINT), r.value->>'author', r.value->>'language',
                        CAST(r.value->>'published' AS BIGINT), CAST(r.value->>'dated' AS BIGINT),
                        CAST(r.value->>'arrived' AS BIGINT), r.value->>'image', r.value->>'comments_url',
                        CAST(r.value->>'comments' AS BIGINT), r.value->>'mark', CAST(r.value->>'relayed' AS BIGINT),
                        r.value->>'categories', CAST($2 AS BIGINT), CAST($3 AS BIGINT)
                 FROM {rows} WHERE true
                 ON CONFLICT (key) DO UPDATE SET
                    title = excluded.title, summary = excluded.summary, words = excluded.words,
                    author = excluded.author, language = excluded.language, image = excluded.image,
                    comments_url = excluded.comments_url, comments = excluded.comments, mark = excluded.mark,
                    relayed = excluded.relayed, categories = excluded.categories,
                    published = CASE WHEN excluded.published < item.published THEN excluded.published ELSE item.published END,
                    arrived = CASE WHEN item.arrived > $2 AND excluded.arrived < item.arrived
                                   THEN excluded.arrived ELSE item.arrived END,
                    seen_at = CASE WHEN item.seen_at > $2 THEN excluded.seen_at ELSE item.seen_at END
                 WHERE excluded.relayed <= item.relayed",
            );
            let rows: Vec<_> = batch.iter().map(row).collect();
            sqlx::query(sql)
                .bind(serde_json::Value::from(rows).to_string())
                .bind(now.timestamp())
                .bind(number)
                .execute(&mut *tx)
                .await?;
        }
        set_last_number(&mut tx, last).await?;
        // The counter is ours until the end of the transaction, and so is its number.
        let new: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM item WHERE number = $1 OR number = 0 AND seen_at = $2",
        )
        .bind(last)
        .bind(now.timestamp())
        .fetch_one(&mut *tx)
        .await?;
        for batch in carried.chunks(BATCH) {
            let sql = self.with_rows(
                "INSERT INTO item_feed (item, feed) SELECT r.value->>'item', r.value->>'feed' FROM {rows} WHERE true
                 ON CONFLICT DO NOTHING",
            );
            let row = |(item, feed): &(&ItemKey, &FeedKey)| json!({ "item": item, "feed": feed });
            let rows: Vec<_> = batch.iter().map(row).collect();
            sqlx::query(sql)
                .bind(serde_json::Value::from(rows).to_string())
                .execute(&mut *tx)
                .await?;
        }
        super::feeds::save_fetch_states(self, &mut tx, states).await?;
        tx.commit().await?;
        let new = usize::try_from(new).unwrap_or_default().min(items);
        Ok(Saved {
            new,
            known: items - new,
        })
    }

    /// Numbers what has become news by `now`: announcements whose time has come, and what an older program has written. Returns the last
    /// number that was given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn number_news(&self, now: DateTime<Utc>) -> sqlx::Result<i64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let last = number_news(&mut tx, now).await?;
        tx.commit().await?;
        Ok(last)
    }

    /// The last number of an item that arrived before `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_number_before(&self, until: DateTime<Utc>) -> sqlx::Result<i64> {
        let mut connection = self.reading().await?;
        sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM item WHERE arrived < $1")
            .bind(until.timestamp())
            .fetch_one(&mut *connection)
            .await
    }

    /// Deletes the items that became news before `before` and up to the number `covered`, and remembers their keys: should a feed show one
    /// of them again, it is not taken for new. Returns how many there were.
    ///
    /// # Errors
    /// When the database fails; nothing is deleted then.
    pub async fn prune_items(&self, before: DateTime<Utc>, covered: i64) -> sqlx::Result<u64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let mut pruned = 0;
        let old = "SELECT key FROM item WHERE arrived < $1 AND number <= $2";
        for sql in [
            format!("INSERT INTO forgotten (key) {old} ON CONFLICT DO NOTHING"),
            format!("DELETE FROM item_feed WHERE item IN ({old})"),
            format!("DELETE FROM item WHERE key IN ({old})"),
        ] {
            let query = sqlx::query(AssertSqlSafe(sql))
                .bind(before.timestamp())
                .bind(covered);
            pruned = query.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(pruned)
    }

    /// The items that `coverage` covers and that one of `feeds` carries; of its feeds, an item names only those.
    ///
    /// A feed that is read for the first time shows its past as well. Of that it is news what had been published no longer before than
    /// `window` is long. The first edition has no number to begin after, and goes by the clock: what arrived since its window began.
    /// `until` bounds who looks back at what was known then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_news(
        &self,
        feeds: &HashSet<FeedKey>,
        window: Window,
        coverage: Coverage,
        until: Option<DateTime<Utc>>,
    ) -> sqlx::Result<Vec<Item>> {
        let length = (window.until - window.since).num_seconds();
        let since = match coverage.after {
            Some(_) => i64::MIN,
            None => window.since.timestamp(),
        };
        let bounds = [
            coverage.after.unwrap_or(0),
            coverage.up_to,
            length,
            since,
            until.map_or(i64::MAX, |until| until.timestamp()),
        ];
        let condition =
            "i.number > $1 AND i.number <= $2 AND i.arrived >= COALESCE(i.seen_at, i.arrived) - $3
                         AND i.arrived >= $4 AND i.arrived < $5";
        self.list_where(feeds, condition, &bounds).await
    }

    /// The items that arrived in `window` and that one of `feeds` carries; of its feeds, an item names only
    /// those.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_items(
        &self,
        feeds: &HashSet<FeedKey>,
        window: Window,
    ) -> sqlx::Result<Vec<Item>> {
        let bounds = [window.since.timestamp(), window.until.timestamp()];
        self.list_where(feeds, "i.arrived >= $1 AND i.arrived < $2", &bounds)
            .await
    }

    /// The items `i` that meet a condition on `bounds` and that one of `feeds` carries.
    async fn list_where(
        &self,
        feeds: &HashSet<FeedKey>,
        condition: &str,
        bounds: &[i64],
    ) -> sqlx::Result<Vec<Item>> {
        let mut connection = self.reading().await?;
        let sql = format!("SELECT i.* FROM item i WHERE {condition} ORDER BY i.published, i.key");
        let rows = bounds
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |query, bound| {
                query.bind(*bound)
            })
            .fetch_all(&mut *connection)
            .await?;
        let sql = format!(
            "SELECT c.item, c.feed FROM item_feed c JOIN item i ON i.key = c.item WHERE {condition}"
        );
        let carried = bounds
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |query, bound| {
                query.bind(*bound)
            })
            .fetch_all(&mut *connection)
            .await?;
        let mut feeds_of: HashMap<ItemKey, BTreeSet<FeedKey>> = HashMap::new();
        for row in &carried {
            let feed = FeedKey(row.try_get("feed")?);
            if feeds.contains(&feed) {
                let key = ItemKey::from_stored(row.try_get("item")?);
                feeds_of.entry(key).or_default().insert(feed);
            }
        }
        let mut items = Vec::with_capacity(feeds_of.len());
        for item in super::readable(&rows, "item", "key", item) {
            if let Some(feeds) = feeds_of.remove(&item.key) {
                items.push(Item { feeds, ..item });
            }
        }
        Ok(items)
    }
}

impl Items<'_> {
    /// The newest items of `feed` that were published in `window`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_newest(
        &self,
        feed: &FeedKey,
        window: Window,
        limit: u32,
    ) -> sqlx::Result<Vec<Item>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT i.* FROM item_feed c JOIN item i ON i.key = c.item
             WHERE c.feed = $1 AND i.published >= $2 AND i.published < $3
             ORDER BY i.published DESC, i.key LIMIT $4",
        )
        .bind(feed.as_str())
        .bind(window.since.timestamp())
        .bind(window.until.timestamp())
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        let items = super::readable(&rows, "item", "key", item).into_iter();
        let feeds = BTreeSet::from([feed.clone()]);
        Ok(items
            .map(|item| Item {
                feeds: feeds.clone(),
                ..item
            })
            .collect())
    }
}

/// What an item has for a number that an older program has written, and one that is announced for later.
const UNNUMBERED: i64 = -1;
const ANNOUNCED: i64 = 0;

/// The last number that was given. The counter is locked until the transaction ends, so that a number is never visible before a lower one.
async fn last_number(tx: &mut AnyConnection) -> sqlx::Result<i64> {
    let last: String = sqlx::query_scalar(
        "UPDATE setting SET value = value WHERE key = 'item_number' RETURNING value",
    )
    .fetch_one(tx)
    .await?;
    super::known(last.parse().ok(), "item_number", last)
}

async fn set_last_number(tx: &mut AnyConnection, last: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE setting SET value = $1 WHERE key = 'item_number'")
        .bind(last.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Numbers what has become news by `now` and has no number. Returns the last number that was given.
async fn number_news(tx: &mut AnyConnection, now: DateTime<Utc>) -> sqlx::Result<i64> {
    let mut last = last_number(tx).await?;
    let numbered = sqlx::query("UPDATE item SET number = $1 WHERE number <= 0 AND arrived <= $2")
        .bind(last + 1)
        .bind(now.timestamp())
        .execute(&mut *tx)
        .await?;
    if numbered.rows_affected() > 0 {
        last += 1;
        set_last_number(tx, last).await?;
    }
    sqlx::query("UPDATE item SET number = $1 WHERE number = $2")
        .bind(ANNOUNCED)
        .bind(UNNUMBERED)
        .execute(&mut *tx)
        .await?;
    // What an edition of an older program has covered.
    sqlx::query(
        "UPDATE edition SET number = (SELECT COALESCE(MAX(i.number), 0) FROM item i WHERE i.arrived < edition.until)
         WHERE number IS NULL AND state <> 'skipped'",
    )
    .execute(&mut *tx)
    .await?;
    Ok(last)
}

/// Which of `items` were pruned once.
async fn forgotten(
    store: &Pool,
    tx: &mut AnyConnection,
    items: &[(&Item, DateTime<Utc>)],
) -> sqlx::Result<HashSet<String>> {
    let mut keys = HashSet::new();
    let any = sqlx::query("SELECT key FROM forgotten LIMIT 1")
        .fetch_optional(&mut *tx)
        .await?;
    if any.is_none() {
        return Ok(keys);
    }
    for batch in items.chunks(BATCH) {
        let sql = store
            .with_rows("SELECT key FROM forgotten WHERE key IN (SELECT r.value->>'v' FROM {rows})");
        let rows = sqlx::query(sql)
            .bind(super::array(batch.iter().map(|(item, _)| &item.key)))
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            keys.insert(row.try_get("key")?);
        }
    }
    Ok(keys)
}

pub(super) fn item(row: &AnyRow) -> sqlx::Result<Item> {
    Ok(Item {
        key: ItemKey::from_stored(row.try_get("key")?),
        feeds: BTreeSet::new(),
        source: row.try_get("source")?,
        title: row.try_get("title")?,
        url: row.try_get("url")?,
        summary: row.try_get("summary")?,
        words: u32::try_from(row.try_get::<i64, _>("words")?).unwrap_or_default(),
        author: row.try_get("author")?,
        categories: serde_json::from_str(row.try_get("categories")?).unwrap_or_default(),
        language: row.try_get("language")?,
        published: time(row, "published")?,
        dated: row.try_get::<i64, _>("dated")? == 1,
        image: row.try_get("image")?,
        comments_url: row.try_get("comments_url")?,
        comments: row
            .try_get::<Option<i64>, _>("comments")?
            .and_then(|count| u32::try_from(count).ok()),
        mark: row
            .try_get::<Option<String>, _>("mark")?
            .and_then(|name| Mark::from_stored(&name)),
        relayed: row.try_get::<i64, _>("relayed")? == 1,
        arrived: time(row, "arrived")?,
    })
}
