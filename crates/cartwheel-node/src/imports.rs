//! Reads and imports uploaded files: by `cartwheel import` as a job, as a person does by hand.

use std::path::Path;

use cartwheel_ambient::{Clock, Ids};
use cartwheel_api::{
    ApiKey, DateOrderView, EarlierImports, ImportContent, ImportFile, ImportMapping, ImportMode,
    ImportPreview, ImportResult, Importer, KeyHash, OnProgress, OrderByView, Scope,
    StartFileImport,
};
use cartwheel_import::{Columns, DateOrder, FeedMapping, Field, Mapping, OrderBy};
use cartwheel_lake::Lake;
use cartwheel_stream::Pending;
use cartwheel_workflow::Progress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::pipeline::{Ended, Jobs, Watcher};

/// The name of a job's key in logs and limits.
const KEY_NAME: &str = "import";
/// The file with the mapping, beside the uploaded file. No uploaded file is hidden.
const MAPPING: &str = ".mapping.toml";

/// Imports files into a data directory.
pub struct ImportJobs {
    jobs: Jobs,
    lake: Lake,
    /// The key with which a job calls the server: products go through it.
    key: String,
}

impl ImportJobs {
    /// Imports by `jobs` into `lake`, with a key that lives as long as this server.
    pub fn new(jobs: Jobs, lake: Lake) -> Self {
        let (ids, now_ms) = (Ids::uuid_v7(), Clock::system().now_ms());
        // Two ids hold more than 128 random bits.
        let key = format!("{}{}", ids.next(now_ms), ids.next(now_ms));
        Self { jobs, lake, key }
    }

    /// The key of the jobs, for the server.
    pub fn key(&self) -> ApiKey {
        ApiKey {
            name: KEY_NAME.into(),
            hash: KeyHash::of(&self.key),
            scopes: vec![Scope::CatalogueWrite],
            publishable: None,
            signing: None,
        }
    }

    /// Runs `cartwheel import` on a file.
    fn run(
        &self,
        file: &ImportFile,
        more: &[String],
        progress: OnProgress,
    ) -> Pending<'static, Result<Ended, String>> {
        let arguments = arguments(file, more);
        let mapping = mapping(file);
        let (jobs, key, path) = (self.jobs.clone(), self.key.clone(), file.path.clone());
        Box::pin(async move {
            let folder = path.parent().unwrap_or(Path::new("."));
            if let Some(mapping) = mapping? {
                let written = tokio::fs::write(folder.join(MAPPING), mapping).await;
                written.map_err(|error| format!("the mapping cannot be stored: {error}"))?;
            }
            jobs.run_in(folder, &key, &arguments?, &Watch(progress)).await
        })
    }
}

impl Importer for ImportJobs {
    fn fields(&self, kind: ImportContent) -> Vec<String> {
        match kind {
            ImportContent::Products => FeedMapping::fields().map(str::to_owned).collect(),
            ImportContent::Events | ImportContent::Orders => {
                Field::ALL.iter().map(|field| field.as_str().to_owned()).collect()
            }
        }
    }

    fn presets(&self) -> Vec<String> {
        Mapping::presets().map(str::to_owned).collect()
    }

    fn preview(
        &self,
        file: ImportFile,
        progress: OnProgress,
    ) -> Pending<'static, Result<ImportPreview, String>> {
        let ended = self.run(&file, &["--dry-run".to_owned()], progress);
        Box::pin(async move {
            // A file whose columns are not understood is shown too.
            match ended.await? {
                Ended { result: Some(preview), .. } => parsed(preview),
                Ended { error, .. } => Err(error.unwrap_or_else(no_result)),
            }
        })
    }

    fn import(
        &self,
        file: ImportFile,
        start: StartFileImport,
        progress: OnProgress,
    ) -> Pending<'static, Result<ImportResult, String>> {
        let ended = self.run(&file, &options(file.kind, &start), progress);
        Box::pin(async move {
            match ended.await? {
                Ended { error: Some(error), .. } => Err(error),
                Ended { result, .. } => parsed(result.ok_or_else(no_result)?),
            }
        })
    }

    fn clean(&self) -> Result<(), String> {
        self.lake.remove_interrupted_imports().map_err(|error| error.to_string())
    }

    fn earlier(&self) -> Result<EarlierImports, String> {
        let manifest = self.lake.import_manifest().map_err(|error| error.to_string())?;
        let mut earlier = EarlierImports::default();
        for import in manifest.into_iter().flat_map(|manifest| manifest.imports) {
            earlier.imports += 1;
            earlier.orders += import.summary.orders;
            earlier.events += import.summary.events;
        }
        Ok(earlier)
    }
}

/// The result of a job. A field that it has not printed has its default.
fn parsed<T: Default + Serialize + DeserializeOwned>(printed: Value) -> Result<T, String> {
    let mut value = serde_json::to_value(T::default()).unwrap_or_default();
    if let (Some(value), Value::Object(printed)) = (value.as_object_mut(), printed) {
        value.extend(printed);
    }
    serde_json::from_value(value).map_err(|error| format!("the job's result: {error}"))
}

fn no_result() -> String {
    "the job has printed no result".to_owned()
}

/// Passes on the progress of a job.
struct Watch(OnProgress);

impl Watcher for Watch {
    fn progress(&self, progress: Progress) {
        (self.0)(progress);
    }

    fn line(&self, text: &str) {
        tracing::info!(text, "import");
    }
}

/// The arguments of `cartwheel` that read a file.
fn arguments(file: &ImportFile, more: &[String]) -> Result<Vec<String>, String> {
    let name = file.path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or("the file has no name")?.to_owned();
    let mut arguments = vec!["import".to_owned(), file.kind.as_str().to_owned()];
    // Options separate names by commas.
    let with_comma = |names: &[String]| names.iter().find(|name| name.contains(',')).cloned();
    if let Some(column) = with_comma(&file.mapping.header) {
        return Err(format!("a name in header cannot have a comma: rename {column:?}"));
    }
    if file.kind == ImportContent::Products {
        for (field, columns) in &file.mapping.columns {
            if let Some(column) = with_comma(columns) {
                return Err(format!("a column of products cannot have a comma: rename {column:?}"));
            }
            arguments.push(format!("--map={field}={}", columns.join(",")));
        }
    } else {
        arguments.push(format!("--mapping={MAPPING}"));
        if !file.mapping.header.is_empty() {
            arguments.push(format!("--columns={}", file.mapping.header.join(",")));
        }
    }
    arguments.extend_from_slice(more);
    arguments.extend(["--".to_owned(), name]);
    Ok(arguments)
}

/// The options of `cartwheel import` for a start.
fn options(kind: ImportContent, start: &StartFileImport) -> Vec<String> {
    let is_feed = kind == ImportContent::Products;
    let mode = match start.mode {
        Some(ImportMode::Append) if !is_feed => Some("--append"),
        Some(ImportMode::Replace) if !is_feed => Some("--replace"),
        Some(ImportMode::Replace) => Some("--full"),
        Some(ImportMode::Append) | None => None,
    };
    let confirm = (mode == Some("--full") && start.confirm).then_some("--confirm");
    let mut options: Vec<String> = mode.into_iter().chain(confirm).map(str::to_owned).collect();
    options.extend(start.max_rejects.map(|percent| format!("--max-rejects={percent}")));
    options
}

/// The mapping of orders or events in the form of a file. `None` for products.
fn mapping(file: &ImportFile) -> Result<Option<String>, String> {
    if file.kind == ImportContent::Products {
        return Ok(None);
    }
    let ImportMapping { columns, preset, no_customer, timezone, date_order, order_by, header: _ } =
        &file.mapping;
    let mut mapping = match preset {
        Some(preset) => Mapping::preset(preset).map_err(|error| error.to_string())?,
        None => Mapping::default(),
    };
    let column = |(name, columns): (&String, &Vec<String>)| {
        let field = Field::parse(name).ok_or_else(|| format!("{name} is not a field"))?;
        Ok((field, Columns(columns.clone())))
    };
    mapping.overlay(Mapping {
        columns: columns.iter().map(column).collect::<Result<_, String>>()?,
        no_customer: no_customer.clone(),
        timezone: timezone.clone(),
        date_order: date_order.map(|order| match order {
            DateOrderView::Dmy => DateOrder::Dmy,
            DateOrderView::Mdy => DateOrder::Mdy,
        }),
        order_by: order_by.map(|rule| match rule {
            OrderByView::Day => OrderBy::Day,
            OrderByView::Time => OrderBy::Time,
        }),
        ..Mapping::default()
    });
    Ok(Some(mapping.to_text()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cartwheel_import::{Content, Options, Source};
    use cartwheel_lake::EarlierImports as Earlier;

    use super::*;

    fn file(columns: &[(&str, &[&str])]) -> ImportFile {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let columns: BTreeMap<String, Vec<String>> =
            columns.iter().map(|(field, names)| ((*field).to_owned(), owned(names))).collect();
        ImportFile {
            path: "uploads/1/orders.csv".into(),
            kind: ImportContent::Orders,
            mapping: ImportMapping { columns, ..ImportMapping::default() },
        }
    }

    #[test]
    fn a_mapping_of_the_api_is_one_of_the_command_line() {
        let mut file = file(&[("product_id", &["SKU, long", "ean"]), ("status", &[])]);
        file.mapping.preset = Some("shopify-orders".to_owned());
        file.mapping.date_order = Some(DateOrderView::Mdy);
        file.mapping.timezone = Some("Europe/Berlin".to_owned());
        file.mapping.no_customer = vec!["0".to_owned()];
        let mapping = Mapping::parse(&mapping(&file).unwrap().unwrap()).unwrap();
        assert_eq!(mapping.columns[&Field::ProductId].0, ["SKU, long", "ean"]);
        assert_eq!(mapping.columns[&Field::OrderId].0, ["Name"]);
        assert!(mapping.columns[&Field::Status].0.is_empty());
        assert_eq!((mapping.date_order, mapping.order_by), (Some(DateOrder::Mdy), None));
        assert_eq!(mapping.no_customer, ["0"]);
        assert_eq!(mapping.timezone.as_deref(), Some("Europe/Berlin"));
    }

    #[test]
    fn a_preview_is_what_the_command_line_prints() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.csv");
        let text = "order_id,customer,sku,date,shade\n1,c,p,2025-03-01,red\n2,c,,2025-03-01,red\n";
        std::fs::write(&path, text).unwrap();
        let options = Options {
            content: Content::Orders,
            mapping: Mapping::default(),
            timezone: "UTC".to_owned(),
            header: None,
            max_rejects: 5.0,
            earlier: Earlier::Refuse,
            services: Vec::new(),
            products: Vec::new(),
            now_ms: 1_767_225_600_000,
            threads: 1,
        };
        let printed = cartwheel_import::preview(&[Source::File(path)], &options, &mut |_| {});
        let printed = serde_json::to_value(printed.unwrap()).unwrap();
        let preview: ImportPreview = parsed(printed.clone()).unwrap();
        // Every field that is printed is shown.
        let shown = serde_json::to_value(&preview).unwrap();
        for (name, value) in printed.as_object().unwrap() {
            assert_eq!(&shown[name], value, "{name}");
        }
        assert_eq!((preview.rows, preview.lines, preview.rejected), (2, 1, 1));
        assert_eq!(preview.columns.len(), 5);
    }

    #[test]
    fn a_mapping_of_products_is_written_as_options() {
        let mut file = file(&[("attributes.colour", &["Color"]), ("name", &["title", "label"])]);
        file.kind = ImportContent::Products;
        let more = ["--dry-run".to_owned()];
        assert_eq!(
            arguments(&file, &more).unwrap().join(" "),
            "import products --map=attributes.colour=Color --map=name=title,label --dry-run -- \
             orders.csv"
        );
        file.mapping.columns.insert("price".to_owned(), vec!["Price, net".to_owned()]);
        assert!(arguments(&file, &more).unwrap_err().contains("rename \"Price, net\""));
        file.kind = ImportContent::Orders;
        assert!(arguments(&file, &more).is_ok(), "the mapping's file has the columns of orders");
        file.mapping.header = vec!["Price, net".to_owned()];
        assert!(arguments(&file, &more).unwrap_err().contains("rename \"Price, net\""));
    }
}
