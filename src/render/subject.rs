//! The lines that decide whether a mail is opened: its subject and what a phone shows under it.
//!
//! The rule: the subject has as many of the top headlines as fit, whole but for the first one, and the preheader goes on
//! with the next ones. The publisher's templates say what stands around them.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::summary::cut;
use super::templates::TemplateError;

/// What mail programs show of a subject on a desktop; phones show half of it.
const SUBJECT_CHARS: usize = 70;

/// What phones and web mailers show after the subject.
const PREHEADER_CHARS: usize = 120;

/// Of a headline that does not fit, at least so much is shown.
const SHORTEST: usize = 20;

/// What stands between two headlines.
const BETWEEN: &str = " · ";

/// The templates of both lines.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    templates: Environment<'static>,
}

/// What the templates can name.
#[derive(Debug, Default, Serialize)]
pub(super) struct Facts<'a> {
    /// The title of the newsletter.
    pub(super) title: &'a str,
    /// The date of the edition.
    pub(super) date: &'a str,
    /// “12 stories from 7 sources”.
    pub(super) counts: &'a str,
    /// How many stories there are.
    pub(super) stories: usize,
    /// The top headlines, as many as fit.
    pub(super) headlines: String,
    /// Those that come after the ones in the subject, as many as fit.
    pub(super) next: String,
}

impl Facts<'_> {
    const NAMES: [&'static str; 6] = ["title", "date", "counts", "stories", "headlines", "next"];
}

impl Lines {
    /// Checks the templates; what is not given follows the rule alone.
    ///
    /// # Errors
    /// When one of them cannot be filled in; the error names it as `subject` or `preheader`.
    pub(super) fn new(
        subject: Option<&str>,
        preheader: Option<&str>,
    ) -> Result<Self, TemplateError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        let sources = [
            ("subject", subject.unwrap_or("{{ headlines }}")),
            ("preheader", preheader.unwrap_or("{{ next }}")),
        ];
        for (name, source) in sources {
            templates
                .add_template_owned(name, source.to_owned())
                .map_err(|error| TemplateError::of(&error, name))?;
        }
        for (name, template) in templates.templates() {
            for unknown in template.undeclared_variables(false) {
                let is_known = Facts::NAMES.contains(&unknown.as_str())
                    || templates.globals().any(|(global, _)| global == unknown);
                if !is_known {
                    return Err(TemplateError::unknown(name, template.source(), &unknown));
                }
            }
        }
        let lines = Self { templates };
        for headlines in [&[][..], &["One"], &["One", "Two", "Three"]] {
            let facts = Facts {
                stories: headlines.len(),
                ..Facts::default()
            };
            lines.compose(facts, headlines)?;
        }
        Ok(lines)
    }

    /// Subject and preheader of a mail with these headlines, best first.
    pub(super) fn compose(
        &self,
        mut facts: Facts<'_>,
        headlines: &[&str],
    ) -> Result<(String, String), TemplateError> {
        let around = self.fill("subject", &facts)?;
        let room = SUBJECT_CHARS.saturating_sub(around.chars().count());
        let (top, mut used) = fitting(headlines, room, Last::Whole);
        facts.headlines = top.unwrap_or_else(|| facts.title.to_owned());
        let subject = self.fill("subject", &facts)?;
        if subject == around {
            // The publisher has other words there.
            used = 0;
        }

        let room = PREHEADER_CHARS.saturating_sub(self.fill("preheader", &facts)?.chars().count());
        let (next, _) = fitting(&headlines[used..], room, Last::Cut);
        facts.next = next.unwrap_or_else(|| facts.counts.to_owned());
        let preheader = self.fill("preheader", &facts)?;
        // Nobody is to see it in the mail, and emoji have a colour of their own.
        let preheader = preheader.replace(is_pictogram, "");
        let words: Vec<&str> = preheader.split_whitespace().collect();
        Ok((subject, words.join(" ")))
    }

    fn fill(&self, name: &str, facts: &Facts<'_>) -> Result<String, TemplateError> {
        let template = self.templates.get_template(name);
        let filled = template.and_then(|template| template.render(Serde(facts)));
        let filled = filled.map_err(|error| TemplateError::of(&error, name))?;
        // A header is one line.
        Ok(filled.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn is_pictogram(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{fe0f}' | '\u{200d}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

/// What becomes of the first headline that does not fit behind others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It is not there: a subject says whole things.
    Whole,
    /// Its beginning fills the room: the line runs out of sight anyway.
    Cut,
}

/// As many headlines as fit into `room` characters, and how many these are. The first one is there in any case,
/// if need be cut; none when there are none.
fn fitting(headlines: &[&str], room: usize, last: Last) -> (Option<String>, usize) {
    let Some((first, rest)) = headlines.split_first() else {
        return (None, 0);
    };
    let mut text = cut(first, room.max(SHORTEST)).into_owned();
    let mut used = 1;
    for headline in rest {
        let taken = text.chars().count() + BETWEEN.chars().count();
        let left = room.saturating_sub(taken);
        let fits = headline.chars().count() <= left;
        if !fits && (last == Last::Whole || left < SHORTEST) {
            break;
        }
        text.push_str(BETWEEN);
        text.push_str(&cut(headline, left));
        if !fits {
            break;
        }
        used += 1;
    }
    (Some(text), used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose(subject: Option<&str>, preheader: Option<&str>, headlines: &[&str]) -> [String; 2] {
        let facts = Facts {
            title: "Der Bote",
            date: "Freitag, 20. November 2026",
            counts: "3 Meldungen aus 2 Quellen",
            stories: 3,
            ..Facts::default()
        };
        let lines = Lines::new(subject, preheader).unwrap();
        let (subject, preheader) = lines.compose(facts, headlines).unwrap();
        [subject, preheader]
    }

    const LONG: &str =
        "Ein Satz, der nicht aufhört, ehe er die Länge eines Betreffs bei weitem überschritten hat";

    #[test]
    fn the_top_headlines_are_the_subject_and_the_next_ones_the_preheader() {
        assert_eq!(
            compose(
                None,
                None,
                &["Polaris 3 ist da", "EU regelt KI", LONG, "Kurz"]
            ),
            [
                "Polaris 3 ist da · EU regelt KI".to_owned(),
                format!("{LONG} · Kurz")
            ]
        );
        assert_eq!(
            compose(None, None, &[LONG, "Zwei"]),
            [
                "Ein Satz, der nicht aufhört, ehe er die Länge eines Betreffs bei…",
                "Zwei"
            ]
        );
        assert_eq!(
            compose(None, None, &["Nur eine"]),
            ["Nur eine", "3 Meldungen aus 2 Quellen"]
        );
        assert_eq!(
            compose(None, None, &[]),
            ["Der Bote", "3 Meldungen aus 2 Quellen"]
        );
    }

    #[test]
    fn a_preheader_fills_its_line() {
        let [_, preheader] = compose(None, None, &["Eins", LONG, LONG]);
        assert_eq!(preheader, format!("{LONG} · Ein Satz, der nicht…"));
        assert!(preheader.chars().count() <= PREHEADER_CHARS + 1);
    }

    #[test]
    fn templates_say_what_stands_around_the_headlines() {
        let subject = Some("{{ title }}: {{ headlines }}\n({{ stories }})");
        let preheader = Some("{{ counts }}: {{ next }}");
        let [subject, preheader] = compose(subject, preheader, &[LONG, "Zwei"]);
        assert_eq!(
            subject,
            "Der Bote: Ein Satz, der nicht aufhört, ehe er die Länge eines… (3)"
        );
        assert!(subject.chars().count() <= SUBJECT_CHARS);
        assert_eq!(preheader, "3 Meldungen aus 2 Quellen: Zwei");
        // What the subject does not say, the preheader does.
        assert_eq!(
            compose(Some("{{ title }} vom {{ date }}"), None, &["Eins", "Zwei"])[1],
            "Eins · Zwei"
        );
    }

    #[test]
    fn a_preheader_has_no_pictures() {
        let [subject, preheader] = compose(None, None, &[LONG, "❤️ für Emoji 🇩🇪", "👩‍👩‍👧 Drei"]);
        assert!(subject.starts_with("Ein Satz"));
        assert_eq!(preheader, "für Emoji · Drei");
    }

    #[test]
    fn a_wrong_template_is_told_with_its_place() {
        let error = Lines::new(Some("{{ headlines }} {{ titel }}"), None).unwrap_err();
        assert_eq!(
            (error.name.as_str(), error.line, error.column),
            ("subject", Some(1), Some(20))
        );
        assert_eq!(error.what, "`titel` is undefined");
        let error = Lines::new(None, Some("{% if x")).unwrap_err();
        assert_eq!(error.name, "preheader");
        // Also where only some days would have shown it.
        let rare = "{% if stories > 90 %}{{ titel }}{% endif %}{{ headlines }}";
        let error = Lines::new(Some(rare), None).unwrap_err();
        assert_eq!((error.line, error.column), (Some(1), Some(25)));
        let error = Lines::new(Some("{{ 12 // stories }}"), None).unwrap_err();
        assert!(error.what.contains("12 // 0"), "{error}");
    }
}
