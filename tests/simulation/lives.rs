//! Lives in which something went wrong once.

use crate::life::play;
use crate::script::{Action, Chances, Change, Edit, How, Script, Setting};

fn setting() -> Setting {
    Setting {
        dialect: 0,
        batch_size: 1,
        seats: [9; 3],
        max_removals: (100, 100),
        always_allow: 0,
        grace: 0,
        exclude: false,
        protect: false,
        hold_after_change: true,
        brake: false,
        reassert: false,
        delta: false,
        sources: [&[0, 1], &[0, 1], &[1]],
        left_out: None,
    }
}

fn join(source: usize, person: usize) -> Action {
    Action::Edit { source, person, edit: Edit::Join { priority: 100, starts: None, ends: None, only: None } }
}

fn read(source: usize) -> Action {
    Action::Read { source, how: How::Whole, crash: None }
}

fn pass(client: usize) -> Action {
    Action::Pass { client, process: 0, ask: true, chances: Chances::default() }
}

fn plays_well(actions: Vec<Action>) {
    plays_well_in(setting(), actions);
}

fn plays_well_in(setting: Setting, actions: Vec<Action>) {
    if let Err(failure) = play(&Script { setting, actions }, None, true) {
        panic!("{}\n{:?}", failure.log.join("\n"), failure.broken);
    }
}

#[test]
fn an_undo_that_ends_at_any_moment_forgets_nobody() {
    for crash in 0..40 {
        let undo = Action::Undo { client: 0, chances: Chances { crash: Some(crash), ..Chances::default() } };
        plays_well(vec![join(0, 6), join(0, 9), read(0), pass(0), undo]);
    }
}

#[test]
fn a_client_that_was_left_out_when_its_source_was_first_read_misses_nobody() {
    let left_out = Action::Configure(Change::LeftOut(Some(1)));
    plays_well(vec![join(0, 9), read(0), pass(1), join(1, 6), left_out, read(1)]);
}

#[test]
fn a_client_that_was_left_out_misses_no_change_of_a_source_that_it_looked_at_once() {
    let names = |sources| Action::Configure(Change::Sources { client: 1, sources });
    let left_out = Action::Configure(Change::LeftOut(Some(1)));
    let before = vec![names(&[0]), join(0, 9), join(1, 6), read(0), read(1), pass(1)];
    let after = vec![names(&[0, 1]), pass(1), left_out, join(1, 7), read(1)];
    plays_well([before, after].concat());
}

/// The server applies what is right of a refused request, and names nobody.
#[test]
fn who_is_in_doubt_is_not_taken_for_seatless_because_another_is() {
    let setting = Setting { dialect: 0b101_0110, batch_size: 6, ..setting() };
    let dies =
        Action::Pass { client: 0, process: 0, ask: true, chances: Chances { crash: Some(24), ..Chances::default() } };
    let by_hand = Action::ByHand { client: 0, person: 16, assign: false };
    let seats = Action::Seats { client: 0, seats: 1 };
    let short = Action::Edit {
        source: 0,
        person: 6,
        edit: Edit::Join { priority: 100, starts: None, ends: Some(4796), only: None },
    };
    plays_well_in(setting, vec![join(0, 0), join(0, 16), short, read(0), dies, by_hand, seats]);
}

#[test]
fn who_was_forgotten_is_known_again_to_a_copy_that_is_older() {
    let forget = Action::Forget { client: 0, person: 6 };
    let leave = Action::Edit { source: 0, person: 6, edit: Edit::Leave };
    plays_well(vec![join(0, 6), join(0, 7), read(0), pass(0), Action::Copy, forget, Action::Restore, leave]);
}

#[test]
fn a_claim_outlives_another_change_of_the_address() {
    let rename = || Action::Edit { source: 0, person: 6, edit: Edit::Rename };
    for crash in 0..40 {
        let dies = Action::Pass {
            client: 0,
            process: 0,
            ask: true,
            chances: Chances { crash: Some(crash), ..Chances::default() },
        };
        let by_hand = Action::ByHand { client: 0, person: 9, assign: true };
        let setting = Setting { seats: [1; 3], ..setting() };
        let before = vec![join(0, 6), join(0, 7), read(0), pass(0), rename(), read(0), dies, by_hand, pass(0)];
        let after = vec![rename(), read(0), pass(0), Action::Seats { client: 0, seats: 2 }, pass(0)];
        plays_well_in(setting, [before, after].concat());
    }
}

#[test]
fn who_is_renamed_in_one_source_and_has_ended_in_another_keeps_the_seat() {
    let edit = |person, priority, starts, ends| Action::Edit {
        source: 1,
        person,
        edit: Edit::Join { priority, starts, ends, only: None },
    };
    let setting = Setting { seats: [2, 7, 10], ..setting() };
    let before = vec![edit(12, 1, Some(17_861), None), edit(9, 100, None, None), edit(13, 100, None, Some(-6167))];
    let joins = vec![join(0, 13), read(0), read(1), pass(0)];
    let rename = Action::Edit { source: 0, person: 13, edit: Edit::Rename };
    plays_well_in(setting, [before, joins, vec![rename, read(0), Action::Wait(20_000), pass(0)]].concat());
}
