//! What the pages for readers say, and the letters that belong to them.

use serde::Serialize;

use super::LetterWords;

/// The words of the pages. In those marked so, `{title}` is the quoted title of the newsletter.
#[derive(Debug, Serialize)]
pub(crate) struct PageWords {
    /// Where somebody signs up.
    pub sign_up: SignUpWords,
    /// What a click in a letter leads to.
    pub confirm: ConfirmWords,
    /// Where somebody leaves.
    pub leave: LeaveWords,
    /// Where a subscriber chooses.
    pub choose: ChooseWords,
    /// Where a subscriber follows a story.
    pub follow: FollowWords,
    /// The editions of the past.
    pub archive: ArchiveWords,
    /// When there is no such page.
    pub lost: Message,
    /// When a page of ours is used from somewhere else.
    pub foreign: Message,
    /// To somebody who signs up and is subscribed.
    pub known: LetterWords,
    /// To the new address of a subscriber.
    pub moving: LetterWords,
    /// To the old one, afterwards.
    pub moved: LetterWords,
}

/// A page that says one thing.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    /// Its heading.
    pub heading: &'static str,
    /// What it says; `{title}` is the newsletter's.
    pub text: &'static str,
}

/// The words of the form to sign up.
#[derive(Debug, Serialize)]
pub(crate) struct SignUpWords {
    /// The heading.
    pub heading: &'static str,
    /// The label of the address.
    pub address: &'static str,
    /// That what was given is no address.
    pub no_address: &'static str,
    /// The heading of the topics.
    pub topics: &'static str,
    /// The box that chooses all topics, also those to come.
    pub everything: &'static str,
    /// The heading of the cadences.
    pub cadence: &'static str,
    /// Every day, week and month.
    pub cadences: [&'static str; 3],
    /// The label of the language.
    pub language: &'static str,
    /// What is agreed to, as a sentence of whoever signs up, with `{title}`.
    pub consent: &'static str,
    /// The link to what is done with people's data.
    pub privacy: &'static str,
    /// The button.
    pub button: &'static str,
    /// To a machine: a field that people do not see.
    pub leave_empty: &'static str,
    /// That the form has to be looked at once more.
    pub check: &'static str,
    /// After that.
    pub sent: Message,
    /// If nothing comes.
    pub nothing_came: &'static str,
    /// When too many sign up from one network.
    pub too_many: Message,
}

/// The words of pages that confirm something.
#[derive(Debug, Serialize)]
pub(crate) struct ConfirmWords {
    /// Asks for the click that subscribes.
    pub question: Message,
    /// Its button.
    pub button: &'static str,
    /// After it.
    pub done: Message,
    /// That who has confirmed is not subscribed any more.
    pub ended: Message,
    /// That a link is too old, or was never good.
    pub invalid: Message,
    /// Asks for the click that moves a subscription.
    pub move_question: Message,
    /// Its button.
    pub move_button: &'static str,
    /// After it.
    pub moved: Message,
}

/// The words of pages that end a subscription.
#[derive(Debug, Serialize)]
pub(crate) struct LeaveWords {
    /// Asks for the click.
    pub question: Message,
    /// The button.
    pub button: &'static str,
    /// After it.
    pub done: Message,
    /// That nobody was unsubscribed, as the link is none of ours.
    pub unknown: Message,
    /// The link that unsubscribes by mail.
    pub by_mail: &'static str,
    /// The button that takes it back.
    pub undo: &'static str,
    /// After that.
    pub undone: Message,
    /// When it is too late for it.
    pub too_late: Message,
}

/// The words of the page where a subscriber chooses.
#[derive(Debug, Serialize)]
pub(crate) struct ChooseWords {
    /// The heading.
    pub heading: &'static str,
    /// The heading of how much there is to read.
    pub length: &'static str,
    /// All, the best, headlines.
    pub lengths: [&'static str; 3],
    /// The box that shows pictures.
    pub pictures: &'static str,
    /// The labels of the most stories that a mail has, and of the fewest for which one comes.
    pub most: &'static str,
    pub least: &'static str,
    /// The labels of words and sources that are left out, and how several are written.
    pub mute_words: &'static str,
    pub mute_sources: &'static str,
    pub separated: &'static str,
    /// The heading of the days of the week.
    pub days: &'static str,
    /// The label of the hour.
    pub hour: &'static str,
    /// As soon as there is something.
    pub at_once: &'static str,
    /// From an hour on, with `{time}`.
    pub from: &'static str,
    /// The label of the time zone.
    pub timezone: &'static str,
    /// That what was given is no time zone.
    pub no_timezone: &'static str,
    /// That something has to be put right first.
    pub check: &'static str,
    /// That there is no such choice as `{text}`, that no topic or no day is chosen, that it is no day to come, that it is no number, and
    /// that it is too much.
    pub not_offered: &'static str,
    pub no_topic: &'static str,
    pub no_day: &'static str,
    pub no_pause: &'static str,
    pub no_number: &'static str,
    pub too_much: &'static str,
    /// The label of the day until which nothing comes.
    pub pause: &'static str,
    /// The button.
    pub save: &'static str,
    /// After it.
    pub saved: &'static str,
    /// The heading of the form for another address.
    pub new_address: &'static str,
    /// Its button.
    pub change: &'static str,
    /// After it.
    pub change_sent: Message,
    /// The heading of the list of what they follow.
    pub follows: &'static str,
}

/// The words around following a story.
#[derive(Debug, Serialize)]
pub(crate) struct FollowWords {
    /// The link below a story.
    pub more: &'static str,
    /// The heading of news of a story that is followed, with `{story}`.
    pub section: &'static str,
    /// Asks for the click.
    pub heading: &'static str,
    /// What it does.
    pub text: &'static str,
    /// News in the digests.
    pub in_digest: &'static str,
    /// News in a mail of their own.
    pub at_once: &'static str,
    /// After the click.
    pub done: Message,
    /// Ends it.
    pub stop: &'static str,
    /// After that.
    pub stopped: Message,
    /// The subject of a mail that has nothing else, with `{story}`.
    pub subject: &'static str,
    /// When there is no such story, or no room for another one.
    pub impossible: Message,
}

/// The words of the archive.
#[derive(Debug, Serialize)]
pub(crate) struct ArchiveWords {
    /// Its name.
    pub heading: &'static str,
    /// The heading of the latest editions.
    pub latest: &'static str,
    /// The link to older ones.
    pub older: &'static str,
    /// The heading of the search, its label and its button.
    pub search: &'static str,
    /// That nothing was found.
    pub nothing: &'static str,
    /// That nothing is there yet.
    pub empty: &'static str,
    /// The heading of links to other places to search.
    pub further: &'static str,
    /// The heading of similar stories.
    pub alike: &'static str,
    /// The heading of the editions that showed a story.
    pub shown_in: &'static str,
    /// The heading of feeds of what is shown.
    pub feeds: &'static str,
    /// What it is made of.
    pub sources: &'static str,
    /// The link that leads past the navigation.
    pub skip: &'static str,
}
