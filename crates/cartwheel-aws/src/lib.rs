//! cartwheel on AWS: the adapters, and what its functions do.
//!
//! [`KinesisStream`] is the stream, [`Users`] the user store on DynamoDB, [`Lake`] the
//! lake on S3 with [`Follower`] for the release that serves, [`Endpoint`] scores on
//! SageMaker. [`consume`] follows the stream; [`functions`] are the state machine's.
//! Only this crate names the AWS SDK.

mod breaker;
mod clients;
mod consume;
mod dead_letters;
mod emf;
mod endpoint;
mod follow;
pub mod functions;
mod kinesis;
mod lake;
mod names;
mod retry;
mod users;

pub use clients::{endpoint, sdk_config, stream, users};
pub use consume::{BatchAnswer, Consumed, KinesisEvent, consume};
pub use dead_letters::{DeadLetter, DeadLetters, Notices};
pub use emf::Emf;
pub use endpoint::Endpoint;
pub use follow::{FollowError, Follower};
pub use kinesis::KinesisStream;
pub use lake::{Lake, LakeError, Named};
pub use names::{Missing, Names};
pub use users::{Unapplied, Users};
