//! What ranking remembers: what was shown, what was discussed, what words are usual.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row as _;

use super::items::item;
use super::{Items, time};
use crate::model::{CadenceId, Mailed, Vocabulary, Vote, Window};

/// How many terms one statement takes.
const BATCH: usize = 5_000;

/// From so many items on, all counts are halved: what was usual last year is forgotten in time, and so are terms that
/// were seen once.
const MANY: u64 = 200_000;

/// So many discussed items tell what readers discuss.
const VOTES: i64 = 20_000;

impl Items<'_> {
    /// The items that editions of a cadence have shown whose windows ended in `span`, once for each such edition. They
    /// name no feeds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_mailed(
        &self,
        newsletter: &str,
        cadence: &CadenceId,
        span: Window,
    ) -> sqlx::Result<Vec<Mailed>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT item.*, edition.until AS shown FROM item
             JOIN edition_item ON edition_item.item = item.key
             JOIN edition ON edition.id = edition_item.edition
             WHERE newsletter = $1 AND cadence = $2 AND until >= $3 AND until <= $4
             ORDER BY published, key, until",
        )
        .bind(newsletter)
        .bind(cadence.as_str())
        .bind(span.since.timestamp())
        .bind(span.until.timestamp())
        .fetch_all(&mut *connection)
        .await?;
        Ok(super::readable(&rows, "item", "key", |row| {
            Ok::<_, sqlx::Error>(Mailed {
                item: item(row)?,
                at: time(row, "shown")?,
            })
        }))
    }

    /// The latest items that arrived before `until` and whose feeds count comments, earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_votes(&self, until: DateTime<Utc>) -> sqlx::Result<Vec<Vote>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT source, title, language, comments FROM item
             WHERE comments IS NOT NULL AND arrived < $1 ORDER BY arrived DESC, key LIMIT $2",
        )
        .bind(until.timestamp())
        .bind(VOTES)
        .fetch_all(&mut *connection)
        .await?;
        let votes = rows.iter().rev().map(|row| {
            Ok(Vote {
                source: row.try_get("source")?,
                title: row.try_get("title")?,
                language: row.try_get("language")?,
                count: u32::try_from(row.try_get::<i64, _>("comments")?).unwrap_or_default(),
            })
        });
        votes.collect()
    }

    /// What words are usual here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load_vocabulary(&self) -> sqlx::Result<Vocabulary> {
        let mut connection = self.reading().await?;
        let documents = setting(&mut connection, DOCUMENTS)
            .await?
            .unwrap_or_default();
        let rows = sqlx::query("SELECT term, documents FROM vocabulary")
            .fetch_all(&mut *connection)
            .await?;
        let mut terms = HashMap::with_capacity(rows.len());
        for row in &rows {
            terms.insert(row.try_get("term")?, count(row.try_get("documents")?));
        }
        Ok(Vocabulary {
            documents: count(documents),
            terms,
        })
    }

    /// Up to when items were counted for the vocabulary; `None` when none ever was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn vocabulary_until(&self) -> sqlx::Result<Option<DateTime<Utc>>> {
        let mut connection = self.reading().await?;
        let until = setting(&mut connection, UNTIL).await?;
        Ok(until.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    }

    /// Counts go on from `from`, whatever was counted before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restart_vocabulary(&self, from: DateTime<Utc>) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        sqlx::query("UPDATE setting SET value = $1 WHERE key = $2")
            .bind(from.timestamp().to_string())
            .bind(UNTIL)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// Adds the counts of the items that arrived in `window`, unless another run has counted some of them.
    ///
    /// # Errors
    /// When the database fails; nothing is added then.
    pub async fn extend_vocabulary(
        &self,
        counted: &Vocabulary,
        window: Window,
    ) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let until = setting(&mut tx, UNTIL).await?;
        if until.is_some_and(|until| until > window.since.timestamp()) {
            return Ok(());
        }
        let mut terms: Vec<(&str, i64)> = counted
            .terms
            .iter()
            .map(|(term, documents)| (term.as_str(), i64::try_from(*documents).unwrap_or(i64::MAX)))
            .collect();
        terms.sort_unstable();
        for batch in terms.chunks(BATCH) {
            let sql = self.with_rows(
                "INSERT INTO vocabulary (term, documents)
                 SELECT r.value->>'term', CAST(r.value->>'documents' AS BIGINT) FROM {rows} WHERE true
                 ON CONFLICT (term) DO UPDATE SET documents = vocabulary.documents + excluded.documents",
            );
            let row =
                |(term, documents): &(&str, i64)| json!({ "term": term, "documents": documents });
            let rows: Vec<_> = batch.iter().map(row).collect();
            sqlx::query(sql)
                .bind(serde_json::Value::from(rows).to_string())
                .execute(&mut *tx)
                .await?;
        }
        let mut documents =
            count(setting(&mut tx, DOCUMENTS).await?.unwrap_or_default()) + counted.documents;
        if documents > MANY {
            documents /= 2;
            for sql in [
                "UPDATE vocabulary SET documents = documents / 2",
                "DELETE FROM vocabulary WHERE documents = 0",
            ] {
                sqlx::query(sql).execute(&mut *tx).await?;
            }
        }
        let documents = i64::try_from(documents).unwrap_or(i64::MAX);
        for (key, value) in [(DOCUMENTS, documents), (UNTIL, window.until.timestamp())] {
            sqlx::query("INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
                .bind(key)
                .bind(value.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

const DOCUMENTS: &str = "vocabulary_documents";
const UNTIL: &str = "vocabulary_until";

async fn setting(connection: &mut sqlx::AnyConnection, key: &str) -> sqlx::Result<Option<i64>> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(value.and_then(|value| value.parse().ok()))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
