"""Files of sites that are left as they are while what they are made of stays the same."""

import json

from tigerbush.runs.made import digest_of, make_outdated


def test_what_files_are_made_of(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    first = digest_of("code", {"a": 1}, path)
    assert first == digest_of("code", {"a": 1}, path)
    assert len({first, digest_of("edit", {"a": 1}, path), digest_of("code", {"a": 2}, path)}) == 3
    path.write_bytes(b"2")
    assert digest_of("code", {"a": 1}, path) != first
    # where one part ends and the next begins
    assert digest_of("ab", "c") != digest_of("a", "bc")


def test_what_is_missing_or_changed_is_made(tmp_path):
    record = tmp_path / "made.json"
    files = {site: [tmp_path / f"{site}1", tmp_path / f"{site}2"] for site in ("a", "b", "c")}
    made = []

    def make(site):
        made.append(site)
        for file in files[site]:
            file.touch()

    def run(**wanted):
        made.clear()
        make_outdated(record, wanted, files, make)
        assert json.loads(record.read_text()) == wanted
        return made

    assert run(a="1", b="1", c="1") == ["a", "b", "c"]
    assert run(a="1", b="1", c="1") == []
    files["b"][1].unlink()
    assert run(a="1", b="1", c="2") == ["b", "c"]
    # one that was left out in between is made again
    assert run(a="1", c="2") == []
    assert run(a="1", b="1", c="2") == ["b"]
