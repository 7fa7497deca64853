//! Sign-ups: what somebody asked for, until they prove that the address is theirs.
//!
//! Asking writes the same rows whether or not anybody knows the address, so nothing can be told from how long it takes. What a letter
//! says, and whether there is one, is decided when it is sent.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::keys::fresh_number;
use super::letters::plan_latest;
use super::{LetterKind, Origin, Subscribers, time};
use crate::model::{
    Address, CadenceId, Consent, ConsentEvent, ItemKey, Language, NewSubscriber, Preferences,
    SubscriberId, SubscriberState, Topics, consent_hash,
};

/// In what time sign-ups from one network are counted.
const NETWORK_SPAN: TimeDelta = TimeDelta::hours(1);

/// In what time sign-ups of one address are counted, and how many of them are kept.
pub(super) const ADDRESS_SPAN: TimeDelta = TimeDelta::hours(24);
pub(super) const PER_ADDRESS: i64 = 3;

/// What somebody asks for on a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    /// The address that they say is theirs.
    pub address: Address,
    /// How often.
    pub cadence: CadenceId,
    /// In which language.
    pub language: Language,
    /// About what.
    pub topics: Topics,
    /// A story to follow.
    pub follow: Option<ItemKey>,
    /// From where.
    pub ip: IpAddr,
    /// On which page.
    pub form: String,
    /// What they agree to.
    pub consent: String,
}

/// A click on a button that confirms something.
#[derive(Debug, Clone, Copy)]
pub struct Click<'a> {
    /// The number that its link is sealed for.
    pub id: i64,
    /// What was asked for before is too old.
    pub since: DateTime<Utc>,
    /// From where.
    pub ip: IpAddr,
    /// On which page.
    pub form: &'a str,
    /// When.
    pub now: DateTime<Utc>,
}

/// What newcomers get, planned together with their subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// A letter.
    pub letter: bool,
    /// The latest edition.
    pub edition: bool,
    /// The time that editions go by.
    pub now: DateTime<Utc>,
}

/// What came of a click that confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// They are subscribed now.
    Now(SubscriberId),
    /// Not by this click: what its link stands for now.
    Not(LinkState),
}

/// What a click confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A sign-up.
    SignUp,
    /// A change of address.
    Move,
}

/// Where a link stands that confirms something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// A click on it confirms what was asked for.
    Open,
    /// It was clicked before, and whoever did is subscribed, or is not any more.
    Used {
        /// Whether they are.
        is_subscribed: bool,
    },
    /// It is too old, or nobody asked for it.
    Gone,
}

pub(super) async fn link_state(
    connection: &mut AnyConnection,
    asked: Asked,
    id: i64,
    since: DateTime<Utc>,
) -> anyhow::Result<LinkState> {
    // An address may have been moved since: its subscription is found by who had it then.
    let sql = match asked {
        Asked::SignUp => {
            "SELECT g.confirmed_at, (SELECT s.state FROM subscriber s WHERE s.address_key = g.address_key) AS state
             FROM signup g WHERE g.id = $1 AND g.requested_at > $2"
        }
        Asked::Move => {
            "SELECT g.confirmed_at, (SELECT s.state FROM subscriber s WHERE s.address_key = g.address_key) AS state
             FROM address_change g WHERE g.id = $1 AND g.requested_at > $2"
        }
    };
    let row = sqlx::query(sql)
        .bind(id)
        .bind(since.timestamp())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else {
        return Ok(LinkState::Gone);
    };
    let confirmed_at: Option<i64> = row.try_get("confirmed_at")?;
    let state: Option<String> = row.try_get("state")?;
    let is_subscribed = state.as_deref() == Some(SubscriberState::Confirmed.word());
    Ok(match confirmed_at {
        None => LinkState::Open,
        Some(_) => LinkState::Used { is_subscribed },
    })
}

impl Subscribers<'_> {
    /// Takes a sign-up, and plans the letter that asks to confirm it. `false` when too many came from its network, of which `per_network` may in an hour:
    /// then nothing is kept. Of one address, a few are kept a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_signup(
        &self,
        signup: &SignUp,
        per_network: u32,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let network = network_of(signup.ip);
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        let count = "SELECT COUNT(*) FROM signup WHERE";
        let sql = format!("{count} network = $1 AND requested_at > $2 AND requested_at < $3");
        let from_there: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(&network)
            .bind((now - NETWORK_SPAN).timestamp())
            .bind((now + NETWORK_SPAN).timestamp())
            .fetch_one(&mut *tx)
            .await?;
        if from_there >= i64::from(per_network) {
            return Ok(false);
        }
        let sql = format!("{count} mailbox = $1 AND requested_at > $2 AND requested_at < $3");
        let of_it: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(signup.address.mailbox())
            .bind((now - ADDRESS_SPAN).timestamp())
            .bind((now + ADDRESS_SPAN).timestamp())
            .fetch_one(&mut *tx)
            .await?;
        if of_it >= PER_ADDRESS {
            return Ok(true);
        }
        self.keep_text(&mut tx, &signup.consent).await?;
        let id = fresh_number()?;
        sqlx::query(
            "INSERT INTO signup (id, address, address_key, mailbox, cadence, language, topics, follow, ip, network, form, consent, requested_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(id)
        .bind(signup.address.as_str())
        .bind(signup.address.key())
        .bind(signup.address.mailbox())
        .bind(signup.cadence.as_str())
        .bind(signup.language.tag())
        .bind(json!(signup.topics.picked().collect::<Vec<_>>()).to_string())
        .bind(signup.follow.as_ref().map(ItemKey::as_str))
        .bind(signup.ip.to_string())
        .bind(network)
        .bind(&signup.form)
        .bind(consent_hash(&signup.consent))
        .bind(now.timestamp())
        .execute(&mut *tx)
        .await?;
        let (kind, address) = (LetterKind::Confirmation, &signup.address);
        self.plan_letter(&mut tx, kind, id, address, signup.language, now)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Where a link stands that was asked for after `since`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn link_state(
        &self,
        asked: Asked,
        id: i64,
        since: DateTime<Utc>,
    ) -> anyhow::Result<LinkState> {
        let mut connection = self.reading().await?;
        link_state(&mut connection, asked, id, since).await
    }

    /// Makes a subscriber of who signed up after `since`, and puts it on record. They prove that they want it, so what kept their
    /// address from being mailed is over.
    ///
    /// # Errors
    /// When the database fails; nothing is confirmed then.
    pub async fn confirm_signup(
        &self,
        click: Click<'_>,
        greeting: Greeting,
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
        // Locked by the write, so that two clicks are one.
        let row = sqlx::query(
            "UPDATE signup SET confirmed_at = $2 WHERE id = $1 AND requested_at > $3 AND confirmed_at IS NULL RETURNING *",
        )
        .bind(id)
        .bind(now.timestamp())
        .bind(since.timestamp())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            let state = link_state(&mut tx, Asked::SignUp, id, since).await?;
            return Ok(Confirmed::Not(state));
        };
        let address = Address::parse(&row.try_get::<String, _>("address")?)?;
        let language = Language::from_tag(row.try_get("language")?).unwrap_or(Language::En);
        let topics = serde_json::from_str(row.try_get("topics")?)?;
        // What the form does not ask stays as they had it; who comes back is not in a pause.
        let before = self.subscriber_of(&mut tx, &address.key()).await?;
        let before = before.map(|(_, known)| known.profile);
        let mut person = before.unwrap_or_else(|| NewSubscriber {
            address: address.clone(),
            name: String::new(),
            preferences: Preferences::usual(CadenceId(String::new())),
        });
        person.preferences = Preferences {
            cadence: CadenceId(row.try_get("cadence")?),
            language: Some(language),
            topics: Topics::from_stored(topics),
            paused_until: None,
            ..person.preferences
        };
        let requested_at = time(&row, "requested_at")?;
        let entry = (person, SubscriberState::Confirmed, Some(now));
        let newcomer = self
            .write_subscriber(&mut tx, &entry, Origin::Form, requested_at)
            .await?;
        sqlx::query("DELETE FROM suppression WHERE address_key = $1")
            .bind(address.key())
            .execute(&mut *tx)
            .await?;
        let hashes = self
            .erased_hashes(&mut tx, [&address.key()].into_iter())
            .await?;
        for hash in hashes.keys() {
            self.forget_erased(&mut tx, hash).await?;
        }
        let entries = self.proof(&mut tx, &row, ip, form, now).await?;
        let entries = entries.map(|entry| (newcomer, entry));
        self.log_consent(&mut tx, &entries).await?;
        if let Some(story) = row.try_get::<Option<String>, _>("follow")? {
            let story = ItemKey::from_stored(story);
            self.write_follow(&mut tx, newcomer, &story, false, greeting.now)
                .await?;
        }
        if greeting.letter {
            self.plan_letter(
                &mut tx,
                LetterKind::Welcome,
                newcomer.0,
                &address,
                language,
                now,
            )
            .await?;
        }
        if greeting.edition {
            plan_latest(&mut tx, newcomer, greeting.now, now).await?;
        }
        tx.commit().await?;
        Ok(Confirmed::Now(newcomer))
    }

    /// What proves the consent of the sign-up `row`: that it was asked for, and that it was confirmed.
    async fn proof(
        &self,
        tx: &mut AnyConnection,
        row: &AnyRow,
        ip: IpAddr,
        form: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<[Consent; 2]> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT text FROM consent_text WHERE hash = $1")
                .bind(row.try_get::<String, _>("consent")?)
                .fetch_optional(&mut *tx)
                .await?;
        let topics: serde_json::Value = serde_json::from_str(row.try_get("topics")?)?;
        // The address itself is the subscriber's, who may move or be erased.
        let key: String = row.try_get("address_key")?;
        let details = json!({
            "address_hmac": self.erasure_hash(&mut *tx, &key).await?, "cadence": row.try_get::<String, _>("cadence")?,
            "language": row.try_get::<String, _>("language")?, "topics": topics,
        });
        let asked: String = row.try_get("ip")?;
        let requested = Consent {
            text: text.clone(),
            details: details.clone(),
            ..Consent::new(
                ConsentEvent::Requested,
                time(row, "requested_at")?,
                asked.parse().ok(),
                row.try_get("form")?,
            )
        };
        let confirmed = Consent {
            text,
            details,
            ..Consent::new(ConsentEvent::Confirmed, now, Some(ip), form)
        };
        Ok([requested, confirmed])
    }

    /// Deletes what nobody has confirmed before `before`, and letters that are of no use any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge_signups(&self, before: DateTime<Utc>) -> sqlx::Result<()> {
        let mut connection = self.writing().await?;
        let mut tx = self.begin(&mut connection).await?;
        for sql in [
            "DELETE FROM signup WHERE requested_at < $1",
            "DELETE FROM address_change WHERE requested_at < $1",
            "DELETE FROM letter WHERE created_at < $1 AND state NOT IN ('pending', 'begun')",
        ] {
            sqlx::query(sql)
                .bind(before.timestamp())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

/// The network that an address belongs to, as whoever has it can have all of it: /24 and /48.
fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_of_one_network() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("192.0.2.254"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.7"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::1"));
        assert_ne!(network("2001:db8:1::"), network("2001:db8:2::"));
    }
}
