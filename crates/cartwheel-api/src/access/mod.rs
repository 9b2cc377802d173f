//! Access: hosts and sites, keys and tokens, rate limits, the audit log.

pub(crate) mod admit;
pub(crate) mod audit;
pub(crate) mod caller;
pub(crate) mod credential;
pub(crate) mod key_error;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod plain_name;
pub(crate) mod scope;
pub(crate) mod signature;
pub(crate) mod site;
pub(crate) mod token;
