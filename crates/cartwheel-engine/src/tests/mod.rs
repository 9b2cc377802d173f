//! The engine over a small release that is made in memory.

mod answers;
mod buy_again;
mod catalogue;
mod deployment;
mod discovery;
mod exploration;
mod filters;
mod first_day;
mod page;
mod questions;
mod rank;
mod rules;
mod search;
mod shop;
mod similar;
mod small_shops;
mod text_search;
mod trends;
mod value;
