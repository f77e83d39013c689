//! Rows as PostgreSQL's binary COPY wants them.

use fastrand::Rng;
use uuid::Uuid;

use super::rows::{Cascade, Event, Invocation, Job, Outcome};
use super::words::{ERRORS, FUNCTIONS, HAPPENINGS, JOBS, PROSE, ROLES, SYSTEMS, email};

/// What a stream begins with.
pub(crate) const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(crate) const TRAILER: [u8; 2] = [0xff, 0xff];
/// 2000-01-01, from where PostgreSQL counts, in microseconds since the epoch.
const Y2K: i64 = 946_684_800_000_000;

/// One of the three tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Invocations,
    Events,
    Jobs,
}

impl Table {
    /// Parents first.
    pub(crate) const ALL: [Self; 3] = [Self::Invocations, Self::Events, Self::Jobs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invocations => "invocations",
            Self::Events => "event_executions",
            Self::Jobs => "job_executions",
        }
    }

    /// The columns that are written, in order.
    pub(crate) fn columns(self) -> &'static str {
        match self {
            Self::Invocations => {
                "id, created_at, updated_at, correlation_id, source_function, source_table, source_operation, \
                 source_system, source_type, source_job_id, source_event_id, source_event_payload, \
                 source_event_time, source_user_email, source_user_role, total_duration_ms, \
                 events_detected_count, total_jobs_run, total_jobs_succeeded, total_jobs_failed, \
                 auto_load_modules, event_modules_directory, status, error_message, error_stack, context_data"
            }
            Self::Events => {
                "id, invocation_id, created_at, updated_at, correlation_id, event_name, event_module_path, detected, \
                 detection_duration_ms, handler_duration_ms, handler_error, handler_error_stack, jobs_count, \
                 jobs_succeeded, jobs_failed, status"
            }
            Self::Jobs => {
                "id, invocation_id, event_execution_id, created_at, updated_at, correlation_id, job_name, \
                 job_function_name, job_options, duration_ms, status, result, error_message, error_stack"
            }
        }
    }

    /// Appends the rows of a cascade, returns how many.
    pub(crate) fn write(self, cascade: &Cascade, out: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        for row in &cascade.invocations {
            match self {
                Self::Invocations => {
                    invocation(row, out);
                    count += 1;
                }
                Self::Events => {
                    for (nth, one) in row.events.iter().enumerate() {
                        event(row, nth, one, out);
                    }
                    count += row.events.len() as u64;
                }
                Self::Jobs => {
                    for (nth, one) in row.jobs.iter().enumerate() {
                        job(row, nth, one, out);
                    }
                    count += row.jobs.len() as u64;
                }
            }
        }
        count
    }
}

/// The fields of one row.
struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    fn new(out: &'a mut Vec<u8>, columns: i16) -> Self {
        out.extend(columns.to_be_bytes());
        Self(out)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(i32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
        self.0.extend(bytes);
    }

    fn null(&mut self) {
        self.0.extend((-1i32).to_be_bytes());
    }

    fn id(&mut self, id: Uuid) {
        self.bytes(id.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    fn time(&mut self, at: i64) {
        self.bytes(&(at - Y2K).to_be_bytes());
    }

    fn int(&mut self, n: Option<i32>) {
        match n {
            Some(n) => self.bytes(&n.to_be_bytes()),
            None => self.null(),
        }
    }

    fn bool(&mut self, yes: bool) {
        self.bytes(&[u8::from(yes)]);
    }

    fn json(&mut self, json: Option<&str>) {
        let Some(json) = json else { return self.null() };
        self.0.extend(i32::try_from(json.len() + 1).unwrap_or(0).to_be_bytes());
        // The version of the format.
        self.0.push(1);
        self.0.extend(json.as_bytes());
    }
}

/// Work that was killed stays as it was, all other work has been touched when it ended.
fn touched(row: &Invocation, after_ms: i32) -> i64 {
    match row.outcome {
        Outcome::Killed | Outcome::Running => row.at,
        _ => row.at + i64::from(after_ms) * 1000,
    }
}

fn job_status(row: &Invocation, nth: usize) -> &'static str {
    match (row.outcome, nth) {
        (Outcome::Failed | Outcome::HiddenFailure, 1) => "failed",
        (Outcome::Killed | Outcome::Running | Outcome::ForgottenJob, 3) => "running",
        _ => "completed",
    }
}

fn stack(error: &str, seed: u64) -> String {
    let line = seed % 300;
    format!(
        "Error: {error}\n    at run (/var/task/jobs/index.js:{line}:17)\n    at async Promise.all (index {})\n    \
         at async handler (/var/task/events/handler.js:{}:5)",
        seed % 4,
        line + 21
    )
}

fn error(row: &Invocation) -> &'static str {
    ERRORS[usize::try_from(row.seed % ERRORS.len() as u64).unwrap_or(0)]
}

fn invocation(row: &Invocation, out: &mut Vec<u8>) {
    let function = FUNCTIONS[row.function];
    let mut rng = Rng::with_seed(row.seed);
    let (status, jobs_failed, unfinished) = match row.outcome {
        Outcome::Ok | Outcome::CrashedHandler => ("completed", 0, 0),
        Outcome::Failed => ("failed", 1, 0),
        Outcome::HiddenFailure => ("completed", 1, 0),
        Outcome::ForgottenJob => ("completed", 0, 1),
        Outcome::Killed | Outcome::Running => ("running", 0, 0),
    };
    let ended = status != "running";
    let counted = |n: i32| Some(if ended { n } else { 0 });
    let user = email(row.user);
    let detected = i32::try_from(row.events.iter().filter(|event| event.detected).count()).unwrap_or(0);
    // Half of the writers leave the reason to the job.
    let reason = (row.outcome == Outcome::Failed && rng.bool()).then(|| error(row));
    let mut fields = Fields::new(out, 26);
    fields.id(row.id);
    fields.time(row.at);
    fields.time(touched(row, row.took_ms));
    fields.maybe(row.correlation.as_deref());
    fields.text(function.name);
    fields.text(function.table);
    fields.text(row.operation);
    fields.text(SYSTEMS[row.function % SYSTEMS.len()]);
    fields.text(function.source_type);
    match row.parent {
        Some((job, true)) => fields.id(job),
        _ => fields.null(),
    }
    fields.id(Uuid::from_u128(rng.u128(..)));
    fields.json(Some(&payload(row, &user, &mut rng)));
    fields.time(row.at - 40_000);
    fields.text(&user);
    fields.text(ROLES[row.user % ROLES.len()]);
    fields.int(ended.then_some(row.took_ms));
    fields.int(counted(detected));
    fields.int(counted(4));
    fields.int(counted(4 - jobs_failed - unfinished));
    fields.int(counted(jobs_failed));
    fields.bool(true);
    fields.text("events");
    fields.text(status);
    fields.maybe(reason);
    fields.maybe(reason.map(|reason| stack(reason, row.seed)).as_deref());
    fields.json(Some(
        r#"{"region": "us-east-1", "headers": {"user-agent": "hasura/2.36", "authorization": "Bearer x"}}"#,
    ));
}

fn event(row: &Invocation, nth: usize, event: &Event, out: &mut Vec<u8>) {
    let entity = FUNCTIONS[row.function].entity;
    let name = format!("{entity}.{}", HAPPENINGS[nth]);
    let own = |status: &str| {
        let count = (0..row.jobs.len())
            .filter(|&job| row.jobs[job].event == nth && (status.is_empty() || job_status(row, job) == status))
            .count();
        i32::try_from(count).unwrap_or(0)
    };
    let last = row.jobs[3].event == nth;
    let crashed = row.outcome == Outcome::CrashedHandler && last;
    let status = match row.outcome {
        _ if !event.detected => "not_detected",
        Outcome::Running | Outcome::Killed if last => "handling",
        _ if crashed => "detection_failed",
        _ => "completed",
    };
    let mut fields = Fields::new(out, 16);
    fields.id(event.id);
    fields.id(row.id);
    fields.time(row.at + 1000 * (nth as i64));
    fields.time(touched(row, if event.detected { row.took_ms } else { 20 }));
    fields.maybe(row.correlation.as_deref());
    fields.text(&name);
    fields.text(&format!("events/{entity}/{}.js", HAPPENINGS[nth]));
    fields.bool(event.detected);
    fields.int(Some(1 + i32::try_from(row.seed >> nth & 7).unwrap_or(0)));
    fields.int((event.detected && status != "handling").then_some(row.took_ms));
    fields.maybe(crashed.then(|| error(row)));
    fields.maybe(crashed.then(|| stack(error(row), row.seed)).as_deref());
    fields.int(Some(own("")));
    fields.int(Some(own("completed")));
    fields.int(Some(own("failed")));
    fields.text(status);
}

fn job(row: &Invocation, nth: usize, job: &Job, out: &mut Vec<u8>) {
    let status = job_status(row, nth);
    let (name, number) = (JOBS[job.name], row.seed % 1_000_000);
    let ended = job.at + i64::from(job.took_ms) * 1000;
    let mut fields = Fields::new(out, 14);
    fields.id(job.id);
    fields.id(row.id);
    fields.id(row.events[job.event].id);
    fields.time(job.at);
    fields.time(if status == "running" { job.at } else { ended });
    fields.maybe(row.correlation.as_deref());
    fields.text(name);
    fields.text(name);
    let entity = FUNCTIONS[row.function].entity;
    fields.json(Some(&format!(
        r#"{{"{entity}Id": {number}, "retries": {}, "timeoutMs": 10000, "type": "{entity}_changed", "dryRun": false}}"#,
        row.seed % 3
    )));
    fields.int((status != "running").then_some(job.took_ms));
    fields.text(status);
    let result = format!(r#"{{"ok": true, "{entity}Id": {number}, "affected_rows": {}}}"#, row.seed % 5);
    fields.json((status == "completed").then_some(&result));
    let failed = status == "failed";
    fields.maybe(failed.then(|| error(row)));
    fields.maybe(failed.then(|| stack(error(row), row.seed)).as_deref());
}

/// A database event of 1 to 3 kB; one that a job caused carries its token.
fn payload(row: &Invocation, user: &str, rng: &mut Rng) -> String {
    let function = FUNCTIONS[row.function];
    let table = function.table.trim_start_matches("public.");
    let number = rng.u32(1..10_000_000);
    let updated_by = match (&row.parent, &row.correlation) {
        (Some((job, _)), Some(correlation)) => format!("{user}|{correlation}|{job}"),
        (Some((job, _)), None) => format!("{user}|{}|{job}", Uuid::from_u128(rng.u128(..))),
        (None, _) => user.to_owned(),
    };
    let note = {
        let most = rng.usize(200..1_100);
        let mut note = String::with_capacity(most + 12);
        while note.len() < most {
            for c in PROSE[rng.usize(0..PROSE.len())].chars() {
                match c {
                    '"' => note.push_str("\\\""),
                    '\n' => note.push_str("\\n"),
                    c => note.push(c),
                }
            }
            note.push(' ');
        }
        note
    };
    let status = rng.usize(0..HAPPENINGS.len());
    let record = |status: &str, by: &str, price: u32| {
        format!(
            r#"{{"id": {number}, "status": "{status}", "lane_id": {}, "customer_id": {}, "price": {price}.50, "active": true, "updated_by": "{by}", "tags": ["{}", "priority"], "config": {{"sla": {}, "notify": true}}, "notes": "{note}"}}"#,
            number % 977,
            number % 4_001,
            function.entity,
            number % 90,
        )
    };
    let price = rng.u32(10..900);
    let old = if row.operation == "INSERT" { "null".to_owned() } else { record(HAPPENINGS[status], user, price) };
    let next = (status + 1) % HAPPENINGS.len();
    let new = match row.operation {
        "DELETE" => "null".to_owned(),
        _ => record(HAPPENINGS[next], &updated_by, price + 5),
    };
    format!(
        r#"{{"id": "{}", "table": {{"schema": "public", "name": "{table}"}}, "trigger": {{"name": "{}"}}, "event": {{"op": "{}", "data": {{"old": {old}, "new": {new}}}, "session_variables": {{"x-hasura-role": "{}", "x-hasura-user-email": "{user}"}}, "trace_context": {{"trace_id": "{:032x}", "span_id": "{:016x}"}}}}, "delivery_info": {{"max_retries": 3, "current_retry": 0}}}}"#,
        Uuid::from_u128(rng.u128(..)),
        function.name,
        row.operation,
        ROLES[row.user % ROLES.len()],
        rng.u128(..),
        rng.u64(..),
    )
}
