//! Held removals, shown to the person who is to decide on them.

use super::text::{Columns, count, moment_and_distance, plain, sentence};
use crate::clock::Timestamp;
use crate::ledger::StoredHold;
use crate::plan::Removal;

/// How many removals are listed; the others are counted.
pub const LISTED_MAX: usize = 20;

/// What is held and why, with the first [`LISTED_MAX`] of its people.
pub fn render(subscription: &str, stored: &StoredHold, now: Timestamp) -> String {
    let hold = &stored.hold;
    let n = hold.removals.len() as u64;
    let removals = count(n, "removal is", "removals are");
    let mut lines = vec![format!("{subscription}: {removals} held since {}.", moment_and_distance(stored.since, now))];
    lines.extend(hold.reasons.iter().map(|reason| sentence(&plain(reason))));
    let rows: Vec<_> = hold.removals.iter().take(LISTED_MAX).map(cells).collect();
    lines.push(Columns::default().render(&rows).trim_end().to_owned());
    let more = n.saturating_sub(LISTED_MAX as u64);
    if more > 0 {
        let more = count(more, "other", "others");
        lines.push(format!("  and {more}: `rosterd members {subscription} --state leaving` lists them"));
    }
    lines.push(format!("digest {}\n", hold.digest));
    lines.join("\n")
}

fn cells(removal: &Removal) -> Vec<String> {
    let Removal { address, reason, detail, then: _ } = removal;
    vec![format!("  {}", plain(address.spelling())), reason.to_string(), plain(detail)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::plan::Hold;
    use crate::roster::{Reason, When};

    fn at(text: &str) -> Timestamp {
        When::parse(text).unwrap().about()
    }

    fn stored(n: usize) -> StoredHold {
        let removal = |i| Removal {
            address: Address::parse(&format!("p{i:02}@contoso.com")).unwrap(),
            reason: Reason::Left,
            detail: "no longer in hr (staff.csv)".into(),
            then: None,
        };
        let reasons = vec![format!("{n} removals are more than 20% of 40 assigned")];
        let hold =
            Hold { digest: "0123456789abcdef".into(), removals: (0..n).map(removal).collect(), reasons, braked: false };
        StoredHold { hold, since: at("2026-11-23T06:00:00Z") }
    }

    #[test]
    fn a_hold_shows_who_and_why() {
        insta::assert_snapshot!(render("contoso", &stored(2), at("2026-11-23T08:00:00Z")), @r"
            contoso: 2 removals are held since 2026-11-23 06:00 UTC (2 hours ago).
            2 removals are more than 20% of 40 assigned.
              p00@contoso.com  left  no longer in hr (staff.csv)
              p01@contoso.com  left  no longer in hr (staff.csv)
            digest 0123456789abcdef
            ");
    }

    #[test]
    fn a_long_hold_is_bounded_and_counted() {
        let text = render("contoso", &stored(LISTED_MAX + 1), at("2026-11-23T08:00:00Z"));
        assert!(text.contains("p19@contoso.com") && !text.contains("p20@contoso.com"), "{text}");
        assert!(text.contains("and 1 other: `rosterd members contoso --state leaving`"), "{text}");
    }
}
