//! What a digest shows of a story, as plain values that the templates lay out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use serde::Serialize;

use super::direction::{Direction, direction_of};
use super::locale::Words;
use super::picture::{PictureView, picture_view};
use super::summary::{cut, summary};
use super::theme::Images;
use crate::model::{Item, Mark, Newsletter, Story};

/// An excerpt says what happened; the article says the rest (and press publishers' rights, §§ 87f ff. UrhG,
/// leave room for short extracts only).
const EXCERPT_CHARS: usize = 280;

/// A headline that is longer is no headline but a text in the wrong place.
const HEADLINE_CHARS: usize = 200;

/// The name of an outlet that is longer is a slogan.
const SOURCE_CHARS: usize = 60;

/// Words that people read in a minute, on a screen, in German or English.
pub(super) const WORDS_PER_MINUTE: usize = 220;

/// Below this, the feed carries a teaser, and the reading time of a teaser says nothing about the article.
const FULL_TEXT_WORDS: u32 = 150;

/// How many other outlets are named at most.
const OTHERS: usize = 5;

#[derive(Debug, Clone, Serialize)]
pub(super) struct StoryView<'a> {
    /// What tells it from all other stories, in every edition.
    pub(super) key: &'a str,
    /// The headline.
    pub(super) title: Cow<'a, str>,
    /// How it ranks among the stories of all topics.
    #[serde(skip)]
    pub(super) score: f64,
    /// The headline after its mark, for where there is only text.
    pub(super) headline: String,
    /// Where to read it; empty when nowhere.
    pub(super) url: &'a str,
    /// One or none.
    pub(super) pictures: Vec<PictureView>,
    /// What readers should know before all else: that it is an update, or paid for. May be empty.
    pub(super) mark: String,
    /// The language of title and excerpt; the mail's when nobody knows.
    pub(super) language: &'a str,
    /// `ltr` or `rtl`.
    pub(super) dir: &'static str,
    /// Whether it runs against the direction of the mail.
    pub(super) is_turned: bool,
    /// Whole sentences of the item; may be empty.
    pub(super) excerpt: String,
    /// The outlet of the report that is shown.
    pub(super) source: Cow<'a, str>,
    /// When that was published, for machines (RFC 3339).
    pub(super) datetime: String,
    /// Outlet, time and what else is to be said about the report that is shown.
    pub(super) meta: String,
    /// The link to its discussion; empty without one.
    pub(super) discussion: String,
    /// Where it is discussed.
    pub(super) discussion_url: &'a str,
    /// The link to more like it; empty without one.
    pub(super) alike: &'static str,
    /// Where that leads; for a mail with a place for the reader's token.
    pub(super) alike_url: String,
    /// Other outlets that report it.
    pub(super) others: Vec<OtherView<'a>>,
    /// How many more do; empty when all are named.
    pub(super) and_more: String,
    /// Its number in the text part, with the space behind it.
    pub(super) number: String,
    /// `meta`, other outlets and discussion for the text part, with the numbers of their links.
    pub(super) sources: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct OtherView<'a> {
    pub(super) source: Cow<'a, str>,
    /// Empty when it has none.
    pub(super) url: &'a str,
}

/// Where an edition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// On its day, or soon after.
    Mail,
    /// At any time.
    Web,
}

/// For whom a story is shown, where and when.
pub(super) struct Reader<'a> {
    pub(super) language: &'static str,
    pub(super) direction: Direction,
    pub(super) words: &'static Words,
    pub(super) images: &'a Images,
    pub(super) now: DateTime<Tz>,
    pub(super) medium: Medium,
    /// Where more like a story is found, with [`Newsletter::STORY`] for the story.
    pub(super) alike: Option<String>,
}

impl<'a> StoryView<'a> {
    pub(super) fn new(story: &'a Story, reader: &Reader<'_>) -> Self {
        let words = reader.words;
        let lead = report_for(story, reader.language);
        let title = cut(&lead.title, HEADLINE_CHARS);
        let mut excerpt = excerpt_beside(&lead.title, &lead.summary);
        if let Some(update) = &story.update {
            // The sentence is the lead's own; another report says it in its own words.
            let news = summary("", &update.news, EXCERPT_CHARS);
            if lead.key == story.lead.key && !news.is_empty() {
                excerpt = news;
            }
        }
        let mut marks = Vec::new();
        if lead.mark == Some(Mark::Sponsored) {
            marks.push(words.labels.sponsored);
        }
        if story.update.is_some() {
            marks.push(words.labels.update);
        }
        let mark = marks.join(" · ");
        let mut shown = BTreeSet::from([lead.source.as_str()]);
        let others: Vec<&Item> = story
            .items()
            .filter(|item| shown.insert(&item.source))
            .collect();
        // One more is named, not counted.
        let named = if others.len() <= OTHERS + 1 {
            others.len()
        } else {
            OTHERS
        };
        let (discussion, discussion_url) = discussion(lead, words).unwrap_or_default();
        let direction = direction_of(lead.language.as_deref(), &lead.title);
        Self {
            key: story.lead.key.as_str(),
            score: story.score.total,
            headline: if mark.is_empty() {
                title.to_string()
            } else {
                format!("{mark}{} {title}", words.labels.colon)
            },
            title,
            url: lead.url.as_deref().map(web_link).unwrap_or_default(),
            pictures: story
                .picture
                .as_ref()
                .and_then(|picture| picture_view(picture, reader.images))
                .into_iter()
                .collect(),
            mark,
            language: lead.language.as_deref().unwrap_or(reader.language),
            dir: direction.as_str(),
            is_turned: direction != reader.direction,
            excerpt,
            source: cut(&lead.source, SOURCE_CHARS),
            datetime: lead.published.to_rfc3339_opts(SecondsFormat::Secs, true),
            meta: meta(lead, reader),
            discussion,
            discussion_url,
            alike: match reader.alike {
                Some(_) => words.pages.follow.more,
                None => "",
            },
            alike_url: match &reader.alike {
                Some(pattern) => pattern.replace(Newsletter::STORY, story.lead.key.as_str()),
                None => String::new(),
            },
            others: others[..named]
                .iter()
                .map(|item| OtherView {
                    source: cut(&item.source, SOURCE_CHARS),
                    url: item.url.as_deref().map(web_link).unwrap_or_default(),
                })
                .collect(),
            and_more: if named < others.len() {
                words.and_more(others.len() - named)
            } else {
                String::new()
            },
            number: String::new(),
            sources: String::new(),
        }
    }

    /// Whether its feed gave it no headline, so that its address stands in the place of one.
    pub(super) fn is_nameless(&self) -> bool {
        let (_, address) = self.url.split_once("://").unwrap_or_default();
        let address = address.trim_start_matches("www.");
        address.starts_with(self.title.trim_end_matches('…'))
    }

    /// How many words somebody reads who reads it.
    pub(super) fn word_count(&self) -> usize {
        [&*self.title, &self.excerpt]
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum()
    }

    /// Numbers the story and its links for the text part. The story's own link stands below it, so it needs no
    /// number; all others are added to `links`.
    pub(super) fn number(
        &mut self,
        number: usize,
        width: usize,
        words: &Words,
        links: &mut Links<'a>,
    ) {
        self.number = format!("{:>width$}. ", number);
        let mut sources = self.meta.clone();
        if !self.others.is_empty() {
            let named: Vec<String> = self
                .others
                .iter()
                .map(|other| links.referred(&other.source, other.url))
                .collect();
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            let more = if self.and_more.is_empty() { "" } else { " " };
            sources.push_str(&format!(
                ". {} {}{more}{}",
                words.labels.also,
                words.list(&named),
                self.and_more
            ));
        }
        if !self.discussion.is_empty() {
            let discussion = links.referred(&self.discussion, self.discussion_url);
            sources.push_str(&format!(". {discussion}"));
        }
        if !self.alike.is_empty() {
            let alike = links.referred(self.alike, self.alike_url.clone());
            sources.push_str(&format!(". {alike}"));
        }
        self.sources = sources;
    }
}

/// The links of the text part that stand at its end.
#[derive(Debug, Default)]
pub(super) struct Links<'a> {
    /// How many numbers the stories have taken.
    pub(super) taken: usize,
    pub(super) list: Vec<LinkLine<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LinkLine<'a> {
    pub(super) number: usize,
    pub(super) url: Cow<'a, str>,
}

impl<'a> Links<'a> {
    /// `text` with the number of its link, when it has one.
    fn referred(&mut self, text: &str, url: impl Into<Cow<'a, str>>) -> String {
        let url = url.into();
        if url.is_empty() {
            return text.to_owned();
        }
        let number = self.taken + self.list.len() + 1;
        self.list.push(LinkLine { number, url });
        format!("{text} [{number}]")
    }
}

/// The report to show to somebody who reads `language`: the story's lead, unless it is in another language
/// and one of the other reports is not. Of these, the one that is best to show, by the rule for the lead.
fn report_for<'a>(story: &'a Story, language: &str) -> &'a Item {
    let readable = |item: &&Item| item.language.as_deref().is_none_or(|own| own == language);
    if readable(&&story.lead) {
        return &story.lead;
    }
    let others = story.others.iter().filter(readable);
    let worth = |item: &Item| (!story.copies.contains_key(&item.key), item.showing());
    let best = others.reduce(|best, item| {
        if worth(item) > worth(best) {
            item
        } else {
            best
        }
    });
    best.unwrap_or(&story.lead)
}

/// The excerpt of `text` that stands under `title`. A headline that was made of the beginning of the text
/// (notes have none) ends in an ellipsis; the excerpt goes on from there.
pub(crate) fn excerpt_beside(title: &str, text: &str) -> String {
    let rest = title
        .strip_suffix('…')
        .and_then(|start| text.strip_prefix(start));
    match rest {
        Some(rest) => format!("…{}", summary("", rest, EXCERPT_CHARS)),
        None if text == title => String::new(),
        None => summary(title, text, EXCERPT_CHARS),
    }
}

fn meta(lead: &Item, reader: &Reader<'_>) -> String {
    let words = reader.words;
    let mut parts = vec![cut(&lead.source, SOURCE_CHARS)];
    if lead.dated {
        let at = lead.published.with_timezone(&reader.now.timezone());
        let today = match reader.medium {
            Medium::Mail => Some(reader.now.date_naive()),
            Medium::Web => None,
        };
        parts.push(words.moment(at.naive_local(), today).into());
    }
    if lead.words >= FULL_TEXT_WORDS {
        let minutes = (lead.words as usize).div_ceil(WORDS_PER_MINUTE);
        parts.push(words.reading_time(minutes).into());
    }
    if lead.mark == Some(Mark::Paid) {
        parts.push(words.labels.paid.into());
    }
    parts.join(" · ")
}

/// Where `lead` is discussed. A weblog has a page for comments to everything it writes; that is worth a link when
/// somebody has commented. A page elsewhere is there for nothing else.
fn discussion<'a>(lead: &'a Item, words: &Words) -> Option<(String, &'a str)> {
    let url = web_link(lead.comments_url.as_deref()?);
    let host = |url: &str| url.split('/').nth(2).map(str::to_ascii_lowercase);
    let elsewhere = lead
        .url
        .as_deref()
        .is_some_and(|own| host(own) != host(url));
    let discussed = lead.comments.is_some_and(|comments| comments > 0);
    let worth = !url.is_empty() && lead.url.as_deref() != Some(url) && (elsewhere || discussed);
    worth.then(|| (words.comments(lead.comments), url))
}

/// The URL, if it leads to a page and cannot be taken for anything else in text or HTML; else nothing.
pub(crate) fn web_link(url: &str) -> &str {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_plain =
        !url.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c));
    if is_web && is_plain { url } else { "" }
}
