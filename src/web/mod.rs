//! Web: the pages for readers. They sign up, confirm, choose, follow, leave and come back, and read what was sent before.
//!
//! | file | has |
//! |-|-|
//! | `options` | how the pages are served |
//! | `server`, `client`, `guard` | connections; who asks; what every request and answer must keep to |
//! | `app`, `frame`, `form` | what the handlers share; what every page has; what forms ask and say |
//! | `subscribe`, `confirm`, `leave`, `preferences`, `follow` | pages that change something, by POST only |
//! | `archive`, `feeds` | pages that show something |
//! | `door`, `post`, `metrics`, `health` | people who leave, in batches; letters; numbers for the operator, and what does not work |
//!
//! # What holds for all of them
//!
//! - A GET changes nothing, whoever follows it (RFC 9110 9.2.1).
//! - What is personal is behind a token for that one purpose ([`crate::model::Purpose`]); no public page has one.
//! - Whether an address is known can be told neither from an answer nor from how long it takes.
//! - No script runs, nothing is loaded from elsewhere, and no cookie is set.

mod app;
mod archive;
mod client;
mod confirm;
mod door;
mod feeds;
mod follow;
mod form;
mod frame;
mod guard;
mod health;
mod leave;
mod metrics;
mod options;
mod post;
mod preferences;
mod server;
mod subscribe;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use app::{App, Clock};
pub use health::Health;
pub use metrics::Metrics;
pub use options::{Access, ServeOptions, Welcome};
pub use post::{Post, deliver_letters};
pub use server::{listen, listen_for_metrics, metrics_router, serve};

/// All pages.
pub fn router(app: Arc<App>) -> Router {
    let pages = Router::new()
        .route("/", get(subscribe::home))
        .route(
            "/subscribe",
            get(subscribe::home)
                .post(subscribe::subscribe)
                .options(subscribe::preflight),
        )
        .route("/subscribe.json", get(subscribe::offer))
        .route("/embed", get(subscribe::embed))
        .route("/confirm/{token}", get(confirm::ask).post(confirm::confirm))
        .route(
            "/move/{token}",
            get(confirm::ask_to_move).post(confirm::confirm_move),
        )
        .route("/u/{token}", get(leave::ask).post(leave::leave))
        .route("/undo/{token}", get(leave::ask_to_undo).post(leave::undo))
        .route("/p/{token}", get(preferences::show).post(preferences::save))
        .route("/p/{token}/address", post(preferences::change_address))
        .route(
            "/follow/{token}/{story}",
            get(follow::ask).post(follow::follow),
        )
        .route("/archive", get(archive::archive))
        .route("/editions/{edition}", get(archive::edition))
        .route("/topics/{topic}", get(archive::topic))
        .route("/topics/{topic}/feed.atom", get(feeds::topic_atom))
        .route("/topics/{topic}/feed.json", get(feeds::topic_json))
        .route("/stories/{story}", get(archive::story))
        .route("/stories/{story}/feed.atom", get(feeds::story_atom))
        .route("/search", get(archive::search))
        .route("/feed.atom", get(feeds::editions_atom))
        .route("/feed.json", get(feeds::editions_json))
        .route("/sources.opml", get(feeds::sources))
        .route("/sitemap.xml", get(feeds::sitemap))
        .route("/robots.txt", get(feeds::robots))
        .route("/favicon.ico", get(feeds::favicon))
        .route("/health", get(guard::health))
        .route("/ready", get(guard::ready))
        .fallback(guard::lost);
    // Below the path that the configuration names, if any.
    let pages = match app.options.url.path().trim_end_matches('/') {
        "" => pages,
        path => Router::new()
            .nest(&format!("{path}/"), pages)
            .route(path, get(subscribe::home))
            .fallback(guard::lost),
    };
    guard::guarded(pages.with_state(app.clone()), app)
}
