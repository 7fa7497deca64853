//! Deliver: every planned delivery is claimed, made into a message, sent and recorded.
//!
//! `encoded` has what all readers of a digest get, `message` makes the bytes of one mail, `mailer` is the way out (`maildir`, `smtp` or `sendmail`), `worker` is the loop.
//!
//! A delivery is claimed before it is sent and recorded after, each in a transaction of its own; the next
//! message goes out on a connection only when the last one is on the record. So a process that is killed
//! leaves at most one message per connection of which it does not know whether it went out, and that one
//! is sent again with the same Message-ID. Nobody is left out.

mod encoded;
mod maildir;
mod mailer;
mod message;
mod sendmail;
mod smtp;
mod worker;

pub use encoded::EncodedDigest;
pub use mailer::{DeliveryOptions, Mailer, MailerOptions, Security, SmtpOptions};
pub use message::{Mail, Recipient, letter_message, message};
pub use worker::{Delivered, Job, deliver};
