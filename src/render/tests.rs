use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::fixtures::*;
use super::*;
use crate::model::{Item, Language, Mark, Personal, Story, TopicId, Topics, Update};

fn personal(language: Language) -> (String, String) {
    bodies(&render(&sample(), language))
}

#[test]
fn the_german_text_reads_well() {
    insta::assert_snapshot!(personal(Language::De).1);
}

#[test]
fn the_english_text_reads_well() {
    insta::assert_snapshot!(personal(Language::En).1);
}

#[test]
fn the_french_text_reads_well() {
    insta::assert_snapshot!(personal(Language::Fr).1);
}

#[test]
fn the_html_has_its_styles_on_its_elements() {
    let (html, _) = personal(Language::De);
    insta::assert_snapshot!(html);
    let (head, body) = html.split_once("<body").unwrap();
    assert!(head.contains("@media (prefers-color-scheme"), "{head}");
    assert!(!body.contains("<style"));
}

#[test]
fn both_bodies_have_imprint_reason_and_a_place_for_the_way_out() {
    let digest = render(&sample(), Language::De);
    for body in [&digest.html, &digest.text] {
        assert_eq!(body.places(), 1);
        let body: String = body.parts().map(|(piece, _)| piece).collect();
        for what in [
            "Muster Verlag",
            "Beispielweg 1, 12345 Musterstadt",
            "abonniert haben",
            "https://example.org/bote/bote.daily.20261120T060000Z.html",
            "Im Browser lesen",
            "Abmelden",
        ] {
            assert!(body.contains(what), "{what}");
        }
    }
    let (html, text) = bodies(&digest);
    let place = Personal::Unsubscribe.mark();
    assert!(!html.contains(place) && !text.contains(place));
}

#[test]
fn a_hostile_item_is_verbatim_in_text_and_harmless_in_html() {
    let title = "<script>alert(1)</script> \"'><img src=x onerror=alert(2)>";
    let hostile = Item {
        source: "</td><h1>Mine".into(),
        url: Some("https://x.example/\" onmouseover=\"evil()".into()),
        comments_url: Some("javascript:alert(3)".into()),
        comments: Some(3),
        ..item("X", title, "<b onclick=evil()>& {{ 7*7 }} {% raw %}")
    };
    let digest = render(
        &edition(vec![("</style><script>", vec![story(hostile, vec![])])]),
        Language::De,
    );
    let (html, text) = bodies(&digest);
    for verbatim in [
        "<script>alert(1)</script>",
        "onerror=alert(2)>",
        "<b onclick=evil()>& {{ 7*7 }} {% raw %}",
        "</td><h1>Mine",
    ] {
        assert!(text.contains(verbatim), "{verbatim}: {text}");
    }
    for tag in [
        "<script",
        "<img",
        "<b ",
        "<h1>Mine",
        "\" onmouseover",
        "javascript:",
    ] {
        assert!(!html.contains(tag), "{tag}: {html}");
    }
    assert_eq!(html.matches("<h1").count(), 1);
    assert!(
        !text.contains("javascript:") && !text.contains("onmouseover"),
        "{text}"
    );
}

#[test]
fn an_audience_sees_its_topics_only() {
    let audience = |topic: &str| Audience {
        topics: Topics::Only(BTreeSet::from([TopicId(topic.into())])),
        ..Audience::everything(Language::De)
    };
    let theme = Theme::default();
    let law = digest(&newsletter(), &theme, &sample(), &audience("recht")).unwrap();
    let (_, text) = bodies(&law);
    assert!(
        text.contains("Ohne Datum") && !text.contains("Laptop"),
        "{text}"
    );
    assert!(text.contains("1 Meldung aus 1 Quelle"));
    assert_eq!(law.subject, "Ohne Datum und Adresse");

    let none = digest(&newsletter(), &theme, &sample(), &audience("sport")).unwrap();
    let (html, text) = bodies(&none);
    for body in [html, text] {
        assert!(body.contains("diesmal nichts Neues"), "{body}");
    }
    assert_eq!(none.subject, "Bote & Söhne");
}

#[test]
fn the_same_edition_gives_the_same_bytes() {
    assert_eq!(
        render(&sample(), Language::De),
        render(&sample(), Language::De)
    );
}

#[test]
fn what_costs_money_or_was_paid_for_says_so_in_the_language_of_the_mail() {
    let marked = |mark, language| {
        let lead = Item {
            mark: Some(mark),
            ..item("Bote", "KI rechnet", "Ein Text.")
        };
        bodies_of(vec![story(lead, Vec::new())], language)
    };
    for (language, word) in [
        (Language::De, "kostenpflichtig"),
        (Language::En, "subscribers only"),
    ] {
        let (html, text) = marked(Mark::Paid, language);
        let said = format!(" · {word}");
        assert!(html.contains(&said) && text.contains(&said), "{text}");
    }
    // That somebody paid for it, readers learn before they read it.
    for (language, word) in [(Language::De, "Anzeige"), (Language::En, "Advertisement")] {
        let (html, text) = marked(Mark::Sponsored, language);
        assert!(text.contains(&format!("1. {word}: KI rechnet")), "{text}");
        let mark = html.find(&format!(">{word}</p>")).unwrap();
        assert!(mark < html.find("KI rechnet</a>").unwrap());
    }
}

#[test]
fn an_update_says_that_it_is_one_and_what_is_new() {
    let known = Story {
        update: Some(Update {
            shown: now() - TimeDelta::days(1),
            news: "Jetzt ist der Preis bekannt.".into(),
        }),
        ..story(
            item("Bote", "Polaris ist da", "Es ist da. Es läuft."),
            vec![],
        )
    };
    let digest = render(&edition(vec![("KI", vec![known])]), Language::De);
    assert_eq!(digest.subject, "Update: Polaris ist da");
    let (html, text) = bodies(&digest);
    assert!(text.contains("1. Update: Polaris ist da\n   Jetzt ist der Preis bekannt.\n"));
    assert!(html.contains(">Update</p>") && html.contains("Jetzt ist der Preis bekannt."));
}

#[test]
fn only_a_discussion_that_is_one_has_a_link() {
    let text_of = |comments_url: &str, comments| {
        let lead = Item {
            url: Some("https://bote.example/a".into()),
            comments_url: Some(comments_url.into()),
            comments,
            ..item("Bote", "KI", "Ein Text.")
        };
        bodies_of(vec![story(lead, vec![])], Language::De).1
    };
    let own = "https://bote.example/a#comments";
    let elsewhere = "https://forum.example/1";
    assert!(text_of(own, Some(1_234)).contains("1.234 Kommentare [2]"));
    assert!(text_of(elsewhere, None).contains("Diskussion [2]"));
    for silent in [
        text_of(own, None),
        text_of(own, Some(0)),
        text_of("https://bote.example/a", Some(3)),
        text_of("mailto:x@example.org", Some(3)),
    ] {
        assert!(!silent.contains("[2]"), "{silent}");
    }
}

#[test]
fn a_long_list_of_outlets_is_cut_and_counted() {
    let outlets = |count: usize| {
        let others = (0..count).map(|n| item(&format!("Blatt{n}"), "KI", ""));
        let lead = item("Bote", "KI", "Ein Text.");
        bodies_of(vec![story(lead, others.collect())], Language::De)
    };
    let (html, text) = outlets(6);
    assert!(html.contains("Blatt5</a></p>"), "{html}");
    assert!(text.contains("Blatt5 [7]"), "{text}");
    let (html, text) = outlets(9);
    assert!(html.contains("Blatt4</a> und 4 weiteren</p>"), "{html}");
    assert!(text.contains("Blatt4 [6] und 4 weiteren\n"), "{text}");
}

#[test]
fn a_story_that_runs_from_right_to_left_is_turned_and_the_mail_is_not() {
    let arabic = Item {
        language: Some("ar".into()),
        ..item("Sahifa", "شبكة جديدة", "نص قصير.")
    };
    let (html, _) = bodies_of(vec![story(arabic, vec![])], Language::De);
    let row = html.split("<tr>").find(|row| row.contains("شبكة")).unwrap();
    let attributes = row.split('>').next().unwrap();
    for wanted in ["dir=\"rtl\"", "lang=\"ar\"", "text-align:right"] {
        assert!(attributes.contains(wanted), "{attributes}");
    }
    let meta = row.split("<p ").last().unwrap();
    assert!(
        meta.contains("lang=\"de\"") && meta.contains("dir=\"ltr\""),
        "{meta}"
    );
    assert_eq!(html.matches("dir=\"rtl\"").count(), 1);
}

#[test]
fn the_layout_has_no_side_of_its_own() {
    let newsletter = newsletter();
    let theme = Theme::default();
    let words = words(Language::De);
    let edition = sample();
    let audience = Audience::everything(Language::De);
    let digest = DigestView::new(&newsletter, &theme, &edition, &audience, Medium::Mail);
    let mail = Mail {
        is_rtl: true,
        align: "right",
        opposite: "left",
        ..Mail::new(&newsletter, Language::De)
    };
    let page = DigestHtml {
        theme: &theme,
        words: &words.labels,
        mail: &mail,
        digest: &digest,
    };
    let html = styled(&theme, "digest.html", &page).unwrap();
    assert_eq!(
        html.matches("dir=\"rtl\"").count(),
        2,
        "document and wrapper"
    );
    assert!(!html.contains("left"), "{html}");
}

#[test]
fn compact_shows_headlines_and_sources_only() {
    let compact = Theme {
        layout: Layout::Compact,
        ..Theme::default()
    };
    let (html, text) = bodies(&render_with(&compact, &sample(), Language::De));
    for body in [html, text] {
        assert!(body.contains("Ein Modell für den Laptop") && !body.contains("Es läuft überall"));
    }
}

#[test]
fn the_words_of_the_publisher_stand_around_the_stories() {
    let theme = Theme::default().with_texts(
        "Guten **Morgen**!",
        "[Danke](https://example.org/danke) fürs Lesen.",
        Language::De,
    );
    let (html, text) = bodies(&render_with(&theme, &sample(), Language::De));
    let order = |body: &str, parts: [&str; 4]| {
        let places: Vec<_> = parts.iter().map(|part| body.find(part)).collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{parts:?} {places:?}"
        );
    };
    order(
        &html,
        [
            "Guten <strong>Morgen</strong>!",
            "Ein Modell",
            ">Danke</a> fürs Lesen.",
            "Muster Verlag",
        ],
    );
    order(
        &text,
        [
            "Guten Morgen!",
            "Ein Modell",
            "Danke (https://example.org/danke) fürs Lesen.",
            "Muster Verlag",
        ],
    );
}

/// All of our templates, as if they were a publisher's own.
fn ours() -> BTreeMap<String, String> {
    TEMPLATES
        .iter()
        .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
        .collect()
}

#[test]
fn our_templates_read_the_same_when_they_are_a_publishers_own() {
    let own = Theme::default().with_templates(&ours()).unwrap();
    assert_eq!(template_problems(&newsletter(), &own), []);
    let full = specimen::edition("bote", now());
    for language in Language::ALL {
        for edition in [&full, &sample()] {
            assert_eq!(
                render_with(&own, edition, language),
                render(edition, language)
            );
        }
    }
}

#[test]
fn one_template_of_a_publishers_own_takes_the_place_of_ours() {
    let source = "<tr><td>{{ story.title }} ({{ words.also }})</td></tr>";
    let own = BTreeMap::from([("_story.html".to_owned(), source.to_owned())]);
    let own = Theme::default().with_templates(&own).unwrap();
    assert_eq!(template_problems(&newsletter(), &own), []);
    let (html, text) = bodies(&render_with(&own, &sample(), Language::De));
    assert!(
        html.contains("<td>Ein Modell für den Laptop (Auch bei)</td>"),
        "{html}"
    );
    assert_eq!(text, personal(Language::De).1);
}

#[test]
fn a_wrong_template_is_told_with_its_place() {
    let problem = |name: &str, source: &str| {
        let mut templates = ours();
        templates.insert(name.to_owned(), source.to_owned());
        let problems = match Theme::default().with_templates(&templates) {
            Ok(theme) => template_problems(&newsletter(), &theme),
            Err(problems) => problems,
        };
        problems
            .into_iter()
            .map(|problem| problem.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let line = "<tr><td>Zeile</td></tr>\n";
    for (name, source, told) in [
        (
            "_story.html",
            format!("{line}<td>ä {{{{ story.titel }}}}</td>"),
            "_story.html, line 2, column 10: `story.titel` is undefined (did you mean `title`?)",
        ),
        (
            "_story.html",
            format!("{line}{{% if story.title %}}"),
            "_story.html, line 2, column 19: unexpected end of input, expected end of block",
        ),
        (
            "digest.txt",
            "{{ mail.reason|shout }}".to_owned(),
            "digest.txt, line 1, column 16: filter shout is unknown",
        ),
        (
            "digset.html",
            String::new(),
            "digset.html: is used by nothing (did you mean `digest.html`?)",
        ),
        (
            "digest.txt",
            "nur Text".to_owned(),
            "digest.txt: lacks the way to unsubscribe, as a link that can be seen: `mail.links` has it as its last link\n\
             digest.txt: lacks “Muster Verlag” of the imprint: `mail.imprint` has its lines",
        ),
        (
            "letter.txt",
            "{% for line in mail.imprint %}{{ line }}{% endfor %}".to_owned(),
            "letter.txt: lacks a personal link that can be seen: `mail.links` and `letter.buttons` have them",
        ),
    ] {
        assert_eq!(problem(name, &source), told, "{source}");
    }
}

#[test]
fn every_value_that_templates_can_name_is_documented() {
    let documented = include_str!("../../docs/templates.md").replace("```", "");
    // What stands as code.
    let words: BTreeSet<&str> = documented
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .collect();
    let (newsletter, theme) = (newsletter(), Theme::default());
    let words_of = words_of_all_pages(&newsletter, &theme);
    assert!(words_of.len() > 60, "{words_of:?}");
    for name in words_of {
        assert!(
            words.contains(name.as_str()),
            "docs/templates.md does not have `{name}`"
        );
    }
}

/// The names of all values in all pages.
fn words_of_all_pages(newsletter: &Newsletter, theme: &Theme) -> BTreeSet<String> {
    let words = words(Language::De);
    let mut edition = specimen::edition("bote", now());
    edition.sections[0].stories.truncate(1);
    let audience = Audience::everything(Language::De);
    let mut digest = DigestView::new(newsletter, theme, &edition, &audience, Medium::Mail);
    digest.number(words);
    let mail = Mail::new(newsletter, Language::De).with_reason(newsletter, words);
    let letter = letter::LetterView::example();
    let pages = [
        serde_json::to_value(DigestHtml {
            theme,
            words: &words.labels,
            mail: &mail,
            digest: &digest,
        }),
        serde_json::to_value(templates::LetterHtml {
            theme,
            words: &words.labels,
            mail: &mail,
            letter: &letter,
        }),
    ];
    let mut names = BTreeSet::new();
    for page in pages {
        templates::names(&page.unwrap(), &mut names);
    }
    names
}
