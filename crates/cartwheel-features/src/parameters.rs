//! The parameters of the sources of candidates that are chosen for each shop.

use std::collections::BTreeMap;
use std::ops::Index;

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// A parameter of a source of candidates that is chosen for each shop.
///
/// The other numbers of the sources are constants: no other value was clearly better in any shop
/// that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// Purchases of two products together from which on their likeness counts in full; fewer scale
    /// it down (significance weighting, Herlocker et al., SIGIR 1999).
    SignificantPairs,
    /// Number of the shop's customers by which the likeness of two products' buyers is dampened.
    CompanionShrink,
    /// Steps within a visit over which one product follows another.
    FollowSteps,
    /// Visits that are added to a product's own, so that a single one says little.
    VisitPrior,
    /// Weight of a product that the user has touched, relative to the one touched after it.
    VisitBack,
    /// Visits most similar to the current one that count.
    NearestVisits,
}

impl Parameter {
    /// All parameters.
    pub const ALL: [Self; 6] = [
        Self::SignificantPairs,
        Self::CompanionShrink,
        Self::FollowSteps,
        Self::VisitPrior,
        Self::VisitBack,
        Self::NearestVisits,
    ];

    /// Returns the parameter's name in manifests and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignificantPairs => "significant_pairs",
            Self::CompanionShrink => "companion_shrink",
            Self::FollowSteps => "follow_steps",
            Self::VisitPrior => "visit_prior",
            Self::VisitBack => "visit_back",
            Self::NearestVisits => "nearest_visits",
        }
    }

    /// Returns the source that proposes products by it.
    pub fn source(self) -> Source {
        match self {
            Self::SignificantPairs => Source::Taste,
            Self::CompanionShrink => Source::Affinity,
            Self::FollowSteps | Self::VisitPrior | Self::VisitBack | Self::NearestVisits => {
                Source::Visit
            }
        }
    }

    /// Returns the value in a shop for which no other was chosen.
    pub fn standard(self) -> f64 {
        match self {
            Self::SignificantPairs => 10.0,
            Self::CompanionShrink => 10.0,
            Self::FollowSteps => 10.0,
            Self::VisitPrior => 2.0,
            Self::VisitBack => 0.8,
            // That of VS-kNN (Ludewig & Jannach, UMUAI 2018).
            Self::NearestVisits => 100.0,
        }
    }
}

/// A value of each [`Parameter`], by default the standard ones.
///
/// They are stored by name. A name that is missing has the standard value, and one that does not
/// exist any more is left out, so that each release reads the parameters of all others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, f64>", from = "BTreeMap<String, f64>")]
pub struct Parameters([f64; Parameter::ALL.len()]);

impl Parameters {
    /// These with another value of one parameter.
    pub fn with(mut self, parameter: Parameter, value: f64) -> Self {
        self.0[parameter as usize] = value;
        self
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self(Parameter::ALL.map(Parameter::standard))
    }
}

impl Index<Parameter> for Parameters {
    type Output = f64;

    fn index(&self, parameter: Parameter) -> &f64 {
        &self.0[parameter as usize]
    }
}

impl From<Parameters> for BTreeMap<String, f64> {
    fn from(parameters: Parameters) -> Self {
        let named = |parameter: Parameter| (parameter.as_str().to_owned(), parameters[parameter]);
        Parameter::ALL.map(named).into()
    }
}

impl From<BTreeMap<String, f64>> for Parameters {
    fn from(named: BTreeMap<String, f64>) -> Self {
        let value = |parameter: Parameter| {
            let found = named.get(parameter.as_str()).copied();
            // A damaged file must not make scores infinite.
            found.filter(|value| value.is_finite()).unwrap_or_else(|| parameter.standard())
        };
        Self(Parameter::ALL.map(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_by_name_from_any_release() {
        assert!(Parameter::ALL.iter().enumerate().all(|(at, p)| *p as usize == at));
        let chosen = Parameters::default().with(Parameter::VisitBack, 0.5);
        assert_eq!((chosen[Parameter::VisitBack], chosen[Parameter::VisitPrior]), (0.5, 2.0));
        let named = BTreeMap::from(chosen);
        assert_eq!((named.len(), named["visit_back"]), (Parameter::ALL.len(), 0.5));
        assert_eq!(Parameters::from(named), chosen);
        let of_another_release = [("visit_back", 0.5), ("gone", 7.0), ("nearest_visits", f64::NAN)];
        let named = of_another_release.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(Parameters::from(BTreeMap::from(named)), chosen);
    }
}
