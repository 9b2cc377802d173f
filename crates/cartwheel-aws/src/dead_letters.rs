//! Records that cannot be processed, and notices to operators.

use aws_sdk_sns as sns;
use aws_sdk_sqs::Client;
use serde::Serialize;

use crate::retry::text;

/// Largest data in a message, in bytes.
const MAX_MESSAGE: usize = 250_000;

/// A record that cannot be processed.
#[derive(Debug, Serialize)]
pub struct DeadLetter<'a> {
    /// Why it cannot be processed.
    pub reason: &'a str,
    /// Its shard and sequence number, as Lambda writes them.
    pub record: &'a str,
    /// Its bytes, Base64. Data that does not fit a message is left out: the stream still
    /// has it.
    pub data: &'a str,
}

/// The SQS queue of records that cannot be processed.
#[derive(Debug)]
pub struct DeadLetters {
    client: Client,
    queue: String,
}

impl DeadLetters {
    /// The queue with this address.
    pub fn new(client: Client, queue: impl Into<String>) -> Self {
        Self { client, queue: queue.into() }
    }

    /// Sends a dead letter.
    ///
    /// # Errors
    /// When the queue does not take it; the record has to be delivered again.
    pub async fn send(&self, letter: &DeadLetter<'_>) -> Result<(), String> {
        let fits = letter.data.len() <= MAX_MESSAGE;
        let letter = DeadLetter { data: if fits { letter.data } else { "" }, ..*letter };
        let body = serde_json::to_string(&letter).map_err(|e| e.to_string())?;
        let request = self.client.send_message().queue_url(&self.queue).message_body(body);
        request.send().await.map(drop).map_err(|e| format!("dead letters: {}", text(&e)))
    }
}

/// The SNS topic of notices.
#[derive(Debug)]
pub struct Notices {
    client: sns::Client,
    topic: String,
}

impl Notices {
    /// The topic with this ARN.
    pub fn new(client: sns::Client, topic: impl Into<String>) -> Self {
        Self { client, topic: topic.into() }
    }

    /// Sends a notice.
    ///
    /// # Errors
    /// When the topic does not take it.
    pub async fn send(&self, subject: &str, message: &str) -> Result<(), String> {
        // A subject is one line of at most 100 characters.
        let subject: String = subject.chars().filter(|c| !c.is_control()).take(100).collect();
        let request =
            self.client.publish().topic_arn(&self.topic).subject(subject).message(message);
        request.send().await.map(drop).map_err(|e| format!("notices: {}", text(&e)))
    }
}
