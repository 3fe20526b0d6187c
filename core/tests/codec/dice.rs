//! Random choices that can be repeated: the seed is printed, and read from `OUTRIDER_SEED`.

/// A source of random numbers (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    /// Begins with a new seed, or the one in the environment, and prints it.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("OUTRIDER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64)
        });
        eprintln!("OUTRIDER_SEED={seed}");
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

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}
