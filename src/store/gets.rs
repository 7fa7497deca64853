//! Who gets what: the one rule, for editions that are published, for newcomers, for followers, and once more when a delivery is claimed.
//!
//! `e` is an edition, `s` a subscriber. Somebody gets an edition when
//!
//! - they may be mailed: they are confirmed, not suppressed, and not in a pause ([`MAY`]), and
//! - it is one of their cadence with a topic that they want ([`BY_TOPIC`]), or it has news of a story that they follow ([`BY_FOLLOW`]).
//!
//! What only their digest can tell, as all its stories may be muted, is decided when it is rendered
//! ([`Audience::wants_mail_of`](crate::model::Audience::wants_mail_of)).

/// They may be mailed. `{at}` is the moment at which a pause counts.
const MAY: &str = "s.state = 'confirmed' AND COALESCE(s.paused_until, 0) <= {at}
     AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.address_key = s.address_key)";

/// It is of their cadence, with a topic that they want: any, for who has picked none.
pub(super) const BY_TOPIC: &str = "s.cadence = e.cadence
     AND EXISTS (SELECT 1 FROM edition_topic p WHERE p.edition = e.id)
     AND (NOT EXISTS (SELECT 1 FROM subscriber_topic t WHERE t.subscriber = s.id)
          OR EXISTS (SELECT 1 FROM subscriber_topic t JOIN edition_topic p ON p.topic = t.topic
                     WHERE t.subscriber = s.id AND p.edition = e.id))";

/// It has news of a story that they follow: at once in editions that have nothing else, whatever their cadence, and else in those of it.
pub(super) const BY_FOLLOW: &str = "(e.cadence = 'followed' OR s.cadence = e.cadence)
     AND s.id IN (SELECT f.subscriber FROM edition_followed p JOIN follow f ON f.story = p.story
                  WHERE p.edition = e.id AND f.at_once = CASE e.cadence WHEN 'followed' THEN 1 ELSE 0 END)";

/// Whether `s` may be mailed, a pause counting at `at`.
pub(super) fn may_be_mailed(at: &str) -> String {
    MAY.replace("{at}", at)
}

/// Whether `s` gets `e`, for one of the reasons.
pub(super) fn gets(at: &str, reason: &str) -> String {
    format!("{} AND {reason}", may_be_mailed(at))
}

/// Whether the subscriber of `delivery` still gets its edition. One that an older program has published tells neither its topics nor
/// its stories: what it has for them shows when it is rendered.
pub(super) fn still_gets() -> String {
    let may = may_be_mailed("delivery.planned_at");
    format!(
        "EXISTS (SELECT 1 FROM subscriber s JOIN edition e ON e.id = delivery.edition
         WHERE s.id = delivery.subscriber AND {may} AND (({BY_TOPIC}) OR ({BY_FOLLOW})
             OR (NOT EXISTS (SELECT 1 FROM edition_topic p WHERE p.edition = e.id)
                 AND NOT EXISTS (SELECT 1 FROM edition_followed p WHERE p.edition = e.id))))"
    )
}
