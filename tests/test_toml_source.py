"""Where a key stands in a TOML file: the line its value begins on, or the table around it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.toml_source import line_of, nearest

TEXT = '''# a comment
seed = 7

[legacy]  # another
small = "x"
body = { q = [
  "{{input}}",
] }
note = """
seed = 8
[direct]
"""

[legacy.settings]
turbo = true
'''


def test_a_key_is_where_its_value_begins() -> None:
    where = {("seed",): 2, ("legacy",): 4, ("legacy", "small"): 5, ("legacy", "body", "q", 0): 6, ("legacy", "note"): 9}
    for key, line in where.items():
        assert line_of(TEXT, key) == line
    assert line_of(TEXT, ("legacy", "settings", "turbo")) == 15


def test_a_key_that_is_missing_is_where_its_table_begins() -> None:
    assert line_of(TEXT, ("legacy", "large")) == 4
    assert line_of(TEXT, ("direct", "model")) is None


names = st.from_regex(r"[a-z]{1,6}", fullmatch=True)


tables = st.dictionaries(names, st.dictionaries(names, st.integers(), min_size=1, max_size=3), min_size=1, max_size=3)


@given(tables, st.data())
def test_every_key_of_a_file_is_found_on_its_line(tables: dict[str, dict[str, int]], data: st.DataObject) -> None:
    lines, places = [], {}
    for table, keys in tables.items():
        lines += [""] * data.draw(st.integers(0, 2))
        lines.append(f"[{table}]")
        for key, value in keys.items():
            lines.append(f"{key} = {value}")
            places[table, key] = len(lines)
    for place, line in places.items():
        assert line_of("\n".join(lines), place) == line


def test_only_a_near_word_is_suggested() -> None:
    assert nearest("sead", ["seed", "limit"]) == "; did you mean `seed`?"
    assert nearest("zzz", ["seed"]) == ""
