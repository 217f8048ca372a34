//! Who may send next. Pure: the moment is an argument, counted from the start of the process.
//!
//! The host's pace is one budget for all subscriptions. It is shared round robin over those that wait, and removals go
//! before assignments: a first run of 50,000 people at one client delays another client's leaver by no more than the
//! request that is going out now. Nobody is given two turns before everybody who waits for the same has had one.
//!
//! The pace starts closed: the first turn comes after one interval. A fresh bucket would be a full one, and a process
//! that crashes and starts again, or a lease that changes hands, would give out a burst each time.
//!
//! Each subscription has a limit of its own at the host's rate. It can't be the narrower one for long (a subscription
//! has one request in flight); it keeps one subscription from taking the host's whole burst. It lets two through at
//! once, not one: with one, each late wake-up of a timer would be lost for good, and the pace would fall short of what
//! is configured.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::licensing::wire::Operation;

/// How long a lowered pace stays lowered; then it is doubled, until it is the configured one again.
pub const RECOVERY_STEP: Duration = Duration::from_mins(1);
/// The pace is halved at most this many times: to one part in 64.
pub const HALVINGS_MAX: u32 = 6;
/// The longest pause that a server's `Retry-After` is given. One that asks for more is asked again after it.
pub const PAUSE_MAX: Duration = Duration::from_hours(1);

/// No pace is slower than one request a day.
const INTERVAL_MAX: Duration = Duration::from_hours(24);
/// Limits of subscriptions that have been idle are dropped when there are more than this many.
const LIMITS_KEPT: usize = 64;

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// For the host; more than 0.
    pub requests_per_second: f64,
    /// How many may go at once after an idle time; 0 counts as 1.
    pub burst: u32,
    /// Requests in flight at once.
    pub concurrency: usize,
}

/// What [`Turns::next`] answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<W> {
    /// This one may send now, and holds one of the slots until [`Turns::finished`].
    Go(W),
    /// Nobody may before this moment; then ask again.
    At(Duration),
    /// All slots are taken: ask again when one is free.
    Full,
    /// Nobody waits.
    Idle,
}

/// Those who wait to send, and the pace. `W` is whatever stands for a waiting request.
#[derive(Debug)]
pub struct Turns<W> {
    pace: Pace,
    removals: Ring<W>,
    assignments: Ring<W>,
    in_flight: usize,
    host: HostLimit,
    /// A permit of the host's limit that has been drawn and not yet given to anybody.
    drawn: bool,
    own: OwnLimits,
    /// How many times the pace is halved now.
    halvings: u32,
    /// When it was last changed.
    changed_at: Duration,
    /// When it was last lowered.
    lowered_at: Option<Duration>,
    paused_until: Duration,
}

type HostLimit = RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Duration>>;
type OwnLimits = RateLimiter<Arc<str>, HashMapStateStore<Arc<str>>, Told, NoOpMiddleware<Duration>>;

impl<W> Turns<W> {
    pub fn new(pace: Pace) -> Turns<W> {
        Turns {
            pace,
            removals: Ring::default(),
            assignments: Ring::default(),
            in_flight: 0,
            host: closed_limit(pace, 0, Duration::ZERO),
            drawn: false,
            own: own_limits(pace, Duration::ZERO),
            halvings: 0,
            changed_at: Duration::ZERO,
            lowered_at: None,
            paused_until: Duration::ZERO,
        }
    }

    /// Another pace is configured, and holds from now on. It starts closed, too; what the server asked for stays.
    pub fn set_pace(&mut self, now: Duration, pace: Pace) {
        if pace == self.pace {
            return;
        }
        self.pace = pace;
        self.drawn = false;
        self.host = closed_limit(pace, self.halvings, now);
        self.own = own_limits(pace, now);
    }

    /// This one waits from now on.
    pub fn wait(&mut self, subscription: &str, operation: Operation, waiter: W) {
        match operation {
            Operation::Unassign => self.removals.push(subscription, waiter),
            Operation::Assign => self.assignments.push(subscription, waiter),
        }
    }

    /// Who is next. Those who are no longer `wanted` are dropped on the way and cost nothing.
    pub fn next(&mut self, now: Duration, wanted: impl Fn(&W) -> bool) -> Turn<W> {
        self.recover(now);
        if self.removals.is_empty() && self.assignments.is_empty() {
            self.drawn = false;
            return Turn::Idle;
        }
        if self.in_flight >= self.pace.concurrency {
            return Turn::Full;
        }
        if now < self.paused_until {
            return Turn::At(self.paused_until);
        }
        if let Err(at) = self.draw(now) {
            return Turn::At(at);
        }
        self.give(now, wanted)
    }

    /// One whose turn it was is done: its slot is free.
    pub fn finished(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The server said "too many" to a request whose turn came at `sent_at`: the pace is halved, and nobody sends
    /// before the pause that it asked for is over. A request that was on its way when the pace was lowered says nothing
    /// new about the pace.
    pub fn slow_down(&mut self, now: Duration, sent_at: Duration, pause: Option<Duration>) {
        self.pause(now, pause.unwrap_or_default());
        if self.lowered_at.is_none_or(|lowered_at| sent_at > lowered_at) {
            self.lowered_at = Some(now);
            self.set_halvings(now, (self.halvings + 1).min(HALVINGS_MAX));
        }
    }

    /// The server asked for a pause: nobody sends before it is over.
    pub fn pause(&mut self, now: Duration, pause: Duration) {
        self.paused_until = self.paused_until.max(now + pause.min(PAUSE_MAX));
    }

    /// How long nobody sends, because the server asked for a pause.
    pub fn pause_left(&self, now: Duration) -> Duration {
        self.paused_until.saturating_sub(now)
    }

    /// Everyone who waits, none of whom waits any more.
    pub fn dismiss(&mut self) -> Vec<W> {
        let mut everyone = self.removals.drain();
        everyone.append(&mut self.assignments.drain());
        everyone
    }

    /// How many slots are taken.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many subscriptions' own limits are remembered.
    #[cfg(test)]
    pub(super) fn limits_kept(&self) -> usize {
        self.own.len()
    }

    fn recover(&mut self, now: Duration) {
        while self.halvings > 0 && now >= self.changed_at.max(self.paused_until) + RECOVERY_STEP {
            // Several steps are taken at once after an idle time, each at the moment at which it fell due.
            let due = self.changed_at.max(self.paused_until) + RECOVERY_STEP;
            self.set_halvings(due, self.halvings - 1);
        }
    }

    fn set_halvings(&mut self, now: Duration, halvings: u32) {
        self.halvings = halvings;
        self.changed_at = now;
        self.drawn = false;
        // A limit's quota can't be changed; the new one starts closed as the first did.
        self.host = closed_limit(self.pace, halvings, now);
    }

    /// Draws a permit from the host's limit, unless one is in hand; else the moment at which there is one.
    fn draw(&mut self, now: Duration) -> Result<(), Duration> {
        if !self.drawn {
            self.host.clock().tell(now);
            self.host.check().map_err(|not_until| not_until.earliest_possible())?;
            self.drawn = true;
        }
        Ok(())
    }

    /// Gives the permit in hand to the first whose own limit lets it go, removals first.
    fn give(&mut self, now: Duration, wanted: impl Fn(&W) -> bool) -> Turn<W> {
        self.own.clock().tell(now);
        if self.own.len() > LIMITS_KEPT {
            self.own.retain_recent();
            self.own.shrink_to_fit();
        }
        let own = &self.own;
        let lets_go = |subscription: &Arc<str>| own.check_key(subscription).map_err(|until| until.earliest_possible());
        let mut earliest = Duration::MAX;
        for ring in [&mut self.removals, &mut self.assignments] {
            match ring.take(&wanted, lets_go) {
                Ok(waiter) => {
                    self.drawn = false;
                    self.in_flight += 1;
                    return Turn::Go(waiter);
                }
                Err(at) => earliest = earliest.min(at),
            }
        }
        if earliest == Duration::MAX { Turn::Idle } else { Turn::At(earliest) }
    }
}

/// Subscriptions that wait, in the order of their turns; each with its own queue. One that waits for nothing is not here.
#[derive(Debug)]
struct Ring<W> {
    order: VecDeque<Arc<str>>,
    queues: HashMap<Arc<str>, VecDeque<W>>,
}

impl<W> Default for Ring<W> {
    fn default() -> Ring<W> {
        Ring { order: VecDeque::new(), queues: HashMap::new() }
    }
}

impl<W> Ring<W> {
    fn push(&mut self, subscription: &str, waiter: W) {
        if let Some(queue) = self.queues.get_mut(subscription) {
            queue.push_back(waiter);
            return;
        }
        let name: Arc<str> = subscription.into();
        self.order.push_back(Arc::clone(&name));
        self.queues.insert(name, VecDeque::from([waiter]));
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The first wanted waiter of the first subscription that may go; that subscription's next turn is after all
    /// others'. None may: the earliest moment at which one may, [`Duration::MAX`] where nobody is left.
    fn take(
        &mut self,
        wanted: impl Fn(&W) -> bool,
        lets_go: impl Fn(&Arc<str>) -> Result<(), Duration>,
    ) -> Result<W, Duration> {
        let mut earliest = Duration::MAX;
        let mut blocked = VecDeque::new();
        let mut found = None;
        while let Some(name) = self.order.pop_front() {
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            queue.retain(&wanted);
            if queue.is_empty() {
                self.queues.remove(&name);
                continue;
            }
            match lets_go(&name) {
                Ok(()) => {
                    found = queue.pop_front();
                    if queue.is_empty() {
                        self.queues.remove(&name);
                    } else {
                        self.order.push_back(name);
                    }
                    break;
                }
                Err(at) => {
                    earliest = earliest.min(at);
                    blocked.push_back(name);
                }
            }
        }
        // The blocked keep their places before those that were not looked at.
        while let Some(name) = blocked.pop_back() {
            self.order.push_front(name);
        }
        found.ok_or(earliest)
    }

    fn drain(&mut self) -> Vec<W> {
        let Ring { order, mut queues } = std::mem::take(self);
        order.iter().filter_map(|name| queues.remove(name)).flatten().collect()
    }
}

/// The host's limit at the configured rate, halved so many times, with its bucket empty. A lowered pace has no burst.
fn closed_limit(pace: Pace, halvings: u32, now: Duration) -> HostLimit {
    let burst = if halvings == 0 { NonZeroU32::new(pace.burst).unwrap_or(NonZeroU32::MIN) } else { NonZeroU32::MIN };
    let limit = RateLimiter::new(quota(pace, halvings, burst), InMemoryState::default(), Told(Cell::new(now)));
    // It holds exactly its burst, so that this takes all of it.
    let _ = limit.check_n(burst);
    limit
}

/// Each subscription's limit, at the rate that is configured for the host.
fn own_limits(pace: Pace, now: Duration) -> OwnLimits {
    let burst = NonZeroU32::new(pace.burst.clamp(1, 2)).unwrap_or(NonZeroU32::MIN);
    RateLimiter::new(quota(pace, 0, burst), HashMapStateStore::default(), Told(Cell::new(now)))
}

fn quota(pace: Pace, halvings: u32, burst: NonZeroU32) -> Quota {
    let seconds = f64::from(1_u32 << halvings) / pace.requests_per_second;
    let interval = Duration::try_from_secs_f64(seconds).unwrap_or(INTERVAL_MAX);
    let interval = interval.clamp(Duration::from_nanos(1), INTERVAL_MAX);
    Quota::with_period(interval).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

/// A clock that is told the time: governor asks for it, and here the moment is an argument.
#[derive(Debug, Clone, Default)]
struct Told(Cell<Duration>);

impl Told {
    fn tell(&self, now: Duration) {
        self.0.set(now);
    }
}

impl Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{Assign, Unassign};

    const PACE: Pace = Pace { requests_per_second: 5.0, burst: 5, concurrency: 8 };

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Runs until nobody waits; each request takes no time. Who went, and at which millisecond.
    fn drain<W>(turns: &mut Turns<W>, mut now: Duration) -> Vec<(W, u128)> {
        let mut gone = Vec::new();
        loop {
            match turns.next(now, |_| true) {
                Turn::Go(waiter) => {
                    gone.push((waiter, now.as_millis()));
                    turns.finished();
                }
                Turn::At(moment) => {
                    assert!(moment > now, "it is always later");
                    now = moment;
                }
                Turn::Full => panic!("there is a free slot"),
                Turn::Idle => return gone,
            }
        }
    }

    fn order<W>(turns: &mut Turns<W>) -> Vec<W> {
        drain(turns, Duration::ZERO).into_iter().map(|(waiter, _)| waiter).collect()
    }

    #[test]
    fn a_process_that_starts_gives_no_burst() {
        let mut turns = Turns::new(PACE);
        for number in 0..7 {
            turns.wait("contoso", Assign, number);
        }
        let times: Vec<_> = drain(&mut turns, Duration::ZERO).into_iter().map(|(_, at)| at).collect();
        assert_eq!(times, [200, 400, 600, 800, 1000, 1200, 1400]);
    }

    #[test]
    fn after_an_idle_time_the_burst_is_there_for_several_subscriptions() {
        let mut turns = Turns::new(PACE);
        for name in ["a", "b", "c", "d", "e", "f"] {
            turns.wait(name, Assign, name);
        }
        let gone = drain(&mut turns, millis(60_000));
        assert_eq!(gone, [("a", 60_000), ("b", 60_000), ("c", 60_000), ("d", 60_000), ("e", 60_000), ("f", 60_200)]);
    }

    #[test]
    fn one_subscription_takes_two_of_the_burst_at_most() {
        let mut turns = Turns::new(PACE);
        for number in 0..4 {
            turns.wait("contoso", Assign, number);
        }
        let times: Vec<_> = drain(&mut turns, millis(60_000)).into_iter().map(|(_, at)| at).collect();
        assert_eq!(times, [60_000, 60_000, 60_200, 60_400]);
    }

    #[test]
    fn the_pace_is_kept_although_each_wake_up_is_late() {
        let mut turns = Turns::new(PACE);
        let mut now = Duration::ZERO;
        for _ in 0..=100 {
            turns.wait("contoso", Assign, ());
            while let Turn::At(moment) = turns.next(now, |()| true) {
                now = moment + millis(20);
            }
            turns.finished();
        }
        let ideal = millis(200 * 101);
        assert!(now <= ideal + millis(20), "{now:?} of {ideal:?}");
    }

    #[test]
    fn subscriptions_take_turns_and_removals_go_first() {
        let mut turns = Turns::new(PACE);
        for name in ["a1", "a2", "a3", "a4"] {
            turns.wait("a", Assign, name);
        }
        turns.wait("b", Assign, "b1");
        turns.wait("b", Unassign, "b leaver");
        turns.wait("c", Assign, "c1");
        turns.wait("b", Assign, "b2");
        turns.wait("c", Unassign, "c leaver");
        assert_eq!(order(&mut turns), ["b leaver", "c leaver", "a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn a_first_run_of_many_does_not_delay_a_leaver_by_more_than_a_round() {
        let mut turns = Turns::new(PACE);
        for number in 0..500 {
            turns.wait("big", Assign, number);
        }
        assert_eq!(turns.next(millis(200), |_| true), Turn::Go(0));
        turns.wait("small", Unassign, 1000);
        assert_eq!(turns.next(millis(400), |_| true), Turn::Go(1000));
    }

    #[test]
    fn a_slot_is_for_a_request() {
        let mut turns = Turns::new(Pace { concurrency: 2, ..PACE });
        for name in ["a", "b", "c"] {
            turns.wait(name, Assign, name);
        }
        let late = millis(60_000);
        assert_eq!(turns.next(late, |_| true), Turn::Go("a"));
        assert_eq!(turns.next(late, |_| true), Turn::Go("b"));
        assert_eq!(turns.next(late, |_| true), Turn::Full);
        turns.finished();
        assert_eq!(turns.next(late, |_| true), Turn::Go("c"));
    }

    #[test]
    fn those_who_left_cost_no_turn() {
        let mut turns = Turns::new(PACE);
        for (subscription, waiter) in [("a", "left"), ("a", "a"), ("b", "left"), ("c", "c")] {
            turns.wait(subscription, Assign, waiter);
        }
        let late = millis(60_000);
        let wanted = |waiter: &&str| *waiter != "left";
        assert_eq!(turns.next(late, wanted), Turn::Go("a"));
        assert_eq!(turns.next(late, wanted), Turn::Go("c"));
        assert_eq!(turns.next(late, wanted), Turn::Idle);
        turns.wait("a", Assign, "left");
        assert_eq!(turns.next(late, wanted), Turn::Idle);
    }

    #[test]
    fn too_many_halves_the_pace_once_for_all_that_were_on_their_way() {
        let mut turns = Turns::new(PACE);
        let now = millis(10_000);
        turns.slow_down(now, millis(9_990), None);
        turns.slow_down(now + millis(5), millis(9_995), None);
        turns.slow_down(now + millis(6), now, None);
        for number in 0..3 {
            turns.wait("contoso", Assign, number);
        }
        assert_eq!(drain(&mut turns, now), [(0, 10_400), (1, 10_800), (2, 11_200)]);
        turns.slow_down(millis(11_300), millis(11_200), None);
        turns.wait("contoso", Assign, 3);
        assert_eq!(drain(&mut turns, millis(11_300)), [(3, 12_100)]);
    }

    #[test]
    fn a_lowered_pace_recovers_step_by_step() {
        let mut turns = Turns::new(PACE);
        turns.slow_down(millis(1_000), millis(900), None);
        turns.slow_down(millis(2_000), millis(1_900), None);
        let interval = |turns: &mut Turns<u8>, now: Duration| {
            for number in 0..3 {
                turns.wait("contoso", Assign, number);
            }
            let gone = drain(turns, now);
            gone[2].1 - gone[1].1
        };
        assert_eq!(interval(&mut turns, millis(3_000)), 800);
        assert_eq!(interval(&mut turns, millis(62_000)), 400);
        assert_eq!(interval(&mut turns, millis(122_000)), 200);
    }

    #[test]
    fn a_pause_is_obeyed_by_everybody_and_bounded() {
        let mut turns = Turns::new(PACE);
        turns.wait("fabrikam", Unassign, ());
        turns.slow_down(millis(1_000), millis(900), Some(Duration::from_secs(30)));
        assert_eq!(turns.next(millis(2_000), |()| true), Turn::At(millis(31_000)));
        assert_eq!(turns.next(millis(31_000), |()| true), Turn::Go(()));
        turns.slow_down(millis(32_000), millis(31_000), Some(Duration::MAX));
        assert_eq!(turns.pause_left(millis(32_000)), PAUSE_MAX);
        turns.pause(millis(33_000), millis(5));
        assert_eq!(turns.pause_left(millis(32_000)), PAUSE_MAX, "the longer pause counts");
    }

    #[test]
    fn another_pace_holds_at_once_for_those_who_wait_and_gives_no_burst() {
        let mut turns = Turns::new(PACE);
        for number in 0..5 {
            turns.wait("contoso", Assign, number);
        }
        assert_eq!(turns.next(millis(60_000), |_| true), Turn::Go(0), "of a full bucket");
        turns.set_pace(millis(60_000), Pace { requests_per_second: 50.0, burst: 50, concurrency: 1 });
        assert_eq!(turns.next(millis(60_000), |_| true), Turn::Full, "fewer slots hold at once, too");
        turns.finished();
        assert_eq!(drain(&mut turns, millis(60_000)), [(1, 60_020), (2, 60_040), (3, 60_060), (4, 60_080)]);
    }

    #[test]
    fn the_same_pace_again_and_what_the_server_asked_for_change_nothing() {
        let mut turns = Turns::new(PACE);
        turns.wait("contoso", Assign, 0);
        turns.set_pace(millis(60_000), PACE);
        assert_eq!(turns.next(millis(60_000), |_| true), Turn::Go(0), "the bucket is still full");
        turns.slow_down(millis(60_000), millis(59_000), Some(Duration::from_secs(30)));
        turns.set_pace(millis(61_000), Pace { requests_per_second: 10.0, ..PACE });
        turns.wait("contoso", Assign, 1);
        turns.wait("contoso", Assign, 2);
        assert_eq!(turns.next(millis(61_000), |_| true), Turn::At(millis(90_000)), "the pause is kept");
        assert_eq!(drain(&mut turns, millis(90_000)), [(1, 90_000), (2, 90_200)], "and the pace is halved");
    }

    #[test]
    fn while_nobody_waits_there_is_no_moment_to_ask_again() {
        let mut turns = Turns::new(Pace { concurrency: 1, ..PACE });
        turns.wait("contoso", Assign, ());
        assert_eq!(turns.next(millis(60_000), |()| true), Turn::Go(()));
        assert_eq!(turns.next(millis(60_000), |()| true), Turn::Idle, "although all slots are taken");
        turns.finished();
        turns.slow_down(millis(61_000), millis(60_000), Some(Duration::from_secs(30)));
        assert_eq!(turns.next(millis(62_000), |()| true), Turn::Idle, "although a pause is on");
    }

    #[test]
    fn what_is_remembered_of_many_who_were_busy_at_once_is_dropped_once_they_are_idle() {
        let mut turns = Turns::new(Pace { burst: 1000, ..PACE });
        let clients = || (0..2 * LIMITS_KEPT).map(|number| number.to_string());
        for client in clients() {
            turns.wait(&client, Assign, ());
        }
        drain(&mut turns, Duration::from_hours(1));
        assert_eq!(turns.limits_kept(), 2 * LIMITS_KEPT, "each is too recent to be dropped");
        turns.wait("another", Assign, ());
        drain(&mut turns, Duration::from_hours(2));
        assert_eq!(turns.limits_kept(), 1);
    }

    #[test]
    fn a_very_slow_pace_is_one_a_day_and_a_very_quick_one_is_no_limit() {
        for (requests_per_second, interval) in [(1e-30, INTERVAL_MAX), (1e30, Duration::from_nanos(1))] {
            let mut turns = Turns::new(Pace { requests_per_second, ..PACE });
            turns.wait("contoso", Assign, ());
            assert_eq!(turns.next(Duration::ZERO, |()| true), Turn::At(interval));
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]
        /// Whatever comes in whatever order: everyone goes once, a leaver before anyone who joins, nobody twice
        /// before all others had a turn, and never more than the rate and the burst allow.
        #[test]
        fn everyone_goes_once_in_turn_and_in_time(
            arrivals in proptest::collection::vec((0_usize..6, proptest::bool::ANY), 1..60),
            burst in 1_u32..6,
            start in 0_u64..5_000,
        ) {
            let mut turns = Turns::new(Pace { burst, ..PACE });
            for &(subscription, removal) in &arrivals {
                let operation = if removal { Unassign } else { Assign };
                turns.wait(&subscription.to_string(), operation, (subscription, removal));
            }
            let gone = drain(&mut turns, millis(start));
            let mut sorted: Vec<_> = gone.iter().map(|(waiter, _)| *waiter).collect();
            let mut expected = arrivals.clone();
            sorted.sort_unstable();
            expected.sort_unstable();
            proptest::prop_assert_eq!(sorted, expected);
            let window = usize::try_from(burst).unwrap();
            for (early, late) in gone.iter().zip(gone.iter().skip(window)) {
                proptest::prop_assert!(late.1 - early.1 >= 199, "{:?}", gone);
            }
        }
    }
}
