//! Tries a theme before a mail goes out with it.

use chrono::DateTime;

use super::letter::{FactList, confirmation, goodbye, report, welcome};
use super::templates::TemplateError;
use super::{Theme, digest, page, specimen};
use crate::model::{Audience, Language, Letter, Newsletter, PersonalLinks};

/// Stands for a personal link where a letter has one.
const LINK: &str = "https://example.org/link-of-a-reader";

/// What is wrong with the publisher's own templates: what cannot be filled in, and what every mail must have and
/// theirs lack. Nothing, when there are none.
pub fn template_problems(newsletter: &Newsletter, theme: &Theme) -> Vec<TemplateError> {
    if theme.own.is_none() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for language in Language::ALL {
        for made in tried(newsletter, theme, language) {
            match made {
                Ok(made) => problems.extend(lacking(&made, newsletter)),
                Err(error) => problems.push(match error.downcast::<TemplateError>() {
                    Ok(error) => error,
                    Err(error) => TemplateError::in_mail("templates", format!("{error:#}")),
                }),
            }
        }
    }
    problems.sort_by_key(|problem| (problem.name.clone(), problem.line, problem.what.clone()));
    problems.dedup();
    problems
}

/// What came of a kind of template: its name, what it made with the extension of its file, and whether that must have a
/// personal link.
struct Tried {
    name: &'static str,
    bodies: Vec<(&'static str, String)>,
    has_link: bool,
}

/// One of each kind.
fn tried(newsletter: &Newsletter, theme: &Theme, language: Language) -> Vec<anyhow::Result<Tried>> {
    let at = DateTime::UNIX_EPOCH;
    let full = specimen::edition(&newsletter.id, at);
    let mut empty = full.clone();
    empty.sections.clear();
    let audience = Audience::everything(language);
    let links = PersonalLinks {
        unsubscribe: LINK.to_owned(),
    };
    let both = |html, text| vec![("html", html), ("txt", text)];
    let digests = [&full, &empty].map(|edition| {
        let digest = digest(newsletter, theme, edition, &audience)?;
        Ok(Tried {
            name: "digest",
            bodies: both(digest.html.fill(&links), digest.text.fill(&links)),
            has_link: true,
        })
    });
    let pages = [&full, &empty].map(|edition| {
        Ok(Tried {
            name: "page",
            bodies: vec![("html", page(newsletter, theme, edition, &audience)?)],
            has_link: false,
        })
    });
    let letter = |letter: anyhow::Result<Letter>, has_link| {
        let letter = letter?;
        Ok(Tried {
            name: "letter",
            bodies: both(letter.html, letter.text),
            has_link,
        })
    };
    let facts = FactList {
        title: "Feeds".to_owned(),
        facts: vec!["All of them were read.".to_owned()],
    };
    let letters = [
        letter(confirmation(newsletter, theme, language, LINK, at), true),
        letter(welcome(newsletter, theme, language, Some(at), LINK), true),
        letter(goodbye(newsletter, theme, language, Some(LINK)), true),
        letter(report(newsletter, theme, "All is well", vec![facts]), false),
    ];
    digests.into_iter().chain(pages).chain(letters).collect()
}

/// A mail without a way out or an imprint may not be sent (RFC 8058; § 5 DDG).
fn lacking(made: &Tried, newsletter: &Newsletter) -> Vec<TemplateError> {
    let mut problems = Vec::new();
    for (extension, body) in &made.bodies {
        let name = format!("{}.{extension}", made.name);
        if made.has_link && !body.contains(LINK) {
            let what = match made.name {
                "digest" => "lacks the way to unsubscribe: `mail.links` has it as its last link",
                _ => "lacks a personal link: `mail.links` and `letter.buttons` have them",
            };
            problems.push(TemplateError::in_mail(&name, what));
        }
        let has_line = |line: &String| {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            words.all(|word| body.contains(word))
        };
        if !newsletter.imprint.iter().all(has_line) {
            let what = "lacks the imprint: `mail.imprint` has its lines";
            problems.push(TemplateError::in_mail(&name, what));
        }
    }
    problems
}
