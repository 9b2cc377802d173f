//! Forgetting a shopper: the session and every feature record.

use cartwheel_events::UserId;
use cartwheel_sessions::{Session, StoreError};

use super::{RACES, SESSION, Users, session};
use crate::retry::{TRIES, pause, text};
use crate::table::{ITEM, Item, USER, key, names, s, service};

impl Users {
    /// Replaces the session of a shopper by an empty one that keeps records out which were accepted
    /// until `erased_ms` (UTC milliseconds), and removes the shopper's records of all feature sets.
    /// What came after an erasure that is as new stays. The same call may be repeated.
    ///
    /// # Errors
    /// When the table does not answer: some of it may be done.
    pub async fn forget(&self, user: &UserId, erased_ms: i64) -> Result<(), StoreError> {
        self.forget_session(user.as_str(), erased_ms).await?;
        let keys = self.record_keys(user.as_str()).await?;
        self.table.remove(keys).await
    }

    async fn forget_session(&self, user: &str, erased_ms: i64) -> Result<(), StoreError> {
        for n in 1..=RACES {
            let item = self.get(vec![key(user, SESSION)], true).await?.pop();
            let before = item.as_ref().and_then(session).unwrap_or_default();
            if before.erased_ms.is_some_and(|done_ms| done_ms >= erased_ms) {
                return Ok(());
            }
            let after = Session {
                next_sequence: before.next_sequence,
                erased_ms: Some(erased_ms),
                ..Session::default()
            };
            if self.put_session(user, &after, item.as_ref()).await? {
                return Ok(());
            }
            pause(n.min(TRIES)).await;
        }
        Err(service(format!("the session of {user} changed {RACES} times while it was erased")))
    }

    /// The keys of a shopper's feature records.
    async fn record_keys(&self, user: &str) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let request =
                self.table.client.query().table_name(&self.table.name).consistent_read(true);
            let request = request
                .key_condition_expression("#user = :user AND begins_with(#item, :records)")
                .projection_expression("#user, #item")
                .expression_attribute_names("#user", USER)
                .expression_attribute_names("#item", ITEM)
                .expression_attribute_values(":user", s(user))
                .expression_attribute_values(":records", s("features#"))
                .set_exclusive_start_key(from);
            let page = request.send().await.map_err(|e| service(text(&e)))?;
            for item in page.items.unwrap_or_default() {
                let (user, name) = names(&item)?;
                found.push(key(&user, name));
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }
}
