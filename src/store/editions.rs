//! Editions: immutable once stored, published together with their deliveries.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::gets::{BY_FOLLOW, BY_TOPIC, gets};
use super::{Editions, optional_time};
use crate::model::{CadenceId, Edition, EditionId, ItemKey, LocalHour, Story, Weekdays};
use crate::schedule::{self, History};

/// What was decided about a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditionState {
    /// It has stories, and deliveries for whoever wanted them.
    Published,
    /// It had no story, so there is no mail.
    Quiet,
    /// Its time had passed; its news go into the next one.
    Skipped,
}

impl EditionState {
    /// The state of a word of the store.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Published, Self::Quiet, Self::Skipped];
        all.into_iter().find(|state| state.word() == word)
    }

    /// The word that the store and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Quiet => "quiet",
            Self::Skipped => "skipped",
        }
    }
}

/// What came of publishing an edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is stored now, with this many deliveries.
    Now(u64),
    /// Another run had decided this slot before.
    Before,
}

impl Editions<'_> {
    /// What was decided about the slots of a cadence up to `now`. (Later ones exist when `now` is a time that somebody wants to look back
    /// at, or when the clock was ahead for a while: seen at the real time `wall`, such an edition is from the future, and has covered
    /// its news all the same.)
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(
        &self,
        newsletter: &str,
        cadence: &CadenceId,
        now: DateTime<Utc>,
        wall: DateTime<Utc>,
    ) -> sqlx::Result<History> {
        let mut connection = self.reading().await?;
        let row = sqlx::query(
            "SELECT MAX(CASE WHEN slot <= $3 THEN slot END) AS last_slot,
                    MAX(CASE WHEN state <> 'skipped' AND slot <= $3 AND until <= $3 THEN until END) AS covered_until,
                    MAX(CASE WHEN state <> 'skipped' THEN number END) AS covered
             FROM edition WHERE newsletter = $1 AND cadence = $2 AND (slot <= $3 OR created_at > $4)",
        )
        .bind(newsletter)
        .bind(cadence.as_str())
        .bind(now.timestamp())
        .bind(wall.timestamp())
        .fetch_one(&mut *connection)
        .await?;
        Ok(History {
            last_slot: optional_time(&row, "last_slot")?,
            covered_until: optional_time(&row, "covered_until")?,
            covered: row.try_get("covered")?,
        })
    }

    /// Gives `slot` of a cadence back where an edition has it that was made while the clock was ahead: the one before it, by their slots, has
    /// covered later news. That edition then stands behind the last one that was made before it. Returns its identity.
    ///
    /// # Errors
    /// When the database fails; nothing changes then.
    pub async fn release_overtaken(
        &self,
        newsletter: &str,
        cadence: &CadenceId,
        slot: DateTime<Utc>,
    ) -> sqlx::Result<Option<EditionId>> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let row = sqlx::query(
            "SELECT e.id, e.number, (SELECT b.number FROM edition b WHERE b.newsletter = $1 AND b.cadence = $2 AND b.slot < $3
                                     AND b.number IS NOT NULL ORDER BY b.slot DESC LIMIT 1) AS before
             FROM edition e WHERE e.newsletter = $1 AND e.cadence = $2 AND e.slot = $3 AND e.number IS NOT NULL",
        )
        .bind(newsletter)
        .bind(cadence.as_str())
        .bind(slot.timestamp())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (id, number): (String, i64) = (row.try_get("id")?, row.try_get("number")?);
        let before: Option<i64> = row.try_get("before")?;
        if before.is_none_or(|before| before <= number) {
            return Ok(None);
        }
        // The first second after the one that it follows which no other has.
        let place: i64 = sqlx::query_scalar(
            "SELECT MIN(b.slot) + 1 FROM edition b WHERE b.newsletter = $1 AND b.cadence = $2 AND b.slot < $3
             AND b.slot >= COALESCE((SELECT MAX(f.slot) FROM edition f WHERE f.newsletter = $1 AND f.cadence = $2
                                     AND f.slot < $3 AND f.number <= $4), 0)
             AND NOT EXISTS (SELECT 1 FROM edition n WHERE n.newsletter = $1 AND n.cadence = $2 AND n.slot = b.slot + 1)",
        )
        .bind(newsletter)
        .bind(cadence.as_str())
        .bind(slot.timestamp())
        .bind(number)
        .fetch_one(&mut *tx)
        .await?;
        for sql in [
            "UPDATE edition SET slot = $1, until = $1 WHERE id = $2",
            "UPDATE story SET slot = $1 WHERE edition = $2",
        ] {
            sqlx::query(sql)
                .bind(place)
                .bind(&id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(Some(EditionId(id)))
    }

    /// `id`, or where another slot's edition has it, one like it that is free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn free_id(&self, id: &EditionId, slot: DateTime<Utc>) -> sqlx::Result<EditionId> {
        let mut connection = self.reading().await?;
        let mut free = id.clone();
        for number in 2.. {
            let taken: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM edition WHERE id = $1 AND slot <> $2")
                    .bind(free.as_str())
                    .bind(slot.timestamp())
                    .fetch_one(&mut *connection)
                    .await?;
            if taken == 0 {
                break;
            }
            free = EditionId(format!("{id}-{number}"));
        }
        Ok(free)
    }

    /// Stores `edition` and, when it is published, one delivery for everybody who gets it, by the rule of `store/gets.rs`. One transaction, so there is never an edition without its
    /// deliveries; unique on the slot, so a second run changes nothing.
    ///
    /// `wall` is the real time. The deliveries are due at once, whatever a clock says that is set back meanwhile.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn publish(
        &self,
        edition: &Edition,
        state: EditionState,
        wall: DateTime<Utc>,
    ) -> anyhow::Result<Published> {
        let content = serde_json::to_string(&Stored {
            version: FORM,
            edition,
        })?;
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let stored = sqlx::query(
            "INSERT INTO edition (id, newsletter, cadence, slot, until, created_at, state, content, number)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(edition.id.as_str())
        .bind(&edition.newsletter)
        .bind(edition.cadence.as_str())
        .bind(edition.slot.timestamp())
        .bind(edition.window.until.timestamp())
        .bind(edition.created_at.timestamp())
        .bind(state.word())
        .bind(content)
        .bind(edition.covers)
        .execute(&mut *tx)
        .await?;
        if stored.rows_affected() == 0 {
            return Ok(Published::Before);
        }
        let mut planned = 0;
        if state == EditionState::Published {
            let stories = edition.sections.iter().flat_map(|section| &section.stories);
            let items: HashSet<&ItemKey> = stories
                .flat_map(Story::items)
                .map(|item| &item.key)
                .collect();
            let sql = self.with_rows("INSERT INTO edition_item (edition, item) SELECT $2, r.value->>'v' FROM {rows} WHERE true");
            sqlx::query(sql)
                .bind(super::array(items))
                .bind(edition.id.as_str())
                .execute(&mut *tx)
                .await?;

            let topics = edition.sections.iter().map(|section| &section.topic);
            let sql = self.with_rows("INSERT INTO edition_topic (edition, topic) SELECT DISTINCT $2, r.value->>'v' FROM {rows} WHERE true");
            sqlx::query(sql)
                .bind(super::array(topics))
                .bind(edition.id.as_str())
                .execute(&mut *tx)
                .await?;
            let stories = edition.followed.iter().map(|followed| &followed.story);
            let sql = self.with_rows("INSERT INTO edition_followed (edition, story) SELECT DISTINCT $2, r.value->>'v' FROM {rows} WHERE true");
            sqlx::query(sql)
                .bind(super::array(stories))
                .bind(edition.id.as_str())
                .execute(&mut *tx)
                .await?;
            for reason in [BY_TOPIC, BY_FOLLOW] {
                let sql = format!(
                    "INSERT INTO delivery (edition, subscriber, planned_at, due_at)
                     SELECT e.id, s.id, $2, 0 FROM subscriber s JOIN edition e ON e.id = $1
                     WHERE {} ORDER BY s.id ON CONFLICT DO NOTHING",
                    gets("$2", reason)
                );
                let deliveries = sqlx::query(AssertSqlSafe(sql))
                    .bind(edition.id.as_str())
                    .bind(wall.timestamp())
                    .execute(&mut *tx)
                    .await?;
                planned += deliveries.rows_affected();
            }
            planned -= keep_their_hours(&mut tx, edition, wall).await?;
        }
        tx.commit().await?;
        Ok(Published::Now(planned))
    }

    /// The latest `limit` published editions of a cadence, the latest first; with `until`, those up to that one, and none
    /// when it is not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_published(
        &self,
        newsletter: &str,
        cadence: &CadenceId,
        until: Option<&EditionId>,
        limit: u32,
    ) -> anyhow::Result<Vec<Edition>> {
        let mut connection = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, content FROM edition WHERE newsletter = $1 AND cadence = $2 AND state = 'published'
             AND ($3 IS NULL OR slot <= (SELECT slot FROM edition WHERE id = $3 AND newsletter = $1 AND cadence = $2
                                         AND state = 'published'))
             ORDER BY slot DESC LIMIT $4",
        )
        .bind(newsletter)
        .bind(cadence.as_str())
        .bind(until.map(EditionId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        Ok(super::readable(&rows, "edition", "id", content))
    }

    /// The stored edition of that identity.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn load_edition(&self, id: &EditionId) -> anyhow::Result<Edition> {
        let mut connection = self.reading().await?;
        let row = sqlx::query("SELECT content FROM edition WHERE id = $1")
            .bind(id.as_str())
            .fetch_one(&mut *connection)
            .await?;
        content(&row).with_context(|| format!("reading the edition {id}"))
    }
}

/// The version of the form in which editions are stored. It goes up when a program of the version before could not read them.
const FORM: u64 = 1;

/// An edition as it is stored: with the version of its form.
#[derive(Serialize)]
struct Stored<'e> {
    version: u64,
    #[serde(flatten)]
    edition: &'e Edition,
}

/// The edition of a row.
pub(super) fn content(row: &AnyRow) -> anyhow::Result<Edition> {
    #[derive(Deserialize)]
    struct Form {
        #[serde(default)]
        version: u64,
    }
    let content: &str = row.try_get("content")?;
    let Form { version } = serde_json::from_str(content)?;
    anyhow::ensure!(
        version <= FORM,
        "a newer version of Tidings has written it (form {version}; this one knows {FORM})"
    );
    Ok(serde_json::from_str(content)?)
}

/// Lets the deliveries of `edition` wait for the hour that its readers have chosen, and cancels those of who wants no mail on that day: their news
/// go with the next one. Returns how many these are.
async fn keep_their_hours(
    tx: &mut AnyConnection,
    edition: &Edition,
    wall: DateTime<Utc>,
) -> sqlx::Result<u64> {
    // News at once are at once.
    if edition.is_of_followed() {
        return Ok(0);
    }
    let chosen = sqlx::query(
        "SELECT DISTINCT send_hour, days, timezone FROM subscriber WHERE send_hour IS NOT NULL OR days IS NOT NULL
         ORDER BY send_hour, days, timezone",
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut cancelled = 0;
    for row in &chosen {
        let hour: Option<i64> = row.try_get("send_hour")?;
        let days: Option<i64> = row.try_get("days")?;
        let zone: Option<String> = row.try_get("timezone")?;
        let zone = zone.unwrap_or_default();
        let Ok(timezone) = zone.parse::<chrono_tz::Tz>() else {
            continue;
        };
        let local = hour
            .and_then(|hour| u8::try_from(hour).ok())
            .map(|hour| LocalHour { hour, timezone });
        let due = local.map_or(wall, |local| schedule::from_hour(local, wall));
        let is_unwanted = days
            .and_then(Weekdays::from_bits)
            .is_some_and(|days| !days.contains(due.with_timezone(&timezone).weekday()));
        if !is_unwanted && due <= wall {
            continue;
        }
        // Trying is counted from when it is due.
        let moment = if is_unwanted { wall } else { due };
        let changed = sqlx::query(
            "UPDATE delivery SET planned_at = $5, due_at = $5, owed = $6, answer = $7,
                state = CASE $6 WHEN 1 THEN 'cancelled' ELSE state END, ended_at = CASE $6 WHEN 1 THEN $5 END
             WHERE edition = $1 AND subscriber IN (SELECT id FROM subscriber
                WHERE COALESCE(send_hour, -1) = $2 AND COALESCE(days, -1) = $3 AND timezone = $4)",
        )
        .bind(edition.id.as_str())
        .bind(hour.unwrap_or(-1))
        .bind(days.unwrap_or(-1))
        .bind(&zone)
        .bind(moment.timestamp())
        .bind(i64::from(is_unwanted))
        .bind(is_unwanted.then_some(NOT_TODAY))
        .execute(&mut *tx)
        .await?;
        if is_unwanted {
            cancelled += changed.rows_affected();
        }
    }
    Ok(cancelled)
}

/// What the ledger says of a delivery on a day on which its reader wants no mail.
const NOT_TODAY: &str = "its reader wants no mail on this day; its news go with the next edition";
