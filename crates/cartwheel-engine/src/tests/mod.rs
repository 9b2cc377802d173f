//! The engine over a small release that is made in memory.

mod answers;
mod deployment;
mod shop;
