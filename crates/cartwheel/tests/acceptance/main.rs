//! Scenarios through the real binary.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

#[cfg(test)]
mod assistants;
#[cfg(feature = "aws")]
#[cfg(test)]
mod aws;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod capacity;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod console;
#[cfg(test)]
mod degraded;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod earlier;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod feeds;
#[cfg(test)]
mod first_day;
#[cfg(test)]
mod imported_sessions;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod placements;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod rules;
#[cfg(feature = "aws")]
#[cfg(test)]
mod s3_backups;
#[cfg(feature = "aws")]
#[cfg(test)]
mod s3_sources;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod stored;
mod synonyms;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod the_loop;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trends;
