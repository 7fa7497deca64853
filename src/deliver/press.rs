//! Digests are made here, each once for all who get it, and mails of them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::encoded::{EncodedDigest, EncodedNews};
use super::message::{Mail, Recipient, Sender};
use super::worker::patiently;
use crate::model::{Audience, Delivery, Digest, Edition, EditionId, ItemKey, NoMail};
use crate::store::Store;

/// How many digests are held ready. More audiences than that are at work on at a time only where nearly every reader
/// has a choice of topics of their own; then some are made anew.
const HELD: usize = 64;

/// How many bytes of news of what a reader follows go into the HTML part of a mail, beyond which Gmail would not show all of it.
const NEWS_BYTES: usize = 6_500;

/// A digest, and news of followed stories by the keys of those, each for whoever follows it.
pub type Printed = (Digest, Vec<(ItemKey, EncodedNews)>);

/// What makes two digests the same: the edition, the audience, and the editions that its readers have missed.
type Key = (EditionId, Audience, Vec<EditionId>);

/// An edition as one audience gets it.
struct Rendered {
    edition: Arc<Edition>,
    /// How many stories it has for them.
    stories: usize,
    digest: EncodedDigest,
    news: HashMap<ItemKey, Arc<EncodedNews>>,
}

/// Why there is no mail for a delivery.
pub(super) enum Unmade {
    /// Its digest cannot be made, whoever it is for.
    Digest(anyhow::Error),
    /// No mail can be made for this subscriber.
    Mail(anyhow::Error),
    /// It is not worth a mail for this subscriber.
    Unwanted(NoMail),
}

/// Makes digests and mails of them.
pub(super) struct Press<R> {
    store: Arc<Store>,
    sender: Arc<Sender>,
    render: R,
    digests: Mutex<HashMap<Key, Arc<Rendered>>>,
}

impl<R> Press<R>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Printed>,
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
        let rendered = self.digest(delivery).await.map_err(Unmade::Digest)?;
        let news = rendered.news_for(delivery);
        if let Err(why) = delivery
            .audience
            .wants_mail_of(rendered.stories, news.len())
        {
            return Err(Unmade::Unwanted(why));
        }
        let recipient = Recipient {
            address: &delivery.address,
            name: &delivery.name,
            token: &delivery.token,
            language: delivery.audience.language,
            known: Some((delivery.id, delivery.subscriber)),
        };
        self.sender
            .message(&rendered.edition, &rendered.digest, &recipient, news)
            .map_err(Unmade::Mail)
    }

    async fn load(&self, id: &EditionId) -> anyhow::Result<Edition> {
        let load = || async { self.store.editions().load_edition(id).await };
        patiently(&self.store, load).await
    }

    async fn digest(&self, delivery: &Delivery) -> anyhow::Result<Arc<Rendered>> {
        let key = (
            delivery.edition.clone(),
            delivery.audience.clone(),
            delivery.missed.clone(),
        );
        // Held while it is made, so that two sessions do not make the same one.
        let mut digests = self.digests.lock().await;
        if let Some(made) = digests.get(&key) {
            return Ok(made.clone());
        }
        if digests.len() >= HELD {
            digests.clear();
        }
        let mut edition = self.load(&delivery.edition).await?;
        if !delivery.missed.is_empty() {
            let mut missed = Vec::new();
            for id in &delivery.missed {
                match self.load(id).await {
                    Ok(edition) => missed.push(edition),
                    // Its own news are worth the mail.
                    Err(error) => tracing::warn!("What was missed is left out: {error:#}"),
                }
            }
            edition = edition.with_missed(&missed);
        }
        let edition = Arc::new(edition);
        // A fault in a template engine must not end the run for all.
        let rendering = AssertUnwindSafe(|| (self.render)(&edition, &delivery.audience));
        let (digest, news) = std::panic::catch_unwind(rendering)
            .map_err(|_| anyhow::anyhow!("rendering it panicked"))??;
        let news = news
            .into_iter()
            .map(|(story, news)| (story, Arc::new(news)));
        let rendered = Arc::new(Rendered {
            stories: edition.seen_by(&delivery.audience).story_count(),
            digest: EncodedDigest::new(&digest),
            news: news.collect(),
            edition,
        });
        digests.insert(key, rendered.clone());
        Ok(rendered)
    }
}

impl Rendered {
    /// The news of what the reader of `delivery` follows, as many as a mail has room for; those first that they have followed longest.
    fn news_for(&self, delivery: &Delivery) -> Vec<Arc<EncodedNews>> {
        let news = delivery
            .follows
            .iter()
            .filter_map(|story| self.news.get(story));
        let mut room = NEWS_BYTES;
        let fits = |news: &&Arc<EncodedNews>| {
            let left = room.checked_sub(news.html_size());
            room = left.unwrap_or(room);
            left.is_some()
        };
        news.filter(fits).cloned().collect()
    }
}
