//! What happens in one life: a setting and a list of actions, drawn from a seed. Each action carries its own chances, so
//! that one can be left out and the others stay what they were: a life that goes wrong is shrunk by leaving out.

use fastrand::Rng;

pub(crate) const CLIENTS: usize = 3;
pub(crate) const SOURCES: usize = 2;
/// So few that they meet each other all the time.
pub(crate) const PEOPLE: usize = 18;
/// Two of the people have addresses that the server refuses.
pub(crate) const OFFENDERS: usize = 2;

/// The server, and the configuration as it is at the beginning.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own about the life")]
pub(crate) struct Setting {
    /// One bit for each open question of the licensing API.
    pub(crate) dialect: u8,
    pub(crate) batch_size: usize,
    pub(crate) seats: [u64; CLIENTS],
    /// In percent, for one run and for a day.
    pub(crate) max_removals: (u64, u64),
    pub(crate) always_allow: u64,
    /// In seconds.
    pub(crate) grace: u64,
    /// Globs over people 3 and 4.
    pub(crate) exclude: bool,
    pub(crate) protect: bool,
    pub(crate) hold_after_change: bool,
    /// Removals stop everywhere when more than a third of the clients are in trouble.
    pub(crate) brake: bool,
    /// Known assignments are sent again, all of them within an hour.
    pub(crate) reassert: bool,
    /// The first source gives edits.
    pub(crate) delta: bool,
    /// The sources of each client.
    pub(crate) sources: [&'static [usize]; CLIENTS],
    /// A client that the configuration leaves out.
    pub(crate) left_out: Option<usize>,
}

/// A change of the configuration.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Exclude,
    Protect,
    Grace(u64),
    Guard { max_removals: (u64, u64), always_allow: u64 },
    Sources { client: usize, sources: &'static [usize] },
    LeftOut(Option<usize>),
}

impl Setting {
    /// Known assignments are sent again, and the server does not refuse that.
    pub(crate) fn sends_again(&self) -> bool {
        self.reassert && self.dialect & 1 == 0
    }

    /// The clients that name a source.
    pub(crate) fn clients_of(&self, source: usize) -> impl Iterator<Item = usize> {
        let names = move |client: &usize| self.left_out != Some(*client) && self.sources[*client].contains(&source);
        (0..CLIENTS).filter(names)
    }

    pub(crate) fn change(&mut self, change: &Change) {
        match change {
            Change::Exclude => self.exclude = !self.exclude,
            Change::Protect => self.protect = !self.protect,
            Change::Grace(grace) => self.grace = *grace,
            Change::Guard { max_removals, always_allow } => {
                (self.max_removals, self.always_allow) = (*max_removals, *always_allow);
            }
            Change::Sources { client, sources } => self.sources[*client] = sources,
            Change::LeftOut(left_out) => self.left_out = *left_out,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Somebody edits what a source lists.
    Edit {
        source: usize,
        person: usize,
        edit: Edit,
    },
    /// rosterd looks at a source.
    Read {
        source: usize,
        how: How,
        crash: Option<u16>,
    },
    Pass {
        client: usize,
        process: usize,
        ask: bool,
        chances: Chances,
    },
    /// A pass for each client at once, and one by a second process.
    All {
        second: usize,
        chances: Chances,
    },
    /// The first process stops in the middle of a pass for longer than its lease; the second one goes on; the first wakes.
    Stall {
        client: usize,
        at: u16,
        chances: Chances,
    },
    Seats {
        client: usize,
        seats: u64,
    },
    /// Somebody assigns or unassigns at the server, behind rosterd's back.
    ByHand {
        client: usize,
        person: usize,
        assign: bool,
    },
    /// The owner makes a new key, and tells rosterd or not.
    Key {
        client: usize,
        told: bool,
    },
    /// The clock is set, in seconds.
    Clock(i64),
    /// Time passes, in seconds.
    Wait(u64),
    Approve {
        client: usize,
    },
    Reject {
        client: usize,
    },
    Adopt {
        client: usize,
        person: usize,
    },
    Retry {
        client: usize,
    },
    /// Somebody edits the configuration.
    Configure(Change),
    /// A copy of the ledger is made.
    Copy,
    /// The newest copy of the ledger, where there is one, is put into its place.
    Restore,
    /// A person believes a ledger that was restored.
    Believe,
    /// A person lets removals go on everywhere.
    Resume,
    /// A person has the newest run of a client undone.
    Undo {
        client: usize,
        chances: Chances,
    },
    Forget {
        client: usize,
        person: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Join { priority: i32, starts: Option<i64>, ends: Option<i64>, only: Option<usize> },
    Leave,
    Rename,
    Respell,
    Priority(i32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Whole,
    /// The reading broke off after this share of the entries, in percent.
    Broken(u8),
    Empty,
}

/// What goes wrong in a pass, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chances {
    /// For each request in turn; none beyond the end.
    pub(crate) faults: Vec<Fault>,
    /// The process dies before or after this action, counted over what it asks of the ledger and the server.
    pub(crate) crash: Option<u16>,
    /// This access to the ledger finds the disk full.
    pub(crate) full_disk: Option<u16>,
    /// The clock is set by so many seconds at this action.
    pub(crate) jump: Option<(u16, i64)>,
    /// At this action the process is asked to end.
    pub(crate) shutdown: Option<u16>,
    /// At this action another process looks at this source.
    pub(crate) read: Option<(u16, usize)>,
    /// The key can't be read.
    pub(crate) keyless: bool,
    /// How long each answer takes, in milliseconds.
    pub(crate) latency: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    /// The request is lost.
    LostBefore,
    /// The answer is lost.
    LostAfter,
    /// The request is held up, and takes effect before the next one does; its answer is lost.
    Late,
    /// The request arrives twice; the second answer counts.
    Twice,
    /// 503, nothing is done.
    Busy,
    /// 504, and it was done.
    BusyAfter,
    /// 429.
    TooMany,
    /// A proxy's page, and it was not done.
    Page,
    /// A proxy's page, and it was done.
    PageAfter,
    /// A proxy answers 404.
    NotFound,
    Redirect,
    TooLarge,
    NotSent,
    /// 403 with the whole request in the body.
    Echo,
}

const FAULTS: [Fault; 14] = [
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::LostAfter,
    Fault::Late,
    Fault::Twice,
    Fault::Busy,
    Fault::BusyAfter,
    Fault::TooMany,
    Fault::Page,
    Fault::PageAfter,
    Fault::NotFound,
    Fault::Redirect,
    Fault::NotSent,
    Fault::Echo,
];

#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) setting: Setting,
    pub(crate) actions: Vec<Action>,
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.setting)?;
        self.actions.iter().try_for_each(|action| write!(f, "\n  {action:?}"))
    }
}

impl Script {
    pub(crate) fn draw(seed: u64) -> Script {
        let mut rng = Rng::with_seed(seed);
        let setting = Setting {
            dialect: rng.u8(..128),
            batch_size: rng.usize(1..8),
            seats: std::array::from_fn(|_| rng.u64(2..16)),
            max_removals: (rng.u64(10..=100), rng.u64(20..=100)),
            always_allow: rng.u64(0..5),
            grace: if rng.bool() { 0 } else { 3600 },
            exclude: rng.u8(..4) == 0,
            protect: rng.u8(..4) == 0,
            hold_after_change: rng.u8(..8) > 0,
            brake: rng.u8(..3) == 0,
            delta: rng.u8(..4) == 0,
            sources: [&[0, 1], &[0, 1], &[1]],
            left_out: None,
            reassert: rng.u8(..3) == 0,
        };
        // How bad this life is, in percent.
        let trouble = [0, 10, 30, 60][rng.usize(..4)];
        let mut actions: Vec<Action> = (0..rng.usize(4..20)).map(|_| join(&mut rng)).collect();
        for _ in 0..rng.usize(6..26) {
            actions.push(action(&mut rng, trouble));
        }
        Script { setting, actions }
    }

    /// The shortest script that still fails, by leaving out actions and then chances.
    pub(crate) fn shrink(mut self, fails: impl Fn(&Script) -> bool) -> Script {
        let mut len = self.actions.len().div_ceil(2);
        while len > 0 {
            let mut at = 0;
            while at < self.actions.len() {
                let mut shorter = self.clone();
                shorter.actions.drain(at..(at + len).min(self.actions.len()));
                if fails(&shorter) {
                    self = shorter;
                } else {
                    at += len;
                }
            }
            len /= 2;
        }
        for at in 0..self.actions.len() {
            for calmer in calmer(&self.actions[at]) {
                let mut simpler = self.clone();
                simpler.actions[at] = calmer;
                if fails(&simpler) {
                    self = simpler;
                }
            }
        }
        self
    }
}

/// The same with less going wrong.
fn calmer(action: &Action) -> Vec<Action> {
    let mut calmer = Vec::new();
    let mut with = |change: &dyn Fn(&mut Chances)| {
        let mut action = action.clone();
        if let Action::Pass { chances, .. }
        | Action::All { chances, .. }
        | Action::Stall { chances, .. }
        | Action::Undo { chances, .. } = &mut action
        {
            change(chances);
            calmer.push(action);
        }
    };
    with(&|chances| chances.latency = 0);
    with(&|chances| chances.jump = None);
    with(&|chances| chances.full_disk = None);
    with(&|chances| chances.crash = None);
    with(&|chances| chances.shutdown = None);
    with(&|chances| chances.read = None);
    with(&|chances| chances.keyless = false);
    with(&|chances| chances.faults.clear());
    with(&|chances| chances.faults.truncate(1));
    calmer
}

fn join(rng: &mut Rng) -> Action {
    let now_or = |rng: &mut Rng| (rng.u8(..8) == 0).then(|| rng.i64(-40_000..40_000));
    let starts = now_or(rng);
    let ends = now_or(rng).map(|ends| ends.max(starts.map_or(i64::MIN, |starts| starts + 60)));
    let only = (rng.u8(..8) == 0).then(|| rng.usize(..CLIENTS));
    let edit = Edit::Join { priority: priority(rng), starts, ends, only };
    Action::Edit { source: rng.usize(..SOURCES), person: rng.usize(..PEOPLE), edit }
}

fn priority(rng: &mut Rng) -> i32 {
    [1, 100, 100, 200][rng.usize(..4)]
}

fn action(rng: &mut Rng, trouble: u32) -> Action {
    let client = rng.usize(..CLIENTS);
    let person = rng.usize(..PEOPLE);
    let source = rng.usize(..SOURCES);
    let troubled = rng.u32(..100) < trouble;
    match rng.u32(..127) {
        0..12 => join(rng),
        12..20 => Action::Edit { source, person, edit: Edit::Leave },
        20..24 => Action::Edit { source, person, edit: Edit::Rename },
        24..26 => Action::Edit { source, person, edit: Edit::Respell },
        26..28 => Action::Edit { source, person, edit: Edit::Priority(priority(rng)) },
        28..46 => {
            let how = match rng.u32(..10) {
                0 if troubled => How::Broken(rng.u8(..100)),
                1 if troubled => How::Empty,
                _ => How::Whole,
            };
            Action::Read { source, how, crash: (troubled && rng.bool()).then(|| rng.u16(..8)) }
        }
        46..66 => Action::Pass { client, process: rng.usize(..2), ask: rng.bool(), chances: chances(rng, trouble) },
        66..74 => Action::All { second: client, chances: chances(rng, trouble) },
        74..77 if trouble > 0 => Action::Stall { client, at: rng.u16(..24), chances: chances(rng, trouble / 2) },
        77..81 => Action::Seats { client, seats: rng.u64(0..20) },
        81..84 => Action::ByHand { client, person, assign: rng.bool() },
        84..86 => Action::Key { client, told: rng.u8(..3) > 0 },
        86..88 if trouble > 0 => Action::Clock(jump(rng)),
        88..93 => Action::Wait(rng.u64(1..8000)),
        93..96 => Action::Approve { client },
        96..97 => Action::Reject { client },
        97..98 => Action::Adopt { client, person },
        100..107 => Action::Configure(change(rng)),
        107..112 => Action::Copy,
        112..117 => Action::Restore,
        117..118 => Action::Believe,
        118..121 => Action::Resume,
        121..125 => Action::Undo { client, chances: chances(rng, trouble / 2) },
        125..126 => Action::Forget { client, person },
        _ => Action::Retry { client },
    }
}

fn change(rng: &mut Rng) -> Change {
    match rng.u8(..10) {
        0 | 1 => Change::Exclude,
        2 => Change::Protect,
        3 => Change::Grace(if rng.bool() { 0 } else { 3600 }),
        4 => Change::Guard { max_removals: (rng.u64(10..=100), rng.u64(20..=100)), always_allow: rng.u64(0..5) },
        5..8 => {
            let sources: &[&[usize]] = &[&[0], &[1], &[0, 1]];
            Change::Sources { client: rng.usize(..CLIENTS), sources: sources[rng.usize(..sources.len())] }
        }
        _ => Change::LeftOut(rng.bool().then(|| rng.usize(..CLIENTS))),
    }
}

fn jump(rng: &mut Rng) -> i64 {
    let far = [60, 4000, 90_000, 40_000_000][rng.usize(..4)];
    rng.i64(-far..far)
}

fn chances(rng: &mut Rng, trouble: u32) -> Chances {
    let hit = |rng: &mut Rng, share: u32| rng.u32(..100) < share;
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..rng.usize(..6) {
        let fault = if hit(rng, trouble) {
            if hit(rng, 6) { Fault::TooLarge } else { FAULTS[rng.usize(..FAULTS.len())] }
        } else {
            Fault::None
        };
        faults.push(fault);
    }
    Chances {
        faults,
        crash: hit(rng, trouble / 2).then(|| rng.u16(..40)),
        full_disk: hit(rng, trouble / 8).then(|| rng.u16(..24)),
        jump: hit(rng, trouble / 8).then(|| (rng.u16(..40), jump(rng))),
        shutdown: hit(rng, trouble / 4).then(|| rng.u16(..40)),
        read: hit(rng, 10).then(|| (rng.u16(..40), rng.usize(..SOURCES))),
        keyless: hit(rng, trouble / 10),
        latency: if rng.bool() { 0 } else { rng.u64(1..3000) },
    }
}
