//! What the system tells of this process, by the names that every Prometheus client has for it.

use std::fs;

use crate::metrics::Text;

/// What `/proc` counts time in, in parts of a second; the same on every machine that rosterd runs on.
const TICKS: f64 = 100.0;

/// What can't be read is left out.
pub(super) fn metrics(text: &mut Text) {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let stat = read("/proc/self/stat");
    if let Some(ticks) = cpu_ticks(&stat) {
        text.counters("process_cpu_seconds_total", "CPU time spent, in seconds.", [], [([], ticks / TICKS)]);
    }
    let boot = read("/proc/stat").lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
    if let (Some(boot), Some(ticks)) = (boot, field(&stat, 19)) {
        let help = "When the process started, in seconds since 1970.";
        text.gauges("process_start_time_seconds", help, [], [([], boot + ticks / TICKS)]);
    }
    let status = read("/proc/self/status");
    if let Some(bytes) = bytes(&status, "VmRSS:") {
        text.gauges("process_resident_memory_bytes", "Resident memory, in bytes.", [], [([], bytes)]);
    }
    if let Some(bytes) = bytes(&status, "VmSize:") {
        text.gauges("process_virtual_memory_bytes", "Virtual memory, in bytes.", [], [([], bytes)]);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        text.gauges("process_open_fds", "Open file descriptors.", [], [([], open.count())]);
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        text.gauges("process_max_fds", "How many file descriptors may be open.", [], [([], most)]);
    }
}

fn cpu_ticks(stat: &str) -> Option<f64> {
    Some(field(stat, 11)? + field(stat, 12)?)
}

/// A field of `/proc/PID/stat`, counted from after the second one: that is the program's name and may hold anything.
fn field(stat: &str, place: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// A line of `/proc/PID/status`, which is in KiB.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_shifts_nothing() {
        let stat = "4711 (a) b (c)) S 1 1 1 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 7 0 4200 1048576 300";
        assert_eq!((cpu_ticks(stat), field(stat, 19)), (Some(200.0), Some(4200.0)));
        assert_eq!(cpu_ticks("nothing of the kind"), None);
    }

    #[test]
    fn this_process_can_be_told_of() {
        let mut text = Text::default();
        metrics(&mut text);
        let text = text.into_string();
        for name in ["cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds"] {
            assert!(text.lines().any(|line| line.starts_with(&format!("process_{name} "))), "{name}: {text}");
        }
    }
}
