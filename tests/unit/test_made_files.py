"""Files of a site that are left as they are while what they are made of stays the same."""

from tigerbush.runs.made import digest_of, is_made, record_made


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


def test_files_are_made_when_they_are_all_there(tmp_path):
    record, files = tmp_path / "record", [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.touch()
    assert not is_made(record, "m", files)
    record_made(record, "m")
    assert is_made(record, "m", files) and not is_made(record, "n", files)
    files[0].unlink()
    assert not is_made(record, "m", files)
