//! The licensing API's words: requests as bodies, answers as values. Nothing here touches the network.

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::SubscriptionType;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// `PUT`.
    Assign,
    /// `DELETE`.
    Unassign,
}

impl Operation {
    pub fn method(self) -> &'static str {
        match self {
            Operation::Assign => "PUT",
            Operation::Unassign => "DELETE",
        }
    }
}

/// `assignmentStats` of an answer: the subscription's total, and how many of it are assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub available: u64,
    pub assigned: u64,
}

/// What came of one request, as far as the dispatcher cares. Every text in it is bounded and free of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, `success`, no errors.
    Done { stats: Option<Stats> },
    /// 400; or 200 with `success: false` or with errors.
    Refused { errors: Vec<String>, stats: Option<Stats> },
    /// 402.
    NoSeats { stats: Option<Stats>, errors: Vec<String> },
    /// 401, 403, 404: the key or the subscription is not accepted.
    KeyRefused { status: u16, words: String },
    /// 413.
    TooLarge,
    /// 408, 425, 429, 5xx: to be tried again, not before `retry_after` where given.
    Busy { status: u16, retry_after: Option<Duration>, words: String },
    /// A redirect, which is never followed: the body holds the key.
    Redirect { status: u16, target: String },
    /// Not an answer of the licensing server (not JSON, or none of the documented forms): it may or may not have taken
    /// effect.
    Strange { status: u16, words: String },
    /// The request surely never left: no connection. Nothing took effect.
    NotSent { cause: String },
    /// It left and no answer came: it may or may not have taken effect.
    Lost { cause: String },
}

/// For the log: the status, and what was said.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status())?;
        match self {
            Answer::Done { stats } => stats.map_or(Ok(()), |stats| write!(f, ", {stats}")),
            Answer::Refused { errors, stats } | Answer::NoSeats { errors, stats } => {
                stats.map_or(Ok(()), |stats| write!(f, ", {stats}"))?;
                errors.iter().try_for_each(|error| write!(f, ", {error}"))
            }
            Answer::KeyRefused { words, .. } | Answer::Busy { words, .. } | Answer::Strange { words, .. } => {
                if words.is_empty() { Ok(()) } else { write!(f, ", {words}") }
            }
            Answer::Redirect { target, .. } => write!(f, ", to {target}"),
            Answer::NotSent { cause } | Answer::Lost { cause } => write!(f, ", {cause}"),
            Answer::TooLarge => Ok(()),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} seats are assigned", self.assigned, self.available)
    }
}

impl Answer {
    /// The status as a number, or what came in its place; a refusal that came with 200 counts as 400.
    pub fn status(&self) -> String {
        match self {
            Answer::Done { .. } => "200".to_owned(),
            Answer::Refused { .. } => "400".to_owned(),
            Answer::NoSeats { .. } => "402".to_owned(),
            Answer::TooLarge => "413".to_owned(),
            Answer::KeyRefused { status, .. }
            | Answer::Busy { status, .. }
            | Answer::Redirect { status, .. }
            | Answer::Strange { status, .. } => status.to_string(),
            Answer::NotSent { .. } => "not-sent".to_owned(),
            Answer::Lost { .. } => "lost".to_owned(),
        }
    }
}

/// What of an answer's headers is looked at, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    pub retry_after: Option<&'a str>,
    pub location: Option<&'a str>,
    pub content_type: Option<&'a str>,
}

/// No answer makes anyone wait longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// What is shown of a page that is no answer, in characters.
const STRANGE_CHARS_MAX: usize = 200;
/// What is kept of one error, in characters.
const ERROR_CHARS_MAX: usize = 500;
/// How many errors of one answer are kept.
const ERRORS_MAX: usize = 1000;

/// The body of a request, for `PUT` and `DELETE` alike. It holds the key: it is to be sent and nothing else.
pub fn body<'a>(key: &SecretString, addresses: impl IntoIterator<Item = &'a Address>) -> Vec<u8> {
    let emails: Vec<&str> = addresses.into_iter().map(Address::spelling).collect();
    json!({"apiKey": key.expose_secret(), "emails": emails}).to_string().into_bytes()
}

/// The path of a subscription, from the root.
pub fn path(kind: SubscriptionType, id: Uuid) -> String {
    format!("/api/manage/{}/{id}", kind.label())
}

/// Reads an answer. `secret` is the key that was sent, which a server may echo; it is in nothing that this returns.
/// `now` is what a `Retry-After` with a date counts from.
pub fn read(status: u16, headers: Headers<'_>, body: &[u8], secret: &str, now: Timestamp) -> Answer {
    let clean = Clean { secret, letters: letters_and_digits(secret) };
    let reply = Reply::parse(body, &clean);
    let words = || match &reply {
        Some(reply) => clean.text(&reply.errors.join("; "), ERROR_CHARS_MAX),
        None => clean.text(&String::from_utf8_lossy(body), STRANGE_CHARS_MAX),
    };
    match (status, reply.as_ref()) {
        (200..=299, Some(Reply { success: Some(true), errors, stats })) if errors.is_empty() => {
            Answer::Done { stats: *stats }
        }
        (200..=299, Some(Reply { success: Some(_), errors, stats })) => {
            Answer::Refused { errors: errors.clone(), stats: *stats }
        }
        (400, Some(Reply { errors, stats, .. })) => Answer::Refused { errors: errors.clone(), stats: *stats },
        (402, Some(Reply { errors, stats, .. })) => Answer::NoSeats { stats: *stats, errors: errors.clone() },
        (402, None) => Answer::NoSeats { stats: None, errors: Vec::new() },
        (401 | 403 | 404, _) => Answer::KeyRefused { status, words: words() },
        (413, _) => Answer::TooLarge,
        (408 | 425 | 429 | 500..=599, _) => Answer::Busy {
            status,
            retry_after: headers.retry_after.and_then(|value| retry_after(value, now)),
            words: words(),
        },
        (300..=399, _) => {
            Answer::Redirect { status, target: clean.text(headers.location.unwrap_or_default(), ERROR_CHARS_MAX) }
        }
        _ => Answer::Strange { status, words: strange(headers.content_type, body, &clean) },
    }
}

/// The documented form of a body, as far as it is there.
struct Reply {
    success: Option<bool>,
    errors: Vec<String>,
    stats: Option<Stats>,
}

impl Reply {
    /// `None`: not a JSON object.
    fn parse(body: &[u8], clean: &Clean<'_>) -> Option<Reply> {
        let Value::Object(fields) = serde_json::from_slice(body).ok()? else { return None };
        let mut errors = match fields.get("errors") {
            Some(Value::Array(errors)) => errors.iter().take(ERRORS_MAX).map(|error| clean.value(error)).collect(),
            Some(other) if !is_empty(other) => vec![clean.value(other)],
            _ => Vec::new(),
        };
        // Another way of saying what is wrong (`message`, `title` and the like) is better than none.
        let success = fields.get("success").and_then(Value::as_bool);
        if errors.is_empty() && success != Some(true) && fields.keys().any(|name| !DOCUMENTED.contains(&name.as_str()))
        {
            errors.push(clean.text(&String::from_utf8_lossy(body), ERROR_CHARS_MAX));
        }
        let stats = fields.get("assignmentStats").and_then(|stats| {
            let number = |name| stats.get(name).and_then(Value::as_u64);
            Some(Stats { available: number("availableLicenses")?, assigned: number("assignedLicenses")? })
        });
        Some(Reply { success, errors, stats })
    }
}

/// The fields of a body, as documented.
const DOCUMENTED: [&str; 3] = ["success", "errors", "assignmentStats"];

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn strange(content_type: Option<&str>, body: &[u8], clean: &Clean<'_>) -> String {
    let text = clean.text(&String::from_utf8_lossy(body), STRANGE_CHARS_MAX);
    match content_type {
        _ if body.is_empty() => "an empty body".to_owned(),
        _ if text.is_empty() => "a blank page".to_owned(),
        Some(kind) => format!("{} ({})", text, clean.text(kind, 60)),
        None => text,
    }
}

/// Seconds, or a date; never more than an hour. `None`: neither.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(SystemTime::from(now)).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Makes text of a server's fit to be shown and stored.
struct Clean<'a> {
    secret: &'a str,
    /// The key's letters and digits, in lower case.
    letters: Vec<char>,
}

/// What stands where the key was.
const REDACTED: &str = "[key]";

impl Clean<'_> {
    /// A string as it is, anything else as compact JSON.
    fn value(&self, value: &Value) -> String {
        match value {
            Value::String(text) => self.text(text, ERROR_CHARS_MAX),
            other => self.text(&other.to_string(), ERROR_CHARS_MAX),
        }
    }

    /// At most so many characters, in one line, without the key.
    fn text(&self, text: &str, chars_max: usize) -> String {
        // Far more than can be shown, even where much of it is the key.
        let plain: String = text.chars().take(chars_max * 64).map(|c| if c.is_control() { ' ' } else { c }).collect();
        bounded(self.redact(plain.trim()).trim(), chars_max)
    }

    /// Takes the key out, in upper or lower case and whatever stands between its letters and digits.
    fn redact(&self, text: &str) -> String {
        if self.letters.is_empty() {
            return if self.secret.is_empty() { text.to_owned() } else { text.replace(self.secret, REDACTED) };
        }
        // The letters and digits of the text, each with its place.
        let letters: Vec<(usize, usize, char)> = text
            .char_indices()
            .filter(|(_, c)| c.is_alphanumeric())
            .flat_map(|(i, c)| c.to_lowercase().map(move |lower| (i, i + c.len_utf8(), lower)))
            .collect();
        let (mut clean, mut copied, mut i) = (String::with_capacity(text.len()), 0, 0);
        while let Some(window) = letters.get(i..i + self.letters.len()) {
            if window.iter().map(|(_, _, c)| *c).eq(self.letters.iter().copied()) {
                let (start, end) = (window[0].0, window[window.len() - 1].1);
                clean.push_str(text.get(copied..start).unwrap_or_default());
                clean.push_str(REDACTED);
                copied = end;
                i += self.letters.len();
            } else {
                i += 1;
            }
        }
        clean.push_str(text.get(copied..).unwrap_or_default());
        clean
    }
}

fn letters_and_digits(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Cut after a whole word where there is one, so that no half of an address looks like another address.
fn bounded(text: &str, chars_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let kept = text.get(..end).unwrap_or_default();
    let whole = kept.rfind(char::is_whitespace).filter(|cut| *cut > 0).map_or(kept, |cut| &kept[..cut]);
    format!("{}\u{2026}", whole.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "0A1b2C3d-4e5F-6071-8293-a4B5c6D7e8f9";

    fn moment() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, body: &str) -> Answer {
        read(status, Headers::default(), body.as_bytes(), KEY, moment())
    }

    fn refused(errors: &[&str]) -> Answer {
        Answer::Refused { errors: errors.iter().map(|&error| error.to_owned()).collect(), stats: None }
    }

    fn strange(status: u16, words: &str) -> Answer {
        Answer::Strange { status, words: words.to_owned() }
    }

    #[test]
    fn a_request_is_as_documented() {
        let addresses = [Address::parse("Jane@Contoso.com").unwrap(), Address::parse("o'x@contoso.com").unwrap()];
        let body = body(&SecretString::from(KEY), &addresses);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"apiKey": KEY, "emails": ["Jane@Contoso.com", "o'x@contoso.com"]}));
        assert_eq!(
            path(SubscriptionType::Paddle, "FF3D3CF5-5388-40a0-915f-970c1d2d972f".parse().unwrap()),
            "/api/manage/Paddle/ff3d3cf5-5388-40a0-915f-970c1d2d972f"
        );
    }

    #[test]
    fn the_documented_answers_are_read() {
        let stats = Some(Stats { available: 10, assigned: 7 });
        let with = |success, errors: &str| {
            format!(
                r#"{{"success": {success}, "errors": {errors}, "assignmentStats": {{"availableLicenses": 10, "assignedLicenses": 7}}}}"#
            )
        };
        assert_eq!(answer(200, &with(true, "[]")), Answer::Done { stats });
        assert_eq!(answer(200, &with(false, "[]")), Answer::Refused { errors: vec![], stats });
        assert_eq!(answer(200, &with(true, "[\"no\"]")), Answer::Refused { errors: vec!["no".into()], stats });
        assert_eq!(answer(400, &with(false, "[\"no\"]")), Answer::Refused { errors: vec!["no".into()], stats });
        assert_eq!(answer(402, &with(false, "[\"full\"]")), Answer::NoSeats { stats, errors: vec!["full".into()] });
        for body in ["", "<html>Payment required</html>", "[]", "{}"] {
            assert_eq!(answer(402, body), Answer::NoSeats { stats: None, errors: vec![] }, "{body}");
        }
        for status in [401, 403, 404] {
            let words = "no such key".to_owned();
            assert_eq!(answer(status, r#"{"errors":["no such key"]}"#), Answer::KeyRefused { status, words });
        }
        assert_eq!(answer(413, "too large"), Answer::TooLarge);
    }

    #[test]
    fn what_is_not_in_a_documented_form_is_strange() {
        assert_eq!(answer(200, ""), strange(200, "an empty body"));
        assert_eq!(answer(200, "<html>\n<b>Log in"), strange(200, "<html> <b>Log in"));
        assert_eq!(answer(200, "{}"), strange(200, "{}"));
        assert_eq!(answer(200, r#"{"success":"true"}"#), strange(200, r#"{"success":"true"}"#));
        assert_eq!(answer(200, "[true]"), strange(200, "[true]"));
        assert_eq!(answer(400, "Bad Request"), strange(400, "Bad Request"));
        assert_eq!(answer(405, r#"{"success":false}"#), strange(405, r#"{"success":false}"#));
        assert_eq!(answer(200, &" \n".repeat(50_000)), strange(200, "a blank page"));
        assert_eq!(
            answer(503, &" \n".repeat(50_000)),
            Answer::Busy { status: 503, retry_after: None, words: String::new() }
        );
        let Answer::Strange { words, .. } = answer(200, &"x".repeat(5000)) else { panic!("not strange") };
        assert_eq!(words.chars().count(), STRANGE_CHARS_MAX + 1);
        let headers = Headers { content_type: Some("text/html"), ..Headers::default() };
        assert_eq!(read(200, headers, b"hello", KEY, moment()), strange(200, "hello (text/html)"));
    }

    #[test]
    fn errors_of_any_form_are_shown() {
        assert_eq!(
            answer(400, r#"{"errors":["a", {"email": "b"}, 3, null]}"#),
            refused(&["a", r#"{"email":"b"}"#, "3", "null"])
        );
        assert_eq!(answer(400, r#"{"errors":"a\u0007b\nc"}"#), refused(&["a b c"]));
        assert_eq!(answer(400, r#"{"errors":{"emails":["bad"]}}"#), refused(&[r#"{"emails":["bad"]}"#]));
        assert_eq!(answer(400, r#"{"title":"bad"}"#), refused(&[r#"{"title":"bad"}"#]));
        for none in ["null", "[]", "{}", "\"\""] {
            assert_eq!(answer(400, &format!(r#"{{"errors":{none}}}"#)), refused(&[]), "{none}");
        }
    }

    #[test]
    fn a_flood_of_errors_is_bounded_and_cut_between_words() {
        let error = "jane@contoso.com ".repeat(100);
        let Answer::Refused { errors, .. } = answer(400, &json!({"errors": vec![error; 1100]}).to_string()) else {
            panic!("not refused")
        };
        assert_eq!(errors.len(), ERRORS_MAX);
        assert!(errors.iter().all(|error| error.chars().count() <= ERROR_CHARS_MAX + 1));
        assert!(errors[0].ends_with("jane@contoso.com\u{2026}"), "{}", errors[0]);
    }

    #[test]
    fn absurd_stats_are_no_stats() {
        for stats in [
            "null",
            "7",
            "{}",
            r#"{"availableLicenses": -1, "assignedLicenses": 0}"#,
            r#"{"availableLicenses": "10", "assignedLicenses": "7"}"#,
            r#"{"availableLicenses": 10}"#,
            r#"{"availableLicenses": 1e300, "assignedLicenses": 99999999999999999999999}"#,
        ] {
            let body = format!(r#"{{"success": true, "errors": [], "assignmentStats": {stats}}}"#);
            assert_eq!(answer(200, &body), Answer::Done { stats: None }, "{stats}");
        }
        let body = r#"{"success":true,"assignmentStats":{"availableLicenses":3,"assignedLicenses":5}}"#;
        assert_eq!(answer(200, body), Answer::Done { stats: Some(Stats { available: 3, assigned: 5 }) });
    }

    #[test]
    fn busy_servers_say_when_to_come_back() {
        let wait = |value| {
            let headers = Headers { retry_after: Some(value), ..Headers::default() };
            match read(503, headers, b"", KEY, moment()) {
                Answer::Busy { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
                other => panic!("{other:?}"),
            }
        };
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(3600)),
            ("7200", Some(3600)),
            ("Mon, 23 Nov 2026 08:01:30 GMT", Some(90)),
            ("Mon, 23 Nov 2026 07:00:00 GMT", Some(0)),
            ("Tue, 24 Nov 2026 08:00:00 GMT", Some(3600)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(value), seconds, "{value}");
        }
        for status in [408, 425, 429, 500, 502, 504, 599] {
            let words = "try later".to_owned();
            assert_eq!(answer(status, "try later"), Answer::Busy { status, retry_after: None, words });
        }
    }

    #[test]
    fn a_redirect_names_its_target_only() {
        let headers = Headers { location: Some("https://elsewhere.example/x"), ..Headers::default() };
        let target = "https://elsewhere.example/x".to_owned();
        assert_eq!(read(307, headers, b"moved", KEY, moment()), Answer::Redirect { status: 307, target });
    }

    #[test]
    fn an_echoed_key_is_redacted_in_any_form() {
        let plain = KEY.replace('-', "");
        for key in [KEY, &KEY.to_uppercase(), &KEY.to_lowercase(), &plain, &plain.to_uppercase(), &format!("{{{KEY}}}")]
        {
            let body = json!({"errors": [format!("the key {key} is wrong"), {"apiKey": key}]}).to_string();
            for status in [200, 400, 402, 404, 503, 302] {
                let headers = Headers { location: Some(key), retry_after: Some(key), content_type: Some(key) };
                let shown = format!("{:?}", read(status, headers, body.as_bytes(), KEY, moment()));
                assert!(!holds_key(&shown), "{status}: {shown}");
            }
        }
        assert_eq!(answer(400, &json!({"errors": [format!("key {KEY}.")]}).to_string()), refused(&["key [key]."]));
    }

    /// In any case, with any hyphens.
    fn holds_key(text: &str) -> bool {
        letters_and_digits(text).windows(32).any(|window| window == letters_and_digits(KEY))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_answer_is_read_without_the_key(
            status in 100_u16..600,
            before in "\\PC{0,20}|[ -~]{0,300}|[{\"a-z:,\\[ ]{0,30}",
            hyphens in proptest::collection::vec(0_usize..32, 0..6),
            upper: bool,
            json: bool,
            after in "\\PC{0,20}",
            header in "\\PC{0,20}",
        ) {
            let mut key: Vec<char> = KEY.replace('-', "").to_lowercase().chars().collect();
            for place in hyphens {
                key.insert(place, '-');
            }
            let key: String = key.into_iter().collect();
            let key = if upper { key.to_uppercase() } else { key };
            let text = format!("{before}{key}{after}");
            let body = if json { json!({"success": false, "errors": [text, [key]]}).to_string() } else { text };
            let header = format!("{header}{key}");
            let headers = Headers { retry_after: Some(&header), location: Some(&header), content_type: Some(&header) };
            let shown = format!("{:?}", read(status, headers, body.as_bytes(), KEY, moment()));
            prop_assert!(!holds_key(&shown), "{}", shown);
        }

        #[test]
        fn any_bytes_are_read(
            status: u16,
            body in proptest::collection::vec(any::<u8>(), 0..300),
            secret in "\\PC{0,10}",
            header in "\\PC{0,30}",
        ) {
            let headers = Headers { retry_after: Some(&header), location: Some(&header), content_type: Some(&header) };
            let shown = format!("{:?}", read(status, headers, &body, &secret, moment()));
            prop_assert!(shown.chars().count() < 4000);
        }
    }
}
