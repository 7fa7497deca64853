//! What other programs read: feeds of what is shown, the list of sources, and what search engines ask for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use html_escape::{encode_double_quoted_attribute, encode_text};

use super::app::App;
use super::archive::alike;
use super::frame::{FeedLink, kept};
use super::guard::{Answer, Ask, not_found};
use super::options::Access;
use super::subscribe::story_key;
use crate::collect::{Outline, write_opml};
use crate::model::{Location, Topic, TopicId};
use crate::render::{self, Entry, Feed, feed_id, words};
use crate::store::{EditionLine, StoryLine};

/// How many entries a feed has.
const ENTRIES: u32 = 30;

/// How many addresses search engines are told.
const SITEMAP: u32 = 1_000;

const ATOM: &str = "application/atom+xml; charset=utf-8";
const JSON: &str = "application/feed+json; charset=utf-8";

fn link(app: &App, path: &str, title: &str, kind: &'static str, name: &'static str) -> FeedLink {
    let kind = kind.split(';').next().unwrap_or(kind);
    FeedLink {
        url: app.archived(path),
        kind,
        title: title.to_owned(),
        name,
    }
}

/// The feeds of all editions.
pub(super) fn of_editions(app: &App) -> Vec<FeedLink> {
    let title = &app.newsletter.title;
    vec![
        link(app, "feed.atom", title, ATOM, "Atom"),
        link(app, "feed.json", title, JSON, "JSON Feed"),
    ]
}

/// The feeds of a topic.
pub(super) fn of_topic(app: &App, topic: &Topic) -> Vec<FeedLink> {
    let title = format!("{} – {}", app.newsletter.title, topic.title);
    let path = |kind| format!("topics/{}/feed.{kind}", topic.id);
    vec![
        link(app, &path("atom"), &title, ATOM, "Atom"),
        link(app, &path("json"), &title, JSON, "JSON Feed"),
    ]
}

/// The feed of what is like a story.
pub(super) fn of_story(app: &App, story: &StoryLine) -> Vec<FeedLink> {
    let path = format!("stories/{}/feed.atom", story.key.as_str());
    vec![link(app, &path, &story.title, ATOM, "Atom")]
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The identity of something for ever (RFC 4151): a name given on a day on which the domain was the sender's.
fn tag(app: &App, at: DateTime<Utc>, name: &str) -> String {
    let domain = app.newsletter.from.domain();
    format!("tag:{domain},{}:{name}", at.format("%Y-%m-%d"))
}

fn edition_entry(app: &App, ask: &Ask, edition: &EditionLine) -> Entry {
    let words = words(ask.language);
    let slot = edition.slot.with_timezone(&app.newsletter.timezone);
    let headline = |title: &String| format!("<li>{}</li>", encode_text(title));
    let headlines: String = edition.headlines.iter().map(headline).collect();
    Entry {
        id: tag(app, edition.slot, edition.id.as_str()),
        title: words.dateline(slot.date_naive()),
        url: app.edition_page(&edition.id),
        language: ask.language.tag().to_owned(),
        source: app.newsletter.title.clone(),
        published: moment(edition.slot),
        topic: edition.cadence.to_string(),
        section: super::form::cadence_name(&edition.cadence, &words.pages),
        text: edition.headlines.join("\n"),
        html: format!("<ul>{headlines}</ul>"),
    }
}

fn story_entry(app: &App, story: &StoryLine) -> Entry {
    let excerpt = render::excerpt(&story.title, &story.summary);
    let page = app.archived(&format!("stories/{}", story.key.as_str()));
    let topic = app
        .config
        .topics
        .iter()
        .find(|topic| topic.id == story.topic);
    let more = words(app.newsletter.language).pages.follow.more;
    Entry {
        id: tag(app, story.slot, &format!("story/{}", story.key.as_str())),
        title: story.title.clone(),
        url: story
            .url
            .as_deref()
            .map(render::web_link)
            .unwrap_or_default()
            .to_owned(),
        language: story
            .language
            .clone()
            .unwrap_or_else(|| app.newsletter.language.tag().to_owned()),
        source: story.source.clone(),
        published: moment(story.published),
        topic: story.topic.to_string(),
        section: topic.map_or_else(|| story.topic.to_string(), |topic| topic.title.clone()),
        html: format!(
            "<p>{}</p><p><a href=\"{}\">{}</a></p>",
            encode_text(&excerpt),
            encode_double_quoted_attribute(&page),
            encode_text(more)
        ),
        text: match excerpt.is_empty() {
            true => story.title.clone(),
            false => excerpt,
        },
    }
}

/// A feed of `entries` with that name and title, which is at `path` and shows what the page at `shown` does.
fn feed(
    app: &App,
    ask: &Ask,
    (name, title, path, shown): (&str, &str, &str, &str),
    entries: Vec<Entry>,
) -> Answer {
    let newest = entries.iter().map(|entry| entry.published.clone()).max();
    let own = app.archived(path);
    let (is_json, shown) = (path.ends_with(".json"), app.archived(shown));
    let feed = Feed {
        id: feed_id(&app.newsletter, name),
        title,
        tagline: &app.newsletter.tagline,
        url: &shown,
        own_url: &own,
        language: ask.language.tag(),
        updated: newest.unwrap_or_else(|| moment(DateTime::UNIX_EPOCH)),
        entries,
    };
    match is_json {
        true => kept(app, ask, JSON, feed.to_json()?),
        false => kept(app, ask, ATOM, feed.to_atom()?),
    }
}

async fn editions(app: &App, ask: Ask, path: &str) -> Answer {
    if !app.may_read(&ask) {
        return Ok(not_found(app, &ask));
    }
    let ask = in_home_language(app, ask);
    let before = app.clock.now() + TimeDelta::days(1);
    let found = app
        .store
        .archive()
        .list_archive(before, None, ENTRIES)
        .await?;
    let entry = |edition| edition_entry(app, &ask, edition);
    let entries = found.list.iter().map(entry).collect();
    let title = &app.newsletter.title;
    feed(app, &ask, ("editions", title, path, "archive"), entries)
}

/// A feed has no reader of its own: it is in the newsletter's language, unless its address says another.
fn in_home_language(app: &App, mut ask: Ask) -> Ask {
    if ask.parameter("lang").is_none() {
        ask.language = app.newsletter.language;
    }
    ask
}

pub(super) async fn editions_atom(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    editions(&app, ask, "feed.atom").await
}

pub(super) async fn editions_json(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    editions(&app, ask, "feed.json").await
}

async fn topic(app: &App, ask: Ask, topic: &str, kind: &str) -> Answer {
    let known = app
        .config
        .topics
        .iter()
        .find(|known| known.id.as_str() == topic);
    let Some(known) = known.filter(|_| app.may_read(&ask)) else {
        return Ok(not_found(app, &ask));
    };
    let ask = in_home_language(app, ask);
    let id = TopicId(topic.to_owned());
    let found = app.store.archive().list_topic(&id, None, ENTRIES).await?;
    let entries = found.list.iter().map(|story| story_entry(app, story));
    let entries = entries.collect();
    let shown = format!("topics/{topic}");
    let path = format!("{shown}/feed.{kind}");
    let title = format!("{} – {}", app.newsletter.title, known.title);
    feed(app, &ask, (&shown, &title, &path, &shown), entries)
}

pub(super) async fn topic_atom(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(id): Path<String>,
) -> Answer {
    topic(&app, ask, &id, "atom").await
}

pub(super) async fn topic_json(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(id): Path<String>,
) -> Answer {
    topic(&app, ask, &id, "json").await
}

/// What is like a story, the latest first.
pub(super) async fn story_atom(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(story): Path<String>,
) -> Answer {
    let key = story_key(&story).filter(|_| app.may_read(&ask));
    let Some(key) = key else {
        return Ok(not_found(&app, &ask));
    };
    let ask = in_home_language(&app, ask);
    let showings = app.store.archive().list_showings(&key).await?;
    let Some(latest) = showings.first() else {
        return Ok(not_found(&app, &ask));
    };
    let mut stories = alike(&app, latest).await?;
    stories.push(latest.clone());
    stories.sort_by(|a, b| (b.published, &b.key).cmp(&(a.published, &a.key)));
    let entries = stories.iter().map(|story| story_entry(&app, story));
    let entries = entries.collect();
    let shown = format!("stories/{}", key.as_str());
    let path = format!("{shown}/feed.atom");
    feed(&app, &ask, (&shown, &latest.title, &path, &shown), entries)
}

/// What the newsletter is made of. Feeds behind a login, and those that are files, are nobody else's business.
pub(super) async fn sources(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    if !app.may_read(&ask) {
        return Ok(not_found(&app, &ask));
    }
    let public = app.config.feeds.iter().filter(|feed| feed.is_open());
    let outlines: Vec<Outline> = public
        .filter_map(|feed| match &feed.location {
            Location::Web(url) => Some(Outline {
                title: feed.name.clone(),
                url: url.clone(),
                folders: feed.topics.iter().map(ToString::to_string).collect(),
            }),
            Location::File(_) => None,
        })
        .collect();
    let text = write_opml(&app.newsletter.title, &outlines);
    kept(&app, &ask, "text/x-opml; charset=utf-8", text)
}

/// The pages that search engines may find.
pub(super) async fn sitemap(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    if app.options.archive != Access::Public {
        return Ok(not_found(&app, &ask));
    }
    let before = app.clock.now() + TimeDelta::days(1);
    let found = app
        .store
        .archive()
        .list_archive(before, None, SITEMAP)
        .await?;
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n".to_owned();
    let topics = app.config.topics.iter();
    let topics = topics.map(|topic| app.page(&format!("topics/{}", topic.id)));
    let lists = [app.page(""), app.page("archive")]
        .into_iter()
        .chain(topics);
    for url in lists {
        text.push_str(&format!("<url><loc>{}</loc></url>\n", encode_text(&url)));
    }
    for edition in &found.list {
        let url = app.edition_page(&edition.id);
        let day = edition.slot.format("%Y-%m-%d");
        let url = encode_text(&url);
        text.push_str(&format!(
            "<url><loc>{url}</loc><lastmod>{day}</lastmod></url>\n"
        ));
    }
    text.push_str("</urlset>\n");
    kept(&app, &ask, "application/xml; charset=utf-8", text)
}

/// What search engines are to leave alone: everything personal, and an archive that is not public.
pub(super) async fn robots(State(app): State<Arc<App>>) -> Response {
    let path = app.options.url.path();
    let mut text = "User-agent: *\n".to_owned();
    let personal = [
        "u/", "undo/", "p/", "confirm/", "move/", "follow/", "search",
    ];
    for page in personal {
        text.push_str(&format!("Disallow: {path}{page}\n"));
    }
    match app.options.archive {
        Access::Public => {
            text.push_str(&format!("Sitemap: {}\n", app.page("sitemap.xml")));
        }
        Access::Private | Access::Off => {
            for page in ["archive", "editions/", "topics/", "stories/"] {
                text.push_str(&format!("Disallow: {path}{page}\n"));
            }
        }
    }
    let kind = "text/plain; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// There is none, and no page to say so.
pub(super) async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}
