//! Render: an edition becomes a digest for an audience. Pure: no clock, no network, no store.
//!
//! `view` decides what is shown and holds it as plain values; the templates in `templates/` only lay it out
//! (`templates` fills them in); `locale` has every fixed word, `theme` what a publisher can change. `budget` keeps a mail
//! short enough to be shown whole. Feed text reaches HTML through the escaping of templates and nothing else.

mod block;
mod boilerplate;
mod budget;
mod check;
mod color;
mod direction;
mod feed;
mod followed;
pub mod letter;
pub mod lint;
mod locale;
mod markdown;
mod page;
mod picture;
mod sheet;
mod specimen;
mod story;
mod subject;
mod summary;
mod templates;
mod text;
mod theme;
mod view;

use std::sync::LazyLock;

use anyhow::Context as _;
use askama::Template;
pub use budget::{HTML_BUDGET, encoded_size};
pub use check::template_problems;
pub use color::Color;
use css_inline::{CSSInliner, InlineOptions};
pub(crate) use feed::{Entry, Feed, feed_id};
pub use feed::{atom, json_feed};
pub use followed::{News, followed};
pub(crate) use locale::pages::{Message, PageWords};
pub(crate) use locale::words;
pub use markdown::markdown_problems;
pub use page::{markdown, page};
use serde::Serialize;
use story::{Medium, StoryView};
pub(crate) use story::{excerpt_beside as excerpt, web_link};
use subject::Facts;
use templates::{DigestHtml, DigestText};
pub use templates::{TEMPLATES, TemplateError};
pub use theme::{Images, Layout, Logo, Palette, Theme};
use view::{DigestView, Mail};

use crate::model::{Audience, Body, Digest, Edition, Newsletter};

/// Renders what `audience` asked for. The result is the same for everybody who made the same choices.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn digest(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<Digest> {
    let edition = &*edition.seen_by(audience);
    let words = words(audience.language);
    let view = DigestView::new(newsletter, theme, edition, audience, Medium::Mail);
    let (mut subject, preheader) = lines(newsletter, theme, &view)?;
    if edition.is_of_followed() {
        subject = followed::subject(edition, words);
    }
    let mail = Mail {
        preheader,
        ..Mail::of_edition(newsletter, theme, &edition.id, audience.language, &view)
    }
    .with_reason(newsletter, words);

    let (mut view, html) = budget::fit(view, words, &mail.browser, |digest| {
        let page = DigestHtml {
            theme,
            words: &words.labels,
            mail: &mail,
            digest,
        };
        styled(theme, "digest.html", &page)
    })?;
    view.number(words);
    let page = DigestText {
        words: &words.labels,
        mail: &mail,
        digest: &view,
    };
    let text = text::ended(&templates::fill(theme.own.as_ref(), "digest.txt", &page)?);
    Ok(Digest {
        subject,
        html: Body::new(&html),
        text: Body::new(&text),
    })
}

/// Subject and preheader of a mail with this content.
fn lines(
    newsletter: &Newsletter,
    theme: &Theme,
    view: &DigestView<'_>,
) -> Result<(String, String), TemplateError> {
    // The best of all topics; of equals, the one that is read first.
    let mut stories: Vec<&StoryView<'_>> = view.stories().collect();
    stories.sort_by(|a, b| b.score.total_cmp(&a.score));
    let headlines: Vec<&str> = stories
        .into_iter()
        .filter(|story| !story.is_nameless())
        .map(|story| story.headline.as_str())
        .collect();
    let facts = Facts {
        title: &newsletter.title,
        date: &view.date,
        counts: &view.counts,
        stories: headlines.len(),
        ..Facts::default()
    };
    theme.lines.compose(facts, &headlines)
}

/// The HTML that the template `name` makes of `page`, with the rules of its style sheet on its elements.
fn styled<T: Template + Serialize>(
    theme: &Theme,
    name: &'static str,
    page: &T,
) -> anyhow::Result<String> {
    let html = templates::fill(theme.own.as_ref(), name, page)?;
    if theme.own.is_some()
        && let Some(problem) = sheet::problem(&html)
    {
        return Err(TemplateError::in_mail(name, problem).into());
    }
    INLINER
        .inline(&html)
        .context("putting the styles onto their elements")
}

/// GMX and WEB.DE drop `<style>`, so every rule goes to its elements; only what cannot (dark mode) stays, in a sheet that
/// says so. Without css-inline's default features it can neither fetch nor read a file.
static INLINER: LazyLock<CSSInliner<'static>> = LazyLock::new(|| {
    let options = InlineOptions {
        load_remote_stylesheets: false,
        keep_style_tags: false,
        minify_css: true,
        ..InlineOptions::default()
    };
    CSSInliner::new(options)
});

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
