//! What this process has counted since it started, in the form that Prometheus reads.
//!
//! Counting is one call where something happens. What stands still between two events (seats, members …) is not counted
//! but read when somebody asks: `web/metrics.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ledger::RunOutcome;

/// How long a request to the licensing server takes, in seconds, from a quick answer to the longest time-out.
const REQUEST_BOUNDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// How long a run takes, in seconds, from one request to a hundred thousand people.
const RUN_BOUNDS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

static COUNTS: Mutex<Counts> = Mutex::new(Counts::new());

/// Everything that is counted. Labels are values in the order of their names.
#[derive(Debug)]
struct Counts {
    requests: BTreeMap<[String; 2], u64>,
    request_seconds: Histogram,
    runs: BTreeMap<[String; 1], u64>,
    run_seconds: Histogram,
    source_errors: BTreeMap<[String; 1], u64>,
    alerts: BTreeMap<[String; 2], u64>,
}

impl Counts {
    const fn new() -> Counts {
        Counts {
            requests: BTreeMap::new(),
            request_seconds: Histogram::new(REQUEST_BOUNDS),
            runs: BTreeMap::new(),
            run_seconds: Histogram::new(RUN_BOUNDS),
            source_errors: BTreeMap::new(),
            alerts: BTreeMap::new(),
        }
    }
}

fn counts() -> MutexGuard<'static, Counts> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add<const N: usize>(to: &mut BTreeMap<[String; N], u64>, labels: [&str; N]) {
    *to.entry(labels.map(str::to_owned)).or_default() += 1;
}

/// A request to the licensing server was answered, or came to nothing: `status` is a number or a word for that.
pub fn requested(method: &str, status: &str, took: Duration) {
    let mut counts = counts();
    add(&mut counts.requests, [method, status]);
    counts.request_seconds.observe(took);
}

/// A run has ended.
pub fn ran(outcome: RunOutcome, took: Duration) {
    let outcome = match outcome {
        RunOutcome::Converged => "converged",
        RunOutcome::Incomplete => "incomplete",
        RunOutcome::Failed => "failed",
    };
    let mut counts = counts();
    add(&mut counts.runs, [outcome]);
    counts.run_seconds.observe(took);
}

/// A look at a source gave nothing.
pub fn source_failed(source: &str) {
    add(&mut counts().source_errors, [source]);
}

/// An alert of this kind of receiver was delivered, or was not: `result` is `delivered` or `failed`.
pub fn alerted(kind: &str, result: &str) {
    add(&mut counts().alerts, [kind, result]);
}

/// Everything that was counted, as text. Outcomes that have not come yet are there with 0, so that a first failure is an
/// increase.
pub fn text() -> Text {
    let counts = counts();
    let mut text = Text::default();
    text.counters(
        "rosterd_requests_total",
        "Requests to the licensing server by method and by the status of the answer, or what came instead of one.",
        ["method", "status"],
        counts.requests.iter().map(|(labels, n)| (labels.each_ref().map(String::as_str), *n)),
    );
    text.histogram(
        "rosterd_request_seconds",
        "How long requests to the licensing server took, without the wait for their turn.",
        &counts.request_seconds,
    );
    let zero = ["converged", "incomplete", "failed"].map(|outcome| ([outcome.to_owned()], 0));
    let mut runs: BTreeMap<[String; 1], u64> = zero.into();
    runs.extend(counts.runs.clone());
    text.counters(
        "rosterd_runs_total",
        "Runs that ended, by outcome.",
        ["outcome"],
        runs.iter().map(|(labels, n)| (labels.each_ref().map(String::as_str), *n)),
    );
    text.histogram("rosterd_run_seconds", "How long runs took.", &counts.run_seconds);
    text.counters(
        "rosterd_source_errors_total",
        "Looks at a source that gave nothing: it was refused, incomplete or out of reach.",
        ["source"],
        counts.source_errors.iter().map(|(labels, n)| (labels.each_ref().map(String::as_str), *n)),
    );
    text.counters(
        "rosterd_alerts_total",
        "Alerts that were delivered or could not be, by kind of receiver.",
        ["kind", "result"],
        counts.alerts.iter().map(|(labels, n)| (labels.each_ref().map(String::as_str), *n)),
    );
    text
}

/// Times, counted by how long they are at most.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound that the table above has room for; each time is in one of them alone.
    within: [u64; 16],
    count: u64,
    sum: f64,
}

impl Histogram {
    const fn new(bounds: &'static [f64]) -> Histogram {
        assert!(bounds.len() <= 16, "there is room for so many bounds");
        Histogram { bounds, within: [0; 16], count: 0, sum: 0.0 }
    }

    fn observe(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        if let Some(place) = self.bounds.iter().position(|bound| took <= *bound) {
            self.within[place] += 1;
        }
        self.count += 1;
        self.sum += took;
    }
}

/// What Prometheus reads: its text format, version 0.0.4.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// A value that goes up and down, for each of these labels.
    pub fn gauges<'l, const N: usize, V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'l str; N], V)>,
    ) {
        self.family(name, help, "gauge");
        for (given, value) in values {
            self.sample(name, &labels, &given, &value);
        }
    }

    /// A value that only goes up, for each of these labels. The name ends with `_total`.
    pub fn counters<'l, const N: usize, V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'l str; N], V)>,
    ) {
        self.family(name, help, "counter");
        for (given, value) in values {
            self.sample(name, &labels, &given, &value);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        let mut within = 0;
        for (bound, more) in histogram.bounds.iter().zip(histogram.within) {
            within += more;
            self.sample(&bucket, &["le"], &[&bound.to_string()], &within);
        }
        self.sample(&bucket, &["le"], &["+Inf"], &histogram.count);
        self.sample(&format!("{name}_sum"), &[], &[], &histogram.sum);
        self.sample(&format!("{name}_count"), &[], &[], &histogram.count);
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[&str], given: &[&str], value: &dyn std::fmt::Display) {
        self.0.push_str(name);
        let pairs = labels.iter().zip(given).map(|(label, given)| format!("{label}=\"{}\"", escaped(given)));
        let pairs = pairs.collect::<Vec<_>>().join(",");
        if !pairs.is_empty() {
            let _ = write!(self.0, "{{{pairs}}}");
        }
        let _ = writeln!(self.0, " {value}");
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// A label's value as it stands between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_each_bound() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for ms in [100, 500, 700, 9000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut text = Text::default();
        text.histogram("rosterd_run_seconds", "How long runs took.", &histogram);
        insta::assert_snapshot!(text.into_string(), @r#"
        # HELP rosterd_run_seconds How long runs took.
        # TYPE rosterd_run_seconds histogram
        rosterd_run_seconds_bucket{le="0.5"} 2
        rosterd_run_seconds_bucket{le="1"} 3
        rosterd_run_seconds_bucket{le="+Inf"} 4
        rosterd_run_seconds_sum 10.3
        rosterd_run_seconds_count 4
        "#);
    }

    #[test]
    fn what_is_odd_in_a_name_stays_within_its_quotes() {
        let mut text = Text::default();
        text.gauges("rosterd_members", "Members.", ["subscription"], [(["a\"b\\c\nd"], 1)]);
        assert!(text.into_string().ends_with("rosterd_members{subscription=\"a\\\"b\\\\c\\nd\"} 1\n"));
    }

    #[test]
    fn what_has_not_happened_yet_is_there_with_zero() {
        let text = text().into_string();
        for outcome in ["converged", "incomplete", "failed"] {
            assert!(text.contains(&format!("rosterd_runs_total{{outcome=\"{outcome}\"}} ")), "{text}");
        }
    }
}
