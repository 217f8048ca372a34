//! What people see. Each page is a plain value (`…View`) that [`gather`] reads from the ledger, and a pure function that
//! makes HTML of it; what is here only ties a path to both.
//!
//! Addresses stand in clear, whatever `log.addresses` says: logs and alerts travel to where nobody knows who reads them,
//! and a page is shown to who was let in and came to see who has a licence.

pub mod assets;
pub mod chart;
pub mod explain;
pub mod fleet;
mod gather;
pub mod held;
pub mod html;
pub mod link;
pub mod needs;
pub mod past;
pub mod people;
pub mod shell;
pub mod sources;
pub mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use uuid::Uuid;

use self::assets::Asset;
use self::shell::Visitor;
use super::{Problem, Viewer, Web};
use crate::clock::{self, Timestamp};
use crate::config::{Config, Subscription};
use crate::ledger::{Ledger, LedgerError};

type Asked = Query<BTreeMap<String, String>>;
type Page = Result<Markup, Problem>;

/// Every page that is looked at.
pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(fleet))
        .route("/sources", get(sources))
        .route("/history", get(history))
        .route("/explain", get(explain))
        .route("/subscriptions/{name}", get(subscription))
        .route("/subscriptions/{name}/members", get(members))
        .route("/subscriptions/{name}/queue", get(queue))
        .route("/subscriptions/{name}/held", get(held))
        .route("/subscriptions/{name}/runs", get(runs))
        .route("/subscriptions/{name}/history", get(history_of))
        .route("/subscriptions/{name}/explain", get(explain_in))
        .route("/assets/{file}", get(asset))
}

async fn fleet(State(web): State<Web>, viewer: Viewer, Query(asked): Asked) -> Page {
    let (snapshot, refused) = (web.snapshot().ok(), web.signs.refused());
    let read = move |config: &Config, ledger: &Ledger, now| {
        let status = snapshot.as_ref().map(|snapshot| snapshot.status.subscriptions.as_slice()).unwrap_or_default();
        gather::fleet(config, ledger, status, fleet::Ask::read(&asked), refused.as_ref(), now)
    };
    Ok(fleet::page(&look(&web, read).await?, &visitor(&viewer)))
}

async fn sources(State(web): State<Web>, viewer: Viewer, Query(asked): Asked) -> Page {
    let read = |config: &Config, ledger: &Ledger, now| Ok((gather::sources(config, ledger, now)?, now));
    let (rows, now) = look(&web, read).await?;
    Ok(sources::page(&rows, &sources::Ask::read(&asked), now, &visitor(&viewer)))
}

async fn history(State(web): State<Web>, viewer: Viewer, Query(asked): Asked) -> Page {
    let read = move |_: &Config, ledger: &Ledger, now| gather::history(None, ledger, past::Ask::read(&asked), now);
    Ok(past::history_page(&look(&web, read).await?, &visitor(&viewer)))
}

async fn explain(State(web): State<Web>, viewer: Viewer, Query(asked): Asked) -> Page {
    let read =
        move |config: &Config, ledger: &Ledger, now| gather::explained(config, None, ledger, address(&asked), now);
    Ok(explain::page(&look(&web, read).await?, &visitor(&viewer)))
}

async fn subscription(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>) -> Page {
    let read =
        |config: &Config, one: &Subscription, ledger: &Ledger, now| gather::subscription(config, one, ledger, now);
    Ok(subscription::page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn members(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let read = move |_: &Config, one: &Subscription, ledger: &Ledger, now| {
        gather::members(one, ledger, people::Ask::read(&asked), now)
    };
    Ok(people::members_page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn queue(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let read =
        move |_: &Config, one: &Subscription, ledger: &Ledger, now| gather::queue(one, ledger, page(&asked), now);
    Ok(people::queue_page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn held(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let page = usize::try_from(page(&asked)).unwrap_or(usize::MAX);
    let read = move |_: &Config, one: &Subscription, ledger: &Ledger, now| gather::held(one, ledger, page, now);
    Ok(held::page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn runs(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let before = asked.get("before").and_then(|id| Uuid::try_parse(id).ok());
    let read = move |_: &Config, one: &Subscription, ledger: &Ledger, now| gather::runs(one, ledger, before, now);
    Ok(past::runs_page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn history_of(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let read = move |_: &Config, one: &Subscription, ledger: &Ledger, now| {
        gather::history(Some(one), ledger, past::Ask::read(&asked), now)
    };
    Ok(past::history_page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

async fn explain_in(State(web): State<Web>, viewer: Viewer, Path(name): Path<String>, Query(asked): Asked) -> Page {
    let read = move |config: &Config, one: &Subscription, ledger: &Ledger, now| {
        gather::explained(config, Some(one), ledger, address(&asked), now)
    };
    Ok(explain::page(&look_at(&web, name, read).await?, &visitor(&viewer)))
}

/// For a year: the address of one that changes is another.
async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    let asset = Asset::named(&file).ok_or_else(|| Problem::not_found("There is no such file."))?;
    let headers =
        [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.body).into_response())
}

/// The form at `/login`, which is sent there with the fields `token` and `next` (where to go afterwards: a path);
/// `problem` says why it is shown again.
pub(super) fn login(viewer: &Viewer, next: &str, problem: Option<&str>) -> Markup {
    shell::login(&visitor(viewer), next, problem)
}

/// In the place of a page that can't be shown, and of one that is not there.
pub(super) fn problem(viewer: &Viewer, status: StatusCode, words: &str) -> Markup {
    let title = match status {
        StatusCode::NOT_FOUND => "This is not here",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::CONFLICT => "It is another by now",
        StatusCode::TOO_MANY_REQUESTS => "Too often",
        _ => "This did not work",
    };
    shell::notice(&visitor(viewer), title, &html! { p { (html::prose(words)) } })
}

fn visitor(viewer: &Viewer) -> Visitor {
    let can_log_in = !matches!(viewer, Viewer::Reader { can_log_in: false });
    Visitor { can_log_in, csrf: viewer.csrf().map(str::to_owned), told: viewer.take_notice() }
}

/// Reads what a page shows as it stood at one moment.
async fn look<T: Send + 'static>(
    web: &Web,
    read: impl FnOnce(&Config, &Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Problem> {
    let config: Arc<Config> = web.config();
    let now = clock::now();
    Ok(web.read(move |ledger| ledger.in_one_snapshot(|ledger| read(&config, ledger, now))).await?)
}

/// The same for a page of a subscription.
async fn look_at<T: Send + 'static>(
    web: &Web,
    name: String,
    read: impl FnOnce(&Config, &Subscription, &Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Problem> {
    if !web.config().subscriptions.contains_key(&name) {
        return Err(Problem::not_found("There is no subscription of this name in the configuration."));
    }
    let found = look(web, move |config, ledger, now| {
        // The configuration may be another by now.
        let one = config.subscriptions.get(&name);
        one.map(|one| read(config, one, ledger, now)).transpose()
    });
    found
        .await?
        .ok_or_else(|| Problem::not_found("There is no subscription of this name in the configuration any more."))
}

fn address(asked: &BTreeMap<String, String>) -> &str {
    asked.get("address").map_or("", String::as_str)
}

/// From 0.
fn page(asked: &BTreeMap<String, String>) -> u64 {
    asked.get("page").and_then(|page| page.parse::<u64>().ok()).unwrap_or(1).saturating_sub(1)
}
