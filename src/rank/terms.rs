//! Text as comparable words: Unicode-normalised, lower case, stemmed in the item's language.
//!
//! A batch of items shares one [`Lexicon`]: each distinct word is stemmed and looked up once, however many texts have
//! it, and everything after that compares numbers.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use frostem::Stemmer;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

use super::language::{Detection, Tongue};
use super::rarity::{GROUP, rarity};
use crate::model::Item;

/// How many words of a title and of a summary take part; beyond the lead, words say less about the event.
const TITLE_WORDS: usize = 40;
const LEAD_WORDS: usize = 100;

/// Longer words are no words, and stemming one of a megabyte takes its time.
const WORD_BYTES: usize = 64;

/// How many letters a group has, where a language has no stemmer.
const GROUP_CHARS: usize = 4;

/// What a word of the lead weighs when one of the title weighs 1.
pub(super) const LEAD: f32 = 0.6;

/// The place of a word, as it is written, in the [`Lexicon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WordId(u32);

/// The place of a term, what the forms of a word have in common, in the [`Lexicon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TermId(u32);

impl WordId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

impl TermId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A distinct word of a language.
#[derive(Debug)]
pub(super) struct Word {
    /// Lower case, umlauts written out.
    pub(super) folded: Arc<str>,
    /// Its stem, or its groups of letters.
    pub(super) terms: Box<[TermId]>,
    /// How rare it is in its language, from 0 to 1.
    pub(super) rarity: f32,
    pub(super) tongue: Option<Tongue>,
}

/// All distinct words of a batch.
#[derive(Default)]
pub(super) struct Lexicon {
    words: Vec<Word>,
    /// The words of each language by how they are written; the last is of those without one.
    places: [HashMap<Arc<str>, WordId, RandomState>; Tongue::ALL.len() + 1],
    terms: Vec<Arc<str>>,
    term_places: HashMap<Arc<str>, TermId, RandomState>,
    stemmers: [Option<Stemmer>; Tongue::ALL.len()],
}

impl Lexicon {
    pub(super) fn word(&self, id: WordId) -> &Word {
        &self.words[id.index()]
    }

    /// All words, in the order of their ids.
    pub(super) fn words(&self) -> impl Iterator<Item = (WordId, &Word)> {
        let ids = (0_u32..).map(WordId);
        self.words.iter().zip(ids).map(|(word, id)| (id, word))
    }

    pub(super) fn word_count(&self) -> usize {
        self.words.len()
    }

    pub(super) fn term_count(&self) -> usize {
        self.terms.len()
    }

    pub(super) fn term(&self, id: TermId) -> &str {
        &self.terms[id.index()]
    }

    /// All terms, in the order of their ids.
    pub(super) fn terms(&self) -> impl Iterator<Item = (TermId, &str)> {
        let ids = (0_u32..).map(TermId);
        ids.zip(self.terms.iter().map(AsRef::as_ref))
    }

    pub(super) fn find_term(&self, term: &str) -> Option<TermId> {
        self.term_places.get(term).copied()
    }

    /// The first `max` words of `text`, in order.
    pub(super) fn read(&mut self, text: &str, tongue: Option<Tongue>, max: usize) -> Box<[WordId]> {
        let mut ids = Vec::new();
        each_word(text, max, |word| ids.push(self.learn(word, tongue)));
        ids.into()
    }

    fn learn(&mut self, written: &str, tongue: Option<Tongue>) -> WordId {
        let place = tongue.map_or(Tongue::ALL.len(), |tongue| tongue as usize);
        if let Some(id) = self.places[place].get(written) {
            return *id;
        }
        let (terms, rarity) = match tongue {
            Some(tongue) => {
                let stemmer = self.stemmers[place].get_or_insert_with(|| tongue.stemmer());
                let stem = fold(&stemmer.stem(written));
                let rarity = rarity(&stem, tongue);
                (Box::from([self.intern(&stem)]), rarity)
            }
            None => {
                let groups = groups(&fold(written), GROUP_CHARS);
                (
                    groups
                        .into_iter()
                        .map(|group| self.intern(&group))
                        .collect(),
                    GROUP,
                )
            }
        };
        let id = WordId(
            u32::try_from(self.words.len()).expect("a batch has fewer than four billion words"),
        );
        let key: Arc<str> = written.into();
        self.words.push(Word {
            folded: if written.is_ascii() {
                Arc::clone(&key)
            } else {
                fold(written).into()
            },
            terms,
            rarity,
            tongue,
        });
        self.places[place].insert(key, id);
        id
    }

    fn intern(&mut self, term: &str) -> TermId {
        if let Some(id) = self.term_places.get(term) {
            return *id;
        }
        let id = TermId(
            u32::try_from(self.terms.len()).expect("a batch has fewer than four billion terms"),
        );
        let term: Arc<str> = term.into();
        self.terms.push(Arc::clone(&term));
        self.term_places.insert(term, id);
        id
    }
}

/// An item's text as words.
#[derive(Debug)]
pub(super) struct Document {
    /// The language that the words were stemmed in.
    pub(super) tongue: Option<Tongue>,
    /// The words of the title, in order.
    pub(super) title: Box<[WordId]>,
    /// The words of the summary's beginning, in order.
    pub(super) lead: Box<[WordId]>,
}

impl Document {
    fn read(item: &Item, lexicon: &mut Lexicon, detection: &Detection) -> Self {
        let tongue = match item.language.as_deref() {
            Some(tag) => Tongue::from_tag(tag),
            None => detection.tongue(&item.title, &item.summary),
        };
        Self {
            tongue,
            title: lexicon.read(&item.title, tongue, TITLE_WORDS),
            lead: lexicon.read(&item.summary, tongue, LEAD_WORDS),
        }
    }

    /// The weight of each term, in the order of their ids: how rare it is, and more in the title than in the lead.
    pub(super) fn weights(&self, lexicon: &Lexicon) -> Vec<(TermId, f32)> {
        let mut weights = self.terms(lexicon, |rarity, place| rarity * place);
        weights.retain(|(_, weight)| *weight > 0.0);
        weights.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        weights.dedup_by_key(|(term, _)| *term);
        weights
    }

    /// How often each term occurs, in the order of their ids; an occurrence in the lead counts [`LEAD`].
    pub(super) fn occurrences(&self, lexicon: &Lexicon) -> Vec<(TermId, f32)> {
        let mut occurrences = self.terms(lexicon, |_, place| place);
        occurrences.sort_unstable_by_key(|(term, _)| *term);
        sum_neighbours(&mut occurrences);
        occurrences
    }

    /// Each term as often as it occurs, with a number made of its rarity and what its place counts.
    fn terms(&self, lexicon: &Lexicon, number: impl Fn(f32, f32) -> f32) -> Vec<(TermId, f32)> {
        let mut terms = Vec::with_capacity(self.title.len() + self.lead.len());
        for (words, place) in [(&self.title, 1.0), (&self.lead, LEAD)] {
            for id in words {
                let word = lexicon.word(*id);
                let number = number(word.rarity, place);
                terms.extend(word.terms.iter().map(|term| (*term, number)));
            }
        }
        terms
    }
}

/// Makes one of neighbours with the same term, and adds their numbers up.
pub(super) fn sum_neighbours(terms: &mut Vec<(TermId, f32)>) {
    terms.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            first.1 += next.1;
        }
        same
    });
}

/// Items as documents over one lexicon.
pub(super) struct Batch {
    pub(super) documents: Vec<Document>,
    pub(super) lexicon: Lexicon,
}

impl Batch {
    /// Reads `items`. `expected` are the languages of those whose feeds do not tell.
    pub(super) fn read<'a>(items: impl Iterator<Item = &'a Item>, expected: &[Tongue]) -> Self {
        let mut lexicon = Lexicon::default();
        let detection = Detection::among(expected);
        let documents = items
            .map(|item| Document::read(item, &mut lexicon, &detection))
            .collect();
        Self { documents, lexicon }
    }
}

/// The terms of `text` in the language of `tag`, in order: what two texts must share to be alike.
pub fn terms(text: &str, tag: &str) -> Vec<String> {
    let mut lexicon = Lexicon::default();
    let words = lexicon.read(text, Tongue::from_tag(tag), usize::MAX);
    let ids = words.iter().flat_map(|id| &lexicon.word(*id).terms);
    ids.map(|id| lexicon.term(*id).to_owned()).collect()
}

/// How many words of a search count.
const SEARCH_WORDS: usize = 8;

/// The terms of `text` as an index of the archive has them: each once, of letters and digits only. Where its language is unknown, or one that
/// has no stems, they are those of each of `languages`.
pub fn index_terms(text: &str, tag: Option<&str>, languages: &[Tongue]) -> Vec<String> {
    let known = tag.and_then(Tongue::from_tag);
    let languages = known.as_ref().map_or(languages, std::slice::from_ref);
    let terms = languages
        .iter()
        .flat_map(|language| terms(text, language.tag()));
    let mut terms: Vec<String> = terms.map(|term| plain(&term)).collect();
    terms.sort_unstable();
    terms.dedup();
    terms.retain(|term| !term.is_empty());
    terms
}

/// The words of a search, each as what the index may have it as: its terms in each of `languages`.
pub fn search_terms(text: &str, languages: &[Tongue]) -> Vec<Vec<String>> {
    let mut words = Vec::new();
    each_word(text, SEARCH_WORDS, |word| {
        words.push(index_terms(word, None, languages));
    });
    words.retain(|forms| !forms.is_empty());
    words
}

/// Terms as an index of the archive has them.
pub fn plain_terms(terms: Vec<&str>) -> Vec<String> {
    let plain = terms.into_iter().map(plain);
    plain.filter(|term| !term.is_empty()).collect()
}

/// Without the signs that databases take for something else.
fn plain(term: &str) -> String {
    let spelled = term.replace('+', "plus").replace('#', "sharp");
    spelled.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Calls `found` with the first `max` words of `text` in lower case: runs of letters and digits, without the `’s` of a
/// possessive; in scripts that do not separate words, each two letters that follow one another.
pub(super) fn each_word(text: &str, max: usize, mut found: impl FnMut(&str)) {
    // Of a text of megabytes, the beginning is enough: only white space or words that are none would keep it from having `max`
    // words.
    let limit = max.saturating_mul(WORD_BYTES * 4).min(text.len());
    let text = &text[..text.floor_char_boundary(limit)];
    let normal = match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => text.to_lowercase(),
        _ => text.nfkc().collect::<String>().to_lowercase(),
    };
    let mut words = 0;
    let mut rest = normal.as_str();
    while words < max {
        let Some(start) = rest.find(char::is_alphanumeric) else {
            return;
        };
        let possessive = words > 0 && matches!(&rest[..start], "'" | "’");
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && !is_mark(c))
            .unwrap_or(rest.len());
        // The names of programming languages.
        let end = match (&rest[..end], &rest[end..]) {
            ("c", after) if after.starts_with("++") => end + 2,
            ("c" | "f", after) if after.starts_with('#') => end + 1,
            _ => end,
        };
        if let Some((letters, after)) = acronym(rest) {
            found(&letters);
            words += 1;
            rest = after;
            continue;
        }
        let word;
        (word, rest) = rest.split_at(end);
        if word == "s" && possessive {
            continue;
        }
        if word.starts_with(is_unspaced) {
            let letters: Vec<(usize, char)> = word.char_indices().collect();
            for pair in letters.windows(2.min(letters.len())) {
                let last = pair[pair.len() - 1];
                found(&word[pair[0].0..last.0 + last.1.len_utf8()]);
                words += 1;
                if words == max {
                    return;
                }
            }
            continue;
        }
        found(&word[..word.floor_char_boundary(WORD_BYTES)]);
        words += 1;
    }
}

/// The letters of an acronym with full stops at the beginning of `text` (“U.S.”, “z.B.”), and the text after it.
fn acronym(text: &str) -> Option<(String, &str)> {
    let mut letters = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next().filter(|c| c.is_alphabetic())
        && let Some(after) = rest[letter.len_utf8()..].strip_prefix('.')
    {
        letters.push(letter);
        rest = after;
    }
    let last = rest.chars().next().filter(|c| c.is_alphanumeric());
    // “u.s.a” without the last full stop.
    if let Some(letter) = last.filter(|_| !letters.is_empty()) {
        let after = &rest[letter.len_utf8()..];
        if after.starts_with(char::is_alphanumeric) {
            return None;
        }
        letters.push(letter);
        rest = after;
    }
    (letters.chars().count() > 1).then_some((letters, rest))
}

/// Whether `c` belongs to the letter before it: the vowel signs of Hindi or Thai.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{e31}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}')
}

/// Whether `c` is of a script that puts no spaces between words: Thai, Lao, Myanmar, Khmer, Chinese, Japanese.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

/// The groups of `size` letters in `word`; the word itself when it is not longer.
fn groups(word: &str, size: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() <= size {
        return vec![word.to_owned()];
    }
    letters
        .windows(size)
        .map(|group| group.iter().collect())
        .collect()
}

/// Writes umlauts and ß out and takes off other accents that people leave away, so that `Kündigung` and `Kuendigung`
/// are one word.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut folded = String::with_capacity(word.len() + 2);
    for c in word.chars() {
        match c {
            'ä' | 'æ' => folded.push_str("ae"),
            'ö' | 'ø' | 'œ' => folded.push_str("oe"),
            'ü' => folded.push_str("ue"),
            'ß' => folded.push_str("ss"),
            'å' => folded.push_str("aa"),
            'à' | 'á' | 'â' | 'ã' | 'ą' => folded.push('a'),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ę' => folded.push('e'),
            'ì' | 'í' | 'î' | 'ï' => folded.push('i'),
            'ł' => folded.push('l'),
            'ñ' | 'ń' => folded.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' => folded.push('o'),
            'ś' | 'š' => folded.push('s'),
            'ù' | 'ú' | 'û' => folded.push('u'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            c => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_a_word_in_any_of_its_forms_and_languages() {
        let languages = [Tongue::De, Tongue::En];
        let index = index_terms("Neue Sprachmodelle für C++ und C#", Some("de"), &languages);
        let finds = |query: &str| {
            let words = search_terms(query, &languages);
            let has = |forms: &Vec<String>| forms.iter().any(|form| index.contains(form));
            !words.is_empty() && words.iter().all(has)
        };
        for query in [
            "Sprachmodell",
            "sprachmodells",
            "neues sprachmodell",
            "C++",
            "c#",
            "FÜR",
        ] {
            assert!(finds(query), "{query}: {index:?}");
        }
        for query in ["Sprache", "Modell", "C", "", "\" OR *"] {
            assert!(!finds(query), "{query}: {index:?}");
        }
        let unknown = index_terms("language models", None, &languages);
        assert!(unknown.contains(&"model".to_owned()), "{unknown:?}");
    }

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, usize::MAX, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn umlauts_forms_and_spellings_fall_together() {
        let term = |text: &str| terms(text, "de");
        assert_eq!(term("Kündigung"), term("Kuendigungen"));
        assert_eq!(term("Sprachmodell"), term("SPRACHMODELLE"));
        assert_eq!(term("Straße"), term("Strasse"));
        assert_eq!(terms("école", "fr"), terms("ECOLE", "fr"));
        // The same letters as one character and as two.
        assert_eq!(term("Ku\u{308}ndigung"), term("Kündigung"));
    }

    #[test]
    fn a_word_is_a_run_of_letters_and_digits() {
        assert_eq!(words("KI-Verordnung (EU)"), ["ki", "verordnung", "eu"]);
        assert_eq!(
            words("Fed’s plan, it's done"),
            ["fed", "plan", "it", "done"]
        );
        assert_eq!(
            words("U.S. z.B. U.S.A, e.on a.b"),
            ["us", "zb", "usa", "e", "on", "ab"]
        );
        assert_eq!(words("s'il vous plaît"), ["s", "il", "vous", "plaît"]);
        assert_eq!(words("C++ und C#, A#"), ["c++", "und", "c#", "a"]);
        assert_eq!(words("人工智能"), ["人工", "工智", "智能"]);
        assert!(words("… – 🎉").is_empty());
    }

    #[test]
    fn a_language_without_a_stemmer_is_compared_by_groups_of_letters() {
        assert_eq!(
            terms("počítače", "cs"),
            ["poci", "ocit", "cita", "itac", "tace"]
        );
    }

    #[test]
    fn a_text_of_megabytes_costs_no_more_than_its_beginning() {
        let mut lexicon = Lexicon::default();
        let endless = "x".repeat(10_000_000);
        assert_eq!(lexicon.read(&endless, Some(Tongue::En), 40).len(), 1);
        let many = "wort ".repeat(2_000_000);
        assert_eq!(lexicon.read(&many, Some(Tongue::De), 40).len(), 40);
    }
}
