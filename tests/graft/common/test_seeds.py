from graft.common.seeds import derive, generator


def test_a_purpose_has_its_own_draws_and_always_the_same():
    draws = []
    for purpose in (("a",), ("a",), ("b",), ("a", 0)):
        draws.append(generator(1, *purpose).integers(1 << 60))
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


def test_the_derivation_never_changes():
    # The first 8 bytes of SHA-256 of "(42, 'split', 'liver')", halved: what `sha256sum` gives too.
    assert derive(42, "split", "liver") == int("e347858b797c411d", 16) >> 1
