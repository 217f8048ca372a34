use std::future::pending;

use reqwest::{Client, Method};
use serde_json::json;
use tokio::sync::oneshot;

use crate::config::SubscriptionType;

use super::super::faults::{Rate, Share};
use super::*;

const ID: Uuid = Uuid::from_u128(0xff3d_3cf5_5388_40a0_915f_970c_1d2d_972f);
const KEY: &str = "0b1c8c3e-5a5e-4d8f-9a55-3b0f6f3f2c11";

fn options(faults: Faults) -> Options {
    let subscriptions = vec![Subscription::new(SubscriptionType::Manual, ID, KEY.into(), 10)];
    Options { subscriptions, dialect: Dialect::default(), faults }
}

/// A sandbox on a free port, and its address.
async fn start(faults: Faults) -> (Sandbox, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = Sandbox::new(options(faults));
    tokio::spawn(serve(listener, sandbox.clone(), pending()));
    (sandbox, address)
}

fn request(client: &Client, address: &str, method: Method, emails: &[&str]) -> reqwest::RequestBuilder {
    let body = json!({"apiKey": KEY, "emails": emails}).to_string();
    let url = format!("{address}/api/manage/Manual/{ID}");
    client.request(method, url).header("content-type", "application/json").body(body)
}

/// A client whose patience is bounded, so that a server that never answers fails a test instead of stopping it.
fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

fn set<const N: usize>(emails: [&str; N]) -> BTreeSet<String> {
    emails.map(str::to_owned).into()
}

#[tokio::test]
async fn a_request_over_http_is_answered_and_remembered_without_the_key() {
    let (sandbox, address) = start(Faults::default()).await;
    let reply = request(&client(), &address, Method::PUT, &["Jane@contoso.com"]).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(
        reply.text().await.unwrap(),
        r#"{"success":true,"errors":[],"assignmentStats":{"availableLicenses":10,"assignedLicenses":1}}"#
    );
    let reply = request(&client(), &address, Method::DELETE, &["joe@contoso.com"]).send().await.unwrap();
    assert_eq!(reply.status(), 400);
    assert_eq!(sandbox.assigned(ID), set(["Jane@contoso.com"]));
    let log = sandbox.requests();
    let seen: Vec<_> = log.iter().map(|r| (r.seq, r.method.as_str(), r.subscription, r.status)).collect();
    assert_eq!(seen, [(1, "PUT", Some(ID), Some(200)), (2, "DELETE", Some(ID), Some(400))]);
    assert_eq!(log[0].emails, ["Jane@contoso.com"]);
    assert!(!format!("{sandbox:?}").contains(KEY));
}

#[tokio::test]
async fn a_body_that_does_not_call_itself_json_is_refused() {
    let (sandbox, address) = start(Faults::default()).await;
    let put = request(&client(), &address, Method::PUT, &["jane@contoso.com"]);
    let mut put = put.build().unwrap();
    for (content_type, status) in [("text/plain", 400), ("application/json; charset=utf-8", 200)] {
        put.headers_mut().insert("content-type", content_type.parse().unwrap());
        assert_eq!(client().execute(put.try_clone().unwrap()).await.unwrap().status(), status, "{content_type}");
    }
    assert_eq!(sandbox.request_count(), 2);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let (_, address) = start(Faults::default()).await;
    let put = |bytes| client().put(format!("{address}/api/manage/Manual/{ID}")).body(vec![b' '; bytes]).send();
    assert_eq!(put(BODY_BYTES_MAX).await.unwrap().status(), 400);
    // No more than one byte too many: of a longer body the server would leave some unread, which can hide its answer.
    assert_eq!(put(BODY_BYTES_MAX + 1).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_connection_is_cut_before_the_request_takes_effect() {
    let (sandbox, address) = start(Faults { drop_before: Share::ALL, ..Faults::default() }).await;
    let error = request(&client(), &address, Method::PUT, &["jane@contoso.com"]).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!(sandbox.assigned(ID), set([]));
    let log = sandbox.requests();
    assert_eq!((log.len(), log[0].status, log[0].fault), (1, None, Fault::DropBefore));
}

#[tokio::test]
async fn a_connection_is_cut_after_the_request_took_effect() {
    let (sandbox, address) = start(Faults { drop_after: Share::ALL, ..Faults::default() }).await;
    let error = request(&client(), &address, Method::PUT, &["jane@contoso.com"]).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!(sandbox.assigned(ID), set(["jane@contoso.com"]));
    let log = sandbox.requests();
    assert_eq!((log.len(), log[0].status, log[0].fault), (1, None, Fault::DropAfter));
}

#[tokio::test]
async fn a_connection_that_served_before_is_cut_too() {
    let (sandbox, address) = start(Faults::default()).await;
    let client = client();
    let first = request(&client, &address, Method::PUT, &["jane@contoso.com"]).send().await.unwrap();
    assert_eq!(first.text().await.unwrap().len(), 92);
    sandbox.set_faults(Faults { drop_after: Share::ALL, ..Faults::default() });
    request(&client, &address, Method::PUT, &["joe@contoso.com"]).send().await.unwrap_err();
    assert_eq!(sandbox.request_count(), 2);
}

#[tokio::test]
async fn a_failure_is_500_and_takes_no_effect() {
    let (sandbox, address) = start(Faults { fail: Share::ALL, ..Faults::default() }).await;
    let reply = request(&client(), &address, Method::PUT, &["jane@contoso.com"]).send().await.unwrap();
    assert_eq!(reply.status(), 500);
    assert!(!reply.text().await.unwrap().contains(KEY));
    assert_eq!(sandbox.assigned(ID), set([]));
}

#[tokio::test]
async fn the_rate_limit_is_429_with_retry_after_and_takes_no_effect() {
    let rate_limit: Rate = "1/h".parse().unwrap();
    let (sandbox, address) = start(Faults { rate_limit: Some(rate_limit), ..Faults::default() }).await;
    let first = request(&client(), &address, Method::PUT, &["jane@contoso.com"]).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let second = request(&client(), &address, Method::PUT, &["joe@contoso.com"]).send().await.unwrap();
    assert_eq!(second.status(), 429);
    let seconds: u64 = second.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    assert_eq!(sandbox.assigned(ID), set(["jane@contoso.com"]));
}

#[tokio::test]
async fn latency_outlasts_the_client_and_the_request_has_taken_effect() {
    let (sandbox, address) = start(Faults { latency: Duration::from_hours(1), ..Faults::default() }).await;
    let patient = request(&client(), &address, Method::PUT, &["jane@contoso.com"]);
    let error = patient.timeout(Duration::from_millis(200)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(sandbox.assigned(ID), set(["jane@contoso.com"]));
}

#[tokio::test]
async fn an_echo_repeats_the_body_in_every_error() {
    for (fail, status) in [(Share::ALL, 500), (Share::default(), 400)] {
        let (_, address) = start(Faults { fail, echo: true, ..Faults::default() }).await;
        let reply = request(&client(), &address, Method::PUT, &["jane"]).send().await.unwrap();
        assert_eq!(reply.status(), status);
        let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        assert!(body["errors"][0].as_str().unwrap().contains(KEY));
    }
}

#[tokio::test]
async fn faults_leave_the_page_the_state_and_the_seats_alone() {
    let faults = Faults { fail: Share::ALL, drop_before: Share::ALL, latency: Duration::MAX, ..Faults::default() };
    let (sandbox, address) = start(faults).await;
    let client = client();
    let page = client.get(&address).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("0 of 10"));
    let bought = client.post(format!("{address}/seats/{ID}")).body(r#"{"seats": 20}"#).send().await.unwrap();
    assert_eq!(bought.status(), 200);
    let state = client.get(format!("{address}/state")).send().await.unwrap().text().await.unwrap();
    assert!(state.contains(r#""seats":20"#), "{state}");
    assert_eq!(sandbox.request_count(), 0);
}

#[tokio::test]
async fn the_handle_changes_what_the_server_knows() {
    let (sandbox, address) = start(Faults::default()).await;
    assert!(sandbox.assign_by_hand(ID, "jane@contoso.com") && sandbox.assign_by_hand(ID, "joe@contoso.com"));
    assert!(sandbox.unassign_by_hand(ID, "JOE@contoso.com"));
    assert_eq!(sandbox.assigned(ID), set(["jane@contoso.com"]));
    assert!(sandbox.set_seats(ID, 1));
    let put = async || request(&client(), &address, Method::PUT, &["joe@contoso.com"]).send().await.unwrap().status();
    assert_eq!(put().await, 402);
    assert!(sandbox.set_key(ID, "another".into()));
    assert_eq!(put().await, 404);
    assert!(!sandbox.set_seats(Uuid::nil(), 1));
}

#[tokio::test]
async fn told_to_end_the_server_finishes_the_request_in_flight_and_closes_its_door() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = Sandbox::new(options(Faults { latency: Duration::from_millis(100), ..Faults::default() }));
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, sandbox.clone(), async { ended.await.unwrap() }));
    let in_flight = tokio::spawn(request(&client(), &address, Method::PUT, &["jane@contoso.com"]).send());
    while sandbox.request_count() == 0 {
        tokio::task::yield_now().await;
    }
    end.send(()).unwrap();
    assert_eq!(in_flight.await.unwrap().unwrap().status(), 200);
    server.await.unwrap();
    assert!(client().get(&address).send().await.unwrap_err().is_connect());
}
