//! Secrets that the store makes and keeps: the keys of tokens, and that of what is left of erased addresses.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::AnyConnection;

use super::Store;
use crate::model::TokenKeys;

/// The settings that hold the key of tokens, those before it, and the key of what is left of erased addresses.
const TOKEN_KEY: &str = "token_key";
const RETIRED_KEYS: &str = "token_keys_retired";
pub(super) const ERASURE_KEY: &str = "erasure_key";

impl Store {
    /// The keys of tokens: the first is made with the store, and they are the same for all who use it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_keys(&self) -> anyhow::Result<TokenKeys> {
        let mut connection = self.pool.writing().await?;
        let mut tx = self.pool.begin(&mut connection).await?;
        let secret = secret(&mut tx, TOKEN_KEY).await?;
        let retired = retired_keys(&mut tx).await?;
        tx.commit().await?;
        Ok(TokenKeys::new(&secret, &retired))
    }

    /// Seals tokens with a new key from now on. The last `keep` keys before it still open what they have sealed; links that
    /// older ones have sealed lead nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_token_key(&self, keep: usize) -> anyhow::Result<()> {
        let mut connection = self.pool.writing().await?;
        let mut tx = self.pool.begin(&mut connection).await?;
        let mut retired = retired_keys(&mut tx).await?;
        retired.insert(0, secret(&mut tx, TOKEN_KEY).await?);
        retired.truncate(keep);
        let retired: Vec<String> = retired.iter().map(|key| BASE64.encode(key)).collect();
        for (name, value) in [
            (TOKEN_KEY, BASE64.encode(random()?)),
            (RETIRED_KEYS, retired.join(" ")),
        ] {
            sqlx::query(
                "INSERT INTO setting (key, value) VALUES ($1, $2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

pub(super) fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("could not read system randomness: {error}"))?;
    Ok(bytes)
}

/// A number for something that links are sealed for: none is given twice.
pub(super) fn fresh_number() -> anyhow::Result<i64> {
    let bytes = random()?;
    let number = bytes
        .first_chunk()
        .map_or(1, |bytes| i64::from_le_bytes(*bytes));
    // Not more than JSON readers keep of a number.
    Ok((number & ((1 << 53) - 1)).max(1))
}

/// The secret called `name`, made where there is none.
pub(super) async fn secret(tx: &mut AnyConnection, name: &str) -> anyhow::Result<Vec<u8>> {
    sqlx::query("INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(BASE64.encode(random()?))
        .execute(&mut *tx)
        .await?;
    let secret: String = sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
    BASE64
        .decode(secret)
        .with_context(|| format!("reading the setting {name}"))
}

async fn retired_keys(tx: &mut AnyConnection) -> anyhow::Result<Vec<Vec<u8>>> {
    let keys: Option<String> = sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(RETIRED_KEYS)
        .fetch_optional(&mut *tx)
        .await?;
    let keys = keys.unwrap_or_default();
    let decoded = keys.split_whitespace().map(|key| BASE64.decode(key));
    decoded
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading the setting {RETIRED_KEYS}"))
}
