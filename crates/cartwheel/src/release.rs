//! The current release, opened whole.

use anyhow::{Context as _, Result};
use cartwheel_endpoint::Release;
use cartwheel_features::Catalogue;
use cartwheel_recommend::Model;
use cartwheel_worker::{Calendar, FeatureSet, UserFile};

use crate::place::Place;

/// One release, opened whole; a request holds one from start to end.
pub struct Opened {
    pub release: Release,
    pub catalogue: Catalogue,
    pub users: UserFile,
    pub model: Option<Model>,
    pub calendar: Calendar,
}

impl Opened {
    /// The release's name: feature set and model.
    pub fn name(&self) -> String {
        format!("{}+{}", self.release.feature_set, self.model_version().unwrap_or("none"))
    }

    /// The model that ranks, if there is one.
    pub fn model_version(&self) -> Option<&str> {
        self.release.model.as_deref()
    }

    /// Opens the current release of a data directory.
    pub fn current(place: &Place, timezone: &str) -> Result<Self> {
        let release = cartwheel_endpoint::current(&place.releases())?
            .context("nothing is released yet: run `cartwheel train`")?;
        Self::open(place, &release, timezone)
    }

    /// Opens a release and checks that its parts belong together.
    pub fn open(place: &Place, release: &Release, timezone: &str) -> Result<Self> {
        let set = FeatureSet::open(&place.features().join(&release.feature_set))?;
        let model = match &release.model {
            Some(version) => {
                let bundle = cartwheel_endpoint::read(&place.models(), version)?;
                Some(Model::new(bundle.forest, bundle.scaler)?)
            }
            None => None,
        };
        Ok(Self {
            release: release.clone(),
            catalogue: set.catalogue()?,
            users: set.users()?,
            model,
            calendar: Calendar::new(timezone)?,
        })
    }
}
