//! The rules that always hold, and a deliberate mistake against each.

/// The rules that always hold, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Every address of an accepted roster is in exactly one state, with a reason.
    NothingDropped = 1,
    /// Nothing is unassigned that rosterd did not assign or adopt.
    OnlyOurs,
    /// An intent is on disk before its request leaves, and ends with the answer; what the ledger believes is so.
    IntentFirst,
    /// No removals beyond the guard without an approval.
    Guarded,
    /// A source that could not be read whole changes nothing.
    WholeOrNothing,
    /// When everything stands still the server's state becomes desired ∩ seats, in order.
    Converges,
    /// Unassigning goes before assigning.
    FreeFirst,
    /// The key is nowhere.
    KeyNowhere,
    /// One writer at a time.
    OneWriter,
    /// No more requests than needed.
    FewRequests,
    /// Nobody loses a seat so that somebody else gets one: only leavers free seats.
    OnlyLeavers,
    /// A plan and a run judge alike.
    PlanIsRun,
}

/// A deliberate mistake against each rule, to prove that its check can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// An entry of a reading is dropped silently.
    EntryDropped,
    /// An unassignment takes somebody along whom rosterd never assigned.
    StrangerTaken,
    /// A request asks for one more than its intent says.
    BeyondIntent,
    /// The guard is off.
    NoGuard,
    /// A reading that broke off is believed.
    BrokenBelieved,
    /// Seats are given to the least urgent first.
    WorstFirst,
    /// An assignment overtakes the unassignment that is to make room for it.
    Overtaking,
    /// What a server echoes is not redacted.
    KeyShown,
    /// A second process takes a lease that is held.
    TwoWriters,
    /// Each address goes alone.
    Singly,
    /// Somebody who is listed is taken for a leaver.
    DesiredTaken,
    /// A reading does not tell that somebody was renamed.
    IdDropped,
    /// The plan that is shown comes from another configuration.
    OtherPlan,
    /// The fleet's brake is off.
    NoBrake,
    /// A ledger that was restored is taken for the newest.
    RestoredBelieved,
    /// Removals that follow a change of the configuration are not held.
    ChangeBelieved,
}

impl Mistake {
    pub(crate) const ALL: [(Mistake, Rule); 16] = [
        (Mistake::EntryDropped, Rule::NothingDropped),
        (Mistake::StrangerTaken, Rule::OnlyOurs),
        (Mistake::BeyondIntent, Rule::IntentFirst),
        (Mistake::NoGuard, Rule::Guarded),
        (Mistake::BrokenBelieved, Rule::WholeOrNothing),
        (Mistake::WorstFirst, Rule::Converges),
        (Mistake::Overtaking, Rule::FreeFirst),
        (Mistake::KeyShown, Rule::KeyNowhere),
        (Mistake::TwoWriters, Rule::OneWriter),
        (Mistake::Singly, Rule::FewRequests),
        (Mistake::DesiredTaken, Rule::OnlyLeavers),
        (Mistake::IdDropped, Rule::OnlyLeavers),
        (Mistake::OtherPlan, Rule::PlanIsRun),
        (Mistake::NoBrake, Rule::Guarded),
        (Mistake::RestoredBelieved, Rule::Guarded),
        (Mistake::ChangeBelieved, Rule::Guarded),
    ];
}
