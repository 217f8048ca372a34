//! What a server's words mean for one address. Words narrow the search for offenders; they seldom decide:
//!
//! - A sentence is *about* an address where it names that address, no other one, asks nothing and is not cut short (see
//!   `offenders`). A sentence that names several or nobody decides about nobody: the search does.
//! - What a sentence about one address of several says is believed at once only where it is beyond doubt. That an
//!   address is assigned already, or is not assigned, is so only where each word of the sentence is one of the few that
//!   this takes. An assignment is refused at once where it speaks neither of such things nor of seats. Else the address
//!   is asked for alone.
//! - Of an address that was asked for alone, an assignment is refused unless the words say as strictly that it is
//!   assigned already. An unassignment had nothing to undo, as documented, unless the words say that it can't be done.
//! - Who is found by the search without having been alone is judged as if alone where the words are plain, and asked
//!   for alone where they are not.
//! - A refusal all of whose sentences speak of want of seats is one for want of seats, whatever its status, unless as
//!   many seats as were asked for are known to be free.
//!
//! Whoever is wrongly taken to have a seat is forgotten; a needless request costs little.

use super::machine::Outcome;
use crate::licensing::wire::Operation;

/// Whoever may have a seat. `address` also stands for any address.
const PERSON: [&str; 9] = ["account", "address", "email", "mail", "mailbox", "member", "person", "recipient", "user"];
/// What of which there is one for each seat, or which has the seats.
const LICENCE: [&str; 6] = ["assignment", "licence", "license", "product", "seat", "subscription"];
/// The same in the plural: nothing is said of one address with them.
const LICENCES: [&str; 4] = ["assignments", "licences", "licenses", "seats"];
/// Holds a seat, or is given one: what comes after is not the subject.
const HOLDS: [&str; 6] = ["assigned", "has", "have", "holds", "licensed", "owns"];
/// Other words with which it is said that somebody has a seat already.
const AROUND: [&str; 26] = [
    "400",
    "409",
    "a",
    "already",
    "an",
    "been",
    "code",
    "currently",
    "e",
    "error",
    "errors",
    "for",
    "from",
    "in",
    "is",
    "it",
    "message",
    "of",
    "one",
    "reason",
    "status",
    "that",
    "the",
    "this",
    "to",
    "was",
];
/// With these besides, that somebody has none.
const DENIALS: [&str; 12] =
    ["any", "did", "does", "doesn't", "hasn't", "haven't", "isn't", "no", "not", "unassigned", "unlicensed", "wasn't"];

/// What a refusal means for one of several addresses, in sentences about it alone. `None`: to be asked for alone.
pub(super) fn of_several(operation: Operation, sentences: &[&str], words: String) -> Option<Outcome> {
    let done = sentences.iter().all(|sentence| says_done(operation, sentence));
    match operation {
        _ if done => Some(done_already(operation, words)),
        Operation::Assign if is_plain(&words) => Some(Outcome::Refused { words }),
        Operation::Assign | Operation::Unassign => None,
    }
}

/// What a refusal means for an address that was asked for alone. `named`: the sentences are about it.
pub(super) fn of_one_alone(operation: Operation, sentences: &[&str], named: bool, words: String) -> Outcome {
    let clear = named || !words.contains('@');
    let done = clear && !sentences.is_empty() && sentences.iter().all(|sentence| says_done(operation, sentence));
    match operation {
        _ if done => done_already(operation, words),
        Operation::Assign => Outcome::Refused { words },
        Operation::Unassign => {
            let tokens = tokens(&words);
            let hindered = says_hindered(&tokens) && !(clear && denies(&tokens));
            if hindered || misses_a_field(&words.to_lowercase()) {
                Outcome::Refused { words }
            } else {
                done_already(operation, words)
            }
        }
    }
}

/// The same for one who was among several that were refused, all others of whom were accepted afterwards. `None`: to be
/// asked for alone.
pub(super) fn of_one_found(operation: Operation, words: &str) -> Option<Outcome> {
    let done = says_done(operation, words);
    let plain = operation == Operation::Unassign || is_plain(words);
    (!words.contains('@') && (done || plain)).then(|| of_one_alone(operation, &[words], false, words.to_owned()))
}

/// Whether an error speaks of want of seats.
pub(super) fn speaks_of_seats(error: &str) -> bool {
    let tokens = tokens(error);
    let has = |words: &[&str]| tokens.iter().any(|token| words.contains(&token.as_str()));
    let want = has(&["exceeded", "exceeds", "exhausted", "full", "insufficient", "limit", "maximum", "reached", "use"])
        || has(&["available", "enough", "free", "left", "remaining", "unassigned"]) && has(&["0", "no", "none", "not"])
        || has(&["all"]) && has(&LICENCES) && has(&["assigned", "taken", "used"]);
    want && (has(&LICENCE) || has(&LICENCES)) && !has(&["ended", "expired", "invalid", "suspended", "valid"])
}

/// Whether an error may say of somebody that there was nothing to do.
pub(super) fn mentions_done(operation: Operation, error: &str) -> bool {
    match operation {
        Operation::Assign => error.to_lowercase().contains("already"),
        Operation::Unassign => {
            let tokens = tokens(error);
            denies(&tokens) || tokens.iter().any(|token| token == "unassigned")
        }
    }
}

fn done_already(operation: Operation, words: String) -> Outcome {
    match operation {
        Operation::Assign => Outcome::AssignedAlready { words },
        Operation::Unassign => Outcome::UnassignedAlready { words },
    }
}

/// Speaks neither of what is so already nor of seats.
fn is_plain(words: &str) -> bool {
    !mentions_done(Operation::Assign, words) && !speaks_of_seats(words)
}

/// Whether a sentence says of one address, and says nothing else, that there was nothing to do.
fn says_done(operation: Operation, sentence: &str) -> bool {
    let tokens = tokens(sentence);
    let known = |token: &String| {
        let token = &token.as_str();
        let denial = operation == Operation::Unassign && DENIALS.contains(token);
        denial || [&PERSON[..], &LICENCE, &HOLDS, &AROUND].iter().any(|words| words.contains(token))
    };
    if !tokens.iter().all(known) || !is_of_person(&tokens) {
        return false;
    }
    match operation {
        Operation::Assign => {
            let is = |word: &str| tokens.iter().any(|token| token == word);
            is("already") && (is("assigned") || is("licensed") || has_licence(&tokens))
        }
        Operation::Unassign => denies(&tokens) || is_unassigned(&tokens),
    }
}

/// Whether a person is the subject, by word or tacitly: not a licence, unless it is assigned *to* a person.
fn is_of_person(tokens: &[String]) -> bool {
    let first = |words: &[&str]| tokens.iter().position(|token| words.contains(&token.as_str()));
    let before = |place: usize, words: &[&str]| first(words).is_some_and(|other| other < place);
    let Some(licence) = first(&LICENCE) else { return true };
    let object = before(licence, &HOLDS) || before(licence, &PERSON) || before(licence, &DENIALS);
    let to = tokens.iter().position(|token| token == "to" || token == "from");
    let to_person = to.is_some_and(|to| tokens[to..].iter().any(|token| PERSON.contains(&token.as_str())));
    object || to_person
}

/// `has a licence`, with few words between.
fn has_licence(tokens: &[String]) -> bool {
    let licence = |token: &String| ["assignment", "licence", "license", "seat"].contains(&token.as_str());
    let holds = |token: &String| ["has", "have", "holds", "owns"].contains(&token.as_str());
    let place = tokens.iter().position(holds);
    place.is_some_and(|place| tokens[place..].iter().take(4).any(licence))
}

/// `not assigned`, `not currently assigned`, `hasn't been assigned`, `has no licence`, `does not have a licence`.
fn denies(tokens: &[String]) -> bool {
    let negates = |token: &String| ["no", "not"].contains(&token.as_str()) || token.ends_with("n't");
    let denied =
        |token: &String| ["assigned", "licensed", "assignment", "licence", "license", "seat"].contains(&token.as_str());
    let bound = |token: &String| ["be", "can", "can't", "could", "couldn't", "may", "must"].contains(&token.as_str());
    tokens.iter().enumerate().filter(|(_, token)| negates(token)).any(|(place, _)| {
        let window = &tokens[place.saturating_sub(1)..tokens.len().min(place + 4)];
        window.iter().any(denied) && !window.iter().any(bound)
    })
}

/// `is unassigned`, `was unassigned before`; not `could not be unassigned`.
fn is_unassigned(tokens: &[String]) -> bool {
    let Some(place) = tokens.iter().position(|token| token == "unassigned" || token == "unlicensed") else {
        return false;
    };
    !tokens[..place].iter().any(|token| token == "not" || token == "no" || token.ends_with("n't"))
}

/// Whether words say that an unassignment could not be carried out.
fn says_hindered(tokens: &[String]) -> bool {
    const HINDRANCES: [&str; 13] = [
        "blocked",
        "can't",
        "cannot",
        "couldn't",
        "denied",
        "expired",
        "failed",
        "forbidden",
        "later",
        "locked",
        "protected",
        "unable",
        "within",
    ];
    tokens.iter().any(|token| HINDRANCES.contains(&token.as_str()))
        || tokens.windows(2).any(|pair| ["can", "could", "may", "must"].contains(&pair[0].as_str()) && pair[1] == "not")
}

/// Of the reasons that are documented for a 400, the one that says nothing about the address: whoever has a seat keeps
/// it, and is not to be forgotten.
fn misses_a_field(lower: &str) -> bool {
    lower.contains("field") && (lower.contains("missing") || lower.contains("required"))
}

/// The words in lower case, `address` in place of each address.
fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let chunks = lower.split(|c: char| c.is_whitespace() || "\"(),:;<>[]{}=|/\\".contains(c));
    let words = chunks.flat_map(|chunk| {
        let chunk = if chunk.contains('@') { "address" } else { chunk };
        chunk.split(|c: char| !c.is_alphanumeric() && c != '\'').map(|word| word.trim_matches('\''))
    });
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_say_it_of_the_address_and_nothing_else_make_it_assigned_already() {
        for words in [
            "'a@x.example' is already assigned.",
            "An e-mail address is already assigned.",
            "The address has a licence already.",
            "a@x.example already has a license",
            "a@x.example: already assigned",
            "The user a@x.example is already licensed.",
            "A licence has already been assigned to a@x.example.",
            r#"{"email":"a@x.example","code":"ALREADY_ASSIGNED"}"#,
        ] {
            assert!(says_done(Operation::Assign, words), "{words}");
        }
        for words in [
            "Cannot assign a@x.example: all licenses are already in use",
            "a@x.example: the maximum number of licences has already been reached",
            "Cannot assign a@x.example: the subscription has already expired",
            "All licences are already assigned.",
            "The licence is already assigned.",
            "This subscription is already assigned.",
            "10 licences are already assigned.",
            "a@x.example is invalid or already assigned",
            "a@x.example is already assigned to another subscription",
            "a@x.example was already refused",
            "a@x.example is not already assigned",
            "already",
            "",
        ] {
            assert!(!says_done(Operation::Assign, words), "{words}");
        }
    }

    #[test]
    fn only_words_that_deny_it_say_that_an_address_is_not_assigned() {
        for (words, says) in [
            ("a@x.example is not assigned", true),
            ("is not currently assigned.", true),
            ("hasn\u{2019}t been assigned", true),
            ("The address was already unassigned", true),
            ("a@x.example does not have a licence", true),
            ("a@x.example has no licence.", true),
            ("No licence is assigned to a@x.example", true),
            ("a@x.example could not be unassigned", false),
            ("a@x.example was not unassigned", false),
            ("cannot be unlocked: assigned by an administrator", false),
            ("this is not the place where it was assigned", false),
            ("a@x.example is locked, b is not assigned", false),
            ("is assigned", false),
            ("", false),
        ] {
            assert_eq!(says_done(Operation::Unassign, words), says, "{words}");
        }
    }

    #[test]
    fn want_of_seats_is_known_from_other_complaints() {
        for (words, says) in [
            ("Cannot assign a@x.example: all licenses are already in use", true),
            ("a@x.example: the maximum number of licences has already been reached", true),
            ("All licences are already assigned.", true),
            ("No licences left", true),
            ("There are not enough seats available.", true),
            ("the subscription is full", true),
            ("the subscription has already expired", false),
            ("a@x.example: the mailbox is full", false),
            ("a licence is available to members only", false),
            ("a@x.example is already assigned", false),
            ("the limit of 256 characters is exceeded", false),
            ("", false),
        ] {
            assert_eq!(speaks_of_seats(words), says, "{words}");
        }
    }

    #[test]
    fn one_alone_whose_seat_could_not_be_taken_back_keeps_it() {
        let judged = |words: &str, named| of_one_alone(Operation::Unassign, &[words], named, words.to_owned());
        for (words, named, keeps) in [
            ("a@x.example: a licence can not be unassigned within 30 days", true, true),
            ("a@x.example could not be unassigned", true, true),
            ("a@x.example is locked by an administrator, b@x.example is not assigned", false, true),
            ("a@x.example is locked by an administrator", true, true),
            ("The ApiVersion field is required.", false, true),
            ("Cannot unassign a@x.example: it is not assigned", true, false),
            ("Nothing to do.", false, false),
            ("refused without a word why", false, false),
        ] {
            assert_eq!(matches!(judged(words, named), Outcome::Refused { .. }), keeps, "{words}");
        }
    }
}
