//! One writer per subscription at a time, across processes: a lease in the ledger with an epoch that fences every write.
//!
//! The lease is needed for correctness, not only to save work: two writers could send opposite requests about one
//! address. So each write checks, in its own transaction, that its owner and epoch are still the lease's.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Who holds a lease: a process, by `boot : pid namespace : pid : start of the process : random`. Where the system does
/// not tell a part, the part is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner(pub String);

/// The proof that this process may write for a subscription. Only the ledger mints it.
#[derive(Debug, Clone)]
pub struct Lease {
    pub(super) subscription: String,
    pub(super) owner: Owner,
    pub(super) epoch: i64,
    /// How long it lasts from each renewal.
    pub(super) term: Duration,
}

impl Lease {
    pub fn subscription(&self) -> &str {
        &self.subscription
    }
}

impl Owner {
    /// This process. Each call gives another owner: two takers in one process keep each other out, too.
    pub fn this_process() -> Owner {
        let pid = std::process::id().to_string();
        let random = RandomState::new().build_hasher().finish();
        let Place { boot, namespace } = Place::here();
        Owner(format!("{boot}:{namespace}:{pid}:{}:{random:016x}", started(&pid).unwrap_or_default()))
    }

    /// Whether it may still be alive: `false` only where that is certain, because it lived on this very system, in this
    /// pid namespace, and its process is gone or is another one now.
    pub fn may_be_alive(&self) -> bool {
        self.may_be_alive_beside(&Place::here(), started)
    }

    /// The same as seen from this place, where `started` tells when a process started.
    fn may_be_alive_beside(&self, here: &Place, started: impl Fn(&str) -> Option<String>) -> bool {
        let parts: Vec<&str> = self.0.split(':').collect();
        let [boot, namespace, pid, start, _] = parts[..] else { return true };
        if boot.is_empty() || namespace.is_empty() || boot != here.boot || namespace != here.namespace {
            return true;
        }
        // Without a start there was no /proc when the lease was taken, and what is there now proves nothing.
        start.is_empty() || started(pid).is_some_and(|now| now == start)
    }
}

/// Which running system, and which space of process numbers in it.
struct Place {
    boot: String,
    namespace: String,
}

impl Place {
    fn here() -> Place {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        // `pid:[4026531836]`: the number alone, for the colon parts the fields.
        let namespace = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        Place { boot: boot.trim().to_owned(), namespace }
    }
}

/// When a process started, in ticks since boot; `None` where there is no such process.
fn started(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    start_in_stat(&stat).map(str::to_owned)
}

/// The 22nd field of `/proc/PID/stat`. The second one, the program's name, may hold spaces and parentheses.
fn start_in_stat(stat: &str) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)
}

/// A lease as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) expires: Timestamp,
    /// From its last renewal.
    pub(super) term: TimeDelta,
    /// [`Owner::may_be_alive`].
    pub(super) alive: bool,
}

/// Whether a lease can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    /// Nobody holds it, its holder is certainly gone, or its time is over.
    Free,
    Held,
    /// It lasts for longer than its holder can have meant: the clock was set back since it was last renewed. It ends with
    /// its term from now, unless the holder is there and renews it.
    Until(Timestamp),
}

pub(super) fn chance(held: Option<&Held>, now: Timestamp) -> Chance {
    match held {
        None => Chance::Free,
        Some(held) if !held.alive || held.expires <= now => Chance::Free,
        Some(held) => match now.checked_add_signed(held.term) {
            Some(longest) if longest < held.expires => Chance::Until(longest),
            _ => Chance::Held,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_had_when_free_expired_or_orphaned() {
        let now = Timestamp::from_timestamp_millis(1_000_000).unwrap();
        let held = |expires_in_ms: i64, alive| Held {
            expires: Timestamp::from_timestamp_millis(1_000_000 + expires_in_ms).unwrap(),
            term: TimeDelta::milliseconds(100),
            alive,
        };
        assert_eq!(chance(None, now), Chance::Free);
        assert_eq!(chance(Some(&held(1, true)), now), Chance::Held);
        assert_eq!(chance(Some(&held(100, true)), now), Chance::Held);
        assert_eq!(chance(Some(&held(0, true)), now), Chance::Free);
        assert_eq!(chance(Some(&held(1, false)), now), Chance::Free);
        let ahead = held(86_400_000, true);
        assert_eq!(chance(Some(&ahead), now), Chance::Until(held(100, true).expires), "the clock was set back");
    }

    #[test]
    fn this_process_is_alive_and_one_that_is_gone_is_not() {
        let me = Owner::this_process();
        assert!(me.may_be_alive());
        assert_ne!(me, Owner::this_process());

        let parts: Vec<&str> = me.0.split(':').collect();
        let with = |index: usize, part: &str| {
            let mut parts = parts.clone();
            parts[index] = part;
            Owner(parts.join(":"))
        };
        // The same number, another process.
        assert!(!with(3, "1").may_be_alive());
        // No such process: beyond the largest number that Linux gives.
        assert!(!with(2, "4999999").may_be_alive());
        assert!(Owner("somebody".into()).may_be_alive());
    }

    #[test]
    fn of_another_place_or_of_none_that_is_known_nobody_can_tell() {
        let place = |boot: &str, namespace: &str| Place { boot: boot.to_owned(), namespace: namespace.to_owned() };
        let gone = |owner: &str, here: &Place| !Owner(owner.to_owned()).may_be_alive_beside(here, |_| None);
        assert!(gone("boot:1:7:99:x", &place("boot", "1")));
        assert!(!gone("boot:1:7::x", &place("boot", "1")), "there was no /proc to read its start from");
        assert!(!gone("boot:1:7:99:x", &place("another", "1")));
        assert!(!gone("boot:1:7:99:x", &place("boot", "2")));
        assert!(!gone(":1:7:99:x", &place("", "1")));
        assert!(!gone("boot::7:99:x", &place("boot", "")));
    }

    #[test]
    fn a_program_may_have_any_name() {
        let rest = (3..=30).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_in_stat(&format!("7 (a) b ( c)) {rest}")), Some("22"));
        assert_eq!(start_in_stat("nonsense"), None);
    }
}
