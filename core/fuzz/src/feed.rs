//! Seeds and crashers: files in the tree, each fed once by `cargo test`.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

/// Folder of inputs that a target begins with, made by [`write_seeds`].
pub const SEEDS: &str = "seeds";
/// Folder of inputs that broke a target once.
pub const CRASHERS: &str = "crashers";

/// What is done with hostile bytes, and what to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of the program, and of the folders of its inputs.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that reach what it is about.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Feeds every target its files; returns how many there were.
///
/// The name of each file is printed first, so that the last one is the culprit, however the process
/// ends.
///
/// # Errors
///
/// Fails when a file cannot be read, or a target has no seeds.
pub fn feed_all(folder: &Path, targets: &[Target]) -> io::Result<usize> {
    let mut count = 0;
    for target in targets {
        let mut files = files_of(&folder.join(SEEDS).join(target.name))?;
        if files.is_empty() {
            let words = format!("the target {} has no seeds", target.name);
            return Err(io::Error::new(io::ErrorKind::NotFound, words));
        }
        files.extend(files_of(&folder.join(CRASHERS).join(target.name))?);
        for file in files {
            eprintln!("{}", file.display());
            (target.run)(&fs::read(file)?);
            count += 1;
        }
    }
    Ok(count)
}

/// Writes the seeds of every target, numbered.
///
/// # Errors
///
/// Fails when a file cannot be written.
pub fn write_seeds(folder: &Path, targets: &[Target]) -> io::Result<()> {
    for target in targets {
        let folder = folder.join(SEEDS).join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("{number:02}")), seed)?;
        }
    }
    Ok(())
}

fn files_of(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Feeds a target damaged seeds for so many seconds; returns how many inputs there were.
///
/// Nothing shows where they lead: it is what can be done where libFuzzer is not. The last input is
/// kept in `last`, so that it is there however the process ends.
///
/// # Errors
///
/// Fails when a file cannot be read or written.
pub fn feed_damaged(
    folder: &Path,
    target: &Target,
    seconds: u64,
    seed: u64,
    last: &Path,
) -> io::Result<u64> {
    let files = files_of(&folder.join(SEEDS).join(target.name))?;
    let seeds = files.iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let (mut noise, mut count) = (seed, 0);
    while Instant::now() < until {
        let mut input = seeds[below(&mut noise, seeds.len())].clone();
        for _ in 0..=below(&mut noise, 6) {
            damage(&mut input, &seeds, &mut noise);
        }
        fs::write(last, &input)?;
        (target.run)(&input);
        count += 1;
    }
    fs::remove_file(last)?;
    Ok(count)
}

fn below(noise: &mut u64, limit: usize) -> usize {
    *noise = noise.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *noise;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
}

fn damage(input: &mut Vec<u8>, seeds: &[Vec<u8>], noise: &mut u64) {
    let at = below(noise, input.len());
    let end = (at + 1 + below(noise, 16)).min(input.len());
    match below(noise, 8) {
        0 if at < input.len() => input[at] ^= 1 << below(noise, 8),
        1 if at < input.len() => input[at] = below(noise, 256) as u8,
        2 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xff][below(noise, 5)],
        3 => input.insert(at, below(noise, 256) as u8),
        4 => drop(input.drain(at..end)),
        5 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        6 => {
            let other = &seeds[below(noise, seeds.len())];
            let from = below(noise, other.len());
            let to = (from + below(noise, 64)).min(other.len());
            input.splice(at..end, other[from..to].to_vec());
        }
        _ => input.extend((0..8).map(|_| below(noise, 256) as u8)),
    }
}
