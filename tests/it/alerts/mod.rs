//! Alerts arrive: by mail, in chats, as webhooks and by a command, also when the receiver was away and the daemon died.

mod smtp;
mod web;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use smtp::{Mood, PASSWORD, Smtp, USER};
use web::{WELL, Web};

use crate::directory::install;
use crate::directory::pki::Pki;
use crate::world::{Ran, World, contains, people, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A world with these receivers.
fn world(seats: u64, alerts: &str) -> World {
    let world = World::new(seats);
    add(&world, alerts);
    world
}

fn add(world: &World, alerts: &str) {
    let path = world.path("rosterd.toml");
    let text = format!("{}\n{alerts}", fs::read_to_string(&path).unwrap());
    fs::write(path, text).unwrap();
}

fn secret(world: &World, name: &str, text: &str) {
    fs::write(world.path(name), text).unwrap();
    fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

fn pki(folder: &Path) -> Pki {
    install::programs();
    let pki = Pki::new(&folder.join("pki"));
    pki.server("mail", Ipv4Addr::LOCALHOST);
    pki
}

/// A world whose alerts go to this mail server by this URL scheme.
fn world_with_mail(smtp: &Smtp, scheme: &str, password: &str, ca: bool, world: World) -> World {
    secret(&world, "mail.password", password);
    let ca = if ca { "ca_file = \"pki/ca.pem\"\n" } else { "" };
    let port = smtp.port;
    add(
        &world,
        &format!(
            "[[alerts]]\nkind = \"smtp\"\nto = [\"it@contoso.com\"]\nfrom = \"rosterd@contoso.com\"\nserver = \"{scheme}://localhost:{port}\"\n\
             username = \"{USER}\"\npassword = {{ file = \"mail.password\" }}\n{ca}"
        ),
    );
    world
}

fn webhook(world: &World, web: &Web) {
    secret(world, "hook.secret", SECRET);
    let port = web.port;
    add(
        world,
        &format!(
            "[[alerts]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/hunter2\"\nsecret = {{ file = \"hook.secret\" }}\n"
        ),
    );
}

fn send_test(world: &World, status: i32) -> Ran {
    world.run_to(status, &["check", "--send-test-alert"])
}

#[test]
fn a_mail_goes_over_start_tls_or_tls_signed_in_and_certified_by_the_own_authority() {
    for (scheme, implicit, mood) in
        [("smtp", false, Mood::Well), ("smtps", true, Mood::Well), ("smtp", false, Mood::LoginOnly)]
    {
        let world = World::new(3);
        let smtp = Smtp::start(&pki(world.dir.path()), implicit, mood);
        let world = world_with_mail(&smtp, scheme, PASSWORD, true, world);
        let ran = world.run_to(0, &["check"]);
        assert!(ran.stdout.contains("would write to it@contoso.com by localhost with"), "{}", ran.stdout);
        assert!(smtp.mails().is_empty(), "a check sends nothing");
        let ran = send_test(&world, 0);
        assert!(ran.stdout.contains("the test alert was taken: localhost answers 250"), "{}", ran.stdout);
        let mails = smtp.mails();
        assert_eq!(mails.len(), 1);
        assert!(mails[0].tls && mails[0].user.as_deref() == Some(USER) && mails[0].to == ["it@contoso.com"]);
        for line in [
            "Subject: A test of rosterd's alerts: nothing is wrong",
            "Auto-Submitted: auto-generated",
            "What you have to do: Nothing.",
        ] {
            assert!(mails[0].text.contains(line), "{line}:\n{}", mails[0].text);
        }
    }
}

#[test]
fn nothing_is_sent_to_a_mail_server_that_is_not_what_it_should_be() {
    for (scheme, mood, password, ca, says) in [
        ("smtp", Mood::Plain, PASSWORD, true, "does not offer StartTLS"),
        ("smtps", Mood::Well, PASSWORD, false, "ertificate"),
        ("smtp", Mood::Well, "hunter2", true, "535"),
        ("smtp", Mood::NoSuchPerson, PASSWORD, true, "no such person"),
        ("smtp", Mood::Drops, PASSWORD, true, "localhost"),
    ] {
        let world = World::new(3);
        let smtp = Smtp::start(&pki(world.dir.path()), scheme == "smtps", mood);
        let world = world_with_mail(&smtp, scheme, password, ca, world);
        let ran = send_test(&world, 1);
        assert!(ran.stdout.contains(says), "{mood:?}: {}", ran.stdout);
        assert!(smtp.mails().is_empty());
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(password), "{}", ran.stdout);
        let commands = smtp.commands().join("\n");
        assert!(mood != Mood::Plain || !commands.contains("MAIL") && !commands.contains("AUTH"), "{commands}");
    }
}

#[test]
fn a_run_from_cron_tells_of_a_full_subscription_once_and_that_it_is_over() {
    let world = World::new(2);
    let smtp = Smtp::start(&pki(world.dir.path()), false, Mood::Well);
    let world = world_with_mail(&smtp, "smtp", PASSWORD, true, world);
    let web = Web::start(WELL);
    webhook(&world, &web);
    world.drop_roster("a.csv", &people(0..5));
    world.run_to(3, &["sync"]);
    let subject = "contoso: 3 people wait for a licence, 0 of 2 seats are free: buy 3";
    let [request] = &web.requests()[..] else { panic!("{:?}", web.requests()) };
    assert!(request.is_signed_with(SECRET), "{request:?}");
    let json = request.json();
    assert_eq!(json["type"], "alert.seats-exhausted");
    let data = &json["data"];
    assert_eq!(
        (&data["phase"], &data["subscription"], &data["subject"]),
        (&"new".into(), &"contoso".into(), &subject.into())
    );
    assert_eq!(data["people"], serde_json::json!(["p***@contoso.com", "p***@contoso.com", "p***@contoso.com"]));
    assert_eq!(data["id"], request.headers["webhook-id"]);
    let [mail] = &smtp.mails()[..] else { panic!("{:?}", smtp.mails()) };
    assert!(!mail.text.contains("p00003"), "addresses are masked:\n{}", mail.text);
    world.run_to(3, &["sync"]);
    assert_eq!((web.requests().len(), smtp.mails().len()), (1, 1), "the same is not told again");
    world.sandbox.set_seats(crate::world::ID, 5);
    world.run_to(0, &["sync"]);
    let over = web.requests()[1].json();
    assert_eq!(over["data"]["subject"], "Over: contoso: nobody has to wait for a licence any more");
    assert_eq!(over["data"]["cause"], data["cause"]);
    let history = world.run_to(0, &["history"]).stdout;
    assert!(
        history.contains("alert-sent") && history.contains("mail to it@contoso.com: contoso: 3 people wait"),
        "{history}"
    );
}

#[test]
fn an_alert_the_log_and_status_say_the_same_number_of_seats_to_buy() {
    let world = world(2, "[defaults]\nremoval_grace = \"2d\"\n");
    let web = Web::start(WELL);
    webhook(&world, &web);
    world.drop_roster("a.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    world.drop_roster("b.csv", &people(1..5));
    let log = world.run_to(3, &["sync"]).stderr;
    let [request] = &web.requests()[..] else { panic!("{:?}", web.requests()) };
    let subject = request.json()["data"]["subject"].as_str().unwrap().to_owned();
    assert!(
        subject
            .starts_with("contoso: 3 people wait for a licence, 0 of 2 seats are free, 1 leaver's seat comes free on "),
        "{subject}"
    );
    assert!(subject.ends_with(": buy 2"), "{subject}");
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains(&format!("{subject}.")) && log.contains(&subject), "{subject}\n{status}\n{log}");
}

#[test]
fn a_receiver_that_is_away_changes_nothing_for_a_run_and_status_says_so() {
    let world = world(2, "");
    let web = Web::start(web::Mood::Answers("503 Away\r\nretry-after: 3600\r\n"));
    webhook(&world, &web);
    world.drop_roster("a.csv", &people(0..3));
    let ran = world.run_to(3, &["sync"]);
    assert!(ran.stderr.contains("alerts can't be sent there"), "{}", ran.stderr);
    assert_eq!(world.assigned().len(), 2);
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("webhook at 127.0.0.1: no alert arrives there since"), "{status}");
    assert!(status.contains("127.0.0.1 answers 503: ok. 1 alert waits"), "{status}");
    let json: serde_json::Value = serde_json::from_str(&world.run_to(3, &["status", "--json"]).stdout).unwrap();
    assert_eq!((&json["alerts"][0]["waiting"], &json["alerts"][0]["kind"]), (&1.into(), &"webhook".into()));
    world.run_to(3, &["sync"]);
    assert_eq!(web.requests().len(), 1, "it has asked for an hour");
    // Whoever mends the configuration is not to wait for it.
    web.is_now(WELL);
    add(&world, "remind_every = \"12h\"\n");
    world.run_to(3, &["sync"]);
    assert_eq!(web.requests().len(), 2);
    assert_eq!(web.requests()[0].headers["webhook-id"], web.requests()[1].headers["webhook-id"]);
    for file in world.files() {
        let is_config = file.ends_with("rosterd.toml");
        assert!(is_config || !contains(&file, "hunter2"), "the address stands in {}", file.display());
    }
}

#[test]
fn every_alert_arrives_though_its_receiver_is_away_and_the_daemon_is_killed() {
    let world = world(2, "");
    let web = Web::start(web::Mood::Down);
    webhook(&world, &web);
    let log = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let daemon = world.daemon("1.log");
    world.drop_roster("a.csv", &people(0..5));
    until("the daemon has found the receiver away", || log("1.log").contains("alerts can't be sent there"));
    daemon.signal("KILL");
    drop(daemon);
    // The next takes it and says nothing: nobody knows whether it has arrived.
    web.is_now(web::Mood::Silent);
    let daemon = world.daemon("2.log");
    until("the receiver has it", || web.requests().len() == 1);
    daemon.signal("KILL");
    drop(daemon);
    web.is_now(WELL);
    let daemon = world.daemon("3.log");
    until("the receiver has it again", || web.requests().len() == 2);
    until("the daemon knows", || log("3.log").contains("alerts arrive again"));
    world.sandbox.set_seats(crate::world::ID, 5);
    until("it is over", || web.requests().len() == 3);
    let requests = web.requests();
    assert!(requests.iter().all(|request| request.is_signed_with(SECRET)));
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"], "it is the same alert");
    assert_eq!(requests[0].body, requests[1].body);
    let phases: Vec<_> = requests[1..].iter().map(|request| request.json()["data"]["phase"].clone()).collect();
    assert_eq!(phases, ["new", "over"]);
    drop(daemon);
    let failures = log("1.log").matches("can't be sent there").count();
    assert_eq!(failures, 1, "a failure is said once");
}

#[test]
fn chats_get_what_they_understand_and_what_they_answer_is_told() {
    let world = world(3, "");
    let (slack, teams) = (Web::start(WELL), Web::start(web::Mood::Answers("202 Accepted\r\n")));
    secret(&world, "slack.url", &format!("http://127.0.0.1:{}/services/hunter2\n", slack.port));
    secret(&world, "teams.url", &format!("http://127.0.0.1:{}/workflows/hunter2\n", teams.port));
    for kind in ["slack", "teams"] {
        add(&world, &format!("[[alerts]]\nkind = \"{kind}\"\nurl = {{ file = \"{kind}.url\" }}\n"));
    }
    let ran = send_test(&world, 0);
    assert!(
        ran.stdout.contains("alerts, slack (slack.url): the test alert was taken: 127.0.0.1 answers 200"),
        "{}",
        ran.stdout
    );
    let message = slack.requests()[0].json();
    assert_eq!(message["text"], "A test of rosterd's alerts: nothing is wrong");
    assert_eq!(message["blocks"][0]["type"], "header");
    assert_eq!(slack.requests()[0].line, "POST /services/hunter2 HTTP/1.1");
    let card = &teams.requests()[0].json()["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["type"], "AdaptiveCard");
    slack.is_now(web::Mood::Answers("404 Not Found\r\n"));
    teams.is_now(web::Mood::Answers("302 Found\r\nlocation: http://127.0.0.1:1/hunter2\r\n"));
    let ran = send_test(&world, 1);
    assert!(ran.stdout.contains("was not taken: 127.0.0.1 answers 404"), "{}", ran.stdout);
    assert!(ran.stdout.contains("redirects (302), which is not followed"), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hunter2"));
}

#[test]
fn a_command_gets_the_alert_on_its_standard_input_and_nothing_of_our_environment() {
    let world = world(3, "[[alerts]]\nkind = \"command\"\ncommand = [\"./page-it\", \"$(id)\"]\n");
    let script = "#!/bin/sh\ncat > got.json\nprintf '%s' \"$1\" > got.argument\nenv > got.env\n";
    fs::write(world.path("page-it"), script).unwrap();
    let missing = world.run_to(1, &["check"]);
    assert!(missing.stdout.contains("page-it can't be run"), "{}", missing.stdout);
    fs::set_permissions(world.path("page-it"), fs::Permissions::from_mode(0o700)).unwrap();
    let path = world.path("page-it");
    let mut elsewhere = world.command(&["check"]);
    let config = world.path("rosterd.toml");
    elsewhere.current_dir("/").env("ROSTERD_CONFIG", config);
    let ran = Ran::from(elsewhere.output().unwrap());
    assert!(ran.stdout.contains(&format!("would run {}", path.display())), "{}", ran.stdout);
    let mut command = world.command(&["check", "--send-test-alert"]);
    let ran = Ran::from(command.env("SMTP_PASSWORD", "hunter2").output().unwrap());
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let got = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&got("got.json")).unwrap();
    assert_eq!((&json["type"], &json["data"]["phase"]), (&"alert.test".into(), &"test".into()));
    assert_eq!(got("got.argument"), "$(id)", "no shell has seen it");
    assert!(!got("got.env").contains("hunter2"), "{}", got("got.env"));
    fs::write(world.path("page-it"), "#!/bin/sh\necho the pager is off >&2\nexit 7\n").unwrap();
    let ran = send_test(&world, 1);
    assert!(ran.stdout.contains("exit status: 7: the pager is off"), "{}", ran.stdout);
}

#[test]
fn a_heartbeat_is_fetched_while_every_subscription_is_looked_after() {
    let world = world(3, "");
    let web = Web::start(web::Mood::Answers("500 Oops\r\n"));
    secret(&world, "heartbeat.url", &format!("http://127.0.0.1:{}/ping/hunter2", web.port));
    add(&world, "[heartbeat]\nurl = { file = \"heartbeat.url\" }\nevery = \"1s\"\n");
    world.drop_roster("a.csv", &people(0..3));
    let daemon = world.daemon("rosterd.log");
    let log = || fs::read_to_string(world.path("rosterd.log")).unwrap();
    until("three rounds are over", || web.requests().len() >= 3);
    assert_eq!(web.requests()[0].line, "GET /ping/hunter2 HTTP/1.1");
    assert_eq!(world.assigned().len(), 3, "the first word comes when all have been looked at");
    until("the failure is said", || log().contains("the heartbeat does not arrive: 127.0.0.1 answers 500"));
    web.is_now(WELL);
    until("its end is said", || log().contains("the heartbeat arrives again"));
    assert_eq!(log().matches("the heartbeat does not arrive").count(), 1);
    assert!(!log().contains("hunter2"));
    drop(daemon);
}
