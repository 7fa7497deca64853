//! The sections about where things are kept and how mail goes out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::read::Table;
use super::secret::{is_secret_given, secret};
use super::values::{address, not_empty};
use crate::deliver::{
    DeliveryOptions, DkimOptions, DomainLimits, Limits, Login, MailerOptions, Security, SmtpOptions,
};
use crate::model::BouncePolicy;
use crate::model::{Newsletter, UnknownPolicy};
use crate::store::StoreUrl;

/// A PostgreSQL database, with the password that the environment or `password_file` gives.
///
/// # Errors
/// What is wrong with `url`, or with the password.
pub fn postgres_url(url: &str, password_file: Option<&Path>) -> Result<StoreUrl, String> {
    let mut parsed = url::Url::parse(url).map_err(|error| format!("“{url}”: {error}"))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(format!("“{url}” is no PostgreSQL database"));
    }
    if parsed.password().is_some() {
        return Err(
            "a password does not belong there: set TIDINGS_STORE_PASSWORD, or name a file that holds it".to_owned(),
        );
    }
    if password_file.is_some() || is_secret_given("TIDINGS_STORE_PASSWORD") {
        let password = secret("TIDINGS_STORE_PASSWORD", password_file)
            .map_err(|error| format!("{error:#}"))?;
        parsed
            .set_password(Some(password.expose()))
            .map_err(|()| format!("“{url}” names no user"))?;
    }
    Ok(StoreUrl::Postgres(Box::new(parsed)))
}

/// When a store of an older version is brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrations {
    /// When a command that writes opens it.
    #[default]
    Automatic,
    /// When the operator says so.
    Manual,
}

pub(super) fn store(mut table: Table<'_, '_>, folder: &Path) -> Option<(StoreUrl, Migrations)> {
    let hint = "Write \"sqlite:tidings.db\", or \"postgres://tidings@db.example.org/tidings\".";
    let asked = table.get("url").is_some();
    let password_file = table
        .text("password_file", "A file that holds the password.")
        .map(|path| folder.join(path));
    let url = table.parsed("url", hint, |text| match text.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(StoreUrl::Sqlite(
            folder.join(path.strip_prefix("//").unwrap_or(path)),
        )),
        Some(("postgres" | "postgresql", _)) => postgres_url(text, password_file.as_deref()),
        _ => Err(format!("“{text}” is not a store that Tidings knows")),
    });
    let hint =
        "Write \"automatic\", or \"manual\" to decide yourself with `tidings store migrate`.";
    let migrations = table.parsed("migrate", hint, |text| match text {
        "automatic" => Ok(Migrations::Automatic),
        "manual" => Ok(Migrations::Manual),
        _ => Err(format!("there is no “{text}”")),
    });
    table.done();
    let url = match asked {
        true => url?,
        false => StoreUrl::Sqlite(folder.join("tidings.db")),
    };
    Some((url, migrations.unwrap_or_default()))
}

pub(super) fn delivery(
    mut table: Table<'_, '_>,
    folder: &Path,
    newsletter: Option<&Newsletter>,
) -> Option<DeliveryOptions> {
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
    let chosen = choice.unwrap_or(Choice::Maildir);
    let relays: Vec<SmtpOptions> = relays(&mut table, chosen == Choice::Smtp, folder);
    let unknown = table.parsed(
        "unknown",
        "One of: once, at-least-once.",
        |text| match text {
            "once" => Ok(UnknownPolicy::Once),
            "at-least-once" => Ok(UnknownPolicy::AtLeastOnce),
            _ => Err(format!("“{text}” is not what can be done about it")),
        },
    );
    let returns = table.parsed(
        "bounces",
        "An address whose mail `tidings inbound` reads, with room for a tag: \"bounce@bounces.example.org\".",
        |text| {
            let returns = address(text)?;
            let longest = "0".repeat(crate::model::TOKEN_LENGTH);
            returns
                .tagged(&longest)
                .map(|_| returns)
                .map_err(|_| format!("“{text}” leaves no room for a tag before the @"))
        },
    );
    let suppress = suppress(&mut table);
    let domains = domains(&mut table);
    let dkim = dkim(&mut table, folder, newsletter);
    table.done();

    let mailer = match chosen {
        Choice::Maildir => {
            MailerOptions::Maildir(folder.join(path.unwrap_or_else(|| "out/Maildir".to_owned())))
        }
        Choice::Sendmail => MailerOptions::Sendmail(PathBuf::from(
            command.unwrap_or_else(|| "/usr/sbin/sendmail".to_owned()),
        )),
        Choice::Smtp if relays.is_empty() => return None,
        Choice::Smtp => MailerOptions::Smtp(relays),
    };
    Some(DeliveryOptions {
        mailer,
        retry_for,
        unknown: unknown.unwrap_or_default(),
        suppress,
        returns,
        domains,
        dkim,
        report_to,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Maildir,
    Smtp,
    Sendmail,
}

/// One table, or several: more than one mail server.
fn relays(table: &mut Table<'_, '_>, wanted: bool, folder: &Path) -> Vec<SmtpOptions> {
    if table.is_list("smtp") {
        let relays = table.list("smtp").into_iter();
        let relays: Vec<_> = relays.filter_map(|relay| smtp(relay, folder)).collect();
        if !relays.is_empty() && relays.iter().all(|relay| relay.weight == 0) {
            table.missing(
                "smtp.weight",
                "One server must have some: those with 0 only stand by.",
            );
        }
        return relays;
    }
    let relay = table.table("smtp");
    if relay.exists() || wanted {
        smtp(relay, folder).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// How fast mail may go to a domain: to any, and to named ones.
/// When an address is not mailed any more.
fn suppress(table: &mut Table<'_, '_>) -> BouncePolicy {
    let mut table = table.table("suppress");
    let usual = BouncePolicy::default();
    let mut number = |key, range, usual| {
        let wanted = table.number(key, range);
        wanted
            .and_then(|wanted| u32::try_from(wanted).ok())
            .unwrap_or(usual)
    };
    let policy = BouncePolicy {
        hard: number("hard", 1..100, usual.hard),
        soft: number("soft", 1..1000, usual.soft),
        complaints: number("complaints", 1..100, usual.complaints),
        doubt: number("doubt", 1..101, usual.doubt),
        soft_for: usual.soft_for,
    };
    let soft_for = table.duration("soft_for");
    table.done();
    BouncePolicy {
        soft_for: soft_for
            .and_then(|soft_for| chrono::TimeDelta::from_std(soft_for).ok())
            .unwrap_or(policy.soft_for),
        ..policy
    }
}

fn domains(table: &mut Table<'_, '_>) -> DomainLimits {
    let mut limits = DomainLimits::default();
    let mut any = table.table("each_domain");
    limits.others = domain_limits(&mut any);
    any.done();
    for (name, mut named) in table.tables("domain") {
        let found = domain_limits(&mut named);
        // As it stands in addresses.
        match url::Host::parse(&name) {
            Ok(url::Host::Domain(domain)) => {
                limits.named.insert(domain, found);
            }
            _ => named.missing(
                "name",
                &format!("“{name}” is not a domain name: [delivery.domain.\"example.org\"]."),
            ),
        }
        named.done();
    }
    limits
}

fn domain_limits(table: &mut Table<'_, '_>) -> Limits {
    Limits {
        at_once: table
            .number("at_once", 1..1001)
            .and_then(|number| usize::try_from(number).ok()),
        per_minute: table
            .number("per_minute", 1..10_000_001)
            .and_then(|number| u32::try_from(number).ok()),
    }
}

/// The keys that sign; by default for the domain in `From`.
fn dkim(
    table: &mut Table<'_, '_>,
    folder: &Path,
    newsletter: Option<&Newsletter>,
) -> Vec<DkimOptions> {
    let domain_name = |text: &str| {
        url::Host::parse(text)
            .ok()
            .filter(|host| matches!(host, url::Host::Domain(_)))
            .map(|host| host.to_string())
            .ok_or_else(|| format!("“{text}” is not a domain name"))
    };
    let mut keys = Vec::new();
    for mut key in table.list("dkim") {
        let selector = key.required(
            "selector",
            "The name of the key in the DNS: selector = \"2026a\".",
            domain_name,
        );
        let file = key.required(
            "key_file",
            "A PEM file with the private key: key_file = \"dkim.pem\".",
            not_empty,
        );
        let hint = "The domain of the address in `from`, or one above it.";
        let domain = key.parsed("domain", hint, |text| {
            let domain = domain_name(text)?;
            let from = newsletter.map_or("", |newsletter| newsletter.from.domain());
            // Else the signature does not speak for the sender (RFC 9989 4.4.1).
            if from != domain && !from.ends_with(&format!(".{domain}")) && !from.is_empty() {
                return Err(format!("“{text}” is not the domain of the sender, {from}"));
            }
            Ok(domain)
        });
        key.done();
        let from = newsletter.map(|newsletter| newsletter.from.domain().to_owned());
        if let (Some(selector), Some(file), Some(domain)) = (selector, file, domain.or(from)) {
            keys.push(DkimOptions {
                domain,
                selector,
                key_file: folder.join(file),
            });
        }
    }
    keys
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
    let login = table.parsed("login", "One of: password, token.", |text| match text {
        "password" => Ok(Login::Password),
        "token" => Ok(Login::Token),
        _ => Err(format!("“{text}” is not a way to log in")),
    });
    if login == Some(Login::Token) && user.is_none() {
        table.missing(
            "user",
            "Whom the token is for: user = \"digest@example.org\".",
        );
    }
    let certificate = table.text("client_certificate", "A PEM file with our own certificate.");
    let key = table.text(
        "client_key",
        "A PEM file with the key of our own certificate.",
    );
    if certificate.is_some() != key.is_some() {
        table.missing(
            if key.is_none() {
                "client_key"
            } else {
                "client_certificate"
            },
            "A certificate and its key belong together.",
        );
    }
    let client = certificate
        .zip(key)
        .map(|(certificate, key)| (folder.join(certificate), folder.join(key)));
    let weight = table.number("weight", 0..1001).unwrap_or(1);
    let per_minute = table
        .number("per_minute", 1..10_000_001)
        .and_then(|number| u32::try_from(number).ok());
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
    // RFC 5321 4.5.3.2: five minutes for MAIL and RCPT.
    let timeout = table
        .duration("timeout")
        .unwrap_or(Duration::from_secs(300));
    let local = host
        .as_deref()
        .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "::1"));
    if security == Security::None
        && !local
        && let Some(found) = table.get("security")
    {
        if user.is_some() {
            table.wrong(
                &found,
                "would send the password in plain text across the network",
                "Use \"starttls\" or \"tls\".",
            );
        } else if table.flag("plain_text") != Some(true) {
            table.wrong(
                &found,
                "would send subscribers' addresses in plain text across the network",
                "Use \"starttls\" or \"tls\"; in a network of your own, plain_text = true allows it.",
            );
        }
    }
    let _ = table.flag("plain_text");
    table.done();
    Some(SmtpOptions {
        host: host?,
        port: u16::try_from(port).ok()?,
        security,
        user,
        password_file,
        login: login.unwrap_or_default(),
        client,
        weight: u32::try_from(weight).ok()?,
        per_minute,
        ca_file,
        connections: usize::try_from(connections).ok()?,
        messages_per_connection: usize::try_from(per_connection).ok()?,
        timeout,
    })
}
