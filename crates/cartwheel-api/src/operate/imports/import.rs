//! The state of an import. Pure: the caller brings the time and does the work.

use cartwheel_workflow::Progress;

use crate::operate::views::import::{ImportContent, ImportProgress, ImportState, ImportView};
use crate::operate::views::import_mapping::ImportMapping;
use crate::operate::views::import_preview::{ImportPreview, ImportResult};

/// An import from its upload to its end.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) id: String,
    pub(super) kind: ImportContent,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) state: ImportState,
    pub(super) mapping: ImportMapping,
    preview: Option<ImportPreview>,
    step: Option<Step>,
    result: Option<ImportResult>,
    error: Option<String>,
    /// When the state has changed, UTC milliseconds.
    pub(super) changed_ms: i64,
}

/// A step and its pace.
#[derive(Debug)]
struct Step {
    now: Progress,
    began_ms: i64,
}

impl Import {
    /// An import whose file begins to arrive.
    pub(super) fn new(id: String, kind: ImportContent, name: String, now_ms: i64) -> Self {
        Self {
            id,
            kind,
            name,
            bytes: 0,
            state: ImportState::Uploading,
            mapping: ImportMapping::default(),
            preview: None,
            step: None,
            result: None,
            error: None,
            changed_ms: now_ms,
        }
    }

    /// Whether another upload has to wait for this import.
    pub(super) fn is_open(&self) -> bool {
        !self.is_over()
    }

    /// Whether the import has ended; a failed one can be tried again.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, ImportState::Done | ImportState::Failed)
    }

    /// Whether nothing is going on.
    pub(super) fn is_idle(&self) -> bool {
        self.is_over() || self.state == ImportState::Ready
    }

    /// Takes the progress of the current step.
    pub(super) fn progress(&mut self, now: Progress, now_ms: i64) {
        match &mut self.step {
            Some(step) if step.now.what == now.what => step.now = now,
            step => *step = Some(Step { now, began_ms: now_ms }),
        }
    }

    /// The whole file has arrived.
    pub(super) fn arrived(&mut self, now_ms: i64) {
        self.enter(ImportState::Ready, now_ms);
    }

    /// Begins to read the file with a mapping.
    ///
    /// # Errors
    /// When the file has not arrived, or something is going on.
    pub(super) fn read(&mut self, mapping: ImportMapping, now_ms: i64) -> Result<(), String> {
        match self.state {
            ImportState::Ready | ImportState::Failed => {}
            state => return Err(refusal(state)),
        }
        self.mapping = mapping;
        self.enter(ImportState::Reading, now_ms);
        Ok(())
    }

    /// Takes what was found in the file.
    pub(super) fn found(&mut self, found: Result<ImportPreview, String>, now_ms: i64) {
        match found {
            Ok(preview) => {
                self.preview = Some(preview);
                self.enter(ImportState::Ready, now_ms);
            }
            Err(error) => {
                self.preview = None;
                self.fail(error, now_ms);
            }
        }
    }

    /// Begins to import.
    ///
    /// # Errors
    /// When the file is not understood, or something is going on.
    pub(super) fn start(&mut self, now_ms: i64) -> Result<(), String> {
        if !matches!(self.state, ImportState::Ready | ImportState::Failed) {
            return Err(refusal(self.state));
        }
        let preview = self.preview.as_ref();
        let unread = "The file cannot be read: correct its mapping, or discard the import.";
        let preview = preview.ok_or_else(|| unread.to_owned())?;
        if let Some(problem) = &preview.problem {
            return Err(format!("The file is not understood: {problem}. Correct its mapping."));
        }
        self.enter(ImportState::Importing, now_ms);
        Ok(())
    }

    /// Takes the result of the import.
    pub(super) fn ended(&mut self, ended: Result<ImportResult, String>, now_ms: i64) {
        match ended {
            Ok(result) => {
                self.result = Some(result);
                self.enter(ImportState::Done, now_ms);
            }
            Err(error) => self.fail(error, now_ms),
        }
    }

    fn fail(&mut self, error: String, now_ms: i64) {
        self.enter(ImportState::Failed, now_ms);
        self.error = Some(error);
    }

    fn enter(&mut self, state: ImportState, now_ms: i64) {
        (self.state, self.changed_ms) = (state, now_ms);
        (self.step, self.error) = (None, None);
    }

    /// The import as clients see it.
    pub(super) fn view(&self, fields: Vec<String>, now_ms: i64) -> ImportView {
        let progress = self.step.as_ref().map(|step| self.progress_view(step, now_ms));
        ImportView {
            import_id: self.id.clone(),
            kind: self.kind,
            name: self.name.clone(),
            bytes: self.bytes,
            state: self.state,
            fields,
            mapping: self.mapping.clone(),
            preview: self.preview.clone(),
            progress,
            result: self.result.clone(),
            error: self.error.clone(),
            changed_ms: self.changed_ms,
        }
    }

    fn progress_view(&self, step: &Step, now_ms: i64) -> ImportProgress {
        let Progress { what, done, total } = &step.now;
        let seconds = (now_ms - step.began_ms) as f64 / 1_000.0;
        let per_second = (seconds > 0.0 && *done > 0).then(|| *done as f64 / seconds);
        let left = total.zip(per_second).map(|(total, rate)| {
            let left = total.saturating_sub(*done) as f64 / rate;
            left.ceil() as u64
        });
        // Rows lie evenly in a file, nearly.
        let is_read = self.state == ImportState::Importing && what == READING;
        let rows = self.preview.as_ref().filter(|_| is_read).zip(total.filter(|total| *total > 0));
        let rows = rows.map(|(preview, total)| {
            (u128::from(preview.rows) * u128::from(*done) / u128::from(total)) as u64
        });
        ImportProgress {
            step: what.clone(),
            done: *done,
            total: *total,
            rows,
            per_second,
            seconds_left: left,
        }
    }
}

/// The name of the step that reads the file.
const READING: &str = "reading";

/// Why an import in this state can neither be read nor started.
fn refusal(state: ImportState) -> String {
    match state {
        ImportState::Uploading => "The file has not arrived yet.",
        ImportState::Reading => "The file is being read: wait until it is ready.",
        ImportState::Importing => "The import is running: wait until it ends.",
        ImportState::Done => "The import is complete: upload the file again to import it again.",
        ImportState::Ready | ImportState::Failed => "The import cannot be started.",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(problem: Option<&str>) -> ImportPreview {
        let problem = problem.map(str::to_owned);
        ImportPreview { problem, rows: 1_000, ..ImportPreview::default() }
    }

    fn read(found: Result<ImportPreview, String>) -> Import {
        let kind = ImportContent::Orders;
        let mut import = Import::new("i".to_owned(), kind, "orders.csv".to_owned(), 0);
        assert!(import.read(ImportMapping::default(), 5).unwrap_err().contains("not arrived"));
        import.arrived(10);
        import.read(ImportMapping::default(), 15).unwrap();
        import.found(found, 20);
        import
    }

    #[test]
    fn only_a_file_that_is_understood_can_be_started() {
        let mut import = read(Err("it is UTF-16".to_owned()));
        assert!(import.start(30).unwrap_err().contains("cannot be read"));
        import.read(ImportMapping::default(), 30).unwrap();
        assert!(import.start(31).unwrap_err().contains("being read"));
        import.found(Ok(preview(Some("no column is recognised as the time"))), 40);
        assert!(import.start(50).unwrap_err().contains("as the time"));
        import.read(ImportMapping::default(), 60).unwrap();
        import.found(Ok(preview(None)), 70);
        import.start(80).unwrap();
        assert!(import.start(90).is_err() && import.read(ImportMapping::default(), 90).is_err());
        import.ended(Err("the disk is full".to_owned()), 100);
        assert!(import.is_over() && import.view(Vec::new(), 100).error.is_some());
        import.start(110).unwrap();
        import.ended(Ok(ImportResult::default()), 120);
        assert_eq!(import.state, ImportState::Done);
        assert!(import.start(130).unwrap_err().contains("upload the file again"));
    }

    #[test]
    fn the_pace_of_a_step_tells_the_time_left() {
        let mut import = read(Ok(preview(None)));
        import.start(1_000).unwrap();
        let step = |what: &str, done| Progress { what: what.to_owned(), done, total: Some(400) };
        import.progress(step("reading", 0), 1_000);
        import.progress(step("reading", 100), 3_000);
        let progress = import.view(Vec::new(), 3_000).progress.unwrap();
        assert_eq!((progress.per_second, progress.seconds_left), (Some(50.0), Some(6)));
        assert_eq!(progress.rows, Some(250));
        import.progress(step("writing", 0), 9_000);
        let progress = import.view(Vec::new(), 9_000).progress.unwrap();
        assert_eq!((progress.per_second, progress.seconds_left, progress.rows), (None, None, None));
    }
}
