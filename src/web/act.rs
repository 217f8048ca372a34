//! Acting: what a person does by a form of a page, and a program by the API, is the same, and what the command line does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::access::{Caller, Denied, Who, is_csrf};
use super::gate::to_login;
use super::pages::link::Link;
use super::{Person, Problem, Viewer, Web, pages};
use crate::address::Address;
use crate::clock::{self, Stopwatch, Timestamp};
use crate::config::Subscription;
use crate::ledger::{Lease, Ledger, Owner};
use crate::person::{self, LEASE_LOOK, LEASE_TERM, Refused};
use crate::report::text::count;

/// How long a run that is under way is waited for.
const LEASE_WAIT: Duration = Duration::from_secs(10);

/// What somebody wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    /// Its sources are read, and a run is made.
    Sync,
    Approve {
        digest: String,
    },
    Reject {
        digest: String,
    },
    /// Without addresses: all that are quarantined.
    Retry {
        addresses: Vec<Address>,
    },
}

/// What came of it.
struct Done {
    /// For people: a sentence.
    words: String,
    /// For programs.
    facts: Value,
}

/// What a form of a page carries.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    digest: String,
    /// Separated by white space or commas.
    #[serde(default)]
    addresses: String,
    /// Since when what the page showed has stood, in milliseconds.
    since: Option<i64>,
}

/// What a program says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    #[serde(default)]
    digest: String,
    #[serde(default)]
    addresses: Vec<String>,
}

/// A form of a page: then the subscription's page says what came of it.
pub(super) async fn by_form(
    State(web): State<Web>,
    viewer: Viewer,
    Extension(caller): Extension<Caller>,
    Path((name, verb)): Path<(String, String)>,
    Form(sent): Form<Sent>,
) -> Response {
    let place = Link::of(&name, "").as_str().to_owned();
    let person = match person(&web, &caller, &sent, &place) {
        Ok(person) => person,
        Err(refusal) => return *refusal,
    };
    let addresses = sent.addresses.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    let deed = Deed::read(&verb, &sent.digest, addresses);
    let by = format!("{} on the dashboard", caller.address);
    match do_it(&web, &name, deed, by).await {
        Ok(done) => Redirect::to(&person.put_notice(&place, done.words)).into_response(),
        // Shown as a page of its own: what was to be done was not.
        Err(problem) => (problem.status, pages::problem(&viewer, problem.status, &problem.words)).into_response(),
    }
}

/// `POST /resume`: the form beside what stopped removals everywhere.
pub(super) async fn resume_by_form(
    State(web): State<Web>,
    viewer: Viewer,
    Extension(caller): Extension<Caller>,
    Form(sent): Form<Sent>,
) -> Response {
    let person = match person(&web, &caller, &sent, "/") {
        Ok(person) => person,
        Err(refusal) => return *refusal,
    };
    match web.resume(format!("{} on the dashboard", caller.address), sent.since).await {
        Ok(done) => Redirect::to(&person.put_notice("/", done.words)).into_response(),
        Err(problem) => (problem.status, pages::problem(&viewer, problem.status, &problem.words)).into_response(),
    }
}

/// `POST /api/v1/resume`.
pub(super) async fn resume_by_program(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    check_program(&web, &caller)?;
    Ok(Json(web.resume(format!("{} through the API", caller.address), None).await?.facts).into_response())
}

/// Who sent a form of a page of ours, or what they are told instead.
fn person<'c>(web: &Web, caller: &'c Caller, sent: &Sent, place: &str) -> Result<&'c Person, Box<Response>> {
    let person = match &caller.who {
        Who::Person(person) => person,
        _ if web.access.can_log_in() => return Err(Box::new(to_login(place).into_response())),
        _ => return Err(Box::new(Problem::from(Denied::NoToken).into_response())),
    };
    if !is_csrf(person, &sent.csrf) {
        let words = "This page is out of date, or not ours; nothing was done. Go back, reload and try again.";
        return Err(Box::new(Problem::new(StatusCode::FORBIDDEN, words).into_response()));
    }
    Ok(person)
}

fn check_program(web: &Web, caller: &Caller) -> Result<(), Problem> {
    match caller.who {
        Who::Program => Ok(()),
        _ if web.access.can_log_in() => {
            Err(Problem::new(StatusCode::UNAUTHORIZED, "This needs the token, as Authorization: Bearer."))
        }
        _ => Err(Denied::NoToken.into()),
    }
}

/// `POST /api/v1/subscriptions/NAME/VERB`. A session does not count here, so that no form elsewhere can do it.
pub(super) async fn by_program(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    Path((name, verb)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    check_program(&web, &caller)?;
    let said = if body.is_empty() { Ok(Said::default()) } else { serde_json::from_slice::<Said>(&body) };
    let said = said.map_err(|error| Problem::bad_request(format!("The body can't be understood: {error}.")))?;
    let deed = Deed::read(&verb, &said.digest, said.addresses.iter().map(String::as_str));
    let done = do_it(&web, &name, deed, format!("{} through the API", caller.address)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(done.facts)).into_response())
}

impl Deed {
    fn read<'a>(verb: &str, digest: &str, addresses: impl Iterator<Item = &'a str>) -> Result<Deed, Problem> {
        let digest = || match digest.trim() {
            "" => Err(Problem::bad_request(
                "`digest` is missing: the digest of the removals that were shown, as status says it.",
            )),
            digest => Ok(digest.to_owned()),
        };
        match verb {
            "sync" => Ok(Deed::Sync),
            "approve" => Ok(Deed::Approve { digest: digest()? }),
            "reject" => Ok(Deed::Reject { digest: digest()? }),
            "retry" => {
                let address = |word: &str| {
                    let invalid = |why| Problem::bad_request(format!("“{word}” is no address: the address {why}."));
                    Address::parse(word).map_err(invalid)
                };
                Ok(Deed::Retry { addresses: addresses.map(address).collect::<Result<_, _>>()? })
            }
            _ => Err(Problem::not_found("What can be done is sync, approve, reject and retry.")),
        }
    }
}

/// Does it to its end, also where whoever asked does not wait for that.
async fn do_it(web: &Web, name: &str, deed: Result<Deed, Problem>, by: String) -> Result<Done, Problem> {
    let config = web.config();
    let unknown = || Problem::not_found(format!("There is no subscription {name} in the configuration."));
    let subscription = config.subscriptions.get(name).ok_or_else(unknown)?.clone();
    let deed = deed?;
    let web = web.clone();
    let doing = web.tasks.clone().spawn(async move { web.doing(subscription, deed, by).await });
    let broken =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong in rosterd; its log says what.");
    doing.await.map_err(broken)?
}

impl Web {
    async fn doing(&self, subscription: crate::config::Subscription, deed: Deed, by: String) -> Result<Done, Problem> {
        match deed {
            Deed::Sync => self.sync(&subscription.name, by).await,
            Deed::Approve { digest } => self.approve(subscription, digest, by).await,
            Deed::Reject { digest } => self.reject(&subscription.name, digest, by).await,
            Deed::Retry { addresses } => self.retry(&subscription.name, addresses, by).await,
        }
    }

    async fn sync(&self, name: &str, by: String) -> Result<Done, Problem> {
        let subscription = name.to_owned();
        self.ledger.with(move |ledger| ledger.note_asked(&subscription, &by, clock::now())).await?;
        if !self.signs.ask_for_sync(name) {
            let words = "Too many runs have been asked for at once; try again in a moment.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, words));
        }
        let words = format!("{name}: its sources are read, and a run is made.");
        Ok(Done { words, facts: json!({ "subscription": name, "asked": true }) })
    }

    async fn approve(&self, subscription: Subscription, digest: String, by: String) -> Result<Done, Problem> {
        let name = subscription.name.clone();
        let (removals, brake) = self
            .decide(move |ledger, now| {
                let seen = person::still_held(ledger, &subscription.name, &digest)?;
                let brake = person::approve(ledger, &subscription, &seen, &by, now)?;
                ledger.ask_for_run(&subscription.name, now)?;
                Ok((seen.hold.removals.len() as u64, brake))
            })
            .await?;
        let approved = count(removals, "removal is", "removals are");
        let words = match &brake {
            None => format!("{name}: {approved} approved."),
            Some(brake) => format!("{name}: {approved} approved, and nothing is taken back yet. {}", brake.words()),
        };
        let facts = json!({ "subscription": name, "approved": removals, "brake": brake });
        Ok(Done { words, facts })
    }

    async fn reject(&self, name: &str, digest: String, by: String) -> Result<Done, Problem> {
        let people =
            self.under_lease(name, move |ledger, lease, now| person::reject(ledger, lease, &digest, &by, now)).await?;
        let words = format!("{name}: rejected; {} kept.", count(people, "licence is", "licences are"));
        Ok(Done { words, facts: json!({ "subscription": name, "kept": people }) })
    }

    async fn retry(&self, name: &str, addresses: Vec<Address>, by: String) -> Result<Done, Problem> {
        let retried = self
            .under_lease(name, move |ledger, lease, now| person::retry(ledger, lease, &addresses, &by, now))
            .await?;
        let words = match retried.members {
            0 => format!("{name}: none of them is quarantined."),
            n => format!("{name}: {} again.", count(n, "member tries", "members try")),
        };
        Ok(Done { words, facts: json!({ "subscription": name, "retried": retried.members }) })
    }

    /// Lets removals go on everywhere; done also where whoever asked does not wait for it. Where they were looked at that
    /// have been stopped since this moment, in milliseconds, others are not let go on.
    async fn resume(&self, by: String, seen: Option<i64>) -> Result<Done, Problem> {
        let decide = move |ledger: &mut Ledger, now| {
            let since = ledger.brake()?.map(|brake| brake.since.timestamp_millis());
            let is_another = since.is_some() && seen.is_some() && since != seen;
            Ok((!is_another && ledger.release_brake(&by, now)?, is_another))
        };
        let (released, is_another) = self.decide(decide).await?;
        let words = match (released, is_another) {
            (true, _) => "Removals go on: what is due is done now.",
            (false, true) => "Removals were stopped again meanwhile, for what stands here now; nothing was done.",
            (false, false) => "Removals were not stopped; nothing was done.",
        };
        Ok(Done { words: words.to_owned(), facts: json!({ "resumed": released }) })
    }

    /// Does this on the ledger, in its turn.
    async fn decide<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(self.ledger.with(move |ledger| Ok(decide(ledger, clock::now()))).await??)
    }

    /// Does what only one at a time may do for a subscription, and has the daemon carry it out.
    async fn under_lease<T: Send + 'static>(
        &self,
        subscription: &str,
        act: impl FnOnce(&mut Ledger, &Lease, Timestamp) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Problem> {
        let lease = self.lease(subscription).await?;
        let subscription = subscription.to_owned();
        self.decide(move |ledger, now| {
            let acted = act(ledger, &lease, now);
            ledger.release(lease)?;
            let value = acted?;
            ledger.ask_for_run(&subscription, now)?;
            Ok(value)
        })
        .await
    }

    async fn lease(&self, subscription: &str) -> Result<Lease, Problem> {
        let (owner, waited) = (Arc::new(Owner::this_process()), Stopwatch::start());
        loop {
            let (name, owner) = (subscription.to_owned(), Arc::clone(&owner));
            let taken = self.ledger.with(move |ledger| ledger.acquire(&name, &owner, LEASE_TERM, clock::now())).await?;
            match taken {
                Some(lease) => return Ok(lease),
                None if waited.elapsed() < LEASE_WAIT => sleep(LEASE_LOOK).await,
                None => return Err(Refused::Busy { subscription: subscription.to_owned() }.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_on_is_named() {
        let read = |verb: &str, digest: &str, addresses: &[&str]| Deed::read(verb, digest, addresses.iter().copied());
        assert_eq!(read("sync", "", &[]), Ok(Deed::Sync));
        assert_eq!(read("approve", " 0123 ", &[]), Ok(Deed::Approve { digest: "0123".to_owned() }));
        for verb in ["approve", "reject"] {
            assert_eq!(read(verb, " ", &[]).unwrap_err().status, StatusCode::BAD_REQUEST, "{verb}");
        }
        assert!(
            matches!(read("retry", "", &["jane@contoso.com"]), Ok(Deed::Retry { addresses }) if addresses.len() == 1)
        );
        assert!(read("retry", "", &["jane"]).unwrap_err().words.contains("“jane” is no address"));
        assert_eq!(read("forget", "", &[]).unwrap_err().status, StatusCode::NOT_FOUND);
    }
}
