//! What every request and every answer must keep to.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::timeout::TimeoutLayer;
use url::form_urlencoded;

use super::app::App;
use super::client::{Peer, ip_of, language_of};
use super::door::Shut;
use super::frame::{Link, Page, message};
use crate::model::{Language, Purpose};

/// What a form may have, in bytes.
const FORM: usize = 16 * 1024;

/// How many fields.
const FIELDS: usize = 200;

/// For one request, with its body.
const PATIENCE: Duration = Duration::from_secs(15);

/// What browsers are told with every page. No script, nothing from elsewhere but pictures of the news, no frame of anybody's.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // A token must not be told to where a link leads.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("browsing-topics=()"),
    ),
];

/// `pages` with what holds for all of them.
pub(super) fn guarded(pages: Router, app: Arc<App>) -> Router {
    pages
        .layer(DefaultBodyLimit::max(FORM))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            PATIENCE,
        ))
        .layer(middleware::from_fn_with_state(app, watch))
}

async fn watch(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    // As it is in the program: what is in an address may be a token.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics
        .answered(route, response.status().as_u16(), started.elapsed());
    response
}

/// What a handler could not do. It is told to the operator, and to the reader without its reasons.
pub(super) struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!("A page could not be answered: {:#}", self.0);
        let status = if crate::store::is_passing(&self.0) || self.0.is::<Shut>() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let said = "This did not work, through no fault of yours. Please try again in a minute.\n";
        (status, [(header::RETRY_AFTER, "60")], said).into_response()
    }
}

pub(super) type Answer = Result<Response, Failure>;

/// Who asks, and for what.
pub(super) struct Ask {
    pub(super) ip: IpAddr,
    pub(super) language: Language,
    /// The path, below that of the configuration.
    pub(super) path: String,
    /// Whether they only look.
    pub(super) is_get: bool,
    query: Vec<(String, String)>,
    /// Whether they have the key of an archive that is not public.
    pub(super) has_key: bool,
    pub(super) headers: HeaderMap,
}

impl Ask {
    /// A parameter of the address.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        value(&self.query, name)
    }

    /// The same, read in the language that a form says.
    pub(super) fn with_form(mut self, app: &App, fields: &Fields) -> Self {
        if let Some(language) = offered(app, fields.get("lang")) {
            self.language = language;
        }
        self
    }
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.as_str())
}

fn offered(app: &App, tag: Option<&str>) -> Option<Language> {
    let language = Language::from_tag(tag?)?;
    app.options
        .languages
        .contains(&language)
        .then_some(language)
}

impl FromRequestParts<Arc<App>> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let unknown = Peer(([0, 0, 0, 0], 0).into());
        let peer = parts.extensions.get::<Peer>().copied().unwrap_or(unknown);
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let query = form_urlencoded::parse(query).into_owned();
        let query: Vec<(String, String)> = query.take(FIELDS).collect();
        let chosen = offered(app, value(&query, "lang"));
        let key = value(&query, "key");
        let has_key = key.is_some_and(|key| app.tokens.open(Purpose::Archive, key) == Some(0));
        Ok(Self {
            ip: ip_of(peer, &parts.headers, &app.options.trusted_proxies),
            language: chosen.unwrap_or_else(|| language_of(&parts.headers, &app.options.languages)),
            path: parts.uri.path().trim_start_matches('/').to_owned(),
            is_get: matches!(parts.method, Method::GET | Method::HEAD),
            query,
            has_key,
            headers: parts.headers.clone(),
        })
    }
}

/// The fields of a form.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        value(&self.0, name)
    }

    /// All values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<App>> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let body = Bytes::from_request(request, app)
            .await
            .map_err(IntoResponse::into_response)?;
        let fields = form_urlencoded::parse(&body).into_owned();
        Ok(Self(fields.take(FIELDS).collect()))
    }
}

/// That a form was sent from one of our own pages: a page of somebody else's must not press a button for a reader who has a link of
/// ours open. (Nobody can who does not have the token; this is the second lock.)
pub(super) struct FromHere;

impl FromRequestParts<Arc<App>> for FromHere {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let headers = &parts.headers;
        let read = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_foreign = match read("sec-fetch-site") {
            Some(site) => !matches!(site, "same-origin" | "none"),
            // An older browser. Ours says “null”, because our pages tell nobody where somebody comes from.
            None => read("origin").is_some_and(|origin| {
                origin != "null" && origin != app.options.url.origin().ascii_serialization()
            }),
        };
        if parts.method != Method::POST || !is_foreign {
            return Ok(Self);
        }
        let ask = match Ask::from_request_parts(parts, app).await {
            Ok(ask) => ask,
            Err(never) => match never {},
        };
        let words = &crate::render::words(ask.language).pages.foreign;
        Err(refused(app, &ask, StatusCode::FORBIDDEN, words))
    }
}

/// A page that says that something is not to be had.
pub(super) fn refused(
    app: &App,
    ask: &Ask,
    status: StatusCode,
    words: &crate::render::Message,
) -> Response {
    match message(app, ask, words, Page::default()) {
        Ok(page) => (status, page).into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// For a link that is too old, was never good, or is of somebody who has left.
pub(super) fn invalid(app: &App, ask: &Ask) -> Response {
    let words = crate::render::words(ask.language);
    let again = Link::new(app.page(""), words.pages.sign_up.heading);
    let links = Page {
        links: vec![again],
        ..Page::default()
    };
    match message(app, ask, &words.pages.confirm.invalid, links) {
        Ok(page) => (StatusCode::NOT_FOUND, page).into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// There is no such page.
pub(super) async fn lost(State(app): State<Arc<App>>, ask: Ask) -> Response {
    not_found(&app, &ask)
}

pub(super) fn not_found(app: &App, ask: &Ask) -> Response {
    let words = &crate::render::words(ask.language).pages.lost;
    refused(app, ask, StatusCode::NOT_FOUND, words)
}

/// The process lives.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// The store answers, and all work goes on.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.store.ping().await {
        Ok(()) => match app.health.trouble() {
            trouble if trouble.is_empty() => "ready\n".into_response(),
            trouble => {
                let lines = trouble.join("\n") + "\n";
                (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
            }
        },
        Err(error) => {
            tracing::warn!("The store does not answer: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer\n",
            )
                .into_response()
        }
    }
}
