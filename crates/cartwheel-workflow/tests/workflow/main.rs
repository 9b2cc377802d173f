//! State machines through the crate's interface.

#[cfg(test)]
mod peers;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod steps;
