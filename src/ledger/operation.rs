//! An operation's life: what a member's record may be, what may happen to it, and what it is then. One function,
//! [`next`], for the plan's records, the requests' outcomes, what a crash left open, and a person's words.
//!
//! Two of the rules that always hold live here. Nothing is unassigned that is not known to hold a seat; and while a
//! request about an address is open, nothing else is decided about it.

use super::MemberState;
use crate::dispatch::machine::Outcome;
use crate::licensing::wire::Operation;

/// What a member's record may be: a [`MemberState`] with its seat, without the pairs that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not a member.
    Absent,
    Waiting,
    Pending,
    Quarantined,
    /// The server refused a request about a seat that is held.
    QuarantinedWithSeat,
    Assigned,
    Leaving,
    /// A request is open; there was no seat before.
    Unknown,
    /// A request is open; there was a seat before.
    UnknownWithSeat,
}

impl State {
    #[cfg(test)]
    pub(crate) const ALL: [State; 9] = [
        State::Absent,
        State::Waiting,
        State::Pending,
        State::Quarantined,
        State::QuarantinedWithSeat,
        State::Assigned,
        State::Leaving,
        State::Unknown,
        State::UnknownWithSeat,
    ];

    /// `None` for a pair that can't be: a leaver without a seat, say.
    pub fn of(state: MemberState, has_seat: bool) -> Option<State> {
        Some(match (state, has_seat) {
            (MemberState::Waiting, false) => State::Waiting,
            (MemberState::Pending, false) => State::Pending,
            (MemberState::Quarantined, false) => State::Quarantined,
            (MemberState::Quarantined, true) => State::QuarantinedWithSeat,
            (MemberState::Assigned, true) => State::Assigned,
            (MemberState::Leaving, true) => State::Leaving,
            (MemberState::Unknown, false) => State::Unknown,
            (MemberState::Unknown, true) => State::UnknownWithSeat,
            (MemberState::Waiting | MemberState::Pending, true)
            | (MemberState::Assigned | MemberState::Leaving, false) => {
                return None;
            }
        })
    }

    /// As people see it; `None` for [`State::Absent`].
    pub fn member_state(self) -> Option<MemberState> {
        Some(match self {
            State::Absent => return None,
            State::Waiting => MemberState::Waiting,
            State::Pending => MemberState::Pending,
            State::Quarantined | State::QuarantinedWithSeat => MemberState::Quarantined,
            State::Assigned => MemberState::Assigned,
            State::Leaving => MemberState::Leaving,
            State::Unknown | State::UnknownWithSeat => MemberState::Unknown,
        })
    }

    pub fn has_seat(self) -> bool {
        matches!(self, State::QuarantinedWithSeat | State::Assigned | State::Leaving | State::UnknownWithSeat)
    }

    /// Whether a request about it is open.
    pub fn is_open(self) -> bool {
        matches!(self, State::Unknown | State::UnknownWithSeat)
    }
}

/// What may happen to a member's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    // A request.
    /// An intent names it.
    Asked(Operation),
    /// The server did it, or had it done before.
    Confirmed(Operation),
    /// The server refused the address.
    Refused,
    /// There was no seat for it.
    NoSeat,
    /// The request had no effect: back to what it was.
    NotDone {
        before: State,
    },
    /// No answer that counts: the intent stays open.
    Unanswered,

    // The plan, without a request.
    /// No longer desired, the seat is kept for now.
    Leaves,
    /// Desired again.
    Returns,
    /// No longer desired, and never had a seat.
    Dropped,
    /// No longer named, and kept.
    Kept,
    /// Its start is ahead.
    Waits,
    /// Set aside by the policy.
    SetAside,
    /// Wants a seat, and none is free.
    Queued,

    // A person.
    Adopted,
    Forgotten,
    Retried,
}

/// A step that the rules forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{step:?} is not possible for a member that is {state:?}")]
pub struct Illegal {
    pub state: State,
    pub step: Step,
}

/// What a record is after a step.
///
/// # Errors
/// When the rules forbid the step.
pub fn next(state: State, step: Step) -> Result<State, Illegal> {
    let illegal = Err(Illegal { state, step });
    let seatless = matches!(state, State::Absent | State::Waiting | State::Pending | State::Quarantined);
    let seated = matches!(state, State::Assigned | State::Leaving | State::QuarantinedWithSeat);
    match step {
        // Assigning who is assigned is how a seat is asserted again.
        Step::Asked(Operation::Assign) if seatless => Ok(State::Unknown),
        Step::Asked(_) if seated => Ok(State::UnknownWithSeat),

        Step::Confirmed(Operation::Assign) if state.is_open() => Ok(State::Assigned),
        Step::Confirmed(Operation::Unassign) if state == State::UnknownWithSeat => Ok(State::Absent),
        Step::Refused if state == State::Unknown => Ok(State::Quarantined),
        Step::Refused if state == State::UnknownWithSeat => Ok(State::QuarantinedWithSeat),
        Step::NoSeat if state.is_open() => Ok(State::Pending),
        Step::NotDone { before } if state.is_open() && !before.is_open() && before.has_seat() == state.has_seat() => {
            Ok(before)
        }
        Step::Unanswered if state.is_open() => Ok(state),

        Step::Leaves if seated => Ok(State::Leaving),
        Step::Returns | Step::Kept if seated => Ok(State::Assigned),
        Step::Dropped if seatless && state != State::Absent => Ok(State::Absent),
        Step::Waits if seatless => Ok(State::Waiting),
        Step::SetAside if seatless => Ok(State::Quarantined),
        Step::Queued if seatless => Ok(State::Pending),

        Step::Adopted if seatless => Ok(State::Assigned),
        Step::Forgotten if state != State::Absent && !state.is_open() => Ok(State::Absent),
        Step::Retried if state == State::Quarantined => Ok(State::Pending),
        Step::Retried if state == State::QuarantinedWithSeat => Ok(State::Assigned),
        _ => illegal,
    }
}

/// The step that an outcome of a request means.
///
/// `None`: this outcome can't come of this operation.
pub fn step_of(operation: Operation, outcome: &Outcome, before: State) -> Option<Step> {
    Some(match (operation, outcome) {
        (Operation::Assign, Outcome::Assigned | Outcome::AssignedAlready { .. })
        | (Operation::Unassign, Outcome::Unassigned | Outcome::UnassignedAlready { .. }) => Step::Confirmed(operation),
        (Operation::Assign, Outcome::NoSeat) => Step::NoSeat,
        // Who holds a seat keeps it, whatever the server thinks of asking for it again.
        (Operation::Assign, Outcome::Refused { .. }) if before.has_seat() => Step::NotDone { before },
        (_, Outcome::Refused { .. }) => Step::Refused,
        (_, Outcome::NotDone { .. }) => Step::NotDone { before },
        (_, Outcome::Unknown { .. }) => Step::Unanswered,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const STEPS: [Step; 18] = [
        Step::Asked(Operation::Assign),
        Step::Asked(Operation::Unassign),
        Step::Confirmed(Operation::Assign),
        Step::Confirmed(Operation::Unassign),
        Step::Refused,
        Step::NoSeat,
        Step::NotDone { before: State::Pending },
        Step::NotDone { before: State::Leaving },
        Step::Unanswered,
        Step::Leaves,
        Step::Returns,
        Step::Dropped,
        Step::Kept,
        Step::Waits,
        Step::SetAside,
        Step::Queued,
        Step::Adopted,
        Step::Forgotten,
    ];

    #[test]
    fn every_pair_of_state_and_step_has_its_answer() {
        let mut table = String::new();
        for step in STEPS.into_iter().chain([Step::Retried]) {
            write!(table, "{step:?}:").unwrap();
            for state in State::ALL {
                if let Ok(after) = next(state, step) {
                    write!(table, " {state:?}>{after:?}").unwrap();
                }
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table, @"
        Asked(Assign): Absent>Unknown Waiting>Unknown Pending>Unknown Quarantined>Unknown QuarantinedWithSeat>UnknownWithSeat Assigned>UnknownWithSeat Leaving>UnknownWithSeat
        Asked(Unassign): QuarantinedWithSeat>UnknownWithSeat Assigned>UnknownWithSeat Leaving>UnknownWithSeat
        Confirmed(Assign): Unknown>Assigned UnknownWithSeat>Assigned
        Confirmed(Unassign): UnknownWithSeat>Absent
        Refused: Unknown>Quarantined UnknownWithSeat>QuarantinedWithSeat
        NoSeat: Unknown>Pending UnknownWithSeat>Pending
        NotDone { before: Pending }: Unknown>Pending
        NotDone { before: Leaving }: UnknownWithSeat>Leaving
        Unanswered: Unknown>Unknown UnknownWithSeat>UnknownWithSeat
        Leaves: QuarantinedWithSeat>Leaving Assigned>Leaving Leaving>Leaving
        Returns: QuarantinedWithSeat>Assigned Assigned>Assigned Leaving>Assigned
        Dropped: Waiting>Absent Pending>Absent Quarantined>Absent
        Kept: QuarantinedWithSeat>Assigned Assigned>Assigned Leaving>Assigned
        Waits: Absent>Waiting Waiting>Waiting Pending>Waiting Quarantined>Waiting
        SetAside: Absent>Quarantined Waiting>Quarantined Pending>Quarantined Quarantined>Quarantined
        Queued: Absent>Pending Waiting>Pending Pending>Pending Quarantined>Pending
        Adopted: Absent>Assigned Waiting>Assigned Pending>Assigned Quarantined>Assigned
        Forgotten: Waiting>Absent Pending>Absent Quarantined>Absent QuarantinedWithSeat>Absent Assigned>Absent Leaving>Absent
        Retried: Quarantined>Pending QuarantinedWithSeat>Assigned
        ");
    }

    #[test]
    fn a_state_and_its_parts_are_the_same_thing() {
        for state in State::ALL {
            if let Some(member) = state.member_state() {
                assert_eq!(State::of(member, state.has_seat()), Some(state));
            }
        }
        assert_eq!(State::of(MemberState::Leaving, false), None);
        assert_eq!(State::of(MemberState::Pending, true), None);
    }

    #[test]
    fn an_outcome_of_another_operation_is_no_outcome() {
        assert_eq!(step_of(Operation::Assign, &Outcome::Unassigned, State::Absent), None);
        assert_eq!(step_of(Operation::Unassign, &Outcome::Assigned, State::Assigned), None);
        assert_eq!(step_of(Operation::Unassign, &Outcome::NoSeat, State::Assigned), None);
    }
}
