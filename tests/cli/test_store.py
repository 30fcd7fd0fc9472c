"""The commands on a store and its audit log, as an operator types them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from samebody.cli.main import main
from samebody.store import LocalMasterKey, Store
from tests.store.conftest import furnish, submit

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; its exit code, output and errors."""
    for name in ("SAMEBODY_MASTER_KEY", "SAMEBODY_MASTER_KEY_FILE", "SAMEBODY_STORE", "SAMEBODY_MEDIA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        out, errors = capsys.readouterr()
        return int(left.value.code or 0), out, errors

    return command


@pytest.fixture
def made(run: Run, tmp_path: Path) -> Path:
    """A store with an enrolled person, made by commands where there are some."""
    assert run("store", "new-key", "key")[0] == 0
    assert run("store", "upgrade", "--store", "s", "--key-file", "key")[0] == 0
    with Store.open(tmp_path / "s", master=[LocalMasterKey.from_file("key")], create=False) as store:
        furnish(store, "shop")
        session_id, case_id = submit(store, "shop")
        with store.write() as tx:
            store.consents.give(tx, "shop", session_id, "2026-01", "en", actor="c", purpose="enrolment")
        store.people.enrol("shop", case_id, [], actor="k", external_id="anna")
    return tmp_path / "s"


def test_the_audit_log_is_verified_exported_and_a_change_is_named(run: Run, made: Path) -> None:
    store = ("--store", "s", "--key-file", "key")
    code, out, _ = run("audit", "verify", *store)
    assert (code, out.splitlines()[-1]) == (0, "sound")
    code, out, _ = run("audit", "export", *store, "--tenant", "shop", "--out", "log.jsonl")
    assert code == 0
    key = out.split("public key: ")[1].strip()
    assert run("audit", "verify", "--file", "log.jsonl", "--public-key", key)[0] == 0
    assert "carries itself" in run("audit", "verify", "--file", "log.jsonl")[1]
    assert run("audit", "verify", "--file", "log.jsonl", "--public-key", "00" * 32)[0] == 1
    assert run("audit", "verify", *store, "--against", "log.jsonl")[0] == 0
    with sqlite3.connect(made / "samebody.db") as database:
        database.execute("DROP TRIGGER audit_events_no_update")
        database.execute("UPDATE audit_events SET actor = 'mallory' WHERE tenant = 'shop' AND sequence = 3")
    database.close()
    code, out, _ = run("audit", "verify", *store)
    assert code == 1
    assert "shop: events 3: changed" in out
    code, out, _ = run("audit", "verify", *store, "--json")
    assert (code, json.loads(out)["problems"][0]["first"]) == (1, 3)


def test_keys_are_rotated(run: Run, made: Path) -> None:
    run("store", "new-key", "key2")
    code, out, _ = run("store", "rotate-keys", "--store", "s", "--key-file", "key2", "--old-key-file", "key")
    assert code == 0
    assert "keys re-wrapped" in out
    assert run("audit", "verify", "--store", "s", "--key-file", "key2")[0] == 0
    assert run("audit", "verify", "--store", "s", "--key-file", "key")[0] == 1


def test_a_person_is_exported_and_erased_and_a_restored_backup_erases_them_again(run: Run, made: Path) -> None:
    store = ("--store", "s", "--key-file", "key")
    assert run("store", "backup", *store, "b")[0] == 0
    assert run("store", "export-person", *store, "--tenant", "shop", "--out", "anna.zip", "anna")[0] == 0
    with zipfile.ZipFile("anna.zip") as archive:
        assert json.loads(archive.read("data.json"))["subject"]["external_id"] == "anna"
    assert Path("anna.zip").stat().st_mode & 0o077 == 0
    assert run("store", "erase-person", *store, "--tenant", "shop", "--yes", "anna")[0] == 0
    assert run("store", "erase-person", *store, "--tenant", "shop", "--yes", "anna")[0] == 64
    assert run("store", "sweep", *store)[0] == 0
    code, out, _ = run("store", "restore", "--store", "again", "--key-file", "key", "--marks", "s/media", "b")
    assert (code, out.split("; ")[1].strip()) == (0, "2 keys destroyed again")
    assert run("store", "restore", "--store", "again", "--key-file", "key", "b")[0] == 74


def test_galleries_are_made_again_by_a_restore_without_those_who_were_erased(
    run: Run, made: Path, tmp_path: Path
) -> None:
    pytest.importorskip("fastapi", reason="the extra samebody[service] is not installed")
    from samebody.config import Settings
    from samebody.models import catalogue
    from samebody.search.identify import SearchPolicy
    from samebody.service.galleries import Galleries
    from samebody.store.people import NewReference
    from samebody.types import Template

    record = catalogue(Settings())["face/sface"]
    space, rng = record.embedding_space(), np.random.default_rng(3)
    people: dict[str, tuple[str, Template]] = {}
    master = [LocalMasterKey.from_file("key")]
    with Store.open(made, master=master, create=False) as store:
        galleries = Galleries(store, made / "galleries")
        galleries.create("shop", "customers", record, actor="k")
        galleries.create("shop", "nobody", record, actor="k")
        for name in ("bea", "carl"):
            vector = rng.normal(size=record.embedding_output.dimensions).astype(np.float32)
            template = Template(vector / np.linalg.norm(vector), space)
            session_id, case_id = submit(store, "shop")
            with store.write() as tx:
                store.consents.give(tx, "shop", session_id, "2026-01", "en", actor="c", purpose="enrolment")
            reference = NewReference.of(template, gallery_id="customers")
            subject = store.people.enrol("shop", case_id, [reference], actor="k", external_id=name)
            with galleries.enrolling("shop", "customers") as add:
                add(subject.id, template, case_id)
            people[name] = (subject.id, template)
        galleries.close()
    assert run("store", "backup", "--store", "s", "--key-file", "key", "b")[0] == 0
    assert run("store", "erase-person", "--store", "s", "--key-file", "key", "--tenant", "shop", "--yes", "bea")[0] == 0
    code, out, _ = run("store", "restore", "--store", "again", "--key-file", "key", "--marks", "s/media", "b")
    told = out.splitlines()[1:]
    assert (code, told) == (0, ["gallery customers of shop: 1 references", "gallery nobody of shop: 0 references"])

    for _ in range(2):  # once from the restore, once made again although it is there
        with Store.open(tmp_path / "again", master=master, create=False) as store:
            galleries = Galleries(store, tmp_path / "again" / "galleries")
            for name, expected in (("bea", []), ("carl", [people["carl"][0]])):
                found = galleries.identify("shop", "customers", people[name][1], SearchPolicy(fpir=0.01))
                assert [each.subject for each in found.candidates if each.scores["vector"] > 0.99] == expected
            assert galleries.size("shop", "customers") == 1
            galleries.close()
        code, out, _ = run("store", "rebuild-galleries", "--store", "again", "--key-file", "key", "--tenant", "shop")
        assert (code, out.splitlines()[0]) == (0, "gallery customers of shop: 1 references")
    assert not list((tmp_path / "again" / "galleries").rglob("*=new"))


def test_mistakes_are_one_line_that_says_what_to_do(run: Run, made: Path) -> None:
    code, _, errors = run("audit", "verify", "--store", "s")
    assert code == 64
    assert errors.startswith("samebody: keys.master: ")
    assert run("audit", "verify", "--store", "none", "--key-file", "key")[0] == 64
    Path("broken.jsonl").write_text("{")
    code, _, errors = run("audit", "verify", "--file", "broken.jsonl")
    assert code == 74
    assert "audit.unreadable" in errors
    code, _, errors = run("audit", "export", "--store", "s", "--key-file", "key", "--out", "no/such/folder/x")
    assert (code, errors.count("\n")) == (74, 1)
    assert not [path for path in Path.cwd().iterdir() if path.name.endswith(".part")]


def test_without_the_extra_the_error_names_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None\nfrom samebody.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", "verify", "--store", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 69
    assert "store.extra_missing" in done.stderr
    assert "samebody[service]" in done.stderr
