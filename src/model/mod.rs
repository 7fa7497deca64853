//! The words of the program as values: no I/O, no async, no clock.
//!
//! Everything here can be printed, compared, serialised and passed between stages. A stage turns one
//! of these values into the next; none of them knows about a stage.

mod address;
mod audience;
mod block;
mod bounce;
mod consent;
mod delivery;
mod digest;
mod edition;
mod feed;
mod follow;
mod item;
mod language;
mod memory;
mod newsletter;
mod preferences;
mod story;
mod subscriber;
mod text;
mod token;
mod topic;

pub use address::{Address, AddressError};
pub use audience::{Audience, NoMail};
pub use block::{Block, BlockPlan, Place};
pub use bounce::{Bounce, BouncePolicy, Suppression, SuppressionReason};
pub use consent::{Consent, ConsentEvent, consent_hash};
pub use delivery::{
    About, Delivery, DeliveryCounts, DeliveryId, DeliveryState, Outcome, Refusal, UnknownPolicy,
};
pub use digest::{Body, Digest, Letter, Personal, PersonalLinks, unsubscribe_by_mail};
pub use edition::{Coverage, Edition, EditionId, Section, Window};
pub use feed::{
    Feed, FeedFailure, FeedKey, FetchFailure, FetchState, Location, Pace, SecretPart, SecretText,
};
pub use follow::{Follow, Followed};
pub use item::{Item, ItemKey, Mark};
pub use language::Language;
pub use memory::{Mailed, Memory, Vocabulary, Vote};
pub use newsletter::{Cadence, CadenceId, Newsletter};
pub use preferences::{
    ALL_TOPICS, Length, LocalHour, Offer, Preference, Preferences, Reading, Topics, Weekdays,
    WrongPreference,
};
pub use story::{Composition, LeftOut, Picture, Reason, Score, Story, Update};
pub use subscriber::{NewSubscriber, Subscriber, SubscriberId, SubscriberState, clean_name};
pub use text::{is_unwanted, sentence_ends};
pub use token::{Purpose, TOKEN_LENGTH, TokenKeys};
pub use topic::{Field, Keyword, Topic, TopicId};

/// Declares a newtype over `String` for an identifier that the configuration or the store gives.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}
use text_id;
