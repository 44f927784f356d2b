"""What `./tigerbush findings` prints: the sentences of reports."""

import json

from sentences import ANALYSIS, COVERAGE
from sentences_of_warning import NOT_ASSESSED, REFUSED, WARNED
from tigerbush.cli.__main__ import main


def test_the_sentences_of_the_reports_are_printed(tmp_path, capsys):
    paths = [tmp_path / "warned.json", tmp_path / "refused.json"]
    paths[0].write_text(json.dumps(ANALYSIS))
    paths[1].write_text(json.dumps(ANALYSIS | {"site": "Faro", "early_warning": REFUSED}))
    assert main(["findings", *map(str, paths)]) == 0
    lines = [f"{ANALYSIS['site']}: {COVERAGE}", *(f"  {text}" for text in WARNED)]
    lines += [f"Faro: {COVERAGE}", f"  Early warning is not assessed. {NOT_ASSESSED}"]
    assert capsys.readouterr().out.splitlines() == lines


def test_what_is_no_analysis_is_refused(tmp_path, capsys):
    for text, fault in (("{", "JSONDecodeError"), ("[]", "TypeError"), ('{"site": "it"}', "KeyError")):
        (tmp_path / "it.json").write_text(text)
        assert main(["findings", str(tmp_path / "it.json")]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"tigerbush: {tmp_path / 'it.json'} cannot be read as an analysis ({fault}: ")
        assert err.endswith("; name an analysis.json.\n")
    assert main(["findings", "it.json", "--no"]) == 1
    assert capsys.readouterr().err == (
        "tigerbush: findings does not know '--no'; see ./tigerbush findings --help.\n"
    )
