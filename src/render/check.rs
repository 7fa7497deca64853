//! Tries a theme before a mail goes out with it.

use chrono::DateTime;

use super::templates::TemplateError;
use super::{Theme, digest, specimen};
use crate::model::{Audience, Body, Language, Newsletter};

/// What is wrong with the publisher's own templates: what cannot be filled in, and what every mail must have and
/// theirs lack. Nothing, when there are none.
pub fn template_problems(newsletter: &Newsletter, theme: &Theme) -> Vec<TemplateError> {
    if theme.own.is_none() {
        return Vec::new();
    }
    let full = specimen::edition(&newsletter.id, DateTime::UNIX_EPOCH);
    let mut empty = full.clone();
    empty.sections.clear();
    let mut problems = Vec::new();
    for edition in [full, empty] {
        for language in Language::ALL {
            let audience = Audience::everything(language);
            match digest(newsletter, theme, &edition, &audience) {
                Ok(digest) => {
                    lacking("digest.html", &digest.html, newsletter, &mut problems);
                    lacking("digest.txt", &digest.text, newsletter, &mut problems);
                }
                Err(error) => problems.push(match error.downcast::<TemplateError>() {
                    Ok(error) => error,
                    Err(error) => TemplateError::in_mail("digest.html", format!("{error:#}")),
                }),
            }
        }
    }
    problems.sort_by_key(|problem| (problem.name.clone(), problem.line, problem.what.clone()));
    problems.dedup();
    problems
}

/// A mail without a way out or an imprint may not be sent (RFC 8058; § 5 DDG).
fn lacking(name: &str, body: &Body, newsletter: &Newsletter, problems: &mut Vec<TemplateError>) {
    if body.places() == 0 {
        let what = "lacks the way to unsubscribe: `mail.links` has it as its last link";
        problems.push(TemplateError::in_mail(name, what));
    }
    let text = body.pieces().concat();
    let is_there = |line: &String| {
        let mut words = line.split(|c: char| !c.is_alphanumeric());
        words.all(|word| text.contains(word))
    };
    if !newsletter.imprint.iter().all(is_there) {
        let what = "lacks the imprint: `mail.imprint` has its lines";
        problems.push(TemplateError::in_mail(name, what));
    }
}
