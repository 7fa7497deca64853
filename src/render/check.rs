//! Tries a theme before a mail goes out with it.

use chrono::DateTime;
use dom_query::Document;

use super::letter::{FactList, confirmation, goodbye, report, welcome};
use super::lint::{Rendered, Weight, has_link, lacking_lines, lint, visible_text};
use super::templates::TemplateError;
use super::{Theme, digest, followed, page, specimen};
use crate::model::{
    Audience, Body, Edition, Followed, Language, Letter, Newsletter, Personal, PersonalLinks, Story,
};

/// Stands for a personal link where a letter has one.
const LINK: &str = "https://example.org/link-of-a-reader";

/// What is wrong with the templates of `theme`, the publisher's own or ours, in `newsletter`: what cannot be filled in, what
/// every mail must have and theirs lack, and what would keep a mail from its readers.
pub fn template_problems(newsletter: &Newsletter, theme: &Theme) -> Vec<TemplateError> {
    let mut problems = Vec::new();
    for language in Language::ALL {
        for made in tried(newsletter, theme, language) {
            match made {
                Ok(made) => problems.extend(made.problems(newsletter)),
                Err(error) => problems.push(match error.downcast::<TemplateError>() {
                    Ok(error) => error,
                    Err(error) => TemplateError::in_mail("templates", format!("{error:#}")),
                }),
            }
        }
    }
    problems.extend(followed_problems(newsletter, theme));
    problems.sort_by_key(|problem| (problem.name.clone(), problem.line, problem.what.clone()));
    problems.dedup();
    problems
}

/// What keeps news of followed stories from whoever follows them, where readers can.
fn followed_problems(newsletter: &Newsletter, theme: &Theme) -> Vec<TemplateError> {
    if newsletter.follow_url.is_none() {
        return Vec::new();
    }
    let full = specimen::edition(&newsletter.id, DateTime::UNIX_EPOCH);
    let news: Vec<Story> = full.sections[0].stories.clone();
    let edition = Edition {
        followed: vec![Followed {
            story: news[0].lead.key.clone(),
            title: news[0].lead.title.clone(),
            news,
        }],
        ..full
    };
    let audience = Audience::everything(newsletter.language);
    // What cannot be filled in at all is told by the others.
    let Ok(digest) = digest(newsletter, theme, &edition, &audience) else {
        return Vec::new();
    };
    let has = |body: &Body, wanted| body.parts().any(|(_, place)| place == Some(wanted));
    let mut problems = Vec::new();
    for (name, has_place, place) in [
        (
            "digest.html",
            has(&digest.html, Personal::FollowedHtml),
            "digest.followed_html",
        ),
        (
            "digest.txt",
            has(&digest.text, Personal::FollowedText),
            "digest.followed_text",
        ),
    ] {
        if !has_place {
            let what = format!("lacks `{place}`, where news go of the stories that readers follow");
            problems.push(TemplateError::in_mail(name, what));
        }
    }
    if let Ok(sections) = followed(newsletter, theme, &edition, &audience)
        && sections.len() != edition.followed.len()
    {
        let what = "lacks `section.begins` and `section.ends` around each section";
        problems
            .extend(["digest.html", "digest.txt"].map(|name| TemplateError::in_mail(name, what)));
    }
    problems
}

/// What came of a kind of template.
enum Tried {
    Digest(Letter),
    /// Whether it must have a personal link.
    Letter(Letter, bool),
    Page(String),
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
        ..PersonalLinks::default()
    };
    let digests = [&full, &empty].map(|edition| {
        let digest = digest(newsletter, theme, edition, &audience)?;
        Ok(Tried::Digest(Letter {
            html: digest.html.fill(&links),
            text: digest.text.fill(&links),
            subject: digest.subject,
        }))
    });
    let pages = [&full, &empty].map(|edition| {
        let page = page(newsletter, theme, edition, &audience)?;
        Ok(Tried::Page(page))
    });
    let facts = FactList {
        title: "Feeds".to_owned(),
        facts: vec!["All of them were read.".to_owned()],
    };
    let letters = [
        (confirmation(newsletter, theme, language, LINK, at), true),
        (welcome(newsletter, theme, language, Some(at), LINK), true),
        (goodbye(newsletter, theme, language, Some(LINK)), true),
        (report(newsletter, theme, "All is well", vec![facts]), false),
    ];
    let letters = letters.map(|(letter, has_link)| Ok(Tried::Letter(letter?, has_link)));
    digests.into_iter().chain(pages).chain(letters).collect()
}

impl Tried {
    /// What keeps it from going out. A mail without a way out or an imprint may not be sent (RFC 8058; § 5 DDG).
    fn problems(&self, newsletter: &Newsletter) -> Vec<TemplateError> {
        let (name, letter) = match self {
            Self::Digest(letter) => ("digest", letter),
            Self::Letter(letter, _) => ("letter", letter),
            Self::Page(html) => {
                let shown = visible_text(&Document::from(html.as_str()));
                return lacking_imprint("page.html", &shown, newsletter);
            }
        };
        let (html, text) = (format!("{name}.html"), format!("{name}.txt"));
        let page = Document::from(letter.html.as_str());
        let mut problems = lacking_imprint(&html, &visible_text(&page), newsletter);
        problems.extend(lacking_imprint(&text, &letter.text, newsletter));
        let lacks = match self {
            Self::Digest(_) => {
                "lacks the way to unsubscribe, as a link that can be seen: `mail.links` has it as its last link"
            }
            _ => {
                "lacks a personal link that can be seen: `mail.links` and `letter.buttons` have them"
            }
        };
        if !matches!(self, Self::Letter(_, false)) {
            for (name, has_link) in [
                (&html, has_link(&page, LINK)),
                (&text, letter.text.contains(LINK)),
            ] {
                if !has_link {
                    problems.push(TemplateError::in_mail(name, lacks));
                }
            }
        }
        if problems.is_empty() {
            let mail = Rendered {
                subject: &letter.subject,
                html: &letter.html,
                text: &letter.text,
                unsubscribe: None,
            };
            let checks = lint(newsletter, mail).into_iter();
            for check in checks.filter(|check| check.weight == Weight::Fatal) {
                let told = check.problems.first().map(|problem| {
                    TemplateError::in_mail(
                        &html,
                        format!("“{}” does not hold: {problem}", check.rule),
                    )
                });
                problems.extend(told);
            }
        }
        problems
    }
}

fn lacking_imprint(name: &str, shown: &str, newsletter: &Newsletter) -> Vec<TemplateError> {
    let lacking = lacking_lines(&newsletter.imprint, shown);
    let told = lacking.first().map(|line| {
        TemplateError::in_mail(
            name,
            format!("lacks “{line}” of the imprint: `mail.imprint` has its lines"),
        )
    });
    told.into_iter().collect()
}
