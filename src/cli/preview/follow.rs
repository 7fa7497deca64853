//! Makes a served preview anew when something has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::held::Held;
use super::watch::{Change, Snapshot, Watched};
use crate::cli::rehearsal::{Rehearsal, Which};
use crate::config::{self, Config, ConfigError};
use crate::store::Store;

/// How often the files are looked at: quicker than somebody changes windows.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How often feeds on the web are asked; those that want to rest are not.
const ASK_EVERY: Duration = Duration::from_secs(600);

/// What the page shows. It is replaced as a whole.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) version: u64,
    pub(super) config: Config,
    pub(super) rehearsal: Rehearsal,
    /// Why what is shown is not what the files say.
    pub(super) problem: Option<String>,
}

/// What it takes to make a preview.
pub(super) struct Follower {
    path: PathBuf,
    which: Which,
    watched: Watched,
    /// How the files were when they were last read.
    seen: Snapshot,
    held: Held,
}

impl Follower {
    /// Follows `config`, which stands at `path`, from now on.
    pub(super) fn new(path: &Path, config: &Config, which: Which) -> Self {
        let watched = Watched::of(path, config);
        Self {
            path: path.to_owned(),
            which,
            seen: watched.look(),
            watched,
            held: Held::default(),
        }
    }

    /// Puts what is to be seen into `show`, for ever.
    pub(super) async fn follow(&mut self, show: &watch::Sender<Arc<Shown>>, ask: &Notify) {
        // What has changed since a preview was made; it stays when making one fails.
        let mut due = None;
        let mut before_last = None;
        let mut looking = tokio::time::interval(LOOK_EVERY);
        let mut asking = tokio::time::interval(ASK_EVERY);
        // The first tick comes at once, and all have just been asked.
        asking.tick().await;
        loop {
            let asked = tokio::select! {
                _ = looking.tick() => None,
                _ = asking.tick() => Some(Change::Web),
                () = ask.notified() => Some(Change::Web),
            };
            let now = self.watched.look();
            let change = now.change_since(&self.seen).max(asked);
            // Somebody may still be writing: what is found twice in a row is finished.
            let is_finished = before_last.as_ref() == Some(&now);
            before_last = Some(now);
            if asked.is_none() && (change.is_none() || !is_finished) {
                continue;
            }
            due = due.max(change);
            let before = show.borrow().clone();
            let after = self.again(&before, due).await;
            if after.problem.is_none() {
                due = None;
            }
            show.send_replace(Arc::new(after));
        }
    }

    /// What is to be shown after `before`, now that this has changed.
    async fn again(&mut self, before: &Shown, change: Option<Change>) -> Shown {
        let version = before.version + 1;
        let stays = |problem: String| Shown {
            version,
            config: before.config.clone(),
            rehearsal: before.rehearsal.clone(),
            problem: Some(problem),
        };
        let config = match self.load() {
            Ok(config) => config,
            Err(error) => return stays(error.to_string()),
        };
        let rehearsal = if change == Some(Change::Look) {
            before.rehearsal.clone()
        } else {
            match self.rehearse(&config, change == Some(Change::Web)).await {
                Ok(Ok(rehearsal)) => rehearsal,
                Ok(Err(_)) => return stays("There is no such cadence any more.".to_owned()),
                Err(error) => return stays(format!("{error:#}")),
            }
        };
        Shown {
            version,
            config,
            rehearsal,
            problem: None,
        }
    }

    /// The configuration as it is now, and from now on all files that it is about are watched. They are looked at before
    /// they are read: what is saved meanwhile is another change.
    fn load(&mut self) -> Result<Config, ConfigError> {
        loop {
            self.seen = self.watched.look();
            let config = config::load(&self.path)?;
            let watched = Watched::of(&self.path, &config);
            if watched == self.watched {
                return config.with_templates();
            }
            self.watched = watched;
        }
    }

    /// Composes the editions of `config`. The exit code when there is nothing to be seen.
    pub(super) async fn rehearse(
        &mut self,
        config: &Config,
        ask_web: bool,
    ) -> anyhow::Result<Result<Rehearsal, u8>> {
        let now = self.which.now(config);
        let store = Store::snapshot(&config.store, &config.newsletter.id).await?;
        let collect = self.held.read(config, &store, now, ask_web).await?;
        let extras = &mut self.held.extras;
        self.which
            .compose(config, &store, now, collect, extras)
            .await
    }
}
