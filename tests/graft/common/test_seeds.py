from graft.common.seeds import derive, generator


def test_same_purpose_same_draws_other_purpose_others():
    draws = [
        generator(1, *purpose).integers(1 << 60) for purpose in (("a",), ("a",), ("b",), ("a", 0))
    ]
    assert draws[0] == draws[1] and len(set(draws)) == 3


def test_the_derivation_is_fixed_for_ever():
    # The first 8 bytes of SHA-256 of "(42, 'split', 'liver')", halved: what `sha256sum` gives too.
    assert derive(42, "split", "liver") == int("e347858b797c411d", 16) >> 1
