//! Addresses of pages, with whatever a name or a search may hold.

use std::fmt::Write;

/// A path and its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// A page of the whole.
    pub fn to(path: &'static str) -> Link {
        Link(path.to_owned())
    }

    /// A page of a subscription: `members`, `held` …; empty for its first one.
    pub fn of(subscription: &str, page: &str) -> Link {
        let mut link = format!("/subscriptions/{}", encoded(subscription));
        if !page.is_empty() {
            link.push('/');
            link.push_str(page);
        }
        Link(link)
    }

    /// With this in its query; nothing is added where the value is empty.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Link {
        if !value.is_empty() {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(key);
            self.0.push('=');
            self.0.push_str(&encoded(value));
        }
        self
    }

    /// At the part of the page with this id.
    #[must_use]
    pub fn at(mut self, id: &str) -> Link {
        self.0.push('#');
        self.0.push_str(id);
        self
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl maud::Render for Link {
    fn render_to(&self, buffer: &mut String) {
        maud::Render::render_to(&self.0, buffer);
    }
}

/// Everything but letters, digits and a few marks in per cent.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_search_stays_in_its_place() {
        let link = Link::of("a/b?c#d", "members").with("search", "ä&x=1 \"'<").with("state", "").at("list");
        assert_eq!(link.as_str(), "/subscriptions/a%2Fb%3Fc%23d/members?search=%C3%A4%26x%3D1%20%22%27%3C#list");
        assert_eq!(Link::of("contoso", "").with("a", "1").with("b", "2").as_str(), "/subscriptions/contoso?a=1&b=2");
        assert_eq!(Link::to("/").as_str(), "/");
    }
}
