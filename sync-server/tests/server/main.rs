//! The server as devices meet it: real sockets, real files, the real program.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod world;

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod factor;
#[cfg(test)]
mod finding;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod live;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod program;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod safekeeping;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod slowness;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tokens;
