//! Runs processes, and says how long they took and how much memory they had.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The columns of [`Side::row`].
pub const HEADING: &str = "                                                 wall: median      min      max    ratio     cpu: mean    ratio    peak";

/// One process that ran to its end.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    pub began: Instant,
    pub took: Duration,
    /// Processor time, of its children, too; in steps of 10 ms.
    pub cpu: Duration,
    /// The most resident memory of the process or one of its children, in bytes; 0 where it was not looked for.
    pub peak: u64,
}

/// Runs a command that has to succeed. Memory is looked for every fraction of a millisecond, which costs time: what is
/// timed is run without.
#[expect(clippy::disallowed_methods, reason = "this measures")]
pub fn run(mut command: Command, look_for_memory: bool) -> Ran {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (began, cpu) = (Instant::now(), cpu_of_children());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let peak = if look_for_memory { watch(&mut child) } else { 0 };
    let output = child.wait_with_output().unwrap();
    let took = began.elapsed();
    assert!(output.status.success(), "{command:?}: {output:?}");
    Ran { began, took, cpu: cpu_of_children().saturating_sub(cpu), peak }
}

/// The processor time of all processes that have been waited for.
fn cpu_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    // Linux tells user and system time in hundredths of a second.
    let hundredths: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * hundredths)
}

fn watch(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_of(child.id()));
        std::thread::park_timeout(Duration::from_micros(200));
    }
    peak
}

/// The most memory that a process or one of its children has had so far.
pub fn peak_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10;
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).map(peak_of).fold(own, u64::max)
}

/// One side of a comparison.
#[derive(Debug, Default)]
pub struct Side {
    times: Vec<Duration>,
    cpu: Duration,
    peak: u64,
}

impl Side {
    pub fn add(&mut self, ran: Ran) {
        self.add_part(ran.took);
        self.cpu += ran.cpu;
    }

    /// A part of a run, of which only the time is known.
    pub fn add_part(&mut self, took: Duration) {
        self.times.push(took);
    }

    pub fn saw(&mut self, peak: u64) {
        self.peak = self.peak.max(peak);
    }

    pub fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// The time that so many of a hundred are not above.
    pub fn percentile(&self, hundredths: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        times.get(last.min(times.len() * hundredths / 100)).copied().unwrap_or_default()
    }

    fn mean_cpu(&self) -> Duration {
        self.cpu / u32::try_from(self.times.len().max(1)).unwrap()
    }

    /// A line of the table; the ratios are those of this side to the reference.
    pub fn row(&self, name: &str, reference: Option<&Side>) -> String {
        let ms = |time: Duration| format!("{:>8.1}ms", time.as_secs_f64() * 1e3);
        let ratio = |of: fn(&Side) -> Duration| match reference.map(of) {
            Some(other) if !other.is_zero() => format!("{:>8.2}x", of(self).as_secs_f64() / other.as_secs_f64()),
            _ => " ".repeat(9),
        };
        let (min, max) = (self.times.iter().min(), self.times.iter().max());
        let [min, max] = [min, max].map(|time| ms(time.copied().unwrap_or_default()));
        let mut row = format!("{name:<48}{}   {min}{max}{}", ms(self.median()), ratio(Side::median));
        if !self.cpu.is_zero() {
            let _ = write!(row, "   {}{}", ms(self.mean_cpu()), ratio(Side::mean_cpu));
        }
        if self.peak > 0 {
            let _ = write!(row, "{:>5} MiB", self.peak.div_ceil(1 << 20));
        }
        row
    }
}
