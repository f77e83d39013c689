//! The names in the made-up rows.

/// A function that handles the changes of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    /// First word of its events.
    pub(crate) entity: &'static str,
    pub(crate) source_type: &'static str,
}

const fn function(name: &'static str, table: &'static str, entity: &'static str, of: &'static str) -> Function {
    Function { name, table, entity, source_type: of }
}

/// Busiest first.
pub(crate) const FUNCTIONS: [Function; 12] = [
    function("event-detector-moves", "public.moves", "move", "database"),
    function("event-detector-rides", "public.rides", "ride", "database"),
    function("event-detector-users", "public.users", "user", "database"),
    function("event-detector-invoices", "public.invoices", "invoice", "database"),
    function("event-detector-lanes", "public.lanes", "lane", "database"),
    function("event-detector-plans", "public.plans", "plan", "database"),
    function("event-detector-messages", "public.messages", "message", "database"),
    function("payments-webhook", "public.payments", "payment", "webhook"),
    function("event-detector-vehicles", "public.vehicles", "vehicle", "database"),
    function("nightly-reconciliation", "public.ledger", "ledger", "cron"),
    function("event-detector-locations", "public.locations", "location", "database"),
    function("refund-action", "public.refunds", "refund", "action"),
];

/// What can happen to an entity: the modules that every invocation asks.
pub(crate) const HAPPENINGS: [&str; super::rows::EVENTS] = [
    "created",
    "updated",
    "assigned",
    "pickup.started",
    "pickup.successful",
    "delivery.started",
    "delivery.successful",
    "cancel.pending",
    "canceled",
    "price.changed",
    "sla.changed",
    "driver.changed",
    "archived",
    "deleted",
];

pub(crate) const JOBS: [&str; 16] = [
    "sendNotification",
    "updateAnalytics",
    "reapplySlaDuration",
    "recalculatePrice",
    "createInvoice",
    "syncToCrm",
    "chargeCard",
    "assignDriver",
    "refreshDashboard",
    "writeAuditTrail",
    "notifySlack",
    "archiveDocuments",
    "updateSearchIndex",
    "rebuildRoute",
    "requestRating",
    "closeTicket",
];

pub(crate) const SYSTEMS: [&str; 4] = ["event-handlers", "moves", "billing", "mobile-app"];

pub(crate) const ROLES: [&str; 4] = ["driver", "dispatcher", "customer", "admin"];

pub(crate) const ERRORS: [&str; 6] = [
    "the notification service refused the connection",
    "timeout of 10000 ms exceeded",
    "duplicate key value violates unique constraint \"invoices_number_key\"",
    "Request failed with status code 502",
    "Cannot read properties of undefined (reading 'customer_id')",
    "card_declined: insufficient funds",
];

/// Filler for free text.
pub(crate) const PROSE: [&str; 24] = [
    "gate",
    "code",
    "4711",
    "call",
    "before",
    "arrival",
    "leave",
    "keys",
    "at",
    "the",
    "front",
    "desk",
    "Müller",
    "\"fragile\"",
    "second",
    "floor",
    "left\nside",
    "after",
    "18:00",
    "only",
    "ask",
    "for",
    "Zoë",
    "please",
];

/// Different people.
pub(crate) const USERS: usize = 400;

/// The address of a person.
pub(crate) fn email(user: usize) -> String {
    const NAMES: [&str; 20] = [
        "ada", "ben", "carla", "dmitri", "elif", "farid", "grace", "hugo", "ines", "jonas", "kim", "lena", "marc",
        "nora", "omar", "petra", "quinn", "rosa", "sven", "tara",
    ];
    format!("{}.{}@company.com", NAMES[user % NAMES.len()], NAMES[user / NAMES.len() % NAMES.len()])
}
