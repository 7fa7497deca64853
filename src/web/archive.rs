//! The archive: editions and stories as pages that stay where they are.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use chrono::{DateTime, Utc};

use super::app::App;
use super::form::cadence_name;
use super::frame::{Frame, HTML, Link, kept};
use super::guard::{Answer, Ask, not_found};
use super::subscribe::{SignUpForm, story_key};
use super::{feeds, frame};
use crate::model::{Audience, EditionId, TopicId};
use crate::rank::{self, Query};
use crate::render::{self, PageWords, words};
use crate::store::{EditionLine, StoryLine};

/// How many lines a page of a list has.
const LINES: u32 = 30;

/// How many similar stories a story has.
const ALIKE: u32 = 8;

/// Of a story's terms, so many, the heaviest, say what is like it.
const TERMS: usize = 8;

/// An edition in a list.
pub(super) struct EditionView {
    pub(super) url: String,
    pub(super) date: String,
    pub(super) cadence: String,
    pub(super) headlines: Vec<String>,
}

/// A story in a list.
pub(super) struct StoryView {
    /// Its page here.
    pub(super) page: String,
    /// Where to read it.
    pub(super) url: String,
    pub(super) title: String,
    pub(super) excerpt: String,
    pub(super) source: String,
    pub(super) date: String,
    pub(super) language: String,
}

#[derive(Template)]
#[template(path = "web/archive.html")]
struct ArchivePage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    heading: &'a str,
    search_action: String,
    key: String,
    query: &'a str,
    has_editions: bool,
    editions: Vec<EditionView>,
    has_stories: bool,
    stories: Vec<StoryView>,
    notice: &'a str,
    older: String,
    has_topics: bool,
    topics: Vec<Link>,
    sources: String,
}

#[derive(Template)]
#[template(path = "web/story.html")]
struct StoryPage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    story: StoryView,
    has_stories: bool,
    stories: Vec<StoryView>,
    further: Vec<Link>,
    shown_in: Vec<Link>,
    form: SignUpForm,
}

impl App {
    /// The day of an edition, as the language says it.
    fn day(&self, ask: &Ask, slot: DateTime<Utc>) -> String {
        let slot = slot.with_timezone(&self.newsletter.timezone);
        words(ask.language).dateline(slot.date_naive())
    }

    /// The address of an edition in the archive.
    pub(super) fn edition_page(&self, edition: &EditionId) -> String {
        self.archived(&format!("editions/{edition}"))
    }
}

pub(super) fn edition_views(app: &App, ask: &Ask, editions: &[EditionLine]) -> Vec<EditionView> {
    let pages = &words(ask.language).pages;
    let view = |edition: &EditionLine| EditionView {
        url: app.edition_page(&edition.id),
        date: app.day(ask, edition.slot),
        cadence: cadence_name(&edition.cadence, pages),
        headlines: edition.headlines.clone(),
    };
    editions.iter().map(view).collect()
}

fn story_view(app: &App, ask: &Ask, story: &StoryLine) -> StoryView {
    let published = story.published.with_timezone(&app.newsletter.timezone);
    StoryView {
        page: app.archived(&format!("stories/{}", story.key.as_str())),
        url: story
            .url
            .as_deref()
            .map(render::web_link)
            .unwrap_or_default()
            .to_owned(),
        title: story.title.clone(),
        excerpt: render::excerpt(&story.title, &story.summary),
        source: story.source.clone(),
        date: words(ask.language).moment(published.naive_local(), None),
        language: story
            .language
            .clone()
            .unwrap_or_else(|| ask.language.tag().to_owned()),
    }
}

fn story_views(app: &App, ask: &Ask, stories: &[StoryLine]) -> Vec<StoryView> {
    let view = |story| story_view(app, ask, story);
    stories.iter().map(view).collect()
}

/// A list of the archive, and how to go on from it.
struct List<'a> {
    heading: &'a str,
    path: &'a str,
    query: &'a str,
    editions: Vec<EditionView>,
    stories: Vec<StoryView>,
    notice: &'a str,
    older: Option<String>,
    feeds: Vec<frame::FeedLink>,
    /// Whether the list is of everything.
    is_whole: bool,
}

fn list(app: &App, ask: &Ask, list: List<'_>) -> Answer {
    let words = words(ask.language);
    let mut frame = Frame::new(app, ask, list.heading);
    // Search engines need not find what somebody searched for, nor the middle of a list.
    if list.query.is_empty() && ask.parameter("after").is_none() {
        frame = frame.public(app, list.path);
    }
    frame.feeds = list.feeds;
    let topic = |topic: &crate::model::Topic| {
        let path = format!("topics/{}", topic.id);
        Link::new(app.archived(&path), topic.title.clone())
    };
    let topics = app.config.topics.iter().filter(|_| list.is_whole);
    let topics: Vec<Link> = topics.map(topic).collect();
    let page = ArchivePage {
        frame: &frame,
        words: &words.pages,
        heading: list.heading,
        search_action: app.page("search"),
        key: app.key(),
        query: list.query,
        has_editions: !list.editions.is_empty(),
        editions: list.editions,
        has_stories: !list.stories.is_empty(),
        stories: list.stories,
        notice: list.notice,
        older: list.older.unwrap_or_default(),
        has_topics: !topics.is_empty(),
        topics,
        sources: match list.is_whole {
            true => app.archived("sources.opml"),
            false => String::new(),
        },
    };
    kept(app, ask, HTML, page.render()?)
}

/// Editions by date.
pub(super) async fn archive(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    if !app.may_read(&ask) {
        return Ok(not_found(&app, &ask));
    }
    let words = words(ask.language);
    // The place of the last edition on the page before: its moment and its name.
    let place = ask
        .parameter("after")
        .and_then(|after| after.split_once('-'));
    let moment = place.and_then(|(second, _)| DateTime::from_timestamp(second.parse().ok()?, 0));
    let until = moment.unwrap_or_else(|| app.clock.now() + chrono::TimeDelta::days(1));
    let after = place.map(|(_, id)| EditionId(id.to_owned()));
    let reader = &app.store;
    let found = reader
        .archive()
        .list_archive(until, after.as_ref(), LINES)
        .await?;
    let last = found.list.last().filter(|_| found.has_more);
    let older = last.map(|edition| {
        let (second, id) = (edition.slot.timestamp(), &edition.id);
        app.archived(&format!("archive?after={second}-{id}"))
    });
    let heading = words.pages.archive.heading;
    list(
        &app,
        &ask,
        List {
            heading,
            path: "archive",
            query: "",
            editions: edition_views(&app, &ask, &found.list),
            stories: Vec::new(),
            notice: match found.list.is_empty() {
                true => words.pages.archive.empty,
                false => "",
            },
            older,
            feeds: feeds::of_editions(&app),
            is_whole: true,
        },
    )
}

/// Stories of a topic.
pub(super) async fn topic(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(topic): Path<String>,
) -> Answer {
    let known = app
        .config
        .topics
        .iter()
        .find(|known| known.id.as_str() == topic);
    let Some(known) = known.filter(|_| app.may_read(&ask)) else {
        return Ok(not_found(&app, &ask));
    };
    let words = words(ask.language);
    let after = ask.parameter("after").and_then(|place| place.parse().ok());
    let id = TopicId(topic);
    let found = app.store.archive().list_topic(&id, after, LINES).await?;
    let path = format!("topics/{id}");
    let last = found.list.last().filter(|_| found.has_more);
    let older = last.map(|story| app.archived(&format!("{path}?after={}", story.id)));
    list(
        &app,
        &ask,
        List {
            heading: &known.title,
            path: &path,
            query: "",
            editions: Vec::new(),
            stories: story_views(&app, &ask, &found.list),
            notice: match found.list.is_empty() {
                true => words.pages.archive.empty,
                false => "",
            },
            older,
            feeds: feeds::of_topic(&app, known),
            is_whole: false,
        },
    )
}

/// Stories with certain words.
pub(super) async fn search(State(app): State<Arc<App>>, ask: Ask) -> Answer {
    if !app.may_read(&ask) {
        return Ok(not_found(&app, &ask));
    }
    let words = words(ask.language);
    let query: String = ask
        .parameter("q")
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    let after = ask.parameter("after").and_then(|place| place.parse().ok());
    let terms = rank::search_terms(&query, &app.config.rank.languages);
    let found = app
        .store
        .archive()
        .search_archive(&terms, after, LINES)
        .await?;
    let last = found.list.last().filter(|_| found.has_more);
    let older = last.map(|story| {
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        address.append_pair("q", &query);
        address.append_pair("after", &story.id.to_string());
        app.archived(&format!("search?{}", address.finish()))
    });
    list(
        &app,
        &ask,
        List {
            heading: words.pages.archive.search,
            path: "search",
            query: &query,
            editions: Vec::new(),
            stories: story_views(&app, &ask, &found.list),
            notice: match found.list.is_empty() && !query.is_empty() {
                true => words.pages.archive.nothing,
                false => "",
            },
            older,
            feeds: feeds::of_editions(&app),
            is_whole: false,
        },
    )
}

/// An edition, as its mail shows it but for what was personal.
pub(super) async fn edition(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(edition): Path<String>,
) -> Answer {
    if !app.may_read(&ask) {
        return Ok(not_found(&app, &ask));
    }
    let id = EditionId(edition);
    let Some(edition) = app.store.archive().find_archived(&id).await? else {
        return Ok(not_found(&app, &ask));
    };
    // The same for everybody who asks for this address: in the newsletter's language, unless the address says another.
    let language = match ask.parameter("lang") {
        Some(_) => ask.language,
        None => app.newsletter.language,
    };
    let audience = Audience::everything(language);
    let html = render::page(&app.newsletter, &app.config.theme, &edition, &audience)?;
    kept(&app, &ask, HTML, html)
}

/// A story, what is like it, and how to hear more.
pub(super) async fn story(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(story): Path<String>,
) -> Answer {
    let key = story_key(&story).filter(|_| app.may_read(&ask));
    let Some(key) = key else {
        return Ok(not_found(&app, &ask));
    };
    let reader = &app.store;
    let showings = reader.archive().list_showings(&key).await?;
    let Some(latest) = showings.first() else {
        return Ok(not_found(&app, &ask));
    };
    let pages = &words(ask.language).pages;
    let alike = alike(&app, latest).await?;
    let mut frame = Frame::new(&app, &ask, &latest.title).public(&app, &format!("stories/{story}"));
    frame.description = render::excerpt(&latest.title, &latest.summary);
    frame.feeds = feeds::of_story(&app, latest);
    let shown_in = showings.iter().map(|shown| {
        let day = app.day(&ask, shown.slot);
        Link::new(app.edition_page(&shown.edition), day)
    });
    let page = StoryPage {
        words: pages,
        story: story_view(&app, &ask, latest),
        has_stories: !alike.is_empty(),
        stories: story_views(&app, &ask, &alike),
        further: search_further(&latest.title, app.newsletter.language.tag()),
        shown_in: shown_in.collect(),
        form: SignUpForm {
            follow: key.as_str().to_owned(),
            ..SignUpForm::new(&app, &ask, "story")
        },
        frame: &frame,
    };
    // With a token that grows old.
    let html = page.render()?;
    let mut response: Response = Html(html).into_response();
    response.headers_mut().insert(
        axum::http::header::CACHE_CONTROL,
        axum::http::HeaderValue::from_static("private, max-age=300"),
    );
    Ok(response)
}

/// Stories of the archive that are like one.
pub(super) async fn alike(app: &App, story: &StoryLine) -> anyhow::Result<Vec<StoryLine>> {
    let reader = &app.store;
    let Some(query) = reader.archive().find_story_query(&story.key).await? else {
        return Ok(Vec::new());
    };
    let query: Query = match serde_json::from_str(&query) {
        Ok(query) => query,
        // The page is as good without.
        Err(error) => {
            tracing::warn!(
                "What is like {} cannot be read: {error}",
                story.key.as_str()
            );
            return Ok(Vec::new());
        }
    };
    let terms = rank::plain_terms(query.heaviest(TERMS));
    Ok(reader
        .archive()
        .list_alike(&terms, &story.key, ALIKE)
        .await?)
}

/// Where else to look for a story.
fn search_further(title: &str, language: &str) -> Vec<Link> {
    let encoded: String = url::form_urlencoded::byte_serialize(title.as_bytes()).collect();
    [
        (
            "Google News",
            format!("https://news.google.com/search?q={encoded}&hl={language}"),
        ),
        (
            "Bing News",
            format!("https://www.bing.com/news/search?q={encoded}&setlang={language}"),
        ),
        (
            "DuckDuckGo",
            format!("https://duckduckgo.com/?q={encoded}&iar=news&ia=news"),
        ),
    ]
    .into_iter()
    .map(|(label, url)| Link::new(url, label))
    .collect()
}
