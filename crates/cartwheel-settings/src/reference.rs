//! docs/settings.md, made from the table of settings.

use std::fmt::Write as _;

use crate::key::Key;
use crate::table::{AREAS, Settings};
use crate::variables::{OF_SCRIPTS, OF_THE_BINARY, ON_AWS, Variable};

/// The settings reference as Markdown.
pub fn markdown() -> String {
    let mut out = "# Settings

Settings come from `cartwheel.toml` in the working directory (or from the file that `--config`
names), from `CARTWHEEL_*` environment variables, and from flags; the later ones win. An unknown key
or variable is an error. `cartwheel config check` explains everything that is wrong, or prints the
settings in effect. This page is made from the code; `cartwheel config reference` prints it.

```toml
[server]
listen = \"127.0.0.1:8080\"
cors_origins = [\"https://shop.example\"]
```

The value of a variable is TOML or plain text: `CARTWHEEL_SERVER_LISTEN=127.0.0.1:8080`,
`CARTWHEEL_SERVER_CORS_ORIGINS='[\"https://shop.example\"]'`, and a list may be texts separated by
commas: `CARTWHEEL_RECOMMEND_WITHOUT=visit,affinity`. A default of – means that the key is unset.
"
    .to_owned();
    let keys = Settings::keys();
    for (area, about) in AREAS {
        let _ = write!(
            out,
            "\n## `[{area}]`\n\n{}\n\n| Key | Type | Default | Variable | Meaning |\n\
             | --- | --- | --- | --- | --- |\n",
            about.trim()
        );
        keys.iter().filter(|key| key.area == *area).for_each(|key| out.push_str(&row(key)));
    }
    out.push_str("\n## Other variables\n\nThese variables have no key in the file.\n");
    for (title, variables) in [
        ("Of the binary", OF_THE_BINARY),
        ("Of the functions on AWS, and of `serve --backend aws`", ON_AWS),
        ("Of scripts and tests", OF_SCRIPTS),
    ] {
        let _ = write!(out, "\n{title}:\n\n| Variable | Meaning |\n| --- | --- |\n");
        for Variable { name, meaning } in variables {
            let _ = writeln!(out, "| `{name}` | {meaning} |");
        }
    }
    out
}

fn row(key: &Key) -> String {
    let range = key.range.iter().map(|range| format!(", {range}")).collect::<String>();
    let default = key.default.as_ref().map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
    format!(
        "| `{}` | {}{range} | {default} | `{}` | {} |\n",
        key.path(),
        key.kind,
        key.variable(),
        key.meaning
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_code_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, markdown()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(file).unwrap_or_default(),
            markdown(),
            "docs/settings.md is out of date: run `UPDATE=1 cargo test -p cartwheel-settings`"
        );
    }

    #[test]
    fn every_key_has_a_meaning_and_a_variable_of_its_own() {
        let keys = Settings::keys();
        let variables: std::collections::BTreeSet<String> =
            keys.iter().map(Key::variable).collect();
        assert_eq!(variables.len(), keys.len());
        for key in keys {
            assert!(key.meaning.ends_with('.') && !key.meaning.contains('|'), "{}", key.path());
        }
    }
}
