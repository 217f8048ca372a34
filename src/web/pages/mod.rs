//! What people see.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};

use super::{Problem, Viewer, Web};

/// What people look at, each with its handler.
pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(fleet))
        .route("/subscriptions/{name}", get(subscription))
        .route("/assets/{file}", get(asset))
}

/// `/`: the fleet at a glance.
async fn fleet(State(web): State<Web>, viewer: Viewer) -> Result<Markup, Problem> {
    let snapshot = web.snapshot()?;
    Ok(frame(
        &viewer,
        "rosterd",
        &html! {
            ul {
                @for one in &snapshot.status.subscriptions {
                    li { a href={ "/subscriptions/" (one.name) } { (one.name) } ": " (one.members.assigned) " assigned" }
                }
            }
        },
    ))
}

/// `/subscriptions/NAME`.
async fn subscription(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>) -> Result<Markup, Problem> {
    let snapshot = web.snapshot()?;
    let found = snapshot.status.subscriptions.iter().find(|one| one.name == name);
    let one = found.ok_or_else(|| Problem::not_found(format!("There is no subscription {name}.")))?;
    Ok(frame(&viewer, &one.name, &html! { p { (one.members.assigned) " assigned" } }))
}

/// `/assets/FILE`.
async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    Err(Problem::not_found(format!("There is no asset {file}.")))
}

/// The form at `/login`, which is sent there with the fields `token` and `next` (where to go afterwards: a path);
/// `problem` says why it is shown again.
pub(super) fn login(viewer: &Viewer, next: &str, problem: Option<&str>) -> Markup {
    frame(
        viewer,
        "Log in",
        &html! {
            @if let Some(problem) = problem { p role="alert" { (problem) } }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label { "Token " input type="password" name="token" autocomplete="current-password" required; }
                button { "Log in" }
            }
        },
    )
}

/// In the place of a page that can't be shown, and of one that is not there.
pub(super) fn problem(viewer: &Viewer, status: StatusCode, words: &str) -> Markup {
    frame(viewer, status.canonical_reason().unwrap_or("Problem"), &html! { p { (words) } })
}

fn frame(_viewer: &Viewer, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body { h1 { (title) } (body) }
        }
    }
}
