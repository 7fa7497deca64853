//! Deliver: every planned delivery is claimed, made into a message, sent and recorded.
//!
//! `encoded` has what all readers of a digest get, `message` makes the bytes of one mail and `dkim` signs them; `mailer` is the
//! way out (`maildir`, `smtp` or `sendmail`); `outcome` judges what the server said and `bounce` what comes back later;
//! `throttle` says how fast mail may go, `press` makes digests and mails, and `worker` is the loop.
//!
//! A delivery is claimed, begun just before it is sent, and recorded after, each on the disk before the next. So a process that is
//! killed leaves a few that were begun and not recorded: nobody knows whether they went out, and `delivery.unknown` says whether
//! they are sent again, with the same Message-ID, or listed. All others are sent by the next run. Nobody is left out.

mod bounce;
mod dkim;
mod encoded;
mod maildir;
mod mailer;
mod message;
mod outcome;
mod press;
mod sendmail;
mod smtp;
mod throttle;
mod worker;

pub use bounce::{Inbound, Named, Ours, read_inbound};
pub use dkim::{DkimOptions, DnsRecord, Signer};
pub use encoded::{EncodedDigest, EncodedNews, ForReader};
pub use mailer::{DeliveryOptions, Login, Mailer, MailerOptions, Security, SmtpOptions};
pub use message::{Mail, Recipient, Sender};
pub use press::Printed;
pub use throttle::{DomainLimits, Limits};
pub use worker::{Delivered, Job, deliver};
