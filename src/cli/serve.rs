//! `tidings serve`: the pages for readers, and the letters that belong to them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use clap::Args;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::line::{self, WayOut};
use super::lock::{self, Asked, Lock};
use super::supervise::supervise;
use super::terminal;
use crate::config::{self, Config};
use crate::store::Store;
use crate::web::{self, App, Clock, Health, Metrics, Post, ServeOptions};

/// Arguments of `tidings serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
The section [serve] of the configuration says where. Put a web server with TLS in front of it, and name that in
serve.trusted_proxies. With serve.send_every it also sends what is due, and no cron is needed.

It ends in good order when it is told to (SIGTERM, Ctrl-C), and reads its configuration again at SIGHUP
(systemctl reload tidings): with a fault in it, it says so and goes on by the old one. /ready says whether all
that belongs to it works. A socket that systemd has opened is taken instead of a
port of its own.")]
pub(super) struct Serve {}

impl Serve {
    pub(super) async fn run(self, config: Config, path: &Path) -> anyhow::Result<u8> {
        let Some(options) = config.serve.clone() else {
            tell!(
                "The configuration does not say where the pages are: add [serve] with url = \"https://news.example.org/\"."
            );
            return Ok(super::USAGE);
        };
        super::ensure_migrated(&config).await?;
        let store = Store::open_for_pages(&config.store, &config.newsletter.id).await?;
        let store = Arc::new(store);
        super::tell_if_new(&config, &store);
        let served = serve(config, options, path, &store);
        super::close_after(&store, served).await
    }
}

/// Serves the pages until it is told to stop. At a hang-up they go on by what the configuration says then.
async fn serve(
    config: Config,
    options: ServeOptions,
    path: &Path,
    store: &Arc<Store>,
) -> anyhow::Result<u8> {
    let mut stop = terminal::stop_signal();
    let mut reload = terminal::hang_up();
    let places = (options.listen, options.metrics);
    let listener = web::listen(options.listen).await?;
    if terminal::is_watched() {
        tell!(
            "The pages are at {}, served on {}. Ctrl-C ends it.",
            options.url,
            listener.local_addr()?
        );
    }
    let metrics = match options.metrics {
        Some(address) => Some(web::listen_for_metrics(address).await?),
        None => None,
    };
    let shared = Shared {
        store: store.clone(),
        health: Arc::default(),
        counted: Arc::default(),
        right: Arc::new(Right::to_send_letters(&config)),
    };
    let mut pages = Pages::prepare(config, options, &shared).await?;
    pages.work(&shared);
    let (show, shown) = watch::channel(pages.router());
    let (show_metrics, shown_metrics) = watch::channel(pages.metrics());
    let mut serving = JoinSet::new();
    serving.spawn(web::serve(listener, shown, stop.clone()));
    if let Some(listener) = metrics {
        serving.spawn(web::serve(listener, shown_metrics, stop.clone()));
    }
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = serving.join_next() => {
                ended.context("serving the pages")??;
                break;
            }
            () = reload.next() => {}
        }
        let loaded = reloaded(path, store, places).await;
        let started = match loaded {
            Ok((config, options)) => Pages::prepare(config, options, &shared).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(new) => {
                // Nobody is sent away: who has asked is answered by the old pages.
                let _ = (show.send(new.router()), show_metrics.send(new.metrics()));
                std::mem::replace(&mut pages, new).end().await;
                pages.work(&shared);
                tracing::info!("The configuration was read again.");
                shared.health.is_up(CONFIGURATION);
            }
            Err(error) => {
                let said = super::in_words(&error);
                tell!("The configuration was not taken over, and the old one goes on:\n{said}");
                let what = "it was changed, and cannot be taken over".to_owned();
                shared.health.is_down(CONFIGURATION, what);
            }
        }
    }
    pages.end().await;
    while let Some(ended) = serving.join_next().await {
        ended.context("serving the pages")??;
    }
    Ok(super::DONE)
}

/// What health calls the configuration.
const CONFIGURATION: &str = "configuration";

/// The configuration as it stands in its file now, where it can be taken over without a new start.
async fn reloaded(
    path: &Path,
    store: &Store,
    places: (SocketAddr, Option<SocketAddr>),
) -> anyhow::Result<(Config, ServeOptions)> {
    let config = config::load(path)?.with_templates()?;
    let options = config.serve.clone().context("[serve] is missing")?;
    anyhow::ensure!(
        places == (options.listen, options.metrics),
        "serve.listen and serve.metrics only change with a new start: systemctl restart tidings"
    );
    anyhow::ensure!(
        store.is_at(&config.store),
        "store.url only changes with a new start: systemctl restart tidings"
    );
    Ok((config, options))
}

/// What stays while the configuration changes.
struct Shared {
    store: Arc<Store>,
    health: Arc<Health>,
    counted: Arc<Metrics>,
    right: Arc<Right>,
}

/// The right to send letters: of several that serve one file, one has it; when that one ends, another takes over. (With PostgreSQL, its own locks
/// say who.)
struct Right {
    beside: Option<PathBuf>,
    lock: Mutex<Option<Lock>>,
}

impl Right {
    fn to_send_letters(config: &Config) -> Self {
        let beside = |file: &Path| PathBuf::from(format!("{}.letters", file.display()));
        Self {
            beside: config.store.file().map(beside),
            lock: Mutex::default(),
        }
    }

    /// Whether it is ours, or is from now on.
    fn ask(&self) -> anyhow::Result<bool> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(beside), None) = (&self.beside, &*lock) {
            match lock::ask(beside, line::wall())? {
                Asked::Ours(ours) => *lock = Some(ours),
                Asked::Theirs { .. } => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// The pages by one configuration, and the work that belongs to them.
struct Pages {
    app: Arc<App>,
    post: Arc<Post>,
    work: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Pages {
    /// Makes sure that all is there that this configuration needs.
    async fn prepare(
        config: Config,
        options: ServeOptions,
        shared: &Shared,
    ) -> anyhow::Result<Self> {
        let store = &shared.store;
        store
            .subscribers()
            .sync_configured(&config.subscribers, line::wall())
            .await?;
        let way = WayOut::new(&config, store).await?;
        let clock = Clock {
            wall: line::wall,
            pretended: config.now,
        };
        let tokens = store.token_keys().await?;
        let app = App::new(config, options, tokens, store.clone(), clock);
        let app = Arc::new(app.sharing(shared.health.clone(), shared.counted.clone()));
        let right = shared.right.clone();
        let post = Arc::new(Post {
            may_post: Box::new(move || right.ask()),
            app: app.clone(),
            mailer: way.mailer,
            sender: way.sender,
        });
        Ok(Self {
            app,
            post,
            work: JoinSet::new(),
            stop: watch::Sender::new(false),
        })
    }

    /// Begins the work.
    fn work(&mut self, shared: &Shared) {
        let (app, post) = (self.app.clone(), self.post.clone());
        let stop = || self.stop.subscribe();
        let (stopped, health) = (stop(), shared.health.clone());
        self.work
            .spawn(supervise("letters", health, stop(), move || {
                web::deliver_letters(post.clone(), stopped.clone())
            }));
        let (stopped, health, archived) = (stop(), shared.health.clone(), app.clone());
        self.work
            .spawn(supervise("archive", health, stop(), move || {
                index(archived.clone(), stopped.clone())
            }));
        if let Some(every) = app.options.send_every {
            let (stopped, health) = (stop(), shared.health.clone());
            let of_runs = health.clone();
            self.work
                .spawn(supervise("sending", health, stop(), move || {
                    send(app.config.clone(), every, of_runs.clone(), stopped.clone())
                }));
        }
    }

    fn router(&self) -> Router {
        web::router(self.app.clone())
    }

    fn metrics(&self) -> Router {
        web::metrics_router(self.app.clone())
    }

    /// Ends the work in good order.
    async fn end(mut self) {
        let _ = self.stop.send(true);
        while self.work.join_next().await.is_some() {}
    }
}

/// How often editions are looked for that another process has published.
const LOOK: Duration = Duration::from_secs(15);

/// Puts editions into the archive that another process has published and could not, and keeps SQLite's log short.
async fn index(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = line::index_editions(&app.config, &app.store).await {
            let said = crate::store::describe(&error);
            tracing::warn!("The archive could not be kept up to date: {said}");
        }
        if let Err(error) = app.store.checkpoint().await {
            tracing::warn!("SQLite's log could not be moved into the store: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Sends what is due, again and again.
async fn send(
    config: Config,
    every: Duration,
    health: Arc<Health>,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // What went wrong with feeds and deliveries it says itself.
        match super::send::pass(&config, stop.clone()).await {
            Ok(_) => health.is_up("runs"),
            Err(error) => {
                let said = crate::store::describe(&error);
                tell!("tidings: {said}");
                health.is_down("runs", said);
            }
        }
    }
}
