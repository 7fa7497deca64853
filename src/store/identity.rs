//! Who a person is: all addresses that they have had, and the rows that are theirs.
//!
//! Somebody who moves to another address keeps their row, or takes over the row of the other address. The log of consent has each move by
//! keyed hashes of both addresses, and by these the rows are found again.

use std::collections::{BTreeSet, HashMap, HashSet};

use ring::hmac;
use serde::Deserialize;
use sqlx::{AnyConnection, Row as _};

use super::Pool;
use super::keys::{ERASURE_KEY, secret};
use super::person::hash;

/// What belongs to one person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The numbers of their rows, the one of the address first.
    pub(super) subscribers: Vec<i64>,
    /// The keys of their addresses, former ones included, as far as any table has them.
    pub(super) keys: BTreeSet<String>,
}

/// A change of address.
struct Move {
    /// Who had the new address afterwards.
    subscriber: i64,
    from: String,
    to: String,
    /// Somebody else has signed up with the old address since.
    is_reclaimed: bool,
}

impl Pool {
    /// All that belongs to whoever has the address of `key`, or had it before they moved.
    pub(super) async fn identity_of(
        &self,
        connection: &mut AnyConnection,
        key: &str,
    ) -> anyhow::Result<Identity> {
        let own: Option<i64> =
            sqlx::query_scalar("SELECT id FROM subscriber WHERE address_key = $1")
                .bind(key)
                .fetch_optional(&mut *connection)
                .await?;
        let mut identity = Identity {
            subscribers: own.into_iter().collect(),
            keys: BTreeSet::from([key.to_owned()]),
        };
        let rows = sqlx::query(
            "SELECT c.subscriber, c.at, c.details FROM consent c WHERE c.event = 'moved' ORDER BY c.id",
        )
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Ok(identity);
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret(connection, ERASURE_KEY).await?);
        // Every address that is anywhere, by its hash.
        let mut keys: HashMap<String, String> = HashMap::new();
        let mut ids: HashMap<String, i64> = HashMap::new();
        for row in sqlx::query("SELECT id, address_key FROM subscriber")
            .fetch_all(&mut *connection)
            .await?
        {
            let key: String = row.try_get("address_key")?;
            ids.insert(hash(&secret, &key), row.try_get("id")?);
            keys.insert(hash(&secret, &key), key);
        }
        for sql in [
            "SELECT DISTINCT address_key FROM signup",
            "SELECT DISTINCT address_key FROM letter",
            "SELECT DISTINCT address_key FROM address_change",
            "SELECT DISTINCT address_key FROM suppression",
        ] {
            let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
            keys.extend(found.into_iter().map(|key| (hash(&secret, &key), key)));
        }
        let mut moves = Vec::with_capacity(rows.len());
        for row in &rows {
            #[derive(Deserialize)]
            struct Details {
                from_hmac: String,
                to_hmac: String,
            }
            let details: String = row.try_get("details")?;
            let Ok(details) = serde_json::from_str::<Details>(&details) else {
                continue;
            };
            let since: Option<i64> = sqlx::query_scalar(
                "SELECT id FROM consent WHERE subscriber = $1 AND at > $2 AND event IN ('requested', 'added') LIMIT 1",
            )
            .bind(ids.get(&details.from_hmac).copied().unwrap_or_default())
            .bind(row.try_get::<i64, _>("at")?)
            .fetch_optional(&mut *connection)
            .await?;
            moves.push(Move {
                subscriber: row.try_get("subscriber")?,
                from: details.from_hmac,
                to: details.to_hmac,
                is_reclaimed: since.is_some(),
            });
        }
        let mut hashes = HashSet::from([hash(&secret, key)]);
        let mut mine: BTreeSet<i64> = own.into_iter().collect();
        loop {
            let before = (hashes.len(), mine.len());
            for one in &moves {
                let is_mine = mine.contains(&one.subscriber)
                    || (hashes.contains(&one.from) && !one.is_reclaimed);
                if is_mine {
                    mine.insert(one.subscriber);
                    hashes.insert(one.to.clone());
                    if !one.is_reclaimed {
                        hashes.insert(one.from.clone());
                    }
                }
            }
            mine.extend(hashes.iter().filter_map(|hash| ids.get(hash)));
            if before == (hashes.len(), mine.len()) {
                break;
            }
        }
        identity
            .keys
            .extend(hashes.iter().filter_map(|hash| keys.get(hash).cloned()));
        mine.retain(|id| Some(*id) != own);
        identity.subscribers.extend(mine);
        Ok(identity)
    }
}
