//! cartwheel on AWS: the adapters for its services, and the functions of the state machine.
//!
//! [`KinesisStream`] is the stream, [`Users`] the user store and [`Products`] the live catalogue on
//! DynamoDB, [`Lake`] the objects of the lake on S3, [`S3Registry`] its releases and models, [`Follower`] the
//! served release, [`LakeErasures`] the erasures in progress, [`LakeEraser`] their work on the lake,
//! [`Endpoint`] a scorer on SageMaker, and [`Object`] a source of an import,
//! [`BackupBucket`] a place of backups. [`consume`] applies the
//! stream's batches; [`functions`] are the state machine's, and [`import()`] imports files. Only this
//! crate uses the AWS SDK and `object_store` with its `aws` feature.

#[cfg(feature = "api")]
mod archive;
mod backups;
mod breaker;
mod clients;
mod consume;
mod dead_letters;
mod documents;
mod emf;
mod endpoint;
mod erase_lake;
mod erase_round;
mod erasures;
mod export;
mod follow;
pub mod functions;
mod import;
mod imported;
mod kinesis;
mod lake;
mod lake_copy;
mod names;
mod objects;
#[cfg(feature = "api")]
mod past_session;
mod products;
mod registry;
mod retry;
mod run_history;
mod state_machine;
mod table;
mod users;

#[cfg(feature = "api")]
pub use archive::CloudReplayer;
pub use backups::BackupBucket;
pub use clients::{endpoint, products, sdk_config, state_machine, stream, users};
pub use consume::{BatchAnswer, Consumed, KinesisEvent, consume};
pub use dead_letters::{DeadLetter, DeadLetters, Notices};
pub use emf::Emf;
pub use endpoint::Endpoint;
pub use erase_lake::{ErasePass, LakeEraser};
pub use erasures::{ErasuresError, LakeErasures};
pub use export::export;
pub use follow::{FollowError, Follower};
pub use import::{Import, import};
pub use kinesis::KinesisStream;
pub use lake::{Lake, LakeError};
pub use names::{Missing, Names, OPERATED_BY};
pub use objects::Object;
pub use products::Products;
pub use registry::S3Registry;
pub use state_machine::StateMachine;
pub use users::{Unapplied, Users};
