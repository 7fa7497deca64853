//! What feeds write that nobody should have to read: each becomes a mail that reads well.

use std::fmt::Write as _;

use crate::support::{NOW, Project, browse, check, inspect, newsletter};

/// A mail made of a feed with these items, as somebody sees it: subject, text, and the HTML without its styles.
fn mail_of(items: &str) -> String {
    let project = project_of(items, "");
    let (subject, text, html) = bodies(&project);
    let rows: Vec<&str> = html
        .split("<tr>")
        .filter(|row| row.contains("<h3"))
        .collect();
    let mut seen = String::new();
    let _ = writeln!(seen, "{subject}\n\n{text}");
    for row in rows {
        let _ = write!(seen, "\n{}", without_styles(row));
    }
    assert_well_made(&project, &html);
    seen
}

fn project_of(items: &str, config: &str) -> Project {
    let project = Project::with_config(
        &(newsletter() + config + "[[feed]]\nurl = \"feed.xml\"\ntopics = [\"ki\"]\n"),
    );
    let feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\"><channel><title>Bote</title>\
         <link>https://bote.example/</link><language>de</language>{items}</channel></rss>"
    );
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    project
}

/// Subject, text and HTML of the daily preview.
fn bodies(project: &Project) -> (String, String, String) {
    project.run(&["preview"]).expect(0);
    let mail = inspect(&[project.path("out/daily.eml")]).remove(0);
    assert_eq!(mail.defects, [""; 0]);
    let read = |name: &str| std::fs::read_to_string(project.path("out").join(name)).unwrap();
    (
        mail.header("Subject").to_owned(),
        read("daily.txt"),
        read("daily.html"),
    )
}

fn assert_well_made(project: &Project, html: &str) {
    let files = [project.path("out/daily.html")];
    for found in check("mail", &files).into_iter().flatten() {
        assert_eq!(found.problems, [""; 0]);
    }
    let invisible = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!html.contains(invisible), "{html}");
}

#[test]
fn the_oddest_of_them_fit_every_screen() {
    let odd = [
        item(&format!("KI {}", "ä".repeat(500)), TEXT),
        item("KI: شبكة جديدة", "<description>أعلنت الشركة.</description>").replace("/ki<", "/ki2<"),
        item(&format!("KI/{}", "x/".repeat(60)), TEXT).replace("/ki<", "/ki3<"),
        item("KI 👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", TEXT).replace("/ki<", "/ki4<"),
    ];
    let project = project_of(&odd.concat(), "");
    project.run(&["preview", "--format", "html,page"]).expect(0);
    let files = ["daily.html", "daily.page.html"].map(|file| project.path("out").join(file));
    for found in browse(&files).into_iter().flatten() {
        assert_eq!(found.problems, [""; 0], "{}", found.file.display());
    }
}

fn without_styles(html: &str) -> String {
    let mut parts = html.split(" style=\"");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        plain.push_str(part.split_once('"').unwrap().1);
    }
    plain
}

/// An item with this title and more.
fn item(title: &str, more: &str) -> String {
    format!(
        "<item><title>{title}</title><link>https://bote.example/ki</link><pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate>{more}</item>"
    )
}

const TEXT: &str = "<description>Was geschah, steht hier. Was folgt, steht dort.</description>";

#[test]
fn a_title_of_five_hundred_characters() {
    let title = format!("KI {}Ende", "und noch ein Wort ".repeat(28));
    assert!(title.chars().count() > 500);
    insta::assert_snapshot!(mail_of(&item(&title, TEXT)));
}

#[test]
fn a_title_of_five_hundred_characters_without_a_space() {
    insta::assert_snapshot!(mail_of(&item(&format!("KI {}", "ä".repeat(500)), TEXT)));
}

#[test]
fn a_title_of_markup() {
    let title = "KI: &lt;script&gt;alert(1)&lt;/script&gt;&amp;lt;b&amp;gt; {{ 7*7 }} {% raw %} &lt;!-- x --&gt; &amp;amp; ]]&gt;";
    insta::assert_snapshot!(mail_of(&item(title, TEXT)));
}

#[test]
fn links_that_act() {
    let acting = |number: usize, link: &str| {
        format!(
            "<item><title>KI und {}</title><guid isPermaLink=\"false\">{number}</guid><link>{link}</link>\
             <comments>{link}</comments><pubDate>Fri, 20 Nov 2026 05:0{number}:00 +0100</pubDate>\
             <description>&lt;a href=\"{link}\"&gt;Mehr dazu.&lt;/a&gt;</description></item>",
            [
                "Wasserkraft in Norwegen",
                "Gitarren aus Holz",
                "Schneefall am Abend",
                "Brücken in Prag"
            ][number]
        )
    };
    let items: String = [
        "javascript:alert(1)",
        "data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;",
        "vbscript:x",
        "  JaVaScRiPt:alert(1)",
    ]
    .iter()
    .enumerate()
    .map(|(number, link)| acting(number, link))
    .collect();
    let mail = mail_of(&items);
    assert!(
        !mail.to_lowercase().contains("script:") && !mail.contains("data:"),
        "{mail}"
    );
    insta::assert_snapshot!(mail);
}

#[test]
fn characters_that_turn_the_text_around() {
    let title = "KI \u{202e}nehcam\u{202c} \u{2066}gnalznesaN\u{2069} \u{200f}und\u{200e} weiter";
    insta::assert_snapshot!(mail_of(&item(title, TEXT)));
}

#[test]
fn characters_that_nobody_sees() {
    let title = "K\u{200b}I im\u{ad}mer\u{feff} da\u{2060}bei &#1;&#x92;&#x200B; Ende";
    insta::assert_snapshot!(mail_of(&item(title, TEXT)));
}

#[test]
fn emoji_that_are_made_of_many_characters() {
    // The family, the flag and the skin stand where the title is cut for the subject.
    let title = format!(
        "KI {} 👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪e\u{301} und danach noch mehr Wörter, die keiner liest",
        "sieht alles und ".repeat(4)
    );
    insta::assert_snapshot!(mail_of(&item(&title, TEXT)));
}

#[test]
fn an_item_of_nothing_but_a_link() {
    insta::assert_snapshot!(mail_of(
        "<item><link>https://bote.example/2026/ki-im-museum.html</link></item>"
    ));
}

#[test]
fn letters_from_right_to_left_and_from_the_east() {
    let arabic = item(
        "KI: شبكة جديدة للذكاء الاصطناعي",
        "<description>أعلنت الشركة عن نموذج جديد. سيكون متاحا للجميع.</description>",
    );
    let japanese = arabic.replace("/ki<", "/ki2<").replace(
        "KI: شبكة جديدة للذكاء الاصطناعي",
        "KI：新しい人工知能モデルが発表された",
    );
    let japanese = japanese.replace(
        "أعلنت الشركة عن نموذج جديد. سيكون متاحا للجميع.",
        "東京の研究所は金曜日、新しい言語モデルを発表した。価格は無料で、誰でもすぐに使うことができるという。",
    );
    insta::assert_snapshot!(mail_of(&(arabic + &japanese)));
}

#[test]
fn a_topic_without_a_story() {
    let config = "[[topic]]\nid = \"sport\"\ntitle = \"Sport\"\nkeywords = [\"Fußball\"]\n";
    let project = project_of(&item("KI am Morgen", TEXT), config);
    let (_, text, html) = bodies(&project);
    assert!(!html.contains("Sport"));
    insta::assert_snapshot!(text);
}

#[test]
fn two_hundred_stories() {
    let config = "stories = 100\n[[topic]]\nid = \"netz\"\ntitle = \"Netz\"\nkeywords = [\"Netz\"]\nstories = 100\n";
    let syllables = [
        "ba", "ko", "mi", "ter", "sen", "dru", "fel", "gan", "hop", "jux",
    ];
    let word = |seed: usize| {
        let part = |at: u32| syllables[seed / 10_usize.pow(at) % 10];
        format!("{}{}{}{}", part(0), part(1), part(2), part(3))
    };
    let items: String = (0..200)
        .map(|number| {
            let words: Vec<String> = (0..12).map(|at| word(number * 29 + at * 1_013)).collect();
            let topic = if number < 100 { "KI" } else { "Netz" };
            item(
                &format!("{topic} {} {}", words[0], words[1]),
                &format!(
                    "<description>Es heißt {}. Und {} auch.</description>",
                    words[2..7].join(" "),
                    words[7..].join(" ")
                ),
            )
            .replace("/ki<", &format!("/{number}<"))
        })
        .collect();
    // One outlet alone would fill no section.
    let project = project_of(&items, &format!("{config}[rank]\ndiversity = 0\n"));
    let (subject, text, html) = bodies(&project);
    assert_well_made(&project, &html);
    assert!(text.contains("200 Meldungen"), "{}", &text[..200]);
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (&lines[..24], &lines[lines.len() - 24..]);
    insta::assert_snapshot!(format!(
        "{NOW}\n{subject}\n\n{}\n[…]\n{}",
        first.join("\n"),
        last.join("\n")
    ));
}
