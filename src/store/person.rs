//! All that is known of one person, given to them (Art. 15 and 20 GDPR).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use ring::hmac;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::keys::{ERASURE_KEY, secret};
use super::{Pool, Subscribers, array, optional_time, time};
use crate::model::{Address, Follow, Subscriber, SubscriberId, SubscriberState};

/// All that is known of one person.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// The address, as it is written.
    pub address: String,
    /// What they chose; absent for who only signed up.
    pub subscription: Option<Subscription>,
    /// What they did and agreed to, the earliest first.
    pub consent: Vec<ConsentLine>,
    /// Stories that they follow.
    pub follows: Vec<Follow>,
    /// Sign-ups that are not confirmed.
    pub sign_ups: Vec<SignUpLine>,
    /// Changes of address that they asked for.
    pub address_changes: Vec<ChangeLine>,
    /// Editions that went to them.
    pub deliveries: Vec<DeliveryLine>,
    /// Mail that came back.
    pub bounces: Vec<BounceLine>,
    /// Other mails.
    pub letters: Vec<LetterLine>,
    /// Why the address is not mailed, if it is not.
    pub suppressed: Option<String>,
}

/// A subscription, as [`Person`] has it.
#[derive(Debug, Clone, Serialize)]
pub struct Subscription {
    pub name: String,
    pub state: &'static str,
    #[serde(flatten)]
    pub preferences: serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub left_at: Option<DateTime<Utc>>,
}

/// An entry of the log of consent.
#[derive(Debug, Clone, Serialize)]
pub struct ConsentLine {
    pub event: String,
    pub at: DateTime<Utc>,
    pub ip: Option<String>,
    pub form: String,
    pub text: Option<String>,
    pub text_sha256: Option<String>,
    pub details: Option<serde_json::Value>,
}

/// A sign-up, which nobody has confirmed or which has been.
#[derive(Debug, Clone, Serialize)]
pub struct SignUpLine {
    pub cadence: String,
    pub language: String,
    pub topics: Vec<String>,
    pub follow: Option<String>,
    pub ip: String,
    pub form: String,
    pub text_sha256: String,
    pub requested_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// A change of address.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeLine {
    pub address: String,
    pub ip: String,
    pub requested_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// An edition that was planned for them.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryLine {
    pub edition: String,
    pub state: String,
    pub planned_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub answer: Option<String>,
}

/// A mail that came back.
#[derive(Debug, Clone, Serialize)]
pub struct BounceLine {
    pub edition: String,
    pub kind: String,
    pub at: DateTime<Utc>,
    pub detail: Option<String>,
}

/// A letter.
#[derive(Debug, Clone, Serialize)]
pub struct LetterLine {
    pub kind: String,
    pub address: String,
    pub state: String,
    pub answer: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Subscribers<'_> {
    /// All that is known of who has `address`; `None` when nothing is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_person(&self, address: &Address) -> anyhow::Result<Option<Person>> {
        let key = address.key();
        let mut connection = self.reading().await?;
        let connection = &mut *connection;
        let identity = self.identity_of(connection, &key).await?;
        let (numbers, keys) = (array(&identity.subscribers), array(&identity.keys));
        // What they have now is that of the address they moved to. Nobody has the number 0.
        let mut current = SubscriberId(identity.subscribers.first().copied().unwrap_or(0));
        for id in &identity.subscribers {
            let known = self.subscriber_in(connection, SubscriberId(*id)).await?;
            if known.is_some_and(|known| known.state == SubscriberState::Confirmed) {
                current = SubscriberId(*id);
            }
        }
        let id = current;
        let subscriber = self.subscriber_in(connection, id).await?;
        let lines = rows(
            self,
            connection,
            // Whoever takes over another subscription takes over the proof of it.
            "SELECT c.event, c.at, c.ip, c.form, c.text, t.text AS words, c.details
             FROM consent c LEFT JOIN consent_text t ON t.hash = c.text WHERE c.subscriber IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) ORDER BY c.at, c.id",
            &array([id.0]),
        )
        .await?;
        let consent = lines.iter().map(|row| {
            let details: Option<String> = row.try_get("details")?;
            anyhow::Ok(ConsentLine {
                event: row.try_get("event")?,
                at: time(row, "at")?,
                ip: row.try_get("ip")?,
                form: row.try_get("form")?,
                text: row.try_get("words")?,
                text_sha256: row.try_get("text")?,
                details: details.as_deref().map(serde_json::from_str).transpose()?,
            })
        });
        let consent = consent.collect::<anyhow::Result<Vec<_>>>()?;
        let lines = rows(self, connection, "SELECT * FROM signup WHERE address_key IN (SELECT r.value->>'v' FROM {rows}) ORDER BY id", &keys).await?;
        let sign_ups = lines.iter().map(|row| {
            anyhow::Ok(SignUpLine {
                cadence: row.try_get("cadence")?,
                language: row.try_get("language")?,
                topics: serde_json::from_str(row.try_get("topics")?)?,
                follow: row.try_get("follow")?,
                ip: row.try_get("ip")?,
                form: row.try_get("form")?,
                text_sha256: row.try_get("consent")?,
                requested_at: time(row, "requested_at")?,
                confirmed_at: optional_time(row, "confirmed_at")?,
            })
        });
        let sign_ups = sign_ups.collect::<anyhow::Result<Vec<_>>>()?;
        let changes = "SELECT * FROM address_change WHERE subscriber IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) ORDER BY id";
        let lines = rows(self, connection, changes, &numbers).await?;
        let address_changes = lines.iter().map(|row| {
            Ok(ChangeLine {
                address: row.try_get("address")?,
                ip: row.try_get("ip")?,
                requested_at: time(row, "requested_at")?,
                confirmed_at: optional_time(row, "confirmed_at")?,
            })
        });
        let address_changes = address_changes.collect::<sqlx::Result<Vec<_>>>()?;
        let deliveries = "SELECT * FROM delivery WHERE subscriber IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) ORDER BY planned_at, id";
        let lines = rows(self, connection, deliveries, &numbers).await?;
        let deliveries = lines.iter().map(|row| {
            Ok(DeliveryLine {
                edition: row.try_get("edition")?,
                state: row.try_get("state")?,
                planned_at: time(row, "planned_at")?,
                ended_at: optional_time(row, "ended_at")?,
                answer: row.try_get("answer")?,
            })
        });
        let deliveries = deliveries.collect::<sqlx::Result<Vec<_>>>()?;
        let bounces = "SELECT * FROM bounce WHERE subscriber IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) ORDER BY at, edition";
        let lines = rows(self, connection, bounces, &numbers).await?;
        let bounces = lines.iter().map(|row| {
            Ok(BounceLine {
                edition: row.try_get("edition")?,
                kind: row.try_get("kind")?,
                at: time(row, "at")?,
                detail: row.try_get("detail")?,
            })
        });
        let bounces = bounces.collect::<sqlx::Result<Vec<_>>>()?;
        let lines = rows(self, connection, "SELECT * FROM letter WHERE address_key IN (SELECT r.value->>'v' FROM {rows}) ORDER BY id", &keys).await?;
        let letters = lines.iter().map(|row| {
            Ok(LetterLine {
                kind: row.try_get("kind")?,
                address: row.try_get("address")?,
                state: row.try_get("state")?,
                answer: row.try_get("answer")?,
                created_at: time(row, "created_at")?,
                ended_at: optional_time(row, "ended_at")?,
            })
        });
        let letters = letters.collect::<sqlx::Result<Vec<_>>>()?;
        let suppressed: Option<String> =
            sqlx::query_scalar("SELECT reason FROM suppression WHERE address_key = $1")
                .bind(&key)
                .fetch_optional(&mut *connection)
                .await?;
        let person = Person {
            address: subscriber.as_ref().map_or_else(
                || address.as_str().to_owned(),
                |known| known.profile.address.as_str().to_owned(),
            ),
            subscription: subscriber.map(Subscription::from),
            consent,
            follows: self.follows_in(connection, id).await?,
            sign_ups,
            address_changes,
            deliveries,
            bounces,
            letters,
            suppressed,
        };
        let is_known = person.subscription.is_some()
            || !person.sign_ups.is_empty()
            || !person.letters.is_empty()
            || person.suppressed.is_some();
        Ok(is_known.then_some(person))
    }
}

impl Pool {
    /// What is left of an address in the log, and when it is erased.
    pub(super) async fn erasure_hash(
        &self,
        tx: &mut AnyConnection,
        key: &str,
    ) -> anyhow::Result<String> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret(tx, ERASURE_KEY).await?);
        Ok(hash(&secret, key))
    }

    /// What would be left of these addresses, had they been erased: each with its address. Nothing where nobody has.
    pub(super) async fn erased_hashes<'k>(
        &self,
        tx: &mut AnyConnection,
        keys: impl Iterator<Item = &'k String>,
    ) -> anyhow::Result<HashMap<String, String>> {
        let anybody: Option<i64> = sqlx::query_scalar("SELECT at FROM erased LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
        if anybody.is_none() {
            return Ok(HashMap::new());
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret(tx, ERASURE_KEY).await?);
        Ok(keys.map(|key| (hash(&secret, key), key.clone())).collect())
    }

    /// Those of `hashes` that are of erased addresses.
    pub(super) async fn list_erased(
        &self,
        tx: &mut AnyConnection,
        hashes: impl Iterator<Item = &String>,
    ) -> sqlx::Result<HashSet<String>> {
        let sql = self
            .with_rows("SELECT hash FROM erased WHERE hash IN (SELECT r.value->>'v' FROM {rows})");
        let found: Vec<String> = sqlx::query_scalar(sql)
            .bind(super::array(hashes))
            .fetch_all(tx)
            .await?;
        Ok(found.into_iter().collect())
    }

    /// Lets an erased address be subscribed again.
    pub(super) async fn forget_erased(
        &self,
        tx: &mut AnyConnection,
        hash: &str,
    ) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM erased WHERE hash = $1")
            .bind(hash)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// What stands for an address in the log.
pub(super) fn hash(secret: &hmac::Key, key: &str) -> String {
    let sealed = hmac::sign(secret, key.as_bytes());
    sealed
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn rows(
    pool: &Pool,
    connection: &mut AnyConnection,
    sql: &str,
    of: &str,
) -> sqlx::Result<Vec<AnyRow>> {
    sqlx::query(pool.with_rows(sql))
        .bind(of)
        .fetch_all(connection)
        .await
}

impl From<Subscriber> for Subscription {
    fn from(known: Subscriber) -> Self {
        let profile = known.profile;
        Self {
            name: profile.name,
            state: known.state.word(),
            preferences: profile.preferences.to_json(),
            created_at: known.created_at,
            confirmed_at: known.confirmed_at,
            left_at: known.left_at,
        }
    }
}
