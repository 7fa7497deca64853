use super::super::fixtures::*;
use super::super::{Images, Layout, Theme, letter, specimen};
use super::*;
use crate::model::{Digest, Language, Letter};

const UNSUBSCRIBE: &str = "mailto:x@example.org?subject=unsubscribe%20y@example.org";

fn problems(mail: Rendered<'_>) -> Vec<String> {
    let checks = lint(&newsletter(), mail).into_iter();
    checks
        .filter(|check| !check.problems.is_empty())
        .map(|check| format!("{} {:?}", check.rule, check.problems))
        .collect()
}

fn assert_flawless(digest: &Digest, what: &str) {
    let (html, text) = bodies(digest);
    let mail = Rendered {
        subject: &digest.subject,
        html: &html,
        text: &text,
        unsubscribe: Some(UNSUBSCRIBE),
    };
    assert_eq!(problems(mail), [""; 0], "{what}");
}

#[test]
fn no_digest_of_ours_breaks_a_rule() {
    let pictures = Theme {
        images: Images::Linked,
        ..Theme::default().with_texts(
            "[Hallo](https://example.org/)",
            "- eins\n- zwei",
            Language::De,
        )
    };
    let compact = Theme {
        layout: Layout::Compact,
        ..Theme::default()
    };
    for theme in [Theme::default(), pictures, compact] {
        for language in Language::ALL {
            for edition in [specimen::edition("bote", now()), sample(), edition(vec![])] {
                let digest = render_with(&theme, &edition, language);
                assert_flawless(&digest, &format!("{language} {:?}", theme.layout));
            }
        }
    }
}

#[test]
fn no_letter_of_ours_breaks_a_rule() {
    let (newsletter, theme) = (newsletter(), Theme::default());
    let link = "https://example.org/u/1?a=1&b=2";
    for language in Language::ALL {
        let letters: [(anyhow::Result<Letter>, _); 4] = [
            (
                letter::confirmation(&newsletter, &theme, language, link, now()),
                None,
            ),
            (
                letter::welcome(&newsletter, &theme, language, Some(now()), link),
                Some(link),
            ),
            (
                letter::goodbye(&newsletter, &theme, language, Some(link)),
                None,
            ),
            (
                letter::report(&newsletter, &theme, "All is well", Vec::new()),
                None,
            ),
        ];
        for (letter, unsubscribe) in letters {
            let letter = letter.unwrap();
            let mail = Rendered {
                subject: &letter.subject,
                html: &letter.html,
                text: &letter.text,
                unsubscribe,
            };
            assert_eq!(problems(mail), [""; 0], "{language} {}", letter.subject);
        }
    }
}

/// A mail that breaks no rule but those that `body` breaks.
fn around(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"de\"><head><title>x</title></head><body><table role=\"presentation\" lang=\"de\"><tr><td>\
         <h1>Bote</h1>{body}<p>Muster Verlag<br>Beispielweg 1, 12345 Musterstadt</p></td></tr></table></body></html>"
    )
}

const TEXT: &str = "Muster Verlag\nBeispielweg 1, 12345 Musterstadt\n";

#[test]
fn every_rule_finds_what_breaks_it() {
    let clean = |html: &str| {
        problems(Rendered {
            subject: "Betreff",
            html,
            text: TEXT,
            unsubscribe: None,
        })
    };
    assert_eq!(clean(&around("<p>Gut</p>")), [""; 0]);
    let style = "style=\"display:flex;margin:0 -4px\"";
    for (body, told) in [
        ("<script>x</script>", "there is a <script>"),
        ("<form action=\"/\"></form>", "there is a <form>"),
        ("<p onclick=\"x\">y</p>", "acts"),
        ("<a href=\"javascript:x\">y</a>", "acts"),
        (
            &format!("<p {style}>x</p>"),
            "some do not know “display: flex”",
        ),
        (
            &format!("<p {style}>x</p>"),
            "some do not know “margin: 0 -4px”",
        ),
        ("<img src=\"https://x.example/a.png\">", "has no alt"),
        (
            "<img src=\"http://x.example/a.png\" alt=\"\" width=\"1\" height=\"1\">",
            "does not come by https",
        ),
        (
            "<table><tr><td>x</td></tr></table>",
            "1 of them have no role",
        ),
        ("<h1>Noch einer</h1>", "there are 2 <h1>"),
        ("<h3>Zu tief</h3>", "<h3> “Zu tief” skips a level"),
        (
            "<p style=\"color:#aaaaaa\">blass</p>",
            "“blass” has a contrast of 2.3",
        ),
        ("<a href=\"\">x</a>", "is a link to nowhere"),
        ("<a href=\"https://x.example/\"></a>", "has no text"),
        (
            "<a href=\"https://x.example/\">https://bank.example</a>",
            "leads to https://x.example/",
        ),
        (
            "<a href=\"http://x.example/\">x</a>",
            "Links are https. [\"http://x.example/\"]",
        ),
        (
            "<img src=\"https://x.example/a.png\" alt=\"\" width=\"300\" height=\"1\">",
            "a.png has 300 pixels",
        ),
        (
            &"Rindfleischetikettierung".repeat(2),
            "has no place where it may be broken",
        ),
        (
            "<table role=\"presentation\"><p>x</p></table>",
            "well-formed",
        ),
    ] {
        let found = clean(&around(body));
        assert!(
            found.iter().any(|problem| problem.contains(told)),
            "{body}: {found:?}"
        );
    }
    assert!(clean("<p>nichts</p>").len() >= 3);
    assert!(
        clean(&around(&"<p>lang und länger</p>".repeat(5_000)))[0].contains("bytes on the wire")
    );
}

#[test]
fn text_and_subject_have_rules_too() {
    let html = around("");
    for (subject, text, told) in [
        ("", TEXT, "it is empty"),
        ("x", "nur das", "the text lacks “Muster Verlag”"),
        (
            "x",
            &format!("{TEXT}{}", "Wort ".repeat(30)),
            "line 3 has 149 columns",
        ),
        (
            "x",
            &format!("{TEXT}\u{202e}x"),
            "line 3 has characters that cannot be seen",
        ),
    ] {
        let mail = Rendered {
            subject,
            html: &html,
            text: text.trim_end(),
            unsubscribe: None,
        };
        let found = problems(mail);
        assert!(
            found.iter().any(|problem| problem.contains(told)),
            "{told}: {found:?}"
        );
    }
    let url = "https://example.org/u";
    for (way_out, is_seen) in [
        (format!("<a href=\"{url}\">Abmelden</a>"), true),
        (url.to_owned(), false),
        (format!("<a href=\"{url}\"></a>"), false),
        (format!("<!-- <a href=\"{url}\">x</a> -->"), false),
        (
            format!("<p style=\"display: none\"><a href=\"{url}\">x</a></p>"),
            false,
        ),
    ] {
        assert_eq!(
            has_link(&Document::from(around(&way_out)), url),
            is_seen,
            "{way_out}"
        );
    }
    let mail = Rendered {
        subject: "x",
        html: &html,
        text: TEXT,
        unsubscribe: Some(url),
    };
    assert!(problems(mail)[0].contains("the text has no link to unsubscribe"));
}
