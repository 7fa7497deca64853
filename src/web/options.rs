//! How the pages are served, as the configuration says.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use crate::model::Language;

/// How the pages are served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where readers find them; ends with a slash.
    pub url: Url,
    /// Where they are served.
    pub listen: SocketAddr,
    /// Where metrics are served, for Prometheus.
    pub metrics: Option<SocketAddr>,
    /// Whose word counts about where a request came from.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may read the archive.
    pub archive: Access,
    /// The languages of the pages, the newsletter's first.
    pub languages: Vec<Language>,
    /// What is done with people's data, in the publisher's words.
    pub privacy_url: Option<Url>,
    /// What somebody agrees to who signs up, in the newsletter's language, where it is not our sentence.
    pub consent: Option<String>,
    /// For how long a link that confirms is good.
    pub confirm_within: TimeDelta,
    /// What somebody gets who has confirmed.
    pub welcome: Welcome,
    /// How many may sign up from one network in an hour.
    pub per_network: u32,
    /// How often what is due is sent by the same process; never without it.
    pub send_every: Option<Duration>,
}

/// Who may read the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    #[default]
    Public,
    /// Who has a link from a mail.
    Private,
    /// Nobody; there is none.
    Off,
}

/// What somebody gets who has confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Welcome {
    /// Nothing before the next edition.
    None,
    /// A letter.
    #[default]
    Letter,
    /// A letter, and the latest edition.
    Edition,
}
