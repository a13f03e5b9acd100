from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files

from cloudbill.report.page import PROGRAM, build_page
from cloudbill.report.page_json import page_json
from unit.report.report_builders import NOW, Spent, report_of

HOSTILE = "</script><script>alert(1)</script><!--\u2028\udc80 $data"


def scripts(page: str) -> list[str]:
    """The programs of a page, as a browser finds them."""
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_no_name_ends_the_data_and_all_names_are_kept() -> None:
    page = build_page(page_json((report_of([Spent(service=HOSTILE)]),), NOW))
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(data) == 1
    assert not re.search("[<>&\u2028\u2029]", data[0])
    assert json.loads(data[0])["names"]["service"] == [{"text": HOSTILE}]
    page.encode()


def test_the_policy_lets_two_programs_run_by_their_hashes_and_nothing_reach_the_network() -> None:
    page = build_page(page_json((), NOW))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    found = scripts(page)
    assert len(found) == 2
    for program in found:
        digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none';")
    assert not re.search(r"https?:|script-src[^;]*unsafe|connect-src", policy[1])


def test_the_program_of_the_page_is_made_of_all_its_files_and_none_is_longer_than_a_module() -> (
    None
):
    folder = files("cloudbill.report").joinpath("program")
    program = scripts(build_page(page_json((), NOW)))[1]

    assert sorted(f"{name}.js" for name in PROGRAM) == sorted(
        file.name for file in folder.iterdir()
    )
    for name in PROGRAM:
        text = folder.joinpath(f"{name}.js").read_text(encoding="utf-8")
        assert text in program
        assert len(text.splitlines()) <= 400
