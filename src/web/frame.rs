//! What every page has around its content.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::app::App;
use super::guard::{Answer, Ask, Failure};
use super::options::Access;
use crate::model::{Language, Purpose};
use crate::render::{Message, PageWords, Theme, words};

/// How long the pages of the archive may be kept by whoever asked for them, in seconds.
const KEPT: u32 = 300;

/// A link with its words.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) label: String,
    /// The language of the words, where it is another than the page's.
    pub(super) tag: &'static str,
}

impl Link {
    pub(super) fn new(url: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            label: label.into(),
            tag: "",
        }
    }
}

/// A feed that shows what the page does.
#[derive(Debug, Clone)]
pub(super) struct FeedLink {
    pub(super) url: String,
    pub(super) kind: &'static str,
    pub(super) title: String,
    /// “Atom”, “JSON Feed”.
    pub(super) name: &'static str,
}

/// What every page has around its content.
pub(super) struct Frame<'a> {
    pub(super) language: &'static str,
    pub(super) home_language: &'static str,
    pub(super) title: String,
    pub(super) newsletter: &'a str,
    pub(super) tagline: &'a str,
    pub(super) description: String,
    /// Its address, when it is for everybody; else it is not to be found by search engines.
    pub(super) canonical: String,
    pub(super) home: String,
    pub(super) theme: &'a Theme,
    pub(super) has_nav: bool,
    pub(super) nav: Vec<Link>,
    pub(super) has_languages: bool,
    pub(super) languages: Vec<Link>,
    pub(super) feeds: Vec<FeedLink>,
    pub(super) imprint_label: &'static str,
    pub(super) imprint: &'a [String],
    pub(super) privacy: &'a str,
}

impl<'a> Frame<'a> {
    /// The frame of a page with that heading.
    pub(super) fn new(app: &'a App, ask: &Ask, heading: &str) -> Self {
        let newsletter = &app.newsletter;
        let words = words(ask.language);
        let pages = &words.pages;
        let mut nav = Vec::new();
        if app.may_read(ask) {
            nav.push(Link::new(app.page(""), pages.sign_up.heading));
            nav.push(Link::new(app.archived("archive"), pages.archive.heading));
        }
        // What came of a form is nowhere to be asked for again.
        let others = app.options.languages.iter().copied();
        let others = others.filter(|language| ask.is_get && *language != ask.language);
        let languages: Vec<Link> = others
            .map(|language| Link {
                url: app.in_language(ask, language),
                label: name_of(language).to_owned(),
                tag: language.tag(),
            })
            .collect();
        Self {
            language: ask.language.tag(),
            home_language: newsletter.language.tag(),
            title: format!("{heading} – {}", newsletter.title),
            newsletter: &newsletter.title,
            tagline: &newsletter.tagline,
            description: newsletter.tagline.clone(),
            canonical: String::new(),
            home: app.page(""),
            theme: &app.config.theme,
            has_nav: !nav.is_empty(),
            nav,
            has_languages: !languages.is_empty(),
            languages,
            feeds: Vec::new(),
            imprint_label: words.labels.imprint,
            imprint: &newsletter.imprint,
            privacy: app
                .options
                .privacy_url
                .as_ref()
                .map_or("", url::Url::as_str),
        }
    }

    /// The same for a page that everybody may find, at that path.
    pub(super) fn public(mut self, app: &App, path: &str) -> Self {
        if app.options.archive != Access::Private {
            self.canonical = app.page(path);
        }
        self
    }
}

/// What a language is called by those who speak it.
pub(super) fn name_of(language: Language) -> &'static str {
    match language {
        Language::De => "Deutsch",
        Language::En => "English",
        Language::Es => "Español",
        Language::Fr => "Français",
        Language::It => "Italiano",
        Language::Nl => "Nederlands",
    }
}

impl App {
    /// Whether who asks may read the archive.
    pub(super) fn may_read(&self, ask: &Ask) -> bool {
        match self.options.archive {
            Access::Public => true,
            Access::Private => ask.has_key,
            Access::Off => false,
        }
    }

    /// The key of the archive; empty where it needs none.
    pub(super) fn key(&self) -> String {
        match self.options.archive {
            Access::Private => self.tokens.seal(Purpose::Archive, 0),
            Access::Public | Access::Off => String::new(),
        }
    }

    /// The address of a page of the archive, with the key that it needs.
    pub(super) fn archived(&self, path: &str) -> String {
        let page = self.page(path);
        match self.key().as_str() {
            "" => page,
            key if page.contains('?') => format!("{page}&key={key}"),
            key => format!("{page}?key={key}"),
        }
    }

    /// The same page in another language.
    fn in_language(&self, ask: &Ask, language: Language) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for name in ["q", "key", "after", "before"] {
            if let Some(value) = ask.parameter(name) {
                query.append_pair(name, value);
            }
        }
        query.append_pair("lang", language.tag());
        format!("{}?{}", self.page(&ask.path), query.finish())
    }
}

/// What somebody can do on a page that says one thing.
#[derive(Default)]
pub(super) struct Page {
    /// What is said besides.
    pub(super) remarks: Vec<String>,
    pub(super) forms: Vec<Form>,
    pub(super) links: Vec<Link>,
}

/// Buttons that do something.
pub(super) struct Form {
    pub(super) action: String,
    pub(super) buttons: Vec<Button>,
}

/// A button, with the field that it sends.
pub(super) struct Button {
    pub(super) label: &'static str,
    pub(super) name: &'static str,
    pub(super) value: &'static str,
    pub(super) is_second: bool,
}

impl Form {
    /// A form of one button.
    pub(super) fn of(action: impl Into<String>, label: &'static str) -> Self {
        Self {
            action: action.into(),
            buttons: vec![Button {
                label,
                name: "",
                value: "",
                is_second: false,
            }],
        }
    }
}

#[derive(Template)]
#[template(path = "web/message.html")]
struct MessagePage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    heading: &'a str,
    paragraphs: &'a [String],
    forms: &'a [Form],
    links: &'a [Link],
}

/// A page that says one thing.
pub(super) fn message(
    app: &App,
    ask: &Ask,
    said: &Message,
    page: Page,
) -> Result<Html<String>, Failure> {
    let words = words(ask.language);
    let text = words.about(said.text, &app.newsletter.title);
    let paragraphs: Vec<String> = std::iter::once(text).chain(page.remarks).collect();
    let page = MessagePage {
        frame: &Frame::new(app, ask, said.heading),
        words: &words.pages,
        heading: said.heading,
        paragraphs: &paragraphs,
        forms: &page.forms,
        links: &page.links,
    };
    Ok(Html(page.render()?))
}

/// A page that asks one thing, and a button that answers it by a POST to `path` with the same token.
pub(super) fn question(
    app: &App,
    ask: &Ask,
    said: &Message,
    button: &'static str,
    (path, token): (&str, &str),
) -> Answer {
    // Whatever was sent, what is no token does not stand in the page.
    let token = token.chars().take(64).filter(char::is_ascii_alphanumeric);
    let token: String = token.collect();
    let question = Page {
        forms: vec![Form::of(app.page(&format!("{path}/{token}")), button)],
        ..Page::default()
    };
    Ok(page(message(app, ask, said, question)?))
}

/// What may be kept for a while by whoever asked for it, and asked for again at little cost.
pub(super) fn kept(app: &App, ask: &Ask, kind: &'static str, body: String) -> Answer {
    let hash = Sha256::digest(&body);
    let tag: String = hash
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let whose = match app.options.archive {
        Access::Private => "private",
        Access::Public | Access::Off => "public",
    };
    let is_known = ask
        .headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    let headers = response.headers_mut();
    let told = format!("{whose}, max-age={KEPT}");
    headers.insert(header::CACHE_CONTROL, HeaderValue::try_from(told)?);
    headers.insert(header::ETAG, HeaderValue::try_from(tag)?);
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    if app.options.archive == Access::Private {
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    }
    Ok(response)
}

/// The type of a page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// An answer that is a page.
pub(super) fn page(html: Html<String>) -> Response {
    html.into_response()
}
