//! The ledger of deliveries, as workers write it: claimed, begun, recorded. The database is the queue.
//!
//! A worker *claims* deliveries, many at a time, and holds them by a lease: they stay its own as long as it lets itself be
//! heard. It *begins* the few that it is about to send, and *records* each when it has ended; both in one transaction with
//! those of its other connections. So what a dead worker leaves behind is known: what was not begun has not gone out and goes
//! back into the queue; what was begun and not recorded may have gone out, and [`UnknownPolicy`] says what becomes of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::Ledger;
use super::gets::{may_be_mailed, still_gets};
use crate::model::{
    Address, Audience, Bounce, BouncePolicy, Delivery, DeliveryId, DeliveryState, EditionId,
    Language, SubscriberId, TopicId, Topics, UnknownPolicy,
};

/// After how long a worker that is not heard of counts as dead. Who reads a clock that runs otherwise, or that was set, is off
/// by less than this or is wrong in full: times from the future count as dead, too.
const LEASE: TimeDelta = TimeDelta::minutes(3);

/// No delivery waits for longer than this for its next try, or for the hour that its reader has chosen.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(26);

/// How often a worker must be heard of to be sure of its leases, by all clocks.
pub const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(30);

/// Somebody who sends, while it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerId(pub i64);

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
    /// What that says about the address.
    pub bounce: Option<Bounce>,
    /// It waits, and is not tried, until it is clear whether that it was called dead can be believed ([`Ledger::settle_held`]).
    pub held: bool,
    /// Its reader did not want a mail now: its news go with the next one.
    pub owed: bool,
}

/// What a worker writes into the ledger in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Deliveries that have ended, or wait for another try.
    pub records: Vec<Record>,
    /// Deliveries that were begun and not sent after all: they are as if they had never been begun.
    pub withdraw: Vec<DeliveryId>,
    /// Deliveries that have to wait until then, through no fault of theirs: this was no try.
    pub postpone: Vec<(DeliveryId, DateTime<Utc>)>,
    /// Deliveries that are about to be sent.
    pub begin: Vec<DeliveryId>,
}

impl Step {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.withdraw.is_empty()
            && self.postpone.is_empty()
            && self.begin.is_empty()
    }
}

/// What dead workers left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Deliveries that go back into the queue.
    pub released: u64,
    /// Deliveries of which nobody knows whether they went out.
    pub unknown: u64,
}

impl Ledger<'_> {
    /// Enters a new worker into the ledger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enlist(&self, wall: DateTime<Utc>) -> anyhow::Result<WorkerId> {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let worker = WorkerId(i64::from_le_bytes(bytes).saturating_abs());
        self.hear(worker, wall).await?;
        Ok(worker)
    }

    /// Takes note that `worker` is alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hear(&self, worker: WorkerId, wall: DateTime<Utc>) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        self.engine.hold(&mut connection, worker.0).await?;
        let wall = self.engine.clock(&mut connection, wall).await?;
        let mut tx = self.begin(&mut connection).await?;
        sqlx::query(
            "INSERT INTO worker (id, heard_at) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET heard_at = excluded.heard_at",
        )
        .bind(worker.0)
        .bind(wall.timestamp())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Takes up what dead workers left behind: those whose connection to PostgreSQL has ended, those that were not heard of for
    /// the length of a lease, or, when `worker` knows that it is alone, all others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inherit(
        &self,
        worker: WorkerId,
        alone: bool,
        policy: UnknownPolicy,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<Inherited> {
        let mut connection = self.writing().await?;
        let heard = self.engine.clock(&mut connection, wall).await?;
        let mut tx = self.begin(&mut connection).await?;
        let sql = format!(
            "DELETE FROM worker WHERE id <> $1 AND ($2 = 1 OR heard_at < $3 OR heard_at > $4 OR {})",
            self.engine.dialect.is_gone
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(worker.0)
            .bind(i64::from(alone))
            .bind((heard - LEASE).timestamp())
            .bind((heard + LEASE).timestamp())
            .execute(&mut *tx)
            .await?;
        // What is due in the far future was put off by a clock that was ahead.
        sqlx::query(
            "UPDATE delivery SET due_at = 0 WHERE state IN ('pending', 'deferred') AND due_at > $1",
        )
        .bind((wall + LONGEST_PAUSE).timestamp())
        .execute(&mut *tx)
        .await?;
        // A lease without a worker: its own row is gone now, or it was made before there were any.
        let dead =
            "state = 'leased' AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = delivery.worker)";
        let mut inherited = Inherited::default();
        if policy == UnknownPolicy::Once {
            // `worker` stays: should it be alive after all, it knows better, and records it.
            let sql = format!(
                "UPDATE delivery SET state = 'unknown', begun = 0, ended_at = $1,
                    answer = 'the program ended before the answer was on the record'
                 WHERE {dead} AND begun = 1"
            );
            let unknown = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(wall.timestamp())
                .execute(&mut *tx)
                .await?;
            inherited.unknown = unknown.rows_affected();
        }
        // What was not begun was not tried.
        let sql = format!(
            "UPDATE delivery SET state = 'pending', attempts = attempts - 1 + begun, begun = 0, worker = NULL WHERE {dead}"
        );
        let released = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *tx)
            .await?;
        inherited.released = released.rows_affected();
        tx.commit().await?;
        Ok(inherited)
    }

    /// Takes `worker` off the ledger; what it has claimed and not begun goes back into the queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dismiss(&self, worker: WorkerId) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        give_back(&mut tx, worker).await?;
        self.engine.let_go(&mut tx, worker.0).await?;
        // With something begun it must still be found.
        sqlx::query(
            "DELETE FROM worker WHERE id = $1
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE worker = $1 AND state = 'leased')",
        )
        .bind(worker.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Gives back what `worker` has claimed and does not know of, because the answer of the database was lost. Only while it has
    /// nothing that is not begun. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, worker: WorkerId) -> sqlx::Result<u64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let given = give_back(&mut tx, worker).await?;
        tx.commit().await?;
        Ok(given)
    }

    /// How many deliveries are due at `wall`, the real time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_due(&self, wall: DateTime<Utc>) -> sqlx::Result<u64> {
        let mut connection = self.reading().await?;
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery WHERE state IN ('pending', 'deferred') AND due_at <= $1 AND held = 0",
        )
        .bind(wall.timestamp())
        .fetch_one(&mut *connection)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// How many deliveries somebody has claimed, alive or dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_leased(&self) -> sqlx::Result<u64> {
        let mut connection = self.reading().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM delivery WHERE state = 'leased'")
            .fetch_one(&mut *connection)
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Claims up to `limit` deliveries that are due at `wall` for `worker`. `language` is the newsletter's, for
    /// subscribers who picked none.
    ///
    /// Who has left since the delivery was planned, or must not be mailed any more, is left out: theirs are cancelled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_deliveries(
        &self,
        worker: WorkerId,
        limit: u32,
        wall: DateTime<Utc>,
        language: Language,
    ) -> anyhow::Result<Vec<Delivery>> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let claimed = loop {
            let claimed = self
                .claim_batch(&mut tx, worker, limit, wall, language)
                .await?;
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
        worker: WorkerId,
        limit: u32,
        wall: DateTime<Utc>,
        language: Language,
    ) -> anyhow::Result<Option<Vec<Delivery>>> {
        let sql = format!(
            "UPDATE delivery SET state = 'leased', attempts = attempts + 1, begun = 0, worker = $3 WHERE id IN
                (SELECT id FROM delivery WHERE state IN ('pending', 'deferred') AND due_at <= $1 AND held = 0
                 ORDER BY due_at, id LIMIT $2 {})
             RETURNING id, planned_at",
            self.engine.dialect.skip_locked
        );
        let leased = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(wall.timestamp())
            .bind(i64::from(limit))
            .bind(worker.0)
            .fetch_all(&mut *tx)
            .await?;
        if leased.is_empty() {
            return Ok(None);
        }
        let ids: Vec<i64> = leased
            .iter()
            .map(|row| row.try_get("id"))
            .collect::<sqlx::Result<_>>()?;
        let mut is_old = false;
        for row in &leased {
            is_old |=
                row.try_get::<i64, _>("planned_at")? < (wall - super::missed::OLD).timestamp();
        }
        let ids = super::array(ids);
        if is_old {
            self.supersede(&mut *tx, &ids, wall).await?;
        }
        let leased = "CAST(r.value->>'v' AS BIGINT) FROM {rows}";
        let sql = self.with_rows(&format!(
            "UPDATE delivery SET state = 'cancelled', ended_at = $2, worker = NULL, answer = $3
             WHERE id IN (SELECT {leased}) AND state = 'leased' AND NOT {}",
            still_gets()
        ));
        sqlx::query(sql)
            .bind(&ids)
            .bind(wall.timestamp())
            .bind(NOT_WANTED)
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
            "SELECT d.id, d.edition, d.attempts, d.tried_at, d.subscriber, s.token, s.address, s.name,
                    s.language, s.length, s.reading
             FROM delivery d JOIN subscriber s ON s.id = d.subscriber
             WHERE d.state = 'leased' AND d.id IN (SELECT {leased}) ORDER BY d.id"
        ));
        let rows = sqlx::query(sql).bind(&ids).fetch_all(&mut *tx).await?;
        let mut follows = self.follows_of(&mut *tx, &ids).await?;
        let mut missed = self.missed_of(&mut *tx, &ids, is_old, wall).await?;
        let mut delivery = |row: &AnyRow| {
            let chosen: Option<String> = row.try_get("language")?;
            anyhow::Ok(Delivery {
                id: DeliveryId(row.try_get("id")?),
                edition: EditionId(row.try_get("edition")?),
                subscriber: SubscriberId(row.try_get("subscriber")?),
                token: row.try_get("token")?,
                address: Address::parse(&row.try_get::<String, _>("address")?)?,
                name: row.try_get("name")?,
                audience: Audience {
                    language: chosen
                        .and_then(|tag| Language::from_tag(&tag))
                        .unwrap_or(language),
                    topics: Topics::from_stored(
                        topics
                            .get(&row.try_get("subscriber")?)
                            .cloned()
                            .unwrap_or_default(),
                    ),
                    reading: super::preferences::reading(row)?,
                },
                follows: follows.remove(&row.try_get("id")?).unwrap_or_default(),
                attempts: row.try_get("attempts")?,
                tried_at: super::optional_time(row, "tried_at")?,
                missed: missed.remove(&row.try_get("id")?).unwrap_or_default(),
            })
        };
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in &rows {
            match delivery(row) {
                Ok(delivery) => deliveries.push(delivery),
                // One that no mail can be sent to must not stand in the way of all others.
                Err(error) => {
                    sqlx::query(
                        "UPDATE delivery SET state = 'failed', ended_at = $2, answer = $3, worker = NULL WHERE id = $1",
                    )
                    .bind(row.try_get::<i64, _>("id")?)
                    .bind(wall.timestamp())
                    .bind(format!("its subscriber cannot be read: {error:#}"))
                    .execute(&mut *tx)
                    .await?;
                }
            }
        }
        Ok(Some(deliveries))
    }

    /// Writes a step of `worker`; on the disk when it returns. Nothing is sent that was not begun.
    ///
    /// Writing it twice is as good as once: the answer to the first may have been lost.
    ///
    /// Returns those of `step.begin` that may be sent. The others are not its own any more, or their subscribers have left
    /// or must not be mailed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_step(
        &self,
        worker: WorkerId,
        step: &Step,
        policy: BouncePolicy,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let mut connection = self.writing().await?;
        let bounces = step.records.iter().any(|record| record.bounce.is_some());
        if step.withdraw.is_empty() && step.postpone.is_empty() && !bounces {
            // The usual case is one statement, which is a transaction by itself.
            return self.apply(&mut connection, worker, step, wall).await;
        }
        let mut tx = self.begin(&mut connection).await?;
        if !step.withdraw.is_empty() {
            let sql = self.with_rows(
                "UPDATE delivery SET begun = 0, tried_at = CASE WHEN attempts > 1 THEN tried_at END
                 WHERE worker = $2 AND state = 'leased' AND id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})",
            );
            sqlx::query(sql)
                .bind(super::array(step.withdraw.iter().map(|id| id.0)))
                .bind(worker.0)
                .execute(&mut *tx)
                .await?;
        }
        if !step.postpone.is_empty() {
            let sql = self.with_rows(
                "UPDATE delivery SET state = 'deferred', attempts = attempts - 1, worker = NULL,
                    due_at = CAST(r.value->>'at' AS BIGINT)
                 FROM {rows} WHERE delivery.id = CAST(r.value->>'id' AS BIGINT)
                 AND delivery.worker = $2 AND delivery.state = 'leased' AND delivery.begun = 0",
            );
            let row = |(id, at): &(DeliveryId, DateTime<Utc>)| json!({ "id": id.0, "at": at.timestamp() });
            let rows: Vec<_> = step.postpone.iter().map(row).collect();
            sqlx::query(sql)
                .bind(serde_json::Value::from(rows).to_string())
                .bind(worker.0)
                .execute(&mut *tx)
                .await?;
        }
        let begun = self.apply(&mut tx, worker, step, wall).await?;
        for record in &step.records {
            if let Some(bounce) = record.bounce {
                let detail = record.answer.as_deref();
                self.note_bounce(&mut tx, record.id, bounce, detail, policy, record.at)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(begun)
    }

    /// Writes the records of `step` and begins its deliveries, in one statement.
    async fn apply(
        &self,
        connection: &mut AnyConnection,
        worker: WorkerId,
        step: &Step,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let record = |record: &Record| json!({ "id": record.id.0, "state": record.state.word(), "at": record.at.timestamp(), "answer": record.answer, "held": i64::from(record.held), "owed": i64::from(record.owed) });
        let begin = |id: &DeliveryId| json!({ "id": id.0, "state": "begun" });
        let records = step.records.iter().map(record);
        let rows: Vec<_> = records.chain(step.begin.iter().map(begin)).collect();
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        // Of a record: whoever else has given the delivery up meanwhile (`inherit`, an unsubscription) knew less than its
        // worker does.
        // Each member of a row is looked for once.
        let sql = self.with_rows(&format!(
            "WITH r AS MATERIALIZED (
                SELECT CAST(r.value->>'id' AS BIGINT) AS id, r.value->>'state' AS state, r.value->>'answer' AS answer,
                       CAST(r.value->>'at' AS BIGINT) AS at, COALESCE(CAST(r.value->>'held' AS BIGINT), 0) AS held,
                       COALESCE(CAST(r.value->>'owed' AS BIGINT), 0) AS owed FROM {{rows}})
             UPDATE delivery SET
                state = CASE r.state WHEN 'begun' THEN 'leased' ELSE r.state END,
                begun = CASE r.state WHEN 'begun' THEN 1 ELSE 0 END,
                tried_at = CASE r.state WHEN 'begun' THEN COALESCE(tried_at, $3) ELSE tried_at END,
                held = r.held,
                owed = r.owed,
                worker = CASE r.state WHEN 'begun' THEN worker END,
                answer = CASE r.state WHEN 'begun' THEN delivery.answer ELSE r.answer END,
                due_at = CASE r.state WHEN 'deferred' THEN r.at ELSE due_at END,
                ended_at = CASE WHEN r.state NOT IN ('begun', 'deferred') THEN r.at END
             FROM r WHERE delivery.id = r.id AND delivery.worker = $2
             AND (r.state <> 'begun' OR delivery.state = 'leased' AND EXISTS (
                SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber AND {}))
             RETURNING delivery.id, delivery.begun",
            may_be_mailed("delivery.planned_at")
        ));
        let written = sqlx::query(sql)
            .bind(serde_json::Value::from(rows).to_string())
            .bind(worker.0)
            .bind(wall.timestamp())
            .fetch_all(&mut *connection)
            .await?;
        let mut begun = HashSet::new();
        for row in &written {
            if row.try_get::<i64, _>("begun")? == 1 {
                begun.insert(DeliveryId(row.try_get("id")?));
            }
        }
        if begun.len() < step.begin.len() {
            let sql = self.with_rows(
                "UPDATE delivery SET state = 'cancelled', ended_at = $3, worker = NULL, answer = $4
                 WHERE worker = $2 AND state = 'leased' AND begun = 0
                 AND id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})",
            );
            sqlx::query(sql)
                .bind(super::array(step.begin.iter().map(|id| id.0)))
                .bind(worker.0)
                .bind(wall.timestamp())
                .bind(NOT_WANTED)
                .execute(&mut *connection)
                .await?;
        }
        Ok(begun)
    }
}

/// Puts back into the queue what `worker` has claimed and not begun: it was not tried.
async fn give_back(tx: &mut AnyConnection, worker: WorkerId) -> sqlx::Result<u64> {
    let given = sqlx::query(
        "UPDATE delivery SET state = 'pending', attempts = attempts - 1, worker = NULL
         WHERE worker = $1 AND state = 'leased' AND begun = 0",
    )
    .bind(worker.0)
    .execute(tx)
    .await?;
    Ok(given.rows_affected())
}

/// What the ledger says of a delivery that its subscriber does not get any more.
const NOT_WANTED: &str = "its reader has left, is not mailed or has chosen something else since";
