//! Clocks, medians, and two sides taking turns.

use std::{fs, time::Instant};

use crate::Outcome;

/// What work took, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// On the wall clock.
    pub(crate) wall: f64,
    /// Of the calling thread's processor time: what is left when nobody else uses the machine
    /// and the disk takes no time.
    pub(crate) cpu: f64,
}

/// Runs `work` and says what it took.
pub(crate) fn cost<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Cost, T)> {
    let (start, before) = (Instant::now(), thread_cpu_seconds());
    let done = work()?;
    let cpu = thread_cpu_seconds() - before;
    Ok((Cost { wall: start.elapsed().as_secs_f64(), cpu }, done))
}

/// What both sides took: ours, and the floor's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Both {
    pub(crate) wall: (f64, f64),
    pub(crate) cpu: (f64, f64),
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
    mut ours: impl FnMut(usize) -> Outcome<Cost>,
    mut floor: impl FnMut(usize) -> Outcome<Cost>,
) -> Outcome<Both> {
    let (mut our_costs, mut floor_costs) = (Vec::new(), Vec::new());
    for repetition in 0..repetitions {
        our_costs.push(ours(repetition)?);
        floor_costs.push(floor(repetition)?);
    }
    let middle =
        |costs: &[Cost], of: fn(&Cost) -> f64| median(&costs.iter().map(of).collect::<Vec<f64>>());
    let both = |of| (middle(&our_costs, of), middle(&floor_costs, of));
    Ok(Both { wall: both(|cost| cost.wall), cpu: both(|cost| cost.cpu) })
}
