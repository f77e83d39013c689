//! Rows without secrets. Every column stands here by name: a new one does not compile before it is decided on.
//!
//! Names are masked when rows are read, since nothing shows them in clear: what is shown on request is the raw row and the
//! message and fields of a log line, which stay as they are.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::failures::{Failed, JobStat};
use super::super::filter::Known;
use super::super::hourly::Bucket;
use super::super::invocation::{Children, Event, FailedJob, Invocation, Job, JobLog, Listed};
use super::mask_text;

fn hide(text: &mut String) {
    if let (Cow::Owned(masked), _) = mask_text(text) {
        *text = masked;
    }
}

fn hide_shared(text: &mut Arc<str>) {
    if let (Cow::Owned(masked), _) = mask_text(text) {
        *text = masked.into();
    }
}

impl Invocation {
    /// With the secrets in its texts masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self {
            id: _,
            created_at: _,
            updated_at: _,
            correlation_id,
            source_function,
            source_table,
            source_operation,
            source_system,
            source_user_email,
            parent: _,
            total_duration_ms: _,
            status,
            error_message,
            has_error_stack: _,
            delivery: _,
            link_unread: _,
        } = &mut self;
        [source_function, status].into_iter().for_each(hide_shared);
        let others = [correlation_id, source_table, source_operation, source_system, source_user_email, error_message];
        others.into_iter().flatten().for_each(hide_shared);
        self
    }
}

impl Event {
    /// With the secrets in its texts masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self {
            id: _,
            invocation_id: _,
            created_at: _,
            updated_at: _,
            name,
            detected: _,
            detection_duration_ms: _,
            handler_duration_ms: _,
            status,
            error,
        } = &mut self;
        [name, status].into_iter().chain(error).for_each(hide_shared);
        self
    }
}

impl Job {
    /// With the secrets in its texts masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self {
            id: _,
            invocation_id: _,
            event_execution_id: _,
            created_at: _,
            updated_at: _,
            name,
            duration_ms: _,
            status,
            error,
        } = &mut self;
        [name, status].into_iter().chain(error).for_each(hide_shared);
        self
    }
}

impl Listed {
    /// With the secrets in its texts masked.
    #[must_use]
    pub fn hide_secrets(self) -> Self {
        let Self { invocation, mut children } = self;
        let Children {
            events_checked: _,
            events_detected: _,
            events_failed: _,
            more_events: _,
            more_jobs: _,
            events_failed_themselves: _,
            events_unfinished: _,
            jobs_run: _,
            jobs_failed: _,
            jobs_unfinished: _,
            jobs_stuck_themselves: _,
            touched_at: _,
            first_failure,
        } = &mut children;
        if let Some(first) = first_failure {
            let FailedJob { name, error } = &mut **first;
            [name].into_iter().chain(error).for_each(hide_shared);
        }
        Self { invocation: invocation.hide_secrets(), children }
    }
}

impl Failed {
    /// With the secrets in its texts masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self { kind: _, id: _, invocation: _, event: _, name, at: _, error } = &mut self;
        [name, error].into_iter().for_each(hide);
        self
    }
}

impl JobStat {
    /// With the secrets in its name masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self { name, runs: _, failed: _, p50_ms: _, p95_ms: _, slowest: _, last_failed: _, last: _ } = &mut self;
        hide(name);
        self
    }
}

impl Bucket {
    /// With the secrets in its names masked.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self {
            at: _,
            function,
            total: _,
            ok: _,
            failed: _,
            events_detected: _,
            jobs_run: _,
            avg_ms: _,
            max_ms: _,
            p50_ms: _,
            p95_ms: _,
            spread: _,
            failed_jobs,
        } = &mut self;
        hide(function);
        failed_jobs.iter_mut().for_each(|(name, _)| hide(name));
        self
    }
}

impl JobLog {
    /// With the secrets in its names masked; message and data stay, they are masked where they are shown.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self { created_at: _, job_execution_id: _, level, message: _, data: _, source } = &mut self;
        [level].into_iter().chain(source).for_each(hide);
        self
    }
}

impl Known {
    /// Without the names that hold secrets: a filter for a masked one would find nothing.
    #[must_use]
    pub fn hide_secrets(mut self) -> Self {
        let Self { functions, events, jobs, users, tables, systems } = &mut self;
        for names in [functions, events, jobs, users, tables, systems] {
            names.retain(|name| mask_text(name).1 == 0);
        }
        self
    }
}
