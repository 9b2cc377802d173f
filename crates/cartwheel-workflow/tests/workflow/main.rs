//! Tests of the public interface.

#[cfg(test)]
mod peers;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod steps;
