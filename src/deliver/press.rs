//! Digests are made here, each once for all who get it, and mails of them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::encoded::EncodedDigest;
use super::message::{Mail, Recipient, Sender};
use super::worker::patiently;
use crate::model::{Audience, Delivery, Digest, Edition, EditionId};
use crate::store::Store;

/// How many digests are held ready. More audiences than that are at work on at a time only where nearly every reader
/// has a choice of topics of their own; then some are made anew.
const HELD: usize = 64;

/// An edition and its digest for one audience.
type Rendered = (Arc<Edition>, Arc<EncodedDigest>);

/// Why there is no mail for a delivery.
pub(super) enum Unmade {
    /// Its digest cannot be made, whoever it is for.
    Digest(anyhow::Error),
    /// No mail can be made for this subscriber.
    Mail(anyhow::Error),
}

/// Makes digests and mails of them.
pub(super) struct Press<R> {
    store: Arc<Store>,
    sender: Arc<Sender>,
    render: R,
    digests: Mutex<HashMap<(EditionId, Audience), Rendered>>,
}

impl<R> Press<R>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    pub(super) fn new(store: Arc<Store>, sender: Arc<Sender>, render: R) -> Self {
        Self {
            store,
            sender,
            render,
            digests: Mutex::default(),
        }
    }

    /// The mail of a delivery.
    pub(super) async fn mail(&self, delivery: &Delivery) -> Result<Mail, Unmade> {
        let (edition, digest) = self.digest(delivery).await.map_err(Unmade::Digest)?;
        let recipient = Recipient {
            address: &delivery.address,
            name: &delivery.name,
            token: &delivery.token,
            language: delivery.audience.language,
            known: Some((delivery.id, delivery.subscriber)),
        };
        self.sender
            .message(&edition, &digest, &recipient)
            .map_err(Unmade::Mail)
    }

    async fn digest(&self, delivery: &Delivery) -> anyhow::Result<Rendered> {
        let key = (delivery.edition.clone(), delivery.audience.clone());
        // Held while it is made, so that two sessions do not make the same one.
        let mut digests = self.digests.lock().await;
        if let Some(made) = digests.get(&key) {
            return Ok(made.clone());
        }
        if digests.len() >= HELD {
            digests.clear();
        }
        let load = || self.store.load_edition(&delivery.edition);
        let edition = Arc::new(patiently(&self.store, load).await?);
        // A fault in a template engine must not end the run for all.
        let rendering = AssertUnwindSafe(|| (self.render)(&edition, &delivery.audience));
        let digest = std::panic::catch_unwind(rendering)
            .map_err(|_| anyhow::anyhow!("rendering it panicked"))??;
        let digest = Arc::new(EncodedDigest::new(&digest));
        digests.insert(key, (edition.clone(), digest.clone()));
        Ok((edition, digest))
    }
}
