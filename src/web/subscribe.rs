//! Where somebody signs up: on the first page, on somebody else's, or by a program.
//!
//! What comes back is the same whoever the address belongs to. Nothing is mailed from here: a letter is planned, and what it says is
//! decided when it is sent.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::app::App;
use super::archive::{EditionView, edition_views};
use super::form::{Choices, Entries, Pace, cadence_name, usual};
use super::frame::{Frame, Page, message, name_of, page};
use super::guard::{Answer, Ask, Fields, refused};
use super::metrics::Event;
use crate::model::{Address, ItemKey, Language, Preference, WrongPreference};
use crate::render::{PageWords, words};
use crate::store::SignUp;

/// The field that people do not see; its name says nothing to what fills in forms for them.
const TRAP: &str = "note";

/// How many editions the first page has.
const EDITIONS: u32 = 5;

/// The form to sign up.
pub(super) struct SignUpForm {
    pub(super) action: String,
    pub(super) token: String,
    /// From which page it is sent.
    pub(super) name: &'static str,
    pub(super) follow: String,
    pub(super) address: String,
    pub(super) notice: String,
    pub(super) error: String,
    pub(super) consent: String,
    pub(super) consent_language: &'static str,
    pub(super) choices: Choices,
}

impl SignUpForm {
    pub(super) fn new(app: &App, ask: &Ask, name: &'static str) -> Self {
        Self::with(app, ask, &Entries::of(&usual(app, ask)), &[], name)
    }

    /// With what was entered, and what is wrong with it.
    fn with(
        app: &App,
        ask: &Ask,
        entries: &Entries,
        faults: &[WrongPreference],
        name: &'static str,
    ) -> Self {
        let (consent, language) = app.consent(ask.language);
        Self {
            action: app.page("subscribe"),
            token: app.form_token(),
            name,
            follow: String::new(),
            address: String::new(),
            notice: String::new(),
            error: String::new(),
            consent,
            consent_language: language.tag(),
            choices: Choices::new(app, ask, entries, faults),
        }
    }
}

#[derive(Template)]
#[template(path = "web/home.html")]
struct HomePage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    form: &'a SignUpForm,
    has_editions: bool,
    editions: &'a [EditionView],
}

/// The first page.
pub(super) async fn home(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    let form = SignUpForm::new(&app, &ask, "page");
    Ok(page(home_with(&app, &ask, &form).await?))
}

async fn home_with(
    app: &App,
    ask: &Ask,
    form: &SignUpForm,
) -> Result<Html<String>, super::guard::Failure> {
    let pages = &words(ask.language).pages;
    let editions = if app.may_read(ask) {
        let before = app.clock.now() + chrono::TimeDelta::days(1);
        let found = app
            .store
            .archive()
            .list_archive(before, None, EDITIONS)
            .await?;
        edition_views(app, ask, &found.list)
    } else {
        Vec::new()
    };
    let mut frame = Frame::new(app, ask, pages.sign_up.heading).public(app, "");
    if app.may_read(ask) {
        frame.feeds = super::feeds::of_editions(app);
    }
    let page = HomePage {
        frame: &frame,
        words: pages,
        form,
        has_editions: !editions.is_empty(),
        editions: &editions,
    };
    Ok(Html(page.render()?))
}

/// What became of a sign-up.
enum SignedUp {
    Sent,
    TooMany,
}

async fn sign_up(app: &App, signup: SignUp) -> anyhow::Result<SignedUp> {
    let now = (app.clock.wall)();
    let taken = app
        .store
        .subscribers()
        .create_signup(&signup, app.options.per_network, now)
        .await?;
    if !taken {
        app.metrics.note(Event::Refused);
        return Ok(SignedUp::TooMany);
    }
    app.metrics.note(Event::SignedUp);
    app.letters.notify_one();
    Ok(SignedUp::Sent)
}

/// Takes a form, or what a program sends.
pub(super) async fn subscribe(State(app): State<Arc<App>>, ask: Ask, request: Request) -> Answer {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_json = kind
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if is_json {
        return subscribe_program(&app, ask, request).await;
    }
    let fields = match Fields::from_request(request, &app).await {
        Ok(fields) => fields,
        Err(refusal) => return Ok(refusal),
    };
    let ask = ask.with_form(&app, &fields);
    let pages = &words(ask.language).pages;
    let sent = || -> Answer {
        let remarks = vec![pages.sign_up.nothing_came.to_owned()];
        let said = Page {
            remarks,
            ..Page::default()
        };
        Ok(page(message(&app, &ask, &pages.sign_up.sent, said)?))
    };
    // A person does not see the field, but a browser may have filled it in for them: they look once more.
    let is_trapped = fields.get(TRAP).is_some_and(|text| !text.is_empty());
    if is_trapped {
        app.metrics.note(Event::Trapped);
    }
    let mut preferences = usual(&app, &ask);
    let entries = Entries::from_form(&app, &fields);
    let faults = entries.write(&mut preferences, &app.offer());
    let entries = entries.over(Entries::of(&preferences));
    let written = fields.get("address").unwrap_or_default().trim();
    let follow = fields.get("follow").unwrap_or_default();
    let token = fields.get("token").unwrap_or_default();
    let pace = app.pace(token);
    let form = |notice: &str, error: &str| SignUpForm {
        address: written.chars().take(254).collect(),
        follow: follow.chars().take(64).collect(),
        notice: notice.to_owned(),
        error: error.to_owned(),
        // Who was too fast has waited by the time that they press the button again.
        token: match pace {
            Pace::Unknown => app.form_token(),
            Pace::Human | Pace::Fast => token.to_owned(),
        },
        // As it will stand in the proof.
        ..SignUpForm::with(
            &app,
            &ask,
            &entries,
            &faults,
            form_kind(fields.get("form").unwrap_or_default()),
        )
    };
    let Ok(address) = Address::parse_public(written) else {
        let form = form("", pages.sign_up.no_address);
        let page = home_with(&app, &ask, &form).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    if !faults.is_empty() {
        let form = form(pages.choose.check, "");
        let page = home_with(&app, &ask, &form).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if is_trapped || pace != Pace::Human {
        let form = form(pages.sign_up.check, "");
        return Ok(page(home_with(&app, &ask, &form).await?));
    }
    let (consent, _) = app.consent(ask.language);
    let name = fields.get("form").unwrap_or("page");
    let signup = SignUp {
        address,
        language: preferences.language.unwrap_or(ask.language),
        cadence: preferences.cadence,
        topics: preferences.topics,
        follow: story_key(follow),
        ip: ask.ip,
        form: form_name(&app, name),
        consent,
    };
    match sign_up(&app, signup).await? {
        SignedUp::Sent => sent(),
        SignedUp::TooMany => {
            let words = &pages.sign_up.too_many;
            Ok(refused(&app, &ask, StatusCode::TOO_MANY_REQUESTS, words))
        }
    }
}

/// The page that a form was on: one of ours, whatever was sent.
fn form_kind(name: &str) -> &'static str {
    match name {
        "embedded" => "embedded",
        "story" => "story",
        "program" => "program",
        _ => "page",
    }
}

/// The same as the proof of consent names it.
fn form_name(app: &App, name: &str) -> String {
    format!("{} ({})", app.page("subscribe"), form_kind(name))
}

/// The key of a story, if that is what it is.
pub(super) fn story_key(text: &str) -> Option<ItemKey> {
    let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key.then(|| ItemKey::from_stored(text.to_ascii_lowercase()))
}

/// What a program sends.
#[derive(Debug, Deserialize)]
struct SignUpRequest {
    address: String,
    /// Their names, or one text as it stands in a CSV file. A program that offers no choice says nothing, and gets everything.
    topics: Option<TopicsRequest>,
    cadence: Option<String>,
    language: Option<String>,
    /// That of the text that was shown.
    consent_language: Option<String>,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TopicsRequest {
    Text(String),
    List(Vec<String>),
}

impl From<TopicsRequest> for String {
    fn from(topics: TopicsRequest) -> Self {
        match topics {
            TopicsRequest::Text(text) => text,
            TopicsRequest::List(list) => list.join(" "),
        }
    }
}

/// What it gets.
#[derive(Debug, Serialize)]
struct SignUpAnswer {
    status: &'static str,
    /// The member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    message: String,
}

async fn subscribe_program(app: &Arc<App>, ask: Ask, request: Request) -> Answer {
    let body = match Bytes::from_request(request, app).await {
        Ok(body) => body,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let answer = |code: StatusCode, status, message: &str| {
        let message = message.to_owned();
        Ok(open_to_all(
            (
                code,
                Json(SignUpAnswer {
                    status,
                    field: None,
                    message,
                }),
            )
                .into_response(),
        ))
    };
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    let wanted: SignUpRequest = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return answer(wrong, "invalid", &error.to_string()),
    };
    let pages = &words(ask.language).pages;
    let Ok(address) = Address::parse_public(&wanted.address) else {
        return answer(wrong, "no_address", pages.sign_up.no_address);
    };
    match app.pace(&wanted.token) {
        Pace::Human => {}
        Pace::Fast => {
            return answer(StatusCode::TOO_EARLY, "too_fast", pages.sign_up.check);
        }
        Pace::Unknown => {
            let cure = "Ask for a token at subscribe.json, when the form is shown.";
            return answer(wrong, "no_token", cure);
        }
    }
    let mut preferences = usual(app, &ask);
    let said = [
        (Preference::Topics, wanted.topics.map(String::from)),
        (Preference::Cadence, wanted.cadence),
        (Preference::Language, wanted.language),
    ];
    let offer = app.offer();
    for (preference, text) in said {
        let Some(text) = text else { continue };
        if let Err(fault) = preferences.set(preference, &text, &offer) {
            let said = SignUpAnswer {
                status: "invalid",
                field: Some(preference.name()),
                message: fault.to_string(),
            };
            return Ok(open_to_all((wrong, Json(said)).into_response()));
        }
    }
    // What was shown, which need not be in the language that they want to read.
    let shown = wanted
        .consent_language
        .as_deref()
        .and_then(Language::from_tag);
    let (consent, _) = app.consent(shown.unwrap_or(ask.language));
    let signup = SignUp {
        address,
        language: preferences.language.unwrap_or(ask.language),
        cadence: preferences.cadence,
        topics: preferences.topics,
        follow: None,
        ip: ask.ip,
        form: form_name(app, "program"),
        consent,
    };
    let title = &app.newsletter.title;
    match sign_up(app, signup).await? {
        SignedUp::Sent => {
            let text = words(ask.language).about(pages.sign_up.sent.text, title);
            answer(StatusCode::ACCEPTED, "sent", &text)
        }
        SignedUp::TooMany => {
            let text = pages.sign_up.too_many.text;
            answer(StatusCode::TOO_MANY_REQUESTS, "too_many", text)
        }
    }
}

/// What a program shows in a form of its own.
#[derive(Serialize)]
struct Offer {
    token: String,
    title: String,
    consent: String,
    consent_language: &'static str,
    privacy: Option<String>,
    topics: Vec<Named>,
    cadences: Vec<Named>,
    languages: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    id: String,
    title: String,
}

/// What there is to choose from, with a token for the form.
pub(super) async fn offer(State(app): State<Arc<App>>, ask: Ask) -> Response {
    let pages = &words(ask.language).pages;
    let named = |id: String, title: String| Named { id, title };
    let (config, options) = (&app.config, &app.options);
    let topics = config.topics.iter();
    let cadences = config.cadences.iter();
    let languages = options.languages.iter();
    let offer = Offer {
        token: app.form_token(),
        title: app.newsletter.title.clone(),
        consent: app.consent(ask.language).0,
        consent_language: ask.language.tag(),
        privacy: options.privacy_url.as_ref().map(url::Url::to_string),
        topics: topics
            .map(|topic| named(topic.id.to_string(), topic.title.clone()))
            .collect(),
        cadences: cadences
            .map(|cadence| named(cadence.id.to_string(), cadence_name(&cadence.id, pages)))
            .collect(),
        languages: languages
            .map(|language| named(language.tag().to_owned(), name_of(*language).to_owned()))
            .collect(),
    };
    open_to_all(Json(offer).into_response())
}

/// A browser asks whether a page of somebody else's may send us JSON: it may, as there is nothing here that only its reader could see.
pub(super) async fn preflight() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    open_to_all((StatusCode::NO_CONTENT, headers).into_response())
}

fn open_to_all(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

#[derive(Template)]
#[template(path = "web/_snippet.html")]
struct Snippet<'a> {
    words: &'a PageWords,
    action: String,
    language: &'static str,
    consent: String,
    privacy: &'a str,
}

#[derive(Template)]
#[template(path = "web/embed.html")]
struct EmbedPage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    snippet: String,
}

/// A form to put into a page of one's own.
pub(super) async fn embed(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    let pages = &words(ask.language).pages;
    let frame = Frame::new(&app, &ask, pages.sign_up.heading);
    let snippet = Snippet {
        words: pages,
        action: app.page("subscribe"),
        language: ask.language.tag(),
        consent: app.consent(ask.language).0,
        privacy: frame.privacy,
    };
    let embed = EmbedPage {
        snippet: snippet.render()?,
        frame: &frame,
        words: pages,
    };
    Ok(page(Html(embed.render()?)))
}
