//! Whose seat is on its way: renamed people, and removals that are no longer wanted when their answer is missing.

use super::play::*;
use crate::sandbox::dialect::{AlreadyAssigned, Dialect, Errors};

/// Two seats, for the first two of these people; the third waits.
fn full(people: &str) -> Play {
    let play = Play::new(Dialect::default());
    play.at_the_server(|subscription| subscription.set_seats(2));
    play.roster(people);
    play.pass(&[]);
    play
}

#[test]
fn the_seat_of_a_renamed_person_goes_to_nobody_else() {
    for fate in [LostBefore, LostAfter, DiesAfter] {
        let mut play = full("1:ann 2:bob 3:cid");
        assert_eq!(play.members(), "ann assigned, bob assigned, cid pending");
        play.roster("1:anna 2:bob 3:cid");
        play.pass(&[fate]);
        play.restart();
        let sent = play.pass(&[]);
        assert!(sent.ends_with("\nPUT anna: done"), "{fate:?}: {sent}");
        assert_eq!(play.members(), "anna assigned, bob assigned, cid pending");
    }
}

#[test]
fn a_renamed_person_waits_before_all_others() {
    let play = full("1:ann 2:bob 3:cid");
    play.roster("1:anna 2:bob 3:cid");
    play.pass(&[Answered, LostBefore]);
    // The key is refused in between, and somebody takes the seat by hand.
    play.assign_by_hand("dan");
    play.pass(&[]);
    assert_eq!(play.members(), "anna pending, bob assigned, cid pending");
    assert_eq!(play.reason("anna"), "no seat is free");
    play.at_the_server(|subscription| subscription.set_seats(3));
    play.pass(&[]);
    assert_eq!(play.members(), "anna assigned, bob assigned, cid pending");
}

#[test]
fn a_removal_in_doubt_of_somebody_who_is_named_again_is_not_sent_again() {
    for fate in [LostBefore, LostAfter] {
        let play = full("ann bob cid");
        play.roster("bob cid");
        play.pass(&[fate]);
        play.roster("ann bob cid");
        assert_eq!(play.pass(&[]), "PUT ann: done\nPUT cid: no seats", "{fate:?}");
        assert_eq!(play.members(), "ann assigned, bob assigned, cid pending");
    }
}

#[test]
fn who_is_named_again_after_a_removal_that_others_profit_from_comes_first() {
    let play = full("ann bob cid");
    play.roster("bob cid");
    play.pass(&[LostAfter]);
    play.assign_by_hand("dan");
    play.roster("ann bob cid");
    assert!(play.pass(&[]).starts_with("PUT ann: no seats\n"));
    assert_eq!(play.members(), "ann pending, bob assigned, cid pending");
    assert_eq!(play.reason("ann"), "it was named again when its seat had been given back, and no seat is free");
    play.at_the_server(|subscription| subscription.set_seats(3));
    play.pass(&[]);
    assert_eq!(play.members(), "ann assigned, bob assigned, cid pending");
}

#[test]
fn who_is_named_again_keeps_the_seat_where_repeats_are_refused() {
    for errors in [Errors::Named, Errors::Anonymous] {
        for fate in [LostBefore, LostAfter] {
            let play = Play::new(Dialect { already_assigned: AlreadyAssigned::Error, errors, ..Dialect::default() });
            play.roster("ann bob cid dan");
            play.pass(&[]);
            play.roster("");
            play.pass(&[fate]);
            play.roster("ann bob dan");
            play.pass(&[]);
            play.is_settled("ann bob dan");
        }
    }
}

#[test]
fn who_is_renamed_to_an_address_that_is_refused_keeps_the_licence_under_the_old_one() {
    let play = full("1:ann 2:bob 3:cid");
    play.roster("1:anna! 2:bob 3:cid");
    assert_eq!(play.pass(&[]), "DELETE ann: done\nPUT anna!: refused\nPUT ann: done");
    assert_eq!(play.members(), "ann assigned, anna! quarantined, bob assigned, cid pending");
    assert_eq!(play.pass(&[]), "PUT cid: no seats", "nobody loses anything by looking again");
    assert_eq!(play.members(), "ann leaving, anna! quarantined, bob assigned, cid pending");
    assert!(
        play.reason("ann").contains("keeps the seat while the new address can't have one"),
        "{}",
        play.reason("ann")
    );
    // It is put right, and a person says so.
    play.roster("1:anna 2:bob 3:cid");
    play.pass(&[]);
    assert_eq!(play.members(), "anna assigned, bob assigned, cid pending");
}

#[test]
fn the_old_address_comes_first_when_its_seat_can_t_be_given_back_at_once() {
    for fates in [vec![Answered, Answered, LostBefore], vec![Answered, Answered, DiesBefore]] {
        let mut play = full("1:ann 2:bob 3:cid");
        play.roster("1:anna! 2:bob 3:cid");
        play.pass(&fates);
        play.restart();
        play.pass(&[]);
        assert_eq!(play.members(), "ann leaving, anna! quarantined, bob assigned, cid pending");
    }
}

#[test]
fn with_a_seat_to_spare_the_old_address_gives_up_its_own_last() {
    let play = Play::new(Dialect::default());
    play.roster("1:ann 2:bob");
    play.pass(&[]);
    play.roster("1:anna 2:bobby!");
    assert_eq!(play.pass(&[]), "PUT anna bobby!: refused\nPUT anna: done\nDELETE ann: done");
    assert_eq!(play.members(), "anna assigned, bob assigned, bobby! quarantined");
    play.pass(&[]);
    assert_eq!(play.members(), "anna assigned, bob leaving, bobby! quarantined");
}

#[test]
fn a_claim_outlives_another_change_of_the_address() {
    let play = full("1:ann 2:bob 3:cid");
    play.roster("1:anna 2:bob 3:cid");
    play.pass(&[Answered, LostBefore]);
    play.assign_by_hand("dan");
    play.pass(&[]);
    play.roster("1:annika 2:bob 3:cid");
    play.pass(&[]);
    assert_eq!(play.members(), "anna pending, annika pending, bob assigned, cid pending");
    play.at_the_server(|subscription| subscription.set_seats(3));
    play.pass(&[]);
    assert_eq!(play.members(), "annika assigned, bob assigned, cid pending");
}
