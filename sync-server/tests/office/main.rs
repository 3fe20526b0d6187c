//! The office at work, with devices beside it: real replicas and a real storage, without network.

#[cfg(test)]
mod firm;
#[cfg(test)]
mod world;

#[cfg(test)]
mod access;
#[cfg(test)]
mod access_edges;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod history;
#[cfg(test)]
mod merges;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod texts;
