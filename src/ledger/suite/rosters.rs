//! Rosters.

use super::*;

pub(in crate::ledger) fn an_accepted_roster_reads_back(ledger: &mut Ledger) {
    let full = Entry {
        address: Address::parse("Ann@Contoso.com").unwrap(),
        stable_id: Some("e1".into()),
        route: Some("contoso".into()),
        priority: -3,
        starts: Some(When::parse("2026-12-01").unwrap()),
        ends: Some(When::parse("2027-01-01T08:00:00+01:00").unwrap()),
        origin: "staff.csv line 2".into(),
    };
    let plain = entry("bob");
    let mut accepted = acceptance(vec![Change::Added(full.clone()), Change::Added(plain.clone())]);
    accepted.evidence.file = Some("staff.csv".into());
    ledger.accept(&accepted, at(1)).unwrap();

    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!((record.entries, record.accepted_at, &*record.scope), (7, Some(at(1)), "columns"));
    assert_eq!(record.evidence, accepted.evidence);
    assert_eq!(record.fingerprint, Fingerprint::default().to_bytes());

    let key = |entry: &Entry| ledger.hasher().entry_key(entry.address.identity(), entry.route.as_deref());
    let mut rows = Vec::new();
    ledger.for_each_row("hr", &Parts::all(), &mut |key, content| rows.push((key, content))).unwrap();
    let mut expected = [&full, &plain].map(|entry| (key(entry), ledger.hasher().content(entry)));
    expected.sort_unstable();
    assert_eq!(rows, expected);

    let found = ledger.entries_by_key("hr", &[key(&plain), key(&entry("nobody")), key(&full)]).unwrap();
    let wanted = [("hr", key(&plain)), ("another", key(&plain)), ("hr", key(&entry("nobody"))), ("hr", key(&full))];
    assert_eq!(ledger.rosters_with(&wanted).unwrap(), [wanted[0], wanted[3]]);
    assert_eq!(found, [plain, full.clone()]);
    assert_eq!(found[1].address.spelling(), "Ann@Contoso.com");
    assert_eq!(ledger.entries_by_id("hr", &["e0", "e1"]).unwrap(), [full]);
    assert_eq!(ledger.source("another").unwrap(), None);
    assert_eq!(told(ledger), ["RosterAccepted: hr: 7 entries from staff.csv: 2 new, 0 changed, 0 gone"]);
}

pub(in crate::ledger) fn changes_edit_the_roster_and_touch_their_addresses(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob", "cid"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    assert_eq!(touched(ledger, 2), Vec::<String>::new());

    let changed = Entry { priority: 1, ..entry("bob") };
    ledger
        .accept(&acceptance(vec![removed("ann"), Change::Changed(changed.clone()), Change::Added(entry("dan"))]), at(2))
        .unwrap();
    assert_eq!(touched(ledger, 3), ["ann", "bob", "dan"]);
    let list = look(ledger, 3).list;
    assert_eq!(list[0].entries, []);
    let departure = list[0].departure.as_ref().unwrap();
    assert_eq!((departure.reason, &*departure.source, &*departure.origin), (Reason::Left, "hr", "ann's line"));
    assert_eq!(list[1].entries, [("hr".to_owned(), changed)]);
    assert_eq!(list[1].departure, None);
}

pub(in crate::ledger) fn an_entry_with_a_route_touches_its_subscription_alone(ledger: &mut Ledger) {
    let both = || vec!["contoso".to_owned(), "fabrikam".to_owned()];
    ledger.accept(&Acceptance { subscriptions: both(), ..acceptance(added(&["ann"])) }, at(0)).unwrap();
    for name in both() {
        let lease = ledger.acquire(&name, &Owner("me".into()), TERM, at(0)).unwrap().unwrap();
        let seen = ledger.candidates(&name, &sources(), Look::Touched, at(1)).unwrap().seen;
        ledger.record_plan(&lease, RUN, &Arc::default(), "policy", seen, at(1)).unwrap();
    }
    let routed = Entry { route: Some("fabrikam".into()), ..entry("bob") };
    let changes = vec![Change::Added(routed), Change::Added(entry("cid"))];
    ledger.accept(&Acceptance { subscriptions: both(), ..acceptance(changes) }, at(2)).unwrap();
    assert_eq!(touched(ledger, 3), ["cid"]);
    let others = ledger.candidates("fabrikam", &sources(), Look::Touched, at(3)).unwrap().list;
    assert_eq!(names(others.iter().map(|candidate| &candidate.address)), ["bob", "cid"]);
    assert_eq!(others[0].entries.len(), 1);
    let all = ledger.candidates("contoso", &sources(), Look::All, at(3)).unwrap().list;
    assert_eq!(names(all.iter().map(|candidate| &candidate.address)), ["ann", "cid"]);
}

pub(in crate::ledger) fn a_departure_stays_noted_until_a_plan_is_done_with_it(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(2)).unwrap();
    let seen = look(ledger, 3).seen;

    // Named again before a plan: nothing has departed. And what comes after the look is for the next plan.
    ledger.accept(&acceptance(added(&["ann"])), at(3)).unwrap();
    assert_eq!(look(ledger, 4).list[0].departure, None);
    let plan = Plan { leaving: vec![leaving("bob")], ..Plan::default() };
    ledger.record_plan(&lease, RUN, &with_departures(plan), "policy", seen, at(4)).unwrap();
    assert_eq!(touched(ledger, 5), ["ann", "bob"]);
    let list = look(ledger, 5).list;
    assert_eq!(list[1].departure, None);
    let departure = list[1].member.as_ref().unwrap().departure.as_ref().unwrap();
    assert_eq!((&*departure.source, &*departure.origin, departure.at), ("hr", "staff.csv line 7", at(1)));
}

pub(in crate::ledger) fn a_first_roster_has_all_addresses_looked_at(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.adopt(&lease, &addresses(&["zoe"]), "it", at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(1)).unwrap();
    assert_eq!(touched(ledger, 2), ["ann", "bob", "zoe"]);
    record(ledger, &lease, Plan::default(), 2);
    assert_eq!(touched(ledger, 3), Vec::<String>::new());
    assert_eq!(ledger.subscription("contoso").unwrap().scope.as_deref(), Some("policy"));
}

pub(in crate::ledger) fn a_large_change_keeps_its_departures(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(2)).unwrap();
    let mut many: Vec<Change> = (0..10_001).map(|number| Change::Added(entry(&format!("p{number}")))).collect();
    many.push(Change::Added(entry("bob")));
    ledger.accept(&acceptance(many), at(3)).unwrap();
    let list = look(ledger, 4).list;
    assert_eq!(list.len(), 10_003);
    let of = |name: &str| list.iter().find(|candidate| candidate.address == address(name)).unwrap();
    assert!(of("ann").departure.is_some() && of("ann").entries.is_empty());
    assert!(of("bob").departure.is_none() && of("bob").entries.len() == 1);
}

pub(in crate::ledger) fn both_looks_see_the_same_person(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let spelled = Entry { address: Address::parse("ANN@contoso.com").unwrap(), ..entry("ann") };
    ledger.accept(&acceptance(vec![]), at(0)).unwrap();
    ledger.accept(&Acceptance { source: "ad".into(), ..acceptance(vec![]) }, at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let routed = Entry { route: Some("contoso".into()), ..entry("ann") };
    let changes = vec![Change::Added(routed), Change::Added(spelled.clone()), removed("bob")];
    ledger.accept(&acceptance(changes), at(1)).unwrap();
    let spelled_otherwise =
        Change::Added(Entry { address: Address::parse("Cid@contoso.com").unwrap(), ..entry("cid") });
    let changes = vec![Change::Added(spelled), spelled_otherwise];
    ledger.accept(&Acceptance { source: "ad".into(), ..acceptance(changes) }, at(1)).unwrap();

    let some = look(ledger, 2).list;
    let all = ledger.candidates("contoso", &sources(), Look::All, at(2)).unwrap().list;
    assert_eq!(some, all);
    let spellings = |list: &[crate::plan::input::Candidate]| -> Vec<String> {
        list.iter().map(|candidate| candidate.address.spelling().to_owned()).collect()
    };
    assert_eq!(spellings(&some), ["ann@contoso.com", "bob@contoso.com", "Cid@contoso.com"]);
    assert_eq!(spellings(&all), spellings(&some));
    assert_eq!(some[0].entries.len(), 3);
}

pub(in crate::ledger) fn a_new_address_is_looked_at_with_the_old_one_however_settled(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid", "dan"], 0);
    record(ledger, &lease, Plan::default(), 0);
    let renamed = |from: &str, to: &str| Change::Removed {
        entry: entry(from),
        reason: Reason::Renamed,
        renamed_to: Some(address(to)),
    };
    ledger.accept(&acceptance(vec![]), at(1)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![renamed("bob", "cid"), renamed("ann", "bob")]), at(2)).unwrap();
    assert_eq!(touched(ledger, 2), ["ann", "bob", "cid"], "noted");
    let departures = look(ledger, 2).list.into_iter().filter_map(|it| Some((it.address, *it.departure?))).collect();
    let plan = Plan { leaving: vec![leaving("ann"), leaving("bob")], departures, ..Plan::default() };
    record(ledger, &lease, plan, 3);
    assert_eq!(touched(ledger, 4), ["ann", "bob", "cid"], "stored");
}

pub(in crate::ledger) fn a_rename_in_one_roster_outlives_a_departure_from_another(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let ad = |changes| Acceptance { source: "ad".into(), ..acceptance(changes) };
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    ledger.accept(&ad(added(&["ann", "bob"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    let renamed = |from: &str, to: &str| Change::Removed {
        entry: entry(from),
        reason: Reason::Renamed,
        renamed_to: Some(address(to)),
    };
    ledger.accept(&acceptance(vec![renamed("ann", "eve"), Change::Added(entry("eve"))]), at(1)).unwrap();
    ledger.accept(&ad(vec![Change::Changed(entry("ann"))]), at(1)).unwrap();
    ledger.accept(&ad(vec![removed("ann"), removed("bob")]), at(2)).unwrap();
    ledger.accept(&acceptance(vec![removed("bob")]), at(3)).unwrap();
    let list = look(ledger, 4).list;
    let told = |candidate: &crate::plan::input::Candidate| {
        let departure = candidate.departure.as_ref()?;
        Some((departure.source.clone(), departure.renamed_to.clone()))
    };
    assert_eq!(told(&list[0]), Some(("hr".to_owned(), Some(address("eve")))));
    assert_eq!(told(&list[1]), Some(("hr".to_owned(), None)));

    ledger.accept(&acceptance(vec![Change::Added(entry("ann"))]), at(5)).unwrap();
    assert_eq!(told(&look(ledger, 6).list[0]), None, "who is named again by the same roster was not renamed");
}

pub(in crate::ledger) fn who_was_renamed_while_the_subscription_was_left_out_is_known(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 0);
    let renamed = Change::Removed { entry: entry("ann"), reason: Reason::Renamed, renamed_to: Some(address("eve")) };
    let changes = vec![renamed, removed("bob"), Change::Added(entry("eve"))];
    ledger.accept(&Acceptance { subscriptions: vec!["fabrikam".into()], ..acceptance(changes) }, at(1)).unwrap();
    let told =
        |candidate: crate::plan::input::Candidate| Some((candidate.departure?.renamed_to, candidate.entries.len()));
    let list = look(ledger, 2).list;
    assert_eq!(list.len(), 3);
    assert_eq!(list.into_iter().filter_map(told).collect::<Vec<_>>(), [(Some(address("eve")), 0)]);
    let renamed = Change::Removed { entry: entry("ann"), reason: Reason::Renamed, renamed_to: Some(address("zoe")) };
    let missed = Acceptance { source: "ad".into(), ..acceptance(added(&["ann"])) };
    ledger.accept(&missed, at(2)).unwrap();
    let missed = Acceptance { subscriptions: vec!["fabrikam".into()], ..missed };
    ledger.accept(&Acceptance { changes: vec![renamed], ..missed }, at(2)).unwrap();
    assert_eq!(look(ledger, 2).list[0].departure.as_ref().unwrap().renamed_to, Some(address("eve")));
    let elsewhere = |all| ledger.candidates("contoso", &["sap".to_owned()], all, at(2)).unwrap().list;
    let told = |all| elsewhere(all).into_iter().filter(|candidate| candidate.departure.is_some()).count();
    assert_eq!((told(Look::All), told(Look::Touched)), (0, 0), "what a source says that is not looked at any more");
}

pub(in crate::ledger) fn dates_that_fall_due_make_candidates(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let starts = When::At(at(60 * 100));
    let ends = When::At(at(60 * 200));
    let changes = vec![
        Change::Added(Entry { starts: Some(starts), ..entry("ann") }),
        Change::Added(Entry { ends: Some(ends), ..entry("bob") }),
        Change::Added(Entry { ends: Some(ends), route: Some("fabrikam".into()), ..entry("cid") }),
    ];
    ledger.accept(&acceptance(changes), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    assert_eq!(touched(ledger, 60 * 50), Vec::<String>::new());
    assert_eq!(touched(ledger, 60 * 101), ["ann"]);
    record(ledger, &lease, Plan::default(), 60 * 150);
    assert_eq!(touched(ledger, 60 * 160), Vec::<String>::new());
    assert_eq!(touched(ledger, 60 * 200), ["bob"]);
}

pub(in crate::ledger) fn dates_that_a_clock_ran_past_are_looked_at_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let ends = When::At(at(60 * 24 * 5));
    ledger.accept(&acceptance(vec![Change::Added(Entry { ends: Some(ends), ..entry("ann") })]), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    assert_eq!(touched(ledger, 1), Vec::<String>::new());
    // Ten days ahead, and back: what ended there has not ended here.
    let ahead = 60 * 24 * 10;
    assert_eq!(touched(ledger, ahead), ["ann"]);
    record(ledger, &lease, Plan::default(), ahead);
    assert_eq!(touched(ledger, 2), ["ann"]);
}

pub(in crate::ledger) fn a_source_that_was_missed_has_all_addresses_looked_at(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    let elsewhere = Acceptance { subscriptions: vec!["fabrikam".into()], ..acceptance(added(&["cid"])) };
    ledger.accept(&elsewhere, at(1)).unwrap();
    assert_eq!(touched(ledger, 1), ["ann", "bob", "cid"]);
    record(ledger, &lease, Plan::default(), 1);
    assert_eq!(touched(ledger, 2), Vec::<String>::new());
    ledger.accept(&acceptance(added(&["dan"])), at(3)).unwrap();
    assert_eq!(touched(ledger, 3), ["dan"]);
}

pub(in crate::ledger) fn whoever_had_a_bad_row_is_looked_at_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 1);
    let bad = |name: &str| BadRow {
        origin: "staff.csv line 2".into(),
        reason: "has too few fields".into(),
        stable_id: None,
        address: Some(address(name)),
    };
    let rows = [bad("ann"), bad("nobody")];
    ledger.accept_unchanged("hr", &Evidence::default(), &rows, at(2)).unwrap();
    assert_eq!(touched(ledger, 2), ["ann"]);
    record(ledger, &lease, Plan::default(), 3);
    ledger.accept_unchanged("hr", &Evidence::default(), &rows, at(4)).unwrap();
    assert_eq!(touched(ledger, 4), Vec::<String>::new());
    ledger.accept_unchanged("hr", &Evidence::default(), &[], at(5)).unwrap();
    assert_eq!(touched(ledger, 5), ["ann"]);
}

pub(in crate::ledger) fn a_source_that_says_nothing_new_touches_nobody(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    let evidence = Evidence { file: Some("b.csv".into()), digest: Some("d".into()), ..Evidence::default() };
    ledger.accept_unchanged("hr", &evidence, &[], at(2)).unwrap();
    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!((record.accepted_at, record.entries), (Some(at(2)), 7));
    assert_eq!(touched(ledger, 3), Vec::<String>::new());
    // The very same is not even written.
    ledger.accept_unchanged("hr", &evidence, &[], at(3)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, Some(at(2)));
}

pub(in crate::ledger) fn a_refused_reading_changes_nothing_and_is_told_once(ledger: &mut Ledger) {
    let why = |reason: &str| Incomplete::passing(reason);
    ledger.refuse("hr", &why("The share is away."), at(0)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, None);
    ledger.accept(&acceptance(added(&["ann"])), at(1)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().problem, None);
    for minutes in 2..5 {
        ledger.refuse("hr", &why("The file is empty."), at(minutes)).unwrap();
    }
    ledger.refuse("hr", &why("The share is away."), at(6)).unwrap();
    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!(record.problem, Some(("The share is away.".into(), at(2))));
    assert_eq!((record.accepted_at, record.entries), (Some(at(1)), 7));
    ledger.source_well("hr").unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().problem, None);
    assert_eq!(
        told(ledger),
        [
            "RosterRefused: hr: The share is away.",
            "RosterAccepted: hr: 7 entries: 1 new, 0 changed, 0 gone",
            "RosterRefused: hr: The file is empty.",
            "RosterRefused: hr: The share is away.",
        ]
    );
}

pub(in crate::ledger) fn files_are_done_with_once(ledger: &mut Ledger) {
    let evidence = Evidence { file: Some("1.csv".into()), digest: Some("d1".into()), ..Evidence::default() };
    let delta = Some(DeltaFile { written: 1, place: "drops".into() });
    let taken = Acceptance { evidence, delta, ..acceptance(vec![]) };
    let file = |name: &str, digest: &str, written| FileMark { name: name.into(), digest: digest.into(), written };
    ledger.accept(&taken, at(0)).unwrap();
    assert_eq!(ledger.newest_file_refused("hr").unwrap(), None);
    ledger.refuse_file("hr", &file("2.csv", "d2", 2), "columns", at(1)).unwrap();
    assert_eq!(ledger.newest_file_refused("hr").unwrap().as_deref(), Some("2.csv"));
    let done = |ledger: &Ledger, source, name, digest, written, judged_by| {
        ledger.file_done(source, &file(name, digest, written), judged_by).unwrap()
    };
    assert_eq!(done(ledger, "hr", "1.csv", "d1", 1, "columns"), Some(FileDone::Taken));
    assert_eq!(done(ledger, "hr", "1.csv", "d1", 1, "others"), Some(FileDone::Taken));
    assert_eq!(done(ledger, "hr", "2.csv", "d2", 2, "columns"), Some(FileDone::Refused));
    assert_eq!(done(ledger, "hr", "2.csv", "d2", 2, "others"), None, "it is judged anew");
    assert_eq!(done(ledger, "hr", "1.csv", "d2", 1, "columns"), None);
    assert_eq!(done(ledger, "hr", "1.csv", "d1", 5, "columns"), None, "it was written anew");
    assert_eq!(done(ledger, "ad", "1.csv", "d1", 1, "columns"), None);
    // What is refused was not taken, and what is put away is not there.
    assert_eq!(ledger.last_delta("hr", "drops").unwrap().as_deref(), Some("1.csv"));
    assert_eq!(ledger.last_delta("hr", "elsewhere").unwrap(), None);
    ledger.file_put_away("hr", "1.csv").unwrap();
    assert_eq!(done(ledger, "hr", "1.csv", "d1", 1, "columns"), None);
    ledger.refuse_file("hr", &file("1.csv", "d3", 3), "columns", at(2)).unwrap();
    assert_eq!(ledger.last_delta("hr", "drops").unwrap().as_deref(), Some("1.csv"));
}

pub(in crate::ledger) fn changes_of_another_roster_than_the_stored_one_are_not_made(ledger: &mut Ledger) {
    let mut accept = |base, changes| ledger.accept(&Acceptance { base: Some(base), ..acceptance(changes) }, at(0));
    assert!(accept(0, added(&["ann", "bob"])).unwrap());
    assert!(accept(1, added(&["cid"])).unwrap());
    assert!(!accept(1, vec![removed("cid"), removed("ann")]).unwrap(), "it was computed before Cid was there");
    assert_eq!(touched(ledger, 1), ["ann", "bob", "cid"]);
    assert_eq!(ledger.source("hr").unwrap().unwrap().revision, 2);
    assert_eq!(ledger.candidate("contoso", &sources(), address("cid").identity()).unwrap().entries.len(), 1);
}

pub(in crate::ledger) fn an_acceptance_says_how_many_came_and_went(ledger: &mut Ledger) {
    ledger.accept(&acceptance(added(&["ann", "bob", "cid", "dan", "eva"])), at(0)).unwrap();
    let edited = |name: &str| Change::Changed(Entry { priority: 1, ..entry(name) });
    let mut changes = added(&["fay"]);
    changes.extend([edited("ann"), edited("bob"), removed("cid"), removed("dan"), removed("eva")]);
    ledger.accept(&acceptance(changes), at(1)).unwrap();
    assert_eq!(told(ledger)[1..], ["RosterAccepted: hr: 7 entries: 1 new, 2 changed, 3 gone"]);
}

pub(in crate::ledger) fn what_waits_to_be_looked_at_is_known(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assert!(!look(ledger, 0).touched);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assert!(look(ledger, 0).touched, "everybody");
    record(ledger, &lease, Plan::default(), 1);
    assert!(!look(ledger, 1).touched);
    ledger.accept(&acceptance(vec![removed("ann")]), at(2)).unwrap();
    assert!(look(ledger, 2).touched, "one by one");
}

pub(in crate::ledger) fn a_file_that_says_the_same_is_heard_of_at_its_time(ledger: &mut Ledger) {
    ledger.refuse("hr", &Incomplete::passing("The share is away."), at(0)).unwrap();
    ledger.source_heard("hr", at(1)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, None, "it has said nothing yet");
    ledger.accept(&acceptance(added(&["ann"])), at(2)).unwrap();
    ledger.source_heard("hr", at(3)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, Some(at(3)));
}

pub(in crate::ledger) fn a_day_is_looked_at_until_it_has_come_everywhere(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let day = When::parse("2027-01-20").unwrap();
    let midnight = (day.about() - at(0)).num_minutes();
    ledger.accept(&acceptance(vec![Change::Added(Entry { ends: Some(day), ..entry("ann") })]), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), midnight - 30 * 60);
    assert_eq!(touched(ledger, midnight - 14 * 60), ["ann"], "begun in Kiribati");
    record(ledger, &lease, Plan::default(), midnight + 5 * 60);
    assert_eq!(touched(ledger, midnight + 11 * 60), ["ann"], "begun in Samoa, too");
    record(ledger, &lease, Plan::default(), midnight + 30 * 60);
    assert_eq!(touched(ledger, midnight + 31 * 60), Vec::<String>::new());
}

pub(in crate::ledger) fn a_date_that_passed_while_a_clock_was_ahead_is_seen(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let ends = |minutes| Some(When::At(at(minutes)));
    ledger.accept(&acceptance(vec![Change::Added(Entry { ends: ends(60 * 100), ..entry("ann") })]), at(0)).unwrap();
    // Looked at by a clock that was a month ahead, and set back since.
    record(ledger, &lease, Plan::default(), 60 * 24 * 30);
    assert_eq!(touched(ledger, 60 * 200), ["ann"], "four days after it has ended");
    record(ledger, &lease, Plan::default(), 60 * 201);
    assert_eq!(touched(ledger, 60 * 300), [""; 0], "what was looked at by the right clock is done with");
}

pub(in crate::ledger) fn whether_a_source_tells_of_changes_is_noted_when_that_changes(ledger: &mut Ledger) {
    let me = Owner::this_process();
    let by = |server: &str| Push::By(server.to_owned());
    let not = |why: &str| Push::Not(why.to_owned());
    let said = |ledger: &Ledger| ledger.push("hr").unwrap().map(|record| (record.push, record.since));
    assert_eq!(said(ledger), None);
    let mut note = |push: Push, minute: i64| {
        ledger.note_push("hr", &push, &me, at(minute)).unwrap();
        said(ledger).unwrap()
    };
    assert_eq!(note(by("dc1"), 1), (by("dc1"), at(1)), "before it was ever read");
    assert_eq!(note(by("dc1"), 2), (by("dc1"), at(1)));
    assert_eq!(note(by("dc2"), 3), (by("dc2"), at(3)));
    assert_eq!(note(not("It is gone."), 4), (not("It is gone."), at(4)));
    assert_eq!(note(not("It says no."), 5), (not("It says no."), at(4)), "since the first of the reasons");
    assert_eq!(note(by("dc2"), 6), (by("dc2"), at(6)));
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, None);
    assert!(told(ledger).is_empty());
    // The one who was told is gone: nobody listens, and what another one hears begins then.
    let (place, random) = me.0.rsplit_once(':').unwrap();
    let gone = Owner(format!("{}:{random}", place.replace(&std::process::id().to_string(), "4999999")));
    ledger.note_push("hr", &not("It is gone."), &gone, at(7)).unwrap();
    assert_eq!(said(ledger), None);
    ledger.note_push("hr", &not("It is gone."), &me, at(8)).unwrap();
    assert_eq!(said(ledger), Some((not("It is gone."), at(8))));
}
