//! Requests through the router: a made-up engine, everything else real.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

mod audit;
mod batch;
mod foreign;
mod harness;
mod http;
mod hygiene;
mod keys;
mod recommend;
mod serve;
mod streams;
mod submit;
mod tls;
