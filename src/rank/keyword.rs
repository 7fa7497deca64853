//! Where keywords stand in items.
//!
//! Each distinct word of the batch is compared with the keywords once; an item is then a look-up per word.

use std::collections::{BTreeSet, HashMap, HashSet};

use aho_corasick::AhoCorasick;
use foldhash::fast::RandomState;

use super::language::Tongue;
use super::rarity::rarity;
use super::terms::{Batch, Document, LEAD, Lexicon, TermId, WordId, each_word, fold};
use crate::model::{Field, Item, Keyword, Topic};

/// What one hit is worth as evidence that an item belongs.
const TITLE_WORTH: f32 = 0.6;
const LEAD_WORTH: f32 = 0.3;

/// A keyword inside a longer word (`Sprachmodell` in `Großsprachmodelle`) is worth half: German writes compounds as one
/// word, but not every word that contains another is one.
const COMPOUND: f32 = 0.5;

/// Shorter keywords inside longer words are accidents: `KI` in `Kiosk`. One of just so many letters must be the first or last part
/// of a word, and the other part as long: `Datenbank`, but not `Autor`.
const COMPOUND_CHARS: usize = 4;

/// A keyword in an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// The place of the item.
    pub(super) item: usize,
    /// How often the keyword stands there; once in the lead counts [`LEAD`], inside a longer word half.
    pub(super) times: f32,
    /// What it is worth as evidence, from 0 to 1.
    pub(super) worth: f32,
    /// Whether it stands there as a word of its own.
    pub(super) whole: bool,
}

/// The hits of each keyword, in the order of the items. `items` are those of the batch.
pub(super) fn find(batch: &mut Batch, items: &[&Item], keywords: &[&Keyword]) -> Vec<Vec<Hit>> {
    let patterns = Patterns::of(batch, keywords);
    let mut hits = vec![Vec::new(); keywords.len()];
    let mut tallies = Tallies::default();
    for (place, document) in batch.documents.iter().enumerate() {
        patterns.tally(document, &mut tallies);
        for (keyword, [title, lead]) in tallies.drain() {
            let (title, lead) = match keywords[keyword].field {
                None => (title, lead),
                Some(Field::Title) => (title, Tally::default()),
                // Looked for elsewhere.
                Some(Field::Source | Field::Author | Field::Category) => continue,
            };
            let times = title.times + LEAD * lead.times;
            if times > 0.0 {
                hits[keyword].push(Hit {
                    item: place,
                    times,
                    worth: 1.0 - (1.0 - TITLE_WORTH * title.best) * (1.0 - LEAD_WORTH * lead.best),
                    whole: title.best.max(lead.best) >= 1.0,
                });
            }
        }
    }
    for (keyword, hits) in keywords.iter().zip(&mut hits) {
        let Some(field) = keyword.field.filter(|field| *field != Field::Title) else {
            continue;
        };
        let wanted = folded_words(&keyword.text);
        let has = |item: &Item| match field {
            Field::Title => false,
            Field::Source => contains(&item.source, &wanted),
            Field::Author => item
                .author
                .as_deref()
                .is_some_and(|author| contains(author, &wanted)),
            Field::Category => item
                .categories
                .iter()
                .any(|category| contains(category, &wanted)),
        };
        let found = items.iter().enumerate().filter(|(_, item)| has(item));
        hits.extend(found.map(|(place, _)| Hit {
            item: place,
            times: 1.0,
            worth: TITLE_WORTH,
            whole: true,
        }));
    }
    hits
}

/// The languages of the batch, in order: keywords become words of it in the same order each time.
fn tongues(batch: &Batch) -> Vec<Option<Tongue>> {
    let tongues: BTreeSet<Option<Tongue>> = batch
        .documents
        .iter()
        .map(|document| document.tongue)
        .collect();
    tongues.into_iter().collect()
}

/// The terms of the keywords of all topics, in the languages of the batch.
pub(super) fn terms(batch: &mut Batch, topics: &[Topic]) -> HashSet<TermId> {
    let tongues = tongues(batch);
    let mut terms = HashSet::new();
    for keyword in topics.iter().flat_map(|topic| &topic.keywords) {
        for tongue in &tongues {
            let words = batch.lexicon.read(&keyword.text, *tongue, usize::MAX);
            terms.extend(
                words
                    .iter()
                    .flat_map(|id| batch.lexicon.word(*id).terms.iter().copied()),
            );
        }
    }
    terms
}

/// Whether the rest of a compound is a word, which tells `Kündigungsschutz` from `Intel` in `Intelligenz`: nothing, an ending, a
/// word that the language or the batch has, with or without the letters that link parts, or a long one that is made of parts
/// itself.
fn is_part(rest: &str, tongue: Tongue, lexicon: &Lexicon) -> bool {
    const ENDING: usize = 2;
    const MADE_OF_PARTS: usize = 9;
    if rest.len() <= ENDING || rest.len() >= MADE_OF_PARTS {
        return true;
    }
    let unlinked = ["es", "en", "s", "n", "e"]
        .into_iter()
        .flat_map(|link| [rest.strip_prefix(link), rest.strip_suffix(link)]);
    let stemmer = tongue.stemmer();
    std::iter::once(Some(rest))
        .chain(unlinked)
        .flatten()
        .filter(|part| part.len() > ENDING)
        .any(|part| {
            let stem = stemmer.stem(part);
            rarity(&stem, tongue) < 1.0 || lexicon.find_term(&stem).is_some()
        })
}

fn folded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(text, usize::MAX, |word| words.push(fold(word)));
    words
}

fn contains(text: &str, wanted: &[String]) -> bool {
    folded_words(text)
        .windows(wanted.len().max(1))
        .any(|words| words == wanted)
}

/// How often a keyword stands in a text, and the best way in which it does: 1 for a word of its own.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    times: f32,
    best: f32,
}

/// How often each keyword stands in the title and in the lead of an item.
type Tallies = HashMap<usize, [Tally; 2], RandomState>;

/// Which words of the batch are words of which keywords.
struct Patterns {
    /// For each word, the keywords that begin with it or consist of it; empty for most.
    starts: Vec<Vec<Start>>,
    /// The words that each keyword's second, third, … word can be.
    following: Vec<Vec<HashSet<WordId>>>,
}

#[derive(Debug, Clone, Copy)]
struct Start {
    keyword: usize,
    /// What the hit counts: less when the keyword is only inside the word.
    times: f32,
}

impl Patterns {
    fn of(batch: &mut Batch, keywords: &[&Keyword]) -> Self {
        let tongues = tongues(batch);
        // The words of the keywords, in each language of the batch: they become words of it first.
        let mut read: Vec<Vec<Box<[WordId]>>> = Vec::with_capacity(keywords.len());
        for keyword in keywords {
            let in_each = tongues
                .iter()
                .map(|tongue| batch.lexicon.read(&keyword.text, *tongue, usize::MAX));
            read.push(in_each.collect());
        }
        let lexicon = &batch.lexicon;
        // The words of the batch that a keyword's words stand for: those of the same stem in a language, or of the same spelling.
        let asked = || {
            read.iter()
                .flatten()
                .flat_map(|words| words.iter())
                .map(|id| lexicon.word(*id))
        };
        let mut by_terms: HashMap<(Option<Tongue>, &[TermId]), Vec<WordId>> = asked()
            .map(|word| ((word.tongue, &*word.terms), Vec::new()))
            .collect();
        let mut by_spelling: HashMap<&str, Vec<WordId>> =
            asked().map(|word| (&*word.folded, Vec::new())).collect();
        let firsts: HashSet<Option<&TermId>> = asked().map(|word| word.terms.first()).collect();
        for (id, word) in lexicon.words() {
            if firsts.contains(&word.terms.first())
                && let Some(same) = by_terms.get_mut(&(word.tongue, &*word.terms))
            {
                same.push(id);
            }
            if let Some(same) = by_spelling.get_mut(&*word.folded) {
                same.push(id);
            }
        }
        let mut starts: Vec<Vec<Start>> = vec![Vec::new(); lexicon.word_count()];
        let mut following = Vec::with_capacity(keywords.len());
        let mut compounds: Vec<(&str, usize, Tongue)> = Vec::new();
        for (place, (keyword, in_each)) in keywords.iter().zip(&read).enumerate() {
            let length = in_each.first().map_or(0, |words| words.len());
            let mut parts: Vec<HashSet<WordId>> = vec![HashSet::new(); length];
            for (tongue, words) in tongues.iter().zip(in_each) {
                for (part, id) in parts.iter_mut().zip(words) {
                    let word = lexicon.word(*id);
                    part.extend(&by_spelling[&*word.folded]);
                    if !keyword.exact {
                        part.extend(&by_terms[&(*tongue, &*word.terms)]);
                    }
                }
                if let ([id], false, Some(tongue)) = (&**words, keyword.exact, tongue)
                    && tongue.writes_compounds()
                {
                    let word = lexicon.word(*id);
                    // The stemmer takes umlauts off; as it is written, the word has them written out.
                    let spellings = [lexicon.term(word.terms[0]), &*word.folded];
                    for (which, part) in spellings.into_iter().enumerate() {
                        if part.chars().count() >= COMPOUND_CHARS
                            && (which == 0 || part != spellings[0])
                        {
                            compounds.push((part, place, *tongue));
                        }
                    }
                }
            }
            if length > 0 {
                let first = parts.remove(0);
                for id in first {
                    starts[id.index()].push(Start {
                        keyword: place,
                        times: 1.0,
                    });
                }
            }
            following.push(parts);
        }
        if !compounds.is_empty() {
            let stems = AhoCorasick::new(compounds.iter().map(|(stem, ..)| stem));
            let stems = stems.expect("the stems of a configuration fit into memory");
            for (id, word) in lexicon.words() {
                for found in stems.find_overlapping_iter(&*word.folded) {
                    let (_, keyword, tongue) = compounds[found.pattern().as_usize()];
                    let (before, after) =
                        (&word.folded[..found.start()], &word.folded[found.end()..]);
                    let long = found.len() > COMPOUND_CHARS
                        || (before.is_empty() && after.len() >= COMPOUND_CHARS)
                        || (after.is_empty() && before.len() >= COMPOUND_CHARS);
                    let known = &mut starts[id.index()];
                    if word.tongue == Some(tongue)
                        && long
                        && known.iter().all(|start| start.keyword != keyword)
                        && is_part(before, tongue, lexicon)
                        && is_part(after, tongue, lexicon)
                    {
                        known.push(Start {
                            keyword,
                            times: COMPOUND,
                        });
                    }
                }
            }
        }
        Self { starts, following }
    }

    fn tally(&self, document: &Document, tallies: &mut Tallies) {
        for (part, words) in [&document.title, &document.lead].into_iter().enumerate() {
            for (at, id) in words.iter().enumerate() {
                for start in &self.starts[id.index()] {
                    let rest = &self.following[start.keyword];
                    let follows = words[at + 1..].len() >= rest.len()
                        && words[at + 1..]
                            .iter()
                            .zip(rest)
                            .all(|(id, allowed)| allowed.contains(id));
                    if follows {
                        let tally = &mut tallies.entry(start.keyword).or_default()[part];
                        tally.times += start.times;
                        tally.best = tally.best.max(start.times);
                    }
                }
            }
        }
    }
}
