//! Answers as values: a status, headers and a body.

use serde::Serialize;

/// An answer, before it is put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// `assignmentStats`, with the licensing API's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentStats {
    /// The subscription's total, not what is free.
    pub available_licenses: u64,
    pub assigned_licenses: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    success: bool,
    errors: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment_stats: Option<AssignmentStats>,
}

impl Reply {
    /// 200, as documented.
    pub fn done(stats: AssignmentStats) -> Reply {
        Reply::json(200, &Body { success: true, errors: &[], assignment_stats: Some(stats) })
    }

    /// An answer that says what was wrong.
    pub fn refused(status: u16, errors: &[String], assignment_stats: Option<AssignmentStats>) -> Reply {
        Reply::json(status, &Body { success: false, errors, assignment_stats })
    }

    /// An answer with one error.
    pub fn error(status: u16, error: &str) -> Reply {
        Reply::refused(status, &[error.to_owned()], None)
    }

    /// 405, with the methods that there are.
    pub fn wrong_method(allowed: &'static str) -> Reply {
        let reply = Reply::error(405, &format!("This address takes {allowed} only."));
        reply.with_header("allow", allowed.to_owned())
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: String::new() }
    }

    /// An answer with a body of this media type.
    pub fn text(status: u16, media_type: &str, body: String) -> Reply {
        Reply { status, headers: vec![("content-type", media_type.to_owned())], body }
    }

    /// An answer with this value as its body.
    pub fn json(status: u16, value: &impl Serialize) -> Reply {
        // Values of ours have no maps with keys that are not strings, and no writer that fails.
        let body = serde_json::to_string(value).unwrap_or_default();
        Reply::text(status, "application/json; charset=utf-8", body)
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Reply {
        self.headers.push((name, value));
        self
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }
}
