from graft.common.seeds import derive, generator


def draw(*purpose: object) -> int:
    return generator(1, *purpose).integers(1 << 60)


def test_a_purpose_always_has_the_same_draws():
    assert draw("a") == draw("a")


def test_each_purpose_has_its_own_draws():
    draws = {draw("a"), draw("b"), draw("a", 0)}
    assert len(draws) == 3


def test_the_derivation_never_changes():
    # The first 8 bytes of SHA-256 of "(42, 'split', 'liver')", halved: what `sha256sum` gives too.
    first_8_bytes = int("e347858b797c411d", 16)
    assert derive(42, "split", "liver") == first_8_bytes >> 1
