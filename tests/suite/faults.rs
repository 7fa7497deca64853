//! Whatever goes wrong in a send: everybody gets the mail once, or is listed as one of whom nobody knows, and nobody is skipped.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Machine, Manners, Postgres, Project, Ran, Smtp, newsletter, rss};

/// How many sessions the sends have, and what each has at a time.
const SESSIONS: usize = 8;
const HELD: usize = 4;

/// A project whose subscribers are `addresses`, and which sends to `server`.
fn project(
    server: &Smtp,
    store: Option<&Postgres>,
    delivery: &str,
    addresses: &[String],
) -> Project {
    let mut config = newsletter();
    if let Some(postgres) = store {
        let _ = write!(config, "[store]\nurl = \"{}\"\n", postgres.url("postgres"));
    }
    let _ = write!(
        config,
        "[[feed]]\nurl = \"feed.xml\"\n[delivery]\nmailer = \"smtp\"\n{delivery}\n[delivery.smtp]\nhost = \"127.0.0.1\"\n\
         port = {}\nsecurity = \"none\"\nconnections = {SESSIONS}\nmessages_per_connection = 300\ntimeout = \"1s\"\n",
        server.port
    );
    let project = Project::with_config(&config);
    let feed = rss("Quelle", &[("KI hilft", "Ein Text.")]);
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    let list = "address\n".to_owned() + &addresses.join("\n") + "\n";
    std::fs::write(project.path("list.csv"), list).unwrap();
    project
        .run(&["subscribers", "import", "--confirmed", "list.csv"])
        .expect(0);
    project
}

fn readers(number: usize) -> Vec<String> {
    (0..number)
        .map(|number| format!("reader{number:05}@d{}.example", number % 97))
        .collect()
}

fn start(project: &Project, arguments: &[&str]) -> Child {
    project
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// On Unix this is SIGKILL.
fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// What is known of the edition after all.
struct Ledger {
    counts: serde_json::Value,
    unknown: BTreeSet<String>,
}

impl Ledger {
    fn of(project: &Project) -> Self {
        let show = [
            "editions",
            "show",
            "last",
            "--json",
            "--deliveries",
            "unknown",
        ];
        let shown = project.run(&show).expect(0).json();
        let list = shown["list"].as_array().unwrap().iter();
        Self {
            counts: shown["deliveries"].clone(),
            unknown: list
                .map(|one| one["address"].as_str().unwrap().to_owned())
                .collect(),
        }
    }

    fn count(&self, state: &str) -> usize {
        usize::try_from(self.counts[state].as_u64().unwrap()).unwrap()
    }
}

/// Everybody got it once or is listed, and the sums are right.
fn assert_nothing_lost_and_nothing_twice(
    project: &Project,
    server: &Smtp,
    addresses: &[String],
) -> Ledger {
    let ledger = Ledger::of(project);
    let taken = server.taken();
    let twice: HashMap<_, _> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "got it twice: {twice:?}");
    for address in addresses {
        assert!(
            taken.contains_key(address) || ledger.unknown.contains(address),
            "{address} was skipped; {}",
            ledger.counts
        );
    }
    assert_eq!(
        ledger.count("sent") + ledger.count("unknown"),
        addresses.len(),
        "{}",
        ledger.counts
    );
    ledger
}

/// Sends until nothing is left. PostgreSQL may need a moment to notice that somebody is dead, who still has a lease then.
fn finish(project: &Project) {
    for _ in 0..20 {
        let ran = project.run(&["send"]);
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
        if Ledger::of(project).count("pending") == 0 {
            return;
        }
    }
    panic!("something is left: {}", Ledger::of(project).counts);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Kills the send fifty times: at moments after its start, and after numbers of messages.
fn kill_fifty_times(store: Option<&Postgres>) {
    let server = Smtp::start(Manners::default());
    let addresses = readers(10_000);
    let project = project(&server, store, "", &addresses);
    let mut dice = Dice(20_261_120);
    for round in 0..50 {
        let send = start(&project, &["send"]);
        if round % 5 == 0 {
            // Wherever it is then: it may be reading feeds, planning deliveries or saying goodbye.
            std::thread::sleep(Duration::from_millis(dice.roll(120)));
        } else {
            let more = usize::try_from(dice.roll(380)).unwrap();
            server.wait_for((server.messages() + more).min(9_900));
        }
        kill(send);
    }
    finish(&project);
    let ledger = assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert!(
        ledger.unknown.len() <= 50 * SESSIONS * HELD,
        "{} are unknown",
        ledger.unknown.len()
    );
    eprintln!(
        "{} of {} are unknown",
        ledger.unknown.len(),
        addresses.len()
    );
}

#[test]
fn a_send_that_is_killed_fifty_times_loses_nothing_on_sqlite() {
    kill_fifty_times(None);
}

#[test]
fn a_send_that_is_killed_fifty_times_loses_nothing_on_postgresql() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    kill_fifty_times(Some(&postgres));
}

#[test]
fn a_send_that_is_killed_at_a_slow_server_leaves_one_for_each_connection_unknown() {
    let server = Smtp::start(Manners {
        thinks: Duration::from_millis(40),
        ..Manners::default()
    });
    let addresses = readers(160);
    let project = project(&server, None, "", &addresses);
    let send = start(&project, &["send"]);
    server.wait_for(80);
    kill(send);
    finish(&project);
    let ledger = assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert!(ledger.unknown.len() <= SESSIONS, "{}", ledger.unknown.len());
}

#[test]
fn a_send_goes_on_when_postgresql_is_restarted() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let server = Smtp::start(Manners::default());
    let addresses = readers(3_000);
    let project = project(&server, Some(&postgres), "", &addresses);
    let send = start(&project, &["send"]);
    for messages in [500, 1_500] {
        server.wait_for(messages);
        postgres.restart();
    }
    let ran = Ran::from(send.wait_with_output().unwrap()).expect(0);
    assert!(ran.stderr.contains("Trying again"), "{}", ran.stderr);
    let ledger = assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert_eq!(ledger.count("unknown"), 0, "the program lived on");
}

#[test]
fn any_number_of_workers_on_postgresql_share_the_work_and_no_mail() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let server = Smtp::start(Manners::default());
    let addresses = readers(4_000);
    let project = project(&server, Some(&postgres), "", &addresses);
    let first = start(&project, &["send"]);
    server.wait_for(200);
    let worker = start(&project, &["work", "--until-done"]);
    let second = start(&project, &["send"]);
    let third = start(&project, &["send"]);
    server.wait_for(1_000);
    // One leaves for good, in the middle of its work.
    kill(first);
    for process in [worker, second, third] {
        let ran = Ran::from(process.wait_with_output().unwrap());
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    }
    finish(&project);
    assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
}

#[test]
fn two_sends_at_once_send_everything_once() {
    let server = Smtp::start(Manners::default());
    let addresses = readers(1_000);
    let project = project(&server, None, "", &addresses);
    let first = start(&project, &["send"]);
    let second = start(&project, &["send"]);
    for send in [first, second] {
        Ran::from(send.wait_with_output().unwrap())
            .expect(0)
            .silent();
    }
    let ledger = assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert_eq!(ledger.count("sent"), 1_000);
}

/// The send under a limit for the size of its files, which is to it as a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_send_and_loses_nothing() {
    let server = Smtp::start(Manners::default());
    let addresses = readers(2_000);
    let project = project(&server, None, "", &addresses);
    let size = |name: &str| std::fs::metadata(project.path(name)).map_or(0, |file| file.len());
    let limit = (size("tidings.db").max(size("tidings.db-wal")) / 1024) + 1_500;
    // The shell counts in units of 1,024 bytes. A signal that is ignored stays so in the program.
    let script = format!(
        "trap '' XFSZ; ulimit -f {limit}; exec {} send",
        env!("CARGO_BIN_EXE_tidings")
    );
    let shell = |script: &str| {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script]).current_dir(project.path(""));
        Ran::from(command.output().unwrap())
    };
    let ran = shell(&script);
    let before = server.messages();
    assert_eq!(ran.code, Some(1), "{before} were sent; {}", ran.stderr);
    assert!(before < 2_000);
    let ran = project.run(&["send"]);
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
}

#[test]
fn a_clock_that_is_set_back_by_an_hour_loses_nothing() {
    for postgres in Postgres::and_without() {
        let server = Smtp::start(Manners::default());
        let addresses = readers(1_000);
        let project = project(&server, postgres.as_ref(), "", &addresses);
        let send = start(&project, &["send"]);
        server.wait_for(300);
        kill(send);
        let Some(machine) = Machine::default().at("-1h") else {
            return;
        };
        let ran = Ran::from(machine.run_on(project.command(&["send"])).output().unwrap());
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
        assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    }
}

#[test]
fn a_relay_that_is_gone_for_ten_minutes_costs_nothing() {
    let server = Smtp::start(Manners::default());
    let addresses = readers(1_000);
    let project = project(&server, None, "", &addresses);
    let send = start(&project, &["send"]);
    server.wait_for(300);
    server.be_gone(true);
    let ran = Ran::from(send.wait_with_output().unwrap()).expect(1);
    assert!(
        ran.stderr.contains("The next run goes on."),
        "{}",
        ran.stderr
    );
    let sent = server.messages();
    project.run(&["send"]).expect(1);
    assert_eq!(server.messages(), sent);
    server.be_gone(false);
    let Some(machine) = Machine::default().at("+11m") else {
        return;
    };
    let ran = Ran::from(machine.run_on(project.command(&["send"])).output().unwrap());
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
}

#[test]
fn every_way_in_which_a_server_can_go_wrong_is_taken_for_what_it_is() {
    for pipelining in [true, false] {
        let server = Smtp::start(Manners {
            pipelining,
            ..Manners::default()
        });
        let kinds = [
            "refused", "full", "policy", "later", "once", "hang", "before", "after", "garbage",
        ];
        let mut addresses: Vec<String> = kinds
            .iter()
            .map(|kind| format!("{kind}-1@{kind}.example"))
            .collect();
        addresses.extend(readers(40));
        let project = project(&server, None, "", &addresses);
        let ran = project.run(&["send", "--json"]);
        let delivery = &ran.json()["delivery"];
        let counts = [
            "sent",
            "failed",
            "deferred",
            "unknown",
            "dead",
            "sender_fault",
        ];
        assert_eq!(
            counts.map(|count| delivery[count].as_u64().unwrap()),
            // Failed: refused and full. Deferred: policy, later, once, hang. Nobody knows: before, after, garbage.
            [40, 2, 4, 3, 1, 1],
            "pipelining {pipelining}: {delivery}"
        );
        for reader in readers(40) {
            assert_eq!(server.taken().get(&reader), Some(&1), "{reader}");
        }
        let ledger = Ledger::of(&project);
        let kinds: Vec<&str> = ledger
            .unknown
            .iter()
            .filter_map(|address| address.split('-').next())
            .collect();
        assert_eq!(kinds, ["after", "before", "garbage"]);

        // An hour later those that were put off are tried again, and only those.
        let Some(machine) = Machine::default().at("+61m") else {
            return;
        };
        let ran = Ran::from(machine.run_on(project.command(&["send"])).output().unwrap());
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert_eq!(server.taken().get("once-1@once.example"), Some(&1));
        assert_eq!(server.taken().get("after-1@after.example"), Some(&1));
    }
}

#[test]
fn a_refused_recipient_costs_no_connection() {
    let server = Smtp::start(Manners::default());
    let mut addresses: Vec<String> = (0..50)
        .map(|n| format!("refused-{n}@r{n}.example"))
        .collect();
    addresses.extend(readers(50));
    let project = project(&server, None, "", &addresses);
    project.run(&["send"]).expect(3);
    assert_eq!(server.messages(), 50);
    assert!(server.connections() <= SESSIONS as u64);
}

#[test]
fn a_mail_of_which_nobody_knows_is_sent_again_where_that_is_wanted() {
    let server = Smtp::start(Manners::default());
    let addresses = vec!["after-1@example.org".to_owned()];
    let project = project(&server, None, "unknown = \"at-least-once\"", &addresses);
    project.run(&["send"]).expect(3);
    let Some(machine) = Machine::default().at("+61m") else {
        return;
    };
    machine.run_on(project.command(&["send"])).output().unwrap();
    assert_eq!(server.taken()["after-1@example.org"], 2);
}

#[test]
fn a_store_moves_into_postgresql_in_the_middle_of_a_send() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let server = Smtp::start(Manners::default());
    let addresses = readers(1_000);
    let project = project(&server, None, "", &addresses);
    let send = start(&project, &["send"]);
    server.wait_for(300);
    kill(send);
    let url = postgres.url("postgres");
    let copied = project
        .run(&["store", "copy", "--to", &url, "--json"])
        .expect(0)
        .json();
    let rows = |table: &str| {
        let all = copied.as_array().unwrap().iter();
        let mut found = all.filter(|one| one["table"] == table);
        found.next().unwrap()["rows"].as_u64().unwrap()
    };
    assert_eq!((rows("subscriber"), rows("delivery")), (1_000, 1_000));
    // Two stores that both send would send everything twice.
    for command in [
        &["send"][..],
        &["subscribers", "list"],
        &["inbound", "--maildir", "x"],
        &["store", "copy", "--to", &url],
    ] {
        let ran = project.run(command).expect(1);
        assert!(ran.stderr.contains("out of use"), "{}", ran.stderr);
    }
    project.edit_config("[[feed]]", &format!("[store]\nurl = \"{url}\"\n[[feed]]"));
    // A new subscriber gets a number of their own.
    project
        .run(&["subscribers", "add", "--confirmed", "new@example.org"])
        .expect(0);
    finish(&project);
    assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
}

/// A project with these servers: each with what its table says besides.
fn relayed(servers: &[(&Smtp, &str)], delivery: &str, addresses: &[String]) -> Project {
    let project = project(servers[0].0, None, delivery, addresses);
    let mut tables = String::new();
    for (server, more) in servers {
        let _ = write!(
            tables,
            "[[delivery.smtp]]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nconnections = 2\n{more}\n",
            server.port
        );
    }
    let config = std::fs::read_to_string(project.path("config.toml")).unwrap();
    let (before, _) = config.split_once("[delivery.smtp]").unwrap();
    std::fs::write(project.path("config.toml"), before.to_owned() + &tables).unwrap();
    project
}

#[test]
fn servers_share_the_mail_by_their_weights() {
    let servers = [(); 3].map(|()| Smtp::start(Manners::default()));
    let addresses = readers(400);
    let weights = ["weight = 3", "weight = 1", "weight = 0"];
    let tables: Vec<_> = servers.iter().zip(weights).collect();
    let project = relayed(&tables, "", &addresses);
    project.run(&["send"]).expect(0).silent();
    assert_eq!(servers.each_ref().map(Smtp::messages), [300, 100, 0]);
}

#[test]
fn a_server_that_is_gone_is_stood_in_for() {
    let servers = [(); 2].map(|()| Smtp::start(Manners::default()));
    servers[0].be_gone(true);
    let addresses = readers(100);
    let tables = [(&servers[0], "weight = 1"), (&servers[1], "weight = 0")];
    let project = relayed(&tables, "", &addresses);
    let ran = project.run(&["send"]).expect(3);
    assert!(
        ran.stderr.contains("another stood in for it"),
        "{}",
        ran.stderr
    );
    assert_eq!(servers.each_ref().map(Smtp::messages), [0, 100]);
}

#[test]
fn a_server_gets_no_more_in_a_minute_than_it_is_said_to_take() {
    let server = Smtp::start(Manners::default());
    let addresses = readers(60);
    let project = relayed(&[(&server, "per_minute = 1200")], "", &addresses);
    let started = std::time::Instant::now();
    project.run(&["send"]).expect(0).silent();
    // Twenty at once, then twenty a second.
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(server.messages(), 60);
}

#[test]
fn a_domain_gets_its_mail_one_after_the_other_and_holds_up_no_other() {
    let server = Smtp::start(Manners::default());
    let mut addresses: Vec<String> = (0..300).map(|n| format!("r{n}@slow.example")).collect();
    addresses.extend(readers(20));
    let limits = "[delivery.domain.\"slow.example\"]\nper_minute = 12000";
    let project = project(&server, None, limits, &addresses);
    project.run(&["send"]).expect(0).silent();
    assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert_others_did_not_wait(&server);
}

/// That mail to the domains of [`readers`], who stood behind all others in the queue, was not the last to go out.
fn assert_others_did_not_wait(server: &Smtp) {
    let order = server.order();
    let last = order
        .iter()
        .rposition(|to| to.starts_with("reader"))
        .unwrap();
    let behind = order.len() - 1 - last;
    assert!(
        behind >= 10,
        "only {behind} of {} came after it",
        order.len()
    );
}

#[test]
fn letters_beyond_ascii_reach_a_mailbox_where_the_server_takes_them() {
    for (pipelining, sent) in [(true, 2), (false, 1)] {
        // The server offers SMTPUTF8 together with PIPELINING.
        let server = Smtp::start(Manners {
            pipelining,
            ..Manners::default()
        });
        let addresses = ["müller@example.org", "anna@bücher.example"].map(str::to_owned);
        let project = project(&server, None, "", &addresses);
        let report = project.run(&["send", "--json"]).json();
        assert_eq!(report["delivery"]["sent"], sent, "{report}");
        assert!(server.taken().contains_key("anna@xn--bcher-kva.example"));
        assert_eq!(
            server.taken().contains_key("müller@example.org"),
            pipelining
        );
    }
}

#[test]
fn a_domain_with_a_limit_holds_up_no_other_and_all_of_it_is_sent() {
    let server = Smtp::start(Manners {
        thinks: Duration::from_millis(5),
        ..Manners::default()
    });
    let mut addresses = Vec::new();
    for domain in ["one", "two", "three"] {
        addresses.extend((0..150).map(|n| format!("r{n}@{domain}.example")));
    }
    // They come last in the queue.
    addresses.extend(readers(200));
    let limits: String = ["one", "two", "three"]
        .iter()
        .map(|domain| {
            format!("[delivery.domain.\"{domain}.example\"]\nat_once = 1\nper_minute = 6000\n")
        })
        .collect();
    let project = project(&server, None, &limits, &addresses);
    project.run(&["send"]).expect(0).silent();
    let ledger = assert_nothing_lost_and_nothing_twice(&project, &server, &addresses);
    assert_eq!(ledger.count("sent"), 650, "none is left behind in silence");
    assert_others_did_not_wait(&server);
}

#[test]
fn a_server_that_loses_count_is_not_believed() {
    let server = Smtp::start(Manners::default());
    let mut addresses = vec!["refusedslow-1@r.example".to_owned()];
    addresses.extend(readers(30));
    let project = project(&server, None, "", &addresses);
    project.run(&["send"]);
    for reader in readers(30) {
        assert_eq!(server.taken().get(&reader), Some(&1), "{reader}");
    }
    assert_eq!(Ledger::of(&project).count("sent"), 30);
}

#[test]
fn a_server_that_refuses_the_sender_costs_nobody_their_subscription() {
    let server = Smtp::start(Manners::default());
    let addresses: Vec<String> = (0..60)
        .map(|n| format!("norelay-{n}@d{n}.example"))
        .collect();
    let project = project(&server, None, "", &addresses);
    let ran = project.run(&["send"]);
    assert!(
        ran.stderr.contains("refused because of the sender")
            && ran.stderr.contains("the mail server refuses the sender"),
        "{}",
        ran.stderr
    );
    let suppressed = project.run(&["subscribers", "suppressed", "--json"]).json();
    assert_eq!(suppressed.as_array().unwrap().len(), 0);
    // Nor is it asked for each of them.
    let ledger = Ledger::of(&project);
    assert_eq!(ledger.count("failed"), 0);
    assert!(ledger.count("pending") > 0, "{}", ledger.counts);
}

#[test]
fn a_server_that_calls_the_whole_list_dead_is_not_believed() {
    let server = Smtp::start(Manners::default());
    let addresses: Vec<String> = (0..100)
        .map(|n| format!("refused-{n}@d{n}.example"))
        .collect();
    let project = project(&server, None, "", &addresses);
    let ran = project.run(&["send"]).expect(3);
    assert!(
        ran.stderr
            .contains("100 addresses were refused as if they did not exist"),
        "{}",
        ran.stderr
    );
    let suppressed = project.run(&["subscribers", "suppressed", "--json"]).json();
    assert_eq!(suppressed.as_array().unwrap().len(), 0);
    assert_eq!(Ledger::of(&project).count("deferred"), 100);
    // They wait until somebody has looked; that is told once, and by the check.
    project.run(&["send"]).expect(0).silent();
    let checked = project.run(&["check", "--offline"]).expect(1).stdout;
    assert!(
        checked.contains("100 addresses were refused as if they did not exist"),
        "{checked}"
    );
}

#[test]
fn a_short_list_survives_a_server_that_calls_it_dead_and_is_resumed() {
    let addresses: Vec<String> = (0..10)
        .map(|n| format!("refused-{n}@d{n}.example"))
        .collect();
    let server = Smtp::start(Manners::default());
    let project = project(&server, None, "", &addresses);
    let told = project.run(&["send"]).expect(3).stderr;
    let resume = told.split("Once this is fixed: tidings ").nth(1).unwrap();
    let resume: Vec<&str> = resume.lines().next().unwrap().split(' ').collect();
    let resumed = project.run(&resume).expect(0).stdout;
    assert!(
        resumed.starts_with("10 deliveries are due now"),
        "{resumed}"
    );
}

#[test]
fn one_dead_address_of_ten_is_believed_at_once() {
    let mut addresses: Vec<String> = (0..9).map(|n| format!("reader-{n}@d{n}.example")).collect();
    addresses.push("refused-1@d9.example".into());
    let server = Smtp::start(Manners::default());
    let project = project(&server, None, "", &addresses);
    let told = project.run(&["send"]).expect(3).stderr;
    assert!(told.contains("1 address does not exist"), "{told}");
    let suppressed = project.run(&["subscribers", "suppressed", "--json"]).json();
    assert_eq!(suppressed.as_array().unwrap().len(), 1);
}
