//! Accepting changes, without any network: what a hostile or unlucky enrolled device can do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[cfg(test)]
mod world;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod views;
