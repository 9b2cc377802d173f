//! Rows 13 and 14: models that must not serve, and numbers that must not come out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use cartwheel_registry::{Bundle, BundleParts, Release};
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::journal::wait_until;
use crate::kit::Node;
use crate::poison::damage;

/// The models of a data directory, with the one that serves.
struct Registry {
    models: PathBuf,
    releases: PathBuf,
    release: Release,
    bundle: Bundle,
    features: Vec<String>,
    /// The model file, which is JSON.
    model: Vec<u8>,
}

impl Registry {
    fn open(data: &Path) -> Result<Self> {
        let (models, releases) = (data.join("lake/models"), data.join("lake/releases"));
        let release = cartwheel_registry::current(&releases)?.context("a release")?;
        let version = release.model.clone().context("a model")?;
        let bundle = cartwheel_registry::read(&models, &version)?;
        let features =
            serde_json::from_slice(&std::fs::read(models.join(&version).join("features.json"))?)?;
        let archive = std::fs::read(models.join(&version).join("model.tar.gz"))?;
        let model = cartwheel_registry::extract(&archive)?;
        Ok(Self { models, releases, release, bundle, features, model })
    }

    /// Writes a bundle around a model file, whatever that is, and gives its version.
    fn write(&self, model: &[u8]) -> Result<String> {
        let features: Vec<&str> = self.features.iter().map(String::as_str).collect();
        Ok(cartwheel_registry::write(
            &self.models,
            &BundleParts {
                model,
                scaler: &self.bundle.scaler,
                features: &features,
                metrics: json!({}),
                parameters: json!({}),
                feature_set: &self.bundle.manifest.feature_set,
                schema_hash: &self.bundle.manifest.schema_hash,
            },
        )?)
    }

    fn publish(&self, version: &str) -> Result<()> {
        let release = Release { model: Some(version.to_owned()), ..self.release.clone() };
        Ok(cartwheel_registry::publish(&self.releases, &release)?)
    }

    /// The model with its parsed JSON changed.
    fn changed(&self, change: impl FnOnce(&mut Value)) -> Result<Vec<u8>> {
        let mut model: Value = serde_json::from_slice(&self.model)?;
        change(&mut model);
        Ok(serde_json::to_vec(&model)?)
    }
}

/// The trees of a model in XGBoost's JSON.
fn trees(model: &mut Value) -> &mut Vec<Value> {
    let trees = &mut model["learner"]["gradient_booster"]["model"]["trees"];
    trees.as_array_mut().expect("a model has trees")
}

/// Models that must be refused, by what is wrong with them.
fn broken(registry: &Registry) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let node = |field: &'static str, value: Value| {
        registry.changed(|model| trees(model)[0][field][0] = value)
    };
    let splits = |tree: &Value| tree["left_children"][0].as_i64().is_some_and(|left| left > 0);
    let mut parsed: Value = serde_json::from_slice(&registry.model)?;
    ensure!(splits(&trees(&mut parsed)[0]), "the first tree has no split");
    let half = registry.model.len() / 2;
    let text = String::from_utf8(registry.model.clone())?;
    let nan = |model: &mut Value| {
        let tree = &mut trees(model)[0];
        let leaf = tree["left_children"]
            .as_array()
            .and_then(|children| children.iter().position(|child| child.as_i64() == Some(-1)));
        // As Python's writer has it: no JSON, but often read.
        tree["split_conditions"][leaf.expect("a tree has a leaf")] = json!("NOT-A-NUMBER");
    };
    let nan_leaf = String::from_utf8(registry.changed(nan)?)?;
    Ok(vec![
        ("empty", Vec::new()),
        ("cut in half", registry.model[..half].to_vec()),
        ("a child that is the root", node("left_children", json!(0))?),
        ("a child out of range", node("right_children", json!(1_000_000_000))?),
        ("a negative child", node("left_children", json!(-7))?),
        ("a feature out of range", node("split_indices", json!(100_000))?),
        (
            "an infinite threshold",
            text.replacen("\"split_conditions\":[", "\"split_conditions\":[1e999,", 1).into_bytes(),
        ),
        ("a leaf that is NaN", nan_leaf.replace("\"NOT-A-NUMBER\"", "NaN").into_bytes()),
        (
            "lists of different lengths",
            registry.changed(|model| {
                trees(model)[0]["left_children"].as_array_mut().expect("a list").push(json!(-1));
            })?,
        ),
        (
            "a giant count of nodes",
            registry.changed(|model| {
                trees(model)[0]["tree_param"]["num_nodes"] = json!("4294967295");
            })?,
        ),
        (
            "a giant count of features",
            registry.changed(|model| {
                model["learner"]["learner_model_param"]["num_feature"] = json!("2000000000");
            })?,
        ),
        ("a UBJ header of 2^62 bytes", b"{L\x40\0\0\0\0\0\0\0".to_vec()),
        ("deep nesting", [vec![b'['; 200_000], vec![b']'; 200_000]].concat()),
    ])
}

/// Row 13.
pub fn mutations(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let registry = Registry::open(&data)?;
    let good = registry.release.model.clone().context("a model")?;
    let read = cartwheel_fuzz::model_mutations(case.seed, case.pick(300, 10_000));
    ensure!(read.failures.is_empty(), "{}", read.failures.join("; "));
    let in_process = bundles(case, &registry)? + read.tried as u64;
    let node = Node::start(&data, &[])?;
    let mut cases = broken(&registry)?;
    let mut random = case.random();
    for _ in 0..case.pick(4, 40) {
        let mut model = registry.model.clone();
        damage(&mut model, &mut random);
        cases.push(("seeded damage", model));
    }
    let (mut refused, mut harmless) = (0, 0);
    for (what, model) in &cases {
        let version = registry.write(model)?;
        if version == good {
            continue;
        }
        registry.publish(&version)?;
        let mut serving = String::new();
        wait_until("the release is judged", Duration::from_secs(20), || {
            let ready = node.get("/readyz")?;
            ensure!(ready.status == 200, "{what}: {}", ready.text());
            let now = ready.json()["engine"]["model_version"].clone();
            serving = now.as_str().unwrap_or_default().to_owned();
            let said = node.said();
            let mut lines = said.lines().filter(|line| line.contains("cannot open"));
            Ok(serving == version || lines.any(|line| line.contains(&version)))
        })?;
        let question = json!({"user_id": "1", "cart": ["1"], "explain": true});
        let answer = node.post("/v1/recommendations", &question)?;
        ensure!(answer.status == 200, "{what}: {}", answer.text());
        if *what == "seeded damage" && serving == version {
            harmless += 1;
            ensure_numbers(&answer.text(), &answer.json())?;
        } else {
            ensure!(serving == good || harmless > 0, "{what}: {serving} serves");
            ensure!(serving != version, "{what}: it serves");
            refused += 1;
        }
    }
    registry.publish(&good)?;
    node.stop()?;
    let tried = refused + harmless + in_process;
    let note = format!(
        "{in_process} damaged files and bundles in process; {refused} refused by a server that \
         went on, {harmless} as good as others"
    );
    Shown::all(tried, note)
}

/// Bundles with damage anywhere: in archive, scaler, features or manifest.
fn bundles(case: &Case, registry: &Registry) -> Result<u64> {
    const FILES: [&str; 4] = ["model.tar.gz", "scaler.json", "features.json", "manifest.json"];
    let version = registry.release.model.as_deref().context("a model")?;
    let models = case.empty()?;
    let (from, to) = (registry.models.join(version), models.join(version));
    std::fs::create_dir(&to)?;
    for file in FILES {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    let mut random = case.random().part(1);
    let mutations = case.pick(200, 2000);
    for n in 0..mutations {
        let file = FILES[random.index(FILES.len())];
        let mut bytes = std::fs::read(from.join(file))?;
        damage(&mut bytes, &mut random);
        std::fs::write(to.join(file), bytes)?;
        if let Ok(bundle) = cartwheel_registry::read(&models, version) {
            let rows = vec![f32::NAN; bundle.forest.features()];
            let mut margin = [0.0];
            bundle.forest.margins(&rows, &mut margin);
            ensure!(margin[0].is_finite(), "mutation {n} of {file}: {margin:?}");
        }
        std::fs::copy(from.join(file), to.join(file))?;
    }
    Ok(mutations)
}

/// JSON without NaN and infinity, with probabilities from 0 to 1 in their order.
fn ensure_numbers(text: &str, answer: &Value) -> Result<()> {
    for word in ["NaN", "nan", "Infinity", "inf,", "inf}"] {
        ensure!(!text.contains(word), "an answer holds {word}");
    }
    let list = answer["recommendations"].as_array().context("an answer without a list")?;
    ensure!(!list.is_empty(), "an answer without products");
    let mut last = 1.0;
    for product in list {
        let Some(probability) = product["probability"].as_f64() else {
            bail!("a probability is no number: {product}");
        };
        ensure!((0.0..=last).contains(&probability), "{probability} follows {last}");
        last = probability;
        for feature in product["explanation"]["features"].as_array().into_iter().flatten() {
            ensure!(feature["contribution"].is_number(), "{feature}");
        }
    }
    Ok(())
}

/// Row 14.
pub fn extremes(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let registry = Registry::open(&data)?;
    let good = registry.release.model.clone().context("a model")?;
    let node = Node::start(&data, &[])?;
    let mut tried = 0;
    // As text: some of it is no JSON, and no JSON library writes it.
    let item = |quantity: &str, price: &str| {
        format!(
            "{{\"user_id\":\"x\",\"event\":\"add_to_cart\",\"items\":[{{\"product_id\":\"1\",\
             \"quantity\":{quantity},\"price\":{price}}}]}}"
        )
    };
    let fine = ["0", "-0.0", "5e-324", "1e-400", "1e9", "0.1", "999999999.999999999", "null"];
    let bad = [
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "1e10",
        "-5e-324",
        "\"1\"",
        "1e308",
        "true",
        "18446744073709551616",
        "[1]",
    ];
    let counts = ["0", "-1", "1.5", "100001", "4294967296", "18446744073709551616", "1e3", "NaN"];
    let mut bodies: Vec<(u16, String)> = Vec::new();
    bodies.extend(fine.map(|price| (200, item("1", price))));
    bodies.extend(bad.map(|price| (400, item("1", price))));
    bodies.extend(counts.map(|quantity| (400, item(quantity, "1"))));
    bodies.push((200, item("100000", "1e9")));
    for (status, body) in &bodies {
        let answer = node.client()?.send("POST", "/submit", &[], body.as_bytes())?;
        ensure!(answer.status == *status, "{body}: {} {}", answer.status, answer.text());
        if *status == 200 {
            ensure_numbers(&answer.text(), &answer.json())?;
        }
        tried += 1;
    }
    // A cart as large as it gets, of products bought as often as can be said.
    let many: Vec<Value> =
        (1..=200).map(|n| json!({"product_id": n.to_string(), "quantity": 100_000})).collect();
    for event in ["add_to_cart", "add_to_cart", "checkout"] {
        let answer =
            node.post("/submit", &json!({"user_id": "x", "event": event, "items": many}))?;
        ensure!(answer.status == 200, "{event}: {}", answer.text());
        tried += 1;
    }
    for user in ["x", "1", "nobody"] {
        let cart: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
        for cart in [json!([]), json!(["1"]), json!(cart)] {
            let question = json!({"user_id": user, "cart": cart, "explain": true, "limit": 100});
            let answer = node.post("/v1/recommendations", &question)?;
            ensure!(answer.status == 200, "{user}: {}", answer.text());
            ensure_numbers(&answer.text(), &answer.json())?;
            tried += 1;
        }
    }
    // Scores beyond what a float holds: refused, or a probability of 0 or 1.
    for leaf in [3e38, -3e38] {
        let model = registry.changed(|model| {
            for tree in trees(model) {
                let children = tree["left_children"].as_array().cloned().unwrap_or_default();
                for (at, _) in children.iter().enumerate().filter(|(_, c)| c.as_i64() == Some(-1)) {
                    tree["split_conditions"][at] = json!(leaf);
                    tree["base_weights"][at] = json!(leaf);
                }
            }
        })?;
        let version = registry.write(&model)?;
        registry.publish(&version)?;
        wait_until("the release is judged", Duration::from_secs(20), || {
            let ready = node.get("/readyz")?.json();
            Ok(ready["engine"]["model_version"] == json!(version)
                || node.said().lines().any(|line| line.contains(&version)))
        })?;
        for user in ["x", "1", "nobody"] {
            let question = json!({"user_id": user, "explain": true});
            let answer = node.post("/v1/recommendations", &question)?;
            ensure!(answer.status == 200, "{}", answer.text());
            ensure_numbers(&answer.text(), &answer.json())?;
            tried += 1;
        }
    }
    registry.publish(&good)?;
    node.stop()?;
    Shown::all(tried, "missing values in scores: tests/forest/walks.rs of cartwheel-forest")
}
