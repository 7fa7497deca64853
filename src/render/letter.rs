//! Mails to one person, in the same frame as the digest: what consent needs, and what the operator wants to know.
//!
//! They have nothing in them but what they are for: no words of the publisher's around them, as those of a confirmation would
//! be advertising, and nothing that whoever filled in a form has written.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::locale::{LetterWords, Words, words};
use super::templates::{self, LetterHtml, LetterText};
use super::view::{FooterLink, Mail};
use super::{Theme, styled, text};
use crate::model::{Language, Letter, Newsletter};

/// What a letter has between masthead and footer.
#[derive(Debug, Default, Serialize)]
pub(super) struct LetterView {
    pub(super) heading: String,
    pub(super) paragraphs: Vec<String>,
    /// What the reader is asked to do; one or none.
    pub(super) buttons: Vec<Button>,
    /// After the button.
    pub(super) remarks: Vec<String>,
    /// Facts below headings of their own.
    pub(super) lists: Vec<FactList>,
}

#[derive(Debug, Serialize)]
pub(super) struct Button {
    pub(super) label: &'static str,
    pub(super) url: String,
}

/// Facts below a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactList {
    /// The heading.
    pub title: String,
    /// One fact each.
    pub facts: Vec<String>,
}

/// The mail that asks whoever reads `language` to confirm with a click on `link`, which is good until `until`.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn confirmation(
    newsletter: &Newsletter,
    theme: &Theme,
    language: Language,
    link: &str,
    until: DateTime<Utc>,
) -> anyhow::Result<Letter> {
    let words = words(language);
    let until = until.with_timezone(&newsletter.timezone).date_naive();
    let letter = LetterView {
        buttons: vec![Button {
            label: words.letters.confirm,
            url: link.to_owned(),
        }],
        remarks: vec![words.letters.expiry.replace("{date}", &words.date(until))],
        ..begun(&words.letters.confirmation, words, newsletter)
    };
    let mail = Mail::new(newsletter, language);
    let subject = words.letters.confirmation.subject;
    finished(theme, words, subject, mail, &letter)
}

/// The mail to somebody who signs up, is subscribed and reads `language`. It leads to what they have chosen, or to the story that they want to
/// follow.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn known(
    newsletter: &Newsletter,
    theme: &Theme,
    language: Language,
    preferences: &str,
    follow: Option<&str>,
) -> anyhow::Result<Letter> {
    let words = words(language);
    let (label, url) = match follow {
        Some(follow) => (words.pages.follow.more, follow),
        None => (words.labels.preferences, preferences),
    };
    let letter = LetterView {
        buttons: vec![Button {
            label,
            url: url.to_owned(),
        }],
        ..begun(&words.pages.known, words, newsletter)
    };
    let mail = Mail::new(newsletter, language);
    finished(theme, words, words.pages.known.subject, mail, &letter)
}

/// The mail that asks whoever has a new address, and reads `language`, whether a subscription is to go there. `link` says yes, until
/// `until`.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn moving(
    newsletter: &Newsletter,
    theme: &Theme,
    language: Language,
    link: &str,
    until: DateTime<Utc>,
) -> anyhow::Result<Letter> {
    let words = words(language);
    let until = until.with_timezone(&newsletter.timezone).date_naive();
    let letter = LetterView {
        buttons: vec![Button {
            label: words.pages.confirm.move_button,
            url: link.to_owned(),
        }],
        remarks: vec![words.letters.expiry.replace("{date}", &words.date(until))],
        ..begun(&words.pages.moving, words, newsletter)
    };
    let mail = Mail::new(newsletter, language);
    finished(theme, words, words.pages.moving.subject, mail, &letter)
}

/// The mail to the old address of a subscriber who reads `language`: their mail goes to another one.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn moved(newsletter: &Newsletter, theme: &Theme, language: Language) -> anyhow::Result<Letter> {
    let words = words(language);
    let letter = begun(&words.pages.moved, words, newsletter);
    let mail = Mail::new(newsletter, language);
    finished(theme, words, words.pages.moved.subject, mail, &letter)
}

/// The mail to somebody who has confirmed and reads `language`. `next` is when the next edition comes, `unsubscribe` the
/// link that ends it all.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn welcome(
    newsletter: &Newsletter,
    theme: &Theme,
    language: Language,
    next: Option<DateTime<Utc>>,
    unsubscribe: &str,
) -> anyhow::Result<Letter> {
    let words = words(language);
    let next = next.map(|next| next.with_timezone(&newsletter.timezone).date_naive());
    let next = next.map(|next| words.letters.next.replace("{date}", &words.date(next)));
    let letter = LetterView {
        remarks: next
            .into_iter()
            .chain([words.letters.leaving.to_owned()])
            .collect(),
        ..begun(&words.letters.welcome, words, newsletter)
    };
    let mail = Mail {
        reason: words.reason(&newsletter.title),
        links: vec![FooterLink {
            label: words.labels.unsubscribe,
            url: unsubscribe.to_owned(),
        }],
        ..Mail::new(newsletter, language)
    };
    finished(theme, words, words.letters.welcome.subject, mail, &letter)
}

/// The mail to somebody who has left and reads `language`. `back` is a link for who did not mean it.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn goodbye(
    newsletter: &Newsletter,
    theme: &Theme,
    language: Language,
    back: Option<&str>,
) -> anyhow::Result<Letter> {
    let words = words(language);
    let mut letter = begun(&words.letters.goodbye, words, newsletter);
    if let Some(back) = back {
        letter.paragraphs.push(words.letters.mistake.to_owned());
        letter.buttons.push(Button {
            label: words.letters.back,
            url: back.to_owned(),
        });
    }
    let mail = Mail::new(newsletter, language);
    finished(theme, words, words.letters.goodbye.subject, mail, &letter)
}

/// The mail that tells the operator what a run did. The program speaks English to operators.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn report(
    newsletter: &Newsletter,
    theme: &Theme,
    heading: &str,
    lists: Vec<FactList>,
) -> anyhow::Result<Letter> {
    let words = words(Language::En);
    let mail = Mail {
        // It is for the readers.
        tagline: "",
        ..Mail::new(newsletter, Language::En)
    };
    let letter = LetterView {
        heading: heading.to_owned(),
        lists,
        ..LetterView::default()
    };
    finished(
        theme,
        words,
        &format!("{{title}}: {heading}"),
        mail,
        &letter,
    )
}

fn begun(letter: &LetterWords, words: &Words, newsletter: &Newsletter) -> LetterView {
    LetterView {
        heading: letter.heading.to_owned(),
        paragraphs: vec![words.about(letter.text, &newsletter.title)],
        ..LetterView::default()
    }
}

fn finished(
    theme: &Theme,
    words: &Words,
    subject: &str,
    mut mail: Mail<'_>,
    letter: &LetterView,
) -> anyhow::Result<Letter> {
    let subject = subject.replace("{title}", mail.newsletter);
    mail.title.clone_from(&subject);
    let own = theme.own.as_ref();
    let page = LetterHtml {
        theme,
        words: &words.labels,
        mail: &mail,
        letter,
    };
    let html = styled(theme, "letter.html", &page)?;
    let page = LetterText {
        words: &words.labels,
        mail: &mail,
        letter,
    };
    let text = text::ended(&templates::fill(own, "letter.txt", &page)?);
    Ok(Letter {
        subject,
        html,
        text,
    })
}

#[cfg(test)]
impl LetterView {
    /// A letter with everything that one can have.
    pub(super) fn example() -> Self {
        Self {
            heading: "Heading".into(),
            paragraphs: vec!["Paragraph".into()],
            buttons: vec![Button {
                label: "Label",
                url: "https://example.org/".into(),
            }],
            remarks: vec!["Remark".into()],
            lists: vec![FactList {
                title: "Title".into(),
                facts: vec!["Fact".into()],
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::*;

    const LINK: &str = "https://example.org/confirm/abc?x=1&y=2";

    fn theme() -> Theme {
        Theme::default().with_texts("Werbung oben", "Werbung unten", Language::De)
    }

    #[test]
    fn a_confirmation_reads_well_and_has_nothing_else_in_it() {
        let confirm =
            |language| confirmation(&newsletter(), &theme(), language, LINK, now()).unwrap();
        let letter = confirm(Language::De);
        insta::assert_snapshot!(format!("{}\n\n{}", letter.subject, letter.text));
        for language in Language::ALL {
            let letter = confirm(language);
            let html = letter.html.replace("&amp;", "&");
            for body in [&html, &letter.text] {
                assert_eq!(body.matches(LINK).count(), 1);
                assert!(body.contains("Beispielweg 1") && !body.contains("Werbung"));
                assert!(!body.contains('{') || body.contains("@media"), "{body}");
            }
            let ways_out = [words(language).labels.unsubscribe, "mailto:"];
            assert!(
                ways_out.iter().all(|way| !letter.text.contains(way)),
                "{}",
                letter.text
            );
        }
    }

    #[test]
    fn a_welcome_reads_well_and_says_how_to_leave() {
        let letter = welcome(&newsletter(), &theme(), Language::De, Some(now()), LINK).unwrap();
        insta::assert_snapshot!(format!("{}\n\n{}", letter.subject, letter.text));
        assert!(
            letter
                .html
                .contains("href=\"https://example.org/confirm/abc?x=1&amp;y=2\"")
        );
    }

    #[test]
    fn a_goodbye_reads_well_with_a_way_back_and_without() {
        let letter = goodbye(&newsletter(), &theme(), Language::Fr, Some(LINK)).unwrap();
        insta::assert_snapshot!(format!("{}\n\n{}", letter.subject, letter.text));
        let letter = goodbye(&newsletter(), &theme(), Language::De, None).unwrap();
        assert!(!letter.text.contains("Versehen") && letter.html.matches("<a ").count() == 1);
    }

    #[test]
    fn a_report_tells_facts_and_makes_no_mark_up_of_them() {
        let lists = vec![FactList {
            title: "Feeds".into(),
            facts: vec!["The feed <b>x</b> answered 500.".into()],
        }];
        let letter = report(&newsletter(), &theme(), "3 feeds failed", lists).unwrap();
        assert_eq!(letter.subject, "Bote & Söhne: 3 feeds failed");
        assert!(
            letter
                .text
                .contains("# Feeds\n- The feed <b>x</b> answered 500.\n"),
            "{}",
            letter.text
        );
        assert!(letter.html.contains("&lt;b&gt;x&lt;/b&gt;"));
    }
}
