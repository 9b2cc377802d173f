//! The sources that the arguments of `import` name.

use anyhow::Result;
use cartwheel_import::Source;

/// The sources that arguments name, in their order.
pub fn sources(arguments: &[String]) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for argument in arguments {
        if argument.starts_with("s3://") {
            found.extend(objects(argument)?);
        } else {
            found.extend(Source::expand(argument)?);
        }
    }
    Ok(found)
}

/// The objects of an address: one, those of a folder, or those that match a pattern in the last
/// step.
#[cfg(feature = "aws")]
fn objects(uri: &str) -> Result<Vec<Source>> {
    use std::sync::Arc;

    use anyhow::{Context as _, ensure};
    use cartwheel_aws::Object;
    use cartwheel_import::matches;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (folder, pattern) = uri.rsplit_once('/').unwrap_or((uri, ""));
    let is_pattern = pattern.contains(['*', '?']);
    let found = async {
        if pattern.is_empty() || is_pattern {
            let mut objects = Object::list(folder).await?;
            let is_wanted = |name: &str| !is_pattern || matches(pattern, name);
            objects.retain(|object| {
                let name = object.file_name();
                is_wanted(name) && !name.starts_with('.')
            });
            return Ok(objects);
        }
        match Object::find(uri).await? {
            Some(object) => Ok(vec![object]),
            None => Object::list(uri).await,
        }
    };
    let objects = runtime.block_on(found).with_context(|| uri.to_owned())?;
    ensure!(!objects.is_empty(), "{uri}: there is no such object");
    let runtime = Arc::new(runtime);
    Ok(objects.into_iter().map(|object| object.source(&runtime)).collect())
}

#[cfg(not(feature = "aws"))]
fn objects(uri: &str) -> Result<Vec<Source>> {
    anyhow::bail!(
        "{uri}: this program was built without access to S3: build it with `--features aws`, or \
         use `aws s3 cp {uri} - | cartwheel import … -`"
    )
}
