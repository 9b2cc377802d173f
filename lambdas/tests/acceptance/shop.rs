//! What the scenario needs of a shop, and how it reads answers.

use serde_json::{Value, json};

use crate::learned::Learned;

/// A shop that answers requests.
#[allow(async_fn_in_trait)]
pub trait Shop {
    /// Answers a request with further headers.
    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value);

    /// Answers a request.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send(method, path, body, &[]).await
    }

    /// Answers a request that changes placements or rules, at the host that takes such changes.
    async fn operate(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value);

    /// Waits until the consumer has applied all events.
    async fn catch_up(&mut self);

    /// Delivers to the lake, or gives the shop time to.
    async fn deliver(&mut self);

    /// Erases from the lake those whose erasure was requested, or gives the shop time to.
    async fn erase_from_lake(&mut self);

    /// The Parquet files of the lake, each with its path.
    async fn lake_files(&self) -> Vec<(String, Vec<u8>)>;

    /// Loads and releases the features and the model.
    async fn publish(&mut self);

    /// The feature set and the model.
    fn learned(&self) -> &Learned;
}

/// The ids of the products of an answer.
pub fn products(answer: &Value) -> Vec<String> {
    let list = answer["recommendations"].as_array().cloned().unwrap_or_default();
    list.iter().map(|item| item["product_id"].as_str().unwrap().to_owned()).collect()
}

/// Products with their probabilities and reasons, best first.
pub fn ranks(answer: &Value) -> Value {
    let list = answer["recommendations"].as_array().cloned().unwrap_or_default();
    let rank = |item: &Value| json!([item["product_id"], item["probability"], item["reasons"]]);
    list.iter().map(rank).collect()
}
