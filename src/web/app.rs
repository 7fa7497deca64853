//! What the handlers share.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::door::Door;
use super::health::Health;
use super::metrics::Metrics;
use super::options::ServeOptions;
use crate::config::Config;
use crate::model::{Newsletter, Purpose, SubscriberId, TokenKeys};
use crate::store::Store;

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
    pub store: Arc<Store>,
    /// What time it is.
    pub clock: Clock,
    /// Wakes who sends letters.
    pub letters: Arc<Notify>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// What does not work.
    pub health: Arc<Health>,
    pub(super) door: Door,
}

impl App {
    /// The pages of `config` on `store`.
    pub fn new(
        config: Config,
        options: ServeOptions,
        tokens: TokenKeys,
        store: Arc<Store>,
        clock: Clock,
    ) -> Self {
        let door = Door::open(store.clone(), clock.wall);
        Self {
            newsletter: config.newsletter.clone().with_key(&tokens),
            config,
            options,
            tokens,
            store,
            clock,
            letters: Arc::default(),
            metrics: Arc::default(),
            health: Arc::default(),
            door,
        }
    }

    /// These pages, whose work is told of in `health` and counted in `metrics`, which others have used before.
    pub fn sharing(self, health: Arc<Health>, metrics: Arc<Metrics>) -> Self {
        Self {
            health,
            metrics,
            ..self
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

    /// Lets somebody go, on record when this returns. Returns whether they had been there.
    pub(super) async fn let_go(&self, who: SubscriberId, ip: IpAddr) -> anyhow::Result<bool> {
        Ok(self.door.leave(who, ip).await?)
    }
}
