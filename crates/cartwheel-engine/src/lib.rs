//! Answers from a release, evaluates models, and decides which one serves.
//!
//! [`Engine`] is the interface to recommendations: questions and answers are plain data.
//! [`ServingEngine`] implements it over an [`Opened`] release and swaps releases without
//! interrupting requests. [`evaluate()`] scores a model through the code that serves.
//! [`deployment`] and the [`functions`] of the state machine work on any
//! [`Registry`](cartwheel_registry::Registry).
//!
//! The crate knows neither HTTP nor libxgboost, so that the functions on AWS and the
//! command line link neither.

mod alike;
mod answer;
mod basis;
mod browse;
mod buy_again;
mod challenger;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod deployment;
mod diversity_curve;
mod engine;
mod evaluation;
mod filter_index;
pub mod functions;
mod gate;
mod judgement;
mod newcomers;
mod overlay;
mod page;
mod page_exploration;
mod page_lists;
mod page_rules;
mod product_index;
mod qualify;
mod question;
mod rank;
mod ranking;
pub mod recorded;
mod related;
mod release;
mod report;
mod rules;
mod scorer;
mod search;
mod search_results;
mod search_space;
mod serving;
mod shared_list;
mod shop;
mod shopper;
mod similar;
mod text_search;
mod trends;
mod trials;
mod verdict;
mod views;

pub use answer::{
    Answer, Explanation, FeatureContribution, MovedBy, RankedProduct, Ranking, Recommendation,
    SourceCount, Unranked, UnrankedReason, ValueShare,
};
pub use basis::{Basis, Noted};
pub use cartwheel_feature_set::SourceSearch;
pub use cartwheel_recommend::{Discovery, Diversity, Value, Window};
pub use cartwheel_search::{FacetFilters, InvalidSynonyms, SynonymGroups, Synonyms};
pub use diversity_curve::DiversityPoint;
pub use engine::{Engine, EngineStatus};
pub use evaluation::{Refused, cross_validate, diversity, evaluate, evaluate_later};
pub use gate::{GateSettings, JudgedBy, ServingModel, judged_by};
pub use page::{Page, Placed, Slot, SlotStep};
pub use question::{
    Filters, PageStart, ProductSearch, Query, Ruled, SearchOrder, Similarity, StoredRecord,
    TextSearch, Visibility,
};
pub use release::{OpenError, Opened};
pub use report::{Comparison, Method, NOT_EVALUATED, Report};
pub use scorer::{ScoreError, Scorer};
pub use search::{SearchRecord, Trial};
pub use search_results::{FacetView, FacetsView, PriceRangeView, SearchResults, SuggestionView};
pub use serving::{Erased, ServingEngine};
pub use trends::{Trend, Trends, TrendsError};
pub use verdict::{Figures, Outcome, Verdict, judge, summary, untrained};
pub use views::{
    AisleView, BoughtProduct, CheckoutProgress, DepartmentView, ExploredProduct, ProductLabel,
    ProductView, Products, UnnamedProduct, UserLookup, UserRecord, UserView,
};

#[cfg(test)]
mod tests;
