//! Everything that is answered, in one place.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::gate::BODY_BYTES_MAX;
use super::{Problem, Web, act, api, gate, health, live, login, metrics, pages, problem};

/// The table. What people look at is made in [`pages`]. A request passes what is named last first.
pub(super) fn all(web: &Web) -> Router {
    Router::new()
        .merge(pages::routes())
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/subscriptions/{name}/{verb}", post(act::by_form))
        .route("/resume", post(act::resume_by_form))
        .route("/events", get(live::events))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::show))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/subscriptions/{name}/members", get(api::members))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/resume", post(act::resume_by_program))
        .route("/api/v1/subscriptions/{name}/{verb}", post(act::by_program))
        .fallback(|| async { Problem::not_found("There is no such page.").into_response() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(web.clone(), gate::enter))
        .layer(from_fn(problem::worded))
        .layer(from_fn(gate::leave))
        .with_state(web.clone())
}
