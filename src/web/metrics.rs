//! Numbers for Prometheus. Nothing in them is about one person.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::store::Counts;

/// From a page out of memory to one that somebody gives up on, in seconds.
const TIMES: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// A request, for its labels: the route as it is written in the program, and the class of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    event: Event,
}

/// What readers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// A sign-up was taken.
    SignedUp,
    /// One was refused, because too many came from its network.
    Refused,
    /// One was filled in by a machine.
    Trapped,
    /// A subscription was confirmed.
    Confirmed,
    /// Somebody left.
    Left,
    /// Somebody took that back.
    Returned,
    /// Somebody chose.
    Chosen,
    /// Somebody follows a story.
    Followed,
}

impl EncodeLabelValue for Event {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let word = match self {
            Self::SignedUp => "signed_up",
            Self::Refused => "refused",
            Self::Trapped => "trapped",
            Self::Confirmed => "confirmed",
            Self::Left => "left",
            Self::Returned => "returned",
            Self::Chosen => "chosen",
            Self::Followed => "followed",
        };
        word.encode(encoder)
    }
}

/// How a letter ended, for its label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LetterLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

/// Counts what happens.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Histogram,
    events: Family<EventLabels, Counter>,
    letters: Family<LetterLabels, Counter>,
    subscribers: Family<StateLabels, Gauge>,
    deliveries: Family<StateLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let requests = Family::default();
        let seconds = Histogram::new(TIMES);
        let (events, letters) = (Family::default(), Family::default());
        let (subscribers, deliveries) = (Family::default(), Family::default());
        registry.register("requests", "Answers by route and status", requests.clone());
        registry.register("request_seconds", "How long answers took", seconds.clone());
        registry.register("readers", "What readers did", events.clone());
        registry.register("letters", "Letters by how they ended", letters.clone());
        registry.register("subscribers", "Subscribers by state", subscribers.clone());
        registry.register(
            "deliveries",
            "Deliveries that have not ended, by state",
            deliveries.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            events,
            letters,
            subscribers,
            deliveries,
        }
    }
}

impl Metrics {
    pub(super) fn answered(&self, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn note(&self, event: Event) {
        self.events.get_or_create(&EventLabels { event }).inc();
    }

    pub(super) fn letter(&self, outcome: &'static str) {
        self.letters.get_or_create(&LetterLabels { outcome }).inc();
    }

    /// All of them as Prometheus reads them, with what the store says now.
    ///
    /// # Errors
    /// None that a test does not rule out.
    pub(super) fn text(&self, counts: &Counts) -> Result<String, std::fmt::Error> {
        for (states, family) in [
            (&counts.subscribers, &self.subscribers),
            (&counts.deliveries, &self.deliveries),
        ] {
            family.clear();
            for (state, number) in states {
                let state = state.clone();
                family.get_or_create(&StateLabels { state }).set(*number);
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
