//! The words of each cause: what happened, what rosterd did about it, what is to be done, and what happens if nobody does.

use super::Words;
use super::cause::SourceFacts;
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::{AlertEvent, SecretRef, Subscription};
use crate::dispatch::stop::GIVES_NO_ANSWER;
use crate::member::Restored;
use crate::plan::Hold;
use crate::report::shortage::Shortage;
use crate::report::status::MemberCounts;
use crate::report::text::{count, either, list, moment, plain, sentence, span};

use super::Subject;

/// A headline is cut after so many characters: a subject line that nobody can read to its end says less.
const HEADLINE_MAX: usize = 200;
/// So many subscriptions of a source are named.
const SUBSCRIPTIONS_NAMED_MAX: usize = 8;

pub(super) fn seats_exhausted(subscription: &Subscription, shortage: &Shortage) -> Words {
    let (name, buy, day) = (&subscription.name, shortage.buy(), shortage.last_day());
    let to_do = if buy > 0 {
        format!("Buy {} for {name}.", count(buy, "seat", "seats"))
    } else {
        format!("Buy {} for {name}, unless they can wait until {day}.", count(shortage.missing(), "seat", "seats"))
    };
    let probe = span(subscription.seat_probe);
    Words {
        headline: cut(&format!("{name}: {}", shortage.words())),
        done:
            "It has given out every free seat, by priority and then by time of waiting, and takes none away from anybody."
                .to_owned(),
        to_do: format!("{to_do} Whoever waits is given a seat within {probe} of the purchase."),
        otherwise: if buy > 0 {
            "They go on waiting until somebody leaves.".to_owned()
        } else {
            format!("They wait until {day}.")
        },
        ..Words::default()
    }
}

pub(super) fn key_rejected(subscription: &Subscription, problem: &str, counts: MemberCounts) -> Words {
    let name = &subscription.name;
    let then = match &subscription.api_key {
        SecretRef::Env(_) | SecretRef::Credential(_) => ", and start rosterd anew.",
        _ => ". It is tried as soon as it is changed.",
    };
    let said =
        problem.split_once(" (").and_then(|(_, rest)| rest.rsplit_once(')')).map(|(said, _)| sentence(&plain(said)));
    Words {
        headline: cut(&format!("{name}: the licensing server does not accept the key")),
        detail: said.map(|said| format!("It says: {said}")).unwrap_or_default(),
        done: format!("It sends nothing for {name} but a try now and then. Nobody lost a licence by it."),
        to_do: format!("Copy the key from the subscription's page into {}{then}", subscription.api_key),
        otherwise: stands_still(counts),
        ..Words::default()
    }
}

pub(super) fn run_failed(subscription: &Subscription, problem: &str, counts: MemberCounts, passing: bool) -> Words {
    let name = &subscription.name;
    let to_do = if passing {
        "Look whether the licensing server can be reached from this machine (a firewall, a proxy, the network). It is \
         tried again by itself until it answers."
    } else {
        "Mend what is said above. The next run tries again by itself."
    };
    let (headline, detail) = match problem.strip_prefix(&format!("{GIVES_NO_ANSWER}: ")) {
        Some(why) => (cut(&format!("{name}: {GIVES_NO_ANSWER}")), first_upper(&sentence(&plain(why)))),
        None => headline_and_rest(name, &problem_sentence(name, problem)),
    };
    Words {
        headline,
        detail,
        done: "It stopped the run and wrote down what had been done. Nobody lost a licence by it.".to_owned(),
        to_do: to_do.to_owned(),
        otherwise: stands_still(counts),
        ..Words::default()
    }
}

fn stands_still(counts: MemberCounts) -> String {
    let waiting = counts.pending + counts.unknown;
    let who = if waiting > 0 {
        format!(" {} already.", count(waiting, "person waits", "people wait"))
    } else {
        String::new()
    };
    format!("Joiners get no licence, and leavers keep theirs.{who}")
}

pub(super) fn removals_held(subscription: &Subscription, hold: &Hold) -> Words {
    let name = &subscription.name;
    let n = hold.removals.len() as u64;
    let decide = format!("`rosterd approve {name}` or `rosterd reject {name}`");
    let to_do = if hold.braked {
        format!(
            "Removals are stopped everywhere, too: `rosterd status` says why, `rosterd resume` lets them go on. Then look with `rosterd plan {name}` and say {decide}."
        )
    } else {
        format!("Look with `rosterd plan {name}`, then say {decide}.")
    };
    Words {
        headline: cut(&format!("{name}: {} held until a person decides", count(n, "removal is", "removals are"))),
        detail: hold.reasons.iter().map(|reason| first_upper(&sentence(&plain(reason)))).collect::<Vec<_>>().join(" "),
        done: "It took no licence away, and serves joiners.".to_owned(),
        to_do,
        otherwise: "They keep their licences, and the seats stay taken.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn quarantined(subscription: &Subscription, n: u64) -> Words {
    let name = &subscription.name;
    let addresses = count(n, "address is", "addresses are");
    Words {
        headline: cut(&format!("{name}: {addresses} quarantined and can't be given a licence")),
        done: format!("It set {} aside, and serves everybody else.", either(n, "it", "them")),
        to_do: format!(
            "Correct {} from; `rosterd members {name} --state quarantined` says why. What the server refused is tried \
             again after `rosterd retry {name}`.",
            either(n, "it where it comes", "them where they come")
        ),
        otherwise: either(n, "This person gets no licence.", "These people get no licence.").to_owned(),
        ..Words::default()
    }
}

/// `missed`: licences are gone, rather than more of them taken.
pub(super) fn drift(subscription: &Subscription, words: &str, missed: bool) -> Words {
    let name = &subscription.name;
    let (headline, detail) = headline_and_rest(name, words);
    let otherwise = if missed {
        "Whoever lost a licence that way stays without one, though rosterd counts them as served."
    } else {
        "Those seats stay taken, and rosterd gives them to nobody."
    };
    Words {
        headline,
        detail,
        done: "It changed nothing because of it.".to_owned(),
        to_do: format!("Ask who else assigns or unassigns licences of {name}."),
        otherwise: otherwise.to_owned(),
        ..Words::default()
    }
}

pub(super) fn source_failed(facts: &SourceFacts<'_>, problem: &str) -> Words {
    let SourceFacts { name, roster, subscriptions, rejected, .. } = facts;
    let (headline, detail) = headline_and_rest(&format!("source {name}"), &sentence(&plain(problem)));
    let done = match roster {
        Some((entries, at)) => format!(
            "It keeps to the roster of before ({}, accepted at {}). Nobody loses a licence by this.",
            count(*entries, "person", "people"),
            moment(*at)
        ),
        None => "Nothing: there is no roster of before. Nobody loses a licence by this.".to_owned(),
    };
    let mut names: Vec<String> = subscriptions.iter().take(SUBSCRIPTIONS_NAMED_MAX).cloned().collect();
    let others = subscriptions.len().saturating_sub(SUBSCRIPTIONS_NAMED_MAX);
    if others > 0 {
        names.push(format!("{others} more"));
    }
    let whose = if names.is_empty() { String::new() } else { format!(" in {}", list(&names, "and")) };
    Words {
        headline,
        detail,
        done,
        to_do: if *rejected {
            "Mend what is said above, where the files come from. A file that was refused lies in the folder `rejected`, \
             with a report beside it. A new one is read by itself."
        } else {
            "Mend what is said above. The source is looked at again by itself."
        }
        .to_owned(),
        otherwise: format!("Whoever joined since gets no licence{whose}, and whoever left keeps theirs."),
        ..Words::default()
    }
}

pub(super) fn removals_stopped(brake: &Brake) -> Words {
    Words {
        headline: "Removals are stopped everywhere until a person decides".to_owned(),
        detail: sentence(&plain(&brake.reason)),
        done: "It takes no licence away meanwhile, and serves joiners.".to_owned(),
        to_do: "`rosterd status` says what is wrong. Mend it, then say `rosterd resume`.".to_owned(),
        otherwise: "Leavers keep their licences in every subscription, and the seats stay taken.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn restored(restored: &Restored) -> Words {
    Words {
        headline: "The ledger may not be the newest: no licence is taken back until a person decides".to_owned(),
        detail: first_upper(&sentence(&plain(&restored.cause()))),
        done: "It takes no licence away meanwhile, and serves joiners.".to_owned(),
        to_do: "Put the newest ledger in its place. Where there is none, give this one the newest rosters, then say \
                `rosterd ledger accept`, which shows who would lose the licence."
            .to_owned(),
        otherwise: "Leavers keep their licences in every subscription, and the seats stay taken.".to_owned(),
        ..Words::default()
    }
}

/// `why` is what `rosterd check` would say.
pub(super) fn configuration_refused(why: &str) -> Words {
    let first = why.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let place = why.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    Words {
        headline: "The configuration was changed and can't be used: rosterd goes on with the old one".to_owned(),
        detail: sentence(&plain(&format!("{place}{first}"))),
        done: "It refused the change whole, and goes on as it was configured before. Nobody lost a licence by it."
            .to_owned(),
        to_do: "`rosterd check` says what is wrong and where. Mend it; the files are read again by themselves."
            .to_owned(),
        otherwise: "What was changed has no effect, and rosterd does not start anew with these files.".to_owned(),
        ..Words::default()
    }
}

/// What is said when a cause is over. `configured`: its subject still is.
pub(super) fn over(subject: &Subject, event: AlertEvent, since: Timestamp, now: Timestamp, configured: bool) -> Words {
    let what = match (subject, event) {
        (Subject::Fleet, _) => "Removals go on everywhere",
        (Subject::Ledger, _) => "The ledger is believed again, and removals go on",
        (Subject::Configuration, _) | (_, AlertEvent::ConfigurationRefused) => "The configuration can be used again",
        _ if !configured => "not looked after any more, because it is not in the configuration",
        (_, AlertEvent::SeatsExhausted) => "nobody has to wait for a licence any more",
        (_, AlertEvent::KeyRejected) => "the licensing server accepts the key",
        (_, AlertEvent::RemovalsHeld) => "no removal is held any more",
        (_, AlertEvent::SourceFailed) => "it can be read again",
        (_, AlertEvent::MembersQuarantined) => "no address is quarantined any more",
        (_, AlertEvent::Drift) => "no licence is known to be missed any more",
        (_, AlertEvent::RunFailed) => "its runs go on",
    };
    let name = match subject {
        Subject::Subscription(name) => format!("{name}: "),
        Subject::Source(name) => format!("source {name}: "),
        Subject::Fleet | Subject::Ledger | Subject::Configuration => String::new(),
    };
    let lasted = (now - since).to_std().ok().filter(|lasted| lasted.as_secs() >= 60);
    let lasted = lasted.map(|lasted| format!(" and lasted {}", span(lasted))).unwrap_or_default();
    Words {
        headline: cut(&format!("{name}{what}")),
        detail: format!("It began at {}{lasted}.", moment(since)),
        to_do: "Nothing.".to_owned(),
        ..Words::default()
    }
}

/// A problem that begins with the name of what it is about need not say it twice.
fn problem_sentence(name: &str, problem: &str) -> String {
    let problem = plain(problem);
    sentence(problem.strip_prefix(&format!("{name}: ")).unwrap_or(&problem))
}

/// The first sentence of a text as a headline about this, and what comes after it; all of it where the headline is cut.
fn headline_and_rest(about: &str, text: &str) -> (String, String) {
    let end = text.match_indices(['.', '?', ';']).find(|(at, _)| text[at + 1..].starts_with(' '));
    let (first, rest) = end.map_or((text, ""), |(at, _)| (&text[..=at], &text[at + 2..]));
    // A question stays one.
    let whole = format!("{about}: {}", first.trim_end_matches(['.', ';']));
    let headline = cut(&whole);
    let rest = if headline == whole { rest } else { text };
    (headline, first_upper(rest))
}

/// With a capital, where it begins with a word and not with a name.
fn first_upper(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    if word == "rosterd" || !word.chars().all(|c| c.is_ascii_lowercase()) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn cut(headline: &str) -> String {
    if headline.chars().count() <= HEADLINE_MAX {
        return headline.to_owned();
    }
    let kept: String = headline.chars().take(HEADLINE_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, String) {
        headline_and_rest("source hr", text)
    }

    #[test]
    fn a_headline_is_the_first_sentence_and_the_rest_goes_on_from_there() {
        let said = |headline: &str, rest: &str| (headline.to_owned(), rest.to_owned());
        assert_eq!(split("a.csv names nobody."), said("source hr: a.csv names nobody", ""));
        assert_eq!(
            split("a.csv has no e-mail column; its columns are \"x\". Name one."),
            said("source hr: a.csv has no e-mail column", "Its columns are \"x\". Name one.")
        );
        assert_eq!(
            split("Is it there? b.csv is."),
            said("source hr: Is it there?", "b.csv is."),
            "a name stays as it is"
        );
        let long = format!("{}. It goes on.", "a".repeat(300));
        let (headline, rest) = split(&long);
        assert!(headline.ends_with('…') && headline.chars().count() == HEADLINE_MAX);
        assert!(rest.to_lowercase() == long.to_lowercase(), "all of it, where the headline is cut: {rest}");
    }
}
