//! Makes a served preview anew when something has changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::held::Held;
use super::watch::{Change, Watched};
use crate::cli::rehearsal::{Rehearsal, Which};
use crate::config::{self, Config};
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
    pub(super) path: PathBuf,
    pub(super) watched: Watched,
    pub(super) which: Which,
    pub(super) held: Held,
}

impl Follower {
    /// Puts what is to be seen into `show`, for ever.
    pub(super) async fn follow(&mut self, show: &watch::Sender<Arc<Shown>>, ask: &Notify) {
        let mut seen = self.watched.look();
        let mut before_last = None;
        let mut looking = tokio::time::interval(LOOK_EVERY);
        let mut asking = tokio::time::interval(ASK_EVERY);
        // The first tick comes at once, and all have just been asked.
        asking.tick().await;
        loop {
            let ask_web = tokio::select! {
                _ = looking.tick() => false,
                _ = asking.tick() => true,
                () = ask.notified() => true,
            };
            let now = self.watched.look();
            let change = now.change_since(&seen);
            // Somebody may still be writing: what is found twice in a row is finished.
            let is_finished = before_last.as_ref() == Some(&now);
            before_last = Some(now);
            if !ask_web && (change.is_none() || !is_finished) {
                continue;
            }
            let before = show.borrow().clone();
            let after = self.again(&before, change, ask_web).await;
            // What a wrong file is has been told; whether it is mended is seen from here on.
            seen = self.watched.look();
            show.send_replace(Arc::new(after));
        }
    }

    /// What is to be shown after `before`.
    async fn again(&mut self, before: &Shown, change: Option<Change>, ask_web: bool) -> Shown {
        let version = before.version + 1;
        let stays = |problem: String| Shown {
            version,
            config: before.config.clone(),
            rehearsal: before.rehearsal.clone(),
            problem: Some(problem),
        };
        let config = match config::load(&self.path) {
            Ok(config) => config,
            Err(error) => {
                self.watched = self.watched.clone().with_wrong(&error);
                return stays(error.to_string());
            }
        };
        self.watched = Watched::of(&self.path, &config);
        let rehearsal = if change == Some(Change::Look) && !ask_web {
            before.rehearsal.clone()
        } else {
            match self.rehearse(&config, ask_web).await {
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

    /// Composes the editions of `config`. The exit code when there is nothing to be seen.
    pub(super) async fn rehearse(
        &mut self,
        config: &Config,
        ask_web: bool,
    ) -> anyhow::Result<Result<Rehearsal, u8>> {
        let now = self.which.now(config);
        // Open only while it is read, so that it keeps no send waiting.
        let store = Store::open_for_rehearsal(&config.store, &config.newsletter.id).await?;
        let collect = self.held.read(config, &store, now, ask_web).await?;
        self.which.compose(config, &store, now, collect).await
    }
}
