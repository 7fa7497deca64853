//! The picture above a story.

use serde::Serialize;

use super::story::web_link;
use super::theme::Images;
use crate::model::Picture;

/// How wide it is shown. The narrowest phones have no more room, and Yahoo distorts pictures that shrink with the window.
const WIDTH: u32 = 280;

#[derive(Debug, Clone, Serialize)]
pub(super) struct PictureView {
    pub(super) url: String,
    /// In CSS pixels, as `height`.
    pub(super) width: u32,
    pub(super) height: u32,
}

/// How `picture` is shown; not at all, if the publisher does not want pictures or it cannot be loaded safely.
pub(super) fn picture_view(picture: &Picture, images: &Images) -> Option<PictureView> {
    let height =
        (u64::from(picture.height) * u64::from(WIDTH)).div_ceil(u64::from(picture.width.max(1)));
    let height = u32::try_from(height).ok()?;
    let url = match images {
        Images::None => return None,
        // Web mailers load nothing else.
        Images::Linked if picture.url.starts_with("https://") => picture.url.clone(),
        Images::Linked => return None,
        // Screens of phones have two pixels where CSS has one.
        Images::Proxied(pattern) => pattern
            .replace("{width}", &(2 * WIDTH).to_string())
            .replace("{height}", &(2 * height).to_string())
            .replace("{url}", &encoded(&picture.url)),
    };
    (!web_link(&url).is_empty()).then_some(PictureView {
        url,
        width: WIDTH,
        height,
    })
}

/// A URL as a part of another one.
fn encoded(url: &str) -> String {
    url::form_urlencoded::byte_serialize(url.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_linked_or_proxied_in_its_own_proportions() {
        let picture = |url: &str| Picture {
            url: url.to_owned(),
            width: 1200,
            height: 675,
        };
        let shown = |url: &str, images: Images| {
            picture_view(&picture(url), &images).map(|view| (view.url, view.width, view.height))
        };
        let url = "https://cdn.example/a.jpg?w=1200&h=675";
        let proxy = Images::Proxied("https://img.example.org/{width}x{height}?u={url}".to_owned());
        assert_eq!(shown(url, Images::None), None);
        assert_eq!(shown(url, Images::Linked), Some((url.to_owned(), 280, 158)));
        assert_eq!(
            shown(url, proxy.clone()).unwrap().0,
            "https://img.example.org/560x316?u=https%3A%2F%2Fcdn.example%2Fa.jpg%3Fw%3D1200%26h%3D675"
        );
        assert_eq!(shown("http://cdn.example/a.jpg", Images::Linked), None);
        assert!(shown("http://cdn.example/a.jpg", proxy).is_some());
    }
}
