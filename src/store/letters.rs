//! Letters: mails to one person that are no edition, planned in the same transaction as what they are about, but for the goodbye, without which
//! nothing is lost.
//!
//! A letter is begun on the disk before it goes out. One that was begun and not recorded, because the process died, is not sent again:
//! nobody gets two of them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::gets::{BY_TOPIC, gets};
use super::keys::fresh_number;
use super::{Letters, Pool};
use crate::model::{Address, CadenceId, ItemKey, Language, SubscriberId, UnknownPolicy};

/// In what time an address gets at most one letter that anybody could have asked for.
const ONCE_IN: TimeDelta = TimeDelta::hours(24);

/// After how long a letter that was tried and not taken is of no use. One that could not be tried, because nobody ran, is not stale.
const STALE: TimeDelta = TimeDelta::hours(24);

/// No letter is put off for longer than this.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(2);

/// How old an edition may be that a newcomer gets.
const NEWS: TimeDelta = TimeDelta::days(8);

/// What a letter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterKind {
    /// Asks whoever signed up to confirm it.
    Confirmation,
    /// Tells somebody who signed up again that they are subscribed.
    Known,
    /// Asks a subscriber whether a new address is theirs.
    Move,
    /// Tells the old mailbox of a subscriber that their mail goes to another one.
    Moved,
    /// Greets somebody who has confirmed.
    Welcome,
    /// Tells somebody who left by mail that they have.
    Goodbye,
}

impl LetterKind {
    const ALL: [Self; 6] = [
        Self::Confirmation,
        Self::Known,
        Self::Move,
        Self::Moved,
        Self::Welcome,
        Self::Goodbye,
    ];

    /// The word that the store uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Known => "known",
            Self::Move => "move",
            Self::Moved => "moved",
            Self::Welcome => "welcome",
            Self::Goodbye => "goodbye",
        }
    }

    /// Whether anybody can have it sent to anybody.
    fn is_unasked(self) -> bool {
        matches!(self, Self::Confirmation | Self::Known | Self::Move)
    }
}

/// How a letter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterState {
    /// The server took it.
    Sent,
    /// It is tried again then, with what was said.
    Pending(DateTime<Utc>, String),
    /// It was refused, or could not be sent in time.
    Failed(String),
    /// Nobody knows whether it was taken.
    Unknown(String),
    /// It is of no use any more.
    Dropped,
}

/// A letter that is about to be sent.
#[derive(Debug, Clone)]
pub struct PendingLetter {
    /// The store's number.
    pub id: i64,
    /// What it is for.
    pub kind: LetterKind,
    /// The number of what it is about: a sign-up, a change of address, or a subscriber.
    pub about: i64,
    /// Where it goes.
    pub address: Address,
    /// Who has that address, as far as they are known.
    pub subscriber: Option<SubscriberId>,
    /// The language to write in.
    pub language: Language,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i64,
    /// A story that its reader wanted to follow.
    pub follow: Option<ItemKey>,
    /// Their cadence, while they are subscribed.
    pub cadence: Option<CadenceId>,
}

impl Letters<'_> {
    /// Takes note of letters that an earlier process had begun: nobody knows whether they went out. Only for who may post.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inherit_letters(
        &self,
        policy: UnknownPolicy,
        now: DateTime<Utc>,
    ) -> sqlx::Result<u64> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let state = match policy {
            UnknownPolicy::Once => "unknown",
            UnknownPolicy::AtLeastOnce => "pending",
        };
        // What is due in the future was put off by a clock that was ahead.
        sqlx::query("UPDATE letter SET due_at = $1 WHERE state = 'pending' AND due_at > $2")
            .bind(now.timestamp())
            .bind((now + LONGEST_PAUSE).timestamp())
            .execute(&mut *tx)
            .await?;
        let unknown = sqlx::query(
            "UPDATE letter SET state = $2, ended_at = $1,
                answer = 'the program ended before the answer was on the record' WHERE state = 'begun'",
        )
        .bind(now.timestamp())
        .bind(state)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(unknown.rows_affected())
    }

    /// Begins up to `limit` letters that are due. Those that must not go out are dropped: to an address that has had one that anybody can ask
    /// for within a day, or that is suppressed, or that have grown stale.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_letters(
        &self,
        limit: u32,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<PendingLetter>> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        sqlx::query(
            "UPDATE letter SET state = 'failed', ended_at = $1 WHERE state = 'pending' AND created_at < $2 AND attempts > 0",
        )
        .bind(now.timestamp())
        .bind((now - STALE).timestamp())
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query(
            "SELECT l.*, s.id AS subscriber, s.state AS subscribed, s.cadence FROM letter l
             LEFT JOIN subscriber s ON s.address_key = l.address_key
             WHERE l.state = 'pending' AND l.due_at <= $1 ORDER BY l.due_at, l.id LIMIT $2",
        )
        .bind(now.timestamp())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut letters = Vec::new();
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            let (mut kind, address) = match planned(row) {
                Ok(planned) => planned,
                // One that cannot be sent must not stand in the way of all others.
                Err(error) => {
                    tracing::warn!("The letter {id} cannot be read, and is not sent: {error:#}");
                    record(&mut tx, id, "failed", now, now, Some("it cannot be read")).await?;
                    continue;
                }
            };
            let subscribed: Option<String> = row.try_get("subscribed")?;
            let (about, mut follow) = (row.try_get("about")?, None);
            let is_subscribed = subscribed.as_deref() == Some("confirmed");
            if matches!(kind, LetterKind::Confirmation | LetterKind::Known) {
                kind = match is_subscribed {
                    true => LetterKind::Known,
                    false => LetterKind::Confirmation,
                };
                let wanted: Option<Option<String>> =
                    sqlx::query_scalar("SELECT follow FROM signup WHERE id = $1")
                        .bind(about)
                        .fetch_optional(&mut *tx)
                        .await?;
                follow = wanted.flatten().map(ItemKey::from_stored);
            }
            if kind == LetterKind::Welcome && !is_subscribed {
                record(&mut tx, id, "dropped", now, now, None).await?;
                continue;
            }
            // Anybody can ask for these, so one a day is enough; but one that was answered with a click was wanted.
            let begun = sqlx::query(
                "UPDATE letter SET state = 'begun', kind = $2, attempts = attempts + 1, ended_at = $3 WHERE id = $1
                 AND NOT ($4 = 1 AND (
                    EXISTS (SELECT 1 FROM letter o WHERE o.mailbox = letter.mailbox AND o.id <> letter.id
                            AND o.kind IN ('confirmation', 'known', 'move')
                            AND o.state IN ('begun', 'sent', 'unknown') AND o.ended_at > $5 AND o.ended_at < $6
                            AND NOT EXISTS (SELECT 1 FROM signup g WHERE g.id = o.about AND g.confirmed_at IS NOT NULL)
                            AND NOT EXISTS (SELECT 1 FROM address_change g WHERE g.id = o.about AND g.confirmed_at IS NOT NULL))
                    OR EXISTS (SELECT 1 FROM suppression x WHERE x.address_key = letter.address_key AND x.reason = 'complaint')))",
            )
            .bind(id)
            .bind(kind.word())
            .bind(now.timestamp())
            .bind(i64::from(kind.is_unasked()))
            .bind((now - ONCE_IN).timestamp())
            .bind((now + ONCE_IN).timestamp())
            .execute(&mut *tx)
            .await?;
            if begun.rows_affected() == 0 {
                record(&mut tx, id, "dropped", now, now, None).await?;
                continue;
            }
            letters.push(PendingLetter {
                id,
                kind,
                about,
                address,
                subscriber: row
                    .try_get::<Option<i64>, _>("subscriber")?
                    .map(SubscriberId),
                language: Language::from_tag(row.try_get("language")?).unwrap_or(Language::En),
                created_at: super::time(row, "created_at")?,
                attempts: row.try_get::<i64, _>("attempts")? + 1,
                follow,
                cadence: row
                    .try_get::<Option<String>, _>("cadence")?
                    .filter(|_| is_subscribed)
                    .map(CadenceId),
            });
        }
        tx.commit().await?;
        Ok(letters)
    }

    /// Puts on record how a letter ended that was begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_letter(
        &self,
        id: i64,
        state: &LetterState,
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let (word, due, answer) = match state {
            LetterState::Sent => ("sent", now, None),
            LetterState::Pending(due, said) => ("pending", *due, Some(said)),
            LetterState::Failed(said) => ("failed", now, Some(said)),
            LetterState::Unknown(said) => ("unknown", now, Some(said)),
            LetterState::Dropped => ("dropped", now, None),
        };
        record(&mut tx, id, word, due, now, answer.map(String::as_str)).await?;
        tx.commit().await
    }
}

impl Pool {
    pub(super) async fn plan_letter(
        &self,
        tx: &mut AnyConnection,
        kind: LetterKind,
        about: i64,
        address: &Address,
        language: Language,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO letter (kind, about, address, address_key, language, created_at, due_at, id, mailbox)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)",
        )
        .bind(kind.word())
        .bind(about)
        .bind(address.as_str())
        .bind(address.key())
        .bind(language.tag())
        .bind(now.timestamp())
        .bind(fresh_number()?)
        .bind(address.mailbox())
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Plans the latest edition from before `newest` that has something for somebody who has just come, if it is still news. It goes out as any other.
/// `wall` is the real time.
pub(super) async fn plan_latest(
    tx: &mut AnyConnection,
    subscriber: SubscriberId,
    newest: DateTime<Utc>,
    wall: DateTime<Utc>,
) -> sqlx::Result<()> {
    let sql = format!(
        "INSERT INTO delivery (edition, subscriber, planned_at, due_at)
         SELECT e.id, s.id, $2, 0 FROM subscriber s JOIN edition e ON {}
         WHERE s.id = $1 AND e.state = 'published' AND e.slot <= $3 AND e.slot > $4
         ORDER BY e.slot DESC LIMIT 1 ON CONFLICT DO NOTHING",
        gets("$2", BY_TOPIC)
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(subscriber.0)
        .bind(wall.timestamp())
        .bind(newest.timestamp())
        .bind((newest - NEWS).timestamp())
        .execute(tx)
        .await?;
    Ok(())
}

/// What a letter is for, and where it goes.
fn planned(row: &AnyRow) -> anyhow::Result<(LetterKind, Address)> {
    let word: String = row.try_get("kind")?;
    let kind = LetterKind::ALL.into_iter().find(|kind| kind.word() == word);
    let address = Address::parse(&row.try_get::<String, _>("address")?)?;
    Ok((super::known(kind, "kind", word)?, address))
}

async fn record(
    tx: &mut AnyConnection,
    id: i64,
    state: &str,
    due: DateTime<Utc>,
    now: DateTime<Utc>,
    answer: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE letter SET state = $2, due_at = $3, ended_at = $4, answer = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(state)
    .bind(due.timestamp())
    .bind(now.timestamp())
    .bind(answer)
    .execute(tx)
    .await?;
    Ok(())
}
