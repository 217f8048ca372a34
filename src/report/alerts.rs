//! How the receivers of alerts stand.

use serde::Serialize;

use super::text::{count, either, moment_and_distance, plain, sentence};
use crate::clock::Timestamp;
use crate::config::AlertKind;

/// A receiver, as `status --json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiverStatus {
    pub receiver: String,
    pub kind: AlertKind,
    /// Alerts that wait to be sent.
    pub waiting: u64,
    /// Why something does not arrive.
    pub problem: Option<String>,
    /// Since when nothing arrives at all.
    pub failing_since: Option<Timestamp>,
}

impl ReceiverStatus {
    /// What a person should know: a sentence or two where alerts don't arrive.
    pub fn told(&self, now: Timestamp) -> Option<String> {
        let ReceiverStatus { receiver, waiting, problem, failing_since, .. } = self;
        let problem = sentence(&plain(problem.as_ref()?));
        let receiver = plain(receiver);
        let wait = match waiting {
            0 => String::new(),
            n => format!(
                " {} and {} sent as soon as possible.",
                count(*n, "alert waits", "alerts wait"),
                either(*n, "is", "are")
            ),
        };
        Some(match failing_since {
            Some(since) => {
                format!(
                    "{receiver}: no alert arrives there since {}: {problem}{wait}",
                    moment_and_distance(*since, now)
                )
            }
            None => format!("{receiver}: an alert is refused there: {problem}{wait}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_fails_is_told_and_one_that_works_is_not() {
        let now = Timestamp::from_timestamp(7200, 0).unwrap();
        let well = ReceiverStatus {
            receiver: "mail to it@contoso.com".into(),
            kind: AlertKind::Smtp,
            waiting: 1,
            problem: None,
            failing_since: None,
        };
        assert_eq!(well.told(now), None);
        let refused = ReceiverStatus { problem: Some("mail.contoso.com: 552 too large".into()), ..well.clone() };
        insta::assert_snapshot!(refused.told(now).unwrap(), @"mail to it@contoso.com: an alert is refused there: mail.contoso.com: 552 too large. 1 alert waits and is sent as soon as possible.");
        let failing = ReceiverStatus { waiting: 3, failing_since: Some(Timestamp::UNIX_EPOCH), ..refused };
        insta::assert_snapshot!(failing.told(now).unwrap(), @"mail to it@contoso.com: no alert arrives there since 1970-01-01 00:00 UTC (2 hours ago): mail.contoso.com: 552 too large. 3 alerts wait and are sent as soon as possible.");
    }
}
