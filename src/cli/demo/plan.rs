//! The sample work of the demo as data: the same seed plans the same chains in the same order.

use fastrand::Rng;

/// One call of a function, with everything that it will cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The function, such as `event-detector-moves`.
    pub(super) function: &'static str,
    /// The table whose change calls it.
    pub(super) table: &'static str,
    /// INSERT, UPDATE or DELETE.
    pub(super) operation: &'static str,
    /// Who changed the row: a person's address, or a system's name.
    pub(super) actor: &'static str,
    /// The row's id.
    pub(super) row: u32,
    /// The `status` column before and after.
    pub(super) status: (&'static str, &'static str),
    /// Event modules that will not apply.
    pub(super) undetected: Vec<&'static str>,
    /// Event modules that will.
    pub(super) detected: Vec<Detected>,
    /// Whether the writer is killed before it can finish.
    pub(super) killed: bool,
}

/// An event module that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detected {
    /// Its name.
    pub(super) name: &'static str,
    /// Time of the detector.
    pub(super) detection_ms: u32,
    /// What its handler does.
    pub(super) handler: Result<Vec<Work>, &'static str>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Its name.
    pub(super) name: &'static str,
    /// How long it takes.
    pub(super) ms: u32,
    /// How it ends.
    pub(super) end: End,
    /// What its writes cause.
    pub(super) causes: Option<Box<Call>>,
}

/// How a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Well.
    Ok,
    /// With an error: message, and the error beneath it.
    Failed(&'static str, &'static str),
    /// Never.
    Lost,
}

struct Function {
    name: &'static str,
    table: &'static str,
    statuses: &'static [(&'static str, &'static str, &'static str)],
    modules: &'static [&'static str],
    jobs: &'static [&'static str],
}

/// `statuses`: before, after, and the event module that notices.
const FUNCTIONS: &[Function] = &[
    Function {
        name: "event-detector-moves",
        table: "moves",
        statuses: &[
            ("pickup started", "pickup successful", "move.pickup.successful"),
            ("delivery started", "delivery successful", "move.delivery.successful"),
            ("dispatched", "pickup started", "move.pickup.started"),
            ("dispatched", "canceled", "move.cancel.pending"),
        ],
        modules: &[
            "move.assigned",
            "move.cancel.pending",
            "move.delivery.late",
            "move.delivery.successful",
            "move.driver.changed",
            "move.eta.changed",
            "move.lane.changed",
            "move.pickup.late",
            "move.pickup.started",
            "move.pickup.successful",
            "move.ready",
            "move.sla.recalculated",
            "move.unassigned",
        ],
        jobs: &["reapplySlaDuration", "sendNotification", "updateAnalytics", "notifyDispatch", "rebuildLane"],
    },
    Function {
        name: "event-detector-rides",
        table: "rides",
        statuses: &[("requested", "accepted", "ride.accepted"), ("accepted", "completed", "ride.completed")],
        modules: &[
            "ride.accepted",
            "ride.canceled",
            "ride.completed",
            "ride.fare.changed",
            "ride.late",
            "ride.requested",
        ],
        jobs: &["chargeCard", "sendReceipt", "updateDriverPay"],
    },
    Function {
        name: "event-detector-users",
        table: "users",
        statuses: &[("invited", "active", "user.activated"), ("active", "suspended", "user.suspended")],
        modules: &["user.activated", "user.email.changed", "user.role.changed", "user.suspended"],
        jobs: &["syncCrm", "sendWelcomeMail"],
    },
    Function {
        name: "event-detector-lanes",
        table: "lanes",
        statuses: &[("draft", "published", "lane.published"), ("published", "repriced", "lane.repriced")],
        modules: &["lane.archived", "lane.published", "lane.repriced", "lane.stop.added"],
        jobs: &["geocode", "rebuildLane", "recalculatePrice"],
    },
    Function {
        name: "event-detector-analytics",
        table: "facts",
        statuses: &[("new", "aggregated", "fact.recorded")],
        modules: &["fact.late", "fact.recorded"],
        jobs: &["aggregateHour"],
    },
];

const ACTORS: &[&str] = &[
    "driver7@example.com",
    "driver2@example.com",
    "admin@example.com",
    "dispatch@example.com",
    "system:sla",
    "import-bot",
];

const ERRORS: &[(&str, &str)] = &[
    ("21610 Attempt to send to unsubscribed recipient", "HTTP 400 from the message gateway"),
    ("card_declined: insufficient funds", "HTTP 402 from the payment gateway"),
    ("geocoder timed out after 10000 ms", "connection reset by peer"),
    ("deadlock detected", "process 4711 waits for ShareLock on transaction 98213"),
];

/// The `depth`th call of a chain.
pub(super) fn call(rng: &mut Rng, depth: u32) -> Call {
    // The first call is of any function; what a job causes is mostly bookkeeping.
    let function = match (depth, rng.u32(0..10)) {
        (0, 0..5) => &FUNCTIONS[0],
        (0, 5..8) => &FUNCTIONS[1],
        (0, 8) => &FUNCTIONS[2],
        (0, _) => &FUNCTIONS[3],
        (1.., 0..4) => &FUNCTIONS[4],
        (1.., 4..7) => &FUNCTIONS[3],
        (1.., _) => &FUNCTIONS[0],
    };
    let (before, after, event) = function.statuses[rng.usize(0..function.statuses.len())];
    let inserted = rng.u32(0..8) == 0;
    // A quarter of all changes interests nobody.
    let quiet = depth == 0 && rng.u32(0..4) == 0;
    let detected = if quiet { Vec::new() } else { vec![detected(rng, event, function, depth)] };
    let undetected = function.modules.iter().copied().filter(|module| quiet || *module != event).collect();
    Call {
        function: function.name,
        table: function.table,
        operation: if inserted { "INSERT" } else { "UPDATE" },
        actor: ACTORS[rng.usize(0..ACTORS.len())],
        row: rng.u32(1..10_000),
        status: (before, after),
        undetected,
        detected,
        killed: !quiet && rng.u32(0..90) == 0,
    }
}

fn detected(rng: &mut Rng, name: &'static str, function: &Function, depth: u32) -> Detected {
    let detection_ms = rng.u32(2..40);
    if rng.u32(0..60) == 0 {
        return Detected { name, detection_ms, handler: Err("cannot read properties of undefined: `lane`") };
    }
    let count = rng.usize(1..=function.jobs.len().min(3));
    let first = rng.usize(0..function.jobs.len());
    let jobs = (0..count).map(|n| work(rng, function.jobs[(first + n) % function.jobs.len()], depth)).collect();
    Detected { name, detection_ms, handler: Ok(jobs) }
}

fn work(rng: &mut Rng, name: &'static str, depth: u32) -> Work {
    // Mostly short, sometimes long: the product of two even numbers leans to the left.
    let ms = 20 + rng.u32(0..70) * rng.u32(1..60);
    let end = match rng.u32(0..100) {
        0..6 => {
            let (message, cause) = ERRORS[rng.usize(0..ERRORS.len())];
            End::Failed(message, cause)
        }
        6 => End::Lost,
        _ => End::Ok,
    };
    let spreads = end == End::Ok && depth < 4 && rng.u32(0..10) < 3;
    let causes = spreads.then(|| Box::new(call(rng, depth + 1)));
    Work { name, ms, end, causes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(call: &Call) -> Vec<&Work> {
        let own: Vec<_> = call.detected.iter().filter_map(|event| event.handler.as_ref().ok()).flatten().collect();
        let below = own.iter().filter_map(|work| work.causes.as_deref()).flat_map(jobs);
        own.iter().copied().chain(below).collect()
    }

    #[test]
    fn a_seed_repeats_itself() {
        let chains = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..50).map(|_| call(&mut rng, 0)).collect::<Vec<_>>()
        };
        assert_eq!(chains(7), chains(7));
        assert_ne!(chains(7), chains(8));
    }

    #[test]
    fn every_kind_of_trouble_occurs() {
        let mut rng = Rng::with_seed(7);
        let chains: Vec<_> = (0..400).map(|_| call(&mut rng, 0)).collect();
        let all: Vec<_> = chains.iter().flat_map(jobs).collect();
        assert!(all.iter().any(|job| matches!(job.end, End::Failed(..))));
        assert!(all.iter().any(|job| job.end == End::Lost));
        assert!(all.iter().any(|job| job.causes.is_some()));
        assert!(chains.iter().any(|call| call.killed));
        assert!(chains.iter().any(|call| call.detected.is_empty()));
        assert!(chains.iter().flat_map(|call| &call.detected).any(|event| event.handler.is_err()));
    }
}
