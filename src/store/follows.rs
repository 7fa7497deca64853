//! Who follows which story.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Row as _};

use super::{Archive, Items, Pool, Subscribers, time};
use crate::model::{Follow, ItemKey, SubscriberId};

/// A story that somebody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedStory {
    /// The key of its lead.
    pub key: ItemKey,
    /// Its headline.
    pub title: String,
    /// What is like it, as JSON.
    pub query: String,
    /// Since when the first of them does.
    pub since: DateTime<Utc>,
}

/// How many stories somebody can follow: more would not be found in a mail.
const MOST: i64 = 50;

impl Subscribers<'_> {
    /// Lets a subscriber follow a story from `now` on, in their digests or at once. `false` when there is no such story, the subscriber has left, or
    /// follows as many as one can.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_follow(
        &self,
        subscriber: SubscriberId,
        story: &ItemKey,
        at_once: bool,
        now: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let done = self
            .write_follow(&mut tx, subscriber, story, at_once, now)
            .await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Ends that a subscriber follows a story. Twice is fine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_follow(
        &self,
        subscriber: SubscriberId,
        story: &ItemKey,
    ) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        sqlx::query("DELETE FROM follow WHERE subscriber = $1 AND story = $2")
            .bind(subscriber.0)
            .bind(story.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// What a subscriber follows, the earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_follows(&self, subscriber: SubscriberId) -> sqlx::Result<Vec<Follow>> {
        let mut connection = self.reading().await?;
        self.follows_in(&mut connection, subscriber).await
    }
}

impl Pool {
    pub(super) async fn write_follow(
        &self,
        tx: &mut AnyConnection,
        subscriber: SubscriberId,
        story: &ItemKey,
        at_once: bool,
        now: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let written = sqlx::query(
            "INSERT INTO follow (subscriber, story, at_once, since)
             SELECT s.id, q.key, $3, $4 FROM subscriber s, story_query q
             WHERE s.id = $1 AND s.state = 'confirmed' AND q.key = $2
             AND ((SELECT COUNT(*) FROM follow f WHERE f.subscriber = $1) < $5
                  OR EXISTS (SELECT 1 FROM follow f WHERE f.subscriber = $1 AND f.story = $2))
             ON CONFLICT (subscriber, story) DO UPDATE SET at_once = excluded.at_once",
        )
        .bind(subscriber.0)
        .bind(story.as_str())
        .bind(i64::from(at_once))
        .bind(now.timestamp())
        .bind(MOST)
        .execute(tx)
        .await?;
        Ok(written.rows_affected() > 0)
    }

    pub(super) async fn follows_in(
        &self,
        connection: &mut AnyConnection,
        subscriber: SubscriberId,
    ) -> sqlx::Result<Vec<Follow>> {
        let rows = sqlx::query(
            "SELECT f.story, q.title, f.at_once, f.since FROM follow f JOIN story_query q ON q.key = f.story
             WHERE f.subscriber = $1 ORDER BY f.since, f.story",
        )
        .bind(subscriber.0)
        .fetch_all(connection)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Follow {
                    story: ItemKey::from_stored(row.try_get("story")?),
                    title: row.try_get("title")?,
                    at_once: row.try_get::<i64, _>("at_once")? == 1,
                    since: time(row, "since")?,
                })
            })
            .collect()
    }

    /// By delivery, what their subscribers follow that the mail is to have: what they want at once for an edition that is about nothing else, and all
    /// else for the others. `deliveries` is a JSON array of their numbers.
    pub(super) async fn follows_of(
        &self,
        tx: &mut AnyConnection,
        deliveries: &str,
    ) -> sqlx::Result<HashMap<i64, Vec<ItemKey>>> {
        let sql = self.with_rows(
            "SELECT d.id, f.story FROM delivery d
             JOIN follow f ON f.subscriber = d.subscriber
             JOIN edition e ON e.id = d.edition
             WHERE d.id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})
             AND f.at_once = CASE e.cadence WHEN 'followed' THEN 1 ELSE 0 END
             ORDER BY d.id, f.since, f.story",
        );
        let rows = sqlx::query(sql).bind(deliveries).fetch_all(tx).await?;
        let mut follows: HashMap<i64, Vec<ItemKey>> = HashMap::new();
        for row in &rows {
            let story = ItemKey::from_stored(row.try_get("story")?);
            follows.entry(row.try_get("id")?).or_default().push(story);
        }
        Ok(follows)
    }
}

impl Archive<'_> {
    /// The headline of a story that can be followed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_story_title(&self, story: &ItemKey) -> sqlx::Result<Option<String>> {
        let mut connection = self.reading().await?;
        sqlx::query_scalar("SELECT title FROM story_query WHERE key = $1")
            .bind(story.as_str())
            .fetch_optional(&mut *connection)
            .await
    }
}

impl Items<'_> {
    /// The stories that confirmed subscribers follow, in their digests or `at_once`, by key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_followed(&self, at_once: bool) -> sqlx::Result<Vec<FollowedStory>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT q.key, q.title, q.query, MIN(f.since) AS since
             FROM follow f JOIN subscriber s ON s.id = f.subscriber JOIN story_query q ON q.key = f.story
             WHERE f.at_once = $1 AND s.state = 'confirmed' AND q.version <= $2 GROUP BY q.key, q.title, q.query ORDER BY q.key",
        )
        .bind(i64::from(at_once))
        .bind(super::archive::QUERY_FORM)
        .fetch_all(&mut *connection)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FollowedStory {
                    key: ItemKey::from_stored(row.try_get("key")?),
                    title: row.try_get("title")?,
                    query: row.try_get("query")?,
                    since: time(row, "since")?,
                })
            })
            .collect()
    }
}
