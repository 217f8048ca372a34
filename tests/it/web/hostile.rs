//! Whoever wants in and may not: pages elsewhere, names that were made to lead here, guessers.

use rosterd::brake::Brake;
use rosterd::clock;
use rosterd::ledger::Ledger;

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

#[test]
fn a_session_is_neither_brought_along_nor_kept_beyond_its_end() {
    let site = Site::with_token(World::new(10));
    let own = site.log_in();
    let (name, _) = own.split_once('=').unwrap();
    let brought = format!("{name}=chosen-by-somebody-else");
    let login = site.request(Method::POST, "/login").header(COOKIE, &brought);
    let answer = site.send(login.form(&[("token", TOKEN)]));
    let given = answer.header(SET_COOKIE.as_str()).unwrap().split(';').next().unwrap().to_owned();
    assert!(given != brought && given != own, "each session has an id of its own: {given}");
    let may_act = |cookie: &str| {
        site.send(site.request(Method::GET, "/subscriptions/contoso").header(COOKIE, cookie)).body.contains("csrf")
    };
    assert!(!may_act(&brought) && may_act(&given) && may_act(&own));
    let csrf = site.csrf(&own, "/subscriptions/contoso");
    let other = site.request(Method::POST, "/subscriptions/contoso/sync").header(COOKIE, &given);
    assert_eq!(site.send(other.form(&[("csrf", &csrf)])).status, 403, "another session's form");
    let out = site.send(site.request(Method::POST, "/logout").header(COOKIE, &own).form(&[("csrf", &csrf)]));
    assert!(out.header(SET_COOKIE.as_str()).unwrap().contains("Max-Age=0"), "{out:?}");
    assert!(!may_act(&own) && may_act(&given), "a copy of the cookie is worth nothing after its end");
    let log = log(&site.world);
    for secret in [TOKEN, &csrf, own.split_once('=').unwrap().1, given.split_once('=').unwrap().1] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_path_is_what_it_says_and_nothing_above_it() {
    let site = Site::with_token(World::new(10));
    let cookie = site.log_in();
    for path in [
        "/subscriptions/contoso%2Fheld",
        "/subscriptions/contoso%2f..%2fother",
        "/subscriptions/%2e%2e/contoso",
        "/subscriptions/contoso%00",
        "/subscriptions/%ff",
        "/assets/..%2f..%2frosterd.toml",
        "/assets/%2e%2e%2fweb.token",
        "//evil.example/",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ] {
        let answer = site.send(site.request(Method::GET, path).header(COOKIE, &cookie));
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert!(!answer.body.contains("<script>alert") && !answer.body.contains(TOKEN), "{path}: {answer:?}");
    }
    let csrf = site.csrf(&cookie, "/subscriptions/contoso");
    let evil = site.request(Method::POST, "/subscriptions/%0d%0aSet-Cookie:%20x/sync").header(COOKIE, &cookie);
    let answer = site.send(evil.form(&[("csrf", &csrf)]));
    assert_eq!((answer.status, answer.header(SET_COOKIE.as_str())), (404, None), "{answer:?}");
}

#[test]
fn who_lets_removals_go_on_is_a_person_of_ours_and_stands_in_the_history() {
    let site = Site::with_token(held());
    let brake = || {
        let brake = Brake { since: clock::now(), reason: "Many <b>are</b> in trouble.".to_owned() };
        assert!(Ledger::open(&site.world.path("rosterd.db"), clock::now()).unwrap().put_on_brake(&brake).unwrap());
        until("it is shown", || !site.status()["brake"].is_null());
    };
    brake();
    assert!(!site.get("/").body.contains("/resume"), "who only looks has no button");
    let cookie = site.log_in();
    let page = site.send(site.request(Method::GET, "/").header(COOKIE, &cookie)).body;
    assert!(page.contains("action=\"/resume\"") && !page.contains("<b>are</b>"), "{page}");
    let csrf = site.csrf(&cookie, "/");
    let resume = |csrf: &str| site.request(Method::POST, "/resume").header(COOKIE, &cookie).form(&[("csrf", csrf)]);
    assert_eq!(site.send(resume("guessed")).status, 403);
    assert_eq!(site.send(resume(&csrf).header("origin", "https://evil.example")).status, 403);
    let without = site.send(site.request(Method::POST, "/resume").form(&[("csrf", &csrf)]));
    assert!(without.header("location").unwrap().starts_with("/login"), "{without:?}");
    assert!(!site.status()["brake"].is_null(), "nothing was done");

    let done = site.send(resume(&csrf));
    assert_eq!((done.status, done.header("location")), (303, Some("/?told=1")), "{done:?}");
    let page = site.send(site.request(Method::GET, "/?told=1").header(COOKIE, &cookie)).body;
    assert!(page.contains("Removals go on: what is due is done now."), "{page}");
    until("it is off", || site.status()["brake"].is_null());

    assert_eq!(site.send(site.request(Method::POST, "/api/v1/resume").header(COOKIE, &cookie)).status, 401);
    assert_eq!(site.post("/api/v1/resume", &json!({})).json(), json!({ "resumed": false }));
    brake();
    assert_eq!(site.post("/api/v1/resume", &json!({})).json(), json!({ "resumed": true }));
    let history = site.world.run_to(0, &["history", "--json"]).stdout;
    for by in ["by 127.0.0.1 on the dashboard", "by 127.0.0.1 through the API"] {
        assert!(history.lines().any(|line| line.contains("\"resumed\"") && line.contains(by)), "{history}");
    }
}

#[test]
fn a_configuration_that_was_refused_is_shown_until_it_is_mended() {
    let site = Site::new(World::new(10));
    let path = site.world.path("rosterd.toml");
    let good = fs::read_to_string(&path).unwrap();
    let refused = || site.get("/metrics").body.contains("\nrosterd_config_refused 1\n");
    assert!(!refused());
    fs::write(&path, good.replace("[sources.hr]", "[sourcs.\"<script>alert(1)</script>\"]")).unwrap();
    until("it is counted", refused);
    let page = site.get("/").body;
    assert!(page.contains("Configuration refused") && page.contains("the old one is in force"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    fs::write(&path, good).unwrap();
    until("it is over", || !refused() && !site.get("/").body.contains("Configuration refused"));
}

#[test]
fn what_others_wrote_is_text_on_every_page_and_nothing_else() {
    const EVIL: &str = "<script>alert(1)</script>";
    let world = World::new(1);
    // Names are letters and digits; the rest is whatever somebody writes.
    let folder = "drops <img src=x>";
    fs::rename(world.path("drops"), world.path(folder)).unwrap();
    std::os::unix::fs::symlink(world.path(folder), world.path("drops")).unwrap();
    world.configure("", "", &format!("path = \"{folder}\"\ncolumns = {{ id = \"id\" }}\n"));
    world.drop_file(
        &format!("{}.csv", EVIL.replace('/', "_")),
        format!(
            "email,id\n\"{EVIL}@contoso.com\",\"{EVIL}\"\no'neil&co@contoso.com,\"\"\"><img src=x>\"\nb@contoso.com,2\n"
        ),
    );
    let site = Site::with_token(world);
    until("it has been read", || site.world.count("pending") > 0);
    let cookie = site.log_in();
    let one = "/subscriptions/contoso";
    let asked = "%3Cscript%3Ealert(1)%3C/script%3E";
    let pages = ["", "/members", "/queue", "/held", "/runs", "/history", "/explain"].map(|page| format!("{one}{page}"));
    let searched = [
        format!("/?search={asked}&only={asked}&sort={asked}"),
        format!("/sources?search={asked}"),
        format!("/explain?address={asked}%40contoso.com"),
        format!("{one}/explain?address=%22%3E%3Cimg%20src=x%3E"),
        format!("{one}/members?search={asked}&state={asked}&after={asked}"),
        format!("/login?next=/{asked}"),
        "/sources".to_owned(),
        "/history".to_owned(),
    ];
    for path in pages.iter().chain(&searched) {
        for cookie in [cookie.as_str(), "none=1"] {
            let answer = site.send(site.request(Method::GET, path).header(COOKIE, cookie));
            assert!(matches!(answer.status, 200 | 303), "{path}: {answer:?}");
            assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img"), "{path}: {}", answer.body);
        }
    }
    let sources = site.get("/sources").body;
    assert!(sources.contains("&lt;img src=x&gt;"), "it is shown as it is: {sources}");
    let people = site.get(&format!("{one}/members")).body;
    assert!(people.contains("o'neil&amp;co"), "{people}");
}
