//! What the documentation of the licensing API leaves open, question by question: an answer goes in as bytes on a
//! socket, and comes out as what the built binary sends next and what a person is told.
//!
//! First what a server may say of people and of seats, then of the key and of its own state, then what stands between, and
//! what happens behind rosterd's back. Every combination of a server's habits is lived
//! through in `src/dispatch/tests/dialects.rs`; a polite pace is held to in `src/dispatch/turns.rs`, and what the count of
//! seats tells of changes behind rosterd's back in `drift.rs`.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Ran, World};

/// What the server does with a request that it has read.
#[derive(Debug, Clone)]
enum Act {
    Reply(String),
    /// Closes the connection without a word.
    Cut,
    /// Says nothing until nobody waits any more.
    Hang,
}

fn reply(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Reply(format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"))
}

/// 200 as documented, with so many seats free of a hundred.
fn done(free: u64) -> Act {
    let stats = json!({"availableLicenses": 100, "assignedLicenses": 100 - free});
    reply("200 OK", "", &json!({"success": true, "errors": [], "assignmentStats": stats}).to_string())
}

fn refused(errors: &[&str]) -> Act {
    reply("400 Bad Request", "", &json!({"success": false, "errors": errors}).to_string())
}

/// A world whose server says what it is told to, and is content when it has said that.
struct Talk {
    world: World,
    acts: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Talk {
    /// Requests are of four people at most, and tried again for a second at most.
    fn new() -> Talk {
        Talk::with("retry_for = \"1s\"\n", "batch_size = 4\n")
    }

    fn with(licensing: &str, subscription: &str) -> Talk {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut world = World::new(1);
        world.base_url = format!("http://{}", listener.local_addr().unwrap());
        world.configure(licensing, subscription, "allow_empty = true\n");
        let (acts, seen) = (Arc::<Mutex<VecDeque<Act>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (acts_there, seen_there) = (Arc::clone(&acts), Arc::clone(&seen));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (acts, seen) = (Arc::clone(&acts_there), Arc::clone(&seen_there));
                thread::spawn(move || serve(stream.unwrap(), &acts, &seen));
            }
        });
        Talk { world, acts, seen }
    }

    /// One run in which the roster is these people and the server does this.
    #[track_caller]
    fn sync(&self, status: i32, people: &str, acts: impl IntoIterator<Item = Act>) -> Ran {
        let people: Vec<String> = people.split_whitespace().map(|name| format!("{name}@contoso.com")).collect();
        self.world.drop_roster("staff.csv", &people);
        *self.acts.lock().unwrap() = acts.into_iter().collect();
        self.seen.lock().unwrap().clear();
        let ran = self.world.run_to(status, &["sync"]);
        assert_eq!(self.acts.lock().unwrap().len(), 0, "the server was asked less often: {:?}", self.sent());
        ran
    }

    fn sent(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// `ann assigned`, one after the other.
    fn members(&self) -> String {
        self.told(|line| format!("{} {}", name(&line["email"]), line["state"].as_str().unwrap()))
    }

    /// `ann: why`, for those who are quarantined.
    fn quarantined(&self) -> String {
        self.told(|line| {
            if line["state"] == "quarantined" {
                format!("{}: {}", name(&line["email"]), line["reason"].as_str().unwrap())
            } else {
                String::new()
            }
        })
    }

    fn told(&self, tell: impl Fn(Value) -> String) -> String {
        let members = self.world.run(&["members", "--json"]).stdout;
        let lines = members.lines().map(|line| tell(serde_json::from_str(line).unwrap()));
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn history(&self) -> String {
        self.world.run(&["history"]).stdout
    }

    fn status(&self) -> String {
        self.world.run(&["status"]).stdout
    }
}

fn name(email: &Value) -> &str {
    email.as_str().unwrap().split('@').next().unwrap()
}

fn serve(mut stream: TcpStream, acts: &Mutex<VecDeque<Act>>, seen: &Mutex<Vec<String>>) {
    let Some((method, body)) = read_request(&mut stream) else { return };
    let emails = body["emails"].as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(" ");
    seen.lock().unwrap().push(format!("{method} {emails}"));
    match acts.lock().unwrap().pop_front().unwrap_or_else(|| done(50)) {
        Act::Reply(text) => {
            // Whoever asked may have gone.
            let _ = stream.write_all(text.as_bytes());
        }
        Act::Cut => {}
        Act::Hang => {
            let _ = stream.read(&mut [0]);
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            if body.len() >= length.parse().ok()? {
                let method = head.split(' ').next()?.to_owned();
                return Some((method, serde_json::from_str(body).ok()?));
            }
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

// ---- people

#[test]
fn an_assignment_of_who_is_assigned_already_counts_as_assigned_whether_it_is_done_or_refused() {
    let talk = Talk::new();
    talk.sync(0, "ann bob", [done(50)]);
    assert_eq!(talk.members(), "ann assigned, bob assigned");

    // Refused, with the one named among others; and alone, with nobody named.
    let words = "'cid@contoso.com' is already assigned.";
    talk.sync(0, "ann bob cid dan", [refused(&[words]), done(50)]);
    assert_eq!(talk.sent(), ["PUT cid dan", "PUT dan"]);
    talk.sync(0, "ann bob cid dan eve", [refused(&["The address has a licence already."])]);
    assert_eq!(talk.members(), "ann assigned, bob assigned, cid assigned, dan assigned, eve assigned");
    assert!(talk.history().contains(words), "{}", talk.history());
}

#[test]
fn an_assignment_with_a_bad_address_among_many_is_done_for_the_others() {
    // The whole request is refused, or the good ones are assigned: the next request is the same.
    let talk = Talk::new();
    talk.sync(3, "ann bob cid dan", [refused(&["'bob@contoso.com' is no mailbox."]), done(50)]);
    assert_eq!(talk.sent(), ["PUT ann bob cid dan", "PUT ann cid dan"]);
    assert_eq!(talk.members(), "ann assigned, bob quarantined, cid assigned, dan assigned");
    assert_eq!(talk.quarantined(), "bob: 'bob@contoso.com' is no mailbox.");

    // Nobody is named: halves find the offender, and the rest goes whole.
    let talk = Talk::new();
    let no = || refused(&["An address is no mailbox."]);
    talk.sync(3, "ann bob cid dan", [no(), no(), done(50), done(50)]);
    assert_eq!(talk.sent(), ["PUT ann bob cid dan", "PUT ann bob", "PUT ann", "PUT cid dan"]);
    assert_eq!(talk.quarantined(), "bob: An address is no mailbox.");
    talk.sync(3, "ann bob cid dan", []);
    assert_eq!(talk.sent(), [""; 0], "who was refused is not asked for again before a person says so");
}

#[test]
fn an_unassignment_with_somebody_who_is_not_assigned_is_done_for_the_others() {
    let talk = Talk::new();
    talk.sync(0, "ann bob cid dan", []);
    let words = "'bob@contoso.com' is not currently assigned.";
    talk.sync(0, "", [refused(&[words]), done(50)]);
    assert_eq!(talk.sent(), ["DELETE ann bob cid dan", "DELETE ann cid dan"]);
    assert_eq!(talk.members(), "");
    assert!(talk.history().contains(words), "{}", talk.history());
}

#[test]
fn one_address_alone_whose_unassignment_is_refused_is_unassigned_already_and_the_history_says_so() {
    let talk = Talk::new();
    talk.sync(0, "ann bob", []);
    talk.sync(0, "ann", [refused(&["Nothing to do."])]);
    assert_eq!((talk.sent(), talk.members()), (vec!["DELETE bob".to_owned()], "ann assigned".to_owned()));
    assert!(talk.history().contains("it was not assigned: Nothing to do."), "{}", talk.history());

    // A server that finds fault with the request itself has not said so: the seat is not forgotten.
    talk.sync(3, "", [refused(&["The field 'client' is missing."])]);
    assert_eq!(talk.quarantined(), "ann: The field 'client' is missing.");
    talk.sync(0, "", []);
    assert_eq!((talk.sent(), talk.members()), (vec!["DELETE ann".to_owned()], String::new()));
}

#[test]
fn who_is_named_beside_others_is_not_taken_to_have_a_seat_for_a_word_that_is_said_of_somebody() {
    // Everybody is listed, and each is accepted alone.
    let talk = Talk::new();
    let list = "Some addresses are already assigned or invalid: ann@contoso.com, bob@contoso.com, cid@contoso.com";
    talk.sync(0, "ann bob cid", [refused(&[list]), done(50), done(50), done(50)]);
    assert_eq!(talk.sent(), ["PUT ann bob cid", "PUT ann", "PUT bob", "PUT cid"]);
    assert_eq!(talk.members(), "ann assigned, bob assigned, cid assigned");

    let talk = Talk::new();
    let words = "Could not assign: ann@contoso.com (mailbox unknown), bob@contoso.com (already assigned)";
    let acts = [refused(&[words]), refused(&[words]), refused(&["bob@contoso.com is already assigned"]), done(50)];
    talk.sync(3, "ann bob cid", acts);
    assert_eq!(talk.members(), "ann quarantined, bob assigned, cid assigned");

    let talk = Talk::new();
    let words = "jnae@contoso.com does not exist; did you mean jane@contoso.com?";
    talk.sync(3, "jane jnae", [refused(&[words]), done(50), refused(&[words])]);
    assert_eq!(talk.members(), "jane assigned, jnae quarantined");
    assert_eq!(talk.quarantined(), format!("jnae: {words}"));
}

#[test]
fn who_can_not_be_unassigned_keeps_the_seat_in_the_ledger_too() {
    let talk = Talk::new();
    talk.sync(0, "ann bob cid dan", []);
    let words = "ann@contoso.com could not be unassigned: ann@contoso.com is locked, bob@contoso.com is not assigned";
    let alone = "ann@contoso.com: a licence can not be unassigned within 30 days";
    talk.sync(3, "cid dan", [refused(&[words]), refused(&[alone]), refused(&["bob@contoso.com is not assigned"])]);
    assert_eq!(talk.sent(), ["DELETE ann bob", "DELETE ann", "DELETE bob"]);
    assert_eq!(talk.quarantined(), format!("ann: {alone}"));
    assert_eq!(talk.members(), "ann quarantined, cid assigned, dan assigned");
    talk.sync(0, "cid dan", []);
    assert_eq!(talk.sent(), ["DELETE ann"], "it is asked for again");
}

// ---- seats

#[test]
fn a_400_that_speaks_of_seats_alone_makes_people_wait_and_is_no_assignment() {
    for words in [
        "Cannot assign bob@contoso.com: all licenses are already in use",
        "bob@contoso.com: the maximum number of licences has already been reached",
    ] {
        let talk = Talk::new();
        talk.sync(0, "ann", []);
        talk.sync(3, "ann bob", [refused(&[words])]);
        assert_eq!(talk.members(), "ann assigned, bob pending", "{words}");
    }
    // What is neither is told to a person.
    let talk = Talk::new();
    let words = "Cannot assign ann@contoso.com: the subscription has already expired";
    talk.sync(3, "ann", [refused(&[words])]);
    assert_eq!(talk.quarantined(), format!("ann: {words}"));
}

#[test]
fn of_a_batch_that_is_larger_than_the_free_seats_as_many_as_fit_are_assigned_and_the_others_are_pending() {
    let full = || reply("402 Payment Required", "", "");
    // Seats are not known: the batch is halved until it is known how many fit.
    let talk = Talk::new();
    talk.sync(3, "ann bob cid dan", [full(), done(1), full()]);
    assert_eq!(talk.sent(), ["PUT ann bob cid dan", "PUT ann bob", "PUT cid"]);
    assert_eq!(talk.members(), "ann assigned, bob assigned, cid pending, dan pending");

    // Known from the last stats: no more are asked for than fit.
    let talk = Talk::new();
    talk.sync(0, "ann", [done(2)]);
    talk.sync(3, "ann bob cid dan", [done(0)]);
    assert_eq!(talk.sent(), ["PUT bob cid"]);
    assert_eq!(talk.members(), "ann assigned, bob assigned, cid assigned, dan pending");
}

#[test]
fn a_402_needs_no_body_and_its_stats_are_used_where_it_has_some() {
    let stats = json!({"availableLicenses": 100, "assignedLicenses": 97});
    let body = json!({"success": false, "errors": ["too few"], "assignmentStats": stats}).to_string();
    let html = "<html><body>Payment required</body></html>";
    let by_halves = ["PUT ann bob cid dan", "PUT ann bob", "PUT cid"];
    let by_stats = ["PUT ann bob cid dan", "PUT ann bob cid"];
    for (body, sent) in [("", &by_halves[..]), (html, &by_halves), (&body, &by_stats)] {
        let talk = Talk::new();
        let full = reply("402 Payment Required", "", body);
        let accepted = (1..sent.len()).map(|request| done(u64::try_from(sent.len() - 1 - request).unwrap()));
        talk.sync(3, "ann bob cid dan", std::iter::once(full).chain(accepted));
        assert_eq!(talk.sent(), sent, "{body}");
        assert_eq!(talk.members(), "ann assigned, bob assigned, cid assigned, dan pending");
    }
}

// ---- errors

#[test]
fn what_an_error_says_is_shown_as_it_came_and_matched_against_the_addresses_of_its_request_alone() {
    let talk = Talk::new();
    let words = "Zażółć! <ann@contoso.com>: ungültig — \"x\"";
    let other = "zoe@contoso.com is ann@contoso.com.example and not bob";
    talk.sync(3, "ann bob cid", [refused(&[words, other]), done(50)]);
    assert_eq!(talk.sent(), ["PUT ann bob cid", "PUT bob cid"]);
    assert_eq!(talk.quarantined(), format!("ann: {words}"));
}

#[test]
fn a_200_without_success_or_with_errors_is_treated_as_a_400() {
    for body in [
        json!({"success": false, "errors": ["bob@contoso.com is no mailbox"]}),
        json!({"success": true, "errors": ["bob@contoso.com is no mailbox"]}),
    ] {
        let talk = Talk::new();
        talk.sync(3, "ann bob", [reply("200 OK", "", &body.to_string()), done(50)]);
        assert_eq!(talk.sent(), ["PUT ann bob", "PUT ann"]);
        assert_eq!(talk.quarantined(), "bob: bob@contoso.com is no mailbox");
    }
    let talk = Talk::new();
    talk.sync(3, "ann", [reply("200 OK", "", r#"{"success": false, "errors": []}"#)]);
    assert_eq!(talk.quarantined(), "ann: refused without a word why");
}

#[test]
fn an_address_is_unassigned_in_the_spelling_in_which_it_was_assigned() {
    let talk = Talk::new();
    talk.sync(0, "Ann bob", []);
    assert_eq!(talk.sent(), ["PUT Ann bob"]);
    talk.sync(0, "ANN bob", []);
    assert_eq!(talk.sent(), [""; 0], "one who is spelt otherwise is no other person");
    talk.sync(0, "bob", []);
    assert_eq!(talk.sent(), ["DELETE Ann"]);
}

// ---- the key, and the server's own state

#[test]
fn a_401_a_403_and_a_404_refuse_the_key_and_stop_the_subscription_without_touching_anybody() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let talk = Talk::new();
        talk.sync(0, "ann bob", []);
        let ran = talk.sync(1, "ann cid", [reply(status, "", r#"{"errors": ["no such key"]}"#)]);
        assert_eq!(talk.sent(), ["DELETE bob"], "{status}: nothing is sent after it");
        assert!(ran.stdout.contains("no such key") || ran.stderr.contains("no such key"), "{ran:?}");
        assert!(talk.status().contains("does not accept the key"), "{}", talk.status());
        assert_eq!(talk.members(), "ann assigned, bob assigned");
        talk.sync(0, "ann cid", []);
        assert_eq!(talk.members(), "ann assigned, cid assigned");
    }
}

#[test]
fn a_408_a_429_and_a_5xx_are_tried_again_and_retry_after_is_obeyed() {
    for status in
        ["408 Request Timeout", "429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Busy", "504 Late"]
    {
        let talk = Talk::new();
        talk.sync(0, "ann bob", [reply(status, "retry-after: 0\r\n", "later"), done(50)]);
        assert_eq!(talk.sent(), ["PUT ann bob", "PUT ann bob"], "{status}");
        assert_eq!(talk.members(), "ann assigned, bob assigned");
    }
    // Longer than a run has patience: in seconds, and as a date.
    let date = (rosterd::clock::now() + Duration::from_mins(10)).format("%a, %d %b %Y %H:%M:%S GMT");
    for after in ["600".to_owned(), date.to_string()] {
        let talk = Talk::new();
        talk.sync(1, "ann bob", [reply("503 Busy", &format!("retry-after: {after}\r\n"), "later")]);
        assert_eq!(talk.sent(), ["PUT ann bob"], "{after}");
        assert!(talk.status().contains("status 503: later"), "{}", talk.status());
    }
}

#[test]
fn a_413_halves_the_batches_of_the_subscription_for_good() {
    let talk = Talk::new();
    let too_large = || reply("413 Content Too Large", "", "<html>nginx</html>");
    talk.sync(0, "ann bob cid dan", [too_large()]);
    assert_eq!(talk.sent(), ["PUT ann bob cid dan", "PUT ann bob", "PUT cid dan"]);
    talk.sync(0, "ann bob cid dan eve fay gus", []);
    assert_eq!(talk.sent(), ["PUT eve fay", "PUT gus"]);

    // A server, or a proxy before it, that refuses everything so says nothing about anybody.
    let ran = talk.sync(1, "ann bob cid dan eve fay gus hal ida", [too_large(), too_large()]);
    assert_eq!(talk.sent(), ["PUT hal ida", "PUT hal"]);
    assert!(
        ran.stdout.contains("even a request with one address")
            || ran.stderr.contains("even a request with one address"),
        "{ran:?}"
    );
    assert_eq!(talk.quarantined(), "");
    talk.sync(0, "ann bob cid dan eve fay gus hal ida", []);
    assert_eq!(talk.sent(), ["PUT hal ida"]);
}

// ---- what stands between

#[test]
fn a_redirect_is_never_followed_and_its_target_is_named() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let talk = Talk::new();
        let elsewhere = Talk::new();
        let location = format!("location: {}/api\r\n", elsewhere.world.base_url);
        let ran = talk.sync(1, "ann", [reply(status, &location, "")]);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&elsewhere.world.base_url) && told.contains("base_url"), "{told}");
        assert_eq!((talk.sent().len(), elsewhere.sent().len()), (1, 0), "{status}");
        assert_eq!(talk.members(), "");
    }
}

#[test]
fn after_a_lost_connection_or_a_time_out_the_same_addresses_are_sent_again_before_anything_else() {
    for act in
        [Act::Cut, Act::Hang, Act::Reply("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"success\":".to_owned())]
    {
        let talk = Talk::with("timeout = \"300ms\"\nretry_for = \"2s\"\n", "batch_size = 4\n");
        talk.sync(0, "ann bob", [act.clone(), done(50)]);
        assert_eq!(talk.sent(), ["PUT ann bob", "PUT ann bob"], "{act:?}");

        // Where no answer comes in the whole run, the next one begins with it.
        let talk = Talk::with("timeout = \"300ms\"\nretry_for = \"0s\"\n", "batch_size = 4\n");
        talk.sync(1, "ann bob", [act.clone()]);
        assert_eq!(talk.members(), "ann unknown, bob unknown", "{act:?}");
        talk.sync(0, "bob cid", []);
        assert_eq!(talk.sent(), ["PUT ann bob", "DELETE ann", "PUT cid"], "{act:?}");
        assert_eq!(talk.members(), "bob assigned, cid assigned");
    }
}

#[test]
fn a_page_that_is_not_json_is_no_answer_and_its_first_two_hundred_characters_are_shown() {
    let page = format!("<html>Log in to the guest network {}</html>", "x".repeat(300));
    for status in ["200 OK", "400 Bad Request", "511 Network Authentication Required"] {
        let strange = || reply(status, "content-type: text/html\r\n", &page);
        let talk = Talk::new();
        talk.sync(0, "ann bob", [strange(), done(50)]);
        assert_eq!(talk.sent(), ["PUT ann bob", "PUT ann bob"], "{status}");

        let talk = Talk::with("retry_for = \"0s\"\n", "batch_size = 4\n");
        let ran = talk.sync(1, "ann bob", [strange()]);
        assert_eq!(talk.members(), "ann unknown, bob unknown", "{status}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("Log in to the guest network"), "{told}");
        assert!(!told.contains(&"x".repeat(200)), "{told}");
    }
}

// ---- behind rosterd's back

#[test]
fn who_was_assigned_by_somebody_else_is_never_unassigned_unless_adopted() {
    let talk = Talk::new();
    // Fifty have a seat at the server, of whom the roster knows nobody but ann.
    talk.sync(0, "ann", [done(50)]);
    talk.sync(0, "bob", []);
    assert_eq!(talk.sent(), ["DELETE ann", "PUT bob"]);
    std::fs::write(talk.world.path("own.csv"), "email\nzoe@contoso.com\n").unwrap();
    talk.world.run_to(0, &["adopt", "contoso", "own.csv"]);
    assert_eq!(talk.members(), "bob assigned, zoe assigned");
    // No roster names who was adopted, so that a person has to say whether that seat goes.
    talk.sync(3, "bob", []);
    assert_eq!((talk.sent(), talk.members()), (vec![], "bob assigned, zoe leaving".to_owned()));
    talk.world.run_to(0, &["approve", "contoso", "--yes"]);
    assert_eq!((talk.sent(), talk.members()), (vec!["DELETE zoe".to_owned()], "bob assigned".to_owned()));
}

// ---- the key, without changing anything

#[test]
fn a_request_about_nobody_tells_whether_the_key_is_accepted() {
    let talk = Talk::new();
    *talk.acts.lock().unwrap() = [refused(&["At least one address is needed."])].into();
    talk.world.run_to(0, &["check"]);
    assert_eq!(talk.sent(), ["PUT "]);
    *talk.acts.lock().unwrap() = [reply("404 Not Found", "", "")].into();
    assert_ne!(talk.world.run(&["check"]).status, 0);
}
