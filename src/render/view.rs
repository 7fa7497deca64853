//! What a mail shows, as plain values that the templates lay out.

use std::collections::BTreeSet;

use serde::Serialize;

use super::block::{BlockLanguages, BlockView, blocks};
use super::direction::{Direction, OF_MAILS};
use super::locale::{Words, words};
use super::markdown::Passage;
use super::story::{LinkLine, Links, Medium, Reader, StoryView, WORDS_PER_MINUTE};
use super::text::breakable;
use super::theme::{Layout, Theme};
use crate::model::{Audience, Edition, EditionId, Language, Length, Newsletter, Personal, Story};

/// From how many stories on a list of sections helps.
const CONTENTS_FROM: usize = 6;

/// What fits beside the margins of the narrowest phone, as the title of the newsletter.
const LONGEST_IN_TITLE: usize = 16;

/// What every mail has around its content.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Mail<'a> {
    pub(super) language: &'static str,
    /// `ltr` or `rtl`.
    pub(super) dir: &'static str,
    /// Whether it runs from right to left. What runs as all does is not said: some clients do not know the attribute.
    pub(super) is_rtl: bool,
    /// The side on which lines begin, and the other one.
    pub(super) align: &'static str,
    pub(super) opposite: &'static str,
    /// The title of the document, for who reads it aloud or prints it.
    pub(super) title: String,
    /// The line that a phone shows under the subject.
    pub(super) preheader: String,
    /// The title of the newsletter.
    pub(super) newsletter: &'a str,
    /// The same as it stands at the head, for HTML: with places where a word that is too long for a phone may be broken.
    pub(super) masthead: String,
    /// The language of the newsletter's own words: title, tagline, topics, header, footer, imprint.
    pub(super) home: &'static str,
    pub(super) tagline: &'a str,
    /// The publication's web site; empty without one.
    pub(super) url: &'a str,
    /// Where the edition is on the web; empty when nowhere.
    pub(super) browser: String,
    /// The publisher's words above and below the content.
    pub(super) header: Passage,
    pub(super) footer: Passage,
    /// Why the reader gets it; empty where there is no subscription yet.
    pub(super) reason: String,
    /// What the reader can do about it, beside the reason.
    pub(super) links: Vec<FooterLink>,
    pub(super) imprint: &'a [String],
    /// Other pages of the newsletter, for its pages on the web.
    pub(super) pages: Vec<FooterLink>,
    pub(super) has_pages: bool,
}

/// A link of the footer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FooterLink {
    pub(super) label: &'static str,
    pub(super) url: String,
}

impl<'a> Mail<'a> {
    /// The frame of a mail to somebody who reads `language`. Title, preheader, reason and links are the caller's.
    pub(super) fn new(newsletter: &'a Newsletter, language: Language) -> Self {
        let direction = OF_MAILS;
        Self {
            language: language.tag(),
            dir: direction.as_str(),
            is_rtl: direction == Direction::RightToLeft,
            align: direction.start(),
            opposite: direction.opposite().start(),
            title: newsletter.title.clone(),
            preheader: String::new(),
            newsletter: &newsletter.title,
            masthead: breakable(
                &newsletter.title,
                newsletter.language.tag(),
                LONGEST_IN_TITLE,
            ),
            home: newsletter.language.tag(),
            tagline: &newsletter.tagline,
            url: newsletter.url.as_ref().map_or("", url::Url::as_str),
            browser: String::new(),
            header: Passage::default(),
            footer: Passage::default(),
            reason: String::new(),
            links: Vec::new(),
            imprint: &newsletter.imprint,
            pages: Vec::new(),
            has_pages: false,
        }
    }

    /// Adds the other pages of the newsletter.
    pub(super) fn with_pages(mut self, newsletter: &Newsletter, words: &'static Words) -> Self {
        let pages = [
            (words.pages.sign_up.heading, &newsletter.pages_url),
            (words.pages.archive.heading, &newsletter.archive_url),
        ];
        let there = pages.into_iter().filter_map(|(label, url)| {
            let url = url.clone()?;
            Some(FooterLink { label, url })
        });
        self.pages = there.collect();
        self.has_pages = !self.pages.is_empty();
        self
    }

    /// The frame of `digest`, an edition for those who read `language`, without what is personal.
    pub(super) fn of_edition(
        newsletter: &'a Newsletter,
        theme: &Theme,
        edition: &EditionId,
        language: Language,
        digest: &DigestView<'_>,
    ) -> Self {
        Self {
            title: format!("{} – {}", newsletter.title, digest.date),
            browser: newsletter.edition_url(edition).unwrap_or_default(),
            header: theme.header.clone(),
            footer: theme.footer.clone(),
            ..Self::new(newsletter, language)
        }
    }

    /// Adds why a subscriber gets it, and what they can do about it.
    pub(super) fn with_reason(mut self, newsletter: &Newsletter, words: &'static Words) -> Self {
        let labels = &words.labels;
        let preferences = newsletter.preferences_url.as_ref();
        let preferences = preferences
            .map(|url| match url.contains(Newsletter::TOKEN) {
                true => Personal::Preferences.mark().to_owned(),
                false => url.clone(),
            })
            .unwrap_or_default();
        let links = [
            (labels.browser, self.browser.clone()),
            (labels.preferences, preferences),
            (labels.unsubscribe, Personal::Unsubscribe.mark().to_owned()),
        ];
        self.reason = words.reason(&newsletter.title);
        self.links = links
            .into_iter()
            .filter(|(_, url)| !url.is_empty())
            .map(|(label, url)| FooterLink { label, url })
            .collect();
        self
    }
}

/// What a digest has between masthead and footer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DigestView<'a> {
    pub(super) date: String,
    /// “12 stories from 7 sources”.
    pub(super) counts: String,
    pub(super) reading_time: String,
    /// Whether there are enough stories for a list of sections.
    pub(super) has_contents: bool,
    pub(super) contents: Vec<ContentsLine<'a>>,
    /// Where news go of what a reader follows, in either body; empty where nobody can follow anything.
    pub(super) followed_html: &'static str,
    pub(super) followed_text: &'static str,
    /// Instead of sections when there is none; empty where news of what a reader follows are all that there is.
    pub(super) nothing: &'static str,
    /// Whether stories are shown without their excerpts.
    pub(super) is_compact: bool,
    /// What stands above all sections.
    pub(super) blocks: Vec<BlockView<'a>>,
    pub(super) sections: Vec<SectionView<'a>>,
    /// What stands between the margin and the text of a story in the text part.
    pub(super) indent: String,
    /// The links of the text part that do not stand where they belong.
    pub(super) links: Vec<LinkLine<'a>>,
    pub(super) has_links: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ContentsLine<'a> {
    /// The short name of its topic.
    pub(super) topic: &'a str,
    pub(super) title: &'a str,
    pub(super) stories: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct SectionView<'a> {
    /// The short name of its topic.
    pub(super) topic: &'a str,
    pub(super) title: &'a str,
    pub(super) stories: Vec<StoryView<'a>>,
    /// That it has more stories than the mail; empty when all are here.
    pub(super) more: String,
    /// Where to read them; empty when nowhere.
    pub(super) more_url: String,
    /// What stands below it.
    pub(super) blocks: Vec<BlockView<'a>>,
    /// What tells where it begins and ends, when it is to be cut out.
    pub(super) begins: &'static str,
    pub(super) ends: &'static str,
}

impl<'a> DigestView<'a> {
    /// For whom stories of `edition` are shown.
    pub(super) fn reader<'t>(
        newsletter: &Newsletter,
        theme: &'t Theme,
        edition: &Edition,
        audience: &Audience,
        medium: Medium,
    ) -> Reader<'t> {
        Reader {
            language: audience.language.tag(),
            direction: OF_MAILS,
            words: words(audience.language),
            images: &theme.images,
            now: edition.window.until.with_timezone(&newsletter.timezone),
            medium,
            alike: match medium {
                Medium::Mail => {
                    let pattern = newsletter.follow_url.as_ref();
                    pattern.map(|url| url.replace(Newsletter::TOKEN, Personal::Follow.mark()))
                }
                Medium::Web => newsletter.story_url.clone(),
            },
        }
    }

    /// What `audience` is shown of `edition`, which has nothing else ([`Edition::seen_by`]).
    pub(super) fn new(
        newsletter: &Newsletter,
        theme: &Theme,
        edition: &'a Edition,
        audience: &Audience,
        medium: Medium,
    ) -> Self {
        let words = words(audience.language);
        let reader = Self::reader(newsletter, theme, edition, audience, medium);
        let now = reader.now;
        let is_compact =
            theme.layout == Layout::Compact || audience.reading.length == Length::Headlines;
        let can_follow = medium == Medium::Mail && newsletter.follow_url.is_some();
        let languages = BlockLanguages {
            reader: audience.language,
            home: newsletter.language,
        };
        let (top, below) = blocks(edition, languages, &words.labels);
        let mut sections: Vec<SectionView<'a>> = edition
            .sections
            .iter()
            .zip(below)
            .map(|(section, blocks)| SectionView {
                topic: section.topic.as_str(),
                title: &section.title,
                stories: section
                    .stories
                    .iter()
                    .map(|story| StoryView::new(story, &reader))
                    .collect(),
                more: String::new(),
                more_url: String::new(),
                blocks,
                begins: "",
                ends: "",
            })
            .collect();
        if is_compact {
            for story in sections.iter_mut().flat_map(|section| &mut section.stories) {
                story.excerpt.clear();
            }
        }
        let sources: BTreeSet<&str> = edition
            .sections
            .iter()
            .flat_map(|section| &section.stories)
            .flat_map(Story::items)
            .map(|item| item.source.as_str())
            .collect();
        let stories = || sections.iter().flat_map(|section| &section.stories);
        let count = stories().count();
        let minutes = stories()
            .map(StoryView::word_count)
            .sum::<usize>()
            .div_ceil(WORDS_PER_MINUTE);
        Self {
            date: words.dateline(now.date_naive()),
            // Those who get it for what they follow get different news of it.
            counts: match edition.is_of_followed() {
                true => String::new(),
                false => words.counts(count, sources.len()),
            },
            reading_time: words.reading_time(minutes),
            followed_html: if can_follow {
                Personal::FollowedHtml.mark()
            } else {
                ""
            },
            followed_text: if can_follow {
                Personal::FollowedText.mark()
            } else {
                ""
            },
            nothing: match edition.is_of_followed() {
                true => "",
                false => words.labels.nothing,
            },
            has_contents: count >= CONTENTS_FROM && sections.len() > 1,
            contents: sections
                .iter()
                .map(|section| ContentsLine {
                    topic: section.topic,
                    title: section.title,
                    stories: section.stories.len(),
                })
                .collect(),
            is_compact,
            blocks: top,
            sections,
            indent: String::new(),
            links: Vec::new(),
            has_links: false,
        }
    }

    /// All stories, in the order in which they are read.
    pub(super) fn stories(&self) -> impl Iterator<Item = &StoryView<'a>> {
        self.sections.iter().flat_map(|section| &section.stories)
    }

    /// Gives stories and links the numbers that they have in the text part.
    pub(super) fn number(&mut self, words: &Words) {
        let count = self.stories().count();
        let width = count.to_string().len();
        let mut links = Links {
            taken: count,
            ..Links::default()
        };
        let stories = self
            .sections
            .iter_mut()
            .flat_map(|section| &mut section.stories);
        for (place, story) in stories.enumerate() {
            story.number(place + 1, width, words, &mut links);
        }
        self.indent = " ".repeat(width + 2);
        self.links = links.list;
        self.has_links = !self.links.is_empty();
    }
}
