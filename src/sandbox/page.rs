//! The page that a person sees in a browser: who has a seat. One file, no script, light and dark.

use std::fmt::Write;

use super::reply::{AssignmentStats, Reply};
use super::state::{State, Subscription};

/// A page with more addresses than this for one subscription helps nobody; `/state` has them all.
const SHOWN_MAX: usize = 1000;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>rosterd sandbox</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --ink: #1b2330; --faint: #5d6878; --line: #dde2ea; --bar: #2f6fde; --full: #c2571a;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #12161d; --card: #1b212b; --ink: #e4e9f1; --faint: #96a2b4; --line: #303947; --bar: #6da0ff; --full: #f0904f; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; color: var(--faint); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; margin-top: 1.25rem; }
.bar { height: .6rem; border-radius: .3rem; background: var(--line); overflow: hidden; margin: .6rem 0; }
.bar div { height: 100%; background: var(--bar); }
.full .bar div { background: var(--full); }
.full .count { color: var(--full); }
.count { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
footer { margin-top: 1.25rem; }
ul { list-style: none; margin: .75rem 0 0; padding: 0; columns: 17rem; }
li { overflow-wrap: anywhere; break-inside: avoid; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>rosterd sandbox</h1>
<p>A licensing server to try things on. It holds everything in memory and forgets it when it ends.</p>
"#;

const FOOT: &str = r"<footer><p>The same as JSON: <code>GET /state</code>. Other seats: <code>POST /seats/GUID</code> with <code>{&quot;seats&quot;: 20}</code>.</p></footer>
</main>
</body>
</html>
";

/// The page of all subscriptions, at this moment.
pub fn reply(state: &State) -> Reply {
    let sections: String = state.subscriptions().map(section).collect();
    let page = format!("{HEAD}{sections}{FOOT}");
    Reply::text(200, "text/html; charset=utf-8", page)
        .with_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'".to_owned())
}

fn section(subscription: &Subscription) -> String {
    let AssignmentStats { available_licenses: seats, assigned_licenses: assigned } = subscription.stats();
    let free = seats.saturating_sub(assigned);
    let full = if free == 0 { " class=\"full\"" } else { "" };
    let percent = (assigned.saturating_mul(100)).checked_div(seats).unwrap_or(100).min(100);
    let (kind, id) = (subscription.kind().label(), subscription.id());
    format!(
        "<section{full}>\n<h2>{kind} <code>{id}</code></h2>\n\
         <div class=\"bar\"><div style=\"width: {percent}%\"></div></div>\n\
         <p><span class=\"count\">{assigned} of {seats}</span> seats assigned, {free} free</p>\n{}</section>\n",
        list(subscription)
    )
}

fn list(subscription: &Subscription) -> String {
    let mut list = String::new();
    for email in subscription.assigned().take(SHOWN_MAX) {
        // Writing to a string does not fail.
        let _ = writeln!(list, "<li>{}</li>", escape(email));
    }
    let more = subscription.assigned().len().saturating_sub(SHOWN_MAX);
    match (list.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("<ul>\n{list}</ul>\n"),
        (false, more) => format!("<ul>\n{list}</ul>\n<p>and {more} more</p>\n"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::dialect::{Case, Dialect};
    use super::*;
    use crate::config::SubscriptionType;

    fn page(seats: u64, emails: impl IntoIterator<Item = String>) -> String {
        let id = Uuid::from_u128(7);
        let mut subscription = Subscription::new(SubscriptionType::Azure, id, "secret".into(), seats);
        for email in emails {
            subscription.assign(&email, Case::Insensitive);
        }
        reply(&State::new([subscription], Dialect::default())).body
    }

    #[test]
    fn a_page_shows_seats_and_assignments_and_runs_nothing() {
        let page = page(4, ["Jane@contoso.com".to_owned()]);
        for part in [
            "Azure",
            "00000000-0000-0000-0000-000000000007",
            "1 of 4</span> seats assigned, 3 free",
            "width: 25%",
            "<li>Jane@contoso.com</li>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        for absent in ["<script", "class=\"full\"", "http://", "https://", "secret"] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn a_full_subscription_is_seen_also_when_there_are_no_seats() {
        for seats in [0, 1] {
            let page = page(seats, ["a@x.example".to_owned()]);
            assert!(page.contains("class=\"full\"") && page.contains("width: 100%"));
        }
    }

    #[test]
    fn an_address_is_text() {
        assert!(page(1, ["<b>&\"@x".to_owned()]).contains("<li>&lt;b&gt;&amp;&quot;@x</li>"));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let page = page(2000, (0..=SHOWN_MAX).map(|n| format!("u{n:04}@x.example")));
        assert!(page.contains("u0999@") && !page.contains("u1000@") && page.contains("and 1 more"));
    }
}
