//! `tidings preview --serve`: a page on this machine that shows the mails in many ways and follows what changes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::follow::{Follower, Shown};
use super::web::{Studio, router};
use crate::cli::rehearsal::Which;
use crate::cli::{self, terminal};
use crate::config::Config;

/// Serves the preview of `config`, which stands at `path`, until it is interrupted. `port` is any free one when absent.
pub(super) async fn serve(
    path: &Path,
    config: Config,
    which: Which,
    port: Option<u16>,
    open: bool,
) -> anyhow::Result<u8> {
    let mut stop = terminal::stop_signal();
    let mut follower = Follower::new(path, &config, which);
    let rehearsal = tokio::select! {
        rehearsal = follower.rehearse(&config, true) => match rehearsal? {
            Ok(rehearsal) => rehearsal,
            Err(code) => return Ok(code),
        },
        _ = stop.wait_for(|stop| *stop) => return Ok(cli::INTERRUPTED),
    };
    let shown = Shown {
        version: 1,
        config,
        rehearsal,
        problem: None,
    };
    let (show, shown) = watch::channel(Arc::new(shown));
    let studio = Studio {
        shown,
        ask: Arc::default(),
    };
    // Of this machine only: what is shown may not be public yet.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}; --port takes another one"))?;
    let url = format!("http://{}/", listener.local_addr()?);
    say!("The preview is at {url} and follows what you change. Ctrl-C ends it.");
    if open {
        terminal::open_url(&url)?;
    }
    let ask = studio.ask.clone();
    tokio::select! {
        served = async { axum::serve(listener, router(studio)).await } => served.context("serving the preview")?,
        () = follower.follow(&show, &ask) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(cli::DONE)
}
