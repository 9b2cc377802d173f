//! Requests through the router with a fake engine; everything else is real.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

mod assistants;
mod audit;
mod backfill;
mod batch;
mod beacon;
mod buy_again;
mod clients;
mod event_stream;
mod figures;
mod filters;
mod foreign;
mod guests;
mod harness;
mod http;
mod hygiene;
mod imports;
mod keys;
mod models;
mod moment;
mod placements;
mod placements_document;
mod products;
mod rank;
mod recommend;
mod rules;
mod search;
mod serve;
mod shopify;
mod sites;
mod streams;
mod submit;
mod synonyms;
mod tls;
mod tokens;
