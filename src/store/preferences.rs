//! What one subscriber has chosen, and that they take back having left.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::subscribers::subscribers;
use super::{Origin, Pool, Subscribers};
use crate::model::{
    CadenceId, Consent, ConsentEvent, Language, Length, Preferences, Reading, Subscriber,
    SubscriberId, SubscriberState, TopicId, Topics, Weekdays,
};

impl Subscribers<'_> {
    /// The subscriber of that number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_subscriber(&self, id: SubscriberId) -> anyhow::Result<Option<Subscriber>> {
        let mut connection = self.reading().await?;
        self.subscriber_in(&mut connection, id).await
    }

    /// Writes what a subscriber has chosen, and puts it on record. From now on it is theirs: no configuration overrules it.
    ///
    /// Returns whether there is such a subscriber, who has not left.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn update_preferences(
        &self,
        id: SubscriberId,
        chosen: &Preferences,
        entry: Consent,
    ) -> anyhow::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let changed = sqlx::query(
            "UPDATE subscriber SET cadence = $2, language = $3, length = $4, send_hour = $5, timezone = $6,
                paused_until = $7, origin = $8, days = $9, reading = $10
             WHERE id = $1 AND state = 'confirmed'",
        )
        .bind(id.0)
        .bind(chosen.cadence.as_str())
        .bind(chosen.language.map(Language::tag))
        .bind(chosen.reading.length.word())
        .bind(chosen.hour.map(i64::from))
        .bind(chosen.timezone.map(chrono_tz::Tz::name))
        .bind(chosen.paused_until.map(|at| at.timestamp()))
        .bind(Origin::Form.word())
        .bind(stored_days(chosen))
        .bind(serde_json::to_string(&chosen.reading)?)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        self.write_topics(&mut tx, id, &chosen.topics).await?;
        self.log_consent(&mut tx, &[(id, entry)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes back that somebody left after `since`. Returns whether they are subscribed now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undo_unsubscribe(
        &self,
        id: SubscriberId,
        since: DateTime<Utc>,
        ip: IpAddr,
        form: &str,
        now: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        // Whoever had not confirmed before is not confirmed by this.
        let back = sqlx::query(
            "UPDATE subscriber SET state = 'confirmed', left_at = NULL, origin = $3
             WHERE id = $1 AND state = 'unsubscribed' AND left_at > $2 AND confirmed_at IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.address_key = subscriber.address_key)",
        )
        .bind(id.0)
        .bind(since.timestamp())
        .bind(Origin::Form.word())
        .execute(&mut *tx)
        .await?;
        if back.rows_affected() > 0 {
            let entry = Consent::new(ConsentEvent::Returned, now, Some(ip), form);
            self.log_consent(&mut tx, &[(id, entry)]).await?;
        }
        let state: Option<String> =
            sqlx::query_scalar("SELECT state FROM subscriber WHERE id = $1")
                .bind(id.0)
                .fetch_optional(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(state.as_deref() == Some(SubscriberState::Confirmed.word()))
    }
}

impl Pool {
    pub(super) async fn subscriber_in(
        &self,
        connection: &mut AnyConnection,
        id: SubscriberId,
    ) -> anyhow::Result<Option<Subscriber>> {
        let rows = sqlx::query("SELECT * FROM subscriber WHERE id = $1 AND address <> ''")
            .bind(id.0)
            .fetch_all(&mut *connection)
            .await?;
        let topics =
            sqlx::query("SELECT subscriber, topic FROM subscriber_topic WHERE subscriber = $1")
                .bind(id.0)
                .fetch_all(&mut *connection)
                .await?;
        let found = subscribers(&rows, &topics)?;
        Ok(found.into_iter().next().map(|(_, subscriber)| subscriber))
    }

    pub(super) async fn write_topics(
        &self,
        tx: &mut AnyConnection,
        id: SubscriberId,
        topics: &Topics,
    ) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM subscriber_topic WHERE subscriber = $1")
            .bind(id.0)
            .execute(&mut *tx)
            .await?;
        let sql = self.with_rows(
            "INSERT INTO subscriber_topic (subscriber, topic) SELECT $2, r.value->>'v' FROM {rows} WHERE true",
        );
        sqlx::query(sql)
            .bind(super::array(topics.picked()))
            .bind(id.0)
            .execute(&mut *tx)
            .await?;
        Ok(())
    }
}

/// The preferences of a subscriber's row, with their topics.
pub(super) fn preferences(row: &AnyRow, topics: BTreeSet<TopicId>) -> anyhow::Result<Preferences> {
    let language: Option<String> = row.try_get("language")?;
    let days: Option<i64> = row.try_get("days")?;
    Ok(Preferences {
        cadence: CadenceId(row.try_get("cadence")?),
        language: language.and_then(|tag| Language::from_tag(&tag)),
        topics: Topics::from_stored(topics),
        reading: reading(row)?,
        days: match days {
            Some(bits) => super::known(Weekdays::from_bits(bits), "days", bits)?,
            None => Weekdays::ALL,
        },
        hour: row
            .try_get::<Option<i64>, _>("send_hour")?
            .and_then(|hour| u8::try_from(hour).ok()),
        timezone: row
            .try_get::<Option<String>, _>("timezone")?
            .and_then(|zone| zone.parse().ok()),
        paused_until: super::optional_time(row, "paused_until")?,
    })
}

/// How the subscriber of a row reads.
pub(super) fn reading(row: &AnyRow) -> anyhow::Result<Reading> {
    let stored: String = row.try_get("reading")?;
    let reading = serde_json::from_str(&stored)
        .with_context(|| format!("reading the preferences “{stored}”"))?;
    let word = row.try_get("length")?;
    let length = super::known(Length::from_word(word), "length", word)?;
    Ok(Reading { length, ..reading })
}

/// The days as the store has them: nothing where it is every day.
pub(super) fn stored_days(preferences: &Preferences) -> Option<i64> {
    (preferences.days != Weekdays::ALL).then_some(preferences.days.bits())
}
