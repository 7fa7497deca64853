//! What a server's refusal means: whose fault it is, and whether to go on.
//!
//! By the enhanced status code (RFC 3463) where there is one, not by the first digit: a `550` says “no such mailbox” as often as
//! “I do not like you”, and who takes the second for the first loses subscribers that are well.

use crate::model::{About, Bounce, Outcome, Refusal};

/// How an outcome is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What it says about the address.
    pub bounce: Option<Bounce>,
    /// What it says about the mail to its domain.
    pub domain: Heard,
}

/// What was heard about the mail to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It takes our mail.
    Well,
    /// It says nothing about it.
    Silent,
    /// It wants it more slowly.
    Slow,
    /// It has put off a mail by its own rules; that may be about the one mail, or about all.
    Hesitant,
    /// It seems not to want it from us; a single mailbox may have said so.
    Suspicious,
    /// It does not want it from us, as we are.
    Refused,
}

/// Judges an outcome.
pub(super) fn judge(outcome: &Outcome) -> Verdict {
    let silent = Verdict {
        bounce: None,
        domain: Heard::Silent,
    };
    let sender_fault = |domain| Verdict {
        bounce: Some(Bounce::SenderFault),
        domain,
    };
    match outcome {
        Outcome::Accepted => Verdict {
            bounce: None,
            domain: Heard::Well,
        },
        Outcome::Unknown(_) => silent,
        Outcome::Deferred(no) => {
            let said = Said::parse(&no.text);
            match no.about {
                About::Ourselves => silent,
                _ if said.is_from_a_provider_about_us() => sender_fault(Heard::Refused),
                // Our own mail server does not want this sender, or any mail now; the domain of the reader has no part in it.
                About::Sender if said.code.is_some_and(|code| code >= 500) => {
                    sender_fault(Heard::Silent)
                }
                About::Sender => silent,
                About::Recipient | About::Message => Verdict {
                    domain: said.pace(),
                    ..silent
                },
            }
        }
        Outcome::Rejected(no) => {
            let said = Said::parse(&no.text);
            let bounce = match no.about {
                About::Ourselves => return silent,
                _ if said.is_from_a_provider_about_us() => return sender_fault(Heard::Refused),
                About::Sender => Bounce::SenderFault,
                About::Recipient => said.bounce(),
                About::Message => said.bounce_after_message(),
            };
            match bounce {
                Bounce::SenderFault => sender_fault(Heard::Suspicious),
                bounce => Verdict {
                    bounce: Some(bounce),
                    domain: Heard::Silent,
                },
            }
        }
    }
}

/// Whether a temporary refusal is about the one mailbox, so that it counts against it when it lasts.
pub(super) fn is_about_the_mailbox(no: &Refusal) -> bool {
    let said = Said::parse(&no.text);
    no.about == About::Recipient && said.pace() == Heard::Silent && !said.is_policy()
        || matches!(said.status, Some((4, 2, _))) && no.about != About::Ourselves
}

/// Judges what a report of a failed delivery says (RFC 3464): its `Status` and its `Diagnostic-Code`.
pub(super) fn judge_report(status: &str, diagnostic: &str) -> Bounce {
    // The server's own words are more precise than what the reporter made of them: “5.0.0” is a common one.
    let words = Said::parse(diagnostic);
    if words.status.is_some() || words.code.is_some() {
        return words.bounce();
    }
    Said {
        status: parse_status(status.trim()),
        ..words
    }
    .bounce()
}

/// An answer, taken apart.
struct Said {
    code: Option<u16>,
    status: Option<(u8, u16, u16)>,
    text: String,
}

/// Words with which servers say that there is no such mailbox.
const NOBODY: [&str; 14] = [
    "unknown",
    "no such",
    "not exist",
    "doesn't exist",
    "mailbox unavailable",
    "no mailbox",
    "not found",
    "invalid recipient",
    "invalid mailbox",
    "unrouteable",
    "no longer",
    "user disabled",
    "account disabled",
    "unbekannt",
];

/// Words with which servers say that a mailbox is full.
const FULL: [&str; 3] = ["quota", "mailbox full", "mailbox is full"];

/// Words with which servers refuse a sender and not a mailbox.
const POLICY: [&str; 26] = [
    "relay",
    "sender",
    "verif",
    "authenticat",
    "permit",
    "denied",
    "not allowed",
    "unauthori",
    "content",
    "suspended",
    "helo",
    "spam",
    "blocked",
    "blacklist",
    "blocklist",
    "block list",
    "denylist",
    "reputation",
    "dmarc",
    "dkim",
    "spf ",
    "policy",
    "banned",
    "spamhaus",
    "ptr record",
    "reverse dns",
];

/// Words with which servers ask for patience.
const SPEED: [&str; 7] = [
    "rate limit",
    "too many",
    "too fast",
    "throttl",
    "unusual rate",
    "exceeded",
    "temporarily deferred",
];

impl Said {
    fn parse(answer: &str) -> Self {
        let answer = answer.trim();
        let answer = answer.strip_prefix("smtp;").unwrap_or(answer).trim();
        let mut words = answer
            .split([' ', '-', '\t'])
            .filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let code = (first.len() == 3)
            .then(|| first.parse().ok())
            .flatten()
            .filter(|code| (200..600).contains(code));
        // A remote server's answer may come wrapped in that of the relay: “… said: 550 5.1.1 …”.
        let status = answer
            .split([' ', '-', '\t', '#', '(', ')', ';', ':', ','])
            .find_map(parse_status);
        Self {
            code,
            status,
            text: answer.to_lowercase(),
        }
    }

    fn bounce(&self) -> Bounce {
        match self.status {
            // X.1: addresses. 7 and 8 are about the sender's.
            Some((5, 1, 7 | 8)) => Bounce::SenderFault,
            Some((5, 1, 1 | 2 | 3 | 6 | 10) | (5, 2, 1)) => Bounce::Hard,
            // X.7: security and policy.
            Some((_, 7, _)) => Bounce::SenderFault,
            // X.0.0 says nothing; the words may.
            Some((5, 0, _)) | None => self.bounce_by_words(),
            Some(_) if self.is_policy() => Bounce::SenderFault,
            Some(_) => Bounce::Soft,
        }
    }

    /// Of a refusal that came after the message: without a status that names the mailbox it is about what we have sent.
    fn bounce_after_message(&self) -> Bounce {
        match self.status {
            Some((5, 1 | 2, _)) => self.bounce(),
            // Too big for the mailbox, or for the server.
            Some((5, 3, 4)) => Bounce::Soft,
            _ if self.is_full() => Bounce::Soft,
            _ => Bounce::SenderFault,
        }
    }

    /// Servers use one code for everything. An address is given up only when they say that there is nobody; who says anything else
    /// about it may mean us.
    fn bounce_by_words(&self) -> Bounce {
        if self.is_full() {
            return Bounce::Soft;
        }
        if self.is_policy() {
            return Bounce::SenderFault;
        }
        if NOBODY.iter().any(|word| self.text.contains(word)) {
            return Bounce::Hard;
        }
        Bounce::Soft
    }

    fn is_full(&self) -> bool {
        FULL.iter().any(|word| self.text.contains(word))
    }

    fn is_policy(&self) -> bool {
        POLICY.iter().any(|word| self.text.contains(word))
    }

    /// Whether it is one of the answers by which the large providers refuse a sender as a whole.
    fn is_from_a_provider_about_us(&self) -> bool {
        match self.status {
            // Google: no PTR, no authentication, no TLS, spam (25 to 32 are its own); Microsoft: 515, not authenticated.
            Some((_, 7, 23..=32 | 40 | 509 | 515)) => true,
            // T-Online: “554 IP=… - None/bad reputation”.
            _ => self.code == Some(554) && self.text.contains("bad reputation"),
        }
    }

    /// How mail to the domain goes on after such a temporary refusal.
    fn pace(&self) -> Heard {
        // Greylisting wants us back in a few minutes, with every mail as it is.
        if self.text.contains("greylist") || self.text.contains("graylist") {
            return Heard::Silent;
        }
        if SPEED.iter().any(|word| self.text.contains(word)) {
            return Heard::Slow;
        }
        match (self.code, self.status) {
            (Some(421), _) | (Some(452), Some((4, 5, 3))) => Heard::Slow,
            (Some(450..=452), Some((4, 7, _))) => Heard::Hesitant,
            _ => Heard::Silent,
        }
    }
}

/// An enhanced status code: class, subject, detail (RFC 3463 2).
fn parse_status(word: &str) -> Option<(u8, u16, u16)> {
    let word = word.trim_end_matches(['.', ',']);
    let mut numbers = word.split('.');
    let mut next = |most: usize| {
        let digits = numbers.next()?;
        let fits = !digits.is_empty() && digits.len() <= most;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        (fits && plain)
            .then(|| digits.parse::<u16>().ok())
            .flatten()
    };
    let class = next(1).filter(|class| matches!(class, 2 | 4 | 5))?;
    let status = (u8::try_from(class).ok()?, next(3)?, next(3)?);
    numbers.next().is_none().then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_judged_by_what_it_is_about() {
        let no = |about, answer: &str| {
            let text = answer.to_owned();
            judge(&Outcome::Rejected(Refusal { about, text })).bounce
        };
        let rejected = |answer: &str| no(About::Recipient, answer);
        for (bounce, answers) in [
            (
                Bounce::Hard,
                &[
                    "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown",
                    "550-5.1.1 The email account that you tried to reach does not exist.",
                    "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
                    "550 Requested action not taken: mailbox unavailable",
                    "553 sorry, no such mailbox here",
                    "550 5.2.1 The email account that you tried to reach is disabled.",
                ][..],
            ),
            (
                Bounce::Soft,
                &[
                    "552 5.2.2 The email account that you tried to reach is over quota",
                    "552 5.3.4 Message size exceeds fixed limit",
                    "550 Mailbox full",
                    "554 5.4.1 something",
                    "500 unrecognised command",
                ],
            ),
            (
                Bounce::SenderFault,
                &[
                    "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
                    "550 5.7.515 Access denied, sending domain doesn't meet the required authentication level",
                    "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help (NOWL)",
                    "554 5.7.1 Service unavailable; Client host blocked using Spamhaus",
                    "550 Your mail was considered spam",
                    "550 relay not permitted",
                    "550 Sender verify failed",
                    "550 Unknown sender",
                    "550 5.1.8 Sender address rejected: Domain not found",
                ],
            ),
        ] {
            for answer in answers {
                assert_eq!(rejected(answer), Some(bounce), "{answer}");
            }
        }
        // After the message the same words mean something else.
        let after = |answer| no(About::Message, answer);
        for answer in [
            "550 Message content rejected",
            "550 No such luck",
            "554 5.6.0 no",
        ] {
            assert_eq!(after(answer), Some(Bounce::SenderFault), "{answer}");
        }
        assert_eq!(after("550 5.1.1 unknown"), Some(Bounce::Hard));
        assert_eq!(after("552 5.2.2 full"), Some(Bounce::Soft));
        assert_eq!(
            no(About::Sender, "550 no such user"),
            Some(Bounce::SenderFault)
        );
        assert_eq!(no(About::Ourselves, "550 no such user"), None);
    }

    #[test]
    fn a_domain_that_wants_less_mail_is_told_from_a_mailbox_that_wants_it_later() {
        let no = |about, answer: &str| Refusal {
            about,
            text: answer.to_owned(),
        };
        let deferred = |answer: &str| judge(&Outcome::Deferred(no(About::Recipient, answer)));
        for (domain, answer) in [
            (
                Heard::Slow,
                "421 4.7.0 [TSS04] Messages temporarily deferred",
            ),
            (Heard::Hesitant, "451 4.7.1 come back later"),
            (Heard::Slow, "450 4.7.1 too many messages from your IP"),
            (Heard::Slow, "452 4.5.3 too many recipients"),
            (
                Heard::Refused,
                "421 4.7.26 unauthenticated email is not accepted",
            ),
            (
                Heard::Silent,
                "450 4.7.1 Greylisted, see you in five minutes",
            ),
            (Heard::Silent, "452 4.2.2 mailbox full"),
            (Heard::Silent, "451 4.3.0 internal error"),
        ] {
            assert_eq!(deferred(answer).domain, domain, "{answer}");
        }
        assert_eq!(deferred("452 4.2.2 mailbox full").bounce, None);
        let refused = judge(&Outcome::Deferred(no(About::Sender, "553 sender refused")));
        assert_eq!(refused.bounce, Some(Bounce::SenderFault));
        for (about, answer, counts) in [
            (About::Recipient, "451 4.3.0 internal error", true),
            (About::Message, "452 4.2.2 mailbox full", true),
            (About::Message, "451 4.3.0 internal error", false),
            (About::Recipient, "451 4.7.1 come back later", false),
            (About::Sender, "421 4.7.0 too many", false),
            (About::Ourselves, "no answer within 300 s", false),
        ] {
            assert_eq!(is_about_the_mailbox(&no(about, answer)), counts, "{answer}");
        }
    }

    #[test]
    fn a_report_is_judged_by_the_words_of_the_server_that_refused() {
        assert_eq!(
            judge_report("5.0.0", "smtp; 550 5.1.1 unknown"),
            Bounce::Hard
        );
        assert_eq!(judge_report("5.1.1", ""), Bounce::Hard);
        assert_eq!(judge_report("5.2.2", "X-Postfix; mailbox"), Bounce::Soft);
        assert_eq!(
            judge_report("5.0.0", "smtp; 550 blocked by policy"),
            Bounce::SenderFault
        );
    }
}
