//! What a person reads of each cause: read these aloud after a change.

use chrono::TimeDelta;

use super::{at, config};
use crate::address::Address;
use crate::alert::cause::{self, Cause, Facts, SourceFacts};
use crate::alert::{Alert, Phase, Subject, render, words};
use crate::brake::Brake;
use crate::config::AlertEvent;
use crate::dispatch::stop::GIVES_NO_ANSWER;
use crate::ledger::{StoredHold, SubscriptionRecord};
use crate::member::{Departure, Doubt, Member, MemberState, Restored, Seats};
use crate::plan::{Hold, Removal};
use crate::report::status::MemberCounts;
use crate::roster::Reason;
use crate::telemetry::Masked;

fn text(subject: Subject, cause: &Cause) -> String {
    let words = cause.words.map(|text| Masked(text).to_string());
    let since = cause.since.unwrap_or(at(0));
    let (id, now, event) = ("msg_1".to_owned(), at(60), cause.event);
    let alert =
        Alert { cause: id.clone(), id, phase: Phase::New, event, subject, since, at: now, words, gathered: vec![] };
    render::text(&alert, std::time::Duration::from_hours(24))
}

fn member(address: &str, state: MemberState, reason: &str) -> Member {
    Member {
        address: Address::parse(address).unwrap(),
        state,
        since: at(0),
        reason: reason.to_owned(),
        priority: 100,
        has_seat: state == MemberState::Leaving,
        waiting_since: None,
        departure: None,
        kept: false,
        refused: false,
        claim: None,
    }
}

/// The one cause of a subscription.
fn of_contoso(record: &SubscriptionRecord, unsettled: &[Member], counts: MemberCounts) -> String {
    let config = config("[defaults]\nremoval_grace = \"4d\"\n");
    let subscription = &config.subscriptions["contoso"];
    let facts = Facts { subscription, record, counts, unsettled, brake: None, now: at(60) };
    let [cause] = &cause::of_subscription(&facts).standing[..] else { panic!("one cause") };
    text(Subject::Subscription("contoso".to_owned()), cause)
}

fn nobody() -> MemberCounts {
    MemberCounts::default()
}

fn failed(problem: &str, key_rejected: bool) -> SubscriptionRecord {
    SubscriptionRecord { problem: Some((problem.to_owned(), at(0))), key_rejected, ..SubscriptionRecord::default() }
}

#[test]
fn seats_run_out() {
    let seats = Seats { available: 40, assigned: 40, as_of: at(0) };
    let record = SubscriptionRecord { seats: Some(seats), ..SubscriptionRecord::default() };
    let departure = Departure {
        reason: Reason::Left,
        source: "hr".into(),
        at: at(0),
        renamed_to: None,
        origin: "staff.csv line 7".into(),
    };
    let leaver = Member { departure: Some(departure), ..member("lea@contoso.com", MemberState::Leaving, "") };
    let waiting = ["ada@contoso.com", "alan@contoso.com", "bob@contoso.com"];
    let waiting = waiting.map(|address| member(address, MemberState::Pending, "no seat is free"));
    let unsettled: Vec<Member> = waiting.into_iter().chain([leaver]).collect();
    insta::assert_snapshot!(of_contoso(&record, &unsettled, nobody()), @r"
        contoso: 3 people wait for a licence, 0 of 40 seats are free, 1 leaver's seat comes free on Tuesday: buy 2.

        Who: 2 × a***@contoso.com, b***@contoso.com

        What rosterd did: It has given out every free seat, by priority and then by time of waiting, and takes none away from anybody.

        What you have to do: Buy 2 seats for contoso. Whoever waits is given a seat within 15 minutes of the purchase.

        If nobody does it: They go on waiting until somebody leaves.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
    insta::assert_snapshot!(of_contoso(&record, &unsettled[2..], nobody()), @r"
        contoso: 1 person waits for a licence, 0 of 40 seats are free, 1 leaver's seat comes free on Tuesday: buy 1 unless they can wait until then.

        Who: b***@contoso.com

        What rosterd did: It has given out every free seat, by priority and then by time of waiting, and takes none away from anybody.

        What you have to do: Buy 1 seat for contoso, unless they can wait until Tuesday. Whoever waits is given a seat within 15 minutes of the purchase.

        If nobody does it: They wait until Tuesday.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn a_key_is_not_accepted() {
    let waits = MemberCounts { pending: 2, ..nobody() };
    let problem = "the licensing server does not accept the key of contoso (Not authorised); put the key from the owner's page into its file";
    insta::assert_snapshot!(of_contoso(&failed(problem, true), &[], waits), @r"
        contoso: the licensing server does not accept the key.

        It says: Not authorised.

        What rosterd did: It sends nothing for contoso but a try now and then. Nobody lost a licence by it.

        What you have to do: Copy the key from the subscription's page into the secret's file /etc/rosterd/contoso.key. It is tried as soon as it is changed.

        If nobody does it: Joiners get no licence, and leavers keep theirs. 2 people wait already.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn removals_are_held() {
    let removal = |address: &str| Removal {
        address: Address::parse(address).unwrap(),
        reason: Reason::Left,
        detail: String::new(),
        then: None,
    };
    let hold = Hold {
        digest: "d".into(),
        removals: vec![removal("ada@contoso.com"), removal("bob@contoso.com")],
        reasons: vec!["all 2 members would lose the seat".into()],
        braked: false,
    };
    let record = SubscriptionRecord { hold: Some(StoredHold { hold, since: at(0) }), ..SubscriptionRecord::default() };
    insta::assert_snapshot!(of_contoso(&record, &[], nobody()), @r"
        contoso: 2 removals are held until a person decides.

        All 2 members would lose the seat.

        Who: a***@contoso.com (left), b***@contoso.com (left)

        What rosterd did: It took no licence away, and serves joiners.

        What you have to do: Look with `rosterd plan contoso`, then say `rosterd approve contoso` or `rosterd reject contoso`.

        If nobody does it: They keep their licences, and the seats stay taken.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn addresses_are_quarantined() {
    let bad = ["ada@fabrikam.com", "bob@fabrikam.com"];
    let bad = bad.map(|address| {
        let reason = "the domain fabrikam.com is not among this subscription's domains";
        member(address, MemberState::Quarantined, reason)
    });
    insta::assert_snapshot!(of_contoso(&SubscriptionRecord::default(), &bad, nobody()), @r"
        contoso: 2 addresses are quarantined and can't be given a licence.

        Who: a***@fabrikam.com: the domain fabrikam.com is not among this subscription's domains; b***@fabrikam.com: the domain fabrikam.com is not among this subscription's domains

        What rosterd did: It set them aside, and serves everybody else.

        What you have to do: Correct them where they come from; `rosterd members contoso --state quarantined` says why. What the server refused is tried again after `rosterd retry contoso`.

        If nobody does it: These people get no licence.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
    insta::assert_snapshot!(of_contoso(&SubscriptionRecord::default(), &bad[1..], nobody()), @r"
        contoso: 1 address is quarantined and can't be given a licence.

        Who: b***@fabrikam.com: the domain fabrikam.com is not among this subscription's domains

        What rosterd did: It set it aside, and serves everybody else.

        What you have to do: Correct it where it comes from; `rosterd members contoso --state quarantined` says why. What the server refused is tried again after `rosterd retry contoso`.

        If nobody does it: This person gets no licence.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn others_change_licences() {
    let record = |change: i64, shortfall: Option<u64>| {
        let found = serde_json::json!({"change": change, "surplus": change, "after": null, "by": at(30)});
        let shortfall = shortfall.map(|seats| serde_json::json!({"seats": seats, "after": at(0), "by": at(30)}));
        let drift = serde_json::json!({"surplus": change, "as_of": at(30), "shortfall": shortfall, "newest": found});
        SubscriptionRecord { drift: serde_json::from_value(drift).unwrap(), ..SubscriptionRecord::default() }
    };
    insta::assert_snapshot!(of_contoso(&record(2, None), &[], nobody()), @r"
        contoso: 2 licences were assigned before 2024-10-04 00:30:00 UTC by other means than rosterd.

        rosterd takes nothing back that it did not assign; `rosterd adopt contoso FILE` takes over whom the file names.

        What rosterd did: It changed nothing because of it.

        What you have to do: Ask who else assigns or unassigns licences of contoso.

        If nobody does it: Those seats stay taken, and rosterd gives them to nobody.

        Since 2024-10-04 00:30 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
    insta::assert_snapshot!(of_contoso(&record(-1, Some(1)), &[], nobody()), @r#"
        contoso: 1 licence was unassigned between 2024-10-04 00:00:00 UTC and 2024-10-04 00:30:00 UTC by other means than rosterd: rosterd had assigned or adopted it.

        `reassert = "7d"` sends each known assignment again once in 7 days, which gives back what is missed.

        What rosterd did: It changed nothing because of it.

        What you have to do: Ask who else assigns or unassigns licences of contoso.

        If nobody does it: Whoever lost a licence that way stays without one, though rosterd counts them as served.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        "#);
}

#[test]
fn runs_fail() {
    let away =
        format!("{GIVES_NO_ANSWER}: error sending request: tcp connect error: Connection refused (os error 111)");
    insta::assert_snapshot!(of_contoso(&failed(&away, false), &[], nobody()), @r"
        contoso: the licensing server gives no answer that counts.

        Error sending request: tcp connect error: Connection refused (os error 111).

        What rosterd did: It stopped the run and wrote down what had been done. Nobody lost a licence by it.

        What you have to do: Look whether the licensing server can be reached from this machine (a firewall, a proxy, the network). It is tried again by itself until it answers.

        If nobody does it: Joiners get no licence, and leavers keep theirs.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
    let redirect = "the licensing server redirects to x.example, which is never followed because the request holds the key; is licensing.base_url right?";
    insta::assert_snapshot!(of_contoso(&failed(redirect, false), &[], nobody()), @r"
        contoso: the licensing server redirects to x.example, which is never followed because the request holds the key.

        Is licensing.base_url right?

        What rosterd did: It stopped the run and wrote down what had been done. Nobody lost a licence by it.

        What you have to do: Mend what is said above. The next run tries again by itself.

        If nobody does it: Joiners get no licence, and leavers keep theirs.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn a_source_gives_nothing_that_can_be_believed() {
    let subscriptions: Vec<String> = (1..=10).map(|n| format!("client{n}")).collect();
    let facts = |problem, rejected| SourceFacts {
        name: "hr",
        problem: Some((problem, at(0))),
        passing: false,
        rejected,
        roster: Some((1, at(0))),
        subscriptions: &subscriptions,
        now: at(60),
    };
    let source = |facts: SourceFacts<'_>| text(Subject::Source("hr".to_owned()), &cause::of_source(facts).standing[0]);
    let file = "staff.csv has no column with the e-mail address; its columns are \"name\". Name it: columns = { email = \"…\" }.";
    insta::assert_snapshot!(source(facts(file, true)), @r#"
        source hr: staff.csv has no column with the e-mail address.

        Its columns are "name". Name it: columns = { email = "…" }.

        What rosterd did: It keeps to the roster of before (1 person, accepted at 2024-10-04 00:00 UTC). Nobody loses a licence by this.

        What you have to do: Mend what is said above, where the files come from. A file that was refused lies in the folder `rejected`, with a report beside it. A new one is read by itself.

        If nobody does it: Whoever joined since gets no licence in client1, client2, client3, client4, client5, client6, client7, client8 and 2 more, and whoever left keeps theirs.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        "#);
    let directory = "ldaps://dc1.contoso.com can't be reached: connection refused. Does it run?";
    let none = SourceFacts { roster: None, subscriptions: &subscriptions[..1], ..facts(directory, false) };
    insta::assert_snapshot!(source(none), @r"
        source hr: ldaps://dc1.contoso.com can't be reached: connection refused.

        Does it run?

        What rosterd did: Nothing: there is no roster of before. Nobody loses a licence by this.

        What you have to do: Mend what is said above. The source is looked at again by itself.

        If nobody does it: Whoever joined since gets no licence in client1, and whoever left keeps theirs.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn removals_are_stopped_everywhere() {
    let brake = Brake { since: at(0), reason: "7 of 10 subscriptions are in trouble at once.".into() };
    insta::assert_snapshot!(text(Subject::Fleet, &cause::of_fleet(Some(&brake)).standing[0]), @r"
        Removals are stopped everywhere until a person decides.

        7 of 10 subscriptions are in trouble at once.

        What rosterd did: It takes no licence away meanwhile, and serves joiners.

        What you have to do: `rosterd status` says what is wrong. Mend it, then say `rosterd resume`.

        If nobody does it: Leavers keep their licences in every subscription, and the seats stay taken.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn a_changed_configuration_can_not_be_used() {
    let why = "error: `off` is not a share from 0% to 100%\n  --> /etc/rosterd/rosterd.toml:17:24\n   |\n1 problem in the configuration";
    let refused = (why.to_owned(), at(0));
    assert_eq!(cause::of_configuration(Some(&refused), at(1)).standing, [], "somebody may be writing it");
    let causes = cause::of_configuration(Some(&refused), at(5));
    insta::assert_snapshot!(text(Subject::Configuration, &causes.standing[0]), @r"
        The configuration was changed and can't be used: rosterd goes on with the old one.

        /etc/rosterd/rosterd.toml:17:24: `off` is not a share from 0% to 100%.

        What rosterd did: It refused the change whole, and goes on as it was configured before. Nobody lost a licence by it.

        What you have to do: `rosterd check` says what is wrong and where. Mend it; the files are read again by themselves.

        If nobody does it: What was changed has no effect, and rosterd does not start anew with these files.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn a_ledger_was_restored() {
    let restored = Restored { doubt: Doubt::Older { file: 9 }, generation: 7, as_of: Some(at(0)) };
    insta::assert_snapshot!(text(Subject::Ledger, &cause::of_ledger(Some(&restored)).standing[0]), @r"
        The ledger may not be the newest: no licence is taken back until a person decides.

        The ledger was restored from a copy of 2024-10-04 00:00 UTC (it is at generation 7, and was at 9), so that nobody knows who was given or lost a licence since.

        What rosterd did: It takes no licence away meanwhile, and serves joiners.

        What you have to do: Put the newest ledger in its place. Where there is none, give this one the newest rosters, then say `rosterd ledger accept`, which shows who would lose the licence.

        If nobody does it: Leavers keep their licences in every subscription, and the seats stay taken.

        Since 2024-10-04 00:00 UTC, told at 2024-10-04 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
        ");
}

#[test]
fn each_cause_has_a_word_for_its_end() {
    let contoso = Subject::Subscription("contoso".to_owned());
    let hr = Subject::Source("hr".to_owned());
    let over = |subject: &Subject, event, configured| {
        let words = words::over(subject, event, at(0), at(0) + TimeDelta::hours(5), configured);
        format!("{}. {} {}\n", words.headline, words.detail, words.to_do)
    };
    let mut all: String = AlertEvent::ALL.into_iter().take(7).map(|event| over(&contoso, event, true)).collect();
    for subject in [&hr, &Subject::Fleet, &Subject::Ledger, &Subject::Configuration] {
        all.push_str(&over(subject, AlertEvent::SourceFailed, true));
    }
    all.push_str(&over(&contoso, AlertEvent::Drift, false));
    insta::assert_snapshot!(all, @r"
        contoso: nobody has to wait for a licence any more. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: the licensing server accepts the key. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: no removal is held any more. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: it can be read again. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: no address is quarantined any more. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: no licence is known to be missed any more. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: its runs go on. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        source hr: it can be read again. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        Removals go on everywhere. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        The ledger is believed again, and removals go on. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        The configuration can be used again. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        contoso: not looked after any more, because it is not in the configuration. It began at 2024-10-04 00:00 UTC and lasted 5 hours. Nothing.
        ");
}
