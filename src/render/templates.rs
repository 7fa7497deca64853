//! The templates: ours, which the compiler has checked, or a publisher's own in their place.
//!
//! Both are read by the same rules. Ours keep to what askama and minijinja have in common, so that a publisher can take
//! one of them, change it, and have it read when the program runs: no optional values (an empty text stands for
//! nothing), no calls, no `!`, and lists of one or none for what may be there. A test renders each of ours both ways.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use askama::Template;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::letter::LetterView;
use super::locale::Labels;
use super::text;
use super::theme::Theme;
use super::view::{DigestView, Mail};

#[derive(Template, Serialize)]
#[template(path = "theme/digest.html")]
pub(super) struct DigestHtml<'a> {
    pub(super) theme: &'a Theme,
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) digest: &'a DigestView<'a>,
}

#[derive(Template, Serialize)]
#[template(path = "theme/digest.txt")]
pub(super) struct DigestText<'a> {
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) digest: &'a DigestView<'a>,
}

#[derive(Template, Serialize)]
#[template(path = "theme/page.html")]
pub(super) struct PageHtml<'a> {
    pub(super) theme: &'a Theme,
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) digest: &'a DigestView<'a>,
}

#[derive(Template)]
#[template(path = "edition.md", escape = "none")]
pub(super) struct PageMarkdown<'a> {
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) digest: &'a DigestView<'a>,
}

#[derive(Template, Serialize)]
#[template(path = "theme/letter.html")]
pub(super) struct LetterHtml<'a> {
    pub(super) theme: &'a Theme,
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) letter: &'a LetterView,
}

#[derive(Template, Serialize)]
#[template(path = "theme/letter.txt")]
pub(super) struct LetterText<'a> {
    pub(super) words: &'a Labels,
    pub(super) mail: &'a Mail<'a>,
    pub(super) letter: &'a LetterView,
}

/// What templates can do with a text, besides what the language of templates has.
#[expect(unreachable_pub, reason = "the macro of askama makes a public type")]
mod filters {
    use std::fmt::Display;

    use askama::{Result, Values};

    #[askama::filter_fn]
    pub(super) fn wrapped(
        text: impl Display,
        _: &dyn Values,
        first: &str,
        rest: &str,
    ) -> Result<String> {
        Ok(super::text::wrapped(&text.to_string(), first, rest))
    }

    #[askama::filter_fn]
    pub(super) fn breakable(text: impl Display, _: &dyn Values, language: &str) -> Result<String> {
        let longest = super::text::LONGEST_WORD;
        Ok(super::text::breakable(&text.to_string(), language, longest))
    }

    #[askama::filter_fn]
    pub(super) fn md(text: impl Display, _: &dyn Values) -> Result<String> {
        Ok(super::super::markdown::escaped(&text.to_string()))
    }

    #[askama::filter_fn]
    pub(super) fn link(url: impl Display, _: &dyn Values) -> Result<String> {
        let url = url.to_string();
        let escapes = [('(', "%28"), (')', "%29"), ('\\', "%5C")];
        Ok(escapes
            .into_iter()
            .fold(url, |url, (sign, code)| url.replace(sign, code)))
    }
}

/// Our templates by name, as a publisher can take and change them.
pub const TEMPLATES: [(&str, &str); 13] = [
    (
        "_aside.html",
        include_str!("../../templates/theme/_aside.html"),
    ),
    (
        "_block.html",
        include_str!("../../templates/theme/_block.html"),
    ),
    (
        "_mail.html",
        include_str!("../../templates/theme/_mail.html"),
    ),
    (
        "_masthead.html",
        include_str!("../../templates/theme/_masthead.html"),
    ),
    (
        "_story.html",
        include_str!("../../templates/theme/_story.html"),
    ),
    (
        "_style.html",
        include_str!("../../templates/theme/_style.html"),
    ),
    (
        "_block.txt",
        include_str!("../../templates/theme/_block.txt"),
    ),
    ("_mail.txt", include_str!("../../templates/theme/_mail.txt")),
    (
        "digest.html",
        include_str!("../../templates/theme/digest.html"),
    ),
    (
        "digest.txt",
        include_str!("../../templates/theme/digest.txt"),
    ),
    (
        "letter.html",
        include_str!("../../templates/theme/letter.html"),
    ),
    (
        "letter.txt",
        include_str!("../../templates/theme/letter.txt"),
    ),
    ("page.html", include_str!("../../templates/theme/page.html")),
];

/// A publisher's own templates, in place of ours of the same name.
#[derive(Debug, Clone)]
pub(super) struct OwnTemplates {
    templates: Environment<'static>,
}

impl OwnTemplates {
    /// Takes in the templates of `own`, by name.
    ///
    /// # Errors
    /// All that cannot be read, and those that nothing would ever use.
    pub(super) fn new(own: &BTreeMap<String, String>) -> Result<Self, Vec<TemplateError>> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_fuel(Some(FUEL));
        templates.add_filter("wrapped", |text: String, first: String, rest: String| {
            text::wrapped(&text, &first, &rest)
        });
        templates.add_filter("breakable", |text: String, language: String| {
            text::breakable(&text, &language, text::LONGEST_WORD)
        });
        let mut errors = Vec::new();
        let ours = TEMPLATES
            .into_iter()
            .filter(|(name, _)| !own.contains_key(*name));
        let all = ours.chain(
            own.iter()
                .map(|(name, source)| (name.as_str(), source.as_str())),
        );
        for (name, source) in all {
            let is_known = TEMPLATES.iter().any(|(known, _)| *known == name);
            let mentions = format!("\"{name}\"");
            let is_mentioned = || own.values().any(|source| source.contains(&mentions));
            if !is_known && (!name.starts_with('_') || !is_mentioned()) {
                errors.push(TemplateError::unused(name));
            }
            if let Err(error) = templates.add_template_owned(name.to_owned(), source.to_owned()) {
                errors.push(TemplateError::of(&error, name));
            }
        }
        if errors.is_empty() {
            Ok(Self { templates })
        } else {
            Err(errors)
        }
    }
}

/// Fills in the template `name`: the publisher's own when there are any, else ours, which is that of `page`.
pub(super) fn fill<T: Template + Serialize>(
    own: Option<&OwnTemplates>,
    name: &'static str,
    page: &T,
) -> anyhow::Result<String> {
    match own {
        None => page.render().with_context(|| format!("rendering {name}")),
        Some(own) => {
            let template = own.templates.get_template(name);
            let filled = template.and_then(|template| template.render(Serde(page)));
            if filled.as_ref().is_ok_and(|filled| filled.len() > MAX_BYTES) {
                let what = format!("makes more than {MAX_BYTES} bytes");
                return Err(TemplateError::in_mail(name, what).into());
            }
            filled.map_err(|error| {
                let mut told = TemplateError::of(&error, name);
                if told.what == ErrorKind::OutOfFuel.to_string() {
                    (told.line, told.column) = (None, None);
                    told.what = "does not come to an end".to_owned();
                }
                if told.what.ends_with("is undefined") {
                    told.what.push_str(&suggestion(&told.what, page));
                }
                told.into()
            })
        }
    }
}

/// What a template may do, in instructions and in pieces of 64 bytes that it makes: twenty times of what a mail of 200
/// stories takes.
const FUEL: u64 = 1_000_000;

/// What a template may make, in bytes: forty times of what a mail can be.
const MAX_BYTES: usize = 4_000_000;

/// What somebody may have meant who named a value that is not there: `what` is “`mail.titel` is undefined”.
fn suggestion(what: &str, page: &impl Serialize) -> String {
    let named = what.split('`').nth(1).unwrap_or_default();
    let name = named.rsplit('.').next().unwrap_or_default();
    let mut known = BTreeSet::new();
    if let Ok(page) = serde_json::to_value(page) {
        names(&page, &mut known);
    }
    let distance = |known: &String| strsim::levenshtein(known, name);
    known
        .into_iter()
        .min_by_key(distance)
        .filter(|known| distance(known) <= if name.len() > 3 { 2 } else { 1 })
        .map_or_else(String::new, |known| format!(" (did you mean `{known}`?)"))
}

/// The names of all values in `value`.
pub(super) fn names(value: &serde_json::Value, known: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, known)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                known.insert(name.clone());
                names(value, known);
            }
        }
        _ => {}
    }
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The name of the template.
    pub name: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The character of the line, counted from 1.
    pub column: Option<usize>,
    /// What is wrong, as a sentence without its full stop.
    pub what: String,
}

impl TemplateError {
    /// `error`, which came up when `name` was read or filled in; it may be in a template that this one includes.
    pub(super) fn of(error: &minijinja::Error, name: &str) -> Self {
        // The innermost error knows the place.
        let mut error = error;
        while let Some(inner) = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<minijinja::Error>())
        {
            error = inner;
        }
        let start = error.range().map(|range| range.start);
        let place = error.template_source().zip(start);
        let column = place.and_then(|(source, start)| {
            let line = source.get(..start)?.rsplit('\n').next()?;
            Some(line.chars().count() + 1)
        });
        Self {
            name: error.name().unwrap_or(name).to_owned(),
            line: error.line(),
            column,
            what: error
                .detail()
                .map_or_else(|| error.kind().to_string(), str::to_owned),
        }
    }

    /// What is wrong with a mail as a whole that the template `name` makes.
    pub(super) fn in_mail(name: &str, what: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            line: None,
            column: None,
            what: what.into(),
        }
    }

    /// A value that the template `name` asks for and that there is not.
    pub(super) fn unknown(name: &str, source: &str, value: &str) -> Self {
        // Only whole words: `title` is no part of `subtitle`.
        let is_whole = |start: usize| {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            !source[..start].ends_with(part) && !source[start + value.len()..].starts_with(part)
        };
        let mut places = source.match_indices(value).map(|(start, _)| start);
        let before = places
            .find(|start| is_whole(*start))
            .map(|start| &source[..start]);
        let last_line = before.and_then(|before| before.rsplit('\n').next());
        Self {
            name: name.to_owned(),
            line: before.map(|before| before.matches('\n').count() + 1),
            column: last_line.map(|line| line.chars().count() + 1),
            what: format!("`{value}` is undefined"),
        }
    }

    fn unused(name: &str) -> Self {
        let pages = TEMPLATES.map(|(name, _)| name);
        let distance = |known: &&str| strsim::levenshtein(known, name);
        let nearest = pages.into_iter().min_by_key(distance);
        if let Some(nearest) = nearest.filter(|nearest| distance(nearest) <= 2) {
            let what = format!("is used by nothing (did you mean `{nearest}`?)");
            return Self::in_mail(name, what);
        }
        let pages: Vec<&str> = pages
            .into_iter()
            .filter(|name| !name.starts_with('_'))
            .collect();
        let what = format!(
            "is used by nothing: mails are made of {}, and the names of their parts begin with “_”",
            pages.join(", ")
        );
        Self::in_mail(name, what)
    }
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for TemplateError {}
