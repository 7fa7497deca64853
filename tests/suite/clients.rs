//! Our mails and pages as mail programs, validators, browsers and spam filters see them.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::support::{
    FeedServer, Found, Pages, Project, browse, check, newsletter, png, read_along, rss, spam_score,
};

/// All languages that mails are written in.
const LANGUAGES: [&str; 6] = ["de", "en", "fr", "es", "it", "nl"];

/// Asserts that nothing was found.
fn assert_flawless(found: Option<Vec<Found>>) {
    for file in found.into_iter().flatten() {
        assert_eq!(file.problems, [""; 0], "{}", file.file.display());
    }
}

/// The shipped project with everything that a mail can have around its stories.
fn dressed() -> Project {
    let project = Project::shipped();
    for key in ["browser_url", "preferences_url", "header", "footer"] {
        project.edit_config(&format!("# {key} = "), &format!("{key} = "));
    }
    project.edit_config(
        "# url = \"https://example.org\"",
        "url = \"https://example.org\"",
    );
    project.edit_config("# sponsored = \"drop\"", "sponsored = \"mark\"");
    let block = "[[block]]\nafter = \"ki\"\ntitle = \"Rechner\"\ntext = \"Leise. [Mehr](https://example.org/)\n\n- eins\n- zwei\"\nsponsor = \"Muster GmbH\"\n";
    project.edit_config(
        "[store]",
        &format!(
            "{}[store]",
            block.replace("\n\n- eins\n- zwei", "\\n\\n- eins\\n- zwei")
        ),
    );
    project
}

/// A project whose one section has so many stories, told by several outlets.
fn long(stories: usize) -> Project {
    let mut config =
        newsletter().replace("keywords = [\"KI\"]", "keywords = [\"KI\"]\nstories = 100");
    for outlet in ["Bote", "Kurier", "Anzeiger", "Rundschau"] {
        let _ = writeln!(config, "[[feed]]\nurl = \"{outlet}.xml\"");
    }
    let project = Project::with_config(&config);
    let word = |seed: usize| -> String {
        const SYLLABLES: [&str; 16] = [
            "ka", "lo", "mi", "ter", "sen", "bra", "dol", "fe", "gur", "hin", "jo", "kel", "lam",
            "nor", "os", "pir",
        ];
        let place = |at: usize| SYLLABLES[((seed * 2_654_435_761) >> (4 * at)) % 16];
        (0..3).map(place).collect()
    };
    for (place, outlet) in ["Bote", "Kurier", "Anzeiger", "Rundschau"]
        .into_iter()
        .enumerate()
    {
        let items: Vec<(String, String)> = (0..stories)
            .filter(|number| number % 4 == place)
            .map(|number| {
                let words: Vec<String> = (0..26).map(|at| word(number * 97 + at)).collect();
                // As in any text, many words are short.
                let text = |words: &[String]| words.join(" und der ");
                (
                    format!("KI {} {} für {}", words[0], words[1], words[2]),
                    format!(
                        "Über {}. Und {} dazu.",
                        text(&words[3..12]),
                        text(&words[12..])
                    ),
                )
            })
            .collect();
        let items: Vec<(&str, &str)> = items
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        std::fs::write(project.path(&format!("{outlet}.xml")), rss(outlet, &items)).unwrap();
    }
    project
}

/// Writes previews with these arguments, and gives the paths of `files` among them.
fn preview(project: &Project, out: &str, arguments: &[&str], files: &[&str]) -> Vec<PathBuf> {
    let mut all = vec!["preview", "--out", out];
    all.extend(arguments);
    project.run(&all).expect(0);
    files
        .iter()
        .map(|file| project.path(out).join(file))
        .collect()
}

/// A digest with a picture.
fn with_picture(server: &FeedServer) -> Project {
    let picture = server.script("/large.png", |_| (200, vec![], png(1200, 600)));
    let project = Project::with_config(
        &(newsletter()
            + "[theme]\nimages = \"proxied\"\nimage_proxy = \"https://img.example.org/{width}?{url}\"\n\
               [[feed]]\nurl = \"feed.xml\"\n"),
    );
    let feed = rss(
        "Bote",
        &[("KI am Morgen", "Ein Satz über künstliche Intelligenz.")],
    );
    let enclosure =
        format!("<enclosure url=\"{picture}\" type=\"image/png\" length=\"9\"/><description>");
    std::fs::write(
        project.path("feed.xml"),
        feed.replace("<description>", &enclosure),
    )
    .unwrap();
    project
}

/// A digest whose publisher has words that are wider than a phone wherever they can be, and blocks without a title.
fn with_long_words() -> Project {
    let word = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetzesentwurf";
    let address = "https://example.org/newsletter/archiv/2026/11/20/ausgabe";
    let block = |text: &str| format!("[[block]]\ntext = \"{text}\"\n");
    let theme = format!(
        "[theme]\nimages = \"none\"\nheader = \"{word}: {address}\"\nfooter = \"> {word}\\n\\n- <{address}>\"\n"
    );
    let config = newsletter().replace("Prüfstück & Söhne", "Wirtschaftsnachrichtendienst");
    let config = config.replace(
        "imprint = \"",
        &format!("tagline = \"{word}\"\nimprint = \"{word} "),
    );
    let blocks = [block(word), block(&format!("Mehr: {address}"))].concat();
    let project =
        Project::with_config(&(config + &theme + "[[feed]]\nurl = \"feed.xml\"\n" + &blocks));
    let headline = format!("KI und {word}");
    std::fs::write(project.path("feed.xml"), rss(word, &[(&headline, word)])).unwrap();
    project
}

#[test]
fn every_mail_program_understands_our_mails() {
    let project = dressed();
    let mut mails = Vec::new();
    for language in LANGUAGES {
        mails.extend(preview(
            &project,
            language,
            &["--language", language],
            &["daily.html", "weekly.html"],
        ));
        for letter in ["confirmation", "welcome", "goodbye", "report"] {
            let file = format!("letter-{letter}.html");
            mails.extend(preview(
                &project,
                language,
                &["--letter", letter, "--language", language],
                &[&file],
            ));
        }
    }
    let server = FeedServer::start();
    let pictured = with_picture(&server);
    mails.extend(preview(&pictured, "out", &[], &["daily.html"]));
    assert!(
        std::fs::read_to_string(mails.last().unwrap())
            .unwrap()
            .contains("<img")
    );
    let long = long(40);
    mails.extend(preview(&long, "out", &[], &["daily.html"]));
    project.edit_config("# layout = \"full\"", "layout = \"compact\"");
    mails.extend(preview(&project, "compact", &[], &["daily.html"]));
    assert_flawless(check("mail", &mails));

    let pages = ["daily.page.html", "weekly.page.html", "report.html"];
    assert_flawless(check(
        "page",
        &preview(&project, "pages", &["--format", "page"], &pages),
    ));
}

#[test]
fn people_can_read_them_on_any_screen_by_day_and_by_night() {
    let project = dressed();
    let mut files = preview(
        &project,
        "out",
        &["--format", "html,page"],
        &["daily.html", "daily.page.html", "report.html"],
    );
    for letter in ["confirmation", "report"] {
        files.extend(preview(
            &project,
            "out",
            &["--letter", letter],
            &[&format!("letter-{letter}.html")],
        ));
    }
    let server = FeedServer::start();
    let pictured = with_picture(&server);
    files.extend(preview(
        &pictured,
        "out",
        &["--format", "html,page"],
        &["daily.html", "daily.page.html"],
    ));
    let long = with_long_words();
    files.extend(preview(
        &long,
        "out",
        &["--format", "html,page"],
        &["daily.html", "daily.page.html"],
    ));
    long.edit_config(
        "images = \"none\"",
        "layout = \"compact\"\nlogo = { url = \"https://example.org/logo.png\", width = 280, height = 56 }",
    );
    files.extend(preview(&long, "compact", &[], &["daily.html"]));
    assert_flawless(browse(&files));
}

#[test]
fn the_checks_find_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.html");
    let html = "<!DOCTYPE html><html lang=\"de\"><head><meta charset=\"utf-8\"><title>x</title></head><body>\
                <div style=\"display:flex;width:900px\"><p style=\"color:#dddddd;font-size:9px\">blass</p><img src=\"x.png\"></div></body></html>";
    std::fs::write(&file, html).unwrap();
    let files = [file];
    let said = |found: Vec<Found>, parts: &[&str]| {
        let problems = found[0].problems.join("\n");
        for part in parts {
            assert!(problems.contains(part), "{part}: {problems}");
        }
    };
    if let Some(found) = check("mail", &files) {
        said(
            found,
            &["outlook.windows does not know display:flex", "alt"],
        );
    }
    if let Some(found) = browse(&files) {
        said(
            found,
            &[
                "at 375 px it scrolls sideways",
                "“blass” has 9 px",
                "color-contrast",
                "image-alt",
            ],
        );
    }
}

#[test]
fn a_long_digest_is_small_enough_and_no_spam() {
    let project = long(40);
    let files = preview(&project, "out", &[], &["daily.eml", "daily.html"]);
    let html = std::fs::read_to_string(&files[1]).unwrap();
    assert_eq!(html.matches("<h3").count(), 40);
    let mail = std::fs::read_to_string(&files[0]).unwrap();
    let part = mail.split("Content-Type: text/html").nth(1).unwrap();
    assert!(part.len() <= 80_000, "{}", part.len());
    if let Some(score) = spam_score(&files[0]) {
        assert!(score <= 0.5, "{score}");
    }
    let letters = Project::shipped();
    for letter in ["confirmation", "welcome", "goodbye", "report"] {
        let files = preview(
            &letters,
            "out",
            &["--letter", letter],
            &[&format!("letter-{letter}.eml")],
        );
        if let Some(score) = spam_score(&files[0]) {
            assert!(score <= 0.5, "{letter}: {score}");
        }
    }
}

/// What the pages for readers say in a language.
fn words(language: &str) -> serde_json::Value {
    match language {
        "de" => serde_json::json!({
            "home": "Newsletter abonnieren", "address": "E-Mail-Adresse", "daily": "Täglich", "weekly": "Wöchentlich",
            "subscribe": "Kostenlos abonnieren", "sent": "Bitte schauen Sie in Ihr Postfach", "question": "Letzter Schritt",
            "confirm": "Adresse bestätigen", "confirmed": "Willkommen", "preferences": "Einstellungen", "save": "Speichern",
            "saved": "gespeichert", "leave": "Abmelden", "leaveNow": "Jetzt abmelden", "left": "Sie sind abgemeldet",
            "undo": "Rückgängig machen", "back": "Schön, dass Sie bleiben", "archive": "Archiv", "search": "Suchen",
        }),
        _ => serde_json::json!({
            "home": "Subscribe to the newsletter", "address": "E-mail address", "daily": "Daily", "weekly": "Weekly",
            "subscribe": "Subscribe for free", "sent": "Please look into your mailbox", "question": "One last step",
            "confirm": "Confirm address", "confirmed": "Welcome", "preferences": "Preferences", "save": "Save",
            "saved": "are saved", "leave": "Unsubscribe", "leaveNow": "Unsubscribe now", "left": "You have unsubscribed",
            "undo": "Undo", "back": "Good to have you back", "archive": "Archive", "search": "Search",
        }),
    }
}

#[test]
fn readers_find_their_way_in_either_language_with_scripts_and_without() {
    let pages = Pages::start_with_maildir();
    let maildir = pages.project.path("out/Maildir");
    for language in ["de", "en"] {
        for scripts in [true, false] {
            let words = words(language);
            assert_flawless(read_along(&pages.url, &maildir, language, &words, scripts));
        }
    }
}

#[test]
fn the_pages_for_readers_can_be_read_on_any_screen_by_day_and_by_night() {
    let pages = Pages::start("");
    let reader = pages.subscriber("anna@example.org");
    let edition = pages
        .get("archive")
        .find(&format!("{}editions/", pages.url));
    let story = pages
        .get("topics/ki")
        .find(&format!("{}stories/", pages.url));
    let of_reader = [reader.preferences, reader.unsubscribe];
    let public = [
        "",
        "?lang=en",
        "archive",
        "topics/ki",
        "search?q=nichts",
        "embed",
        "nix",
    ];
    let public = public.map(|path| format!("{}{path}", pages.url));
    let all = public.into_iter().chain(of_reader).chain([edition, story]);
    let all: Vec<PathBuf> = all.map(PathBuf::from).collect();
    assert_flawless(browse(&all));
}
