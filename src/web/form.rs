//! What forms ask, and what was said on them.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::app::App;
use super::frame::name_of;
use super::guard::{Ask, Fields};
use crate::model::{CadenceId, Language, Purpose, TopicId};
use crate::render::{PageWords, words};

/// A choice of several.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

/// Nobody fills in a form faster than this, and nobody takes longer.
const FASTEST: TimeDelta = TimeDelta::seconds(2);
const SLOWEST: TimeDelta = TimeDelta::hours(24);

/// What topics, cadence and language are there to choose from, and chosen.
pub(super) struct Choices {
    pub(super) has_topics: bool,
    pub(super) topics: Vec<Choice>,
    pub(super) has_cadences: bool,
    pub(super) cadences: Vec<Choice>,
    pub(super) has_languages: bool,
    pub(super) languages: Vec<Choice>,
}

impl Choices {
    pub(super) fn new(app: &App, ask: &Ask, chosen: &Chosen) -> Self {
        let pages = &words(ask.language).pages;
        let config = &app.config;
        let topics: Vec<Choice> = config
            .topics
            .iter()
            .map(|topic| Choice {
                value: topic.id.to_string(),
                label: topic.title.clone(),
                is_chosen: chosen.topics.contains(&topic.id),
            })
            .collect();
        let cadences: Vec<Choice> = config
            .cadences
            .iter()
            .map(|cadence| Choice {
                value: cadence.id.to_string(),
                label: cadence_name(&cadence.id, pages),
                is_chosen: chosen.cadence == cadence.id,
            })
            .collect();
        let languages: Vec<Choice> = app
            .options
            .languages
            .iter()
            .map(|language| Choice {
                value: language.tag().to_owned(),
                label: name_of(*language).to_owned(),
                is_chosen: chosen.language == *language,
            })
            .collect();
        Self {
            has_topics: topics.len() > 1,
            topics,
            has_cadences: cadences.len() > 1,
            cadences,
            has_languages: languages.len() > 1,
            languages,
        }
    }
}

/// A cadence as readers call it: those that every language has a word for, else by its name.
pub(super) fn cadence_name(cadence: &CadenceId, pages: &PageWords) -> String {
    let place = ["daily", "weekly", "monthly"]
        .iter()
        .position(|name| *name == cadence.as_str());
    place.map_or_else(
        || cadence.to_string(),
        |place| pages.sign_up.cadences[place].to_owned(),
    )
}

/// What somebody chose, of what there is: anything else counts as not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) topics: BTreeSet<TopicId>,
    pub(super) cadence: CadenceId,
    pub(super) language: Language,
}

impl Chosen {
    /// What is chosen before somebody has.
    pub(super) fn nothing(app: &App, ask: &Ask) -> Self {
        Self {
            topics: BTreeSet::new(),
            cadence: app.config.cadences[0].id.clone(),
            language: ask.language,
        }
    }

    /// What these say, and what holds where they say nothing.
    pub(super) fn read<'a>(
        self,
        app: &App,
        topics: impl Iterator<Item = &'a str>,
        cadence: Option<&str>,
        language: Option<&str>,
    ) -> Self {
        let known = app.config.topic_ids();
        let topics: BTreeSet<TopicId> = topics
            .filter(|topic| known.contains(topic))
            .map(|topic| TopicId(topic.to_owned()))
            .collect();
        let cadence = cadence.filter(|cadence| app.config.cadence_ids().contains(cadence));
        let language = language.and_then(Language::from_tag);
        let language = language.filter(|language| app.options.languages.contains(language));
        Self {
            // All of them is no choice: who wants everything wants what comes later as well.
            topics: if topics.len() == known.len() {
                BTreeSet::new()
            } else {
                topics
            },
            cadence: cadence.map_or(self.cadence, |cadence| CadenceId(cadence.to_owned())),
            language: language.unwrap_or(self.language),
        }
    }

    /// What a form says.
    pub(super) fn from_form(app: &App, ask: &Ask, fields: &Fields) -> Self {
        Self::nothing(app, ask).read(
            app,
            fields.all("topic"),
            fields.get("cadence"),
            fields.get("language"),
        )
    }
}

/// Whether a form was filled in by a person, as far as its token tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// In the time that a person needs.
    Human,
    /// Faster.
    Fast,
    /// There is no token, or it is too old: the form was on another page, or open for days.
    Unknown,
}

impl App {
    /// A token that tells when a form was handed out.
    pub(super) fn form_token(&self) -> String {
        let now = (self.clock.wall)();
        self.tokens.seal(Purpose::Form, now.timestamp())
    }

    pub(super) fn pace(&self, token: &str) -> Pace {
        let Some(second) = self.tokens.open(Purpose::Form, token) else {
            return Pace::Unknown;
        };
        let passed = TimeDelta::seconds((self.clock.wall)().timestamp().saturating_sub(second));
        if passed > SLOWEST {
            Pace::Unknown
        } else if passed < FASTEST {
            Pace::Fast
        } else {
            Pace::Human
        }
    }

    /// What somebody agrees to who signs up, and the language of it.
    pub(super) fn consent(&self, language: Language) -> (String, Language) {
        match &self.options.consent {
            Some(own) => (own.clone(), self.newsletter.language),
            None => {
                let words = words(language);
                let text = words.about(words.pages.sign_up.consent, &self.newsletter.title);
                (text, language)
            }
        }
    }
}
