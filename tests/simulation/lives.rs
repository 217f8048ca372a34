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
