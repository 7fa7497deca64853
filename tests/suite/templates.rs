//! A publisher's own templates, colours and words.

use crate::support::Project;

#[test]
fn templates_are_taken_changed_and_used() {
    let project = Project::shipped();
    let written = project.run(&["templates", "mine", "_story.html"]).expect(0);
    assert_eq!(written.stdout, "mine/_story.html\n");
    let path = project.path("mine/_story.html");
    let ours = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        ours.replace("{{ story.meta }}", "*{{ story.meta }}*"),
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

    project.edit_config("# templates = \"templates/mail\"", "templates = \"mine\"");
    project.run(&["preview"]).expect(0);
    let html = std::fs::read_to_string(project.path("out/daily.html")).unwrap();
    assert!(html.contains("*Netzkurier · 5:48 Uhr*"), "{html}");
}

#[test]
fn with_a_wrong_template_nothing_goes_out() {
    let project = Project::shipped();
    project.run(&["templates", "mine", "_story.html"]).expect(0);
    project.edit_config("# templates = \"templates/mail\"", "templates = \"mine\"");
    std::fs::write(
        project.path("mine/_story.html"),
        "<tr><td>\n  {{ story.titel }}\n</td></tr>\n",
    )
    .unwrap();
    for command in ["send", "preview", "check"] {
        let told = project.run(&[command]).expect(2);
        assert_eq!(
            told.stderr,
            "config.toml has 1 problem:\n\n  \
             mine/_story.html, line 2, column 6: `story.titel` is undefined (did you mean `title`?).\n"
        );
    }
    assert!(project.maildir().is_empty() && !project.path("tidings.db").exists());

    project.edit_config("templates = \"mine\"", "templates = \"nowhere\"");
    let told = project.run(&["check"]).expect(2);
    assert!(
        told.stderr.contains("theme.templates: cannot be read")
            && told.stderr.contains("tidings templates FOLDER"),
        "{}",
        told.stderr
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
        html.contains(".link { color: #829dbe !important; }"),
        "{html}"
    );
    assert!(html.contains("<strong>Rückblick</strong>"));
    let mail = crate::support::inspect(&[project.path("out/daily.eml")]).remove(0);
    assert_eq!(mail.header("Subject"), "Morgenlage · 14 × neu");
}
