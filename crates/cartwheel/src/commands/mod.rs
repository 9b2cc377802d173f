//! The commands, each with its arguments.

pub mod audit;
pub mod backup;
pub mod capacity;
mod clicks;
pub mod config;
mod diversity;
pub mod doctor;
mod due;
pub mod endpoint;
pub mod evaluate;
pub mod features;
pub mod generate;
pub mod import;
mod import_hint;
mod import_products;
mod import_report;
pub mod keys;
pub mod mcp;
pub mod model;
pub mod models;
pub mod pipeline;
pub mod placements;
pub mod proposals;
pub mod ready;
pub mod replay;
mod report;
pub mod rules;
pub mod serve;
mod serve_args;
#[cfg(feature = "aws")]
pub mod serve_aws;
pub mod shell;
mod sources;
pub mod stream;
pub mod synonyms;
pub mod users;
mod web;
