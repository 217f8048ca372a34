//! Alerts from their cause to their receivers, on a ledger in memory and with the time as an argument.

mod texts;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::slice;
use std::time::Duration;

use chrono::TimeDelta;
use fastrand::Rng;

use super::look::{look, set_receivers};
use super::receiver::Receiver;
use super::{Alert, Phase, Subject};
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::{AlertEvent, Config, load_str};
use crate::ledger::{Ledger, Owner};
use crate::source::Incomplete;

const WORLD: &str = r#"
[subscriptions.contoso]
type = "Manual"
id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
api_key = { file = "contoso.key" }
sources = ["hr"]
[sources.hr]
kind = "csv"
path = "drops"
"#;
const PAGER: &str =
    "[[alerts]]\nkind = \"command\"\ncommand = [\"page\"]\nremind_every = \"2h\"\nevents = [\"source-failed\"]\n";
const MAIL: &str = "[[alerts]]\nkind = \"smtp\"\nto = [\"it@contoso.com\"]\nfrom = \"r@contoso.com\"\nserver = \"smtp://mail.contoso.com\"\n";

fn config(receivers: &str) -> Config {
    load_str(Path::new("/etc/rosterd/rosterd.toml"), &format!("{receivers}{WORLD}")).unwrap()
}

fn ledger() -> Ledger {
    Ledger::scratch(Path::new("")).unwrap()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn look_all(ledger: &mut Ledger, config: &Config, now: Timestamp) {
    set_receivers(ledger, config).unwrap();
    while look(ledger, config, now).unwrap() {}
}

/// Takes everything that waits for a receiver, in order.
/// So many sources, each with a subscription of its own, told by mail.
fn clients(number: usize) -> Config {
    let client = |n| {
        format!(
            "[sources.s{n}]\nkind = \"csv\"\npath = \"drops{n}\"\n[subscriptions.c{n}]\ntype = \"Manual\"\nid = \"00000000-0000-4000-8000-{n:012}\"\napi_key = {{ file = \"k\" }}\nsources = [\"s{n}\"]\n"
        )
    };
    config(&format!("{MAIL}{}", (0..number).map(client).collect::<String>()))
}

fn take_all(ledger: &mut Ledger, receiver: &Receiver, now: Timestamp) -> Vec<Alert> {
    let owner = Owner::this_process();
    let mark = &receiver.mark;
    let lease = ledger.acquire_receiver(mark, &owner, Duration::from_mins(2), now).unwrap().unwrap();
    let mut all = Vec::new();
    while let Some(waiting) = ledger.next_alert(&lease, mark, now).unwrap() {
        ledger.alert_arrived(&lease, mark, &waiting, now).unwrap();
        all.push(waiting.alert);
    }
    ledger.release(lease).unwrap();
    all
}

fn told(alerts: &[Alert]) -> Vec<(Phase, String)> {
    alerts.iter().map(|alert| (alert.phase, alert.words.headline.clone())).collect()
}

#[test]
fn a_source_that_fails_is_told_once_again_after_a_while_and_when_it_is_well() {
    let (mut ledger, config) = (ledger(), config(PAGER));
    let pager = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    assert_eq!(take_all(&mut ledger, pager, at(0)), []);
    let fail = |ledger: &mut Ledger, why: &str, minutes| {
        ledger.refuse("hr", &Incomplete::lasting(why), at(minutes)).unwrap();
        look_all(ledger, &config, at(minutes));
    };
    fail(&mut ledger, "staff-1.csv has no e-mail column. Name one.", 1);
    fail(&mut ledger, "staff-2.csv has no e-mail column. Name one.", 2);
    let new = (Phase::New, "source hr: staff-1.csv has no e-mail column".to_owned());
    assert_eq!(told(&take_all(&mut ledger, pager, at(2))), [new], "another number is no other matter");
    fail(&mut ledger, "staff-2.csv names nobody.", 3);
    let changed = (Phase::Changed, "source hr: staff-2.csv names nobody".to_owned());
    assert_eq!(told(&take_all(&mut ledger, pager, at(3))), slice::from_ref(&changed));
    look_all(&mut ledger, &config, at(122));
    assert_eq!(take_all(&mut ledger, pager, at(122)), []);
    look_all(&mut ledger, &config, at(123));
    assert_eq!(told(&take_all(&mut ledger, pager, at(123))), [(Phase::Reminder, changed.1)]);
    ledger.source_well("hr").unwrap();
    look_all(&mut ledger, &config, at(124));
    let over = take_all(&mut ledger, pager, at(124));
    assert_eq!(told(&over), [(Phase::Over, "source hr: it can be read again".to_owned())]);
    assert_eq!(over[0].words.detail, "It began at 2024-10-04 00:01 UTC and lasted 2 hours.");
    let mut sent = 0;
    ledger
        .for_each_history(&[], None, &mut |line| sent += i32::from(line.event == crate::ledger::Event::AlertSent))
        .unwrap();
    assert_eq!(sent, 4, "each that has arrived stands in the history");
}

#[test]
fn what_may_be_well_by_itself_is_told_when_it_is_not() {
    let (mut ledger, config) = (ledger(), config(PAGER));
    let pager = &Receiver::all(&config)[0];
    ledger.refuse("hr", &Incomplete::passing("The share is away."), at(0)).unwrap();
    look_all(&mut ledger, &config, at(0));
    look_all(&mut ledger, &config, at(9));
    assert_eq!(take_all(&mut ledger, pager, at(9)), []);
    look_all(&mut ledger, &config, at(10));
    assert_eq!(take_all(&mut ledger, pager, at(10)).len(), 1);
}

#[test]
fn a_new_receiver_hears_what_stands_and_what_waits_for_one_that_is_gone_ends() {
    let mut ledger = ledger();
    let (one, two) = (config(PAGER), config(&format!("{MAIL}{PAGER}")));
    let receivers = Receiver::all(&two);
    look_all(&mut ledger, &one, at(0));
    ledger.refuse("hr", &Incomplete::lasting("It is empty."), at(1)).unwrap();
    ledger.put_on_brake(&Brake { since: at(1), reason: "Much is wrong.".into() }).unwrap();
    look_all(&mut ledger, &one, at(1));
    look_all(&mut ledger, &two, at(2));
    let waiting = |ledger: &Ledger| -> Vec<(String, u64)> {
        ledger.receivers().unwrap().into_iter().map(|receiver| (receiver.label, receiver.waiting)).collect()
    };
    assert_eq!(waiting(&ledger), [("command page".to_owned(), 1), ("mail to it@contoso.com".to_owned(), 2)]);
    look_all(&mut ledger, &config(MAIL), at(3));
    assert_eq!(waiting(&ledger), [("mail to it@contoso.com".to_owned(), 2)]);
    let alerts = take_all(&mut ledger, &receivers[0], at(4));
    assert_eq!(
        alerts.iter().map(|alert| alert.event).collect::<Vec<_>>(),
        [AlertEvent::RemovalsHeld, AlertEvent::SourceFailed]
    );
}

#[test]
fn one_alert_that_is_refused_keeps_no_other_back_but_those_of_its_cause() {
    let (mut ledger, config) = (ledger(), config(MAIL));
    let mail = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    ledger.refuse("hr", &Incomplete::lasting("It is empty."), at(1)).unwrap();
    look_all(&mut ledger, &config, at(1));
    let lease =
        ledger.acquire_receiver(&mail.mark, &Owner::this_process(), Duration::from_hours(1), at(1)).unwrap().unwrap();
    let first = ledger.next_alert(&lease, &mail.mark, at(1)).unwrap().unwrap();
    assert!(ledger.alert_refused(&lease, &mail.mark, &first, "552", at(10)).unwrap());
    ledger.source_well("hr").unwrap();
    ledger.put_on_brake(&Brake { since: at(2), reason: "Much is wrong.".into() }).unwrap();
    look_all(&mut ledger, &config, at(2));
    let other = ledger.next_alert(&lease, &mail.mark, at(3)).unwrap().unwrap();
    assert_eq!(other.alert.subject, Subject::Fleet);
    ledger.alert_arrived(&lease, &mail.mark, &other, at(3)).unwrap();
    assert!(
        ledger.next_alert(&lease, &mail.mark, at(3)).unwrap().is_none(),
        "that it is over comes after that it began"
    );
    assert_eq!(ledger.receivers().unwrap()[0].problem.as_deref(), Some("552"));
    ledger.release(lease).unwrap();
    assert_eq!(take_all(&mut ledger, mail, at(10)).len(), 2);
    assert_eq!(ledger.receivers().unwrap()[0].problem, None);
}

#[test]
fn a_receiver_that_fails_is_left_alone_and_one_process_at_a_time_sends() {
    let (mut ledger, config) = (ledger(), config(PAGER));
    let pager = &Receiver::all(&config)[0].mark;
    look_all(&mut ledger, &config, at(0));
    ledger.refuse("hr", &Incomplete::lasting("It is empty."), at(1)).unwrap();
    look_all(&mut ledger, &config, at(1));
    let take = |ledger: &mut Ledger, minutes| {
        ledger.acquire_receiver(pager, &Owner::this_process(), Duration::from_mins(2), at(minutes)).unwrap()
    };
    let lease = take(&mut ledger, 1).unwrap();
    assert!(take(&mut ledger, 1).is_none(), "another one sends");
    assert!(ledger.receiver_failed(&lease, pager, "no answer", at(5), at(1)).unwrap());
    assert!(!ledger.receiver_failed(&lease, pager, "no answer", at(5), at(2)).unwrap(), "it is said once");
    assert!(ledger.receiver_failed(&lease, pager, "refused", at(5), at(2)).unwrap());
    assert_eq!(ledger.receivers_due(at(4)).unwrap(), [""; 0]);
    assert_eq!(ledger.receivers_due(at(5)).unwrap(), slice::from_ref(pager));
    assert_eq!(ledger.receivers_due(at(-3000)).unwrap(), slice::from_ref(pager), "the clock was ahead then");
    ledger.receiver_failed(&lease, pager, "refused", at(99), at(62)).unwrap();
    ledger.receiver_failed(&lease, pager, "refused", at(99), at(63)).unwrap();
    let mut long = Vec::new();
    let mut failed = |line: crate::ledger::HistoryLine| {
        if line.event == crate::ledger::Event::AlertFailed {
            long.push(line.detail);
        }
    };
    ledger.for_each_history(&[], None, &mut failed).unwrap();
    assert_eq!(long, ["command page: nothing arrives there since 2024-10-04 00:01 UTC: refused"]);
}

#[test]
fn a_configuration_that_can_not_be_used_is_told_when_nobody_mends_it_soon() {
    let (mut ledger, config) = (ledger(), config(MAIL));
    let mail = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    let refused = ("error: there is no key `colour`".to_owned(), at(1));
    let heard = |ledger: &mut Ledger, refused: Option<&(String, Timestamp)>, now| {
        ledger.put_refused_configuration(refused).unwrap();
        look_all(ledger, &config, now);
        take_all(ledger, mail, now).iter().map(|alert| (alert.phase, alert.event)).collect::<Vec<_>>()
    };
    let event = AlertEvent::ConfigurationRefused;
    assert_eq!(heard(&mut ledger, Some(&refused), at(2)), []);
    assert_eq!(heard(&mut ledger, Some(&refused), at(6)), [(Phase::New, event)]);
    assert_eq!(heard(&mut ledger, Some(&refused), at(7)), []);
    assert_eq!(heard(&mut ledger, None, at(8)), [(Phase::Over, event)]);
}

#[test]
fn hundreds_of_causes_at_once_are_one_message_and_those_that_come_singly_are_not() {
    let (mut ledger, config) = (ledger(), clients(300));
    let mail = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    let turn = |ledger: &mut Ledger, names: std::ops::Range<u32>, well: bool, now| {
        for name in names.map(|n| format!("s{n}")) {
            if well {
                ledger.source_well(&name).unwrap();
            } else {
                ledger.refuse(&name, &Incomplete::lasting("It is empty."), now).unwrap();
            }
        }
        look_all(ledger, &config, now);
        take_all(ledger, mail, now)
    };
    let few = turn(&mut ledger, 0..2, false, at(1));
    assert_eq!(few.iter().map(|alert| alert.phase).collect::<Vec<_>>(), [Phase::New, Phase::New]);
    let many = turn(&mut ledger, 2..300, false, at(2));
    let headlines: Vec<&str> = many.iter().map(|message| &*message.words.headline).collect();
    assert_eq!(headlines, ["200 alerts: 200 sources fail", "98 alerts: 98 sources fail"]);
    assert_eq!(
        many.iter().map(|it| (it.phase, it.gathered.len())).collect::<Vec<_>>(),
        [(Phase::Digest, 200), (Phase::Digest, 98)]
    );
    assert_eq!(ledger.receivers().unwrap()[0].waiting, 0);
    let sent: usize = (3..120)
        .map(|minute| {
            let n = u32::try_from(minute).unwrap();
            turn(&mut ledger, n..n + 1, true, at(minute)).len()
        })
        .sum();
    assert_eq!(sent, 17, "one each ten minutes, whatever goes on");
}

#[test]
fn one_alert_among_many_that_a_receiver_refuses_keeps_no_other_back() {
    let (mut ledger, config) = (ledger(), clients(40));
    let mail = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    for n in 0..40 {
        ledger.refuse(&format!("s{n}"), &Incomplete::lasting("It is empty."), at(1)).unwrap();
    }
    look_all(&mut ledger, &config, at(1));
    let lease =
        ledger.acquire_receiver(&mail.mark, &Owner::this_process(), Duration::from_hours(9), at(1)).unwrap().unwrap();
    let is_bad = |alert: &Alert| alert.subject == Subject::Source("s17".into());
    let mut arrived = 0;
    for minute in (2..400).step_by(5) {
        while let Some(message) = ledger.next_alert(&lease, &mail.mark, at(minute)).unwrap() {
            if is_bad(&message.alert) || message.alert.gathered.iter().any(is_bad) {
                ledger.alert_refused(&lease, &mail.mark, &message, "413", at(minute + 5)).unwrap();
            } else {
                arrived += message.alert.gathered.len().max(1);
                ledger.alert_arrived(&lease, &mail.mark, &message, at(minute)).unwrap();
            }
        }
    }
    assert_eq!((arrived, ledger.receivers().unwrap()[0].waiting), (39, 1));
}

#[test]
fn what_could_not_be_written_down_is_not_sent_again_and_again() {
    let (mut ledger, config) = (ledger(), config(MAIL));
    let mail = &Receiver::all(&config)[0];
    look_all(&mut ledger, &config, at(0));
    ledger.refuse("hr", &Incomplete::lasting("It is empty."), at(1)).unwrap();
    look_all(&mut ledger, &config, at(1));
    let lease =
        ledger.acquire_receiver(&mail.mark, &Owner::this_process(), Duration::from_hours(1), at(1)).unwrap().unwrap();
    let sent = ledger.next_alert(&lease, &mail.mark, at(1)).unwrap().unwrap();
    assert!(ledger.next_alert(&lease, &mail.mark, at(1)).unwrap().is_none());
    assert_eq!(ledger.receivers_due(at(1)).unwrap(), Vec::<String>::new());
    let again = ledger.next_alert(&lease, &mail.mark, at(2)).unwrap().unwrap();
    assert_eq!(again.alert, sent.alert);
}

/// A receiver as it would be: it knows what it has seen by its id.
#[derive(Default)]
struct Inbox {
    /// Messages.
    seen: HashMap<String, Alert>,
    /// What they tell of, in order of arrival.
    all: Vec<Alert>,
}

impl Inbox {
    fn take(&mut self, message: &Alert) {
        if let Some(known) = self.seen.get(&message.id) {
            assert_eq!(known, message, "one id is one message");
            return;
        }
        self.seen.insert(message.id.clone(), message.clone());
        let alone = slice::from_ref(message);
        self.all.extend_from_slice(if message.gathered.is_empty() { alone } else { &message.gathered });
    }

    /// What has to be true of what has arrived, whatever happened. `begun` and `over`: how often a look saw each.
    fn check(&self, remind_every: TimeDelta, begun: &BTreeMap<Subject, (u64, u64)>) {
        let ids: HashSet<&str> = self.all.iter().map(|alert| alert.id.as_str()).collect();
        assert_eq!(ids.len(), self.all.len(), "none twice, by itself or together with others");
        let mut causes: BTreeMap<(String, String), Vec<&Alert>> = BTreeMap::new();
        for alert in &self.all {
            causes.entry((alert.subject.to_string(), alert.cause.clone())).or_default().push(alert);
        }
        for alerts in causes.values() {
            for (place, pair) in alerts.windows(2).enumerate() {
                assert!(pair[0].at < pair[1].at, "in order: {place}");
                assert_ne!(pair[0].phase, Phase::Over);
                assert_ne!(pair[1].phase, Phase::New);
                assert!(pair[1].phase != Phase::Reminder || pair[1].at - pair[0].at >= remind_every);
            }
            assert_eq!(alerts[0].phase, Phase::New);
        }
        for (subject, counts) in begun {
            let number =
                |phase| self.all.iter().filter(|it| it.subject == *subject && it.phase == phase).count() as u64;
            assert_eq!((number(Phase::New), number(Phase::Over)), *counts, "every one arrives: {subject}");
        }
    }
}

/// A day on which a receiver can't be reached, with the process killed again and again: before it looks, before it sends,
/// and after a message has arrived and before that is written down.
fn live_through_a_day(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let (mut ledger, config) = (ledger(), config(&MAIL.replace("[[alerts]]\n", "[[alerts]]\nremind_every = \"2h\"\n")));
    let mail = &Receiver::all(&config)[0];
    let subjects = [Subject::Source("hr".into()), Subject::Fleet];
    let (mut fails, mut known) = ([false; 2], [false; 2]);
    let (mut inbox, mut begun) = (Inbox::default(), BTreeMap::<Subject, (u64, u64)>::new());
    let restless = rng.bool();
    let (mut minutes, down) = (0, 60..60 + 24 * 60);
    look_all(&mut ledger, &config, at(0));
    while minutes < 30 * 60 || known != [false; 2] || ledger.receivers().unwrap()[0].waiting > 0 {
        minutes += rng.i64(1..40);
        let (now, over) = (at(minutes), minutes >= 30 * 60);
        for (place, fails) in fails.iter_mut().enumerate() {
            let turns = if over { *fails } else { rng.u8(0..if restless { 3 } else { 40 }) == 0 };
            if turns {
                *fails = !*fails;
                match (place, *fails) {
                    (0, true) => ledger.refuse("hr", &Incomplete::lasting("It is empty."), now).unwrap(),
                    (0, false) => ledger.source_well("hr").unwrap(),
                    (_, true) => drop(ledger.put_on_brake(&Brake { since: now, reason: "Much.".into() }).unwrap()),
                    (_, false) => drop(ledger.release_brake("ann", now).unwrap()),
                }
            }
        }
        let is_killed = |rng: &mut Rng| !over && rng.u8(0..5) == 0;
        if is_killed(&mut rng) {
            continue;
        }
        look_all(&mut ledger, &config, now);
        for (place, subject) in subjects.iter().enumerate() {
            let counts = begun.entry(subject.clone()).or_default();
            match (known[place], fails[place]) {
                (false, true) => counts.0 += 1,
                (true, false) => counts.1 += 1,
                _ => {}
            }
        }
        known = fails;
        // What a dead process held is free at once.
        let lease = ledger.acquire_receiver(&mail.mark, &Owner::this_process(), Duration::from_secs(1), now).unwrap();
        let lease = lease.unwrap();
        while let Some(waiting) = ledger.next_alert(&lease, &mail.mark, now).unwrap() {
            if down.contains(&minutes) {
                let next = now + TimeDelta::minutes(rng.i64(1..15));
                ledger.receiver_failed(&lease, &mail.mark, "down", next, now).unwrap();
                break;
            }
            inbox.take(&waiting.alert);
            if is_killed(&mut rng) {
                break;
            }
            ledger.alert_arrived(&lease, &mail.mark, &waiting, now).unwrap();
        }
    }
    assert_eq!(ledger.receivers().unwrap()[0].waiting, 0);
    inbox.check(TimeDelta::hours(2), &begun);
    for subject in &subjects {
        let last = inbox.all.iter().rfind(|alert| alert.subject == *subject);
        assert!(last.is_none_or(|last| last.phase == Phase::Over), "the last word is that it is over");
    }
}

#[test]
fn every_alert_arrives_once_though_the_receiver_is_down_for_a_day_and_the_process_dies() {
    for seed in 0..300 {
        if let Err(panic) = std::panic::catch_unwind(|| live_through_a_day(seed)) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {why}");
        }
    }
}
