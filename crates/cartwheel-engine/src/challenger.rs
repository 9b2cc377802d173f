//! The challenger of a release: a second model, which ranks for a share of the shoppers. The release's own
//! model ranks for the others.

use cartwheel_events::UserId;
use cartwheel_features::stable_hash;
use cartwheel_recommend::Model;
use cartwheel_registry::Variant;

use crate::release::Opened;
use crate::shop::Shop;

impl Opened {
    /// Whether the challenger ranks for a shopper. It stays so for as long as the challenger has this
    /// share; a larger share adds shoppers, and another challenger has others.
    pub fn challenges(&self, user_id: &UserId) -> bool {
        let challenger = self.release.challenger.as_ref().filter(|_| self.challenger.is_some());
        challenger.is_some_and(|challenger| {
            let place =
                stable_hash(format!("{}/{}", challenger.model, user_id.as_str()).as_bytes()) % 100;
            place < u64::from(challenger.percent)
        })
    }
}

impl Shop {
    /// The same shop for a shopper: the challenger ranks if it is the shopper's.
    pub(crate) fn seen_by(self, user_id: &UserId) -> Self {
        let challenged = self.opened.challenges(user_id);
        Self { challenged, ..self }
    }

    /// The model that ranks.
    pub(crate) fn model(&self) -> Option<&Model> {
        if self.challenged { self.opened.challenger.as_ref() } else { self.opened.model.as_ref() }
    }

    /// Its version; `none` without one.
    pub(crate) fn model_version(&self) -> &str {
        let release = &self.opened.release;
        let challenger = release.challenger.as_ref().filter(|_| self.challenged);
        challenger
            .map(|challenger| &challenger.model)
            .or(release.model.as_ref())
            .map_or("none", String::as_str)
    }

    /// The variant of the endpoint that has it. A challenger scores in this process.
    pub(crate) fn variant(&self) -> Option<&Variant> {
        self.opened.release.variant.as_ref().filter(|_| !self.challenged)
    }

    /// The name of the release with this model alone, from which the same answer can be made again.
    pub(crate) fn release(&self) -> String {
        format!("{}+{}", self.opened.release.feature_set, self.model_version())
    }
}
