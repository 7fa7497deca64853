//! Gmail shows about 102 KB of the HTML part as it comes over the wire and hides the rest, with the imprint and the
//! way out. So a digest that is too long loses what its readers miss least, and never its footer.

use lettre::message::header::ContentTransferEncoding::QuotedPrintable;

use super::locale::Words;
use super::view::DigestView;
use crate::model::sentence_ends;

/// What the encoded HTML part may have, in bytes. Some clients count what they add themselves.
pub const HTML_BUDGET: usize = 95_000;

/// What is kept free for personal links, which are longer than what stands for them.
const RESERVED: usize = 1_000;

/// One thing less.
#[derive(Debug, Clone, Copy)]
struct Loss {
    what: What,
    /// The place in the full view.
    section: usize,
    /// The place in its section.
    story: usize,
    /// About how much it saves.
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// The excerpt but for its first sentence.
    Shortened,
    /// The rest of the excerpt.
    Excerpt,
    /// The story itself, which is the last one that its section still has.
    Story,
}

/// The size of `html` as it goes over the wire, in bytes: in quoted-printable, as its mail will be.
pub fn encoded_size(html: &str) -> usize {
    lettre::message::Body::new_with_encoding(html.to_owned(), QuotedPrintable)
        .expect("quoted-printable takes any text")
        .len()
}

/// As much of `full` as fits, and the HTML that `render` makes of it. `browser` is where the whole edition is;
/// empty when nowhere.
pub(super) fn fit<'a>(
    full: DigestView<'a>,
    words: &Words,
    browser: &str,
    render: impl Fn(&DigestView<'a>) -> anyhow::Result<String>,
) -> anyhow::Result<(DigestView<'a>, String)> {
    let room = HTML_BUDGET - RESERVED;
    let html = render(&full)?;
    let size = encoded_size(&html);
    if size <= room {
        return Ok((full, html));
    }
    let losses = losses(&full, size);
    let (mut kept, mut size) = ((full.clone(), html), size);
    let mut lost = 0;
    // Rendering takes milliseconds, so each try loses about as much as is too much. When all is lost that can be, it is not
    // the stories that fill the mail.
    while size > room && lost < losses.len() {
        let mut saved = 0;
        while saved < size - room && lost < losses.len() {
            saved += losses[lost].bytes;
            lost += 1;
        }
        let view = without(&full, &losses[..lost], words, browser);
        let html = render(&view)?;
        size = encoded_size(&html);
        kept = (view, html);
    }
    Ok(kept)
}

/// What is lost first, second, …: excerpts grow shorter, then go, then stories go. Within each, the last stories of
/// all sections are first; the first of a section is what its readers want to see most.
///
/// `size` is that of the full mail.
fn losses(full: &DigestView<'_>, size: usize) -> Vec<Loss> {
    let longest = full
        .sections
        .iter()
        .map(|section| section.stories.len())
        .max()
        .unwrap_or_default();
    let mut places = Vec::new();
    for story in (0..longest).rev() {
        for (section, view) in full.sections.iter().enumerate().rev() {
            if let Some(view) = view.stories.get(story) {
                places.push((section, story, view));
            }
        }
    }
    let excerpts: usize = full.stories().map(|story| text_size(&story.excerpt)).sum();
    // What a story takes without its excerpt, on average; the frame of the mail is too small to matter.
    let rest = size.saturating_sub(excerpts) / places.len().max(1);
    let mut losses = Vec::with_capacity(3 * places.len());
    for what in [What::Shortened, What::Excerpt, What::Story] {
        losses.extend(places.iter().map(|(section, story, view)| {
            let (first, after) = first_sentence(&view.excerpt);
            Loss {
                what,
                section: *section,
                story: *story,
                bytes: match what {
                    What::Shortened => text_size(after),
                    What::Excerpt => text_size(first),
                    What::Story => rest,
                },
            }
        }));
    }
    // One story is left in any case.
    losses.pop();
    losses
}

/// About how much of a mail a text takes: in quoted-printable, what is not ASCII takes three bytes for each.
fn text_size(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    (ascii + 3 * (text.len() - ascii)) * 76 / 73
}

/// An excerpt's first sentence, and the rest.
fn first_sentence(excerpt: &str) -> (&str, &str) {
    let end = sentence_ends(excerpt).next();
    excerpt.split_at(end.unwrap_or(excerpt.len()))
}

fn without<'a>(
    full: &DigestView<'a>,
    losses: &[Loss],
    words: &Words,
    browser: &str,
) -> DigestView<'a> {
    let mut view = full.clone();
    for loss in losses {
        let stories = &mut view.sections[loss.section].stories;
        match loss.what {
            What::Shortened => {
                let excerpt = &mut stories[loss.story].excerpt;
                let (first, _) = first_sentence(excerpt);
                excerpt.truncate(first.len());
            }
            What::Excerpt => stories[loss.story].excerpt.clear(),
            What::Story => stories.truncate(loss.story),
        }
    }
    for (section, whole) in view.sections.iter_mut().zip(&full.sections) {
        let lost = whole.stories.len() - section.stories.len();
        if lost > 0 {
            section.more = words.more(lost, !browser.is_empty());
            browser.clone_into(&mut section.more_url);
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::{Theme, specimen};
    use super::*;
    use crate::model::{Edition, Item, Language, PersonalLinks, Story};

    /// An edition of so many stories on three topics, each with `sentences`.
    fn long_edition(stories: usize, sentences: &str) -> Edition {
        let story = |number: usize| -> Story {
            story(
                Item {
                    url: Some(format!(
                        "https://bote.example/eine-lange-adresse/{number}.html"
                    )),
                    ..item(
                        "Bote",
                        &format!("Meldung {number} aus Überlingen"),
                        sentences,
                    )
                },
                vec![],
            )
        };
        let section = |section: usize| -> Vec<Story> {
            (0..stories)
                .filter(|number| number % 3 == section)
                .map(story)
                .collect()
        };
        edition(vec![
            ("KI", section(0)),
            ("Recht", section(1)),
            ("Netz", section(2)),
        ])
    }

    const SENTENCES: &str = "Der erste Satz erzählt, was in Überlingen geschah. Der zweite Satz erklärt ausführlich, wie es dazu kam, und wer dafür einsteht.";

    /// The HTML and text bodies with the longest personal links that there are.
    fn filled(edition: &Edition) -> (String, String) {
        let digest = render(edition, Language::De);
        let links = PersonalLinks {
            unsubscribe: format!("https://example.org/{}", "u".repeat(300)),
            ..PersonalLinks::default()
        };
        (digest.html.fill(&links), digest.text.fill(&links))
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let (html, text) = filled(&long_edition(40, SENTENCES));
        assert_eq!(html.matches("<h3").count(), 40);
        assert_eq!(text.matches("Der zweite Satz").count(), 40);
        assert!(encoded_size(&html) < 80_000, "{}", encoded_size(&html));
    }

    #[test]
    fn excerpts_grow_shorter_from_the_end_before_stories_go() {
        let (html, text) = filled(&long_edition(120, SENTENCES));
        assert_eq!(html.matches("<h3").count(), 120, "all stories are there");
        let whole = html.matches("Der zweite Satz").count();
        assert!(whole > 3 && whole < 120, "{whole}");
        assert_eq!(html.matches("Der erste Satz").count(), 120);
        assert_eq!(
            text.matches("Der zweite Satz").count(),
            whole,
            "both say the same"
        );
        // The first ones of each section keep theirs.
        for number in [0, 1, 2] {
            let story = html
                .split("<h3")
                .find(|story| story.contains(&format!("Meldung {number} ")));
            assert!(story.unwrap().contains("Der zweite Satz"), "{number}");
        }
    }

    #[test]
    fn a_mail_of_any_length_is_shown_whole_and_keeps_its_footer() {
        for stories in [1, 60, 130, 200, 400] {
            let (html, text) = filled(&long_edition(stories, SENTENCES));
            let size = encoded_size(&html);
            assert!(size <= HTML_BUDGET, "{stories} stories: {size}");
            assert!(
                stories < 60 || size > HTML_BUDGET / 2,
                "{stories} stories: {size}"
            );
            for body in [&html, &text] {
                assert!(body.contains("Beispielweg 1, 12345 Musterstadt"));
                assert!(body.contains("https://example.org/uuu"));
            }
            let shown = html.matches("<h3").count();
            assert_eq!(text.matches("https://bote.example/").count(), shown);
            let more = if shown == stories { 0 } else { 3 };
            assert_eq!(
                html.matches("weitere Meldungen im Browser</a>").count(),
                more
            );
            assert_eq!(text.matches("weitere Meldungen im Browser\n").count(), more);
        }
        let (_, text) = filled(&long_edition(200, SENTENCES));
        assert!(text.contains("200 Meldungen aus 1 Quelle"));
        // Every story is either shown or counted.
        let counted: usize = text
            .lines()
            .filter_map(|line| line.trim().strip_suffix(" weitere Meldungen im Browser"))
            .map(|number| number.parse::<usize>().unwrap())
            .sum();
        assert_eq!(counted + text.matches("https://bote.example/").count(), 200);
    }

    #[test]
    fn letters_that_take_more_on_the_wire_count_for_more() {
        let sentence = "Первое предложение рассказывает о том, что случилось вчера. ";
        let (html, _) = filled(&long_edition(120, &sentence.repeat(2)));
        assert!(
            encoded_size(&html) <= HTML_BUDGET,
            "{}",
            encoded_size(&html)
        );
    }

    #[test]
    fn what_is_too_long_for_another_reason_keeps_one_story_and_the_footer() {
        let theme = Theme::default().with_texts(&"Viele Worte. ".repeat(9_000), "", Language::De);
        let edition = specimen::edition("bote", now());
        let (html, _) = bodies(&render_with(&theme, &edition, Language::De));
        assert_eq!(html.matches("<h3").count(), 1);
        assert!(html.contains("Beispielweg 1, 12345 Musterstadt"));
    }
}
