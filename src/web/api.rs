//! What programs read: the JSON of the commands.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, Web};
use crate::clock::{self, Timestamp};
use crate::facts;
use crate::ledger::MemberState;
use crate::ledger::listing::{From, Lines, Place, Search, Wanted};
use crate::report::history::since;

/// How many come at once where nobody says.
const LIMIT: usize = 100;
/// How many come at once at most.
const LIMIT_MAX: usize = 1000;

/// `GET /api/v1/status`: as `status --json`, of a moment ago.
pub(super) async fn status(State(web): State<Web>) -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/json")], web.snapshot()?.json()).into_response())
}

/// Which members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Members {
    state: Option<MemberState>,
    /// Anywhere in the address.
    search: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /api/v1/subscriptions/NAME/members`: by address; each as `members --json` has it.
pub(super) async fn members(
    State(web): State<Web>,
    Path(name): Path<String>,
    asked: Result<Query<Members>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let config = web.config();
    let unknown = || Problem::not_found(format!("There is no subscription {name} in the configuration."));
    let subscription = config.subscriptions.get(&name).ok_or_else(unknown)?.clone();
    let Query(Members { state, search, limit, after }) = asked.map_err(|error| not_understood(&error.body_text()))?;
    let search = search.map(|text| Search::Contains(text.to_lowercase())).filter(|search| !is_empty(search));
    let wanted = Wanted { state, search, from: after.map_or(From::Start, From::After) };
    let limit = bounded(limit);
    let (members, next) = web
        .read(move |ledger| {
            ledger.in_one_snapshot(|ledger| {
                let page = ledger.members_page(&subscription.name, &wanted, limit)?;
                Ok((facts::member_lines(ledger, &subscription, page.members)?, page.next))
            })
        })
        .await?;
    Ok(Json(json!({ "members": members, "next": next })))
}

fn is_empty(search: &Search) -> bool {
    matches!(search, Search::Contains(text) | Search::Begins(text) if text.is_empty())
}

/// Which lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    subscription: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

/// `GET /api/v1/history`: the newest first; each as `history --json` has it.
pub(super) async fn history(
    State(web): State<Web>,
    asked: Result<Query<History>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = asked.map_err(|error| not_understood(&error.body_text()))?;
    let since = asked.since.as_deref().map(|text| since(text, clock::now())).transpose();
    let since = since.map_err(|words| Problem::bad_request(format!("{words}.")))?;
    let before = asked.before.as_deref().map(|text| place(text).ok_or_else(|| not_understood("no such `before`")));
    let (before, limit) = (before.transpose()?, bounded(asked.limit));
    let mut lines = web
        .read(move |ledger| {
            let subscription = asked.subscription.as_deref();
            ledger.history_page(Lines { subscription, of_nobody: false, before }, limit + 1)
        })
        .await?;
    // One more than is shown was read: there is a next page.
    let is_more = lines.len() > limit;
    lines.truncate(limit);
    let last = lines.last().map(|line| line.place);
    let read = lines.len();
    lines.retain(|line| since.is_none_or(|since| line.line.at >= since));
    let next = last.filter(|_| is_more && lines.len() == read).map(|place| word(&place));
    let lines: Vec<_> = lines.into_iter().map(|line| line.line).collect();
    Ok(Json(json!({ "history": lines, "next": next })))
}

fn not_understood(why: &str) -> Problem {
    let why = why.trim_start_matches("Failed to deserialize query string: ");
    Problem::bad_request(format!("What is asked for can't be understood: {why}."))
}

fn bounded(limit: Option<usize>) -> usize {
    limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
}

/// A place in the history as a word: `1764000000000-42`.
fn word(place: &Place) -> String {
    format!("{}-{}", place.at.timestamp_millis(), place.id)
}

fn place(word: &str) -> Option<Place> {
    let (at, id) = word.rsplit_once('-')?;
    let at: Timestamp = DateTime::from_timestamp_millis(at.parse().ok()?)?;
    Some(Place { at, id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_history_comes_back_as_it_went() {
        let there = Place { at: DateTime::from_timestamp_millis(1_764_000_000_000).unwrap(), id: 42 };
        assert_eq!(word(&there), "1764000000000-42");
        assert_eq!(place(&word(&there)), Some(there));
        let early = Place { at: DateTime::from_timestamp_millis(-5).unwrap(), id: 1 };
        assert_eq!(place(&word(&early)), Some(early));
        assert_eq!((place("42"), place("x-1"), place("")), (None, None, None));
    }
}
