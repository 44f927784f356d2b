"""Results that are listed and pulled: which names are taken, in what the zip says of them, and what is kept of a try."""

import hashlib
import os
import zipfile
from types import SimpleNamespace

import pytest

from stores_in_memory import Bucket as Objects
from stores_in_memory import md5, store_of, without_waiting
from tigerbush.cli.__main__ import main as tigerbush
from tigerbush.cli.results import command as results
from tigerbush.cli.results import names as result_names
from tigerbush.cli.results import pull as result_pull
from tigerbush.cli.results import storage as result_storage
from tigerbush.cli.results.command import is_of_kind
from tigerbush.cli.results.names import select_results, unportable
from tigerbush.cli.results.pull import part_name, pull
from tigerbush.cli.results.storage import Bucket, Folder, Item, read_pieces
from tigerbush.errors import RemoteError, TigerbushError, WriteError


def items_of(*names):
    return [Item(name, 1, "t") for name in names]


def test_names_that_are_taken():
    """Those of a site's results, of plain characters; the others are counted and named by their reason."""
    good = [
        "results/here/a.json", "run/results/here/2017-01-16/rgb.png", "a/b/results/h_e-r3/x/y.tif", "results/a/results/b/c",
        f"results/here/{'a' * 1011}",
    ]  # fmt: skip
    none = ["results/a.json", "results/-x/a", "results/he.re/a", "other/here/a", "xresults/here/a"]
    bad = [
        "results/here/../a",
        "/results/here/a",
        "results/here/a b",
        "results//a",
        "results/here/ü",
        "results/here/",
    ]
    long = [f"results/here/{'a' * 1012}"]
    link = [Item("results/here/link", 0, "", left_out="as they are links")]
    items, left = select_results([*items_of(*good, *none, *bad, *long), *link])
    assert [item.name for item in items] == good
    assert left == [
        f"left out, because they are not results of a site: 5 ({', '.join(map(repr, none))})",
        "left out, because their names lead elsewhere or contain more than letters, digits and _ . = + - /: 6 "
        f"({', '.join(map(ascii, bad[:5]))}, ...)",
        f"left out, because their names have more than 1024 characters: 1 ('results/here/{'a' * 107}'...)",
        "left out, as they are links: 1 ('results/here/link')",
    ]


def test_names_that_not_every_system_keeps():
    part, path = "a" * 255, "b/" * 120
    cases = {
        "cannot be unpacked together on Windows and macOS, because they differ only in case": (
            ["A/x", "a/y", "a/Y", "straße", "STRASSE"], ["A", "STRASSE", "a", "a/Y", "a/y", "straße"],
        ),
        "cannot be unpacked together, because they are both files and folders": (["a/b", "a", "a/b/c", "ab"], ["a", "a/b"]),
        "cannot be unpacked on Windows, which forbids such names": (
            ["a/CON", "con.txt", "LPT9.x/b", "COM0", "a./b", "CONx", "x.CON", "COM10", "aux1"], ["COM0", "LPT9.x/b", "a./b", "a/CON", "con.txt"],
        ),
        "may be too long to be unpacked": ([f"{path}", f"{path}c", f"{part}", f"x/{part}"[:241]], [part, f"x/{part}"[:241], f"{path}c"]),
    }  # fmt: skip
    for reason, (names, reported) in cases.items():
        [line] = [sentence for sentence in unportable(names) if sentence.startswith(reason)]
        shown = ", ".join(ascii(name[:120]) + "..." * (len(name) > 120) for name in sorted(reported)[:5])
        assert line == f"{reason}: {len(reported)} ({shown}{', ...' if len(reported) > 5 else ''})"
    assert unportable(["results/here/a.json", "results/here/b/a.json", "results/there/a.json"]) == []
    assert result_names._MAX_PATH == 240
    # of folders that differ in case, what is in them does not count
    [line] = unportable(["A/x", "a/x"])
    assert line.partition(": ")[2] == "2 ('A', 'a')"


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["rgb"], ["a/rgb.png"]), (["ndvi"], ["a/ndvi.png", "a/bwndvi.png", "a/ndvi.tif"]), (["json"], ["a/b.json"]),
        (["rgb", "json"], ["a/rgb.png", "a/b.json"]), ([], []),
    ],
)  # fmt: skip
def test_kinds_of_results(kinds, names):
    every = [
        "a/rgb.png",
        "a/xrgb.png",
        "a/ndvi.png",
        "a/bwndvi.png",
        "a/ndvi.tif",
        "a/b.json",
        "a/json",
        "a/c.tif",
    ]
    assert [name for name in every if is_of_kind(name, kinds)] == names


@pytest.fixture
def run(tmp_path):
    """The results of a run on a disk."""
    folder = tmp_path / "run"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "results" / "here" / ".hidden").write_text("x")
    (folder / "results" / "here" / "link").symlink_to("a.json")
    (folder / "results" / "folder").symlink_to("here")
    os.mkfifo(folder / "results" / "here" / "pipe")
    return folder


FILES = {
    "results/a.tsv": b"1", "results/here/2017-01-16/rgb.png": b"png" * 500, "results/here/2017-02-16/ndvi.tif": b"tif", "results/here/a.json": b"{}" * 700,
    "results/there/2017-01-16/b.json": b"[]",
}  # fmt: skip
LINKS = "left out, because they are links or special files: 3 ('results/folder', 'results/here/link', 'results/here/pipe')"
NONE = "left out, because they are not results of a site: 1 ('results/a.tsv')"


def test_what_a_folder_holds(run, tmp_path):
    """In the order of names; nothing is followed."""
    listed = list(Folder(run).items())
    links = dict.fromkeys(
        ["results/folder", "results/here/link", "results/here/pipe"],
        (0, "because they are links or special files"),
    )
    expected = {name: (len(content), "") for name, content in FILES.items()} | links
    assert {item.name: (item.size, item.left_out) for item in listed} == expected
    assert [item.name for item in listed] == [
        "results/a.tsv", "results/folder", "results/here/a.json", "results/here/link", "results/here/pipe",
        "results/here/2017-01-16/rgb.png", "results/here/2017-02-16/ndvi.tif", "results/there/2017-01-16/b.json",
    ]  # fmt: skip
    assert [item.tag for item in listed][:1] == [str((run / "results" / "a.tsv").stat().st_mtime_ns)]
    with pytest.raises(TigerbushError) as error:
        Folder(tmp_path)
    assert str(error.value) == f"{tmp_path} has no folder `results`; name the working directory of a run."


def test_a_file_that_changes_is_not_taken(run, monkeypatch):
    monkeypatch.setattr(result_storage, "CHUNK", 1000)
    place = Folder(run)
    item = next(item for item in place.items() if item.name.endswith("rgb.png"))
    assert [len(piece) for piece in place.pieces(item)] == [1000, 500]
    path = run / item.name
    changed = f"{item.name} has changed meanwhile; start again, files already pulled are kept."
    os.utime(path, ns=(1, 1))
    with pytest.raises(TigerbushError) as error:
        list(place.pieces(item))
    assert str(error.value) == changed
    path.unlink()
    with pytest.raises(TigerbushError) as error:
        list(place.pieces(item))
    assert str(error.value) == f"{path}: No such file or directory; fix that and start again."
    outside = Item(
        "results/folder/a.json", 1400, str((run / "results" / "here" / "a.json").stat().st_mtime_ns)
    )
    with pytest.raises(TigerbushError, match="changed meanwhile"):
        list(place.pieces(outside))
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        list(read_pieces(run / "results" / "here" / "link"))


def test_what_a_bucket_holds(monkeypatch):
    objects = Objects({"run/results/here/a.json": b"12", "run/results/here/b": b"345", "running": b"6"})
    objects.answers = [{"Contents": [{"Key": "run/results/here/b", "Size": 3, "ETag": '"x-2"'}]}]
    made = []
    monkeypatch.setattr(result_storage, "Store", lambda *given, **options: made.append((given, options)) or store_of(monkeypatch, objects))  # fmt: skip
    place = Bucket("b", "run", "https://s3.example", "here")
    assert made == [(("b",), {"endpoint_url": "https://s3.example", "region": "here"})]
    assert list(place.items()) == [Item("results/here/b", 3, "x-2", "")]
    [first, second] = place.items()
    assert (first, second.name) == (Item("results/here/a.json", 2, md5(b"12"), md5(b"12")), "results/here/b")
    assert b"".join(place.pieces(first)) == b"12"
    assert objects.read == [
        {"Bucket": "eodata", "Key": "run/results/here/a.json", "IfMatch": f'"{md5(b"12")}"'}
    ]
    assert [item.name for item in Bucket("b", "", None, None).items()] == sorted(objects.objects)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("az://abc", ("Container", "abc", "", "store")),
        ("az://a-b-c/run/x/", ("Container", "a-b-c", "run/x", "store")),
        ("s3://b.c-1/run", ("Bucket", "b.c-1", "run", "url", "region")),
        ("s3://bcd/", ("Bucket", "bcd", "", "url", "region")),
        ("here", ("Folder", "here")),
        *((text, None) for text in ("az://ab", "az://a--b", "az://" + "a" * 64, "s3://Bcd/x", "s3://b", "https://x/y", "s3://bcd/a b")),
    ],
)  # fmt: skip
def test_addresses_of_results(monkeypatch, address, expected):
    for name in ("Container", "Bucket", "Folder"):
        monkeypatch.setattr(result_storage, name, lambda *given, name=name: (name, *map(str, given)))
    options = {"account": "store", "endpoint_url": "url", "region": "region"}
    if expected:
        assert result_storage.open_storage(address, **options) == expected
        return
    with pytest.raises(TigerbushError) as error:
        result_storage.open_storage(address, **options)
    assert str(error.value) == (
        f"{address!r} is not an address of results; expected az://container/run or s3://bucket/run."
    )


class Shelf:
    """A place whose pieces are given, or raise."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def pieces(self, item):
        self.asked.append(item.name)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield from answer


ONE = Item("results/here/a.json", 6, "t", md5(b"abcdef"))
TWO = Item("results/here/b.png", 3, "u")


@pytest.fixture
def waits(monkeypatch):
    monkeypatch.setattr(result_pull, "CONNECTIONS", 1)
    return without_waiting(monkeypatch)


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert {entry.external_attr for entry in archive.infolist()[:-1]} == {0o644 << 16}
        kinds = {
            entry.filename: entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist()[:-1]
        }
        return {name: archive.read(name) for name in archive.namelist()}, kinds


def sha(content):
    return hashlib.sha256(content).hexdigest()


def test_results_become_a_zip(tmp_path, waits):
    """With a table of what is in it; images are stored as they are."""
    target, done = tmp_path / "a.zip", []
    place = Shelf([b"abc", b"def"], [b"12", b"3"])
    pull(place, [ONE, TWO], target, done.append)
    manifest = f"name\tsize\tsha256\n{ONE.name}\t6\t{sha(b'abcdef')}\n{TWO.name}\t3\t{sha(b'123')}\n"
    contents, stored = members(target)
    assert contents == {ONE.name: b"abcdef", TWO.name: b"123", "manifest.tsv": manifest.encode()}
    assert list(contents) == [ONE.name, TWO.name, "manifest.tsv"]
    assert stored == {ONE.name: False, TWO.name: True}
    assert (done, list(tmp_path.iterdir())) == ([ONE, TWO], [target])


PASSING = [
    ([b"abcde"], f"{ONE.name}: 5 bytes were received, 6 were expected"),
    ([b"abcd", b"efg"], f"{ONE.name}: more than 6 bytes were received, 6 were expected"),
    ([b"abcdeF"], f"{ONE.name}: the content differs from the checksum of the storage"),
    (RemoteError("busy"), "busy"),
]


@pytest.mark.parametrize(("answer", "sentence"), PASSING)
def test_what_may_pass_is_tried_again(tmp_path, waits, answer, sentence):
    place = Shelf(*[answer] * 4, [b"abcdef"])
    pull(place, [ONE], tmp_path / "a.zip", lambda _: None)
    assert waits == [0.5, 1.0, 2.0, 4.0]
    with pytest.raises(RemoteError) as error:
        pull(Shelf(*[answer] * 5), [ONE], tmp_path / "b.zip", lambda _: None)
    assert str(error.value) == sentence
    place = Shelf(TigerbushError("wrong"))
    with pytest.raises(TigerbushError, match=r"^wrong$"):
        pull(place, [ONE], tmp_path / "c.zip", lambda _: None)
    assert place.asked == [ONE.name]


def test_a_pull_goes_on_where_it_stopped(tmp_path, waits):
    """Of parts that are whole nothing is fetched again; what something else has put there stays."""
    target, parts = tmp_path / "a.zip", tmp_path / "a.zip.part"
    with pytest.raises(TigerbushError):
        pull(Shelf([b"abcdef"], TigerbushError("x")), [ONE, TWO], target, lambda _: None)
    assert [path.name for path in parts.iterdir()] == [part_name(ONE)]
    assert not target.exists()
    (parts / "mine").touch()
    # half written by a try that was killed
    (parts / f".{'0' * 40}.x").touch()
    place, done = Shelf([b"123"]), []
    pull(place, [ONE, TWO], target, done.append)
    assert (place.asked, done) == ([TWO.name], [ONE, TWO])
    assert [path.name for path in parts.iterdir()] == ["mine"]
    # of another size, tag or name it is another part; one that is damaged, or a link, is none
    names = {
        part_name(item) for item in (ONE, Item(ONE.name, 7, "t"), Item(ONE.name, 6, "x"), Item("x", 6, "t"))
    }
    assert len(names) == 4
    for spoil in (
        lambda path: path.write_bytes(b"abcdeX"),
        lambda path: path.write_bytes(b""),
        lambda path: path.symlink_to(tmp_path / "whole"),
    ):
        (tmp_path / "whole").write_bytes(b"abcdef")
        part = parts / part_name(ONE)
        part.unlink(missing_ok=True)
        spoil(part)
        place = Shelf([b"abcdef"])
        pull(place, [ONE], target, lambda _: None)
        assert place.asked == [ONE.name]


def test_nothing_is_written_behind_links(tmp_path, waits):
    (tmp_path / "folder").mkdir()
    for name, link in (("a.zip", "a.zip"), ("b.zip", "b.zip.part")):
        (tmp_path / link).symlink_to("folder")
        with pytest.raises(TigerbushError) as error:
            pull(Shelf(), [ONE], tmp_path / name, lambda _: None)
        assert str(error.value) == f"{tmp_path / link} is a link, and files are not written through links; give --zip another name."  # fmt: skip
    with pytest.raises(TigerbushError) as error:
        pull(Shelf(), [ONE], tmp_path / "folder", lambda _: None)
    assert str(error.value) == f"{tmp_path / 'folder'} is a folder; give --zip the name of a file."


def test_results_are_listed(run, capsys):
    assert tigerbush(["results", "list", str(run)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line for line in lines if not line.startswith("─")] == [
        "run site dates files MB", "here 2 3 0.0", "there 1 1 0.0", NONE, LINKS,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["results/here/a.json", "results/there/2017-01-16/b.json"]),
        (["--rgb"], ["results/here/2017-01-16/rgb.png"]),
        (["--ndvi", "--json"], ["results/here/a.json", "results/here/2017-02-16/ndvi.tif", "results/there/2017-01-16/b.json"]),
        (["--all"], ["results/here/a.json", "results/here/2017-01-16/rgb.png", "results/here/2017-02-16/ndvi.tif", "results/there/2017-01-16/b.json"]),
    ],
)  # fmt: skip
def test_results_are_pulled(run, tmp_path, capsys, words, names):
    target = tmp_path / "a.zip"
    assert tigerbush(["results", "pull", str(run), "--zip", str(target), *words]) == 0
    assert list(members(target)[0]) == [*names, "manifest.tsv"]
    size = sum(len(FILES[name]) for name in names) / 1e6
    assert capsys.readouterr().out.splitlines() == [
        f"{target}: {len(names)} files, {size:.1f} MB",
        f"compared with a checksum of the storage: 0; without one: {len(names)}",
        NONE,
        LINKS,
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pull", "."], "pull needs --zip FILE."),
        (
            ["list", ".", "--container", "abc"],
            "give either FROM or --container, not both; --container C is az://C.",
        ),
        (["list", ".", "--x"], "results does not know '--x'; see ./tigerbush results --help."),
    ],
)
def test_words_of_results(run, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(run)
    assert tigerbush(["results", *words]) == 1
    assert capsys.readouterr().err == f"tigerbush: {sentence}\n"


def test_the_place_of_a_container(monkeypatch, capsys, run, tmp_path):
    opened = []
    place = SimpleNamespace(items=lambda: iter([Item("r/results/here/x.tif", 1, "t")]))
    monkeypatch.setattr(
        results, "open_storage", lambda address, **options: opened.append((address, options)) or place
    )
    words = ["--container", "abc", "--account", "store", "--endpoint-url", "url", "--region", "here"]
    assert tigerbush(["results", "list", *words]) == 0
    assert opened == [("az://abc", {"account": "store", "endpoint_url": "url", "region": "here"})]
    assert "r" in capsys.readouterr().out.split()
    assert tigerbush(["results", "pull", "--zip", str(tmp_path / "a.zip")]) == 1
    assert opened[1] == (".", dict.fromkeys(("account", "endpoint_url", "region")))
    assert capsys.readouterr().err == "tigerbush: . has no such results; see ./tigerbush results list ..\n"


def test_what_results_can_do(capsys):
    with pytest.raises(SystemExit):
        tigerbush(["results", "delete"])
    assert "invalid choice: 'delete' (choose from" in capsys.readouterr().err


def test_a_place_where_nothing_can_be_written(tmp_path, waits):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError) as error:
        pull(Shelf(), [], tmp_path / "file" / "a.zip", lambda _: None)
    assert (
        str(error.value)
        == f"{tmp_path}/file/a.zip.part cannot be written (Not a directory); fix that and run again."
    )
