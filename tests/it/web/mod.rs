//! What is served over HTTP, on the built binary and with a real client: who may read, who may act, and who may not.

mod hostile;
mod limits;
mod metrics;
mod service;
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::world::{Daemon, World, people, until};

/// The token that [`Site::with_token`] configures.
const TOKEN: &str = "correct-horse-battery-staple";

/// A daemon that serves, and a client.
struct Site {
    world: World,
    daemon: Daemon,
    url: String,
    runtime: Runtime,
    client: Client,
}

impl Site {
    /// Without a token.
    fn new(world: World) -> Site {
        Site::listening(world, "listen = \"127.0.0.1:0\"\n")
    }

    fn with_token(world: World) -> Site {
        put_token(&world);
        Site::listening(world, "listen = \"127.0.0.1:0\"\ntoken = { file = \"web.token\" }\n")
    }

    /// With this in `[http]`.
    fn listening(world: World, http: &str) -> Site {
        configure_http(&world, http);
        let daemon = world.daemon("daemon.log");
        let url = url(&world);
        // Each request on a connection of its own: one that was refused half-read is hung up on.
        let client = Client::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Site { world, daemon, url, runtime: Runtime::new().unwrap(), client }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    fn send(&self, request: RequestBuilder) -> Answer {
        self.runtime.block_on(async { Answer::of(request.send().await.unwrap()).await })
    }

    fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path))
    }

    /// A program with the token.
    fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header(AUTHORIZATION, format!("Bearer {TOKEN}"));
        self.send(request.body(body.to_string()))
    }

    /// Logs in: the cookie.
    fn log_in(&self) -> String {
        let answer = self.send(self.request(Method::POST, "/login").form(&[("token", TOKEN), ("next", "/")]));
        assert_eq!((answer.status, answer.header(LOCATION.as_str())), (303, Some("/")), "{answer:?}");
        let cookie = answer.header(SET_COOKIE.as_str()).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// What the forms of a page have to carry.
    fn csrf(&self, cookie: &str, page: &str) -> String {
        let page = self.send(self.request(Method::GET, page).header(COOKIE, cookie));
        let field = page.body.split("name=\"csrf\"").nth(1).unwrap_or_else(|| panic!("no form in {}", page.body));
        field.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/status").body).unwrap()
    }

    fn history(&self) -> String {
        self.world.run_to(0, &["history", "contoso", "--json"]).stdout
    }
}

/// What a page's form sends.
trait Filled {
    fn form<V: AsRef<str>>(self, fields: &[(&str, V)]) -> Self;
}

impl Filled for RequestBuilder {
    fn form<V: AsRef<str>>(self, fields: &[(&str, V)]) -> RequestBuilder {
        let fields = Url::parse_with_params("http://form/", fields).unwrap();
        let body = fields.query().unwrap_or_default().to_owned();
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }
}

/// An answer, read whole.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Puts this into `[http]` in the place of what is there.
fn configure_http(world: &World, http: &str) {
    let path = world.path("rosterd.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("listen = \"off\"\n", http)).unwrap();
}

fn put_token(world: &World) {
    fs::write(world.path("web.token"), format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(world.path("web.token"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn log(world: &World) -> String {
    fs::read_to_string(world.path("daemon.log")).unwrap()
}

/// Where it says that it serves, once it does and every source is watched; without the slash at the end.
fn url(world: &World) -> String {
    until("it is ready", || log(world).contains("ready:") && log(world).contains("the dashboard is at "));
    let log = log(world);
    let url = log.split("the dashboard is at ").nth(1).unwrap().split_whitespace().next().unwrap();
    url.trim_end_matches('/').to_owned()
}

/// A world in which forty of fifty people have left, and wait for somebody's approval.
fn held() -> World {
    let world = World::new(100);
    world.drop_roster("1.csv", &people(0..50));
    world.run_to(0, &["sync"]);
    world.drop_roster("2.csv", &people(0..10));
    world.run_to(3, &["sync"]);
    world
}

/// The digest of what is held, as the API tells it.
fn digest(site: &Site) -> String {
    let mut digest = None;
    until("the removals are held", || {
        digest = site.status()["subscriptions"][0]["hold"]["digest"].as_str().map(str::to_owned);
        digest.is_some()
    });
    digest.unwrap()
}

#[test]
fn whoever_is_on_this_machine_may_read_and_without_a_token_nobody_acts() {
    let world = World::new(10);
    world.drop_roster("1.csv", &people(0..3));
    let site = Site::new(world);
    until("the page shows three licences", || site.status()["subscriptions"][0]["members"]["assigned"] == 3);
    assert!(site.get("/").body.contains("contoso"));
    assert_eq!(site.get("/subscriptions/contoso").status, 200);
    assert_eq!(site.get("/subscriptions/nobody").status, 404);
    assert_eq!(site.get("/nowhere").status, 404);
    let told: Value = serde_json::from_str(&site.world.run(&["status", "--json"]).stdout).unwrap();
    let mut served = site.status();
    served["subscriptions"][0]["next_run"] = told["subscriptions"][0]["next_run"].clone();
    assert_eq!(served, told, "the API says what the command says");
    for verb in ["sync", "approve", "reject", "retry"] {
        let answer = site.post(&format!("/api/v1/subscriptions/contoso/{verb}"), &json!({ "digest": "x" }));
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains("set token ="), "{answer:?}");
    }
    let form = site.request(Method::POST, "/subscriptions/contoso/sync").form(&[("csrf", "")]);
    assert_eq!(site.send(form).status, 403);
    assert_eq!(site.get("/login").status, 403, "there is nothing to log in with");
}

#[test]
fn every_answer_tells_browsers_to_trust_nothing_else() {
    let site = Site::new(World::new(10));
    for path in ["/", "/nowhere", "/api/v1/status", "/api/v1/nothing", "/healthz", "/metrics", "/login"] {
        let answer = site.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    assert_eq!(site.get("/api/v1/nothing").json()["error"], "There is no such page.");
    let page = site.get("/nowhere");
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{page:?}");
}

#[test]
fn a_person_logs_in_approves_what_was_shown_and_the_history_says_who() {
    let site = Site::with_token(held());
    let digest = digest(&site);
    let cookie = site.log_in();
    let csrf = site.csrf(&cookie, "/subscriptions/contoso");
    let form = |verb: &str, digest: &str| {
        let fields = [("csrf", csrf.as_str()), ("digest", digest)];
        site.send(
            site.request(Method::POST, &format!("/subscriptions/contoso/{verb}")).header(COOKIE, &cookie).form(&fields),
        )
    };
    let other = form("approve", "0000000000000000");
    assert_eq!(other.status, 409, "{other:?}");
    assert!(other.body.contains("holds other removals by now"), "{other:?}");
    assert_eq!(site.world.assigned().len(), 50, "nothing was done");

    let approved = form("approve", &digest);
    let told = approved.header("location").unwrap().to_owned();
    assert_eq!((approved.status, told.as_str()), (303, "/subscriptions/contoso?told=1"), "{approved:?}");
    let page = |path: &str| site.send(site.request(Method::GET, path).header(COOKIE, &cookie)).body;
    let words = "40 removals are approved";
    assert!(!page("/subscriptions/contoso").contains(words), "another tab is told nothing");
    assert!(page(&told).contains(words) && !page(&told).contains(words), "it is said once");
    until("the forty licences are taken back", || site.world.assigned() == people(0..10));
    assert!(site.history().contains("by 127.0.0.1 on the dashboard"), "{}", site.history());

    let out = site.request(Method::POST, "/logout").header(COOKIE, &cookie).form(&[("csrf", &csrf)]);
    assert_eq!(site.send(out).status, 303);
    let after = form("approve", &digest);
    assert!(after.header("location").unwrap().starts_with("/login"), "{after:?}");
}

#[test]
fn a_program_with_the_token_does_what_the_commands_do() {
    let site = Site::with_token(held());
    let digest = digest(&site);
    let path = |verb: &str| format!("/api/v1/subscriptions/contoso/{verb}");
    assert_eq!(site.post(&path("approve"), &json!({})).status, 400, "what is approved is named");
    assert_eq!(site.post(&path("approve"), &json!({ "digest": "0000000000000000" })).status, 409);
    assert_eq!(site.post(&path("approve"), &json!({ "digets": digest })).status, 400);
    assert_eq!(site.post("/api/v1/subscriptions/nobody/sync", &json!({})).status, 404);
    assert_eq!(site.post(&path("forget"), &json!({})).status, 404);

    let rejected = site.post(&path("reject"), &json!({ "digest": digest }));
    assert_eq!((rejected.status, rejected.json()["kept"].as_u64()), (200, Some(40)), "{rejected:?}");
    until("nothing is held any more", || site.status()["subscriptions"][0]["hold"].is_null());
    assert_eq!(site.world.assigned().len(), 50);
    assert_eq!(site.post(&path("reject"), &json!({ "digest": digest })).status, 409, "it is held no more");

    let retried = site.post(&path("retry"), &json!({}));
    assert_eq!((retried.status, retried.json()["retried"].as_u64()), (200, Some(0)), "{retried:?}");
    let asked = site.post(&path("sync"), &json!({}));
    assert_eq!(asked.status, 200, "{asked:?}");
    let history = site.history();
    let by = |event: &str| {
        let mut lines = history.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\"")));
        lines.any(|line| line.contains("by 127.0.0.1 through the API"))
    };
    assert!(by("rejected") && by("asked"), "{history}");
}

#[test]
fn a_sync_by_the_api_reads_the_sources_and_asks_for_seats() {
    let world = World::with(2, rosterd::sandbox::Options::default(), "seat_probe = \"1d\"\nschedule = \"0 0 1 1 *\"\n");
    world.drop_roster("1.csv", &people(0..3));
    let site = Site::with_token(world);
    until("one waits", || site.world.count("pending") == 1);
    site.world.sandbox.set_seats(crate::world::ID, 10);
    assert_eq!(site.post("/api/v1/subscriptions/contoso/sync", &json!({})).status, 200);
    until("everybody has a seat, before the probe is due", || site.world.assigned() == people(0..3));
}

#[test]
fn a_page_that_is_open_hears_of_what_happens_and_does_not_keep_the_daemon_from_ending() {
    let mut site = Site::new(World::new(10));
    let mut stream = site.runtime.block_on(site.request(Method::GET, "/events").send()).unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    site.world.drop_roster("1.csv", &people(0..3));
    let heard = site.runtime.block_on(async {
        let mut heard = String::new();
        while !heard.contains("event: changed") {
            heard.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().expect("the stream goes on")).unwrap());
        }
        heard
    });
    assert!(heard.contains("data: "), "{heard}");
    site.daemon.signal("TERM");
    assert_eq!(site.daemon.wait(), Some(0));
    let end = site.runtime.block_on(async {
        while stream.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    });
    assert!(end.is_ok(), "the stream ends as an answer does: {end:?}");
    assert!(!log(&site.world).contains("broken off"), "{}", log(&site.world));
}

#[test]
fn elsewhere_than_on_this_machine_the_token_is_needed_to_read_too() {
    let world = World::new(10);
    put_token(&world);
    let site = Site::listening(world, "listen = \"0.0.0.0:0\"\ntoken = { file = \"web.token\" }\n");
    let site = Site { url: site.url.replace("0.0.0.0", "127.0.0.1"), ..site };
    assert!(log(&site.world).contains("warning: [http] listens for others without TLS"), "{}", log(&site.world));
    let page = site.get("/subscriptions/contoso?state=pending");
    let login = "/login?next=/subscriptions/contoso%3Fstate%3Dpending";
    assert_eq!((page.status, page.header("location")), (303, Some(login)), "{page:?}");
    for path in ["/api/v1/status", "/api/v1/history", "/metrics", "/events"] {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path}: {answer:?}");
        assert!(!answer.body.contains("contoso"), "{path}: {answer:?}");
        let with = site.request(Method::GET, path).header(AUTHORIZATION, format!("Bearer {TOKEN}"));
        if path != "/events" {
            assert_eq!(site.send(with).status, 200, "{path}");
        }
    }
    for path in ["/healthz", "/readyz", "/login"] {
        assert_eq!(site.get(path).status, 200, "{path}");
    }
    let cookie = site.log_in();
    assert_eq!(site.send(site.request(Method::GET, "/").header(COOKIE, cookie)).status, 200);
}

#[test]
fn a_token_that_is_changed_counts_at_once_and_ends_what_was_begun_with_the_old_one() {
    let site = Site::with_token(World::new(10));
    let cookie = site.log_in();
    let page = || site.send(site.request(Method::GET, "/subscriptions/contoso").header(COOKIE, &cookie)).body;
    assert!(page().contains("name=\"csrf\""), "{}", page());
    fs::write(site.world.path("web.token"), "another-one-altogether").unwrap();
    assert!(!page().contains("name=\"csrf\""), "the session has ended");
    assert_eq!(site.post("/api/v1/subscriptions/contoso/sync", &json!({})).status, 401);
    let new = site.request(Method::POST, "/api/v1/subscriptions/contoso/sync");
    assert_eq!(site.send(new.header(AUTHORIZATION, "Bearer another-one-altogether")).status, 200);
}

#[test]
fn members_and_history_come_a_page_at_a_time() {
    let world = World::new(3);
    world.drop_roster("1.csv", &people(0..5));
    let site = Site::new(world);
    until("two wait", || site.world.count("pending") == 2);
    let page = |query: &str| site.get(&format!("/api/v1/subscriptions/contoso/members{query}")).json();
    let emails = |page: &Value| -> Vec<String> {
        page["members"].as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
    };
    let first = page("?limit=2");
    assert_eq!(emails(&first), people(0..2));
    let rest = page(&format!("?limit=10&after={}", first["next"].as_str().unwrap()));
    assert_eq!((emails(&rest), &rest["next"]), (people(2..5), &Value::Null));
    assert_eq!(emails(&page("?search=P00003")), people(3..4));
    assert_eq!(emails(&page("?state=pending")).len(), 2);
    let lines = site.world.run_to(0, &["members", "contoso", "--json"]).stdout;
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(page("")["members"], Value::Array(told), "the API says what the command says");
    assert_eq!(site.get("/api/v1/subscriptions/contoso/members?state=asleep").status, 400);
    assert_eq!(site.get("/api/v1/subscriptions/contoso/members?limit=many").status, 400);
    assert_eq!(site.get("/api/v1/subscriptions/nobody/members").status, 404);

    let all = site.world.run_to(0, &["history", "--json"]).stdout;
    let told: Vec<Value> = all.lines().rev().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut read, mut next) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("/api/v1/history?limit=3{next}")).json();
        read.extend(page["history"].as_array().unwrap().clone());
        let Some(more) = page["next"].as_str() else { break };
        next = format!("&before={more}");
    }
    assert_eq!(read, told, "the newest first");
    assert!(site.get("/api/v1/history?subscription=contoso").json()["history"].as_array().unwrap().len() < told.len());
    assert_eq!(site.get("/api/v1/history?since=yesterday").status, 400);
}

#[test]
fn among_many_subscriptions_those_answer_that_have_heard_of_an_address() {
    use std::fmt::Write as _;
    let world = World::with_source(10, "columns = { subscription = \"client\" }\n");
    let mut text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    for other in 0..25 {
        let id = uuid::Uuid::from_u128(other + 1);
        let table = "api_key = { file = \"contoso.key\" }\nsources = [\"hr\"]\nexclude = [\"svc-*\"]\n";
        write!(text, "[subscriptions.other{other}]\ntype = \"Manual\"\nid = \"{id}\"\n{table}").unwrap();
    }
    fs::write(world.path("rosterd.toml"), text).unwrap();
    world.drop_file("1.csv", "email,client\nann@contoso.com,contoso\nsvc-all@contoso.com,\nsvc-b@contoso.com,other3\n");
    let site = Site::new(world);
    until("it has been read", || site.world.assigned().contains(&"ann@contoso.com".to_owned()));
    let answers = |address: &str| {
        let page = site.get(&format!("/explain?address={address}")).body;
        let names = ["contoso", "other3", "other4"].map(str::to_owned);
        names.into_iter().filter(|name| page.contains(&format!("href=\"/subscriptions/{name}\""))).collect::<Vec<_>>()
    };
    assert_eq!(answers("ann@contoso.com"), ["contoso"]);
    assert_eq!(answers("svc-b@contoso.com"), ["other3"], "a roster names it for this one, which gives it no seat");
    assert_eq!(answers("svc-all@contoso.com"), ["contoso", "other3", "other4"]);
    assert_eq!(answers("nobody@contoso.com"), Vec::<String>::new());
}
