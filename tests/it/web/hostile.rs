//! Whoever wants in and may not: pages elsewhere, names that were made to lead here, guessers.

use super::*;

#[test]
fn a_page_elsewhere_can_make_a_browser_do_nothing() {
    let site = Site::with_token(held());
    let (digest, cookie) = (digest(&site), site.log_in());
    let csrf = site.csrf(&cookie, "/subscriptions/contoso");
    let host = site.url.trim_start_matches("http://").to_owned();
    let form = |csrf: &str, headers: &[(&str, &str)]| {
        let request = site.request(Method::POST, "/subscriptions/contoso/approve").header(COOKIE, &cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        site.send(request.form(&[("csrf", csrf), ("digest", &digest)])).status
    };
    // Whatever a browser would send along, and whatever the page had guessed.
    assert_eq!(form(&csrf, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]), 403);
    assert_eq!(form(&csrf, &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:9")]), 403);
    assert_eq!(form(&csrf, &[("origin", "https://evil.example")]), 403, "an old browser");
    assert_eq!(form(&csrf, &[("origin", "null")]), 403);
    assert_eq!(form("", &[]), 403, "without what the page carries");
    assert_eq!(form("guessed", &[("sec-fetch-site", "same-origin")]), 403);
    // A session is nothing to the API: no form can send a token along.
    let api = site.request(Method::POST, "/api/v1/subscriptions/contoso/approve").header(COOKIE, &cookie);
    assert_eq!(site.send(api.body(json!({ "digest": digest }).to_string())).status, 401);
    // Nor can a page elsewhere log somebody in, or load anything from here.
    let login = site.request(Method::POST, "/login").header("origin", "https://evil.example");
    assert_eq!(site.send(login.form(&[("token", TOKEN)])).status, 403);
    let load = site.request(Method::GET, "/api/v1/status").header("sec-fetch-site", "cross-site");
    assert_eq!(site.send(load.header("sec-fetch-mode", "no-cors").header("sec-fetch-dest", "script")).status, 403);
    assert_eq!(site.world.assigned().len(), 50, "nothing was done");
    assert!(!site.history().contains("\"approved\""));
    // The page itself may.
    let own = format!("http://{host}");
    assert_eq!(form(&csrf, &[("sec-fetch-site", "same-origin"), ("origin", &own)]), 303);
    until("the forty licences are taken back", || site.world.assigned() == people(0..10));
}

#[test]
fn a_name_that_was_made_to_lead_here_gets_nothing() {
    let site = Site::new(World::new(10));
    for host in ["evil.example", "evil.example:8380", "127.0.0.1.evil.example", "192.168.0.1"] {
        for path in ["/", "/api/v1/status", "/events", "/metrics"] {
            let answer = site.send(site.request(Method::GET, path).header("host", host));
            assert_eq!(answer.status, 421, "{host} {path}");
            assert!(!answer.body.contains("contoso"), "{host} {path}: {}", answer.body);
        }
    }
    assert_eq!(site.send(site.request(Method::GET, "/").header("host", "localhost:9000")).status, 200, "a tunnel");
}

#[test]
fn what_comes_through_a_proxy_is_not_from_this_machine() {
    let site = Site::with_token(World::new(10));
    let passed_on = |path: &str| site.request(Method::GET, path).header("x-forwarded-for", "192.0.2.7");
    assert_eq!(site.send(passed_on("/api/v1/status")).status, 401);
    assert_eq!(site.send(passed_on("/")).status, 303);
    let with = passed_on("/api/v1/status").header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    assert_eq!(site.send(with).status, 200);
}

#[test]
fn a_guesser_waits_ever_longer_and_finds_nothing_out() {
    let site = Site::with_token(World::new(10));
    let guess = |token: &str| {
        let request = site.request(Method::POST, "/api/v1/subscriptions/contoso/sync");
        site.send(request.header(AUTHORIZATION, format!("Bearer {token}")))
    };
    let answers: Vec<u16> = (0..8).map(|n| guess(&format!("guess{n}")).status).collect();
    assert_eq!(answers[..6], [401; 6]);
    let refused = guess(TOKEN);
    assert_eq!(refused.status, 429, "also the right one, or guessing would go on: {refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    let login = site.send(site.request(Method::POST, "/login").form(&[("token", "guess")]));
    assert_eq!(login.status, 429, "it is the same guesser");
    assert!(login.header("content-type").unwrap().starts_with("text/html"), "{login:?}");
    assert_eq!(site.get("/api/v1/status").status, 200, "who only reads is not concerned");
    assert!(!site.history().contains("\"asked\""));
}

#[test]
fn a_wrong_token_is_said_on_the_form_and_nobody_is_led_elsewhere_by_it() {
    let site = Site::with_token(World::new(10));
    let log_in = |token: &str, next: &str| {
        site.send(site.request(Method::POST, "/login").form(&[("token", token), ("next", next)]))
    };
    let wrong = log_in("wrong", "/subscriptions/contoso");
    assert_eq!(wrong.status, 401);
    assert!(
        wrong.body.contains("That is not the token.") && wrong.body.contains("/subscriptions/contoso"),
        "{wrong:?}"
    );
    assert!(wrong.header("set-cookie").is_none());
    assert_eq!(log_in(TOKEN, "https://evil.example/").header("location"), Some("/"));
    assert_eq!(log_in(TOKEN, "//evil.example/").header("location"), Some("/"));
    assert!(!log(&site.world).contains(TOKEN), "the token is in no log");
}
