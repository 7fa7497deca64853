//! The conversation about one message.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::MailParameter;
use lettre::transport::smtp::response::Response;
use memchr::memmem;

use super::{Broken, Connection, FINAL_ANSWER, GOODBYE};
use crate::deliver::message::Mail;
use crate::model::{About, Outcome, Refusal};

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
                return Ok(Outcome::Rejected(Refusal::of_ours(
                    "the mail server takes no addresses with letters like these (no SMTPUTF8)",
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if let Some(most) = self.size {
            if mail.bytes.len() > most {
                // Nothing that comes later will be smaller, but the limit is the relay's, not the reader's.
                return Ok(Outcome::Deferred(Refusal::of_ours(format!(
                    "the mail server takes {most} bytes at most, and the mail has {}",
                    mail.bytes.len()
                ))));
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
        let (length, before) = (text.len() as u64, self.written.load(Ordering::Relaxed));
        match step(self.smtp.command(text), FINAL_ANSWER).await {
            Ok(Ok(said)) if said.is_done() => Ok(Outcome::Accepted),
            // Some other yes is the answer to something else: we have lost count.
            Ok(Ok(said)) => Err(Broken::After(said.out_of_turn())),
            Ok(Err(no)) => Ok(no.outcome(About::Message)),
            // Without the dot that ends it, no server takes a message (RFC 5321 4.1.1.4).
            Err(Broken::Before(what) | Broken::After(what)) => {
                let written = self.written.load(Ordering::Relaxed) - before;
                Err(match written < length {
                    true => Broken::Before(what),
                    false => Broken::After(what),
                })
            }
        }
    }

    /// The commands before the message. Returns the outcome when one of them is refused.
    ///
    /// A conversation in which an answer is missing, or is not one to what was asked, is broken: whoever goes on would take the
    /// answers about one mail for those about the next.
    async fn announce(
        &mut self,
        from: MailFrom,
        to: Rcpt,
        limit: Duration,
    ) -> Result<Option<Outcome>, Broken> {
        if !self.pipelining {
            if let Err(no) = done(step(self.smtp.command(from), limit).await?)? {
                return self
                    .refused(no, About::Sender, false, limit)
                    .await
                    .map(Some);
            }
            if let Err(no) = done(step(self.smtp.command(to), limit).await?)? {
                return self
                    .refused(no, About::Recipient, false, limit)
                    .await
                    .map(Some);
            }
            return match go_on(step(self.smtp.command(Data), limit).await?)? {
                Ok(()) => Ok(None),
                Err(no) => self
                    .refused(no, About::Message, false, limit)
                    .await
                    .map(Some),
            };
        }
        // One trip for all three (RFC 2920 3.1).
        let sender = done(step(self.smtp.command(Envelope(from, to)), limit).await?)?;
        if let Err(no) = &sender
            && no.is_goodbye()
        {
            // It closes the connection, and answers nothing more.
            return Ok(Some(no.clone().outcome(About::Sender)));
        }
        let recipient = done(step(self.smtp.read_response(), limit).await?)?;
        if let (Ok(()), Err(no)) = (&sender, &recipient)
            && no.is_goodbye()
        {
            return Ok(Some(no.clone().outcome(About::Recipient)));
        }
        let data = go_on(step(self.smtp.read_response(), limit).await?)?;
        let waits = data.is_ok();
        let (no, about) = match (sender, recipient, data) {
            (Err(no), ..) => (no, About::Sender),
            (Ok(()), Err(no), _) => (no, About::Recipient),
            (Ok(()), Ok(()), Err(no)) => (no, About::Message),
            (Ok(()), Ok(()), Ok(())) => return Ok(None),
        };
        self.refused(no, about, waits, limit).await.map(Some)
    }

    /// Takes back what was said about a message that will not be sent, so that the connection can be used for the next. `waits`: the
    /// server waits for the message all the same.
    async fn refused(
        &mut self,
        no: No,
        about: About,
        waits: bool,
        limit: Duration,
    ) -> Result<Outcome, Broken> {
        let mut in_order = !no.is_goodbye();
        if in_order && waits {
            // Without a message it must say no (RFC 2920 3.1). A server that says yes has taken an empty mail for nobody.
            in_order = step(self.smtp.command(".\r\n"), limit).await.is_ok();
        }
        if in_order {
            let reset = step(self.smtp.command(Rset), limit).await;
            in_order = matches!(reset, Ok(Ok(said)) if said.is_done());
        }
        if !in_order {
            // It says goodbye first, to a server that may not listen.
            let _ = tokio::time::timeout(GOODBYE, self.smtp.abort()).await;
        }
        Ok(no.outcome(about))
    }
}

/// The answer to a command, which must be “done” (2xx) or a refusal.
fn done(answer: Result<Yes, No>) -> Result<Result<(), No>, Broken> {
    match answer {
        Ok(said) if said.is_done() => Ok(Ok(())),
        Ok(said) => Err(Broken::Before(said.out_of_turn())),
        Err(no) => Ok(Err(no)),
    }
}

/// The answer to `DATA`, which must be “go on” (354) or a refusal.
fn go_on(answer: Result<Yes, No>) -> Result<Result<(), No>, Broken> {
    match answer {
        Ok(said) if said.0 == 354 => Ok(Ok(())),
        Ok(said) => Err(Broken::Before(said.out_of_turn())),
        Err(no) => Ok(Err(no)),
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

/// The code of an answer that is no refusal.
#[derive(Debug, Clone, Copy)]
struct Yes(u16);

impl Yes {
    fn is_done(self) -> bool {
        (200..300).contains(&self.0)
    }

    fn out_of_turn(self) -> String {
        format!("the server answered {} out of turn", self.0)
    }
}

/// What a server said when it did not say yes.
#[derive(Debug, Clone)]
struct No {
    permanent: bool,
    text: String,
}

impl No {
    /// Whether the server closes the connection (RFC 5321 3.8).
    fn is_goodbye(&self) -> bool {
        self.text.starts_with("421")
    }

    fn outcome(self, about: About) -> Outcome {
        let refusal = Refusal {
            about,
            text: self.text,
        };
        // A refused sender is our fault, not the subscriber's: it is tried again when that is mended.
        if self.permanent && about != About::Sender {
            Outcome::Rejected(refusal)
        } else {
            Outcome::Deferred(refusal)
        }
    }
}

async fn step(
    work: impl Future<Output = Result<Response, Error>>,
    limit: Duration,
) -> Result<Result<Yes, No>, Broken> {
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(Broken::Before(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
        Ok(Ok(response)) => Ok(Ok(Yes(u16::from(response.code())))),
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
