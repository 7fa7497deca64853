//! What a digest shows, as plain values that the templates lay out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use askama::Template;
use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

use super::locale::{Words, words};
use super::summary::{cut, summary};
use crate::model::{Audience, Digest, Edition, Item, Mark, Newsletter, Story};

/// An excerpt says what happened; the article says the rest (and press publishers' rights, §§ 87f ff. UrhG,
/// leave room for short extracts only).
const EXCERPT_CHARS: usize = 280;

/// The line that a phone shows under the subject.
const PREHEADER_CHARS: usize = 120;

/// Words that people read in a minute, on a screen, in German or English.
const WORDS_PER_MINUTE: u32 = 220;

/// Below this, the feed carries a teaser, and the reading time of a teaser says nothing about the article.
const FULL_TEXT_WORDS: u32 = 150;

/// Columns of the text part.
const COLUMNS: usize = 72;

/// From how many stories on a list of sections helps.
const CONTENTS_FROM: usize = 6;

#[derive(Template)]
#[template(path = "digest.html")]
pub(super) struct HtmlPage<'a> {
    pub(super) view: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "digest.txt")]
pub(super) struct TextPage<'a> {
    pub(super) view: &'a View<'a>,
}

pub(super) struct View<'a> {
    pub(super) language: &'static str,
    pub(super) title: &'a str,
    pub(super) tagline: &'a str,
    pub(super) url: Option<&'a str>,
    pub(super) date: String,
    pub(super) counts: String,
    /// The headline of the first story.
    pub(super) headline: Option<Cow<'a, str>>,
    pub(super) preheader: String,
    /// The titles of the sections, when there are enough stories for a list of them.
    pub(super) contents: Vec<ContentsLine<'a>>,
    pub(super) sections: Vec<SectionView<'a>>,
    pub(super) imprint: &'a [String],
    pub(super) reason: String,
    pub(super) unsubscribe: &'static str,
    pub(super) words: &'static Words,
}

pub(super) struct ContentsLine<'a> {
    pub(super) title: &'a str,
    pub(super) stories: usize,
}

pub(super) struct SectionView<'a> {
    pub(super) title: &'a str,
    pub(super) stories: Vec<StoryView<'a>>,
}

pub(super) struct StoryView<'a> {
    pub(super) title: Cow<'a, str>,
    pub(super) url: Option<&'a str>,
    /// Language of title and excerpt, where it is another than the digest's.
    pub(super) language: Option<&'a str>,
    pub(super) excerpt: String,
    pub(super) source: &'a str,
    /// When it was published, for people and for machines; absent where the feed does not say.
    pub(super) time: Option<(String, String)>,
    pub(super) reading_time: Option<String>,
    /// What readers should know before they click.
    pub(super) mark: Option<&'static str>,
    pub(super) others: Vec<OtherView<'a>>,
}

pub(super) struct OtherView<'a> {
    pub(super) source: &'a str,
    pub(super) url: Option<&'a str>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        newsletter: &'a Newsletter,
        edition: &'a Edition,
        audience: &'a Audience,
    ) -> Self {
        let words = words(audience.language);
        let now = edition.window.until.with_timezone(&newsletter.timezone);
        let story = |story: &'a Story| story_view(story, audience.language.tag(), words, now);
        let sections: Vec<SectionView<'a>> = edition
            .sections_for(audience)
            .map(|section| SectionView {
                title: &section.title,
                stories: section.stories.iter().map(story).collect(),
            })
            .collect();

        let stories: Vec<&Story> = edition
            .sections_for(audience)
            .flat_map(|section| &section.stories)
            .collect();
        let sources: BTreeSet<&str> = stories
            .iter()
            .flat_map(|story| story.items())
            .map(|item| item.source.as_str())
            .collect();
        let next: Vec<&str> = sections
            .iter()
            .flat_map(|section| &section.stories)
            .skip(1)
            .take(3)
            .map(|story| &*story.title)
            .collect();
        let counts = (words.counts)(stories.len(), sources.len());
        let contents = if stories.len() >= CONTENTS_FROM && sections.len() > 1 {
            &sections[..]
        } else {
            &[]
        };
        let contents = contents.iter().map(|section| ContentsLine {
            title: section.title,
            stories: section.stories.len(),
        });
        Self {
            language: audience.language.tag(),
            title: &newsletter.title,
            tagline: &newsletter.tagline,
            url: newsletter.url.as_ref().map(url::Url::as_str),
            date: (words.date)(now.date_naive()),
            headline: sections
                .iter()
                .flat_map(|section| &section.stories)
                .next()
                .map(|story| story.title.clone()),
            preheader: if next.is_empty() {
                counts.clone()
            } else {
                cut(&next.join(" · "), PREHEADER_CHARS)
            },
            counts,
            contents: contents.collect(),
            sections,
            imprint: &newsletter.imprint,
            reason: (words.reason)(&newsletter.title),
            unsubscribe: Digest::UNSUBSCRIBE,
            words,
        }
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

fn story_view<'a>(
    story: &'a Story,
    language: &str,
    words: &Words,
    now: DateTime<Tz>,
) -> StoryView<'a> {
    let lead = report_for(story, language);
    let minutes = lead.words.div_ceil(WORDS_PER_MINUTE);
    let mut shown = BTreeSet::from([lead.source.as_str()]);
    let others = story.items().filter(|item| shown.insert(&item.source));
    let mut title = Cow::Borrowed(lead.title.as_str());
    let mut excerpt = excerpt_beside(&lead.title, &lead.summary);
    if let Some(update) = &story.update {
        title = Cow::Owned(format!("{}: {title}", words.update));
        // The sentence is the lead's own; another report says it in its own words.
        let news = summary("", &update.news, EXCERPT_CHARS);
        if lead.key == story.lead.key && !news.is_empty() {
            excerpt = news;
        }
    }
    StoryView {
        title,
        url: lead.url.as_deref(),
        language: lead.language.as_deref().filter(|own| *own != language),
        excerpt,
        source: &lead.source,
        time: lead.dated.then(|| {
            let machine = lead
                .published
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            (time(lead, words, now), machine)
        }),
        reading_time: (lead.words >= FULL_TEXT_WORDS).then(|| (words.reading_time)(minutes)),
        mark: lead.mark.map(|mark| match mark {
            Mark::Paid => words.paid,
            Mark::Sponsored => words.sponsored,
        }),
        others: others
            .map(|item| OtherView {
                source: &item.source,
                url: item.url.as_deref(),
            })
            .collect(),
    }
}

/// The excerpt of `text` that stands under `title`. A headline that was made of the beginning of the text
/// (notes have none) ends in an ellipsis; the excerpt goes on from there.
fn excerpt_beside(title: &str, text: &str) -> String {
    let rest = title
        .strip_suffix('…')
        .and_then(|start| text.strip_prefix(start));
    match rest {
        Some(rest) => format!("…{}", summary("", rest, EXCERPT_CHARS)),
        None if text == title => String::new(),
        None => summary(title, text, EXCERPT_CHARS),
    }
}

/// When an item was published, as somebody would say it on the day of the edition.
fn time(item: &Item, words: &Words, now: DateTime<Tz>) -> String {
    let published: DateTime<Utc> = item.published;
    let local = published.with_timezone(&now.timezone());
    let time = (words.time)(local.hour(), local.minute());
    let (day, today) = (local.date_naive(), now.date_naive());
    if day == today {
        time
    } else if day == today - TimeDelta::days(1) {
        format!("{}, {time}", words.yesterday)
    } else if day.year() == today.year() {
        format!("{}, {time}", (words.day)(day))
    } else {
        format!("{} {}, {time}", (words.day)(day), day.year())
    }
}

/// Lines of the text part.
impl View<'_> {
    /// A line across. Of hyphens: quoted-printable triples every equals sign.
    pub(super) fn rule(&self) -> String {
        "-".repeat(COLUMNS)
    }

    pub(super) fn wrapped(&self, text: &str) -> String {
        wrap(text, "")
    }
}

impl SectionView<'_> {
    pub(super) fn heading(&self) -> String {
        let title = wrap(&self.title.to_uppercase(), "");
        let width = title
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or_default();
        format!("{title}\n{}", "-".repeat(width))
    }
}

impl StoryView<'_> {
    pub(super) fn headline(&self) -> String {
        wrap(&self.title, "* ")
    }

    pub(super) fn meta(&self) -> String {
        let parts = [
            Some(self.source),
            self.time.as_ref().map(|(time, _)| time.as_str()),
            self.reading_time.as_deref(),
            self.mark,
        ];
        indent(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
    }

    pub(super) fn body(&self) -> String {
        indent(&self.excerpt)
    }

    pub(super) fn also(&self, words: &Words) -> String {
        let sources: Vec<&str> = self.others.iter().map(|other| other.source).collect();
        indent(&format!("{}: {}", words.also, sources.join(", ")))
    }
}

fn indent(text: &str) -> String {
    wrap(text, "  ")
}

/// Lines of at most 72 columns; the first begins with `first`, the others are indented as far.
fn wrap(text: &str, first: &str) -> String {
    let rest = " ".repeat(first.len());
    let options = textwrap::Options::new(COLUMNS)
        .initial_indent(first)
        .subsequent_indent(&rest)
        .break_words(false);
    textwrap::fill(text, options)
}
