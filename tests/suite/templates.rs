//! A publisher's own templates, colours and words.

use crate::support::{FeedServer, Project, newsletter, png, rss};

#[test]
fn templates_are_taken_changed_and_used() {
    let project = Project::shipped();
    let written = project.run(&["templates", "mine", "_story.html"]).expect(0);
    assert_eq!(written.stdout, "mine/_story.html\n");
    let path = project.path("mine/_story.html");
    let ours = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        ours.replace(
            "{{ story.meta|breakable(mail.language) }}",
            "*{{ story.meta }}*",
        ),
    )
    .unwrap();

    // What is there stays.
    let again = project.run(&["templates", "mine"]).expect(0);
    assert!(
        again.stderr.contains("mine/_story.html is there already")
            && again.stdout.contains("mine/digest.txt"),
        "{}",
        again.stderr
    );
    assert!(std::fs::read_to_string(&path).unwrap().contains("*{{"));

    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    project.run(&["preview"]).expect(0);
    let html = std::fs::read_to_string(project.path("out/daily.html")).unwrap();
    assert!(html.contains("*Netzkurier · 5:48 Uhr*"), "{html}");
}

#[test]
fn with_a_wrong_template_nothing_goes_out() {
    let project = Project::shipped();
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    std::fs::write(
        project.path("mine/_story.html"),
        "<tr><td>\n  {{ story.titel }}\n</td></tr>\n",
    )
    .unwrap();
    for command in ["send", "preview", "check"] {
        let told = project.run(&[command]).expect(2);
        assert_eq!(
            told.stderr,
            "mine has 1 problem:\n\n  \
             mine/_story.html, line 2, column 6: `story.titel` is undefined (did you mean `title`?).\n"
        );
    }
    assert!(project.maildir().is_empty() && !project.path("tidings.db").exists());

    project.edit_config("templates = \"mine\"", "templates = \"nowhere\"");
    let told = project.run(&["check"]).expect(2);
    assert!(
        told.stderr.contains("nowhere: cannot be read")
            && told.stderr.contains("tidings templates FOLDER"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_template_without_an_end_or_a_way_out_is_refused() {
    let project = Project::shipped();
    project
        .run(&["templates", "mine", "_mail.html", "_style.html"])
        .expect(0);
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    let ours = |name: &str| std::fs::read_to_string(project.path("mine").join(name)).unwrap();
    let (mail, style) = (ours("_mail.html"), ours("_style.html"));
    let ways = "<p class=\"ways\">";
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}</body>";
    for (file, from, to, told) in [
        (
            "_mail.html",
            ways,
            "<p style=\"display: none\">",
            "digest.html: lacks the way to unsubscribe",
        ),
        (
            "_mail.html",
            "<a class=\"link\" href=\"{{ link.url }}\">{{ link.label }}</a>",
            "{{ link.url }}",
            "lacks the way to unsubscribe",
        ),
        (
            "_mail.html",
            "<span",
            "<span hidden",
            "lacks “Muster Verlag GmbH, Beispielweg 1, 12345 Musterstadt” of the imprint",
        ),
        (
            "_mail.html",
            "</body>",
            endless,
            "_mail.html: does not come to an end",
        ),
        (
            "_mail.html",
            "</body>",
            "<script>x()</script></body>",
            "there is a <script>",
        ),
        (
            "_mail.html",
            "</body>",
            &format!("{}</body>", "<p>Viel Text.</p>".repeat(6_000)),
            "“Gmail shows it whole.” does not hold",
        ),
        (
            "_style.html",
            ".story {",
            ".story { colour: red; {",
            "its style sheet",
        ),
    ] {
        let source = if file == "_mail.html" { &mail } else { &style };
        assert!(source.contains(from), "{from}");
        std::fs::write(project.path("mine").join(file), source.replace(from, to)).unwrap();
        let ran = project.run(&["send"]).expect(2);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        std::fs::write(project.path("mine").join(file), source).unwrap();
    }
    // Nobody waits for a template who wants to leave.
    std::fs::write(project.path("mine/_mail.html"), "{% if").unwrap();
    project.run(&["subscribers", "list"]).expect(0);
    assert!(project.maildir().is_empty());
}

#[test]
fn what_lies_beside_the_templates_is_not_taken_for_one() {
    let project = Project::shipped();
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    let story = std::fs::read_to_string(project.path("mine/_story.html")).unwrap();
    std::fs::write(project.path("mine/._story.html"), [0xff]).unwrap();
    // As editors of other systems save it.
    let foreign = format!("\u{feff}{}", story.replace('\n', "\r\n"));
    std::fs::write(project.path("mine/_story.html"), foreign).unwrap();
    project.run(&["preview", "--cadence", "daily"]).expect(0);
    let html = std::fs::read_to_string(project.path("out/daily.html")).unwrap();
    assert!(!html.contains('\u{feff}') && !html.contains('\r'));

    std::fs::rename(
        project.path("mine/_story.html"),
        project.path("mine/_stroy.html"),
    )
    .unwrap();
    let ran = project.run(&["check"]).expect(2);
    assert!(
        ran.stderr
            .contains("mine/_stroy.html: is used by nothing (did you mean `_story.html`?)"),
        "{}",
        ran.stderr
    );
    std::fs::write(project.path("mine/_story.html"), [0xff]).unwrap();
    let ran = project.run(&["check"]).expect(2);
    assert!(
        ran.stderr.contains("mine/_story.html: cannot be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_newsletter_has_its_own_colours_and_words() {
    let project = Project::shipped();
    project.edit_config("# accent = \"#9a3412\"", "accent = \"#1d4e89\"");
    project.edit_config(
        "# subject = \"{{ headlines }}\"",
        "subject = \"{{ title }} · {{ stories }} × neu\"",
    );
    project.edit_config("# header = ", "header = ");
    project.run(&["preview"]).expect(0);
    let html = std::fs::read_to_string(project.path("out/daily.html")).unwrap();
    assert!(html.contains("color:#1d4e89") && !html.contains("#9a3412"));
    // By night the accent is the same colour, lighter.
    assert!(
        html.contains(".link { color: #669ddf !important; }"),
        "{html}"
    );
    assert!(html.contains("<strong>Rückblick</strong>"));
    let mail = crate::support::inspect(&[project.path("out/daily.eml")]).remove(0);
    assert_eq!(mail.header("Subject"), "Morgenlage · 14 × neu");
}

#[test]
fn blocks_stand_between_the_sections_and_jobs_are_no_news() {
    let project = Project::shipped();
    std::fs::write(
        project.path("jobs.xml"),
        rss(
            "Stellen",
            &[("Redakteurin für KI und Sprachmodelle", "Wir suchen sofort.")],
        ),
    )
    .unwrap();
    let blocks = "[[block]]\nafter = \"ki\"\ntitle = \"Rechner\"\ntext = \"Leise.\"\nsponsor = \"Muster GmbH\"\n\
                  [[block]]\ntitle = \"Stellen\"\nfeed = \"jobs.xml\"\n\
                  [[block]]\ntitle = \"Vorbei\"\ntext = \"x\"\nuntil = \"2026-11-19\"\n";
    project.edit_config("[store]", &format!("{blocks}[store]"));
    let ran = project.run(&["preview", "--cadence", "daily"]).expect(0);
    assert!(ran.stdout.contains("Read 7 of 7 feeds"), "{}", ran.stdout);
    let text = std::fs::read_to_string(project.path("out/daily.txt")).unwrap();
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(place("# Anzeige · Muster GmbH: Rechner\nLeise.") < place("# IT-Sicherheit"));
    assert!(place("# Stellen\n- Redakteurin für KI") > place("# Open Source"));
    assert_eq!(text.matches("Redakteurin für KI").count(), 1);
    assert!(text.contains("14 Meldungen") && !text.contains("Vorbei"));
    // What was sent has them too.
    project.run(&["send"]).expect(0).silent();
    let sent = project.maildir();
    assert!(sent.iter().any(|mail| {
        std::fs::read_to_string(mail)
            .unwrap()
            .contains("Redakteurin")
    }));
}

#[test]
fn pictures_are_shown_when_the_publisher_wants_them_and_they_are_there() {
    let server = FeedServer::start();
    let picture = server.script("/large.png", |_| (200, vec![], png(1200, 600)));
    let dot = server.script("/dot.png", |_| (200, vec![], png(1, 1)));
    let gone = server.status("/gone.png", 404);
    let feed = |picture: &str| {
        rss(
            "Bote",
            &[("KI am Morgen", "Ein Satz über künstliche Intelligenz.")],
        )
        .replace(
            "<description>",
            &format!("<enclosure url=\"{picture}\" type=\"image/png\" length=\"9\"/><description>"),
        )
    };
    let project = Project::with_config(
        &(newsletter()
            + "[theme]\nimages = \"proxied\"\nimage_proxy = \"https://img.example.org/{width}?{url}\"\n\
               [[feed]]\nurl = \"feed.xml\"\n"),
    );
    let html = |picture: &str| {
        std::fs::write(project.path("feed.xml"), feed(picture)).unwrap();
        project.run(&["preview"]).expect(0);
        std::fs::read_to_string(project.path("out/daily.html")).unwrap()
    };
    let shown = html(&picture);
    assert!(
        shown.contains("src=\"https://img.example.org/560?http%3A%2F%2F127.0.0.1")
            && shown.contains("width=\"280\" height=\"140\"")
            && shown.contains("<img class=\"picture\" alt=\"\""),
        "{shown}"
    );
    assert!(!html(&dot).contains("<img"));
    assert!(!html(&gone).contains("<img"));
    let told = project.run(&["preview"]).expect(0).stdout;
    assert!(told.contains("1 of 1 picture is left out"), "{told}");

    // Linked, they come over https or not at all; and without a word nothing is loaded.
    project.edit_config("images = \"proxied\"", "images = \"linked\"");
    assert!(!html(&picture).contains("<img"));
    project.edit_config("images = \"linked\"", "");
    let asked = server.requests("/large.png").len();
    assert!(!html(&picture).contains("<img"));
    assert_eq!(
        server.requests("/large.png").len(),
        asked,
        "nothing is asked for"
    );
}

#[test]
fn a_preview_tells_what_readers_would_hold_against_a_template() {
    let project = Project::shipped();
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    let path = project.path("mine/_story.html");
    let ours = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        ours.replace("<p class=\"meta\"", "<p style=\"color:#bbbbbb\""),
    )
    .unwrap();
    let told = project.run(&["preview", "--cadence", "daily"]).expect(0);
    assert_eq!(
        told.stderr,
        "daily: “Its letters can be read by day and by night.” does not hold: \
         “Netzkurier · 5:48 Uhr ·” has a contrast of 1.8, and 23 more.\n"
    );
    let json = project
        .run(&["preview", "--json", "--cadence", "daily"])
        .expect(0)
        .json();
    assert_eq!(json["editions"][0]["flaws"][0]["weight"], "grave");
}

#[test]
fn a_template_without_room_for_what_readers_follow_is_refused() {
    for (file, part, told) in [
        (
            "digest.html",
            "{{- digest.followed_html|safe }}",
            "digest.followed_html",
        ),
        (
            "digest.txt",
            "{{- digest.followed_text }}",
            "digest.followed_text",
        ),
        (
            "digest.html",
            "{{- section.begins|safe }}",
            "section.begins",
        ),
    ] {
        let project = Project::shipped();
        project.run(&["templates", "mine", file]).expect(0);
        project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
        project.run(&["preview"]).expect(0);
        let path = project.path("mine").join(file);
        let ours = std::fs::read_to_string(&path).unwrap();
        assert!(ours.contains(part), "{ours}");
        std::fs::write(&path, ours.replace(part, "")).unwrap();
        let refused = project.run(&["send"]);
        assert!(
            refused.code != Some(0) && refused.stderr.contains(told),
            "{}",
            refused.stderr
        );
    }
}
