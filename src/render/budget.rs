//! Gmail shows about 102 KB of the HTML part as it comes over the wire and hides the rest, with the imprint and the
//! way out. So a digest that is too long loses what its readers miss least, and never its footer.

use super::locale::Words;
use super::view::DigestView;
use crate::model::sentence_ends;

/// What the encoded HTML part may have, in bytes. Some clients count what they add themselves.
pub const HTML_BUDGET: usize = 95_000;

/// What is kept free for personal links, which are longer than what stands for them.
const RESERVED: usize = 1_000;

/// One thing less. `section` and `story` are places in the full view.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// The excerpt but for its first sentence.
    Shortened { section: usize, story: usize },
    /// The rest of the excerpt.
    Excerpt { section: usize, story: usize },
    /// The last story that the section still has.
    Story { section: usize },
}

/// The size of `html` as it goes over the wire, in bytes: encoded as its mail will be.
pub(super) fn encoded_size(html: &str) -> usize {
    lettre::message::Body::new(html.to_owned()).len()
}

/// As much of `full` as fits, and the HTML that `render` makes of it. `browser` is where the whole edition is.
pub(super) fn fit<'a>(
    full: DigestView<'a>,
    words: &Words,
    browser: Option<&str>,
    render: impl Fn(&DigestView<'a>) -> anyhow::Result<String>,
) -> anyhow::Result<(DigestView<'a>, String)> {
    let fits = |html: &str| encoded_size(html) + RESERVED <= HTML_BUDGET;
    let html = render(&full)?;
    if fits(&html) {
        return Ok((full, html));
    }
    let losses = losses(&full);
    // The fewest losses with which it fits. With all of them it may still not, when it is not the stories that fill it.
    let (mut too_few, mut enough) = (0, losses.len());
    let mut best = None;
    while too_few + 1 < enough || best.is_none() {
        let tried = if best.is_none() && too_few + 1 >= enough {
            enough
        } else {
            usize::midpoint(too_few, enough)
        };
        let view = without(&full, &losses[..tried], words, browser);
        let html = render(&view)?;
        if fits(&html) || tried == losses.len() {
            enough = tried;
            best = Some((view, html));
        } else {
            too_few = tried;
        }
    }
    Ok(best.unwrap_or((full, html)))
}

/// What is lost first, second, …: excerpts grow shorter, then go, then stories go. Within each, the last stories of
/// all sections are first; the first of a section is what its readers want to see most.
fn losses(full: &DigestView<'_>) -> Vec<Loss> {
    let longest = full
        .sections
        .iter()
        .map(|section| section.stories.len())
        .max()
        .unwrap_or_default();
    let last_first = || {
        (0..longest).rev().flat_map(|story| {
            let has_it = move |section: &usize| story < full.sections[*section].stories.len();
            let sections = (0..full.sections.len()).rev();
            sections.filter(has_it).map(move |section| (section, story))
        })
    };
    let shortened = last_first().map(|(section, story)| Loss::Shortened { section, story });
    let excerpts = last_first().map(|(section, story)| Loss::Excerpt { section, story });
    let stories = last_first().map(|(section, _)| Loss::Story { section });
    let mut losses: Vec<Loss> = shortened.chain(excerpts).chain(stories).collect();
    // One story is left in any case.
    losses.pop();
    losses
}

fn without<'a>(
    full: &DigestView<'a>,
    losses: &[Loss],
    words: &Words,
    browser: Option<&str>,
) -> DigestView<'a> {
    let mut view = full.clone();
    for loss in losses {
        match *loss {
            Loss::Shortened { section, story } => {
                let excerpt = &mut view.sections[section].stories[story].excerpt;
                let first = sentence_ends(excerpt).next();
                excerpt.truncate(first.unwrap_or(excerpt.len()));
            }
            Loss::Excerpt { section, story } => {
                view.sections[section].stories[story].excerpt.clear();
            }
            Loss::Story { section } => {
                view.sections[section].stories.pop();
            }
        }
    }
    for (section, whole) in view.sections.iter_mut().zip(&full.sections) {
        let lost = whole.stories.len() - section.stories.len();
        if lost > 0 {
            section.more = words.more(lost, browser.is_some());
            section.more_url = browser.unwrap_or_default().to_owned();
        }
    }
    view
}
