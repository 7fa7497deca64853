//! News of stories that subscribers follow: sections that are cut out of a digest of their own and put into those of who follows them.

use super::locale::{Words, words};
use super::story::{Medium, StoryView};
use super::templates::{self, DigestHtml, DigestText};
use super::view::{DigestView, Mail, SectionView};
use super::{Theme, styled};
use crate::model::{Audience, Body, Edition, ItemKey, Length, Newsletter, Personal};

/// How many news of one story a mail has; all others are in the topics.
const NEWS: usize = 3;

/// How much of the headline of a followed story its section repeats, in characters.
const TITLE_CHARS: usize = 80;

/// What tells where a section begins and ends, in either body. Nothing from outside has private-use characters.
const HTML: [&str; 2] = ["<!--\u{e002}-->", "<!--\u{e003}-->"];
const TEXT: [&str; 2] = ["\u{e002}", "\u{e003}"];

/// News of one story, as they stand in a digest.
#[derive(Debug, Clone)]
pub struct News {
    /// Which story is followed.
    pub story: ItemKey,
    /// The section in the HTML body.
    pub html: Body,
    /// The same in the text body.
    pub text: Body,
}

/// Renders the news of all stories that `edition` has news of, for who reads as `audience` does.
///
/// # Errors
/// When a template fails, which only a publisher's own can.
pub fn followed(
    newsletter: &Newsletter,
    theme: &Theme,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<Vec<News>> {
    if edition.followed.is_empty() {
        return Ok(Vec::new());
    }
    let words = words(audience.language);
    let edition = &*edition.seen_by(audience);
    // Headlines are enough: a reader of topics has the rest.
    let mut audience = audience.clone();
    audience.reading.length = Length::Headlines;
    // In the frame of the edition, but with nothing else in it.
    let mut frame = edition.clone();
    frame.sections.clear();
    frame.blocks.clear();
    let mut view = DigestView::new(newsletter, theme, &frame, &audience, Medium::Mail);
    let reader = DigestView::reader(newsletter, theme, &frame, &audience, Medium::Mail);
    let stop = newsletter.follow_url.as_deref().unwrap_or_default();
    let stop = stop.replace(Newsletter::TOKEN, Personal::Follow.mark());
    let titles: Vec<String> = edition
        .followed
        .iter()
        .map(|followed| section_title(&followed.title, words))
        .collect();
    let sections = edition.followed.iter().zip(&titles);
    view.sections = sections
        .map(|(followed, title)| SectionView {
            topic: "",
            title,
            stories: followed
                .news
                .iter()
                .take(NEWS)
                .map(|story| StoryView {
                    number: "- ".to_owned(),
                    excerpt: String::new(),
                    // It is in no edition yet, so nobody can follow it.
                    alike: "",
                    pictures: Vec::new(),
                    ..StoryView::new(story, &reader)
                })
                .map(|mut story| {
                    story.sources.clone_from(&story.meta);
                    story
                })
                .collect(),
            more: words.pages.follow.stop.to_owned(),
            more_url: stop.replace(Newsletter::STORY, followed.story.as_str()),
            blocks: Vec::new(),
            begins: HTML[0],
            ends: HTML[1],
        })
        .collect();
    view.indent = "  ".to_owned();
    let mail = Mail::of_edition(newsletter, theme, &edition.id, audience.language, &view)
        .with_reason(newsletter, words);
    let page = DigestHtml {
        theme,
        words: &words.labels,
        mail: &mail,
        digest: &view,
    };
    let html = styled(theme, "digest.html", &page)?;
    for section in &mut view.sections {
        [section.begins, section.ends] = TEXT;
    }
    let page = DigestText {
        words: &words.labels,
        mail: &mail,
        digest: &view,
    };
    let text = templates::fill(theme.own.as_ref(), "digest.txt", &page)?;
    let parts = cut_out(&html, HTML).zip(cut_out(&text, TEXT));
    let news = edition.followed.iter().zip(parts);
    Ok(news
        .map(|(followed, (html, text))| News {
            story: followed.story.clone(),
            html: Body::new(html),
            text: Body::new(text),
        })
        .collect())
}

/// The subject of an edition that has nothing but news of followed stories.
pub(super) fn subject(edition: &Edition, words: &Words) -> String {
    let story = match edition.followed.as_slice() {
        [one] => cut(&one.title),
        _ => words.pages.choose.follows.to_owned(),
    };
    words.pages.follow.subject.replace("{story}", &story)
}

fn section_title(title: &str, words: &Words) -> String {
    words.pages.follow.section.replace("{story}", &cut(title))
}

fn cut(title: &str) -> String {
    super::summary::cut(title, TITLE_CHARS).into_owned()
}

/// What stands between the marks, one after the other.
fn cut_out<'t>(text: &'t str, [begin, end]: [&'static str; 2]) -> impl Iterator<Item = &'t str> {
    text.split(begin)
        .skip(1)
        .filter_map(move |rest| rest.split_once(end).map(|(inside, _)| inside))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::*;
    use crate::model::{Followed, Language, PersonalLinks};

    fn newsletter_with_pages() -> Newsletter {
        Newsletter {
            follow_url: Some("https://example.org/follow/{token}/{story}".into()),
            ..newsletter()
        }
    }

    fn followed_edition() -> Edition {
        let news = |title: &str| story(item("Bote", title, "Ein Satz. Noch einer."), vec![]);
        let followed = |title: &str, count: usize| Followed {
            story: ItemKey::of(title),
            title: title.to_owned(),
            news: (0..count)
                .map(|number| news(&format!("{title} {number}")))
                .collect(),
        };
        Edition {
            followed: vec![followed("Polaris <b>", 5), followed("Mond", 1)],
            ..edition(vec![("KI", vec![news("Haupt")])])
        }
    }

    #[test]
    fn news_of_followed_stories_are_sections_with_a_way_to_stop() {
        let (newsletter, edition) = (newsletter_with_pages(), followed_edition());
        let audience = Audience::everything(Language::De);
        let news = followed(&newsletter, &Theme::default(), &edition, &audience).unwrap();
        assert_eq!(news.len(), 2);
        let links = PersonalLinks {
            follow: "TOKEN".into(),
            ..PersonalLinks::default()
        };
        let (html, text) = (news[0].html.fill(&links), news[0].text.fill(&links));
        insta::assert_snapshot!(text);
        let stop = format!(
            "https://example.org/follow/TOKEN/{}",
            ItemKey::of("Polaris <b>").as_str()
        );
        assert!(html.contains(&stop) && text.contains(&stop));
        assert_eq!(html.matches("<h3").count(), NEWS);
        assert!(
            html.trim_start().starts_with("<tr>") && html.trim_end().ends_with("</tr>"),
            "{html}"
        );
        assert!(
            html.contains("style=")
                && html.contains("Polaris &lt;b&gt;")
                && !html.contains("Haupt")
        );
    }

    #[test]
    fn a_digest_has_a_place_for_them_and_nothing_without_them() {
        let (newsletter, edition) = (newsletter_with_pages(), followed_edition());
        let audience = Audience::everything(Language::De);
        let digest =
            super::super::digest(&newsletter, &Theme::default(), &edition, &audience).unwrap();
        let places = |body: &Body, wanted| {
            body.parts()
                .filter(|(_, place)| *place == Some(wanted))
                .count()
        };
        assert_eq!(places(&digest.html, Personal::FollowedHtml), 1);
        assert_eq!(places(&digest.text, Personal::FollowedText), 1);
        assert_eq!(
            places(&digest.html, Personal::Follow),
            1,
            "more like its only story"
        );
        let html = digest.html.fill(&PersonalLinks::default());
        assert!(
            !html.contains("Polaris") && !html.contains("<!--"),
            "{html}"
        );
    }
}
