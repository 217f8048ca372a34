//! What stands around every page: its head, the way to other pages, who is looking.

use std::fmt;

use maud::{DOCTYPE, Markup, html};

use super::html::prose;
use super::link::Link;

/// Who is looking, as far as it decides what is shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Visitor {
    /// Whether a token is configured, so that anybody can act at all.
    pub can_log_in: bool,
    /// Of somebody who has logged in and may act: what each form carries.
    pub csrf: Option<String>,
    /// What came of the form that was sent last: a sentence.
    pub told: Option<String>,
}

/// What forms carry is for the page alone.
impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("may_act", &self.may_act()).finish_non_exhaustive()
    }
}

impl Visitor {
    pub fn may_act(&self) -> bool {
        self.csrf.is_some()
    }

    /// A form of somebody who may act, with what it has to carry; nothing for others.
    pub fn form(&self, action: &Link, inside: &Markup) -> Markup {
        html! {
            @if let Some(csrf) = &self.csrf {
                form method="post" action=(action) {
                    input type="hidden" name="csrf" value=(csrf);
                    (inside)
                }
            }
        }
    }
}

/// The parts of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Subscriptions,
    Sources,
    History,
    Explain,
    Other,
}

const PARTS: [(Part, &str, &str); 4] = [
    (Part::Subscriptions, "/", "Subscriptions"),
    (Part::Sources, "/sources", "Sources"),
    (Part::History, "/history", "History"),
    (Part::Explain, "/explain", "Explain"),
];

/// A whole page. `about` is the subscription whose news it shows, or nothing for the news of all.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    pub title: &'a str,
    pub part: Part,
    pub visitor: &'a Visitor,
    pub about: Option<&'a str>,
}

impl Shell<'_> {
    pub fn page(&self, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (self.title) " · rosterd" }
                    link rel="stylesheet" href=(super::assets::STYLE.link());
                    link rel="icon" href=(super::assets::ICON.link()) type="image/svg+xml";
                    script src=(super::assets::SCRIPT.link()) defer {}
                }
                body data-about=[self.about] {
                    a.skip href="#main" { "Skip to the content" }
                    (self.header())
                    main #main tabindex="-1" {
                        @if let Some(told) = &self.visitor.told { p.said-to role="status" { (prose(told)) } }
                        (main)
                    }
                    (footer(self.visitor))
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.top {
                div.inner {
                    a.brand href="/" { (mark()) "rosterd" }
                    nav aria-label="Main" {
                        ul {
                            @for (part, path, name) in PARTS {
                                li { a href=(path) aria-current=[(part == self.part).then_some("true")] { (name) } }
                            }
                        }
                    }
                    p.live #live role="status" hidden { span.words {} }
                    (account(self.visitor))
                }
            }
        }
    }
}

/// Three seats, of which two are taken.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false" {
            circle.taken cx="6" cy="7" r="4" {}
            circle.taken cx="18" cy="7" r="4" {}
            circle.open cx="12" cy="17" r="3.5" {}
        }
    }
}

fn account(visitor: &Visitor) -> Markup {
    html! {
        div.account {
            @if visitor.may_act() { (visitor.form(&Link::to("/logout"), &html! { button.quiet type="submit" { "Sign out" } })) }
            @else if visitor.can_log_in { a.button href="/login" { "Sign in" } }
            @else { span.faint { "Read only" } }
        }
    }
}

fn footer(visitor: &Visitor) -> Markup {
    html! {
        footer.bottom {
            div.inner {
                p { "rosterd " (env!("CARGO_PKG_VERSION")) ". Hours and minutes are those of each subscription’s time zone, with UTC beside them." }
                @if !visitor.can_log_in && !visitor.may_act() {
                    p {
                        "This page is read only: to decide here about held removals, or to ask for a run, give " code { "[http]" }
                        " a " code { "token" } " in the configuration, and sign in with it."
                    }
                }
            }
        }
    }
}

/// The form by which somebody logs in, to go to `next` afterwards; `problem` says why it is shown again.
pub fn login(visitor: &Visitor, next: &str, problem: Option<&str>) -> Markup {
    let main = html! {
        div.notice {
            h1 { "Sign in" }
            @if visitor.can_log_in {
                p { "Whoever has the token of " code { "[http]" } " may decide about held removals and ask for runs." }
                @if let Some(problem) = problem { p.said-to.bad role="alert" { (prose(problem)) } }
                form.login method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    div {
                        label for="token" { "Token" }
                        input #token type="password" name="token" autocomplete="current-password" required autofocus;
                    }
                    button.main type="submit" { "Sign in" }
                }
            } @else {
                p { "There is no token, so that nobody can act here. Give " code { "[http]" } " one in the configuration: " code { "token = { file = \"web.token\" }" } ", and start rosterd anew." }
            }
        }
    };
    Shell { title: "Sign in", part: Part::Other, visitor, about: None }.page(&main)
}

/// A page that says one thing: not found, refused, failed.
pub fn notice(visitor: &Visitor, title: &str, body: &Markup) -> Markup {
    let shell = Shell { title, part: Part::Other, visitor, about: None };
    shell.page(&html! { div.notice { h1 { (title) } (body) p { a href=(Link::to("/")) { "To the subscriptions" } } } })
}
