-- Three roles: anodyne_owner owns (nobody signs in as it), anodyne_migrator may become it, anodyne_app reads and appends.

REVOKE ALL ON ALL TABLES IN SCHEMA log FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA log FROM PUBLIC;
GRANT SELECT ON log.{log}_events, log.{log}_heads, log.{log}_claims, log.{log}_idempotency TO anodyne_app;
GRANT EXECUTE ON FUNCTION log.{log}_append(
    uuid[], integer[], integer[], text[], text[], text, text, uuid, uuid, text, uuid, uuid, uuid, uuid[], integer[],
    text, text, text, bytea, integer, text, bigint) TO anodyne_app;
GRANT EXECUTE ON FUNCTION log.{log}_purge_idempotency(bigint) TO anodyne_app;

-- For people with psql: moments as moments, the payload as JSON.
CREATE VIEW log.{log} AS
SELECT position, to_timestamp(recorded_us / 1000000.0) AS recorded_at, payload::jsonb->>'occurred_at' AS occurred_at,
       name, stream_id, version, actor, role, clinic_id, clinic_seq, subject, payload::jsonb AS payload,
       origin, correlation_id, causation_id, command_id, encode(leaf_hash, 'hex') AS leaf_hash
  FROM log.{log}_events;
GRANT SELECT ON log.{log} TO anodyne_app;
