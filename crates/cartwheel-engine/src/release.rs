//! An open release: its features, user records and model in memory.

use std::path::Path;

use cartwheel_feature_set::{Calendar, FeatureSet, SetError, UserFile, files};
use cartwheel_features::Catalogue;
use cartwheel_recommend::{Model, ModelMismatch};
use cartwheel_registry::layout::{FEATURES, MODELS, RELEASES};
use cartwheel_registry::{BundleError, Challenger, RegistryError, Release};

/// Why a release cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no release.
    #[error("nothing is released yet: run `cartwheel pipeline run`")]
    Nothing,
    /// The release document cannot be read.
    #[error(transparent)]
    Release(#[from] RegistryError),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The model cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The model does not fit the rows of this release.
    #[error(transparent)]
    Model(#[from] ModelMismatch),
    /// Model and feature set have different columns.
    #[error("the model takes columns {model}, the feature set has {set}")]
    Columns {
        /// Hash of the model's columns.
        model: String,
        /// Hash of the feature set's columns.
        set: String,
    },
    /// The time zone does not exist.
    #[error("shop.timezone: {0}")]
    Zone(#[from] jiff::Error),
}

/// An open release. A request uses the same release from start to end.
pub struct Opened {
    /// The release.
    pub release: Release,
    /// Its products.
    pub catalogue: Catalogue,
    /// Its user records; `None` when a user store holds them.
    pub users: Option<UserFile>,
    /// Users of the feature set, wherever their records are stored.
    pub user_count: usize,
    /// Its model, if it has one.
    pub model: Option<Model>,
    /// Its challenger, if it has one.
    pub challenger: Option<Model>,
    /// Version of the feature set that its model was trained on.
    pub trained_on: Option<String>,
    /// The shop's local time.
    pub calendar: Calendar,
    /// Erasures of the lake that its feature set reflects, counted from the first.
    pub erasures: u64,
    /// Whether it is a fallback for a release that cannot serve completely.
    pub stands_in: bool,
}

impl Opened {
    /// The release's name: feature set `+` model.
    pub fn name(&self) -> String {
        format!("{}+{}", self.release.feature_set, self.model_version().unwrap_or("none"))
    }

    /// Whether this is the release of that name, with that time zone.
    pub fn is(&self, name: &str, timezone: &str) -> bool {
        self.name() == name && Calendar::new(timezone).is_ok_and(|zone| zone == self.calendar)
    }

    /// Version of the model, if there is one.
    pub fn model_version(&self) -> Option<&str> {
        self.release.model.as_deref()
    }

    /// Creates a release without products and users, which serves until the first release. A
    /// shop that has just begun lacks nothing: it is no fallback.
    ///
    /// # Errors
    /// When the time zone does not exist.
    pub fn nothing(timezone: &str) -> Result<Self, OpenError> {
        let release = Release {
            feature_set: "none".to_owned(),
            model: None,
            schema_hash: String::new(),
            variant: None,
            challenger: None,
        };
        Ok(Self {
            release,
            catalogue: Catalogue::default(),
            users: None,
            user_count: 0,
            model: None,
            challenger: None,
            trained_on: None,
            calendar: Calendar::new(timezone)?,
            erasures: 0,
            stands_in: false,
        })
    }

    /// Opens the current release of the lake in a directory. If it cannot serve, it falls
    /// back to its features without the challenger or without a model, to the previous release, or to a release
    /// without products, and returns the reason with it. Before the first release there is
    /// no reason.
    ///
    /// # Errors
    /// When the time zone does not exist.
    pub fn best(lake: &Path, timezone: &str) -> Result<(Self, Option<OpenError>), OpenError> {
        let releases = lake.join(RELEASES);
        let why = match Self::current(lake, timezone) {
            Ok(opened) => return Ok((opened, None)),
            Err(OpenError::Nothing) => return Ok((Self::nothing(timezone)?, None)),
            Err(error) => error,
        };
        let current = cartwheel_registry::current(&releases).ok().flatten();
        let challenged = current.clone().filter(|release| release.challenger.is_some());
        let without_challenger = challenged.map(|release| Release { challenger: None, ..release });
        let without_model =
            current.map(|release| Release { model: None, challenger: None, ..release });
        let previous = cartwheel_registry::previous(&releases).ok().flatten();
        let fallbacks = without_challenger.into_iter().chain(without_model).chain(previous);
        let opened =
            fallbacks.filter_map(|release| Self::open(lake, &release, timezone).ok()).next();
        let opened = opened.map_or_else(|| Self::nothing(timezone), Ok)?;
        Ok((Self { stands_in: true, ..opened }, Some(why)))
    }

    /// Opens the current release of the lake in a directory.
    ///
    /// # Errors
    /// When there is no release or it cannot serve.
    pub fn current(lake: &Path, timezone: &str) -> Result<Self, OpenError> {
        let release = cartwheel_registry::current(&lake.join(RELEASES))?;
        Self::open(lake, &release.ok_or(OpenError::Nothing)?, timezone)
    }

    /// Opens a release and checks that its parts belong together.
    ///
    /// # Errors
    /// When a part is missing, damaged, or does not fit the others.
    pub fn open(lake: &Path, release: &Release, timezone: &str) -> Result<Self, OpenError> {
        let set = FeatureSet::open(&lake.join(FEATURES).join(&release.feature_set))?;
        let model = || {
            let version = release.model.as_ref();
            version.map(|version| open_model(lake, version, &set.manifest.schema_hash)).transpose()
        };
        let challenger = || {
            let challenger = release.challenger.as_ref();
            let open = |challenger: &Challenger| {
                open_model(lake, &challenger.model, &set.manifest.schema_hash)
            };
            challenger.map(|challenger| open(challenger).map(|(model, _)| model)).transpose()
        };
        let users = || set.path(files::USERS).exists().then(|| set.users()).transpose();
        // A large catalogue takes longest.
        let rest = || (model(), challenger(), users());
        let (catalogue, (model, challenger, users)) = rayon::join(|| set.catalogue(), rest);
        let (model, trained_on) = model?.unzip();
        Ok(Self {
            release: release.clone(),
            catalogue: catalogue?,
            users: users?,
            user_count: usize::try_from(set.manifest.users).unwrap_or(usize::MAX),
            model,
            challenger: challenger?,
            trained_on,
            calendar: Calendar::new(timezone)?,
            erasures: set.manifest.erasures,
            stands_in: false,
        })
    }
}

/// Opens a model for rows with the columns of `schema_hash`, and returns it with the version of the
/// feature set that it was trained on.
fn open_model(lake: &Path, version: &str, schema_hash: &str) -> Result<(Model, String), OpenError> {
    let bundle = cartwheel_registry::read(&lake.join(MODELS), version)?;
    if bundle.manifest.schema_hash != schema_hash {
        return Err(OpenError::Columns {
            model: bundle.manifest.schema_hash,
            set: schema_hash.to_owned(),
        });
    }
    Ok((Model::new(bundle.forest, bundle.scaler)?, bundle.manifest.feature_set))
}
