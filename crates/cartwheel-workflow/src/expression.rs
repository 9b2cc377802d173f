//! Expressions of templates and fields: paths and calls of intrinsic functions.

mod parser;

use serde_json::Value;

use crate::failure::{Failure, INTRINSIC, PARAMETER_PATH};
use crate::intrinsic::Function;
use crate::path::Path;
use crate::random::Random;

/// A path, a call such as `States.Format('{}', $.name)`, or a literal argument of a call.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Literal(Value),
    Path(Path),
    Call(Function, Vec<Expression>),
}

/// The data that an expression reads.
pub(crate) struct Scope<'a> {
    /// Value of `$`.
    pub data: &'a Value,
    /// Value of `$$`.
    pub context: &'a Value,
    /// Source of `States.UUID` and `States.MathRandom`.
    pub random: &'a mut Random,
}

impl Expression {
    /// Computes the value.
    ///
    /// # Errors
    /// `States.ParameterPathFailure` when a path finds nothing, `States.IntrinsicFailure`
    /// when a function rejects its arguments.
    pub(crate) fn evaluate(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => path.find(scope.data, scope.context).ok_or_else(|| {
                let cause = format!("The path {} found nothing.", path.as_str());
                Failure::new(PARAMETER_PATH, cause)
            }),
            Self::Call(function, arguments) => {
                let arguments: Result<Vec<Value>, Failure> =
                    arguments.iter().map(|argument| argument.evaluate(scope)).collect();
                function.call(&arguments?, scope.random).map_err(|problem| {
                    Failure::new(INTRINSIC, format!("{}: {problem}", function.name()))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(text: &str) -> Result<Value, Failure> {
        let data = json!({"name": "Ann", "n": 3, "list": [1, 2, 2, "x"], "o": {"a": 1}, "f": 1.5});
        let context = json!({"id": "ctx"});
        let mut random = Random::new(1);
        let mut scope = Scope { data: &data, context: &context, random: &mut random };
        Expression::parse(text).unwrap().evaluate(&mut scope)
    }

    #[test]
    fn functions_compute_their_values() {
        for (text, expected) in [
            (
                r"States.Format('Hi {}, \'{}\' \{\} {}', $.name, $.n, $.o)",
                json!("Hi Ann, '3' {} {a=1}"),
            ),
            ("States.Format('plain')", json!("plain")),
            ("States.StringToJson('{\"a\": [1]}')", json!({"a": [1]})),
            ("States.JsonToString($.o)", json!("{\"a\":1}")),
            ("States.Array()", json!([])),
            ("States.Array(1, 'a', null, true, $.n, $$.id)", json!([1, "a", null, true, 3, "ctx"])),
            ("States.ArrayPartition($.list, 3)", json!([[1, 2, 2], ["x"]])),
            ("States.ArrayContains($.list, 2)", json!(true)),
            ("States.ArrayContains($.list, 'y')", json!(false)),
            ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
            ("States.ArrayRange(5, 1, -2)", json!([5, 3, 1])),
            ("States.ArrayGetItem($.list, 3)", json!("x")),
            ("States.ArrayLength($.list)", json!(4)),
            ("States.ArrayUnique($.list)", json!([1, 2, "x"])),
            ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
            ("States.Base64Decode('RGF0YQ==')", json!("Data")),
            ("States.Hash('abc', 'SHA-1')", json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
            ("States.Hash('abc', 'MD5')", json!("900150983cd24fb0d6963f7d28e17f72")),
            (
                "States.JsonMerge($.o, States.StringToJson('{\"b\":2}'), false)",
                json!({"a": 1, "b": 2}),
            ),
            ("States.MathAdd($.n, -1)", json!(2)),
            ("States.MathRandom(4, 5)", json!(4)),
            ("States.StringSplit('a,b;c', ',;')", json!(["a", "b", "c"])),
            ("States.ArrayLength(States.Array($.list[*]))", json!(1)),
        ] {
            assert_eq!(evaluate(text), Ok(expected), "{text}");
        }
        let id = evaluate("States.UUID()").unwrap();
        assert_eq!(id.as_str().map(str::len), Some(36));
    }

    #[test]
    fn wrong_arguments_are_intrinsic_failures() {
        for text in [
            "States.Format('{} {}', 1)",
            "States.Format('{}', 1, 2)",
            "States.StringToJson('{')",
            "States.ArrayGetItem($.list, 9)",
            "States.ArrayRange(1, 2, 0)",
            "States.ArrayRange(1, 100000, 1)",
            "States.ArrayPartition($.list, 0)",
            "States.ArrayLength($.name)",
            "States.Base64Decode('%')",
            "States.Hash('a', 'CRC')",
            "States.JsonMerge($.o, $.o, true)",
            "States.MathAdd($.name, 1)",
            "States.MathRandom(5, 5)",
        ] {
            assert_eq!(evaluate(text).unwrap_err().error, INTRINSIC, "{text}");
        }
        assert_eq!(evaluate("States.Format('{}', $.none)").unwrap_err().error, PARAMETER_PATH);
    }

    #[test]
    fn text_that_is_neither_a_path_nor_a_call_is_rejected() {
        for text in [
            "name",
            "States.Nope()",
            "States.UUID(1)",
            "States.Format('a",
            "States.Array(1 2)",
            "States.Array(1) x",
            "'text'",
            "States.Array(",
            "States.MathAdd(1)",
            "States.Array(a)",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
