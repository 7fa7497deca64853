//! What the page of a served preview asks for.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use dom_query::Document;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::follow::Shown;
use super::format::{Format, Forms};
use super::letters::{self, LetterKind};
use crate::model::{Audience, Language};
use crate::render::lint::Check;
use crate::render::{self, HTML_BUDGET};

/// How long a page waits for a change before it asks anew.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Studio {
    /// What is shown now.
    pub(super) shown: watch::Receiver<Arc<Shown>>,
    /// Told to ask the feeds on the web again.
    pub(super) ask: Arc<Notify>,
}

pub(super) fn router(studio: Studio) -> Router {
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
/// lead here must not read what is shown, and none must make us ask the feeds.
async fn guard(request: Request, next: Next) -> Response {
    if let Some(refusal) = refusal(request.headers()) {
        return refusal.into_response();
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

fn refusal(headers: &HeaderMap) -> Option<StatusCode> {
    let read = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = read(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_foreign = |origin| origin != format!("http://{host}");
    if !matches!(name, "127.0.0.1" | "localhost") {
        Some(StatusCode::MISDIRECTED_REQUEST)
    } else if read(header::ORIGIN).is_some_and(is_foreign) {
        Some(StatusCode::FORBIDDEN)
    } else {
        None
    }
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
        let checks = letters::checks(config, kind, &letter)?;
        let bodies = [&*letter.subject, &letter.html, &letter.text];
        return Ok(Some(Look::of(bodies, &mail.bytes, None, checks)));
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
    let forms = Forms::new(config, &one.edition, &[], &audience)?;
    let (source, page) = (forms.write(Format::Eml)?, forms.write(Format::Page)?);
    let page = String::from_utf8_lossy(&page).into_owned();
    let mail = forms.mail();
    let bodies = [mail.subject, mail.html, mail.text];
    Ok(Some(Look::of(bodies, &source, Some(page), forms.checks())))
}

impl Look {
    fn of(
        [subject, html, text]: [&str; 3],
        source: &[u8],
        page: Option<String>,
        checks: Vec<Check>,
    ) -> Self {
        let document = Document::from(html);
        Self {
            subject: subject.to_owned(),
            preheader: document.select(".preheader").text().trim().to_owned(),
            html: html.to_owned(),
            text: text.to_owned(),
            source: String::from_utf8_lossy(source).into_owned(),
            page,
            html_bytes: render::encoded_size(html),
            mail_bytes: source.len(),
            lines: text.lines().count(),
            budget: HTML_BUDGET,
            checks,
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
