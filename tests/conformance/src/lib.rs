//! What must hold for every entity and field, and what happens in the cases that people meet.
//!
//! Real replicas and the real server's code in one process, with a network that is cut by not
//! being asked. In reading order:
//!
//! * [`office`], [`world`]: the server, the devices, and the time.
//! * [`story`], [`see`], [`play`]: merge stories, what everyone must see, and playing them.
//! * [`page`]: the stories as documentation.
//! * [`suite`]: what every entity of the schema must do, made from the definitions alone.

pub mod office;
pub mod world;

pub mod see;
pub mod story;

pub mod play;

pub mod page;

pub mod suite;

/// Why a world broke; only looked at by people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
