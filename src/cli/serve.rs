//! `tidings serve`: the pages for readers, and the letters that belong to them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;

use super::line::{self, WayOut};
use super::lock::{self, Asked};
use super::terminal;
use crate::config::Config;
use crate::store::Store;
use crate::web::{self, App, Clock, Post};

/// Arguments of `tidings serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
The section [serve] of the configuration says where. Put a web server with TLS in front of it, and name that in
serve.trusted_proxies. With serve.send_every it also sends what is due, and no cron is needed.

It ends in good order when it is told to (SIGTERM, Ctrl-C). A socket that systemd has opened is taken instead of a
port of its own.")]
pub(super) struct Serve {}

impl Serve {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<u8> {
        let Some(options) = config.serve.clone() else {
            tell!(
                "The configuration does not say where the pages are: add [serve] with url = \"https://news.example.org/\"."
            );
            return Ok(super::USAGE);
        };
        let stop = terminal::stop_signal();
        let store = Store::open_for_pages(&config.store, &config.newsletter.id).await?;
        let store = Arc::new(store);
        store
            .subscribers()
            .sync_configured(&config.subscribers, line::wall())
            .await?;
        line::index_editions(&config, &store).await?;
        let way = WayOut::new(&config, &store).await?;
        let tokens = store.token_keys().await?;
        let clock = Clock {
            wall: line::wall,
            pretended: config.now,
        };
        let (listen, metrics) = (options.listen, options.metrics);
        let (url, send_every) = (options.url.clone(), options.send_every);
        let app = Arc::new(App::new(config.clone(), options, tokens, store, clock));
        let listener = web::listen(listen).await?;
        if terminal::is_watched() {
            say!(
                "The pages are at {}, served on {}. Ctrl-C ends it.",
                url,
                listener.local_addr()?
            );
        }
        let metrics = match metrics {
            Some(address) => Some(web::listen_for_metrics(address).await?),
            None => None,
        };
        // Of several that serve one file, the first sends letters. (With PostgreSQL, its own locks say who does.)
        let lock = config.store.file().map(|file| {
            let beside = PathBuf::from(format!("{}.letters", file.display()));
            lock::ask(&beside, line::wall())
        });
        let lock = lock.transpose()?;
        let may_post = !matches!(lock, Some(Asked::Theirs { .. }));
        let post = Arc::new(Post {
            may_post,
            app: app.clone(),
            mailer: way.mailer,
            sender: way.sender,
        });
        let letters = tokio::spawn(web::deliver_letters(post, stop.clone()));
        let sending =
            send_every.map(|every| tokio::spawn(send(config.clone(), every, stop.clone())));
        let indexing = tokio::spawn(index(config, app.clone(), stop.clone()));
        let pages = web::serve(listener, web::router(app.clone()), stop.clone());
        match metrics {
            Some(listener) => {
                let metrics = web::serve_metrics(app, listener, stop);
                tokio::try_join!(pages, metrics)?;
            }
            None => pages.await?,
        }
        letters.await.context("sending letters")?;
        indexing.await.context("keeping the archive")?;
        if let Some(sending) = sending {
            sending.await.context("sending what is due")?;
        }
        Ok(super::DONE)
    }
}

/// How often editions are looked for that another process has published.
const LOOK: Duration = Duration::from_secs(15);

/// Puts editions into the archive that another process has published and could not, and keeps the store tidy.
async fn index(config: Config, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = line::index_editions(&config, &app.store).await {
            tracing::warn!("The archive could not be kept up to date: {error:#}");
        }
        if let Err(error) = app.store.checkpoint().await {
            tracing::warn!("The store could not be tidied up: {error:#}");
        }
    }
}

/// Sends what is due, again and again.
async fn send(config: Config, every: Duration, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // What went wrong with feeds and deliveries it says itself.
        if let Err(error) = super::send::pass(&config, stop.clone()).await {
            tell!("tidings: {error:#}");
        }
    }
}
