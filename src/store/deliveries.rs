//! Where deliveries stand, for people who look, and what they decide about them.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{EditionState, Editions, Ledger};
use crate::model::{CadenceId, DeliveryCounts, DeliveryId, DeliveryState, EditionId};

/// What is known of an edition without its stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditionSummary {
    /// Which.
    pub id: EditionId,
    /// Its cadence.
    pub cadence: CadenceId,
    /// When it was due.
    pub slot: DateTime<Utc>,
    /// What was decided about it.
    pub state: EditionState,
}

/// A delivery, for whoever has to know who it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryDetail {
    /// Its number.
    pub id: DeliveryId,
    /// The address that it goes to.
    pub address: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it ended, or is tried again.
    pub at: Option<DateTime<Utc>>,
    /// What the server said.
    pub answer: Option<String>,
}

/// How many there are of each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Subscribers.
    pub subscribers: Vec<(String, i64)>,
    /// Deliveries that have not ended.
    pub deliveries: Vec<(String, i64)>,
}

impl Ledger<'_> {
    /// How many subscribers there are, and how many deliveries that have not ended, by state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_states(&self) -> sqlx::Result<Counts> {
        let mut connection = self.reading().await?;
        let mut counted = [Vec::new(), Vec::new()];
        let states = [
            "SELECT state, COUNT(*) AS n FROM subscriber WHERE address_key NOT LIKE 'erased:%' GROUP BY state ORDER BY state",
            "SELECT state, COUNT(*) AS n FROM delivery WHERE state IN ('pending', 'deferred', 'leased')
             GROUP BY state ORDER BY state",
        ];
        for (sql, counted) in states.into_iter().zip(&mut counted) {
            for row in sqlx::query(sql).fetch_all(&mut *connection).await? {
                counted.push((row.try_get("state")?, row.try_get("n")?));
            }
        }
        let [subscribers, deliveries] = counted;
        Ok(Counts {
            subscribers,
            deliveries,
        })
    }

    /// Where the deliveries of an edition stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries_of(&self, edition: &EditionId) -> sqlx::Result<DeliveryCounts> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT state, COUNT(*) AS n FROM delivery WHERE edition = $1 GROUP BY state",
        )
        .bind(edition.as_str())
        .fetch_all(&mut *connection)
        .await?;
        counted(&rows)
    }

    /// The deliveries of an edition in a state, in the order of their numbers, `limit` at a time: those after `after`. Start
    /// with 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_deliveries(
        &self,
        edition: &EditionId,
        state: DeliveryState,
        after: DeliveryId,
        limit: u32,
    ) -> sqlx::Result<Vec<DeliveryDetail>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT d.id, s.address, d.attempts, COALESCE(d.ended_at, NULLIF(d.due_at, 0)) AS at, d.answer
             FROM delivery d JOIN subscriber s ON s.id = d.subscriber
             WHERE d.edition = $1 AND d.state = $2 AND d.id > $3 ORDER BY d.id LIMIT $4",
        )
        .bind(edition.as_str())
        .bind(state.word())
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        let detail = |row: &AnyRow| {
            Ok(DeliveryDetail {
                id: DeliveryId(row.try_get("id")?),
                address: row.try_get("address")?,
                attempts: row.try_get("attempts")?,
                at: super::optional_time(row, "at")?,
                answer: row.try_get("answer")?,
            })
        };
        rows.iter().map(detail).collect()
    }

    /// Cancels what is not sent yet of an edition, but for what may be on the wire. Returns how many deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_edition(
        &self,
        edition: &EditionId,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<u64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let cancelled = sqlx::query(
            "UPDATE delivery SET state = 'cancelled', ended_at = $2, worker = NULL
             WHERE edition = $1 AND (state IN ('pending', 'deferred') OR state = 'leased' AND begun = 0)",
        )
        .bind(edition.as_str())
        .bind(wall.timestamp())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(cancelled.rows_affected())
    }

    /// Makes deliveries of an edition due now that stand in one of `states`. Their time counts from now on. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_edition(
        &self,
        edition: &EditionId,
        states: &[DeliveryState],
        wall: DateTime<Utc>,
    ) -> sqlx::Result<u64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let mut resumed = 0;
        for state in states {
            let done = sqlx::query(
                "UPDATE delivery SET state = 'pending', planned_at = $3, due_at = 0, ended_at = NULL,
                    attempts = 0, tried_at = NULL, held = 0, worker = NULL
                 WHERE edition = $1 AND state = $2",
            )
            .bind(edition.as_str())
            .bind(state.word())
            .bind(wall.timestamp())
            .execute(&mut *tx)
            .await?;
            resumed += done.rows_affected();
        }
        tx.commit().await?;
        Ok(resumed)
    }

    /// Where all deliveries stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries(&self) -> sqlx::Result<DeliveryCounts> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query("SELECT state, COUNT(*) AS n FROM delivery GROUP BY state")
            .fetch_all(&mut *connection)
            .await?;
        counted(&rows)
    }
}

impl Editions<'_> {
    /// The latest `limit` editions of a newsletter, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_editions(
        &self,
        newsletter: &str,
        limit: u32,
    ) -> sqlx::Result<Vec<EditionSummary>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, cadence, slot, state FROM edition WHERE newsletter = $1
             ORDER BY slot DESC, cadence LIMIT $2",
        )
        .bind(newsletter)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        let edition = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(EditionSummary {
                id: EditionId(row.try_get("id")?),
                cadence: CadenceId(row.try_get("cadence")?),
                slot: super::time(row, "slot")?,
                state: state(row)?,
            })
        };
        Ok(super::readable(&rows, "edition", "id", edition))
    }
}

fn state(row: &AnyRow) -> sqlx::Result<EditionState> {
    let word = row.try_get("state")?;
    super::known(EditionState::from_word(word), "state", word)
}

/// Rows of a state and a number, as counts.
fn counted(rows: &[AnyRow]) -> sqlx::Result<DeliveryCounts> {
    let mut counts = DeliveryCounts::default();
    for row in rows {
        let n = u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or_default();
        match row.try_get::<String, _>("state")?.as_str() {
            "sent" => counts.sent += n,
            "pending" | "leased" => counts.pending += n,
            "deferred" => counts.deferred += n,
            "failed" => counts.failed += n,
            "unknown" => counts.unknown += n,
            "cancelled" => counts.cancelled += n,
            other => return super::known(None, "state", other),
        }
    }
    Ok(counts)
}
