//! Which stories an edition shows, and in what order.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::draft::Draft;
use super::options::Options;
use super::score::total;
use super::similarity::Similarity;
use super::terms::Batch;
use super::texts::Texts;
use crate::model::Topic;

/// So many of a topic's best stories are looked at closely, for each one that the section can show, and `MORE` besides.
const LOOKED_AT: usize = 2;
const MORE: usize = 10;

/// Stories of one topic are alike to this degree without saying the same.
const USUAL_SIMILARITY: f64 = 0.35;

/// The stories of each topic in the order in which its section shows them, and all that no section shows.
pub(super) struct Picked<'a> {
    pub(super) sections: Vec<Vec<Draft<'a>>>,
    pub(super) left_out: Vec<Draft<'a>>,
}

/// Picks from the stories of each topic. `mailed` are the documents that readers have seen.
pub(super) fn pick<'a>(
    mut drafts: Vec<Vec<Draft<'a>>>,
    topics: &[Topic],
    texts: &Texts,
    batch: &Batch,
    mailed: &[usize],
    options: &Options,
) -> Picked<'a> {
    let mut left_out = Vec::new();
    for (topic, drafts) in topics.iter().zip(&mut drafts) {
        drafts.sort_by(best_first);
        let looked_at = topic.stories * LOOKED_AT + MORE;
        if drafts.len() > looked_at {
            left_out.extend(drafts.drain(looked_at..));
        }
        for draft in &mut *drafts {
            let alike = mailed.iter().map(|seen| texts.cosine(draft.lead, *seen));
            draft.score.novelty = 1.0 - f64::from(alike.fold(0.0, f32::max).min(1.0));
            draft.score.total = total(&draft.score, &options.weights);
        }
        drafts.sort_by(best_first);
    }
    let leads: Vec<usize> = drafts.iter().flatten().map(|draft| draft.lead).collect();
    let similarity = Similarity::among(
        leads.iter().map(|lead| &batch.documents[*lead]),
        &batch.lexicon,
    );
    let places: HashMap<usize, usize> = leads
        .iter()
        .enumerate()
        .map(|(place, lead)| (*lead, place))
        .collect();
    let mut sections = Vec::new();
    for (topic, mut rest) in topics.iter().zip(drafts) {
        let mut shown: Vec<Draft<'a>> = Vec::new();
        // How much each of the rest loses for what stands before it.
        let mut kept: Vec<f64> = vec![1.0; rest.len()];
        while shown.len() < topic.stories && !rest.is_empty() {
            let mut best = 0;
            for place in 1..rest.len() {
                if rest[place].score.total * kept[place] > rest[best].score.total * kept[best] {
                    best = place;
                }
            }
            let next = rest.remove(best);
            kept.remove(best);
            for (draft, kept) in rest.iter().zip(&mut kept) {
                if draft.lead_item().source == next.lead_item().source {
                    *kept *= 1.0 - options.diversity;
                }
                let alike = similarity.between(places[&draft.lead], places[&next.lead]);
                let beyond = (alike - USUAL_SIMILARITY).max(0.0) / (1.0 - USUAL_SIMILARITY);
                *kept *= 1.0 - options.diversity * beyond;
            }
            shown.push(next);
        }
        left_out.extend(rest);
        sections.push(shown);
    }
    Picked { sections, left_out }
}

/// By score; among equals the newest, and then by key, so that the order is always the same.
fn best_first(a: &Draft<'_>, b: &Draft<'_>) -> Ordering {
    let newest = |draft: &Draft<'_>| {
        draft
            .reports
            .iter()
            .map(|report| report.item.published)
            .max()
    };
    b.score
        .total
        .total_cmp(&a.score.total)
        .then_with(|| newest(b).cmp(&newest(a)))
        .then_with(|| a.lead_item().key.cmp(&b.lead_item().key))
}
