//! The current release, opened whole.

use std::io;
use std::path::{Path, PathBuf};

use cartwheel_feature_set::{Calendar, FeatureSet, SetError, UserFile};
use cartwheel_features::Catalogue;
use cartwheel_recommend::{Model, ModelMismatch};
use cartwheel_registry::{BundleError, Release};

/// Why a release cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is released.
    #[error("nothing is released yet: run `cartwheel train`")]
    Nothing,
    /// The release cannot be read.
    #[error("release: {0}")]
    Release(#[from] io::Error),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The model cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The model does not fit the rows of this release.
    #[error(transparent)]
    Model(#[from] ModelMismatch),
    /// The two do not belong together.
    #[error("the model takes columns {model}, the feature set has {set}")]
    Columns {
        /// Hash of the model's.
        model: String,
        /// Hash of the feature set's.
        set: String,
    },
    /// No such time zone.
    #[error("shop.timezone: {0}")]
    Zone(#[from] jiff::Error),
}

/// One release, opened whole; a request holds one from start to end.
pub struct Opened {
    /// Its name.
    pub release: Release,
    /// Its products.
    pub catalogue: Catalogue,
    /// Its user records; none where a user store holds them.
    pub users: Option<UserFile>,
    /// Users of the feature set, wherever their records are.
    pub user_count: usize,
    /// Its model, if there is one.
    pub model: Option<Model>,
    /// The feature set that its model was trained on.
    pub trained_on: Option<String>,
    /// The shop's local time.
    pub calendar: Calendar,
    /// Erasures that its feature set takes in, counted from the lake's beginning.
    pub erasures: u64,
    /// Whether it stands in for a release that cannot serve as a whole.
    pub stands_in: bool,
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

    /// What answers before anything is released: no products.
    ///
    /// # Errors
    /// When there is no such time zone.
    pub fn nothing(timezone: &str) -> Result<Self, OpenError> {
        let release =
            Release { feature_set: "none".to_owned(), model: None, schema_hash: String::new() };
        Ok(Self {
            release,
            catalogue: Catalogue::default(),
            users: None,
            user_count: 0,
            model: None,
            trained_on: None,
            calendar: Calendar::new(timezone)?,
            erasures: 0,
            stands_in: true,
        })
    }

    /// The best that can serve now: the current release, or its features without the
    /// model, or the release before it, or nothing. Gives why it is not the first.
    ///
    /// # Errors
    /// When there is no such time zone.
    pub fn best(lake: &Path, timezone: &str) -> Result<(Self, Option<OpenError>), OpenError> {
        let releases = lake.join("releases");
        let why = match Self::current(lake, timezone) {
            Ok(opened) => return Ok((opened, None)),
            Err(error) => error,
        };
        let current = cartwheel_registry::current(&releases).ok().flatten();
        let without_model = current.map(|release| Release { model: None, ..release });
        let previous = cartwheel_registry::previous(&releases).ok().flatten();
        let stand_ins = without_model.into_iter().chain(previous);
        let opened =
            stand_ins.filter_map(|release| Self::open(lake, &release, timezone).ok()).next();
        let opened = match opened {
            Some(opened) => Self { stands_in: true, ..opened },
            None => Self::nothing(timezone)?,
        };
        Ok((opened, Some(why)))
    }

    /// Opens the current release of the lake in a directory.
    ///
    /// # Errors
    /// When there is none, or it cannot serve.
    pub fn current(lake: &Path, timezone: &str) -> Result<Self, OpenError> {
        let release = cartwheel_registry::current(&lake.join("releases"))?;
        Self::open(lake, &release.ok_or(OpenError::Nothing)?, timezone)
    }

    /// Opens a release and checks that its parts belong together.
    ///
    /// # Errors
    /// When a part is missing, damaged, or does not fit the others.
    pub fn open(lake: &Path, release: &Release, timezone: &str) -> Result<Self, OpenError> {
        let set = FeatureSet::open(&lake.join("features").join(&release.feature_set))?;
        let mut trained_on = None;
        let model = match &release.model {
            Some(version) => {
                let bundle = cartwheel_registry::read(&lake.join("models"), version)?;
                if bundle.manifest.schema_hash != set.manifest.schema_hash {
                    return Err(OpenError::Columns {
                        model: bundle.manifest.schema_hash,
                        set: set.manifest.schema_hash,
                    });
                }
                trained_on = Some(bundle.manifest.feature_set);
                Some(Model::new(bundle.forest, bundle.scaler)?)
            }
            None => None,
        };
        let users: PathBuf = set.path("users.bin");
        Ok(Self {
            release: release.clone(),
            catalogue: set.catalogue()?,
            users: users.exists().then(|| set.users()).transpose()?,
            user_count: usize::try_from(set.manifest.users).unwrap_or(usize::MAX),
            model,
            trained_on,
            calendar: Calendar::new(timezone)?,
            erasures: set.manifest.erasures,
            stands_in: false,
        })
    }
}
