//! What a publisher says about an item besides its news: that it costs money, that somebody paid for it.

use super::html::Html;
use super::parse::Entry;
use crate::model::Mark;

/// What the publisher says about an entry, in its categories, its title or a field of its own.
pub(super) fn mark(entry: &Entry) -> Option<Mark> {
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
    let title = entry.title.as_ref().map(Html::text).unwrap_or_default();
    let head = title
        .split([':', '|', ']', ')', '–'])
        .next()
        .unwrap_or_default();
    // A whole title is no label.
    let label = (head.len() < title.len())
        .then(|| head.trim_start_matches(['[', '(']).trim().to_lowercase());
    // “Ein Titel | heise+”, “A title [Sponsored]”.
    let tail = title
        .trim_end_matches([']', ')'])
        .rsplit(['|', '[', '(', '–', '-'])
        .next()
        .unwrap_or_default();
    let tail = (tail.len() < title.len()).then(|| tail.trim().to_lowercase());
    let access = entry.access.as_deref().map(str::to_lowercase);
    let categories = entry
        .categories
        .iter()
        .map(|category| category.trim().to_lowercase());
    let said: Vec<String> = categories.chain(access).collect();
    let labels: Vec<String> = label.into_iter().chain(tail).collect();
    // “Abo: Netflix wird teurer” is about one.
    let topical = |label: &str| {
        ["paid", "premium", "plus", "abo", "subscriber", "abonnenten"].contains(&label)
    };
    let says = |words: &[&str]| {
        let said = said.iter().any(|label| words.contains(&label.as_str()));
        let labelled = |label: &String| !topical(label) && words.contains(&label.as_str());
        said || labels.iter().any(labelled)
    };
    if says(SPONSORED) {
        Some(Mark::Sponsored)
    } else if says(PAID) {
        Some(Mark::Paid)
    } else {
        None
    }
}
