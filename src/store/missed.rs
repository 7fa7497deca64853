//! Editions that somebody has missed: what could not be handed over for a day, or was put off until it was given up. Their news go with the next
//! one of their cadence.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AnyConnection, Row as _};

use super::Pool;
use crate::model::EditionId;

/// From what age on the news of an edition that could not be handed over go with a later one, where there is one.
pub(super) const OLD: TimeDelta = TimeDelta::hours(24);

/// How old an edition may be that somebody has missed and still wants to hear of, and how many of them.
const MISSED: TimeDelta = TimeDelta::days(8);
const MOST_MISSED: usize = 7;

/// What the ledger says of a delivery whose news go with a later one, however old they are by a clock that may be wrong. What is later is a
/// matter of what editions cover, and not of when they were due.
const SUPERSEDED: &str = "its news go with a later edition";

impl Pool {
    /// Gives up those of some claimed deliveries that are old and whose subscribers have a later one waiting: nobody wants three digests at once
    /// because the mail server was away for three days. Their news go with the newest.
    pub(super) async fn supersede(
        &self,
        tx: &mut AnyConnection,
        ids: &str,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        let sql = self.with_rows(
            "UPDATE delivery SET state = 'failed', ended_at = $2, worker = NULL, answer = $4
             WHERE id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) AND planned_at < $3 AND EXISTS (
                SELECT 1 FROM edition e JOIN edition n ON n.newsletter = e.newsletter AND n.cadence = e.cadence AND n.number > e.number
                JOIN delivery d ON d.edition = n.id AND d.subscriber = delivery.subscriber
                WHERE e.id = delivery.edition AND e.cadence <> 'followed' AND n.state = 'published'
                AND d.state IN ('pending', 'deferred', 'leased') AND d.begun = 0 AND d.held = 0)",
        );
        sqlx::query(sql)
            .bind(ids)
            .bind(wall.timestamp())
            .bind((wall - OLD).timestamp())
            .bind(SUPERSEDED)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Which editions the subscribers of deliveries have missed, by the delivery that their news go with: deliveries of its cadence before it
    /// that have failed, or whose reader wanted no mail then, since the last one that was sent. Latest first.
    pub(super) async fn missed_of(
        &self,
        tx: &mut AnyConnection,
        ids: &str,
        is_old: bool,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<HashMap<i64, Vec<EditionId>>> {
        let any: Option<i64> = sqlx::query_scalar(
            "SELECT subscriber FROM delivery WHERE (state = 'failed' AND planned_at > $1) OR (owed = 1 AND planned_at > $1) LIMIT 1",
        )
        .bind((wall - MISSED).timestamp())
        .fetch_optional(&mut *tx)
        .await?;
        if any.is_none() && !is_old {
            return Ok(HashMap::new());
        }
        let sql = self.with_rows(
            "SELECT d.id, m.edition FROM delivery d
             JOIN delivery m ON m.subscriber = d.subscriber AND
                ((m.state = 'failed' AND (m.planned_at > $2 OR m.answer = $3)) OR (m.owed = 1 AND m.planned_at > $2))
             JOIN edition e ON e.id = d.edition JOIN edition o ON o.id = m.edition
             WHERE d.id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) AND e.cadence <> 'followed'
             AND o.newsletter = e.newsletter AND o.cadence = e.cadence AND o.number < e.number
             AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.subscriber = m.subscriber AND b.edition = m.edition AND b.kind = 'hard')
             AND NOT EXISTS (SELECT 1 FROM edition n JOIN delivery s ON s.edition = n.id AND s.subscriber = d.subscriber
                             WHERE n.newsletter = e.newsletter AND n.cadence = e.cadence AND n.number > o.number AND s.state = 'sent')
             ORDER BY d.id, o.number DESC",
        );
        let rows = sqlx::query(sql)
            .bind(ids)
            .bind((wall - MISSED).timestamp())
            .bind(SUPERSEDED)
            .fetch_all(tx)
            .await?;
        let mut missed: HashMap<i64, Vec<EditionId>> = HashMap::new();
        for row in &rows {
            let of = missed.entry(row.try_get("id")?).or_default();
            if of.len() < MOST_MISSED {
                of.push(EditionId(row.try_get("edition")?));
            }
        }
        Ok(missed)
    }
}
