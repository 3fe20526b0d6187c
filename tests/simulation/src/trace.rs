//! What happened, as a digest: two runs of one seed must have the same.

/// The events of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    step: usize,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps the events as text too, if asked.
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, step: 0, lines: keeps_lines.then(Vec::new) }
    }

    pub(crate) fn begin_step(&mut self, step: usize) {
        self.step = step;
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &str) {
        for byte in event.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>5}  {event}", self.step));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
