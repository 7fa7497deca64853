//! Audiences: what makes the digests of two subscribers the same, and what each gets of an edition.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{
    Edition, Item, ItemKey, Language, Length, Place, Preferences, Reading, Story, TopicId, Topics,
};

/// The choices that subscribers with one and the same digest share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience {
    /// The language of the fixed words.
    pub language: Language,
    /// The topics they want.
    pub topics: Topics,
    /// How much of it, and how it looks.
    pub reading: Reading,
}

/// Why somebody gets no mail of an edition that they could have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMail {
    /// It has nothing for them.
    Empty,
    /// It has fewer stories than they want a mail for.
    TooFew,
}

impl Audience {
    /// Everybody who reads in `language` and has chosen nothing else.
    pub fn everything(language: Language) -> Self {
        Self {
            language,
            topics: Topics::All,
            reading: Reading::default(),
        }
    }

    /// Whether a mail with so many `stories` of theirs ([`Edition::seen_by`]) and `news` of what its reader follows is worth sending.
    ///
    /// # Errors
    /// Why it is not.
    pub fn wants_mail_of(&self, stories: usize, news: usize) -> Result<(), NoMail> {
        let stories = stories + news;
        match self.reading.least {
            _ if stories == 0 => Err(NoMail::Empty),
            Some(least) if stories < usize::from(least) => Err(NoMail::TooFew),
            _ => Ok(()),
        }
    }
}

impl Preferences {
    /// Those who get the same digest; `home` is the newsletter's language.
    pub fn audience(&self, home: Language) -> Audience {
        Audience {
            language: self.language.unwrap_or(home),
            topics: self.topics.clone(),
            reading: self.reading.clone(),
        }
    }
}

impl Edition {
    /// What `audience` gets of it: the topics that they want, without what they have muted, and no more than they want to read.
    ///
    /// A limit on all stories takes the first of each section, then the second, and so on, so that no topic they want is cut for another.
    pub fn seen_by(&self, audience: &Audience) -> Cow<'_, Self> {
        let reading = &audience.reading;
        let is_all =
            audience.topics == Topics::All && reading.is_plain() && reading.length != Length::Short;
        if is_all {
            return Cow::Borrowed(self);
        }
        let mut seen = self.clone();
        seen.sections
            .retain(|section| audience.topics.contains(&section.topic));
        let mutes = Mutes::of(reading);
        for section in &mut seen.sections {
            section.stories = section
                .stories
                .drain(..)
                .filter_map(|story| mutes.apply(story))
                .collect();
            if reading.length == Length::Short {
                section.stories.truncate(Length::SHORT);
            }
            if reading.no_pictures {
                section
                    .stories
                    .iter_mut()
                    .for_each(|story| story.picture = None);
            }
        }
        for followed in &mut seen.followed {
            followed.news = followed
                .news
                .drain(..)
                .filter_map(|story| mutes.apply(story))
                .collect();
        }
        if let Some(most) = reading.most {
            let mut left = usize::from(most);
            let mut kept = vec![0; seen.sections.len()];
            let longest = seen.sections.iter().map(|section| section.stories.len());
            for place in 0..longest.max().unwrap_or_default() {
                for (kept, section) in kept.iter_mut().zip(&seen.sections) {
                    if left > 0 && place < section.stories.len() {
                        *kept += 1;
                        left -= 1;
                    }
                }
            }
            for (kept, section) in kept.into_iter().zip(&mut seen.sections) {
                section.stories.truncate(kept);
            }
        }
        seen.sections.retain(|section| !section.stories.is_empty());
        seen.move_blocks_up(self);
        Cow::Owned(seen)
    }
}

impl Edition {
    /// Lets each block whose section of `whole` is not here stand below the one before it, behind those that stand there anyway.
    fn move_blocks_up(&mut self, whole: &Self) {
        self.blocks.sort_by_key(|block| match block.place {
            Place::Top => 0,
            Place::After(_) => 1,
            Place::End => 2,
        });
        let is_here = |topic: &TopicId| self.sections.iter().any(|own| own.topic == *topic);
        for block in &mut self.blocks {
            let Place::After(topic) = &block.place else {
                continue;
            };
            let mut above: Vec<&TopicId> = Vec::new();
            for section in &whole.sections {
                above.push(&section.topic);
                if section.topic == *topic {
                    break;
                }
            }
            let place = above.into_iter().rev().find(|topic| is_here(topic));
            block.place = place.cloned().map_or(Place::Top, Place::After);
        }
    }
}

/// What somebody does not want to read.
struct Mutes {
    /// In lower case, each with whether it may be the beginning of a word.
    words: Vec<(String, bool)>,
    /// In lower case.
    sources: BTreeSet<String>,
}

impl Mutes {
    fn of(reading: &Reading) -> Self {
        let word = |word: &String| {
            let word = word.to_lowercase();
            match word.strip_suffix('*') {
                Some(beginning) => (beginning.trim_end().to_owned(), true),
                None => (word, false),
            }
        };
        Self {
            words: reading.mute_words.iter().map(word).collect(),
            sources: reading
                .mute_sources
                .iter()
                .map(|source| source.to_lowercase())
                .collect(),
        }
    }

    /// What is left of a story: another report stands for one of a muted source, under the story's own key.
    fn apply(&self, mut story: Story) -> Option<Story> {
        if self.words.is_empty() && self.sources.is_empty() {
            return Some(story);
        }
        let is_muted = |item: &Item| self.sources.contains(&item.source.to_lowercase());
        story.others.retain(|item| !is_muted(item));
        if is_muted(&story.lead) {
            if story.others.is_empty() {
                return None;
            }
            let key: ItemKey = story.lead.key.clone();
            let first = story.others.remove(0);
            story.copies.remove(&first.key);
            story.lead = Item { key, ..first };
            // It is that of the muted report.
            story.picture = None;
        }
        let text = format!("{}\n{}", story.lead.title, story.lead.summary).to_lowercase();
        let is_named = self
            .words
            .iter()
            .any(|(word, is_beginning)| has_word(&text, word, *is_beginning));
        (!is_named).then_some(story)
    }
}

/// Whether `text` has `word` as a word of its own or, with `is_beginning`, as the beginning of one. Both are in lower case.
fn has_word(text: &str, word: &str, is_beginning: bool) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric)
                && (is_beginning || !after.is_some_and(char::is_alphanumeric))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_muted_word_is_a_word_and_no_part_of_one() {
        for (text, word, is_beginning, found) in [
            ("neues von der ki", "ki", false, true),
            ("ki-modell", "ki", false, true),
            ("das kind", "ki", false, false),
            ("skiunfall", "ki", false, false),
            ("fußballer siegt", "fußball", true, true),
            ("die börse fällt", "börse fällt", false, true),
            ("anything", "", true, false),
        ] {
            assert_eq!(
                has_word(text, word, is_beginning),
                found,
                "{word} in {text}"
            );
        }
    }
}
