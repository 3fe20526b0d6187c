//! Random choices that can be repeated: a fixed seed, or the one in `OUTRIDER_SEED`.

/// A source of random numbers (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    /// Begins with `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Whether a choice of this many percent falls.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs `case` `count` times, each with a seed of its own, which is printed if the case fails.
///
/// `OUTRIDER_SEED` sets the seed of the first case; the others follow from it. `OUTRIDER_CASES`
/// says how many times `count` cases there are: `20`, or `/20` for a twentieth.
pub(crate) fn cases(count: u64, case: impl Fn(&mut Dice)) {
    let times = std::env::var("OUTRIDER_CASES").unwrap_or_else(|_| "1".to_owned());
    let (times, part) = match times.strip_prefix('/') {
        Some(part) => (Ok(1), part.parse()),
        None => (times.parse(), Ok(1)),
    };
    let (times, part): (u64, u64) = (times.expect("a number"), part.expect("a number"));
    let count = count.saturating_mul(times).div_ceil(part);
    let given = std::env::var("OUTRIDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let first: u64 = given.unwrap_or(1);
    for seed in first..first.saturating_add(count) {
        let hint = Hint(seed);
        case(&mut Dice::seeded(seed));
        drop(hint);
    }
}

/// Says how to repeat the case, if it fails.
struct Hint(u64);

impl Drop for Hint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat this case with OUTRIDER_SEED={}", self.0);
        }
    }
}
