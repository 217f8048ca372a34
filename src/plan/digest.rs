//! Digests of a plan and of a hold: the first 16 hexadecimal digits of BLAKE3.
//!
//! No moment that moves by itself goes in, so that two plans from the same facts a minute apart have one digest.

use std::fmt::{self, Write};

use super::{Leaving, LeavingUntil, Plan, Settlement};

/// The digest of a set of members of a subscription, by their identities in order. An approval is bound to it.
pub(super) fn of_members<'a>(subscription: &str, identities: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Digest::new();
    digest.line(&[&subscription]);
    for identity in identities {
        digest.line(&[&identity]);
    }
    digest.finish()
}

/// The digest of what a plan does and of what it leaves, with reasons.
pub(super) fn of_plan(subscription: &str, plan: &Plan) -> String {
    let Plan {
        unassign,
        rename,
        assign,
        fits,
        waiting,
        leaving,
        quarantined,
        settle,
        hold,
        restored,
        departures: _,
        digest: _,
    } = plan;
    let mut digest = Digest::new();
    digest.line(&[&subscription]);
    for r in unassign {
        digest.line(&[&"unassign", &r.address, &r.reason]);
    }
    for r in rename {
        digest.line(&[&"rename", &r.from, &r.to, &r.priority]);
    }
    for a in assign {
        digest.line(&[&"assign", &a.address, &a.priority]);
    }
    if let Some(fits) = fits {
        digest.line(&[&"fits", fits]);
    }
    for w in waiting {
        digest.line(&[&"waiting", &w.address, &w.starts, &w.priority]);
    }
    for l in leaving {
        digest.leaving(l);
    }
    for q in quarantined {
        digest.line(&[&"quarantined", &q.address, &q.reason]);
    }
    for s in settle {
        digest.settlement(s);
    }
    if let Some(hold) = hold {
        digest.line(&[&"hold", &hold.digest]);
    }
    if let Some(restored) = restored {
        digest.line(&[&"restored", restored]);
    }
    digest.finish()
}

struct Digest(blake3::Hasher);

impl Digest {
    fn new() -> Digest {
        Digest(blake3::Hasher::new())
    }

    /// Addresses, names and our own words hold no control characters that could pass for another line.
    fn line(&mut self, words: &[&dyn fmt::Display]) {
        for word in words {
            // Writing to a hasher can't fail.
            let _ = write!(self, "{word}\t");
        }
        self.0.update(b"\n");
    }

    fn leaving(&mut self, leaving: &Leaving) {
        let until: &dyn fmt::Display = match &leaving.until {
            // The end follows from the reason, the policy and a moment that moves until it is recorded.
            LeavingUntil::Grace(_) => &"grace",
            LeavingUntil::Approval => &"approval",
            LeavingUntil::Protected(pattern) => pattern,
            LeavingUntil::Renamed(why) => why,
        };
        self.line(&[&"leaving", &leaving.address, &leaving.reason, until]);
    }

    fn settlement(&mut self, settlement: &Settlement) {
        match settlement {
            Settlement::Returned { address } => self.line(&[&"returned", address]),
            Settlement::Dropped { address, reason } => self.line(&[&"dropped", address, reason]),
        }
    }

    fn finish(self) -> String {
        let mut hex = self.0.finalize().to_hex().to_string();
        hex.truncate(16);
        hex
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
