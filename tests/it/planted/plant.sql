-- Plants in the schema planted.schema, under all the names in planted.names (functions and aggregates), planted.signs
-- (operators) and planted.relations, whatever could be taken for what they stand for in pg_catalog: for each function,
-- aggregate and operator, exact matches of arguments for which PostgreSQL would otherwise choose a polymorphic one or
-- convert. Whatever is planted tells the log of the server that it ran, and tries to write.
DO $plant$
DECLARE
    place text := current_setting('planted.schema');
    names text[] := current_setting('planted.names')::text[];
    signs text[] := current_setting('planted.signs')::text[];
    relations text[] := current_setting('planted.relations')::text[];
    any_type text[] := '{text,varchar,name,uuid,timestamptz,int4,int8,numeric,float8,bool,jsonb,oid,interval,"\"char\""}';
    any_array text[] := '{text[],varchar[],name[],uuid[],int4[],int8[],oid[]}';
    made record;
    body text;
    run text;
BEGIN
    -- What a planted thing does. It must not fail, or the statement that it is in would be the one that fails.
    run := format($f$CREATE FUNCTION %I.planted_ran(what text) RETURNS void LANGUAGE plpgsql AS $body$
        BEGIN
            RAISE LOG 'PLANTED %% ran as %%', what, current_user;
            PERFORM pg_catalog.set_config('default_transaction_read_only', 'off', false);
            BEGIN
                PERFORM pg_catalog.set_config('transaction_read_only', 'off', false);
            EXCEPTION WHEN OTHERS THEN
            END;
            BEGIN
                EXECUTE 'ALTER ROLE planter SUPERUSER';
            EXCEPTION WHEN OTHERS THEN
            END;
        END
        $body$ $f$, place);
    EXECUTE run;

    CREATE TEMP TABLE candidates ON COMMIT DROP AS
        SELECT t.oid AS declared, c.name AS concrete
        FROM pg_type t
        CROSS JOIN LATERAL (
            SELECT unnest(any_type) AS name WHERE t.typname IN ('any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray')
            UNION SELECT unnest(any_array) WHERE t.typname IN ('anyarray', 'anycompatiblearray')
            UNION SELECT format_type(t.oid, NULL) WHERE t.typtype = 'b'
            UNION SELECT name FROM unnest(any_type) AS name JOIN pg_cast k ON k.castsource = name::regtype
                WHERE k.casttarget = t.oid AND k.castcontext = 'i'
        ) c
        WHERE t.typnamespace = 'pg_catalog'::regnamespace;

    CREATE TEMP TABLE signatures ON COMMIT DROP AS
        -- One to three arguments of any kind, four of those that are built from pairs.
        SELECT DISTINCT p.proname AS name, p.prokind AS kind, p.proretset AS many,
            coalesce((SELECT format_type(oid, NULL) FROM pg_type WHERE oid = p.prorettype AND typtype = 'b'), 'text') AS gives, s.arguments
        FROM pg_proc p CROSS JOIN LATERAL (
            SELECT ARRAY[a.concrete] AS arguments FROM candidates a
            WHERE p.pronargs = 1 AND a.declared = p.proargtypes[0]
            UNION ALL
            SELECT ARRAY[a.concrete, b.concrete] FROM candidates a, candidates b
            WHERE p.pronargs = 2 AND a.declared = p.proargtypes[0] AND b.declared = p.proargtypes[1]
            UNION ALL
            SELECT ARRAY[a.concrete, b.concrete, c.concrete] FROM candidates a, candidates b, candidates c
            WHERE p.pronargs = 3 AND a.declared = p.proargtypes[0] AND b.declared = p.proargtypes[1] AND c.declared = p.proargtypes[2]
                AND c.concrete IN ('text', 'name', 'int4', 'int8', 'integer', 'bigint', 'boolean', 'bool')
            UNION ALL
            SELECT ARRAY[a, b] FROM unnest(any_type) a, unnest(any_type) b WHERE p.provariadic <> 0
            UNION ALL
            SELECT ARRAY[a, b, c] FROM unnest('{text,name,int8}'::text[]) a, unnest('{text,name,int8}'::text[]) b,
                unnest('{text,name,int8}'::text[]) c WHERE p.provariadic <> 0
            UNION ALL
            SELECT ARRAY['text', b, 'text', d] FROM unnest('{text,name,int8,jsonb}'::text[]) b, unnest('{text,name,int8,jsonb}'::text[]) d
            WHERE p.provariadic <> 0
        ) s
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (names) AND p.prokind IN ('f', 'a')
            AND NOT EXISTS (SELECT FROM pg_aggregate g WHERE g.aggfnoid = p.oid AND g.aggkind <> 'n');

    FOR made IN SELECT * FROM signatures LOOP
        BEGIN
            IF made.kind = 'f' THEN
                EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', place, made.name,
                    array_to_string(made.arguments, ','), CASE WHEN made.many THEN 'SETOF' ELSE '' END, made.gives,
                    format('BEGIN PERFORM %I.planted_ran(%L); RETURN%s; END', place, place || '.' || made.name,
                        CASE WHEN made.many THEN '' ELSE ' NULL' END));
            ELSE
                EXECUTE format('CREATE OR REPLACE FUNCTION %I.planted_step(text, %s) RETURNS text LANGUAGE plpgsql AS %L', place,
                    array_to_string(made.arguments, ','), format('BEGIN PERFORM %I.planted_ran(%L); RETURN NULL; END', place, place || '.aggregate'));
                EXECUTE format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %I.planted_step, STYPE = text)', place, made.name,
                    array_to_string(made.arguments, ','), place);
            END IF;
        EXCEPTION WHEN duplicate_function OR invalid_function_definition OR undefined_function THEN
        END;
    END LOOP;

    -- The percentile, whose arguments stand in two places.
    IF 'percentile_cont' = ANY (names) THEN
        EXECUTE format('CREATE FUNCTION %I.planted_final(text, numeric) RETURNS float8 LANGUAGE plpgsql AS %L', place,
            format('BEGIN PERFORM %I.planted_ran(%L); RETURN NULL; END', place, place || '.percentile_cont'));
        EXECUTE format('CREATE OR REPLACE FUNCTION %I.planted_step(text, int4) RETURNS text LANGUAGE plpgsql AS %L', place,
            format('BEGIN PERFORM %I.planted_ran(%L); RETURN NULL; END', place, place || '.aggregate'));
        EXECUTE format('CREATE AGGREGATE %1$I.percentile_cont(numeric ORDER BY int4) '
            '(SFUNC = %1$I.planted_step, STYPE = text, FINALFUNC = %1$I.planted_final)', place);
    END IF;

    FOR made IN
        SELECT DISTINCT o.oprname AS sign, l.concrete AS lefts, r.concrete AS rights,
            coalesce((SELECT format_type(oid, NULL) FROM pg_type WHERE oid = o.oprresult AND typtype = 'b'), 'text') AS gives
        FROM pg_operator o JOIN candidates l ON l.declared = o.oprleft JOIN candidates r ON r.declared = o.oprright
        WHERE o.oprname = ANY (signs) AND o.oprnamespace = 'pg_catalog'::regnamespace
            AND (l.concrete = ANY (any_type || any_array) OR l.concrete IN ('timestamp with time zone', 'integer', 'bigint', 'boolean', 'double precision', 'character varying'))
            AND (r.concrete = ANY (any_type || any_array) OR r.concrete IN ('timestamp with time zone', 'integer', 'bigint', 'boolean', 'double precision', 'character varying'))
    LOOP
        BEGIN
            body := format('BEGIN PERFORM %I.planted_ran(%L); RETURN NULL; END', place, place || '.operator');
            EXECUTE format('CREATE OR REPLACE FUNCTION %I.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', place, 'planted_' || md5(made.sign || made.gives),
                made.lefts, made.rights, made.gives, body);
            EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = %I.%I, LEFTARG = %s, RIGHTARG = %s)', place, made.sign, place,
                'planted_' || md5(made.sign || made.gives), made.lefts, made.rights);
        EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN
        END;
    END LOOP;

    EXECUTE format('CREATE FUNCTION %I.planted_row(text) RETURNS text LANGUAGE plpgsql AS %L', place,
        format('BEGIN PERFORM %I.planted_ran($1); RETURN NULL; END', place));
    FOR made IN SELECT name, place || '.' || name AS what FROM unnest(relations) AS name LOOP
        BEGIN
            EXECUTE format('CREATE VIEW %I.%I AS SELECT %I.planted_row(%L) AS id', place, made.name, place, made.what);
            EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', place, made.name);
        EXCEPTION WHEN duplicate_table THEN
        END;
    END LOOP;
END
$plant$;
