//! Bounces and complaints, and the addresses that are not mailed any more because of them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AnyConnection, Row as _};

use super::{Ledger, Pool, Subscribers};
use crate::model::{
    Address, Bounce, DeliveryId, EditionId, SubscriberId, Suppression, SuppressionReason,
};

/// A mailbox that was full in this many editions, over [`PERSISTENT`], is given up.
const SOFT_LIMIT: usize = 3;

/// How long a mailbox must have been in trouble to be given up.
const PERSISTENT: TimeDelta = TimeDelta::days(14);

/// So many reports say enough.
const MANY_REPORTS: i64 = 10_000;

/// How long a mail server keeps trying before it reports that a mail bounced: an edition that is older and drew no report has
/// arrived (RFC 5321 4.5.4.1).
const REPORTED_WITHIN: TimeDelta = TimeDelta::days(5);

impl Ledger<'_> {
    /// Takes note that the mail of `delivery` bounced at `at`, and suppresses the address where the rules say so: after one
    /// hard bounce or complaint, or after three soft ones in different editions over fourteen days in which nothing arrived.
    ///
    /// Returns whether the delivery is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_bounce(
        &self,
        delivery: DeliveryId,
        bounce: Bounce,
        detail: Option<&str>,
        at: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let known = self
            .note_bounce(&mut tx, delivery, bounce, detail, at)
            .await?;
        tx.commit().await?;
        Ok(known)
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
        if bounce == Bounce::Complaint {
            // Who calls it spam has said that they do not want it.
            let who = [(SubscriberId(subscriber), None)];
            self.leave(&mut *tx, &who, "complaint", at).await?;
        }
        let reason = match bounce {
            Bounce::Hard => Some(SuppressionReason::Hard),
            Bounce::Complaint => Some(SuppressionReason::Complaint),
            Bounce::Soft => is_given_up(tx, subscriber, at)
                .await?
                .then_some(SuppressionReason::Soft),
            Bounce::SenderFault => None,
        };
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
                    reason: SuppressionReason::from_word(&reason),
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

/// Whether the soft bounces of a subscriber, with the one at `at`, are enough.
async fn is_given_up(
    tx: &mut AnyConnection,
    subscriber: i64,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    // Since the last edition that arrived.
    let rows = sqlx::query(
        "SELECT b.at FROM bounce b WHERE b.subscriber = $1 AND b.kind = 'soft' AND b.at <= $2
         AND b.at > COALESCE((SELECT MAX(d.ended_at) FROM delivery d
             WHERE d.subscriber = $1 AND d.state = 'sent' AND d.ended_at <= $3
             AND NOT EXISTS (SELECT 1 FROM bounce o WHERE o.subscriber = $1 AND o.edition = d.edition)), 0)
         ORDER BY b.at",
    )
    .bind(subscriber)
    .bind(at.timestamp())
    .bind((at - REPORTED_WITHIN).timestamp())
    .fetch_all(&mut *tx)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(false);
    };
    let first: i64 = first.try_get("at")?;
    let span = TimeDelta::seconds(at.timestamp() - first);
    Ok(rows.len() >= SOFT_LIMIT && span >= PERSISTENT)
}
