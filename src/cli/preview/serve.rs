//! `tidings preview --serve`: a page on this machine that shows the mails in many ways and follows what changes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use dom_query::Document;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::format::{Format, personal_links};
use super::held::Held;
use super::letters::{self, LetterKind};
use super::watch::{Change, Watched};
use crate::cli::rehearsal::{Rehearsal, Which};
use crate::cli::terminal;
use crate::config::{self, Config};
use crate::model::{Audience, Language};
use crate::render::lint::{Check, Rendered, lint};
use crate::render::{self, HTML_BUDGET};
use crate::store::Store;

/// How often the files are looked at: quicker than somebody changes windows.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How often feeds on the web are asked; those that want to rest are not.
const ASK_EVERY: Duration = Duration::from_secs(600);

/// How long a page waits for a change before it asks anew.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the page shows. It is replaced as a whole.
#[derive(Debug)]
struct Shown {
    version: u64,
    config: Config,
    rehearsal: Rehearsal,
    /// Why what is shown is not what the files say.
    problem: Option<String>,
}

/// What the handlers share.
#[derive(Clone)]
struct Studio {
    shown: watch::Receiver<Arc<Shown>>,
    /// Told to ask the feeds on the web again.
    ask: Arc<Notify>,
}

/// Serves the preview of `config`, which stands at `path`, until it is interrupted. `port` is any free one when absent.
pub(super) async fn serve(
    path: &Path,
    config: Config,
    which: Which,
    port: Option<u16>,
    open: bool,
) -> anyhow::Result<u8> {
    let mut stop = terminal::stop_signal();
    let mut follower = Follower {
        path: path.to_owned(),
        watched: Watched::of(path, &config),
        which,
        held: Held::default(),
    };
    let rehearsal = tokio::select! {
        rehearsal = follower.rehearse(&config, true) => match rehearsal? {
            Ok(rehearsal) => rehearsal,
            Err(code) => return Ok(code),
        },
        _ = stop.wait_for(|stop| *stop) => return Ok(super::super::INTERRUPTED),
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
    println!("The preview is at {url} and follows what you change. Ctrl-C ends it.");
    if open {
        terminal::open_url(&url)?;
    }
    let ask = studio.ask.clone();
    tokio::select! {
        served = async { axum::serve(listener, router(studio)).await } => served.context("serving the preview")?,
        () = follower.follow(&show, &ask) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(super::super::DONE)
}

/// Makes the preview anew when something has changed.
struct Follower {
    path: PathBuf,
    watched: Watched,
    which: Which,
    held: Held,
}

impl Follower {
    async fn follow(&mut self, show: &watch::Sender<Arc<Shown>>, ask: &Notify) {
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

    async fn rehearse(
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

fn router(studio: Studio) -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { Html(include_str!("../../../templates/preview.html")) }),
        )
        .route("/preview.js", get(script))
        .route("/state", get(state))
        .route("/look", get(look))
        .route("/why", get(why))
        .route("/fetch", post(fetch))
        .layer(middleware::from_fn(guard))
        .with_state(studio)
}

/// Answers only who knows us as this machine, and lets nothing run but our own script: a page on the web that has its name
/// lead here must not read what is shown.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost") {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut response = next.run(request).await;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
                  frame-src 'self'; frame-ancestors 'self'; img-src https: http: data:; base-uri 'self'; form-action 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        include_str!("../../../templates/preview.js"),
    )
}

#[derive(Deserialize)]
struct After {
    after: u64,
}

/// What can be looked at.
#[derive(Serialize)]
struct StateView {
    version: u64,
    title: String,
    /// Name and label of each mail.
    mails: Vec<(String, String)>,
    languages: Vec<(&'static str, &'static str)>,
    /// The newsletter's.
    language: &'static str,
    problem: Option<String>,
    feeds: String,
    trouble: Vec<String>,
}

/// The state after the version that somebody has, as soon as there is a newer one.
async fn state(State(mut studio): State<Studio>, Query(query): Query<After>) -> Json<StateView> {
    let newer = studio.shown.wait_for(|shown| shown.version > query.after);
    let _ = tokio::time::timeout(PATIENCE, newer).await;
    let shown = studio.shown.borrow().clone();
    let editions = shown.rehearsal.editions.iter().map(|one| {
        let cadence = one.edition.cadence.to_string();
        let label = match one.edition.story_count() {
            0 => format!("{cadence} (no story)"),
            stories => format!("{cadence} ({stories})"),
        };
        (cadence, label)
    });
    let letters = LetterKind::ALL
        .iter()
        .map(|kind| (format!("letter-{}", kind.name()), kind.name().to_owned()));
    Json(StateView {
        version: shown.version,
        title: format!("{} – preview", shown.config.newsletter.title),
        mails: editions.chain(letters).collect(),
        languages: Language::ALL
            .map(|language| (language.tag(), language.tag()))
            .to_vec(),
        language: shown.config.newsletter.language.tag(),
        problem: shown.problem.clone(),
        feeds: shown.rehearsal.collect.summary(),
        trouble: shown
            .rehearsal
            .collect
            .trouble()
            .lines()
            .map(str::to_owned)
            .collect(),
    })
}

#[derive(Deserialize)]
struct Wanted {
    what: String,
    language: String,
}

/// One mail.
#[derive(Debug, Serialize)]
struct Look {
    subject: String,
    preheader: String,
    html: String,
    text: String,
    /// As it goes over the wire.
    source: String,
    /// The page for the web; absent for letters.
    page: Option<String>,
    html_bytes: usize,
    mail_bytes: usize,
    lines: usize,
    budget: usize,
    checks: Vec<Check>,
}

async fn look(
    State(studio): State<Studio>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Look>, (StatusCode, String)> {
    let shown = studio.shown.borrow().clone();
    let looked = tokio::task::spawn_blocking(move || look_at(&shown, &wanted)).await;
    match looked {
        Ok(Ok(Some(look))) => Ok(Json(look)),
        Ok(Ok(None)) => Err((StatusCode::NOT_FOUND, "There is no such mail.".to_owned())),
        Ok(Err(error)) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// The mail that is wanted; none when there is no such one.
fn look_at(shown: &Shown, wanted: &Wanted) -> anyhow::Result<Option<Look>> {
    let config = &shown.config;
    let Some(language) = Language::from_tag(&wanted.language) else {
        return Ok(None);
    };
    let kind = LetterKind::ALL
        .into_iter()
        .find(|kind| wanted.what.strip_prefix("letter-") == Some(kind.name()));
    if let Some(kind) = kind {
        let letter = kind.example(config, language)?;
        let mail = letters::mail(config, kind, &letter, language)?;
        let links = personal_links(config)?;
        let rendered = Rendered {
            subject: &letter.subject,
            html: &letter.html,
            text: &letter.text,
            unsubscribe: (kind == LetterKind::Welcome).then_some(&*links.unsubscribe),
        };
        return Ok(Some(Look::of(config, rendered, &mail.bytes, None)));
    }
    let found = shown
        .rehearsal
        .editions
        .iter()
        .find(|one| one.edition.cadence.as_str() == wanted.what);
    let Some(one) = found else {
        return Ok(None);
    };
    let audience = Audience::everything(language);
    let (newsletter, theme) = (&config.newsletter, &config.theme);
    let digest = render::digest(newsletter, theme, &one.edition, &audience)?;
    let source = Format::Eml.render(config, &one.edition, &audience)?;
    let page = render::page(newsletter, theme, &one.edition, &audience)?;
    let links = personal_links(config)?;
    let rendered = Rendered {
        subject: &digest.subject,
        html: &digest.html.fill(&links),
        text: &digest.text.fill(&links),
        unsubscribe: Some(&links.unsubscribe),
    };
    Ok(Some(Look::of(config, rendered, &source, Some(page))))
}

impl Look {
    fn of(config: &Config, mail: Rendered<'_>, source: &[u8], page: Option<String>) -> Self {
        let document = Document::from(mail.html);
        Self {
            subject: mail.subject.to_owned(),
            preheader: document.select(".preheader").text().trim().to_owned(),
            html: mail.html.to_owned(),
            text: mail.text.to_owned(),
            source: String::from_utf8_lossy(source).into_owned(),
            page,
            html_bytes: render::encoded_size(mail.html),
            mail_bytes: source.len(),
            lines: mail.text.lines().count(),
            budget: HTML_BUDGET,
            checks: lint(&config.newsletter, mail),
        }
    }
}

async fn why(State(studio): State<Studio>) -> Result<Html<String>, (StatusCode, String)> {
    let shown = studio.shown.borrow().clone();
    let page = shown.rehearsal.page(&shown.config);
    page.map(Html)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))
}

async fn fetch(State(studio): State<Studio>) -> StatusCode {
    studio.ask.notify_one();
    StatusCode::ACCEPTED
}
