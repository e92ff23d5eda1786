-- The one way to write. Called as a single statement in autocommit; READ COMMITTED, so that every statement after
-- the lock sees what was committed while it waited. (A single SQL statement that locks and numbers is wrong: its
-- snapshot is older than the lock. tests/log/test_order.py keeps that variant as a negative control.)
--
-- Errors: AN001 stream conflict, AN002 claim conflict (DETAIL is JSON), AN003 clock refused, AN004 not opened.

CREATE FUNCTION log.{log}_claim(p_claim jsonb, p_position bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_starts bigint := (p_claim->>'starts')::bigint;
    v_ends   bigint := coalesce((p_claim->>'ends')::bigint, 9223372036854775807);
    v_taken  record;
BEGIN
    DELETE FROM log.{log}_claims WHERE resource = p_claim->>'resource' AND holder = p_claim->>'holder';
    IF (p_claim->>'enforce')::boolean THEN
        -- The overlap query, the same on both databases: a moment within the asked interval, at the start of one of
        -- the claims that overlap it (or its own), at which the resource is already held `capacity` times.
        SELECT a.holder, a.starts_us, a.ends_us INTO v_taken
          FROM log.{log}_claims a
         WHERE a.resource = p_claim->>'resource' AND a.ends_us > v_starts AND a.starts_us < v_ends
           AND (SELECT count(*) FROM log.{log}_claims b
                 WHERE b.resource = a.resource AND b.ends_us > v_starts
                   AND b.starts_us <= greatest(a.starts_us, v_starts) AND b.ends_us > greatest(a.starts_us, v_starts)
               ) >= (p_claim->>'capacity')::integer
         ORDER BY a.starts_us, a.holder LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'claim conflict' USING ERRCODE = 'AN002', DETAIL = jsonb_build_object(
                'resource', p_claim->>'resource', 'holder', v_taken.holder,
                'starts', v_taken.starts_us, 'ends', nullif(v_taken.ends_us, 9223372036854775807))::text;
        END IF;
    END IF;
    INSERT INTO log.{log}_claims (resource, holder, starts_us, ends_us, capacity, position)
    VALUES (p_claim->>'resource', p_claim->>'holder', v_starts, v_ends, (p_claim->>'capacity')::integer, p_position);
END $$;

CREATE FUNCTION log.{log}_release(p_release jsonb, p_position bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_ends bigint := (p_release->>'ends')::bigint;
BEGIN
    IF v_ends IS NULL THEN
        DELETE FROM log.{log}_claims WHERE resource = p_release->>'resource' AND holder = p_release->>'holder';
    ELSE
        DELETE FROM log.{log}_claims
         WHERE resource = p_release->>'resource' AND holder = p_release->>'holder' AND starts_us >= v_ends;
        UPDATE log.{log}_claims SET ends_us = v_ends, position = p_position
         WHERE resource = p_release->>'resource' AND holder = p_release->>'holder' AND ends_us > v_ends;
    END IF;
END $$;

CREATE FUNCTION log.{log}_append(
    p_streams uuid[], p_expected integer[], p_counts integer[], p_names text[], p_payloads text[],
    p_actor text, p_role text, p_clinic uuid, p_subject uuid, p_origin text,
    p_correlation uuid, p_causation uuid, p_command uuid,
    p_unchanged uuid[], p_unchanged_at integer[], p_claims text,
    p_principal text, p_key text, p_hmac bytea, p_status integer, p_answer text, p_clock_us bigint,
    OUT o_first bigint, OUT o_last bigint, OUT o_recorded_us bigint, OUT o_versions integer[],
    OUT o_replayed boolean, OUT o_status integer, OUT o_answer text, OUT o_hmac bytea
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_position   bigint;
    v_clinic_seq bigint := 0;
    v_version    integer;
    v_event      integer := 0;
    v_common     bytea;
    -- 0x00, 'anodyne/leaf/1', the log's name, and the length of recorded_us: as services/log/leaf.py has them.
    v_tag        constant bytea := '\x000000000e616e6f64796e652f6c6561662f31'::bytea
                    || int4send(octet_length('{log}')) || convert_to('{log}', 'UTF8') || '\x00000008'::bytea;
    v_claims     text := p_claims;
    v_item       jsonb;
    v_moved      record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the append needs READ COMMITTED' USING ERRCODE = 'AN005';
    END IF;
    PERFORM pg_advisory_xact_lock(4714, {lock});

    IF p_key IS NOT NULL THEN
        SELECT first_position, last_position, recorded_us, status, answer, body_hmac, true
          INTO o_first, o_last, o_recorded_us, o_status, o_answer, o_hmac, o_replayed
          FROM log.{log}_idempotency WHERE principal = p_principal AND key = p_key;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    SELECT e.position, e.recorded_us,
           coalesce((SELECT c.clinic_seq FROM log.{log}_events c
                      WHERE c.clinic_id = p_clinic ORDER BY c.clinic_seq DESC LIMIT 1), 0)
      INTO v_position, o_recorded_us, v_clinic_seq
      FROM log.{log}_events e ORDER BY e.position DESC LIMIT 1;
    IF v_position IS NULL THEN
        IF p_names[1] IS DISTINCT FROM 'system.log_opened.v1' THEN
            RAISE EXCEPTION 'the log has not been opened' USING ERRCODE = 'AN004';
        END IF;
        v_position := 0;
        o_recorded_us := 0;
        v_clinic_seq := 0;
    END IF;
    IF p_clock_us IS NULL THEN
        o_recorded_us := greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, o_recorded_us);
    ELSE
        IF coalesce((SELECT payload FROM log.{log}_events WHERE position = 1), p_payloads[1])::jsonb->>'mode'
           IS DISTINCT FROM 'simulation' THEN
            RAISE EXCEPTION 'only a simulation log has a settable clock' USING ERRCODE = 'AN003';
        END IF;
        o_recorded_us := greatest(p_clock_us, o_recorded_us);
    END IF;
    o_first := v_position + 1;
    o_versions := '{}';

    IF p_unchanged IS NOT NULL THEN
        SELECT r.stream, r.seen, r.actual INTO v_moved FROM (
            SELECT u.stream, u.seen, u.ordinal,
                   coalesce((SELECT h.version FROM log.{log}_heads h WHERE h.stream_id = u.stream), 0) AS actual
              FROM unnest(p_unchanged, p_unchanged_at) WITH ORDINALITY AS u (stream, seen, ordinal)
        ) r WHERE r.actual <> r.seen ORDER BY r.ordinal LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'stream conflict' USING ERRCODE = 'AN001', DETAIL = jsonb_build_object(
                'stream', v_moved.stream, 'expected', v_moved.seen, 'actual', v_moved.actual)::text;
        END IF;
    END IF;

    v_common := v_tag || int8send(o_recorded_us)
        || coalesce('\x00000010'::bytea || uuid_send(p_clinic), '\xffffffff'::bytea)
        || coalesce('\x00000010'::bytea || uuid_send(p_subject), '\xffffffff'::bytea)
        || int4send(octet_length(p_actor)) || convert_to(p_actor, 'UTF8')
        || int4send(octet_length(p_role)) || convert_to(p_role, 'UTF8')
        || int4send(octet_length(p_origin)) || convert_to(p_origin, 'UTF8')
        || coalesce('\x00000010'::bytea || uuid_send(p_correlation), '\xffffffff'::bytea)
        || coalesce('\x00000010'::bytea || uuid_send(p_causation), '\xffffffff'::bytea)
        || coalesce('\x00000010'::bytea || uuid_send(p_command), '\xffffffff'::bytea);

    FOR i IN 1 .. coalesce(cardinality(p_streams), 0) LOOP
        IF p_expected[i] > 0 THEN
            UPDATE log.{log}_heads SET version = version + p_counts[i]
             WHERE stream_id = p_streams[i] AND version = p_expected[i];
            v_version := p_expected[i];
        ELSIF p_expected[i] = 0 THEN
            INSERT INTO log.{log}_heads (stream_id, version) VALUES (p_streams[i], p_counts[i])
            ON CONFLICT (stream_id) DO NOTHING;
            v_version := 0;
        ELSE
            INSERT INTO log.{log}_heads AS h (stream_id, version) VALUES (p_streams[i], p_counts[i])
            ON CONFLICT (stream_id) DO UPDATE SET version = h.version + excluded.version
            RETURNING version - p_counts[i] INTO v_version;
        END IF;
        IF NOT FOUND THEN
            SELECT version INTO v_version FROM log.{log}_heads WHERE stream_id = p_streams[i];
            RAISE EXCEPTION 'stream conflict' USING ERRCODE = 'AN001', DETAIL = jsonb_build_object(
                'stream', p_streams[i], 'expected', p_expected[i], 'actual', coalesce(v_version, 0))::text;
        END IF;
        FOR j IN 1 .. p_counts[i] LOOP
            v_event := v_event + 1;
            v_version := v_version + 1;
            v_position := v_position + 1;
            IF p_clinic IS NOT NULL THEN
                v_clinic_seq := v_clinic_seq + 1;
            END IF;
            INSERT INTO log.{log}_events (
                position, recorded_us, stream_id, version, name, payload, clinic_id, clinic_seq, subject,
                actor, role, origin, correlation_id, causation_id, command_id, claims, leaf_hash)
            VALUES (
                v_position, o_recorded_us, p_streams[i], v_version, p_names[v_event], p_payloads[v_event], p_clinic,
                v_clinic_seq, p_subject, p_actor, p_role, p_origin, p_correlation, p_causation, p_command, v_claims,
                sha256(v_common || '\x00000008'::bytea || int8send(v_position)
                    || '\x00000008'::bytea || int8send(v_clinic_seq)
                    || '\x00000010'::bytea || uuid_send(p_streams[i])
                    || '\x00000008'::bytea || int8send(v_version)
                    || int4send(octet_length(p_names[v_event])) || convert_to(p_names[v_event], 'UTF8')
                    || coalesce(int4send(octet_length(v_claims)) || convert_to(v_claims, 'UTF8'), '\xffffffff'::bytea)
                    || int4send(octet_length(p_payloads[v_event])) || convert_to(p_payloads[v_event], 'UTF8')));
            v_claims := NULL;
        END LOOP;
        o_versions := o_versions || v_version;
    END LOOP;
    o_last := v_position;

    IF p_claims IS NOT NULL THEN
        FOR v_item IN SELECT * FROM jsonb_array_elements(p_claims::jsonb->'releases') LOOP
            PERFORM log.{log}_release(v_item, o_first);
        END LOOP;
        FOR v_item IN SELECT * FROM jsonb_array_elements(p_claims::jsonb->'claims') LOOP
            PERFORM log.{log}_claim(v_item, o_first);
        END LOOP;
    END IF;

    IF p_key IS NOT NULL THEN
        INSERT INTO log.{log}_idempotency
            (principal, key, body_hmac, status, answer, first_position, last_position, recorded_us)
        VALUES (p_principal, p_key, p_hmac, p_status, p_answer, o_first, o_last, o_recorded_us);
    END IF;
    o_replayed := false;
    o_status := p_status;
END $$;

CREATE FUNCTION log.{log}_purge_idempotency(p_before_us bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_gone bigint;
BEGIN
    -- Rows are kept for at least 30 days, whatever is asked.
    DELETE FROM log.{log}_idempotency
     WHERE recorded_us < least(p_before_us,
                               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 30 * 86400000000);
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END $$;
