//! Which variables of the environment hold secrets of this program.

/// Every variable that the program reads a password, a token or a URL with a password from. Programs that it starts get
/// none of them. `tidy` compares the list with the source.
pub const SECRETS: &[&str] = &[
    "OBSERVABILITY_DB_URL",
    "OBSERVABILITY_DB_PASSWORD",
    "OBSERVABILITY_ADMIN_PASSWORD",
    "OBSERVABILITY_APP_PASSWORD",
    "OBSERVABILITY_READONLY_PASSWORD",
    "PGPASSWORD",
    "GRAFANA_TOKEN",
    "OBS_TUI_GRAFANA_TOKEN",
    "LOKI_PASSWORD",
    "OBS_TUI_LOKI_PASSWORD",
];
