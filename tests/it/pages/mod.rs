//! The pages in a real browser: what a person sees and does, in both schemes, at several sizes, with one subscription and
//! with two thousand. What was seen is kept as pictures under `target/tmp/pages/`.

mod browser;
pub(crate) mod fixture;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rosterd::brake::Brake;
use rosterd::clock;
use rosterd::ledger::Ledger;
use thirtyfour::prelude::Key;

use self::browser::Browser;
use self::fixture::Fleet;
use crate::world::{Daemon, World, people, until};

const TOKEN: &str = "correct-horse-battery-staple";
const HTTP: &str = "listen = \"127.0.0.1:0\"\ntoken = { file = \"web.token\" }";
/// A schedule that does not come in a test's life.
const NEVER: &str = "schedule = \"0 0 1 1 *\"\n";

/// A daemon that serves pages.
struct Site {
    world: World,
    _daemon: Daemon,
    url: String,
}

impl Site {
    /// With what `[http]` says; the rest of the world is ready.
    fn new(world: World, http: &str) -> Site {
        let path = world.path("rosterd.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("listen = \"off\"", http)).unwrap();
        put_token(world.path("web.token").as_path());
        let daemon = world.daemon("daemon.log");
        let mut url = None;
        until("the pages are served", || {
            url = served(&fs::read_to_string(world.path("daemon.log")).unwrap());
            url.is_some()
        });
        Site { world, _daemon: daemon, url: url.unwrap() }
    }

    /// The daemon leaves what is written there as it is.
    fn with_fleet(fleet: Fleet, http: &str) -> Site {
        let world = World::new(1);
        fixture::write(world.dir.path(), fleet, "listen = \"off\"", &world.base_url, "");
        Site::new(world, http)
    }

    fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn put_token(path: &Path) {
    fs::write(path, TOKEN).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Without the slash at its end.
fn served(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("the dashboard is at ")?;
    Some(rest.split_whitespace().next()?.trim_end_matches('/').to_owned())
}

fn fleet(subscriptions: usize) -> Fleet {
    Fleet { subscriptions, members: 60, now: clock::now() }
}

#[test]
fn a_person_logs_in_looks_at_held_removals_and_approves_them() {
    let world = World::new(30);
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_roster("b.csv", &people(0..8));
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned().len(), 20);
    let site = Site::new(world, HTTP);
    let browser = Browser::new();
    browser.open(&site.url);
    browser.sees("h1", "1 thing needs a person");
    browser.picture("held-1-fleet");
    browser.click("Look and decide");
    browser.sees("#held-title", "12 removals are held");
    assert!(browser.texts("button").iter().all(|text| !text.contains("Approve")), "nobody has logged in");
    browser.click("Sign in to decide");
    browser.enter("#token", "wrong");
    browser.sees("[role=alert]", "not the token");
    assert!(browser.complaints().iter().all(|line| line.contains("401 (Unauthorized)")), "it is told of the refusal");
    browser.enter("#token", TOKEN);
    browser.until("it is back at what is held", |browser| browser.url().ends_with("/subscriptions/contoso/held"));
    browser.until("it is beside what would be", |browser| browser.texts(".sides strong") == ["20", "8"]);
    assert_eq!(browser.texts("table.held tbody tr").len(), 12);
    browser.picture("held-2-sides");
    browser.click("Approve: take 12 licences back");
    assert!(browser.url().ends_with("/held"), "who has not said that they looked approves nothing");
    assert_eq!(site.world.assigned().len(), 20);
    browser.tick("input[name=sure]");
    browser.click("Approve: take 12 licences back");
    until("they are gone", || site.world.assigned() == people(0..8));
    browser.open(&site.page("/subscriptions/contoso/held"));
    browser.sees("#rows", "No removals are held.");
    browser.open(&site.page("/subscriptions/contoso/history?show=events"));
    assert!(browser.text("table.history").contains("approved"), "{}", browser.text("table.history"));
    browser.picture("held-3-history");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_person_lets_removals_go_on_and_is_told_on_that_page_alone() {
    let site = Site::with_fleet(fleet(3), HTTP);
    let reason = "Within an hour removals were held in 3 of 3 subscriptions.".to_owned();
    let brake = Brake { since: clock::now(), reason };
    Ledger::open(&site.world.path("rosterd.db"), clock::now()).unwrap().put_on_brake(&brake).unwrap();
    let browser = Browser::new();
    browser.open(&site.url);
    browser.sees("#needs", "Removals are stopped");
    assert!(browser.texts("button").iter().all(|text| !text.contains("go on")), "nobody has logged in");
    browser.open(&site.page("/login"));
    browser.enter("#token", TOKEN);
    browser.sees("#needs", "Let removals go on");
    for (width, scheme) in [(360, "light"), (768, "dark"), (1440, "dark"), (1440, "light")] {
        browser.look(width, 1100, scheme);
        assert_fits(&browser, &format!("the brake at {width}"));
        browser.picture(&format!("brake-{width}-{scheme}"));
        assert_eq!(browser.barriers(), Vec::<String>::new(), "at {width} in {scheme}");
    }
    browser.click("Let removals go on");
    browser.sees("#needs", "Removals are stopped");
    browser.tick("#needs input[name=sure]");
    browser.click("Let removals go on");
    browser.sees("[role=status].said-to", "Removals go on");
    browser.picture("brake-off");
    browser.open(&site.url);
    browser.until("it is off, and that is said no more", |browser| !browser.text("main").contains("Removals go on"));
    assert!(!browser.text("main").contains("Removals are stopped"));
    browser.open(&site.page("/history?show=events"));
    assert!(browser.text("table.history").contains("by 127.0.0.1 on the dashboard"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_person_rejects_and_everybody_stays() {
    let world = World::new(30);
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_roster("b.csv", &people(0..8));
    world.run_to(3, &["sync"]);
    let site = Site::new(world, HTTP);
    let browser = Browser::new();
    browser.open(&site.page("/login?next=%2Fsubscriptions%2Fcontoso%2Fheld"));
    browser.enter("#token", TOKEN);
    browser.until("it is at what is held", |browser| browser.url().ends_with("/held"));
    browser.click("Reject: keep 12 licences");
    browser.until("it is said", |browser| browser.text(".said-to").contains("12 licences are kept"));
    browser.open(&site.page("/subscriptions/contoso/held"));
    browser.until("nothing is held any more", |browser| browser.text("#rows").contains("No removals are held."));
    assert_eq!(site.world.assigned().len(), 20);
}

#[test]
fn members_are_searched_and_hostile_names_are_text() {
    let long = format!("{}@{}.example", "a-very-long-name".repeat(4), "long-label-".repeat(5).trim_end_matches('-'));
    let world = World::new(100);
    let mut roster = people(0..60);
    roster.extend(["<script>document.title='x'</script>@contoso.com".to_owned(), "o'neil&co@contoso.com".to_owned()]);
    roster.extend([long.clone(), "שלום@contoso.com".to_owned()]);
    world.drop_roster("a.csv", &roster);
    world.run(&["sync"]);
    let site = Site::new(world, HTTP);
    let browser = Browser::new();
    let address = "table.members tbody th";
    browser.open(&site.page("/subscriptions/contoso/members"));
    assert_eq!(browser.texts(address).len(), 50);
    browser.click("Next");
    browser.until("the second page is there", |browser| browser.url().contains("after="));
    browser.until("it is shorter", |browser| (1..50).contains(&browser.texts(address).len()));
    browser.click("Previous");
    browser.until("the first page is there again", |browser| browser.texts(address).len() == 50);
    browser.enter("#search", "P0001");
    browser.until("there are ten", |browser| browser.texts(address).len() == 10);
    browser.enter("#search", "neil&co");
    browser.until("he is found", |browser| browser.texts(address) == ["o'neil&co@contoso.com"]);
    browser.enter("#search", "nobody@contoso.com");
    browser.until("nobody is", |browser| browser.text("#rows").contains("Nobody fits."));
    browser.click("Why has this address no licence?");
    browser.until("it is explained", |browser| browser.text("#rows").contains("No roster names nobody@contoso.com"));
    browser.look(360, 740, "light");
    for page in ["members?search=long", "members?search=ש", "history", ""] {
        browser.open(&site.page(format!("/subscriptions/contoso/{page}").trim_end_matches('/')));
        assert_fits(&browser, page);
    }
    assert!(browser.script("return document.title").as_str().unwrap().contains("contoso"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_open_page_shows_what_changes_and_keeps_what_a_person_writes() {
    let world = World::new(2);
    world.configure("", NEVER, "");
    world.drop_roster("a.csv", &people(0..1));
    let site = Site::new(world, HTTP);
    let browser = Browser::new();
    browser.open(&site.url);
    browser.until("somebody has a licence", |browser| browser.text(".facts").contains("1 of 2 seats used"));
    browser.script("window.neverLoadedAnew = true; document.getElementById('search').value = 'cont'");
    site.world.drop_roster("b.csv", &people(0..4));
    // On the way there, more of them wait.
    let wait = "2 people wait for a licence, 0 of 2 seats are free: buy 2.";
    browser.until("two wait", |browser| browser.text("#needs").contains(wait));
    browser.sees("h1", "1 thing needs a person");
    assert_eq!(
        browser.script("return [window.neverLoadedAnew, document.getElementById('search').value]"),
        serde_json::json!([true, "cont"])
    );
    assert!(browser.text("#live").contains("Live"), "{}", browser.text("#live"));
    assert_eq!(browser.script("return typeof attend"), "function");
    browser.picture("live");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn without_scripts_everything_is_there_but_liveness() {
    let site = Site::with_fleet(fleet(300), HTTP);
    let browser = Browser::new();
    browser.without_scripts();
    browser.open(&site.url);
    assert_eq!(browser.texts("table.fleet tbody tr").len(), 50);
    browser.enter("#search", "contoso");
    browser.until("they are found", |browser| browser.texts("table.fleet tbody tr").len() == 15);
    browser.click("contoso-berlin");
    browser.until("it is shown", |browser| browser.text("h1") == "contoso-berlin");
    browser.click("Members");
    browser.until("its members are, too", |browser| browser.texts("table.members tbody tr").len() == 50);
    assert_eq!(browser.text("#live"), "");
    assert_eq!(browser.script("return typeof attend"), "undefined", "no script of the page was run");
}

#[test]
fn a_keyboard_leads_everywhere() {
    let site = Site::with_fleet(fleet(1), "listen = \"127.0.0.1:0\"");
    let browser = Browser::new();
    browser.open(&site.url);
    browser.press(Key::Tab);
    assert_eq!(browser.script("return document.activeElement.textContent"), "Skip to the content");
    browser.picture("skip-link");
    browser.press(Key::Enter);
    assert_eq!(browser.script("return document.activeElement.id"), "main");
    browser.press(Key::Tab);
    let script = "const it = document.activeElement; return [it.tagName, getComputedStyle(it).outlineStyle !== 'none']";
    assert_eq!(browser.script(script), serde_json::json!(["A", true]), "the focus is seen, past the head of the page");
}

/// Nothing that a person has to see lies beside the page.
#[track_caller]
fn assert_fits(browser: &Browser, what: &str) {
    let script = "
        const width = document.documentElement.clientWidth;
        const wide = Array.from(document.querySelectorAll('main *, header *'))
          .filter(it => it.getBoundingClientRect().right > width + 1 && !it.closest('.hidden, thead, svg.wide'))
          .slice(0, 5).map(it => it.outerHTML.slice(0, 120));
        return document.documentElement.scrollWidth > width ? wide.concat('scrolls') : [];";
    assert_eq!(browser.script(script), serde_json::json!([]), "{what} is wider than the window");
}

const PAGES: [&str; 13] = [
    "/",
    "/?only=held",
    "/?search=nobody",
    "/sources",
    "/history",
    "/explain",
    "/login",
    "/subscriptions/NAME",
    "/subscriptions/NAME/members",
    "/subscriptions/NAME/queue",
    "/subscriptions/NAME/held",
    "/subscriptions/NAME/runs",
    "/subscriptions/NAME/explain?address=anna.meier@NAME.example",
];

#[test]
fn nobody_is_shut_out_at_any_size_in_any_scheme() {
    let browser = Browser::new();
    for subscriptions in [1, 2000] {
        let site = Site::with_fleet(fleet(subscriptions), HTTP);
        let name = fixture::name(5);
        let name = if subscriptions == 1 { fixture::name(0) } else { name };
        for page in PAGES {
            browser.open(&site.page(&page.replace("NAME", &name)));
            for (width, scheme) in
                [(360, "light"), (360, "dark"), (768, "light"), (1280, "dark"), (1280, "light"), (1920, "dark")]
            {
                browser.look(width, if width < 500 { 2200 } else { 1300 }, scheme);
                assert_fits(&browser, &format!("{page} at {width}"));
                let short =
                    page.trim_matches('/').split(['/', '?']).filter(|part| !matches!(*part, "subscriptions" | "NAME"));
                let short: Vec<&str> = short.collect();
                let short =
                    if page == "/" { "fleet".to_owned() } else { short.join("-").replace(['=', '@', '.'], "-") };
                let short = if short.is_empty() { "subscription".to_owned() } else { short };
                browser.picture(&format!("{subscriptions:04}-{short}-{width}-{scheme}"));
                if width != 768 && width != 1920 {
                    assert_eq!(browser.barriers(), Vec::<String>::new(), "{page} at {width} in {scheme}");
                }
            }
            assert_eq!(browser.complaints(), Vec::<String>::new(), "{page}");
        }
        // Else it would complain of the daemon's end.
        browser.open("about:blank");
    }
}

#[test]
fn a_newcomer_is_told_what_to_do_next() {
    let world = World::new(1);
    let path = world.path("rosterd.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("\n[subscriptions").unwrap();
    fs::write(&path, before).unwrap();
    let site = Site::new(world, "listen = \"127.0.0.1:0\"");
    let browser = Browser::new();
    browser.open(&site.url);
    assert_eq!(browser.text("h1"), "Welcome");
    assert!(browser.text("main").contains("[subscriptions.NAME]"), "{}", browser.text("main"));
    assert!(browser.text("footer").contains("to decide here"), "what it takes to be able to act");
    browser.picture("newcomer");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.open(&site.page("/sources"));
    assert!(browser.text("main").contains("[sources.NAME]"));
}
