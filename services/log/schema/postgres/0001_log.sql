-- One log of events. Run once for each log ({log}: care, access) by services/log/migrations.py.
-- Owned by anodyne_owner; anodyne_app may read and call {log}_append, nothing else.

CREATE TABLE log.{log}_events (
    position       bigint   NOT NULL,
    recorded_us    bigint   NOT NULL,              -- microseconds since 1970, UTC; never decreases
    stream_id      uuid     NOT NULL,
    version        integer  NOT NULL,
    name           text     NOT NULL,
    payload        text     NOT NULL,              -- readable JSON, kept byte for byte (jsonb would not)
    clinic_id      uuid,
    clinic_seq     bigint   NOT NULL,              -- dense per clinic; 0 without one
    subject        uuid,                           -- the one patient it is about
    actor          text     NOT NULL,
    role           text     NOT NULL,
    origin         text     NOT NULL,
    correlation_id uuid,
    causation_id   uuid,
    command_id     uuid,
    claims         text,                           -- what this commit claimed and released (on its first event)
    leaf_hash      bytea    NOT NULL,
    CONSTRAINT {log}_events_pkey PRIMARY KEY (position),
    CONSTRAINT {log}_events_version CHECK (version > 0),
    CONSTRAINT {log}_events_position CHECK (position > 0)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- Not unique, so that the table can be partitioned by position: {log}_heads holds uniqueness of (stream, version).
CREATE INDEX {log}_events_stream ON log.{log}_events (stream_id, version);
CREATE INDEX {log}_events_subject ON log.{log}_events (subject, position) WHERE subject IS NOT NULL;
CREATE INDEX {log}_events_clinic ON log.{log}_events (clinic_id, clinic_seq) WHERE clinic_id IS NOT NULL;

CREATE TABLE log.{log}_heads (
    stream_id uuid    NOT NULL PRIMARY KEY,
    version   integer NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE log.{log}_claims (
    resource  text    NOT NULL,
    holder    text    NOT NULL,
    starts_us bigint  NOT NULL,
    ends_us   bigint  NOT NULL,                    -- 9223372036854775807: until released
    capacity  integer NOT NULL,
    position  bigint  NOT NULL,                    -- of the commit that last set it
    PRIMARY KEY (resource, holder)
);
CREATE INDEX {log}_claims_ends ON log.{log}_claims (resource, ends_us);

CREATE TABLE log.{log}_idempotency (
    principal      text     NOT NULL,
    key            text     NOT NULL,
    body_hmac      bytea    NOT NULL,
    status         integer  NOT NULL,
    answer         text     NOT NULL,              -- ids and versions; no patient data
    first_position bigint   NOT NULL,
    last_position  bigint   NOT NULL,
    recorded_us    bigint   NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX {log}_idempotency_age ON log.{log}_idempotency USING brin (recorded_us);

CREATE FUNCTION log.{log}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'AN009';
END $$;

CREATE TRIGGER {log}_events_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON log.{log}_events
    FOR EACH STATEMENT EXECUTE FUNCTION log.{log}_refuse_change();
