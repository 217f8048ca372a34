//! Answers are lost and the process dies where a test says so; each test reads as what people see.

use insta::assert_snapshot;

use chrono::TimeDelta;

use super::super::*;
use super::play::*;
use crate::config::{BrakeLimits, Limit};
use crate::intake::take_reading;
use crate::sandbox::dialect::{AlreadyAssigned, Dialect, Errors, NoSeats, Partial, StatsOn402};
use crate::source::{Incomplete, Reading};

/// Every way in which a server can treat what it is sent a second time.
fn dialects() -> impl Iterator<Item = Dialect> {
    (0..16).map(|bits: u8| {
        let partial = |bit: u8| if bits & bit == 0 { Partial::RefuseAll } else { Partial::ApplyRest };
        Dialect {
            already_assigned: if bits & 1 == 0 { AlreadyAssigned::Ok } else { AlreadyAssigned::Error },
            errors: if bits & 2 == 0 { Errors::Named } else { Errors::Anonymous },
            bad_address: partial(4),
            not_assigned: partial(8),
            ..Dialect::default()
        }
    })
}

#[test]
fn who_left_while_the_answer_was_lost_is_unassigned_and_who_stays_is_not_sent_again() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        assert_eq!(play.pass(&[fate]), "PUT ann bob: lost");
        assert_eq!(play.members(), "ann unknown, bob unknown");
        play.roster("ann");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nDELETE bob: done", "{fate:?}");
        play.is_settled("ann");
        assert_eq!(
            play.history("bob").lines().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(),
            ["Unknown", "Assigned", "Unassigned"]
        );
    }
}

#[test]
fn whatever_the_server_says_of_repetitions_a_lost_answer_ends_with_who_should_have_a_seat() {
    for dialect in dialects() {
        for (one, two) in
            [(LostBefore, LostBefore), (LostAfter, LostBefore), (LostBefore, LostAfter), (LostAfter, LostAfter)]
        {
            let play = Play::new(dialect);
            play.roster("ann bob cid dan eve");
            play.pass(&[one]);
            play.roster("ann cid dan fay");
            play.pass(&[two]);
            play.pass(&[]);
            assert_eq!(play.server(), "ann cid dan fay", "{dialect:?}, {one:?}, {two:?}");
            play.is_settled("ann cid dan fay");

            // The same with unassignments.
            play.roster("ann gus");
            play.pass(&[one]);
            play.pass(&[two]);
            play.pass(&[]);
            play.is_settled("ann gus");
        }
    }
}

#[test]
fn a_repetition_that_is_refused_because_it_had_been_done_is_a_success() {
    let named = Dialect { already_assigned: AlreadyAssigned::Error, ..Dialect::default() };
    let play = Play::new(named);
    play.roster("ann bob");
    play.pass(&[LostAfter]);
    assert_eq!(play.pass(&[]), "PUT ann bob: refused");
    play.is_settled("ann bob");
    assert_snapshot!(play.history("bob"), @r"
    Unknown: no answer to the request to assign it: the server can't be reached: no answer within 30s
    Assigned: hr: staff.csv line 3; it was assigned already: 'bob@contoso.com' is already assigned.
    ");

    let play = Play::new(Dialect { errors: Errors::Anonymous, ..named });
    play.roster("ann bob");
    play.pass(&[LostAfter]);
    assert_snapshot!(play.pass(&[]), @r"
    PUT ann bob: refused
    PUT ann: refused
    PUT bob: refused
    ");
    play.is_settled("ann bob");

    for errors in [Errors::Named, Errors::Anonymous] {
        let play = Play::new(Dialect { errors, ..named });
        play.roster("ann bob cid");
        play.pass(&[]);
        play.roster("ann");
        assert_eq!(play.pass(&[LostAfter]), "DELETE bob cid: lost");
        assert_eq!(play.members(), "ann assigned, bob unknown with a seat, cid unknown with a seat");
        play.pass(&[]);
        play.is_settled("ann");
        assert!(play.history("cid").contains("it was not assigned:"), "{}", play.history("cid"));
    }
}

#[test]
fn who_was_renamed_while_the_answer_was_lost_has_one_seat_under_the_new_address() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("1:ann 2:bob");
        play.pass(&[fate]);
        play.roster("1:anna 2:bob");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nPUT anna: done\nDELETE ann: done", "{fate:?}");
        play.is_settled("anna bob");
        assert!(play.history("ann").ends_with("Renamed: to anna@contoso.com"), "{}", play.history("ann"));
    }
}

#[test]
fn a_rename_whose_answers_are_lost_leaves_one_seat() {
    for fates in [[LostBefore, Answered], [LostAfter, Answered], [Answered, LostBefore], [Answered, LostAfter]] {
        let play = Play::new(Dialect::default());
        play.roster("1:ann 2:bob");
        play.pass(&[]);
        play.roster("1:anna 2:bob");
        play.pass(if fates[0] == Answered { &fates } else { &fates[..1] });
        play.pass(&[]);
        play.is_settled("anna bob");
    }
}

#[test]
fn a_key_that_is_refused_in_between_settles_nothing() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        play.pass(&[fate]);
        play.at_the_server(|subscription| subscription.set_key(OTHER_KEY.into()));
        play.roster("ann cid");
        assert_eq!(play.pass(&[]), "PUT ann bob: key refused", "nothing else is sent");
        assert_eq!(
            play.members(),
            "ann unknown, bob unknown, cid pending",
            "a refused key does not say who has a seat"
        );
        assert!(play.problem().contains("key"), "{}", play.problem());
        *play.world.outside.key.lock().unwrap() = OTHER_KEY.into();
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nDELETE bob: done\nPUT cid: done");
        play.is_settled("ann cid");
    }
}

#[test]
fn seats_that_went_in_between_leave_them_waiting_in_their_places() {
    for no_seats in [NoSeats::RefuseAll, NoSeats::Fill] {
        for stats_on_402 in [StatsOn402::No, StatsOn402::Yes] {
            let play = Play::new(Dialect { no_seats, stats_on_402, ..Dialect::default() });
            play.roster("ann bob cid");
            play.pass(&[LostBefore]);
            // Somebody assigns eight others, and two seats are left.
            play.assign_by_hand("o0 o1 o2 o3 o4 o5 o6 o7");
            play.roster("ann bob cid dan");
            let sent = play.pass(&[]);
            assert!(sent.starts_with("PUT ann bob cid: no seats\n"), "{sent}");
            assert_eq!(play.members(), "ann assigned, bob assigned, cid pending, dan pending", "{sent}");
            play.at_the_server(|subscription| subscription.set_seats(11));
            play.pass(&[]);
            assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan pending");
        }
    }
}

#[test]
fn seats_that_went_in_between_take_nobodys_seat_who_had_been_given_one() {
    for no_seats in [NoSeats::RefuseAll, NoSeats::Fill] {
        let play = Play::new(Dialect { no_seats, ..Dialect::default() });
        play.roster("ann bob cid");
        play.pass(&[LostAfter]);
        play.at_the_server(|subscription| subscription.set_seats(3));
        play.roster("ann bob cid dan");
        play.pass(&[]);
        assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan pending");
        assert_eq!(play.server(), "ann bob cid");
    }
}

#[test]
fn a_file_that_changes_twice_before_the_next_pass_counts_as_it_is_then() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        play.pass(&[fate]);
        play.roster("ann");
        play.roster("ann bob cid");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nPUT cid: done");
        play.is_settled("ann bob cid");

        // Of whoever was being removed and is back nobody makes sure that they are removed.
        play.roster("ann cid");
        assert_eq!(play.pass(&[fate]), "DELETE bob: lost");
        play.roster("ann");
        play.roster("ann bob");
        assert_eq!(play.pass(&[]), "PUT bob: done\nDELETE cid: done");
        play.is_settled("ann bob");
    }
}

#[test]
fn a_process_that_dies_while_settling_is_followed_by_one_that_settles() {
    for (one, two) in
        [(DiesBefore, DiesAfter), (DiesAfter, DiesBefore), (LostAfter, DiesAfter), (LostBefore, DiesBefore)]
    {
        for dialect in dialects() {
            let mut play = Play::new(dialect);
            play.roster("ann bob cid");
            play.pass(&[one]);
            play.restart();
            play.roster("ann dan");
            play.pass(&[two]);
            assert_eq!(play.members(), "ann unknown, bob unknown, cid unknown", "{one:?}, {two:?}, {dialect:?}");
            play.restart();
            play.pass(&[]);
            play.is_settled("ann dan");

            play.roster("dan");
            play.pass(&[one]);
            play.restart();
            play.pass(&[two]);
            assert_eq!(play.members(), "ann unknown with a seat, dan assigned");
            play.restart();
            play.pass(&[]);
            play.is_settled("dan");
        }
    }
}

#[test]
fn a_process_that_dies_in_the_search_for_an_offender_loses_nobody() {
    for deaths in 0..6 {
        for dialect in dialects() {
            let mut play = Play::new(dialect);
            play.at_the_server(|subscription| {
                subscription.assign("cid@contoso.com", crate::sandbox::dialect::Case::Insensitive);
            });
            play.roster("ann bob cid dan eve");
            let mut fates = vec![Answered; deaths];
            fates.push(DiesAfter);
            *play.world.outside.now.lock().unwrap() += TimeDelta::minutes(5);
            *play.world.outside.fates.lock().unwrap() = fates.into();
            let _died = play.runtime.block_on(pass(&play.world, play.subscription(), Trigger::Roster, true));
            play.restart();
            play.pass(&[]);
            play.is_settled("ann bob cid dan eve");
        }
    }
}

#[test]
fn a_lost_answer_holds_up_those_alone_whom_it_concerns() {
    let play = Play::new(Dialect::default());
    play.roster("ann bob cid dan eve fay");
    assert_eq!(play.pass(&[Answered, LostAfter]), "PUT ann bob cid dan: done\nPUT eve fay: lost");
    assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan assigned, eve unknown, fay unknown");
    play.roster("bob cid dan eve fay");
    assert_eq!(play.pass(&[LostAfter]), "PUT eve fay: lost", "a server that does not answer is asked once");
    assert_eq!(play.pass(&[]), "PUT eve fay: done\nDELETE ann: done");
    play.is_settled("bob cid dan eve fay");
}

/// Where a brake is configured only now, what went before is as if the process had died between the two.
#[test]
fn removals_that_were_noted_as_held_by_a_process_that_died_are_seen_by_the_next() {
    let mut play = Play::new(Dialect::default());
    play.roster("ann bob cid dan eve fay gus");
    play.pass(&[Answered, Answered]);
    Arc::make_mut(&mut play.world.config).brake = None;
    play.roster("ann");
    assert_eq!(play.pass(&[]), "");
    let brake = |play: &Play| play.world.outside.ledger.lock().unwrap().brake().unwrap().map(|brake| brake.reason);
    assert_eq!(brake(&play), None);
    play.restart();
    Arc::make_mut(&mut play.world.config).brake = Some(BrakeLimits { share: Limit::Count(0), at_least: 1 });
    assert_eq!(play.pass(&[]), "");
    assert!(brake(&play).unwrap().starts_with("Within an hour removals were held in 1 "));
}

#[test]
fn a_source_that_was_noted_as_failing_by_a_process_that_died_is_seen_by_the_next() {
    let mut play = Play::new(Dialect::default());
    let refuse = |play: &Play| {
        let reading = Reading::Incomplete(Incomplete::lasting("no header".to_owned()));
        let (config, source) = (&play.world.config, &play.world.config.sources["hr"]);
        take_reading(config, &play.world.outside, source, reading).unwrap();
        play.world.outside.ledger.lock().unwrap().brake().unwrap().map(|brake| brake.reason)
    };
    Arc::make_mut(&mut play.world.config).brake = None;
    assert_eq!(refuse(&play), None);
    Arc::make_mut(&mut play.world.config).brake = Some(BrakeLimits { share: Limit::Count(0), at_least: 1 });
    assert!(refuse(&play).unwrap().contains("sources failed in 1 of 1 subscription"));
}
