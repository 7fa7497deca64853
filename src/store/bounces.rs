//! Bounces and complaints, and the addresses that are not mailed any more because of them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AnyConnection, Row as _};

use super::{Ledger, Pool, Subscribers};
use crate::model::{
    Address, Bounce, BouncePolicy, DeliveryId, EditionId, SubscriberId, Suppression,
    SuppressionReason,
};

/// So many reports say enough.
const MANY_REPORTS: i64 = 10_000;

/// How long a mail server keeps trying before it reports that a mail bounced: an edition that is older and drew no report has
/// arrived (RFC 5321 4.5.4.1).
const REPORTED_WITHIN: TimeDelta = TimeDelta::days(5);

/// How many held deliveries are settled in one transaction.
const AT_A_TIME: i64 = 500;

/// After how many reports about one edition not each of them is weighed against all others.
const MANY_DEAD: i64 = 50;

/// What came of a report about a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// The store does not know that mail.
    Unknown,
    /// It is on record.
    Noted,
    /// It is on record, and not believed: too many say so of one edition.
    Doubted,
}

/// What became of deliveries that were held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Addresses that do not exist.
    pub dead: u64,
    /// Deliveries to them.
    pub failed: u64,
    /// Addresses of which nothing was concluded, and that wait.
    pub doubtful: u64,
    /// The editions that these wait for.
    pub editions: Vec<EditionId>,
}

impl Ledger<'_> {
    /// Takes note that the mail of `delivery` bounced at `at`, as a report says that came later, and suppresses the address where `policy`
    /// says so. Where so many mails of an edition come back as dead that it cannot be, none of these reports is believed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_bounce(
        &self,
        delivery: DeliveryId,
        bounce: Bounce,
        detail: Option<&str>,
        policy: BouncePolicy,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Reported> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let known = self
            .note_bounce(&mut tx, delivery, bounce, detail, policy, at)
            .await?;
        let is_doubted =
            known && bounce == Bounce::Hard && doubt(&mut tx, delivery, policy).await?;
        tx.commit().await?;
        Ok(match (known, is_doubted) {
            (false, _) => Reported::Unknown,
            (true, false) => Reported::Noted,
            (true, true) => Reported::Doubted,
        })
    }

    /// Decides about the deliveries that are held because their addresses were called dead, when a run has ended in which `taken` mails were
    /// taken: they are believed, or they go on waiting. Those whose subscribers have got a later edition are alive, and due again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_held(
        &self,
        policy: BouncePolicy,
        taken: u64,
        wall: DateTime<Utc>,
    ) -> anyhow::Result<Settled> {
        let mut connection = self.writing().await?;
        let mut settled = Settled::default();
        let held: i64 =
            sqlx::query_scalar("SELECT COUNT(DISTINCT subscriber) FROM delivery WHERE held = 1")
                .fetch_one(&mut *connection)
                .await?;
        if held == 0 {
            return Ok(settled);
        }
        let mut tx = self.begin(&mut connection).await?;
        sqlx::query(
            "UPDATE delivery SET state = 'pending', held = 0, due_at = 0, tried_at = NULL, attempts = 0 WHERE held = 1 AND EXISTS (
                SELECT 1 FROM edition e JOIN edition n ON n.newsletter = e.newsletter AND n.number > e.number
                JOIN delivery s ON s.edition = n.id AND s.subscriber = delivery.subscriber
                WHERE e.id = delivery.edition AND s.state = 'sent')",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let held: i64 =
            sqlx::query_scalar("SELECT COUNT(DISTINCT subscriber) FROM delivery WHERE held = 1")
                .fetch_one(&mut *connection)
                .await?;
        let held = u64::try_from(held).unwrap_or_default();
        if held == 0 {
            return Ok(settled);
        }
        if !policy.is_plausible(held, held + taken) {
            settled.doubtful = held;
            settled.editions = editions_held(&mut connection).await?;
            return Ok(settled);
        }
        loop {
            let mut tx = self.begin(&mut connection).await?;
            let rows = sqlx::query(
                "UPDATE delivery SET state = 'failed', held = 0, ended_at = $1
                 WHERE id IN (SELECT id FROM delivery WHERE held = 1 LIMIT $2) RETURNING id, answer",
            )
            .bind(wall.timestamp())
            .bind(AT_A_TIME)
            .fetch_all(&mut *tx)
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let id = DeliveryId(row.try_get("id")?);
                let answer: Option<String> = row.try_get("answer")?;
                self.note_bounce(&mut tx, id, Bounce::Hard, answer.as_deref(), policy, wall)
                    .await?;
            }
            tx.commit().await?;
            settled.failed += rows.len() as u64;
        }
        settled.dead = held;
        Ok(settled)
    }

    /// How many addresses are held because they were called dead, and the editions that wait because of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_held(&self) -> sqlx::Result<(u64, Vec<EditionId>)> {
        let mut connection = self.reading().await?;
        let held: i64 =
            sqlx::query_scalar("SELECT COUNT(DISTINCT subscriber) FROM delivery WHERE held = 1")
                .fetch_one(&mut *connection)
                .await?;
        let editions = editions_held(&mut connection).await?;
        Ok((u64::try_from(held).unwrap_or_default(), editions))
    }

    /// How many mails came back since then because the sender is refused, and what was said about the latest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sender_faults(&self, since: DateTime<Utc>) -> sqlx::Result<Option<(u64, String)>> {
        let mut connection = self.reading().await?;
        let row = sqlx::query(
            "SELECT detail, COUNT(*) OVER () AS n FROM bounce WHERE kind = 'sender-fault' AND at >= $1
             ORDER BY at DESC, subscriber LIMIT 1",
        )
        .bind(since.timestamp())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let number = u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or_default();
        let detail: Option<String> = row.try_get("detail")?;
        Ok(Some((number, detail.unwrap_or_default())))
    }

    /// Domains from which reports have come since then that the sender is refused: how many, and what the latest says.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refusing_domains(
        &self,
        since: DateTime<Utc>,
    ) -> sqlx::Result<BTreeMap<String, (u64, String)>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT s.address_key, b.detail FROM bounce b JOIN subscriber s ON s.id = b.subscriber
             WHERE b.kind = 'sender-fault' AND b.at >= $1 ORDER BY b.at, b.subscriber LIMIT $2",
        )
        .bind(since.timestamp())
        .bind(MANY_REPORTS)
        .fetch_all(&mut *connection)
        .await?;
        let mut domains: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for row in &rows {
            let address: String = row.try_get("address_key")?;
            let detail: Option<String> = row.try_get("detail")?;
            if let Some((_, domain)) = address.rsplit_once('@') {
                let found = domains.entry(domain.to_owned()).or_default();
                found.0 += 1;
                found.1 = detail.unwrap_or_default();
            }
        }
        Ok(domains)
    }

    /// The delivery of `edition` to the subscriber with that public name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_delivery(
        &self,
        edition: &EditionId,
        subscriber: &str,
    ) -> sqlx::Result<Option<DeliveryId>> {
        let mut connection = self.reading().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT d.id FROM subscriber s JOIN delivery d ON d.subscriber = s.id AND d.edition = $1
             WHERE s.token = $2",
        )
        .bind(edition.as_str())
        .bind(subscriber)
        .fetch_optional(&mut *connection)
        .await?;
        Ok(id.map(DeliveryId))
    }
}

impl Pool {
    pub(super) async fn note_bounce(
        &self,
        tx: &mut AnyConnection,
        delivery: DeliveryId,
        bounce: Bounce,
        detail: Option<&str>,
        policy: BouncePolicy,
        at: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        // A hard bounce or a complaint about an edition says more than a soft one; the same report twice says nothing new.
        let subscriber: Option<i64> = sqlx::query_scalar(
            "INSERT INTO bounce (subscriber, edition, kind, at, detail)
             SELECT subscriber, edition, $2, $3, $4 FROM delivery WHERE id = $1
             ON CONFLICT (subscriber, edition) DO UPDATE SET
                kind = CASE WHEN bounce.kind IN ('hard', 'complaint') THEN bounce.kind ELSE excluded.kind END,
                detail = CASE WHEN bounce.kind IN ('hard', 'complaint') THEN bounce.detail ELSE excluded.detail END
             RETURNING subscriber",
        )
        .bind(delivery.0)
        .bind(bounce.word())
        .bind(at.timestamp())
        .bind(detail)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(subscriber) = subscriber else {
            return Ok(false);
        };
        let (reason, times, over) = match bounce {
            Bounce::Hard => (SuppressionReason::Hard, policy.hard, TimeDelta::zero()),
            Bounce::Complaint => (
                SuppressionReason::Complaint,
                policy.complaints,
                TimeDelta::zero(),
            ),
            Bounce::Soft => (SuppressionReason::Soft, policy.soft, policy.soft_for),
            Bounce::SenderFault => return Ok(true),
        };
        let reason = is_given_up(tx, subscriber, bounce, times, over, at)
            .await?
            .then_some(reason);
        if reason == Some(SuppressionReason::Complaint) {
            // Who calls it spam has said that they do not want it.
            let who = [(SubscriberId(subscriber), None)];
            self.leave(&mut *tx, &who, "complaint", at).await?;
        }
        if let Some(reason) = reason {
            sqlx::query(
                "INSERT INTO suppression (address_key, reason, detail, since)
                 SELECT address_key, $2, $3, $4 FROM subscriber WHERE id = $1
                 ON CONFLICT (address_key) DO NOTHING",
            )
            .bind(subscriber)
            .bind(reason.word())
            .bind(detail)
            .bind(at.timestamp())
            .execute(&mut *tx)
            .await?;
        }
        Ok(true)
    }
}

impl Subscribers<'_> {
    /// All addresses that are not mailed, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_suppressions(&self) -> sqlx::Result<Vec<Suppression>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT address_key, reason, detail, since FROM suppression ORDER BY since DESC, address_key",
        )
        .fetch_all(&mut *connection)
        .await?;
        rows.iter()
            .map(|row| {
                let reason: String = row.try_get("reason")?;
                Ok(Suppression {
                    address: row.try_get("address_key")?,
                    reason: super::known(SuppressionReason::from_word(&reason), "reason", &reason)?,
                    detail: row.try_get("detail")?,
                    since: super::time(row, "since")?,
                })
            })
            .collect()
    }

    /// Lets `address` be mailed again. Returns whether it was suppressed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lift_suppression(&self, address: &Address) -> sqlx::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let lifted = sqlx::query("DELETE FROM suppression WHERE address_key = $1")
            .bind(address.key())
            .execute(&mut *tx)
            .await?;
        // It starts anew: what led there must not lead there again at the next full mailbox.
        sqlx::query(
            "DELETE FROM bounce WHERE subscriber IN (SELECT id FROM subscriber WHERE address_key = $1)",
        )
        .bind(address.key())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(lifted.rows_affected() > 0)
    }
}

async fn editions_held(connection: &mut AnyConnection) -> sqlx::Result<Vec<EditionId>> {
    let editions: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT edition FROM delivery WHERE held = 1 ORDER BY edition")
            .fetch_all(connection)
            .await?;
    Ok(editions.into_iter().map(EditionId).collect())
}

/// Whether what has come back of a kind from a subscriber is enough: of so many editions, over so long a time, since the last edition that
/// arrived.
async fn is_given_up(
    tx: &mut AnyConnection,
    subscriber: i64,
    bounce: Bounce,
    times: u32,
    over: TimeDelta,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    // Complaints come about mail that has arrived.
    let rows = sqlx::query(
        "SELECT b.at FROM bounce b WHERE b.subscriber = $1 AND b.kind = $4 AND b.at <= $2
         AND (b.kind = 'complaint' OR b.at > COALESCE((SELECT MAX(d.ended_at) FROM delivery d
             WHERE d.subscriber = $1 AND d.state = 'sent' AND d.ended_at <= $3
             AND NOT EXISTS (SELECT 1 FROM bounce o WHERE o.subscriber = $1 AND o.edition = d.edition)), 0))
         ORDER BY b.at",
    )
    .bind(subscriber)
    .bind(at.timestamp())
    .bind((at - REPORTED_WITHIN).timestamp())
    .bind(bounce.word())
    .fetch_all(&mut *tx)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(false);
    };
    let first: i64 = first.try_get("at")?;
    let span = TimeDelta::seconds(at.timestamp() - first);
    Ok(rows.len() >= times as usize && span >= over)
}

/// Looks at all reports of dead addresses about the edition of `delivery`. Where there are too many to be believed, the addresses may be
/// mailed again that were suppressed because of them. Returns whether there are.
async fn doubt(
    tx: &mut AnyConnection,
    delivery: DeliveryId,
    policy: BouncePolicy,
) -> sqlx::Result<bool> {
    let edition: String = sqlx::query_scalar("SELECT edition FROM delivery WHERE id = $1")
        .bind(delivery.0)
        .fetch_one(&mut *tx)
        .await?;
    let dead: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM bounce WHERE edition = $1 AND kind = 'hard'")
            .bind(&edition)
            .fetch_one(&mut *tx)
            .await?;
    // Of a long list not after each of thousands of reports.
    if dead > MANY_DEAD && dead % MANY_DEAD != 0 {
        return Ok(false);
    }
    // No more have to be counted than would make it plausible.
    let enough = dead * 100 / i64::from(policy.doubt.max(1)) + 2;
    let mailed: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE edition = $1 AND state IN ('sent', 'failed') LIMIT $2) mailed",
    )
    .bind(&edition)
    .bind(enough)
    .fetch_one(&mut *tx)
    .await?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    if policy.is_plausible(number(dead), number(mailed)) {
        return Ok(false);
    }
    sqlx::query(
        "DELETE FROM suppression WHERE reason = 'hard' AND EXISTS (
            SELECT 1 FROM bounce b JOIN subscriber s ON s.id = b.subscriber
            WHERE b.edition = $1 AND b.kind = 'hard' AND s.address_key = suppression.address_key AND b.at = suppression.since)",
    )
    .bind(&edition)
    .execute(&mut *tx)
    .await?;
    Ok(true)
}
