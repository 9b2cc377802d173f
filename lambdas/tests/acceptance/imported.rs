//! A shop's files in the lake, imported by the function `import`.

use cartwheel_lake::{EarlierImports, Lake, Manifest};
use cartwheel_testkit::Function;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};

use crate::cloud::{Account, LAKE};

const MAPPING: &str = "[columns]\nuser_id = \"who\"\nproduct_id = \"what\"\ntime = \"at\"\n";

/// Lines of orders, which need the mapping, and one without a customer.
fn orders(first: usize) -> String {
    let mut text = "order_id,who,what,at,pieces\n".to_owned();
    for n in first..first + 40 {
        let day = n % 28 + 1;
        text.push_str(&format!("{n},{},p{},2026-03-{day:02},1\n", n % 7, n % 11));
    }
    text.push_str(&format!("{},,p1,2026-03-09,1\n", first + 90));
    text
}

/// Starts the function in a folder of its own.
async fn function(account: &Account, dir: &tempfile::TempDir) -> Function {
    let scratch = dir.path().display().to_string();
    account.function("import", &[("TMPDIR", scratch)]).await
}

async fn import(function: &Function, run: &str, folder: &str, earlier: &str) -> Value {
    let payload = json!({"lake": LAKE, "run": run, "folder": folder, "content": "orders",
                         "earlier": earlier});
    function.invoke(&payload).await.unwrap()
}

/// The account's lake in a folder, with the manifest and the parts that it names.
async fn downloaded(account: &Account, dir: &std::path::Path) -> (Lake, Manifest) {
    let store = account.lake();
    for key in ["imports", "orders", "products", "events", "baskets"] {
        let objects: Vec<_> = store.list(Some(&key.into())).try_collect().await.unwrap();
        for object in objects {
            let path = dir.join(object.location.as_ref());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    let lake = Lake::open(dir).unwrap();
    let manifest = lake.import_manifest().unwrap().unwrap();
    assert!(manifest.parts().all(|part| part.exists()), "the account has every part");
    (lake, manifest)
}

/// The same files by the library, on this machine.
fn here(dir: &std::path::Path, files: &[String]) -> Manifest {
    use cartwheel_import::{Content, Mapping, Options, Source};
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let mut sources = Vec::new();
    for (n, file) in files.iter().enumerate() {
        let path = dir.join(format!("{n}.csv"));
        std::fs::write(&path, file).unwrap();
        sources.push(Source::File(path));
    }
    let options = Options {
        content: Content::Orders,
        mapping: Mapping::parse(MAPPING).unwrap(),
        timezone: "UTC".to_owned(),
        header: None,
        max_rejects: 5.0,
        earlier: EarlierImports::Refuse,
        services: Vec::new(),
        products: Vec::new(),
        now_ms: cartwheel_ambient::Clock::system().now_ms(),
        threads: 2,
    };
    cartwheel_import::import(&lake, &sources, &options, &mut |_| {}).unwrap();
    lake.import_manifest().unwrap().unwrap()
}

pub async fn imports() {
    let account = Account::open().await;
    let dir = tempfile::tempdir().unwrap();
    let worker = function(&account, &dir).await;
    account.put("incoming/spring/mapping.toml", MAPPING.into()).await;
    account.put("incoming/spring/1.csv", orders(0).into_bytes()).await;
    account.put("incoming/spring/2.csv", orders(200).into_bytes()).await;

    let done = import(&worker, "run-1", "spring", "refuse").await;
    assert_eq!(
        (&done["state"], &done["summary"]["orders"]),
        (&json!("done"), &json!(80)),
        "{done}"
    );
    assert!(done["message"].as_str().unwrap().starts_with("Imported: 80 orders"), "{done}");
    assert_eq!(account.json("imports/runs/run-1.json").await, done);
    let local = tempfile::tempdir().unwrap();
    let (_, there) = downloaded(&account, &local.path().join("account")).await;
    let here = here(local.path(), &[orders(0), orders(200)]);
    assert_eq!(there.imports[0].summary.baskets, 2);
    assert_eq!((&there.id, &there.summary), (&here.id, &here.summary), "as on one machine");

    // The same files change nothing; others are added, or replace what was there.
    let again = import(&worker, "run-2", "spring", "refuse").await;
    assert_eq!(again["summary"]["unchanged"], json!(true), "{again}");
    account.put("incoming/summer/mapping.toml", MAPPING.into()).await;
    let mut more = orders(400);
    more.push_str("900,7,p1,yesterday,1\n");
    account.put("incoming/summer/3.csv", more.into_bytes()).await;
    let refused = import(&worker, "run-3", "summer", "refuse").await;
    assert_eq!(refused["state"], "failed");
    assert!(refused["message"].as_str().unwrap().contains("EARLIER=append"), "{refused}");
    let added = import(&worker, "run-4", "summer", "append").await;
    assert_eq!(added["summary"]["rejected"], json!(1), "{added}");
    let rejects = added["summary"]["rejects"].as_str().unwrap();
    assert_eq!(account.keys("rejects").await, [rejects]);
    let (_, both) = downloaded(&account, &local.path().join("both")).await;
    assert_eq!((both.imports.len(), both.events.len()), (2, 2));
    assert_eq!(both.imports[1].summary.rejects.as_ref().unwrap().to_str(), Some(rejects));

    // Delivered events stay, also where they lie beside the parts of a replaced import.
    account.put("events/year=2026/month=03/day=01/hour=00/live.parquet", vec![1]).await;
    account.put("incoming/autumn/mapping.toml", MAPPING.into()).await;
    account.put("incoming/autumn/4.csv", orders(600).into_bytes()).await;
    let only = import(&worker, "run-5", "autumn", "replace").await;
    assert_eq!(only["state"], "done", "{only}");
    let (_, last) = downloaded(&account, &local.path().join("last")).await;
    assert_eq!((last.imports.len(), last.events.len()), (1, 1));
    let kept = account.keys("events").await;
    assert_eq!(kept.len(), 2, "the parts of replaced imports are gone: {kept:?}");
    assert!(kept.iter().any(|key| key.ends_with("live.parquet")));

    // Tables in the Instacart schema.
    let spec = cartwheel_synthetic::ShopSpec { users: 100, products: 100, orders: 500, seed: 1 };
    let shop = local.path().join("shop");
    cartwheel_synthetic::generate(&spec, &shop, &mut |_| {}).unwrap();
    for file in std::fs::read_dir(&shop).unwrap() {
        let path = file.unwrap().path();
        let key = format!("incoming/shop/{}", path.file_name().unwrap().to_str().unwrap());
        account.put(&key, std::fs::read(path).unwrap()).await;
    }
    let payload = json!({"lake": LAKE, "run": "run-6", "folder": "shop", "content": "instacart"});
    let done = worker.invoke(&payload).await.unwrap();
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(account.keys("order_products").await.len(), 1);
    assert_eq!(account.json("imports/current.json").await["imports"][1]["kind"], "instacart");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "no file stays on the disk");
}

pub async fn fails() {
    let account = Account::open().await;
    let dir = tempfile::tempdir().unwrap();
    let worker = function(&account, &dir).await;
    let message = async |run: &str, folder: &str| {
        let answer = import(&worker, run, folder, "refuse").await;
        assert_eq!(answer["state"], "failed", "{answer}");
        assert_eq!(account.json(&format!("imports/runs/{run}.json")).await, answer);
        answer["message"].as_str().unwrap().to_owned()
    };
    let empty = message("e-1", "nothing").await;
    assert!(empty.contains("s3://lake/incoming/nothing/ holds no file"), "{empty}");
    let outside = message("e-2", "../orders").await;
    assert!(outside.contains("is not a name"), "{outside}");
    account.put("incoming/odd/1.csv", orders(0).into_bytes()).await;
    let unclear = message("e-3", "odd").await;
    assert!(unclear.contains("1.csv") && unclear.contains("mapping.toml"), "{unclear}");
    account.put("incoming/odd/mapping.toml", b"[columns]\ncolour = \"x\"".to_vec()).await;
    let wrong = message("e-4", "odd").await;
    assert!(wrong.contains("odd/mapping.toml") && wrong.contains("colour"), "{wrong}");
    let broken = "who,what,at\n1,p1,never\n".repeat(20);
    account.put("incoming/odd/mapping.toml", MAPPING.into()).await;
    account.put("incoming/odd/1.csv", broken.into_bytes()).await;
    let rejected = message("e-5", "odd").await;
    assert!(rejected.contains("MAX_REJECTS"), "{rejected}");

    // What Lambda calls again after it has ended the function.
    let running = json!({"state": "running", "message": "reading 3 of 9 MiB"});
    account.put("imports/runs/e-6.json", running.to_string().into_bytes()).await;
    let ended = message("e-6", "odd").await;
    assert!(ended.contains("was ended while it was reading 3 of 9 MiB"), "{ended}");
    let payload = json!({"lake": LAKE, "run": "a/b", "folder": "odd", "content": "orders"});
    let error = worker.invoke(&payload).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("\"a/b\" is not a name"), "{error}");
    for table in ["imports/current.json", "events", "baskets", "products", "orders"] {
        assert!(account.keys(table).await.is_empty(), "{table} is as it was");
    }
}
