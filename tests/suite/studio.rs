//! The page that `tidings preview --serve` shows, and that it follows what changes.

use crate::support::{FeedServer, Project, Studio, browse, newsletter, rss};

#[test]
fn the_page_shows_every_mail_with_its_size_and_checks() {
    let project = Project::shipped();
    let studio = Studio::start(&project);
    let (status, page) = studio.get("/");
    assert!(status == 200 && page.contains("/preview.js"), "{page}");
    assert!(studio.get("/preview.js").1.contains("follow()"));
    let state = studio.state_when(|state| state["problem"].is_null());
    assert_eq!(state["title"], "Morgenlage – preview");
    let mails = state["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 6);
    for mail in mails {
        let what = mail[0].as_str().unwrap();
        let look = studio.json(&format!("/look?what={what}&language=fr"));
        assert!(
            look["html"].as_str().unwrap().contains("<html lang=\""),
            "{what}"
        );
        assert!(
            look["source"]
                .as_str()
                .unwrap()
                .contains("MIME-Version: 1.0")
        );
        assert!(look["html_bytes"].as_u64().unwrap() < look["budget"].as_u64().unwrap());
        for check in look["checks"].as_array().unwrap() {
            assert_eq!(
                check["problems"].as_array().unwrap().len(),
                0,
                "{what}: {check}"
            );
        }
        assert_eq!(look["page"].is_string(), !what.starts_with("letter-"));
    }
    assert!(studio.get("/why").1.contains("why this, why not that"));
    assert_eq!(studio.get("/look?what=monthly&language=de").0, 404);
    assert_eq!(studio.get("/look?what=daily&language=xx").0, 404);
    assert!(!project.path("tidings.db").exists(), "nothing changes");
}

#[test]
fn a_page_elsewhere_cannot_read_it() {
    let project = Project::shipped();
    let studio = Studio::start(&project);
    assert_eq!(
        studio
            .get_as(Some("evil.example"), "/look?what=daily&language=de")
            .0,
        421
    );
    assert_eq!(studio.get_as(Some("localhost:1"), "/").0, 200);
    assert_eq!(studio.post_from(Some("http://evil.example"), "/fetch"), 403);
    assert_eq!(studio.post_from(Some(&studio.url), "/fetch"), 202);
}

#[test]
fn it_follows_configuration_templates_and_feeds() {
    let project = Project::shipped();
    let studio = Studio::start(&project);
    let html = || {
        let look = studio.json("/look?what=daily&language=de");
        look["html"].as_str().unwrap().to_owned()
    };
    let when_shown = |part: &str| studio.state_when(|_| html().contains(part));
    when_shown("Morgenlage");

    project.edit_config("title = \"Morgenlage\"", "title = \"Abendlage\"");
    assert_eq!(when_shown("Abendlage")["title"], "Abendlage – preview");

    let feed = project.path("samples/spreebote.xml");
    let text = std::fs::read_to_string(&feed).unwrap();
    std::fs::write(
        &feed,
        text.replace("Jede zweite Lehrkraft", "Jede dritte Lehrkraft"),
    )
    .unwrap();
    when_shown("Jede dritte Lehrkraft");

    // A wrong template is told and leaves what was there; then it is mended.
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    let template = project.path("mine/_story.html");
    let ours = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, ours.replace("story.meta", "story.mta")).unwrap();
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    let state = studio.state_when(|state| !state["problem"].is_null());
    let problem = state["problem"].as_str().unwrap();
    assert!(
        problem.contains("mine/_story.html, line") && problem.contains("did you mean `meta`?"),
        "{problem}"
    );
    assert!(html().contains("Jede dritte Lehrkraft"));
    std::fs::write(
        &template,
        ours.replace(
            "{{ story.meta|breakable(mail.language) }}",
            "[{{ story.meta }}]",
        ),
    )
    .unwrap();
    studio.state_when(|state| state["problem"].is_null());
    when_shown("[Netzkurier · 5:48 Uhr]");
    std::fs::write(
        &template,
        ours.replace(
            "{{ story.meta|breakable(mail.language) }}",
            "({{ story.meta }})",
        ),
    )
    .unwrap();
    when_shown("(Netzkurier · 5:48 Uhr)");
}

#[test]
fn what_is_saved_while_a_template_is_wrong_is_seen_when_it_is_mended() {
    let project = Project::shipped();
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    project.edit_config("# templates = \"templates/theme\"", "templates = \"mine\"");
    let studio = Studio::start(&project);
    let template = project.path("mine/_story.html");
    let ours = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, "{% if").unwrap();
    studio.state_when(|state| !state["problem"].is_null());
    project.edit_config("stories = 8", "stories = 1");
    studio.state_when(|state| state["version"] == 3);
    std::fs::write(&template, ours).unwrap();
    let state = studio.state_when(|state| state["problem"].is_null());
    assert_eq!(state["mails"][0][1], "daily (9)");
}

#[test]
fn what_is_saved_while_feeds_are_asked_is_seen_afterwards() {
    let server = FeedServer::start();
    let project = Project::with_config("");
    let config = project.path("config.toml");
    let url = server.script("/feed", move |_| {
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("Prüfstück & Söhne", "Anders")).unwrap();
        (200, vec![], rss("Bote", &[("KI am Morgen", "Ein Text.")]))
    });
    let feed = format!("[[feed]]\nurl = \"{url}\"\n");
    std::fs::write(project.path("config.toml"), newsletter() + &feed).unwrap();
    let studio = Studio::start(&project);
    studio.state_when(|state| state["title"] == "Anders – preview");
}

#[test]
fn feeds_on_the_web_are_asked_once_and_again_when_somebody_wants_it() {
    let server = FeedServer::start();
    let morning = ("KI am Morgen", "Ein Text.");
    let url = server.feed("/feed", rss("Bote", &[morning]));
    let project = Project::with_config(&(newsletter() + &format!("[[feed]]\nurl = \"{url}\"\n")));
    let studio = Studio::start(&project);
    let when_labelled = |label: &str| studio.state_when(|state| state["mails"][0][1] == label);
    when_labelled("daily (1)");
    project.edit_config("title = \"Prüfstück & Söhne\"", "title = \"Anders\"");
    studio.state_when(|state| state["title"] == "Anders – preview");
    assert_eq!(server.requests("/feed").len(), 1);

    server.feed(
        "/feed",
        rss("Bote", &[morning, ("KI am Mittag", "Noch ein Satz.")]),
    );
    assert_eq!(studio.post("/fetch"), 202);
    when_labelled("daily (2)");
    assert_eq!(server.requests("/feed").len(), 2);
}

#[test]
fn people_can_use_the_page_on_any_screen_by_day_and_by_night() {
    let project = Project::shipped();
    let studio = Studio::start(&project);
    let page = format!("{}/", studio.url);
    for found in browse(&[page.into()]).into_iter().flatten() {
        assert_eq!(found.problems, [""; 0]);
    }
}
