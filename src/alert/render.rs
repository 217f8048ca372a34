//! An alert in the words of each kind of receiver: a mail, a message for Slack, a card for Teams, JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Alert, Phase, digest};
use crate::config::AlertEvent;
use crate::report::text::{count, moment, plain, sentence, span, stamp};

/// Slack cuts a header there, and refuses a longer one.
const SLACK_HEADER_MAX: usize = 150;
/// The same for the text of a section.
const SLACK_SECTION_MAX: usize = 3000;

/// The line that stands alone in a mailbox or in a notification.
pub fn subject(alert: &Alert) -> String {
    let headline = &alert.words.headline;
    plain(&match alert.phase {
        Phase::New | Phase::Digest | Phase::Test => headline.clone(),
        Phase::Changed => format!("Changed: {headline}"),
        Phase::Reminder => format!("Reminder: {headline}"),
        Phase::Over => format!("Over: {headline}"),
    })
}

/// A part of an alert with what it is.
struct Part {
    title: String,
    text: String,
}

fn parts(alert: &Alert) -> Vec<Part> {
    let words = &alert.words;
    let mut people = names(&words.people);
    if words.others > 0 {
        people = format!("{people}, and {}", count(words.others, "other", "others"));
    }
    let all = [
        ("", words.detail.clone()),
        ("Who", people),
        ("What rosterd did", words.done.clone()),
        ("What you have to do", words.to_do.clone()),
        ("If nobody does it", words.otherwise.clone()),
    ];
    let of_many = digest::parts(&alert.gathered).into_iter().map(|(title, text)| (plain(&title), text));
    let parts = of_many.chain(all.map(|(title, text)| (title.to_owned(), text))).filter(|(_, text)| !text.is_empty());
    parts.map(|(title, text)| Part { title, text: plain(&text) }).collect()
}

/// The names, those that look the same because they are masked together.
fn names(people: &[String]) -> String {
    let alike = people.chunk_by(|one, other| one == other);
    let names =
        alike.map(|names| if let [name] = names { name.clone() } else { format!("{} × {}", names.len(), names[0]) });
    // What each is followed by may have commas of its own.
    names.collect::<Vec<_>>().join(if people.iter().any(|one| one.contains(": ")) { "; " } else { ", " })
}

/// When it was, and what comes next.
fn foot(alert: &Alert, remind_every: Duration) -> String {
    match alert.phase {
        Phase::Over | Phase::Digest | Phase::Test => format!("Told by rosterd at {}.", moment(alert.at)),
        _ => format!(
            "Since {}, told at {}. rosterd reminds of it every {}, and says when it is over.",
            moment(alert.since),
            moment(alert.at),
            every(remind_every)
        ),
    }
}

/// `24 hours`, `hour`.
fn every(period: Duration) -> String {
    let words = span(period);
    words.strip_prefix("1 ").map_or(words.clone(), str::to_owned)
}

/// The whole as plain text, for a mail.
pub fn text(alert: &Alert, remind_every: Duration) -> String {
    let mut text = format!("{}\n", sentence(&subject(alert)));
    for Part { title, text: part } in parts(alert) {
        text.push('\n');
        if !title.is_empty() {
            text.push_str(&title);
            text.push_str(": ");
        }
        text.push_str(&part);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&foot(alert, remind_every));
    text.push('\n');
    text
}

/// What programs get: webhooks and commands. The README describes it.
pub fn json(alert: &Alert, remind_every: Duration) -> Value {
    let words = &alert.words;
    let event = Some(alert.event).filter(|_| !matches!(alert.phase, Phase::Digest | Phase::Test));
    json!({
        "type": format!("alert.{}", event.map_or(alert.phase.word(), AlertEvent::word)),
        "timestamp": stamp(alert.at),
        "data": {
            "id": alert.id,
            "cause": alert.cause,
            "phase": alert.phase,
            "event": event,
            "subscription": alert.subject.subscription(),
            "source": alert.subject.source(),
            "since": stamp(alert.since),
            "at": stamp(alert.at),
            "subject": subject(alert),
            "headline": words.headline,
            "detail": words.detail,
            "people": words.people,
            "others": words.others,
            "done": words.done,
            "to_do": words.to_do,
            "otherwise": words.otherwise,
            "text": text(alert, remind_every),
            "alerts": alert.gathered.iter().map(in_short).collect::<Vec<_>>(),
        },
    })
}

/// One of those that a digest tells of.
fn in_short(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "cause": alert.cause,
        "phase": alert.phase,
        "event": alert.event,
        "subscription": alert.subject.subscription(),
        "source": alert.subject.source(),
        "since": stamp(alert.since),
        "at": stamp(alert.at),
        "subject": subject(alert),
    })
}

/// For an incoming webhook of Slack. Everything is plain text: no name can make a link, a mention or bold type.
pub fn slack(alert: &Alert, remind_every: Duration) -> Value {
    let plain_text = |text: &str, max: usize| json!({"type": "plain_text", "text": escaped(text, max), "emoji": false});
    let subject = subject(alert);
    let mut blocks = vec![json!({"type": "header", "text": plain_text(&subject, SLACK_HEADER_MAX)})];
    if subject.chars().count() > SLACK_HEADER_MAX {
        blocks.push(json!({"type": "section", "text": plain_text(&subject, SLACK_SECTION_MAX)}));
    }
    for Part { title, text } in parts(alert) {
        let text = if title.is_empty() { text } else { format!("{title}: {text}") };
        blocks.push(json!({"type": "section", "text": plain_text(&text, SLACK_SECTION_MAX)}));
    }
    blocks.push(json!({"type": "context", "elements": [plain_text(&foot(alert, remind_every), SLACK_SECTION_MAX)]}));
    json!({"text": escaped(&subject, SLACK_SECTION_MAX), "mrkdwn": false, "blocks": blocks})
}

/// What Slack would take for the beginning of a link or a mention, written so that it does not; at most so many
/// characters, as Slack counts them.
fn escaped(text: &str, max: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut length = 0;
    for c in text.chars() {
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let more = piece.len().max(1);
        if length + more >= max {
            escaped.push('…');
            break;
        }
        length += more;
        if piece.is_empty() { escaped.push(c) } else { escaped.push_str(piece) }
    }
    escaped
}

/// For a workflow of Teams that posts an adaptive card. Text stands in runs, which know no markdown.
pub fn teams(alert: &Alert, remind_every: Duration) -> Value {
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let bold = |text: &str| json!({"type": "TextRun", "text": text, "weight": "bolder"});
    let block = |inlines: Value| json!({"type": "RichTextBlock", "inlines": inlines});
    let colour = match alert.phase {
        Phase::Over | Phase::Test => "good",
        _ => "attention",
    };
    let subject = subject(alert);
    let headline = json!({"type": "TextRun", "text": subject, "weight": "bolder", "size": "medium", "color": colour});
    let mut body = vec![block(json!([headline]))];
    for Part { title, text } in parts(alert) {
        let inlines =
            if title.is_empty() { json!([run(&text)]) } else { json!([bold(&format!("{title}: ")), run(&text)]) };
        body.push(block(inlines));
    }
    body.push(block(
        json!([{"type": "TextRun", "text": foot(alert, remind_every), "isSubtle": true, "size": "small"}]),
    ));
    json!({
        "type": "message",
        "summary": subject,
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "fallbackText": subject,
                "body": body,
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Subject, Words};
    use crate::clock::Timestamp;

    const DAY: Duration = Duration::from_hours(24);

    fn alert(phase: Phase, headline: &str) -> Alert {
        Alert {
            id: "msg_1".into(),
            cause: "c1".into(),
            phase,
            event: AlertEvent::SeatsExhausted,
            subject: Subject::Subscription("contoso".into()),
            since: Timestamp::UNIX_EPOCH,
            at: Timestamp::from_timestamp(3600, 0).unwrap(),
            words: Words {
                headline: headline.into(),
                people: ["j***@contoso.com", "j***@contoso.com", "b***@contoso.com"].map(str::to_owned).to_vec(),
                others: 1,
                done: "All seats are given out.".into(),
                to_do: "Buy 3 seats.".into(),
                otherwise: "They wait.".into(),
                ..Words::default()
            },
            gathered: Vec::new(),
        }
    }

    #[test]
    fn a_mail_says_what_happened_to_whom_and_what_is_to_be_done() {
        let expected = "\
Reminder: contoso: 3 people wait: buy 3.

Who: 2 × j***@contoso.com, b***@contoso.com, and 1 other

What rosterd did: All seats are given out.

What you have to do: Buy 3 seats.

If nobody does it: They wait.

Since 1970-01-01 00:00 UTC, told at 1970-01-01 01:00 UTC. rosterd reminds of it every 24 hours, and says when it is over.
";
        assert_eq!(text(&alert(Phase::Reminder, "contoso: 3 people wait: buy 3"), DAY), expected);
        assert_eq!(every(Duration::from_hours(1)), "hour");
    }

    #[test]
    fn no_text_from_elsewhere_makes_a_header_a_link_or_a_mention() {
        let hostile = alert(Phase::New, "a\r\nBcc: all@contoso.com <!channel> & <https://x.example|y>");
        assert_eq!(subject(&hostile), "a  Bcc: all@contoso.com <!channel> & <https://x.example|y>");
        let slack = slack(&hostile, DAY);
        assert_eq!(slack["text"], "a  Bcc: all@contoso.com &lt;!channel&gt; &amp; &lt;https://x.example|y&gt;");
        let all = slack["blocks"].to_string();
        assert!(!all.contains("<!channel>") && !all.contains("\"mrkdwn\""), "{all}");
        let teams = teams(&hostile, DAY).to_string();
        assert!(!teams.contains("\"TextBlock\""), "what knows markdown: {teams}");
    }

    #[test]
    fn slack_gets_no_longer_texts_than_it_takes() {
        let long = alert(Phase::New, &"&".repeat(4000));
        let slack = slack(&long, DAY);
        for block in slack["blocks"].as_array().unwrap() {
            let (max, text) = match block["type"].as_str().unwrap() {
                "header" => (SLACK_HEADER_MAX, &block["text"]["text"]),
                "context" => (SLACK_SECTION_MAX, &block["elements"][0]["text"]),
                _ => (SLACK_SECTION_MAX, &block["text"]["text"]),
            };
            assert!(text.as_str().unwrap().chars().count() <= max, "{block}");
        }
    }

    #[test]
    fn a_program_gets_everything_by_its_name() {
        let json = json(&alert(Phase::Over, "contoso: nobody waits"), DAY);
        assert_eq!(json["type"], "alert.seats-exhausted");
        let data = &json["data"];
        assert_eq!(data["subject"], "Over: contoso: nobody waits");
        assert_eq!((&data["phase"], &data["subscription"]), (&"over".into(), &"contoso".into()));
        assert!(data["source"].is_null());
        assert_eq!(data["since"], "1970-01-01T00:00:00Z");
        let test = super::json(&alert(Phase::Test, "x"), DAY);
        assert_eq!((&test["type"], &test["data"]["event"]), (&"alert.test".into(), &Value::Null));
    }
}
