//! Which items report the same event.
//!
//! The two most similar stories become one, as long as their reports are similar *on average*. Average rather than best
//! similarity is what keeps a chain "A is like B, B is like C" from merging unrelated events; a false merge claims
//! corroboration that does not exist.
//!
//! Two things must hold for a pair of reports. They must be alike for texts of their length: two headlines that share a
//! fifth of their words are about one event, two long texts are not. And what they share must be no accident: the rarer the
//! words, the less, and the more pairs there are, the more is needed. Once earlier days have told what is usual, a word that a pair
//! of items would share by chance is not enough even in a small batch.
//!
//! Reports in different languages share names, numbers and loan words only, so these are looked at one by one.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::terms::{Batch, TermId};
use super::texts::Texts;

/// From which cosine on two reports are alike, by the number of their terms: `AT_HEADLINES` for two headlines of eight
/// terms, and more by `SLOPE` for each time that texts are e times longer.
const AT_HEADLINES: f32 = 0.075;
const HEADLINE_TERMS: f32 = 8.0;
const SLOPE: f32 = 0.14;
const LEAST: f32 = 0.07;
const MOST: f32 = 0.25;

/// Of texts with more terms than a headline has, so many that are not common words must be shared: one name alone, however rare, is
/// in the reports of all that a firm does.
const WITH_LEAD: f32 = 14.0;
const SHARED_WITH_LEAD: usize = 4;
const TELLING: f32 = 0.45;

/// The same for reports in different languages, which share names, numbers and little else. So many of what they share must be
/// rare, and one of it must stand in both headlines, or one more must be very rare: a text in another language that names the
/// same firms or countries is no report of the same event.
const ACROSS_LANGUAGES: f32 = 0.10;
const SHARED_ACROSS_LANGUAGES: usize = 3;

/// A term is rare when one in fifty-five documents has it, and very rare when not more than eight have it.
const RARE: f32 = 4.0;
const VERY_RARE: f32 = 8.0;

/// In batches of up to so many items one shared word may do; beyond, the evidence that a pair must have grows by `CAUTION`
/// for each time that the batch is e times larger.
const SMALL_BATCH: f32 = 80.0;
const CAUTION: f32 = 3.0;

/// What a topic looks for is never enough alone.
const LEAST_EVIDENCE: f32 = 1.0;

/// How many of a document's terms, the rarest, lead to others that it is compared with.
const LEADING_TERMS: usize = 16;

/// These are the rarest, so they hold at least so much of the evidence that a pair must have.
const MOST_OF_IT: f32 = 0.75;

/// How many other documents, the latest, each of these terms leads to: what a thousand items have in common tells none of
/// them apart, and all pairs would be a million.
const HOLDERS: usize = 64;

/// Groups the documents that `places` names (earliest first) into stories; each is a list of places, in order.
///
/// `caution` says of two documents how many times more alike than others they must be.
pub(super) fn cluster(
    texts: &Texts,
    batch: &Batch,
    places: &[usize],
    caution: impl Fn(usize, usize) -> f32,
) -> Vec<Vec<usize>> {
    let pairs = pairs(texts, batch, places, caution);
    let mut stories = Agglomeration::of(places.len(), &pairs);
    stories.merge();
    let groups = stories.members.into_iter().flatten();
    groups
        .map(|group| group.into_iter().map(|member| places[member]).collect())
        .collect()
}

/// Two members of `places` with how similar they are, in units of the similarity from which on they are alike.
type Edge = (usize, usize, f32);

fn pairs(
    texts: &Texts,
    batch: &Batch,
    places: &[usize],
    caution: impl Fn(usize, usize) -> f32,
) -> Vec<Edge> {
    let mut needed = (CAUTION * (places.len() as f32 / SMALL_BATCH).ln()).max(LEAST_EVIDENCE);
    if texts.experienced {
        needed = needed.max((places.len() as f32).ln());
    }
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); batch.lexicon.term_count()];
    let mut evidence = vec![0.0_f32; places.len()];
    let mut edges = Vec::new();
    let mut touched: Vec<u32> = Vec::new();
    for (index, &place) in places.iter().enumerate() {
        let leading = leading_terms(texts, place);
        for term in &leading {
            let term_evidence = texts.evidence(*term);
            for &other in holders[term.index()].iter().rev().take(HOLDERS) {
                let sum = &mut evidence[other as usize];
                if *sum == 0.0 {
                    touched.push(other);
                }
                *sum += term_evidence.max(f32::MIN_POSITIVE);
            }
        }
        touched.sort_unstable();
        for other in touched.drain(..) {
            let other = other as usize;
            let likely = std::mem::take(&mut evidence[other]) >= MOST_OF_IT * needed;
            if likely
                && let Some(similarity) = similarity(texts, batch, needed, place, places[other])
            {
                edges.push((other, index, similarity / caution(place, places[other])));
            }
        }
        for term in leading {
            holders[term.index()]
                .push(u32::try_from(index).expect("a batch has fewer than four billion items"));
        }
    }
    edges
}

/// The rarest terms of a document among those that others have too.
fn leading_terms(texts: &Texts, place: usize) -> Vec<TermId> {
    let mut terms: Vec<(u32, TermId)> = texts
        .vectors
        .row(place)
        .iter()
        .map(|(term, _)| (texts.frequency(*term), *term))
        .filter(|(frequency, _)| *frequency > 1)
        .collect();
    terms.sort_unstable();
    terms.truncate(LEADING_TERMS);
    terms.into_iter().map(|(_, term)| term).collect()
}

/// How similar two documents are, in units of the similarity from which on they are alike; `None` when what they share
/// can be an accident.
fn similarity(texts: &Texts, batch: &Batch, needed: f32, a: usize, b: usize) -> Option<f32> {
    let (mut cosine, mut evidence) = (0.0, 0.0);
    for (term, one, other) in texts.shared(a, b) {
        cosine += one * other;
        evidence += texts.evidence(term);
    }
    if evidence < needed {
        return None;
    }
    if batch.documents[a].tongue == batch.documents[b].tongue {
        let terms = (texts.vectors.row(a).len() as f32 * texts.vectors.row(b).len() as f32).sqrt();
        let telling = texts
            .shared(a, b)
            .filter(|(term, ..)| texts.rarity(*term) >= TELLING)
            .count();
        if terms >= WITH_LEAD && telling < SHARED_WITH_LEAD {
            return None;
        }
        let longer = (terms.max(1.0) / HEADLINE_TERMS).ln();
        let alike = (AT_HEADLINES + SLOPE * longer).clamp(LEAST, MOST);
        return Some(cosine / alike);
    }
    let very_rare = (texts.documents / VERY_RARE).ln();
    let least = RARE.min(very_rare);
    let evidence = || {
        texts
            .shared(a, b)
            .map(|(term, ..)| (term, texts.evidence(term)))
    };
    let rare: Vec<TermId> = evidence()
        .filter(|(_, evidence)| *evidence >= least)
        .map(|(term, _)| term)
        .collect();
    let in_title = |place: usize, term: &TermId| {
        let mut words = batch.documents[place].title.iter();
        words.any(|id| batch.lexicon.word(*id).terms.contains(term))
    };
    let named = rare
        .iter()
        .any(|term| in_title(a, term) && in_title(b, term));
    let very = evidence()
        .filter(|(_, evidence)| *evidence >= very_rare)
        .count();
    let same = (named && rare.len() >= SHARED_ACROSS_LANGUAGES) || very > SHARED_ACROSS_LANGUAGES;
    same.then_some(cosine / ACROSS_LANGUAGES)
}

/// Average-link agglomeration over the pairs that have anything in common: the two most similar stories become one,
/// until none are similar enough.
struct Agglomeration {
    /// The documents of each story, in order; `None` when it has gone into another.
    members: Vec<Option<Vec<usize>>>,
    /// For each story and each other one, the sum of the similarities of their documents.
    sums: Vec<BTreeMap<usize, f64>>,
}

impl Agglomeration {
    fn of(documents: usize, pairs: &[Edge]) -> Self {
        let mut sums = vec![BTreeMap::new(); documents];
        for (a, b, similarity) in pairs {
            sums[*a].insert(*b, f64::from(*similarity));
            sums[*b].insert(*a, f64::from(*similarity));
        }
        Self {
            members: (0..documents).map(|index| Some(vec![index])).collect(),
            sums,
        }
    }

    fn size(&self, story: usize) -> usize {
        self.members[story].as_ref().map_or(0, Vec::len)
    }

    /// The pair of two stories as it stands now; `None` when they are not similar enough to be merged.
    fn pair(&self, a: usize, b: usize) -> Option<Pair> {
        let sum = self.sums[a].get(&b)?;
        let average = sum / (self.size(a) * self.size(b)) as f64;
        (average >= 1.0).then_some(Pair {
            average,
            stories: Reverse((a.min(b), a.max(b))),
            sizes: self.size(a) + self.size(b),
        })
    }

    fn merge(&mut self) {
        let all = self
            .sums
            .iter()
            .enumerate()
            .flat_map(|(a, others)| others.range(a..).map(move |(b, _)| (a, *b)));
        let mut heap: BinaryHeap<Pair> = all.filter_map(|(a, b)| self.pair(a, b)).collect();
        while let Some(best) = heap.pop() {
            let Reverse((a, b)) = best.stories;
            // A story that has grown since has other averages; its new pairs are in the heap as well.
            if self.size(a) == 0 || self.size(b) == 0 || self.size(a) + self.size(b) != best.sizes {
                continue;
            }
            let joined = self.members[b].take().unwrap_or_default();
            let members = self.members[a].get_or_insert_default();
            members.extend(joined);
            members.sort_unstable();
            self.sums[a].remove(&b);
            for (other, sum) in std::mem::take(&mut self.sums[b]) {
                self.sums[other].remove(&b);
                if other != a {
                    *self.sums[a].entry(other).or_default() += sum;
                    *self.sums[other].entry(a).or_default() += sum;
                }
            }
            heap.extend(self.sums[a].keys().filter_map(|other| self.pair(a, *other)));
        }
    }
}

/// Two stories that could become one. The most similar comes first; among equals, the earliest.
#[derive(Debug, PartialEq)]
struct Pair {
    average: f64,
    stories: Reverse<(usize, usize)>,
    sizes: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.average
            .total_cmp(&other.average)
            .then(self.stories.cmp(&other.stories))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Item, Vocabulary};
    use crate::rank::fixtures::item;

    fn stories(items: &[Item]) -> Vec<Vec<usize>> {
        crate::rank::stories(items, &Vocabulary::default(), &[])
    }

    fn report(title: &str, summary: &str, language: &str) -> Item {
        Item {
            summary: summary.into(),
            ..from_its_own_outlet(title, language)
        }
    }

    fn from_its_own_outlet(title: &str, language: &str) -> Item {
        Item {
            source: title.into(),
            ..item(title, language)
        }
    }

    #[test]
    fn two_texts_of_one_outlet_are_two_stories_unless_they_say_the_same() {
        let titles = [
            "Phishing-Welle: Falsche Mails der Nordbank im Umlauf",
            "Phishing: Falsche Paketscheine der Eilpost",
        ];
        assert_eq!(stories(&titles.map(|title| item(title, "de"))).len(), 2);
    }

    #[test]
    fn reports_of_one_event_fold_and_others_stay_apart() {
        let titles = [
            "Nordlicht stellt Sprachmodell Polaris vor",
            "Bundestag beschließt Gesetz zu Rechenzentren",
            "Polaris: Nordlicht veröffentlicht neues Sprachmodell",
            "Rechenzentren: Bundestag stimmt für neues Gesetz",
            "Wie man Pilze sammelt",
        ];
        let mut stories = stories(&titles.map(|title| from_its_own_outlet(title, "de")));
        stories.iter_mut().for_each(|story| story.sort_unstable());
        stories.sort_unstable();
        assert_eq!(stories, [vec![0, 2], vec![1, 3], vec![4]]);
    }

    #[test]
    fn names_and_numbers_carry_a_story_across_languages() {
        let items = [
            report(
                "Lücke in Kestrel-Routern",
                "Betroffen ist die Fernwartung (CVE-2026-41873).",
                "de",
            ),
            report(
                "Kestrel fixes router flaw",
                "The remote service has a hole, CVE-2026-41873.",
                "en",
            ),
            report("Neuer Router von Kestrel", "Er kostet 89 Euro.", "de"),
            report("Parliament votes on budget", "The vote was close.", "en"),
        ];
        let together = |a: usize, b: usize| {
            stories(&items)
                .iter()
                .any(|story| story.contains(&a) && story.contains(&b))
        };
        assert!(together(0, 1));
        assert!(!together(2, 3) && !together(1, 3));
    }

    #[test]
    fn the_subject_of_the_newsletter_makes_no_story() {
        // Each has the words of the trade and four of its own.
        let items: Vec<Item> = (0..60)
            .map(|number| {
                let own = format!("Projekt{number} Firma{number} Stadt{number} Person{number}");
                report(
                    &format!("KI-Sprachmodell für {own}"),
                    &format!(
                        "Das Sprachmodell mit künstlicher Intelligenz hilft {own} bei der Arbeit."
                    ),
                    "de",
                )
            })
            .collect();
        assert_eq!(stories(&items).len(), 60);
    }

    #[test]
    fn one_common_word_is_no_story_in_a_large_batch() {
        let titles = (0..400).map(|number| {
            let shared = ["Apfel", "Birne", "Kirsche", "Pflaume"][number % 4];
            item(
                &format!("{shared} Neues{number} Wort{number} Ding{number}"),
                "de",
            )
        });
        assert_eq!(stories(&titles.collect::<Vec<_>>()).len(), 400);
    }

    #[test]
    fn a_text_without_words_is_a_story_of_its_own() {
        assert_eq!(
            stories(&["", "…", "🎉"].map(|title| item(title, "de"))).len(),
            3
        );
    }
}
