//! Subscribers: who gets mail, and only with consent.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::preferences::{preferences, stored_days};
use super::{LetterKind, Pool, Subscribers, array, optional_time, time};
use crate::model::{
    Address, CadenceId, Consent, ConsentEvent, Language, NewSubscriber, Subscriber, SubscriberId,
    SubscriberState, TopicId,
};

/// How many subscribers one statement takes.
const BATCH: usize = 1_000;

/// Where the word about a subscriber came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `tidings subscribers add`: the operator names one person, and means it.
    Command,
    /// A CSV file.
    Import,
    /// `[[subscriber]]` in the configuration.
    Config,
    /// A form that they filled in themselves.
    Form,
}

impl Origin {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Import => "import",
            Self::Config => "config",
            Self::Form => "form",
        }
    }
}

/// What became of people who were to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscribed {
    /// Not known before.
    pub added: usize,
    /// Known; their choices updated.
    pub updated: usize,
    /// Have unsubscribed, and stay so.
    pub left_alone: Vec<Address>,
    /// Are pending now, and get no mail.
    pub pending: u64,
}

/// A cadence or a topic that subscribers have chosen and the configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stranded {
    /// The cadence, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cadence: Option<CadenceId>,
    /// The topic, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicId>,
    /// How many have chosen it.
    pub subscribers: u64,
}

impl Subscribers<'_> {
    /// Adds people, or updates the choices of those already known.
    ///
    /// Who has unsubscribed stays unsubscribed when a file or the configuration names them again: the
    /// list may be older than their wish. Only [`Origin::Command`] brings somebody back.
    ///
    /// # Errors
    /// When the database fails. Those before the place where it did are added; to add them again is fine.
    pub async fn create_subscribers(
        &self,
        people: &[(NewSubscriber, SubscriberState, Option<DateTime<Utc>>)],
        origin: Origin,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Subscribed> {
        let mut result = Subscribed::default();
        for batch in people.chunks(BATCH) {
            // Nobody who leaves meanwhile has to wait for a million others.
            let mut connection = self.writing().await?;
            let mut tx = self.begin(&mut connection).await?;
            create_batch(self, &mut tx, batch, origin, now, &mut result).await?;
            tx.commit().await?;
        }
        Ok(result)
    }

    /// Makes the `[[subscriber]]` entries of the configuration and the store agree. Somebody who is taken
    /// out of the configuration becomes pending and gets nothing; put back, they are confirmed again. Returns
    /// those who stand in the configuration but have unsubscribed, and stay so.
    ///
    /// # Errors
    /// When the database fails; nothing changes then.
    pub async fn sync_configured(
        &self,
        people: &[NewSubscriber],
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Address>> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let rows: Vec<_> = people
            .iter()
            .map(|person| (person.clone(), SubscriberState::Confirmed, Some(now)))
            .collect();
        let mut subscribed = Subscribed::default();
        for batch in rows.chunks(BATCH) {
            create_batch(self, &mut tx, batch, Origin::Config, now, &mut subscribed).await?;
        }
        let named = array(people.iter().map(|person| person.address.key()));
        let gone = "origin = 'config' AND state = 'confirmed' AND address_key NOT IN (SELECT r.value->>'v' FROM {rows})";
        let sql = self.with_rows(&format!(
            "UPDATE subscriber SET state = 'pending' WHERE {gone}"
        ));
        sqlx::query(sql).bind(&named).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(subscribed.left_alone)
    }

    /// Those of `people`, of the configuration, who have unsubscribed, and stay so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_unsubscribed(&self, people: &[NewSubscriber]) -> sqlx::Result<Vec<String>> {
        let mut connection = self.reading().await?;
        let sql = self.with_rows(
            "SELECT address FROM subscriber WHERE state = 'unsubscribed'
             AND address_key IN (SELECT r.value->>'v' FROM {rows}) ORDER BY address",
        );
        let named = array(people.iter().map(|person| person.address.key()));
        sqlx::query_scalar(sql)
            .bind(named)
            .fetch_all(&mut *connection)
            .await
    }

    /// Unsubscribes an address. What is planned for it is not sent any more: each delivery asks again before it
    /// begins. `false` when nobody has it or they had left before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsubscribe(
        &self,
        address: &Address,
        form: &str,
        at: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let number: Option<i64> =
            sqlx::query_scalar("SELECT id FROM subscriber WHERE address_key = $1")
                .bind(address.key())
                .fetch_optional(&mut *tx)
                .await?;
        let who: Vec<_> = number
            .map(|id| (SubscriberId(id), None))
            .into_iter()
            .collect();
        let left = self.leave(&mut tx, &who, form, at).await?;
        tx.commit().await?;
        Ok(!left.is_empty())
    }

    /// Unsubscribes all of `who`, each with where the wish came from, as [`Self::unsubscribe`] does. Returns those who had not left
    /// before.
    ///
    /// # Errors
    /// When the database fails; nobody has left then.
    pub async fn unsubscribe_all(
        &self,
        who: &[(SubscriberId, Option<IpAddr>)],
        form: &str,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Vec<SubscriberId>> {
        let mut connection = self.urgent().await?;
        let mut tx = self.begin(&mut connection).await?;
        let left = self.leave(&mut tx, who, form, at).await?;
        tx.commit().await?;
        Ok(left)
    }

    /// Unsubscribes somebody who has written a mail, and plans the goodbye in `home` or their own language, where there is one. Returns whether
    /// they had not left before.
    ///
    /// # Errors
    /// When the database fails; nobody has left then.
    pub async fn unsubscribe_by_mail(
        &self,
        who: SubscriberId,
        goodbye: Option<Language>,
        at: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let left = self.leave(&mut tx, &[(who, None)], "mail", at).await?;
        let has_left = !left.is_empty();
        if has_left
            && let Some(home) = goodbye
            && let Some(known) = self.subscriber_in(&mut tx, who).await?
        {
            let language = known.profile.preferences.language.unwrap_or(home);
            let (kind, address) = (LetterKind::Goodbye, &known.profile.address);
            self.plan_letter(&mut tx, kind, who.0, address, language, at)
                .await?;
        }
        tx.commit().await?;
        Ok(has_left)
    }

    /// Those of `addresses` that are known, by the addresses' keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_subscribers(
        &self,
        addresses: &[Address],
    ) -> anyhow::Result<HashMap<String, Subscriber>> {
        let mut connection = self.reading().await?;
        let mut found = HashMap::new();
        for batch in addresses.chunks(BATCH) {
            let keys = array(batch.iter().map(Address::key));
            let page =
                "SELECT id FROM subscriber WHERE address_key IN (SELECT r.value->>'v' FROM {rows})";
            let sql = self.with_rows(&format!(
                "SELECT subscriber, topic FROM subscriber_topic WHERE subscriber IN ({page})"
            ));
            let topics = sqlx::query(sql)
                .bind(&keys)
                .fetch_all(&mut *connection)
                .await?;
            let sql = self.with_rows(&format!("SELECT * FROM subscriber WHERE id IN ({page})"));
            let rows = sqlx::query(sql)
                .bind(&keys)
                .fetch_all(&mut *connection)
                .await?;
            let known = subscribers(&rows, &topics)?;
            found.extend(
                known
                    .into_iter()
                    .map(|(_, one)| (one.profile.address.key(), one)),
            );
        }
        Ok(found)
    }

    /// Which cadences and topics confirmed subscribers have chosen that are not among `cadences` and `topics`, and how many have each:
    /// they get nothing of these. Those who stand in the configuration, `configured`, have what stands there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_stranded(
        &self,
        cadences: &[&str],
        topics: &[&str],
        configured: &[NewSubscriber],
    ) -> sqlx::Result<Vec<Stranded>> {
        let mut connection = self.reading().await?;
        let configured = array(configured.iter().map(|person| person.address.key()));
        let mut stranded = Vec::new();
        for (what, from, known) in [
            ("s.cadence", "subscriber s", cadences),
            (
                "t.topic",
                "subscriber s JOIN subscriber_topic t ON t.subscriber = s.id",
                topics,
            ),
        ] {
            let sql = format!(
                "SELECT {what} AS what, COUNT(*) AS n FROM {from} WHERE s.state = 'confirmed'
                 AND {what} NOT IN (SELECT r.value->>'v' FROM {{rows}})
                 AND NOT (s.origin = 'config' AND s.address_key IN (SELECT r.value->>'v' FROM {}))
                 GROUP BY {what} ORDER BY {what}",
                self.engine.dialect.rows.replace("$1", "$2")
            );
            let rows = sqlx::query(self.with_rows(&sql))
                .bind(array(known))
                .bind(&configured)
                .fetch_all(&mut *connection)
                .await?;
            for row in &rows {
                let name: String = row.try_get("what")?;
                let is_cadence = what == "s.cadence";
                stranded.push(Stranded {
                    cadence: is_cadence.then(|| CadenceId(name.clone())),
                    topic: (!is_cadence).then_some(TopicId(name)),
                    subscribers: u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or_default(),
                });
            }
        }
        Ok(stranded)
    }

    /// Subscribers in the order in which they came, `limit` at a time: those after the place `after`,
    /// each with its place. Start with 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_subscribers(
        &self,
        after: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<(i64, Subscriber)>> {
        let mut connection = self.reading().await?;
        let page = "SELECT id FROM subscriber WHERE id > $1 AND address_key NOT LIKE 'erased:%' ORDER BY id LIMIT $2";
        let topic_sql =
            format!("SELECT subscriber, topic FROM subscriber_topic WHERE subscriber IN ({page})");
        let topics = sqlx::query(sqlx::AssertSqlSafe(topic_sql))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await?;
        let rows = sqlx::query("SELECT * FROM subscriber WHERE id > $1 AND address_key NOT LIKE 'erased:%' ORDER BY id LIMIT $2")
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await?;
        subscribers(&rows, &topics)
    }
}

impl Pool {
    /// Lets people go, and puts it on record.
    pub(super) async fn leave(
        &self,
        tx: &mut AnyConnection,
        who: &[(SubscriberId, Option<IpAddr>)],
        form: &str,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Vec<SubscriberId>> {
        if who.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.with_rows(
            "UPDATE subscriber SET state = 'unsubscribed', left_at = $2
             WHERE id IN (SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows}) AND state <> 'unsubscribed' RETURNING id",
        );
        let rows = sqlx::query(sql)
            .bind(array(who.iter().map(|(id, _)| id.0)))
            .bind(at.timestamp())
            .fetch_all(&mut *tx)
            .await?;
        let left: Vec<SubscriberId> = rows
            .iter()
            .map(|row| row.try_get("id").map(SubscriberId))
            .collect::<sqlx::Result<_>>()?;
        let ips: HashMap<SubscriberId, Option<IpAddr>> = who.iter().copied().collect();
        let entries: Vec<_> = left
            .iter()
            .map(|id| {
                let ip = ips.get(id).copied().flatten();
                (*id, Consent::new(ConsentEvent::Left, at, ip, form))
            })
            .collect();
        self.log_consent(tx, &entries).await?;
        Ok(left)
    }
}

/// Somebody with the state that they come in, and when they agreed to it.
pub(super) type Entry = (NewSubscriber, SubscriberState, Option<DateTime<Utc>>);

impl Pool {
    /// Adds people who are not known, and writes what those have chosen who are: the one way in, for forms, files, commands and the configuration.
    ///
    /// Who is pending by it stays what they were. Who is confirmed by it has not left, whatever was before.
    pub(super) async fn write_subscribers(
        &self,
        tx: &mut AnyConnection,
        people: &[&Entry],
        origin: Origin,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut rows = Vec::with_capacity(people.len());
        let mut topics = Vec::new();
        for (person, state, confirmed_at) in people {
            let key = person.address.key();
            let chosen = &person.preferences;
            let picked = chosen.topics.picked();
            topics.extend(picked.map(|topic| json!({ "key": key, "topic": topic })));
            rows.push(json!({
                "token": new_token()?, "address": person.address.as_str(), "key": key, "name": person.name,
                "cadence": chosen.cadence, "language": chosen.language, "length": chosen.reading.length,
                "hour": chosen.hour, "timezone": chosen.timezone.map(chrono_tz::Tz::name),
                "paused_until": chosen.paused_until.map(|at| at.timestamp()), "days": stored_days(chosen),
                "reading": serde_json::to_string(&chosen.reading)?, "state": state.word(),
                "confirmed_at": confirmed_at.map(|at| at.timestamp()),
            }));
        }
        let sql = self.with_rows(
            "INSERT INTO subscriber (token, address, address_key, name, cadence, language, state, origin, created_at, confirmed_at,
                length, send_hour, timezone, paused_until, days, reading)
             SELECT r.value->>'token', r.value->>'address', r.value->>'key', r.value->>'name', r.value->>'cadence',
                    r.value->>'language', r.value->>'state', $2, $3, CAST(r.value->>'confirmed_at' AS BIGINT),
                    r.value->>'length', CAST(r.value->>'hour' AS BIGINT), r.value->>'timezone',
                    CAST(r.value->>'paused_until' AS BIGINT), CAST(r.value->>'days' AS BIGINT), r.value->>'reading'
             FROM {rows} WHERE true
             ON CONFLICT (address_key) DO UPDATE SET
                name = excluded.name, cadence = excluded.cadence, language = excluded.language, length = excluded.length,
                send_hour = excluded.send_hour, timezone = excluded.timezone, paused_until = excluded.paused_until,
                days = excluded.days, reading = excluded.reading,
                origin = CASE WHEN excluded.state <> 'confirmed' OR (subscriber.state = 'confirmed' AND excluded.origin = 'config')
                              THEN subscriber.origin ELSE excluded.origin END,
                state = CASE WHEN excluded.state = 'pending' THEN subscriber.state ELSE excluded.state END,
                left_at = CASE WHEN excluded.state = 'confirmed' THEN NULL ELSE subscriber.left_at END,
                confirmed_at = CASE WHEN subscriber.state = 'confirmed' THEN subscriber.confirmed_at
                                    ELSE COALESCE(excluded.confirmed_at, subscriber.confirmed_at) END",
        );
        sqlx::query(sql)
            .bind(serde_json::Value::from(rows).to_string())
            .bind(origin.word())
            .bind(now.timestamp())
            .execute(&mut *tx)
            .await?;
        let keys = array(people.iter().map(|(person, ..)| person.address.key()));
        let sql = self.with_rows(
            "DELETE FROM subscriber_topic WHERE subscriber IN
                (SELECT id FROM subscriber WHERE address_key IN (SELECT r.value->>'v' FROM {rows}))",
        );
        sqlx::query(sql).bind(&keys).execute(&mut *tx).await?;
        let sql = self.with_rows(
            "INSERT INTO subscriber_topic (subscriber, topic)
             SELECT s.id, r.value->>'topic' FROM {rows} JOIN subscriber s ON s.address_key = r.value->>'key'",
        );
        sqlx::query(sql)
            .bind(serde_json::Value::from(topics).to_string())
            .execute(&mut *tx)
            .await?;
        Ok(())
    }

    /// The same for one person. Returns their number.
    pub(super) async fn write_subscriber(
        &self,
        tx: &mut AnyConnection,
        entry: &Entry,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SubscriberId> {
        self.write_subscribers(tx, &[entry], origin, now).await?;
        let id = sqlx::query_scalar("SELECT id FROM subscriber WHERE address_key = $1")
            .bind(entry.0.address.key())
            .fetch_one(tx)
            .await?;
        Ok(SubscriberId(id))
    }

    /// Who has the address of that key.
    pub(super) async fn subscriber_of(
        &self,
        tx: &mut AnyConnection,
        key: &str,
    ) -> anyhow::Result<Option<(SubscriberId, Subscriber)>> {
        let id: Option<i64> =
            sqlx::query_scalar("SELECT id FROM subscriber WHERE address_key = $1")
                .bind(key)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(id) = id.map(SubscriberId) else {
            return Ok(None);
        };
        Ok(self.subscriber_in(tx, id).await?.map(|known| (id, known)))
    }
}

/// Subscribers with their places, from their rows and those of their topics.
pub(super) fn subscribers(
    rows: &[AnyRow],
    topic_rows: &[AnyRow],
) -> anyhow::Result<Vec<(i64, Subscriber)>> {
    let mut topics: HashMap<i64, BTreeSet<TopicId>> = HashMap::new();
    for row in topic_rows {
        let topic = TopicId(row.try_get("topic")?);
        topics
            .entry(row.try_get("subscriber")?)
            .or_default()
            .insert(topic);
    }
    let mut subscribers = Vec::with_capacity(rows.len());
    for row in rows {
        let id: i64 = row.try_get("id")?;
        let state: String = row.try_get("state")?;
        let subscriber = Subscriber {
            profile: NewSubscriber {
                address: Address::parse(&row.try_get::<String, _>("address")?)?,
                name: row.try_get("name")?,
                preferences: preferences(row, topics.remove(&id).unwrap_or_default())?,
            },
            state: super::known(SubscriberState::from_word(&state), "state", &state)?,
            created_at: time(row, "created_at")?,
            confirmed_at: optional_time(row, "confirmed_at")?,
            left_at: optional_time(row, "left_at")?,
        };
        subscribers.push((id, subscriber));
    }
    Ok(subscribers)
}

async fn create_batch(
    store: &Pool,
    tx: &mut AnyConnection,
    people: &[(NewSubscriber, SubscriberState, Option<DateTime<Utc>>)],
    origin: Origin,
    now: DateTime<Utc>,
    result: &mut Subscribed,
) -> anyhow::Result<()> {
    // The last word about an address counts, as if the entries came one by one.
    let mut by_key = HashMap::new();
    for person in people {
        by_key.insert(person.0.address.key(), person);
    }
    let keys = array(by_key.keys());
    let mut known = 0;
    // Who has been erased is known by nothing else.
    let insists = origin == Origin::Command;
    let hashes = store.erased_hashes(tx, by_key.keys()).await?;
    let erased: HashSet<String> = store.list_erased(tx, hashes.keys()).await?;
    for hash in erased {
        let Some(key) = hashes.get(&hash) else {
            continue;
        };
        match by_key.get(key) {
            Some((_, SubscriberState::Confirmed, _)) if insists => {
                store.forget_erased(tx, &hash).await?;
            }
            _ => result.left_alone.extend(
                by_key
                    .remove(key)
                    .map(|(person, ..)| person.address.clone()),
            ),
        }
    }
    let sql = store.with_rows("SELECT address_key, state, origin FROM subscriber WHERE address_key IN (SELECT r.value->>'v' FROM {rows})");
    for row in sqlx::query(sql).bind(&keys).fetch_all(&mut *tx).await? {
        let (key, state): (String, String) = (row.try_get("address_key")?, row.try_get("state")?);
        let came_by: String = row.try_get("origin")?;
        if origin == Origin::Config && came_by == Origin::Form.word() && state == "confirmed" {
            // They have taken it into their own hands: their choices hold.
            by_key.remove(&key);
        } else if state == SubscriberState::Unsubscribed.word() && !insists {
            result.left_alone.extend(
                by_key
                    .remove(&key)
                    .map(|(person, ..)| person.address.clone()),
            );
        } else {
            known += 1;
        }
    }
    result.left_alone.sort();
    result.updated += known;
    result.added += by_key.len() - known;

    let mut entries = Vec::with_capacity(by_key.len());
    for entry in people {
        let last = by_key.get(&entry.0.address.key()).copied();
        if last.is_some_and(|last| std::ptr::eq(last, entry)) {
            entries.push(entry);
        }
    }
    store.write_subscribers(tx, &entries, origin, now).await?;
    let keys = array(by_key.keys());
    log_added(store, tx, &keys, origin, now).await?;
    let sql = store.with_rows(
        "SELECT COUNT(*) FROM subscriber WHERE state = 'pending' AND address_key IN (SELECT r.value->>'v' FROM {rows})",
    );
    let pending: i64 = sqlx::query_scalar(sql)
        .bind(&keys)
        .fetch_one(&mut *tx)
        .await?;
    result.pending += u64::try_from(pending).unwrap_or_default();
    Ok(())
}

/// Puts on record that those of `keys` who have agreed by no other way were added by the operator, who answers for it.
async fn log_added(
    store: &Pool,
    tx: &mut AnyConnection,
    keys: &str,
    origin: Origin,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let sql = store.with_rows(
        "SELECT s.id FROM subscriber s WHERE s.state = 'confirmed'
         AND s.address_key IN (SELECT r.value->>'v' FROM {rows})
         AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.subscriber = s.id) ORDER BY s.id",
    );
    let numbers: Vec<i64> = sqlx::query_scalar(sql)
        .bind(keys)
        .fetch_all(&mut *tx)
        .await?;
    let entry = |id: &i64| {
        let consent = Consent::new(ConsentEvent::Added, now, None, origin.word());
        (SubscriberId(*id), consent)
    };
    let entries: Vec<_> = numbers.iter().map(entry).collect();
    store.log_consent(tx, &entries).await
}

/// A public name for a subscriber that says nothing about them: 80 random bits in Crockford's base 32,
/// lower case, because mail servers lower-case what we put into addresses and headers.
pub(super) fn new_token() -> anyhow::Result<String> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
        .collect())
}
