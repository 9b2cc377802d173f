//! Errors on standard error: text for people, or one JSON object for scripts.

use std::ffi::OsString;

use serde_json::{Value, json};

use cartwheel_settings::InvalidSettings;

/// Whether the arguments ask for JSON. They need not be valid, so that errors in them are JSON too.
pub fn json_requested(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().take_while(|argument| argument != "--").any(|text| text == "--json")
}

/// Prints why a command failed.
pub fn print(error: &anyhow::Error, json: bool) {
    if json { eprintln!("{}", to_json(error)) } else { eprintln!("error: {error:#}") }
}

/// Prints what is wrong with the arguments, or the help that they ask for.
pub fn print_usage(error: &clap::Error, json: bool) {
    if json && error.use_stderr() {
        eprintln!("{}", usage_to_json(error));
    } else {
        // A closed output cannot be reported anywhere.
        let _ = error.print();
    }
}

/// `{"error": {"message": …, "causes": […]}}`. The message is the text that people get. The causes
/// are its parts, from what failed to why.
fn to_json(error: &anyhow::Error) -> Value {
    if let Some(invalid) = error.downcast_ref::<InvalidSettings>() {
        return object(&invalid.summary(), &invalid.problems);
    }
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    object(&format!("{error:#}"), &causes)
}

fn usage_to_json(error: &clap::Error) -> Value {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return object("a command is missing: see --help", &[]);
    }
    let text = error.render().to_string();
    // The usage and the hint to --help follow, separated by empty lines.
    let paragraphs = text.split("\n\n").take_while(|part| !part.starts_with("Usage:"));
    let mut lines = paragraphs.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default();
    let hints: Vec<String> =
        lines.filter(|line| !line.starts_with("For more information")).map(str::to_owned).collect();
    object(message.strip_prefix("error: ").unwrap_or(message), &hints)
}

fn object(message: &str, causes: &[String]) -> Value {
    json!({"error": {"message": message, "causes": causes}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_message_and_causes() {
        let root = std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(root).context("keys.json").context("the key is not stored");
        let expected = json!({"error": {
            "message": "the key is not stored: keys.json: the disk is full",
            "causes": ["keys.json", "the disk is full"],
        }});
        assert_eq!(to_json(&error), expected);
    }

    #[test]
    fn each_wrong_setting_is_a_cause() {
        let problems = vec!["one".to_owned(), "two".to_owned()];
        let error = anyhow::Error::new(InvalidSettings { problems });
        let expected = json!({"error": {
            "message": "2 settings are wrong",
            "causes": ["one", "two"],
        }});
        assert_eq!(to_json(&error), expected);
    }

    #[test]
    fn json_is_an_option_and_not_an_operand() {
        let asks = |arguments: &[&str]| json_requested(arguments.iter().map(OsString::from));
        assert!(asks(&["cartwheel", "audit", "--json"]));
        assert!(!asks(&["cartwheel", "import", "instacart", "--", "--json"]));
    }
}
