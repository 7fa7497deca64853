//! The archive: the stories of published editions, by date, by topic and by their words.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::editions::content;
use super::{Archive, time};
use crate::model::{CadenceId, Edition, EditionId, ItemKey, TopicId};

/// A story as the archive finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// The key of its lead.
    pub key: ItemKey,
    /// Which topic showed it.
    pub topic: TopicId,
    /// The headline.
    pub title: String,
    /// Where to read it.
    pub url: Option<String>,
    /// Which outlet reports it.
    pub source: String,
    /// How it begins.
    pub summary: String,
    /// In which language.
    pub language: Option<String>,
    /// When it was published.
    pub published: DateTime<Utc>,
    /// What its words have in common with their other forms; letters and digits only.
    pub terms: Vec<String>,
    /// What is like it, as JSON.
    pub query: String,
}

/// A story in a list of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoryLine {
    /// Its place in the list, to go on from.
    pub id: i64,
    /// The key of its lead.
    pub key: ItemKey,
    /// The edition that showed it.
    pub edition: EditionId,
    /// When that was due.
    pub slot: DateTime<Utc>,
    /// Which topic showed it.
    pub topic: TopicId,
    /// The headline.
    pub title: String,
    /// Where to read it.
    pub url: Option<String>,
    /// Which outlet reports it.
    pub source: String,
    /// How it begins.
    pub summary: String,
    /// In which language.
    pub language: Option<String>,
    /// When it was published.
    pub published: DateTime<Utc>,
}

/// An edition in a list of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditionLine {
    /// Its identity.
    pub id: EditionId,
    /// Its cadence.
    pub cadence: CadenceId,
    /// When it was due.
    pub slot: DateTime<Utc>,
    /// Its first headlines.
    pub headlines: Vec<String>,
}

/// A page of a list, and whether there is more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// What is on the page.
    pub list: Vec<T>,
    /// Whether the list goes on.
    pub has_more: bool,
}

impl<T> Found<T> {
    /// The page of `limit` that was asked for with one more.
    fn page(mut list: Vec<T>, limit: u32) -> Self {
        let limit = limit as usize;
        let has_more = list.len() > limit;
        list.truncate(limit);
        Self { list, has_more }
    }
}

/// The version of the form in which queries are stored. It goes up when a program of the version before could not read them.
pub(super) const QUERY_FORM: i64 = 1;

/// How many headlines stand for an edition.
const HEADLINES: i64 = 3;

impl Archive<'_> {
    /// Up to `limit` published editions that the archive does not know yet, the earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_unindexed(&self, limit: u32) -> anyhow::Result<Vec<Edition>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, content FROM edition WHERE indexed = 0 AND state = 'published' ORDER BY slot, id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        let editions = super::readable(&rows, "edition", "id", content);
        if editions.len() < rows.len() {
            // Not looked at again and again.
            let sql = self.with_rows(
                "UPDATE edition SET indexed = 1 WHERE id IN (SELECT r.value->>'v' FROM {rows})
                 AND id NOT IN (SELECT r.value->>'v' FROM {read})"
                    .replace("{read}", &self.engine.dialect.rows.replace("$1", "$2"))
                    .as_str(),
            );
            let all = rows.iter().map(|row| row.try_get::<String, _>("id"));
            let all = all.collect::<sqlx::Result<Vec<_>>>()?;
            drop(connection);
            let mut connection = self.writing().await?;
            sqlx::query(sql)
                .bind(super::array(all))
                .bind(super::array(editions.iter().map(|edition| &edition.id)))
                .execute(&mut *connection)
                .await?;
        }
        Ok(editions)
    }

    /// Puts the stories of an edition into the archive, in the order in which it shows them. Twice is fine.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn index_edition(
        &self,
        edition: &Edition,
        stories: &[Indexed],
    ) -> anyhow::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let marked = sqlx::query("UPDATE edition SET indexed = 1 WHERE id = $1 AND indexed = 0")
            .bind(edition.id.as_str())
            .execute(&mut *tx)
            .await?;
        if marked.rows_affected() == 0 {
            return Ok(());
        }
        let row = |(place, story): (usize, &Indexed)| {
            json!({
                "key": story.key.as_str(), "topic": story.topic, "place": place, "title": story.title, "url": story.url,
                "source": story.source, "summary": story.summary, "language": story.language,
                "published": story.published.timestamp(), "terms": story.terms.join(" "), "query": story.query,
            })
        };
        let rows: Vec<_> = stories.iter().enumerate().map(row).collect();
        let rows = serde_json::Value::from(rows).to_string();
        let sql = self.with_rows(
            "INSERT INTO story (key, edition, topic, place, slot, title, url, source, summary, language, published, terms)
             SELECT r.value->>'key', $2, r.value->>'topic', CAST(r.value->>'place' AS BIGINT), $3, r.value->>'title',
                    r.value->>'url', r.value->>'source', r.value->>'summary', r.value->>'language',
                    CAST(r.value->>'published' AS BIGINT), r.value->>'terms'
             FROM {rows} WHERE true ON CONFLICT DO NOTHING",
        );
        sqlx::query(sql)
            .bind(&rows)
            .bind(edition.id.as_str())
            .bind(edition.slot.timestamp())
            .execute(&mut *tx)
            .await?;
        let sql = self.with_rows(
            "INSERT INTO story_query (key, title, query, version)
             SELECT r.value->>'key', r.value->>'title', r.value->>'query', CAST($2 AS BIGINT)
             FROM {rows} WHERE true ON CONFLICT DO NOTHING",
        );
        sqlx::query(sql)
            .bind(&rows)
            .bind(QUERY_FORM)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Published editions of all cadences that were due up to `until`, the latest first: those after the place of `after`, which several may
    /// share with a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_archive(
        &self,
        until: DateTime<Utc>,
        after: Option<&EditionId>,
        limit: u32,
    ) -> anyhow::Result<Found<EditionLine>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, cadence, slot FROM edition WHERE state = 'published' AND indexed = 1 AND cadence <> 'followed'
             AND (slot < $1 OR slot = $1 AND id > $3) ORDER BY slot DESC, id LIMIT $2",
        )
        .bind(until.timestamp())
        .bind(i64::from(limit) + 1)
        .bind(after.map_or("", EditionId::as_str))
        .fetch_all(&mut *connection)
        .await?;
        let mut editions = Vec::with_capacity(rows.len());
        for row in &rows {
            editions.push(EditionLine {
                id: EditionId(row.try_get("id")?),
                cadence: CadenceId(row.try_get("cadence")?),
                slot: time(row, "slot")?,
                headlines: Vec::new(),
            });
        }
        let sql = self.with_rows(
            "SELECT edition, title FROM story WHERE edition IN (SELECT r.value->>'v' FROM {rows})
             AND place < $2 ORDER BY edition, place",
        );
        let ids = editions.iter().map(|edition| edition.id.as_str());
        let titles = sqlx::query(sql)
            .bind(super::array(ids))
            .bind(HEADLINES)
            .fetch_all(&mut *connection)
            .await?;
        for row in &titles {
            let id: String = row.try_get("edition")?;
            let edition = editions
                .iter_mut()
                .find(|edition| edition.id.as_str() == id);
            if let Some(edition) = edition {
                edition.headlines.push(row.try_get("title")?);
            }
        }
        Ok(Found::page(editions, limit))
    }

    /// A published edition of the archive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_archived(&self, id: &EditionId) -> anyhow::Result<Option<Edition>> {
        let mut connection = self.reading().await?;
        let content: Option<String> = sqlx::query_scalar(
            "SELECT content FROM edition WHERE id = $1 AND state = 'published' AND cadence <> 'followed'",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        Ok(content
            .map(|content| serde_json::from_str(&content))
            .transpose()?)
    }

    /// The stories of a topic, the latest first: those after the place `after`, each once, as its latest edition shows it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_topic(
        &self,
        topic: &TopicId,
        after: Option<i64>,
        limit: u32,
    ) -> sqlx::Result<Found<StoryLine>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT * FROM story s WHERE s.topic = $1 AND s.id < $2
             AND NOT EXISTS (SELECT 1 FROM story o WHERE o.key = s.key AND o.topic = s.topic AND o.id > s.id)
             ORDER BY s.id DESC LIMIT $3",
        )
        .bind(topic.as_str())
        .bind(after.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut *connection)
        .await?;
        lines(&rows).map(|list| Found::page(list, limit))
    }

    /// The stories that have one of the forms of each of `words`, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_archive(
        &self,
        words: &[Vec<String>],
        after: Option<i64>,
        limit: u32,
    ) -> sqlx::Result<Found<StoryLine>> {
        if words.is_empty() {
            return Ok(Found::page(Vec::new(), limit));
        }
        let (condition, sought) = (self.engine.dialect.has_all)(words);
        let sql = format!(
            "SELECT s.* FROM story s WHERE {condition} AND s.id < $1
             AND NOT EXISTS (SELECT 1 FROM story o WHERE o.key = s.key AND o.id > s.id)
             ORDER BY s.id DESC LIMIT $2",
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(after.unwrap_or(i64::MAX))
            .bind(i64::from(limit) + 1);
        for words in sought {
            query = query.bind(words);
        }
        let mut connection = self.reading().await?;
        let rows = query.fetch_all(&mut *connection).await?;
        lines(&rows).map(|list| Found::page(list, limit))
    }

    /// The stories that have most of `terms`, but not the one called `except`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_alike(
        &self,
        terms: &[String],
        except: &ItemKey,
        limit: u32,
    ) -> sqlx::Result<Vec<StoryLine>> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = self.engine.dialect;
        let sql = format!(
            "SELECT s.* FROM {} AND s.key <> $2
             AND NOT EXISTS (SELECT 1 FROM story o WHERE o.key = s.key AND o.id > s.id)
             ORDER BY {}, s.id DESC LIMIT $3",
            dialect.has_any, dialect.best_first
        );
        let mut connection = self.reading().await?;
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind((dialect.any_of)(terms))
            .bind(except.as_str())
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await?;
        lines(&rows)
    }

    /// A story of the archive, in all editions that showed it, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_showings(&self, story: &ItemKey) -> sqlx::Result<Vec<StoryLine>> {
        let mut connection = self.reading().await?;
        let rows =
            sqlx::query("SELECT * FROM story WHERE key = $1 ORDER BY slot DESC, id LIMIT 20")
                .bind(story.as_str())
                .fetch_all(&mut *connection)
                .await?;
        lines(&rows)
    }

    /// What is like a story, as it was put into the archive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_story_query(&self, story: &ItemKey) -> sqlx::Result<Option<String>> {
        let mut connection = self.reading().await?;
        sqlx::query_scalar("SELECT query FROM story_query WHERE key = $1 AND version <= $2")
            .bind(story.as_str())
            .bind(QUERY_FORM)
            .fetch_optional(&mut *connection)
            .await
    }
}

fn lines(rows: &[AnyRow]) -> sqlx::Result<Vec<StoryLine>> {
    rows.iter()
        .map(|row| {
            Ok(StoryLine {
                id: row.try_get("id")?,
                key: ItemKey::from_stored(row.try_get("key")?),
                edition: EditionId(row.try_get("edition")?),
                slot: time(row, "slot")?,
                topic: TopicId(row.try_get("topic")?),
                title: row.try_get("title")?,
                url: row.try_get("url")?,
                source: row.try_get("source")?,
                summary: row.try_get("summary")?,
                language: row.try_get("language")?,
                published: time(row, "published")?,
            })
        })
        .collect()
}
