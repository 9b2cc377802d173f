//! The rights that the programs on AWS need: what their binaries ask of the emulated services.
//!
//! `infra/check/requests.json` has them by function, and those of `cartwheel serve --backend aws` as `serve`;
//! `make infra` replays them against the planned policies. UPDATE=1 adds what is missing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use crate::faults::{FaultProxy, Faults};

/// Actions and resources by program.
type Requests = BTreeMap<String, BTreeSet<String>>;

static FILE: Mutex<()> = Mutex::new(());

/// Listens to what programs ask. Dropping it compares that with the file, unless the test has failed.
#[derive(Debug, Default)]
pub struct Rights {
    proxies: Mutex<Vec<(String, FaultProxy)>>,
}

impl Rights {
    /// The variables of a program, with a proxy of its own in front of each service.
    ///
    /// # Panics
    /// If a proxy does not start.
    pub async fn listen(
        &self,
        program: &str,
        variables: Vec<(String, String)>,
    ) -> Vec<(String, String)> {
        let mut urls = BTreeMap::new();
        let mut heard = Vec::new();
        for (name, value) in variables {
            let port = value.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
            let Some(port) = port.filter(|_| name.starts_with("AWS_ENDPOINT_URL")) else {
                heard.push((name, value));
                continue;
            };
            let url = match urls.entry(port) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let proxy = FaultProxy::start(port, 0, Faults::default()).await;
                    let url = new.insert(proxy.url());
                    self.proxies.lock().unwrap().push((program.to_owned(), proxy));
                    url
                }
            };
            heard.push((name, url.clone()));
        }
        heard
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut asked = Requests::new();
        for (program, proxy) in self.proxies.lock().unwrap().drain(..) {
            asked.entry(program).or_default().extend(proxy.asked());
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/check/requests.json");
        let _one_at_a_time = FILE.lock().unwrap();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
        let mut known: Requests = serde_json::from_str(&text).unwrap();
        let before = known.clone();
        for (program, requests) in asked {
            known.entry(program).or_default().extend(requests);
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&known).unwrap() + "\n").unwrap();
        } else {
            assert_eq!(known, before, "new requests: UPDATE=1 adds them to {}", path.display());
        }
    }
}
