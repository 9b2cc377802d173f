//! Reads the fields of one JSON object and records their problems.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::definition::{IntegerField, ResultPath, StringField};
use crate::expression::Expression;
use crate::path::Path;
use crate::problem::{Problem, join};
use crate::reference_path::ReferencePath;
use crate::template::Template;

/// Largest number of seconds that a field takes.
pub(super) const MAX_SECONDS: u64 = 99_999_999;

/// The fields of a JSON object.
pub(super) type Fields = Map<String, Value>;

/// Collects problems while it reads a definition. A method that returns `None` for a
/// present field has recorded why.
#[derive(Default)]
pub(super) struct Parser {
    problems: Vec<Problem>,
}

impl Parser {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Records a problem.
    pub(super) fn report(&mut self, place: &str, message: impl Into<String>) {
        let place = if place.is_empty() { "definition" } else { place };
        self.problems.push(Problem { place: place.to_owned(), message: message.into() });
    }

    pub(super) fn object<'a>(&mut self, value: &'a Value, place: &str) -> Option<&'a Fields> {
        if value.as_object().is_none() {
            self.report(place, "must be an object");
        }
        value.as_object()
    }

    /// The elements of an array with at least one element; `elements` names them.
    pub(super) fn non_empty_array<'a>(
        &mut self,
        value: Option<&'a Value>,
        place: &str,
        elements: &str,
    ) -> Option<&'a [Value]> {
        let array = value.and_then(Value::as_array).filter(|array| !array.is_empty());
        if array.is_none() {
            self.report(place, format!("must be an array of {elements}"));
        }
        array.map(Vec::as_slice)
    }

    /// Reports every field that is not in `allowed`.
    pub(super) fn check_fields(&mut self, fields: &Fields, allowed: &[&str], place: &str) {
        for name in fields.keys().filter(|name| !allowed.contains(&name.as_str())) {
            let message = match name.as_str() {
                "Assign" | "Arguments" | "Output" | "Items" => {
                    "belongs to JSONata or variables, which are not supported: use Parameters, \
                     ResultSelector and ResultPath"
                }
                "ItemReader" | "ItemBatcher" | "ResultWriter" | "Label" => {
                    "belongs to distributed maps, which are not supported: use an inline Map"
                }
                _ => "is an unknown field: correct its name or remove it",
            };
            self.report(&join(place, name), message);
        }
    }

    /// Reports two fields of which only one may be present.
    pub(super) fn check_exclusive(
        &mut self,
        fields: &Fields,
        name: &str,
        other: &str,
        place: &str,
    ) {
        if fields.contains_key(name) && fields.contains_key(other) {
            let message = format!("cannot be combined with {other}: remove one of them");
            self.report(&join(place, name), message);
        }
    }

    pub(super) fn string<'a>(
        &mut self,
        fields: &'a Fields,
        name: &str,
        place: &str,
    ) -> Option<&'a str> {
        let value = fields.get(name)?;
        if value.as_str().is_none() {
            self.report(&join(place, name), "must be a string");
        }
        value.as_str()
    }

    /// A string that has to be present.
    pub(super) fn required<'a>(
        &mut self,
        fields: &'a Fields,
        name: &str,
        place: &str,
    ) -> Option<&'a str> {
        if !fields.contains_key(name) {
            self.report(&join(place, name), "is missing");
        }
        self.string(fields, name, place)
    }

    pub(super) fn integer(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = fields.get(name)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = (range.start(), range.end());
            self.report(&join(place, name), format!("must be an integer from {min} to {max}"));
        }
        number
    }

    pub(super) fn path(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Path> {
        let text = self.string(fields, name, place)?;
        Path::parse(text).map_err(|problem| self.report(&join(place, name), problem)).ok()
    }

    /// An integer: a literal in the field `name`, or a path in the field `{name}Path`.
    pub(super) fn integer_or_path(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        range: RangeInclusive<u64>,
    ) -> Option<IntegerField> {
        let path_name = format!("{name}Path");
        self.check_exclusive(fields, name, &path_name, place);
        let literal = self.integer(fields, name, place, range).map(IntegerField::Literal);
        literal.or_else(|| self.path(fields, &path_name, place).map(IntegerField::Path))
    }

    /// A string: a literal in the field `name`, or an expression in the field `{name}Path`.
    pub(super) fn string_or_path(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
    ) -> Option<StringField> {
        let path_name = format!("{name}Path");
        self.check_exclusive(fields, name, &path_name, place);
        if let Some(text) = self.string(fields, name, place) {
            return Some(StringField::Literal(text.to_owned()));
        }
        let text = self.string(fields, &path_name, place)?;
        let parsed = Expression::parse(text)
            .map_err(|problem| self.report(&join(place, &path_name), problem));
        parsed.ok().map(StringField::Computed)
    }

    pub(super) fn template(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
    ) -> Option<Template> {
        let value = fields.get(name)?;
        let mut report = |place: &str, problem: String| self.report(place, problem);
        Some(Template::parse(value, &join(place, name), &mut report))
    }

    /// `InputPath`, `OutputPath` or `ItemsPath`: `$` by default, `None` for `null`.
    pub(super) fn data_path(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Path> {
        match fields.get(name) {
            Some(Value::Null) => None,
            Some(_) => self.path(fields, name, place),
            None => Path::parse("$").ok(),
        }
    }

    pub(super) fn result_path(&mut self, fields: &Fields, place: &str) -> ResultPath {
        match fields.get("ResultPath") {
            None => ResultPath::default(),
            Some(Value::Null) => ResultPath(None),
            Some(_) => {
                let text = self.string(fields, "ResultPath", place);
                let path = text.map(ReferencePath::parse).and_then(|path| {
                    path.map_err(|problem| self.report(&join(place, "ResultPath"), problem)).ok()
                });
                ResultPath(path)
            }
        }
    }
}
