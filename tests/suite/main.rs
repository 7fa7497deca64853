//! The program as a whole, against real servers: HTTP, SMTP, a Maildir, a terminal-less shell.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod attackers;
mod bad_input;
mod cli;
mod clients;
mod collect;
mod delivery;
mod disks;
mod faults;
mod line;
mod mail_back;
mod preview;
mod serve;
mod stores;
mod studio;
mod support;
mod templates;
mod tidy;
mod year;
