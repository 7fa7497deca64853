//! Erasing a person (Art. 17 GDPR): under every address that they have had, in every table, and in the bytes of the file.

use std::io::BufReader;
use std::path::Path;

use aho_corasick::AhoCorasick;
use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Row as _};

use super::{Pool, Subscribers, array};
use crate::model::Address;

/// What erasing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Whether anything was known.
    pub was_known: bool,
    /// Whether the database file may still have the address in pages that are not in use, because another process had the file
    /// open. To erase again is fine.
    pub is_left_in_file: bool,
}

impl Subscribers<'_> {
    /// Deletes all that is known of who has or had `address`, but for keyed hashes that keep lists from bringing them back.
    ///
    /// # Errors
    /// When the database fails; nothing is deleted then.
    pub async fn erase_person(
        &self,
        address: &Address,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Erased> {
        let key = address.key();
        let mut connection = self.writing().await?;
        if self.engine.dialect.embedded {
            // What is deleted is overwritten (https://sqlite.org/pragma.html#pragma_secure_delete).
            sqlx::query("PRAGMA secure_delete = ON")
                .fetch_all(&mut *connection)
                .await?;
        }
        let mut tx = self.begin(&mut connection).await?;
        let identity = self.identity_of(&mut tx, &key).await?;
        let (numbers, keys) = (array(&identity.subscribers), array(&identity.keys));
        let mut deleted = 0;
        let own = "(SELECT CAST(r.value->>'v' AS BIGINT) FROM {rows})";
        for sql in [
            // Letters to an address that was asked for and not confirmed.
            format!("DELETE FROM letter WHERE kind = 'move' AND about IN (SELECT id FROM address_change WHERE subscriber IN {own})"),
            format!("DELETE FROM letter WHERE kind IN ('moved', 'welcome', 'goodbye') AND about IN {own}"),
            format!("DELETE FROM delivery WHERE subscriber IN {own}"),
            format!("DELETE FROM bounce WHERE subscriber IN {own}"),
            format!("DELETE FROM follow WHERE subscriber IN {own}"),
            format!("DELETE FROM address_change WHERE subscriber IN {own}"),
            format!("DELETE FROM consent WHERE subscriber IN {own}"),
            format!("DELETE FROM subscriber_topic WHERE subscriber IN {own}"),
            // The number stays taken: links that are sealed for it must not lead to somebody else.
            format!(
                "UPDATE subscriber SET address = '', address_key = 'erased:' || id, name = '', state = 'unsubscribed',
                    token = 'erased:' || id, cadence = '', language = NULL, created_at = 0, confirmed_at = NULL, left_at = NULL,
                    length = 'full', send_hour = NULL, timezone = NULL, paused_until = NULL, days = NULL, reading = '{{}}'
                 WHERE id IN {own}"
            ),
        ] {
            let done = sqlx::query(self.with_rows(&sql))
                .bind(&numbers)
                .execute(&mut *tx)
                .await?;
            deleted += done.rows_affected();
        }
        for table in ["address_change", "signup", "letter", "suppression"] {
            let sql = format!(
                "DELETE FROM {table} WHERE address_key IN (SELECT r.value->>'v' FROM {{rows}})"
            );
            let done = sqlx::query(self.with_rows(&sql))
                .bind(&keys)
                .execute(&mut *tx)
                .await?;
            deleted += done.rows_affected();
        }
        for key in &identity.keys {
            let hash = self.erasure_hash(&mut tx, key).await?;
            sqlx::query("INSERT INTO erased (hash, at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(hash)
                .bind(now.timestamp())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        let texts = identity.keys.iter().map(String::as_str);
        // The person is erased by now, whatever becomes of the file.
        let scrubbed = self.scrub(&mut connection, texts).await;
        let is_left_in_file = scrubbed.unwrap_or_else(|error| {
            tracing::warn!("The unused parts of the database could not be cleared: {error:#}");
            true
        });
        Ok(Erased {
            was_known: deleted > 0,
            is_left_in_file,
        })
    }
}

impl Pool {
    /// Takes `texts` out of the pages of the file that are not in use, and out of the log beside it. Returns whether that was impossible, because
    /// another process has it open.
    ///
    /// Deleting does not do it: a page that was split or moved leaves copies. So the file is looked through and, where it still has one
    /// of them, written anew.
    async fn scrub(
        &self,
        connection: &mut AnyConnection,
        texts: impl Iterator<Item = &str>,
    ) -> anyhow::Result<bool> {
        if !self.engine.dialect.embedded {
            // Versions of rows that nobody sees any more.
            for table in [
                "subscriber",
                "signup",
                "letter",
                "suppression",
                "address_change",
                "consent",
            ] {
                sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM {table}")))
                    .execute(&mut *connection)
                    .await?;
            }
            return Ok(false);
        }
        let file: String =
            sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
                .fetch_one(&mut *connection)
                .await?;
        let searched = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(texts)?;
        let log = format!("{file}-wal");
        let has = |path: &str| is_in(Path::new(path), &searched);
        self.checkpoint_whole(connection).await?;
        if !has(&file)? && !has(&log)? {
            return Ok(false);
        }
        if let Err(error) = sqlx::query("VACUUM").execute(&mut *connection).await {
            tracing::warn!("The database file could not be written anew: {error}");
            return Ok(true);
        }
        // The file may have the address as a part of somebody else's, so it is not asked again.
        Ok(!self.checkpoint_whole(connection).await?)
    }

    /// Moves the whole log into the file and empties it. Returns whether that was done: not while another process reads it.
    async fn checkpoint_whole(&self, connection: &mut AnyConnection) -> sqlx::Result<bool> {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(connection)
            .await?;
        Ok(row.try_get::<i64, _>(0)? == 0)
    }
}

/// Whether a file has one of some texts; one that is not there has none.
fn is_in(path: &Path, texts: &AhoCorasick) -> std::io::Result<bool> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let found = texts.stream_find_iter(BufReader::new(file)).next();
    Ok(found.transpose()?.is_some())
}
