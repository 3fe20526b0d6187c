//! Clocks, medians, and two sides taking turns.

use std::{fs, time::Instant};

use crate::Outcome;

/// Seconds that `work` takes on the wall clock.
pub(crate) fn seconds<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed().as_secs_f64(), done))
}

/// Seconds of processor time that the calling thread has used.
#[cfg(unix)]
pub(crate) fn thread_cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Seconds of processor time: not known here.
#[cfg(not(unix))]
pub(crate) fn thread_cpu_seconds() -> f64 {
    0.0
}

/// The most memory that the process has had, in MB; 0 where the system does not tell.
pub(crate) fn peak_memory_mb() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Lets two sides take turns, so that what else the machine does meets both; their medians.
pub(crate) fn alternate(
    repetitions: usize,
    mut ours: impl FnMut(usize) -> Outcome<f64>,
    mut floor: impl FnMut(usize) -> Outcome<f64>,
) -> Outcome<(f64, f64)> {
    let (mut our_values, mut floor_values) = (Vec::new(), Vec::new());
    for repetition in 0..repetitions {
        our_values.push(ours(repetition)?);
        floor_values.push(floor(repetition)?);
    }
    Ok((median(&our_values), median(&floor_values)))
}
