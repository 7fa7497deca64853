//! What a publisher says about an item besides its news: that it costs money, that somebody paid for it.

use super::html::Html;
use super::parse::Entry;
use crate::model::Mark;

const PAID: &[&str] = &[
    "paid",
    "paywall",
    "premium",
    "plus",
    "abo",
    "heise+",
    "heise plus",
    "golem plus",
    "golem+",
    "s+",
    "z+",
    "f+",
    "g+",
    "sz plus",
    "faz+",
    "t+",
    "zeit plus",
    "zeit+",
    "sz+",
    "faz plus",
    "f.a.z. plus",
    "welt plus",
    "weltplus",
    "bild plus",
    "bildplus",
    "handelsblatt plus",
    "tagesspiegel plus",
    "abonnenten",
    "spiegel+",
    "spiegel plus",
    "subscriber",
    "subscribers only",
    "members only",
    "kostenpflichtig",
];
const SPONSORED: &[&str] = &[
    "sponsored",
    "sponsored post",
    "sponsored content",
    "advertorial",
    "anzeige",
    "advertisement",
    "partner content",
    "paid post",
];

/// What the publisher says about an entry, in its categories, its title or a field of its own.
pub(super) fn mark(entry: &Entry) -> Option<Mark> {
    let title = entry.title.as_ref().map(Html::text).unwrap_or_default();
    let access = entry.access.as_deref().map(str::to_lowercase);
    let categories = entry
        .categories
        .iter()
        .map(|category| category.trim().to_lowercase());
    let said: Vec<String> = categories.chain(access).collect();
    let labels: Vec<Label<'_>> = labels(title).collect();
    let says = |words: &[&str]| {
        let said = said.iter().any(|label| words.contains(&label.as_str()));
        said || labels.iter().any(|label| label.is_one_of(words))
    };
    if says(SPONSORED) {
        Some(Mark::Sponsored)
    } else if says(PAID) {
        Some(Mark::Paid)
    } else {
        None
    }
}

/// `title` without the labels that say what its mark says.
pub(super) fn unlabelled(title: &str) -> &str {
    let is_mark = |label: &Label<'_>| label.is_one_of(SPONSORED) || label.is_one_of(PAID);
    let label = labels(title).find(is_mark);
    label.map_or(title, |label| label.rest)
}

/// What stands at one end of a title, apart from it.
struct Label<'t> {
    says: String,
    /// The title without it.
    rest: &'t str,
}

impl Label<'_> {
    fn is_one_of(&self, words: &[&str]) -> bool {
        // “Abo: Netflix wird teurer” is about one.
        let topical = ["paid", "premium", "plus", "abo", "subscriber", "abonnenten"];
        !topical.contains(&self.says.as_str()) && words.contains(&self.says.as_str())
    }
}

/// The labels of `title`: what stands before its first sign of that kind, and behind its last one. A whole title is none.
fn labels(title: &str) -> impl Iterator<Item = Label<'_>> {
    const AFTER: [char; 5] = [':', '|', ']', ')', '–'];
    const BEFORE: [char; 5] = ['|', '[', '(', '–', '-'];
    let label = |says: &str, rest| Label {
        says: says.trim().to_lowercase(),
        rest,
    };
    let head = title.split_once(AFTER).map(|(says, rest)| {
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || AFTER.contains(&c));
        label(says.trim_start_matches(['[', '(']), rest)
    });
    // “Ein Titel | heise+”, “A title [Sponsored]”.
    let whole = title.trim_end_matches([']', ')']);
    let tail = whole.rsplit_once(BEFORE).map(|(rest, says)| {
        let rest = rest.trim_end_matches(|c: char| c.is_whitespace() || BEFORE.contains(&c));
        label(says, rest)
    });
    let labels = head.into_iter().chain(tail);
    labels.filter(|label| !label.rest.is_empty())
}
