//! What forms ask, and what was said on them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::app::App;
use super::frame::name_of;
use super::guard::{Ask, Fields};
use crate::model::{
    ALL_TOPICS, CadenceId, Language, Offer, Preference, Preferences, Purpose, WrongPreference,
};
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
    pub(super) has_everything: bool,
    pub(super) topics: Vec<Choice>,
    /// Topics that were chosen and are not on offer now: they stay chosen.
    pub(super) kept_topics: Vec<String>,
    pub(super) wrong_topics: String,
    pub(super) has_cadences: bool,
    pub(super) cadences: Vec<Choice>,
    pub(super) wrong_cadence: String,
    pub(super) has_languages: bool,
    pub(super) languages: Vec<Choice>,
    pub(super) wrong_language: String,
}

impl Choices {
    pub(super) fn new(app: &App, ask: &Ask, entries: &Entries, faults: &[WrongPreference]) -> Self {
        let pages = &words(ask.language).pages;
        let config = &app.config;
        let chosen = entries.get(Preference::Topics);
        let has_everything = chosen == ALL_TOPICS;
        let picked = || chosen.split(' ').filter(|topic| !topic.is_empty());
        let topics: Vec<Choice> = config
            .topics
            .iter()
            .map(|topic| Choice {
                value: topic.id.to_string(),
                label: topic.title.clone(),
                is_chosen: has_everything || picked().any(|picked| picked == topic.id.as_str()),
            })
            .collect();
        let known = config.topic_ids();
        let kept = picked().filter(|topic| !has_everything && !known.contains(topic));
        let was_wrong = |topic: &&str| {
            let mut wrong = faults.iter();
            wrong.any(|wrong| wrong.preference == Preference::Topics && wrong.text == *topic)
        };
        let kept = kept.filter(|topic| !was_wrong(topic));
        let cadences: Vec<Choice> = config
            .cadences
            .iter()
            .map(|cadence| Choice {
                value: cadence.id.to_string(),
                label: cadence_name(&cadence.id, pages),
                is_chosen: entries.get(Preference::Cadence) == cadence.id.as_str(),
            })
            .collect();
        let languages: Vec<Choice> = app
            .options
            .languages
            .iter()
            .map(|language| Choice {
                value: language.tag().to_owned(),
                label: name_of(*language).to_owned(),
                is_chosen: entries.get(Preference::Language) == language.tag(),
            })
            .collect();
        Self {
            has_topics: topics.len() > 1,
            has_everything,
            kept_topics: kept.map(str::to_owned).collect(),
            topics,
            wrong_topics: fault_of(pages, faults, Preference::Topics),
            has_cadences: cadences.len() > 1,
            cadences,
            wrong_cadence: fault_of(pages, faults, Preference::Cadence),
            has_languages: languages.len() > 1,
            languages,
            wrong_language: fault_of(pages, faults, Preference::Language),
        }
    }
}

/// What stands in a form, by preference, each as [`Preferences::set`] takes it: what somebody has chosen before or, when something in it was
/// wrong, what they have entered, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entries(BTreeMap<Preference, String>);

impl Entries {
    /// What was chosen.
    pub(super) fn of(preferences: &Preferences) -> Self {
        let entry = |preference: Preference| (preference, preferences.get(preference));
        Self(Preference::ALL.into_iter().map(entry).collect())
    }

    /// What a form says. What it does not ask is not in it: a form tells by its fields `asked` which boxes it has, as one that is not
    /// ticked is not sent.
    pub(super) fn from_form(app: &App, fields: &Fields) -> Self {
        let is_asked =
            |preference: Preference| fields.all("asked").any(|name| name == preference.name());
        let joined = |name| fields.all(name).collect::<Vec<_>>().join(" ");
        let entry = |preference: Preference| match preference {
            Preference::Topics if is_asked(preference) || fields.get("topic").is_some() => {
                let ticked: Vec<&str> = fields.all("topic").collect();
                let is_whole = app
                    .config
                    .topics
                    .iter()
                    .all(|topic| ticked.contains(&topic.id.as_str()));
                // Who had everything and unticks one topic does not want it, though they left the box of everything alone.
                let is_all = fields.get("everything").is_some()
                    && (is_whole || fields.get("had_everything").is_none());
                Some(match is_all {
                    true => ALL_TOPICS.to_owned(),
                    false => ticked.join(" "),
                })
            }
            Preference::Topics => None,
            Preference::Days => is_asked(preference).then(|| joined("days")),
            Preference::Pictures => is_asked(preference).then(|| match fields.get("pictures") {
                Some(_) => "yes".to_owned(),
                None => "no".to_owned(),
            }),
            other => fields.get(other.name()).map(str::to_owned),
        };
        let said = Preference::ALL.into_iter();
        Self(said.filter_map(|one| Some((one, entry(one)?))).collect())
    }

    /// The text of a preference.
    pub(super) fn get(&self, preference: Preference) -> &str {
        self.0.get(&preference).map_or("", String::as_str)
    }

    /// Sets one.
    pub(super) fn insert(&mut self, preference: Preference, text: String) {
        self.0.insert(preference, text);
    }

    /// These, and those of `others` that are not among them.
    pub(super) fn over(mut self, others: Self) -> Self {
        for (preference, text) in others.0 {
            self.0.entry(preference).or_insert(text);
        }
        self
    }

    /// Writes all of them into `preferences`. Returns what could not be: what is right is written all the same.
    pub(super) fn write(
        &self,
        preferences: &mut Preferences,
        offer: &Offer,
    ) -> Vec<WrongPreference> {
        self.0
            .iter()
            .filter_map(|(preference, text)| preferences.set(*preference, text, offer).err())
            .collect()
    }
}

/// What is wrong with an entry, as its reader is told.
pub(super) fn fault(pages: &PageWords, wrong: &WrongPreference) -> String {
    let words = &pages.choose;
    let said = match wrong.preference {
        Preference::Topics if wrong.text.is_empty() => words.no_topic,
        Preference::Days => words.no_day,
        Preference::Timezone => words.no_timezone,
        Preference::PausedUntil => words.no_pause,
        Preference::MostStories | Preference::LeastStories => words.no_number,
        Preference::MuteWords | Preference::MuteSources => words.too_much,
        _ => words.not_offered,
    };
    said.replace("{text}", &wrong.text)
}

/// The fault of one preference; empty without one.
pub(super) fn fault_of(
    pages: &PageWords,
    faults: &[WrongPreference],
    preference: Preference,
) -> String {
    let wrong = faults.iter().find(|wrong| wrong.preference == preference);
    wrong.map_or_else(String::new, |wrong| fault(pages, wrong))
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

/// What is chosen before somebody has.
pub(super) fn usual(app: &App, ask: &Ask) -> Preferences {
    Preferences {
        language: Some(ask.language),
        ..Preferences::usual(app.config.cadences[0].id.clone())
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
    /// What subscribers can choose from now.
    pub(super) fn offer(&self) -> Offer {
        Offer {
            languages: self.options.languages.clone(),
            ..self.config.offer((self.clock.wall)())
        }
    }

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
