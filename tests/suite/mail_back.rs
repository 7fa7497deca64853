//! Signatures that others verify, and mail that comes back: real verifiers, a real Postfix, a genuine report.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Dns, Manners, Project, Ran, Smtp, newsletter, rss};

const SUPPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support");

/// Whether a test can go on without `what`. In CI its absence is a failure; elsewhere the test is skipped, and says so.
fn skipped(is_there: bool, what: &str) -> bool {
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "CI needs {what}"
    );
    if !is_there {
        // Not `eprintln!`, which the test harness would hide.
        let _ = writeln!(std::io::stderr(), "SKIPPED a test: it needs {what}");
    }
    !is_there
}

fn project(delivery: &str, addresses: &[&str]) -> Project {
    let config = newsletter() + "[[feed]]\nurl = \"feed.xml\"\n" + delivery;
    let project = Project::with_config(&config);
    let feed = rss("Quelle", &[("KI hilft", "Ein Text.")]);
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    for address in addresses {
        project
            .run(&["subscribers", "add", "--confirmed", address])
            .expect(0);
    }
    project
}

fn smtp(port: u16, more: &str) -> String {
    format!(
        "[delivery]\nmailer = \"smtp\"\n{more}\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n"
    )
}

fn run(program: &str, arguments: &[&str]) -> Ran {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

/// Whether a Python has the modules that verify both kinds of signatures.
fn has_dkimpy() -> bool {
    let check = Command::new("/usr/bin/python3")
        .args(["-c", "import dkim, nacl"])
        .stderr(Stdio::null())
        .status();
    check.is_ok_and(|status| status.success())
}

/// Makes a key with openssl.
fn make_key(project: &Project, name: &str, arguments: &[&str]) -> PathBuf {
    let path = project.path(name);
    let out = ["-out", path.to_str().unwrap()];
    run(
        "openssl",
        &[&arguments[..1], &out, &arguments[1..]].concat(),
    )
    .expect(0);
    path
}

/// What dkimpy says of a mail: each algorithm, and whether its signature is good.
fn dkimpy(mail: &Path, records: &Path) -> Vec<(String, bool)> {
    let script = Path::new(SUPPORT).join("verify_dkim.py");
    let arguments = [script.as_path(), mail, records].map(|path| path.to_str().unwrap());
    let verdicts = run("/usr/bin/python3", &arguments).expect(0).json();
    let verdicts = verdicts.as_array().unwrap().iter();
    verdicts
        .map(|verdict| {
            (
                verdict[0].as_str().unwrap().to_owned(),
                verdict[1] == serde_json::Value::Bool(true),
            )
        })
        .collect()
}

#[test]
fn a_signature_holds_for_other_verifiers_and_breaks_with_a_byte_of_the_way_out() {
    if skipped(
        has_dkimpy() && Path::new("/usr/sbin/opendkim").exists(),
        "dkimpy and OpenDKIM (Debian: python3-dkim python3-nacl opendkim)",
    ) {
        return;
    }
    let server = Smtp::start(Manners {
        keeps: true,
        ..Manners::default()
    });
    let keys = "[[delivery.dkim]]\nselector = \"r\"\nkey_file = \"rsa.pem\"\n\
                [[delivery.dkim]]\nselector = \"e\"\nkey_file = \"ed.pem\"";
    let project = project(&smtp(server.port, keys), &[]);
    project.edit_config(
        "reply_to = ",
        "unsubscribe_url = \"https://example.org/u/{token}\"\nreply_to = ",
    );
    make_key(&project, "rsa.pem", &["genrsa", "2048"]);
    make_key(&project, "ed.pem", &["genpkey", "-algorithm", "ed25519"]);
    let add = ["subscribers", "add", "--confirmed", "anna@example.net"];
    project
        .run(&[&add[..], &["--name", "Änne, die  Große"]].concat())
        .expect(0);
    project.run(&["send"]).expect(0).silent();
    let (bytes, _) = server.mail("anna@example.net");
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
    let signature = text.split("\r\nDKIM-Signature").next().unwrap();
    for name in ["list-unsubscribe:", "list-unsubscribe-post:", "from:"] {
        assert!(
            signature.contains(name),
            "{name} is not signed: {signature}"
        );
    }

    // What the program itself says that the DNS must have.
    let check = project.run(&["check", "--offline", "--json"]).json();
    let findings = check.as_array().unwrap().iter();
    let records: serde_json::Map<_, _> = findings
        .filter_map(|finding| finding.get("record").filter(|record| !record.is_null()))
        .map(|record| {
            (
                record["name"].as_str().unwrap().to_owned(),
                record["value"].clone(),
            )
        })
        .filter(|(name, _)| name.contains("._domainkey."))
        .collect();
    assert_eq!(records.len(), 2, "{check}");
    for what in ["spf", "dmarc"] {
        assert_eq!(found(&check, what).len(), 1, "{check}");
    }
    let dns = project.path("dns.json");
    std::fs::write(&dns, serde_json::to_string(&records).unwrap()).unwrap();

    let mail = project.path("mail.eml");
    std::fs::write(&mail, &bytes).unwrap();
    let both =
        |good| ["rsa-sha256", "ed25519-sha256"].map(|algorithm| (algorithm.to_owned(), good));
    assert_eq!(dkimpy(&mail, &dns), both(true));
    let opendkim = |mail: &Path| {
        let keys = project.path("keys");
        let lines: String = records
            .iter()
            .map(|(name, value)| format!("{name} {}\n", value.as_str().unwrap()))
            .collect();
        std::fs::write(&keys, lines).unwrap();
        let config = project.path("opendkim.conf");
        let settings = format!("Mode v\nSyslog no\nTestPublicKeys {}\n", keys.display());
        std::fs::write(&config, settings).unwrap();
        let arguments = [
            "-x",
            config.to_str().unwrap(),
            "-v",
            "-t",
            mail.to_str().unwrap(),
        ];
        let ran = run("/usr/sbin/opendkim", &arguments);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    let said = opendkim(&mail);
    assert!(said.contains("2048-bit key) succeeded"), "{said}");

    // A byte of the header only; the body stays as it is.
    let place = text
        .find("List-Unsubscribe: <https://example.org/u/")
        .unwrap()
        + 45;
    let mut forged = bytes;
    forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
    std::fs::write(&mail, forged).unwrap();
    assert_eq!(dkimpy(&mail, &dns), both(false));
    let said = opendkim(&mail);
    assert!(said.contains("failed"), "{said}");
}

/// The findings of a check of one kind.
fn found(check: &serde_json::Value, what: &str) -> Vec<serde_json::Value> {
    let findings = check.as_array().unwrap().iter();
    findings
        .filter(|finding| finding["what"] == what)
        .cloned()
        .collect()
}

#[test]
fn what_the_check_prints_for_the_dns_makes_the_check_well() {
    let server = Smtp::start(Manners::default());
    let dkim = "[[delivery.dkim]]\nselector = \"r\"\nkey_file = \"rsa.pem\"";
    let project = project(&smtp(server.port, dkim), &[]);
    make_key(&project, "rsa.pem", &["genrsa", "2048"]);
    let dns = Dns::start();
    let address = dns.address.to_string();
    let arguments = ["check", "--json", "--dns", &address];
    let check = project.run(&arguments).expect(1).json();
    for what in ["spf", "dkim", "dmarc", "mx"] {
        for finding in found(&check, what) {
            assert_eq!(finding["well"], false, "{finding}");
            let record = &finding["record"];
            let (name, value) = (record["name"].as_str(), record["value"].as_str());
            match what {
                "mx" => dns.exchange(name.unwrap(), "mail.example.org"),
                _ => dns.text(name.unwrap(), value.unwrap()),
            }
        }
    }
    let check = project.run(&arguments).expect(0).json();
    for what in ["spf", "dkim", "dmarc", "mx"] {
        let all = found(&check, what);
        assert!(
            !all.is_empty() && all.iter().all(|finding| finding["well"] == true),
            "{what}: {all:?}"
        );
    }
    // As a person reads it.
    let text = project.run(&["check", "--dns", &address]).expect(0).stdout;
    assert!(
        text.contains("✓ dmarc         example.org: v=DMARC1; p=none"),
        "{text}"
    );
}

#[test]
fn records_that_are_as_good_as_none_are_told() {
    let server = Smtp::start(Manners::default());
    for (name, texts, what, says) in [
        (
            "example.org",
            &["v=spf1 mx -all", "v=spf1 a -all"][..],
            "spf",
            "has 2 SPF records",
        ),
        (
            "example.org",
            &["v=spf1 +all"],
            "spf",
            "lets everybody send",
        ),
        (
            "example.org",
            &["v=spf1 mx"],
            "spf",
            "what holds for all others",
        ),
        (
            "_dmarc.example.org",
            &["v=DMARC1; rua=mailto:x@example.org"],
            "dmarc",
            "says nothing of use",
        ),
        (
            "_dmarc.example.org",
            &["v=DMARC1; p=none", "v=DMARC1; p=reject"],
            "dmarc",
            "more than one",
        ),
    ] {
        let project = project(&smtp(server.port, ""), &[]);
        let dns = Dns::start();
        for text in texts {
            dns.text(name, text);
        }
        let check = project.run(&["check", "--json", "--dns", &dns.address.to_string()]);
        let findings = found(&check.expect(1).json(), what);
        let told = findings[0]["says"].as_str().unwrap();
        assert!(
            told.contains(says) && findings[0]["well"] == false,
            "{told}"
        );
    }
}

#[test]
fn a_key_that_dkim_does_not_know_is_told_before_anything_is_sent() {
    let project = project(
        "[[delivery.dkim]]\nselector = \"r\"\nkey_file = \"key.pem\"\n",
        &["anna@example.net"],
    );
    for (key, says) in [
        (None, "cannot be read"),
        (Some("x"), "no private key in PEM form"),
    ] {
        if let Some(key) = key {
            std::fs::write(project.path("key.pem"), key).unwrap();
        }
        let ran = project.run(&["send"]).expect(1);
        assert!(
            ran.stderr.contains("the DKIM key") && ran.stderr.contains(says),
            "{}",
            ran.stderr
        );
    }
    assert!(project.maildir().is_empty());
}

/// Gives the program a mail on its standard input, as a mail server does.
fn hand_over(project: &Project, arguments: &[&str], mail: &str) -> Ran {
    let mut program = project
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    input.write_all(mail.as_bytes()).unwrap();
    drop(input);
    Ran::from(program.wait_with_output().unwrap())
}

/// A Postfix that ends with the test.
struct Postfix {
    port: u16,
    maildir: PathBuf,
    script: std::process::Child,
}

impl Postfix {
    fn start(remote: u16) -> Option<Self> {
        // Free a moment ago; nobody else asks for it in between.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let mut script = Command::new("sh")
            .arg(Path::new(SUPPORT).join("postfix.sh"))
            .args([port.to_string(), remote.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        BufReader::new(script.stdout.take().unwrap())
            .read_line(&mut folder)
            .unwrap();
        if skipped(!folder.is_empty(), "Postfix, as root (Debian: postfix)") {
            let _ = script.wait();
            return None;
        }
        Some(Self {
            port,
            maildir: folder.trim().into(),
            script,
        })
    }

    /// Waits until a mail has come back. There is nothing that would tell.
    fn wait_for_mail(&self) -> PathBuf {
        let started = Instant::now();
        loop {
            let entries = std::fs::read_dir(self.maildir.join("new"));
            if let Some(mail) = entries.ok().and_then(|mut entries| entries.next()) {
                return mail.unwrap().path();
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "no mail came back"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

#[test]
fn a_genuine_report_suppresses_the_right_subscriber() {
    let remote = Smtp::start(Manners::default());
    let Some(postfix) = Postfix::start(remote.port) else {
        return;
    };
    let project = project(
        &smtp(postfix.port, "bounces = \"bounce@bounces.example.org\""),
        &["anna@dead.example", "refused-bert@dead.example"],
    );
    // The relay takes both; what the remote server refuses comes back.
    project.run(&["send"]).expect(0).silent();
    let report = postfix.wait_for_mail();
    remote.wait_for(1);
    let text = std::fs::read_to_string(&report).unwrap();
    assert!(text.contains("report-type=delivery-status"), "{text}");

    // As a mail server hands it over, and once more from the Maildir: the same report twice is one bounce.
    let recipient = text
        .lines()
        .find_map(|line| line.strip_prefix("Delivered-To: "))
        .unwrap();
    let arguments = ["inbound", "--recipient", recipient, "--json"];
    let ran = hand_over(&project, &arguments, &text).expect(0);
    assert_eq!(ran.json()["hard"], 1, "{}", ran.stdout);
    let maildir = postfix.maildir.to_str().unwrap();
    let again = ["inbound", "--maildir", maildir, "--json"];
    assert_eq!(project.run(&again).expect(0).json()["hard"], 1);
    assert_eq!(project.run(&again).expect(0).json()["hard"], 0);

    let suppressed = project.run(&["subscribers", "suppressed", "--json"]).json();
    let list = suppressed.as_array().unwrap();
    assert_eq!(list.len(), 1, "{suppressed}");
    assert_eq!(list[0]["address"], "refused-bert@dead.example");
    assert_eq!(list[0]["reason"], "hard");
    project.edit_config("2026-11-20T07:05", "2026-11-21T07:05");
    let feed = rss("Quelle", &[("KI schadet", "Ein Text.")]).replace("20 Nov", "21 Nov");
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    let report = project.run(&["send", "--json"]).expect(0).json();
    assert_eq!(report["delivery"]["sent"], 1, "{report}");

    project
        .run(&["subscribers", "lift", "refused-bert@dead.example"])
        .expect(0);
    let left = project.run(&["subscribers", "suppressed", "--json"]).json();
    assert_eq!(left.as_array().unwrap().len(), 0);
}

#[test]
fn a_mail_that_cannot_be_taken_in_stays_with_the_mail_server() {
    let project = project("", &[]);
    std::fs::write(project.path("tidings.db"), "no database").unwrap();
    let ran = hand_over(&project, &["inbound"], "Subject: x\r\n\r\nx\r\n").expect(75);
    assert!(ran.stderr.contains("opening the store"), "{}", ran.stderr);
    project.edit_config("language = \"de\"", "language = \"xx\"");
    hand_over(&project, &["inbound"], "Subject: x\r\n\r\nx\r\n").expect(75);
}

#[test]
fn a_domain_whose_reports_refuse_the_sender_is_left_alone_and_told_of() {
    let server = Smtp::start(Manners {
        keeps: true,
        ..Manners::default()
    });
    let readers = [
        "a@strict.example",
        "b@strict.example",
        "c@strict.example",
        "d@kind.example",
    ];
    let project = project(
        &smtp(server.port, "bounces = \"bounce@bounces.example.org\""),
        &readers,
    );
    project.run(&["send"]).expect(0).silent();
    for reader in &readers[..3] {
        let (_, sender) = server.mail(reader);
        let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                      --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n\
                      Action: failed\r\nStatus: 5.7.1\r\n--b--\r\n";
        let arguments = ["inbound", "--recipient", &sender, "--json"];
        let ran = hand_over(&project, &arguments, report).expect(0);
        assert_eq!(ran.json()["sender_faults"], 1, "{}", ran.stdout);
    }
    let checked = project.run(&["check", "--offline"]).expect(1).stdout;
    assert!(checked.contains("3 mails came back"), "{checked}");
    project.edit_config("2026-11-20T07:05", "2026-11-21T07:05");
    let feed = rss("Quelle", &[("KI schadet", "Ein Text.")]).replace("20 Nov", "21 Nov");
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    let ran = project.run(&["send", "--json"]).expect(3);
    let delivery = &ran.json()["delivery"];
    assert_eq!(
        (&delivery["sent"], &delivery["postponed"]),
        (&1.into(), &3.into())
    );
    assert!(
        ran.stderr.contains("strict.example is left alone"),
        "{}",
        ran.stderr
    );
    let suppressed = project.run(&["subscribers", "suppressed", "--json"]).json();
    assert_eq!(suppressed.as_array().unwrap().len(), 0);
}

#[test]
fn who_writes_to_leave_has_left_and_a_stranger_changes_nothing() {
    let server = Smtp::start(Manners {
        keeps: true,
        ..Manners::default()
    });
    let project = project(
        &smtp(server.port, ""),
        &["anna@example.net", "bert@example.net"],
    );
    project.run(&["send"]).expect(0).silent();
    let mail = String::from_utf8(server.mail("anna@example.net").0).unwrap();
    let link = mail.split("List-Unsubscribe: <mailto:").nth(1).unwrap();
    let subject = link.split("subject=").nth(1).unwrap();
    let subject = subject.split('>').next().unwrap().replace("%20", " ");
    let subject = subject.replace("\r\n", "");
    for (subject, left) in [
        ("unsubscribe bert@example.net".to_owned(), 0),
        (format!("Re: {subject}"), 1),
        (subject, 0),
    ] {
        let text = format!(
            "From: x@example.net\r\nTo: digest@example.org\r\nSubject: {subject}\r\n\r\nBye\r\n"
        );
        let ran = hand_over(&project, &["inbound", "--json"], &text).expect(0);
        assert_eq!(
            ran.json()["unsubscribed"],
            left,
            "{subject}: {}",
            ran.stdout
        );
    }
    let list = project.run(&["subscribers", "list", "--json"]).json();
    let states: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["unsubscribed", "confirmed"]);
}
