//! A server's answers: read by the wire, taken by the machine, ending as outcomes.
//!
//! The input is text, parted by lines `%%`. The first part says what there is to do, a letter or digit for each of: batch
//! size, people to assign, to unassign, of an open intent, seats that are known to be free (`?`: none are known), whether
//! a probe may be made and what is known of the server's habits, people to rename, to assign again. Each other part is an
//! answer: a line with status, `Retry-After`, `Location` and `Content-Type`, parted by `|`, and then the body. When the
//! answers are used up the run is stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rosterd::address::Address;
use rosterd::clock::Timestamp;
use rosterd::dispatch::machine::{Commit, Habits, Machine, NewIntent, Outcome, Request, Settings, Step, Stop, Work};
use rosterd::licensing::wire::{self, Answer, Headers, Operation, Stats};
use rosterd::member::IntentId;

/// What is sent, and may be in nothing that is told.
const KEY: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
/// More steps than this are no end.
const STEPS_MAX: usize = 100_000;

/// See the module's page.
pub fn run(data: &[u8]) {
    let mut parts = parted(data).into_iter();
    let (settings, work) = task(parts.next().unwrap_or_default());
    let answers: Vec<Answer> = parts.take(500).map(answer).collect();
    play(settings, work, answers);
}

fn parted(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = vec![&data[..0]];
    let mut begin = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let at = line.as_ptr() as usize - data.as_ptr() as usize;
        if line.trim_ascii_end() == b"%%" {
            begin = at + line.len();
            parts.push(&data[begin..begin]);
        } else if let Some(part) = parts.last_mut() {
            *part = &data[begin..at + line.len()];
        }
    }
    parts
}

fn task(text: &[u8]) -> (Settings, Work) {
    let number = |place: usize| usize::from(text.get(place).map_or(0, |byte| byte.wrapping_sub(b'0')));
    let people = |name: &str, n: usize| -> Vec<Address> {
        (0..n).map(|i| Address::parse(&format!("{name}{i}@x.example")).unwrap()).collect()
    };
    let resumed = NewIntent {
        operation: if number(3) % 2 == 0 { Operation::Assign } else { Operation::Unassign },
        addresses: people("open", number(3) % 10),
        again: number(3) % 2 == 0 && number(7) % 2 == 1,
    };
    let free = text.get(4).filter(|byte| **byte != b'?').map(|_| number(4) as u64 % 40);
    let flag = |bit: usize| number(5) & bit != 0;
    let work = Work {
        resume: if resumed.addresses.is_empty() { vec![] } else { vec![(IntentId(1), resumed)] },
        unassign: people("gone", number(2) % 30),
        rename: people("old", number(6) % 4).into_iter().zip(people("new", number(6) % 4)).collect(),
        assign: people("p", number(1) % 60),
        reassert: people("known", number(7) % 30),
        seats: free.map(|free| Stats { available: 100 + free, assigned: 100 }),
        probe: flag(1),
        habits: Habits {
            batch_size: flag(2).then_some(3),
            puts_apply_rest: flag(4),
            deletes_apply_rest: flag(8),
            ..Habits::default()
        },
    };
    (Settings { batch_size: number(0) % 60, retry_for: Duration::from_secs(30), seed: 1 }, work)
}

fn answer(part: &[u8]) -> Answer {
    let line = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
    let body = part.get(line + 1..).unwrap_or_default();
    let head = String::from_utf8_lossy(&part[..line]);
    let mut fields = head.split('|');
    let status = match fields.next().unwrap_or_default() {
        "lost" => return Answer::Lost { cause: "no answer within 30s".to_owned() },
        "unsent" => return Answer::NotSent { cause: "no connection".to_owned() },
        status => status.parse().unwrap_or(200),
    };
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let headers = Headers { retry_after: field(), location: field(), content_type: field() };
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let answer = wire::read(status, headers, body, KEY, now);
    let told = format!("{answer:?}");
    assert!(!told.to_lowercase().contains(KEY), "the key: {told}");
    assert!(told.len() < 8 << 20, "{} bytes are told of {}", told.len(), body.len());
    if let Answer::Busy { retry_after, .. } = &answer {
        assert!(retry_after.is_none_or(|wait| wait <= Duration::from_hours(1)));
    }
    answer
}

fn play(settings: Settings, work: Work, answers: Vec<Answer>) {
    let mut books = Books::new(&work);
    let mut machine = Machine::new(settings, work);
    let (mut answers, mut now, mut sent) = (answers.into_iter(), Duration::ZERO, 0);
    for _ in 0..STEPS_MAX {
        match machine.next(now) {
            Step::Commit(commit) => machine.committed(books.commit(commit)),
            Step::Send(request) => {
                books.check(&request);
                match answers.next() {
                    Some(answer) => {
                        sent += u64::from(!matches!(answer, Answer::NotSent { .. }));
                        machine.answered(now, answer);
                    }
                    None => machine.stop(),
                }
            }
            Step::Wait(until) => {
                assert!(until > now, "waits for what is past");
                now = until;
            }
            Step::Done(report) => {
                assert_eq!(report.requests, sent);
                return books.close(report.stopped == Some(Stop::Overtaken));
            }
        }
    }
    panic!("does not end");
}

/// A ledger as far as the machine is concerned.
struct Books {
    all: BTreeSet<Address>,
    open: BTreeMap<IntentId, NewIntent>,
    next: i64,
    decided: BTreeSet<Address>,
}

impl Books {
    fn new(work: &Work) -> Books {
        let resumed = work.resume.iter().flat_map(|(_, intent)| &intent.addresses);
        let renamed = work.rename.iter().flat_map(|(from, to)| [from, to]);
        Books {
            all: resumed.chain(renamed).chain(&work.assign).chain(&work.unassign).cloned().collect(),
            open: work.resume.iter().cloned().collect(),
            next: 1,
            decided: BTreeSet::new(),
        }
    }

    fn commit(&mut self, commit: Commit) -> Option<IntentId> {
        assert_ne!(commit, Commit::default(), "a commit that says nothing");
        if let Some((id, outcomes)) = commit.settled {
            let unknown = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Unknown { .. })).count();
            assert!(unknown == 0 || unknown == outcomes.len(), "an intent that is open in part");
            let named: BTreeSet<Address> = outcomes.iter().map(|(address, _)| address.clone()).collect();
            let intent = if unknown == 0 { self.open.remove(&id) } else { self.open.get(&id).cloned() };
            let intent = intent.unwrap();
            assert_eq!(named, intent.addresses.into_iter().collect(), "all of an intent is named");
            if unknown == 0 {
                self.decided.extend(named);
            }
        }
        self.decided.extend(commit.left.into_iter().map(|(address, _)| address));
        commit.intent.map(|intent| {
            for address in &intent.addresses {
                let is_open = self.open.values().any(|other| other.addresses.contains(address));
                assert!(!is_open, "{address} is in two open intents");
                self.decided.remove(address);
            }
            self.next += 1;
            self.open.insert(IntentId(self.next), intent);
            IntentId(self.next)
        })
    }

    fn check(&self, request: &Request) {
        assert!(!request.addresses.is_empty(), "an empty request");
        let covers = |intent: &NewIntent| {
            intent.operation == request.operation && request.addresses.iter().all(|a| intent.addresses.contains(a))
        };
        assert!(self.open.values().any(covers), "sent without an intent: {request:?}");
    }

    /// Everybody has an outcome or stands behind an open intent; or has neither, where all that is left is planned anew.
    fn close(&self, anew: bool) {
        for address in &self.all {
            let is_open = self.open.values().any(|intent| intent.addresses.contains(address));
            match (is_open, self.decided.contains(address)) {
                (true, false) | (false, true) => {}
                (true, true) => panic!("{address} has an outcome, and a request is open"),
                (false, false) => assert!(anew, "{address} is forgotten"),
            }
        }
    }
}
