//! The log of consent: only added to.

use serde_json::json;
use sqlx::AnyConnection;

use super::Pool;
use crate::model::{Consent, SubscriberId, consent_hash};

impl Pool {
    /// Adds entries to the log, with the texts that they refer to.
    pub(super) async fn log_consent(
        &self,
        tx: &mut AnyConnection,
        entries: &[(SubscriberId, Consent)],
    ) -> sqlx::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        for text in entries.iter().filter_map(|(_, entry)| entry.text.as_ref()) {
            self.keep_text(tx, text).await?;
        }
        let row = |(subscriber, entry): &(SubscriberId, Consent)| {
            json!({
                "subscriber": subscriber.0, "event": entry.event.word(), "at": entry.at.timestamp(),
                "ip": entry.ip.map(|ip| ip.to_string()), "form": entry.form,
                "text": entry.text.as_deref().map(consent_hash),
                "details": (!entry.details.is_null()).then(|| entry.details.to_string()),
            })
        };
        let rows: Vec<_> = entries.iter().map(row).collect();
        let sql = self.with_rows(
            "INSERT INTO consent (subscriber, event, at, ip, form, text, details)
             SELECT CAST(r.value->>'subscriber' AS BIGINT), r.value->>'event', CAST(r.value->>'at' AS BIGINT),
                    r.value->>'ip', r.value->>'form', r.value->>'text', r.value->>'details'
             FROM {rows} WHERE true",
        );
        sqlx::query(sql)
            .bind(serde_json::Value::from(rows).to_string())
            .execute(&mut *tx)
            .await?;
        Ok(())
    }

    /// Keeps a text that somebody agreed to.
    pub(super) async fn keep_text(&self, tx: &mut AnyConnection, text: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO consent_text (hash, text) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(consent_hash(text))
            .bind(text)
            .execute(tx)
            .await?;
        Ok(())
    }
}
