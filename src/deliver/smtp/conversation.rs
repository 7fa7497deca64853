//! The conversation about one message.

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::MailParameter;
use memchr::memmem;

use super::{Broken, Connection, FINAL_ANSWER, GOODBYE};
use crate::deliver::message::Mail;
use crate::model::Outcome;

/// The commands before a message, as one piece of text.
struct Envelope(MailFrom, Rcpt);

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{Data}", self.0, self.1)
    }
}

impl Connection {
    /// One message: MAIL, RCPT, DATA, the message. A negative answer is an outcome; only a dead connection is not.
    pub(super) async fn converse(
        &mut self,
        mail: &Mail,
        limit: Duration,
    ) -> Result<Outcome, Broken> {
        let mut parameters = Vec::new();
        if !(mail.from.as_str().is_ascii() && mail.to.as_str().is_ascii()) {
            if !self.smtputf8 {
                return Ok(Outcome::Rejected(
                    "the mail server takes no addresses with letters like these (no SMTPUTF8)"
                        .into(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if let Some(most) = self.size {
            if mail.bytes.len() > most {
                // Nothing that comes later will be smaller, but the limit is the relay's, not the reader's.
                return Ok(Outcome::Deferred(format!(
                    "the mail server takes {most} bytes at most, and the mail has {}",
                    mail.bytes.len()
                )));
            }
            parameters.push(MailParameter::Size(mail.bytes.len()));
        }
        let address = |address: &crate::model::Address| {
            address
                .as_str()
                .parse::<lettre::Address>()
                .map_err(|error| Broken::Before(format!("an address is refused: {error}")))
        };
        let from = MailFrom::new(Some(address(&mail.from)?), parameters);
        let to = Rcpt::new(address(&mail.to)?, Vec::new());
        if let Some(refused) = self.announce(from, to, limit).await? {
            return Ok(refused);
        }
        let text = match wire_form(&mail.bytes) {
            Ok(text) => text,
            Err(what) => return Err(Broken::Before(what)),
        };
        match step(self.smtp.command(text), FINAL_ANSWER).await {
            Ok(Ok(())) => Ok(Outcome::Accepted),
            Ok(Err(said)) => Ok(said.outcome()),
            Err(Broken::Before(what) | Broken::After(what)) => Err(Broken::After(what)),
        }
    }

    /// The commands before the message. Returns the outcome when one of them is refused.
    async fn announce(
        &mut self,
        from: MailFrom,
        to: Rcpt,
        limit: Duration,
    ) -> Result<Option<Outcome>, Broken> {
        let (sender, recipient, data) = if self.pipelining {
            // One trip for all three (RFC 2920 3.1).
            let sender = step(self.smtp.command(Envelope(from, to)), limit).await?;
            let recipient = step(self.smtp.read_response(), limit).await?;
            (
                sender,
                recipient,
                Some(step(self.smtp.read_response(), limit).await?),
            )
        } else {
            let sender = step(self.smtp.command(from), limit).await?;
            let recipient = match sender {
                Ok(()) => step(self.smtp.command(to), limit).await?,
                Err(_) => Ok(()),
            };
            let data = match (&sender, &recipient) {
                (Ok(()), Ok(())) => Some(step(self.smtp.command(Data), limit).await?),
                _ => None,
            };
            (sender, recipient, data)
        };
        let waits_for_message = matches!(data, Some(Ok(())));
        let refused = match (sender, recipient) {
            // A refused sender is our fault, not the subscriber's: try again when it is mended.
            (Err(said), _) => Outcome::Deferred(said.text),
            (Ok(()), Err(said)) => said.outcome(),
            (Ok(()), Ok(())) => match data {
                Some(Err(said)) => said.outcome(),
                _ => return Ok(None),
            },
        };
        if waits_for_message {
            // The server waits for a message that nobody is to get; without one it must say no (RFC 2920 3.1). A server that
            // says yes has taken an empty mail for nobody.
            let _ = step(self.smtp.command(".\r\n"), limit).await;
        }
        if step(self.smtp.command(Rset), limit).await.is_err() {
            // It says goodbye first, to a server that may not listen.
            let _ = tokio::time::timeout(GOODBYE, self.smtp.abort()).await;
        }
        Ok(Some(refused))
    }
}

/// A message as it goes over the wire: a dot more where a line begins with one (RFC 5321 4.5.2), and one alone at the end.
fn wire_form(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the message is no text".to_owned())?;
    let mut wire = String::with_capacity(text.len() + 64);
    if text.starts_with('.') {
        wire.push('.');
    }
    let mut written = 0;
    for place in memmem::find_iter(bytes, b"\r\n.") {
        wire.push_str(&text[written..place + 3]);
        wire.push('.');
        written = place + 3;
    }
    wire.push_str(&text[written..]);
    wire.push_str(if text.ends_with("\r\n") {
        ".\r\n"
    } else {
        "\r\n.\r\n"
    });
    Ok(wire)
}

/// What a server said when it did not say yes.
struct No {
    permanent: bool,
    text: String,
}

impl No {
    fn outcome(self) -> Outcome {
        if self.permanent {
            Outcome::Rejected(self.text)
        } else {
            Outcome::Deferred(self.text)
        }
    }
}

async fn step<T>(
    work: impl Future<Output = Result<T, Error>>,
    limit: Duration,
) -> Result<Result<(), No>, Broken> {
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(Broken::Before(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
        Ok(Ok(_)) => Ok(Ok(())),
        Ok(Err(error)) => match error.status() {
            Some(code) => Ok(Err(No {
                permanent: error.is_permanent(),
                text: spoken(&error, &code.to_string()),
            })),
            None => Err(Broken::Before(spoken(&error, ""))),
        },
    }
}

/// An error in the server's words, on one line and not endlessly long.
fn spoken(error: &Error, code: &str) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let text = format!("{code} {}", cause.unwrap_or_else(|| error.to_string()));
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_dot_is_not_taken_for_the_end() {
        for (message, wire) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n.\r\n..b\r\n", "..\r\n..\r\n...b\r\n.\r\n"),
        ] {
            assert_eq!(wire_form(message.as_bytes()).as_deref(), Ok(wire));
        }
    }
}
