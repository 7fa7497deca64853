//! What the handlers share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::door::Door;
use super::metrics::Metrics;
use super::options::ServeOptions;
use crate::config::Config;
use crate::model::{Newsletter, Purpose, SubscriberId, TokenKeys};
use crate::store::{Store, StoreUrl};

/// How many connections to the store there are for those who only read.
const READERS: usize = 3;

/// The times that the pages go by.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The real time, by which tokens grow old and consent is dated.
    pub wall: fn() -> DateTime<Utc>,
    /// The time that editions go by, where the configuration pretends one.
    pub pretended: Option<DateTime<Utc>>,
}

impl Clock {
    /// The time that editions go by.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.pretended.unwrap_or_else(self.wall)
    }
}

/// Connections to the store: one that writes, and some that read and do not wait for it.
pub struct Stores {
    writer: Arc<Store>,
    /// For those who leave, who wait for nobody.
    door: Arc<Store>,
    readers: Vec<Arc<Store>>,
    next: AtomicUsize,
    /// For what nobody waits for: counting a million subscribers takes a fifth of a second.
    operator: Arc<Store>,
}

impl Stores {
    /// Opens the store of `newsletter` at `url`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let writer = Arc::new(Store::open(url, newsletter).await?);
        let door = Arc::new(Store::open(url, newsletter).await?);
        door.wait_for_nobody().await?;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(Arc::new(Store::open(url, newsletter).await?));
        }
        Ok(Self {
            writer,
            door,
            readers,
            next: AtomicUsize::new(0),
            operator: Arc::new(Store::open(url, newsletter).await?),
        })
    }

    /// The one that writes.
    pub fn writer(&self) -> &Arc<Store> {
        &self.writer
    }

    /// One that reads.
    pub(super) fn reader(&self) -> &Arc<Store> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.readers[next % self.readers.len()]
    }

    /// One that nobody waits for.
    pub fn operator(&self) -> &Arc<Store> {
        &self.operator
    }

    /// Connects anew where a connection is gone.
    pub(super) async fn revive(&self) {
        for store in self.readers.iter().chain([&self.writer, &self.operator]) {
            // Whether it is back shows at the next request.
            let _ = store.revive().await;
        }
    }
}

/// What the handlers share.
pub struct App {
    /// The whole configuration.
    pub config: Config,
    /// How the pages are served.
    pub options: ServeOptions,
    /// The newsletter, with the key of the archive in its links.
    pub newsletter: Newsletter,
    /// Seals and opens tokens.
    pub tokens: TokenKeys,
    /// The store.
    pub stores: Stores,
    /// What time it is.
    pub clock: Clock,
    /// Wakes who sends letters.
    pub letters: Arc<Notify>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    pub(super) door: Door,
}

impl App {
    /// The pages of `config` on `stores`.
    pub fn new(
        config: Config,
        options: ServeOptions,
        tokens: TokenKeys,
        stores: Stores,
        clock: Clock,
    ) -> Self {
        let door = Door::open(stores.door.clone(), clock.wall);
        Self {
            newsletter: config.newsletter.clone().with_key(&tokens),
            config,
            options,
            tokens,
            stores,
            clock,
            letters: Arc::default(),
            metrics: Arc::default(),
            door,
        }
    }

    /// The address of a page.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.options.url)
    }

    /// The subscriber of a token that is good for `purpose`.
    pub(super) fn subscriber(&self, purpose: Purpose, token: &str) -> Option<SubscriberId> {
        self.tokens.open(purpose, token).map(SubscriberId)
    }

    /// A page for one subscriber, behind a token for that purpose only.
    pub(super) fn personal(&self, path: &str, purpose: Purpose, who: SubscriberId) -> String {
        self.page(&format!("{path}/{}", self.tokens.seal(purpose, who.0)))
    }

    /// Lets somebody go, on record when this returns.
    pub(super) async fn let_go(&self, who: SubscriberId, ip: IpAddr) -> anyhow::Result<()> {
        Ok(self.door.leave(who, ip).await?)
    }
}
