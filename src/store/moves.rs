//! Changes of address: asked for on a page, and made by a click in the new mailbox.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AnyConnection, Row as _};

use super::keys::fresh_number;
use super::signups::{ADDRESS_SPAN, PER_ADDRESS, link_state};
use super::{Asked, Click, Confirmed, LetterKind, LinkState, Origin, Subscribers, time};
use crate::model::{
    Address, Consent, ConsentEvent, Language, NewSubscriber, Subscriber, SubscriberId,
    SubscriberState,
};

impl Subscribers<'_> {
    /// Plans the letter that asks whether `address` belongs to `subscriber`. Of one subscriber, a few are kept a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_address_change(
        &self,
        subscriber: SubscriberId,
        address: &Address,
        language: Language,
        ip: IpAddr,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let id = fresh_number()?;
        let planned = sqlx::query(
            "INSERT INTO address_change (id, subscriber, address, address_key, ip, requested_at)
             SELECT $8, $1, $2, $3, $4, $5 WHERE
                (SELECT COUNT(*) FROM address_change WHERE subscriber = $1 AND requested_at > $6 AND requested_at < $9) < $7",
        )
        .bind(subscriber.0)
        .bind(address.as_str())
        .bind(address.key())
        .bind(ip.to_string())
        .bind(now.timestamp())
        .bind((now - ADDRESS_SPAN).timestamp())
        .bind(PER_ADDRESS)
        .bind(id)
        .bind((now + ADDRESS_SPAN).timestamp())
        .execute(&mut *tx)
        .await?;
        if planned.rows_affected() > 0 {
            self.plan_letter(&mut tx, LetterKind::Move, id, address, language, now)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Moves a subscriber to the address that they have proved to be theirs. Where it has a subscription already, that one takes
    /// over what they chose, and the one of the old address ends.
    ///
    /// # Errors
    /// When the database fails; nothing is moved then.
    pub async fn confirm_address_change(
        &self,
        click: Click<'_>,
        home: Language,
    ) -> anyhow::Result<Confirmed> {
        let Click {
            id,
            since,
            ip,
            form,
            now,
        } = click;
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let row = sqlx::query(
            "UPDATE address_change SET confirmed_at = $2
             WHERE id = $1 AND requested_at > $3 AND confirmed_at IS NULL RETURNING subscriber, address, address_key, ip, requested_at",
        )
        .bind(id)
        .bind(now.timestamp())
        .bind(since.timestamp())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            let state = link_state(&mut tx, Asked::Move, id, since).await?;
            return Ok(Confirmed::Not(state));
        };
        let mover = SubscriberId(row.try_get("subscriber")?);
        let (address, key): (String, String) =
            (row.try_get("address")?, row.try_get("address_key")?);
        let Some(before) = self.subscriber_in(&mut tx, mover).await? else {
            return Ok(Confirmed::Not(LinkState::Gone));
        };
        // Who has left meanwhile does not come back by this.
        if before.state != SubscriberState::Confirmed {
            return Ok(Confirmed::Not(LinkState::Gone));
        }
        let other: Option<i64> =
            sqlx::query_scalar("SELECT id FROM subscriber WHERE address_key = $1")
                .bind(&key)
                .fetch_optional(&mut *tx)
                .await?;
        let configured: String = sqlx::query_scalar("SELECT origin FROM subscriber WHERE id = $1")
            .bind(mover.0)
            .fetch_one(&mut *tx)
            .await?;
        let stays = match other {
            Some(other) => other == mover.0,
            // The configuration would bring the old address back, were it not known to have left.
            None => configured != Origin::Config.word(),
        };
        let subscriber = if stays {
            sqlx::query(
                "UPDATE subscriber SET address = $2, address_key = $3, origin = $4 WHERE id = $1",
            )
            .bind(mover.0)
            .bind(&address)
            .bind(&key)
            .bind(Origin::Form.word())
            .execute(&mut *tx)
            .await?;
            // What happened to mail for the old address says nothing about the new one.
            sqlx::query("DELETE FROM bounce WHERE subscriber = $1")
                .bind(mover.0)
                .execute(&mut *tx)
                .await?;
            mover
        } else {
            let new = Address::parse(&address)?;
            let heir = self.heir(&mut tx, mover, &before, &new, now).await?;
            self.leave(&mut tx, &[(mover, Some(ip))], form, now).await?;
            heir
        };
        sqlx::query("DELETE FROM suppression WHERE address_key = $1")
            .bind(&key)
            .execute(&mut *tx)
            .await?;
        let asked: String = row.try_get("ip")?;
        let from = self
            .erasure_hash(&mut tx, &before.profile.address.key())
            .await?;
        let to = self.erasure_hash(&mut tx, &key).await?;
        let entry = Consent {
            details: json!({
                "from_hmac": from, "to_hmac": to, "requested_from": asked,
                "requested_at": time(&row, "requested_at")?,
            }),
            ..Consent::new(ConsentEvent::Moved, now, Some(ip), form)
        };
        self.log_consent(&mut tx, &[(subscriber, entry)]).await?;
        let erased = self.erased_hashes(&mut tx, [&key].into_iter()).await?;
        for hash in erased.keys() {
            self.forget_erased(&mut tx, hash).await?;
        }
        // Whoever had the link may not have been the reader: the old mailbox is told.
        let language = before.profile.preferences.language.unwrap_or(home);
        let (kind, old) = (LetterKind::Moved, &before.profile.address);
        self.plan_letter(&mut tx, kind, subscriber.0, old, language, now)
            .await?;
        tx.commit().await?;
        Ok(Confirmed::Now(subscriber))
    }

    /// The subscription of another address, with all that `mover` chose.
    async fn heir(
        &self,
        tx: &mut AnyConnection,
        mover: SubscriberId,
        before: &Subscriber,
        address: &Address,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SubscriberId> {
        let person = NewSubscriber {
            address: address.clone(),
            ..before.profile.clone()
        };
        let entry = (person, SubscriberState::Confirmed, Some(now));
        let heir = self.write_subscriber(tx, &entry, Origin::Form, now).await?;
        for sql in [
            "INSERT INTO follow (subscriber, story, at_once, since)
             SELECT $2, story, at_once, since FROM follow WHERE subscriber = $1 ON CONFLICT DO NOTHING",
            // The proof goes with what it proves.
            "INSERT INTO consent (subscriber, event, at, ip, form, text, details)
             SELECT $2, event, at, ip, form, text, details FROM consent
             WHERE subscriber = $1 AND event IN ('requested', 'confirmed', 'added', 'moved') ORDER BY id",
        ] {
            sqlx::query(sql)
                .bind(mover.0)
                .bind(heir.0)
                .execute(&mut *tx)
                .await?;
        }
        Ok(heir)
    }
}
