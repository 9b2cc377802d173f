//! Reads a definition and says all that is wrong with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::choice::{Rule, Test};
use crate::definition::{
    Catcher, Invalid, Kind, Machine, MapState, Number, Problem, ResultPath, Retrier, State, Task,
    Text, Wait, Work,
};
use crate::failure::ALL;
use crate::intrinsic::Expression;
use crate::path::{Path, ReferencePath};
use crate::template::Template;

const COMMON: [&str; 7] =
    ["Type", "Comment", "Next", "End", "InputPath", "OutputPath", "QueryLanguage"];
const MAX_NAME: usize = 80;
const MAX_SECONDS: u64 = 99_999_999;

/// Reads a whole state machine.
pub(crate) fn read(definition: &Value) -> Result<Machine, Invalid> {
    let mut reader = Reader { problems: Vec::new() };
    let machine = reader.machine(definition, "", true);
    match machine {
        Some(machine) if reader.problems.is_empty() => Ok(machine),
        _ => Err(Invalid(reader.problems)),
    }
}

struct Reader {
    problems: Vec<Problem>,
}

type Fields = Map<String, Value>;

/// A place within a place.
pub(crate) fn at(place: &str, field: &str) -> String {
    if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") }
}

impl Reader {
    fn wrong(&mut self, place: &str, message: impl Into<String>) {
        let place = if place.is_empty() { "definition" } else { place };
        self.problems.push(Problem { place: place.to_owned(), message: message.into() });
    }

    fn fields<'a>(&mut self, value: &'a Value, place: &str) -> Option<&'a Fields> {
        if value.as_object().is_none() {
            self.wrong(place, "must be an object");
        }
        value.as_object()
    }

    fn only(&mut self, fields: &Fields, known: &[&str], place: &str) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = match name.as_str() {
                "Assign" | "Arguments" | "Output" | "Items" => {
                    "is of JSONata or of variables, which are not supported: use Parameters, \
                     ResultSelector and ResultPath"
                }
                "ItemReader" | "ItemBatcher" | "ResultWriter" | "Label" => {
                    "is of distributed maps, which are not supported: use an inline Map"
                }
                _ => "is not known here",
            };
            self.wrong(&at(place, name), message);
        }
    }

    fn string<'a>(&mut self, fields: &'a Fields, name: &str, place: &str) -> Option<&'a str> {
        let value = fields.get(name)?;
        if value.as_str().is_none() {
            self.wrong(&at(place, name), "must be a string");
        }
        value.as_str()
    }

    fn whole(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = fields.get(name)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(&at(place, name), format!("must be a whole number, {least} to {most}"));
        }
        number
    }

    fn path(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Path> {
        let text = self.string(fields, name, place)?;
        Path::parse(text).map_err(|why| self.wrong(&at(place, name), why)).ok()
    }

    /// A number, or, in the field with `Path` behind its name, where to find it.
    fn number(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Number> {
        let by_path = format!("{name}Path");
        if fields.contains_key(name) && fields.contains_key(&by_path) {
            self.wrong(&at(place, name), format!("stands beside {by_path}: only one is possible"));
        }
        let value = self.whole(fields, name, place, range).map(Number::Value);
        value.or_else(|| self.path(fields, &by_path, place).map(Number::Path))
    }

    fn text(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Text> {
        let by_path = format!("{name}Path");
        if fields.contains_key(name) && fields.contains_key(&by_path) {
            self.wrong(&at(place, name), format!("stands beside {by_path}: only one is possible"));
        }
        if let Some(text) = self.string(fields, name, place) {
            return Some(Text::Value(text.to_owned()));
        }
        let text = self.string(fields, &by_path, place)?;
        let parsed = Expression::parse(text).map_err(|why| self.wrong(&at(place, &by_path), why));
        parsed.ok().map(Text::Computed)
    }

    fn template(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Template> {
        let value = fields.get(name)?;
        let mut wrong = |place: &str, why: String| self.wrong(place, why);
        Some(Template::parse(value, &at(place, name), &mut wrong))
    }

    fn data_path(&mut self, fields: &Fields, name: &str, place: &str) -> Option<Path> {
        match fields.get(name) {
            Some(Value::Null) => None,
            Some(_) => self.path(fields, name, place),
            None => Path::parse("$").ok(),
        }
    }

    fn result_path(&mut self, fields: &Fields, place: &str) -> ResultPath {
        match fields.get("ResultPath") {
            None => ResultPath::default(),
            Some(Value::Null) => ResultPath(None),
            Some(_) => {
                let text = self.string(fields, "ResultPath", place);
                let path = text.map(ReferencePath::parse).and_then(|path| {
                    path.map_err(|why| self.wrong(&at(place, "ResultPath"), why)).ok()
                });
                ResultPath(path)
            }
        }
    }

    fn machine(&mut self, value: &Value, place: &str, is_top: bool) -> Option<Machine> {
        let fields = self.fields(value, place)?;
        let known: &[&str] = if is_top {
            &["Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"]
        } else {
            &["Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage"]
        };
        self.only(fields, known, place);
        self.query_language(fields, place);
        if let Some(version) = fields.get("Version").filter(|v| v.as_str() != Some("1.0")) {
            self.wrong(&at(place, "Version"), format!("is {version}, and must be \"1.0\""));
        }
        if let Some(config) = fields.get("ProcessorConfig") {
            let mode = config.get("Mode").and_then(Value::as_str).unwrap_or("INLINE");
            if mode != "INLINE" {
                let message = "is not supported: use an inline Map, with Mode INLINE";
                self.wrong(&at(place, "ProcessorConfig.Mode"), format!("{mode} {message}"));
            }
        }
        let comment = self.string(fields, "Comment", place).map(str::to_owned);
        let timeout_seconds = self.whole(fields, "TimeoutSeconds", place, 1..=MAX_SECONDS);
        let start_at = self.required(fields, "StartAt", place);
        let states_place = at(place, "States");
        let Some(value) = fields.get("States") else {
            self.wrong(&states_place, "is missing");
            return None;
        };
        let raw = self.fields(value, &states_place)?;
        if raw.is_empty() {
            self.wrong(&states_place, "is empty");
        }
        let mut states = BTreeMap::new();
        for (name, value) in raw {
            let place = at(&states_place, name);
            if name.is_empty() || name.chars().count() > MAX_NAME {
                self.wrong(&place, format!("a state's name has 1 to {MAX_NAME} characters"));
            }
            if let Some(state) = self.state(value, &place) {
                states.insert(name.clone(), state);
            }
        }
        let start_at = start_at?;
        if !raw.contains_key(start_at) {
            self.wrong(&at(place, "StartAt"), format!("there is no state {start_at:?}"));
        }
        self.check_edges(start_at, raw, &states_place);
        Some(Machine { comment, start_at: start_at.to_owned(), states, timeout_seconds })
    }

    fn query_language(&mut self, fields: &Fields, place: &str) {
        let language = self.string(fields, "QueryLanguage", place).unwrap_or("JSONPath");
        if language != "JSONPath" {
            let message = format!("{language} is not supported: use JSONPath");
            self.wrong(&at(place, "QueryLanguage"), message);
        }
    }

    fn required<'a>(&mut self, fields: &'a Fields, name: &str, place: &str) -> Option<&'a str> {
        if !fields.contains_key(name) {
            self.wrong(&at(place, name), "is missing");
        }
        self.string(fields, name, place)
    }

    /// Every state that is named has to be there, and every one that is there has to
    /// be reached: whether or not the states themselves are right.
    fn check_edges(&mut self, start_at: &str, states: &Fields, place: &str) {
        let mut reached = vec![start_at];
        let mut at_state = 0;
        while let Some(&name) = reached.get(at_state) {
            at_state += 1;
            for (_, next) in states.get(name).map(targets).unwrap_or_default() {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        for (name, state) in states {
            for (field, next) in targets(state) {
                if !states.contains_key(next) {
                    let place = format!("{place}.{name}.{field}");
                    self.wrong(&place, format!("there is no state {next:?}"));
                }
            }
            if states.contains_key(start_at) && !reached.contains(&name.as_str()) {
                self.wrong(&at(place, name), "is never reached");
            }
        }
    }

    fn state(&mut self, value: &Value, place: &str) -> Option<State> {
        let fields = self.fields(value, place)?;
        self.query_language(fields, place);
        let kind_name = self.required(fields, "Type", place)?;
        let kind = self.kind(kind_name, fields, place)?;
        let next = self.string(fields, "Next", place).map(str::to_owned);
        let ends = match fields.get("End") {
            Some(Value::Bool(ends)) => *ends,
            Some(_) => {
                self.wrong(&at(place, "End"), "must be true or false");
                false
            }
            None => false,
        };
        match kind {
            Kind::Choice { .. } | Kind::Succeed | Kind::Fail { .. } => {
                for name in ["Next", "End"].iter().filter(|name| fields.contains_key(**name)) {
                    self.wrong(&at(place, name), format!("a {kind_name} has none"));
                }
            }
            _ if next.is_some() == ends => {
                self.wrong(place, "needs Next or \"End\": true, one of the two");
            }
            _ => {}
        }
        if matches!(kind, Kind::Fail { .. }) {
            for name in ["InputPath", "OutputPath"] {
                if fields.contains_key(name) {
                    self.wrong(&at(place, name), "a Fail has none");
                }
            }
        }
        Some(State {
            input_path: self.data_path(fields, "InputPath", place),
            output_path: self.data_path(fields, "OutputPath", place),
            next,
            kind,
        })
    }

    fn known(&mut self, fields: &Fields, more: &[&str], place: &str) {
        let known: Vec<&str> = COMMON.iter().chain(more).copied().collect();
        self.only(fields, &known, place);
    }

    fn kind(&mut self, kind: &str, fields: &Fields, place: &str) -> Option<Kind> {
        Some(match kind {
            "Task" => self.task(fields, place)?,
            "Pass" => {
                self.known(fields, &["Result", "Parameters", "ResultPath"], place);
                Kind::Pass {
                    result: fields.get("Result").cloned(),
                    parameters: self.template(fields, "Parameters", place),
                    result_path: self.result_path(fields, place),
                }
            }
            "Choice" => self.choice(fields, place)?,
            "Wait" => self.wait(fields, place)?,
            "Parallel" => self.parallel(fields, place)?,
            "Map" => self.map(fields, place)?,
            "Succeed" => {
                self.known(fields, &[], place);
                Kind::Succeed
            }
            "Fail" => {
                self.known(fields, &["Error", "ErrorPath", "Cause", "CausePath"], place);
                let error = self.text(fields, "Error", place);
                Kind::Fail { error, cause: self.text(fields, "Cause", place) }
            }
            other => {
                let message = format!(
                    "{other:?} is none of Task, Pass, Choice, Wait, Parallel, Map, Succeed, Fail"
                );
                self.wrong(&at(place, "Type"), message);
                return None;
            }
        })
    }

    fn task(&mut self, fields: &Fields, place: &str) -> Option<Kind> {
        let known = [
            "Resource",
            "Parameters",
            "ResultSelector",
            "ResultPath",
            "Retry",
            "Catch",
            "TimeoutSeconds",
            "TimeoutSecondsPath",
            "HeartbeatSeconds",
            "HeartbeatSecondsPath",
            "Credentials",
        ];
        self.known(fields, &known, place);
        let resource = self.required(fields, "Resource", place);
        let timeout = self.number(fields, "TimeoutSeconds", place, 1..=MAX_SECONDS);
        let heartbeat = self.number(fields, "HeartbeatSeconds", place, 1..=MAX_SECONDS);
        if let (Some(Number::Value(timeout)), Some(Number::Value(heartbeat))) =
            (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            self.wrong(&at(place, "HeartbeatSeconds"), "must be less than TimeoutSeconds");
        }
        let work = self.work(fields, "Parameters", place);
        let resource = resource?.to_owned();
        Some(Kind::Task(Box::new(Task { resource, timeout, heartbeat, work })))
    }

    fn work(&mut self, fields: &Fields, parameters: &str, place: &str) -> Work {
        Work {
            parameters: self.template(fields, parameters, place),
            result_selector: self.template(fields, "ResultSelector", place),
            result_path: self.result_path(fields, place),
            retry: self.list(fields, "Retry", place, Self::retrier),
            catch: self.list(fields, "Catch", place, Self::catcher),
        }
    }

    fn list<T>(
        &mut self,
        fields: &Fields,
        name: &str,
        place: &str,
        read: fn(&mut Self, &Fields, &str) -> Option<T>,
    ) -> Vec<T> {
        let place = at(place, name);
        let items = match fields.get(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.wrong(&place, "must be a list");
                return Vec::new();
            }
        };
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = format!("{place}[{index}]");
            if let Some(fields) = self.fields(item, &place) {
                let names_all = fields
                    .get("ErrorEquals")
                    .and_then(Value::as_array)
                    .is_some_and(|names| names.iter().any(|name| name == ALL));
                if names_all && index + 1 < items.len() {
                    self.wrong(&place, "States.ALL must come last");
                }
                out.extend(read(self, fields, &place));
            }
        }
        out
    }

    fn errors(&mut self, fields: &Fields, place: &str) -> Vec<String> {
        let place = at(place, "ErrorEquals");
        let Some(Value::Array(names)) = fields.get("ErrorEquals") else {
            self.wrong(&place, "must be a list of error names");
            return Vec::new();
        };
        let errors: Vec<String> =
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if errors.is_empty() || errors.len() < names.len() {
            self.wrong(&place, "must be a list of error names");
        }
        if errors.len() > 1 && errors.iter().any(|name| name == ALL) {
            self.wrong(&place, "States.ALL must stand alone");
        }
        errors
    }

    fn retrier(&mut self, fields: &Fields, place: &str) -> Option<Retrier> {
        let known = [
            "ErrorEquals",
            "IntervalSeconds",
            "MaxAttempts",
            "BackoffRate",
            "MaxDelaySeconds",
            "JitterStrategy",
            "Comment",
        ];
        self.only(fields, &known, place);
        let errors = self.errors(fields, place);
        let interval_seconds = self.whole(fields, "IntervalSeconds", place, 1..=MAX_SECONDS);
        let interval_seconds = interval_seconds.unwrap_or(1);
        let max_delay_seconds = self.whole(fields, "MaxDelaySeconds", place, 1..=31_622_400);
        if max_delay_seconds.is_some_and(|most| most <= interval_seconds) {
            self.wrong(&at(place, "MaxDelaySeconds"), "must be more than IntervalSeconds");
        }
        let backoff_rate = match fields.get("BackoffRate") {
            None => 2.0,
            Some(value) => value.as_f64().filter(|rate| *rate >= 1.0).unwrap_or_else(|| {
                self.wrong(&at(place, "BackoffRate"), "must be a number of at least 1");
                2.0
            }),
        };
        let jitter = match self.string(fields, "JitterStrategy", place) {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(_) => {
                self.wrong(&at(place, "JitterStrategy"), "must be NONE or FULL");
                false
            }
        };
        let max_attempts = self.whole(fields, "MaxAttempts", place, 0..=MAX_SECONDS).unwrap_or(3);
        Some(Retrier {
            errors,
            interval_seconds,
            max_attempts,
            backoff_rate,
            max_delay_seconds,
            jitter,
        })
    }

    fn catcher(&mut self, fields: &Fields, place: &str) -> Option<Catcher> {
        self.only(fields, &["ErrorEquals", "ResultPath", "Next", "Comment"], place);
        let errors = self.errors(fields, place);
        let result_path = self.result_path(fields, place);
        let next = self.required(fields, "Next", place)?.to_owned();
        Some(Catcher { errors, result_path, next })
    }

    fn choice(&mut self, fields: &Fields, place: &str) -> Option<Kind> {
        self.known(fields, &["Choices", "Default"], place);
        let default = self.string(fields, "Default", place).map(str::to_owned);
        let place = at(place, "Choices");
        let Some(Value::Array(choices)) =
            fields.get("Choices").filter(|c| *c != &Value::Array(vec![]))
        else {
            self.wrong(&place, "must be a list of rules");
            return None;
        };
        let mut rules = Vec::new();
        for (index, choice) in choices.iter().enumerate() {
            let place = format!("{place}[{index}]");
            let Some(fields) = self.fields(choice, &place) else { continue };
            let next = self.required(fields, "Next", &place).map(str::to_owned);
            let rule = self.rule(fields, &place, true);
            rules.extend(rule.zip(next));
        }
        Some(Kind::Choice { rules, default })
    }

    fn rule(&mut self, fields: &Fields, place: &str, is_top: bool) -> Option<Rule> {
        let mut operators = fields
            .keys()
            .map(String::as_str)
            .filter(|name| !(matches!(*name, "Variable" | "Comment") || is_top && *name == "Next"));
        let (operator, more) = (operators.next(), operators.next());
        let Some(operator) = operator.filter(|_| more.is_none()) else {
            self.wrong(place, "needs one comparison operator, And, Or or Not");
            return None;
        };
        let place_of = at(place, operator);
        let operand = fields.get(operator)?;
        match operator {
            "And" | "Or" => {
                let Some(items) = operand.as_array().filter(|items| !items.is_empty()) else {
                    self.wrong(&place_of, "must be a list of rules");
                    return None;
                };
                let mut rules = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let place = format!("{place_of}[{index}]");
                    let fields = self.fields(item, &place);
                    rules.extend(fields.and_then(|fields| self.rule(fields, &place, false)));
                }
                Some(if operator == "And" { Rule::And(rules) } else { Rule::Or(rules) })
            }
            "Not" => {
                let fields = self.fields(operand, &place_of)?;
                Some(Rule::Not(Box::new(self.rule(fields, &place_of, false)?)))
            }
            _ => {
                if !fields.contains_key("Variable") {
                    self.wrong(&at(place, "Variable"), "is missing");
                }
                let variable = self.path(fields, "Variable", place);
                let test = match Test::parse(operator, operand) {
                    Some(test) => test.map_err(|why| self.wrong(&place_of, why)).ok(),
                    None => {
                        self.wrong(&place_of, "is not a comparison operator");
                        None
                    }
                };
                Some(Rule::Test { variable: variable?, test: test? })
            }
        }
    }

    fn wait(&mut self, fields: &Fields, place: &str) -> Option<Kind> {
        let ways = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        self.known(fields, &ways, place);
        if ways.iter().filter(|way| fields.contains_key(**way)).count() != 1 {
            self.wrong(place, format!("needs one of {}", ways.join(", ")));
            return None;
        }
        if let Some(seconds) = self.number(fields, "Seconds", place, 0..=MAX_SECONDS) {
            return Some(Kind::Wait(Wait::Seconds(seconds)));
        }
        let time = self.text(fields, "Timestamp", place)?;
        if let Text::Value(text) = &time
            && crate::choice::timestamp(text).is_none()
        {
            let message = "must be a time as 2026-03-14T01:59:00Z";
            self.wrong(&at(place, "Timestamp"), message);
        }
        Some(Kind::Wait(Wait::Timestamp(time)))
    }

    fn parallel(&mut self, fields: &Fields, place: &str) -> Option<Kind> {
        let known = ["Branches", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"];
        self.known(fields, &known, place);
        let work = Box::new(self.work(fields, "Parameters", place));
        let branches_place = at(place, "Branches");
        let Some(Value::Array(raw)) =
            fields.get("Branches").filter(|b| *b != &Value::Array(vec![]))
        else {
            self.wrong(&branches_place, "must be a list of state machines");
            return None;
        };
        let mut branches = Vec::with_capacity(raw.len());
        for (index, branch) in raw.iter().enumerate() {
            branches.extend(self.machine(branch, &format!("{branches_place}[{index}]"), false));
        }
        Some(Kind::Parallel { branches, work })
    }

    fn map(&mut self, fields: &Fields, place: &str) -> Option<Kind> {
        let known = [
            "ItemsPath",
            "ItemSelector",
            "Parameters",
            "ItemProcessor",
            "Iterator",
            "MaxConcurrency",
            "MaxConcurrencyPath",
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            "ResultSelector",
            "ResultPath",
            "Retry",
            "Catch",
        ];
        self.known(fields, &known, place);
        for (new, old) in [("ItemProcessor", "Iterator"), ("ItemSelector", "Parameters")] {
            if fields.contains_key(new) && fields.contains_key(old) {
                self.wrong(&at(place, old), format!("stands beside {new}: only one is possible"));
            }
        }
        let pick = |new, old| if fields.contains_key(old) { old } else { new };
        let work = self.work(fields, pick("ItemSelector", "Parameters"), place);
        let processor_name = pick("ItemProcessor", "Iterator");
        let Some(processor) = fields.get(processor_name) else {
            self.wrong(&at(place, processor_name), "is missing");
            return None;
        };
        let processor = self.machine(processor, &at(place, processor_name), false);
        let zero = || Number::Value(0);
        let most = self.number(fields, "MaxConcurrency", place, 0..=MAX_SECONDS);
        let count = self.number(fields, "ToleratedFailureCount", place, 0..=MAX_SECONDS);
        let share = self.number(fields, "ToleratedFailurePercentage", place, 0..=100);
        Some(Kind::Map(Box::new(MapState {
            items_path: self.data_path(fields, "ItemsPath", place),
            processor: processor?,
            max_concurrency: most.unwrap_or_else(zero),
            tolerated: (count.unwrap_or_else(zero), share.unwrap_or_else(zero)),
            work,
        })))
    }
}

/// Where a state may go on, with the field that says so.
fn targets(state: &Value) -> Vec<(String, &str)> {
    let mut out: Vec<(String, &str)> = Vec::new();
    for name in ["Next", "Default"] {
        out.extend(state.get(name).and_then(Value::as_str).map(|next| (name.to_owned(), next)));
    }
    for list in ["Choices", "Catch"] {
        let items = state.get(list).and_then(Value::as_array).map(Vec::as_slice);
        for (index, item) in items.unwrap_or_default().iter().enumerate() {
            let next = item.get("Next").and_then(Value::as_str);
            out.extend(next.map(|next| (format!("{list}[{index}].Next"), next)));
        }
    }
    out
}
