//! Pieces that every page is made of: times, addresses, marks, bars, ways to the next page.

use chrono_tz::Tz;
use maud::{Markup, PreEscaped, html};

use super::link::Link;
use crate::clock::Timestamp;
use crate::report::text::{moment, relative};

/// A moment, told by its distance from now; which moment it is stands beside it for whoever points at it, and for
/// programs.
pub fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(stamp(at)) title=(moment(at)) { (relative(at, now)) } }
}

/// A moment as the clocks of a zone show it, with the zone's name; the same in UTC where that is another.
pub fn time(at: Timestamp, zone: Tz) -> Markup {
    let local = at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string();
    html! {
        time datetime=(stamp(at)) {
            (local)
            @if zone != Tz::UTC { " " span.utc { (at.format("%H:%M UTC").to_string()) } }
        }
    }
}

/// A moment and its distance from now.
pub fn time_and_distance(at: Timestamp, zone: Tz, now: Timestamp) -> Markup {
    html! { (time(at, zone)) " " span.faint { "(" (relative(at, now)) ")" } }
}

fn stamp(at: Timestamp) -> String {
    crate::report::text::stamp(at)
}

/// A text from elsewhere that may hold anything: an address, a name, a server's words. It stands apart from the direction
/// of what is around it, and characters that nobody sees are shown by their numbers.
pub fn foreign(text: &str) -> Markup {
    html! {
        bdi {
            @for part in parts(text) {
                @match part {
                    Part::Plain(text) => (text),
                    Part::Unseen(c) => span.unseen { (format!("[U+{:04X}]", u32::from(c))) },
                }
            }
        }
    }
}

enum Part<'a> {
    Plain(&'a str),
    Unseen(char),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((at, unseen)) = rest.char_indices().find(|(_, c)| is_unseen(*c)) {
        let (plain, after) = rest.split_at(at);
        parts.push(Part::Plain(plain));
        parts.push(Part::Unseen(unseen));
        rest = &after[unseen.len_utf8()..];
    }
    parts.push(Part::Plain(rest));
    parts
}

/// Controls, what turns the direction of writing, and what has no width.
fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    c.is_control() && c != '\n' || turns || matches!(c, '\u{ad}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// What kind of news a mark stands for: it has a shape and a word beside its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Plain,
    /// A person should look.
    Look,
    Bad,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Plain => "plain",
            Tone::Look => "look",
            Tone::Bad => "bad",
        }
    }

    /// A tick, a dot, a triangle, a cross.
    fn shape(self) -> &'static str {
        match self {
            Tone::Good => "M3 8.5l3.2 3.2L13 4.8",
            Tone::Plain => "M8 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5",
            Tone::Look => "M8 2.2L14.4 13.4H1.6zM8 6.4v3.2M8 11.4v.2",
            Tone::Bad => "M4 4l8 8M12 4l-8 8",
        }
    }
}

/// The shape of a tone, for the eye alone: a word stands beside it.
pub fn shape(tone: Tone) -> Markup {
    html! {
        svg.shape.(tone.class()) viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            path d=(tone.shape()) {}
        }
    }
}

/// A word with its shape.
pub fn tag(tone: Tone, word: &str) -> Markup {
    html! { span.tag.(tone.class()) { (shape(tone)) (word) } }
}

/// How much of a whole is used, for the eye alone: the numbers stand beside it.
pub fn bar(used: u64, of: u64) -> Markup {
    let tenths = used.saturating_mul(1000).checked_div(of).unwrap_or(1000).min(1000);
    let tone = if of.saturating_sub(used) == 0 { "bar full" } else { "bar" };
    html! {
        svg class=(tone) viewBox="0 0 1000 8" width="100%" height="8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.all x="0" y="0" width="1000" height="8" {}
            rect.used x="0" y="0" width=(tenths) height="8" {}
        }
    }
}

/// Ways to the pages before and after this one. `of` says what is paged, for whoever can't see where the links stand.
pub fn pager(of: &str, previous: Option<(&Link, &str)>, place: &str, next: Option<(&Link, &str)>) -> Markup {
    if previous.is_none() && next.is_none() {
        return PreEscaped(String::new());
    }
    html! {
        nav.pager aria-label={ "Pages of " (of) } {
            @if let Some((link, words)) = previous { a href=(link) rel="prev" { "← " (words) } } @else { span {} }
            span.place { (place) }
            @if let Some((link, words)) = next { a href=(link) rel="next" { (words) " →" } } @else { span {} }
        }
    }
}

/// What stands where a list is empty: what that means, and what to do next.
pub fn empty(title: &str, body: &Markup) -> Markup {
    html! { div.empty { p.title { (title) } (body) } }
}

/// A fragment as a sentence begins: with a capital, unless its first word is more than a word (an address, a path, a name).
pub fn upper(fragment: &str) -> String {
    let word = fragment.split(' ').next().unwrap_or_default();
    let mut chars = fragment.chars();
    match chars.next() {
        Some(first) if word.chars().all(|c| c.is_ascii_lowercase()) => first.to_uppercase().chain(chars).collect(),
        _ => fragment.to_owned(),
    }
}

/// A text that was written for a terminal, with what stands between backticks as code.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (foreign(part)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_told_in_the_zone_and_in_utc() {
        let moment = at("2026-11-23T08:05:00Z");
        insta::assert_snapshot!(time(moment, Tz::UTC).into_string(), @r#"<time datetime="2026-11-23T08:05:00Z">2026-11-23 08:05 UTC</time>"#);
        insta::assert_snapshot!(time(moment, Tz::Europe__Berlin).into_string(), @r#"<time datetime="2026-11-23T08:05:00Z">2026-11-23 09:05 CET <span class="utc">08:05 UTC</span></time>"#);
        insta::assert_snapshot!(ago(moment, at("2026-11-23T08:08:00Z")).into_string(), @r#"<time datetime="2026-11-23T08:05:00Z" title="2026-11-23 08:05 UTC">3 minutes ago</time>"#);
    }

    #[test]
    fn a_hostile_text_is_text_and_what_nobody_sees_is_shown() {
        let html = foreign("<script>alert(1)</script>\u{202e}moc.live@\"'&\u{200b}").into_string();
        insta::assert_snapshot!(html, @r#"<bdi>&lt;script&gt;alert(1)&lt;/script&gt;<span class="unseen">[U+202E]</span>moc.live@&quot;'&amp;<span class="unseen">[U+200B]</span></bdi>"#);
        assert_eq!(foreign("שלום@contoso.com").into_string(), "<bdi>שלום@contoso.com</bdi>");
    }

    #[test]
    fn commands_in_a_sentence_are_code() {
        let html = prose("`rosterd retry contoso` <lets> it try again.").into_string();
        insta::assert_snapshot!(html, @"<bdi></bdi><code>rosterd retry contoso</code><bdi> &lt;lets&gt; it try again.</bdi>");
    }

    #[test]
    fn a_sentence_begins_with_a_capital_and_a_name_stays_as_it_is() {
        assert_eq!(upper("the server is full"), "The server is full");
        for name in ["https://a.example is gone", "hr: no such file", "p4 is odd", "", "/tmp is full"] {
            assert_eq!(upper(name), name);
        }
    }

    #[test]
    fn a_bar_is_full_when_nothing_is_free() {
        assert!(bar(5, 10).into_string().contains(r#"width="500""#));
        for (used, of) in [(0, 0), (10, 10), (12, 10)] {
            let html = bar(used, of).into_string();
            assert!(html.contains("bar full") && html.contains(r#"class="used" x="0" y="0" width="1000""#), "{html}");
        }
        assert!(bar(u64::MAX, u64::MAX).into_string().contains("full"));
    }
}
