//! What pages need beside themselves: a style sheet, a small script, an icon. All of it is in the program, and its
//! address names its content, so that a browser keeps it until it is another.

use std::sync::LazyLock;

/// A file that pages name.
#[derive(Debug)]
pub struct Asset {
    pub content_type: &'static str,
    pub body: &'static str,
    name: &'static str,
    link: LazyLock<String>,
}

macro_rules! asset {
    ($id:ident, $name:literal, $content_type:literal) => {
        pub static $id: Asset = Asset {
            content_type: $content_type,
            body: include_str!(concat!("../assets/", $name)),
            name: $name,
            link: LazyLock::new(|| format!("/assets/{}?{}", $name, digest(include_str!(concat!("../assets/", $name))))),
        };
    };
}

asset!(STYLE, "style.css", "text/css; charset=utf-8");
asset!(SCRIPT, "live.js", "text/javascript; charset=utf-8");
asset!(ICON, "icon.svg", "image/svg+xml");

impl Asset {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Asset> {
        [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name)
    }

    pub fn link(&self) -> &str {
        &self.link
    }
}

fn digest(body: &str) -> String {
    blake3::hash(body.as_bytes()).to_hex().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_name_and_known_by_its_content() {
        for asset in [&STYLE, &SCRIPT, &ICON] {
            assert!(std::ptr::eq(Asset::named(asset.name).unwrap(), asset));
            let (path, digest) = asset.link().split_once('?').unwrap();
            assert_eq!((path, digest.len()), (format!("/assets/{}", asset.name).as_str(), 12));
        }
        assert!(Asset::named("../style.css").is_none());
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for asset in [&STYLE, &SCRIPT] {
            for elsewhere in ["http:", "https:", "//cdn", "@import", "url("] {
                assert!(!asset.body.contains(elsewhere), "{}: {elsewhere}", asset.name);
            }
        }
    }
}
