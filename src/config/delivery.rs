//! The sections about where things are kept and how mail goes out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::read::Table;
use super::values::{address, not_empty};
use crate::deliver::{DeliveryOptions, MailerOptions, Security, SmtpOptions};
use crate::store::StoreUrl;

pub(super) fn store_url(mut table: Table<'_, '_>, folder: &Path) -> Option<StoreUrl> {
    let hint = "Write \"sqlite:tidings.db\".";
    let asked = table.get("url").is_some();
    let url = table.parsed("url", hint, |text| match text.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(StoreUrl::Sqlite(
            folder.join(path.strip_prefix("//").unwrap_or(path)),
        )),
        _ => Err(format!("“{text}” is not a store that Tidings knows")),
    });
    table.done();
    if asked {
        url
    } else {
        Some(StoreUrl::Sqlite(folder.join("tidings.db")))
    }
}

pub(super) fn delivery(mut table: Table<'_, '_>, folder: &Path) -> Option<DeliveryOptions> {
    let choice = table.parsed(
        "mailer",
        "One of: maildir, smtp, sendmail.",
        |text| match text {
            "maildir" => Ok(Choice::Maildir),
            "smtp" => Ok(Choice::Smtp),
            "sendmail" => Ok(Choice::Sendmail),
            _ => Err(format!("“{text}” is not a way to send mail")),
        },
    );
    let retry_for = table
        .duration("retry_for")
        .unwrap_or(Duration::from_secs(24 * 3600));

    let report_to = table.parsed("report_to", "The operator's address.", address);
    let mut maildir = table.table("maildir");
    let path = maildir.text("path", "The folder that the mails are put into.");
    maildir.done();
    let mut sendmail = table.table("sendmail");
    let command = sendmail.text("command", "The path of the sendmail program.");
    sendmail.done();
    let smtp_table = table.table("smtp");
    let chosen = choice.unwrap_or(Choice::Maildir);
    let smtp = if smtp_table.exists() || chosen == Choice::Smtp {
        smtp(smtp_table, folder)
    } else {
        None
    };
    table.done();

    let mailer = match chosen {
        Choice::Maildir => {
            MailerOptions::Maildir(folder.join(path.unwrap_or_else(|| "out/Maildir".to_owned())))
        }
        Choice::Sendmail => MailerOptions::Sendmail(PathBuf::from(
            command.unwrap_or_else(|| "/usr/sbin/sendmail".to_owned()),
        )),
        Choice::Smtp => MailerOptions::Smtp(smtp?),
    };
    Some(DeliveryOptions {
        mailer,
        retry_for,
        report_to,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Maildir,
    Smtp,
    Sendmail,
}

pub(super) fn smtp(mut table: Table<'_, '_>, folder: &Path) -> Option<SmtpOptions> {
    let host = table.required(
        "host",
        "The name of your mail server: host = \"smtp.example.org\".",
        |text| {
            let host = not_empty(text)?;
            url::Host::parse(&host)
                .map(|_| host)
                .map_err(|_| format!("“{text}” is not a host name"))
        },
    );
    let security = table.parsed(
        "security",
        "One of: starttls, tls, none.",
        |text| match text {
            "starttls" => Ok(Security::StartTls),
            "tls" => Ok(Security::Tls),
            "none" => Ok(Security::None),
            _ => Err(format!("“{text}” is not a kind of security")),
        },
    );
    let security = security.unwrap_or(Security::StartTls);
    let default_port = match security {
        Security::StartTls => 587,
        Security::Tls => 465,
        Security::None => 25,
    };
    let port = table.number("port", 1..65_536).unwrap_or(default_port);
    let user = table.text("user", "The name to log in with.");
    let password_file = table
        .text("password_file", "A file that holds the password.")
        .map(|path| folder.join(path));
    if let Some(found) = table.get("password") {
        table.wrong(
            &found,
            "does not belong into this file",
            "Set TIDINGS_SMTP_PASSWORD, or put it into a file and name that with password_file.",
        );
    }
    let ca_file = table
        .text(
            "ca_file",
            "A PEM file with the certificates of your own authority.",
        )
        .map(|path| folder.join(path));
    let connections = table.number("connections", 1..65).unwrap_or(4);
    let per_connection = table
        .number("messages_per_connection", 1..100_001)
        .unwrap_or(100);
    let timeout = table.duration("timeout").unwrap_or(Duration::from_secs(60));
    let local = host
        .as_deref()
        .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "::1"));
    if security == Security::None
        && user.is_some()
        && !local
        && let Some(found) = table.get("security")
    {
        table.wrong(
            &found,
            "would send the password in plain text across the network",
            "Use \"starttls\" or \"tls\".",
        );
    }
    table.done();
    Some(SmtpOptions {
        host: host?,
        port: u16::try_from(port).ok()?,
        security,
        user,
        password_file,
        ca_file,
        connections: usize::try_from(connections).ok()?,
        messages_per_connection: usize::try_from(per_connection).ok()?,
        timeout,
    })
}
