//! Tidings reads feeds, folds the reports of one event into one story, ranks the stories for each topic,
//! renders an HTML and plain-text digest, and mails it to people who asked for it.
//!
//! # The line
//!
//! The source tree is that sentence. `cli::line` chains it on one screen, and nothing else does:
//!
//! ```text
//! config.toml
//!  → collect::collect       feeds        → items and failures     bad feeds are data, never the end of the run
//!  → store.save_collected   items                                 idempotent on ItemKey
//!  → rank::compose          items        → sections               pure, deterministic
//!  → store.publish          edition      + a delivery per subscriber, in one transaction
//!  → render::digest         edition      → subject, HTML, text    pure
//!  → deliver::deliver       deliveries   → claim, message, send, record
//! ```
//!
//! A preview is the same line on a snapshot of the store ([`store::Store::snapshot`]).
//!
//! # Where things are
//!
//! | module | holds |
//! |-|-|
//! | [`model`] | the words of the program as values; read this first |
//! | [`config`] | `config.toml`, and all that can be wrong with it |
//! | [`schedule`] | which editions are due |
//! | [`collect`] | fetch, parse, clean, identify |
//! | [`rank`] | language, topics, stories, scores, and why |
//! | [`render`] | view, templates, languages, themes, lint |
//! | [`deliver`] | message, mailers, the sending loop |
//! | [`subscribe`] | what people agree to, ask for and choose; lists of them in and out |
//! | [`web`] | the pages for readers |
//! | [`store`] | all SQL |
//! | [`cli`] | one file per command |
//!
//! # What is absent, on purpose
//!
//! - No clock outside of `cli`: `now` is passed in. There are two: the time that editions go by, which the
//!   configuration may pretend, and the real one, by which deliveries are due.
//! - `model` imports no sibling; `rank` and `render` import only `model`; no stage imports another stage.
//!   `deliver` alone works on the store, because its loop is claim and record. `config` knows the options of
//!   the stages, and `cli` chains them. A test holds this together.
//! - No transaction is open while the network is used.
//! - No text from a feed reaches a digest as mark-up: `collect::html` makes it plain, the templates escape it.
//! - No address or password in a log line or in `Debug`.
//! - No randomness in an edition, a digest or a message: the same input gives the same bytes.

pub mod cli;
pub mod collect;
pub mod config;
pub mod deliver;
pub mod model;
pub mod rank;
pub mod render;
pub mod schedule;
pub mod store;
pub mod subscribe;
mod tls;
pub mod web;
