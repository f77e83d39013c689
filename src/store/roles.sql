-- Grants the rights of the three roles on our tables in the schema; a role that does not exist is left out.
-- Touches only what the current role owns and only our roles. Applying it again changes nothing.
-- Rights that another program gave on its dashboard_stats stay.
DO $$
DECLARE
    schema_name text := @'schema';
    relation record;
    has_app boolean := to_regrole('observability_app') IS NOT NULL;
    has_readonly boolean := to_regrole('observability_readonly') IS NOT NULL;
    admin regrole := to_regrole('observability_admin');
BEGIN
    IF NOT has_app AND NOT has_readonly THEN
        RETURN;
    END IF;

    IF pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
        IF has_app THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO observability_app', current_database());
        END IF;
        IF has_readonly THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO observability_readonly', current_database());
        END IF;
    END IF;

    IF pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = schema_name), 'USAGE') THEN
        IF has_app THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO observability_app', schema_name);
        END IF;
        IF has_readonly THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO observability_readonly', schema_name);
        END IF;
    END IF;

    FOR relation IN
        SELECT c.relname AS name, c.relkind IN ('r', 'p') AND c.relname <> 'obs_tui_migrations' AS writable
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = schema_name AND c.relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(c.relowner, 'USAGE')
            AND c.relname IN ('invocations', 'event_executions', 'job_executions', 'job_logs', 'metrics_hourly',
                'metrics_coverage', 'metrics_pruned', 'metrics_late',                 'dashboard_stats', 'recorder_losses', 'obs_tui_migrations')
    LOOP
        IF has_readonly THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO observability_readonly', schema_name, relation.name);
        END IF;
        IF has_app THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO observability_app', schema_name, relation.name);
            IF relation.writable THEN
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %I.%I TO observability_app', schema_name, relation.name);
            ELSIF relation.name = 'obs_tui_migrations' THEN
                EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I.%I FROM observability_app', schema_name, relation.name);
            END IF;
        END IF;
    END LOOP;

    -- Tables and sequences that the admin role makes later.
    IF pg_has_role(admin, 'USAGE') THEN
        IF has_readonly THEN
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE observability_admin IN SCHEMA %I '
                'GRANT SELECT ON TABLES TO observability_readonly', schema_name);
        END IF;
        IF has_app THEN
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE observability_admin IN SCHEMA %I '
                'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO observability_app', schema_name);
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE observability_admin IN SCHEMA %I '
                'GRANT SELECT, USAGE ON SEQUENCES TO observability_app', schema_name);
        END IF;
    END IF;
END
$$;
