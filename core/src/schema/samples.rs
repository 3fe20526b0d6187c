//! Values of each type for tests.
