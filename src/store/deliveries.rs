//! Deliveries: claimed, sent, recorded. The database is the queue.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::Store;
use crate::model::{
    Address, Audience, Delivery, DeliveryCounts, DeliveryId, DeliveryState, EditionId, Language,
    TopicId,
};

/// What to write about a delivery that has been tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands now.
    pub state: DeliveryState,
    /// When to try again, for a deferred one; else when it ended.
    pub at: DateTime<Utc>,
    /// What the server said, when it said no.
    pub answer: Option<String>,
}

impl Store {
    /// Gives back the deliveries that a run claimed and did not end, because it died. Returns how many.
    ///
    /// Only for who holds the send lock: then no living run has a claim.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_claims(&self) -> sqlx::Result<u64> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let released = sqlx::query("UPDATE delivery SET state = 'pending' WHERE state = 'leased'")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(released.rows_affected())
    }

    /// How many deliveries are due at `wall`, the real time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_due(&self, wall: DateTime<Utc>) -> sqlx::Result<u64> {
        let mut connection = self.connection().await;
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery WHERE state IN ('pending', 'deferred') AND due_at <= $1",
        )
        .bind(wall.timestamp())
        .fetch_one(&mut *connection)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Claims up to `limit` deliveries that are due at `wall`. `language` is the newsletter's, for
    /// subscribers who picked none.
    ///
    /// Who has left since the delivery was planned is left out: theirs are cancelled, whatever they stood at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_deliveries(
        &self,
        limit: u32,
        wall: DateTime<Utc>,
        language: Language,
    ) -> anyhow::Result<Vec<Delivery>> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let claimed = loop {
            let claimed = self.claim_batch(&mut tx, limit, wall, language).await?;
            // A whole batch of people who have left is no reason to stop before those behind them.
            match claimed {
                Some(deliveries) if deliveries.is_empty() => {}
                claimed => break claimed.unwrap_or_default(),
            }
        };
        tx.commit().await?;
        Ok(claimed)
    }

    /// One batch; `None` when nothing is due.
    async fn claim_batch(
        &self,
        tx: &mut AnyConnection,
        limit: u32,
        wall: DateTime<Utc>,
        language: Language,
    ) -> anyhow::Result<Option<Vec<Delivery>>> {
        let leased = sqlx::query(
            "UPDATE delivery SET state = 'leased', attempts = attempts + 1 WHERE id IN
                (SELECT id FROM delivery WHERE state IN ('pending', 'deferred') AND due_at <= $1 ORDER BY due_at, id LIMIT $2)
             RETURNING id",
        )
        .bind(wall.timestamp())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        if leased.is_empty() {
            return Ok(None);
        }
        let ids: Vec<i64> = leased
            .iter()
            .map(|row| row.try_get("id"))
            .collect::<sqlx::Result<_>>()?;
        let ids = super::array(ids);
        let leased = "CAST(r.value->>'v' AS BIGINT) FROM {rows}";
        let sql = self.with_rows(&format!(
            "UPDATE delivery SET state = 'cancelled', ended_at = $2 WHERE id IN (SELECT {leased})
             AND EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber AND s.state <> 'confirmed')"
        ));
        sqlx::query(sql)
            .bind(&ids)
            .bind(wall.timestamp())
            .execute(&mut *tx)
            .await?;

        let sql = self.with_rows(&format!(
            "SELECT t.subscriber, t.topic FROM subscriber_topic t
             WHERE t.subscriber IN (SELECT subscriber FROM delivery WHERE id IN (SELECT {leased}))"
        ));
        let mut topics: HashMap<i64, BTreeSet<TopicId>> = HashMap::new();
        for row in sqlx::query(sql).bind(&ids).fetch_all(&mut *tx).await? {
            let topic = TopicId(row.try_get("topic")?);
            topics
                .entry(row.try_get("subscriber")?)
                .or_default()
                .insert(topic);
        }
        let sql = self.with_rows(&format!(
            "SELECT d.id, d.edition, d.attempts, d.planned_at, d.subscriber, s.token, s.address, s.name, s.language
             FROM delivery d JOIN subscriber s ON s.id = d.subscriber
             WHERE d.state = 'leased' AND d.id IN (SELECT {leased}) ORDER BY d.id"
        ));
        let rows = sqlx::query(sql).bind(&ids).fetch_all(&mut *tx).await?;
        let delivery = |row: &AnyRow| {
            let chosen: Option<String> = row.try_get("language")?;
            Ok(Delivery {
                id: DeliveryId(row.try_get("id")?),
                edition: EditionId(row.try_get("edition")?),
                token: row.try_get("token")?,
                address: Address::parse(&row.try_get::<String, _>("address")?)?,
                name: row.try_get("name")?,
                audience: Audience {
                    language: chosen
                        .and_then(|tag| Language::from_tag(&tag))
                        .unwrap_or(language),
                    topics: topics
                        .get(&row.try_get("subscriber")?)
                        .cloned()
                        .unwrap_or_default(),
                },
                attempts: row.try_get("attempts")?,
                planned_at: super::time(row, "planned_at")?,
            })
        };
        rows.iter()
            .map(delivery)
            .collect::<anyhow::Result<_>>()
            .map(Some)
    }

    /// Gives deliveries back that were claimed and not tried.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_deliveries(&self, ids: &[DeliveryId]) -> sqlx::Result<()> {
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let sql = self.with_rows(
            "UPDATE delivery SET state = 'pending', attempts = attempts - 1
             WHERE state = 'leased' AND id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})",
        );
        sqlx::query(sql)
            .bind(super::array(ids.iter().map(|id| id.0)))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Writes what became of deliveries, all in one transaction; on the disk when it returns.
    ///
    /// `held` are deliveries that the same workers have claimed and not tried yet. Returns those of them that
    /// must not be sent any more, because their subscribers have left meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_outcomes(
        &self,
        records: &[Record],
        held: &[DeliveryId],
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let rows: Vec<_> = records
            .iter()
            .map(|record| {
                json!({ "id": record.id.0, "state": record.state.word(), "at": record.at.timestamp(), "answer": record.answer })
            })
            .collect();
        let mut connection = self.connection().await;
        let mut tx = self.begin(&mut connection).await?;
        let sql = self.with_rows(
            "UPDATE delivery SET state = r.value->>'state', answer = r.value->>'answer',
                due_at = CASE WHEN r.value->>'state' = 'deferred' THEN CAST(r.value->>'at' AS BIGINT) ELSE due_at END,
                ended_at = CASE WHEN r.value->>'state' = 'deferred' THEN NULL ELSE CAST(r.value->>'at' AS BIGINT) END
             FROM {rows} WHERE delivery.id = CAST(r.value->>'id' AS BIGINT)",
        );
        sqlx::query(sql)
            .bind(serde_json::Value::from(rows).to_string())
            .execute(&mut *tx)
            .await?;
        let sql = self.with_rows(
            "SELECT id FROM delivery WHERE state <> 'leased'
             AND id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})",
        );
        let gone = sqlx::query(sql)
            .bind(super::array(held.iter().map(|id| id.0)))
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        gone.iter()
            .map(|row| Ok(DeliveryId(row.try_get("id")?)))
            .collect()
    }

    /// Where all deliveries stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries(&self) -> sqlx::Result<DeliveryCounts> {
        let mut connection = self.connection().await;
        let rows = sqlx::query("SELECT state, COUNT(*) AS n FROM delivery GROUP BY state")
            .fetch_all(&mut *connection)
            .await?;
        let mut counts = DeliveryCounts::default();
        for row in &rows {
            let n = u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or_default();
            match row.try_get::<String, _>("state")?.as_str() {
                "sent" => counts.sent += n,
                "pending" | "leased" => counts.pending += n,
                "deferred" => counts.deferred += n,
                "failed" => counts.failed += n,
                "unknown" => counts.unknown += n,
                _ => {}
            }
        }
        Ok(counts)
    }
}
