//! The commands as people type them, wrong arguments included.

use crate::support::{Project, newsletter};

#[test]
fn a_bad_configuration_is_told_all_at_once_with_exit_2() {
    let config = newsletter()
        .replace("language = \"de\"", "langage = \"de\"")
        .replace("0 7 * * *", "61 7 * * *")
        + "[[feed]]\nurl = \"gopher://example.org\"\n[delivery]\nmailer = \"pigeon\"\n";
    let ran = Project::with_config(&config).run(&["send"]).expect(2);
    assert_eq!(ran.stdout, "");
    for expected in [
        "config.toml has 5 problems:",
        "newsletter.language: is missing.",
        "line 6, newsletter.langage: is not a key that Tidings knows.\n      Did you mean `language`?",
        "line 14, cadence.daily.cron: “61 7 * * *” is not a schedule",
        "line 20, feed[1].url: “gopher://example.org” is neither a web address nor a file.",
        "line 22, delivery.mailer: “pigeon” is not a way to send mail.\n      One of: maildir, smtp, sendmail.",
    ] {
        assert!(
            ran.stderr.contains(expected),
            "{expected:?} is not in:\n{}",
            ran.stderr
        );
    }
}

#[test]
fn a_missing_configuration_points_to_init() {
    let project = Project::with_config("");
    let ran = project
        .run(&["preview", "--config", "elsewhere.toml"])
        .expect(2);
    assert!(
        ran.stderr.contains("elsewhere.toml") && ran.stderr.contains("tidings init"),
        "{}",
        ran.stderr
    );
}

#[test]
fn init_writes_a_configuration_that_works_and_never_overwrites_one() {
    let project = Project::with_config("");
    std::fs::remove_file(project.path("config.toml")).unwrap();
    project.run(&["init", "--yes"]).expect(0);
    project.run(&["check"]).expect(0);
    let ran = project.run(&["init", "--yes"]).expect(1);
    assert!(ran.stderr.contains("is there already"), "{}", ran.stderr);
}

#[test]
fn wrong_arguments_say_what_is_right() {
    let project = Project::shipped();
    let ran = project.run(&["preview", "--at", "tomorrow"]).expect(2);
    assert!(ran.stderr.contains("2026-11-20 07:00"), "{}", ran.stderr);
    let ran = project.run(&["preview", "--cadence", "hourly"]).expect(2);
    assert!(ran.stderr.contains("daily, weekly"), "{}", ran.stderr);
    let ran = project.run(&["subscribers", "add", "nobody"]).expect(2);
    assert!(
        ran.stderr.contains("an address has one @"),
        "{}",
        ran.stderr
    );
    let ran = project
        .run(&["subscribers", "add", "x@example.org", "--topic", "kochen"])
        .expect(2);
    assert!(
        ran.stderr.contains("ki, sicherheit, open-source"),
        "{}",
        ran.stderr
    );
}

#[test]
fn subscribers_come_and_go() {
    let project = Project::shipped();
    let states = || {
        let rows = project
            .run(&["subscribers", "list", "--json"])
            .expect(0)
            .json();
        let row = |row: &serde_json::Value| {
            format!(
                "{} {}",
                row["address"].as_str().unwrap(),
                row["state"].as_str().unwrap()
            )
        };
        rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let configured = [
        "anna@example.org confirmed",
        "ben@example.org confirmed",
        "clara@example.org confirmed",
    ];
    assert_eq!(states(), configured);

    let ran = project
        .run(&["subscribers", "add", "dora@example.org"])
        .expect(0);
    assert!(ran.stderr.contains("pending"), "{}", ran.stderr);
    project
        .run(&[
            "subscribers",
            "add",
            "dora@example.org",
            "--confirmed",
            "--topic",
            "ki",
        ])
        .expect(0);
    project
        .run(&["subscribers", "remove", "Clara@Example.org"])
        .expect(0);
    project
        .run(&["subscribers", "remove", "clara@example.org"])
        .expect(1);
    let list = "email;name\nemil@example.org;Emil\nclara@example.org;Clara\nnot an address;X\n";
    std::fs::write(project.path("list.csv"), list).unwrap();
    let ran = project
        .run(&["subscribers", "import", "list.csv", "--confirmed"])
        .expect(3);
    assert!(
        ran.stdout.contains("Added 1 subscriber, updated 0."),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("1 person was left alone: they have unsubscribed."),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("Not taken, line 4: “not an address” is not an address"),
        "{}",
        ran.stderr
    );

    let all = [
        "anna@example.org confirmed",
        "ben@example.org confirmed",
        "clara@example.org unsubscribed",
        "dora@example.org confirmed",
        "emil@example.org confirmed",
    ];
    assert_eq!(states(), all);
    let csv = project.run(&["subscribers", "export"]).expect(0).stdout;
    std::fs::remove_file(project.path("tidings.db")).unwrap();
    std::fs::write(project.path("all.csv"), csv).unwrap();
    project.edit_config("[[subscriber]]", "# nobody\n#[[subscriber]]");
    project.edit_config("\naddress", "\n#address");
    project.edit_config("\nname = \"Anna", "\n#");
    project.edit_config("\nname = \"Ben", "\n#");
    project.edit_config("\nname = \"Clara", "\n#");
    project.edit_config("\nlanguage = \"en\"\n", "\n");
    project.edit_config("\ntopics = [\"ki\"", "\n#");
    project.edit_config("\ncadence = \"weekly\"\n", "\n");
    project.run(&["subscribers", "import", "all.csv"]).expect(0);
    assert_eq!(states(), all, "an export is a complete copy");
}

#[test]
fn who_is_taken_out_of_the_configuration_gets_nothing_until_put_back() {
    let project = Project::shipped();
    project.run(&["subscribers", "list"]).expect(0);
    project.edit_config(
        "address = \"ben@example.org\"",
        "address = \"bea@example.org\"",
    );
    let list = project.run(&["subscribers", "list"]).expect(0).stdout;
    let state = |list: &str, address: &str| {
        list.lines()
            .find(|line| line.starts_with(address))
            .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
    };
    assert_eq!(state(&list, "ben@").as_deref(), Some("pending"));
    project.edit_config(
        "address = \"bea@example.org\"",
        "address = \"ben@example.org\"",
    );
    let list = project.run(&["subscribers", "list"]).expect(0).stdout;
    assert_eq!(state(&list, "ben@").as_deref(), Some("confirmed"));
    assert_eq!(state(&list, "bea@").as_deref(), Some("pending"));
}

#[test]
fn feeds_are_listed_and_checked() {
    let project = Project::shipped();
    let listed = project.run(&["feeds", "list"]).expect(0).stdout;
    assert!(listed.contains("never fetched"), "{listed}");
    std::fs::write(project.path("samples/harbour-post.xml"), "not a feed").unwrap();
    let checked = project.run(&["feeds", "check"]).expect(3).stdout;
    assert!(
        checked.contains("Spreebote") && checked.contains("10 items"),
        "{checked}"
    );
    assert!(
        checked.contains("It is not a feed that can be read"),
        "{checked}"
    );
    assert!(
        !project.path("tidings.db").exists(),
        "a check stores nothing"
    );
}

#[test]
fn adding_somebody_again_changes_only_what_is_said() {
    let project = Project::shipped();
    let row = || {
        let rows = project
            .run(&["subscribers", "list", "--json"])
            .expect(0)
            .json();
        let dora = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["address"] == "dora@example.org")
            .unwrap();
        format!(
            "{} {} {} {} {}",
            dora["name"], dora["state"], dora["cadence"], dora["language"], dora["topics"]
        )
    };
    let add = |more: &[&str]| {
        project
            .run(&[&["subscribers", "add", "dora@example.org"], more].concat())
            .expect(0)
            .stderr
    };
    add(&[
        "--confirmed",
        "--name",
        "Dora",
        "--cadence",
        "weekly",
        "--topic",
        "ki",
    ]);
    assert_eq!(row(), "\"Dora\" \"confirmed\" \"weekly\" null [\"ki\"]");
    assert_eq!(
        add(&["--language", "en"]),
        "",
        "nobody is told that a confirmed person is pending"
    );
    assert_eq!(row(), "\"Dora\" \"confirmed\" \"weekly\" \"en\" [\"ki\"]");

    project
        .run(&["subscribers", "remove", "dora@example.org"])
        .expect(0);
    let said = add(&[]);
    assert!(
        said.contains("They have unsubscribed, and stay so"),
        "{said}"
    );
    assert!(row().contains("unsubscribed"));
    add(&["--confirmed"]);
    assert_eq!(row(), "\"Dora\" \"confirmed\" \"weekly\" \"en\" [\"ki\"]");

    let ran = project
        .run(&[
            "subscribers",
            "add",
            "anna@example.org",
            "--cadence",
            "weekly",
        ])
        .expect(2);
    assert!(
        ran.stderr
            .contains("The configuration names this subscriber"),
        "{}",
        ran.stderr
    );
}

#[test]
fn who_is_confirmed_by_the_configuration_alone_is_so_no_longer_without_it() {
    let project = Project::shipped();
    project
        .run(&["subscribers", "add", "zoe@example.org"])
        .expect(0);
    project.edit_config("ben@example.org", "zoe@example.org");
    let state = || {
        let list = project.run(&["subscribers", "list"]).expect(0).stdout;
        let line = list
            .lines()
            .find(|line| line.starts_with("zoe@"))
            .unwrap()
            .to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(state(), "confirmed");
    project.edit_config("zoe@example.org", "ben@example.org");
    assert_eq!(state(), "pending");
}

#[test]
fn subscribers_whose_cadence_is_gone_are_counted() {
    let project = Project::shipped();
    project
        .run(&[
            "subscribers",
            "add",
            "--confirmed",
            "dora@example.org",
            "--cadence",
            "weekly",
        ])
        .expect(0);
    project.edit_config("[cadence.weekly]", "[cadence.monthly]");
    project.edit_config("cadence = \"weekly\"", "cadence = \"monthly\"");
    let checked = project.run(&["check"]).expect(1).stdout;
    assert!(
        checked.contains("✗ subscribers   1 subscriber has chosen the cadence “weekly”, which"),
        "{checked}"
    );
    let sent = project.run(&["send"]).expect(3).stderr;
    assert!(
        sent.contains(
            "1 subscriber has chosen the cadence “weekly”, which the configuration does not have"
        ),
        "{sent}"
    );
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let project = Project::shipped();
    let list: String = (0..5_000)
        .map(|n| format!("reader{n}@example.org\n"))
        .collect();
    std::fs::write(project.path("list.csv"), format!("address\n{list}")).unwrap();
    project
        .run(&["subscribers", "import", "list.csv", "--confirmed"])
        .expect(0);
    project.run(&["send"]);
    for what in [
        "subscribers list",
        "subscribers export",
        "editions list",
        "editions show last",
        "check --offline",
        "feeds list",
        "explain",
        "preview",
        "help",
    ] {
        let arguments: Vec<&str> = what.split(' ').collect();
        let mut command = project.command(&arguments);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(0), ""),
            "{what}"
        );
    }
}

#[test]
fn a_result_that_finds_no_room_is_a_failure() {
    let project = Project::shipped();
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = project
        .command(&["feeds", "list"])
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
}

#[test]
fn a_log_has_a_line_for_each_run_or_for_each_decision_and_nothing_personal() {
    let project = Project::shipped();
    project
        .run(&["subscribers", "add", "--confirmed", "dora@example.org"])
        .expect(0);
    let lines = |flags: &[&str]| -> Vec<String> {
        let log = project.run(flags).stderr;
        let lines = log
            .lines()
            .map(|line| line.split_once("tidings::").unwrap().1.to_owned());
        lines.collect()
    };
    let run = lines(&["send", "-v"]);
    assert_eq!(run.len(), 1, "{run:#?}");
    assert!(
        run[0].contains("6 feeds read (0 failed), ") && run[0].ends_with(" sent"),
        "{}",
        run[0]
    );

    project.sql("UPDATE delivery SET state = 'pending', ended_at = NULL; DELETE FROM edition_item");
    let decisions = lines(&["send", "-vv"]);
    for part in [
        "read feed=",
        "decided cadence=daily",
        "tried delivery=1 state=Sent",
    ] {
        assert!(
            decisions.iter().any(|line| line.contains(part)),
            "{part}: {decisions:#?}"
        );
    }
    assert!(
        decisions.iter().all(|line| !line.contains('@')),
        "{decisions:#?}"
    );
}
