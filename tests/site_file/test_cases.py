"""Each folder in ``cases`` is a site with one kind of mistake; ``expected.txt`` is what is said about it."""

from pathlib import Path

import pytest

from dcops.site_file import SiteProblems, load

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", sorted(each.name for each in CASES.iterdir()))
def test_each_mistake_is_told_with_file_line_and_mend(case: str) -> None:
    folder = CASES / case
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()

    with pytest.raises(SiteProblems) as caught:
        load(folder)

    assert [str(each).replace(f"{folder}/", "") for each in caught.value.problems] == expected


@pytest.mark.parametrize("case", sorted(each.name for each in CASES.iterdir() if "secret" in each.name))
def test_no_message_repeats_a_secret(case: str) -> None:
    with pytest.raises(SiteProblems) as caught:
        load(CASES / case)

    assert "hunter2" not in str(caught.value)
