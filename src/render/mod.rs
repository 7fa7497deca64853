//! Render: an edition becomes a digest for an audience. Pure: no clock, no network, no store.
//!
//! `view` decides what is shown and holds it as plain values; the templates in `templates/` only lay it out;
//! `locale` has every fixed word. Feed text reaches HTML through askama's escaping and nothing else.

mod boilerplate;
mod locale;
mod summary;
mod view;

use std::sync::LazyLock;

use anyhow::Context as _;
use askama::Template as _;
use css_inline::{CSSInliner, InlineOptions};

use crate::model::{Audience, Digest, Edition, Newsletter};
use view::{HtmlPage, TextPage, View};

/// The subject is the first headline, as one line of a mailbox; the sender's name says which newsletter it is.
const SUBJECT_CHARS: usize = 70;

/// Renders what `audience` asked for. The result is the same for everybody who made the same choices.
///
/// # Errors
/// When a template fails, which its tests rule out.
pub fn digest(
    newsletter: &Newsletter,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<Digest> {
    let view = View::new(newsletter, edition, audience);
    let html = HtmlPage { view: &view }
        .render()
        .context("rendering the HTML body")?;
    let html = INLINER
        .inline(&html)
        .context("putting the styles into the HTML body")?;
    let text = TextPage { view: &view }
        .render()
        .context("rendering the text body")?;
    Ok(Digest {
        subject: summary::cut(
            view.headline.as_deref().unwrap_or(&newsletter.title),
            SUBJECT_CHARS,
        ),
        html,
        text,
    })
}

/// GMX and WEB.DE drop `<style>`, so every rule goes to its elements; only what cannot (dark mode) stays
/// in the head. Without css-inline's default features it can neither fetch nor read a file.
static INLINER: LazyLock<CSSInliner<'static>> = LazyLock::new(|| {
    let options = InlineOptions {
        load_remote_stylesheets: false,
        keep_style_tags: false,
        keep_at_rules: true,
        minify_css: true,
        ..InlineOptions::default()
    };
    CSSInliner::new(options)
});

#[cfg(test)]
mod tests;
