//! Nothing lost, nothing twice: kills, interrupts, refusals, locks and TLS.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Stdio;

use crate::support::{Project, Receiver, newsletter, rss};

/// A project with one feed file and this way out.
fn project(delivery: &str, subscribers: &[String]) -> Project {
    let mut config = newsletter() + delivery + "[[feed]]\nurl = \"feed.xml\"\n";
    for address in subscribers {
        let _ = writeln!(config, "[[subscriber]]\naddress = \"{address}\"");
    }
    let project = Project::with_config(&config);
    std::fs::write(
        project.path("feed.xml"),
        rss("Quelle", &[("KI hilft", "Ein Text.")]),
    )
    .unwrap();
    project
}

fn smtp(port: u16, connections: usize) -> String {
    format!(
        "[delivery]\nmailer = \"smtp\"\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n\
         connections = {connections}\n"
    )
}

fn five_hundred() -> Vec<String> {
    (0..500)
        .map(|number| format!("reader{number:03}@example.org"))
        .collect()
}

/// The Message-ID of a mail in a file.
fn message_id(file: &std::path::Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Message-ID:"))
        .unwrap();
    line["Message-ID:".len()..].trim().to_owned()
}

#[test]
fn a_send_that_is_killed_is_finished_by_the_next_one() {
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    let connections = 4;
    let project = project(&smtp(receiver.port, connections), &five_hundred());
    let mut received = Vec::new();
    // Killed twice at different places: what one run leaves behind must not confuse the run after the next.
    for mails in [120, 130] {
        let mut send = project
            .command(&["send"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        received.extend((0..mails).map(|_| receiver.next()));
        // On Unix this is SIGKILL.
        send.kill().unwrap();
        send.wait().unwrap();
    }
    project.run(&["send"]);
    project.run(&["send"]).expect(0).silent();
    received.extend(receiver.rest());

    let recipients: BTreeSet<&str> = received.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(recipients.len(), received.len(), "nobody has it twice");
    let edition = project.run(&[
        "editions",
        "show",
        "last",
        "--json",
        "--deliveries",
        "unknown",
    ]);
    let edition = edition.expect(0).json();
    let list = edition["list"].as_array().unwrap().iter();
    let unknown: BTreeSet<&str> = list.map(|one| one["address"].as_str().unwrap()).collect();
    let sent = edition["deliveries"]["sent"].as_u64().unwrap();
    assert_eq!(sent + unknown.len() as u64, 500, "{edition}");
    assert_eq!(
        recipients.union(&unknown).count(),
        500,
        "nobody was left out"
    );
    // Each connection has at most four at a time, and there were two kills.
    assert!(unknown.len() <= 2 * 4 * connections, "{}", unknown.len());
    let ids: BTreeSet<String> = received.iter().map(|mail| message_id(&mail.file)).collect();
    assert_eq!(ids.len(), received.len());
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_cleanly_and_nobody_gets_it_twice() {
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    let project = project(&smtp(receiver.port, 4), &five_hundred());
    let send = project
        .command(&["send"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut received: Vec<_> = (0..100).map(|_| receiver.next()).collect();
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &send.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let ran = crate::support::Ran::from(send.wait_with_output().unwrap()).expect(130);
    assert!(
        ran.stderr
            .contains("Stopped as asked. The next run goes on where this one ended."),
        "{}",
        ran.stderr
    );

    project.run(&["send"]).expect(0).silent();
    received.extend(receiver.rest());
    let recipients: BTreeSet<&str> = received.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!((received.len(), recipients.len()), (500, 500));
}

#[test]
fn one_refused_recipient_holds_up_nobody() {
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    let subscribers = [
        "anna",
        "refused-bert",
        "later-cara",
        "dora",
        "vanish-emil",
        "fritz",
    ];
    let addresses: Vec<String> = subscribers
        .iter()
        .map(|name| format!("{name}@example.org"))
        .collect();
    let project = project(&smtp(receiver.port, 1), &addresses);
    let report = project.run(&["send", "--json"]).expect(3);
    let delivery = &report.json()["delivery"];
    assert_eq!(
        [
            &delivery["sent"],
            &delivery["failed"],
            &delivery["deferred"],
            &delivery["unknown"]
        ],
        [3, 1, 1, 1].map(serde_json::Value::from).each_ref(),
        "{delivery}"
    );
    assert!(
        !report.stdout.contains("bert@"),
        "the report names no address: {}",
        report.stdout
    );
    assert!(
        report.stderr.contains("550 5.1.1 <…> no such user"),
        "{}",
        report.stderr
    );

    // Neither the dead, nor the unknown, nor before its time the deferred one is tried again.
    project.run(&["send"]).expect(0).silent();
    let delivered: BTreeSet<String> = receiver.rest().into_iter().map(|mail| mail.to).collect();
    let expected =
        ["anna", "dora", "fritz", "vanish-emil"].map(|name| format!("{name}@example.org"));
    assert_eq!(delivered, BTreeSet::from(expected));
}

#[test]
fn a_dead_mail_server_costs_no_delivery() {
    let config = smtp(1, 2);
    let project = project(&config, &five_hundred()[..30]);
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr
            .contains("connecting to the mail server 127.0.0.1:1"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("The next run goes on."),
        "{}",
        ran.stderr
    );

    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    project.edit_config(&config, &smtp(receiver.port, 2));
    project.run(&["send"]).expect(0).silent();
    assert_eq!(receiver.rest().len(), 30);
}

/// A certificate for 127.0.0.1 that is its own authority; paths of certificate and key.
fn certificate(project: &Project) -> [String; 2] {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let paths = [project.path("cert.pem"), project.path("key.pem")];
    std::fs::write(&paths[0], certified.cert.pem()).unwrap();
    std::fs::write(&paths[1], certified.signing_key.serialize_pem()).unwrap();
    paths.map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn mail_goes_out_over_starttls_with_a_login() {
    let project = project("", &["anna@example.org".to_owned()]);
    let [cert, key] = certificate(&project);
    let Some(mut receiver) = Receiver::start(&["starttls", &cert, &key]) else {
        return;
    };
    let port = receiver.port;
    project.edit_config(
        "[[topic]]",
        &format!(
            "[delivery]\nmailer = \"smtp\"\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"morgenlage\"\n\
             password_file = \"password\"\n# ca_file\n[[topic]]"
        ),
    );
    std::fs::write(project.path("password"), "wrong\n").unwrap();
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr.contains("STARTTLS with the mail server"),
        "an unknown authority is not trusted: {}",
        ran.stderr
    );

    project.edit_config("# ca_file", "ca_file = \"cert.pem\"");
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr.contains("logging in to the mail server") && !ran.stderr.contains("wrong"),
        "{}",
        ran.stderr
    );
    let ran = project.run(&["check", "--offline"]).expect(1);
    assert!(ran.stdout.contains("✗ mailer"), "{}", ran.stdout);

    std::fs::write(project.path("password"), "hunter2\n").unwrap();
    project.run(&["check", "--offline"]).expect(0);
    project.run(&["send"]).expect(0).silent();
    let mail = receiver.next();
    assert!(mail.tls && mail.login);
}

#[test]
fn mail_goes_out_over_tls_from_the_first_byte() {
    let project = project("", &["anna@example.org".to_owned()]);
    let [cert, key] = certificate(&project);
    let Some(mut receiver) = Receiver::start(&["tls", &cert, &key]) else {
        return;
    };
    let port = receiver.port;
    project.edit_config(
        "[[topic]]",
        &format!(
            "[delivery]\nmailer = \"smtp\"\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"tls\"\n\
             ca_file = \"cert.pem\"\n[[topic]]"
        ),
    );
    project.run(&["send"]).expect(0).silent();
    assert!(receiver.next().tls);
}

/// A project that sends with these lines to a receiver in that mode, which has a certificate of its own.
fn secured(mode: &str, security: &str) -> Option<(Project, Receiver)> {
    let project = project("", &["anna@example.org".to_owned()]);
    let [cert, key] = certificate(&project);
    let receiver = Receiver::start(&[mode, &cert, &key])?;
    let port = receiver.port;
    project.edit_config(
        "[[topic]]",
        &format!(
            "[delivery]\nmailer = \"smtp\"\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\n\
             security = \"{security}\"\nca_file = \"cert.pem\"\n# more\n[[topic]]"
        ),
    );
    Some((project, receiver))
}

#[test]
fn a_server_that_asks_for_our_certificate_gets_it() {
    let Some((project, mut receiver)) = secured("mutual", "tls") else {
        return;
    };
    project.run(&["send"]).expect(1);
    project.edit_config(
        "# more",
        "client_certificate = \"cert.pem\"\nclient_key = \"key.pem\"",
    );
    project.run(&["send"]).expect(0).silent();
    assert!(receiver.next().tls);
}

#[test]
fn a_server_that_wants_an_access_token_gets_it() {
    let Some((project, mut receiver)) = secured("token", "starttls") else {
        return;
    };
    project.edit_config(
        "# more",
        "user = \"morgenlage\"\npassword_file = \"token\"\nlogin = \"token\"",
    );
    std::fs::write(project.path("token"), "expired\n").unwrap();
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr.contains("logging in") && !ran.stderr.contains("expired"),
        "{}",
        ran.stderr
    );
    std::fs::write(project.path("token"), "hunter2\n").unwrap();
    project.run(&["send"]).expect(0).silent();
    assert!(receiver.next().login);
}

#[cfg(unix)]
#[test]
fn mail_goes_out_through_a_sendmail_program() {
    use std::os::unix::fs::PermissionsExt as _;

    let delivery =
        "[delivery]\nmailer = \"sendmail\"\n[delivery.sendmail]\ncommand = \"SENDMAIL\"\n";
    let project = project(
        delivery,
        &[
            "anna@example.org".to_owned(),
            "refused@example.org".to_owned(),
        ],
    );
    let program = project.path("sendmail");
    project.edit_config("SENDMAIL", program.to_str().unwrap());
    let script = "#!/bin/sh\ncase \"$5\" in refused*) echo 'no such user' >&2; exit 67;; esac\ncat > \"$(dirname \"$0\")/$5.eml\"\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = project.run(&["send"]).expect(3);
    assert!(
        ran.stderr.contains("1 delivery has failed for good.")
            && ran.stderr.contains("no such user"),
        "{}",
        ran.stderr
    );
    let mail = std::fs::read_to_string(project.path("anna@example.org.eml")).unwrap();
    assert!(mail.contains("\r\nTo: anna@example.org\r\n"), "{mail}");
}

#[test]
fn a_test_copy_records_nothing() {
    let project = project("", &["anna@example.org".to_owned()]);
    project.run(&["send", "--to", "me@example.org"]).expect(0);
    assert_eq!(project.maildir().len(), 1);
    assert!(!project.path("tidings.db").exists());
    project.run(&["send"]).expect(0).silent();
    assert_eq!(
        project.maildir().len(),
        2,
        "the edition itself still goes out"
    );
}

#[test]
fn a_second_send_leaves_the_first_alone_and_says_who_it_is_when_that_one_is_stuck() {
    let project = project("", &["anna@example.org".to_owned()]);
    let lock = std::fs::File::create(project.path("tidings.db.lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(project.path("tidings.db.lock"), "process 4711 since noon").unwrap();
    project.run(&["send"]).expect(0).silent();
    // The time of the file is that of its last progress.
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 3600);
    lock.set_modified(before).unwrap();
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr
            .contains("process 4711 since noon holds the lock of tidings.db and has not got on with its work for 120 minutes"),
        "{}",
        ran.stderr
    );
    assert!(project.maildir().is_empty());
    drop(lock);
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 1);
}

#[test]
fn who_leaves_before_the_mail_is_sent_gets_none() {
    let project = project(
        &smtp(1, 1),
        &["anna@example.org".to_owned(), "bert@example.org".to_owned()],
    );
    project.run(&["send"]).expect(1);
    project
        .run(&["subscribers", "remove", "bert@example.org"])
        .expect(0);
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    project.edit_config(&smtp(1, 1), &smtp(receiver.port, 1));
    project.run(&["send"]).expect(0).silent();
    let checked = project.run(&["check", "--offline"]).expect(0).stdout;
    assert!(
        checked.contains("1 is in the configuration but unsubscribed"),
        "{checked}"
    );
    assert_eq!(
        receiver
            .rest()
            .into_iter()
            .map(|mail| mail.to)
            .collect::<Vec<_>>(),
        ["anna@example.org"]
    );
}

#[test]
fn a_recipient_that_breaks_the_connection_holds_up_nobody() {
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    let addresses = ["hangup-a", "b", "c", "d"].map(|name| format!("{name}@example.org"));
    let project = project(&smtp(receiver.port, 1), &addresses);
    let report = project.run(&["send", "--json"]).expect(3).json();
    assert_eq!(
        (&report["delivery"]["sent"], &report["delivery"]["deferred"]),
        (&3.into(), &1.into())
    );
    assert_eq!(receiver.rest().len(), 3);
}

#[test]
fn two_newsletters_do_not_share_a_store_by_accident() {
    let project = project("", &["anna@example.org".to_owned()]);
    project.run(&["send"]).expect(0).silent();
    project.edit_config("id = \"test\"", "id = \"other\"");
    let ran = project.run(&["send"]).expect(1);
    assert!(
        ran.stderr.contains("it holds the newsletter “test”"),
        "{}",
        ran.stderr
    );
    assert_eq!(project.maildir().len(), 1);
}

#[test]
fn the_operator_gets_a_report_of_what_happened_and_only_then() {
    let project = project(
        "[delivery]\nreport_to = \"betrieb@example.org\"\n[[feed]]\nurl = \"gone.xml\"\n",
        &["anna@example.org".to_owned()],
    );
    let reports = || -> Vec<String> {
        let texts = project.maildir().into_iter();
        let texts = texts.map(|mail| std::fs::read_to_string(mail).unwrap());
        texts
            .filter(|text| text.contains("To: betrieb@example.org"))
            .collect()
    };
    project.run(&["send"]).expect(3);
    assert_eq!(project.maildir().len(), 2);
    let report = reports().pop().unwrap();
    for part in [
        "# 1 thing to look at",
        "The daily edition has 1 story and goes to 1 subscriber.",
        "Sent 1 of 1 delivery.",
        "gone.xml",
    ] {
        assert!(report.replace("=\n", "").contains(part), "{part}: {report}");
    }
    // A feed that stays away is told on stderr, not mailed every quarter of an hour.
    project.run(&["send"]).expect(3);
    assert_eq!(reports().len(), 1);
}

#[test]
fn an_edition_that_waits_for_its_feeds_is_reported_once() {
    let project = Project::with_config(
        &(newsletter()
            + "[[feed]]\nurl = \"gone.xml\"\n[delivery]\nreport_to = \"betrieb@example.org\"\n"),
    );
    for _ in 0..3 {
        let ran = project.run(&["send"]).expect(3);
        assert!(ran.stderr.contains("waits: no feed"), "{}", ran.stderr);
        assert_eq!(project.maildir().len(), 1);
    }
}
