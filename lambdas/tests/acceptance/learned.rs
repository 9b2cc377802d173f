//! A small shop with a feature set and a model, built once.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cartwheel_ambient::Clock;
use cartwheel_feature_job::{Input, JobOptions, build, read_rows};
use cartwheel_feature_set::{FeatureSet, files};
use cartwheel_features::ProductInfo;
use cartwheel_lake::{EarlierImports, ImportOptions, Lake};
use cartwheel_recommend::FEATURES;
use cartwheel_registry::{BundleParts, Release, Variant};
use cartwheel_synthetic::ShopSpec;
use cartwheel_training::{Data, Xgboost};
use serde_json::json;

/// A lake in a directory, with a feature set and a model that are not released.
pub struct Learned {
    dir: tempfile::TempDir,
    pub set: FeatureSet,
    pub model: String,
    /// Two users with a history.
    pub users: [String; 2],
}

fn libxgboost() -> Vec<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/lib");
    let entries = std::fs::read_dir(venv).into_iter().flatten().flatten();
    entries.map(|e| e.path().join("site-packages/xgboost/lib/libxgboost.so")).collect()
}

impl Learned {
    pub fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("shop");
        let spec = ShopSpec { users: 300, products: 150, orders: 2_500, seed: 3 };
        cartwheel_synthetic::generate(&spec, &shop, &mut |_| {}).unwrap();
        let lake = Lake::open(&dir.path().join("lake")).unwrap();
        let options = ImportOptions {
            as_of_ms: None,
            now_ms: Clock::system().now_ms(),
            earlier: EarlierImports::ReplaceKind,
        };
        cartwheel_lake::import::instacart(&lake, &shop, &options, &mut |_| {}).unwrap();
        let manifest = lake.import_manifest().unwrap().unwrap();
        let products = lake.read_products().unwrap().into_iter().map(|p| ProductInfo {
            product_id: p.product_id,
            name: p.product_name,
            aisle: p.aisle,
            department: p.department,
            ..ProductInfo::default()
        });
        let input = Input {
            import_id: manifest.id.clone(),
            orders: manifest.orders.clone(),
            order_products: manifest.order_products.clone(),
            products: products.collect(),
            ..Input::default()
        };
        let options = JobOptions { max_examples: 400, ..JobOptions::default() };
        let features = dir.path().join("lake/features");
        let set = build(input, &features, &options, &|_| {}).unwrap();
        let model = train(&set, &dir.path().join("lake/models"));
        let records = set.users().unwrap();
        let users = [0, 1].map(|at| records.record(at).unwrap().0);
        Self { dir, set, model, users }
    }

    pub fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    pub fn release(&self) -> Release {
        Release {
            feature_set: self.set.manifest.version.clone(),
            model: Some(self.model.clone()),
            schema_hash: self.set.manifest.schema_hash.clone(),
            variant: Some(Variant { name: "a".to_owned(), model: "run-1".to_owned() }),
            challenger: None,
        }
    }
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn train(set: &FeatureSet, models: &Path) -> String {
    let (labels, rows) = read_rows(&set.path(files::TRAIN)).unwrap();
    let names: Vec<String> = FEATURES.iter().map(|&name| name.to_owned()).collect();
    let parameters = [("objective", "binary:logistic"), ("max_depth", "3"), ("nthread", "2")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let data = Data { rows: &rows, labels: &labels, names: &names };
    let xgboost = Xgboost::search(&libxgboost()).unwrap();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let trained = xgboost.train(&parameters, 20, None, &data, None, go_on).unwrap();
    let parts = BundleParts {
        model: &trained.model,
        scaler: &set.scaler().unwrap(),
        features: &FEATURES,
        metrics: json!([]),
        parameters: json!({"num_round": "20"}),
        feature_set: &set.manifest.version,
        schema_hash: &set.manifest.schema_hash,
    };
    cartwheel_registry::write(models, &parts).unwrap()
}
