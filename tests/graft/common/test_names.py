import pytest

from graft.common.files import InputError
from graft.common.names import check_identifier, check_label, is_identifier, is_label, is_text


@pytest.mark.parametrize("name", ["lung", "liver_mr", "3", "Site-2", "a" * 64])
def test_a_domain_may_have_letters_digits_dashes_and_underscores(name):
    assert is_identifier(name)
    assert check_identifier(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a.b", "a;touch x", "$(x)", "a b", "-s", "_a", "a\n", "é", "a@b"]
    + ["`x`", "${x}", "a" * 65, "a\0", "\\", "'", '"'],
)
def test_a_domain_may_have_nothing_that_a_shell_a_path_or_dvc_parses(name):
    assert not is_identifier(name)
    with pytest.raises(InputError, match="expected at most 64 ASCII letters"):
        check_identifier(name)


@pytest.mark.parametrize(
    "name",
    [
        "benign",
        "Tumor (größer)",
        "肿瘤",
        "T2a, grade 1/2",
        "Women's & Children's",
        "-1",
        "+",
        "-",
        "+1.5e-3",
        "HPV+",
        "ER-",
    ],
)
def test_a_class_or_a_site_may_have_letters_of_any_script_blanks_and_numbers(name):
    assert is_label(name)
    assert check_label("site", name) == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a\tb", "a\nb", "a\u2028b", "\u202eevil", "<b>", 'a"b', "`a`"]
    + ["$x$", "a\\b", "{a}", "a|b", "=1", "+cmd", "-cmd", "@a", "＝1", "=", "a" * 101],
)
def test_a_class_or_a_site_may_have_nothing_that_a_page_or_a_spreadsheet_runs(name):
    assert not is_label(name)
    with pytest.raises(InputError, match="^site is .* expected at most 100 printable"):
        check_label("site", name)


def test_a_path_may_have_more_but_is_one_printable_line_and_no_formula():
    assert is_text("data/raw (2)/O'Brien & sons")
    assert is_text("^(P\\d+)_")
    assert not any(is_text(text) for text in ("", "a\nb", "=x", "@x", "a" * 1001))
