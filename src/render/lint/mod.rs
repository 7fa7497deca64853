//! What mail programs, spam filters and readers hold against a mail, found before it goes out.
//!
//! The rules are those of `caniemail.com`, RFC 5322 and WCAG 2.2 that can be told from the mail itself.

mod contrast;
mod rules;
mod seen;

use dom_query::Document;
use rules::*;
pub(super) use seen::{has_link, lacking_lines, visible_text};
use serde::Serialize;

use crate::model::Newsletter;

/// A rule, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The rule, as a sentence that holds when all is well.
    pub rule: &'static str,
    /// How much a mail that breaks it is to be minded.
    pub weight: Weight,
    /// What breaks it; nothing when all is well.
    pub problems: Vec<String>,
}

/// How much a broken rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It is untidy.
    Untidy,
    /// Some readers see or hear less than they should.
    Grave,
    /// The mail must not go out.
    Fatal,
}

/// A mail as one reader gets it.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// Its subject.
    pub subject: &'a str,
    /// Its HTML body.
    pub html: &'a str,
    /// Its text body.
    pub text: &'a str,
    /// The link that ends the subscription, when the mail must have one.
    pub unsubscribe: Option<&'a str>,
}

/// Checks `mail`, which `newsletter` would send. All rules are there, in the same order for every mail.
pub fn lint(newsletter: &Newsletter, mail: Rendered<'_>) -> Vec<Check> {
    let page = Document::from(mail.html);
    use Weight::{Fatal, Grave, Untidy};
    let rules = [
        (Fatal, "Gmail shows it whole.", size(mail.html)),
        (
            Fatal,
            "Imprint and way out are in both bodies.",
            missing(newsletter, &page, &mail),
        ),
        (
            Fatal,
            "It has no script, form or frame, which mail programs drop.",
            acting(&page),
        ),
        (Grave, "Its HTML is well-formed.", malformed(&page)),
        (Grave, "Its styles are known everywhere.", styles(&page)),
        (
            Grave,
            "Pictures have a size, a description and come by https.",
            pictures(&page),
        ),
        (Grave, "Nothing is wider than a phone.", wide(&page)),
        (Grave, "Tables say that they are layout.", tables(&page)),
        (
            Grave,
            "It has one title, and headings in order.",
            headings(&page),
        ),
        (Grave, "It says its language.", languages(&page)),
        (
            Grave,
            "Its letters can be read by day and by night.",
            contrast::unreadable(&page),
        ),
        (
            Grave,
            "Its text has short lines and no odd characters.",
            lines(mail.text),
        ),
        (Grave, "Links say where they lead.", links(&page)),
        (Untidy, "Links are https.", insecure_links(&page)),
        (
            Untidy,
            "Its subject is one line of a mailbox.",
            subject(mail.subject),
        ),
    ];
    let check = |(weight, rule, problems)| Check {
        rule,
        weight,
        problems,
    };
    rules.map(check).into()
}

#[cfg(test)]
mod tests;
