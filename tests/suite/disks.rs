//! Mail counts as sent when it is on the disk: on a full one, on one with faults, and when the process is killed.

use std::path::Path;

use crate::support::{
    EDQUOT, EIO, ENOSPC, Fault, Machine, NEW_STORE, Project, Ran, newsletter, rss,
};

const READERS: usize = 5;

/// A project with one feed, some readers and a Maildir.
fn project() -> Project {
    let readers: String = (0..READERS)
        .map(|n| format!("[[subscriber]]\naddress = \"reader-{n}@example.org\"\n"))
        .collect();
    let config = newsletter() + "[[feed]]\nurl = \"feed.xml\"\n" + &readers;
    let project = Project::with_config(&config);
    let feed = rss("Quelle", &[("KI lernt segeln", "Auf dem See.")]);
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    project
}

fn files(folder: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let length =
        |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().metadata().unwrap().len();
    entries.map(length).collect()
}

fn sent(project: &Project) -> u64 {
    let report = project
        .run(&["editions", "list", "--json"])
        .expect(0)
        .json();
    report[0]["deliveries"]["sent"].as_u64().unwrap()
}

fn run(machine: &Machine, project: &Project, arguments: &[&str]) -> Ran {
    let mut command = machine.run_on(project.command(arguments));
    command.output().unwrap().into()
}

#[test]
fn mail_that_finds_no_room_is_not_sent_leaves_nothing_and_goes_out_when_there_is_room() {
    let write = |error, room| Fault {
        call: "write",
        error,
        room,
    };
    for fault in [
        write(ENOSPC, 0),
        write(EDQUOT, 0),
        write(EIO, 0),
        // The last piece does not fit.
        write(ENOSPC, 4_096),
        Fault {
            call: "fsync",
            error: EIO,
            room: 0,
        },
        Fault {
            call: "rename",
            error: ENOSPC,
            room: 0,
        },
    ] {
        let project = project();
        let maildir = project.path("out/Maildir");
        let full = Machine::default().with_fault("Maildir/tmp", fault);
        let told = run(&full, &project, &["send"]).expect(1);
        assert!(
            told.stderr
                .contains("Not all mail could be handed over: writing")
                && told.stderr.contains("os error"),
            "{fault:?}: {}",
            told.stderr
        );
        assert_eq!(sent(&project), 0, "{fault:?}");
        assert_eq!(files(&maildir.join("new")), [0; 0], "{fault:?}");
        assert_eq!(files(&maildir.join("tmp")), [0; 0], "{fault:?}");

        project.run(&["send"]).expect(0).silent();
        assert_eq!(sent(&project), READERS as u64, "{fault:?}");
        let mails = files(&maildir.join("new"));
        assert!(
            mails.len() == READERS && mails.iter().all(|length| *length > 4_096),
            "{fault:?}: {mails:?}"
        );
    }
}

#[test]
fn a_test_copy_that_finds_no_room_says_so() {
    let project = project();
    let fault = Fault {
        call: "write",
        error: ENOSPC,
        room: 0,
    };
    let full = Machine::default().with_fault("Maildir/tmp", fault);
    let told = run(&full, &project, &["send", "--to", "anna@example.org"]).expect(1);
    assert!(
        told.stderr.contains("sending the test copy"),
        "{}",
        told.stderr
    );
    assert!(project.maildir().is_empty());
}

#[test]
fn a_maildir_that_cannot_be_written_to_is_found_by_the_check() {
    let project = project();
    let fault = Fault {
        call: "write",
        error: ENOSPC,
        room: 0,
    };
    let full = Machine::default().with_fault("Maildir/tmp", fault);
    let checked = run(&full, &project, &["check", "--offline"])
        .expect(1)
        .stdout;
    assert!(checked.contains("✗ mailer        writing"), "{checked}");
}

#[test]
fn a_mail_that_was_stored_and_not_recorded_is_there_once() {
    let project = project();
    project.run(&["send"]).expect(0).silent();
    let mails = project.maildir();
    // One was read meanwhile; nobody knows any more that any was stored.
    let name = mails[0].file_name().unwrap().to_str().unwrap();
    let seen = project.path("out/Maildir/cur").join(format!("{name}:2,S"));
    std::fs::rename(&mails[0], &seen).unwrap();
    project.sql("UPDATE delivery SET state = 'leased', begun = 1, worker = 1, ended_at = NULL");
    project.run(&["send"]).expect(0).silent();
    assert_eq!(sent(&project), READERS as u64);
    assert_eq!(project.maildir(), mails[1..]);
    assert!(seen.exists());
}

#[cfg(unix)]
#[test]
fn what_holds_addresses_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let config = newsletter()
        + "[store]\nurl = \"sqlite:data/tidings.db\"\n[[feed]]\nurl = \"feed.xml\"\n[[subscriber]]\naddress = \"anna@example.org\"\n";
    let project = Project::with_config(&config);
    let feed = rss("Quelle", &[("KI lernt segeln", "Auf dem See.")]);
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    project.run(&["send"]).expect(0).silent();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in ["data", "out/Maildir", "out/Maildir/new"] {
        assert_eq!(mode(&project.path(folder)), 0o700, "{folder}");
    }
    for file in ["data/tidings.db", "data/tidings.db.lock"] {
        assert_eq!(mode(&project.path(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&project.maildir()[0]), 0o600);

    // One that was open to everybody is closed, with a word.
    let store = project.path("data/tidings.db");
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o666)).unwrap();
    let told = project.run(&["send"]).expect(0).stderr;
    assert!(
        told.contains("was open to everybody on this machine"),
        "{told}"
    );
    assert_eq!(mode(&store), 0o660);
}

#[test]
fn a_new_store_is_told_and_one_that_is_empty_or_foreign_is_refused() {
    let project = project();
    let output = project.command(&["send"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with(NEW_STORE), "{told}");
    project.run(&["send"]).expect(0).silent();

    for (content, expected) in [
        ("", "the file is empty: put a backup in its place"),
        (
            "This is a letter, and no database at all.",
            "it is no SQLite database",
        ),
    ] {
        std::fs::write(project.path("tidings.db"), content).unwrap();
        for command in ["send", "check", "preview"] {
            let ran = project.run(&[command]).expect(1);
            let said = ran.stdout + &ran.stderr;
            assert!(said.contains(expected), "{command}: {said}");
        }
        let kept = std::fs::read_to_string(project.path("tidings.db")).unwrap();
        assert_eq!(kept, content, "and it is as it was");
    }
}

#[test]
fn after_a_clean_end_one_file_is_the_whole_store() {
    let project = project();
    for command in ["send", "collect", "subscribers list", "preview", "check"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        project.run(&arguments);
        let beside: Vec<_> = std::fs::read_dir(project.path("."))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("tidings.db-"))
            .collect();
        assert_eq!(beside, [""; 0], "{command}");
    }
    std::fs::copy(project.path("tidings.db"), project.path("copy.db")).unwrap();
    std::fs::rename(project.path("copy.db"), project.path("tidings.db")).unwrap();
    assert_eq!(sent(&project), READERS as u64);
}

#[test]
fn a_damaged_store_is_found_by_the_check() {
    let project = project();
    project.run(&["send"]).expect(0).silent();
    let store = project.path("tidings.db");
    let mut bytes = std::fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40_000].fill(0x5a);
    std::fs::write(&store, bytes).unwrap();
    let checked = project.run(&["check", "--offline"]).expect(1).stdout;
    assert!(checked.contains("✗ store"), "{checked}");
    assert!(checked.contains("damaged"), "{checked}");
}
