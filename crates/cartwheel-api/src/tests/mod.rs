//! Requests through the router: a made-up engine, everything else real.

mod batch;
mod harness;
mod http;
mod keys;
mod recommend;
mod serve;
mod streams;
mod submit;
