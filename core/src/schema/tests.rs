//! Tests of the whole room: the built-in definitions, keys, canonical encodings.

mod definitions;
mod keys;
mod values;
