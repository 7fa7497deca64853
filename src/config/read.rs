//! Reads a TOML document key by key and remembers everything that is wrong with it.
//!
//! serde stops at the first error; a person who edits a configuration wants all of them at once. So the
//! document is parsed into toml's spanned tree, and each section asks for the keys that it knows. What
//! nobody asked for is an unknown key.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::Problem;
use super::values::{not_empty, visible};
use crate::render::markdown_problems;

/// The problems found so far, and the text that their lines are counted in.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, Problem)>>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            found: RefCell::default(),
        }
    }

    /// Notes a problem at a place of the text.
    pub(super) fn add(
        &self,
        at: Option<Range<usize>>,
        key: &str,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let start = at.as_ref().map_or(usize::MAX, |span| span.start);
        let line = at.map(|span| {
            self.text[..span.start.min(self.text.len())]
                .matches('\n')
                .count()
                + 1
        });
        let problem = Problem {
            line,
            key: key.to_owned(),
            what: what.into(),
            hint: hint.into(),
            ..Problem::default()
        };
        self.found.borrow_mut().push((start, problem));
    }

    /// All problems, in the order of the text.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(start, _)| *start);
        found.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// A table that is being read. Dropping it without [`Table::done`] would let unknown keys pass.
pub(super) struct Table<'a, 't> {
    problems: &'a Problems<'t>,
    table: Option<&'a DeTable<'t>>,
    /// The full name, as in `delivery.smtp`; empty for the document.
    name: String,
    span: Option<Range<usize>>,
    known: BTreeSet<&'static str>,
}

/// A value with the place and the name that a problem with it is reported at.
pub(super) struct Found<'a, 't> {
    pub(super) value: &'a DeValue<'t>,
    pub(super) span: Range<usize>,
    pub(super) key: String,
}

impl<'a, 't> Table<'a, 't> {
    /// The document as a table.
    pub(super) fn root(problems: &'a Problems<'t>, document: &'a DeTable<'t>) -> Self {
        Self {
            problems,
            table: Some(document),
            name: String::new(),
            span: None,
            known: BTreeSet::new(),
        }
    }

    /// Whether the table stands in the document at all.
    pub(super) fn exists(&self) -> bool {
        self.table.is_some()
    }

    fn full_name(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    /// The value of `key`, when it is there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Found<'a, 't>> {
        self.known.insert(key);
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Found {
            value: value.get_ref(),
            span: value.span(),
            key: self.full_name(key),
        })
    }

    /// Notes that `key` is missing.
    pub(super) fn missing(&self, key: &str, hint: &str) {
        self.problems
            .add(self.span.clone(), &self.full_name(key), "is missing", hint);
    }

    /// Notes a problem with a value that was found.
    pub(super) fn wrong(
        &self,
        found: &Found<'_, '_>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems
            .add(Some(found.span.clone()), &found.key, what, hint);
    }

    /// Notes a problem with a part of the value of `key`.
    pub(super) fn wrong_at(
        &self,
        span: Range<usize>,
        key: &str,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems
            .add(Some(span), &self.full_name(key), what, hint);
    }

    /// The text of `key`, when it is there and is text, parsed by `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.get(key)?;
        let Some(text) = found.value.as_str() else {
            self.wrong(
                &found,
                format!("must be text in quotes, not {}", kind(found.value)),
                hint,
            );
            return None;
        };
        visible(text)
            .and_then(|()| parse(text))
            .map_err(|what| self.wrong(&found, what, hint))
            .ok()
    }

    /// The same, for a key that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            self.missing(key, hint);
            return None;
        }
        self.parsed(key, hint, parse)
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str, hint: &str) -> Option<String> {
        self.parsed(key, hint, not_empty)
    }

    /// A text in Markdown. What a mail cannot show of it is a problem.
    pub(super) fn markdown(&mut self, key: &'static str, hint: &str) -> Option<String> {
        let text = self.text(key, hint)?;
        let found = self.get(key)?;
        for problem in markdown_problems(&text) {
            self.wrong(&found, problem, hint);
        }
        Some(text)
    }

    /// A whole number in `range`.
    pub(super) fn number(&mut self, key: &'static str, range: Range<i64>) -> Option<i64> {
        let found = self.get(key)?;
        let number = found
            .value
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(
                &found,
                format!(
                    "must be a whole number from {} to {}",
                    range.start,
                    range.end - 1
                ),
                "",
            );
        }
        number
    }

    /// A number in `range`, whole or not.
    pub(super) fn real(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let found = self.get(key)?;
        let whole = found.value.as_integer().map(DeInteger::as_str);
        let text = whole.or_else(|| found.value.as_float().map(DeFloat::as_str));
        let number = text.and_then(|text| text.replace('_', "").parse().ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let what = format!("must be a number from {} to {}", range.start(), range.end());
            self.wrong(
                &found,
                what,
                "Write it without quotes and with a point: 0.5.",
            );
        }
        number
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let found = self.get(key)?;
        let flag = found.value.as_bool();
        if flag.is_none() {
            self.wrong(
                &found,
                format!("must be true or false, not {}", kind(found.value)),
                "Write it without quotes.",
            );
        }
        flag
    }

    /// A span of time.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        let parse = |text: &str| {
            humantime::parse_duration(text)
                .ok()
                .filter(|duration| !duration.is_zero())
                .ok_or_else(|| format!("“{text}” is not a span of time"))
        };
        self.parsed(
            key,
            "Write a number with its unit: \"90s\", \"15m\", \"6h\", \"2d\".",
            parse,
        )
    }

    /// A list of texts that are not empty, each with its place.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<(String, Range<usize>)> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = found.value.as_array() else {
            self.wrong(
                &found,
                "must be a list of texts",
                format!("Write {key} = [\"one\", \"two\"]."),
            );
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in array {
            match value
                .get_ref()
                .as_str()
                .map(str::trim)
                .filter(|text| !text.is_empty())
            {
                Some(text) => match visible(text) {
                    Ok(()) => texts.push((text.to_owned(), value.span())),
                    Err(what) => self.problems.add(Some(value.span()), &found.key, what, ""),
                },
                None => self.problems.add(
                    Some(value.span()),
                    &found.key,
                    "must be a list of texts that are not empty",
                    "",
                ),
            }
        }
        texts
    }

    /// A table inside this one; an empty one when it is not there.
    pub(super) fn table(&mut self, key: &'static str) -> Table<'a, 't> {
        let found = self.get(key);
        let table = found.as_ref().and_then(|found| found.value.as_table());
        if let (Some(found), None) = (&found, table) {
            self.wrong(
                found,
                "must be a section",
                format!("Write [{}] on a line of its own.", found.key),
            );
        }
        self.inner(self.full_name(key), table, found.map(|found| found.span))
    }

    /// The tables inside this one, by name, in the order of the text: `[cadence.daily]`, `[cadence.weekly]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<(String, Table<'a, 't>)> {
        let outer = self.table(key);
        let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'t>>)> =
            outer.table.into_iter().flatten().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let inner = |(name, value): (
            &Spanned<std::borrow::Cow<'_, str>>,
            &'a Spanned<DeValue<'t>>,
        )| {
            let full = outer.full_name(name.get_ref());
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.problems.add(
                    Some(value.span()),
                    &full,
                    "must be a section",
                    format!("Write [{full}]."),
                );
            }
            (
                name.get_ref().to_string(),
                outer.inner(full, table, Some(name.span())),
            )
        };
        entries.into_iter().map(inner).collect()
    }

    /// Whether `key` is a list of tables rather than one.
    pub(super) fn is_list(&mut self, key: &'static str) -> bool {
        self.get(key)
            .is_some_and(|found| found.value.as_array().is_some())
    }

    /// The entries of a list of tables: `[[feed]]`. Each is named with its place, as in `feed[2]`.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Table<'a, 't>> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = found.value.as_array() else {
            self.wrong(
                &found,
                "must be a list of sections",
                format!("Write [[{}]] above each entry.", found.key),
            );
            return Vec::new();
        };
        let entry = |(place, value): (usize, &'a Spanned<DeValue<'t>>)| {
            let name = format!("{}[{}]", self.full_name(key), place + 1);
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.problems.add(
                    Some(value.span()),
                    &name,
                    "must be a section",
                    format!("Write [[{}]] above it.", found.key),
                );
            }
            self.inner(name, table, Some(value.span()))
        };
        array.iter().enumerate().map(entry).collect()
    }

    fn inner(
        &self,
        name: String,
        table: Option<&'a DeTable<'t>>,
        span: Option<Range<usize>>,
    ) -> Table<'a, 't> {
        Table {
            problems: self.problems,
            table,
            name,
            span,
            known: BTreeSet::new(),
        }
    }

    /// Ends the reading: every key that nobody asked for is unknown.
    pub(super) fn done(self) {
        for (name, _) in self.table.into_iter().flatten() {
            if self.known.contains(&**name.get_ref()) {
                continue;
            }
            let distance = |known: &&str| strsim::levenshtein(known, name.get_ref());
            let hint = match self
                .known
                .iter()
                .copied()
                .min_by_key(|known| distance(known))
            {
                Some(known) if distance(&known) <= 2 => format!("Did you mean `{known}`?"),
                _ => format!(
                    "Known here: {}.",
                    self.known.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            };
            self.problems.add(
                Some(name.span()),
                &self.full_name(name.get_ref()),
                "is not a key that Tidings knows",
                hint,
            );
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
