"""Who holds only the log can read no name; who destroys a key makes it so for ever; a seal cannot be moved."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from domain.kernel import Recorded, Redacted, Sealed
from domain.patient.registration import PatientRegistered
from services.log import BlindIndex, EventLog, InvalidEvent, KeyDestroyed, KeyStore, KeyUnsealer, migrate_keys
from services.log.key_encryption import (
    InProcessKms,
    KekError,
    KekProvider,
    KmsKek,
    LocalKek,
    environment_kek,
    file_kek,
)
from services.log.sealing import DataKey, SealBroken
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import NOW, another_process, append, by_nurse, renamed, scored

# --- where the key-encryption key comes from: one contract ---------------------------------------


def _kms() -> KekProvider:
    kms = InProcessKms()
    kms.create_key("clinic-keys")
    return KmsKek(kms, "clinic-keys")


@pytest.fixture(params=["file", "environment", "kms"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> KekProvider:
    if request.param == "file":
        return file_kek(tmp_path / "kek", create=True)
    if request.param == "environment":
        return environment_kek(base64.b64encode(os.urandom(32)).decode())
    return _kms()


def test_a_wrapped_key_comes_back_under_its_own_context_only(provider: KekProvider) -> None:
    secret = os.urandom(32)
    blob = provider.wrap(secret, b"owner 1")
    assert secret not in blob
    assert provider.unwrap(blob, b"owner 1", provider.kek_id) == secret
    assert provider.wrap(secret, b"owner 1") != blob
    with pytest.raises(KekError):
        provider.unwrap(blob, b"owner 2", provider.kek_id)
    altered = blob[:-1] + bytes([blob[-1] ^ 1])
    with pytest.raises(KekError):
        provider.unwrap(altered, b"owner 1", provider.kek_id)
    with pytest.raises(KekError):
        provider.unwrap(blob, b"owner 1", "another")


def test_a_key_store_works_with_every_provider_and_rewraps_under_a_new_one(
    provider: KekProvider, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/k.sqlite3"
    migrate_keys(url)
    owner = uuid4()
    key = KeyStore(url, provider).sealing_key(owner)
    again = KeyStore(url, provider).sealing_key(owner)
    assert again.key_id == key.key_id
    with pytest.raises(KekError):
        KeyStore(url, LocalKek(os.urandom(32))).sealing_key(owner)


def test_keys_are_rewrapped_when_the_key_encryption_key_is_rotated(tmp_path: Path) -> None:
    url, old, new, owner = f"sqlite:///{tmp_path}/k.sqlite3", os.urandom(32), os.urandom(32), uuid4()
    migrate_keys(url)
    key_id = KeyStore(url, LocalKek(old)).sealing_key(owner).key_id
    assert KeyStore(url, LocalKek(new, former=(old,))).rewrap() == 1
    assert KeyStore(url, LocalKek(new)).sealing_key(owner).key_id == key_id


def test_kms_keys_can_be_rotated_and_disabled_in_the_service() -> None:
    kms = InProcessKms()
    kms.create_key("k")
    provider = KmsKek(kms, "k")
    blob = provider.wrap(b"s" * 32, b"c")
    kms.rotate_key("k")
    assert provider.unwrap(blob, b"c", provider.kek_id) == b"s" * 32
    kms.disable_key("k")
    with pytest.raises(KekError):
        provider.unwrap(blob, b"c", provider.kek_id)


def test_a_kek_file_is_private_made_once_and_missed_when_gone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "kek"
    with pytest.raises(KekError, match="restore"):
        file_kek(path)
    first = file_kek(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file_kek(path, create=True).kek_id == first.kek_id == file_kek(path).kek_id
    path.write_text("not base64!\n")
    with pytest.raises(KekError):
        file_kek(path)


# --- the key store -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def keys_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.sqlite3"
    else:
        url = request.getfixturevalue("pg_empty_database")
    migrate_keys(url)
    return url


KEK = LocalKek(b"k" * 32)


def test_two_processes_that_make_an_owners_first_key_end_up_with_one(keys_url: str) -> None:
    owner, stores = uuid4(), [KeyStore(keys_url, KEK), KeyStore(keys_url, KEK)]
    assert len({store.sealing_key(owner).key_id for store in stores}) == 1
    for store in stores:
        store.close()


def test_a_destroyed_key_is_dropped_in_every_process(keys_url: str) -> None:
    owner, here, there = uuid4(), KeyStore(keys_url, KEK, epoch_check_s=0), KeyStore(keys_url, KEK, epoch_check_s=0)
    key_id = here.sealing_key(owner).key_id
    assert there.opening_key(key_id) is not None
    assert here.destroy(owner, by="staff:1", reason="erasure") == 1
    assert here.destroyed(owner) and there.opening_key(key_id) is None and here.opening_key(key_id) is None
    for store in (here, there):
        with pytest.raises(KeyDestroyed):
            store.sealing_key(owner)
    assert here.destroy(owner, by="staff:1", reason="again") == 0
    for store in (here, there):
        store.close()


def test_an_owner_who_never_had_a_key_gets_none_after_erasure(keys_url: str) -> None:
    owner, store = uuid4(), KeyStore(keys_url, KEK, epoch_check_s=0)
    assert store.destroy(owner, by="staff:1", reason="erasure") == 0
    with pytest.raises(KeyDestroyed):
        store.sealing_key(owner)
    assert store.destroyed(owner)
    store.close()


def test_nothing_of_a_destroyed_key_stays_in_the_file(tmp_path: Path) -> None:
    url, owner = f"sqlite:///{tmp_path}/k.sqlite3", uuid4()
    migrate_keys(url)
    store = KeyStore(url, KEK)
    store.sealing_key(owner)
    with sqlite3.connect(tmp_path / "k.sqlite3") as connection:
        (wrapped,) = connection.execute("SELECT wrapped FROM data_keys").fetchone()
    connection.close()
    store.destroy(owner, by="staff:1", reason="erasure")
    for path in tmp_path.iterdir():
        assert wrapped.encode() not in path.read_bytes(), path.name
    store.close()


def test_a_key_row_swapped_or_forged_is_noticed(tmp_path: Path) -> None:
    """The id of a key commits to it, and the wrapping to its owner."""
    url, owner, other = f"sqlite:///{tmp_path}/k.sqlite3", uuid4(), uuid4()
    migrate_keys(url)
    store = KeyStore(url, KEK)
    key_id, _ = store.sealing_key(owner).key_id, store.sealing_key(other)
    with sqlite3.connect(tmp_path / "k.sqlite3") as connection:
        connection.execute("UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE owner = ?) "
                           "WHERE owner = ?", (str(other), str(owner)))
    connection.close()
    with pytest.raises(KekError):
        KeyStore(url, KEK).opening_key(key_id)
    forged = base64.b64encode(KEK.wrap(b"f" * 32, b"anodyne/data-key/1" + owner.bytes)).decode()
    with sqlite3.connect(tmp_path / "k.sqlite3") as connection:
        connection.execute("UPDATE data_keys SET wrapped = ? WHERE owner = ?", (forged, str(owner)))
    connection.close()
    with pytest.raises(KekError, match="commitment"):
        KeyStore(url, KEK).opening_key(key_id)


# --- sealed fields in the log --------------------------------------------------------------------


def registered(family_name: str = "Zzyzx-8841") -> PatientRegistered:
    return PatientRegistered(
        occurred_at=NOW, family_name=family_name, given_name="Ana", birth_date="1970-01-01", sex="f", age_band="50-59",
        home_clinic_id=UUID(int=1), identifiers={"mrn": "M-1", "ssn": "078-05-1120"},
    )


@pytest.fixture
def unsealer(event_log: EventLog) -> KeyUnsealer:
    assert event_log.keys is not None
    event_log.keys._epoch_check_s = 0
    return KeyUnsealer(event_log.keys, event_log.upcasters)


def only(log: EventLog, stream: UUID) -> Recorded:
    (record,) = log.read_stream(stream)
    return record


def test_no_secret_stands_readable_in_any_file_of_the_log(event_log: EventLog, database: Database) -> None:
    append(event_log, uuid4(), 0, registered())
    stored = event_log.rows(1, 1)[0].state
    assert b'"sex":"f"' in stored
    for secret in (b"Zzyzx", b"Ana", b"1970", b"M-1", b"078-05"):
        assert secret not in stored
    if database.kind == "sqlite":
        for path in database.home.iterdir():
            assert b"Zzyzx" not in path.read_bytes(), path.name


def test_an_unsealer_opens_fields_and_values_of_dicts(event_log: EventLog, unsealer: KeyUnsealer) -> None:
    stream = uuid4()
    append(event_log, stream, 0, registered())
    opened = unsealer.unsealed(only(event_log, stream))
    assert opened["family_name"] == "Zzyzx-8841"
    assert opened["identifiers"] == {"mrn": "M-1", "ssn": "078-05-1120"}
    assert opened["sex"] == "f" and opened["phone"] is None if "phone" in opened else True


def test_the_owner_of_a_seal_is_the_subject_else_the_stream(event_log: EventLog, unsealer: KeyUnsealer) -> None:
    patient, visit, other_visit = uuid4(), uuid4(), uuid4()
    append(event_log, visit, 0, renamed("A"), envelope=by_nurse(subject=patient))
    append(event_log, other_visit, 0, renamed("B"), envelope=by_nurse(subject=patient))
    append(event_log, patient, 0, renamed("C"))
    keys = {only(event_log, stream).event.family_name.key for stream in (patient, visit, other_visit)}  # type: ignore[attr-defined]
    assert len(keys) == 1
    assert [unsealer.unsealed(only(event_log, stream))["family_name"] for stream in (visit, other_visit, patient)] == [
        "A", "B", "C"
    ]


def moved(record: Recorded, **changes: object) -> Recorded:
    return msgspec.structs.replace(record, **changes)


def test_a_seal_opens_nowhere_but_where_it_was_made(event_log: EventLog, unsealer: KeyUnsealer) -> None:
    patient = uuid4()
    append(event_log, patient, 0, registered())
    record = only(event_log, patient)
    event = record.event
    assert isinstance(event, PatientRegistered) and isinstance(event.family_name, Sealed)
    value = event.family_name
    assert unsealer.unseal(record, "family_name", value) == "Zzyzx-8841"
    elsewhere = [
        (moved(record, version=2), "family_name"), (moved(record, stream_id=uuid4(), subject=patient), "family_name"),
        (moved(record, name="patient.demographics_corrected.v1"), "family_name"), (record, "given_name"),
        (record, "identifiers/mrn"), (moved(record, subject=uuid4()), "family_name"),
    ]
    for place, field in elsewhere:
        with pytest.raises(SealBroken):
            unsealer.unseal(place, field, value)
    raw = bytearray(base64.b64decode(value.box))
    raw[20] ^= 1
    with pytest.raises(SealBroken):
        unsealer.unseal(record, "family_name", Sealed(key=value.key, box=base64.b64encode(raw).decode()))
    with pytest.raises(SealBroken):
        unsealer.unseal(record, "family_name", Sealed(key=value.key, box="%%%"))


def test_a_sealed_value_cannot_be_written_again_elsewhere(event_log: EventLog) -> None:
    patient = uuid4()
    append(event_log, patient, 0, registered())
    event = only(event_log, patient).event
    with pytest.raises(InvalidEvent, match="sealed already"):
        append(event_log, uuid4(), 0, event)


def test_a_destroyed_key_leaves_redacted_never_an_error_and_the_log_still_verifies(
    event_log: EventLog, database: Database, unsealer: KeyUnsealer
) -> None:
    erased, other = uuid4(), uuid4()
    append(event_log, erased, 0, registered("Gone"))
    append(event_log, other, 0, registered("Here"))
    assert event_log.keys is not None
    event_log.keys.destroy(erased, by="staff:1", reason="erasure")
    opened = unsealer.unsealed(only(event_log, erased))
    assert opened["family_name"] == {"secret": "redacted", "why": "key destroyed"}
    assert opened["identifiers"] == {"mrn": opened["family_name"], "ssn": opened["family_name"]}
    assert opened["sex"] == "f"
    record = only(event_log, erased)
    assert unsealer.unseal(record, "family_name", record.event.family_name) == Redacted()  # type: ignore[attr-defined]
    assert unsealer.unsealed(only(event_log, other))["family_name"] == "Here"
    assert verify(event_log).holds
    with pytest.raises(KeyDestroyed):
        append(event_log, erased, 1, renamed("Back"))
    append(event_log, erased, 1, scored())
    elsewhere = another_process(database)
    assert elsewhere.keys is not None
    assert KeyUnsealer(elsewhere.keys, elsewhere.upcasters).unsealed(record)["given_name"] == opened["given_name"]
    elsewhere.close()


def test_one_box_under_two_keys_is_two_different_key_ids() -> None:
    """AES-GCM alone commits to no key: the id of a data key does."""
    owner = uuid4()
    assert DataKey(owner, b"a" * 32).key_id != DataKey(owner, b"b" * 32).key_id
    assert DataKey(owner, b"a" * 32).key_id != DataKey(uuid4(), b"a" * 32).key_id


def test_short_values_of_different_length_look_alike(event_log: EventLog) -> None:
    key = DataKey(uuid4(), b"a" * 32)
    boxes = [
        key.seal(text, stream_id=UUID(int=1), version=1, name="a.b.v1", field="f").box for text in ("", "Li", "x" * 31)
    ]
    assert len({len(box) for box in boxes}) == 1
    assert [key.open(box, stream_id=UUID(int=1), version=1, name="a.b.v1", field="f") for box in boxes][1] == "Li"


def test_a_blind_index_finds_the_same_value_and_tells_fields_apart(event_log: EventLog) -> None:
    assert event_log.keys is not None
    index = BlindIndex(event_log.keys)
    assert index.of("family_name", "  GARCÍA ") == index.of("family_name", "garcía")
    assert index.of("family_name", "garcía") != index.of("given_name", "garcía")
    assert index.of("person", "garcia", "1970-01-01") != index.of("person", "garcia 1970-01-01")
