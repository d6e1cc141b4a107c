from graft.common.shown import LONGEST, counted, first_line, one_line, shown, shown_key


def test_a_count_agrees_with_its_noun():
    assert [counted(number, "pair") for number in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]


def test_a_long_value_is_shown_by_its_ends():
    assert shown(0.1) == "0.1"
    assert shown([1, 2]) == "[1, 2]"
    assert len(shown("x" * 10**6)) < 110
    assert shown(list(range(10**5))) == "[0, 1, 2, 3, ...]"


def test_a_number_of_thousands_of_digits_is_shown_by_its_length():
    assert shown(2**256) == "a whole number of 257 bits"
    assert shown([-(10**5000)]) == "[a whole number of 16610 bits]"
    assert shown(10**30) == "1" + 30 * "0"


def test_a_value_inside_itself_is_shown():
    endless: list = []
    endless.append(endless)
    assert shown(endless) == "[[[...]]]" or shown(endless) == "[[...]]"


def test_a_key_with_unusual_characters_is_quoted():
    assert shown_key("domains.${key}") == "domains.${key}"
    assert shown_key("a\nb") == "'a\\nb'"
    assert len(shown_key("a" * 10**6)) < 110


def test_text_of_a_library_becomes_one_line():
    assert one_line(" a\n  b ") == "a b"
    assert len(one_line("a " * 10**6)) <= LONGEST + len(" ...")
    assert first_line(ValueError("a\nb")) == "a"
    assert first_line(ValueError()) == "ValueError"
