//! An edition outside of mail: as a page for the web and as Markdown. No limit cuts them, and nothing in them is personal.

use anyhow::Context as _;
use askama::Template as _;

use super::locale::words;
use super::story::Medium;
use super::templates::{self, PageHtml, PageMarkdown};
use super::view::{DigestView, Mail};
use super::{Theme, lines};
use crate::model::{Audience, Edition, Newsletter};

/// The page for the web of what `audience` asked for.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn page(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<String> {
    let edition = &*edition.seen_by(audience);
    let digest = DigestView::new(newsletter, theme, edition, audience, Medium::Web);
    let (_, preheader) = lines(newsletter, theme, &digest)?;
    let mail = Mail {
        preheader,
        ..Mail::of_edition(newsletter, theme, &edition.id, audience.language, &digest)
    }
    .with_pages(newsletter, words(audience.language));
    let page = PageHtml {
        theme,
        words: &words(audience.language).labels,
        mail: &mail,
        digest: &digest,
    };
    templates::fill(theme.own.as_ref(), "page.html", &page)
}

/// The same as Markdown.
///
/// # Errors
/// None that a test does not rule out.
pub fn markdown(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<String> {
    let edition = &*edition.seen_by(audience);
    let digest = DigestView::new(newsletter, theme, edition, audience, Medium::Web);
    let mail = Mail::of_edition(newsletter, theme, &edition.id, audience.language, &digest);
    let page = PageMarkdown {
        words: &words(audience.language).labels,
        mail: &mail,
        digest: &digest,
    };
    page.render().context("writing the edition as Markdown")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::specimen;
    use super::*;
    use crate::model::{Item, Language, Personal};

    #[test]
    fn the_markdown_reads_well() {
        let edition = specimen::edition("bote", now());
        let everything = Audience::everything(Language::De);
        let markdown = markdown(&newsletter(), &Theme::default(), &edition, &everything);
        insta::assert_snapshot!(markdown.unwrap());
    }

    #[test]
    fn the_page_has_everything_and_nothing_personal() {
        let edition = specimen::edition("bote", now());
        let theme = Theme::default().with_texts("Oben", "Unten", Language::De);
        let page = page(
            &newsletter(),
            &theme,
            &edition,
            &Audience::everything(Language::De),
        )
        .unwrap();
        for part in [
            "<html lang=\"de\">",
            "<link rel=\"canonical\" href=\"https://example.org/bote/bote.daily.20261120T060000Z.html\">",
            "7 Meldungen aus",
            "Oben",
            "Unten",
            "Anzeige · Sample &#38; Sons",
            "lang=\"ar\" dir=\"rtl\"",
            "Beispielweg 1, 12345 Musterstadt",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for personal in [Personal::Unsubscribe.mark(), "Abmelden", "abonniert haben"] {
            assert!(!page.contains(personal), "{personal}");
        }
    }

    #[test]
    fn a_hostile_item_is_harmless_on_the_page_and_in_markdown() {
        let hostile = Item {
            url: Some("https://x.example/a_(b)".into()),
            ..item(
                "[x](javascript:y)",
                "<script>alert(1)</script>](javascript:z) # *x*",
                "1. <img src=x onerror=y>",
            )
        };
        let edition = edition(vec![("<h1>KI", vec![story(hostile, vec![])])]);
        let everything = Audience::everything(Language::De);
        let page = page(&newsletter(), &Theme::default(), &edition, &everything).unwrap();
        for tag in ["<script", "<img", "<h1>KI", "href=\"javascript"] {
            assert!(!page.contains(tag), "{tag}: {page}");
        }
        let markdown = markdown(&newsletter(), &Theme::default(), &edition, &everything).unwrap();
        let shown = super::super::markdown::passage(&markdown, "de").html;
        assert!(
            !shown.contains("<img") && !shown.contains("href=\"javascript"),
            "{shown}"
        );
        assert!(
            shown.contains("href=\"https://x.example/a_%28b%29\""),
            "{shown}"
        );
        let whole = shown.replace('\u{200b}', "");
        assert!(whole.contains("&lt;script&gt;alert(1)"), "{shown}");
    }
}
